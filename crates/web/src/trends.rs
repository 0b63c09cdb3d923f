//! Trends of a repository: what its numbers did, where they lead, and how much of the promise was kept.

use std::{collections::BTreeMap, sync::Arc};

use alignwatch_model::{
    Known, Span, Timestamp,
    metrics::{self, Breadth, Metric},
    record::RECONSTRUCTED,
    trend::{Forecast, Limit, Series, Trend, forecast, promise, trend, words::Unit},
};
use alignwatch_store::{Store, StoreError};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    Shared,
    api::{Asked, Named, not_known},
    problem::Problem,
};

/// How far back trends go, when nobody says it: as far as history is rebuilt.
const DAYS: i64 = 365;

/// The longest time that may be asked for.
const DAYS_AT_MOST: i64 = 3_650;

/// Points of a series. Source: ours; their pairs take a millisecond, and a trend needs no more.
const POINTS: i64 = 200;

/// Series in one answer, at most. Source: ours; a repository has about a hundred, and each takes milliseconds.
const SERIES_AT_MOST: usize = 300;

/// The time that the promise is for. Source: Google's SRE workbook proposes four weeks.
const PROMISED_FOR: Span = Span::days(28);

/// The metrics that the promise is about.
const PROMISED: [&str; 2] = ["alignwatch_aligned_ratio", "alignwatch_within_budget_ratio"];

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// Only of this metric. Default: all but those of single branches.
    metric: Option<String>,
    /// Of so many days before now. Default: 365.
    #[param(minimum = 1, maximum = 3650)]
    days: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Trends {
    schema: &'static str,
    from: String,
    to: String,
    /// Seconds that one point stands for.
    step_seconds: i64,
    /// How much of the promise was kept.
    promises: Vec<Promise>,
    /// By metric and labels.
    trends: Vec<TrendOf>,
    /// Series that were left out, since there are too many.
    n_left_out: usize,
}

/// How much of a promise was kept within the last four weeks.
#[derive(Serialize, ToSchema)]
pub(crate) struct Promise {
    pub(crate) metric: &'static str,
    pub(crate) objective_ratio: f64,
    pub(crate) kept_ratio: f64,
    /// What is left of the error budget: 1 = all, 0 = none, below 0 = the promise is broken.
    pub(crate) error_budget_left_ratio: f64,
    /// The time that it rests on.
    pub(crate) seen_seconds: i64,
}

/// What a series did.
#[derive(Serialize, ToSchema)]
struct TrendOf {
    metric: &'static str,
    #[schema(value_type = Object)]
    labels: Map<String, Value>,
    unit: &'static str,
    n_points: usize,
    /// The points, of those, that were rebuilt from history: those before the first that was measured.
    n_reconstructed: usize,
    /// In words.
    told: String,
    /// Null when it can't be told; `told` says why.
    trend: Option<Told>,
    /// When the limit of the metric is passed; null where it has none, or nothing can be told.
    forecast: Option<Foretold>,
}

#[derive(Serialize, ToSchema)]
struct Told {
    from: String,
    to: String,
    /// The last number, as it was measured.
    latest: f64,
    /// `rising`, `falling` or `steady`.
    direction: &'static str,
    /// The slope a day, with the ends of its 95 % interval (Theil and Sen).
    slope_per_day: f64,
    slope_low_per_day: f64,
    slope_high_per_day: f64,
    /// The probability that chance alone does as much (Mann and Kendall).
    p: f64,
    /// A change of level at once (Pettitt), where that says more than the slope.
    shift: Option<Shifted>,
}

#[derive(Serialize, ToSchema)]
struct Shifted {
    at: String,
    before: f64,
    after: f64,
    p: f64,
}

#[derive(Serialize, ToSchema)]
struct Foretold {
    limit: f64,
    /// `at_most` or `at_least`.
    side: &'static str,
    /// `passed`, `in` or `not_within`.
    verdict: &'static str,
    about_seconds: Option<i64>,
    soonest_seconds: Option<i64>,
    /// Null = perhaps never.
    latest_seconds: Option<i64>,
    /// In words.
    told: String,
}

/// What the numbers of a repository and of this machine did, and where they lead.
#[utoipa::path(get, path = "/api/v1/repositories/{id}/trends", params(("id" = String, Path, description = "Its id."), Which),
    responses(
        (status = 200, description = "By metric and labels.", body = Trends),
        (status = 400, description = "A parameter is wrong.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "It is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store can't be read.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn trends(
    State(shared): State<Arc<Shared>>,
    Named(id): Named<String>,
    Asked(which): Asked<Which>,
) -> Result<Json<Trends>, Problem> {
    let days = which.days.unwrap_or(DAYS);
    if !(1..=DAYS_AT_MOST).contains(&days) {
        let detail = format!("`days` must lie between 1 and {DAYS_AT_MOST}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    shared.read(|store| store.repository(&id))?.ok_or_else(|| not_known(&id))?;
    // All pairs of points of a hundred series are compared: nobody else waits for that.
    let work = tokio::task::spawn_blocking(move || answer(&shared, &id, which.metric.as_deref(), Span::days(days)));
    let wrong = |error: tokio::task::JoinError| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    Ok(Json(work.await.map_err(wrong)??))
}

fn answer(shared: &Shared, id: &str, metric: Option<&str>, span: Span) -> Result<Trends, Problem> {
    let to = crate::now();
    let asked = Question::before(to, span);
    let mut found = shared.read(|store| found(store, id, metric))?;
    let n_left_out = found.len().saturating_sub(SERIES_AT_MOST);
    found.truncate(SERIES_AT_MOST);
    let mut trends = Vec::with_capacity(found.len());
    let mut promised = BTreeMap::new();
    for one in found {
        let answer = shared.read(|store| asked.series(store, &one))?;
        trends.push(trend_of(&one, &answer, to));
        promised.insert(one.metric.name, answer.series);
    }
    let (from, to_text) = (asked.from.rfc3339(), to.rfc3339());
    let promises = promises(&promised, to);
    Ok(Trends {
        schema: "alignwatch.trends/1",
        from,
        to: to_text,
        step_seconds: asked.step,
        promises,
        trends,
        n_left_out,
    })
}

/// A series, measured and rebuilt.
pub(crate) struct Found {
    pub(crate) metric: &'static Metric,
    pub(crate) labels: Map<String, Value>,
    measured: Option<i64>,
    rebuilt: Option<i64>,
}

/// The series of a repository and of the machine that can have a trend.
pub(crate) fn found(store: &Store, id: &str, only: Option<&str>) -> Result<Vec<Found>, StoreError> {
    let mut found = BTreeMap::<(&str, String), Found>::new();
    for row in store.series(only, Some(id))?.into_iter().chain(store.series(only, Some(""))?) {
        let is_wanted = |metric: &&Metric| only.is_some() || metric.breadth != Breadth::Branch;
        // A series that is 1 as long as it is there has no trend.
        let has_course = |metric: &&Metric| !metric.labels.contains(&"status");
        let Some(metric) = metrics::by_name(&row.metric).filter(is_wanted).filter(has_course) else { continue };
        let mut labels: Map<String, Value> = serde_json::from_str(&row.labels).unwrap_or_default();
        let is_rebuilt = labels.remove(RECONSTRUCTED).is_some();
        let key = (metric.name, Value::Object(labels.clone()).to_string());
        let one = found.entry(key).or_insert(Found { metric, labels, measured: None, rebuilt: None });
        if is_rebuilt { one.rebuilt = Some(row.id) } else { one.measured = Some(row.id) }
    }
    Ok(found.into_values().collect())
}

/// What a series did within a time.
pub(crate) struct Answered {
    /// The mean of each step.
    pub(crate) series: Series,
    /// The first points, of those, that were rebuilt from history.
    pub(crate) n_rebuilt: usize,
    /// The last number itself: the mean of the last step is none that anybody measured.
    pub(crate) last: Option<f64>,
}

/// How long before a time a number may be measured that still counts for it. Source: ours; a night in which a machine slept.
const COUNTS_FOR: Span = Span::hours(12);

/// The time that is asked about.
pub(crate) struct Question {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Seconds that one point stands for.
    pub(crate) step: i64,
}

impl Question {
    /// The span until a time, in as many points as a trend needs.
    pub(crate) fn before(to: Timestamp, span: Span) -> Question {
        Question { from: Timestamp(to.0 - span.0), to, step: (span.0 / POINTS).max(1) }
    }

    /// The points of a series: what was rebuilt as long as nothing was measured.
    pub(crate) fn series(&self, store: &Store, found: &Found) -> Result<Answered, StoreError> {
        let points = |id: Option<i64>| match id {
            Some(id) => store.points(id, self.from, Timestamp(self.to.0 + 1), self.step),
            None => Ok(Vec::new()),
        };
        let (measured, rebuilt) = (points(found.measured)?, points(found.rebuilt)?);
        let began = measured.first().map_or(Timestamp(i64::MAX), |point| point.at);
        let rebuilt: Vec<_> = rebuilt.into_iter().filter(|point| point.at < began).collect();
        let n_rebuilt = rebuilt.len();
        let last = measured.last().or(rebuilt.last()).map(|point| point.last);
        let all = rebuilt.into_iter().chain(measured);
        let series = Series::new(all.map(|point| (point.at, point.sum / point.n as f64)));
        Ok(Answered { series, n_rebuilt, last })
    }
}

/// The number that held at a time: the last that was measured until then. `None` = nothing was, for long before.
pub(crate) fn value_at(store: &Store, found: &Found, at: Timestamp) -> Result<Option<f64>, StoreError> {
    let Some(id) = found.measured else { return Ok(None) };
    let points = store.points(id, Timestamp(at.0 - COUNTS_FOR.0), Timestamp(at.0 + 1), COUNTS_FOR.0 + 1)?;
    Ok(points.last().map(|point| point.last))
}

fn trend_of(found: &Found, answer: &Answered, now: Timestamp) -> TrendOf {
    let (unit, series) = (Unit::of(found.metric.unit), &answer.series);
    let known = trend(series);
    let told = match &known {
        Known::Seen(trend) => trend.told(unit),
        Known::Unknown(reason) => format!("unknown: {reason}"),
    };
    TrendOf {
        metric: found.metric.name,
        labels: found.labels.clone(),
        unit: found.metric.unit,
        n_points: series.points().len(),
        n_reconstructed: answer.n_rebuilt,
        told,
        trend: known.seen().map(|trend| Told::of(trend, answer.last)),
        forecast: found.metric.limit.and_then(|limit| foretold(series, limit, unit, now)),
    }
}

impl Told {
    fn of(trend: &Trend, last: Option<f64>) -> Told {
        let shift = trend.shift.map(|shift| Shifted {
            at: shift.at.rfc3339(),
            before: shift.before,
            after: shift.after,
            p: shift.p,
        });
        Told {
            from: trend.from.rfc3339(),
            to: trend.to.rfc3339(),
            latest: last.unwrap_or(trend.latest),
            direction: trend.direction.word(),
            slope_per_day: trend.slope.per_day,
            slope_low_per_day: trend.slope.low,
            slope_high_per_day: trend.slope.high,
            p: trend.monotone.p,
            shift,
        }
    }
}

fn foretold(series: &Series, limit: Limit, unit: Unit, now: Timestamp) -> Option<Foretold> {
    let Known::Seen(when) = forecast(series, limit, now) else { return None };
    let (verdict, about, soonest, latest) = match when {
        Forecast::Passed => ("passed", None, None, None),
        Forecast::In { about, soonest, latest } => ("in", Some(about.0), Some(soonest.0), latest.map(|span| span.0)),
        Forecast::NotWithin(span) => ("not_within", Some(span.0), None, None),
    };
    Some(Foretold {
        limit: limit.value(),
        side: if matches!(limit, Limit::AtMost(_)) { "at_most" } else { "at_least" },
        verdict,
        about_seconds: about,
        soonest_seconds: soonest,
        latest_seconds: latest,
        told: when.told_of(limit, unit),
    })
}

pub(crate) fn promises(series: &BTreeMap<&str, Series>, now: Timestamp) -> Vec<Promise> {
    let objective = series.get("alignwatch_aligned_objective_ratio").and_then(|series| series.points().last());
    let promise = |metric: &'static str| {
        let Known::Seen(kept) = promise::kept(series.get(metric)?, objective?.1, PROMISED_FOR, now) else {
            return None;
        };
        Some(Promise {
            metric,
            objective_ratio: kept.objective,
            kept_ratio: kept.kept,
            error_budget_left_ratio: kept.left,
            seen_seconds: kept.seen.0,
        })
    };
    PROMISED.into_iter().filter_map(promise).collect()
}
