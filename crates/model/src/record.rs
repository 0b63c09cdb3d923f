//! What is kept: the records that go into the store in one piece.

use crate::{Severity, Status, Timestamp, kept::KeptBranch, run::RunEvent};

/// The label of series that were not measured, but rebuilt from history; its value is `true`.
pub const RECONSTRUCTED: &str = "reconstructed";

/// All that one step of the daemon wants kept, whole or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// Repositories that were looked at.
    pub sweeps: Vec<Sweep>,
    /// Numbers that were measured.
    pub readings: Vec<Reading>,
    /// What the history of a repository tells of the time before it was watched; of a series that is there already
    /// nothing is kept.
    pub past: Vec<Reading>,
    /// What was reported of alignment runs. One that is known already changes nothing.
    pub events: Vec<RunEvent>,
    /// What changed of alerts, silences and messages.
    pub records: Vec<Record>,
}

/// One look at one repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// The id of the repository.
    pub repository: String,
    /// Its path, as text.
    pub path: String,
    /// When the look began.
    pub at: Timestamp,
    /// How long it took.
    pub seconds: f64,
    /// What came of it.
    pub outcome: SweepOutcome,
}

/// What came of a look.
#[derive(Clone, Debug, PartialEq)]
pub enum SweepOutcome {
    /// It was seen and judged.
    Seen {
        /// Its health.
        status: Status,
        /// All of it, as JSON.
        document: String,
        /// Its branches.
        branches: Vec<KeptBranch>,
        /// What is wrong.
        findings: Vec<FindingRow>,
        /// The checks that saw all they should: what they no longer find is over. A finding of any other check stays.
        settled: Vec<&'static str>,
    },
    /// There is no repository at its path any more, for this reason. What was known of it stays.
    Gone(String),
    /// It could not be seen, for this reason. What was known of it stays.
    Failed(String),
}

impl SweepOutcome {
    /// The health of the repository, in a word.
    pub fn health(&self) -> &'static str {
        match self {
            SweepOutcome::Seen { status, .. } => status.word(),
            SweepOutcome::Gone(_) => GONE,
            SweepOutcome::Failed(_) => Status::Unknown.word(),
        }
    }
}

/// The health of a repository that is gone, in the store and for all who ask: neither well nor ill.
pub const GONE: &str = "gone";

/// A finding, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingRow {
    /// The same cause has the same key.
    pub key: String,
    /// The check that found it.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// In one sentence.
    pub summary: String,
    /// All of it, as JSON.
    pub document: String,
}

/// One number of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The repository it is about; empty for the machine.
    pub repository: String,
    /// The name of the metric.
    pub metric: &'static str,
    /// Its labels, as a JSON object.
    pub labels: String,
    /// When it was measured.
    pub at: Timestamp,
    /// The number. One that is not finite is not kept.
    pub value: f64,
}

/// Something that is kept as a document, by its kind and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: RecordKind,
    /// Its key; the same one again takes its place.
    pub key: String,
    /// When it last changed.
    pub at: Timestamp,
    /// It still matters: it is read at the next start.
    pub is_open: bool,
    /// All of it, as JSON; `None` = it is taken out.
    pub document: Option<String>,
}

/// What is kept as a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// An alert: under its fingerprint while it is known, under its id when it is over.
    Alert,
    /// A silence.
    Silence,
    /// What a channel was told of a group.
    Told,
    /// A message.
    Outgoing,
    /// When a rule last had something to look at.
    Rule,
    /// Who did what.
    Audit,
    /// When a report was last sent.
    Report,
    /// What was counted of a repository.
    Tally,
    /// What is known of a promise of alignwatch itself: the heartbeat, the scheduled test of a channel.
    Promise,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [RecordKind; 9] = [
        RecordKind::Alert,
        RecordKind::Silence,
        RecordKind::Told,
        RecordKind::Outgoing,
        RecordKind::Rule,
        RecordKind::Audit,
        RecordKind::Promise,
        RecordKind::Report,
        RecordKind::Tally,
    ];

    /// Its name in the store.
    pub fn word(self) -> &'static str {
        match self {
            RecordKind::Alert => "alert",
            RecordKind::Silence => "silence",
            RecordKind::Told => "told",
            RecordKind::Outgoing => "outgoing",
            RecordKind::Rule => "rule",
            RecordKind::Audit => "audit",
            RecordKind::Report => "report",
            RecordKind::Tally => "tally",
            RecordKind::Promise => "promise",
        }
    }
}
