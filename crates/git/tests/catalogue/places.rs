//! Format, settings, locks, worktrees, remotes, the machine, and what is recorded.

use alignwatch_model::{
    HostSample, Known, Severity, Snapshot, Timestamp,
    facts::{
        runs::{Brief, Ended, Process},
        tasks::LastRun,
    },
    host::{FileSystem, Load, Memory, Room},
    run::{Outcome, RunId},
    snapshot::{GitBug, GitPart},
    task::Came,
};

use super::{Case, made, set};

/// A remote, and no trace of when it was asked.
const NEVER_FETCHED: &str = "git remote add origin /nowhere; mkdir .git/FETCH_HEAD";

/// The folder of worktrees is none.
const NO_WORKTREES: &str = "rm -rf .git/worktrees; ln -s worktrees .git/worktrees";

/// The index of the worktree is a folder.
const NO_INDEX: &str = "rm .git/index; ln -s index .git/index";

pub(super) const CASES: &[Case] = &[
    set("repository-format", |snapshot| {
        snapshot.facts.extensions = Known::Seen(vec![("refstorage".into(), "reftable".into())]);
        snapshot.repository.git_version = Known::Seen("2.41.0".into());
    }),
    made(
        "shallow-or-partial",
        "git rev-parse HEAD > .git/shallow",
        "git rev-parse --is-shallow-repository | grep true",
    ),
    set("known-bad-git", |snapshot| {
        let told = "it merges what it should not".into();
        snapshot.repository.git_bugs = vec![GitBug { touches: GitPart::Answers, told }];
    }),
    made(
        "dangerous-config",
        "git config core.fsmonitor /tmp/program",
        "git config --list --show-scope | grep core.fsmonitor",
    ),
    made("stale-lock", "touch -d '2 days ago' .git/index.lock", ""),
    made(
        "unfinished-operation",
        "git rev-parse HEAD > .git/MERGE_HEAD; touch -d '3 days ago' .git/MERGE_HEAD",
        "git status | grep -i 'merging\\|still merging\\|fix conflicts'",
    ),
    made(
        "unmerged-index",
        "o=$(git rev-parse HEAD:f); printf '100644 %s 1\\tf\\n100644 %s 2\\tf\\n100644 %s 3\\tf\\n' $o $o $o > ../stages; git rm -q --cached f; git update-index --index-info < ../stages",
        "git ls-files --unmerged",
    )
    .unread(NO_INDEX),
    set("safe-directory", |snapshot| {
        let Known::Seen(settings) = &mut snapshot.facts.settings else { panic!("settings were not seen") };
        settings.safe_directories = Known::Seen(vec!["*".into()]);
    }),
    made(
        "no-undo-net",
        "git clone -q --bare . ../bare; git -C ../bare remote remove origin",
        "test \"$(git rev-parse --is-bare-repository)\" = true && ! git config --get core.logAllRefUpdates && echo none",
    ),
    made(
        "unprotected-base",
        "git clone -q --bare . ../bare; git -C ../bare remote remove origin; git -C ../bare config receive.denyDeletes false",
        "test \"$(git rev-parse --is-bare-repository)\" = true && ! git config --get receive.denyNonFastForwards && echo none",
    ),
    made(
        "embedded-bare",
        "mkdir -p x/objects x/refs; touch x/objects/k x/refs/k; printf 'ref: refs/heads/main\\n' > x/HEAD; touch x/config; git add -f x; git commit -qm bare; rm -f x/.git",
        "git ls-tree -r --name-only HEAD | grep '/HEAD$'",
    )
    .unread("commit three d/g 3; rm -f $(loose HEAD:d)"),
    made(
        "line-end-noise",
        "printf '1\\n2\\n3\\n' > f; git commit -qam lines; printf '1\\r\\n2\\r\\n3\\r\\n' > f",
        "git status --porcelain=v2 | grep . && git diff --ignore-cr-at-eol --numstat | awk '0 < $1 + $2 { print \"real\" }' | grep -c real | grep '^0$'",
    )
    .unread("printf DIRC > .git/index"),
    made(
        "worktree-gone",
        "git worktree add -q ../w -b w; rm -r ../w",
        "git worktree list --porcelain | grep ^prunable",
    )
    .unread(NO_WORKTREES),
    made(
        "worktree-locked",
        "git worktree add -q ../w -b w; git worktree lock --reason 'agent (pid 999999999)' ../w",
        "git worktree list --porcelain | grep ^locked",
    )
    .unread(NO_WORKTREES),
    made(
        "worktree-sprawl",
        "for n in 1 2 3; do git worktree add -q ../w$n -b w$n; done",
        "git worktree list | tail -n +2",
    )
    .by("thresholds: {worktree-sprawl: 1}")
    .unread(NO_WORKTREES),
    made(
        "worktree-twice",
        "git worktree add -q -f ../w main",
        "git worktree list --porcelain | grep ^branch | sort | uniq -d",
    )
    .unread(NO_WORKTREES),
    made(
        "landed-worktree",
        "git worktree add -q ../w -b topic; (cd ../w; commit topic g 1); git merge -q --no-ff -m merge topic; echo dirty > ../w/g",
        "test -d ../w && git -C ../w status --porcelain=v2",
    )
    .unread("git worktree add -q ../w -b topic; (cd ../w; commit topic g 1); git merge -q --no-ff -m merge topic; printf DIRC > .git/worktrees/w/index"),
    made(
        "rewritten-urls",
        "git remote add origin https://example.org/x; git config remote.origin.pushurl https://example.org/y",
        "git remote get-url --push origin 2>/dev/null",
    ),
    made(
        "fetch-age",
        "git remote add origin /nowhere; echo x > .git/FETCH_HEAD; touch -d '9 days ago' .git/FETCH_HEAD",
        "",
    )
    .unread(NEVER_FETCHED),
    made(
        "remote-unreachable",
        "git remote add origin /nowhere/at/all",
        "test -z \"$(git remote)\" || git ls-remote --symref origin HEAD >/dev/null 2>&1 || echo away",
    )
    .unread("git remote add origin ssh://example.org/x"),
    made(
        "remote-default-moved",
        "git clone -q . ../other; git remote add origin $(cd ../other; pwd); git fetch -q origin; git remote set-head origin main; git -C ../other checkout -q -b trunk",
        "test -z \"$(git remote)\" || git ls-remote --symref origin HEAD | grep refs/heads/trunk",
    )
    .unread("git remote add origin ssh://example.org/x; git update-ref refs/remotes/origin/main HEAD; git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main"),
    made(
        "submodules",
        "git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,lib; git commit -qm lib",
        "git submodule status 2>&1 | grep -i 'no submodule mapping\\|^-'",
    )
    .unread("printf '[submodule \"x\\n' > .gitmodules; git add .gitmodules; git commit -qm x"),
    made(
        "lfs-objects",
        "printf '*.bin filter=lfs\\n' > .gitattributes; printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\\nsize 5\\n' > x.bin; o=$(git hash-object -w --no-filters x.bin); git update-index --add --cacheinfo 100644,$o,x.bin; git add .gitattributes; mkdir -p .git/lfs/objects/aa; git commit -qm lfs",
        "git grep -l 'git-lfs.github.com/spec/v1' HEAD",
    ),
    made(
        "git-dir-access",
        "chmod 0777 .git/hooks",
        "find .git -perm -o+w ! -type l",
    ),
    made("clock", "touch -d 'now + 3 days' .git/description", ""),
    set("room-to-repack", |snapshot| {
        let Known::Seen(site) = &mut snapshot.facts.site else { panic!("the place was not seen") };
        (site.largest_pack_bytes, site.free_bytes) = (Known::Seen(1 << 30), Known::Seen(1 << 20));
    }),
    set("file-system", |snapshot| {
        let Known::Seen(site) = &mut snapshot.facts.site else { panic!("the place was not seen") };
        site.is_network = Known::Seen(true);
    }),
    set("old-git", |snapshot| snapshot.repository.git_version = Known::Seen("2.39.5".into())),
    set("host-cpu", |snapshot| host(snapshot, |host| host.cpu_percent = Known::Seen(99.0))),
    set("host-memory", |snapshot| {
        host(snapshot, |host| host.memory = Known::Seen(Memory { total_bytes: 100, available_bytes: 1 }));
    }),
    set("host-load", |snapshot| {
        host(snapshot, |host| host.load = Known::Seen(Load { one: 0.0, five: 90.0, fifteen: 0.0, n_cpus: 2 }));
    }),
    set("host-disk", |snapshot| disk(snapshot, |disk| disk.space = Known::Seen(Room { total: 1 << 30, available: 1 }))),
    set("host-inodes", |snapshot| disk(snapshot, |disk| disk.inodes = Known::Seen(Room { total: 100, available: 1 }))),
    set("task-failed", |snapshot| last_run(snapshot, Came::Failed, 0)),
    set("task-without-effect", |snapshot| last_run(snapshot, Came::Noop, 3)),
    set("work-lost", |snapshot| {
        let losses = vec![(Severity::Critical, "refs/heads/x: 3 commits are gone".to_owned())];
        let run = Brief { losses, ..ended(snapshot, 1, 5, Outcome::Aligned, 60) };
        runs(snapshot, vec![run]);
    }),
    set("run-stuck", |snapshot| runs(snapshot, vec![begun(snapshot, 1, 30)])),
    set("run-lost", |snapshot| runs(snapshot, vec![Brief { process: Process::Gone, ..begun(snapshot, 1, 3) }])),
    set("run-missed", |snapshot| runs(snapshot, vec![ended(snapshot, 1, 50, Outcome::Aligned, 60)]))
        .by("workflows: [{name: nightly, due: 1d}]"),
    set("runs-overlap", |snapshot| {
        let other = Brief { workflow: "weekly".into(), ..begun(snapshot, 2, 1) };
        runs(snapshot, vec![begun(snapshot, 1, 1), other]);
    }),
    set("run-failed", |snapshot| runs(snapshot, vec![ended(snapshot, 1, 2, Outcome::Failed, 60)])),
    set("run-duration", |snapshot| runs(snapshot, vec![ended(snapshot, 1, 2, Outcome::Aligned, 600)]))
        .by("workflows: [{name: nightly, longest: 1m}]"),
];

/// A machine with nothing to do.
pub(super) fn quiet_machine() -> HostSample {
    let disk = FileSystem {
        role: "repository",
        path: "/".into(),
        kind: Known::Seen("ext4".into()),
        is_network: Known::Seen(false),
        space: Known::Seen(Room { total: 1 << 40, available: 1 << 39 }),
        inodes: Known::Seen(Room { total: 1_000, available: 900 }),
    };
    HostSample {
        n_samples: 5,
        span_seconds: 0.3,
        n_cpus: Known::Seen(2.0),
        cpu_percent: Known::Seen(1.0),
        memory: Known::Seen(Memory { total_bytes: 100, available_bytes: 90 }),
        load: Known::Seen(Load { one: 0.0, five: 0.0, fifteen: 0.0, n_cpus: 2 }),
        open_files: Known::Unknown("not asked".into()),
        file_systems: vec![disk],
    }
}

fn host(snapshot: &mut Snapshot, change: impl FnOnce(&mut HostSample)) {
    let mut sample = quiet_machine();
    change(&mut sample);
    snapshot.host = Known::Seen(sample);
}

fn disk(snapshot: &mut Snapshot, change: impl FnOnce(&mut FileSystem)) {
    host(snapshot, |host| change(&mut host.file_systems[0]));
}

fn runs(snapshot: &mut Snapshot, runs: Vec<Brief>) {
    snapshot.facts.runs = Known::Seen(runs);
}

fn begun(snapshot: &Snapshot, number: u8, hours_ago: i64) -> Brief {
    let began_at = Timestamp(snapshot.seen_at.0 - hours_ago * 3_600);
    Brief {
        run: RunId::from_parts(1, [number; 10]),
        workflow: "nightly".into(),
        began_at,
        heard_at: began_at,
        ended: None,
        process: Process::Unknown,
        losses: Vec::new(),
        is_unverified: false,
        operations: Vec::new(),
    }
}

fn ended(snapshot: &Snapshot, number: u8, hours_ago: i64, outcome: Outcome, seconds: i64) -> Brief {
    let run = begun(snapshot, number, hours_ago);
    let at = Timestamp(run.began_at.0 + seconds);
    let ended = Ended { at, outcome, because: "it exited 1".into(), seconds: Some(seconds as f64) };
    Brief { ended: Some(ended), heard_at: at, ..run }
}

fn last_run(snapshot: &mut Snapshot, result: Came, n_without_effect: u32) {
    let run = LastRun {
        task: "loose-objects".into(),
        id: 7,
        at: snapshot.seen_at,
        result,
        because: "it did".into(),
        is_critical: result == Came::Failed,
        took_seconds: 1.0,
        bytes_won: 0,
        succeeded_at: None,
        n_without_effect,
    };
    snapshot.facts.tasks = Known::Seen(vec![run]);
}
