//! Days in the life of alerts, with a clock held by hand: from what is seen to what is told.

use super::{
    rule::{Of, Rule},
    *,
};
use crate::{
    Severity, Span,
    checks::{self, Judged},
    config::Config,
};

mod any_day;
mod by_config;

/// A world with two channels and one repository, in which a rule looks for conflicts.
struct World(world::World);

const YAML: &str = "windows:\n  - {name: night, open: 1970-01-02T00:00:00Z/1970-01-02T02:00:00Z}\n\
    alerts: {settle: 0s, group_wait: 0s, group_interval: 1m, repeat_interval: 4h}\n";

impl World {
    fn new() -> World {
        let config = Config::from_yaml(YAML, "f").unwrap().0;
        let mut policy = Policy::of(&config);
        let conflicts =
            Of::Findings { checks: vec!["conflicting".into()], at_least: Severity::Warning, matchers: Vec::new() };
        policy.rules.retain(|rule| rule.name == "conflict" || rule.of == Of::Unseen);
        policy.rules[1] = Rule { of: conflicts, timing: Timing::default(), ..policy.rules[1].clone() };
        policy.rules[0].timing = Timing::default();
        policy.routes = vec![route::Route {
            name: "all".into(),
            matchers: Vec::new(),
            channels: vec![route::Who::Channel("team".into())],
            group_by: vec!["alertname".into()],
            group_wait: Span(0),
            group_interval: Span::minutes(1),
            repeat_interval: Span::hours(4),
            steps: vec![route::Step {
                after: Span::minutes(30),
                channels: vec![route::Who::Channel("lead".into())],
                during: None,
            }],
            goes_on: false,
        }];
        World(world::World::new(policy, Timestamp(0)))
    }

    /// A look that finds these conflicts, or none.
    fn seen(&mut self, minute: i64, conflicts: &[&str]) {
        self.look(minute, conflicts, None);
    }

    fn look(&mut self, minute: i64, conflicts: &[&str], doubt: Option<&str>) {
        self.wait(minute);
        let check = checks::by_id("conflicting").unwrap();
        let finding = |key: &&str| crate::Finding {
            check: "conflicting",
            key: (*key).to_owned(),
            severity: Severity::Warning,
            subject: (*key).to_owned(),
            summary: format!("{key} conflicts"),
            evidence: Default::default(),
            threshold: None,
            impact: String::new(),
            remedy: crate::Remedy::default(),
            doc: String::new(),
        };
        let status = crate::Status::Ok;
        let judged = [Judged {
            check,
            status,
            reason: doubt.map(str::to_owned),
            findings: conflicts.iter().map(finding).collect(),
        }];
        self.see(Ok(&judged));
    }

    fn see(&mut self, judged: Result<&[Judged], &str>) {
        self.0.see("/r", judged, &[], 0.95);
    }

    fn wish(&mut self, minute: i64, wish: Wish) {
        self.wait(minute);
        self.0.wish(wish).unwrap();
    }

    fn wait(&mut self, minute: i64) {
        self.0.wait_until(Timestamp(minute * 60));
    }

    /// The daemon was killed and begins again with what is on the disk.
    fn killed(&mut self, minute: i64) {
        self.wait(minute);
        self.0.restart();
    }

    fn is_down(&mut self, is_down: bool) {
        self.0.down = is_down.then(|| ["team", "lead"].map(str::to_owned)).into_iter().flatten().collect();
    }

    /// What was told since the last time this was asked, a line each.
    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0.told).iter().map(|(at, telling)| line(*at, telling)).collect()
    }
}

fn line(at: Timestamp, telling: &unsent::Telling) -> String {
    let alert = |told: &unsent::TellingAlert| {
        let sign = if told.alert.is_firing() { '+' } else { '-' };
        let subject = told.alert.labels.get("subject").map_or(told.alert.rule.as_str(), String::as_str);
        let marks =
            format!("{}{}", if told.is_late { " late" } else { "" }, if told.was_muted { " muted" } else { "" });
        format!("{sign}{subject}{marks}")
    };
    let alerts: Vec<_> = telling.alerts.iter().map(alert).collect();
    format!("{} {} {}: {}", at.0 / 60, telling.channel, telling.reason.words(), alerts.join(" "))
}

fn silence(from: i64, until: i64) -> Wish {
    let silence = Silence {
        id: format!("silence-{from}"),
        matchers: vec![Matcher::equal("alertname", "conflict")],
        starts_at: Timestamp(from * 60),
        ends_at: Timestamp(until * 60),
        created_by: "ada".into(),
        comment: "known".into(),
        updated_at: Timestamp(0),
        ends_on_resolve: false,
    };
    Wish::Silence { silence, instead_of: None }
}

#[test]
fn it_is_told_once_then_what_is_new_then_its_end() {
    let mut world = World::new();
    world.seen(1, &["a"]);
    world.seen(2, &["a"]);
    world.seen(3, &["a", "b"]);
    world.seen(4, &["b"]);
    world.seen(5, &[]);
    world.seen(6, &[]);
    let told = [
        "1 team first of its group: +a",
        "3 team new in this group: +a +b",
        "4 team some are over: +b -a",
        "5 team all are over: -b",
    ];
    assert_eq!(world.told(), told);
}

#[test]
fn it_is_told_again_when_it_goes_on_and_others_hear_of_what_nobody_cares_for() {
    let mut world = World::new();
    world.seen(1, &["a"]);
    for minute in [29, 31, 120, 241, 242] {
        world.wait(minute);
    }
    assert_eq!(
        world.told(),
        ["1 team first of its group: +a", "31 lead nobody took it on: +a", "241 team still so: +a"]
    );
    world.seen(250, &[]);
    assert_eq!(world.told(), ["250 lead all are over: -a", "250 team all are over: -a"]);
}

#[test]
fn who_acknowledges_it_stops_reminders_and_escalation_until_it_is_over() {
    let mut world = World::new();
    world.seen(1, &["a"]);
    let id = world.0.book.firing().next().unwrap().id.clone();
    let ack = Ack { who: "ada".into(), note: String::new(), at: Timestamp(0), until: None, is_sticky: false };
    world.wish(5, Wish::Ack { alert: id, ack });
    world.killed(20);
    world.wait(500);
    world.seen(501, &[]);
    // The daemon was there all the time since: the end is on time.
    assert_eq!(
        world.told(),
        ["1 team first of its group: +a", "501 team all are over: -a muted"].map(|line| line.replace(" muted", ""))
    );
}

#[test]
fn what_is_silenced_is_told_when_the_silence_ends_and_it_still_fires() {
    let mut world = World::new();
    world.wish(0, silence(0, 60));
    world.seen(1, &["a"]);
    world.wait(59);
    assert_eq!(world.told(), [""; 0]);
    world.wait(60);
    let told = world.told();
    assert!(told.iter().any(|line| line == "60 team first of its group: +a"), "{told:?}");
}

#[test]
fn whoever_heard_the_firing_hears_the_end_also_through_a_silence() {
    let mut world = World::new();
    world.seen(1, &["a"]);
    world.wish(2, silence(2, 600));
    world.seen(3, &["a", "b"]);
    world.seen(4, &[]);
    assert_eq!(world.told(), ["1 team first of its group: +a", "4 team all are over: -a muted"]);
}

#[test]
fn a_window_holds_what_begins_in_it() {
    let mut world = World::new();
    let day = 24 * 60;
    world.seen(day + 1, &["a"]);
    world.seen(day + 30, &["a"]);
    assert_eq!(world.told(), [""; 0]);
    world.seen(day + 121, &["a"]);
    let told = world.told();
    assert!(told.iter().any(|line| line.ends_with("team first of its group: +a")), "{told:?}");
}

/// A world in which one window of a whole day waits for alerts, and is open for an hour from the first one on.
fn with_window_that_waits() -> World {
    let yaml = "windows:\n  - {name: rollout, open: 1970-01-02T00:00:00Z/1970-01-03T00:00:00Z, flexible: 1h}\n";
    let mut world = World::new();
    let policy = Policy::of(&Config::from_yaml(yaml, "f").unwrap().0);
    let before = std::mem::replace(&mut world.0.policy, policy);
    (world.0.policy.rules, world.0.policy.routes) = (before.rules, before.routes);
    world
}

#[test]
fn a_window_that_waits_holds_what_fires_in_it_for_its_length_and_only_once() {
    let (mut world, day) = (with_window_that_waits(), 24 * 60);
    world.seen(day + 10, &["a"]);
    world.seen(day + 60, &["a", "b"]);
    assert_eq!(world.told(), [""; 0]);
    world.seen(day + 71, &["a", "b"]);
    let told = world.told();
    assert_eq!(told.iter().filter(|line| line.contains("team first of its group: +a +b")).count(), 1, "{told:?}");
    world.seen(day + 200, &["a", "b", "c"]);
    assert!(world.told().iter().any(|line| line.contains("+c")), "it opens once");
}

#[test]
fn what_began_before_its_time_opens_no_window_that_waits() {
    let (mut world, day) = (with_window_that_waits(), 24 * 60);
    world.seen(day - 10, &["a"]);
    world.seen(day + 10, &["a"]);
    assert_eq!(world.told(), [format!("{} team first of its group: +a", day - 10)]);
    world.seen(day + 20, &[]);
    assert!(world.told().contains(&format!("{} team all are over: -a", day + 20)));
}

#[test]
fn a_window_that_was_made_longer_holds_longer_and_one_that_was_ended_holds_nothing() {
    use crate::window::{ChangeWish, Wanted};
    let (mut world, day) = (World::new(), 24 * 60);
    let windows = || [Config::from_yaml(YAML, "f").unwrap().0.windows[0].window().unwrap()];
    let wish = |wanted| ChangeWish { window: "night".into(), wanted, who: "ada".into(), note: String::new() };
    world.seen(day + 1, &["a"]);
    let longer = wish(Wanted::Longer(Span::hours(1))).change(&windows(), Timestamp((day + 60) * 60)).unwrap();
    world.0.policy.change_window(&longer);
    world.seen(day + 170, &["a"]);
    assert_eq!(world.told(), [""; 0]);
    let [window] = windows();
    let ended = wish(Wanted::End).change(&[window.changed([&longer])], Timestamp((day + 171) * 60)).unwrap();
    world.wait(day + 171);
    world.0.policy.change_window(&ended);
    world.0.book.decide_again(world.0.now);
    world.seen(day + 172, &["a"]);
    let told = world.told();
    assert!(told.iter().any(|line| line.contains("+a")), "{told:?}");
}

/// Scenario (b) and (c) of the peers' losses: a restart with an active alert; `kill -9` after a silence.
#[test]
fn a_restart_forgets_neither_alerts_nor_silences_and_tells_nothing_twice() {
    let mut world = World::new();
    world.seen(1, &["a"]);
    world.wish(2, silence(2, 100));
    world.killed(3);
    assert_eq!((world.0.book.firing().count(), world.0.book.silences.len()), (1, 1));
    world.seen(4, &["a", "b"]);
    assert_eq!(world.told(), ["1 team first of its group: +a"]);
    world.killed(5);
    world.seen(6, &[]);
    assert_eq!(world.told(), ["6 team all are over: -a muted"]);
}

/// Scenario (d): the receiver is down for the whole life of the alert.
#[test]
fn a_receiver_that_was_down_for_the_whole_life_of_an_alert_hears_of_it_late() {
    let mut world = World::new();
    world.is_down(true);
    world.seen(1, &["a"]);
    world.seen(10, &[]);
    world.wait(30);
    world.is_down(false);
    world.wait(120);
    assert_eq!(world.told(), ["34 team was there, and is over: -a late"]);
    world.wait(5000);
    assert_eq!(world.told(), [""; 0]);
}

#[test]
fn what_could_not_be_seen_is_neither_told_nor_over() {
    let mut world = World::new();
    world.seen(1, &["a"]);
    world.look(2, &[], Some("the merges were not predicted in time"));
    assert_eq!(world.told(), ["1 team first of its group: +a"]);
    assert!(world.0.book.firing().next().unwrap().in_doubt.is_some());
    world.see(Err("it is gone"));
    // What is wrong with the repository is told; what is in doubt because of that stays, and hides behind it.
    let told = world.told();
    assert_eq!(told, ["2 team first of its group: +repository-unseen"]);
    world.wait(300);
    assert!(world.told().iter().all(|line| !line.contains("+a")), "what follows from the repository is not told again");
    world.seen(301, &[]);
    let told = world.told();
    assert!(
        told.iter().any(|line| line.contains("-a")) && told.iter().any(|line| line.contains("-repository-unseen")),
        "{told:?}"
    );
}

#[test]
fn a_rule_that_was_taken_out_ends_its_alerts_and_who_heard_hears_that() {
    let mut world = World::new();
    world.seen(1, &["a"]);
    world.0.policy.rules.retain(|rule| rule.of == Of::Unseen);
    world.killed(3);
    assert_eq!(world.told(), ["1 team first of its group: +a", "3 team all are over: -a"]);
}

#[test]
fn too_much_at_once_is_told_together() {
    let mut world = World::new();
    world.0.policy.at_most_per_hour = 2;
    world.0.policy.routes[0].group_by = vec!["subject".into()];
    let many = ["a", "b", "c", "d", "e"];
    world.seen(1, &many);
    assert_eq!(world.told(), ["1 team many at once: +a +b +c +d +e"]);
    world.seen(2, &[]);
    assert_eq!(world.told(), ["2 team many at once: -a -b -c -d -e"]);
}

#[test]
fn what_it_says_of_itself_is_the_chain_that_decided() {
    let mut world = World::new();
    world.seen(1, &["a"]);
    world.wish(2, silence(2, 100));
    let alert = world.0.book.firing().next().unwrap().clone();
    let past = world.0.messages();
    let chain = explain::chain(&world.0.book, &world.0.policy, &alert, &past, Timestamp(200));
    let steps: Vec<&str> = chain.iter().map(|link| link.step).collect();
    assert_eq!(steps, ["rule", "firing", "held", "route", "told", "route", "escalation", "delivered"], "{chain:#?}");
    assert!(chain[2].said.contains("ada silenced it until"), "{chain:#?}");
}

#[test]
fn it_says_all_that_holds_and_when_a_limit_ends_and_how_it_was_before() {
    let mut world = World::new();
    world.0.policy.at_most_per_hour = 1;
    world.0.policy.routes[0].group_by = vec!["subject".into()];
    world.seen(1, &["a"]);
    world.wish(2, silence(2, 100));
    let first = world.0.book.firing().next().unwrap().clone();
    let ack = Ack { who: "bo".into(), note: String::new(), at: Timestamp(0), until: None, is_sticky: false };
    world.wish(3, Wish::Ack { alert: first.id.clone(), ack });
    world.wish(4, Wish::Unsilence { id: "silence-2".into(), who: "ada".into() });
    world.wish(5, silence(5, 6));
    world.seen(10, &["a", "b"]);
    let first = world.0.book.alert(&first.id).unwrap().clone();
    let second = world.0.book.firing().find(|alert| alert.id != first.id).unwrap().clone();
    let (book, policy, past) = (&world.0.book, &world.0.policy, world.0.messages());
    let said = |chain: &[explain::Link]| {
        chain.iter().map(|link| format!("{}: {}", link.step, link.said)).collect::<Vec<_>>().join("\n")
    };
    let now = Timestamp(600);
    let limited = said(&explain::chain(book, policy, &second, &past, now));
    let limit = "limit: team had 1 message within the last hour, and `alerts.at_most_per_hour` is 1: it is told from 1970-01-01T01:01:00Z on";
    assert!(limited.contains(limit), "{limited}");
    let grave = Alert { severity: Severity::Critical, ..second.clone() };
    let due = said(&explain::chain(book, policy, &grave, &past, now));
    assert!(!due.contains("limit:") && due.contains("team is due to be told since"), "it has room of its own: {due}");
    let then = said(&explain::chain_at(book, policy, &first, &past, Timestamp(210)));
    assert!(then.contains("ada silenced it until") && then.contains("bo has it"), "both hold: {then}");
    assert!(said(&explain::chain_at(book, policy, &first, &past, Timestamp(30))).contains("it did not fire yet"));
    assert!(said(&explain::chain_at(book, policy, &second, &past, now)).contains("nobody had been told of it"));
    let of_team = said(&explain::of_channel(book, policy, "team", &past, now));
    for part in
        ["route all tells team first, of all alerts", "bo has it", limit.trim_start_matches("limit: "), "message"]
    {
        assert!(of_team.contains(part), "{part} is not in {of_team}");
    }
    assert!(said(&explain::of_channel(book, policy, "nobody", &past, now)).contains("no route leads to nobody"));
    let rule = policy.rule("conflict").unwrap();
    let of_rule = said(&explain::of_rule_now(book, policy, rule, now));
    assert!(of_rule.contains(&second.id) && of_rule.contains("it fires since"), "{of_rule}");
}

#[test]
fn an_end_of_one_severity_of_a_posted_alert_is_not_the_end_of_another() {
    let mut world = World::new();
    let labels = |severity: &str| {
        Labels::from([("alertname".to_owned(), "Disk".to_owned()), ("severity".to_owned(), severity.to_owned())])
    };
    world.wish(1, Wish::Post(vec![evaluate_posted(labels("warning")), evaluate_posted(labels("critical"))]));
    assert_eq!(world.0.book.firing().count(), 2);
    let ended = book::Posted { ends_at: Some(Timestamp(120)), ..evaluate_posted(labels("critical")) };
    world.wish(2, Wish::Post(vec![evaluate_posted(labels("warning")), ended]));
    assert_eq!(world.0.book.firing().map(|alert| alert.severity).collect::<Vec<_>>(), [Severity::Warning]);
    world.wait(4);
    let last = world.0.told.last().map(|(_, telling)| telling.clone()).unwrap();
    assert_eq!((last.reason.words(), &last.group_labels["alertname"]), ("some are over", &"Disk".to_owned()));
}

#[test]
fn the_message_that_all_is_over_has_the_labels_of_its_group() {
    let mut world = World::new();
    world.seen(1, &["a"]);
    world.seen(2, &[]);
    let labels: Vec<_> = world.0.told.iter().map(|(_, telling)| telling.group_labels["alertname"].clone()).collect();
    assert_eq!(labels, ["conflict", "conflict"]);
}

#[test]
fn alerts_of_others_end_unless_they_are_posted_again() {
    let mut world = World::new();
    let labels =
        Labels::from([("alertname".to_owned(), "Disk".to_owned()), ("severity".to_owned(), "critical".to_owned())]);
    let posted = || evaluate_posted(labels.clone());
    world.wish(1, Wish::Post(vec![posted()]));
    world.wish(5, Wish::Post(vec![posted()]));
    world.wait(9);
    assert_eq!(world.told(), ["1 team first of its group: +Disk"]);
    world.wait(10);
    assert_eq!(world.told(), ["10 team all are over: -Disk"]);
}

#[test]
fn annotations_that_others_posted_are_told_also_after_a_restart() {
    let mut world = World::new();
    let annotations = Labels::from([("dashboard".to_owned(), "https://g.example/1".to_owned())]);
    let labels = Labels::from([("alertname".to_owned(), "Disk".to_owned())]);
    let posted = book::Posted { annotations: annotations.clone(), ..evaluate_posted(labels) };
    world.wish(1, Wish::Post(vec![posted]));
    world.killed(2);
    world.wait(10);
    let told: Vec<_> = world.0.messages().iter().flat_map(|row| row.notice("").alerts).collect();
    let n_firing = told.iter().filter(|alert| alert.is_firing).count();
    assert_eq!((told.len(), n_firing), (2, 1), "its begin and its end");
    assert!(told.iter().all(|alert| alert.annotations == annotations), "{told:#?}");
}

#[test]
fn a_condition_that_cannot_be_answered_neither_fires_nor_ends_and_one_that_does_not_hold_ends() {
    use serde_json::json;
    let text = "rules: [{name: many, expr: 'finding{check=\"conflicting\"}', when: evidence.n_branches > 2}]\n\
                channels: {webhook: [{name: team, url: \"https://x.example/h\"}]}\n\
                alerts: {settle: 0s, group_wait: 0s, group_interval: 1m, skip_rules: [conflict]}\n";
    let policy = Policy::of(&Config::from_yaml(text, "f").unwrap_or_else(|errors| panic!("{errors:#?}")).0);
    let mut world = World(world::World::new(policy, Timestamp(0)));
    let mut seen = |minute: i64, evidence: serde_json::Value| {
        world.wait(minute);
        let serde_json::Value::Object(evidence) = evidence else { panic!("evidence is an object") };
        let finding = crate::Finding {
            check: "conflicting",
            key: "conflicting:main".into(),
            severity: Severity::Error,
            subject: "main".into(),
            summary: "they conflict".into(),
            evidence,
            threshold: None,
            impact: String::new(),
            remedy: crate::Remedy::default(),
            doc: String::new(),
        };
        let check = checks::by_id("conflicting").unwrap();
        let judged = [Judged { check, status: crate::Status::Ok, reason: None, findings: vec![finding] }];
        world.see(Ok(&judged));
        (world.0.book.firing().count(), world.0.book.alerts().filter_map(|alert| alert.in_doubt.clone()).next())
    };
    assert_eq!(seen(1, json!({"n_branches": 2})), (0, None));
    assert_eq!(seen(2, json!({})), (0, None), "nothing was bad, and it is not known that anything is");
    assert_eq!(seen(3, json!({"n_branches": 3})), (1, None));
    let (n_firing, doubt) = seen(4, json!({"path": "a"}));
    assert_eq!(n_firing, 1);
    assert!(doubt.unwrap().contains("there is no `n_branches`"));
    assert_eq!(seen(5, json!({"n_branches": 1})), (0, None));
    assert_eq!(world.told().len(), 2);
}

fn evaluate_posted(labels: Labels) -> book::Posted {
    book::Posted { labels, annotations: Labels::new(), starts_at: None, ends_at: None, generator: String::new() }
}

#[test]
fn why_a_rule_finds_nothing_is_told_while_our_own_network_is_in_doubt() {
    let mut world = World::new();
    world.0.policy.rules = Rule::built_in();
    let silent = ["one.example", "two.example"].map(|host| (host.to_owned(), false));
    world.0.see_asking("/r", Ok(&[]), &[], 0.95, &silent);
    world.0.look_at_itself();
    let said = |name: &str| {
        let rule = world.0.policy.rule(name).unwrap();
        let links = explain::of_rule_now(&world.0.book, &world.0.policy, rule, Timestamp(0));
        links.into_iter().filter(|link| link.step == "doubt").map(|link| link.said).collect::<Vec<_>>()
    };
    let why = "our own network is in doubt: none of the hosts one.example, two.example answers";
    assert_eq!(said("remote-unreachable"), [why]);
    assert_eq!(said("conflict"), [""; 0]);
}
