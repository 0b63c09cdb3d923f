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
//! numbers are handed on as hints for an order that others prove.
//!
//! Files are read, not mapped: a map of a file that shrinks would kill the
//! process. Ids, parents and dates are kept in memory, 36 bytes a commit until
//! the parents are handed on; the ids of trees stay in the file, which remains
//! open, until somebody asks for the first one.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use alignwatch_model::{Oid, Timestamp};
use gix_hash::Kind;
use rustc_hash::FxHashMap;

use super::edges::{Edges, NONE};

/// Marks the second parent as an index into the list of further parents.
const MANY: u32 = 0x8000_0000;

/// Ends a list of further parents.
const LAST: u32 = 0x8000_0000;

/// "No parent" in the file.
const NO_PARENT: u32 = 0x7000_0000;

/// Bytes before the table of chunks.
const HEADER_BYTES: u64 = 8;

/// Bytes of a commit's data behind the id of its tree: two parents, generation and date.
const NUMBERS_BYTES: usize = 16;

/// The largest file that is read: four thousand million bytes hold 70 million commits.
const FILE_AT_MOST: u64 = 4 << 30;

/// Bytes of rows that are read at once: as much as the processor keeps at hand.
const PIECE_BYTES: usize = 256 << 10;

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
    rows: Rows,
    /// The top layers that could not be used, if any: what is here is a sound prefix.
    pub(super) damage: Option<GraphFileError>,
}

/// What the rows of all layers say, by slot.
#[derive(Default)]
struct Rows {
    edges: Edges,
    /// Topological levels, as they are claimed.
    levels: Vec<u32>,
    /// The lower 32 bits of committer dates.
    dates: Vec<u32>,
    /// The upper two bits, where one is set: not before the year 2106.
    late: FxHashMap<u32, u32>,
}

/// One file of a commit-graph.
struct Layer {
    source: Source,
    oid_len: usize,
    /// Slot of the first commit: the number of commits in the layers below.
    first: u32,
    n: u32,
    /// By first byte of an id: where those with a lower one end. One more for the end of all.
    fan: Vec<u32>,
    oids: Vec<u8>,
    /// Where its rows are in the file.
    rows: Range<u64>,
    trees: OnceLock<Vec<u8>>,
}

/// An open file and its name.
struct Source {
    path: PathBuf,
    file: File,
    len: u64,
}

/// Where a file of a commit-graph keeps what; the chunks that we read.
#[derive(Default)]
struct Chunks {
    fan: Range<u64>,
    oids: Range<u64>,
    rows: Range<u64>,
    further: Range<u64>,
    base: Range<u64>,
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
        match Source::open(path) {
            Ok(None) => {}
            Ok(Some(source)) => chain.push(source, &[], hash),
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

    /// The slots of many commits, in the order of `oids`.
    pub(super) fn find_all(&self, oids: &[Oid]) -> Vec<Option<u32>> {
        let mut found = vec![None; oids.len()];
        if !self.layers.is_empty() {
            // In the order of ids, neighbours lie together in memory.
            let mut sorted: Vec<(u64, u32)> =
                (0u32..).zip(oids).map(|(nth, oid)| (be64(oid.as_bytes()), nth)).collect();
            sorted.sort_unstable();
            sorted.iter().for_each(|&(_, nth)| found[nth as usize] = self.find(&oids[nth as usize]));
        }
        found
    }

    /// The commit's id. `slot` must be below [`Chain::len`].
    pub(super) fn oid(&self, slot: u32) -> Oid {
        let (layer, at) = self.layer(slot);
        to_oid(layer.oid(at))
    }

    /// The id of the commit's tree; the null id, which no object has, if the file can't be read any more.
    /// `slot` must be below [`Chain::len`].
    pub(super) fn tree(&self, slot: u32) -> Oid {
        let (layer, at) = self.layer(slot);
        to_oid(layer.tree(at))
    }

    /// The committer date; the format keeps its lower 34 bits. `slot` must be below [`Chain::len`].
    pub(super) fn date(&self, slot: u32) -> Timestamp {
        let high = if self.rows.late.is_empty() { 0 } else { self.rows.late.get(&slot).copied().unwrap_or(0) };
        Timestamp(i64::from(high) << 32 | i64::from(self.rows.dates[slot as usize]))
    }

    /// Hands over all commits' parents, by slot, and their topological levels as the files claim them.
    pub(super) fn take_edges(&mut self) -> (Edges, Vec<u32>) {
        (std::mem::take(&mut self.rows.edges), std::mem::take(&mut self.rows.levels))
    }

    /// How many commits both have. Both lists of ids are sorted, so this is one pass over each pair of layers.
    pub(super) fn n_common(&self, other: &Chain) -> u32 {
        let pairs = self.layers.iter().flat_map(|ours| other.layers.iter().map(move |theirs| (ours, theirs)));
        pairs.map(|(ours, theirs)| ours.n_common(theirs)).sum()
    }

    /// An error about the uppermost file.
    pub(super) fn damaged(&self, what: &'static str) -> GraphFileError {
        let path = self.layers.last().map(|layer| layer.source.path.clone()).unwrap_or_default();
        GraphFileError::Damaged { path, what }
    }

    fn layer(&self, slot: u32) -> (&Layer, u32) {
        // One or two layers in almost all repositories; Git keeps chains logarithmically short.
        let at = self.layers.iter().rposition(|layer| layer.first <= slot).expect("the slot is one of ours");
        (&self.layers[at], slot - self.layers[at].first)
    }

    fn push(&mut self, source: Source, below: &[Oid], hash: Kind) {
        let first = self.len();
        match Layer::read(source, first, below, hash, &mut self.rows) {
            Ok(layer) => self.layers.push(layer),
            Err(damage) => {
                self.rows.truncate(first as usize);
                self.damage = Some(damage);
            }
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
    let names = match layer_names(&list, hash) {
        Ok(names) => names,
        Err(error) => return Chain { damage: Some(error), ..chain },
    };
    for (at, name) in names.iter().enumerate() {
        match read_layer(name, dir, object_dirs) {
            Ok(source) => chain.push(source, &names[..at], hash),
            Err(error) => chain.damage = Some(error),
        }
        if chain.damage.is_some() {
            break;
        }
    }
    chain
}

fn layer_names(list: &Path, hash: Kind) -> Result<Vec<Oid>, GraphFileError> {
    let text = match Source::open(list)? {
        Some(source) => source.bytes(0..source.len)?,
        None => Vec::new(),
    };
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    let name = |line: &[u8]| Oid::from_hex(line).ok().filter(|oid| oid.as_bytes().len() == hash.len_in_bytes());
    let names = lines.into_iter().map(name).collect::<Option<Vec<Oid>>>();
    names
        .filter(|names| names.len() <= LAYERS_AT_MOST)
        .ok_or_else(|| GraphFileError::Damaged { path: list.to_owned(), what: "it is not a list of layer names" })
}

/// The file of this layer in the first directory that has it.
fn read_layer(name: &Oid, dir: &Path, object_dirs: &[PathBuf]) -> Result<Source, GraphFileError> {
    let file = format!("info/commit-graphs/graph-{name}.graph");
    for dir in object_dirs {
        if let Some(source) = Source::open(&dir.join(&file))? {
            return Ok(source);
        }
    }
    Err(GraphFileError::Read { path: dir.join(&file), source: io::ErrorKind::NotFound.into() })
}

impl Source {
    /// `None` when there is no such file.
    fn open(path: &Path) -> Result<Option<Source>, GraphFileError> {
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

    fn bytes(&self, range: Range<u64>) -> Result<Vec<u8>, GraphFileError> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.fill(&mut bytes, range.start)?;
        Ok(bytes)
    }

    fn fill(&self, bytes: &mut [u8], at: u64) -> Result<(), GraphFileError> {
        let read = self.file.read_exact_at(bytes, at);
        read.map_err(|source| GraphFileError::Read { path: self.path.clone(), source })
    }

    fn damaged(&self, what: &'static str) -> GraphFileError {
        GraphFileError::Damaged { path: self.path.clone(), what }
    }
}

impl Rows {
    fn truncate(&mut self, n: usize) {
        self.edges.truncate(n);
        self.levels.truncate(n);
        self.dates.truncate(n);
    }

    fn reserve(&mut self, n: usize) {
        self.edges.reserve(n);
        self.levels.reserve_exact(n);
        self.dates.reserve_exact(n);
    }

    /// Adds the numbers of one commit. Its parents must be below `n_known`.
    #[inline]
    fn push(&mut self, numbers: &[u8; NUMBERS_BYTES], n_known: u32, further: &mut Further) -> Result<(), &'static str> {
        let (one, two, level, date) = (be32(numbers, 0), be32(numbers, 4), be32(numbers, 8), be32(numbers, 12));
        if level & 3 != 0 {
            self.late.insert(self.dates.len() as u32, level & 3);
        }
        self.levels.push(level >> 2);
        self.dates.push(date);
        match (one, two) {
            (NO_PARENT, _) => self.edges.push_two(NONE, NONE),
            (one, _) if n_known <= one => return Err("a parent is not in it"),
            (one, NO_PARENT) => self.edges.push_two(one, NONE),
            (one, two) if two < n_known => self.edges.push_two(one, two),
            (one, two) if two & MANY != 0 => {
                self.edges.push([one].into_iter().chain(further.parents(two & !MANY, n_known)?));
            }
            _ => return Err("a parent is not in it"),
        }
        Ok(())
    }
}

/// The second and further parents of merges of more than two.
struct Further {
    list: Vec<u8>,
    n_used: usize,
}

impl Further {
    fn parents(&mut self, at: u32, n_known: u32) -> Result<Vec<u32>, &'static str> {
        let mut parents = Vec::new();
        for entry in self.list.get(at as usize * 4..).unwrap_or_default().chunks_exact(4) {
            let (parent, is_last) = (be32(entry, 0) & !LAST, be32(entry, 0) & LAST != 0);
            self.n_used += 1;
            if n_known <= parent {
                return Err("a parent is not in it");
            } else if self.list.len() / 4 < self.n_used {
                // In an honest file no two commits share an entry; sharing could blow up memory.
                return Err("two commits share a list of parents");
            }
            parents.push(parent);
            if is_last {
                return Ok(parents);
            }
        }
        Err("a list of parents has no end")
    }
}

impl Layer {
    /// Checks a file, and adds what its rows say to those of the layers below.
    fn read(source: Source, first: u32, below: &[Oid], hash: Kind, rows: &mut Rows) -> Result<Layer, GraphFileError> {
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
    fn each_row(&self, mut take: impl FnMut(&[u8]) -> Result<(), GraphFileError>) -> Result<(), GraphFileError> {
        let row_len = self.oid_len + NUMBERS_BYTES;
        let mut piece = vec![0; (PIECE_BYTES / row_len * row_len).min((self.rows.end - self.rows.start) as usize)];
        for at in self.rows.clone().step_by(piece.len().max(1)) {
            let len = piece.len().min((self.rows.end - at) as usize);
            self.source.fill(&mut piece[..len], at)?;
            piece[..len].chunks_exact(row_len).try_for_each(&mut take)?;
        }
        Ok(())
    }

    fn oid(&self, at: u32) -> &[u8] {
        &self.oids[at as usize * self.oid_len..][..self.oid_len]
    }

    fn tree(&self, at: u32) -> &[u8] {
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
    fn find(&self, oid: &[u8]) -> Option<u32> {
        if oid.len() != self.oid_len {
            return None;
        }
        let (low, high) = (self.fan[oid[0] as usize], self.fan[oid[0] as usize + 1]);
        let from = self.first_not_below(be64(oid), low..high);
        // More than one id with the same first 8 bytes does not happen by chance.
        (from..high).take_while(|&at| self.oid(at)[..8] == oid[..8]).find(|&at| self.oid(at) == oid)
    }

    /// The first of these ids, which share their first byte, whose first 8 bytes are `key` or more.
    fn first_not_below(&self, key: u64, ids: Range<u32>) -> u32 {
        let Range { start: mut low, end: mut high } = self.enclose(key, ids);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle) < key { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Ids are evenly spread: the second guess by proportion is some five places off,
    /// and steps of growing width enclose the place from there.
    fn enclose(&self, key: u64, ids: Range<u32>) -> Range<u32> {
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

    fn key(&self, at: u32) -> u64 {
        be64(self.oid(at))
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
}

impl Chunks {
    fn read(source: &Source, hash: Kind) -> Result<Chunks, GraphFileError> {
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
    fn parse(table: &[u8], space: Range<u64>) -> Result<Chunks, &'static str> {
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

fn check_header(header: &[u8], hash: Kind) -> Result<(), &'static str> {
    let hash_version = if hash == Kind::Sha256 { 2 } else { 1 };
    match header {
        [b'C', b'G', b'P', b'H', 1, version, ..] if *version != hash_version => Err("it is of another object format"),
        [b'C', b'G', b'P', b'H', 1, _, _, _] => Ok(()),
        [b'C', b'G', b'P', b'H', _, _, _, _] => Err("its version is not 1"),
        _ => Err("it is no commit-graph"),
    }
}

fn check_sizes(oids: &Range<u64>, rows: &Range<u64>, n: u32, oid_len: usize) -> Result<(), &'static str> {
    if oids.end - oids.start != u64::from(n) * oid_len as u64 {
        Err("its list of ids has the wrong size")
    } else if rows.end - rows.start != u64::from(n) * (oid_len + NUMBERS_BYTES) as u64 {
        Err("its commit data has the wrong size")
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

/// The fan-out table, which never falls, with a zero before it.
fn fan_of(table: &[u8]) -> Result<Vec<u32>, &'static str> {
    let fan: Vec<u32> = std::iter::once(0).chain(table.chunks_exact(4).map(|count| be32(count, 0))).collect();
    match fan.len() {
        257 if fan.is_sorted() => Ok(fan),
        257 => Err("its fan-out table is out of order"),
        _ => Err("its fan-out table has the wrong size"),
    }
}

#[inline]
fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The first 8 bytes.
#[inline]
fn be64(bytes: &[u8]) -> u64 {
    u64::from(be32(bytes, 0)) << 32 | u64::from(be32(bytes, 4))
}

fn to_oid(raw: &[u8]) -> Oid {
    Oid::from_bytes(raw).expect("an object format has ids of 20 or 32 bytes")
}
