//! Ids of runs and events (ULID), and moments in milliseconds.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The digits of Crockford's base 32. Source: the ULID specification.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Digits of a ULID: 128 bits, five a digit.
const LENGTH: usize = 26;

/// The id of a run: a ULID as text, so that ids sort by the time of their making.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RunId(String);

/// A text that is no id of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no id of a run: 26 digits and letters, such as 01JGFJJZ00ZZZZZZZZZZZZZZZZ")]
pub struct BadRunId(String);

impl RunId {
    /// An id from a time in milliseconds since 1970 and ten random bytes.
    pub fn from_parts(milliseconds: u64, random: [u8; 10]) -> RunId {
        let time = u128::from(milliseconds & 0xffff_ffff_ffff) << 80;
        let random = random.iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        let bits = time | random;
        let digit = |at: usize| DIGITS[(bits >> (5 * (LENGTH - 1 - at)) & 31) as usize] as char;
        RunId((0..LENGTH).map(digit).collect())
    }

    /// An id from its text, in either case. It is safe as the name of a file.
    pub fn parse(text: &str) -> Result<RunId, BadRunId> {
        let upper = text.to_ascii_uppercase();
        let is_id = upper.len() == LENGTH
            && upper.bytes().all(|byte| DIGITS.contains(&byte))
            // 26 digits hold 130 bits, and an id has 128.
            && upper.as_bytes()[0] <= b'7';
        if is_id { Ok(RunId(upper)) } else { Err(BadRunId(text.chars().take(80).collect())) }
    }

    /// The time that it begins with: when it was made.
    pub fn made_at(&self) -> Moment {
        let value = |letter: u8| DIGITS.iter().position(|digit| *digit == letter).unwrap_or(0) as i64;
        Moment(self.as_str().bytes().take(10).fold(0, |sum, letter| sum * 32 + value(letter)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RunId, D::Error> {
        RunId::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Milliseconds since 1970 by a wall clock; RFC 3339 in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Moment(time.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_it_was_made() {
        for milliseconds in [0, 1, 1_700_000_000_123, 0xffff_ffff_ffff] {
            assert_eq!(RunId::from_parts(milliseconds, [7; 10]).made_at(), Moment(milliseconds as i64));
        }
    }

    #[test]
    fn an_id_is_a_ulid_that_sorts_by_time() {
        // The example of the specification: 01ARZ3NDEK… is 1469922850259.
        let id = RunId::from_parts(1_469_922_850_259, [0xff; 10]);
        assert_eq!(id.as_str(), "01ARZ3NDEKZZZZZZZZZZZZZZZZ");
        assert!(id < RunId::from_parts(1_469_922_850_260, [0; 10]));
        assert_eq!(RunId::parse(&id.as_str().to_lowercase()).unwrap(), id);
    }

    #[test]
    fn what_could_be_a_path_is_no_id() {
        for text in ["", "..", "../../etc/passwd", "01ARZ3NDEKZZZZZZZZZZZZZZZ/", "81ARZ3NDEKZZZZZZZZZZZZZZZZ", "é"] {
            assert!(RunId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_written_with_milliseconds() {
        let text = serde_json::to_string(&Moment(1_767_225_600_007)).unwrap();
        assert_eq!(text, "\"2026-01-01T00:00:00.007Z\"");
        assert_eq!(serde_json::from_str::<Moment>(&text).unwrap(), Moment(1_767_225_600_007));
        assert!(serde_json::from_str::<Moment>("\"soon\"").is_err());
    }
}
