//! What a generated history is like: its parameters, and presets of them.

use super::truth::Fate;

/// Values by rank: pairs of (share of all, value), the shares rising from 0 to 1.
///
/// `[(0.0, 1.0), (0.5, 4.0), (1.0, 369.0)]` has the least 1, the median 4, the most 369;
/// between them it is a straight line.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantiles(pub Vec<(f64, f64)>);

/// The parameters of a generated history. All are independent of each other; begin with a preset.
///
/// Shares go from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Another seed is another history of the same shape.
    pub seed: u64,
    /// Branches besides `main` and the other lines.
    pub n_branches: usize,
    /// Commits that `main` has (about).
    pub n_main_commits: usize,
    /// Share of steps of `main` that merge a short topic branch.
    pub merge_share: f64,
    /// Share of those merges that take in two topics at once (octopus).
    pub octopus_share: f64,
    /// Text files. With 0 all trees are empty, and only the shape of history counts.
    pub n_files: usize,
    /// Date of the newest commits, in seconds since 1970.
    pub newest_at: i64,
    /// Age of the first commit, in days.
    pub span_days: f64,
    /// Commits that `main` gained since a branch forked.
    pub behind: Quantiles,
    /// Days since a branch forked, for the same ranks as `behind`.
    pub age_days: Quantiles,
    /// Commits of a branch's own.
    pub own_commits: Quantiles,
    /// Other long-lived lines.
    pub lines: Vec<LongLine>,
    /// Share of branches, of those that fork behind a long line, that fork from the line.
    pub from_line_share: f64,
    /// Share of open branches that merged `main` in again, once or twice.
    pub merge_back_share: f64,
    /// Share of open branches that cross with `main`: each merged the other.
    pub criss_cross_share: f64,
    /// Share of open branches that edit what `main` edited, so that a merge conflicts.
    pub conflict_share: f64,
    /// Files in conflict, for those.
    pub conflict_files: Quantiles,
    /// How many branches landed, and how.
    pub landed: LandedShares,
    /// What open branches do besides editing.
    pub features: FeatureShares,
    /// Share of all forks that lie in the time when `main` had a file with conflict markers.
    pub inherited_marker_share: f64,
    /// Share of branches that add a file with conflict markers of their own.
    pub own_marker_share: f64,
    /// Share of branches whose name ends in a long number.
    pub long_id_share: f64,
    /// Families of attempts at the same thing: names equal but for the number.
    pub n_families: usize,
    /// Branches in those families.
    pub n_in_families: usize,
    /// Pairs of branches with the same tip.
    pub n_twins: usize,
    /// Branches that share no history with `main`.
    pub n_orphans: usize,
    /// Whether the commit-graph is written.
    pub has_commit_graph: bool,
}

/// A long-lived line besides `main`.
#[derive(Clone, Debug, PartialEq)]
pub struct LongLine {
    /// Name of the branch.
    pub name: &'static str,
    /// The earlier one of [`Shape::lines`] that it forks from; `None` is `main`.
    pub parent: Option<usize>,
    /// Commits that the parent gained since the fork.
    pub behind: usize,
    /// Commits of its own.
    pub ahead: usize,
}

/// Shares of branches that landed on `main`, by the way they took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LandedShares {
    /// Merged with a merge commit.
    pub merged: f64,
    /// As one commit with all changes.
    pub squashed: f64,
    /// Commit by commit.
    pub rebased: f64,
    /// The first half of its commits, picked.
    pub partly: f64,
    /// As one commit that `main` reverted later.
    pub reverted: f64,
    /// As one commit, and then the branch went on.
    pub continued: f64,
    /// Of the squashed and rebased: share whose lines `main` edited again later.
    pub edited_again: f64,
}

/// Shares of open branches that do something besides editing.
///
/// Half of the branches with a feature do it where `main` is in the way, so that a
/// merge conflicts, except for modes and renames, which merge.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FeatureShares {
    /// Rename a file, mostly one that `main` edits.
    pub rename: f64,
    /// Delete a file.
    pub delete: f64,
    /// Add a file where `main` adds one too; half of them with the same content.
    pub add_add: f64,
    /// Put a directory where a file was.
    pub dir_file: f64,
    /// Make a file executable.
    pub mode: f64,
    /// Point a symbolic link elsewhere.
    pub symlink: f64,
    /// Move a submodule.
    pub submodule: f64,
    /// Change a binary file.
    pub binary: f64,
}

impl Shape {
    /// Shaped like a public repository with 649 branches, much of it made by agents.
    ///
    /// `main` has about 3,477 commits, 980 of them merges; a second line is 50 ahead and
    /// 1,531 behind; forks are 1,527 behind at the median; 349 tips hold conflict
    /// markers, most from one inherited file; 69 families of retries hold 233 branches.
    pub fn like_649() -> Shape {
        Shape {
            n_branches: 646,
            n_main_commits: 3_477,
            merge_share: 0.6,
            octopus_share: 0.01,
            n_files: 800,
            span_days: 420.0,
            behind: quantiles([(0.0, 0.0), (0.1, 25.0), (0.25, 150.0), (0.5, 1_500.0), (0.9, 2_040.0), (1.0, 2_400.0)]),
            age_days: quantiles([(0.0, 0.2), (0.1, 5.0), (0.25, 60.0), (0.5, 191.0), (0.9, 283.0), (1.0, 295.0)]),
            own_commits: quantiles([(0.0, 1.0), (0.5, 4.0), (0.9, 50.0), (0.98, 120.0), (1.0, 369.0)]),
            lines: vec![
                LongLine { name: "research", parent: None, behind: 1_531, ahead: 50 },
                LongLine { name: "next", parent: Some(0), behind: 12, ahead: 10 },
            ],
            from_line_share: 0.1,
            merge_back_share: 0.15,
            criss_cross_share: 0.15,
            conflict_share: 0.85,
            conflict_files: quantiles([(0.0, 1.0), (0.5, 11.0), (0.9, 136.0), (1.0, 323.0)]),
            landed: LandedShares {
                merged: 0.07,
                squashed: 0.025,
                rebased: 0.02,
                partly: 0.1,
                reverted: 0.006,
                continued: 0.01,
                edited_again: 0.3,
            },
            features: FeatureShares {
                rename: 0.08,
                delete: 0.06,
                add_add: 0.05,
                dir_file: 0.02,
                mode: 0.03,
                symlink: 0.02,
                submodule: 0.02,
                binary: 0.02,
            },
            inherited_marker_share: 0.44,
            own_marker_share: 0.13,
            long_id_share: 0.65,
            n_families: 69,
            n_in_families: 233,
            n_twins: 12,
            n_orphans: 5,
            ..Shape::bare(646, 3_477)
        }
    }

    /// 10,000 branches over 40,000 commits of `main`, all trees empty.
    pub fn branches_10k() -> Shape {
        Shape::bare(10_000, 40_000)
    }

    /// 50,000 branches over 100,000 commits of `main`, all trees empty. With 700,000 it has a million in all.
    pub fn branches_50k() -> Shape {
        Shape::bare(50_000, 100_000)
    }

    /// Only the shape of history: most forks are young, a fifth merged back, a seventh is merged.
    pub fn bare(n_branches: usize, n_main_commits: usize) -> Shape {
        let n_main = n_main_commits as f64;
        Shape {
            seed: 1,
            n_branches,
            n_main_commits,
            merge_share: 0.25,
            octopus_share: 0.001,
            n_files: 0,
            newest_at: NEWEST_AT,
            span_days: 1_000.0,
            behind: quantiles([(0.0, 0.0), (0.7, 0.05 * n_main), (0.9, 0.3 * n_main), (1.0, 0.98 * n_main)]),
            age_days: quantiles([(0.0, 0.1), (0.7, 50.0), (0.9, 300.0), (1.0, 980.0)]),
            own_commits: quantiles([(0.0, 1.0), (0.4, 3.0), (0.9, 12.0), (1.0, 40.0)]),
            lines: Vec::new(),
            from_line_share: 0.0,
            merge_back_share: 0.2,
            criss_cross_share: 0.02,
            conflict_share: 0.0,
            conflict_files: quantiles([(0.0, 1.0), (1.0, 1.0)]),
            landed: LandedShares { merged: 0.15, ..LandedShares::default() },
            features: FeatureShares::default(),
            inherited_marker_share: 0.0,
            own_marker_share: 0.0,
            long_id_share: 0.3,
            n_families: 0,
            n_in_families: 0,
            n_twins: n_branches / 1_000,
            n_orphans: n_branches / 5_000,
            has_commit_graph: true,
        }
    }

    /// The same shape with fewer (or more) branches and commits; everything counted shrinks along.
    pub fn scaled_to(mut self, n_branches: usize, n_main_commits: usize) -> Shape {
        let by_branches = n_branches as f64 / self.n_branches as f64;
        let by_commits = n_main_commits as f64 / self.n_main_commits as f64;
        for n in [&mut self.n_families, &mut self.n_in_families, &mut self.n_twins, &mut self.n_orphans] {
            *n = (*n as f64 * by_branches).ceil() as usize;
        }
        self.lines.iter_mut().for_each(|line| line.behind = (line.behind as f64 * by_commits).ceil() as usize);
        self.behind = self.behind.scaled(by_commits);
        self.n_branches = n_branches;
        self.n_main_commits = n_main_commits;
        self
    }
}

impl LandedShares {
    pub(super) fn by_fate(&self) -> [(Fate, f64); 6] {
        [
            (Fate::Merged, self.merged),
            (Fate::Squashed, self.squashed),
            (Fate::Rebased, self.rebased),
            (Fate::Partly, self.partly),
            (Fate::Reverted, self.reverted),
            (Fate::Continued, self.continued),
        ]
    }
}

impl FeatureShares {
    pub(super) fn by_name(&self) -> [(&'static str, f64); 8] {
        [
            ("rename", self.rename),
            ("delete", self.delete),
            ("add_add", self.add_add),
            ("dir_file", self.dir_file),
            ("mode", self.mode),
            ("symlink", self.symlink),
            ("submodule", self.submodule),
            ("binary", self.binary),
        ]
    }
}

/// 2026-08-22 00:00:00 UTC.
const NEWEST_AT: i64 = 1_787_356_800;

fn quantiles<const N: usize>(pairs: [(f64, f64); N]) -> Quantiles {
    Quantiles(pairs.to_vec())
}

impl Quantiles {
    /// The value at this share of all.
    pub(super) fn at(&self, share: f64) -> f64 {
        let position = |pair: &(f64, f64)| pair.0;
        interpolate(&self.0, position, |pair| pair.1, share)
    }

    /// The share that has at most this value.
    pub(super) fn rank(&self, value: f64) -> f64 {
        interpolate(&self.0, |pair| pair.1, |pair| pair.0, value)
    }

    fn scaled(&self, factor: f64) -> Quantiles {
        Quantiles(self.0.iter().map(|(share, value)| (*share, value * factor)).collect())
    }
}

type Pair = (f64, f64);

fn interpolate(pairs: &[Pair], from: impl Fn(&Pair) -> f64, to: impl Fn(&Pair) -> f64, at: f64) -> f64 {
    let end = pairs.partition_point(|pair| from(pair) < at);
    match (end.checked_sub(1).map(|at| &pairs[at]), pairs.get(end)) {
        (Some(low), Some(high)) => {
            let part = (at - from(low)) / (from(high) - from(low));
            to(low) + part * (to(high) - to(low))
        }
        (Some(only), None) | (None, Some(only)) => to(only),
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_give_the_value_of_a_rank_and_back() {
        let ages = quantiles([(0.0, 0.0), (0.5, 10.0), (1.0, 110.0)]);
        assert_eq!([0.0, 0.25, 0.75, 1.0].map(|share| ages.at(share)), [0.0, 5.0, 60.0, 110.0]);
        assert_eq!([0.0, 60.0, 500.0].map(|value| ages.rank(value)), [0.0, 0.75, 1.0]);
    }
}
