//! Takes in what was reported while no daemon was there, and since: the files of the spool.
//!
//! A file is removed when its run has ended, all of it is kept, and nothing was written to it for a while. One that
//! goes on is read again when it grew; that an event comes twice changes nothing.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use alignwatch_model::run::{RunEvent, RunId};
use alignwatch_records::{Spool, Spooled};

use crate::{
    reports::Reports,
    verifier::{Verifier, is_end},
};

/// How often the folder is looked at. Source: ours; a person who runs something sees it on the page when they look.
const PACE: Duration = Duration::from_secs(1);

/// How long the loop sleeps at a time, so that an end is noticed.
const NAP: Duration = Duration::from_millis(250);

/// How long a file of a run that ended must rest before it goes: the verification comes after the end.
const REST: Duration = Duration::from_secs(600);

/// How long the verification of whoever reported may take. Source: `alignwatch run` waits for 7.5 s at most.
const VERIFY_AFTER: Duration = Duration::from_secs(15);

/// How long a file of a run that never ended stays. Source: ours; a run is told as lost long before.
const GIVEN_UP: Duration = Duration::from_secs(30 * 86_400);

/// Events that are handed over at once. Source: ours; a few megabytes at most.
const AT_ONCE: usize = 1_000;

/// Starts the thread. It ends when `stop` becomes true.
pub(crate) fn start(
    data_dir: PathBuf,
    reports: Arc<Reports>,
    verifier: Arc<Verifier>,
    stop: Arc<AtomicBool>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let spool = Spool::open(&data_dir);
        let mut taken = Taken { spool, reports, verifier, lengths: HashMap::new(), unverified: HashSet::new() };
        let mut due = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            if due <= Instant::now() {
                taken.all_that_is_new(&stop);
                due = Instant::now() + PACE;
            }
            thread::sleep(NAP);
        }
    })
}

struct Taken {
    spool: Spool,
    reports: Arc<Reports>,
    verifier: Arc<Verifier>,
    /// How long each file was when all of it was kept.
    lengths: HashMap<RunId, u64>,
    /// Runs that ended, and that nobody has verified yet.
    unverified: HashSet<RunId>,
}

impl Taken {
    fn all_that_is_new(&mut self, stop: &AtomicBool) {
        // A folder that can't be listed is looked at again; what is in it stays.
        let Ok(ids) = self.spool.ids() else { return };
        self.lengths.retain(|id, _| ids.binary_search(id).is_ok());
        self.unverified.retain(|id| ids.binary_search(id).is_ok());
        for id in ids {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            self.one(&id);
        }
    }

    fn one(&mut self, id: &RunId) {
        let Ok(metadata) = std::fs::symlink_metadata(self.spool.path_of(id)) else { return };
        let is_known = self.lengths.get(id) == Some(&metadata.len());
        let rested = metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        let is_due = is_known && rested.is_some_and(|rested| VERIFY_AFTER <= rested) && self.unverified.contains(id);
        // Where there is no room, it waits for the next time round.
        if is_due && self.verifier.ended(id.clone()) {
            self.unverified.remove(id);
        }
        if is_known && rested.is_none_or(|rested| rested < REST) {
            return;
        }
        let Ok(spooled) = self.spool.read(id) else { return };
        if !is_known && !self.keep(&spooled.events) {
            return;
        }
        self.lengths.insert(id.clone(), spooled.n_bytes);
        if has_ended(&spooled) && !is_known {
            self.unverified.insert(id.clone());
        }
        let limit = if has_ended(&spooled) { REST } else { GIVEN_UP };
        if rested.is_some_and(|rested| limit <= rested) && matches!(self.spool.remove(&spooled), Ok(true)) {
            self.lengths.remove(id);
        }
    }

    /// Hands events over; are all of them kept?
    fn keep(&self, events: &[RunEvent]) -> bool {
        events.chunks(AT_ONCE).all(|some| self.reports.and_wait(some.to_vec()).is_ok())
    }
}

fn has_ended(spooled: &Spooled) -> bool {
    spooled.events.iter().any(is_end)
}
