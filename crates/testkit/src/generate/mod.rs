//! Generates large repositories, the same ones for the same parameters.
//!
//! `shape` has the parameters and presets, `plan` decides what happens when, `story`
//! tells it from old to new and knows every tree, `stream` writes it to
//! `git fast-import`, `truth` says what is known of the result by construction.
//!
//! Bounds: the whole plan and two trees a branch are in memory, about 100 MB for a
//! million commits without files and 200 MB for 650 branches with 800 files.

mod files;
mod names;
mod plan;
mod random;
mod shape;
mod story;
mod stream;
mod truth;

use std::path::Path;

use alignwatch_model::Oid;

pub use shape::{FeatureShares, LandedShares, LongLine, Quantiles, Shape};
pub use truth::{BranchTruth, Fate, Markers, Truth};

use crate::git;
use plan::{BranchPlan, Plan};
use story::{Ending, Live, tell};
use stream::{Stream, write_refs};

/// Makes a bare repository of this shape at `path`, which must not exist or be empty.
///
/// ```
/// use alignwatch_testkit::{Fate, Shape, generate, git};
///
/// let dir = tempfile::tempdir().unwrap();
/// let truth = generate(&Shape::like_649().scaled_to(40, 200), dir.path());
/// assert_eq!(git(dir.path(), ["for-each-ref", "refs/heads"]).lines().count(), 40 + 3);
/// let merged = truth.branches.iter().find(|branch| branch.fate == Fate::Merged).unwrap();
/// git(dir.path(), ["merge-base", "--is-ancestor", &merged.name, "main"]);
/// ```
///
/// Panics when git fails or the path is not text.
pub fn generate(shape: &Shape, path: impl AsRef<Path>) -> Truth {
    let path = path.as_ref();
    let plan = Plan::new(shape);
    let mut stream = Stream::open(path);
    let ending = tell(&plan, shape.seed, shape.newest_at, &mut stream);
    let n_commits = stream.n_commits();
    let oids = stream.close();
    let truth = Truth {
        path: path.to_owned(),
        n_commits,
        lines: lines(&plan, &ending, &oids),
        branches: branches(&plan, &ending, &oids),
    };
    write_refs(path, &truth.refs());
    if shape.has_commit_graph {
        git(path, ["commit-graph", "write", "--reachable", "--no-progress"]);
    }
    truth
}

fn lines(plan: &Plan, ending: &Ending, oids: &[Oid]) -> Vec<(String, Oid)> {
    let main = ("main".to_owned(), oids[ending.main.mark as usize - 1]);
    let others = plan.lines.iter().zip(&ending.lines);
    let others = others.map(|(line, live)| (line.name.to_owned(), oid_of(live, oids)));
    std::iter::once(main).chain(others).collect()
}

fn branches(plan: &Plan, ending: &Ending, oids: &[Oid]) -> Vec<BranchTruth> {
    let known = plan.branches.iter().zip(&ending.branches);
    let mut branches: Vec<BranchTruth> =
        known.map(|(branch, live)| truth_of(plan, branch, ending, live, oids)).collect();
    for (name, of) in &plan.twins {
        let original = branches[*of].clone();
        branches.push(BranchTruth {
            name: name.clone(),
            family: None,
            twin_of: Some(original.name.clone()),
            ..original
        });
    }
    branches
}

fn truth_of(plan: &Plan, branch: &BranchPlan, ending: &Ending, live: &Live, oids: &[Oid]) -> BranchTruth {
    let line = match branch.line {
        _ if branch.fate == Fate::Unrelated => "",
        Some(line) => plan.lines[line].name,
        None => "main",
    };
    let is_open_question = branch.is_criss_cross || matches!(branch.fate, Fate::Merged | Fate::Unrelated);
    BranchTruth {
        name: branch.name.clone(),
        oid: oid_of(live, oids),
        line: line.to_owned(),
        fate: branch.fate,
        conflicts: (!is_open_question).then(|| ending.conflicts(live)),
        is_criss_cross: branch.is_criss_cross,
        markers: live.markers(),
        family: branch.family,
        twin_of: None,
        features: branch.features.clone(),
    }
}

fn oid_of(live: &Live, oids: &[Oid]) -> Oid {
    oids[live.tip.mark as usize - 1]
}

impl Truth {
    /// All refs by full name.
    fn refs(&self) -> Vec<(String, Oid)> {
        let branches = self.branches.iter().map(|branch| (&branch.name, branch.oid));
        let all = self.lines.iter().map(|(name, oid)| (name, *oid)).chain(branches);
        all.map(|(name, oid)| (format!("refs/heads/{name}"), oid)).collect()
    }
}
