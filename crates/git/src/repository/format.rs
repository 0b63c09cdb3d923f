//! Which format the repository has, by its settings. What is not known is an error that names it.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{
    OpenError, RefBackend, SMALL_FILE_BYTES, canonical,
    discover::{Found, trim_line_ends},
    lossy,
};
use crate::{
    config_text::{self, Pair},
    files,
    run::{Entry, Scope},
};

/// Extensions that count in every format version. Source: setup.c of Git, `handle_extension_v0`.
const EXTENSIONS_ANY: [&[u8]; 4] = [b"noop", b"preciousobjects", b"partialclone", b"worktreeconfig"];

/// Extensions that count from format version 1 on. Source: setup.c of Git master, August 2026, `handle_extension`.
const EXTENSIONS_V1: [&[u8]; 6] =
    [b"noop-v1", b"objectformat", b"compatobjectformat", b"refstorage", b"relativeworktrees", b"submodulepathconfig"];

/// The settings that must be known before anything else is read.
pub(super) struct Config {
    pairs: Vec<Pair>,
    worktree_pairs: Vec<Pair>,
    /// All of them, whether they count here or not.
    pub(super) entries: Vec<Entry>,
}

/// What the settings say of the format.
pub(super) struct Format {
    pub(super) object_format: String,
    pub(super) ref_backend: RefBackend,
    pub(super) extensions: Vec<(String, String)>,
}

impl Config {
    pub(super) fn read(git_dir: &Path, common_dir: &Path) -> Result<Config, OpenError> {
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

    pub(super) fn is_bare(&self) -> Option<bool> {
        self.last(b"core.bare").and_then(config_text::boolean)
    }

    fn extensions(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let name = |pair: &Pair| pair.key.strip_prefix(b"extensions.").map(<[u8]>::len);
        let found = self.pairs.iter().filter_map(move |pair| Some((pair, pair.key.len() - name(pair)?)));
        found.map(|(pair, at)| (&pair.key[at..], pair.value.as_deref().unwrap_or(b"true")))
    }

    pub(super) fn format(&self, git_dir: &Path) -> Result<Format, OpenError> {
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
    pub(super) fn worktree(
        &self,
        git_dir: &Path,
        found: &Found,
        is_linked: bool,
    ) -> Result<Option<PathBuf>, OpenError> {
        if is_linked {
            return Ok(found.worktree.clone().or_else(|| linked_worktree(git_dir)));
        }
        if let Some(Some(named)) = self.last(b"core.worktree") {
            let folder = git_dir.join(Path::new(OsStr::from_bytes(named)));
            return Ok(Some(canonical(&folder).unwrap_or(folder)));
        }
        Ok(found.worktree.clone().filter(|_| self.is_bare() != Some(true)))
    }

    pub(super) fn names_promisor(&self) -> bool {
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
