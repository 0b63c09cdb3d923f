//! What is kept besides alerts: reports to be told, and who did what. Reports wait in the same outbox, and go the same way.

use std::collections::BTreeMap;

use super::{
    super::{Labels, unsent::Telling},
    *,
};
use crate::{notice::NoticeReason, report::Letter};

impl Book {
    /// Writes down who did what besides alerts.
    pub fn noted(&mut self, who: &str, what: &str, of: &str, now: Timestamp) {
        self.note(who, what, of, now);
    }

    /// Puts a message that is about no alert into the outbox; one with its key that is there already is the same.
    pub fn announce(&mut self, row: Outgoing) {
        if !self.outbox.contains_key(&row.key) {
            self.touch(Row::Outgoing(row.key.clone()));
            self.outbox.insert(row.key.clone(), row);
        }
    }

    /// Puts a letter into the outbox, for each of these channels. It is delivered when it is on the disk.
    ///
    /// Silences, windows and limits are about alerts: what was asked for at a fixed time is not held.
    pub fn send(&mut self, name: &str, channels: &[String], letter: &Letter, now: Timestamp) {
        for channel in channels {
            let key = self.fresh_id(channel, now);
            let telling = Telling {
                channel: channel.clone(),
                group_key: format!("report/{name}"),
                group_labels: Labels::from([("report".to_owned(), name.to_owned())]),
                reason: NoticeReason::Report,
                alerts: Vec::new(),
                covers: BTreeMap::new(),
                letter: Some(Box::new(letter.clone())),
            };
            self.announce(Outgoing::new(key, telling, now));
        }
    }
}
