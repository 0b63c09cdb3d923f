//! Objects and packs that are whole, damaged and unreadable; compared with what git says.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use alignwatch_git::{
    health::pack_bytes::pack_bytes,
    inspect::{Wanted, inspect},
    memory::Memory,
    repository::open,
    stop::Stop,
};
use alignwatch_model::{
    Finding, Known, Look, Snapshot, Timestamp, checks,
    config::Config,
    facts::{Facts, integrity::PackBytes},
};
use alignwatch_testkit::{Repo, git, git_output, git_version, sketch};

const NOW: Timestamp = Timestamp(1_800_000_000);

fn seen_at(repo: &Repo, now: Timestamp, data_dir: Option<&Path>) -> Facts {
    let looks = Look::with_required([Look::Objects, Look::Connectivity, Look::PackBytes]);
    let wanted = Wanted { base: None, looks, paths_patience: Duration::ZERO, stop: Stop::default() };
    inspect(repo.path(), &Config::default(), now, data_dir, &wanted, &|_| {}).unwrap().facts
}

/// The exit codes of the full check and of connectivity, ours and git's.
fn codes(repo: &Repo) -> [(i32, i32); 2] {
    let facts = seen_at(repo, NOW, None);
    let says = |word| git_output(repo.path(), ["fsck", "--no-dangling", word]).status.code().unwrap();
    [
        (facts.objects.seen().unwrap().code, says("--full")),
        (facts.connectivity.seen().unwrap().code, says("--connectivity-only")),
    ]
}

fn packs(repo: &Repo, memory: &Memory, stop: &Stop) -> Known<PackBytes> {
    pack_bytes(&open(repo.path()).unwrap(), memory, stop, &|_, _| {})
}

fn the_pack(repo: &Repo, ending: &str) -> PathBuf {
    let folder = open(repo.path()).unwrap().objects_dir.join("pack");
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|file| file.extension().is_some_and(|found| found == ending)).unwrap()
}

/// A repository with one pack that holds everything.
fn packed() -> Repo {
    let repo = sketch("main: a b c").draw();
    git(repo.path(), ["repack", "-a", "-d", "-q"]);
    repo
}

/// Where the object of this revision lies, after it was written on its own.
fn loose(repo: &Repo, revision: &str) -> PathBuf {
    let pack = the_pack(repo, "pack");
    let aside = repo.room().join("aside.pack");
    fs::rename(&pack, &aside).unwrap();
    let line = format!("git unpack-objects -q < '{}'", aside.display());
    assert!(std::process::Command::new("sh").arg("-c").arg(line).current_dir(repo.path()).status().unwrap().success());
    fs::remove_file(pack.with_extension("idx")).unwrap();
    let _ = fs::remove_file(pack.with_extension("rev"));
    let oid = git(repo.path(), ["rev-parse", revision]).trim().to_owned();
    open(repo.path()).unwrap().objects_dir.join(&oid[..2]).join(&oid[2..])
}

/// Changes a file that git made read-only.
fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = fs::read(file).unwrap();
    change(&mut content);
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(file, content).unwrap();
}

#[test]
fn a_whole_repository_is_well_as_git_says() {
    let repo = packed();
    assert_eq!(codes(&repo), [(0, 0), (0, 0)]);
    assert_eq!(packs(&repo, &Memory::none(), &Stop::default()).seen().unwrap().n_sound, 1);
}

#[test]
fn a_missing_and_a_damaged_object_are_told_with_the_bits_of_git() {
    let repo = packed();
    let object = loose(&repo, "main~1^{tree}");
    change(&object, |content| content.truncate(5));
    let [(full, git_full), _] = codes(&repo);
    assert_eq!(full, git_full);
    assert_ne!(full, 0, "damaged");
    fs::remove_file(&object).unwrap();
    let [(full, git_full), (connected, git_connected)] = codes(&repo);
    assert_eq!((full, connected), (git_full, git_connected));
    assert_eq!(connected & 2, 2, "missing");
    let lines = seen_at(&repo, NOW, None).connectivity.seen().unwrap().lines.clone();
    assert!(lines.iter().any(|line| line.starts_with("missing tree ")), "{lines:?}");
}

#[test]
fn a_damaged_commit_graph_has_its_own_bit() {
    let repo = packed();
    git(repo.path(), ["commit-graph", "write", "--reachable"]);
    let graph = open(repo.path()).unwrap().objects_dir.join("info/commit-graph");
    change(&graph, |content| {
        let end = content.len();
        content[end - 25] ^= 1;
    });
    let facts = seen_at(&repo, NOW, None);
    let code = git_output(repo.path(), ["fsck", "--full"]).status.code().unwrap();
    assert_eq!((facts.objects.seen().unwrap().code, code & 16), (code, 16));
}

#[test]
fn a_git_that_gives_up_is_unknown() {
    let repo = packed();
    fs::write(open(repo.path()).unwrap().git_dir.join("index"), "garbage that is no index at all").unwrap();
    let facts = seen_at(&repo, NOW, None);
    assert!(facts.objects.reason().unwrap().contains("gave up"), "{:?}", facts.objects);
    assert!(facts.connectivity.reason().is_some());
}

#[test]
fn what_was_well_is_remembered_until_something_changes_or_time_is_over() {
    let repo = packed();
    let data = tempfile::tempdir().unwrap();
    let at = |seconds: i64| {
        let facts = seen_at(&repo, Timestamp(NOW.0 + seconds), Some(data.path()));
        (facts.objects.seen().unwrap().checked_at.0 - NOW.0, facts.pack_bytes.seen().unwrap().n_read)
    };
    assert_eq!(at(0), (0, 1));
    assert_eq!(at(60), (0, 0), "nothing changed");
    git(repo.path(), ["branch", "other", "main~1"]);
    assert_eq!(at(120), (120, 0), "a ref came");
    assert_eq!(at(31 * 86_400).0, 31 * 86_400, "bytes can rot");
    fs::remove_file(loose(&repo, "main~1^{tree}")).unwrap();
    for seconds in [32 * 86_400, 32 * 86_400 + 60] {
        let facts = seen_at(&repo, Timestamp(NOW.0 + seconds), Some(data.path()));
        assert_eq!(facts.objects.seen().unwrap().checked_at.0 - NOW.0, seconds, "what is ill is looked at again");
    }
}

/// What is done to the bytes of a file.
type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn a_pack_with_a_changed_byte_and_a_cut_one_are_damaged() {
    let flip = |content: &mut Vec<u8>| content[20] ^= 1;
    let cases: [(&str, Damage<'_>, &str); 4] = [
        ("pack", &flip, "its .pack is not what was written"),
        ("pack", &|content| content.truncate(30), "its .pack is too short"),
        ("pack", &|content| content.truncate(60), "its .pack is not what was written"),
        ("idx", &flip, "its .idx is not what was written"),
    ];
    for (ending, damage, told) in cases {
        let repo = packed();
        change(&the_pack(&repo, ending), damage);
        let seen = packs(&repo, &Memory::none(), &Stop::default()).seen().unwrap().clone();
        assert!(seen.damaged[0].1.starts_with(told), "{seen:?}");
        let idx = the_pack(&repo, "idx");
        assert!(!git_output(repo.path(), ["verify-pack", idx.to_str().unwrap()]).status.success(), "git says the same");
    }
    let repo = packed();
    fs::remove_file(the_pack(&repo, "idx")).unwrap();
    assert_eq!(
        *packs(&repo, &Memory::none(), &Stop::default()).seen().unwrap(),
        PackBytes::default(),
        "no pack for git"
    );
}

#[test]
fn a_folder_in_place_of_a_pack_is_unread_and_an_interruption_is_unknown() {
    let repo = packed();
    let stopped = Stop::new(None, Arc::new(AtomicBool::new(true)));
    assert_eq!(packs(&repo, &Memory::none(), &stopped).reason(), Some("it was interrupted"));
    let pack = the_pack(&repo, "pack");
    fs::remove_file(&pack).unwrap();
    fs::create_dir(&pack).unwrap();
    let seen = packs(&repo, &Memory::none(), &Stop::default()).seen().unwrap().clone();
    assert_eq!((seen.n_sound, seen.unread.len()), (0, 1));
}

/// An object that git calls bad: a commit whose author has no address.
fn with_bad_commit() -> (Repo, String) {
    let repo = sketch("main: a").worktree().draw();
    let tree = repo.git(["rev-parse", "main^{tree}"]).trim().to_owned();
    let text = format!("tree {tree}\nauthor A 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n");
    let file = repo.room().join("commit");
    fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let oid = repo.git(["hash-object", "-t", "commit", "-w", "--literally", path]).trim().to_owned();
    repo.git(["update-ref", "refs/heads/bad", &oid]);
    (repo, oid)
}

#[test]
fn a_setting_of_the_repository_silences_no_damage() {
    let (repo, oid) = with_bad_commit();
    let ours = || seen_at(&repo, NOW, None).objects;
    let code = ours().seen().unwrap().code;
    assert_eq!(code & 1, 1, "git finds it");
    repo.git(["config", "fsck.missingEmail", "ignore"]);
    let included = repo.room().join("more");
    fs::write(&included, "[fsck]\n\tmissingEmail = warn\n").unwrap();
    repo.git(["config", "include.path", included.to_str().unwrap()]);
    assert_eq!(repo.git_output(["fsck", "--full"]).status.code(), Some(0), "the trap works");
    assert_eq!(ours().seen().unwrap().code, code);
    let list = repo.room().join("list");
    fs::write(&list, format!("{oid}\n")).unwrap();
    repo.git(["config", "fsck.skipList", list.to_str().unwrap()]);
    assert!(ours().reason().unwrap().contains("`fsck.skipList`"), "{:?}", ours());
}

#[test]
fn damage_to_derived_data_is_not_hidden_by_what_was_remembered() {
    let repo = packed();
    git(repo.path(), ["repack", "-adbq"]);
    git(repo.path(), ["commit-graph", "write", "--reachable"]);
    git(repo.path(), ["multi-pack-index", "write"]);
    let data = tempfile::tempdir().unwrap();
    let code = || seen_at(&repo, NOW, Some(data.path())).objects.seen().unwrap().code;
    assert_eq!(code(), 0);
    let objects = open(repo.path()).unwrap().objects_dir;
    let mut cases = vec![
        (objects.join("info/commit-graph"), 25, 16),
        (objects.join("pack/multi-pack-index"), 1, 32),
        (objects.join("pack/multi-pack-index"), FIRST, 128),
    ];
    if (2, 42) <= git_version() {
        cases.extend([(the_pack(&repo, "rev"), 25, 64), (the_pack(&repo, "bitmap"), 25, 128)]);
    }
    for (number, (file, from_end, bit)) in (1..).zip(cases) {
        let whole = fs::read(&file).unwrap();
        change(&file, |content| {
            let at = content.len().saturating_sub(from_end);
            content[at] ^= 1;
        });
        let ours = code();
        assert_eq!(Some(ours), git_output(repo.path(), ["fsck", "--full"]).status.code(), "{}", file.display());
        assert_eq!(ours & bit, bit, "{}: {ours}", file.display());
        mend(&repo, Timestamp(NOW.0 + number));
        assert_eq!(code(), 0, "{} was moved aside", file.display());
        let _ = fs::remove_file(&file);
        fs::write(&file, whole).unwrap();
    }
}

/// Farther from the end of a file than its beginning: the first byte.
const FIRST: usize = usize::MAX;

/// Pastes what the object check says.
fn mend(repo: &Repo, now: Timestamp) {
    let looks = Look::with_required([Look::Objects]);
    let wanted = Wanted { base: None, looks, paths_patience: Duration::ZERO, stop: Stop::default() };
    let snapshot = inspect(repo.path(), &Config::default(), now, None, &wanted, &|_| {}).unwrap();
    paste(repo, &finding(&snapshot, "object-check").remedy.commands);
}

/// The only finding of a check.
fn finding(snapshot: &Snapshot, id: &str) -> Finding {
    let wanted = |check: &checks::Check| if check.id == id { Ok(()) } else { Err("another".to_owned()) };
    let judged = checks::judge(snapshot, &Config::default(), snapshot.seen_at, wanted);
    let mut found: Vec<Finding> = judged.into_iter().flat_map(|one| one.findings).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Runs lines as a person would who pasted them.
fn paste(repo: &Repo, lines: &[String]) {
    for line in lines {
        let mut shell = std::process::Command::new("bash");
        shell.arg("-c").arg(line).current_dir(repo.path());
        let output = shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
        assert!(output.status.success(), "`{line}`: {output:?}");
    }
}
