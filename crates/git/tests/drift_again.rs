//! A history that stayed in memory tells of every branch what one that is read anew tells, however base and branches moved.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{fmt::Write as _, io::Write as _, path::Path, process::Stdio};

use alignwatch_git::{
    graph::{GraphSources, Recent, RecentContents, Trunk, measure},
    objects::Objects,
};
use alignwatch_model::{Drift, Known, Oid};
use alignwatch_testkit::{Shape, generate, git, git_command};

const MOVES: usize = 24;

#[test]
fn what_stayed_in_memory_is_what_is_read_anew() {
    let temp = tempfile::tempdir().unwrap();
    let repository = temp.path().join("repository.git");
    generate(&Shape::like_649().scaled_to(60, 300), &repository);
    let recent = Recent::of_at_least(1);
    let mut n_read = Vec::new();
    for number in 0..MOVES {
        let (again, read) = drifts(&repository, &recent);
        assert_eq!(again, drifts(&repository, &Recent::default()).0, "before move {number}");
        n_read.push(read);
        make_move(&repository, number);
    }
    // Nothing was read twice: what came since the first look is the sum of what each move brought.
    assert!(n_read.is_sorted() && n_read[1] < n_read[MOVES - 1], "{n_read:?}");
}

/// A base that was rewound, or has another line now, is laid out anew.
#[test]
fn a_base_that_went_back_or_aside_is_measured_as_it_is() {
    let temp = tempfile::tempdir().unwrap();
    let repository = temp.path().join("repository.git");
    generate(&Shape::like_649().scaled_to(20, 100), &repository);
    let recent = Recent::of_at_least(1);
    let tip = git(&repository, ["rev-parse", "main"]).trim().to_owned();
    let branch = git(&repository, ["for-each-ref", "--format=%(objectname)", "--count=1", "refs/heads/agent-one"]);
    for to in [&*tip, &format!("{tip}~5"), &tip, branch.trim(), &tip] {
        git(&repository, ["update-ref", "refs/heads/main", to]);
        assert_eq!(drifts(&repository, &recent).0, drifts(&repository, &Recent::default()).0, "main at {to}");
    }
}

/// The drift of each branch, and how many commits were read one by one.
fn drifts(repository: &Path, recent: &Recent) -> (Vec<Known<Drift>>, u32) {
    let sources = GraphSources::in_git_dir(repository, "sha1").unwrap();
    let objects = Objects::open(&sources.object_dirs[0], "sha1").unwrap();
    let listed = git(repository, ["for-each-ref", "--format=%(objectname)", "refs/heads"]);
    let tips: Vec<Oid> = listed.lines().map(|line| Oid::from_hex(line.as_bytes()).unwrap()).collect();
    let main = Oid::from_hex(git(repository, ["rev-parse", "main"]).trim().as_bytes()).unwrap();
    let (graph, coverage) = recent.open(&sources, &objects, &tips);
    let places: Vec<_> = tips.iter().map(|tip| graph.find(tip).unwrap()).collect();
    let trunk = graph.trunk(graph.find(&main).unwrap());
    let found = measure(&graph, &trunk, &places);
    assert_eq!(found, measure(&graph, &Trunk::of(&graph, trunk.tip()), &places), "the trunk is as one that is new");
    drop(trunk);
    let read = coverage.n_read;
    recent.keep(sources, graph, coverage, RecentContents::default());
    (found, read)
}

/// A commit on the base, a merge of a branch into it, a merge of the base into a branch, or a commit on a branch.
fn make_move(repository: &Path, number: usize) {
    let names =
        git(repository, ["for-each-ref", "--format=%(refname)", "refs/heads/agent-one", "refs/heads/agent-two"]);
    let names: Vec<&str> = names.lines().filter(|name| name.is_ascii()).collect();
    let branch = names[number * 7 % names.len()];
    let (onto, merged) = match number % 4 {
        0 => ("refs/heads/main", None),
        1 => ("refs/heads/main", Some(branch)),
        2 => (branch, Some("refs/heads/main")),
        _ => (branch, None),
    };
    // Some are older than all that the base has.
    let seconds = if number.is_multiple_of(5) { 1_000_000_000 } else { 1_790_000_000 + number };
    let mut stream = format!("commit {onto}\ncommitter A <a@example.org> {seconds} +0000\ndata 1\nx\nfrom {onto}^0\n");
    merged.iter().for_each(|merged| writeln!(stream, "merge {merged}^0").unwrap());
    let mut command = git_command(repository, ["fast-import", "--quiet", "--force"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Graph files that are others now are read.
#[test]
fn a_new_commit_graph_is_read() {
    let temp = tempfile::tempdir().unwrap();
    let repository = temp.path().join("repository.git");
    generate(&Shape::like_649().scaled_to(20, 100), &repository);
    let recent = Recent::of_at_least(1);
    drifts(&repository, &recent);
    (0..4).for_each(|number| make_move(&repository, number));
    assert!(0 < drifts(&repository, &recent).1);
    git(&repository, ["commit-graph", "write", "--reachable"]);
    assert_eq!(drifts(&repository, &recent).1, 0);
}

/// What no branch leads to any more does not count, and what was lost meanwhile is unknown.
#[test]
fn what_is_gone_since_the_last_look_is_gone() {
    let temp = tempfile::tempdir().unwrap();
    let repository = temp.path().join("repository.git");
    generate(&Shape::like_649().scaled_to(20, 100), &repository);
    let recent = Recent::of_at_least(1);
    let commit = |onto: &str| {
        let tree = git(&repository, ["rev-parse", "main^{tree}"]);
        let made = git(&repository, ["commit-tree", "-p", onto, "-m", "x", tree.trim()]);
        made.trim().to_owned()
    };
    let first = commit("main");
    let second = commit(&first);
    git(&repository, ["update-ref", "refs/heads/passing", &second]);
    git(&repository, ["update-ref", "refs/heads/other", &commit("main~1")]);
    let both = drifts(&repository, &recent);
    git(&repository, ["update-ref", "-d", "refs/heads/other"]);
    let one = drifts(&repository, &recent);
    assert_eq!(one, drifts(&repository, &Recent::default()));
    assert!(one.1 < both.1, "{} of {}", one.1, both.1);
    let object = repository.join("objects").join(&first[..2]).join(&first[2..]);
    std::fs::remove_file(object).unwrap();
    let lost = drifts(&repository, &recent);
    assert_eq!(lost, drifts(&repository, &Recent::default()));
    assert!(lost.0.iter().any(|drift| drift.seen().is_none()));
}
