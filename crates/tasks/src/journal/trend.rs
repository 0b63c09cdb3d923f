//! What tasks brought, week by week, as the journal tells it.

use std::collections::BTreeMap;

use alignwatch_model::{Span, Timestamp, task::Came};
use serde::Serialize;

use super::{Said, Step};

/// What one task brought over some weeks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// The task.
    pub task: String,
    /// Each week, the newest last; one in which nothing ran is all 0.
    pub weeks: Vec<Week>,
}

/// Runs that ended in one week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Week {
    /// Runs that were not held.
    pub n_runs: u32,
    /// Those that changed something.
    pub n_effects: u32,
    /// Those that failed.
    pub n_failed: u32,
    /// What they took together.
    pub took_seconds: f64,
    /// Room that they made; below 0, they took some.
    pub won_bytes: i64,
}

impl Said {
    /// What each task brought in the last weeks, by its name; those that did not run are left out.
    pub fn trends(&self, n_weeks: usize, now: Timestamp) -> Vec<Trend> {
        let mut trends: BTreeMap<&str, Vec<Week>> = BTreeMap::new();
        for record in self.records.iter().filter(|record| record.step == Step::Ended) {
            let Some(report) = record.report.as_ref().filter(|report| report.result != Came::Skipped) else { continue };
            let weeks_ago = now.since(Timestamp(record.at_seconds)).0.div_euclid(Span::days(7).0);
            let Some(place) = usize::try_from(weeks_ago).ok().and_then(|ago| n_weeks.checked_sub(ago + 1)) else {
                continue;
            };
            let weeks = trends.entry(&record.task).or_insert_with(|| vec![Week::default(); n_weeks]);
            let week = &mut weeks[place];
            week.n_runs += 1;
            week.n_effects += u32::from(report.result == Came::Effect);
            week.n_failed += u32::from(report.result == Came::Failed);
            week.took_seconds += report.took_seconds;
            week.won_bytes = week.won_bytes.saturating_add(report.bytes_won());
        }
        trends.into_iter().map(|(task, weeks)| Trend { task: task.to_owned(), weeks }).collect()
    }
}

impl Trend {
    /// All weeks together.
    pub fn total(&self) -> Week {
        self.weeks.iter().fold(Week::default(), |sum, week| Week {
            n_runs: sum.n_runs + week.n_runs,
            n_effects: sum.n_effects + week.n_effects,
            n_failed: sum.n_failed + week.n_failed,
            took_seconds: sum.took_seconds + week.took_seconds,
            won_bytes: sum.won_bytes.saturating_add(week.won_bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Record, tests::record};
    use alignwatch_model::task::{Measure, Report};

    #[test]
    fn each_run_counts_in_its_week_and_what_was_held_in_none() {
        let size = |bytes| vec![Measure::of("size", bytes, "bytes")];
        let run = |id: u64, days_ago: i64, result| Record {
            at_seconds: -days_ago * 86_400,
            report: Some(Report {
                before: size(9),
                after: size(4),
                took_seconds: 2.0,
                ..Report::of_nothing(result, "")
            }),
            ..record(id, Step::Ended)
        };
        let runs = [(0, Came::Effect), (6, Came::Failed), (8, Came::Effect), (40, Came::Effect), (1, Came::Skipped)];
        let records = runs.iter().zip(1..).map(|((days, result), id)| run(id, *days, *result)).collect();
        let said = Said { records, n_unreadable: 0 };
        let trends = said.trends(3, Timestamp(0));
        assert_eq!(trends.len(), 1);
        let counts: Vec<_> = trends[0].weeks.iter().map(|week| (week.n_runs, week.n_effects, week.n_failed)).collect();
        assert_eq!(counts, [(0, 0, 0), (1, 1, 0), (2, 1, 1)]);
        let total = trends[0].total();
        assert_eq!((total.n_runs, total.took_seconds, total.won_bytes), (3, 6.0, 15));
    }
}
