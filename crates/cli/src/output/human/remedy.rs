//! Commands to paste: which to show, behind which label, and whether they can be undone.

use alignwatch_model::Finding;

use super::INDENT;
use crate::{
    output::{
        escape,
        layout::width,
        style::{Screen, Tone},
    },
    report::Checked,
};

/// Stands before a command that changes something.
const FIX: &str = "fix: ";

/// Stands before a command that only looks.
const SEE: &str = "see: ";

/// The commands to type, with a word on whether they can be undone.
pub(super) fn remedy(screen: &Screen, finding: &Finding) -> Vec<String> {
    let commands: Vec<_> = finding.remedy.commands.iter().map(|command| escape::terminal(command)).collect();
    let fits = |command: &str| INDENT + width(command) <= screen.width;
    let shows_all = screen.verbose > 0 || screen.rows.is_none();
    match &commands[..] {
        [] => Vec::new(),
        [only] if shows_all || fits(only) => with_undo(screen, &commands, finding.remedy.reversible),
        _ if shows_all => with_undo(screen, &commands, finding.remedy.reversible),
        _ => vec![see_all(screen, finding.check)],
    }
}

/// All commands of a finding that no check of a repository made.
pub(super) fn commands(screen: &Screen, finding: &Finding) -> Vec<String> {
    let commands: Vec<_> = finding.remedy.commands.iter().map(|command| escape::terminal(command)).collect();
    if commands.is_empty() { Vec::new() } else { with_undo(screen, &commands, finding.remedy.reversible) }
}

fn with_undo<T: AsRef<str>>(screen: &Screen, commands: &[T], is_reversible: bool) -> Vec<String> {
    let mut label_before = "";
    let mut lines = Vec::new();
    for command in commands.iter().map(AsRef::as_ref) {
        let label = if only_looks(command) { SEE } else { FIX };
        lines.push(labelled(screen, if label == label_before { "" } else { label }, command));
        label_before = label;
    }
    let Some(changing) = commands.iter().map(AsRef::as_ref).rfind(|command| !only_looks(command)) else {
        return lines;
    };
    let note = if is_reversible { "undo: yes" } else { "undo: no" };
    let painted = screen.paint(if is_reversible { Tone::Faint } else { Tone::Plain }, note);
    let fits = commands.len() == 1 && INDENT + width(changing) + 2 + note.len() <= screen.width;
    match lines.last_mut().filter(|_| fits) {
        Some(line) => line.push_str(&format!("  {painted}")),
        None => lines.push(format!("{}{painted}", " ".repeat(INDENT))),
    }
    lines
}

/// The line that says how to see all findings of a check in full.
pub(super) fn see_all(screen: &Screen, check: &str) -> String {
    labelled(screen, SEE, &format!("alignwatch check -v --only {check}"))
}

/// A command behind its label in the gutter, so that commands begin where all text begins.
pub(super) fn labelled(screen: &Screen, label: &str, command: &str) -> String {
    let label = format!("{}{label}", " ".repeat(INDENT - label.len()));
    format!("{}{}", screen.paint(Tone::Faint, &label), screen.paint(Tone::Command, command))
}

/// Verbs of Git that change neither refs nor files nor settings.
const LOOKING_VERBS: [&str; 14] = [
    "cat-file",
    "cherry",
    "diff",
    "for-each-ref",
    "fsck",
    "grep",
    "log",
    "ls-remote",
    "merge-base",
    "merge-tree",
    "range-diff",
    "rev-list",
    "show",
    "status",
];

/// Programs that only look.
const LOOKING_PROGRAMS: [&str; 9] = ["df", "du", "free", "head", "ls", "ps", "sort", "timedatectl", "wc"];

/// Does this command leave everything as it is? In doubt it does not.
fn only_looks(command: &str) -> bool {
    !command.contains(['&', ';', '>', '$', '`']) && command.split('|').all(|part| part_only_looks(part.trim()))
}

fn part_only_looks(command: &str) -> bool {
    let mut words = command.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("alignwatch"), Some("check" | "branches" | "explain"), _) => true,
        (Some("alignwatch"), Some("doctor"), _) => !command.contains(" --fix") && !command.contains(" --undo"),
        (Some("alignwatch"), Some("config"), Some("check" | "show" | "schema" | "explain")) => true,
        (Some("git"), Some("reflog"), Some("show")) => true,
        (Some("git"), Some("config"), Some("--get" | "--get-all" | "--list" | "--show-origin")) => true,
        (Some("git"), Some(verb), _) => LOOKING_VERBS.contains(&verb),
        (Some(program), ..) => LOOKING_PROGRAMS.contains(&program),
        (None, ..) => false,
    }
}

/// Where to paste commands, which are for a shell in the repository; `None` when the shell is there already.
pub(super) fn first(screen: &Screen, checked: &Checked) -> Option<String> {
    let is_elsewhere = !checked.path_word.is_empty();
    is_elsewhere.then(|| labelled(screen, "first: ", &format!("cd {}", escape::terminal(&checked.path_word))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_may_change_something_is_never_called_harmless() {
        for looks in [
            "git log -3 refs/heads/x",
            "git reflog show x",
            "alignwatch branches",
            "alignwatch doctor --journal",
            "git merge-base a b",
            "ps -e | head",
        ] {
            assert!(only_looks(looks), "{looks}");
        }
        for changes in [
            "git update-ref -d refs/heads/x 1234",
            "git fetch --refetch",
            "git log x && git branch -D x",
            "git log $(git branch -D x)",
            "git log > x",
            "ps | xargs kill",
            "git reflog expire --all",
            "git config core.hooksPath x",
            "alignwatch doctor --fix",
            "alignwatch doctor --undo 3",
            "rm .git/index.lock",
            "git",
            "",
        ] {
            assert!(!only_looks(changes), "{changes}");
        }
    }
}
