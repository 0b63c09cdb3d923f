//! Tools that align many branches: which of them is at work here, and which of them began what is half done.
//!
//! Each is known by what it leaves in the Git directory and by its processes; none of them has to cooperate, and nothing
//! is started or touched. A process of another user or container may not be seen: that there is none is no proof.
//!
//! * git-machete keeps the tree of its branches in `machete`; a traverse that stops leaves a rebase or merge of Git.
//! * git-branchless rebases on disk with Git's own state, and a mark of its own in it.
//! * git-imerge keeps the state of each incremental merge in a blob at `refs/imerge/NAME/state` until it is finished.
//! * Graphite leaves `.gtcontinue` beside Git's state of the rebase. Alone it says nothing: `gt abort` leaves it there.
//!
//! Sources: git-machete 3.46 and git-imerge 1.2, as they ran; git-branchless, `git-branchless-lib/src/core/rewrite`;
//! the continuation file of Graphite's command line, as its published versions write it.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use alignwatch_model::{RefName, snapshot::Unfinished};

use crate::{
    files,
    processes::Processes,
    refs::{Ref, Refs},
};

/// Bytes of a tree of git-machete that are read. Source: ours; ten thousand branches.
const TREE_BYTES: u64 = 1 << 20;

/// What git-branchless leaves in the state of a rebase that it began. Source: `rewrite_hooks.rs` there.
const OF_BRANCHLESS: [&str; 3] = ["branchless_do_extra_post_rewrite", "branchless_updated_head", "deferred-commits"];

/// A tool, and what it is asked for when it moves branches. Any other command of it only looks.
struct Tool {
    name: &'static str,
    /// How its program begins.
    program: &'static str,
    /// It is a script, so that the process bears the name of what runs it.
    is_only_script: bool,
    moves: &'static [&'static str],
}

const TOOLS: [Tool; 5] = [
    Tool {
        name: "git-machete",
        program: "git-machete",
        is_only_script: false,
        moves: &["traverse", "update", "slide-out", "advance", "squash", "reapply"],
    },
    Tool {
        name: "git-branchless",
        program: "git-branchless",
        is_only_script: false,
        moves: &["sync", "restack", "move", "amend", "reword", "record", "undo", "split"],
    },
    Tool {
        name: "git-imerge",
        program: "git-imerge",
        is_only_script: false,
        moves: &["merge", "rebase", "drop", "revert", "start", "continue", "record", "autofill", "simplify", "finish"],
    },
    Tool {
        name: "Graphite",
        program: "gt",
        is_only_script: true,
        moves: &[
            "sync",
            "restack",
            "continue",
            "modify",
            "move",
            "fold",
            "split",
            "get",
            "upstack",
            "downstack",
            "stack",
        ],
    },
    Tool {
        name: "git-town",
        program: "git-town",
        is_only_script: false,
        moves: &["sync", "continue", "skip", "undo", "ship", "append", "prepend", "merge", "walk"],
    },
];

/// Programs that run scripts: what they run is in their arguments. Names are cut after fifteen bytes.
const RUNNERS: [&str; 3] = ["python", "node", "MainThread"];

/// The tools that are at work at one of these places now.
pub(crate) fn at_work(processes: &Processes, places: &[PathBuf]) -> Vec<Unfinished> {
    let found = processes.programs(places, &|name, arguments| tool_of(name, arguments).map(|tool| tool.name));
    found
        .into_iter()
        .map(|(worker, tool)| Unfinished {
            operation: "alignment",
            by: Some(tool),
            process: Some(worker.pid),
            began_at: worker.started_at,
            ..Unfinished::default()
        })
        .collect()
}

/// The tool that a process with this name and these arguments is, when it moves branches.
fn tool_of(name: &str, arguments: &[Vec<u8>]) -> Option<&'static Tool> {
    let runs_script = RUNNERS.iter().any(|runner| name.starts_with(runner));
    let mut rest = arguments.iter().skip(1).map(Vec::as_slice);
    let script = if runs_script { rest.find(|word| !word.starts_with(b"-")).map(base_name) } else { None };
    // Seen by its own name, a script still stands among the arguments of what runs it.
    let is_it = |tool: &&Tool| match &script {
        Some(script) => script.starts_with(tool.program),
        None => !tool.is_only_script && name.starts_with(tool.program),
    };
    let tool = TOOLS.iter().find(is_it)?;
    let is_move = |word: &[u8]| tool.moves.iter().any(|command| command.as_bytes() == word);
    // A part of the name may be the command: `git-branchless-move`.
    let is_named = |word: &Vec<u8>| {
        let name = base_name(word);
        name.strip_prefix(tool.program)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|rest| is_move(rest.as_bytes()))
    };
    let moves = arguments.iter().any(|word| is_move(word) || is_named(word));
    moves.then_some(tool)
}

fn base_name(path: &[u8]) -> String {
    Path::new(OsStr::from_bytes(path)).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The tool that began the rebase which stands in this folder of a worktree, where it left a mark.
pub(crate) fn of_rebase(git_dir: &Path) -> Option<&'static str> {
    let has = |name: &str| fs::symlink_metadata(git_dir.join(name)).is_ok();
    if has(".gtcontinue") {
        return Some("Graphite");
    }
    OF_BRANCHLESS.iter().any(|mark| has(&format!("rebase-merge/{mark}"))).then_some("git-branchless")
}

/// The tool that lists this branch among those that it aligns: git-machete, when it stands in its tree.
///
/// Errors: the tree is there and can't be read.
pub(crate) fn listing(common_dir: &Path, branch: &RefName) -> io::Result<Option<&'static str>> {
    let tree = files::read_beginning(&common_dir.join("machete"), TREE_BYTES)?.unwrap_or_default();
    let short = branch.as_bytes().strip_prefix(b"refs/heads/").unwrap_or(branch.as_bytes());
    // A line is an indent, a name, and what somebody noted beside it.
    let is_listed = tree
        .split(|&byte| byte == b'\n')
        .any(|line| line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()) == Some(short));
    Ok(is_listed.then_some("git-machete"))
}

/// Incremental merges that are under way.
pub(crate) fn imerges(refs: &Refs) -> Vec<Unfinished> {
    let named = |one: &Ref| {
        let name = one.name.as_bytes().strip_prefix(b"refs/imerge/")?.strip_suffix(b"/state")?;
        let branch = RefName::new([b"refs/heads/", name].concat());
        let is_there = refs.all.iter().any(|other| other.name == branch);
        Some(Unfinished {
            operation: "imerge",
            name: Some(String::from_utf8_lossy(name).into_owned()),
            // It takes the name of the branch, unless it is given another.
            branch: is_there.then_some(branch),
            by: Some("git-imerge"),
            ..Unfinished::default()
        })
    };
    refs.under(b"refs/imerge/").filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{processes::tests::FakeProc, unfinished::unfinished};
    use alignwatch_testkit::{Repo, git_output, sketch};

    fn conflicting() -> Repo {
        sketch("main: a(f=1) b(f=2)\n x: a c(f=3)").worktree().draw()
    }

    /// A rebase of `x` that stopped.
    fn stopped() -> Repo {
        let repo = conflicting();
        assert!(!git_output(repo.path(), ["rebase", "-q", "main", "x"]).status.success());
        repo
    }

    fn told(repo: &Repo) -> Vec<String> {
        unfinished(&repo.git_dir()).seen().unwrap().iter().map(Unfinished::told).collect()
    }

    #[test]
    fn a_process_that_moves_branches_is_seen_and_one_that_looks_is_not() {
        let fake = FakeProc::new();
        let add = |pid: u32, name: &str, arguments: &str| {
            fake.add(pid, name, "/repo", 5);
            fake.write(&format!("{pid}/cmdline"), &arguments.replace(' ', "\0"));
        };
        add(10, "git-machete", "/usr/bin/python3 /usr/bin/git-machete traverse -y");
        add(11, "git-machete", "/usr/bin/python3 /usr/bin/git-machete status");
        add(12, "python3.11", "python3 -u /opt/bin/git-imerge rebase main");
        add(13, "node", "node /usr/lib/node_modules/.bin/gt restack");
        add(14, "node", "node /srv/app/server.js sync");
        add(15, "gt", "gt sync");
        add(16, "git-branchless-", "git-branchless-move --source x");
        add(17, "git-branchless", "git-branchless smartlog");
        add(18, "git", "git rebase main");
        fake.add(19, "git-machete", "/elsewhere", 5);
        fake.write("19/cmdline", "git-machete\0traverse\0");
        let seen = at_work(&fake.processes(), &["/repo".into()]);
        let told: Vec<_> = seen.iter().map(|one| (one.process.unwrap(), one.by.unwrap())).collect();
        assert_eq!(told, [(10, "git-machete"), (12, "git-imerge"), (13, "Graphite"), (16, "git-branchless")]);
        assert_eq!(seen[0].told(), "git-machete is at work (process 10)");
        assert!(seen[0].is_alignment_in_progress(alignwatch_model::Timestamp(i64::MAX / 2)), "however long it works");
    }

    #[test]
    fn who_asks_from_within_a_tool_is_not_stopped_by_it() {
        let fake = FakeProc::new();
        fake.add(10, "git-machete", "/repo", 5);
        fake.write("10/cmdline", "git-machete\0traverse\0");
        fake.born(std::process::id(), 9, "alignwatch");
        fake.born(9, 10, "sh");
        assert_eq!(at_work(&fake.processes(), &["/repo".into()]), []);
    }

    #[test]
    fn the_marks_of_branchless_and_graphite_name_them_and_only_in_a_rebase() {
        let repo = stopped();
        assert_eq!(told(&repo), ["a rebase is half done in the main worktree"]);
        fs::write(repo.git_dir().join("rebase-merge/branchless_do_extra_post_rewrite"), "").unwrap();
        assert_eq!(told(&repo), ["a rebase by git-branchless is half done in the main worktree"]);
        fs::write(repo.git_dir().join(".gtcontinue"), "{}").unwrap();
        assert_eq!(told(&repo), ["a rebase by Graphite is half done in the main worktree"]);
        repo.git(["rebase", "--abort"]);
        assert_eq!(told(&repo), [""; 0], "what `gt abort` leaves says nothing");
    }

    #[test]
    fn a_branch_in_the_tree_of_machete_is_told_as_that() {
        let repo = stopped();
        fs::write(repo.git_dir().join("machete"), "main\n\tx  PR #7\n").unwrap();
        assert_eq!(told(&repo), ["a rebase of a branch in the tree of git-machete is half done in the main worktree"]);
        fs::write(repo.git_dir().join("machete"), "main\n\txy x\n").unwrap();
        assert_eq!(told(&repo), ["a rebase is half done in the main worktree"]);
    }

    #[test]
    #[ignore = "needs git-machete"]
    fn a_traverse_of_the_real_git_machete_that_stops_is_seen() {
        let repo = conflicting();
        fs::write(repo.git_dir().join("machete"), "main\n  x\n").unwrap();
        let mut traverse = std::process::Command::new("git-machete");
        traverse.args(["traverse", "-y", "-n", "--start-from=first-root"]).current_dir(repo.path());
        assert!(!traverse.output().unwrap().status.success());
        assert_eq!(told(&repo), ["a rebase of a branch in the tree of git-machete is half done in the main worktree"]);
    }

    #[test]
    #[ignore = "needs git-imerge"]
    fn an_imerge_of_the_real_tool_is_seen_while_it_is_blocked_and_not_after() {
        let repo = conflicting();
        repo.git(["checkout", "-q", "x"]);
        let imerge = |arguments: &[&str]| {
            let mut command = std::process::Command::new("git-imerge");
            command.args(arguments).current_dir(repo.path()).output().unwrap()
        };
        let seen = || {
            let opened = crate::repository::open(repo.path()).unwrap();
            let found = imerges(&crate::refs::read_files(&opened).unwrap());
            found.iter().map(|one| (one.told(), one.branch.clone().map(|name| name.text().into_owned()))).collect()
        };
        assert!(imerge(&["rebase", "main"]).status.success(), "it exits 0 while it is blocked");
        let told: Vec<_> = seen();
        assert_eq!(told, [("the imerge `x` is half done".to_owned(), Some("refs/heads/x".to_owned()))]);
        repo.git(["checkout", "-q", "-f", "main"]);
        imerge(&["remove", "--name", "x"]);
        let told: Vec<(String, Option<String>)> = seen();
        assert_eq!(told, []);
    }
}
