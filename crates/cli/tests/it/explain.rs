//! `explain` with the real binary: every kind of subject, and words that stand for nothing.

use std::process::{Command, Output};

use alignwatch_testkit::{Repo, sketch};
use serde_json::Value;

use crate::{documents::assert_valid, screens::assert_harmless};

const EXPLAIN: &str = include_str!("../../../../docs/schema/explain-1.schema.json");

fn repo() -> Repo {
    sketch(
        "main:     a(f=1..20) b c m<y d(f[2]=main) s(squashed=1) e
         aligned:  e x1
         behind:   b
         merged:   b y
         diverged: b z1 z2
         conflict: b q(f[2]=theirs)
         squashed: b s1(squashed=1)
         foreign:  o1 o2",
    )
    .draw()
}

fn explain(repo: &Repo, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.arg("explain").args(arguments).arg(repo.path());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", repo.room());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap()
}

fn json(repo: &Repo, subject: &str) -> Value {
    let output = explain(repo, &["--json", subject]);
    let told = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{subject}: {error}: {told}"));
    assert_valid(EXPLAIN, &document);
    document
}

#[test]
fn every_state_of_a_branch_is_explained_with_numbers_that_git_agrees_with() {
    let repo = repo();
    for (name, state) in [
        ("aligned", "aligned"),
        ("behind", "behind"),
        ("merged", "merged"),
        ("diverged", "diverged"),
        ("conflict", "conflicting"),
        ("squashed", "squash_merged"),
        ("foreign", "unrelated"),
    ] {
        let told = json(&repo, name);
        assert_eq!(told["kind"], "branch");
        assert!(told["summary"].as_str().unwrap().contains(&format!("{name} is {state} against main: ")), "{told:#}");
        let counts = repo.git(["rev-list", "--count", "--left-right", &format!("{name}...main")]);
        assert_eq!(format!("{}\t{}", told["numbers"]["ahead"], told["numbers"]["behind"]), counts, "{name}");
        assert!(!told["would_change"].as_array().unwrap().is_empty() && told["impact"].is_string());
        assert_harmless(&String::from_utf8(explain(&repo, &[name]).stdout).unwrap());
    }
}

#[test]
fn the_commands_that_answer_the_same_can_be_pasted() {
    let repo = repo();
    for source in json(&repo, "conflict")["sources"].as_array().unwrap() {
        let line = source.as_str().unwrap().split('`').nth(1).unwrap();
        let output = Command::new("sh").arg("-c").arg(line).current_dir(repo.path()).output().unwrap();
        assert!(output.status.code().is_some_and(|code| code < 2), "{line}: {output:?}");
    }
}

#[test]
fn a_finding_is_explained_by_its_key() {
    let repo = repo();
    let output = Command::new(env!("CARGO_BIN_EXE_alignwatch"))
        .args(["check", "--json"])
        .arg(repo.path())
        .env("HOME", repo.room())
        .output()
        .unwrap();
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = checked["repositories"][0]["findings"].as_array().unwrap();
    assert!(findings.len() > 2, "{findings:#?}");
    for finding in findings.iter().filter(|one| !one["check"].as_str().unwrap().starts_with("host-")) {
        let told = json(&repo, finding["key"].as_str().unwrap());
        assert!(told["kind"] == "finding" || told["kind"] == "check", "{told:#}");
        assert!(told.to_string().contains(finding["summary"].as_str().unwrap()) || told["kind"] == "check", "{told:#}");
    }
}

#[test]
fn checks_settings_and_the_installation_are_explained() {
    let repo = repo();
    for check in alignwatch_model::checks::ALL {
        let told = json(&repo, check.id);
        assert_eq!(
            (&told["kind"], told["threshold"].is_null()),
            (&"check".into(), check.threshold.is_none()),
            "{}",
            check.id
        );
    }
    let told = json(&repo, "thresholds.far-behind");
    assert_eq!(told["kind"], "setting");
    assert!(told["threshold"]["source"].as_str().unwrap().starts_with("the default, from "), "{told:#}");
    assert_eq!(json(&repo, "inspect.git_deadline")["kind"], "setting");
    assert_eq!(json(&repo, "data-dir")["kind"], "examination");
}

#[test]
fn an_unknown_subject_names_the_nearest_one() {
    let repo = repo();
    for (asked, nearest) in [("conflcit", "conflict"), ("far-behnd", "far-behind"), ("remembred", "remembered")] {
        let output = explain(&repo, &[asked]);
        assert_eq!(output.status.code(), Some(2), "{asked}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.starts_with(&format!("error: cannot explain `{asked}`: ")), "{told}");
        assert!(told.contains(&format!("did you mean `{nearest}`?")), "{told}");
    }
}

#[test]
fn without_a_repository_a_check_is_still_explained() {
    let dir = tempfile::tempdir().unwrap();
    let output = |subject: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.args(["explain", subject]).arg(dir.path()).env("HOME", dir.path()).output().unwrap()
    };
    let told = String::from_utf8(output("far-behind").stdout).unwrap();
    assert!(told.contains("Not looked at here: "), "{told}");
    let unknown = String::from_utf8(output("main").stderr).unwrap();
    assert!(unknown.contains("findings and branches are not known here"), "{unknown}");
}

#[test]
fn tasks_are_explained_by_their_numbers_and_runs_by_what_they_did() {
    let repo = repo();
    for task in alignwatch_tasks::ALL {
        let told = json(&repo, &format!("task:{}", task.id));
        assert_eq!(told["kind"], "task");
        assert!(told["summary"].as_str().unwrap().starts_with(task.id), "{told:#}");
        assert_eq!(told["impact"], task.why);
        assert!(told["would_change"].as_array().unwrap().iter().any(|way| way.as_str().unwrap().contains("tasks: [")));
    }
    let told = json(&repo, "pack-refs");
    assert!(told["seen"].to_string().contains("By its numbers: "), "{told:#}");
    assert!(told["threshold"]["source"].is_string() && !told["numbers"].as_object().unwrap().is_empty(), "{told:#}");
    assert_eq!(json(&repo, "commit-graph")["kind"], "check", "a check of the same name comes first");
    let mut run = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    run.args(["task", "run", "pack-refs", "--yes", "--force"]).arg(repo.path());
    run.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", repo.room());
    let ran = run.output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let told = json(&repo, "1");
    assert!(told["summary"].as_str().unwrap().starts_with("run 1 of pack-refs is effect: "), "{told:#}");
    let numbers = told["numbers"].as_object().unwrap();
    assert!(
        numbers.keys().any(|name| name.ends_with(" before")) && numbers.keys().any(|name| name.ends_with(" after"))
    );
    assert!(
        json(&repo, "pack-refs")["seen"].to_string().contains("Run 1, the last one"),
        "what it did is told with it"
    );
    assert_harmless(&String::from_utf8(explain(&repo, &["pack-refs"]).stdout).unwrap());
}
