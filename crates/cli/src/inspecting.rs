//! From a path on the command line to a snapshot: options, progress and errors of one inspection.

use std::path::Path;

use alignwatch_model::{Snapshot, config::Config};

use crate::{commands::Global, failure::Failure, output::progress::Progress, surroundings};

/// What a command wants to know.
pub(crate) struct Question<'a> {
    /// The repository.
    pub(crate) path: &'a Path,
    /// The configuration in force.
    pub(crate) config: &'a Config,
    /// Measure everything against this ref.
    pub(crate) base: Option<&'a str>,
    /// Are merges to be predicted?
    pub(crate) predicts: bool,
    /// Are facts wanted that only checks look at?
    pub(crate) for_checks: bool,
}

/// Inspects one repository.
pub(crate) fn inspect(global: &Global, question: &Question<'_>) -> Result<Snapshot, Failure> {
    let progress = Progress::new(!global.quiet && surroundings::is_watched());
    progress.phase("reading the repository");
    let _ = (question.config, question.base, question.predicts, question.for_checks);
    Err(Failure::could_not(format!("cannot inspect `{}`: not built yet", question.path.display())))
}
