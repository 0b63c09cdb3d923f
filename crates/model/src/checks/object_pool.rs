//! `object-pool`: other repositories borrow objects from this one.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{Finding, Known, Look, Remedy, Severity, facts::Pool};

/// Repositories that break when objects are removed here.
pub(super) static CHECK: Check = Check {
    id: "object-pool",
    title: "Others borrow objects from here, and nothing protects them",
    looks_at: "`objects/info/alternates` of all repositories that are named on the same command line",
    why: "A gc or prune here removes objects that nobody here needs and the borrowers do: their branches are broken for ever",
    severity: Severity::Critical,
    family: Family::Storage,
    needs: &[Look::Refs],
    git_says: Some("git count-objects -v in the borrower (alternate)"),
    runbook: Runbook {
        look: "`cat objects/info/alternates` in each other repository; name them all: `alignwatch check --only object-pool PATH…`",
        mend: "`git config core.repositoryFormatVersion 1` and `git config extensions.preciousObjects true` make git refuse to remove objects here. Or make each borrower independent: `git repack -a -d` there, then remove its `objects/info/alternates`",
        sure: "`git prune` here ends with an error, or no other repository names this one",
        undo: Some("`git config --unset extensions.preciousObjects`"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    match &seen.snapshot.facts.pool {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(pool) if pool.is_precious => Outcome::default(),
        Known::Seen(pool) if !pool.borrowers.is_empty() => Outcome::found(vec![found(seen, pool)]),
        Known::Seen(pool) if pool.n_asked == 0 => Outcome { skipped: Some(NOBODY_ASKED.into()), ..Outcome::default() },
        Known::Seen(_) => Outcome::default(),
    }
}

const NOBODY_ASKED: &str = "only the borrower knows: name all repositories of this machine on one command line";

fn found(seen: &Seen<'_>, pool: &Pool) -> Finding {
    let n = pool.borrowers.len();
    let summary = format!(
        "{} {} objects from here, and git may remove them",
        count(n, "repository"),
        agree(n, "borrows", "borrow")
    );
    seen.finding(Severity::Critical, "", "objects", summary)
        .names("borrowers", pool.borrowers.iter().map(String::as_str))
        .fact("n_asked", pool.n_asked)
        .fact("source", "objects/info/alternates of the repositories that were named")
        .so("Any gc, prune or repack here can break their branches for ever.")
        .mend(Remedy::reversible(
            "Let git refuse to remove objects here. Undo: git config --unset extensions.preciousObjects",
            [
                "git config core.repositoryFormatVersion 1".to_owned(),
                "git config extensions.preciousObjects true".to_owned(),
            ],
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    fn judged_of(pool: Pool) -> Outcome {
        let mut snapshot = snapshot([]);
        snapshot.facts.pool = Known::Seen(pool);
        judged(&CHECK, &snapshot)
    }

    fn lent(n_asked: usize, is_precious: bool) -> Pool {
        Pool { borrowers: vec!["../other".into()], n_asked, is_precious }
    }

    #[test]
    fn a_pool_that_is_protected_and_a_repository_that_lends_nothing_are_fine() {
        assert_eq!(judged_of(lent(1, true)), Outcome::default());
        assert_eq!(judged_of(Pool { n_asked: 3, ..Pool::default() }), Outcome::default());
    }

    #[test]
    fn borrowers_of_an_unprotected_one_are_critical() {
        assert_eq!(
            told([&only(judged_of(lent(2, false)))]),
            "[critical] object-pool: 1 repository borrows objects from here, and git may remove them"
        );
    }

    #[test]
    fn one_repository_alone_cannot_know_and_says_so() {
        assert!(judged_of(Pool::default()).skipped.unwrap().contains("only the borrower knows"));
        assert!(judged(&CHECK, &snapshot([])).unknown.is_some());
    }
}
