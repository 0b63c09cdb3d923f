//! The picture of a branch and its base: where they last met, and how far each went since.

use alignwatch_model::{Timestamp, branch::State, kept::KeptBranch};
use askama::Template;

use super::{
    chart::rounded,
    told::{self, Mark},
};

const LEFT: f64 = 150.0;
const RIGHT: f64 = 590.0;

/// The most dots that stand for commits.
const DOTS_AT_MOST: u32 = 14;

#[derive(Template)]
#[template(path = "fork.svg")]
pub(super) struct Fork {
    label: String,
    mark: Mark,
    base: String,
    branch: String,
    met: String,
    base_told: String,
    branch_told: String,
    /// Where commits lie on each line.
    base_dots: Vec<f64>,
    branch_dots: Vec<f64>,
    /// Where each line ends.
    base_end: f64,
    branch_end: f64,
    /// They have more than one common ancestor.
    crosses: bool,
}

impl Fork {
    /// `None` where it is not known how far they are apart, or they never met.
    pub(super) fn of(branch: &KeptBranch, now: Timestamp) -> Option<Fork> {
        let (ahead, behind) = (branch.ahead?, branch.behind?);
        if branch.state == State::Unrelated || branch.n_merge_bases == Some(0) {
            return None;
        }
        let base = told::short(branch.base.as_deref()?).to_owned();
        let most = f64::from(ahead.max(behind).max(1));
        // The longer side fills the picture; the shorter is as long as its share, by the root, so that it is seen.
        let end = |n: u32| {
            if n == 0 { LEFT } else { rounded(LEFT + (RIGHT - LEFT) * (f64::from(n) / most).sqrt().max(0.18)) }
        };
        let (base_end, branch_end) = (end(behind), end(ahead));
        let met = branch.base_at.map(|at| format!("met {} ago", now.since(Timestamp(at))));
        let commits = |n: u32, what: &str| format!("{} {what}", alignwatch_model::words::count(n as usize, "commit"));
        let branch_told = commits(ahead, "of its own");
        let base_told = commits(behind, "that it lacks");
        Some(Fork {
            label: format!("{base}: {base_told}. {}: {branch_told}.", told::short(&branch.name)),
            mark: told::state(branch.state),
            base,
            branch: told::tail(told::short(&branch.name), 52),
            met: met.unwrap_or_default(),
            base_told,
            branch_told,
            base_dots: dots(behind, base_end),
            branch_dots: dots(ahead, branch_end),
            base_end,
            branch_end,
            crosses: branch.n_merge_bases.is_some_and(|n| 1 < n),
        })
    }
}

/// Commits, evenly spread; of many only as many as are told apart.
fn dots(n: u32, end: f64) -> Vec<f64> {
    let n_shown = n.min(DOTS_AT_MOST);
    let begin = LEFT + 26.0;
    let place = |dot: u32| match n_shown {
        1 => end,
        _ => rounded(begin + (end - begin) * f64::from(dot) / f64::from(n_shown - 1)),
    };
    (0..n_shown).map(place).collect()
}
