//! Lives: takes events in one inbox, lets the brain decide, and does what it says.
//!
//! The brain is [`alignwatch_model::turn`]; nothing is decided here. Inspections run on threads of their own, keeping
//! on another, and pages are answered on a third, so that the loop never waits: a slow repository, a full disk or a
//! slow reader holds up nobody else. Every effect ends with an event. All queues are bounded.
//!
//! * [`mod@aftermath`]: what a run did to its repository, and whether it lost work.
//! * [`mod@address`]: where it answers, for commands that ask.
//! * [`mod@alerts`]: what is known of alerts, for commands that ask.
//! * [`mod@calendars`]: reads calendars that others keep.
//! * [`mod@board`]: the last of everything, for a live view.
//! * [`mod@export`]: how the sending of metrics goes.
//! * [`mod@look`]: one inspection, with the machine sampled beside it; also for the one-shot commands.
//! * [`mod@health`]: whether it is alive, and what it kept whole; for `doctor`.
//! * [`mod@serve`]: the daemon itself.
//! * [`mod@reporting`]: what a report on a period is made from.
//! * [`mod@runs`]: the alignment runs that are recorded, wherever they are.
//! * [`mod@spooled`]: takes in what was reported while no daemon was there.
//! * [`mod@supervisor`]: tells systemd that we live.
//! * [`mod@watched`]: what the daemon last saw, for commands that ask.
//! * [`mod@watch`]: sees that refs moved, by looking at files only.

pub mod address;
pub mod aftermath;
pub mod alerts;
mod announce;
mod asks;
pub mod board;
mod body;
pub mod calendars;
mod deliver;
mod expected;
pub mod export;
mod guard;
pub mod health;
mod keep;
pub mod look;
mod named;
mod recalled;
pub mod reporting;
mod reports;
pub mod runs;
mod serve;
mod spooled;
mod supervisor;
mod tend;
mod verifier;
mod watch;
pub mod watched;
mod watching;

pub use serve::{ServeError, Settings, serve};
