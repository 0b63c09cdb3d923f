//! `missing-objects`: refs and branches that need an object that is not there.

use std::collections::BTreeMap;

use super::{Check, Family, Outcome, Runbook, Seen, draft::*, ref_files::is_told};
use crate::{
    Branch, Finding, Look, Remedy, Severity, Verdict,
    quote::{shell_ref, shell_word},
    snapshot::BrokenRef,
};

/// Broken refs, borrowed object folders that are gone, and answers that failed for a missing object.
///
/// In a partial clone objects are missing on purpose, so there a failed answer
/// is a warning; anywhere else, data is lost.
pub(super) static CHECK: Check = Check {
    id: "missing-objects",
    title: "Missing objects and broken refs",
    looks_at: "Refs that cannot be read and that no other check tells (`broken-refs`, `packed-refs`, `symbolic-refs`), alternates that are not there, and measurements that failed for a missing object",
    why: "What cannot be read cannot be aligned or judged; outside of partial clones it is lost work",
    severity: Severity::Critical,
    family: Family::Integrity,
    needs: &[Look::History, Look::Merges],
    git_says: Some("git for-each-ref; git cat-file -e"),
    runbook: Runbook {
        look: "`alignwatch check -v --only missing-objects` names refs, folders and objects; `git fsck --connectivity-only` lists everything that needs what is missing",
        mend: "Fetch from a clone that is whole (`git fetch --refetch <remote>`), bring a lost alternates folder back, or set a broken ref to the last good commit of its log. Run no gc and no prune before",
        sure: "`git fsck --connectivity-only` ends with 0",
        undo: Some("`git update-ref <ref> <old id>` sets a ref back; the old id is in the evidence"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let snapshot = seen.snapshot;
    let mut findings = Vec::new();
    findings.extend(lost_alternates(seen));
    let broken: Vec<&BrokenRef> = snapshot.broken_refs.iter().filter(|one| !is_told(snapshot, &one.name)).collect();
    findings.extend((!broken.is_empty()).then(|| broken_refs(seen, &broken)));
    findings.extend(failed_answers(seen));
    Outcome::found(findings)
}

fn lost_alternates(seen: &Seen<'_>) -> Option<Finding> {
    let lost: Vec<_> = seen.snapshot.repository.alternates.iter().filter(|(_, there)| !there).collect();
    let (first, _) = lost.first()?;
    let summary = format!(
        "{} that objects are borrowed from {} missing, such as {first}",
        count(lost.len(), "folder"),
        agree(lost.len(), "is", "are")
    );
    Some(
        seen.finding(Severity::Critical, "alternates", first.as_str(), summary)
            .names("folders", lost.iter().map(|(path, _)| path.as_str()))
            .fact("source", "objects/info/alternates")
            .so("Every branch whose objects lie there is unreadable.")
            .mend(Remedy::reversible(
                "Bring the folder back (mount it, restore it). Then make the repository independent with the command, \
                 and remove objects/info/alternates. Run no gc and no prune before.",
                ["git repack -a -d".to_owned()],
            )),
    )
}

fn broken_refs(seen: &Seen<'_>, broken: &[&BrokenRef]) -> Finding {
    let first = broken[0];
    let summary =
        format!("{} cannot be read, such as {}: {}", count(broken.len(), "ref"), quoted(&first.name), first.reason,);
    seen.finding(Severity::Critical, "refs", first.name.short().text(), summary)
        .names("refs", broken.iter().map(|broken| format!("{}: {}", broken.name, broken.reason)))
        .fact("source", "git for-each-ref --format='%(refname) %(objectname)'; git cat-file -e <id>")
        .so("The branch behind such a ref cannot be measured, merged or backed up.")
        .mend(Remedy::reversible(
            "Do not delete the ref: it is the evidence. Look for its last good commit in its log, in another clone or in a \
             backup, then set it: git update-ref <ref> <good id>. Run no gc and no prune before. The command shows the log.",
            [format!("git reflog show --no-abbrev {}", shell_ref(&first.name))],
        ))
}

fn failed_answers(seen: &Seen<'_>) -> Option<Finding> {
    let failed: Vec<_> = seen.branches().filter(|branch| missing_reason(branch).is_some()).collect();
    let first = failed.first()?;
    let mut objects = BTreeMap::<String, usize>::new();
    for object in failed.iter().filter_map(|branch| object_in(missing_reason(branch)?)) {
        *objects.entry(object).or_default() += 1;
    }
    let is_partial = seen.snapshot.repository.is_partial;
    let (severity, place) =
        if is_partial { (Severity::Warning, "this partial clone") } else { (Severity::Critical, "this repository") };
    let summary = format!(
        "{} cannot be fully judged: {} missing in {place}",
        count(failed.len(), "branch"),
        match objects.len() {
            0 => "objects are".into(),
            n => format!("{} {}", count(n, "object"), agree(n, "is", "are")),
        },
    );
    let finding = seen.finding(severity, "objects", first.name.short().text(), summary);
    Some(
        finding
            .branches(failed.iter().copied())
            .names("objects", objects.keys().map(String::as_str))
            .fact("reason", missing_reason(first).unwrap_or_default())
            .so("Their drift, landing or merge stays unknown, and unknown counts as not aligned.")
            .mend(remedy(seen, objects.keys())),
    )
}

fn remedy<'a>(seen: &Seen<'_>, objects: impl Iterator<Item = &'a String>) -> Remedy {
    let objects: Vec<_> = objects.take(NAMES_AT_MOST).map(|object| shell_word(object.as_bytes())).collect();
    let list = "git rev-list --objects --all --missing=print | grep '^?'".to_owned();
    match (seen.remote_to_ask(), seen.snapshot.repository.is_partial) {
        (Some(remote), true) if !objects.is_empty() => Remedy::reversible(
            "Fetch the missing objects from the remote that promised them; nothing else changes.",
            [format!("git fetch --no-tags --no-write-fetch-head {remote} {}", objects.join(" "))],
        ),
        (Some(remote), true) => Remedy::reversible(
            "Fetch again from the remote that promised the objects.",
            [format!("git fetch --refetch {remote}")],
        ),
        (Some(remote), false) => Remedy::reversible(
            "Run no gc and no prune. Fetch everything again; what the remote lacks, copy from another clone or a backup. \
             The second command lists all that is missing.",
            [format!("git fetch --refetch {remote}"), list],
        ),
        (None, _) => Remedy::reversible(
            "Run no gc and no prune. No remote is known here: fetch everything from a whole clone or a backup with \
             git fetch --refetch <path>. The command lists all that is missing.",
            [list],
        ),
    }
}

/// What packs all objects anew. Git does not where one of them is missing.
pub(super) fn packed_anew(seen: &Seen<'_>, text: &str, command: &str) -> Remedy {
    let is_lost = seen.snapshot.repository.alternates.iter().any(|(_, is_there)| !is_there);
    if is_lost || seen.branches().any(|branch| missing_reason(branch).is_some()) {
        return Remedy::reversible("See to the missing objects first: until then git packs nothing anew.", []);
    }
    Remedy::reversible(text, [command.to_owned()])
}

/// The reason of any unknown answer about the branch that a missing object caused.
fn missing_reason(branch: &Branch) -> Option<&str> {
    let landed = match &branch.landed {
        crate::Landed::Unknown(reason) => Some(&**reason),
        _ => None,
    };
    let merge = (branch.merge.verdict == Verdict::Unknown).then_some(branch.merge.reason.as_deref()).flatten();
    let reasons = [branch.tip.reason(), branch.drift.reason(), landed, merge, branch.markers.reason()];
    reasons.into_iter().flatten().find(|reason| reason.contains("missing"))
}

/// The first object id that the reason names.
fn object_in(reason: &str) -> Option<String> {
    let is_id = |word: &&str| matches!(word.len(), 40 | 64) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    reason.split(|sign: char| !sign.is_ascii_alphanumeric()).find(is_id).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{
        Known, Merge, Snapshot,
        facts::settings::{Remote, Remotes},
    };

    fn with_missing_blob() -> Snapshot {
        let unpredicted = |name| {
            let mut branch = branch(name, 1, 1);
            branch.merge = Merge::unknown(format!("object {} is missing", oid(0xab)));
            branch
        };
        snapshot([unpredicted("refs/heads/a"), unpredicted("refs/heads/b"), branch("refs/heads/c", 1, 1)])
    }

    #[test]
    fn a_whole_repository_is_fine() {
        assert_eq!(judged(&CHECK, &snapshot([branch("refs/heads/a", 1, 1)])), Outcome::default());
    }

    #[test]
    fn broken_refs_are_one_critical_finding_that_keeps_the_evidence() {
        let mut snapshot = snapshot([]);
        let broken = |name: &str| BrokenRef { name: name.into(), oid: None, reason: "it is empty".into() };
        snapshot.broken_refs = vec![broken("refs/heads/a"), broken("refs/heads/b")];
        let finding = only(judged(&CHECK, &snapshot));
        assert_eq!(
            told([&finding]),
            "[critical] missing-objects:refs: 2 refs cannot be read, such as `a`: it is empty"
        );
        assert!(!finding.remedy.commands.iter().any(|command| command.contains("-d")));
    }

    #[test]
    fn one_missing_object_is_one_cause_however_many_branches_need_it() {
        let mut snapshot = with_missing_blob();
        let finding = only(judged(&CHECK, &snapshot));
        assert_eq!(
            told([&finding]),
            "[critical] missing-objects:objects: 2 branches cannot be fully judged: 1 object is missing in this repository"
        );
        snapshot.repository.is_partial = true;
        let finding = only(judged(&CHECK, &snapshot));
        assert_eq!(finding.severity, Severity::Warning);
        let list = "git rev-list --objects --all --missing=print | grep '^?'";
        assert_eq!(finding.remedy.commands, [list], "there is no remote to ask");
        let origin = Remote {
            name: "origin".into(),
            url: "u".into(),
            fetch_url: "u".into(),
            push_url: "u".into(),
            default: None,
        };
        snapshot.facts.remotes = Known::Seen(Remotes { all: vec![origin], fetched_at: Known::Seen(None) });
        let finding = only(judged(&CHECK, &snapshot));
        let fetch = format!("git fetch --no-tags --no-write-fetch-head origin {}", oid(0xab));
        assert_eq!(finding.remedy.commands, [fetch]);
    }

    #[test]
    fn a_borrowed_folder_that_is_gone_is_critical() {
        let mut snapshot = snapshot([]);
        snapshot.repository.alternates = vec![("/pool/objects".into(), true), ("/gone/objects".into(), false)];
        let finding = only(judged(&CHECK, &snapshot));
        assert_eq!(
            told([&finding]),
            "[critical] missing-objects:alternates: 1 folder that objects are borrowed from is missing, such as /gone/objects"
        );
    }
}
