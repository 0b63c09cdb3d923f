//! An open file of a commit-graph.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::GraphFileError;

/// The largest file that is read: four thousand million bytes hold 70 million commits.
const FILE_AT_MOST: u64 = 4 << 30;

/// An open file and its name.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) len: u64,
}

impl Source {
    /// `None` when there is no such file.
    pub(super) fn open(path: &Path) -> Result<Option<Source>, GraphFileError> {
        let failed = |source| GraphFileError::Read { path: path.to_owned(), source };
        let about = match fs::metadata(path) {
            // Opening a pipe would wait for somebody to write into it.
            Ok(about) if !about.is_file() => return Ok(None),
            Ok(about) if FILE_AT_MOST < about.len() => return Err(failed(io::ErrorKind::FileTooLarge.into())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            about => about.map_err(failed)?,
        };
        let file = File::open(path).map_err(failed)?;
        Ok(Some(Source { path: path.to_owned(), file, len: about.len() }))
    }

    pub(super) fn bytes(&self, range: Range<u64>) -> Result<Vec<u8>, GraphFileError> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.fill(&mut bytes, range.start)?;
        Ok(bytes)
    }

    pub(super) fn fill(&self, bytes: &mut [u8], at: u64) -> Result<(), GraphFileError> {
        let read = self.file.read_exact_at(bytes, at);
        read.map_err(|source| GraphFileError::Read { path: self.path.clone(), source })
    }

    pub(super) fn damaged(&self, what: &'static str) -> GraphFileError {
        GraphFileError::Damaged { path: self.path.clone(), what }
    }
}
