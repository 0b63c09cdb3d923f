//! How many heavy tasks run on this machine at once: places in the data directory, each with a lease.

use std::fs;

use alignwatch_git::tend::{Lease, LeaseError};
use alignwatch_model::task::{Hold, Plan};

use crate::{
    conduct::{Around, place},
    task::{Guard, Task},
};

/// Seconds from which on a task is heavy, whatever it does. Source: ours; a minute of two processors and the disk is felt.
const HEAVY_SECONDS: u64 = 60;

/// The folder with the places, below the data directory.
const FOLDER: &str = "slots";

/// Takes a place for a run of this task, if it needs one. It is given back when the run and each git of it has ended.
///
/// Errors: all are taken, or none can be.
pub(crate) fn taken(task: &Task, plan: &Plan, around: &Around<'_>) -> Result<Option<Lease>, Hold> {
    let is_heavy = task.guard == Guard::Objects || plan.takes_seconds.is_some_and(|takes| HEAVY_SECONDS <= takes);
    if !is_heavy {
        return Ok(None);
    }
    let most = around.config.maintenance.heavy_at_once.max(1);
    let who = format!("`{}` in {}", task.id, place(around.path));
    let mut at_work = Vec::new();
    for nth in 0..most {
        let folder = around.data_dir.join(FOLDER).join(nth.to_string());
        let made = fs::create_dir_all(&folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()));
        match made.map(|()| Lease::take(&folder, &who)) {
            Ok(Ok(lease)) => return Ok(Some(lease)),
            Ok(Err(LeaseError::Held { holder })) => at_work.push(holder),
            Ok(Err(error)) => return Err(Hold { reason: error.to_string(), until: None }),
            Err(reason) => return Err(Hold { reason, until: None }),
        }
    }
    let others = at_work.join(", ");
    let reason = format!("as many heavy tasks as `maintenance.heavy_at_once` allows ({most}) are at work: {others}");
    Err(Hold { reason, until: None })
}
