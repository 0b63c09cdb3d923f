//! Judges how a command ended: from its exit, from what it left behind, and from the refs before and after.
//!
//! Exit codes lie in both directions. `git imerge` exits 0 while it is blocked; `git merge` exits 1 although every
//! conflict was solved by rerere; a wrapper script swallows the code of the rebase in it. So what is there counts
//! first, and the exit only where nothing else speaks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Op, Operation, Outcome, RefMove, StateLeft};
use crate::Known;

/// What was seen of a repository at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Full names and ids of all refs.
    pub refs: BTreeMap<String, String>,
    /// Operations that are half done, in every worktree.
    pub half_done: Vec<StateLeft>,
    /// Size of the reflog of HEAD in all worktrees together: it grows when an operation was begun and taken back.
    pub head_log_bytes: u64,
    /// The ids of all stashes.
    #[serde(default)]
    pub stashes: Vec<String>,
}

/// How a stash that is gone is named among the refs that moved: with its id and a brace behind, since its number changes.
pub const STASHED: &str = "refs/stash@{";

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With a code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It never began; the reason.
    NotStarted(String),
}

/// All that a verdict rests on.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// How the command ended.
    pub exit: &'a Exit,
    /// The repository before.
    pub before: &'a Known<Seen>,
    /// And after.
    pub after: &'a Known<Seen>,
    /// For each moved branch by its full name: base and drift. A branch that is missing here could not be measured.
    pub drift: &'a BTreeMap<String, Moved>,
}

/// How a moved branch stands to its base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Full name of the base.
    pub base: String,
    /// Where the base is after the run.
    pub base_oid: String,
    /// Commits of the base that the branch lacked before; `None` = not known, or there was no branch.
    pub behind_before: Option<u32>,
    /// Commits of the base that it lacks after.
    pub behind_after: Option<u32>,
    /// What was done to it.
    pub op: Option<Op>,
}

/// The verdict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// In one word.
    pub outcome: Outcome,
    /// What that rests on, as a sentence part.
    pub because: String,
    /// All refs that moved, by name.
    pub moves: Vec<RefMove>,
    /// What is half done now.
    pub left_behind: Vec<StateLeft>,
    /// One for each branch that moved or is half done, by name.
    pub operations: Vec<Operation>,
}

/// Refs that are elsewhere, by name. Refs of tools (`refs/imerge/…`) are among them.
pub fn moves(before: &Seen, after: &Seen) -> Vec<RefMove> {
    let names: std::collections::BTreeSet<&String> = before.refs.keys().chain(after.refs.keys()).collect();
    let moved = |name: &&String| before.refs.get(*name) != after.refs.get(*name);
    let told = |name: &String| RefMove {
        name: name.clone(),
        before: before.refs.get(name).cloned(),
        after: after.refs.get(name).cloned(),
    };
    let dropped = before.stashes.iter().filter(|stash| !after.stashes.contains(stash));
    let dropped =
        dropped.map(|stash| RefMove { name: format!("{STASHED}{stash}}}"), before: Some(stash.clone()), after: None });
    names.into_iter().filter(moved).map(told).chain(dropped).collect()
}

/// Judges.
pub fn judge(evidence: &Evidence<'_>) -> Judged {
    let (before, after) = match (evidence.before, evidence.after) {
        (Known::Seen(before), Known::Seen(after)) => (before, after),
        (Known::Unknown(reason), _) | (_, Known::Unknown(reason)) => return by_exit_alone(evidence.exit, reason),
    };
    let left_behind: Vec<StateLeft> = after.half_done.iter().map(|state| marked(state, before)).collect();
    let moves = moves(before, after);
    let operations = operations(&moves, &left_behind, evidence.drift);
    let facts =
        Facts { exit: evidence.exit, moves: &moves, left: &left_behind, operations: &operations, before, after };
    let (outcome, because) = facts.outcome();
    Judged { outcome, because, moves, left_behind, operations }
}

fn by_exit_alone(exit: &Exit, reason: &str) -> Judged {
    let (outcome, because) = match by_exit(exit) {
        Some((outcome, because)) => (outcome, format!("{because}; the repository could not be compared: {reason}")),
        None => (Outcome::Unknown, format!("it exited 0, and the repository could not be compared: {reason}")),
    };
    Judged { outcome, because, ..Judged::default() }
}

fn marked(state: &StateLeft, before: &Seen) -> StateLeft {
    let same =
        |old: &&StateLeft| (&old.operation, &old.place, &old.mark) == (&state.operation, &state.place, &state.mark);
    StateLeft { was_there: before.half_done.iter().any(|old| same(&old)), ..state.clone() }
}

/// What the exit says, unless it is 0.
fn by_exit(exit: &Exit) -> Option<(Outcome, String)> {
    /// Exit code of timeout(1) when the time was over. Source: coreutils.
    const TIMEOUT: i32 = 124;
    Some(match exit {
        Exit::Code(0) => return None,
        Exit::Code(TIMEOUT) => (Outcome::TimedOut, "it exited 124, as timeout(1) does".to_owned()),
        Exit::Code(code) => (Outcome::Failed, format!("it exited {code}")),
        // SIGALRM and SIGXCPU: a limit of time.
        Exit::Signal(signal @ (14 | 24)) => (Outcome::TimedOut, format!("signal {signal} ended it")),
        // SIGHUP, SIGINT, SIGQUIT and SIGTERM: somebody asked for it.
        Exit::Signal(signal @ (1 | 2 | 3 | 15)) => (Outcome::Aborted, format!("signal {signal} ended it")),
        Exit::Signal(signal) => (Outcome::Failed, format!("signal {signal} ended it")),
        Exit::NotStarted(reason) => (Outcome::Failed, format!("it did not start: {reason}")),
    })
}

struct Facts<'a> {
    exit: &'a Exit,
    moves: &'a [RefMove],
    left: &'a [StateLeft],
    operations: &'a [Operation],
    before: &'a Seen,
    after: &'a Seen,
}

impl Facts<'_> {
    fn outcome(&self) -> (Outcome, String) {
        let ended = by_exit(self.exit);
        // Somebody ended it: that is why things may be half done.
        if let Some((outcome @ (Outcome::Aborted | Outcome::TimedOut), because)) = &ended {
            return (*outcome, because.clone());
        }
        // An imerge leaves a merge half done, too, and is what the merge is for.
        let new = || self.left.iter().filter(|state| !state.was_there);
        if let Some(state) = new().find(|state| state.operation == "imerge").or_else(|| new().next()) {
            return half_done(state);
        }
        if let Some(failed) = ended {
            return self.failed(failed);
        }
        self.succeeded()
    }

    fn failed(&self, failed: (Outcome, String)) -> (Outcome, String) {
        if self.moves.is_empty() {
            if let Some(state) = self.left.first() {
                let because = format!("{}, and a {} was half done before it began", failed.1, state.operation);
                return (Outcome::Blocked, because);
            }
            if self.before.head_log_bytes < self.after.head_log_bytes {
                return (Outcome::RolledBack, format!("{}, and the refs are as before: it was taken back", failed.1));
            }
        }
        failed
    }

    fn succeeded(&self) -> (Outcome, String) {
        let worst = |outcome| self.operations.iter().find(|operation| operation.outcome == outcome);
        for outcome in [Outcome::Failed, Outcome::Unknown, Outcome::Aligned] {
            if let Some(operation) = worst(outcome) {
                let because = format!("`{}`: {}", operation.branch, operation.because);
                return (outcome, because);
            }
        }
        match self.moves.len() {
            0 => (Outcome::NoOp, "it exited 0, and no ref moved".to_owned()),
            _ => (Outcome::NoOp, "it exited 0, and no branch was brought closer to its base".to_owned()),
        }
    }
}

fn half_done(state: &StateLeft) -> (Outcome, String) {
    let on = state.branch.as_ref().map(|branch| format!(" of `{branch}`")).unwrap_or_default();
    let operation = &state.operation;
    match (operation.as_str(), state.n_unmerged) {
        ("imerge", _) => (Outcome::Blocked, format!("the imerge `{}` waits for a conflict to be solved", state.place)),
        ("bisect", _) => (Outcome::Blocked, "a bisect is under way".to_owned()),
        ("autostash", _) => (Outcome::Blocked, "work that was stashed away was not put back".to_owned()),
        (_, Some(0)) => {
            let because = format!("a {operation}{on} is half done with no conflict left: it waits to be continued");
            (Outcome::Blocked, because)
        }
        (_, Some(n)) => (Outcome::Conflict, format!("a {operation}{on} stopped with {n} paths in conflict")),
        (_, None) => (Outcome::Conflict, format!("a {operation}{on} was left half done")),
    }
}

fn operations(moves: &[RefMove], left: &[StateLeft], drift: &BTreeMap<String, Moved>) -> Vec<Operation> {
    let mut by_branch: BTreeMap<String, Operation> = BTreeMap::new();
    for one in moves.iter().filter(|one| one.name.starts_with("refs/heads/")) {
        by_branch.insert(one.name.clone(), moved(one, drift.get(&one.name)));
    }
    for state in left.iter().filter(|state| !state.was_there) {
        let Some(branch) = &state.branch else { continue };
        let (outcome, because) = half_done(state);
        let operation = by_branch.entry(branch.clone()).or_insert_with(|| of_branch(branch, drift.get(branch)));
        (operation.outcome, operation.because) = (outcome, because);
        operation.op = operation.op.or(Op::from_word(&state.operation));
    }
    by_branch.into_values().collect()
}

fn of_branch(branch: &str, drift: Option<&Moved>) -> Operation {
    Operation {
        branch: branch.to_owned(),
        base: drift.map(|drift| drift.base.clone()),
        base_oid: drift.map(|drift| drift.base_oid.clone()),
        behind_before: drift.and_then(|drift| drift.behind_before),
        behind_after: drift.and_then(|drift| drift.behind_after),
        op: drift.and_then(|drift| drift.op),
        ..Operation::default()
    }
}

fn moved(one: &RefMove, drift: Option<&Moved>) -> Operation {
    let mut operation = of_branch(&one.name, drift);
    (operation.before, operation.after) = (one.before.clone(), one.after.clone());
    operation.op = match (&one.before, &one.after) {
        (None, _) => Some(Op::Create),
        (_, None) => Some(Op::Delete),
        _ => operation.op,
    };
    (operation.outcome, operation.because) = verdict(&operation);
    operation
}

fn verdict(operation: &Operation) -> (Outcome, String) {
    let is_base = operation.base.as_ref() == Some(&operation.branch);
    match (operation.behind_before, operation.behind_after) {
        _ if operation.after.is_none() => (Outcome::NoOp, "it was deleted".to_owned()),
        _ if is_base && operation.before.is_some() => (Outcome::Aligned, "the base itself moved".to_owned()),
        _ if operation.before.is_none() => (Outcome::NoOp, "it is new".to_owned()),
        (Some(0), Some(0)) => (Outcome::NoOp, "it contained its base before and after".to_owned()),
        (_, Some(0)) => (Outcome::Aligned, "it contains its base now".to_owned()),
        (Some(before), Some(after)) if after < before => {
            (Outcome::Failed, format!("it came closer and still lacks {after} of {before} commits of its base"))
        }
        (Some(before), Some(after)) if before < after => {
            (Outcome::Failed, format!("it lacks {after} commits of its base, and lacked {before} before"))
        }
        (Some(_), Some(after)) => (Outcome::NoOp, format!("it moved and still lacks {after} commits of its base")),
        (_, _) => (Outcome::Unknown, "it moved, and its drift could not be measured".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(refs: &[(&str, &str)]) -> Seen {
        let refs = refs.iter().map(|(name, oid)| (format!("refs/heads/{name}"), (*oid).to_owned())).collect();
        Seen { refs, ..Seen::default() }
    }

    fn with(mut seen: Seen, operation: &str, mark: &str, n_unmerged: Option<u32>) -> Seen {
        seen.half_done.push(StateLeft {
            operation: operation.into(),
            branch: Some("refs/heads/x".into()),
            mark: mark.into(),
            n_unmerged,
            ..StateLeft::default()
        });
        seen
    }

    fn drift(before: u32, after: u32) -> BTreeMap<String, Moved> {
        let moved = Moved {
            base: "refs/heads/main".into(),
            base_oid: "m".into(),
            behind_before: Some(before),
            behind_after: Some(after),
            op: None,
        };
        BTreeMap::from([("refs/heads/x".to_owned(), moved)])
    }

    fn told(exit: Exit, before: Seen, after: Seen, drift: &BTreeMap<String, Moved>) -> Judged {
        judge(&Evidence { exit: &exit, before: &Known::Seen(before), after: &Known::Seen(after), drift })
    }

    fn word(exit: Exit, before: Seen, after: Seen, drift: &BTreeMap<String, Moved>) -> &'static str {
        told(exit, before, after, drift).outcome.word()
    }

    #[test]
    fn the_repository_speaks_louder_than_the_exit_code() {
        let none = BTreeMap::new();
        let (a, b) = (|| seen(&[("x", "1")]), || seen(&[("x", "2")]));
        let done = Exit::Code(0);
        assert_eq!(word(done.clone(), a(), a(), &none), "no_op");
        assert_eq!(word(done.clone(), a(), b(), &drift(3, 0)), "aligned");
        assert_eq!(word(done.clone(), a(), b(), &drift(3, 1)), "failed", "it came closer, and is not there");
        assert_eq!(word(done.clone(), a(), b(), &drift(3, 3)), "no_op", "a commit is no alignment");
        assert_eq!(word(done.clone(), a(), b(), &none), "unknown", "unmeasured is not aligned");
        assert_eq!(word(done.clone(), a(), with(a(), "imerge", "1", None), &none), "blocked", "and it exited 0");
        let both = with(with(a(), "merge", "1", Some(1)), "imerge", "1", Some(1));
        assert_eq!(word(done.clone(), a(), both, &none), "blocked", "the merge is a step of the imerge");
        assert_eq!(word(done, a(), with(a(), "rebase", "1", Some(2)), &none), "conflict", "a script hid the code");
    }

    #[test]
    fn a_failure_is_told_by_what_it_left() {
        let none = BTreeMap::new();
        let (a, one) = (|| seen(&[("x", "1")]), || Exit::Code(1));
        assert_eq!(word(one(), a(), a(), &none), "failed");
        assert_eq!(word(one(), a(), with(a(), "rebase", "1", Some(1)), &none), "conflict");
        assert_eq!(word(one(), a(), with(a(), "merge", "1", Some(0)), &none), "blocked", "rerere solved all of it");
        let left = || with(a(), "rebase", "1", Some(1));
        assert_eq!(word(one(), left(), left(), &none), "blocked", "an older rebase is in the way");
        let again = with(a(), "rebase", "2", Some(1));
        assert_eq!(word(one(), left(), again, &none), "conflict", "another one than before");
        let undone = Seen { head_log_bytes: 200, ..a() };
        assert_eq!(word(one(), a(), undone, &none), "rolled_back");
    }

    #[test]
    fn who_ended_it_counts_before_what_is_half_done() {
        let (a, none) = (|| seen(&[("x", "1")]), BTreeMap::new());
        let half = || with(a(), "rebase", "1", None);
        assert_eq!(word(Exit::Signal(2), a(), half(), &none), "aborted");
        assert_eq!(word(Exit::Code(124), a(), half(), &none), "timed_out");
        assert_eq!(word(Exit::Signal(9), a(), a(), &none), "failed");
        assert_eq!(word(Exit::NotStarted("no such file".into()), a(), a(), &none), "failed");
    }

    #[test]
    fn without_the_refs_success_is_unknown_and_failure_is_failure() {
        let drift = BTreeMap::new();
        let judged = |exit| {
            let unknown = Known::Unknown("no repository".into());
            judge(&Evidence { exit: &exit, before: &unknown, after: &unknown, drift: &drift })
        };
        assert_eq!(judged(Exit::Code(0)).outcome, Outcome::Unknown);
        assert_eq!(judged(Exit::Code(1)).outcome, Outcome::Failed);
        assert!(judged(Exit::Code(1)).because.contains("no repository"));
    }

    #[test]
    fn each_branch_that_moved_or_is_half_done_is_an_operation() {
        let before = seen(&[("x", "1"), ("y", "1"), ("z", "1")]);
        let after = with(seen(&[("x", "1"), ("y", "2")]), "rebase", "1", Some(1));
        let judged = told(Exit::Code(1), before, after, &BTreeMap::new());
        let told: Vec<_> = judged.operations.iter().map(|one| (one.branch.as_str(), one.outcome.word())).collect();
        assert_eq!(told, [("refs/heads/x", "conflict"), ("refs/heads/y", "unknown"), ("refs/heads/z", "no_op")]);
        assert_eq!(judged.moves.len(), 2);
    }
}
