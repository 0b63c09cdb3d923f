//! `store`: is what the daemon kept still whole?

use alignwatch_daemon::health;
use alignwatch_model::{Known, Remedy, Severity};

use super::{Around, Examination, Told, with};
use crate::output::layout::count;

/// The store of the daemon.
pub(super) static EXAMINATION: Examination = Examination {
    id: "store",
    title: "Store",
    why: "It holds since when each finding is there and all numbers over time, which cannot be seen again",
    examine,
};

fn examine(around: &Around) -> Told {
    let Some(dir) = &around.data_dir else { return Told::well("none: there is no data directory") };
    let kept = match health::kept(dir, around.now) {
        Known::Unknown(reason) => return Told::unknown(format!("cannot read the store: {reason}")),
        Known::Seen(None) => return Told::well("nothing yet; `alignwatch serve` makes it"),
        Known::Seen(Some(kept)) => kept,
    };
    let Some(damage) = kept.damage else {
        let backup = kept
            .backed_up_at
            .map_or_else(|| "no backup yet".to_owned(), |at| format!("backup {} ago", around.now.since(at)));
        return Told::well(format!("whole; {}, {backup}", count(kept.n_repositories, "repository")));
    };
    let remedy = Remedy::reversible(
        "Start the daemon again: it moves the damaged file aside and goes on from its newest whole backup. Look at the disk.",
        ["alignwatch serve".to_owned()],
    );
    let finding = EXAMINATION.finding("damaged", Severity::Error, "the store is damaged", remedy);
    Told::well("damaged").but(with(finding, "damage", damage))
}
