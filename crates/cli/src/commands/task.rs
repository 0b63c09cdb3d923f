//! `alignwatch task`

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};

use alignwatch_git::run::Git;
use alignwatch_model::{
    config::Config,
    facts::runs::Runs,
    task::{Came, slots::Turn},
};
use alignwatch_tasks::{
    ALL, Task, by_id,
    conduct::{self, Around, ConductError, Done},
    due::{self, Ended, Machine},
    journal::Journal,
};
use clap::{Args, Subcommand, builder::PossibleValuesParser};

use super::{Global, window};
use crate::{
    Exit, configuring,
    failure::Failure,
    inspecting,
    output::{Format, escape},
    surroundings,
    tasking::{self, Row},
};

/// Tend repositories: maintenance that plans first and measures what it did
///
/// `plan` shows the numbers, what they are compared with and whose limit that is, the decision, each
/// step, what it costs and how it is taken back; and changes nothing. `run` does the same first and then
/// acts, unless something is in the way: a lock, an alignment run, a lease, a freeze, too little room.
/// The objects in use are counted before and after by other means than those the task writes. A run
/// ends as effect, noop, skipped or failed; that git ended well is none of them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch task list --due                 which are due where, and why or why not
  alignwatch task plan                       what each task would do here, and why
  alignwatch task plan all ~/src/*           the same in other repositories
  alignwatch task plan geometric-repack -v   with all numbers and their sources
  alignwatch task run pack-refs --yes        do it, and measure
  alignwatch task run all --yes ~/src/*      whatever is due by its numbers
  alignwatch task run --due                  what is due in `maintenance.repositories`: from cron or a timer
  alignwatch task history
  alignwatch task history --trend            what each task brought in the last weeks
  alignwatch task undo 7                     refs, settings and reflogs as before run 7

Exit code of `run`: 0 = effect or nothing to do, 1 = a task failed, 4 = a task was held.")]
pub(crate) struct TaskArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show all tasks, and how each ended the last time
    List {
        /// For each repository, which are due and why, or why not, and what each would do; nothing is changed
        #[arg(long)]
        due: bool,
        /// Repositories, with --due [default: those of `maintenance.repositories`, or the one here]
        #[arg(requires = "due")]
        path: Vec<PathBuf>,
    },
    /// Show what a task would do now, and why; change nothing
    Plan {
        /// The task, or `all`; repositories stand behind it
        #[arg(default_value = EACH, value_parser = names())]
        name: String,
        /// Repositories [default: the one here]
        path: Vec<PathBuf>,
        /// Show all numbers and where their limits come from
        #[arg(long)]
        explain: bool,
    },
    /// Run a task now: plan, act, measure
    Run {
        /// The task, or `all`: those that are due by their numbers; repositories stand behind it
        #[arg(value_parser = names(), required_unless_present = "due", conflicts_with = "due")]
        name: Option<String>,
        /// Repositories [default: the one here]
        path: Vec<PathBuf>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Also when the numbers do not ask for it; a refusal or a hold still stands
        #[arg(long)]
        force: bool,
        /// Whatever is due by its schedule and may run now, in the repositories of `maintenance.repositories`: for cron
        /// and timers
        #[arg(long, conflicts_with_all = ["force", "path"])]
        due: bool,
    },
    /// Take a run back: refs, settings and reflogs as they were before
    Undo {
        /// Its number; `task history` shows it
        id: u64,
    },
    /// Show what was done, and what came of it
    History {
        /// At most so many, the newest
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        /// What each task brought, week by week, instead of single runs
        #[arg(long)]
        trend: bool,
    },
}

/// Stands for every task.
const EACH: &str = "all";

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(ALL.iter().map(|task| task.id).chain([EACH]))
}

fn chosen(name: &str) -> Vec<&'static Task> {
    by_id(name).map_or_else(|| ALL.to_vec(), |task| vec![task])
}

/// Lists, plans or runs.
pub(crate) fn run(global: &Global, asked: &TaskArgs) -> Result<Exit, Failure> {
    let form = global.form("task", &[Format::Human, Format::Json])?;
    match &asked.what {
        What::List { due: false, .. } => list(global, form),
        What::List { due: true, path } => list_due(global, form, path),
        What::Plan { name, path, explain } => plan(global, form, name, path, *explain),
        What::Run { due: true, .. } => run_due(global, form),
        What::Run { name, path, yes, force, .. } => {
            perform(global, form, name.as_deref().unwrap_or(EACH), path, *yes, *force)
        }
        What::Undo { id } => undo(global, form, *id),
        What::History { limit, trend } => history(global, form, *limit, *trend),
    }
}

fn list(global: &Global, form: Format) -> Result<Exit, Failure> {
    let config = configuring::configure(global)?;
    let said = match configuring::data_dir(&config) {
        Some(data_dir) => Journal::of(&data_dir).read().map_err(|error| Failure::caused_by(&error))?,
        None => Default::default(),
    };
    surroundings::answer(tasking::list(form, ALL, &said, &surroundings::screen(global)).as_bytes())?;
    Ok(Exit::Fine)
}

fn list_due(global: &Global, form: Format, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let config = configuring::configure(global)?;
    let paths = if paths.is_empty() { window::handed_over(&config) } else { paths.to_vec() };
    let mut rows = Vec::new();
    for path in or_here(&paths) {
        let turns = around(global, &config, &path, &|around| due::turns(around, (around.now)()))?;
        for (task, turn) in turns {
            // What is not asked by itself needs no look.
            let plan = match &turn {
                Turn::Never(_) => None,
                _ => Some(around(global, &config, &path, &|around| conduct::plan(task, around))?),
            };
            rows.push(tasking::TurnRow { repository: path.display().to_string(), task, turn, plan });
        }
    }
    surroundings::answer(tasking::turns(form, &rows, &surroundings::screen(global)).as_bytes())?;
    Ok(Exit::Fine)
}

fn history(global: &Global, form: Format, limit: usize, trend: bool) -> Result<Exit, Failure> {
    let config = configuring::configure(global)?;
    let said = Journal::of(&data_dir(&config)?).read().map_err(|error| Failure::caused_by(&error))?;
    let text = if trend {
        tasking::trend(form, &said, surroundings::now())
    } else {
        tasking::history(form, &said, limit, &surroundings::screen(global))
    };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn undo(global: &Global, form: Format, id: u64) -> Result<Exit, Failure> {
    let config = configuring::configure(global)?;
    let git = Git::find().map_err(|error| Failure::caused_by(&error))?;
    let undone = conduct::undo(id, &data_dir(&config)?, &git, &surroundings::now);
    let report = undone.map_err(|error| Failure::caused_by(&error).hint("`alignwatch task history` lists the runs"))?;
    surroundings::answer(tasking::undone(form, id, &report).as_bytes())?;
    Ok(exit_by(report.result))
}

fn exit_by(came: Came) -> Exit {
    match came {
        Came::Failed => Exit::CouldNot,
        Came::Skipped => Exit::NotNow,
        Came::Effect | Came::Noop => Exit::Fine,
    }
}

fn plan(global: &Global, form: Format, name: &str, paths: &[PathBuf], explain: bool) -> Result<Exit, Failure> {
    let rows = look(global, &configuring::configure(global)?, name, paths)?;
    let text = match form {
        Format::Json => tasking::plans_json(&rows),
        _ => tasking::plans(&rows, &surroundings::screen(global), explain || 0 < global.verbose),
    };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

/// The plans of these tasks in each of the repositories.
fn look(global: &Global, config: &Config, name: &str, paths: &[PathBuf]) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for path in or_here(paths) {
        for task in chosen(name).into_iter().filter(|task| name != EACH || is_meant(task, config, &path)) {
            let (plan, hold) = around(global, config, &path, &|around| conduct::plan(task, around))?;
            rows.push(Row { repository: path.display().to_string(), task, plan, hold });
        }
    }
    Ok(rows)
}

fn perform(
    global: &Global,
    form: Format,
    name: &str,
    paths: &[PathBuf],
    yes: bool,
    force: bool,
) -> Result<Exit, Failure> {
    let config = configuring::configure(global)?;
    // The first half is the dry run, whether it goes on or not.
    let rows: Vec<Row> =
        look(global, &config, name, paths)?.into_iter().filter(|row| name != EACH || row.plan.acts()).collect();
    if form == Format::Human {
        surroundings::answer(tasking::plans(&rows, &surroundings::screen(global), 0 < global.verbose).as_bytes())?;
    }
    if !yes && !surroundings::is_conversation() {
        let text = match form {
            Format::Json => tasking::plans_json(&rows),
            _ => "nothing was changed: --yes does it, on a terminal each is asked for\n".to_owned(),
        };
        surroundings::answer(text.as_bytes())?;
        return Ok(Exit::Fine);
    }
    let mut done = Vec::new();
    for row in rows {
        let is_wanted = yes || surroundings::asks(&format!("run `{}` in {}? [y/N] ", row.task.id, row.repository));
        if is_wanted {
            let ran =
                around(global, &config, Path::new(&row.repository), &|around| conduct::run(row.task, around, force))?;
            if form == Format::Human {
                surroundings::answer(tasking::ended(&row, &ran).as_bytes())?;
            }
            done.push((row, ran));
        }
    }
    if form == Format::Json {
        surroundings::answer(tasking::runs_json(&done).as_bytes())?;
    }
    Ok(exit_of(&done))
}

/// Runs what is due in all repositories that were handed over. One that fails keeps no other from its turn.
fn run_due(global: &Global, form: Format) -> Result<Exit, Failure> {
    let config = configuring::configure(global)?;
    let paths = window::handed_over(&config);
    if paths.is_empty() {
        let hint = "name some: `maintenance.repositories` in the configuration";
        return Err(Failure::usage("cannot tend anything: no repository was handed over").hint(hint));
    }
    let machine = machine();
    let (mut exit, mut all) = (Exit::Fine, Vec::new());
    for path in paths {
        let ends: RefCell<Vec<(&'static Task, Ended)>> = RefCell::default();
        let ran = around(global, &config, &path, &|around| {
            due::run(around, &machine, &mut |task, ended| ends.borrow_mut().push((task, ended.clone())))
        });
        if let Err(failure) = ran {
            surroundings::talk(&failure.told());
            exit = failure.exit;
        }
        for (task, ended) in ends.into_inner() {
            exit = match (&ended, exit) {
                (Ended::Ran(done), _) if done.report.result == Came::Failed => Exit::CouldNot,
                (Ended::Ran(done), Exit::Fine) if done.report.result == Came::Skipped => Exit::NotNow,
                (Ended::Waits(_), Exit::Fine) => Exit::NotNow,
                (_, exit) => exit,
            };
            all.push((path.display().to_string(), task, ended));
        }
    }
    surroundings::answer(tasking::due(form, &all).as_bytes())?;
    Ok(exit)
}

/// The machine, just now.
pub(crate) fn machine() -> Machine {
    Machine { load_percent: alignwatch_host::load_percent(), on_battery: alignwatch_host::on_battery() }
}

/// The worst that happened decides.
fn exit_of(done: &[(Row, Done)]) -> Exit {
    let has = |came: Came| done.iter().any(|(_, done)| done.report.result == came);
    if has(Came::Failed) {
        Exit::CouldNot
    } else if has(Came::Skipped) {
        Exit::NotNow
    } else {
        Exit::Fine
    }
}

/// Does `all` mean this task here? What a rule has to ask for, it means only with one.
fn is_meant(task: &Task, config: &Config, path: &Path) -> bool {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    task.is_asked_for(config, &path)
}

fn or_here(paths: &[PathBuf]) -> Vec<PathBuf> {
    if paths.is_empty() { vec![PathBuf::from(".")] } else { paths.to_vec() }
}

fn data_dir(config: &Config) -> Result<PathBuf, Failure> {
    configuring::data_dir(config).ok_or_else(|| {
        Failure::could_not("cannot tend anything: there is no data directory to journal it in")
            .hint("name one: --data-dir DIR")
    })
}

/// Does something with a repository and all that a task needs around it.
pub(crate) fn around<T>(
    global: &Global,
    config: &Config,
    path: &Path,
    act: &dyn Fn(&Around<'_>) -> Result<T, ConductError>,
) -> Result<T, Failure> {
    let data_dir = data_dir(config)?;
    let runs = |id: &str| -> Runs { alignwatch_daemon::runs::of_repository(&data_dir, id) };
    let git = Git::find().map_err(|error| Failure::caused_by(&error))?;
    let stop = inspecting::stop(global, None);
    let is_told = !global.quiet && surroundings::is_watched();
    let tell = |what: &str| {
        if is_told {
            surroundings::talk(&format!("  … {}\n", escape::terminal(what)));
        }
    };
    let around = Around {
        path,
        config,
        data_dir: &data_dir,
        git: &git,
        now: &surroundings::now,
        runs: &runs,
        stop: &stop,
        tell: &tell,
    };
    act(&around).map_err(|error| Failure::caused_by(&error))
}
