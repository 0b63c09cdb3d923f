//! What makes Git fast, compared with what git itself says, in repositories that are well, ill, and not to be read.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{Finding, Known, Look, Snapshot, Timestamp, checks, config::Config, facts::Speed};
use alignwatch_testkit::{Repo, git_version, sketch};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp(since.as_secs().try_into().unwrap())
}

fn seen(repo: &Repo) -> Snapshot {
    let looks = Look::with_required([Look::Storage, Look::Speed]);
    let wanted = Wanted { base: None, looks, paths_patience: Duration::ZERO, stop: Stop::default() };
    inspect(repo.path(), &Config::default(), now(), None, &wanted, &|_| {}).unwrap()
}

fn speed(repo: &Repo) -> Speed {
    seen(repo).facts.speed.seen().unwrap().clone()
}

fn found(repo: &Repo, config: &Config) -> Vec<Finding> {
    let judged = checks::judge(&seen(repo), config, now(), ours);
    judged.into_iter().flat_map(|one| one.findings).collect()
}

/// Checks of this family; those of others have tests of their own.
fn ours(check: &checks::Check) -> Result<(), String> {
    let is_ours = [checks::Family::Storage, checks::Family::Speed].contains(&check.family);
    if is_ours { Ok(()) } else { Err("not ours".into()) }
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.check).collect()
}

fn paste_all(repo: &Repo, findings: &[Finding]) {
    for line in findings.iter().flat_map(|finding| &finding.remedy.commands) {
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(line).current_dir(repo.path());
        shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = shell.output().unwrap();
        assert!(output.status.success(), "`{line}` fails: {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn limits<const N: usize>(limits: [(&str, i64); N]) -> Config {
    let mut config = Config::default();
    config.thresholds.extend(limits.map(|(check, limit)| (check.to_owned(), limit)));
    config
}

fn info(repo: &Repo, path: &str) -> PathBuf {
    repo.git_dir().join("objects").join(path)
}

/// A file that can be written although git made it read-only.
fn rewrite(path: &Path, content: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, content).unwrap();
}

#[test]
fn a_commit_graph_is_read_as_git_wrote_it() {
    let repo = sketch("main: a b c d").draw();
    let layers = || {
        let graph = speed(&repo).commit_graph.seen().unwrap().clone();
        let layer = |layer: &alignwatch_model::facts::speed::GraphLayer| {
            (layer.n_commits, layer.has_changed_paths, layer.has_corrected_dates)
        };
        (graph.is_chain, graph.layers.iter().map(layer).collect::<Vec<_>>())
    };
    assert_eq!(layers(), (false, vec![]));
    repo.git(["-c", "commitGraph.generationVersion=1", "commit-graph", "write", "--reachable"]);
    assert_eq!(layers(), (false, vec![(4, false, false)]));
    fs::remove_file(info(&repo, "info/commit-graph")).unwrap();
    let input = |label: &str| format!("{}\n", repo.oid(label).hex());
    for label in ["b", "d"] {
        let mut command =
            repo.git_command(["commit-graph", "write", "--stdin-commits", "--changed-paths", "--split=no-merge"]);
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input(label).as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(layers(), (true, vec![(2, true, true), (2, true, true)]));
}

/// Three packs, of which two are usual.
fn in_packs() -> Repo {
    let mut repo = sketch("main: a b").draw();
    repo.draw_more("main: b c");
    repo.git(["repack", "-q", "-d"]);
    repo.draw_more("main: c d");
    repo.git(["repack", "-q", "-d"]);
    repo
}

#[test]
fn an_index_over_packs_holds_what_git_counts() {
    let repo = in_packs();
    assert_eq!(speed(&repo).pack_index, Known::Seen(None));
    repo.git(["multi-pack-index", "write"]);
    let index = speed(&repo).pack_index.seen().unwrap().clone().unwrap();
    let names: Vec<String> =
        seen(&repo).facts.storage.seen().unwrap().packs.seen().unwrap().iter().map(|pack| pack.name.clone()).collect();
    assert_eq!(index.packs, names);
    let n_objects = repo.git(["rev-list", "--objects", "--all"]).lines().count();
    assert_eq!((index.n_objects, index.has_bitmap), (n_objects as u64, false));
    repo.git(["repack", "-q", "-a", "-d", "--write-midx", "--write-bitmap-index"]);
    assert!(speed(&repo).pack_index.seen().unwrap().as_ref().unwrap().has_bitmap);
}

#[test]
fn refs_and_files_are_counted_as_git_counts_them() {
    let repo = sketch("main: a b\n work: a x\n tag v1: a").worktree().packed_refs().draw();
    repo.git(["branch", "new"]);
    repo.git(["symbolic-ref", "refs/remotes/origin/HEAD", "refs/heads/main"]);
    let speed = speed(&repo);
    assert_eq!(speed.refs.n_refs as usize, repo.git(["for-each-ref"]).lines().count());
    assert_eq!(speed.refs.n_loose, Known::Seen(1), "a symbolic ref cannot be packed");
    assert_eq!(speed.refs.packed_bytes, Known::Seen(fs::metadata(repo.git_dir().join("packed-refs")).unwrap().len()));
    let index = speed.index.seen().unwrap().clone().unwrap();
    assert_eq!(index.n_entries as usize, repo.git(["ls-files"]).lines().count());
    assert_eq!((index.version, index.has_untracked_cache, index.has_monitor), (2, false, false));
    repo.git(["config", "feature.manyFiles", "true"]);
    repo.git(["update-index", "--index-version", "4"]);
    let index = self::speed(&repo).index.seen().unwrap().clone().unwrap();
    assert_eq!((index.version, index.has_untracked_cache), (4, true));
}

#[test]
fn loose_refs_are_told_from_the_number_on_at_which_git_packs_them() {
    if git_version() < (2, 45) {
        return;
    }
    for n_packed in [0, 40] {
        let repo = sketch("main: a").draw();
        let made = |from: usize, to: usize| {
            let lines = (from..to).map(|n| format!("create refs/heads/b{n} {}\n", repo.oid("a").hex()));
            let mut child =
                repo.git_command(["update-ref", "--stdin"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
            let lines: String = lines.collect();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
        };
        made(0, n_packed);
        repo.git(["pack-refs", "--all"]);
        let mut n = n_packed;
        loop {
            made(n, n + 1);
            n += 1;
            let is_told = ids(&found(&repo, &Config::default())).contains(&"loose-refs");
            repo.git(["pack-refs", "--all", "--auto"]);
            let was_packed = speed(&repo).refs.n_loose == Known::Seen(0);
            assert_eq!(is_told, was_packed, "{} loose refs beside {n_packed}", n - n_packed);
            if was_packed {
                break;
            }
        }
        assert!(n - n_packed == 16 || n_packed == 40, "{n}");
    }
}

#[test]
fn upkeep_that_git_refuses_is_told() {
    let repo = in_packs();
    fs::write(repo.git_dir().join("gc.log"), "error: a bad day\n").unwrap();
    let blocked = |repo: &Repo| ids(&found(repo, &Config::default())).contains(&"gc-blocked");
    assert!(blocked(&repo));
    let refused = repo.git_output(["-c", "gc.autoPackLimit=1", "gc", "--auto"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("a bad day"));
    assert!(repo.git(["count-objects", "-v"]).contains("packs: 3"), "git did nothing");
    let file = fs::File::open(repo.git_dir().join("gc.log")).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(25 * 3600)).unwrap();
    assert!(!blocked(&repo), "git tries again after a day");
    fs::write(repo.git_dir().join("gc.log"), "").unwrap();
    assert!(!blocked(&repo), "an empty one stops nothing");
}

#[test]
fn a_repository_that_is_well_has_no_findings() {
    let repo = sketch("main: a b c").worktree().packed_refs().draw();
    assert_eq!(ids(&found(&repo, &Config::default())), [""; 0]);
}

#[test]
fn each_illness_is_found_and_its_remedy_mends_it() {
    let config =
        limits([("pack-index", 1), ("bitmaps", 1), ("loose-refs", 1), ("pack-count", 3), ("full-repack-age", 3650)]);
    let repo = in_packs();
    repo.git(["config", "gc.auto", "0"]);
    repo.git(["config", "maintenance.auto", "false"]);
    fs::write(repo.git_dir().join("gc.log"), "error: a bad day\n").unwrap();
    let findings: Vec<Finding> =
        found(&repo, &config).into_iter().filter(|finding| finding.check != "pack-count").collect();
    assert_eq!(ids(&findings), ["pack-index", "bitmaps", "loose-refs", "gc-blocked", "no-upkeep"]);
    paste_all(&repo, &findings);
    assert_eq!(ids(&found(&repo, &config)), [""; 0]);
}

#[test]
fn a_poor_commit_graph_is_written_anew() {
    let labels: Vec<String> = (0..1000).map(|n| format!("c{n}")).collect();
    let repo = sketch(format!("main: {}", labels.join(" "))).empty_commits().draw();
    repo.git(["commit-graph", "write", "--reachable"]);
    let findings = found(&repo, &Config::default());
    assert_eq!(ids(&findings), ["commit-graph-quality"]);
    paste_all(&repo, &findings);
    assert_eq!(ids(&found(&repo, &Config::default())), [""; 0]);
    repo.git(["commit-graph", "verify"]);
}

#[test]
fn tables_of_refs_are_told_and_hide_no_count() {
    if git_version() < (2, 45) {
        return;
    }
    let repo = sketch("main: a b\n work: a").reftable().draw();
    assert_eq!(speed(&repo).refs.n_refs, 2);
    assert_eq!(ids(&found(&repo, &Config::default())), ["ref-backend"]);
}

#[test]
fn what_cannot_be_read_is_unknown_and_hides_nothing_else() {
    let repo = sketch("main: a b c").worktree().draw();
    repo.git(["commit-graph", "write", "--reachable"]);
    let graph = info(&repo, "info/commit-graph");
    let whole = fs::read(&graph).unwrap();
    let mut far = whole.clone();
    far[12..20].fill(0x7f);
    for content in [&whole[..6], &whole[..20], &whole[..200], b"MIDX\x01\x01\x00\x00", &far, &[0xff; 4096]] {
        rewrite(&graph, content);
        let speed = speed(&repo);
        assert!(speed.commit_graph.seen().is_none(), "{} bytes: {:?}", content.len(), speed.commit_graph);
        assert!(speed.index.seen().is_some() && speed.pack_index.seen().is_some());
    }
    fs::remove_file(&graph).unwrap();
    fs::create_dir_all(info(&repo, "info/commit-graphs")).unwrap();
    let chain = info(&repo, "info/commit-graphs/commit-graph-chain");
    for content in
        ["rubbish\n".to_owned(), format!("{}\n", "a".repeat(40)), format!("{}\n", "a".repeat(40)).repeat(1500)]
    {
        rewrite(&chain, content.as_bytes());
        assert!(speed(&repo).commit_graph.seen().is_none());
    }
    for name in ["index", "gc.log", "objects/pack/multi-pack-index"] {
        let path = repo.git_dir().join(name);
        let _ = fs::remove_file(&path);
        fs::create_dir(path).unwrap();
    }
    let speed = speed(&repo);
    assert!(speed.index.seen().is_none() && speed.gc_log.seen().is_none() && speed.pack_index.seen().is_none());
    assert!(speed.refs.n_loose.seen().is_some());
    fs::remove_dir(repo.git_dir().join("index")).unwrap();
    fs::write(repo.git_dir().join("index"), "DIRC").unwrap();
    assert_eq!(self::speed(&repo).index.reason(), Some("it is no index"));
}
