//! docs/CHECKS.md: the catalogue of the checks, from their list.

use alignwatch_model::checks::{self, Check, Family};

const HEAD: &str = "\
<!-- Made by `cargo xtask docs` from the checks in crates/model/src/checks. Do not edit. -->
# Checks

Everything that `alignwatch check` looks for, by what it is about. The name of a check leads to its procedure: how to
look closer, mend, be sure, and take it back. `alignwatch check --list -v` says the same in the terminal.

* **Cost** `cheap`: small files and stat calls, milliseconds. `moderate`: reads history or the files at the tips, and
  remembers what it worked out. `expensive`: reads all objects. `network`: asks the remotes. The last two are made only
  when asked for: `alignwatch check --all`, or `--only` with their names.
* **At worst** is the gravest severity of its findings: `info` (good to know), `warning` (will become a problem), `error`
  (wrong answers, or work is blocked), `critical` (data is at risk). What could not be read is `unknown`.
* **Git says the same**: the command whose answer the tests compare with.
* A **threshold** is changed by `thresholds.<check>` in the [configuration](CONFIGURATION.md).
";

/// docs/CHECKS.md.
pub(crate) fn document() -> String {
    let n_checks = checks::ALL.len();
    let families: String = Family::ALL.into_iter().filter_map(family).collect();
    format!("{HEAD}\nThere are {n_checks} checks.\n{families}")
}

/// The table of a family; `None` for one without checks.
fn family(family: Family) -> Option<String> {
    let rows: String = checks::ALL.iter().filter(|check| check.family == family).map(|check| row(check)).collect();
    let head = "| check | looks at | threshold, and who says so | at worst | cost | git says the same |\n|---|---|---|---|---|---|";
    (!rows.is_empty()).then(|| format!("\n## {}\n\n{head}\n{rows}", capital(&family.to_string())))
}

fn row(check: &Check) -> String {
    let threshold = check.threshold.as_ref().map_or_else(String::new, |threshold| {
        format!("{} {} ({})", threshold.default, threshold.unit, threshold.source)
    });
    let git = check.git_says.map_or_else(String::new, |command| format!("`{command}`"));
    let cells = [
        format!("[`{}`](OPERATING.md#{})<br>{}", check.id, check.id, check.title),
        check.looks_at.to_owned(),
        threshold,
        check.severity.to_string(),
        check.cost().word().to_owned(),
        git,
    ];
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
