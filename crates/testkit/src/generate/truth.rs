//! What is known of a generated history because it was made that way.

use std::{
    fmt::{self, Display, Write as _},
    path::PathBuf,
};

use alignwatch_model::Oid;

/// A generated repository and what is true of it.
#[derive(Clone, Debug)]
pub struct Truth {
    /// The bare repository.
    pub path: PathBuf,
    /// Commits in it.
    pub n_commits: u32,
    /// Long-lived lines, `main` first, as (short name, tip).
    pub lines: Vec<(String, Oid)>,
    /// All other branches, in no order.
    pub branches: Vec<BranchTruth>,
}

/// What is known of one branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchTruth {
    /// Short name.
    pub name: String,
    /// Its tip.
    pub oid: Oid,
    /// The line it forked from, by short name; empty for an orphan.
    pub line: String,
    /// What became of it.
    pub fate: Fate,
    /// Whether git stops when it is merged with `main`. `None` where that is not known by
    /// construction: several merge bases, no merge base, or nothing to merge.
    pub conflicts: Option<bool>,
    /// It and `main` merged each other, so there are two merge bases.
    pub is_criss_cross: bool,
    /// Its tip holds a file with conflict markers.
    pub markers: Markers,
    /// The family of retries it belongs to.
    pub family: Option<usize>,
    /// Short name of the branch with the same tip that it was copied from.
    pub twin_of: Option<String>,
    /// What it does besides editing.
    pub features: Vec<&'static str>,
}

/// What became of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Nothing of it is in `main`.
    Open,
    /// Merged: its tip is an ancestor of `main`.
    Merged,
    /// In `main` as one commit.
    Squashed,
    /// In `main`, commit by commit.
    Rebased,
    /// The first half of its commits is in `main`.
    Partly,
    /// It was in `main` as one commit, and `main` took that back.
    Reverted,
    /// It was in `main` as one commit, and the branch went on.
    Continued,
    /// Shares no history with `main`.
    Unrelated,
}

/// Conflict markers at a tip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markers {
    /// None.
    No,
    /// In the file that `main` once had.
    Inherited,
    /// In a file of its own.
    Own,
    /// Both.
    Both,
}

impl Fate {
    /// All fates.
    pub const ALL: [Fate; 8] = [
        Fate::Open,
        Fate::Merged,
        Fate::Squashed,
        Fate::Rebased,
        Fate::Partly,
        Fate::Reverted,
        Fate::Continued,
        Fate::Unrelated,
    ];
}

impl Truth {
    /// The tip of `main`.
    pub fn main(&self) -> Oid {
        self.lines[0].1
    }

    /// A table: a line of names, then a line a branch, columns separated by tabs.
    ///
    /// `-` stands for not known or none.
    pub fn table(&self) -> String {
        let mut text = "ref\toid\tline\tfate\tconflicts\tcriss_cross\tmarkers\tfamily\ttwin_of\tfeatures\n".to_owned();
        for branch in &self.branches {
            writeln!(text, "{branch}").expect("a text can be written to");
        }
        text
    }

    /// How many branches had this fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.branches.iter().filter(|branch| branch.fate == fate).count()
    }
}

impl Display for BranchTruth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BranchTruth { name, oid, line, fate, conflicts, is_criss_cross, markers, .. } = self;
        let (family, twin) = (known(self.family), known(self.twin_of.as_ref()));
        let features = if self.features.is_empty() { "-".to_owned() } else { self.features.join(",") };
        let line = if line.is_empty() { "-" } else { line };
        let conflicts = known(conflicts.as_ref());
        write!(f, "refs/heads/{name}\t{oid}\t{line}\t{fate}\t{conflicts}\t{is_criss_cross}\t{markers}\t")?;
        write!(f, "{family}\t{twin}\t{features}")
    }
}

fn known(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

impl Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fate::Open => "open",
            Fate::Merged => "merged",
            Fate::Squashed => "squashed",
            Fate::Rebased => "rebased",
            Fate::Partly => "partly",
            Fate::Reverted => "reverted",
            Fate::Continued => "continued",
            Fate::Unrelated => "unrelated",
        })
    }
}

impl Display for Markers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Markers::No => "no",
            Markers::Inherited => "inherited",
            Markers::Own => "own",
            Markers::Both => "both",
        })
    }
}
