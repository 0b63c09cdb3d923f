//! Object ids of both hash functions of Git.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The id of a Git object: 20 bytes (sha1) or 32 bytes (sha256).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid {
    bytes: [u8; 32],
    len: u8,
}

/// A text or byte string that is no object id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an object id (40 or 64 hexadecimal digits)")]
pub struct BadOid(String);

impl Oid {
    /// An id from its raw 20 or 32 bytes.
    pub fn from_bytes(raw: &[u8]) -> Result<Oid, BadOid> {
        if raw.len() != 20 && raw.len() != 32 {
            return Err(BadOid(format!("{} bytes", raw.len())));
        }
        let mut bytes = [0; 32];
        bytes[..raw.len()].copy_from_slice(raw);
        Ok(Oid { bytes, len: raw.len() as u8 })
    }

    /// An id from 40 or 64 hexadecimal digits.
    pub fn from_hex(hex: &[u8]) -> Result<Oid, BadOid> {
        let bad = || BadOid(String::from_utf8_lossy(hex).chars().take(80).collect());
        if hex.len() != 40 && hex.len() != 64 {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        let mut seen = 0;
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let (high, low) = (DIGITS[pair[0] as usize], DIGITS[pair[1] as usize]);
            seen |= high | low;
            *byte = high << 4 | low & 15;
        }
        if NO_DIGIT <= seen { Err(bad()) } else { Ok(Oid { bytes, len: (hex.len() / 2) as u8 }) }
    }

    /// The raw bytes: 20 or 32 of them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len as usize]
    }

    /// All digits, in lower case.
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(2 * self.len as usize);
        for byte in self.as_bytes() {
            text.push(DIGITS[(byte >> 4) as usize] as char);
            text.push(DIGITS[(byte & 15) as usize] as char);
        }
        text
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }

    /// Is this the all-zero id, Git's word for "nothing"?
    pub fn is_null(&self) -> bool {
        self.bytes == [0; 32]
    }
}

/// What stands in [`DIGITS`] for a byte that is no digit; the digits are below it.
const NO_DIGIT: u8 = 0x80;

/// The value of each hexadecimal digit: a table, since tens of thousands of ids are read at once.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Oid, D::Error> {
        let text = String::deserialize(deserializer)?;
        Oid::from_hex(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_bytes_are_the_same_id() {
        let hex = "0123456789abcdef0123456789abcdef01234567";
        let oid = Oid::from_hex(hex.as_bytes()).unwrap();
        assert_eq!(oid.hex(), hex);
        assert_eq!(Oid::from_bytes(oid.as_bytes()).unwrap(), oid);
        assert_eq!(oid.short(), "0123456789ab");
    }

    #[test]
    fn every_byte_is_a_digit_in_both_cases_or_none() {
        for byte in 0..=255_u8 {
            let value = (byte as char).to_digit(16);
            let first = [&[byte][..], &[b'0'; 39]].concat();
            let last = [&[b'0'; 39][..], &[byte]].concat();
            assert_eq!(Oid::from_hex(&first).ok().map(|oid| u32::from(oid.as_bytes()[0] >> 4)), value);
            assert_eq!(Oid::from_hex(&last).ok().map(|oid| u32::from(oid.as_bytes()[19])), value);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        assert!(Oid::from_hex(b"abc").is_err());
        assert!(Oid::from_hex(&[b'g'; 40]).is_err());
        assert!(Oid::from_bytes(&[0; 21]).is_err());
    }
}
