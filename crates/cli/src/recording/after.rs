//! What a command did: the verdict, and whether it lost anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use alignwatch_git::{
    inspect,
    repository::{Opened, open},
    run::Git,
    stop::Stop,
    witness,
};
use alignwatch_model::{
    Known, Look, Oid, Severity, Timestamp,
    run::{
        Evidence, Exit, Finished, Happened, Judged, Moved, RefMove, RunEvent, Seen,
        event::MOVES_AT_MOST,
        judge::{judge, moves},
    },
};
use alignwatch_records::{fresh, wrap::Ended};

use super::{Before, Told, VERIFY_AT_MOST, Wanted, verifying};

/// How long drift may be measured. What is not measured by then is unknown.
const DRIFT_AT_MOST: Duration = Duration::from_millis(1_500);

/// See above.
pub(crate) struct After {
    /// The verdict.
    judged: Judged,
    /// What was seen.
    seen: Known<Seen>,
}

impl After {
    /// Looks, and judges.
    pub(crate) fn look(before: &Before, wanted: &Wanted, ended: &Ended) -> After {
        let opened = open(&before.path);
        let mut seen = match &opened {
            Ok(opened) => witness::witness(opened),
            Err(error) => Known::Unknown(error.to_string()),
        };
        if let (Ok(opened), Known::Seen(seen)) = (&opened, &mut seen) {
            witness::look_into_imerges(opened, seen);
        }
        let drift = match (&opened, &before.seen, &seen) {
            (Ok(opened), Known::Seen(was), Known::Seen(is)) => drift(opened, before, wanted, &moves(was, is), is),
            _ => BTreeMap::new(),
        };
        let evidence = Evidence { exit: &ended.exit, before: &before.seen, after: &seen, drift: &drift };
        After { judged: judge(&evidence), seen }
    }

    /// Writes down how the run ended.
    pub(crate) fn write_down(&self, before: &Before, wanted: &Wanted, ended: &Ended) -> Told {
        let happened = Happened::Finished(self.finished(before, ended));
        let event = RunEvent::new(fresh::id().to_string(), wanted.run.clone(), fresh::now(), happened);
        let written = before.spool().and_then(|spool| spool.append(&event).map_err(|error| error.to_string()));
        match written {
            Err(reason) => Told::Complaint(reason),
            Ok(()) => Told::Note(format!(
                "alignwatch: run {}: {}: {}\n",
                wanted.run,
                self.judged.outcome.word(),
                crate::output::escape::terminal(&self.judged.because)
            )),
        }
    }

    /// Verifies that nothing was lost.
    pub(crate) fn verify(&self, before: &Before, wanted: &Wanted) -> Told {
        let (began, judged) = (Instant::now(), &self.judged);
        if !judged.moves.iter().any(|one| one.name.starts_with("refs/heads/") && one.before.is_some()) {
            return Told::Nothing;
        }
        let stop = Stop::new(Some(VERIFY_AT_MOST), Arc::new(AtomicBool::new(false)));
        let found = verifying::verified(&before.path, &judged.operations, &judged.moves, &stop);
        let event = verifying::event(&wanted.run, began, &found);
        let written = before.spool().and_then(|spool| spool.append(&event).map_err(|error| error.to_string()));
        match (found.worst(), written) {
            (Some(Severity::Error | Severity::Critical), _) => {
                let again = format!("see: alignwatch verify {}\n", wanted.run);
                Told::Loss(format!("alignwatch: this run lost work\n{}{again}", verifying::told(&found)))
            }
            (_, Err(reason)) => Told::Complaint(reason),
            (Some(_), Ok(())) => Told::Note(verifying::told(&found)),
            (None, Ok(())) => Told::Note(verifying::unknown(&found)),
        }
    }

    fn finished(&self, before: &Before, ended: &Ended) -> Finished {
        let n_refs = |seen: &Known<Seen>| seen.seen().map(|seen| seen.refs.len() as u32);
        let judged = self.judged.clone();
        let n_moved = judged.moves.len() as u32;
        Finished {
            outcome: judged.outcome,
            because: judged.because,
            exit_code: if let Exit::Code(code) = ended.exit { Some(code) } else { None },
            signal: if let Exit::Signal(signal) = ended.exit { Some(signal) } else { None },
            duration_seconds: Some(ended.duration.as_secs_f64()),
            usage: ended.usage,
            n_refs_before: n_refs(&before.seen),
            n_refs_after: n_refs(&self.seen),
            moves: judged.moves.into_iter().take(MOVES_AT_MOST).collect(),
            n_moved,
            left_behind: judged.left_behind,
            operations: judged.operations.into_iter().take(MOVES_AT_MOST).collect(),
            output_tail: ended.output_tail.as_deref().map(super::kept_output),
            ..Finished::default()
        }
    }
}

/// The drift of moved branches; empty when none moved or it cannot be measured.
fn drift(opened: &Opened, before: &Before, wanted: &Wanted, moves: &[RefMove], is: &Seen) -> BTreeMap<String, Moved> {
    if !moves.iter().any(|one| one.name.starts_with("refs/heads/")) {
        return BTreeMap::new();
    }
    let stop = Stop::new(Some(DRIFT_AT_MOST), Arc::new(AtomicBool::new(false)));
    let Ok(git) = Git::find() else { return BTreeMap::new() };
    let Ok(at) = git.at(opened) else { return BTreeMap::new() };
    let bases = bases(before, wanted, is, stop.clone());
    witness::drift(&at, moves, &|branch| bases.get(branch).cloned(), &stop)
}

/// The base of each branch: the one that was named, or the one that an inspection finds.
fn bases(before: &Before, wanted: &Wanted, is: &Seen, stop: Stop) -> BTreeMap<String, (String, Oid)> {
    if let Some(base) = &wanted.base {
        let full = ["", "refs/heads/", "refs/remotes/", "refs/tags/"].map(|prefix| format!("{prefix}{base}"));
        let found = full.into_iter().find_map(|name| is.refs.get_key_value(&name));
        let found = found.and_then(|(name, oid)| Some((name.clone(), Oid::from_hex(oid.as_bytes()).ok()?)));
        let Some(found) = found else { return BTreeMap::new() };
        return is.refs.keys().map(|name| (name.clone(), found.clone())).collect();
    }
    let Ok(config) = &before.config else { return BTreeMap::new() };
    let looks: BTreeSet<Look> = Look::with_required([Look::History]);
    let how = inspect::Wanted { base: None, looks, paths_patience: Duration::ZERO, stop };
    let now = Timestamp(fresh::now().0 / 1_000);
    let data_dir = before.data_dir.as_deref();
    let Ok(snapshot) = inspect::inspect(&before.path, config, now, data_dir, &how, &|_| {}) else {
        return BTreeMap::new();
    };
    let named = snapshot.branches.into_iter().filter_map(|branch| {
        let base = branch.base?;
        Some((branch.name.text().into_owned(), (base.name.text().into_owned(), base.oid)))
    });
    named.collect()
}
