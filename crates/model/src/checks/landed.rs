//! `landed-still-here`, `continued-after-landing` and `reverted`: branches whose work reached the base.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Check, Family, Outcome, Runbook, Seen, draft::*, removal::undo_command};
use crate::{Branch, Finding, Landed, Look, Proof, Remedy, Severity, State, quote::shell_ref};

/// Branches whose work is in the base and that are still there, as one finding with the proofs.
///
/// The remedy names the commit that was judged: a branch that moved since stays.
/// What the base does not reach is archived before it goes.
pub(super) static STILL_HERE: Check = Check {
    id: "landed-still-here",
    title: "Landed branches that are still here",
    looks_at: "The proof that each branch's work is in its base: ancestry, identical content, patch ids",
    why: "They cost time in every inspection and look like work that is open",
    severity: Severity::Info,
    family: Family::Branches,
    needs: &[Look::Landed],
    git_says: Some("git branch --merged; git cherry"),
    runbook: Runbook {
        look: "`alignwatch branches --state merged --state squash_merged` names the proof of each",
        mend: "Delete them at the id that was judged, as the finding shows; a branch that moved in between is kept",
        sure: "`alignwatch check --only landed-still-here` is ok",
        undo: Some("`git update-ref refs/heads/<branch> <id>` with the id of the finding"),
    },
    threshold: None,
    judge: still_here,
};

/// Branches that landed and then got further commits, as one finding.
pub(super) static CONTINUED: Check = Check {
    id: "continued-after-landing",
    title: "Branches that went on after they landed",
    looks_at: "Commits on top of the part that is proven to be in the base",
    why: "They look merged, and a clean-up by name or by pull request would lose the later commits",
    severity: Severity::Warning,
    family: Family::Branches,
    needs: &[Look::Landed],
    git_says: Some("git cherry -v"),
    runbook: Runbook {
        look: "`git cherry -v <base> <branch>`: lines with `+` are not in the base",
        mend: "Open a new pull request for the later commits: `git rebase --onto <base> <last landed commit> <branch>`",
        sure: "The branch is `diverged` or gone, and `git cherry` has the later commits in the base or in a request",
        undo: Some("`git reset --hard ORIG_HEAD` right after the rebase"),
    },
    threshold: None,
    judge: continued,
};

/// Branches that landed and that the base then took back, as one finding.
pub(super) static REVERTED: Check = Check {
    id: "reverted",
    title: "Branches that landed and were reverted",
    looks_at: "Branches whose patches are in the base's history and whose content is not",
    why: "By patch ids they count as merged, but nothing of them is in the base any more: whether they are wanted, people must say",
    severity: Severity::Warning,
    family: Family::Branches,
    needs: &[Look::Landed],
    git_says: Some("git cherry -v; git log --grep='This reverts'"),
    runbook: Runbook {
        look: "`git log --grep='This reverts commit' <base>` shows why it was taken out",
        mend: "Ask before the branch goes: it may be the only place where the work can be mended. To land it again, revert the revert",
        sure: "`alignwatch check --only reverted` no longer names it",
        undo: Some("`git revert <commit>`"),
    },
    threshold: None,
    judge: reverted,
};

fn still_here(seen: &Seen<'_>) -> Outcome {
    let landed: Vec<_> =
        seen.branches().filter(|branch| branch.relation.expects_merge() && branch.has_landed()).collect();
    let findings = (!landed.is_empty()).then(|| landed_finding(seen, &landed)).into_iter().collect();
    Outcome { findings, unknown: seen.unproven(), skipped: None }
}

fn landed_finding(seen: &Seen<'_>, landed: &[&Branch]) -> Finding {
    let mut by_proof = BTreeMap::<&str, usize>::new();
    for branch in landed {
        *by_proof.entry(proof_of(branch).word()).or_default() += 1;
    }
    let proofs: Vec<_> = by_proof.iter().map(|(proof, n)| format!("{} by {}", thousands(*n), spoken(proof))).collect();
    let summary = format!("{} can go: the work is in the base ({})", count(landed.len(), "branch"), proofs.join(", "),);
    seen.finding(Severity::Info, "", count(landed.len(), "branch"), summary)
        .branches(landed.iter().copied())
        .fact("by_proof", json!(by_proof))
        .fact("source", "alignwatch branches --state merged; alignwatch branches --state squash_merged")
        .so("They are measured again each time, and hide what is still open.")
        .mend(landed_remedy(seen, landed))
}

fn landed_remedy(seen: &Seen<'_>, landed: &[&Branch]) -> Remedy {
    let with_command = |branch: &&'_ Branch| seen.removal(branch, Some(proof_of(branch)));
    let commands: Vec<_> = landed.iter().filter_map(with_command).take(NAMES_AT_MOST).collect();
    let Some(first) = landed.iter().find(|branch| with_command(branch).is_some()) else {
        return Remedy::reversible("Delete them when nobody stands on them any more.", []);
    };
    let more = if commands.len() < landed.len() { format!(" (the first {})", commands.len()) } else { String::new() };
    let text = format!(
        "Delete them{more}. Each command refuses when the branch has moved, and keeps under refs/archive/ what the base \
         does not reach. Undo: {}",
        undo_command(first).unwrap_or_default(),
    );
    Remedy::reversible(text, commands)
}

fn proof_of(branch: &Branch) -> Proof {
    branch.proof().unwrap_or(Proof::Ancestor)
}

fn spoken(proof: &str) -> String {
    match proof {
        "ancestor" => "ancestry".into(),
        "merge_no_op" => "a merge that changes nothing".into(),
        "squash_patch_id" => "the patch id of a squash".into(),
        other => other.replace('_', " "),
    }
}

fn continued(seen: &Seen<'_>) -> Outcome {
    let branches = in_state(seen, State::Continued, |landed| matches!(landed, Landed::Continued(_)));
    let found = |branches: &[&Branch]| {
        let summary =
            format!("{} landed and then went on: the later commits are in no base", count(branches.len(), "branch"),);
        seen.finding(Severity::Warning, "", count(branches.len(), "branch"), summary)
            .branches(branches.iter().copied())
            .so("They look merged: deleting them loses the later commits, and aligning them meets their own work again.")
            .mend(Remedy::reversible(
                "Keep them. Move the later commits to a new branch from the base, or open a new pull request. \
                 The command shows the commits that have no counterpart in the base.",
                cherry(branches),
            ))
    };
    outcome(seen, branches, found)
}

fn reverted(seen: &Seen<'_>) -> Outcome {
    let branches = in_state(seen, State::Reverted, |landed| matches!(landed, Landed::Reverted(_)));
    let found = |branches: &[&Branch]| {
        let summary = format!(
            "{} landed and {} reverted on the base later",
            count(branches.len(), "branch"),
            agree(branches.len(), "was", "were"),
        );
        seen.finding(Severity::Warning, "", count(branches.len(), "branch"), summary)
            .branches(branches.iter().copied())
            .so("A merge will not bring the work back: Git takes the reverted commits for merged.")
            .mend(Remedy::reversible(
                "Ask whether the work is still wanted. If so, revert the revert or rebase the branch with new commits; \
                 if not, archive it. The command shows the branch against its base.",
                cherry(branches),
            ))
    };
    outcome(seen, branches, found)
}

/// Also branches whose later state won over the landing, such as a base that was merged in again.
fn in_state<'a>(seen: &Seen<'a>, state: State, is_it: impl Fn(&Landed) -> bool) -> Vec<&'a Branch> {
    let is_found = |branch: &&Branch| {
        branch.relation.expects_merge()
            && branch.state() != State::Unknown
            && (branch.state() == state || is_it(&branch.landed))
    };
    seen.branches().filter(is_found).collect()
}

fn outcome(seen: &Seen<'_>, branches: Vec<&Branch>, found: impl Fn(&[&Branch]) -> Finding) -> Outcome {
    let findings = (!branches.is_empty()).then(|| found(&branches)).into_iter().collect();
    Outcome { findings, unknown: seen.unproven(), skipped: None }
}

fn cherry(branches: &[&Branch]) -> Vec<String> {
    let command = |branch: &&Branch| {
        let base = branch.base.as_ref()?;
        Some(format!("git cherry -v {} {}", shell_ref(&base.name), shell_ref(&branch.name)))
    };
    branches.iter().take(1).filter_map(command).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Relation;

    fn with(mut branch: Branch, landed: Landed) -> Branch {
        branch.landed = landed;
        branch
    }

    #[test]
    fn landed_branches_are_one_finding_with_their_proofs() {
        let finding = only(judged(
            &STILL_HERE,
            &snapshot([
                branch("refs/heads/a", 0, 5),
                with(branch("refs/heads/b", 2, 5), Landed::Yes(Proof::PatchIds)),
                with(branch("refs/heads/c", 2, 5), Landed::No),
            ]),
        ));
        assert_eq!(
            told([&finding]),
            "[info] landed-still-here: 2 branches can go: the work is in the base (1 by ancestry, 1 by patch ids)"
        );
        let (a, b) = ("61".repeat(20), "62".repeat(20));
        assert_eq!(
            finding.remedy.commands,
            [
                format!("git update-ref -d refs/heads/a {a}"),
                format!("git update-ref refs/archive/heads/b {b} '' && git update-ref -d refs/heads/b {b}"),
            ]
        );
        assert!(finding.remedy.text.contains(&format!("git update-ref refs/heads/a {a} ''")));
    }

    #[test]
    fn a_fresh_branch_without_work_of_its_own_has_not_landed() {
        let mut fresh = branch("refs/heads/fresh", 0, 5);
        if let crate::Known::Seen(drift) = &mut fresh.drift {
            drift.on_base_line = true;
        }
        assert_eq!(judged(&STILL_HERE, &snapshot([fresh])), Outcome::default());
    }

    #[test]
    fn a_line_that_is_apart_on_purpose_is_never_offered_for_deletion() {
        let mut curated = branch("refs/heads/a", 0, 5);
        curated.relation = Relation::Curated;
        assert_eq!(judged(&STILL_HERE, &snapshot([curated])), Outcome::default());
    }

    #[test]
    fn a_question_that_could_not_be_answered_is_unknown_and_keeps_the_branch() {
        let unknown = with(branch("refs/heads/a", 2, 5), Landed::Unknown("timed out".into()));
        let outcome = judged(&STILL_HERE, &snapshot([unknown]));
        assert!(outcome.findings.is_empty());
        assert_eq!(outcome.unknown.unwrap(), "1 branch could not be judged: timed out (1)");
    }

    #[test]
    fn continued_and_reverted_branches_are_kept() {
        let snapshot = snapshot([
            with(branch("refs/heads/a", 2, 5), Landed::Continued(Proof::PatchIds)),
            with(branch("refs/heads/b", 2, 5), Landed::Reverted(Proof::PatchIds)),
        ]);
        let continued = only(judged(&CONTINUED, &snapshot));
        let reverted = only(judged(&REVERTED, &snapshot));
        assert_eq!(
            told([&continued, &reverted]),
            "[warning] continued-after-landing: 1 branch landed and then went on: the later commits are in no base\n\
             [warning] reverted: 1 branch landed and was reverted on the base later"
        );
        let commands = [continued.remedy.commands, reverted.remedy.commands].concat();
        assert_eq!(
            commands,
            ["git cherry -v refs/heads/main refs/heads/a", "git cherry -v refs/heads/main refs/heads/b"],
            "only commands that read"
        );
        assert_eq!(judged(&STILL_HERE, &snapshot), Outcome::default());
    }
}
