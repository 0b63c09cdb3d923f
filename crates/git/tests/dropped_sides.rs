//! Merges that kept one side whole are found by content, and others are not.

#![expect(clippy::unwrap_used, reason = "a test may end at its first surprise")]

use std::path::Path;

use alignwatch_git::{inspect, stop::Stop};
use alignwatch_model::{Known, Look, Timestamp, config::Config, facts::history::DroppedSides};
use alignwatch_testkit::{Repo, git, sketch};

fn seen(repo: &Repo) -> Known<DroppedSides> {
    seen_at(repo.path())
}

fn seen_at(path: &Path) -> Known<DroppedSides> {
    let now = Timestamp(git(path, ["log", "-1", "--format=%ct", "main"]).parse().unwrap());
    let wanted = inspect::Wanted {
        base: None,
        looks: Look::with_required([Look::History]),
        paths_patience: std::time::Duration::ZERO,
        stop: Stop::new(None, Default::default()),
    };
    let memory = tempfile::tempdir().unwrap();
    let look = || inspect::inspect(path, &Config::default(), now, Some(memory.path()), &wanted, &|_| {}).unwrap();
    let seen = look().facts.dropped_sides;
    assert_eq!(look().facts.dropped_sides, seen, "what is remembered is what was found");
    seen
}

/// `n paths, kept the line?` of each merge that was found.
fn found(repo: &Repo) -> Vec<(usize, bool)> {
    seen(repo).seen().unwrap().found.iter().map(|one| (one.n_paths, one.kept_line)).collect()
}

#[test]
fn a_merge_that_took_one_side_of_everything_is_found_whichever_it_took() {
    let repo = sketch("main: a b(f=1)\n topic: a x(g=1) y(h=1)").worktree().draw();
    repo.git(["merge", "-q", "-s", "ours", "--no-edit", "topic"]);
    assert_eq!(found(&repo), [(2, true)]);
    // Git agrees: against its first parent the merge changes nothing.
    assert_eq!(repo.git(["diff", "--stat", "main^1", "main"]), "");

    let repo = sketch("main: a b(f=1)\n topic: a x(g=1)").worktree().draw();
    repo.git(["merge", "-q", "--no-commit", "topic"]);
    repo.git(["read-tree", "topic"]);
    repo.git(["commit", "-q", "-m", "Merge topic"]);
    assert_eq!(found(&repo), [(1, false)]);
    assert_eq!(repo.git(["diff", "--stat", "main^2", "main"]), "");
}

#[test]
fn a_merge_whose_sides_parted_below_the_cut_of_a_shallow_clone_is_not_told_as_fine() {
    let repo = sketch("main: a b(f=1) c(f=2)\n topic: a x(g=1) y(h=1) z(k=1)").worktree().draw();
    repo.git(["merge", "-q", "-s", "ours", "--no-edit", "topic"]);
    let url = format!("file://{}", repo.path().display());
    git(repo.room(), ["clone", "-q", "--bare", "--depth", "2", url.as_str(), "shallow.git"]);
    let Known::Seen(sides) = seen_at(&repo.room().join("shallow.git")) else { panic!("it is unknown") };
    let reasons: Vec<&str> = sides.unread.iter().map(|(_, reason)| reason.as_str()).collect();
    assert!(sides.found.is_empty() && reasons.len() == 1 && reasons[0].contains("cut off"), "{reasons:?}");
}

#[test]
fn merges_that_lose_nothing_are_not_told() {
    // A true merge; one that could have been a fast-forward; one whose work had landed before; one that changed nothing.
    let repo = sketch("main: a b(f=1)\n topic: a x(g=1)\n ahead: b z(k=1)\n picked: a p(f=1)\n empty: a e()")
        .worktree()
        .draw();
    repo.git(["merge", "-q", "--no-ff", "--no-edit", "ahead"]);
    repo.git(["merge", "-q", "--no-edit", "topic"]);
    repo.git(["merge", "-q", "--no-edit", "picked"]);
    repo.git(["merge", "-q", "--no-edit", "empty"]);
    let Known::Seen(sides) = seen(&repo) else { panic!("it is unknown") };
    assert_eq!(sides.found, []);
}
