//! Reads commits, trees and blobs straight from the object database, without a process.
//!
//! Only objects are read here: no configuration of the repository, no refs, no
//! replacements, no grafts, and nothing is ever fetched. A missing object is an
//! answer of its own, never an empty one.
//!
//! Packs may vanish under us while somebody repacks: the object database looks
//! at the disk once more before it calls an object missing.

use std::{
    cell::RefCell,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use alignwatch_model::{Oid, Timestamp};
use gix_object::Find;
use gix_odb::Header;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// Largest blob that is read at all.
///
/// Source: Git's `core.bigFileThreshold`, above which Git itself neither diffs nor merges text.
const BLOB_AT_MOST: u64 = 512 << 20;

/// Largest commit or tree that is read. A commit of 8 MiB is 160 times git-sizer's level of concern.
const COMMIT_OR_TREE_AT_MOST: u64 = 64 << 20;

/// Memory for delta bases; Git's own default is 96 MiB (`core.deltaBaseCacheLimit`).
const DELTA_BASES_BYTES: usize = 32 << 20;

/// Memory for parsed trees, in each of the two generations of the cache.
const TREES_BYTES: usize = 24 << 20;

/// The object database of one repository, with its caches. One for each thread.
pub struct Objects {
    odb: gix_odb::HandleArc,
    hash: gix_hash::Kind,
    buffer: RefCell<Vec<u8>>,
    trees: RefCell<Trees>,
    shared: SharedTrees,
}

/// Opens further [`Objects`] of the same repository, for other threads.
#[derive(Clone)]
pub struct OpenObjects {
    store: Arc<gix_odb::Store>,
    hash: gix_hash::Kind,
    shared: SharedTrees,
}

/// Parsed trees of one repository that all threads have: what one has read, no other reads again.
#[derive(Clone, Default)]
pub struct SharedTrees(Arc<Mutex<Trees>>);

/// Why an object could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is not there.
    #[error("object {0} is missing")]
    Missing(Oid),
    /// It is there and cannot be read, or is not what it should be.
    #[error("object {0} is damaged: {1}")]
    Damaged(Oid, String),
    /// It is larger than what is read.
    #[error("object {0} is too large to read ({1} bytes)")]
    TooLarge(Oid, u64),
    /// The object database itself cannot be opened.
    #[error("cannot open the object database: {0}")]
    NoDatabase(String),
}

/// A commit, without its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its tree.
    pub tree: Oid,
    /// Its parents, in order.
    pub parents: Vec<Oid>,
    /// Committer date.
    pub committed_at: Timestamp,
}

/// What people want to know of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The author as `Name <address>`.
    pub author: String,
    /// First line of the message.
    pub subject: String,
}

/// A tree, its entries sorted by plain name (Git sorts folders as if they ended in `/`).
pub struct Tree {
    raw: Box<[u8]>,
    entries: Vec<RawEntry>,
    oid_len: usize,
}

struct RawEntry {
    mode: u32,
    name_at: u32,
    oid_at: u32,
}

/// One entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// File name, without a slash.
    pub name: &'a [u8],
    /// Kind and permissions.
    pub mode: Mode,
    /// The blob, tree or commit.
    pub oid: Oid,
}

/// The mode of a tree entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mode(pub u32);

impl Mode {
    /// A folder.
    pub fn is_tree(self) -> bool {
        self.0 & 0o170000 == 0o040000
    }
    /// A regular file, executable or not.
    pub fn is_file(self) -> bool {
        self.0 & 0o170000 == 0o100000
    }
    /// A symbolic link.
    pub fn is_link(self) -> bool {
        self.0 & 0o170000 == 0o120000
    }
    /// A submodule.
    pub fn is_submodule(self) -> bool {
        self.0 & 0o170000 == 0o160000
    }
}

impl Objects {
    /// Opens the object database in `objects_dir` (`…/objects`), with its alternates.
    ///
    /// Nothing is written and no configuration is read. Errors: [`ReadError::NoDatabase`].
    pub fn open(objects_dir: &Path, object_format: &str) -> Result<Objects, ReadError> {
        let hash = if object_format == "sha256" { gix_hash::Kind::Sha256 } else { gix_hash::Kind::Sha1 };
        let options =
            gix_odb::store::init::Options { alloc_limit_bytes: Some(BLOB_AT_MOST as usize), ..Default::default() };
        let handle = gix_odb::at_opts(objects_dir, hash, None, options).and_then(|handle| handle.into_arc());
        let handle = handle.map_err(|error| ReadError::NoDatabase(error.to_string()))?;
        Ok(OpenObjects { store: handle.store(), hash, shared: SharedTrees::default() }.open())
    }

    /// The same with trees that were read before, of the same repository.
    pub fn with(self, shared: SharedTrees) -> Objects {
        Objects { shared, ..self }
    }

    /// A way to open the same database on another thread.
    pub fn opener(&self) -> OpenObjects {
        OpenObjects { store: self.odb.store(), hash: self.hash, shared: self.shared.clone() }
    }

    /// Is the object there? Its content is not read.
    pub fn has(&self, oid: &Oid) -> bool {
        matches!(self.odb.try_header(&to_gix(oid)), Ok(Some(_)))
    }

    /// Kind and size in bytes of an object, without reading its content.
    pub fn kind_and_size(&self, oid: &Oid) -> Result<(gix_object::Kind, u64), ReadError> {
        match self.odb.try_header(&to_gix(oid)) {
            Ok(Some(header)) => Ok((header.kind(), header.size())),
            Ok(None) => Err(ReadError::Missing(*oid)),
            Err(error) => Err(ReadError::Damaged(*oid, error.to_string())),
        }
    }

    /// A commit's tree, parents and committer date. Annotated tags are not peeled.
    pub fn commit(&self, oid: &Oid) -> Result<Commit, ReadError> {
        self.read(oid, gix_object::Kind::Commit, |data| parse_commit(oid, data))
    }

    /// A commit with its size in bytes.
    pub fn commit_and_size(&self, oid: &Oid) -> Result<(Commit, u64), ReadError> {
        self.read(oid, gix_object::Kind::Commit, |data| Ok((parse_commit(oid, data)?, data.len() as u64)))
    }

    /// What a tag names; `None` for an object that is no tag.
    pub fn tag_target(&self, oid: &Oid) -> Result<Option<Oid>, ReadError> {
        if self.kind_and_size(oid)?.0 != gix_object::Kind::Tag {
            return Ok(None);
        }
        self.read(oid, gix_object::Kind::Tag, |data| header_oid(oid, data, b"object ")).map(Some)
    }

    /// A commit's author and subject.
    pub fn about(&self, oid: &Oid) -> Result<About, ReadError> {
        self.read(oid, gix_object::Kind::Commit, |data| Ok(parse_about(data)))
    }

    /// A commit with its author and subject.
    pub fn commit_and_about(&self, oid: &Oid) -> Result<(Commit, About), ReadError> {
        self.read(oid, gix_object::Kind::Commit, |data| Ok((parse_commit(oid, data)?, parse_about(data))))
    }

    /// A commit's message, as it is stored: bytes in any encoding.
    pub fn message(&self, oid: &Oid) -> Result<Vec<u8>, ReadError> {
        let behind_header = |data: &[u8]| memchr::memmem::find(data, b"\n\n").map_or(data.len(), |at| at + 2);
        self.read(oid, gix_object::Kind::Commit, |data| Ok(data[behind_header(data)..].to_vec()))
    }

    /// A tree; recently read ones come from memory.
    pub fn tree(&self, oid: &Oid) -> Result<Arc<Tree>, ReadError> {
        if let Some(tree) = self.trees.borrow_mut().get(oid) {
            return Ok(tree);
        }
        let parse = |data: &[u8]| Tree::parse(oid, data, self.hash.len_in_bytes());
        let tree = match self.shared.get(oid) {
            Some(tree) => tree,
            None => {
                let tree = Arc::new(self.read(oid, gix_object::Kind::Tree, parse)?);
                self.shared.put(*oid, &tree);
                tree
            }
        };
        self.trees.borrow_mut().put(*oid, &tree);
        Ok(tree)
    }

    /// A blob's content. The empty blob is known to all, also where nobody stored it.
    pub fn blob(&self, oid: &Oid) -> Result<Vec<u8>, ReadError> {
        self.blob_up_to(oid, BLOB_AT_MOST)
    }

    /// A blob's content, unless it has more bytes than `at_most`: then [`ReadError::TooLarge`].
    pub fn blob_up_to(&self, oid: &Oid, at_most: u64) -> Result<Vec<u8>, ReadError> {
        if to_gix(oid).is_empty_blob() {
            return Ok(Vec::new());
        }
        // Asking for the size costs a second look-up. The database itself refuses what is larger than the largest blob.
        if at_most < BLOB_AT_MOST {
            self.is_at_most(oid, at_most)?;
        }
        match self.read(oid, gix_object::Kind::Blob, |data| Ok(data.to_vec())) {
            Err(error @ ReadError::Damaged(..)) => self.is_at_most(oid, BLOB_AT_MOST).and(Err(error)),
            read => read,
        }
    }

    /// Errors: [`ReadError::TooLarge`], or its size can't be read.
    fn is_at_most(&self, oid: &Oid, at_most: u64) -> Result<(), ReadError> {
        let (_, size) = self.kind_and_size(oid)?;
        if at_most < size { Err(ReadError::TooLarge(*oid, size)) } else { Ok(()) }
    }

    /// The object a tag names in the end; other objects are themselves.
    pub fn peel(&self, oid: &Oid) -> Result<Oid, ReadError> {
        let mut at = *oid;
        // Git stops nowhere; ten nested tags are ten times git-sizer's level of concern.
        for _ in 0..10 {
            if self.kind_and_size(&at)?.0 != gix_object::Kind::Tag {
                return Ok(at);
            }
            at = self.read(&at, gix_object::Kind::Tag, |data| header_oid(&at, data, b"object "))?;
        }
        Err(ReadError::Damaged(*oid, "more than ten nested tags".into()))
    }

    /// The raw bytes of an object of this kind, handed to `parse`.
    fn read<T>(
        &self,
        oid: &Oid,
        kind: gix_object::Kind,
        parse: impl FnOnce(&[u8]) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let damaged = |error: String| ReadError::Damaged(*oid, error);
        let mut buffer = self.buffer.borrow_mut();
        let found = self.odb.try_find(&to_gix(oid), &mut buffer).map_err(|error| damaged(error.to_string()))?;
        let data = found.ok_or(ReadError::Missing(*oid))?;
        if data.kind != kind {
            return Err(damaged(format!("it is a {}, not a {kind}", data.kind)));
        }
        if kind != gix_object::Kind::Blob && COMMIT_OR_TREE_AT_MOST < data.data.len() as u64 {
            return Err(ReadError::TooLarge(*oid, data.data.len() as u64));
        }
        parse(data.data)
    }
}

impl OpenObjects {
    /// Opens the database for this thread.
    pub fn open(&self) -> Objects {
        let mut odb = self.store.to_cache_arc();
        odb.set_pack_cache(|| Box::new(gix_pack::cache::lru::MemoryCappedHashmap::new(DELTA_BASES_BYTES)));
        let (buffer, trees, shared) = (RefCell::default(), RefCell::default(), self.shared.clone());
        Objects { odb, hash: self.hash, buffer, trees, shared }
    }
}

fn to_gix(oid: &Oid) -> gix_hash::ObjectId {
    gix_hash::ObjectId::from_bytes_or_panic(oid.as_bytes())
}

fn parse_commit(oid: &Oid, data: &[u8]) -> Result<Commit, ReadError> {
    let tree = header_oid(oid, data, b"tree ")?;
    let mut parents = Vec::new();
    let mut committed_at = None;
    for line in data.split(|&byte| byte == b'\n').skip(1).take_while(|line| !line.is_empty()) {
        if line.starts_with(b"parent ") && committed_at.is_none() {
            parents.push(header_oid(oid, line, b"parent ")?);
        } else if let Some(who) = line.strip_prefix(b"committer ") {
            committed_at = Some(date_of(who));
            break;
        }
    }
    Ok(Commit { tree, parents, committed_at: committed_at.unwrap_or_default() })
}

fn header_oid(oid: &Oid, line: &[u8], key: &[u8]) -> Result<Oid, ReadError> {
    let damaged = || ReadError::Damaged(*oid, format!("no `{}` line", String::from_utf8_lossy(key).trim()));
    let rest = line.strip_prefix(key).ok_or_else(damaged)?;
    let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    Oid::from_hex(&rest[..end]).map_err(|_| damaged())
}

/// The date of `Name <address> SECONDS ZONE`; 0 where it cannot be read, as Git takes it.
fn date_of(who: &[u8]) -> Timestamp {
    let after = who.iter().rposition(|&byte| byte == b'>').map_or(0, |at| at + 1);
    let text = String::from_utf8_lossy(&who[after..]).into_owned();
    Timestamp(text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0))
}

fn parse_about(data: &[u8]) -> About {
    let (head, message) = match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &b""[..]),
    };
    let author = head.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"author "));
    let author =
        author.map_or(&b""[..], |who| &who[..who.iter().rposition(|&byte| byte == b'>').map_or(0, |at| at + 1)]);
    let first = message.trim_ascii_start().split(|&byte| byte == b'\n').next().unwrap_or_default();
    let shown = |bytes: &[u8], most: usize| {
        String::from_utf8_lossy(&bytes[..bytes.len().min(4 * most)]).chars().take(most).collect()
    };
    About { author: shown(author, 200), subject: shown(first, 200) }
}

impl Tree {
    fn parse(oid: &Oid, data: &[u8], oid_len: usize) -> Result<Tree, ReadError> {
        let damaged = || ReadError::Damaged(*oid, "not a list of tree entries".into());
        let mut entries = Vec::new();
        let mut at = 0;
        while at < data.len() {
            let space = data[at..].iter().take(8).position(|&byte| byte == b' ').ok_or_else(damaged)?;
            let mode = data[at..at + space].iter().try_fold(0u32, |mode, &digit| {
                (b'0'..=b'7').contains(&digit).then(|| mode << 3 | u32::from(digit - b'0'))
            });
            let name_at = at + space + 1;
            let name_len = data[name_at..].iter().position(|&byte| byte == 0).ok_or_else(damaged)?;
            let oid_at = name_at + name_len + 1;
            at = oid_at + oid_len;
            if name_len == 0 || data.len() < at {
                return Err(damaged());
            }
            entries.push(RawEntry { mode: mode.ok_or_else(damaged)?, name_at: name_at as u32, oid_at: oid_at as u32 });
        }
        let mut tree = Tree { raw: data.into(), entries, oid_len };
        let raw = &tree.raw;
        let name = |entry: &RawEntry| &raw[entry.name_at as usize..entry.oid_at as usize - 1];
        tree.entries.sort_by(|a, b| name(a).cmp(name(b)));
        Ok(tree)
    }

    /// The size of the object in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.raw.len() as u64
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Has it no entries?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry at this place in the order of names.
    pub fn get(&self, at: usize) -> Option<Entry<'_>> {
        self.entries.get(at).map(|entry| self.entry(entry))
    }

    /// The name at this place in the order of names.
    pub fn name(&self, at: usize) -> Option<&[u8]> {
        self.entries.get(at).map(|entry| &self.raw[entry.name_at as usize..entry.oid_at as usize - 1])
    }

    /// Do both trees have the same entry, name and all, at these places? `false` behind the end of one.
    #[inline]
    pub(crate) fn is_same_at(&self, at: usize, other: &Tree, there: usize) -> bool {
        match (self.entries.get(at), other.entries.get(there)) {
            (Some(one), Some(two)) => one.mode == two.mode && self.name_and_oid(one) == other.name_and_oid(two),
            _ => false,
        }
    }

    #[inline]
    fn name_and_oid(&self, entry: &RawEntry) -> &[u8] {
        &self.raw[entry.name_at as usize..entry.oid_at as usize + self.oid_len]
    }

    /// The entry with this name.
    pub fn find(&self, name: &[u8]) -> Option<Entry<'_>> {
        let at = self.entries.binary_search_by(|entry| self.entry(entry).name.cmp(name)).ok()?;
        self.get(at)
    }

    /// All entries, by name.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(|entry| self.entry(entry))
    }

    fn entry(&self, entry: &RawEntry) -> Entry<'_> {
        let (name_at, oid_at) = (entry.name_at as usize, entry.oid_at as usize);
        let oid = Oid::from_bytes(&self.raw[oid_at..oid_at + self.oid_len])
            .expect("the length was checked when it was parsed");
        Entry { name: &self.raw[name_at..oid_at - 1], mode: Mode(entry.mode), oid }
    }
}

/// Recently used trees in two generations: when the young one is full, the old one goes.
#[derive(Default)]
struct Trees {
    young: FxHashMap<Oid, Arc<Tree>>,
    old: FxHashMap<Oid, Arc<Tree>>,
    young_bytes: usize,
}

impl Trees {
    fn get(&mut self, oid: &Oid) -> Option<Arc<Tree>> {
        if let Some(tree) = self.young.get(oid) {
            return Some(tree.clone());
        }
        let tree = self.old.remove(oid)?;
        self.put(*oid, &tree);
        Some(tree)
    }

    fn put(&mut self, oid: Oid, tree: &Arc<Tree>) {
        if TREES_BYTES < self.young_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += tree.raw.len() + 16 * tree.entries.len() + 128;
        self.young.insert(oid, tree.clone());
    }
}

impl SharedTrees {
    fn get(&self, oid: &Oid) -> Option<Arc<Tree>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(oid)
    }

    fn put(&self, oid: Oid, tree: &Arc<Tree>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(oid, tree);
    }
}
