//! Ids that only files of half-done work name: `MERGE_HEAD`, `ORIG_HEAD`, the state of a rebase, of a bisection.
//!
//! `git rev-list --all --reflog` does not see them, and neither does a backup of refs. All worktrees are looked at, those
//! whose folder is away as well: what they need is kept in the repository.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{files, repository::Opened};

/// Folders below the Git directory of a worktree in which git keeps ids, and how deep they are read.
///
/// Source: sequencer.c and builtin/rebase.c of git for the state, refs/files-backend.c for refs of one worktree.
const FOLDERS: [(&str, usize); 6] = [
    ("rebase-merge", 2),
    ("rebase-apply", 2),
    ("sequencer", 2),
    ("refs/bisect", 8),
    ("refs/worktree", 8),
    ("refs/rewritten", 8),
];

/// Files beside HEAD that hold ids, besides all whose names end in `_HEAD`. Source: git, `is_pseudo_ref` and builtin/merge.c.
const FILES: [&str; 4] = ["AUTO_MERGE", "MERGE_AUTOSTASH", "BISECT_EXPECTED_REV", "NOTES_MERGE_PARTIAL"];

/// Bytes of one such file. Source: ours; a list of what is to be rebased with 300,000 commits.
const FILE_BYTES: u64 = 32 << 20;

/// All ids in files of half-done work of all worktrees, whether there are such objects or not. Shape: full ids.
pub fn half_done_ids(opened: &Opened) -> io::Result<BTreeSet<String>> {
    let width = if opened.object_format == "sha256" { 64 } else { 40 };
    let mut ids = BTreeSet::new();
    for place in places(&opened.common_dir)? {
        for path in files_of(&place)? {
            let text = files::read(&path, FILE_BYTES)?.unwrap_or_default();
            ids.extend(ids_in(&text, width));
        }
    }
    Ok(ids)
}

/// The Git directories of all worktrees.
fn places(common_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut places = vec![common_dir.to_owned()];
    places.extend(entries(&common_dir.join("worktrees"))?.into_iter().filter(|path| path.is_dir()));
    Ok(places)
}

fn files_of(place: &Path) -> io::Result<Vec<PathBuf>> {
    let is_state = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        FILES.contains(&name) || name.ends_with("_HEAD")
    };
    let mut found = Vec::new();
    for path in entries(place)?.into_iter().filter(is_state) {
        found.extend(about(&path)?.is_some_and(|about| about.is_file()).then_some(path));
    }
    let mut open: Vec<(PathBuf, usize)> = FOLDERS.iter().map(|(name, deep)| (place.join(name), *deep)).collect();
    while let Some((folder, deep)) = open.pop() {
        for path in entries(&folder)? {
            match about(&path)? {
                Some(about) if about.is_dir() && 1 < deep => open.push((path, deep - 1)),
                Some(about) if about.is_file() => found.push(path),
                _ => {}
            }
        }
    }
    Ok(found)
}

/// What a file is; `None` = it is gone meanwhile.
fn about(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(about) => Ok(Some(about)),
        Err(error) if files::is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is in a folder; nothing where there is none.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if files::is_absent(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Words that are ids. Ids of nothing are none.
fn ids_in(text: &[u8], width: usize) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|byte| !byte.is_ascii_alphanumeric()).filter(move |word| word.len() == width);
    let is_id = |word: &&[u8]| word.iter().all(u8::is_ascii_hexdigit) && word.iter().any(|&byte| byte != b'0');
    words.filter(is_id).map(|word| String::from_utf8_lossy(word).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_any_of_the_forms_that_git_writes() {
        let (a, b) = ("ab".repeat(20), "01".repeat(20));
        let text =
            format!("{a}\nref: refs/heads/x\npick {b} subject\n{}\n0a0a0a\n{a}\t\tbranch 'x' of y\n", "0".repeat(40));
        assert_eq!(ids_in(text.as_bytes(), 40).collect::<BTreeSet<_>>(), BTreeSet::from([a.clone(), b]));
        assert_eq!(ids_in(a.as_bytes(), 64).count(), 0);
    }
}
