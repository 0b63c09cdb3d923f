//! From a path on the command line to a snapshot: options, progress and errors of one inspection.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use alignwatch_daemon::look::{PATIENCE_OF_PEOPLE, PATIENCE_OF_PROGRAMS, look};
use alignwatch_git::{
    graph::Recent,
    inspect::{self, InspectError, Wanted},
    repository::OpenError,
    stop::Stop,
};
use alignwatch_model::{Look, Snapshot, config::Config, quote};

use crate::{commands::Global, configuring, failure::Failure, output::progress::Progress, surroundings};

/// What a command wants to know.
pub(crate) struct Question<'a> {
    /// The repository.
    pub(crate) path: &'a Path,
    /// The configuration in force.
    pub(crate) config: &'a Config,
    /// Measure everything against this ref.
    pub(crate) base: Option<&'a str>,
    /// The parts of an inspection that are wanted, with what they require.
    pub(crate) looks: BTreeSet<Look>,
    /// How long it may take, from now on; `None` = as long as it takes.
    pub(crate) budget: Option<Duration>,
    /// Does somebody wait for the answer, so that paths of conflicts may come with the next one?
    pub(crate) is_awaited: bool,
    /// How long Git may take for the paths of conflicts that are certain; `None` = as fits the one who waits.
    pub(crate) paths_within: Option<Duration>,
}

/// Inspects one repository.
pub(crate) fn inspect(global: &Global, question: &Question<'_>) -> Result<Snapshot, Failure> {
    let progress = Progress::new(!global.quiet && surroundings::is_watched());
    let listener = |at| match at {
        inspect::Progress::Phase(what) => progress.phase(what),
        inspect::Progress::Step(done, total) => progress.step(done as u64, total as u64),
    };
    let data_dir = configuring::data_dir(question.config);
    let wanted = question.wanted(global);
    let (now, none) = (surroundings::now(), Recent::default());
    let looked = look(question.path, question.config, now, data_dir.as_deref(), &wanted, &listener, &none);
    looked.map_err(|error| in_words(&error))
}

/// When work comes to its end: after its time, or when a person interrupts. Signals of a program that embeds us are
/// not ours to take.
pub(crate) fn stop(global: &Global, budget: Option<Duration>) -> Stop {
    let interrupted = if global.is_embedded { Arc::default() } else { surroundings::interruptions() };
    Stop::new(budget, interrupted)
}

impl Question<'_> {
    fn wanted(&self, global: &Global) -> Wanted {
        let usual = if self.is_awaited { PATIENCE_OF_PEOPLE } else { PATIENCE_OF_PROGRAMS };
        Wanted {
            base: self.base.map(str::to_owned),
            looks: self.looks.clone(),
            paths_patience: self.paths_within.unwrap_or(usual),
            stop: stop(global, self.budget),
        }
    }
}

fn in_words(error: &InspectError) -> Failure {
    let failure = Failure::caused_by(error);
    match error {
        InspectError::Open(OpenError::NotARepository { .. }) => {
            failure.hint("name a folder with a `.git` in it, or a bare repository: alignwatch check PATH")
        }
        InspectError::Open(OpenError::DubiousOwnership { allow, .. }) => {
            let allow = quote::shell_word(allow.as_os_str().as_encoded_bytes());
            failure.hint(format!("if you trust it: git config --global --add safe.directory {allow}"))
        }
        InspectError::NoSuchBase { alike, .. } if !alike.is_empty() => {
            failure.hint(format!("there is `{}`", alike.join("`, `")))
        }
        InspectError::NoSuchBase { .. } => failure.hint("`git for-each-ref` lists what there is"),
        InspectError::NoGit { .. } => {
            failure.hint("install git 2.39 or later: these refs are tables that only git reads")
        }
        InspectError::Pattern(_) => failure.hint("`alignwatch config check` shows where it stands"),
        _ => failure,
    }
}
