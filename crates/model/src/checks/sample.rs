//! Snapshots to judge in tests: a healthy one, and branches to make ill.

use crate::{
    Branch, Drift, Finding, Known, Landed, Looks, Merge, Oid, RefName, Relation, Snapshot, Timestamp,
    branch::{BaseChoice, Conflict, Tip},
    checks::{Check, Outcome, Seen},
    config::Config,
    facts::{
        speed::{GraphFiles, RefStore, Speed, Upkeep},
        storage::{Growth, Litter, Loose, Records, Storage},
    },
    relation::Budget,
    snapshot::{CommitGraph, Head, Line, Repository},
};

/// The time of judgement.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000);

/// The id whose bytes are all this one.
pub(crate) fn oid(byte: u8) -> Oid {
    Oid::from_bytes(&[byte; 20]).unwrap()
}

/// So many days before [`NOW`].
pub(crate) fn days_ago(days: i64) -> Timestamp {
    Timestamp(NOW.0 - days * 86_400)
}

/// A healthy repository with the line `main` and these branches.
pub(crate) fn snapshot(branches: impl IntoIterator<Item = Branch>) -> Snapshot {
    let mut branches: Vec<_> = branches.into_iter().collect();
    branches.sort_by(|a, b| a.name.cmp(&b.name));
    Snapshot {
        seen_at: NOW,
        repository: Repository {
            path: "/repo".into(),
            id: "id".into(),
            git_dir: "/repo/.git".into(),
            object_format: "sha1".into(),
            ref_backend: "files".into(),
            is_bare: false,
            is_shallow: false,
            is_partial: false,
            has_grafts: false,
            n_replace_refs: 0,
            alternates: Vec::new(),
            git_version: Known::Seen("2.47.3".into()),
            git_bugs: Vec::new(),
        },
        head: Known::Seen(Head::Branch(RefName::from("refs/heads/main"))),
        lines: vec![line("refs/heads/main")],
        missing_bases: Vec::new(),
        branches,
        broken_refs: Vec::new(),
        commit_graph: Known::Seen(CommitGraph { n_layers: 1, n_covered: 1000, ..CommitGraph::default() }),
        locks: Known::Seen(Vec::new()),
        unfinished: Known::Seen(Vec::new()),
        hazards: Known::Seen(Vec::new()),
        checked_out: Known::Seen(vec![RefName::from("refs/heads/main")]),
        crossings: Vec::new(),
        unread_files: Vec::new(),
        host: Known::Unknown("not sampled".into()),
        facts: Default::default(),
        looks: Looks::all_taken(),
    }
}

/// A healthy repository with this change to what is stored.
pub(crate) fn stored(change: impl FnOnce(&mut Storage)) -> Snapshot {
    let mut storage = Storage {
        loose: Known::Seen(Loose { n_in_packs: Known::Seen(0), ..Loose::default() }),
        packs: Known::Seen(Vec::new()),
        unusable_packs: Vec::new(),
        garbage: Known::Seen(Litter::default()),
        temporary: Known::Seen(Litter::default()),
        growth: Known::Seen(Growth::NotYet("this is the first look".into())),
        resolutions: Known::Seen(Records::default()),
        reflogs: Known::Seen(Records::default()),
    };
    change(&mut storage);
    let mut snapshot = snapshot([]);
    snapshot.facts.storage = Known::Seen(storage);
    snapshot
}

/// A healthy repository with this change to what makes Git fast.
pub(crate) fn sped(change: impl FnOnce(&mut Speed)) -> Snapshot {
    let mut speed = Speed {
        commit_graph: Known::Seen(GraphFiles::default()),
        pack_index: Known::Seen(None),
        refs: RefStore { n_refs: 1, n_loose: Known::Seen(1), packed_bytes: Known::Seen(0) },
        index: Known::Seen(None),
        gc_log: Known::Seen(None),
        upkeep: Upkeep::default(),
    };
    change(&mut speed);
    let mut snapshot = stored(|_| {});
    snapshot.facts.speed = Known::Seen(speed);
    snapshot
}

/// A primary line.
pub(crate) fn line(name: &str) -> Line {
    Line {
        name: name.into(),
        oid: oid(1),
        because: "declared".into(),
        confidence: 1.0,
        behind_remote: None,
        n_commits: 1000,
    }
}

/// A live branch of `main` that merges cleanly. Its tip follows from the last letter of its name.
pub(crate) fn branch(name: &str, ahead: u32, behind: u32) -> Branch {
    let merge_bases = vec![oid(2)];
    Branch {
        name: name.into(),
        tip: Known::Seen(Tip {
            oid: oid(*name.as_bytes().last().unwrap()),
            tree: oid(3),
            committed_at: days_ago(1),
            author: "A <a@example.com>".into(),
            subject: "work".into(),
        }),
        base: Some(BaseChoice {
            name: "refs/heads/main".into(),
            oid: oid(1),
            confidence: 1.0,
            because: "the only line".into(),
        }),
        relation: Relation::Track,
        rule: None,
        budget: Budget::default(),
        drift: Known::Seen(Drift {
            ahead,
            behind,
            merge_bases,
            on_base_line: false,
            base_at: Some(days_ago(10)),
            missing_since: (behind > 0).then(|| days_ago(9)),
        }),
        landed: Landed::No,
        merge: Merge::clean(),
        causes: Vec::new(),
        touched: Known::Unknown("not looked at".into()),
        upstream: None,
        markers: Known::Seen(Vec::new()),
    }
}

/// The same branch, but its last commit is so old.
pub(crate) fn idle(mut branch: Branch, days: i64) -> Branch {
    if let Known::Seen(tip) = &mut branch.tip {
        tip.committed_at = days_ago(days);
    }
    branch
}

/// The same branch, but it conflicts at these paths.
pub(crate) fn conflicting(mut branch: Branch, paths: &[&str]) -> Branch {
    let conflict = |path: &&str| Conflict { path: (*path).into(), kinds: vec!["contents".into()] };
    branch.merge = Merge::conflict(Some(paths.iter().map(conflict).collect()));
    branch
}

/// The same branch, but it could not be measured.
pub(crate) fn unmeasured(mut branch: Branch) -> Branch {
    branch.drift = Known::Unknown("object 00 is missing".into());
    branch
}

/// Gives the branch another tip.
pub(crate) fn set_tip(branch: &mut Branch, oid: Oid) {
    if let Known::Seen(tip) = &mut branch.tip {
        tip.oid = oid;
    }
}

/// What a check sees of this snapshot with the default configuration.
pub(crate) fn seen<'a>(check: &'static Check, snapshot: &'a Snapshot) -> Seen<'a> {
    Seen { snapshot, config: Box::leak(Box::default()), now: NOW, check }
}

/// Judges by one check with the default configuration.
pub(crate) fn judged(check: &'static Check, snapshot: &Snapshot) -> Outcome {
    (check.judge)(&seen(check, snapshot))
}

/// Judges by one check with this configuration.
pub(crate) fn judged_with(check: &'static Check, snapshot: &Snapshot, config: &Config) -> Outcome {
    (check.judge)(&Seen { snapshot, config, now: NOW, check })
}

/// The findings as people see them first: key, severity and summary, a line each.
pub(crate) fn told<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    let line = |finding: &Finding| format!("[{}] {}: {}", finding.severity, finding.key, finding.summary);
    findings.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The only finding.
pub(crate) fn only(outcome: Outcome) -> Finding {
    assert_eq!(outcome.findings.len(), 1, "{}", told(&outcome.findings));
    outcome.findings.into_iter().next().unwrap()
}
