//! How bad it is: severities of findings, statuses of checks.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad a finding is, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Will become a problem.
    Warning,
    /// Wrong answers, or work is blocked.
    Error,
    /// Data is at risk.
    Critical,
}

/// How a check ended. A repository's health is the worst of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Looked, and all is well.
    Ok,
    /// Not looked, on purpose; the reason is beside it.
    Skipped,
    /// The worst finding is an `info`.
    Info,
    /// The worst finding is a `warning`.
    Warning,
    /// Could not look. Never shown as healthy.
    Unknown,
    /// The worst finding is an `error`.
    Error,
    /// The worst finding is `critical`.
    Critical,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 7] =
        [Status::Skipped, Status::Ok, Status::Info, Status::Warning, Status::Unknown, Status::Error, Status::Critical];

    /// The place in the order from well to ill, by which the worst is chosen.
    ///
    /// Unknown stands between warning and error: worse than a known mild
    /// problem, and no ground to hide a known grave one.
    pub fn rank(self) -> u8 {
        self as u8
    }

    /// The worse of two.
    pub fn worst(self, other: Status) -> Status {
        if self.rank() < other.rank() { other } else { self }
    }

    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Skipped => "skipped",
            Status::Info => "info",
            Status::Warning => "warning",
            Status::Unknown => "unknown",
            Status::Error => "error",
            Status::Critical => "critical",
        }
    }
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: [Severity; 4] = [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical];

    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        Status::from(self).word()
    }
}

impl From<Severity> for Status {
    fn from(severity: Severity) -> Status {
        match severity {
            Severity::Info => Status::Info,
            Severity::Warning => Status::Warning,
            Severity::Error => Status::Error,
            Severity::Critical => Status::Critical,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
