//! Reads Git's commit-graph format: one file, or a chain of layers.
//!
//! Format: gitformat-commit-graph(5), version 1, SHA-1 and SHA-256. A commit's
//! place in the file is called its slot here; the slots of a layer follow those
//! of the layers below it.
//!
//! A file is believed as far as Git believes it: its checksum is not verified
//! on each start. But every offset, count and slot is checked before it is used,
//! so a truncated or hostile file is an error and never a panic or endless loop;
//! at worst a file that lies consistently gives wrong numbers. Generation
//! numbers are handed on as hints for an order that others prove. Files are
//! read, not mapped: a map of a file that shrinks would kill the process.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use alignwatch_model::{Oid, Timestamp};
use gix_hash::Kind;

use super::edges::{Edges, NONE};

/// Marks the second parent as an index into the list of further parents.
const MANY: u32 = 0x8000_0000;

/// Ends a list of further parents.
const LAST: u32 = 0x8000_0000;

/// "No parent" in the file.
const NO_PARENT: u32 = 0x7000_0000;

/// Bytes before the table of chunks.
const HEADER_BYTES: usize = 8;

/// Bytes of a commit's data behind the id of its tree: two parents, generation and date.
const NUMBERS_BYTES: usize = 16;

/// The largest file that is read: four thousand million bytes hold 70 million commits.
const FILE_AT_MOST: u64 = 4 << 30;

/// Layers in a chain at most. Git merges layers long before that.
const LAYERS_AT_MOST: usize = 1000;

/// Why a commit-graph can't be used.
#[derive(Debug, thiserror::Error)]
pub enum GraphFileError {
    /// A file is there and can't be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is no sound commit-graph.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What is wrong in it, as a sentence part.
        what: &'static str,
    },
}

/// The layers of one commit-graph, the oldest first. Without layers it is empty.
#[derive(Default)]
pub(super) struct Chain {
    layers: Vec<Layer>,
    /// The top layers that could not be used, if any: what is here is a sound prefix.
    pub(super) damage: Option<GraphFileError>,
}

/// One file of a commit-graph.
struct Layer {
    path: PathBuf,
    bytes: Vec<u8>,
    oid_len: usize,
    /// Slot of the first commit: the number of commits in the layers below.
    first: u32,
    n: u32,
    fan: usize,
    oids: usize,
    data: usize,
    extra: Range<usize>,
}

/// Where a file of a commit-graph keeps what; the chunks that we read.
#[derive(Default)]
struct Chunks {
    fan: Range<usize>,
    oids: Range<usize>,
    data: Range<usize>,
    extra: Range<usize>,
    base: Range<usize>,
}

impl Chain {
    /// The commit-graph that Git would use: of the first object directory that has one,
    /// the single file before the chain. Layers of a chain may lie in any of the directories.
    ///
    /// What is damaged is left out and named in `damage`.
    pub(super) fn load(object_dirs: &[PathBuf], hash: Kind) -> Chain {
        for dir in object_dirs {
            let single = Chain::load_file(&dir.join("info/commit-graph"), hash);
            let chain = if single.is_absent() { load_chain(dir, object_dirs, hash) } else { single };
            if !chain.is_absent() {
                return chain;
            }
        }
        Chain::default()
    }

    /// The commit-graph in this one file; empty when there is none.
    pub(super) fn load_file(path: &Path, hash: Kind) -> Chain {
        let mut chain = Chain::default();
        match read(path) {
            Ok(None) => {}
            Ok(Some(bytes)) => chain.push(path, bytes, &[], hash),
            Err(error) => chain.damage = Some(error),
        }
        chain
    }

    /// No commit-graph, not even a damaged one?
    pub(super) fn is_absent(&self) -> bool {
        self.layers.is_empty() && self.damage.is_none()
    }

    /// Number of layers.
    pub(super) fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// Number of commits in all layers.
    pub(super) fn len(&self) -> u32 {
        self.layers.last().map_or(0, |layer| layer.first + layer.n)
    }

    /// The slot of a commit.
    pub(super) fn find(&self, oid: &Oid) -> Option<u32> {
        self.layers.iter().rev().find_map(|layer| layer.find(oid.as_bytes()).map(|at| layer.first + at))
    }

    /// The commit's id. `slot` must be below [`Chain::len`].
    pub(super) fn oid(&self, slot: u32) -> Oid {
        let (layer, at) = self.layer(slot);
        to_oid(layer.oid(at))
    }

    /// The id of the commit's tree. `slot` must be below [`Chain::len`].
    pub(super) fn tree(&self, slot: u32) -> Oid {
        let (layer, at) = self.layer(slot);
        to_oid(&layer.commit(at)[..layer.oid_len])
    }

    /// The committer date; the format keeps its lower 34 bits. `slot` must be below [`Chain::len`].
    pub(super) fn date(&self, slot: u32) -> Timestamp {
        let (layer, at) = self.layer(slot);
        layer.date(at)
    }

    /// The committer dates of all commits, by slot.
    pub(super) fn dates(&self) -> impl Iterator<Item = Timestamp> {
        self.layers.iter().flat_map(|layer| (0..layer.n).map(|at| layer.date(at)))
    }

    /// All commits' parents, by slot, and their topological levels as the file has them.
    pub(super) fn edges(&self) -> Result<(Edges, Vec<u32>), GraphFileError> {
        let n = self.len() as usize;
        let mut edges = Edges::with_capacity(n);
        let mut levels = Vec::with_capacity(n);
        for layer in &self.layers {
            layer.edges(&mut edges, &mut levels)?;
        }
        Ok((edges, levels))
    }

    /// How many commits both have. Both lists of ids are sorted, so this is one pass over each pair of layers.
    pub(super) fn n_common(&self, other: &Chain) -> u32 {
        let pairs = self.layers.iter().flat_map(|ours| other.layers.iter().map(move |theirs| (ours, theirs)));
        pairs.map(|(ours, theirs)| ours.n_common(theirs)).sum()
    }

    /// An error about the uppermost file.
    pub(super) fn damaged(&self, what: &'static str) -> GraphFileError {
        let path = self.layers.last().map(|layer| layer.path.clone()).unwrap_or_default();
        GraphFileError::Damaged { path, what }
    }

    fn layer(&self, slot: u32) -> (&Layer, u32) {
        // One or two layers in almost all repositories; Git keeps chains logarithmically short.
        let at = self.layers.iter().rposition(|layer| layer.first <= slot).expect("the slot is one of ours");
        (&self.layers[at], slot - self.layers[at].first)
    }

    fn push(&mut self, path: &Path, bytes: Vec<u8>, below: &[Oid], hash: Kind) {
        match Layer::parse(path, bytes, self.len(), below, hash) {
            Ok(layer) => self.layers.push(layer),
            Err(what) => self.damage = Some(GraphFileError::Damaged { path: path.to_owned(), what }),
        }
    }
}

/// A chain of layers, read once more when somebody replaced it meanwhile.
fn load_chain(dir: &Path, object_dirs: &[PathBuf], hash: Kind) -> Chain {
    let chain = load_chain_once(dir, object_dirs, hash);
    match &chain.damage {
        Some(GraphFileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            load_chain_once(dir, object_dirs, hash)
        }
        _ => chain,
    }
}

fn load_chain_once(dir: &Path, object_dirs: &[PathBuf], hash: Kind) -> Chain {
    let list = dir.join("info/commit-graphs/commit-graph-chain");
    let mut chain = Chain::default();
    let names = match read(&list).and_then(|text| layer_names(&list, &text.unwrap_or_default(), hash)) {
        Ok(names) => names,
        Err(error) => return Chain { damage: Some(error), ..chain },
    };
    for (at, name) in names.iter().enumerate() {
        match read_layer(name, dir, object_dirs) {
            Ok((path, bytes)) => chain.push(&path, bytes, &names[..at], hash),
            Err(error) => chain.damage = Some(error),
        }
        if chain.damage.is_some() {
            break;
        }
    }
    chain
}

fn layer_names(list: &Path, text: &[u8], hash: Kind) -> Result<Vec<Oid>, GraphFileError> {
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let name = |line: &[u8]| Oid::from_hex(line).ok().filter(|oid| oid.as_bytes().len() == hash.len_in_bytes());
    let names = lines.into_iter().map(name).collect::<Option<Vec<Oid>>>();
    names
        .filter(|names| names.len() <= LAYERS_AT_MOST)
        .ok_or_else(|| GraphFileError::Damaged { path: list.to_owned(), what: "it is not a list of layer names" })
}

/// The file of this layer in the first directory that has it.
fn read_layer(name: &Oid, dir: &Path, object_dirs: &[PathBuf]) -> Result<(PathBuf, Vec<u8>), GraphFileError> {
    let file = format!("info/commit-graphs/graph-{name}.graph");
    for dir in object_dirs {
        let path = dir.join(&file);
        if let Some(bytes) = read(&path)? {
            return Ok((path, bytes));
        }
    }
    Err(GraphFileError::Read { path: dir.join(&file), source: io::ErrorKind::NotFound.into() })
}

/// The whole file; `None` when there is none.
fn read(path: &Path) -> Result<Option<Vec<u8>>, GraphFileError> {
    let failed = |source| GraphFileError::Read { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => Ok(None),
        Ok(about) if FILE_AT_MOST < about.len() => Err(failed(io::ErrorKind::FileTooLarge.into())),
        Ok(_) => fs::read(path).map(Some).map_err(failed),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

impl Layer {
    fn parse(path: &Path, bytes: Vec<u8>, first: u32, below: &[Oid], hash: Kind) -> Result<Layer, &'static str> {
        let oid_len = hash.len_in_bytes();
        check_header(&bytes, hash)?;
        let chunks = Chunks::parse(&bytes, oid_len)?;
        check_below(&bytes[chunks.base.clone()], below, oid_len)?;
        let n = check_fan(&bytes[chunks.fan.clone()])?;
        if chunks.oids.len() != n as usize * oid_len {
            return Err("its list of ids has the wrong size");
        }
        if chunks.data.len() != n as usize * (oid_len + NUMBERS_BYTES) {
            return Err("its commit data has the wrong size");
        }
        if NO_PARENT <= first.saturating_add(n) {
            return Err("it claims more commits than the format can hold");
        }
        let (fan, oids, data, extra) = (chunks.fan.start, chunks.oids.start, chunks.data.start, chunks.extra);
        Ok(Layer { path: path.to_owned(), bytes, oid_len, first, n, fan, oids, data, extra })
    }

    fn oid(&self, at: u32) -> &[u8] {
        &self.bytes[self.oids + at as usize * self.oid_len..][..self.oid_len]
    }

    fn commit(&self, at: u32) -> &[u8] {
        let len = self.oid_len + NUMBERS_BYTES;
        &self.bytes[self.data + at as usize * len..][..len]
    }

    fn date(&self, at: u32) -> Timestamp {
        let numbers = &self.commit(at)[self.oid_len..];
        let high = i64::from(be32(numbers, 8) & 3);
        Timestamp(high << 32 | i64::from(be32(numbers, 12)))
    }

    /// Where this id is. Ids are evenly spread, so a guess by proportion lands next to it.
    fn find(&self, oid: &[u8]) -> Option<u32> {
        if oid.len() != self.oid_len {
            return None;
        }
        let byte = oid[0] as usize;
        let mut low = if byte == 0 { 0 } else { be32(&self.bytes, self.fan + 4 * (byte - 1)) };
        let mut high = be32(&self.bytes, self.fan + 4 * byte);
        let share = u64::from(be32(oid, 1));
        let guess = low + ((u64::from(high - low) * share) >> 32) as u32;
        self.close_in(oid, guess, &mut low, &mut high);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.oid(middle).cmp(oid) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Narrows `low..high` around a guess, in growing steps.
    fn close_in(&self, oid: &[u8], guess: u32, low: &mut u32, high: &mut u32) {
        let mut step = 8;
        if guess < *high && self.oid(guess) < oid {
            *low = guess + 1;
            while *low + step < *high && self.oid(*low + step) < oid {
                *low += step + 1;
                step *= 2;
            }
            *high = (*high).min(*low + step + 1);
        } else {
            *high = (guess + 1).min(*high);
            while *low + step < *high && oid <= self.oid(*high - step) {
                *high -= step - 1;
                step *= 2;
            }
            *low = (*low).max(high.saturating_sub(step));
        }
    }

    fn n_common(&self, other: &Layer) -> u32 {
        let (mut ours, mut theirs, mut n) = (0, 0, 0);
        while ours < self.n && theirs < other.n {
            let order = self.oid(ours).cmp(other.oid(theirs));
            ours += u32::from(order.is_le());
            theirs += u32::from(order.is_ge());
            n += u32::from(order.is_eq());
        }
        n
    }

    fn edges(&self, edges: &mut Edges, levels: &mut Vec<u32>) -> Result<(), GraphFileError> {
        let damaged = |what| GraphFileError::Damaged { path: self.path.clone(), what };
        let (n_known, len) = (self.first + self.n, self.oid_len + NUMBERS_BYTES);
        let mut n_further = 0;
        for commit in self.bytes[self.data..][..self.n as usize * len].chunks_exact(len) {
            let numbers = &commit[self.oid_len..];
            let (one, two) = (be32(numbers, 0), be32(numbers, 4));
            levels.push(be32(numbers, 8) >> 2);
            match (one, two) {
                (NO_PARENT, _) => edges.push_two(NONE, NONE),
                (one, _) if n_known <= one => return Err(damaged("a parent is not in it")),
                (one, NO_PARENT) => edges.push_two(one, NONE),
                (one, two) if two < n_known => edges.push_two(one, two),
                (one, two) if two & MANY != 0 => {
                    let more = self.further_parents(two & !MANY, n_known).map_err(damaged)?;
                    n_further += more.len();
                    // In an honest file no two commits share an entry; sharing could blow up memory.
                    if self.extra.len() / 4 < n_further {
                        return Err(damaged("two commits share a list of parents"));
                    }
                    edges.push([one].into_iter().chain(more));
                }
                _ => return Err(damaged("a parent is not in it")),
            }
        }
        Ok(())
    }

    /// The second and further parents of a merge of more than two.
    fn further_parents(&self, at: u32, n_known: u32) -> Result<Vec<u32>, &'static str> {
        let list = self.bytes[self.extra.clone()].get(at as usize * 4..).unwrap_or_default();
        let mut parents = Vec::new();
        for entry in list.chunks_exact(4).map(|entry| be32(entry, 0)) {
            if n_known <= entry & !LAST {
                return Err("a parent is not in it");
            }
            parents.push(entry & !LAST);
            if entry & LAST != 0 {
                return Ok(parents);
            }
        }
        Err("a list of parents has no end")
    }
}

impl Chunks {
    fn parse(bytes: &[u8], oid_len: usize) -> Result<Chunks, &'static str> {
        let n_chunks = bytes[6] as usize;
        let end = bytes.len() - oid_len;
        let table = HEADER_BYTES..HEADER_BYTES + 12 * (n_chunks + 1);
        let rows: Vec<&[u8]> = bytes.get(table.clone()).ok_or("its table of chunks is cut off")?.chunks(12).collect();
        let mut chunks = Chunks::default();
        for pair in rows.windows(2) {
            let range = offset(pair[0])..offset(pair[1]);
            if range.start < table.end || range.end < range.start || end < range.end {
                return Err("a chunk lies outside of the file");
            }
            match &pair[0][..4] {
                b"OIDF" => chunks.fan = range,
                b"OIDL" => chunks.oids = range,
                b"CDAT" => chunks.data = range,
                b"EDGE" => chunks.extra = range,
                b"BASE" => chunks.base = range,
                _ => {}
            }
        }
        Ok(chunks)
    }
}

fn check_header(bytes: &[u8], hash: Kind) -> Result<(), &'static str> {
    let hash_version = if hash == Kind::Sha256 { 2 } else { 1 };
    if bytes.len() < HEADER_BYTES + hash.len_in_bytes() || &bytes[..4] != b"CGPH" {
        Err("it is no commit-graph")
    } else if bytes[4] != 1 {
        Err("its version is not 1")
    } else if bytes[5] != hash_version {
        Err("it is of another object format")
    } else {
        Ok(())
    }
}

/// Are the layers below those that this layer was written for? Without that, its slots name other commits.
fn check_below(base: &[u8], below: &[Oid], oid_len: usize) -> Result<(), &'static str> {
    let named = base.chunks(oid_len);
    if named.len() == below.len() && named.zip(below).all(|(named, below)| named == below.as_bytes()) {
        Ok(())
    } else {
        Err("it belongs on top of other layers")
    }
}

/// The number of commits, from a fan-out table that never falls.
fn check_fan(fan: &[u8]) -> Result<u32, &'static str> {
    if fan.len() != 4 * 256 {
        return Err("its fan-out table has the wrong size");
    }
    let counts: Vec<u32> = fan.chunks_exact(4).map(|count| be32(count, 0)).collect();
    if counts.is_sorted() { Ok(counts[255]) } else { Err("its fan-out table is out of order") }
}

/// The offset in a row of the table of chunks; one that is no `usize` is beyond every file.
fn offset(row: &[u8]) -> usize {
    usize::try_from(u64::from(be32(row, 4)) << 32 | u64::from(be32(row, 8))).unwrap_or(usize::MAX)
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn to_oid(raw: &[u8]) -> Oid {
    Oid::from_bytes(raw).expect("an object format has ids of 20 or 32 bytes")
}
