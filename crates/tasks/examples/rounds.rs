//! Deletes landed branches and takes that back, again and again: `rounds N`. Refs, settings and reflogs must be the same
//! bytes each time.

#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::{collections::BTreeMap, path::Path, time::SystemTime};

use alignwatch_git::{run::Git, stop::Stop};
use alignwatch_model::{Known, Timestamp, config::Config, facts::runs::Runs, task::Came};
use alignwatch_tasks::{
    by_id,
    conduct::{self, Around},
};
use alignwatch_testkit::{git, sketch};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Timestamp(since as i64)
}

fn state(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let refs = git(path, ["for-each-ref", "--format=%(objectname) %(refname) %(symref) %(upstream)"]);
    let mut state = BTreeMap::from([("refs".to_owned(), refs.into_bytes())]);
    let mut open = ["config", "HEAD", "logs"].map(|name| path.join(".git").join(name)).to_vec();
    while let Some(path) = open.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => open.extend(entries.flatten().map(|entry| entry.path())),
            Err(_) => drop(state.insert(path.display().to_string(), std::fs::read(&path).unwrap_or_default())),
        }
    }
    state
}

fn main() {
    let n: u32 = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(100);
    let (n_deleted, n_same) = run(n);
    println!("{n} rounds: {n_deleted} deleted, {n_same} the same to the byte afterwards");
}

/// How many of so many rounds deleted something, and after how many all was the same to the byte.
pub(crate) fn run(n: u32) -> (u32, u32) {
    let repo = sketch("main: a b c m1<x d m2<y e\n done: b x\n old/done: c y\n open: d z").worktree().draw();
    for branch in ["done", "old/done", "open"] {
        let id = repo.git(["rev-parse", branch]);
        repo.git(["update-ref", "-d", &format!("refs/heads/{branch}")]);
        repo.git(["branch", branch, &id]);
        repo.git(["config", &format!("branch.{branch}.remote"), "."]);
        repo.git(["config", &format!("branch.{branch}.merge"), "refs/heads/main"]);
    }
    let data_dir = repo.room().join("data");
    let text = "cleanup: {delete_in: [\"/**\"], rested: 0s}\n";
    let (Ok((config, _)), Ok(git)) = (Config::from_yaml(text, "f"), Git::find()) else { return (0, 0) };
    let around = Around {
        path: repo.path(),
        config: &config,
        data_dir: &data_dir,
        git: &git,
        now: &now,
        runs: &|_| -> Runs { Known::Seen(Vec::new()) },
        stop: &Stop::default(),
        tell: &|_| {},
    };
    let before = state(repo.path());
    let (mut n_same, mut n_deleted) = (0, 0);
    for _ in 0..n {
        let Some(Ok(done)) = by_id("branch-cleanup").map(|task| conduct::run(task, &around, false)) else { break };
        n_deleted += u32::from(done.report.result == Came::Effect);
        let _ = conduct::undo(done.id, &data_dir, &git, &now);
        n_same += u32::from(state(repo.path()) == before);
    }
    (n_deleted, n_same)
}
