//! Hashes the files of packs: are they what they were when they were written?
//!
//! A pack and its index end with the hash of all that stands before, and the index
//! names the hash of its pack. What was proven once is remembered by name, size, time and
//! inode. This finds rotten and cut files; that each object in them is right is for `fsck`. A pack
//! without an index is no pack for Git: that is told by the look at what is stored.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use sha1::Digest as _;

use alignwatch_model::{Known, facts::integrity::PackBytes};

use crate::{files, memory::Memory, repository::Opened, stop::Stop};

/// Counted up when the proof changes.
const VERSION: &str = "1";

/// Names in `objects/pack` that are looked at. Source: ours; git is unusable long before.
const NAMES_AT_MOST: usize = 100_000;

/// Bytes that are read at once: they stay in the processor's cache until they are hashed.
const CHUNK_BYTES: usize = 256 << 10;

/// Hashes the bytes of a file.
enum Hasher {
    /// Without a search for collisions, by the processor's own instructions: five times as fast. Who can write an attack
    /// into a pack can also write its checksum, so here the search would find nothing: only rot is looked for.
    Sha1(sha1::Sha1),
    Other(gix_hash::Hasher),
}

impl Hasher {
    fn new(kind: gix_hash::Kind) -> Hasher {
        match kind {
            gix_hash::Kind::Sha1 => Hasher::Sha1(sha1::Sha1::new()),
            other => Hasher::Other(gix_hash::hasher(other)),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha1(hasher) => hasher.update(bytes),
            Hasher::Other(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Result<Vec<u8>, Wrong> {
        match self {
            Hasher::Sha1(hasher) => Ok(hasher.finalize().to_vec()),
            Hasher::Other(hasher) => match hasher.try_finalize() {
                Ok(id) => Ok(id.as_slice().to_vec()),
                Err(error) => Err(Wrong::Damaged(format!("cannot be hashed: {error}"))),
            },
        }
    }
}

/// Why a file was not proven.
enum Wrong {
    Stopped,
    Unread(io::Error),
    Damaged(String),
}

/// Hashes all packs that were not proven before. `step` hears how many of how many MiB were read.
pub fn pack_bytes(opened: &Opened, memory: &Memory, stop: &Stop, step: &dyn Fn(usize, usize)) -> Known<PackBytes> {
    let kind = match opened.object_format.as_str() {
        "sha1" => gix_hash::Kind::Sha1,
        "sha256" => gix_hash::Kind::Sha256,
        other => return Known::Unknown(format!("packs of format {other} cannot be hashed here")),
    };
    let folder = opened.objects_dir.join("pack");
    let names = match pack_names(&folder) {
        Ok(names) => names,
        Err(error) => return Known::Unknown(format!("`objects/pack` cannot be read: {error}")),
    };
    let sizes = names.iter().filter_map(|name| fs::metadata(folder.join(format!("{name}.pack"))).ok());
    let total = sizes.map(|about| about.len()).sum::<u64>() >> 20;
    let mut shelf = memory.shelf("packs", VERSION);
    let (mut seen, mut n_read) = (PackBytes::default(), 0_u64);
    for name in names {
        let identity = identity(&folder, &name);
        if identity.as_ref().is_some_and(|key| shelf.get(key).is_some()) {
            seen.n_sound += 1;
            continue;
        }
        let mut goes_on = |bytes: usize| {
            n_read += bytes as u64;
            step((n_read >> 20) as usize, (total as usize).max((n_read >> 20) as usize));
            !stop.is_due()
        };
        match proven(&folder, &name, kind, &mut goes_on) {
            Ok(()) => {
                seen.n_sound += 1;
                seen.n_read += 1;
                identity.into_iter().for_each(|key| shelf.put(&key, Vec::new()));
            }
            Err(Wrong::Damaged(what)) => seen.damaged.push((name, what)),
            Err(Wrong::Unread(error)) => seen.unread.push((name, error.to_string())),
            Err(Wrong::Stopped) => {
                let _ = shelf.save();
                return Known::Unknown(stop.reason().unwrap_or_else(|| "it was stopped".into()));
            }
        }
    }
    // A memory that cannot be written costs a look, never an answer.
    let _ = shelf.save();
    Known::Seen(seen)
}

/// The packs that have an index, without their ending, in order.
fn pack_names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for (number, entry) in entries.enumerate() {
        if NAMES_AT_MOST <= number {
            return Err(io::Error::other("it holds too many names"));
        }
        let name = entry?.file_name().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".pack").filter(|name| name.starts_with("pack-"));
        names.extend(stem.filter(|stem| folder.join(format!("{stem}.idx")).exists()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// What changes when somebody touches the files.
fn identity(folder: &Path, name: &str) -> Option<Vec<u8>> {
    let mut key = name.to_owned();
    for ending in ["pack", "idx"] {
        let about = fs::metadata(folder.join(format!("{name}.{ending}"))).ok()?;
        key.push_str(&format!(" {} {}.{} {}", about.len(), about.mtime(), about.mtime_nsec(), about.ino()));
    }
    Some(key.into_bytes())
}

fn proven(
    folder: &Path,
    name: &str,
    kind: gix_hash::Kind,
    goes_on: &mut dyn FnMut(usize) -> bool,
) -> Result<(), Wrong> {
    let mut trailer = |ending: &str| {
        let file = files::open(&folder.join(format!("{name}.{ending}"))).map_err(Wrong::Unread)?;
        let file = file.ok_or_else(|| Wrong::Damaged(format!("its .{ending} is not there")))?;
        hashed(file, kind, goes_on).map_err(|wrong| match wrong {
            Wrong::Damaged(what) => Wrong::Damaged(format!("its .{ending} {what}")),
            other => other,
        })
    };
    let (pack, _) = trailer("pack")?;
    let (_, named) = trailer("idx")?;
    if named == pack { Ok(()) } else { Err(Wrong::Damaged("its .idx belongs to another pack".into())) }
}

/// The hash that the file ends with, after comparing it; and the one that stands before it.
fn hashed(
    mut file: File,
    kind: gix_hash::Kind,
    goes_on: &mut dyn FnMut(usize) -> bool,
) -> Result<(Vec<u8>, Vec<u8>), Wrong> {
    let hash_bytes = kind.len_in_bytes();
    let mut hasher = Hasher::new(kind);
    let (mut chunk, mut tail) = (vec![0; CHUNK_BYTES], Vec::new());
    let keep = 2 * hash_bytes;
    loop {
        let n = file.read(&mut chunk).map_err(Wrong::Unread)?;
        if n == 0 {
            break;
        }
        // The last two hashes of the file are not known before its end.
        let kept = &chunk[n.saturating_sub(keep)..n];
        let surplus = (tail.len() + kept.len()).saturating_sub(keep);
        hasher.update(&tail[..surplus]);
        hasher.update(&chunk[..n - kept.len()]);
        tail.drain(..surplus);
        tail.extend_from_slice(kept);
        if !goes_on(n) {
            return Err(Wrong::Stopped);
        }
    }
    if tail.len() < keep {
        return Err(Wrong::Damaged("is too short".into()));
    }
    let (before, own) = tail.split_at(hash_bytes);
    hasher.update(before);
    if hasher.finish()? == own {
        Ok((own.to_vec(), before.to_vec()))
    } else {
        Err(Wrong::Damaged("is not what was written: its checksum is another".into()))
    }
}
