//! `worktree-repair`: worktrees whose link leads nowhere since the repository was moved get it back. None is ever pruned.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::Duration,
};

use alignwatch_git::tend::linked_worktrees;
use alignwatch_model::{
    Known, Look,
    facts::worktrees::{Place, Worktree},
    task::{Measure, Plan},
    words,
};

use crate::task::{Draft, Guard, Seen, Task, Work};

/// Repairs links of worktrees.
pub(super) static TASK: Task = Task {
    id: "worktree-repair",
    title: "Give worktrees their link back after the repository was moved",
    why: "In a worktree whose `.git` names a place that is not there, every git fails. A worktree that is away, on a disk that is not plugged in or on a machine that sleeps, keeps its branch: nothing is ever pruned.",
    guard: Guard::Refs,
    uses: &[],
    looks: &[Look::Locks, Look::Worktrees],
    usual: "1d",
    opt_in: Some(
        "a worktree of another repository that is away, at a place where this one had one of the same name, looks the same",
    ),
    undo: "not needed: the link named a place that was not there",
    measure,
    plan,
    prepare: None,
    perform,
};

const BROKEN: &str = "worktrees whose link leads nowhere";

/// What is the matter with a worktree.
enum State {
    /// All is well, or nothing that can be mended.
    Left(Option<String>),
    /// Its link names a place that is not there, and says that it was this repository.
    Broken(PathBuf),
    /// Git would take its link away from somebody else.
    Taken(String),
}

fn worktrees<'a>(seen: &Seen<'a>) -> Result<&'a [Worktree], &'a str> {
    match &seen.snapshot.facts.worktrees {
        Known::Seen(worktrees) => Ok(worktrees),
        Known::Unknown(reason) => Err(reason),
    }
}

fn state(seen: &Seen<'_>, worktree: &Worktree) -> State {
    let path = Path::new(&worktree.path);
    match &worktree.place {
        Known::Seen(Place::Here) => State::Left(None),
        Known::Seen(Place::Gone) => State::Left(Some(format!("`{}` is not there; it keeps its branch", worktree.path))),
        Known::Unknown(reason) => State::Left(Some(format!("`{}`: {reason}", worktree.path))),
        Known::Seen(Place::Foreign) => match link(path) {
            None => State::Taken(format!("what is at `{}` is no worktree", worktree.path)),
            Some(named) if named.exists() => {
                State::Taken(format!("what is at `{}` belongs to `{}`", worktree.path, named.display()))
            }
            Some(named)
                if named.file_name() == Path::new(&worktree.git_dir).file_name()
                    && !is_younger(path, &seen.opened.common_dir.join(&worktree.git_dir)) =>
            {
                State::Broken(path.to_owned())
            }
            Some(named) => State::Taken(format!(
                "what is at `{}` belonged to `{}`, which is not there",
                worktree.path,
                named.display()
            )),
        },
    }
}

/// Was the link written long after what this repository keeps of the worktree? Then another repository, which is away
/// now, made one of the same name at the same place. What can't be told counts as that.
fn is_younger(files: &Path, git_dir: &Path) -> bool {
    /// Both are written by one command. Source: ours.
    const APART: Duration = Duration::from_secs(10);
    let written = |path: PathBuf| fs::symlink_metadata(path).and_then(|about| about.modified()).ok();
    let (link, record) = (written(files.join(".git")), written(git_dir.join("gitdir")));
    link.zip(record).is_none_or(|(link, record)| record + APART < link)
}

/// What the link in a worktree names; `None` = it is no link.
fn link(files: &Path) -> Option<PathBuf> {
    /// Bytes of a link. Source: ours; a path has at most 4 KiB.
    const AT_MOST: u64 = 8 << 10;
    let path = files.join(".git");
    let about = fs::symlink_metadata(&path).ok()?;
    if !about.is_file() || AT_MOST < about.len() {
        return None;
    }
    let text = fs::read(&path).ok()?;
    let named = text.strip_prefix(b"gitdir:")?.trim_ascii();
    Some(files.join(OsStr::from_bytes(named)))
}

fn broken(seen: &Seen<'_>) -> Result<Vec<PathBuf>, String> {
    let states = worktrees(seen)?.iter().map(|worktree| state(seen, worktree));
    Ok(states.filter_map(|state| if let State::Broken(path) = state { Some(path) } else { None }).collect())
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    vec![Measure::known(BROKEN, Known::from_result(broken(seen).map(|paths| paths.len() as u64)), "worktrees")]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    let any = draft.reaches(BROKEN, 1, "git-worktree(1), repair");
    let (mut taken, mut n_broken) = (None, 0);
    for worktree in worktrees(seen).unwrap_or_default() {
        match state(seen, worktree) {
            State::Left(None) => {}
            State::Left(Some(note)) => draft = draft.note(note),
            State::Broken(path) => {
                n_broken += 1;
                draft = draft.step(format!("git worktree repair {}", path.display()));
            }
            State::Taken(reason) => {
                draft = draft.note(reason.clone());
                taken = Some(reason);
            }
        }
    }
    let draft = draft.costs(1, 0);
    match (any, taken) {
        (Err(reason), _) => draft.refuse(reason),
        (Ok(false), _) => draft.rest("no link is broken that could be mended"),
        // Git repairs all at once.
        (Ok(true), Some(reason)) => draft.refuse(format!("{reason}, and git would write there, too")),
        (Ok(true), None) => draft.act(format!("{} can be mended", words::count(n_broken, "link"))),
    }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let paths = broken(&work.seen)?;
    linked_worktrees::repair(work.git, &paths)
}
