//! Keys of the monitoring requirement that alignwatch grew from: read as what they mean here, with a note.
//!
//! They are rewritten in the tree of the file before it is decoded, so that everything behind sees our own keys only.
//! A key that means something here is checked as ours; one that has no counterpart is told and changes nothing. Two
//! spellings of one setting must agree.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    amount::length_text,
    tree::{At, Content, Node, Problem, Scalar, for_message},
};
use crate::Span;

/// One of their keys and what becomes of it.
struct Alias {
    /// Sections and key, from the top: `monitoring.alert_thresholds.cpu_percent`.
    theirs: &'static str,
    means: Means,
}

enum Means {
    /// Our key with the same value.
    Key(&'static str),
    /// Our key, whose length of time is theirs in seconds.
    Seconds(&'static str),
    /// A part of the one maintenance window.
    Window(Part),
    /// Nothing; what stands for it here.
    Nothing(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Schedule,
    Start,
    End,
}

const ALIASES: &[Alias] = &[
    alias("monitoring.health_check_interval_seconds", Means::Seconds("serve.interval")),
    alias("health_check_interval_sec", Means::Seconds("serve.interval")),
    alias("monitoring.alert_thresholds.cpu_percent", Means::Key("thresholds.host-cpu")),
    alias("monitoring.alert_thresholds.memory_percent", Means::Key("thresholds.host-memory")),
    alias("monitoring.alert_thresholds.disk_percent", Means::Key("thresholds.host-disk")),
    alias("alert_thresholds.cpu_percent", Means::Key("thresholds.host-cpu")),
    alias("alert_thresholds.memory_percent", Means::Key("thresholds.host-memory")),
    alias("alert_thresholds.disk_percent", Means::Key("thresholds.host-disk")),
    alias("monitoring.alert_thresholds.alignment_time_seconds", Means::Nothing("`longest` of each of `workflows`")),
    alias("alert_thresholds.alignment_time_seconds", Means::Nothing("`longest` of each of `workflows`")),
    alias("monitoring.performance_tracking", Means::Nothing("it is always on")),
    alias("performance_tracking", Means::Nothing("it is always on")),
    alias("monitoring.metrics_collection", Means::Nothing("it is always on")),
    alias("monitoring.log_level", Means::Nothing("-v and -q say how much is told")),
    alias("maintenance.schedule", Means::Window(Part::Schedule)),
    alias("maintenance.window_start", Means::Window(Part::Start)),
    alias("maintenance.window_end", Means::Window(Part::End)),
    alias("maintenance_window_start", Means::Window(Part::Start)),
    alias("maintenance.enabled", Means::Nothing("the repositories of `maintenance.repositories` are tended")),
    alias(
        "maintenance.automated_tasks",
        Means::Nothing("in the repositories of `maintenance.repositories` all tasks are asked, and `tasks` says when"),
    ),
    alias("alerts.enabled", Means::Nothing("findings are always kept, and told through `channels`")),
    alias("alerts.channels", Means::Nothing("`channels` says which there are and how they are reached")),
    alias("alerts.severity_levels", Means::Nothing("`matchers` of each of `routes` say who hears of which")),
    alias("alerts.notification_timeout_seconds", Means::Nothing("one attempt never takes longer than 30 s")),
    alias("notification_channels", Means::Nothing("`channels` says which there are and how they are reached")),
    alias("diagnostics.log_diagnostics", Means::Nothing("`alignwatch doctor` tells all it sees")),
    alias("diagnostics.performance_snapshots", Means::Nothing("they are always taken")),
    alias("diagnostics.resource_profiling", Means::Nothing("runs are always measured")),
];

const fn alias(theirs: &'static str, means: Means) -> Alias {
    Alias { theirs, means }
}

/// What became of a file.
#[derive(Debug, Default)]
pub(super) struct Translated {
    /// What to tell besides, as sentences.
    pub notes: Vec<String>,
    /// Spellings that contradict each other.
    pub problems: Vec<Problem>,
    /// Our keys that were set by theirs, with the spelling in the file.
    pub spelled: BTreeMap<String, String>,
}

/// Puts our keys in the place of theirs.
pub(super) fn translate(root: &mut Node) -> Translated {
    let mut out = Translated::default();
    let mut window = BTreeMap::new();
    for alias in ALIASES {
        let path: Vec<&str> = alias.theirs.split('.').collect();
        let Some(value) = take(root, &path) else { continue };
        match alias.means {
            Means::Key(ours) => put(root, alias.theirs, ours, value, &mut out),
            Means::Seconds(ours) => put(root, alias.theirs, ours, in_seconds(value), &mut out),
            Means::Window(part) => drop(window.insert(part, (alias.theirs, value))),
            Means::Nothing(instead) => {
                out.notes.push(format!("`{}` (line {}) changes nothing: {instead}", alias.theirs, value.at.line));
            }
        }
    }
    take_empty_sections(root, &mut out);
    if let Some(rule) = window_rule(&window) {
        out.spelled
            .insert("windows".to_owned(), window.values().map(|(theirs, _)| *theirs).collect::<Vec<_>>().join(", "));
        add_to_windows(root, rule);
    }
    let told = out.spelled.iter().map(|(ours, theirs)| format!("`{theirs}` is read as `{ours}`"));
    out.notes.extend(told);
    out
}

/// Sections of theirs in which nothing is set: they mean nothing, as all of theirs do that are not there.
fn take_empty_sections(root: &mut Node, out: &mut Translated) {
    let sections: BTreeSet<&str> = ALIASES
        .iter()
        .flat_map(|alias| alias.theirs.match_indices('.').map(move |(at, _)| &alias.theirs[..at]))
        .collect();
    // The inner ones first; those that are ours as well may be empty.
    for section in sections.into_iter().rev().filter(|section| !OURS.contains(section)) {
        let path: Vec<&str> = section.split('.').collect();
        let is_empty = |node: &Node| match &node.content {
            Content::Section(entries) => entries.is_empty(),
            Content::Nothing => true,
            _ => false,
        };
        if let Some(node) = find(root, &path).filter(|node| is_empty(node)) {
            out.notes.push(format!("`{section}` (line {}) is empty, and changes nothing", node.at.line));
            take(root, &path);
        }
    }
}

/// Sections that we have, too.
const OURS: [&str; 2] = ["alerts", "maintenance"];

fn find<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    let Some((name, below)) = path.split_first() else { return Some(node) };
    let Content::Section(entries) = &node.content else { return None };
    find(&entries.iter().find(|(key, _)| key.is_text(name))?.1, below)
}

/// Takes a value out of the tree, and sections that are empty then.
fn take(node: &mut Node, path: &[&str]) -> Option<Node> {
    let Content::Section(entries) = &mut node.content else { return None };
    let (name, below) = path.split_first()?;
    let index = entries.iter().position(|(key, _)| key.is_text(name))?;
    if below.is_empty() {
        return Some(entries.remove(index).1);
    }
    let taken = take(&mut entries[index].1, below)?;
    if matches!(&entries[index].1.content, Content::Section(left) if left.is_empty()) {
        entries.remove(index);
    }
    Some(taken)
}

/// Puts a value at our path, unless one stands there: then both must be the same.
fn put(root: &mut Node, theirs: &'static str, ours: &'static str, value: Node, out: &mut Translated) {
    let Some((section, name)) = ours.split_once('.') else { return };
    let at = value.at;
    let Some(entries) = entries_of(root, section, at) else { return };
    match entries.iter().find(|(key, _)| key.is_text(name)) {
        None => {
            entries.push((word(name, at), value));
            out.spelled.insert(ours.to_owned(), theirs.to_owned());
        }
        Some((_, other)) if other.text() == value.text() => {}
        Some((_, other)) => out.problems.push(Problem {
            at,
            key: for_message(theirs),
            problem: format!("it says something else than `{ours}` (line {})", other.at.line),
            fix: "take one of them out".to_owned(),
        }),
    }
}

/// The entries of a section at the top, which is made when it is not there. `None` = there is something else.
fn entries_of<'a>(root: &'a mut Node, section: &str, at: At) -> Option<&'a mut Vec<(Node, Node)>> {
    let Content::Section(top) = &mut root.content else { return None };
    if !top.iter().any(|(key, _)| key.is_text(section)) {
        top.push((word(section, at), Node { at, content: Content::Section(Vec::new()) }));
    }
    let (_, node) = top.iter_mut().find(|(key, _)| key.is_text(section))?;
    if matches!(node.content, Content::Nothing) {
        node.content = Content::Section(Vec::new());
    }
    match &mut node.content {
        Content::Section(entries) => Some(entries),
        _ => None,
    }
}

fn in_seconds(value: Node) -> Node {
    match &value.content {
        Content::Scalar(scalar) => match scalar.text.parse::<i64>() {
            Ok(seconds) if 0 < seconds => scalar_node(length_text(Span(seconds)), value.at),
            _ => value,
        },
        _ => value,
    }
}

/// A window of theirs as one of ours: at the schedule, or every day from the start on; until the end.
fn window_rule(parts: &BTreeMap<Part, (&'static str, Node)>) -> Option<Node> {
    let text = |part: Part| parts.get(&part).and_then(|(_, node)| node.text());
    let at = parts.values().next()?.1.at;
    let (start, end) = (text(Part::Start).and_then(minute_of_day), text(Part::End).and_then(minute_of_day));
    let open = match (start, text(Part::Schedule)) {
        (Some(start), _) => format!("{} {} * * *", start % 60, start / 60),
        (None, Some(schedule)) => schedule.to_owned(),
        // What can't be read is told where our own key would be wrong.
        (None, None) => parts.values().next()?.1.text().unwrap_or_default().to_owned(),
    };
    let lasts = start.zip(end).map(|(start, end)| length_text(Span::minutes((end - start).rem_euclid(DAY).max(1))));
    let mut entries =
        vec![(word("name", at), scalar_node("maintenance".to_owned(), at)), (word("open", at), scalar_node(open, at))];
    entries.extend(lasts.map(|lasts| (word("lasts", at), scalar_node(lasts, at))));
    Some(Node { at, content: Content::Section(entries) })
}

/// Minutes of a day.
const DAY: i64 = 1_440;

/// `02:30` as minutes since midnight.
fn minute_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    ((0..24).contains(&hour) && (0..60).contains(&minute)).then_some(hour * 60 + minute)
}

fn add_to_windows(root: &mut Node, rule: Node) {
    let Content::Section(top) = &mut root.content else { return };
    match top.iter_mut().find(|(key, _)| key.is_text("windows")) {
        Some((_, Node { content: Content::List(rules), .. })) => rules.push(rule),
        Some((_, node)) => node.content = Content::List(vec![rule]),
        None => {
            let at = rule.at;
            top.push((word("windows", at), Node { at, content: Content::List(vec![rule]) }));
        }
    }
}

fn word(text: &str, at: At) -> Node {
    scalar_node(text.to_owned(), at)
}

fn scalar_node(text: String, at: At) -> Node {
    Node { at, content: Content::Scalar(Scalar { text, is_quoted: false }) }
}

impl Node {
    fn is_text(&self, text: &str) -> bool {
        self.text() == Some(text)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Span,
        config::{File, Loaded, Origin, Sources, load},
    };

    fn loaded(text: &str) -> Loaded {
        let file = File { name: "f", bytes: text.as_bytes() };
        load(&Sources { file: Some(file), ..Sources::default() }).unwrap_or_else(|errors| panic!("{errors:#?}"))
    }

    /// The example of the requirement.
    const THEIRS: &str = r#"
monitoring:
  health_check_interval_seconds: 60
  performance_tracking: true
  log_level: INFO
  metrics_collection: true
  alert_thresholds: { cpu_percent: 80, memory_percent: 85, disk_percent: 90, alignment_time_seconds: 30 }
alerts: { enabled: true, channels: [email, slack], severity_levels: [info, warning, critical], notification_timeout_seconds: 30 }
maintenance:
  enabled: true
  schedule: "0 2 * * *"
  window_start: "02:00"
  window_end: "04:00"
  automated_tasks: [log_rotation, cache_cleanup, backup_verification]
diagnostics: { log_diagnostics: true, performance_snapshots: true, resource_profiling: true }
"#;

    #[test]
    fn the_file_of_the_requirement_is_read_and_says_what_it_means() {
        let Loaded { config, origins, notes } = loaded(THEIRS);
        assert_eq!(config.serve.interval, Span(60));
        assert_eq!(config.thresholds["host-memory"], 85);
        let window = config.windows[0].window().unwrap().next_after(crate::Timestamp(1_767_225_600)).unwrap();
        assert_eq!(
            (window.from.rfc3339(), window.until.since(window.from)),
            ("2026-01-01T02:00:00Z".into(), Span::hours(2))
        );
        assert_eq!(origins.of("serve.interval").to_string(), "f:3 (monitoring.health_check_interval_seconds)");
        assert!(matches!(origins.of("bases"), Origin::Default));
        assert!(notes.iter().any(|note| note.contains("`alerts.channels` (line 8) changes nothing")), "{notes:#?}");
    }

    #[test]
    fn a_section_of_theirs_that_is_empty_is_taken_and_told() {
        for text in ["alert_thresholds: {}\n", "monitoring: {alert_thresholds: {}}\n", "monitoring:\ndiagnostics: {}\n"]
        {
            let Loaded { config, notes, .. } = loaded(text);
            assert_eq!(config, crate::config::Config::default(), "{text}");
            assert!(notes.iter().any(|note| note.contains("is empty, and changes nothing")), "{text}: {notes:?}");
        }
    }

    #[test]
    fn the_flat_names_mean_the_same() {
        let flat = "health_check_interval_sec: 60\nperformance_tracking: true\nalert_thresholds: {cpu_percent: 70}\n\
                    maintenance_window_start: \"02:00\"\nnotification_channels: [email]\n";
        let config = loaded(flat).config;
        assert_eq!((config.serve.interval, config.thresholds["host-cpu"]), (Span(60), 70));
        assert_eq!(config.windows[0].open, "0 2 * * *");
    }

    #[test]
    fn two_spellings_must_agree_and_a_value_is_checked_as_ours() {
        let told = |text: &str| {
            let file = File { name: "f", bytes: text.as_bytes() };
            let errors = load(&Sources { file: Some(file), ..Sources::default() }).unwrap_err();
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let both = |theirs: &str| format!("serve: {{interval: 1m}}\nhealth_check_interval_sec: {theirs}\n");
        assert_eq!(loaded(&both("60")).config.serve.interval, Span(60));
        assert!(told(&both("90")).contains("it says something else than `serve.interval` (line 1)"));
        assert!(told("health_check_interval_sec: 1\n").contains("outside of 10s to 7d"));
        assert!(told("alert_thresholds: {cpu_percent: 300}\n").contains("f:1"));
        assert!(told("maintenance: {window_start: noon}\n").contains("`noon` is neither"));
        assert!(told("monitoring: {speed: 3}\n").contains("there is no key `monitoring`"));
    }
}
