//! A key of the configuration, such as a threshold: its value, and where that is from.

use alignwatch_model::{
    Threshold, checks,
    config::{self, Key, Origin},
};

use super::{Explanation, Kind, World};

/// Keys of the configuration; a threshold also by the word `thresholds.` and the id of its check.
pub(super) static KIND: Kind = Kind { word: "setting", names, explain };

fn names(_: &World<'_>) -> Vec<String> {
    config::catalogue().leaves().into_iter().map(|key| key.path.clone()).collect()
}

fn explain(world: &World<'_>, subject: &str) -> Option<Explanation> {
    let key = config::catalogue().find(subject).filter(|key| !key.is_section())?;
    let value = match world.around.config.value_of(key) {
        serde_json::Value::Null => key.default.clone(),
        value => value,
    };
    let shown = config::inline(&value);
    let mut explanation = Explanation::of(&KIND, &key.path, format!("{} is {shown}: {}", key.path, origin(world, key)));
    explanation.seen.push(key.doc.meaning.clone());
    explanation.seen.extend(unread(world));
    explanation.threshold = Some(Threshold { value: shown.into(), source: origin(world, key) });
    explanation.sources.extend(
        world
            .around
            .configured
            .as_ref()
            .ok()
            .and_then(|(_, file)| Some(format!("the configuration `{}`", file.as_ref()?.display()))),
    );
    explanation.numbers.extend(facts(key));
    explanation.would_change = ways(key);
    explanation.impact = Some(key.doc.reason.clone()).filter(|reason| !reason.is_empty());
    explanation.commands = vec![format!("alignwatch config explain {}", key.path)];
    if let Some(check) = key.path.strip_prefix("thresholds.").and_then(checks::by_id) {
        explanation.related.push(format!("alignwatch explain {}", check.id));
        explanation.impact = Some(check.why.to_owned());
    }
    Some(explanation)
}

fn origin(world: &World<'_>, key: &Key) -> String {
    let origin = world.around.configured.as_ref().map(|(loaded, _)| loaded.origins.of(&key.path));
    match (origin, key.path.strip_prefix("thresholds.").and_then(checks::by_id)) {
        (Ok(Origin::Default) | Err(_), Some(check)) => {
            let source = check.threshold.as_ref().map_or("", |spec| spec.source);
            format!("the default, from {source}")
        }
        (Ok(origin), _) => origin.to_string(),
        (Err(_), None) => "the default".to_owned(),
    }
}

fn unread(world: &World<'_>) -> Option<String> {
    let failure = world.around.configured.as_ref().err()?;
    Some(format!("The configuration cannot be used, so this is what holds without it: {}", failure.message))
}

fn facts(key: &Key) -> impl Iterator<Item = (String, serde_json::Value)> {
    let doc = &key.doc;
    let facts = [("unit", doc.unit.clone()), ("range", doc.range.clone()), ("default", doc.default.clone())];
    facts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), text.into()))
}

fn ways(key: &Key) -> Vec<String> {
    let file = match key.path.rsplit_once('.') {
        Some((section, name)) => format!("In the file: `{section}: {{ {name}: {} }}`", key.doc.example),
        None => format!("In the file: `{}: {}`", key.path, key.doc.example),
    };
    let variable = key.variable().map(|variable| format!("In the environment: `{variable}`"));
    [file].into_iter().chain(variable).collect()
}
