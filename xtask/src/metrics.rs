//! docs/METRICS.md: the catalogue of the metrics, from their list.

use alignwatch_model::metrics::{self, Breadth, Metric};

const HEAD: &str = "\
<!-- Made by `cargo xtask docs` from the metrics in crates/model/src/metrics. Do not edit. -->
# Metrics

What is measured of alignment, and from where on a value is a worry. Names follow prometheus.io: base units, ratios from 0
to 1. A number that is not known has no sample; it is never 0. All but those of the machine carry the label `repo`.

Where OpenTelemetry's semantic conventions for version control have a name for the same, or nearly so, it stands beside it;
there the attributes are `vcs.ref.head.name` for `branch` and `vcs.ref.base.name` for `base` and `line`.

What is *counted* is counted once each, however often it is seen, and kept: counters and histograms go on where they were after a
restart or a crash. Histograms stand on the metrics page and in what is sent over OTLP, and are no series of the store.

## History on day one

Metrics marked *weekly for the past year* have a history when a repository is watched for the first time: at each Monday
midnight (UTC) of the past year, rebuilt from its commits. Those series carry the label `reconstructed=\"true\"`; they are in
the store and its API, not on the metrics page. A line or branch at a time is the newest commit on its first-parent line
that is dated before, as `git rev-list -1 --first-parent --before=…` gives it. What commits can't tell:

* branches that were deleted are not seen, so that there were more than it says; what was merged from them is seen;
* a branch that was rebased has only the commits that it has now: it looks younger, and better aligned than it was;
* work that landed as other commits (squash, rebase) is no landing; such branches are left out of all weeks;
* budgets and relations are those of today;
* a commit with a wrong date counts in another week.
";

/// docs/METRICS.md.
pub(crate) fn document() -> String {
    let of_branches = "One series a branch, for as many as `serve.branch_series` says, the ones furthest behind first.";
    let parts = [
        ("Alignment and health of a repository", "A few series for each repository.", Breadth::Repository),
        ("Single branches", of_branches, Breadth::Branch),
        ("The machine", "", Breadth::Machine),
    ];
    let parts: String = parts.into_iter().map(|(title, text, breadth)| part(title, text, breadth)).collect();
    format!("{HEAD}{parts}")
}

fn part(title: &str, text: &str, breadth: Breadth) -> String {
    let rows: String =
        metrics::ALL.iter().filter(|metric| metric.breadth == breadth).map(|metric| row(metric)).collect();
    let text = if text.is_empty() { String::new() } else { format!("{text}\n\n") };
    format!("\n## {title}\n\n{text}| metric | is | computed as | why | worry |\n|---|---|---|---|---|\n{rows}")
}

fn row(metric: &Metric) -> String {
    let labels = if metric.labels.is_empty() { String::new() } else { format!("{{{}}}", metric.labels.join(", ")) };
    let cells = [
        format!("`{}{labels}`<br>{}", metric.name, metric.kind.word()),
        metric.help.to_owned() + &history(metric) + &otel(metric),
        metric.formula.to_owned(),
        metric.why.to_owned(),
        metric.worry.to_owned(),
    ];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn history(metric: &Metric) -> String {
    metric.past.map_or_else(String::new, |_| "<br>*weekly for the past year*".to_owned())
}

fn otel(metric: &Metric) -> String {
    match metric.otel.split_once(", ") {
        Some((name, attribute)) => format!("<br>OpenTelemetry: `{name}`, {attribute}"),
        None if metric.otel.is_empty() => String::new(),
        None => format!("<br>OpenTelemetry: `{}`", metric.otel),
    }
}
