//! What a check says: the finding with its evidence and threshold.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Remedy, Severity};

/// One cause of trouble, however many branches it touches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Id of the check that found it.
    pub check: &'static str,
    /// Stable name of this cause within the repository: the same cause has the same key tomorrow.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: a branch, a file, a lock, the repository.
    pub subject: String,
    /// One sentence: what is wrong, with the numbers.
    pub summary: String,
    /// What was seen: numbers, names, the command or file they come from.
    pub evidence: Evidence,
    /// The number it was compared with, where there is one.
    pub threshold: Option<Threshold>,
    /// What it means for alignment.
    pub impact: String,
    /// What to do.
    pub remedy: Remedy,
    /// Where the procedure is written.
    pub doc: String,
}

/// Facts behind a finding, by name. Units stand last in the name.
pub type Evidence = Map<String, Value>;

/// The number a check compared with, and who says so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Threshold {
    /// The value, in the unit of the check.
    pub value: Value,
    /// Where the value comes from: a configuration key, a tool's default, our own proposal.
    pub source: String,
}
