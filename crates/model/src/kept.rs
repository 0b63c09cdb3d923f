//! A branch as it is kept between looks: facts with their times, so that what did not move is not written again.

use serde::{Deserialize, Serialize};

use crate::{
    Branch, Oid, Relation, Span, Timestamp,
    branch::{Cause, Conflict, State, Verdict},
    relation::Budget,
};

/// Paths in conflict that are kept of one branch. The total stands beside them.
///
/// Source: ours; what a person reads, while ten thousand branches stay small.
pub const PATHS_AT_MOST: usize = 200;

/// One branch against its base, without anything that changes while nobody moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptBranch {
    /// Full name of the ref, as text.
    #[serde(rename = "ref")]
    pub name: String,
    /// The commit there; `None` when the ref is broken.
    pub oid: Option<Oid>,
    /// Full name of its base, as text.
    pub base: Option<String>,
    /// The commit there.
    pub base_oid: Option<Oid>,
    /// How sure that choice is, 0 to 1.
    pub base_confidence: Option<f64>,
    /// What it owes its base.
    pub relation: Relation,
    /// The drift it may have.
    pub budget: Budget,
    /// The one word that sums it up.
    pub state: State,
    /// Why it could not be judged.
    pub reason: Option<String>,
    /// Commits that the base lacks.
    pub ahead: Option<u32>,
    /// Commits that it lacks.
    pub behind: Option<u32>,
    /// How many best common ancestors there are.
    pub n_merge_bases: Option<u32>,
    /// Will it merge?
    pub verdict: Verdict,
    /// Why that is not known.
    pub merge_reason: Option<String>,
    /// The first paths in conflict; `None` = the list is not known.
    pub conflicts: Option<Vec<Conflict>>,
    /// How many there are in all.
    pub n_conflicts: Option<u32>,
    /// Commits of the base that brought the conflicts, as far as known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// Paths that it touches, each as 16 hexadecimal digits that stand for it, in order; `None` = not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touched: Option<String>,
    /// Why that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touched_reason: Option<String>,
    /// How it was shown that it landed.
    pub merged_proof: Option<String>,
    /// Author of its last commit.
    pub author: Option<String>,
    /// First line of its last commit's message.
    pub subject: Option<String>,
    /// When its last commit was made.
    pub committed_at: Option<Time>,
    /// When its newest merge base was committed.
    pub base_at: Option<Time>,
    /// When the oldest commit that it lacks was made.
    pub missing_since: Option<Time>,
}

/// Seconds since 1970: a number in JSON, so that it comes back as it went.
pub type Time = i64;

impl KeptBranch {
    /// What is kept of a branch.
    pub fn of(branch: &Branch) -> KeptBranch {
        let (tip, drift, choice) = (branch.tip.seen(), branch.drift.seen(), branch.base.as_ref());
        let conflicts = branch.merge.conflicts.as_deref();
        KeptBranch {
            name: branch.name.text().into_owned(),
            oid: tip.map(|tip| tip.oid),
            base: choice.map(|choice| choice.name.text().into_owned()),
            base_oid: choice.map(|choice| choice.oid),
            base_confidence: choice.map(|choice| choice.confidence),
            relation: branch.relation,
            budget: branch.budget,
            state: branch.state(),
            reason: branch.why_unknown().map(str::to_owned),
            ahead: drift.map(|drift| drift.ahead),
            behind: drift.map(|drift| drift.behind),
            n_merge_bases: drift.map(|drift| drift.merge_bases.len() as u32),
            verdict: branch.merge.verdict,
            merge_reason: branch.merge.reason.clone(),
            conflicts: conflicts.map(|conflicts| conflicts.iter().take(PATHS_AT_MOST).cloned().collect()),
            n_conflicts: conflicts.map(|conflicts| conflicts.len() as u32),
            causes: branch.causes.clone(),
            touched: branch.touched.seen().map(|paths| paths.iter().map(|path| format!("{path:016x}")).collect()),
            touched_reason: branch.touched.reason().map(str::to_owned),
            merged_proof: branch.proof().map(|proof| proof.word().to_owned()),
            author: tip.map(|tip| tip.author.clone()),
            subject: tip.map(|tip| tip.subject.clone()),
            committed_at: tip.map(|tip| tip.committed_at.0),
            base_at: drift.and_then(|drift| drift.base_at).map(|at| at.0),
            missing_since: drift.and_then(|drift| drift.missing_since).map(|at| at.0),
        }
    }

    /// The paths that it touches, each as what stands for it; `None` = not known.
    pub fn touched(&self) -> Option<impl Iterator<Item = &[u8]>> {
        self.touched.as_ref().map(|paths| paths.as_bytes().chunks_exact(16))
    }

    /// Time since its last commit.
    pub fn idle_age(&self, now: Timestamp) -> Option<Span> {
        self.committed_at.map(|at| now.since(Timestamp(at)))
    }

    /// Time since the oldest commit that it lacks was made.
    pub fn divergence_age(&self, now: Timestamp) -> Option<Span> {
        self.missing_since.map(|at| now.since(Timestamp(at)))
    }
}
