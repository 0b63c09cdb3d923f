//! Stale branches, open requests, links of worktrees, settings, the shape: each by its rule, and back again.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use alignwatch_git::inspect::{Wanted, inspect};
use alignwatch_model::{
    Known, Look,
    config::Config,
    task::{Came, Decision},
};
use alignwatch_tasks::conduct;
use alignwatch_testkit::{git, git_output, sketch};

use crate::world::{World, now};

fn config(text: &str) -> Config {
    Config::from_yaml(text, "f").unwrap().0
}

fn undo(world: &World, id: u64) -> Came {
    conduct::undo(id, world.data.path(), &world.git, &now).unwrap().result
}

/// Each branch with a reflog, as people's have.
fn logged(world: World, branches: &[&str]) -> World {
    for branch in branches {
        let id = world.oid_of(branch);
        world.repo.git(["update-ref", "-d", &format!("refs/heads/{branch}")]);
        world.repo.git(["branch", branch, &id]);
    }
    world
}

fn refs(world: &World) -> String {
    world.repo.git(["for-each-ref", "--format=%(objectname) %(refname)"])
}

const DAY: i64 = 86_400;

#[test]
fn a_stale_branch_is_told_of_first_and_archived_when_nobody_minds_and_comes_back() {
    let mut world = logged(
        World::of(sketch("main: a b\n old: a x\n live: a y\n kept: a z").worktree().draw()),
        &["old", "live", "kept"],
    );
    world.config = config("cleanup: {delete_in: [\"/**\"], rested: 0s, notice: 14d, keep: [kept]}\n");
    let told = world.plan("stale-branches").0;
    assert!(told.steps.iter().any(|step| step.starts_with("tell of refs/heads/old")), "{told:?}");
    assert!(told.notes.iter().any(|note| note.starts_with("refs/heads/kept stays: `cleanup.keep`")), "{told:?}");
    let before = refs(&world);
    assert_eq!(world.came("stale-branches"), Came::Effect, "two were told of");
    assert_eq!(refs(&world), before, "and nothing went");
    world.ahead = 13 * DAY;
    assert_eq!(world.came("stale-branches"), Came::Noop, "the notice lasts");
    // Somebody minds.
    world.repo.git(["checkout", "-q", "live"]);
    world.repo.git(["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "still here"]);
    world.repo.git(["checkout", "-q", "main"]);
    let before = refs(&world);
    let log = fs::read(world.repo.git_dir().join("logs/refs/heads/old")).unwrap();
    world.ahead = 15 * DAY;
    let done = world.done("stale-branches");
    assert_eq!(done.report.result, Came::Effect, "{done:?}");
    let names = world.repo.git(["for-each-ref", "--format=%(refname)", "refs/heads"]);
    assert_eq!(names.lines().collect::<Vec<_>>(), ["refs/heads/kept", "refs/heads/live", "refs/heads/main"]);
    let archived = world.repo.git(["for-each-ref", "--format=%(objectname)", "refs/archive"]);
    assert_eq!(archived.trim(), world.repo.oid("x").hex(), "its work has a name");
    assert_eq!(undo(&world, done.id), Came::Effect);
    assert_eq!(refs(&world), before);
    assert_eq!(fs::read(world.repo.git_dir().join("logs/refs/heads/old")).unwrap(), log);
}

#[test]
fn a_stale_branch_that_moved_since_it_was_told_of_is_told_of_again() {
    let mut world = logged(World::of(sketch("main: a b\n old: a x v").worktree().draw()), &["old"]);
    world.config = config("cleanup: {delete_in: [\"/**\"], rested: 0s}\n");
    assert_eq!(world.came("stale-branches"), Came::Effect);
    // To another commit that is as old.
    world.repo.git(["branch", "-f", "old", "old~1"]);
    world.ahead = 20 * DAY;
    let plan = world.plan("stale-branches").0;
    assert!(plan.steps.iter().all(|step| step.starts_with("tell of")) && plan.steps.len() == 1, "{plan:?}");
    world.config = config("cleanup: {rested: 0s}\n");
    assert_eq!(world.came("stale-branches"), Came::Effect, "telling needs no leave");
    world.ahead = 40 * DAY;
    let plan = world.plan("stale-branches").0;
    assert!(matches!(&plan.decision, Decision::Refuse(why) if why.contains("cleanup.delete_in")), "{plan:?}");
}

#[test]
fn a_branch_with_a_request_stays_and_what_cannot_be_known_is_said() {
    let made = || logged(World::of(sketch("main: a b c m1<x\n done: b x\n also: a b").worktree().draw()), &["done"]);
    let mut world = made();
    world.config = config("cleanup: {delete_in: [\"/**\"], rested: 0s}\n");
    let notes = |world: &World| world.plan("branch-cleanup").0.notes.join("\n");
    let goes =
        |world: &World| world.plan("branch-cleanup").0.steps.iter().any(|step| step.contains("refs/heads/done "));
    assert!(goes(&world) && notes(&world).contains("whether a branch has an open pull request is not known here"));
    for name in ["refs/pull/7/head", "refs/merge-requests/7/head", "refs/remotes/origin/pr/7"] {
        world.repo.git(["update-ref", name, "done"]);
        assert!(!goes(&world) && notes(&world).contains(&format!("`{name}` is at its tip")), "{}", notes(&world));
        world.repo.git(["update-ref", "-d", name]);
    }
    world.repo.git(["update-ref", "refs/pull/7/head", "main"]);
    assert!(goes(&world) && !notes(&world).contains("is not known here"), "{}", notes(&world));
    let file = world.data.path().join("requests");
    world.config.cleanup.open_requests = Some(file.display().to_string());
    assert!(!goes(&world) && notes(&world).contains("cannot read"), "a file that is not there keeps all");
    fs::write(&file, "another\ndone\n").unwrap();
    assert!(!goes(&world) && notes(&world).contains("it has an open pull request"), "{}", notes(&world));
    for failed in ["", "another\nmore", "HTTP 401: Bad credentials\n"] {
        fs::write(&file, failed).unwrap();
        assert!(!goes(&world), "{failed:?}: a job that failed says nothing");
        assert!(notes(&world).contains("which pull requests are open is not known"), "{}", notes(&world));
    }
    fs::write(&file, "# none\n").unwrap();
    assert!(goes(&world));
    fs::write(&file, "another\n").unwrap();
    assert!(goes(&world));
    let old = fs::File::options().append(true).open(&file).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(3 * 86_400)).unwrap();
    assert!(!goes(&world) && notes(&world).contains("3 d ago"), "{}", notes(&world));
}

#[test]
fn where_there_is_a_remote_nothing_is_deleted_without_a_fresh_fetch() {
    let origin = sketch("main: a b").draw();
    let mut world = logged(World::of(sketch("main: a b c m1<x\n done: b x").worktree().draw()), &["done"]);
    world.config = config("cleanup: {delete_in: [\"/**\"], rested: 0s}\n");
    assert!(world.plan("branch-cleanup").0.acts(), "without a remote nobody else has a say");
    world.repo.git(["remote", "add", "origin", origin.path().to_str().unwrap()]);
    let refused = |world: &World| match world.plan("branch-cleanup").0.decision {
        Decision::Refuse(reason) => reason,
        other => format!("{other:?}"),
    };
    assert!(refused(&world).contains("fetch"), "{}", refused(&world));
    assert_eq!(world.came("branch-cleanup"), Came::Skipped);
    assert_eq!(world.came("fetch"), Came::Effect);
    assert!(world.plan("branch-cleanup").0.acts(), "{}", refused(&world));
    world.ahead = 2 * DAY;
    assert!(refused(&world).contains("the last fetch was 2 d ago"), "{}", refused(&world));
}

#[test]
fn the_link_of_a_worktree_is_mended_after_a_move_and_none_is_pruned() {
    let world = World::new();
    let room = world.repo.room().to_owned();
    for (name, branch) in [("linked", "topic"), ("away", "other")] {
        world.repo.git(["worktree", "add", "-q", room.join(name).to_str().unwrap(), branch]);
    }
    let link = room.join("linked/.git");
    let right = fs::read_to_string(&link).unwrap();
    // As after the repository was moved from elsewhere.
    fs::write(&link, right.replace(room.to_str().unwrap(), "/before/the/move")).unwrap();
    fs::rename(room.join("away"), room.join("on-another-disk")).unwrap();
    assert!(!git_output(room.join("linked"), ["status"]).status.success());
    let plan = world.plan("worktree-repair").0;
    assert!(plan.notes.iter().any(|note| note.contains("away` is not there; it keeps its branch")), "{plan:?}");
    let report = world.run("worktree-repair");
    assert_eq!(report.result, Came::Effect, "{report:?}");
    assert_eq!(git(room.join("linked"), ["branch", "--show-current"]), "topic");
    assert_eq!(world.came("worktree-repair"), Came::Noop);
    assert!(world.repo.git_dir().join("worktrees/away").exists(), "what is away is not gone");
    // A place that somebody else took is left to him, and nothing is written there.
    fs::remove_dir_all(room.join("linked")).unwrap();
    let other = sketch("main: a b").worktree().draw();
    other.git(["worktree", "add", "-q", "--detach", room.join("linked").to_str().unwrap(), "main"]);
    let theirs = fs::read(&link).unwrap();
    let report = world.forced("worktree-repair");
    assert!(report.result == Came::Noop || report.result == Came::Skipped, "{report:?}");
    assert_eq!(fs::read(&link).unwrap(), theirs);
    // Nor when that repository is away, so that its link leads nowhere.
    let record = fs::File::options().append(true).open(world.repo.git_dir().join("worktrees/linked/gitdir")).unwrap();
    record.set_modified(SystemTime::now() - Duration::from_secs(3_600)).unwrap();
    fs::rename(other.git_dir(), other.git_dir().with_extension("away")).unwrap();
    let report = world.forced("worktree-repair");
    assert!(report.result == Came::Noop || report.result == Came::Skipped, "{report:?}");
    assert_eq!(fs::read(&link).unwrap(), theirs);
}

#[test]
fn settings_that_are_missing_are_set_and_a_choice_stays_and_undo_brings_back_each_byte() {
    let mut world = World::new();
    let file = world.repo.git_dir().join("config");
    let odd = format!("{}\n[gc]\n\t; somebody's words\n  auto = 1234\n", fs::read_to_string(&file).unwrap());
    fs::write(&file, &odd).unwrap();
    world.config = config("maintenance: {repositories: [\"/**\"]}\n");
    let plan = world.plan("settings").0;
    assert!(plan.notes.iter().any(|note| note.contains("`gc.auto` is `1234`, which is somebody's choice")), "{plan:?}");
    let done = world.done("settings");
    assert_eq!(done.report.result, Came::Effect, "{done:?}");
    let value = |key: &str| world.repo.git(["config", "--local", key]);
    assert_eq!(
        [value("fetch.writeCommitGraph"), value("maintenance.auto"), value("gc.auto")],
        ["true", "false", "1234"]
    );
    assert_eq!(world.came("settings"), Came::Noop);
    assert_eq!(undo(&world, done.id), Came::Effect);
    assert_eq!(fs::read_to_string(&file).unwrap(), odd);
    // Where nobody tends it, git goes on with its own upkeep.
    world.config = Config::default();
    assert_eq!(world.came("settings"), Came::Effect);
    assert!(!world.repo.git_output(["config", "--local", "maintenance.auto"]).status.success());
}

fn asked(world: &World) -> alignwatch_model::Snapshot {
    let wanted = Wanted {
        base: None,
        looks: Look::with_required([Look::Shape]),
        paths_patience: Duration::ZERO,
        stop: alignwatch_git::stop::Stop::default(),
    };
    inspect(world.repo.path(), &world.config, now(), Some(world.data.path()), &wanted, &|_| {}).unwrap()
}

#[test]
fn the_shape_is_measured_once_and_then_known_at_once() {
    let world = World::messy();
    let report = world.run("shape-scan");
    assert_eq!(report.result, Came::Effect, "{report:?}");
    let commits = world.repo.git(["rev-list", "--count", "--glob=refs/*"]);
    let counted = report.after.iter().find(|measure| measure.name == "commits in all history").unwrap();
    assert_eq!(counted.value.unwrap().to_string(), commits);
    assert_eq!(world.came("shape-scan"), Came::Noop);
    // What is remembered is used: the objects may be gone.
    let objects = world.repo.git_dir().join("objects");
    let kept = world.repo.git_dir().join("objects-kept");
    let asks = |path: &Path| fs::rename(path, &kept);
    let before = match asked(&world).facts.shape {
        Known::Seen(shape) => shape.n_blobs,
        Known::Unknown(reason) => panic!("{reason}"),
    };
    asks(&objects).unwrap();
    fs::create_dir_all(objects.join("pack")).unwrap();
    let shape = asked(&world).facts.shape;
    assert!(matches!(&shape, Known::Seen(shape) if shape.n_blobs == before), "{shape:?}");
}
