//! Every number of the graph against Git and against its definition, on histories drawn at random.

mod history;

use std::collections::BTreeSet;

use history::{Chance, Repo, Worlds, measured, name};

#[test]
fn all_pairs_of_hundreds_of_histories_are_as_defined_and_as_git_counts_them() {
    let worlds = Worlds::random(1, 320, 14);
    let (graph, coverage) = worlds.repo.graph();
    assert_eq!(coverage.n_read as usize, graph.len());
    worlds.compare(&graph);
    worlds.compare_with_git(&graph);
}

#[test]
fn merge_bases_are_those_of_git() {
    let worlds = Worlds::random(2, 4, 200);
    let (graph, mut chance) = (worlds.repo.graph().0, Chance(3));
    let mut n_several = 0;
    for (nth, world) in worlds.worlds.iter().enumerate() {
        for _ in 0..20 {
            let base = chance.below(world.len());
            let drifts = measured(&graph, &worlds.oids[nth], base);
            for _ in 0..25 {
                let tip = chance.below(world.len());
                let git = worlds.repo.merge_bases(&name(nth, tip), &name(nth, base));
                assert_eq!(drifts[tip].merge_bases, git, "{nth}: {tip} and {base}");
                let place = |number: usize| graph.find(&worlds.oids[nth][number]).unwrap();
                let met = graph.merge_bases(place(tip), place(base)).into_iter().map(|at| graph.oid(at));
                assert_eq!(met.collect::<BTreeSet<_>>(), git.iter().copied().collect(), "{nth}: {tip} and {base}");
                n_several += usize::from(git.len() > 1);
            }
        }
    }
    assert!(n_several > 100, "the sample is too plain: {n_several}");
}

#[test]
fn the_oldest_missed_commit_is_that_of_git_log() {
    let worlds = Worlds::random(4, 4, 200);
    worlds.repo.git(&["commit-graph", "write", "--reachable"]);
    let (graph, mut chance) = (worlds.repo.graph().0, Chance(5));
    for (nth, world) in worlds.worlds.iter().enumerate() {
        for _ in 0..10 {
            let base = world.len() - 1 - chance.below(world.len() / 4);
            let drifts = measured(&graph, &worlds.oids[nth], base);
            for _ in 0..20 {
                let tip = chance.below(world.len());
                let git = worlds.repo.missing_since(&name(nth, tip), &name(nth, base));
                assert_eq!(drifts[tip].missing_since.map(|date| date.0), git, "{nth}: {tip} and {base}");
            }
        }
    }
}

#[test]
fn thousands_of_branches_are_as_git_counts_them() {
    let worlds = Worlds::random(6, 1, 6000);
    let (graph, world) = (worlds.repo.graph().0, &worlds.worlds[0]);
    let bases = [world.len() - 1, world.len() - 2, world.len() / 2, 17];
    let git = worlds.repo.ahead_behind("refs/heads/", &bases.map(|base| name(0, base)));
    for (nth, &base) in bases.iter().enumerate() {
        for (tip, drift) in measured(&graph, &worlds.oids[0], base).iter().enumerate() {
            git.compare(&name(0, tip), nth, drift);
        }
    }
}

#[test]
fn a_repository_with_sha256_is_read_the_same_way() {
    let write = |repo: &Repo, _: usize| drop(repo.git(&["commit-graph", "write", "--reachable"]));
    let worlds = Worlds::in_stages(Repo::with_format("sha256"), 7, 20, 20, 1, write);
    let (graph, coverage) = worlds.repo.graph();
    assert_eq!((coverage.n_read, coverage.commit_graph.n_layers), (0, 1));
    worlds.compare(&graph);
}
