//! Every way of losing work that we know of, made by hand, and the honest runs beside them.

#![expect(clippy::unwrap_used, reason = "these are tests, also where they are not in a test function")]

use std::fs;

use alignwatch_git::{
    repository::open,
    run::Git,
    stop::Stop,
    verify::{Question, verify},
};
use alignwatch_model::{Oid, Severity, Timestamp, run::verification::Verified};
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
    asked(repo, Question { branch: "refs/heads/x".into(), before: Some(before), after, base, since: Timestamp(0) })
}

/// What is found of one question.
fn asked(repo: &Repo, question: Question) -> Verified {
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

#[test]
fn a_line_that_also_stands_elsewhere_is_missed_where_a_merge_drops_it() {
    let repo = sketch(
        "main: a(f=if a|return none|end) b(g=2)
         x:    a p(f=if a|return none|end|if b|return none|end)",
    )
    .worktree()
    .draw();
    merging(&repo, &[]);
    write(&repo, "f", "if a\nreturn none\nend\nif b\nend\n");
    commit(&repo);
    assert_eq!(critical(&repo, "p", "b"), ["lines_lost: f"]);
}

#[test]
fn a_mode_that_a_merge_takes_back_is_found() {
    let repo = apart();
    repo.git(["checkout", "-q", "main"]);
    repo.git(["update-index", "--chmod=+x", "both"]);
    repo.git(["commit", "-q", "-m", "executable"]);
    repo.git(["checkout", "-q", "--", "."]);
    let base = Oid::from_hex(repo.git(["rev-parse", "main"]).trim().as_bytes()).unwrap();
    let with = |chmod: bool| {
        repo.git(["checkout", "-q", "-f", "-B", "x", &repo.oid("q").hex()]);
        merging(&repo, &[]);
        if chmod {
            repo.git(["update-index", "--chmod=-x", "both"]);
        }
        repo.git(["commit", "-q", "--no-edit"]);
        losses(&found(&repo, repo.oid("q"), Some(base)), Severity::Error)
    };
    assert_eq!(with(false), [""; 0]);
    assert_eq!(with(true), ["modes_changed: both"]);
}

#[test]
fn a_new_branch_that_a_merge_made_by_keeping_one_side_is_found() {
    let repo = apart();
    repo.git(["checkout", "-q", "-b", "integration", "x"]);
    repo.git(["merge", "-q", "-s", "ours", "main"]);
    let tip = Oid::from_hex(repo.git(["rev-parse", "integration"]).trim().as_bytes()).ok();
    let ask = |since| {
        let branch = "refs/heads/integration".to_owned();
        let question = Question { branch, before: None, after: tip, base: Some(repo.oid("c")), since };
        losses(&asked(&repo, question), Severity::Critical)
    };
    assert_eq!(ask(Timestamp(0)), ["side_dropped: base both tests"]);
    assert_eq!(ask(Timestamp(i64::MAX)), [""; 0], "a merge that was there before the run is not its doing");
}

#[test]
fn what_a_push_overwrites_at_a_remote_is_found_and_what_a_fetch_brings_is_not() {
    let remote = sketch("main: a b\n x: a p q").draw();
    let repo = sketch("main: a b\n y: b n").worktree().draw();
    repo.git(["remote", "add", "origin", remote.path().to_str().unwrap()]);
    repo.git(["fetch", "-q", "origin"]);
    repo.git(["checkout", "-q", "-b", "x", "origin/x^"]);
    let before = repo.git(["rev-parse", "origin/x"]).trim().to_owned();
    let question = || {
        let after = Oid::from_hex(repo.git(["rev-parse", "origin/x"]).trim().as_bytes()).ok();
        let before = Oid::from_hex(before.as_bytes()).ok();
        Question { branch: "refs/remotes/origin/x".into(), before, after, base: None, since: Timestamp(0) }
    };
    // Somebody else had pushed q, and the push of the rebased branch takes it away.
    repo.git(["push", "-q", "--force", "origin", "x"]);
    let found = asked(&repo, question());
    assert!(losses(&found, Severity::Critical).contains(&"commits_lost: q".to_owned()), "{found:?}");
    // The same move, when a fetch brings it: others did that.
    repo.git(["update-ref", "refs/remotes/origin/x", &before]);
    repo.git(["fetch", "-q", "origin", "+refs/heads/x:refs/remotes/origin/x"]);
    assert_eq!(losses(&asked(&repo, question()), Severity::Critical), [""; 0]);
}

#[test]
fn a_tag_that_is_gone_is_told_and_is_a_loss_where_only_it_kept_its_commits() {
    let repo = sketch("main: a b\n x: a p q").draw();
    let tip = repo.oid("q");
    repo.git(["tag", "-a", "-m", "done", "v1", &tip.hex()]);
    let tag = Oid::from_hex(repo.git(["rev-parse", "v1"]).trim().as_bytes()).ok();
    repo.git(["tag", "-d", "v1"]);
    let ask = || {
        asked(
            &repo,
            Question { branch: "refs/tags/v1".into(), before: tag, after: None, base: None, since: Timestamp(0) },
        )
    };
    let told = ask();
    assert_eq!(
        (losses(&told, Severity::Warning), losses(&told, Severity::Critical)),
        (vec!["tag_gone: ".into()], vec![])
    );
    assert_eq!(told.kept_by.as_deref(), Some("refs/heads/x"));
    repo.git(["update-ref", "-d", "refs/heads/x"]);
    assert_eq!(losses(&ask(), Severity::Critical), ["commits_lost: p q"]);
}

#[test]
fn a_stash_that_was_dropped_is_a_loss_and_one_that_was_taken_out_is_none() {
    let repo = apart();
    repo.git(["checkout", "-q", "x"]);
    let stashed = |then: &[&str]| {
        write(&repo, "feature", "edited\n");
        write(&repo, "new", "untracked\n");
        repo.git(["stash", "-q", "-u"]);
        let stash = Oid::from_hex(repo.git(["rev-parse", "refs/stash"]).trim().as_bytes()).unwrap();
        repo.git(then.iter().copied());
        let branch = format!("refs/stash@{{{stash}}}");
        let question = Question { branch, before: Some(stash), after: None, base: None, since: Timestamp(0) };
        losses(&asked(&repo, question), Severity::Critical)
    };
    assert_eq!(stashed(&["stash", "drop", "-q"]), ["stash_dropped: feature new"]);
    assert_eq!(stashed(&["stash", "pop", "-q"]), [""; 0], "it is in the working tree");
    commit_as(&repo, "what was stashed");
    repo.git(["checkout", "-q", "main"]);
    let stash = git_output(repo.path(), ["rev-parse", "-q", "--verify", "refs/stash"]);
    assert!(!stash.status.success(), "none is left");
}

#[test]
fn a_merge_of_many_lines_is_not_called_well() {
    let repo = sketch("main: a\n x: a p\n y: a q\n z: a r").worktree().draw();
    repo.git(["checkout", "-q", "x"]);
    let before = repo.oid("p");
    repo.git(["merge", "-q", "y", "z"]);
    let found = found(&repo, before, None);
    assert!(found.unknown.iter().any(|why| why.contains("merges more than two lines")), "{found:?}");
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
