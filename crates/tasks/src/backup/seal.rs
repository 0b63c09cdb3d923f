//! The seal of a backup: a file with the SHA-256 of every other, as `sha256sum` writes it.
//!
//! It is read strictly: one byte that is another, a file too many or too few, and the backup is not proven.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{BackupError, failed};

/// The seal's name.
pub(super) const FILE: &str = "SHA256SUMS";

/// Files of one backup. Source: ours; a reflog for each of many branches.
const FILES_AT_MOST: usize = 1_000_000;

/// The sum of a file, in hexadecimal digits.
pub(super) fn sum_of(path: &Path) -> Result<String, BackupError> {
    let mut file = File::open(path).map_err(failed("read", path))?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&sum.finalize())),
            Ok(n) => sum.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed("read", path)(error)),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text of the seal for what lies in this folder.
pub(super) fn text_for(folder: &Path) -> Result<String, BackupError> {
    let lines = files(folder)?.into_iter().map(|name| Ok(format!("{}  {name}\n", sum_of(&folder.join(&name))?)));
    lines.collect()
}

/// Errors: which file is not what was sealed.
pub(super) fn check(folder: &Path) -> Result<(), BackupError> {
    let path = folder.join(FILE);
    let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
    let mut sealed = BTreeMap::new();
    for line in text.split_inclusive('\n') {
        let parts = line.strip_suffix('\n').and_then(|line| line.split_once("  "));
        let (sum, name) = parts.ok_or_else(|| BackupError::Not(format!("`{FILE}` has a line that is no sum")))?;
        sealed.insert(name.to_owned(), sum.to_owned());
    }
    let there = files(folder)?;
    if let Some(name) = there.iter().find(|name| !sealed.contains_key(*name)) {
        return Err(BackupError::Not(format!("`{name}` was not sealed")));
    }
    for (name, sum) in &sealed {
        if !there.contains(name) {
            return Err(BackupError::Not(format!("`{name}` is missing")));
        }
        if sum_of(&folder.join(name))? != *sum {
            return Err(BackupError::Not(format!("`{name}` is not what was sealed")));
        }
    }
    Ok(())
}

/// Names of all files but the seal, below the folder, sorted. Errors: something is neither file nor folder.
fn files(folder: &Path) -> Result<Vec<String>, BackupError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(&at).map_err(failed("read", &at))? {
            let entry = entry.map_err(failed("read", &at))?;
            let kind = entry.file_type().map_err(failed("look at", &at))?;
            let path = entry.path();
            let name = path.strip_prefix(folder).ok().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| BackupError::Not(format!("a name in `{}` is no text", at.display())))?;
            match kind {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_file() && name == FILE => {}
                kind if kind.is_file() && !name.contains('\n') => found.push(name.to_owned()),
                _ => return Err(BackupError::Not(format!("`{name}` is no file"))),
            }
            if FILES_AT_MOST < found.len() {
                return Err(BackupError::Not(format!("it has more than {FILES_AT_MOST} files")));
            }
        }
    }
    found.sort();
    Ok(found)
}
