//! Reads the head of a chunk file: commit-graph and multi-pack-index, without their content.
//!
//! Format: gitformat-chunk(5). Every offset is checked before it is used.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt, path::Path};

use crate::files;

/// Where the number of chunks stands, in both formats.
const N_CHUNKS_AT: usize = 6;

/// A row of the table: a name of 4 bytes and an offset of 8.
const ROW_BYTES: usize = 12;

/// The fan-out table of ids: 256 counts of 4 bytes.
const FAN_BYTES: u64 = 1024;

/// An open chunk file.
pub(super) struct ChunkFile {
    file: File,
    /// What stands before the table of chunks.
    pub(super) header: Vec<u8>,
    chunks: Vec<([u8; 4], Range<u64>)>,
}

/// The file that begins with this signature and has so long a header; `None` when there is no such file.
pub(super) fn open(path: &Path, signature: &[u8], header_bytes: usize) -> io::Result<Option<ChunkFile>> {
    let Some(file) = files::open(path)? else { return Ok(None) };
    let len = file.metadata()?.len();
    let header = bytes(&file, 0..header_bytes as u64)?;
    if !header.starts_with(signature) {
        return Err(damaged("it is of another kind"));
    }
    let n_rows = usize::from(header[N_CHUNKS_AT]) + 1;
    let table_end = header_bytes + n_rows * ROW_BYTES;
    let table = bytes(&file, header_bytes as u64..table_end as u64)?;
    let rows: Vec<(&[u8], u64)> = table.chunks_exact(ROW_BYTES).map(|row| (&row[..4], be64(&row[4..]))).collect();
    let mut chunks = Vec::new();
    for pair in rows.windows(2) {
        let range = pair[0].1..pair[1].1;
        if range.start < table_end as u64 || range.end < range.start || len < range.end {
            return Err(damaged("a chunk lies outside of it"));
        }
        chunks.push(([pair[0].0[0], pair[0].0[1], pair[0].0[2], pair[0].0[3]], range));
    }
    Ok(Some(ChunkFile { file, header, chunks }))
}

impl ChunkFile {
    /// Is there a chunk of this name?
    pub(super) fn has(&self, name: &[u8; 4]) -> bool {
        self.range(name).is_some()
    }

    /// The content of a chunk; an error when it is absent or larger than `at_most`.
    pub(super) fn content(&self, name: &[u8; 4], at_most: u64) -> io::Result<Vec<u8>> {
        let range = self.range(name).ok_or_else(|| damaged("a chunk is missing"))?;
        if at_most < range.end - range.start {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        bytes(&self.file, range)
    }

    /// Number of ids: the last count of the fan-out table.
    pub(super) fn n_ids(&self) -> io::Result<u32> {
        let table = self.content(b"OIDF", FAN_BYTES)?;
        match table.last_chunk::<4>() {
            Some(last) if table.len() as u64 == FAN_BYTES => Ok(u32::from_be_bytes(*last)),
            _ => Err(damaged("its fan-out table has the wrong size")),
        }
    }

    fn range(&self, name: &[u8; 4]) -> Option<Range<u64>> {
        self.chunks.iter().find(|(chunk, _)| chunk == name).map(|(_, range)| range.clone())
    }
}

pub(super) fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn bytes(file: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.read_exact_at(&mut bytes, range.start).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it is cut off"),
        _ => error,
    })?;
    Ok(bytes)
}

fn be64(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}
