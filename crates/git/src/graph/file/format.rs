//! Where a file of a commit-graph keeps what, and what is checked before any of it is believed.

use std::ops::Range;

use alignwatch_model::Oid;
use gix_hash::Kind;

use super::{GraphFileError, source::Source};

/// Bytes before the table of chunks.
const HEADER_BYTES: u64 = 8;

/// Bytes of a commit's data behind the id of its tree: two parents, generation and date.
pub(super) const NUMBERS_BYTES: usize = 16;

/// "No parent" in the file.
pub(super) const NO_PARENT: u32 = 0x7000_0000;

/// Where a file of a commit-graph keeps what; the chunks that we read.
#[derive(Default)]
pub(super) struct Chunks {
    pub(super) fan: Range<u64>,
    pub(super) oids: Range<u64>,
    pub(super) rows: Range<u64>,
    pub(super) further: Range<u64>,
    pub(super) base: Range<u64>,
}

impl Chunks {
    pub(super) fn read(source: &Source, hash: Kind) -> Result<Chunks, GraphFileError> {
        let end = source.len.saturating_sub(hash.len_in_bytes() as u64);
        let header = source.bytes(0..HEADER_BYTES.min(source.len))?;
        check_header(&header, hash).map_err(|what| source.damaged(what))?;
        let table = HEADER_BYTES..HEADER_BYTES + 12 * (u64::from(header[6]) + 1);
        if end < table.end {
            return Err(source.damaged("it is cut off"));
        }
        Chunks::parse(&source.bytes(table.clone())?, table.end..end).map_err(|what| source.damaged(what))
    }

    /// Finds the chunks in their table; all of them must lie inside `space`.
    pub(super) fn parse(table: &[u8], space: Range<u64>) -> Result<Chunks, &'static str> {
        let rows: Vec<&[u8]> = table.chunks_exact(12).collect();
        let mut chunks = Chunks::default();
        for pair in rows.windows(2) {
            let range = be64(&pair[0][4..])..be64(&pair[1][4..]);
            if range.start < space.start || range.end < range.start || space.end < range.end {
                return Err("a chunk lies outside of the file");
            }
            match &pair[0][..4] {
                b"OIDF" => chunks.fan = range,
                b"OIDL" => chunks.oids = range,
                b"CDAT" => chunks.rows = range,
                b"EDGE" => chunks.further = range,
                b"BASE" => chunks.base = range,
                _ => {}
            }
        }
        Ok(chunks)
    }
}

pub(super) fn check_header(header: &[u8], hash: Kind) -> Result<(), &'static str> {
    let hash_version = if hash == Kind::Sha256 { 2 } else { 1 };
    match header {
        [b'C', b'G', b'P', b'H', 1, version, ..] if *version != hash_version => Err("it is of another object format"),
        [b'C', b'G', b'P', b'H', 1, _, _, _] => Ok(()),
        [b'C', b'G', b'P', b'H', _, _, _, _] => Err("its version is not 1"),
        _ => Err("it is no commit-graph"),
    }
}

pub(super) fn check_sizes(oids: &Range<u64>, rows: &Range<u64>, n: u32, oid_len: usize) -> Result<(), &'static str> {
    if oids.end - oids.start != u64::from(n) * oid_len as u64 {
        Err("its list of ids has the wrong size")
    } else if rows.end - rows.start != u64::from(n) * (oid_len + NUMBERS_BYTES) as u64 {
        Err("its commit data has the wrong size")
    } else {
        Ok(())
    }
}

/// Are the layers below those that this layer was written for? Without that, its slots name other commits.
pub(super) fn check_below(base: &[u8], below: &[Oid], oid_len: usize) -> Result<(), &'static str> {
    let named = base.chunks(oid_len);
    if named.len() == below.len() && named.zip(below).all(|(named, below)| named == below.as_bytes()) {
        Ok(())
    } else {
        Err("it belongs on top of other layers")
    }
}

/// The fan-out table, which never falls, with a zero before it.
pub(super) fn fan_of(table: &[u8]) -> Result<Vec<u32>, &'static str> {
    let fan: Vec<u32> = std::iter::once(0).chain(table.chunks_exact(4).map(|count| be32(count, 0))).collect();
    match fan.len() {
        257 if fan.is_sorted() => Ok(fan),
        257 => Err("its fan-out table is out of order"),
        _ => Err("its fan-out table has the wrong size"),
    }
}

#[inline]
pub(super) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The first 8 bytes.
#[inline]
pub(super) fn be64(bytes: &[u8]) -> u64 {
    u64::from(be32(bytes, 0)) << 32 | u64::from(be32(bytes, 4))
}
