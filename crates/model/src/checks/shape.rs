//! `shape`, `big-blobs`: what the whole history is made of, by the measures of git-sizer.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{
    Finding, Known, Look, Oid, Remedy, Severity, Threshold,
    facts::shape::{BigBlob, Shape},
};

/// Measures that are above git-sizer's reference.
pub(super) static SHAPE: Check = Check {
    id: "shape",
    title: "History of unusual size or shape",
    looks_at: "Every object that a ref reaches, once: git-sizer's measures against its reference values",
    why: "Beyond these values Git and its servers were seen to get slow or to fail: clones, checkouts, merges, blame",
    severity: Severity::Error,
    family: Family::Storage,
    needs: &[Look::Shape],
    git_says: Some("git rev-list --objects --all | git cat-file --batch-check (git-sizer where it is installed)"),
    runbook: Runbook {
        look: "`alignwatch check -v --only shape` lists every measure above its reference; the object beside it: `git cat-file -p ID`, `git log --all --find-object=ID`",
        mend: "What grows with every commit (files of builds, data, vendored code) belongs elsewhere: Git LFS, packages, a repository of its own. What is in history stays until it is rewritten, and a rewrite parts every branch from its base",
        sure: "`alignwatch check --only shape` lists fewer measures after the next weeks of work",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 1,
        range: (1, 1000),
        unit: "times the reference",
        source: "git-sizer: level of concern",
    }),
    judge: shape,
};

/// Large files in history.
pub(super) static BIG_BLOBS: Check = Check {
    id: "big-blobs",
    title: "Large files in history",
    looks_at: "The sizes of all blobs that a ref reaches",
    why: "Every clone, fetch and backup carries them for ever, and above 512 MiB Git neither compares nor merges them",
    severity: Severity::Warning,
    family: Family::Storage,
    needs: &[Look::Shape],
    git_says: Some("git cat-file --batch-all-objects --batch-check"),
    runbook: Runbook {
        look: "`git log --all --find-object=ID --name-status` shows the commits that brought and removed it",
        mend: "Keep new ones out: Git LFS (`git lfs track`), or a hook that refuses them. Removing old ones means to rewrite history (`git filter-repo --strip-blobs-bigger-than 10M`), which parts every branch from its base: only in agreement with all",
        sure: "`alignwatch check --only big-blobs` finds no new ones",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 10,
        range: (1, 1_000_000),
        unit: "MB",
        source: "git-sizer: maximum blob size",
    }),
    judge: big_blobs,
};

/// From this level of concern on it is an error. Source: git-sizer, `--critical`.
const CRITICAL_LEVEL: f64 = 30.0;

/// From this level of concern on it is a warning. Source: ours; a path of 101 bytes is none.
const WARNING_LEVEL: f64 = 10.0;

/// Source: Git, `core.bigFileThreshold`.
const TOO_BIG_FOR_GIT: u64 = 512 << 20;

/// One measure: its name, its reference value in git-sizer, its value, and the object that has it.
struct Measure {
    /// As git-sizer calls it in its JSON.
    name: &'static str,
    what: &'static str,
    reference: f64,
    is_bytes: bool,
    value: u64,
    oid: Option<Oid>,
}

impl Measure {
    fn level(&self) -> f64 {
        self.value as f64 / self.reference
    }

    fn told(&self) -> String {
        let value = if self.is_bytes { bytes(self.value) } else { thousands(self.value as usize) };
        format!("{}: {value} ({:.1} times the reference)", self.what, self.level())
    }
}

/// All measures. Names and references: git-sizer, sizes/output.go.
fn measures(shape: &Shape) -> Vec<Measure> {
    let count = |name, what, reference, value, oid| Measure { name, what, reference, is_bytes: false, value, oid };
    let bytes = |name, what, reference, value, oid| Measure { name, what, reference, is_bytes: true, value, oid };
    let s = shape;
    vec![
        count("uniqueCommitCount", "commits", 500e3, s.n_commits, None),
        bytes("uniqueCommitSize", "size of all commits", 250e6, s.commit_bytes, None),
        count("uniqueTreeCount", "trees", 1.5e6, s.n_trees, None),
        bytes("uniqueTreeSize", "size of all trees", 2e9, s.tree_bytes, None),
        count("uniqueTreeEntries", "entries of all trees", 50e6, s.n_tree_entries, None),
        count("uniqueBlobCount", "blobs", 1.5e6, s.n_blobs, None),
        bytes("uniqueBlobSize", "size of all blobs", 10e9, s.blob_bytes, None),
        count("uniqueTagCount", "annotated tags", 25e3, s.n_tags, None),
        count("referenceCount", "refs", 25e3, s.n_refs, None),
        bytes("maxCommitSize", "largest commit", 50e3, s.max_commit_bytes.value, s.max_commit_bytes.oid),
        count("maxCommitParentCount", "most parents of a commit", 10.0, s.max_parents.value, s.max_parents.oid),
        count("maxTreeEntries", "most entries of a folder", 1000.0, s.max_tree_entries.value, s.max_tree_entries.oid),
        bytes("maxBlobSize", "largest file", 10e6, s.max_blob_bytes.value, s.max_blob_bytes.oid),
        count("maxHistoryDepth", "longest chain of commits", 500e3, s.max_history_depth, None),
        count("maxTagDepth", "tags that name tags", 1.001, s.max_tag_depth.value, s.max_tag_depth.oid),
        count("maxCheckoutTreeCount", "folders in a checkout", 2000.0, s.max_directories.value, s.max_directories.oid),
        count("maxCheckoutPathDepth", "depth of a path", 10.0, s.max_path_depth.value, s.max_path_depth.oid),
        bytes("maxCheckoutPathLength", "longest path", 100.0, s.max_path_bytes.value, s.max_path_bytes.oid),
        count("maxCheckoutBlobCount", "files in a checkout", 50e3, s.max_files.value, s.max_files.oid),
        bytes("maxCheckoutBlobSize", "size of a checkout", 1e9, s.max_checkout_bytes.value, s.max_checkout_bytes.oid),
        count("maxCheckoutLinkCount", "symbolic links in a checkout", 25e3, s.max_links.value, s.max_links.oid),
        count(
            "maxCheckoutSubmoduleCount",
            "submodules in a checkout",
            100.0,
            s.max_submodules.value,
            s.max_submodules.oid,
        ),
    ]
}

fn seen_shape<'a>(seen: &Seen<'a>) -> Result<&'a Shape, String> {
    match &seen.snapshot.facts.shape {
        Known::Seen(shape) => Ok(shape),
        Known::Unknown(reason) => Err(reason.clone()),
    }
}

/// What could not be read hides what hangs on it.
fn unread(shape: &Shape) -> Option<String> {
    let n = shape.n_unread as usize;
    (0 < n).then(|| format!("{} could not be read: {}", count(n, "object"), shape.unread_reason))
}

fn shape(seen: &Seen<'_>) -> Outcome {
    let shape = match seen_shape(seen) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(shape) => shape,
    };
    let (limit, threshold) = seen.threshold();
    let mut above: Vec<Measure> =
        measures(shape).into_iter().filter(|measure| limit as f64 <= measure.level()).collect();
    above.sort_by(|a, b| b.level().total_cmp(&a.level()));
    let findings = above.first().map(|worst| concern(seen, shape, worst, &above).against(threshold));
    Outcome { findings: Vec::from_iter(findings), unknown: unread(shape), skipped: None }
}

fn concern(seen: &Seen<'_>, shape: &Shape, worst: &Measure, above: &[Measure]) -> Finding {
    let severity = match worst.level() {
        level if CRITICAL_LEVEL < level => Severity::Error,
        level if WARNING_LEVEL <= level => Severity::Warning,
        _ => Severity::Info,
    };
    let others = match above.len() - 1 {
        0 => String::new(),
        n => format!(", and {}", count(n, "other measure")),
    };
    let mut finding = seen.finding(severity, "", "history", format!("{}{others}", capital(&worst.told())));
    for measure in measures(shape) {
        finding = finding.fact(measure.name, measure.value);
    }
    let look = worst.oid.map(|oid| how_to_look(worst.name).replace("OID", &oid.hex()));
    finding
        .names("above", above.iter().map(Measure::told))
        .names("objects", above.iter().filter_map(|one| Some(format!("{} {}", one.name, one.oid?))))
        .fact("source", "all objects that refs reach; git-sizer's definitions and references")
        .so("Clones, checkouts and merges get slow, or fail on servers and other systems.")
        .mend(Remedy::reversible(
            "Find out where it comes from; what is in history stays there, so keep more of it out.",
            look,
        ))
}

/// The command that shows what makes an object stand out, with `OID` in place of its id.
fn how_to_look(measure: &str) -> &'static str {
    match measure {
        "maxCommitSize" | "maxCommitParentCount" => "git show --no-patch --format=raw OID",
        "maxTagDepth" => "git cat-file -p OID",
        "maxTreeEntries" => "git ls-tree OID | head",
        "maxBlobSize" => "git log --all --find-object=OID --name-status --oneline",
        "maxCheckoutPathLength" | "maxCheckoutPathDepth" => {
            "git ls-tree -r --name-only OID | awk '{ print length, $0 }' | sort -rn | head"
        }
        "maxCheckoutBlobSize" => "git ls-tree -r -l OID | sort -k4 -rn | head",
        _ => "git ls-tree -r --name-only OID | cut -d/ -f1-2 | sort | uniq -c | sort -rn | head",
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn big_blobs(seen: &Seen<'_>) -> Outcome {
    let shape = match seen_shape(seen) {
        Err(reason) => return Outcome::unknown(reason),
        Ok(shape) => shape,
    };
    let (megabytes, threshold) = seen.threshold();
    let limit = megabytes.unsigned_abs().saturating_mul(1_000_000);
    let big: Vec<&BigBlob> = shape.big_blobs.iter().filter(|blob| limit <= blob.bytes).collect();
    let findings = big.first().map(|largest| too_big(seen, &big, largest, megabytes, threshold));
    Outcome { findings: Vec::from_iter(findings), unknown: unread(shape), skipped: None }
}

fn too_big(seen: &Seen<'_>, big: &[&BigBlob], largest: &BigBlob, megabytes: i64, threshold: Threshold) -> Finding {
    let n_too_big = big.iter().filter(|blob| TOO_BIG_FOR_GIT <= blob.bytes).count();
    let summary = format!(
        "{} of {megabytes} MB or more in history, the largest `{}` with {}",
        count(big.len(), "file"),
        largest.name,
        bytes(largest.bytes)
    );
    seen.finding(Severity::Warning, "", "history", summary)
        .against(threshold)
        .names("blobs", big.iter().map(|blob| format!("{} {} {}", blob.oid, blob.bytes, blob.name)))
        .fact("n_blobs_of_512_MiB", n_too_big)
        .fact("total_bytes", big.iter().fold(0u64, |sum, blob| sum.saturating_add(blob.bytes)))
        .fact("source", "all blobs that refs reach; a hundred of the largest are listed")
        .so("Every clone, fetch and backup carries them, whether they are still in use or not.")
        .mend(Remedy::reversible(
            "See which commits brought and removed it. Keep new ones out (Git LFS); a rewrite of history parts all branches.",
            [format!("git log --all --find-object={} --name-status --oneline", largest.oid)],
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, facts::shape::Peak};

    fn with(shape: Shape) -> Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.facts.shape = Known::Seen(shape);
        snapshot
    }

    fn peak(value: u64) -> Peak {
        Peak { value, oid: Some(oid(7)) }
    }

    fn blob(bytes: u64) -> BigBlob {
        BigBlob { bytes, oid: oid(9), name: "data.bin".into() }
    }

    #[test]
    fn just_below_every_reference_is_fine() {
        let shape = Shape {
            n_commits: 499_999,
            max_path_bytes: peak(99),
            max_tag_depth: peak(1),
            big_blobs: vec![blob(9_999_999)],
            ..Shape::default()
        };
        assert_eq!(judged(&SHAPE, &with(shape.clone())), Outcome::default());
        assert_eq!(judged(&BIG_BLOBS, &with(shape)), Outcome::default());
    }

    #[test]
    fn measures_above_their_reference_are_one_finding_as_grave_as_the_worst() {
        let told = |shape: Shape| told([&only(judged(&SHAPE, &with(shape)))]);
        let deep = Shape { max_path_depth: peak(12), max_tag_depth: peak(2), ..Shape::default() };
        assert_eq!(
            told(deep.clone()),
            "[info] shape: Tags that name tags: 2 (2.0 times the reference), and 1 other measure"
        );
        let wide = Shape { max_tree_entries: peak(12_345), ..deep.clone() };
        assert_eq!(
            told(wide),
            "[warning] shape: Most entries of a folder: 12,345 (12.3 times the reference), and 2 other measures"
        );
        let large = Shape { max_blob_bytes: peak(400_000_000), ..Shape::default() };
        assert_eq!(told(large), "[error] shape: Largest file: 381.5 MiB (40.0 times the reference)");
    }

    #[test]
    fn large_files_are_told_with_the_largest() {
        let finding = only(judged(
            &BIG_BLOBS,
            &with(Shape { big_blobs: vec![blob(600 << 20), blob(10_000_000)], ..Shape::default() }),
        ));
        assert_eq!(
            told([&finding]),
            "[warning] big-blobs: 2 files of 10 MB or more in history, the largest `data.bin` with 600.0 MiB"
        );
        assert_eq!(finding.evidence["n_blobs_of_512_MiB"], 1);
    }

    #[test]
    fn objects_that_could_not_be_read_leave_it_unknown_beside_what_was_found() {
        let part = Shape { n_unread: 2, unread_reason: "object 00 is missing".into(), ..Shape::default() };
        for check in [&SHAPE, &BIG_BLOBS] {
            let outcome = judged(check, &with(part.clone()));
            assert_eq!(outcome.unknown.unwrap(), "2 objects could not be read: object 00 is missing");
            assert!(judged(check, &snapshot([])).unknown.is_some());
        }
    }

    #[test]
    fn each_measure_with_an_object_says_how_to_look_at_it() {
        let wide = Shape { max_tree_entries: peak(5000), ..Shape::default() };
        let commands = only(judged(&SHAPE, &with(wide))).remedy.commands;
        assert_eq!(commands, [format!("git ls-tree {} | head", oid(7))]);
        for measure in measures(&Shape::default()) {
            assert!(how_to_look(measure.name).contains("OID"), "{}", measure.name);
        }
    }

    #[test]
    fn there_are_as_many_measures_as_git_sizer_has() {
        assert_eq!(measures(&Shape::default()).len(), 22);
    }
}
