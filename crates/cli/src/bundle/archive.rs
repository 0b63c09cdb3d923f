//! The archive itself: written beside its place, read back, searched, and only then put there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use alignwatch_model::Timestamp;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::{MANIFEST, Manifest, Part, leaks, redact::Redactor};

/// Bytes of an archive, unpacked, that are read back. A larger one is none of ours.
const UNPACKED_AT_MOST_BYTES: u64 = 1 << 30;

/// Files of an archive that are read back.
const FILES_AT_MOST: usize = 1_000;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be written or read.
    #[error("cannot {what} `{}`", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Something is in it that must not leave.
    #[error("there is something in the bundle that must not leave: {}", found.join("; "))]
    Leak {
        /// What, and in which file of it; never the thing itself.
        found: Vec<String>,
    },
}

/// Writes the bundle to this file, which must not be there. Errors: [`ArchiveError`]; then there is no file.
pub fn write(
    file: &Path,
    manifest: &Manifest,
    parts: &[Part],
    redactor: &Redactor,
    now: Timestamp,
) -> Result<u64, ArchiveError> {
    let failed = |what| move |source| ArchiveError::Io { what, path: file.to_owned(), source };
    if fs::symlink_metadata(file).is_ok() {
        return Err(failed("write")(io::ErrorKind::AlreadyExists.into()));
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".unchecked");
    let unchecked = PathBuf::from(name);
    let done = pack(&unchecked, manifest, parts, now).map_err(failed("write")).and_then(|()| {
        let found = verify(&unchecked, redactor)?;
        if !found.is_empty() {
            return Err(ArchiveError::Leak { found });
        }
        // Unlike a rename, a link takes the place of nothing that somebody put there meanwhile.
        fs::hard_link(&unchecked, file).map_err(failed("write"))?;
        fs::metadata(file).map(|about| about.len()).map_err(failed("read"))
    });
    // Whatever came of it: what was not checked does not stay.
    let _ = fs::remove_file(&unchecked);
    done
}

fn pack(file: &Path, manifest: &Manifest, parts: &[Part], now: Timestamp) -> io::Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    let mut archive = tar::Builder::new(GzEncoder::new(opened, Compression::default()));
    append(&mut archive, MANIFEST, &(serde_json::to_string_pretty(manifest)? + "\n"), now)?;
    for part in parts {
        append(&mut archive, &part.name, &part.text, now)?;
    }
    archive.into_inner()?.finish()?.sync_all()
}

fn append<W: Write>(archive: &mut tar::Builder<W>, name: &str, text: &str, now: Timestamp) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(now.0).unwrap_or(0));
    archive.append_data(&mut header, Path::new("alignwatch-bundle").join(name), text.as_bytes())
}

/// Reads a bundle and tells all in it that must not leave, each with its file; none = it may.
pub fn verify(file: &Path, redactor: &Redactor) -> Result<Vec<String>, ArchiveError> {
    let failed = |source| ArchiveError::Io { what: "read", path: file.to_owned(), source };
    let files = read(file).map_err(failed)?;
    Ok(files.iter().flat_map(|(name, text)| leaks(redactor, name, text)).collect())
}

/// The files of a bundle, with their names. Errors: it is damaged, or too large to be one of ours.
pub fn read(file: &Path) -> io::Result<Vec<(String, String)>> {
    let unpacked = GzDecoder::new(File::open(file)?).take(UNPACKED_AT_MOST_BYTES);
    let mut archive = tar::Archive::new(unpacked);
    let mut files = Vec::new();
    for entry in archive.entries()?.take(FILES_AT_MOST) {
        let mut entry = entry?;
        let path = entry.path()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text)?;
        files.push((name, text));
    }
    Ok(files)
}

/// Were names kept in this bundle? Its manifest says so.
pub fn keeps_names(file: &Path) -> Result<bool, ArchiveError> {
    let failed = |source| ArchiveError::Io { what: "read", path: file.to_owned(), source };
    let files = read(file).map_err(failed)?;
    let manifest = files.iter().find(|(name, _)| name == MANIFEST);
    let manifest = manifest.and_then(|(_, text)| serde_json::from_str::<Manifest>(text).ok());
    manifest.map(|manifest| manifest.names).ok_or_else(|| failed(io::Error::other("it has no manifest of ours")))
}
