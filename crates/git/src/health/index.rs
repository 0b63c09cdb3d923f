//! Finds what a merge left open in an index, without a process.
//!
//! Reads the entries of versions 2 to 4, as gitformat-index(5) describes them. An
//! index that is split in two files is not followed: it is unknown.

use std::{io, path::Path};

use alignwatch_model::{Known, RefName, facts::worktrees::Unmerged};

use crate::files;

/// Largest index that is read. Source: ours; ten times that of the largest public monorepos.
const INDEX_BYTES: u64 = 1 << 30;

/// Paths that are named; all are counted.
const EXAMPLES: usize = 10;

/// The unmerged paths of the index in this folder; none where there is no index.
pub(crate) fn unmerged(git_dir: &Path, object_format: &str) -> Known<Unmerged> {
    index(git_dir, object_format).0
}

/// The unmerged paths of the index in this folder, none where there is no index; and what is damaged in it.
///
/// What is of a kind that is not read here is unknown in both.
pub(crate) fn index(git_dir: &Path, object_format: &str) -> (Known<Unmerged>, Known<Option<String>>) {
    let oid_len = if object_format == "sha256" { 32 } else { 20 };
    let (reason, is_damage) = match files::read(&git_dir.join("index"), INDEX_BYTES) {
        Ok(None) => return (Known::Seen(Unmerged::default()), Known::Seen(None)),
        Ok(Some(content)) => match read(&content, oid_len) {
            Ok(unmerged) => return (Known::Seen(unmerged), Known::Seen(None)),
            Err(reason) => (reason.to_owned(), DAMAGES.contains(&reason)),
        },
        Err(error) => (error.to_string(), error.kind() == io::ErrorKind::InvalidInput),
    };
    let unread = format!("cannot read an index: {reason}");
    match is_damage {
        true => (Known::Unknown(unread), Known::Seen(Some(reason))),
        false => (Known::Unknown(unread.clone()), Known::Unknown(unread)),
    }
}

const CUT_OFF: &str = "it is cut off";

const NO_INDEX: &str = "it is no index";

/// Reasons for which Git gives up on it as well.
const DAMAGES: [&str; 2] = [CUT_OFF, NO_INDEX];

/// Errors: it is no index, is cut off, or is of a kind that is not read.
fn read(content: &[u8], oid_len: usize) -> Result<Unmerged, &'static str> {
    let head = content.get(..12).filter(|head| head.starts_with(b"DIRC")).ok_or(NO_INDEX)?;
    let version = u32_at(head, 4).ok_or(CUT_OFF)?;
    if !(2..=4).contains(&version) {
        return Err("its version is not known");
    }
    let mut reader = Reader { content, at: 12, version, oid_len, name: Vec::new() };
    let (mut found, mut last) = (Unmerged::default(), Vec::new());
    for _ in 0..u32_at(head, 8).ok_or(CUT_OFF)? {
        let stage = reader.entry().ok_or(CUT_OFF)?;
        if stage > 0 && last != reader.name {
            last.clone_from(&reader.name);
            found.n_paths += 1;
            if found.examples.len() < EXAMPLES {
                found.examples.push(RefName::new(&last).text().into_owned());
            }
        }
    }
    if reader.has_extension(b"link") {
        return Err("it is split in two files");
    }
    Ok(found)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

struct Reader<'a> {
    content: &'a [u8],
    at: usize,
    version: u32,
    oid_len: usize,
    /// The name of the last entry: version 4 writes only what differs from it.
    name: Vec<u8>,
}

impl Reader<'_> {
    /// Goes over the next entry, and returns its stage.
    fn entry(&mut self) -> Option<u16> {
        // Ten numbers of stat(2), the id, the flags.
        let flags_at = self.at.checked_add(40 + self.oid_len)?;
        let flags = u16::from_be_bytes(self.content.get(flags_at..flags_at + 2)?.try_into().ok()?);
        let is_extended = flags & 0x4000 != 0;
        let name_at = flags_at + if is_extended { 4 } else { 2 };
        match self.version {
            4 => self.name_after_last(name_at)?,
            _ => self.whole_name(name_at)?,
        }
        Some((flags >> 12) & 3)
    }

    /// Versions 2 and 3: the name, and one to eight NULs to a multiple of eight.
    fn whole_name(&mut self, name_at: usize) -> Option<()> {
        let len = memchr::memchr(0, self.content.get(name_at..)?)?;
        self.name.clear();
        self.name.extend(&self.content[name_at..name_at + len]);
        let entry_len = name_at + len - self.at;
        self.at += (entry_len + 8) & !7;
        Some(())
    }

    /// Version 4: how many bytes to take off the last name, and what comes in their place.
    fn name_after_last(&mut self, name_at: usize) -> Option<()> {
        let mut at = name_at;
        let mut byte = *self.content.get(at)?;
        let mut n_off = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            at += 1;
            byte = *self.content.get(at)?;
            n_off = n_off.checked_add(1)?.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
        }
        let rest = self.content.get(at + 1..)?;
        let len = memchr::memchr(0, rest)?;
        self.name.truncate(self.name.len().checked_sub(n_off)?);
        self.name.extend(&rest[..len]);
        self.at = at + 1 + len + 1;
        Some(())
    }

    /// Behind the entries: a signature of four bytes, a length, the content; at the end, a checksum.
    fn has_extension(&self, wanted: &[u8; 4]) -> bool {
        let mut at = self.at;
        while at + 8 + self.oid_len <= self.content.len() {
            if &self.content[at..at + 4] == wanted {
                return true;
            }
            let Some(len) = u32_at(self.content, at + 4) else { return false };
            at = at.saturating_add(8).saturating_add(len as usize);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alignwatch_testkit::{Repo, git_output, sketch};
    use std::fs;

    fn conflicting() -> Repo {
        sketch("main: a(f=1, g/deep/file=1, g/deep/other=1) b(f=2, g/deep/file=2)\n x: a c(f=3, g/deep/file=3)")
            .worktree()
            .draw()
    }

    fn by_git(repo: &Repo) -> Vec<String> {
        let mut names: Vec<String> = repo
            .git(["ls-files", "--unmerged"])
            .lines()
            .filter_map(|line| Some(line.split_once('\t')?.1.to_owned()))
            .collect();
        names.dedup();
        names
    }

    #[test]
    fn unmerged_paths_are_those_of_git_in_every_version_of_the_index() {
        for version in ["2", "3", "4"] {
            let repo = conflicting();
            repo.git(["config", "index.version", version]);
            repo.git(["update-index", "--index-version", version]);
            let seen = || unmerged(&repo.git_dir(), "sha1").seen().unwrap().clone();
            assert_eq!(seen(), Unmerged::default());
            assert!(!git_output(repo.path(), ["merge", "x"]).status.success());
            let expected = by_git(&repo);
            assert_eq!((seen().n_paths, seen().examples), (2, expected), "version {version}");
        }
    }

    #[test]
    fn an_index_of_sha256_is_read_too() {
        let repo = sketch("main: a(f=1) b(f=2)\n x: a c(f=3)").worktree().sha256().draw();
        assert!(!git_output(repo.path(), ["merge", "x"]).status.success());
        assert_eq!(unmerged(&repo.git_dir(), "sha256").seen().unwrap().examples, by_git(&repo));
    }

    #[test]
    fn what_is_no_whole_index_is_unknown_and_no_index_is_fine() {
        let repo = conflicting();
        assert!(!git_output(repo.path(), ["merge", "x"]).status.success());
        let index = repo.git_dir().join("index");
        let whole = fs::read(&index).unwrap();
        let told = |content: &[u8]| {
            fs::write(&index, content).unwrap();
            unmerged(&repo.git_dir(), "sha1").reason().map(str::to_owned)
        };
        for len in [0, 4, 11, 12, 60, 80] {
            assert!(told(&whole[..len]).is_some(), "{len} bytes");
        }
        let mut absurd = whole.clone();
        absurd[8..12].fill(0xff);
        assert!(told(&absurd).is_some());
        let mut newer = whole.clone();
        newer[7] = 9;
        assert_eq!(told(&newer).unwrap(), "cannot read an index: its version is not known");
        fs::remove_file(&index).unwrap();
        assert_eq!(unmerged(&repo.git_dir(), "sha1"), Known::Seen(Unmerged::default()));
        fs::create_dir(&index).unwrap();
        assert!(unmerged(&repo.git_dir(), "sha1").reason().is_some());
    }

    #[test]
    fn an_index_in_two_files_is_unknown() {
        let repo = conflicting();
        repo.git(["update-index", "--split-index"]);
        assert_eq!(
            unmerged(&repo.git_dir(), "sha1").reason().unwrap(),
            "cannot read an index: it is split in two files"
        );
    }
}
