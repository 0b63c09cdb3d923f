//! Single turns, with a hand-held clock.

use super::{reports::REPORTED_AT_MOST, *};
use crate::{checks::sample, run::Happened};

const PACE: Pace = Pace { interval: Span(300), at_once: 2 };

fn at(second: i64) -> Timestamp {
    Timestamp(sample::NOW.0 + second)
}

struct Day(State);

impl Day {
    fn of(paths: &[&str]) -> Day {
        Day(State::watching(paths.iter().map(|path| (*path).to_owned()), at(0)))
    }

    /// What is done after an event, a word each.
    fn then(&mut self, second: i64, event: Event) -> Vec<String> {
        let told = |effect: &Effect| match effect {
            Effect::Inspect(path) => format!("inspect {path}"),
            Effect::ReadUnplaced => "read runs".to_owned(),
            Effect::Deliver(row) => format!("deliver {}", row.key),
            Effect::Tend(path) => format!("tend {path}"),
            Effect::Do(wish) => format!("do {wish:?}"),
            Effect::Open(change) => format!("open {}", change.words()),
            Effect::Write(name, at) => format!("write {name} of {at}"),
            Effect::Beat(reasons) if reasons.is_empty() => "call: all is well".to_owned(),
            Effect::Beat(reasons) => format!("call: {}", reasons.join("; ")),
            Effect::Keep(commit) => {
                let sweeps = commit.sweeps.iter().map(|sweep| sweep.repository.clone());
                let events = commit.events.iter().map(|event| event.id.clone());
                format!("keep {}", sweeps.chain(events).collect::<Vec<_>>().join(" "))
            }
            Effect::Answer(receipts, Ok(())) => format!("kept {receipts:?}"),
            Effect::Answer(receipts, Err(refusal)) => format!("refuse {receipts:?}: {refusal}"),
        };
        turn(&mut self.0, event, &Config::default(), PACE, at(second)).iter().map(told).collect()
    }
}

fn seen(path: &str) -> Event {
    let mut snapshot = sample::snapshot([sample::branch("refs/heads/a", 1, 1)]);
    snapshot.repository.id = format!("id-of{path}");
    Event::Inspected(Box::new(Inspected { path: path.into(), seconds: 0.1, seen: Ok(snapshot) }))
}

fn failed(path: &str) -> Event {
    Event::Inspected(Box::new(Inspected {
        path: path.into(),
        seconds: 0.1,
        seen: Err(Unseen::Failed("it is gone".into())),
    }))
}

#[test]
fn a_morning_with_three_repositories() {
    let mut day = Day::of(&["/a", "/b", "/c"]);
    assert_eq!(day.then(0, Event::Tick), ["inspect /a", "inspect /b"]);
    assert_eq!(day.then(1, seen("/b")), ["inspect /c", "keep id-of/b"]);
    // What comes while something is being kept waits for that.
    assert_eq!(day.then(2, seen("/c")), [""; 0]);
    assert_eq!(day.then(3, Event::Kept(None)), ["keep id-of/c"]);
    // A slow repository holds up nobody: /b moves and is looked at while /a still runs.
    assert_eq!(day.then(4, Event::RefsMoved("/b".into())), [""; 0]);
    assert_eq!(day.then(6, Event::Tick), ["inspect /b"]);
}

#[test]
fn what_moves_while_it_is_looked_at_is_looked_at_again() {
    let mut day = Day::of(&["/a"]);
    day.then(0, Event::Tick);
    day.then(1, Event::RefsMoved("/a".into()));
    day.then(2, seen("/a"));
    day.then(3, Event::Kept(None));
    assert_eq!(day.then(4, Event::Tick), ["inspect /a"]);
}

#[test]
fn a_store_that_refuses_is_tried_again_and_gets_the_latest() {
    let mut day = Day::of(&["/a"]);
    day.then(0, Event::Tick);
    let effects = turn(&mut day.0, seen("/a"), &Config::default(), PACE, at(1));
    let Some(Effect::Keep(commit)) = effects.into_iter().next() else { panic!("something is kept") };
    assert_eq!(day.then(2, Event::NotKept(commit, "disk full".into())), [""; 0]);
    assert_eq!(day.0.store_trouble.as_deref(), Some("disk full"));
    assert_eq!(day.then(5, Event::Asked("/a".into())), ["inspect /a"]);
    assert_eq!(day.then(6, failed("/a")), [""; 0]);
    // Ten seconds after it failed; what was seen last is kept, under the same id.
    let kept = turn(&mut day.0, Event::Tick, &Config::default(), PACE, at(12));
    let [Effect::Keep(commit)] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(commit.sweeps[0].repository, "id-of/a");
    assert_eq!(commit.sweeps[0].outcome, SweepOutcome::Failed("it is gone".into()));
    day.then(13, Event::Kept(None));
    assert_eq!(day.0.store_trouble, None);
}

#[test]
fn what_went_wrong_beside_a_commit_is_told_until_it_goes_well() {
    let mut day = Day::of(&["/a"]);
    day.then(0, Event::Tick);
    day.then(1, seen("/a"));
    day.then(2, Event::Kept(Some("no backup".into())));
    assert_eq!(day.0.store_trouble.as_deref(), Some("no backup"));
    day.then(3, Event::Kept(None));
    assert_eq!(day.0.store_trouble, None);
}

#[test]
fn the_past_is_told_once_and_not_lost_when_the_store_is_busy() {
    let seen = || {
        let mut snapshot = sample::snapshot([]);
        let line = crate::facts::past::LinePast {
            name: "refs/heads/main".into(),
            n_commits: vec![Some(1); 3],
            moves: vec![at(-20 * 86_400)],
            landings: Vec::new(),
        };
        let ends = [-14, -7, 0].map(|day| at(day * 86_400)).to_vec();
        let past = crate::facts::past::Past { ends, lines: vec![line], ..Default::default() };
        snapshot.facts.past = crate::Known::Seen(past);
        Event::Inspected(Box::new(Inspected { path: "/a".into(), seconds: 0.1, seen: Ok(snapshot) }))
    };
    let mut day = Day::of(&["/a"]);
    day.then(0, Event::Tick);
    let kept = turn(&mut day.0, seen(), &Config::default(), PACE, at(1));
    let [Effect::Keep(commit)] = &kept[..] else { panic!("{kept:?}") };
    let moves: Vec<_> = commit.past.iter().filter(|reading| reading.metric == "alignwatch_base_moves").collect();
    assert_eq!(moves.len(), 2, "two weeks, and now, which is measured");
    assert_eq!(moves[0].labels, r#"{"line":"refs/heads/main","reconstructed":"true"}"#);
    assert_eq!((moves[0].at, moves[0].value, moves[1].value), (at(-14 * 86_400), 1.0, 0.0));
    assert!(commit.readings.iter().all(|reading| !reading.labels.contains("reconstructed")));
    day.then(2, Event::Asked("/a".into()));
    day.then(3, Event::Kept(None));
    day.then(400, Event::Tick);
    let kept = turn(&mut day.0, seen(), &Config::default(), PACE, at(401));
    let [Effect::Keep(commit)] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(commit.past, []);
}

#[test]
fn what_was_counted_is_kept_as_a_series_as_what_was_measured_is() {
    let end = |id| crate::facts::tasks::TaskEnd {
        id,
        task: "pack-refs".into(),
        is_undo: false,
        result: crate::task::Came::Effect,
        took_seconds: 1.0,
        proofs: Default::default(),
    };
    let seen = |ids: &[u64]| {
        let mut snapshot = sample::snapshot([]);
        snapshot.facts.task_ends = crate::Known::Seen(ids.iter().copied().map(end).collect());
        Event::Inspected(Box::new(Inspected { path: "/a".into(), seconds: 0.1, seen: Ok(snapshot) }))
    };
    let mut day = Day::of(&["/a"]);
    day.0.alerting.is_recalled = true;
    let counted = |day: &mut Day, second, ids: &[u64]| {
        let kept = turn(&mut day.0, seen(ids), &Config::default(), PACE, at(second));
        let [Effect::Keep(commit), ..] = &kept[..] else { panic!("{kept:?}") };
        let reading = commit.readings.iter().find(|one| one.metric == "alignwatch_task_runs_total").unwrap();
        (reading.labels.clone(), reading.value)
    };
    day.then(0, Event::Tick);
    let labels = r#"{"result":"effect","task":"pack-refs"}"#;
    assert_eq!(counted(&mut day, 1, &[1, 2]), (labels.to_owned(), 2.0));
    day.then(2, Event::Kept(None));
    day.then(400, Event::Tick);
    assert_eq!(counted(&mut day, 401, &[2, 3]), (labels.to_owned(), 3.0), "what is told again counts once");
}

#[test]
fn a_repository_that_is_gone_has_no_numbers_any_more() {
    let mut day = Day::of(&["/a"]);
    day.then(0, Event::Tick);
    day.then(1, seen("/a"));
    assert!(day.0.readings().count() > 10);
    day.then(2, Event::Kept(None));
    day.then(3, Event::Asked("/a".into()));
    day.then(4, failed("/a"));
    assert_eq!(day.0.readings().count(), 0);
}

fn reported(receipt: u64, id: &str, what: Happened) -> Event {
    let run = crate::run::RunId::from_parts(1, [1; 10]);
    Event::Reported(Receipt(receipt), vec![RunEvent::new(id, run, crate::run::Moment(1), what)])
}

#[test]
fn what_is_reported_is_acknowledged_when_it_is_kept_and_not_before() {
    let mut day = Day::of(&[]);
    let beat = |receipt, id| reported(receipt, id, Happened::Heartbeat {});
    assert_eq!(day.then(0, beat(1, "a")), ["keep a"]);
    // Whatever comes meanwhile is kept together.
    assert_eq!(day.then(0, beat(2, "b")), [""; 0]);
    assert_eq!(day.then(0, beat(3, "c")), [""; 0]);
    assert_eq!(day.then(0, Event::Kept(None)), ["kept [Receipt(1)]", "keep b c"]);
    let failed = Event::NotKept(Box::default(), "disk full".into());
    assert_eq!(day.then(1, failed), ["refuse [Receipt(2), Receipt(3)]: it could not be kept: disk full"]);
    assert_eq!(day.then(2, beat(4, "b")), ["refuse [Receipt(4)]: it could not be kept: disk full"]);
    assert_eq!(day.then(12, beat(5, "b")), ["keep b"], "it is tried again");
}

#[test]
fn more_reports_than_can_be_held_are_refused_at_once() {
    let mut day = Day::of(&[]);
    day.then(0, reported(1, "a", Happened::Heartbeat {}));
    let run = crate::run::RunId::from_parts(1, [1; 10]);
    let one = RunEvent::new("b", run, crate::run::Moment(1), Happened::Heartbeat {});
    day.then(0, Event::Reported(Receipt(2), vec![one; REPORTED_AT_MOST]));
    assert_eq!(
        day.then(0, reported(3, "c", Happened::Heartbeat {})),
        ["refuse [Receipt(3)]: more is reported than can be kept in time"]
    );
}

#[test]
fn a_repository_is_looked_at_when_a_run_in_it_begins_and_ends() {
    let mut day = Day::of(&["/a"]);
    day.then(0, Event::Tick);
    day.then(1, seen("/a"));
    day.then(2, Event::Kept(None));
    let started = crate::run::event::Started { repository_id: Some("id-of/a".into()), ..Default::default() };
    assert_eq!(day.then(10, reported(1, "s", Happened::Started(started))), ["keep s"]);
    assert_eq!(day.then(12, Event::Tick), ["inspect /a"]);
    day.then(13, seen("/a"));
    day.then(14, Event::Kept(None));
    day.then(15, Event::Kept(None));
    day.then(20, reported(2, "f", Happened::Finished(Default::default())));
    assert_eq!(day.then(22, Event::Tick), ["inspect /a"]);
}

/// A look that took so long.
fn seen_after(path: &str, seconds: f64) -> Event {
    let Event::Inspected(mut inspected) = seen(path) else { panic!("a look ended") };
    inspected.seconds = seconds;
    Event::Inspected(inspected)
}

#[test]
fn looks_that_turn_out_to_be_slow_give_their_places_back() {
    let mut day = Day::of(&["/a", "/b", "/c", "/d"]);
    assert_eq!(day.then(0, Event::Tick), ["inspect /a", "inspect /b"]);
    assert_eq!(day.then(29, Event::Tick), [""; 0]);
    assert_eq!(day.then(30, Event::Tick), ["inspect /c", "inspect /d"], "two file systems hang, and two do not");
    assert_eq!(day.then(31, seen("/c")), ["keep id-of/c"]);
}

#[test]
fn slow_looks_beside_the_usual_ones_are_few() {
    let paths: Vec<String> = (0..40).map(|number| format!("/{number:02}")).collect();
    let mut day = Day(State::watching(paths, at(0)));
    let begun: usize = (0..=20)
        .map(|minute| day.then(minute * 29, Event::Tick))
        .map(|effects| effects.iter().filter(|effect| effect.starts_with("inspect")).count())
        .sum();
    assert_eq!(begun, 2 + 8, "none of them ended, and each holds a repository in memory");
    // Those that hang hold nothing: after ten minutes others have their turn.
    assert_eq!(day.then(601, Event::Tick).iter().filter(|effect| effect.starts_with("inspect")).count(), 2);
}

#[test]
fn repositories_that_are_known_to_be_slow_never_take_the_last_place() {
    let mut day = Day::of(&["/slow1", "/slow2"]);
    day.then(0, Event::Tick);
    day.then(100, seen_after("/slow1", 100.0));
    day.then(101, seen_after("/slow2", 101.0));
    day.then(102, Event::Kept(None));
    day.then(103, Event::Kept(None));
    day.then(110, Event::Asked("/slow2".into()));
    assert_eq!(day.then(110, Event::Asked("/slow1".into())), [""; 0], "one of them at a time");
    assert_eq!(day.then(111, Event::Watched("/quick".into())), ["inspect /quick"]);
    day.then(112, seen("/quick"));
    day.then(160, seen_after("/slow2", 50.0));
    let Watched { looking_since, .. } = day.0.repositories["/slow1"];
    assert_eq!(looking_since, Some(at(160)));
}

#[test]
fn a_look_that_never_ends_is_told_as_unknown_once_an_interval_and_holds_up_nobody() {
    let mut day = Day::of(&["/a", "/b"]);
    day.then(0, Event::Tick);
    day.then(1, seen("/a"));
    day.then(2, seen("/b"));
    day.then(3, Event::Kept(None));
    day.then(4, Event::Kept(None));
    day.then(10, Event::Asked("/a".into()));
    day.then(609, Event::Tick);
    day.then(609, seen("/b"));
    day.then(609, Event::Kept(None));
    let effects = turn(&mut day.0, Event::Tick, &Config::default(), PACE, at(610));
    let [Effect::Keep(commit)] = &effects[..] else { panic!("{effects:?}") };
    let [sweep] = &commit.sweeps[..] else { panic!("{commit:?}") };
    assert_eq!(sweep.repository, "id-of/a");
    assert_eq!(sweep.outcome, SweepOutcome::Failed(looks::hangs(at(10))));
    assert_eq!(day.0.repositories["/a"].status, Status::Unknown);
    day.then(611, Event::Kept(None));
    assert_eq!(day.then(700, Event::Tick), [""; 0], "not again at each turn");
    assert_eq!(day.then(911, Event::Tick), ["keep id-of/a"]);
    assert_eq!(day.0.overdue(PACE, at(911)), 1, "and that it was not looked at is a broken promise");
    day.then(912, Event::Kept(None));
    assert_eq!(day.then(913, seen("/a")), ["keep id-of/a"], "what ends late counts");
}

#[test]
fn one_that_is_gone_is_kept_as_gone_under_the_id_that_it_had() {
    let mut day = Day(State::watching(["/a".to_owned()], at(0)).with_ids([("/a".to_owned(), "before".to_owned())]));
    day.then(0, Event::Tick);
    let seen = Err(Unseen::Gone("cannot find it".into()));
    let gone = Event::Inspected(Box::new(Inspected { path: "/a".into(), seconds: 0.1, seen }));
    let effects = turn(&mut day.0, gone, &Config::default(), PACE, at(1));
    let [Effect::Keep(commit)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(commit.sweeps[0].repository, "before");
    assert_eq!(commit.sweeps[0].outcome, SweepOutcome::Gone("cannot find it".into()));
    assert_eq!(day.0.repositories["/a"].status, Status::Unknown, "which is never well");
}

#[test]
fn the_alerts_of_a_repository_end_when_it_is_taken_out() {
    use crate::alert::{Book, Policy};
    let policy = Policy::of(&Config::default());
    let paths = ["/a", "/b"].map(str::to_owned);
    let mut day = Day(State::watching(paths, at(0)).with_alerts(Book::new(&policy, at(0)), policy));
    for second in [0, 400, 800, 1_200, 1_600] {
        day.then(second, failed("/a"));
        day.then(second, failed("/b"));
    }
    let firing = |day: &Day| {
        let book = &day.0.alerting.book;
        book.firing().map(|alert| alert.repository.clone()).filter(|path| !path.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(firing(&day), ["/a", "/b"]);
    day.then(1_700, Event::Unwatched("/b".into()));
    assert_eq!(firing(&day), ["/a"]);
    let ended = day.0.alerting.book.alerts().find(|alert| alert.repository == "/b").unwrap();
    assert!(ended.summary.ends_with("(its repository is watched no longer)"), "{}", ended.summary);
}

#[test]
fn a_repository_that_is_added_is_looked_at_now_and_one_that_is_taken_out_never_again() {
    let mut day = Day::of(&["/a"]);
    day.then(0, Event::Tick);
    day.then(1, seen("/a"));
    day.then(2, Event::Kept(None));
    assert_eq!(day.then(10, Event::Watched("/b".into())), ["inspect /b"]);
    assert_eq!(day.0.overdue(PACE, at(11)), 0, "it has as long as any other");
    assert_eq!(day.then(11, Event::Watched("/b".into())), [""; 0], "once is enough");
    assert_eq!(day.0.overdue(PACE, at(10 + 2 * 300 + 1)), 2, "neither was looked at since");
    assert_eq!(day.then(12, seen("/b")), ["keep id-of/b"]);
    day.then(13, Event::Kept(None));
    day.then(14, Event::Unwatched("/b".into()));
    assert_eq!(day.then(15, Event::RefsMoved("/b".into())), [""; 0]);
    assert_eq!(day.then(16, seen("/b")), [""; 0], "a look that was under way comes too late");
    let later = day.then(10_000, Event::Tick);
    assert_eq!(later, ["inspect /a"], "and nothing of it is due");
}

#[test]
fn what_was_counted_is_kept_with_what_is_seen_and_goes_on_after_a_restart() {
    let look = |branches: Vec<crate::Branch>| {
        let snapshot = sample::snapshot(branches);
        Event::Inspected(Box::new(Inspected { path: "/a".into(), seconds: 0.1, seen: Ok(snapshot) }))
    };
    let conflicting = || sample::conflicting(sample::branch("refs/heads/a", 1, 1), &["x"]);
    let lasted = |state: &State| {
        let all = state.distributions(at(0)).filter(|one| one.metric.ends_with("predicted_conflict_duration_seconds"));
        all.map(|one| one.counts.iter().sum::<u64>()).sum::<u64>()
    };
    let mut records: BTreeMap<String, crate::record::Record> = BTreeMap::new();
    let mut keep = |state: &mut State, event: Event, second: i64| {
        for effect in turn(state, event, &Config::default(), PACE, at(second)) {
            let Effect::Keep(commit) = effect else { continue };
            let tallies = commit.records.into_iter().filter(|one| one.kind == crate::record::RecordKind::Tally);
            records.extend(tallies.map(|one| (one.key.clone(), one)));
        }
        turn(state, Event::Kept(None), &Config::default(), PACE, at(second));
    };
    let watching = |second| {
        let policy = crate::alert::Policy::of(&Config::default());
        State::watching(["/a".to_owned()], at(second)).with_alerts(crate::alert::Book::new(&policy, at(second)), policy)
    };
    let mut day = Day(watching(0));
    day.then(0, Event::Tick);
    keep(&mut day.0, look(vec![conflicting()]), 1);
    keep(&mut day.0, look(vec![sample::branch("refs/heads/a", 1, 1)]), 400);
    assert_eq!(lasted(&day.0), 1);
    let records: Vec<_> = records.into_values().collect();
    let mut again = watching(500).with_tallies(&records);
    turn(&mut again, look(vec![sample::branch("refs/heads/a", 1, 1)]), &Config::default(), PACE, at(501));
    assert_eq!(lasted(&again), 1, "it goes on, and counts nothing twice");
}
