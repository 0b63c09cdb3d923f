//! `broken-refs`, `packed-refs`, `symbolic-refs`: damage to the files that hold refs.
//!
//! Read by rules of our own, since `git refs verify` exists from Git 2.45 on and says nothing useful before 2.50.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Finding, Known, Look, RefName, Remedy, Severity, Snapshot,
    facts::integrity::{DamagedRef, OddSymref, PackedFault, PackedFaultKind, RefFiles},
    quote::{shell_ref, shell_word},
};

/// Refs whose file is empty, cut off or garbage, a finding each.
pub(super) static BROKEN: Check = Check {
    id: "broken-refs",
    title: "Refs whose file is empty, cut off or garbage",
    looks_at: "The files below `refs/`, read here: `git refs verify` says nothing useful before Git 2.50; and the last id in the log of a damaged one",
    why: "A crash or a full disk leaves such files; the branch is gone for Git, and deleting the file destroys the evidence",
    severity: Severity::Critical,
    family: Family::Integrity,
    needs: &[Look::Refs],
    git_says: Some("git for-each-ref (warning: ignoring broken ref)"),
    runbook: Runbook {
        look: "`tail -n 3 .git/logs/<ref>` shows where the ref was last; `git cat-file -t <id>` whether that commit is there",
        mend: "Move the file aside and set the ref to the last id of its log: `git update-ref <ref> <id>`. Where there is no log, take the id from another clone: `git ls-remote <remote> <ref>`",
        sure: "`git for-each-ref` prints no warning and shows the ref",
        undo: Some("Move the file back from `.git/quarantine`"),
    },
    threshold: None,
    judge: broken,
};

/// A packed-refs that Git misreads or gives up on.
pub(super) static PACKED: Check = Check {
    id: "packed-refs",
    title: "packed-refs is malformed",
    looks_at: "The header, the order, each line and the end of `packed-refs`, read here: Git says it from 2.50 on (`git refs verify`)",
    why: "At a bad line Git gives up on all refs; in a file that is not as sorted as it says, it misses some",
    severity: Severity::Error,
    family: Family::Integrity,
    needs: &[Look::Refs],
    git_says: Some("git for-each-ref (fatal: unexpected line in packed-refs)"),
    runbook: Runbook {
        look: "`grep -nvE '^(#|\\^?[0-9a-f]{40,64})' .git/packed-refs` shows lines that are none; `tail -c 100 .git/packed-refs` its end",
        mend: "Copy the file. Take out what is no entry, end the last line, let the header not say `sorted`; then `git pack-refs --all` writes it anew",
        sure: "`git for-each-ref` ends with 0 and lists every ref",
        undo: Some("Copy the file back from `.git/quarantine`"),
    },
    threshold: None,
    judge: packed,
};

/// Symbolic refs that lead nowhere, or through others.
pub(super) static SYMBOLIC: Check = Check {
    id: "symbolic-refs",
    title: "Symbolic refs that lead nowhere or through others",
    looks_at: "The refs that name another ref, such as `refs/remotes/origin/HEAD`, and whether that one exists",
    why: "Tools that ask for the default branch of a remote get nothing, or an old one",
    severity: Severity::Warning,
    family: Family::Refs,
    needs: &[Look::Refs],
    git_says: Some("git fsck --connectivity-only (error: <ref>: invalid sha1 pointer), for those that lead nowhere"),
    runbook: Runbook {
        look: "`git symbolic-ref <ref>` shows where one leads; `git for-each-ref` passes over those that lead nowhere",
        mend: "`git remote set-head <remote> -a` asks the remote for its default branch; `git symbolic-ref <ref> <target>` sets another one; `git symbolic-ref --delete <ref>` removes it",
        sure: "`git rev-parse --verify <ref>` prints an id",
        undo: Some("`git symbolic-ref <ref> <old target>`; the old target is in the evidence"),
    },
    threshold: None,
    judge: symbolic,
};

/// Is this broken ref told by a check of this file?
pub(super) fn is_told(snapshot: &Snapshot, name: &RefName) -> bool {
    let Known::Seen(files) = &snapshot.facts.ref_files else { return false };
    let is_in_packed = |faults: &[PackedFault]| {
        faults
            .iter()
            .any(|fault| fault.name.as_ref() == Some(name) || name.text() == format!("packed-refs:{}", fault.line))
    };
    files.damaged.iter().any(|one| one.name == *name)
        || files.symrefs.iter().any(|one| one.name == *name)
        || files.packed.seen().is_some_and(|faults| is_in_packed(faults))
}

/// Errors: the outcome where refs are kept otherwise, or could not be looked at.
pub(super) fn ref_files<'a>(seen: &Seen<'a>) -> Result<&'a RefFiles, Outcome> {
    match &seen.snapshot.facts.ref_files {
        _ if seen.snapshot.repository.ref_backend != "files" => {
            Err(Outcome { skipped: Some("refs are not kept in files here".into()), ..Outcome::default() })
        }
        Known::Unknown(reason) => Err(Outcome::unknown(reason.clone())),
        Known::Seen(files) => Ok(files),
    }
}

fn broken(seen: &Seen<'_>) -> Outcome {
    match ref_files(seen) {
        Err(outcome) => outcome,
        Ok(files) => Outcome {
            findings: files.damaged.iter().map(|one| damaged(seen, one)).collect(),
            unknown: unjudged("log", files.damaged.iter().filter_map(|one| one.last_id.reason())),
            skipped: None,
        },
    }
}

fn damaged(seen: &Seen<'_>, one: &DamagedRef) -> Finding {
    let finding = seen
        .finding(
            Severity::Critical,
            &one.name.text(),
            one.name.short().text(),
            format!("The ref {} cannot be read: {}", quoted(&one.name), one.reason),
        )
        .fact("ref", one.name.text())
        .fact("base", one.name.text())
        .fact("source", "its file, and the last entry of its log")
        .so("For Git the branch does not exist: it cannot be measured, merged or backed up, and gc can remove its commits.");
    match one.last_id {
        Known::Seen(Some((oid, is_there))) => {
            let finding = finding.fact("last_id", oid.hex()).fact("last_id_is_there", is_there);
            if is_there {
                finding.mend(set_again(seen, one, &oid.hex()))
            } else {
                finding.mend(look_elsewhere(seen, one))
            }
        }
        _ => finding.mend(look_elsewhere(seen, one)),
    }
}

fn set_again(seen: &Seen<'_>, one: &DamagedRef, id: &str) -> Remedy {
    let git_dir = seen.snapshot.repository.git_dir.as_bytes();
    let flat: Vec<u8> = one.name.as_bytes().iter().map(|&byte| if byte == b'/' { b'-' } else { byte }).collect();
    let aside = format!("/quarantine/refs-{}", seen.snapshot.seen_at.0);
    let folder = shell_word(&[git_dir, aside.as_bytes()].concat());
    let file = shell_word(&[git_dir, b"/", one.name.as_bytes()].concat());
    let to = shell_word(&[git_dir, aside.as_bytes(), b"/", &flat].concat());
    Remedy::reversible(
        "Run no gc and no prune before. Move the file aside, as evidence, and set the ref to where its log says it was last. \
         Undo: move the file back.",
        [
            format!("mkdir -p -- {folder}"),
            format!("mv -n -- {file} {to}"),
            format!("git update-ref {} {id}", shell_ref(&one.name)),
        ],
    )
}

fn look_elsewhere(seen: &Seen<'_>, one: &DamagedRef) -> Remedy {
    let ask = seen.remote_to_ask().map(|remote| format!("git ls-remote {remote} {}", shell_ref(&one.name)));
    Remedy::reversible(
        "Do not delete the file: it is the evidence. Run no gc and no prune. Look for the last good commit in another clone, \
         or among commits that nothing points to any more; then set the ref: git update-ref <ref> <id>. \
         The commands show what there is.",
        ask.into_iter().chain(["git fsck --no-reflogs --unreachable".to_owned()]),
    )
}

fn packed(seen: &Seen<'_>) -> Outcome {
    let files = match ref_files(seen) {
        Err(outcome) => return outcome,
        Ok(files) => files,
    };
    match &files.packed {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(faults) => {
            Outcome::found(faults.first().map(|first| malformed(seen, faults, first)).into_iter().collect())
        }
    }
}

fn malformed(seen: &Seen<'_>, faults: &[PackedFault], first: &PackedFault) -> Finding {
    let summary = format!(
        "packed-refs has {}, such as in line {}: {}",
        count(faults.len(), "fault"),
        first.line,
        says(first.kind)
    );
    let told = faults.iter().map(|fault| match &fault.name {
        Some(name) => format!("line {}: {} ({name})", fault.line, says(fault.kind)),
        None => format!("line {}: {}", fault.line, says(fault.kind)),
    });
    seen.finding(Severity::Error, "", "packed-refs", summary)
        .names("faults", told)
        .fact("source", "packed-refs")
        .so("Git gives up on all refs, or misses some of them.")
        .mend(anew(seen, faults))
}

fn says(kind: PackedFaultKind) -> &'static str {
    match kind {
        PackedFaultKind::Header => "its header is not Git's",
        PackedFaultKind::Unsorted => "it is not in order, though the header says so",
        PackedFaultKind::NoEntry => "it is no entry",
        PackedFaultKind::CutOff => "it has no end, so its name may be cut off",
    }
}

/// A copy without what is no entry and without the promise of an order, which Git then reads and writes anew.
fn anew(seen: &Seen<'_>, faults: &[PackedFault]) -> Remedy {
    let git_dir = &seen.snapshot.repository.git_dir;
    let word = |text: String| shell_word(text.as_bytes());
    let copy = word(format!("{git_dir}/quarantine/packed-refs-{}", seen.snapshot.seen_at.0));
    let file = word(format!("{git_dir}/packed-refs"));
    let is_cut = faults.iter().any(|fault| fault.kind == PackedFaultKind::CutOff);
    let but = if is_cut { "The last line is kept: compare its name with another clone. " } else { "" };
    Remedy::reversible(
        format!(
            "When no git works here: keep a copy, take out what is no entry, and let Git write the file anew. {but}\
             Undo: cp -p -- {copy} {file}"
        ),
        [
            format!("mkdir -p -- {}", word(format!("{git_dir}/quarantine"))),
            format!("cp -p -- {file} {copy}"),
            format!("grep -aE '^(\\^[0-9a-f]{{40,64}}$|[0-9a-f]{{40,64}} refs/)' {copy} > {file}"),
            "git pack-refs --all".to_owned(),
        ],
    )
}

fn symbolic(seen: &Seen<'_>) -> Outcome {
    let files = match ref_files(seen) {
        Err(outcome) => return outcome,
        Ok(files) => files,
    };
    let (dangling, chains): (Vec<_>, Vec<_>) = files.symrefs.iter().partition(|one| one.is_dangling);
    let mut findings = Vec::new();
    findings.extend((!dangling.is_empty()).then(|| nowhere(seen, &dangling)));
    findings.extend((!chains.is_empty()).then(|| through_others(seen, &chains)));
    Outcome::found(findings)
}

fn nowhere(seen: &Seen<'_>, dangling: &[&OddSymref]) -> Finding {
    let first = dangling[0];
    let summary = format!(
        "{} {} nowhere, such as {}: {}",
        count(dangling.len(), "symbolic ref"),
        agree(dangling.len(), "leads", "lead"),
        quoted(&first.name),
        first.reason
    );
    seen.finding(Severity::Warning, "dangling", quoted(&first.name), summary)
        .names("refs", dangling.iter().map(|one| format!("{} -> {}", one.name, one.target)))
        .fact("source", "the files below refs/ that begin with `ref:`")
        .so("Who asks for it, such as for the default branch of a remote, gets nothing.")
        .mend(lead_again(first))
}

/// The HEAD of a remote is asked for anew; any other symbolic ref is removed, which loses no commit.
fn lead_again(one: &OddSymref) -> Remedy {
    let remote = one.name.as_bytes().strip_prefix(b"refs/remotes/").and_then(|rest| rest.strip_suffix(b"/HEAD"));
    let undo = format!("Undo: git symbolic-ref {} {}", shell_ref(&one.name), shell_ref(&one.target));
    match remote {
        Some(remote) => Remedy::reversible(
            format!("Ask the remote for its default branch. {undo}"),
            [format!("git remote set-head {} --auto", shell_word(remote))],
        ),
        None => Remedy::reversible(
            format!("Let it name another ref, or remove it: no commit is lost. {undo}"),
            [format!("git symbolic-ref --delete {}", shell_ref(&one.name))],
        ),
    }
}

fn through_others(seen: &Seen<'_>, chains: &[&OddSymref]) -> Finding {
    let first = chains[0];
    let summary = format!(
        "{} {} through another, such as {}: {}",
        count(chains.len(), "symbolic ref"),
        agree(chains.len(), "leads", "lead"),
        quoted(&first.name),
        first.reason
    );
    seen.finding(Severity::Info, "chain", quoted(&first.name), summary)
        .names("refs", chains.iter().map(|one| format!("{}: {}", one.name, one.reason)))
        .fact("source", "the files below refs/ that begin with `ref:`")
        .so("Git follows five of them; other tools follow one.")
        .mend(Remedy::reversible(
            "Nothing, where it is meant. Otherwise let it name the last ref.",
            [format!("git symbolic-ref {}", shell_ref(&first.name))],
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    const ALL: [&Check; 3] = [&BROKEN, &PACKED, &SYMBOLIC];

    fn with(files: RefFiles) -> Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.facts.ref_files = Known::Seen(files);
        snapshot
    }

    fn whole() -> RefFiles {
        RefFiles { packed: Known::Seen(Vec::new()), ..RefFiles::default() }
    }

    fn lost(last_id: Known<Option<(crate::Oid, bool)>>) -> Snapshot {
        let damaged = DamagedRef { name: "refs/heads/it's".into(), reason: "its file is empty".into(), last_id };
        with(RefFiles { damaged: vec![damaged], ..whole() })
    }

    #[test]
    fn whole_files_are_fine_unread_ones_unknown_and_tables_skipped() {
        for check in ALL {
            assert_eq!(judged(check, &with(whole())), Outcome::default(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
            let mut tables = with(whole());
            tables.repository.ref_backend = "reftable".into();
            assert!(judged(check, &tables).skipped.is_some(), "{}", check.id);
        }
        let unread = RefFiles { packed: Known::Unknown("it is a folder".into()), ..whole() };
        assert_eq!(judged(&PACKED, &with(unread)), Outcome::unknown("it is a folder"));
    }

    #[test]
    fn a_lost_ref_is_set_to_the_last_id_of_its_log() {
        let finding = only(judged(&BROKEN, &lost(Known::Seen(Some((oid(7), true))))));
        assert_eq!(
            told([&finding]),
            "[critical] broken-refs:refs/heads/it's: The ref `it's` cannot be read: its file is empty"
        );
        assert_eq!(finding.evidence["last_id"], oid(7).hex());
        let set = format!(r"git update-ref 'refs/heads/it'\''s' {}", oid(7).hex());
        assert_eq!(finding.remedy.commands.last(), Some(&set));
        let gone = only(judged(&BROKEN, &lost(Known::Seen(Some((oid(7), false))))));
        assert!(!gone.remedy.commands.iter().any(|line| line.contains("update-ref")), "that commit is not there");
        let outcome = judged(&BROKEN, &lost(Known::Unknown("it is a pipe".into())));
        assert_eq!((outcome.findings.len(), outcome.unknown.is_some()), (1, true));
    }

    #[test]
    fn faults_of_packed_refs_are_one_finding() {
        let fault = |kind, line| PackedFault { kind, line, name: None };
        let faults = vec![fault(PackedFaultKind::NoEntry, 3), fault(PackedFaultKind::CutOff, 9)];
        assert_eq!(
            told([&only(judged(&PACKED, &with(RefFiles { packed: Known::Seen(faults), ..whole() })))]),
            "[error] packed-refs: packed-refs has 2 faults, such as in line 3: it is no entry"
        );
    }

    #[test]
    fn dangling_and_chained_refs_are_told_apart() {
        let odd = |name: &str, is_dangling| OddSymref {
            name: name.into(),
            target: "refs/heads/x".into(),
            reason: "it names `x`".into(),
            is_dangling,
        };
        let symrefs = vec![odd("refs/remotes/origin/HEAD", true), odd("refs/heads/alias", false)];
        let outcome = judged(&SYMBOLIC, &with(RefFiles { symrefs, ..whole() }));
        assert_eq!(
            told(&outcome.findings),
            "[warning] symbolic-refs:dangling: 1 symbolic ref leads nowhere, such as `origin/HEAD`: it names `x`\n\
             [info] symbolic-refs:chain: 1 symbolic ref leads through another, such as `alias`: it names `x`"
        );
        assert_eq!(outcome.findings[0].remedy.commands, ["git remote set-head origin --auto"]);
    }
}
