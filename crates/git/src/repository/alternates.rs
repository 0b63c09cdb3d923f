//! From where the repository borrows objects.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{Alternate, OpenError, SMALL_FILE_BYTES, canonical, unreadable};
use crate::files;

/// Levels of borrowing that are followed. Source: git's `link_alt_odb_entries` gives up below the fifth.
const ALTERNATES_DEEP: usize = 5;

/// Alternates that are listed; more than a hundred is an attack or an accident.
const ALTERNATES_AT_MOST: usize = 100;

/// All object folders borrowed from, each once, in the order in which Git asks them.
pub(super) fn alternates(objects_dir: &Path) -> Result<Vec<Alternate>, OpenError> {
    let mut seen = vec![objects_dir.to_owned()];
    let mut all = Vec::new();
    add_alternates(objects_dir, 0, &mut seen, &mut all)?;
    Ok(all)
}

fn add_alternates(
    objects_dir: &Path,
    depth: usize,
    seen: &mut Vec<PathBuf>,
    all: &mut Vec<Alternate>,
) -> Result<(), OpenError> {
    let file = objects_dir.join("info/alternates");
    let content = files::read(&file, SMALL_FILE_BYTES).map_err(|error| unreadable(&file, &error))?;
    for named in content.unwrap_or_default().split(|&byte| byte == b'\n') {
        // Below the first level Git follows absolute paths only.
        let is_followed = named.starts_with(b"/") || depth == 0;
        if named.is_empty() || named.starts_with(b"#") || !is_followed || ALTERNATES_AT_MOST <= all.len() {
            continue;
        }
        let path = objects_dir.join(Path::new(OsStr::from_bytes(&unquoted(named))));
        let path = canonical(&path).unwrap_or(path);
        if seen.contains(&path) {
            continue;
        }
        seen.push(path.clone());
        let exists = path.is_dir();
        all.push(Alternate { path: path.clone(), exists });
        if exists && depth < ALTERNATES_DEEP {
            add_alternates(&path, depth + 1, seen, all)?;
        }
    }
    Ok(())
}

/// A line of the alternates file may be quoted as a C string; only the escapes that paths need are undone.
fn unquoted(line: &[u8]) -> Vec<u8> {
    let Some(inner) = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")) else { return line.to_vec() };
    let (mut path, mut bytes) = (Vec::new(), inner.iter());
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => path.extend(bytes.next().map(|&byte| if byte == b'n' { b'\n' } else { byte })),
            _ => path.push(byte),
        }
    }
    path
}
