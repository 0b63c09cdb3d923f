//! From a path on the command line to a snapshot: options, progress and errors of one inspection.

use std::{path::Path, time::Duration, time::SystemTime};

use alignwatch_git::{
    inspect::{self, InspectError, Wanted},
    repository::OpenError,
};
use alignwatch_host::Sampler;
use alignwatch_model::{Known, Snapshot, Timestamp, config::Config, quote::shell_word};

use crate::{commands::Global, configuring, failure::Failure, output::progress::Progress, surroundings};

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

/// How long Git may take for the paths of conflicts that are certain without them.
///
/// Source: ours. Each asked path costs Git a merge; a person who waits wants the verdicts first.
const PATHS_PATIENCE: Duration = Duration::from_secs(5);

/// Inspects one repository, and samples the machine meanwhile.
pub(crate) fn inspect(global: &Global, question: &Question<'_>) -> Result<Snapshot, Failure> {
    let progress = Progress::new(!global.quiet && surroundings::is_watched());
    let sampler = question.for_checks.then(Sampler::start);
    let data_dir = global.data_dir.clone().or_else(|| configuring::data_dir(question.config));
    let wanted = Wanted {
        base: question.base.map(str::to_owned),
        predicts: question.predicts,
        for_checks: question.for_checks,
        paths_patience: PATHS_PATIENCE,
    };
    let listener = |heard: inspect::Progress| match heard {
        inspect::Progress::Phase(what) => progress.phase(what),
        inspect::Progress::Step(done, total) => progress.step(done as u64, total as u64),
    };
    let seen = inspect::inspect(question.path, question.config, now(), data_dir.as_deref(), &wanted, &listener);
    let mut snapshot = seen.map_err(|error| failure(&error))?;
    if let Some(sampler) = sampler {
        let repository = Path::new(&snapshot.repository.git_dir);
        let mut places = vec![("repository", repository)];
        places.extend(data_dir.as_deref().map(|data_dir| ("data directory", data_dir)));
        snapshot.host = Known::Seen(sampler.finish(&places));
    }
    Ok(snapshot)
}

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(since_1970.map_or(0, |time| time.as_secs() as i64))
}

fn failure(error: &InspectError) -> Failure {
    let failure = Failure::caused_by(error);
    match error {
        InspectError::Open(OpenError::DubiousOwnership { allow, .. }) => {
            let word = shell_word(allow.as_os_str().as_encoded_bytes());
            failure.hint(format!("if you trust it: git config --global --add safe.directory {word}"))
        }
        InspectError::Open(OpenError::NotARepository { .. }) => {
            failure.hint("name a folder with a `.git` in it, or a bare repository: alignwatch check PATH")
        }
        InspectError::NoSuchBase { alike, .. } if !alike.is_empty() => failure
            .hint(format!("there is {}", alike.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))),
        InspectError::NoGit { .. } => {
            failure.hint("install git 2.39 or later: its refs are tables that only git reads")
        }
        _ => failure,
    }
}
