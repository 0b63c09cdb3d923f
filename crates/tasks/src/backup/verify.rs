//! Proves a backup.
//!
//! *Quick*: the seal of it and of all that it needs holds, and Git can read every object. *Drill*: it is restored into
//! a scratch place; `git fsck` has nothing to say, refs are those of the manifest one by one, and the objects are
//! exactly those that were counted when it was made; the files of HEAD can be read. The time that takes is what a
//! restore takes.

use std::{collections::BTreeSet, time::Instant};

use alignwatch_git::{
    run::{Git, GitAt, Limits},
    tend::{self, ObjectSet, Scratch},
};
use alignwatch_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    BackupError, Manifest, Shelf, Verification,
    create::sum_of,
    crypt::NO_IDENTITY,
    manifest::{bytes_of, text_of},
    restore, seal,
};

/// How closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Sums, and each object can be read.
    Quick,
    /// Restored and compared.
    Drill,
}

/// Looks at a backup, writes down what came of it, and says so.
///
/// Errors: it could not be looked at, or not be written down; a bad backup is no error.
pub fn verify(git: &Git, shelf: &Shelf, name: &str, level: Level, now: Timestamp) -> Result<Verification, BackupError> {
    if level == Level::Drill && !shelf.keys().can_read() && shelf.manifest(name).is_ok_and(|found| found.is_encrypted) {
        // That says nothing about the backup.
        return Err(BackupError::Not(format!("`{name}` can't be restored here: {NO_IDENTITY}")));
    }
    let began = Instant::now();
    let looked = proven(git, shelf, name, level);
    let n_other_refs = match &looked {
        Ok(_) => (level == Level::Drill).then_some(0),
        Err(BackupError::OtherRefs(n, _)) => Some(*n),
        Err(_) => None,
    };
    let is_good = looked.is_ok();
    let because = looked.unwrap_or_else(|error| error.to_string());
    let (name, took_seconds) = (name.to_owned(), began.elapsed().as_secs_f64());
    let look = Verification { name, at_seconds: now.0, level, is_good, because, n_other_refs, took_seconds };
    shelf.note(&look)?;
    Ok(look)
}

/// Errors: what is wrong with it.
fn proven(git: &Git, shelf: &Shelf, name: &str, level: Level) -> Result<String, BackupError> {
    // Before anything of it is believed.
    seal::check(&shelf.place(name))?;
    let chain = shelf.chain(name)?;
    for link in &chain[..chain.len() - 1] {
        let in_words = |error| BackupError::Not(format!("`{}`, which it needs: {error}", link.name));
        seal::check(&shelf.place(&link.name)).map_err(in_words)?;
    }
    let Some(manifest) = chain.last() else { return Err(BackupError::Not("it is empty".to_owned())) };
    if chain.iter().any(|link| link.is_encrypted) && !shelf.keys().can_read() {
        return Ok(format!("sums hold ({}); what it holds was not read: {NO_IDENTITY}", links(&chain)));
    }
    let scratch = Scratch::within(git, shelf.folder(), &manifest.object_format)?;
    let at = git.at(scratch.opened())?;
    restore::fill(&at, shelf, &chain)?;
    match level {
        Level::Quick => Ok(format!("sums hold, and each object can be read ({})", links(&chain))),
        Level::Drill => {
            restore::name_refs(&at, manifest)?;
            // Before symbolic refs are there: one that names nothing is damage to fsck, and was so in the original.
            fsck(&at)?;
            restore::name_symbolic(&at, manifest)?;
            compared(&at, manifest)?;
            Ok(format!(
                "restored and compared: {} refs, {} anchors, {} objects ({})",
                manifest.refs.len(),
                manifest.anchors.len(),
                manifest.n_objects,
                links(&chain)
            ))
        }
    }
}

fn links(chain: &[Manifest]) -> String {
    alignwatch_model::words::count(chain.len(), "file")
}

fn compared(at: &GitAt<'_>, manifest: &Manifest) -> Result<(), BackupError> {
    same(at, manifest)?;
    let head = manifest.symbolic.iter().find(|head| head.name == "HEAD").map(|head| head.target.clone());
    match head.filter(|head| manifest.tips().any(|tip| tip.name == *head)) {
        Some(head) => files_of(at, &bytes_of(&head)?),
        None => Ok(()),
    }
}

/// Errors: a ref, a symbolic ref or an object is another than in the manifest.
pub(super) fn same(at: &GitAt<'_>, manifest: &Manifest) -> Result<(), BackupError> {
    let not = |what: String| Err(BackupError::Not(what));
    let named = tend::named(at)?;
    let there: BTreeSet<(String, String)> = named.refs.iter().map(|(name, id)| (text_of(name), id.clone())).collect();
    let wanted: BTreeSet<(String, String)> = manifest.tips().map(|tip| (tip.name.clone(), tip.oid.clone())).collect();
    let others: BTreeSet<&String> = wanted.symmetric_difference(&there).map(|(name, _)| name).collect();
    if let Some(name) = others.first() {
        return Err(BackupError::OtherRefs(others.len(), (*name).clone()));
    }
    // HEAD is one of them only where the manifest tells of it: an empty repository has one by itself.
    let is_told = |name: &str| name != "HEAD" || manifest.symbolic.iter().any(|one| one.name == "HEAD");
    let pairs = named.symbolic.iter().map(|(name, target)| (text_of(name), text_of(target)));
    let there: BTreeSet<(String, String)> = pairs.filter(|(name, _)| is_told(name)).collect();
    let wanted: BTreeSet<(String, String)> =
        manifest.symbolic.iter().map(|one| (one.name.clone(), one.target.clone())).collect();
    if let Some((name, _)) = wanted.symmetric_difference(&there).next() {
        return not(format!("`{name}` leads elsewhere than in the manifest"));
    }
    if manifest.detached.is_some() && named.detached != manifest.detached {
        return not("HEAD is elsewhere than in the manifest".to_owned());
    }
    let set = ObjectSet::of(at, &manifest.tips().map(|tip| tip.oid.clone()).collect())?;
    if set.len() as u64 != manifest.n_objects || sum_of(&set) != manifest.objects_sha256 {
        return not(format!("it has {} objects, and not the {} that were counted", set.len(), manifest.n_objects));
    }
    Ok(())
}

/// Bit 1 of its exit code is about the form of objects: what was odd in the original is odd in the copy, and each was
/// read whole already.
fn fsck(at: &GitAt<'_>) -> Result<(), BackupError> {
    const ODD: i32 = 1;
    let limits = long();
    let call =
        at.command("fsck").option("--full").option("--no-dangling").option("--no-progress").option("--no-reflogs");
    call.limits(limits).run_allowing(&[ODD]).map(drop).map_err(BackupError::from)
}

/// Reads every file of a commit, as a checkout would.
fn files_of(at: &GitAt<'_>, head: &[u8]) -> Result<(), BackupError> {
    let mut n_bytes = 0u64;
    let call = at.command("archive").option("--format=tar").revision(head).limits(long());
    call.run_streamed(&mut |piece| n_bytes += piece.len() as u64)?;
    if n_bytes == 0 { Err(BackupError::Not("HEAD has no files to check out".to_owned())) } else { Ok(()) }
}

fn long() -> Limits {
    let time = std::time::Duration::from_secs(4 * 3_600);
    Limits { time, cpu_seconds: time.as_secs(), niceness: 10, ..Limits::default() }
}
