//! Restores: a whole repository into a new place, or one ref into the one that lost it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use alignwatch_git::{
    run::{Git, GitAt},
    tend::{self, ObjectSet, Scratch},
};

use super::{BackupError, Keys, Manifest, Shelf, create::name_of, failed, manifest::bytes_of, seal};

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
pub(super) fn name_all(at: &GitAt<'_>, manifest: &Manifest) -> Result<(), BackupError> {
    let mut commands = Vec::new();
    for tip in manifest.tips() {
        commands.extend(b"create ");
        commands.extend(bytes_of(&tip.name)?);
        commands.push(0);
        commands.extend(tip.oid.bytes());
        commands.push(0);
    }
    at.command("update-ref").option("--stdin").option("-z").input(commands).run()?;
    for symbolic in &manifest.symbolic {
        let name = if symbolic.name == "HEAD" { b"HEAD".to_vec() } else { bytes_of(&symbolic.name)? };
        at.command("symbolic-ref").revision(name).revision(bytes_of(&symbolic.target)?).run()?;
    }
    Ok(())
}

/// Restores a backup into a folder that is not there yet, or empty. Returns the Git directory.
///
/// A repository with a working tree gets its `.git` there and no files: `git reset --hard` writes them.
pub fn restore_whole(git: &Git, shelf: &Shelf, name: &str, into: &Path) -> Result<PathBuf, BackupError> {
    let is_free = fs::read_dir(into).map_or(!into.exists(), |mut entries| entries.next().is_none());
    if !is_free {
        return Err(BackupError::Not(format!("cannot restore into `{}`: something is there", into.display())));
    }
    let chain = sealed_chain(shelf, name)?;
    let Some(manifest) = chain.last() else { return Err(BackupError::Not("it is empty".to_owned())) };
    let folder = if manifest.is_bare { into.to_owned() } else { into.join(".git") };
    let opened = tend::init(git, &folder, &manifest.object_format)?;
    let at = git.at(&opened)?;
    fill(&at, shelf, &chain)?;
    name_all(&at, manifest)?;
    let beside = shelf.place(name).join("beside");
    for below in &manifest.beside {
        put_beside(shelf.keys(), &beside, below, &opened.common_dir, manifest)?;
    }
    Ok(opened.common_dir.clone())
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

/// Brings one ref of a backup back into a repository that has none of the name `to`. Returns its id.
///
/// Objects come along only where they are missing. Errors: there is such a ref already; it has to be moved by hand.
pub fn restore_ref(live: &GitAt<'_>, shelf: &Shelf, name: &str, from: &str, to: &str) -> Result<String, BackupError> {
    let chain = sealed_chain(shelf, name)?;
    let tips = chain.last().into_iter().flat_map(Manifest::tips);
    let found = tips.into_iter().find(|tip| tip.name == from);
    let id =
        found.map(|tip| tip.oid.clone()).ok_or_else(|| BackupError::Not(format!("`{name}` has no ref `{from}`")))?;
    let wanted = BTreeSet::from([id.clone()]);
    if ObjectSet::of(live, &wanted).is_err() {
        let scratch = Scratch::within(live.git(), shelf.folder(), &live.opened().object_format)?;
        let at = live.git().at(scratch.opened())?;
        fill(&at, shelf, &chain)?;
        let bundle = scratch.opened().common_dir.join("one.bundle");
        let mut file = fs::File::create(&bundle).map_err(failed("make", &bundle))?;
        tend::write_bundle(&at, &[(id.clone(), bytes_of(to)?)], &[], &mut file)?;
        tend::unpack_bundle(live, &bundle)?;
        ObjectSet::of(live, &wanted)?;
    }
    let mut command = b"create ".to_vec();
    command.extend(bytes_of(to)?);
    command.push(0);
    command.extend(id.bytes());
    command.push(0);
    live.command("update-ref").option("--stdin").option("-z").input(command).run()?;
    Ok(id)
}

/// A chain whose seals hold.
fn sealed_chain(shelf: &Shelf, name: &str) -> Result<Vec<Manifest>, BackupError> {
    seal::check(&shelf.place(name)).map_err(|error| BackupError::Not(format!("`{name}` is damaged: {error}")))?;
    let chain = shelf.chain(name)?;
    for link in &chain {
        let in_words = |error| BackupError::Not(format!("`{}`, which it needs, is damaged: {error}", link.name));
        seal::check(&shelf.place(&link.name)).map_err(in_words)?;
    }
    Ok(chain)
}
