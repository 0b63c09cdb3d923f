//! Which repositories are looked at now, and what is thought of looks that do not end.
//!
//! A slow repository must delay nobody else. So one that is known to be slow never takes the last place, one that turns
//! out to be slow gives its place back, and one whose look does not end at all is told as unknown: a disk that hangs
//! answers neither yes nor no.

use super::{Effect, Pace, State, Watched};
use crate::{
    Span, Timestamp,
    record::{Commit, Sweep, SweepOutcome},
};

/// A look that takes longer is slow. Source: ours; a repository with 650 branches takes ten seconds the first time.
const SLOW: Span = Span(30);

/// Looks beside the usual ones, for as long as those are slow: each holds a repository in memory. Source: ours.
const BESIDE: usize = 8;

/// A look that takes longer hangs, or twice the interval where that is more. It holds no place: it takes no processor, and
/// what little memory a thread needs.
const HANGS: Span = Span::minutes(10);

/// When looks are no longer waited for.
fn hangs_after(pace: Pace) -> Span {
    HANGS.max(Span(2 * pace.interval.0))
}

/// Which of the places are taken.
struct Places {
    /// By looks that are quick, as far as is known.
    quick: usize,
    /// By looks at repositories that are known to be slow.
    slow: usize,
    /// By all that do not hang.
    all: usize,
}

impl Places {
    fn taken(state: &State, pace: Pace, now: Timestamp) -> Places {
        let mut places = Places { quick: 0, slow: 0, all: 0 };
        for watched in state.repositories.values() {
            let Some(since) = watched.looking_since else { continue };
            let takes = now.since(since);
            places.all += usize::from(takes < hangs_after(pace));
            places.slow += usize::from(watched.is_slow && takes < hangs_after(pace));
            places.quick += usize::from(!watched.is_slow && takes < SLOW);
        }
        places
    }

    /// Takes a place for this one, when there is one.
    fn take(&mut self, watched: &Watched, pace: Pace) -> bool {
        let is_free = self.quick + self.slow < pace.at_once && self.all < pace.at_once + BESIDE;
        let may = is_free && (!watched.is_slow || self.slow + 1 < pace.at_once.max(2));
        if may {
            self.all += 1;
            *(if watched.is_slow { &mut self.slow } else { &mut self.quick }) += 1;
        }
        may
    }
}

/// Looks that are due and have a place, the longest due first.
pub(super) fn due(state: &mut State, pace: Pace, now: Timestamp) -> Vec<Effect> {
    let mut places = Places::taken(state, pace, now);
    let mut ready: Vec<_> = state
        .repositories
        .iter_mut()
        .filter(|(_, watched)| watched.looking_since.is_none() && watched.due_at <= now)
        .collect();
    ready.sort_by_key(|(_, watched)| watched.due_at);
    let mut effects = Vec::new();
    for (path, watched) in ready {
        if places.take(watched, pace) {
            watched.looking_since = Some(now);
            effects.push(Effect::Inspect(path.clone()));
        }
    }
    effects
}

/// Takes looks that hang as what they are: nothing is known of these repositories. Each is told once for each interval.
pub(super) fn give_up(state: &mut State, pace: Pace, now: Timestamp) -> Vec<(String, Commit)> {
    let mut given_up = Vec::new();
    for (path, watched) in &mut state.repositories {
        let Some(since) = watched.looking_since.filter(|since| hangs_after(pace) <= now.since(*since)) else {
            continue;
        };
        watched.is_slow = true;
        if now < watched.due_at {
            continue;
        }
        watched.due_at = Timestamp(now.0 + pace.interval.0);
        let outcome = SweepOutcome::Failed(hangs(since));
        let (repository, seconds) = (watched.id.clone(), now.since(since).0 as f64);
        let sweep = Sweep { repository, path: path.clone(), at: now, seconds, outcome };
        given_up.push((path.clone(), Commit { sweeps: vec![sweep], ..Commit::default() }));
    }
    given_up
}

/// What is told of a look that does not end.
pub(super) fn hangs(since: Timestamp) -> String {
    format!(
        "the look that began at {} has not ended: a disk, a network file system or a git does not answer",
        since.rfc3339()
    )
}

/// Did a look that took so long show that its repository is slow?
pub(super) fn was_slow(seconds: f64) -> bool {
    SLOW.0 as f64 <= seconds
}
