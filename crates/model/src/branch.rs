//! A branch against its base: drift, landing, merge, and the one state that sums them up.

use serde::{Deserialize, Serialize};

use crate::{Known, Oid, RefName, Relation, Span, Timestamp, relation::Budget, words::count};

/// One branch and all that was seen of it.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Full name of the ref.
    pub name: RefName,
    /// The commit it points to (tags are peeled); unknown when the ref is broken.
    pub tip: Known<Tip>,
    /// The line it is measured against; `None` when none could be found or it is ignored.
    pub base: Option<BaseChoice>,
    /// Declared or inferred policy towards the base.
    pub relation: Relation,
    /// The place of the rule under `relations` that decides that, from 0; `None` = no rule is about it.
    pub rule: Option<usize>,
    /// The drift it may have.
    pub budget: Budget,
    /// Commits apart on each side.
    pub drift: Known<Drift>,
    /// Is its work already in the base?
    pub landed: Landed,
    /// Would it merge?
    pub merge: Merge,
    /// What the base did at the paths in conflict since they parted, as far as known: at most five commits.
    pub causes: Vec<Cause>,
    /// Paths that it changed since it and its base parted, each as a number that stands for it, in order; of those with
    /// work that is not in their base, where that was looked at.
    pub touched: Known<Vec<u64>>,
    /// The ref it is configured to follow, if any.
    pub upstream: Option<Upstream>,
    /// Distinct files at the tip with committed conflict markers, where that was scanned.
    pub markers: Known<Vec<MarkedPath>>,
}

/// The commit at the end of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its id.
    pub oid: Oid,
    /// The id of its tree.
    pub tree: Oid,
    /// When it was committed (committer date; the author date may be years older).
    pub committed_at: Timestamp,
    /// Author as `Name <address>`, as text: bytes that are not UTF-8 are replaced.
    pub author: String,
    /// First line of its message, as text, at most 200 characters.
    pub subject: String,
}

/// The base of a branch and how it was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseChoice {
    /// Full name of the base's ref.
    pub name: RefName,
    /// The commit there.
    pub oid: Oid,
    /// How sure the choice is, 0 to 1; a declared base has 1.
    pub confidence: f64,
    /// How it was chosen, as a sentence part.
    pub because: String,
}

/// The ref that a local branch follows by configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The remote's name; `.` is this repository.
    pub remote: String,
    /// The branch there, as a full ref name.
    pub merge: String,
    /// The tracking ref is configured but does not exist any more.
    pub gone: bool,
}

/// A file with committed conflict markers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MarkedPath {
    /// The blob with the markers: the same blob on many branches is one cause.
    pub blob: Oid,
    /// Path as text; bytes that are not UTF-8 are shown as `\xNN`.
    pub path: String,
    /// Line of the first marker, counted from 1.
    pub line: u32,
}

/// Commits apart, and the ages that follow from them.
///
/// Definitions: ahead = commits in `base..branch`, behind = commits in
/// `branch..base`, as `git rev-list --count` counts them; merge bases are *all*
/// best common ancestors, as `git merge-base --all` gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Commits the base lacks.
    pub ahead: u32,
    /// Commits the branch lacks.
    pub behind: u32,
    /// All best common ancestors, sorted by id; none when the histories are unrelated,
    /// two or more when they criss-cross.
    pub merge_bases: Vec<Oid>,
    /// The tip lies on the first-parent line of the base.
    pub on_base_line: bool,
    /// Committer date of the newest merge base.
    pub base_at: Option<Timestamp>,
    /// Committer date of the oldest commit that the branch lacks: since when it has missed something.
    pub missing_since: Option<Timestamp>,
}

/// Where a branch stands with its base. First that holds, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Could not be judged.
    Unknown,
    /// No common commit.
    Unrelated,
    /// Contains its base, whatever is ahead.
    Aligned,
    /// The tip is an ancestor of the base, but not on its first-parent line, and the base did not take it back.
    Merged,
    /// The tip lies on the base's first-parent line: nothing of its own.
    Behind,
    /// Landed, and then went on.
    Continued,
    /// Landed, and then the base took it back.
    Reverted,
    /// Landed as other commits (squash, rebase, cherry-pick), proven by content.
    SquashMerged,
    /// Both sides moved, and a merge conflicts.
    Conflicting,
    /// Both sides moved, and a merge is clean.
    Diverged,
}

/// Is the branch's work in the base?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Landed {
    /// No proof was found: keep.
    No,
    /// All of it, by this proof.
    Yes(Proof),
    /// A part landed by this proof, and later commits did not.
    Continued(Proof),
    /// It landed by this proof, and the base reverted it.
    Reverted(Proof),
    /// The question could not be answered, with the reason: keep.
    Unknown(String),
}

/// How it was shown that a branch landed; the cheapest proof that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The tip is an ancestor of the base.
    Ancestor,
    /// The forge says so, and the tip is the head that it merged.
    Forge,
    /// Every path that the branch changed has the same content in the base.
    IdenticalTree,
    /// Merging the branch changes nothing.
    MergeNoOp,
    /// Each of its commits has a commit with the same patch id in the base.
    PatchIds,
    /// One commit in the base has the patch id of the whole branch.
    SquashPatchId,
}

/// The answer of a predicted merge of base and branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merge {
    /// Clean, conflict, or not known.
    pub verdict: Verdict,
    /// Conflicting paths with the kind of conflict, sorted, as Git would name them.
    /// `None` when the verdict is known and the list is not.
    pub conflicts: Option<Vec<Conflict>>,
    /// Why the verdict is unknown, or why no merge was predicted.
    pub reason: Option<String>,
}

/// One conflicting path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Conflict {
    /// Path as text; bytes that are not UTF-8 are shown as `\xNN`.
    pub path: String,
    /// Git's stable kind, such as `contents` or `modify/delete`; several may hold for one path.
    pub kinds: Vec<String>,
}

/// A commit of the base that changed paths at which a branch conflicts.
///
/// Source: the base's first-parent history since they parted, each commit compared with its first parent, as
/// `git log --first-parent --diff-merges=first-parent --name-only BRANCH..BASE` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The commit.
    pub oid: Oid,
    /// Its author as `Name <address>`.
    pub author: String,
    /// First line of its message.
    pub subject: String,
    /// When it was made.
    pub committed_at: Timestamp,
    /// Paths in conflict that it changed.
    pub n_paths: u32,
    /// Those of them that no other commit of the base changed since they parted: it alone brought these conflicts. `None` =
    /// not known, since not every commit from then on could be looked at.
    pub n_alone: Option<u32>,
    /// Which paths these are: their places in the list of paths in conflict, as far as paths are kept.
    #[serde(default)]
    pub paths: Vec<u16>,
}

impl Cause {
    /// What it did, as a sentence part: `changed 3 paths in conflict, 2 of which nothing else changed`.
    pub fn did(&self) -> String {
        let paths = count(self.n_paths as usize, "path");
        match self.n_alone {
            None => format!("changed {paths} in conflict"),
            Some(0) => format!("changed {paths} in conflict, as others did"),
            Some(n) if n == self.n_paths => format!("changed {paths} in conflict, and nothing else did"),
            Some(n) => format!("changed {paths} in conflict, {n} of which nothing else changed"),
        }
    }
}

/// Will it merge?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Git would merge it without help.
    Clean,
    /// Git would stop with conflicts.
    Conflict,
    /// Not known, with a reason beside it.
    Unknown,
}

impl Merge {
    /// A clean merge.
    pub fn clean() -> Merge {
        Merge { verdict: Verdict::Clean, conflicts: Some(Vec::new()), reason: None }
    }

    /// No verdict, with the reason.
    pub fn unknown(reason: impl Into<String>) -> Merge {
        Merge { verdict: Verdict::Unknown, conflicts: None, reason: Some(reason.into()) }
    }

    /// A conflict; `None` when the list of paths is not final.
    pub fn conflict(conflicts: Option<Vec<Conflict>>) -> Merge {
        Merge { verdict: Verdict::Conflict, conflicts, reason: None }
    }
}

impl Drift {
    /// More than one best common ancestor.
    pub fn is_criss_cross(&self) -> bool {
        self.merge_bases.len() > 1
    }

    /// No common commit at all.
    pub fn is_unrelated(&self) -> bool {
        self.merge_bases.is_empty()
    }
}

impl Branch {
    /// The one state that sums the branch up. See [`State`] for the order.
    pub fn state(&self) -> State {
        let (Known::Seen(_), Known::Seen(drift)) = (&self.tip, &self.drift) else {
            return State::Unknown;
        };
        if drift.is_unrelated() {
            State::Unrelated
        } else if drift.behind == 0 {
            State::Aligned
        } else if drift.ahead == 0 {
            match self.landed {
                _ if drift.on_base_line => State::Behind,
                Landed::Reverted(_) => State::Reverted,
                _ => State::Merged,
            }
        } else {
            self.diverged_state()
        }
    }

    fn diverged_state(&self) -> State {
        match (&self.landed, self.merge.verdict) {
            (Landed::Yes(_), _) => State::SquashMerged,
            (Landed::Continued(_), _) => State::Continued,
            (Landed::Reverted(_), _) => State::Reverted,
            (Landed::No | Landed::Unknown(_), Verdict::Conflict) => State::Conflicting,
            (Landed::No | Landed::Unknown(_), Verdict::Clean) => State::Diverged,
            (Landed::No | Landed::Unknown(_), Verdict::Unknown) => State::Unknown,
        }
    }

    /// Does the configuration say that nobody watches it?
    pub fn is_ignored(&self) -> bool {
        self.relation == Relation::Ignored
    }

    /// Where its relation comes from, as a sentence part: `relations[2]`; `None` = nobody declared one.
    pub fn declared_at(&self) -> Option<String> {
        self.rule.map(|rule| format!("relations[{rule}]"))
    }

    /// Both sides have commits that the other lacks, whatever is known besides.
    pub fn has_diverged(&self) -> bool {
        self.drift.seen().is_some_and(|drift| 0 < drift.ahead && 0 < drift.behind && !drift.is_unrelated())
    }

    /// The proof that the work is in the base, whatever happened afterwards.
    pub fn proof(&self) -> Option<Proof> {
        match self.landed {
            Landed::Yes(proof) | Landed::Continued(proof) | Landed::Reverted(proof) => Some(proof),
            Landed::No | Landed::Unknown(_) => None,
        }
    }

    /// Why it could not be judged; `None` = it could.
    pub fn why_unknown(&self) -> Option<&str> {
        let of_merge = || self.merge.reason.as_deref().filter(|_| self.state() == State::Unknown);
        self.tip.reason().or_else(|| self.drift.reason()).or_else(of_merge)
    }

    /// It has commits that its base lacks, as far as that is known.
    pub fn has_own_commits(&self) -> bool {
        self.drift.seen().is_some_and(|drift| 0 < drift.ahead)
    }

    /// Nothing of the branch is missing in the base, and it once had something of its own.
    pub fn has_landed(&self) -> bool {
        matches!(self.state(), State::Merged | State::SquashMerged)
    }

    /// Nothing shows that all of its work is in the base: a later alignment must keep it. What is not known counts.
    pub fn may_hold_work(&self) -> bool {
        !matches!(self.state(), State::Merged | State::SquashMerged | State::Behind)
    }

    /// Time since its last commit. Negative when the commit claims the future.
    pub fn idle_age(&self, now: Timestamp) -> Option<Span> {
        self.tip.seen().map(|tip| now.since(tip.committed_at))
    }

    /// Time since the newest merge base was committed.
    pub fn base_age(&self, now: Timestamp) -> Option<Span> {
        self.drift.seen()?.base_at.map(|at| now.since(at))
    }

    /// Time since the oldest commit that the branch lacks was committed.
    pub fn divergence_age(&self, now: Timestamp) -> Option<Span> {
        self.drift.seen()?.missing_since.map(|at| now.since(at))
    }

    /// Is the drift inside the budget of its relation? `None` when that can't be known.
    pub fn within_budget(&self, now: Timestamp) -> Option<bool> {
        let drift = self.drift.seen()?;
        if drift.is_unrelated() || !self.relation.has_budget() {
            return None;
        }
        let by_count = self.budget.behind.is_none_or(|most| drift.behind <= most);
        let age = self.divergence_age(now).unwrap_or_default();
        let by_age = self.budget.age.is_none_or(|most| drift.behind == 0 || age <= most);
        Some(by_count && by_age)
    }
}

impl State {
    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            State::Unknown => "unknown",
            State::Unrelated => "unrelated",
            State::Aligned => "aligned",
            State::Merged => "merged",
            State::Behind => "behind",
            State::Continued => "continued",
            State::Reverted => "reverted",
            State::SquashMerged => "squash_merged",
            State::Conflicting => "conflicting",
            State::Diverged => "diverged",
        }
    }

    /// All states, in the order in which they are judged.
    pub const ALL: [State; 10] = [
        State::Unknown,
        State::Unrelated,
        State::Aligned,
        State::Merged,
        State::Behind,
        State::Continued,
        State::Reverted,
        State::SquashMerged,
        State::Conflicting,
        State::Diverged,
    ];

    /// All states, the one that needs a person most first.
    pub const BY_CONCERN: [State; 10] = [
        State::Reverted,
        State::Continued,
        State::Conflicting,
        State::Unknown,
        State::Unrelated,
        State::Diverged,
        State::Behind,
        State::SquashMerged,
        State::Merged,
        State::Aligned,
    ];

    /// Its place in [`State::BY_CONCERN`].
    pub fn concern(self) -> usize {
        State::BY_CONCERN.iter().position(|&other| other == self).unwrap_or(State::BY_CONCERN.len())
    }

    /// Nothing has to be done to keep the branch in line.
    pub fn is_settled(self) -> bool {
        matches!(self, State::Merged | State::SquashMerged | State::Aligned | State::Behind)
    }
}

/// A branch without a commit for this long is dormant: it asks for attention after all that are in use.
///
/// Source: GitHub calls a branch stale after three months without a commit.
pub const DORMANT_AFTER: Span = Span::days(90);

impl Proof {
    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Proof::Ancestor => "ancestor",
            Proof::Forge => "forge",
            Proof::IdenticalTree => "identical_tree",
            Proof::MergeNoOp => "merge_no_op",
            Proof::PatchIds => "patch_ids",
            Proof::SquashPatchId => "squash_patch_id",
        }
    }
}

impl Verdict {
    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Conflict => "conflict",
            Verdict::Unknown => "unknown",
        }
    }
}
