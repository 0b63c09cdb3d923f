//! What is known of alerts and messages, for all subjects that are about them.

use std::path::PathBuf;

use alignwatch_daemon::alerts;
use alignwatch_model::{
    Timestamp,
    alert::{explain::Link, outbox::Outgoing},
    turn::Alerting,
};

use super::World;
use crate::{configuring, surroundings};

/// Messages that are looked through. Source: ours; a month of a busy channel.
const MESSAGES_LOOKED_AT: usize = 2_000;

/// As the daemon last kept it.
pub(super) struct Known {
    pub(super) alerting: Alerting,
    /// The newest first.
    pub(super) messages: Vec<Outgoing>,
    pub(super) data_dir: PathBuf,
    pub(super) now: Timestamp,
}

/// `None` = no daemon ever ran here, or the store can't be read: `doctor` says that.
pub(super) fn known(world: &World<'_>) -> Option<Known> {
    let config = &world.around.config;
    let (data_dir, now) = (configuring::data_dir(config)?, surroundings::now());
    let alerting = alerts::alerting(&data_dir, config, now).ok()?;
    let messages = alerts::messages(&data_dir, MESSAGES_LOOKED_AT).ok()?;
    Some(Known { alerting, messages, data_dir, now })
}

pub(super) fn lines(chain: &[Link]) -> Vec<String> {
    let line =
        |link: &Link| format!("{}: {}{}", link.step, link.said, if link.stops { " (here it stops)" } else { "" });
    chain.iter().map(line).collect()
}

pub(super) fn sources() -> Vec<String> {
    vec!["the store, as the daemon last kept it".to_owned()]
}
