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
