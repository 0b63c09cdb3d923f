//! `path-collisions`: files that are one and the same on other people's machines.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Finding, Known, Look, Remedy, Severity,
    facts::collisions::Collision,
    quote::{shell_ref, shell_word},
};

/// Paths at the tips that differ only in case or in Unicode's forms, as one finding.
pub(super) static CHECK: Check = Check {
    id: "path-collisions",
    title: "Paths that are the same on some systems",
    looks_at: "The trees at the tips of all branches: names in one folder that are equal in lower case and composed Unicode",
    why: "On Windows and macOS only one of them can be checked out: the other shows as changed for ever, and an alignment done there loses it",
    severity: Severity::Warning,
    family: Family::Storage,
    needs: &[Look::Collisions],
    git_says: Some("git ls-tree -r -t --name-only REF | tr A-Z a-z | sort | uniq -d"),
    runbook: Runbook {
        look: "`git ls-tree -r -t --name-only REF | tr A-Z a-z | sort | uniq -d` lists them in lower case",
        mend: "On a system that tells them apart (Linux): `git mv` one of them to another name, or remove it, on the base first; branches get it with their next alignment",
        sure: "The check is silent for the base, and for each branch after its alignment",
        undo: Some("`git revert` the commit that renamed it"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let collisions = match &seen.snapshot.facts.collisions {
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
        Known::Seen(collisions) => collisions,
    };
    let findings = collisions.groups.first().map(|worst| found(seen, worst, &collisions.groups));
    let reasons = collisions.unread.iter().flat_map(|(reason, n)| vec![reason.as_str(); *n as usize]);
    Outcome { findings: Vec::from_iter(findings), unknown: unjudged("branch", reasons), skipped: None }
}

fn found(seen: &Seen<'_>, worst: &Collision, all: &[Collision]) -> Finding {
    let how = if worst.is_case { "case" } else { "the form of a letter" };
    let others = match all.len() - 1 {
        0 => String::new(),
        n => format!("; {} more {}", thousands(n), agree(n, "group", "groups")),
    };
    let summary =
        format!("{} differ only in {how}, on {}{others}", shown(worst), count(worst.n_branches as usize, "branch"));
    let text = |name: &crate::RefName| name.text().into_owned();
    seen.finding(Severity::Warning, "", worst.paths.first().map_or("", String::as_str), summary)
        .names("groups", all.iter().map(|one| format!("{} ({})", shown(one), count(one.n_branches as usize, "branch"))))
        .names("branches", worst.branches.iter().map(text))
        .fact("source", "the trees at the tips; git ls-tree -r -t")
        .so("Where case does not count, a checkout holds only one of them: alignments made there can lose the other.")
        .mend(Remedy::reversible(
            "See who brought them. Then rename or remove one, on a system that tells them apart; git revert takes it back.",
            look(worst),
        ))
}

fn shown(one: &Collision) -> String {
    one.paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(" and ")
}

/// The commits that touched them; none where a path cannot be typed.
fn look(worst: &Collision) -> Option<String> {
    let is_typed = !worst.paths.iter().any(|path| path.contains(char::REPLACEMENT_CHARACTER));
    let paths: Vec<String> = worst.paths.iter().map(|path| shell_word(path.as_bytes())).collect();
    let branch = worst.branches.first().filter(|_| is_typed)?;
    Some(format!("git --literal-pathspecs log --oneline {} -- {}", shell_ref(branch), paths.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, facts::collisions::Collisions};

    fn with(collisions: Known<Collisions>) -> Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.facts.collisions = collisions;
        snapshot
    }

    fn group(paths: &[&str], is_case: bool, n_branches: u32) -> Collision {
        let paths = paths.iter().map(|path| (*path).into()).collect();
        Collision { paths, is_case, n_branches, branches: vec!["refs/heads/main".into()] }
    }

    #[test]
    fn no_collision_is_fine() {
        assert_eq!(judged(&CHECK, &with(Known::Seen(Collisions::default()))), Outcome::default());
    }

    #[test]
    fn collisions_are_one_finding_with_the_most_frequent_first() {
        let groups = vec![group(&["Read me", "read me"], true, 12), group(&["é", "e\u{301}"], false, 1)];
        let finding = only(judged(&CHECK, &with(Known::Seen(Collisions { groups, unread: vec![] }))));
        assert_eq!(
            told([&finding]),
            "[warning] path-collisions: `Read me` and `read me` differ only in case, on 12 branches; 1 more group"
        );
        assert_eq!(
            finding.remedy.commands,
            ["git --literal-pathspecs log --oneline refs/heads/main -- 'Read me' 'read me'"]
        );
    }

    #[test]
    fn trees_that_could_not_be_read_are_unknown() {
        let unread = Collisions { groups: vec![], unread: vec![("object 00 is missing".into(), 2)] };
        assert_eq!(
            judged(&CHECK, &with(Known::Seen(unread))).unknown.unwrap(),
            "2 branches could not be judged: object 00 is missing (2)"
        );
        assert!(judged(&CHECK, &snapshot([])).unknown.is_some());
    }
}
