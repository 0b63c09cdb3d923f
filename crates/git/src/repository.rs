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

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use alignwatch_model::Oid;
use alignwatch_model::quote::shell_word;

use crate::config_text::{self, Pair};
use crate::files;
use crate::ownership::{self, Parts};
use crate::run::{Entry, Scope};

/// Largest configuration, HEAD or shallow file that is read. git-sizer's largest known honest one is far below 1 MiB.
const SMALL_FILE_BYTES: u64 = 64 << 20;

/// Levels of borrowing that are followed. Source: git's `link_alt_odb_entries` gives up below the fifth.
const ALTERNATES_DEEP: usize = 5;

/// Alternates that are listed; more than a hundred is an attack or an accident.
const ALTERNATES_AT_MOST: usize = 100;

/// Extensions that count in every format version. Source: setup.c of Git, `handle_extension_v0`.
const EXTENSIONS_ANY: [&[u8]; 4] = [b"noop", b"preciousobjects", b"partialclone", b"worktreeconfig"];

/// Extensions that count from format version 1 on. Source: setup.c of Git master, August 2026, `handle_extension`.
const EXTENSIONS_V1: [&[u8]; 6] =
    [b"noop-v1", b"objectformat", b"compatobjectformat", b"refstorage", b"relativeworktrees", b"submodulepathconfig"];

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
    /// History is cut off.
    pub fn is_shallow(&self) -> bool {
        !self.shallow.is_empty()
    }

    /// Do its settings name further files?
    pub(crate) fn includes_files(&self) -> bool {
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

/// Where discovery ended.
struct Found {
    /// The folder of this worktree or repository, links resolved.
    git_dir: PathBuf,
    /// The way it was reached, when a `.git` was.
    dot_git: Option<PathBuf>,
    /// The folder that holds `.git`.
    worktree: Option<PathBuf>,
    /// The `.git` file, when it was one.
    git_file: Option<PathBuf>,
}

fn discover(given: &Path, start: &Path) -> Result<Found, OpenError> {
    if start.is_file() {
        let parent = start.parent().unwrap_or(start);
        let is_git_file = start.file_name() == Some(OsStr::new(".git"));
        let found = if is_git_file { at_dot_git(parent)? } else { None };
        return found.ok_or_else(|| OpenError::NotARepository { path: given.to_owned() });
    }
    let mut embedded = None;
    let device = device_of(start)?;
    for folder in start.ancestors() {
        if device_of(folder)? != device {
            break;
        }
        if let Some(found) = at_dot_git(folder)? {
            return Ok(found);
        }
        if embedded.is_none() && is_git_dir(folder) {
            if folder == start || is_meant(folder) {
                return Ok(bare(folder));
            }
            embedded = Some(folder);
        }
    }
    embedded.map(bare).ok_or_else(|| OpenError::NotARepository { path: given.to_owned() })
}

/// The repository that `.git` in this folder is or names.
fn at_dot_git(folder: &Path) -> Result<Option<Found>, OpenError> {
    let dot_git = folder.join(".git");
    let kind = match fs::metadata(&dot_git) {
        Ok(kind) => kind,
        Err(error) if files::is_absent(&error) => return Ok(None),
        Err(error) => return Err(unreadable(&dot_git, &error)),
    };
    if kind.is_dir() {
        // An empty `.git` folder is nothing: Git looks further up.
        return is_git_dir(&dot_git).then(|| at_folder(folder, &dot_git)).transpose();
    }
    let git_dir = follow_git_file(&dot_git)?;
    Ok(Some(Found { git_dir, worktree: Some(folder.into()), git_file: Some(dot_git.clone()), dot_git: Some(dot_git) }))
}

fn at_folder(folder: &Path, dot_git: &Path) -> Result<Found, OpenError> {
    let git_dir = canonical(dot_git).map_err(|error| unreadable(dot_git, &error))?;
    Ok(Found { git_dir, worktree: Some(folder.into()), git_file: None, dot_git: Some(dot_git.into()) })
}

/// A repository found as the folder itself; the main worktree's when it is called `.git`.
fn bare(folder: &Path) -> Found {
    let worktree = folder.parent().filter(|_| folder.file_name() == Some(OsStr::new(".git")));
    Found { git_dir: folder.into(), dot_git: None, worktree: worktree.map(Path::to_owned), git_file: None }
}

/// A folder inside of `.git` was given, so its repository is meant. Source: setup.c of Git, `is_implicit_bare_repo`.
fn is_meant(folder: &Path) -> bool {
    let text = folder.as_os_str().as_bytes();
    let holds = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    folder.file_name() == Some(OsStr::new(".git")) || holds(b"/.git/worktrees/") || holds(b"/.git/modules/")
}

fn follow_git_file(file: &Path) -> Result<PathBuf, OpenError> {
    let bad = |cause: &str| OpenError::BadGitFile { path: file.to_owned(), cause: cause.to_owned() };
    let content = files::read(file, SMALL_FILE_BYTES).map_err(|error| bad(&error.to_string()))?;
    let content = content.ok_or_else(|| bad("it is gone"))?;
    let named = content.strip_prefix(b"gitdir: ").ok_or_else(|| bad("it does not begin with `gitdir: `"))?;
    let named = trim_line_ends(named);
    if named.is_empty() {
        return Err(bad("it names no folder"));
    }
    let git_dir = file.parent().unwrap_or(Path::new("/")).join(Path::new(OsStr::from_bytes(named)));
    if !is_git_dir(&git_dir) {
        return Err(bad(&format!("`{}` is not a repository", git_dir.display())));
    }
    canonical(&git_dir).map_err(|error| bad(&error.to_string()))
}

fn trim_line_ends(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r'] = text {
        text = rest;
    }
    text
}

/// What Git takes for a repository: a proper HEAD, and the folders objects and refs. Source: setup.c, `is_git_directory`.
fn is_git_dir(folder: &Path) -> bool {
    has_proper_head(folder)
        && common_dir_of(folder).is_ok_and(|common| common.join("objects").is_dir() && common.join("refs").is_dir())
}

/// Source: path.c of Git, `validate_headref`.
fn has_proper_head(folder: &Path) -> bool {
    let head = folder.join("HEAD");
    if let Ok(target) = fs::read_link(&head) {
        return target.as_os_str().as_bytes().starts_with(b"refs/");
    }
    let Ok(Some(content)) = files::read_beginning(&head, 255) else { return false };
    match content.strip_prefix(b"ref:") {
        Some(target) => target.trim_ascii_start().starts_with(b"refs/"),
        None => [64, 40].iter().any(|&len| content.get(..len).is_some_and(|hex| Oid::from_hex(hex).is_ok())),
    }
}

/// The folder shared by all worktrees: named in `commondir`, or this one.
fn common_dir_of(git_dir: &Path) -> io::Result<PathBuf> {
    let Some(content) = files::read(&git_dir.join("commondir"), SMALL_FILE_BYTES)? else { return Ok(git_dir.into()) };
    let named = Path::new(OsStr::from_bytes(trim_line_ends(&content)));
    canonical(&git_dir.join(named))
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

/// The settings that must be known before anything else is read.
struct Config {
    pairs: Vec<Pair>,
    worktree_pairs: Vec<Pair>,
    /// All of them, whether they count here or not.
    entries: Vec<Entry>,
}

/// What the settings say of the format.
struct Format {
    object_format: String,
    ref_backend: RefBackend,
    extensions: Vec<(String, String)>,
}

impl Config {
    fn read(git_dir: &Path, common_dir: &Path) -> Result<Config, OpenError> {
        let pairs = read_pairs(&common_dir.join("config"))?;
        let entries = entries(&pairs, Scope::Local);
        let mut config = Config { pairs, worktree_pairs: vec![], entries };
        if config.last(b"core.repositoryformatversion").is_none() {
            // Without a version Git takes nothing of its format from it. Source: setup.c, `read_repository_format`.
            config.pairs.clear();
        }
        if config.last(b"extensions.worktreeconfig").and_then(config_text::boolean) == Some(true) {
            config.worktree_pairs = read_pairs(&git_dir.join("config.worktree"))?;
            config.entries.extend(self::entries(&config.worktree_pairs, Scope::Worktree));
        }
        Ok(config)
    }

    /// The value that counts: the last, and a worktree's before the repository's.
    fn last(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let mut all = self.pairs.iter().chain(&self.worktree_pairs).rev();
        all.find(|pair| pair.key == key).map(|pair| pair.value.as_deref())
    }

    fn is_bare(&self) -> Option<bool> {
        self.last(b"core.bare").and_then(config_text::boolean)
    }

    fn extensions(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let name = |pair: &Pair| pair.key.strip_prefix(b"extensions.").map(<[u8]>::len);
        let found = self.pairs.iter().filter_map(move |pair| Some((pair, pair.key.len() - name(pair)?)));
        found.map(|(pair, at)| (&pair.key[at..], pair.value.as_deref().unwrap_or(b"true")))
    }

    fn format(&self, git_dir: &Path) -> Result<Format, OpenError> {
        let version = self.version(git_dir)?;
        let mut format = Format { object_format: "sha1".into(), ref_backend: RefBackend::Files, extensions: vec![] };
        for (name, value) in self.extensions() {
            let (text, value) = (lossy(name), lossy(value));
            if !is_known(name, version) {
                return Err(OpenError::UnknownExtension { git_dir: git_dir.into(), extension: text });
            }
            if version == 1 {
                format
                    .take(name, &value)
                    .map_err(|extension| OpenError::UnknownExtension { git_dir: git_dir.into(), extension })?;
            }
            format.extensions.push((text, value));
        }
        Ok(format)
    }

    fn version(&self, git_dir: &Path) -> Result<i64, OpenError> {
        let Some(value) = self.last(b"core.repositoryformatversion") else { return Ok(0) };
        let text = value.unwrap_or_default();
        match config_text::number(text) {
            // Git takes every version below 1 for 0.
            Some(version) if version <= 1 => Ok(version.max(0)),
            _ => Err(OpenError::UnknownFormat { git_dir: git_dir.into(), version: lossy(text) }),
        }
    }

    /// The working tree: `core.worktree`, or the folder that holds `.git`, unless the repository says it is bare.
    fn worktree(&self, git_dir: &Path, found: &Found, is_linked: bool) -> Result<Option<PathBuf>, OpenError> {
        if is_linked {
            return Ok(found.worktree.clone().or_else(|| linked_worktree(git_dir)));
        }
        if let Some(Some(named)) = self.last(b"core.worktree") {
            let folder = git_dir.join(Path::new(OsStr::from_bytes(named)));
            return Ok(Some(canonical(&folder).unwrap_or(folder)));
        }
        Ok(found.worktree.clone().filter(|_| self.is_bare() != Some(true)))
    }

    fn names_promisor(&self) -> bool {
        let is_promisor = |entry: &Entry| match entry.key.strip_prefix(b"remote.") {
            Some(rest) if rest.ends_with(b".promisor") => config_text::boolean(entry.value.as_deref()) == Some(true),
            Some(rest) => rest.ends_with(b".partialclonefilter"),
            None => false,
        };
        self.last(b"extensions.partialclone").is_some() || self.entries.iter().any(is_promisor)
    }
}

impl Format {
    /// Takes one extension of format version 1. Errors: the extension with a value that is not known.
    fn take(&mut self, name: &[u8], value: &str) -> Result<(), String> {
        let unknown = || format!("{}={value}", lossy(name));
        match (name, value) {
            (b"objectformat", "sha1" | "sha256") => self.object_format = value.into(),
            (b"refstorage", "files") => self.ref_backend = RefBackend::Files,
            (b"refstorage", "reftable") => self.ref_backend = RefBackend::Reftable,
            (b"compatobjectformat", "sha1" | "sha256") => {}
            (b"objectformat" | b"refstorage" | b"compatobjectformat", _) => return Err(unknown()),
            _ => {}
        }
        Ok(())
    }
}

/// Format 0 ignores extensions it does not know, and must not have those of format 1. Source: setup.c, `verify_repository_format`.
fn is_known(name: &[u8], version: i64) -> bool {
    let is_v1 = EXTENSIONS_V1.contains(&name);
    EXTENSIONS_ANY.contains(&name) || (version == 1) == is_v1
}

/// Where a linked worktree stands: its folder here names the `.git` file there.
fn linked_worktree(git_dir: &Path) -> Option<PathBuf> {
    let content = files::read(&git_dir.join("gitdir"), SMALL_FILE_BYTES).ok()??;
    let dot_git = git_dir.join(Path::new(OsStr::from_bytes(trim_line_ends(&content))));
    canonical(dot_git.parent()?).ok()
}

/// No file is no settings.
fn read_pairs(file: &Path) -> Result<Vec<Pair>, OpenError> {
    let bad = |cause: String| OpenError::BadConfig { path: file.to_owned(), cause };
    let text = files::read(file, SMALL_FILE_BYTES).map_err(|error| bad(error.to_string()))?;
    config_text::parse(&text.unwrap_or_default()).map_err(|error| bad(error.to_string()))
}

fn entries(pairs: &[Pair], scope: Scope) -> Vec<Entry> {
    pairs.iter().map(|pair| Entry { scope, key: pair.key.clone(), value: pair.value.clone() }).collect()
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

/// All object folders borrowed from, each once, in the order in which Git asks them.
fn alternates(objects_dir: &Path) -> Result<Vec<Alternate>, OpenError> {
    let mut seen = vec![objects_dir.to_owned()];
    let mut all = Vec::new();
    add_alternates(objects_dir, 0, &mut seen, &mut all)?;
    Ok(all)
}

fn add_alternates(
    objects_dir: &Path,
    depth: usize,
    seen: &mut Vec<PathBuf>,
    all: &mut Vec<Alternate>,
) -> Result<(), OpenError> {
    let file = objects_dir.join("info/alternates");
    let content = files::read(&file, SMALL_FILE_BYTES).map_err(|error| unreadable(&file, &error))?;
    for named in content.unwrap_or_default().split(|&byte| byte == b'\n') {
        // Below the first level Git follows absolute paths only.
        let is_followed = named.starts_with(b"/") || depth == 0;
        if named.is_empty() || named.starts_with(b"#") || !is_followed || ALTERNATES_AT_MOST <= all.len() {
            continue;
        }
        let path = objects_dir.join(Path::new(OsStr::from_bytes(&unquoted(named))));
        let path = canonical(&path).unwrap_or(path);
        if seen.contains(&path) {
            continue;
        }
        seen.push(path.clone());
        let exists = path.is_dir();
        all.push(Alternate { path: path.clone(), exists });
        if exists && depth < ALTERNATES_DEEP {
            add_alternates(&path, depth + 1, seen, all)?;
        }
    }
    Ok(())
}

/// A line of the alternates file may be quoted as a C string; only the escapes that paths need are undone.
fn unquoted(line: &[u8]) -> Vec<u8> {
    let Some(inner) = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")) else { return line.to_vec() };
    let (mut path, mut bytes) = (Vec::new(), inner.iter());
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\\' => path.extend(bytes.next().map(|&byte| if byte == b'n' { b'\n' } else { byte })),
            _ => path.push(byte),
        }
    }
    path
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

fn device_of(folder: &Path) -> Result<u64, OpenError> {
    fs::metadata(folder).map(|kind| kind.dev()).map_err(|error| unreadable(folder, &error))
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
