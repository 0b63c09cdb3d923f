//! The configuration in force: keys, values as far as they are numbers and words of ours, and where they are from.

use alignwatch_model::config::{self, Origin};
use serde_json::{Value, json};

use super::{Collector, Material, redact::Redactor};

/// The configuration in force.
pub(super) static COLLECTOR: Collector =
    Collector { name: "configuration", holds: "the configuration in force, with where each value is from", collect };

fn collect(material: &Material<'_>, redactor: &Redactor) -> Result<Value, String> {
    let around = material.around;
    let origins = around.configured.as_ref().ok().map(|(loaded, _)| &loaded.origins);
    let keys = config::catalogue().leaves().into_iter().map(|key| {
        let origin = match origins.map(|origins| origins.of(&key.path)) {
            None | Some(Origin::Default) => "default",
            Some(Origin::File { .. }) => "file",
            Some(Origin::Variable(_)) => "variable",
            Some(Origin::Flag(_)) => "flag",
        };
        json!({ "key": key.path, "value": redactor.value(&around.config.value_of(key)), "origin": origin })
    });
    let broken = around.configured.as_ref().err().map(|failure| redactor.text(&failure.message));
    Ok(json!({ "broken": broken, "keys": keys.collect::<Vec<_>>() }))
}
