//! Small reports that come at the same moment go to the daemon together: each on its own would wake it once.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use alignwatch_model::run::{Happened, RunEvent};

use crate::{Shared, Tell};

/// Events of a report that is gathered, at most. Source: ours; those of all requests at once are then few, too.
const EVENTS_AT_MOST: usize = 8;

/// Reports that wait until the requests of this moment are read.
#[derive(Default)]
pub(crate) struct Gathered(Mutex<(Vec<RunEvent>, Vec<Tell>)>);

impl Gathered {
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

/// Hands a report over, alone or with others; `tell` hears what became of it.
pub(crate) fn hand_over(shared: &Arc<Shared>, events: Vec<RunEvent>, tell: Tell) {
    // Where a run begins, the daemon looks at its repository first, and nobody else is to wait for that.
    let begins = events.iter().any(|event| matches!(event.what, Happened::Started(_)));
    if begins || EVENTS_AT_MOST < events.len() {
        return (shared.asks.report)(events, tell);
    }
    if shared.gathered.add(events, tell) {
        let shared = Arc::clone(shared);
        // Its turn comes after the requests that can be read now.
        tokio::spawn(async move {
            let (events, tells) = shared.gathered.take();
            let tell_all = move |kept: Result<(), _>| tells.into_iter().for_each(|tell| tell(kept.clone()));
            (shared.asks.report)(events, Box::new(tell_all));
        });
    }
}
