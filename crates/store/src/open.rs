//! Opens the file: as its only writer, or to read.

use std::{
    cmp::Ordering,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use alignwatch_model::quote::shell_word;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{Store, backup, schema};

/// Memory for pages of the writer at most. Source: ours; what many runs touch at once, so that it is not read again.
const CACHE_KIB: i64 = 8 << 10;

/// Statements that stay prepared. Source: ours; more than there are, so that none is read twice.
const STATEMENTS_AT_MOST: usize = 128;

/// How long a reader or writer waits for another before it gives up. Source: ours; a checkpoint takes milliseconds.
const BUSY_AT_MOST: Duration = Duration::from_secs(5);

/// The oldest SQLite that is used: earlier ones can lose a write when a checkpoint meets a reset of the log.
///
/// Source: sqlite.org, release notes of 3.51.3.
const SQLITE_AT_LEAST: i32 = 3_051_003;

/// How long the check at the start may take. Source: ours; supervisors wait a minute or more for a start, and in this
/// time a disk reads some hundred MiB.
const LOOK_AT_MOST: Duration = Duration::from_secs(2);

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process writes.
    #[error("cannot write to `{path}`: {owner} does already", path = path.display())]
    Owned {
        /// The folder.
        path: PathBuf,
        /// Who, as far as it said.
        owner: String,
    },
    /// A later version of alignwatch made the file.
    #[error("cannot use the store: it has version {found}, and this program knows versions up to {known}")]
    Newer {
        /// Version of the file.
        found: i64,
        /// Latest version that is known.
        known: i64,
    },
    /// An earlier version of alignwatch made the file, and nobody has opened it to write since.
    #[error("cannot read the store yet: it has version {found}, and `alignwatch serve` will bring it up to {known}")]
    Older {
        /// Version of the file.
        found: i64,
        /// The version that is read.
        known: i64,
    },
    /// The file is damaged, and there is no backup that is well.
    #[error("cannot use the store `{path}`: it is damaged ({damage}), and there is no backup of it that is well", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the check said.
        damage: String,
    },
    /// The file or folder can't be used.
    #[error("cannot use `{path}`: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The engine is one that loses data.
    #[error("cannot use SQLite {0}: it has a bug that loses data; 3.51.3 is the oldest without")]
    BadEngine(&'static str),
    /// SQLite refused.
    #[error("cannot use the store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A document can't be written or read.
    #[error("cannot write or read a document: {0}")]
    Document(#[from] serde_json::Error),
    /// Numbers can't be packed or unpacked.
    #[error("cannot pack or unpack numbers: {0}")]
    Numbers(String),
}

impl StoreError {
    /// It has to do with the place and not with the store, so that it may pass: the disk is full, the file system or
    /// folder can't be written.
    pub fn may_pass(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match self {
            StoreError::Io { source, .. } => {
                let places = [FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull];
                places.contains(&source.kind())
            }
            StoreError::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    ErrorCode::DiskFull
                        | ErrorCode::ReadOnly
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::PermissionDenied
                        | ErrorCode::CannotOpen
                )
            ),
            _ => false,
        }
    }

    /// What to type to get further, in order, each line with what it does behind `#`; empty where nothing is known.
    pub fn hints(&self, serve: &str) -> Vec<String> {
        let path = match self {
            StoreError::Damaged { path, .. } => path,
            StoreError::Owned { .. } => {
                return vec![
                    "that is a daemon at work: `alignwatch top` shows what it watches, and its dashboard adds repositories"
                        .to_owned(),
                    format!("{serve} --data-dir DIR    # keeps another history beside it"),
                ];
            }
            _ => return Vec::new(),
        };
        let quoted = |path: &Path| shell_word(path.as_os_str().as_bytes());
        let moved = ["", "-wal", "-shm"].map(|ending| beside(path, ending)).into_iter().filter(|file| file.exists());
        let files: Vec<String> = moved.map(|file| quoted(&file)).collect();
        let aside = path.with_extension("damaged");
        let aside = quoted(&aside);
        vec![
            "it is the history that alignwatch keeps, not a repository; runs that wait in the spool are not in it"
                .to_owned(),
            format!(
                "mkdir {aside} && mv {} {aside}    # puts it aside; sqlite3's .recover may save parts of it",
                files.join(" ")
            ),
            format!(
                "{serve}    # begins anew: the past year is rebuilt from each repository; alerts and silences are not"
            ),
        ]
    }

    /// Does it say that the file itself is damaged? Everything else says nothing about it.
    pub fn is_damage(&self) -> bool {
        match self {
            StoreError::Damaged { .. } => true,
            StoreError::Sqlite(error) => is_damage(error),
            _ => false,
        }
    }
}

/// What had to be done to open it.
#[derive(Debug, PartialEq, Eq)]
pub enum Mended {
    /// Nothing.
    No,
    /// It was damaged: the file was moved aside, and the newest good backup took its place.
    FromBackup {
        /// What was wrong.
        damage: String,
        /// Where the damaged file is now.
        moved_to: PathBuf,
        /// The backup that is used.
        backup: PathBuf,
    },
}

/// Opens the store in this folder as its only writer, or makes it.
///
/// A damaged file is moved aside, never removed, and the newest verified backup takes its place.
/// Errors: [`StoreError`].
pub fn open(folder: &Path) -> Result<(Store, Mended), StoreError> {
    if rusqlite::version_number() < SQLITE_AT_LEAST {
        return Err(StoreError::BadEngine(rusqlite::version()));
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|source| io_error(folder, source))?;
    let owner = own(folder)?;
    let path = file_in(folder);
    put_back_what_was_taken_out(folder, &path)?;
    let (connection, mended) = match well(&path) {
        Ok(connection) => (connection, Mended::No),
        Err(Unwell::Damaged(damage)) => mend(folder, &path, damage)?,
        // A full disk, a missing right or another process says nothing about the file.
        Err(Unwell::Refused(error)) => return Err(error.into()),
    };
    let (names, recent, folder) = (Default::default(), Default::default(), folder.to_owned());
    let mut store = Store { connection, names, recent, _owner: Some(owner), folder, is_frozen: false };
    schema::migrate(&mut store.connection)?;
    Ok((store, mended))
}

/// Is there a store in this folder?
pub fn is_there(folder: &Path) -> bool {
    file_in(folder).is_file()
}

/// Opens the store in this folder to read. It must be there, and of the version that this program writes.
///
/// Where nothing can be written beside it (a file system that became read-only), it is read as it lies there: see
/// [`Store::is_frozen`].
pub fn open_to_read(folder: &Path) -> Result<Store, StoreError> {
    let path = file_in(folder);
    let (connection, is_frozen) = match to_read(&path) {
        Ok(connection) => (connection, false),
        Err(error) => (as_it_lies(&path).ok_or(error)?, true),
    };
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found.cmp(&schema::VERSION) {
        Ordering::Greater => Err(StoreError::Newer { found, known: schema::VERSION }),
        Ordering::Less => Err(StoreError::Older { found, known: schema::VERSION }),
        Ordering::Equal => {
            let (names, recent) = Default::default();
            Ok(Store { connection, names, recent, _owner: None, folder: folder.to_owned(), is_frozen })
        }
    }
}

fn to_read(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    settle(&connection)?;
    // Here it is found out whether the files beside it can be made.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// Reads the file and nothing beside it, which is whole when there is no log.
fn as_it_lies(path: &Path) -> Option<Connection> {
    let log = fs::metadata(beside(path, "-wal")).map_or(0, |log| log.len());
    if log != 0 {
        return None;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let escaped = |&byte: &u8| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") };
    let name: String = std::path::absolute(path).ok()?.as_os_str().as_bytes().iter().map(escaped).collect();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags).ok()?;
    settle(&connection).ok()?;
    Some(connection)
}

impl Store {
    /// It is read from a file that nobody could write when it was opened. Open it anew for the next question: by then
    /// somebody may write.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }

    /// Reads all of the file and checks it. Shape: what is wrong, if anything is; then the next start takes the time to
    /// read all of it, too, and mends it. Errors: it can't be read.
    pub fn examine(&self) -> Result<Option<String>, StoreError> {
        let damage = match damage(&self.connection)? {
            None => return Ok(None),
            Some(damage) => damage,
        };
        // Where it can't be written, the next start looks as far as it can in its time.
        let _ = fs::write(suspicion_of(&file_in(&self.folder)), &damage);
        Ok(Some(damage))
    }
}

/// The path with an ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The lock of the only writer.
pub(crate) fn lock_in(folder: &Path) -> PathBuf {
    folder.join("store.lock")
}

/// The file in its folder.
pub(crate) fn file_in(folder: &Path) -> PathBuf {
    folder.join("store.sqlite")
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source }
}

/// Takes the place of the only writer. The lock goes with the process; what the file says is only for people.
fn own(folder: &Path) -> Result<File, StoreError> {
    let path = lock_in(folder);
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = opened.map_err(|source| io_error(&path, source))?;
    match locked(&file, &path) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Whoever it is, it has the lock.
            let _ = file.take(100).read_to_string(&mut owner);
            let owner = if owner.trim().is_empty() { "another process".into() } else { owner.trim().to_owned() };
            return Err(StoreError::Owned { path: folder.to_owned(), owner });
        }
        Err(TryLockError::Error(source)) => return Err(io_error(&path, source)),
    }
    let told = file.set_len(0).and_then(|()| file.rewind());
    told.and_then(|()| writeln!(file, "process {}", std::process::id())).map_err(|source| io_error(&path, source))?;
    Ok(file)
}

/// How long a lock is waited for whose owner is dead.
///
/// Source: ours. A process that is killed while it begins another one leaves it the lock until that one runs its own program,
/// which takes moments, also on a busy machine.
const LEFT_BEHIND: Duration = Duration::from_secs(5);

fn locked(file: &File, path: &Path) -> Result<(), TryLockError> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if is_left_behind(path) && began.elapsed() < LEFT_BEHIND => {
                thread::sleep(Duration::from_millis(20));
            }
            answer => return answer,
        }
    }
}

/// Is the process that a lock names there no more?
fn is_left_behind(path: &Path) -> bool {
    let owner = fs::read_to_string(path).unwrap_or_default();
    let pid: Option<u32> = owner.trim().strip_prefix("process ").and_then(|pid| pid.parse().ok());
    pid.is_some_and(|pid| Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{pid}")).exists())
}

/// Why the file could not be found well.
enum Unwell {
    /// Its content is wrong.
    Damaged(String),
    /// It could not be looked at.
    Refused(rusqlite::Error),
}

impl From<rusqlite::Error> for Unwell {
    fn from(error: rusqlite::Error) -> Unwell {
        if is_damage(&error) { Unwell::Damaged(error.to_string()) } else { Unwell::Refused(error) }
    }
}

/// What a whole reading finds wrong.
fn damage(connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
    let said = connection.pragma_query_value(None, "integrity_check", |row| row.get::<_, String>(0));
    match said.map_err(Unwell::from) {
        Ok(said) => Ok((said != "ok").then_some(said)),
        Err(Unwell::Damaged(damage)) => Ok(Some(damage)),
        Err(Unwell::Refused(error)) => Err(error),
    }
}

/// Is there as long as nobody knows whether the damage that was found is mended.
fn suspicion_of(path: &Path) -> PathBuf {
    path.with_extension("suspected")
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Opens the file and finds it well, as far as that can be told in [`LOOK_AT_MOST`]; [`Store::examine`] reads the rest.
fn well(path: &Path) -> Result<Connection, Unwell> {
    let connection = connect(path)?;
    let suspicion = suspicion_of(path);
    if suspicion.exists() {
        if let Some(damage) = damage(&connection)? {
            return Err(Unwell::Damaged(damage));
        }
        // Still there, it costs the next start some time.
        let _ = fs::remove_file(suspicion);
        return Ok(connection);
    }
    let said = within(LOOK_AT_MOST, &connection, || {
        connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0))
    });
    match said {
        Ok(said) if said != "ok" => Err(Unwell::Damaged(said)),
        Err(error) if error.sqlite_error_code() != Some(ErrorCode::OperationInterrupted) => Err(error.into()),
        _ => Ok(connection),
    }
}

/// Asks something that is cut short after a time.
fn within<T>(
    at_most: Duration,
    connection: &Connection,
    ask: impl FnOnce() -> Result<T, rusqlite::Error>,
) -> Result<T, rusqlite::Error> {
    let clock = connection.get_interrupt_handle();
    let (answered, is_answered) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if is_answered.recv_timeout(at_most) == Err(RecvTimeoutError::Timeout) {
                clock.interrupt();
            }
        });
        let answer = ask();
        // Before the answer is used, so that nothing else is cut short.
        drop(answered);
        answer
    })
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    // Where it can't be made, SQLite says why.
    drop(made);
    let connection = Connection::open(path)?;
    settle(&connection)?;
    let n_pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if n_pages == 0 {
        // Only a file without a table takes this; `schema` sees to the others.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    // What is acknowledged is on the disk: the log is synced at each commit.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

fn settle(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_AT_MOST);
    connection.busy_timeout(BUSY_AT_MOST)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

/// Moves a damaged file aside, with its log, and puts the newest good backup in its place.
fn mend(folder: &Path, path: &Path, damage: String) -> Result<(Connection, Mended), StoreError> {
    let Some(backup) = backup::newest_good(folder) else {
        return Err(StoreError::Damaged { path: path.to_owned(), damage });
    };
    let draft = drafted(&backup, path)?;
    let moved_to = aside(path)?;
    publish(folder, &draft, path)?;
    let connection = well(path).map_err(|unwell| match unwell {
        Unwell::Damaged(damage) => StoreError::Damaged { path: path.to_owned(), damage },
        Unwell::Refused(error) => error.into(),
    })?;
    Ok((connection, Mended::FromBackup { damage, moved_to, backup }))
}

/// A mending that was killed between its two renames left a whole draft and no file: it is ended here. An empty
/// store in its place would look like one that never saw anything.
fn put_back_what_was_taken_out(folder: &Path, path: &Path) -> Result<(), StoreError> {
    let draft = draft_of(path);
    match (path.exists(), draft.exists()) {
        (false, true) => publish(folder, &draft, path),
        (true, true) => fs::remove_file(&draft).map_err(|source| io_error(&draft, source)),
        _ => Ok(()),
    }
}

fn draft_of(path: &Path) -> PathBuf {
    path.with_extension("mended")
}

/// Copies a backup beside the file. Its name is only there once all of it is on the disk.
fn drafted(backup: &Path, path: &Path) -> Result<PathBuf, StoreError> {
    let (partial, draft) = (path.with_extension("mending"), draft_of(path));
    let copied = fs::copy(backup, &partial).and_then(|_| File::open(&partial)?.sync_all());
    copied.and_then(|()| fs::rename(&partial, &draft)).map_err(|source| io_error(&partial, source))?;
    Ok(draft)
}

fn publish(folder: &Path, draft: &Path, path: &Path) -> Result<(), StoreError> {
    let published = fs::rename(draft, path).and_then(|()| File::open(folder)?.sync_all());
    published.map_err(|source| io_error(path, source))
}

fn aside(path: &Path) -> Result<PathBuf, StoreError> {
    let free = (1..).map(|number| path.with_extension(format!("damaged-{number}"))).find(|path| !path.exists());
    let to = free.expect("some number is free");
    // The log goes first: a file without it is whole as of its last checkpoint, a log without its file is nothing.
    for ending in ["-wal", "-shm", ""] {
        match fs::rename(beside(path, ending), beside(&to, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(path, error)),
            _ => {}
        }
    }
    Ok(to)
}
