//! `pack-count`, `kept-packs`, `cruft-packs`, `full-repack-age`: the packs.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*, missing_objects::packed_anew};
use crate::{Finding, Known, Look, Remedy, Severity, Span, facts::storage::Pack};

/// Too many packs.
pub(super) static COUNT: Check = Check {
    id: "pack-count",
    title: "Many packs",
    looks_at: "The packs with a sound index in `objects/pack`, without those with a `.keep`",
    why: "An object is looked for in one pack after the other: each comparison of branches slows down with their number",
    severity: Severity::Warning,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: Some("git count-objects -v (packs, in-pack, size-pack)"),
    runbook: Runbook {
        look: "`git count-objects -v`: `packs`; `ls -lS .git/objects/pack` shows their sizes",
        mend: "`git repack -d -l --geometric=2` joins the small ones; it leaves large ones alone, so it is quick",
        sure: "`git count-objects -v` shows few `packs`",
        undo: Some("Nothing to take back: the same objects are in fewer packs"),
    },
    threshold: Some(ThresholdSpec { default: 50, range: (1, 100_000), unit: "packs", source: "git: gc.autoPackLimit" }),
    judge: many,
};

/// `.keep` files that a fetch or push left behind.
pub(super) static KEPT: Check = Check {
    id: "kept-packs",
    title: "Packs that a dead fetch or push holds",
    looks_at: "The age and text of `.keep` files in `objects/pack`; text that a person wrote is respected",
    why: "No upkeep touches such a pack, so packs pile up and nothing in them is ever removed",
    severity: Severity::Warning,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: None,
    runbook: Runbook {
        look: "`head .git/objects/pack/*.keep`: git writes `fetch-pack PID on HOST` or `receive-pack PID on HOST`; see whether that process lives",
        mend: "Move the `.keep` file aside; the pack itself stays",
        sure: "`ls .git/objects/pack/*.keep` lists only what a person wants to keep",
        undo: Some("Move the `.keep` file back"),
    },
    threshold: Some(ThresholdSpec {
        default: 7,
        range: (1, 3650),
        unit: "days",
        source: "Gitaly: stale fetch-pack and receive-pack .keep files",
    }),
    judge: kept,
};

/// Packs of unreachable objects that grew large or many.
pub(super) static CRUFT: Check = Check {
    id: "cruft-packs",
    title: "Many unreachable objects in packs",
    looks_at: "Packs with a `.mtimes` file: how many, and their share of the size of all packs",
    why: "Unreachable objects are copied, backed up and searched like all others",
    severity: Severity::Info,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: None,
    runbook: Runbook {
        look: "`ls -l .git/objects/pack/*.mtimes`; `git fsck --unreachable --no-reflogs` names the objects",
        mend: "`git repack --cruft -d -l` joins them to one pack and removes nothing. To let the old ones go, for ever: `git repack --cruft --cruft-expiration=2.weeks.ago -d -l`",
        sure: "`ls .git/objects/pack/*.mtimes` lists one file at most",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 20,
        range: (1, 100),
        unit: "percent",
        source: "alignwatch: a fifth of the size, or more than one such pack",
    }),
    judge: cruft,
};

/// Nobody packed everything into one for long.
pub(super) static REPACK_AGE: Check = Check {
    id: "full-repack-age",
    title: "No full repack for long",
    looks_at: "The oldest pack that is neither kept nor cruft, where there is more than one",
    why: "Objects of one file lie in several packs, so they are stored as wholes, not as differences: more space, slower fetches",
    severity: Severity::Info,
    family: Family::Storage,
    needs: &[Look::Storage],
    git_says: None,
    runbook: Runbook {
        look: "`ls -lt .git/objects/pack/*.pack`",
        mend: "`git repack -a -d -l --cruft` at a quiet hour: it needs as much space again and some minutes for large repositories. Git before 2.37: `git repack -a -d -l --keep-unreachable`",
        sure: "`git count-objects -v` shows one or two `packs`",
        undo: Some("Nothing to take back: all objects are there, in one pack"),
    },
    threshold: Some(ThresholdSpec {
        default: 5,
        range: (1, 3650),
        unit: "days",
        source: "Gitaly: a full repack at most every 5 days, where there is more than one pack",
    }),
    judge: repack_age,
};

fn packs<'a>(seen: &Seen<'a>) -> Result<&'a [Pack], String> {
    match &seen.snapshot.facts.storage {
        Known::Unknown(reason) => Err(reason.clone()),
        Known::Seen(storage) => match &storage.packs {
            Known::Unknown(reason) => Err(reason.clone()),
            Known::Seen(packs) => Ok(packs),
        },
    }
}

fn size_of<'a>(packs: impl IntoIterator<Item = &'a Pack>) -> u64 {
    packs.into_iter().fold(0, |sum, pack| sum.saturating_add(pack.bytes))
}

fn many(seen: &Seen<'_>) -> Outcome {
    match packs(seen) {
        Err(reason) => Outcome::unknown(reason),
        Ok(packs) => Outcome { unknown: unusable(seen), ..too_many(seen, packs) },
    }
}

/// Packs whose index cannot be used do not count, for Git neither.
fn unusable(seen: &Seen<'_>) -> Option<String> {
    let unusable = seen.snapshot.facts.storage.seen().map_or(&[][..], |storage| &storage.unusable_packs);
    unjudged("pack", unusable.iter().map(|(_, reason)| reason.as_str()))
}

fn too_many(seen: &Seen<'_>, packs: &[Pack]) -> Outcome {
    let n = packs.iter().filter(|pack| !pack.is_kept()).count();
    let (limit, threshold) = seen.threshold();
    let size = size_of(packs);
    let gentle = gitaly_limit(size);
    let finding = if limit < n as i64 {
        let summary = format!("There are {} with {}", count(n, "pack"), bytes(size));
        seen.finding(Severity::Warning, "", "objects/pack", summary).against(threshold)
    } else if gentle < n {
        let summary = format!("There are {}, which is many for {}", count(n, "pack"), bytes(size));
        let source = "Gitaly: max(2, ln(MiB) / ln 1.8) packs".to_owned();
        let threshold = crate::Threshold { value: gentle.into(), source };
        seen.finding(Severity::Info, "", "objects/pack", summary).against(threshold)
    } else {
        return Outcome::default();
    };
    let finding = finding
        .fact("n_packs", packs.len())
        .fact("n_kept_packs", packs.len() - n)
        .fact("n_packed_objects", packs.iter().map(|pack| pack.n_objects).sum::<u64>())
        .fact("pack_bytes", size)
        .fact("source", "objects/pack, by stat; git count-objects -v")
        .so("Every object that history, merges or fetches need is looked for in each of them.")
        .mend(Remedy::reversible(
            "Join the small ones: the same objects are in fewer packs then.",
            ["git repack -d -l --geometric=2".to_owned()],
        ));
    Outcome::found(vec![finding])
}

/// Gitaly's number of packs for this size: it lets them grow with the logarithm.
fn gitaly_limit(size_bytes: u64) -> usize {
    let mebibytes = size_bytes as f64 / f64::from(1 << 20);
    (mebibytes.max(1.0).ln() / 1.8f64.ln()).max(2.0) as usize
}

fn kept(seen: &Seen<'_>) -> Outcome {
    let packs = match packs(seen) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(packs) => packs,
    };
    let (days, threshold) = seen.threshold();
    let is_old = |keep: &crate::facts::storage::Keep| Span::days(days) <= seen.now.since(keep.modified_at);
    let old = packs.iter().filter_map(|pack| Some((pack, pack.keep.as_ref().filter(|keep| is_old(keep))?)));
    let mut outcome = Outcome::default();
    let (mut left, mut unread) = (Vec::new(), Vec::new());
    for (pack, keep) in old {
        match &keep.text {
            Known::Seen(text) if is_of_git(text) => left.push((pack, text.as_str())),
            Known::Seen(_) => {}
            Known::Unknown(reason) => unread.push(reason.as_str()),
        }
    }
    if !left.is_empty() {
        let summary = format!(
            "{} {} held by a fetch or push that is over for {days} days or longer",
            count(left.len(), "pack"),
            agree(left.len(), "is", "are")
        );
        let finding = seen
            .finding(Severity::Warning, "", "objects/pack", summary)
            .against(threshold)
            .names("packs", left.iter().map(|(pack, text)| format!("{}: {text}", pack.name)))
            .fact("source", "objects/pack/*.keep")
            .so("No repack ever touches them.")
            .mend(aside(seen, left.iter().map(|(pack, _)| format!("pack/{}.keep", pack.name))));
        outcome.findings.push(finding);
    }
    outcome.unknown = unjudged("keep file", unread);
    outcome
}

/// Did git itself write it? Other text is a person's will.
fn is_of_git(text: &str) -> bool {
    text.starts_with("fetch-pack ") || text.starts_with("receive-pack ")
}

/// Moves files below `objects/` aside, with names that tell where they were.
pub(super) fn aside(seen: &Seen<'_>, paths: impl IntoIterator<Item = String>) -> Remedy {
    let git_dir = &seen.snapshot.repository.git_dir;
    let word = |path: String| crate::quote::shell_word(path.as_bytes());
    let quarantine = word(format!("{git_dir}/quarantine"));
    let moves = paths.into_iter().take(NAMES_AT_MOST).map(|path| {
        let to = format!("{git_dir}/quarantine/objects-{}", path.replace('/', "-"));
        format!("mv -n -- {} {}", word(format!("{git_dir}/objects/{path}")), word(to))
    });
    let commands: Vec<String> = std::iter::once(format!("mkdir -p {quarantine}")).chain(moves).collect();
    Remedy::reversible(
        "When no git works here, move them aside; moving them back takes it back. Remove them once nobody missed them.",
        commands,
    )
}

fn cruft(seen: &Seen<'_>) -> Outcome {
    let packs = match packs(seen) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(packs) => packs,
    };
    let cruft: Vec<&Pack> = packs.iter().filter(|pack| pack.is_cruft).collect();
    let (limit, threshold) = seen.threshold();
    let (size, all) = (size_of(cruft.iter().copied()), size_of(packs));
    let percent = 100.0 * size as f64 / all.max(1) as f64;
    if cruft.len() <= 1 && percent <= limit as f64 {
        return Outcome::default();
    }
    let summary =
        format!("{} of unreachable objects: {}, {percent:.0} % of all packs", count(cruft.len(), "pack"), bytes(size));
    let finding = seen
        .finding(Severity::Info, "", "objects/pack", summary)
        .against(threshold)
        .names("packs", cruft.iter().map(|pack| pack.name.as_str()))
        .fact("cruft_bytes", size)
        .fact("pack_bytes", all)
        .fact("source", "objects/pack/*.mtimes")
        .so("They are searched, copied and backed up like all others.")
        .mend(Remedy::reversible(
            "Join them to one; nothing is removed. With --cruft-expiration=2.weeks.ago old ones go, for ever.",
            ["git repack --cruft -d -l".to_owned()],
        ));
    Outcome::found(vec![finding])
}

fn repack_age(seen: &Seen<'_>) -> Outcome {
    let packs = match packs(seen) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(packs) => packs,
    };
    let usual: Vec<&Pack> = packs.iter().filter(|pack| !pack.is_cruft && !pack.is_kept()).collect();
    let oldest = usual.iter().map(|pack| pack.modified_at).min();
    let (days, threshold) = seen.threshold();
    match oldest {
        Some(oldest) if 1 < usual.len() && Span::days(days) <= seen.now.since(oldest) => {
            let finding = repack_due(seen, &usual, seen.now.since(oldest)).against(threshold);
            Outcome::found(vec![finding.fact("oldest_pack_written_at", oldest.rfc3339())])
        }
        _ => Outcome::default(),
    }
}

fn repack_due(seen: &Seen<'_>, packs: &[&Pack], age: Span) -> Finding {
    let summary = format!("{}, the oldest written {age} ago", count(packs.len(), "pack"));
    let finding = seen
        .finding(Severity::Info, "", "objects/pack", summary)
        .fact("n_packs", packs.len())
        .fact("pack_bytes", size_of(packs.iter().copied()))
        .fact("source", "objects/pack, by stat")
        .so("Space and time for fetches are higher than they need be.");
    finding.mend(packed_anew(
        seen,
        "Pack all into one at a quiet hour. It needs as much space again; unreachable objects stay, in a pack of their own.",
        "git repack -a -d -l --cruft",
    ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, facts::storage::Keep};

    const ALL: [&Check; 4] = [&COUNT, &KEPT, &CRUFT, &REPACK_AGE];

    fn pack(number: usize) -> Pack {
        Pack {
            name: format!("pack-{number}"),
            bytes: 1 << 20,
            n_objects: 10,
            modified_at: days_ago(4),
            keep: None,
            is_cruft: false,
            is_promisor: false,
            has_bitmap: false,
        }
    }

    fn with(packs: Vec<Pack>) -> Snapshot {
        stored(|storage| storage.packs = Known::Seen(packs))
    }

    fn kept_for(days: i64, text: &str) -> Pack {
        Pack { keep: Some(Keep { modified_at: days_ago(days), text: Known::Seen(text.into()) }), ..pack(1) }
    }

    #[test]
    fn few_and_young_packs_are_fine() {
        let mut packs: Vec<Pack> = (0..2).map(pack).collect();
        packs.push(Pack { is_cruft: true, bytes: 1 << 16, modified_at: days_ago(400), ..pack(3) });
        packs[0].bytes = 1 << 30;
        packs.push(kept_for(300, "I want this"));
        packs.push(kept_for(6, "receive-pack 12 on host"));
        for check in ALL {
            assert_eq!(judged(check, &with(packs.clone())), Outcome::default(), "{}", check.id);
        }
    }

    #[test]
    fn many_packs_are_told_by_the_limit_of_git_and_by_that_of_gitaly() {
        let many = |n| told([&only(judged(&COUNT, &with((0..n).map(pack).collect())))]);
        assert_eq!(many(51), "[warning] pack-count: There are 51 packs with 51.0 MiB");
        assert_eq!(many(10), "[info] pack-count: There are 10 packs, which is many for 10.0 MiB");
    }

    #[test]
    fn the_limit_of_gitaly_grows_with_the_logarithm() {
        assert_eq!([0, 1 << 30, 10 << 30].map(gitaly_limit), [2, 11, 15]);
    }

    #[test]
    fn a_left_keep_file_is_moved_aside_by_name() {
        let finding = only(judged(&KEPT, &with(vec![kept_for(8, "fetch-pack 7 on host"), kept_for(9, "mine")])));
        assert_eq!(
            told([&finding]),
            "[warning] kept-packs: 1 pack is held by a fetch or push that is over for 7 days or longer"
        );
        assert_eq!(
            finding.remedy.commands[1],
            "mv -n -- /repo/.git/objects/pack/pack-1.keep /repo/.git/quarantine/objects-pack-pack-1.keep"
        );
    }

    #[test]
    fn a_keep_file_that_could_not_be_read_is_unknown() {
        let mut pack = kept_for(9, "");
        pack.keep.as_mut().unwrap().text = Known::Unknown("it is a folder".into());
        let outcome = judged(&KEPT, &with(vec![pack]));
        assert_eq!(outcome.unknown.unwrap(), "1 keep file could not be judged: it is a folder (1)");
    }

    #[test]
    fn cruft_is_told_when_it_is_a_fifth_or_in_several_packs() {
        let cruft = Pack { is_cruft: true, ..pack(7) };
        assert_eq!(
            told([&only(judged(&CRUFT, &with(vec![pack(1), cruft.clone()])))]),
            "[info] cruft-packs: 1 pack of unreachable objects: 1.0 MiB, 50 % of all packs"
        );
        let large = Pack { bytes: 1 << 30, ..pack(1) };
        assert_eq!(judged(&CRUFT, &with(vec![large.clone(), cruft.clone()])), Outcome::default());
        assert_eq!(judged(&CRUFT, &with(vec![large, cruft.clone(), cruft])).findings.len(), 1);
    }

    #[test]
    fn an_old_pack_beside_another_one_asks_for_a_full_repack() {
        let old = Pack { modified_at: days_ago(5), ..pack(1) };
        assert_eq!(judged(&REPACK_AGE, &with(vec![old.clone()])), Outcome::default());
        assert_eq!(
            told([&only(judged(&REPACK_AGE, &with(vec![old, pack(2)])))]),
            "[info] full-repack-age: 2 packs, the oldest written 5 d ago"
        );
    }

    #[test]
    fn nothing_is_packed_anew_where_git_cannot() {
        let commands = |snapshot: &Snapshot| only(judged(&REPACK_AGE, snapshot)).remedy.commands;
        let mut snapshot = with(vec![Pack { modified_at: days_ago(5), ..pack(1) }, pack(2)]);
        assert_eq!(commands(&snapshot), ["git repack -a -d -l --cruft"]);
        snapshot.repository.alternates = vec![("/elsewhere".into(), false)];
        assert_eq!(commands(&snapshot), [""; 0]);
    }

    #[test]
    fn a_pack_without_a_usable_index_is_unknown() {
        let broken = ("pack-1".to_owned(), "its index has the wrong size".to_owned());
        let outcome = judged(&COUNT, &stored(|storage| storage.unusable_packs = vec![broken]));
        assert_eq!(outcome.unknown.unwrap(), "1 pack could not be judged: its index has the wrong size (1)");
    }

    #[test]
    fn packs_that_could_not_be_listed_are_unknown() {
        for check in ALL {
            let unread = stored(|storage| storage.packs = Known::Unknown("permission denied".into()));
            assert!(judged(check, &unread).unknown.is_some(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
    }
}
