//! Looks through a repository's own settings for those that run programs, lose work, or change answers.
//!
//! Only what the repository itself brings along counts: its local and worktree
//! settings, with what they include, and the hooks that lie in it. Secrets are taken
//! out of everything that leaves this file.
//!
//! Whether a setting is wanted cannot be told from here: an honest repository has
//! hooks and filters, too.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use alignwatch_model::snapshot::{Hazard, HazardKind};

use crate::config_text::boolean;
use crate::files;
use crate::harden::HOOK_EVENTS;
use crate::repository::Opened;
use crate::run::{Entry, Scope};

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 120;

/// Below this, what was lost by mistake may be gone before it is missed. Ours; Git's defaults are 90
/// and 30 days.
const REFLOG_DAYS: f64 = 14.0;

/// Below this, objects that a running command has just written may be deleted under it. Git's default is 14 days.
const PRUNE_DAYS: f64 = 1.0;

/// Why settings could not be looked through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the hooks in `{}`: {cause}", .path.display())]
pub struct HooksUnreadable {
    /// The folder.
    pub path: PathBuf,
    /// The system's words.
    pub cause: String,
}

/// Everything hazardous in these settings and in the repository's hooks, in their order.
pub fn hazards(opened: &Opened, entries: &[Entry]) -> Result<Vec<Hazard>, HooksUnreadable> {
    let mut found: Vec<Hazard> = entries.iter().flat_map(of_entry).collect();
    found.extend(hooks(&opened.common_dir.join("hooks"))?);
    Ok(found)
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
    let days = value.and_then(days);
    match (key.section, key.last) {
        ("gc", "reflogexpire" | "reflogexpireunreachable") => days.is_some_and(|days| days < REFLOG_DAYS),
        ("gc", "pruneexpire") => days.is_some_and(|days| days < PRUNE_DAYS),
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
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let number: f64 = words.next()?.parse().ok()?;
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
    if text.chars().count() <= VALUE_CHARS {
        return text;
    }
    text.chars().take(VALUE_CHARS).chain(['…']).collect()
}

/// What stands in place of a secret.
const SECRET: &str = "(secret)";

/// The text with the secret part of the user info of every address taken out.
fn without_secrets(text: &str) -> String {
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
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && name.chars().any(|c| c.is_ascii_digit());
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || is_random
}

/// The hooks git would run from this folder: executable, and named for an event.
fn hooks(folder: &Path) -> Result<Vec<Hazard>, HooksUnreadable> {
    let unreadable = |error: io::Error| HooksUnreadable { path: folder.into(), cause: error.to_string() };
    let entries = match fs::read_dir(folder) {
        Err(error) if files::is_absent(&error) => return Ok(Vec::new()),
        other => other.map_err(unreadable)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_event = HOOK_EVENTS.contains(&name.as_str());
        // A link to nowhere runs nothing.
        let runs = is_event && fs::metadata(entry.path()).is_ok_and(|kind| kind.is_file() && is_executable(&kind));
        if runs {
            let (key, kind) = (format!("hooks/{name}"), HazardKind::RunsProgram);
            found.push(Hazard { key, value: target(&entry.path()), scope: "hook".into(), kind });
        }
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

fn is_executable(kind: &fs::Metadata) -> bool {
    kind.permissions().mode() & 0o111 != 0
}

/// The file, or where its link leads.
fn target(file: &Path) -> String {
    fs::read_link(file).unwrap_or_else(|_| file.to_owned()).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(is_short("gc.pruneexpire", "now") && is_short("gc.pruneexpire", "12.hours.ago"));
        assert!(!is_short("gc.pruneexpire", "2.weeks.ago") && !is_short("gc.pruneexpire", "never"));
        assert!(is_short("gc.reflogexpire", "7.days") && is_short("gc.refs/heads/*.reflogexpire", "1 week"));
        assert!(is_short("gc.reflogexpireunreachable", "13") && !is_short("gc.reflogexpire", "90"));
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
}
