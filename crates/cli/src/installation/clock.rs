//! `clock`: is the time by the wall clock one that can be?

use std::{fs, path::Path};

use alignwatch_model::{Remedy, Severity, Span, Timestamp};

use super::{Around, Examination, Told};

/// The wall clock.
pub(super) static EXAMINATION: Examination = Examination {
    id: "clock",
    title: "Clock",
    why: "Ages of branches and locks are counted to it: a wrong clock makes a live lock look stale",
    examine,
};

/// This program was not written before. 2026-11-01.
const NOT_BEFORE: Timestamp = Timestamp(1_793_491_200);

/// Nobody runs it after. 2100-01-01.
const NOT_AFTER: Timestamp = Timestamp(4_102_444_800);

/// What we wrote ourselves may be this far ahead: clocks are set by seconds all the time.
const AHEAD_AT_MOST: Span = Span::hours(1);

fn examine(around: &Around) -> Told {
    let now = around.now;
    let told = Told::well(now.to_string());
    let ahead = around.data_dir.as_deref().and_then(newest).map(|newest| newest.since(now));
    let summary = match ahead {
        _ if now < NOT_BEFORE => format!("the clock says {now}, which is before this program was written"),
        _ if NOT_AFTER < now => format!("the clock says {now}"),
        Some(ahead) if AHEAD_AT_MOST < ahead => {
            format!("the clock was set back: what we wrote before is {ahead} ahead of it")
        }
        _ => return told,
    };
    let remedy = Remedy::reversible("Set the clock, or let it be set.", ["timedatectl".to_owned()]);
    told.but(EXAMINATION.finding("wrong", Severity::Error, summary, remedy))
}

/// When something was last written into the data directory or one directly in it.
fn newest(dir: &Path) -> Option<Timestamp> {
    let entries = fs::read_dir(dir).ok()?.flatten().take(1_000).map(|entry| entry.path());
    let times = entries.chain([dir.to_owned()]).filter_map(|path| fs::symlink_metadata(path).ok()?.modified().ok());
    let seconds = times.filter_map(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    seconds.map(|since| Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))).max()
}
