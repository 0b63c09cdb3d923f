//! Commands to paste: which to show, behind which label, and whether they can be undone.

use alignwatch_model::{Finding, remedy::only_looks};

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

fn with_undo<T: AsRef<str>>(screen: &Screen, commands: &[T], reversible: Option<bool>) -> Vec<String> {
    let mut label_before = "";
    let mut lines = Vec::new();
    for command in commands.iter().map(AsRef::as_ref) {
        let label = label_of(command);
        lines.push(labelled(screen, if label == label_before { "" } else { label }, command));
        label_before = label;
    }
    let (Some(is_reversible), Some(changing)) = (reversible, commands.last().map(AsRef::as_ref)) else { return lines };
    let note = if is_reversible { "undo: yes" } else { "undo: no" };
    let painted = screen.paint(if is_reversible { Tone::Faint } else { Tone::Plain }, note);
    let fits = commands.len() == 1 && INDENT + width(changing) + 2 + note.len() <= screen.width;
    match lines.last_mut().filter(|_| fits) {
        Some(line) => line.push_str(&format!("  {painted}")),
        None => lines.push(format!("{}{painted}", " ".repeat(INDENT))),
    }
    lines
}

/// What stands before this command: whether it only looks.
pub(super) fn label_of(command: &str) -> &'static str {
    if only_looks(command) { SEE } else { FIX }
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

/// Where to paste commands, which are for a shell in the repository; `None` when the shell is there already.
pub(super) fn first(screen: &Screen, checked: &Checked) -> Option<String> {
    let is_elsewhere = !checked.path_word.is_empty();
    is_elsewhere.then(|| labelled(screen, "first: ", &format!("cd {}", escape::terminal(&checked.path_word))))
}
