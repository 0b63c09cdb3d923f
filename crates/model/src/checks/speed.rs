//! `commit-graph-quality`, `pack-index`, `bitmaps`, `index-features`: what would make Git faster here.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*, missing_objects::packed_anew};
use crate::{
    Finding, Known, Look, Remedy, Severity,
    facts::{
        speed::{GraphFiles, Index, PackIndex, Speed},
        storage::Pack,
    },
};

/// A commit-graph that could tell more, or in fewer files.
pub(super) static GRAPH: Check = Check {
    id: "commit-graph-quality",
    title: "Commit-graph without filters, without dates, or in many layers",
    looks_at: "The tables of chunks in the commit-graph's files: BIDX, BDAT, GDA2, and the number of layers",
    why: "With changed-path filters `git log PATH` and blame skip most commits; with corrected dates merge bases are found sooner; one file must be written anew as a whole each time",
    severity: Severity::Info,
    family: Family::Speed,
    needs: &[Look::Speed],
    git_says: None,
    runbook: Runbook {
        look: "`ls -l .git/objects/info/commit-graph .git/objects/info/commit-graphs`",
        mend: "`git commit-graph write --reachable --changed-paths --split=replace`: it reads the changes of every commit once, minutes for a large history",
        sure: "`git commit-graph verify` ends with 0, and the check is silent",
        undo: Some("Remove `objects/info/commit-graphs`: it holds nothing that the commits do not hold"),
    },
    threshold: Some(ThresholdSpec {
        default: 10,
        range: (1, 1000),
        unit: "layers",
        source: "alignwatch: Git keeps chains logarithmically short",
    }),
    judge: graph,
};

/// Many packs without an index over all of them.
pub(super) static PACK_INDEX: Check = Check {
    id: "pack-index",
    title: "No index over all packs",
    looks_at: "The head of `objects/pack/multi-pack-index` (or its chain), against the packs that are there",
    why: "With it an object is looked up once, without it in one pack after the other",
    severity: Severity::Warning,
    family: Family::Speed,
    needs: &[Look::Storage, Look::Speed],
    git_says: None,
    runbook: Runbook {
        look: "`ls .git/objects/pack/multi-pack-index`, `git multi-pack-index verify`",
        mend: "`git multi-pack-index write`; better, with fewer packs: `git repack -d -l --geometric=2 --write-midx`",
        sure: "`git multi-pack-index verify` ends with 0, and the check is silent",
        undo: Some("Remove `objects/pack/multi-pack-index`: Git works as before without it"),
    },
    threshold: Some(ThresholdSpec {
        default: 10,
        range: (1, 100_000),
        unit: "packs",
        source: "git: maintenance.incremental-repack.auto (Gitaly wants one from 2 packs on)",
    }),
    judge: pack_index,
};

/// A serving repository without a bitmap.
pub(super) static BITMAPS: Check = Check {
    id: "bitmaps",
    title: "Serving repository without bitmaps",
    looks_at: "`.bitmap` files in `objects/pack` of bare repositories that borrow nothing",
    why: "Without one each clone and fetch counts all objects anew before it sends the first",
    severity: Severity::Info,
    family: Family::Speed,
    needs: &[Look::Storage, Look::Speed],
    git_says: None,
    runbook: Runbook {
        look: "`ls objects/pack/*.bitmap`",
        mend: "`git repack -a -d -l -b --cruft` at a quiet hour",
        sure: "`ls objects/pack/*.bitmap` lists one",
        undo: Some("Remove the `.bitmap` file: Git works as before without it"),
    },
    threshold: Some(ThresholdSpec {
        default: 10_000,
        range: (1, 1_000_000_000),
        unit: "objects",
        source: "alignwatch: below, counting takes no time (Gitaly wants one in every pool-less repository)",
    }),
    judge: bitmaps,
};

/// A large working tree without the features that are made for it.
pub(super) static INDEX: Check = Check {
    id: "index-features",
    title: "Large working tree without help",
    looks_at: "The head of the index, and core.untrackedCache, core.fsmonitor, feature.manyFiles in the repository's own configuration",
    why: "Each status, checkout and rebase step asks the system about every file",
    severity: Severity::Info,
    family: Family::Speed,
    needs: &[Look::Speed],
    git_says: Some("git ls-files | wc -l"),
    runbook: Runbook {
        look: "`git ls-files | wc -l`, `git config --get-regexp '^(core.untrackedcache|core.fsmonitor|feature.manyfiles)'`",
        mend: "`git config feature.manyFiles true`, then `git update-index --index-version 4`",
        sure: "`time git status` takes less the second time",
        undo: Some("`git config --unset feature.manyFiles`, `git update-index --index-version 2`"),
    },
    threshold: Some(ThresholdSpec {
        default: 50_000,
        range: (1, 100_000_000),
        unit: "files",
        source: "git-sizer: files in a checkout",
    }),
    judge: index,
};

/// Below this many commits neither filters nor dates are felt. Source: ours; a thousand commits are read in 20 ms.
const COMMITS_AT_LEAST: u64 = 1000;

fn speed<'a>(seen: &Seen<'a>) -> Result<&'a Speed, String> {
    match &seen.snapshot.facts.speed {
        Known::Seen(speed) => Ok(speed),
        Known::Unknown(reason) => Err(reason.clone()),
    }
}

fn packs<'a>(seen: &Seen<'a>) -> Result<&'a [Pack], String> {
    match &seen.snapshot.facts.storage {
        Known::Unknown(reason) => Err(reason.clone()),
        Known::Seen(storage) => match &storage.packs {
            Known::Unknown(reason) => Err(reason.clone()),
            Known::Seen(packs) => Ok(packs),
        },
    }
}

fn graph(seen: &Seen<'_>) -> Outcome {
    match speed(seen).map(|speed| &speed.commit_graph) {
        Err(reason) => Outcome::unknown(reason),
        Ok(Known::Unknown(reason)) => Outcome::unknown(format!("commit-graph: {reason}")),
        Ok(Known::Seen(graph)) => Outcome::found(graph_lacks(seen, graph).into_iter().collect()),
    }
}

fn graph_lacks(seen: &Seen<'_>, graph: &GraphFiles) -> Option<Finding> {
    let n_commits: u64 = graph.layers.iter().map(|layer| u64::from(layer.n_commits)).sum();
    let (limit, threshold) = seen.threshold();
    let is_long = limit < graph.layers.len() as i64;
    let lacks_paths = graph.layers.iter().any(|layer| !layer.has_changed_paths);
    let lacks_dates = graph.layers.iter().any(|layer| !layer.has_corrected_dates);
    let faults: Vec<&str> = [
        (!graph.is_chain, "is a single file"),
        (lacks_paths, "has no filters of changed paths"),
        (lacks_dates, "has no corrected dates"),
    ]
    .into_iter()
    .filter_map(|(is, fault)| is.then_some(fault))
    .collect();
    let matters = COMMITS_AT_LEAST <= n_commits && !faults.is_empty();
    let summary = match (is_long, matters) {
        (true, _) => format!("The commit-graph has {} layers", graph.layers.len()),
        (false, true) => format!("The commit-graph of {} {}", count(n_commits as usize, "commit"), faults.join(", ")),
        (false, false) => return None,
    };
    let finding = seen.finding(Severity::Info, "", "commit-graph", summary);
    let finding = if is_long { finding.against(threshold) } else { finding };
    Some(
        finding
            .fact("n_layers", graph.layers.len())
            .fact("n_commits", n_commits)
            .fact("is_chain", graph.is_chain)
            .fact("has_changed_paths", !lacks_paths)
            .fact("has_corrected_dates", !lacks_dates)
            .fact("source", "chunk tables below objects/info/commit-graph*")
            .so("Merge bases and the history of a file take longer than they need.")
            .mend(Remedy::reversible(
                "Write it anew, with all it can hold. Undo: remove objects/info/commit-graphs",
                ["git commit-graph write --reachable --changed-paths --split=replace".to_owned()],
            )),
    )
}

fn pack_index(seen: &Seen<'_>) -> Outcome {
    let (packs, index) = match (packs(seen), speed(seen).map(|speed| &speed.pack_index)) {
        (Err(reason), _) | (_, Err(reason)) => return Outcome::unknown(reason),
        (_, Ok(Known::Unknown(reason))) => return Outcome::unknown(format!("multi-pack-index: {reason}")),
        (Ok(packs), Ok(Known::Seen(index))) => (packs, index),
    };
    Outcome::found(pack_index_lacks(seen, packs, index.as_ref()).into_iter().collect())
}

fn pack_index_lacks(seen: &Seen<'_>, packs: &[Pack], index: Option<&PackIndex>) -> Option<Finding> {
    let indexed = index.map_or(&[][..], |index| &index.packs);
    // Cruft is kept out of it on purpose.
    let outside = packs.iter().filter(|pack| !pack.is_cruft && indexed.binary_search(&pack.name).is_err()).count();
    let gone: Vec<&String> = indexed.iter().filter(|name| !packs.iter().any(|pack| pack.name == **name)).collect();
    let (limit, threshold) = seen.threshold();
    let (severity, cause, summary) = if !gone.is_empty() {
        let summary = format!(
            "The index over all packs names {} that {} gone",
            count(gone.len(), "pack"),
            agree(gone.len(), "is", "are")
        );
        (Severity::Warning, "gone", summary)
    } else if (outside as i64) <= limit {
        return None;
    } else if index.is_none() {
        (Severity::Info, "absent", format!("There is no index over {}", count(outside, "pack")))
    } else {
        (Severity::Info, "stale", format!("{} are outside of the index over all packs", count(outside, "pack")))
    };
    Some(
        seen.finding(severity, cause, "multi-pack-index", summary)
            .against(threshold)
            .fact("n_packs", packs.len())
            .fact("n_packs_in_index", indexed.len())
            .fact("n_packs_outside", outside)
            .names("packs_gone", gone.into_iter().map(String::as_str))
            .fact("source", "objects/pack/multi-pack-index")
            .so("Each look-up of an object searches one pack after the other.")
            .mend(Remedy::reversible(
                "Write it. Undo: remove objects/pack/multi-pack-index, and Git works as before",
                ["git multi-pack-index write".to_owned()],
            )),
    )
}

fn bitmaps(seen: &Seen<'_>) -> Outcome {
    let repository = &seen.snapshot.repository;
    if !repository.is_bare || !repository.alternates.is_empty() || repository.is_partial || repository.is_shallow {
        return Outcome::default();
    }
    let (packs, index) = match (packs(seen), speed(seen).map(|speed| &speed.pack_index)) {
        (Err(reason), _) | (_, Err(reason)) => return Outcome::unknown(reason),
        (Ok(packs), Ok(index)) => (packs, index),
    };
    if packs.iter().any(|pack| pack.has_bitmap) {
        return Outcome::default();
    }
    match index {
        Known::Unknown(reason) => return Outcome::unknown(format!("multi-pack-index: {reason}")),
        Known::Seen(Some(index)) if index.has_bitmap => return Outcome::default(),
        Known::Seen(_) => {}
    }
    let n_objects: u64 = packs.iter().map(|pack| pack.n_objects).sum();
    let (limit, threshold) = seen.threshold();
    if n_objects < limit.unsigned_abs() {
        return Outcome::default();
    }
    let summary = format!("A bare repository of {} has no bitmap", count(n_objects as usize, "packed object"));
    let finding = seen
        .finding(Severity::Info, "", "objects/pack", summary)
        .against(threshold)
        .fact("n_packed_objects", n_objects)
        .fact("source", "objects/pack/*.bitmap")
        .so("If it serves clones and fetches, each begins with counting all objects.")
        .mend(packed_anew(
            seen,
            "If it serves others, pack all into one with a bitmap, at a quiet hour; unreachable objects stay, in a pack \
             of their own. Undo: remove the .bitmap file",
            "git repack -a -d -l -b --cruft",
        ));
    Outcome::found(vec![finding])
}

fn index(seen: &Seen<'_>) -> Outcome {
    match speed(seen).map(|speed| &speed.index) {
        Err(reason) => Outcome::unknown(reason),
        Ok(Known::Unknown(reason)) => Outcome::unknown(format!("index: {reason}")),
        Ok(Known::Seen(None)) => Outcome::default(),
        Ok(Known::Seen(Some(index))) => Outcome::found(index_lacks(seen, index).into_iter().collect()),
    }
}

fn index_lacks(seen: &Seen<'_>, index: &Index) -> Option<Finding> {
    let (limit, threshold) = seen.threshold();
    let lacks: Vec<&str> = [
        (!index.has_untracked_cache, "the cache of untracked files"),
        (!index.has_monitor, "the file monitor"),
        (index.version < 4, "index version 4"),
    ]
    .into_iter()
    .filter_map(|(is, what)| is.then_some(what))
    .collect();
    // A monitor alone, or the cache with the short index, is what people choose; all three are not needed.
    let is_helped = index.has_monitor || (index.has_untracked_cache && 4 <= index.version);
    if i64::from(index.n_entries) <= limit || is_helped {
        return None;
    }
    let summary = format!("The index holds {} and lacks {}", count(index.n_entries as usize, "file"), lacks.join(", "));
    Some(
        seen.finding(Severity::Info, "", "index", summary)
            .against(threshold)
            .fact("n_files", index.n_entries)
            .fact("version", index.version)
            .fact("is_split", index.is_split)
            .fact("source", "index, and the repository's own configuration")
            .so("Checkouts, merges and rebases in this working tree take longer than they need.")
            .mend(Remedy::reversible(
                "Turn them on. Undo: git config --unset feature.manyFiles; git update-index --index-version 2",
                ["git config feature.manyFiles true".to_owned(), "git update-index --index-version 4".to_owned()],
            )),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, facts::speed::GraphLayer};

    fn pack(number: usize) -> Pack {
        Pack {
            name: format!("pack-{number:03}"),
            bytes: 1,
            n_objects: 5000,
            modified_at: NOW,
            keep: None,
            is_cruft: false,
            is_promisor: false,
            has_bitmap: false,
        }
    }

    /// So many packs, an index over the first of them, in a bare repository.
    fn packed(n_packs: usize, n_indexed: Option<usize>, is_bare: bool) -> Snapshot {
        let packs: Vec<Pack> = (0..n_packs).map(pack).collect();
        let names = |n| (0..n).map(|number| pack(number).name).collect();
        let index = n_indexed.map(|n| PackIndex { packs: names(n), n_objects: 1, has_bitmap: false });
        let mut snapshot = sped(|speed| speed.pack_index = Known::Seen(index));
        snapshot.facts.storage = stored(|storage| storage.packs = Known::Seen(packs)).facts.storage;
        snapshot.repository.is_bare = is_bare;
        snapshot
    }

    #[test]
    fn few_packs_need_no_index_and_an_index_over_most_is_enough() {
        for (n, indexed, is_bare) in [(10, None, false), (10, None, true), (30, Some(20), false), (30, Some(30), true)]
        {
            assert_eq!(judged(&PACK_INDEX, &packed(n, indexed, is_bare)), Outcome::default(), "{n} {indexed:?}");
        }
    }

    #[test]
    fn an_index_that_is_absent_stale_or_names_what_is_gone_is_told() {
        let told: Vec<_> = [(11, None, true), (31, Some(20), false), (3, Some(4), false)]
            .map(|(n, indexed, is_bare)| told([&only(judged(&PACK_INDEX, &packed(n, indexed, is_bare)))]))
            .into();
        assert_eq!(
            told.join("\n"),
            "[info] pack-index:absent: There is no index over 11 packs\n\
             [info] pack-index:stale: 11 packs are outside of the index over all packs\n\
             [warning] pack-index:gone: The index over all packs names 1 pack that is gone"
        );
    }

    #[test]
    fn only_a_bare_repository_that_borrows_nothing_needs_a_bitmap() {
        assert_eq!(
            told([&only(judged(&BITMAPS, &packed(2, None, true)))]),
            "[info] bitmaps: A bare repository of 10,000 packed objects has no bitmap"
        );
        assert_eq!(judged(&BITMAPS, &packed(2, None, false)), Outcome::default());
        assert_eq!(judged(&BITMAPS, &packed(1, None, true)), Outcome::default(), "small");
        let mut borrows = packed(2, None, true);
        borrows.repository.alternates = vec![("/other".into(), true)];
        assert_eq!(judged(&BITMAPS, &borrows), Outcome::default());
    }

    fn graph(is_chain: bool, n_layers: usize, n_commits: u32, is_full: bool) -> Snapshot {
        let layer = GraphLayer { n_commits, has_changed_paths: is_full, has_corrected_dates: is_full };
        sped(|speed| speed.commit_graph = Known::Seen(GraphFiles { is_chain, layers: vec![layer; n_layers] }))
    }

    #[test]
    fn a_whole_graph_a_small_one_and_none_are_fine() {
        for fine in [graph(true, 10, 1000, true), graph(false, 1, 999, false), graph(false, 0, 0, false)] {
            assert_eq!(judged(&GRAPH, &fine), Outcome::default());
        }
    }

    #[test]
    fn what_a_graph_lacks_is_one_finding() {
        let told = [graph(false, 1, 1000, false), graph(true, 11, 10, true)]
            .map(|snapshot| told([&only(judged(&GRAPH, &snapshot))]));
        assert_eq!(
            told.join("\n"),
            "[info] commit-graph-quality: The commit-graph of 1,000 commits is a single file, has no filters of \
             changed paths, has no corrected dates\n\
             [info] commit-graph-quality: The commit-graph has 11 layers"
        );
    }

    fn indexed(n_entries: u32, version: u32, has_untracked_cache: bool, has_monitor: bool) -> Snapshot {
        let index = Index { version, n_entries, is_split: false, has_untracked_cache, has_monitor };
        sped(|speed| speed.index = Known::Seen(Some(index)))
    }

    #[test]
    fn a_large_index_without_help_is_told() {
        assert_eq!(judged(&INDEX, &indexed(50_000, 2, false, false)), Outcome::default());
        assert_eq!(judged(&INDEX, &indexed(90_000, 4, true, false)), Outcome::default());
        assert_eq!(judged(&INDEX, &indexed(90_000, 2, false, true)), Outcome::default());
        assert_eq!(
            told([&only(judged(&INDEX, &indexed(50_001, 2, true, false)))]),
            "[info] index-features: The index holds 50,001 files and lacks the file monitor, index version 4"
        );
    }

    #[test]
    fn what_could_not_be_read_is_unknown() {
        let mut unread = packed(3, None, true);
        if let Known::Seen(speed) = &mut unread.facts.speed {
            speed.commit_graph = Known::default();
            speed.pack_index = Known::default();
            speed.index = Known::default();
        }
        for check in [&GRAPH, &PACK_INDEX, &BITMAPS, &INDEX] {
            assert!(judged(check, &unread).unknown.is_some(), "{}", check.id);
        }
    }
}
