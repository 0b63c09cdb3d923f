//! What was counted of each repository, kept so that counters go on after a restart.
//!
//! A tally is written in a commit after the look it grew by. When the process is killed before that, the next look finds the
//! tally of before and counts the same things: nothing is lost, and nothing counted twice.

use std::collections::BTreeMap;

use super::State;
use crate::{
    Snapshot, Timestamp,
    config::Config,
    metrics::{Distribution, Measured, Tally, happened},
    record::{Record, RecordKind},
};

/// What was counted, by the id of the repository.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    known: BTreeMap<String, Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    tally: Tally,
    has_changed: bool,
    is_being_kept: bool,
}

impl State {
    /// Goes on with what was counted: the tallies among these records. One that can't be read begins anew, as a counter may.
    #[must_use]
    pub fn with_tallies(mut self, records: &[Record]) -> State {
        for record in records.iter().filter(|record| record.kind == RecordKind::Tally) {
            let tally = record.document.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let counted = Counted { tally: tally.unwrap_or_default(), ..Counted::default() };
            self.tallies.known.insert(record.key.clone(), counted);
        }
        self
    }

    /// The histograms of all repositories that are watched.
    pub fn distributions(&self, now: Timestamp) -> impl Iterator<Item = Distribution> {
        let of = |id: &str| self.tallies.known.get_key_value(id).map(|(id, counted)| (id.as_str(), &counted.tally));
        let counted = self.repositories.values().filter_map(move |watched| of(&watched.id));
        counted.flat_map(move |(id, tally)| tally.distributions(id, now))
    }
}

impl Tallies {
    /// What was counted of a repository, with what this look shows. What was counted before this start may not be known yet:
    /// then nothing is counted.
    pub(super) fn take_in(&mut self, snapshot: &Snapshot, config: &Config, is_recalled: bool) -> &Tally {
        let counted = self.known.entry(snapshot.repository.id.clone()).or_default();
        if is_recalled {
            let now = snapshot.seen_at;
            let measured = Measured { snapshot, judged: &[], config, tally: &counted.tally, now };
            let happened = happened(&measured);
            counted.has_changed |= counted.tally.take_in(happened, snapshot, now);
        }
        &counted.tally
    }

    pub(super) fn have_changed(&self) -> bool {
        self.known.values().any(|counted| counted.has_changed)
    }

    /// What changed since it was last kept.
    pub(super) fn records(&mut self, now: Timestamp) -> Vec<Record> {
        let mut records = Vec::new();
        for (id, counted) in self.known.iter_mut().filter(|(_, counted)| counted.has_changed) {
            (counted.has_changed, counted.is_being_kept) = (false, true);
            let document = serde_json::to_string(&counted.tally).ok();
            records.push(Record { kind: RecordKind::Tally, key: id.clone(), at: now, is_open: true, document });
        }
        records
    }

    pub(super) fn kept(&mut self) {
        self.known.values_mut().for_each(|counted| counted.is_being_kept = false);
    }

    pub(super) fn not_kept(&mut self) {
        for counted in self.known.values_mut() {
            counted.has_changed |= std::mem::take(&mut counted.is_being_kept);
        }
    }
}
