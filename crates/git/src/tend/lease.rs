//! The lease on a repository: one task at a time changes it.
//!
//! A lock on a file in the Git directory. It belongs to the open file, which every git that is started while it is
//! held inherits: a lease ends with the last of them, so that a git that outlives us when we are killed keeps others
//! off. Each lease has a number that only grows (a fencing token); whoever finds another number than his own in
//! the file, or another file, has lost it and must stop.
//!
//! Accepted: on a network file system locks may be those of one machine only. Who tends one repository from two
//! machines needs the leases of the data directory besides.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::io::FdFlags;

use crate::mend::place;

/// The file, below the Git directory.
const FILE: &str = "alignwatch/lease";

/// Bytes of the file that are read. It has two short lines.
const AT_MOST_BYTES: u64 = 1 << 10;

/// The right to change a repository. Dropped, it is given back.
#[derive(Debug)]
pub struct Lease {
    file: File,
    path: PathBuf,
    token: u64,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody has it.
    #[error("{holder} is changing this repository")]
    Held {
        /// As they call themselves.
        holder: String,
    },
    /// The file is not a file of ours.
    #[error("cannot take the lease: {0}")]
    Odd(String),
    /// The system refuses.
    #[error("cannot take the lease `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

impl Lease {
    /// Takes the lease on the repository with this common directory. `holder` is what others are told.
    pub fn take(common_dir: &Path, holder: &str) -> Result<Lease, LeaseError> {
        let path = place::inside(common_dir, FILE).map_err(|refusal| LeaseError::Odd(refusal.to_string()))?;
        let failed = |source| LeaseError::Io { path: path.clone(), source };
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        let mut file =
            options.create(true).truncate(false).read(true).write(true).mode(0o600).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LeaseError::Held { holder: holder_in(&mut file) }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let token = token_in(&mut file).map_err(failed)? + 1;
        write(&mut file, token, holder).map_err(failed)?;
        // From here on each git that we start holds it, too.
        rustix::io::fcntl_setfd(&file, FdFlags::empty()).map_err(|error| failed(error.into()))?;
        Ok(Lease { file, path, token })
    }

    /// Its number.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Is it still ours? Somebody may have taken the file away, or the whole repository.
    pub fn is_ours(&self) -> bool {
        let same = self.file.metadata().ok().zip(fs::symlink_metadata(&self.path).ok());
        let is_same = same.is_some_and(|(held, there)| (held.dev(), held.ino()) == (there.dev(), there.ino()));
        let number = File::open(&self.path).and_then(|mut file| token_in(&mut file));
        is_same && number.is_ok_and(|number| number == self.token)
    }
}

fn text_of(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.take(AT_MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// An empty file has number 0. Errors: it holds something else.
fn token_in(file: &mut File) -> io::Result<u64> {
    let text = text_of(file)?;
    match text.lines().next() {
        None => Ok(0),
        Some(line) => line.parse().map_err(|_| io::Error::other("it holds no number")),
    }
}

fn holder_in(file: &mut File) -> String {
    let holder = text_of(file).ok().and_then(|text| text.lines().nth(1).map(str::to_owned));
    holder.unwrap_or_else(|| "another alignwatch".to_owned())
}

fn write(file: &mut File, token: u64, holder: &str) -> io::Result<()> {
    let holder: String = holder.chars().filter(|c| !c.is_control()).take(200).collect();
    let text = format!("{token}\n{holder}\n");
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_it_and_numbers_only_grow() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lease::take(dir.path(), "ann").unwrap();
        let LeaseError::Held { holder } = Lease::take(dir.path(), "bob").unwrap_err() else { panic!() };
        assert_eq!(holder, "ann");
        let token = first.token();
        drop(first);
        let second = Lease::take(dir.path(), "bob").unwrap();
        assert!(token < second.token() && second.is_ours());
    }

    #[test]
    fn who_lost_the_file_or_the_number_notices() {
        let dir = tempfile::tempdir().unwrap();
        let lease = Lease::take(dir.path(), "ann").unwrap();
        fs::write(dir.path().join(FILE), "99\nbob\n").unwrap();
        assert!(!lease.is_ours(), "another number");
        let path = dir.path().join(FILE);
        fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        fs::write(&path, format!("{}\nann\n", lease.token())).unwrap();
        assert!(!lease.is_ours(), "another file");
    }

    #[test]
    fn a_link_is_not_followed() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(other.path(), dir.path().join("alignwatch")).unwrap();
        assert!(matches!(Lease::take(dir.path(), "ann"), Err(LeaseError::Odd(_))));
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_child_that_outlives_us_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let lease = Lease::take(dir.path(), "ann").unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        drop(lease);
        let meanwhile = Lease::take(dir.path(), "bob");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(meanwhile, Err(LeaseError::Held { .. })));
        Lease::take(dir.path(), "bob").unwrap();
    }
}
