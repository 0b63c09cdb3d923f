//! Sees the place a repository lies in: owners, modes, times, and the file system.
//!
//! Only stat calls, on the git directory and what stands directly in its known
//! folders; nothing is written to find out about case.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use alignwatch_model::{Known, Timestamp, facts::place::Site};

use super::settings::is_shared;
use crate::{config_text::boolean, files, locks, repository::Opened, run::Entry};

/// Folders whose entries are looked at, below the git directory.
const FOLDERS: [&str; 9] =
    ["", "objects", "objects/pack", "objects/info", "refs", "refs/heads", "logs", "hooks", "info"];

/// Entries that are looked at in all. Source: ours; 256 folders of objects, a thousand packs of three files, and room.
const ENTRIES_AT_MOST: usize = 20_000;

/// Parts that are named.
const NAMED_AT_MOST: usize = 100;

/// What `objects/pack` may hold: entries beyond are not looked at, and then the largest pack is unknown.
const PACKS_AT_MOST: usize = 100_000;

/// The facts; `entries` are the repository's own settings.
pub(crate) fn site(opened: &Opened, entries: &[Entry]) -> Site {
    let last = entries.iter().rfind(|entry| entry.key == b"core.ignorecase");
    let walk = Walk::of(&opened.common_dir);
    let facts = |pick: fn(&Walk) -> Vec<String>| match &walk {
        Ok(walk) => Known::Seen(pick(walk)),
        Err(error) => Known::Unknown(format!("cannot look into the git directory: {error}")),
    };
    Site {
        largest_pack_bytes: largest_pack(&opened.objects_dir.join("pack")),
        free_bytes: free_bytes(&opened.objects_dir),
        foreign: facts(|walk| walk.foreign.clone()),
        open_to_all: facts(|walk| walk.open_to_all.clone()),
        is_shared: is_shared(entries),
        newest_file_at: match &walk {
            Ok(walk) => Known::Seen(walk.newest_at),
            Err(error) => Known::Unknown(format!("cannot look into the git directory: {error}")),
        },
        is_network: locks::is_network(&opened.common_dir),
        ignores_case: ignores_case(&opened.common_dir),
        says_ignores_case: last.is_some_and(|entry| boolean(entry.value.as_deref()) == Some(true)),
    }
}

struct Walk {
    owner: u32,
    foreign: Vec<String>,
    open_to_all: Vec<String>,
    newest_at: Timestamp,
    n_left: usize,
}

impl Walk {
    /// Errors: the git directory itself cannot be listed.
    fn of(git_dir: &Path) -> io::Result<Walk> {
        let top = fs::metadata(git_dir)?;
        let mut walk = Walk {
            owner: top.uid(),
            foreign: Vec::new(),
            open_to_all: Vec::new(),
            newest_at: Timestamp(i64::MIN),
            n_left: ENTRIES_AT_MOST,
        };
        walk.see(".", &top);
        for folder in FOLDERS {
            walk.folder(git_dir, folder)?;
        }
        walk.foreign.sort();
        walk.open_to_all.sort();
        Ok(walk)
    }

    fn folder(&mut self, git_dir: &Path, folder: &str) -> io::Result<()> {
        let entries = match fs::read_dir(git_dir.join(folder)) {
            Ok(entries) => entries,
            Err(error) if files::is_absent(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries.take(self.n_left).flatten() {
            self.n_left -= 1;
            let path = PathBuf::from(folder).join(entry.file_name());
            // What went away meanwhile is no concern.
            if let Ok(found) = entry.metadata() {
                self.see(&path.to_string_lossy(), &found);
            }
        }
        Ok(())
    }

    fn see(&mut self, path: &str, found: &fs::Metadata) {
        self.newest_at = self.newest_at.max(Timestamp(found.mtime()));
        if found.uid() != self.owner && self.foreign.len() < NAMED_AT_MOST {
            self.foreign.push(path.to_owned());
        }
        let is_open = found.mode() & 0o002 != 0 && !found.is_symlink();
        if is_open && self.open_to_all.len() < NAMED_AT_MOST {
            self.open_to_all.push(path.to_owned());
        }
    }
}

fn largest_pack(folder: &Path) -> Known<u64> {
    let largest = || -> io::Result<u64> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if files::is_absent(&error) && folder.parent().is_some_and(Path::is_dir) && !folder.exists() => {
                return Ok(0);
            }
            Err(error) => return Err(error),
        };
        let mut largest = 0;
        for (at, entry) in entries.enumerate() {
            if PACKS_AT_MOST <= at {
                return Err(io::Error::other(format!("there are more than {PACKS_AT_MOST} files")));
            }
            let entry = entry?;
            if entry.path().extension() == Some("pack".as_ref()) {
                largest = largest.max(entry.metadata()?.len());
            }
        }
        Ok(largest)
    };
    Known::from_result(largest().map_err(|error| format!("cannot see the packs: {error}")))
}

fn free_bytes(folder: &Path) -> Known<u64> {
    match rustix::fs::statvfs(folder) {
        Ok(file_system) => Known::Seen(file_system.f_bavail.saturating_mul(file_system.f_frsize)),
        Err(error) => Known::Unknown(format!("cannot see how much is free: {error}")),
    }
}

/// Is `HEAD` there under another case, too, as the same file?
fn ignores_case(git_dir: &Path) -> Known<bool> {
    let id = |name: &str| fs::symlink_metadata(git_dir.join(name)).map(|found| (found.dev(), found.ino()));
    match (id("HEAD"), id("head")) {
        (Ok(one), Ok(other)) => Known::Seen(one == other),
        (Ok(_), Err(error)) if error.kind() == io::ErrorKind::NotFound => Known::Seen(false),
        (Ok(_), Err(error)) | (Err(error), _) => Known::Unknown(format!("cannot tell whether case counts: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_packs_are_none_and_packs_that_cannot_be_listed_are_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let packs = folder.path().join("pack");
        assert_eq!(largest_pack(&packs), Known::Seen(0));
        fs::write(&packs, "in the way").unwrap();
        assert!(largest_pack(&packs).reason().is_some());
        fs::remove_file(&packs).unwrap();
        fs::create_dir(&packs).unwrap();
        fs::write(packs.join("pack-1.pack"), "12345").unwrap();
        fs::write(packs.join("pack-1.idx"), "1234567890").unwrap();
        assert_eq!(largest_pack(&packs), Known::Seen(5));
    }

    #[test]
    fn a_place_that_is_not_there_is_unknown() {
        let nowhere = Path::new("/nonexistent/repo");
        assert!(Walk::of(nowhere).is_err());
        assert!(free_bytes(nowhere).reason().is_some() && ignores_case(nowhere).reason().is_some());
    }
}
