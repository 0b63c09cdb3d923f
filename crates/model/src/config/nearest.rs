//! Did you mean …? The word that is most like another.

use super::{
    catalogue::{Key, Shape, catalogue},
    scalar::Wrong,
    tree::for_message,
};

/// The key whose path or name is most like this; `None` when none is near.
pub fn nearest_key(asked: &str) -> Option<&'static Key> {
    let keys = catalogue().descendants();
    let path = nearest(asked, keys.iter().map(|key| key.path.as_str()), 1);
    let key_of = |path| keys.iter().find(|key| key.path == path);
    let by_name = || {
        let name = nearest(asked, keys.iter().map(|key| key.name.as_str()), 0)?;
        keys.iter().find(|key| key.name == name)
    };
    path.and_then(key_of).or_else(by_name).copied()
}

/// The word that is most like this one; `None` when none is near. `slack` lets so many more letters differ.
pub fn nearest_word<'a>(asked: &str, words: impl Iterator<Item = &'a str>, slack: usize) -> Option<&'a str> {
    nearest(asked, words, slack)
}

/// What to say of a key that does not exist here: where it lives, or the nearest one.
pub(super) fn unknown_key(name: &str, here: &[Key], path: &str, all: &Key) -> Wrong {
    let shown = for_message(name);
    let problem = match path {
        "" => format!("there is no key `{shown}` at the top level"),
        "thresholds" if is_check(name, all) => format!("the check `{shown}` compares with no number"),
        _ => format!("there is no key `{shown}` here"),
    };
    let near = |slack| Some(format!("did you mean `{}`?", nearest(name, names(here), slack)?));
    // A slip of the finger is likelier than the wrong section, and that likelier than two slips.
    let fix = near(0).or_else(|| elsewhere(name, here, all)).or_else(|| near(1));
    let fix = match path {
        _ if name == "<<" => "write the keys out: merging is not understood".to_owned(),
        "thresholds" => {
            fix.unwrap_or_else(|| "`alignwatch check --list` shows the checks with their numbers".to_owned())
        }
        _ => fix.unwrap_or_else(|| keys_there(here)),
    };
    Wrong { problem, fix }
}

fn names(keys: &[Key]) -> impl Iterator<Item = &str> {
    keys.iter().map(|key| key.name.as_str())
}

/// The sections in which a key of this name stands.
fn elsewhere(name: &str, here: &[Key], all: &Key) -> Option<String> {
    let is_here = |key: &Key| here.iter().any(|other| other.path == key.path);
    let others = all.descendants().into_iter().filter(|key| !is_here(key));
    let mut namesakes: Vec<&Key> = others.filter(|key| folded(&key.name) == folded(name)).collect();
    // Keys of rules are named only when nothing else has the name.
    if namesakes.iter().any(|key| !key.path.contains('[')) {
        namesakes.retain(|key| !key.path.contains('['));
    }
    let correct = &namesakes.first()?.name;
    let sections = namesakes.iter().map(|key| Some(key.path.rsplit_once('.')?.0.trim_end_matches("[]")));
    Some(match sections.collect::<Option<Vec<_>>>() {
        None => format!("`{correct}` is a key of the top level"),
        Some(sections) => format!("`{correct}` stands under `{}`", sections.join("` and under `")),
    })
}

fn is_check(id: &str, all: &Key) -> bool {
    match all.find("checks.skip").map(|key| &key.shape) {
        Some(Shape::List { item, .. }) => matches!(&**item, Shape::CheckId(ids) if ids.iter().any(|other| other == id)),
        _ => false,
    }
}

fn keys_there(keys: &[Key]) -> String {
    /// Names that can be read at a glance.
    const NAMED_AT_MOST: usize = 12;
    if keys.is_empty() {
        return "take it out: no key belongs here".to_owned();
    }
    let names: Vec<_> = keys.iter().take(NAMED_AT_MOST).map(|key| key.name.as_str()).collect();
    let more = if keys.len() > NAMED_AT_MOST { ", …" } else { "" };
    format!("the keys here are {}{more}", names.join(", "))
}

/// The word that is most like this one: by a third of its letters, and `slack` more.
pub(super) fn nearest<'a>(name: &str, words: impl Iterator<Item = &'a str>, slack: usize) -> Option<&'a str> {
    /// Longer names are not looked at: the comparison takes their product in time.
    const COMPARED_AT_MOST: usize = 64;
    if name.len() > COMPARED_AT_MOST {
        return None;
    }
    let name = folded(name);
    let near_enough = (name.chars().count() / 4).max(1) + slack;
    let distance_of = |word: &'a str| (strsim::damerau_levenshtein(&name, &folded(word)), word);
    words
        .map(distance_of)
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= near_enough)
        .map(|(_, word)| word)
}

/// Without what people vary without noticing: capitals and the kind of hyphen.
pub(super) fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_like_nothing_has_no_nearest() {
        let words = ["bases", "budget", "git_deadline"];
        let near = |name| nearest(name, words.into_iter(), 0);
        assert_eq!(near("base"), Some("bases"));
        assert_eq!(near("Git-Deadlnie"), Some("git_deadline"));
        assert_eq!(near("webhooks"), None);
        assert_eq!(near(&"x".repeat(1_000_000)), None);
    }

    #[test]
    fn keys_are_found_by_path_and_by_name() {
        let near = |asked| nearest_key(asked).map(|key| key.path.as_str());
        assert_eq!(near("budgt.age"), Some("budget.age"));
        assert_eq!(near("merge_deadlin"), Some("inspect.merge_deadline"));
        assert_eq!(near("nothing-like-it"), None);
    }
}
