//! Shows: the dashboard, the HTTP API, and the metrics page that a Prometheus scrapes.
//!
//! It reads the store and posts wishes into the daemon's inbox; it decides nothing. It answers only requests that name
//! this machine (no page of another site can reach it by a name of its own), and gives every request a limit of size
//! and time. On another address than this machine's own, each request needs a token ([`Access`]).

mod access;
mod alertmanager;
mod alerts;
mod api;
mod branches;
mod connections;
mod gathered;
mod guard;
mod improvement;
mod incoming;
mod metrics;
mod pages;
mod ping;
mod problem;
mod promises;
mod reports;
mod runs;
mod tasks;
mod trends;
mod upkeep;
mod watching;
mod webhooks;
mod windows;

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

pub use access::Access;
use alignwatch_model::{
    Timestamp,
    alert::Wish,
    config::{Config, Loaded, SecretRef},
    metrics::Distribution,
    record::Reading,
    run::RunEvent,
    task::{Plan, TaskWish, slots::Ahead},
    turn::{Alerting, Refusal},
    window::{Change, ChangeWish},
};
use alignwatch_store::{RepositoryRow, Store};
use connections::Connections;
pub use upkeep::{Planned, TaskAbout};
pub use watching::Unwatchable;
pub use windows::Unchanged;

/// Readers that are kept open. Source: ours; each has a cache of 2 MB, and more requests seldom read at once.
const READERS_KEPT: usize = 8;

/// How long work is waited for whose asker is gone, at the end. Source: ours; a program that hangs must not keep the daemon.
const LEFT_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// What the pages show, and whom they can ask. Shared with the daemon.
pub struct Shared {
    /// Where the store is.
    pub store: PathBuf,
    /// What was last measured.
    pub readings: RwLock<Arc<Vec<Reading>>>,
    /// What was counted as histograms.
    pub distributions: RwLock<Arc<Vec<Distribution>>>,
    /// What is known of alerts.
    pub alerting: RwLock<Arc<Alerting>>,
    /// Why the daemon does not do its work; `None` = it does.
    pub trouble: RwLock<Option<String>>,
    /// What can be asked of the daemon.
    pub asks: Asks,
    /// The configuration in force, with the origin of each value.
    loaded: RwLock<Arc<Loaded>>,
    /// Readers of the store that nobody uses now: who asks waits for nobody else.
    readers: Mutex<Vec<Store>>,
    /// What pages read of each repository, until its next sweep.
    views: Arc<pages::Views>,
    /// What webhooks told of lately.
    heard: webhooks::Heard,
    /// Plans of tasks that were asked for.
    tickets: upkeep::Tickets,
    /// How many events runs have.
    counts: runs::Counts,
    /// Reports of this moment.
    gathered: gathered::Gathered,
}

/// Asks for a look at the repository at this path. Errors: the inbox is full.
pub type Look = dyn Fn(&str) -> Result<(), InboxFull> + Send + Sync;

/// Hears once what became of a report.
pub type Tell = Box<dyn FnOnce(Result<(), Refusal>) + Send>;

/// Hands over what was reported of alignment runs.
pub type Report = dyn Fn(Vec<RunEvent>, Tell) + Send + Sync;

/// Reads a secret. Errors: why it can't be read, in a sentence part that holds nothing of it.
pub type SecretOf = dyn Fn(&SecretRef) -> Result<String, String> + Send + Sync;

/// The watched repositories that one of these addresses means, as paths.
pub type Named = dyn Fn(&[String]) -> Vec<String> + Send + Sync;

/// Watches the repository at this path, too; false = it was watched already.
pub type Watch = dyn Fn(&str) -> Result<bool, Unwatchable> + Send + Sync;

/// Watches the repository at this path no longer.
pub type Unwatch = dyn Fn(&str) -> Result<(), Unwatchable> + Send + Sync;

/// The newest runs of maintenance tasks, at most so many. Errors: why they can't be read, in a sentence.
pub type Tasks = dyn Fn(usize) -> Result<Vec<TaskRun>, String> + Send + Sync;

/// What maintenance there will be for so many days in the repositories with these paths and ids. Errors: why that can't be
/// told, in a sentence.
pub type Upcoming = dyn Fn(&Config, &[(String, String)], i64) -> Result<Vec<Ahead>, String> + Send + Sync;

/// Is the repository at this path watched now?
pub type IsWatched = dyn Fn(&str) -> bool + Send + Sync;

/// A run of a maintenance task.
pub struct TaskRun {
    /// Its number.
    pub id: u64,
    /// The last that was heard of it.
    pub at: Timestamp,
    /// The task.
    pub task: String,
    /// Path of the repository.
    pub repository: String,
    /// What it was about to do.
    pub plan: Option<Plan>,
    /// What came of it; `None` = it goes on, or was ended half-way.
    pub report: Option<alignwatch_model::task::Report>,
    /// It was ended half-way, and what it left was put right since.
    pub is_healed: bool,
    /// Where it stands, in one word.
    pub state: &'static str,
    /// There is something that takes it back.
    pub can_be_undone: bool,
}

/// Hands over what somebody wants done about alerts.
pub type WishFor = dyn Fn(Wish, Tell) + Send + Sync;

/// Hands over what somebody wants done about maintenance.
pub type UpkeepFor = dyn Fn(TaskWish, Tell) + Send + Sync;

/// Changes the opening of a window that is on. Errors: [`Unchanged`].
pub type Windows = dyn Fn(ChangeWish) -> Result<Change, Unchanged> + Send + Sync;

/// What can be asked of the daemon.
pub struct Asks {
    /// To look at a repository now.
    pub look: Box<Look>,
    /// To keep what was reported.
    pub report: Box<Report>,
    /// To watch one more.
    pub watch: Box<Watch>,
    /// To watch one no longer.
    pub unwatch: Box<Unwatch>,
    /// What a secret is.
    pub secret: Box<SecretOf>,
    /// Which repositories an address means.
    pub named: Box<Named>,
    /// What maintenance did.
    pub tasks: Box<Tasks>,
    /// What maintenance will do.
    pub ahead: Box<Upcoming>,
    /// Whether a repository is watched.
    pub is_watched: Box<IsWatched>,
    /// To do something about alerts.
    pub wish: Box<WishFor>,
    /// To do something about maintenance.
    pub upkeep: Box<UpkeepFor>,
    /// To change the opening of a window.
    pub windows: Box<Windows>,
    /// The maintenance tasks that there are.
    pub known_tasks: Vec<TaskAbout>,
}

/// There is more in the inbox than the daemon can take.
#[derive(Debug, thiserror::Error)]
#[error("the daemon has more to do than it can take")]
pub struct InboxFull;

/// Why it can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address can't be had.
    #[error("cannot listen on {address}: {source}")]
    Taken {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

impl Shared {
    /// Nothing is measured yet.
    pub fn new(store: PathBuf, asks: Asks, loaded: Loaded) -> Shared {
        let trouble = RwLock::new(Some("no repository was looked at yet".to_owned()));
        Shared {
            store,
            readings: RwLock::default(),
            distributions: RwLock::default(),
            alerting: RwLock::default(),
            trouble,
            asks,
            loaded: RwLock::new(Arc::new(loaded)),
            readers: Mutex::default(),
            views: Arc::default(),
            heard: webhooks::Heard::default(),
            tickets: upkeep::Tickets::default(),
            counts: runs::Counts::default(),
            gathered: gathered::Gathered::default(),
        }
    }

    /// The configuration in force now.
    pub fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another configuration in force.
    pub fn load(&self, loaded: Loaded) {
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
    }

    /// What is known of alerts now.
    fn alerting(&self) -> Arc<Alerting> {
        Arc::clone(&self.alerting.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has something done about alerts. It is done, and on the disk, when this is answered.
    async fn wish(&self, wish: Wish) -> Result<(), Refusal> {
        let (tell, told) = tokio::sync::oneshot::channel();
        // Whoever asked may be gone by then.
        (self.asks.wish)(wish, Box::new(move |done| drop(tell.send(done))));
        told.await.unwrap_or(Err(Refusal::TooMuch))
    }

    /// The repositories that are watched now, and those that were: of several that lay at one path one after the other, only
    /// the last is watched.
    fn repositories(&self) -> Result<(Vec<RepositoryRow>, Vec<RepositoryRow>), alignwatch_store::StoreError> {
        let rows = self.read(|store| store.repositories())?;
        let mut last = BTreeMap::<String, (Timestamp, String)>::new();
        for row in &rows {
            let seen = (row.swept_at, row.id.clone());
            let newest = last.entry(row.path.clone()).or_insert_with(|| seen.clone());
            *newest = seen.max(newest.clone());
        }
        let is_last = |row: &RepositoryRow| last.get(&row.path).is_some_and(|(_, id)| *id == row.id);
        Ok(rows.into_iter().partition(|row| is_last(row) && (self.asks.is_watched)(&row.path)))
    }

    /// Asks the store; a reader that fails is opened anew the next time.
    fn read<T>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, alignwatch_store::StoreError>,
    ) -> Result<T, alignwatch_store::StoreError> {
        let free = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let store = match free {
            Some(store) => store,
            None => alignwatch_store::open_to_read(&self.store)?,
        };
        let answer = ask(&store)?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        // What can't be written now may be written the next time, and only a new reader sees that.
        if !store.is_frozen() && readers.len() < READERS_KEPT {
            readers.push(store);
        }
        Ok(answer)
    }
}

/// Takes the address.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let taken = |source| ListenError::Taken { address, source };
    let listener = TcpListener::bind(address).map_err(taken)?;
    listener.set_nonblocking(true).map_err(taken)?;
    Ok(listener)
}

/// Answers requests until `until` is done; then lets those that run come to their end.
///
/// Blocks the thread. Errors: the listener can't be used.
pub fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    access: Access,
    until: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let connections = Connections::of(listener, connections::AT_ONCE, connections::PATIENCE);
        axum::serve(connections, guard::guarded(api::router(shared), access)).with_graceful_shutdown(until).await
    });
    runtime.shutdown_timeout(LEFT_AFTER);
    ended
}

/// Waits on the clock of the pages.
pub async fn rest(time: std::time::Duration) {
    tokio::time::sleep(time).await;
}

/// The time by the wall clock.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
}

/// The description of the API, as JSON.
pub fn openapi() -> String {
    api::openapi()
}
