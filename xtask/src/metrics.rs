//! docs/METRICS.md: the catalogue of the metrics, from their list.

use alignwatch_model::metrics::{self, Breadth, Metric};

const HEAD: &str = "\
<!-- Made by `cargo xtask docs` from the metrics in crates/model/src/metrics. Do not edit. -->
# Metrics

What is measured of alignment, and from where on a value is a worry. Names follow prometheus.io: base units, ratios from 0
to 1. A number that is not known has no sample; it is never 0. All but those of the machine carry the label `repo`.
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
        metric.help.to_owned(),
        metric.formula.to_owned(),
        metric.why.to_owned(),
        metric.worry.to_owned(),
    ];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}
