//! Sees what the tree of a line names that lies elsewhere: submodules, large files, repositories inside.
//!
//! Trees and blobs are read directly. Only for the attributes of large files is
//! git asked, and only where there are any.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Component, Path},
};

use alignwatch_model::{
    Known, Oid, RefName,
    facts::contents::{Contents, LargeFiles, Submodules},
};

use crate::{
    config_text,
    hazards::without_secrets,
    objects::{Objects, ReadError},
    repository::Opened,
    run::{Entry, GitAt},
};

/// Files and folders of one tree that are looked at. Source: ours; twenty times git-sizer's level of concern.
const ENTRIES_AT_MOST: usize = 1_000_000;

/// Folders inside of each other that are followed. Source: Git's `core.maxTreeDepth`.
const DEPTH_AT_MOST: usize = 2048;

/// Largest `.gitmodules` or `.gitattributes` that is read. Source: Git's limit for attributes is 100 MiB; honest ones have a few KiB.
const FILE_BYTES: u64 = 1 << 20;

/// A pointer is shorter than this. Source: the specification of Git LFS.
const POINTER_BYTES: u64 = 1024;

/// Paths that are named of each kind.
const NAMED_AT_MOST: usize = 100;

/// What is needed to look into trees.
pub(crate) struct Source<'a> {
    pub(crate) opened: &'a Opened,
    pub(crate) entries: &'a [Entry],
    pub(crate) objects: &'a Objects,
    pub(crate) git: Option<&'a GitAt<'a>>,
}

impl Source<'_> {
    /// The contents of the line whose tip is this commit.
    pub(crate) fn contents(&self, line: &RefName, tip: &Oid) -> Contents {
        let cannot = |error: &dyn std::fmt::Display| format!("cannot read the tree of {line}: {error}");
        match self.objects.commit(tip).map_err(Stop::from).and_then(|commit| self.walk(&commit.tree)) {
            Ok(tree) => Contents {
                line: line.clone(),
                submodules: Known::Seen(self.submodules(&tree)),
                large_files: Known::from_result(self.large_files(tip, &tree).map_err(|error| cannot(&error))),
                bare_repositories: Known::Seen(tree.bare),
            },
            Err(error) => Contents {
                line: line.clone(),
                submodules: Known::Unknown(cannot(&error)),
                large_files: Known::Unknown(cannot(&error)),
                bare_repositories: Known::Unknown(cannot(&error)),
            },
        }
    }

    fn walk(&self, root: &Oid) -> Result<Tree, Stop> {
        let mut tree = Tree::default();
        let mut n_left = ENTRIES_AT_MOST;
        let mut folders = vec![(Vec::new(), *root, 0)];
        while let Some((path, oid, depth)) = folders.pop() {
            if DEPTH_AT_MOST < depth {
                return Err(Stop::TooMuch("it is too deep"));
            }
            let folder = self.objects.tree(&oid)?;
            n_left = n_left.checked_sub(folder.len()).ok_or(Stop::TooMuch("it holds too many files"))?;
            let is_folder = |name: &[u8]| folder.find(name).is_some_and(|entry| entry.mode.is_tree());
            if folder.find(b"HEAD").is_some_and(|head| head.mode.is_file())
                && is_folder(b"objects")
                && is_folder(b"refs")
            {
                keep(&mut tree.bare, &path);
            }
            for entry in folder.iter() {
                let full =
                    if path.is_empty() { entry.name.to_vec() } else { [&path, b"/".as_slice(), entry.name].concat() };
                if entry.mode.is_tree() {
                    folders.push((full, entry.oid, depth + 1));
                } else if entry.mode.is_submodule() {
                    tree.links.push((full, entry.oid));
                } else if entry.mode.is_file() {
                    tree.note_file(self.objects, &full, entry.name, entry.oid)?;
                }
            }
        }
        tree.links.sort();
        Ok(tree)
    }

    fn submodules(&self, tree: &Tree) -> Submodules {
        let mut found = Submodules { n_links: tree.links.len(), ..Submodules::default() };
        let modules = match tree.gitmodules.as_deref().map(Modules::parse).transpose() {
            Ok(modules) => modules.unwrap_or_default(),
            Err(reason) => {
                found.bad_file = Some(reason);
                return found;
            }
        };
        for (path, oid) in &tree.links {
            match modules.by_path.get(path) {
                None => keep(&mut found.not_named, path),
                Some((name, url)) => {
                    self.compare_clone(&mut found, path, name, oid);
                    if self.has_other_address(name, url.as_deref()) {
                        keep(&mut found.other_address, path);
                    }
                }
            }
        }
        let is_link = |path: &Vec<u8>| tree.links.binary_search_by(|(link, _)| link.cmp(path)).is_ok();
        modules.by_path.keys().filter(|path| !is_link(path)).for_each(|path| keep(&mut found.not_linked, path));
        found
    }

    /// Does the clone of the submodule, if there is one, hold the commit?
    fn compare_clone(&self, found: &mut Submodules, path: &[u8], name: &[u8], oid: &Oid) {
        let name = Path::new(std::ffi::OsStr::from_bytes(name));
        // A name that leads elsewhere is refused by Git, too. Source: submodule-config.c, `check_submodule_name`.
        if !name.components().all(|part| matches!(part, Component::Normal(_))) {
            keep(&mut found.not_named, path);
            return;
        }
        let objects = self.opened.common_dir.join("modules").join(name).join("objects");
        if fs::symlink_metadata(&objects).is_err() {
            return;
        }
        let format = if oid.as_bytes().len() == 32 { "sha256" } else { "sha1" };
        match Objects::open(&objects, format) {
            Ok(clone) if clone.has(oid) => {}
            Ok(_) if !objects.join("pack").is_dir() => {
                let reason = format!("the clone of {} is no repository", RefName::new(path).text());
                found.unread.push((RefName::new(path).text().into_owned(), reason));
            }
            Ok(_) => keep(&mut found.without_commit, path),
            Err(error) => found.unread.push((RefName::new(path).text().into_owned(), error.to_string())),
        }
    }

    /// A relative address is resolved when it is taken over, so it cannot be compared.
    fn has_other_address(&self, name: &[u8], url: Option<&[u8]>) -> bool {
        let key = [b"submodule.", name, b".url"].concat();
        let here = self.entries.iter().rfind(|entry| entry.key == key).and_then(|entry| entry.value.as_deref());
        match (here, url) {
            (Some(here), Some(url)) => !url.starts_with(b"./") && !url.starts_with(b"../") && plain(here) != plain(url),
            _ => false,
        }
    }

    /// Errors: a blob that may be a pointer cannot be read.
    fn large_files(&self, tip: &Oid, tree: &Tree) -> Result<LargeFiles, Stop> {
        let mut found = LargeFiles::default();
        if !tree.names_lfs {
            return Ok(found);
        }
        let mut objects = BTreeMap::<String, (u64, Vec<u8>)>::new();
        let mut others = Vec::new();
        for (path, oid) in &tree.files {
            match self.pointer(oid)? {
                Some(pointer) => _ = objects.entry(pointer.oid).or_insert((pointer.size, path.clone())),
                None => others.push(path.as_slice()),
            }
        }
        found.n_pointers = objects.len();
        for (oid, (size, path)) in &objects {
            match fs::metadata(self.lfs_object(oid)) {
                Ok(there) if there.is_file() && there.len() == *size => continue,
                Ok(_) => found.n_other_size += 1,
                Err(_) => {
                    found.n_missing += 1;
                    found.missing_bytes = found.missing_bytes.saturating_add(*size);
                }
            }
            keep(&mut found.examples, path);
        }
        found.not_pointers = Known::from_result(self.wanted_outside(tip, &others));
        Ok(found)
    }

    fn pointer(&self, oid: &Oid) -> Result<Option<Pointer>, Stop> {
        match self.objects.blob_up_to(oid, POINTER_BYTES) {
            Ok(content) => Ok(Pointer::parse(&content)),
            Err(ReadError::TooLarge(..)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn lfs_object(&self, oid: &str) -> std::path::PathBuf {
        let set =
            self.entries.iter().rfind(|entry| entry.key == b"lfs.storage").and_then(|entry| entry.value.as_deref());
        let storage = std::ffi::OsStr::from_bytes(set.filter(|set| !set.is_empty()).unwrap_or(b"lfs"));
        self.opened.common_dir.join(storage).join("objects").join(&oid[..2]).join(&oid[2..4]).join(oid)
    }

    /// Those of these files whose attributes at the tip say `filter=lfs`, and which are not empty.
    fn wanted_outside(&self, tip: &Oid, paths: &[&[u8]]) -> Result<Vec<String>, Stop> {
        let able = self.git.filter(|git| git.git().version().attribute_source());
        let git =
            able.ok_or_else(|| Stop::Git("there is no git that reads the attributes of a commit (2.43)".into()))?;
        let mut input = Vec::new();
        paths.iter().for_each(|path| input.extend([path, b"\0".as_slice()].concat()));
        // It wants to see the working tree, where there is one; the attributes come from the tip all the same.
        let call = git.command("check-attr").in_worktree().option("-z").option("--stdin").option("filter");
        let said = call.attribute_source(*tip).input(input).run().map_err(|error| Stop::Git(error.to_string()))?;
        let words: Vec<&[u8]> = said.stdout.split(|&byte| byte == 0).collect();
        let mut wanted = Vec::new();
        words.chunks_exact(3).filter(|record| record[2] == b"lfs").for_each(|record| keep(&mut wanted, record[0]));
        Ok(wanted)
    }
}

/// An address without its secrets, as bytes: a password in one of them makes no difference.
fn plain(url: &[u8]) -> String {
    without_secrets(&String::from_utf8_lossy(url)).trim_end_matches('/').to_owned()
}

fn keep(paths: &mut Vec<String>, path: &[u8]) {
    if paths.len() < NAMED_AT_MOST {
        paths.push(RefName::new(path).text().into_owned());
    }
}

/// What one walk over a tree found.
#[derive(Default)]
struct Tree {
    links: Vec<(Vec<u8>, Oid)>,
    gitmodules: Option<Vec<u8>>,
    bare: Vec<String>,
    /// An attributes file says `filter=lfs`.
    names_lfs: bool,
    files: Vec<(Vec<u8>, Oid)>,
}

impl Tree {
    fn note_file(&mut self, objects: &Objects, path: &[u8], name: &[u8], oid: Oid) -> Result<(), Stop> {
        if path == b".gitmodules" {
            self.gitmodules = Some(objects.blob_up_to(&oid, FILE_BYTES)?);
        }
        if name == b".gitattributes" && !self.names_lfs {
            let content = objects.blob_up_to(&oid, FILE_BYTES)?;
            self.names_lfs = memchr::memmem::find(&content, b"filter=lfs").is_some();
        }
        self.files.push((path.to_vec(), oid));
        Ok(())
    }
}

/// Why a tree was not walked to its end.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{0}")]
    TooMuch(&'static str),
    #[error("{0}")]
    Git(String),
}

/// Name and address of a submodule.
type Module = (Vec<u8>, Option<Vec<u8>>);

/// What `.gitmodules` says, by path.
#[derive(Default)]
struct Modules {
    by_path: BTreeMap<Vec<u8>, Module>,
}

impl Modules {
    fn parse(text: &[u8]) -> Result<Modules, String> {
        let pairs = config_text::parse(text).map_err(|error| format!("cannot read .gitmodules: {error}"))?;
        let mut by_name = BTreeMap::<Vec<u8>, (Option<Vec<u8>>, Option<Vec<u8>>)>::new();
        for pair in pairs {
            let Some(rest) = pair.key.strip_prefix(b"submodule.") else { continue };
            let Some(dot) = rest.iter().rposition(|&byte| byte == b'.') else { continue };
            let module = by_name.entry(rest[..dot].to_vec()).or_default();
            match &rest[dot + 1..] {
                b"path" => module.0 = pair.value,
                b"url" => module.1 = pair.value,
                _ => {}
            }
        }
        let by_path = by_name.into_iter().filter_map(|(name, (path, url))| Some((path?, (name, url))));
        Ok(Modules { by_path: by_path.collect() })
    }
}

/// What stands in Git in place of a large file.
#[derive(Debug, PartialEq, Eq)]
struct Pointer {
    oid: String,
    size: u64,
}

impl Pointer {
    /// Source: the specification of Git LFS, and the two names that its format had before.
    fn parse(content: &[u8]) -> Option<Pointer> {
        const VERSIONS: [&str; 3] =
            ["https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1", "http://git-media.io/v/2"];
        let text = std::str::from_utf8(content).ok()?;
        let mut lines = text.lines();
        let version = lines.next()?.strip_prefix("version ")?;
        let (mut oid, mut size) = (None, None);
        for line in lines {
            match line.split_once(' ') {
                Some(("oid", value)) => oid = value.strip_prefix("sha256:").map(str::to_owned),
                Some(("size", value)) => size = value.parse().ok(),
                _ => {}
            }
        }
        let is_hex = |oid: &String| oid.len() == 64 && oid.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Pointer { oid: oid.filter(is_hex)?, size: size? }).filter(|_| VERSIONS.contains(&version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_told_from_files_that_talk_about_them() {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let pointer = |text: &str| Pointer::parse(text.as_bytes());
        let whole = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
        assert_eq!(pointer(&whole), Some(Pointer { oid: oid.into(), size: 12345 }));
        let extended = whole.replace("oid sha", "ext-0-foo sha256:00\noid sha");
        assert!(pointer(&extended).is_some());
        for other in [
            whole.replace("git-lfs.github.com", "example.org"),
            whole.replace("sha256:", "sha1:"),
            whole.replace("size 12345", "size many"),
            whole.replace("4d7a", "../."),
            format!("see also\n{whole}"),
            String::new(),
        ] {
            assert_eq!(pointer(&other), None, "{other}");
        }
        assert_eq!(Pointer::parse(b"version \xff"), None);
    }
}
