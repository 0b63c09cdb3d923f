//! What alignwatch promises of itself, and whether it does it: the heartbeat and what is told of broken promises.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, notice::Failure};

/// A promise of alignwatch itself that it does not keep.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// Which one: a stable name, the label `promise` of its alert.
    pub promise: &'static str,
    /// The channel that it is about, if one.
    pub channel: Option<String>,
    /// How it is broken, as a sentence without a final period.
    pub why: String,
}

impl Broken {
    /// One that is about no channel.
    pub fn new(promise: &'static str, why: String) -> Broken {
        Broken { promise, channel: None, why }
    }
}

/// What is known of the heartbeat: the calls to whoever watches over us from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// When the last call that said "all is well" was taken.
    pub well_at: Option<Timestamp>,
    /// When the last call was taken, whatever it said.
    pub told_at: Option<Timestamp>,
    /// Why the last one was not taken; `None` = it was.
    pub failure: Option<String>,
    /// How many were not taken since one was.
    pub n_failed: u32,
}

/// Calls that are not taken before that is told. Source: ours; as for a message that goes to another channel then.
pub const CALLS_MISSED: u32 = 3;

impl Heartbeat {
    /// Takes in what became of a call; `is_well` = it said that all is well.
    pub fn called(&mut self, is_well: bool, failure: Option<&Failure>, now: Timestamp) {
        match failure {
            None => {
                (self.told_at, self.failure, self.n_failed) = (Some(now), None, 0);
                if is_well {
                    self.well_at = Some(now);
                }
            }
            Some(failure) => {
                self.failure = Some(failure.detail.clone());
                self.n_failed = self.n_failed.saturating_add(1);
            }
        }
    }

    /// Do the calls not get through?
    pub fn broken(&self) -> Option<Broken> {
        let why = self.failure.as_ref().filter(|_| CALLS_MISSED <= self.n_failed)?;
        Some(Broken::new("heartbeat", format!("the heartbeat is not heard outside: {why}")))
    }
}
