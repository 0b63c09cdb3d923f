//! Finds settings of the repository that run programs, lose work, leak secrets or change answers.
//!
//! Only what the repository itself brings counts: its configuration (with what
//! that includes), its worktrees' and its hooks. What the user or the system
//! sets is their own choice. Values are shown short and without secrets.

use std::{fs, io, path::Path};

use alignwatch_model::{
    Known,
    snapshot::{Hazard, HazardKind},
};

use crate::{
    files,
    harden::{HOOK_EVENTS, PROGRAMS},
    run::{Entry, Scope},
};

/// Characters of a value that are shown.
const VALUE_AT_MOST: usize = 80;

/// Plain keys whose value is a program. Source: git-config(1).
const RUN_PROGRAMS: [&str; 17] = [
    "core.hookspath",
    "core.sshcommand",
    "core.gitproxy",
    "core.askpass",
    "core.editor",
    "core.alternaterefscommand",
    "sequence.editor",
    "credential.helper",
    "diff.external",
    "interactive.difffilter",
    "gc.recentobjectshook",
    "gpg.program",
    "gpg.openpgp.program",
    "gpg.x509.program",
    "gpg.ssh.program",
    "gpg.ssh.defaultkeycommand",
    "uploadpack.packobjectshook",
];

/// Keys whose value is a program, unless it is a yes or no.
const RUN_PROGRAMS_OR_BOOLEAN: [&str; 2] = ["core.fsmonitor", "core.pager"];

/// Keys that change how a merge comes out. Source: git-config(1), merge and diff.
const CHANGE_MERGES: [&str; 8] = [
    "merge.renames",
    "merge.renamelimit",
    "merge.directoryrenames",
    "merge.renormalize",
    "diff.renames",
    "diff.renamelimit",
    "diff.algorithm",
    "core.attributesfile",
];

/// Keys after whose time lost work is thrown away.
const EXPIRIES: [&str; 3] = ["gc.pruneexpire", "gc.reflogexpire", "gc.reflogexpireunreachable"];

/// Shortest expiry that is no hazard, in days. Source: Git's own `gc.pruneExpire`, two weeks.
const EXPIRY_DAYS_AT_LEAST: u64 = 14;

/// All hazards: of these settings, and of the hooks below the common folder.
///
/// Unknown when the hooks cannot be listed.
pub fn hazards(entries: &[Entry], common_dir: &Path) -> Known<Vec<Hazard>> {
    let mut found: Vec<_> = entries.iter().filter_map(of_entry).collect();
    match hooks(&common_dir.join("hooks")) {
        Ok(hooks) => found.extend(hooks),
        Err(error) => return Known::Unknown(format!("cannot list the hooks: {error}")),
    }
    Known::Seen(found)
}

fn of_entry(entry: &Entry) -> Option<Hazard> {
    let key = String::from_utf8_lossy(&entry.key).into_owned();
    let value = String::from_utf8_lossy(entry.value.as_deref().unwrap_or(b"true")).into_owned();
    let kind = kind_of(&key, &value)?;
    let scope = match entry.scope {
        Scope::Local => "local",
        Scope::Worktree => "worktree",
    };
    let shown = if kind == HazardKind::Secret { hidden(&value) } else { shortened(&without_userinfo(&value)) };
    Some(Hazard { key, value: shown, scope: scope.to_owned(), kind })
}

fn kind_of(key: &str, value: &str) -> Option<HazardKind> {
    let (section, last) = (key.split('.').next()?, key.rsplit('.').next()?);
    if is_secret(section, last, value) {
        Some(HazardKind::Secret)
    } else if section == "remote" && last == "mirror" && is_true(value) {
        Some(HazardKind::MirrorPush)
    } else if runs_program(key, section, last, value) {
        Some(HazardKind::RunsProgram)
    } else if is_short_undo(key, value) {
        Some(HazardKind::ShortUndo)
    } else {
        CHANGE_MERGES.contains(&key).then_some(HazardKind::MergeBehaviour)
    }
}

fn is_secret(section: &str, last: &str, value: &str) -> bool {
    match last {
        "url" | "pushurl" | "proxy" | "insteadof" | "pushinsteadof" => has_password(value),
        "extraheader" => value.to_ascii_lowercase().contains("authorization"),
        "password" | "token" | "oauthtoken" | "smtppass" | "pass" => section != "pager" && !value.is_empty(),
        _ => false,
    }
}

/// `scheme://user:password@host`: a name alone is no secret, except where it is a token.
fn has_password(url: &str) -> bool {
    let is_token =
        |user: &str| ["ghp_", "gho_", "ghs_", "github_pat_", "glpat-"].iter().any(|start| user.starts_with(start));
    userinfo(url).is_some_and(|(from, to)| {
        let (user, password) = url[from..to].split_once(':').unwrap_or((&url[from..to], ""));
        !password.is_empty() || is_token(user)
    })
}

/// Where the part before `@` stands in the address.
fn userinfo(url: &str) -> Option<(usize, usize)> {
    let from = url.find("://")? + 3;
    let end = url[from..].find('/').map_or(url.len(), |length| from + length);
    Some((from, from + url[from..end].rfind('@')?))
}

fn without_userinfo(value: &str) -> String {
    match userinfo(value) {
        Some((from, to)) => format!("{}…{}", &value[..from], &value[to..]),
        None => value.to_owned(),
    }
}

fn runs_program(key: &str, section: &str, last: &str, value: &str) -> bool {
    if value.is_empty() {
        return false;
    }
    let has_name = key.len() > section.len() + last.len() + 1;
    match (section, last) {
        // Without its `!`, an alias is a git command, and a way to update is a word of git's.
        ("alias", _) | ("submodule", "update") => value.trim_start().starts_with('!'),
        ("pager", _) => !is_boolean(value),
        // Only what starts a program: the others decide when.
        ("filter", "required") | ("hook", "event") => false,
        _ if RUN_PROGRAMS.contains(&key) => true,
        _ if RUN_PROGRAMS_OR_BOOLEAN.contains(&key) => !is_boolean(value),
        _ => has_name && PROGRAMS.iter().any(|row| row.section == section && row.key.eq_ignore_ascii_case(last)),
    }
}

fn is_short_undo(key: &str, value: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default();
    let is_expiry = EXPIRIES.contains(&key) || (key.starts_with("gc.") && last.starts_with("reflogexpire"));
    (is_expiry && days(value).is_some_and(|days| days < EXPIRY_DAYS_AT_LEAST))
        || (key == "core.logallrefupdates" && is_false(value))
}

/// The days of `now`, `3.days.ago`, `2 weeks`, or a bare number of days; `None` for what is longer or something else.
fn days(expiry: &str) -> Option<u64> {
    let expiry = expiry.trim().to_ascii_lowercase();
    if matches!(expiry.as_str(), "now" | "all") {
        return Some(0);
    }
    let mut words = expiry.split(['.', ' ', '_']).filter(|word| !word.is_empty());
    let number: u64 = words.next()?.parse().ok()?;
    match words.next().unwrap_or("day").trim_end_matches('s') {
        "second" | "minute" | "hour" => Some(0),
        "day" => Some(number),
        "week" => number.checked_mul(7),
        _ => None,
    }
}

fn is_true(value: &str) -> bool {
    ["true", "yes", "on", "1"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn is_false(value: &str) -> bool {
    ["false", "no", "off", "0"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn is_boolean(value: &str) -> bool {
    is_true(value) || is_false(value)
}

fn shortened(value: &str) -> String {
    let mut shown: String = value.chars().take(VALUE_AT_MOST).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    shown
}

/// Of an address, everything but who logs in; of anything else, nothing.
fn hidden(value: &str) -> String {
    if userinfo(value).is_some() { shortened(&without_userinfo(value)) } else { "(hidden)".to_owned() }
}

/// Hooks that Git would run: executable, and named as one. The samples that Git installs are none.
fn hooks(folder: &Path) -> io::Result<Vec<Hazard>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if files::is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let file = folder.join(&name);
        let is_executable = rustix::fs::access(&file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file();
        if is_executable && HOOK_EVENTS.contains(&name.as_str()) {
            let value = "an executable file".to_owned();
            found.push(Hazard { key: name, value, scope: "hook".to_owned(), kind: HazardKind::RunsProgram });
        }
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{repository::open, run::Git};
    use alignwatch_testkit::{Repo, sketch};
    use std::os::unix::fs::PermissionsExt;

    fn with(settings: &[(&str, &str)]) -> Repo {
        let repo = sketch("main: a").worktree().draw();
        for (key, value) in settings {
            repo.git(["config", "--add", key, value]);
        }
        repo
    }

    fn found(repo: &Repo) -> Vec<Hazard> {
        let (opened, git) = (open(repo.path()).unwrap(), Git::find().unwrap());
        let at = git.at(&opened).unwrap();
        hazards(at.entries(), &repo.git_dir()).seen().unwrap().clone()
    }

    fn kinds(settings: &[(&str, &str)]) -> Vec<HazardKind> {
        found(&with(settings)).into_iter().map(|hazard| hazard.kind).collect()
    }

    #[test]
    fn a_fresh_repository_has_no_hazards() {
        assert_eq!(found(&with(&[])), []);
    }

    #[test]
    fn each_kind_is_told_apart_as_git_itself_reads_the_settings() {
        use HazardKind::{MergeBehaviour, MirrorPush, RunsProgram, Secret, ShortUndo};
        assert_eq!(kinds(&[("core.fsmonitor", "./watch")]), [RunsProgram]);
        assert_eq!(kinds(&[("Merge.Mine.Driver", "./merge %A")]), [RunsProgram]);
        assert_eq!(kinds(&[("filter.a.b.clean", "x")]), [RunsProgram]);
        assert_eq!(kinds(&[("alias.x", "!rm -rf ."), ("submodule.s.update", "!x")]), [RunsProgram, RunsProgram]);
        assert_eq!(kinds(&[("remote.origin.mirror", "yes")]), [MirrorPush]);
        assert_eq!(kinds(&[("remote.origin.url", "https://me:secret@example.org/x")]), [Secret]);
        assert_eq!(kinds(&[("http.https://example.org/.extraHeader", "AUTHORIZATION: basic eDp5")]), [Secret]);
        assert_eq!(kinds(&[("gc.pruneExpire", "now"), ("gc.reflogExpire", "3.days.ago")]), [ShortUndo, ShortUndo]);
        assert_eq!(kinds(&[("gc.refs/heads/x.reflogExpire", "1 week")]), [ShortUndo]);
        assert_eq!(kinds(&[("core.logAllRefUpdates", "false")]), [ShortUndo]);
        assert_eq!(kinds(&[("merge.renames", "false")]), [MergeBehaviour]);
    }

    #[test]
    fn ordinary_settings_are_no_hazards() {
        let ordinary = [
            ("core.fsmonitor", "true"),
            ("pager.log", "false"),
            ("alias.st", "status"),
            ("submodule.s.update", "rebase"),
            ("remote.origin.url", "https://me@example.org/x"),
            ("remote.origin.url", "git@example.org:x"),
            ("remote.origin.mirror", "false"),
            ("gc.pruneExpire", "2.weeks.ago"),
            ("gc.reflogExpire", "never"),
            ("user.name", "password"),
            ("merge.conflictStyle", "diff3"),
            ("branch.main.merge", "refs/heads/main"),
        ];
        assert_eq!(found(&with(&ordinary)), []);
    }

    #[test]
    fn a_secret_is_never_shown() {
        let settings = [
            ("remote.origin.url", "https://me:hunter2@example.org/x"),
            ("remote.other.pushurl", "https://ghp_hunter2@example.org/x"),
            ("http.extraHeader", "Authorization: bearer hunter2"),
            ("sendemail.smtpPass", "hunter2"),
        ];
        let found = found(&with(&settings));
        assert_eq!(found.len(), 4);
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
        assert_eq!(found[0].value, "https://…@example.org/x");
    }

    #[test]
    fn hooks_count_when_git_would_run_them() {
        let repo = with(&[]);
        let hooks = repo.git_dir().join("hooks");
        fs::create_dir_all(&hooks).unwrap();
        for (name, mode) in
            [("pre-commit", 0o755), ("pre-push", 0o644), ("pre-rebase.sample", 0o755), ("notes.sh", 0o755)]
        {
            fs::write(hooks.join(name), "#!/bin/sh\n").unwrap();
            fs::set_permissions(hooks.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let found = found(&repo);
        assert_eq!(
            found.iter().map(|hazard| (&*hazard.key, &*hazard.scope)).collect::<Vec<_>>(),
            [("pre-commit", "hook")]
        );
    }

    #[test]
    fn hooks_that_cannot_be_listed_are_unknown() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("hooks", folder.path().join("hooks")).unwrap();
        assert!(hazards(&[], folder.path()).reason().is_some(), "a link to itself");
    }
}
