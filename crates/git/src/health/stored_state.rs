//! A fingerprint of everything that a full check reads: when it is the same, nothing was touched.
//!
//! Made of names, sizes, times and inodes of all files in the parts of a repository that
//! hold objects, refs, reflogs, indexes and derived data. No content is read. What changes
//! without changing these (a disk that rots) is not seen: hence answers are not believed for ever.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use crate::repository::Opened;

/// Files that are looked at; with more there is no fingerprint. Source: ours; a second or two of stat calls.
const FILES_AT_MOST: usize = 1_000_000;

/// Folders inside of each other that are entered.
const DEPTH_AT_MOST: usize = 200;

/// What Git reads to check a repository, below its folder; of each worktree as well.
const PARTS: [&str; 12] = [
    "HEAD",
    "config",
    "config.worktree",
    "index",
    "info",
    "logs",
    "objects",
    "packed-refs",
    "refs",
    "reftable",
    "shallow",
    "worktrees",
];

/// The fingerprint; `None` when a part cannot be looked at or there are too many files.
pub(crate) fn fingerprint(opened: &Opened) -> Option<String> {
    let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    let mut pass = Pass { n_files: 0, hear: &mut |text| hasher.update(text) };
    for folder in [&opened.common_dir, &opened.git_dir] {
        for part in PARTS {
            pass.look(&folder.join(part), 0).ok()?;
        }
    }
    hasher.try_finalize().ok().map(|id| id.to_string())
}

struct Pass<'a> {
    n_files: usize,
    hear: &'a mut dyn FnMut(&[u8]),
}

impl Pass<'_> {
    fn look(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        let about = match fs::symlink_metadata(path) {
            Err(error) if crate::files::is_absent(&error) => return Ok(()),
            other => other?,
        };
        self.n_files += 1;
        if FILES_AT_MOST < self.n_files || DEPTH_AT_MOST < depth {
            return Err(io::Error::other("there is too much to look at"));
        }
        (self.hear)(path.as_os_str().as_bytes());
        if !about.is_dir() {
            let line = format!(
                "\0{} {}.{} {}.{} {}\n",
                about.len(),
                about.mtime(),
                about.mtime_nsec(),
                // Unlike the time of writing, this one cannot be set back.
                about.ctime(),
                about.ctime_nsec(),
                about.ino()
            );
            (self.hear)(line.as_bytes());
            return Ok(());
        }
        let some = fs::read_dir(path)?.take(FILES_AT_MOST + 1);
        let mut names = some.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        names.iter().try_for_each(|name| self.look(&path.join(name), depth + 1))
    }
}

#[cfg(test)]
mod tests {
    use alignwatch_testkit::sketch;

    use super::*;
    use crate::repository::open;

    #[test]
    fn every_part_that_a_check_reads_changes_it_and_nothing_else_does() {
        let repo = sketch("main: a(f=1) b(f=2)").worktree().draw();
        repo.git(["repack", "-adbq"]);
        repo.git(["commit-graph", "write", "--reachable"]);
        repo.git(["multi-pack-index", "write"]);
        let opened = open(repo.path()).unwrap();
        let now = || fingerprint(&opened).unwrap();
        let mut last = now();
        assert_eq!(now(), last);
        let pack = fs::read_dir(opened.objects_dir.join("pack")).unwrap();
        let derived = pack.map(|entry| entry.unwrap().path());
        let others = ["index", "logs/HEAD", "logs/refs/heads/main", "refs/heads/main", "objects/info/commit-graph"];
        for file in derived.chain(others.map(|name| opened.common_dir.join(name))) {
            let Ok(mut content) = fs::read(&file) else { continue };
            content[0] ^= 1;
            fs::remove_file(&file).unwrap();
            fs::write(&file, content).unwrap();
            let changed = now();
            assert_ne!(changed, last, "{}", file.display());
            last = changed;
        }
        fs::write(repo.path().join("f"), "edited").unwrap();
        assert_eq!(now(), last, "a file of the working tree is nothing to a check");
    }

    #[test]
    fn a_loop_of_links_is_no_trouble() {
        let repo = sketch("main: a").draw();
        let opened = open(repo.path()).unwrap();
        std::os::unix::fs::symlink(&opened.objects_dir, opened.objects_dir.join("loop")).unwrap();
        assert!(fingerprint(&opened).is_some());
    }
}
