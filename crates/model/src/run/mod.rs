//! Alignment runs: what is reported of them, what they amount to, and how they ended.
//!
//! A [`Run`] is nothing but the set of its [`RunEvent`]s, so that an event which comes twice, late or in another
//! order changes nothing. How a command ended is judged in [`mod@judge`] from its exit, from what it left behind and
//! from the refs, since exit codes lie in both directions. Whether it lost work is told in [`Verification`].

pub mod event;
pub mod id;
pub mod judge;
pub mod operation;
pub mod outcome;
pub mod times;
pub mod verification;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use event::{Finished, Happened, RefMove, RunEvent, Stage, StateLeft, Usage};
pub use id::{Moment, RunId};
pub use judge::{Evidence, Exit, Judged, Moved, Seen, judge};
pub use operation::{Op, Operation};
pub use outcome::Outcome;
pub use verification::{Loss, LossKind, Verification};

use event::Started;

/// The schema of [`Run::document`].
pub const SCHEMA: &str = "alignwatch.run/1";

/// One execution of a workflow: the events that are known of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    events: BTreeMap<String, RunEvent>,
}

/// A run in JSON, schema `alignwatch.run/1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// `alignwatch.run/1`.
    pub schema: String,
    /// Its id.
    pub run: RunId,
    /// How it ended; `None` while it is under way, as far as anybody said. A run that lost work is `failed`, whatever it said.
    pub outcome: Option<Outcome>,
    /// When it began, or the first that was heard of it.
    pub began_at: Option<Moment>,
    /// When it ended.
    pub ended_at: Option<Moment>,
    /// The last that was heard of it.
    pub heard_at: Option<Moment>,
    /// What it is and how it was started.
    pub started: Option<Started>,
    /// How it ended, in full.
    pub finished: Option<Finished>,
    /// Its stages, in the order in which they were reported.
    pub stages: Vec<Stage>,
    /// One for each branch, by name: the last that was reported.
    pub operations: Vec<Operation>,
    /// Did it lose anything? The last verification, when there was one.
    pub verification: Option<Verification>,
    /// How many events are known.
    pub n_events: usize,
}

impl Run {
    /// The run that these events tell of. Events of other runs must not be among them.
    pub fn of(events: impl IntoIterator<Item = RunEvent>) -> Run {
        let mut run = Run::default();
        events.into_iter().for_each(|event| _ = run.apply(event));
        run
    }

    /// Adds an event; false = it changed nothing. One that is known already does not, and the order does not matter.
    pub fn apply(&mut self, event: RunEvent) -> bool {
        // Two events that claim one id: which one stays must not depend on the order.
        let is_known = self.events.get(&event.id).is_some_and(|known| known.json() <= event.json());
        if !is_known {
            self.events.insert(event.id.clone(), event);
        }
        !is_known
    }

    /// Keeps the last heartbeat only, as those before it say nothing that it does not. The ids of the others.
    pub fn keep_last_heartbeat(&mut self) -> Vec<String> {
        let mut beats: Vec<&RunEvent> = self.events.values().filter(|event| event.is_heartbeat()).collect();
        beats.sort_by_key(|event| (event.at, &event.id));
        beats.pop();
        let ids: Vec<String> = beats.into_iter().map(|event| event.id.clone()).collect();
        ids.iter().for_each(|id| _ = self.events.remove(id));
        ids
    }

    /// The event with this id.
    pub fn event(&self, id: &str) -> Option<&RunEvent> {
        self.events.get(id)
    }

    /// How many events are known.
    pub fn n_events(&self) -> usize {
        self.events.len()
    }

    /// All events, the oldest first.
    pub fn events(&self) -> Vec<&RunEvent> {
        self.in_order().0
    }

    fn in_order(&self) -> InOrder<'_> {
        let mut events: Vec<&RunEvent> = self.events.values().collect();
        events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        InOrder(events)
    }

    /// Its id; `None` without an event.
    pub fn id(&self) -> Option<&RunId> {
        self.events.values().next().map(|event| &event.run)
    }

    /// What it is and how it was started: the first report counts.
    pub fn started(&self) -> Option<&Started> {
        self.in_order().started()
    }

    /// How it ended: the last report counts.
    pub fn finished(&self) -> Option<&Finished> {
        self.in_order().finished()
    }

    /// How it ended, in one word; `None` while it is under way, as far as anybody said.
    pub fn outcome(&self) -> Option<Outcome> {
        let events = self.in_order();
        events.ended(&events.operations()).map(|finished| finished.outcome)
    }

    /// Its stages, in the order in which they were reported.
    pub fn stages(&self) -> Vec<&Stage> {
        self.in_order().stages().collect()
    }

    /// One operation for each branch, by name: the last that was reported.
    pub fn operations(&self) -> Vec<&Operation> {
        self.in_order().operations()
    }

    /// The last verification, when there was one.
    pub fn verification(&self) -> Option<&Verification> {
        self.in_order().verification()
    }

    /// All of it for JSON; `None` without an event.
    pub fn document(&self) -> Option<Document> {
        let events = self.in_order();
        let first = events.0.first()?;
        let at =
            |wanted: fn(&Happened) -> bool| events.0.iter().find(|event| wanted(&event.what)).map(|event| event.at);
        let operations = events.operations();
        let finished = events.ended(&operations);
        Some(Document {
            schema: SCHEMA.to_owned(),
            run: first.run.clone(),
            outcome: finished.as_ref().map(|finished| finished.outcome),
            began_at: at(|what| matches!(what, Happened::Started(_))).or(Some(first.at)),
            ended_at: events.0.iter().rev().find(|event| event.finished().is_some()).map(|event| event.at),
            heard_at: events.0.last().map(|event| event.at),
            started: events.started().cloned(),
            finished,
            stages: events.stages().cloned().collect(),
            operations: operations.into_iter().cloned().map(|one| events.verified(one)).collect(),
            verification: events.verification().cloned(),
            n_events: events.0.len(),
        })
    }
}

/// The events of a run, the oldest first.
struct InOrder<'a>(Vec<&'a RunEvent>);

impl<'a> InOrder<'a> {
    fn started(&self) -> Option<&'a Started> {
        self.0.iter().find_map(|event| match &event.what {
            Happened::Started(started) => Some(started),
            _ => None,
        })
    }

    fn finished(&self) -> Option<&'a Finished> {
        self.0.iter().rev().find_map(|event| event.finished())
    }

    fn stages(&self) -> impl DoubleEndedIterator<Item = &'a Stage> {
        self.0.iter().filter_map(|event| event.stage())
    }

    fn operations(&self) -> Vec<&'a Operation> {
        let mut by_branch: BTreeMap<&str, &Operation> = BTreeMap::new();
        for event in &self.0 {
            let told: &[Operation] = match &event.what {
                Happened::Operation(operation) => std::slice::from_ref(operation),
                Happened::Finished(finished) => &finished.operations,
                _ => &[],
            };
            by_branch.extend(told.iter().map(|operation| (operation.branch.as_str(), operation)));
        }
        by_branch.into_values().collect()
    }

    fn verification(&self) -> Option<&'a Verification> {
        self.stages().rev().find_map(|stage| stage.verification.as_ref())
    }

    /// How it ended, as the verification leaves it: neither an exit code nor a report proves that nothing was lost.
    fn ended(&self, operations: &[&Operation]) -> Option<Finished> {
        let mut finished = self.finished()?.clone();
        let of_branches = || {
            let said = operations.iter().filter(|one| one.outcome == Outcome::Aligned);
            let now = said.map(|one| self.verified((*one).clone())).find(|one| one.outcome != Outcome::Aligned)?;
            (finished.outcome == Outcome::Aligned).then(|| format!("`{}`: {}", now.branch, now.because))
        };
        let lost = self.verification().and_then(|found| found.disproves(finished.outcome));
        if let Some(because) = lost.map(|why| disproved(&why, finished.outcome)).or_else(of_branches) {
            (finished.outcome, finished.because) = (Outcome::Failed, because);
        }
        finished.operations = finished.operations.into_iter().map(|one| self.verified(one)).collect();
        Some(finished)
    }

    /// The same, where the verification of its branch proves no other outcome.
    fn verified(&self, mut operation: Operation) -> Operation {
        let why = self.verification().and_then(|found| found.disproves_of(&operation.branch, operation.outcome));
        if let Some(why) = why {
            (operation.outcome, operation.because) = (Outcome::Failed, disproved(&why, operation.outcome));
        }
        operation
    }
}

/// Why an outcome is another one than was said.
fn disproved(why: &str, said: Outcome) -> String {
    format!("{why}; it was said to be {}", said.word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Severity, run::verification::Verified};

    fn event(number: u8, what: Happened) -> RunEvent {
        let run = RunId::from_parts(1, [0; 10]);
        RunEvent::new(RunId::from_parts(2, [number; 10]).to_string(), run, Moment(i64::from(number) * 1000), what)
    }

    fn events() -> Vec<RunEvent> {
        let stage = |name: &str| Happened::Stage(Stage { stage: name.into(), ..Stage::default() });
        let operation = |outcome| Operation { branch: "refs/heads/x".into(), outcome, ..Operation::default() };
        let finished = |outcome| Happened::Finished(Finished { outcome, ..Finished::default() });
        vec![
            event(1, Happened::Started(Started { workflow: "nightly".into(), ..Started::default() })),
            event(2, stage("fetch")),
            event(3, Happened::Operation(operation(Outcome::Conflict))),
            event(4, Happened::Operation(operation(Outcome::Aligned))),
            event(5, stage("push")),
            event(6, finished(Outcome::Failed)),
            event(7, finished(Outcome::Aligned)),
        ]
    }

    #[test]
    fn events_that_come_twice_or_out_of_order_change_nothing() {
        let told = Run::of(events());
        let backwards = Run::of(events().into_iter().rev().chain(events()));
        assert_eq!(told, backwards);
        assert_eq!(told.document(), backwards.document());
        let document = told.document().unwrap();
        assert_eq!(document.outcome, Some(Outcome::Aligned), "the last word counts");
        assert_eq!(document.operations.len(), 1);
        assert_eq!(document.operations[0].outcome, Outcome::Aligned);
        let stages: Vec<_> = document.stages.iter().map(|stage| stage.stage.as_str()).collect();
        assert_eq!(stages, ["fetch", "push"]);
        assert_eq!((document.began_at, document.heard_at), (Some(Moment(1000)), Some(Moment(7000))));
    }

    #[test]
    fn of_two_events_with_one_id_the_same_stays_in_any_order() {
        let one = event(1, Happened::Heartbeat {});
        let other = event(1, Happened::Stage(Stage { stage: "x".into(), ..Stage::default() }));
        let (a, b) = (Run::of([one.clone(), other.clone()]), Run::of([other, one]));
        assert_eq!(a, b);
        assert_eq!(a.events().len(), 1);
    }

    #[test]
    fn a_run_nobody_heard_of_has_no_document() {
        assert_eq!(Run::default().document(), None);
        assert_eq!(Run::default().outcome(), None);
    }

    #[test]
    fn a_run_that_lost_work_is_not_aligned_whatever_was_said() {
        let operation =
            |branch: &str| Operation { branch: branch.into(), outcome: Outcome::Aligned, ..Operation::default() };
        let operations = vec![operation("refs/heads/x"), operation("refs/heads/y"), operation("refs/heads/z")];
        let finished = Finished { outcome: Outcome::Aligned, operations, ..Finished::default() };
        let told = |severity| {
            let loss = Loss::new(LossKind::CommitsLost, severity, "3 commits are gone", Vec::new(), Vec::new());
            let x = Verified { branch: "refs/heads/x".into(), losses: vec![loss], ..Verified::default() };
            let z = Verified { branch: "refs/heads/z".into(), contains_base: Some(false), ..Verified::default() };
            let found = Verification { branches: vec![x, z], ..Verification::default() };
            let verify = Stage { stage: "verify".into(), verification: Some(found), ..Stage::default() };
            let events = [event(1, Happened::Finished(finished.clone())), event(2, Happened::Stage(verify))];
            Run::of(events).document().unwrap()
        };
        let document = told(Severity::Critical);
        assert_eq!(document.outcome, Some(Outcome::Failed));
        let ended = document.finished.unwrap();
        assert_eq!(ended.because, "`refs/heads/x` lost work: 3 commits are gone; it was said to be aligned");
        let words: Vec<_> = document.operations.iter().map(|one| one.outcome.word()).collect();
        assert_eq!(words, ["failed", "aligned", "failed"]);
        assert_eq!(document.operations[2].because, "it does not contain its base; it was said to be aligned");
        assert_eq!(ended.operations, document.operations);
        // A tip that nothing keeps is a warning, and no loss yet.
        assert_eq!(told(Severity::Warning).operations[0].outcome, Outcome::Aligned);
    }
}
