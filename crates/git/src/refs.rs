//! Reads all refs of a repository: their names and what they point to.
//!
//! A ref that cannot be read is named with its reason and blinds nobody else.
//! Whether the objects exist is not looked at here, only form.
//!
//! Loose refs are read before packed ones: whoever packs refs writes the packed
//! file first and removes the loose one after, so in this order a ref that moves
//! from one to the other meanwhile is seen at least once.

mod loose;
mod name;
mod packed;
mod reftable;
mod upstream;

use std::path::PathBuf;

use alignwatch_model::snapshot::{BrokenRef, Head};
use alignwatch_model::{Known, Oid, RefName};

pub use name::{NameError, check_name};
pub use upstream::{Upstream, upstreams};

use crate::repository::{Opened, RefBackend};
use crate::run::{GitAt, GitError};

/// Symbolic refs that are followed, one behind the other. Source: refs.c of Git, `SYMREF_MAXDEPTH`.
const SYMREFS_DEEP: usize = 5;

/// Refs that belong to one worktree. Source: refs/files-backend.c of Git.
const PER_WORKTREE: [&[u8]; 3] = [b"refs/bisect/", b"refs/worktree/", b"refs/rewritten/"];

/// All refs, as they were read at one moment.
#[derive(Clone, Debug)]
pub struct Refs {
    /// Refs that point to an object, sorted by name, each once.
    pub all: Vec<Ref>,
    /// Refs that could not be read, sorted by name.
    pub broken: Vec<BrokenRef>,
    /// What this worktree has checked out.
    pub head: Known<Head>,
}

/// One ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref {
    /// Its full name.
    pub name: RefName,
    /// The object it points to, through other refs where it is symbolic.
    pub oid: Oid,
    /// The ref that it leads to in the end, when it is symbolic.
    pub symref: Option<RefName>,
    /// The object an annotated tag names in the end, where packed-refs says so; otherwise `None`, which says nothing.
    pub peeled: Option<Oid>,
}

/// Why refs could not be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefsError {
    /// A file or folder that all refs depend on.
    #[error("cannot read `{}`: {cause}", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        cause: String,
    },
    /// There are more than we count.
    #[error("cannot read the refs of `{}`: there are more than {most}", .path.display())]
    TooMany {
        /// Where they lie.
        path: PathBuf,
        /// The bound.
        most: usize,
    },
    /// Git could not list them.
    #[error("cannot list the refs: {0}")]
    Git(#[from] GitError),
}

impl Refs {
    /// The ref with this full name.
    pub fn get(&self, name: &RefName) -> Option<&Ref> {
        self.all.binary_search_by(|item| item.name.cmp(name)).ok().map(|at| &self.all[at])
    }

    /// All refs whose full names begin so, sorted.
    pub fn under<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a Ref> {
        let first = self.all.partition_point(|item| item.name.as_bytes() < prefix);
        self.all[first..].iter().take_while(move |item| item.name.starts_with(prefix))
    }

    /// How many objects are replaced by others when Git shows history.
    pub fn n_replacements(&self) -> usize {
        self.under(b"refs/replace/").count()
    }
}

/// Reads all refs. Only a reftable repository needs git for it.
pub fn read_refs(opened: &Opened, git: &GitAt<'_>) -> Result<Refs, RefsError> {
    match opened.ref_backend {
        RefBackend::Files => read_files(opened),
        RefBackend::Reftable => reftable::read(git),
    }
}

/// Reads the refs of a repository that keeps them in files, without a process.
pub fn read_files(opened: &Opened) -> Result<Refs, RefsError> {
    let hex_len = if opened.object_format == "sha256" { 64 } else { 40 };
    let loose = loose::read(opened, hex_len)?;
    let packed = packed::read(&opened.common_dir.join("packed-refs"), hex_len)?;
    let mut broken = packed.broken;
    let raw = merge(loose, packed.refs);
    let all = resolve(raw, &mut broken);
    broken.sort_by(|a, b| a.name.cmp(&b.name));
    broken.dedup_by(|a, b| a.name == b.name);
    let mut refs = Refs { all, broken, head: Known::Unknown(String::new()) };
    refs.head = loose::read_head(opened, hex_len, &refs);
    Ok(refs)
}

/// Symbolic refs with the names that are written in them, whether these are there or not; HEAD is none of them.
///
/// Only those in files: git does not tell of one in tables that names nothing.
pub fn symbolic_files(opened: &Opened) -> Result<Vec<(RefName, RefName)>, RefsError> {
    let hex_len = if opened.object_format == "sha256" { 64 } else { 40 };
    let symbolic = loose::read(opened, hex_len)?.into_iter().filter_map(|raw| match raw.target {
        Ok(Target::Symref(target)) => Some((raw.name, target)),
        _ => None,
    });
    Ok(symbolic.collect())
}

/// A ref as it is written down.
struct Raw {
    name: RefName,
    target: Result<Target, String>,
    peeled: Option<Oid>,
}

/// What is written in a ref.
#[derive(Clone)]
enum Target {
    Oid(Oid),
    Symref(RefName),
}

/// Both lists are sorted; a loose ref hides the packed one.
fn merge(loose: Vec<Raw>, packed: Vec<Raw>) -> Vec<Raw> {
    if loose.is_empty() {
        return packed;
    }
    let mut all = Vec::with_capacity(loose.len() + packed.len());
    let (mut loose, mut packed) = (loose.into_iter().peekable(), packed.into_iter().peekable());
    loop {
        match (loose.peek(), packed.peek()) {
            (Some(a), Some(b)) if a.name == b.name => drop(packed.next()),
            (Some(a), Some(b)) if b.name < a.name => all.extend(packed.next()),
            (Some(_), _) => all.extend(loose.next()),
            (None, Some(_)) => all.extend(packed.next()),
            (None, None) => return all,
        }
    }
}

/// Follows symbolic refs and puts broken refs aside.
fn resolve(raw: Vec<Raw>, broken: &mut Vec<BrokenRef>) -> Vec<Ref> {
    let symbolic = raw.iter().filter_map(|item| match &item.target {
        Ok(Target::Symref(target)) => Some(follow(&raw, target)),
        _ => None,
    });
    let mut followed = symbolic.collect::<Vec<_>>().into_iter();
    let mut all = Vec::with_capacity(raw.len());
    for Raw { name, target, peeled } in raw {
        let found = match target {
            Ok(Target::Oid(oid)) => Ok((None, oid)),
            Ok(Target::Symref(_)) => followed.next().expect("each symbolic ref was followed above, in this order"),
            Err(reason) => Err(reason),
        };
        match found {
            Ok((symref, oid)) => all.push(Ref { name, oid, peeled, symref }),
            Err(reason) => broken.push(BrokenRef { name, oid: None, reason }),
        }
    }
    all
}

/// Where a chain of symbolic refs ends, or why it does not.
type Followed = Result<(Option<RefName>, Oid), String>;

fn follow(raw: &[Raw], target: &RefName) -> Followed {
    let mut name = target;
    for _ in 0..SYMREFS_DEEP {
        let found = raw.binary_search_by(|item| item.name.cmp(name));
        let found = found.map_err(|_| format!("it names `{name}`, which does not exist"))?;
        match &raw[found].target {
            Ok(Target::Oid(oid)) => return Ok((Some(name.clone()), *oid)),
            Ok(Target::Symref(next)) => name = next,
            Err(reason) => return Err(format!("it names `{name}`, which is broken: {reason}")),
        }
    }
    Err(format!("it names `{target}`, and so on without an end"))
}
