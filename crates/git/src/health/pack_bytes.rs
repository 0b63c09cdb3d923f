//! Hashes the files of packs: are they what they were when they were written?
//!
//! A pack and its index end with the hash of all that stands before, and the index
//! names the hash of its pack. What was proven once is remembered by name, size, time and
//! inode. This finds rotten and cut files; that each object in them is right is for `fsck`.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use alignwatch_model::{Known, facts::integrity::PackBytes};

use crate::{files, memory::Memory, repository::Opened, stop::Stop};

/// Counted up when the proof changes.
const VERSION: &str = "1";

/// Names in `objects/pack` that are looked at. Source: ours; git is unusable long before.
const NAMES_AT_MOST: usize = 100_000;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 1 << 20;

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

/// The packs, without their ending, in order.
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
        names.extend(name.strip_suffix(".pack").filter(|name| name.starts_with("pack-")).map(str::to_owned));
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
    let mut hasher = gix_hash::hasher(kind);
    let (mut chunk, mut tail) = (vec![0; CHUNK_BYTES], Vec::new());
    let keep = 2 * hash_bytes;
    loop {
        let n = file.read(&mut chunk).map_err(Wrong::Unread)?;
        if n == 0 {
            break;
        }
        tail.extend_from_slice(&chunk[..n]);
        let surplus = tail.len().saturating_sub(keep);
        hasher.update(&tail[..surplus]);
        tail.drain(..surplus);
        if !goes_on(n) {
            return Err(Wrong::Stopped);
        }
    }
    if tail.len() < keep {
        return Err(Wrong::Damaged("is too short".into()));
    }
    let (before, own) = tail.split_at(hash_bytes);
    hasher.update(before);
    let is = hasher.try_finalize().map_err(|_| Wrong::Damaged("holds an attack on its hash".into()))?;
    if is.as_slice() == own {
        Ok((own.to_vec(), before.to_vec()))
    } else {
        Err(Wrong::Damaged("is not what was written: its checksum is another".into()))
    }
}
