//! Worktrees, settings, remotes, lines and the place a repository lies in: well, ill, and not to be read.
//!
//! Where git answers the same, its answer is compared.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{
    Known, Look, Snapshot,
    checks::{self, Judged},
    config::Config,
    facts::worktrees::Place,
};
use alignwatch_testkit::{Repo, git, git_output, sketch};

fn look_at(path: &Path, looks: &[Look], repo: &Repo, data_dir: Option<&Path>) -> Snapshot {
    let wanted = Wanted {
        base: None,
        looks: Look::with_required(looks.iter().copied()),
        paths_patience: Duration::from_secs(60),
        stop: Stop::default(),
    };
    inspect(path, &Config::default(), repo.newest_at(), data_dir, &wanted, &|_| {}).unwrap()
}

fn look(repo: &Repo, looks: &[Look]) -> Snapshot {
    look_at(repo.path(), looks, repo, None)
}

/// Status, reason and findings of one check.
fn judged(snapshot: &Snapshot, repo: &Repo, id: &str) -> Judged {
    let all = checks::judge(snapshot, &Config::default(), repo.newest_at(), |_| Ok(()));
    all.into_iter().find(|one| one.check.id == id).unwrap()
}

fn told(snapshot: &Snapshot, repo: &Repo, id: &str) -> String {
    let one = judged(snapshot, repo, id);
    let findings = one.findings.iter().map(|finding| finding.summary.replace(&room(repo), "")).collect::<Vec<_>>();
    format!(
        "{}: {}",
        one.status,
        if findings.is_empty() { one.reason.unwrap_or_default() } else { findings.join("; ") }
    )
}

fn room(repo: &Repo) -> String {
    repo.room().canonicalize().unwrap().display().to_string()
}

fn with_worktree() -> Repo {
    let repo = sketch("main: a(f=1) b(f=2)\n w: a c(f=3)").worktree().draw();
    repo.git(["worktree", "add", "--quiet", &format!("{}/w", room(&repo)), "w"]);
    repo
}

#[test]
fn worktrees_are_those_that_git_lists_and_prunable_where_git_says_so() {
    let repo = with_worktree();
    for name in ["gone", "moved"] {
        repo.git(["worktree", "add", "--quiet", "-b", name, &format!("{}/{name}", room(&repo))]);
    }
    fs::remove_dir_all(repo.room().join("gone")).unwrap();
    fs::rename(repo.room().join("moved"), repo.room().join("elsewhere")).unwrap();
    let snapshot = look(&repo, &[Look::Worktrees]);
    let seen = snapshot.facts.worktrees.seen().unwrap();
    let listed = repo.git(["worktree", "list", "--porcelain"]);
    let blocks: Vec<&str> = listed.split("\n\n").filter(|block| !block.is_empty()).collect();
    assert_eq!(blocks.len(), seen.len());
    for block in blocks {
        let path = block.lines().next().unwrap().strip_prefix("worktree ").unwrap();
        let one = seen.iter().find(|one| one.path == path).unwrap_or_else(|| panic!("{path} in {seen:?}"));
        assert_eq!(block.contains("\nprunable"), one.place == Known::Seen(Place::Gone), "{block}");
        let branch = one.branch.seen().unwrap().as_ref().unwrap();
        assert!(block.contains(&format!("\nbranch {}", branch.text())), "{block}");
    }
    assert_eq!(told(&snapshot, &repo, "worktree-gone"), "warning: The files of 2 worktrees are gone, such as /gone");
    repo.git(["worktree", "repair", repo.room().join("elsewhere").to_str().unwrap()]);
    assert!(told(&look(&repo, &[Look::Worktrees]), &repo, "worktree-gone").contains("1 worktree "));
}

#[test]
fn a_worktree_whose_place_was_taken_by_another_repository_is_moved() {
    let repo = with_worktree();
    let place = repo.room().join("w");
    fs::remove_file(place.join(".git")).unwrap();
    git(&place, ["init", "--quiet"]);
    assert_eq!(
        told(&look(&repo, &[Look::Worktrees]), &repo, "worktree-gone"),
        "warning: 1 worktree is not where it should be, such as /w: the `.git` there leads elsewhere"
    );
}

#[test]
fn a_worktree_that_cannot_be_read_is_unknown_and_hides_no_other() {
    let repo = with_worktree();
    let of_w = repo.git_dir().join("worktrees/w");
    fs::remove_file(of_w.join("gitdir")).unwrap();
    fs::create_dir(of_w.join("gitdir")).unwrap();
    fs::create_dir(of_w.join("locked")).unwrap();
    fs::write(of_w.join("index"), "garbage").unwrap();
    fs::remove_file(of_w.join("HEAD")).unwrap();
    fs::create_dir(of_w.join("HEAD")).unwrap();
    let snapshot = look(&repo, &[Look::Worktrees, Look::Unfinished]);
    for id in ["worktree-gone", "worktree-locked", "worktree-twice"] {
        assert!(told(&snapshot, &repo, id).starts_with("unknown: 1 worktree"), "{id}");
    }
    assert!(snapshot.facts.worktrees.seen().unwrap()[0].branch.seen().is_some(), "the main one is seen");
}

#[test]
fn a_branch_in_two_worktrees_is_found_and_its_remedy_mends_it() {
    let repo = with_worktree();
    assert_eq!(told(&look(&repo, &[Look::Worktrees]), &repo, "worktree-twice"), "ok: ");
    git(repo.room().join("w"), ["checkout", "--quiet", "--ignore-other-worktrees", "main"]);
    let snapshot = look(&repo, &[Look::Worktrees]);
    assert!(told(&snapshot, &repo, "worktree-twice").contains("such as `main` in"));
    let finding = judged(&snapshot, &repo, "worktree-twice").findings.remove(0);
    paste(&repo, &finding.remedy.commands[0]);
    assert_eq!(told(&look(&repo, &[Look::Worktrees]), &repo, "worktree-twice"), "ok: ");
}

#[test]
fn unmerged_paths_without_a_merge_are_found() {
    let repo = with_worktree();
    assert!(!git_output(repo.path(), ["merge", "w"]).status.success());
    let looks = [Look::Worktrees, Look::Unfinished];
    assert_eq!(told(&look(&repo, &looks), &repo, "unmerged-index"), "ok: ", "the merge is under way");
    fs::remove_file(repo.git_dir().join("MERGE_HEAD")).unwrap();
    assert!(told(&look(&repo, &looks), &repo, "unmerged-index").contains("1 file in"));
    fs::write(repo.git_dir().join("index"), b"DIRC\0\0\0\x02\xff\xff\xff\xff").unwrap();
    assert!(told(&look(&repo, &looks), &repo, "unmerged-index").starts_with("unknown: "));
}

#[test]
fn a_bare_repository_without_reflogs_gets_its_net_by_the_remedy() {
    let repo = sketch("main: a").draw();
    let snapshot = look(&repo, &[Look::Settings]);
    assert_eq!(told(&snapshot, &repo, "no-undo-net"), "warning: The repository is bare and keeps no reflogs");
    paste(&repo, &judged(&snapshot, &repo, "no-undo-net").findings[0].remedy.commands[0]);
    assert_eq!(repo.git(["config", "core.logAllRefUpdates"]), "always");
    assert_eq!(told(&look(&repo, &[Look::Settings]), &repo, "no-undo-net"), "ok: ");
}

#[test]
fn only_where_pushes_come_in_the_base_must_be_protected() {
    let repo = sketch("main: a").draw();
    assert_eq!(told(&look(&repo, &[Look::Settings]), &repo, "unprotected-base"), "ok: ");
    let hook = repo.git_dir().join("hooks/update");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let snapshot = look(&repo, &[Look::Settings]);
    assert!(told(&snapshot, &repo, "unprotected-base").contains("rewound or deleted by a push"));
    for command in &judged(&snapshot, &repo, "unprotected-base").findings[0].remedy.commands {
        paste(&repo, command);
    }
    assert_eq!(told(&look(&repo, &[Look::Settings]), &repo, "unprotected-base"), "ok: ");
}

#[test]
fn addresses_are_those_of_git_and_secrets_are_gone() {
    let cases: [&[(&str, &str)]; 4] = [
        &[("remote.o.url", "https://example.org/x")],
        &[("remote.o.url", "gh:x"), ("url.https://example.org/.insteadOf", "gh:")],
        &[
            ("remote.o.url", "https://example.org/x"),
            ("url.ssh://example.org/.pushInsteadOf", "https://example.org/"),
            ("url.http://other.org/.insteadOf", "https://"),
            ("url.http://longest.org/.insteadOf", "https://example.org/"),
        ],
        &[("remote.o.url", "/a"), ("remote.o.pushurl", "/b")],
    ];
    for settings in cases {
        let repo = sketch("main: a").draw();
        settings.iter().for_each(|(key, value)| _ = repo.git(["config", "--add", key, value]));
        let snapshot = look(&repo, &[Look::Settings]);
        let remote = &snapshot.facts.remotes.seen().unwrap().all[0];
        assert_eq!(remote.fetch_url, repo.git(["remote", "get-url", "o"]), "{settings:?}");
        assert_eq!(remote.push_url, repo.git(["remote", "get-url", "--push", "o"]), "{settings:?}");
        let is_plain = remote.url == remote.fetch_url && remote.fetch_url == remote.push_url;
        assert_eq!(told(&snapshot, &repo, "rewritten-urls") == "ok: ", is_plain, "{settings:?}");
    }
    let repo = sketch("main: a").draw();
    repo.git(["config", "remote.o.url", "https://u:p4ss@example.org/x"]);
    assert!(!format!("{:?}", look(&repo, &[Look::Settings]).facts.remotes).contains("p4ss"));
}

#[test]
fn a_fetch_leaves_its_time_and_a_failed_one_does_not() {
    let repo = sketch("main: a\n remote origin/main: a").draw();
    repo.git(["config", "remote.origin.url", "/nowhere"]);
    let tell = || told(&look(&repo, &[Look::Settings]), &repo, "fetch-age");
    for name in ["description", "info/exclude"] {
        let _ = fs::remove_file(repo.git_dir().join(name));
    }
    assert_eq!(tell(), "unknown: there is no trace of a fetch since it was cloned");
    let trace = repo.git_dir().join("FETCH_HEAD");
    let zero = "0".repeat(40);
    let log = |what: &str| {
        let line = format!("{zero} {zero} A <a@e.org> {} +0000\t{what}\n", repo.newest_at().0);
        fs::create_dir_all(repo.git_dir().join("logs")).unwrap();
        fs::write(repo.git_dir().join("logs/HEAD"), line).unwrap();
    };
    log("commit (initial): x");
    assert!(tell().starts_with("unknown: "), "it was made here");
    log("clone: from https://example.org/x");
    assert_eq!(tell(), "ok: ", "a clone is a fetch");
    log("commit: x");
    fs::write(&trace, "").unwrap();
    assert!(tell().starts_with("unknown: "), "a fetch that failed leaves it empty");
    fs::write(&trace, "x").unwrap();
    let at = |days: u64| {
        let seconds = repo.newest_at().0 as u64 - days * 86_400;
        let times = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds));
        fs::File::options().write(true).open(&trace).unwrap().set_times(times).unwrap();
    };
    at(1);
    assert_eq!(tell(), "ok: ");
    at(3);
    assert_eq!(tell(), "warning: Nothing was fetched for 3 d (limit 24 h)");
    fs::remove_file(&trace).unwrap();
    fs::create_dir(&trace).unwrap();
    assert!(tell().starts_with("unknown: cannot see when"));
}

#[test]
fn a_clone_is_as_fresh_as_a_fetch_also_a_bare_one() {
    let repo = sketch("main: a").draw();
    for options in [&[][..], &["--bare"], &["--mirror"]] {
        let there = repo.room().join(format!("there{}", options.concat()));
        let words = ["clone", "--quiet"].into_iter().chain(options.iter().copied());
        repo.git(words.chain([".", there.to_str().unwrap()]));
        let snapshot = look_at(&there, &[Look::Settings], &repo, None);
        let fetched_at = snapshot.facts.remotes.seen().unwrap().fetched_at.seen().copied().unwrap().unwrap();
        let judge = |hours: i64| {
            let now = alignwatch_model::Timestamp(fetched_at.0 + hours * 3600);
            let all = checks::judge(&snapshot, &Config::default(), now, |_| Ok(()));
            all.into_iter().find(|one| one.check.id == "fetch-age").unwrap().status.to_string()
        };
        assert_eq!((judge(1), judge(48)), ("ok".to_owned(), "warning".to_owned()), "{options:?}");
    }
}

#[test]
fn refs_of_tools_and_names_that_block_each_other_are_counted_as_git_lists_them() {
    let repo = sketch(
        "main: a
         both: a
         refs/tags/both: a
         remote origin/fix: a
         remote fork/fix/one: a
         refs/original/refs/heads/main: a
         refs/prefetch/remotes/origin/main: a",
    )
    .draw();
    let snapshot = look(&repo, &[Look::Refs]);
    let facts = snapshot.facts.refs.seen().unwrap();
    for (folder, n) in &facts.left_behind {
        assert_eq!(repo.git(["for-each-ref", folder.as_str()]).lines().count(), *n, "{folder}");
    }
    assert_eq!(facts.left_behind.len(), 2);
    assert_eq!(facts.n_refs, repo.git(["for-each-ref"]).lines().count());
    assert_eq!(facts.tags_named_like_branches, ["refs/tags/both".into()]);
    assert_eq!(
        told(&snapshot, &repo, "blocked-names"),
        "warning: 1 branch name cannot stand beside another, such as `origin/fix` beside `fork/fix/one`"
    );
}

#[test]
fn head_is_what_git_says() {
    for (text, expected) in [
        ("main: a", "ok"),
        ("HEAD -> unborn\n main: a", "info: HEAD is on `unborn`, which has no commit"),
        ("main: a b\n HEAD: a", "info: HEAD is detached, at"),
    ] {
        let repo = sketch(text).draw();
        assert!(told(&look(&repo, &[Look::Refs]), &repo, "head").starts_with(expected), "{text}");
        let is_symbolic = git_output(repo.path(), ["symbolic-ref", "--quiet", "HEAD"]).status.success();
        assert_eq!(is_symbolic, !expected.contains("detached"), "{text}");
    }
}

#[test]
fn only_work_that_no_remote_has_follows_nothing() {
    let repo = sketch("main: a b\n mine: a x\n shared: a y\n remote origin/shared: y").worktree().draw();
    repo.git(["config", "remote.origin.url", "/nowhere"]);
    let snapshot = look(&repo, &[Look::Landed, Look::Settings]);
    assert_eq!(
        told(&snapshot, &repo, "no-upstream"),
        "warning: 1 local branch with open work follows nothing and is on no remote, such as `mine`"
    );
    assert_eq!(repo.git(["for-each-ref", "--format=%(upstream)", "refs/heads/mine"]), "");
}

#[test]
fn a_rewritten_line_is_known_from_our_memory_and_from_reflogs() {
    let mut repo = sketch("main: a b c\n topic: c x").draw();
    let (data, looks) = (repo.room().join("data"), [Look::History]);
    let tell = |repo: &Repo| told(&look_at(repo.path(), &looks, repo, Some(&data)), repo, "base-rewritten");
    assert_eq!(tell(&repo), "ok: ");
    repo.draw_more("main: a d e f");
    let old = repo.oid("c").hex();
    let said = format!(
        "critical: `main` was rewritten 0 s ago: it no longer contains {}, on which 1 branch stands",
        &old[..12]
    );
    assert_eq!(tell(&repo), said);
    assert_eq!(tell(&repo), said, "it is not forgotten");
    assert!(!git_output(repo.path(), ["merge-base", "--is-ancestor", &old, "main"]).status.success());
    repo.draw_more("main: f m<c");
    assert_eq!(tell(&repo), "ok: ", "it came back");

    let repo = sketch("main: a b c\n topic: c x").draw();
    let log = repo.git_dir().join("logs/refs/heads/main");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    let (a, b, c) = (repo.oid("a"), repo.oid("b"), repo.oid("c"));
    let lost = "1".repeat(40);
    let at = repo.newest_at().0;
    let entry = |old: &str, new: &str| format!("{old} {new} ann <ann@example.org> {at} +0000\tpush\n");
    fs::write(&log, entry(&"0".repeat(40), &a.hex()) + &entry(&a.hex(), &b.hex()) + &entry(&b.hex(), &c.hex()))
        .unwrap();
    assert_eq!(told(&look(&repo, &looks), &repo, "base-rewritten"), "ok: ", "forward only");
    fs::write(&log, entry(&lost, &c.hex())).unwrap();
    assert!(told(&look(&repo, &looks), &repo, "base-rewritten").starts_with("critical: `main` was rewritten"));
    fs::write(&log, "garbage\n\n\t\nno ids here\n").unwrap();
    assert_eq!(told(&look(&repo, &looks), &repo, "base-rewritten"), "ok: ");
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    assert!(told(&look(&repo, &looks), &repo, "base-rewritten").starts_with("unknown: 1 line could not be judged"));
}

#[test]
fn odd_dates_are_those_that_git_shows() {
    let repo = sketch("main: a@+9d b@+1d c@+2d m@+3d<x\n x: b y@+5d x@+4d").draw();
    let snapshot = look(&repo, &[Look::History]);
    let dates = snapshot.facts.dates.seen().unwrap();
    let log = repo.git(["log", "--all", "--format=%H %ct %P"]);
    let lines: Vec<Vec<&str>> = log.lines().map(|line| line.split(' ').collect()).collect();
    let date_of = |oid: &str| lines.iter().find(|line| line[0] == oid).unwrap()[1].parse::<i64>().unwrap();
    let is_odd =
        |line: &&Vec<&str>| line[2..].iter().any(|parent| !parent.is_empty() && date_of(line[0]) < date_of(parent));
    assert_eq!((dates.n_commits, dates.n_before_parent), (lines.len(), lines.iter().filter(is_odd).count()));
    assert!(dates.n_before_parent > 1);
    assert_eq!(dates.furthest.unwrap(), (repo.oid("b"), 8 * 86_400));
    let early = alignwatch_model::Timestamp(date_of(&repo.oid("b").hex()));
    let wanted = Wanted {
        base: None,
        looks: Look::with_required([Look::History]),
        paths_patience: Duration::ZERO,
        stop: Stop::default(),
    };
    let snapshot = inspect(repo.path(), &Config::default(), early, None, &wanted, &|_| {}).unwrap();
    assert_eq!(snapshot.facts.dates.seen().unwrap().latest.unwrap().0, repo.oid("a"));
}

#[test]
fn a_good_place_is_fine_and_an_open_or_cut_one_is_not() {
    let repo = sketch("main: a").draw();
    let snapshot = look(&repo, &[Look::Site]);
    for id in ["git-dir-access", "room-to-repack"] {
        assert_eq!(told(&snapshot, &repo, id), "ok: ", "{id}");
    }
    fs::set_permissions(repo.git_dir().join("refs"), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(
        told(&look(&repo, &[Look::Site]), &repo, "git-dir-access"),
        "error: Everybody on this machine may write to 1 part of the git directory, such as refs"
    );
    let largest = snapshot.facts.site.seen().unwrap().largest_pack_bytes.seen().copied().unwrap();
    let packs = fs::read_dir(repo.git_dir().join("objects/pack")).unwrap().flatten();
    let of_pack = packs.filter(|file| file.path().extension() == Some("pack".as_ref()));
    assert_eq!(of_pack.map(|file| file.metadata().unwrap().len()).max().unwrap_or(0), largest);
}

#[test]
fn a_file_from_the_future_makes_the_clock_doubtful() {
    let repo = sketch("main: a").draw();
    assert!(told(&look(&repo, &[Look::Site]), &repo, "clock").starts_with("error: A file in the git directory is"));
}

/// Runs a line as a person would who pasted it. Panics when it fails.
fn paste(repo: &Repo, line: &str) {
    let mut shell = std::process::Command::new("bash");
    shell.arg("-c").arg(line).current_dir(repo.path());
    shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = shell.output().unwrap();
    assert!(output.status.success(), "`{line}` fails: {}", String::from_utf8_lossy(&output.stderr));
}
