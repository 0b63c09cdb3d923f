//! Makes a backup.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use alignwatch_git::{
    repository::{Opened, RefBackend},
    run::GitAt,
    tend::{self, ObjectSet},
};
use alignwatch_model::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    Anchor, BackupError, Kept, Keys, Manifest, Named, Shelf,
    crypt::ENDING,
    failed,
    manifest::{SCHEMA, text_of},
    seal,
};

/// Which kind of backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole by itself.
    Full,
    /// What came since the newest one that can be read; whole where there is none.
    Incremental,
}

/// What is no object and still worth keeping, below the Git directory.
const BESIDE: [&str; 6] = ["config", "config.worktree", "description", "info", "hooks", "logs"];

/// Bytes of what is kept beside the objects. Source: ours; reflogs of a busy year.
const BESIDE_AT_MOST: u64 = 256 << 20;

/// Makes a backup, and returns what it says of itself when it is on the disk.
///
/// Errors: nothing is left but perhaps a draft, which the next one takes away.
pub fn create(git: &GitAt<'_>, shelf: &Shelf, kind: Kind, now: Timestamp) -> Result<Manifest, BackupError> {
    let opened = git.opened();
    if opened.is_partial {
        return Err(BackupError::Not(
            "objects are missing on purpose here (partial clone): no backup could be whole".to_owned(),
        ));
    }
    shelf.make()?;
    let named = tend::named(git)?;
    let before = if kind == Kind::Full { None } else { newest(shelf)? };
    let name = free_name(shelf, now, before.is_some());
    let draft = shelf.place(&format!(".draft-{}", opened.id()));
    let _ = fs::remove_dir_all(&draft);
    DirBuilder::new().mode(0o700).create(&draft).map_err(failed("make", &draft))?;
    let tips: Vec<(String, Vec<u8>)> =
        named.refs.iter().chain(&named.anchors).map(|(name, id)| (id.clone(), name.clone())).collect();
    let without = match &before {
        Some(before) => tend::commits_there(git, &before.tips().map(|tip| tip.oid.clone()).collect::<BTreeSet<_>>())?,
        None => Vec::new(),
    };
    let keys = shelf.keys();
    let bundle = draft.join(name_of("objects.bundle", keys.encrypts()));
    let mut sink = keys.sink(private(&bundle)?)?;
    tend::write_bundle(git, &tips, &without, &mut sink)?;
    sink.finish().map_err(failed("write", &bundle))?;
    let set = ObjectSet::of(git, &tips.iter().map(|(id, _)| id.clone()).collect::<BTreeSet<_>>())?;
    let beside = beside(opened, &draft.join("beside"), keys)?;
    let pair = |(name, id): &(Vec<u8>, String)| Named { name: text_of(name), oid: id.clone() };
    let manifest = Manifest {
        schema: SCHEMA.to_owned(),
        name: name.clone(),
        needs: before.map(|before| before.name),
        at_seconds: now.0,
        at: now.rfc3339(),
        repository: opened.path.display().to_string(),
        repository_id: opened.id(),
        object_format: opened.object_format.clone(),
        ref_backend: if opened.ref_backend == RefBackend::Files { "files" } else { "reftable" }.to_owned(),
        is_bare: opened.is_bare,
        git_version: git.git().version().text.clone(),
        refs: named.refs.iter().map(pair).collect(),
        symbolic: named
            .symbolic
            .iter()
            .map(|(name, target)| Anchor { name: text_of(name), target: text_of(target) })
            .collect(),
        detached: named.detached.clone(),
        anchors: named.anchors.iter().map(pair).collect(),
        n_objects: set.len() as u64,
        objects_sha256: sum_of(&set),
        beside: beside.copied,
        is_encrypted: keys.encrypts(),
        not_covered: not_covered(git, &beside.left_out),
    };
    write_whole(
        &draft.join("manifest.json"),
        &serde_json::to_vec_pretty(&manifest).map_err(|error| BackupError::Not(error.to_string()))?,
    )?;
    write_whole(&draft.join(seal::FILE), seal::text_for(&draft)?.as_bytes())?;
    File::open(&draft).and_then(|folder| folder.sync_all()).map_err(failed("write", &draft))?;
    fs::rename(&draft, shelf.place(&name)).map_err(failed("publish", &draft))?;
    shelf.sync()?;
    Ok(manifest)
}

/// The newest backup that says of itself what it is.
fn newest(shelf: &Shelf) -> Result<Option<Manifest>, BackupError> {
    let mut kept = shelf.list()?;
    kept.retain(|kept| kept.last.as_ref().is_none_or(|look| look.is_good));
    let whole = |kept: &Kept| kept.manifest.is_ok() && shelf.chain(&kept.name).is_ok();
    Ok(kept.into_iter().rev().find(|kept| whole(kept)).and_then(|kept| kept.manifest.ok()))
}

fn free_name(shelf: &Shelf, now: Timestamp, is_incremental: bool) -> String {
    let time: String = now.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    let kind = if is_incremental { "incremental" } else { "full" };
    let names = std::iter::once(format!("{time}-{kind}")).chain((2..).map(|nth| format!("{time}-{nth}-{kind}")));
    let mut free = names.filter(|name| !shelf.place(name).exists());
    free.next().unwrap_or_default()
}

/// SHA-256 of the sorted ids.
pub(super) fn sum_of(set: &ObjectSet) -> String {
    let mut sum = Sha256::new();
    set.ids().for_each(|id| sum.update(id));
    seal::hex(&sum.finalize())
}

/// What a file of a backup is called.
pub(super) fn name_of(name: &str, is_encrypted: bool) -> String {
    format!("{name}{}", if is_encrypted { ENDING } else { "" })
}

fn private(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path).map_err(failed("make", path))
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut file = private(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write", path))
}

/// What is kept beside the objects.
struct Beside {
    /// The paths of copies, below their folder, sorted.
    copied: Vec<String>,
    /// What is a link, no file, too large, or has a name that no list holds; sorted.
    left_out: Vec<String>,
}

/// Copies what is kept beside the objects.
fn beside(opened: &Opened, to: &Path, keys: &Keys) -> Result<Beside, BackupError> {
    let (mut copied, mut left_out) = (Vec::new(), Vec::new());
    let mut left = BESIDE_AT_MOST;
    let mut open: Vec<PathBuf> = BESIDE.iter().chain(&["shallow"]).map(PathBuf::from).collect();
    while let Some(below) = open.pop() {
        let from = opened.common_dir.join(&below);
        let about = match fs::symlink_metadata(&from) {
            Ok(about) => about,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed("look at", &from)(error)),
        };
        let is_wanted = below.extension().is_none_or(|end| end != "lock" && end != "sample");
        if about.is_dir() {
            for entry in fs::read_dir(&from).map_err(failed("read", &from))? {
                open.push(below.join(entry.map_err(failed("read", &from))?.file_name()));
            }
        } else if is_wanted {
            let name = below.to_str().filter(|name| !name.contains('\n'));
            let Some(name) = name.filter(|_| about.is_file() && about.len() <= left) else {
                left_out.push(below.to_string_lossy().replace('\n', "?"));
                continue;
            };
            left -= about.len();
            let target = to.join(name_of(name, keys.encrypts()));
            let folder = target.parent().unwrap_or(to);
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("make", folder))?;
            keys.close(&from, &target)?;
            copied.push(name.to_owned());
        }
    }
    copied.sort();
    left_out.sort();
    Ok(Beside { copied, left_out })
}

/// Names that a sentence holds.
const NAMED: usize = 5;

/// What is in no backup of ours. Shown each time, so that nobody finds out when it is needed.
fn not_covered(git: &GitAt<'_>, left_out: &[String]) -> Vec<String> {
    let opened = git.opened();
    let mut sentences = vec!["changes in working trees, and what is only in an index".to_owned()];
    let is_there = |name: &str| opened.common_dir.join(name).is_dir();
    if is_there("lfs") || at_head(git, ".gitattributes").is_some_and(|text| text.contains("filter=lfs")) {
        sentences.push("files of Git LFS (`lfs/`): fetch them with `git lfs fetch --all`".to_owned());
    }
    if is_there("modules") || at_head(git, ".gitmodules").is_some() {
        sentences.push("submodules (`modules/`): each is a repository of its own".to_owned());
    }
    let value = |key: &str| {
        let entry = git.entries().iter().rev().find(|entry| entry.key == key.as_bytes())?;
        Some(String::from_utf8_lossy(entry.value.as_deref().unwrap_or_default()).into_owned())
    };
    if let Some(path) = value("core.hookspath") {
        sentences.push(format!("hooks in `{path}` (core.hooksPath): that folder is not part of the repository"));
    }
    if git.entries().iter().any(|entry| entry.key.starts_with(b"include")) {
        sentences
            .push("settings in files that `config` includes (include.path): only the lines that name them".to_owned());
    }
    if !left_out.is_empty() {
        let named = left_out.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = match left_out.len().saturating_sub(NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        sentences.push(format!("links, and files that are too large, beside the objects: {named}{more}"));
    }
    if !opened.alternates.is_empty() {
        sentences.push("nothing is missing, but objects that are borrowed come along as copies".to_owned());
    }
    sentences
}

/// A file of the commit that is checked out, or would be; `None` = there is none, or it can't be read.
fn at_head(git: &GitAt<'_>, path: &str) -> Option<String> {
    let call = git.command("cat-file").option("blob").revision(format!("HEAD:{path}"));
    Some(String::from_utf8_lossy(&call.run().ok()?.stdout).into_owned())
}
