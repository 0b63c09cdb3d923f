//! The real binary on real repositories, beside git.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::SystemTime,
};

use alignwatch_testkit::{Repo, Shape, generate, sketch};
use serde_json::Value;

use crate::{
    documents::{BRANCHES, CHECK, assert_valid},
    made_up::HOSTILE,
    screens::assert_harmless,
    terminal::{in_terminal, seen},
};

/// Branches in every state that a small history can show.
fn all_states() -> Repo {
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

/// Branches whose names hurt somebody once.
fn hostile() -> Repo {
    let repo = sketch("main: a(f=1) b(f=2)\n other: a c(f=3)'\\e[31m red \\xe2\\x80\\xae message'").draw();
    let tip = repo.oid("c").hex();
    for name in HOSTILE {
        repo.write_ref_by_hand(name, format!("{tip}\n"));
    }
    repo
}

fn command(arguments: &[&str], path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.args(arguments).arg(path).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command
}

fn run(arguments: &[&str], path: &Path) -> Output {
    command(arguments, path).output().unwrap()
}

fn json(arguments: &[&str], path: &Path) -> Value {
    let output = run(arguments, path);
    let told = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
}

fn by_name(document: &Value) -> BTreeMap<&str, &Value> {
    let branches = document["branches"].as_array().unwrap();
    branches.iter().map(|branch| (branch["ref"].as_str().unwrap(), branch)).collect()
}

#[test]
fn every_state_is_told_with_the_numbers_of_git() {
    let repo = all_states();
    let document = json(&["branches", "--json"], repo.path());
    assert_valid(BRANCHES, &document);
    let branches = by_name(&document);
    for (name, state) in [
        ("aligned", "aligned"),
        ("behind", "behind"),
        ("merged", "merged"),
        ("diverged", "diverged"),
        ("conflict", "conflicting"),
        ("squashed", "squash_merged"),
        ("foreign", "unrelated"),
    ] {
        let branch = branches[format!("refs/heads/{name}").as_str()];
        assert_eq!(branch["state"], state, "{name}");
        let counts = repo.git(["rev-list", "--count", "--left-right", &format!("{name}...main")]);
        assert_eq!(format!("{}\t{}", branch["ahead"], branch["behind"]), counts, "{name}");
        assert_eq!(branch["oid"], repo.git(["rev-parse", name]), "{name}");
    }
    assert_ne!(branches["refs/heads/squashed"]["merged_proof"], Value::Null);
    assert_eq!(branches["refs/heads/conflict"]["merge"]["conflict_paths"], serde_json::json!(["f"]));
}

#[test]
fn check_answers_in_every_form_and_its_exit_code_follows_the_findings() {
    let repo = all_states();
    let document = json(&["check", "--json"], repo.path());
    assert_valid(CHECK, &document);
    let found: Vec<_> = document["repositories"][0]["findings"].as_array().unwrap().iter().collect();
    assert!(found.iter().any(|finding| finding["check"] == "conflicting"), "{found:#?}");
    for (arguments, code) in [
        (&["check", "--only", "conflicting", "--fail-on", "info"][..], 3),
        (&["check", "--fail-on", "never"], 0),
        (&["check", "--only", "criss-cross", "--fail-on", "info"], 0),
        (&["check", "--format", "markdown", "--fail-on", "never"], 0),
        (&["check", "--format", "sarif", "--fail-on", "never"], 0),
        (&["check", "--format", "junit", "--fail-on", "never"], 0),
    ] {
        let output = run(arguments, repo.path());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn hostile_names_do_nothing_to_a_terminal() {
    let repo = hostile();
    for arguments in [&["check"][..], &["check", "-v"], &["branches"], &["branches", "--limit", "0"]] {
        let (_, written) = in_terminal(&mut command(arguments, repo.path()), 80, 24);
        let shown = seen(&written);
        assert_harmless(&shown);
        assert!(arguments.len() > 1 || shown.lines().count() < 24, "{arguments:?}: {shown}");
    }
}

#[test]
fn hostile_names_come_back_byte_for_byte() {
    let document = json(&["branches", "--json"], hostile().path());
    let branches = document["branches"].as_array().unwrap();
    let bytes = |branch: &Value| match branch.get("ref_hex") {
        Some(hex) => (0..hex.as_str().unwrap().len() / 2)
            .map(|at| u8::from_str_radix(&hex.as_str().unwrap()[2 * at..2 * at + 2], 16).unwrap())
            .collect(),
        None => branch["ref"].as_str().unwrap().as_bytes().to_vec(),
    };
    let names: Vec<Vec<u8>> = branches.iter().map(bytes).collect();
    for name in HOSTILE {
        assert!(names.iter().any(|seen| seen == name), "{:?}", String::from_utf8_lossy(name));
    }
}

#[test]
fn a_broken_ref_is_unknown_and_blinds_nobody_else() {
    let repo = all_states();
    repo.write_ref_by_hand("refs/heads/broken", "no id\n");
    let document = json(&["branches", "--json"], repo.path());
    let branches = by_name(&document);
    assert_eq!(branches["refs/heads/broken"]["state"], "unknown");
    assert!(branches["refs/heads/broken"]["reason"].is_string());
    assert_eq!(branches["refs/heads/conflict"]["state"], "conflicting");
}

#[test]
fn one_unreadable_path_among_several_is_told_and_the_others_are_judged() {
    let repo = all_states();
    let nothing = repo.room().join("nothing");
    let mut command = command(&["check", "--json"], repo.path());
    let output = command.arg(&nothing).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: cannot "));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = |at: usize| (&document["repositories"][at]["reason"], document["repositories"][at]["checks"].as_array());
    assert!(matches!(told(0), (Value::Null, Some(checks)) if !checks.is_empty()));
    assert!(matches!(told(1), (Value::String(_), Some(checks)) if checks.is_empty()));
    assert_eq!(document["repositories"][1]["status"], "unknown");
}

#[test]
fn an_empty_repository_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    alignwatch_testkit::git(dir.path(), ["init", "-q"]);
    for arguments in [&["check"][..], &["branches"], &["branches", "--json"]] {
        let output = run(arguments, dir.path());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_base_that_is_not_there_is_told_by_name() {
    let output = run(&["branches", "--base", "no-such-branch"], all_states().path());
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.starts_with("error: cannot ") && told.contains("no-such-branch"), "{told}");
}

#[test]
fn a_configured_base_that_is_not_there_is_a_finding_and_the_other_branches_are_judged() {
    let repo = all_states();
    let file = repo.room().join("alignwatch.yaml");
    std::fs::write(&file, "bases: [main]\nrelations: [{branches: [diverged], base: mainn}]\n").unwrap();
    let file = file.to_str().unwrap();
    let document = json(&["check", "--json", "--config", file], repo.path());
    let findings = document["repositories"][0]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["check"] == "missing-base").expect("it is told");
    assert!(finding["remedy"]["text"].as_str().unwrap().contains("`main`"), "{finding}");
    let document = json(&["branches", "--json", "--config", file], repo.path());
    let branches = by_name(&document);
    assert_eq!(branches["refs/heads/conflict"]["state"], "conflicting");
    assert_eq!(branches["refs/heads/diverged"]["state"], "unknown");
    assert!(branches["refs/heads/diverged"]["reason"].as_str().unwrap().contains("`mainn`"));
}

#[test]
fn ignored_branches_are_in_no_list_and_no_count_and_explain_says_who_ignores_them() {
    let repo = all_states();
    let file = repo.room().join("alignwatch.yaml");
    std::fs::write(&file, "relations: [{branches: [conflict, foreign], relation: ignored}]\n").unwrap();
    let file = file.to_str().unwrap();
    let document = json(&["branches", "--json", "--config", file], repo.path());
    let summary = &document["summary"];
    assert_eq!((&summary["total"], &summary["ignored"]), (&Value::from(6), &Value::from(2)), "{summary}");
    assert_eq!((&summary["by_state"]["conflicting"], &summary["by_state"]["unrelated"]), (&0.into(), &0.into()));
    assert!(!by_name(&document).contains_key("refs/heads/conflict"));
    let output = run(&["branches", "--config", file], repo.path());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("2 branches not looked at: ignored by the configuration"), "{told}");
    let output = run(&["explain", "refs/heads/conflict", "--config", file], repo.path());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("conflict is ignored: relations[0] of the configuration says"), "{told}");
    assert!(!told.contains("clean") && !told.contains("conflicts"), "{told}");
}

#[test]
fn what_nobody_asked_for_is_not_told_as_if_it_were_not_there() {
    let repo = all_states();
    let output = run(&["check", "--only", "stale-lock"], repo.path());
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("branches were not looked at: it was not asked for"), "{told}");
    assert!(!told.contains("no branches") && !told.contains("no primary line"), "{told}");
    let document = json(&["check", "--only", "stale-lock", "--json"], repo.path());
    assert_eq!(document["repositories"][0]["branches_summary"], Value::Null);
}

/// The limit that `bench/floors.py` holds large repositories to.
const PROCESSES_AT_MOST: usize = 8;

#[test]
fn a_look_starts_few_processes_however_many_branches_there_are() {
    let room = tempfile::tempdir().unwrap();
    let (repository, log) = (room.path().join("repository.git"), room.path().join("log"));
    generate(&Shape::like_649().scaled_to(120, 300), &repository);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let git = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file()).unwrap();
    let script = format!("#!/bin/sh\necho x >> '{}'\nexec '{}' \"$@\"\n", log.display(), git.display());
    std::fs::create_dir(room.path().join("bin")).unwrap();
    let counting = room.path().join("bin/git");
    std::fs::write(&counting, script).unwrap();
    std::fs::set_permissions(&counting, std::fs::Permissions::from_mode(0o755)).unwrap();
    let folders = std::iter::once(room.path().join("bin")).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).unwrap();
    // Attributes are those of the line, so that Git answers for each line in a process of its own.
    let (data, file) = (room.path().join("data"), room.path().join("alignwatch.yaml"));
    std::fs::write(&file, "bases: [main]\n").unwrap();
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    for when in ["cold", "again"] {
        for asked in ["check", "branches"] {
            let _ = std::fs::remove_file(&log);
            let asked_by = &[asked, "--config", file, "--data-dir", data];
            let output = command(asked_by, &repository).env("PATH", &path).output().unwrap();
            assert!(matches!(output.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&output.stderr));
            let n_started = std::fs::read_to_string(&log).unwrap_or_default().lines().count();
            assert!((1..=PROCESSES_AT_MOST).contains(&n_started), "{asked}, {when}: {n_started} processes");
        }
    }
}

#[test]
fn nothing_in_the_repository_is_touched() {
    let repo = all_states();
    let before = files(repo.path());
    for arguments in [&["check"][..], &["branches"]] {
        run(arguments, repo.path());
        assert_eq!(files(repo.path()), before, "{arguments:?}");
    }
}

/// Every file with its time and size, and every directory with its time.
fn files(dir: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let about = entry.metadata().unwrap();
        found.insert(entry.path(), (about.modified().unwrap(), about.len()));
        if about.is_dir() {
            found.extend(files(&entry.path()));
        }
    }
    found
}
