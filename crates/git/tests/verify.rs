//! Every way of losing work that we know of, made by hand, and the honest runs beside them.

#![expect(clippy::unwrap_used, reason = "these are tests, also where they are not in a test function")]

use std::fs;

use alignwatch_git::{
    repository::open,
    run::Git,
    stop::Stop,
    verify::{Question, verify},
};
use alignwatch_model::{Oid, Severity, run::verification::Verified};
use alignwatch_testkit::{Repo, git_output, sketch};

/// `main` went on at `base.txt` and `ci.yml`, `x` has two commits of its own; both changed `both.txt`, at other places.
fn apart() -> Repo {
    sketch(
        "main: a(both=1..20, base=old, ci.yml=jobs, tests=1..3) b(base=mended|by the base) c(both[2]=of main, tests[+]=of main)
         x:    a p(feature=one|two|three) q(both[18]=of branch, more=line one|line two)",
    )
    .worktree()
    .draw()
}

/// Both changed the same lines of `f`: a block of tests on the branch, one line on `main`.
fn in_conflict() -> Repo {
    sketch(
        "main: a(f=head|middle|tail) b(f=head|middle of main|tail)
         x:    a p(f=head|test one|test two|test three|test four|test five|test six|tail, g=kept)",
    )
    .worktree()
    .draw()
}

/// What is found when the branch `x` has moved from where it was to where it is now.
fn found(repo: &Repo, before: Oid, base: Option<Oid>) -> Verified {
    let tip = git_output(repo.path(), ["rev-parse", "--verify", "-q", "refs/heads/x"]);
    let after = Oid::from_hex(tip.stdout.trim_ascii()).ok();
    let question = Question { branch: "refs/heads/x".into(), before, after, base };
    let opened = open(repo.path()).unwrap();
    let git = Git::find().unwrap();
    let at = git.at(&opened).unwrap();
    let mut found = verify(&at, &[question], &Stop::default());
    assert!(found.unknown.is_empty(), "{:?}", found.unknown);
    found.branches.remove(0)
}

/// The losses of this gravity as `kind: paths`.
fn losses(found: &Verified, severity: Severity) -> Vec<String> {
    let grave = found.losses.iter().filter(|loss| loss.severity == severity);
    grave.map(|loss| format!("{}: {}", loss.kind.word(), loss.paths.join(" "))).collect()
}

fn critical(repo: &Repo, before: &str, base: &str) -> Vec<String> {
    let found = found(repo, repo.oid(before), Some(repo.oid(base)));
    assert!(found.unknown.is_empty(), "{:?}", found.unknown);
    for loss in found.losses.iter().filter(|loss| loss.severity == Severity::Critical) {
        assert!(!loss.commits.is_empty(), "no commit is named: {loss:?}");
    }
    losses(&found, Severity::Critical)
}

fn write(repo: &Repo, name: &str, text: &str) {
    fs::write(repo.path().join(name), text).unwrap();
}

/// Begins a merge of `main` into `x` that is not committed yet.
fn merging(repo: &Repo, args: &[&str]) {
    repo.git(["checkout", "-q", "x"]);
    let mut all = vec!["merge", "-q", "--no-commit", "--no-ff"];
    all.extend(args);
    all.push("main");
    git_output(repo.path(), all);
}

fn commit(repo: &Repo) {
    repo.git(["add", "-A"]);
    repo.git(["commit", "-q", "--no-edit", "--allow-empty"]);
}

// Honest runs

#[test]
fn a_fast_forward_loses_nothing() {
    let repo = sketch("main: a b\n x: a").draw();
    repo.git(["update-ref", "refs/heads/x", &repo.oid("b").hex()]);
    assert_eq!(critical(&repo, "a", "b"), [""; 0]);
}

#[test]
fn a_clean_merge_loses_nothing() {
    let repo = apart();
    merging(&repo, &[]);
    commit(&repo);
    assert_eq!(critical(&repo, "q", "c"), [""; 0]);
}

#[test]
fn a_clean_rebase_loses_nothing() {
    for method in ["--merge", "--apply"] {
        let repo = apart();
        repo.git(["rebase", "-q", method, "main", "x"]);
        let found = found(&repo, repo.oid("q"), Some(repo.oid("c")));
        assert_eq!(losses(&found, Severity::Critical), [""; 0], "{method}");
        assert_eq!((found.contains_base, found.n_own), (Some(true), Some(2)));
        assert!(found.kept_by.unwrap().starts_with("the reflog of"));
    }
}

#[test]
fn a_squash_onto_the_base_loses_nothing() {
    let repo = apart();
    repo.git(["checkout", "-q", "--detach", "main"]);
    repo.git(["merge", "-q", "--squash", "x"]);
    repo.git(["commit", "-q", "-m", "all of x"]);
    repo.git(["update-ref", "refs/heads/x", "HEAD"]);
    assert_eq!(critical(&repo, "q", "c"), [""; 0]);
}

#[test]
fn a_conflict_that_was_solved_with_edits_loses_nothing() {
    let solved = "head\nmiddle of main, and\ntest one\ntest two\ntest three\ntest 4\ntest five\ntest six\ntail\n";
    let repo = in_conflict();
    merging(&repo, &[]);
    write(&repo, "f", solved);
    commit(&repo);
    assert_eq!(critical(&repo, "p", "b"), [""; 0], "by a merge");

    let repo = in_conflict();
    assert!(!git_output(repo.path(), ["rebase", "main", "x"]).status.success());
    write(&repo, "f", solved);
    repo.git(["add", "f"]);
    repo.git(["-c", "core.editor=true", "rebase", "--continue"]);
    assert_eq!(critical(&repo, "p", "b"), [""; 0], "by a rebase");
}

#[test]
fn a_file_that_a_later_commit_of_the_run_moves_is_not_lost() {
    let repo = apart();
    merging(&repo, &[]);
    commit(&repo);
    repo.git(["mv", "feature", "renamed"]);
    commit_as(&repo, "tidy");
    assert_eq!(critical(&repo, "q", "c"), [""; 0]);
}

fn commit_as(repo: &Repo, message: &str) {
    repo.git(["add", "-A"]);
    repo.git(["commit", "-q", "-m", message]);
}

#[test]
fn a_plain_commit_is_nobodys_loss() {
    let repo = apart();
    repo.git(["checkout", "-q", "x"]);
    repo.git(["rm", "-q", "more"]);
    commit_as(&repo, "more is not needed");
    assert_eq!(critical(&repo, "q", "a"), [""; 0]);
}

#[test]
fn a_branch_that_was_deleted_after_it_landed_loses_nothing() {
    let repo = sketch("main: a m<q n\n x: a p q").draw();
    repo.git(["update-ref", "-d", "refs/heads/x"]);
    assert_eq!(critical(&repo, "q", "n"), [""; 0], "by a merge");
    let repo = sketch("main: a b s(one=1, two=2)\n x: a p(one=1) q(two=2)").draw();
    repo.git(["update-ref", "-d", "refs/heads/x"]);
    assert_eq!(critical(&repo, "q", "s"), [""; 0], "by a squash");
}

// Losses

#[test]
fn a_clean_merge_that_drops_patches_of_the_branch_is_found() {
    let repo = apart();
    merging(&repo, &[]);
    // What the branch had done to these two files is not taken along.
    repo.git(["checkout", "main", "--", "both"]);
    repo.git(["rm", "-q", "-f", "feature"]);
    commit(&repo);
    assert_eq!(critical(&repo, "q", "c"), ["files_deleted: feature", "changes_reverted: both"]);
}

#[test]
fn a_merge_that_deletes_ci_is_found() {
    let repo = apart();
    merging(&repo, &[]);
    repo.git(["rm", "-q", "ci.yml"]);
    commit(&repo);
    assert_eq!(critical(&repo, "q", "c"), ["files_deleted: ci.yml"]);
}

#[test]
fn a_silent_revert_of_a_fix_is_found() {
    let repo = apart();
    merging(&repo, &[]);
    repo.git(["checkout", "x", "--", "base"]);
    commit(&repo);
    assert_eq!(critical(&repo, "q", "c"), ["changes_reverted: base"], "in the merge");

    let repo = apart();
    merging(&repo, &[]);
    commit(&repo);
    write(&repo, "base", "old\n");
    commit_as(&repo, "sync");
    assert_eq!(critical(&repo, "q", "c"), ["changes_reverted: base"], "in a commit after it");
}

#[test]
fn right_ancestry_with_wrong_content_is_found() {
    let repo = apart();
    repo.git(["checkout", "-q", "x"]);
    repo.git(["merge", "-q", "-s", "ours", "main"]);
    let found = found(&repo, repo.oid("q"), Some(repo.oid("c")));
    assert_eq!(found.contains_base, Some(true), "which proves nothing");
    assert_eq!(losses(&found, Severity::Critical), ["side_dropped: base both tests"]);
}

#[test]
fn one_side_that_was_taken_whole_is_found() {
    let repo = apart();
    merging(&repo, &[]);
    repo.git(["rm", "-q", "-r", "-f", "."]);
    repo.git(["checkout", "main", "--", "."]);
    commit(&repo);
    assert_eq!(critical(&repo, "q", "c"), ["side_dropped: both feature more"]);
}

#[test]
fn a_resolver_that_drops_tests_is_found() {
    let repo = in_conflict();
    merging(&repo, &[]);
    repo.git(["checkout", "--theirs", "f"]);
    commit(&repo);
    assert_eq!(critical(&repo, "p", "b"), ["lines_lost: f"], "in a merge");

    let repo = in_conflict();
    assert!(!git_output(repo.path(), ["rebase", "main", "x"]).status.success());
    repo.git(["checkout", "--ours", "f"]);
    repo.git(["add", "f"]);
    repo.git(["-c", "core.editor=true", "rebase", "--continue"]);
    assert_eq!(critical(&repo, "p", "b"), ["lines_lost: f"], "in a rebase");
}

#[test]
fn a_submodule_that_falls_back_to_its_old_commit_is_found() {
    let repo = sketch("main: a(f=1)\n x: a").worktree().draw();
    let pin = |digit: &str| {
        repo.git(["update-index", "--add", "--cacheinfo", &format!("160000,{},sub", digit.repeat(40))]);
    };
    let tip = |name: &str| Oid::from_hex(repo.git(["rev-parse", name]).trim().as_bytes()).unwrap();
    repo.git(["checkout", "-q", "main"]);
    pin("1");
    repo.git(["commit", "-q", "-m", "pinned"]);
    repo.git(["checkout", "-q", "-B", "x"]);
    repo.git(["commit", "-q", "--allow-empty", "-m", "of its own"]);
    let before = tip("x");
    repo.git(["checkout", "-q", "main"]);
    pin("2");
    repo.git(["commit", "-q", "-m", "pinned anew"]);
    merging(&repo, &[]);
    pin("1");
    repo.git(["commit", "-q", "--no-edit"]);
    let found = found(&repo, before, Some(tip("main")));
    assert_eq!(losses(&found, Severity::Critical), ["side_dropped: sub"]);
}

#[test]
fn markers_that_were_committed_are_found() {
    let repo = in_conflict();
    merging(&repo, &[]);
    commit(&repo);
    assert_eq!(critical(&repo, "p", "b"), ["markers_committed: f"]);
}

#[test]
fn a_rebase_that_drops_a_commit_is_found() {
    let repo = apart();
    repo.git(["checkout", "-q", "-B", "x", "main"]);
    repo.git(["cherry-pick", &repo.oid("q").hex()]);
    let found = found(&repo, repo.oid("q"), Some(repo.oid("c")));
    let lost = found.losses.iter().find(|loss| loss.kind.word() == "commits_lost").unwrap();
    assert_eq!(lost.commits, [repo.oid("p").hex()]);
    assert_eq!(lost.paths, ["feature"]);
}

#[test]
fn a_force_push_over_other_work_is_found() {
    let repo = sketch("main: a b\n x: b p q\n other: b r").draw();
    repo.git(["update-ref", "refs/heads/x", &repo.oid("r").hex()]);
    let told = critical(&repo, "q", "b");
    assert!(told.contains(&"commits_lost: p q".to_owned()), "{told:?}");
    let repo = sketch("main: a b\n x: a p q").draw();
    repo.git(["update-ref", "refs/heads/x", &repo.oid("a").hex()]);
    let found = found(&repo, repo.oid("q"), None);
    assert!(losses(&found, Severity::Critical).contains(&"commits_lost: p q".to_owned()), "the base itself");
    assert_eq!(losses(&found, Severity::Warning), ["tip_not_kept: "], "bare: there is no reflog");
}

#[test]
fn a_branch_that_never_took_its_base_in_loses_nothing_of_it() {
    let repo = apart();
    repo.git(["update-ref", "refs/heads/x", &repo.oid("p").hex()]);
    assert_eq!(critical(&repo, "q", "c"), ["commits_lost: both more", "side_dropped: both more"]);
}

#[test]
fn a_branch_that_was_deleted_with_its_work_is_found() {
    let repo = sketch("main: a b\n x: a p q").draw();
    repo.git(["update-ref", "-d", "refs/heads/x"]);
    assert_eq!(critical(&repo, "q", "b"), ["commits_lost: p q"]);
}

// What cannot be told

#[test]
fn objects_that_are_gone_make_it_unknown_and_never_fine() {
    let repo = apart();
    repo.git(["rebase", "-q", "main", "x"]);
    repo.remove_object(&repo.oid("p").hex());
    let found = found(&repo, repo.oid("q"), Some(repo.oid("c")));
    assert!(!found.unknown.is_empty(), "{found:?}");
}

#[test]
fn the_same_question_has_the_same_answer() {
    let repo = apart();
    repo.git(["checkout", "-q", "x"]);
    repo.git(["merge", "-q", "-s", "ours", "main"]);
    let ask = || found(&repo, repo.oid("q"), Some(repo.oid("c")));
    assert_eq!(ask(), ask());
}
