//! Alerts: what is decided to be told, to whom, and whether it was.
//!
//! The road of an alert, each step in a file of its own, all of it pure:
//!
//! 1. [`rule`]: what is a reason for an alert; [`evaluate`] holds the rules against what was seen.
//! 2. [`lifecycle`]: pending, firing, resolved, with all that damps it.
//! 3. [`mute`]: silences, acknowledgements, windows, causes further up. They hold what would be told; judging, counting and
//!    resolving go on.
//! 4. [`route`]: who hears of it, together with what, how often, and who after them.
//! 5. [`unsent`]: compares what should have been told with what was. The difference is what is told now.
//! 6. [`outbox`]: attempts to tell, until one succeeds.
//!
//! [`doubt`]: what cannot be judged at all, because it may be our own network or clock.
//!
//! [`announcement`]: messages that are about no alert, by the same outbox.
//!
//! [`book`] keeps it all together and says what of it is not on the disk yet. [`explain`] tells the same steps to a person.

pub mod announcement;
pub mod backtest;
pub mod book;
pub mod burn;
pub mod canary;
pub mod condition;
pub mod doubt;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod expression;
pub mod lifecycle;
pub mod matcher;
pub mod mute;
pub mod on_call;
pub mod outbox;
pub mod own;
pub mod policy;
pub mod route;
pub mod rule;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod story;
pub mod trial;
pub mod unsent;
pub mod world;

use serde::{Deserialize, Serialize};

pub use book::{Book, Wish};
pub use lifecycle::{Phase, Timing};
pub use matcher::{Labels, Matcher};
pub use mute::{Ack, Silence};
pub use policy::Policy;

use crate::{Severity, Timestamp};

/// One reason for telling somebody, from when it is bad until that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Which labels it has, as a number of 16 hexadecimal digits: the same cause has the same one for ever.
    pub fingerprint: String,
    /// Its id: one from its first firing to its end, over restarts and changes of severity.
    pub id: String,
    /// The rule that found it.
    pub rule: String,
    /// The path of the repository that it is about; empty, and null in JSON, for the machine, for alignwatch itself, and for
    /// runs that belong to no repository.
    #[serde(with = "empty_as_null")]
    pub repository: String,
    /// What it is about, for matchers: `alertname`, `repository`, `check` and others. Not its severity, which may change.
    pub labels: Labels,
    /// How bad it is.
    pub severity: Severity,
    /// In one sentence.
    pub summary: String,
    /// What it means.
    pub description: String,
    /// What to type.
    pub commands: Vec<String>,
    /// Where the procedure is written; empty = nowhere.
    pub runbook: String,
    /// What is said of it besides, by name: of the rule, or of whoever posted it.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// The number that it was judged by.
    pub value: Option<f64>,
    /// Where it is in its life.
    pub phase: Phase,
    /// Why it can't be seen at present whether it goes on.
    pub in_doubt: Option<String>,
    /// Since when it is bad without a break.
    pub bad_since: Option<Timestamp>,
    /// Since when it is well without a break, while it still counts as firing.
    pub good_since: Option<Timestamp>,
    /// When it began to fire.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// When it was last seen to be bad.
    pub seen_at: Timestamp,
    /// The last results.
    pub history: lifecycle::History,
    /// It comes and goes too often to be told each time.
    pub is_flapping: bool,
    /// Something held back its telling when it ended.
    pub was_muted: bool,
    /// Somebody cares for it.
    pub ack: Option<Ack>,
    /// It came from somebody else's rules, and ends at this time unless it is posted again.
    pub ends_unless_posted_by: Option<Timestamp>,
}

/// Nothing is null, and null is nothing.
mod empty_as_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        (!text.is_empty()).then_some(text).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
    }
}

impl Alert {
    /// Is somebody to know that it is bad?
    pub fn is_firing(&self) -> bool {
        self.phase == Phase::Firing
    }

    /// Is it bad, and does not fire yet?
    pub fn is_pending(&self) -> bool {
        self.phase == Phase::Pending
    }

    /// Did somebody else post it, such as a Prometheus?
    pub fn is_foreign(&self) -> bool {
        self.ends_unless_posted_by.is_some()
    }

    /// Its labels with its severity, as matchers see them.
    pub fn labels_now(&self) -> Labels {
        let mut labels = self.labels.clone();
        labels.insert("severity".to_owned(), self.severity.word().to_owned());
        labels
    }

    /// What it is about, in a word or two: the subject, else the repository, else the rule.
    pub fn subject(&self) -> &str {
        ["subject", "repository"].iter().find_map(|name| self.labels.get(*name)).unwrap_or(&self.rule)
    }
}

/// The fingerprint of labels. The same as Prometheus and Alertmanager give them (prometheus/common, `LabelsToSignature`):
/// FNV-1a of all names and values in order of names, each ended by a byte that is no text.
pub fn fingerprint(labels: &Labels) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in labels.iter().flat_map(|(name, value)| [name, value]) {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `amtool alert query -o json` of Alertmanager 0.25 shows for these labels.
    #[test]
    fn no_labels_have_the_empty_signature_of_prometheus() {
        // prometheus/common, model/signature.go: emptyLabelSignature = hashNew() = offset64.
        assert_eq!(fingerprint(&Labels::new()), "cbf29ce484222325");
    }
}
