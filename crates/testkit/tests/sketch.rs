//! What a sketch says is what git sees in the repository.

use std::collections::BTreeSet;

use alignwatch_model::Oid;
use alignwatch_testkit::{CommitGraph, Repo, START, git, git_version, sketch};

const CROSSED: &str = "
    main:    a b c m<x d
    feature: b x n<c y
    octo:    a o<y,d,lone
    other:   lone
";

fn parents(repo: &Repo, label: &str) -> Vec<String> {
    let ids = repo.git(["rev-list", "--parents", "-1", &repo.oid(label).hex()]);
    ids.split(' ').skip(1).map(|id| label_of(repo, id)).collect()
}

fn label_of(repo: &Repo, id: &str) -> String {
    let oid = Oid::from_hex(id.as_bytes()).expect("git prints ids");
    repo.label(&oid).expect("the commit is drawn").to_owned()
}

#[test]
fn the_same_sketch_has_the_same_ids_everywhere() {
    let repo = sketch(CROSSED).draw();
    assert_eq!(repo.oid("d"), sketch(CROSSED).worktree().loose_objects().draw().oid("d"));
    assert_eq!(repo.oid("d").hex(), "f441456f8a8078e5504db44c7d6bd8821d4ff994");
}

#[test]
fn parents_are_as_drawn_whatever_the_order_of_lines() {
    let repo = sketch(CROSSED).draw();
    assert_eq!(parents(&repo, "m"), ["c", "x"]);
    assert_eq!(parents(&repo, "n"), ["x", "c"]);
    assert_eq!(parents(&repo, "o"), ["a", "y", "d", "lone"]);
    assert_eq!(parents(&repo, "lone"), [""; 0]);
    assert_eq!(parents(&repo, "a"), [""; 0]);
}

#[test]
fn crossed_lines_have_two_merge_bases() {
    let repo = sketch(CROSSED).draw();
    let bases = repo.git(["merge-base", "--all", "main", "feature"]);
    let bases: BTreeSet<String> = bases.lines().map(|id| label_of(&repo, id)).collect();
    assert_eq!(bases, BTreeSet::from(["c".to_owned(), "x".to_owned()]));
}

#[test]
fn a_drawn_repository_is_sound_in_every_kind() {
    let plain = sketch(CROSSED);
    let kinds = [
        plain.clone(),
        plain.clone().worktree(),
        plain.clone().sha256().packed_refs(),
        plain.clone().loose_objects().commit_graph(CommitGraph::Single),
        plain.clone().commit_graph(CommitGraph::Split),
        plain.clone().commit_graph(CommitGraph::Stale),
    ];
    for kind in kinds {
        let repo = kind.draw();
        repo.git(["fsck", "--strict", "--no-dangling"]);
        assert_eq!(repo.git(["for-each-ref", "--format=%(refname:short)"]), "feature\nmain\nocto\nother", "{kind:?}");
    }
}

#[test]
fn refs_live_in_a_reftable_when_asked() {
    if git_version() < (2, 45) {
        return;
    }
    let repo = sketch(CROSSED).reftable().draw();
    assert_eq!(repo.git(["rev-parse", "--show-ref-format"]), "reftable");
    assert_eq!(repo.git(["rev-parse", "feature"]), repo.oid("y").hex());
}

#[test]
fn a_split_commit_graph_has_layers_and_a_stale_one_lacks_commits() {
    let split = sketch(CROSSED).commit_graph(CommitGraph::Split).draw();
    let chain = std::fs::read_to_string(split.git_dir().join("objects/info/commit-graphs/commit-graph-chain"));
    assert_eq!(chain.expect("there is a chain").lines().count(), 3);
    let stale = sketch(CROSSED).commit_graph(CommitGraph::Stale).draw();
    assert!(stale.git_dir().join("objects/info/commit-graph").is_file());
    stale.git(["commit-graph", "verify"]);
}

#[test]
fn every_kind_of_ref_can_be_drawn() {
    let repo = sketch(
        r"
        main: a b
        tag v1: a
        refs/tags/v2: b
        remote origin/main: a x
        remote origin/HEAD -> remote origin/main
        refs/pull/1/head: x
        odd/\xff\xe2\x80\xae: b        # no text, and one that turns the line round
        -: b lost
        HEAD -> unborn
    ",
    )
    .draw();
    let listed = repo.git_output(["for-each-ref", "--format=%(refname) %(objecttype) %(symref)"]).stdout;
    let listed = String::from_utf8_lossy(&listed).replace('\u{fffd}', "?").replace('\u{202e}', "<");
    assert_eq!(
        listed,
        "refs/heads/main commit \nrefs/heads/odd/?< commit \nrefs/pull/1/head commit \n\
         refs/remotes/origin/HEAD commit refs/remotes/origin/main\nrefs/remotes/origin/main commit \n\
         refs/tags/v1 tag \nrefs/tags/v2 commit \n"
    );
    assert_eq!(repo.git(["symbolic-ref", "HEAD"]), "refs/heads/unborn");
    assert_eq!(repo.git(["cat-file", "-t", &repo.oid("lost").hex()]), "commit");
}

#[test]
fn head_can_be_detached_and_a_sketch_can_be_empty() {
    let repo = sketch("main: a b\nHEAD: a").draw();
    assert!(!repo.git_output(["symbolic-ref", "-q", "HEAD"]).status.success());
    assert_eq!(repo.git(["rev-parse", "HEAD"]), repo.oid("a").hex());
    let empty = sketch("").worktree().draw();
    assert_eq!(empty.git(["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(empty.git(["for-each-ref"]), "");
}

#[test]
fn dates_authors_and_messages_are_as_drawn() {
    let repo = sketch("main: a b@2026-03-04T05:06:07Z/+1d~bob'fix: it|why' c@1700000000").draw();
    let show = |label: &str| repo.git(["log", "-1", "--format=%ct %at %cn %an <%ae> %B", &repo.oid(label).hex()]);
    assert_eq!(show("a").trim_end(), format!("{START} {START} ann ann <ann@example.org> a"));
    assert_eq!(show("b").trim_end(), format!("1772600767 {} bob bob <bob@example.org> fix: it\nwhy", START + 86_400));
    assert!(show("c").starts_with("1700000000 1700000000"));
    assert_eq!(repo.newest_at().0, 1_772_600_767);
}

#[test]
fn every_kind_of_change_reaches_the_tree() {
    let repo = sketch(
        r"
        main: a(f=1..5, d/x=one, d/y=two, old=text, bin=0x00ff, run=#!/bin/sh)
              b(f[2]=zwei|zwei, f[+]=6, d=>e, -old, +x run, l->f, sub=@c1, none=, open:=x, with\sspace \xff=x)
    "
        .replace("\n              b", " b"),
    )
    .draw();
    assert_eq!(repo.git(["show", "main:f"]), "1\nzwei\nzwei\n3\n4\n5\n6");
    let listed = repo.git(["ls-tree", "-r", "main"]);
    let listed: Vec<(&str, &str)> =
        listed.lines().map(|line| (&line[..6], line.rsplit('\t').next().unwrap_or_default())).collect();
    assert_eq!(
        listed,
        [
            ("100644", "bin"),
            ("100644", "e/x"),
            ("100644", "e/y"),
            ("100644", "f"),
            ("120000", "l"),
            ("100644", "none"),
            ("100644", "open"),
            ("100755", "run"),
            ("160000", "sub"),
            ("100644", "\"with space \\377\""),
        ]
    );
    assert_eq!(repo.git(["rev-parse", "main:sub"]), "c1".repeat(20));
    assert_eq!(repo.git_output(["show", "main:open"]).stdout, b"x");
    assert_eq!(repo.git_output(["show", "main:bin"]).stdout, [0, 255]);
}

#[test]
fn a_directory_can_take_the_place_of_a_file_and_back() {
    let repo = sketch("main: a(d=file) b(d/x=inside) c(d=file again)").draw();
    assert_eq!(repo.git(["ls-tree", "-r", "--name-only", &repo.oid("b").hex()]), "d/x");
    assert_eq!(repo.git(["ls-tree", "-r", "--name-only", "main"]), "d");
}

#[test]
fn clones_lack_what_they_should_lack() {
    let shallow = sketch("main: a b c d").shallow(2).draw();
    assert_eq!(shallow.git(["rev-parse", "--is-shallow-repository"]), "true");
    assert_eq!(shallow.git(["rev-list", "--count", "main"]), "2");
    let partial = sketch("main: a b c d").partial("blob:none").draw();
    let missing = partial.git(["rev-list", "--objects", "--all", "--missing=print"]);
    assert_eq!(missing.lines().filter(|line| line.starts_with('?')).count(), 4);
    assert_eq!(git(partial.origin().expect("it is a clone"), ["rev-list", "--count", "main"]), "4");
}

#[test]
fn a_repository_can_be_drawn_on() {
    let mut repo = sketch("main: a b\nfeature: a x").worktree().draw();
    repo.draw_more("main: b c m<x\nlate: c l");
    assert_eq!(parents(&repo, "m"), ["c", "x"]);
    assert_eq!(repo.git(["rev-parse", "main", "feature", "late"]).lines().count(), 3);
    assert_eq!(repo.git(["rev-list", "--count", "main"]), "5");
    repo.git(["fsck", "--strict"]);
}

#[test]
fn an_object_can_be_taken_away_and_a_ref_be_broken() {
    let repo = sketch("main: a(f=x) b").draw();
    repo.remove_object("main:f");
    assert!(!repo.git_output(["cat-file", "-e", "main:f"]).status.success());
    assert_eq!(repo.git(["rev-list", "--count", "main"]), "2");
    repo.write_ref_by_hand(b"refs/heads/broken", b"no id\n");
    assert!(!repo.git_output(["rev-parse", "--verify", "refs/heads/broken"]).status.success());
}

#[test]
#[should_panic(expected = "cannot draw this sketch: 1:9: commit `q` is not drawn anywhere")]
fn a_wrong_sketch_ends_the_test_with_the_place() {
    sketch("main: a m<q").draw();
}
