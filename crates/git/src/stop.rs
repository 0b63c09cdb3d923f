//! When to stop looking: a budget of time, or a person who interrupts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Says whether an inspection should come to its end.
///
/// Long work asks between its steps. What is not done then is unknown, with the reason.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    budget: Option<(Instant, Duration)>,
    interrupted: Arc<AtomicBool>,
}

impl Stop {
    /// Stops after this time, counted from now, or when `interrupted` becomes true.
    pub fn new(budget: Option<Duration>, interrupted: Arc<AtomicBool>) -> Stop {
        Stop { budget: budget.map(|budget| (Instant::now() + budget, budget)), interrupted }
    }

    /// The same, and no longer than this time from now on.
    pub fn within(&self, budget: Duration) -> Stop {
        let until = (Instant::now() + budget, budget);
        let earlier = self.budget.filter(|(at, _)| *at <= until.0).unwrap_or(until);
        Stop { budget: Some(earlier), interrupted: Arc::clone(&self.interrupted) }
    }

    /// Why to stop, as a sentence part; `None` = go on.
    pub fn reason(&self) -> Option<String> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Some("it was interrupted".to_owned());
        }
        let (until, budget) = self.budget?;
        (until <= Instant::now()).then(|| format!("the budget of {} s was used up", budget.as_secs_f64()))
    }

    /// Is it time to stop?
    pub fn is_due(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.budget.is_some_and(|(until, _)| until <= Instant::now())
    }

    /// Did somebody interrupt? A budget that is used up is none of it.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// How long there is to go, at most `limit`.
    pub fn at_most(&self, limit: Duration) -> Duration {
        let left = self.budget.map(|(until, _)| until.saturating_duration_since(Instant::now()));
        left.map_or(limit, |left| left.min(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_budget_only_an_interruption_stops() {
        let flag = Arc::new(AtomicBool::new(false));
        let stop = Stop::new(None, Arc::clone(&flag));
        assert_eq!(stop.reason(), None);
        assert_eq!(stop.at_most(Duration::from_secs(9)), Duration::from_secs(9));
        flag.store(true, Ordering::Relaxed);
        assert_eq!(stop.reason().unwrap(), "it was interrupted");
    }

    #[test]
    fn a_budget_that_is_used_up_stops() {
        let stop = Stop::new(Some(Duration::ZERO), Arc::default());
        assert!(stop.is_due());
        assert_eq!(stop.reason().unwrap(), "the budget of 0 s was used up");
    }
}
