//! What is remembered of a repository's remotes, and how all of them are asked, for the tasks that do.
//!
//! What a run learnt is written beside what was known before ([`Known::keep`]) and takes its place when the run did its
//! work ([`settle`]), so that numbers measured before the work are those before it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use alignwatch_git::tend::{self, Fetched, RefUndo, Remote, Undo, Way};
use alignwatch_model::{
    Look, Span, Timestamp,
    facts::settings::Remotes,
    task::{Measure, Plan},
    words,
};
use serde::{Deserialize, Serialize};

use crate::task::{Draft, Seen, Work};

/// What every task needs to look at that asks remotes.
pub(crate) const LOOKS: &[Look] = &[Look::Locks, Look::Settings, Look::Storage];

/// What is remembered, by what was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known(BTreeMap<String, Told>);

/// How asking the remotes ended the last time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// When, in seconds since 1970.
    pub(crate) at: i64,
    /// What changed.
    pub(crate) n_changed: u64,
    /// Remotes that could not be asked, each with the reason.
    pub(crate) failed: Vec<String>,
    /// What they said: names and values, where a task needs them.
    #[serde(default)]
    pub(crate) said: BTreeMap<String, String>,
}

impl Known {
    /// What can't be read was never asked.
    pub(crate) fn of(seen: &Seen<'_>) -> Known {
        let text = fs::read(file(seen, "json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(crate) fn about(&self, what: &str) -> Option<&Told> {
        self.0.get(what)
    }

    /// Writes down what this run learnt.
    pub(crate) fn keep(seen: &Seen<'_>, what: &str, told: Told) -> Result<(), String> {
        let mut known = Known::of(seen);
        known.0.insert(what.to_owned(), told);
        let bytes = serde_json::to_vec(&known).map_err(|error| error.to_string())?;
        write(&file(seen, "next"), &bytes)
    }

    /// What this run learnt.
    pub(crate) fn learnt(seen: &Seen<'_>, what: &str) -> Result<Told, String> {
        let path = file(seen, "next");
        let text = fs::read(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        let known: Known = serde_json::from_slice(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
        known.0.get(what).cloned().ok_or_else(|| format!("`{}` does not tell of it", path.display()))
    }
}

/// What was learnt is what is known from now on. Errors: a remote could not be asked.
pub(crate) fn settle(seen: &Seen<'_>, told: &Told) -> Result<(), String> {
    let (from, to) = (file(seen, "next"), file(seen, "json"));
    fs::rename(&from, &to).map_err(|error| format!("cannot write `{}`: {error}", to.display()))?;
    if told.failed.is_empty() { Ok(()) } else { Err(told.failed.join("; ")) }
}

fn file(seen: &Seen<'_>, kind: &str) -> PathBuf {
    folder(seen).join(format!("{}.{kind}", seen.opened.id()))
}

fn folder(seen: &Seen<'_>) -> PathBuf {
    seen.data_dir.join("remotes")
}

/// Makes a folder of ours, for nobody else to look into.
pub(crate) fn make(folder: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| format!("cannot make `{}`: {error}", folder.display()))
}

/// Writes a file of ours as a whole, for nobody else to read.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    let draft = path.with_extension("draft");
    make(folder)?;
    let written = (|| {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    })();
    written.map_err(|error: io::Error| format!("cannot write `{}`: {error}", path.display()))
}

/// The remotes that are configured.
pub(crate) fn named<'a>(seen: &Seen<'a>) -> Result<&'a Remotes, &'a str> {
    match &seen.snapshot.facts.remotes {
        alignwatch_model::Known::Seen(remotes) => Ok(remotes),
        alignwatch_model::Known::Unknown(reason) => Err(reason),
    }
}

/// Minutes since the remotes were asked for this, as a number that a plan goes by.
pub(crate) fn minutes(seen: &Seen<'_>, name: &str, what: &str) -> Measure {
    let at = Known::of(seen).about(what).map(|told| told.at);
    Measure::since(name, at.map(|at| (seen.now.0 - at) / 60), "minutes", "it was never asked")
}

/// Changes of the last time, as a number.
pub(crate) fn changed(seen: &Seen<'_>, name: &str, what: &str) -> Measure {
    let n = Known::of(seen).about(what).map_or(0, |told| told.n_changed);
    Measure::of(name, i64::try_from(n).unwrap_or(i64::MAX), "refs")
}

/// A plan that asks each remote when the last time is so many minutes ago.
pub(crate) fn plan(seen: &Seen<'_>, mut draft: Draft, age: &str, minutes: i64, source: &str, step: &str) -> Plan {
    let due = draft.reaches(age, minutes, source);
    let remotes = match named(seen) {
        Ok(remotes) => remotes,
        Err(reason) => return draft.refuse(reason.to_owned()),
    };
    if remotes.all.is_empty() {
        return draft.rest("there is no remote");
    }
    if seen.snapshot.repository.is_partial {
        return draft.refuse("objects are missing on purpose here (partial clone): fetch it yourself");
    }
    for remote in &remotes.all {
        draft = draft.step(format!("{step} `{}` ({})", remote.name, remote.fetch_url));
    }
    let draft = draft.costs(10, crate::numbers::pack_bytes(seen) / 4);
    let told = words::count(remotes.all.len(), "remote");
    match due {
        Ok(false) => draft.rest("that was not long ago"),
        // What was never asked is due.
        Ok(true) | Err(_) => draft.act(format!("{told} can be asked")),
    }
}

/// Asks each remote that is not left out, and says what is to change. What was learnt is written down.
///
/// Errors: none could be asked.
pub(crate) fn ask(
    work: &Work<'_>,
    what: &str,
    way: Way,
    judge: &dyn Fn(&Remote, &Fetched) -> Result<(), String>,
) -> Result<Vec<RefUndo>, String> {
    let room = folder(&work.seen);
    make(&room)?;
    sweep(&room, work.seen.now);
    let (mut changes, mut failed) = (BTreeMap::new(), Vec::new());
    let mut n_asked = 0;
    for remote in tend::remotes(work.git) {
        work.may_go_on()?;
        let asked = remote.and_then(|remote| {
            let named = |reason: String| (remote.name.clone(), reason);
            let fetched = tend::fetch(work.git, &remote, way, &room, work.stop).map_err(named)?;
            judge(&remote, &fetched).map_err(named)?;
            Ok((remote, fetched))
        });
        match asked {
            Err((name, reason)) => failed.push(format!("`{name}`: {reason}")),
            Ok((remote, fetched)) => {
                n_asked += 1;
                if !fetched.refused.is_empty() {
                    failed.push(format!("`{}` refused a part: {}", remote.name, fetched.refused));
                }
                for change in fetched.changes {
                    changes.entry(change.name.clone()).or_insert(change);
                }
            }
        }
    }
    if n_asked == 0 {
        return Err(format!("no remote could be used: {}", failed.join("; ")));
    }
    let told = Told { at: work.seen.now.0, n_changed: changes.len() as u64, failed, said: BTreeMap::new() };
    Known::keep(&work.seen, what, told)?;
    Ok(changes.into_values().collect())
}

/// Removes scratch repositories that a killed run left.
fn sweep(room: &Path, now: Timestamp) {
    /// Source: ours; no fetch takes as long.
    const OLD: Span = Span::days(1);
    for entry in fs::read_dir(room).into_iter().flatten().flatten().take(10_000) {
        let is_scratch = entry.file_name().to_string_lossy().starts_with("scratch-");
        let is_old = entry.metadata().is_ok_and(|about| about.is_dir() && OLD < now.since(Timestamp(about.mtime())));
        if is_scratch && is_old {
            // What can't be removed now is tried again the next time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// What takes these changes of refs back.
pub(crate) fn undo_of(work: &Work<'_>, refs: Vec<RefUndo>) -> Undo {
    Undo { quarantine: format!("quarantine/{}", work.id), refs, ..Undo::default() }
}

/// Changes the refs, all or none.
pub(crate) fn change(work: &Work<'_>, message: &'static str) -> Result<(), String> {
    let commands = work.undo.transaction(false)?;
    if commands.is_empty() {
        return Ok(());
    }
    let call =
        work.git.command("update-ref").option("-m").option(message).option("--stdin").option("-z").input(commands);
    call.run().map(drop).map_err(|error| format!("nothing was changed, since something moved meanwhile: {error}"))
}

/// Names of the refs that are to go.
pub(crate) fn gone(fetched: &Fetched) -> BTreeSet<&str> {
    fetched.changes.iter().filter(|change| change.after.is_none()).map(|change| change.name.as_str()).collect()
}
