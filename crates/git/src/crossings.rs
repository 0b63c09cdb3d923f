//! Tells whether two lines that must stay apart were merged, and by which commit.
//!
//! Two lines that were never merged share the commit where they forked, and it
//! lies on the first-parent line of both. A best common commit that lies on
//! only one of the lines came into the other through a merge. One that lies on
//! neither is a topic branch that both took in: that joins no lines.
//!
//! Accepted gap: only the newest meeting is seen, and a line that was begun on
//! a topic branch of the other, before that landed there, looks merged.

use alignwatch_model::{Known, Oid, snapshot::CrossingMerge};

use crate::graph::{Graph, Pos, Trunk};

/// The merges by which `tip` and its base met last, none when they stayed apart.
///
/// `merge_bases` are all best common commits of the two. Cost: one pass over the graph.
/// Unknown where history is cut off or a commit is missing.
pub fn crossing(graph: &Graph, base: &Trunk, tip: Pos, merge_bases: &[Oid]) -> Known<Vec<CrossingMerge>> {
    if graph.is_shallow() {
        return Known::Unknown("history is cut off".into());
    }
    if let Some(flaw) = graph.flaw(tip).or_else(|| graph.flaw(base.tip())) {
        return Known::Unknown(flaw.to_owned());
    }
    let branch = Trunk::of(graph, tip);
    let mut merges = Vec::new();
    for oid in merge_bases {
        let Some(at) = graph.find(oid) else { return Known::Unknown(format!("commit {oid} is not in the history")) };
        match (branch.is_on_line(at), base.is_on_line(at)) {
            (false, true) => merges.extend(merge_into(graph, &branch, at, true)),
            (true, false) => merges.extend(merge_into(graph, base, at, false)),
            (true, true) | (false, false) => {}
        }
    }
    Known::Seen(merges)
}

/// The commit on the line with which the commit came into it.
fn merge_into(graph: &Graph, line: &Trunk, at: Pos, into_branch: bool) -> Option<CrossingMerge> {
    let merge = line.line()[line.intro(at)?];
    Some(CrossingMerge { into_branch, oid: graph.oid(merge), committed_at: graph.date(merge) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{graph::GraphSources, objects::Objects};
    use alignwatch_testkit::{Repo, sketch};

    fn met(text: &str) -> (Repo, Known<Vec<CrossingMerge>>) {
        let repo = sketch(text).draw();
        let met = between(&repo);
        (repo, met)
    }

    fn between(repo: &Repo) -> Known<Vec<CrossingMerge>> {
        let oid = |name: &str| Oid::from_hex(repo.git(["rev-parse", name]).as_bytes()).unwrap();
        let tips = [oid("main"), oid("lab")];
        let sources = GraphSources::in_git_dir(&repo.git_dir(), "sha1").unwrap();
        let objects = Objects::open(&repo.git_dir().join("objects"), "sha1").unwrap();
        let (graph, _) = Graph::open(&sources, &objects, &tips);
        // Fails, with nothing said, where there is no common commit.
        let bases = repo.git_output(["merge-base", "--all", "main", "lab"]);
        let bases = String::from_utf8(bases.stdout).unwrap();
        let bases: Vec<Oid> = bases.lines().map(|line| Oid::from_hex(line.as_bytes()).unwrap()).collect();
        let base = Trunk::of(&graph, graph.find(&tips[0]).unwrap());
        crossing(&graph, &base, graph.find(&tips[1]).unwrap(), &bases)
    }

    fn told(text: &str) -> Vec<String> {
        let (repo, met) = met(text);
        let told = |merge: &CrossingMerge| {
            let into = if merge.into_branch { "lab" } else { "main" };
            format!("{} into {into}", repo.label(&merge.oid).unwrap())
        };
        met.seen().unwrap().iter().map(told).collect()
    }

    #[test]
    fn lines_that_only_forked_stayed_apart() {
        assert_eq!(told("main: a b c\n lab: a x y"), [""; 0]);
        assert_eq!(told("main: a b c\n lab: b"), [""; 0], "nothing of its own");
        assert_eq!(told("main: a b\n lab: x y"), [""; 0], "no common commit at all");
    }

    #[test]
    fn a_merge_of_the_base_into_the_branch_is_named() {
        assert_eq!(told("main: a b c\n lab: a x m<b y"), ["m into lab"]);
    }

    #[test]
    fn a_merge_of_the_branch_into_the_base_is_named() {
        assert_eq!(told("main: a b m<x c\n lab: a x y"), ["m into main"]);
    }

    #[test]
    fn a_criss_cross_names_both() {
        assert_eq!(told("main: a b m<x c\n lab: a x n<b y"), ["m into main", "n into lab"]);
    }

    #[test]
    fn a_topic_that_both_took_in_joins_no_lines() {
        assert_eq!(told("main: a b m<t c\n lab: a x n<t y\n topic: a t"), [""; 0]);
    }

    #[test]
    fn where_history_is_cut_off_it_is_unknown() {
        let repo = sketch("main: a b c d\n lab: b x m<c y").shallow(2).draw();
        assert!(between(&repo).reason().is_some());
    }
}
