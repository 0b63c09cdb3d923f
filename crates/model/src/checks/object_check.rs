//! `object-check`, `connectivity`: what `git fsck` says, with its exit code decoded.

use std::collections::BTreeMap;

use super::{Check, Family, Outcome, Runbook, Seen};
use crate::{Finding, Known, Look, Remedy, Severity, facts::integrity::ObjectCheck, quote::shell_word};

const MEND: &str = "Copy the repository first. Take what is missing or damaged from a whole clone or a verified backup: `git fetch --refetch <remote>`. A damaged commit-graph, multi-pack-index, .rev or .bitmap is derived: move it aside and write it anew. Run no gc and no prune before";

/// Every object is read.
pub(super) static FULL: Check = Check {
    id: "object-check",
    title: "Damaged objects (full check)",
    looks_at: "The exit code and words of `git fsck --full`; settings of the repository silence nothing in it. A clean answer is remembered for 30 days, as long as no file changes",
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
    looks_at: "The exit code and words of `git fsck --connectivity-only`; it does not read the contents of files. A clean answer is remembered for a day, as long as no file changes",
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

/// The bits of the exit code that tell of lost data: value, meaning, how grave. Source: builtin/fsck.c.
const BITS: [(i32, &str, Severity); 4] = [
    (1, "damaged objects", Severity::Critical),
    (2, "missing or unreachable objects", Severity::Critical),
    (4, "damaged packs", Severity::Critical),
    (8, "damaged refs", Severity::Error),
];

/// Files that Git can make again from the objects, with a bit of their own.
struct Derived {
    bit: i32,
    /// Part of the finding's key, and of the quarantine's name.
    cause: &'static str,
    /// As people call it, with its article.
    called: &'static str,
    /// Where it lies below `objects`, as a pattern of the shell.
    files: &'static str,
    /// Writes it anew; `None` = the next repack does, and until then Git does without.
    write: Option<&'static str>,
}

const DERIVED: [Derived; 4] = [
    Derived {
        bit: 16,
        cause: "commit-graph",
        called: "the commit-graph",
        files: "info/commit-graph*",
        write: Some("git commit-graph write --reachable --split --changed-paths"),
    },
    Derived {
        bit: MULTI_PACK_INDEX,
        cause: "multi-pack-index",
        called: "the multi-pack-index",
        files: "pack/multi-pack-index*",
        write: Some("git multi-pack-index write"),
    },
    Derived { bit: 64, cause: "reverse-index", called: "a reverse index", files: "pack/*.rev", write: None },
    Derived { bit: 128, cause: "bitmap", called: "a bitmap", files: "pack/*.bitmap", write: None },
];

const MULTI_PACK_INDEX: i32 = 32;

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
        Known::Seen(said) => Outcome::found(findings(seen, said, command)),
    }
}

fn findings(seen: &Seen<'_>, said: &ObjectCheck, command: &str) -> Vec<Finding> {
    let set = bits_of(said);
    // Where both checks were made, the full one tells what is derived, once.
    let is_told = seen.check.id == CONNECTIVITY.id && seen.snapshot.facts.objects.seen().is_some();
    let derived = DERIVED.iter().filter(|one| !is_told && set & one.bit != 0);
    let derived = derived.map(|one| rewrite(seen, one, said, command));
    let is_all = DERIVED.iter().fold(set, |rest, one| rest & !one.bit) == 0;
    (!is_all).then(|| found(seen, said, command)).into_iter().chain(derived).collect()
}

/// Derived data that is damaged: aside with it, and write it anew.
fn rewrite(seen: &Seen<'_>, derived: &Derived, said: &ObjectCheck, command: &str) -> Finding {
    let git_dir = &seen.snapshot.repository.git_dir;
    // A folder of its own, so that nothing that was moved before is in the way.
    let aside = shell_word(format!("{git_dir}/quarantine/{}-{}", derived.cause, seen.snapshot.seen_at.0).as_bytes());
    let objects = shell_word(format!("{git_dir}/objects/").as_bytes());
    let mut commands = vec![format!("mkdir -p -- {aside}"), format!("mv -n -- {objects}{} {aside}/", derived.files)];
    commands.extend(derived.write.map(str::to_owned));
    let then = match derived.write {
        Some(_) => "Move it aside and write it anew.",
        None => "Move them aside; Git does without, and the next `git repack -A -d -b` writes them anew.",
    };
    let summary = format!("{}{} is damaged (`{command}`)", derived.called[..1].to_uppercase(), &derived.called[1..]);
    seen.finding(Severity::Error, derived.cause, derived.cause, summary)
        .fact("exit_code", said.code)
        .names("words", said.lines.iter().map(String::as_str))
        .fact("checked_at_seconds", said.checked_at.0)
        .fact("source", command)
        .so("Git can give wrong answers from it, or fail.")
        .mend(Remedy::reversible(
            format!(
                "It holds nothing that the objects do not hold. {then} Undo: move the files back from the quarantine."
            ),
            commands,
        ))
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

/// The bits that are set; a git that gave up at what is damaged (128, as for a bitmap) had no time to set any.
fn bits_of(said: &ObjectCheck) -> i32 {
    match said.lines.iter().find(|line| line.starts_with("fatal: ")) {
        Some(line) if line.contains("multi-pack-index") || line.contains("pack-int-id") => MULTI_PACK_INDEX,
        Some(_) => 1,
        None => said.code,
    }
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
        let outcome = judged_of(19, &["missing blob 12", "error: 34: object corrupt or missing: x"]);
        assert_eq!(
            told(&outcome.findings),
            "[critical] object-check: `git fsck --full` found damaged objects, missing or unreachable objects \
             (exit code 19)\n\
             [error] object-check:commit-graph: The commit-graph is damaged (`git fsck --full`)"
        );
        assert_eq!(outcome.findings[0].evidence["kinds"].to_string(), r#"["damaged objects: 1","missing objects: 1"]"#);
    }

    #[test]
    fn a_git_that_gave_up_at_a_damaged_object_says_nothing_of_bitmaps() {
        let finding = only(judged_of(128, &["fatal: loose object 12 (stored in 1/2) is corrupt"]));
        assert_eq!(finding.summary, "`git fsck --full` found damaged objects (exit code 128)");
    }

    #[test]
    fn each_derived_file_is_its_own_error_with_its_own_remedy() {
        assert_eq!(
            told(&judged_of(16 + 32 + 64 + 128, &[]).findings),
            "[error] object-check:commit-graph: The commit-graph is damaged (`git fsck --full`)\n\
             [error] object-check:multi-pack-index: The multi-pack-index is damaged (`git fsck --full`)\n\
             [error] object-check:reverse-index: A reverse index is damaged (`git fsck --full`)\n\
             [error] object-check:bitmap: A bitmap is damaged (`git fsck --full`)"
        );
        let gave_up = only(judged_of(128, &["fatal: multi-pack-index signature 0x0 does not match"]));
        assert_eq!(gave_up.key, "object-check:multi-pack-index");
        assert_eq!(
            gave_up.remedy.commands,
            [
                "mkdir -p -- /repo/.git/quarantine/multi-pack-index-1700000000",
                "mv -n -- /repo/.git/objects/pack/multi-pack-index* /repo/.git/quarantine/multi-pack-index-1700000000/",
                "git multi-pack-index write",
            ]
        );
    }

    #[test]
    fn what_both_checks_found_in_derived_files_is_told_once() {
        let mut snapshot = snapshot([]);
        let damaged = || Known::Seen(ObjectCheck { code: 16, ..ObjectCheck::default() });
        snapshot.facts.connectivity = damaged();
        assert_eq!(only(judged(&CONNECTIVITY, &snapshot)).key, "connectivity:commit-graph");
        snapshot.facts.objects = damaged();
        assert_eq!(judged(&CONNECTIVITY, &snapshot), Outcome::default());
    }

    #[test]
    fn a_check_that_was_stopped_is_unknown() {
        let mut snapshot = snapshot([]);
        snapshot.facts.connectivity = Known::Unknown("it was interrupted".into());
        assert_eq!(judged(&CONNECTIVITY, &snapshot), Outcome::unknown("it was interrupted"));
    }
}
