//! Refs that are one file each, below `refs/`, and HEAD.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use alignwatch_model::snapshot::Head;
use alignwatch_model::{Known, Oid, RefName};

use super::{PER_WORKTREE, Raw, Refs, RefsError, Target, check_name};
use crate::files;
use crate::repository::Opened;

/// Folders below `refs/` that are entered, one in the other. A name of more parts does not fit into a path on Linux
/// when each has twenty letters.
const FOLDERS_DEEP: usize = 200;

/// Loose refs that are read. Git itself needs a minute for so many.
const FILES_AT_MOST: usize = 2_000_000;

/// How much of a file is read. Source: refs/files-backend.c of Git reads lines of this size; the longest name is 4,096.
const FILE_BYTES: u64 = 8 << 10;

/// All loose refs, sorted by name.
pub(super) fn read(opened: &Opened, hex_len: usize) -> Result<Vec<Raw>, RefsError> {
    let mut walk = Walk { base: &opened.common_dir, hex_len, is_linked: opened.is_linked(), found: Vec::new() };
    walk.folder(b"refs/", 0)?;
    if opened.is_linked() {
        walk.base = &opened.git_dir;
        walk.is_linked = false;
        for prefix in PER_WORKTREE {
            walk.folder(prefix, 1)?;
        }
    }
    let mut found = walk.found;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// What HEAD says.
pub(super) fn read_head(opened: &Opened, hex_len: usize, refs: &Refs) -> Known<Head> {
    let target = match read_file(&opened.git_dir.join("HEAD"), hex_len) {
        Ok(Some(target)) => target,
        Ok(None) => return Known::Unknown("HEAD is missing".into()),
        Err(reason) => return Known::Unknown(format!("HEAD cannot be read: {reason}")),
    };
    match target {
        Target::Oid(oid) => Known::Seen(Head::Detached(oid)),
        Target::Symref(name) if check_name(name.as_bytes()).is_err() => {
            Known::Unknown(format!("HEAD names `{name}`, which is no ref"))
        }
        Target::Symref(name) => match refs.broken.iter().find(|broken| broken.name == name) {
            Some(broken) => Known::Unknown(format!("HEAD names `{name}`, which is broken: {}", broken.reason)),
            None if refs.get(&name).is_some() => Known::Seen(Head::Branch(name)),
            None => Known::Seen(Head::Unborn(name)),
        },
    }
}

struct Walk<'a> {
    base: &'a Path,
    hex_len: usize,
    /// Passes over what belongs to single worktrees.
    is_linked: bool,
    found: Vec<Raw>,
}

impl Walk<'_> {
    /// All refs below a folder, whose name ends in `/`.
    fn folder(&mut self, prefix: &[u8], depth: usize) -> Result<(), RefsError> {
        if self.is_linked && PER_WORKTREE.contains(&prefix) {
            return Ok(());
        }
        if FOLDERS_DEEP < depth {
            self.broken(prefix, "its name has too many parts");
            return Ok(());
        }
        let folder = self.path(prefix);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Removed since it was listed, as Git does with empty folders.
            Err(error) if files::is_absent(&error) => return Ok(()),
            Err(error) if depth == 0 => return Err(RefsError::Unreadable { path: folder, cause: error.to_string() }),
            Err(error) => {
                self.broken(prefix, &format!("the folder cannot be read: {error}"));
                return Ok(());
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) => self.entry(prefix, &entry, depth)?,
                Err(error) => self.broken(prefix, &format!("the folder cannot be read: {error}")),
            }
        }
        Ok(())
    }

    fn entry(&mut self, prefix: &[u8], entry: &fs::DirEntry, depth: usize) -> Result<(), RefsError> {
        let last = entry.file_name();
        let last = last.as_bytes();
        // Locks, and names no ref can have: Git passes over them.
        if last.starts_with(b".") || last.ends_with(b".lock") {
            return Ok(());
        }
        if FILES_AT_MOST <= self.found.len() {
            return Err(RefsError::TooMany { path: self.base.join("refs"), most: FILES_AT_MOST });
        }
        let name = [prefix, last].concat();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => return self.folder(&[&name, &b"/"[..]].concat(), depth + 1),
            Ok(kind) if kind.is_file() => self.file(&name),
            Ok(kind) if kind.is_symlink() => return self.link(&name, depth),
            // Sockets and the like are no refs, to Git neither.
            Ok(_) => {}
            Err(error) => self.broken(&name, &error.to_string()),
        }
        Ok(())
    }

    fn file(&mut self, name: &[u8]) {
        let target = match check_name(name) {
            Err(error) => Err(error.to_string()),
            Ok(()) => match read_file(&self.path(name), self.hex_len) {
                Ok(Some(target)) => Ok(target),
                // Deleted or packed since it was listed.
                Ok(None) => return,
                Err(reason) => Err(reason),
            },
        };
        self.found.push(Raw { name: RefName::new(name), target, peeled: None });
    }

    /// A link is a symbolic ref of old times, or leads to a file or folder, which must lie in this repository.
    fn link(&mut self, name: &[u8], depth: usize) -> Result<(), RefsError> {
        let path = self.path(name);
        if let Some(target) = symref_link(&path).filter(|_| path.is_file()) {
            self.found.push(Raw { name: RefName::new(name), target: Ok(Target::Symref(target)), peeled: None });
            return Ok(());
        }
        match self.inside(&path) {
            Err(reason) => self.broken(name, &reason),
            Ok(target) if target.is_dir() => return self.folder(&[name, b"/"].concat(), depth + 1),
            Ok(_) => self.file(name),
        }
        Ok(())
    }

    /// Where a link leads, if that is below the folder of refs.
    fn inside(&self, link: &Path) -> Result<PathBuf, String> {
        let target = fs::canonicalize(link).map_err(|error| format!("it is a link that leads nowhere: {error}"))?;
        let refs = fs::canonicalize(self.base.join("refs")).map_err(|error| error.to_string())?;
        let is_above = fs::canonicalize(link.parent().unwrap_or(link)).is_ok_and(|at| at.starts_with(&target));
        match target.starts_with(&refs) {
            true if is_above => Err("it is a link to a folder it lies in".into()),
            true => Ok(target),
            false => Err(format!("it is a link that leads out of the repository, to `{}`", target.display())),
        }
    }

    fn broken(&mut self, name: &[u8], reason: &str) {
        let name = name.strip_suffix(b"/").unwrap_or(name);
        self.found.push(Raw { name: RefName::new(name), target: Err(reason.to_owned()), peeled: None });
    }

    fn path(&self, name: &[u8]) -> PathBuf {
        self.base.join(Path::new(OsStr::from_bytes(name)))
    }
}

/// The target of a link that is a symbolic ref: it begins with `refs/` and could be one.
fn symref_link(path: &Path) -> Option<RefName> {
    let target = fs::read_link(path).ok()?;
    let target = target.as_os_str().as_bytes();
    (target.starts_with(b"refs/") && check_name(target).is_ok()).then(|| RefName::new(target))
}

/// What a file says; `None` when there is no such file.
fn read_file(path: &Path, hex_len: usize) -> Result<Option<Target>, String> {
    if let Some(target) = symref_link(path) {
        return Ok(Some(Target::Symref(target)));
    }
    let explain = |error: io::Error| format!("it cannot be read: {error}");
    let content = files::read_beginning(path, FILE_BYTES).map_err(explain)?;
    content.map(|content| parse(&content, hex_len)).transpose()
}

/// Source: refs/files-backend.c of Git, `parse_loose_ref_contents`.
fn parse(content: &[u8], hex_len: usize) -> Result<Target, String> {
    let content = content.trim_ascii_end();
    if content.is_empty() {
        return Err("its file is empty".into());
    }
    if let Some(target) = content.strip_prefix(b"ref:") {
        let target = target.trim_ascii_start();
        return match check_name(target) {
            Ok(()) => Ok(Target::Symref(RefName::new(target))),
            Err(error) => Err(format!("it names another ref, but {error}")),
        };
    }
    let oid = content.get(..hex_len).and_then(|hex| Oid::from_hex(hex).ok());
    match (oid, content.get(hex_len)) {
        (Some(oid), _) if oid.is_null() => Err("it points to nothing (the id is all zeros)".into()),
        (Some(oid), None) => Ok(Target::Oid(oid)),
        (Some(oid), Some(byte)) if byte.is_ascii_whitespace() => Ok(Target::Oid(oid)),
        _ if content.iter().all(u8::is_ascii_hexdigit) => {
            Err(format!("its id has {} digits in place of {hex_len}", content.len()))
        }
        _ => Err("its file holds neither an id nor the name of a ref".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(content: &[u8]) -> String {
        match parse(content, 40) {
            Ok(Target::Oid(oid)) => oid.short(),
            Ok(Target::Symref(name)) => format!("-> {name}"),
            Err(reason) => reason,
        }
    }

    #[test]
    fn a_file_is_an_id_a_name_or_a_reason() {
        let oid = b"0123456789abcdef0123456789abcdef01234567";
        assert_eq!(said(oid), "0123456789ab");
        assert_eq!(said(&[&oid[..], b"\n"].concat()), "0123456789ab");
        assert_eq!(said(&[&oid[..], b" more"].concat()), "0123456789ab");
        assert_eq!(said(&[&oid[..], b"x"].concat()), "its file holds neither an id nor the name of a ref");
        assert_eq!(said(b"ref: refs/heads/x \n"), "-> refs/heads/x");
        assert_eq!(said(b"ref: ../../x"), "it names another ref, but a part of its name begins with `.`");
        assert_eq!(said(b"abc\n"), "its id has 3 digits in place of 40");
        assert_eq!(said(b"\n"), "its file is empty");
        assert_eq!(said(&[b'0'; 40]), "it points to nothing (the id is all zeros)");
    }
}
