//! `shallow-or-partial`: repositories that do not show all of their history.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{Finding, Look, Remedy, Severity};

/// Cut-off history, rewritten history (grafts, replace refs), and clones that lack objects on purpose.
pub(super) static CHECK: Check = Check {
    id: "shallow-or-partial",
    title: "Incomplete or rewritten history",
    looks_at: "The shallow file, partial-clone settings, grafts and replace refs",
    why: "Counts and merge bases come from the history that is there; cut off or replaced, they can be wrong",
    severity: Severity::Error,
    family: Family::Integrity,
    needs: &[Look::Refs],
    git_says: Some("git rev-parse --is-shallow-repository"),
    runbook: Runbook {
        look: "`git rev-parse --is-shallow-repository`, `git config extensions.partialClone`, `git replace -l`",
        mend: "`git fetch --unshallow` brings the rest of the history; `git replace -d <id>` takes one replacement away",
        sure: "`alignwatch check --only shallow-or-partial` is ok, and ages and counts are no longer unknown",
        undo: Some(
            "`git fetch --depth=<n>` cuts the history off again; `git replace <id> <other>` sets a replacement again",
        ),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let repository = &seen.snapshot.repository;
    let mut findings = Vec::new();
    findings.extend(repository.is_shallow.then(|| shallow(seen)));
    findings.extend(repository.has_grafts.then(|| grafts(seen)));
    findings.extend((repository.n_replace_refs > 0).then(|| replaced(seen, repository.n_replace_refs)));
    findings.extend(repository.is_partial.then(|| partial(seen)));
    Outcome::found(findings)
}

fn shallow(seen: &Seen<'_>) -> Finding {
    seen.finding(Severity::Error, "shallow", "repository", "The clone is shallow: history is cut off")
        .fact("source", "git rev-parse --is-shallow-repository")
        .so("Behind and ahead stop at the cut, and branches look unrelated that are not: what the cut hides is unknown.")
        .mend(Remedy::reversible(
            "Fetch the rest of history. In CI, check out with full depth. Undo: git fetch --depth=1",
            ["git fetch --unshallow".to_owned()],
        ))
}

fn grafts(seen: &Seen<'_>) -> Finding {
    seen.finding(Severity::Warning, "grafts", "repository", "Legacy grafts change the history that Git shows here")
        .fact("source", "info/grafts")
        .so("Git's numbers here differ from everybody else's, and it does not use the commit-graph.")
        .mend(Remedy::reversible(
            "Move the file away; undo by moving it back. Git turns grafts that are needed into replace refs: \
             git replace --convert-graft-file",
            ["mv \"$(git rev-parse --git-path info/grafts)\" \"$(git rev-parse --git-path info/grafts.off)\""
                .to_owned()],
        ))
}

fn replaced(seen: &Seen<'_>, n_refs: usize) -> Finding {
    let summary =
        format!("{} {} what Git shows here", count(n_refs, "replace ref"), agree(n_refs, "changes", "change"));
    seen.finding(Severity::Warning, "replace", "repository", summary)
        .fact("n_replace_refs", n_refs)
        .fact("source", "git replace --list")
        .so("Git's numbers here can differ from everybody else's, and from those shown by alignwatch, which takes the real history.")
        .mend(Remedy::reversible(
            "Look which are still needed; delete the others with git replace -d, undo with git replace <id> <replacement>.",
            ["git replace --list --format=medium".to_owned()],
        ))
}

fn partial(seen: &Seen<'_>) -> Finding {
    seen.finding(Severity::Info, "partial", "repository", "The clone is partial: objects may be missing on purpose")
        .fact("source", "remote.<name>.promisor, extensions.partialClone")
        .so("A merge that needs a missing file cannot be predicted; nothing is fetched behind your back.")
        .mend(Remedy::reversible(
            "Nothing, unless `missing-objects` says so. To hold everything here, unset remote.<name>.partialclonefilter first.",
            ["git fetch --refetch".to_owned()],
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    #[test]
    fn whole_history_is_fine() {
        assert_eq!(judged(&CHECK, &snapshot([])), Outcome::default());
    }

    #[test]
    fn each_gap_is_told_with_its_weight() {
        let mut snapshot = snapshot([]);
        let repository = &mut snapshot.repository;
        (repository.is_shallow, repository.is_partial, repository.has_grafts) = (true, true, true);
        repository.n_replace_refs = 2;
        assert_eq!(
            told(&judged(&CHECK, &snapshot).findings),
            "[error] shallow-or-partial:shallow: The clone is shallow: history is cut off\n\
             [warning] shallow-or-partial:grafts: Legacy grafts change the history that Git shows here\n\
             [warning] shallow-or-partial:replace: 2 replace refs change what Git shows here\n\
             [info] shallow-or-partial:partial: The clone is partial: objects may be missing on purpose"
        );
    }
}
