//! The real binary: exit codes, streams, help and the words of errors.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use insta::assert_snapshot;

fn alignwatch(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn help_and_version_are_answers() {
    for asked in [&["--help"][..], &["-h"], &["--version"], &["check", "--help"], &["help", "branches"]] {
        let output = alignwatch(asked);
        assert_eq!(code(&output), 0, "{asked:?}");
        assert!(!out(&output).is_empty() && err(&output).is_empty(), "{asked:?}");
    }
}

#[test]
fn the_help_of_each_command_has_examples() {
    for command in [
        "check",
        "branches",
        "explain",
        "doctor",
        "config",
        "completions",
        "man",
        "run",
        "event",
        "verify",
        "task",
        "backup",
    ] {
        let help = out(&alignwatch(&[command, "--help"]));
        assert!(help.contains("Examples:\n"), "{command}: {help}");
    }
    assert_snapshot!("help", out(&alignwatch(&["--help"])));
    assert_snapshot!("help_check", out(&alignwatch(&["check", "--help"])));
    assert_snapshot!("help_branches", out(&alignwatch(&["branches", "--help"])));
}

#[test]
fn wrong_usage_ends_with_2_and_names_what_is_near() {
    let told = |arguments: &[&str]| {
        let output = alignwatch(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(out(&output).is_empty(), "{arguments:?}");
        err(&output)
    };
    assert!(told(&["chekc"]).contains("check"));
    assert!(told(&["check", "--jsom"]).contains("--json"));
    assert!(told(&["branches", "--state", "conflictin"]).contains("conflicting"));
    assert!(told(&["branches", "--format", "sarif"]).contains("human, json, markdown"));
    assert!(told(&["check", "--list", "--format", "sarif"]).contains("cannot answer `check --list` as sarif"));
    assert!(told(&["check", "--json", "--format", "human"]).contains("cannot be used with"));
    assert!(told(&[]).contains("Usage"));
}

#[test]
fn what_is_no_repository_ends_with_1_and_is_told_on_standard_error() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    for command in ["check", "branches"] {
        let output = alignwatch(&[command, path]);
        assert_eq!(code(&output), 1, "{command}");
        assert!(err(&output).starts_with("error: cannot "), "{command}: {}", err(&output));
        assert!(!err(&output).contains("panicked"));
    }
}

#[test]
fn completions_and_manual_pages_are_written() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = out(&alignwatch(&["completions", shell]));
        assert!(script.contains("fail-on"), "{shell}");
    }
    let page = out(&alignwatch(&["man"]));
    assert!(page.contains(".TH") && page.contains("branches"), "{page}");
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("new/man1");
    assert_eq!(code(&alignwatch(&["man", pages.to_str().unwrap()])), 0);
    for page in ["alignwatch.1", "alignwatch-check.1", "alignwatch-branches.1"] {
        assert!(pages.join(page).is_file(), "{page}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_no_bug() {
    let output = alignwatch(&["man", "/dev/null/man1"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).starts_with("error: cannot write manual pages to `/dev/null/man1`: "), "{}", err(&output));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), err(&output)), (0, String::new()));
}

#[test]
fn colour_is_given_only_to_who_wants_it() {
    let help =
        |arguments: &[&str], name: &str, value: &str| out(&command(arguments).env(name, value).output().unwrap());
    assert!(!help(&["--help"], "X", "").contains('\u{1b}'));
    assert!(help(&["--color", "always", "--help"], "X", "").contains('\u{1b}'));
    assert!(!help(&["--color=never", "--help"], "CLICOLOR_FORCE", "1").contains('\u{1b}'));
}

#[test]
fn the_checks_can_be_listed() {
    let output = alignwatch(&["check", "--list", "--json"]);
    assert_eq!(code(&output), 0);
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["schema"], "alignwatch.checks/1");
    assert_eq!(list["checks"].as_array().unwrap().len(), alignwatch_model::checks::ALL.len());
    assert_eq!(code(&alignwatch(&["check", "--list"])), 0);
}

#[test]
fn the_binary_that_is_tested_is_there() {
    assert!(Path::new(env!("CARGO_BIN_EXE_alignwatch")).is_file());
}
