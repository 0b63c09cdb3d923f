//! Looks whether what makes Git fast is there: the heads of its indexes, the files of refs, and settings.
//!
//! Heads only: some kilobytes of each file, whatever its size. Whether an index
//! is right is for the integrity of the repository to say.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use alignwatch_model::{
    Known, Oid, Timestamp,
    facts::speed::{GcLog, GraphFiles, GraphLayer, Index, PackIndex, RefStore, Speed, Upkeep},
};

use super::chunks::{self, ChunkFile, damaged};
use crate::{
    config_text::{boolean, number},
    files,
    refs::Refs,
    repository::{Opened, RefBackend},
    run::Entry,
};

/// Layers of a commit-graph or pack index that are looked at.
const LAYERS_AT_MOST: usize = 1000;

/// Bytes of a list of layers: a thousand names of 65 bytes.
const CHAIN_BYTES: u64 = 66_000;

/// Bytes of the names of packs in an index: 300,000 packs.
const PACK_NAMES_BYTES: u64 = 16 << 20;

/// Bytes of `gc.log` that are read.
const GC_LOG_BYTES: u64 = 4 << 10;

/// Folders and files below `refs` that are looked at.
const REFS_AT_MOST: usize = 2_000_000;

/// Folders inside of each other below `refs`.
const DEPTH_AT_MOST: usize = 200;

/// Looks at all of it. `entries` are the repository's own settings.
pub fn speed(opened: &Opened, refs: &Refs, entries: &[Entry]) -> Speed {
    Speed {
        commit_graph: Known::from_result(graph_files(opened)),
        pack_index: Known::from_result(pack_index(&opened.objects_dir.join("pack"), oid_len(opened))),
        refs: ref_store(opened, refs),
        index: Known::from_result(index(&opened.git_dir, entries)),
        gc_log: Known::from_result(gc_log(&opened.common_dir.join("gc.log"))),
        upkeep: upkeep(entries),
    }
}

fn oid_len(opened: &Opened) -> usize {
    if opened.object_format == "sha256" { 32 } else { 20 }
}

/// The commit-graph that Git would use, of the first object folder that has one.
fn graph_files(opened: &Opened) -> io::Result<GraphFiles> {
    let borrowed = opened.alternates.iter().map(|other| other.path.clone());
    let folders: Vec<PathBuf> = std::iter::once(opened.objects_dir.clone()).chain(borrowed).collect();
    for folder in &folders {
        let info = folder.join("info");
        if let Some(file) = open_graph(&info.join("commit-graph"))? {
            return Ok(GraphFiles { is_chain: false, layers: vec![layer(&file)?] });
        }
        let names = chain(&info.join("commit-graphs/commit-graph-chain"), oid_len(opened))?;
        if !names.is_empty() {
            let layers = names.iter().map(|name| layer(&graph_layer(&folders, name)?)).collect::<io::Result<_>>()?;
            return Ok(GraphFiles { is_chain: true, layers });
        }
    }
    Ok(GraphFiles::default())
}

fn open_graph(path: &Path) -> io::Result<Option<ChunkFile>> {
    chunks::open(path, b"CGPH", 8)
}

fn graph_layer(folders: &[PathBuf], name: &Oid) -> io::Result<ChunkFile> {
    for folder in folders {
        if let Some(file) = open_graph(&folder.join(format!("info/commit-graphs/graph-{name}.graph")))? {
            return Ok(file);
        }
    }
    Err(damaged("a layer is missing"))
}

fn layer(file: &ChunkFile) -> io::Result<GraphLayer> {
    Ok(GraphLayer {
        n_commits: file.n_ids()?,
        has_changed_paths: file.has(b"BIDX") && file.has(b"BDAT"),
        has_corrected_dates: file.has(b"GDA2"),
    })
}

/// The names in a list of layers; none when there is no list.
fn chain(list: &Path, oid_len: usize) -> io::Result<Vec<Oid>> {
    let text = files::read(list, CHAIN_BYTES)?.unwrap_or_default();
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let name = |line: &[u8]| Oid::from_hex(line).ok().filter(|oid| oid.as_bytes().len() == oid_len);
    let names: Option<Vec<Oid>> = lines.map(name).collect();
    names.filter(|names| names.len() <= LAYERS_AT_MOST).ok_or_else(|| damaged("the list of layers is no list of names"))
}

/// The index over several packs: one file, or a chain of them (Git 2.47).
fn pack_index(folder: &Path, oid_len: usize) -> io::Result<Option<PackIndex>> {
    let mut found = PackIndex::default();
    let single = chunks::open(&folder.join("multi-pack-index"), b"MIDX", 12)?;
    let mut files = Vec::from_iter(single);
    if files.is_empty() {
        let chained = folder.join("multi-pack-index.d");
        for name in chain(&chained.join("multi-pack-index-chain"), oid_len)? {
            let file = chunks::open(&chained.join(format!("multi-pack-index-{name}.midx")), b"MIDX", 12)?;
            files.push(file.ok_or_else(|| damaged("a layer is missing"))?);
        }
    }
    if files.is_empty() {
        return Ok(None);
    }
    for file in &files {
        found.n_objects += u64::from(file.n_ids()?);
        found.packs.extend(pack_names(file)?);
    }
    found.packs.sort();
    found.has_bitmap = [folder.to_owned(), folder.join("multi-pack-index.d")].iter().any(|place| has_bitmap(place));
    Ok(Some(found))
}

fn pack_names(file: &ChunkFile) -> io::Result<Vec<String>> {
    let text = file.content(b"PNAM", PACK_NAMES_BYTES)?;
    let names = text.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    let names: Vec<String> =
        names.map(|name| String::from_utf8_lossy(name.strip_suffix(b".idx").unwrap_or(name)).into_owned()).collect();
    let claimed = file.header.last_chunk::<4>().map_or(0, |count| u32::from_be_bytes(*count));
    if names.len() == claimed as usize { Ok(names) } else { Err(damaged("it does not hold as many packs as it says")) }
}

fn has_bitmap(folder: &Path) -> bool {
    let is_bitmap =
        |name: &OsStr| name.as_bytes().starts_with(b"multi-pack-index-") && name.as_bytes().ends_with(b".bitmap");
    fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| is_bitmap(&entry.file_name())))
}

fn ref_store(opened: &Opened, refs: &Refs) -> RefStore {
    let n_refs = refs.all.len() as u64;
    if opened.ref_backend == RefBackend::Reftable {
        let reason = "its refs are tables, not files";
        return RefStore {
            n_refs,
            n_loose: Known::Unknown(reason.into()),
            packed_bytes: Known::Unknown(reason.into()),
        };
    }
    // Symbolic refs are always a file each.
    let n_symbolic = refs.all.iter().filter(|one| one.symref.is_some()).count() as u64;
    let n_files = n_ref_files(&opened.common_dir.join("refs"));
    let packed = fs::metadata(opened.common_dir.join("packed-refs"));
    let packed_bytes = match packed {
        Err(error) if files::is_absent(&error) => Ok(0),
        other => other.map(|about| about.len()),
    };
    RefStore {
        n_refs,
        n_loose: Known::from_result(n_files.map(|n| n.saturating_sub(n_symbolic))),
        packed_bytes: Known::from_result(packed_bytes),
    }
}

/// Files below a folder of refs, without locks.
fn n_ref_files(folder: &Path) -> io::Result<u64> {
    let mut open = vec![(folder.to_owned(), 0)];
    let (mut n_files, mut n_left) = (0, REFS_AT_MOST);
    while let Some((folder, depth)) = open.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            n_left = n_left.checked_sub(1).ok_or(io::ErrorKind::FileTooLarge)?;
            if entry.file_type()?.is_dir() {
                if DEPTH_AT_MOST < depth {
                    return Err(damaged("folders of refs are too deep"));
                }
                open.push((entry.path(), depth + 1));
            } else if !entry.file_name().as_bytes().ends_with(b".lock") {
                n_files += 1;
            }
        }
    }
    Ok(n_files)
}

fn index(git_dir: &Path, entries: &[Entry]) -> io::Result<Option<Index>> {
    let Some(head) = files::read_beginning(&git_dir.join("index"), 12)? else { return Ok(None) };
    let word = |at: usize| head.get(at..at + 4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
    let (Some(version), Some(n_entries), true) = (word(4), word(8), head.starts_with(b"DIRC")) else {
        return Err(damaged("it is no index"));
    };
    let many_files = is_on(entries, b"feature.manyfiles");
    let is_shared = |name: &OsStr| name.as_bytes().starts_with(b"sharedindex.");
    Ok(Some(Index {
        version,
        n_entries,
        is_split: fs::read_dir(git_dir)?.flatten().any(|entry| is_shared(&entry.file_name())),
        has_untracked_cache: many_files || is_on(entries, b"core.untrackedcache"),
        has_monitor: last(entries, b"core.fsmonitor").is_some_and(|value| boolean(value) != Some(false)),
    }))
}

fn gc_log(path: &Path) -> io::Result<Option<GcLog>> {
    let Some(text) = files::read_beginning(path, GC_LOG_BYTES)? else { return Ok(None) };
    // An empty one is left by a gc that had nothing to say.
    let Some(first) = text.split(|&byte| byte == b'\n').find(|line| !line.is_empty()) else { return Ok(None) };
    let first_line = String::from_utf8_lossy(&first[..first.len().min(300)]).into_owned();
    Ok(Some(GcLog { modified_at: Timestamp(fs::metadata(path)?.mtime()), first_line }))
}

fn upkeep(entries: &[Entry]) -> Upkeep {
    let is_schedule = |entry: &Entry| {
        entry.key.starts_with(b"maintenance.") && entry.key.ends_with(b".schedule") && entry.value.is_some()
    };
    let text = |value: Option<&[u8]>| value.map(|value| String::from_utf8_lossy(value).into_owned());
    Upkeep {
        gc_auto: last(entries, b"gc.auto").and_then(|value| number(value?)),
        maintenance_auto: last(entries, b"maintenance.auto").and_then(boolean),
        strategy: last(entries, b"maintenance.strategy").and_then(text),
        has_schedule: entries.iter().any(is_schedule),
    }
}

/// The value that counts: the last one.
fn last<'a>(entries: &'a [Entry], key: &[u8]) -> Option<Option<&'a [u8]>> {
    entries.iter().rev().find(|entry| entry.key == key).map(|entry| entry.value.as_deref())
}

fn is_on(entries: &[Entry], key: &[u8]) -> bool {
    last(entries, key).is_some_and(|value| boolean(value) == Some(true))
}
