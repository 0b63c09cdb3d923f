//! What is said of a generated history is what git sees in it.

use std::{collections::BTreeSet, path::Path};

use alignwatch_testkit::{Fate, Markers, Shape, Truth, generate, git, git_command, git_output};
use tempfile::TempDir;

fn small(seed: u64) -> (TempDir, Truth) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let shape = Shape { seed, n_files: 300, ..Shape::like_649().scaled_to(130, 500) };
    let truth = generate(&shape, dir.path());
    (dir, truth)
}

fn answers(dir: &Path, args: &[&str]) -> bool {
    git_output(dir, args).status.success()
}

#[test]
fn the_same_parameters_give_the_same_repository() {
    let refs = |seed| git(small(seed).0.path(), ["for-each-ref"]);
    let first = refs(1);
    assert_eq!(first, refs(1));
    assert_ne!(first, refs(2));
}

#[test]
fn a_generated_repository_is_sound_and_has_the_branches_it_should() {
    let (dir, truth) = small(1);
    git(dir.path(), ["fsck", "--strict", "--no-dangling"]);
    assert_eq!(git(dir.path(), ["rev-list", "--all", "--count"]), truth.n_commits.to_string());
    let listed = git(dir.path(), ["for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads"]);
    let listed: BTreeSet<&str> = listed.lines().collect();
    let branches = truth.branches.iter().map(|branch| format!("{} {}", branch.name, branch.oid));
    let said: BTreeSet<String> =
        branches.chain(truth.lines.iter().map(|(name, oid)| format!("{name} {oid}"))).collect();
    assert_eq!(listed, said.iter().map(String::as_str).collect());
    assert_eq!(truth.branches.len(), 130);
}

#[test]
fn git_stops_at_exactly_the_merges_that_are_said_to_conflict() {
    let (dir, truth) = small(3);
    let mut n_seen = [0, 0];
    for branch in &truth.branches {
        let Some(conflicts) = branch.conflicts else { continue };
        let merge = git_output(dir.path(), ["merge-tree", "--write-tree", "main", &branch.oid.hex()]);
        let code = merge.status.code().expect("git ends by itself");
        assert_eq!(code, i32::from(conflicts), "{branch}\n{}", String::from_utf8_lossy(&merge.stdout));
        n_seen[usize::from(conflicts)] += 1;
    }
    assert!(n_seen[0] > 20 && n_seen[1] > 20, "{n_seen:?}");
}

#[test]
fn what_landed_is_found_in_main_the_way_it_landed() {
    let (dir, truth) = small(1);
    for branch in &truth.branches {
        let oid = branch.oid.hex();
        let is_ancestor = answers(dir.path(), &["merge-base", "--is-ancestor", &oid, "main"]);
        assert_eq!(is_ancestor, branch.fate == Fate::Merged, "{branch}");
        match branch.fate {
            Fate::Rebased => assert!(!cherry(dir.path(), &oid).contains('+'), "{branch}"),
            Fate::Partly => assert!(cherry(dir.path(), &oid).contains('+'), "{branch}"),
            Fate::Squashed | Fate::Reverted => {
                assert!(!cherry(dir.path(), &squashed(dir.path(), &oid)).contains('+'), "{branch}");
            }
            Fate::Unrelated => assert!(!answers(dir.path(), &["merge-base", &oid, "main"]), "{branch}"),
            Fate::Open | Fate::Continued | Fate::Merged => {}
        }
    }
    assert!(Fate::ALL.iter().all(|&fate| truth.count(fate) > 0), "{}", truth.table());
}

/// Each own commit of `tip`, with `-` when its patch is in `main` and `+` when not.
fn cherry(dir: &Path, tip: &str) -> String {
    git(dir, ["cherry", "main", tip])
}

/// All that a branch changed, as one commit.
fn squashed(dir: &Path, tip: &str) -> String {
    let base = git(dir, ["merge-base", "main", tip]);
    git(dir, ["commit-tree", "-m", "squash", "-p", &base, &format!("{tip}^{{tree}}")])
}

#[test]
fn markers_twins_and_crossings_are_where_they_are_said_to_be() {
    let (dir, truth) = small(1);
    for branch in &truth.branches {
        let oid = branch.oid.hex();
        let has_markers = answers(dir.path(), &["grep", "-q", "^>>>>>>> ", &oid]);
        assert_eq!(has_markers, branch.markers != Markers::No, "{branch}");
        let bases = git_output(dir.path(), ["merge-base", "--all", "main", &oid]).stdout;
        assert_eq!(bases.split(|&byte| byte == b'\n').count() > 2, branch.is_criss_cross, "{branch}");
        if let Some(twin) = &branch.twin_of {
            assert_eq!(git(dir.path(), ["rev-parse", twin]), oid);
        }
    }
    assert!(!answers(dir.path(), &["grep", "-q", "^>>>>>>> ", "main"]));
    assert!(truth.branches.iter().any(|branch| branch.markers == Markers::Inherited));
    assert!(truth.branches.iter().any(|branch| branch.is_criss_cross));
}

#[test]
fn a_history_without_files_has_only_its_shape() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let shape = Shape::branches_10k().scaled_to(300, 900);
    let truth = generate(&shape, dir.path());
    assert_eq!(git(dir.path(), ["ls-tree", "main"]), "");
    assert_eq!(git(dir.path(), ["for-each-ref", "refs/heads"]).lines().count(), 301);
    assert!(truth.count(Fate::Merged) > 20);
    let mut verify = git_command(dir.path(), ["commit-graph", "verify"]);
    assert!(verify.output().expect("git can be started").status.success());
}
