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

mod format;
mod layer;
mod rows;
mod source;

use std::{
    io,
    path::{Path, PathBuf},
};

use alignwatch_model::{Oid, Timestamp};
use gix_hash::Kind;

use self::{format::be64, layer::Layer, rows::Rows, source::Source};
use super::edges::Edges;

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

fn to_oid(raw: &[u8]) -> Oid {
    Oid::from_bytes(raw).expect("an object format has ids of 20 or 32 bytes")
}
