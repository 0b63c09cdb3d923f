//! `head`, `no-upstream`: what is checked out, and which branches follow nothing.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Branch, Finding, Known, Look, Remedy, Severity,
    facts::integrity::{HeadFault, RefFiles},
    quote::shell_word,
    snapshot::Head,
};

/// HEAD is on no branch, or on one without a commit.
pub(super) static HEAD: Check = Check {
    id: "head",
    title: "HEAD on no branch",
    looks_at: "HEAD of the repository: the ref that it names, and whether that is a branch. Read here, as `git refs verify` says it from Git 2.50 on",
    why: "Commits made on a detached HEAD belong to no branch, so no alignment takes them along",
    severity: Severity::Error,
    family: Family::Refs,
    needs: &[Look::Refs],
    git_says: Some("git symbolic-ref --quiet HEAD"),
    runbook: Runbook {
        look: "`git status` says what HEAD is on; `git log --oneline --not --branches HEAD` shows commits that only HEAD holds",
        mend: "Nothing, where it is meant. `git switch -c <name>` gives the commits a branch, `git switch <branch>` goes back to one. A HEAD that names no branch: `git symbolic-ref HEAD refs/heads/<branch>`",
        sure: "`git symbolic-ref HEAD` prints a branch",
        undo: Some("`git switch --detach <id>`"),
    },
    threshold: None,
    judge: head,
};

/// Local branches that follow no branch of a remote, as one finding for each kind.
pub(super) static NO_UPSTREAM: Check = Check {
    id: "no-upstream",
    title: "Branches that follow nothing",
    looks_at: "`branch.<name>.remote` and `.merge` of each open local branch, where there are remotes",
    why: "Nobody else sees such a branch, and a copy of its work may be nowhere else",
    severity: Severity::Warning,
    family: Family::Branches,
    needs: &[Look::Landed, Look::Settings],
    git_says: Some("git for-each-ref --format='%(refname) %(upstream)' refs/heads"),
    runbook: Runbook {
        look: "`git branch -vv` shows what each branch follows; `git remote -v` shows the remotes that exist",
        mend: "Run `git push -u <remote> <branch>` for what others should see, or `git branch -u <remote>/<branch> <branch>` where it is there already",
        sure: "`git branch -vv` shows an upstream for it",
        undo: Some("`git branch --unset-upstream <branch>`"),
    },
    threshold: None,
    judge: no_upstream,
};

fn head(seen: &Seen<'_>) -> Outcome {
    if let Known::Seen(RefFiles { head: Some(fault), .. }) = &seen.snapshot.facts.ref_files {
        return Outcome::found(vec![broken_head(seen, fault)]);
    }
    let (cause, summary) = match &seen.snapshot.head {
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
        Known::Seen(Head::Branch(_)) => return Outcome::default(),
        Known::Seen(Head::Unborn(name)) => ("unborn", format!("HEAD is on {}, which has no commit", quoted(name))),
        Known::Seen(Head::Detached(oid)) => ("detached", format!("HEAD is detached, at {oid}")),
    };
    let impact = match cause {
        "unborn" => "Nothing is wrong in a new repository; in an old one, its default branch was renamed or deleted.",
        _ => "Commits made now belong to no branch, and no alignment takes them along.",
    };
    Outcome::found(vec![
        seen.finding(Severity::Info, cause, "HEAD", summary)
            .fact("source", "git symbolic-ref --quiet HEAD")
            .so(impact)
            .mend(Remedy::reversible(
                "Nothing, where it is meant. The command shows the branches that hold this commit.",
                ["git branch --all --contains HEAD".to_owned()],
            )),
    ])
}

fn broken_head(seen: &Seen<'_>, fault: &HeadFault) -> Finding {
    let (cause, summary) = match fault {
        HeadFault::NoBranch(name) => ("no-branch", format!("HEAD names {}, which is no branch", quoted(name))),
        HeadFault::Broken(what) => ("broken", what.clone()),
    };
    let line = seen.snapshot.lines.iter().find(|line| line.name.starts_with("refs/heads/"));
    let remedy = match line {
        Some(line) => Remedy::reversible(
            "Let it name a branch; the files stay as they are. Where a ref is broken, mend that one instead (broken-refs). \
             Undo: write the old line back into HEAD.",
            [format!("git symbolic-ref HEAD {}", shell_word(line.name.as_bytes()))],
        ),
        None => Remedy::reversible(
            "Choose a branch and let HEAD name it: git symbolic-ref HEAD refs/heads/<branch>. The command lists them.",
            ["git for-each-ref refs/heads".to_owned()],
        ),
    };
    seen.finding(Severity::Error, cause, "HEAD", summary)
        .fact("source", "HEAD")
        .so("Git cannot say what is checked out; commits go nowhere or fail, and clones have no default branch.")
        .mend(remedy)
}

fn no_upstream(seen: &Seen<'_>) -> Outcome {
    let remotes = match &seen.snapshot.facts.remotes {
        Known::Seen(remotes) => remotes,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let on_a_remote = match &seen.snapshot.facts.refs {
        Known::Seen(refs) => &refs.on_a_remote,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    // A bare repository is where others push to: its branches follow nothing by design.
    if remotes.all.is_empty() || seen.snapshot.repository.is_bare {
        return Outcome::default();
    }
    let is_known =
        |name: &str| name == "." || name.contains([':', '/']) || remotes.all.iter().any(|one| one.name == name);
    let local: Vec<&Branch> = seen.branches().filter(|one| one.name.starts_with("refs/heads/")).collect();
    let misled = local.iter().copied().filter(|one| one.upstream.as_ref().is_some_and(|up| !is_known(&up.remote)));
    let misled: Vec<&Branch> = misled.collect();
    let alone = local
        .iter()
        .copied()
        .filter(|one| one.upstream.is_none() && has_open_work(one) && on_a_remote.binary_search(&one.name).is_err());
    let alone: Vec<&Branch> = alone.collect();
    let mut findings = Vec::new();
    findings.extend((!misled.is_empty()).then(|| follows_unknown(seen, &misled)));
    findings.extend((!alone.is_empty()).then(|| only_here(seen, &alone, &remotes.all[0].name)));
    Outcome::found(findings)
}

/// Work that is not in the base; where it could not be measured, it may be.
fn has_open_work(branch: &Branch) -> bool {
    branch.may_hold_work() && branch.drift.seen().is_none_or(|drift| drift.ahead > 0)
}

fn follows_unknown(seen: &Seen<'_>, misled: &[&Branch]) -> Finding {
    let remote = misled[0].upstream.as_ref().map_or("", |upstream| upstream.remote.as_str());
    let summary = format!(
        "{} {} a remote that does not exist, such as {} the remote `{remote}`",
        count(misled.len(), "branch"),
        agree(misled.len(), "follows", "follow"),
        quoted(&misled[0].name)
    );
    seen.finding(Severity::Warning, "unknown-remote", quoted(&misled[0].name), summary)
        .branches(misled.iter().copied())
        .fact("source", "git config --get-regexp '^branch[.].*[.]remote$'")
        .so("Whether the work is anywhere else cannot be seen, and a push goes nowhere.")
        .mend(Remedy::reversible(
            "Give the remote its name back, or let the branch follow another one.",
            ["git remote -v".to_owned(), "git branch -vv".to_owned()],
        ))
}

fn only_here(seen: &Seen<'_>, alone: &[&Branch], remote: &str) -> Finding {
    let summary = format!(
        "{} with open work {} nothing and {} on no remote, such as {}",
        count(alone.len(), "local branch"),
        agree(alone.len(), "follows", "follow"),
        agree(alone.len(), "is", "are"),
        quoted(&alone[0].name)
    );
    let (remote, name) = (shell_word(remote.as_bytes()), shell_word(alone[0].name.as_bytes()));
    seen.finding(Severity::Warning, "", count(alone.len(), "local branch"), summary)
        .branches(alone.iter().copied())
        .fact("source", "git for-each-ref --format='%(refname) %(upstream)' refs/heads")
        .so("This clone holds the only copy, and nobody else can align it.")
        .mend(Remedy::reversible(
            format!("Push what is worth keeping; others see it then. Undo: git push --delete {remote} {name}"),
            [format!("git push --set-upstream {remote} {name}:{name}")],
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{
        Snapshot,
        branch::Upstream,
        facts::{
            refs::RefFacts,
            settings::{Remote, Remotes},
        },
    };

    fn cloned(branches: impl IntoIterator<Item = Branch>) -> Snapshot {
        let mut snapshot = snapshot(branches);
        let url = || "https://e.org/x".to_owned();
        let remote = Remote { name: "origin".into(), url: url(), fetch_url: url(), push_url: url(), default: None };
        snapshot.facts.remotes = Known::Seen(Remotes { all: vec![remote], fetched_at: Known::Seen(None) });
        snapshot.facts.refs = Known::Seen(RefFacts::default());
        snapshot
    }

    #[test]
    fn head_on_a_branch_is_fine_and_elsewhere_is_worth_knowing() {
        let mut snapshot = snapshot([]);
        assert_eq!(judged(&HEAD, &snapshot), Outcome::default());
        snapshot.head = Known::Seen(Head::Unborn("refs/heads/x".into()));
        assert_eq!(told(&judged(&HEAD, &snapshot).findings), "[info] head:unborn: HEAD is on `x`, which has no commit");
        snapshot.head = Known::Seen(Head::Detached(oid(7)));
        assert_eq!(
            told(&judged(&HEAD, &snapshot).findings),
            format!("[info] head:detached: HEAD is detached, at {}", oid(7))
        );
        snapshot.head = Known::Unknown("it is a folder".into());
        assert!(judged(&HEAD, &snapshot).unknown.is_some());
    }

    #[test]
    fn a_head_that_names_no_branch_is_an_error() {
        let of = |head| {
            let mut snapshot = snapshot([]);
            snapshot.facts.ref_files = Known::Seen(RefFiles { head: Some(head), ..RefFiles::default() });
            snapshot
        };
        let finding = only(judged(&HEAD, &of(HeadFault::NoBranch("refs/tags/v1".into()))));
        assert_eq!(told([&finding]), "[error] head:no-branch: HEAD names `tags/v1`, which is no branch");
        assert_eq!(finding.remedy.commands, ["git symbolic-ref HEAD refs/heads/main"]);
        let broken = of(HeadFault::Broken("HEAD names `x`, which is broken: its file is empty".into()));
        assert_eq!(
            told(&judged(&HEAD, &broken).findings),
            "[error] head:broken: HEAD names `x`, which is broken: its file is empty"
        );
    }

    #[test]
    fn only_open_work_that_is_nowhere_else_is_told() {
        let open = || branch("refs/heads/x", 2, 1);
        assert_eq!(
            told(&judged(&NO_UPSTREAM, &cloned([open()])).findings),
            "[warning] no-upstream: 1 local branch with open work follows nothing and is on no remote, such as `x`"
        );
        let mut pushed = cloned([open()]);
        pushed.facts.refs = Known::Seen(RefFacts { on_a_remote: vec!["refs/heads/x".into()], ..RefFacts::default() });
        assert_eq!(judged(&NO_UPSTREAM, &pushed), Outcome::default(), "the same commit is there");
        assert_eq!(judged(&NO_UPSTREAM, &cloned([branch("refs/heads/x", 0, 1)])), Outcome::default(), "no own work");
        let mut bare = cloned([open()]);
        bare.repository.is_bare = true;
        assert_eq!(judged(&NO_UPSTREAM, &bare), Outcome::default());
        assert!(judged(&NO_UPSTREAM, &snapshot([open()])).unknown.is_some(), "remotes were not read");
    }

    #[test]
    fn a_remote_that_does_not_exist_is_told() {
        let mut follows = branch("refs/heads/x", 2, 1);
        follows.upstream = Some(Upstream { remote: "old".into(), merge: "refs/heads/x".into(), gone: false });
        assert_eq!(
            told(&judged(&NO_UPSTREAM, &cloned([follows])).findings),
            "[warning] no-upstream:unknown-remote: 1 branch follows a remote that does not exist, such as `x` the remote `old`"
        );
    }
}
