//! Explains messages: what one said, and what became of each attempt to bring it.

use alignwatch_model::alert::{explain, outbox::Outcome};

use super::{Explanation, Kind, World, telling};

/// Messages, by their keys.
pub(super) static KIND: Kind = Kind { word: "message", names, explain: explained };

/// Messages have no names that one could mistype; `explain ALERT` and `alert dead` show them.
fn names(_: &World<'_>) -> Vec<String> {
    Vec::new()
}

fn explained(world: &World<'_>, subject: &str) -> Option<Explanation> {
    let known = telling::known(world)?;
    let row =
        known.alerting.book.outbox.get(subject).or_else(|| known.messages.iter().find(|row| row.key == subject))?;
    let mut told = Explanation::of(&KIND, &row.key, format!("a message to {}", row.telling.channel));
    told.seen = telling::lines(&[explain::of_message(row)]);
    told.seen.extend(row.attempts.iter().map(|attempt| match &attempt.outcome {
        Outcome::Delivered(delivered) => format!("attempt at {}: {}", attempt.at, delivered.answer),
        Outcome::Failed(failure) => format!("attempt at {}: {failure}", attempt.at),
    }));
    told.seen.extend(row.telling.alerts.iter().map(|told| {
        let state = if told.alert.is_firing() { "fires" } else { "ended" };
        format!("it says that {} {state}: {}", told.alert.id, told.alert.summary)
    }));
    told.sources = telling::sources();
    told.commands = vec![format!("alignwatch alert retry {}", row.key)];
    Some(told)
}
