//! A repository, a data directory, and a hand that runs tasks.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::SystemTime,
};

use alignwatch_git::{run::Git, stop::Stop};
use alignwatch_model::{
    Known, Timestamp,
    config::Config,
    facts::runs::Runs,
    task::{Came, Hold, Plan, Report},
};
use alignwatch_tasks::{
    by_id,
    conduct::{self, Around, Done},
    journal::{Journal, Said},
};
use alignwatch_testkit::{Repo, sketch};
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) repo: Repo,
    pub(crate) data: TempDir,
    pub(crate) config: Config,
    pub(crate) git: Git,
    /// The alignment runs that are recorded of it.
    pub(crate) runs: Runs,
    /// Seconds by which its clock is ahead.
    pub(crate) ahead: i64,
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp(since.as_secs() as i64)
}

impl World {
    pub(crate) fn new() -> World {
        World::of(sketch("main: a b c d\n topic: b x y\n other: a z").worktree().draw())
    }

    pub(crate) fn of(repo: Repo) -> World {
        World {
            repo,
            data: tempfile::tempdir().unwrap(),
            config: Config::default(),
            git: Git::find().unwrap(),
            runs: Known::Seen(Vec::new()),
            ahead: 0,
        }
    }

    /// One with everything that keeps an object in use: a stash, a reflog, an index, a detached linked worktree.
    pub(crate) fn messy() -> World {
        let world = World::new();
        let repo = &world.repo;
        repo.git(["config", "user.name", "A"]);
        repo.git(["config", "user.email", "a@example.org"]);
        for nth in 0..3 {
            for file in 0..60 {
                fs::write(repo.path().join(format!("file-{nth}-{file}")), format!("{nth} {file}\n")).unwrap();
            }
            repo.git(["add", "."]);
            repo.git(["commit", "-qm", "more"]);
            repo.git(["repack", "-dq"]);
        }
        fs::write(repo.path().join("file-0-0"), "stashed\n").unwrap();
        repo.git(["stash", "-q"]);
        fs::write(repo.path().join("file-0-0"), "stashed again\n").unwrap();
        repo.git(["stash", "-q"]);
        repo.git(["commit", "-q", "--allow-empty", "-m", "only in the reflog"]);
        repo.git(["reset", "-q", "--hard", "HEAD~1"]);
        let linked = repo.room().join("linked");
        repo.git(["worktree", "add", "-q", "--detach", linked.to_str().unwrap(), "topic"]);
        alignwatch_testkit::git(&linked, ["commit", "-q", "--allow-empty", "-m", "only in a worktree"]);
        fs::write(linked.join("new"), "only in an index\n").unwrap();
        alignwatch_testkit::git(&linked, ["add", "new"]);
        for nth in 0..1_100 {
            fs::write(repo.path().join(format!("loose-{nth}")), format!("loose {nth}\n")).unwrap();
        }
        repo.git(["add", "."]);
        repo.git(["commit", "-qm", "many loose ones"]);
        for nth in 0..20 {
            repo.git(["branch", &format!("loose/{nth}")]);
        }
        world
    }

    pub(crate) fn around<T>(&self, act: impl FnOnce(&Around<'_>) -> T) -> T {
        let runs = |_: &str| self.runs.clone();
        act(&Around {
            path: self.repo.path(),
            config: &self.config,
            data_dir: self.data.path(),
            git: &self.git,
            now: &|| Timestamp(now().0 + self.ahead),
            runs: &runs,
            stop: &Stop::default(),
            tell: &|_| {},
        })
    }

    pub(crate) fn plan(&self, task: &str) -> (Plan, Option<Hold>) {
        self.around(|around| conduct::plan(by_id(task).unwrap(), around)).unwrap()
    }

    pub(crate) fn done(&self, task: &str) -> Done {
        self.around(|around| conduct::run(by_id(task).unwrap(), around, false)).unwrap()
    }

    pub(crate) fn run(&self, task: &str) -> Report {
        self.done(task).report
    }

    pub(crate) fn forced(&self, task: &str) -> Report {
        self.around(|around| conduct::run(by_id(task).unwrap(), around, true)).unwrap().report
    }

    pub(crate) fn came(&self, task: &str) -> Came {
        self.run(task).result
    }

    pub(crate) fn journal(&self) -> Arc<Said> {
        Journal::of(self.data.path()).read().unwrap()
    }

    /// Every object in use, as git lists them.
    pub(crate) fn objects(&self) -> BTreeSet<String> {
        let listed =
            self.repo.git(["rev-list", "--objects", "--no-object-names", "--all", "--reflog", "--indexed-objects"]);
        listed.lines().map(str::to_owned).collect()
    }

    /// Git finds nothing wrong.
    pub(crate) fn assert_sound(&self) {
        let fsck = self.repo.git_output(["fsck", "--full", "--no-dangling", "--no-progress"]);
        assert!(fsck.status.success(), "{}", String::from_utf8_lossy(&fsck.stderr));
    }

    pub(crate) fn count(&self, what: &str) -> u64 {
        let counted = self.repo.git(["count-objects", "-v"]);
        let line = counted.lines().find_map(|line| line.strip_prefix(&format!("{what}: ")).map(str::to_owned));
        line.unwrap().parse().unwrap()
    }

    /// A git that runs `script` with `$real` as the true one and the words of the call.
    pub(crate) fn with_fake_git(&mut self, script: &str) {
        let real = self.git.program().to_owned();
        let path = self.data.path().join("git");
        let text = format!("#!/bin/sh\nreal='{}'\n{script}\n", real.display());
        fs::write(&path, text).unwrap();
        make_executable(&path);
        self.git = Git::at_program(&path).unwrap();
    }

    pub(crate) fn oid_of(&self, branch: &str) -> String {
        self.repo.git(["rev-parse", branch])
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.repo.git_dir().join("quarantine")
    }
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    // A file that another thread forked with open for writing cannot be started; wait for that to be over.
    for _ in 0..1_000 {
        let mut command = std::process::Command::new(path);
        match command.arg("version").stdout(Stdio::null()).status() {
            Ok(_) => return,
            Err(_) => std::thread::yield_now(),
        }
    }
}
