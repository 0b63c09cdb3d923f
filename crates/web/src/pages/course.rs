//! What numbers of a repository did: read for charts, cards and sentences.

use alignwatch_model::{
    Known, Span, Timestamp,
    metrics::Metric,
    trend::{Forecast, Series, forecast, trend, words::Unit},
};

use super::shell::Failed;
use crate::{
    Shared,
    trends::{Answered, Found, Question, found, value_at},
};

/// A number over time.
pub(super) struct Course {
    pub(super) metric: &'static Metric,
    /// The values of its labels, as people read them; empty without labels.
    pub(super) of: String,
    pub(super) series: Series,
    /// The first points, of those, that were rebuilt from history.
    pub(super) n_rebuilt: usize,
    /// The last number itself, where `series` has means.
    pub(super) last: Option<f64>,
    /// What it was a day before the end; `None` = not known.
    pub(super) yesterday: Option<f64>,
    /// The time that was asked about.
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Seconds that one measured point stands for.
    pub(super) step: i64,
}

/// Which number: a metric, and the value of its label where it has one.
pub(super) type Which = (&'static str, &'static str);

/// These numbers of a repository within the span before now, in this order; those that there are.
pub(super) fn courses(shared: &Shared, id: &str, wanted: &[Which], span: Span) -> Result<Vec<Course>, Failed> {
    let question = Question::before(crate::now(), span);
    let all = shared.read(|store| found(store, id, None))?;
    let mut courses = Vec::new();
    for (metric, label) in wanted {
        let is_it = |one: &&Found| {
            let value = one.labels.values().next().and_then(|value| value.as_str()).unwrap_or_default();
            one.metric.name == *metric && (value == *label || *label == "*")
        };
        for one in all.iter().filter(is_it) {
            courses.push(shared.read(|store| course(store, &question, one))?);
        }
    }
    Ok(courses)
}

/// A number of one branch, where that is kept.
pub(super) fn courses_of_branch(
    shared: &Shared,
    id: &str,
    metric: &str,
    branch: &str,
    span: Span,
) -> Result<Vec<Course>, Failed> {
    let question = Question::before(crate::now(), span);
    let all = shared.read(|store| found(store, id, Some(metric)))?;
    let is_its = |one: &&Found| one.labels.get("branch").and_then(|name| name.as_str()) == Some(branch);
    let courses = all.iter().filter(is_its).map(|one| shared.read(|store| course(store, &question, one)));
    Ok(courses.collect::<Result<_, _>>()?)
}

fn course(
    store: &alignwatch_store::Store,
    question: &Question,
    one: &Found,
) -> Result<Course, alignwatch_store::StoreError> {
    let Answered { series, n_rebuilt, last } = question.series(store, one)?;
    let yesterday = value_at(store, one, Timestamp(question.to.0 - Span::days(1).0))?;
    let values: Vec<&str> = one.labels.values().filter_map(|value| value.as_str()).map(super::told::short).collect();
    let of = values.join(" ");
    let (from, to, step) = (question.from, question.to, question.step);
    Ok(Course { metric: one.metric, of, series, n_rebuilt, last, yesterday, from, to, step })
}

impl Course {
    pub(super) fn unit(&self) -> Unit {
        Unit::of(self.metric.unit)
    }

    /// The last value, as it was measured.
    pub(super) fn latest(&self) -> Option<f64> {
        self.last
    }

    /// The last value as people read it.
    pub(super) fn latest_told(&self) -> String {
        self.latest().map_or_else(|| "?".to_owned(), |value| self.unit().told(value))
    }

    /// What it did, in a sentence part.
    pub(super) fn told(&self) -> String {
        match trend(&self.series) {
            Known::Seen(trend) => trend.told(self.unit()),
            Known::Unknown(_) => "too few points to tell a trend".to_owned(),
        }
    }

    /// When its limit is passed, where it has one and that can be told.
    pub(super) fn forecast(&self) -> Option<Forecast> {
        forecast(&self.series, self.metric.limit?, self.to).seen().copied()
    }

    /// The same in words.
    pub(super) fn foretold(&self) -> Option<String> {
        Some(self.forecast()?.told_of(self.metric.limit?, self.unit()))
    }
}
