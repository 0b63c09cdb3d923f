//! Remembers how much a repository stored at earlier looks, to tell how fast it grows.
//!
//! A small history on a shelf of ours: one sample in six hours at most, sixty-four
//! of them, so that it reaches back sixteen days and its file grows by some 50 KB a year.

use alignwatch_model::{Span, Timestamp, facts::storage::Growth};

use crate::memory::{Memory, Shelf};

/// Samples that are kept; the oldest gives its place to the newest.
const SAMPLES: u64 = 64;

/// Time between two samples.
const BETWEEN_SAMPLES: Span = Span::hours(6);

/// A sample younger than this says nothing: one fetch would look like a trend.
const COMPARED_FROM: Span = Span::days(1);

/// What is compared with best: the sample nearest to this age.
const COMPARED_BEST: Span = Span::days(7);

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Sample {
    at: i64,
    bytes: u64,
}

/// Compares with what was remembered, and remembers this look.
pub(super) fn since_earlier(memory: &Memory, now: Timestamp, bytes: u64) -> Growth {
    if memory.folder().is_none() {
        return Growth::NotYet("nothing is remembered without a data directory".into());
    }
    let mut shelf = memory.shelf("growth", "1");
    let samples = read(&mut shelf);
    remember(&mut shelf, &samples, Sample { at: now.0, bytes });
    compared(&samples, now, bytes)
}

fn read(shelf: &mut Shelf) -> Vec<Sample> {
    let samples = (0..SAMPLES).filter_map(|slot| postcard::from_bytes(shelf.get(&slot.to_le_bytes())?).ok());
    let mut samples: Vec<Sample> = samples.collect();
    samples.sort_by_key(|sample| sample.at);
    samples
}

fn remember(shelf: &mut Shelf, samples: &[Sample], new: Sample) {
    let is_due = samples.last().is_none_or(|last| BETWEEN_SAMPLES <= Timestamp(new.at).since(Timestamp(last.at)));
    let Ok(value) = postcard::to_stdvec(&new) else { return };
    if is_due {
        let slot = new.at.unsigned_abs() / BETWEEN_SAMPLES.0.unsigned_abs() % SAMPLES;
        shelf.put(&slot.to_le_bytes(), value);
        // A memory that cannot be written costs a comparison, never an answer.
        let _ = shelf.save();
    }
}

fn compared(samples: &[Sample], now: Timestamp, bytes_now: u64) -> Growth {
    let age = |sample: &Sample| now.since(Timestamp(sample.at));
    let old_enough = samples.iter().filter(|sample| COMPARED_FROM <= age(sample));
    match old_enough.min_by_key(|sample| age(sample).0.abs_diff(COMPARED_BEST.0)) {
        Some(sample) => Growth::Since { at: Timestamp(sample.at), bytes_then: sample.bytes, bytes_now },
        None if samples.is_empty() => Growth::NotYet("this is the first look at it that is remembered".into()),
        None => Growth::NotYet("the first look that is remembered is less than a day old".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(days: i64) -> Timestamp {
        Timestamp(1_700_000_000 + Span::days(days).0)
    }

    fn look(memory: &Memory, now: Timestamp, bytes: u64) -> Growth {
        since_earlier(memory, now, bytes)
    }

    #[test]
    fn growth_is_told_against_the_look_nearest_to_a_week_ago() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::in_folder(folder.path());
        assert!(matches!(look(&memory, days(0), 100), Growth::NotYet(reason) if reason.contains("first look")));
        let soon = Timestamp(days(0).0 + 3600);
        assert!(matches!(look(&memory, soon, 100), Growth::NotYet(reason) if reason.contains("less than a day")));
        assert_eq!(look(&memory, days(2), 150), Growth::Since { at: days(0), bytes_then: 100, bytes_now: 150 });
        look(&memory, days(6), 200);
        assert_eq!(look(&memory, days(10), 300), Growth::Since { at: days(2), bytes_then: 150, bytes_now: 300 });
    }

    #[test]
    fn the_history_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::in_folder(folder.path());
        for hour in 0..24 * 40 {
            look(&memory, Timestamp(days(0).0 + hour * 3600), 1);
        }
        assert_eq!(memory.shelf("growth", "1").len() as u64, SAMPLES);
    }

    #[test]
    fn without_a_memory_or_with_a_damaged_one_there_is_nothing_to_compare_with() {
        assert!(matches!(look(&Memory::none(), days(0), 1), Growth::NotYet(_)));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("growth"), "alignwatch growth 1\nrubbish").unwrap();
        assert!(matches!(look(&Memory::in_folder(folder.path()), days(0), 1), Growth::NotYet(_)));
    }
}
