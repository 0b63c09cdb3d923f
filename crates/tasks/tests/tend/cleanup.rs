//! The clean-up takes away only what is in the base, only when it may, and all of it comes back.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{
    Known, Look, Timestamp,
    config::{Cleanup, Config, ProofLevel},
    task::{
        Came, Decision,
        cleanup::{Beside, Fate, fates},
    },
};
use alignwatch_tasks::conduct;
use alignwatch_testkit::{Fate as Truth, Shape, generate, git, git_output, sketch};

use crate::world::{World, now};

const ALLOWED: &str = "cleanup: {delete_in: [\"/**\"], rested: 0s}\n";

fn config(text: &str) -> Config {
    Config::from_yaml(text, "f").unwrap().0
}

/// Three branches that landed, one that is open, and one that was just made.
fn world() -> World {
    let repo = sketch("main: a b c m1<x d m2<y e\n done: b x\n old/done: c y\n open: d z").worktree().draw();
    let mut world = World::of(repo);
    for branch in ["done", "old/done", "open"] {
        // So that each has a reflog, as people's branches have.
        let id = world.oid_of(branch);
        world.repo.git(["update-ref", "-d", &format!("refs/heads/{branch}")]);
        world.repo.git(["branch", branch, &id]);
    }
    world.repo.git(["branch", "-q", "fresh", "main~1"]);
    let log = world.repo.git_dir().join("logs/refs/heads/fresh");
    let line = fs::read_to_string(&log).unwrap();
    let (head, message) = line.split_once('\t').unwrap();
    let (who, _) = head.split_once('>').unwrap();
    fs::write(&log, format!("{who}> {} +0000\t{message}", now().0)).unwrap();
    world.repo.git(["config", "branch.done.remote", "."]);
    world.repo.git(["config", "branch.done.merge", "refs/heads/main"]);
    world.repo.git(["config", "branch.done.description", "a text\nof two lines"]);
    world.config = config(ALLOWED);
    world
}

/// Everything that must be the same: refs, settings, reflogs, HEAD, the index.
fn state(world: &World) -> BTreeMap<String, Vec<u8>> {
    let dir = world.repo.git_dir();
    let refs = world.repo.git(["for-each-ref", "--format=%(objectname) %(refname) %(symref) %(upstream)"]);
    let mut state = BTreeMap::from([("refs".to_owned(), refs.into_bytes())]);
    let mut open: Vec<PathBuf> = ["config", "HEAD", "index", "logs"].iter().map(|name| dir.join(name)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            state.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    state
}

fn local(path: &Path) -> Vec<String> {
    git(path, ["for-each-ref", "--format=%(refname:short)", "refs/heads"]).lines().map(str::to_owned).collect()
}

fn undo(world: &World, id: u64) -> (Came, String) {
    let report = conduct::undo(id, world.data.path(), &world.git, &now).unwrap();
    (report.result, report.because)
}

#[test]
fn branches_that_landed_go_into_the_archive_and_all_comes_back() {
    let world = world();
    let before = state(&world);
    let done = world.done("branch-cleanup");
    assert_eq!(done.report.result, Came::Effect, "{done:?}");
    assert_eq!(local(world.repo.path()), ["fresh", "main", "open"], "{done:?}");
    let archived = world.repo.git(["for-each-ref", "--format=%(refname)", "refs/archive"]);
    assert_eq!(archived.lines().filter(|name| name.ends_with("/done")).count(), 2);
    assert!(!world.repo.git_output(["config", "branch.done.merge"]).status.success(), "its settings went with it");
    assert_eq!(undo(&world, done.id).0, Came::Effect);
    assert!(state(&world) == before);
    assert_eq!(undo(&world, done.id), (Came::Effect, "all is as it was".to_owned()), "a second time");
    assert!(state(&world) == before);
}

#[test]
fn deleting_and_taking_back_again_and_again_changes_no_byte() {
    let world = world();
    let before = state(&world);
    for round in 0..8 {
        let done = world.done("branch-cleanup");
        assert_eq!(done.report.result, Came::Effect, "round {round}: {done:?}");
        assert_eq!(undo(&world, done.id).0, Came::Effect, "round {round}");
        assert!(state(&world) == before, "round {round}");
    }
}

#[test]
fn without_leave_it_only_reports() {
    let mut world = world();
    world.config = config("cleanup: {rested: 0s}\n");
    let before = state(&world);
    let report = world.forced("branch-cleanup");
    assert!(report.result == Came::Skipped && report.because.contains("2 branches could go"), "{report:?}");
    assert_eq!(state(&world), before);
}

#[test]
fn each_guard_keeps_a_branch_and_says_why() {
    let stays = |world: &World, name: &str| {
        let (plan, _) = world.plan("branch-cleanup");
        let begin = format!("refs/heads/{name} stays: ");
        plan.notes
            .iter()
            .find_map(|note| note.strip_prefix(&begin).map(str::to_owned))
            .unwrap_or_else(|| format!("{plan:?}"))
    };
    let mut made = world();
    assert!(stays(&made, "fresh").contains("made or moved"), "{}", stays(&made, "fresh"));
    made.config = config(&format!("{ALLOWED}bases: [main, done]\n"));
    assert!(stays(&made, "done").contains("primary line"), "{}", stays(&made, "done"));
    made.config = config("cleanup: {delete_in: [\"/**\"], rested: 0s, keep: [\"old/*\"]}\n");
    assert!(stays(&made, "old/done").contains("cleanup.keep"));
    made.config = config(ALLOWED);
    let linked = made.repo.room().join("linked");
    made.repo.git(["worktree", "add", "-q", linked.to_str().unwrap(), "done"]);
    assert!(stays(&made, "done").contains("worktree"));
    fs::remove_dir_all(&linked).unwrap();
    assert!(stays(&made, "done").contains("worktree"), "also when its disk is away");
    let followed = world();
    followed.repo.git(["config", "branch.open.remote", "."]);
    followed.repo.git(["config", "branch.open.merge", "refs/heads/done"]);
    assert!(stays(&followed, "done").contains("based on it"), "{}", stays(&followed, "done"));
    let unlogged = world();
    fs::remove_file(unlogged.repo.git_dir().join("logs/refs/heads/done")).unwrap();
    assert!(stays(&unlogged, "done").contains("no reflog"));
    let remote = world();
    remote.repo.git(["config", "branch.done.remote", "origin"]);
    remote.repo.git(["config", "remote.origin.url", "/nowhere"]);
    assert!(stays(&remote, "done").contains("fetched"), "{}", stays(&remote, "done"));
}

#[test]
fn what_moves_between_the_look_and_the_act_stays() {
    for moved in ["refs/heads/main", "refs/heads/done"] {
        let mut world = world();
        let tip = world.oid_of("open");
        world.with_fake_git(&format!(
            "case \" $* \" in *' update-ref --stdin'*)\n\
               for word in \"$@\"; do case $word in --git-dir=*) dir=${{word#--git-dir=}};; esac; done\n\
               \"$real\" --git-dir=\"$dir\" update-ref {moved} {tip};;\n\
             esac\nexec \"$real\" \"$@\""
        ));
        let report = world.run("branch-cleanup");
        assert!(report.result == Came::Failed && report.because.contains("nothing was deleted"), "{report:?}");
        assert_eq!(local(world.repo.path()).len(), 5);
        assert_eq!(world.repo.git(["for-each-ref", "refs/archive"]), "");
    }
}

#[test]
fn a_git_that_fails_anywhere_is_no_permission() {
    for nth in 1..40 {
        let mut world = world();
        let count = world.data.path().join("count");
        fs::write(&count, "1000").unwrap();
        world.with_fake_git(&format!(
            "n=$(cat '{0}' 2>/dev/null || echo 0); n=$((n+1)); echo $n > '{0}'\n\
             [ $n = {nth} ] && exit 128\nexec \"$real\" \"$@\"",
            count.display()
        ));
        fs::remove_file(&count).ok();
        let _ = world.around(|around| conduct::run(alignwatch_tasks::by_id("branch-cleanup").unwrap(), around, true));
        let n_calls: usize = fs::read_to_string(&count).unwrap().trim().parse().unwrap();
        let kept = world.repo.git(["for-each-ref", "--format=%(objectname)"]);
        for name in ["x", "y", "z"] {
            assert!(kept.contains(&world.repo.oid(name).hex()), "call {nth}: `{name}` is named by nothing");
        }
        if n_calls < nth {
            return;
        }
    }
    panic!("there are more calls than were tried");
}

#[test]
fn of_thousands_of_histories_none_is_taken_that_is_not_in_the_base() {
    let (mut n_judged, mut n_going) = (0, 0);
    for seed in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let shape = Shape { seed, ..Shape::like_649().scaled_to(350, 700) };
        let truth = generate(&shape, dir.path());
        let config = Config {
            cleanup: Cleanup { proof: ProofLevel::Patches, rested: alignwatch_model::Span(0), ..Cleanup::default() },
            ..Config::default()
        };
        let at = Timestamp(shape.newest_at + 86_400);
        let wanted = Wanted {
            base: None,
            looks: Look::with_required([Look::Landed, Look::Worktrees, Look::Settings]),
            paths_patience: Duration::ZERO,
            stop: Stop::default(),
        };
        let snapshot = inspect(dir.path(), &config, at, None, &wanted, &|_| {}).unwrap();
        let moved = snapshot.branches.iter().map(|branch| (branch.name.clone(), Known::Seen(Timestamp(0)))).collect();
        let fates = fates(&snapshot, &config, &Beside { moved, ..Beside::default() }, at);
        n_judged += snapshot.branches.len();
        for going in fates.iter().filter_map(|(_, fate)| if let Fate::Goes(going) = fate { Some(going) } else { None })
        {
            n_going += 1;
            let short = going.name.text().trim_start_matches("refs/heads/").to_owned();
            let known = truth.branches.iter().find(|branch| branch.name == short).unwrap();
            let is_in_base = matches!(known.fate, Truth::Merged | Truth::Squashed | Truth::Rebased);
            let base = going.base_oid.hex();
            let is_ancestor = git_output(dir.path(), ["merge-base", "--is-ancestor", &going.oid.hex(), &base]);
            assert!(is_in_base || is_ancestor.status.success(), "{short}: {:?} by {:?}", known.fate, going.proof);
        }
    }
    assert!(1_000 <= n_judged && 50 < n_going, "{n_going} of {n_judged}");
}

#[test]
fn a_refusal_is_not_overruled() {
    let world = World::of(sketch("main: a b").reftable().draw());
    if alignwatch_testkit::git_version() >= (2, 45) {
        assert!(matches!(world.plan("branch-cleanup").0.decision, Decision::Refuse(_)));
    }
}
