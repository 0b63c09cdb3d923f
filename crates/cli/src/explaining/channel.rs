//! Explains channels: what leads to one, and why it hears nothing of what fires.

use alignwatch_model::alert::explain;

use super::{Explanation, Kind, World, telling};

/// Channels by their names; `channel:` before it where something else has the same name.
pub(super) static KIND: Kind = Kind { word: "channel", names, explain: explained };

const PREFIX: &str = "channel:";

fn names(world: &World<'_>) -> Vec<String> {
    world.around.config.channels.all().iter().map(|channel| channel.name().to_owned()).collect()
}

fn explained(world: &World<'_>, subject: &str) -> Option<Explanation> {
    let channel = world.around.config.channels.named(subject.strip_prefix(PREFIX).unwrap_or(subject))?;
    let (name, kind) = (channel.name(), channel.kind());
    let mut told = Explanation::of(&KIND, name, format!("{name} is a channel ({kind})"));
    match telling::known(world) {
        None => {
            told.seen.push("nothing is known of alerts: no daemon ever ran here, or its store can't be read".into())
        }
        Some(known) => {
            let (book, policy) = (&known.alerting.book, &known.alerting.policy);
            told.seen = telling::lines(&explain::of_channel(book, policy, name, &known.messages, known.now));
        }
    }
    told.sources = telling::sources();
    told.commands = vec![format!("alignwatch notify test {name}")];
    told.related = vec![format!("alignwatch notify list; docs/CHANNELS.md#{kind}")];
    Some(told)
}
