//! Is this installation well? One file an examination, one list.
//!
//! Examinations look and never change anything. What is broken is what they
//! are for: a configuration that cannot be used or a data directory that cannot
//! be written is their finding, and ends nothing.
//!
//! To add one: its file, and one line in [`ALL`].

mod channels;
mod clock;
mod configuration;
mod daemon;
mod data_dir;
mod disk;
mod git;
mod heartbeat;
mod journal;
mod limits;
mod otlp;
mod program;
mod remembered;
mod secrets;
mod store;
mod webhooks;

use std::path::{Path, PathBuf};

use alignwatch_git::run::{Git, GitError};
use alignwatch_model::{
    Evidence, Finding, Remedy, Severity, Status, Timestamp,
    config::{Config, Loaded},
};
use serde_json::Value;

pub(crate) use self::data_dir::OF_OTHERS;
use crate::{commands::Global, configuring, failure::Failure, surroundings};

/// All examinations, in the order in which they are shown.
pub static ALL: &[&Examination] = &[
    &program::EXAMINATION,
    &git::EXAMINATION,
    &configuration::EXAMINATION,
    &channels::EXAMINATION,
    &webhooks::EXAMINATION,
    &otlp::EXAMINATION,
    &data_dir::EXAMINATION,
    &remembered::EXAMINATION,
    &daemon::EXAMINATION,
    &heartbeat::EXAMINATION,
    &store::EXAMINATION,
    &journal::EXAMINATION,
    &clock::EXAMINATION,
    &disk::EXAMINATION,
    &limits::EXAMINATION,
];

/// A look at one part of the installation.
pub struct Examination {
    /// Its name in JSON and documents: `data-dir`.
    pub id: &'static str,
    /// Plain words, for people.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// Looks and judges.
    pub examine: fn(&Around) -> Told,
}

/// What an examination may look at.
pub struct Around {
    /// The configuration with its file, or why there is none.
    pub configured: Result<(Loaded, Option<PathBuf>), Failure>,
    /// The configuration in force; without a usable file, what is left without it.
    pub config: Config,
    /// Where facts are remembered, if anywhere.
    pub data_dir: Option<PathBuf>,
    /// The git that answers for us, or why there is none.
    pub git: Result<Git, GitError>,
    /// The time by the wall clock.
    pub now: Timestamp,
}

/// What an examination says.
#[derive(Debug, Default)]
pub struct Told {
    /// What was seen, as a sentence part: `2.47.3 at /usr/bin/git`.
    pub says: String,
    /// A part that could not be looked at, with the reason. Then it is not `ok`.
    pub unknown: Option<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// One examination and what it says.
pub struct Examined {
    /// The examination.
    pub examination: &'static Examination,
    /// What it says.
    pub told: Told,
}

impl Around {
    /// Looks around for this command line.
    pub(crate) fn of(global: &Global) -> Around {
        let configured = configuring::look(global).map_err(Failure::from);
        let config = match &configured {
            Ok(configured) => configured.loaded.config.clone(),
            Err(_) => configuring::look_without_file(global).unwrap_or_default(),
        };
        Around {
            data_dir: configuring::data_dir(&config),
            configured: configured.map(|configured| (configured.loaded, configured.file)),
            config,
            git: Git::find(),
            now: surroundings::now(),
        }
    }
}

/// Makes all examinations.
pub fn examine(around: &Around) -> Vec<Examined> {
    ALL.iter().map(|examination| Examined { examination, told: (examination.examine)(around) }).collect()
}

impl Examined {
    /// How well it is: the worst finding, unknown when it could not look at all of it.
    pub fn status(&self) -> Status {
        let findings = self.told.findings.iter().map(|finding| Status::from(finding.severity));
        let worst = findings.fold(Status::Ok, Status::worst);
        if self.told.unknown.is_some() { worst.worst(Status::Unknown) } else { worst }
    }
}

impl Examination {
    /// A finding of this examination.
    fn finding(&self, cause: &str, severity: Severity, summary: impl Into<String>, remedy: Remedy) -> Finding {
        Finding {
            check: self.id,
            key: format!("{}:{cause}", self.id),
            severity,
            subject: "installation".to_owned(),
            summary: summary.into(),
            evidence: Evidence::new(),
            threshold: None,
            impact: self.why.to_owned(),
            remedy,
            doc: String::new(),
        }
    }
}

impl Told {
    /// All is well, and this was seen.
    fn well(says: impl Into<String>) -> Told {
        Told { says: says.into(), ..Told::default() }
    }

    /// It could not look.
    fn unknown(reason: impl Into<String>) -> Told {
        let reason = reason.into();
        Told { says: reason.clone(), unknown: Some(reason), findings: Vec::new() }
    }

    /// The same with one more finding.
    fn but(mut self, finding: Finding) -> Told {
        self.findings.push(finding);
        self
    }
}

/// The same finding with a fact more.
fn with(mut finding: Finding, name: &str, value: impl Into<Value>) -> Finding {
    finding.evidence.insert(name.to_owned(), value.into());
    finding
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A size as people read it.
fn size(bytes: u64) -> String {
    let mut rest = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if rest < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{rest:.1} {unit}") };
        }
        rest /= 1024.0;
    }
    format!("{rest:.1} TiB")
}
