//! All that one inspection of a repository saw. Made by `git`, judged by `checks`.

use std::collections::BTreeMap;

use crate::{
    Branch, HostSample, Known, Look, Looks, Oid, RefName, Span, Timestamp,
    facts::{Facts, runs::Runs},
    look::Looked,
};

/// One repository, seen once.
///
/// What could not be seen is [`Known::Unknown`] with the reason; nothing here is a guess.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the inspection began.
    pub seen_at: Timestamp,
    /// What kind of repository it is and what that allows to know.
    pub repository: Repository,
    /// HEAD: what is checked out, if anything.
    pub head: Known<Head>,
    /// The primary lines and how they were found, the most important first.
    pub lines: Vec<Line>,
    /// Bases that the configuration names and that cannot be measured against, in its order.
    pub missing_bases: Vec<MissingBase>,
    /// All branches, sorted by name; also those that the configuration ignores: see [`Snapshot::watched`].
    pub branches: Vec<Branch>,
    /// Refs that could not be read, with the reason. They blind nobody else.
    pub broken_refs: Vec<BrokenRef>,
    /// The commit-graph file: Git's speed, and ours.
    pub commit_graph: Known<CommitGraph>,
    /// Lock files, each with its verdict.
    pub locks: Known<Vec<Lock>>,
    /// Merges, rebases and the like that were begun and not ended, in every worktree.
    pub unfinished: Known<Vec<Unfinished>>,
    /// Settings of the repository that run programs or change answers.
    pub hazards: Known<Vec<Hazard>>,
    /// Branches that a worktree holds: checked out, or detached from by an unfinished operation.
    pub checked_out: Known<Vec<RefName>>,
    /// For each pair with the relation `forbidden`: whether their histories were ever merged.
    pub crossings: Vec<Crossing>,
    /// Files at the tips that could not be looked into for conflict markers.
    pub unread_files: Vec<UnreadFile>,
    /// The machine, sampled while the inspection ran.
    pub host: Known<HostSample>,
    /// Everything else that was seen, by family.
    pub facts: Facts,
    /// Which parts of the inspection were taken, and how long each took.
    pub looks: Looks,
}

impl Snapshot {
    /// Of runs that belong to no repository, such as those that are only pinged: nothing else was looked at.
    pub fn of_runs_alone(runs: Runs, expected_since: BTreeMap<String, Timestamp>, now: Timestamp) -> Snapshot {
        let none = || "it belongs to no repository".to_owned();
        let mut looks = Looks::default();
        looks.note(Look::Runs, Looked::Took(0.0));
        Snapshot {
            seen_at: now,
            repository: Repository {
                path: String::new(),
                id: String::new(),
                git_dir: String::new(),
                object_format: String::new(),
                ref_backend: String::new(),
                is_bare: false,
                is_shallow: false,
                is_partial: false,
                has_grafts: false,
                n_replace_refs: 0,
                alternates: Vec::new(),
                git_version: Known::Unknown(none()),
                git_bugs: Vec::new(),
            },
            head: Known::Unknown(none()),
            lines: Vec::new(),
            missing_bases: Vec::new(),
            branches: Vec::new(),
            broken_refs: Vec::new(),
            commit_graph: Known::Unknown(none()),
            locks: Known::Unknown(none()),
            unfinished: Known::Unknown(none()),
            hazards: Known::Unknown(none()),
            checked_out: Known::Unknown(none()),
            crossings: Vec::new(),
            unread_files: Vec::new(),
            host: Known::Unknown(none()),
            facts: Facts { runs, expected_since, ..Facts::default() },
            looks,
        }
    }
}

/// What kind of repository this is.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The path as it was given, made absolute, as text.
    pub path: String,
    /// A short id: the same for all worktrees and every path that leads to it, another when its folder moves.
    pub id: String,
    /// The directory with objects and refs, as text.
    pub git_dir: String,
    /// `sha1` or `sha256`.
    pub object_format: String,
    /// `files` or `reftable`.
    pub ref_backend: String,
    /// It has no working tree.
    pub is_bare: bool,
    /// History is cut off: counts below the cut are unknown.
    pub is_shallow: bool,
    /// Objects may be missing on purpose and live at a remote (partial clone).
    pub is_partial: bool,
    /// Legacy grafts change the history that Git shows.
    pub has_grafts: bool,
    /// Replace refs, which Git's own commands honour and alignment maths must not.
    pub n_replace_refs: usize,
    /// Object directories that this one borrows from, and whether each is there.
    pub alternates: Vec<(String, bool)>,
    /// The git that answers for us.
    pub git_version: Known<String>,
    /// Known bugs of that version that touch us.
    pub git_bugs: Vec<GitBug>,
}

/// A known bug of a version of git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitBug {
    /// What it gets wrong.
    pub touches: GitPart,
    /// It, as a sentence.
    pub told: String,
}

impl std::fmt::Display for GitBug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told)
    }
}

/// A part of git that can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitPart {
    /// What it answers, and nothing that it writes.
    Answers,
    /// The commit-graph that it writes.
    CommitGraph,
    /// Which objects are there after a repack.
    Objects,
    /// The index over several packs.
    MultiPackIndex,
}

/// HEAD of the main checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// On a branch.
    Branch(RefName),
    /// On a branch without a commit.
    Unborn(RefName),
    /// On a commit.
    Detached(Oid),
}

/// A primary line: what other branches are measured against.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Full name of its ref.
    pub name: RefName,
    /// The commit there.
    pub oid: Oid,
    /// How it was found, as a sentence part: `declared`, `origin's HEAD`, …
    pub because: String,
    /// How sure that is, 0 to 1.
    pub confidence: f64,
    /// A local line's counterpart at its remote, and the commits it lacks from there.
    pub behind_remote: Option<(RefName, u32)>,
    /// Commits on its first-parent line.
    pub n_commits: u32,
}

/// A base that the configuration names and that cannot be measured against. It blinds only what depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingBase {
    /// The name, as it is configured.
    pub name: String,
    /// The key that names it: `bases[0]`, `relations[2].base`.
    pub key: String,
    /// Why, as a sentence part: `there is no such branch`.
    pub reason: String,
    /// Names of branches that are alike.
    pub alike: Vec<String>,
}

impl MissingBase {
    /// Does a relation name it, and not the list of all bases?
    pub fn is_of_relation(&self) -> bool {
        self.key.starts_with("relations")
    }

    /// In words, as a sentence part, such as: the base `x`, which relations\[0\].base names, cannot be used: …
    pub fn told(&self) -> String {
        format!("the base `{}`, which {} names, cannot be used: {}", self.name, self.key, self.reason)
    }
}

/// A ref that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRef {
    /// Full name.
    pub name: RefName,
    /// What it points to, where that could be read.
    pub oid: Option<Oid>,
    /// What is wrong, as a sentence part.
    pub reason: String,
}

/// The commit-graph file and how much it covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitGraph {
    /// Layers of the chain; 0 = there is none.
    pub n_layers: usize,
    /// Commits in it.
    pub n_covered: u32,
    /// Commits that are reachable from a watched ref and not in it.
    pub n_missing: u32,
    /// Git does not use it here, for this reason (shallow, grafts, replace refs).
    pub disabled: Option<String>,
    /// It is damaged, so neither we nor Git should use it.
    pub damage: Option<String>,
}

/// A lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Path below the git directory, as text.
    pub path: String,
    /// What it is a lock on.
    pub kind: LockKind,
    /// Since when it is there.
    pub modified_at: Timestamp,
    /// Live, stale, or not known.
    pub verdict: LockVerdict,
    /// What the verdict rests on.
    pub because: String,
    /// The age up to which one of its kind may belong to somebody, and who says so; `None` for a place that holds locks.
    pub limit: Option<(Span, &'static str)>,
}

/// What a lock file is a lock on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// The index of a worktree.
    Index,
    /// One ref, its reflog or HEAD, or the tables of a reftable.
    Ref,
    /// `packed-refs`.
    PackedRefs,
    /// A file of settings.
    Config,
    /// The commit-graph, the multi-pack-index, or the list of alternates.
    Objects,
    /// Git's own upkeep: `maintenance.lock`, `gc.pid`.
    Maintenance,
    /// Something else, or a place that holds locks and can't be searched.
    #[default]
    Other,
}

impl LockKind {
    /// All of them.
    pub const ALL: [LockKind; 7] = [
        LockKind::Index,
        LockKind::Ref,
        LockKind::PackedRefs,
        LockKind::Config,
        LockKind::Objects,
        LockKind::Maintenance,
        LockKind::Other,
    ];

    /// In a word, as metrics have it.
    pub fn word(self) -> &'static str {
        match self {
            LockKind::Index => "index",
            LockKind::Ref => "ref",
            LockKind::PackedRefs => "packed_refs",
            LockKind::Config => "config",
            LockKind::Objects => "objects",
            LockKind::Maintenance => "maintenance",
            LockKind::Other => "other",
        }
    }
}

/// Is somebody holding the lock?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockVerdict {
    /// A process works here.
    Live,
    /// Nobody does, it is old, and it did not change.
    Stale,
    /// It cannot be told from here: leave it.
    Unknown,
}

/// A merge, rebase or the like that was begun and not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// `merge`, `rebase`, `cherry-pick`, `revert`, `bisect`, `am`, `sequencer`, `autostash`, `imerge`; `alignment` for a
    /// process of a tool that is at work.
    pub operation: &'static str,
    /// The worktree it stands in, as text; empty for the main one.
    pub worktree: String,
    /// The branch it works on, where that is written down.
    pub branch: Option<RefName>,
    /// Since when.
    pub began_at: Option<Timestamp>,
    /// User work that was stashed away by it and would be lost.
    pub autostash: Option<Oid>,
    /// What git-imerge calls it.
    pub name: Option<String>,
    /// The tool that did it, where that is certain: `git-branchless`, `Graphite`, `git-machete`.
    pub by: Option<&'static str>,
    /// A tool that lists the branch among those that it aligns, and may have done it.
    pub listed_by: Option<&'static str>,
    /// The process that is at work.
    pub process: Option<u32>,
}

/// How long ago somebody who is at it began at most.
///
/// Source: the limit of the check `unfinished-operation`: a working day and the night after it.
const AT_IT_AT_MOST: Span = Span::hours(24);

impl Unfinished {
    /// In words, without a time: `a rebase by git-branchless is half done in the main worktree`.
    pub fn told(&self) -> String {
        let by = self.by.map(|tool| format!(" by {tool}")).unwrap_or_default();
        match (self.process, &self.name) {
            (Some(pid), _) => format!("{} is at work (process {pid})", self.by.unwrap_or("a tool")),
            (None, Some(name)) => format!("the {} `{name}` is half done", self.operation),
            (None, None) => {
                let worktree = if self.worktree.is_empty() { "the main worktree" } else { &self.worktree };
                let listed =
                    self.listed_by.map(|tool| format!(" of a branch in the tree of {tool}")).unwrap_or_default();
                let article = if self.operation.starts_with('a') { "an" } else { "a" };
                format!("{article} {}{by}{listed} is half done in {worktree}", self.operation)
            }
        }
    }

    /// Is somebody aligning here, as far as it shows? What stands for longer than a day is forgotten, unless a process is
    /// there still; a time that is not known may be now.
    pub fn is_alignment_in_progress(&self, now: Timestamp) -> bool {
        let is_alignment = !matches!(self.operation, "bisect" | "autostash");
        let is_young = self.began_at.is_none_or(|began| now.since(began) <= AT_IT_AT_MOST);
        is_alignment && (self.process.is_some() || is_young)
    }

    /// Does it keep ids in files, where nothing but git finds them?
    pub fn keeps_ids_in_files(&self) -> bool {
        self.process.is_none() && self.operation != "imerge"
    }
}

/// A file or folder at the tip of a branch that could not be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadFile {
    /// Its path on one of the branches, as text; bytes that are not UTF-8 are shown as `\xNN`.
    pub path: String,
    /// The blob or tree.
    pub oid: Oid,
    /// Why, as a sentence part.
    pub reason: String,
    /// Branches that hold it.
    pub n_branches: u32,
}

/// Whether two lines that must stay apart were merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Full name of the branch.
    pub branch: RefName,
    /// Full name of its base.
    pub base: RefName,
    /// The merges that let one history into the other; none = they are apart.
    pub merges: Known<Vec<CrossingMerge>>,
}

/// A merge that let one history into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossingMerge {
    /// The base went into the branch; otherwise the branch went into the base.
    pub into_branch: bool,
    /// The newest commit that did it.
    pub oid: Oid,
    /// When it was committed.
    pub committed_at: Timestamp,
}

/// A setting of the repository that runs a program or changes answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hazard {
    /// The key, as Git writes it.
    pub key: String,
    /// Its value, shortened, secrets removed.
    pub value: String,
    /// `local`, `worktree` or `hook`.
    pub scope: String,
    /// What it does.
    pub kind: HazardKind,
}

/// What a hazardous setting does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HazardKind {
    /// Runs a program when Git is used here.
    RunsProgram,
    /// Makes a push delete what is missing here.
    MirrorPush,
    /// Holds a secret in plain text.
    Secret,
    /// Shortens the time in which lost work can be found again.
    ShortUndo,
    /// Changes how merges come out.
    MergeBehaviour,
}

impl Snapshot {
    /// The branches that are judged, counted and listed: all but those that the configuration ignores.
    pub fn watched(&self) -> impl Iterator<Item = &Branch> {
        self.branches.iter().filter(|branch| !branch.is_ignored())
    }

    /// The branches that are judged: primary lines are not, nor are the tracking copies of local branches a second time.
    pub fn judged(&self) -> impl Iterator<Item = &Branch> {
        self.watched().filter(|branch| !self.is_line(&branch.name) && !self.is_copy_of_local(branch))
    }

    /// The branches that are open: each may hold work of its own that its base lacks, and is to be kept in line with it. What
    /// checks and metrics call an open branch is one of these.
    pub fn open(&self) -> impl Iterator<Item = &Branch> {
        let has_nothing = |branch: &Branch| branch.drift.seen().is_some_and(|drift| drift.ahead == 0);
        self.judged()
            .filter(move |branch| branch.relation.has_budget() && branch.may_hold_work() && !has_nothing(branch))
    }

    /// Is this one of the primary lines, or a line's counterpart at its remote?
    pub(crate) fn is_line(&self, name: &RefName) -> bool {
        self.lines
            .iter()
            .any(|line| line.name == *name || line.behind_remote.as_ref().is_some_and(|(remote, _)| remote == name))
    }

    /// A tracking ref whose local branch points to the same commit.
    fn is_copy_of_local(&self, branch: &Branch) -> bool {
        let Some((_, short)) = branch.name.remote_parts() else { return false };
        let local = self.branch(&RefName::new([b"refs/heads/", short].concat()));
        match (local.map(|local| &local.tip), &branch.tip) {
            (Some(Known::Seen(local)), Known::Seen(tip)) => local.oid == tip.oid,
            _ => false,
        }
    }

    /// How many branches the configuration ignores.
    pub fn n_ignored(&self) -> usize {
        self.branches.iter().filter(|branch| branch.is_ignored()).count()
    }

    /// The branch with this full name.
    pub fn branch(&self, name: &RefName) -> Option<&Branch> {
        self.branches.binary_search_by(|branch| branch.name.cmp(name)).ok().map(|at| &self.branches[at])
    }
}
