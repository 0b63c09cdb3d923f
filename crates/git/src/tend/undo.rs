//! What takes a task back that changed refs or moved files: written down before, used after.
//!
//! Ids of refs stand in it; reflogs, settings and files lie in the quarantine of the task. Taking back twice, or
//! after a task that was ended half-way, is the same. What it says is not believed: somebody else may have written it.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    mend::place,
    run::{GitAt, GitError},
};

/// What takes a task back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The quarantine, below the Git directory.
    pub quarantine: String,
    /// Refs that are changed.
    pub refs: Vec<RefUndo>,
    /// Files that are moved aside, below the Git directory.
    pub moved: Vec<String>,
    /// Files that are changed in their place and were copied before, below the Git directory.
    pub copied: Vec<String>,
    /// So many refs stand in a file of the quarantine instead of in `refs`, since a journal is no place for thousands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_listed: Option<usize>,
}

/// A ref before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefUndo {
    /// Its full name; one that is no text can't be undone and is never changed.
    pub name: String,
    /// Its id before; `None` = it was not there.
    pub before: Option<String>,
    /// Its id after.
    pub after: Option<String>,
}

/// Bytes of one reflog or setting that are kept. Source: ours; a million moves of one branch.
const FILE_AT_MOST: u64 = 256 << 20;

/// Refs that are written down where the rest is; more go into a file of their own. Source: ours; a page of a journal.
const REFS_BESIDE: usize = 200;

impl Undo {
    /// Is there anything to take back?
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty() && self.moved.is_empty() && self.copied.is_empty() && self.n_listed.is_none()
    }

    /// The same for a journal: many refs are written into the quarantine, and are on the disk when this returns.
    pub fn folded(&self, common_dir: &Path) -> Result<Undo, String> {
        if self.refs.len() <= REFS_BESIDE {
            return Ok(self.clone());
        }
        let mut text = Vec::new();
        for one in &self.refs {
            if !is_plain(one) {
                return Err(format!("`{}` is no ref that a task changes", one.name));
            }
            let id = |id: &Option<String>| id.clone().unwrap_or_else(|| "-".to_owned());
            text.extend(format!("{} {} {}\n", id(&one.before), id(&one.after), one.name).into_bytes());
        }
        write_new(&self.list(common_dir)?, &text)?;
        Ok(Undo { refs: Vec::new(), n_listed: Some(self.refs.len()), ..self.clone() })
    }

    /// The whole of what a journal says. Errors: its list of refs is not what was written.
    fn unfolded(&self, common_dir: &Path) -> Result<Undo, String> {
        let Some(n_listed) = self.n_listed else { return Ok(self.clone()) };
        let path = self.list(common_dir)?;
        let about = fs::symlink_metadata(&path).map_err(|error| cannot("look at", &path, error))?;
        if !about.is_file() || FILE_AT_MOST < about.len() {
            return Err(format!("`{}` is no list of refs", path.display()));
        }
        let text = fs::read_to_string(&path).map_err(|error| cannot("read", &path, error))?;
        let refs: Option<Vec<RefUndo>> = text.lines().map(listed).collect();
        match refs {
            Some(refs) if refs.len() == n_listed => Ok(Undo { refs, n_listed: None, ..self.clone() }),
            Some(refs) => Err(format!("`{}` holds {} refs, and {n_listed} were written", path.display(), refs.len())),
            None => Err(format!("`{}` is no list of refs", path.display())),
        }
    }

    fn list(&self, common_dir: &Path) -> Result<PathBuf, String> {
        self.in_quarantine(common_dir, "before", "refs.list")
    }

    /// Copies these files into the quarantine, as they are, and has them on the disk. One that is not there is left out.
    pub fn copy(&mut self, common_dir: &Path, files: &[String]) -> Result<(), String> {
        for below in files {
            let from = inside(common_dir, below)?;
            match fs::symlink_metadata(&from) {
                Ok(about) if about.is_file() && about.len() <= FILE_AT_MOST => {}
                Ok(_) => return Err(format!("`{}` is no file that can be kept", from.display())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(cannot("look at", &from, error)),
            }
            let bytes = fs::read(&from).map_err(|error| cannot("read", &from, error))?;
            write_new(&self.kept(common_dir, below)?, &bytes)?;
            self.copied.push(below.clone());
        }
        Ok(())
    }

    /// Moves these files into the quarantine. What is moved is added to the list by the caller, before.
    pub fn move_aside(&self, common_dir: &Path) -> Result<usize, String> {
        let mut n_moved = 0;
        for below in &self.moved {
            let (from, to) = (inside(common_dir, below)?, self.kept(common_dir, below)?);
            match fs::rename(&from, &to) {
                Ok(()) => n_moved += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(cannot("move", &from, error)),
            }
        }
        Ok(n_moved)
    }

    /// The commands that change the refs, with their expected ids, all or none; `way` = towards after, or back.
    pub fn transaction(&self, back: bool) -> Result<Vec<u8>, String> {
        let mut commands = Vec::new();
        for one in &self.refs {
            let (from, to) = if back { (&one.after, &one.before) } else { (&one.before, &one.after) };
            let words: Vec<&str> = match (from, to) {
                (None, Some(to)) => vec!["create ", &one.name, "\0", to, "\0"],
                (Some(from), None) => vec!["delete ", &one.name, "\0", from, "\0"],
                (Some(from), Some(to)) => vec!["update ", &one.name, "\0", to, "\0", from, "\0"],
                (None, None) => continue,
            };
            if !is_plain(one) {
                return Err(format!("`{}` is no ref that a task changes", one.name));
            }
            words.iter().for_each(|word| commands.extend(word.bytes()));
        }
        Ok(commands)
    }

    /// Restores what was before. Returns what was done, in words.
    pub fn take_back(&self, git: &GitAt<'_>) -> Result<String, String> {
        let common_dir = &git.opened().common_dir;
        if !is_quarantine(&self.quarantine) {
            return Err(format!("`{}` is no quarantine", self.quarantine));
        }
        let made = self.unfolded(common_dir)?.refs_back(git)?;
        let n_refs = made.len();
        let n_copied = self.copied_back(common_dir, &made)?;
        let n_moved = self.moved_back(common_dir)?;
        Ok(match (n_refs, n_copied + n_moved) {
            (0, 0) => "all is as it was".to_owned(),
            (n_refs, n_files) => format!("{n_refs} refs and {n_files} files are as before"),
        })
    }

    /// All refs in one transaction; those that are back already are left out. Returns the names of the others.
    fn refs_back(&self, git: &GitAt<'_>) -> Result<Vec<String>, String> {
        let mut left = Undo { refs: Vec::new(), ..self.clone() };
        let there = ids(git).map_err(|error| error.to_string())?;
        for one in &self.refs {
            let now = there.get(&one.name).cloned();
            match now {
                now if now == one.before => {}
                now if now == one.after => left.refs.push(one.clone()),
                Some(now) => return Err(format!("`{}` is at {now} by now: somebody moved it", one.name)),
                None => return Err(format!("`{}` is gone by now", one.name)),
            }
        }
        let commands = left.transaction(true)?;
        if !commands.is_empty() {
            let call = git.command("update-ref").option("--stdin").option("-z").input(commands);
            call.run().map_err(|error| error.to_string())?;
        }
        Ok(left.refs.into_iter().map(|one| one.name).collect())
    }

    /// Reflogs, and settings where nobody changed them since. One that can't be put back keeps no other from it.
    fn copied_back(&self, common_dir: &Path, made: &[String]) -> Result<usize, String> {
        let (mut n_back, mut failed) = (0, Vec::new());
        for below in &self.copied {
            match self.put_back(common_dir, below, made) {
                Ok(is_back) => n_back += usize::from(is_back),
                Err(reason) => failed.push(reason),
            }
        }
        if failed.is_empty() { Ok(n_back) } else { Err(failed.join("; ")) }
    }

    /// False = it was as before.
    fn put_back(&self, common_dir: &Path, below: &str, made: &[String]) -> Result<bool, String> {
        let (to, kept) = (inside(common_dir, below)?, self.kept(common_dir, below)?);
        let before = fs::read(&kept).map_err(|error| cannot("read", &kept, error))?;
        let now = fs::read(&to).ok();
        // The reflog of a ref that we made again just now holds nothing else.
        let is_made = below.strip_prefix("logs/").is_some_and(|name| made.iter().any(|made| made == name));
        let before = match &now {
            Some(now) if is_reflog(below) && !is_made && *now != before => joined(&before, now),
            _ => before,
        };
        if now.as_ref() == Some(&before) {
            return Ok(false);
        }
        let after = fs::read(self.after(common_dir, below)?).ok();
        if !is_reflog(below) && now != after {
            let kept = kept.display();
            return Err(format!("`{below}` was changed by somebody since; how it was lies in `{kept}`"));
        }
        replace(&to, &before).map(|()| true)
    }

    fn moved_back(&self, common_dir: &Path) -> Result<usize, String> {
        let mut n_back = 0;
        for below in &self.moved {
            let (to, kept) = (inside(common_dir, below)?, self.kept(common_dir, below)?);
            match (fs::symlink_metadata(&kept).is_ok(), fs::symlink_metadata(&to).is_ok()) {
                (true, false) => {
                    let folder = to.parent().unwrap_or(common_dir);
                    fs::create_dir_all(folder).map_err(|error| cannot("make", folder, error))?;
                    place::move_to(&kept, &to)?;
                    n_back += 1;
                }
                (true, true) => return Err(format!("there is another `{below}` by now")),
                (false, true) => {}
                (false, false) => return Err(format!("`{below}` is not in the quarantine")),
            }
        }
        Ok(n_back)
    }

    /// Remembers how a copied file is after the task, so that a change by somebody else is noticed.
    pub fn note_after(&self, common_dir: &Path) -> Result<(), String> {
        for below in self.copied.iter().filter(|below| !is_reflog(below)) {
            let to = self.after(common_dir, below)?;
            let _ = fs::remove_file(&to);
            match fs::read(inside(common_dir, below)?) {
                Ok(now) => write_new(&to, &now)?,
                // That it is gone is how it is after the task.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("cannot read `{below}`: {error}")),
            }
        }
        Ok(())
    }

    fn kept(&self, common_dir: &Path, below: &str) -> Result<PathBuf, String> {
        self.in_quarantine(common_dir, "before", below)
    }

    fn after(&self, common_dir: &Path, below: &str) -> Result<PathBuf, String> {
        self.in_quarantine(common_dir, "after", below)
    }

    fn in_quarantine(&self, common_dir: &Path, part: &str, below: &str) -> Result<PathBuf, String> {
        let path = inside(common_dir, &format!("{}/{part}/{below}", self.quarantine))?;
        let folder = path.parent().unwrap_or(common_dir);
        let mut maker = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut maker, 0o700);
        maker.recursive(true).create(folder).map_err(|error| cannot("make", folder, error))?;
        Ok(path)
    }
}

fn is_reflog(below: &str) -> bool {
    below.starts_with("logs/") || below.starts_with("worktrees/")
}

/// A reflog as it was, with what came since behind it.
fn joined(before: &[u8], now: &[u8]) -> Vec<u8> {
    let lines =
        |text: &[u8]| -> Vec<Vec<u8>> { text.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect() };
    let (mut all, now) = (lines(before), lines(now));
    // What is kept of it stands in front; what came since, behind the last line that was there.
    let last = all.last().and_then(|last| now.iter().rposition(|line| line == last));
    let since = last.map_or_else(|| now.iter().position(|line| !all.contains(line)).unwrap_or(now.len()), |at| at + 1);
    all.extend(now[since..].iter().cloned());
    all.concat()
}

/// The ids of all refs, by their names; a symbolic ref has that of its target.
fn ids(git: &GitAt<'_>) -> Result<BTreeMap<String, String>, GitError> {
    let listed = git.command("for-each-ref").option("--format=%(objectname) %(refname)").run()?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let pair = |line: &str| line.split_once(' ').map(|(id, name)| (name.to_owned(), id.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

/// A line of the list of refs: the id before, the id after (`-` = it is not there), the name.
fn listed(line: &str) -> Option<RefUndo> {
    let mut words = line.splitn(3, ' ');
    let mut id = || Some(words.next()?.to_owned()).map(|id| Some(id).filter(|id| id != "-"));
    let (before, after) = (id()?, id()?);
    Some(RefUndo { name: words.next()?.to_owned(), before, after })
}

fn is_plain(one: &RefUndo) -> bool {
    let is_id = |id: &Option<String>| {
        id.as_ref().is_none_or(|id| id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    one.name.starts_with("refs/") && !one.name.contains(char::is_control) && is_id(&one.before) && is_id(&one.after)
}

fn is_quarantine(path: &str) -> bool {
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    path.strip_prefix("quarantine/").is_some_and(is_id)
}

fn inside(common_dir: &Path, below: &str) -> Result<PathBuf, String> {
    place::inside(common_dir, below).map_err(|refusal| refusal.to_string())
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let written = (|| {
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    })();
    written.map_err(|error| cannot("write", path, error))?;
    path.parent().map_or(Ok(()), place::sync)
}

/// Another file takes the place of the one that is there, with its rights.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(|error| cannot("make", folder, error))?;
    let draft = path.with_extension("alignwatch-undo");
    let _ = fs::remove_file(&draft);
    write_new(&draft, bytes)?;
    if let Ok(about) = fs::metadata(path) {
        let _ = fs::set_permissions(&draft, about.permissions());
    }
    fs::rename(&draft, path).map_err(|error| cannot("write", path, error))?;
    place::sync(folder)
}

fn cannot(what: &str, path: &Path, cause: io::Error) -> String {
    format!("cannot {what} `{}`: {cause}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reflog_comes_back_with_what_came_since() {
        let told = |before: &str, now: &str| String::from_utf8(joined(before.as_bytes(), now.as_bytes())).unwrap();
        assert_eq!(told("a\nb\nc\n", "c\n"), "a\nb\nc\n");
        assert_eq!(told("a\nb\nc\n", "c\nd\n"), "a\nb\nc\nd\n");
        assert_eq!(told("a\nb\n", "c\n"), "a\nb\nc\n", "all were old, and one is new");
        assert_eq!(told("a\nb\n", ""), "a\nb\n");
        assert_eq!(told("a\nb\n", "a\nb\n"), "a\nb\n");
    }
}
