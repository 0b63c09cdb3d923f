//! The files of a generated history: texts in sections, so that merges do real work and
//! their outcome is still known.
//!
//! A text has [`N_BLOCKS`] sections, each with one value that changes. The lines around
//! a value never change and are enough to keep two values apart in a diff, so two sides conflict
//! exactly when both changed the same value. Half of the other lines are shared by all
//! files, half are a file's own, so that rename detection has something to compare
//! and one right answer.

use std::{collections::BTreeMap, rc::Rc};

/// Sections of a text. Even ones are the base's, odd ones belong to branches.
pub(super) const N_BLOCKS: usize = 8;

/// What makes a file the same file when its path and content change.
pub(super) type FileId = u32;

/// All files of a commit. Cheap to clone.
pub(super) type Files = Rc<BTreeMap<FileId, Rc<File>>>;

/// A file in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: Rc<str>,
    pub(super) kind: Kind,
    /// The version of each section. Each version of anything is another number.
    pub(super) blocks: Rc<[u32]>,
}

/// What a file is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Executable,
    Link,
    Submodule,
    Binary,
    /// A text that holds conflict markers.
    Marked,
}

/// Which side a recorded merge keeps where both changed the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefer {
    Ours,
    Theirs,
}

/// A merge of two sides.
pub(super) struct Merged {
    pub(super) files: Files,
    pub(super) conflicts: bool,
}

impl File {
    pub(super) fn new(path: &str, kind: Kind, version: u32) -> File {
        let n_blocks = if matches!(kind, Kind::Text | Kind::Executable) { N_BLOCKS } else { 1 };
        File { path: path.into(), kind, blocks: vec![version; n_blocks].into() }
    }

    /// The file with another version of one section.
    pub(super) fn with_block(&self, block: usize, version: u32) -> File {
        let mut blocks = self.blocks.to_vec();
        let n_blocks = blocks.len();
        blocks[block % n_blocks] = version;
        File { blocks: blocks.into(), ..self.clone() }
    }

    pub(super) fn with_path(&self, path: &str) -> File {
        File { path: path.into(), ..self.clone() }
    }

    /// The mode as git writes it.
    pub(super) fn mode(&self) -> &'static str {
        match self.kind {
            Kind::Text | Kind::Binary | Kind::Marked => "100644",
            Kind::Executable => "100755",
            Kind::Link => "120000",
            Kind::Submodule => "160000",
        }
    }

    /// The content; of a submodule the 40 digits of its commit.
    pub(super) fn content(&self, id: FileId, out: &mut Vec<u8>) {
        let version = self.blocks[0];
        match self.kind {
            Kind::Text | Kind::Executable => self.text(id, out),
            Kind::Link => out.extend(format!("../target/of-{id}-{version}").bytes()),
            Kind::Submodule => out.extend(format!("{:08x}{version:032x}", id + 1).bytes()),
            Kind::Binary => out.extend((0..200_u32).map(|at| (at.wrapping_mul(version + 7) >> 3) as u8 & 0xfe)),
            Kind::Marked => marked(id, version, out),
        }
    }

    fn text(&self, id: FileId, out: &mut Vec<u8>) {
        for (section, version) in self.blocks.iter().enumerate() {
            let before = format!(
                "## section {section}\nevery file has this line {section}\nonly file {id} has line {section}a\n\n"
            );
            out.extend(before.bytes());
            for line in 0..=version % 3 {
                out.extend(format!("value {section} of file {id} is {version} ({line})\n").bytes());
            }
            let after = format!("\nonly file {id} has line {section}b\nall files agree on {section}\n\n");
            out.extend(after.bytes());
        }
    }
}

fn marked(id: FileId, version: u32, out: &mut Vec<u8>) {
    let text = format!(
        "def handler_{id}():\n<<<<<<< HEAD\n    return {version}\n=======\n    return None\n>>>>>>> side-{version}\n"
    );
    out.extend(text.bytes());
}

/// The files that differ: how they were and how they are.
pub(super) fn differences<'a>(
    before: &'a Files,
    after: &'a Files,
) -> impl Iterator<Item = (FileId, Option<&'a File>, Option<&'a File>)> {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let pairs = std::iter::from_fn(move || {
        let id = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some((old, _)), Some((new, _))) => *(*old).min(*new),
            (Some((id, _)), None) | (None, Some((id, _))) => **id,
        };
        let (old, new) = (old.next_if(|(old, _)| **old == id), new.next_if(|(new, _)| **new == id));
        Some((id, old.map(|(_, file)| file), new.map(|(_, file)| file)))
    });
    pairs.filter(|(_, old, new)| !is_same(*old, *new)).map(|(id, old, new)| (id, old.map(|f| &**f), new.map(|f| &**f)))
}

/// Merges `theirs` into `ours`, as git would, and says whether git would stop.
pub(super) fn merge(base: &Files, ours: &Files, theirs: &Files, prefer: Prefer) -> Merged {
    if Rc::ptr_eq(base, theirs) || Rc::ptr_eq(ours, theirs) {
        return Merged { files: ours.clone(), conflicts: false };
    }
    let mut files = BTreeMap::new();
    let mut conflicts = false;
    let ids = ours.keys().chain(theirs.keys().filter(|id| !ours.contains_key(id)));
    for &id in ids {
        let sides = [base.get(&id), ours.get(&id), theirs.get(&id)];
        let (file, fits) = merge_file(sides, prefer);
        conflicts |= !fits;
        files.extend(file.map(|file| (id, file)));
    }
    conflicts |= separate_paths(&mut files, if prefer == Prefer::Ours { ours } else { theirs });
    Merged { files: Rc::new(files), conflicts }
}

fn merge_file([base, ours, theirs]: [Option<&Rc<File>>; 3], prefer: Prefer) -> (Option<Rc<File>>, bool) {
    let preferred = if prefer == Prefer::Ours { ours } else { theirs };
    match (base, ours, theirs) {
        _ if is_same(ours, theirs) || is_same(base, theirs) => (ours.cloned(), true),
        _ if is_same(base, ours) => (theirs.cloned(), true),
        (Some(base), Some(ours), Some(theirs)) => {
            let (file, fits) = merge_versions(base, ours, theirs, prefer);
            (Some(Rc::new(file)), fits)
        }
        _ => (preferred.cloned(), false),
    }
}

fn is_same(one: Option<&Rc<File>>, other: Option<&Rc<File>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Rc::ptr_eq(one, other) || one == other,
        (one, other) => one.is_none() && other.is_none(),
    }
}

fn merge_versions(base: &File, ours: &File, theirs: &File, prefer: Prefer) -> (File, bool) {
    let mut fits = true;
    let path = pick(&base.path, &ours.path, &theirs.path, prefer, &mut fits).clone();
    let kind = *pick(&base.kind, &ours.kind, &theirs.kind, prefer, &mut fits);
    let is_same_shape = base.blocks.len() == ours.blocks.len() && base.blocks.len() == theirs.blocks.len();
    let blocks = if is_same_shape {
        let sides = base.blocks.iter().zip(&*ours.blocks).zip(&*theirs.blocks);
        sides.map(|((base, ours), theirs)| *pick(base, ours, theirs, prefer, &mut fits)).collect()
    } else {
        pick(&base.blocks, &ours.blocks, &theirs.blocks, prefer, &mut fits).clone()
    };
    (File { path, kind, blocks }, fits)
}

fn pick<'a, T: PartialEq>(base: &'a T, ours: &'a T, theirs: &'a T, prefer: Prefer, fits: &mut bool) -> &'a T {
    if ours == theirs || base == theirs {
        return ours;
    }
    if base == ours {
        return theirs;
    }
    *fits = false;
    if prefer == Prefer::Ours { ours } else { theirs }
}

/// Drops files that stand in the way of another one, keeping those of `preferred`. Says whether
/// there were any that git would stop at.
fn separate_paths(files: &mut BTreeMap<FileId, Rc<File>>, preferred: &Files) -> bool {
    let mut by_path: BTreeMap<Rc<str>, FileId> = BTreeMap::new();
    let (mut dropped, mut conflicts) = (Vec::new(), false);
    for (&id, file) in files.iter() {
        let Some(other) = by_path.insert(file.path.clone(), id) else { continue };
        conflicts |= !is_alike(&files[&other], file);
        let keeps_new = preferred.contains_key(&id);
        dropped.push(if keeps_new { other } else { id });
        by_path.insert(file.path.clone(), if keeps_new { id } else { other });
    }
    for (path, &id) in &by_path {
        let parents = path.match_indices('/').filter_map(|(at, _)| by_path.get(&path[..at]));
        for &parent in parents {
            conflicts = true;
            dropped.push(if preferred.contains_key(&id) { parent } else { id });
        }
    }
    dropped.iter().for_each(|id| drop(files.remove(id)));
    conflicts
}

/// Two files of different origin with the same content. Texts say which file they are, binaries do not.
fn is_alike(one: &File, other: &File) -> bool {
    one.kind == Kind::Binary && one == other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(FileId, File)]) -> Files {
        Rc::new(list.iter().map(|(id, file)| (*id, Rc::new(file.clone()))).collect())
    }

    #[test]
    fn sides_conflict_when_both_change_the_same_value() {
        let file = File::new("a", Kind::Text, 1);
        let base = files(&[(0, file.clone())]);
        let ours = files(&[(0, file.with_block(2, 5))]);
        let apart = files(&[(0, file.with_block(4, 6))]);
        let same = files(&[(0, file.with_block(2, 7))]);
        let merged = merge(&base, &ours, &apart, Prefer::Ours);
        assert!(!merged.conflicts);
        assert_eq!(&merged.files[&0].blocks[2..5], [5, 1, 6]);
        assert!(merge(&base, &ours, &same, Prefer::Ours).conflicts);
        assert_eq!(merge(&base, &ours, &same, Prefer::Theirs).files[&0].blocks[2], 7);
    }

    #[test]
    fn a_rename_takes_the_other_sides_edit_along_and_a_deletion_conflicts_with_it() {
        let file = File::new("a", Kind::Text, 1);
        let base = files(&[(0, file.clone())]);
        let renamed = files(&[(0, file.with_path("b"))]);
        let edited = files(&[(0, file.with_block(0, 2))]);
        let merged = merge(&base, &renamed, &edited, Prefer::Ours);
        assert!(!merged.conflicts);
        assert_eq!((&*merged.files[&0].path, merged.files[&0].blocks[0]), ("b", 2));
        assert!(merge(&base, &files(&[]), &edited, Prefer::Ours).conflicts);
    }

    #[test]
    fn two_files_cannot_stand_at_one_path() {
        let (one, two) = (File::new("d", Kind::Text, 1), File::new("d/x", Kind::Text, 2));
        let merged = merge(&files(&[]), &files(&[(0, one.clone())]), &files(&[(1, two)]), Prefer::Ours);
        assert!(merged.conflicts && merged.files.contains_key(&0) && !merged.files.contains_key(&1));
        let again = merge(&files(&[]), &files(&[(0, one.clone())]), &files(&[(1, one)]), Prefer::Theirs);
        assert!(again.conflicts && again.files.contains_key(&1) && again.files.len() == 1);
    }
}
