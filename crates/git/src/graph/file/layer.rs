//! One layer of a commit-graph: its ids in order, and where its rows are.

use std::{ops::Range, sync::OnceLock};

use alignwatch_model::Oid;
use gix_hash::Kind;

use super::{
    GraphFileError,
    format::{Chunks, NO_PARENT, NUMBERS_BYTES, be64, check_below, check_sizes, fan_of},
    rows::{Further, Rows},
    source::Source,
};

/// Bytes of rows that are read at once: as much as the processor keeps at hand.
const PIECE_BYTES: usize = 256 << 10;

/// One file of a commit-graph.
pub(super) struct Layer {
    pub(super) source: Source,
    pub(super) oid_len: usize,
    /// Slot of the first commit: the number of commits in the layers below.
    pub(super) first: u32,
    pub(super) n: u32,
    /// By first byte of an id: where those with a lower one end. One more for the end of all.
    pub(super) fan: Vec<u32>,
    pub(super) oids: Vec<u8>,
    /// Where its rows are in the file.
    pub(super) rows: Range<u64>,
    pub(super) trees: OnceLock<Vec<u8>>,
}

impl Layer {
    /// Checks a file, and adds what its rows say to those of the layers below.
    pub(super) fn read(
        source: Source,
        first: u32,
        below: &[Oid],
        hash: Kind,
        rows: &mut Rows,
    ) -> Result<Layer, GraphFileError> {
        let oid_len = hash.len_in_bytes();
        let chunks = Chunks::read(&source, hash)?;
        check_below(&source.bytes(chunks.base)?, below, oid_len).map_err(|what| source.damaged(what))?;
        let fan = fan_of(&source.bytes(chunks.fan)?).map_err(|what| source.damaged(what))?;
        let n = fan[256];
        check_sizes(&chunks.oids, &chunks.rows, n, oid_len).map_err(|what| source.damaged(what))?;
        if NO_PARENT <= first.saturating_add(n) {
            return Err(source.damaged("it claims more commits than the format can hold"));
        }
        let oids = source.bytes(chunks.oids)?;
        let mut further = Further { list: source.bytes(chunks.further)?, n_used: 0 };
        let layer = Layer { source, oid_len, first, n, fan, oids, rows: chunks.rows, trees: OnceLock::new() };
        rows.reserve(n as usize);
        layer.each_row(|row| {
            let numbers = row.last_chunk().expect("a row ends with its numbers");
            let pushed = rows.push(numbers, first + n, &mut further);
            pushed.map_err(|what| layer.source.damaged(what))
        })?;
        Ok(layer)
    }

    /// Reads all rows, a piece at a time.
    pub(super) fn each_row(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), GraphFileError>,
    ) -> Result<(), GraphFileError> {
        let row_len = self.oid_len + NUMBERS_BYTES;
        let mut piece = vec![0; (PIECE_BYTES / row_len * row_len).min((self.rows.end - self.rows.start) as usize)];
        for at in self.rows.clone().step_by(piece.len().max(1)) {
            let len = piece.len().min((self.rows.end - at) as usize);
            self.source.fill(&mut piece[..len], at)?;
            piece[..len].chunks_exact(row_len).try_for_each(&mut take)?;
        }
        Ok(())
    }

    pub(super) fn oid(&self, at: u32) -> &[u8] {
        &self.oids[at as usize * self.oid_len..][..self.oid_len]
    }

    pub(super) fn tree(&self, at: u32) -> &[u8] {
        let trees = self.trees.get_or_init(|| {
            let mut trees = Vec::with_capacity(self.n as usize * self.oid_len);
            let read = self.each_row(|row| {
                trees.extend_from_slice(&row[..self.oid_len]);
                Ok(())
            });
            if read.is_err() { vec![0; self.n as usize * self.oid_len] } else { trees }
        });
        &trees[at as usize * self.oid_len..][..self.oid_len]
    }

    /// Where this id is.
    pub(super) fn find(&self, oid: &[u8]) -> Option<u32> {
        if oid.len() != self.oid_len {
            return None;
        }
        let (low, high) = (self.fan[oid[0] as usize], self.fan[oid[0] as usize + 1]);
        let from = self.first_not_below(be64(oid), low..high);
        // More than one id with the same first 8 bytes does not happen by chance.
        (from..high).take_while(|&at| self.oid(at)[..8] == oid[..8]).find(|&at| self.oid(at) == oid)
    }

    /// The first of these ids, which share their first byte, whose first 8 bytes are `key` or more.
    pub(super) fn first_not_below(&self, key: u64, ids: Range<u32>) -> u32 {
        let Range { start: mut low, end: mut high } = self.enclose(key, ids);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle) < key { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Ids are evenly spread: the second guess by proportion is some five places off,
    /// and steps of growing width enclose the place from there.
    pub(super) fn enclose(&self, key: u64, ids: Range<u32>) -> Range<u32> {
        let Range { start: mut low, end: mut high } = ids;
        if low == high {
            return low..high;
        }
        let n = i64::from(high - low);
        // The four bytes behind the first one, as a share of all ids that start with that one.
        let share = |key: u64| (key << 8 >> 32) as i64;
        let guess =
            |from: u32, share: i64| (i64::from(from) + ((share * n) >> 32)).clamp(low.into(), i64::from(high) - 1);
        let first = guess(low, share(key)) as u32;
        let second = guess(first, share(key) - share(self.key(first))) as u32;
        let mut width = 4;
        if self.key(second) < key {
            low = second + 1;
            while low + width < high && self.key(low + width) < key {
                low += width + 1;
                width *= 2;
            }
            low..high.min(low + width)
        } else {
            high = second;
            while low + width < high && key <= self.key(high - width) {
                high -= width;
                width *= 2;
            }
            low.max(high.saturating_sub(width))..high
        }
    }

    pub(super) fn key(&self, at: u32) -> u64 {
        be64(self.oid(at))
    }

    pub(super) fn n_common(&self, other: &Layer) -> u32 {
        let (mut ours, mut theirs, mut n) = (0, 0, 0);
        while ours < self.n && theirs < other.n {
            let order = self.oid(ours).cmp(other.oid(theirs));
            ours += u32::from(order.is_le());
            theirs += u32::from(order.is_ge());
            n += u32::from(order.is_eq());
        }
        n
    }
}
