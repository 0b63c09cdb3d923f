//! `daemon`: is it alive, and does it look at anything?

use alignwatch_daemon::health;
use alignwatch_model::{Known, Remedy, Severity, Span, Timestamp};

use super::{Around, Examination, Told};
use crate::output::layout::count;

/// The daemon, and its last sweep.
pub(super) static EXAMINATION: Examination = Examination {
    id: "daemon",
    title: "Daemon",
    why: "A daemon that stands still looks like one that has nothing to report",
    examine,
};

/// Intervals without a sweep after which it stands still. Source: ours; one that is late, and one more.
const INTERVALS_AT_MOST: i64 = 3;

/// It may always be silent for so long. Source: ours; the first look at a large repository.
const SILENT_AT_MOST: Span = Span::minutes(10);

fn examine(around: &Around) -> Told {
    let Some(dir) = &around.data_dir else { return Told::well("none: there is no data directory") };
    let daemon = match health::daemon(dir) {
        Known::Seen(daemon) => daemon,
        Known::Unknown(reason) => return Told::unknown(format!("cannot see whether it runs: {reason}")),
    };
    // What cannot be read is told by `store`.
    let swept_at = health::kept(dir, around.now).seen().cloned().flatten().and_then(|kept| kept.swept_at);
    match daemon {
        Some(daemon) => at_work(around, &daemon, swept_at),
        None => absent(around, swept_at),
    }
}

fn at_work(around: &Around, daemon: &health::Writer, swept_at: Option<Timestamp>) -> Told {
    let told = Told::well(format!("at work ({}); {}", daemon.who, last_sweep(around, swept_at)));
    // One that has only begun is judged from its beginning.
    let active_at = swept_at.max(Some(daemon.since)).unwrap_or(daemon.since);
    let limit = Span(around.config.serve.interval.0.saturating_mul(INTERVALS_AT_MOST)).max(SILENT_AT_MOST);
    let silent = around.now.since(active_at);
    if silent <= limit {
        return told;
    }
    let remedy = Remedy::reversible(
        "Start it again: it goes on from there. Send us a bundle if it happens twice.",
        ["alignwatch serve".to_owned(), "alignwatch doctor bundle".to_owned()],
    );
    let summary = format!("the daemon is at work, and looked at nothing for {silent}");
    told.but(EXAMINATION.finding("silent", Severity::Error, summary, remedy))
}

/// Only who configured repositories to be watched expects one.
fn absent(around: &Around, swept_at: Option<Timestamp>) -> Told {
    let told = Told::well(format!("not at work; {}", last_sweep(around, swept_at)));
    let n_watched = around.config.serve.repositories.len();
    if n_watched == 0 {
        return told;
    }
    let summary = format!("no daemon is at work, though `serve.repositories` has {}", count(n_watched, "entry"));
    let remedy = Remedy::reversible("Start it, or take the entries away.", ["alignwatch serve".to_owned()]);
    told.but(EXAMINATION.finding("absent", Severity::Warning, summary, remedy))
}

fn last_sweep(around: &Around, swept_at: Option<Timestamp>) -> String {
    swept_at.map_or_else(|| "no sweep yet".to_owned(), |at| format!("last sweep {} ago", around.now.since(at)))
}
