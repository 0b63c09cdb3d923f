//! `conflicting`: branches that would not merge with their base.

use std::{cmp::Reverse, collections::HashMap};

use super::{Check, Family, Outcome, Runbook, Seen, draft::*, scope::*};
use crate::{
    Branch, Finding, Look, RefName, Remedy, Severity, State,
    quote::{shell_ref, shell_word},
    remedy::{aligned_by_merge, only_looks},
};

/// Open branches whose merge with the base conflicts, grouped by the path where most of them meet.
///
/// One finding for each of the few hottest paths, each branch counted once,
/// and one for the rest. Branches that landed are not conflicting, even where
/// a merge of them would be: there is nothing to merge.
pub(super) static CHECK: Check = Check {
    id: "conflicting",
    title: "Branches that conflict with their base",
    looks_at: "The predicted merge of each open branch with its base, and the paths where it stops",
    why: "They cannot be aligned without a person, and each commit of the base makes it harder",
    severity: Severity::Error,
    family: Family::Branches,
    needs: &[Look::Merges],
    git_says: Some("git merge-tree --write-tree"),
    runbook: Runbook {
        look: "`alignwatch branches --state conflicting`, then `git merge-tree --write-tree --name-only <base> <branch>` for one of them",
        mend: "Merge or rebase the branch while its author still knows the change; begin with the file that most branches share",
        sure: "`alignwatch check --only conflicting` no longer names the branch",
        undo: Some("`git merge --abort`, or `git reset --hard ORIG_HEAD` right after the merge"),
    },
    threshold: None,
    judge,
};

/// Hot paths that get a finding of their own, for each base.
///
/// Three causes are what a person takes up at once; the rest is one number.
const HOT_PATHS_AT_MOST: usize = 3;

/// Branches that must share a path for it to be a cause of its own.
const BRANCHES_AT_LEAST: usize = 3;

fn judge(seen: &Seen<'_>) -> Outcome {
    let conflicting = seen.open().filter(|branch| branch.state() == State::Conflicting);
    let findings = by_base(conflicting).into_iter().flat_map(|group| of_base(seen, group)).collect();
    Outcome { findings, unknown: seen.unpredicted(), skipped: None }
}

fn of_base(seen: &Seen<'_>, (base, mut rest): OfBase<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A list that is not there yet may name any path, so that what is counted is a part.
    let is_part = rest.iter().any(|branch| branch.merge.conflicts.is_none());
    while findings.len() < HOT_PATHS_AT_MOST {
        let Some(path) = hottest_path(&rest) else { break };
        let (hot, others) = rest.into_iter().partition(|branch| paths(branch).any(|conflict| conflict == path));
        let count = Counted { is_part, goes_on: !findings.is_empty() };
        findings.push(at_path(seen, base, path, hot, count));
        rest = others;
    }
    if !rest.is_empty() {
        findings.push(the_rest(seen, base, rest, findings.is_empty()));
    }
    findings
}

/// The path at which most branches conflict, if enough do; of several, the first by name.
fn hottest_path<'a>(branches: &[&'a Branch]) -> Option<&'a str> {
    let (path, n) = tally(branches).into_iter().max_by_key(|&(path, n)| (n, Reverse(path)))?;
    (BRANCHES_AT_LEAST <= n).then_some(path)
}

/// Branches that conflict at each path.
fn tally<'a>(branches: &[&'a Branch]) -> HashMap<&'a str, usize> {
    let mut tally = HashMap::new();
    for path in branches.iter().flat_map(|branch| paths(branch)) {
        *tally.entry(path).or_default() += 1;
    }
    tally
}

/// How the branches of a path were counted.
#[derive(Clone, Copy)]
struct Counted {
    /// The paths of some branches are not known.
    is_part: bool,
    /// Those of a hotter path were taken out.
    goes_on: bool,
}

fn at_path(seen: &Seen<'_>, base: &RefName, path: &str, branches: Vec<&Branch>, counted: Counted) -> Finding {
    let summary = format!(
        "{}{} {} with {} at `{path}`{}",
        if counted.is_part { "at least " } else { "" },
        count(branches.len(), if counted.goes_on { "more branch" } else { "branch" }),
        agree(branches.len(), "conflicts", "conflict"),
        quoted(base),
        seen.live_part(&branches),
    );
    let finding = seen.finding(severity(seen, &branches), &format!("{}:{path}", base.text()), path, summary);
    let mut finding = described(seen, base, finding.fact("path", path), branches);
    let all = format!("alignwatch branches --at {} --limit 0", shell_word(path.as_bytes()));
    finding.remedy.only_looks.push(only_looks(&all));
    finding.remedy.commands.push(all);
    finding
}

fn the_rest(seen: &Seen<'_>, base: &RefName, branches: Vec<&Branch>, is_all: bool) -> Finding {
    let others = if is_all { "" } else { "other " };
    let n_unlisted = branches.iter().filter(|branch| branch.merge.conflicts.is_none()).count();
    let unlisted = match n_unlisted {
        0 => String::new(),
        n => format!(" (the paths of {} are not known yet)", thousands(n)),
    };
    let summary = format!(
        "{} {} with {}{}{unlisted}{}",
        count(branches.len(), &format!("{others}branch")),
        agree(branches.len(), "conflicts", "conflict"),
        quoted(base),
        if is_all { "" } else { ", at other paths" },
        seen.live_part(&branches),
    );
    let finding = seen.finding(severity(seen, &branches), &base.text(), base.short().text(), summary);
    described(seen, base, finding, branches)
}

/// Work is blocked where somebody works; elsewhere it will be.
fn severity(seen: &Seen<'_>, branches: &[&Branch]) -> Severity {
    if branches.iter().all(|branch| seen.is_stale(branch)) { Severity::Warning } else { Severity::Error }
}

fn described(seen: &Seen<'_>, base: &RefName, finding: Finding, mut branches: Vec<&Branch>) -> Finding {
    branches.sort_by_key(|branch| (seen.is_stale(branch), n_paths(branch), &branch.name));
    let n_live = branches.iter().filter(|branch| !seen.is_stale(branch)).count();
    let easiest = branches[0];
    finding
        .branches(branches.iter().copied())
        .fact("base", base.text())
        .fact("n_live_branches", n_live)
        .fact("conflict_paths_median", median_paths(&branches))
        .fact("also_at", hottest_paths(&branches))
        .fact("source", "git merge-tree --write-tree")
        .so("None of them can be aligned without a person resolving the conflict.")
        .mend(remedy(seen, easiest, base))
}

/// The three paths that most of the branches share, beside the first.
fn hottest_paths(branches: &[&Branch]) -> Vec<String> {
    let mut tally: Vec<_> = tally(branches).into_iter().collect();
    tally.sort_by_key(|&(path, n)| (Reverse(n), path));
    tally.into_iter().skip(1).take(3).map(|(path, _)| path.to_owned()).collect()
}

fn remedy(seen: &Seen<'_>, branch: &Branch, base: &RefName) -> Remedy {
    let (ours, theirs) = (shell_ref(base), shell_ref(&branch.name));
    let mut commands = vec![format!("git merge-tree --write-tree --name-only {ours} {theirs}")];
    let plain = branch.name.as_bytes().strip_prefix(b"refs/heads/").filter(|short| !short.starts_with(b"-"));
    match (seen.git_where_checked_out(&branch.name), plain) {
        (Some(git), _) => commands.push(format!("{git} merge {ours}")),
        (None, Some(short)) => {
            let is_bare = seen.snapshot.repository.is_bare;
            commands.push(aligned_by_merge(&String::from_utf8_lossy(short), &shell_word(short), &ours, is_bare));
        }
        _ => {}
    }
    let n_paths = match &branch.merge.conflicts {
        Some(conflicts) => count(conflicts.len(), "path"),
        None => "paths not listed".into(),
    };
    let text = format!(
        "Begin with the fewest conflicts, {} ({n_paths}): see where it stops, then merge its base and resolve. \
         Undo: git merge --abort",
        quoted(&branch.name),
    );
    Remedy::reversible(text, commands)
}

fn paths(branch: &Branch) -> impl Iterator<Item = &str> {
    branch.merge.conflicts.iter().flatten().map(|conflict| &*conflict.path)
}

/// For the order only: a list that is not final comes last.
fn n_paths(branch: &Branch) -> usize {
    branch.merge.conflicts.as_ref().map_or(usize::MAX, Vec::len)
}

fn median_paths(branches: &[&Branch]) -> Option<u32> {
    let known: Vec<_> = branches.iter().filter_map(|branch| branch.merge.conflicts.as_ref()).collect();
    (!known.is_empty()).then(|| median(known.iter().map(|conflicts| conflicts.len() as u32).collect()))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Landed, Merge, Proof, Relation};

    fn conflicts(name: &str, paths: &[&str]) -> Branch {
        conflicting(branch(name, 1, 1), paths)
    }

    #[test]
    fn a_clean_merge_is_no_finding() {
        assert_eq!(judged(&CHECK, &snapshot([branch("refs/heads/x", 1, 1)])), Outcome::default());
    }

    #[test]
    fn branches_are_grouped_by_the_path_where_most_of_them_meet() {
        let snapshot = snapshot([
            conflicts("refs/heads/a", &["lock", "x"]),
            conflicts("refs/heads/b", &["lock"]),
            conflicts("refs/heads/c", &["lock", "y", "z"]),
            conflicts("refs/heads/d", &["x"]),
            conflicts("refs/heads/e", &["y"]),
        ]);
        let outcome = judged(&CHECK, &snapshot);
        assert_eq!(
            told(&outcome.findings),
            "[error] conflicting:refs/heads/main:lock: 3 branches conflict with `main` at `lock`\n\
             [error] conflicting:refs/heads/main: 2 other branches conflict with `main`, at other paths"
        );
        let hot = &outcome.findings[0];
        assert_eq!(hot.evidence["branches"][0], "refs/heads/b", "the fewest conflicts come first");
        assert_eq!(
            hot.remedy.commands[1..],
            ["git switch b && git merge refs/heads/main", "alignwatch branches --at lock --limit 0"]
        );
    }

    #[test]
    fn where_nobody_works_it_is_a_warning() {
        let rests = idle(conflicts("refs/heads/a", &["x"]), 200);
        let works = conflicts("refs/heads/b", &["x"]);
        assert_eq!(only(judged(&CHECK, &snapshot([rests.clone()]))).severity, Severity::Warning);
        let both = only(judged(&CHECK, &snapshot([rests, works])));
        assert_eq!(
            told([&both]),
            "[error] conflicting:refs/heads/main: 2 branches conflict with `main`, 1 of them with commits lately"
        );
    }

    #[test]
    fn what_landed_or_must_never_merge_does_not_conflict() {
        let mut landed = conflicts("refs/heads/a", &["x"]);
        landed.landed = Landed::Yes(Proof::SquashPatchId);
        let mut apart = conflicts("refs/heads/b", &["x"]);
        apart.relation = Relation::Forbidden;
        assert_eq!(judged(&CHECK, &snapshot([landed, apart])), Outcome::default());
    }

    #[test]
    fn a_prediction_that_failed_is_unknown() {
        let mut unknown = branch("refs/heads/a", 1, 1);
        unknown.merge = Merge::unknown("object 00 is missing");
        let outcome = judged(&CHECK, &snapshot([unknown]));
        assert_eq!(outcome.unknown.unwrap(), "1 branch could not be judged: object 00 is missing (1)");
    }

    #[test]
    fn a_conflict_without_a_final_list_of_paths_is_still_told() {
        let mut branch = branch("refs/heads/a", 1, 1);
        branch.merge = Merge::conflict(None);
        assert_eq!(judged(&CHECK, &snapshot([branch])).findings.len(), 1);
    }

    #[test]
    fn what_is_counted_is_said_to_be_a_part_where_paths_are_not_known_yet() {
        let mut branches: Vec<Branch> =
            (0..7).map(|n| conflicts(&format!("refs/heads/b{n}"), if n < 4 { &["hot"] } else { &["warm"] })).collect();
        branches.push(branch("refs/heads/later", 1, 1));
        branches[7].merge = Merge::conflict(None);
        let findings = judged(&CHECK, &snapshot(branches)).findings;
        let said: Vec<_> = findings.iter().map(|finding| finding.summary.as_str()).collect();
        assert_eq!(
            said,
            [
                "at least 4 branches conflict with `main` at `hot`",
                "at least 3 more branches conflict with `main` at `warm`",
                "1 other branch conflicts with `main`, at other paths (the paths of 1 are not known yet)",
            ]
        );
    }
}
