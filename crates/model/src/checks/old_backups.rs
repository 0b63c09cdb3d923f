//! `old-backups`: branches that are a copy of another, kept for a bad day, and past their time.
//!
//! A feature branch may be about backups. So the word alone is no proof: it must be a part of the path
//! (`backup/x`), stand with a date (`x-backup-20260326`) or with the name of a branch that is there (`x-backup`).

use std::collections::BTreeSet;

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*, removal::undo_command};
use crate::{Branch, Finding, Known, Look, Remedy, Severity, Span};

/// Copies of branches that are older than the limit, as one finding.
///
/// Age is the committer date of the tip: when the copy was made is written nowhere.
pub(super) static CHECK: Check = Check {
    id: "old-backups",
    title: "Copies of branches past their time",
    looks_at: "Names of branches that say that they are a copy (`backup/x`, `x-backup-20260326`), and the committer date of their last commit",
    why: "Copies pile up beside what they are of, are measured like work, and conflict like work",
    severity: Severity::Info,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: None,
    runbook: Runbook {
        look: "`git log --oneline <branch>..<copy>` shows what only the copy holds",
        mend: "Keep its commits out of sight, `git update-ref refs/archive/<copy> <id>`, then delete the branch",
        sure: "`alignwatch check --only old-backups` counts fewer",
        undo: Some("`git branch <copy> refs/archive/<copy>`"),
    },
    threshold: Some(ThresholdSpec {
        default: 7,
        range: (1, 3650),
        unit: "days",
        source: "ours; a week, within which an alignment that went wrong is noticed",
    }),
    judge,
};

/// Words by which people and scripts name a copy.
const WORDS: [&[u8]; 5] = [b"backup", b"backups", b"bak", b"diverged", b"recovered"];

fn judge(seen: &Seen<'_>) -> Outcome {
    let names: BTreeSet<Vec<u8>> =
        seen.snapshot.branches.iter().map(|branch| local_part(branch).to_ascii_lowercase()).collect();
    let copies: Vec<_> = seen.branches().filter(|branch| is_copy(&local_part(branch), &names)).collect();
    let limit = Span::days(seen.threshold().0);
    let is_old = |branch: &&Branch| branch.idle_age(seen.now).is_some_and(|age| limit < age);
    let old: Vec<_> = copies.iter().copied().filter(is_old).collect();
    let unread = copies.iter().filter_map(|branch| match &branch.tip {
        Known::Unknown(reason) => Some(&**reason),
        Known::Seen(_) => None,
    });
    let unknown = unjudged("copy", unread);
    Outcome { findings: (!old.is_empty()).then(|| found(seen, old)).into_iter().collect(), unknown, skipped: None }
}

/// The name without `refs/heads/` or `refs/remotes/<remote>/`.
fn local_part(branch: &Branch) -> Vec<u8> {
    branch.name.remote_parts().map_or_else(|| branch.name.short().as_bytes().to_vec(), |(_, short)| short.to_vec())
}

/// Does the name say that it is a copy? `names` are those of all branches, in lower case.
fn is_copy(name: &[u8], names: &BTreeSet<Vec<u8>>) -> bool {
    let name = name.to_ascii_lowercase();
    let is_word = |part: &[u8]| WORDS.contains(&part);
    let mut folders: Vec<_> = name.split(|&byte| byte == b'/').collect();
    folders.pop();
    if folders.into_iter().any(is_word) {
        return true;
    }
    let words: Vec<_> = name.split(|byte| b"-_./".contains(byte)).collect();
    words.iter().any(|word| is_word(word)) && (words.iter().any(|word| is_date(word)) || is_of_another(&name, names))
}

/// `20260326`, perhaps with a time behind it. Longer numbers are ids.
fn is_date(word: &[u8]) -> bool {
    (8..=14).contains(&word.len()) && word.starts_with(b"20") && word.iter().all(u8::is_ascii_digit)
}

/// `x-backup` or `backup-x`, where `x` is a branch.
fn is_of_another(name: &[u8], names: &BTreeSet<Vec<u8>>) -> bool {
    WORDS.iter().any(|word| {
        let before = name.strip_suffix(*word).and_then(|rest| rest.strip_suffix(b"-").or(rest.strip_suffix(b"_")));
        let behind = name.strip_prefix(*word).and_then(|rest| rest.strip_prefix(b"-").or(rest.strip_prefix(b"_")));
        before.is_some_and(|rest| names.contains(rest)) || behind.is_some_and(|rest| names.contains(rest))
    })
}

fn found(seen: &Seen<'_>, mut old: Vec<&Branch>) -> Finding {
    old.sort_by_key(|branch| branch.tip.seen().map(|tip| tip.committed_at));
    let (limit, threshold) = seen.threshold();
    let summary = format!(
        "{} kept for more than {}, by the date of the last commit; the oldest is {}",
        if old.len() == 1 {
            "1 copy of a branch is".to_owned()
        } else {
            format!("{} copies of branches are", thousands(old.len()))
        },
        count(limit as usize, "day"),
        quoted(&old[0].name),
    );
    seen.finding(Severity::Info, "", count(old.len(), "branch"), summary)
        .branches(old.iter().copied())
        .fact("source", "git for-each-ref --format='%(committerdate:unix) %(refname)'")
        .against(threshold)
        .so("They are measured and predicted like work, and nobody will merge them.")
        .mend(remedy(seen, &old))
}

fn remedy(seen: &Seen<'_>, old: &[&Branch]) -> Remedy {
    let may_go = old.iter().find_map(|branch| Some((*branch, seen.removal(branch, None)?)));
    let Some((branch, command)) = may_go else {
        return Remedy::reversible("Ask the owners what is still wanted.", []);
    };
    let undo = undo_command(branch).unwrap_or_default();
    let text = format!(
        "Ask the owners. A copy that is not wanted can be archived: its commits stay under refs/archive/. \
         The command does it for {}; undo: {undo}",
        quoted(&branch.name)
    );
    Remedy::reversible(text, [command])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    #[test]
    fn a_copy_is_told_only_after_the_limit_and_is_archived_not_lost() {
        let copies =
            [idle(branch("refs/heads/backup/x", 1, 1), 8), idle(branch("refs/heads/y-backup-20231101", 1, 1), 7)];
        let finding = only(judged(&CHECK, &snapshot(copies)));
        assert_eq!(
            told([&finding]),
            "[info] old-backups: 1 copy of a branch is kept for more than 7 days, by the date of the last commit; the oldest is `backup/x`"
        );
        assert!(finding.remedy.commands[0].starts_with("git update-ref refs/archive/heads/backup/x "));
        assert_eq!(finding.remedy.reversible, Some(true));
    }

    #[test]
    fn work_about_backups_is_no_copy() {
        let names = ["fix-backup-job", "add-backup", "backup-service", "backup", "fix-backup-123456789012345678"];
        let work = names.map(|name| idle(branch(&format!("refs/heads/{name}"), 1, 1), 100));
        assert_eq!(judged(&CHECK, &snapshot(work)), Outcome::default());
    }

    #[test]
    fn a_copy_of_a_branch_that_is_there_needs_no_date() {
        let all = ["topic", "topic-backup", "bak_topic"];
        let all = all.map(|name| idle(branch(&format!("refs/heads/{name}"), 1, 1), 100));
        assert!(told(&judged(&CHECK, &snapshot(all)).findings).contains("2 copies of branches are kept"));
    }

    #[test]
    fn a_copy_that_could_not_be_read_is_unknown() {
        let mut copy = branch("refs/heads/backup/x", 1, 1);
        copy.tip = Known::Unknown("its commit is missing".into());
        let outcome = judged(&CHECK, &snapshot([copy]));
        assert!(outcome.findings.is_empty() && outcome.unknown.is_some());
    }
}
