//! Finds settings of the repository that run programs, lose work, leak secrets or change answers.
//!
//! Only what the repository itself brings counts: its configuration (with what
//! that includes), its worktrees' and its hooks. What the user or the system
//! sets is their own choice. Secrets are taken out of everything that leaves this file.
//!
//! Whether a setting is wanted cannot be told from here: an honest repository has
//! hooks and filters, too.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use alignwatch_model::{
    Known,
    snapshot::{Hazard, HazardKind},
};

use crate::{
    config_text::boolean,
    files,
    harden::HOOK_EVENTS,
    run::{Entry, Scope},
};

/// Characters of a key or value that are shown.
const SHOWN_CHARS: usize = 120;

/// Shortest expiry that is no hazard, in days. Source: Git's own `gc.pruneExpire`, two weeks.
const EXPIRY_DAYS_AT_LEAST: f64 = 14.0;

/// All hazards: of these settings, and of the hooks below the common folder. One setting may be several.
///
/// Unknown when the hooks cannot be listed.
pub fn hazards(entries: &[Entry], common_dir: &Path) -> Known<Vec<Hazard>> {
    let mut found: Vec<Hazard> = entries.iter().flat_map(of_entry).collect();
    match hooks(&common_dir.join("hooks")) {
        Ok(hooks) => found.extend(hooks),
        Err(error) => return Known::Unknown(format!("cannot list the hooks: {error}")),
    }
    Known::Seen(found)
}

/// A key in its parts. Without a name, `name` is empty.
struct Key<'a> {
    section: &'a str,
    name: &'a [u8],
    last: &'a str,
}

impl<'a> Key<'a> {
    fn of(key: &'a [u8]) -> Option<Key<'a>> {
        let first = key.iter().position(|&byte| byte == b'.')?;
        let last = key.iter().rposition(|&byte| byte == b'.')?;
        Some(Key {
            section: std::str::from_utf8(&key[..first]).ok()?,
            name: key.get(first + 1..last).unwrap_or_default(),
            last: std::str::from_utf8(&key[last + 1..]).ok()?,
        })
    }
}

fn of_entry(entry: &Entry) -> Vec<Hazard> {
    let Some(key) = Key::of(&entry.key) else { return Vec::new() };
    let value = entry.value.as_deref();
    let judges: [(HazardKind, bool); 5] = [
        (HazardKind::RunsProgram, runs_program(&key, value)),
        (HazardKind::MirrorPush, (key.section, key.last) == ("remote", "mirror") && boolean(value) == Some(true)),
        (HazardKind::Secret, holds_secret(&key, value)),
        (HazardKind::ShortUndo, shortens_undo(&key, value)),
        (HazardKind::MergeBehaviour, changes_merges(&key)),
    ];
    let hazard = |kind| Hazard {
        key: shown(&entry.key, false),
        value: shown(value.unwrap_or(b"true"), is_secret_key(&key)),
        scope: match entry.scope {
            Scope::Local => "local".into(),
            Scope::Worktree => "worktree".into(),
        },
        kind,
    };
    judges.into_iter().filter(|(_, holds)| *holds).map(|(kind, _)| hazard(kind)).collect()
}

/// Does git run the value as a program? Source: git-config(1) of 2.47 and of master, August 2026.
fn runs_program(key: &Key<'_>, value: Option<&[u8]>) -> bool {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return false };
    let is_named = !key.name.is_empty();
    match (key.section, key.last) {
        // A boolean switches the daemon that is part of git, or the built-in pager.
        ("core", "fsmonitor") | ("pager", _) => boolean(Some(value)).is_none(),
        ("alias", _) => value.starts_with(b"!"),
        ("submodule", "update") => is_named && value.starts_with(b"!"),
        ("remote", "url" | "pushurl") => value.starts_with(b"ext::"),
        ("url", _) => key.name.starts_with(b"ext::"),
        ("protocol", "allow") => key.name == b"ext" && value != b"never",
        ("core", last) => CORE_PROGRAMS.contains(&last),
        ("sequence", "editor") | ("diff", "external") | ("interactive", "difffilter") => true,
        ("credential", "helper") | ("gpg", "program" | "defaultkeycommand") => true,
        ("gc", "recentobjectshook") | ("uploadpack", "packobjectshook") => true,
        ("sendemail", "sendmailcmd" | "tocmd" | "cccmd" | "headercmd") | ("imap", "tunnel") => true,
        ("filter", "clean" | "smudge" | "process") | ("merge", "driver") | ("diff", "command" | "textconv") => is_named,
        ("remote", "uploadpack" | "receivepack" | "vcs") | ("hook", "command") => is_named,
        ("trailer", "command" | "cmd") | ("tar", "command") => is_named,
        ("mergetool" | "difftool" | "browser" | "man" | "guitool", "cmd" | "path") => is_named,
        _ => false,
    }
}

const CORE_PROGRAMS: [&str; 7] =
    ["hookspath", "sshcommand", "gitproxy", "askpass", "editor", "pager", "alternaterefscommand"];

fn shortens_undo(key: &Key<'_>, value: Option<&[u8]>) -> bool {
    match (key.section, key.last) {
        ("gc", "reflogexpire" | "reflogexpireunreachable" | "pruneexpire") => {
            value.and_then(days).is_some_and(|days| days < EXPIRY_DAYS_AT_LEAST)
        }
        ("core", "logallrefupdates") => boolean(value) == Some(false),
        _ => false,
    }
}

/// The length of time of an expiry date such as `now`, `2.weeks.ago` or `30`; `None` for never, and for other forms.
fn days(value: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(value).ok()?.trim().to_ascii_lowercase();
    if matches!(text.as_str(), "now" | "all") {
        return Some(0.0);
    }
    if text == "yesterday" {
        return Some(1.0);
    }
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let number = amount(words.next()?)?;
    let unit = match words.next().unwrap_or("days").trim_end_matches('s') {
        "second" => 1.0 / 86_400.0,
        "minute" => 1.0 / 1_440.0,
        "hour" => 1.0 / 24.0,
        "day" => 1.0,
        "week" => 7.0,
        "month" => 30.0,
        "year" => 365.0,
        _ => return None,
    };
    Some(number * unit)
}

/// A number in digits or, as Git takes it, in words: `two.weeks.ago`, `last.week`. Source: date.c of Git.
fn amount(word: &str) -> Option<f64> {
    const WORDS: [&str; 11] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    match word {
        "last" => Some(1.0),
        word => WORDS.iter().position(|known| *known == word).map(|at| at as f64).or_else(|| word.parse().ok()),
    }
}

/// Settings that make a merge come out differently from one host to the next. Source:
/// git-config(1), `merge.*` and `diff.*`.
fn changes_merges(key: &Key<'_>) -> bool {
    match (key.section, key.last) {
        ("merge", "renames" | "renamelimit" | "directoryrenames" | "renormalize") => key.name.is_empty(),
        ("merge", "driver") => !key.name.is_empty(),
        ("diff", "renames" | "renamelimit" | "algorithm") => true,
        ("core", "attributesfile") => true,
        _ => false,
    }
}

fn holds_secret(key: &Key<'_>, value: Option<&[u8]>) -> bool {
    let value = value.unwrap_or_default();
    !value.is_empty() && is_secret_key(key) || has_secret(value) || has_secret(key.name)
}

/// Keys whose whole value is a secret.
fn is_secret_key(key: &Key<'_>) -> bool {
    matches!(
        (key.section, key.last),
        ("http", "extraheader") | ("sendemail", "smtppass") | ("imap", "pass") | (_, "password" | "token" | "apikey")
    )
}

fn has_secret(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    without_secrets(&text) != text
}

/// A key or value as it may be shown: secrets gone, and not too long.
fn shown(text: &[u8], is_secret: bool) -> String {
    if is_secret {
        return SECRET.into();
    }
    let text = without_secrets(&String::from_utf8_lossy(text));
    if text.chars().count() <= SHOWN_CHARS {
        return text;
    }
    text.chars().take(SHOWN_CHARS).chain(['…']).collect()
}

/// What stands in place of a secret.
const SECRET: &str = "(secret)";

/// The text with the secret part of the user info of every address taken out.
pub(crate) fn without_secrets(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        // User info ends at the last `@` before the path. Source: url.c and credential.c of Git.
        let host_end = after.find(|c: char| c == '/' || c == '?' || c == '#' || c.is_whitespace());
        let authority = &after[..host_end.unwrap_or(after.len())];
        let user_len = authority.rfind('@').unwrap_or(0);
        out.push_str(&harmless_user(&authority[..user_len]));
        rest = &after[user_len..];
    }
    out + rest
}

fn harmless_user(user: &str) -> String {
    match user.split_once(':') {
        Some((name, password)) if !password.is_empty() && is_token(name) => format!("{SECRET}:{SECRET}"),
        Some((name, password)) if !password.is_empty() => format!("{name}:{SECRET}"),
        _ if is_token(user) => SECRET.into(),
        _ => user.to_owned(),
    }
}

/// Forges take tokens in place of a user's name.
///
/// Source: token prefixes as GitHub, GitLab and Bitbucket document them; otherwise letters and digits of the
/// length of the shortest such token, with a digit among them.
fn is_token(name: &str) -> bool {
    const PREFIXES: [&str; 8] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "ATBB"];
    let is_random = 20 <= name.len()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().any(|c| c.is_ascii_digit());
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || is_random
}

/// The hooks Git would run from this folder: executable, and named for an event. The samples that Git installs are none.
fn hooks(folder: &Path) -> io::Result<Vec<Hazard>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if files::is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let key = entry.file_name().to_string_lossy().into_owned();
        if HOOK_EVENTS.contains(&key.as_str()) && is_executable(&entry.path()) {
            let (scope, value) = ("hook".to_owned(), leads_to(&entry.path()));
            found.push(Hazard { key, value, scope, kind: HazardKind::RunsProgram });
        }
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

/// A link to nowhere is not.
fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|kind| kind.is_file() && kind.permissions().mode() & 0o111 != 0)
}

fn leads_to(file: &Path) -> String {
    match fs::read_link(file) {
        Ok(target) => format!("a link to {}", target.display()),
        Err(_) => "an executable file".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{repository::open, run::Git};
    use alignwatch_testkit::{Repo, sketch};
    use std::os::unix::fs::symlink;

    fn said(key: &str, value: &str) -> String {
        let entry = Entry { scope: Scope::Local, key: key.into(), value: Some(value.into()) };
        let line = |hazard: Hazard| format!("{:?} {}={}", hazard.kind, hazard.key, hazard.value);
        of_entry(&entry).into_iter().map(line).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn programs_are_told_from_switches() {
        for (key, value) in [
            ("core.fsmonitor", "./x"),
            ("core.hookspath", ".husky"),
            ("core.sshcommand", "x"),
            ("alias.st", "!x"),
            ("submodule.a.b.update", "!x"),
            ("filter.lfs.process", "git-lfs filter-process"),
            ("diff.x.textconv", "x"),
            ("remote.o.uploadpack", "x"),
            ("remote.o.url", "ext::sh -c x"),
            ("url.ext::x.insteadof", "https://e"),
            ("hook.any.name.command", "x"),
            ("credential.https://example.org.helper", "x"),
            ("pager.log", "x"),
            ("gpg.ssh.program", "x"),
        ] {
            assert_eq!(said(key, value), format!("RunsProgram {key}={value}"));
        }
        for (key, value) in [
            ("core.fsmonitor", "true"),
            ("core.editor", ""),
            ("alias.st", "status"),
            ("pager.log", "false"),
            ("submodule.x.update", "merge"),
            ("core.bare", "true"),
            ("filter.x.required", "true"),
            ("diff.command", "x"),
            ("remote.o.url", "https://example.org/x"),
        ] {
            assert_eq!(said(key, value), "", "{key}={value}");
        }
    }

    #[test]
    fn secrets_are_found_and_never_shown() {
        let key = "remote.o.url";
        assert_eq!(said(key, "https://u:p4ss@e.org/x"), "Secret remote.o.url=https://u:(secret)@e.org/x");
        assert_eq!(said(key, "https://u:a@b@e.org"), "Secret remote.o.url=https://u:(secret)@e.org");
        assert_eq!(said(key, "https://ghp_abc@e.org"), "Secret remote.o.url=https://(secret)@e.org");
        assert_eq!(
            said("http.https://e.org.extraheader", "Authorization: Basic eA=="),
            "Secret http.https://e.org.extraheader=(secret)"
        );
        assert_eq!(said("url.https://u:p@e.org/.insteadof", "e:"), "Secret url.https://u:(secret)@e.org/.insteadof=e:");
        for harmless in
            ["https://e.org/x@y", "ssh://git@e.org/x", "https://alice@e.org", "git@e.org:x", "https://u:@e.org"]
        {
            assert_eq!(said(key, harmless), "");
        }
    }

    #[test]
    fn a_program_that_holds_a_secret_is_both_and_the_secret_is_gone() {
        assert_eq!(
            said("core.sshcommand", "x --to https://u:p@e.org"),
            "RunsProgram core.sshcommand=x --to https://u:(secret)@e.org; Secret core.sshcommand=x --to https://u:(secret)@e.org"
        );
    }

    #[test]
    fn undo_is_short_below_its_limits() {
        let is_short = |key: &str, value: &str| said(key, value).starts_with("ShortUndo");
        assert!(is_short("gc.pruneexpire", "now") && is_short("gc.pruneexpire", "300.hours.ago"));
        assert!(!is_short("gc.pruneexpire", "2.weeks.ago") && !is_short("gc.pruneexpire", "never"));
        assert!(is_short("gc.reflogexpire", "7.days") && is_short("gc.refs/heads/*.reflogexpire", "1 week"));
        assert!(is_short("gc.reflogexpireunreachable", "13") && !is_short("gc.reflogexpire", "90"));
        assert!(is_short("gc.pruneexpire", "yesterday") && is_short("gc.reflogexpire", "one.week.ago"));
        assert!(is_short("gc.reflogexpire", "last week") && !is_short("gc.reflogexpire", "two.weeks.ago"));
        assert!(is_short("core.logallrefupdates", "false") && !is_short("core.logallrefupdates", "always"));
    }

    #[test]
    fn what_changes_merges_and_what_mirrors_is_named() {
        assert_eq!(said("merge.renames", "false"), "MergeBehaviour merge.renames=false");
        assert_eq!(said("merge.x.driver", "y"), "RunsProgram merge.x.driver=y; MergeBehaviour merge.x.driver=y");
        assert_eq!(said("remote.o.mirror", "true"), "MirrorPush remote.o.mirror=true");
        assert_eq!(said("remote.o.mirror", "false"), "");
    }

    #[test]
    fn long_values_are_cut() {
        let hazard = said("core.editor", &"x".repeat(500));
        assert!(hazard.ends_with('…') && hazard.chars().count() < 160);
    }

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

    #[test]
    fn a_fresh_repository_has_no_hazards() {
        assert_eq!(found(&with(&[])), []);
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
        assert_eq!(found[0].value, "https://me:(secret)@example.org/x");
    }

    #[test]
    fn hazards_are_found_in_both_scopes_in_includes_and_in_hooks() {
        let repo =
            with(&[("remote.up.mirror", "true"), ("include.path", "more"), ("extensions.worktreeConfig", "true")]);
        fs::write(repo.git_dir().join("more"), "[Core]\n\tPAGER = less\n[http]\n\textraHeader = X: y\n").unwrap();
        repo.git(["config", "--worktree", "gc.pruneExpire", "now"]);
        let hooks = repo.git_dir().join("hooks");
        fs::create_dir_all(&hooks).unwrap();
        for (name, mode) in
            [("pre-commit", 0o755), ("post-merge", 0o644), ("pre-rebase.sample", 0o755), ("notes.sh", 0o755)]
        {
            fs::write(hooks.join(name), "#!/bin/sh\n").unwrap();
            fs::set_permissions(hooks.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        symlink("/bin/true", hooks.join("pre-push")).unwrap();
        symlink("/nowhere", hooks.join("update")).unwrap();
        let line = |hazard: Hazard| format!("{} {:?} {}={}", hazard.scope, hazard.kind, hazard.key, hazard.value);
        assert_eq!(
            found(&repo).into_iter().map(line).collect::<Vec<_>>(),
            [
                "local MirrorPush remote.up.mirror=true",
                "local RunsProgram core.pager=less",
                "local Secret http.extraheader=(secret)",
                "worktree ShortUndo gc.pruneexpire=now",
                "hook RunsProgram pre-commit=an executable file",
                "hook RunsProgram pre-push=a link to /bin/true",
            ]
        );
    }

    #[test]
    fn hooks_that_cannot_be_listed_are_unknown() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("hooks", folder.path().join("hooks")).unwrap();
        assert!(hazards(&[], folder.path()).reason().is_some(), "a link to itself");
    }
}
