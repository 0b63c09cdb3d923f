//! The shape of history, compared with an independent count by git's plumbing, on drawn and on
//! generated repositories; and on repositories where objects are missing or lie.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::Path,
    process::Stdio,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use alignwatch_git::{
    inspect::{Progress, Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{
    Known, Look, Snapshot, Timestamp, checks,
    config::Config,
    facts::{
        Shape,
        shape::{LISTED_BLOB_BYTES, Peak},
    },
};
use alignwatch_testkit::{Repo, generate, git, git_command, sketch};

fn seen_with(path: &Path, data_dir: Option<&Path>, stop: Stop, hears: &(dyn Fn(Progress) + Sync)) -> Snapshot {
    let wanted = Wanted { base: None, looks: Look::with_required([Look::Shape]), paths_patience: Duration::ZERO, stop };
    inspect(path, &Config::default(), Timestamp(1_800_000_000), data_dir, &wanted, hears).unwrap()
}

fn shape(path: &Path) -> Known<Shape> {
    seen_with(path, None, Stop::default(), &|_| {}).facts.shape
}

/// The same answers from git's plumbing, by git-sizer's definitions.
fn by_plumbing(path: &Path) -> Shape {
    let mut shape = Shape { n_refs: git(path, ["for-each-ref"]).lines().count() as u64, ..Shape::default() };
    let listed = git(path, ["rev-list", "--objects", "--no-object-names", "--all"]);
    let mut trees = BTreeSet::new();
    for line in batch(path, "--batch-check=%(objecttype) %(objectname) %(objectsize)", &listed).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let size: u64 = words[2].parse().unwrap();
        match words[0] {
            "commit" => {
                shape.n_commits += 1;
                shape.commit_bytes += size;
                reach(&mut shape.max_commit_bytes, size);
            }
            "tree" => {
                shape.n_trees += 1;
                shape.tree_bytes += size;
                trees.insert(words[1].to_owned());
            }
            "blob" => {
                shape.n_blobs += 1;
                shape.blob_bytes += size;
                reach(&mut shape.max_blob_bytes, size);
            }
            _ => shape.n_tags += 1,
        }
    }
    for tree in trees {
        let entries = git(path, ["ls-tree", &tree]).lines().count() as u64;
        shape.n_tree_entries += entries;
        reach(&mut shape.max_tree_entries, entries);
    }
    history(path, &mut shape);
    checkouts(path, &mut shape);
    shape
}

fn reach(peak: &mut Peak, value: u64) {
    peak.value = peak.value.max(value);
}

fn batch(path: &Path, form: &str, input: &str) -> String {
    let mut command = git_command(path, ["cat-file", form]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = format!("{input}\n");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn history(path: &Path, shape: &mut Shape) {
    let mut depths = BTreeMap::<String, u64>::new();
    for line in git(path, ["rev-list", "--topo-order", "--reverse", "--parents", "--all"]).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let depth = 1 + words[1..].iter().map(|parent| depths[*parent]).max().unwrap_or(0);
        depths.insert(words[0].to_owned(), depth);
        reach(&mut shape.max_parents, words.len() as u64 - 1);
        shape.max_history_depth = shape.max_history_depth.max(depth);
    }
}

fn checkouts(path: &Path, shape: &mut Shape) {
    let roots: BTreeSet<String> = git(path, ["log", "--all", "--format=%T"]).lines().map(str::to_owned).collect();
    for root in roots {
        let (mut folders, mut files, mut bytes, mut links, mut submodules) = (1, 0, 0, 0, 0);
        for line in git(path, ["ls-tree", "-r", "-t", "-l", "-z", &root]).split_terminator('\0') {
            let (about, name) = line.split_once('\t').unwrap();
            let about: Vec<&str> = about.split_whitespace().collect();
            match about[0] {
                "040000" => folders += 1,
                "160000" => submodules += 1,
                "120000" => links += 1,
                _ => {
                    files += 1;
                    bytes += about[3].parse::<u64>().unwrap();
                }
            }
            reach(&mut shape.max_path_depth, 1 + name.matches('/').count() as u64);
            reach(&mut shape.max_path_bytes, name.len() as u64);
        }
        reach(&mut shape.max_directories, folders);
        reach(&mut shape.max_files, files);
        reach(&mut shape.max_checkout_bytes, bytes);
        reach(&mut shape.max_links, links);
        reach(&mut shape.max_submodules, submodules);
    }
}

/// Only the numbers: which of several equal objects is named does not matter.
fn numbers(shape: &Shape) -> Shape {
    let mut shape = shape.clone();
    for peak in [
        &mut shape.max_commit_bytes,
        &mut shape.max_parents,
        &mut shape.max_tree_entries,
        &mut shape.max_blob_bytes,
        &mut shape.max_tag_depth,
        &mut shape.max_directories,
        &mut shape.max_path_depth,
        &mut shape.max_path_bytes,
        &mut shape.max_files,
        &mut shape.max_checkout_bytes,
        &mut shape.max_links,
        &mut shape.max_submodules,
    ] {
        peak.oid = None;
    }
    shape.big_blobs.clear();
    shape
}

/// A commit with everything that a tree can hold.
fn with_everything(repo: &Repo) {
    let stream = "commit refs/heads/odd\ncommitter A <a@example.org> 1790000000 +0000\ndata 3\nodd\
        \nM 120000 inline deep/er/link\ndata 8\n../../..\
        \nM 120000 inline again\ndata 8\n../../..\
        \nM 160000 1111111111111111111111111111111111111111 deep/submodule\
        \nM 100755 inline deep/er/and/deeper/run\ndata 4\nrun\n\
        \nM 100644 inline copy\ndata 4\nrun\n\
        \nM 100644 inline \"with \\303\\244\"\ndata 0\n\n";
    let mut command = repo.git_command(["fast-import", "--quiet"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn every_measure_is_the_one_that_git_counts() {
    let drawn = sketch("main: a(f=1) b m<x c\n work: a x(dir/sub/file=2) y\n tag v1: b\n other: z").draw();
    drawn.git(["tag", "-a", "-m", "one", "annotated", "main"]);
    with_everything(&drawn);
    let sha256 = sketch("main: a(f=1) b m<x c\n work: a x(dir/sub/file=2) y").sha256().loose_objects().draw();
    let room = tempfile::tempdir().unwrap();
    let generated = room.path().join("generated.git");
    generate(&alignwatch_testkit::Shape::like_649().scaled_to(8, 40), &generated);
    for path in [drawn.path(), sha256.path(), &generated] {
        let mut expected = by_plumbing(path);
        if path == drawn.path() {
            expected.max_tag_depth.value = 1;
        }
        assert_eq!(numbers(shape(path).seen().unwrap()), expected, "{}", path.display());
    }
}

#[test]
fn tags_of_tags_of_blobs_and_trees_are_counted() {
    let repo = sketch("main: a(f=1)").draw();
    let blob = repo.git(["rev-parse", "main:f"]);
    let tree = repo.git(["rev-parse", "main^{tree}"]);
    repo.git(["tag", "-a", "-m", "1", "on-blob", &blob]);
    repo.git(["tag", "-a", "-m", "2", "on-tag", "on-blob"]);
    repo.git(["tag", "-a", "-m", "3", "on-tag-of-tag", "on-tag"]);
    repo.git(["tag", "on-tree", &tree]);
    let shape = shape(repo.path()).seen().unwrap().clone();
    assert_eq!((shape.n_tags, shape.max_tag_depth.value, shape.n_blobs, shape.n_trees), (3, 3, 1, 1));
    assert_eq!(shape.max_tag_depth.oid.unwrap().hex(), repo.git(["rev-parse", "on-tag-of-tag"]));
}

#[test]
fn big_blobs_are_those_of_git_and_named() {
    let repo = sketch("main: a(f=1)").draw();
    let sizes = [LISTED_BLOB_BYTES - 1, LISTED_BLOB_BYTES, 11_000_000];
    let mut stream = "commit refs/heads/main\ncommitter A <a@example.org> 1790000000 +0000\ndata 3\nbig\
                      from refs/heads/main^0\n"
        .to_owned();
    for size in sizes {
        stream += &format!("M 100644 inline data/{size}.bin\ndata {size}\n{}\n", "x".repeat(size as usize));
    }
    let mut child = repo.git_command(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let shape = shape(repo.path()).seen().unwrap().clone();
    let ours: Vec<String> =
        shape.big_blobs.iter().map(|blob| format!("blob {} {}", blob.oid.hex(), blob.bytes)).collect();
    let said = repo.git(["cat-file", "--batch-all-objects", "--batch-check=%(objecttype) %(objectname) %(objectsize)"]);
    let is_listed = |line: &&str| {
        line.starts_with("blob") && LISTED_BLOB_BYTES <= line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let mut theirs: Vec<&str> = said.lines().filter(is_listed).collect();
    theirs.sort_by_key(|line| std::cmp::Reverse(line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()));
    assert_eq!(ours, theirs);
    assert_eq!(shape.big_blobs[0].name, "11000000.bin");
    let snapshot = seen_with(repo.path(), None, Stop::default(), &|_| {});
    let judged = checks::judge(&snapshot, &Config::default(), Timestamp(1_800_000_000), |_| Ok(()));
    let finding = judged.into_iter().flat_map(|one| one.findings).find(|one| one.check == "big-blobs").unwrap();
    let mut shell = std::process::Command::new("bash");
    let output = shell.arg("-c").arg(&finding.remedy.commands[0]).current_dir(repo.path()).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("A\tdata/11000000.bin"));
}

#[test]
fn missing_objects_are_counted_and_hide_nothing_else() {
    let repo = sketch("main: a(f=1) b(g=2) c(dir/h=3)").draw();
    let whole = shape(repo.path()).seen().unwrap().clone();
    repo.remove_object("main:dir");
    let part = shape(repo.path()).seen().unwrap().clone();
    assert_eq!((part.n_unread, part.n_commits, part.n_trees), (1, whole.n_commits, whole.n_trees - 1));
    assert!(part.unread_reason.contains("missing"), "{}", part.unread_reason);
    repo.remove_object("main~1:g");
    repo.remove_object("main~2");
    let part = shape(repo.path()).seen().unwrap().clone();
    assert_eq!((part.n_unread, part.n_commits), (3, whole.n_commits - 1));
}

#[test]
fn a_tree_that_contains_itself_ends() {
    let repo = sketch("main: a(f=1)").draw();
    let root = repo.git(["rev-parse", "main^{tree}"]);
    repo.remove_object(&root);
    // The content of a tree with an entry that names the tree itself, under the id of the old one.
    let mut content = b"40000 again\0".to_vec();
    content.extend((0..20).map(|at| u8::from_str_radix(&root[2 * at..2 * at + 2], 16).unwrap()));
    let mut command = repo.git_command(["hash-object", "-w", "-t", "tree", "--literally", "--stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&content).unwrap();
    let liar = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let place = |oid: &str| repo.git_dir().join("objects").join(&oid[..2]).join(&oid[2..40]);
    fs::create_dir_all(place(&root).parent().unwrap()).unwrap();
    fs::rename(place(&liar), place(&root)).unwrap();
    let shape = shape(repo.path()).seen().unwrap().clone();
    assert!(shape.unread_reason.contains("contains itself"), "{shape:?}");
}

#[test]
fn a_shallow_clone_has_no_shape() {
    let repo = sketch("main: a b c d").shallow(2).draw();
    assert!(shape(repo.path()).reason().unwrap().contains("shallow"));
}

#[test]
fn an_unchanged_repository_is_not_scanned_twice() {
    let mut repo = sketch("main: a(f=1) b c").draw();
    let data = tempfile::tempdir().unwrap();
    let look = |repo: &Repo| {
        let steps = std::sync::atomic::AtomicUsize::new(0);
        let hears = |at: Progress| {
            if matches!(at, Progress::Step(..)) {
                steps.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        };
        let snapshot = seen_with(repo.path(), Some(data.path()), Stop::default(), &hears);
        (snapshot.facts.shape.seen().unwrap().clone(), 0 < steps.into_inner())
    };
    let (first, was_scanned) = look(&repo);
    assert!(was_scanned);
    repo.git(["branch", "same", "main"]);
    let (second, was_scanned) = look(&repo);
    assert!(!was_scanned, "nothing new is reached");
    assert_eq!(second, Shape { n_refs: 2, ..first.clone() });
    repo.draw_more("main: c d(f=2)");
    let (third, was_scanned) = look(&repo);
    assert!(was_scanned && third.n_commits == first.n_commits + 1);
    let blob = repo.git(["rev-parse", "main:f"]);
    repo.remove_object(&blob);
    repo.git(["update-ref", "refs/heads/new", &repo.oid("b").hex()]);
    let _ = look(&repo);
    repo.git(["update-ref", "-d", "refs/heads/same"]);
    let (part, was_scanned) = look(&repo);
    assert!(was_scanned && part.n_unread == 1);
    assert_eq!(look(&repo), (part, false), "nor with an object that is missing");
    let mut child = repo.git_command(["hash-object", "-w", "--stdin"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"2\n").unwrap();
    assert!(child.wait().unwrap().success());
    let (healed, was_scanned) = look(&repo);
    assert!(was_scanned && healed.n_unread == 0, "{blob}: {healed:?}");
}

#[test]
fn an_interruption_ends_it_and_it_is_unknown() {
    let repo = sketch("main: a(f=1) b c").draw();
    let flag = Arc::new(AtomicBool::new(false));
    let interrupt = |at: Progress| {
        if at == Progress::Phase("measuring all objects") {
            flag.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    };
    let snapshot = seen_with(repo.path(), None, Stop::new(None, Arc::clone(&flag)), &interrupt);
    assert_eq!(snapshot.facts.shape.reason(), Some("it was interrupted"));
    let called = Cell::new(0);
    let judged = checks::judge(&snapshot, &Config::default(), Timestamp(0), |_| {
        called.set(called.get() + 1);
        Ok(())
    });
    assert!(judged.iter().any(|one| one.check.id == "shape" && one.reason.as_deref() == Some("it was interrupted")));
}
