//! What the past year was like, with `-v`: a line for each number that commits tell of the past.

use alignwatch_model::{
    Known, Timestamp,
    metrics::Weekly,
    trend::{trend, words::Unit},
};

use crate::{
    output::{
        escape,
        layout::{pad, width, wrap},
        style::{Screen, Tone},
    },
    report::Judgement,
};

/// Columns of the names; longer ones move their text to the right.
const NAME: usize = 34;

/// The lines; none without `-v`, or when nothing is known of the past.
pub(super) fn trends(screen: &Screen, judgement: &Judgement) -> Vec<String> {
    if screen.verbose == 0 || judgement.weekly.is_empty() {
        return Vec::new();
    }
    let head = "the past year, week by week, rebuilt from commits (docs/METRICS.md says what they can't tell)";
    let head = wrap(head, screen.width).into_iter().map(|line| screen.paint(Tone::Faint, &line));
    head.chain(judgement.weekly.iter().flat_map(|weekly| line(screen, weekly, judgement.snapshot.seen_at))).collect()
}

fn line(screen: &Screen, weekly: &Weekly, at: Timestamp) -> Vec<String> {
    let unit = Unit::of(weekly.metric.unit);
    // Of some things there is no number now: the last one that there was is not what it is today.
    let now = weekly.series.points().last().filter(|(last, _)| *last == at);
    let now = now.map_or_else(|| "none now".to_owned(), |(_, value)| unit.told(*value));
    let told = match trend(&weekly.series) {
        Known::Seen(trend) => format!("{now}; {}", trend.told(unit)),
        Known::Unknown(reason) => format!("{now}; no trend: {reason}"),
    };
    let name = pad(&name(weekly), NAME);
    let room = screen.width.saturating_sub(width(&name) + 3).max(20);
    let mut lines = wrap(&told, room).into_iter();
    let first = format!("  {name} {}", lines.next().unwrap_or_default());
    std::iter::once(first).chain(lines.map(|line| format!("  {}{line}", " ".repeat(NAME + 1)))).collect()
}

/// `base moves, main`.
fn name(weekly: &Weekly) -> String {
    let name = weekly.metric.name.trim_start_matches("alignwatch_");
    let name = name.trim_end_matches(weekly.metric.unit).trim_end_matches('_').replace('_', " ");
    let label = |(key, label): (&&str, &String)| match *key {
        "percentile" => format!("{label}th percentile"),
        _ => escape::terminal(label.strip_prefix("refs/heads/").unwrap_or(label)).into_owned(),
    };
    let labels = std::iter::zip(weekly.metric.labels, &weekly.labels).map(label);
    std::iter::once(name).chain(labels).collect::<Vec<_>>().join(", ")
}
