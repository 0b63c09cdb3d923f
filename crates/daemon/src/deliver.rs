//! Delivers messages, each on a thread of its own; what became of it goes to the inbox.

use std::{
    panic,
    sync::mpsc::SyncSender,
    thread::{self, JoinHandle},
};

use alignwatch_model::{
    alert::outbox::Outgoing,
    config::{Channels, Config},
    notice::{Failure, FailureReason},
    turn::Event,
};
use alignwatch_notify::Egress;

use crate::serve::now;

/// Who delivers.
pub(crate) struct Deliverer {
    channels: Channels,
    egress: Egress,
    /// Who is called as long as all is well.
    heartbeat: Option<String>,
    /// Where the whole can be read, as messages name it.
    external_url: String,
}

impl Deliverer {
    pub(crate) fn of(config: &Config, external_url: String) -> Deliverer {
        let (channels, heartbeat) = (config.channels.clone(), config.heartbeat.url.clone());
        Deliverer { channels, egress: Egress::of(&config.egress), heartbeat, external_url }
    }

    /// Makes one attempt. It ends with an event, whatever happens.
    pub(crate) fn start(&self, row: &Outgoing, inbox: SyncSender<Event>) -> JoinHandle<()> {
        let (key, notice) = (row.key.clone(), row.notice(&self.external_url));
        let channel = self.channels.named(&row.telling.channel);
        let egress = self.egress.clone();
        thread::spawn(move || {
            let attempt = || match &channel {
                Some(channel) => alignwatch_notify::deliver(channel, &notice, &egress, now()),
                None => Err(gone(&notice.receiver)),
            };
            let attempt = panic::catch_unwind(panic::AssertUnwindSafe(attempt)).unwrap_or_else(|_| Err(bug()));
            // When the loop is gone, it is tried again after the next start.
            let _ = inbox.send(Event::Delivered(key, attempt.into()));
        })
    }
}

impl Deliverer {
    /// Calls whoever watches over us once. It ends with an event, whatever happens.
    pub(crate) fn call(&self, reasons: Vec<String>, inbox: SyncSender<Event>) -> JoinHandle<()> {
        let (address, egress) = (self.heartbeat.clone(), self.egress.clone());
        thread::spawn(move || {
            let attempt = || match &address {
                Some(address) => alignwatch_notify::heartbeat::call(address, &reasons, &egress, now()),
                None => Err(gone("heartbeat")),
            };
            let attempt = panic::catch_unwind(panic::AssertUnwindSafe(attempt)).unwrap_or_else(|_| Err(bug()));
            // When the loop is gone, so is the heartbeat: that is what it is for.
            let _ = inbox.send(Event::Called(attempt.into()));
        })
    }
}

fn gone(name: &str) -> Failure {
    let detail = format!("there is no channel {name} any more");
    Failure { reason: FailureReason::Configuration, detail, is_permanent: true, retry_after: None }
}

fn bug() -> Failure {
    let detail = "a bug in alignwatch ended the attempt".to_owned();
    Failure { reason: FailureReason::LocalError, detail, is_permanent: false, retry_after: None }
}
