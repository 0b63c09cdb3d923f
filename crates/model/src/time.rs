//! Points and lengths of time. There is no clock here: time comes in as a value.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Seconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A length of time, in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Span(pub i64);

impl Timestamp {
    /// How long ago `earlier` was, seen from here; negative when it lies in the future.
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// Reads what [`Timestamp::rfc3339`] writes, in any offset; parts of a second are cut off.
    pub fn parse(text: &str) -> Option<Timestamp> {
        match text.strip_prefix('@') {
            Some(seconds) => seconds.parse().ok().map(Timestamp),
            None => text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp(time.as_second())),
        }
    }

    /// RFC 3339 in UTC, such as `2026-11-28T05:00:00Z`.
    pub fn rfc3339(self) -> String {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => time.to_string(),
            // Outside of the years -9999 to 9999: a hostile commit can claim that.
            Err(_) => format!("@{}", self.0),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

/// As text, the way it is written; or as a number of seconds, the way older files have it.
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Seconds(i64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Seconds(seconds) => Ok(Timestamp(seconds)),
            Written::Text(text) => {
                Timestamp::parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no time")))
            }
        }
    }
}

impl Span {
    /// So many days.
    pub const fn days(days: i64) -> Span {
        Span(days * 86_400)
    }

    /// So many hours.
    pub const fn hours(hours: i64) -> Span {
        Span(hours * 3_600)
    }

    /// So many minutes.
    pub const fn minutes(minutes: i64) -> Span {
        Span(minutes * 60)
    }

    /// In days, rounded down.
    pub fn whole_days(self) -> i64 {
        self.0.div_euclid(86_400)
    }
}

/// One unit, as people read it: `45 s`, `12 min`, `7 h`, `31 d`, `3 y`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, seconds) = if self.0 < 0 { ("-", self.0.saturating_neg()) } else { ("", self.0) };
        match seconds {
            0..120 => write!(f, "{sign}{seconds} s"),
            120..7_200 => write!(f, "{sign}{} min", seconds / 60),
            7_200..172_800 => write!(f, "{sign}{} h", seconds / 3_600),
            172_800..63_072_000 => write!(f, "{sign}{} d", seconds / 86_400),
            _ => write!(f, "{sign}{} y", seconds / 31_536_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_in_one_unit() {
        let shown = |seconds| Span(seconds).to_string();
        assert_eq!(shown(45), "45 s");
        assert_eq!(shown(125), "2 min");
        assert_eq!(shown(7_200), "2 h");
        assert_eq!(shown(172_800), "2 d");
        assert_eq!(shown(63_072_000), "2 y");
        assert_eq!(shown(-90), "-90 s");
        assert_eq!(shown(i64::MIN), "-292471208677 y");
    }

    #[test]
    fn a_time_no_calendar_holds_is_still_shown() {
        assert_eq!(Timestamp(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(i64::MAX).rfc3339(), "@9223372036854775807");
    }
}
