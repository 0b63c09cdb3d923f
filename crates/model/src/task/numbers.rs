//! The numbers that tasks go by, and what they are compared with.

use serde::{Deserialize, Serialize};

use crate::{Known, words};

/// One number that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// What is counted: `loose objects`.
    pub name: String,
    /// How many; `None` = it could not be read.
    pub value: Option<i64>,
    /// In what: `objects`, `bytes`, `days`.
    pub unit: String,
    /// Why it could not be read.
    pub unknown: Option<String>,
}

/// A number that another is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// What is compared: the name of a measure.
    pub name: String,
    /// From so many on the task acts.
    pub value: i64,
    /// In what.
    pub unit: String,
    /// Who says so.
    pub source: String,
}

impl Measure {
    /// A number that was read.
    pub fn of(name: &str, value: i64, unit: &str) -> Measure {
        Measure { name: name.to_owned(), value: Some(value), unit: unit.to_owned(), unknown: None }
    }

    /// One that was not.
    pub fn unknown(name: &str, unit: &str, reason: &str) -> Measure {
        Measure { name: name.to_owned(), value: None, unit: unit.to_owned(), unknown: Some(reason.to_owned()) }
    }

    /// A time since something that may never have been.
    pub fn since(name: &str, value: Option<i64>, unit: &str, never: &str) -> Measure {
        value.map_or_else(|| Measure::unknown(name, unit, never), |value| Measure::of(name, value, unit))
    }

    /// One that may not have been read.
    pub fn known(name: &str, value: Known<u64>, unit: &str) -> Measure {
        match value {
            Known::Seen(value) => Measure::of(name, i64::try_from(value).unwrap_or(i64::MAX), unit),
            Known::Unknown(reason) => Measure::unknown(name, unit, &reason),
        }
    }

    /// As people read it: `1,234`, `1.5 MiB`, `?`.
    pub fn told(&self) -> String {
        match (self.value, self.unit.as_str()) {
            (None, _) => "?".to_owned(),
            (Some(value), "bytes") => words::bytes(value.unsigned_abs()),
            (Some(value), _) => {
                let sign = if value < 0 { "-" } else { "" };
                format!("{sign}{}", words::thousands(usize::try_from(value.unsigned_abs()).unwrap_or(usize::MAX)))
            }
        }
    }

    /// `loose objects 7 → 1`, when one of the same name was another number before.
    pub fn change(&self, before: &[Measure]) -> Option<String> {
        let then = before.iter().find(|then| then.name == self.name)?;
        (then.value != self.value).then(|| format!("{} {} → {}", self.name, then.told(), self.told()))
    }
}

impl Limit {
    /// A limit for the measure of the same name.
    pub fn of(measure: &Measure, value: i64, source: &str) -> Limit {
        Limit { name: measure.name.clone(), value, unit: measure.unit.clone(), source: source.to_owned() }
    }

    /// The number beside it: `412 loose objects, threshold 2,048 (git: gc.auto)`.
    pub fn beside(&self, measure: &Measure) -> String {
        let counted = match (measure.value, measure.unit.as_str()) {
            (None, _) => format!("{} not known", measure.name),
            (Some(_), "bytes") => format!("{} {}", measure.name, measure.told()),
            (Some(_), _) => format!("{} {}", measure.told(), measure.name),
        };
        let threshold = Measure::of(&self.name, self.value, &self.unit).told();
        format!("{counted}, threshold {threshold} ({})", self.source)
    }

    /// Has the number come to it? Errors: it is not known, with the reason.
    pub fn is_reached_by(&self, measure: &Measure) -> Result<bool, String> {
        match measure.value {
            Some(value) => Ok(self.value <= value),
            None => Err(format!("{}: {}", measure.name, measure.unknown.as_deref().unwrap_or("not read"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_their_unit() {
        assert_eq!(Measure::of("size", 3 << 19, "bytes").told(), "1.5 MiB");
        assert_eq!(Measure::of("refs", 12345, "refs").told(), "12,345");
        assert_eq!(Measure::unknown("refs", "refs", "gone").told(), "?");
    }

    #[test]
    fn a_number_stands_beside_its_threshold_and_whose_that_is() {
        let loose = Measure::of("loose objects", 412, "objects");
        let limit = Limit::of(&loose, 2_048, "git: gc.auto");
        assert_eq!(limit.beside(&loose), "412 loose objects, threshold 2,048 (git: gc.auto)");
        let size = Measure::of("size", 3 << 19, "bytes");
        assert_eq!(Limit::of(&size, 1 << 20, "ours").beside(&size), "size 1.5 MiB, threshold 1.0 MiB (ours)");
        let unread = Measure::unknown("loose objects", "objects", "gone");
        assert_eq!(limit.beside(&unread), "loose objects not known, threshold 2,048 (git: gc.auto)");
    }

    #[test]
    fn an_unknown_number_reaches_no_limit_and_says_why() {
        let refs = Measure::of("refs", 16, "refs");
        let limit = Limit::of(&refs, 16, "git");
        assert_eq!(limit.is_reached_by(&refs), Ok(true));
        assert_eq!(limit.is_reached_by(&Measure::of("refs", 15, "refs")), Ok(false));
        assert_eq!(limit.is_reached_by(&Measure::unknown("refs", "refs", "gone")), Err("refs: gone".to_owned()));
    }
}
