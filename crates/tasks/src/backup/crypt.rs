//! Encryption of what a backup holds: files of age, <https://age-encryption.org/v1>, which `age -d` reads without us.
//!
//! What lies open all the same: names and ids of refs, sizes and times. Where backups are made, no key has to be that
//! reads them; there, only their sums can be proven.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use alignwatch_model::config::Config;

use super::{BackupError, failed};

/// How names of encrypted files end.
pub(super) const ENDING: &str = ".age";

/// Who may read new backups, and the key that reads old ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    recipients: Vec<String>,
    identity: Option<PathBuf>,
}

impl Keys {
    /// Those of the configuration.
    pub fn of(config: &Config) -> Keys {
        let identity = config.backup.identity.as_ref().map(PathBuf::from);
        Keys { recipients: config.backup.recipients.clone(), identity }
    }

    /// The same with another key to read with, where one is given.
    #[must_use]
    pub fn or_identity(mut self, identity: Option<&Path>) -> Keys {
        self.identity = identity.map(Path::to_owned).or(self.identity);
        self
    }

    /// Are new backups encrypted?
    pub fn encrypts(&self) -> bool {
        !self.recipients.is_empty()
    }

    /// Is there a key to read with?
    pub fn can_read(&self) -> bool {
        self.identity.is_some()
    }

    /// Errors: a recipient is none.
    pub fn check(&self) -> Result<(), BackupError> {
        self.parsed().map(drop)
    }

    fn parsed(&self) -> Result<Vec<age::x25519::Recipient>, BackupError> {
        let one = |text: &String| {
            let parsed = text.parse::<age::x25519::Recipient>();
            parsed.map_err(|error| {
                BackupError::Not(format!("`{text}` in `backup.recipients` is no recipient of age: {error}"))
            })
        };
        self.recipients.iter().map(one).collect()
    }

    /// A new file that takes what is written, encrypted where that is wanted.
    pub(super) fn sink(&self, file: File) -> Result<Sink, BackupError> {
        let file = BufWriter::new(file);
        if !self.encrypts() {
            return Ok(Sink::Plain(file));
        }
        let recipients = self.parsed()?;
        let all = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(all).map_err(|error| BackupError::Not(error.to_string()))?;
        let stream =
            encryptor.wrap_output(file).map_err(|error| BackupError::Not(format!("cannot encrypt: {error}")))?;
        Ok(Sink::Encrypted(Box::new(stream)))
    }

    /// Puts what is in a file into a new one of a backup, encrypted where that is wanted; its owner's rights go with it.
    pub(super) fn close(&self, from: &Path, to: &Path) -> Result<(), BackupError> {
        if !self.encrypts() {
            return fs::copy(from, to).map(drop).map_err(failed("copy", from));
        }
        let mut source = File::open(from).map_err(failed("read", from))?;
        let mut options = OpenOptions::new();
        let out = options.create_new(true).write(true).mode(0o600).open(to).map_err(failed("make", to))?;
        let mut sink = self.sink(out)?;
        io::copy(&mut source, &mut sink).and_then(|_| sink.finish()).map_err(failed("copy", from))?;
        rights(from, to)
    }

    /// Puts what is in a file of a backup into a new one, readable. `is_encrypted` = it is a file of age.
    pub(super) fn open(&self, from: &Path, is_encrypted: bool, to: &Path) -> Result<(), BackupError> {
        if !is_encrypted {
            return fs::copy(from, to).map(drop).map_err(failed("copy", from));
        }
        let not = |reason: String| BackupError::Not(format!("cannot read `{}`: {reason}", from.display()));
        let Some(identity) = &self.identity else { return Err(not(NO_IDENTITY.to_owned())) };
        let name = identity.display().to_string();
        let file = age::IdentityFile::from_file(name).map_err(failed("read", identity))?;
        let identities = file.into_identities().map_err(|error| not(error.to_string()))?;
        let source = io::BufReader::new(File::open(from).map_err(failed("read", from))?);
        let decryptor = age::Decryptor::new_buffered(source).map_err(|error| not(error.to_string()))?;
        let all = identities.iter().map(|identity| &**identity as &dyn age::Identity);
        let mut stream = decryptor.decrypt(all).map_err(|error| not(error.to_string()))?;
        let mut options = OpenOptions::new();
        let mut out =
            options.create(true).truncate(true).write(true).mode(0o600).open(to).map_err(failed("make", to))?;
        io::copy(&mut stream, &mut out).map_err(|error| not(error.to_string()))?;
        rights(from, to)
    }
}

/// A hook stays one that can be run.
fn rights(from: &Path, to: &Path) -> Result<(), BackupError> {
    let mode = fs::metadata(from).map_err(failed("look at", from))?.permissions().mode() & 0o700;
    fs::set_permissions(to, Permissions::from_mode(mode)).map_err(failed("change", to))
}

/// What is said where a key is missing.
pub(super) const NO_IDENTITY: &str =
    "it is encrypted, and no key to read it with is given (`backup.identity`, or --identity FILE)";

/// A file that is written.
pub(super) enum Sink {
    Plain(BufWriter<File>),
    Encrypted(Box<age::stream::StreamWriter<BufWriter<File>>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Plain(file) => file.write(bytes),
            Sink::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Plain(file) => file.flush(),
            Sink::Encrypted(stream) => stream.flush(),
        }
    }
}

impl Sink {
    /// Writes the end, and has all of it on the disk.
    pub(super) fn finish(self) -> io::Result<()> {
        let file = match self {
            Sink::Plain(file) => file,
            Sink::Encrypted(stream) => stream.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}
