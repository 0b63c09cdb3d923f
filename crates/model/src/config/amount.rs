//! Lengths of time and sizes as people write them: `14d`, `2h 30m`, `64 MiB`.
//!
//! One spelling each, with the unit always present: a bare number would mean
//! something else to everybody who reads it.

use crate::Span;

/// A unit: its short name, further names that are understood, and how many of the smallest it holds.
struct Unit {
    short: &'static str,
    long: &'static str,
    holds: i64,
}

/// Units of time, longest first. Months and years are left out: they differ in length.
const TIMES: [Unit; 5] = [
    Unit { short: "w", long: "week", holds: 604_800 },
    Unit { short: "d", long: "day", holds: 86_400 },
    Unit { short: "h", long: "hour", holds: 3_600 },
    Unit { short: "m", long: "minute", holds: 60 },
    Unit { short: "s", long: "second", holds: 1 },
];

/// Units of size, largest first. `MB` is left out: half of its readers take it for a million.
const SIZES: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// What a schema can say about a length of time: units from long to short, each once at most.
pub(super) const LENGTH_PATTERN: &str = concat!(
    r"^(?=[0-9])([0-9]+ *(w|weeks?)( +|$|(?=[0-9])))?([0-9]+ *(d|days?)( +|$|(?=[0-9])))?",
    r"([0-9]+ *(h|hours?)( +|$|(?=[0-9])))?([0-9]+ *(m|minutes?)( +|$|(?=[0-9])))?([0-9]+ *(s|seconds?))?$"
);

/// What a schema can say about a size.
pub(super) const SIZE_PATTERN: &str = "^[0-9]+ *(TiB|GiB|MiB|KiB|B)$";

/// The length of time that a text means: `14d`, `2h 30m`, `90 seconds`.
///
/// `None` for everything else: no unit, an unknown one, units out of order or twice, an overflow.
pub fn parse_length(text: &str) -> Option<Span> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut rest = text.trim_end_matches(' ');
    let mut units = TIMES.iter();
    let mut seconds: i64 = 0;
    while !rest.is_empty() {
        let (count, after) = leading_number(rest)?;
        let name_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let unit = units.find(|unit| unit.is_called(&after[..name_end]))?;
        seconds = seconds.checked_add(count.checked_mul(unit.holds)?)?;
        rest = after[name_end..].trim_start_matches(' ');
    }
    Some(Span(seconds))
}

/// A length of time in the spelling that [`parse_length`] reads: `14d`, `2h 30m`.
pub fn length_text(span: Span) -> String {
    let mut left = span.0.max(0);
    let mut parts = Vec::new();
    // Weeks are read and not written: 10 d says more than 1 w 3 d.
    for unit in &TIMES[1..] {
        if left >= unit.holds {
            parts.push(format!("{}{}", left / unit.holds, unit.short));
            left %= unit.holds;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// The number of bytes that a text means: `64 MiB`. `None` for everything else.
pub fn parse_size(text: &str) -> Option<u64> {
    let (count, unit) = leading_number(text)?;
    let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
    u64::try_from(count).ok()?.checked_mul(*bytes)
}

/// A number of bytes in the spelling that [`parse_size`] reads: `64 MiB`.
pub fn size_text(bytes: u64) -> String {
    let fits = |(_, unit): &&(&str, u64)| bytes.is_multiple_of(*unit);
    let (name, unit) = SIZES.iter().find(fits).unwrap_or(&("B", 1));
    if bytes == 0 { "0 B".to_owned() } else { format!("{} {name}", bytes / unit) }
}

impl Unit {
    fn is_called(&self, name: &str) -> bool {
        name == self.short || name == self.long || name.strip_suffix('s') == Some(self.long)
    }
}

/// The digits that a text begins with as a number, and what follows them and their spaces.
fn leading_number(text: &str) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = text[..end].parse().ok()?;
    Some((number, text[end..].trim_start_matches(' ')))
}

/// Serde of a [`Span`] as text.
pub(super) mod length {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::Span;

    pub(crate) fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::length_text(*span))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_length(&text).ok_or_else(|| D::Error::custom("not a length of time"))
    }
}

/// Serde of an optional [`Span`] as text or null.
pub(crate) mod optional_length {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use crate::Span;

    pub(crate) fn serialize<S: Serializer>(span: &Option<Span>, serializer: S) -> Result<S::Ok, S::Error> {
        span.map(super::length_text).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
        let parse = |text: String| super::parse_length(&text).ok_or_else(|| D::Error::custom("not a length of time"));
        Option::<String>::deserialize(deserializer)?.map(parse).transpose()
    }
}

/// Serde of a number of bytes as text.
pub(super) mod size {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::size_text(*bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_size(&text).ok_or_else(|| D::Error::custom("not a size"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_read_as_people_write_them() {
        let seconds = |text| parse_length(text).map(|span| span.0);
        assert_eq!(seconds("14d"), Some(14 * 86_400));
        assert_eq!(seconds("2h 30m"), Some(9_000));
        assert_eq!(seconds("2h30m"), Some(9_000));
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("2 weeks"), Some(14 * 86_400));
        assert_eq!(seconds("1 day 1 second"), Some(86_401));
    }

    #[test]
    fn what_could_mean_two_things_is_no_length() {
        for text in
            ["", " ", "14", "d", "2 weekz", "-1d", "1.5h", "30m 2h", "1d 1d", "1mo", "1y", "9223372036854775807d"]
        {
            assert_eq!(parse_length(text), None, "{text:?}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_unit_only() {
        assert_eq!(parse_size("64 MiB"), Some(64 << 20));
        assert_eq!(parse_size("1KiB"), Some(1024));
        for text in ["", "64", "64 MB", "64M", "MiB", "-1 MiB", "1.5 GiB", "99999999 TiB"] {
            assert_eq!(parse_size(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(seconds in 0..i64::MAX, bytes in 0..=i64::MAX as u64) {
            prop_assert_eq!(parse_length(&length_text(Span(seconds))), Some(Span(seconds)));
            prop_assert_eq!(parse_size(&size_text(bytes)), Some(bytes));
        }

        #[test]
        fn no_text_makes_them_panic(text in ".*") {
            let _ = (parse_length(&text), parse_size(&text));
        }
    }
}
