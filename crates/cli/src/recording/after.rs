//! What a command did: the verdict, and whether it lost anything.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use alignwatch_daemon::aftermath;
use alignwatch_git::stop::Stop;
use alignwatch_model::{
    Known, Severity,
    run::{Exit, Finished, Happened, Judged, RunEvent, Seen, event::MOVES_AT_MOST},
};
use alignwatch_records::{fresh, wrap::Ended};

use super::{Before, Told, VERIFY_AT_MOST, Wanted, verifying};

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
        let (judged, seen) = aftermath::look(&before.place(wanted.base.as_deref()), &before.seen, &ended.exit);
        After { judged, seen }
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
        if !aftermath::raises_questions(&wanted.run, &judged.operations, &judged.moves) {
            return Told::Nothing;
        }
        let stop = Stop::new(Some(VERIFY_AT_MOST), Arc::new(AtomicBool::new(false)));
        let found = aftermath::verified(&before.path, &wanted.run, &judged.operations, &judged.moves, &stop);
        let event = aftermath::event(&wanted.run, began, &found);
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
