//! The same numbers whatever the graph comes from: no file, one, a chain, a stale one, a borrowed one, our own.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod history;

use std::{fs, path::Path};

use alignwatch_git::graph::{Graph, GraphSources, Side};
use history::{Repo, Worlds, git_in};

const SPLIT: [&str; 4] = ["commit-graph", "write", "--reachable", "--split=no-merge"];

fn write(repo: &Repo) {
    repo.git(&["commit-graph", "write", "--reachable"]);
}

fn worlds(n_stages: usize, after: impl FnMut(&Repo, usize)) -> Worlds {
    Worlds::in_stages(Repo::new(), 11, 30, 24, n_stages, after)
}

/// The sources of a repository, with a place for a graph of our own.
fn sources_beside(repo: &Repo, side: &Path) -> GraphSources {
    GraphSources { side_dir: Some(side.to_owned()), ..repo.sources() }
}

#[test]
fn one_file_that_has_everything() {
    let worlds = worlds(1, |repo, _| write(repo));
    let (graph, coverage) = worlds.repo.graph();
    worlds.compare(&graph);
    assert_eq!((coverage.n_read, coverage.side), (0, Side::Unused));
    let seen = coverage.commit_graph;
    assert_eq!((seen.n_layers, seen.n_covered as usize, seen.n_missing), (1, graph.len(), 0));
    assert_eq!((seen.disabled, seen.damage), (None, None));
}

#[test]
fn a_chain_of_three_layers() {
    let worlds = worlds(3, |repo, _| drop(repo.git(&SPLIT)));
    let (graph, coverage) = worlds.repo.graph();
    worlds.compare(&graph);
    assert_eq!((coverage.n_read, coverage.commit_graph.n_layers), (0, 3));
}

#[test]
fn a_stale_file_and_a_stale_chain_are_completed_from_objects() {
    let file = worlds(3, |repo, stage| {
        if stage == 1 {
            write(repo)
        }
    });
    let chain = worlds(3, |repo, stage| {
        if stage < 3 {
            drop(repo.git(&SPLIT))
        }
    });
    for (worlds, n_layers) in [(file, 1), (chain, 2)] {
        let (graph, coverage) = worlds.repo.graph();
        worlds.compare(&graph);
        let seen = coverage.commit_graph;
        assert_eq!((seen.n_layers, (seen.n_covered + seen.n_missing) as usize), (n_layers, graph.len()));
        assert!(seen.n_missing > 0 && seen.n_missing == coverage.n_read);
    }
}

#[test]
fn where_a_file_and_a_chain_are_there_the_file_is_read_as_git_does() {
    let worlds = worlds(2, |repo, stage| {
        if stage == 1 {
            write(repo)
        }
    });
    let file = worlds.repo.dir.join("objects/info/commit-graph");
    let n_in_file = worlds.repo.graph().1.commit_graph.n_covered;
    let kept = fs::read(&file).unwrap();
    worlds.repo.git(&["commit-graph", "write", "--reachable", "--split=replace"]);
    assert_eq!(worlds.repo.graph().1.commit_graph.n_missing, 0);
    fs::write(&file, kept).unwrap();
    assert_eq!(worlds.repo.graph().1.commit_graph.n_covered, n_in_file);
    worlds.compare(&worlds.repo.graph().0);
}

#[test]
fn a_borrowing_repository_uses_the_graph_of_the_other() {
    let lender = worlds(2, |repo, stage| {
        if stage == 1 {
            drop(repo.git(&SPLIT))
        }
    });
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("borrower.git");
    git_in(temp.path(), &["clone", "-q", "--mirror", "--shared", &lender.dir(), "borrower.git"], "");
    let borrower = Repo::at(&dir);
    let (graph, coverage) = borrower.graph();
    lender.compare(&graph);
    assert!(coverage.n_read > 0 && coverage.commit_graph.n_layers == 1);
    // Now a layer of its own on top of the borrowed one.
    borrower.git(&SPLIT);
    let (graph, coverage) = borrower.graph();
    lender.compare(&graph);
    assert_eq!((coverage.n_read, coverage.commit_graph.n_layers), (0, 2));
}

#[test]
fn our_own_graph_is_written_once_and_makes_reading_commits_unnecessary() {
    let (worlds, side) = (worlds(1, |_, _| {}), tempfile::tempdir().unwrap());
    let dir = side.path().join("not/there/yet");
    let sources = sources_beside(&worlds.repo, &dir);
    let (graph, coverage) = worlds.repo.graph_with(&sources);
    assert_eq!((coverage.side, coverage.n_read as usize), (Side::Written, graph.len()));
    let (graph, coverage) = worlds.repo.graph_with(&sources);
    worlds.compare(&graph);
    assert_eq!((coverage.side, coverage.n_read), (Side::Used, 0));
    assert_eq!((coverage.commit_graph.n_layers, coverage.commit_graph.n_missing as usize), (0, graph.len()));
}

#[test]
fn our_own_graph_is_a_sound_one_for_git() {
    for object_format in ["sha1", "sha256"] {
        let worlds = Worlds::in_stages(Repo::with_format(object_format), 12, 30, 24, 1, |_, _| {});
        let side = tempfile::tempdir().unwrap();
        worlds.repo.graph_with(&sources_beside(&worlds.repo, side.path()));
        fs::create_dir_all(worlds.repo.dir.join("objects/info")).unwrap();
        fs::copy(side.path().join("commit-graph"), worlds.repo.dir.join("objects/info/commit-graph")).unwrap();
        worlds.repo.git(&["commit-graph", "verify"]);
        worlds.compare(&worlds.repo.graph().0);
    }
}

#[test]
fn our_own_graph_helps_where_that_of_git_is_stale_and_rests_where_it_is_not() {
    let side = tempfile::tempdir().unwrap();
    let worlds = worlds(2, |repo, stage| {
        if stage == 1 {
            write(repo)
        }
    });
    let sources = sources_beside(&worlds.repo, side.path());
    let stale = worlds.repo.graph_with(&sources).1;
    assert_eq!(stale.side, Side::Written);
    let (graph, coverage) = worlds.repo.graph_with(&sources);
    worlds.compare(&graph);
    assert_eq!((coverage.side, coverage.n_read), (Side::Used, 0));
    assert_eq!(coverage.commit_graph, stale.commit_graph, "what Git's own lacks does not depend on ours");
    write(&worlds.repo);
    assert_eq!(worlds.repo.graph_with(&sources).1.side, Side::Unused);
}

#[test]
fn a_few_new_commits_do_not_rewrite_our_own_graph() {
    let side = tempfile::tempdir().unwrap();
    let worlds = worlds(1, |_, _| {});
    let sources = sources_beside(&worlds.repo, side.path());
    worlds.repo.graph_with(&sources);
    let tree = worlds.repo.git(&["rev-parse", "refs/heads/0/0^{tree}"]);
    let new = worlds.repo.git(&["commit-tree", "-m", "new", "-p", "refs/heads/0/3", tree.trim()]);
    worlds.repo.git(&["update-ref", "refs/heads/new", new.trim()]);
    let (_, coverage) = worlds.repo.graph_with(&sources);
    assert_eq!((coverage.side, coverage.n_read), (Side::Used, 1));
}

#[test]
fn where_our_own_graph_cannot_be_kept_only_speed_is_lost() {
    let (worlds, side) = (worlds(1, |_, _| {}), tempfile::tempdir().unwrap());
    let file = side.path().join("file");
    fs::write(&file, "").unwrap();
    let (graph, coverage) = worlds.repo.graph_with(&sources_beside(&worlds.repo, &file.join("dir")));
    worlds.compare(&graph);
    assert!(matches!(coverage.side, Side::Failed(_)), "{coverage:?}");
}

#[test]
fn nothing_is_written_into_the_repository() {
    let (worlds, side) = (worlds(1, |_, _| {}), tempfile::tempdir().unwrap());
    let listing = || git_in(&worlds.repo.dir, &["count-objects", "-v"], "") + &format!("{:?}", files(&worlds.repo.dir));
    let before = listing();
    worlds.repo.graph_with(&sources_beside(&worlds.repo, side.path()));
    assert_eq!(listing(), before);
    assert_eq!(files(side.path()), ["commit-graph"]);
}

/// All files below a directory, sorted.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(at).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => todo.push(entry.path()),
                false => found.push(entry.path().strip_prefix(dir).unwrap().to_string_lossy().into_owned()),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_graph_that_grows_is_as_one_that_was_opened_later() {
    let mut graph: Option<Graph> = None;
    let worlds = worlds(4, |repo, stage| match &mut graph {
        None => graph = Some(repo.graph().0),
        Some(graph) => {
            if stage == 2 {
                write(repo);
            }
            graph.extend(&repo.objects(), &repo.tips());
        }
    });
    worlds.compare(&graph.unwrap());
}
