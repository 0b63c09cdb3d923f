//! Alignment runs in tests of rules: what is reported of them is told by the same events as anywhere, and judged by the same checks.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    Known, Severity, Snapshot, Timestamp,
    checks::{self, Family, Judged},
    config::Config,
    facts::runs::{Brief, Process},
    run::{
        Finished, Happened, Loss, LossKind, Moment, Outcome, Run, RunEvent, RunId, Stage, Verification, event::Started,
        verification::Verified,
    },
    turn::CHECKS_OF_UNPLACED_RUNS,
};

/// Something happens to a run: to the last one of its workflow there, unless it is another that begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAct {
    /// The workflow.
    pub workflow: String,
    /// Where; none = it belongs to no repository.
    #[serde(default)]
    pub repository: String,
    /// What happens.
    pub event: What,
    /// How it ended; none = `aligned`.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// What its verification found to be lost, by branch.
    #[serde(default)]
    pub lost: BTreeMap<String, String>,
}

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It begins.
    Started,
    /// It says that it is alive.
    Heartbeat,
    /// It ends.
    Finished,
    /// Its process is gone, and nobody said that it ended.
    Gone,
}

/// All runs of a test.
#[derive(Debug, Default)]
pub(super) struct Runs {
    all: Vec<One>,
    /// Where any will be, so that it is looked for them from the beginning.
    places: Vec<String>,
}

#[derive(Debug)]
struct One {
    workflow: String,
    repository: String,
    run: Run,
    is_gone: bool,
}

impl Runs {
    pub(super) fn of<'a>(acts: impl Iterator<Item = &'a RunAct>) -> Runs {
        Runs { all: Vec::new(), places: acts.map(|act| act.repository.clone()).collect() }
    }

    pub(super) fn places(&self) -> impl Iterator<Item = &String> {
        self.places.iter()
    }

    /// Takes in what happened. Errors: there is no such run.
    pub(super) fn take_in(&mut self, act: &RunAct, now: Timestamp) -> Result<(), String> {
        let at = Moment(now.0.saturating_mul(1000));
        if act.event == What::Started {
            let id = RunId::from_parts(
                at.0.unsigned_abs(),
                (self.all.len() as u128).to_be_bytes()[6..].try_into().unwrap_or_default(),
            );
            let started = Started { workflow: act.workflow.clone(), ..Started::default() };
            let run = Run::of([RunEvent::new("0", id, at, Happened::Started(started))]);
            self.all.push(One {
                workflow: act.workflow.clone(),
                repository: act.repository.clone(),
                run,
                is_gone: false,
            });
            return Ok(());
        }
        let is_it = |one: &&mut One| one.workflow == act.workflow && one.repository == act.repository;
        let one = self.all.iter_mut().rev().find(is_it);
        let one =
            one.ok_or_else(|| format!("no run of `{}` began before it could be {:?}", act.workflow, act.event))?;
        one.take_in(act, at);
        Ok(())
    }

    /// What the checks say of the runs at this place; nothing where the test has none.
    pub(super) fn judged(&self, config: &Config, place: &str, begin: Timestamp, now: Timestamp) -> Vec<Judged> {
        if !self.places.iter().any(|known| known == place) {
            return Vec::new();
        }
        let here = self.all.iter().rev().filter(|one| one.repository == place);
        let expected_since = config.workflows.iter().map(|rule| (rule.name.clone(), begin)).collect();
        let mut snapshot =
            Snapshot::of_runs_alone(Known::Seen(here.filter_map(One::brief).collect()), expected_since, now);
        place.clone_into(&mut snapshot.repository.path);
        let is_wanted = |check: &checks::Check| match place.is_empty() {
            true => CHECKS_OF_UNPLACED_RUNS.contains(&check.id),
            false => check.family == Family::Runs,
        };
        let judged = checks::judge(&snapshot, config, now, |check| match is_wanted(check) {
            true => checks::is_made(check, config, |_| false),
            false => Err("it is about no run".to_owned()),
        });
        judged.into_iter().filter(|judged| is_wanted(judged.check)).collect()
    }
}

impl One {
    fn take_in(&mut self, act: &RunAct, at: Moment) {
        let Some(id) = self.run.id().cloned() else { return };
        let mut events = match act.event {
            What::Started => Vec::new(),
            What::Heartbeat => vec![Happened::Heartbeat {}],
            What::Finished => {
                let outcome = act.outcome.unwrap_or(Outcome::Aligned);
                vec![Happened::Finished(Finished {
                    outcome,
                    because: "the test says so".to_owned(),
                    ..Finished::default()
                })]
            }
            What::Gone => {
                self.is_gone = true;
                Vec::new()
            }
        };
        events.extend((!act.lost.is_empty()).then(|| Happened::Stage(verified(&act.lost))));
        for what in events {
            let number = self.run.events().len();
            self.run.apply(RunEvent::new(number.to_string(), id.clone(), at, what));
        }
    }

    fn brief(&self) -> Option<Brief> {
        let brief = Brief::of(&self.run.document()?)?;
        let process = if self.is_gone { Process::Gone } else { Process::Unknown };
        Some(Brief { process, ..brief })
    }
}

fn verified(lost: &BTreeMap<String, String>) -> Stage {
    let branch = |(branch, what): (&String, &String)| Verified {
        branch: branch.clone(),
        losses: vec![Loss::new(LossKind::CommitsLost, Severity::Critical, what.clone(), Vec::new(), Vec::new())],
        ..Verified::default()
    };
    let verification = Verification { branches: lost.iter().map(branch).collect(), ..Verification::default() };
    Stage { stage: "verify".to_owned(), verification: Some(verification), ..Stage::default() }
}
