//! contrib/grafana/alignwatch.json, from the list of metrics: a row for each breadth, a panel for each metric.
//!
//! It is what Grafana's own export writes: schema version 39, a data source that is chosen when it is imported, and a
//! variable for the repository. Source: grafana.com, dashboard JSON model.

use alignwatch_model::metrics::{self, Breadth, Kind, Metric};
use serde_json::{Value, json};

/// Width of the grid of a dashboard, and what a panel takes of it.
const WIDTH: usize = 24;
const PANEL: (usize, usize) = (8, 8);

/// The dashboard as JSON.
pub(crate) fn document() -> String {
    let rows = [
        (Breadth::Repository, "Alignment and health of a repository"),
        (Breadth::Branch, "Single branches"),
        (Breadth::Machine, "The machine"),
    ];
    let mut grid = Grid::default();
    let mut panels = Vec::new();
    for (breadth, title) in rows {
        panels.push(grid.row(title));
        let of_row = metrics::ALL.iter().filter(|metric| metric.breadth == breadth);
        panels.extend(of_row.map(|metric| grid.panel(metric)));
    }
    let text = serde_json::to_string_pretty(&json!({
        "__inputs": [{
            "name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus",
            "pluginName": "Prometheus",
        }],
        "title": "alignwatch",
        "uid": "alignwatch",
        "description": "Made by `cargo xtask docs` from the metrics in crates/model/src/metrics.",
        "tags": ["git", "alignwatch"],
        "schemaVersion": 39,
        "editable": true,
        "time": {"from": "now-7d", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [{
            "name": "repo", "label": "Repository", "type": "query", "datasource": source(),
            "query": "label_values(alignwatch_branches, repo)", "refresh": 2, "includeAll": true, "multi": true,
            "current": {"text": "All", "value": "$__all"},
        }]},
        "panels": panels,
    }));
    text.unwrap_or_default() + "\n"
}

/// Where the next panel goes.
#[derive(Default)]
struct Grid {
    next_id: usize,
    x: usize,
    y: usize,
}

impl Grid {
    fn id(&mut self) -> usize {
        self.next_id += 1;
        self.next_id
    }

    fn row(&mut self, title: &str) -> Value {
        if self.x > 0 {
            (self.x, self.y) = (0, self.y + PANEL.1);
        }
        let row = json!({
            "id": self.id(), "type": "row", "title": title, "collapsed": false,
            "gridPos": {"x": 0, "y": self.y, "w": WIDTH, "h": 1}, "panels": [],
        });
        self.y += 1;
        row
    }

    fn panel(&mut self, metric: &Metric) -> Value {
        let place = json!({"x": self.x, "y": self.y, "w": PANEL.0, "h": PANEL.1});
        self.x += PANEL.0;
        if self.x + PANEL.0 > WIDTH {
            (self.x, self.y) = (0, self.y + PANEL.1);
        }
        json!({
            "id": self.id(), "type": "timeseries", "title": metric.help, "datasource": source(), "gridPos": place,
            "description": description(metric),
            "fieldConfig": {"defaults": {"unit": unit(metric), "custom": {"spanNulls": false, "fillOpacity": 5}}, "overrides": []},
            "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
            "targets": [{"refId": "A", "datasource": source(), "expr": expression(metric), "legendFormat": legend(metric)}],
        })
    }
}

fn source() -> Value {
    json!({"type": "prometheus", "uid": "${DS_PROMETHEUS}"})
}

fn description(metric: &Metric) -> String {
    let worry = if metric.worry.is_empty() { String::new() } else { format!("\n\nA worry: {}.", metric.worry) };
    format!("{}.\n\nComputed as: {}{worry}", metric.why.trim_end_matches('.'), metric.formula)
}

/// Grafana's name of the unit. Numbers that are not known have no sample, and so no line.
fn unit(metric: &Metric) -> &'static str {
    match metric.unit {
        "seconds" => "s",
        "bytes" => "bytes",
        "ratio" => "percentunit",
        _ => "short",
    }
}

fn expression(metric: &Metric) -> String {
    let of_repository = if metric.breadth == Breadth::Machine { "" } else { "{repo=~\"$repo\"}" };
    match metric.kind {
        Kind::Counter => format!("increase({}{of_repository}[1h])", metric.name),
        Kind::Gauge => format!("{}{of_repository}", metric.name),
        Kind::Histogram(_) => {
            let by = ["le", "repo"].iter().chain(metric.labels).copied().collect::<Vec<_>>().join(", ");
            let increase = format!("increase({}_bucket{of_repository}[1d])", metric.name);
            format!("histogram_quantile(0.9, sum by ({by}) ({increase}))")
        }
    }
}

fn legend(metric: &Metric) -> String {
    let repo = (metric.breadth != Breadth::Machine).then_some("repo");
    let labels: Vec<_> =
        repo.into_iter().chain(metric.labels.iter().copied()).map(|name| format!("{{{{{name}}}}}")).collect();
    if labels.is_empty() { metric.name.to_owned() } else { labels.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_a_panel_and_no_two_lie_on_each_other() {
        let dashboard: Value = serde_json::from_str(&document()).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let text = document();
        assert!(metrics::ALL.iter().all(|metric| text.contains(metric.name)));
        let place = |panel: &Value| ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        for (index, one) in panels.iter().enumerate() {
            let [x, y, w, h] = place(one);
            assert!(x + w <= WIDTH as u64);
            for other in &panels[index + 1..] {
                let [a, b, c, d] = place(other);
                assert!(x + w <= a || a + c <= x || y + h <= b || b + d <= y, "{one} {other}");
            }
        }
    }
}
