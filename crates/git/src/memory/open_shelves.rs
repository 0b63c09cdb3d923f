//! Shelves that stay open from one look to the next.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustc_hash::FxHashMap;

use super::Shelf;

/// Bytes of one shelf, and of all together, up to which they stay open for the next one who asks. Source: ours.
const OPEN_AT_MOST_BYTES: (usize, usize) = (16 << 20, 48 << 20);

/// Shelves that stay open, for a process that asks again and again. One is read anew when its file is another one by then.
#[derive(Clone, Debug, Default)]
pub struct OpenShelves(Arc<Mutex<FxHashMap<PathBuf, Shelf>>>);

/// Changes whenever a file does: its number, size in bytes, and time of change in seconds and nanoseconds.
pub(super) type Stamp = (u64, u64, i64, i64);

impl OpenShelves {
    /// One with this header whose file is as it was.
    pub(super) fn take(&self, file: &Path, header: &[u8]) -> Option<Shelf> {
        let shelf = self.shelves().remove(file)?;
        let is_as_it_was = shelf.stamp.is_some() && shelf.stamp == fs::metadata(file).ok().map(|data| stamp(&data));
        (is_as_it_was && shelf.header == header).then_some(shelf)
    }

    fn put(&self, shelf: Shelf) {
        let mut shelves = self.shelves();
        let n_bytes = shelf.size_bytes() + shelves.values().map(Shelf::size_bytes).sum::<usize>();
        let has_room = shelf.size_bytes() <= OPEN_AT_MOST_BYTES.0 && n_bytes <= OPEN_AT_MOST_BYTES.1;
        if let Some(file) = shelf.file.clone().filter(|_| has_room && shelf.stamp.is_some()) {
            shelves.insert(file, shelf);
        }
    }

    fn shelves(&self) -> MutexGuard<'_, FxHashMap<PathBuf, Shelf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.put(std::mem::take(self));
        }
    }
}

/// Of a file.
pub(super) fn stamp(data: &Metadata) -> Stamp {
    (data.ino(), data.size(), data.mtime(), data.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::{super::Memory, *};

    #[test]
    fn a_shelf_stays_open_until_its_file_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::in_folder(folder.path().join("facts"));
        let (memory, other) = (memory.clone().keeping(OpenShelves::default()), memory);
        let keep = |memory: &Memory, key: &[u8]| {
            let mut shelf = memory.shelf("merges", "1");
            shelf.put(key, b"value".to_vec());
            shelf.save().unwrap();
        };
        let file = memory.folder().unwrap().join("merges");
        let is_open = || memory.open.as_ref().is_some_and(|open| open.shelves().contains_key(&file));
        keep(&memory, b"one");
        assert!(is_open());
        let mut shelf = memory.shelf("merges", "1");
        assert!(!is_open() && shelf.get(b"one").is_some(), "it is in use");
        shelf.put(b"unsaved", b"value".to_vec());
        drop(shelf);
        assert!(memory.shelf("merges", "1").get(b"unsaved").is_some(), "what is known stays known");
        keep(&other, b"two");
        assert!(memory.shelf("merges", "1").get(b"two").is_some(), "somebody else wrote into it");
        assert!(memory.shelf("merges", "2").is_empty(), "another writer is not believed");
        fs::remove_file(&file).unwrap();
        assert!(memory.shelf("merges", "1").is_empty(), "what was forgotten on disk is forgotten");
    }
}
