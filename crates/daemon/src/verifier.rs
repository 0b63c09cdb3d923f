//! Verifies runs that were only reported: over the API, by a hook, or by a script that died before it could look itself.
//!
//! When a run begins, the refs are read before that is acknowledged, for as long as a reporter may wait; when it has ended,
//! what moved since is verified as after `alignwatch run`. Only repositories that are watched are read: whoever reports may
//! name any path.

use std::{
    collections::HashSet,
    panic,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use alignwatch_git::stop::Stop;
use alignwatch_model::{
    Known,
    config::Config,
    run::{Exit, Happened, Run, RunEvent, RunId, Seen, event::Started},
};
use alignwatch_records::{Sights, fresh};
use alignwatch_store::Store;

use crate::{
    aftermath::{self, Place},
    reports::Reports,
    runs,
    watching::Watching,
};

/// How long the report of a beginning waits for the refs to be read. Source: ours; as long as a command does.
const BEFORE_AT_MOST: Duration = Duration::from_millis(200);

/// Beginnings at which the refs are read at the same time; of others, what moved is not known. Source: ours; each is a thread
/// that a disk can hang.
const AT_ONCE: usize = 16;

/// Ended runs that wait to be verified. Source: ours; one that finds no room can be verified by hand.
const QUEUE: usize = 256;

/// How long one verification may take. Source: ours; nobody waits for it.
const VERIFY_AT_MOST: Duration = Duration::from_secs(60);

/// How long it is waited for: a disk that hangs must not keep others from being verified.
const WAIT_AT_MOST: Duration = Duration::from_secs(90);

/// How long the thread sleeps at a time, so that an end is noticed.
const NAP: Duration = Duration::from_millis(250);

/// Sees how runs begin, and verifies those that ended.
pub(crate) struct Verifier {
    data_dir: PathBuf,
    config: Config,
    sights: Sights,
    watching: Arc<Watching>,
    queue: SyncSender<RunId>,
    /// Opened for the first run that ended, and kept for the next.
    reader: Mutex<Option<Store>>,
    n_looking: AtomicUsize,
}

impl Verifier {
    /// One, and what it is to verify.
    pub(crate) fn new(data_dir: PathBuf, config: Config, watching: Arc<Watching>) -> (Verifier, Receiver<RunId>) {
        let (queue, ended) = sync_channel(QUEUE);
        let sights = Sights::of(&data_dir);
        let (reader, n_looking) = (Mutex::default(), AtomicUsize::new(0));
        (Verifier { data_dir, config, sights, watching, queue, reader, n_looking }, ended)
    }

    /// Verifies this run soon, where anything is watched; false = there is no room.
    pub(crate) fn ended(&self, run: RunId) -> bool {
        self.watching.paths().is_empty() || self.queue.try_send(run).is_ok()
    }

    /// Reads the refs of the repositories of runs that begin, then goes on with `then`: at once when none does, and never
    /// later than a reporter may wait.
    pub(crate) fn begin(self: &Arc<Verifier>, begun: Vec<(RunId, Started)>, then: impl FnOnce() + Send + 'static) {
        let names_one = |started: &Started| started.repository.is_some() || started.repository_id.is_some();
        let begun: Vec<_> = begun.into_iter().filter(|(_, started)| names_one(started)).collect();
        if begun.is_empty() || AT_ONCE <= self.n_looking.load(Ordering::Relaxed) {
            return then();
        }
        let verifier = Arc::clone(self);
        thread::spawn(move || {
            let until = Instant::now() + BEFORE_AT_MOST;
            for (run, started) in begun {
                if let Some(seen) = verifier.sight(started, until) {
                    // Without it, what moved is not known, and what was reported still is.
                    let _ = verifier.sights.keep(&run, &seen);
                }
            }
            then();
        });
    }

    /// The refs, where they can be read by then.
    fn sight(self: &Arc<Verifier>, started: Started, until: Instant) -> Option<Seen> {
        let (tell, told) = sync_channel(1);
        let place = Looking::of(self);
        thread::spawn(move || {
            // Nobody may wait any more.
            let _ = tell.send(place.0.path_of(&started).map(|path| aftermath::sight(&path)));
        });
        let seen = told.recv_timeout(until.saturating_duration_since(Instant::now())).ok()??;
        seen.seen().cloned()
    }

    /// Where the run is, when that is watched.
    fn path_of(&self, started: &Started) -> Option<PathBuf> {
        let paths = self.watching.paths();
        let is_watched = |path: &String| paths.iter().any(|other| other.as_os_str() == path.as_str());
        let of_id = || {
            let id = started.repository_id.as_deref()?;
            let row = runs::store(&self.data_dir).ok()??.repository(id).ok()??;
            Some(row.path).filter(is_watched)
        };
        started.repository.clone().filter(is_watched).or_else(of_id).map(PathBuf::from)
    }

    /// Verifies what ends until `stop`, on a thread of its own, one after the other.
    pub(crate) fn start(
        self: &Arc<Verifier>,
        ended: Receiver<RunId>,
        reports: Arc<Reports>,
        stop: Arc<AtomicBool>,
    ) -> JoinHandle<()> {
        let verifier = Arc::clone(self);
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                match ended.recv_timeout(NAP) {
                    Ok(run) => verifier.verify_in_time(run, &reports, &stop),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        })
    }

    /// Verifies one run, and waits for that as long as others may have to.
    fn verify_in_time(self: &Arc<Verifier>, id: RunId, reports: &Arc<Reports>, stop: &Arc<AtomicBool>) {
        // A bug of ours in one run must not keep others from being verified.
        let Ok(due) = panic::catch_unwind(panic::AssertUnwindSafe(|| self.due(&id))) else { return };
        let Some((run, path)) = due else { return self.sights.remove(&id) };
        let (verifier, reports, stop) = (Arc::clone(self), Arc::clone(reports), Arc::clone(stop));
        let (done, is_done) = sync_channel::<()>(1);
        thread::spawn(move || {
            let events = verifier.verified(&id, &run, &path, &Stop::new(Some(VERIFY_AT_MOST), stop));
            // What can't be kept now can be verified by hand; what asks for nothing is done.
            if events.is_none_or(|events| reports.and_wait(events).is_ok()) {
                verifier.sights.remove(&id);
            }
            drop(done);
        });
        let _ = is_done.recv_timeout(WAIT_AT_MOST);
    }

    /// The run, and where it was, when that is to be verified.
    fn due(&self, id: &RunId) -> Option<(Run, PathBuf)> {
        let run = self.run(id)?;
        let path = self.path_of(run.started()?)?;
        (run.finished().is_some() && run.verification().is_none()).then_some((run, path))
    }

    /// What is kept of a run.
    fn run(&self, id: &RunId) -> Option<Run> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        // What can't be written now may be written the next time, and only a new reader sees that.
        let store = reader.take().filter(|store| !store.is_frozen());
        let store = store.or_else(|| runs::store(&self.data_dir).ok().flatten());
        let run = runs::one_in(&self.data_dir, store.as_ref(), id).ok()?;
        *reader = store;
        run
    }

    /// What is found of a run that has ended, as events; `None` = nothing about it raises questions.
    fn verified(&self, id: &RunId, run: &Run, path: &Path, stop: &Stop) -> Option<Vec<RunEvent>> {
        let (started, finished) = (run.started()?, run.finished()?);
        let (base, data_dir) = (started.base.as_deref(), Some(self.data_dir.as_path()));
        let place = Place { path, base, config: Some(&self.config), data_dir };
        let nobody = || Known::Unknown("nobody looked when it began".to_owned());
        let before = self.sights.read(id).map_or_else(nobody, Known::Seen);
        let (judged, seen) = aftermath::look(&place, &before, &Exit::Code(0));
        let moves = if finished.moves.is_empty() { &judged.moves } else { &finished.moves };
        let operations = aftermath::operations(&place, run, &judged, &seen);
        let began = Instant::now();
        if !aftermath::raises_questions(id, &operations, moves) {
            return None;
        }
        let found = aftermath::verified(path, id, &operations, moves, stop);
        Some(self.told(run, operations).chain([aftermath::event(id, began, &found)]).collect())
    }

    /// What was seen of branches that nobody reported.
    fn told<'a>(
        &self,
        run: &'a Run,
        operations: Vec<alignwatch_model::run::Operation>,
    ) -> impl Iterator<Item = RunEvent> + use<'a> {
        let known: Vec<String> = run.operations().into_iter().map(|one| one.branch.clone()).collect();
        let new = operations.into_iter().filter(move |one| !known.contains(&one.branch));
        new.filter_map(|one| {
            let id = fresh::id().to_string();
            Some(RunEvent::new(id, run.id()?.clone(), fresh::now(), Happened::Operation(one)))
        })
    }
}

/// One look at refs that is under way; its place is free again when it ends, however it ends.
struct Looking(Arc<Verifier>);

impl Looking {
    fn of(verifier: &Arc<Verifier>) -> Looking {
        verifier.n_looking.fetch_add(1, Ordering::Relaxed);
        Looking(Arc::clone(verifier))
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.n_looking.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The runs that begin with these events and do not end with them: what ends in the same report was over before it was told.
pub(crate) fn beginnings(events: &[RunEvent]) -> Vec<(RunId, Started)> {
    let ended: HashSet<&RunId> = events.iter().filter(|event| is_end(event)).map(|event| &event.run).collect();
    let begun = events.iter().filter_map(|event| match &event.what {
        Happened::Started(started) if !ended.contains(&event.run) => Some((event.run.clone(), started.clone())),
        _ => None,
    });
    begun.take(AT_ONCE).collect()
}

/// Does a run end with this?
pub(crate) fn is_end(event: &RunEvent) -> bool {
    matches!(event.what, Happened::Finished(_))
}
