//! The daemon: wiring, the loop, and its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    panic,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use alignwatch_git::{
    inspect::Wanted,
    repository::{self, OpenError},
    run::timings,
    stop::Stop,
};
use alignwatch_model::{
    Known, Look, Timestamp,
    access::TOKENS_FILE,
    alert::{Book, Labels, Policy, burn},
    checks::{self, ALL},
    config::{Config, Loaded, Origins, StatusPage},
    metrics::Distribution,
    record::{RECONSTRUCTED, Record},
    task::TaskWish,
    turn::{Effect, Event, Inspected, Pace, Refusal, State, Unseen, turn},
    window::Change,
    words::count,
};
use alignwatch_records::Openings;
use alignwatch_store::{Mended, SeriesRow, Store, StoreError};
use alignwatch_tasks::journal::{Journal, Told};
use alignwatch_web::{Access, Asks, InboxFull, ListenError, Shared, TaskAbout, TaskRun};

use crate::{
    address, announce, calendars,
    deliver::Deliverer,
    expected,
    export::{self, Exporter},
    keep::Keeper,
    look, named, reporting,
    reports::Reports,
    runs, spooled,
    supervisor::Supervisor,
    tend::{Acted, act, tend},
    verifier::{Verifier, beginnings, is_end},
    watch,
    watching::{Named, Watching},
};

/// Events that wait. Source: ours; one for each thing that can happen to five hundred repositories at once.
const INBOX: usize = 1024;

/// The longest that the loop sleeps, and so the longest that an end takes to be noticed.
const SLEEP_AT_MOST: Duration = Duration::from_millis(250);

/// How long looks may take to come to their end. Each git is ended at once. Source: ours; supervisors wait half a minute.
const LOOKS_END_WITHIN: Duration = Duration::from_secs(10);

/// What the daemon is to do.
#[derive(Clone)]
pub struct Settings {
    /// The repositories that the command line names.
    pub paths: Vec<PathBuf>,
    /// The configuration in force.
    pub config: Config,
    /// Where its values come from.
    pub origins: Origins,
    /// Where everything is remembered.
    pub data_dir: PathBuf,
    /// Where pages are answered.
    pub listen: SocketAddr,
    /// Names by which others may ask; then each request needs a token.
    pub names: Vec<String>,
    /// How often, how many at once.
    pub pace: Pace,
}

/// The settings in force: what calendars and people say of windows changes while it runs.
pub(crate) struct Live {
    settings: RwLock<Arc<Settings>>,
    shared: Arc<Shared>,
}

impl Live {
    /// Those in force now.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another configuration in force.
    pub(crate) fn configure(&self, config: Config) {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        let new = Settings { config, ..Settings::clone(&settings) };
        self.shared.load(loaded(&new));
        *settings = Arc::new(new);
    }
}

/// Why it can't begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It can't answer pages.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The thread that keeps is gone: what was seen from then on would be lost.
    #[error("cannot keep anything any more: the thread that writes the store ended")]
    KeeperGone,
}

impl ServeError {
    /// What to type to get further; `serve` is how the daemon is started.
    pub fn hints(&self, serve: &str) -> Vec<String> {
        match self {
            ServeError::Store(error) => error.hints(serve),
            ServeError::Listen(_) | ServeError::KeeperGone => Vec::new(),
        }
    }
}

/// Watches until `stop` becomes true. `say` hears what a person who started it wants to know.
///
/// Errors: [`ServeError`]; nothing was watched then, or nothing can be kept any more.
pub fn serve(settings: Settings, stop: Arc<AtomicBool>, say: &dyn Fn(&str)) -> Result<(), ServeError> {
    let mut settings = settings;
    settings.config = calendars::with_outside(settings.config, Some(&settings.data_dir), now());
    let folder = settings.data_dir.join("store");
    let store = open_store(&folder, say)?;
    let listener = alignwatch_web::listen(settings.listen)?;
    let (inbox, events) = sync_channel(INBOX);
    let reports = Arc::new(Reports::to(inbox.clone()));
    let (wished, upkeep) = (Arc::clone(&reports), Arc::clone(&reports));
    if let Err(error) = expected::note(&settings.data_dir, &settings.config, now()) {
        say(&format!("cannot note since when runs are expected: {error}; those that are new are not missed yet"));
    }
    let known = known(&folder, say);
    let named = Named {
        paths: &settings.paths,
        configured: &settings.config.serve.repositories,
        may_add: &settings.config.serve.may_add,
        before: &known.keys().cloned().collect::<Vec<_>>(),
    };
    let watching = Arc::new(Watching::these(&named, &settings.data_dir, inbox.clone(), say));
    let (verifier, runs_ended) =
        Verifier::new(settings.data_dir.clone(), settings.config.clone(), Arc::clone(&watching));
    let verifier = Arc::new(verifier);
    let (adding, removing) = (Arc::clone(&watching), Arc::clone(&watching));
    let asks = Asks {
        look: wishes(inbox.clone()),
        report: hand_over(Arc::clone(&reports), Arc::clone(&verifier)),
        secret: Box::new(alignwatch_notify::secret_text),
        watch: Box::new(move |path| adding.add(path)),
        unwatch: Box::new(move |path| removing.remove(path)),
        named: meant(Arc::clone(&watching)),
        tasks: tasks_of(&settings.data_dir),
        ahead: ahead_of(&settings.data_dir),
        is_watched: is_watched(Arc::clone(&watching)),
        wish: Box::new(move |wish, tell| wished.wish(wish, tell)),
        upkeep: Box::new(move |wish, tell| upkeep.upkeep(wish, tell)),
        windows: calendars::changing(settings.config.clone(), settings.data_dir.clone()),
        known_tasks: alignwatch_tasks::ALL.iter().map(|task| about(task)).collect(),
    };
    let shared = Arc::new(Shared::new(folder.clone(), asks, loaded(&settings)));
    let policy = Policy::of(&settings.config);
    let recalled = recalled(&folder, &policy, say)?;
    let (commits, to_keep) = sync_channel(1);
    let keeper = Keeper::new(folder, store, settings.config.store.clone()).start(to_keep, inbox.clone());
    let access = match settings.listen.ip().is_loopback() {
        true => Access::open(),
        false => guarded(&settings),
    };
    let pages = answer(listener, Arc::clone(&shared), access, Arc::clone(&stop));
    let address = settings.listen;
    let _told = address::tell(&settings.data_dir, address);
    let paths = watching.texts();
    let watched = count(paths.len(), "repository");
    say(&format!("watching {watched}; the dashboard is at http://{address}/"));
    let finder = watching.read_again(Arc::clone(&stop));
    let watcher = watch::start(Arc::clone(&watching), inbox.clone(), Arc::clone(&stop));
    let spooler =
        spooled::start(settings.data_dir.clone(), Arc::clone(&reports), Arc::clone(&verifier), Arc::clone(&stop));
    let verifying = verifier.start(runs_ended, Arc::clone(&reports), Arc::clone(&stop));
    let deliverer = Deliverer::of(&settings.config, external_url(&settings));
    let exporter = Exporter::start(&settings.config, &settings.data_dir, Arc::clone(&shared), Arc::clone(&stop));
    let (exporter, exporting) = exporter.unzip();
    let mut state = State::watching(paths, now()).with_ids(known).with_unplaced_runs();
    if let Some(recalled) = recalled {
        state =
            state.with_alerts(recalled.book, policy).with_letters(&recalled.records).with_tallies(&recalled.records);
    }
    let live = Arc::new(Live { settings: RwLock::new(Arc::new(settings)), shared: Arc::clone(&shared) });
    let calendars = calendars::start(Arc::clone(&live), inbox.clone(), Arc::clone(&stop));
    let body = Body { live, stop: Arc::clone(&stop), inbox, commits, reports, deliverer, exporter, shared, watching };
    let (mut inspectors, mut looks) = (Vec::new(), Vec::new());
    let mut supervisor = Supervisor::ready();
    let ended = body.run(state, events, &mut inspectors, &mut looks, &mut supervisor);
    supervisor.stopping();
    // Whatever ended the loop ends the others, too.
    stop.store(true, Ordering::Relaxed);
    drop(body);
    for thread in inspectors.into_iter().chain([keeper, pages, spooler, calendars]) {
        // A thread that panicked has said so; the others come to their end all the same.
        let _ = thread.join();
    }
    await_those_who_look(looks.into_iter().chain([watcher, finder, verifying]).collect());
    if let Some(exporting) = exporting {
        export::join(&exporting, export::PATIENCE);
    }
    ended
}

/// Waits for threads that only look, and change nothing. One that hangs with its disk keeps nobody: it ends with the process.
fn await_those_who_look(looks: Vec<JoinHandle<()>>) {
    let until = Instant::now() + LOOKS_END_WITHIN;
    while !looks.iter().all(JoinHandle::is_finished) && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Each request needs a token, but for what is public.
fn guarded(settings: &Settings) -> Access {
    let access = Access::with_tokens(settings.data_dir.join(TOKENS_FILE), settings.names.clone());
    match settings.config.serve.status_page {
        StatusPage::Guarded => access,
        StatusPage::Public => access.with_public_status(),
    }
}

/// The configuration in force, for those who want to see it.
fn loaded(settings: &Settings) -> Loaded {
    Loaded { config: settings.config.clone(), origins: settings.origins.clone(), notes: Vec::new() }
}

/// Opens the store to write. `None` where that can't be done now, and there is one: then it is looked and answered all
/// the same, and kept as soon as that can be done. What can't be read either is answered with the reason.
fn open_store(folder: &Path, say: &dyn Fn(&str)) -> Result<Option<Store>, StoreError> {
    match alignwatch_store::open(folder) {
        Ok((store, Mended::No)) => Ok(Some(store)),
        Ok((store, Mended::FromBackup { damage, moved_to, backup })) => {
            let (moved_to, backup) = (moved_to.display(), backup.display());
            say(&format!("the store was damaged ({damage}): it is now at {moved_to}, and {backup} took its place"));
            Ok(Some(store))
        }
        Err(error) if error.may_pass() && alignwatch_store::is_there(folder) => {
            say(&format!("{error}: nothing is kept until that is over; all the same, repositories are watched"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The repositories that were watched before, by their paths, with their ids. Where that can't be read now, `say` hears it, and
/// they are known again when they are seen.
fn known(folder: &Path, say: &dyn Fn(&str)) -> BTreeMap<String, String> {
    let rows = alignwatch_store::open_to_read(folder).and_then(|store| store.repositories());
    let mut rows = rows.unwrap_or_else(|error| {
        say(&format!(
            "cannot read which repositories were watched before: {error}: one that a pattern found and that is gone by now \
             is not told as gone until the next start"
        ));
        Vec::new()
    });
    // Of two that lay at one path one after the other, the one that was looked at last is meant.
    rows.sort_by_key(|row| row.swept_at);
    rows.into_iter().map(|row| (row.path, row.id)).collect()
}

/// What was known of alerts when the daemon ended; `None` = it can't be read now. Beginning without it would forget silences
/// and tell everything anew, so that nobody is told anything until then. Errors: it never can be read.
fn recalled(folder: &Path, policy: &Policy, say: &dyn Fn(&str)) -> Result<Option<Recalled>, StoreError> {
    if !alignwatch_store::is_there(folder) {
        return Ok(Some(Recalled { book: Book::new(policy, now()), records: Vec::new() }));
    }
    match read_book(folder, policy, say) {
        Err(error) if error.may_pass() => Ok(None),
        read => read.map(Some),
    }
}

/// What the daemon begins with.
struct Recalled {
    book: Book,
    records: Vec<Record>,
}

fn read_book(folder: &Path, policy: &Policy, say: &dyn Fn(&str)) -> Result<Recalled, StoreError> {
    let store = alignwatch_store::open_to_read(folder)?;
    let records = store.open_records()?;
    let (mut book, bad) = Book::of_records(&records, policy, now());
    for record in bad {
        say(&format!("cannot read what was kept of {record}: it is left out"));
    }
    recall_budgets(&store, &mut book, policy)?;
    Ok(Recalled { book, records })
}

/// The last days of the numbers that promises are judged by.
fn recall_budgets(store: &Store, book: &mut Book, policy: &Policy) -> Result<(), StoreError> {
    let (to, mut recalled) = (now(), BTreeSet::new());
    let from = Timestamp(to.0 - burn::LONGEST.0 - burn::APART.0);
    for good in policy.goods().filter(|good| recalled.insert(good.to_string())) {
        for row in
            store.series(Some(good.metric()), None)?.into_iter().filter(|row| !row.labels.contains(RECONSTRUCTED))
        {
            let Some(labels) = labels_of(store, &row)?.filter(|labels| good.is_about(labels)) else { continue };
            let points = store.points(row.id, from, to, burn::APART.0)?;
            book.recall_budget(policy, good, labels, points.into_iter().map(|point| (point.at, point.last)));
        }
    }
    Ok(())
}

/// The labels of a series as alerts have them; `None` = its repository is gone.
fn labels_of(store: &Store, row: &SeriesRow) -> Result<Option<Labels>, StoreError> {
    let mut labels: Labels = serde_json::from_str(&row.labels).unwrap_or_default();
    if !row.repository.is_empty() {
        let Some(repository) = store.repository(&row.repository)? else { return Ok(None) };
        labels.insert("repository".to_owned(), repository.path);
    }
    Ok(Some(labels))
}

/// Where messages say that the whole can be read.
fn external_url(settings: &Settings) -> String {
    match settings.names.first() {
        Some(name) => format!("https://{name}"),
        None => format!("http://{}", settings.listen),
    }
}

/// The time by the wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
}

fn wishes(inbox: SyncSender<Event>) -> Box<alignwatch_web::Look> {
    let inbox = Mutex::new(inbox);
    Box::new(move |path| {
        let inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.try_send(Event::Asked(path.to_owned())).map_err(|_| InboxFull)
    })
}

fn meant(watching: Arc<Watching>) -> Box<alignwatch_web::Named> {
    Box::new(move |addresses| named::named(&watching.paths(), addresses))
}

fn about(task: &alignwatch_tasks::Task) -> TaskAbout {
    TaskAbout { id: task.id, title: task.title, why: task.why, undo: task.undo }
}

/// What is reported goes to the loop, after a look at the repositories of runs that begin; runs that ended are verified.
fn hand_over(reports: Arc<Reports>, verifier: Arc<Verifier>) -> Box<alignwatch_web::Report> {
    Box::new(move |events, tell| {
        let ended: Vec<_> = events.iter().filter(|event| is_end(event)).map(|event| event.run.clone()).collect();
        let (reports, then) = (Arc::clone(&reports), Arc::clone(&verifier));
        let tell = Box::new(move |kept: Result<(), Refusal>| {
            if kept.is_ok() {
                // Of what finds no room, somebody can ask by hand.
                ended.into_iter().for_each(|run| _ = then.ended(run));
            }
            tell(kept);
        });
        verifier.begin(beginnings(&events), move || reports.hand_over(events, tell));
    })
}

/// What maintenance did, as its journal tells it: the newest first.
fn tasks_of(data_dir: &Path) -> Box<alignwatch_web::Tasks> {
    let journal = Journal::of(data_dir);
    Box::new(move |at_most| {
        let said = journal.read().map_err(|error| error.to_string())?;
        let told = |run: Told<'_>| TaskRun {
            id: run.record.id,
            at: Timestamp(run.record.at_seconds),
            task: run.record.task.clone(),
            repository: run.record.repository.clone(),
            plan: run.plan.cloned(),
            report: run.report.cloned(),
            is_healed: run.is_healed,
            state: run.state(),
            can_be_undone: run.undo.is_some() && run.undone.is_none(),
        };
        Ok(said.runs().into_iter().rev().take(at_most).map(told).collect())
    })
}

/// What maintenance will do, by the configuration and the journal: no repository is opened.
fn ahead_of(data_dir: &Path) -> Box<alignwatch_web::Upcoming> {
    let journal = Journal::of(data_dir);
    Box::new(move |config, repositories, days| {
        let said = journal.read().map_err(|error| error.to_string())?;
        let one = |(path, id): &(String, String)| alignwatch_tasks::ahead::ahead(config, &said, path, id, now(), days);
        Ok(repositories.iter().map(one).collect())
    })
}

fn is_watched(watching: Arc<Watching>) -> Box<alignwatch_web::IsWatched> {
    Box::new(move |path| watching.holds(Path::new(path)))
}

fn answer(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    access: Access,
    stop: Arc<AtomicBool>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let trouble = Arc::clone(&shared);
        if let Err(error) = alignwatch_web::serve(listener, shared, access, until(stop)) {
            *trouble.trouble.write().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }
    })
}

/// Ends when `stop` becomes true.
async fn until(stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        alignwatch_web::rest(SLEEP_AT_MOST).await;
    }
}

/// What the loop does things with.
struct Body {
    live: Arc<Live>,
    stop: Arc<AtomicBool>,
    inbox: SyncSender<Event>,
    commits: SyncSender<Box<alignwatch_model::record::Commit>>,
    reports: Arc<Reports>,
    deliverer: Deliverer,
    exporter: Option<Exporter>,
    shared: Arc<Shared>,
    watching: Arc<Watching>,
}

impl Body {
    /// The loop. Threads that are still at work when it ends are in `inspectors`, those that only look in `looks`. Errors: [`ServeError::KeeperGone`].
    fn run(
        &self,
        mut state: State,
        events: Receiver<Event>,
        inspectors: &mut Vec<JoinHandle<()>>,
        looks: &mut Vec<JoinHandle<()>>,
        supervisor: &mut Supervisor,
    ) -> Result<(), ServeError> {
        let mut event = Event::Tick;
        self.show_alerts(&state);
        while !self.stop.load(Ordering::Relaxed) {
            let is_news = !matches!(event, Event::Tick);
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
            // Some things are decided because time went on.
            let is_sent = self.exporter.as_ref().is_some_and(Exporter::has_news);
            if is_news || is_sent || self.shown_version() != state.alerting.book.version {
                self.show(&state);
            }
            // A timeout is a tick; the inbox can't be closed while we hold one end of it.
            event = events.recv_timeout(SLEEP_AT_MOST).unwrap_or(Event::Tick);
        }
        Ok(())
    }

    /// The store works again: goes on with what it knows of alerts.
    fn recall(&self, state: State) -> State {
        let policy = Policy::of(&self.live.settings().config);
        let folder = self.live.settings().data_dir.join("store");
        match recalled(&folder, &policy, &|_| {}) {
            Ok(Some(recalled)) => {
                state.with_alerts(recalled.book, policy).with_letters(&recalled.records).with_tallies(&recalled.records)
            }
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
        let stop = Stop::new(None, Arc::clone(&self.stop));
        thread::spawn(move || {
            after_others();
            let began = Instant::now();
            let look = || look_at(Path::new(&path), &settings, stop.clone());
            // A bug of ours in one repository must not stop the watch over it, and over all others.
            let seen = panic::catch_unwind(panic::AssertUnwindSafe(look));
            let seen = seen.unwrap_or_else(|_| Err(Unseen::Failed("a bug in alignwatch ended the look".to_owned())));
            // What was cut short by our own end is not what the repository looks like.
            if !stop.is_due() {
                let inspected = Inspected { path, seconds: began.elapsed().as_secs_f64(), seen };
                let _ = inbox.send(Event::Inspected(Box::new(inspected)));
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
}

impl Body {
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

fn look_at(path: &Path, settings: &Settings, stop: Stop) -> Result<alignwatch_model::Snapshot, Unseen> {
    // Only a path that is not there, or holds no repository, says that it is gone: what can't be read may be there.
    repository::open_itself(path).map_err(|error| match error {
        OpenError::NotARepository { .. } => Unseen::Gone(format!("there is no Git repository at `{}`", path.display())),
        error => Unseen::Failed(error.to_string()),
    })?;
    let made = ALL.iter().filter(|check| checks::is_made(check, &settings.config, |_| false).is_ok());
    let wanted = Wanted {
        base: None,
        looks: Look::with_required(made.flat_map(|check| check.needs.iter().copied()).chain([Look::Touched])),
        paths_patience: look::PATIENCE_OF_PROGRAMS,
        stop,
    };
    let looked = look::look(path, &settings.config, now(), Some(&settings.data_dir), &wanted, &|_| {});
    looked.map_err(|error| Unseen::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn what_was_watched_before_and_cannot_be_read_is_said_and_not_taken_for_nothing() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("store");
        std::fs::create_dir(&folder).unwrap();
        drop(alignwatch_store::open(&folder).unwrap());
        let said = RefCell::new(Vec::new());
        let say = |text: &str| said.borrow_mut().push(text.to_owned());
        assert!(known(&folder, &say).is_empty());
        assert!(said.borrow().is_empty(), "{said:?}");
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::write(path, "no database").unwrap();
            }
        }
        assert!(known(&folder, &say).is_empty());
        assert!(said.borrow()[0].contains("cannot read which repositories were watched before"), "{said:?}");
    }
}
