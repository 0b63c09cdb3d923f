//! The past that is rebuilt from commits, against what git says of the same moments.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::path::Path;

use alignwatch_git::{
    graph::{Graph, GraphSources, Trunk},
    objects::Objects,
    past::{self, Branch, Line},
};
use alignwatch_model::{
    Known, Oid, RefName, Span, Timestamp,
    facts::past::{Landing, Past},
};
use alignwatch_testkit::{Fate, Shape, generate, git};

/// The past of these branches, all measured against `main`.
fn rebuilt(repo: &Path, branches: &[&str], ends: Vec<Timestamp>) -> Past {
    let oid = |name: &str| Oid::from_hex(git(repo, ["rev-parse", name]).trim().as_bytes()).unwrap();
    let sources = GraphSources::in_git_dir(repo, "sha1").unwrap();
    let objects = Objects::open(&sources.object_dirs[0], "sha1").unwrap();
    let tips: Vec<Oid> = std::iter::once("main").chain(branches.iter().copied()).map(oid).collect();
    let (graph, _) = Graph::open(&sources, &objects, &tips);
    let trunk = Trunk::of(&graph, graph.find(&tips[0]).unwrap());
    let names: Vec<RefName> = branches.iter().map(|name| format!("refs/heads/{name}").as_str().into()).collect();
    let main = RefName::from("refs/heads/main");
    let branches: Vec<Branch<'_>> =
        names.iter().zip(&tips[1..]).map(|(name, tip)| Branch { name, tip: graph.find(tip), line: 0 }).collect();
    match past::past(&graph, &[Line { name: &main, trunk: &trunk }], &branches, ends) {
        Known::Seen(past) => past,
        Known::Unknown(reason) => panic!("{reason}"),
    }
}

/// The tip of a branch at that time, as git finds it.
fn tip_at(repo: &Path, branch: &str, at: Timestamp) -> String {
    let before = format!("--before={}", at.0);
    git(repo, ["rev-list", "-1", "--first-parent", &before, branch]).trim().to_owned()
}

fn count(repo: &Path, range: &str) -> u32 {
    git(repo, ["rev-list", "--count", range]).trim().parse().unwrap()
}

fn seconds(repo: &Path, args: &[&str]) -> Vec<i64> {
    git(repo, args).lines().map(|line| line.trim().parse().unwrap()).collect()
}

#[test]
fn each_week_is_as_git_counts_it_between_the_tips_of_that_time() {
    let dir = tempfile::tempdir().unwrap();
    let repo = dir.path();
    let truth = generate(&Shape { seed: 11, n_files: 50, ..Shape::like_649().scaled_to(60, 800) }, repo);
    let mut branches: Vec<_> = truth.branches.iter().collect();
    branches.sort_by_key(|branch| branch.fate != Fate::Merged);
    branches.truncate(40);
    assert_eq!(branches[0].fate, Fate::Merged, "none landed");
    let branches: Vec<&str> = branches.iter().map(|branch| branch.name.as_str()).collect();
    let newest = seconds(repo, &["log", "-1", "--format=%ct", "main"])[0];
    let ends = past::week_ends(Timestamp(newest + 3600));
    assert_eq!(ends.len(), 53);
    let past = rebuilt(repo, &branches, ends);
    let main_line = git(repo, ["rev-list", "--first-parent", "main"]);
    let (mut n_compared, mut n_absent) = (0, 0);
    // Every fifth week, and the last.
    for number in (0..53).step_by(5).chain([52]) {
        let end = past.ends[number];
        let main = tip_at(repo, "main", end);
        let n_commits = (!main.is_empty()).then(|| count(repo, &main));
        assert_eq!(past.lines[0].n_commits[number], n_commits, "{end}");
        for branch in &past.branches {
            let name = branch.name.text();
            let tip = tip_at(repo, &name, end);
            let landed = git(repo, ["rev-list", "-1", &format!("{tip}..{main}")]).is_empty() && main == tip;
            let Some(stood) = branch.stood[number] else {
                // It was not there yet: git finds a commit of the base, or none; or it was part of the base.
                let is_base = tip.is_empty() || main_line.contains(&tip) || count(repo, &format!("{main}..{tip}")) == 0;
                assert!(is_base || landed, "{name} at {end}");
                n_absent += 1;
                continue;
            };
            let theirs = (count(repo, &format!("{main}..{tip}")), count(repo, &format!("{tip}..{main}")));
            assert_eq!((stood.ahead, stood.behind), theirs, "{name} at {end}");
            n_compared += 1;
        }
    }
    assert!(n_compared > 50 && n_absent > 10, "the sample is too plain: {n_compared}, {n_absent}");
}

/// A repository with hand-set times, in hours.
struct Drawn(tempfile::TempDir);

impl Drawn {
    fn new(stream: &str) -> Drawn {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), ["init", "-q", "--bare", "."]);
        let file = dir.path().join("stream");
        std::fs::write(&file, stream).unwrap();
        let status = std::process::Command::new("git")
            .current_dir(dir.path())
            .args(["fast-import", "--quiet"])
            .stdin(std::fs::File::open(&file).unwrap())
            .status()
            .unwrap();
        assert!(status.success());
        Drawn(dir)
    }
}

/// A commit of a stream: branch, mark, hour, parents.
fn commit(branch: &str, mark: u32, hour: i64, parents: &[u32]) -> String {
    let mut text = format!(
        "commit refs/heads/{branch}\nmark :{mark}\ncommitter A <a@example.org> {} +0000\ndata 0\n",
        3600 * hour
    );
    for (nth, parent) in parents.iter().enumerate() {
        text.push_str(&format!("{} :{parent}\n", if nth == 0 { "from" } else { "merge" }));
    }
    text + "\n"
}

#[test]
fn landings_and_alignments_have_the_times_that_they_took() {
    let stream = [
        commit("main", 1, 100, &[]),
        commit("gone", 2, 102, &[1]),
        commit("gone", 3, 103, &[2]),
        commit("main", 4, 110, &[1, 3]),
        commit("here", 5, 104, &[1]),
        commit("here", 6, 120, &[5, 4]),
        commit("main", 7, 130, &[4]),
        commit("here", 8, 131, &[6]),
    ]
    .concat();
    let drawn = Drawn::new(&stream);
    git(drawn.0.path(), ["update-ref", "-d", "refs/heads/gone"]);
    let ends = [105, 115, 125, 140].map(|hour| Timestamp(3600 * hour)).to_vec();
    let past = rebuilt(drawn.0.path(), &["here"], ends);
    let landing = |at: i64, took: i64| Landing { at: Timestamp(3600 * at), took: Span::hours(took) };
    // What landed is seen although its branch is gone: its first commit was made at 102.
    assert_eq!(past.lines[0].landings, [landing(110, 8)]);
    // `main` moved at 110, and came into the branch at 120.
    assert_eq!(past.branches[0].alignments, [landing(120, 10)]);
    let stood: Vec<_> =
        past.branches[0].stood.iter().map(|stood| stood.map(|stood| (stood.ahead, stood.behind))).collect();
    assert_eq!(stood, [Some((1, 0)), Some((1, 3)), Some((2, 0)), Some((3, 1))]);
    let left: Vec<_> = past.branches[0].stood.iter().map(|stood| stood.unwrap().left_at).collect();
    assert_eq!(left, [None, Some(Timestamp(3600 * 110)), None, Some(Timestamp(3600 * 130))]);
}

#[test]
fn a_branch_that_landed_is_there_until_it_landed() {
    let stream = [commit("main", 1, 100, &[]), commit("done", 2, 102, &[1]), commit("main", 3, 110, &[1, 2])].concat();
    let drawn = Drawn::new(&stream);
    let ends = [101, 103, 115].map(|hour| Timestamp(3600 * hour)).to_vec();
    let past = rebuilt(drawn.0.path(), &["done"], ends);
    let is_there: Vec<bool> = past.branches[0].stood.iter().map(Option::is_some).collect();
    assert_eq!(is_there, [false, true, false]);
}

#[test]
fn weeks_end_on_mondays_and_the_last_is_now() {
    let now = Timestamp(1_795_867_200);
    let ends = past::week_ends(now);
    assert_eq!((now.rfc3339().as_str(), ends.len()), ("2026-11-28T12:00:00Z", 53));
    assert_eq!(ends[51].rfc3339(), "2026-11-23T00:00:00Z");
    assert_eq!(ends[0].rfc3339(), "2025-12-01T00:00:00Z");
    assert_eq!(ends[52], now);
}
