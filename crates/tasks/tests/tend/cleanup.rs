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
fn what_somebody_changed_since_is_told_and_keeps_nothing_else_from_coming_back() {
    let world = world();
    let before = state(&world);
    let gone = world.oid_of("done");
    let done = world.done("branch-cleanup");
    // Somebody makes a branch of the same name, and changes a setting.
    world.repo.git(["branch", "-q", "done", "main"]);
    world.repo.git(["config", "user.name", "somebody"]);
    let (came, told) = undo(&world, done.id);
    assert_eq!(came, Came::Failed);
    assert!(told.contains("refs/heads/done") && told.contains("somebody moved it"), "{told}");
    assert_eq!(local(world.repo.path()), ["done", "fresh", "main", "old/done", "open"], "{told}");
    assert_eq!(world.oid_of("done"), world.oid_of("main"), "theirs stays");
    assert!(!world.repo.git_output(["config", "branch.done.merge"]).status.success(), "and follows nothing");
    let archived = world.repo.git(["for-each-ref", "--format=%(objectname)", "refs/archive"]);
    assert!(archived.contains(&gone), "what did not come back is still named");
    // They step aside: now all of it comes back, and their setting stays.
    world.repo.git(["branch", "-qD", "done"]);
    let (came, told) = undo(&world, done.id);
    assert_eq!(came, Came::Effect, "{told}");
    let after = state(&world);
    let config = world.repo.git_dir().join("config").display().to_string();
    let but_config = |state: &BTreeMap<String, Vec<u8>>| {
        state
            .iter()
            .filter(|(name, _)| **name != config)
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect::<Vec<_>>()
    };
    assert!(but_config(&after) == but_config(&before));
    assert_eq!(world.repo.git(["config", "user.name"]), "somebody");
    assert_eq!(world.repo.git(["config", "branch.done.merge"]), "refs/heads/main");
    assert_eq!(world.repo.git(["config", "branch.done.description"]), "a text\nof two lines");
    assert_eq!(undo(&world, done.id), (Came::Effect, "all is as it was".to_owned()));
}

/// Where the child finds what it works with: the program of git, the data directory and the number of a run.
const CHILD: &str = "ALIGNWATCH_TEST_UNDO";

#[test]
#[ignore = "the test below starts it as a process of its own, to kill it"]
fn takes_back_in_a_process_of_its_own() {
    let Ok(words) = std::env::var(CHILD) else { return };
    let words: Vec<&str> = words.split('\n').collect();
    let git = alignwatch_git::run::Git::at_program(Path::new(words[0])).unwrap();
    drop(conduct::undo(words[2].parse().unwrap(), Path::new(words[1]), &git, &now));
}

#[test]
fn an_undo_that_is_killed_at_any_git_is_taken_up_again_and_ends_complete() {
    let mut n_killed = 0;
    for (nth, after) in [(1, false), (1, true), (2, false), (2, true)] {
        let mut world = world();
        let before = state(&world);
        let done = world.done("branch-cleanup");
        let real = world.git.clone();
        let count = world.data.path().join("count");
        fs::write(&count, "").unwrap();
        let act = if after { "\"$real\" \"$@\"; kill -9 $PPID; exit" } else { "kill -9 $PPID; exit" };
        world.with_fake_git(&format!(
            "case \" $* \" in *' update-ref '*) echo >> '{0}'\n\
             [ $(wc -l < '{0}') = {nth} ] && {{ {act}; }};; esac\nexec \"$real\" \"$@\"",
            count.display()
        ));
        let words = format!("{}\n{}\n{}", world.git.program().display(), world.data.path().display(), done.id);
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "cleanup::takes_back_in_a_process_of_its_own", "--ignored"]).env(CHILD, words);
        let ended = child.stdout(std::process::Stdio::null()).status().unwrap();
        n_killed += usize::from(!ended.success());
        let said = world.journal();
        assert_eq!(said.runs().last().unwrap().state(), "half undone", "kill {nth}");
        // What a git leaves that is killed with it.
        fs::write(world.repo.git_dir().join("packed-refs.lock"), "").unwrap();
        world.git = real;
        // What the killed one started may hold the lease for a moment.
        let ends = std::iter::repeat_with(|| {
            std::thread::sleep(Duration::from_millis(20));
            undo(&world, done.id)
        });
        let (came, told) = ends.take(500).find(|(came, _)| *came != Came::Skipped).unwrap();
        assert_eq!(came, Came::Effect, "kill {nth}: {told}");
        assert!(state(&world) == before, "kill {nth}, after {after}: {told}");
        assert_eq!(world.journal().runs().last().unwrap().state(), "undone");
        world.assert_sound();
    }
    assert_eq!(n_killed, 4);
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
fn what_the_base_took_back_stays_however_it_had_come_and_goes_when_it_is_there_again() {
    let world = World::of(sketch("main: a").worktree().draw());
    let mut world = World { config: config(ALLOWED), ..world };
    let repo = &world.repo;
    repo.git(["config", "user.name", "A"]);
    repo.git(["config", "user.email", "a@example.org"]);
    let commit = |file: &str, text: &str| {
        fs::write(repo.path().join(file), format!("{text}\n")).unwrap();
        repo.git(["add", file]);
        repo.git(["commit", "-qm", &format!("{file}: {text}")]);
    };
    for name in ["merged", "squashed", "forwarded", "kept"] {
        repo.git(["checkout", "-qb", name, "main"]);
        commit(name, "one");
        commit(&format!("{name}-too"), "two");
        repo.git(["checkout", "-q", "main"]);
        match name {
            "squashed" => {
                repo.git(["merge", "-q", "--squash", name]);
                repo.git(["commit", "-qm", "squash of it"]);
            }
            "forwarded" => drop(repo.git(["merge", "-q", "--ff-only", name])),
            name => drop(repo.git(["merge", "-q", "--no-ff", "-m", "merge of it", name])),
        }
        if name == "merged" {
            repo.git(["revert", "--no-edit", "-m", "1", "HEAD"]);
        } else if name != "kept" {
            repo.git(["revert", "--no-edit", "HEAD"]);
        }
        commit("other", name);
    }
    // Each has rested.
    world.ahead = 40 * 86_400;
    let (plan, _) = world.plan("branch-cleanup");
    for name in ["merged", "squashed", "forwarded"] {
        let note = format!("refs/heads/{name} stays: its base took it back");
        assert!(plan.notes.contains(&note), "{name}: {plan:?}");
    }
    assert_eq!(plan.steps.len(), 1, "{plan:?}");
    assert!(plan.steps[0].contains("refs/heads/kept"), "{plan:?}");
    let revert = world.repo.git(["log", "--format=%H", "--grep=, reversing", "-1"]);
    world.repo.git(["revert", "--no-edit", &revert]);
    let (plan, _) = world.plan("branch-cleanup");
    assert!(plan.steps.iter().any(|step| step.contains("refs/heads/merged")), "{plan:?}");
    let done = world.done("branch-cleanup");
    assert_eq!(done.report.result, Came::Effect, "{done:?}");
    assert_eq!(local(world.repo.path()), ["forwarded", "main", "squashed"]);
}

#[test]
fn a_refusal_is_not_overruled() {
    let world = World::of(sketch("main: a b").reftable().draw());
    if alignwatch_testkit::git_version() >= (2, 45) {
        assert!(matches!(world.plan("branch-cleanup").0.decision, Decision::Refuse(_)));
    }
}
