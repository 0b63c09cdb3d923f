//! Alerts for people: how bad, what, since when, and what holds it back.

use alignwatch_model::{
    Status, Timestamp,
    alert::{Alert, Phase, mute::Mute},
};

use super::{INDENT, escape, wrap};
use crate::output::style::{Screen, Tone};

/// A list of alerts, each with what holds it.
pub fn alerts(screen: &Screen, alerts: &[(&Alert, Option<Mute>)], now: Timestamp) -> String {
    if alerts.is_empty() {
        return "nothing fires\n".to_owned();
    }
    alerts.iter().map(|(alert, held)| one(screen, alert, held.as_ref(), now)).collect()
}

fn one(screen: &Screen, alert: &Alert, held: Option<&Mute>, now: Timestamp) -> String {
    let (tone, word) = match alert.phase {
        Phase::Firing => (Tone::Status(Status::from(alert.severity)), alert.severity.word()),
        Phase::Pending => (Tone::Faint, "pending"),
        Phase::Resolved => (Tone::Faint, "over"),
    };
    let indent = " ".repeat(INDENT);
    let mut text = String::new();
    for (at, line) in wrap(&escape::terminal(&alert.summary), screen.width - INDENT).iter().enumerate() {
        let label = if at == 0 { screen.paint(tone, &format!("{word:<INDENT$}")) } else { indent.clone() };
        text.push_str(&format!("{label}{line}\n"));
    }
    let nowhere = if alert.labels.contains_key("promise") { "alignwatch itself" } else { "this machine" };
    let repository = alert.labels.get("repository").map_or(nowhere, String::as_str);
    let mut about = vec![alert.rule.clone(), repository.to_owned(), since(alert, now), short(&alert.id)];
    about.extend(alert.is_flapping.then(|| "comes and goes".to_owned()));
    text.push_str(&format!("{indent}{}\n", screen.paint(Tone::Faint, &escape::terminal(&about.join(", ")))));
    let notes = [
        held.map(|mute| format!("held: {}", mute.text)),
        alert.in_doubt.as_ref().map(|why| format!("in doubt: {why}")),
    ];
    for note in notes.into_iter().flatten() {
        for line in wrap(&escape::terminal(&note), screen.width - INDENT) {
            text.push_str(&format!("{indent}{line}\n"));
        }
    }
    text
}

/// The letters of an id that are enough to name it.
fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

fn since(alert: &Alert, now: Timestamp) -> String {
    match (alert.phase, alert.starts_at, alert.ends_at, alert.bad_since) {
        (Phase::Firing, Some(at), _, _) => format!("since {}", now.since(at)),
        (Phase::Resolved, _, Some(at), _) => format!("over for {}", now.since(at)),
        (Phase::Pending, _, _, Some(at)) => format!("bad for {}", now.since(at)),
        _ => "since an unknown time".to_owned(),
    }
}
