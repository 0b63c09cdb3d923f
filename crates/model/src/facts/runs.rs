//! The alignment runs that are recorded of a repository.

use crate::{
    Known, Severity, Timestamp,
    run::{Document, Op, Operation, Outcome, RunId},
};

/// Runs that are looked at, the newest of each repository.
///
/// Source: ours; enough for what is usual of a few workflows, and read in no time.
pub const RUNS_AT_MOST: usize = 500;

/// What a run amounts to: enough to tell whether it came in time and went well.
#[derive(Clone, Debug, PartialEq)]
pub struct Brief {
    /// Its id.
    pub run: RunId,
    /// Its workflow.
    pub workflow: String,
    /// When it began.
    pub began_at: Timestamp,
    /// The last that was heard of it.
    pub heard_at: Timestamp,
    /// How it ended; `None` while nobody said that it did.
    pub ended: Option<Ended>,
    /// The process that it runs in.
    pub process: Process,
    /// Losses of work that its verification found, the gravest first.
    pub losses: Vec<(Severity, String)>,
    /// Something of the verification could not be judged.
    pub is_unverified: bool,
    /// The branches that it took up, as far as it told of them.
    pub operations: Vec<Met>,
}

/// What a run met at a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// Full name of the branch.
    pub branch: String,
    /// Its tip before; `None` = it was not said.
    pub before: Option<String>,
    /// What was done to it; `None` = it is not known.
    pub op: Option<Op>,
    /// What came of it.
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// In one word.
    pub outcome: Outcome,
    /// What that rests on.
    pub because: String,
    /// How long it took, in seconds; `None` = it was not said.
    pub seconds: Option<f64>,
}

/// Is the process of a run still there?
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Process {
    /// It is at work.
    Alive,
    /// It is gone.
    Gone,
    /// That can't be told: it runs on another machine, or was never named.
    #[default]
    Unknown,
}

impl Met {
    fn of(operation: &Operation) -> Met {
        let Operation { branch, before, op, outcome, .. } = operation;
        Met { branch: branch.clone(), before: before.clone(), op: *op, outcome: *outcome }
    }
}

impl Brief {
    /// What a document amounts to; `None` when it does not say which workflow it is of.
    ///
    /// Whether its process is there is for somebody else to say.
    pub fn of(document: &Document) -> Option<Brief> {
        let started = document.started.as_ref().filter(|started| !started.workflow.is_empty())?;
        let second = |moment: crate::run::Moment| Timestamp(moment.0.div_euclid(1000));
        let began_at = second(document.began_at?);
        let ended = document.finished.as_ref().map(|finished| Ended {
            at: second(document.ended_at.or(document.heard_at).unwrap_or_default()),
            outcome: finished.outcome,
            because: finished.because.clone(),
            seconds: finished.duration_seconds,
        });
        let verification = document.verification.as_ref();
        let losses = verification.into_iter().flat_map(|found| found.losses());
        Some(Brief {
            run: document.run.clone(),
            workflow: started.workflow.clone(),
            began_at,
            heard_at: document.heard_at.map_or(began_at, second),
            ended,
            process: Process::Unknown,
            losses: losses
                .map(|(branch, loss)| (loss.severity, format!("{}: {}", branch.branch, loss.summary)))
                .collect(),
            is_unverified: verification.is_some_and(|found| found.has_unknown()),
            operations: document.operations.iter().map(Met::of).collect(),
        })
    }

    /// How long it took, or has taken until `now`, in seconds.
    pub fn seconds(&self, now: Timestamp) -> f64 {
        match &self.ended {
            Some(ended) => ended.seconds.unwrap_or_else(|| ended.at.since(self.began_at).0.max(0) as f64),
            None => now.since(self.began_at).0.max(0) as f64,
        }
    }

    /// Nobody said that it ended, and nothing shows that it did.
    pub fn is_under_way(&self) -> bool {
        self.ended.is_none() && self.process != Process::Gone
    }
}

/// The runs of a repository, the newest first. Unknown when the records could not be read.
pub type Runs = Known<Vec<Brief>>;
