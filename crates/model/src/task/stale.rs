//! Which open branches are stale, and where each stands: told of, waiting for its notice to end, or to be archived.
//!
//! Their work is in no base, so that nothing is ever deleted without its archive ref; and whoever still wants one has
//! the time of the notice to make a commit, or to name it in `cleanup.keep`.

use std::collections::BTreeMap;

use super::{
    cleanup::{Beside, Judge},
    report::Told,
};
use crate::{Branch, Oid, RefName, Snapshot, Span, Timestamp, config::Config, words};

/// When a branch was told of, and where it was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// Where it was.
    pub oid: Oid,
    /// When that was told.
    pub at: Timestamp,
}

/// A stale branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Its full name.
    pub name: RefName,
    /// Where it is.
    pub oid: Oid,
    /// How long it had no commit.
    pub idle: Span,
    /// Where it stands.
    pub stage: Stage,
}

/// Where a stale branch stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is to be told of.
    Tell,
    /// It was told of, and waits until then.
    Waits(Timestamp),
    /// It goes into the archive.
    Goes,
    /// It stays, for this reason.
    Stays(String),
}

/// The stale local branches, in order of their names. `noticed` = those that were told of.
pub fn stale(
    snapshot: &Snapshot,
    config: &Config,
    beside: &Beside,
    noticed: &BTreeMap<RefName, Noticed>,
    now: Timestamp,
) -> Vec<Stale> {
    let local =
        snapshot.branches.iter().filter(|branch| branch.name.starts_with("refs/heads/") && branch.may_hold_work());
    let one = |branch: &Branch| {
        let tip = branch.tip.seen()?;
        let idle = branch.idle_age(now)?;
        if idle < config.cleanup.stale_after {
            return None;
        }
        let told = noticed.get(&branch.name).filter(|told| told.oid == tip.oid);
        let until = told.map(|told| Timestamp(told.at.0.saturating_add(config.cleanup.notice.0)));
        let stage = match (Judge { snapshot, config, beside, now, branch }.guards(), until) {
            (Err(reason), _) => Stage::Stays(reason),
            (Ok(()), None) => Stage::Tell,
            (Ok(()), Some(until)) if now < until => Stage::Waits(until),
            (Ok(()), Some(_)) => Stage::Goes,
        };
        Some(Stale { name: branch.name.clone(), oid: tip.oid, idle, stage })
    };
    local.filter_map(one).collect()
}

/// Branches that one message names. Source: ours; one screen. `alignwatch task plan stale-branches` has all.
const NAMED_AT_MOST: usize = 40;

/// What is told of branches that go into the archive then, each with who made its last commit.
pub fn told(path: &str, branches: &[(String, String)], until: Timestamp) -> Told {
    let summary = format!(
        "{} of {path} had no commit for long and {} into the archive from {until} on. A commit, or its name in \
         `cleanup.keep`, keeps a branch; `alignwatch task undo` brings one back",
        words::count(branches.len(), "branch"),
        words::agree(branches.len(), "goes", "go"),
    );
    let mut details: Vec<String> =
        branches.iter().take(NAMED_AT_MOST).map(|(name, by)| format!("{name}, last commit by {by}")).collect();
    if NAMED_AT_MOST < branches.len() {
        details.push(format!("and {} more", branches.len() - NAMED_AT_MOST));
    }
    Told { summary, details }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_made_the_last_commit_is_named_with_each_branch_and_many_are_counted() {
        let branches: Vec<_> = (0..42).map(|nth| (format!("b{nth}"), "Ann".to_owned())).collect();
        let told = super::told("/srv/a", &branches, Timestamp(0));
        assert!(told.summary.starts_with("42 branches of /srv/a had no commit for long and go into the archive"));
        assert_eq!((told.details[0].as_str(), told.details[40].as_str()), ("b0, last commit by Ann", "and 2 more"));
        assert!(super::told("/srv/a", &branches[..1], Timestamp(0)).summary.contains("1 branch of /srv/a"));
    }
}
