//! Which way of merging the attributes of a repository ask for at a path.
//!
//! The attributes are those of the base commit and of `info/attributes`; files
//! of a working tree that nobody committed do not count, so the answer is the
//! same on every machine and in a bare repository.

use std::{collections::BTreeSet, path::Path, rc::Rc};

use alignwatch_model::Oid;
use gix_attributes::{
    Search, StateRef,
    search::{MetadataCollection, Outcome},
};
use rustc_hash::FxHashMap;

use crate::objects::{Objects, ReadError};

/// How Git would merge a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    /// Line by line: the default.
    Text,
    /// Not at all: two different versions conflict.
    Binary,
    /// Both sides' lines are kept: never a conflict.
    Union,
    /// By a driver with this name. One that is not configured means `Text`.
    Named(Vec<u8>),
}

/// Largest attributes file that is read. Source: Git refuses larger ones, too.
const FILE_AT_MOST_BYTES: usize = 100 << 20;

/// The attributes of one commit's tree.
pub(super) struct Attributes<'a> {
    objects: &'a Objects,
    root: Oid,
    of_repository: Vec<u8>,
    by_folder: FxHashMap<Vec<u8>, Option<Rc<Rules>>>,
}

/// The folder of an attributes file, and the file.
pub(super) type AttributesFile = (Vec<u8>, Oid);

struct Rules {
    search: Search,
    collection: MetadataCollection,
}

impl<'a> Attributes<'a> {
    /// The attributes of the tree `root`, and the content of `info/attributes` (empty if there is none).
    pub(super) fn of(objects: &'a Objects, root: Oid, of_repository: Vec<u8>) -> Attributes<'a> {
        Attributes { objects, root, of_repository, by_folder: FxHashMap::default() }
    }

    /// How the file at this path is merged. Errors: an attributes file on the way can't be read.
    pub(super) fn driver(&mut self, path: &[u8]) -> Result<Driver, ReadError> {
        let folder = folder_of(path);
        if !self.by_folder.contains_key(folder) {
            let rules = self.rules(folder)?.map(Rc::new);
            self.by_folder.insert(folder.to_vec(), rules);
        }
        Ok(match &self.by_folder[folder] {
            Some(rules) => rules.driver(path),
            None => Driver::Text,
        })
    }

    /// The attributes files that have a say at these paths, each with its folder: two trees with the same ones treat
    /// these paths alike.
    ///
    /// Errors: a folder on the way can't be read.
    pub(super) fn files_with_a_say<'p>(
        &self,
        paths: impl Iterator<Item = &'p [u8]>,
    ) -> Result<Vec<AttributesFile>, ReadError> {
        let folders: BTreeSet<&[u8]> = paths.map(folder_of).collect();
        let mut files = BTreeSet::new();
        for folder in folders {
            files.extend(self.files_down_to(folder)?);
        }
        Ok(files.into_iter().collect())
    }

    fn rules(&self, folder: &[u8]) -> Result<Option<Rules>, ReadError> {
        let files = self.files_down_to(folder)?;
        if files.is_empty() && self.of_repository.is_empty() {
            return Ok(None);
        }
        let mut rules = Rules { search: Search::default(), collection: MetadataCollection::default() };
        rules.add(b"[attr]binary -diff -merge -text", b"", true);
        for (folder, file) in &files {
            let content = self.objects.blob(file)?;
            if content.len() <= FILE_AT_MOST_BYTES {
                rules.add(&content, folder, folder.is_empty());
            }
        }
        rules.add(&self.of_repository, b"", true);
        Ok(Some(rules))
    }

    /// The attributes files from the root down to a folder, each with its folder's path.
    fn files_down_to(&self, folder: &[u8]) -> Result<Vec<AttributesFile>, ReadError> {
        let mut files = Vec::new();
        let mut tree = self.objects.tree(&self.root)?;
        let mut at = Vec::new();
        let mut names = folder.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
        loop {
            if let Some(file) = tree.find(b".gitattributes").filter(|entry| entry.mode.is_file()) {
                files.push((at.clone(), file.oid));
            }
            let Some(name) = names.next() else { return Ok(files) };
            let Some(next) = tree.find(name).filter(|entry| entry.mode.is_tree()) else { return Ok(files) };
            at.extend((!at.is_empty()).then_some(b'/'));
            at.extend_from_slice(name);
            tree = self.objects.tree(&next.oid)?;
        }
    }
}

fn folder_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&byte| byte == b'/').map_or(&b""[..], |at| &path[..at])
}

impl Rules {
    fn add(&mut self, content: &[u8], folder: &[u8], may_define: bool) {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let root = Path::new("/attributes");
        let source = root.join(OsStr::from_bytes(folder)).join(".gitattributes");
        // A line that can't be parsed is passed over, as Git does; the whole buffer is never refused.
        let _ = self.search.add_patterns_buffer(content, source, Some(root), &mut self.collection, may_define);
    }

    fn driver(&self, path: &[u8]) -> Driver {
        let mut outcome = Outcome::default();
        outcome.initialize_with_selection(&self.collection, ["merge"]);
        self.search.pattern_matching_relative_path(
            path.into(),
            gix_glob::pattern::Case::Sensitive,
            Some(false),
            &mut outcome,
        );
        let state = outcome.iter_selected().next().map(|found| found.assignment.state);
        match state {
            Some(StateRef::Unset) => Driver::Binary,
            Some(StateRef::Value(value)) => match value.as_bstr().as_ref() as &[u8] {
                b"text" => Driver::Text,
                b"binary" => Driver::Binary,
                b"union" => Driver::Union,
                name => Driver::Named(name.to_vec()),
            },
            Some(StateRef::Set | StateRef::Unspecified) | None => Driver::Text,
        }
    }
}
