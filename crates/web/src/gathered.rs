//! Small reports that come at the same moment go to the daemon together: each on its own would wake it once.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use alignwatch_model::run::{Happened, RunEvent};

use crate::Tell;

/// Events of a report that is gathered, at most. Source: ours; those of all requests at once are then few, too.
const EVENTS_AT_MOST: usize = 8;

/// Reports that wait until the requests of this moment are read.
#[derive(Clone, Default)]
pub(crate) struct Gathered(Arc<Mutex<(Vec<RunEvent>, Vec<Tell>)>>);

impl Gathered {
    /// Hands a report to `report`, alone or with others; `tell` hears what became of it.
    pub(crate) fn hand_over(
        &self,
        events: Vec<RunEvent>,
        tell: Tell,
        report: impl FnOnce(Vec<RunEvent>, Tell) + Send + 'static,
    ) {
        // Where a run begins, the daemon looks at its repository first, and nobody else is to wait for that.
        let begins = events.iter().any(|event| matches!(event.what, Happened::Started(_)));
        if begins || EVENTS_AT_MOST < events.len() {
            return report(events, tell);
        }
        if self.add(events, tell) {
            let all = self.clone();
            // Its turn comes after the requests that can be read now.
            tokio::spawn(async move {
                let (events, tells) = all.take();
                let tell_all = move |kept: Result<(), _>| tells.into_iter().for_each(|tell| tell(kept.clone()));
                report(events, Box::new(tell_all));
            });
        }
    }

    /// Adds a report; true = it is the first.
    fn add(&self, mut events: Vec<RunEvent>, tell: Tell) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0.append(&mut events);
        all.1.push(tell);
        all.1.len() == 1
    }

    fn take(&self) -> (Vec<RunEvent>, Vec<Tell>) {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use alignwatch_model::{
        run::{Moment, RunId, event::Started},
        turn::Refusal,
    };

    use super::*;

    /// What was handed over, each with how many events it has, and who heard what.
    #[derive(Default)]
    struct Seen {
        handed: Vec<usize>,
        heard: Vec<(u8, Result<(), Refusal>)>,
    }

    /// Hands over the reports of each moment, which are all refused; each moment has its own numbers.
    fn seen(moments: &[&[(u8, Vec<Happened>)]]) -> Seen {
        let (gathered, seen) = (Gathered::default(), Arc::new(Mutex::new(Seen::default())));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for moment in moments {
                for (who, what) in *moment {
                    let run = RunId::from_parts(1, [*who; 10]);
                    let event = |what: &Happened| RunEvent::new("e", run.clone(), Moment(1), what.clone());
                    let (heard, handed, who) = (Arc::clone(&seen), Arc::clone(&seen), *who);
                    let tell = Box::new(move |kept| heard.lock().unwrap().heard.push((who, kept)));
                    gathered.hand_over(what.iter().map(event).collect(), tell, move |events, tell| {
                        handed.lock().unwrap().handed.push(events.len());
                        tell(Err(Refusal::TooMuch));
                    });
                }
                tokio::task::yield_now().await;
            }
        });
        Arc::into_inner(seen).unwrap().into_inner().unwrap()
    }

    #[test]
    fn small_reports_of_one_moment_go_together_and_each_hears_what_became_of_them() {
        let beat = |who| (who, vec![Happened::Heartbeat {}]);
        let Seen { handed, heard } = seen(&[&[beat(1), beat(2), beat(3)], &[beat(4)]]);
        assert_eq!(handed, [3, 1]);
        assert_eq!(heard, [1, 2, 3, 4].map(|who| (who, Err(Refusal::TooMuch))));
    }

    #[test]
    fn a_run_that_begins_and_a_large_report_wait_for_nobody() {
        let begins = (1, vec![Happened::Started(Started::default())]);
        let large = (2, vec![Happened::Heartbeat {}; EVENTS_AT_MOST + 1]);
        let Seen { handed, heard } = seen(&[&[(3, vec![Happened::Heartbeat {}]), begins, large]]);
        assert_eq!(handed, [1, EVENTS_AT_MOST + 1, 1]);
        assert_eq!(heard.iter().map(|(who, _)| *who).collect::<Vec<_>>(), [1, 2, 3]);
    }
}
