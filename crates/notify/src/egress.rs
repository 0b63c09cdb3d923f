//! Which addresses we call: public ones, and those of networks that are allowed.
//!
//! A name is looked up once, what it means is judged, and the connection goes to an address that passed.
//! So a name that means something else a moment later changes nothing (DNS rebinding), and an address that
//! hides another one (IPv4 in IPv6, 6to4, NAT64) is judged as that one. Whatever is not known to be public is
//! refused: a look-up that fails calls nobody.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    sync::mpsc,
    thread,
    time::Duration,
};

use alignwatch_model::{
    config::Network,
    notice::{Failure, FailureReason},
};

use crate::failure::failed;

/// Addresses of one name that are tried. Source: ureq keeps as many.
const ADDRESSES_AT_MOST: usize = 16;

/// Where we may call, and whom we believe.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    pub(crate) allow: Vec<Network>,
    pub(crate) certificates: Vec<String>,
}

impl Egress {
    /// What the configuration allows.
    pub fn of(config: &alignwatch_model::config::Egress) -> Egress {
        Egress { allow: config.networks(), certificates: config.certificates.clone() }
    }

    /// The addresses of a host that may be called, in the order of the look-up.
    ///
    /// Errors: it has none, the look-up took longer than `patience`, or all of them are refused.
    pub(crate) fn addresses(&self, host: &str, port: u16, patience: Duration) -> Result<Vec<SocketAddr>, Failure> {
        let all = looked_up(host, port, patience)?;
        let may: Vec<SocketAddr> = all.iter().copied().filter(|address| self.may_call(address.ip())).collect();
        match (may.is_empty(), all.first()) {
            (false, _) => Ok(may),
            (true, Some(first)) => Err(refused(host, first.ip())),
            (true, None) => Err(unknown(host, "it has no address")),
        }
    }

    fn may_call(&self, address: IpAddr) -> bool {
        let meant = meant(address);
        let is_allowed = |address| self.allow.iter().any(|network| network.holds(address));
        why_not_public(meant).is_none() || is_allowed(address) || is_allowed(meant)
    }
}

/// The system is asked on a thread of its own, since it cannot be told to hurry.
fn looked_up(host: &str, port: u16, patience: Duration) -> Result<Vec<SocketAddr>, Failure> {
    // A URL writes an IPv6 address in brackets.
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (answer, answered) = mpsc::channel();
    let name = bare.to_owned();
    let asking = thread::Builder::new().name("look up a host".to_owned());
    let asked = asking.spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(|all| all.take(ADDRESSES_AT_MOST).collect::<Vec<_>>());
        // Nobody listens any more when it took too long.
        let _ = answer.send(found);
    });
    if asked.is_err() {
        return Err(failed(FailureReason::LocalError, "no thread could be started to look up a host"));
    }
    match answered.recv_timeout(patience) {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(unknown(host, &error.to_string())),
        Err(_) => Err(failed(FailureReason::TimedOut, format!("looking up `{host}` took too long"))),
    }
}

fn unknown(host: &str, why: &str) -> Failure {
    let why = why.trim_start_matches("failed to lookup address information: ");
    failed(FailureReason::UnknownHost, format!("the host `{host}` was not found: {why}"))
}

fn refused(host: &str, address: IpAddr) -> Failure {
    let why = why_not_public(meant(address)).unwrap_or("not public");
    let is = if host.trim_matches(['[', ']']) == address.to_string() {
        String::new()
    } else {
        format!(" means {address}, which")
    };
    let detail = format!("`{host}`{is} is {why}; to call it all the same, write `egress: {{allow: [\"{address}\"]}}`");
    Failure { is_permanent: true, ..failed(FailureReason::Refused, detail) }
}

/// The address that is called in the end: the IPv4 address in an IPv6 one, where it holds one.
fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match (a, b, c, d, e, f) {
        // IPv4-mapped (RFC 4291, 2.5.5.2), and the translated form of RFC 2765.
        (0, 0, 0, 0, 0, 0xffff) | (0, 0, 0, 0, 0xffff, 0) => v4(g, h),
        // IPv4-compatible, deprecated (RFC 4291, 2.5.5.1); `::` and `::1` are none.
        (0, 0, 0, 0, 0, 0) if g != 0 => v4(g, h),
        // NAT64 (RFC 6052).
        (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        // 6to4 (RFC 3056).
        (0x2002, ..) => v4(b, c),
        _ => address,
    }
}

/// Why an address is not public; `None` = it is.
///
/// Source: the special-purpose address registries of IANA (RFC 6890 and its updates).
fn why_not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => why_not_public_v4(v4),
        IpAddr::V6(v6) => why_not_public_v6(v6),
    }
}

fn why_not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [0, ..] => Some("this machine"),
        [127, ..] => Some("this machine"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some("an address of a private network"),
        [169, 254, ..] => Some("a link-local address"),
        [100, 64..=127, ..] => Some("an address of a provider's inner network"),
        [192, 0, 0, _] | [192, 88, 99, _] => Some("an address with a special purpose"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some("an address for documentation"),
        [198, 18..=19, ..] => Some("an address for measurements"),
        [224..=239, ..] => Some("a multicast address"),
        [240..=255, ..] => Some("a reserved address"),
        _ => None,
    }
}

fn why_not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Some("this machine"),
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] | [0x64, 0xff9b, 1, ..] => {
            Some("an address of a private network")
        }
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        // Teredo and others that lead through somebody else's machine.
        [0x2001, 0..=0x1ff, ..] => Some("an address with a special purpose"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("an address for documentation"),
        [0x2000..=0x3fff, ..] => None,
        _ => Some("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(address: &str) -> Option<&'static str> {
        why_not_public(meant(address.parse().expect(address)))
    }

    #[test]
    fn what_is_not_public_is_refused_in_every_form() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(why(address).is_some(), "{address}");
        }
    }

    #[test]
    fn what_is_public_may_be_called() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.1.1.1",
            "128.0.0.1",
            "172.15.1.1",
            "172.32.1.1",
            "192.0.1.1",
            "192.169.0.1",
            "198.17.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::",
            "2001:200::1",
        ] {
            assert_eq!(why(address), None, "{address}");
        }
    }

    #[test]
    fn an_allowed_network_opens_itself_and_no_other() {
        let config =
            alignwatch_model::config::Egress { allow: vec!["10.1.2.0/24".into(), "::1".into()], ..Default::default() };
        let egress = Egress::of(&config);
        let may = |address: &str| egress.may_call(address.parse().expect(address));
        assert!(may("10.1.2.3") && may("::ffff:10.1.2.3") && may("::1"));
        assert!(!may("10.1.3.1") && !may("127.0.0.1") && !may("::ffff:10.1.3.1"));
    }

    #[test]
    fn a_refusal_says_what_the_address_is_and_how_to_allow_it() {
        let told = |host: &str| Egress::default().addresses(host, 80, Duration::from_secs(9)).expect_err(host).detail;
        assert_eq!(
            told("127.0.0.1"),
            "`127.0.0.1` is this machine; to call it all the same, write `egress: {allow: [\"127.0.0.1\"]}`"
        );
        assert_eq!(
            told("[::ffff:10.0.0.1]"),
            "`[::ffff:10.0.0.1]` is an address of a private network; to call it all the same, write `egress: {allow: [\"::ffff:10.0.0.1\"]}`"
        );
        assert!(told("localhost").contains("` means "), "{}", told("localhost"));
    }
}
