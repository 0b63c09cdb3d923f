//! Reads files of a repository that a stranger may have written.
//!
//! Never more than a bound, never a pipe or device that would make us wait, and
//! "it is not there" is told apart from "it cannot be read".

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Device, inode, size and time of change of a file: another one has others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity(u64, u64, u64, i64, i64);

impl FileIdentity {
    /// `None` when it is not there, or cannot be asked for.
    pub(crate) fn of(path: &Path) -> Option<FileIdentity> {
        let data = std::fs::metadata(path).ok()?;
        Some(FileIdentity(data.dev(), data.ino(), data.size(), data.ctime(), data.ctime_nsec()))
    }
}

/// All of a regular file; `None` when there is none of this name.
///
/// Errors: what the system says; [`io::ErrorKind::InvalidInput`] for what is no regular
/// file, and [`io::ErrorKind::FileTooLarge`] for one of more than `at_most` bytes.
pub(crate) fn read(path: &Path, at_most: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let size = file.metadata()?.len();
    let mut content = Vec::with_capacity(size.min(at_most) as usize + 1);
    file.take(at_most + 1).read_to_end(&mut content)?;
    if at_most < content.len() as u64 {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(content))
}

/// The beginning of a regular file: at most so many bytes; `None` when there is none of this name.
pub(crate) fn read_beginning(path: &Path, at_most: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut content = Vec::new();
    file.take(at_most).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// A regular file, open for reading; `None` when there is none of this name.
pub(crate) fn open(path: &Path) -> io::Result<Option<File>> {
    // Without NONBLOCK, opening a pipe waits for somebody to write into it.
    let options = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path);
    let file = match options {
        Err(error) if is_absent(&error) => return Ok(None),
        other => other?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(Some(file))
}

/// There is no such file: the name, or a folder on the way, does not exist.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_place_of_a_file_does_not_make_us_wait() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("HEAD");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(read(&pipe, 100).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_bound_is_an_error_and_absence_is_an_answer() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"12345").unwrap();
        assert_eq!(read(&file, 5).unwrap().unwrap(), b"12345");
        assert_eq!(read(&file, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_beginning(&file, 2).unwrap().unwrap(), b"12");
        assert_eq!(read(&file.join("below"), 5).unwrap(), None);
    }
}
