//! `pack-bytes`: packs whose files are not what was written.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{Finding, Known, Look, Remedy, Severity, facts::integrity::PackBytes};

/// Rotten and cut packs.
pub(super) static CHECK: Check = Check {
    id: "pack-bytes",
    title: "Packs whose bytes have changed",
    looks_at: "The checksum at the end of every pack and index; a file that was proven is read again only after it changed",
    why: "Most of history lies in packs: one changed byte can make many branches unreadable",
    severity: Severity::Critical,
    family: Family::Integrity,
    needs: &[Look::PackBytes],
    git_says: Some("git verify-pack"),
    runbook: Runbook {
        look: "`git verify-pack objects/pack/<name>.idx` in the git folder",
        mend: "Copy the pack away. When only the index is bad or missing, `git index-pack objects/pack/<name>.pack` writes it anew. Otherwise take the objects from a whole clone: `git fetch --refetch <remote>`. Run no gc and no prune before",
        sure: "`git fsck --full` ends with 0",
        undo: None,
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    match &seen.snapshot.facts.pack_bytes {
        Known::Unknown(reason) => Outcome::unknown(reason.clone()),
        Known::Seen(packs) => Outcome {
            findings: found(seen, packs).into_iter().collect(),
            unknown: unjudged("pack", packs.unread.iter().map(|(_, reason)| reason.as_str())),
            skipped: None,
        },
    }
}

fn found(seen: &Seen<'_>, packs: &PackBytes) -> Option<Finding> {
    let (name, what) = packs.damaged.first()?;
    let n = packs.damaged.len();
    let summary = format!("{} {} damaged, such as {name}: {what}", count(n, "pack"), agree(n, "is", "are"));
    Some(
        seen.finding(Severity::Critical, "", "packs", summary)
            .names("packs", packs.damaged.iter().map(|(name, what)| format!("{name}: {what}")))
            .fact("n_sound", packs.n_sound)
            .fact("source", "objects/pack, checksums of files")
            .so("Every branch that needs an object of such a pack can be unreadable.")
            .mend(Remedy::reversible(
                "Copy the pack away; run no gc and no prune. Take the objects from a whole clone or a backup \
                 (git fetch --refetch <remote>). The command shows what is unreadable.",
                ["git fsck --full --no-dangling".to_owned()],
            )),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    fn judged_of(packs: PackBytes) -> Outcome {
        let mut snapshot = snapshot([]);
        snapshot.facts.pack_bytes = Known::Seen(packs);
        judged(&CHECK, &snapshot)
    }

    #[test]
    fn sound_packs_are_fine_and_a_damaged_one_is_critical() {
        assert_eq!(judged_of(PackBytes { n_sound: 3, ..PackBytes::default() }), Outcome::default());
        let damaged = vec![("pack-1".to_owned(), "its .pack is too short".to_owned())];
        assert_eq!(
            told([&only(judged_of(PackBytes { damaged, ..PackBytes::default() }))]),
            "[critical] pack-bytes: 1 pack is damaged, such as pack-1: its .pack is too short"
        );
    }

    #[test]
    fn a_pack_that_could_not_be_read_is_unknown() {
        let unread = vec![("pack-1".to_owned(), "it is not a regular file".to_owned())];
        assert!(judged_of(PackBytes { unread, ..PackBytes::default() }).unknown.is_some());
        assert!(judged(&CHECK, &snapshot([])).unknown.is_some());
    }
}
