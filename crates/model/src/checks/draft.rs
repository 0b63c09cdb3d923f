//! How a finding is written: the form and the wording that all checks share.
//!
//! A check says what is its own; key, id and document link follow from it here.

use serde_json::Value;

use super::{Seen, facts};
pub(super) use crate::words::{agree, bytes, count, thousands};
use crate::{Branch, Finding, RefName, Remedy, Severity, Threshold};

/// Names that a finding lists; the total stands beside them.
///
/// Ten fit on a screen and show the pattern; `alignwatch branches` lists them all.
pub(super) const NAMES_AT_MOST: usize = 10;

impl Seen<'_> {
    /// A finding of the asking check about one cause.
    ///
    /// `cause` becomes part of the key: names only, never a count, so that the
    /// same cause has the same key tomorrow. It may be empty when there is only one.
    pub(super) fn finding(
        &self,
        severity: Severity,
        cause: &str,
        subject: impl Into<String>,
        summary: impl Into<String>,
    ) -> Finding {
        // What a check declares is what rules and documents say of it.
        debug_assert!(
            severity <= self.check.severity,
            "{} declares {} and finds {severity}",
            self.check.id,
            self.check.severity
        );
        let id = self.check.id;
        Finding {
            check: id,
            key: if cause.is_empty() { id.to_owned() } else { format!("{id}:{cause}") },
            severity,
            subject: subject.into(),
            summary: summary.into(),
            evidence: Default::default(),
            threshold: None,
            impact: String::new(),
            remedy: Remedy::default(),
            doc: format!("docs/OPERATING.md#{id}"),
        }
    }
}

impl Finding {
    /// Adds a fact to the evidence.
    pub(super) fn fact(mut self, name: &str, value: impl Into<Value>) -> Finding {
        let value = value.into();
        // What facts there are is what conditions of rules may ask for.
        debug_assert!(facts::is_one(name, &value), "{}: `{name}`, {value} is not in checks/facts.rs", self.check);
        self.evidence.insert(name.to_owned(), value);
        self
    }

    /// Adds the first names as `<what>` and their number as `n_<what>`.
    pub(super) fn names<T: Into<Value>>(self, what: &str, names: impl IntoIterator<Item = T>) -> Finding {
        let mut n_names = 0;
        let mut shown = Vec::new();
        for name in names {
            n_names += 1;
            if shown.len() < NAMES_AT_MOST {
                shown.push(name.into());
            }
        }
        self.fact(what, shown).fact(&format!("n_{what}"), n_names)
    }

    /// Adds the branches, by full name.
    pub(super) fn branches<'a>(self, branches: impl IntoIterator<Item = &'a Branch>) -> Finding {
        self.names("branches", branches.into_iter().map(|branch| branch.name.text().into_owned()))
    }

    /// Says what it was compared with.
    pub(super) fn against(mut self, threshold: Threshold) -> Finding {
        self.threshold = Some(threshold);
        self
    }

    /// Says what it means for alignment.
    pub(super) fn so(mut self, impact: impl Into<String>) -> Finding {
        self.impact = impact.into();
        self
    }

    /// Says what to do.
    pub(super) fn mend(mut self, remedy: Remedy) -> Finding {
        self.remedy = remedy;
        self
    }
}

/// A name as people say it, in quotes.
pub(super) fn quoted(name: &RefName) -> String {
    format!("`{}`", name.short())
}

/// The middle of the values; of an even number, the lower one. 0 of none.
pub(super) fn median(mut values: Vec<u32>) -> u32 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

/// Why some could not be judged: how many, and the two most frequent reasons. `None` for none.
pub(super) fn unjudged<'a>(noun: &str, reasons: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut tally = std::collections::BTreeMap::<&str, usize>::new();
    for reason in reasons {
        *tally.entry(reason).or_default() += 1;
    }
    let total: usize = tally.values().sum();
    let mut tally: Vec<_> = tally.into_iter().collect();
    tally.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
    let shown: Vec<_> = tally.iter().take(2).map(|(reason, n)| format!("{reason} ({n})")).collect();
    let more = if tally.len() > 2 { ", …" } else { "" };
    (total > 0).then(|| format!("{} could not be judged: {}{more}", count(total, noun), shown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_a_value_that_was_there() {
        assert_eq!(median(vec![5, 1, 9, 7]), 5);
        assert_eq!(median(Vec::new()), 0);
    }

    #[test]
    fn reasons_are_told_with_the_most_frequent_first() {
        assert_eq!(unjudged("branch", []), None);
        let reasons = ["timed out", "missing", "missing", "damaged"];
        assert_eq!(unjudged("branch", reasons).unwrap(), "4 branches could not be judged: missing (2), damaged (1), …");
    }
}
