//! Days by a configuration: what hides what, forges that do not answer, steps that wait for their hours.

use super::*;

/// What these findings of checks in a repository make of a world, each by its check, key and host.
fn found(world: &mut World, minute: i64, path: &str, findings: &[(&'static str, &str, Option<&str>)]) {
    world.wait(minute);
    let judged: Vec<Judged> = ["remote-unreachable", "run-failed", "conflicting"]
        .into_iter()
        .map(|id| Judged {
            check: checks::by_id(id).unwrap(),
            status: crate::Status::Ok,
            reason: None,
            findings: findings.iter().filter(|(check, _, _)| *check == id).map(|one| finding(*one)).collect(),
        })
        .collect();
    world.0.see(path, Ok(&judged), &[], 0.95);
}

fn finding((check, key, host): (&'static str, &str, Option<&str>)) -> crate::Finding {
    let host = host.map(|host| ("host".to_owned(), serde_json::Value::from(host)));
    crate::Finding {
        check,
        key: key.to_owned(),
        severity: Severity::Error,
        subject: key.to_owned(),
        summary: format!("{key} is bad"),
        evidence: host.into_iter().collect(),
        threshold: None,
        impact: String::new(),
        remedy: crate::Remedy::default(),
        doc: String::new(),
    }
}

/// A world by a configuration, in which all built-in rules fire at once.
fn by_config(yaml: &str) -> World {
    let yaml = format!(
        "channels: {{webhook: [{{name: team, url: \"https://x.example/h\"}}, {{name: lead, url: \"https://x.example/l\"}}]}}\n\
         alerts: {{settle: 0s, group_wait: 0s, group_interval: 1m, repeat_interval: 4h}}\n{yaml}"
    );
    let mut policy = Policy::of(&Config::from_yaml(&yaml, "f").unwrap().0);
    policy.rules.iter_mut().for_each(|rule| rule.timing = Timing::default());
    World(world::World::new(policy, Timestamp(0)))
}

const TEAM: &str = "routes: [{name: all, channels: [team], group_by: [alertname]}]\n";

#[test]
fn a_forge_that_does_not_answer_is_told_once_and_what_needs_its_remotes_is_held_back() {
    let mut world = by_config(TEAM);
    let silent = ("remote-unreachable", "origin", Some("forge.example"));
    let failed = ("run-failed", "nightly", None);
    found(&mut world, 1, "/a", &[silent, failed]);
    found(&mut world, 2, "/b", &[silent, failed]);
    found(&mut world, 3, "/c", &[("remote-unreachable", "origin", Some("other.example")), ("conflicting", "x", None)]);
    found(&mut world, 4, "/d", &[("remote-unreachable", "origin", None)]);
    found(&mut world, 5, "/d", &[("remote-unreachable", "origin", None)]);
    let told = world.told();
    // One of each forge, and the one that is none; what is no matter of remotes is told as ever.
    let told: Vec<&str> = told.iter().flat_map(|line| line.split(' ')).filter(|word| word.starts_with('+')).collect();
    let n_of = |word: &str| told.iter().filter(|told| **told == word).count();
    assert!(n_of("+nightly") == 0 && n_of("+x") == 1 && 3 <= n_of("+origin"), "{told:?}");
    let held: Vec<_> = world.0.book.firing().filter(|alert| alert.repository == "/b").collect();
    assert_eq!(held.len(), 2);
    let why = explain::chain(&world.0.book, &world.0.policy, held[0], &[], world.0.now);
    assert!(format!("{why:?}").contains("it follows from remote-unreachable"), "{why:?}");
    // The forge is back, and the runs still fail: they are told now.
    for path in ["/a", "/b"] {
        found(&mut world, 10, path, &[failed]);
    }
    found(&mut world, 12, "/b", &[failed]);
    let told = world.told().join("\n");
    assert!(told.contains("+nightly") && told.contains("-origin"), "{told}");
}

#[test]
fn of_a_forge_that_does_not_answer_one_is_told_of_whom_somebody_may_be_told() {
    let window = "windows: [{name: night, open: 1970-01-01T00:00:00Z/1970-01-01T02:00:00Z, repositories: [/a]}]\n";
    let mut world = by_config(&format!("{TEAM}{window}"));
    let silent = ("remote-unreachable", "origin", Some("forge.example"));
    for (minute, path) in [(1, "/a"), (2, "/b"), (3, "/c"), (5, "/c")] {
        found(&mut world, minute, path, &[silent]);
    }
    let n_told = world.told().join(" ").matches("+origin").count();
    assert!(0 < n_told, "the window over the first hides no others");
    assert_eq!(world.0.book.firing().count(), 3);
}

#[test]
fn inhibitions_of_the_configuration_hide_what_follows_where_labels_agree() {
    let hides =
        "inhibit: [{source: ['alertname=\"conflict\"'], target: ['alertname=\"run-failed\"'], equal: [repository]}]\n";
    let mut world = by_config(&format!("{TEAM}{hides}"));
    found(&mut world, 1, "/a", &[("conflicting", "x", None), ("run-failed", "nightly", None)]);
    found(&mut world, 1, "/b", &[("run-failed", "weekly", None)]);
    let told = world.told().join("\n");
    assert!(told.contains("+x") && told.contains("+weekly") && !told.contains("+nightly"), "{told}");
    found(&mut world, 5, "/a", &[("run-failed", "nightly", None)]);
    found(&mut world, 7, "/a", &[("run-failed", "nightly", None)]);
    assert!(world.told().join("\n").contains("+nightly"), "its cause is over");
}

#[test]
fn a_step_that_is_held_by_its_hours_is_taken_when_they_begin() {
    let mut world = by_config(
        "windows: [{name: day, kind: hours, open: \"0 8 * * *\", lasts: 10h}]\n\
         routes: [{name: all, channels: [team], escalate: [{after: 30m, channels: [lead], during: day}]}]\n",
    );
    // At 1:00; the half hour is over at 1:30, and the day begins at 8:00.
    for minute in [60, 100, 479, 481] {
        found(&mut world, minute, "/a", &[("conflicting", "x", None)]);
        let told = world.told().join("\n");
        assert_eq!(told.contains(" lead "), minute == 481, "{minute}: {told}");
    }
    // By day it comes when it is due.
    found(&mut world, 482, "/a", &[]);
    world.told();
    found(&mut world, 540, "/a", &[("conflicting", "x", None)]);
    found(&mut world, 571, "/a", &[("conflicting", "x", None)]);
    assert!(world.told().join("\n").contains("570 lead "));
}
