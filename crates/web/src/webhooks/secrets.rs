//! The secrets of webhooks, as they were read within the last minute.
//!
//! Reading one can start a program that hangs or fails, and whoever makes it be read is a stranger: only one waits for each
//! program, a failure counts for a while as well, and no webhook waits for the secret of another.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::{Duration, Instant},
};

use alignwatch_model::config::{SecretRef, WebhookEntry};

use crate::SecretOf;

/// How long a secret that was read is used. Source: ours; a flood of messages must not start a program each.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// How long nobody tries again to read one that could not be read. Source: ours; a program that hangs for ten seconds runs a
/// quarter of the time at most.
const BAD_FOR: Duration = Duration::from_secs(30);

/// Those of all webhooks, by their names.
#[derive(Default)]
pub(super) struct Secrets(Mutex<HashMap<String, Arc<Held>>>);

/// Why there is no secret now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoSecret {
    /// It can't be read.
    Unreadable,
    /// A program is telling it to somebody else.
    BeingRead,
}

/// The secret of one webhook.
#[derive(Default)]
struct Held {
    /// When it was last read, and what it is; no text = it could not be read.
    last: Mutex<Option<(Instant, Option<String>)>>,
    /// Whoever reads it has this.
    reading: Mutex<()>,
}

impl Secrets {
    /// The secret of this webhook. Errors: why there is none now.
    pub(super) fn of(&self, entry: &WebhookEntry, read: &SecretOf) -> Result<String, NoSecret> {
        // Only names that the configuration has come here.
        let held = Arc::clone(locked(&self.0).entry(entry.name.clone()).or_default());
        if let Some(known) = held.known() {
            return known;
        }
        let _reading = match (held.reading.try_lock(), &entry.secret) {
            (Ok(reading), _) => reading,
            // While it is read anew, the last one is as good as it was.
            (Err(TryLockError::WouldBlock), SecretRef::Command(_)) => {
                return locked(&held.last).clone().and_then(|(_, secret)| secret).ok_or(NoSecret::BeingRead);
            }
            // Files and variables are there at once.
            (Err(TryLockError::WouldBlock), _) => locked(&held.reading),
            (Err(TryLockError::Poisoned(poisoned)), _) => poisoned.into_inner(),
        };
        if let Some(known) = held.known() {
            return known;
        }
        let secret = read(&entry.secret).ok();
        *locked(&held.last) = Some((Instant::now(), secret.clone()));
        secret.ok_or(NoSecret::Unreadable)
    }
}

impl Held {
    /// What need not be read again; `None` = it is to be read.
    fn known(&self) -> Option<Result<String, NoSecret>> {
        let last = locked(&self.last);
        let (at, secret) = last.as_ref()?;
        let is_for = if secret.is_some() { GOOD_FOR } else { BAD_FOR };
        (at.elapsed() < is_for).then(|| secret.clone().ok_or(NoSecret::Unreadable))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        thread,
    };

    use super::*;

    fn entry(name: &str, secret: &str) -> WebhookEntry {
        WebhookEntry { name: name.to_owned(), secret: SecretRef::parse(secret).unwrap(), ..WebhookEntry::default() }
    }

    #[test]
    fn a_secret_that_can_not_be_read_is_not_tried_for_each_message() {
        let (secrets, n_read) = (Secrets::default(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&n_read);
        let read: Box<SecretOf> = Box::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Err("no".to_owned())
        });
        for _ in 0..3 {
            assert_eq!(secrets.of(&entry("a", "command:/bin/secret"), &*read), Err(NoSecret::Unreadable));
        }
        assert_eq!(n_read.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn while_a_program_hangs_nobody_else_waits_for_it() {
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let ended = Mutex::new(ended);
        let read: Box<SecretOf> = Box::new(move |reference| {
            if matches!(reference, SecretRef::Command(_)) {
                tell.send(()).unwrap();
                ended.lock().unwrap().recv().unwrap();
            }
            Ok(reference.to_string())
        });
        let (secrets, hangs, other) = (Secrets::default(), entry("a", "command:/bin/secret"), entry("b", "file:/s"));
        thread::scope(|scope| {
            let first = scope.spawn(|| secrets.of(&hangs, &*read));
            told.recv().unwrap();
            assert_eq!(secrets.of(&hangs, &*read), Err(NoSecret::BeingRead));
            assert_eq!(secrets.of(&other, &*read), Ok("file:/s".to_owned()), "another webhook is heard");
            end.send(()).unwrap();
            assert_eq!(first.join().unwrap(), Ok("command:/bin/secret".to_owned()));
        });
        assert_eq!(secrets.of(&hangs, &*read), Ok("command:/bin/secret".to_owned()), "and is read once");
    }
}
