//! `incomplete-packs`: packs without their index, and indexes without their pack.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*, packs::aside};
use crate::{
    Finding, Known, Look, Remedy, Severity,
    facts::storage::{Litterer, YOUNG_LITTER},
    quote::shell_word,
};

/// Halves of packs that are an hour old.
pub(super) static CHECK: Check = Check {
    id: "incomplete-packs",
    title: "Packs without index, indexes without pack",
    looks_at: "The names in `objects/pack`; what is younger than an hour may belong to a git at work",
    why: "Git sees no object of a pack without its index: commits that only lie there are as good as lost",
    severity: Severity::Error,
    family: Family::Integrity,
    needs: &[Look::Storage],
    git_says: Some("git count-objects -v (garbage; warning: no corresponding .idx)"),
    runbook: Runbook {
        look: "`git count-objects -v` names them as warnings; `ls -l .git/objects/pack` shows what belongs together",
        mend: "`git index-pack <pack>` writes the index of a pack anew. An index without its pack holds no object: move it aside, and look for the pack in a backup",
        sure: "`git count-objects -v` prints no warning; `git fsck --connectivity-only` ends with 0",
        undo: Some("Remove the index that was written; move the other files back from `.git/quarantine`"),
    },
    threshold: None,
    judge,
};

/// Is this one half of a pack that lacks the other?
pub(super) fn is_half(one: &Litterer) -> bool {
    !one.is_temporary && one.path.starts_with("pack/") && (one.path.ends_with(".pack") || one.path.ends_with(".idx"))
}

fn judge(seen: &Seen<'_>) -> Outcome {
    let garbage = match &seen.snapshot.facts.storage {
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
        Known::Seen(storage) => match &storage.garbage {
            Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
            Known::Seen(garbage) => garbage,
        },
    };
    let is_old = |one: &&Litterer| one.modified_at.seen().is_none_or(|at| YOUNG_LITTER <= seen.now.since(*at));
    let halves = garbage.named.iter().filter(|one| is_half(one)).filter(is_old);
    let (packs, indexes): (Vec<_>, Vec<_>) = halves.partition(|one| one.path.ends_with(".pack"));
    let mut findings = Vec::new();
    findings.extend((!packs.is_empty()).then(|| without_index(seen, &packs)));
    findings.extend((!indexes.is_empty()).then(|| without_pack(seen, &indexes)));
    Outcome::found(findings)
}

fn without_index(seen: &Seen<'_>, packs: &[&Litterer]) -> Finding {
    let git_dir = &seen.snapshot.repository.git_dir;
    let size = bytes(packs.iter().fold(0, |sum, one| sum.saturating_add(one.bytes)));
    let verb = agree(packs.len(), "has", "have");
    let summary = format!("{} {verb} no index, such as {}: {size}", count(packs.len(), "pack"), packs[0].path);
    let write = |one: &&Litterer| {
        format!("git index-pack {}", shell_word(format!("{git_dir}/objects/{}", one.path).as_bytes()))
    };
    seen.finding(Severity::Error, "no-index", packs[0].path.as_str(), summary)
        .names("packs", packs.iter().map(|one| one.path.as_str()))
        .fact("source", "objects/pack, by name and age")
        .so("Git does not see what is in it; commits that only lie there are as good as lost.")
        .mend(Remedy::reversible(
            "Write the index anew; it reads the whole pack and fails if the pack is damaged. Undo: remove the .idx. Run no gc before.",
            packs.iter().take(NAMES_AT_MOST).map(write),
        ))
}

fn without_pack(seen: &Seen<'_>, indexes: &[&Litterer]) -> Finding {
    let verb = agree(indexes.len(), "has", "have");
    let summary = format!("{} {verb} no pack, such as {}", count(indexes.len(), "pack index"), indexes[0].path);
    seen.finding(Severity::Error, "no-pack", indexes[0].path.as_str(), summary)
        .names("indexes", indexes.iter().map(|one| one.path.as_str()))
        .fact("source", "objects/pack, by name and age")
        .so("The objects that it lists are gone from here, unless they are stored elsewhere as well: see `connectivity`.")
        .mend(aside(seen, indexes.iter().map(|one| one.path.clone())))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, Timestamp, facts::storage::Litter};

    fn with(path: &str, minutes: i64) -> Snapshot {
        let one = Litterer {
            path: path.into(),
            bytes: 1 << 20,
            modified_at: Known::Seen(Timestamp(NOW.0 - 60 * minutes)),
            is_temporary: path.contains("tmp_"),
            is_folder: false,
        };
        stored(|storage| storage.garbage = Known::Seen(Litter { n: 1, bytes: 1 << 20, named: vec![one] }))
    }

    #[test]
    fn whole_packs_and_young_or_temporary_halves_are_fine() {
        assert_eq!(judged(&CHECK, &stored(|_| {})), Outcome::default());
        assert_eq!(judged(&CHECK, &with("pack/pack-1.pack", 59)), Outcome::default());
        assert_eq!(judged(&CHECK, &with("pack/tmp_pack_1.pack", 90)), Outcome::default());
        assert_eq!(judged(&CHECK, &with("pack/pack-1.old", 90)), Outcome::default(), "other garbage");
    }

    #[test]
    fn each_old_half_is_told_with_its_remedy() {
        let pack = only(judged(&CHECK, &with("pack/it's.pack", 60)));
        assert_eq!(
            told([&pack]),
            "[error] incomplete-packs:no-index: 1 pack has no index, such as pack/it's.pack: 1.0 MiB"
        );
        assert_eq!(pack.remedy.commands, [r"git index-pack '/repo/.git/objects/pack/it'\''s.pack'"]);
        assert_eq!(
            told([&only(judged(&CHECK, &with("pack/pack-1.idx", 60)))]),
            "[error] incomplete-packs:no-pack: 1 pack index has no pack, such as pack/pack-1.idx"
        );
    }

    #[test]
    fn what_could_not_be_looked_at_is_unknown() {
        assert!(judged(&CHECK, &snapshot([])).unknown.is_some());
        assert!(judged(&CHECK, &stored(|storage| storage.garbage = Known::default())).unknown.is_some());
    }
}
