//! The daemon: wiring, the loop, and its end.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc::sync_channel,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use alignwatch_model::{
    Timestamp,
    access::TOKENS_FILE,
    alert::Policy,
    config::{Config, Loaded, Origins, StatusPage},
    turn::{Pace, State},
    words::count,
};
use alignwatch_store::StoreError;
use alignwatch_web::{Access, Asks, ListenError, Shared};

use crate::{
    address,
    asks::{about, ahead_of, hand_over, is_watched, meant, tasks_of, wishes},
    body::Body,
    calendars,
    deliver::Deliverer,
    expected,
    export::{self, Exporter},
    keep::Keeper,
    recalled::{known, open_store, recalled},
    reports::Reports,
    spooled,
    supervisor::Supervisor,
    verifier::Verifier,
    watch,
    watching::{Named, Watching},
};

/// Events that wait. Source: ours; one for each thing that can happen to five hundred repositories at once.
const INBOX: usize = 1024;

/// The longest that the loop sleeps, and so the longest that an end takes to be noticed.
pub(crate) const SLEEP_AT_MOST: Duration = Duration::from_millis(250);

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
            ServeError::Listen(_) => vec![
                "another program answers there, perhaps a daemon of alignwatch: `alignwatch top` shows what it watches"
                    .to_owned(),
                format!("{serve} --port N    # takes another port"),
            ],
            ServeError::KeeperGone => Vec::new(),
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
        state = recalled.put_into(state, policy);
    }
    let live = Arc::new(Live { settings: RwLock::new(Arc::new(settings)), shared: Arc::clone(&shared) });
    let calendars = calendars::start(Arc::clone(&live), inbox.clone(), Arc::clone(&stop));
    let (own_stop, recent, looked) = (Arc::clone(&stop), Arc::default(), Mutex::default());
    let body =
        Body { live, stop: own_stop, inbox, commits, reports, deliverer, exporter, shared, watching, recent, looked };
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
