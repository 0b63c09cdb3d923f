//! Alignment runs: do they come, end, and do what they should?
//!
//! What is expected of a workflow is configured (`workflows`), or is what was usual of its last runs.

mod outcomes;
#[cfg(test)]
mod sample;
mod timing;

use std::collections::BTreeMap;

pub(super) use self::{
    outcomes::{FAILED, WORK_LOST},
    timing::{LOST, MISSED, ODD, OVERLAP, STUCK},
};
use super::{Outcome, Seen};
use crate::{Finding, Known, facts::runs::Brief};

/// What is found of the runs, and why that may not be all.
fn with_runs(seen: &Seen<'_>, judge: impl FnOnce(&[Brief]) -> Vec<Finding>) -> Outcome {
    match &seen.snapshot.facts.runs {
        Known::Seen(runs) => {
            Outcome { unknown: seen.snapshot.facts.unread_runs.clone(), ..Outcome::found(judge(runs)) }
        }
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
    }
}

/// The workflows of these runs, each with its runs, the newest first.
fn by_workflow(runs: &[Brief]) -> BTreeMap<&str, Vec<&Brief>> {
    let mut all = BTreeMap::<&str, Vec<&Brief>>::new();
    for run in runs {
        all.entry(&run.workflow).or_default().push(run);
    }
    all
}

impl Finding {
    fn of_run(self, run: &Brief) -> Finding {
        self.fact("run", run.run.as_str())
            .fact("workflow", run.workflow.as_str())
            .fact("began_at", run.began_at.rfc3339())
            .fact("heard_at", run.heard_at.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::{sample::*, *};
    use crate::{
        Known,
        checks::sample::{judged, snapshot},
        run::Outcome as Ended,
    };

    #[test]
    fn no_check_of_runs_is_well_when_records_cannot_be_read() {
        let mut snapshot = snapshot([]);
        snapshot.facts.runs = Known::Unknown("permission denied".into());
        for check in [&STUCK, &LOST, &MISSED, &OVERLAP, &ODD, &FAILED, &WORK_LOST] {
            assert!(judged(check, &snapshot).unknown.is_some(), "{}", check.id);
            assert_eq!(judged(check, &with(Vec::new())), Outcome::default(), "{}", check.id);
            let mut in_part = with(Vec::new());
            in_part.facts.unread_runs = Some("one file can't be read".into());
            assert!(judged(check, &in_part).unknown.is_some(), "{}", check.id);
            assert_eq!(judged(check, &with(vec![ended(1, 2, Ended::Aligned, 60)])), Outcome::default(), "{}", check.id);
        }
    }
}
