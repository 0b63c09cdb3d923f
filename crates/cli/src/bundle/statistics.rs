//! Numbers of each repository, and one line for each branch.

use alignwatch_model::{Branch, Known, Look, Snapshot};
use serde_json::{Value, json};

use super::{
    Collector, Material,
    redact::{Kind, Redactor},
};
use crate::report::{self, Checked};

/// Numbers of repositories and branches.
pub(super) static COLLECTOR: Collector =
    Collector { name: "statistics", holds: "numbers of each repository and its branches", collect };

/// Branches that are told one by one; the others are in the counts.
const BRANCHES_AT_MOST: usize = 2_000;

fn collect(material: &Material<'_>, redactor: &Redactor) -> Result<Value, String> {
    let of = |checked: &Checked| Some(repository(checked, &checked.judgement.as_ref().ok()?.snapshot, redactor));
    Ok(Value::Array(material.report.checked.repositories.iter().filter_map(of).collect()))
}

fn repository(checked: &Checked, snapshot: &Snapshot, redactor: &Redactor) -> Value {
    let seen = &snapshot.repository;
    let states: serde_json::Map<String, Value> =
        report::by_state(snapshot).into_iter().map(|(state, n)| (state.word().to_owned(), n.into())).collect();
    let lines = snapshot.lines.iter().map(|line| {
        json!({
            "line": branch_name(&line.name.text(), redactor),
            "because": redactor.text(&line.because),
            "confidence": (line.confidence * 1e4).round() / 1e4,
            "n_commits": line.n_commits,
        })
    });
    let graph = snapshot.commit_graph.seen();
    let seconds: serde_json::Map<String, Value> = Look::ALL
        .iter()
        .map(|&look| (format!("{look:?}").to_lowercase(), snapshot.looks.seconds(look).into()))
        .collect();
    json!({
        "repository": redactor.name(Kind::Repository, &checked.path),
        "object_format": seen.object_format,
        "ref_backend": seen.ref_backend,
        "is_bare": seen.is_bare,
        "is_shallow": seen.is_shallow,
        "is_partial": seen.is_partial,
        "has_grafts": seen.has_grafts,
        "n_replace_refs": seen.n_replace_refs,
        "n_alternates": seen.alternates.len(),
        "n_branches": snapshot.watched().count(),
        "n_ignored": snapshot.n_ignored(),
        "n_in_use": report::n_in_use(snapshot),
        "n_broken_refs": snapshot.broken_refs.len(),
        "n_locks": snapshot.locks.seen().map(Vec::len),
        "n_unfinished": snapshot.unfinished.seen().map(Vec::len),
        "by_state": states,
        "lines": lines.collect::<Vec<_>>(),
        "commit_graph": graph.map(|graph| json!({
            "n_layers": graph.n_layers,
            "n_covered": graph.n_covered,
            "n_missing": graph.n_missing,
        })),
        "look_seconds": seconds,
        "branches": snapshot.watched().take(BRANCHES_AT_MOST).map(|one| branch(one, snapshot, redactor)).collect::<Vec<_>>(),
    })
}

fn branch(branch: &Branch, snapshot: &Snapshot, redactor: &Redactor) -> Value {
    let drift = branch.drift.seen();
    json!({
        "branch": branch_name(&branch.name.text(), redactor),
        "base": branch.base.as_ref().map(|base| branch_name(&base.name.text(), redactor)),
        "author": branch.tip.seen().map(|tip| redactor.name(Kind::Author, &tip.author)),
        "state": branch.state().word(),
        "ahead": drift.map(|drift| drift.ahead),
        "behind": drift.map(|drift| drift.behind),
        "idle_age_seconds": branch.idle_age(snapshot.seen_at),
        "merge": branch.merge.verdict.word(),
        "n_conflicts": branch.merge.conflicts.as_ref().map(Vec::len),
        "proof": branch.proof().map(|proof| proof.word()),
        "unknown": match &branch.drift {
            Known::Unknown(reason) => Some(redactor.text(reason)),
            Known::Seen(_) => None,
        },
    })
}

/// The same pseudonym, whether the name is told in full or in short.
fn branch_name(full: &str, redactor: &Redactor) -> String {
    let short = ["refs/heads/", "refs/remotes/"].iter().find_map(|prefix| full.strip_prefix(prefix)).unwrap_or(full);
    redactor.name(Kind::Branch, short)
}
