//! Draws numbers over time, as SVG that needs no script.
//!
//! Where nothing is known there is a gap, never a line across. What was rebuilt from history is dashed. A forecast is a
//! cone from now on: where the limit is passed at the soonest, about then, and at the latest.

use alignwatch_model::{
    Span, Timestamp,
    trend::{Forecast, Limit, words::Unit},
};
use askama::Template;

use super::{course::Course, told::Mark};

/// Width and height of a chart, in its own units; the page scales it.
const SIZE: (f64, f64) = (560.0, 190.0);

/// Room around the lines: left for the values, below for the times.
const MARGIN: (f64, f64, f64, f64) = (54.0, 14.0, 12.0, 24.0);

/// Two points further apart than so many times the usual distance have a gap between them.
const GAP: f64 = 2.6;

/// Something that happened, to be marked in a chart.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) mark: Mark,
    pub(super) told: String,
}

/// A chart with axes.
#[derive(Template)]
#[template(path = "chart.svg")]
pub(super) struct Chart {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    bottom: f64,
    /// What it shows, for those who can't see it.
    label: String,
    rows: Vec<Tick>,
    columns: Vec<Tick>,
    /// Lines and dots, rebuilt and measured.
    rebuilt: Vec<String>,
    measured: Vec<String>,
    area: Vec<String>,
    dots: Vec<Dot>,
    limit: Option<Tick>,
    cone: Option<String>,
    middle: Option<String>,
    events: Vec<Marked>,
}

/// A place on an axis and what stands there.
struct Tick {
    at: f64,
    text: String,
}

struct Dot {
    x: f64,
    y: f64,
    is_rebuilt: bool,
    at: String,
    value: String,
}

struct Marked {
    x: f64,
    mark: Mark,
    told: String,
}

/// From times and values to places.
struct Scale {
    from: i64,
    to: i64,
    least: f64,
    most: f64,
}

impl Scale {
    fn x(&self, at: f64) -> f64 {
        let (left, _, right, _) = MARGIN;
        let part = (at - self.from as f64) / ((self.to - self.from).max(1) as f64);
        rounded(left + part * (SIZE.0 - left - right))
    }

    fn y(&self, value: f64) -> f64 {
        let (_, top, _, bottom) = MARGIN;
        let part = (value - self.least) / (self.most - self.least);
        rounded(SIZE.1 - bottom - part.clamp(-0.1, 1.1) * (SIZE.1 - top - bottom))
    }
}

impl Chart {
    /// A chart of a course; `objective` is drawn as a line, where there is one.
    pub(super) fn of(course: &Course, objective: Option<f64>, events: &[Event]) -> Chart {
        let forecast = course.forecast();
        let unit = course.unit();
        let (scale, values) = scale(course, objective, forecast);
        let (rebuilt, measured) = lines(course, &scale);
        let is_inside = |event: &&Event| (scale.from..=scale.to).contains(&event.at.0);
        let marked =
            |event: &Event| Marked { x: scale.x(event.at.0 as f64), mark: event.mark, told: event.told.clone() };
        let (cone, middle) = forecast.and_then(|forecast| cone(course, forecast, &scale)).unzip();
        let limit = limit_told(course, objective)
            .filter(|(value, _)| (scale.least..=scale.most).contains(value))
            .map(|(value, text)| Tick { at: scale.y(value), text });
        let (left, _, right, bottom) = MARGIN;
        Chart {
            width: SIZE.0,
            height: SIZE.1,
            left,
            right: SIZE.0 - right,
            bottom: SIZE.1 - bottom,
            label: format!("{}: {}, now {}", course.metric.help, course.told(), course.latest_told()),
            rows: values.into_iter().map(|value| Tick { at: scale.y(value), text: tick_text(unit, value) }).collect(),
            columns: columns(&scale),
            area: areas(&measured, &scale),
            rebuilt: rebuilt.into_iter().map(|line| path(&line)).collect(),
            measured: measured.into_iter().map(|line| path(&line)).collect(),
            dots: dots(course, &scale),
            limit,
            cone,
            middle,
            events: events.iter().filter(is_inside).map(marked).collect(),
        }
    }
}

/// A chart with its words: what is drawn, how much it is now, what it should be, and where it leads.
#[derive(Template)]
#[template(path = "charted.html")]
pub(super) struct Charted {
    title: String,
    help: &'static str,
    now: String,
    limit: String,
    told: String,
    foretold: String,
    chart: Chart,
}

impl Charted {
    /// `objective` is what the number should be, where that is promised.
    pub(super) fn of(title: String, course: &Course, objective: Option<f64>, events: &[Event]) -> Charted {
        Charted {
            title,
            help: course.metric.help,
            now: course.latest_told(),
            limit: limit_told(course, objective).map_or(String::new(), |(_, text)| text),
            told: course.told(),
            foretold: course.foretold().unwrap_or_default(),
            chart: Chart::of(course, objective, events),
        }
    }
}

/// What a number should be, and in words: what is promised, or the limit of the metric.
fn limit_told(course: &Course, objective: Option<f64>) -> Option<(f64, String)> {
    let told = |value: f64| course.unit().told(value);
    if let Some(value) = objective {
        return Some((value, format!("objective {}", told(value))));
    }
    let limit = course.metric.limit?;
    let side = if matches!(limit, Limit::AtMost(_)) { "at most" } else { "at least" };
    Some((limit.value(), format!("{side} {}", told(limit.value()))))
}

/// The range of both axes, and the values at which lines are drawn.
fn scale(course: &Course, objective: Option<f64>, forecast: Option<Forecast>) -> (Scale, Vec<f64>) {
    let points = course.series.points();
    let first = points.first().map_or(course.from, |(at, _)| *at);
    // A series that began lately is not shown in a corner of a year.
    let from = first.0.max(course.from.0).min(course.to.0 - Span::hours(1).0);
    let ahead = match forecast {
        Some(Forecast::In { about, latest, .. }) => latest.unwrap_or(about).0.min((course.to.0 - from) / 2),
        _ => 0,
    };
    let limits = course.metric.limit.map(|limit| limit.value()).filter(|_| 0 < ahead);
    let values = points.iter().map(|(_, value)| *value).chain(objective).chain(limits);
    let (least, most) = values.fold((0.0_f64, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
    let ticks = ticks(course.unit(), least, if least == most { least + 1.0 } else { most });
    let (least, most) = (ticks[0].min(least), ticks[ticks.len() - 1].max(most));
    (Scale { from, to: course.to.0 + ahead, least, most }, ticks)
}

/// Round values from `least` to `most`, three to six.
fn ticks(unit: Unit, least: f64, most: f64) -> Vec<f64> {
    let rough = (most - least) / 4.0;
    let step = match unit {
        Unit::Seconds => nice_seconds(rough),
        Unit::Bytes => {
            let power = 1024_f64.powf((rough.max(1.0).ln() / 1024_f64.ln()).floor());
            nice(rough / power) * power
        }
        Unit::Things(_) => nice(rough).max(1.0),
        Unit::Ratio => nice(rough),
    };
    let (first, last) = ((least / step).floor() as i64, (most / step).ceil() as i64);
    (first..=last.min(first + 12)).map(|n| n as f64 * step).collect()
}

/// The next of 1, 2, 5 times a power of ten.
fn nice(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.into_iter().find(|step| rough <= step * power * 1.0001).unwrap_or(10.0) * power
}

fn nice_seconds(rough: f64) -> f64 {
    const STEPS: [f64; 16] = [
        1.0,
        5.0,
        15.0,
        60.0,
        300.0,
        900.0,
        3_600.0,
        10_800.0,
        21_600.0,
        86_400.0,
        172_800.0,
        432_000.0,
        864_000.0,
        2_592_000.0,
        7_776_000.0,
        31_536_000.0,
    ];
    STEPS.into_iter().find(|step| rough <= *step).unwrap_or_else(|| nice(rough / 31_536_000.0) * 31_536_000.0)
}

/// A value beside its line; without the noun that the title has already.
fn tick_text(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Things(_) => Unit::Things("").told(value),
        Unit::Ratio if 10.0 <= value.abs() => format!("{} %", (value * 100.0).round()),
        _ if value == 0.0 => "0".to_owned(),
        _ => unit.told(value),
    }
}

/// A line: its points, without a gap.
type Line = Vec<(f64, f64)>;

/// What was rebuilt and what was measured, each in pieces between which nothing is known.
fn lines(course: &Course, scale: &Scale) -> (Vec<Line>, Vec<Line>) {
    let points = course.series.points();
    let (rebuilt, measured) = points.split_at(course.n_rebuilt.min(points.len()));
    let mut rebuilt_lines = pieces(rebuilt, 0, scale);
    // The last that was rebuilt and the first that was measured belong together, when they are neighbours.
    if let (Some(last), Some(next), Some(line)) = (rebuilt.last(), measured.first(), rebuilt_lines.last_mut())
        && next.0.since(last.0).0 as f64 <= GAP * usual_distance(rebuilt, 0)
    {
        line.push((scale.x(next.0.0 as f64), scale.y(next.1)));
    }
    (rebuilt_lines, pieces(measured, course.step, scale))
}

fn pieces(points: &[(Timestamp, f64)], step: i64, scale: &Scale) -> Vec<Line> {
    let far = GAP * usual_distance(points, step);
    let mut lines: Vec<Line> = Vec::new();
    let mut before: Option<Timestamp> = None;
    for (at, value) in points {
        let place = (scale.x(at.0 as f64), scale.y(*value));
        match lines.last_mut().filter(|_| before.is_some_and(|before| at.since(before).0 as f64 <= far)) {
            Some(line) => line.push(place),
            None => lines.push(vec![place]),
        }
        before = Some(*at);
    }
    lines
}

/// The distance that most neighbours have, and no less than the step.
fn usual_distance(points: &[(Timestamp, f64)], step: i64) -> f64 {
    let mut distances: Vec<i64> = points.windows(2).map(|pair| pair[1].0.since(pair[0].0).0).collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied().unwrap_or_default().max(step).max(1) as f64
}

fn path(line: &Line) -> String {
    let mut path = String::new();
    for (n, (x, y)) in line.iter().enumerate() {
        path.push_str(&format!("{}{x} {y}", if n == 0 { "M" } else { "L" }));
    }
    // A single point has no length: a round cap makes it a dot.
    if line.len() == 1 { path + "h.01" } else { path }
}

fn areas(lines: &[Line], scale: &Scale) -> Vec<String> {
    let ground = scale.y(scale.least.max(0.0_f64.min(scale.most)));
    let area = |line: &Line| Some(format!("{}V{ground}H{}z", path(line), line.first()?.0));
    lines.iter().filter(|line| 1 < line.len()).filter_map(area).collect()
}

fn dots(course: &Course, scale: &Scale) -> Vec<Dot> {
    let dot = |(n, (at, value)): (usize, &(Timestamp, f64))| Dot {
        x: scale.x(at.0 as f64),
        y: scale.y(*value),
        is_rebuilt: n < course.n_rebuilt,
        at: at.rfc3339().chars().take(16).collect::<String>().replace('T', " "),
        value: course.unit().told(*value),
    };
    course.series.points().iter().enumerate().map(dot).collect()
}

/// The cone to the limit, and the line in its middle.
fn cone(course: &Course, forecast: Forecast, scale: &Scale) -> Option<(String, String)> {
    let Forecast::In { about, soonest, latest } = forecast else { return None };
    let limit = course.metric.limit?.value();
    // Where the line ends, so that one goes on from the other.
    let (_, end) = course.series.points().last()?;
    let start = (scale.x(course.to.0 as f64), scale.y(*end));
    let meets = |span: Span| (scale.x((course.to.0 + span.0).min(scale.to) as f64), scale.y(limit));
    let far = latest.map_or((scale.x(scale.to as f64), start.1), meets);
    Some((path(&vec![start, meets(soonest), far]) + "z", path(&vec![start, meets(about)])))
}

/// Times below the chart.
fn columns(scale: &Scale) -> Vec<Tick> {
    let times = time_ticks(scale.from, scale.to);
    times.into_iter().map(|(at, text)| Tick { at: scale.x(at as f64), text }).collect()
}

/// Round times from one second to another, and how they read.
pub(super) fn time_ticks(from: i64, to: i64) -> Vec<(i64, String)> {
    let days = (to - from) as f64 / 86_400.0;
    if days < 3.0 { hours(from, to) } else { dates(from, to, days) }
}

fn hours(from: i64, to: i64) -> Vec<(i64, String)> {
    let step = nice_seconds((to - from) as f64 / 5.0).max(60.0) as i64;
    let first = from.div_euclid(step) + 1;
    let times = (first..).map(|n| n * step).take_while(|at| *at <= to).take(12);
    times.map(|at| (at, Timestamp(at).rfc3339().chars().skip(11).take(5).collect())).collect()
}

/// The first of each month, or so many days apart.
fn dates(from: i64, to: i64, days: f64) -> Vec<(i64, String)> {
    let Ok(first) = jiff::Timestamp::from_second(from) else { return Vec::new() };
    let begin = first.to_zoned(jiff::tz::TimeZone::UTC).date();
    let (start, step) = match days {
        ..8.0 => (begin, jiff::Span::new().days(1)),
        ..16.0 => (begin, jiff::Span::new().days(2)),
        ..35.0 => (begin, jiff::Span::new().days(5)),
        ..70.0 => (begin, jiff::Span::new().days(10)),
        ..200.0 => (begin.first_of_month(), jiff::Span::new().months(1)),
        ..800.0 => (begin.first_of_month(), jiff::Span::new().months(2)),
        _ => (begin.first_of_year(), jiff::Span::new().years(1)),
    };
    let form = if days < 70.0 { "%-d %b" } else { "%b %Y" };
    let mut dates = Vec::new();
    for date in start.series(step).take(20) {
        let Ok(at) = date.to_zoned(jiff::tz::TimeZone::UTC) else { break };
        let at = at.timestamp().as_second();
        if to < at {
            break;
        }
        if from <= at {
            dates.push((at, date.strftime(form).to_string()));
        }
    }
    dates
}

/// To a tenth: finer is not seen, and makes pages larger.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A small line without axes.
#[derive(Template)]
#[template(path = "spark.svg")]
pub(super) struct Spark {
    label: String,
    rebuilt: Vec<String>,
    measured: Vec<String>,
    end: Option<(f64, f64)>,
}

impl Spark {
    pub(super) fn of(course: &Course) -> Spark {
        let (full, _) = scale(course, None, None);
        let points = course.series.points();
        // Drawn with the same hand, and squeezed by the page; what matters is the shape, so that zero may be off it.
        let (least, most) = points.iter().fold((f64::MAX, f64::MIN), |(a, b), (_, v)| (a.min(*v), b.max(*v)));
        let margin = ((most - least) * 0.1).max(most.abs() * 0.05).max(1e-9);
        let scale = Scale { least: least - margin, most: most + margin, ..full };
        let (rebuilt, measured) = lines(course, &scale);
        let end = points.last().map(|(at, value)| (scale.x(at.0 as f64), scale.y(*value)));
        Spark {
            label: course.told(),
            rebuilt: rebuilt.iter().map(path).collect(),
            measured: measured.iter().map(path).collect(),
            end,
        }
    }
}

#[cfg(test)]
mod tests {
    use alignwatch_model::{metrics, trend::Series};

    use super::*;

    fn course(points: &[(i64, f64)], n_rebuilt: usize) -> Course {
        let day = |(day, value): &(i64, f64)| (Timestamp(day * 86_400), *value);
        Course {
            metric: metrics::by_name("alignwatch_open_branches").unwrap(),
            of: String::new(),
            series: Series::new(points.iter().map(day)),
            n_rebuilt,
            last: points.last().map(|(_, value)| *value),
            yesterday: None,
            from: Timestamp(0),
            to: Timestamp(60 * 86_400),
            step: 3_600,
        }
    }

    #[test]
    fn no_line_goes_across_what_is_not_known() {
        let chart = Chart::of(&course(&[(0, 1.0), (1, 2.0), (2, 3.0), (40, 4.0), (41, 5.0)], 0), None, &[]);
        assert_eq!(chart.measured.len(), 2, "{:?}", chart.measured);
        assert_eq!(chart.dots.len(), 5);
    }

    #[test]
    fn what_was_rebuilt_is_drawn_apart_and_leads_to_what_was_measured() {
        let chart = Chart::of(&course(&[(0, 1.0), (7, 2.0), (14, 3.0), (21, 4.0), (22, 5.0)], 3), None, &[]);
        assert_eq!((chart.rebuilt.len(), chart.measured.len()), (1, 1));
        assert_eq!(chart.rebuilt[0].matches('L').count(), 3);
        assert_eq!(chart.dots.iter().filter(|dot| dot.is_rebuilt).count(), 3);
    }

    #[test]
    fn values_on_the_axis_are_round() {
        assert_eq!(ticks(Unit::Things(""), 0.0, 581.0), [0.0, 200.0, 400.0, 600.0]);
        assert_eq!(ticks(Unit::Things(""), 0.0, 2.0), [0.0, 1.0, 2.0]);
        assert_eq!(ticks(Unit::Ratio, 0.0, 1.0).len(), 3);
        assert_eq!(ticks(Unit::Seconds, 0.0, 5_000_000.0), [0.0, 2_592_000.0, 5_184_000.0]);
        assert!(ticks(Unit::Ratio, -14.82, 0.0).len() < 8);
    }

    #[test]
    fn an_empty_course_and_one_point_are_charts_too() {
        for points in [&[][..], &[(3, 0.0)][..]] {
            let svg = Chart::of(&course(points, 0), Some(5.0), &[]).render().unwrap();
            assert!(svg.starts_with("<svg") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            let spark = Spark::of(&course(points, 0)).render().unwrap();
            assert!(!spark.contains("NaN") && !spark.contains("inf"), "{spark}");
        }
    }
}
