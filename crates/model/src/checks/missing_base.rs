//! `missing-base`: bases that the configuration names and that this repository does not have.

use std::collections::BTreeMap;

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{Branch, Finding, Look, Remedy, Severity, quote::shell_word, snapshot::MissingBase};

/// One finding for each name that cannot be measured against.
///
/// Errors are those on which every branch depends: where no base is left, nothing is measured.
pub(super) static CHECK: Check = Check {
    id: "missing-base",
    title: "Configured bases that are not there",
    looks_at: "The branches that `bases` and `relations[].base` of the configuration name",
    why: "What should be measured against a branch that is not there cannot be measured, and what is measured against another one instead may be counted from the wrong line",
    severity: Severity::Error,
    family: Family::Branches,
    needs: &[Look::History],
    git_says: Some("git rev-parse --verify --quiet refs/heads/<base>"),
    runbook: Runbook {
        look: "`git for-each-ref --format='%(refname:short)' refs/heads refs/remotes` lists what there is; `alignwatch config show` tells which file names the base",
        mend: "Write the name as it is called here, fetch the branch, or take the name out of the configuration. A relation that is meant for another repository gets `repositories`",
        sure: "`alignwatch check --only missing-base` is ok",
        undo: Some("Write the old name again"),
    },
    threshold: None,
    judge,
};

fn judge(seen: &Seen<'_>) -> Outcome {
    let mut by_name = BTreeMap::<&str, Vec<&MissingBase>>::new();
    for base in &seen.snapshot.missing_bases {
        by_name.entry(&base.name).or_default().push(base);
    }
    Outcome::found(by_name.into_iter().map(|(name, all)| found(seen, name, &all)).collect())
}

/// One name, by all keys that hold it.
fn found(seen: &Seen<'_>, name: &str, all: &[&MissingBase]) -> Finding {
    let depends = |branch: &&Branch| all.iter().any(|base| branch.drift.reason() == Some(&base.told()));
    let branches: Vec<&Branch> = seen.branches().filter(depends).collect();
    let is_last = seen.snapshot.lines.is_empty() && all.iter().any(|base| !base.is_of_relation());
    let severity = if is_last { Severity::Error } else { Severity::Warning };
    let keys: Vec<&str> = all.iter().map(|base| base.key.as_str()).collect();
    let summary = format!("The base `{name}` of {} cannot be used: {}", keys.join(", "), all[0].reason);
    seen.finding(severity, name, name, summary)
        .fact("keys", keys)
        .fact("alike", all[0].alike.clone())
        .fact("source", format!("git rev-parse --verify {}", shell_word(name.as_bytes())))
        .so(impact(is_last, all, branches.len()))
        .branches(branches)
        .mend(remedy(all[0]))
}

fn impact(is_last: bool, all: &[&MissingBase], n_branches: usize) -> String {
    if is_last {
        return "No base is left that could be used, so nothing is measured.".to_owned();
    }
    let mut told = Vec::new();
    if all.iter().any(|base| base.is_of_relation()) {
        told.push(format!("{} cannot be judged; all others are.", count(n_branches, "branch")));
    }
    if all.iter().any(|base| !base.is_of_relation()) {
        told.push("What belongs to it is measured against the other bases, and may be counted wrong.".to_owned());
    }
    told.join(" ")
}

fn remedy(base: &MissingBase) -> Remedy {
    let instead = match base.alike.as_slice() {
        [] => "the name of a branch that is there".to_owned(),
        alike => format!("`{}`, if that is meant,", alike.join("` or `")),
    };
    let or = if base.is_of_relation() { "name the `repositories` of the relation" } else { "take the name out" };
    let text =
        format!("Write {instead} at {} in the configuration, or {or}. The command lists what there is.", base.key);
    Remedy::reversible(text, ["git for-each-ref --format='%(refname:short)' refs/heads refs/remotes".to_owned()])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Known, Snapshot};

    fn missing(key: &str, alike: &[&str]) -> MissingBase {
        let alike = alike.iter().map(|&name| name.to_owned()).collect();
        MissingBase { name: "mian".into(), key: key.into(), reason: "there is no such branch".into(), alike }
    }

    fn with(base: MissingBase) -> Snapshot {
        let mut waits = branch("refs/heads/waits", 1, 1);
        (waits.base, waits.drift) = (None, Known::Unknown(base.told()));
        let mut snapshot = snapshot([branch("refs/heads/main", 0, 0), branch("refs/heads/other", 1, 1), waits]);
        snapshot.missing_bases.push(base);
        snapshot
    }

    #[test]
    fn a_base_of_a_relation_that_is_not_there_names_what_waits_for_it_and_what_to_write() {
        let finding = only(judged(&CHECK, &with(missing("relations[2].base", &["main"]))));
        assert_eq!(
            told([&finding]),
            "[warning] missing-base:mian: The base `mian` of relations[2].base cannot be used: there is no such branch"
        );
        assert_eq!(finding.evidence["branches"], serde_json::json!(["refs/heads/waits"]));
        assert!(finding.impact.starts_with("1 branch cannot be judged"), "{}", finding.impact);
        assert!(finding.remedy.text.starts_with("Write `main`, if that is meant, at relations[2].base"));
    }

    #[test]
    fn only_the_last_base_takes_all_with_it() {
        let mut snapshot = with(missing("bases[0]", &[]));
        assert_eq!(only(judged(&CHECK, &snapshot)).severity, Severity::Warning);
        snapshot.lines.clear();
        assert_eq!(only(judged(&CHECK, &snapshot)).severity, Severity::Error);
        snapshot.missing_bases.clear();
        assert_eq!(judged(&CHECK, &snapshot), Outcome::default());
    }
}
