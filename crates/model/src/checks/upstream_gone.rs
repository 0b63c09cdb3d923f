//! `upstream-gone`: local branches whose counterpart at the remote was deleted.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{Branch, Finding, Look, Remedy, Severity, quote::shell_word};

/// Branches whose configured upstream does not exist any more, as one finding.
///
/// Gone is not merged: where no proof says that the work landed, the local
/// branch may be the only copy of it.
pub(super) static CHECK: Check = Check {
    id: "upstream-gone",
    title: "Branches whose upstream is gone",
    looks_at: "The configured upstream of each local branch (git for-each-ref %(upstream:track))",
    why: "Tools that take `gone` for `merged` delete such branches, and with them the only copy of the work",
    severity: Severity::Warning,
    family: Family::Branches,
    needs: &[Look::Landed],
    git_says: Some("git for-each-ref --format='%(upstream:track)'"),
    runbook: Runbook {
        look: "`git branch -vv` shows `gone`; `alignwatch branches` shows whether the work has landed",
        mend: "Landed: delete the branch. Not landed: push it again (`git push -u <remote> <branch>`) or `git branch --unset-upstream`",
        sure: "`git branch -vv` no longer says `gone`",
        undo: Some("`git branch <branch> <id>`; `git branch -u <remote>/<branch> <branch>`"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let is_gone = |branch: &&Branch| branch.upstream.as_ref().is_some_and(|upstream| upstream.gone);
    let gone: Vec<_> = seen.branches().filter(is_gone).collect();
    Outcome::found((!gone.is_empty()).then(|| found(seen, gone)).into_iter().collect())
}

fn found(seen: &Seen<'_>, mut gone: Vec<&Branch>) -> Finding {
    gone.sort_by_key(|branch| (is_safe(branch), &branch.name));
    let n_only_copies = gone.iter().filter(|branch| !is_safe(branch)).count();
    let severity = if n_only_copies > 0 { Severity::Warning } else { Severity::Info };
    let summary = format!(
        "The upstream of {} is gone; of {} the work is not proven to be in the base",
        count(gone.len(), "branch"),
        thousands(n_only_copies),
    );
    seen.finding(severity, "", count(gone.len(), "branch"), summary)
        .branches(gone.iter().copied())
        .fact("n_without_proof", n_only_copies)
        .fact("source", "git for-each-ref --format='%(refname) %(upstream:track)' refs/heads")
        .so("Nobody else sees these branches, and nobody else can align them.")
        .mend(remedy(gone[0]))
}

fn is_safe(branch: &Branch) -> bool {
    branch.tip.seen().is_some() && branch.drift.seen().is_some() && !branch.may_hold_work()
}

fn remedy(branch: &Branch) -> Remedy {
    let text = "Gone is not merged. Push again what is still wanted; where the proof says that it landed, \
                `landed-still-here` has the command. The first command gives a branch its place at the remote again, \
                the second stops following it; undo the second with git branch --set-upstream-to.";
    let (Some(short), Some(upstream)) = (branch.name.as_bytes().strip_prefix(b"refs/heads/"), &branch.upstream) else {
        return Remedy::reversible(text, []);
    };
    let full = shell_word(branch.name.as_bytes());
    let push =
        format!("git push {} {full}:{}", shell_word(upstream.remote.as_bytes()), shell_word(upstream.merge.as_bytes()));
    let forget = format!("git config --remove-section {}", shell_word(&[b"branch.", short].concat()));
    match is_safe(branch) {
        true => Remedy::reversible(text, [forget]),
        false => Remedy::reversible(text, [push, forget]),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::branch::Upstream;

    fn following(name: &str, ahead: u32, gone: bool) -> Branch {
        let mut branch = branch(name, ahead, 3);
        branch.upstream = Some(Upstream { remote: "origin".into(), merge: name.into(), gone });
        branch
    }

    #[test]
    fn a_branch_that_still_has_its_upstream_is_fine() {
        assert_eq!(judged(&CHECK, &snapshot([following("refs/heads/x", 1, false)])), Outcome::default());
    }

    #[test]
    fn gone_is_not_merged() {
        let snapshot = snapshot([following("refs/heads/a", 0, true), following("refs/heads/b", 2, true)]);
        let finding = only(judged(&CHECK, &snapshot));
        assert_eq!(
            told([&finding]),
            "[warning] upstream-gone: The upstream of 2 branches is gone; of 1 the work is not proven to be in the base"
        );
        assert_eq!(finding.evidence["branches"][0], "refs/heads/b", "the only copy comes first");
        assert_eq!(finding.remedy.commands[0], "git push origin refs/heads/b:refs/heads/b");
    }

    #[test]
    fn where_all_landed_it_is_only_worth_knowing() {
        let finding = only(judged(&CHECK, &snapshot([following("refs/heads/a", 0, true)])));
        assert_eq!(finding.severity, Severity::Info);
    }

    #[test]
    fn a_branch_that_could_not_be_measured_is_not_safe() {
        let finding = only(judged(&CHECK, &snapshot([unmeasured(following("refs/heads/a", 0, true))])));
        assert_eq!(finding.evidence["n_without_proof"], 1);
    }
}
