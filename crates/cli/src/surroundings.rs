//! What is around the process: terminal, locale, environment, the two output streams.
//!
//! Everything that depends on them is asked once, here, and handed on as a value.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead, IsTerminal, Read, Write},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use alignwatch_model::Timestamp;
use anstream::AutoStream;

use crate::{
    commands::{Colour, Global},
    failure::Failure,
    output::style::Screen,
};

/// Columns of what is no terminal. 100 reads well in a log and in a mail.
const WIDTH_OF_A_FILE: usize = 100;

/// Narrower than this, nothing useful fits; then lines run over the edge.
const WIDTH_AT_LEAST: usize = 40;

/// The screen that standard output is.
pub(crate) fn screen(global: &Global) -> Screen {
    let is_terminal = io::stdout().is_terminal();
    let size = if is_terminal { terminal_size::terminal_size_of(io::stdout()) } else { None };
    Screen {
        width: size.map_or(WIDTH_OF_A_FILE, |(width, _)| usize::from(width.0).max(WIDTH_AT_LEAST)),
        rows: size.map(|(_, height)| usize::from(height.0)),
        colour: wants_colour(global.color),
        unicode: speaks_unicode(),
        verbose: global.verbose,
    }
}

/// The time by the wall clock.
pub(crate) fn now() -> Timestamp {
    let since = |time: SystemTime| match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        // A clock before 1970 is set wrong, and still counts on.
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
    };
    Timestamp(since(SystemTime::now()))
}

/// Becomes true when a person interrupts (Ctrl-C) or the system asks to end; a second time ends the process at once.
///
/// Whoever asks for this takes on to look at it: until then the first signal ends the process, too.
pub(crate) fn interruptions() -> Arc<AtomicBool> {
    let listen = || {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // In this order: the first signal finds the flag down and passes, the second finds it up and ends us.
            // Where the system refuses, every signal ends the process, as it would without us.
            let second = signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted));
            let _ = second.and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupted)));
        }
        interrupted
    };
    Arc::clone(INTERRUPTED.get_or_init(listen))
}

/// Did somebody interrupt work that looks at [`interruptions`]?
pub(crate) fn was_interrupted() -> bool {
    INTERRUPTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Is somebody watching standard error?
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Can a person be asked, and answer?
pub(crate) fn is_conversation() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a person; anything but yes is no.
pub(crate) fn asks(question: &str) -> bool {
    /// A longer line is no answer.
    const ANSWER_AT_MOST_BYTES: u64 = 1 << 10;
    talk(question);
    let mut answer = String::new();
    let read = io::stdin().lock().take(ANSWER_AT_MOST_BYTES).read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

fn wants_colour(colour: Colour) -> bool {
    match colour {
        Colour::Always => true,
        Colour::Never => false,
        // Looks at the terminal, NO_COLOR, CLICOLOR and TERM.
        Colour::Auto => AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
    }
}

/// Does the locale promise UTF-8? Without any locale set we assume that it does, as most of today's do.
fn speaks_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(env::var_os).find(|value| !value.is_empty());
    locale.is_none_or(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// The colour of help and usage errors, which are printed before arguments are understood.
pub(crate) fn clap_colour(arguments: &[OsString]) -> clap::ColorChoice {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    let asked = words.iter().enumerate().rev().find_map(|(at, word)| match word.strip_prefix("--color") {
        Some("") => words.get(at + 1).map(|value| value.to_string()),
        Some(value) => value.strip_prefix('=').map(str::to_owned),
        None => None,
    });
    match asked.as_deref() {
        Some("always") => clap::ColorChoice::Always,
        Some("never") => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    }
}

/// Writes an answer to standard output. A reader that went away is no error.
pub(crate) fn answer(text: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::could_not(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes talk to standard error. When even that fails there is nobody left to tell.
pub(crate) fn talk(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_colour_that_was_asked_for_wins() {
        let asked = |words: &[&str]| clap_colour(&words.iter().map(Into::into).collect::<Vec<_>>());
        assert_eq!(asked(&["alignwatch", "--color=always", "--color", "never"]), clap::ColorChoice::Never);
        assert_eq!(asked(&["alignwatch", "--color=always"]), clap::ColorChoice::Always);
        assert_eq!(asked(&["alignwatch", "check"]), clap::ColorChoice::Auto);
    }
}
