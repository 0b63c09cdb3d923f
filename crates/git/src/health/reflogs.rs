//! Looks up every id in the reflogs: is the object still there?
//!
//! Bounded in files, bytes and depth; a log that cannot be read, and all beyond the bounds, is named
//! as unread. Existence is looked up, no object is read.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use alignwatch_model::{
    Known, Oid, RefName,
    facts::integrity::{ReflogGap, Reflogs},
};
use rustc_hash::FxHashMap;
use std::os::unix::ffi::OsStrExt;

use super::ref_files::new_id;
use crate::{files, objects::Objects, repository::Opened, stop::Stop};

/// Logs that are read. Source: ours; ten times the refs of the largest forges' repositories that keep logs.
const LOGS_AT_MOST: usize = 500_000;

/// Bytes of all logs that are read; an entry has some 200.
const BYTES_AT_MOST: u64 = 1 << 30;

/// Folders inside of each other that are entered.
const DEPTH_AT_MOST: usize = 200;

/// Looks at all logs, of the repository and of its linked worktrees.
pub(crate) fn reflogs(opened: &Opened, objects: &Objects, stop: &Stop) -> Known<Reflogs> {
    let hex_len = if opened.object_format == "sha256" { 64 } else { 40 };
    let mut pass =
        Pass { objects, hex_len, stop, known: FxHashMap::default(), n_logs: 0, n_bytes: 0, seen: Reflogs::default() };
    for (root, folder) in roots(opened) {
        pass.folder(&root, &folder, 0);
        if stop.is_due() {
            return Known::Unknown(stop.reason().unwrap_or_else(|| "it was stopped".into()));
        }
    }
    Known::Seen(pass.seen)
}

/// The folders of logs, each with the folder that names are told from.
fn roots(opened: &Opened) -> Vec<(PathBuf, PathBuf)> {
    let common = &opened.common_dir;
    let mut roots = vec![(common.join("logs"), common.join("logs"))];
    let linked = fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
    roots.extend(linked.map(|entry| (common.clone(), entry.path().join("logs"))));
    roots
}

struct Pass<'a> {
    objects: &'a Objects,
    hex_len: usize,
    stop: &'a Stop,
    known: FxHashMap<Oid, bool>,
    n_logs: usize,
    n_bytes: u64,
    seen: Reflogs,
}

impl Pass<'_> {
    fn folder(&mut self, root: &Path, folder: &Path, depth: usize) {
        let names = match names(folder) {
            Ok(names) if depth < DEPTH_AT_MOST => names,
            Ok(_) => return self.unread(root, folder, "it lies too deep"),
            Err(error) if files::is_absent(&error) => return,
            Err(error) => return self.unread(root, folder, &error.to_string()),
        };
        for path in names {
            if self.stop.is_due() {
                return;
            }
            match fs::symlink_metadata(&path) {
                Ok(about) if about.is_dir() => self.folder(root, &path, depth + 1),
                _ => self.log(root, &path),
            }
        }
    }

    fn log(&mut self, root: &Path, path: &Path) {
        if LOGS_AT_MOST <= self.n_logs || BYTES_AT_MOST <= self.n_bytes {
            return self.unread(root, path, "there is more than is looked at");
        }
        self.n_logs += 1;
        match files::read(path, BYTES_AT_MOST - self.n_bytes) {
            Ok(None) => {}
            Err(error) => self.unread(root, path, &error.to_string()),
            Ok(Some(content)) => {
                self.n_bytes += content.len() as u64;
                self.entries(root, path, &content);
            }
        }
    }

    fn entries(&mut self, root: &Path, path: &Path, content: &[u8]) {
        let (mut n_missing, mut last) = (0, None);
        for line in content.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            self.seen.n_entries += 1;
            let Some(new) = new_id(line, self.hex_len) else { continue };
            let old = Oid::from_hex(&line[..self.hex_len]).ok();
            let missing = [old, Some(new)].into_iter().flatten().find(|oid| !self.is_there(oid));
            if let Some(missing) = missing {
                n_missing += 1;
                last = Some(missing);
            }
        }
        if let Some(example) = last {
            let name = RefName::new(path.strip_prefix(root).unwrap_or(path).as_os_str().as_bytes());
            self.seen.gaps.push(ReflogGap { name, n_entries: n_missing, example });
        }
    }

    fn is_there(&mut self, oid: &Oid) -> bool {
        // All zeros: the ref did not exist before, or does not after.
        oid.is_null() || *self.known.entry(*oid).or_insert_with(|| self.objects.has(oid))
    }

    fn unread(&mut self, root: &Path, path: &Path, reason: &str) {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        self.seen.unread.push((name, reason.to_owned()));
    }
}

fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}
