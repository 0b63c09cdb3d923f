//! What makes a task wait: freezes, alignment runs, leases, locks, alignments that began lately, too little room.
//!
//! What stands in the way of an alignment stands in the way of maintenance, too, so that the gate is asked; only a
//! predicted conflict or bad health does not, nor what was begun and forgotten. On top of that every lock holds a task, also one that seems to be left
//! over: git would wait for it, fail, or do nothing and say that all is well.

use std::path::Path;

use alignwatch_git::tend::free_bytes;
use alignwatch_model::{
    Known, Snapshot, Timestamp,
    config::Config,
    gate::{self, Asked, Cause, Facts},
    lease::Lease,
    snapshot::LockVerdict,
    task::{Hold, Plan, lacks_room},
    window::Purpose,
};

use crate::task::Guard;

/// The holder of leases that tasks take.
pub(crate) const HOLDER: &str = "alignwatch task";

/// What is no reason for maintenance to wait.
const IGNORED: [Cause; 7] = [
    Cause::Health,
    Cause::Forbidden,
    Cause::Conflict,
    Cause::Unfinished,
    Cause::Disk,
    Cause::Lock,
    // Most of them are what makes one.
    Cause::Backup,
];

/// Why nothing may be changed here now; `None` = it may.
pub(crate) fn held(
    guard: Guard,
    snapshot: &Snapshot,
    config: &Config,
    leases: &Known<Vec<Lease>>,
    now: Timestamp,
) -> Option<Hold> {
    // What writes nothing there is in nobody's way.
    match guard {
        Guard::Outside => None,
        Guard::Locks => freeze(snapshot, config).or_else(|| gate(snapshot, config, leases, now)),
        _ => lock(snapshot)
            .or_else(|| alignment(snapshot, now))
            .or_else(|| freeze(snapshot, config))
            .or_else(|| gate(snapshot, config, leases, now)),
    }
}

/// Somebody is aligning, as far as it shows in the repository.
fn alignment(snapshot: &Snapshot, now: Timestamp) -> Option<Hold> {
    let reason = match &snapshot.unfinished {
        Known::Unknown(reason) => format!("whether somebody aligns here is not known: {reason}"),
        Known::Seen(all) => {
            let one = all.iter().find(|one| one.is_alignment_in_progress(now))?;
            format!("an alignment is in progress: {}", one.told())
        }
    };
    Some(Hold { reason, until: None })
}

/// Why this plan can't be carried out for want of room, where it is going to write.
pub(crate) fn no_room(snapshot: &Snapshot, plan: &Plan) -> Option<Hold> {
    let elsewhere = plan.disk_at.as_deref().map(Path::new);
    let folder = elsewhere.unwrap_or(Path::new(&snapshot.repository.git_dir));
    // One that is not there yet will be made where its parent is.
    let folder = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(folder);
    let reason = match free_bytes(folder) {
        Known::Seen(free) => lacks_room(plan.disk_bytes, free)?,
        Known::Unknown(reason) => reason,
    };
    let place = elsewhere.map(|place| format!("in `{}`: ", place.display())).unwrap_or_default();
    Some(Hold { reason: format!("{place}{reason}"), until: None })
}

fn lock(snapshot: &Snapshot) -> Option<Hold> {
    let reason = match &snapshot.locks {
        Known::Unknown(reason) => format!("whether somebody has a lock is not known: {reason}"),
        Known::Seen(locks) => {
            let lock = locks.first()?;
            let advice = match lock.verdict {
                LockVerdict::Stale => "; `alignwatch doctor --fix` moves it aside",
                LockVerdict::Live | LockVerdict::Unknown => "",
            };
            format!("`{}` is there: {}{advice}", lock.path, lock.because)
        }
    };
    Some(Hold { reason, until: None })
}

/// A freeze of which nobody knows whether it is on: it holds as long as that cannot be known.
fn freeze(snapshot: &Snapshot, config: &Config) -> Option<Hold> {
    let about = config.windows.iter().filter(|rule| rule.is_about(&snapshot.repository.path));
    let mut freezes = about.filter_map(|rule| rule.window().ok()).filter(|window| window.purpose == Purpose::Freeze);
    freezes.find_map(|window| {
        let reason = format!("whether the freeze `{}` is on is not known: {}", window.name, window.doubt()?);
        Some(Hold { reason, until: None })
    })
}

fn gate(snapshot: &Snapshot, config: &Config, leases: &Known<Vec<Lease>>, now: Timestamp) -> Option<Hold> {
    let nobody_asked = Known::Unknown("nobody asked".to_owned());
    let unwatched = Known::Unknown("nobody asked".to_owned());
    let asked = Asked { holder: HOLDER, ignored: &IGNORED, ..Asked::default() };
    let facts = Facts { snapshot, tip: &nobody_asked, leases, watched: &unwatched, config };
    let answer = gate::answer(&asked, &facts, now);
    let until = answer.until();
    let obstacle = answer.obstacles.into_iter().next().map(|obstacle| Hold { reason: obstacle.text, until });
    obstacle.or_else(|| in_doubt(snapshot, leases))
}

/// Whether somebody works here is not known. An alignment would go on; maintenance can wait.
fn in_doubt(snapshot: &Snapshot, leases: &Known<Vec<Lease>>) -> Option<Hold> {
    let doubts = [
        ("whether a run is under way", snapshot.facts.runs.reason()),
        ("whether somebody has a lease", leases.reason()),
    ];
    let told = |(what, reason): (&str, Option<&str>)| Some(format!("{what} is not known: {}", reason?));
    doubts.into_iter().find_map(told).map(|reason| Hold { reason, until: None })
}
