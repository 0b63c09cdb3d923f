//! Reads a secret from where it is, each time it is needed. What is said of a failure never holds it.

use std::{env, fs, io, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use alignwatch_model::{
    config::SecretRef,
    notice::{Failure, FailureReason},
};

use crate::{Way, failure::failed, plain_file, program};

/// The longest secret, in bytes. Source: ours; a private key in PEM form has about 3 KB.
const AT_MOST: usize = 16 << 10;

/// How long a program may take to tell a secret. Source: ours; it may have to ask a server.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a secret. Errors: it cannot be read now, or there is none. Another attempt may find it: secrets are replaced, and
/// who tells them is away at times.
pub(crate) fn read(reference: &SecretRef, way: Way<'_>) -> Result<String, Failure> {
    told(reference, PATIENCE.min(way.left()))
        .map_err(|why| failed(FailureReason::Configuration, format!("cannot read the secret `{reference}`: {why}")))
}

/// The first line of it. Errors: why there is none, as a sentence part.
fn told(reference: &SecretRef, patience: Duration) -> Result<String, String> {
    let text = match reference {
        SecretRef::File(path) => of_file(path).map_err(|error| error.to_string()),
        SecretRef::Variable(name) => env::var(name).map_err(|error| match error {
            env::VarError::NotPresent => "there is no such variable".to_owned(),
            env::VarError::NotUnicode(_) => "it holds what is no text".to_owned(),
        }),
        SecretRef::Command(words) => of_program(words, patience),
    }?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() { Err("it is empty".to_owned()) } else { Ok(line.to_owned()) }
}

/// A secret itself, for what proves itself with it; it takes ten seconds at most. Errors: why there is none now, as a
/// sentence part; nothing of it is in there.
pub fn secret_text(reference: &SecretRef) -> Result<String, String> {
    told(reference, PATIENCE)
}

/// How a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// It can be read now, or by a program that is there.
    Fine,
    /// It can be read, and so can every user of this machine.
    OpenToOthers,
    /// It cannot be read, and why: a sentence part.
    Unreadable(String),
}

impl SecretState {
    /// What is wrong with it, as a sentence part; `None` = nothing.
    pub fn problem(&self) -> Option<&str> {
        match self {
            SecretState::Fine => None,
            SecretState::OpenToOthers => Some("every user of this machine can read it"),
            SecretState::Unreadable(why) => Some(why),
        }
    }
}

/// How a secret is kept. Nothing of it is, here, and no program is started to tell it.
pub fn secret_state(reference: &SecretRef) -> SecretState {
    match reference {
        SecretRef::File(path) => match fs::metadata(path) {
            Ok(found) if found.permissions().mode() & 0o004 != 0 && told(reference, PATIENCE).is_ok() => {
                SecretState::OpenToOthers
            }
            _ => told_or_not(reference),
        },
        SecretRef::Variable(_) => told_or_not(reference),
        SecretRef::Command(words) => match words.first().map(fs::metadata) {
            Some(Ok(found)) if found.permissions().mode() & 0o111 != 0 && found.is_file() => SecretState::Fine,
            Some(Ok(_)) => SecretState::Unreadable("it is no program".to_owned()),
            Some(Err(error)) => SecretState::Unreadable(error.to_string()),
            None => SecretState::Unreadable("it names no program".to_owned()),
        },
    }
}

fn told_or_not(reference: &SecretRef) -> SecretState {
    match told(reference, PATIENCE) {
        Ok(_) => SecretState::Fine,
        Err(why) => SecretState::Unreadable(why),
    }
}

fn of_file(path: &str) -> io::Result<String> {
    String::from_utf8(plain_file::read(Path::new(path), AT_MOST)?).map_err(|_| io::Error::other("it is no text"))
}

fn of_program(words: &[String], patience: Duration) -> Result<String, String> {
    let ended = program::run(words, b"", &[], patience, AT_MOST)?;
    match ended.code {
        Some(0) => String::from_utf8(ended.output).map_err(|_| "what it wrote is no text".to_owned()),
        Some(code) => Err(format!("it ended with exit code {code}")),
        None => Err("it was stopped by a signal".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8], mode: u32) -> (tempfile::TempDir, SecretRef) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret");
        fs::write(&path, text).expect("it is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode is set");
        let reference = SecretRef::File(path.to_string_lossy().into_owned());
        (dir, reference)
    }

    #[test]
    fn a_secret_is_the_first_line_of_what_is_there() {
        let (_dir, secret) = file(b"  hunter2 \nrest\n", 0o600);
        assert_eq!(told(&secret, PATIENCE).as_deref(), Ok("hunter2"));
        assert_eq!(secret_state(&secret), SecretState::Fine);
        let program = ["/bin/echo", "hunter2"].map(str::to_owned).to_vec();
        assert_eq!(told(&SecretRef::Command(program), PATIENCE).as_deref(), Ok("hunter2"));
    }

    #[test]
    fn what_is_no_secret_is_told_without_what_is_there() {
        for (text, why) in [
            (&b"\n"[..], "it is empty"),
            (b"\xff", "it is no text"),
            (&[b'x'; AT_MOST + 1], "it is longer than 16384 bytes"),
        ] {
            let (_dir, secret) = file(text, 0o600);
            assert_eq!(secret_state(&secret).problem(), Some(why));
        }
        let egress = crate::Egress::default();
        let way = Way::new(&egress, Default::default(), PATIENCE);
        let failure = read(&SecretRef::Variable("ALIGNWATCH_NO_SUCH_SECRET".into()), way).expect_err("none");
        assert!(!failure.is_permanent, "it may be there at the next attempt");
        assert_eq!(failure.detail, "cannot read the secret `env:ALIGNWATCH_NO_SUCH_SECRET`: there is no such variable");
        let failing = ["/bin/sh", "-c", "echo hunter2; exit 2"].map(str::to_owned).to_vec();
        assert!(of_program(&failing, PATIENCE).is_err_and(|why| !why.contains("hunter2")));
    }

    #[test]
    fn a_program_that_tells_a_secret_has_no_more_time_than_the_attempt() {
        let egress = crate::Egress::default();
        let slow = SecretRef::Command(["/bin/sleep", "600"].map(str::to_owned).to_vec());
        let way = Way::new(&egress, Default::default(), Duration::from_millis(50));
        let failure = read(&slow, way).expect_err("too slow");
        assert!(failure.detail.contains("took longer than 0.0"), "{failure}");
    }

    #[test]
    fn a_file_that_all_can_read_is_told() {
        let (_dir, secret) = file(b"hunter2", 0o644);
        assert_eq!(secret_state(&secret), SecretState::OpenToOthers);
    }
}
