//! Two trees compared, path by path, as `git diff-tree -r --no-renames` compares them.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use alignwatch_git::{
    objects::Objects,
    tree_diff::{self, Side, WalkError},
};
use alignwatch_model::Oid;
use alignwatch_testkit::{Repo, sketch};

/// One line for each difference: modes, ids and path, sorted.
fn ours(repo: &Repo, old: &str, new: &str) -> Result<Vec<String>, WalkError> {
    let format = repo.git(["rev-parse", "--show-object-format"]);
    let objects = Objects::open(&repo.git_dir().join("objects"), &format).unwrap();
    let tree = |commit: &str| Oid::from_hex(repo.git(["rev-parse", &format!("{commit}^{{tree}}")]).as_bytes()).unwrap();
    let (old, new) = (tree(old), tree(new));
    let null = "0".repeat(old.hex().len());
    let mode = |side: Side| format!("{:06o}", side.map_or(0, |(mode, _)| mode.0));
    let oid = |side: Side| side.map_or_else(|| null.clone(), |(_, oid)| oid.hex());
    let mut lines = Vec::new();
    tree_diff::changes(&objects, Some(old), Some(new), &mut |path, a, b| {
        lines.push(format!("{} {} {} {} {}", mode(a), mode(b), oid(a), oid(b), String::from_utf8_lossy(path)));
    })?;
    lines.sort();
    Ok(lines)
}

/// The same by git.
fn by_git(repo: &Repo, old: &str, new: &str) -> Vec<String> {
    let raw = repo.git(["diff-tree", "-r", "--no-renames", "--no-abbrev", "-z", old, new]);
    let fields: Vec<&str> = raw.split_terminator('\0').collect();
    let line = |pair: &[&str]| {
        let (facts, _status) = pair[0].strip_prefix(':').unwrap().rsplit_once(' ').unwrap();
        format!("{facts} {}", pair[1])
    };
    let mut lines: Vec<String> = fields.chunks(2).map(line).collect();
    lines.sort();
    lines
}

fn compare(repo: &Repo, commits: &[&str]) {
    let mut n_differences = 0;
    for old in commits {
        for new in commits {
            let lines = ours(repo, old, new).unwrap();
            assert_eq!(lines, by_git(repo, old, new), "{old}..{new}");
            n_differences += lines.len();
        }
    }
    assert!(n_differences > commits.len());
}

#[test]
fn every_kind_of_difference_is_told_as_git_tells_it() {
    let text = "one: a(f=1..9, d/g=x, d/e/h=y, d-e=z, d.e=z, l->f, sub=@c1, bin=0x00ff)
                two: a b(f[3]=drei, +x d/g, -l, l=file, sub=@c2)
                three: a c(-f, f/inside=1, -d, d=file, -sub, sub->f, bin=0x00fe)
                four: a e(-d/e/h, d/e=file, d-e=>d/e-e, -d.e, d.e/x=1, f=>g)
                five: a h(-f, -d, -d-e, -d.e, -l, -sub, -bin)
                six: x(other=1)";
    let commits = ["one", "two", "three", "four", "five", "six"];
    compare(&sketch(text).draw(), &commits);
    compare(&sketch(text).sha256().draw(), &commits);
}

#[test]
fn modes_of_old_trees_are_those_that_git_shows() {
    let repo = sketch("main: a(f=1, g=2)").draw();
    let (one, two) = (repo.git(["rev-parse", "main:f"]), repo.git(["rev-parse", "main:g"]));
    let commit = |name: &str, mode: &str, blob: &str| {
        let entry = [format!("{mode} f\0").as_bytes(), Oid::from_hex(blob.as_bytes()).unwrap().as_bytes()].concat();
        let file = repo.room().join(name);
        std::fs::write(&file, entry).unwrap();
        let tree = repo.git(["hash-object", "-t", "tree", "-w", "--literally", file.to_str().unwrap()]);
        repo.git(["update-ref", &format!("refs/heads/{name}"), &repo.git(["commit-tree", "-m", name, &tree])]);
    };
    commit("group", "100664", &one);
    commit("plain", "100644", &one);
    commit("other", "100664", &two);
    commit("run", "100775", &one);
    compare(&repo, &["group", "plain", "other", "run"]);
    assert!(ours(&repo, "group", "plain").unwrap().is_empty());
}

#[test]
fn a_missing_folder_is_an_error_only_where_it_must_be_read() {
    let repo = sketch("main: a(d/f=1, e/f=2) b(d/f=3) c(e/f=4)").draw();
    let (a, b, c) = (repo.oid("a").hex(), repo.oid("b").hex(), repo.oid("c").hex());
    repo.remove_object(&format!("{c}:e"));
    assert_eq!(ours(&repo, &a, &b).unwrap().len(), 1);
    assert!(matches!(ours(&repo, &b, &c), Err(WalkError::Read(_))));
}

#[test]
fn folders_that_are_too_deep_are_an_error() {
    let path = |depth: usize| format!("{}f", "d/".repeat(depth));
    let (deep, too_deep) = (path(tree_diff::DEPTH_AT_MOST - 1), path(tree_diff::DEPTH_AT_MOST + 1));
    let repo = sketch(format!("main: a(f=1)\n deep: a x({deep}=1)\n deeper: a y({too_deep}=1)")).draw();
    assert_eq!(ours(&repo, "main", "deep").unwrap().len(), 1);
    assert!(matches!(ours(&repo, "main", "deeper"), Err(WalkError::TooDeep)));
}
