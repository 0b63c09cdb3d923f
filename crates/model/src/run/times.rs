//! How long runs took, and how many did what they should: over all of them, and for each part of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Document, Outcome};

/// How long something took, several times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Durations {
    /// The mean.
    pub mean_seconds: f64,
    /// The shortest.
    pub least_seconds: f64,
    /// The longest.
    pub most_seconds: f64,
}

impl Durations {
    /// Of times in order, the shortest first; `None` without any.
    pub fn of(sorted: &[f64]) -> Option<Durations> {
        let (least_seconds, most_seconds) = (*sorted.first()?, *sorted.last()?);
        Some(Durations { mean_seconds: sorted.iter().sum::<f64>() / sorted.len() as f64, least_seconds, most_seconds })
    }
}

/// How alignment does as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Overall {
    /// Runs that were looked at.
    pub n_runs: usize,
    /// How long those took that ended; `None` without any.
    pub duration: Option<Durations>,
    /// The part that did what they should, 0 to 1; `None` without any that was judged.
    pub success_ratio: Option<f64>,
}

impl Overall {
    /// Of all of these runs.
    pub fn of(runs: &[&Document]) -> Overall {
        Overall { n_runs: runs.len(), duration: Durations::of(&durations(runs)), success_ratio: success_ratio(runs) }
    }
}

/// The part of runs that did what they should. One that was not judged says nothing; `None` without any that was.
pub fn success_ratio(runs: &[&Document]) -> Option<f64> {
    let judged = runs.iter().filter_map(|run| run.outcome);
    let judged: Vec<_> =
        judged.filter(|outcome| !matches!(outcome, Outcome::Unknown | Outcome::Skipped | Outcome::Blocked)).collect();
    let n_good = judged.iter().filter(|outcome| matches!(outcome, Outcome::Aligned | Outcome::NoOp)).count();
    (!judged.is_empty()).then(|| n_good as f64 / judged.len() as f64)
}

/// How long each run took that said so, the shortest first, in seconds.
pub fn durations(runs: &[&Document]) -> Vec<f64> {
    in_order(runs.iter().filter_map(|run| run.finished.as_ref()?.duration_seconds).collect())
}

/// How long each part took: workflows by their names, and their stages as `workflow/stage`. What said nothing of its
/// time is not among them.
pub fn by_component(runs: &[&Document]) -> BTreeMap<String, Durations> {
    let mut seconds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for run in runs {
        let Some(started) = &run.started else { continue };
        let whole = run.finished.as_ref().and_then(|finished| finished.duration_seconds);
        let stages =
            run.stages.iter().map(|stage| (format!("{}/{}", started.workflow, stage.stage), stage.duration_seconds));
        for (component, took) in stages.chain([(started.workflow.clone(), whole)]) {
            seconds.entry(component).or_default().extend(took);
        }
    }
    seconds.into_iter().filter_map(|(component, took)| Some((component, Durations::of(&in_order(took))?))).collect()
}

/// What is no number is left out: it comes from outside.
fn in_order(mut seconds: Vec<f64>) -> Vec<f64> {
    seconds.retain(|seconds| seconds.is_finite());
    seconds.sort_by(f64::total_cmp);
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Finished, Happened, Moment, Run, RunEvent, RunId, Stage, event::Started};

    fn run(number: u8, outcome: Outcome, seconds: f64, stages: &[(&str, Option<f64>)]) -> Document {
        let id = RunId::from_parts(u64::from(number), [number; 10]);
        let event = |nth: usize, what| RunEvent::new(format!("{number}-{nth}"), id.clone(), Moment(nth as i64), what);
        let finished = Finished { outcome, duration_seconds: Some(seconds), ..Finished::default() };
        let mut events = vec![
            event(0, Happened::Started(Started { workflow: "nightly".into(), ..Started::default() })),
            event(9, Happened::Finished(finished)),
        ];
        events.extend(stages.iter().enumerate().map(|(nth, (stage, duration_seconds))| {
            let stage = Stage { stage: (*stage).into(), duration_seconds: *duration_seconds, ..Stage::default() };
            event(nth + 1, Happened::Stage(stage))
        }));
        Run::of(events).document().unwrap()
    }

    #[test]
    fn parts_are_told_apart_and_what_said_nothing_is_left_out() {
        let runs = [
            run(1, Outcome::Aligned, 10.0, &[("fetch", Some(2.0)), ("push", None)]),
            run(2, Outcome::Conflict, 20.0, &[("fetch", Some(4.0))]),
            run(3, Outcome::Unknown, f64::NAN, &[]),
        ];
        let runs: Vec<&Document> = runs.iter().collect();
        let parts = by_component(&runs);
        assert_eq!(parts.keys().collect::<Vec<_>>(), ["nightly", "nightly/fetch"]);
        assert_eq!(parts["nightly/fetch"], Durations { mean_seconds: 3.0, least_seconds: 2.0, most_seconds: 4.0 });
        assert_eq!(Durations::of(&durations(&runs)).unwrap().mean_seconds, 15.0);
        assert_eq!(success_ratio(&runs), Some(0.5));
        assert_eq!((success_ratio(&[]), Durations::of(&[]), by_component(&[]).len()), (None, None, 0));
    }
}
