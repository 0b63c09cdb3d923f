//! Records one run of a command: what is looked at before and after, and what is written down.
//!
//! The command comes first. Everything of ours happens on a thread beside it that is waited for no longer than a
//! deadline, and a failure of ours is one line on standard error. What the command waits for before it begins
//! is reading the refs; the record of its beginning goes to disk while it runs.

mod after;
mod before;
mod reported;
pub(crate) mod verifying;

use std::{
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use alignwatch_model::{config::Config, run::RunId};
use alignwatch_records::wrap::Ended;

use crate::{bundle::secrets, commands::Global, configuring, output::escape, surroundings};

pub(crate) use after::After;
pub(crate) use before::Before;
pub(crate) use reported::Reported;

/// How long a command waits for its beginning to be recorded.
///
/// Source: ours; ten times what a repository with 1,700 refs takes.
const BEFORE_AT_MOST: Duration = Duration::from_millis(200);

/// How long the end of a command waits for its record.
///
/// Source: the law that whoever reports waits 2 s at most, and a moment to write it down.
const AFTER_AT_MOST: Duration = Duration::from_millis(2_500);

/// How long it waits for the verification after that; what was not verified by then is unknown.
pub(crate) const VERIFY_AT_MOST: Duration = Duration::from_secs(5);

/// What is to be recorded.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The named procedure.
    pub(crate) workflow: String,
    /// The repository, as it was given.
    pub(crate) repository: PathBuf,
    /// The base that was named.
    pub(crate) base: Option<String>,
    /// The command as text.
    pub(crate) command: Vec<String>,
    /// The trace context of the command.
    pub(crate) traceparent: String,
    /// The id of the run.
    pub(crate) run: RunId,
}

/// A recording that has begun.
pub(crate) struct Recorder {
    global: Global,
    wanted: Wanted,
    before: Option<Before>,
    /// Says how writing down the beginning went.
    written: Option<Receiver<Result<(), String>>>,
}

impl Recorder {
    /// Looks at the repository, for as long as a command may wait.
    pub(crate) fn begin(global: &Global, wanted: Wanted) -> Recorder {
        let (seen, look) = mpsc::channel();
        let (wrote, written) = mpsc::channel();
        let (global, wanted) = (global.clone(), wanted);
        let (for_thread, what) = (global.clone(), wanted.clone());
        aside(move || {
            let before = Before::look(&for_thread, &what);
            // Nobody waits any more when this fails.
            let _ = seen.send(before.clone());
            let _ = wrote.send(before.write_down(&what));
        });
        let before = look.recv_timeout(BEFORE_AT_MOST).ok();
        Recorder { global, wanted, before, written: Some(written) }
    }

    /// Looks again, judges, writes it down and verifies; tells what a person must know.
    pub(crate) fn end(self, ended: &Ended) {
        let Recorder { global, wanted, before, written } = self;
        let Some(before) = before else {
            return complain(&global, "this run is not recorded: the repository could not be read in time");
        };
        if let Some(Ok(Err(reason))) = written.map(|written| written.recv_timeout(AFTER_AT_MOST)) {
            complain(&global, &reason);
        }
        let (say, said) = mpsc::channel();
        let ended = ended.clone();
        aside(move || {
            let after = After::look(&before, &wanted, &ended);
            let _ = say.send(after.write_down(&before, &wanted, &ended));
            let _ = say.send(after.verify(&before, &wanted));
        });
        hear(&global, &said, AFTER_AT_MOST, "the end of this run");
        hear(&global, &said, VERIFY_AT_MOST + AFTER_AT_MOST, "the verification of this run");
    }
}

/// What somebody must be told, and whether it was asked for.
pub(crate) enum Told {
    /// Nothing.
    Nothing,
    /// Something went wrong with recording.
    Complaint(String),
    /// Work was lost.
    Loss(String),
    /// For those who asked for more.
    Note(String),
}

fn hear(global: &Global, said: &Receiver<Told>, at_most: Duration, what: &str) {
    match said.recv_timeout(at_most) {
        Ok(Told::Nothing) | Err(RecvTimeoutError::Disconnected) => {}
        Ok(Told::Complaint(reason)) => complain(global, &reason),
        Ok(Told::Loss(text)) if !global.quiet => surroundings::talk(&text),
        Ok(Told::Note(text)) if global.verbose > 0 => surroundings::talk(&text),
        Ok(Told::Loss(_) | Told::Note(_)) => {}
        Err(RecvTimeoutError::Timeout) => complain(global, &format!("{what} is not recorded: it took too long")),
    }
}

fn complain(global: &Global, reason: &str) {
    if !global.quiet {
        surroundings::talk(&format!("alignwatch: {}\n", escape::terminal(reason)));
    }
}

/// Works on a thread that nobody has to wait for; a panic in it is our bug and ends nothing else.
fn aside(work: impl FnOnce() + Send + 'static) {
    let guarded = move || drop(panic::catch_unwind(AssertUnwindSafe(work)));
    // Without a thread there is no record, and the command runs all the same.
    let _ = thread::Builder::new().name("recording".to_owned()).spawn(guarded);
}

/// What this gives, unless it takes longer, or fails by a bug of ours.
fn within<T: Send + 'static>(at_most: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (say, said) = mpsc::channel();
    aside(move || drop(say.send(work())));
    said.recv_timeout(at_most).ok()
}

/// The configuration, or what can be had of it when its file is broken. Errors: not even that.
pub(crate) fn config(global: &Global) -> Result<Config, String> {
    match configuring::look(global) {
        Ok(configured) => Ok(configured.loaded.config),
        Err(_) => configuring::look_without_file(global).ok_or_else(|| "cannot use the configuration".to_owned()),
    }
}

/// A text without secrets.
pub(crate) fn redacted(text: &str) -> String {
    secrets::scrub(text)
}

/// Bytes of output that are kept. Source: ours; some fifty lines, of which the last say what went wrong.
const OUTPUT_AT_MOST_BYTES: usize = 4 << 10;

/// The last lines of an output, without secrets: those are struck out before anything is cut.
pub(crate) fn kept_output(text: &str) -> String {
    let text = match text.find("-----END ").filter(|end| !text[..*end].contains("-----BEGIN ")) {
        // The key began before what was read.
        Some(end) => format!("{}{}", secrets::INSTEAD, text[end..].find('\n').map_or("", |line| &text[end + line..])),
        None => text.to_owned(),
    };
    let clean = redacted(&text);
    let Some(from) = clean.len().checked_sub(OUTPUT_AT_MOST_BYTES) else { return clean };
    let line = clean.as_bytes()[from..].iter().position(|&byte| byte == b'\n');
    line.map_or_else(String::new, |line| clean[from + line + 1..].to_owned())
}

/// Words of a command line without secrets, also where the name of one stands in the word before.
pub(crate) fn redacted_words(words: &[String]) -> Vec<String> {
    let mut clean: Vec<String> = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let alone = redacted(word);
        let label = at.checked_sub(1).map(|before| &words[before]).filter(|before| before.starts_with('-'));
        let beside = label.map(|label| redacted(&format!("{label}={word}")));
        let is_secret = beside.is_some_and(|beside| beside.ends_with(secrets::INSTEAD));
        clean.push(if is_secret { secrets::INSTEAD.to_owned() } else { alone });
    }
    clean
}

/// The name of this machine.
pub(crate) fn host() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_output_is_cut_where_no_secret_is_cut_in_two() {
        assert_eq!(kept_output("all is well\n"), "all is well\n");
        let key = format!("{}\n-----END OPENSSH PRIVATE KEY-----\nthen\n", "4m6gJn0RPp62IEj3YX6GDXS\n".repeat(50));
        assert_eq!(kept_output(&key), format!("{}\nthen\n", secrets::INSTEAD));
        let long = format!("password=hunter2{}\nlast\n", " more".repeat(2_000));
        assert_eq!(kept_output(&long), "last\n");
        let lines: String = (0..2_000).map(|n| format!("line {n}\n")).collect();
        let kept = kept_output(&lines);
        assert!(kept.starts_with("line ") && kept.ends_with("line 1999\n") && kept.len() <= OUTPUT_AT_MOST_BYTES);
    }

    #[test]
    fn secrets_of_a_command_line_are_not_kept() {
        let words = ["push", "https://ann:hunter22@example.org/x", "--token", "abcd1234efgh", "--force", "main"];
        let clean = redacted_words(&words.map(str::to_owned)).join(" ");
        assert!(!clean.contains("hunter22") && !clean.contains("abcd1234efgh"), "{clean}");
        assert!(clean.starts_with("push ") && clean.ends_with("--force main"), "{clean}");
    }
}
