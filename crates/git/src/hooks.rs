//! Hooks that report: put beside what is there, and taken away again. Only when somebody asks for them.
//!
//! A hook that is there already is moved aside and run first by ours, with the same arguments and the same standard
//! input, and its exit code counts. One for `sh` runs by its own name: husky takes from that which script it is for. What
//! ours adds runs afterwards and can fail nobody. Lines that another tool adds behind ours, as git-branchless does, run
//! with the same input, and stay when ours is taken away. A folder of hooks that is part of the repository's own files is
//! left alone: what is put there would be committed.
//!
//! Known gap: pre-commit, put in front of ours, gives it no standard input, so that a rebase is not reported then.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use alignwatch_model::quote::shell_word;

use crate::{
    health::settings::operators_value,
    repository::Opened,
    run::{Entry, Git},
};

/// The hooks that report, and whether they are given something on standard input. Source: githooks(5).
///
/// Both run after the fact, once for a whole merge or rebase; `reference-transaction` runs a hundred times as often.
pub const REPORTING: [(&str, bool); 2] = [("post-merge", false), ("post-rewrite", true)];

/// The line by which a hook of ours is known.
const MARK: &str = "# alignwatch: made by `alignwatch hooks install`, taken away by `alignwatch hooks remove`.";

/// The last line of ours: what follows was added by somebody else.
const END: &str = "# alignwatch: what follows is not of alignwatch.";

/// What is added to the name of a hook that ours runs first.
const ASIDE: &str = ".before-alignwatch";

/// A hook, as it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its event.
    pub name: &'static str,
    /// Its file.
    pub path: PathBuf,
    /// Whose it is.
    pub whose: Whose,
}

/// Whose hook it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// There is none.
    Nobody,
    /// Ours alone.
    Ours,
    /// Ours, which runs another one first, or behind which another tool added lines.
    OursAndAnother,
    /// Another one, which runs ours: a tool that came later put itself in front of it.
    AnotherAndOurs,
    /// Another one.
    Another,
}

/// Why hooks can't be looked at, put there or taken away.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// The folder is part of the repository's own files.
    #[error("cannot put hooks into `{}`: it is part of the repository's own files", .0.display())]
    Tracked(PathBuf),
    /// The folder is not of this repository alone.
    #[error("cannot put hooks into `{}`: core.hooksPath of your own settings names it for all repositories", .0.display())]
    OfAll(PathBuf),
    /// Somebody added lines behind ours, and the hook that ours runs first is not for the same shell.
    #[error("cannot take our lines out of `{}`: the hook that it runs first is no sh script, so that what another tool added \
             behind ours can't be added to that", .0.display())]
    Joined(PathBuf),
    /// The system refused.
    #[error("cannot {act} `{}`: {source}", .path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// The hooks that could report.
pub fn hooks(opened: &Opened) -> Result<Vec<Hook>, HookError> {
    let folder = folder(opened).0;
    REPORTING.iter().map(|(name, _)| hook(&folder, name)).collect()
}

/// Puts the hooks there; `program` is what they call. Returns them as they are then.
///
/// Errors: nothing was changed, or what was changed is as [`hooks`] says.
pub fn install(opened: &Opened, program: &Path) -> Result<Vec<Hook>, HookError> {
    let (folder, from) = folder(opened);
    match from {
        From::Operator => return Err(HookError::OfAll(folder)),
        From::Repository if is_tracked(opened, &folder) => return Err(HookError::Tracked(folder)),
        From::Repository | From::Git => {}
    }
    fs::create_dir_all(&folder).map_err(failed("make", &folder))?;
    for (name, has_input) in REPORTING {
        let found = hook(&folder, name)?;
        if found.whose == Whose::AnotherAndOurs {
            continue;
        }
        if found.whose == Whose::Another {
            let aside = aside(&found.path);
            // A tool wrote its hook anew over ours, as husky does at each installation.
            let is_again = fs::read(&aside).is_ok_and(|text| fs::read(&found.path).is_ok_and(|now| now == text));
            if fs::symlink_metadata(&aside).is_ok() && !is_again {
                let taken = io::Error::new(io::ErrorKind::AlreadyExists, "there is one that was moved aside before");
                return Err(failed("move the hook to", &aside)(taken));
            }
            fs::rename(&found.path, &aside).map_err(failed("move aside", &found.path))?;
        }
        let added = if matches!(found.whose, Whose::Ours | Whose::OursAndAnother) {
            added(&found.path)?
        } else {
            String::new()
        };
        put(&found.path, &(script(name, has_input, program) + &added))?;
    }
    hooks(opened)
}

/// Takes our hooks away, and puts back what was moved aside. Those of others stay as they are.
pub fn remove(opened: &Opened) -> Result<Vec<Hook>, HookError> {
    for found in hooks(opened)? {
        match found.whose {
            Whose::Ours => fs::remove_file(&found.path).map_err(failed("remove", &found.path))?,
            Whose::OursAndAnother => take_out(&found.path)?,
            // What another tool runs is taken out by that tool.
            Whose::Nobody | Whose::Another | Whose::AnotherAndOurs => {}
        }
    }
    hooks(opened)
}

/// Takes ours out of between what is others'. The last act is one step: there is a hook at every moment.
fn take_out(path: &Path) -> Result<(), HookError> {
    let (aside, added) = (aside(path), added(path)?);
    let before = match fs::read(&aside) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed("read", &aside)(error)),
    };
    match before {
        None => return put(path, &format!("#!/bin/sh\n{added}")),
        Some(text) if !added.is_empty() => {
            let text = String::from_utf8_lossy(&text);
            // git-branchless adds the same lines again to a hook that had them.
            if !text.contains(added.trim()) {
                if !is_for_sh(&text) {
                    return Err(HookError::Joined(path.to_owned()));
                }
                put(&aside, &format!("{}\n{added}", text.trim_end()))?;
            }
        }
        Some(_) => {}
    }
    fs::rename(&aside, path).map_err(failed("put back", path))
}

/// Is it a script for `sh`, without options?
fn is_for_sh(text: &str) -> bool {
    FOR_SH.contains(&text.lines().next().unwrap_or_default())
}

/// First lines of scripts for `sh`. Source: what git's samples, git-branchless and husky write.
const FOR_SH: [&str; 2] = ["#!/bin/sh", "#!/usr/bin/env sh"];

/// What somebody added behind our lines.
fn added(path: &Path) -> Result<String, HookError> {
    let text = fs::read(path).map_err(failed("read", path))?;
    Ok(added_in(&String::from_utf8_lossy(&text)).to_owned())
}

fn added_in(text: &str) -> &str {
    let added = text.split_once(END).map_or("", |(_, added)| added.trim_start_matches('\n'));
    if added.trim().is_empty() { "" } else { added }
}

/// Where the setting of the folder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// It is Git's own.
    Git,
    /// In the repository's settings.
    Repository,
    /// In those of the user or the system.
    Operator,
}

/// The folder that Git takes hooks from. A relative one begins where hooks run. Source: git-config(1), core.hooksPath.
fn folder(opened: &Opened) -> (PathBuf, From) {
    let base = opened.worktree.as_deref().unwrap_or(&opened.git_dir);
    let of_repository = last(&opened.entries).map(|path| (base.join(path), From::Repository));
    let of_operator = || {
        let value = Git::find().ok().and_then(|git| operators_value(&git, "core.hookspath"))?;
        Some((base.join(value), From::Operator))
    };
    of_repository.or_else(of_operator).unwrap_or_else(|| (opened.common_dir.join("hooks"), From::Git))
}

fn last(entries: &[Entry]) -> Option<PathBuf> {
    let value = entries.iter().rev().find(|entry| entry.key == b"core.hookspath")?.value.as_deref()?;
    Some(PathBuf::from(String::from_utf8_lossy(value).into_owned())).filter(|path| !path.as_os_str().is_empty())
}

/// Would a file in there be committed? Folders that tools make (such as `.husky/_`) keep a `.gitignore` with `*` in them.
fn is_tracked(opened: &Opened, folder: &Path) -> bool {
    let is_inside = opened.worktree.as_ref().is_some_and(|worktree| plain(folder).starts_with(plain(worktree)));
    let is_of_git =
        plain(folder).starts_with(plain(&opened.git_dir)) || plain(folder).starts_with(plain(&opened.common_dir));
    let ignores_all =
        fs::read_to_string(folder.join(".gitignore")).is_ok_and(|text| text.lines().any(|line| line.trim() == "*"));
    is_inside && !is_of_git && !ignores_all
}

/// The path without `.` and `..`, and with links resolved as far as it is there.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain.canonicalize().unwrap_or(plain)
}

fn hook(folder: &Path, name: &'static str) -> Result<Hook, HookError> {
    let path = folder.join(name);
    let whose = match fs::read(&path) {
        Ok(bytes) if String::from_utf8_lossy(&bytes).contains(MARK) => {
            let is_first = fs::symlink_metadata(aside(&path)).is_ok();
            let is_alone = !is_first && added_in(&String::from_utf8_lossy(&bytes)).is_empty();
            if is_alone { Whose::Ours } else { Whose::OursAndAnother }
        }
        Ok(bytes) if runs_ours(&path, &bytes) => Whose::AnotherAndOurs,
        Ok(_) => Whose::Another,
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(&path).is_err() => Whose::Nobody,
        Err(error) => return Err(failed("read", &path)(error)),
    };
    Ok(Hook { name, path, whose })
}

/// Does this hook of somebody else run ours? By the line that we tell people to add, or from a file beside it that has ours:
/// pre-commit moves it to `NAME.legacy`, others to other endings. Which of these it runs is taken from its text.
fn runs_ours(path: &Path, text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return false;
    };
    if text.lines().any(|line| !line.trim_start().starts_with('#') && line.contains(&format!("hooks report {name}"))) {
        return true;
    }
    let beside = fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| {
        let ending = entry.file_name().to_str()?.strip_prefix(name)?.strip_prefix('.')?.to_owned();
        Some((ending, entry.path()))
    });
    let is_ours = |path: &Path| fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(MARK));
    // pre-commit names no ending in its hook: its program knows it.
    let is_pre_commit = text.contains("pre-commit");
    let is_run = |ending: &str| text.contains(&format!(".{ending}")) || ending == "legacy" && is_pre_commit;
    beside.filter(|(ending, _)| is_run(ending)).any(|(_, path)| is_ours(&path))
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ASIDE);
    PathBuf::from(name)
}

/// Runs the other hook first. Whatever becomes of ours, its exit code is the answer, also when another tool added lines.
///
/// A script for `sh` is read by a shell that has the name of the hook; others can't be told another name than their file's. The
/// folder is taken from `$0`, the name is not: a tool that puts itself in front of ours moves it to another.
fn script(name: &str, has_input: bool, program: &Path) -> String {
    let program = shell_word(program.as_os_str().as_encoded_bytes());
    let for_sh = FOR_SH.map(|line| format!("'{line}'")).join(" | ");
    // The other hook has the input, and so has what follows ours. The `x` keeps line breaks at the end.
    let (take, give, back) = match has_input {
        true => (
            "  input=$(cat; printf x)\n  input=${input%x}\n",
            "printf %s \"$input\" | ",
            "exec <<ALIGNWATCH\n${input%?}\nALIGNWATCH\n",
        ),
        false => ("", "", ""),
    };
    format!(
        "#!/bin/sh\n{MARK}\nhook=${{0%/*}}/{name}\nother=$hook{ASIDE}\ncode=0\n\
         # pre-commit, installed again, runs ours; it refuses to be run by that once more.\n\
         [ -n \"$PRE_COMMIT_RUNNING_LEGACY\" ] && grep -q 'File generated by pre-commit' \"$other\" 2>/dev/null && other=\n\
         if [ -x \"$other\" ]; then\n\
         {take}\x20 read -r first <\"$other\"\n\
         \x20 case $first in\n\
         \x20 {for_sh}) {give}sh -c '. \"$0{ASIDE}\"' \"$hook\" \"$@\" ;;\n\
         \x20 *) {give}\"$other\" \"$@\" ;;\n\
         \x20 esac\n\
         \x20 code=$?\n\
         {back}fi\n\
         {program} hooks report {name} \"$@\" </dev/null >/dev/null 2>&1\n\
         trap \"exit $code\" EXIT\n\
         # What git-branchless added to the other hook, too, ran there.\n\
         [ -x \"$other\" ] && grep -q '^## START BRANCHLESS CONFIG' \"$other\" && exit\n\
         {END}\n"
    )
}

/// Another file takes the place of the one that is there: there is no half of a hook at any moment.
fn put(path: &Path, text: &str) -> Result<(), HookError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".alignwatch-draft");
    let draft = PathBuf::from(draft);
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o755).open(&draft)?;
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().map_err(failed("write", path))
}

fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HookError + use<> {
    let path = path.to_owned();
    move |source| HookError::Io { act, path, source }
}

#[cfg(test)]
mod tests {
    use alignwatch_testkit::{Repo, sketch};

    use super::*;
    use crate::repository::open;

    fn repo() -> Repo {
        sketch("main: a b\n topic: a x").worktree().draw()
    }

    /// A program that writes down what it was called with.
    fn recorder(repo: &Repo) -> PathBuf {
        let path = repo.room().join("a program");
        let log = repo.room().join("log");
        let text = format!("#!/bin/sh\nprintf '%s ' \"$@\" >> '{0}'\ncat >> '{0}'\nexit 9\n", log.display());
        put(&path, &text).unwrap();
        path
    }

    fn log(repo: &Repo) -> String {
        fs::read_to_string(repo.room().join("log")).unwrap_or_default()
    }

    fn whose(opened: &Opened) -> Vec<Whose> {
        hooks(opened).unwrap().into_iter().map(|hook| hook.whose).collect()
    }

    #[test]
    fn hooks_report_a_merge_and_a_rebase_and_fail_nobody() {
        let repo = repo();
        let opened = open(repo.path()).unwrap();
        assert_eq!(whose(&opened), [Whose::Nobody; 2]);
        install(&opened, &recorder(&repo)).unwrap();
        assert_eq!(whose(&opened), [Whose::Ours; 2]);
        repo.git(["checkout", "-q", "topic"]);
        repo.git(["rebase", "-q", "main"]);
        let told = log(&repo);
        assert_eq!(told, "hooks report post-rewrite rebase ");
        repo.git(["checkout", "-q", "main"]);
        repo.git(["merge", "-q", "--no-ff", "topic"]);
        assert!(log(&repo).contains("hooks report post-merge 0 "), "{}", log(&repo));
        assert_eq!(whose(&opened), [Whose::Ours; 2]);
        remove(&opened).unwrap();
        assert_eq!(whose(&opened), [Whose::Nobody; 2]);
    }

    #[test]
    fn a_hook_that_is_there_runs_first_with_its_input_and_its_code_and_comes_back_as_it_was() {
        let repo = repo();
        let opened = open(repo.path()).unwrap();
        let path = opened.common_dir.join("hooks/post-rewrite");
        let seen = repo.room().join("seen");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = format!("#!/bin/sh\ncat > '{}'\nexit 3\n", seen.display());
        put(&path, &text).unwrap();
        install(&opened, &recorder(&repo)).unwrap();
        install(&opened, &recorder(&repo)).unwrap();
        assert_eq!(whose(&opened), [Whose::Ours, Whose::OursAndAnother], "twice is once");
        let ended = std::process::Command::new(&path)
            .arg("rebase")
            .stdin(fs::File::open(input(&repo)).unwrap())
            .status()
            .unwrap();
        assert_eq!(ended.code(), Some(3));
        assert_eq!(fs::read_to_string(&seen).unwrap(), "a b\nc d\n\n");
        assert!(log(&repo).ends_with("rebase "), "{}", log(&repo));
        remove(&opened).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_hook_of_ours_that_another_tool_runs_is_known_and_not_put_there_twice() {
        let repo = repo();
        let opened = open(repo.path()).unwrap();
        let path = opened.common_dir.join("hooks/post-merge");
        install(&opened, &recorder(&repo)).unwrap();
        // As pre-commit does it: the hook names its program only, which looks for `.legacy`.
        fs::rename(&path, path.with_extension("legacy")).unwrap();
        put(&path, "#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\nexec pre-commit hook-impl \"$@\"\n").unwrap();
        assert_eq!(whose(&opened), [Whose::AnotherAndOurs, Whose::Ours]);
        put(&path, "#!/bin/sh\n. \"$(dirname \"$0\")/_/husky.sh\"\n").unwrap();
        assert_eq!(whose(&opened)[0], Whose::Another, "it runs no other hook");
        put(&path, "#!/bin/sh\n\"$0.legacy\" \"$@\"\n").unwrap();
        assert_eq!(whose(&opened), [Whose::AnotherAndOurs, Whose::Ours]);
        install(&opened, &recorder(&repo)).unwrap();
        assert_eq!(whose(&opened), [Whose::AnotherAndOurs, Whose::Ours]);
        repo.git(["merge", "-q", "--no-ff", "topic"]);
        assert_eq!(log(&repo).matches("post-merge").count(), 1, "{}", log(&repo));
        // A line that somebody added to a hook of their own.
        put(&path, "#!/bin/sh\nalignwatch hooks report post-merge \"$@\" </dev/null >/dev/null 2>&1 || :\n").unwrap();
        fs::remove_file(path.with_extension("legacy")).unwrap();
        assert_eq!(whose(&opened)[0], Whose::AnotherAndOurs);
        put(&path, "#!/bin/sh\n# hooks report post-merge\n").unwrap();
        assert_eq!(whose(&opened)[0], Whose::Another);
    }

    /// A line that writes down that it ran, by which name, and what it was given.
    fn noting(repo: &Repo, who: &str) -> String {
        format!("printf '{who} %s %s: ' \"$0\" \"$*\" >> '{0}'; cat >> '{0}'", repo.room().join("seen").display())
    }

    fn noted(repo: &Repo) -> String {
        fs::read_to_string(repo.room().join("seen")).unwrap_or_default()
    }

    fn run(repo: &Repo, path: &Path) -> Option<i32> {
        let _ = fs::remove_file(repo.room().join("seen"));
        let _ = fs::remove_file(repo.room().join("log"));
        let input = fs::File::open(input(repo)).unwrap();
        std::process::Command::new(path).arg("rebase").stdin(input).status().unwrap().code()
    }

    /// The block of git-branchless, between the lines by which it finds it again.
    fn block(repo: &Repo) -> String {
        format!("## START BRANCHLESS CONFIG\n\n{}\n## END BRANCHLESS CONFIG\n", noting(repo, "branchless"))
    }

    #[test]
    fn lines_that_branchless_adds_behind_ours_run_with_the_input_and_stay_when_ours_goes() {
        let repo = repo();
        let opened = open(repo.path()).unwrap();
        install(&opened, &recorder(&repo)).unwrap();
        let path = opened.common_dir.join("hooks/post-rewrite");
        let ours = fs::read_to_string(&path).unwrap();
        // As `git branchless init` does it where it finds a hook without its lines.
        put(&path, &(ours.clone() + &block(&repo))).unwrap();
        assert_eq!(whose(&opened), [Whose::Ours, Whose::OursAndAnother]);
        assert_eq!(run(&repo, &path), Some(0));
        assert!(noted(&repo).ends_with("rebase: a b\nc d\n\n"), "{}", noted(&repo));
        assert_eq!(log(&repo), "hooks report post-rewrite rebase ");
        install(&opened, &recorder(&repo)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), ours + &block(&repo), "twice is once");
        remove(&opened).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("#!/bin/sh\n{}", block(&repo)));
    }

    #[test]
    fn branchless_that_was_there_before_and_adds_its_lines_again_runs_once() {
        let repo = repo();
        let opened = open(repo.path()).unwrap();
        let path = opened.common_dir.join("hooks/post-rewrite");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let before = format!("#!/bin/sh\n{}", block(&repo));
        put(&path, &before).unwrap();
        install(&opened, &recorder(&repo)).unwrap();
        put(&path, &(fs::read_to_string(&path).unwrap() + &block(&repo))).unwrap();
        assert_eq!(run(&repo, &path), Some(0));
        assert_eq!(noted(&repo).matches("branchless").count(), 1, "{}", noted(&repo));
        remove(&opened).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }

    #[test]
    fn a_hook_that_finds_its_script_by_its_own_name_still_finds_it() {
        let repo = repo();
        repo.git(["config", "core.hooksPath", ".husky/_"]);
        let (husky, mine) = (repo.path().join(".husky/_"), repo.path().join(".husky/post-rewrite"));
        fs::create_dir_all(&husky).unwrap();
        fs::write(husky.join(".gitignore"), "*\n").unwrap();
        // As husky has it: all hooks are the same two lines, and what they read runs the script of the same name one folder up.
        let found = "s=$(dirname \"$(dirname \"$0\")\")/$(basename \"$0\")\n[ ! -f \"$s\" ] && exit 0\nsh -e \"$s\" \"$@\"\nexit $?\n";
        fs::write(husky.join("h"), found).unwrap();
        let hook = "#!/usr/bin/env sh\n. \"${0%/*}/h\"";
        put(&husky.join("post-rewrite"), hook).unwrap();
        fs::write(&mine, noting(&repo, "mine") + "; exit 7\n").unwrap();
        let opened = open(repo.path()).unwrap();
        let path = husky.join("post-rewrite");
        install(&opened, &recorder(&repo)).unwrap();
        assert_eq!(run(&repo, &path), Some(7), "its code counts");
        assert!(noted(&repo).starts_with("mine ") && noted(&repo).ends_with("a b\nc d\n\n"), "{}", noted(&repo));
        assert!(log(&repo).contains("post-rewrite"), "{}", log(&repo));
        // It is installed again, and writes its hooks over ours.
        put(&path, hook).unwrap();
        assert_eq!(whose(&opened)[1], Whose::Another);
        install(&opened, &recorder(&repo)).unwrap();
        assert_eq!(whose(&opened)[1], Whose::OursAndAnother);
        remove(&opened).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), hook);
    }

    #[test]
    fn what_ours_ran_first_runs_also_when_another_tool_moved_ours_to_another_name() {
        let repo = repo();
        let opened = open(repo.path()).unwrap();
        let path = opened.common_dir.join("hooks/post-rewrite");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        put(&path, &format!("#!/bin/bash\n{}\n", noting(&repo, "mine"))).unwrap();
        install(&opened, &recorder(&repo)).unwrap();
        fs::rename(&path, path.with_extension("legacy")).unwrap();
        // As pre-commit runs what it found, which it gives no input.
        put(&path, "#!/bin/sh\n# pre-commit\n\"$0.legacy\" \"$@\" </dev/null\n").unwrap();
        assert_eq!(run(&repo, &path), Some(0));
        assert!(noted(&repo).starts_with("mine "), "{}", noted(&repo));
        assert!(log(&repo).contains("post-rewrite"), "{}", log(&repo));
        assert_eq!(whose(&opened), [Whose::Ours, Whose::AnotherAndOurs]);
    }

    fn input(repo: &Repo) -> PathBuf {
        let path = repo.room().join("input");
        fs::write(&path, "a b\nc d\n\n").unwrap();
        path
    }

    #[test]
    fn a_folder_of_hooks_that_is_committed_is_left_alone_and_one_that_a_tool_made_is_used() {
        let repo = repo();
        repo.git(["config", "core.hooksPath", ".githooks"]);
        let opened = open(repo.path()).unwrap();
        assert!(matches!(install(&opened, &recorder(&repo)), Err(HookError::Tracked(_))));
        assert!(!repo.path().join(".githooks").exists());
        repo.git(["config", "core.hooksPath", ".husky/_"]);
        let husky = repo.path().join(".husky/_");
        fs::create_dir_all(&husky).unwrap();
        fs::write(husky.join(".gitignore"), "*\n").unwrap();
        let opened = open(repo.path()).unwrap();
        install(&opened, &recorder(&repo)).unwrap();
        repo.git(["merge", "-q", "--no-ff", "topic"]);
        assert!(log(&repo).contains("post-merge"), "{}", log(&repo));
        assert_eq!(repo.git(["status", "--porcelain"]), "");
    }
}
