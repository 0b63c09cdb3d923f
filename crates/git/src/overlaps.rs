//! How much open branches overlap: which part of the paths that one changes another changes, too.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use alignwatch_model::{Branch, Known, Oid, RefName};

use crate::{
    objects::Objects,
    stop::Stop,
    tree_diff::{self, WalkError},
};

/// Branches that are compared. Source: ours; 4,950 pairs, and one comparison of trees each.
const BRANCHES_AT_MOST: usize = 100;

/// Paths of one branch. Source: ours; a branch that changes more overlaps with all.
const PATHS_AT_MOST: usize = 20_000;

/// Of each pair of open branches with the same base: paths that both changed / paths of the one that changed fewer.
///
/// Of the branches that were committed to last; a copy of a local branch is none of its own. Unknown where one can't be read.
pub(crate) fn overlaps(objects: &Objects, branches: &[Branch], stop: &Stop) -> Known<Vec<f64>> {
    let mut by_base: HashMap<&RefName, Vec<BTreeSet<Box<[u8]>>>> = HashMap::new();
    for branch in chosen(branches) {
        if let Some(reason) = stop.reason() {
            return Known::Unknown(reason);
        }
        let Some(base) = &branch.base else { continue };
        match changed(objects, branch) {
            Ok(Some(paths)) => by_base.entry(&base.name).or_default().push(paths),
            Ok(None) => {}
            Err(error) => return Known::Unknown(format!("`{}`: {error}", branch.name.text())),
        }
    }
    Known::Seen(by_base.values().flat_map(|all| pairs(all)).collect())
}

/// Open branches with work of their own, the ones that were committed to last.
fn chosen(branches: &[Branch]) -> Vec<&Branch> {
    let open = branches.iter().filter(|branch| !branch.is_ignored() && branch.has_diverged() && branch.may_hold_work());
    let mut tips = BTreeSet::new();
    let mut open: Vec<&Branch> = open.filter(|branch| !is_copy(branch, branches)).collect();
    open.retain(|branch| branch.tip.seen().is_some_and(|tip| tips.insert(tip.oid)));
    open.sort_by_key(|branch| Reverse(branch.tip.seen().map(|tip| tip.committed_at)));
    open.truncate(BRANCHES_AT_MOST);
    open
}

/// Is it a remote's copy of a local branch?
fn is_copy(branch: &Branch, branches: &[Branch]) -> bool {
    let text = branch.name.text();
    let of_remote = text.strip_prefix("refs/remotes/").and_then(|rest| rest.split_once('/'));
    let local = of_remote.map(|(_, short)| RefName::from(format!("refs/heads/{short}").as_str()));
    local.is_some_and(|local| branches.binary_search_by(|one| one.name.cmp(&local)).is_ok())
}

/// The paths that a branch changed since it met its base; `None` = they met in more than one commit, or it changed too many.
fn changed(objects: &Objects, branch: &Branch) -> Result<Option<BTreeSet<Box<[u8]>>>, WalkError> {
    let (Some(tip), Some(drift)) = (branch.tip.seen(), branch.drift.seen()) else { return Ok(None) };
    let [met] = drift.merge_bases[..] else { return Ok(None) };
    let before: Oid = objects.commit(&met)?.tree;
    let mut paths = BTreeSet::new();
    tree_diff::changes(objects, Some(before), Some(tip.tree), &mut |path, _, _| {
        if paths.len() <= PATHS_AT_MOST {
            paths.insert(path.into());
        }
    })?;
    Ok((!paths.is_empty() && paths.len() <= PATHS_AT_MOST).then_some(paths))
}

fn pairs(all: &[BTreeSet<Box<[u8]>>]) -> impl Iterator<Item = f64> {
    all.iter().enumerate().flat_map(move |(number, one)| {
        all[number + 1..].iter().map(move |other| {
            let (few, many) = if one.len() <= other.len() { (one, other) } else { (other, one) };
            few.iter().filter(|path| many.contains(*path)).count() as f64 / few.len() as f64
        })
    })
}
