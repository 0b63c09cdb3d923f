//! Opens plain files only: a pipe or a device could block for ever, or have no end.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Opens a plain file, and waits for nobody. Errors: it is none.
pub(crate) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let file = options.custom_flags(flags as i32).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no plain file")) }
}

/// Reads a plain file of so many bytes at most. Errors: it is none, or longer.
pub(crate) fn read(path: &Path, at_most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(OpenOptions::new().read(true), path)?.take(at_most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() <= at_most { Ok(bytes) } else { Err(io::Error::other(format!("it is longer than {at_most} bytes"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_or_would_block_is_not_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o600.into()).expect("a pipe");
        for path in [pipe.as_path(), Path::new("/dev/zero"), dir.path()] {
            let why = read(path, 10).expect_err("no plain file").to_string();
            assert_eq!(why, "it is no plain file", "{}", path.display());
        }
        let path = dir.path().join("file");
        std::fs::write(&path, "0123456789").expect("it is written");
        assert_eq!(read(&path, 10).expect("it fits"), b"0123456789");
        assert_eq!(read(&path, 9).expect_err("too long").to_string(), "it is longer than 9 bytes");
    }
}
