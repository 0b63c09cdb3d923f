//! Finds lock files and tells whether somebody holds them. Facts only: nothing is ever removed.
//!
//! Git's locks are files without an owner, and an open descriptor is no sign: a
//! living `git commit` that waits in its editor holds `index.lock` without one.
//! So a lock is *live* when a git process works in this repository, *stale* only
//! when nobody does, it is older than its kind should get, and it did not change
//! between two looks, and *unknown* in all other cases: on a network file
//! system, in a container, beside processes that cannot be seen.
//!
//! Accepted gap: a process that changed into another folder after it took a
//! lock is not seen. Git itself never does.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use alignwatch_model::{
    Known, Span, Timestamp,
    snapshot::{Lock, LockKind, LockVerdict},
};

use crate::{
    files,
    processes::{Life, Processes, Work, Worker},
    worktrees::worktrees,
};

/// Folders inside of each other that are searched below `refs` and `logs`. A name of a ref has at most 4 KiB.
const DEPTH_AT_MOST: usize = 2048;

/// Entries that are looked at. Source: ours; four times a repository with 250,000 loose refs.
const ENTRIES_AT_MOST: usize = 1_000_000;

/// Bytes of a file that names a process which are read.
const PID_FILE_BYTES: u64 = 1 << 10;

/// How much later than its lock a process may have started and still be its holder: clocks get set.
const CLOCK_SLACK: Span = Span::minutes(1);

/// The locks of a repository, seen once. Look a second time at the end of the other work.
#[derive(Debug)]
pub struct LockWatch {
    common_dir: PathBuf,
    seen: Known<BTreeMap<PathBuf, Look>>,
    /// Places that could not be searched, with the reason.
    closed: Vec<(PathBuf, String)>,
}

/// What stays the same as long as nobody works on a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    size: u64,
    modified: (i64, i64),
    inode: (u64, u64),
}

impl LockWatch {
    /// Searches all places where Git keeps locks: below the common folder and in every worktree's own.
    pub fn first_look(common_dir: &Path) -> LockWatch {
        let mut search =
            Search { root: common_dir, seen: BTreeMap::new(), closed: Vec::new(), n_left: ENTRIES_AT_MOST };
        let seen = search.everywhere().map(|()| search.seen);
        LockWatch {
            common_dir: common_dir.to_owned(),
            seen: Known::from_result(seen.map_err(|error| format!("cannot search for locks: {error}"))),
            closed: search.closed,
        }
    }

    /// Looks again at what was found, and says of each lock that is still there whether somebody holds it.
    ///
    /// Shape: sorted by path. Processes are looked for only when there is a lock.
    pub fn second_look(self, now: Timestamp) -> Known<Vec<Lock>> {
        self.judged(now, &Processes::of_this_machine(), || is_network(&self.common_dir))
    }

    fn judged(&self, now: Timestamp, processes: &Processes, is_network: impl Fn() -> Known<bool>) -> Known<Vec<Lock>> {
        let seen = match &self.seen {
            Known::Seen(seen) => seen,
            Known::Unknown(reason) => return Known::Unknown(reason.clone()),
        };
        let mut locks: Vec<_> = self.closed.iter().map(|(path, reason)| closed(path, reason)).collect();
        if !seen.is_empty() {
            let around = Around {
                common_dir: &self.common_dir,
                now,
                work: processes.at_work(&places(&self.common_dir)),
                is_network: is_network(),
                processes,
            };
            locks.extend(seen.iter().filter_map(|(path, first)| around.judge(path, first)));
        }
        locks.sort_by(|a, b| a.path.cmp(&b.path));
        Known::Seen(locks)
    }
}

/// The search of the first look.
struct Search<'a> {
    root: &'a Path,
    seen: BTreeMap<PathBuf, Look>,
    closed: Vec<(PathBuf, String)>,
    n_left: usize,
}

/// Folders of the common folder that hold locks directly in them.
///
/// `objects`: maintenance. `objects/info`: alternates, the commit-graph. Below: its chain. `objects/pack`:
/// the multi-pack-index.
const FLAT: [&str; 5] = ["", "objects", "objects/info", "objects/info/commit-graphs", "objects/pack"];

/// Folders that hold locks at any depth.
const DEEP: [&str; 3] = ["refs", "logs", "reftable"];

impl Search<'_> {
    fn everywhere(&mut self) -> io::Result<()> {
        // Only what lies at the root must be readable; a closed folder below blinds nobody else.
        fs::read_dir(self.root)?;
        FLAT.iter().for_each(|folder| self.folder(&self.root.join(folder), 0));
        DEEP.iter().for_each(|folder| self.folder(&self.root.join(folder), DEPTH_AT_MOST));
        for worktree in worktrees(self.root)?.into_iter().filter(|worktree| worktree.is_linked) {
            self.folder(&worktree.git_dir, 0);
            DEEP.iter().for_each(|folder| self.folder(&worktree.git_dir.join(folder), DEPTH_AT_MOST));
        }
        if self.n_left == 0 {
            return Err(io::Error::other(format!("there are more than {ENTRIES_AT_MOST} files")));
        }
        Ok(())
    }

    fn folder(&mut self, start: &Path, depth: usize) {
        let mut folders = vec![(start.to_owned(), depth)];
        while let Some((folder, depth)) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if files::is_absent(&error) => continue,
                Err(error) => {
                    self.closed.push((folder, error.to_string()));
                    continue;
                }
            };
            for entry in entries.flatten() {
                self.n_left = self.n_left.saturating_sub(1);
                // Links are not followed: they may lead out of the repository, or in a circle.
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && depth > 0 && self.n_left > 0 => {
                        folders.push((entry.path(), depth - 1))
                    }
                    Ok(kind) if kind.is_file() => self.keep(entry.path()),
                    _ => {}
                }
            }
        }
    }

    /// Keeps what is a lock.
    fn keep(&mut self, path: PathBuf) {
        let is_lock = path.strip_prefix(self.root).is_ok_and(|below| kind_of(below).is_some());
        if let Some(look) = is_lock.then(|| look(&path)).flatten() {
            self.seen.insert(path, look);
        }
    }
}

/// `None` when it is not there any more.
fn look(path: &Path) -> Option<Look> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some(Look {
        size: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        inode: (metadata.dev(), metadata.ino()),
    })
}

/// What a file at this path below the common folder is a lock on, how long it may be held, and who says so; `None` for files
/// that are no locks.
fn kind_of(below: &Path) -> Option<(LockKind, (Span, &'static str))> {
    use LockKind::{Config, Index, Maintenance, Objects, Other, PackedRefs, Ref};
    const GITALY_SHORT: (Span, &str) = (Span::minutes(15), "Gitaly, which takes locks of this kind for left over then");
    const GITALY_REFS: (Span, &str) = (Span::hours(1), "Gitaly, which takes locks on refs for left over then");
    const OURS_SHORT: (Span, &str) = (Span::minutes(15), "ours; the longest that an editor waits for most people");
    const OURS: (Span, &str) = (Span::hours(1), "ours; as for locks on refs");
    const MAINTENANCE: (Span, &str) = (Span::hours(6), "ours; twice the longest task on a large repository");
    const GC: (Span, &str) = (Span::hours(12), "git gc, which then takes the lock over");
    let name = below.file_name()?.to_str().unwrap_or_default();
    let raw = below.file_name()?.as_encoded_bytes();
    let is_below = |folder: &str| below.components().any(|part| part.as_os_str() == folder);
    let is_lock = raw.ends_with(b".lock");
    match name {
        _ if is_below("refs") => is_lock.then_some((Ref, GITALY_REFS)),
        _ if is_below("logs") => is_lock.then_some((Ref, OURS)),
        "index.lock" => Some((Index, OURS_SHORT)),
        "HEAD.lock" => Some((Ref, GITALY_SHORT)),
        "config.lock" | "config.worktree.lock" => Some((Config, GITALY_SHORT)),
        "alternates.lock" | "multi-pack-index.lock" => Some((Objects, GITALY_SHORT)),
        "commit-graph.lock" | "commit-graph-chain.lock" => Some((Objects, GITALY_SHORT)),
        "tables.list.lock" => Some((Ref, OURS_SHORT)),
        "packed-refs.new" => Some((PackedRefs, GITALY_SHORT)),
        "packed-refs.lock" => Some((PackedRefs, GITALY_REFS)),
        "maintenance.lock" => Some((Maintenance, MAINTENANCE)),
        "gc.pid" => Some((Maintenance, GC)),
        "gc.pid.lock" => Some((Maintenance, OURS_SHORT)),
        // It only says who holds the lock beside it.
        _ if name.ends_with("~pid.lock") => None,
        _ => is_lock.then_some((Other, OURS)),
    }
}

/// The repository, and all folders in which somebody would stand who works on it.
fn places(common_dir: &Path) -> Vec<PathBuf> {
    let worktrees = worktrees(common_dir).unwrap_or_default();
    let mut places: Vec<_> = worktrees.into_iter().filter_map(|worktree| worktree.files).collect();
    places.push(common_dir.to_owned());
    places.into_iter().map(|place| place.canonicalize().unwrap_or(place)).collect()
}

/// A place that could not be searched is no absence of locks.
fn closed(path: &Path, reason: &str) -> Lock {
    Lock {
        path: path.display().to_string(),
        kind: LockKind::Other,
        modified_at: Timestamp::default(),
        verdict: LockVerdict::Unknown,
        because: format!("it cannot be searched: {reason}"),
        limit: None,
    }
}

/// What a lock is judged by.
struct Around<'a> {
    common_dir: &'a Path,
    now: Timestamp,
    work: Work,
    is_network: Known<bool>,
    processes: &'a Processes,
}

impl Around<'_> {
    /// `None` when the lock has gone since the first look: then somebody finished.
    fn judge(&self, path: &Path, first: &Look) -> Option<Lock> {
        let second = look(path)?;
        let modified_at = Timestamp(second.modified.0);
        let below = path.strip_prefix(self.common_dir).unwrap_or(path);
        let (kind, (limit, limit_from)) = kind_of(below)?;
        let (verdict, because) = match self.by_named_process(path) {
            Some(named) => named,
            None => self.verdict(modified_at, limit, second == *first),
        };
        Some(Lock {
            path: below.display().to_string(),
            kind,
            modified_at,
            verdict,
            because,
            limit: Some((limit, limit_from)),
        })
    }

    fn verdict(&self, modified_at: Timestamp, limit: Span, is_unchanged: bool) -> (LockVerdict, String) {
        use LockVerdict::{Live, Stale, Unknown};
        let age = self.now.since(modified_at);
        let holders: Vec<_> = self.work.workers.iter().filter(|worker| may_hold(worker, modified_at)).collect();
        match (holders.first(), &self.work.unseen, &self.is_network) {
            (Some(worker), ..) if worker.is_git => {
                (Live, format!("process {} ({}) works here", worker.pid, worker.name))
            }
            _ if !is_unchanged => (Live, "it changed while we looked".into()),
            _ if age <= limit => (Unknown, format!("it is only {age} old, and may belong to a command that goes on")),
            (Some(worker), ..) => {
                (Unknown, format!("process {} ({}) has its folder here and may hold it", worker.pid, worker.name))
            }
            (None, Some(unseen), _) => (Unknown, unseen.clone()),
            (None, None, Known::Seen(true)) => {
                (Unknown, "another machine may hold it: this is a network file system".into())
            }
            (None, None, Known::Unknown(reason)) => (Unknown, reason.clone()),
            (None, None, Known::Seen(false)) => {
                (Stale, format!("no process works here, and it did not change for {age} (limit {limit})"))
            }
        }
    }

    /// The verdict by the process that a file names: `gc.pid` itself, or `index~pid.lock` beside `index.lock`.
    fn by_named_process(&self, path: &Path) -> Option<(LockVerdict, String)> {
        use LockVerdict::{Live, Stale, Unknown};
        let (pid, host) = named_process(path)?;
        let here = self.processes.host_name();
        if let Some(host) = host.filter(|host| Some(host) != here.as_ref()) {
            return Some((Unknown, format!("it names process {pid} on another machine, `{host}`")));
        }
        if self.is_network != Known::Seen(false) && here.is_none() {
            return Some((Unknown, format!("it names process {pid}, perhaps of another machine")));
        }
        match self.processes.life_of(pid) {
            Life::Git => Some((Live, format!("process {pid}, which it names, is alive"))),
            Life::Dead => Some((Stale, format!("process {pid}, which it names, is dead"))),
            Life::Other(name) => {
                Some((Stale, format!("process {pid}, which it names, is dead: that number is `{name}` now")))
            }
            Life::Unknown(reason) => Some((Unknown, format!("it names process {pid}, and {reason}"))),
        }
    }
}

/// Whoever started after the lock was written did not write it.
fn may_hold(worker: &Worker, modified_at: Timestamp) -> bool {
    worker.started_at.is_none_or(|started| started.0 <= modified_at.0.saturating_add(CLOCK_SLACK.0))
}

/// The process, and its machine where the file names it.
fn named_process(path: &Path) -> Option<(u32, Option<String>)> {
    let name = path.file_name()?.to_str()?;
    let file = match name {
        "gc.pid" => path.to_owned(),
        _ => path.with_file_name(format!("{}~pid.lock", name.strip_suffix(".lock")?)),
    };
    let content = files::read_beginning(&file, PID_FILE_BYTES).ok()??;
    let content = String::from_utf8_lossy(&content).into_owned();
    let mut words = content.split_whitespace().filter(|word| *word != "pid");
    let pid = words.next()?.parse().ok()?;
    Some((pid, words.next().map(str::to_owned)))
}

/// Does the folder lie on a file system that other machines may work on? Source: magic numbers of statfs(2).
pub(crate) fn is_network(folder: &Path) -> Known<bool> {
    const NETWORK: [u32; 12] = [
        0x6969,      // NFS
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB 2 and 3
        0x517b,      // SMB 1
        0x0102_1997, // 9P
        0x00c3_6400, // Ceph
        0x0bd0_0bd0, // Lustre
        0x4750_4653, // GPFS
        0x5346_414f, // AFS
        0x7461_636f, // OCFS2
        0x0116_1970, // GFS2
        0x786f_4256, // VirtualBox shared folders
    ];
    const FUSE: u32 = 0x6573_5546;
    match rustix::fs::statfs(folder).map(|file_system| file_system.f_type as u32) {
        Err(error) => Known::Unknown(format!("cannot tell the file system: {error}")),
        Ok(FUSE) => Known::Unknown("the file system is FUSE, and may be a network's".into()),
        Ok(kind) => Known::Seen(NETWORK.contains(&kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processes::tests::FakeProc;
    use alignwatch_testkit::{Repo, git_command, sketch};
    use std::{
        fs::FileTimes,
        process::Stdio,
        time::{Duration, SystemTime},
    };

    /// Hours after the fake machine started, at second 1000: when the tests look.
    const NOW: Timestamp = Timestamp(1000 + 100 * 3600);

    /// Every place of a lock, and the age in minutes at which it stops being young.
    const PLACES: [(&str, i64); 20] = [
        ("index.lock", 15),
        ("HEAD.lock", 15),
        ("config.lock", 15),
        ("objects/info/alternates.lock", 15),
        ("objects/info/commit-graph.lock", 15),
        ("objects/info/commit-graphs/commit-graph-chain.lock", 15),
        ("objects/pack/multi-pack-index.lock", 15),
        ("packed-refs.new", 15),
        ("packed-refs.lock", 60),
        ("shallow.lock", 60),
        ("refs/heads/deep/er/x.lock", 60),
        ("logs/HEAD.lock", 60),
        ("logs/refs/heads/x.lock", 60),
        ("gc.pid.lock", 15),
        ("objects/maintenance.lock", 360),
        ("reftable/tables.list.lock", 15),
        ("worktrees/w/index.lock", 15),
        ("worktrees/w/HEAD.lock", 15),
        ("worktrees/w/logs/HEAD.lock", 60),
        ("ORIG_HEAD.lock", 60),
    ];

    fn repo() -> Repo {
        let repo = sketch("main: a b\n w: a").worktree().draw();
        repo.git(["worktree", "add", "--quiet", "../w", "w"]);
        repo
    }

    fn plant(repo: &Repo, path: &str, minutes_ago: i64, content: &str) {
        let path = repo.git_dir().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs((NOW.0 - 60 * minutes_ago) as u64);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    }

    fn looked(repo: &Repo, fake: &FakeProc, is_network: Known<bool>) -> Vec<Lock> {
        let watch = LockWatch::first_look(&repo.git_dir());
        watch.judged(NOW, &fake.processes(), || is_network.clone()).seen().unwrap().clone()
    }

    fn only(repo: &Repo, fake: &FakeProc) -> (LockVerdict, String) {
        let locks = looked(repo, fake, Known::Seen(false));
        let [lock] = &locks[..] else { panic!("{locks:?}") };
        (lock.verdict, lock.because.clone())
    }

    #[test]
    fn a_repository_at_rest_has_no_locks() {
        assert_eq!(looked(&repo(), &FakeProc::new(), Known::Seen(false)), []);
    }

    #[test]
    fn each_kind_is_stale_only_when_nobody_works_here_and_it_is_old() {
        for (path, limit) in PLACES {
            let (repo, idle, busy) = (repo(), FakeProc::new(), FakeProc::new());
            busy.add(10, "git", repo.path(), 5);
            plant(&repo, path, limit + 1, "");
            assert_eq!(only(&repo, &idle).0, LockVerdict::Stale, "{path}");
            assert_eq!(only(&repo, &busy).0, LockVerdict::Live, "{path}");
            assert_eq!(looked(&repo, &idle, Known::Seen(false))[0].path, path);
            plant(&repo, path, limit, "");
            assert_eq!(only(&repo, &idle).0, LockVerdict::Unknown, "{path} is young");
        }
    }

    #[test]
    fn where_others_may_work_unseen_no_lock_is_stale() {
        for (path, _) in PLACES {
            let (repo, idle, container) = (repo(), FakeProc::new(), FakeProc::new());
            container.see_all(false);
            plant(&repo, path, 5000, "");
            assert_eq!(looked(&repo, &idle, Known::Seen(true))[0].verdict, LockVerdict::Unknown, "{path} on a network");
            assert_eq!(looked(&repo, &idle, Known::Unknown("fuse".into()))[0].verdict, LockVerdict::Unknown);
            assert_eq!(only(&repo, &container).0, LockVerdict::Unknown, "{path} in a container");
        }
    }

    #[test]
    fn whoever_started_after_the_lock_does_not_hold_it() {
        let (repo, fake) = (repo(), FakeProc::new());
        plant(&repo, "index.lock", 60, "");
        fake.add(10, "git", repo.path(), 99 * 3600 + 600);
        assert_eq!(only(&repo, &fake).0, LockVerdict::Stale);
    }

    #[test]
    fn another_program_in_the_folder_leaves_it_open() {
        let (repo, fake) = (repo(), FakeProc::new());
        plant(&repo, "index.lock", 60, "");
        fake.add(10, "java", repo.path(), 5);
        let (verdict, because) = only(&repo, &fake);
        assert_eq!(
            (verdict, &*because),
            (LockVerdict::Unknown, "process 10 (java) has its folder here and may hold it")
        );
    }

    #[test]
    fn a_linked_worktree_is_a_place_to_work_in() {
        let (repo, fake) = (repo(), FakeProc::new());
        plant(&repo, "worktrees/w/index.lock", 60, "");
        fake.add(10, "git", repo.room().join("w").canonicalize().unwrap(), 5);
        assert_eq!(only(&repo, &fake).0, LockVerdict::Live);
    }

    #[test]
    fn gc_names_its_process_and_machine() {
        let verdict = |content: &str, name: Option<&str>, minutes| {
            let (repo, fake) = (repo(), FakeProc::new());
            if let Some(name) = name {
                fake.add(77, name, "/", 5);
            }
            plant(&repo, "gc.pid", minutes, content);
            only(&repo, &fake).0
        };
        assert_eq!(verdict("77 here", Some("git"), 5000), LockVerdict::Live);
        assert_eq!(verdict("77 here", None, 1), LockVerdict::Stale, "dead is dead, however young");
        assert_eq!(verdict("77 here", Some("vim"), 1), LockVerdict::Stale, "the number went to another program");
        assert_eq!(verdict("77 elsewhere", None, 5000), LockVerdict::Unknown, "another machine");
        assert_eq!(verdict("garbage", None, 60), LockVerdict::Unknown, "then by age: Git waits twelve hours");
        assert_eq!(verdict("garbage", None, 721), LockVerdict::Stale);
    }

    #[test]
    fn a_lock_beside_which_git_wrote_its_process_is_judged_by_that() {
        let (repo, fake) = (repo(), FakeProc::new());
        plant(&repo, "index.lock", 1, "");
        plant(&repo, "index~pid.lock", 1, "pid 77\n");
        assert_eq!(only(&repo, &fake).0, LockVerdict::Stale);
        fake.add(77, "git", "/", 5);
        assert_eq!(only(&repo, &fake).0, LockVerdict::Live);
    }

    #[test]
    fn a_lock_that_changes_or_goes_between_the_looks_is_not_stale() {
        let (repo, fake) = (repo(), FakeProc::new());
        for path in ["index.lock", "HEAD.lock"] {
            plant(&repo, path, 60, "");
        }
        let watch = LockWatch::first_look(&repo.git_dir());
        fs::remove_file(repo.git_dir().join("HEAD.lock")).unwrap();
        plant(&repo, "index.lock", 59, "more");
        let locks = watch.judged(NOW, &fake.processes(), || Known::Seen(false));
        let [lock] = &locks.seen().unwrap()[..] else { panic!("{locks:?}") };
        assert_eq!((&*lock.path, lock.verdict), ("index.lock", LockVerdict::Live));
    }

    #[test]
    fn files_of_an_admin_and_links_are_no_locks() {
        let (repo, fake) = (repo(), FakeProc::new());
        plant(&repo, "objects/pack/pack-1.keep", 5000, "mine");
        plant(&repo, "description.old", 5000, "");
        fs::create_dir(repo.git_dir().join("folder.lock")).unwrap();
        std::os::unix::fs::symlink("/etc", repo.git_dir().join("refs/outside")).unwrap();
        std::os::unix::fs::symlink("/etc/hosts", repo.git_dir().join("refs/x.lock")).unwrap();
        assert_eq!(looked(&repo, &fake, Known::Seen(false)), []);
    }

    #[test]
    fn what_cannot_be_searched_is_unknown() {
        let watch = LockWatch::first_look(Path::new("/nonexistent/repo"));
        assert!(watch.second_look(NOW).reason().is_some());
        let closed = closed(Path::new("/repo/refs/private"), "permission denied");
        assert_eq!(closed.verdict, LockVerdict::Unknown);
    }

    #[test]
    fn a_commit_that_waits_in_its_editor_is_live_though_it_has_no_open_descriptor() {
        if !Path::new("/proc/self/cwd").exists() {
            return;
        }
        let repo = repo();
        fs::write(repo.path().join("file"), "x").unwrap();
        repo.git(["add", "file"]);
        let started = repo.room().join("editing");
        let editor = format!("touch '{}'; read wait; false", started.display());
        let mut commit = git_command(repo.path(), ["commit", "--all"])
            .env("GIT_EDITOR", &editor)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !started.exists() {
            assert!(commit.try_wait().unwrap().is_none(), "it waits in the editor");
            std::thread::sleep(Duration::from_millis(5));
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
        let locks = LockWatch::first_look(&repo.git_dir()).second_look(Timestamp(now + 9 * 3600));
        drop(commit.stdin.take());
        commit.wait().unwrap();
        let [lock] = &locks.seen().unwrap()[..] else { panic!("{locks:?}") };
        assert_eq!((&*lock.path, lock.verdict), ("index.lock", LockVerdict::Live), "{}", lock.because);
    }

    #[test]
    fn a_file_system_in_memory_is_no_network_and_a_missing_folder_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_network(&folder.path().join("missing")).reason().is_some());
        if Path::new("/proc/self").exists() {
            assert_eq!(is_network(Path::new("/proc")), Known::Seen(false));
        }
    }
}
