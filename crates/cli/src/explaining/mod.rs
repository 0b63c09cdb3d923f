//! Why is it so? Finds what a word stands for, and tells the whole chain: what was seen, by
//! what, which numbers, against which threshold, what would change it, and what to do.
//!
//! To add a kind of subject: its file, and one line in [`ALL`].

mod alert;
mod branch;
mod channel;
mod check;
mod examination;
mod finding;
mod message;
mod rule;
mod setting;
mod task;
mod telling;

pub(crate) use task::due_told;

use std::path::Path;

use alignwatch_model::{Evidence, Finding, Threshold, Timestamp, config};
use serde::Serialize;

use crate::{
    failure::Failure,
    installation::{Around, Examined},
    report::Judgement,
};

/// All kinds of subjects, in the order in which a word is looked up.
pub static ALL: &[&Kind] = &[
    &alert::KIND,
    &message::KIND,
    &check::KIND,
    &setting::KIND,
    &finding::KIND,
    &examination::KIND,
    &task::KIND,
    &branch::KIND,
    &channel::KIND,
    &rule::KIND,
];

/// A kind of subject.
pub struct Kind {
    /// Its name: `finding`.
    pub word: &'static str,
    /// All subjects of this kind that there are now.
    pub names: fn(&World<'_>) -> Vec<String>,
    /// Explains the subject, if there is one of this kind with this name.
    pub explain: fn(&World<'_>, &str) -> Option<Explanation>,
}

/// What there is to explain.
pub struct World<'a> {
    /// The configuration, and all around.
    pub around: &'a Around,
    /// What the examinations of the installation say.
    pub installation: &'a [Examined],
    /// The repository that was named.
    pub path: &'a Path,
    /// The channel that it is asked for, where that makes a difference.
    pub to: Option<&'a str>,
    /// The time that it is asked for, where that makes a difference.
    pub at: Option<Timestamp>,
    /// The repository as the checks judge it, or why it could not be looked at.
    pub judgement: Result<&'a Judgement, &'a Failure>,
}

/// The answer to *why?*
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// `alignwatch.explain/1`.
    pub schema: &'static str,
    /// The kind of the subject.
    pub kind: &'static str,
    /// Its whole name.
    pub subject: String,
    /// The answer in one sentence.
    pub summary: String,
    /// What was seen, step by step.
    pub seen: Vec<String>,
    /// By which commands or files; commands of Git that answer the same.
    pub sources: Vec<String>,
    /// The numbers and names.
    pub numbers: Evidence,
    /// The number it was compared with, and where that is from.
    pub threshold: Option<Threshold>,
    /// What would change the verdict.
    pub would_change: Vec<String>,
    /// What it means for alignment.
    pub impact: Option<String>,
    /// What to do, in words.
    pub advice: Vec<String>,
    /// Commands to paste.
    pub commands: Vec<String>,
    /// Can they be undone? `null` when they change nothing.
    pub reversible: Option<bool>,
    /// Other subjects and pages that belong to it.
    pub related: Vec<String>,
}

impl Explanation {
    fn of(kind: &Kind, subject: impl Into<String>, summary: impl Into<String>) -> Explanation {
        Explanation {
            schema: "alignwatch.explain/1",
            kind: kind.word,
            subject: subject.into(),
            summary: summary.into(),
            seen: Vec::new(),
            sources: Vec::new(),
            numbers: Evidence::new(),
            threshold: None,
            would_change: Vec::new(),
            impact: None,
            advice: Vec::new(),
            commands: Vec::new(),
            reversible: None,
            related: Vec::new(),
        }
    }

    /// The same with all that a finding says.
    fn with_finding(mut self, finding: &Finding) -> Explanation {
        self.numbers = finding.evidence.clone();
        self.threshold = finding.threshold.clone();
        self.impact = Some(finding.impact.clone()).filter(|impact| !impact.is_empty());
        self.advice = Some(finding.remedy.text.clone()).filter(|text| !text.is_empty()).into_iter().collect();
        self.commands = finding.remedy.commands.clone();
        self.reversible = finding.remedy.reversible;
        if let Some(serde_json::Value::String(source)) = self.numbers.remove("source") {
            self.sources.push(source);
        }
        self.related.extend(Some(finding.doc.clone()).filter(|doc| !doc.is_empty()));
        self
    }
}

/// Explains the subject. Errors: there is none of this name; the nearest is named.
pub fn explain(world: &World<'_>, subject: &str) -> Result<Explanation, Failure> {
    if let Some(explanation) = ALL.iter().find_map(|kind| (kind.explain)(world, subject)) {
        return Ok(explanation);
    }
    let failure = Failure::usage(format!("cannot explain `{subject}`: there is no {} of this name", kinds()));
    let failure = match nearest(world, subject) {
        Some(name) => failure.hint(format!("did you mean `{name}`?")),
        None => {
            failure.hint("`alignwatch check --list` lists checks, `alignwatch check -v` shows the keys of findings")
        }
    };
    Err(match world.judgement {
        Ok(_) => failure,
        Err(reason) => failure.hint(format!("findings and branches are not known here: {}", reason.message)),
    })
}

fn kinds() -> String {
    let words: Vec<_> = ALL.iter().map(|kind| kind.word).collect();
    words.join(", ")
}

fn nearest(world: &World<'_>, subject: &str) -> Option<String> {
    let names: Vec<String> = ALL.iter().flat_map(|kind| (kind.names)(world)).collect();
    // A slip of the finger first, then two, then what begins like it.
    let near = |slack| config::nearest_word(subject, names.iter().map(String::as_str), slack);
    let alike = || names.iter().map(String::as_str).find(|name| name.starts_with(subject) || name.ends_with(subject));
    near(0).or_else(|| near(1)).or_else(alike).map(str::to_owned)
}

/// The findings of the repository; none when it could not be looked at.
fn findings<'a>(world: &World<'a>) -> Vec<&'a Finding> {
    world.judgement.as_ref().map(|judgement| judgement.findings()).unwrap_or_default()
}
