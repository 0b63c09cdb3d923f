//! How much branches overlap is what `git diff --name-only` tells of each.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{collections::BTreeSet, path::Path, time::Duration};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{Branch, Known, Look, Snapshot, Timestamp, config::Config};
use alignwatch_testkit::{Shape, generate, git};

#[test]
fn branches_overlap_by_the_paths_that_git_diff_tells_of_them() {
    let temp = tempfile::tempdir().unwrap();
    let repository = temp.path().join("repository.git");
    generate(&Shape::like_649().scaled_to(40, 150), &repository);
    let snapshot = look(&repository);
    let mut open: Vec<&Branch> =
        snapshot.branches.iter().filter(|one| one.has_diverged() && one.may_hold_work()).collect();
    open.retain(|one| one.drift.seen().unwrap().merge_bases.len() == 1);
    let mut tips = BTreeSet::new();
    open.retain(|one| tips.insert(one.tip.seen().unwrap().oid));
    let changed = open.iter().map(|branch| (branch.base.clone().unwrap().name, paths(&repository, branch)));
    let changed: Vec<_> = changed.filter(|(_, paths)| !paths.is_empty()).collect();
    let mut by_git = Vec::new();
    for (number, (base, one)) in changed.iter().enumerate() {
        for (_, other) in changed[number + 1..].iter().filter(|(other, _)| other == base) {
            by_git.push(one.intersection(other).count() as f64 / one.len().min(other.len()) as f64);
        }
    }
    by_git.sort_by(f64::total_cmp);
    let Known::Seen(mut found) = snapshot.facts.overlaps.clone() else { panic!("{:?}", snapshot.facts.overlaps) };
    found.sort_by(f64::total_cmp);
    assert_eq!(found, by_git);
    assert!(100 < found.len() && found.iter().any(|ratio| 0.0 < *ratio), "{} pairs", found.len());
}

fn paths(repository: &Path, branch: &Branch) -> BTreeSet<String> {
    let (from, to) = (branch.drift.seen().unwrap().merge_bases[0].hex(), branch.tip.seen().unwrap().oid.hex());
    let told = git(repository, ["-c", "core.quotePath=off", "diff", "--no-renames", "--name-only", &from, &to]);
    told.lines().map(str::to_owned).collect()
}

fn look(repository: &Path) -> Snapshot {
    let wanted = Wanted {
        base: None,
        looks: Look::with_required([Look::Merges]),
        paths_patience: Duration::from_secs(300),
        stop: Stop::default(),
    };
    inspect(repository, &Config::default(), Timestamp(1_800_000_000), None, &wanted, &|_| {}).unwrap()
}
