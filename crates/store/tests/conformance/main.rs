//! What an engine of the store has to do: after the same commits it answers as the plain one in memory does.
//!
//! A further engine gets one more line in [`engines_agree`].

#![expect(clippy::unwrap_used, reason = "a test may end at its first surprise")]

mod memory;

use std::fmt::Debug;

use alignwatch_model::{
    Severity, Span, Status, Timestamp,
    config::Retention,
    kept::KeptBranch,
    record::{Commit, FindingRow, Reading, Record, RecordKind, Sweep, SweepOutcome},
    run::{Finished, Happened, Moment, Outcome, RunEvent, RunId, event::Started},
};
use alignwatch_store::{Engine, Point, StoreError, Tended, WhichRuns};
use memory::Memory;
use proptest::prelude::*;

const DAY: i64 = 86_400;
const REPOSITORIES: [&str; 3] = ["a", "b", "c"];
const KEYS: [&str; 4] = ["k1", "k2", "k3", "k4"];

fn finding() -> impl Strategy<Value = FindingRow> {
    let severity = prop_oneof![Just(Severity::Info), Just(Severity::Critical)];
    (0..KEYS.len(), severity, "[a-z']{0,5}").prop_map(|(key, severity, summary)| FindingRow {
        key: KEYS[key].into(),
        // The check follows from the key, as it does with findings.
        check: if key < 2 { "one" } else { "two" },
        severity,
        summary,
        document: "{}".into(),
    })
}

fn branch() -> impl Strategy<Value = KeptBranch> {
    let state = prop_oneof![Just("behind"), Just("merged"), Just("diverged")];
    ("[a-c]", state).prop_map(|(name, state)| {
        let json = format!(
            r#"{{"ref":"refs/heads/{name}","relation":"track","budget":{{}},"state":"{state}","verdict":"clean"}}"#
        );
        serde_json::from_str(&json).unwrap()
    })
}

fn outcome() -> impl Strategy<Value = SweepOutcome> {
    let settled = proptest::sample::subsequence(vec!["one", "two"], 0..=2);
    let findings = proptest::collection::vec(finding(), 0..4);
    let branches = proptest::collection::vec(branch(), 0..4);
    let seen =
        (findings, branches, settled, "[a-z]{0,5}").prop_map(|(mut findings, mut branches, settled, document)| {
            // Of a key, and of a name, there is one.
            findings.sort_by(|a, b| a.key.cmp(&b.key));
            findings.dedup_by(|a, b| a.key == b.key);
            branches.sort_by(|a, b| a.name.cmp(&b.name));
            branches.dedup_by(|a, b| a.name == b.name);
            SweepOutcome::Seen { status: Status::Warning, document, branches, findings, settled }
        });
    prop_oneof![4 => seen, 1 => "[a-z]{1,5}".prop_map(SweepOutcome::Failed)]
}

fn event() -> impl Strategy<Value = RunEvent> {
    let what = prop_oneof![
        ("[ab]", 0..REPOSITORIES.len()).prop_map(|(workflow, repository)| Happened::Started(Started {
            workflow,
            repository_id: Some(REPOSITORIES[repository].into()),
            ..Started::default()
        })),
        Just(Happened::Heartbeat {}),
        Just(Happened::Finished(Finished { outcome: Outcome::Aligned, ..Finished::default() })),
    ];
    (1u8..4, "e[1-4]", 0i64..1000, what).prop_map(|(run, id, second, what)| {
        RunEvent::new(id, RunId::from_parts(run.into(), [run; 10]), Moment(second * DAY * 10), what)
    })
}

/// Repository, labels, seconds, value.
type Numbers = (usize, usize, i64, f64);

fn reading() -> impl Strategy<Value = Numbers> {
    let value = prop_oneof![4 => (-1000i32..1000).prop_map(|n| f64::from(n) / 4.0), 1 => Just(f64::NAN)];
    (0..REPOSITORIES.len(), 0..3usize, -3600i64..3600, value)
}

/// A kind, a key, whether it matters, and a document or none.
fn record() -> impl Strategy<Value = (usize, String, bool, Option<String>)> {
    (0..2usize, "[ab]", any::<bool>(), proptest::option::of("[a-z']{0,4}"))
}

/// What happens to a store: a commit some hours after the one before, or tending.
#[derive(Clone, Debug)]
enum Act {
    Commit(Commit),
    Tend(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let sweep = (0..REPOSITORIES.len(), outcome());
    let readings = proptest::collection::vec(reading(), 0..400);
    let events = proptest::collection::vec(event(), 0..3);
    let past = proptest::collection::vec(reading(), 0..40);
    let records = proptest::collection::vec(record(), 0..4);
    let act = (proptest::collection::vec(sweep, 0..2), (readings, past), (events, records), 0..10u8);
    proptest::collection::vec(act, 1..25).prop_map(|acts| {
        type Records = Vec<(usize, String, bool, Option<String>)>;
        type Sketch = (Vec<(usize, SweepOutcome)>, (Vec<Numbers>, Vec<Numbers>), (Vec<RunEvent>, Records), u8);
        let act = |(number, (sweeps, (readings, past), (events, records), kind)): (usize, Sketch)| {
            let at = 50 * DAY + number as i64 * DAY / 3;
            if kind == 0 {
                return Act::Tend(at);
            }
            let sweeps = sweeps.into_iter().map(|(repository, outcome): (usize, SweepOutcome)| Sweep {
                repository: REPOSITORIES[repository].into(),
                path: format!("/srv/{repository}"),
                at: Timestamp(at),
                seconds: 0.5,
                outcome,
            });
            // Clocks are set back, and of one second there may be several.
            let reading = |(repository, labels, offset, value): Numbers| Reading {
                repository: REPOSITORIES[repository].into(),
                metric: if labels == 0 { "m" } else { "n" },
                labels: format!("{{\"l\":{labels}}}"),
                at: Timestamp(at + offset),
                value,
            };
            Act::Commit(Commit {
                sweeps: sweeps.collect(),
                readings: readings.into_iter().map(reading).collect(),
                // Some of its series are measured as well, some are not.
                past: past
                    .into_iter()
                    .map(|(repository, labels, offset, value)| reading((repository, 2 * labels, offset, value)))
                    .collect(),
                events,
                records: records
                    .into_iter()
                    .map(|(kind, key, is_open, document)| Record {
                        kind: RecordKind::ALL[kind],
                        key,
                        at: Timestamp(at),
                        is_open,
                        document,
                    })
                    .collect(),
            })
        };
        acts.into_iter().enumerate().map(act).collect()
    })
}

/// Little is kept as it was measured, so that everything is rolled up; no numbers are dropped.
fn retention() -> Retention {
    let days = Span::days;
    let (raw, by_five_minutes, by_hour, findings, runs) = (days(1), days(2), days(4), days(3), days(30));
    Retention { raw, by_five_minutes, by_hour, findings, runs, ..Retention::default() }
}

fn perform(engine: &mut dyn Engine, act: &Act) {
    match act {
        Act::Commit(commit) => engine.commit(commit).unwrap(),
        Act::Tend(at) => while engine.tend(&retention(), Timestamp(*at)).unwrap() == Tended::Some {},
    }
}

/// The answers to all questions, as text; numbers of points apart, since sums may differ in the last digits.
fn answers(engine: &dyn Engine) -> (Vec<String>, Vec<Point>) {
    fn told<T: Debug>(answer: Result<T, StoreError>) -> String {
        format!("{:?}", answer.unwrap())
    }
    let mut texts = vec![told(engine.repositories())];
    for also_ended in [false, true] {
        texts.push(told(engine.findings(None, also_ended, 1000)));
        texts.push(told(engine.findings(Some("a"), also_ended, 3)));
    }
    for id in REPOSITORIES {
        texts.push(told(engine.repository(id)));
        texts.push(told(engine.document(id)));
        texts.push(told(engine.branches(id, None, "", 10)));
        texts.push(told(engine.branches(id, Some("behind"), "refs/heads/a", 1)));
    }
    let third = RunId::from_parts(3, [3; 10]);
    let which = WhichRuns { repository: Some("a"), workflow: Some("b"), before: None };
    texts.push(told(engine.runs(WhichRuns::default(), 10)));
    texts.push(told(engine.runs(WhichRuns { before: Some(&third), ..WhichRuns::default() }, 1)));
    texts.push(told(engine.runs(which, 10)));
    texts.push(told(engine.run(&third)));
    texts.push(told(engine.open_records()));
    texts.push(told(engine.records(RecordKind::ALL[0], 10)));
    texts.push(told(engine.records(RecordKind::ALL[1], 1)));
    let mut points = Vec::new();
    for (metric, repository) in [(None, None), (Some("n"), Some("b"))] {
        for row in engine.series(metric, repository).unwrap() {
            texts.push(format!("{} {} {}", row.repository, row.metric, row.labels));
            for (from, to, step) in [(0, 1000 * DAY, DAY), (49 * DAY, 53 * DAY, 2 * DAY), (0, 1000 * DAY, 1000 * DAY)] {
                points.extend(engine.points(row.id, Timestamp(from), Timestamp(to), step).unwrap());
            }
        }
    }
    (texts, points)
}

fn engines_agree(engine: &mut dyn Engine, acts: &[Act]) {
    let mut plain = Memory::default();
    for act in acts {
        perform(&mut plain, act);
        perform(engine, act);
        let (expected, answered) = (answers(&plain), answers(engine));
        assert_eq!(expected.0, answered.0);
        assert_eq!(expected.1.len(), answered.1.len());
        for (expected, answered) in std::iter::zip(expected.1, answered.1) {
            assert!((expected.sum - answered.sum).abs() < 1e-6, "{expected:?} {answered:?}");
            // Where the clock was set back, an engine may say otherwise what came first and last in a span.
            let of = |point: Point| (point.at, point.n, point.least, point.most);
            assert_eq!(of(expected), of(answered));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_answers_as_the_plain_engine_does(acts in acts()) {
        let folder = tempfile::tempdir().unwrap();
        engines_agree(&mut alignwatch_store::open(folder.path()).unwrap().0, &acts);
    }
}
