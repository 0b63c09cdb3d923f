//! `object-check`, `connectivity`: what `git fsck` says, with its exit code decoded.

use std::collections::BTreeMap;

use super::{Check, Family, Outcome, Runbook, Seen};
use crate::{Finding, Known, Look, Remedy, Severity, facts::integrity::ObjectCheck};

const MEND: &str = "Copy the repository first. Take what is missing or damaged from a whole clone or a verified backup: `git fetch --refetch <remote>`. A damaged commit-graph, multi-pack-index, .rev or .bitmap is derived: move it aside and write it anew. Run no gc and no prune before";

/// Every object is read.
pub(super) static FULL: Check = Check {
    id: "object-check",
    title: "Damaged objects (full check)",
    looks_at: "The exit code and words of `git fsck --full`; a clean answer is remembered for 30 days, as long as nothing changes",
    why: "A damaged object makes every branch that needs it unreadable, and backups copy the damage",
    severity: Severity::Critical,
    family: Family::Integrity,
    needs: &[Look::Objects],
    git_says: Some("git fsck --full"),
    runbook: Runbook {
        look: "`git fsck --full --no-dangling` names every object",
        mend: MEND,
        sure: "`git fsck --full` ends with 0",
        undo: None,
    },
    threshold: None,
    judge: |seen| judge(seen, &seen.snapshot.facts.objects, "git fsck --full"),
};

/// Everything that refs need is there.
pub(super) static CONNECTIVITY: Check = Check {
    id: "connectivity",
    title: "Objects that refs need and that are not there",
    looks_at: "The exit code and words of `git fsck --connectivity-only`; it does not read the contents of files. A clean answer is remembered for a day, as long as nothing changes",
    why: "History with a hole cannot be measured, merged, pushed or backed up",
    severity: Severity::Critical,
    family: Family::Integrity,
    needs: &[Look::Connectivity],
    git_says: Some("git fsck --connectivity-only"),
    runbook: Runbook {
        look: "`git fsck --connectivity-only --no-dangling` names what is missing and what needs it",
        mend: MEND,
        sure: "`git fsck --connectivity-only` ends with 0",
        undo: None,
    },
    threshold: None,
    judge: |seen| judge(seen, &seen.snapshot.facts.connectivity, "git fsck --connectivity-only"),
};

/// The bits of the exit code: value, meaning, how grave. Source: builtin/fsck.c.
const BITS: [(i32, &str, Severity); 8] = [
    (1, "damaged objects", Severity::Critical),
    (2, "missing or unreachable objects", Severity::Critical),
    (4, "damaged packs", Severity::Critical),
    (8, "damaged refs", Severity::Error),
    (16, "a damaged commit-graph", Severity::Error),
    (32, "a damaged multi-pack-index", Severity::Error),
    (64, "a damaged reverse index", Severity::Error),
    (128, "a damaged bitmap", Severity::Error),
];

/// What kinds of words there are, the first that fits counts.
const KINDS: [(&str, &str); 8] = [
    ("invalid reflog entry", "reflog entries to missing objects"),
    ("hash mismatch", "damaged objects"),
    ("hash-path mismatch", "damaged objects"),
    ("corrupt", "damaged objects"),
    ("broken link", "broken links"),
    ("missing ", "missing objects"),
    ("invalid sha1 pointer", "refs to missing objects"),
    ("commit-graph", "commit-graph"),
];

fn judge(seen: &Seen<'_>, said: &Known<ObjectCheck>, command: &str) -> Outcome {
    match said {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(said) if said.code == 0 => Outcome::default(),
        Known::Seen(said) => Outcome::found(vec![found(seen, said, command)]),
    }
}

fn found(seen: &Seen<'_>, said: &ObjectCheck, command: &str) -> Finding {
    let set = bits_of(said);
    let bits: Vec<_> = BITS.iter().filter(|(bit, ..)| set & bit != 0).collect();
    let words: Vec<_> = bits.iter().map(|(_, word, _)| *word).collect();
    let severity = bits.iter().map(|(.., severity)| *severity).max().unwrap_or(Severity::Critical);
    let mut kinds = BTreeMap::<&str, usize>::new();
    for line in &said.lines {
        *kinds.entry(kind(line)).or_default() += 1;
    }
    let summary = format!("`{command}` found {} (exit code {})", words.join(", "), said.code);
    let kinds = kinds.iter().map(|(kind, n)| format!("{kind}: {n}"));
    seen.finding(severity, "", "objects", summary)
        .fact("exit_code", said.code)
        .names("bits", words)
        .names("kinds", kinds)
        .names("words", said.lines.iter().map(String::as_str))
        .fact("n_words", said.n_lines)
        .fact("checked_at_seconds", said.checked_at.0)
        .fact("source", command)
        .so("Branches that need what is damaged or missing cannot be measured, merged or backed up.")
        .mend(Remedy::reversible(
            "Copy the repository first; run no gc and no prune. Take what is missing from another clone or a verified \
             backup (git fetch --refetch <remote>). The command shows everything.",
            [format!("{command} --no-dangling")],
        ))
}

/// The bits that are set; a git that gave up at a damaged object (128, as for a bitmap) had no time to set any.
fn bits_of(said: &ObjectCheck) -> i32 {
    if said.lines.iter().any(|line| line.starts_with("fatal: ")) { 1 } else { said.code }
}

fn kind(line: &str) -> &'static str {
    KINDS.iter().find(|(mark, _)| line.contains(mark)).map_or("other", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    fn judged_of(code: i32, lines: &[&str]) -> Outcome {
        let mut snapshot = snapshot([]);
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        let n_lines = lines.len();
        snapshot.facts.objects = Known::Seen(ObjectCheck { code, lines, n_lines, checked_at: NOW });
        judged(&FULL, &snapshot)
    }

    #[test]
    fn no_bit_is_well() {
        assert_eq!(judged_of(0, &[]), Outcome::default());
    }

    #[test]
    fn bits_are_decoded_and_words_grouped() {
        let finding = only(judged_of(19, &["missing blob 12", "error: 34: object corrupt or missing: x"]));
        assert_eq!(
            told([&finding]),
            "[critical] object-check: `git fsck --full` found damaged objects, missing or unreachable objects, \
             a damaged commit-graph (exit code 19)"
        );
        assert_eq!(finding.evidence["kinds"].to_string(), r#"["damaged objects: 1","missing objects: 1"]"#);
    }

    #[test]
    fn a_git_that_gave_up_at_a_damaged_object_says_nothing_of_bitmaps() {
        let finding = only(judged_of(128, &["fatal: loose object 12 (stored in 1/2) is corrupt"]));
        assert_eq!(finding.summary, "`git fsck --full` found damaged objects (exit code 128)");
    }

    #[test]
    fn derived_files_alone_are_an_error() {
        assert_eq!(only(judged_of(16, &[])).severity, Severity::Error);
    }

    #[test]
    fn a_check_that_was_stopped_is_unknown() {
        let mut snapshot = snapshot([]);
        snapshot.facts.connectivity = Known::Unknown("it was interrupted".into());
        assert_eq!(judged(&CONNECTIVITY, &snapshot), Outcome::unknown("it was interrupted"));
    }
}
