//! A folder of our own for the objects that predictions make, so that none lands in the repository.

use std::{collections::BTreeMap, fs, io, os::unix::ffi::OsStrExt, path::Path};

use alignwatch_model::Oid;
use gix_object::Write;

use crate::objects::Mode;

/// New objects of one prediction run. Dropped, it is gone.
pub(crate) struct Quarantine {
    folder: tempfile::TempDir,
    store: gix_odb::loose::Store,
    hash: gix_hash::Kind,
}

impl Quarantine {
    /// An empty one, for objects in the same hash function as `like`. Only this user may look into it.
    ///
    /// Errors: no folder for temporary files can be written.
    pub(crate) fn new(like: &Oid) -> io::Result<Quarantine> {
        let folder = tempfile::Builder::new().prefix("alignwatch-objects-").tempdir()?;
        let hash = if like.as_bytes().len() == 20 { gix_hash::Kind::Sha1 } else { gix_hash::Kind::Sha256 };
        let store = gix_odb::loose::Store::at(folder.path().to_owned(), hash);
        Ok(Quarantine { folder, store, hash })
    }

    /// Whoever reads objects here also finds those of `objects_dir`.
    ///
    /// Errors: it cannot be written, or the path is none that an alternates file can hold.
    pub(crate) fn borrow(&self, objects_dir: &Path) -> io::Result<()> {
        let path = std::path::absolute(objects_dir)?;
        let bytes = path.as_os_str().as_bytes();
        if bytes.iter().any(|byte| b"\n\"\\#".contains(byte)) {
            return Err(io::Error::other("the path cannot stand in an alternates file"));
        }
        fs::create_dir_all(self.folder().join("info"))?;
        fs::write(self.folder().join("info/alternates"), [bytes, b"\n"].concat())
    }

    /// The object directory for Git.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A tree with one regular file for each blob, named by its place in the list.
    pub(super) fn tree_of_files(&self, blobs: impl Iterator<Item = Oid>) -> io::Result<Oid> {
        let entry = |(number, blob): (usize, Oid)| (file_name(number).into_bytes(), (Mode(0o100_644), blob));
        self.tree(&blobs.enumerate().map(entry).collect())
    }

    /// A tree with these entries.
    pub(super) fn tree(&self, entries: &BTreeMap<Vec<u8>, (Mode, Oid)>) -> io::Result<Oid> {
        let mut entries: Vec<_> = entries.iter().collect();
        // Git sorts folders as if their names ended in a slash.
        entries.sort_by_key(|(name, (mode, _))| [name.as_slice(), if mode.is_tree() { b"/" } else { b"" }].concat());
        let mut content = Vec::new();
        for (name, (mode, oid)) in entries {
            content.extend_from_slice(format!("{:o} ", mode.0).as_bytes());
            content.extend_from_slice(name);
            content.push(0);
            content.extend_from_slice(oid.as_bytes());
        }
        self.write(gix_object::Kind::Tree, &content)
    }

    /// Is this the tree without entries?
    pub(super) fn is_empty_tree(&self, oid: &Oid) -> bool {
        gix_hash::ObjectId::empty_tree(self.hash).as_bytes() == oid.as_bytes()
    }

    /// A file's content.
    pub(super) fn blob(&self, content: &[u8]) -> io::Result<Oid> {
        self.write(gix_object::Kind::Blob, content)
    }

    /// Was this object made here?
    pub(super) fn has(&self, oid: &Oid) -> bool {
        gix_hash::oid::try_from_bytes(oid.as_bytes()).is_ok_and(|id| self.store.contains(id))
    }

    /// A commit of a tree.
    pub(super) fn commit(&self, tree: &Oid, parents: &[Oid]) -> io::Result<Oid> {
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let who = "alignwatch <> 0 +0000";
        let content = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\nprediction\n");
        self.write(gix_object::Kind::Commit, content.as_bytes())
    }

    fn write(&self, kind: gix_object::Kind, content: &[u8]) -> io::Result<Oid> {
        let id = self.store.write_buf(kind, content).map_err(|error| io::Error::other(error.to_string()))?;
        Oid::from_bytes(id.as_bytes()).map_err(io::Error::other)
    }
}

/// The name of a file in [`Quarantine::tree_of_files`].
pub(super) fn file_name(number: usize) -> String {
    format!("{number:08}")
}
