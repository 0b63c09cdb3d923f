//! What holds a task: nothing is begun, nothing is called done, and the reason is told.

use std::fs;

use alignwatch_git::tend::Lease as RepositoryLease;
use alignwatch_model::{config::Config, lease::Lease, task::Came};
use alignwatch_records::Leases;

use crate::world::{World, now};

/// Twelve kinds of lock that git leaves behind when it is killed.
const LOCKS: [&str; 12] = [
    "index.lock",
    "HEAD.lock",
    "config.lock",
    "packed-refs.lock",
    "packed-refs.new",
    "gc.pid",
    "gc.pid.lock",
    "shallow.lock",
    "objects/maintenance.lock",
    "objects/info/commit-graphs/commit-graph-chain.lock",
    "objects/pack/multi-pack-index.lock",
    "refs/heads/topic.lock",
];

#[test]
fn no_kind_of_lock_makes_a_task_say_that_it_did_something() {
    let world = World::messy();
    for lock in LOCKS {
        let path = world.repo.git_dir().join(lock);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        for task in ["pack-refs", "loose-objects", "geometric-repack", "commit-graph"] {
            let report = world.forced(task);
            assert_eq!(report.result, Came::Skipped, "{task} beside {lock}: {report:?}");
            assert!(report.because.contains(lock), "{report:?}");
        }
        assert!(path.exists(), "`{lock}` was touched");
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(world.came("loose-objects"), Came::Effect, "and without a lock it runs");
}

#[test]
fn somebody_elses_lease_or_freeze_holds_it() {
    let mut world = World::messy();
    let opened = alignwatch_git::repository::open(world.repo.path()).unwrap();
    let leases = Leases::of(world.data.path(), &opened.id());
    let until = alignwatch_model::Timestamp(now().0 + 600);
    let ann = Lease { holder: "ann".into(), branch: Some("refs/heads/topic".into()), until, token: 0 };
    leases.take(&ann, now()).unwrap();
    let report = world.run("loose-objects");
    assert!(report.result == Came::Skipped && report.because.contains("ann"), "{report:?}");
    assert_eq!(report.again_at, Some(until.0));
    leases.give_back(1, now()).unwrap();
    let freeze = "windows:\n  - {name: cut, kind: freeze, open: \"* * * * *\", lasts: 1h, reason: release}\n";
    world.config = Config::from_yaml(freeze, "f").unwrap().0;
    let report = world.run("loose-objects");
    assert!(report.result == Came::Skipped && report.because.contains("freeze `cut`"), "{report:?}");
    let by_calendar = "calendars:\n  - {name: cuts, at: /nowhere/cuts.ics}\n\
                       windows:\n  - {name: cut, kind: freeze, open: calendar cuts, reason: release}\n";
    world.config = Config::from_yaml(by_calendar, "f").unwrap().0;
    let report = world.run("loose-objects");
    assert!(report.because.contains("whether the freeze `cut` is on is not known"), "{report:?}");
}

#[test]
fn two_at_once_are_one_after_the_other() {
    let world = World::messy();
    let lease = RepositoryLease::take(&world.repo.git_dir().canonicalize().unwrap(), "another").unwrap();
    let report = world.run("loose-objects");
    assert!(report.result == Came::Skipped && report.because.contains("another"), "{report:?}");
    drop(lease);
    assert_eq!(world.came("loose-objects"), Came::Effect);
}
