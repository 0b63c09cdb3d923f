//! The rest of the catalogue, each with its effect, its second time, and its way back.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use alignwatch_model::{config::Config, task::Came};
use alignwatch_tasks::{Task, Work, by_id, conduct};
use alignwatch_testkit::sketch;

use crate::world::{World, now};

fn make_old(path: &Path, days: u64) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
}

fn undo(world: &World, id: u64) -> Came {
    conduct::undo(id, world.data.path(), &world.git, &now).unwrap().result
}

fn effect(world: &World, task: &str) -> u64 {
    let done = world.done(task);
    assert_eq!(done.report.result, Came::Effect, "{task}: {done:?}");
    done.id
}

fn rests(world: &World, task: &str) {
    assert_eq!(world.came(task), Came::Noop, "{task} a second time");
}

#[test]
fn a_full_repack_joins_all_packs_and_keeps_what_nothing_reaches() {
    let world = World::messy();
    fs::write(world.repo.path().join("lost"), "nothing reaches me").unwrap();
    let lost = world.repo.git(["hash-object", "-w", "lost"]);
    world.repo.git(["repack", "-dq"]);
    let before = world.objects();
    for entry in fs::read_dir(world.repo.git_dir().join("objects/pack")).unwrap() {
        let path = entry.unwrap().path();
        let mut rights = fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o644);
        fs::set_permissions(&path, rights).unwrap();
        make_old(&path, 6);
    }
    effect(&world, "full-repack");
    assert_eq!(world.objects(), before);
    assert!(world.count("packs") <= 2 && world.repo.git_output(["cat-file", "-e", &lost]).status.success());
    world.assert_sound();
    rests(&world, "full-repack");
}

#[test]
fn a_repository_that_serves_others_gets_an_index_with_a_bitmap_and_a_rich_commit_graph() {
    let mut repo = sketch("main: a b").draw();
    repo.git(["repack", "-adq"]);
    repo.draw_more("main: b c d");
    repo.git(["repack", "-dq"]);
    repo.git(["commit-graph", "write", "--reachable"]);
    let world = World::of(repo);
    effect(&world, "multi-pack-index");
    let pack = world.repo.git_dir().join("objects/pack");
    let names: Vec<String> =
        fs::read_dir(pack).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("multi-pack-index-") && name.ends_with(".bitmap")), "{names:?}");
    rests(&world, "multi-pack-index");
    effect(&world, "commit-graph-rewrite");
    rests(&world, "commit-graph-rewrite");
    world.assert_sound();
}

#[test]
fn old_litter_is_moved_and_comes_back_and_young_litter_stays() {
    let world = World::new();
    let pack = world.repo.git_dir().join("objects/pack");
    fs::create_dir_all(&pack).unwrap();
    for (name, days) in [("tmp_pack_old", 3), ("tmp_pack_young", 0)] {
        fs::write(pack.join(name), "half a pack").unwrap();
        make_old(&pack.join(name), days);
    }
    let id = effect(&world, "temporary-files");
    assert!(!pack.join("tmp_pack_old").exists() && pack.join("tmp_pack_young").exists());
    rests(&world, "temporary-files");
    assert_eq!(undo(&world, id), Came::Effect);
    assert_eq!(fs::read_to_string(pack.join("tmp_pack_old")).unwrap(), "half a pack");
}

#[test]
fn a_lock_that_nobody_holds_is_moved_and_a_young_one_holds_everything_else() {
    let world = World::messy();
    let (old, young) = (world.repo.git_dir().join("packed-refs.lock"), world.repo.git_dir().join("HEAD.lock"));
    fs::write(&old, "").unwrap();
    make_old(&old, 2);
    fs::write(&young, "").unwrap();
    let report = world.run("stale-locks");
    if report.result == Came::Effect {
        // Where processes can be seen; in some containers they can't, and then nothing is moved.
        assert!(!old.exists());
    }
    assert!(young.exists(), "{report:?}");
    assert_eq!(world.came("pack-refs"), Came::Skipped);
}

#[test]
fn old_entries_of_reflogs_go_and_come_back_with_what_was_written_since() {
    let world = World::messy();
    let log = world.repo.git_dir().join("logs/refs/heads/main");
    let tip = world.oid_of("main");
    let old: String =
        (0..120).map(|nth| format!("{tip} {tip} A <a@b> {} +0000\told {nth}\n", 1_500_000_000 + nth)).collect();
    let newer = fs::read_to_string(&log).unwrap();
    fs::write(&log, format!("{old}{newer}")).unwrap();
    let id = effect(&world, "reflog-expiry");
    assert!(!fs::read_to_string(&log).unwrap().contains("old 7"));
    world.repo.git(["commit", "-q", "--allow-empty", "-m", "since"]);
    assert_eq!(undo(&world, id), Came::Effect);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.starts_with(&old) && text.trim_end().ends_with("since"), "{text}");
    world.assert_sound();
}

#[test]
fn commits_that_only_old_entries_knew_are_there_after_a_gc_and_so_are_the_entries_after_an_undo() {
    let world = World::messy();
    let repo = &world.repo;
    let linked = repo.room().join("linked");
    let tree = repo.git(["rev-parse", "HEAD^{tree}"]);
    let only = |message: &str| repo.git(["commit-tree", "-p", "HEAD", "-m", message, &tree]);
    let (old, parent, young, of_linked) = (only("old"), only("parent"), only("young"), only("linked"));
    let child = repo.git(["commit-tree", "-p", &parent, "-m", "child", &tree]);
    let entry = |id: &str, at: i64| format!("{id} {id} A <a@b> {at} +0000\tby hand\n");
    let mut lines: String = (0..120).map(|nth| entry(&world.oid_of("main"), 1_500_000_000 + nth)).collect();
    lines += &[&old, &parent, &child].map(|id| entry(id, 1_500_001_000)).concat();
    lines += &entry(&young, now().0 - 3 * 86_400);
    let log = repo.git_dir().join("logs/refs/heads/main");
    let log_of_linked = repo.git_dir().join("worktrees/linked/logs/HEAD");
    fs::write(&log, format!("{lines}{}", fs::read_to_string(&log).unwrap())).unwrap();
    let text = fs::read_to_string(&log_of_linked).unwrap();
    fs::write(&log_of_linked, format!("{}{text}", entry(&of_linked, 1_500_000_000))).unwrap();
    let before = [fs::read(&log).unwrap(), fs::read(&log_of_linked).unwrap()];
    let stashes = repo.git(["stash", "list"]);
    assert_eq!(stashes.lines().count(), 2);
    let of_stashes = repo.git_dir().join("logs/refs/stash");
    let text = fs::read_to_string(&of_stashes).unwrap();
    let time = text.split('>').nth(1).unwrap().split(' ').nth(1).unwrap();
    fs::write(&of_stashes, text.replace(time, "1500000000")).unwrap();
    let refs = repo.git(["for-each-ref"]);
    let id = effect(&world, "reflog-expiry");
    assert_ne!(fs::read(&log).unwrap(), before[0]);
    let named = repo.git(["for-each-ref", "--format=%(objectname)", "refs/archive"]);
    let named: std::collections::BTreeSet<&str> = named.lines().collect();
    let is_named = |id: &String| named.contains(id.as_str());
    assert!([&old, &child, &of_linked].iter().all(|id| is_named(id)), "{named:?}");
    assert!(!is_named(&parent) && !is_named(&young), "ends alone, and no young one: {named:?}");
    assert_eq!(repo.git(["stash", "list"]), stashes, "old stashes stay");
    assert!(!is_named(&repo.git(["rev-parse", "stash@{1}"])), "and need no name: {named:?}");
    alignwatch_testkit::git(&linked, ["gc", "-q", "--prune=now"]);
    for commit in [&old, &parent, &child, &young, &of_linked] {
        assert!(repo.git_output(["cat-file", "-e", commit]).status.success(), "{commit} is gone");
    }
    assert_eq!(undo(&world, id), Came::Effect);
    assert_eq!([fs::read(&log).unwrap(), fs::read(&log_of_linked).unwrap()], before);
    assert_eq!(repo.git(["for-each-ref"]), refs);
    let walked = repo.git(["rev-list", "--reflog", "--all"]);
    assert!([&old, &child, &of_linked].iter().all(|id| walked.contains(id.as_str())));
    world.assert_sound();
}

#[test]
fn old_resolutions_and_an_old_gc_log_are_moved_and_come_back() {
    let world = World::new();
    for nth in 0..12 {
        let folder = world.repo.git_dir().join(format!("rr-cache/{nth:040}"));
        fs::create_dir_all(&folder).unwrap();
        for name in ["preimage", "postimage"] {
            fs::write(folder.join(name), name).unwrap();
            make_old(&folder.join(name), if nth == 0 { 1 } else { 70 });
        }
    }
    let id = effect(&world, "resolutions");
    assert_eq!(fs::read_dir(world.repo.git_dir().join("rr-cache")).unwrap().count(), 1);
    assert_eq!(undo(&world, id), Came::Effect);
    assert_eq!(fs::read_dir(world.repo.git_dir().join("rr-cache")).unwrap().count(), 12);
    let log = world.repo.git_dir().join("gc.log");
    fs::write(&log, "too many unreachable loose objects").unwrap();
    rests(&world, "gc-log");
    make_old(&log, 2);
    let id = effect(&world, "gc-log");
    assert!(!log.exists());
    assert_eq!(undo(&world, id), Came::Effect);
    assert!(log.exists());
}

#[test]
fn a_quarantine_goes_long_after_its_run_and_no_other_does() {
    let mut world = World::new();
    let log = world.repo.git_dir().join("gc.log");
    fs::write(&log, "old").unwrap();
    make_old(&log, 2);
    effect(&world, "gc-log");
    fs::create_dir_all(world.quarantine().join("task-1-1/before")).unwrap();
    rests(&world, "quarantine");
    world.ahead = 200 * 86_400;
    effect(&world, "quarantine");
    let left: Vec<_> = fs::read_dir(world.quarantine()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["task-1-1"], "what no run of the journal made stays");
}

#[test]
fn what_was_worked_out_for_others_goes_when_nobody_looked_for_long_and_ours_stays() {
    let mut world = World::new();
    let remembered = world.data.path().join("remembered");
    for name in ["00112233445566aa", "00112233445566bb", "no-id"] {
        fs::create_dir_all(remembered.join(name)).unwrap();
        fs::write(remembered.join(name).join("merges"), "x".repeat(100)).unwrap();
    }
    let ours = remembered.join(alignwatch_git::repository::open(world.repo.path()).unwrap().id());
    drop(world.plan("branch-cleanup"));
    assert!(ours.exists());
    rests(&world, "prediction-cache");
    world.ahead = 100 * 86_400;
    let young = remembered.join("00112233445566bb/merges");
    let file = fs::File::options().append(true).open(&young).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(50 * 86_400)).unwrap();
    let report = world.run("prediction-cache");
    assert_eq!((report.result, report.bytes_won()), (Came::Effect, 100), "{report:?}");
    assert!(!remembered.join("00112233445566aa").exists() && young.exists() && remembered.join("no-id").exists());
    assert!(ours.exists());
    rests(&world, "prediction-cache");
}

#[test]
fn a_large_journal_and_notes_about_backups_that_are_gone_are_made_small() {
    let world = World::new();
    effect(&world, "backup");
    rests(&world, "logs");
    let shelf = fs::read_dir(world.data.path().join("backups")).unwrap().next().unwrap().unwrap().path();
    let notes = shelf.join("verified.jsonl");
    let ours = fs::read_to_string(&notes).unwrap();
    let stray = ours.replace("-full", "-gone").replace("-incremental", "-gone");
    fs::write(&notes, format!("{}{ours}", stray.repeat(800))).unwrap();
    effect(&world, "logs");
    assert_eq!(fs::read_to_string(&notes).unwrap(), ours);
    let journal = world.data.path().join("tasks.jsonl");
    let line = fs::read_to_string(&journal).unwrap().lines().next_back().unwrap().to_owned() + "\n";
    let id = line.strip_prefix("{\"id\":").unwrap().split(',').next().unwrap().to_owned();
    let numbered = |nth: usize| line.replacen(&format!("\"id\":{id},"), &format!("\"id\":{},", 1_000 + nth), 1);
    let text: String = (0..(10 << 20) / line.len()).map(numbered).collect();
    fs::write(&journal, &text).unwrap();
    effect(&world, "logs");
    assert!(fs::metadata(&journal).unwrap().len() < text.len() as u64 * 3 / 4);
    assert!(text.len() <= fs::metadata(world.data.path().join("tasks.old.jsonl")).unwrap().len() as usize);
}

#[test]
fn our_own_store_is_copied_where_nobody_has_it_and_left_alone_where_somebody_does() {
    let mut world = World::new();
    rests(&world, "store");
    let folder = world.data.path().join("store");
    let (store, _) = alignwatch_store::open(&folder).unwrap();
    let plan = world.plan("store").0;
    assert!(plan.decision.because().contains("does this itself"), "{plan:?}");
    rests(&world, "store");
    drop(store);
    effect(&world, "store");
    let copies = || fs::read_dir(folder.join("backups")).unwrap().count();
    assert_eq!(copies(), 1);
    rests(&world, "store");
    world.ahead = 2 * 86_400;
    effect(&world, "store");
    assert_eq!(copies(), 2);
    assert_eq!(alignwatch_store::open_to_read(&folder).unwrap().examine().unwrap(), None);
}

#[test]
fn objects_are_checked_when_it_is_due_and_damage_is_a_failure() {
    let world = World::messy();
    effect(&world, "object-check");
    rests(&world, "object-check");
    let blob = world.repo.git(["rev-parse", "HEAD:loose-7"]);
    fs::remove_file(world.repo.git_dir().join(format!("objects/{}/{}", &blob[..2], &blob[2..]))).unwrap();
    let report = world.forced("object-check");
    assert!(report.result == Came::Failed && report.because.contains("check --all"), "{report:?}");
}

#[test]
fn archive_refs_go_only_when_they_are_old_and_in_a_proven_backup() {
    let mut world = World::new();
    world.repo.git(["update-ref", "refs/archive/task-1500000000-1/heads/gone", "topic"]);
    world.repo.git(["update-ref", &format!("refs/archive/task-{}-2/heads/young", now().0), "topic"]);
    world.config = Config::from_yaml("cleanup: {archive_for: 30d}\n", "f").unwrap().0;
    rests(&world, "archive-expiry");
    effect(&world, "backup");
    rests(&world, "archive-expiry");
    effect(&world, "restore-drill");
    let id = effect(&world, "archive-expiry");
    assert!(world.repo.git(["for-each-ref", "refs/archive"]).ends_with("young"));
    assert_eq!(undo(&world, id), Came::Effect);
    assert_eq!(world.repo.git(["for-each-ref", "refs/archive"]).lines().count(), 2);
}

#[test]
fn what_ended_half_way_is_taken_back_and_what_somebody_changed_since_is_not() {
    fn half(work: &Work<'_>) -> Result<(), String> {
        work.git.command("config").option("gc.auto").option("0").run().map_err(|error| error.to_string())?;
        Err("the rest could not be done".to_owned())
    }
    let world = World::of(sketch("main: a b").draw());
    let config = world.repo.git_dir().join("config");
    let before = fs::read(&config).unwrap();
    let task = Task { perform: half, ..*by_id("settings").unwrap() };
    let run = || world.around(|around| conduct::run(&task, around, false)).unwrap();
    let done = run();
    assert_eq!(done.report.result, Came::Failed, "{done:?}");
    assert_ne!(fs::read(&config).unwrap(), before);
    assert_eq!(undo(&world, done.id), Came::Effect);
    assert_eq!(fs::read(&config).unwrap(), before);
    let again = run();
    world.repo.git(["config", "user.name", "somebody"]);
    let theirs = fs::read(&config).unwrap();
    assert_eq!(undo(&world, again.id), Came::Failed);
    assert_eq!(fs::read(&config).unwrap(), theirs);
}
