//! What a command found out, before it has any form: the input of every document.

use std::{borrow::Cow, cmp::Reverse, collections::BTreeMap, time::Duration};

use alignwatch_model::{
    Branch, Drift, Finding, Known, Landed, Merge, RefName, Relation, Severity, Snapshot, Span, State, Status,
    Timestamp,
    branch::DORMANT_AFTER,
    checks::{Check, Family, Judged},
    metrics::Weekly,
    relation::Budget,
    snapshot::BrokenRef,
};
use serde_json::Value;

use crate::{Exit, failure::Failure, installation::Examined};

/// What `check` found in all repositories it was asked about.
#[derive(Debug)]
pub struct CheckReport {
    /// One for each path, in the order they were given.
    pub repositories: Vec<Checked>,
    /// From this severity on, findings are a failure; `None` = never.
    pub fail_on: Option<Severity>,
    /// At most so many findings in documents for people; `None` = as many as fit, 0 = all.
    pub limit: Option<usize>,
}

/// What `doctor` found out about the installation and about repositories.
pub struct DoctorReport {
    /// When it looked.
    pub seen_at: Timestamp,
    /// Every examination of the installation, in the order of the list.
    pub installation: Vec<Examined>,
    /// The repositories, by the same judge as `check`.
    pub checked: CheckReport,
    /// Why no repository was looked at, when none was named and there is none here.
    pub no_repository: Option<String>,
}

/// One repository, inspected and judged, or the reason why it could not be.
#[derive(Debug)]
pub struct Checked {
    /// The path that was asked for, as text.
    pub path: String,
    /// The same as one word of a shell, for commands to paste; empty when it is the current directory.
    pub path_word: String,
    /// What was seen and judged.
    pub judgement: Result<Judgement, Failure>,
    /// Inspection and judgement together.
    pub elapsed: Duration,
}

/// One repository as it was seen and what the checks say of it.
#[derive(Debug)]
pub struct Judgement {
    /// What was seen.
    pub snapshot: Snapshot,
    /// Every check, in the order of the list.
    pub checks: Vec<CheckResult>,
    /// What is known of the past year.
    pub weekly: Vec<Weekly>,
}

/// What one check says, and how long it took.
pub struct CheckResult {
    /// The check.
    pub check: &'static Check,
    /// Its status.
    pub status: Status,
    /// Why it is unknown or skipped.
    pub reason: Option<String>,
    /// What it found.
    pub findings: Vec<Finding>,
    /// Time of judgement.
    pub elapsed: Duration,
}

/// What `branches` found, and which part of it is wanted.
#[derive(Debug)]
pub struct BranchesReport {
    /// What was seen.
    pub snapshot: Snapshot,
    /// Time of inspection.
    pub elapsed: Duration,
    /// Which branches, in which order.
    pub selection: Selection,
}

/// Which branches to show, and in which order.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these states; empty = all.
    pub states: Vec<State>,
    /// Only those that conflict at this path; `None` = all.
    pub path: Option<String>,
    /// The order.
    pub sort: Sort,
    /// At most so many; `None` = as the document sees fit, 0 = all.
    pub limit: Option<usize>,
}

/// The order of branches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// What needs a person first: open work before landed, in use before dormant, worst state first, newest first.
    #[default]
    Attention,
    /// By name.
    Name,
    /// Most commits of its own first.
    Ahead,
    /// Most commits missing first.
    Behind,
    /// Longest without a commit first.
    Idle,
    /// Most conflicting files first.
    Conflicts,
}

/// How many branches are in each state; all states are there, also with 0.
pub type ByState = BTreeMap<State, usize>;

impl CheckReport {
    /// How the process ends: a repository that could not be read wins over findings.
    pub fn exit(&self) -> Exit {
        let failed = self.repositories.iter().filter_map(|checked| checked.judgement.as_ref().err());
        let worst = failed.map(|failure| failure.exit).max_by_key(|&exit| exit as u8);
        worst.unwrap_or(if self.fails() { Exit::Findings } else { Exit::Fine })
    }

    fn fails(&self) -> bool {
        let judgements = self.repositories.iter().filter_map(|checked| checked.judgement.as_ref().ok());
        judgements.flat_map(Judgement::findings).any(|finding| self.is_failure(finding))
    }

    /// Is this finding at or above `--fail-on`?
    pub fn is_failure(&self, finding: &Finding) -> bool {
        self.fail_on.is_some_and(|least| least <= finding.severity)
    }
}

impl DoctorReport {
    /// The worst of the installation.
    pub fn installation_status(&self) -> Status {
        self.installation.iter().map(Examined::status).fold(Status::Ok, Status::worst)
    }

    /// How the process ends: as `check` would, and findings of the installation count like those of a repository.
    pub fn exit(&self) -> Exit {
        let findings = self.installation.iter().flat_map(|examined| &examined.told.findings);
        let has_failed = findings.into_iter().any(|finding| self.checked.is_failure(finding));
        match self.checked.exit() {
            Exit::Fine if has_failed => Exit::Findings,
            exit => exit,
        }
    }
}

impl Checked {
    /// Its health: the worst status. What could not be read is unknown.
    pub fn status(&self) -> Status {
        self.judgement.as_ref().map_or(Status::Unknown, Judgement::status)
    }
}

impl Judgement {
    /// The worst status of all checks that looked.
    pub fn status(&self) -> Status {
        let looked = self.checks.iter().map(|result| result.status).filter(|&status| status != Status::Skipped);
        looked.reduce(Status::worst).unwrap_or(Status::Skipped)
    }

    /// All findings: worst severity first, then the checks that touch most branches, then the order of the list.
    /// The findings of one check and severity stand together, in its own order.
    pub fn findings(&self) -> Vec<&Finding> {
        let mut findings = Vec::new();
        for (place, result) in self.checks.iter().enumerate() {
            for finding in &result.findings {
                let alike = result.findings.iter().filter(|other| other.severity == finding.severity);
                // A busy machine is told after what is wrong with the repository.
                let is_of_host = result.check.family == Family::Host;
                let widest = if is_of_host { 0 } else { alike.map(reach).max().unwrap_or(0) };
                findings.push(((Reverse(finding.severity), Reverse(widest), place), finding));
            }
        }
        findings.sort_by_key(|&(order, _)| order);
        findings.into_iter().map(|(_, finding)| finding).collect()
    }

    /// The checks that ended like this.
    pub fn with_status(&self, status: Status) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().filter(move |result| result.status == status)
    }

    /// The checks that could not judge all they should, whatever else they found.
    pub fn undecided(&self) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().filter(|result| result.status != Status::Skipped && result.reason.is_some())
    }
}

/// Branches that a finding touches. One about the repository as a whole counts as a handful: it
/// stands after what is wrong with many branches and before what is wrong with one.
fn reach(finding: &Finding) -> u64 {
    const A_HANDFUL: u64 = 10;
    finding.evidence.get("n_branches").and_then(Value::as_u64).unwrap_or(A_HANDFUL)
}

impl CheckResult {
    /// The judgement with the time it took.
    pub fn timed(judged: Judged, elapsed: Duration) -> CheckResult {
        let Judged { check, status, reason, findings } = judged;
        CheckResult { check, status, reason, findings, elapsed }
    }
}

impl std::fmt::Debug for CheckResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} {:?}", self.check.id, self.status, self.findings)
    }
}

impl BranchesReport {
    /// Branches that conflict at paths that are not known.
    pub fn n_unlisted(&self) -> usize {
        let branches = self.snapshot.watched();
        branches.filter(|branch| branch.state() == State::Conflicting && branch.merge.conflicts.is_none()).count()
    }

    /// The wanted branches in the wanted order, before any limit.
    pub fn selected(&self) -> Vec<Cow<'_, Branch>> {
        let mut branches = all_branches(&self.snapshot);
        let wanted = &self.selection.states;
        branches.retain(|branch| wanted.is_empty() || wanted.contains(&branch.state()));
        if let Some(path) = &self.selection.path {
            branches.retain(|branch| conflicts_at(branch, path));
        }
        sort(&mut branches, self.selection.sort, self.snapshot.seen_at);
        branches
    }
}

fn conflicts_at(branch: &Branch, path: &str) -> bool {
    let conflicts = branch.merge.conflicts.iter().flatten();
    branch.state() == State::Conflicting && conflicts.into_iter().any(|conflict| conflict.path == path)
}

/// All branches that are watched; refs that could not be read stand among them as unknown, with the reason.
pub fn all_branches(snapshot: &Snapshot) -> Vec<Cow<'_, Branch>> {
    let mut branches: Vec<_> = snapshot.watched().map(Cow::Borrowed).collect();
    let is_branch = |broken: &&BrokenRef| snapshot.branch(&broken.name).is_none() && would_be_branch(snapshot, broken);
    let broken = snapshot.broken_refs.iter().filter(is_branch);
    branches.extend(broken.map(|broken| Cow::Owned(unreadable(broken))));
    branches.sort_by(|a, b| a.name.cmp(&b.name));
    branches
}

/// Does the broken ref stand in a space that holds branches? A broken tag is no branch.
fn would_be_branch(snapshot: &Snapshot, broken: &BrokenRef) -> bool {
    let space = |name: &RefName| {
        name.as_bytes().splitn(3, |&byte| byte == b'/').take(2).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let usual = [b"refs/heads/".as_slice(), b"refs/remotes/"];
    usual.iter().any(|prefix| broken.name.starts_with(prefix))
        || snapshot.branches.iter().any(|branch| space(&branch.name) == space(&broken.name))
}

/// How many branches are in each state.
pub fn by_state(snapshot: &Snapshot) -> ByState {
    let mut counts: ByState = State::ALL.into_iter().map(|state| (state, 0)).collect();
    for branch in all_branches(snapshot) {
        *counts.entry(branch.state()).or_default() += 1;
    }
    counts
}

/// Branches with a commit in the last [`DORMANT_AFTER`]; those whose age is not known are not counted.
pub fn n_in_use(snapshot: &Snapshot) -> usize {
    let is_in_use = |branch: &&Branch| branch.idle_age(snapshot.seen_at).is_some_and(|idle| idle <= DORMANT_AFTER);
    snapshot.watched().filter(is_in_use).count()
}

fn unreadable(broken: &BrokenRef) -> Branch {
    let reason = broken.reason.clone();
    Branch {
        name: broken.name.clone(),
        tip: Known::Unknown(reason.clone()),
        base: None,
        relation: Relation::default(),
        rule: None,
        budget: Budget::default(),
        drift: Known::Unknown(reason.clone()),
        landed: Landed::Unknown(reason.clone()),
        merge: Merge::unknown(reason.clone()),
        causes: Vec::new(),
        touched: Known::Unknown("not looked at".into()),
        upstream: None,
        markers: Known::Unknown(reason),
    }
}

fn sort(branches: &mut [Cow<'_, Branch>], sort: Sort, now: Timestamp) {
    let drift = |branch: &Branch, count: fn(&Drift) -> u32| branch.drift.seen().map(count);
    match sort {
        Sort::Attention => branches.sort_by_cached_key(|branch| attention(branch, now)),
        Sort::Name => branches.sort_by(|a, b| a.name.cmp(&b.name)),
        Sort::Ahead => branches.sort_by_cached_key(|branch| Reverse(drift(branch, |drift| drift.ahead))),
        Sort::Behind => branches.sort_by_cached_key(|branch| Reverse(drift(branch, |drift| drift.behind))),
        Sort::Idle => branches.sort_by_cached_key(|branch| Reverse(branch.idle_age(now))),
        Sort::Conflicts => branches.sort_by_cached_key(|branch| Reverse(n_conflicts(branch))),
    }
}

/// Lower comes first. Among equals the newest: its author is around, and aligning it is still cheap.
fn attention(branch: &Branch, now: Timestamp) -> (bool, bool, usize, Span) {
    let state = branch.state();
    let idle = branch.idle_age(now).unwrap_or_default();
    (state.is_settled(), DORMANT_AFTER < idle, state.concern(), idle)
}

/// Files in conflict; a conflict whose files are not known counts as more than none.
fn n_conflicts(branch: &Branch) -> Option<usize> {
    (branch.state() == State::Conflicting).then(|| branch.merge.conflicts.as_ref().map_or(1, Vec::len))
}
