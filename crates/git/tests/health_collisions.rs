//! Paths that fall together, compared with what `git ls-tree` lists.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{collections::BTreeMap, io::Write as _, path::Path, process::Stdio, time::Duration};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{Look, Snapshot, Timestamp, checks, config::Config, facts::Collisions};
use alignwatch_testkit::{Repo, git, sketch};

fn seen(path: &Path, data_dir: Option<&Path>) -> Snapshot {
    let looks = Look::with_required([Look::Collisions]);
    let wanted = Wanted { base: None, looks, paths_patience: Duration::ZERO, stop: Stop::default() };
    inspect(path, &Config::default(), Timestamp(1_800_000_000), data_dir, &wanted, &|_| {}).unwrap()
}

fn collisions(path: &Path) -> Collisions {
    seen(path, None).facts.collisions.seen().unwrap().clone()
}

/// A branch with empty files of these names, on top of `main`.
fn branch(repo: &Repo, name: &str, files: &[&str]) {
    let mut stream = format!("commit refs/heads/{name}\ncommitter A <a@example.org> 1790000000 +0000\ndata 1\nx\n");
    stream += "from refs/heads/main^0\n";
    for file in files {
        stream += &format!("M 100644 inline \"{file}\"\ndata 0\n\n");
    }
    let mut child = repo.git_command(["fast-import", "--quiet", "--force"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Paths of a branch that are equal in lower case, by git; without those that only lie in folders that are.
fn by_git(repo: &Repo, name: &str) -> Vec<Vec<String>> {
    let listed = git(repo.path(), ["-c", "core.quotePath=false", "ls-tree", "-r", "-t", "--name-only", "-z", name]);
    let mut groups = BTreeMap::<(String, String), Vec<String>>::new();
    for path in listed.split_terminator('\0') {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        groups.entry((folder.to_owned(), file.to_lowercase())).or_default().push(path.to_owned());
    }
    groups.into_values().filter(|group| 1 < group.len()).collect()
}

#[test]
fn what_falls_together_is_what_git_lists_twice_in_lower_case() {
    let repo = sketch("main: a(f=1) b(dir/g=2)").draw();
    let files =
        ["README", "readme", "ReadMe", "a/b/X", "a/b/x", "Docs/one", "docs/one", "docs/two", "plain", "ÄÖ", "äö"];
    branch(&repo, "ill", &files);
    branch(&repo, "also-ill", &["README", "readme"]);
    let found = collisions(repo.path());
    assert_eq!(found.unread, []);
    let mut ours: Vec<Vec<String>> = found.groups.iter().map(|group| group.paths.clone()).collect();
    let pair = ours.iter().position(|paths| paths == &["README", "readme"]).unwrap();
    ours.remove(pair);
    ours.sort();
    let mut theirs = by_git(&repo, "ill");
    theirs.sort();
    assert_eq!(ours, theirs);
    assert_eq!(by_git(&repo, "also-ill"), [["README", "readme"]]);
}

#[test]
fn forms_of_one_letter_fall_together_and_are_told_as_such() {
    let repo = sketch("main: a(f=1)").draw();
    branch(&repo, "ill", &["caf\u{e9}", "cafe\u{301}"]);
    let found = collisions(repo.path());
    assert_eq!((found.groups.len(), found.groups[0].is_case), (1, false));
}

#[test]
fn one_group_on_several_branches_is_told_once_and_remembered() {
    let repo = sketch("main: a(f=1)").draw();
    branch(&repo, "one", &["It's", "it's"]);
    branch(&repo, "two", &["It's", "it's", "more"]);
    let data = tempfile::tempdir().unwrap();
    let first = seen(repo.path(), Some(data.path()));
    let again = seen(repo.path(), Some(data.path()));
    assert_eq!(first.facts.collisions, again.facts.collisions);
    let found = first.facts.collisions.seen().unwrap();
    assert_eq!((found.groups.len(), found.groups[0].n_branches), (1, 2));
    let judged = checks::judge(&first, &Config::default(), Timestamp(1_800_000_000), |_| Ok(()));
    let finding = judged.into_iter().flat_map(|one| one.findings).find(|one| one.check == "path-collisions").unwrap();
    let mut shell = std::process::Command::new("bash");
    let output = shell.arg("-c").arg(&finding.remedy.commands[0]).current_dir(repo.path()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1, "the commit that brought them");
}

#[test]
fn a_repository_that_is_well_has_none_and_a_missing_tree_is_unknown() {
    let repo = sketch("main: a(dir/f=1) b(g=2)\n work: a x(dir/h=3)").draw();
    assert_eq!(collisions(repo.path()), Collisions::default());
    branch(&repo, "ill", &["README", "readme"]);
    repo.remove_object("work:dir");
    let found = collisions(repo.path());
    assert_eq!(found.groups.len(), 1, "the others are looked at");
    assert_eq!(found.unread.len(), 1);
    assert!(found.unread[0].0.contains("missing"), "{:?}", found.unread);
}
