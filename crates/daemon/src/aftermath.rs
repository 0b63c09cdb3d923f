//! What a run did to its repository: which refs moved, how its branches stand to their bases, and whether it lost work.
//!
//! The same for a command that was run under `alignwatch run`, for a run that a script reports, and for one that somebody
//! reports to the daemon.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use alignwatch_git::{
    inspect,
    repository::{Opened, open},
    run::Git,
    stop::Stop,
    verify::{questions, verify},
    witness,
};
use alignwatch_model::{
    Known, Look, Oid, Timestamp,
    config::Config,
    run::{
        Evidence, Exit, Happened, Judged, Moved, Operation, RefMove, Run, RunEvent, RunId, Seen, Stage, Verification,
        event::MOVES_AT_MOST,
        judge::{judge, moves},
    },
};
use alignwatch_records::fresh;

/// How long drift may be measured. What is not measured by then is unknown.
const DRIFT_AT_MOST: Duration = Duration::from_millis(1_500);

/// Where a run was.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The repository.
    pub path: &'a Path,
    /// The base that was named.
    pub base: Option<&'a str>,
    /// The configuration; `None` = it can't be read, and bases that are not named are not known.
    pub config: Option<&'a Config>,
    /// Where facts are remembered.
    pub data_dir: Option<&'a Path>,
}

/// What is there before a run. Unknown when the repository can't be read.
pub fn sight(path: &Path) -> Known<Seen> {
    match open(path) {
        Ok(opened) => witness::witness(&opened),
        Err(error) => Known::Unknown(error.to_string()),
    }
}

/// Looks at the repository after a run, and judges what became of it.
pub fn look(place: &Place<'_>, before: &Known<Seen>, exit: &Exit) -> (Judged, Known<Seen>) {
    let opened = open(place.path);
    let mut seen = match &opened {
        Ok(opened) => witness::witness(opened),
        Err(error) => Known::Unknown(error.to_string()),
    };
    if let (Ok(opened), Known::Seen(seen)) = (&opened, &mut seen) {
        witness::look_into_imerges(opened, seen);
    }
    let drift = match (&opened, before, &seen) {
        (Ok(opened), Known::Seen(was), Known::Seen(is)) => drift(opened, place, &moves(was, is), is),
        _ => BTreeMap::new(),
    };
    let evidence = Evidence { exit, before, after: &seen, drift: &drift };
    (judge(&evidence), seen)
}

/// What is to be verified of a run that was reported: the operations that it told of, with the bases that they lack, and
/// those that nobody told of.
pub fn operations(place: &Place<'_>, run: &Run, judged: &Judged, seen: &Known<Seen>) -> Vec<Operation> {
    let mut all: Vec<Operation> = run.operations().into_iter().cloned().collect();
    let lacks_base = |one: &Operation| one.base_oid.is_none() && one.before.is_some();
    if let Known::Seen(is) = seen
        && all.iter().any(lacks_base)
    {
        let stop = Stop::new(Some(DRIFT_AT_MOST), Arc::new(AtomicBool::new(false)));
        let found = bases(place, is, stop);
        for one in all.iter_mut().filter(|one| lacks_base(one)) {
            let named = one.base.as_ref().and_then(|name| Some((name.clone(), is.refs.get(name)?.clone())));
            let base = named.or_else(|| found.get(&one.branch).map(|(name, oid)| (name.clone(), oid.hex())));
            (one.base, one.base_oid) = base.map_or((one.base.take(), None), |(name, oid)| (Some(name), Some(oid)));
        }
    }
    let known: BTreeSet<String> = all.iter().map(|one| one.branch.clone()).collect();
    all.extend(judged.operations.iter().filter(|one| !known.contains(&one.branch)).cloned());
    all.truncate(MOVES_AT_MOST);
    all
}

/// Verifies what these operations and moves of a run did in the repository at this path.
pub fn verified(path: &Path, run: &RunId, operations: &[Operation], moves: &[RefMove], stop: &Stop) -> Verification {
    let (asked, unknown) = questions(operations, moves, began_at(run));
    let failed = |reason: String| Verification { unknown: vec![reason], ..Verification::default() };
    if asked.is_empty() {
        return Verification { unknown, ..Verification::default() };
    }
    let opened = match open(path) {
        Ok(opened) => opened,
        Err(error) => return failed(error.to_string()),
    };
    let git = match Git::find() {
        Ok(git) => git,
        Err(error) => return failed(error.to_string()),
    };
    let mut found = match git.at(&opened) {
        Ok(at) => verify(&at.stopped_by(stop.clone()), &asked, stop),
        Err(error) => return failed(error.to_string()),
    };
    found.unknown.extend(unknown);
    found
}

/// Is there something to verify?
pub fn raises_questions(run: &RunId, operations: &[Operation], moves: &[RefMove]) -> bool {
    !questions(operations, moves, began_at(run)).0.is_empty()
}

/// When a run began, for what was made in it: clocks of one machine, to the second.
fn began_at(run: &RunId) -> Timestamp {
    Timestamp(run.made_at().0.div_euclid(1_000) - 1)
}

/// The event that records a verification.
pub fn event(run: &RunId, began: Instant, found: &Verification) -> RunEvent {
    let stage = Stage {
        stage: "verify".to_owned(),
        status: Some("finished".to_owned()),
        duration_seconds: Some(began.elapsed().as_secs_f64()),
        verification: Some(found.clone()),
        ..Stage::default()
    };
    RunEvent::new(fresh::id().to_string(), run.clone(), fresh::now(), Happened::Stage(stage))
}

/// The drift of moved branches; empty when none moved or it cannot be measured.
fn drift(opened: &Opened, place: &Place<'_>, moves: &[RefMove], is: &Seen) -> BTreeMap<String, Moved> {
    if !moves.iter().any(|one| one.name.starts_with("refs/heads/")) {
        return BTreeMap::new();
    }
    let stop = Stop::new(Some(DRIFT_AT_MOST), Arc::new(AtomicBool::new(false)));
    let Ok(git) = Git::find() else { return BTreeMap::new() };
    let Ok(at) = git.at(opened) else { return BTreeMap::new() };
    let bases = bases(place, is, stop.clone());
    witness::drift(&at, moves, &|branch| bases.get(branch).cloned(), &stop)
}

/// The base of each branch: the one that was named, or the one that an inspection finds.
fn bases(place: &Place<'_>, is: &Seen, stop: Stop) -> BTreeMap<String, (String, Oid)> {
    if let Some(base) = place.base {
        let full = ["", "refs/heads/", "refs/remotes/", "refs/tags/"].map(|prefix| format!("{prefix}{base}"));
        let found = full.into_iter().find_map(|name| is.refs.get_key_value(&name));
        let found = found.and_then(|(name, oid)| Some((name.clone(), Oid::from_hex(oid.as_bytes()).ok()?)));
        let Some(found) = found else { return BTreeMap::new() };
        return is.refs.keys().map(|name| (name.clone(), found.clone())).collect();
    }
    let Some(config) = place.config else { return BTreeMap::new() };
    let looks: BTreeSet<Look> = Look::with_required([Look::History]);
    let how = inspect::Wanted { base: None, looks, paths_patience: Duration::ZERO, stop };
    let now = Timestamp(fresh::now().0 / 1_000);
    let Ok(snapshot) = inspect::inspect(place.path, config, now, place.data_dir, &how, &|_| {}) else {
        return BTreeMap::new();
    };
    let named = snapshot.branches.into_iter().filter_map(|branch| {
        let base = branch.base?;
        Some((branch.name.text().into_owned(), (base.name.text().into_owned(), base.oid)))
    });
    named.collect()
}
