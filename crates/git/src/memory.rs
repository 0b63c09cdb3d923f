//! Remembers on disk what was once worked out, by object id.
//!
//! Ids never change their meaning, so what is remembered never becomes wrong
//! and needs no invalidation; it can only become useless. All of it can be
//! worked out again: a memory that is missing, damaged or not writable costs
//! time, never an answer.
//!
//! A shelf is one file: a header line that names what wrote it, then records,
//! each with a checksum. New records are appended in one write under a lock;
//! a torn tail is ignored. Two processes may share a memory: the slower one
//! to get the lock leaves its new records out.

mod open_shelves;

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    ops::Range,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustc_hash::FxHashMap;

pub use self::open_shelves::OpenShelves;
use self::open_shelves::{Stamp, stamp};

/// A shelf that grows beyond this is written anew with only what the last run used.
///
/// Source: ours; a repository of 900 branches needs about 2 MiB.
const SHELF_AT_MOST_BYTES: u64 = 64 << 20;

/// Beyond this it is written anew, too, where half of the file or more is what was removed or replaced. Source: ours; what is
/// smaller is read in no time.
const WORTH_TIDYING_BYTES: u64 = 8 << 20;

/// Bytes before the key of a record: checksum, length of the key, length of the value.
const RECORD_HEAD_BYTES: usize = 12;

/// Where the remembered facts of one repository are kept, if anywhere.
#[derive(Clone, Debug)]
pub struct Memory {
    folder: Option<PathBuf>,
    open: Option<OpenShelves>,
}

/// One kind of remembered facts: keys and values are bytes.
#[derive(Debug, Default)]
pub struct Shelf {
    file: Option<PathBuf>,
    header: Vec<u8>,
    bytes: Vec<u8>,
    records: FxHashMap<Box<[u8]>, Kept>,
    n_new: usize,
    n_new_bytes: usize,
    /// What the file was when it was last read or written.
    stamp: Option<Stamp>,
    /// Where it goes when nobody needs it any more.
    home: Option<OpenShelves>,
}

#[derive(Debug)]
struct Kept {
    value: Value,
    was_used: bool,
}

#[derive(Debug)]
enum Value {
    OnDisk(Range<usize>),
    New(Vec<u8>),
}

impl Memory {
    /// A memory in this folder, which is made when something is first kept.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Memory {
        Memory { folder: Some(folder.into()), open: None }
    }

    /// The same, with shelves that stay open.
    #[must_use]
    pub fn keeping(self, open: OpenShelves) -> Memory {
        Memory { open: Some(open), ..self }
    }

    /// A memory that forgets everything at the end.
    pub fn none() -> Memory {
        Memory { folder: None, open: None }
    }

    /// The folder, for files that are kept whole.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Opens a shelf. `written_by` names everything besides the keys that an answer
    /// depends on (our own version of the algorithm, git's version): records of
    /// another writer are not read.
    pub fn shelf(&self, name: &str, written_by: &str) -> Shelf {
        let file = self.folder.as_ref().map(|folder| folder.join(name));
        let header = format!("alignwatch {name} {}\n", written_by.replace('\n', " ")).into_bytes();
        let open = file.as_ref().zip(self.open.as_ref()).and_then(|(file, open)| open.take(file, &header));
        let mut shelf = open.unwrap_or_else(|| Shelf::read(file, header));
        shelf.home = self.open.clone();
        shelf
    }
}

/// What a file of the memory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Records that are whole.
    pub n_records: usize,
    /// Size of the file.
    pub size_bytes: u64,
    /// Bytes behind the last whole record: they are ignored, and gone after the next write.
    pub torn_bytes: u64,
}

/// Reads a shelf and tells whether all of it is whole; `None` for a file that is no shelf.
///
/// Errors: it cannot be read.
pub fn audit(file: &Path) -> io::Result<Option<Audit>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(2 * SHELF_AT_MOST_BYTES).read_to_end(&mut bytes)?;
    let Some(header) = bytes.iter().position(|&byte| byte == b'\n').map(|end| end + 1) else { return Ok(None) };
    if !bytes.starts_with(b"alignwatch ") {
        return Ok(None);
    }
    let (mut at, mut n_records) = (header, 0);
    while let Some((_, value)) = record_at(&bytes, at) {
        (at, n_records) = (value.end, n_records + 1);
    }
    let size_bytes = bytes.len() as u64;
    Ok(Some(Audit { n_records, size_bytes, torn_bytes: size_bytes - at as u64 }))
}

/// What the file holds, if it is of this writer, and what it was then.
fn read_shelf(file: &Path, header: &[u8]) -> io::Result<(Vec<u8>, Stamp)> {
    let mut bytes = Vec::new();
    let file = File::open(file)?;
    let stamp = stamp(&file.metadata()?);
    file.take(2 * SHELF_AT_MOST_BYTES).read_to_end(&mut bytes)?;
    Ok((if bytes.starts_with(header) { bytes } else { Vec::new() }, stamp))
}

impl Shelf {
    fn read(file: Option<PathBuf>, header: Vec<u8>) -> Shelf {
        let read = file.as_ref().and_then(|file| read_shelf(file, &header).ok());
        let (bytes, stamp) = read.map(|(bytes, stamp)| (bytes, Some(stamp))).unwrap_or_default();
        let records = FxHashMap::default();
        let mut shelf = Shelf { file, header, bytes, records, n_new: 0, n_new_bytes: 0, stamp, home: None };
        shelf.index(shelf.header.len(), &|_| false);
        shelf
    }

    /// Takes in the records that the bytes have from this place on.
    fn index(&mut self, from: usize, was_used: &dyn Fn(&[u8]) -> bool) {
        let mut at = from;
        while let Some((key, value)) = record_at(&self.bytes, at) {
            at = value.end;
            let key: Box<[u8]> = self.bytes[key].into();
            let kept = Kept { value: Value::OnDisk(value), was_used: was_used(&key) };
            self.records.insert(key, kept);
        }
        // What follows the last whole record is a torn tail: later records must not land behind it.
        self.bytes.truncate(at.min(self.bytes.len()));
    }

    /// Holds what is in the file now, and nothing else.
    fn hold(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
        let before = std::mem::take(&mut self.records);
        self.index(self.header.len(), &|key| before.get(key).is_some_and(|kept| kept.was_used));
    }

    /// What is remembered under this key.
    pub fn get(&mut self, key: &[u8]) -> Option<&[u8]> {
        let kept = self.records.get_mut(key)?;
        kept.was_used = true;
        Some(match &kept.value {
            Value::OnDisk(range) => &self.bytes[range.clone()],
            Value::New(value) => value,
        })
    }

    /// Remembers a value, in place of what was there.
    pub fn put(&mut self, key: &[u8], value: Vec<u8>) {
        self.n_new += 1;
        self.n_new_bytes += key.len() + value.len();
        self.records.insert(key.into(), Kept { value: Value::New(value), was_used: true });
    }

    /// Forgets what is remembered under this key: at once, and on disk when the shelf is tidied.
    pub fn remove(&mut self, key: &[u8]) {
        self.records.remove(key);
    }

    /// Bytes of all facts, and of those that took the place of others since the last time it was saved.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() + self.n_new_bytes
    }

    /// Number of facts on the shelf.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Is nothing remembered?
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Writes what is new. Losing it only costs time, so it is not synced to the disk.
    ///
    /// Errors: the folder or file can't be written. Nothing is lost then but speed.
    pub fn save(&mut self) -> io::Result<()> {
        let Some(file) = self.file.clone() else { return Ok(()) };
        if self.n_new == 0 {
            return Ok(());
        }
        if let Some(folder) = file.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut handle = fs::OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(&file)?;
        if handle.try_lock().is_err() {
            return Ok(());
        }
        let length = handle.metadata()?.len();
        let new = self.records.iter().filter_map(|(key, kept)| match &kept.value {
            Value::New(value) => Some((key, value)),
            Value::OnDisk(_) => None,
        });
        let is_as_we_read_it = length == self.bytes.len() as u64 && !self.bytes.is_empty();
        let goes_on = length < SHELF_AT_MOST_BYTES && starts_with(&file, &self.header);
        if goes_on && is_as_we_read_it && self.is_untidy(length) {
            let all = self.written(&|_| true);
            replace(&file, &all)?;
            self.hold(all);
        } else if goes_on && is_as_we_read_it {
            let mut appended = Vec::new();
            new.for_each(|(key, value)| write_record(&mut appended, key, value));
            handle.write_all(&appended)?;
            self.bytes.append(&mut appended);
            self.index(length as usize, &|_| true);
        } else if goes_on {
            // Somebody else appended meanwhile; a torn tail of theirs would swallow ours, so skip it.
            let mut theirs = self.other(&file)?;
            new.for_each(|(key, value)| write_record(&mut theirs, key, value));
            replace(&file, &theirs)?;
            self.hold(theirs);
        } else {
            let used = self.written(&|kept| kept.was_used);
            replace(&file, &used)?;
            self.hold(used);
            // Who goes on with it has not used any of this yet.
            self.records.values_mut().for_each(|kept| kept.was_used = false);
        }
        (self.n_new, self.n_new_bytes) = (0, 0);
        self.stamp = fs::metadata(&file).ok().map(|data| stamp(&data));
        Ok(())
    }

    /// Is half of a file of this length, or more, what was removed or replaced?
    fn is_untidy(&self, length: u64) -> bool {
        let sizes = self.records.iter().map(|(key, kept)| RECORD_HEAD_BYTES + key.len() + self.value(kept).len());
        WORTH_TIDYING_BYTES <= length && 2 * sizes.sum::<usize>() as u64 <= length
    }

    fn value<'a>(&'a self, kept: &'a Kept) -> &'a [u8] {
        match &kept.value {
            Value::OnDisk(range) => &self.bytes[range.clone()],
            Value::New(value) => value,
        }
    }

    fn other(&self, file: &Path) -> io::Result<Vec<u8>> {
        let (mut bytes, _) = read_shelf(file, &self.header)?;
        let mut at = self.header.len();
        while let Some((_, value)) = record_at(&bytes, at) {
            at = value.end;
        }
        bytes.truncate(at);
        Ok(bytes)
    }

    /// A file of these records.
    fn written(&self, which: &dyn Fn(&Kept) -> bool) -> Vec<u8> {
        let mut bytes = self.header.clone();
        for (key, kept) in self.records.iter().filter(|(_, kept)| which(kept)) {
            write_record(&mut bytes, key, self.value(kept));
        }
        bytes
    }
}

fn starts_with(file: &Path, header: &[u8]) -> bool {
    let mut start = vec![0; header.len()];
    File::open(file).and_then(|mut handle| handle.read_exact(&mut start)).is_ok() && start == header
}

fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut fresh = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
    fresh.write_all(bytes)?;
    fresh.persist(file)?;
    Ok(())
}

fn write_record(into: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let start = into.len();
    into.extend([0; 4]);
    into.extend((key.len() as u32).to_le_bytes());
    into.extend((value.len() as u32).to_le_bytes());
    into.extend(key);
    into.extend(value);
    let checksum = crc32fast::hash(&into[start + 4..]);
    into[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// Where key and value of the record at `at` lie, if it is whole.
fn record_at(bytes: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>)> {
    let head = bytes.get(at..at.checked_add(RECORD_HEAD_BYTES)?)?;
    let number = |from: usize| u32::from_le_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]);
    let key_at = at + RECORD_HEAD_BYTES;
    let value_at = key_at.checked_add(number(4) as usize)?;
    let end = value_at.checked_add(number(8) as usize)?;
    let whole = bytes.get(at + 4..end)?;
    (crc32fast::hash(whole) == number(0)).then_some((key_at..value_at, value_at..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> (tempfile::TempDir, Memory) {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::in_folder(folder.path().join("facts"));
        (folder, memory)
    }

    #[test]
    fn what_was_saved_is_there_the_next_time() {
        let (_folder, memory) = memory();
        let mut shelf = memory.shelf("merges", "1");
        shelf.put(b"key", b"value".to_vec());
        assert_eq!(shelf.get(b"key"), Some(&b"value"[..]));
        shelf.save().unwrap();
        let mut again = memory.shelf("merges", "1");
        assert_eq!(again.get(b"key"), Some(&b"value"[..]));
        again.put(b"other", b"2".to_vec());
        again.save().unwrap();
        assert_eq!(memory.shelf("merges", "1").len(), 2);
    }

    #[test]
    fn a_shelf_that_is_saved_again_and_again_writes_only_what_is_new_also_where_others_write() {
        let (_folder, memory) = memory();
        let size = || fs::metadata(memory.folder().unwrap().join("merges")).unwrap().len();
        let record = (RECORD_HEAD_BYTES + 1 + 1) as u64;
        let mut shelf = memory.shelf("merges", "1");
        shelf.put(b"a", b"1".to_vec());
        shelf.save().unwrap();
        let first = size();
        shelf.put(b"b", b"2".to_vec());
        shelf.save().unwrap();
        assert_eq!(size(), first + record);
        let mut other = memory.shelf("merges", "1");
        other.put(b"c", b"3".to_vec());
        other.save().unwrap();
        for (key, value) in [(b"d", b"4"), (b"e", b"5")] {
            shelf.put(key, value.to_vec());
            shelf.save().unwrap();
        }
        assert_eq!(size(), first + 4 * record);
        for mut shelf in [shelf, memory.shelf("merges", "1")] {
            let values = [b"a", b"b", b"c", b"d", b"e"].map(|key| shelf.get(key).map(<[u8]>::to_vec));
            assert_eq!(values, [b"1", b"2", b"3", b"4", b"5"].map(|value| Some(value.to_vec())));
        }
    }

    #[test]
    fn another_writer_is_not_believed() {
        let (_folder, memory) = memory();
        let mut shelf = memory.shelf("merges", "1");
        shelf.put(b"key", b"value".to_vec());
        shelf.save().unwrap();
        let mut newer = memory.shelf("merges", "2");
        assert_eq!(newer.get(b"key"), None);
        newer.put(b"key", b"new".to_vec());
        newer.save().unwrap();
        assert_eq!(memory.shelf("merges", "2").get(b"key"), Some(&b"new"[..]));
    }

    #[test]
    fn a_torn_or_damaged_record_is_forgotten_and_the_shelf_stays_usable() {
        let (_folder, memory) = memory();
        let mut shelf = memory.shelf("merges", "1");
        for number in 0..20u8 {
            shelf.put(&[number], vec![number; 30]);
        }
        shelf.save().unwrap();
        let file = memory.folder().unwrap().join("merges");
        let whole = fs::read(&file).unwrap();
        for cut in 0..whole.len() {
            fs::write(&file, &whole[..cut]).unwrap();
            let mut torn = memory.shelf("merges", "1");
            for number in 0..20u8 {
                assert!(torn.get(&[number]).is_none_or(|value| value == [number; 30]));
            }
            torn.put(b"new", b"x".to_vec());
            torn.save().unwrap();
            assert_eq!(memory.shelf("merges", "1").get(b"new"), Some(&b"x"[..]), "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x41;
            fs::write(&file, &damaged).unwrap();
            let mut shelf = memory.shelf("merges", "1");
            for number in 0..20u8 {
                assert!(shelf.get(&[number]).is_none_or(|value| value == [number; 30]), "flipped at {at}");
            }
        }
    }

    #[test]
    fn two_writers_lose_nothing_of_each_other() {
        let (_folder, memory) = memory();
        let (mut one, mut two) = (memory.shelf("merges", "1"), memory.shelf("merges", "1"));
        one.put(b"one", b"1".to_vec());
        two.put(b"two", b"2".to_vec());
        one.save().unwrap();
        two.save().unwrap();
        let mut both = memory.shelf("merges", "1");
        assert!(both.get(b"one").is_some() && both.get(b"two").is_some());
    }

    #[test]
    fn an_audit_tells_what_is_torn() {
        let (folder, memory) = memory();
        let mut shelf = memory.shelf("merges", "1");
        shelf.put(b"a", b"1".to_vec());
        shelf.put(b"b", b"2".to_vec());
        shelf.save().unwrap();
        let file = memory.folder().unwrap().join("merges");
        let audited = audit(&file).unwrap().unwrap();
        assert_eq!((audited.n_records, audited.torn_bytes), (2, 0));
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        let record = 13;
        let size_bytes = whole.len() as u64 - 1;
        assert_eq!(audit(&file).unwrap().unwrap(), Audit { n_records: 1, size_bytes, torn_bytes: record });
        fs::write(&file, "something else\n").unwrap();
        assert_eq!(audit(&file).unwrap(), None);
        assert!(audit(folder.path()).is_err());
    }

    #[test]
    fn a_shelf_from_which_is_removed_what_it_had_does_not_grow_on_and_on() {
        let (_folder, memory) = memory();
        let mut shelf = memory.shelf("merges", "1");
        shelf.put(b"always", b"value".to_vec());
        for look in 0..60_u8 {
            shelf.remove(&[look]);
            shelf.put(&[look + 1], vec![look; 640 << 10]);
            shelf.save().unwrap();
            let length = fs::metadata(memory.folder().unwrap().join("merges")).unwrap().len();
            assert!(length < WORTH_TIDYING_BYTES + (1 << 20), "{length} bytes after look {look}");
        }
        let mut again = memory.shelf("merges", "1");
        assert!(again.get(b"always").is_some() && again.get(&[60]).is_some_and(|value| value.ends_with(&[59])));
    }

    #[test]
    fn without_a_folder_it_forgets_and_does_not_fail() {
        let mut shelf = Memory::none().shelf("merges", "1");
        shelf.put(b"key", b"value".to_vec());
        assert!(shelf.save().is_ok());
        assert!(Memory::none().shelf("merges", "1").is_empty());
    }
}
