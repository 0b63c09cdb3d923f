//! The part of the configuration that says which networks we may call.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{NetworkText, PathText};

/// Which networks may be called when something is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// Networks that are called although they are not public: this machine, private and link-local ones.
    ///
    /// Unit: networks, as an address with the number of bits that count, or one address.
    /// Range: any number of different networks.
    /// Default: [].
    /// Reason: who may write an address into a channel could otherwise reach what only this machine can.
    /// Example: `[10.1.2.0/24, "::1"]`
    #[schemars(with = "Vec<NetworkText>", extend("uniqueItems" = true))]
    pub allow: Vec<String>,
    /// Certificates of authorities that are trusted besides the public ones.
    ///
    /// Unit: paths from the root, to files in PEM form.
    /// Range: any number of different files.
    /// Default: [].
    /// Reason: servers of your own network may have certificates that only you can vouch for.
    /// Example: `[/etc/ssl/company.pem]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub certificates: Vec<String>,
}

/// A network: the addresses whose first bits are these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    n_bits: u32,
}

impl Egress {
    /// The networks of `allow`. What a checked configuration can't have is left out.
    pub fn networks(&self) -> Vec<Network> {
        self.allow.iter().filter_map(|text| Network::parse(text)).collect()
    }
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8`, `127.0.0.1`. `None` = it is no network, or bits are set that do not count.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, n_bits) = match text.split_once('/') {
            Some((address, n_bits)) => (address, Some(n_bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let n_bits = match n_bits {
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()?
            }
            Some(_) => return None,
            None => most,
        };
        let network = Network { address, n_bits };
        (n_bits <= most && masked(address, n_bits) == address).then_some(network)
    }

    /// Is the address in it? An IPv4 address is in no IPv6 network, and the other way round.
    pub fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.n_bits) == self.address
    }
}

/// The address with only its first bits.
fn masked(address: IpAddr, n_bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - n_bits.min(32)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - n_bits.min(128)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_a_network_when_the_first_bits_are_the_same() {
        let holds = |network, address: &str| {
            Network::parse(network).expect(network).holds(address.parse().expect("an address"))
        };
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe80::1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("::/0", "::1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "x",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "::1/129",
            "10.0.0/8",
            "/8",
            "10.0.0.0/",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
