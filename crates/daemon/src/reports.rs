//! Who waits to hear that a report is kept.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use alignwatch_model::{
    alert::Wish,
    run::RunEvent,
    task::TaskWish,
    turn::{Event, Receipt, Refusal},
};

/// The longest that somebody waits. Source: ours; the answer to a request takes no longer, either.
const WAIT_AT_MOST: Duration = Duration::from_secs(10);

/// Told once, on the thread of the loop: it must not wait for anything.
type Tell = Box<dyn FnOnce(Result<(), Refusal>) + Send>;

/// Hands reports to the loop, and answers to those who wait for them.
pub(crate) struct Reports {
    inbox: Mutex<SyncSender<Event>>,
    next: AtomicU64,
    waiting: Mutex<HashMap<Receipt, Tell>>,
}

impl Reports {
    pub(crate) fn to(inbox: SyncSender<Event>) -> Reports {
        Reports { inbox: Mutex::new(inbox), next: AtomicU64::new(0), waiting: Mutex::default() }
    }

    /// Hands events to the loop; `tell` hears what became of them. When there is no room, it hears that at once.
    pub(crate) fn hand_over(&self, events: Vec<RunEvent>, tell: Tell) {
        self.post(|receipt| Event::Reported(receipt, events), tell);
    }

    /// Hands a wish to the loop; likewise.
    pub(crate) fn wish(&self, wish: Wish, tell: Tell) {
        self.post(|receipt| Event::Wished(receipt, wish), tell);
    }

    /// Hands a wish about maintenance to the loop; likewise.
    pub(crate) fn upkeep(&self, wish: TaskWish, tell: Tell) {
        self.post(|receipt| Event::TaskWished(receipt, wish), tell);
    }

    fn post(&self, event: impl FnOnce(Receipt) -> Event, tell: Tell) {
        let receipt = Receipt(self.next.fetch_add(1, Ordering::Relaxed));
        self.waiting().insert(receipt, tell);
        let sent = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).try_send(event(receipt));
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sent {
            self.answer(&[receipt], &Err(Refusal::TooMuch));
        }
    }

    /// The same, and waits. Errors: the events were refused, or there was no answer in time.
    pub(crate) fn and_wait(&self, events: Vec<RunEvent>) -> Result<(), Refusal> {
        let (tell, told) = sync_channel(1);
        let receiver_may_be_gone = move |kept| drop(tell.send(kept));
        self.hand_over(events, Box::new(receiver_may_be_gone));
        told.recv_timeout(WAIT_AT_MOST).unwrap_or(Err(Refusal::TooMuch))
    }

    /// Answers those who wait.
    pub(crate) fn answer(&self, receipts: &[Receipt], kept: &Result<(), Refusal>) {
        for receipt in receipts {
            let tell = self.waiting().remove(receipt);
            if let Some(tell) = tell {
                tell(kept.clone());
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<Receipt, Tell>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
