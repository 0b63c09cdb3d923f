//! How long each git of this process lived, by its command and by how it ended.
//!
//! What is counted is bounded: commands are literals of this program, and there are four ways to end.

use std::{
    collections::BTreeMap,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use alignwatch_model::metrics::{self, GIT_BOUNDS};

/// How a git ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// With 0.
    Ok,
    /// With another code, which may be an answer.
    Other,
    /// By a signal that was not ours.
    Signal,
    /// It was ended: it took too long, said too much, or was not needed any more.
    Ended,
}

/// How long gits lived.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lived {
    /// How many lived at most as long as each of [`GIT_BOUNDS`], and longer than the one before; last, longer than all.
    pub counts: Vec<u64>,
    /// All together, in seconds.
    pub seconds: f64,
}

static TIMINGS: Mutex<BTreeMap<(String, Exit), Lived>> = Mutex::new(BTreeMap::new());

impl Exit {
    /// How it ended by itself; `None` = it did not.
    pub(super) fn of(status: Option<ExitStatus>) -> Exit {
        match status {
            None => Exit::Ended,
            Some(status) if status.success() => Exit::Ok,
            Some(status) if status.signal().is_some() => Exit::Signal,
            Some(_) => Exit::Other,
        }
    }

    /// The word, as on the metrics page.
    pub fn word(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Other => "other",
            Exit::Signal => "signal",
            Exit::Ended => "ended",
        }
    }
}

/// One git came to its end.
pub(super) fn note(command: &str, exit: Exit, lived: Duration) {
    let seconds = lived.as_secs_f64();
    let mut timings = TIMINGS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = timings.entry((command.to_owned(), exit)).or_default();
    known.counts.resize(GIT_BOUNDS.len() + 1, 0);
    known.counts[metrics::place(GIT_BOUNDS, seconds)] += 1;
    known.seconds += seconds;
}

/// Since this process began: command, how it ended, how long that took.
pub fn all() -> Vec<(String, Exit, Lived)> {
    let timings = TIMINGS.lock().unwrap_or_else(PoisonError::into_inner);
    timings.iter().map(|((command, exit), lived)| (command.clone(), *exit, lived.clone())).collect()
}
