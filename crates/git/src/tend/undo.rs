//! What takes a task back that changed refs or moved files: written down before, used after.
//!
//! Ids of refs stand in it; reflogs, settings and files lie in the quarantine of the task. Taking back twice, or
//! after a task or a taking back that was ended half-way, is the same: what is back already is left out. One thing that
//! somebody changed since keeps nothing else from coming back; it is told. What keeps objects (`refs/archive/`) goes last,
//! and only when all came back. What it says is not believed: somebody else may have written it.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::sections;
use crate::{
    files,
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

/// What came of taking a task back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenBack {
    /// Refs that are as before now, and were not.
    pub n_refs: usize,
    /// Files that are as before now, and were not.
    pub n_files: usize,
    /// What could not be taken back, each with the reason, as sentence parts.
    pub not: Vec<String>,
}

impl TakenBack {
    /// In words.
    pub fn told(&self) -> String {
        let done = match (self.n_refs, self.n_files) {
            (0, 0) if self.not.is_empty() => "all is as it was".to_owned(),
            (0, 0) => "nothing was changed".to_owned(),
            (n_refs, n_files) => format!("{n_refs} refs and {n_files} files are as before"),
        };
        if self.not.is_empty() { done } else { format!("{done}; not taken back: {}", self.not.join("; ")) }
    }
}

/// What reflogs say where we brought a ref back. The reflog that it had then takes its place; where that did not come to
/// pass, the line tells that nobody else wrote it.
const OURS: &str = "alignwatch task undo";

/// Where branches are that a task took away, and commits whose reflog it shortened.
const ARCHIVE: &str = "refs/archive/";

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

    /// Restores what was before. Errors: nothing could be tried, with the reason.
    pub fn take_back(&self, git: &GitAt<'_>) -> Result<TakenBack, String> {
        let common_dir = &git.opened().common_dir;
        if !is_quarantine(&self.quarantine) {
            return Err(format!("`{}` is no quarantine", self.quarantine));
        }
        let undo = self.unfolded(common_dir)?;
        let mut left = Left::of(&undo, git)?;
        let made = left.back(git, |one| one.before.is_some());
        left.there.extend(made.iter().cloned());
        let n_copied = undo.copied_back(common_dir, &made, &left.there, &mut left.not);
        let n_files = n_copied + undo.moved_back(common_dir, &mut left.not);
        // Now that reflogs are there again, nothing hangs on what the task made to keep their commits.
        let is_needed = !left.not.is_empty();
        left.refs.retain(|one| !(is_needed && one.name.starts_with(ARCHIVE)));
        let n_removed = left.back(git, |_| true).len();
        Ok(TakenBack { n_refs: made.len() + n_removed, n_files, not: left.not })
    }

    /// Reflogs, and settings where nobody changed them since. Returns how many files that were.
    ///
    /// `made` are refs that were brought back just now, `there` all that are as before.
    fn copied_back(&self, common_dir: &Path, made: &[String], there: &[String], not: &mut Vec<String>) -> usize {
        let mut n_back = 0;
        for below in &self.copied {
            match self.put_back(common_dir, below, made, there) {
                Ok(is_back) => n_back += usize::from(is_back),
                Err(reason) => not.push(reason),
            }
        }
        n_back
    }

    /// False = it was as before.
    fn put_back(&self, common_dir: &Path, below: &str, made: &[String], there: &[String]) -> Result<bool, String> {
        let (to, kept) = (inside(common_dir, below)?, self.kept(common_dir, below)?);
        let before = fs::read(&kept).map_err(|error| cannot("read", &kept, error))?;
        // What is there and can't be read is not overwritten.
        let read = |path: &Path| files::read(path, FILE_AT_MOST).map_err(|error| cannot("read", path, error));
        let now = read(&to)?;
        // The reflog of a ref that we made again just now holds nothing else.
        let is_made = below.strip_prefix("logs/").is_some_and(|name| made.iter().any(|made| made == name));
        let before = match &now {
            Some(now) if is_reflog(below) && !is_made && *now != before => joined(&before, &without_ours(now)),
            _ => before,
        };
        if now.as_ref() == Some(&before) {
            return Ok(false);
        }
        let after = read(&self.after(common_dir, below)?)?;
        if !is_reflog(below) && now != after {
            if below == "config" {
                return self.sections_back(&to, &before, now.unwrap_or_default(), there);
            }
            let kept = kept.display();
            return Err(format!("`{below}` was changed by somebody since; how it was lies in `{kept}`"));
        }
        match &now {
            Some(now) if below == "config" => replace_locked(&to, now, &before).map(|()| true),
            _ => replace(&to, &before).map(|()| true),
        }
    }

    /// Somebody changed the settings since: sections of the branches that went come back where there are none now, and what
    /// was changed stays. Errors: something else would have to come back, too.
    fn sections_back(&self, config: &Path, before: &[u8], now: Vec<u8>, there: &[String]) -> Result<bool, String> {
        let cannot = |reason: String| format!("the settings can't be put together: {reason}");
        let went: Vec<&str> = self.refs.iter().filter(|one| one.after.is_none()).map(|one| one.name.as_str()).collect();
        let back = there.iter().filter(|name| went.contains(&name.as_str()));
        let branches: Vec<String> =
            back.filter_map(|name| name.strip_prefix("refs/heads/")).map(str::to_owned).collect();
        if went.is_empty() {
            return Err(format!(
                "`config` was changed by somebody since; how it was lies in `{}/before/config`",
                self.quarantine
            ));
        }
        let text = sections::missing(before, &now, &branches).map_err(cannot)?;
        if text.is_empty() {
            return Ok(false);
        }
        let mut all = now.clone();
        if !all.is_empty() && !all.ends_with(b"\n") {
            all.push(b'\n');
        }
        all.extend(text);
        replace_locked(config, &now, &all).map(|()| true)
    }

    fn moved_back(&self, common_dir: &Path, not: &mut Vec<String>) -> usize {
        let mut n_back = 0;
        for below in &self.moved {
            match self.one_moved_back(common_dir, below) {
                Ok(is_back) => n_back += usize::from(is_back),
                Err(reason) => not.push(reason),
            }
        }
        n_back
    }

    /// False = it is there already.
    fn one_moved_back(&self, common_dir: &Path, below: &str) -> Result<bool, String> {
        let (to, kept) = (inside(common_dir, below)?, self.kept(common_dir, below)?);
        match (fs::symlink_metadata(&kept).is_ok(), fs::symlink_metadata(&to).is_ok()) {
            (true, false) => {
                let folder = to.parent().unwrap_or(common_dir);
                fs::create_dir_all(folder).map_err(|error| cannot("make", folder, error))?;
                place::move_to(&kept, &to).map(|()| true)
            }
            (true, true) => Err(format!("there is another `{below}` by now")),
            (false, true) => Ok(false),
            (false, false) => Err(format!("`{below}` is not in the quarantine")),
        }
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

/// Refs that are to be brought back, and what can't be.
struct Left {
    refs: Vec<RefUndo>,
    /// Names of those that are as before.
    there: Vec<String>,
    not: Vec<String>,
}

impl Left {
    /// Those that are as the task left them. Others are back already, or somebody moved them.
    fn of(undo: &Undo, git: &GitAt<'_>) -> Result<Left, String> {
        let there = ids(git).map_err(|error| error.to_string())?;
        let mut left = Left { refs: Vec::new(), there: Vec::new(), not: Vec::new() };
        for one in &undo.refs {
            let now = there.get(&one.name);
            match now {
                now if now == one.before.as_ref() => left.there.push(one.name.clone()),
                now if now == one.after.as_ref() => left.refs.push(one.clone()),
                Some(now) => left.not.push(format!("`{}` is at {now} by now: somebody moved it", one.name)),
                None => left.not.push(format!("`{}` is gone by now", one.name)),
            }
        }
        Ok(left)
    }

    /// Brings those back that are meant, and takes them from the list. Returns their names.
    ///
    /// All in one transaction. Where one can't be, since another has its name as a folder or its object is gone, each gets
    /// one of its own, so that it keeps no other from coming back.
    fn back(&mut self, git: &GitAt<'_>, is_meant: impl Fn(&RefUndo) -> bool) -> Vec<String> {
        let (meant, rest): (Vec<RefUndo>, Vec<RefUndo>) = self.refs.drain(..).partition(is_meant);
        self.refs = rest;
        let back = |refs: &[RefUndo]| -> Result<(), String> {
            let commands = Undo { refs: refs.to_vec(), ..Undo::default() }.transaction(true)?;
            let call = git.command("update-ref").option("-m").option(OURS).option("--stdin").option("-z");
            call.input(commands).run().map(drop).map_err(|error| error.to_string())
        };
        if meant.is_empty() || back(&meant).is_ok() {
            return meant.into_iter().map(|one| one.name).collect();
        }
        let mut made = Vec::new();
        for one in meant {
            match back(std::slice::from_ref(&one)) {
                Ok(()) => made.push(one.name),
                Err(reason) => self.not.push(format!("`{}` can't be brought back: {reason}", one.name)),
            }
        }
        made
    }
}

fn is_reflog(below: &str) -> bool {
    below.starts_with("logs/") || below.starts_with("worktrees/")
}

/// A reflog without what an earlier taking back wrote, that was ended half-way.
fn without_ours(now: &[u8]) -> Vec<u8> {
    let ours = format!("\t{OURS}\n").into_bytes();
    now.split_inclusive(|&byte| byte == b'\n').filter(|line| !line.ends_with(&ours)).collect::<Vec<_>>().concat()
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
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
    file.and_then(|file| fill(file, bytes)).map_err(|error| cannot("write", path, error))?;
    path.parent().map_or(Ok(()), place::sync)
}

/// On the disk as a whole.
fn fill(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
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

/// The same for settings, under the lock that git takes for them: who changes them meanwhile is not overwritten.
fn replace_locked(path: &Path, now: &[u8], bytes: &[u8]) -> Result<(), String> {
    let lock = path.with_extension("lock");
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&lock);
    // From here on the lock is ours: what fails must not leave it behind, since every git would wait for it.
    let written = fill(file.map_err(|error| cannot("make", &lock, error))?, bytes);
    if let Err(error) = written {
        let _ = fs::remove_file(&lock);
        return Err(cannot("write", &lock, error));
    }
    if fs::read(path).ok().as_deref() != Some(now) {
        let _ = fs::remove_file(&lock);
        return Err(format!("`{}` was changed in this moment: take it back again", path.display()));
    }
    if let Ok(about) = fs::metadata(path) {
        let _ = fs::set_permissions(&lock, about.permissions());
    }
    fs::rename(&lock, path).map_err(|error| cannot("write", path, error))?;
    path.parent().map_or(Ok(()), place::sync)
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
