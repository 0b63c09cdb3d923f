//! Finds files that may be the same file under another name.
//!
//! Git calls a removed and an added file a rename when at least half of the
//! larger one's bytes stand in both, counted in lines (pieces of at most 64
//! bytes where lines are long). The same measure is computed here, for all
//! added files at once through an index from line to file. Git counts through
//! small hashes, which can make files look a little more alike than they are;
//! so what lies near the half is [`Likeness::Unclear`].

use std::{
    hash::Hasher,
    iter,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use alignwatch_model::Oid;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::{sides::Sides, text::is_binary};
use crate::{
    memory::{Memory, Shelf},
    objects::{Objects, ReadError},
};

/// Longest piece that is compared as one. Source: Git's rename detection.
const PIECE_AT_MOST_BYTES: usize = 64;

/// Below this share of the larger file, no rename. Git's limit is 0.5; a file of 5,000
/// lines loses at most a twentieth to collisions of Git's 107,927 hash values.
const NOT_ALIKE_BELOW: f64 = 0.44;

/// From this share on, a rename for certain: Git can only count more, never less.
const ALIKE_FROM: f64 = 0.5;

/// Pieces from which on Git's small hashes collide so often that what is unlike may be a rename to it.
///
/// Source: measured with Git 2.47: 30,000 lines of which 43 % are in common are a rename.
const COLLIDE_FROM_PIECES: usize = 5_000;

/// A line in more files than this is no help in finding likely ones.
const COMMON_IN_FILES: u32 = 200;

/// Files and bytes that are indexed at most; beyond that, Git is asked.
const INDEX_AT_MOST: (usize, u64) = (40_000, 256 << 20);

/// Bytes of files up to which an index is kept from one prediction to the next. Source: ours; as much memory, about.
const KEPT_AT_MOST_BYTES: u64 = 32 << 20;

/// The same for the pieces of files. Source: ours.
const SKETCHES_KEPT_AT_MOST_BYTES: usize = 48 << 20;

/// Files that are told to be like others, of all answers that are kept from one prediction to the next, with the answers
/// themselves. Source: ours; some 10 MiB.
const ANSWERS_KEPT_AT_MOST: usize = 200_000;

/// Largest file that is compared; Git compares larger ones, too, so it is asked.
const FILE_AT_MOST_BYTES: u64 = 4 << 20;

/// Raised whenever the pieces of a file could come out differently than before.
const SKETCHES: &str = "1";

/// How alike two files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// A rename, if nothing else wants the file.
    Alike,
    /// Near the limit, or not compared.
    Unclear,
}

/// Files that are like one, and how much.
pub(super) type Like = Arc<Vec<(Oid, Likeness)>>;

/// The pieces of files, remembered: reading and cutting a file takes ten times as long.
pub(super) struct Sketches {
    memory: Memory,
    /// Opened when it is first needed.
    shelf: OnceLock<Mutex<Shelf>>,
}

impl Sketches {
    fn remembered_in(memory: &Memory) -> Arc<Sketches> {
        Arc::new(Sketches { memory: memory.clone(), shelf: OnceLock::new() })
    }

    /// Errors: the file can't be read. `None` is one that is too large to compare.
    fn of(&self, objects: &Objects, oid: &Oid) -> Result<Option<Sketch>, ReadError> {
        if self.memory.folder().is_none() {
            return Sketch::of(objects, oid);
        }
        if let Some(sketch) = self.shelf().get(oid.as_bytes()).and_then(|bytes| Sketch::from_bytes(*oid, bytes)) {
            return Ok(Some(sketch));
        }
        let sketch = Sketch::of(objects, oid)?;
        if let Some(sketch) = &sketch {
            self.shelf().put(oid.as_bytes(), sketch.to_bytes());
        }
        Ok(sketch)
    }

    fn size_bytes(&self) -> usize {
        self.shelf.get().map_or(0, |shelf| shelf.lock().unwrap_or_else(PoisonError::into_inner).size_bytes())
    }

    /// Writes what is new.
    pub(super) fn save(&self) {
        if let Some(shelf) = self.shelf.get() {
            // A memory that can't be written costs time on the next run, nothing else.
            let _ = shelf.lock().unwrap_or_else(PoisonError::into_inner).save();
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        let shelf = self.shelf.get_or_init(|| Mutex::new(self.memory.shelf("sketches", SKETCHES)));
        shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An index of files, to ask which of them are like a given one: first filled and then asked, by several threads.
pub(crate) struct SimilarFiles {
    sketches: Arc<Sketches>,
    index: RwLock<Index>,
    answers: Mutex<FxHashMap<Oid, Answered>>,
}

/// What is like a file, among so many as were indexed then.
#[derive(Clone)]
struct Answered {
    n_files: usize,
    like: Like,
}

/// The files of one repository that the last prediction compared, for the next one.
#[derive(Clone, Default)]
pub struct RecentFiles(Arc<Mutex<Compared>>);

#[derive(Default)]
struct Compared {
    sketches: Option<Arc<Sketches>>,
    files: Option<Arc<SimilarFiles>>,
    sides: Sides,
}

impl RecentFiles {
    /// The pieces of files.
    pub(super) fn sketches(&self, memory: &Memory) -> Arc<Sketches> {
        let mut compared = self.compared();
        Arc::clone(compared.sketches.get_or_insert_with(|| Sketches::remembered_in(memory)))
    }

    /// An index to be filled, with what it knows already.
    pub(super) fn take(&self, memory: &Memory) -> Arc<SimilarFiles> {
        let known = self.compared().files.take();
        known.unwrap_or_else(|| Arc::new(SimilarFiles::with(self.sketches(memory))))
    }

    /// What the sides of pairs changed.
    pub(super) fn sides(&self) -> Sides {
        self.compared().sides.clone()
    }

    /// Keeps an index, and the pieces of files, where they are small, and what sides changed, of those that were asked for.
    pub(super) fn put(&self, files: Arc<SimilarFiles>) {
        files.begin_anew();
        let mut compared = self.compared();
        compared.sides.end_look();
        if SKETCHES_KEPT_AT_MOST_BYTES < files.sketches.size_bytes() {
            *compared = Compared::default();
        } else if files.is_small() {
            compared.files = Some(files);
        }
    }

    fn compared(&self) -> MutexGuard<'_, Compared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Index {
    sketches: Vec<Sketch>,
    /// By piece: the last place where it stands, and in how many files.
    last_places: FxHashMap<u64, (u32, u32)>,
    /// All pieces of all files, in one row: a list for each piece would be a million small ones.
    places: Vec<Place>,
    n_bytes: u64,
    /// Files that some thread took in, or is about to.
    taken: FxHashSet<Oid>,
    unread: FxHashMap<Oid, ReadError>,
    is_full: bool,
}

/// A piece of a file.
struct Place {
    /// Number of the file.
    file: u32,
    bytes: u32,
    /// The place before this one where the same piece stands, or [`NOWHERE`].
    before: u32,
}

/// No place.
const NOWHERE: u32 = u32::MAX;

/// The pieces of one file: hash and bytes, sorted by hash.
struct Sketch {
    oid: Oid,
    size_bytes: u64,
    pieces: Vec<(u64, u32)>,
}

impl SimilarFiles {
    /// None yet.
    pub(super) fn with(sketches: Arc<Sketches>) -> SimilarFiles {
        SimilarFiles { sketches, index: RwLock::default(), answers: Mutex::default() }
    }

    /// Writes what is new of the files.
    pub(super) fn save(&self) {
        self.sketches.save();
    }

    fn is_small(&self) -> bool {
        let index = self.index();
        // What comes next is to find room in it.
        index.sketches.len() <= INDEX_AT_MOST.0 / 4 && index.n_bytes <= KEPT_AT_MOST_BYTES
    }

    /// What could not be read may be there now.
    fn begin_anew(&self) {
        {
            let mut answers = self.answers();
            if ANSWERS_KEPT_AT_MOST < answers.values().map(|answered| 1 + answered.like.len()).sum() {
                answers.clear();
            }
        }
        let mut index = self.index_mut();
        let unread = std::mem::take(&mut index.unread);
        index.taken.retain(|oid| !unread.contains_key(oid));
    }

    /// Takes files into the index. One that can't be read is told by [`SimilarFiles::check`].
    pub(super) fn add<'a>(&self, objects: &Objects, oids: impl Iterator<Item = &'a Oid>) {
        let mut index = self.index_mut();
        let new: Vec<Oid> = oids.copied().filter(|oid| !index.is_full && index.taken.insert(*oid)).collect();
        drop(index);
        // Reading takes long, so nobody waits for it.
        let sketches: Vec<_> = new.into_iter().map(|oid| (oid, self.sketches.of(objects, &oid))).collect();
        let mut index = self.index_mut();
        for (oid, sketch) in sketches {
            match sketch {
                Ok(sketch) => index.add(sketch),
                Err(error) => drop(index.unread.insert(oid, error)),
            }
        }
    }

    /// Were all these files read? Errors: the first that was not.
    pub(super) fn check<'a>(&self, oids: impl Iterator<Item = &'a Oid>) -> Result<(), ReadError> {
        let index = self.index();
        if index.unread.is_empty() {
            return Ok(());
        }
        let mut unread = oids.filter_map(|oid| index.unread.get(oid));
        unread.next().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// The index could not take all files that it was given: no answer is complete.
    pub(super) fn is_full(&self) -> bool {
        self.index().is_full
    }

    /// All indexed files that are like this one, the same content included. To be asked when all were added.
    ///
    /// Errors: the blob can't be read. A blob too large to compare is unclear against all of its size.
    pub(super) fn like(&self, objects: &Objects, oid: &Oid) -> Result<Like, ReadError> {
        let index = self.index();
        let n_files = index.sketches.len();
        let before = self.answers().get(oid).cloned();
        if let Some(answered) = before.as_ref().filter(|answered| answered.n_files == n_files) {
            return Ok(Arc::clone(&answered.like));
        }
        let like = Arc::new(match (self.sketches.of(objects, oid)?, before) {
            (Some(sketch), Some(before)) => {
                let new = index.sketches[before.n_files..].iter();
                let new = new.filter_map(|other| Some((other.oid, sketch.likeness(other)?)));
                before.like.iter().copied().chain(new).collect()
            }
            (Some(sketch), None) => index.search(&sketch),
            (None, _) => index.sketches.iter().map(|other| (other.oid, Likeness::Unclear)).collect(),
        });
        self.answers().insert(*oid, Answered { n_files, like: Arc::clone(&like) });
        Ok(like)
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn answers(&self) -> MutexGuard<'_, FxHashMap<Oid, Answered>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    /// Adds a file; `None` is one that is too large to compare.
    fn add(&mut self, sketch: Option<Sketch>) {
        let Some(sketch) = sketch.filter(|_| !self.is_full) else {
            self.is_full = true;
            return;
        };
        self.n_bytes += sketch.size_bytes;
        self.is_full = INDEX_AT_MOST.0 <= self.sketches.len() || INDEX_AT_MOST.1 < self.n_bytes;
        let file = self.sketches.len() as u32;
        for &(piece, bytes) in &sketch.pieces {
            let (last, n_files) = self.last_places.entry(piece).or_insert((NOWHERE, 0));
            let before = std::mem::replace(last, self.places.len() as u32);
            *n_files += 1;
            self.places.push(Place { file, bytes, before });
        }
        self.sketches.push(sketch);
    }

    /// Where a piece stands, from this place on.
    fn places(&self, last: u32) -> impl Iterator<Item = &Place> {
        iter::successors(self.places.get(last as usize), |place| self.places.get(place.before as usize))
    }

    fn search(&self, wanted: &Sketch) -> Vec<(Oid, Likeness)> {
        let mut common_bytes = 0;
        let mut shared: FxHashMap<u32, u64> = FxHashMap::default();
        for (piece, bytes) in &wanted.pieces {
            match self.last_places.get(piece) {
                Some((_, n_files)) if COMMON_IN_FILES < *n_files => common_bytes += u64::from(*bytes),
                Some((last, _)) => {
                    for place in self.places(*last) {
                        *shared.entry(place.file).or_default() += u64::from(*bytes.min(&place.bytes));
                    }
                }
                None => {}
            }
        }
        let judge = |number: u32, shared_bytes: u64| {
            let other = &self.sketches[number as usize];
            let may_be = NOT_ALIKE_BELOW <= share(shared_bytes + common_bytes, wanted.size_bytes, other.size_bytes)
                || wanted.may_collide(other);
            may_be.then(|| wanted.likeness(other)).flatten().map(|likeness| (other.oid, likeness))
        };
        if !wanted.is_large() && (common_bytes as f64) < NOT_ALIKE_BELOW * wanted.size_bytes as f64 {
            return shared.iter().filter_map(|(number, bytes)| judge(*number, *bytes)).collect();
        }
        // Large, or made of lines that stand everywhere: then every file may be like it.
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
        let content = match objects.blob_up_to(oid, FILE_AT_MOST_BYTES) {
            Err(ReadError::TooLarge(..)) => return Ok(None),
            content => content?,
        };
        Ok(Some(Sketch { oid: *oid, size_bytes: content.len() as u64, pieces: pieces(&content) }))
    }

    /// The size of the file, and each piece: hash and bytes. All little-endian.
    fn to_bytes(&self) -> Vec<u8> {
        let pieces = self.pieces.iter().flat_map(|(hash, bytes)| iter::chain(hash.to_le_bytes(), bytes.to_le_bytes()));
        iter::chain(self.size_bytes.to_le_bytes(), pieces).collect()
    }

    fn from_bytes(oid: Oid, bytes: &[u8]) -> Option<Sketch> {
        let (size, pieces) = bytes.split_first_chunk()?;
        let piece = |piece: &[u8; 12]| {
            let (hash, bytes) = piece.split_at(8);
            (u64::from_le_bytes(hash.try_into().expect("8")), u32::from_le_bytes(bytes.try_into().expect("4")))
        };
        let (pieces, rest) = pieces.as_chunks();
        let sketch = Sketch { oid, size_bytes: u64::from_le_bytes(*size), pieces: pieces.iter().map(piece).collect() };
        rest.is_empty().then_some(sketch)
    }

    fn is_large(&self) -> bool {
        COLLIDE_FROM_PIECES < self.pieces.len()
    }

    /// Are both large, and of sizes that do not rule a rename out?
    fn may_collide(&self, other: &Sketch) -> bool {
        let all = self.size_bytes.max(other.size_bytes);
        self.is_large() && other.is_large() && 0.0 < share(all, self.size_bytes, other.size_bytes)
    }

    fn likeness(&self, other: &Sketch) -> Option<Likeness> {
        if self.oid == other.oid && 0 < self.size_bytes {
            return Some(Likeness::Alike);
        }
        match share(self.common_bytes(other), self.size_bytes, other.size_bytes) {
            share if ALIKE_FROM <= share => Some(Likeness::Alike),
            share if NOT_ALIKE_BELOW <= share => Some(Likeness::Unclear),
            _ if self.may_collide(other) => Some(Likeness::Unclear),
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
    let mut add = |line: &[u8]| {
        for piece in line.chunks(PIECE_AT_MOST_BYTES) {
            let mut hasher = FxHasher::default();
            hasher.write(piece);
            pieces.push((hasher.finish(), piece.len() as u32));
        }
    };
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', content).map(|at| at + 1).chain([content.len()]) {
        let line = &content[start..end];
        start = end;
        match line.strip_suffix(b"\r\n") {
            Some(text) if is_text => add(&[text, b"\n"].concat()),
            _ => add(line),
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
