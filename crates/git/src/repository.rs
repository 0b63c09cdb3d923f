//! Opens a repository: finds it, checks that it may and can be read, and says what kind it is.
//!
//! No git is started for this, unless the repository belongs to somebody else, and nothing
//! is guessed: a format or an extension that we do not know is an error that names it,
//! since reading on would give wrong answers.
//!
//! Discovery is Git's own: upwards from the given path, `.git` before the folder
//! itself, not beyond the file system the path lies on. One difference is on
//! purpose: a bare repository inside of a working tree is only opened when its own
//! path was given (as with `safe.bareRepository=explicit`, but the outer one is
//! opened instead of none).

mod alternates;
mod discover;
mod format;

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use alignwatch_model::{Oid, quote::shell_word};

use self::{
    alternates::alternates,
    discover::{Found, common_dir_of, discover},
    format::Config,
};
use crate::{
    files,
    ownership::{self, Parts},
    run::Entry,
};

/// Largest configuration, HEAD or shallow file that is read. git-sizer's largest known honest one is far below 1 MiB.
const SMALL_FILE_BYTES: u64 = 64 << 20;

/// A repository that was found, may be read, and is of a known format.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The path as it was given.
    pub path: PathBuf,
    /// The folder with HEAD: of this worktree, when it is a linked one. Absolute, links resolved.
    pub git_dir: PathBuf,
    /// The folder with config, objects and refs, shared by all worktrees. Absolute, links resolved.
    pub common_dir: PathBuf,
    /// The folder with objects.
    pub objects_dir: PathBuf,
    /// The working tree, if there is one.
    pub worktree: Option<PathBuf>,
    /// `sha1` or `sha256`.
    pub object_format: String,
    /// How refs are stored.
    pub ref_backend: RefBackend,
    /// All `extensions.*` that are set, in lower case, with their values.
    pub extensions: Vec<(String, String)>,
    /// It has no working tree.
    pub is_bare: bool,
    /// Commits whose parents are cut off; not empty = a shallow repository.
    pub shallow: Vec<Oid>,
    /// Objects may be missing on purpose (partial clone).
    pub is_partial: bool,
    /// Legacy grafts change the history that Git shows.
    pub has_grafts: bool,
    /// Object folders that this one borrows from, directly and through others.
    pub alternates: Vec<Alternate>,
    /// Parts of it that are links leading out of its folder: what they name, and where they lead.
    pub links_outside: Vec<(PathBuf, PathBuf)>,
    /// Its own settings, as they stand in its files. Includes are not followed.
    pub(crate) entries: Vec<Entry>,
}

/// How refs are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefBackend {
    /// One file each, or packed-refs.
    Files,
    /// Tables; only git reads them.
    Reftable,
}

/// An object folder that is borrowed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternate {
    /// Where it is.
    pub path: PathBuf,
    /// Is it there? Without it, objects are missing.
    pub exists: bool,
}

/// Why a repository was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Neither the path nor a folder above it is one.
    #[error("cannot find a Git repository at `{}` or above it", .path.display())]
    NotARepository {
        /// The path as it was given.
        path: PathBuf,
    },
    /// Something on the way cannot be read.
    #[error("cannot read `{}`: {cause}", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        cause: String,
    },
    /// A `.git` file does not lead to a repository.
    #[error("cannot follow `{}`: {cause}", .path.display())]
    BadGitFile {
        /// The `.git` file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Its configuration is no configuration.
    #[error("cannot read `{}`: {cause}", .path.display())]
    BadConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A format version that we do not know.
    #[error("cannot read `{}`: its format version is {version}, and 0 and 1 are known: it was made by a newer git than Git 2.54 or by another program", .git_dir.display())]
    UnknownFormat {
        /// The repository.
        git_dir: PathBuf,
        /// What its configuration says.
        version: String,
    },
    /// An extension that we do not know, or that its format version does not allow.
    #[error("cannot read `{}`: it needs the extension `{extension}`, which is not known here: it was made by a newer git than Git 2.54 or by another program", .git_dir.display())]
    UnknownExtension {
        /// The repository.
        git_dir: PathBuf,
        /// `name`, or `name=value` when only the value is unknown.
        extension: String,
    },
    /// It belongs to another user, who could make us run programs.
    #[error("cannot open `{}`: it belongs to another user", .owned.display())]
    DubiousOwnership {
        /// The file or folder that belongs to somebody else.
        owned: PathBuf,
        /// What to allow by `safe.directory`.
        allow: PathBuf,
    },
}

impl Opened {
    /// The first address of each remote, by name, as far as the file of the repository itself says. They may hold secrets.
    pub fn remote_addresses(&self) -> Vec<String> {
        let addresses = crate::health::settings::addresses(&self.entries);
        addresses.into_values().map(|url| String::from_utf8_lossy(url).into_owned()).collect()
    }

    /// History is cut off.
    pub fn is_shallow(&self) -> bool {
        !self.shallow.is_empty()
    }

    /// Its own settings, as they stand in its files. Includes are not followed.
    pub fn settings(&self) -> &[Entry] {
        &self.entries
    }

    /// Do its settings name further files?
    pub fn includes_files(&self) -> bool {
        let names_file = |key: &[u8]| key.starts_with(b"include.") || key.starts_with(b"includeif.");
        self.entries.iter().any(|entry| names_file(&entry.key))
    }

    /// Is this a linked worktree, whose refs and objects live elsewhere?
    pub fn is_linked(&self) -> bool {
        self.git_dir != self.common_dir
    }

    /// A short id: the same for all worktrees of a repository, and for every path that leads to it.
    ///
    /// Shape: 16 hexadecimal digits, FNV-1a of the canonical common folder. It changes when the folder moves.
    pub fn id(&self) -> String {
        let fnv = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let bytes = self.common_dir.as_os_str().as_bytes();
        format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv))
    }
}

impl OpenError {
    /// What to type to get further, where there is such a thing.
    pub fn hint(&self) -> Option<String> {
        match self {
            OpenError::DubiousOwnership { allow, .. } => {
                let allow = shell_word(allow.as_os_str().as_bytes());
                Some(format!("git config --global --add safe.directory {allow}"))
            }
            _ => None,
        }
    }
}

/// Opens the repository at this path, or the one it lies in.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    let start = canonical(path).map_err(|cause| match files::is_absent(&cause) {
        true => OpenError::NotARepository { path: path.to_owned() },
        false => unreadable(path, &cause),
    })?;
    let found = discover(path, &start)?;
    let worktree = found.worktree.as_deref().filter(|_| found.dot_git.is_some());
    ownership::check(&Parts { git_dir: &found.git_dir, worktree, git_file: found.git_file.as_deref() })?;
    describe(path, &found)
}

/// Opens the repository that lies at this very path, and none around it.
///
/// Errors: also where the path is a folder in the working tree of another one. Somebody who watches it would otherwise take that
/// one for it when it is deleted, or its disk is not mounted.
pub fn open_itself(path: &Path) -> Result<Opened, OpenError> {
    let opened = open(path)?;
    let here = canonical(path).map_err(|cause| unreadable(path, &cause))?;
    let own =
        [Some(opened.git_dir.as_path()), opened.git_dir.parent(), Some(&opened.common_dir), opened.worktree.as_deref()];
    match own.contains(&Some(&here)) {
        true => Ok(opened),
        false => Err(OpenError::NotARepository { path: path.to_owned() }),
    }
}

fn describe(given: &Path, found: &Found) -> Result<Opened, OpenError> {
    let git_dir = found.git_dir.clone();
    let common_dir = common_dir_of(&git_dir).map_err(|error| unreadable(&git_dir.join("commondir"), &error))?;
    let objects_dir = common_dir.join("objects");
    let config = Config::read(&git_dir, &common_dir)?;
    let format = config.format(&common_dir)?;
    let is_linked = git_dir != common_dir;
    let worktree = config.worktree(&git_dir, found, is_linked)?;
    Ok(Opened {
        path: given.to_owned(),
        is_bare: worktree.is_none() && (is_linked || config.is_bare() != Some(false)),
        worktree,
        object_format: format.object_format,
        ref_backend: format.ref_backend,
        extensions: format.extensions,
        shallow: read_shallow(&common_dir)?,
        is_partial: config.names_promisor() || has_promisor_pack(&objects_dir),
        has_grafts: has_grafts(&common_dir)?,
        alternates: alternates(&objects_dir)?,
        links_outside: links_outside(found, &common_dir),
        entries: config.entries,
        git_dir,
        common_dir,
        objects_dir,
    })
}

fn read_shallow(common_dir: &Path) -> Result<Vec<Oid>, OpenError> {
    let file = common_dir.join("shallow");
    let content = files::read(&file, SMALL_FILE_BYTES).map_err(|error| unreadable(&file, &error))?;
    let content = content.unwrap_or_default();
    let lines = content.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let oids = lines.map(|line| Oid::from_hex(line.trim_ascii_end()));
    let bad = |error: alignwatch_model::BadOid| OpenError::Unreadable { path: file.clone(), cause: error.to_string() };
    oids.collect::<Result<_, _>>().map_err(bad)
}

fn has_grafts(common_dir: &Path) -> Result<bool, OpenError> {
    let file = common_dir.join("info/grafts");
    let content = files::read(&file, SMALL_FILE_BYTES).map_err(|error| unreadable(&file, &error))?;
    let content = content.unwrap_or_default();
    let mut lines = content.split(|&byte| byte == b'\n');
    Ok(lines.any(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"#")))
}

fn has_promisor_pack(objects_dir: &Path) -> bool {
    let Ok(files) = fs::read_dir(objects_dir.join("pack")) else { return false };
    files.flatten().any(|file| file.file_name().as_bytes().ends_with(b".promisor"))
}

/// The parts of a repository that Git follows when they are links.
const MAY_BE_LINKS: [&str; 12] = [
    "HEAD",
    "config",
    "objects",
    "objects/info",
    "objects/pack",
    "refs",
    "refs/heads",
    "refs/remotes",
    "refs/tags",
    "packed-refs",
    "logs",
    "info",
];

fn links_outside(found: &Found, common_dir: &Path) -> Vec<(PathBuf, PathBuf)> {
    let leads_out = |part: &Path, inside: &Path| {
        let is_link = fs::symlink_metadata(part).is_ok_and(|kind| kind.is_symlink());
        let target = is_link.then(|| canonical(part).ok()).flatten()?;
        (!target.starts_with(inside)).then(|| (part.to_owned(), target))
    };
    let dot_git = found.dot_git.iter().zip(&found.worktree).filter_map(|(link, inside)| leads_out(link, inside));
    dot_git.chain(MAY_BE_LINKS.iter().filter_map(|part| leads_out(&common_dir.join(part), common_dir))).collect()
}

fn canonical(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

fn unreadable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Unreadable { path: path.to_owned(), cause: error.to_string() }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
