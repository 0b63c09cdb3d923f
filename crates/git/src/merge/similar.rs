//! Finds files that may be the same file under another name.
//!
//! Git calls a removed and an added file a rename when at least half of the
//! larger one's bytes stand in both, counted in lines (pieces of at most 64
//! bytes where lines are long). The same measure is computed here, for all
//! added files at once through an index from line to file. Git counts through
//! small hashes, which can make files look a little more alike than they are;
//! so what lies near the half is [`Likeness::Unclear`].

use std::{hash::Hasher, rc::Rc};

use alignwatch_model::Oid;
use rustc_hash::{FxHashMap, FxHasher};

use super::text::is_binary;
use crate::objects::{Objects, ReadError};

/// Longest piece that is compared as one. Source: Git's rename detection.
const PIECE_AT_MOST_BYTES: usize = 64;

/// Below this share of the larger file, no rename. Git's limit is 0.5; a file of 5,000
/// lines loses at most a twentieth to collisions of Git's 107,927 hash values.
const NOT_ALIKE_BELOW: f64 = 0.44;

/// From this share on, a rename for certain: Git can only count more, never less.
const ALIKE_FROM: f64 = 0.5;

/// A line in more files than this is no help in finding likely ones.
const COMMON_IN_FILES: usize = 200;

/// Files and bytes that are indexed at most; beyond that, Git is asked.
const INDEX_AT_MOST: (usize, u64) = (20_000, 128 << 20);

/// Largest file that is compared; Git compares larger ones, too, so it is asked.
const FILE_AT_MOST_BYTES: u64 = 4 << 20;

/// How alike two files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// A rename, if nothing else wants the file.
    Alike,
    /// Near the limit, or not compared.
    Unclear,
}

/// Files that are like one, and how much.
pub(super) type Like = Rc<Vec<(Oid, Likeness)>>;

/// An index of files, to ask which of them are like a given one.
#[derive(Default)]
pub(super) struct SimilarFiles {
    sketches: Vec<Rc<Sketch>>,
    numbers: FxHashMap<Oid, u32>,
    files_with: FxHashMap<u64, Vec<(u32, u32)>>,
    n_bytes: u64,
    answers: FxHashMap<Oid, (usize, Like)>,
    is_full: bool,
}

/// The pieces of one file: hash and bytes, sorted by hash.
struct Sketch {
    oid: Oid,
    size_bytes: u64,
    pieces: Vec<(u64, u32)>,
}

impl SimilarFiles {
    /// Takes a file into the index. Errors: the blob can't be read.
    pub(super) fn add(&mut self, objects: &Objects, oid: &Oid) -> Result<(), ReadError> {
        if self.is_full || self.numbers.contains_key(oid) {
            return Ok(());
        }
        let Some(sketch) = Sketch::of(objects, oid)? else {
            self.is_full = true;
            return Ok(());
        };
        self.n_bytes += sketch.size_bytes;
        self.is_full = INDEX_AT_MOST.0 <= self.sketches.len() || INDEX_AT_MOST.1 < self.n_bytes;
        let number = self.sketches.len() as u32;
        for &(piece, bytes) in &sketch.pieces {
            self.files_with.entry(piece).or_default().push((number, bytes));
        }
        self.numbers.insert(*oid, number);
        self.sketches.push(Rc::new(sketch));
        Ok(())
    }

    /// The index could not take all files that it was given: no answer is complete.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// All indexed files that are like this one, the same content included.
    ///
    /// Errors: the blob can't be read. A blob too large to compare is unclear against all of its size.
    pub(super) fn like(&mut self, objects: &Objects, oid: &Oid) -> Result<Like, ReadError> {
        if let Some((n_indexed, answer)) = self.answers.get(oid)
            && *n_indexed == self.sketches.len()
        {
            return Ok(answer.clone());
        }
        let answer = match Sketch::of(objects, oid)? {
            Some(sketch) => Rc::new(self.search(&sketch)),
            None => Rc::new(self.sketches.iter().map(|other| (other.oid, Likeness::Unclear)).collect()),
        };
        self.answers.insert(*oid, (self.sketches.len(), answer.clone()));
        Ok(answer)
    }

    fn search(&self, wanted: &Sketch) -> Vec<(Oid, Likeness)> {
        let mut common_bytes = 0;
        let mut shared: FxHashMap<u32, u64> = FxHashMap::default();
        for (piece, bytes) in &wanted.pieces {
            match self.files_with.get(piece) {
                Some(files) if COMMON_IN_FILES < files.len() => common_bytes += u64::from(*bytes),
                Some(files) => {
                    for (number, there) in files {
                        *shared.entry(*number).or_default() += u64::from(*bytes.min(there));
                    }
                }
                None => {}
            }
        }
        let judge = |number: u32, shared_bytes: u64| {
            let other = &self.sketches[number as usize];
            let may_be = NOT_ALIKE_BELOW <= share(shared_bytes + common_bytes, wanted.size_bytes, other.size_bytes);
            may_be.then(|| wanted.likeness(other)).flatten().map(|likeness| (other.oid, likeness))
        };
        if (common_bytes as f64) < NOT_ALIKE_BELOW * wanted.size_bytes as f64 {
            return shared.iter().filter_map(|(number, bytes)| judge(*number, *bytes)).collect();
        }
        // Made of lines that stand everywhere: then every file may be like it.
        let bytes = |number: &u32| shared.get(number).copied().unwrap_or(0);
        (0..self.sketches.len() as u32).filter_map(|number| judge(number, bytes(&number))).collect()
    }
}

/// The share of the larger file that both have; 0 when their sizes alone rule a rename out.
fn share(common_bytes: u64, a: u64, b: u64) -> f64 {
    let larger = a.max(b);
    if larger == 0 || a.min(b) == 0 || larger < 2 * (larger - a.min(b)) {
        return 0.0;
    }
    common_bytes as f64 / larger as f64
}

impl Sketch {
    fn of(objects: &Objects, oid: &Oid) -> Result<Option<Sketch>, ReadError> {
        if FILE_AT_MOST_BYTES < objects.kind_and_size(oid)?.1 {
            return Ok(None);
        }
        let content = objects.blob(oid)?;
        Ok(Some(Sketch { oid: *oid, size_bytes: content.len() as u64, pieces: pieces(&content) }))
    }

    fn likeness(&self, other: &Sketch) -> Option<Likeness> {
        if self.oid == other.oid && 0 < self.size_bytes {
            return Some(Likeness::Alike);
        }
        match share(self.common_bytes(other), self.size_bytes, other.size_bytes) {
            share if ALIKE_FROM <= share => Some(Likeness::Alike),
            share if NOT_ALIKE_BELOW <= share => Some(Likeness::Unclear),
            _ => None,
        }
    }

    fn common_bytes(&self, other: &Sketch) -> u64 {
        let (mut i, mut j, mut common) = (0, 0, 0);
        while let (Some(a), Some(b)) = (self.pieces.get(i), other.pieces.get(j)) {
            if a.0 == b.0 {
                common += u64::from(a.1.min(b.1));
            }
            i += usize::from(a.0 <= b.0);
            j += usize::from(b.0 <= a.0);
        }
        common
    }
}

/// Lines, or 64 bytes where lines are longer; a carriage return before a newline does not count in text.
fn pieces(content: &[u8]) -> Vec<(u64, u32)> {
    let is_text = !is_binary(content);
    let mut pieces: Vec<(u64, u32)> = Vec::new();
    let mut piece: Vec<u8> = Vec::with_capacity(PIECE_AT_MOST_BYTES);
    let mut rest = content.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if is_text && byte == b'\r' && rest.peek() == Some(&b'\n') {
            continue;
        }
        piece.push(byte);
        if byte == b'\n' || piece.len() == PIECE_AT_MOST_BYTES || rest.peek().is_none() {
            let mut hasher = FxHasher::default();
            hasher.write(&piece);
            pieces.push((hasher.finish(), piece.len() as u32));
            piece.clear();
        }
    }
    pieces.sort_unstable();
    pieces.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += if same { next.1 } else { 0 };
        same
    });
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(text: &str) -> Sketch {
        let oid = Oid::from_bytes(&[text.len() as u8; 20]).unwrap();
        Sketch { oid, size_bytes: text.len() as u64, pieces: pieces(text.as_bytes()) }
    }

    #[test]
    fn half_of_the_larger_file_makes_a_rename() {
        let lines = |from: u32, to: u32| (from..to).map(|n| format!("line number {n}\n")).collect::<String>();
        let whole = sketch(&lines(10, 90));
        assert_eq!(whole.likeness(&sketch(&lines(10, 60))), Some(Likeness::Alike));
        assert_eq!(whole.likeness(&sketch(&(lines(10, 48) + &lines(100, 130)))), Some(Likeness::Unclear));
        assert_eq!(whole.likeness(&sketch(&(lines(10, 40) + &lines(100, 130)))), None);
        assert_eq!(whole.likeness(&sketch(&lines(10, 30))), None, "too small by its size alone");
    }

    #[test]
    fn line_ends_of_windows_do_not_count() {
        assert_eq!(pieces(b"a\r\nb\r\n").len(), 2);
        assert_eq!(pieces(b"a\r\n")[0], pieces(b"a\n")[0]);
        assert_eq!(pieces(&[b'x'; 200]).iter().map(|piece| piece.1).sum::<u32>(), 200);
    }
}
