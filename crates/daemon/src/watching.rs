//! The repositories that are watched: those that the command line and the configuration name, those that patterns of the
//! configuration find, now and later, and those that were added over the API, which stand in a file and are there again at
//! the next start.
//!
//! Whoever adds one has the daemon read it in its own name, so that only folders are taken which the configuration opens
//! for that. What is added is on the disk before it is answered. Taking one out forgets nothing of its history.
//!
//! One that a pattern found is watched on when it is not there any more: it is gone, which somebody must see, also after a
//! restart. Whoever meant it takes it out over the API; it comes back when there is a repository again.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use alignwatch_git::repository::{self, OpenError};
use alignwatch_model::{config::any_names_path, turn::Event};
use alignwatch_web::Unwatchable;
use serde::{Deserialize, Serialize};

/// Repositories that are watched at most, where some are added. Source: ours; ten times the largest fleet that is planned for.
const AT_MOST: usize = 5_000;

/// How often the patterns are read again. Source: ours; who makes a clone looks at the dashboard a minute later.
const READ_EVERY: Duration = Duration::from_secs(30);

/// How long that sleeps at a time, so that an end is noticed.
const NAP: Duration = Duration::from_millis(250);

/// All that is watched.
pub(crate) struct Watching {
    paths: RwLock<Vec<PathBuf>>,
    /// What the command line and the configuration name.
    named: BTreeSet<PathBuf>,
    /// What of the configuration is a pattern.
    patterns: Vec<String>,
    /// What was said over the API, as it stands in the file.
    said: Mutex<Said>,
    file: PathBuf,
    /// Where it may be added from, as patterns.
    may_add: Vec<String>,
    inbox: SyncSender<Event>,
}

/// What was said over the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Said {
    /// Watch these, too.
    added: BTreeSet<String>,
    /// These are gone, which is meant.
    forgotten: BTreeSet<String>,
}

/// What is watched from the beginning.
pub(crate) struct Named<'a> {
    /// What the command line names.
    pub(crate) paths: &'a [PathBuf],
    /// What the configuration names: paths and patterns.
    pub(crate) configured: &'a [String],
    /// Where others may be added from, as patterns.
    pub(crate) may_add: &'a [String],
    /// What was watched before, as paths.
    pub(crate) before: &'a [String],
}

impl Watching {
    /// These, those that patterns find or found before, and those that were added before. `say` hears when these can't be
    /// read; then they are left out, and the file is left as it is until one is added.
    pub(crate) fn these(named: &Named<'_>, data_dir: &Path, inbox: SyncSender<Event>, say: &dyn Fn(&str)) -> Watching {
        let file = data_dir.join("repositories.json");
        let said = read(&file).unwrap_or_else(|error| {
            say(&format!(
                "cannot read which repositories were added ({}): {error}: they are not watched",
                file.display()
            ));
            Said::default()
        });
        let (patterns, plain): (Vec<String>, Vec<String>) =
            named.configured.iter().cloned().partition(|path| path.contains(['*', '?', '[']));
        let by_name: BTreeSet<PathBuf> =
            named.paths.iter().cloned().chain(plain.into_iter().map(PathBuf::from)).collect();
        let mut paths = by_name.clone();
        paths.extend(found(&patterns, &BTreeSet::new()));
        let may_be_gone = |path: &&String| any_names_path(&patterns, path) && !said.forgotten.contains(*path);
        paths.extend(named.before.iter().filter(may_be_gone).map(PathBuf::from));
        paths.extend(said.added.iter().map(PathBuf::from));
        Watching {
            paths: RwLock::new(paths.into_iter().collect()),
            named: by_name,
            patterns,
            said: Mutex::new(said),
            file,
            may_add: named.may_add.to_vec(),
            inbox,
        }
    }

    /// Reads the patterns again until `stop`, on a thread of its own: a file system that hangs stops nobody else.
    pub(crate) fn read_again(self: &Arc<Watching>, stop: Arc<AtomicBool>) -> JoinHandle<()> {
        let watching = Arc::clone(self);
        thread::spawn(move || {
            let mut due = Instant::now() + READ_EVERY;
            while !watching.patterns.is_empty() && !stop.load(Ordering::Relaxed) {
                if due <= Instant::now() {
                    watching.take_up();
                    due = Instant::now() + READ_EVERY;
                }
                thread::sleep(NAP);
            }
        })
    }

    /// Watches what the patterns find now and is not watched yet.
    fn take_up(&self) {
        let known: BTreeSet<PathBuf> = self.paths().into_iter().collect();
        for path in &found(&self.patterns, &known) {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody may have added it meanwhile.
            if self.paths().contains(path) {
                continue;
            }
            let text = path.to_string_lossy().into_owned();
            let wanted = Said {
                forgotten: said.forgotten.iter().filter(|one| **one != text).cloned().collect(),
                ..said.clone()
            };
            // What can't be written is only forgotten once more at a start, where it is found again.
            if wanted != *said && write(&self.file, &wanted).is_ok() {
                *said = wanted;
            }
            self.watch(path, text);
        }
    }

    fn watch(&self, path: &Path, text: String) {
        self.paths.write().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        self.tell(Event::Watched(text));
    }

    /// All of them, now.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.paths.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.paths().iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    /// Is this one watched?
    pub(crate) fn holds(&self, path: &Path) -> bool {
        self.paths.read().unwrap_or_else(PoisonError::into_inner).iter().any(|one| one == path)
    }

    /// Watches this one, too, from now on; false = it was watched already.
    pub(crate) fn add(&self, path: &str) -> Result<bool, Unwatchable> {
        // A way out of a folder that is open would be a way into any other.
        let is_plain = path.starts_with('/') && !path.split('/').any(|part| part == ".." || part == ".");
        let path = path.trim_end_matches('/');
        if !is_plain || !any_names_path(&self.may_add, path) {
            return Err(Unwatchable::NotOpen);
        }
        let place = Path::new(path);
        let real = fs::canonicalize(place).map_err(|error| Unwatchable::NoRepository(error.to_string()))?;
        if !real.to_str().is_some_and(|real| any_names_path(&self.may_add, real)) {
            return Err(Unwatchable::NotOpen);
        }
        repository::open_itself(place).map_err(|error| Unwatchable::NoRepository(error.to_string()))?;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.paths();
        if known.iter().any(|other| other == place) {
            return Ok(false);
        }
        if AT_MOST <= known.len() {
            return Err(Unwatchable::TooMany(AT_MOST));
        }
        let mut wanted = said.clone();
        wanted.added.insert(path.to_owned());
        wanted.forgotten.remove(path);
        write(&self.file, &wanted).map_err(|error| Unwatchable::NotKept(error.to_string()))?;
        *said = wanted;
        self.watch(place, path.to_owned());
        Ok(true)
    }

    /// Watches this one no longer.
    pub(crate) fn remove(&self, path: &str) -> Result<(), Unwatchable> {
        // Before the lock: a disk that hangs must not keep others from adding theirs.
        let is_found = any_names_path(&self.patterns, path);
        let is_gone = || matches!(repository::open_itself(Path::new(path)), Err(OpenError::NotARepository { .. }));
        let is_found_and_gone = is_found && is_gone();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wanted = said.clone();
        if self.named.contains(Path::new(path)) || !self.paths().iter().any(|other| other == Path::new(path)) {
            return Err(Unwatchable::NotAdded);
        }
        let was_added = wanted.added.remove(path);
        match () {
            () if is_found_and_gone => drop(wanted.forgotten.insert(path.to_owned())),
            // The pattern would find it again.
            () if is_found => return Err(Unwatchable::Found),
            () if !was_added => return Err(Unwatchable::NotAdded),
            () => {}
        }
        write(&self.file, &wanted).map_err(|error| Unwatchable::NotKept(error.to_string()))?;
        *said = wanted;
        self.paths.write().unwrap_or_else(PoisonError::into_inner).retain(|other| other != Path::new(path));
        self.tell(Event::Unwatched(path.to_owned()));
        Ok(())
    }

    /// The loop takes it in when it has room. Where it is gone, the next start reads the file.
    fn tell(&self, event: Event) {
        let _ = self.inbox.send(event);
    }
}

/// The repositories that patterns find now, without those that are known. A folder that can't be read has none.
fn found(patterns: &[String], known: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    // The configuration has no pattern that can't be read.
    let found = patterns.iter().filter_map(|pattern| glob::glob(pattern).ok()).flatten().flatten();
    found.filter(|path| !known.contains(path) && is_repository(path)).collect()
}

/// Does this folder itself hold a repository? One above it does not count.
fn is_repository(path: &Path) -> bool {
    (path.join(".git").exists() || path.join("HEAD").is_file()) && repository::open_itself(path).is_ok()
}

fn read(file: &Path) -> io::Result<Said> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Said::default()),
        Err(error) => Err(error),
    }
}

/// On the disk as a whole, or not at all.
fn write(file: &Path, said: &Said) -> io::Result<()> {
    let part = file.with_extension("part");
    let mut draft = File::create(&part)?;
    draft.write_all(&serde_json::to_vec_pretty(said).map_err(io::Error::other)?)?;
    draft.sync_all()?;
    fs::rename(&part, file)?;
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use alignwatch_testkit::sketch;

    use super::*;

    #[test]
    fn what_is_added_is_there_after_a_start_and_what_is_taken_out_is_not() {
        let (repo, data) = (sketch("main: a").draw(), tempfile::tempdir().unwrap());
        let path = repo.path().to_str().unwrap().to_owned();
        let open = vec![format!("{}/*", repo.path().parent().unwrap().display())];
        let (inbox, events) = sync_channel(10);
        let these = |path: &str| {
            let named = Named { paths: &[path.into()], configured: &[], may_add: &open, before: &[] };
            Watching::these(&named, data.path(), inbox.clone(), &|said| panic!("{said}"))
        };
        let start = || these("/srv/a");
        let watching = start();
        assert_eq!(watching.add(&path), Ok(true));
        assert_eq!(watching.add(&format!("{path}/")), Ok(false), "once is enough");
        assert!(matches!(events.try_recv(), Ok(Event::Watched(told)) if told == path));
        assert!(events.try_recv().is_err());
        let watching = start();
        assert_eq!(
            watching.texts(),
            ["/srv/a".to_owned(), path.clone()].into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        );
        assert_eq!(watching.remove("/srv/a"), Err(Unwatchable::NotAdded), "the configuration names it");
        assert_eq!(watching.remove(&path), Ok(()));
        assert_eq!(start().texts(), ["/srv/a"]);
        // One that was added, and is named since, is watched until it is named no more.
        start().add(&path).unwrap();
        let named = these(&path);
        assert_eq!(named.remove(&path), Err(Unwatchable::NotAdded));
    }

    #[test]
    fn only_repositories_in_open_folders_are_taken() {
        let (repo, data) = (sketch("main: a").draw(), tempfile::tempdir().unwrap());
        let path = repo.path().to_str().unwrap();
        let folder = repo.path().parent().unwrap();
        let (inbox, _events) = sync_channel(10);
        let watching = |open: &[String]| {
            let named = Named { paths: &[], configured: &[], may_add: open, before: &[] };
            Watching::these(&named, data.path(), inbox.clone(), &|_| {})
        };
        assert_eq!(watching(&[]).add(path), Err(Unwatchable::NotOpen), "nothing is open until somebody says so");
        assert_eq!(watching(&["/*".into()]).add(path), Err(Unwatchable::NotOpen), "folders in folders are not open");
        let open = [format!("{}/open/*", folder.display())];
        assert_eq!(watching(&open).add(path), Err(Unwatchable::NotOpen));
        fs::create_dir(folder.join("open")).unwrap();
        std::os::unix::fs::symlink(path, folder.join("open/link")).unwrap();
        let link = format!("{}/open/link", folder.display());
        assert_eq!(watching(&open).add(&link), Err(Unwatchable::NotOpen), "a link leads out of it");
        let out = format!("{}/open/../{}", folder.display(), repo.path().file_name().unwrap().to_str().unwrap());
        assert_eq!(watching(&open).add(&out), Err(Unwatchable::NotOpen));
        fs::create_dir(folder.join("open/empty")).unwrap();
        let empty = format!("{}/open/empty", folder.display());
        assert!(matches!(watching(&open).add(&empty), Err(Unwatchable::NoRepository(_))));
    }

    #[test]
    fn a_list_that_can_not_be_read_is_told_and_stops_nobody() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("repositories.json"), "{").unwrap();
        let (inbox, _events) = sync_channel(1);
        let said = Mutex::new(Vec::new());
        let say = |text: &str| said.lock().unwrap().push(text.to_owned());
        let named = Named { paths: &["/srv/a".into()], configured: &[], may_add: &[], before: &[] };
        let watching = Watching::these(&named, data.path(), inbox, &say);
        assert_eq!(watching.texts(), ["/srv/a"]);
        assert!(said.lock().unwrap()[0].contains("cannot read which repositories were added"));
    }

    #[test]
    fn clones_in_a_folder_are_taken_up_and_one_that_is_gone_is_watched_until_somebody_meant_it() {
        let (repo, data, folder) =
            (sketch("main: a").draw(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let clone = folder.path().join("clone.git");
        let (path, elsewhere) = (clone.to_str().unwrap().to_owned(), folder.path().join("elsewhere"));
        let configured = [format!("{}/*.git", folder.path().display())];
        let (inbox, events) = sync_channel(10);
        let start = |before: &[String]| {
            let named = Named { paths: &[], configured: &configured, may_add: &[], before };
            Watching::these(&named, data.path(), inbox.clone(), &|said| panic!("{said}"))
        };
        let watching = start(&[]);
        assert_eq!(watching.texts(), [""; 0]);
        repo.git(["clone", "-q", "--bare", ".", &path]);
        watching.take_up();
        watching.take_up();
        assert!(matches!(events.try_recv(), Ok(Event::Watched(told)) if told == path));
        assert!(events.try_recv().is_err(), "once is enough");
        assert_eq!(start(&[]).texts(), std::slice::from_ref(&path));
        assert_eq!(watching.remove(&path), Err(Unwatchable::Found), "it would be found again");
        fs::rename(&clone, &elsewhere).unwrap();
        watching.take_up();
        assert_eq!(watching.texts(), std::slice::from_ref(&path), "somebody must see that it is gone");
        let before = [path.clone(), "/srv/other.git".to_owned()];
        assert_eq!(start(&before).texts(), std::slice::from_ref(&path), "also after a start");
        assert_eq!(watching.remove(&path), Ok(()));
        assert!(matches!(events.try_recv(), Ok(Event::Unwatched(told)) if told == path));
        let watching = start(&before);
        assert_eq!(watching.texts(), [""; 0], "that is remembered");
        fs::rename(&elsewhere, &clone).unwrap();
        watching.take_up();
        assert_eq!(watching.texts(), std::slice::from_ref(&path), "it is there again");
        fs::rename(&clone, &elsewhere).unwrap();
        assert_eq!(start(&before).texts(), [path], "and gone again, which nobody meant");
    }
}
