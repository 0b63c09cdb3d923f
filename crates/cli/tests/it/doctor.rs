//! `doctor` with the real binary: the installation, repairs and their way back.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use alignwatch_testkit::{Repo, sketch};
use serde_json::{Value, json};

use crate::{documents::assert_valid, screens::assert_harmless, terminal::in_conversation};

const DOCTOR: &str = include_str!("../../../../docs/schema/doctor-1.schema.json");
const REPAIRS: &str = include_str!("../../../../docs/schema/repairs-1.schema.json");

/// A home of its own, with a data directory that is not there yet.
struct Place {
    _keep: tempfile::TempDir,
    home: PathBuf,
}

impl Place {
    fn new() -> Place {
        let keep = tempfile::tempdir().unwrap();
        let home = keep.path().canonicalize().unwrap();
        Place { _keep: keep, home }
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.home).env("ALIGNWATCH_DATA_DIR", self.data()).current_dir(&self.home);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn configure(&self, text: &str) {
        let folder = self.home.join(".config/alignwatch");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("alignwatch.yaml"), text).unwrap();
    }

    fn doctor(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["doctor", "--json"], arguments].concat());
        let document =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", err(&output)));
        assert_valid(DOCTOR, &document);
        document
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn examination<'a>(document: &'a Value, id: &str) -> &'a Value {
    let all = document["installation"]["examinations"].as_array().unwrap();
    all.iter().find(|one| one["id"] == id).unwrap()
}

fn path_of(repo: &Repo) -> &str {
    repo.path().to_str().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn conflicting() -> Repo {
    sketch("main: a(f=1..9) b(f[2]=x)\n topic: a c(f[2]=y)").draw()
}

#[test]
fn without_a_repository_the_installation_is_examined() {
    let place = Place::new();
    let document = place.doctor(&[]);
    // How full the disk is, is a matter of the machine.
    let is_ill = |one: &&Value| one["id"] != "disk" && !["ok", "skipped"].contains(&one["status"].as_str().unwrap());
    let ill: Vec<_> = document["installation"]["examinations"].as_array().unwrap().iter().filter(is_ill).collect();
    assert!(ill.is_empty(), "{ill:#?}");
    assert_eq!(document["repositories"], json!([]));
    assert!(document["no_repository"].as_str().unwrap().contains("alignwatch doctor PATH"));
    let output = place.run(&["doctor"]);
    let is_full = examination(&document, "disk")["status"] == "error";
    assert_eq!((code(&output), err(&output)), (if is_full { 3 } else { 0 }, String::new()));
    assert!(!place.data().exists(), "a look changes nothing");
}

#[test]
fn the_repository_is_judged_as_check_does() {
    let (place, repo) = (Place::new(), conflicting());
    let document = place.doctor(&[path_of(&repo)]);
    let checked = place.run(&["check", "--json", path_of(&repo)]);
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let findings = |document: &Value| -> Vec<Value> {
        let findings = document["repositories"][0]["findings"].as_array().unwrap();
        findings.iter().filter(|one| !one["check"].as_str().unwrap().starts_with("host-")).cloned().collect()
    };
    assert_eq!(findings(&document), findings(&checked));
    let shown = out(&place.run(&["doctor", path_of(&repo)]));
    assert!(shown.contains("1 branch conflicts"), "{shown}");
    assert_eq!(shown.matches("locks and unfinished work").count(), 1, "{shown}");
    let verbose = out(&place.run(&["doctor", "-v", path_of(&repo)]));
    assert!(shown.lines().count() < verbose.lines().count() / 2, "{shown}");
    assert_harmless(&verbose);
}

#[test]
fn a_broken_configuration_is_a_finding_and_ends_nothing() {
    let (place, repo) = (Place::new(), conflicting());
    place.configure("no_such_key: 1\n");
    let document = place.doctor(&[path_of(&repo)]);
    let told = examination(&document, "configuration");
    assert_eq!(told["status"], "error");
    assert!(told["findings"][0]["evidence"]["mistakes"].to_string().contains("no_such_key"), "{told:#}");
    assert_eq!(document["repositories"][0]["reason"], Value::Null);
    let output = place.run(&["doctor"]);
    assert_eq!(code(&output), 3, "{}", err(&output));
    assert!(out(&output).contains("no_such_key"), "{}", out(&output));
}

#[test]
fn a_data_directory_that_cannot_be_used_is_a_finding() {
    let place = Place::new();
    fs::write(place.data(), "not a directory").unwrap();
    let document = place.doctor(&[]);
    assert_eq!(examination(&document, "data-dir")["status"], "error");
    assert_eq!(code(&place.run(&["doctor"])), 3);
    let refused = place.run(&["doctor", "--fix", "--yes"]);
    assert_eq!(out(&refused), "nothing to repair that could be taken back\n");
    fs::remove_file(place.data()).unwrap();
    std::os::unix::fs::symlink(place.home.join("nowhere"), place.data()).unwrap();
    assert_eq!(examination(&place.doctor(&[]), "data-dir")["status"], "error");
}

#[test]
fn damage_in_what_is_remembered_is_told() {
    let (place, repo) = (Place::new(), conflicting());
    place.run(&["check", path_of(&repo)]);
    let remembered = fs::read_dir(place.data().join("remembered")).unwrap().next().unwrap().unwrap().path();
    let shelf = fs::read_dir(&remembered)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| fs::read(path).unwrap().starts_with(b"alignwatch "));
    let shelf = shelf.unwrap();
    assert_eq!(examination(&place.doctor(&[]), "remembered")["status"], "ok");
    let mut bytes = fs::read(&shelf).unwrap();
    let header = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    bytes[header + 1] ^= 1;
    fs::write(&shelf, bytes).unwrap();
    assert_eq!(examination(&place.doctor(&[]), "remembered")["status"], "warning");
    fs::remove_dir_all(place.data().join("remembered")).unwrap();
    fs::write(place.data().join("remembered"), "").unwrap();
    assert_eq!(examination(&place.doctor(&[]), "remembered")["status"], "unknown");
}

#[test]
fn off_a_terminal_and_without_yes_repairs_are_only_listed() {
    let place = Place::new();
    let output = place.run(&["doctor", "--fix"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).starts_with("1. make the data directory `"), "{}", out(&output));
    assert!(out(&output).contains("nothing was changed"));
    assert!(!place.data().exists());
}

#[test]
fn the_data_directory_is_made_closed_and_taken_back() {
    let place = Place::new();
    let made = place.run(&["doctor", "--fix", "--yes"]);
    assert!(
        out(&made).contains("1. done: it is there, and only for you; undo: alignwatch doctor --undo 1\n"),
        "{}",
        out(&made)
    );
    assert_eq!(mode(&place.data()), 0o700);
    assert_eq!(out(&place.run(&["doctor", "--fix", "--yes"])), "nothing to repair that could be taken back\n");
    fs::set_permissions(place.data(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(examination(&place.doctor(&[]), "data-dir")["findings"][0]["key"], "data-dir:mode");
    assert_eq!(code(&place.run(&["doctor", "--fix", "--yes"])), 0);
    assert_eq!(mode(&place.data()), 0o700);
    assert_eq!(code(&place.run(&["doctor", "--undo", "2"])), 0);
    assert_eq!(mode(&place.data()), 0o755);
    let again = place.run(&["doctor", "--undo", "2"]);
    assert!(out(&again).contains("nothing to do"), "{}", out(&again));
    let journal: Value = serde_json::from_slice(&place.run(&["doctor", "--journal", "--json"]).stdout).unwrap();
    assert_valid(REPAIRS, &journal);
    let states: Vec<_> = journal["repairs"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["effect", "undone"]);
    assert_eq!(code(&place.run(&["doctor", "--undo", "1"])), 0);
    assert!(!place.data().exists());
    let gone = place.run(&["doctor", "--undo", "1"]);
    assert_eq!(code(&gone), 2);
    assert!(err(&gone).contains("there is no repair 1"), "{}", err(&gone));
}

#[test]
fn a_commit_graph_is_written_measured_and_taken_back() {
    let (place, repo) = (Place::new(), conflicting());
    place.configure("thresholds:\n  commit-graph: 1\n");
    fs::create_dir(place.data()).unwrap();
    fs::set_permissions(place.data(), fs::Permissions::from_mode(0o700)).unwrap();
    let fixed = place.run(&["doctor", "--fix", "--yes", path_of(&repo)]);
    assert_eq!(code(&fixed), 0, "{} {}", out(&fixed), err(&fixed));
    assert!(out(&fixed).contains("1. done: the commit-graph has "), "{}", out(&fixed));
    repo.git(["commit-graph", "verify"]);
    assert!(repo.git_dir().join("objects/info/commit-graphs/commit-graph-chain").is_file());
    let again = place.run(&["doctor", "--fix", "--yes", path_of(&repo)]);
    assert_eq!(out(&again), "nothing to repair that could be taken back\n");
    let undone = place.run(&["doctor", "--undo", "1"]);
    assert_eq!(code(&undone), 0, "{}", out(&undone));
    assert!(!repo.git_dir().join("objects/info/commit-graphs/commit-graph-chain").exists());
}

#[test]
fn on_a_terminal_each_repair_is_asked_for_and_only_what_is_agreed_to_is_made() {
    let (place, repo) = (Place::new(), conflicting());
    place.configure("thresholds:\n  commit-graph: 1\n");
    fs::create_dir(place.data()).unwrap();
    fs::set_permissions(place.data(), fs::Permissions::from_mode(0o755)).unwrap();
    let chain = repo.git_dir().join("objects/info/commit-graphs/commit-graph-chain");
    let fix = |answers: &[&str]| {
        let mut command = place.command(&["doctor", "--fix", path_of(&repo)]);
        let (status, seen) = in_conversation(&mut command, "? [y/N] ", answers);
        assert!(status.success(), "{seen}");
        seen
    };
    let n_repairs = || {
        let journal: Value = serde_json::from_slice(&place.run(&["doctor", "--journal", "--json"]).stdout).unwrap();
        journal["repairs"].as_array().unwrap().len()
    };
    for no in [&["n", ""][..], &["no", "yess"], &[]] {
        let seen = fix(no);
        assert!(seen.contains("1. left as it is") && seen.contains("2. left as it is"), "{seen}");
        assert_eq!((mode(&place.data()), chain.exists(), n_repairs()), (0o755, false, 0), "{no:?}");
    }
    let seen = fix(&["n", "y"]);
    assert!(seen.find("undo: ").unwrap() < seen.find("[y/N]").unwrap(), "the way back is shown before it asks: {seen}");
    assert!(seen.contains("1. left as it is") && seen.contains("2. done: the commit-graph has "), "{seen}");
    assert_eq!((mode(&place.data()), chain.exists(), n_repairs()), (0o755, true, 1));
    assert!(seen.contains("undo: alignwatch doctor --undo 1"), "{seen}");
    let seen = fix(&["yes"]);
    assert!(seen.contains("1. done: ") && !seen.contains("2. "), "{seen}");
    assert_eq!((mode(&place.data()), n_repairs()), (0o700, 2));
    assert_eq!(code(&place.run(&["doctor", "--undo", "1"])), 0);
    assert!(!chain.exists());
    assert!(out(&place.run(&["doctor", "--fix", "--yes", path_of(&repo)])).contains("1. done: the commit-graph has "));
}

#[test]
fn a_repair_that_was_ended_half_way_is_told_with_its_way_back() {
    let place = Place::new();
    place.run(&["doctor", "--fix", "--yes"]);
    let journal = place.data().join("repairs.jsonl");
    let lines = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{}\n", lines.lines().next().unwrap())).unwrap();
    let document = place.doctor(&[]);
    let finding = &examination(&document, "journal")["findings"][0];
    assert_eq!(finding["remedy"]["commands"][0], "alignwatch doctor --undo 1");
    fs::write(&journal, format!("{lines}{{\"torn")).unwrap();
    assert_eq!(examination(&place.doctor(&[]), "journal")["status"], "warning");
    fs::remove_file(&journal).unwrap();
    fs::create_dir(&journal).unwrap();
    assert_eq!(examination(&place.doctor(&[]), "journal")["status"], "unknown");
    let refused = place.run(&["doctor", "--undo", "1"]);
    assert_eq!(code(&refused), 1, "{}", err(&refused));
}

#[test]
fn nothing_is_repaired_that_cannot_be_journaled() {
    let (place, repo) = (Place::new(), conflicting());
    place.configure("thresholds:\n  commit-graph: 1\n");
    fs::create_dir_all(place.data().join("repairs.jsonl")).unwrap();
    fs::set_permissions(place.data(), fs::Permissions::from_mode(0o700)).unwrap();
    let refused = place.run(&["doctor", "--fix", "--yes", path_of(&repo)]);
    assert_eq!(code(&refused), 1, "{}", out(&refused));
    assert!(err(&refused).contains("journal"), "{}", err(&refused));
    assert!(!repo.git_dir().join("objects/info/commit-graphs").exists());
}

#[test]
fn hostile_names_reach_nobody_through_doctor() {
    let (place, repo) = (Place::new(), conflicting());
    let tip = repo.oid("c").hex();
    for name in crate::made_up::HOSTILE {
        repo.write_ref_by_hand(name, format!("{tip}\n"));
    }
    place.doctor(&[path_of(&repo)]);
    for arguments in [&["doctor"][..], &["doctor", "-v"], &["doctor", "--fix"]] {
        assert_harmless(&out(&place.run(&[arguments, &[path_of(&repo)]].concat())));
    }
}

#[test]
fn the_store_is_whole_damaged_or_cannot_be_read() {
    let place = Place::new();
    let store = place.data().join("store");
    assert_eq!(examination(&place.doctor(&[]), "store")["status"], "ok");
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join("store.sqlite"), "this is no store, but a text that somebody put there".repeat(100)).unwrap();
    let told = place.doctor(&[]);
    assert_eq!(examination(&told, "store")["status"], "error", "{told:#}");
    assert_eq!(examination(&told, "store")["findings"][0]["remedy"]["commands"][0], "alignwatch serve");
    fs::remove_file(store.join("store.sqlite")).unwrap();
    fs::create_dir(store.join("store.sqlite")).unwrap();
    assert_eq!(examination(&place.doctor(&[]), "store")["status"], "unknown");
}

#[test]
fn a_daemon_is_missed_only_by_who_configured_one() {
    let place = Place::new();
    let told = place.doctor(&[]);
    assert_eq!(examination(&told, "daemon")["status"], "ok", "{told:#}");
    place.configure("serve:\n  repositories: [/nowhere]\n");
    let told = place.doctor(&[]);
    assert_eq!(examination(&told, "daemon")["status"], "warning", "{told:#}");
    let lock = place.data().join("store/store.lock");
    fs::create_dir_all(place.data().join("store")).unwrap();
    fs::write(&lock, "process 1\n").unwrap();
    let held = fs::File::options().read(true).write(true).open(&lock).unwrap();
    held.lock().unwrap();
    let told = place.doctor(&[]);
    assert_eq!(examination(&told, "daemon")["status"], "ok", "it has only begun: {told:#}");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    held.set_modified(long_ago).unwrap();
    assert_eq!(examination(&place.doctor(&[]), "daemon")["status"], "error", "it stands still");
}

#[test]
fn a_bundle_without_a_place_goes_where_nobody_commits_it() {
    let place = Place::new();
    let output = place.run(&["doctor", "bundle"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let bundles = place.data().join("bundles");
    let file = fs::read_dir(&bundles).unwrap().next().unwrap().unwrap().path();
    assert!(out(&output).contains(file.to_str().unwrap()), "{}", out(&output));
    assert_eq!((mode(&file), mode(&bundles)), (0o600, 0o700));
}
