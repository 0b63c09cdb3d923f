//! Refs, compared with what git lists and allows.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod plain_git;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use alignwatch_git::refs::{Refs, check_name, read_files, read_refs, upstreams};
use alignwatch_git::repository::open;
use alignwatch_git::run::Git;
use alignwatch_model::snapshot::Head;
use alignwatch_model::{Known, RefName};
use plain_git::{can, command, commit, git, with_commit};

fn temp() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    (folder, path)
}

fn read(folder: &Path) -> Refs {
    let opened = open(folder).unwrap();
    let git = Git::find().unwrap();
    read_refs(&opened, &git.at(&opened).unwrap()).unwrap()
}

/// One line a ref, as `git for-each-ref` says it of what it can read.
fn as_git_says(folder: &Path) -> String {
    git(folder, &["for-each-ref", "--format=%(refname) %(objectname) %(symref)"])
}

fn as_we_say(refs: &Refs) -> String {
    let line = |item: &alignwatch_git::refs::Ref| {
        format!("{} {} {}", item.name, item.oid, item.symref.as_ref().map_or(String::new(), RefName::to_string))
    };
    refs.all.iter().map(line).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn broken(refs: &Refs) -> Vec<String> {
    refs.broken.iter().map(|item| format!("{}: {}", item.name, item.reason)).collect()
}

fn write(file: PathBuf, content: impl AsRef<[u8]>) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

#[test]
fn loose_packed_and_symbolic_refs_are_those_git_lists() {
    let (_keep, root) = temp();
    with_commit(&root);
    git(&root, &["branch", "old"]);
    git(&root, &["branch", "deleted"]);
    git(&root, &["tag", "-m", "a tag", "v1"]);
    git(&root, &["pack-refs", "--all"]);
    git(&root, &["branch", "-D", "-q", "deleted"]);
    commit(&root, "second");
    git(&root, &["branch", "new/deep/er"]);
    git(&root, &["symbolic-ref", "refs/heads/alias", "refs/heads/old"]);
    git(&root, &["symbolic-ref", "refs/remotes/o/HEAD", "refs/heads/alias"]);
    let refs = read(&root);
    assert_eq!(as_we_say(&refs), as_git_says(&root));
    assert_eq!(broken(&refs), Vec::<String>::new());
    let tag = refs.get(&"refs/tags/v1".into()).unwrap();
    assert_eq!(tag.peeled.unwrap().hex(), git(&root, &["rev-parse", "v1^{}"]));
    assert_eq!(refs.head, Known::Seen(Head::Branch("refs/heads/main".into())));
}

#[test]
fn sha256_refs_are_read() {
    let (_keep, root) = temp();
    git(&root, &["init", "-q", "--object-format=sha256", "-b", "main"]);
    commit(&root, "one");
    git(&root, &["tag", "-m", "t", "t"]);
    git(&root, &["pack-refs", "--all"]);
    git(&root, &["branch", "x"]);
    let refs = read(&root);
    assert_eq!(as_we_say(&refs), as_git_says(&root));
    assert_eq!(refs.all.len(), 3);
}

#[test]
fn one_broken_ref_blinds_nobody() {
    let (_keep, root) = temp();
    with_commit(&root);
    let oid = git(&root, &["rev-parse", "HEAD"]);
    git(&root, &["branch", "good"]);
    let heads = root.join(".git/refs/heads");
    write(heads.join("empty"), "");
    write(heads.join("garbage"), "this is no id\n");
    write(heads.join("short"), "abc123\n");
    write(heads.join("zeros"), format!("{}\n", "0".repeat(40)));
    write(heads.join("dangling"), "ref: refs/heads/nowhere\n");
    write(heads.join("loop-a"), "ref: refs/heads/loop-b\n");
    write(heads.join("loop-b"), "ref: refs/heads/loop-a\n");
    write(heads.join("to-empty"), "ref: refs/heads/empty\n");
    write(heads.join("bad~name"), format!("{oid}\n"));
    write(heads.join("passed-over.lock"), "");
    write(heads.join(".hidden"), "");
    write(heads.join("trailing"), format!("{oid} and more\n"));
    write(heads.join("missing-object"), format!("{}\n", "1".repeat(40)));
    let refs = read(&root);
    assert_eq!(
        broken(&refs),
        [
            "refs/heads/bad~name: its name holds the character 0x7e",
            "refs/heads/dangling: it names `refs/heads/nowhere`, which does not exist",
            "refs/heads/empty: its file is empty",
            "refs/heads/garbage: its file holds neither an id nor the name of a ref",
            "refs/heads/loop-a: it names `refs/heads/loop-b`, and so on without an end",
            "refs/heads/loop-b: it names `refs/heads/loop-a`, and so on without an end",
            "refs/heads/short: its id has 6 digits in place of 40",
            "refs/heads/to-empty: it names `refs/heads/empty`, which is broken: its file is empty",
            "refs/heads/zeros: it points to nothing (the id is all zeros)",
        ]
    );
    assert_eq!(as_we_say(&refs), as_git_says(&root));
    assert!(refs.get(&"refs/heads/missing-object".into()).is_some());
}

#[test]
fn a_bad_line_of_packed_refs_hides_no_other_line() {
    let (_keep, root) = temp();
    with_commit(&root);
    let oid = git(&root, &["rev-parse", "HEAD"]);
    let lines = [
        format!("{oid} refs/heads/z"),
        "what is this".into(),
        format!("{oid} refs/heads/a"),
        format!("{} refs/heads/short", &oid[..39]),
        format!("{oid} refs/heads/b..c"),
        format!("^{}", "2".repeat(40)),
        format!("{oid} refs/heads/cut-o"),
    ];
    write(root.join(".git/packed-refs"), lines.join("\n"));
    let refs = read(&root);
    let names: Vec<_> = refs.all.iter().map(|item| item.name.to_string()).collect();
    assert_eq!(names, ["refs/heads/a", "refs/heads/main", "refs/heads/z"]);
    assert_eq!(
        broken(&refs),
        [
            "packed-refs:2: this line of packed-refs is no ref",
            "packed-refs:4: this line of packed-refs is no ref",
            "refs/heads/b..c: its name holds `..`",
            "refs/heads/cut-o: its line has no end, so its name may be cut off",
        ]
    );
}

#[test]
fn links_are_symbolic_refs_or_stay_inside() {
    let (_keep, root) = temp();
    with_commit(&root);
    let oid = git(&root, &["rev-parse", "HEAD"]);
    let heads = root.join(".git/refs/heads");
    fs::create_dir(root.join("outside")).unwrap();
    write(root.join("outside/secret"), format!("{oid}\n"));
    write(heads.join("sub/one"), format!("{oid}\n"));
    write(heads.join("refs/heads/main"), format!("{oid}\n"));
    symlink("refs/heads/main", heads.join("old-style")).unwrap();
    symlink("main", heads.join("to-file")).unwrap();
    symlink("sub", heads.join("to-folder")).unwrap();
    assert_eq!(as_we_say(&read(&root)), as_git_says(&root));
    symlink(root.join("outside"), heads.join("out")).unwrap();
    symlink("/etc/passwd", heads.join("passwd")).unwrap();
    symlink("nowhere", heads.join("lost")).unwrap();
    symlink("..", heads.join("round")).unwrap();
    let refs = read(&root);
    let out = format!(
        "refs/heads/out: it is a link that leads out of the repository, to `{}`",
        root.join("outside").display()
    );
    assert_eq!(
        broken(&refs),
        [
            "refs/heads/lost: it is a link that leads nowhere: No such file or directory (os error 2)",
            out.as_str(),
            "refs/heads/passwd: it is a link that leads out of the repository, to `/etc/passwd`",
            "refs/heads/round: it is a link to a folder it lies in",
        ]
    );
    assert_eq!(refs.all.len(), 6);
}

#[test]
fn a_pipe_among_refs_and_a_head_that_is_a_link_are_taken_as_git_takes_them() {
    let (_keep, root) = temp();
    with_commit(&root);
    let pipe = root.join(".git/refs/heads/pipe");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    fs::remove_file(root.join(".git/HEAD")).unwrap();
    symlink("refs/heads/main", root.join(".git/HEAD")).unwrap();
    let refs = read(&root);
    assert_eq!(as_we_say(&refs), as_git_says(&root));
    assert_eq!(broken(&refs), Vec::<String>::new());
    assert_eq!(refs.head, Known::Seen(Head::Branch("refs/heads/main".into())));
}

#[test]
fn refs_of_one_worktree_are_not_those_of_another() {
    let (_keep, root) = temp();
    let (main, linked) = (with_commit(&root.join("main")), root.join("linked"));
    git(&main, &["worktree", "add", "-q", "../linked"]);
    git(&main, &["update-ref", "refs/bisect/bad", "HEAD"]);
    git(&linked, &["update-ref", "refs/worktree/mine", "HEAD"]);
    for folder in [&main, &linked] {
        assert_eq!(as_we_say(&read(folder)), as_git_says(folder));
    }
    assert_eq!(read(&linked).head, Known::Seen(Head::Branch("refs/heads/linked".into())));
    assert_eq!(read(&main).head, Known::Seen(Head::Branch("refs/heads/main".into())));
}

#[test]
fn head_is_a_branch_unborn_detached_or_unknown() {
    let (_keep, root) = temp();
    git(&root, &["init", "-q", "-b", "main"]);
    assert_eq!(read(&root).head, Known::Seen(Head::Unborn("refs/heads/main".into())));
    let oid = commit(&root, "one");
    git(&root, &["checkout", "-q", "--detach"]);
    let Known::Seen(Head::Detached(detached)) = read(&root).head else { panic!("HEAD is detached") };
    assert_eq!(detached.hex(), oid);
    git(&root, &["symbolic-ref", "HEAD", "refs/heads/broken"]);
    write(root.join(".git/refs/heads/broken"), "");
    let reason = "HEAD names `refs/heads/broken`, which is broken: its file is empty";
    assert_eq!(read(&root).head, Known::Unknown(reason.into()));
}

#[test]
fn reftables_are_listed_by_git_with_one_broken_ref_among_them() {
    if !can(45, "reftable") {
        return;
    }
    let (_keep, root) = temp();
    git(&root, &["init", "-q", "--ref-format=reftable", "-b", "main"]);
    assert_eq!(read(&root).head, Known::Seen(Head::Unborn("refs/heads/main".into())));
    let oid = commit(&root, "one");
    git(&root, &["branch", "x"]);
    git(&root, &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    git(&root, &["symbolic-ref", "refs/heads/alias", "refs/heads/x"]);
    // A ref to an object that then goes missing.
    let lost = commit(&root, "lost");
    git(&root, &["branch", "lost"]);
    git(&root, &["reset", "-q", "--hard", &oid]);
    fs::remove_file(root.join(".git/objects").join(&lost[..2]).join(&lost[2..])).unwrap();
    let refs = read(&root);
    let said = format!(
        "refs/heads/alias {oid} refs/heads/x\nrefs/heads/lost {lost} \nrefs/heads/main {oid} \nrefs/heads/x {oid}"
    );
    assert_eq!(as_we_say(&refs), said);
    // Git lists no symbolic ref to nowhere, and says nothing of it.
    assert_eq!(broken(&refs), Vec::<String>::new());
    assert_eq!(refs.head, Known::Seen(Head::Branch("refs/heads/main".into())));
    git(&root, &["checkout", "-q", "--detach"]);
    assert!(matches!(read(&root).head, Known::Seen(Head::Detached(head)) if head.hex() == oid));
}

/// Names from a small generator: pieces that matter to the rules, in any order.
fn generated_names(count: usize) -> Vec<Vec<u8>> {
    let pieces: [&[u8]; 45] = [
        b"a",
        b"refs/",
        b"heads/",
        b"/",
        b".",
        b"..",
        b".lock",
        b"@",
        b"{",
        b"@{",
        b"~",
        b"^",
        b":",
        b"?",
        b"*",
        b"[",
        b"\\",
        b" ",
        b"\t",
        b"\x1b",
        b"\x7f",
        b"\xff\xfe",
        b"\xc3\xa9",
        b"-",
        b"HEAD",
        b"x.lock/",
        b"\x01",
        b"b/c",
        b"$(id)",
        b"'",
        b"topic",
        b"/x",
        b"/y",
        b"-z",
        b"_",
        b"+",
        b"=",
        b"%",
        b"#",
        b"\"",
        b"`",
        b"\xc2\x85",
        b"\xe2\x80\xae",
        b"}",
        b"lock",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut name = move || {
        let start: &[u8] = if next(2) == 0 { b"refs/heads/" } else { b"" };
        let parts = (0..1 + next(4)).map(|_| pieces[next(pieces.len())]).collect::<Vec<_>>();
        [start, &parts.concat()].concat()
    };
    (0..count).map(|_| name()).collect()
}

#[test]
fn names_are_allowed_exactly_when_git_allows_them() {
    let mut names = generated_names(1500);
    names.extend((1..=255).map(|byte| [b"refs/heads/x", &[byte][..], b"y"].concat()));
    // Those git would read as an option; no full name begins so.
    names.retain(|name| !name.starts_with(b"-"));
    names.sort();
    names.dedup();
    let mut n_allowed = 0;
    for name in &names {
        let arguments = [std::ffi::OsStr::new("check-ref-format"), std::ffi::OsStr::from_bytes(name)];
        let allowed = plain_git::attempt(Path::new("/"), &arguments).status.success();
        assert_eq!(check_name(name).is_ok(), allowed, "{}", name.escape_ascii());
        n_allowed += usize::from(allowed);
    }
    assert!(300 < n_allowed && n_allowed < names.len() - 300, "{n_allowed} of {}", names.len());
}

#[test]
fn thousands_of_odd_names_are_read_as_git_lists_them() {
    let (_keep, root) = temp();
    with_commit(&root);
    let mut allowed: Vec<Vec<u8>> =
        generated_names(6000).into_iter().filter(|name| name.starts_with(b"refs/heads/")).collect();
    allowed.retain(|name| check_name(name).is_ok());
    let mut input = Vec::new();
    let mut taken: BTreeMap<Vec<u8>, ()> = BTreeMap::new();
    for (at, name) in allowed.iter().enumerate() {
        // The number keeps folders and files apart.
        let name = [b"refs/heads/", at.to_string().as_bytes(), b"/", &name[11..]].concat();
        if taken.insert(name.clone(), ()).is_none() {
            input.extend([b"create ", &name[..], b"\0", git(&root, &["rev-parse", "HEAD"]).as_bytes(), b"\0"].concat());
        }
    }
    assert!(500 < taken.len());
    let mut child = command(&root).args(["update-ref", "-z", "--stdin"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&input).unwrap();
    assert!(child.wait().unwrap().success());
    for step in ["loose", "packed"] {
        if step == "packed" {
            git(&root, &["pack-refs", "--all"]);
        }
        let listed = plain_git::attempt(&root, &["for-each-ref", "--format=%(refname)"]).stdout;
        let ours = read_files(&open(&root).unwrap()).unwrap();
        let ours: Vec<u8> = ours.all.iter().flat_map(|item| [item.name.as_bytes(), b"\n"].concat()).collect();
        assert_eq!(ours, listed, "{step}");
    }
}

#[test]
fn upstreams_are_those_git_knows() {
    let (_keep, root) = temp();
    with_commit(&root);
    for name in ["plain", "gone", "local", "glob", "no-spec", "none", "odd.name"] {
        git(&root, &["branch", name]);
    }
    git(&root, &["update-ref", "refs/remotes/origin/plain", "HEAD"]);
    git(&root, &["update-ref", "refs/remotes/g/x/glob/y", "HEAD"]);
    write(
        root.join(".git/more"),
        "[branch \"odd.name\"]\nremote=origin\nmerge=refs/heads/plain\nmerge=refs/heads/second\n",
    );
    let config = "[remote \"origin\"]\nurl=x\nfetch=+refs/heads/*:refs/remotes/origin/*\n\
        [remote \"g\"]\nurl=x\nfetch=+refs/heads/pre-*-post:refs/remotes/g/x/*/y\n\
        [remote \"empty\"]\nurl=x\n\
        [branch \"plain\"]\nremote=origin\nmerge=refs/heads/plain\n\
        [branch \"gone\"]\nremote=origin\nmerge=refs/heads/was-here\n\
        [branch \"local\"]\nremote=.\nmerge=refs/heads/main\n\
        [branch \"glob\"]\nremote=g\nmerge=refs/heads/pre-glob-post\n\
        [branch \"no-spec\"]\nremote=empty\nmerge=refs/heads/x\n\
        [include]\npath=more\n";
    let mut file = fs::OpenOptions::new().append(true).open(root.join(".git/config")).unwrap();
    file.write_all(config.as_bytes()).unwrap();
    let opened = open(&root).unwrap();
    let runner = Git::find().unwrap();
    let at = runner.at(&opened).unwrap();
    let found = upstreams(&read_refs(&opened, &at).unwrap(), at.entries());
    let format = "--format=%(refname) %(upstream) %(upstream:track)";
    for line in git(&root, &["for-each-ref", format, "refs/heads/"]).lines() {
        let mut words = line.splitn(3, ' ');
        let upstream = found.get(&words.next().unwrap().into());
        let tracking =
            upstream.and_then(|upstream| upstream.tracking.as_ref()).map_or(String::new(), RefName::to_string);
        assert_eq!(tracking, words.next().unwrap(), "{line}");
        assert_eq!(upstream.is_some_and(|upstream| upstream.is_gone), words.next() == Some("[gone]"), "{line}");
    }
    assert_eq!(found.len(), 6);
}
