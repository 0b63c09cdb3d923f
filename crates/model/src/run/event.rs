//! What is reported of a run, one event at a time: schema `alignwatch.event/1`, one line of JSON each.
//!
//! What an event says that this version does not know is kept and written out again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Moment, Operation, Outcome, RunId, Verification};

/// The schema of [`RunEvent`].
pub const SCHEMA: &str = "alignwatch.event/1";

/// Something happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// `alignwatch.event/1`.
    pub schema: String,
    /// Makes it harmless to hear the same event twice: a ULID, or what the sender takes for one.
    pub id: String,
    /// The run.
    pub run: RunId,
    /// When, by the wall clock of the one who reports.
    pub at: Moment,
    /// What.
    #[serde(flatten)]
    pub what: Happened,
    /// Whatever the sender wants to say besides.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// What a later version says and this one does not know.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// What happened, as `type` and `data`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum Happened {
    /// A run began.
    Started(Started),
    /// A stage began or ended.
    Stage(Stage),
    /// It is still alive.
    Heartbeat {},
    /// One branch was dealt with.
    Operation(Operation),
    /// It ended.
    Finished(Finished),
}

/// What a run is and how it was started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The named procedure.
    pub workflow: String,
    /// Path of the repository, made absolute.
    #[serde(default)]
    pub repository: Option<String>,
    /// Its short id, when it could be opened.
    #[serde(default)]
    pub repository_id: Option<String>,
    /// The base that was named.
    #[serde(default)]
    pub base: Option<String>,
    /// The command and its arguments, secrets taken out.
    #[serde(default)]
    pub command: Vec<String>,
    /// The machine.
    #[serde(default)]
    pub host: Option<String>,
    /// The process that runs the command.
    #[serde(default)]
    pub pid: Option<u32>,
    /// The W3C trace context that the command was given.
    #[serde(default)]
    pub traceparent: Option<String>,
    /// What a later version says.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A part of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name, such as `preflight`, `backup`, `fetch`, `align`, `push` or `verify`.
    pub stage: String,
    /// `started`, `finished` or `failed`, when it was said.
    #[serde(default)]
    pub status: Option<String>,
    /// How long it took.
    #[serde(default)]
    pub duration_seconds: Option<f64>,
    /// What was found; only in the stage `verify`.
    #[serde(default)]
    pub verification: Option<Verification>,
    /// What a later version says.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// In one word.
    pub outcome: Outcome,
    /// What that rests on, as a sentence part.
    #[serde(default)]
    pub because: String,
    /// The exit code of the command; `None` when a signal ended it or it did not start.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default)]
    pub signal: Option<i32>,
    /// How long it took, by a clock that nobody sets.
    #[serde(default)]
    pub duration_seconds: Option<f64>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
    /// How many refs there were before and after; `None` when they could not be read.
    #[serde(default)]
    pub n_refs_before: Option<u32>,
    /// See there.
    #[serde(default)]
    pub n_refs_after: Option<u32>,
    /// Refs that moved, by name, at most [`MOVES_AT_MOST`].
    #[serde(default)]
    pub moves: Vec<RefMove>,
    /// How many moved in all.
    #[serde(default)]
    pub n_moved: u32,
    /// Operations that are half done now.
    #[serde(default)]
    pub left_behind: Vec<StateLeft>,
    /// One for each branch that was dealt with.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// The last lines of its output, where they were kept; a few KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tail: Option<String>,
    /// What a later version says.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Moved refs that one event holds.
///
/// Source: ours; a run that moves more is told by its number, and an event stays below a megabyte.
pub const MOVES_AT_MOST: usize = 2_000;

/// What a command and its children used. `None` = it could not be measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time outside of the kernel.
    #[serde(default)]
    pub user_cpu_seconds: Option<f64>,
    /// Processor time in the kernel.
    #[serde(default)]
    pub system_cpu_seconds: Option<f64>,
    /// The most memory that one of its processes held.
    #[serde(default)]
    pub peak_rss_bytes: Option<u64>,
    /// Bytes that came from disks.
    #[serde(default)]
    pub read_bytes: Option<u64>,
    /// Bytes that went to disks.
    #[serde(default)]
    pub written_bytes: Option<u64>,
}

/// A ref that is elsewhere after the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefMove {
    /// Full name; bytes that are not UTF-8 are shown as `\xNN`.
    #[serde(rename = "ref")]
    pub name: String,
    /// Where it was; `None` = it was not there.
    pub before: Option<String>,
    /// Where it is; `None` = it is gone.
    pub after: Option<String>,
}

/// An operation that is half done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateLeft {
    /// `merge`, `rebase`, `cherry-pick`, `revert`, `am`, `bisect`, `sequencer`, `autostash` or `imerge`.
    pub operation: String,
    /// The worktree, empty for the main one; the name for imerge.
    #[serde(default)]
    pub place: String,
    /// The branch it works on, as its full name.
    #[serde(default)]
    pub branch: Option<String>,
    /// When it began, or what tells one such state from another.
    #[serde(default)]
    pub mark: String,
    /// Paths in conflict; `None` = it could not be told.
    #[serde(default)]
    pub n_unmerged: Option<u32>,
    /// It was there before the run, just the same.
    #[serde(default)]
    pub was_there: bool,
}

impl RunEvent {
    /// An event without attributes.
    pub fn new(id: impl Into<String>, run: RunId, at: Moment, what: Happened) -> RunEvent {
        let (schema, id) = (SCHEMA.to_owned(), id.into());
        RunEvent { schema, id, run, at, what, attributes: Map::new(), unknown: Map::new() }
    }

    /// One line of JSON, without the line break.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The stage it tells of, if it does.
    pub fn stage(&self) -> Option<&Stage> {
        match &self.what {
            Happened::Stage(stage) => Some(stage),
            _ => None,
        }
    }

    /// How the run ended, if it tells that.
    pub fn finished(&self) -> Option<&Finished> {
        match &self.what {
            Happened::Finished(finished) => Some(finished),
            _ => None,
        }
    }

    /// Does it say nothing but that the run is alive?
    pub fn is_heartbeat(&self) -> bool {
        matches!(self.what, Happened::Heartbeat {})
    }

    /// Begins or ends a run: such an event must survive a power cut once it was accepted.
    pub fn is_boundary(&self) -> bool {
        matches!(self.what, Happened::Started(_) | Happened::Finished(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_version_does_not_know_is_kept() {
        let text = r#"{"schema":"alignwatch.event/1","id":"e1","run":"01ARZ3NDEKZZZZZZZZZZZZZZZZ",
            "at":"2026-01-01T00:00:00.000Z","type":"started","data":{"workflow":"w","shard":3},
            "attributes":{"ticket":"A-1"},"signature":"abc"}"#;
        let event: RunEvent = serde_json::from_str(text).unwrap();
        let Happened::Started(started) = &event.what else { panic!("{event:?}") };
        assert_eq!((started.workflow.as_str(), &started.unknown["shard"]), ("w", &Value::from(3)));
        assert_eq!(event.attributes["ticket"], "A-1");
        assert_eq!(event.unknown.keys().collect::<Vec<_>>(), ["signature"]);
        let again: RunEvent = serde_json::from_str(&event.json()).unwrap();
        assert_eq!(again, event);
        assert_eq!(event.json().matches("workflow").count(), 1);
    }

    #[test]
    fn an_event_of_every_kind_comes_back_as_it_was() {
        let run = RunId::from_parts(7, [1; 10]);
        let kinds = [
            Happened::Started(Started::default()),
            Happened::Stage(Stage::default()),
            Happened::Heartbeat {},
            Happened::Operation(Operation::default()),
            Happened::Finished(Finished::default()),
        ];
        for what in kinds {
            let event = RunEvent::new("e", run.clone(), Moment(1), what);
            assert_eq!(serde_json::from_str::<RunEvent>(&event.json()).unwrap(), event);
        }
    }
}
