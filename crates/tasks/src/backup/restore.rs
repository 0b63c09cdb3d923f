//! Restores: a whole repository or one ref of it into a new place, or one ref into the repository that lost it.
//!
//! A new place comes to be at once, by a rename, when all that was to be restored was found in it; before that, nothing of
//! it is there. A chain of backups is looked at whole before its first link is read.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use alignwatch_git::{
    repository::Opened,
    run::{Git, GitAt},
    tend::{self, ObjectSet, Scratch},
};
use tempfile::TempDir;

use super::{
    BackupError, Keys, Manifest, Named, Shelf, create::name_of, failed, manifest::Found, manifest::bytes_of, seal,
    verify,
};

/// Puts the objects of a chain into a repository, the whole backup first.
pub(super) fn fill(at: &GitAt<'_>, shelf: &Shelf, chain: &[Manifest]) -> Result<(), BackupError> {
    for link in chain {
        let folder = shelf.place(&link.name);
        let shallow = folder.join(name_of("beside/shallow", link.is_encrypted));
        if shallow.is_file() {
            shelf.keys().open(&shallow, link.is_encrypted, &at.opened().common_dir.join("shallow"))?;
        }
        let bundle = folder.join(name_of("objects.bundle", link.is_encrypted));
        if !link.is_encrypted {
            tend::unpack_bundle(at, &bundle)?;
            continue;
        }
        // Git reads a file from where its objects begin, so that it has to lie open for a while, for nobody else.
        let open = at.opened().common_dir.join("objects.bundle");
        shelf.keys().open(&bundle, true, &open)?;
        let unpacked = tend::unpack_bundle(at, &open);
        fs::remove_file(&open).map_err(failed("remove", &open))?;
        unpacked?;
    }
    Ok(())
}

/// Makes all refs and anchors of a manifest, all or none.
pub(super) fn name_refs(at: &GitAt<'_>, manifest: &Manifest) -> Result<(), BackupError> {
    let mut commands = Vec::new();
    for tip in manifest.tips() {
        commands.extend(b"create ");
        commands.extend(bytes_of(&tip.name)?);
        commands.push(0);
        commands.extend(tip.oid.bytes());
        commands.push(0);
    }
    at.command("update-ref").option("--stdin").option("-z").input(commands).run()?;
    Ok(())
}

/// Makes all symbolic refs of a manifest, and its HEAD.
pub(super) fn name_symbolic(at: &GitAt<'_>, manifest: &Manifest) -> Result<(), BackupError> {
    for symbolic in &manifest.symbolic {
        let name = if symbolic.name == "HEAD" { b"HEAD".to_vec() } else { bytes_of(&symbolic.name)? };
        at.command("symbolic-ref").revision(name).revision(bytes_of(&symbolic.target)?).run()?;
    }
    if let Some(id) = &manifest.detached {
        let call = at.command("update-ref").option("--no-deref").revision("HEAD").revision(id);
        call.run()?;
    }
    Ok(())
}

/// A repository that is being restored beside the place that it gets.
struct Draft {
    into: PathBuf,
    room: TempDir,
    opened: Opened,
}

impl Draft {
    /// An empty one. Errors: something is in the place already.
    fn beside(git: &Git, into: &Path, manifest: &Manifest) -> Result<Draft, BackupError> {
        let is_free = fs::read_dir(into).map_or(!into.exists(), |mut entries| entries.next().is_none());
        if !is_free {
            return Err(BackupError::Not(format!("cannot restore into `{}`: something is there", into.display())));
        }
        let above = into.parent().ok_or_else(|| BackupError::Not(format!("`{}` is no place", into.display())))?;
        fs::create_dir_all(above).map_err(failed("make", above))?;
        let room = tempfile::Builder::new().prefix(".restoring-").tempdir_in(above).map_err(failed("make", above))?;
        let folder = room.path().join("new");
        let opened =
            tend::init(git, &if manifest.is_bare { folder } else { folder.join(".git") }, &manifest.object_format)?;
        Ok(Draft { into: into.to_owned(), room, opened })
    }

    /// Gives it its place. Returns the Git directory there.
    fn publish(self, manifest: &Manifest) -> Result<PathBuf, BackupError> {
        fs::rename(self.room.path().join("new"), &self.into).map_err(failed("make", &self.into))?;
        Ok(if manifest.is_bare { self.into } else { self.into.join(".git") })
    }
}

/// Restores a backup into a folder that is not there yet, or empty. Returns the Git directory.
///
/// A repository with a working tree gets its `.git` there and no files: `git reset --hard` writes them.
pub fn restore_whole(git: &Git, shelf: &Shelf, name: &str, into: &Path) -> Result<PathBuf, BackupError> {
    let chain = sealed_chain(shelf, name)?;
    let Some(manifest) = chain.last() else { return Err(BackupError::Not("it is empty".to_owned())) };
    let draft = Draft::beside(git, into, manifest)?;
    let at = git.at(&draft.opened)?;
    fill(&at, shelf, &chain)?;
    name_refs(&at, manifest)?;
    name_symbolic(&at, manifest)?;
    verify::same(&at, manifest)?;
    let beside = shelf.place(name).join("beside");
    for below in &manifest.beside {
        put_beside(shelf.keys(), &beside, below, &draft.opened.common_dir, manifest)?;
    }
    draft.publish(manifest)
}

/// What was restored of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The name that it has there.
    pub name: String,
    /// The id that it is at, or the ref that it names.
    pub at: String,
}

/// Restores one ref into a folder that is not there yet, or empty, with all that it reaches and nothing else.
///
/// Where it is a branch, HEAD is on it.
pub fn restore_alone(
    git: &Git,
    shelf: &Shelf,
    name: &str,
    from: &str,
    to: Option<&str>,
    into: &Path,
) -> Result<(Restored, PathBuf), BackupError> {
    let chain = sealed_chain(shelf, name)?;
    let (manifest, tip) = match chain.last().and_then(|last| Some((last, last.find(from)?))) {
        Some((manifest, Found::At(tip))) => (manifest, tip),
        Some((_, Found::Symbolic(one))) => {
            return Err(BackupError::Not(format!("`{}` only names `{}`: restore that", one.name, one.target)));
        }
        None => return Err(BackupError::Not(format!("`{name}` has no ref `{from}`"))),
    };
    let draft = Draft::beside(git, into, manifest)?;
    let at = git.at(&draft.opened)?;
    bring(&at, shelf, &chain, tip, draft.room.path())?;
    let to = full_name(to.unwrap_or(&tip.name));
    create(&at, &to, &tip.oid)?;
    if to.starts_with("refs/heads/") {
        at.command("symbolic-ref").revision("HEAD").revision(bytes_of(&to)?).run()?;
    }
    if !manifest.is_bare {
        at.command("config").option("core.bare").option("false").run()?;
    }
    let git_dir = draft.publish(manifest)?;
    Ok((Restored { name: to, at: tip.oid.clone() }, git_dir))
}

fn put_beside(
    keys: &Keys,
    beside: &Path,
    below: &str,
    common_dir: &Path,
    manifest: &Manifest,
) -> Result<(), BackupError> {
    let is_plain = Path::new(below).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !is_plain {
        return Err(BackupError::Not(format!("`{below}` leads out of the backup")));
    }
    // Settings that name tables for refs would hide the files that refs are in now.
    let is_other = manifest.ref_backend != "files" && (below == "config" || below.starts_with("logs/"));
    let to = if is_other { common_dir.join("from-backup").join(below) } else { common_dir.join(below) };
    let folder = to.parent().unwrap_or(common_dir);
    fs::create_dir_all(folder).map_err(failed("make", folder))?;
    keys.open(&beside.join(name_of(below, manifest.is_encrypted)), manifest.is_encrypted, &to)
}

/// Brings one ref of a backup back into a repository that has none of the name `to`. A symbolic one comes back as such.
///
/// Objects come along only where they are missing. Errors: there is such a ref already; it has to be moved by hand.
pub fn restore_ref(
    live: &GitAt<'_>,
    shelf: &Shelf,
    name: &str,
    from: &str,
    to: Option<&str>,
) -> Result<Restored, BackupError> {
    let chain = sealed_chain(shelf, name)?;
    let found = chain.last().and_then(|last| last.find(from));
    match found.ok_or_else(|| BackupError::Not(format!("`{name}` has no ref `{from}`")))? {
        Found::At(tip) => {
            let to = full_name(to.unwrap_or(&tip.name));
            is_free(live, &to)?;
            bring(live, shelf, &chain, tip, shelf.folder())?;
            create(live, &to, &tip.oid)?;
            Ok(Restored { name: to, at: tip.oid.clone() })
        }
        Found::Symbolic(one) => {
            let to = full_name(to.unwrap_or(&one.name));
            is_free(live, &to)?;
            live.command("symbolic-ref").revision(bytes_of(&to)?).revision(bytes_of(&one.target)?).run()?;
            Ok(Restored { name: to, at: one.target.clone() })
        }
    }
}

/// A branch by its short name is as good as by its full one.
fn full_name(name: &str) -> String {
    if name.starts_with("refs/") || name.starts_with("hex:") { name.to_owned() } else { format!("refs/heads/{name}") }
}

/// Errors: a ref of this name is there, also a symbolic one that names nothing, and one that can't be read.
fn is_free(live: &GitAt<'_>, name: &str) -> Result<(), BackupError> {
    let bytes = bytes_of(name)?;
    let file = live.opened().common_dir.join(OsStr::from_bytes(&bytes));
    // A folder of this name is what deleted refs below it leave.
    if fs::symlink_metadata(file).is_ok_and(|about| !about.is_dir()) {
        return Err(BackupError::Taken(name.to_owned()));
    }
    let symbolic = live.command("symbolic-ref").option("-q").revision(&bytes).run_allowing(&[1, 128])?;
    let call = live.command("rev-parse").option("-q").option("--verify").revision(&bytes);
    if symbolic.code == 0 || call.run_allowing(&[1, 128])?.code == 0 {
        return Err(BackupError::Taken(name.to_owned()));
    }
    Ok(())
}

/// Makes a ref that is not there yet.
fn create(at: &GitAt<'_>, name: &str, oid: &str) -> Result<(), BackupError> {
    let command = [b"create ".as_slice(), &bytes_of(name)?, b"\0", oid.as_bytes(), b"\0"].concat();
    at.command("update-ref").option("--stdin").option("-z").input(command).run()?;
    Ok(())
}

/// Has all that a ref of a backup reaches in this repository; what is there already is not brought again.
///
/// `room` is where a scratch place for the whole backup may be.
fn bring(to: &GitAt<'_>, shelf: &Shelf, chain: &[Manifest], tip: &Named, room: &Path) -> Result<(), BackupError> {
    let wanted = BTreeSet::from([tip.oid.clone()]);
    if ObjectSet::of(to, &wanted).is_ok() {
        return Ok(());
    }
    let format = chain.last().map_or(&to.opened().object_format, |manifest| &manifest.object_format);
    let scratch = Scratch::within(to.git(), room, format)?;
    let at = to.git().at(scratch.opened())?;
    fill(&at, shelf, chain)?;
    let bundle = scratch.opened().common_dir.join("one.bundle");
    let mut file = fs::File::create(&bundle).map_err(failed("make", &bundle))?;
    tend::write_bundle(&at, &[(tip.oid.clone(), bytes_of(&tip.name)?)], &[], &mut file)?;
    tend::unpack_bundle(to, &bundle)?;
    ObjectSet::of(to, &wanted)?;
    Ok(())
}

/// A chain whose seals hold.
fn sealed_chain(shelf: &Shelf, name: &str) -> Result<Vec<Manifest>, BackupError> {
    seal::check(&shelf.place(name)).map_err(|error| BackupError::Not(format!("`{name}` is damaged: {error}")))?;
    let chain = shelf.chain(name)?;
    for link in &chain[..chain.len() - 1] {
        let in_words = |error| BackupError::Not(format!("`{}`, which it needs, is damaged: {error}", link.name));
        seal::check(&shelf.place(&link.name)).map_err(in_words)?;
    }
    Ok(chain)
}
