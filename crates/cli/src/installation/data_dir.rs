//! `data-dir`: the directory for what is remembered. Is it there, ours, private, writable, and how large?

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use alignwatch_model::{Finding, Remedy, Severity};
use rustix::fs::{Access, access};

use super::{Around, Examination, Told, shown, size, with};
use crate::{judging::path_word, output::layout::count};

/// The data directory.
pub(super) static EXAMINATION: Examination = Examination {
    id: "data-dir",
    title: "Data directory",
    why: "Without it every run begins anew, and nothing can be repaired: repairs are journaled there first",
    examine,
};

/// Bits of a mode that let others in.
pub(crate) const OF_OTHERS: u32 = 0o077;

/// Entries that are counted. More would say nothing new.
const ENTRIES_AT_MOST: usize = 100_000;

fn examine(around: &Around) -> Told {
    let Some(dir) = &around.data_dir else {
        let remedy = Remedy::reversible(
            "Name one: there is no home, and none is configured.",
            ["alignwatch config explain data_dir".to_owned()],
        );
        let finding = EXAMINATION.finding("none", Severity::Warning, "there is no data directory", remedy);
        return Told::well("nowhere: nothing is remembered").but(finding);
    };
    match fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(dir).is_err() => {
            not_made_yet(dir)
        }
        Err(error) => cannot(dir, &error.to_string()),
        Ok(about) if !about.is_dir() => cannot(dir, "it is not a directory"),
        Ok(about) => there(dir, &about),
    }
}

fn not_made_yet(dir: &Path) -> Told {
    let above = dir.ancestors().skip(1).find(|above| above.exists()).unwrap_or(Path::new("/"));
    let told = Told::well(format!("{}, made when there is something to remember", shown(dir)));
    match access(above, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) if above.is_dir() => told,
        Ok(()) => told.but(cannot_be_made(dir, above, "it is not a directory")),
        Err(error) => told.but(cannot_be_made(dir, above, &error.to_string())),
    }
}

fn cannot_be_made(dir: &Path, above: &Path, cause: &str) -> Finding {
    let summary = format!("the data directory `{}` cannot be made in `{}`: {cause}", dir.display(), above.display());
    EXAMINATION.finding("cannot-make", Severity::Error, summary, elsewhere())
}

fn cannot(dir: &Path, cause: &str) -> Told {
    let summary = format!("the data directory `{}` cannot be used: {cause}", dir.display());
    Told::well("cannot be used").but(EXAMINATION.finding("unusable", Severity::Error, summary, elsewhere()))
}

fn elsewhere() -> Remedy {
    Remedy::reversible(
        "Make room for it there, or name another one with --data-dir or the key data_dir.",
        ["alignwatch config explain data_dir".to_owned()],
    )
}

fn there(dir: &Path, about: &fs::Metadata) -> Told {
    let (n_files, bytes, is_whole) = contents(dir);
    let least = if is_whole { "" } else { "at least " };
    let mut told = Told::well(format!("{}, {least}{} in {}", shown(dir), size(bytes), count(n_files, "file")));
    let mode = about.permissions().mode() & 0o7777;
    if mode & OF_OTHERS != 0 {
        told = told.but(open_to_others(dir, mode));
    }
    let us = rustix::process::geteuid().as_raw();
    if about.uid() != us {
        told = told.but(not_ours(dir, about.uid()));
    }
    if let Err(error) = access(dir, Access::WRITE_OK | Access::READ_OK | Access::EXEC_OK) {
        let summary = format!("the data directory `{}` cannot be written: {error}", dir.display());
        told = told.but(EXAMINATION.finding("read-only", Severity::Error, summary, elsewhere()));
    }
    told
}

fn open_to_others(dir: &Path, mode: u32) -> Finding {
    let summary = format!("others can look into the data directory `{}` (mode {mode:04o})", dir.display());
    let remedy = Remedy::reversible(
        "It holds names of branches and paths: keep it to yourself. `alignwatch doctor --fix` does it, and can take it back.",
        [format!("chmod 700 {}", path_word(dir))],
    );
    with(EXAMINATION.finding("mode", Severity::Warning, summary, remedy), "mode", format!("{mode:04o}"))
}

fn not_ours(dir: &Path, owner: u32) -> Finding {
    let summary = format!("the data directory `{}` belongs to another user (uid {owner})", dir.display());
    with(EXAMINATION.finding("owner", Severity::Warning, summary, elsewhere()), "owner_uid", owner)
}

/// Files and bytes below, and whether all of it was counted. Links are not followed.
fn contents(dir: &Path) -> (usize, u64, bool) {
    let mut folders: Vec<PathBuf> = vec![dir.to_owned()];
    let (mut n_files, mut bytes, mut n_left, mut is_whole) = (0, 0, ENTRIES_AT_MOST, true);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            is_whole = false;
            continue;
        };
        for entry in entries {
            let Ok(about) = entry.as_ref().map_err(|_| ()).and_then(|entry| entry.metadata().map_err(|_| ())) else {
                is_whole = false;
                continue;
            };
            if n_left == 0 {
                return (n_files, bytes, false);
            }
            n_left -= 1;
            match (&entry, about.is_dir()) {
                (Ok(entry), true) => folders.push(entry.path()),
                _ => (n_files, bytes) = (n_files + 1, bytes + about.len()),
            }
        }
    }
    (n_files, bytes, is_whole)
}
