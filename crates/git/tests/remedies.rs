//! Every remedy is pasted into a real shell, in a repository that has what it is for.
//!
//! A remedy must work as it is printed, whatever the names hold; it must lose
//! nothing; and what claims that it can be undone must be undone by its own words.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{fs, path::Path, process::Command, time::Duration};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{
    Finding, Known, Look, Snapshot, Timestamp, checks, config::Config, remedy::only_looks, snapshot::LockVerdict,
};
use alignwatch_testkit::{Repo, sketch};

/// A branch name that would do harm in a shell, if it were not quoted.
const HOSTILE: &str = "it's;touch${IFS}harm;$(touch${IFS}harm)`touch${IFS}harm`";

fn seen(repo: &Repo) -> Snapshot {
    let wanted = Wanted {
        base: None,
        looks: Look::with_required(Look::ALL.iter().copied()),
        paths_patience: Duration::from_secs(60),
        stop: Stop::default(),
    };
    let config = Config::default();
    inspect(repo.path(), &config, repo.newest_at(), None, &wanted, &|_| {}).unwrap()
}

fn found(snapshot: &Snapshot, now: Timestamp, config: &Config) -> Vec<Finding> {
    let judged = checks::judge(snapshot, config, now, |_| Ok(()));
    judged.into_iter().flat_map(|one| one.findings).filter(|finding| !finding.check.starts_with("host-")).collect()
}

fn of_check<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
    let of_check = |finding: &&Finding| finding.check == check;
    let keys = || findings.iter().map(|finding| &*finding.key).collect::<Vec<_>>();
    findings.iter().find(of_check).unwrap_or_else(|| panic!("no {check} among {:?}", keys()))
}

/// Runs a line as a person would who pasted it. Panics when it fails.
fn paste(place: &Path, line: &str) -> String {
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(line).current_dir(place);
    shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_PAGER", "cat");
    for who in ["AUTHOR", "COMMITTER"] {
        shell.env(format!("GIT_{who}_NAME"), "ann").env(format!("GIT_{who}_EMAIL"), "ann@example.org");
    }
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{line}` fails: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn paste_all(repo: &Repo, finding: &Finding) {
    for line in &finding.remedy.commands {
        paste(repo.path(), line);
    }
    assert!(!repo.path().join("harm").exists(), "{:?} ran what a name holds", finding.remedy.commands);
}

/// The line behind `undo:` or `Undo:` in the words of a remedy.
fn undo_of(finding: &Finding) -> &str {
    let text = &finding.remedy.text;
    let at = text.find("ndo: ").unwrap_or_else(|| panic!("no undo in {text:?}"));
    text[at + 5..].trim_end()
}

fn refs(repo: &Repo) -> String {
    repo.git(["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"])
}

/// Named in a sketch, where `'` and `;` have no meaning.
fn with_hostile_branch(repo: &Repo, at: &str) {
    repo.git(["update-ref", &format!("refs/heads/{HOSTILE}"), &repo.oid(at).hex()]);
}

#[test]
fn landed_branches_go_and_come_back() {
    let repo = sketch("main: a b m<x c\n landed: x").worktree().draw();
    with_hostile_branch(&repo, "x");
    repo.git(["branch", "--delete", "--force", "landed"]);
    let before = refs(&repo);
    let snapshot = seen(&repo);
    let findings = found(&snapshot, repo.newest_at(), &Config::default());
    let landed = of_check(&findings, "landed-still-here");
    paste_all(&repo, landed);
    assert_eq!(refs(&repo).lines().count(), 1, "only main is left");
    paste(repo.path(), undo_of(landed));
    assert_eq!(refs(&repo), before);
}

#[test]
fn a_branch_that_moved_since_is_not_deleted() {
    let mut repo = sketch("main: a b m<x c\n landed: x").worktree().draw();
    let snapshot = seen(&repo);
    let findings = found(&snapshot, repo.newest_at(), &Config::default());
    repo.draw_more("landed: x more");
    let line = &of_check(&findings, "landed-still-here").remedy.commands[0];
    let refused = Command::new("bash").arg("-c").arg(line).current_dir(repo.path()).output().unwrap();
    assert!(!refused.status.success());
    assert_eq!(repo.git(["rev-parse", "landed"]), repo.oid("more").hex());
}

#[test]
fn a_stale_branch_is_archived_and_comes_back() {
    let repo = sketch("main: a b c\n -: a x").worktree().draw();
    with_hostile_branch(&repo, "x");
    let before = refs(&repo);
    let snapshot = seen(&repo);
    let much_later = Timestamp(repo.newest_at().0 + 400 * 86_400);
    let findings = found(&snapshot, much_later, &Config::default());
    let stale = of_check(&findings, "stale");
    paste_all(&repo, stale);
    assert_eq!(refs(&repo).lines().count(), 1);
    let kept = repo.git(["for-each-ref", "--format=%(objectname)", "refs/archive"]);
    assert_eq!(kept, repo.oid("x").hex(), "its commits stay");
    paste(repo.path(), undo_of(stale));
    assert_eq!(refs(&repo), before);
}

#[test]
fn equal_branches_leave_one_of_them() {
    let repo = sketch("main: a b\n one: a x\n two: x").worktree().draw();
    with_hostile_branch(&repo, "x");
    let findings = found(&seen(&repo), repo.newest_at(), &Config::default());
    paste_all(&repo, of_check(&findings, "identical-tips"));
    let left = refs(&repo);
    assert_eq!(left.lines().count(), 2, "{left}");
    assert!(left.contains(&repo.oid("x").hex()), "the commit is still there");
}

#[test]
fn a_conflict_is_shown_and_begun() {
    let repo = sketch("main: a(f=1) b(f=2)\n work: a x(f=3)").worktree().draw();
    let findings = found(&seen(&repo), repo.newest_at(), &Config::default());
    let conflicting = of_check(&findings, "conflicting");
    let [shows, begins] = &conflicting.remedy.commands[..] else { panic!("{conflicting:?}") };
    let shown = Command::new("bash").arg("-c").arg(shows).current_dir(repo.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).lines().any(|line| line == "f"), "it names the path");
    Command::new("bash").arg("-c").arg(begins).current_dir(repo.path()).output().unwrap();
    assert_eq!(repo.git(["symbolic-ref", "HEAD"]), "refs/heads/work");
    assert!(repo.git_dir().join("MERGE_HEAD").exists());
    paste(repo.path(), undo_of(conflicting));
    assert!(!repo.git_dir().join("MERGE_HEAD").exists());
}

#[test]
fn a_base_behind_its_remote_moves_forward_and_back() {
    for on_main in [true, false] {
        let text = "main: a b\n other: a\n remote origin/main: b c d\n remote origin/HEAD -> remote origin/main";
        let repo = sketch(text).worktree().draw();
        if !on_main {
            repo.git(["checkout", "--quiet", "other"]);
        }
        let findings = found(&seen(&repo), repo.newest_at(), &Config::default());
        let behind = of_check(&findings, "base-behind-remote");
        paste_all(&repo, behind);
        assert_eq!(repo.git(["rev-parse", "main"]), repo.oid("d").hex());
        if !on_main {
            let undo = undo_of(behind).split(" (").next().unwrap();
            paste(repo.path(), undo);
            assert_eq!(repo.git(["rev-parse", "main"]), repo.oid("b").hex());
        }
    }
}

#[test]
fn what_is_checked_out_in_another_worktree_is_moved_and_merged_there() {
    let text = "main: a(f=1) b(f=2)\n work: a x(f=3)\n other: a\n remote origin/main: b c d\n \
                remote origin/HEAD -> remote origin/main";
    let repo = sketch(text).worktree().draw();
    repo.git(["checkout", "--quiet", "other"]);
    repo.git(["worktree", "add", "--quiet", "../main it's", "main"]);
    repo.git(["worktree", "add", "--quiet", "../work", "work"]);
    let findings = found(&seen(&repo), repo.newest_at(), &Config::default());
    paste_all(&repo, of_check(&findings, "base-behind-remote"));
    assert_eq!(repo.git(["rev-parse", "main"]), repo.oid("d").hex());
    let [shows, begins] = &of_check(&findings, "conflicting").remedy.commands[..] else { panic!("{findings:?}") };
    assert!(only_looks(shows) && !only_looks(begins), "{shows}; {begins}");
    Command::new("bash").arg("-c").arg(begins).current_dir(repo.path()).output().unwrap();
    assert!(repo.git_dir().join("worktrees/work/MERGE_HEAD").exists(), "{begins} begins the merge");
}

#[test]
fn what_only_looks_is_pasted_and_changes_neither_refs_nor_files() {
    let repo = sketch(
        "main:   a(f=1) b(f=2) c m<x d
         x:      a x
         cross:  x n<b y
         marked: a k(g=<<<<<<< HEAD|1|=======|2|>>>>>>> x)
         alien:  z
         agent-fix-it-1234567890123: a p
         agent-fix-it-2234567890123: a q",
    )
    .worktree()
    .draw();
    repo.git(["update-ref", &format!("refs/heads/{HOSTILE}"), &repo.oid("p").hex()]);
    let state = || (repo.git(["for-each-ref"]), repo.git(["config", "--local", "--list"]), repo.git(["status", "-s"]));
    let before = state();
    let much_later = Timestamp(repo.newest_at().0 + 400 * 86_400);
    let mut n_looks = 0;
    for finding in found(&seen(&repo), much_later, &Config::default()) {
        for line in finding.remedy.commands.iter().filter(|line| line.starts_with("git ") && only_looks(line)) {
            // A merge that conflicts is told by 1, and so is a search without a match.
            let shell = Command::new("bash").arg("-c").arg(line).current_dir(repo.path()).output().unwrap();
            let said = String::from_utf8_lossy(&shell.stderr);
            assert!(matches!(shell.status.code(), Some(0 | 1)) && said.is_empty(), "{}: `{line}`: {said}", finding.key);
            n_looks += 1;
        }
    }
    assert!(5 <= n_looks, "{n_looks} commands only look");
    assert_eq!(state(), before);
}

#[test]
fn without_a_remote_no_command_asks_one() {
    let repo = sketch("main: a(f=1) b\n work: a x(f=2)").worktree().draw();
    fs::write(repo.git_dir().join("refs/heads/lost"), format!("{}\n", "7".repeat(40))).unwrap();
    fs::write(repo.git_dir().join("refs/heads/torn"), "no id\n").unwrap();
    let findings = found(&seen(&repo), repo.newest_at(), &Config::default());
    of_check(&findings, "missing-objects");
    of_check(&findings, "broken-refs");
    for finding in findings {
        let asks = |line: &&String| line.contains(" fetch ") || line.contains("ls-remote") || line.contains(" push ");
        assert_eq!(finding.remedy.commands.iter().find(asks), None, "{}", finding.key);
    }
}

#[test]
fn a_missing_commit_graph_is_written() {
    let repo = sketch("main: a b c").worktree().draw();
    let mut config = Config::default();
    config.thresholds.insert("commit-graph".into(), 1);
    let findings = found(&seen(&repo), repo.newest_at(), &config);
    paste_all(&repo, of_check(&findings, "commit-graph"));
    let again = found(&seen(&repo), repo.newest_at(), &config);
    assert!(!again.iter().any(|finding| finding.check == "commit-graph"), "{again:?}");
}

#[test]
fn a_stale_lock_moves_aside_and_back() {
    let repo = sketch("main: a").worktree().draw();
    let lock = repo.git_dir().join("index.lock");
    fs::write(&lock, "left over").unwrap();
    let mut snapshot = seen(&repo);
    // Whether anybody holds it depends on the machine the test runs on; that is tested where it is judged.
    let Known::Seen(locks) = &mut snapshot.locks else { panic!("{:?}", snapshot.locks) };
    locks[0].verdict = LockVerdict::Stale;
    let findings = found(&snapshot, repo.newest_at(), &Config::default());
    let stale = of_check(&findings, "stale-lock");
    paste_all(&repo, stale);
    assert!(!lock.exists());
    paste(repo.path(), undo_of(stale));
    assert_eq!(fs::read_to_string(&lock).unwrap(), "left over");
}

#[test]
fn a_lock_of_a_linked_worktree_is_moved_from_where_it_is() {
    let repo = sketch("main: a\n w: a").worktree().draw();
    repo.git(["worktree", "add", "--quiet", "../w", "w"]);
    let lock = repo.git_dir().join("worktrees/w/index.lock");
    fs::write(&lock, "").unwrap();
    let wanted = Wanted {
        base: None,
        looks: Look::with_required([
            Look::History,
            Look::Settings,
            Look::Locks,
            Look::Unfinished,
            Look::Worktrees,
            Look::Markers,
        ]),
        paths_patience: Duration::ZERO,
        stop: Stop::default(),
    };
    let inside = repo.room().join("w");
    let mut snapshot = inspect(&inside, &Config::default(), repo.newest_at(), None, &wanted, &|_| {}).unwrap();
    let Known::Seen(locks) = &mut snapshot.locks else { panic!("{:?}", snapshot.locks) };
    locks[0].verdict = LockVerdict::Stale;
    let findings = found(&snapshot, repo.newest_at(), &Config::default());
    paste(&inside, &of_check(&findings, "stale-lock").remedy.commands[0]);
    assert!(!lock.exists());
}

#[test]
fn commands_that_only_show_work_as_they_are_printed() {
    let repo = sketch(
        "main:   a(f=1) b c m<x d
         x:      a x
         cross:  x n<b y
         marked: a k(g=<<<<<<< HEAD|1|=======|2|>>>>>>> x)
         alien:  z
         agent-fix-it-1234567890123: a p
         agent-fix-it-2234567890123: a q",
    )
    .worktree()
    .config("core.sshCommand", "ssh -v")
    .draw();
    repo.git(["update-ref", &format!("refs/heads/{HOSTILE}"), &repo.oid("p").hex()]);
    let mut config = Config::default();
    config.thresholds.insert("far-behind".into(), 1);
    let findings = found(&seen(&repo), repo.newest_at(), &config);
    for check in ["far-behind", "criss-cross", "conflict-markers", "retry-families", "dangerous-config"] {
        paste_all(&repo, of_check(&findings, check));
    }
    let markers = of_check(&findings, "conflict-markers");
    let brought = paste(repo.path(), &markers.remedy.commands[0]);
    assert!(brought.ends_with("ann: k\n"), "the commit that brought them in: {brought}");
}

#[test]
fn an_unfinished_rebase_keeps_its_stash_first() {
    let repo = sketch("main: a(f=1, g=1) b(f=2)\n work: a x(f=3)").worktree().draw();
    fs::write(repo.path().join("g"), "not committed").unwrap();
    repo.git_output(["rebase", "--autostash", "work"]);
    let much_later = Timestamp(repo.newest_at().0 + 400 * 86_400 * 365);
    let findings = found(&seen(&repo), much_later, &Config::default());
    paste_all(&repo, of_check(&findings, "unfinished-operation"));
    assert!(repo.git(["stash", "list"]).contains("kept by hand"));
}
