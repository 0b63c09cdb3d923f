//! What is stored, compared with `git count-objects -v` number by number, in repositories
//! that are well, ill, and not to be read.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use alignwatch_git::{
    health::storage::storage,
    inspect::{Wanted, inspect},
    memory::Memory,
    repository::open,
    stop::Stop,
};
use alignwatch_model::{
    Finding, Known, Look, Snapshot, Timestamp, checks,
    config::Config,
    facts::{
        Storage,
        storage::{Growth, Loose},
    },
};
use alignwatch_testkit::{Repo, sketch};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp(since.as_secs().try_into().unwrap())
}

fn stored(repo: &Repo) -> Storage {
    storage(&open(repo.path()).unwrap(), now(), &Memory::none())
}

fn loose(storage: &Storage) -> &Loose {
    storage.loose.seen().unwrap()
}

/// What we counted, in the form and the units of `git count-objects -v`.
fn as_git_says(storage: &Storage) -> String {
    let loose = loose(storage);
    let packs = storage.packs.seen().unwrap();
    let garbage = storage.garbage.seen().unwrap();
    let n_packed: u64 = packs.iter().map(|pack| pack.n_objects).sum();
    let pack_bytes: u64 = packs.iter().map(|pack| pack.bytes).sum();
    format!(
        "count: {}\nsize: {}\nin-pack: {n_packed}\npacks: {}\nsize-pack: {}\nprune-packable: {}\ngarbage: {}\nsize-garbage: {}",
        loose.n,
        loose.disk_bytes / 1024,
        packs.len(),
        pack_bytes / 1024,
        loose.n_in_packs.seen().unwrap(),
        garbage.n,
        garbage.bytes / 1024,
    )
}

fn git_says(repo: &Repo) -> String {
    let said = repo.git(["count-objects", "-v"]);
    said.lines().filter(|line| !line.starts_with("alternate:")).collect::<Vec<_>>().join("\n")
}

fn objects(repo: &Repo) -> PathBuf {
    repo.git_dir().join("objects")
}

fn put(path: PathBuf, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Makes a file look so many hours older.
fn age(path: &Path, hours: u64) {
    let file = fs::File::open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600 * hours)).unwrap();
}

fn the_pack(repo: &Repo, ending: &str) -> PathBuf {
    let entries = fs::read_dir(objects(repo).join("pack")).unwrap();
    entries.map(|entry| entry.unwrap().path()).find(|path| path.extension() == Some(ending.as_ref())).unwrap()
}

/// Puts a loose copy of what is packed beside it.
fn loosen(repo: &Repo) {
    let pack = fs::read(the_pack(repo, "pack")).unwrap();
    let aside = repo.room().join("aside");
    fs::rename(objects(repo).join("pack"), &aside).unwrap();
    let mut child = repo.git_command(["unpack-objects", "-q"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), &pack).unwrap();
    assert!(child.wait().unwrap().success());
    let _ = fs::remove_dir_all(objects(repo).join("pack"));
    fs::rename(aside, objects(repo).join("pack")).unwrap();
}

/// Every kind of litter that Git knows, and some that it does not count.
fn litter(repo: &Repo) {
    let objects = objects(repo);
    for (path, content) in [
        ("17/tmp_obj_aB3", &b"half an object"[..]),
        ("17/not-hexadecimal-not-hexadecimal-not-he", b"x"),
        ("17/0123456789", b"too short"),
        ("ff/.hidden", b""),
        ("pack/README", &[b'r'; 3000]),
        ("pack/pack-1.pack", &[b'p'; 5000]),
        ("pack/pack-2.idx", b"i"),
        ("pack/pack-2.keep", b"k"),
        ("pack/pack-3.bitmap", b"b"),
        ("pack/tmp_pack_x", b"t"),
        ("pack/.tmp-77-pack-a.pack", b"t"),
        ("pack/.tmp-77-pack-a.idx", b"t"),
        ("pack/multi-pack-index.lock", b""),
        ("pack/multi-pack-index-12.rev", b""),
        ("pack/pack-4.pack.pack", b"x"),
        ("AB/0123456789012345678901234567890123456789", b"not a folder of ours"),
        ("info/tmp_x", b""),
    ] {
        put(objects.join(path), content);
    }
    fs::create_dir_all(objects.join("tmp_objdir-incoming-x/17")).unwrap();
    fs::create_dir_all(objects.join("17").join("a".repeat(38))).unwrap();
    symlink("nowhere", objects.join("17").join("b".repeat(38))).unwrap();
    symlink("nowhere", objects.join("pack/dangling")).unwrap();
}

#[test]
fn the_numbers_are_those_of_git() {
    type Make = (&'static str, fn() -> Repo);
    let drawn: [Make; 8] = [
        ("packed", || sketch("main: a b c\n work: a x").draw()),
        ("loose", || sketch("main: a b c").worktree().loose_objects().draw()),
        ("sha256", || sketch("main: a b c").sha256().loose_objects().draw()),
        ("both", || {
            let repo = sketch("main: a b c").draw();
            loosen(&repo);
            repo
        }),
        ("littered", || {
            let repo = sketch("main: a b c").draw();
            loosen(&repo);
            litter(&repo);
            repo
        }),
        ("an index is cut off", || {
            let repo = sketch("main: a b c").draw();
            let index = the_pack(&repo, "idx");
            let half = fs::read(&index).unwrap()[..900].to_vec();
            fs::remove_file(&index).unwrap();
            fs::write(index, half).unwrap();
            repo
        }),
        ("old index", || {
            let repo = sketch("main: a b c").loose_objects().draw();
            repo.git(["-c", "pack.indexVersion=1", "repack", "-q", "-d"]);
            loosen(&repo);
            repo
        }),
        ("several packs with an index of all", || {
            let mut repo = sketch("main: a b").draw();
            repo.draw_more("main: b c");
            repo.git(["repack", "-q", "-d", "--write-midx", "--write-bitmap-index", "-a"]);
            repo
        }),
    ];
    for (name, draw) in drawn {
        let repo = draw();
        assert_eq!(as_git_says(&stored(&repo)), git_says(&repo), "{name}");
    }
}

#[test]
fn objects_that_are_packed_where_it_borrows_count_as_packed() {
    let lender = sketch("main: a b c").draw();
    let repo = sketch("main: a b c").loose_objects().draw();
    put(objects(&repo).join("info/alternates"), objects(&lender).as_os_str().as_encoded_bytes());
    assert_eq!(as_git_says(&stored(&repo)), git_says(&repo));
    assert_ne!(loose(&stored(&repo)).n_in_packs, Known::Seen(0));
}

#[test]
fn packs_are_told_apart() {
    let repo = sketch("main: a b c").loose_objects().draw();
    repo.git(["update-ref", "-d", "refs/heads/main"]);
    repo.draw_again();
    let packs = stored(&repo).packs.seen().unwrap().clone();
    let (cruft, usual): (Vec<_>, Vec<_>) = packs.iter().partition(|pack| pack.is_cruft);
    assert_eq!((cruft.len(), usual.len()), (1, 1), "{packs:?}");
    assert!(usual[0].has_bitmap && !cruft[0].has_bitmap);
    put(the_pack(&repo, "mtimes").with_extension("keep"), b"fetch-pack 7 on host\n");
    let packs = stored(&repo).packs.seen().unwrap().clone();
    let keep = packs.iter().find_map(|pack| pack.keep.as_ref()).unwrap();
    assert_eq!(keep.text, Known::Seen("fetch-pack 7 on host".into()));
}

/// Draws a second history, and packs both: what no ref reaches goes into a cruft pack.
trait DrawAgain {
    fn draw_again(&self);
}

impl DrawAgain for Repo {
    fn draw_again(&self) {
        let tree = self.git(["write-tree"]);
        let commit = self.git(["commit-tree", "-m", "new", &tree]);
        self.git(["update-ref", "refs/heads/main", &commit]);
        self.git(["reflog", "expire", "--expire=now", "--all"]);
        self.git(["repack", "-q", "-a", "-d", "-b", "--cruft"]);
    }
}

#[test]
fn what_cannot_be_read_is_unknown_and_hides_nothing_else() {
    let place_a_file = |path: &str| {
        let repo = sketch("main: a b c").draw();
        let path = repo.git_dir().join(path);
        let _ = fs::remove_dir_all(&path);
        put(path, b"");
        repo
    };
    let closed = stored(&place_a_file("objects/17"));
    assert!(closed.loose.reason().unwrap().contains("objects/17"), "{closed:?}");
    assert!(closed.packs.seen().is_some() && closed.garbage.seen().is_none() && closed.growth.seen().is_none());
    let repo = place_a_file("objects/pack");
    let closed = storage(&open(repo.path()).unwrap(), now(), &Memory::none());
    assert!(closed.packs.seen().is_none() && closed.temporary.seen().is_none() && closed.loose.seen().is_some());
    let closed = stored(&place_a_file("rr-cache"));
    assert!(closed.resolutions.seen().is_none() && closed.reflogs.seen().is_some());
    let closed = stored(&place_a_file("logs"));
    assert!(closed.reflogs.seen().is_none() && closed.resolutions.seen().is_some());
}

#[test]
fn hostile_files_of_a_pack_are_named_and_not_read() {
    let repo = sketch("main: a b c").draw();
    let keep = the_pack(&repo, "pack").with_extension("keep");
    fs::create_dir(&keep).unwrap();
    let pack = stored(&repo).packs.seen().unwrap()[0].clone();
    assert!(pack.keep.unwrap().text.reason().unwrap().contains("not a regular file"));
    let index = the_pack(&repo, "idx");
    for content in [&b""[..], b"\xfftOc\0\0\0\x09", &[0xff; 5000], &[0; 1024]] {
        fs::remove_file(&index).unwrap();
        fs::write(&index, content).unwrap();
        let storage = stored(&repo);
        assert_eq!(storage.packs.seen().unwrap().len(), 0);
        assert_eq!(storage.unusable_packs.len(), 1, "{:?}", content.len());
        assert_eq!(as_git_says(&storage), git_says(&repo));
    }
}

fn seen_at(repo: &Repo, now: Timestamp, data_dir: Option<&Path>) -> Snapshot {
    let looks = Look::with_required([Look::Storage]);
    let wanted = Wanted { base: None, looks, paths_patience: Duration::ZERO, stop: Stop::default() };
    inspect(repo.path(), &Config::default(), now, data_dir, &wanted, &|_| {}).unwrap()
}

fn found(repo: &Repo, config: &Config) -> Vec<Finding> {
    let judged = checks::judge(&seen_at(repo, now(), None), config, now(), ours);
    judged.into_iter().flat_map(|one| one.findings).collect()
}

/// Checks of this family; those of others have tests of their own.
fn ours(check: &checks::Check) -> Result<(), String> {
    let is_ours = [checks::Family::Storage, checks::Family::Speed].contains(&check.family);
    if is_ours { Ok(()) } else { Err("not ours".into()) }
}

fn ids(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.check).collect()
}

/// Pastes the remedies of all findings, as a person would.
fn paste_all(repo: &Repo, findings: &[Finding]) {
    for line in findings.iter().flat_map(|finding| &finding.remedy.commands) {
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(line).current_dir(repo.path());
        shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = shell.output().unwrap();
        assert!(output.status.success(), "`{line}` fails: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Limits that small repositories reach.
fn strict() -> Config {
    let mut config = Config::default();
    let limits = [("loose-objects", 1), ("stale-loose-objects", 1), ("pack-count", 1), ("full-repack-age", 1)];
    config.thresholds.extend(limits.map(|(check, limit)| (check.to_owned(), limit)));
    config
}

#[test]
fn a_repository_that_is_well_has_no_findings() {
    let repo = sketch("main: a b c").worktree().draw();
    assert_eq!(ids(&found(&repo, &Config::default())), [""; 0]);
}

#[test]
fn each_illness_is_found_and_its_remedy_mends_it() {
    let repo = sketch("main: a b c").draw();
    loosen(&repo);
    let objects = objects(&repo);
    fs::create_dir_all(objects.join("tmp_objdir-incoming-x/17")).unwrap();
    age(&objects.join("tmp_objdir-incoming-x"), 25);
    for path in ["17/0123456789", "pack/pack-1.old", "17/tmp_obj_aB3", "pack/tmp_pack_x"] {
        put(objects.join(path), b"litter");
        age(&objects.join(path), 25);
    }
    for path in Vec::from_iter(loose_files(&objects)) {
        age(&path, 24 * 11);
    }
    let before = repo.git(["rev-list", "--objects", "--all"]);
    let findings = found(&repo, &strict());
    assert_eq!(
        ids(&findings),
        ["loose-objects", "stale-loose-objects", "duplicate-loose-objects", "garbage-files", "temporary-files"]
    );
    paste_all(&repo, &findings);
    assert_eq!(ids(&found(&repo, &strict())), [""; 0]);
    assert_eq!(repo.git(["rev-list", "--objects", "--all"]), before);
    assert!(repo.git_dir().join("quarantine/objects-pack-pack-1.old").exists(), "it is only moved");
}

fn loose_files(objects: &Path) -> impl Iterator<Item = PathBuf> {
    let is_fan = |path: &PathBuf| path.file_name().unwrap().len() == 2 && path.is_dir();
    let folders: Vec<PathBuf> = fs::read_dir(objects).unwrap().map(|entry| entry.unwrap().path()).collect();
    let below = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_object = |path: &PathBuf| path.is_file() && path.file_name().unwrap().len() == 38;
    folders.into_iter().filter(is_fan).flat_map(below).filter(is_object)
}

#[test]
fn many_old_kept_and_cruft_packs_are_found_and_mended() {
    let mut repo = sketch("main: a b").draw();
    repo.draw_more("main: b c");
    repo.git(["repack", "-q", "-d"]);
    repo.draw_more("main: c d\n gone: a x");
    repo.git(["repack", "-q", "-d"]);
    for pack in stored(&repo).packs.seen().unwrap() {
        age(&objects(&repo).join("pack").join(format!("{}.pack", pack.name)), 24 * 6);
    }
    let before = repo.git(["rev-list", "--objects", "--all"]);
    let findings = found(&repo, &strict());
    assert_eq!(ids(&findings), ["pack-count", "full-repack-age"]);
    paste_all(&repo, &findings);
    assert_eq!(ids(&found(&repo, &strict())), [""; 0]);
    repo.git(["branch", "-D", "gone"]);
    repo.git(["repack", "-q", "-a", "-d", "--cruft"]);
    let keep = the_pack(&repo, "mtimes").with_extension("keep");
    put(keep.clone(), b"receive-pack 7 on host\n");
    age(&keep, 24 * 8);
    let findings = found(&repo, &strict());
    assert_eq!(ids(&findings), ["kept-packs", "cruft-packs"]);
    paste_all(&repo, &findings);
    assert!(!keep.exists());
    assert_eq!(repo.git(["cat-file", "-t", &repo.oid("x").hex()]), "commit", "nothing is lost");
    assert!(before.contains(&repo.oid("x").hex()));
}

#[test]
fn growth_is_told_from_the_second_day_on() {
    let repo = sketch("main: a b c").draw();
    let data = tempfile::tempdir().unwrap();
    let growth = |hours: i64| {
        let snapshot = seen_at(&repo, Timestamp(now().0 + 3600 * hours), Some(data.path()));
        snapshot.facts.storage.seen().unwrap().growth.seen().unwrap().clone()
    };
    assert!(matches!(growth(0), Growth::NotYet(_)));
    assert!(matches!(growth(10), Growth::NotYet(_)));
    put(objects(&repo).join("pack/garbage"), &[b'x'; 100_000]);
    let Growth::Since { bytes_then, bytes_now, .. } = growth(25) else { panic!("{:?}", growth(25)) };
    assert_eq!(bytes_now, bytes_then + 100_000);
}
