//! Asking remotes brings what git itself brings, runs nothing that the repository names, and can be taken back.

use std::{fs, path::Path};

use alignwatch_model::task::Came;
use alignwatch_tasks::conduct;
use alignwatch_testkit::{Repo, git, sketch};

use crate::world::{World, now};

/// A repository whose remote went on since it was cloned, and a twin in which git itself is asked to do the same.
struct Cloned {
    world: World,
    origin: Repo,
    twin: tempfile::TempDir,
}

fn cloned() -> Cloned {
    let origin = sketch("main: a b\n topic: a x\n gone: b z").draw();
    let repo = sketch("main: a b").worktree().draw();
    let twin = tempfile::tempdir().unwrap();
    git(twin.path(), ["init", "-q", "-b", "main"]);
    for path in [repo.path(), twin.path()] {
        git(path, ["remote", "add", "origin", origin.path().to_str().unwrap()]);
        git(path, ["fetch", "-q", "origin"]);
        git(path, ["remote", "set-head", "origin", "main"]);
    }
    fs::remove_file(repo.git_dir().join("FETCH_HEAD")).unwrap();
    let mut origin = origin;
    origin.draw_more("main: b c d\n new: c y");
    git(origin.path(), ["tag", "v1", "main"]);
    git(origin.path(), ["update-ref", "-d", "refs/heads/gone"]);
    // Somebody rewrote it.
    let rewritten = git(origin.path(), ["rev-parse", "main~1"]);
    git(origin.path(), ["update-ref", "refs/heads/topic", &rewritten]);
    Cloned { world: World::of(repo), origin, twin }
}

fn refs(path: &Path, below: &str) -> String {
    git(path, ["for-each-ref", "--format=%(objectname) %(refname) %(symref)", below])
}

fn all_refs(world: &World) -> String {
    refs(world.repo.path(), "refs")
}

fn undo(world: &World, id: u64) -> (Came, String) {
    let report = conduct::undo(id, world.data.path(), &world.git, &now).unwrap();
    (report.result, report.because)
}

#[test]
fn a_fetch_brings_what_git_brings_and_can_be_taken_back() {
    let Cloned { world, twin, origin: _origin } = cloned();
    let before = all_refs(&world);
    git(twin.path(), ["fetch", "-q", "origin"]);
    let done = world.done("fetch");
    assert_eq!(done.report.result, Came::Effect, "{done:?}");
    for below in ["refs/remotes", "refs/tags"] {
        assert_eq!(refs(world.repo.path(), below), refs(twin.path(), below));
    }
    let fetch_head = world.repo.git_dir().join("FETCH_HEAD");
    let lines = fs::read_to_string(&fetch_head).unwrap();
    assert!(lines.lines().count() == 1 && lines.contains("\tnot-for-merge\t"), "{lines}");
    world.assert_sound();
    for entry in fs::read_dir(world.data.path().join("remotes")).unwrap() {
        let rights = std::os::unix::fs::PermissionsExt::mode(&entry.unwrap().metadata().unwrap().permissions());
        assert_eq!(rights & 0o077, 0, "where a repository fetches from is nobody's business");
    }
    assert_eq!(world.came("fetch"), Came::Noop, "a moment later");
    fs::write(&fetch_head, "what somebody fetched").unwrap();
    fs::File::open(&fetch_head).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    world.run("fetch");
    assert_eq!(fs::read(&fetch_head).unwrap(), b"what somebody fetched");
    assert_eq!(undo(&world, done.id).0, Came::Effect);
    assert_eq!(all_refs(&world), before);
}

#[test]
fn nothing_that_the_repository_names_is_run_and_its_branches_stay() {
    let Cloned { world, origin: _origin, twin: _twin } = cloned();
    let trap = world.data.path().join("trap");
    let program = world.data.path().join("program");
    fs::write(&program, format!("#!/bin/sh\ntouch '{}'\nexec git-upload-pack \"$@\"\n", trap.display())).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let named = program.to_str().unwrap();
    for key in ["remote.origin.uploadpack", "core.sshCommand", "core.fsmonitor", "core.alternateRefsCommand"] {
        world.repo.git(["config", key, named]);
    }
    world.repo.git(["config", "credential.helper", &format!("!{named}")]);
    let hooks = world.repo.git_dir().join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in ["reference-transaction", "post-merge", "pre-auto-gc", "post-checkout"] {
        fs::copy(&program, hooks.join(hook)).unwrap();
    }
    // The trap works: git itself would run it.
    world.repo.git_output(["fetch", "-q", "origin"]);
    assert!(trap.exists(), "the trap is none");
    fs::remove_file(&trap).unwrap();
    let heads = refs(world.repo.path(), "refs/heads");
    for task in ["fetch", "prefetch", "tracking-prune", "remote-head"] {
        let report = world.forced(task);
        assert!(matches!(report.result, Came::Effect | Came::Noop), "{task}: {report:?}");
        assert!(!trap.exists(), "{task} ran a program of the repository");
    }
    assert_eq!(refs(world.repo.path(), "refs/heads"), heads);
    world.repo.git(["config", "remote.origin.fetch", "+refs/heads/*:refs/heads/*"]);
    let report = world.forced("fetch");
    assert!(report.result == Came::Skipped && report.because.contains("would move branches"), "{report:?}");
}

#[test]
fn a_branch_that_a_worktree_may_hold_is_never_moved_nor_what_was_put_aside() {
    let Cloned { world, origin: _origin, twin: _twin } = cloned();
    let heads = refs(world.repo.path(), "refs/heads");
    // A pattern that names no folder of refs all the same writes into one.
    world.repo.git(["config", "remote.origin.fetch", "+refs/h*:refs/h*"]);
    let report = world.forced("fetch");
    assert!(report.result == Came::Skipped && report.because.contains("fetch it yourself"), "{report:?}");
    assert_eq!(refs(world.repo.path(), "refs/heads"), heads);
    world.repo.git(["config", "remote.origin.fetch", "+refs/heads/*:refs/archive/*"]);
    let report = world.forced("fetch");
    assert!(report.result == Came::Skipped && report.because.contains("fetch it yourself"), "{report:?}");
    assert_eq!(refs(world.repo.path(), "refs/archive"), "");
}

#[test]
fn what_a_fetch_writes_can_be_read_by_whom_the_repository_is_shared_with() {
    let Cloned { world, origin: _origin, twin: _twin } = cloned();
    world.repo.git(["config", "core.sharedRepository", "0640"]);
    let done = world.done("fetch");
    assert_eq!(done.report.result, Came::Effect, "{done:?}");
    let packs = fs::read_dir(world.repo.git_dir().join("objects/pack")).unwrap().map(|entry| entry.unwrap());
    let loose = walk(&world.repo.git_dir().join("objects"));
    let newest =
        packs.map(|entry| entry.path()).chain(loose).max_by_key(|path| path.metadata().unwrap().modified().unwrap());
    let mode = std::os::unix::fs::PermissionsExt::mode(&newest.unwrap().metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o440);
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_remote_that_does_not_answer_is_told_and_does_not_count_as_asked() {
    let Cloned { world, origin: _origin, twin: _twin } = cloned();
    world.repo.git(["remote", "add", "away", "/nowhere/at/all.git"]);
    let report = world.run("fetch");
    assert!(report.result == Came::Failed && report.because.starts_with("`away`: "), "{report:?}");
    assert!(!world.repo.git_dir().join("FETCH_HEAD").exists(), "not all remotes were asked");
    assert!(refs(world.repo.path(), "refs/remotes").contains("origin/new"), "the other one was");
    world.repo.git(["config", "remote.origin.url", "https://u:pass-word@127.0.0.1:1/x.git"]);
    let report = world.forced("fetch");
    assert!(report.result == Came::Skipped && report.because.contains("no remote could be used"), "{report:?}");
    assert!(!report.because.contains("pass-word"), "{report:?}");
}

#[test]
fn a_prefetch_brings_what_git_prefetches_and_moves_nothing_else() {
    let Cloned { world, twin, origin: _origin } = cloned();
    let before = all_refs(&world);
    git(twin.path(), ["fetch", "-q", "--prefetch", "--prune", "--no-tags", "--no-write-fetch-head", "origin"]);
    let done = world.done("prefetch");
    assert_eq!(done.report.result, Came::Effect, "{done:?}");
    assert_eq!(refs(world.repo.path(), "refs/prefetch"), refs(twin.path(), "refs/prefetch"));
    let others: Vec<String> =
        all_refs(&world).lines().filter(|line| !line.contains("refs/prefetch/")).map(str::to_owned).collect();
    assert_eq!(others.join("\n").trim_end(), before.trim_end());
    assert!(!world.repo.git_dir().join("FETCH_HEAD").exists());
    let (plan, _) = world.plan("branch-cleanup");
    assert!(!format!("{plan:?}").contains("prefetch"), "nobody's branch");
    assert_eq!(undo(&world, done.id).0, Came::Effect);
    assert_eq!(all_refs(&world), before);
}

#[test]
fn thousands_of_refs_that_a_prefetch_brings_do_not_fill_the_journal_and_all_go_again() {
    let Cloned { world, origin, .. } = cloned();
    let tip = git(origin.path(), ["rev-parse", "main"]);
    let commands: String = (0..3_000).map(|nth| format!("create refs/heads/renamed/{nth} {tip}\n")).collect();
    let file = world.data.path().join("commands");
    fs::write(&file, commands).unwrap();
    let mut update = alignwatch_testkit::git_command(origin.path(), ["update-ref", "--stdin"]);
    assert!(update.stdin(fs::File::open(&file).unwrap()).status().unwrap().success());
    let before = all_refs(&world);
    let done = world.done("prefetch");
    assert_eq!(done.report.result, Came::Effect, "{done:?}");
    assert!(3_000 < refs(world.repo.path(), "refs/prefetch").lines().count());
    let journal = world.data.path().join(alignwatch_tasks::journal::FILE_NAME);
    let longest = fs::read_to_string(journal).unwrap().lines().map(str::len).max().unwrap();
    assert!(longest < 20_000, "a line of {longest} bytes");
    let list =
        walk(&world.repo.git_dir().join("quarantine")).into_iter().find(|path| path.ends_with("refs.list")).unwrap();
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let (came, because) = undo(&world, done.id);
    assert!(came == Came::Failed && because.contains("were written"), "{because}");
    fs::write(&list, text).unwrap();
    assert_eq!(undo(&world, done.id).0, Came::Effect);
    assert_eq!(all_refs(&world), before);
    assert_eq!(undo(&world, done.id), (Came::Effect, "all is as it was".to_owned()));
}

#[test]
fn a_tracking_ref_goes_with_its_branch_into_the_archive_and_comes_back() {
    let Cloned { world, twin, origin } = cloned();
    let before = all_refs(&world);
    git(twin.path(), ["remote", "prune", "origin"]);
    let done = world.done("tracking-prune");
    assert_eq!(done.report.result, Came::Effect, "{done:?}");
    let tracking = done.report.after.iter().find(|measure| measure.name == "tracking refs").unwrap();
    // main, topic and the remote's HEAD.
    assert_eq!(tracking.value, Some(3), "{done:?}");
    let names = |path: &Path| git(path, ["for-each-ref", "--format=%(refname)", "refs/remotes"]);
    assert_eq!(names(world.repo.path()), names(twin.path()));
    let gone = origin.oid("z").hex();
    assert!(refs(world.repo.path(), "refs/archive").starts_with(&gone), "its last tip has a name still");
    assert_eq!(undo(&world, done.id).0, Came::Effect);
    assert_eq!(all_refs(&world), before);
}

#[test]
fn what_a_killed_fetch_left_is_removed_when_it_is_old_and_only_that() {
    let Cloned { mut world, origin: _origin, twin: _twin } = cloned();
    let room = world.data.path().join("remotes");
    for name in ["scratch-left", "somebodys"] {
        fs::create_dir_all(room.join(name).join("git")).unwrap();
    }
    assert_eq!(world.came("prefetch"), Came::Effect);
    assert!(room.join("scratch-left").exists(), "it may be under way");
    world.ahead = 2 * 86_400;
    world.forced("prefetch");
    assert!(!room.join("scratch-left").exists() && room.join("somebodys").exists());
}

#[test]
fn when_most_branches_are_gone_at_once_nothing_is_pruned() {
    let Cloned { world, origin, twin: _twin } = cloned();
    for nth in 0..30 {
        git(origin.path(), ["branch", &format!("many/{nth}"), "main"]);
        // A branch of the same name, beside which the tracking ref is no work of its own.
        world.repo.git(["branch", &format!("many/{nth}"), "main"]);
    }
    assert_eq!(world.came("fetch"), Came::Effect);
    for nth in 0..30 {
        git(origin.path(), ["branch", "-D", &format!("many/{nth}")]);
    }
    let before = all_refs(&world);
    let report = world.run("tracking-prune");
    assert!(report.result == Came::Skipped && report.because.contains("31 of 35 "), "{report:?}");
    assert_eq!(all_refs(&world), before);
}

#[test]
fn a_default_branch_that_is_another_now_is_followed_once_it_was_fetched() {
    let Cloned { world, origin, twin: _twin } = cloned();
    let before = all_refs(&world);
    assert_eq!(world.came("remote-head"), Came::Effect, "asked for the first time");
    assert_eq!(all_refs(&world), before, "it is the same");
    git(origin.path(), ["symbolic-ref", "HEAD", "refs/heads/new"]);
    let report = world.forced("remote-head");
    assert!(report.result == Came::Failed && report.because.contains("was not fetched yet"), "{report:?}");
    assert_eq!(world.came("fetch"), Came::Effect);
    let before = all_refs(&world);
    let report = world.forced("remote-head");
    assert_eq!(report.result, Came::Effect, "{report:?}");
    assert_eq!(world.repo.git(["symbolic-ref", "refs/remotes/origin/HEAD"]), "refs/remotes/origin/new");
    let id = world.journal().runs().last().unwrap().record.id;
    assert_eq!(undo(&world, id).0, Came::Effect);
    assert_eq!(all_refs(&world), before);
}

#[test]
fn a_task_that_a_rule_has_to_ask_for_runs_by_itself_only_with_one() {
    use alignwatch_model::{Known, config::Config};
    use alignwatch_tasks::due::{self, Machine};
    let mut cloned = cloned();
    let machine = Machine { load_percent: Known::Seen(1), on_battery: Known::Seen(false) };
    let run = |world: &World| {
        let mut ends = Vec::new();
        world.around(|around| due::run(around, &machine, &mut |task, _| ends.push(task.id)).unwrap());
        ends
    };
    let ends = run(&cloned.world);
    assert!(ends.contains(&"shape-scan") && !ends.contains(&"fetch"), "{ends:?}");
    cloned.world.config = Config::from_yaml("tasks:\n  - {name: fetch}\n", "f").unwrap().0;
    assert_eq!(run(&cloned.world), ["fetch"]);
}
