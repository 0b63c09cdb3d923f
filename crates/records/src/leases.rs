//! Leases: who may align a branch, or a whole repository, until when.
//!
//! A lease is a file in the data directory, so that it needs no daemon. It ends by itself at its time, so that a
//! holder who dies blocks nobody for long. Each has a number that only ever grows (a fencing token): whoever acts by
//! an older one than another has seen comes too late. Source of the idea: Kleppmann, "How to do distributed
//! locking", 2016.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use alignwatch_model::{Timestamp, lease::Lease};

/// Leases that one repository has at most. Source: ours; as many people and agents as anybody lets loose on one.
const LEASES_AT_MOST: usize = 10_000;

/// The leases on one repository.
#[derive(Clone, Debug)]
pub struct Leases {
    folder: PathBuf,
    repository: String,
}

/// What became of a wish for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granted {
    /// It is had.
    Yes(Lease),
    /// Somebody else has it.
    No(Lease),
}

/// Why leases can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} `{}`: {source}", .path.display())]
pub struct LeaseError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Leases {
    /// The leases on the repository with this id. Nothing is made before the first is taken.
    pub fn of(data_dir: &Path, repository: &str) -> Leases {
        let is_plain = |c: char| c.is_ascii_alphanumeric();
        Leases { folder: data_dir.join("leases"), repository: repository.chars().filter(|&c| is_plain(c)).collect() }
    }

    /// Those that are not over at `now`. Errors: the file can't be read.
    pub fn held(&self, now: Timestamp) -> Result<Vec<Lease>, LeaseError> {
        let book = self.read()?;
        Ok(book.leases.into_iter().filter(|lease| now < lease.until).collect())
    }

    /// Takes a lease, unless somebody has one that is in its way. One that the same holder has is renewed.
    ///
    /// It is on the disk when this returns.
    pub fn take(&self, wish: &Lease, now: Timestamp) -> Result<Granted, LeaseError> {
        let _alone = self.lock()?;
        let mut book = self.read()?;
        book.leases.retain(|lease| now < lease.until);
        if let Some(other) = book.leases.iter().find(|lease| lease.is_in_the_way_of(wish)) {
            return Ok(Granted::No(other.clone()));
        }
        if LEASES_AT_MOST <= book.leases.len() {
            return Err(self.failed("add to", io::Error::other(format!("it has {LEASES_AT_MOST} leases already"))));
        }
        let is_same = |lease: &Lease| lease.holder == wish.holder && lease.branch == wish.branch;
        let mine = book.leases.iter().find(|lease| is_same(lease)).map(|lease| lease.token);
        book.leases.retain(|lease| !is_same(lease));
        if mine.is_none() {
            book.last_token += 1;
        }
        let lease = Lease { token: mine.unwrap_or(book.last_token), ..wish.clone() };
        book.leases.push(lease.clone());
        self.write(&book)?;
        Ok(Granted::Yes(lease))
    }

    /// Gives a lease back. Returns whether it was there.
    pub fn give_back(&self, token: u64, now: Timestamp) -> Result<bool, LeaseError> {
        let _alone = self.lock()?;
        let mut book = self.read()?;
        book.leases.retain(|lease| now < lease.until);
        let n_before = book.leases.len();
        book.leases.retain(|lease| lease.token != token);
        let was_there = book.leases.len() < n_before;
        self.write(&book)?;
        Ok(was_there)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.repository))
    }

    fn read(&self) -> Result<Book, LeaseError> {
        match fs::read(self.path()) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| self.failed("understand", error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Book::default()),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    /// Another file takes the place of the one that is there, so that a crash leaves one of the two.
    fn write(&self, book: &Book) -> Result<(), LeaseError> {
        let draft = self.folder.join(format!("{}.draft", self.repository));
        let written = || -> io::Result<()> {
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
            file.write_all(&serde_json::to_vec(book)?)?;
            file.sync_all()?;
            fs::rename(&draft, self.path())?;
            File::open(&self.folder)?.sync_all()
        };
        written().map_err(|error| self.failed("write", error))
    }

    /// Held until it is dropped, or this process ends in whatever way.
    fn lock(&self) -> Result<File, LeaseError> {
        let locked = || -> io::Result<File> {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let path = self.folder.join(format!("{}.lock", self.repository));
            let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
            file.lock()?;
            Ok(file)
        };
        locked().map_err(|error| self.failed("lock", error))
    }

    fn failed(&self, act: &'static str, source: io::Error) -> LeaseError {
        LeaseError { act, path: self.path(), source }
    }
}

/// What the file holds.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Book {
    last_token: u64,
    leases: Vec<Lease>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(holder: &str, branch: Option<&str>, until: i64) -> Lease {
        Lease { holder: holder.into(), branch: branch.map(str::to_owned), until: Timestamp(until), token: 0 }
    }

    fn leases() -> (tempfile::TempDir, Leases) {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::of(&folder.path().join("data"), "../a b1");
        (folder, leases)
    }

    fn token(granted: &Granted) -> u64 {
        match granted {
            Granted::Yes(lease) => lease.token,
            Granted::No(other) => panic!("{other:?} is in the way"),
        }
    }

    #[test]
    fn a_lease_keeps_others_off_until_it_ends_or_is_given_back() {
        let (_folder, leases) = leases();
        let ann = leases.take(&wish("ann", Some("refs/heads/x"), 100), Timestamp(0)).unwrap();
        assert!(matches!(leases.take(&wish("bob", Some("refs/heads/x"), 100), Timestamp(1)).unwrap(), Granted::No(_)));
        assert!(matches!(leases.take(&wish("bob", None, 100), Timestamp(1)).unwrap(), Granted::No(_)));
        let other = leases.take(&wish("bob", Some("refs/heads/y"), 50), Timestamp(1)).unwrap();
        assert_eq!(leases.held(Timestamp(60)).unwrap().len(), 1);
        assert!(leases.give_back(token(&ann), Timestamp(60)).unwrap());
        assert!(!leases.give_back(token(&other), Timestamp(60)).unwrap(), "it was over");
        let later = leases.take(&wish("bob", None, 100), Timestamp(61)).unwrap();
        assert!(token(&ann) < token(&other) && token(&other) < token(&later));
    }

    #[test]
    fn the_same_holder_renews_and_keeps_the_number() {
        let (_folder, leases) = leases();
        let first = leases.take(&wish("ann", None, 100), Timestamp(0)).unwrap();
        let again = leases.take(&wish("ann", None, 200), Timestamp(50)).unwrap();
        assert_eq!(token(&first), token(&again));
        assert_eq!(leases.held(Timestamp(150)).unwrap().len(), 1);
    }

    #[test]
    fn of_many_who_want_it_at_once_one_gets_it() {
        let (_folder, leases) = leases();
        let n_granted = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    let leases = leases.clone();
                    let take = move || leases.take(&wish(&format!("agent {number}"), None, 100), Timestamp(0)).unwrap();
                    scope.spawn(move || matches!(take(), Granted::Yes(_)))
                })
                .collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum::<usize>()
        });
        assert_eq!(n_granted, 1);
    }

    #[test]
    fn a_file_that_cannot_be_understood_grants_nothing() {
        let (_folder, leases) = leases();
        leases.take(&wish("ann", None, 100), Timestamp(0)).unwrap();
        fs::write(leases.path(), "{").unwrap();
        assert!(leases.take(&wish("bob", None, 300), Timestamp(200)).is_err());
        assert!(leases.held(Timestamp(200)).is_err());
    }
}
