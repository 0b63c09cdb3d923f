//! `commit-graph`: Git's index of history, on which the speed of every drift measurement rests.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Finding, Known, Look, Remedy, Severity, snapshot::CommitGraph};

/// A commit-graph that is damaged, not used, absent or stale, as one finding: the gravest.
pub(super) static CHECK: Check = Check {
    id: "commit-graph",
    title: "Commit-graph absent, stale, damaged or not used",
    looks_at: "The commit-graph file or chain, and the commits of watched refs that are not in it",
    why: "Without it Git reads and unpacks every commit to compare branches: seen to cost 27 times the CPU time",
    severity: Severity::Error,
    family: Family::Speed,
    needs: &[Look::History],
    git_says: Some("git commit-graph verify"),
    runbook: Runbook {
        look: "`ls -l .git/objects/info/commit-graph*`, `git commit-graph verify`",
        mend: "`git commit-graph write --reachable --split --changed-paths`; remove a damaged one before",
        sure: "`git commit-graph verify` ends with 0",
        undo: Some(
            "Remove `objects/info/commit-graph` and `objects/info/commit-graphs`: they hold nothing that the commits do not hold",
        ),
    },
    threshold: Some(ThresholdSpec {
        default: 100,
        range: (1, 10_000_000),
        unit: "commits",
        source: "git: maintenance.commit-graph.auto",
    }),
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    match &seen.snapshot.commit_graph {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(graph) => Outcome::found(found(seen, graph).into_iter().collect()),
    }
}

fn found(seen: &Seen<'_>, graph: &CommitGraph) -> Option<Finding> {
    let (limit, threshold) = seen.threshold();
    let is_over = limit <= i64::from(graph.n_missing);
    let finding = if let Some(damage) = &graph.damage {
        damaged(seen, damage)
    } else if let Some(reason) = &graph.disabled {
        not_used(seen, reason)
    } else if is_over && graph.n_layers == 0 {
        absent(seen, graph).against(threshold)
    } else if is_over {
        stale(seen, graph).against(threshold)
    } else {
        return None;
    };
    Some(
        finding
            .fact("n_layers", graph.n_layers)
            .fact("n_covered_commits", graph.n_covered)
            .fact("n_missing_commits", graph.n_missing)
            .fact("source", "objects/info/commit-graph or objects/info/commit-graphs/commit-graph-chain"),
    )
}

fn damaged(seen: &Seen<'_>, damage: &str) -> Finding {
    let remove = "rm -rf -- \"$(git rev-parse --git-path objects/info/commit-graph)\" \
                  \"$(git rev-parse --git-path objects/info/commit-graphs)\"";
    seen.finding(Severity::Error, "damaged", "commit-graph", format!("The commit-graph is damaged: {damage}"))
        .so("Git can give wrong ahead, behind and merge bases from it, or fail; here it was not used.")
        .mend(Remedy::reversible(
            "It holds nothing that the commits do not hold: remove it and write it again.",
            [remove.to_owned(), WRITE.to_owned()],
        ))
}

fn not_used(seen: &Seen<'_>, reason: &str) -> Finding {
    seen.finding(
        Severity::Info,
        "not-used",
        "commit-graph",
        format!("Git does not use the commit-graph here: {reason}"),
    )
    .so("Each comparison of branches reads all commits again, so it is slow.")
    .mend(Remedy::reversible("Remove the cause: unshallow the clone, or remove grafts and replace refs.", []))
}

fn absent(seen: &Seen<'_>, graph: &CommitGraph) -> Finding {
    let summary = format!("There is no commit-graph for {}", count(graph.n_missing as usize, "commit"));
    seen.finding(Severity::Warning, "absent", "commit-graph", summary).so(SLOW).mend(write())
}

fn stale(seen: &Seen<'_>, graph: &CommitGraph) -> Finding {
    let total = (graph.n_covered + graph.n_missing) as usize;
    let summary =
        format!("{} of {} are not in the commit-graph", thousands(graph.n_missing as usize), count(total, "commit"));
    seen.finding(Severity::Warning, "stale", "commit-graph", summary).so(SLOW).mend(write())
}

const SLOW: &str = "Everything that compares branches is slower than it need be: git, forges and scripts.";

const WRITE: &str = "git commit-graph write --reachable --split --changed-paths";

fn write() -> Remedy {
    Remedy::reversible(
        "Write it, hourly where the repository is busy. It only adds files that Git can make again; \
         undo by removing objects/info/commit-graphs.",
        [WRITE.to_owned()],
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Snapshot;

    fn with(graph: CommitGraph) -> Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.commit_graph = Known::Seen(graph);
        snapshot
    }

    fn covers(n_layers: usize, n_covered: u32, n_missing: u32) -> CommitGraph {
        CommitGraph { n_layers, n_covered, n_missing, ..CommitGraph::default() }
    }

    #[test]
    fn a_graph_that_lacks_fewer_commits_than_the_limit_is_fine() {
        assert_eq!(judged(&CHECK, &with(covers(1, 500, 99))), Outcome::default());
        assert_eq!(judged(&CHECK, &with(covers(0, 0, 99))), Outcome::default(), "a small repository needs none");
    }

    #[test]
    fn absent_stale_damaged_and_unused_graphs_are_told_apart() {
        let damaged = CommitGraph { damage: Some("bad checksum".into()), ..covers(1, 5, 0) };
        let unused = CommitGraph { disabled: Some("the clone is shallow".into()), ..covers(1, 5, 0) };
        let told: Vec<_> = [covers(0, 0, 1000), covers(2, 900, 100), damaged, unused]
            .map(|graph| told([&only(judged(&CHECK, &with(graph)))]))
            .into();
        assert_eq!(
            told.join("\n"),
            "[warning] commit-graph:absent: There is no commit-graph for 1,000 commits\n\
             [warning] commit-graph:stale: 100 of 1,000 commits are not in the commit-graph\n\
             [error] commit-graph:damaged: The commit-graph is damaged: bad checksum\n\
             [info] commit-graph:not-used: Git does not use the commit-graph here: the clone is shallow"
        );
    }

    #[test]
    fn a_graph_that_could_not_be_read_is_unknown() {
        let mut snapshot = snapshot([]);
        snapshot.commit_graph = Known::Unknown("permission denied".into());
        assert_eq!(judged(&CHECK, &snapshot), Outcome::unknown("permission denied"));
    }
}
