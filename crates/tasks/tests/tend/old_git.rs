//! An older git: what it does not know is done in its own way, with the same end.
//!
//! The git at hand says an older version, and refuses what that one does not know, as it does: with exit code 129.

use std::fs;

use alignwatch_model::task::{Came, Report};
use alignwatch_testkit::{git, sketch};

use crate::world::World;

/// A command, what it did not know before, and the release that brought it.
///
/// Source: git's own documents and sources at v2.31.8 to v2.38.0.
const NEWER: [(&str, &str, (u32, u32)); 7] = [
    ("repack", "--geometric=2", (2, 32)),
    ("fetch", "--prefetch", (2, 32)),
    ("repack", "--write-midx", (2, 34)),
    ("multi-pack-index", "--bitmap", (2, 34)),
    ("worktree", "-z", (2, 36)),
    ("repack", "--cruft", (2, 37)),
    ("merge-tree", "--write-tree", (2, 38)),
];

/// The world with a git of this release.
fn with_git(mut world: World, release: (u32, u32)) -> World {
    let unknown = NEWER.iter().filter(|(.., since)| release < *since);
    let refuse = |(command, option, _): &(&str, &str, (u32, u32))| {
        format!("case \" $* \" in *' {command} '*' {option} '*) echo 'error: unknown option' >&2; exit 129;; esac\n")
    };
    let (major, minor) = release;
    let version = format!(
        "case \" $* \" in *' version '*|*' --version '*) echo 'git version {major}.{minor}.9'; exit 0;; esac\n"
    );
    world.with_fake_git(&(version + &unknown.map(refuse).collect::<String>() + "exec \"$real\" \"$@\""));
    assert_eq!(world.git.version().text, format!("{major}.{minor}.9"));
    world
}

fn effect(world: &World, task: &str) -> Report {
    let objects = world.objects();
    let report = world.run(task);
    assert_eq!(report.result, Came::Effect, "{task}: {report:?}");
    assert_eq!(world.objects(), objects, "{task}");
    world.assert_sound();
    report
}

#[test]
fn before_2_37_a_full_repack_keeps_what_nothing_reaches_in_the_one_pack() {
    let mut world = with_git(World::messy(), (2, 31));
    world.ahead = 7 * 86_400;
    let lonely = world.repo.path().join("lonely");
    fs::write(&lonely, "nothing reaches this\n").unwrap();
    let lonely = world.repo.git(["hash-object", "-w", lonely.to_str().unwrap()]);
    let (plan, _) = world.plan("full-repack");
    assert!(plan.steps.contains(&"git repack -d -l -a --keep-unreachable".to_owned()), "{plan:?}");
    effect(&world, "full-repack");
    assert_eq!(world.count("packs"), 1);
    assert_eq!(world.repo.git(["cat-file", "-t", &lonely]), "blob");
}

#[test]
fn before_2_34_small_packs_are_joined_over_the_index_of_all() {
    let world = with_git(World::messy(), (2, 31));
    let before = world.count("packs");
    let (plan, _) = world.plan("geometric-repack");
    assert!(plan.steps.iter().any(|step| step.starts_with("git multi-pack-index repack --batch-size=")), "{plan:?}");
    effect(&world, "geometric-repack");
    assert!(world.count("packs") < before, "{before} packs before, {} after", world.count("packs"));
    assert_eq!(world.count("count"), 0, "loose objects");
}

#[test]
fn before_2_34_the_index_over_all_packs_has_no_bitmap_and_that_is_no_fault() {
    let mut repo = sketch("main: a b").draw();
    repo.git(["repack", "-adq"]);
    repo.draw_more("main: b c d");
    repo.git(["repack", "-dq"]);
    let world = with_git(World::of(repo), (2, 31));
    let (plan, _) = world.plan("multi-pack-index");
    assert!(plan.steps.contains(&"git multi-pack-index write".to_owned()), "{plan:?}");
    effect(&world, "multi-pack-index");
    assert_eq!(world.came("multi-pack-index"), Came::Noop, "no bitmap is missing");
}

#[test]
fn before_2_32_a_prefetch_brings_the_same_refs() {
    let origin = sketch("main: a b\n topic: a x").draw();
    let prefetched = |release| {
        let repo = sketch("main: a b").worktree().draw();
        repo.git(["remote", "add", "origin", origin.path().to_str().unwrap()]);
        let world = with_git(World::of(repo), release);
        assert_eq!(world.forced("prefetch").result, Came::Effect);
        git(world.repo.path(), ["for-each-ref", "--format=%(objectname) %(refname)", "refs/prefetch", "refs/remotes"])
    };
    let now = prefetched((2, 47));
    assert!(now.contains("refs/prefetch/remotes/origin/topic") && !now.contains(" refs/remotes"), "{now}");
    assert_eq!(prefetched((2, 31)), now);
}

#[test]
fn before_2_36_a_backup_holds_the_heads_of_linked_worktrees() {
    let world = with_git(World::messy(), (2, 31));
    let linked = world.repo.room().join("linked");
    let head = git(&linked, ["rev-parse", "HEAD"]);
    effect(&world, "backup");
    let mut manifests = Vec::new();
    for shelf in fs::read_dir(world.data.path().join("backups")).unwrap() {
        for backup in fs::read_dir(shelf.unwrap().path()).unwrap() {
            manifests.extend(fs::read_to_string(backup.unwrap().path().join("manifest.json")));
        }
    }
    assert!(manifests.iter().any(|text| text.contains(&head) && text.contains("/worktrees/")), "{manifests:?}");
    assert_eq!(world.came("restore-drill"), Came::Effect);
}

#[test]
fn a_release_that_may_lose_objects_repacks_nothing() {
    let mut world = with_git(World::messy(), (2, 34));
    world.ahead = 7 * 86_400;
    for task in ["full-repack", "geometric-repack"] {
        let report = world.run(task);
        assert_eq!(report.result, Came::Skipped, "{report:?}");
        assert!(report.because.contains("this git is known to damage repositories"), "{report:?}");
    }
    assert_eq!(world.came("pack-refs"), Came::Effect, "what it does well it does");
}
