//! `stale-branches`: open branches that nobody works on are told of, and go into the archive when nobody minds.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use alignwatch_git::tend::Undo;
use alignwatch_model::{
    Look, Oid, RefName, Timestamp,
    task::{
        Measure, Plan, UNPROVEN,
        stale::{Noticed, Stage, Stale, stale},
    },
    words,
};
use serde::{Deserialize, Serialize};

use crate::{
    archiving::{self, Leaving},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Archives stale branches after a notice.
pub(super) static TASK: Task = Task {
    id: "stale-branches",
    title: "Tell of open branches that nobody works on, and archive them when nobody minds",
    why: "They hide the branches that live, and are measured and predicted again each time. Their work is in no base: each is told of first (`cleanup.notice`), and then its commits stay under refs/archive/. A commit, or its name in `cleanup.keep`, ends that.",
    guard: Guard::Changes,
    uses: &[],
    looks: &[Look::Locks, Look::Landed, Look::Worktrees, Look::Settings],
    usual: "1d",
    opt_in: Some("branches with work of their own go out of sight"),
    undo: "`alignwatch task undo ID`: refs, settings and reflogs are exactly as before",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const UNTOLD: &str = "stale branches that nobody was told of";
const OVER: &str = "stale branches whose notice is over";
const LOCAL: &str = "local branches";

/// Branches of one run. Source: ours; a plan that nobody can read is none.
const AT_MOST: usize = 500;

/// What is written down of a branch that was told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Noted {
    /// Where it was.
    id: String,
    /// When that was told, in seconds since 1970.
    at: i64,
    /// Who made its last commit.
    by: String,
}

/// Branches of one repository that were told of at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleNotice {
    /// When.
    pub at: Timestamp,
    /// Their short names, each with who made its last commit.
    pub branches: Vec<(String, String)>,
}

/// What was told of stale branches in the repository with this id, the oldest first. Errors: it can't be read.
pub fn stale_notices(data_dir: &Path, repository_id: &str) -> Result<Vec<StaleNotice>, String> {
    let path = file(data_dir, repository_id);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot read `{}`: {error}", path.display())),
    };
    let told: BTreeMap<String, Noted> =
        serde_json::from_slice(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let mut by_time: BTreeMap<i64, Vec<(String, String)>> = BTreeMap::new();
    for (name, noted) in told {
        let short = name.trim_start_matches("refs/heads/").to_owned();
        by_time.entry(noted.at).or_default().push((short, noted.by));
    }
    Ok(by_time.into_iter().map(|(at, branches)| StaleNotice { at: Timestamp(at), branches }).collect())
}

fn file(data_dir: &Path, repository_id: &str) -> PathBuf {
    data_dir.join("stale").join(format!("{repository_id}.json"))
}

/// What was told, by full names. What can't be read was not told.
fn noticed(seen: &Seen<'_>) -> BTreeMap<RefName, Noticed> {
    let text = fs::read(file(seen.data_dir, &seen.opened.id())).unwrap_or_default();
    let told: BTreeMap<String, Noted> = serde_json::from_slice(&text).unwrap_or_default();
    let one = |(name, noted): (String, Noted)| {
        let oid = Oid::from_hex(noted.id.as_bytes()).ok()?;
        Some((RefName::from(name.as_str()), Noticed { oid, at: Timestamp(noted.at) }))
    };
    told.into_iter().filter_map(one).collect()
}

fn judged(seen: &Seen<'_>) -> Vec<Stale> {
    let mut stale = stale(seen.snapshot, seen.config, &archiving::beside(seen), &noticed(seen), seen.now);
    // A name that is no text could not be written down so that it comes back.
    stale.retain(|branch| std::str::from_utf8(branch.name.as_bytes()).is_ok());
    stale
}

fn at(stage: &Stage, stale: &[Stale]) -> usize {
    stale.iter().filter(|branch| branch.stage == *stage).count()
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let stale = judged(seen);
    let n_local = seen.snapshot.branches.iter().filter(|branch| branch.name.starts_with("refs/heads/")).count();
    vec![
        Measure::of(UNTOLD, at(&Stage::Tell, &stale) as i64, "branches"),
        Measure::of(OVER, at(&Stage::Goes, &stale) as i64, "branches"),
        Measure::of(LOCAL, n_local as i64, "branches"),
    ]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    if seen.snapshot.repository.ref_backend != "files" {
        return draft.refuse("refs are in tables here, whose reflogs could not be brought back exactly");
    }
    let stale = judged(seen);
    let may_delete = seen.config.cleanup.deletes_in(&seen.snapshot.repository.path);
    for branch in stale.iter().take(AT_MOST) {
        let name = branch.name.text();
        draft = match &branch.stage {
            Stage::Tell => draft.step(format!(
                "tell of {name}, without a commit for {}: it goes into the archive in {}",
                branch.idle, seen.config.cleanup.notice
            )),
            Stage::Goes => draft
                .takes_away(UNPROVEN)
                .step(format!("archive {name} at {}, told of before", &branch.oid.hex()[..12])),
            Stage::Waits(until) => draft.note(format!("{name} was told of, and stays until {until}")),
            Stage::Stays(reason) => draft.note(format!("{name} stays: {reason}")),
        };
    }
    let (n_told, n_going) = (at(&Stage::Tell, &stale), at(&Stage::Goes, &stale));
    let draft = draft.costs(1 + n_going as u64 / 50, n_going as u64 * 4_096);
    match (n_told, n_going) {
        (0, 0) => draft.rest("no branch is stale that was not told of, and no notice is over"),
        (_, n) if 0 < n && !may_delete => draft.refuse(format!(
            "{} could go into the archive, but `cleanup.delete_in` does not name this repository",
            words::count(n, "branch")
        )),
        (0, n) => draft.act(format!("the notice of {} is over", words::count(n, "branch"))),
        (n, 0) => draft.act(format!("{} to be told of", words::count(n, "stale branch"))),
        (told, n) => draft.act(format!(
            "{} to be told of, and the notice of {} is over",
            words::count(told, "stale branch"),
            words::count(n, "branch")
        )),
    }
}

fn leaving(stale: &[Stale]) -> Vec<Leaving<'_>> {
    let going = stale.iter().filter(|branch| branch.stage == Stage::Goes).take(AT_MOST);
    going.map(|branch| (&branch.name, branch.oid)).collect()
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let stale = judged(&work.seen);
    let leaving = leaving(&stale);
    if leaving.is_empty() { Ok(Undo::default()) } else { archiving::keep(work, &leaving) }
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let seen = &work.seen;
    let stale = judged(seen);
    let leaving = leaving(&stale);
    if !leaving.is_empty() {
        archiving::take_away(work, &leaving, &|| Ok(()))?;
    }
    let before = noticed(seen);
    let told = stale.iter().enumerate().filter_map(|(nth, branch)| {
        let at = match &branch.stage {
            // Of what the plan did not name, nobody was told.
            Stage::Tell if AT_MOST <= nth => return None,
            Stage::Tell => seen.now,
            // What stays for another reason meanwhile was told of all the same.
            Stage::Waits(_) | Stage::Stays(_) => before.get(&branch.name).filter(|told| told.oid == branch.oid)?.at,
            Stage::Goes => return None,
        };
        let by = seen.snapshot.branch(&branch.name).and_then(|branch| Some(branch.tip.seen()?.author.clone()));
        let noted = Noted { id: branch.oid.hex(), at: at.0, by: by.unwrap_or_default() };
        Some((branch.name.text().into_owned(), noted))
    });
    let told: BTreeMap<String, Noted> = told.collect();
    let bytes = serde_json::to_vec(&told).map_err(|error| error.to_string())?;
    crate::remotes::write(&file(seen.data_dir, &seen.opened.id()), &bytes)
}
