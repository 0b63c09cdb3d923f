//! Files of refs, halves of packs, indexes, reflogs and formats: whole, damaged and unreadable; compared with what git
//! says, and mended by what a finding says.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    repository::open,
    stop::Stop,
};
use alignwatch_model::{Finding, Look, Snapshot, Timestamp, checks, config::Config};
use alignwatch_testkit::{Repo, git_version, sketch};

const NOW: Timestamp = Timestamp(1_800_000_000);

const IDS: [&str; 8] = [
    "broken-refs",
    "packed-refs",
    "symbolic-refs",
    "head",
    "incomplete-packs",
    "index-readable",
    "reflog-objects",
    "repository-format",
];

fn seen(repo: &Repo) -> Snapshot {
    seen_by(repo, &[Look::Storage, Look::Worktrees, Look::Reflogs, Look::History])
}

fn seen_by(repo: &Repo, looks: &[Look]) -> Snapshot {
    let looks = Look::with_required(looks.iter().copied());
    let wanted = Wanted { base: None, looks, paths_patience: Duration::ZERO, stop: Stop::default() };
    inspect(repo.path(), &Config::default(), NOW, None, &wanted, &|_| {}).unwrap()
}

fn judged(repo: &Repo) -> Vec<checks::Judged> {
    let snapshot = seen(repo);
    let is_meant = |check: &checks::Check| IDS.contains(&check.id) || check.id == "missing-objects";
    checks::judge(&snapshot, &Config::default(), NOW, |check| if is_meant(check) { Ok(()) } else { Err("no".into()) })
}

fn found(repo: &Repo) -> Vec<Finding> {
    judged(repo).into_iter().flat_map(|one| one.findings).collect()
}

/// The only finding, of this key.
fn only(repo: &Repo, key: &str) -> Finding {
    let mut all = found(repo);
    assert_eq!(all.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), [key], "{all:?}");
    all.remove(0)
}

/// Runs the lines of a finding as a person would who pasted them.
fn paste(repo: &Repo, finding: &Finding) {
    for line in &finding.remedy.commands {
        let mut shell = std::process::Command::new("bash");
        shell.arg("-c").arg(line).current_dir(repo.path());
        let output = shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
        assert!(output.status.success(), "`{line}`: {output:?}");
    }
}

fn drawn() -> Repo {
    sketch("main: a(f=1) b(f=2) c(f=3)\n side: a d").worktree().draw()
}

/// What git complains of when it lists refs.
fn complaints(repo: &Repo) -> String {
    String::from_utf8_lossy(&repo.git_output(["for-each-ref"]).stderr).into_owned()
}

#[test]
fn a_whole_repository_is_well() {
    let repo = drawn();
    repo.git(["pack-refs", "--all"]);
    repo.git(["repack", "-adq"]);
    assert_eq!(found(&repo), []);
    let unwell = judged(&repo).into_iter().filter(|one| IDS.contains(&one.check.id) && one.reason.is_some());
    assert_eq!(unwell.map(|one| (one.check.id, one.reason)).collect::<Vec<_>>(), []);
}

#[test]
fn a_lost_ref_is_found_as_git_finds_it_and_set_again_from_its_log() {
    let zeros = "0".repeat(40);
    for content in ["", "\n", "0123456789\n", "garbage\n", &zeros] {
        let repo = drawn();
        repo.git(["branch", "--create-reflog", "it's", "main~1"]);
        repo.git(["update-ref", "-m", "on", "refs/heads/it's", "main"]);
        repo.write_ref_by_hand("refs/heads/it's", content);
        assert!(complaints(&repo).contains("broken ref refs/heads/it's"), "git says it of {content:?}");
        let finding = only(&repo, "broken-refs:refs/heads/it's");
        assert_eq!(finding.evidence["last_id"], repo.oid("c").hex());
        paste(&repo, &finding);
        assert_eq!(repo.git(["rev-parse", "refs/heads/it's"]).trim(), repo.oid("c").hex());
        assert_eq!(found(&repo), []);
        let kept = repo.git_dir().join(format!("quarantine/refs-{}/refs-heads-it's", NOW.0));
        assert_eq!(fs::read_to_string(kept).unwrap(), content, "the evidence is kept");
    }
}

#[test]
fn a_lost_ref_without_a_log_or_with_one_to_nothing_is_not_set() {
    let repo = drawn();
    repo.write_ref_by_hand("refs/heads/lost", "");
    let finding = only(&repo, "broken-refs:refs/heads/lost");
    assert!(!finding.remedy.commands.iter().any(|line| line.contains("update-ref")));
    let log = repo.git_dir().join("logs/refs/heads/lost");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    let gone = "1".repeat(40);
    fs::write(&log, format!("{gone} {gone} A <a@b> 1 +0000\tx\n")).unwrap();
    let finding = found(&repo).into_iter().find(|one| one.check == "broken-refs").unwrap();
    assert_eq!((&finding.evidence["last_id"], &finding.evidence["last_id_is_there"]), (&gone.into(), &false.into()));
    assert!(!finding.remedy.commands.iter().any(|line| line.contains("update-ref")));
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    let broken = judged(&repo).into_iter().find(|one| one.check.id == "broken-refs").unwrap();
    assert!(broken.reason.is_some(), "a log that cannot be read is unknown");
}

#[test]
fn of_branches_whose_base_cannot_be_read_nothing_is_said() {
    let repo = sketch("main: a(f=1) b(f=2) c(f=3)\n develop: a d e\n x: d y\n side: a z").worktree().draw();
    repo.git(["checkout", "-q", "develop"]);
    let about_branches = |repo: &Repo| {
        let family = |check: &checks::Check| ["far-behind", "conflicting", "over-budget"].contains(&check.id);
        let only = |check: &checks::Check| if family(check) { Ok(()) } else { Err("no".to_owned()) };
        let snapshot = seen_by(repo, &[Look::History, Look::Landed, Look::Merges]);
        checks::judge(&snapshot, &Config::default(), NOW, only).into_iter().filter(|one| family(one.check)).collect()
    };
    let well: Vec<checks::Judged> = about_branches(&repo);
    assert!(
        well.iter().all(|one| one.reason.is_none()),
        "{:?}",
        well.iter().map(|one| &one.reason).collect::<Vec<_>>()
    );
    repo.write_ref_by_hand("refs/heads/main", "garbage\n");
    assert!(complaints(&repo).contains("broken ref refs/heads/main"));
    let hidden: Vec<checks::Judged> = about_branches(&repo);
    for one in &hidden {
        assert_eq!(one.findings, [], "{}", one.check.id);
        let reason = one.reason.as_deref().unwrap_or_default();
        assert!(reason.contains("`main`, which would be its base, cannot be read"), "{}: {reason}", one.check.id);
    }
    // Another branch that cannot be read is no base.
    repo.write_ref_by_hand("refs/heads/main", format!("{}\n", repo.oid("c").hex()));
    repo.write_ref_by_hand("refs/heads/side", "garbage\n");
    assert!(about_branches(&repo).iter().all(|one: &checks::Judged| one.reason.is_none()));
}

#[test]
fn packed_refs_that_git_gives_up_on_or_misreads_are_found_and_written_anew() {
    let without_end = |text: &str| text.trim_end().to_owned();
    let with_bad_line = |text: &str| format!("{text}garbage\n");
    let unsorted = |text: &str| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1..].reverse();
        format!("{}\n", lines.join("\n"))
    };
    let cases: [(&dyn Fn(&str) -> String, bool); 3] =
        [(&without_end, true), (&with_bad_line, true), (&unsorted, false)];
    for (damage, gives_up) in cases {
        let repo = drawn();
        repo.git(["branch", "other", "main"]);
        let refs = repo.git(["for-each-ref"]);
        repo.git(["pack-refs", "--all"]);
        let file = repo.git_dir().join("packed-refs");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("sorted"));
        fs::write(&file, damage(&text)).unwrap();
        match gives_up {
            true => assert!(!repo.git_output(["for-each-ref"]).status.success(), "git gives up"),
            false => assert!(
                ["main", "other", "side"].iter().any(|name| {
                    !repo.git_output(["rev-parse", "--verify", "-q", &format!("refs/heads/{name}")]).status.success()
                }),
                "git misses one"
            ),
        }
        let finding = found(&repo).into_iter().find(|one| one.check == "packed-refs").unwrap();
        paste(&repo, &finding);
        assert_eq!(repo.git(["for-each-ref"]), refs);
        assert_eq!(found(&repo), []);
    }
}

#[test]
fn a_head_that_names_no_branch_is_found_and_mended() {
    let repo = drawn();
    repo.git(["tag", "v1"]);
    for (content, key) in [("ref: refs/tags/v1\n", "head:no-branch"), ("ref: refs/heads/a..b\n", "head:broken")] {
        fs::write(repo.git_dir().join("HEAD"), content).unwrap();
        let finding = found(&repo).into_iter().find(|one| one.check == "head").unwrap();
        assert_eq!(finding.key, key);
        paste(&repo, &finding);
        assert_eq!(repo.git(["symbolic-ref", "HEAD"]).trim(), "refs/heads/main");
        assert_eq!(found(&repo), []);
    }
    repo.write_ref_by_hand("refs/heads/main", "");
    let keys: Vec<String> = found(&repo).into_iter().map(|one| one.key).collect();
    assert!(
        keys.contains(&"head:broken".to_owned()) && keys.contains(&"broken-refs:refs/heads/main".to_owned()),
        "{keys:?}"
    );
}

#[test]
fn symbolic_refs_that_lead_nowhere_or_through_others_are_found() {
    let repo = drawn();
    repo.git(["remote", "add", "origin", repo.path().to_str().unwrap()]);
    repo.git(["fetch", "-q", "origin"]);
    repo.write_ref_by_hand("refs/remotes/origin/HEAD", "ref: refs/remotes/origin/gone\n");
    let says = repo.git_output(["fsck", "--connectivity-only"]);
    assert!(
        String::from_utf8_lossy(&says.stderr).contains("refs/remotes/origin/HEAD: invalid sha1 pointer"),
        "git says it"
    );
    let finding = only(&repo, "symbolic-refs:dangling");
    paste(&repo, &finding);
    assert_eq!(repo.git(["symbolic-ref", "refs/remotes/origin/HEAD"]).trim(), "refs/remotes/origin/main");
    assert_eq!(found(&repo), []);
    repo.git(["symbolic-ref", "refs/heads/one", "refs/heads/main"]);
    assert_eq!(found(&repo), [], "one step is as it should be");
    repo.git(["symbolic-ref", "refs/heads/two", "refs/heads/one"]);
    only(&repo, "symbolic-refs:chain");
    repo.git(["symbolic-ref", "--delete", "refs/heads/two"]);
    repo.write_ref_by_hand("refs/heads/loop", "ref: refs/heads/loop\n");
    paste(&repo, &only(&repo, "symbolic-refs:dangling"));
    assert_eq!(found(&repo), []);
}

/// The file of the only pack with this ending.
fn of_pack(repo: &Repo, ending: &str) -> PathBuf {
    let folder = open(repo.path()).unwrap().objects_dir.join("pack");
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|file| file.extension().is_some_and(|found| found == ending)).unwrap()
}

#[test]
fn old_halves_of_packs_are_found_as_git_finds_them_and_young_ones_left_alone() {
    let repo = drawn();
    repo.git(["commit", "-q", "--allow-empty", "-m", "kept"]);
    repo.git(["repack", "-adq"]);
    let (pack, idx) = (of_pack(&repo, "pack"), of_pack(&repo, "idx"));
    let _ = fs::remove_file(idx.with_extension("rev"));
    // A copy, so that the objects are there and the repository can be read.
    let copy = pack.with_file_name("pack-1111111111111111111111111111111111111111.pack");
    fs::copy(&pack, &copy).unwrap();
    let says = |repo: &Repo| String::from_utf8_lossy(&repo.git_output(["count-objects", "-v"]).stderr).into_owned();
    assert!(says(&repo).contains("no corresponding .idx"), "git says it");
    let finding = only(&repo, "incomplete-packs:no-index");
    let young = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.0 as u64 - 60);
    fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fs::File::options().write(true).open(&copy).unwrap().set_modified(young).unwrap();
    assert_eq!(found(&repo), [], "a git may be at work");
    paste(&repo, &finding);
    assert!(copy.with_extension("idx").exists());
    fs::remove_file(&copy).unwrap();
    let _ = fs::remove_file(copy.with_extension("rev"));
    assert!(says(&repo).contains("no corresponding .pack"), "git says it: {}", says(&repo));
    paste(&repo, &only(&repo, "incomplete-packs:no-pack"));
    assert_eq!(found(&repo), []);
    assert_eq!(says(&repo), "");
}

#[test]
fn an_index_that_git_gives_up_on_is_found_and_made_anew() {
    let repo = drawn();
    let file = repo.git_dir().join("index");
    let whole = fs::read(&file).unwrap();
    // In the last one git reads on behind the end of the file, and does not notice.
    let cases: [(&[u8], bool); 4] = [
        (b"", true),
        (b"garbage that is no index at all, however long", true),
        (&whole[..11], true),
        (&whole[..whole.len() / 2], false),
    ];
    for (content, gives_up) in cases {
        fs::write(&file, content).unwrap();
        let says = repo.git_output(["ls-files", "--stage"]);
        assert!(!gives_up || !says.status.success(), "git gives up on {} bytes", content.len());
        let finding = found(&repo).into_iter().find(|one| one.check == "index-readable").unwrap();
        paste(&repo, &finding);
        assert_eq!(repo.git(["status", "--porcelain", "--untracked-files=no"]), "");
        assert_eq!(found(&repo), []);
        fs::remove_dir_all(repo.git_dir().join(format!("quarantine-{}", NOW.0))).unwrap();
    }
    fs::write(&file, &whole).unwrap();
    repo.git(["update-index", "--split-index"]);
    assert!(repo.git_output(["ls-files", "--stage"]).status.success());
    let split = judged(&repo).into_iter().find(|one| one.check.id == "index-readable").unwrap();
    assert!(split.findings.is_empty() && split.reason.is_some(), "what is not read here is unknown");
}

#[test]
fn reflog_entries_to_nothing_are_found_as_git_finds_them() {
    let repo = drawn();
    repo.git(["branch", "--create-reflog", "logged", "main~1"]);
    repo.git(["update-ref", "-m", "on", "refs/heads/logged", "main"]);
    assert_eq!(found(&repo), []);
    let log = repo.git_dir().join("logs/refs/heads/logged");
    let (gone, last) = ("1".repeat(40), repo.oid("c").hex());
    let entries = fs::read_to_string(&log).unwrap();
    let more = format!("{last} {gone} A <a@b> 1790000000 +0000\tx\n{gone} {last} A <a@b> 1790000000 +0000\ty\n");
    fs::write(&log, entries.clone() + &more).unwrap();
    let says = |repo: &Repo| {
        let output = repo.git_output(["fsck", "--connectivity-only"]);
        String::from_utf8_lossy(&output.stderr).matches("invalid reflog entry").count()
    };
    assert!(0 < says(&repo), "git says it");
    let finding = only(&repo, "reflog-objects");
    assert_eq!(finding.evidence["logs"][0], format!("refs/heads/logged: 2 ({gone})"));
    paste(&repo, &finding);
    assert_eq!((found(&repo), says(&repo)), (Vec::new(), 0));
    assert_eq!(fs::read_to_string(&log).unwrap(), entries, "only those entries are gone");
    let looped = repo.git_dir().join("logs/refs/heads/looped");
    std::os::unix::fs::symlink(&looped, &looped).unwrap();
    let unread = judged(&repo).into_iter().find(|one| one.check.id == "reflog-objects").unwrap();
    assert!(unread.reason.is_some());
}

#[test]
fn an_extension_of_a_newer_git_is_named_with_the_version_and_an_unknown_one_does_not_open() {
    let repo = drawn();
    repo.git(["config", "core.repositoryFormatVersion", "1"]);
    repo.git(["config", "extensions.relativeWorktrees", "true"]);
    if git_version() < (2, 48) {
        assert!(!repo.git_output(["rev-parse", "--git-dir"]).status.success(), "git refuses");
        assert!(only(&repo, "repository-format").summary.contains("needs git 2.48"));
    }
    let config = repo.git_dir().join("config");
    let text = fs::read_to_string(&config).unwrap().replace("relativeWorktrees", "ofTomorrow");
    fs::write(&config, text).unwrap();
    assert!(!repo.git_output(["rev-parse", "--git-dir"]).status.success(), "git refuses");
    let refused = open(repo.path()).unwrap_err().to_string();
    assert!(refused.contains("`oftomorrow`") && refused.contains("newer git"), "{refused}");
}
