//! What a report is made from: what the store, the journal of tasks and the configuration hold, as values.

use crate::{
    Known, Severity, Span, Timestamp,
    alert::{Alert, outbox::Outgoing},
    config::{Config, Retention},
    metrics::Metric,
    run::Document,
    task,
    trend::Series,
    window::Purpose,
};

/// All of it, of the period and of the one before.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The repositories that are or were watched.
    pub repositories: Vec<HeldRepository>,
    /// Alignment runs that were heard of in the period or the one before.
    pub runs: Vec<Document>,
    /// Alerts: those that are over, too.
    pub alerts: Vec<Alert>,
    /// Messages that were decided.
    pub messages: Vec<Outgoing>,
    /// Who did what.
    pub notes: Vec<HeldNote>,
    /// Runs of maintenance tasks.
    pub tasks: Known<Vec<HeldTask>>,
    /// Numbers of this machine.
    pub machine: Vec<HeldCourse>,
    /// What there is more of than was read, as sentence parts.
    pub left_out: Vec<String>,
}

/// A repository and what is known of it.
#[derive(Clone, Debug)]
pub struct HeldRepository {
    /// Its id.
    pub id: String,
    /// Its path, as text.
    pub path: String,
    /// Its health at the last look.
    pub status: String,
    /// Why nothing could be seen then.
    pub reason: Option<String>,
    /// When it was looked at for the first time.
    pub first_seen_at: Timestamp,
    /// When it was looked at last.
    pub swept_at: Timestamp,
    /// What is wrong, and what was until lately.
    pub findings: Vec<HeldFinding>,
    /// When something was seen, in order of time.
    pub sweeps: Vec<Timestamp>,
    /// Its numbers, in the order of [`super::kpi::ALL`].
    pub courses: Vec<HeldCourse>,
}

/// A finding with its time.
#[derive(Clone, Debug)]
pub struct HeldFinding {
    /// The check.
    pub check: String,
    /// How bad it is.
    pub severity: Severity,
    /// In one sentence.
    pub summary: String,
    /// What follows from it, in a sentence.
    pub impact: String,
    /// What to type.
    pub commands: Vec<String>,
    /// Since when.
    pub began_at: Timestamp,
    /// Since when it is over.
    pub ended_at: Option<Timestamp>,
}

/// A number over time.
#[derive(Clone, Debug)]
pub struct HeldCourse {
    /// The metric.
    pub metric: &'static Metric,
    /// The value of its label, where it has one; empty otherwise.
    pub label: String,
    /// What was measured in the period and the one before.
    pub measured: Vec<(Timestamp, f64)>,
    /// What was rebuilt from history of the time before anything was measured.
    pub rebuilt: Vec<(Timestamp, f64)>,
    /// The last year, thinned: for forecasts.
    pub year: Series,
}

/// A line of the audit log.
#[derive(Clone, Debug)]
pub struct HeldNote {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub what: String,
    /// To what; an alert by its id, a colon and its summary.
    pub of: String,
}

/// A run of a maintenance task.
#[derive(Clone, Debug)]
pub struct HeldTask {
    /// Its number.
    pub id: u64,
    /// The last that was heard of it.
    pub at: Timestamp,
    /// The task.
    pub task: String,
    /// Path of the repository.
    pub repository: String,
    /// What came of it; `None` = it goes on, or was ended half-way.
    pub report: Option<task::Report>,
    /// It was ended half-way, and what it left was put right since.
    pub is_healed: bool,
}

/// The length of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 91 days.
    Quarter,
}

impl Period {
    /// All of them.
    pub const ALL: [Period; 4] = [Period::Day, Period::Week, Period::Month, Period::Quarter];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
            Period::Quarter => "quarter",
        }
    }

    /// The period with this word.
    pub fn from_word(word: &str) -> Option<Period> {
        Period::ALL.into_iter().find(|period| period.word() == word)
    }

    /// How long it is.
    pub fn span(self) -> Span {
        Span::days(match self {
            Period::Day => 1,
            Period::Week => 7,
            Period::Month => 30,
            Period::Quarter => 91,
        })
    }
}

/// The times that a report is about, and how finely the store knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How long it is.
    pub period: Period,
    /// When the period before began.
    pub before: Timestamp,
    /// When the period began, and the one before ended.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// Seconds that one number of the store stands for.
    pub step: Span,
}

impl Times {
    /// The period that ends at `until`, with what is asked `now`.
    pub fn of(period: Period, until: Timestamp, retention: &Retention, now: Timestamp) -> Times {
        let span = period.span();
        let from = Timestamp(until.0.saturating_sub(span.0));
        let before = Timestamp(from.0.saturating_sub(span.0));
        Times { period, before, from, until, step: step(retention, now.since(before)) }
    }

    /// Does it lie in the period?
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// Does it lie in the period before?
    pub fn held_before(&self, at: Timestamp) -> bool {
        self.before <= at && at < self.from
    }
}

/// How finely numbers of this age are kept; never finer than five minutes, which no report needs.
fn step(retention: &Retention, age: Span) -> Span {
    match age {
        age if age < retention.by_five_minutes => Span::minutes(5),
        age if age < retention.by_hour => Span::hours(1),
        _ => Span::days(1),
    }
}

/// Spans of time, in order, none touching another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans(pub(super) Vec<(Timestamp, Timestamp)>);

impl Spans {
    /// Puts spans together; what is empty is left out.
    pub(super) fn of(spans: impl IntoIterator<Item = (Timestamp, Timestamp)>) -> Spans {
        let mut spans: Vec<_> = spans.into_iter().filter(|(from, until)| from < until).collect();
        spans.sort_unstable();
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (from, until) in spans {
            match merged.last_mut().filter(|(_, end)| from <= *end) {
                Some((_, end)) => *end = (*end).max(until),
                None => merged.push((from, until)),
            }
        }
        Spans(merged)
    }

    /// What of `from` to `until` is not in it.
    pub(super) fn gaps(&self, from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let mut gaps = Vec::new();
        let mut at = from;
        for (begin, end) in &self.0 {
            if at < *begin && at < until {
                gaps.push((at, (*begin).min(until)));
            }
            at = at.max(*end);
        }
        if at < until {
            gaps.push((at, until));
        }
        gaps
    }

    pub(super) fn holds(&self, at: Timestamp) -> bool {
        self.0.iter().any(|(from, until)| *from <= at && at < *until)
    }

    pub(super) fn seconds(&self) -> i64 {
        self.0.iter().map(|(from, until)| until.since(*from).0).sum()
    }
}

/// When windows of this purpose were open in the period or the one before, for the repository at this path.
pub(super) fn windows(config: &Config, path: &str, purpose: Purpose, times: &Times) -> Spans {
    let rules = config.windows.iter().filter(|rule| rule.is_about(path)).filter_map(|rule| rule.window().ok());
    let openings = rules.filter(|window| window.purpose == purpose).flat_map(|window| {
        let openings = window.openings(times.before, times.until);
        openings.into_iter().map(|opening| (opening.from.max(times.before), opening.until.min(times.until)))
    });
    Spans::of(openings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(spans: &[(i64, i64)]) -> Vec<(Timestamp, Timestamp)> {
        spans.iter().map(|(from, until)| (Timestamp(*from), Timestamp(*until))).collect()
    }

    #[test]
    fn gaps_are_what_no_span_covers() {
        let seen = Spans::of(spans(&[(30, 40), (5, 10), (8, 12), (12, 13), (7, 7)]));
        assert_eq!(seen.0, spans(&[(5, 13), (30, 40)]));
        assert_eq!(seen.gaps(Timestamp(0), Timestamp(50)), spans(&[(0, 5), (13, 30), (40, 50)]));
        assert_eq!(seen.gaps(Timestamp(6), Timestamp(20)), spans(&[(13, 20)]));
        assert_eq!(seen.gaps(Timestamp(31), Timestamp(39)), spans(&[]));
        assert_eq!((seen.seconds(), seen.holds(Timestamp(39)), seen.holds(Timestamp(40))), (18, true, false));
    }

    #[test]
    fn numbers_that_were_rolled_up_are_not_taken_for_gaps() {
        let retention = Retention::default();
        let step = |period| Times::of(period, Timestamp(1_000_000_000), &retention, Timestamp(1_000_000_000)).step;
        assert_eq!([Period::Week, Period::Month, Period::Quarter].map(step), [Span(300), Span(300), Span(3_600)]);
    }
}
