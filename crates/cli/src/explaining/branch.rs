//! A branch: its state, the rules that led there, its base and how that was found, and the predicted merge.

use alignwatch_model::{
    Branch, Drift, Known, Landed, Proof, Snapshot, State, Threshold, Verdict,
    branch::BaseChoice,
    quote::{shell_ref, shell_word},
    remedy::aligned_by_merge,
    words::count,
};
use serde_json::json;

use super::{Explanation, Kind, World};

/// Branches, by their short or full name.
pub(super) static KIND: Kind = Kind { word: "branch", names, explain };

fn names(world: &World<'_>) -> Vec<String> {
    let branches = world.judgement.as_ref().map(|judgement| &judgement.snapshot.branches);
    branches.into_iter().flatten().map(|branch| branch.name.short().text().into_owned()).collect()
}

fn explain(world: &World<'_>, subject: &str) -> Option<Explanation> {
    let judgement = world.judgement.as_ref().ok()?;
    let snapshot = &judgement.snapshot;
    let full_names = [subject.to_owned(), format!("refs/heads/{subject}"), format!("refs/remotes/{subject}")];
    let branch = full_names.iter().find_map(|name| snapshot.branch(&name.as_str().into()))?;
    let name = branch.name.text().into_owned();
    if branch.is_ignored() {
        return Some(ignored(branch, name, snapshot));
    }
    let state = branch.state();
    let base = branch.base.as_ref().map(|base| base.name.short().text().into_owned());
    let against = base.map(|base| format!(" against {base}")).unwrap_or_default();
    let summary = format!("{} is {}{against}: {}", branch.name.short().text(), state.word(), meaning(state));
    let mut explanation = Explanation::of(&KIND, name, summary);
    explanation.seen = seen(branch, snapshot);
    explanation.sources = sources(branch);
    explanation.numbers = numbers(branch, snapshot);
    explanation.threshold = threshold(branch);
    explanation.would_change = would_change(branch);
    explanation.impact = Some(impact(state).to_owned());
    (explanation.advice, explanation.commands) = advice(branch, snapshot.repository.is_bare);
    explanation.related = related(branch, judgement);
    Some(explanation)
}

/// One that nobody watches: what was seen of it, and who says so. Nothing is judged.
fn ignored(branch: &Branch, name: String, snapshot: &Snapshot) -> Explanation {
    let at = branch.declared_at().unwrap_or_else(|| "relations".to_owned());
    let summary =
        format!("{} is ignored: {at} of the configuration says that nobody watches it", branch.name.short().text());
    let mut explanation = Explanation::of(&KIND, name, summary);
    explanation.seen = vec![told_tip(branch, snapshot), relation(branch)];
    explanation.sources = vec![format!("{at} of the configuration (`alignwatch config show`)")];
    explanation.would_change = vec![format!("Another relation at {at}, or an earlier rule that is about the branch.")];
    explanation.impact = Some("It is not judged, and in none of the counts and lists.".to_owned());
    explanation
}

/// The rule of a state, in words.
fn meaning(state: State) -> &'static str {
    match state {
        State::Unknown => "it could not be judged",
        State::Unrelated => "the two have no commit in common",
        State::Aligned => "it has all that its base has",
        State::Merged => "its tip is in its base, by a merge",
        State::Behind => "it is a place on its base's own line and has nothing of its own",
        State::Continued => "a part of it landed, and then it went on",
        State::Reverted => "it landed, and then its base took it back",
        State::SquashMerged => "its work is in its base as other commits",
        State::Conflicting => "both sides moved, and a merge conflicts",
        State::Diverged => "both sides moved, and a merge is clean",
    }
}

/// The decision, step by step, in the order of the states: the first rule that holds decides.
fn seen(branch: &Branch, snapshot: &Snapshot) -> Vec<String> {
    let mut steps = vec![told_tip(branch, snapshot)];
    steps.push(match &branch.base {
        Some(base) => told_base(base),
        None => "Base: none, so nothing was measured".to_owned(),
    });
    match &branch.drift {
        Known::Unknown(reason) => steps.push(format!("Drift: not known, because {reason}")),
        Known::Seen(drift) => steps.extend(told_drift(branch, drift, snapshot)),
    }
    steps.push(format!("Landed: {}", landed(&branch.landed)));
    steps.push(format!("Merge: {}", merge(branch)));
    steps.extend(
        branch
            .causes
            .iter()
            .map(|cause| format!("Brought by: {} ({}), which {}", cause.oid.short(), cause.subject, cause.did())),
    );
    steps.push(relation(branch));
    if let Some(upstream) = &branch.upstream {
        let gone = if upstream.gone { ", which is gone" } else { "" };
        steps.push(format!("Upstream: {} at {}{gone}", upstream.merge, upstream.remote));
    }
    steps
}

fn told_tip(branch: &Branch, snapshot: &Snapshot) -> String {
    match &branch.tip {
        Known::Seen(tip) => {
            let idle = snapshot.seen_at.since(tip.committed_at);
            format!("Tip: {} of {}, idle for {idle}: {}", tip.oid.short(), tip.committed_at, tip.subject)
        }
        Known::Unknown(reason) => format!("Tip: not known, because {reason}"),
    }
}

fn relation(branch: &Branch) -> String {
    let by = branch.declared_at().map(|at| format!(", by {at} of the configuration")).unwrap_or_default();
    format!("Relation: {}{by}", branch.relation.word())
}

fn told_base(base: &BaseChoice) -> String {
    let sure = if base.confidence >= 1.0 { String::new() } else { format!(", {:.2} sure", base.confidence) };
    format!("Base: {} at {}, because of {}{sure}", base.name.text(), base.oid.short(), base.because)
}

fn told_drift(branch: &Branch, drift: &Drift, snapshot: &Snapshot) -> Vec<String> {
    let bases: Vec<_> = drift.merge_bases.iter().map(|oid| oid.short()).collect();
    let met = match bases.len() {
        0 => "no commit in common".to_owned(),
        1 => format!("met last at {}", bases[0]),
        n => format!("{n} merge bases ({}), so that they cross", bases.join(", ")),
    };
    let mut told = vec![format!("Drift: {} ahead, {} behind, {met}", drift.ahead, drift.behind)];
    if let Some(age) = branch.divergence_age(snapshot.seen_at).filter(|_| drift.behind > 0) {
        told.push(format!("Lacks something of its base for {age}"));
    }
    told
}

fn landed(landed: &Landed) -> String {
    match landed {
        Landed::No => "no proof was found, so it is kept".to_owned(),
        Landed::Yes(proof) => format!("all of it: {}", proved(*proof)),
        Landed::Continued(proof) => format!("a part of it: {}; later commits did not", proved(*proof)),
        Landed::Reverted(proof) => format!("yes: {}; then its base took it back", proved(*proof)),
        Landed::Unknown(reason) => format!("not known, because {reason}; so it is kept"),
    }
}

fn proved(proof: Proof) -> &'static str {
    match proof {
        Proof::Ancestor => "its tip is an ancestor of its base",
        Proof::Forge => "the forge says so",
        Proof::IdenticalTree => "every path that it changed has the same content in its base",
        Proof::MergeNoOp => "merging it would change nothing",
        Proof::PatchIds => "each of its commits has one with the same patch in its base",
        Proof::SquashPatchId => "one commit in its base is the patch of the whole branch",
    }
}

/// Paths that are named; the others are in `branches --json`.
const PATHS_AT_MOST: usize = 5;

fn merge(branch: &Branch) -> String {
    let merge = &branch.merge;
    match (merge.verdict, &merge.conflicts) {
        (Verdict::Clean, _) => "clean".to_owned(),
        (Verdict::Unknown, _) => {
            merge.reason.clone().map_or("not predicted".to_owned(), |reason| format!("no verdict: {reason}"))
        }
        (Verdict::Conflict, None) => "conflicts; in which files is not known yet".to_owned(),
        (Verdict::Conflict, Some(conflicts)) => {
            let paths: Vec<_> = conflicts.iter().take(PATHS_AT_MOST).map(|conflict| conflict.path.as_str()).collect();
            let more = conflicts.len().saturating_sub(PATHS_AT_MOST);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("conflicts in {}: {}{more}", count(conflicts.len(), "file"), paths.join(", "))
        }
    }
}

/// The commands of Git that answer the same.
fn sources(branch: &Branch) -> Vec<String> {
    let Some(base) = &branch.base else { return vec!["the refs of the repository".to_owned()] };
    let (name, base) = (shell_ref(&branch.name), shell_ref(&base.name));
    let both = |between: &str| shell_word(format!("{base}{between}{name}").as_bytes());
    let has_odd_name = base.contains('\'') || name.contains('\'');
    let range = if has_odd_name { format!("{base} {name}") } else { both("...") };
    let mut sources = vec![
        format!("`git rev-list --left-right --count {range}` (behind, ahead)"),
        format!("`git merge-base --all {base} {name}`"),
    ];
    if branch.has_own_commits() {
        sources.push(format!("`git cherry {base} {name}` (patches that landed)"));
        sources.push(format!("`git merge-tree --write-tree {base} {name}` (the merge)"));
    }
    sources
}

fn numbers(branch: &Branch, snapshot: &Snapshot) -> alignwatch_model::Evidence {
    let now = snapshot.seen_at;
    let drift = branch.drift.seen();
    let value = json!({
        "ahead": drift.map(|drift| drift.ahead),
        "behind": drift.map(|drift| drift.behind),
        "idle_age_seconds": branch.idle_age(now),
        "divergence_age_seconds": branch.divergence_age(now),
        "base_age_seconds": branch.base_age(now),
        "n_conflicting_files": branch.merge.conflicts.as_ref().map(Vec::len),
        "base_confidence": branch.base.as_ref().map(|base| (base.confidence * 1e4).round() / 1e4),
        "within_budget": branch.within_budget(now),
    });
    value.as_object().cloned().unwrap_or_default()
}

fn threshold(branch: &Branch) -> Option<Threshold> {
    let (behind, age) = (branch.budget.behind, branch.budget.age);
    let told = match (behind, age) {
        (None, None) => return None,
        (Some(behind), None) => format!("{} behind", count(behind as usize, "commit")),
        (None, Some(age)) => format!("{age} without something of its base"),
        (Some(behind), Some(age)) => format!("{} behind, {age} without something", count(behind as usize, "commit")),
    };
    let source = "the budget of its relation: keys budget and relations".to_owned();
    Some(Threshold { value: told.into(), source })
}

fn would_change(branch: &Branch) -> Vec<String> {
    let by_state = match branch.state() {
        State::Unknown => "The cause of the reason above is taken away.",
        State::Unrelated => "Another base: the right one may be a line that is not watched.",
        State::Aligned => "A new commit on its base makes it diverged or behind.",
        State::Merged | State::Behind => "A new commit on the branch makes it diverged.",
        State::Continued => "The rest lands, or the branch is aligned with its base.",
        State::Reverted => "Its work lands again in another form, or the branch goes.",
        State::SquashMerged => "A new commit on the branch makes it continued; a revert on its base makes it reverted.",
        State::Conflicting => "A merge or rebase that settles the files above makes it aligned.",
        State::Diverged => "A merge or rebase makes it aligned; new commits in the same places make it conflicting.",
    };
    let mut ways = vec![by_state.to_owned()];
    if branch.base.as_ref().is_some_and(|base| base.confidence < 1.0) {
        ways.push("Another base: declare one with the key relations, or ask with --base.".to_owned());
    }
    ways
}

fn impact(state: State) -> &'static str {
    match state {
        State::Unknown => "It is neither counted as well nor as ill, and nothing is advised for it.",
        State::Unrelated => "A merge would bring in a foreign history as a whole.",
        State::Aligned => "Nothing to do.",
        State::Merged | State::SquashMerged => "It can go; every alignment that still includes it is wasted work.",
        State::Behind => "It has nothing of its own: it can be moved forward or go.",
        State::Continued => "What is left is easily forgotten: it looks like a branch that landed.",
        State::Reverted => "Merging its base into it takes its own work away; merging it brings nothing back.",
        State::Conflicting => "Whoever aligns it has to stop and resolve by hand; it gets harder with each day.",
        State::Diverged => "It can be aligned now without help; later it may conflict.",
    }
}

fn advice(branch: &Branch, is_bare: bool) -> (Vec<String>, Vec<String>) {
    let Some(base) = &branch.base else {
        return (vec!["Declare a base for it: key relations, or --base.".to_owned()], Vec::new());
    };
    let log =
        vec![format!("git log --oneline --left-right {} --not {}", shell_ref(&branch.name), shell_ref(&base.name))];
    let text = match branch.state() {
        State::Aligned => return (Vec::new(), Vec::new()),
        State::Conflicting | State::Diverged => {
            "Align it: merge its base into it, or rebase it. Look at what it has of its own first."
        }
        State::Merged | State::SquashMerged => "Delete it when nobody needs it; `alignwatch explain landed` tells how.",
        State::Unrelated => "Find out where it comes from before anybody merges it.",
        State::Unknown => "Take the cause away first; `alignwatch doctor` names it.",
        _ => "Look at what it has of its own, and decide whether that is still wanted.",
    };
    let name = branch.name.text();
    let plain =
        name.strip_prefix("refs/heads/").filter(|_| matches!(branch.state(), State::Conflicting | State::Diverged));
    let align =
        plain.map(|plain| aligned_by_merge(plain, &shell_word(plain.as_bytes()), &shell_ref(&base.name), is_bare));
    (vec![text.to_owned()], log.into_iter().chain(align).collect())
}

/// Findings that name the branch.
fn related(branch: &Branch, judgement: &crate::report::Judgement) -> Vec<String> {
    let name = branch.name.text();
    let names_it = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => *text == name,
        serde_json::Value::Object(fields) => fields.values().any(|value| value.as_str() == Some(&*name)),
        _ => false,
    };
    let findings = judgement.findings().into_iter().filter(|finding| {
        finding.subject == name
            || finding
                .evidence
                .values()
                .any(|value| names_it(value) || value.as_array().is_some_and(|all| all.iter().any(names_it)))
    });
    findings.map(|finding| format!("alignwatch explain {}", shell_word(finding.key.as_bytes()))).collect()
}
