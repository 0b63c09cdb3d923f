//! `dangerous-config`: settings of the repository that run programs, lose work, leak secrets or change answers.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Finding, Known, Look, Remedy, Severity,
    quote::shell_word,
    snapshot::{Hazard, HazardKind},
};

/// One finding for each kind of hazard, with the keys.
///
/// Settings that run programs are a warning: in a repository of one's own they
/// are ordinary, in a foreign one they are an attack, and from the inside the
/// two look alike. alignwatch itself runs none of them.
pub(super) static CHECK: Check = Check {
    id: "dangerous-config",
    title: "Dangerous configuration",
    looks_at: "The repository's own configuration and hooks: keys that run programs, mirror a push, hold secrets, shorten undo, or change merges",
    why: "Whoever aligns here runs these programs and gets these answers, often without knowing",
    severity: Severity::Critical,
    family: Family::Configuration,
    needs: &[Look::Settings],
    git_says: Some("git config --list --show-scope"),
    runbook: Runbook {
        look: "`git config --show-origin --show-scope --list` shows each setting with its file; read the program before you trust it",
        mend: "`git config --unset-all <key>` for what you do not want; move secrets to a credential helper and replace them at the server",
        sure: "`alignwatch check --only dangerous-config` no longer names the key",
        undo: Some("`git config <key> <value>` with the value of the evidence; a secret is not shown there"),
    },
    threshold: None,
    judge,
};

/// The kinds, gravest first.
const KINDS: [HazardKind; 5] = [
    HazardKind::Secret,
    HazardKind::MirrorPush,
    HazardKind::RunsProgram,
    HazardKind::ShortUndo,
    HazardKind::MergeBehaviour,
];

fn judge(seen: &Seen<'_>) -> Outcome {
    let hazards = match &seen.snapshot.hazards {
        Known::Seen(hazards) => hazards,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let of_kind = |kind| hazards.iter().filter(|hazard| hazard.kind == kind).collect::<Vec<_>>();
    let groups = KINDS.iter().map(|&kind| (kind, of_kind(kind))).filter(|(_, hazards)| !hazards.is_empty());
    Outcome::found(groups.map(|(kind, hazards)| found(seen, kind, &hazards)).collect())
}

fn found(seen: &Seen<'_>, kind: HazardKind, hazards: &[&Hazard]) -> Finding {
    let (severity, cause, does, do_) = told_as(kind);
    // Hooks of one's own are the rule, and a clone brings none along.
    let only_hooks = hazards.iter().all(|hazard| hazard.scope == "hook");
    // A bare repository is often a mirror on purpose (`git clone --mirror`), and nobody pushes from it.
    let is_meant = kind == HazardKind::MirrorPush && seen.snapshot.repository.is_bare;
    let severity = if only_hooks || is_meant { Severity::Info } else { severity };
    let keys: Vec<_> = hazards.iter().take(3).map(|hazard| format!("`{}`", hazard.key)).collect();
    let more = if hazards.len() > keys.len() { ", …" } else { "" };
    let what = agree(hazards.len(), does, do_);
    let summary = format!("{} {what}: {}{more}", count(hazards.len(), "setting"), keys.join(", "));
    let shown = |hazard: &&Hazard| format!("{} = {} ({})", hazard.key, hazard.value, hazard.scope);
    seen.finding(severity, cause, hazards[0].key.as_str(), summary)
        .names("settings", hazards.iter().map(shown))
        .fact("source", "git config --show-scope --show-origin --list")
        .so(impact(kind))
        .mend(remedy(kind, hazards))
}

/// Severity, cause in the key, and what one does and what many do.
fn told_as(kind: HazardKind) -> (Severity, &'static str, &'static str, &'static str) {
    match kind {
        HazardKind::Secret => {
            (Severity::Critical, "secret", "holds a secret in plain text", "hold secrets in plain text")
        }
        HazardKind::MirrorPush => {
            (Severity::Error, "mirror-push", "makes a push delete branches", "make a push delete branches")
        }
        HazardKind::RunsProgram => (Severity::Warning, "runs-program", "runs a program", "run programs"),
        HazardKind::ShortUndo => {
            (Severity::Warning, "short-undo", "shortens the time to undo", "shorten the time to undo")
        }
        HazardKind::MergeBehaviour => (Severity::Info, "merge-behaviour", "changes merges", "change merges"),
    }
}

fn impact(kind: HazardKind) -> &'static str {
    match kind {
        HazardKind::Secret => "Everybody who can read this folder, or a bundle of it, can use the secret.",
        HazardKind::MirrorPush => "A push deletes every branch at the remote that is not here.",
        HazardKind::RunsProgram => {
            "Git runs these programs during an alignment, with the rights of whoever aligns. alignwatch never does."
        }
        HazardKind::ShortUndo => "A failed alignment may not be undone: its commits are gone before anybody looks.",
        HazardKind::MergeBehaviour => {
            "The same merge can come out differently here and elsewhere. Predictions here pin Git's defaults."
        }
    }
}

fn remedy(kind: HazardKind, hazards: &[&Hazard]) -> Remedy {
    let unset = |hazard: &&Hazard| {
        let scope = if hazard.scope == "worktree" { "--worktree" } else { "--local" };
        format!("git config {scope} --unset-all {}", shell_word(hazard.key.as_bytes()))
    };
    let from_config = hazards.iter().filter(|hazard| hazard.scope != "hook");
    let show = "git config --show-scope --show-origin --list".to_owned();
    match kind {
        HazardKind::Secret => Remedy::irreversible(
            "Make the secret invalid where it was issued: it must count as known. Put the new one into a credential store, \
             and set the address without it (git remote set-url).",
            [show],
        ),
        HazardKind::MirrorPush => Remedy::reversible(
            "Unset it, unless this clone is a pure mirror. Undo: set it to true again.",
            from_config.map(unset),
        ),
        HazardKind::ShortUndo => {
            Remedy::reversible("Go back to Git's defaults. Undo: set the values above again.", from_config.map(unset))
        }
        HazardKind::RunsProgram => Remedy::reversible(
            "If the repository came from somebody else, clone it (git clone --no-local) and work in the clone: a clone takes \
             no settings along. If it is yours, know that they run.",
            [show],
        ),
        HazardKind::MergeBehaviour => {
            Remedy::reversible("Keep what all who merge here have in common; unset the rest.", [show])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Snapshot;

    fn hazard(key: &str, kind: HazardKind) -> Hazard {
        Hazard { key: key.into(), value: "x".into(), scope: "local".into(), kind }
    }

    fn with(hazards: Vec<Hazard>) -> Snapshot {
        let mut snapshot = snapshot([]);
        snapshot.hazards = Known::Seen(hazards);
        snapshot
    }

    #[test]
    fn a_plain_configuration_is_fine() {
        assert_eq!(judged(&CHECK, &with(Vec::new())), Outcome::default());
    }

    #[test]
    fn each_kind_is_one_finding_gravest_first() {
        let outcome = judged(
            &CHECK,
            &with(vec![
                hazard("core.fsmonitor", HazardKind::RunsProgram),
                hazard("core.sshcommand", HazardKind::RunsProgram),
                hazard("remote.origin.mirror", HazardKind::MirrorPush),
            ]),
        );
        assert_eq!(
            told(&outcome.findings),
            "[error] dangerous-config:mirror-push: 1 setting makes a push delete branches: `remote.origin.mirror`\n\
             [warning] dangerous-config:runs-program: 2 settings run programs: `core.fsmonitor`, `core.sshcommand`"
        );
        assert_eq!(outcome.findings[0].remedy.commands, ["git config --local --unset-all remote.origin.mirror"]);
    }

    #[test]
    fn a_bare_mirror_is_only_worth_knowing() {
        let mut mirror = with(vec![hazard("remote.origin.mirror", HazardKind::MirrorPush)]);
        mirror.repository.is_bare = true;
        assert_eq!(only(judged(&CHECK, &mirror)).severity, Severity::Info);
    }

    #[test]
    fn hooks_alone_are_only_worth_knowing() {
        let hook = Hazard { scope: "hook".into(), ..hazard("pre-commit", HazardKind::RunsProgram) };
        let finding = only(judged(&CHECK, &with(vec![hook])));
        assert_eq!(told([&finding]), "[info] dangerous-config:runs-program: 1 setting runs a program: `pre-commit`");
    }

    #[test]
    fn a_leaked_secret_cannot_be_taken_back() {
        let finding = only(judged(&CHECK, &with(vec![hazard("remote.origin.url", HazardKind::Secret)])));
        assert_eq!((finding.severity, finding.remedy.reversible), (Severity::Critical, None));
    }

    #[test]
    fn a_configuration_that_could_not_be_read_is_unknown() {
        let mut snapshot = snapshot([]);
        snapshot.hazards = Known::Unknown("bad config line 3".into());
        assert!(judged(&CHECK, &snapshot).unknown.is_some());
    }
}
