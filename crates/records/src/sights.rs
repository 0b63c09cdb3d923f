//! What was there when a run began that is only reported: its refs, so that it can be told at the end which of them moved.
//!
//! One file a run, written once. It goes when the run has ended, or after a month: of a run that takes longer, only what is
//! reported is known.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use alignwatch_model::run::{RunId, Seen};

/// How long a file stays whose run never ends.
const KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);

/// Files that are kept at most. Source: ours; as many runs are never under way.
const FILES_AT_MOST: usize = 1_000;

/// The largest file that is read. Source: ours; 100,000 refs with long names.
const AT_MOST_BYTES: u64 = 16 << 20;

/// What was seen at the beginnings of runs.
#[derive(Clone, Debug)]
pub struct Sights {
    folder: PathBuf,
}

impl Sights {
    /// Those below this data directory. Nothing is made before the first.
    pub fn of(data_dir: &Path) -> Sights {
        Sights { folder: data_dir.join("begun") }
    }

    fn path_of(&self, run: &RunId) -> PathBuf {
        self.folder.join(format!("{run}.json"))
    }

    /// Keeps what was seen when this run began; the first counts. Errors: it could not be written, or there are too many.
    pub fn keep(&self, run: &RunId, seen: &Seen) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        if FILES_AT_MOST <= self.without_old_ones()? {
            return Err(io::Error::other(format!("`{}` is full", self.folder.display())));
        }
        // Written aside, so that nobody reads half of it.
        let part = self.folder.join(format!("{run}.part"));
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
        file.write_all(&serde_json::to_vec(seen).map_err(io::Error::other)?)?;
        match fs::hard_link(&part, self.path_of(run)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => fs::remove_file(&part),
        }
    }

    /// What was seen when this run began; `None` = nobody looked, or it can't be read.
    pub fn read(&self, run: &RunId) -> Option<Seen> {
        let mut text = Vec::new();
        File::open(self.path_of(run)).ok()?.take(AT_MOST_BYTES).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The run has ended.
    pub fn remove(&self, run: &RunId) {
        // One that stays is removed when it is old.
        let _ = fs::remove_file(self.path_of(run));
    }

    /// Removes what is old; how many there are then.
    fn without_old_ones(&self) -> io::Result<usize> {
        let mut n_files = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let age = entry.metadata().ok().and_then(|metadata| metadata.modified().ok()?.elapsed().ok());
            let is_old = age.is_some_and(|age| KEPT_FOR < age);
            if !is_old || fs::remove_file(entry.path()).is_err() {
                n_files += 1;
            }
        }
        Ok(n_files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sight_of_a_run_counts_until_it_is_removed() {
        let data = tempfile::tempdir().unwrap();
        let (sights, run) = (Sights::of(data.path()), RunId::from_parts(1, [1; 10]));
        assert_eq!(sights.read(&run), None);
        let seen = |oid: &str| Seen { refs: [("refs/heads/x".to_owned(), oid.to_owned())].into(), ..Seen::default() };
        sights.keep(&run, &seen("1")).unwrap();
        sights.keep(&run, &seen("2")).unwrap();
        assert_eq!(sights.read(&run), Some(seen("1")));
        assert_eq!(fs::read_dir(data.path().join("begun")).unwrap().count(), 1);
        sights.remove(&run);
        assert_eq!(sights.read(&run), None);
    }
}
