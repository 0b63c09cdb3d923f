//! Who works in a repository on this machine just now, as far as `/proc` tells. See proc(5).
//!
//! A process counts when its folder, its `GIT_DIR` or one of its arguments lies
//! in the repository or in one of its worktrees. What cannot be seen (processes
//! of other users, in other containers, on other machines) is told, so that
//! nobody takes "I see none" for "there is none".

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use alignwatch_model::Timestamp;

/// Clock ticks in a second, in which start times are told. Source: `USER_HZ`, 100 on all that matters.
const TICKS_PER_SECOND: i64 = 100;

/// Number of the namespace in which all processes of a machine are seen. Source: `PROC_PID_INIT_INO` of Linux.
const WHOLE_MACHINE: &str = "pid:[4026531836]";

/// Longest list of arguments or environment that is read of a process.
const ARGUMENTS_BYTES: u64 = 256 << 10;

/// Programs that only run others: what they run is seen by itself.
const SHELLS: [&str; 14] =
    ["sh", "bash", "dash", "zsh", "fish", "ksh", "tcsh", "nu", "pwsh", "tmux", "screen", "sshd", "login", "su"];

/// Long-lived git processes that never hold a lock.
const ONLY_READ: [&str; 4] = ["cat-file", "fsmonitor--daemon", "credential-cache--daemon", "daemon"];

/// The processes of this machine.
#[derive(Clone, Debug)]
pub(crate) struct Processes {
    proc: PathBuf,
}

/// A process that works in the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Worker {
    pub(crate) pid: u32,
    /// Its short name, as text.
    pub(crate) name: String,
    pub(crate) is_git: bool,
    /// When it started, where that is known.
    pub(crate) started_at: Option<Timestamp>,
}

/// Who works in a repository, and what could not be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) workers: Vec<Worker>,
    /// Why there may be others, as a sentence part.
    pub(crate) unseen: Option<String>,
}

/// Is a process there?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It is, and it is a git.
    Git,
    /// It is, and it is something else: the number was given to another one.
    Other(String),
    /// It is not.
    Dead,
    /// It cannot be told from here.
    Unknown(String),
}

impl Processes {
    pub(crate) fn of_this_machine() -> Processes {
        Processes::below(Path::new("/proc"))
    }

    pub(crate) fn below(proc: &Path) -> Processes {
        Processes { proc: proc.to_owned() }
    }

    /// The name of this machine, as git writes it into `gc.pid`.
    pub(crate) fn host_name(&self) -> Option<String> {
        let name = fs::read_to_string(self.proc.join("sys/kernel/hostname")).ok()?;
        Some(name.trim().to_owned())
    }

    /// Is the process with this number there?
    pub(crate) fn life_of(&self, pid: u32) -> Life {
        match (self.name(pid), self.cannot_see_all()) {
            (Some(name), _) if is_git(&name) => Life::Git,
            (Some(name), _) => Life::Other(name),
            (None, Some(reason)) => Life::Unknown(reason),
            (None, None) => Life::Dead,
        }
    }

    /// The processes that work at one of these places, without ourselves and the shells.
    pub(crate) fn at_work(&self, places: &[PathBuf]) -> Work {
        let mut work = Work { unseen: self.cannot_see_all(), ..Work::default() };
        let entries = match fs::read_dir(&self.proc) {
            Ok(entries) => entries,
            Err(error) => return Work { unseen: Some(format!("cannot list processes: {error}")), ..work },
        };
        let own = std::process::id();
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        for pid in pids.filter(|&pid: &u32| pid != own) {
            self.look_at(pid, places, &mut work);
        }
        work.workers.sort_by_key(|worker| (!worker.is_git, worker.pid));
        work
    }

    /// The processes at one of these places that `known` knows by name and arguments, with what it calls them; without
    /// ourselves and those that we run below. Who can't be seen is not told.
    pub(crate) fn programs(
        &self,
        places: &[PathBuf],
        known: &dyn Fn(&str, &[Vec<u8>]) -> Option<&'static str>,
    ) -> Vec<(Worker, &'static str)> {
        let Ok(entries) = fs::read_dir(&self.proc) else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let known_here = |pid: u32| {
            let (name, arguments) = (self.name(pid)?, self.list(pid, "cmdline"));
            let called = known(&name, &arguments)?;
            let folder = fs::read_link(self.file(pid, "cwd")).ok()?;
            let is_here = self.is_at(pid, &folder, &arguments, places);
            is_here.then(|| (Worker { pid, is_git: is_git(&name), started_at: self.started_at(pid), name }, called))
        };
        let mut found: Vec<_> = pids.filter_map(known_here).collect();
        if !found.is_empty() {
            let above = self.above_us();
            found.retain(|(worker, _)| !above.contains(&worker.pid));
        }
        found.sort_by_key(|(worker, _)| worker.pid);
        found
    }

    /// This process and those that started it.
    fn above_us(&self) -> Vec<u32> {
        /// Source: ours; a shell in a shell in a tool has a handful.
        const AT_MOST: usize = 64;
        let parent = |pid: &u32| self.parent(*pid).filter(|parent| *parent != 0);
        std::iter::successors(Some(std::process::id()), parent).take(AT_MOST).collect()
    }

    /// Field 4, counted behind the name, which may hold brackets.
    fn parent(&self, pid: u32) -> Option<u32> {
        let stat = fs::read_to_string(self.file(pid, "stat")).ok()?;
        stat[stat.rfind(')')? + 1..].split_whitespace().nth(1)?.parse().ok()
    }

    /// Processes end while we look: one that vanishes holds nothing any more.
    fn look_at(&self, pid: u32, places: &[PathBuf], work: &mut Work) {
        let Some(name) = self.name(pid) else { return };
        if SHELLS.contains(&name.trim_start_matches('-')) {
            return;
        }
        let is_git = is_git(&name);
        let arguments = self.list(pid, "cmdline");
        if is_git && arguments.iter().any(|argument| ONLY_READ.iter().any(|command| argument == command.as_bytes())) {
            return;
        }
        match fs::read_link(self.file(pid, "cwd")) {
            Ok(folder) if self.is_at(pid, &folder, &arguments, places) => {
                work.workers.push(Worker { pid, is_git, started_at: self.started_at(pid), name });
            }
            Ok(_) if is_git && self.is_elsewhere(pid) => {
                work.unseen = Some(format!("process {pid} ({name}) runs in another container"));
            }
            // It is ending: it has let go of its folder already.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) if is_git && self.name(pid).is_some() => {
                work.unseen = Some(format!("process {pid} ({name}) of another user cannot be looked into"));
            }
            _ => {}
        }
    }

    /// Does its folder, its `GIT_DIR` or an argument lie at one of the places?
    fn is_at(&self, pid: u32, folder: &Path, arguments: &[Vec<u8>], places: &[PathBuf]) -> bool {
        let is_place = |path: &Path| {
            let path = folder.join(path);
            places.iter().any(|place| path.starts_with(place))
        };
        let named = |text: &[u8]| is_place(Path::new(OsStr::from_bytes(text)));
        let in_environment = |variable: &Vec<u8>| {
            [&b"GIT_DIR="[..], b"GIT_WORK_TREE=", b"GIT_COMMON_DIR="]
                .iter()
                .any(|name| variable.strip_prefix(*name).is_some_and(named))
        };
        let in_arguments = |argument: &Vec<u8>| {
            let value = argument.strip_prefix(b"--git-dir=").unwrap_or(argument);
            value.starts_with(b"/") && named(value)
        };
        is_place(Path::new(""))
            || arguments.iter().any(in_arguments)
            || self.list(pid, "environ").iter().any(in_environment)
    }

    /// Another mount namespace names the same folders differently.
    fn is_elsewhere(&self, pid: u32) -> bool {
        let theirs = fs::read_link(self.file(pid, "ns/mnt"));
        let ours = fs::read_link(self.proc.join("self/ns/mnt"));
        matches!((theirs, ours), (Ok(theirs), Ok(ours)) if theirs != ours)
    }

    /// Why processes of this machine may be hidden from us, if so.
    fn cannot_see_all(&self) -> Option<String> {
        match fs::read_link(self.proc.join("self/ns/pid")) {
            Err(error) => Some(format!("cannot tell which processes are seen here: {error}")),
            Ok(space) if space.as_os_str() != WHOLE_MACHINE => {
                Some("only the processes of this container are seen".to_owned())
            }
            // The first process is everybody's; with `hidepid` it is not shown to others.
            Ok(_) if self.name(1).is_none() => Some("processes of other users are hidden".to_owned()),
            Ok(_) => None,
        }
    }

    fn file(&self, pid: u32, name: &str) -> PathBuf {
        self.proc.join(pid.to_string()).join(name)
    }

    fn name(&self, pid: u32) -> Option<String> {
        let name = fs::read(self.file(pid, "comm")).ok()?;
        Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
    }

    /// A list whose parts end with NUL; empty when it cannot be read.
    fn list(&self, pid: u32, name: &str) -> Vec<Vec<u8>> {
        let content = crate::files::read_beginning(&self.file(pid, name), ARGUMENTS_BYTES);
        let content = content.ok().flatten().unwrap_or_default();
        content.split(|&byte| byte == 0).filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
    }

    /// Boot time and the ticks from then on: field 22, counted behind the name, which may hold brackets.
    fn started_at(&self, pid: u32) -> Option<Timestamp> {
        let stat = fs::read_to_string(self.file(pid, "stat")).ok()?;
        let ticks: i64 = stat[stat.rfind(')')? + 1..].split_whitespace().nth(19)?.parse().ok()?;
        let machine = fs::read_to_string(self.proc.join("stat")).ok()?;
        let booted_at: i64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Some(Timestamp(booted_at.checked_add(ticks / TICKS_PER_SECOND)?))
    }
}

/// `git`, and helpers such as `git-remote-http`. Names are cut after fifteen bytes.
fn is_git(name: &str) -> bool {
    name == "git" || name.starts_with("git-")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A `/proc` of our own: no process but the first.
    pub(crate) struct FakeProc {
        folder: tempfile::TempDir,
    }

    impl FakeProc {
        pub(crate) fn new() -> FakeProc {
            let fake = FakeProc { folder: tempfile::tempdir().unwrap() };
            fake.write("sys/kernel/hostname", "here\n");
            fake.write("stat", "cpu 1 2 3 4\nbtime 1000\n");
            fake.see_all(true);
            fake.add(1, "init", "/", 0);
            fake
        }

        pub(crate) fn processes(&self) -> Processes {
            Processes::below(self.folder.path())
        }

        /// A process with this name and folder that started so many seconds after 1000.
        pub(crate) fn add(&self, pid: u32, name: &str, cwd: impl AsRef<Path>, started: i64) {
            self.write(&format!("{pid}/comm"), &format!("{name}\n"));
            let fields = (4..22).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
            self.write(&format!("{pid}/stat"), &format!("{pid} ({name}) S {fields} {} 0", started * 100));
            symlink(cwd, self.folder.path().join(format!("{pid}/cwd"))).unwrap();
        }

        /// A process that this one started.
        pub(crate) fn born(&self, pid: u32, parent: u32, name: &str) {
            self.write(&format!("{pid}/comm"), &format!("{name}\n"));
            self.write(&format!("{pid}/stat"), &format!("{pid} ({name}) S {parent} 0 0"));
        }

        pub(crate) fn write(&self, path: &str, content: &str) {
            let path = self.folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }

        pub(crate) fn see_all(&self, all: bool) {
            let space = self.folder.path().join("self/ns/pid");
            fs::create_dir_all(space.parent().unwrap()).unwrap();
            fs::remove_file(&space).ok();
            symlink(if all { WHOLE_MACHINE } else { "pid:[4026532000]" }, space).unwrap();
        }
    }

    fn at_work(fake: &FakeProc) -> Vec<u32> {
        fake.processes().at_work(&["/repo".into()]).workers.iter().map(|worker| worker.pid).collect()
    }

    #[test]
    fn folder_environment_and_arguments_tell_who_works_here() {
        let fake = FakeProc::new();
        fake.add(10, "git", "/repo/src", 5);
        fake.add(11, "git", "/", 5);
        fake.write("11/environ", "A=b\0GIT_DIR=/repo/.git\0");
        fake.add(12, "git-upload-pack", "/", 5);
        fake.write("12/cmdline", "git-upload-pack\0/repo/.git\0");
        fake.add(13, "git", "/", 5);
        fake.write("13/cmdline", "git\0--git-dir=/repo/.git\0gc\0");
        fake.add(14, "node", "/repo", 5);
        fake.add(20, "git", "/repository", 5);
        fake.add(21, "git", "/", 5);
        assert_eq!(at_work(&fake), [10, 11, 12, 13, 14]);
        let work = fake.processes().at_work(&["/repo".into()]);
        assert_eq!(work.workers[0].started_at, Some(Timestamp(1005)));
        assert!(!work.workers[4].is_git);
        assert_eq!(work.unseen, None);
    }

    #[test]
    fn shells_and_readers_hold_nothing() {
        let fake = FakeProc::new();
        fake.add(10, "bash", "/repo", 5);
        fake.add(11, "-zsh", "/repo", 5);
        fake.add(12, "git", "/repo", 5);
        fake.write("12/cmdline", "git\0cat-file\0--batch\0");
        assert_eq!(at_work(&fake), [0; 0]);
    }

    #[test]
    fn what_cannot_be_seen_is_told() {
        let unseen = |fake: &FakeProc| fake.processes().at_work(&["/repo".into()]).unseen.unwrap();
        let container = FakeProc::new();
        container.see_all(false);
        assert!(unseen(&container).contains("container"));
        let other_user = FakeProc::new();
        other_user.write("30/comm", "git\n");
        other_user.write("30/cwd", "no link that could be read");
        assert!(unseen(&other_user).contains("cannot be looked into"));
        let nothing = Processes::below(Path::new("/nonexistent"));
        assert!(nothing.at_work(&[]).unseen.is_some());
    }

    #[test]
    fn a_number_alone_is_no_life() {
        let fake = FakeProc::new();
        fake.add(10, "git", "/", 5);
        fake.add(11, "vim", "/", 5);
        let processes = fake.processes();
        assert_eq!(processes.life_of(10), Life::Git);
        assert_eq!(processes.life_of(11), Life::Other("vim".into()));
        assert_eq!(processes.life_of(12), Life::Dead);
        fake.see_all(false);
        assert!(matches!(processes.life_of(12), Life::Unknown(_)));
    }
}
