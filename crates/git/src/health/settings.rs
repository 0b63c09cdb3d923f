//! Sees the settings that decide what can be undone, who is let in, and where pushes go.
//!
//! Those of whoever runs us are asked of git, outside of every repository; those
//! of the repository were read when it was opened. Secrets are taken out.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use alignwatch_model::{
    Known, RefName, Timestamp,
    facts::settings::{Remote, Remotes, Settings},
};

use crate::{
    config_text::boolean,
    files,
    hazards::without_secrets,
    refs::Refs,
    repository::Opened,
    run::{Entry, Git, GitError},
    worktrees::worktrees,
};

/// A setting by its key, and its value; `None` = no `=` behind the key.
type Setting = (Vec<u8>, Option<Vec<u8>>);

/// The settings of the repository and of whoever runs us.
pub(crate) fn settings(opened: &Opened, entries: &[Entry], git: &Git) -> Settings {
    let own = Known::from_result(operators(git));
    let last = |key: &str| match last_in(entries, key) {
        Some(value) => Known::Seen(Some(value)),
        None => own.clone().map(|own| last_of(own.iter().map(|(key, value)| (&key[..], value.as_deref())), key)),
    };
    let is_on = |key: &str| last(key).map(|value| value.is_some_and(|value| boolean(value.as_deref()) == Some(true)));
    Settings {
        safe_directories: own.clone().map(|own| in_force(&own, b"safe.directory")),
        safe_bare_repository: own.clone().map(|own| in_force(&own, b"safe.barerepository").pop()),
        log_ref_updates: last("core.logallrefupdates").map(|value| value.map(|value| shown(value.as_deref()))),
        takes_pushes: takes_pushes(opened, entries),
        denies_rewinds: is_on("receive.denynonfastforwards"),
        denies_deletes: is_on("receive.denydeletes"),
    }
}

/// The settings of the system and the user, in their order.
fn operators(git: &Git) -> Result<Vec<Setting>, GitError> {
    let list = git.for_operator("config").option("--list").option("-z").run()?;
    let pairs = list.stdout.split(|&byte| byte == 0).filter(|pair| !pair.is_empty());
    let setting = |pair: &[u8]| {
        let mut parts = pair.splitn(2, |&byte| byte == b'\n');
        (parts.next().unwrap_or_default().to_vec(), parts.next().map(<[u8]>::to_vec))
    };
    Ok(pairs.map(setting).collect())
}

/// All values of a key; an empty one takes back those before it.
fn in_force(settings: &[Setting], wanted: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    for (_, value) in settings.iter().filter(|(key, _)| key == wanted) {
        match value.as_deref() {
            Some(b"") => values.clear(),
            value => values.push(shown(value)),
        }
    }
    values
}

fn last_in(entries: &[Entry], key: &str) -> Option<Option<Vec<u8>>> {
    last_of(entries.iter().map(|entry| (&entry.key[..], entry.value.as_deref())), key)
}

fn last_of<'a>(settings: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>, key: &str) -> Option<Option<Vec<u8>>> {
    settings.filter(|(found, _)| *found == key.as_bytes()).last().map(|(_, value)| value.map(<[u8]>::to_vec))
}

fn shown(value: Option<&[u8]>) -> String {
    String::from_utf8_lossy(value.unwrap_or(b"true")).into_owned()
}

/// Hooks that only run where others push to.
const RECEIVING_HOOKS: [&str; 4] = ["pre-receive", "update", "post-receive", "proc-receive"];

/// What shows that others push here, as a sentence part.
fn takes_pushes(opened: &Opened, entries: &[Entry]) -> Option<String> {
    if !opened.is_bare {
        return None;
    }
    let is_on = |key| last_in(entries, key).is_some_and(|value| boolean(value.as_deref()) == Some(true));
    if let Some(key) = ["http.receivepack", "daemon.receivepack"].into_iter().find(|key| is_on(key)) {
        return Some(format!("`{key}` is on"));
    }
    if let Some(entry) = entries.iter().find(|entry| entry.key.starts_with(b"receive.")) {
        return Some(format!("`{}` is set", String::from_utf8_lossy(&entry.key)));
    }
    if is_shared(entries) {
        return Some("`core.sharedRepository` is set".into());
    }
    let is_there = |hook: &&str| {
        let found = fs::metadata(opened.common_dir.join("hooks").join(hook));
        found.is_ok_and(|kind| kind.is_file() && kind.permissions().mode() & 0o111 != 0)
    };
    RECEIVING_HOOKS.into_iter().find(is_there).map(|hook| format!("it has a hook `{hook}`"))
}

/// Several people are meant to write here. Source: git-config(1), `core.sharedRepository`.
pub(crate) fn is_shared(entries: &[Entry]) -> bool {
    match last_in(entries, "core.sharedrepository") {
        Some(Some(value)) => {
            !matches!(value.to_ascii_lowercase().as_slice(), b"umask" | b"false" | b"no" | b"off" | b"0")
        }
        Some(None) => true,
        None => false,
    }
}

/// The remotes of the repository, by name, and when something was last fetched.
pub(crate) fn remotes(opened: &Opened, entries: &[Entry], refs: &Refs) -> Remotes {
    let mut named = BTreeMap::<&[u8], (Option<&[u8]>, Option<&[u8]>)>::new();
    for entry in entries {
        let Some(value) = entry.value.as_deref() else { continue };
        let Some((name, key)) = of_section(&entry.key, b"remote.") else { continue };
        match key {
            // Of several addresses a fetch takes the first.
            b"url" => _ = named.entry(name).or_default().0.get_or_insert(value),
            b"pushurl" => _ = named.entry(name).or_default().1.get_or_insert(value),
            _ => {}
        }
    }
    let rules = Rewrites::of(entries);
    let remote = |(name, (url, pushurl)): (&[u8], (Option<&[u8]>, Option<&[u8]>))| {
        let url = url?;
        Some(Remote {
            name: RefName::new(name).text().into_owned(),
            url: text(url),
            fetch_url: text(&rules.fetch(url)),
            push_url: text(&rules.push(url, pushurl)),
            default: default_branch(refs, name),
        })
    };
    Remotes { all: named.into_iter().filter_map(remote).collect(), fetched_at: fetched_at(&opened.common_dir) }
}

fn text(url: &[u8]) -> String {
    without_secrets(&String::from_utf8_lossy(url))
}

fn default_branch(refs: &Refs, remote: &[u8]) -> Option<String> {
    let name = RefName::new([b"refs/remotes/", remote, b"/HEAD"].concat());
    Some(refs.get(&name)?.symref.as_ref()?.text().into_owned())
}

/// Name and last part of `section.name.key`.
pub(crate) fn of_section<'a>(key: &'a [u8], section: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let rest = key.strip_prefix(section)?;
    let dot = rest.iter().rposition(|&byte| byte == b'.')?;
    Some((&rest[..dot], &rest[dot + 1..]))
}

/// What `url.<base>.insteadOf` and `.pushInsteadOf` of the repository change. Source: remote.c of Git, `alias_url`.
pub(crate) struct Rewrites {
    instead: Vec<(Vec<u8>, Vec<u8>)>,
    push_instead: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Rewrites {
    pub(crate) fn of(entries: &[Entry]) -> Rewrites {
        let mut rules = Rewrites { instead: Vec::new(), push_instead: Vec::new() };
        for entry in entries {
            let (Some((base, key)), Some(beginning)) = (of_section(&entry.key, b"url."), &entry.value) else {
                continue;
            };
            let rule = (beginning.clone(), base.to_vec());
            match key {
                b"insteadof" => rules.instead.push(rule),
                b"pushinsteadof" => rules.push_instead.push(rule),
                _ => {}
            }
        }
        rules
    }

    pub(crate) fn fetch(&self, url: &[u8]) -> Vec<u8> {
        rewritten(&self.instead, url).unwrap_or_else(|| url.to_vec())
    }

    fn push(&self, url: &[u8], pushurl: Option<&[u8]>) -> Vec<u8> {
        match pushurl {
            Some(pushurl) => self.fetch(pushurl),
            None => rewritten(&self.push_instead, url).unwrap_or_else(|| self.fetch(url)),
        }
    }
}

/// By the longest beginning that fits.
fn rewritten(rules: &[(Vec<u8>, Vec<u8>)], url: &[u8]) -> Option<Vec<u8>> {
    let fitting = rules.iter().filter(|(beginning, _)| url.starts_with(beginning));
    let (beginning, base) = fitting.max_by_key(|(beginning, _)| beginning.len())?;
    Some([base, &url[beginning.len()..]].concat())
}

/// When something was last fetched: `FETCH_HEAD` of any worktree, or, where there is none, the clone itself.
///
/// A `FETCH_HEAD` that is empty is the trace of a fetch that failed.
fn fetched_at(common_dir: &Path) -> Known<Option<Timestamp>> {
    let newest = || -> io::Result<Option<Timestamp>> {
        let mut newest = None;
        for worktree in worktrees(common_dir)? {
            match fs::metadata(worktree.git_dir.join("FETCH_HEAD")) {
                Ok(found) if !found.is_file() => return Err(io::Error::other("FETCH_HEAD is no file")),
                Ok(found) if found.len() > 0 => newest = newest.max(Some(Timestamp(found.mtime()))),
                Ok(_) => {}
                Err(error) if files::is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(newest.or_else(|| cloned_at(common_dir)).or_else(|| made_at(common_dir)))
    };
    Known::from_result(newest().map_err(|error| format!("cannot see when something was last fetched: {error}")))
}

/// Bytes of a reflog's beginning that are read: one line of it, with the address that it was cloned from.
const FIRST_LINE_AT_MOST: u64 = 8 << 10;

/// When the repository was cloned, by the first line of HEAD's reflog. Bare clones have none.
fn cloned_at(common_dir: &Path) -> Option<Timestamp> {
    let text = files::read_beginning(&common_dir.join("logs/HEAD"), FIRST_LINE_AT_MOST).ok()??;
    clone_in(text.split(|&byte| byte == b'\n').next()?)
}

/// Files that Git copies from its templates when it makes a repository, and never writes again.
const OF_THE_TEMPLATES: [&str; 2] = ["description", "info/exclude"];

/// When a repository without a log of HEAD was made, which a bare clone is: its picture of a remote cannot be older.
///
/// The oldest of the files counts: one that a person changed looks newer than the repository.
fn made_at(common_dir: &Path) -> Option<Timestamp> {
    if common_dir.join("logs/HEAD").exists() {
        return None;
    }
    let times = OF_THE_TEMPLATES.iter().filter_map(|name| fs::symlink_metadata(common_dir.join(name)).ok());
    times.filter(fs::Metadata::is_file).map(|about| Timestamp(about.mtime())).min()
}

/// The time in a line of a reflog, `<old> <new> <name> <seconds> <zone>\t<what>`, when it is about a clone.
fn clone_in(line: &[u8]) -> Option<Timestamp> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    if !line[tab + 1..].starts_with(b"clone: from ") {
        return None;
    }
    let mut words = line[..tab].rsplit(|&byte| byte == b' ');
    let seconds = words.nth(1)?;
    std::str::from_utf8(seconds).ok()?.parse().ok().map(Timestamp)
}

/// One value of the settings of the system and the user; `None` also where they cannot be read.
pub(crate) fn operators_value(git: &Git, key: &str) -> Option<String> {
    let own = operators(git).ok()?;
    last_of(own.iter().map(|(key, value)| (&key[..], value.as_deref())), key).map(|value| shown(value.as_deref()))
}

/// The first address of each remote, by name. They may hold secrets.
pub(crate) fn addresses(entries: &[Entry]) -> BTreeMap<&[u8], &[u8]> {
    let mut addresses = BTreeMap::new();
    for entry in entries {
        if let (Some((name, b"url")), Some(url)) = (of_section(&entry.key, b"remote."), entry.value.as_deref()) {
            addresses.entry(name).or_insert(url);
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(key: &str, value: Option<&str>) -> Setting {
        (key.into(), value.map(|value| value.into()))
    }

    #[test]
    fn an_empty_value_takes_back_those_before_it() {
        let key = "safe.directory";
        let star = [setting(key, Some("*")), setting("user.name", Some("ann"))];
        assert_eq!(in_force(&star, key.as_bytes()), ["*"]);
        let taken_back = [setting(key, Some("*")), setting(key, Some("")), setting(key, Some("/repo"))];
        assert_eq!(in_force(&taken_back, key.as_bytes()), ["/repo"]);
    }

    #[test]
    fn the_last_value_counts_and_a_key_alone_means_true() {
        let settings = [setting("a.b", Some("1")), setting("a.b", None)];
        let last = last_of(settings.iter().map(|(key, value)| (&key[..], value.as_deref())), "a.b");
        assert_eq!(shown(last.unwrap().as_deref()), "true");
    }

    #[test]
    fn a_git_that_does_not_answer_makes_the_settings_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("git");
        let text = "#!/bin/sh\ncase \"$*\" in *version*) echo git version 2.47.3;; *) exit 3;; esac\n";
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let git = Git::at_program(&program).unwrap();
        let repo = alignwatch_testkit::sketch("main: a").draw();
        let opened = crate::repository::open(repo.path()).unwrap();
        let settings = settings(&opened, &[], &git);
        assert!(settings.safe_directories.reason().is_some() && settings.log_ref_updates.reason().is_some());
        assert!(settings.denies_rewinds.reason().is_some());
    }
}
