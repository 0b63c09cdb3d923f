//! What is due runs by itself: once, in its window, and when the machine has time.

use std::fs;

use alignwatch_model::{Known, config::Config, task::Came};
use alignwatch_tasks::due::{self, Ended, Machine};

use crate::world::World;

const IDLE: Machine = Machine { load_percent: Known::Seen(10), on_battery: Known::Seen(false) };

fn run(world: &World, machine: &Machine) -> Vec<(String, String)> {
    let mut ends = Vec::new();
    let told = |ended: &Ended| match ended {
        Ended::Ran(done) => done.report.result.word().to_owned(),
        Ended::Planned(plan) => format!("would {}", plan.decision.word()),
        Ended::Waits(hold) => hold.reason.clone(),
    };
    world.around(|around| {
        due::run(around, machine, &mut |task, ended| ends.push((task.id.to_owned(), told(ended)))).unwrap();
    });
    ends
}

fn of(ends: &[(String, String)], task: &str) -> String {
    ends.iter().find(|(id, _)| id == task).map(|(_, told)| told.clone()).unwrap_or_else(|| "not asked".to_owned())
}

fn only(tasks: &str) -> Config {
    let off: String = alignwatch_tasks::ALL
        .iter()
        .filter(|task| !tasks.contains(task.id))
        .map(|task| format!("  - {{name: {}, mode: off}}\n", task.id))
        .collect();
    Config::from_yaml(&format!("tasks:\n{off}"), "f").unwrap().0
}

#[test]
fn what_is_due_runs_once_and_what_was_missed_is_caught_up_once() {
    let mut world = World::messy();
    world.config = only("pack-refs loose-objects");
    let ends = run(&world, &IDLE);
    assert_eq!(
        (of(&ends, "pack-refs"), of(&ends, "loose-objects")),
        ("effect".to_owned(), "effect".to_owned()),
        "{ends:?}"
    );
    assert_eq!(run(&world, &IDLE), [], "a moment later nothing is due");
    world.ahead = 5 * 86_400;
    let ends = run(&world, &IDLE);
    assert_eq!(ends.len(), 2, "five days later each once: {ends:?}");
    assert_eq!(run(&world, &IDLE), []);
}

#[test]
fn a_task_that_was_held_is_due_until_it_could_run() {
    let mut world = World::messy();
    world.config = only("pack-refs");
    let lock = world.repo.git_dir().join("packed-refs.lock");
    fs::write(&lock, "").unwrap();
    assert_eq!(of(&run(&world, &IDLE), "pack-refs"), "skipped");
    fs::remove_file(&lock).unwrap();
    assert_eq!(of(&run(&world, &IDLE), "pack-refs"), "effect");
}

/// State and reason of each run that the journal tells of, the oldest first.
fn history(world: &World) -> Vec<(String, String)> {
    world.journal().runs().iter().map(|run| (run.state().to_owned(), run.because())).collect()
}

#[test]
fn a_task_that_is_held_for_a_day_writes_one_line_and_another_when_the_reason_changes() {
    let mut world = World::messy();
    world.config = only("pack-refs loose-objects");
    let lock = world.repo.git_dir().join("packed-refs.lock");
    fs::write(&lock, "").unwrap();
    for minute in 0..20 {
        world.ahead = minute * 60;
        assert_eq!(of(&run(&world, &IDLE), "pack-refs"), "skipped", "and it is due each time");
    }
    assert_eq!(world.journal().records.len(), 2, "one a task: {:?}", history(&world));
    assert!(world.journal().records.iter().all(|record| record.plan.is_none()), "nothing is looked at for a plan");
    let busy = Machine { load_percent: Known::Seen(250), ..IDLE };
    for load in [250, 300, 199] {
        run(&world, &Machine { load_percent: Known::Seen(load), ..busy.clone() });
    }
    let told = history(&world);
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].1.contains("packed-refs.lock"), "{told:?}");
    assert!(told[3].0 == "skipped" && told[3].1.contains("the load of the machine is 250 %"), "{told:?}");
}

#[test]
fn what_a_task_would_have_done_is_kept_on_its_schedule() {
    let mut world = World::messy();
    world.config = only("pack-refs");
    let rule = Config::from_yaml("tasks:\n  - {name: pack-refs, mode: report}\n", "f").unwrap().0.tasks[0].clone();
    world.config.tasks.insert(0, rule);
    assert_eq!(of(&run(&world, &IDLE), "pack-refs"), "would act");
    assert_eq!(run(&world, &IDLE), [], "a moment later it was asked already");
    let told = history(&world);
    assert_eq!(told.len(), 1);
    assert!(told[0].0 == "planned" && told[0].1.starts_with("only reported; it would act: "), "{told:?}");
    let said = world.journal();
    assert!(said.runs()[0].plan.is_some_and(|plan| plan.steps == ["git pack-refs --all"]));
    assert!(said.last_of(&said.records[0].repository_id).is_empty(), "a plan is no run");
    world.ahead = 86_400 + 60;
    assert_eq!(of(&run(&world, &IDLE), "pack-refs"), "would act", "a day later");
}

#[test]
fn a_busy_machine_or_a_battery_makes_it_wait() {
    let mut world = World::messy();
    world.config = only("pack-refs");
    let busy = Machine { load_percent: Known::Seen(250), ..IDLE };
    assert!(of(&run(&world, &busy), "pack-refs").contains("load of the machine is 250 %"));
    let battery = Machine { on_battery: Known::Seen(true), ..IDLE };
    assert!(of(&run(&world, &battery), "pack-refs").contains("battery"));
    let unseen = Machine { load_percent: Known::Unknown("no /proc".into()), on_battery: Known::Unknown("?".into()) };
    assert_eq!(of(&run(&world, &unseen), "pack-refs"), "effect", "what is not known is no reason");
}

#[test]
fn a_closed_window_is_waited_for_and_a_rule_may_only_report() {
    let mut world = World::messy();
    let text = "windows:\n  - {name: once, open: \"2020-01-01T00:00:00Z/2020-01-02T00:00:00Z\"}\n";
    world.config = Config::from_yaml(text, "f").unwrap().0;
    assert_eq!(run(&world, &IDLE), []);
    world.config = only("pack-refs");
    world
        .config
        .tasks
        .insert(0, Config::from_yaml("tasks:\n  - {name: pack-refs, mode: report}\n", "f").unwrap().0.tasks[0].clone());
    assert_eq!(of(&run(&world, &IDLE), "pack-refs"), "would act");
    assert!(world.journal().runs().iter().all(|run| run.report.is_none_or(|report| report.result != Came::Effect)));
}

#[test]
fn when_the_window_closes_what_was_begun_ends_whole_and_nothing_else_begins() {
    use alignwatch_model::Timestamp;
    let mut world = World::messy();
    let (objects, refs) = (world.objects(), world.repo.git(["for-each-ref"]));
    let began = crate::world::now().0;
    let closes = began + 7_200;
    let window = |from: i64, until: i64| {
        let text = format!(
            "windows:\n  - {{name: night, open: \"{}/{}\"}}\n",
            Timestamp(from).rfc3339(),
            Timestamp(until).rfc3339()
        );
        Config::from_yaml(&text, "f").unwrap().0.windows
    };
    world.config = only("pack-refs loose-objects commit-graph");
    world.config.windows = window(began - 60, closes);
    let (mark, real) = (world.data.path().join("mark"), world.git.clone());
    world.with_fake_git(&format!(
        "case \" $* \" in *' pack-refs '*) touch '{}';; esac\nexec \"$real\" \"$@\"",
        mark.display()
    ));
    // While the first git works, the window closes.
    let clock = || Timestamp(if mark.exists() { closes + 1 } else { began });
    let mut ends = Vec::new();
    world.around(|around| {
        let around = alignwatch_tasks::conduct::Around { now: &clock, ..*around };
        let mut hear = |task: &alignwatch_tasks::Task, ended: &Ended| match ended {
            Ended::Ran(done) => ends.push((task.id, done.report.result)),
            other => panic!("{other:?}"),
        };
        due::run(&around, &IDLE, &mut |task, ended| hear(task, ended)).unwrap();
    });
    assert_eq!(ends, [("pack-refs", Came::Effect)], "what was begun has ended, and no other began");
    assert_eq!((world.objects(), world.repo.git(["for-each-ref"])), (objects.clone(), refs));
    world.assert_sound();
    // In the next window the rest has its turn.
    world.git = real;
    world.config.windows = window(closes + 3_600, closes + 7_200);
    world.ahead = closes + 3_660 - began;
    let told = run(&world, &IDLE);
    assert_eq!(of(&told, "loose-objects"), "effect", "{told:?}");
    assert_eq!(world.objects(), objects);
    world.assert_sound();
}

#[test]
fn a_stop_in_the_middle_comes_between_two_steps_and_the_next_run_does_the_rest() {
    use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};
    let mut world = World::new();
    let log = world.repo.git_dir().join("gc.log");
    let n_quarantines = || {
        fs::write(&log, "old").unwrap();
        let file = fs::File::options().append(true).open(&log).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86_400)).unwrap();
        assert_eq!(world.came("gc-log"), Came::Effect);
        fs::read_dir(world.quarantine()).unwrap().count()
    };
    assert_eq!((n_quarantines(), n_quarantines()), (1, 2));
    world.ahead = 200 * 86_400;
    let flag = Arc::new(AtomicBool::new(false));
    let stop = alignwatch_git::stop::Stop::new(None, Arc::clone(&flag));
    let report = world.around(|around| {
        // Somebody interrupts as soon as it begins.
        let tell = |_: &str| flag.store(true, Ordering::Relaxed);
        let around = alignwatch_tasks::conduct::Around { stop: &stop, tell: &tell, ..*around };
        alignwatch_tasks::conduct::run(alignwatch_tasks::by_id("quarantine").unwrap(), &around, false).unwrap().report
    });
    assert!(report.result == Came::Failed && report.because.contains("stopped between two steps"), "{report:?}");
    assert_eq!(fs::read_dir(world.quarantine()).unwrap().count(), 2);
    assert_eq!(world.came("quarantine"), Came::Effect);
}
