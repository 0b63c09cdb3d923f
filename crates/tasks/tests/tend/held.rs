//! What holds a task: nothing is begun, nothing is called done, and the reason is told.

use std::fs;

use alignwatch_git::tend::Lease as RepositoryLease;
use alignwatch_model::{
    Known,
    config::Config,
    facts::runs::{Brief, Ended, Process},
    lease::Lease,
    run::{Outcome, RunId},
    task::Came,
};
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
fn an_alignment_run_that_is_under_way_holds_it_and_so_do_records_that_cannot_be_read() {
    let mut world = World::messy();
    let run = Brief {
        run: RunId::from_parts(1, [7; 10]),
        workflow: "nightly".into(),
        began_at: now(),
        heard_at: now(),
        ended: None,
        process: Process::Alive,
        losses: Vec::new(),
        is_unverified: false,
        operations: Vec::new(),
    };
    let ended = Ended { at: now(), outcome: Outcome::Aligned, because: "it says so".into(), seconds: Some(1.0) };
    world.runs = Known::Seen(vec![run.clone()]);
    let report = world.run("loose-objects");
    assert!(report.result == Came::Skipped && report.because.contains("nightly"), "{report:?}");
    world.runs = Known::Unknown("the records are damaged".into());
    let report = world.run("loose-objects");
    assert!(report.result == Came::Skipped && report.because.contains("the records are damaged"), "{report:?}");
    world.runs = Known::Seen(vec![Brief { ended: Some(ended), process: Process::Gone, ..run }]);
    assert_eq!(world.came("loose-objects"), Came::Effect);
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

#[test]
fn room_that_is_not_there_holds_a_task_where_it_is_going_to_write() {
    use alignwatch_model::{config::Config, task::Plan};
    use alignwatch_tasks::{Seen, Task, by_id, conduct};
    let huge = Task {
        plan: |seen: &Seen<'_>, draft| -> Plan {
            let plan = (by_id("pack-refs").unwrap().plan)(seen, draft);
            Plan { disk_bytes: u64::MAX / 2, ..plan }
        },
        ..*by_id("pack-refs").unwrap()
    };
    let mut world = World::messy();
    let (n_loose, refs) = (world.count("count"), world.repo.git(["for-each-ref"]));
    let done = world.around(|around| conduct::run(&huge, around, true)).unwrap();
    assert!(done.report.result == Came::Skipped && done.report.because.contains("are free"), "{done:?}");
    assert_eq!((world.count("count"), world.repo.git(["for-each-ref"])), (n_loose, refs));
    assert!(!world.quarantine().exists(), "nothing was begun");
    // There is no room at all in /proc; where the repository lies, there is enough.
    world.config = Config::from_yaml("backup: {folder: /proc/none/of/it}\n", "f").unwrap().0;
    let (plan, hold) = world.plan("backup");
    assert!(plan.acts() && plan.disk_at.as_ref().is_some_and(|at| at.starts_with("/proc/none")), "{plan:?}");
    let hold = hold.unwrap();
    assert!(hold.reason.starts_with("in `/proc/none") && hold.reason.contains("0 bytes are free"), "{hold:?}");
    assert_eq!(world.came("backup"), Came::Skipped);
    assert!(world.plan("loose-objects").1.is_none());
}

#[test]
fn as_many_heavy_tasks_run_at_once_as_the_configuration_allows() {
    let mut world = World::messy();
    let slots = world.data.path().join("slots");
    let place = |nth: u32| {
        let folder = slots.join(nth.to_string());
        fs::create_dir_all(&folder).unwrap();
        RepositoryLease::take(&folder, "`full-repack` in /elsewhere").unwrap()
    };
    let first = place(0);
    let report = world.run("loose-objects");
    assert_eq!(report.result, Came::Skipped);
    assert!(report.because.contains("heavy_at_once") && report.because.contains("/elsewhere"), "{report:?}");
    assert_eq!(world.came("pack-refs"), Came::Effect, "what is light needs no place");
    let text = "maintenance: {heavy_at_once: 2}\n";
    world.config = alignwatch_model::config::Config::from_yaml(text, "f").unwrap().0;
    let second = place(1);
    assert_eq!(world.came("loose-objects"), Came::Skipped);
    drop(second);
    assert_eq!(world.came("loose-objects"), Came::Effect, "one place is free");
    drop(first);
}

#[test]
fn a_git_that_packs_has_little_memory_and_comes_after_everybody_else() {
    let mut world = World::messy();
    world.config = alignwatch_model::config::Config::from_yaml("maintenance: {pack_memory: 100 MiB}\n", "f").unwrap().0;
    let told = world.data.path().join("told");
    // The priority is set just after the start.
    world.with_fake_git(&format!(
        "case \" $* \" in *' repack '*)\n\
           n=0; while [ $(cut -d' ' -f19 /proc/$$/stat) -lt 10 ] && [ $n -lt 500 ]; do n=$((n+1)); sleep 0.01; done\n\
           {{ cut -d' ' -f19 /proc/$$/stat\n\
           for key in pack.windowMemory pack.deltaCacheSize pack.threads gc.auto; do \"$real\" config $key; done; }} > '{}';;\n\
         esac\nexec \"$real\" \"$@\"",
        told.display()
    ));
    assert_eq!(world.came("loose-objects"), Came::Effect);
    let text = fs::read_to_string(&told).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let nice: i32 = lines[0].parse().unwrap();
    assert!(10 <= nice, "{text}");
    assert_eq!(lines[1..], ["41943040", "20971520", "2", "0"], "{text}");
}
