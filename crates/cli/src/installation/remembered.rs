//! `remembered`: is all that was remembered still whole?

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use alignwatch_git::memory;
use alignwatch_model::{Finding, Remedy, Severity};

use super::{Around, Examination, Told, shown, size, with};
use crate::{judging::path_word, output::layout::count};

/// The files of what is remembered, record by record.
pub(super) static EXAMINATION: Examination = Examination {
    id: "remembered",
    title: "What is remembered",
    why: "A damaged record is ignored and worked out again, so that it costs time and no answer; many hint at a bad disk",
    examine,
};

/// Files that are read. Source: ours; a hundred repositories with all shelves.
const FILES_AT_MOST: usize = 1_000;

/// Damage of so many bytes is what a run that was ended leaves behind.
const TORN_AT_MOST_BYTES: u64 = 1 << 20;

fn examine(around: &Around) -> Told {
    let Some(dir) = &around.data_dir else { return Told::well("nothing, since there is no data directory") };
    let files = match files(&dir.join("remembered")) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Told::well("nothing yet"),
        Err(error) => return Told::unknown(format!("cannot look into what is remembered: {error}")),
    };
    let (mut n_records, mut bytes, mut told) = (0, 0, Told::default());
    for file in files.iter().take(FILES_AT_MOST) {
        match memory::audit(file) {
            Ok(None) => {}
            Ok(Some(audit)) => {
                (n_records, bytes) = (n_records + audit.n_records, bytes + audit.size_bytes);
                if TORN_AT_MOST_BYTES < audit.torn_bytes || audit.n_records == 0 && audit.torn_bytes > 0 {
                    told = told.but(damaged(file, audit.torn_bytes));
                }
            }
            Err(error) => told.unknown = Some(format!("cannot read `{}`: {error}", shown(file))),
        }
    }
    if FILES_AT_MOST < files.len() {
        told.unknown = Some(format!("there are more than {FILES_AT_MOST} files; the others were not read"));
    }
    told.says = format!("{} in {}", count(n_records, "whole record"), size(bytes));
    told
}

fn damaged(file: &Path, torn_bytes: u64) -> Finding {
    let summary = format!("{} of `{}` are damaged and ignored", size(torn_bytes), file.display());
    let remedy = Remedy::reversible(
        "Take it away; it is worked out again. Look at the disk when it comes back.",
        [format!("rm -- {}", path_word(file))],
    );
    with(EXAMINATION.finding(&shown(file), Severity::Warning, summary, remedy), "torn_bytes", torn_bytes)
}

/// The files in the folders of all repositories.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for repository in fs::read_dir(folder)? {
        let repository = repository?;
        if repository.file_type()?.is_dir() {
            for entry in fs::read_dir(repository.path())? {
                let entry = entry?;
                if entry.file_type()?.is_file() && files.len() <= FILES_AT_MOST {
                    files.push(entry.path());
                }
            }
        }
    }
    files.sort();
    Ok(files)
}
