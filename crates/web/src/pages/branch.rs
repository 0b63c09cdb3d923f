//! One branch: where it stands to its base, why it conflicts, what it did over time, what to type.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use alignwatch_model::{
    RefName, Span, Timestamp,
    branch::{Cause, State as BranchState, Verdict},
    kept::KeptBranch,
    quote::shell_ref,
    remedy::{aligned_by_merge, only_looks},
    run::{Document, Operation},
    words::{agree, count, thousands},
};
use alignwatch_store::WhichRuns;
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;

use super::{
    chart::Charted,
    course::courses_of_branch,
    fork::Fork,
    head::{Head, Tab},
    shell::{Failed, Section, Shell, made},
    told::{self, Ago, Mark, Prose},
    views::View,
};
use crate::Shared;

/// Findings of the repository that are looked through for this branch.
const FINDINGS_AT_MOST: usize = 500;

/// Runs that are looked through.
const RUNS_AT_MOST: usize = 200;

/// Paths in conflict that are shown at once.
const PATHS_SHOWN: usize = 12;

/// Runs, and other attempts, that are shown.
const SHOWN: usize = 12;

#[derive(Deserialize)]
pub(super) struct Which {
    /// Its full name.
    #[serde(default)]
    name: String,
}

#[derive(Template)]
#[template(path = "branch.html")]
struct BranchPage {
    shell: Shell,
    head: Head,
    view: Arc<View>,
    /// Its place in the view.
    place: usize,
    mark: Mark,
    meaning: &'static str,
    sentence: String,
    fork: Option<Fork>,
    facts: Vec<(&'static str, String)>,
    conflicts: Vec<ConflictAt>,
    causes: Vec<CauseTold>,
    overlaps: Overlaps,
    commands: Vec<(&'static str, String, bool)>,
    findings: Vec<FindingLink>,
    attempts: Vec<(String, String, Mark)>,
    runs: Vec<Dealt>,
    charts: Vec<Charted>,
    /// Courses of single branches are not kept: the configuration says so.
    keeps_no_course: bool,
}

/// A path in conflict.
struct ConflictAt {
    path: String,
    kinds: String,
    /// The commit of the base that brought it, where that is known, and what else is told of it.
    brought_by: Option<(String, String)>,
    /// Other branches that conflict there, and the way to them.
    others: String,
    address: String,
}

/// Another branch that touches the same paths.
struct Overlap {
    name: String,
    address: String,
    n: String,
    author: String,
}

/// A commit of the base that brought conflicts.
struct CauseTold {
    oid: String,
    subject: String,
    author: String,
    made: Ago,
    did: String,
}

/// A finding that names the branch.
struct FindingLink {
    mark: Mark,
    summary: Prose,
    address: String,
}

/// A run that dealt with the branch.
struct Dealt {
    address: String,
    workflow: String,
    began: Option<Ago>,
    outcome: Mark,
    because: String,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    made(shared, headers, move |shared| branch(shared, &id, &which.name)).await
}

fn branch(shared: &Shared, id: &str, name: &str) -> Result<BranchPage, Failed> {
    let view = shared.view(id)?;
    let place = view.branches.binary_search_by(|branch| branch.name.as_str().cmp(name));
    let place = place
        .map_err(|_| Failed::not_found(format!("There is no branch {name} in this repository, or not any more.")))?;
    let branch = &view.branches[place];
    let shell = Shell::new(shared, told::short(name), Section::None);
    let now = shell.now;
    Ok(BranchPage {
        head: Head::of(&view, Tab::Branches, now),
        mark: told::state(branch.state),
        meaning: told::meaning(branch.state),
        sentence: sentence(branch, now),
        fork: Fork::of(branch, now),
        facts: facts(branch, now),
        conflicts: conflicts(&view, branch),
        causes: branch.causes.iter().map(|cause| CauseTold::of(cause, now)).collect(),
        overlaps: Overlaps::of(&view, branch),
        commands: commands(branch, view.seen.as_ref().is_some_and(|seen| seen.is_bare)),
        findings: findings(shared, id, name)?,
        attempts: attempts(&view, place),
        runs: runs(shared, id, name, now)?,
        charts: charts(shared, id, name)?,
        keeps_no_course: shared.loaded().config.serve.branch_series == 0,
        shell,
        place,
        view,
    })
}

/// How it stands, in one sentence.
fn sentence(branch: &KeptBranch, now: Timestamp) -> String {
    let base = branch.base.as_deref().map_or("its base", told::short);
    let (Some(ahead), Some(behind)) = (branch.ahead, branch.behind) else {
        let reason = branch.reason.as_deref().unwrap_or("nobody knows why");
        return format!("It could not be compared with its base: {reason}.");
    };
    if branch.state == BranchState::Unrelated {
        return format!("It shares no commit with `{base}`.");
    }
    let missing = match behind {
        0 => format!("contains all of `{base}`"),
        _ => format!("lacks {} of `{base}`", count(behind as usize, "commit")),
    };
    let since = branch.divergence_age(now).filter(|_| 0 < behind).map(|age| format!(", the oldest of them {age} old"));
    let own = match ahead {
        0 => "has none of its own".to_owned(),
        _ => format!("has {} of its own", count(ahead as usize, "commit")),
    };
    let merge = match (branch.state, branch.verdict) {
        (BranchState::Conflicting, _) => match branch.n_conflicts {
            Some(n) => format!("Merging them would conflict at {}.", count(n as usize, "path")),
            None => "Merging them would conflict; at which paths is not known yet.".to_owned(),
        },
        (BranchState::Diverged, Verdict::Clean) => "Merging them would be clean.".to_owned(),
        (BranchState::Unknown, _) => format!(
            "Whether they merge is not known: {}.",
            branch.merge_reason.as_deref().unwrap_or("it was not asked")
        ),
        (BranchState::Merged | BranchState::SquashMerged, _) => "Its work is in the base: it can go.".to_owned(),
        (BranchState::Continued, _) => "Its work landed, and later commits did not.".to_owned(),
        (BranchState::Reverted, _) => "Its work landed, and the base took it back.".to_owned(),
        _ => String::new(),
    };
    format!("It {missing}{}, and {own}. {merge}", since.unwrap_or_default())
}

fn facts(branch: &KeptBranch, now: Timestamp) -> Vec<(&'static str, String)> {
    let age = |at: Option<i64>| at.map(|at| format!("{} ({} ago)", Timestamp(at).rfc3339(), now.since(Timestamp(at))));
    let sure = branch.base_confidence.map_or(String::new(), |sure| match sure {
        1.0.. => " (declared)".to_owned(),
        sure => format!(" (chosen, {:.0} % sure)", sure * 100.0),
    });
    let oid = |oid: &Option<alignwatch_model::Oid>| oid.as_ref().map(alignwatch_model::Oid::hex);
    let facts = [
        ("Full name", Some(branch.name.clone())),
        ("Commit", oid(&branch.oid)),
        ("Subject", branch.subject.clone()),
        ("Author", branch.author.clone()),
        ("Last commit", age(branch.committed_at)),
        ("Base", branch.base.as_ref().map(|base| format!("{base}{sure}"))),
        ("Base at", oid(&branch.base_oid)),
        ("Last met the base", age(branch.base_at)),
        ("Lacks something since", age(branch.missing_since.filter(|_| branch.behind != Some(0)))),
        ("Common ancestors", branch.n_merge_bases.map(merge_bases)),
        ("Relation", Some(branch.relation.word().to_owned())),
        ("Budget", budget(branch)),
        ("Proof that it landed", branch.merged_proof.as_ref().map(|proof| proof.replace('_', " "))),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn merge_bases(n: u32) -> String {
    match n {
        0 => "none".to_owned(),
        1 => "1".to_owned(),
        n => format!("{n}: the histories cross, so that a merge may surprise"),
    }
}

fn budget(branch: &KeptBranch) -> Option<String> {
    if !branch.relation.has_budget() {
        return None;
    }
    let commits = branch.budget.behind.map(|n| format!("{} behind", count(n as usize, "commit")));
    let age = branch.budget.age.map(|age| format!("{age} without meeting its base"));
    let limits: Vec<String> = commits.into_iter().chain(age).collect();
    Some(if limits.is_empty() { "none declared".to_owned() } else { limits.join(", ") })
}

fn conflicts(view: &View, branch: &KeptBranch) -> Vec<ConflictAt> {
    let others: BTreeMap<&str, usize> = view.conflict_paths.iter().map(|(path, n)| (path.as_str(), *n)).collect();
    let is_open = branch.state == BranchState::Conflicting;
    let conflicts = branch.conflicts.iter().flatten().enumerate().filter(|_| is_open);
    let told = |(place, conflict): (usize, &alignwatch_model::branch::Conflict)| {
        let n = others.get(conflict.path.as_str()).map_or(0, |n| n.saturating_sub(1));
        let repository = told::encoded(&view.row.id);
        ConflictAt {
            kinds: conflict.kinds.join(", "),
            brought_by: brought_by(branch, place),
            others: if n == 0 { "only here".to_owned() } else { format!("and {n} {}", agree(n, "other", "others")) },
            address: format!("/repositories/{repository}/branches?path={}", told::encoded(&conflict.path)),
            path: conflict.path.clone(),
        }
    };
    conflicts.map(told).collect()
}

/// The commit that changed the path with this place: of several, the one that is to blame for most.
fn brought_by(branch: &KeptBranch, place: usize) -> Option<(String, String)> {
    let changed = |cause: &&Cause| cause.paths.iter().any(|&at| usize::from(at) == place);
    let cause = branch.causes.iter().find(changed)?;
    let author = told::person(&cause.author);
    Some((cause.oid.short(), format!("{} ({author}, {})", cause.subject, cause.committed_at.rfc3339())))
}

/// What a branch shares with others.
struct Overlaps {
    /// Those that share most paths first.
    shown: Vec<Overlap>,
    n: usize,
    /// Why it is not known which paths the branch touches: then only paths in conflict are compared.
    unknown: String,
    /// Others with work of their own of which that is not known.
    n_unknown: usize,
    /// Its work is in the base, or it has none: there is nothing to compare.
    is_idle: bool,
}

impl Overlaps {
    /// Branches that touch the same paths since they and their bases parted, or conflict at the same.
    fn of(view: &View, branch: &KeptBranch) -> Overlaps {
        let own: Option<HashSet<&[u8]>> = branch.touched().map(Iterator::collect);
        let conflicts: HashSet<&str> = conflicts_of(branch).collect();
        let shared = |other: &KeptBranch| {
            let touched = other.touched().zip(own.as_ref());
            let n = touched.map_or(0, |(paths, own)| paths.filter(|path| own.contains(path)).count());
            (n, conflicts_of(other).filter(|path| conflicts.contains(path)).count())
        };
        let others = || view.branches.iter().filter(|other| other.name != branch.name);
        let mut all: Vec<((usize, usize), &KeptBranch)> =
            others().map(|other| (shared(other), other)).filter(|(n, _)| *n != (0, 0)).collect();
        all.sort_by_key(|(n, other)| (Reverse(*n), Reverse(other.committed_at)));
        let told = |&((n, n_conflicts), other): &((usize, usize), &KeptBranch)| Overlap {
            name: told::short(&other.name).to_owned(),
            address: told::branch_path(&view.row.id, &other.name),
            n: in_common(n, n_conflicts),
            author: other.author.as_deref().map(told::person).unwrap_or_default().to_owned(),
        };
        let has_work = |other: &&KeptBranch| !other.state.is_settled() && other.touched.is_none();
        Overlaps {
            shown: all.iter().take(SHOWN).map(told).collect(),
            n: all.len(),
            unknown: match own {
                Some(_) => String::new(),
                None => branch.touched_reason.clone().unwrap_or_else(|| "it was not looked at yet".to_owned()),
            },
            n_unknown: others().filter(has_work).count(),
            is_idle: branch.state.is_settled() && branch.touched.is_none(),
        }
    }
}

/// The paths at which it conflicts now.
fn conflicts_of(branch: &KeptBranch) -> impl Iterator<Item = &str> {
    let is_open = branch.state == BranchState::Conflicting;
    branch.conflicts.iter().flatten().filter(move |_| is_open).map(|conflict| conflict.path.as_str())
}

fn in_common(n: usize, n_conflicts: usize) -> String {
    match (n, n_conflicts) {
        (0, n) => format!("conflicts at {} as well", count(n, "path")),
        (n, 0) => format!("{} in common", count(n, "path")),
        (n, both) => format!("{} in common, in conflict at {}", count(n, "path"), thousands(both)),
    }
}

impl CauseTold {
    fn of(cause: &Cause, now: Timestamp) -> CauseTold {
        let author = cause.author.split(" <").next().unwrap_or_default().to_owned();
        let (made, did) = (Ago::new(cause.committed_at, now), cause.did());
        CauseTold { oid: cause.oid.short(), subject: cause.subject.clone(), author, made, did }
    }
}

/// What to type: what for, the command, and whether it only looks.
fn commands(branch: &KeptBranch, is_bare: bool) -> Vec<(&'static str, String, bool)> {
    let Some(base) = branch.base.as_deref() else { return Vec::new() };
    let word = |name: &str| shell_ref(&RefName::from(name));
    let (name, base) = (word(&branch.name), word(base));
    let mut commands = vec![("See both sides", format!("git log --oneline --left-right --no-merges {base}...{name}"))];
    let is_local = branch.name.starts_with("refs/heads/");
    let short = word(told::short(&branch.name));
    let aligned = || aligned_by_merge(told::short(&branch.name), &short, &base, is_bare);
    match branch.state {
        BranchState::Conflicting => {
            commands.push(("See the conflicts", format!("git merge-tree --write-tree --name-only {base} {name}")));
            commands.push((
                "See what the base did at a path",
                format!("git log --oneline {name}..{base} -- {}", first_path(branch)),
            ));
            if is_local {
                commands.push(("Align it, and mend the conflicts", aligned()));
            }
        }
        BranchState::Diverged if is_local => {
            commands.push(("Align it", aligned()));
        }
        BranchState::Behind if is_local && is_bare => {
            commands.push(("Bring it up to its base", format!("git fetch . {base}:{name}")));
        }
        BranchState::Behind if is_local => {
            commands.push(("Bring it up to its base", format!("git switch {short} && git merge --ff-only {base}")));
        }
        BranchState::Merged | BranchState::SquashMerged if is_local => {
            if let Some(oid) = &branch.oid {
                commands.push((
                    "Delete it, if it is still what was seen",
                    format!("git update-ref -d {name} {}", oid.hex()),
                ));
            }
        }
        _ => {}
    }
    let told = |(what, command): (&'static str, String)| {
        let looks = only_looks(&command);
        (what, command, looks)
    };
    commands.into_iter().map(told).collect()
}

/// A path to look at, as a word of a shell.
fn first_path(branch: &KeptBranch) -> String {
    let first = branch.conflicts.iter().flatten().next();
    first.map_or_else(|| ".".to_owned(), |conflict| alignwatch_model::quote::shell_word(conflict.path.as_bytes()))
}

/// Findings that name the branch in their evidence.
fn findings(shared: &Shared, id: &str, name: &str) -> Result<Vec<FindingLink>, Failed> {
    let all = shared.read(|store| store.findings(Some(id), false, FINDINGS_AT_MOST))?;
    let quoted = serde_json::Value::from(name).to_string();
    let named = all.into_iter().filter(|finding| finding.document.contains(&quoted));
    let link = |finding: alignwatch_store::PastFinding| FindingLink {
        mark: told::health(&finding.severity),
        summary: Prose::new(finding.summary),
        address: format!("/repositories/{}#{}", told::encoded(id), finding.check),
    };
    Ok(named.map(link).collect())
}

/// Other attempts at the same idea.
fn attempts(view: &View, place: usize) -> Vec<(String, String, Mark)> {
    let Some(family) = &view.families[place] else { return Vec::new() };
    let members = view.families.iter().enumerate().filter(|(other, of)| *other != place && of.as_ref() == Some(family));
    let told = |(other, _): (usize, _)| {
        let branch = &view.branches[other];
        let address = told::branch_path(&view.row.id, &branch.name);
        (told::short(&branch.name).to_owned(), address, told::state(branch.state))
    };
    members.map(told).take(SHOWN).collect()
}

fn runs(shared: &Shared, id: &str, name: &str, now: Timestamp) -> Result<Vec<Dealt>, Failed> {
    let which = WhichRuns { repository: Some(id), ..WhichRuns::default() };
    let texts = shared.read(|store| store.runs(which, RUNS_AT_MOST))?;
    let runs = texts.iter().filter_map(|text| serde_json::from_str::<Document>(text).ok());
    let dealt = |run: Document| {
        let operation: &Operation = run.operations.iter().find(|operation| operation.branch == name)?;
        Some(Dealt {
            address: format!("/runs/{}", run.run),
            workflow: run.started.as_ref().map(|started| started.workflow.clone()).unwrap_or_default(),
            began: run.began_at.map(|at| Ago::new(Timestamp(at.0.div_euclid(1000)), now)),
            outcome: told::outcome(Some(operation.outcome)),
            because: operation.because.clone(),
        })
    };
    Ok(runs.filter_map(dealt).take(SHOWN).collect())
}

fn charts(shared: &Shared, id: &str, name: &str) -> Result<Vec<Charted>, Failed> {
    let wanted = [
        ("alignwatch_branch_behind_commits", "Commits behind"),
        ("alignwatch_branch_ahead_commits", "Commits of its own"),
    ];
    let mut charts = Vec::new();
    for (metric, title) in wanted {
        let courses = courses_of_branch(shared, id, metric, name, Span::days(365))?;
        let drawn = courses.iter().filter(|course| 1 < course.series.points().len());
        charts.extend(drawn.map(|course| Charted::of(title.to_owned(), course, None, &[])));
    }
    Ok(charts)
}

impl BranchPage {
    fn branch(&self) -> &KeptBranch {
        &self.view.branches[self.place]
    }

    fn name(&self) -> &str {
        told::short(&self.branch().name)
    }

    fn sentence(&self) -> Prose {
        Prose::new(self.sentence.as_str())
    }

    /// Those that are shown at once, and those that are folded away.
    fn conflict_parts(&self) -> (&[ConflictAt], &[ConflictAt]) {
        self.conflicts.split_at(self.conflicts.len().min(PATHS_SHOWN))
    }

    /// Paths in conflict beyond those that are kept.
    fn n_more_conflicts(&self) -> usize {
        (self.branch().n_conflicts.unwrap_or(0) as usize).saturating_sub(self.conflicts.len())
    }

    fn all_branches(&self) -> String {
        format!("/repositories/{}/branches", told::encoded(&self.view.row.id))
    }

    fn family(&self) -> String {
        let family = self.view.families[self.place].as_deref().unwrap_or_default();
        format!("{}?family={}", self.all_branches(), told::encoded(family))
    }
}
