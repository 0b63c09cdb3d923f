//! What a repository holds.

use super::{Breadth, Kind, Measured, Metric, Sample, known, seen};

/// Bytes on disk.
pub(super) static SIZE: Metric = Metric {
    name: "alignwatch_repo_size_bytes",
    kind: Kind::Gauge,
    unit: "bytes",
    labels: &["kind"],
    help: "Bytes that the objects take on disk",
    formula: "loose: disk blocks of loose object files; packs: sizes of pack files; cruft: those of them that hold what nothing reaches; garbage: files that git count-objects -v \
              calls garbage",
    why: "Growth is the first sign of a writer out of control or of maintenance that does nothing",
    worry: "20 % more within a week (alignwatch)",
    breadth: Breadth::Repository,
    read: size,
    ..Metric::PLAIN
};

/// Objects.
pub(super) static OBJECTS: Metric = Metric {
    name: "alignwatch_repo_objects",
    kind: Kind::Gauge,
    unit: "",
    labels: &["kind"],
    help: "Objects by where they lie",
    formula: "loose: count of git count-objects -v; packed: its in-pack; cruft: those of them in cruft packs",
    why: "Every loose object is a file that each command may have to open",
    worry: "6700 loose (git: gc.auto)",
    breadth: Breadth::Repository,
    read: objects,
    ..Metric::PLAIN
};

/// Packs.
pub(super) static PACKS: Metric = Metric {
    name: "alignwatch_repo_packs",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Pack files",
    formula: "packs of git count-objects -v",
    why: "Git looks for an object in each of them",
    worry: "50 (git: gc.autoPackLimit)",
    breadth: Breadth::Repository,
    read: |measured| known(packs(measured).map(|packs| packs.len() as f64)),
    ..Metric::PLAIN
};

/// Refs.
pub(super) static REFS: Metric = Metric {
    name: "alignwatch_repo_refs",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Refs of all kinds",
    formula: "lines of git for-each-ref",
    why: "Each fetch and push lists them all",
    worry: "25000 (git-sizer)",
    otel: "vcs.ref.count",
    breadth: Breadth::Repository,
    read: |measured| known(seen(&measured.snapshot.facts.speed).map(|speed| speed.refs.n_refs as f64)),
    ..Metric::PLAIN
};

/// Commits without a graph.
pub(super) static GRAPH_MISSING: Metric = Metric {
    name: "alignwatch_commit_graph_missing_commits",
    kind: Kind::Gauge,
    unit: "commits",
    labels: &[],
    help: "Commits of watched refs that are not in the commit-graph",
    formula: "commits reachable from watched refs - commits in the commit-graph files",
    why: "Everything that compares branches has to unpack them",
    worry: "100 (git: maintenance.commit-graph.auto)",
    breadth: Breadth::Repository,
    read: |measured| known(seen(&measured.snapshot.commit_graph).map(|graph| f64::from(graph.n_missing))),
    ..Metric::PLAIN
};

fn packs<'a>(measured: &'a Measured<'_>) -> Option<&'a Vec<crate::facts::storage::Pack>> {
    seen(&seen(&measured.snapshot.facts.storage)?.packs)
}

fn cruft<'a>(measured: &'a Measured<'_>) -> Option<Vec<&'a crate::facts::storage::Pack>> {
    Some(packs(measured)?.iter().filter(|pack| pack.is_cruft).collect())
}

fn size(measured: &Measured<'_>) -> Vec<Sample> {
    let Some(storage) = seen(&measured.snapshot.facts.storage) else { return Vec::new() };
    let loose = seen(&storage.loose).map(|loose| ("loose", loose.disk_bytes));
    let packs = packs(measured).map(|packs| ("packs", packs.iter().map(|pack| pack.bytes).sum()));
    let cruft = cruft(measured).map(|packs| ("cruft", packs.iter().map(|pack| pack.bytes).sum()));
    let garbage = seen(&storage.garbage).map(|garbage| ("garbage", garbage.bytes));
    [loose, packs, cruft, garbage].into_iter().flatten().map(|(kind, bytes)| Sample::of([kind], bytes as f64)).collect()
}

fn objects(measured: &Measured<'_>) -> Vec<Sample> {
    let Some(storage) = seen(&measured.snapshot.facts.storage) else { return Vec::new() };
    let loose = seen(&storage.loose).map(|loose| ("loose", loose.n));
    let packed = packs(measured).map(|packs| packs.iter().map(|pack| pack.n_objects).sum());
    let cruft = cruft(measured).map(|packs| packs.iter().map(|pack| pack.n_objects).sum());
    let of_packs = [packed.map(|n| ("packed", n)), cruft.map(|n| ("cruft", n))];
    std::iter::once(loose).chain(of_packs).flatten().map(|(kind, n)| Sample::of([kind], n as f64)).collect()
}
