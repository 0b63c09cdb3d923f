//! docs/TASKS.md: every maintenance task, from the one list of them.

use alignwatch_tasks::{ALL, Guard, Task};

const HEAD: &str = "\
<!-- Made by `cargo xtask docs` from xtask/src/tasks.rs and the tasks in crates/tasks/src/catalogue. Do not edit. -->

# Tasks

What `alignwatch task` can do, in the order in which tasks run when several are due. `alignwatch task plan NAME -v` shows the
numbers of a repository, the limits they are compared with, and whose limits these are; [OPERATING](OPERATING.md) tells what
holds, refuses and undoes them.

By themselves they run only in the repositories that `maintenance.repositories` names: with the daemon, or with
`alignwatch task run --due` from cron or a timer (`contrib/alignwatch-tasks.timer`). *Asked every* is how often; a task
acts only when its numbers say so. `tasks` in the [configuration](CONFIGURATION.md) changes when, and switches off.

| task | asked every | guards |
|---|---|---|
";

/// The document.
pub(crate) fn document() -> String {
    let rows: String = ALL.iter().map(|task| row(task)).collect();
    let sections: String = ALL.iter().map(|task| section(task)).collect();
    format!("{HEAD}{rows}{sections}")
}

fn row(task: &Task) -> String {
    let asked = if task.opt_in.is_some() { ", where a rule asks for it" } else { "" };
    format!("| [{id}](#{id}) | {}{asked} | {} |\n", task.usual, guards(task.guard), id = task.id)
}

fn guards(guard: Guard) -> &'static str {
    match guard {
        Guard::Objects => "all objects in use are counted before and after; packs have a second name meanwhile",
        Guard::Refs => "all refs are compared before and after",
        Guard::Changes => "all objects in use, and all refs but those it was to change",
        Guard::Derived => "writes what is derived from the rest, or only moves aside",
        Guard::Outside => "writes nothing in the repository",
        Guard::Locks => "moves aside what nobody holds",
    }
}

fn section(task: &Task) -> String {
    let undo = task.undo.trim_end_matches('.');
    let by_itself = task.opt_in.map_or_else(String::new, |reason| {
        format!("* **By itself.** Only where a rule names it, `tasks: [{{name: {}}}]`: {reason}.\n", task.id)
    });
    format!(
        "\n## {id}\n\n{title}. {why}\n\n{by_itself}* **By hand.** `alignwatch task run {id} --yes`; `--force` when its numbers do not ask for it.\n\
         * **Stop it.** Ctrl-C or TERM: it ends at the next safe step. For good: `tasks: [{{name: {id}, mode: off}}]`.\n\
         * **Undo.** {undo}.\n",
        id = task.id,
        title = task.title,
        why = task.why,
    )
}
