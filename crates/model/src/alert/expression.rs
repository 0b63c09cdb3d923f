//! The condition of a rule about a metric: `alignwatch_host_disk_used_ratio{mount="/"} > 0.9`.
//!
//! It looks as Prometheus writes the same, so that a rule can be carried over either way. There is no arithmetic: what
//! is worth computing is a metric of its own.

use std::fmt;

use super::matcher::{self, Labels, Matcher};
use crate::metrics::{self, Metric};

/// A metric, which of its series, and the numbers that are bad.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// The name of the metric.
    pub metric: String,
    /// Which of its series.
    pub matchers: Vec<Matcher>,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub number: f64,
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// All of them; those with two signs first, so that the first that fits is the one that is meant.
const COMPARISONS: [(&str, Comparison); 6] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

impl Comparison {
    /// Does it hold between these?
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparison::Above => left > right,
            Comparison::AtLeast => left >= right,
            Comparison::Below => left < right,
            Comparison::AtMost => left <= right,
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
        }
    }

    /// Its sign.
    pub fn sign(self) -> &'static str {
        COMPARISONS.into_iter().find(|(_, comparison)| *comparison == self).map_or("", |(sign, _)| sign)
    }
}

impl Expression {
    /// Reads one. Errors: what is wrong, such as a metric or label that does not exist: a rule that can never fire is a mistake.
    pub fn parse(text: &str) -> Result<Expression, String> {
        let (metric, matchers, rest) = series(text)?;
        let name = metric.name;
        let found = COMPARISONS.into_iter().find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)));
        let (comparison, number) =
            found.ok_or_else(|| "after the metric comes `>`, `>=`, `<`, `<=`, `==` or `!=`".to_owned())?;
        let number = number.trim();
        let number: f64 = number
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
            .ok_or_else(|| format!("`{number}` is no number"))?;
        if metric.unit == "ratio" && !(0.0..=1.0).contains(&number) && !metric.name.contains("budget") {
            return Err(format!("`{name}` is a ratio from 0 to 1, and {number} is not"));
        }
        Ok(Expression { metric: name.to_owned(), matchers, comparison, number })
    }

    /// Is it about a series with these labels?
    pub fn is_about(&self, labels: &Labels) -> bool {
        matcher::all_match(&self.matchers, labels)
    }
}

/// Reads a metric with labels in braces, and gives what stands after them. Errors: what is wrong.
pub(super) fn series(text: &str) -> Result<(&'static Metric, Vec<Matcher>, &str), String> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let metric = metrics::by_name(name).ok_or_else(|| unknown_metric(name))?;
    let (matchers, rest) = match rest.trim_start().strip_prefix('{') {
        Some(inner) => {
            let close = closing(inner).ok_or_else(|| "the `}` is missing".to_owned())?;
            let matchers = matcher::parse_all(&inner[..close]).map_err(|error| error.to_string())?;
            (matchers, &inner[close + 1..])
        }
        None => (Vec::new(), rest),
    };
    if let Some(matcher) = matchers.iter().find(|matcher| !has_label(metric, &matcher.name)) {
        let all = labels_of(metric).collect::<Vec<_>>().join("`, `");
        return Err(format!("`{name}` has no label `{}`; it has `{all}`", matcher.name));
    }
    if let Some(problem) = matchers.iter().find_map(|matcher| never_so(metric, matcher)) {
        return Err(problem);
    }
    Ok((metric, matchers, rest.trim_start()))
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", written(&self.metric, &self.matchers), self.comparison.sign(), self.number)
    }
}

/// A metric with its labels, as it is read.
pub(super) fn written(metric: &str, matchers: &[Matcher]) -> String {
    if matchers.is_empty() {
        return metric.to_owned();
    }
    let matchers: Vec<_> = matchers.iter().map(ToString::to_string).collect();
    format!("{metric}{{{}}}", matchers.join(","))
}

fn unknown_metric(name: &str) -> String {
    let near = crate::config::nearest_word(name, metrics::ALL.iter().map(|metric| metric.name), 3);
    let hint = near.map_or_else(|| "docs/METRICS.md lists all".to_owned(), |near| format!("did you mean `{near}`?"));
    if name.is_empty() { format!("begins with no metric; {hint}") } else { format!("`{name}` is no metric; {hint}") }
}

/// The labels that series of this metric have.
fn labels_of(metric: &Metric) -> impl Iterator<Item = &'static str> {
    metric.labels.iter().copied().chain(["repository"])
}

/// The labels that series of the metric with this name have; none of one that does not exist.
pub fn labels_named(name: &str) -> impl Iterator<Item = &'static str> {
    metrics::by_name(name).into_iter().flat_map(labels_of)
}

/// Why no series of this metric can be what a matcher speaks of: its label has other values only.
fn never_so(metric: &Metric, matcher: &Matcher) -> Option<String> {
    use crate::{Look, Severity, Status, branch::State, checks, notice::FailureReason, run::Outcome, task::Came};
    let of_looks: Vec<String>;
    let words: Vec<&str> = match (metric.name, matcher.name.as_str()) {
        (_, "check") => checks::ALL.iter().map(|check| check.id).collect(),
        ("alignwatch_branches", "state") => State::ALL.iter().map(|state| state.word()).collect(),
        (_, "severity") => Severity::ALL.iter().map(|severity| severity.word()).collect(),
        (_, "status") => Status::ALL.iter().map(|status| status.word()).collect(),
        ("alignwatch_alignment_runs", "outcome") => Outcome::ALL.iter().map(|outcome| outcome.word()).collect(),
        // A run that was held is none.
        ("alignwatch_task_last_result", "result") => [Came::Effect, Came::Noop, Came::Failed].map(Came::word).to_vec(),
        (_, "reason") => FailureReason::ALL.iter().map(|reason| reason.word()).collect(),
        (_, "look") => {
            of_looks = Look::ALL.iter().map(|look| look.word()).collect();
            of_looks.iter().map(String::as_str).collect()
        }
        _ => return None,
    };
    matcher.speaks_of_none(&words)
}

fn has_label(metric: &Metric, name: &str) -> bool {
    labels_of(metric).any(|label| label == name)
}

/// Where the brace closes that was opened just before; not one within quotes.
fn closing(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.char_indices().find_map(|(at, c)| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '}' if !is_quoted => return Some(at),
            _ => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_a_label_never_has_is_a_mistake() {
        let told = |text: &str| Expression::parse(text).unwrap_err();
        assert!(told("alignwatch_branches{state=\"conflictin\"} > 3").contains("did you mean `conflicting`?"));
        assert!(told("alignwatch_branches{state!=\"conflictin\"} > 3").contains("never `conflictin`"));
        assert!(told("alignwatch_branches{state=~\"x.*\"} > 3").contains("never"));
        assert!(told("alignwatch_check_status{check=\"behindd\"} == 1").contains("never"));
        assert!(told("alignwatch_check_status{status=\"bad\"} == 1").contains("never"));
        assert!(told("alignwatch_findings{severity=\"page\"} > 0").contains("never"));
        assert!(told("alignwatch_alignment_runs{outcome=\"faild\"} > 0").contains("did you mean `failed`?"));
        assert!(
            told("alignwatch_task_last_result{result=\"skipped\"} == 1").contains("it is one of effect, noop, failed")
        );
        assert!(told("alignwatch_delivery_failures_total{reason=\"timeout\"} > 0").contains("never"));
        assert!(told("alignwatch_look_duration_seconds{look=\"mergs\"} > 60").contains("did you mean `merges`?"));
        for fine in [
            "alignwatch_branches{state=~\"conflicting|diverged\"} > 3",
            "alignwatch_check_status{check!=\"conflicting\",status=\"unknown\"} == 1",
            "alignwatch_findings{severity!~\"info|warning\"} > 0",
        ] {
            assert!(Expression::parse(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn what_is_written_comes_back_as_it_was() {
        for text in [
            "alignwatch_aligned_ratio < 0.9",
            "alignwatch_branches{state=\"conflicting\"} >= 10",
            "alignwatch_branches{state=~\"a}|merged\"} != 0",
        ] {
            assert_eq!(Expression::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_can_never_fire_is_a_mistake() {
        for (text, part) in [
            ("alignwatch_aligned_ration < 0.9", "did you mean `alignwatch_aligned_ratio`"),
            ("alignwatch_branches{stat=\"x\"} > 1", "has no label `stat`"),
            ("alignwatch_aligned_ratio < 90", "is a ratio"),
            ("alignwatch_branches > many", "is no number"),
            ("alignwatch_branches ~ 1", "after the metric"),
            ("alignwatch_branches{state=\"x\" > 1", "`}` is missing"),
            ("", "begins with no metric"),
        ] {
            let told = Expression::parse(text).unwrap_err();
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}
