//! Every number of the graph against Git and against its definition, on histories drawn at random.

#![allow(clippy::unwrap_used)]

mod history;

use std::collections::BTreeMap;

use alignwatch_git::graph::{Graph, Trunk, ahead_behind, measure};
use alignwatch_model::{Drift, Known, Oid, Timestamp};
use history::{Chance, Repo, World};

/// Small histories in which all pairs are compared.
const N_WORLDS: usize = 320;

/// All worlds in one repository, and the ids of their commits.
struct Worlds {
    repo: Repo,
    worlds: Vec<World>,
    oids: Vec<Vec<Oid>>,
}

impl Worlds {
    fn random(seed: u64, n_worlds: usize, n_commits: usize) -> Worlds {
        let (repo, mut chance) = (Repo::new(), Chance(seed));
        let worlds: Vec<World> = (0..n_worlds)
            .map(|_| {
                let n = 2 + chance.below(n_commits);
                World::random(&mut chance, n)
            })
            .collect();
        for (at, world) in worlds.iter().enumerate() {
            repo.import(&world.stream(&at.to_string()));
        }
        let refs: BTreeMap<String, Oid> = repo.refs().into_iter().collect();
        let oids = |(at, world): (usize, &World)| (0..world.len()).map(|commit| refs[&name(at, commit)]).collect();
        let oids = worlds.iter().enumerate().map(oids).collect();
        Worlds { repo, worlds, oids }
    }
}

fn name(world: usize, commit: usize) -> String {
    format!("refs/heads/{world}/{commit}")
}

/// The drift of each commit from `base`, by definition.
fn by_definition(world: &World, oids: &[Oid], base: usize) -> Vec<Drift> {
    let reach = world.reach();
    let mut line = vec![base];
    while let Some(&parent) = world.parents[line[line.len() - 1]].first() {
        line.push(parent);
    }
    let drift = |tip: usize| {
        let all = 0..world.len();
        let lacks: Vec<usize> = all.clone().filter(|&at| reach[base][at] && !reach[tip][at]).collect();
        let common: Vec<usize> = all.clone().filter(|&at| reach[base][at] && reach[tip][at]).collect();
        let is_best = |&&at: &&usize| common.iter().all(|&other| other == at || !reach[other][at]);
        let bases: Vec<usize> = common.iter().filter(is_best).copied().collect();
        let mut merge_bases: Vec<Oid> = bases.iter().map(|&at| oids[at]).collect();
        merge_bases.sort();
        Drift {
            ahead: all.filter(|&at| reach[tip][at] && !reach[base][at]).count() as u32,
            behind: lacks.len() as u32,
            merge_bases,
            on_base_line: line.contains(&tip),
            base_at: bases.iter().map(|&at| Timestamp(world.dates[at])).max(),
            missing_since: lacks.iter().map(|&at| Timestamp(world.dates[at])).min(),
        }
    };
    (0..world.len()).map(drift).collect()
}

/// The drift of each commit from `base`, as measured.
fn measured(graph: &Graph, oids: &[Oid], base: usize) -> Vec<Drift> {
    let places: Vec<_> = oids.iter().map(|oid| graph.find(oid).unwrap()).collect();
    let trunk = Trunk::of(graph, places[base]);
    let drifts: Vec<Drift> =
        measure(graph, &trunk, &places).into_iter().map(|drift| drift.seen().unwrap().clone()).collect();
    for (apart, drift) in ahead_behind(graph, &trunk, &places).iter().zip(&drifts) {
        let Known::Seen(apart) = apart else { panic!("{apart:?}") };
        assert_eq!((apart.ahead, apart.behind), (drift.ahead, drift.behind));
    }
    drifts
}

fn compare_all(graph: &Graph, worlds: &Worlds) {
    for (world, oids) in worlds.worlds.iter().zip(&worlds.oids) {
        for base in 0..world.len() {
            assert_eq!(measured(graph, oids, base), by_definition(world, oids, base));
        }
    }
}

#[test]
fn all_numbers_are_those_of_the_definition_and_of_git_on_random_histories() {
    let worlds = Worlds::random(1, N_WORLDS, 14);
    let (graph, coverage) = worlds.repo.graph();
    assert_eq!(coverage.n_read as usize, graph.len());
    compare_all(&graph, &worlds);
    for (at, world) in worlds.worlds.iter().enumerate() {
        let bases: Vec<String> = (0..world.len()).map(|base| name(at, base)).collect();
        let git = worlds.repo.ahead_behind(&format!("refs/heads/{at}/"), &bases);
        for base in 0..world.len() {
            for (tip, drift) in measured(&graph, &worlds.oids[at], base).iter().enumerate() {
                assert_eq!((drift.ahead, drift.behind), git[&name(at, tip)][base], "{at}: {tip} and {base}");
            }
        }
    }
}
