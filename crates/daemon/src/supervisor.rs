//! Tells a supervisor (systemd, or what speaks like it) that we began, that we live, and that we end.
//!
//! Source: sd_notify(3), sd_watchdog_enabled(3). Without a supervisor nothing happens.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The line to the supervisor.
pub(crate) struct Supervisor {
    /// How often it wants to hear that we live; `None` = it does not ask.
    every: Option<Duration>,
    told_at: Instant,
}

impl Supervisor {
    /// Tells that we answer now.
    pub(crate) fn ready() -> Supervisor {
        tell(NotifyState::Ready);
        // Half of the limit, as sd_watchdog_enabled(3) recommends.
        Supervisor { every: sd_notify::watchdog_enabled().map(|limit| limit / 2), told_at: Instant::now() }
    }

    /// Tells that the loop turns, when it is time.
    pub(crate) fn alive(&mut self) {
        if self.every.is_some_and(|every| every <= self.told_at.elapsed()) {
            tell(NotifyState::Watchdog);
            self.told_at = Instant::now();
        }
    }

    /// Tells that we end.
    pub(crate) fn stopping(self) {
        tell(NotifyState::Stopping);
    }
}

/// A supervisor that does not hear us will act by itself.
fn tell(state: NotifyState<'_>) {
    let _ = sd_notify::notify(&[state]);
}
