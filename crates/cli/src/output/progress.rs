//! Says on standard error what is being done, when it takes more than a second and somebody watches.

use std::{
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// Whatever is done sooner needs no progress bar.
///
/// Source: Nielsen, Usability Engineering (1993): a second is what a thought takes without being interrupted.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two pictures of the spinner: looks alive and costs nothing.
const TICK: Duration = Duration::from_millis(120);

/// A progress bar that appears late, or never.
#[derive(Debug, Default)]
pub struct Progress {
    bar: Option<Painted>,
}

#[derive(Debug)]
struct Painted {
    bar: ProgressBar,
    finished: Sender<()>,
    painter: JoinHandle<()>,
}

impl Progress {
    /// A bar that will appear when it takes long, or one that never does.
    pub fn new(is_wanted: bool) -> Progress {
        if !is_wanted {
            return Progress::default();
        }
        let bar = ProgressBar::hidden();
        bar.set_style(spinner());
        let (finished, wait) = mpsc::channel();
        let painter = thread::spawn({
            let bar = bar.clone();
            move || appear_late(&bar, &wait)
        });
        Progress { bar: Some(Painted { bar, finished, painter }) }
    }

    /// Names what is being done now.
    pub fn phase(&self, what: &str) {
        if let Some(Painted { bar, .. }) = &self.bar {
            bar.unset_length();
            bar.set_style(spinner());
            bar.set_message(super::escape::terminal(what).into_owned());
        }
    }

    /// Says how far the phase is: so many of so many.
    pub fn step(&self, done: u64, total: u64) {
        if let Some(Painted { bar, .. }) = &self.bar {
            if bar.length() != Some(total) {
                bar.set_style(counter());
            }
            // At once, so that nobody sees the place of one phase beside the length of another.
            bar.update(|state| {
                state.set_len(total);
                state.set_pos(done);
            });
        }
    }
}

/// The bar disappears with its last owner, so that answers and errors stand alone.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(Painted { bar, finished, painter }) = self.bar.take() {
            drop(finished);
            // It can only have panicked inside of the drawing library, and then there is no bar.
            let _ = painter.join();
            bar.finish_and_clear();
        }
    }
}

fn appear_late(bar: &ProgressBar, wait: &Receiver<()>) {
    if let Err(RecvTimeoutError::Timeout) = wait.recv_timeout(PATIENCE) {
        bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        bar.enable_steady_tick(TICK);
    }
}

fn spinner() -> ProgressStyle {
    style("{spinner} {msg} ({elapsed})")
}

fn counter() -> ProgressStyle {
    style("{spinner} {msg}: {human_pos} of {human_len} ({elapsed})")
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.tick_chars("|/-\\ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_nobody_wants_costs_nothing() {
        let progress = Progress::new(false);
        progress.phase("reading refs");
        progress.step(1, 2);
        assert!(progress.bar.is_none());
    }

    #[test]
    fn a_bar_ends_at_once_when_the_work_was_quick() {
        let progress = Progress::new(true);
        progress.phase("reading \x1b refs");
        progress.step(1, 2);
        drop(progress);
    }
}
