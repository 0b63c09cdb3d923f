//! `retry-families` and `identical-tips`: many branches that are one thing.

use serde_json::json;

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{
    Branch, Finding, Known, Look, Proof, Remedy, Severity,
    family::{families, identical},
    quote::shell_ref,
};

/// Branches that are attempts at the same idea, by their names, as one finding.
pub(super) static RETRIES: Check = Check {
    id: "retry-families",
    title: "Attempts at the same idea",
    looks_at: "Branch names that differ only in a fresh number at the end, as tools push them when they try again",
    why: "Each attempt is aligned, tested and reviewed again, and at most one of them will land",
    severity: Severity::Info,
    family: Family::Branches,
    needs: &[Look::Landed],
    git_says: None,
    runbook: Runbook {
        look: "`alignwatch check -v --only retry-families` lists the attempts of each idea, with their states",
        mend: "Choose one attempt of each idea, align it, and archive the others",
        sure: "`alignwatch check --only retry-families` counts fewer",
        undo: Some("`git branch <branch> refs/archive/<branch>`"),
    },
    threshold: Some(ThresholdSpec {
        default: 2,
        range: (2, 1000),
        unit: "branches",
        source: "alignwatch: a second attempt is one too many",
    }),
    judge: retries,
};

/// Branches that point to the same commit with work of its own, as one finding.
pub(super) static IDENTICAL: Check = Check {
    id: "identical-tips",
    title: "Branches that are the same commit",
    looks_at: "Branches with work of their own whose tips are equal",
    why: "The same work is measured and aligned several times, and when one moves on, the others are left behind",
    severity: Severity::Info,
    family: Family::Branches,
    needs: &[Look::Landed],
    git_says: Some("git for-each-ref --points-at"),
    runbook: Runbook {
        look: "`git for-each-ref --points-at <id> refs/heads`",
        mend: "Keep one name for each commit and delete the others at that id, as the finding shows",
        sure: "`git for-each-ref --points-at <id>` names one branch",
        undo: Some("`git update-ref refs/heads/<branch> <id>`"),
    },
    threshold: None,
    judge: same_tips,
};

/// Groups that a finding lists.
const GROUPS_AT_MOST: usize = 10;

/// Attempts at one idea.
type Attempts<'a> = (String, Vec<&'a Branch>);

fn retries(seen: &Seen<'_>) -> Outcome {
    let branches: Vec<_> = seen.branches().collect();
    let (least, _) = seen.threshold();
    let found = families(branches.iter().map(|branch| &branch.name)).into_iter();
    let found = found.filter(|(_, attempts)| least <= attempts.len() as i64);
    let found: Vec<Attempts<'_>> =
        found.map(|(idea, attempts)| (idea, attempts.into_iter().map(|number| branches[number]).collect())).collect();
    Outcome::found((!found.is_empty()).then(|| retries_found(seen, &found)).into_iter().collect())
}

fn retries_found(seen: &Seen<'_>, found: &[Attempts<'_>]) -> Finding {
    let (_, threshold) = seen.threshold();
    let n_branches: usize = found.iter().map(|(_, attempts)| attempts.len()).sum();
    let has_landed = |(_, attempts): &&Attempts<'_>| attempts.iter().any(|branch| branch.has_landed());
    let n_landed = found.iter().filter(has_landed).count();
    let (idea, attempts) = &found[0];
    let summary = format!(
        "{} are attempts at {} ({} at `{idea}`); of {} an attempt landed",
        count(n_branches, "branch"),
        count(found.len(), "idea"),
        thousands(attempts.len()),
        count(n_landed, "idea"),
    );
    let shown =
        found.iter().take(GROUPS_AT_MOST).map(|(idea, attempts)| json!({ "idea": idea, "n_branches": attempts.len() }));
    seen.finding(Severity::Info, "", count(found.len(), "idea"), summary)
        .fact("ideas", shown.collect::<Vec<_>>())
        .fact("n_ideas", found.len())
        .fact("n_branches", n_branches)
        .fact("n_ideas_landed", n_landed)
        .names("largest_family", attempts.iter().map(|branch| branch.name.text().into_owned()))
        .against(threshold)
        .so("All but one of each are work for nothing: every one is merged, tested and read again.")
        .mend(Remedy::reversible(
            "Of each idea keep the attempt that is to land, and archive the others; where one landed, archive all others. \
             The command lists the attempts at the first idea, newest first.",
            [listing(attempts)],
        ))
}

fn listing(attempts: &[&Branch]) -> String {
    let names: Vec<_> = attempts.iter().map(|branch| shell_ref(&branch.name)).collect();
    format!("git for-each-ref --sort=-committerdate --format='%(committerdate:short) %(refname)' {}", names.join(" "))
}

fn same_tips(seen: &Seen<'_>) -> Outcome {
    // A branch without a commit of its own equals its base's history: that says nothing.
    let has_own = |branch: &&Branch| branch.drift.seen().is_none_or(|drift| drift.ahead > 0);
    // What landed can go as a whole, and is told by `landed-still-here`: two advices to delete would leave no name.
    let has_own = |branch: &&Branch| has_own(branch) && !branch.has_landed();
    let with_tip = |branch: &'_ Branch| matches!(branch.tip, Known::Seen(_));
    let branches: Vec<_> = seen.branches().filter(has_own).filter(|branch| with_tip(branch)).collect();
    let tips = branches.iter().filter_map(|branch| Some((&branch.name, branch.tip.seen()?.oid)));
    let groups: Vec<Vec<&Branch>> =
        identical(tips).into_iter().map(|same| same.into_iter().map(|number| branches[number]).collect()).collect();
    Outcome::found((!groups.is_empty()).then(|| same_found(seen, &groups)).into_iter().collect())
}

fn same_found(seen: &Seen<'_>, groups: &[Vec<&Branch>]) -> Finding {
    let n_branches: usize = groups.iter().map(Vec::len).sum();
    let first = &groups[0];
    let summary = format!(
        "{} point to {}, such as {} and {}",
        count(n_branches, "branch"),
        count(groups.len(), "commit"),
        quoted(&first[0].name),
        quoted(&first[1].name),
    );
    let names = |group: &Vec<&Branch>| group.iter().map(|branch| branch.name.text().into_owned()).collect::<Vec<_>>();
    let shown: Vec<_> = groups.iter().take(GROUPS_AT_MOST).map(names).collect();
    // What is kept of each group holds the commits of the others, so that nothing needs to be archived.
    let others = groups.iter().flat_map(|group| &group[1..]);
    let commands: Vec<_> =
        others.filter_map(|branch| seen.removal(branch, Some(Proof::Ancestor))).take(NAMES_AT_MOST).collect();
    let text = "Keep one name of each group. The commands delete the others as long as they have not moved; \
                undo: git update-ref <name> <id> ''";
    seen.finding(Severity::Info, "", count(groups.len(), "commit"), summary)
        .fact("groups", json!(shown))
        .fact("n_groups", groups.len())
        .fact("n_branches", n_branches)
        .fact("source", "git for-each-ref --format='%(objectname) %(refname)'")
        .so("The same work is aligned several times.")
        .mend(Remedy::reversible(text, commands))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Landed;

    #[test]
    fn attempts_are_one_finding_with_the_largest_family_first() {
        let mut landed = branch("refs/heads/agent-fix-leak-1234567890123", 1, 1);
        landed.landed = Landed::Yes(Proof::PatchIds);
        let snapshot = snapshot([
            landed,
            branch("refs/heads/agent-fix-leak-2234567890123", 1, 1),
            branch("refs/heads/agent-new-page-1234567890123", 1, 1),
            branch("refs/heads/agent-new-page-2234567890123", 1, 1),
            branch("refs/heads/agent-new-page-3234567890123", 1, 1),
            branch("refs/heads/x", 1, 1),
        ]);
        let finding = only(judged(&RETRIES, &snapshot));
        assert_eq!(
            told([&finding]),
            "[info] retry-families: 5 branches are attempts at 2 ideas (3 at `agent-new-page`); of 1 idea an attempt landed"
        );
        assert!(finding.remedy.commands[0].ends_with("refs/heads/agent-new-page-3234567890123"));
    }

    #[test]
    fn names_of_their_own_are_fine() {
        let snapshot = snapshot([branch("refs/heads/a", 1, 1), branch("refs/heads/b", 1, 1)]);
        assert_eq!(judged(&RETRIES, &snapshot), Outcome::default());
        assert_eq!(judged(&IDENTICAL, &snapshot), Outcome::default());
    }

    #[test]
    fn equal_tips_with_work_of_their_own_are_found_and_one_of_them_stays() {
        let same = |name| {
            let mut branch = branch(name, 1, 1);
            set_tip(&mut branch, oid(9));
            branch
        };
        let fresh = |name| {
            let mut fresh = branch(name, 0, 0);
            set_tip(&mut fresh, oid(1));
            fresh
        };
        let snapshot = snapshot([
            same("refs/heads/a"),
            same("refs/heads/b"),
            same("refs/remotes/origin/a"),
            fresh("refs/heads/y"),
            fresh("refs/heads/z"),
        ]);
        let finding = only(judged(&IDENTICAL, &snapshot));
        assert_eq!(told([&finding]), "[info] identical-tips: 2 branches point to 1 commit, such as `a` and `b`");
        assert_eq!(finding.remedy.commands, [format!("git update-ref -d refs/heads/b {}", oid(9))]);
    }
}
