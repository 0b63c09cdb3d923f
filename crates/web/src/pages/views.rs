//! What pages read of a repository, read once for each of its sweeps.
//!
//! A page about ten thousand branches would otherwise spend most of its time on reading them again.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc::sync_channel},
    thread,
    time::Duration,
};

use alignwatch_model::{
    Oid, RefName,
    branch::{Cause, State},
    family,
    kept::KeptBranch,
    words::count,
};
use alignwatch_store::{RepositoryRow, Store, StoreError};
use serde::Deserialize;

use super::{shell::Failed, told};
use crate::{Shared, api::not_known};

/// Views that are kept, the last used. Source: ours; one of ten thousand branches takes some 10 MB.
const KEPT_AT_MOST: usize = 8;

/// Paths in conflict that the page of a repository lists.
pub(super) const PATHS_SHOWN: usize = 12;

/// Branches that are read in one go.
const BRANCHES_A_STEP: usize = 500;

/// How long a page waits for what a sweep just saw, before it shows what the sweep before saw. Source: ours; nobody notices
/// that, and reading ten thousand branches with all their conflicts takes seconds while the next sweep goes on.
const PATIENCE: Duration = Duration::from_millis(200);

/// The views that are kept, the last used at the end.
#[derive(Default)]
pub(crate) struct Views {
    kept: Mutex<Vec<Arc<View>>>,
    /// Repositories that are being read anew.
    under_way: Mutex<BTreeSet<String>>,
    /// Of a repository that nobody looked at yet, one at a time is read: others wait for that, and have it then.
    first: Mutex<()>,
}

/// A repository as its last sweep saw it.
#[derive(Debug)]
pub(super) struct View {
    pub(super) row: RepositoryRow,
    /// `None` = nothing was ever seen.
    pub(super) seen: Option<Seen>,
    /// By name.
    pub(super) branches: Vec<KeptBranch>,
    /// For each branch the idea that it is an attempt at, where there are several attempts.
    pub(super) families: Vec<Option<Arc<str>>>,
    /// Paths at which branches conflict with their base, with how many do; most first.
    pub(super) conflict_paths: Vec<(String, usize)>,
    /// Of the first [`PATHS_SHOWN`] of them, the commits that brought most of these conflicts, as far as known.
    pub(super) mostly_by: Vec<MostlyBy>,
    /// Branches that conflict at more paths than are kept of one.
    pub(super) n_cut: usize,
}

/// The commit of a base that brought most of the conflicts at a path.
#[derive(Debug, PartialEq)]
pub(super) struct MostlyBy {
    pub(super) path: String,
    /// Its short id.
    pub(super) oid: String,
    /// What it is, who made it, and how many branches conflict by it.
    pub(super) about: String,
}

/// What a sweep tells besides branches and findings.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    pub(super) checks: Vec<SeenCheck>,
    pub(super) lines: Vec<SeenLine>,
    pub(super) is_bare: bool,
}

/// How a check ended.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SeenCheck {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) reason: Option<String>,
}

/// A primary line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SeenLine {
    #[serde(rename = "ref")]
    pub(super) name: String,
    pub(super) because: String,
    pub(super) confidence: f64,
}

impl Shared {
    /// The repository with this id as it was last seen. Right after a sweep that may be the sweep before: what is new is
    /// read meanwhile, and a page asks again by itself.
    pub(super) fn view(&self, id: &str) -> Result<Arc<View>, Failed> {
        let row = self.read(|store| store.repository(id))?.ok_or_else(|| not_known(id))?;
        if let Some(view) = self.views.get(&row) {
            return Ok(view);
        }
        match self.views.before(id) {
            Some(before) => Ok(self.read_beside(row).unwrap_or(before)),
            None => self.read_first(row),
        }
    }

    fn read_first(&self, row: RepositoryRow) -> Result<Arc<View>, Failed> {
        let _one_at_a_time = self.views.first.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = self.views.get(&row) {
            return Ok(view);
        }
        let view = Arc::new(self.read(|store| read_view(store, row.clone()))?);
        self.views.put(Arc::clone(&view));
        Ok(view)
    }

    /// Reads it on a thread of its own, once at a time. `None` = it takes longer than a page waits.
    fn read_beside(&self, row: RepositoryRow) -> Option<Arc<View>> {
        let id = row.id.clone();
        if !self.views.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone()) {
            return None;
        }
        let (views, folder) = (Arc::clone(&self.views), self.store.clone());
        let (done, told) = sync_channel(1);
        thread::spawn(move || {
            // What can't be read now is tried again with the next page.
            if let Ok(view) = read_of(&folder, row) {
                let view = Arc::new(view);
                views.put(Arc::clone(&view));
                // The page may have gone on without it.
                let _ = done.send(view);
            }
            views.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        });
        told.recv_timeout(PATIENCE).ok()
    }
}

fn read_of(folder: &Path, row: RepositoryRow) -> Result<View, StoreError> {
    read_view(&alignwatch_store::open_to_read(folder)?, row)
}

fn read_view(store: &Store, row: RepositoryRow) -> Result<View, StoreError> {
    let document = store.document(&row.id)?;
    let mut branches: Vec<KeptBranch> = Vec::new();
    loop {
        let after = branches.last().map(|branch| branch.name.clone()).unwrap_or_default();
        let more = store.branches(&row.id, None, &after, BRANCHES_A_STEP)?;
        let is_last = more.len() < BRANCHES_A_STEP;
        branches.extend(more);
        if is_last {
            break;
        }
    }
    let seen = document.map(|text| serde_json::from_str(&text).unwrap_or_default());
    let (families, conflict_paths) = (families(&branches), conflict_paths(&branches));
    let n_cut = branches.iter().filter(|branch| is_cut(branch)).count();
    let mostly_by =
        conflict_paths.iter().take(PATHS_SHOWN).filter_map(|(path, _)| mostly_by(&branches, path)).collect();
    Ok(View { row, seen, branches, families, conflict_paths, mostly_by, n_cut })
}

impl Views {
    fn get(&self, row: &RepositoryRow) -> Option<Arc<View>> {
        let mut views = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = views.iter().position(|view| view.row == *row)?;
        let view = views.remove(place);
        views.push(Arc::clone(&view));
        Some(view)
    }

    /// As it was seen before.
    fn before(&self, id: &str) -> Option<Arc<View>> {
        let views = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        views.iter().find(|view| view.row.id == id).map(Arc::clone)
    }

    fn put(&self, view: Arc<View>) {
        let mut views = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        views.retain(|other| other.row.id != view.row.id);
        views.push(view);
        let n_too_many = views.len().saturating_sub(KEPT_AT_MOST);
        views.drain(..n_too_many);
    }
}

impl View {
    /// How many branches are in each state that there is, the state that needs a person most first.
    pub(super) fn by_state(&self) -> Vec<(State, usize)> {
        let mut counts = [0; State::BY_CONCERN.len()];
        for branch in &self.branches {
            counts[branch.state.concern()] += 1;
        }
        std::iter::zip(State::BY_CONCERN, counts).filter(|(_, count)| 0 < *count).collect()
    }
}

fn families(branches: &[KeptBranch]) -> Vec<Option<Arc<str>>> {
    let names: Vec<RefName> = branches.iter().map(|branch| RefName::from(branch.name.as_str())).collect();
    let mut of = vec![None; branches.len()];
    for (idea, members) in family::families(&names) {
        let idea: Arc<str> = idea.into();
        members.into_iter().for_each(|member| of[member] = Some(Arc::clone(&idea)));
    }
    of
}

fn mostly_by(branches: &[KeptBranch], path: &str) -> Option<MostlyBy> {
    let mut counts = BTreeMap::<&Oid, (usize, &Cause)>::new();
    for branch in branches.iter().filter(|branch| branch.state == State::Conflicting) {
        let Some(place) = branch.conflicts.iter().flatten().position(|conflict| conflict.path == path) else {
            continue;
        };
        let changed = |cause: &&Cause| cause.paths.iter().any(|&at| usize::from(at) == place);
        if let Some(cause) = branch.causes.iter().find(changed) {
            counts.entry(&cause.oid).or_insert((0, cause)).0 += 1;
        }
    }
    let (n, Cause { oid, subject, author, .. }) = counts.into_values().max_by_key(|(n, _)| *n)?;
    let about = format!("{subject} ({}): {}", told::person(author), count(n, "branch"));
    Some(MostlyBy { path: path.to_owned(), oid: oid.short(), about })
}

fn is_cut(branch: &KeptBranch) -> bool {
    let n_kept = branch.conflicts.as_ref().map_or(0, Vec::len);
    branch.state == State::Conflicting && branch.n_conflicts.is_some_and(|n| n_kept < n as usize)
}

fn conflict_paths(branches: &[KeptBranch]) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for branch in branches.iter().filter(|branch| branch.state == State::Conflicting) {
        for conflict in branch.conflicts.iter().flatten() {
            *counts.entry(&conflict.path).or_default() += 1;
        }
    }
    let mut paths: Vec<_> = counts.into_iter().map(|(path, count)| (path.to_owned(), count)).collect();
    paths.sort_by(|(a, left), (b, right)| right.cmp(left).then_with(|| a.cmp(b)));
    paths
}
