//! Fresh ids and the time of now.

use std::{
    fs::File,
    hash::{BuildHasher, RandomState},
    io::Read,
    time::{SystemTime, UNIX_EPOCH},
};

use alignwatch_model::run::{Moment, RunId};

/// The time by the wall clock.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// An id that nobody else has: for a run, or as the text of one for an event.
pub fn id() -> RunId {
    RunId::from_parts(now().0.unsigned_abs(), random())
}

/// A W3C trace context for a command that was given none. Source: W3C Trace Context, level 1.
pub fn traceparent() -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (one, two) = (random::<16>(), random::<8>());
    // All zeros is the one value that is not allowed.
    format!("00-{}-{}1-01", hex(&one), &hex(&two)[..15])
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    if read.is_err() {
        // Without that device: the keys of the standard library's hashing are random, too.
        bytes.iter_mut().for_each(|byte| *byte = RandomState::new().hash_one(0) as u8);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_are_of_now() {
        let (one, other) = (id(), id());
        assert_ne!(one, other);
        assert!(RunId::from_parts(now().0.unsigned_abs() + 1_000, [0; 10]) > one);
    }

    #[test]
    fn a_trace_context_has_its_form() {
        let text = traceparent();
        let lengths: Vec<_> = text.split('-').map(str::len).collect();
        assert_eq!(lengths, [2, 32, 16, 2]);
    }
}
