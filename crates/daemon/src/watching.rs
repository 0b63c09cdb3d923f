//! The repositories that are watched: those that the command line and the configuration name, and those that were added
//! over the API since, which stand in a file and are there again at the next start.
//!
//! Whoever adds one has the daemon read it in its own name, so that only folders are taken which the configuration opens
//! for that. What is added is on the disk before it is answered. Taking one out forgets nothing of its history.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, RwLock, mpsc::SyncSender},
};

use alignwatch_git::repository;
use alignwatch_model::{config::any_names_path, turn::Event};
use alignwatch_web::Unwatchable;

/// Repositories that are watched at most, where some are added. Source: ours; ten times the largest fleet that is planned for.
const AT_MOST: usize = 5_000;

/// All that is watched.
pub(crate) struct Watching {
    paths: RwLock<Vec<PathBuf>>,
    /// What the command line and the configuration name.
    named: BTreeSet<PathBuf>,
    /// What was added over the API, as it stands in the file.
    added: Mutex<BTreeSet<String>>,
    file: PathBuf,
    /// Where it may be added from, as patterns.
    may_add: Vec<String>,
    inbox: SyncSender<Event>,
}

impl Watching {
    /// These, and those that were added before. `say` hears when these can't be read; then they are left out, and the file
    /// is left as it is until one is added.
    pub(crate) fn these(
        mut paths: Vec<PathBuf>,
        may_add: &[String],
        data_dir: &Path,
        inbox: SyncSender<Event>,
        say: &dyn Fn(&str),
    ) -> Watching {
        let file = data_dir.join("repositories.json");
        let added: BTreeSet<String> = read(&file).unwrap_or_else(|error| {
            say(&format!(
                "cannot read which repositories were added ({}): {error}: they are not watched",
                file.display()
            ));
            BTreeSet::new()
        });
        let named = paths.iter().cloned().collect();
        paths.extend(added.iter().map(PathBuf::from));
        paths.sort();
        paths.dedup();
        Watching { paths: RwLock::new(paths), named, added: Mutex::new(added), file, may_add: may_add.to_vec(), inbox }
    }

    /// All of them, now.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.paths.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.paths().iter().map(|path| path.to_string_lossy().into_owned()).collect()
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
        repository::open(place).map_err(|error| Unwatchable::NoRepository(error.to_string()))?;
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.paths();
        if known.iter().any(|other| other == place) {
            return Ok(false);
        }
        if AT_MOST <= known.len() {
            return Err(Unwatchable::TooMany(AT_MOST));
        }
        let mut wanted = added.clone();
        wanted.insert(path.to_owned());
        write(&self.file, &wanted).map_err(|error| Unwatchable::NotKept(error.to_string()))?;
        *added = wanted;
        self.paths.write().unwrap_or_else(PoisonError::into_inner).push(place.to_owned());
        self.tell(Event::Watched(path.to_owned()));
        Ok(true)
    }

    /// Watches this one no longer.
    pub(crate) fn remove(&self, path: &str) -> Result<(), Unwatchable> {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wanted = added.clone();
        if self.named.contains(Path::new(path)) || !wanted.remove(path) {
            return Err(Unwatchable::NotAdded);
        }
        write(&self.file, &wanted).map_err(|error| Unwatchable::NotKept(error.to_string()))?;
        *added = wanted;
        self.paths.write().unwrap_or_else(PoisonError::into_inner).retain(|other| other != Path::new(path));
        self.tell(Event::Unwatched(path.to_owned()));
        Ok(())
    }

    /// The loop takes it in when it has room. Where it is gone, the next start reads the file.
    fn tell(&self, event: Event) {
        let _ = self.inbox.send(event);
    }
}

fn read(file: &Path) -> io::Result<BTreeSet<String>> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// On the disk as a whole, or not at all.
fn write(file: &Path, paths: &BTreeSet<String>) -> io::Result<()> {
    let part = file.with_extension("part");
    let mut draft = File::create(&part)?;
    draft.write_all(&serde_json::to_vec_pretty(paths).map_err(io::Error::other)?)?;
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
        let start =
            || Watching::these(vec!["/srv/a".into()], &open, data.path(), inbox.clone(), &|said| panic!("{said}"));
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
        let named =
            Watching::these(vec![path.clone().into()], &open, data.path(), inbox.clone(), &|said| panic!("{said}"));
        assert_eq!(named.remove(&path), Err(Unwatchable::NotAdded));
    }

    #[test]
    fn only_repositories_in_open_folders_are_taken() {
        let (repo, data) = (sketch("main: a").draw(), tempfile::tempdir().unwrap());
        let path = repo.path().to_str().unwrap();
        let folder = repo.path().parent().unwrap();
        let (inbox, _events) = sync_channel(10);
        let watching = |open: &[String]| Watching::these(Vec::new(), open, data.path(), inbox.clone(), &|_| {});
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
        let watching = Watching::these(vec!["/srv/a".into()], &[], data.path(), inbox, &say);
        assert_eq!(watching.texts(), ["/srv/a"]);
        assert!(said.lock().unwrap()[0].contains("cannot read which repositories were added"));
    }
}
