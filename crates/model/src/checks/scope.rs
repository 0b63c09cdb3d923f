//! Which branches a check looks at. Primary lines are not judged as branches,
//! and the tracking copy of a local branch is not judged a second time.

use std::collections::BTreeMap;

use super::{
    Seen,
    draft::{thousands, unjudged},
    stale,
};
use crate::{Branch, Landed, RefName, Span, State, Verdict};

/// Branches with the same base, with its name.
pub(super) type OfBase<'a> = (&'a RefName, Vec<&'a Branch>);

impl<'a> Seen<'a> {
    /// The branches to judge, by name.
    pub(super) fn branches(&self) -> impl Iterator<Item = &'a Branch> + use<'a> {
        self.snapshot.judged()
    }

    /// Open branches that are to be merged with their base one day.
    pub(super) fn open(&self) -> impl Iterator<Item = &'a Branch> + use<'a> {
        self.snapshot.open().filter(|branch| branch.relation.expects_merge())
    }

    /// Why some open branches could not be measured against their base.
    pub(super) fn unmeasured(&self) -> Option<String> {
        unjudged("branch", self.branches().filter_map(unmeasured_reason))
    }

    /// Why it is not known of some open branches whether they merge.
    pub(super) fn unpredicted(&self) -> Option<String> {
        let reason = |branch: &'a Branch| {
            unmeasured_reason(branch).or_else(|| {
                let is_open = branch.state() == State::Unknown && branch.merge.verdict == Verdict::Unknown;
                is_open.then(|| branch.merge.reason.as_deref().unwrap_or("no reason given"))
            })
        };
        let expected = self.branches().filter(|branch| branch.relation.expects_merge());
        unjudged("branch", expected.filter_map(reason))
    }

    /// Why it is not known of some branches whether they landed.
    pub(super) fn unproven(&self) -> Option<String> {
        let reason = |branch: &'a Branch| match &branch.landed {
            Landed::Unknown(reason) if branch.drift.seen().is_some_and(|drift| drift.ahead > 0) => Some(&**reason),
            _ => unmeasured_reason(branch),
        };
        unjudged("branch", self.branches().filter_map(reason))
    }

    /// Nothing was committed to the branch for longer than the limit of `stale`.
    pub(super) fn is_stale(&self, branch: &Branch) -> bool {
        let limit_days = stale::limit_days(self.config);
        branch.idle_age(self.now).is_some_and(|age| Span::days(limit_days) < age)
    }

    /// How many of the branches saw a commit lately, as the end of a clause; empty when all did.
    pub(super) fn live_part(&self, branches: &[&Branch]) -> String {
        match branches.iter().filter(|branch| !self.is_stale(branch)).count() {
            n_live if n_live == branches.len() => String::new(),
            0 => ", none with a commit lately".into(),
            n_live => format!(", {} of them with commits lately", thousands(n_live)),
        }
    }
}

fn unmeasured_reason(branch: &Branch) -> Option<&str> {
    branch.tip.reason().or_else(|| branch.drift.reason())
}

/// The branches by their base; those without one are left out.
pub(super) fn by_base<'a>(branches: impl IntoIterator<Item = &'a Branch>) -> Vec<OfBase<'a>> {
    let mut groups = BTreeMap::<&RefName, Vec<&Branch>>::new();
    for branch in branches {
        if let Some(base) = &branch.base {
            groups.entry(&base.name).or_default().push(branch);
        }
    }
    groups.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;

    fn scope_of(snapshot: &crate::Snapshot) -> Vec<String> {
        let seen = seen(&super::stale::CHECK, snapshot);
        seen.branches().map(|branch| branch.name.short().to_string()).collect()
    }

    #[test]
    fn lines_and_ignored_branches_are_not_judged() {
        let mut ignored = branch("refs/heads/ignored", 1, 1);
        ignored.relation = crate::Relation::Ignored;
        let snapshot = snapshot([branch("refs/heads/main", 0, 0), ignored, branch("refs/heads/x", 1, 1)]);
        assert_eq!(scope_of(&snapshot), ["x"]);
    }

    #[test]
    fn a_tracking_ref_is_judged_only_where_it_differs_from_its_local_branch() {
        let mut other = branch("refs/remotes/origin/y", 1, 1);
        set_tip(&mut other, oid(9));
        let snapshot = snapshot([
            branch("refs/heads/x", 1, 1),
            branch("refs/heads/y", 1, 1),
            branch("refs/remotes/origin/x", 1, 1),
            other,
            branch("refs/remotes/origin/z", 1, 1),
        ]);
        assert_eq!(scope_of(&snapshot), ["x", "y", "origin/y", "origin/z"]);
    }
}
