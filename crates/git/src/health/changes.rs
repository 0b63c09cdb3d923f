//! Sees changes in worktrees that no commit holds, and which of them are only ends of lines.
//!
//! Asked of git, hardened, without a lock. Filters of the repository are not run,
//! so where attributes name one, changes that git reports may be none: unknown.

use std::{collections::BTreeSet, path::Path};

use alignwatch_model::{
    Known, RefName,
    facts::worktrees::{Changed, Changes, Place, Worktree},
};

use super::settings::operators_value;
use crate::{
    files,
    repository::open,
    run::{Call, Git, GitAt},
    stop::Stop,
};

/// Worktrees that are looked into.
const WORKTREES_AT_MOST: usize = 100;

/// Largest attributes file that is read.
const ATTRIBUTES_BYTES: u64 = 1 << 20;

/// Paths that are named.
const NAMED_AT_MOST: usize = 100;

/// The changes in each worktree whose files are there.
pub(crate) fn changes(git: &Git, worktrees: &[Worktree], stop: &Stop) -> Vec<Changes> {
    let crlf = operators_value(git, "core.autocrlf");
    let here = worktrees.iter().filter(|one| one.place == Known::Seen(Place::Here) && !one.path.is_empty());
    let of_one = |one: &Worktree| Changes {
        path: one.path.clone(),
        branch: one.branch.seen().cloned().flatten(),
        head: None,
        changed: match stop.reason() {
            Some(reason) => Known::Unknown(reason),
            None => in_worktree(git, Path::new(&one.path), crlf.as_deref()),
        },
    };
    here.take(WORKTREES_AT_MOST).map(of_one).collect()
}

fn in_worktree(git: &Git, files: &Path, crlf: Option<&str>) -> Known<Changed> {
    let asked = || -> Result<Changed, String> {
        let opened = open(files).map_err(|error| error.to_string())?;
        let at = git.at(&opened).map_err(|error| error.to_string())?;
        let root = opened.worktree.clone().ok_or("it has no files")?;
        let changed = Asking { at: &at, crlf }.changed()?;
        let is_filtered =
            || names_filter(&root.join(".gitattributes")) || names_filter(&opened.common_dir.join("info/attributes"));
        match changed.n_paths > 0 && is_filtered() {
            true => Err(format!("`{}` uses filters, which are not run here", root.display())),
            false => Ok(changed),
        }
    };
    Known::from_result(asked())
}

/// A file that cannot be read may name one.
fn names_filter(attributes: &Path) -> bool {
    match files::read(attributes, ATTRIBUTES_BYTES) {
        Ok(content) => content.is_some_and(|content| memchr::memmem::find(&content, b"filter=").is_some()),
        Err(_) => true,
    }
}

struct Asking<'a> {
    at: &'a GitAt<'a>,
    crlf: Option<&'a str>,
}

impl Asking<'_> {
    fn command(&self, command: &'static str) -> Call<'_> {
        let call = self.at.command(command).in_worktree();
        // The user's own git takes this into account, and so the answer must.
        match self.crlf {
            Some(crlf @ ("true" | "input")) if !self.sets_crlf() => call.pin("core.autocrlf", crlf),
            _ => call,
        }
    }

    fn sets_crlf(&self) -> bool {
        self.at.entries().iter().any(|entry| entry.key == b"core.autocrlf")
    }

    fn changed(&self) -> Result<Changed, String> {
        let call = self.command("status").option("--porcelain=v2").option("-z").option("--untracked-files=no");
        let said = call.option("--ignore-submodules=all").option("--no-renames").run();
        let status = Status::parse(&said.map_err(|error| error.to_string())?.stdout);
        let mut only_line_ends = Vec::new();
        if !status.edited.is_empty() {
            let differing = self.differing()?;
            let noise = status.edited.iter().filter(|path| !differing.contains(*path));
            only_line_ends = noise.take(NAMED_AT_MOST).map(|path| RefName::new(path).text().into_owned()).collect();
        }
        Ok(Changed { n_paths: status.n_paths, only_line_ends })
    }

    /// Paths with a line that differs but for its end.
    fn differing(&self) -> Result<BTreeSet<Vec<u8>>, String> {
        let call = self.command("diff").option("--numstat").option("-z").option("--no-renames");
        let said = call.option("--ignore-cr-at-eol").option("--ignore-submodules=all").run();
        let said = said.map_err(|error| error.to_string())?.stdout;
        let record = |record: &[u8]| {
            let mut parts = record.splitn(3, |&byte| byte == b'\t');
            let (added, deleted, path) = (parts.next()?, parts.next()?, parts.next()?);
            ((added, deleted) != (b"0", b"0")).then(|| path.to_vec())
        };
        Ok(said.split(|&byte| byte == 0).filter_map(record).collect())
    }
}

/// What `git status --porcelain=v2 -z` lists.
#[derive(Default)]
struct Status {
    n_paths: usize,
    /// Files whose content differs from the index, and whose mode does not.
    edited: Vec<Vec<u8>>,
}

impl Status {
    fn parse(said: &[u8]) -> Status {
        let mut status = Status::default();
        for record in said.split(|&byte| byte == 0).filter(|record| !record.is_empty()) {
            match record[0] {
                b'1' => {
                    status.n_paths += 1;
                    status.edited.extend(edited(record));
                }
                b'2' | b'u' => status.n_paths += 1,
                _ => {}
            }
        }
        status
    }
}

/// The path of `1 XY sub mH mI mW hH hI path`, when only the content in the worktree differs.
fn edited(record: &[u8]) -> Option<Vec<u8>> {
    let words: Vec<&[u8]> = record.splitn(9, |&byte| byte == b' ').collect();
    let [_, state, _, _, in_index, in_worktree, _, _, path] = words[..] else { return None };
    (state.get(1) == Some(&b'M') && in_index == in_worktree).then(|| path.to_vec())
}
