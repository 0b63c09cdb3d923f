//! Asks remotes for what is new, without letting the repository have a say in how.
//!
//! Git runs in a scratch repository that has the refs and objects of the real one, and none of its settings, hooks and
//! submodules. What it changed among the refs there is what would change here: the caller writes that down and then
//! does it, in one transaction. Of the repository's settings only the address and the refspecs count; keys, helpers
//! and proxies are those of whoever runs us, and nobody is asked for anything.
//!
//! Objects arrive before any ref names them. When that is the end, git's grace for new objects keeps and then drops them.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use super::{RefUndo, Scratch};
use crate::{
    config_text::boolean,
    hazards::without_secrets,
    health::settings::{Rewrites, of_section},
    repository::Opened,
    run::{GitAt, GitError, Limits},
    stop::Stop,
};

/// The file with what was fetched last.
pub const FETCH_HEAD: &str = "FETCH_HEAD";

/// How long one remote may take. Source: ours; a first fetch of 10 GiB at 6 MiB a second.
const TIME_AT_MOST: Duration = Duration::from_secs(30 * 60);

/// Bytes of one pack that may come. Source: ours; four times the largest repository that is known to be public.
const PACK_AT_MOST: u64 = 256 << 30;

/// Remotes of one repository that are asked. Source: ours.
const REMOTES_AT_MOST: usize = 50;

/// What is wanted of a remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Refs that are new there or moved, by the remote's refspecs.
    Fetch,
    /// The same into `refs/prefetch/`, which nobody looks at: a later fetch has little to bring.
    Prefetch,
    /// Refs that are gone there.
    Prune,
}

/// A remote, as far as its settings count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its name.
    pub name: String,
    /// Where it is. May hold a secret: never shown.
    url: Vec<u8>,
    refspecs: Vec<Vec<u8>>,
    tags: Option<&'static str>,
}

/// What a remote brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Refs that are to change, in order of their names. One whose name is no text is left out.
    pub changes: Vec<RefUndo>,
    /// What git refused, in its words; empty = nothing.
    pub refused: String,
}

/// The remotes of a repository that have an address and refspecs. Errors of one: why it is not asked, with its name.
pub fn remotes(git: &GitAt<'_>) -> Vec<Result<Remote, (String, String)>> {
    let mut named: BTreeMap<&[u8], Vec<(&[u8], Option<&[u8]>)>> = BTreeMap::new();
    for entry in git.entries() {
        if let Some((name, key)) = of_section(&entry.key, b"remote.") {
            named.entry(name).or_default().push((key, entry.value.as_deref()));
        }
    }
    let rules = Rewrites::of(git.entries());
    let is_asked = |settings: &Vec<(&[u8], Option<&[u8]>)>| {
        let is_on = |wanted: &[u8]| {
            let last = settings.iter().rev().find(|(key, _)| *key == wanted);
            last.is_some_and(|(_, value)| boolean(*value) == Some(true))
        };
        settings.iter().any(|(key, _)| *key == b"url") && !is_on(b"skipfetchall") && !is_on(b"skipdefaultupdate")
    };
    let asked = named.into_iter().filter(|(_, settings)| is_asked(settings)).take(REMOTES_AT_MOST);
    asked.map(|(name, settings)| remote(git, name, &settings, &rules)).collect()
}

fn remote(
    git: &GitAt<'_>,
    name: &[u8],
    settings: &[(&[u8], Option<&[u8]>)],
    rules: &Rewrites,
) -> Result<Remote, (String, String)> {
    let shown = String::from_utf8_lossy(name).into_owned();
    let not = |reason: &str| Err((shown.clone(), reason.to_owned()));
    let values =
        |wanted: &'static [u8]| settings.iter().filter(move |(key, _)| *key == wanted).filter_map(|(_, value)| *value);
    let Some(url) = values(b"url").next() else { return not("it has no address") };
    let url = rules.fetch(url);
    if values(b"vcs").next().is_some() || !is_plain_address(&url) {
        return not("its address needs a helper program or is relative to a folder");
    }
    let refspecs: Vec<Vec<u8>> = values(b"fetch").map(<[u8]>::to_vec).collect();
    let writes_branches = |spec: &Vec<u8>| {
        let to = spec.splitn(2, |&byte| byte == b':').nth(1).unwrap_or_default();
        to.starts_with(b"refs/heads/") || to.starts_with(b"refs/*") || !to.is_empty() && !to.starts_with(b"refs/")
    };
    if refspecs.is_empty() {
        return not("it has no refspec");
    }
    if !git.opened().is_bare && refspecs.iter().any(writes_branches) {
        return not("its refspec would move branches of this working repository");
    }
    let tags = match values(b"tagopt").next_back() {
        Some(b"--tags") => Some("--tags"),
        Some(b"--no-tags") => Some("--no-tags"),
        _ => None,
    };
    Ok(Remote { name: shown, url, refspecs, tags })
}

/// An address that git reaches by itself: no helper program, and not from a folder.
fn is_plain_address(url: &[u8]) -> bool {
    let text = String::from_utf8_lossy(url);
    match text.split_once("://") {
        Some((scheme, rest)) => {
            ["https", "http", "git", "file", "ssh", "git+ssh", "ssh+git"].contains(&scheme) && !rest.starts_with('-')
        }
        None if text.starts_with('/') => true,
        // `host:path`, as ssh has it.
        None => {
            let host = text.split(['/', ':']).next().unwrap_or_default();
            !text.contains("::") && !text.starts_with('-') && text[host.len()..].starts_with(':')
        }
    }
}

/// Asks a remote, and says which refs are to change. Only objects are written here.
///
/// `room` is a folder for a scratch repository. Errors: it could not be asked, as a sentence part without secrets.
pub fn fetch(git: &GitAt<'_>, remote: &Remote, way: Way, room: &Path, stop: &Stop) -> Result<Fetched, String> {
    let opened = git.opened();
    if opened.is_partial {
        return Err("objects are missing on purpose here (partial clone): fetch it yourself".to_owned());
    }
    let place = Scratch::within(git.git(), room, &opened.object_format).map_err(|error| error.to_string())?;
    let before = refs(git).map_err(|error| error.to_string())?;
    let scratch = place.opened();
    let shallow = fs::read(opened.common_dir.join("shallow")).ok();
    prepare(&scratch.common_dir, &before, shallow.as_deref(), shared_with(git))?;
    let at = git.git().at(scratch).map_err(|error| error.to_string())?;
    let refused = run(git, &at, remote, way, stop)?;
    if fs::read(scratch.common_dir.join("shallow")).ok() != shallow {
        return Err("the remote moved the border of this shallow repository: fetch it yourself".to_owned());
    }
    let after = refs(&at).map_err(|error| error.to_string())?;
    let changes = changes(&before, &after, way);
    match way {
        Way::Fetch => may_all_move(opened, &changes)?,
        Way::Prefetch | Way::Prune => {}
    }
    Ok(Fetched { changes, refused })
}

/// Runs git in the scratch repository. Returns what it refused.
fn run(git: &GitAt<'_>, at: &GitAt<'_>, remote: &Remote, way: Way, stop: &Stop) -> Result<String, String> {
    let limits = Limits {
        time: TIME_AT_MOST,
        cpu_seconds: TIME_AT_MOST.as_secs(),
        file_bytes: PACK_AT_MOST,
        niceness: 10,
        ..Limits::default()
    };
    let call = at.command("fetch").reaching_as_operator().object_directory(&git.opened().objects_dir).limits(limits);
    let call = call.option("--no-progress").option("--recurse-submodules=no").option("--upload-pack=git-upload-pack");
    let call = call.option("--no-auto-maintenance").option("--no-write-commit-graph").option("--no-prune-tags");
    let knows_prefetch = git.git().version().prefetch();
    let call = match way {
        Way::Fetch => call.option("--no-prune"),
        Way::Prefetch => {
            let call = if knows_prefetch { call.option("--prefetch") } else { call };
            call.option("--prune").option("--no-tags").option("--no-write-fetch-head")
        }
        Way::Prune => call.option("--prune").option("--no-tags").option("--no-write-fetch-head"),
    };
    let call = match (way, remote.tags) {
        (Way::Fetch, Some(tags)) => call.option(tags),
        _ => call,
    };
    let refspecs: Vec<Vec<u8>> = match way {
        Way::Prefetch if !knows_prefetch => remote.refspecs.iter().filter_map(|spec| prefetched(spec)).collect(),
        _ => remote.refspecs.clone(),
    };
    let call = refspecs.iter().fold(call.revision(&remote.url), |call, spec| call.revision(spec));
    let until = Instant::now() + TIME_AT_MOST;
    let ended = call.run_watched(&[REFUSED], &mut |_| !stop.is_due() && Instant::now() < until);
    match ended.map_err(|error| told(&error))? {
        None => Err(stop.reason().unwrap_or_else(|| "it took too long".to_owned())),
        Some(output) if output.code == REFUSED => Ok(without_secrets(&String::from_utf8_lossy(&output.stderr))
            .lines()
            .filter(|line| line.contains("! ["))
            .map(str::trim)
            .collect::<Vec<_>>()
            .join("; ")),
        Some(_) => Ok(String::new()),
    }
}

/// A refspec as `--prefetch` has it: into `refs/prefetch/`, whatever moved. `None` = it brings nothing there.
///
/// Source: git, builtin/fetch.c, `filter_prefetch_refspec`.
fn prefetched(spec: &[u8]) -> Option<Vec<u8>> {
    if spec.starts_with(b"^") {
        return Some(spec.to_owned());
    }
    let spec = spec.strip_prefix(b"+").unwrap_or(spec);
    let colon = spec.iter().position(|&byte| byte == b':')?;
    let (from, to) = (&spec[..colon], &spec[colon + 1..]);
    let to = to.strip_prefix(b"refs/").unwrap_or(to);
    let brings = !from.starts_with(b"refs/tags/") && !to.is_empty();
    brings.then(|| [b"+", from, b":refs/prefetch/", to].concat())
}

/// How a fetch ends that was asked to rewind a ref and would not.
const REFUSED: i32 = 1;

fn told(error: &GitError) -> String {
    without_secrets(&error.to_string())
}

/// Who else may read what git writes here: git goes by the repository's own file alone.
fn shared_with<'a>(git: &'a GitAt<'_>) -> Option<&'a str> {
    let last = git.entries().iter().rev().find(|entry| entry.key == b"core.sharedrepository")?;
    let value = std::str::from_utf8(last.value.as_deref().unwrap_or(b"true")).ok()?;
    value.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(value)
}

/// Refs, the border of a shallow repository and who may read it, as the real one has them.
fn prepare(
    scratch: &Path,
    refs: &BTreeMap<Vec<u8>, String>,
    shallow: Option<&[u8]>,
    shared: Option<&str>,
) -> Result<(), String> {
    let mut packed = b"# pack-refs with: sorted \n".to_vec();
    for (name, id) in refs {
        packed.extend(id.bytes().chain([b' ']).chain(name.iter().copied()).chain([b'\n']));
    }
    let written = fs::write(scratch.join("packed-refs"), packed);
    let written = written.and_then(|()| shallow.map_or(Ok(()), |text| fs::write(scratch.join("shallow"), text)));
    let written = written.and_then(|()| {
        let Some(shared) = shared else { return Ok(()) };
        let mut config = fs::OpenOptions::new().append(true).open(scratch.join("config"))?;
        config.write_all(format!("[core]\n\tsharedRepository = {shared}\n").as_bytes())
    });
    written.map_err(|error| format!("cannot write in `{}`: {error}", scratch.display()))
}

/// Name and id of each ref that is no other name of one.
fn refs(git: &GitAt<'_>) -> Result<BTreeMap<Vec<u8>, String>, GitError> {
    let listed = git.command("for-each-ref").option("--format=%(objectname) %(refname) %(symref)").run()?.stdout;
    let mut refs = BTreeMap::new();
    for line in listed.split(|&byte| byte == b'\n') {
        let mut words = line.splitn(3, |&byte| byte == b' ');
        if let (Some(id), Some(name), Some(b"")) = (words.next(), words.next(), words.next()) {
            refs.insert(name.to_vec(), String::from_utf8_lossy(id).into_owned());
        }
    }
    Ok(refs)
}

/// Refs that are never another repository's to move: what was put aside, and what belongs to operations here.
const OURS: [&str; 8] = [
    "refs/archive/",
    "refs/backup/",
    "refs/alignwatch/",
    "refs/stash",
    "refs/replace/",
    "refs/bisect/",
    "refs/worktree/",
    "refs/rewritten/",
];

/// Errors: one of these must not move here, whatever the refspecs say: git looks after that only where the worktrees are.
fn may_all_move(opened: &Opened, changes: &[RefUndo]) -> Result<(), String> {
    let is_ours = |one: &&RefUndo| OURS.iter().any(|ours| one.name.starts_with(ours));
    if let Some(one) = changes.iter().find(is_ours) {
        return Err(format!("it would change `{}`, which is not the remote's: fetch it yourself", one.name));
    }
    let Some(branch) = changes.iter().find(|one| one.name.starts_with("refs/heads/")) else { return Ok(()) };
    let worktrees = opened.common_dir.join("worktrees");
    match opened.is_bare && !worktrees.exists() {
        true => Ok(()),
        false => Err(format!("it would move `{}`, which a worktree may hold: fetch it yourself", branch.name)),
    }
}

fn changes(before: &BTreeMap<Vec<u8>, String>, after: &BTreeMap<Vec<u8>, String>, way: Way) -> Vec<RefUndo> {
    let is_wanted = |one: &RefUndo| match way {
        Way::Fetch => one.after.is_some(),
        // What only looks like the copy of a remote's branch is somebody's own.
        Way::Prune => one.after.is_none() && one.name.starts_with("refs/remotes/"),
        Way::Prefetch => one.name.starts_with("refs/prefetch/"),
    };
    let names: std::collections::BTreeSet<&Vec<u8>> = before.keys().chain(after.keys()).collect();
    let change = |name: &Vec<u8>| {
        let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
        let name = String::from_utf8(name.clone()).ok().filter(|_| before != after)?;
        Some(RefUndo { name, before, after })
    };
    names.into_iter().filter_map(change).filter(is_wanted).collect()
}

/// The default branch that a remote says it has: `refs/heads/main`; `None` = it does not say.
///
/// Errors: it could not be asked, as a sentence part without secrets.
pub fn default_of_remote(git: &GitAt<'_>, remote: &Remote, room: &Path) -> Result<Option<String>, String> {
    let format = &git.opened().object_format;
    let place = Scratch::within(git.git(), room, format).map_err(|error| error.to_string())?;
    let at = git.git().at(place.opened()).map_err(|error| error.to_string())?;
    let limits = Limits { time: Duration::from_secs(60), stdout_bytes: 1 << 20, ..Limits::default() };
    let call = at.command("ls-remote").reaching_as_operator().option("--symref").limits(limits);
    let call = call.option("--upload-pack=git-upload-pack").revision(&remote.url).revision("HEAD");
    let said = call.run().map_err(|error| told(&error))?.stdout;
    let line = said.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"ref: "));
    let name = line.and_then(|line| line.strip_suffix(b"\tHEAD"));
    Ok(name.and_then(|name| String::from_utf8(name.to_vec()).ok()))
}

/// Says by the time of `FETCH_HEAD` that the remotes were asked now. What stands in it stays: it may be somebody's.
///
/// Where nothing does, it gets a line that nobody can merge by mistake: an empty one is what a failed fetch leaves.
pub fn note_fetched(git: &GitAt<'_>) -> Result<(), String> {
    let path = git.opened().git_dir.join(FETCH_HEAD);
    let about = fs::symlink_metadata(&path).ok();
    if about.as_ref().is_some_and(|about| !about.is_file()) {
        return Err(format!("`{}` is no file", path.display()));
    }
    let line = match about.as_ref().is_some_and(|about| 0 < about.len()) {
        true => Vec::new(),
        false => {
            let format = "--format=%(objectname)%09not-for-merge%09%(refname), as alignwatch fetched it";
            let call = git.command("for-each-ref").option("--count=1").option(format).revision("refs/remotes/");
            call.run().map_err(|error| error.to_string())?.stdout
        }
    };
    let mut options = fs::OpenOptions::new();
    let noted = if about.is_some() { options.append(true) } else { options.write(true).create_new(true) }.open(&path);
    let noted = noted.and_then(|mut file| file.write_all(&line).and_then(|()| file.set_modified(SystemTime::now())));
    noted.map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_needs_a_program_or_a_folder_is_not_asked() {
        for url in ["https://e.org/x", "ssh://e.org/x", "git@e.org:x", "e.org:x/y", "/srv/x.git", "file:///srv/x"] {
            assert!(is_plain_address(url.as_bytes()), "{url}");
        }
        for url in
            ["ext::sh -c x", "foo::bar", "foo://bar", "../x", "x/y:z", "-x", "-x:y", "ssh://-oProxyCommand=x/y", ""]
        {
            assert!(!is_plain_address(url.as_bytes()), "{url}");
        }
    }
}
