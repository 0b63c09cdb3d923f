//! The report of a monitoring session, in the five parts of the requirement that alignwatch grew out of.
//!
//! Its shape is given, so that it alone carries no `schema`. Where its text is silent: the three fields of health have
//! our words of status, a number that is not known is `null`, and a severity that it does not have is told as the next
//! graver one.

use serde_json::{Value, json};

use super::{Held, HeldCourse, Report, Times};
use crate::{Severity, Timestamp, config::Config, run::Document, window::Purpose};

/// The report as a monitoring session. `tasks`: what runs by itself, by name.
pub fn session(report: &Report, held: &Held, config: &Config, times: &Times, tasks: &[&str]) -> Value {
    let runs: Vec<&Document> = held.runs.iter().filter(|run| began(run).is_some_and(|at| times.holds(at))).collect();
    json!({
        "monitoring_session": {
            "session_id": id(times),
            "start_time": times.from,
            "end_time": times.until,
            "duration_seconds": times.period.span().0,
        },
        "health_status": health(report, held, times),
        "performance_metrics": performance(report, held, times, &runs),
        "alerts_generated": report.alerts.fired.iter().map(alert).collect::<Vec<_>>(),
        "maintenance_schedule": schedule(config, times, tasks),
    })
}

/// `monitor-20261128-050000-001`.
fn id(times: &Times) -> String {
    let digits: String = times.until.rfc3339().chars().filter(char::is_ascii_digit).collect();
    let (day, clock) = digits.split_at(digits.len().min(8));
    let number = super::Period::ALL.iter().position(|period| *period == times.period).unwrap_or(0) + 1;
    format!("monitor-{day}-{clock}-{number:03}")
}

fn began(run: &Document) -> Option<Timestamp> {
    run.began_at.map(|at| Timestamp(at.0.div_euclid(1_000)))
}

fn health(report: &Report, held: &Held, times: &Times) -> Value {
    let machine = |name: &str| mean(held.machine.iter().find(|course| course.metric.name == name), times);
    let percent = |ratio: Option<f64>| ratio.map(|ratio| (ratio * 1_000.0).round() / 10.0);
    let process = if report.accounting.unknown_seconds == 0 { "ok" } else { "warning" };
    let disks = held.machine.iter().filter(|course| course.metric.name == "alignwatch_host_disk_used_ratio");
    let disk = disks.filter_map(|course| mean(Some(course), times)).reduce(f64::max);
    json!({
        "system_health": system(machine("alignwatch_host_cpu_used_ratio"), machine("alignwatch_host_memory_used_ratio"), disk),
        "repository_health": report.status,
        "process_health": if held.repositories.is_empty() { "unknown" } else { process },
        "resource_utilization": {
            "cpu_percent": percent(machine("alignwatch_host_cpu_used_ratio")),
            // Of memory the part is measured, not the amount.
            "memory_mb": Value::Null,
            "disk_percent": percent(disk),
        },
    })
}

/// The words of the requirement's own limits: 80, 85 and 90 percent.
fn system(cpu: Option<f64>, memory: Option<f64>, disk: Option<f64>) -> &'static str {
    let all = [(cpu, 0.80), (memory, 0.85), (disk, 0.90)];
    let is_over = |(value, limit): &(Option<f64>, f64)| value.is_some_and(|value| *limit < value);
    match all {
        _ if all.iter().any(is_over) => "warning",
        _ if all.iter().any(|(value, _)| value.is_none()) => "unknown",
        _ => "ok",
    }
}

fn mean(course: Option<&HeldCourse>, times: &Times) -> Option<f64> {
    let points = course?.measured.iter().filter(|(at, _)| times.holds(*at));
    let values: Vec<f64> = points.map(|(_, value)| *value).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn performance(report: &Report, held: &Held, times: &Times, runs: &[&Document]) -> Value {
    let took = report.alignment.duration;
    let peak = runs.iter().filter_map(|run| run.finished.as_ref()?.usage.peak_rss_bytes).max();
    let cpu = held.machine.iter().find(|course| course.metric.name == "alignwatch_host_cpu_used_ratio");
    json!({
        "alignment_operations": {
            "total_executed": report.alignment.n_runs,
            "average_time_seconds": took.map(|took| took.mean_seconds),
            "min_time_seconds": took.map(|took| took.least_seconds),
            "max_time_seconds": took.map(|took| took.most_seconds),
            "success_rate": report.alignment.success_ratio,
        },
        "resource_usage": {
            "peak_memory_mb": peak.map(|bytes| (bytes as f64 / 1_048_576.0 * 10.0).round() / 10.0),
            "average_cpu_percent": mean(cpu, times).map(|ratio| (ratio * 1_000.0).round() / 10.0),
            // Bytes are measured, not calls.
            "io_operations": Value::Null,
        },
    })
}

fn alert(fired: &super::alerts::Fired) -> Value {
    json!({
        "alert_id": fired.id,
        // The requirement has no `error`: it is never told as less than it is.
        "severity": if fired.severity == Severity::Error { Severity::Critical.word() } else { fired.severity.word() },
        "message": fired.summary,
        "timestamp": fired.from,
        "status": if fired.until.is_some() { "resolved" } else { "firing" },
    })
}

fn schedule(config: &Config, times: &Times, tasks: &[&str]) -> Value {
    let windows = config.windows.iter().filter_map(|rule| Some((rule, rule.window().ok()?)));
    let maintenance = windows.filter(|(_, window)| window.purpose == Purpose::Maintenance);
    let next = maintenance.filter_map(|(rule, window)| Some((window.next_after(times.until)?.from, rule.open.clone())));
    let next = next.min();
    let rule = config.tasks.iter().find_map(|rule| rule.due.clone());
    let is_tended = !config.maintenance.repositories.is_empty();
    json!({
        // Without a window tasks are asked all day, and act when their numbers say so: no time is known.
        "next_cleanup": next.as_ref().map(|(at, _)| *at),
        "cleanup_frequency": rule.or(next.map(|(_, open)| open)),
        "automated_tasks": if is_tended { tasks } else { &[] },
    })
}
