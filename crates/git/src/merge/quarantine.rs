//! A folder of our own for the objects that predictions make, so that none lands in the repository.

use std::{io, path::Path};

use alignwatch_model::Oid;
use gix_object::Write;

/// New objects of one prediction run. Dropped, it is gone.
pub(super) struct Quarantine {
    folder: tempfile::TempDir,
    store: gix_odb::loose::Store,
}

impl Quarantine {
    /// An empty one, for objects in the same hash function as `like`. Only this user may look into it.
    ///
    /// Errors: no folder for temporary files can be written.
    pub(super) fn new(like: &Oid) -> io::Result<Quarantine> {
        let folder = tempfile::Builder::new().prefix("alignwatch-objects-").tempdir()?;
        let hash = if like.as_bytes().len() == 20 { gix_hash::Kind::Sha1 } else { gix_hash::Kind::Sha256 };
        let store = gix_odb::loose::Store::at(folder.path().to_owned(), hash);
        Ok(Quarantine { folder, store })
    }

    /// The object directory for Git.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A tree with one regular file for each blob, named by its place in the list.
    pub(super) fn tree_of_files(&self, blobs: impl Iterator<Item = Oid>) -> io::Result<Oid> {
        let mut content = Vec::new();
        for (number, blob) in blobs.enumerate() {
            content.extend_from_slice(format!("100644 {}\0", file_name(number)).as_bytes());
            content.extend_from_slice(blob.as_bytes());
        }
        self.write(gix_object::Kind::Tree, &content)
    }

    /// A commit of a tree.
    pub(super) fn commit(&self, tree: &Oid, parent: Option<&Oid>) -> io::Result<Oid> {
        let parent = parent.map_or_else(String::new, |parent| format!("parent {parent}\n"));
        let who = "alignwatch <> 0 +0000";
        let content = format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n\nprediction\n");
        self.write(gix_object::Kind::Commit, content.as_bytes())
    }

    fn write(&self, kind: gix_object::Kind, content: &[u8]) -> io::Result<Oid> {
        let id = self.store.write_buf(kind, content).map_err(|error| io::Error::other(error.to_string()))?;
        Oid::from_bytes(id.as_bytes()).map_err(io::Error::other)
    }
}

/// The name of a file in [`Quarantine::tree_of_files`]: trees are sorted by name, so all have one length.
pub(super) fn file_name(number: usize) -> String {
    format!("{number:08}")
}
