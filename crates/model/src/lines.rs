//! Finds the primary lines of a repository, and the line that each branch belongs to.
//!
//! Without configuration a line is what people align with: the remote's HEAD,
//! the usual names, and a branch that many others forked from at many points.
//! Each branch then belongs to the nearest line. Both answers carry how sure
//! they are and why, so that they can be shown and corrected.

use std::cmp::Reverse;

use crate::{Drift, Oid, RefName};

/// Names that people give to the line everything starts from, the likeliest first.
///
/// Source: `main` and `master` are Git's own defaults; `trunk` and `develop` are those of
/// Subversion users and of git-flow.
const FIRST_NAMES: [&str; 4] = ["main", "master", "trunk", "develop"];

/// Names of further long-lived lines. Such a branch is a line only if something forked from it.
const FURTHER_NAMES: [&str; 8] = ["develop", "dev", "development", "next", "master", "stable", "production", "staging"];

/// Distinct commits of its own that others forked from, to take a branch for a line by its history.
///
/// Source: ours. A branch that was split once or twice is a stack; a line is left at many points.
const FORK_POINTS_AT_LEAST: u32 = 5;

/// The same for a branch with one of the [`FURTHER_NAMES`].
const FORK_POINTS_OF_A_NAMED_LINE: u32 = 2;

/// Branches that are named after a line by its history: people speak of what they align with.
///
/// Source: ours; in a real repository with 649 branches the two further lines had 10 and more,
/// while no branch that had only been built upon had any.
const NAMED_AFTER_AT_LEAST: u32 = 3;

/// Share of the branches that makes a line without any being named after it. Source: ours.
const SHARE_OF_A_PLAIN_LINE: f64 = 0.25;

/// Digits in a row that no person gives a line: dates have eight, tickets up to five.
const LONG_NUMBER_DIGITS: usize = 6;

/// Shorter names stand in others by chance.
const NAME_BYTES_AT_LEAST: usize = 3;

/// Branches that forked from a line by its history.
///
/// Source: ours; in a real repository with 649 branches the two further lines had 14 each.
const FORKED_AT_LEAST: u32 = 10;

/// A branch that could be a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Full name.
    pub name: RefName,
    /// The commit there.
    pub oid: Oid,
    /// It is what HEAD of this remote points to.
    pub is_head_of: Option<String>,
    /// It is what HEAD of the repository itself points to.
    pub is_own_head: bool,
    /// Commits on its first-parent line, outside of the first line, that other branches forked from.
    pub n_fork_points: u32,
    /// Branches that forked from it there.
    pub n_forked: u32,
    /// Other branches that are named after it.
    pub n_named_after: u32,
    /// Commits of its own on its first-parent line.
    pub n_own: u32,
}

/// A line that was found, with the reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Index of the candidate.
    pub candidate: usize,
    /// Why it is one, as a sentence part.
    pub because: String,
    /// How sure, 0 to 1.
    pub confidence: f64,
}

/// The line that everything starts from; `None` when there is no branch at all.
///
/// Order: the remote's HEAD (of `origin` before others), the usual names, the repository's own
/// HEAD, and last the only branch there is.
pub fn first_line(candidates: &[Candidate]) -> Option<Found> {
    let found = |candidate, because: String, confidence| Some(Found { candidate, because, confidence });
    let at = |test: &dyn Fn(&Candidate) -> bool| candidates.iter().position(test);
    if let Some(candidate) = at(&|candidate| candidate.is_head_of.as_deref() == Some("origin")) {
        return found(candidate, "HEAD of origin points to it".into(), 0.98);
    }
    if let Some(candidate) = at(&|candidate| candidate.is_head_of.is_some()) {
        let remote = candidates[candidate].is_head_of.clone().unwrap_or_default();
        return found(candidate, format!("HEAD of {remote} points to it"), 0.9);
    }
    for name in FIRST_NAMES {
        if let Some(candidate) = at(&|candidate| is_named(candidate, name)) {
            let (because, confidence) = match candidates[candidate].is_own_head {
                true => ("its name is a usual one, and HEAD points to it".to_owned(), 0.95),
                false => ("its name is a usual one".to_owned(), 0.85),
            };
            return found(candidate, because, confidence);
        }
    }
    if let Some(candidate) = at(&|candidate| candidate.is_own_head) {
        return found(candidate, "HEAD points to it".into(), 0.7);
    }
    let most = (0..candidates.len()).max_by_key(|&number| candidates[number].n_forked)?;
    match candidates.len() {
        1 => found(most, "it is the only branch".into(), 0.7),
        _ => found(most, "most branches forked from it".into(), 0.5),
    }
}

/// The best further line, if there is one: many others forked from it.
///
/// `candidates` are counted outside of the lines found so far, which therefore count nothing.
/// Several names of one line (a local branch and its remote counterpart) must have been made one before.
pub fn further_line(candidates: &[Candidate], n_branches: usize) -> Option<Found> {
    let judged = candidates
        .iter()
        .enumerate()
        .filter_map(|(number, candidate)| judge_further(number, candidate, n_branches).map(|found| (candidate, found)));
    // The line is what people name other branches after; among branches that share all fork points,
    // it is the one that added the least to them.
    let key = |candidate: &Candidate| {
        let counts = (candidate.n_named_after, candidate.n_fork_points, candidate.n_forked);
        (counts, Reverse(candidate.n_own), Reverse(candidate.name.clone()))
    };
    judged.max_by_key(|(candidate, _)| key(candidate)).map(|(_, found)| found)
}

fn judge_further(number: usize, candidate: &Candidate, n_branches: usize) -> Option<Found> {
    let share = f64::from(candidate.n_forked) / n_branches.max(1) as f64;
    let is_usual = FURTHER_NAMES.iter().any(|name| is_named(candidate, name));
    let named_after = NAMED_AFTER_AT_LEAST <= candidate.n_named_after;
    let by_history = may_be_line(candidate) && (named_after || SHARE_OF_A_PLAIN_LINE <= share);
    let by_name = is_usual && FORK_POINTS_OF_A_NAMED_LINE <= candidate.n_fork_points;
    if !by_history && !by_name {
        return None;
    }
    let mut because = format!("{} branches forked from it, at {} commits", candidate.n_forked, candidate.n_fork_points);
    if named_after {
        because.push_str(&format!(", and {} are named after it", candidate.n_named_after));
    }
    let confidence = if is_usual { 0.9 } else { (0.5 + share).min(0.85) };
    Some(Found { candidate: number, because, confidence })
}

/// Its history alone would make this branch a line, if its name does not speak against it.
///
/// A name with a long number was made by a program for one purpose.
pub fn may_be_line(candidate: &Candidate) -> bool {
    let has_forks = FORK_POINTS_AT_LEAST <= candidate.n_fork_points && FORKED_AT_LEAST <= candidate.n_forked;
    has_forks && !has_long_number(candidate.name.as_bytes())
}

fn has_long_number(name: &[u8]) -> bool {
    name.split(|byte| !byte.is_ascii_digit()).any(|digits| LONG_NUMBER_DIGITS <= digits.len())
}

/// Does a branch name hold the name of a line as a whole word?
///
/// `fix-scientific-import` is named after `scientific`; `scientifically` is not.
pub fn is_named_after(branch: &RefName, line: &RefName) -> bool {
    let (branch, line) = (branch.short(), line.short());
    let (text, word) = (branch.as_bytes(), line.as_bytes());
    if text.len() <= word.len() || word.len() < NAME_BYTES_AT_LEAST {
        return false;
    }
    let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let stands_at =
        |at: usize| text[at..].starts_with(word) && is_edge(text[..at].last()) && is_edge(text.get(at + word.len()));
    (0..=text.len() - word.len()).any(stands_at)
}

fn is_named(candidate: &Candidate, name: &str) -> bool {
    let full = candidate.name.as_bytes();
    full.strip_prefix(b"refs/heads/") == Some(name.as_bytes())
        || candidate
            .name
            .remote_parts()
            .is_some_and(|(remote, branch)| remote == b"origin" && branch == name.as_bytes())
}

/// The nearest of several lines to a branch, by its drift from each.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// Index of the line.
    pub line: usize,
    /// How much nearer it is than the next, above 0.5 (hardly nearer) to 1 (nothing else is related).
    pub confidence: f64,
    /// Why, as a sentence part.
    pub because: String,
}

/// How sure it is that a branch from before two lines parted belongs to the first of them.
///
/// Source: ours; it has nothing of the other line, and what is older than the others is where people merge.
const SHARED_HISTORY_CONFIDENCE: f64 = 0.75;

/// The line that a branch belongs to: the one from which it has the fewest commits of its own.
///
/// What a branch has and a line lacks is what it brought along from elsewhere: a branch from a
/// further line carries that line's commits, seen from the first. Where two lines are equal in this, the branch
/// forked before they parted, and belongs to the earlier in the list. `drifts` has one entry for each
/// line; `None` where it is unknown. Unrelated lines are never near.
pub fn nearest(drifts: &[Option<&Drift>]) -> Option<Nearest> {
    let mut order: Vec<(u32, usize)> = Vec::new();
    for (line, drift) in drifts.iter().enumerate() {
        order.extend(drift.filter(|drift| !drift.is_unrelated()).map(|drift| (drift.ahead, line)));
    }
    order.sort_unstable();
    let &(ahead, line) = order.first()?;
    let Some(&(next, _)) = order.get(1) else {
        return Some(Nearest { line, confidence: 1.0, because: "no other line is related".into() });
    };
    if ahead == next {
        let because = "it forked before the lines parted".to_owned();
        return Some(Nearest { line, confidence: SHARED_HISTORY_CONFIDENCE, because });
    }
    let because = format!("{ahead} commits of its own here, {next} from the next line");
    let (near, far) = (f64::from(ahead) + 1.0, f64::from(next) + 1.0);
    Some(Nearest { line, confidence: far / (near + far), because })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str) -> Candidate {
        let oid = Oid::from_bytes(&[7; 20]).unwrap();
        Candidate {
            name: name.into(),
            oid,
            is_head_of: None,
            is_own_head: false,
            n_fork_points: 0,
            n_forked: 0,
            n_named_after: 0,
            n_own: 0,
        }
    }

    fn drift(ahead: u32, behind: u32) -> Drift {
        let merge_bases = vec![Oid::from_bytes(&[1; 20]).unwrap()];
        Drift { ahead, behind, merge_bases, on_base_line: false, base_at: None, missing_since: None }
    }

    #[test]
    fn the_remotes_head_wins_over_names_and_names_over_our_own_head() {
        let mut candidates =
            [candidate("refs/heads/main"), candidate("refs/remotes/origin/prod"), candidate("refs/heads/x")];
        candidates[2].is_own_head = true;
        assert_eq!(first_line(&candidates).unwrap().candidate, 0);
        candidates[1].is_head_of = Some("origin".into());
        assert_eq!(first_line(&candidates).unwrap().candidate, 1);
        assert_eq!(first_line(&candidates[2..]).unwrap().because, "HEAD points to it");
        assert_eq!(first_line(&[]), None);
    }

    #[test]
    fn a_branch_that_many_forked_from_at_many_points_is_a_line() {
        let mut candidates =
            vec![candidate("refs/heads/main"), candidate("refs/heads/scientific"), candidate("refs/heads/stack")];
        (candidates[1].n_fork_points, candidates[1].n_forked) = (40, 300);
        (candidates[2].n_fork_points, candidates[2].n_forked) = (1, 60);
        assert_eq!(further_line(&candidates, 649).unwrap().candidate, 1);
        candidates[1].n_forked = 20;
        assert_eq!(further_line(&candidates, 649), None, "a share that is too small");
        (candidates[1].n_forked, candidates[1].n_named_after) = (20, 3);
        assert_eq!(further_line(&candidates, 649).unwrap().candidate, 1, "named after, so a smaller share is enough");
        candidates[1].name = "refs/heads/agent-1234567".into();
        assert_eq!(further_line(&candidates, 649), None, "a name that a program made");
    }

    #[test]
    fn a_branch_is_named_after_a_line_by_whole_words() {
        let named = |branch: &str, line: &str| is_named_after(&RefName::from(branch), &RefName::from(line));
        assert!(named("refs/heads/fix-scientific-import", "refs/heads/scientific"));
        assert!(named("refs/heads/backup/scientific", "refs/heads/scientific"));
        assert!(!named("refs/heads/scientifically", "refs/heads/scientific"));
        assert!(!named("refs/heads/scientific", "refs/heads/scientific"));
        assert!(!named("refs/heads/a-b", "refs/heads/a"), "too short to mean it");
    }

    #[test]
    fn the_nearest_line_is_the_one_with_the_fewest_own_commits() {
        let (main, scientific) = (drift(1531, 3), drift(2, 900));
        let near = nearest(&[Some(&main), Some(&scientific)]).unwrap();
        assert_eq!(near.line, 1);
        assert!(0.99 < near.confidence);
        let equal = nearest(&[Some(&main), Some(&main)]).unwrap();
        assert_eq!((equal.line, equal.confidence), (0, SHARED_HISTORY_CONFIDENCE));
        let older = drift(2, 40);
        assert_eq!(
            nearest(&[Some(&drift(2, 1_500)), Some(&older)]).unwrap().line,
            0,
            "the main line, however far behind"
        );
        let unrelated = Drift { merge_bases: Vec::new(), ..drift(5, 5) };
        assert_eq!(nearest(&[Some(&unrelated), None]), None);
    }
}
