//! Does what the brain decided, each thing on a thread of its own that ends by posting an event.

use std::{
    collections::{BTreeMap, HashSet},
    iter, panic,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use alignwatch_git::{
    graph::Recent,
    inspect::Wanted,
    repository::{self, OpenError},
    run::timings,
    stop::Stop,
};
use alignwatch_model::{
    Known, Look, Snapshot, Timestamp, Verdict,
    alert::Policy,
    checks::{self, ALL},
    metrics::Distribution,
    task::TaskWish,
    turn::{Effect, Event, Inspected, State, Unseen, turn},
    window::Change,
    words::count,
};
use alignwatch_records::Openings;
use alignwatch_web::Shared;

use crate::{
    announce,
    deliver::Deliverer,
    expected,
    export::Exporter,
    look,
    recalled::recalled,
    reporting,
    reports::Reports,
    runs,
    serve::{Live, SLEEP_AT_MOST, ServeError, Settings, now},
    supervisor::Supervisor,
    tend::{Acted, act, tend},
    watching::Watching,
};

/// How often memory that nobody uses is given back. Source: ours; what is used again meanwhile costs a millisecond in all.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(60);

/// What the loop does things with.
pub(crate) struct Body {
    pub(crate) live: Arc<Live>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) inbox: SyncSender<Event>,
    pub(crate) commits: SyncSender<Box<alignwatch_model::record::Commit>>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) deliverer: Deliverer,
    pub(crate) exporter: Option<Exporter>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) watching: Arc<Watching>,
    /// Large histories, from one look to the next.
    pub(crate) recent: Arc<Recent>,
    /// Repositories that were looked at since the start.
    pub(crate) looked: Mutex<HashSet<String>>,
}

impl Body {
    /// The loop. Threads that are still at work when it ends are in `inspectors`, those that only look in `looks`. Errors: [`ServeError::KeeperGone`].
    pub(crate) fn run(
        &self,
        mut state: State,
        events: Receiver<Event>,
        inspectors: &mut Vec<JoinHandle<()>>,
        looks: &mut Vec<JoinHandle<()>>,
        supervisor: &mut Supervisor,
    ) -> Result<(), ServeError> {
        let mut event = Event::Tick;
        self.show_alerts(&state);
        let (mut is_news, mut shown_at, mut given_back_at) = (false, Instant::now(), Instant::now());
        while !self.stop.load(Ordering::Relaxed) {
            is_news |= !matches!(event, Event::Tick);
            if matches!(event, Event::Kept(_)) && !state.alerting.is_recalled {
                state = self.recall(state);
            }
            let settings = self.live.settings();
            for effect in turn(&mut state, event, &settings.config, settings.pace, now()) {
                let threads = if matches!(effect, Effect::Inspect(_)) { &mut *looks } else { &mut *inspectors };
                threads.extend(self.perform(effect)?);
            }
            looks.retain(|thread| !thread.is_finished());
            inspectors.retain(|thread| !thread.is_finished());
            supervisor.alive();
            if GIVE_BACK_EVERY <= given_back_at.elapsed() {
                given_back_at = Instant::now();
                // Without a thread for that, it is done the next time.
                looks.extend(thread::Builder::new().spawn(alignwatch_host::give_back));
            }
            let waiting = events.try_recv().ok();
            // While more waits, pages are a moment behind.
            if waiting.is_none() || SLEEP_AT_MOST <= shown_at.elapsed() {
                self.show_news(&state, is_news);
                (is_news, shown_at) = (false, Instant::now());
            }
            // A timeout is a tick; the inbox can't be closed while we hold one end of it.
            event = match waiting {
                Some(event) => event,
                None => events.recv_timeout(SLEEP_AT_MOST).unwrap_or(Event::Tick),
            };
        }
        Ok(())
    }

    /// The store works again: goes on with what it knows of alerts.
    fn recall(&self, state: State) -> State {
        let policy = Policy::of(&self.live.settings().config);
        let folder = self.live.settings().data_dir.join("store");
        match recalled(&folder, &policy, &|_| {}) {
            Ok(Some(recalled)) => recalled.put_into(state, policy),
            // It is tried again with the next commit.
            Ok(None) | Err(_) => state,
        }
    }

    fn perform(&self, effect: Effect) -> Result<Option<JoinHandle<()>>, ServeError> {
        match effect {
            Effect::Inspect(path) => Ok(Some(self.inspect(path))),
            Effect::ReadUnplaced => Ok(Some(self.read_unplaced())),
            Effect::Deliver(row) => Ok(Some(self.deliverer.start(&row, self.inbox.clone()))),
            Effect::Tend(path) => Ok(Some(self.tend(path))),
            Effect::Do(wish) => Ok(Some(self.act(wish))),
            Effect::Write(name, due_at) => Ok(Some(self.write(name, due_at))),
            Effect::Open(change) => Ok(Some(self.note_opened(change))),
            Effect::Beat(reasons) => Ok(Some(self.deliverer.call(reasons, self.inbox.clone()))),
            Effect::Answer(receipts, kept) => {
                self.reports.answer(&receipts, &kept);
                Ok(None)
            }
            // One is kept at a time, so there is room.
            Effect::Keep(commit) => self.commits.send(commit).map(|()| None).map_err(|_| ServeError::KeeperGone),
        }
    }

    fn inspect(&self, path: String) -> JoinHandle<()> {
        let (settings, inbox) = (self.live.settings(), self.inbox.clone());
        let (stop, recent) = (Stop::new(None, Arc::clone(&self.stop)), Arc::clone(&self.recent));
        let is_first = self.looked.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        // Pages have nothing to show until the first look is done, so that one does not wait for the last path.
        let patience = if is_first { look::PATIENCE_OF_PEOPLE } else { look::PATIENCE_OF_PROGRAMS };
        thread::spawn(move || {
            after_others();
            let began = Instant::now();
            let look = || look_at(Path::new(&path), &settings, patience, stop.clone(), &recent);
            // A bug of ours in one repository must not stop the watch over it, and over all others.
            let seen = panic::catch_unwind(panic::AssertUnwindSafe(look));
            let seen = seen.unwrap_or_else(|_| Err(Unseen::Failed("a bug in alignwatch ended the look".to_owned())));
            // What was cut short by our own end is not what the repository looks like.
            if !stop.is_due() {
                let more = (is_first && seen.as_ref().is_ok_and(lacks_paths)).then(|| Event::Asked(path.clone()));
                let inspected = Inspected { path, seconds: began.elapsed().as_secs_f64(), seen };
                // When the loop is gone there is nobody to tell.
                iter::once(Event::Inspected(Box::new(inspected))).chain(more).for_each(|event| drop(inbox.send(event)));
            }
        })
    }

    /// Reads the runs that belong to no repository.
    fn read_unplaced(&self) -> JoinHandle<()> {
        let (settings, inbox) = (self.live.settings(), self.inbox.clone());
        thread::spawn(move || {
            let read = || (runs::of_repository(&settings.data_dir, ""), expected::since(&settings.data_dir));
            let read = panic::catch_unwind(panic::AssertUnwindSafe(read));
            let bug = |_| (Known::Unknown("a bug in alignwatch ended it".to_owned()), BTreeMap::new());
            let (runs, expected_since) = read.unwrap_or_else(bug);
            let _ = inbox.send(Event::UnplacedRead(runs, expected_since));
        })
    }

    /// Upkeep ends with the daemon, at the next safe step.
    fn tend(&self, path: String) -> JoinHandle<()> {
        let (settings, inbox) = (self.live.settings(), self.inbox.clone());
        let watching = Arc::clone(&self.watching);
        let stop = Stop::new(None, Arc::clone(&self.stop));
        thread::spawn(move || {
            let tended = || tend(Path::new(&path), &settings.config, &settings.data_dir, &stop);
            // What went wrong is in the journal of tasks, or keeps the repository from being inspected as well.
            let tended = panic::catch_unwind(panic::AssertUnwindSafe(tended));
            let has_effect = matches!(tended, Ok(Ok(true)));
            let announced = || announce::due(&watching.texts(), &settings.config, &settings.data_dir, &stop);
            // What can't be read now is told of at the next turn.
            if let Ok(Ok(rows)) = panic::catch_unwind(panic::AssertUnwindSafe(announced))
                && !rows.is_empty()
            {
                let _ = inbox.send(Event::Announced(rows));
            }
            let _ = inbox.send(Event::Tended(path, has_effect));
        })
    }

    /// Does what somebody wants about maintenance. It ends with an event, whatever happens.
    fn act(&self, wish: TaskWish) -> JoinHandle<()> {
        let (settings, inbox, shared) = (self.live.settings(), self.inbox.clone(), Arc::clone(&self.shared));
        let stop = Stop::new(None, Arc::clone(&self.stop));
        thread::spawn(move || {
            let acted = || act(&wish, &settings.config, &settings.data_dir, &stop);
            let acted = panic::catch_unwind(panic::AssertUnwindSafe(acted));
            let has_effect = match (acted.unwrap_or_else(|_| Err("a bug in alignwatch ended it".to_owned())), &wish) {
                (Ok(Acted::Planned(plan, hold)), TaskWish::Plan { ticket, .. }) => {
                    shared.planned(*ticket, Ok((*plan, hold)));
                    false
                }
                (Err(reason), TaskWish::Plan { ticket, .. }) => {
                    shared.planned(*ticket, Err(reason));
                    false
                }
                // What went wrong is in the journal of tasks.
                (acted, _) => matches!(acted, Ok(Acted::Changed(true))),
            };
            let _ = inbox.send(Event::Tended(wish.repository().to_owned(), has_effect));
        })
    }

    fn write(&self, name: String, due_at: Timestamp) -> JoinHandle<()> {
        let (settings, inbox) = (self.live.settings(), self.inbox.clone());
        thread::spawn(move || {
            let write = || reporting::write(&settings.data_dir, &settings.config, &name, due_at, now());
            let letter = panic::catch_unwind(panic::AssertUnwindSafe(write));
            let letter = letter.unwrap_or_else(|_| Err("a bug in alignwatch ended it".to_owned()));
            let _ = inbox.send(Event::Written(name, due_at, letter));
        })
    }

    /// Remembers that a window opened: people change the same file, so that this may wait.
    fn note_opened(&self, change: Change) -> JoinHandle<()> {
        let (settings, inbox) = (self.live.settings(), self.inbox.clone());
        thread::spawn(move || {
            let noted = Openings::of(&settings.data_dir).note(&change, now()).map_err(|error| error.to_string());
            let _ = inbox.send(Event::Opened(change, noted));
        })
    }

    /// Some things are decided because time went on: they are shown without news, too.
    fn show_news(&self, state: &State, is_news: bool) {
        let is_sent = self.exporter.as_ref().is_some_and(Exporter::has_news);
        if is_news || is_sent || self.shown_version() != state.alerting.book.version {
            self.show(state);
        }
    }

    /// Puts the newest numbers and troubles where pages find them.
    fn show(&self, state: &State) {
        let of_sending = self.exporter.iter().flat_map(|exporter| exporter.readings(now()));
        let readings = state.readings().cloned().chain(state.own_readings(now())).chain(of_sending);
        let readings = Arc::new(readings.collect());
        *self.shared.readings.write().unwrap_or_else(PoisonError::into_inner) = readings;
        let distributions = Arc::new(state.distributions(now()).chain(git_timings()).collect());
        *self.shared.distributions.write().unwrap_or_else(PoisonError::into_inner) = distributions;
        self.show_alerts(state);
        let n_overdue = state.overdue(self.live.settings().pace, now());
        let told = || format!("{} not looked at yet, or not for twice the interval", count(n_overdue, "repository"));
        let overdue = (0 < n_overdue).then(told);
        let fresh = (!state.has_kept).then(|| "nothing was kept yet".to_owned());
        let trouble = state.store_trouble.clone().or(overdue).or(fresh);
        *self.shared.trouble.write().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// The version of the book of alerts that pages show.
    fn shown_version(&self) -> u64 {
        self.shared.alerting.read().unwrap_or_else(PoisonError::into_inner).book.version
    }

    /// A copy is made only when something changed.
    fn show_alerts(&self, state: &State) {
        if self.shown_version() != state.alerting.book.version {
            let copy = Arc::new(state.alerting.clone());
            *self.shared.alerting.write().unwrap_or_else(PoisonError::into_inner) = copy;
        }
    }
}

/// How long each git lived that this process started.
fn git_timings() -> impl Iterator<Item = Distribution> {
    timings::all().into_iter().map(|(command, exit, lived)| Distribution {
        repository: String::new(),
        metric: "alignwatch_git_command_duration_seconds",
        labels: serde_json::json!({ "command": command, "exit": exit.word() }).to_string(),
        at: now(),
        counts: lived.counts,
        sum: lived.seconds,
    })
}

/// Lets this thread, and those and the processes that it begins, have what processors others leave: pages and people at
/// work come first. Where the system refuses, it is as fast as others.
fn after_others() {
    /// The niceness of most work in the background (systemd's own jobs, Debian's cron jobs for apt).
    const NICENESS: i32 = 10;
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

/// Are there conflicts whose paths are not known yet?
fn lacks_paths(seen: &Snapshot) -> bool {
    let mut conflicts = seen.branches.iter().filter(|branch| branch.merge.verdict == Verdict::Conflict);
    conflicts.any(|branch| branch.merge.conflicts.is_none())
}

fn look_at(
    path: &Path,
    settings: &Settings,
    patience: Duration,
    stop: Stop,
    recent: &Recent,
) -> Result<Snapshot, Unseen> {
    // Only a path that is not there, or holds no repository, says that it is gone: what can't be read may be there.
    repository::open_itself(path).map_err(|error| match error {
        OpenError::NotARepository { .. } => Unseen::Gone(format!("there is no Git repository at `{}`", path.display())),
        error => Unseen::Failed(error.to_string()),
    })?;
    let made = ALL.iter().filter(|check| checks::is_made(check, &settings.config, |_| false).is_ok());
    let wanted = Wanted {
        base: None,
        looks: Look::with_required(made.flat_map(|check| check.needs.iter().copied()).chain([Look::Touched])),
        paths_patience: patience,
        stop,
    };
    let data_dir = Some(settings.data_dir.as_path());
    let looked = look::look(path, &settings.config, now(), data_dir, &wanted, &|_| {}, recent);
    looked.map_err(|error| Unseen::Failed(error.to_string()))
}
