//! `explain` for people: one paragraph for each question that one has.

use serde_json::Value;

use super::{evidence, remedy};
use crate::{
    explaining::Explanation,
    output::{
        escape,
        layout::{pad, wrap},
        style::{Screen, Tone},
    },
};

/// Columns before the answers.
const LABEL: usize = 11;

/// The whole answer of `explain`.
pub fn explain(explanation: &Explanation, screen: &Screen) -> String {
    let mut lines = wrap(&escape::terminal(&explanation.summary), screen.width)
        .iter()
        .map(|line| screen.paint(Tone::Title, line))
        .collect::<Vec<_>>();
    lines.push(screen.paint(Tone::Faint, &format!("{} {}", explanation.kind, escape::terminal(&explanation.subject))));
    lines.push(String::new());
    let numbers = evidence::all(screen, &explanation.numbers, screen.width - LABEL);
    lines.extend(part(screen, "seen", explanation.seen.iter().map(|line| escape::terminal(line).into_owned())));
    lines.extend(part(screen, "by", explanation.sources.iter().map(|line| escape::terminal(line).into_owned())));
    lines.extend(part(screen, "numbers", numbers));
    lines.extend(part(
        screen,
        "threshold",
        explanation
            .threshold
            .iter()
            .map(|threshold| format!("{} ({})", plain(&threshold.value), escape::terminal(&threshold.source))),
    ));
    lines.extend(part(
        screen,
        "changes if",
        explanation.would_change.iter().map(|line| escape::terminal(line).into_owned()),
    ));
    lines.extend(part(screen, "means", explanation.impact.iter().map(|line| escape::terminal(line).into_owned())));
    lines.extend(part(screen, "do", explanation.advice.iter().map(|line| escape::terminal(line).into_owned())));
    for command in &explanation.commands {
        lines.push(remedy::labelled(screen, remedy::label_of(command), &escape::terminal(command)));
    }
    if let Some(reversible) = explanation.reversible {
        let undo = if reversible { "undo: yes" } else { "undo: no" };
        lines.push(format!("{}{}", " ".repeat(LABEL), screen.paint(Tone::Faint, undo)));
    }
    lines.extend(part(screen, "see also", explanation.related.iter().map(|line| escape::terminal(line).into_owned())));
    lines.join("\n") + "\n"
}

fn part(screen: &Screen, label: &str, texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut lines = Vec::new();
    for text in texts {
        for line in wrap(&text, screen.width - LABEL) {
            let label =
                if lines.is_empty() { screen.paint(Tone::Faint, &pad(label, LABEL)) } else { " ".repeat(LABEL) };
            lines.push(format!("{label}{line}"));
        }
    }
    lines
}

fn plain(value: &Value) -> String {
    evidence::value(value)
}
