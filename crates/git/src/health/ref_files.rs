//! Looks at the files that hold refs: what is damaged in them, and what the reflog remembers of a lost ref.
//!
//! For repositories that keep refs in files. Only refs that could not be read, and symbolic
//! ones, are opened again; packed-refs is read once more as a file, since the list of refs does
//! not tell how it was written. Nothing is judged and no object is read.

use std::{
    ffi::OsStr,
    io::{self, Read, Seek, SeekFrom},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use alignwatch_model::{
    Known, Oid, RefName,
    facts::integrity::{DamagedRef, HeadFault, OddSymref, PackedFault, PackedFaultKind, RefFiles},
    snapshot::{BrokenRef, Head},
};

use crate::{files, objects::Objects, refs::Refs, repository::Opened};

/// How much of the file of one ref is read. Source: refs/files-backend.c of Git.
const REF_BYTES: u64 = 8 << 10;

/// How much of the end of a reflog is read: a few hundred entries.
const LOG_TAIL_BYTES: u64 = 64 << 10;

/// Largest packed-refs that is read: some ten million refs.
const PACKED_BYTES: u64 = 1 << 30;

/// Refs of each kind that are kept; more tell nothing new.
const KEPT_AT_MOST: usize = 1000;

/// What is odd about the files of refs.
pub(crate) fn ref_files(opened: &Opened, refs: &Refs, objects: &Objects) -> RefFiles {
    let (mut damaged, mut symrefs) = (Vec::new(), Vec::new());
    for broken in refs.broken.iter().take(KEPT_AT_MOST) {
        match content_of(opened, &broken.name) {
            None => {}
            Some(content) if content.starts_with(b"ref:") => {
                symrefs.push(OddSymref {
                    name: broken.name.clone(),
                    target: target(&content),
                    reason: broken.reason.clone(),
                    is_dangling: true,
                });
            }
            Some(_) => damaged.push(damaged_ref(opened, broken, objects)),
        }
    }
    symrefs.extend(chains(opened, refs));
    RefFiles { damaged, symrefs, packed: packed(opened), head: head(&refs.head) }
}

fn damaged_ref(opened: &Opened, broken: &BrokenRef, objects: &Objects) -> DamagedRef {
    let last = last_new_id(&log_of(opened, &broken.name), opened.object_format.as_str());
    DamagedRef {
        name: broken.name.clone(),
        reason: broken.reason.clone(),
        last_id: match last {
            Ok(last) => Known::Seen(last.map(|oid| (oid, objects.has(&oid)))),
            Err(error) => Known::Unknown(format!("its log cannot be read: {error}")),
        },
    }
}

/// Symbolic refs that do not name the ref that holds the id.
fn chains<'a>(opened: &'a Opened, refs: &'a Refs) -> impl Iterator<Item = OddSymref> + 'a {
    let symbolic = refs.all.iter().filter_map(|one| Some((&one.name, one.symref.as_ref()?)));
    let written = symbolic.filter_map(|(name, end)| Some((name, end, target(&content_of(opened, name)?))));
    let odd = written.filter(|(_, end, written)| *end != written && !written.as_bytes().is_empty());
    odd.take(KEPT_AT_MOST).map(|(name, end, written)| OddSymref {
        name: name.clone(),
        reason: format!("it names `{written}`, which names `{end}`"),
        target: written,
        is_dangling: false,
    })
}

/// The beginning of the file of a ref; `None` when it has no file of its own, or none that can be read.
fn content_of(opened: &Opened, name: &RefName) -> Option<Vec<u8>> {
    places(opened, name).into_iter().find_map(|path| files::read_beginning(&path, REF_BYTES).ok()?)
}

fn target(content: &[u8]) -> RefName {
    RefName::new(content.strip_prefix(b"ref:").unwrap_or_default().trim_ascii())
}

/// Where the file of a ref may be: in the folder of this worktree, or the common one.
fn places(opened: &Opened, name: &RefName) -> Vec<PathBuf> {
    let below = Path::new(OsStr::from_bytes(name.as_bytes()));
    let is_plain = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !is_plain {
        return Vec::new();
    }
    [&opened.git_dir, &opened.common_dir].map(|folder| folder.join(below)).into()
}

fn log_of(opened: &Opened, name: &RefName) -> PathBuf {
    let below = Path::new("logs").join(OsStr::from_bytes(name.as_bytes()));
    let own = opened.git_dir.join(&below);
    if own.exists() { own } else { opened.common_dir.join(below) }
}

/// The id that the last whole entry of a reflog went to; `None` when there is no log or no entry.
fn last_new_id(log: &Path, object_format: &str) -> io::Result<Option<Oid>> {
    let hex_len = if object_format == "sha256" { 64 } else { 40 };
    let Some(mut file) = files::open(log)? else { return Ok(None) };
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut tail)?;
    let ids = tail.split(|&byte| byte == b'\n').rev().filter_map(|line| new_id(line, hex_len));
    Ok(ids.into_iter().find(|oid| !oid.is_null()))
}

/// The second id of a line `old new who when zone\twhat`.
pub(super) fn new_id(line: &[u8], hex_len: usize) -> Option<Oid> {
    let old = line.get(..hex_len).and_then(|hex| Oid::from_hex(hex).ok());
    let new = line.get(hex_len + 1..2 * hex_len + 1).and_then(|hex| Oid::from_hex(hex).ok());
    let is_entry = line.get(hex_len) == Some(&b' ') && line.get(2 * hex_len + 1) == Some(&b' ');
    old.and(new).filter(|_| is_entry)
}

/// How the reason begins when HEAD could be read and what it names is the trouble.
const HEAD_NAMES: [&str; 2] = ["HEAD names ", "HEAD cannot be read: it names another ref"];

fn head(head: &Known<Head>) -> Option<HeadFault> {
    match head {
        Known::Unknown(reason) if HEAD_NAMES.iter().any(|start| reason.starts_with(start)) => {
            Some(HeadFault::Broken(reason.clone()))
        }
        Known::Seen(Head::Branch(name) | Head::Unborn(name)) if !name.starts_with("refs/heads/") => {
            Some(HeadFault::NoBranch(name.clone()))
        }
        _ => None,
    }
}

fn packed(opened: &Opened) -> Known<Vec<PackedFault>> {
    let hex_len = if opened.object_format == "sha256" { 64 } else { 40 };
    match files::read(&opened.common_dir.join("packed-refs"), PACKED_BYTES) {
        Err(error) => Known::Unknown(format!("packed-refs cannot be read: {error}")),
        Ok(None) => Known::Seen(Vec::new()),
        Ok(Some(text)) => Known::Seen(faults(&text, hex_len)),
    }
}

/// How Git begins the first line. Source: refs/packed-backend.c.
const HEADER: &[u8] = b"# pack-refs with:";

fn faults(text: &[u8], hex_len: usize) -> Vec<PackedFault> {
    let mut found = Vec::new();
    let mut note = |kind, line: usize, name: &[u8]| {
        if found.len() < KEPT_AT_MOST {
            let name = (!name.is_empty()).then(|| RefName::new(name));
            found.push(PackedFault { kind, line, name });
        }
    };
    let (mut is_sorted, mut last): (bool, &[u8]) = (false, b"");
    let whole = text.strip_suffix(b"\n");
    for (at, line) in whole.unwrap_or(text).split(|&byte| byte == b'\n').enumerate() {
        if text.is_empty() {
            break;
        }
        if at == 0 && line.starts_with(b"#") {
            is_sorted = line.split(|&byte| byte == b' ').any(|word| word == b"sorted");
            if !line.starts_with(HEADER) {
                note(PackedFaultKind::Header, 1, b"");
            }
            continue;
        }
        match entry(line, hex_len) {
            None => note(PackedFaultKind::NoEntry, at + 1, b""),
            Some(b"") => {}
            Some(name) => {
                if is_sorted && name <= last {
                    note(PackedFaultKind::Unsorted, at + 1, name);
                }
                last = name;
            }
        }
    }
    if whole.is_none() && !text.is_empty() {
        note(PackedFaultKind::CutOff, text.iter().filter(|&&byte| byte == b'\n').count() + 1, last);
    }
    found
}

/// The name in an entry; nothing for the object of a tag; `None` for what is no entry.
fn entry(line: &[u8], hex_len: usize) -> Option<&[u8]> {
    if let Some(hex) = line.strip_prefix(b"^") {
        return (hex.len() == hex_len && Oid::from_hex(hex).is_ok()).then_some(b"");
    }
    Oid::from_hex(line.get(..hex_len)?).ok()?;
    let name = line.get(hex_len..)?.strip_prefix(b" ")?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn told(text: &str) -> Vec<(PackedFaultKind, usize)> {
        let text = text.replace("ID", ID);
        faults(text.as_bytes(), 40).iter().map(|fault| (fault.kind, fault.line)).collect()
    }

    #[test]
    fn a_file_as_git_writes_it_has_no_fault() {
        let header = "# pack-refs with: peeled fully-peeled sorted \n";
        for text in ["", header, &format!("{header}ID refs/heads/a\nID refs/tags/b\n^ID\n"), "ID refs/z\nID refs/a\n"] {
            assert_eq!(told(text), [], "{text:?}");
        }
    }

    #[test]
    fn each_fault_is_named_with_its_line() {
        use PackedFaultKind::*;
        let sorted = "# pack-refs with: sorted \n";
        assert_eq!(told(&format!("{sorted}ID refs/b\nID refs/a\n")), [(Unsorted, 3)]);
        assert_eq!(told(&format!("{sorted}ID refs/a\nID refs/a\n")), [(Unsorted, 3)], "twice");
        assert_eq!(told("ID refs/b"), [(CutOff, 1)]);
        assert_eq!(
            told("ID refs/b\ngarbage\n^12\nIDrefs/c\n\n"),
            [(NoEntry, 2), (NoEntry, 3), (NoEntry, 4), (NoEntry, 5)]
        );
        assert_eq!(told("# another header\n"), [(Header, 1)]);
    }

    #[test]
    fn only_a_whole_entry_of_a_log_is_believed() {
        let entry = format!("{ID} {ID} A <a@b> 1 +0000\tcommit: x");
        assert!(new_id(entry.as_bytes(), 40).is_some());
        for cut in [0, 40, 41, 60, 81] {
            assert_eq!(new_id(&entry.as_bytes()[..cut], 40), None, "{cut}");
        }
    }
}
