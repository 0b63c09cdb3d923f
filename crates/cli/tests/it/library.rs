//! The library: its calls on a real repository, and what they say against the commands.

use std::{path::Path, process::Command};

use alignwatch::{
    Monitor,
    monitor::{Ended, Period, Severity, Status},
};
use alignwatch_model::{Known, task::slots::Turn};
use alignwatch_testkit::{Repo, sketch};
use serde_json::{Value, json};

use crate::{daemon::Daemon, documents::assert_valid};

const SESSION: &str = include_str!("../../../../docs/schema/monitoring-session.schema.json");
const DOCTOR: &str = include_str!("../../../../docs/schema/doctor-1.schema.json");
const CHECK: &str = include_str!("../../../../docs/schema/check-1.schema.json");

fn repo() -> Repo {
    sketch("main: a b c d\n old: a x\n new: c y").draw()
}

/// A monitor with a configuration of this text.
fn monitor(project: &Path, data_dir: &Path, config: &str) -> Monitor {
    let file = data_dir.join("library.yaml");
    std::fs::write(&file, config).unwrap();
    Monitor::new(project, Some(file)).unwrap().with_data_dir(data_dir).unwrap()
}

fn command(data_dir: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.arg("--config").arg(data_dir.join("library.yaml")).args(arguments);
    let output = command.env("ALIGNWATCH_DATA_DIR", data_dir).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// A run with stages that took 2.5 s in all, as an orchestrator tells of it.
fn told(daemon: &Daemon) {
    let id = daemon.json("/api/v1/repositories")["repositories"][0]["id"].clone();
    let now = Command::new("date").args(["-u", "-d", "10 seconds ago", "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    let now = String::from_utf8(now.stdout).unwrap().trim().to_owned();
    let event = |id: &str, kind: &str, data: Value| {
        json!({"schema": "alignwatch.event/1", "id": id, "run": "01ARZ3NDEKZZZZZZZZZZZZZZZZ", "type": kind, "at": now,
            "data": data})
    };
    let events = json!([
        event("a", "started", json!({"workflow": "nightly", "repository_id": id})),
        event("b", "stage", json!({"stage": "fetch", "status": "finished", "duration_seconds": 0.5})),
        event("c", "finished", json!({"outcome": "aligned", "duration_seconds": 2.5})),
    ]);
    assert_eq!(daemon.report(&events), Some(202));
}

#[test]
fn all_calls_answer_for_a_real_repository_and_agree_with_the_commands() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    told(&daemon);
    let letters = data.path().join("letters");
    let config = format!("channels:\n  file: [{{name: log, path: {}}}]\n", letters.display());
    let mut monitor = monitor(repo.path(), data.path(), &config);
    let path = repo.path().to_str().unwrap();

    let health = monitor.check_system_health();
    let document: Value = serde_json::from_str(&health.json()).unwrap();
    assert_valid(CHECK, &document);
    let of_command = command(data.path(), &["check", "--json", path]);
    let ids = |document: &Value| -> Vec<Value> {
        let findings = document["repositories"][0]["findings"].as_array().unwrap();
        // The machine is another at another moment.
        let of_repository = findings.iter().filter(|finding| !finding["check"].as_str().unwrap().starts_with("host-"));
        of_repository.map(|finding| finding["key"].clone()).collect()
    };
    assert_eq!(ids(&document), ids(&of_command));
    assert_ne!(health.status(), Status::Unknown);

    let performance = monitor.collect_performance_metrics().unwrap();
    let number =
        |name: &str| performance.numbers.iter().find(|number| number.metric == name).map(|number| number.value);
    assert_eq!(number("alignwatch_repo_refs"), Some(3.0));
    assert_eq!(performance.runs.seen().unwrap().n_runs, 1);

    let scheduled = monitor.schedule_maintenance_task("pack-refs", "0 2 * * *").unwrap();
    assert!(matches!(scheduled.turn, Turn::Now { .. }), "what was never asked is due: {:?}", scheduled.turn);
    let ends = monitor.run_due_tasks().unwrap();
    let of_it: Vec<_> = ends.iter().filter(|(task, _)| *task == "pack-refs").collect();
    assert!(matches!(of_it[..], [(_, Ended::Ran(_) | Ended::Waits(_))]), "{ends:?}");

    let delivered = monitor.send_alert("log", Severity::Critical, "the base moved\nsideways").unwrap();
    assert!(!delivered.answer.is_empty());
    let letter: Value =
        serde_json::from_str(std::fs::read_to_string(&letters).unwrap().lines().next().unwrap()).unwrap();
    assert!(letter.to_string().contains("the base moved"), "{letter}");

    let diagnostics = monitor.run_diagnostics();
    assert_valid(DOCTOR, &serde_json::from_str(&alignwatch::output::json::doctor(&diagnostics)).unwrap());
    assert_eq!(diagnostics.checked.repositories.len(), 1);

    let session = monitor.generate_monitoring_report(Period::Week).unwrap();
    assert_valid(SESSION, &session);
    assert_eq!(session["performance_metrics"]["alignment_operations"]["average_time_seconds"], 2.5);

    let overall = monitor.overall_performance().unwrap();
    assert_eq!((overall.n_runs, overall.duration.unwrap().mean_seconds, overall.success_ratio), (1, 2.5, Some(1.0)));
    let parts = monitor.performance_by_component().unwrap();
    assert_eq!((parts["nightly"].mean_seconds, parts["nightly/fetch"].mean_seconds), (2.5, 0.5));
    let of_api = daemon.json("/api/v1/improvement");
    assert_eq!(of_api["overall"]["duration"]["mean_seconds"], 2.5);
    assert_eq!((&of_api["overall"]["n_runs"], &of_api["overall"]["success_ratio"]), (&json!(1), &json!(1.0)));
    assert_eq!(of_api["components"]["nightly/fetch"]["most_seconds"], 0.5);
    assert!(of_api["resources"]["disk"].as_f64().is_some_and(|percent| percent <= 100.0), "{of_api}");
    let uses = monitor.resource_use();
    assert_eq!(uses.keys().collect::<Vec<_>>(), [&"cpu", &"disk", &"memory"]);
    assert!(matches!(uses["disk"], Known::Seen(percent) if (0.0..=100.0).contains(&percent)), "{uses:?}");
}

#[test]
fn a_schedule_lasts_when_it_stands_in_the_configuration() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let mut first = monitor(repo.path(), data.path(), "");
    let yaml = first.schedule_maintenance_task("backup", "6h").unwrap().yaml();
    let second = monitor(repo.path(), data.path(), &yaml);
    assert_eq!(second.config().tasks, first.config().tasks);
    assert_eq!(second.config().maintenance.repositories, first.config().maintenance.repositories);
    let again = first.schedule_maintenance_task("backup", "1d").unwrap();
    assert_eq!(first.config().tasks, [again.rule], "the last word counts");
}

#[test]
fn what_cannot_be_done_is_said_with_what_helps_and_nothing_panics() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let mut monitor = monitor(repo.path(), data.path(), "");
    let told = monitor.schedule_maintenance_task("back-up", "6h").unwrap_err().told();
    assert!(told.contains("there is no task `back-up`") && told.contains("backup"), "{told}");
    let told = monitor.schedule_maintenance_task("backup", "daily").unwrap_err().told();
    assert!(told.contains("`daily`") && told.contains("0 2 * * *"), "{told}");
    assert!(monitor.config().tasks.is_empty(), "a mistake changes nothing");
    let told = monitor.send_alert("pager", Severity::Error, "x").unwrap_err().told();
    assert!(told.contains("there is no channel `pager`"), "{told}");
    let told = monitor.generate_monitoring_report(Period::Day).unwrap_err().told();
    assert!(told.contains("no daemon ever ran here"), "{told}");
    assert_eq!(monitor.overall_performance().unwrap().duration, None, "no run, and no number for it");
    assert!(Monitor::new(repo.path(), Some(data.path().join("absent.yaml"))).is_err());
}

#[test]
fn where_no_repository_is_health_is_unknown_and_never_well() {
    let (nothing, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let monitor = monitor(nothing.path(), data.path(), "");
    let health = monitor.check_system_health();
    assert_eq!(health.status(), Status::Unknown);
    let document: Value = serde_json::from_str(&health.json()).unwrap();
    let reason = document["repositories"][0]["reason"].as_str().unwrap();
    assert!(reason.contains(nothing.path().to_str().unwrap()), "{reason}");
    assert!(monitor.collect_performance_metrics().is_err());
    assert!(monitor.overall_performance().is_err());
}
