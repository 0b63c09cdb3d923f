//! `safe-directory`, `no-undo-net`, `unprotected-base`, `rewritten-urls`: settings that decide who is let in and what can be undone.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Known, Look, Remedy, Severity,
    facts::settings::{Remote, Settings},
};

/// Whoever runs us trusts every repository on this machine.
pub(super) static SAFE_DIRECTORY: Check = Check {
    id: "safe-directory",
    title: "Every repository is trusted",
    looks_at: "`safe.directory` in the settings of the user and the system",
    why: "Git then runs the programs that a repository of a stranger names, which alignments on shared machines come across",
    severity: Severity::Warning,
    family: Family::Configuration,
    needs: &[Look::Settings],
    git_says: Some("git config --get-all safe.directory"),
    runbook: Runbook {
        look: "`git config --show-origin --get-all safe.directory` shows each value with its file",
        mend: "Run `git config --global --unset-all safe.directory '^[*]$'`, then add the exact path of each repository that belongs to another user",
        sure: "`git config --get-all safe.directory` no longer prints `*`",
        undo: Some("`git config --global --add safe.directory '*'`"),
    },
    threshold: None,
    judge: safe_directory,
};

/// A bare repository that does not record where its branches were.
pub(super) static NO_UNDO_NET: Check = Check {
    id: "no-undo-net",
    title: "No record of where branches were",
    looks_at: "`core.logAllRefUpdates`, and whether the repository is bare: then Git keeps no reflogs unless told to",
    why: "A branch that a failed alignment or a forced push moved cannot be brought back: nothing says where it was",
    severity: Severity::Warning,
    family: Family::Configuration,
    needs: &[Look::Settings],
    git_says: Some("git config --get core.logAllRefUpdates"),
    runbook: Runbook {
        look: "`git config --show-origin --get core.logAllRefUpdates`; `ls logs/refs/heads` in the git directory",
        mend: "Run `git config core.logAllRefUpdates always`; reflogs begin with the next change",
        sure: "`git config --get core.logAllRefUpdates` prints `always`",
        undo: Some("`git config --unset core.logAllRefUpdates`"),
    },
    threshold: None,
    judge: no_undo_net,
};

/// A repository that takes pushes, and lets them rewind or delete branches.
pub(super) static UNPROTECTED: Check = Check {
    id: "unprotected-base",
    title: "Pushes may rewind or delete the base",
    looks_at: "`receive.denyNonFastForwards` and `receive.denyDeletes`, only where the repository takes pushes",
    why: "One forced push rewrites the line that all branches are aligned with",
    severity: Severity::Warning,
    family: Family::Configuration,
    needs: &[Look::Settings],
    git_says: Some("git config --get receive.denyNonFastForwards"),
    runbook: Runbook {
        look: "`git config --show-origin --get-regexp '^receive[.]deny'`; a hook or a hosting service may protect the base in another way",
        mend: "Run `git config receive.denyNonFastForwards true` and `git config receive.denyDeletes true`, or protect only the base in a hook `update`",
        sure: "A forced push to a branch that nobody needs is refused",
        undo: Some("`git config --unset receive.denyNonFastForwards`; `git config --unset receive.denyDeletes`"),
    },
    threshold: None,
    judge: unprotected,
};

/// Remotes whose address is not what it seems, or to which one pushes elsewhere than one fetches from.
pub(super) static REWRITTEN_URLS: Check = Check {
    id: "rewritten-urls",
    title: "Remotes that are elsewhere than they seem",
    looks_at: "`url.*.insteadOf`, `url.*.pushInsteadOf` and `remote.*.pushurl` of the repository",
    why: "A branch that was pushed may not be where it is fetched from, so it looks as if it were never aligned",
    severity: Severity::Info,
    family: Family::Remotes,
    needs: &[Look::Settings],
    git_says: Some("git remote get-url --push <name>"),
    runbook: Runbook {
        look: "`git remote -v` shows both addresses; `git config --show-origin --get-regexp '^url[.]'` shows what changes them",
        mend: "Nothing, where it is meant. Otherwise run `git config --unset-all <key>` for the key that changes the address",
        sure: "`git remote -v` shows the same address for fetch and push",
        undo: Some("`git config <key> <value>` with the value that `git config --get-regexp` showed"),
    },
    threshold: None,
    judge: rewritten_urls,
};

fn settings<'a>(seen: &Seen<'a>) -> Result<&'a Settings, Outcome> {
    match &seen.snapshot.facts.settings {
        Known::Seen(settings) => Ok(settings),
        Known::Unknown(reason) => Err(Outcome::unknown(reason.clone())),
    }
}

fn safe_directory(seen: &Seen<'_>) -> Outcome {
    let values = match settings(seen).map(|settings| &settings.safe_directories) {
        Ok(Known::Seen(values)) => values,
        Ok(Known::Unknown(reason)) => return Outcome::unknown(reason.clone()),
        Err(outcome) => return outcome,
    };
    if !values.iter().any(|value| value == "*") {
        return Outcome::default();
    }
    Outcome::found(vec![
        seen.finding(
            Severity::Warning,
            "",
            "safe.directory",
            "`safe.directory` is `*`: Git trusts every repository on this machine",
        )
        .fact("values", values.clone())
        .fact("source", "git config --show-scope --get-all safe.directory")
        .so("The programs that a stranger's repository names run with your rights as soon as you use Git there.")
        .mend(Remedy::reversible(
            "Take the star back, and add the exact paths that you need. Undo: git config --global --add safe.directory '*'",
            ["git config --global --unset-all safe.directory '^[*]$'".to_owned()],
        )),
    ])
}

fn no_undo_net(seen: &Seen<'_>) -> Outcome {
    let value = match settings(seen).map(|settings| &settings.log_ref_updates) {
        Ok(Known::Seen(value)) => value,
        Ok(Known::Unknown(reason)) => return Outcome::unknown(reason.clone()),
        Err(outcome) => return outcome,
    };
    // Switched off by hand is `dangerous-config`'s to tell; this is about the default.
    if !seen.snapshot.repository.is_bare || value.is_some() {
        return Outcome::default();
    }
    Outcome::found(vec![
        seen.finding(Severity::Warning, "", "core.logAllRefUpdates", "The repository is bare and keeps no reflogs")
            .fact("source", "git config --get core.logAllRefUpdates")
            .so("Nothing here says where a branch was before it was moved or deleted, so that cannot be undone.")
            .mend(Remedy::reversible(
                "Keep reflogs, also of tags. Undo: git config --unset core.logAllRefUpdates",
                ["git config core.logAllRefUpdates always".to_owned()],
            )),
    ])
}

fn unprotected(seen: &Seen<'_>) -> Outcome {
    let settings = match settings(seen) {
        Ok(settings) => settings,
        Err(outcome) => return outcome,
    };
    let Some(because) = &settings.takes_pushes else { return Outcome::default() };
    let rules = [
        (&settings.denies_rewinds, "receive.denyNonFastForwards", "rewound"),
        (&settings.denies_deletes, "receive.denyDeletes", "deleted"),
    ];
    let open: Vec<_> = rules.iter().filter(|(denies, ..)| **denies == Known::Seen(false)).collect();
    let unknown = unjudged("setting", rules.iter().filter_map(|(denies, ..)| denies.reason()));
    if open.is_empty() {
        return Outcome { unknown, ..Outcome::default() };
    }
    let done = open.iter().map(|(.., done)| *done).collect::<Vec<_>>().join(" or ");
    let summary = format!("Branches can be {done} by a push; the repository takes pushes, for {because}");
    let undo = open.iter().map(|(_, key, _)| format!("git config --unset {key}")).collect::<Vec<_>>().join(" && ");
    let finding = seen
        .finding(Severity::Warning, "", "receive", summary)
        .names("unset", open.iter().map(|(_, key, _)| *key))
        .fact("source", "git config --get-regexp '^receive[.]deny'")
        .so("Whoever may push can rewrite the line that everything is aligned with, by accident, too.")
        .mend(Remedy::reversible(
            format!("Refuse such pushes, unless a hook or the hosting service protects the base already. Undo: {undo}"),
            open.iter().map(|(_, key, _)| format!("git config {key} true")),
        ));
    Outcome { findings: vec![finding], unknown, skipped: None }
}

fn rewritten_urls(seen: &Seen<'_>) -> Outcome {
    let remotes = match &seen.snapshot.facts.remotes {
        Known::Seen(remotes) => remotes,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let is_other = |one: &&Remote| one.url != one.fetch_url || one.fetch_url != one.push_url;
    let other: Vec<&Remote> = remotes.all.iter().filter(is_other).collect();
    let Some(first) = other.first() else { return Outcome::default() };
    let what = match first.fetch_url == first.push_url {
        true => format!("`{}` is really {}", first.name, first.fetch_url),
        false => format!("`{}` is fetched from {} and pushed to {}", first.name, first.fetch_url, first.push_url),
    };
    let summary = format!(
        "{} {} elsewhere than {} seem: {what}",
        count(other.len(), "remote"),
        agree(other.len(), "is", "are"),
        agree(other.len(), "it may", "they")
    );
    let told =
        other.iter().map(|one| format!("{}: {} fetch {} push {}", one.name, one.url, one.fetch_url, one.push_url));
    Outcome::found(vec![
        seen.finding(Severity::Info, "", first.name.as_str(), summary)
            .names("remotes", told)
            .fact("source", "git remote -v")
            .so("A branch may be pushed to one place and looked for in another.")
            .mend(Remedy::reversible("Nothing, where it is meant.", ["git remote -v".to_owned()])),
    ])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, facts::settings::Remotes};

    fn plain() -> Settings {
        Settings {
            safe_directories: Known::Seen(vec!["/repo".into()]),
            safe_bare_repository: Known::Seen(None),
            log_ref_updates: Known::Seen(None),
            takes_pushes: None,
            denies_rewinds: Known::Seen(false),
            denies_deletes: Known::Seen(false),
        }
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Snapshot {
        let (mut snapshot, mut settings) = (snapshot([]), plain());
        change(&mut settings);
        snapshot.facts.settings = Known::Seen(settings);
        snapshot.facts.remotes = Known::Seen(Remotes { all: Vec::new(), fetched_at: Known::Seen(None) });
        snapshot
    }

    fn remote(fetch: &str, push: &str) -> Remote {
        Remote {
            name: "origin".into(),
            url: "https://e.org/x".into(),
            fetch_url: fetch.into(),
            push_url: push.into(),
            default: None,
        }
    }

    #[test]
    fn plain_settings_are_fine_and_unread_ones_are_unknown() {
        for check in [&SAFE_DIRECTORY, &NO_UNDO_NET, &UNPROTECTED, &REWRITTEN_URLS] {
            assert_eq!(judged(check, &with(|_| {})), Outcome::default(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
        let unread = with(|settings| {
            let reason = || "git failed".to_owned();
            settings.safe_directories = Known::Unknown(reason());
            settings.log_ref_updates = Known::Unknown(reason());
            settings.takes_pushes = Some("a test".into());
            (settings.denies_rewinds, settings.denies_deletes) = (Known::Unknown(reason()), Known::Seen(true));
        });
        for check in [&SAFE_DIRECTORY, &NO_UNDO_NET, &UNPROTECTED] {
            assert!(judged(check, &unread).unknown.is_some(), "{}", check.id);
        }
    }

    #[test]
    fn trust_in_everything_is_told() {
        let finding = only(judged(&SAFE_DIRECTORY, &with(|one| one.safe_directories = Known::Seen(vec!["*".into()]))));
        assert_eq!(
            told([&finding]),
            "[warning] safe-directory: `safe.directory` is `*`: Git trusts every repository on this machine"
        );
    }

    #[test]
    fn only_a_bare_repository_lacks_reflogs_by_default() {
        let mut bare = with(|_| {});
        bare.repository.is_bare = true;
        assert_eq!(
            told(&judged(&NO_UNDO_NET, &bare).findings),
            "[warning] no-undo-net: The repository is bare and keeps no reflogs"
        );
        let mut set = with(|one| one.log_ref_updates = Known::Seen(Some("always".into())));
        set.repository.is_bare = true;
        assert_eq!(judged(&NO_UNDO_NET, &set), Outcome::default());
    }

    #[test]
    fn only_a_repository_that_takes_pushes_must_be_protected() {
        let serving = with(|one| {
            one.takes_pushes = Some("it has a hook `update`".into());
            one.denies_deletes = Known::Seen(true);
        });
        let finding = only(judged(&UNPROTECTED, &serving));
        assert_eq!(
            told([&finding]),
            "[warning] unprotected-base: Branches can be rewound by a push; the repository takes pushes, for it has a hook `update`"
        );
        assert_eq!(finding.remedy.commands, ["git config receive.denyNonFastForwards true"]);
    }

    #[test]
    fn a_remote_that_is_elsewhere_is_worth_knowing() {
        let mut snapshot = with(|_| {});
        let mut tell = |fetch, push| {
            snapshot.facts.remotes =
                Known::Seen(Remotes { all: vec![remote(fetch, push)], fetched_at: Known::Seen(None) });
            told(&judged(&REWRITTEN_URLS, &snapshot).findings)
        };
        assert_eq!(tell("https://e.org/x", "https://e.org/x"), "");
        assert_eq!(
            tell("ssh://e.org/x", "ssh://e.org/x"),
            "[info] rewritten-urls: 1 remote is elsewhere than it may seem: `origin` is really ssh://e.org/x"
        );
        assert_eq!(
            tell("https://e.org/x", "ssh://f.org/x"),
            "[info] rewritten-urls: 1 remote is elsewhere than it may seem: `origin` is fetched from https://e.org/x and pushed to ssh://f.org/x"
        );
    }
}
