//! A graph file of our own, beside the repository, where Git's is missing or stale.
//!
//! It is in Git's own format, so one reader serves both, and `git commit-graph
//! verify` accepts it. It is derived data: deleting it costs one slow start.
//!
//! Rule: it is written when at least 100 commits (Git's own threshold,
//! `maintenance.commit-graph.auto`) and one in 500 had to be read one by one.
//! Reading a commit costs about 10 µs, writing one 0.2 µs; so writing has paid for
//! itself after ten starts at the latest.

use std::{
    fs::{self, DirBuilder, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use alignwatch_model::Oid;

use super::{Graph, Pos};

/// Fewer commits than this are quicker read than written.
const READ_AT_LEAST: usize = 100;

/// One commit in so many must have been read.
const READ_ONE_IN: usize = 500;

/// The highest level that the format can hold (`GENERATION_NUMBER_V1_MAX`).
const LEVEL_AT_MOST: u32 = 0x3fff_ffff;

/// The file's name in the side directory.
pub(super) fn path_in(dir: &Path) -> PathBuf {
    dir.join("commit-graph")
}

/// Would it save more time than it costs?
pub(super) fn is_worth_writing(n_read: usize, n: usize) -> bool {
    n_read >= READ_AT_LEAST.max(n / READ_ONE_IN)
}

/// Writes what `tips` reach, whole or not at all. Only the owner may read it.
pub(super) fn write(graph: &Graph, tips: &[Oid], dir: &Path, hash: gix_hash::Kind) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(dir)?;
    file.write_all(&encode(graph, &reached(graph, tips), hash)?)?;
    // The name must never stand for half a file, also after a power cut.
    file.as_file().sync_data()?;
    file.persist(path_in(dir))?;
    fs::File::open(dir)?.sync_data()
}

/// The commits to write, by id: what the tips reach, without histories that are cut.
fn reached(graph: &Graph, tips: &[Oid]) -> Vec<(Oid, u32)> {
    let mut is_reached = vec![false; graph.len()];
    for tip in tips.iter().filter_map(|tip| graph.find(tip)).filter(|&tip| graph.flaw(tip).is_none()) {
        is_reached[tip.0 as usize] = true;
    }
    for at in (0..graph.len()).rev().filter(|&at| !graph.flaws.contains_key(&(at as u32))) {
        if is_reached[at] {
            graph.edges.of(at as u32).for_each(|parent| is_reached[parent as usize] = true);
        }
    }
    let numbers = (0..graph.len() as u32).filter(|&at| is_reached[at as usize]);
    let mut commits: Vec<_> = numbers.map(|at| (graph.oid(Pos(at)), at)).collect();
    commits.sort_unstable();
    commits
}

/// The file's content, see gitformat-commit-graph(5).
fn encode(graph: &Graph, commits: &[(Oid, u32)], hash: gix_hash::Kind) -> io::Result<Vec<u8>> {
    let (data, further) = commit_data(graph, commits);
    let mut chunks = vec![(b"OIDF", fan_out(commits)), (b"OIDL", ids(commits)), (b"CDAT", data)];
    if !further.is_empty() {
        chunks.push((b"EDGE", further));
    }
    let hash_version = if hash == gix_hash::Kind::Sha256 { 2 } else { 1 };
    let mut file = vec![b'C', b'G', b'P', b'H', 1, hash_version, chunks.len() as u8, 0];
    let mut offset = (file.len() + 12 * (chunks.len() + 1)) as u64;
    for (id, chunk) in &chunks {
        file.extend(*id);
        file.extend(offset.to_be_bytes());
        offset += chunk.len() as u64;
    }
    file.extend([0; 4]);
    file.extend(offset.to_be_bytes());
    chunks.iter().for_each(|(_, chunk)| file.extend(chunk));
    let mut hasher = gix_hash::hasher(hash);
    hasher.update(&file);
    let checksum = hasher.try_finalize().map_err(|error| io::Error::other(error.to_string()))?;
    file.extend(checksum.as_slice());
    Ok(file)
}

/// By first byte: how many ids start with it or a lower one.
fn fan_out(commits: &[(Oid, u32)]) -> Vec<u8> {
    let count = |byte: u8| commits.partition_point(|(oid, _)| oid.as_bytes()[0] <= byte) as u32;
    (0..=255).flat_map(|byte| count(byte).to_be_bytes()).collect()
}

fn ids(commits: &[(Oid, u32)]) -> Vec<u8> {
    commits.iter().flat_map(|(oid, _)| oid.as_bytes()).copied().collect()
}

/// Trees, parents, levels and dates; and the parents beyond the first of merges of more than two.
fn commit_data(graph: &Graph, commits: &[(Oid, u32)]) -> (Vec<u8>, Vec<u8>) {
    let rows = rows(graph, commits);
    let levels = levels(graph);
    let (mut data, mut further) = (Vec::new(), Vec::new());
    for (_, at) in commits {
        let parents: Vec<u32> = graph.edges.of(*at).map(|parent| rows[parent as usize]).collect();
        let date = graph.date(Pos(*at)).0 as u64;
        data.extend(graph.tree(Pos(*at)).as_bytes());
        data.extend(parents.first().copied().unwrap_or(0x7000_0000).to_be_bytes());
        data.extend(second_parent(&parents, &mut further).to_be_bytes());
        let level = levels[*at as usize].min(LEVEL_AT_MOST);
        data.extend((level << 2 | (date >> 32) as u32 & 3).to_be_bytes());
        data.extend((date as u32).to_be_bytes());
    }
    (data, further)
}

fn second_parent(parents: &[u32], further: &mut Vec<u8>) -> u32 {
    match parents {
        [] | [_] => 0x7000_0000,
        [_, two] => *two,
        [_, middle @ .., last] => {
            let at = (further.len() / 4) as u32;
            middle.iter().for_each(|parent| further.extend(parent.to_be_bytes()));
            further.extend((last | 0x8000_0000).to_be_bytes());
            at | 0x8000_0000
        }
    }
}

/// For each commit of the graph its row in the file.
fn rows(graph: &Graph, commits: &[(Oid, u32)]) -> Vec<u32> {
    let mut rows = vec![0; graph.len()];
    for (row, (_, at)) in commits.iter().enumerate() {
        rows[*at as usize] = row as u32;
    }
    rows
}

/// One more than the highest parent's.
fn levels(graph: &Graph) -> Vec<u32> {
    let mut levels: Vec<u32> = vec![0; graph.len()];
    for at in 0..graph.len() {
        let highest = graph.edges.of(at as u32).map(|parent| levels[parent as usize]).max();
        levels[at] = 1 + highest.unwrap_or(0);
    }
    levels
}
