//! Repairs on real repositories: done, measured, taken back, ended half-way, done twice, and on hostile ones.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    mend::{self, Outcome, Refusal, Repair, Undo},
    repository::open,
    run::Git,
    stop::Stop,
};
use alignwatch_model::{Look, Snapshot, Timestamp, config::Config};
use alignwatch_testkit::{Repo, sketch};

fn repo() -> Repo {
    sketch("main: a b c d\n topic: b x y").draw()
}

fn config() -> Config {
    let mut config = Config::default();
    config.thresholds.insert("commit-graph".to_owned(), 1);
    config
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp(since.as_secs() as i64)
}

fn seen(repo: &Repo) -> Snapshot {
    let wanted = Wanted {
        base: None,
        looks: Look::with_required([Look::Locks, Look::History]),
        paths_patience: Duration::ZERO,
        stop: Stop::default(),
    };
    inspect(repo.path(), &config(), now(), None, &wanted, &|_| {}).unwrap()
}

fn prepare(repo: &Repo, repair: &Repair) -> Result<Undo, Refusal> {
    mend::prepare(&seen(repo), &config(), repair, "1")
}

fn perform(repo: &Repo, undo: &Undo) -> Outcome {
    let opened = open(repo.path()).unwrap();
    let git = Git::find().unwrap();
    mend::perform(&git.at(&opened).unwrap(), undo)
}

/// Files of the graph and locks with their contents; the quarantine is not among them.
fn files(repo: &Repo) -> BTreeMap<PathBuf, Vec<u8>> {
    let dir = repo.git_dir();
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                if path != dir.join("quarantine") {
                    folders.push(path);
                }
            } else {
                files.insert(path.clone(), fs::read(&path).unwrap_or_default());
            }
        }
    }
    files
}

/// A lock that nobody holds and that is a day old.
fn stale_lock(repo: &Repo, path: &str) -> Repair {
    let file = repo.git_dir().join(path);
    fs::write(&file, "left behind").unwrap();
    let old = SystemTime::now() - Duration::from_secs(86_400);
    fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
    Repair::MoveLock { path: path.to_owned() }
}

/// A repository for each repair, with what it is for.
fn ill() -> Vec<(Repo, Repair)> {
    let absent = repo();
    let mut stale = repo();
    stale.git(["commit-graph", "write", "--reachable"]);
    stale.draw_more("main: e f");
    let damaged = repo();
    damaged.git(["commit-graph", "write", "--reachable"]);
    let graph = damaged.git_dir().join("objects/info/commit-graph");
    let mut bytes = fs::read(&graph).unwrap();
    let end = bytes.len();
    bytes.truncate(end / 2);
    fs::remove_file(&graph).unwrap();
    fs::write(&graph, bytes).unwrap();
    let locked = repo();
    locked.git(["commit-graph", "write", "--reachable"]);
    let lock = stale_lock(&locked, "refs/heads/topic.lock");
    vec![
        (absent, Repair::WriteCommitGraph),
        (stale, Repair::WriteCommitGraph),
        (damaged, Repair::ReplaceCommitGraph),
        (locked, lock),
    ]
}

#[test]
fn a_repair_mends_what_it_is_for_and_its_undo_restores_every_byte() {
    for (repo, repair) in ill() {
        let before = files(&repo);
        assert_eq!(mend::propose(&seen(&repo), &config()), std::slice::from_ref(&repair));
        let undo = prepare(&repo, &repair).unwrap();
        assert_eq!(files(&repo), before, "{repair:?}: preparing changes nothing");
        assert!(matches!(perform(&repo, &undo), Outcome::Effect(_)), "{repair:?}");
        assert_eq!(mend::propose(&seen(&repo), &config()), [], "{repair:?}");
        repo.git(["commit-graph", "verify"]);
        repo.git(["fsck", "--no-dangling"]);
        assert!(matches!(mend::take_back(&undo), Outcome::Effect(_)), "{repair:?}");
        assert_eq!(files(&repo), before, "{repair:?}");
        assert!(matches!(mend::take_back(&undo), Outcome::Noop(_)), "{repair:?}: twice is once");
        assert_eq!(files(&repo), before, "{repair:?}");
    }
}

#[test]
fn a_repair_that_was_never_begun_is_taken_back_by_doing_nothing() {
    for (repo, repair) in ill() {
        let before = files(&repo);
        let undo = prepare(&repo, &repair).unwrap();
        assert!(matches!(mend::take_back(&undo), Outcome::Noop(_)), "{repair:?}");
        assert_eq!(files(&repo), before, "{repair:?}");
    }
}

#[test]
fn a_repair_that_was_ended_half_way_is_taken_back() {
    for (repo, repair) in ill() {
        let before = files(&repo);
        let undo = prepare(&repo, &repair).unwrap();
        let kept = repo.git_dir().join("quarantine/1/before");
        fs::create_dir_all(&kept).unwrap();
        for file in &undo.before {
            let path = repo.git_dir().join(&file.path);
            fs::hard_link(&path, kept.join(file.path.replace('/', "-"))).unwrap();
            fs::remove_file(&path).unwrap();
        }
        mend::take_back(&undo);
        assert_eq!(files(&repo), before, "{repair:?}");
    }
}

#[test]
fn done_twice_there_is_nothing_to_do() {
    for (repo, repair) in ill() {
        let undo = prepare(&repo, &repair).unwrap();
        perform(&repo, &undo);
        let after = files(&repo);
        assert!(matches!(prepare(&repo, &repair), Err(Refusal::NotNeeded(_))), "{repair:?}");
        let again = perform(&repo, &undo);
        assert!(!matches!(again, Outcome::Effect(_)), "{repair:?}: {again:?}");
        assert_eq!(files(&repo), after, "{repair:?}");
    }
}

#[test]
fn a_lock_that_is_young_or_another_by_now_is_left() {
    let repo = repo();
    let repair = stale_lock(&repo, "HEAD.lock");
    let undo = prepare(&repo, &repair).unwrap();
    let lock = repo.git_dir().join("HEAD.lock");
    fs::write(repo.git_dir().join("other"), "mine").unwrap();
    fs::rename(repo.git_dir().join("other"), &lock).unwrap();
    assert!(matches!(perform(&repo, &undo), Outcome::Failed(_)));
    assert_eq!(fs::read_to_string(&lock).unwrap(), "mine");
    assert!(matches!(prepare(&repo, &repair), Err(Refusal::NotSure(_))), "it is young, so nobody knows");
    assert!(matches!(mend::take_back(&undo), Outcome::Failed(_)), "another lock is never overwritten");
    assert_eq!(fs::read_to_string(&lock).unwrap(), "mine");
}

#[test]
fn a_lock_beside_the_graph_is_somebody_who_writes() {
    let repo = repo();
    fs::create_dir_all(repo.git_dir().join("objects/info")).unwrap();
    fs::write(repo.git_dir().join("objects/info/commit-graph.lock"), "").unwrap();
    assert!(matches!(prepare(&repo, &Repair::WriteCommitGraph), Err(Refusal::NotSure(_))));
}

/// Somebody else's folder and file, which no repair may touch.
fn outside(repo: &Repo) -> PathBuf {
    let outside = repo.room().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("graph-1.graph"), "precious").unwrap();
    outside
}

fn assert_untouched(outside: &Path) {
    let names: Vec<_> = fs::read_dir(outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["graph-1.graph"]);
    assert_eq!(fs::read(outside.join("graph-1.graph")).unwrap(), b"precious");
}

#[test]
fn links_that_lead_out_are_refused() {
    let link = |from: PathBuf, to: &Path| std::os::unix::fs::symlink(to, from).unwrap();
    let graphs = repo();
    let out = outside(&graphs);
    fs::create_dir_all(graphs.git_dir().join("objects/info")).unwrap();
    link(graphs.git_dir().join("objects/info/commit-graphs"), &out);
    for repair in [Repair::WriteCommitGraph, Repair::ReplaceCommitGraph] {
        assert!(prepare(&graphs, &repair).is_err(), "{repair:?}");
    }
    assert_untouched(&out);

    let quarantine = repo();
    let out = outside(&quarantine);
    let lock = stale_lock(&quarantine, "HEAD.lock");
    link(quarantine.git_dir().join("quarantine"), &out);
    let undo = prepare(&quarantine, &lock).unwrap();
    assert!(matches!(perform(&quarantine, &undo), Outcome::Failed(_)));
    assert!(quarantine.git_dir().join("HEAD.lock").exists());
    assert_untouched(&out);
}

#[test]
fn an_undo_that_names_a_place_outside_does_nothing() {
    let repo = repo();
    let out = outside(&repo);
    let lock = stale_lock(&repo, "HEAD.lock");
    let undo = prepare(&repo, &lock).unwrap();
    let mut forged = undo.clone();
    forged.before[0].path = "../outside/graph-1.graph".to_owned();
    assert!(matches!(mend::take_back(&forged), Outcome::Failed(_)));
    assert!(matches!(perform(&repo, &forged), Outcome::Failed(_)));
    let mut elsewhere = undo;
    elsewhere.common_dir = out.clone();
    assert!(matches!(perform(&repo, &elsewhere), Outcome::Failed(_)));
    assert_untouched(&out);
}

#[test]
fn a_forged_journal_touches_nothing_but_what_repairs_touch() {
    let repo = repo();
    let honest = prepare(&repo, &stale_lock(&repo, "HEAD.lock")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let forged = [
        mend::Undo { common_dir: elsewhere.path().to_owned(), ..honest.clone() },
        mend::Undo { quarantine: "Downloads/x".into(), ..honest.clone() },
        mend::Undo { quarantine: "quarantine/../../x".into(), ..honest.clone() },
        mend::Undo {
            repair: Repair::MoveLock { path: "hooks/pre-commit".into() },
            before: honest
                .before
                .iter()
                .map(|kept| mend::Kept { path: "hooks/pre-commit".into(), ..kept.clone() })
                .collect(),
            ..honest.clone()
        },
    ];
    let before = files(&repo);
    for undo in forged {
        let outcome = mend::take_back(&undo);
        assert!(matches!(&outcome, Outcome::Failed(why) if why.contains("not written by a repair")), "{outcome:?}");
    }
    assert_eq!(files(&repo), before);
}
