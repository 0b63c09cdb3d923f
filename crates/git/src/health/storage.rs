//! Looks at the files below `objects/` once, by their names and stat calls.
//!
//! The numbers are those of `git count-objects -v`, by its rules for what is an
//! object, a pack and garbage. Differences on purpose: garbage in borrowed object
//! folders and in linked worktrees is theirs and not counted here.
//!
//! No object is read. Of a pack index, the fan-out table is read; where there are
//! loose objects, they are looked up in all indexes.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    io::{self, Read as _},
    ops::RangeInclusive,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use alignwatch_model::{
    Known, Oid, Timestamp,
    facts::storage::{Keep, Litter, Litterer, Loose, OLD_LOOSE, OLD_RESOLUTION, Pack, Records, Storage},
};

use super::growth;
use crate::{files, memory::Memory, repository::Opened};

/// Entries of one kind of folder that are looked at. Source: ours; a hundred times what makes Git unusable.
const ENTRIES_AT_MOST: u64 = 2_000_000;

/// Loose objects that are looked up in packs. Their ids take 33 bytes each, 7 MB in all.
const LOOKED_UP_AT_MOST: usize = 200_000;

/// Magic and version of a pack index of version 2; version 1 begins with its fan-out table.
const FAN_AT_V2: usize = 8;

/// The fan-out table: 256 counts of 4 bytes.
const FAN_BYTES: usize = 1024;

/// Rows of an index with the same first byte of their ids that are read at once: of a pack with 400 million objects.
const ROWS_AT_MOST_BYTES: u64 = 32 << 20;

/// Pieces of litter that are named; all are counted.
const NAMED_AT_MOST: usize = 1000;

/// Bytes of a `.keep` that are read: the writer's name comes first.
const KEEP_BYTES: u64 = 256;

/// Folders inside of each other that are entered below `logs` and `rr-cache`.
const DEPTH_AT_MOST: usize = 200;

/// Endings of files that belong to a pack. Source: packfile.c of Git, `prepare_pack`.
const PACK_ENDINGS: [&[u8]; 7] = [b".idx", b".rev", b".pack", b".bitmap", b".keep", b".promisor", b".mtimes"];

/// Looks at all of it. Ages are counted to `now`.
///
/// The size is remembered in `memory`, so that a later look can tell the growth.
pub fn storage(opened: &Opened, now: Timestamp, memory: &Memory) -> Storage {
    let mut pass = Pass::new(opened, now);
    let loose = pass.loose();
    let packs = pass.packs();
    pass.passing_places();
    let loose = loose.map(|loose| Loose { n_in_packs: pass.n_in_packs(), ..loose });
    let mut storage = Storage {
        loose: Known::from_result(loose),
        packs: Known::from_result(packs),
        unusable_packs: pass.unusable,
        garbage: litter(pass.garbage, &pass.closed),
        temporary: litter(pass.temporary, &pass.closed),
        growth: Known::default(),
        resolutions: Known::from_result(records(&opened.common_dir.join("rr-cache"), now)),
        reflogs: Known::from_result(records(&opened.common_dir.join("logs"), now)),
    };
    storage.growth = storage.bytes().map(|bytes| growth::since_earlier(memory, now, bytes));
    storage
}

/// What was counted, unless a folder stayed closed.
fn litter(seen: Litter, closed: &Option<Closed>) -> Known<Litter> {
    match closed {
        None => Known::Seen(seen),
        Some(reason) => Known::Unknown(reason.to_string()),
    }
}

/// A part that could not be looked at.
#[derive(Clone, Debug, thiserror::Error)]
enum Closed {
    #[error("cannot look into {path}: {cause}")]
    Folder { path: String, cause: String },
    #[error("{path} holds more than {ENTRIES_AT_MOST} entries")]
    TooMany { path: String },
}

/// One pass over `objects/`.
struct Pass<'a> {
    opened: &'a Opened,
    objects: &'a Path,
    now: Timestamp,
    hex_len: usize,
    loose_ids: Vec<Oid>,
    has_more_loose: bool,
    unusable: Vec<(String, String)>,
    garbage: Litter,
    temporary: Litter,
    /// The first place that could not be looked at.
    closed: Option<Closed>,
}

impl<'a> Pass<'a> {
    fn new(opened: &'a Opened, now: Timestamp) -> Pass<'a> {
        Pass {
            opened,
            objects: &opened.objects_dir,
            now,
            hex_len: if opened.object_format == "sha256" { 64 } else { 40 },
            loose_ids: Vec::new(),
            has_more_loose: false,
            unusable: Vec::new(),
            garbage: Litter::default(),
            temporary: Litter::default(),
            closed: None,
        }
    }

    /// The folders `00` to `ff`.
    fn loose(&mut self) -> Result<Loose, Closed> {
        let mut loose = Loose::default();
        let mut n_entries = 0;
        for first in 0..=u8::MAX {
            let place = format!("{first:02x}");
            let entries = self.entries(&place)?;
            n_entries += entries.len() as u64;
            if ENTRIES_AT_MOST < n_entries {
                return Err(self.note(Closed::TooMany { path: "objects".into() }));
            }
            for name in entries {
                self.loose_entry(&place, &name, &mut loose);
            }
        }
        Ok(loose)
    }

    fn loose_entry(&mut self, place: &str, name: &OsStr, loose: &mut Loose) {
        let path = self.objects.join(place).join(name);
        let oid = self.loose_id(place, name);
        let about = fs::symlink_metadata(&path);
        match (oid, about) {
            (Some(oid), Ok(about)) if about.is_file() => {
                loose.n += 1;
                loose.disk_bytes += about.blocks() * 512;
                loose.n_old += u64::from(OLD_LOOSE <= self.now.since(modified(&about)));
                match self.loose_ids.len() < LOOKED_UP_AT_MOST {
                    true => self.loose_ids.push(oid),
                    false => self.has_more_loose = true,
                }
            }
            // Packed by somebody since it was listed.
            (_, Err(error)) if files::is_absent(&error) => {}
            _ => self.garbage(place, name),
        }
    }

    fn loose_id(&self, place: &str, name: &OsStr) -> Option<Oid> {
        let name = name.as_bytes();
        (name.len() + 2 == self.hex_len).then(|| Oid::from_hex(&[place.as_bytes(), name].concat()).ok()).flatten()
    }

    /// The folder `pack`.
    fn packs(&mut self) -> Result<Vec<Pack>, Closed> {
        let mut names = self.entries("pack")?;
        names.sort();
        let mut of_packs = Vec::new();
        for name in names {
            match name.as_bytes() {
                b"multi-pack-index" | b"multi-pack-index.d" => {}
                text if text.starts_with(b"multi-pack-index") && ends_in(text, &[b".bitmap", b".rev"]) => {}
                text if ends_in(text, &PACK_ENDINGS) => of_packs.push(name),
                _ => self.garbage("pack", &name),
            }
        }
        Ok(self.grouped(&of_packs))
    }

    /// Files with the same name but for the ending belong together. Source: packfile.c, `report_pack_garbage`.
    fn grouped(&mut self, names: &[OsString]) -> Vec<Pack> {
        let stem = |name: &OsString| name.as_bytes().iter().rposition(|&byte| byte == b'.').map_or(0, |dot| dot + 1);
        let mut packs = Vec::new();
        let mut rest = names;
        while let Some(first) = rest.first() {
            let stem = &first.as_bytes()[..stem(first)];
            let n = rest.iter().take_while(|name| name.as_bytes().starts_with(stem)).count();
            let (group, others) = rest.split_at(n);
            rest = others;
            let has = |ending: &[u8]| group.iter().any(|name| &name.as_bytes()[stem.len()..] == ending);
            if has(b"pack") && has(b"idx") {
                packs.extend(self.pack(&stem[..stem.len() - 1], &has));
            } else {
                group.iter().for_each(|name| self.garbage("pack", name));
            }
        }
        packs
    }

    /// A pack, if its index is sound; only those count for Git.
    fn pack(&mut self, stem: &[u8], has: &dyn Fn(&[u8]) -> bool) -> Option<Pack> {
        let name = OsStr::from_bytes(stem);
        let path = |ending: &str| {
            let mut file = name.to_owned();
            file.push(ending);
            self.objects.join("pack").join(file)
        };
        let usable = || -> io::Result<(Metadata, u64, u64)> {
            let about = fs::metadata(path(".pack"))?;
            let index = PackIndexHead::read(&path(".idx"), self.hex_len as u64 / 2)?;
            Ok((about, index.n_objects(), index.bytes))
        };
        let text = name.to_string_lossy().into_owned();
        match usable() {
            Ok((about, ..)) if !about.is_file() => {
                self.unusable.push((text, "the pack is no regular file".into()));
                None
            }
            Ok((about, n_objects, index_bytes)) => Some(Pack {
                name: text,
                bytes: about.len().saturating_add(index_bytes),
                n_objects,
                modified_at: modified(&about),
                keep: has(b"keep").then(|| keep(&path(".keep"))),
                is_cruft: has(b"mtimes"),
                is_promisor: has(b"promisor"),
                has_bitmap: has(b"bitmap"),
            }),
            // Repacked by somebody since it was listed.
            Err(error) if files::is_absent(&error) => None,
            Err(error) => {
                self.unusable.push((text, error.to_string()));
                None
            }
        }
    }

    /// Temporary things at the top and in `info`, which are no garbage for Git.
    fn passing_places(&mut self) {
        for place in ["", "info"] {
            let Ok(entries) = self.entries(place) else { continue };
            for name in entries.iter().filter(|name| is_temporary(name)) {
                let litterer = self.litterer(place, name);
                add(&mut self.temporary, litterer);
            }
        }
    }

    fn garbage(&mut self, place: &str, name: &OsStr) {
        let litterer = self.litterer(place, name);
        if litterer.is_temporary {
            add(&mut self.temporary, litterer.clone());
        }
        add(&mut self.garbage, litterer);
    }

    fn litterer(&self, place: &str, name: &OsStr) -> Litterer {
        let below = Path::new(place).join(name);
        let about = fs::symlink_metadata(self.objects.join(&below));
        Litterer {
            path: below.to_string_lossy().into_owned(),
            // As Git does: what a link leads to.
            bytes: fs::metadata(self.objects.join(&below)).map_or(0, |about| about.len()),
            is_folder: about.as_ref().is_ok_and(Metadata::is_dir),
            modified_at: Known::from_result(about.map(|about| modified(&about))),
            is_temporary: is_temporary(name),
        }
    }

    /// The names in a folder below `objects`; none when there is no such folder.
    fn entries(&mut self, place: &str) -> Result<Vec<OsString>, Closed> {
        let path = Path::new("objects").join(place).to_string_lossy().into_owned();
        list(&self.objects.join(place)).map_err(|cause| {
            let closed = match cause.kind() {
                io::ErrorKind::FileTooLarge => Closed::TooMany { path },
                _ => Closed::Folder { path, cause: cause.to_string() },
            };
            self.note(closed)
        })
    }

    fn note(&mut self, closed: Closed) -> Closed {
        self.closed.get_or_insert_with(|| closed.clone());
        closed
    }

    /// How many of the loose objects are in a pack as well, here or where this repository borrows.
    fn n_in_packs(&mut self) -> Known<u64> {
        if self.has_more_loose {
            return Known::Unknown(format!("there are more than {LOOKED_UP_AT_MOST} loose objects"));
        }
        self.loose_ids.sort_unstable();
        let mut is_packed = vec![false; self.loose_ids.len()];
        let borrowed = self.opened.alternates.iter().map(|other| other.path.as_path());
        if is_packed.is_empty() {
            return Known::Seen(0);
        }
        for folder in std::iter::once(self.objects).chain(borrowed) {
            for index in indexes(&folder.join("pack")) {
                let _ = self.look_up(&index, &mut is_packed);
            }
        }
        Known::Seen(is_packed.iter().filter(|&&is| is).count() as u64)
    }

    /// Marks the loose objects that this index holds. One that cannot be read is named elsewhere; Git passes over it as well.
    fn look_up(&self, index: &Path, is_packed: &mut [bool]) -> io::Result<()> {
        let head = PackIndexHead::read(index, self.hex_len as u64 / 2)?;
        let file = File::open(index)?;
        let mut at = 0;
        // Sorted ids with the same first byte stand together, as they do in the index.
        for ids in self.loose_ids.chunk_by(|one, next| one.as_bytes()[0] == next.as_bytes()[0]) {
            let rows = head.rows_of(&file, ids[0].as_bytes()[0])?;
            for oid in ids {
                is_packed[at] |= head.holds(&rows, oid.as_bytes());
                at += 1;
            }
        }
        Ok(())
    }
}

/// The names in a folder; none when it does not exist.
fn list(folder: &Path) -> io::Result<Vec<OsString>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name());
        if ENTRIES_AT_MOST < names.len() as u64 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
    Ok(names)
}

/// Pack indexes in a folder whose pack is there.
fn indexes(folder: &Path) -> Vec<PathBuf> {
    let names = list(folder).unwrap_or_default();
    let indexes = names.iter().map(|name| folder.join(name)).filter(|path| path.extension() == Some(OsStr::new("idx")));
    indexes.filter(|path| path.with_extension("pack").is_file()).collect()
}

/// The head of a pack index: version and fan-out table.
struct PackIndexHead {
    is_v2: bool,
    oid_len: u64,
    /// By first byte of an id: where those with it end.
    fan: Vec<u64>,
    /// Size of the file.
    bytes: u64,
}

impl PackIndexHead {
    /// Reads it. Counts and sizes must fit together as Git demands (packfile.c, `load_idx`).
    fn read(path: &Path, oid_len: u64) -> io::Result<PackIndexHead> {
        let file = files::open(path)?.ok_or(io::ErrorKind::NotFound)?;
        let bytes = file.metadata()?.len();
        let mut head = Vec::with_capacity(FAN_AT_V2 + FAN_BYTES);
        file.take((FAN_AT_V2 + FAN_BYTES) as u64).read_to_end(&mut head)?;
        let is_v2 = head.starts_with(b"\xfftOc");
        if is_v2 && head.get(4..8) != Some(&[0, 0, 0, 2]) {
            return Err(bad_index("is of an unknown version"));
        }
        let fan = head.get(if is_v2 { FAN_AT_V2 } else { 0 }..).unwrap_or_default();
        let number = |count: &[u8]| u64::from(u32::from_be_bytes([count[0], count[1], count[2], count[3]]));
        let fan: Vec<u64> = fan.chunks_exact(4).take(256).map(number).collect();
        if fan.len() < 256 || !fan.is_sorted() {
            return Err(bad_index("is cut off or out of order"));
        }
        let index = PackIndexHead { is_v2, oid_len, fan, bytes };
        if index.sizes().contains(&bytes) { Ok(index) } else { Err(bad_index("has the wrong size")) }
    }

    fn n_objects(&self) -> u64 {
        self.fan[255]
    }

    /// Sizes that a file with so many objects may have.
    fn sizes(&self) -> RangeInclusive<u64> {
        let (n, oid_len) = (self.n_objects(), self.oid_len);
        let ends = FAN_BYTES as u64 + 2 * oid_len;
        if self.is_v2 {
            let least = FAN_AT_V2 as u64 + ends + n * (oid_len + 8);
            least..=least + n.saturating_sub(1) * 8
        } else {
            let exact = ends + n * (oid_len + 4);
            exact..=exact
        }
    }

    /// Bytes from one id to the next, and bytes before the id in between.
    fn row(&self) -> (u64, usize) {
        if self.is_v2 { (self.oid_len, 0) } else { (self.oid_len + 4, 4) }
    }

    /// The rows of all ids with this first byte.
    fn rows_of(&self, file: &File, first: u8) -> io::Result<Vec<u8>> {
        let below = if first == 0 { 0 } else { self.fan[usize::from(first) - 1] };
        let (row_bytes, _) = self.row();
        let len = (self.fan[usize::from(first)] - below) * row_bytes;
        if ROWS_AT_MOST_BYTES < len {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let table = if self.is_v2 { FAN_AT_V2 + FAN_BYTES } else { FAN_BYTES } as u64;
        let mut rows = vec![0; len as usize];
        file.read_exact_at(&mut rows, table + below * row_bytes)?;
        Ok(rows)
    }

    /// Is this id among sorted rows?
    fn holds(&self, rows: &[u8], oid: &[u8]) -> bool {
        let (row_bytes, before) = self.row();
        let id = |at: usize| rows.get(at * row_bytes as usize + before..(at + 1) * row_bytes as usize);
        let (mut low, mut high) = (0, rows.len() / row_bytes as usize);
        while low < high {
            let middle = low + (high - low) / 2;
            if id(middle) < Some(oid) { low = middle + 1 } else { high = middle }
        }
        id(low) == Some(oid)
    }
}

fn bad_index(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("its index {what}"))
}

fn keep(path: &Path) -> Keep {
    let text = files::read_beginning(path, KEEP_BYTES).map(|text| text.unwrap_or_default());
    let modified_at = fs::symlink_metadata(path).map(|about| modified(&about)).unwrap_or_default();
    Keep {
        modified_at,
        text: Known::from_result(text.map(|text| String::from_utf8_lossy(&text).trim_end().to_owned())),
    }
}

fn add(litter: &mut Litter, one: Litterer) {
    litter.n += 1;
    litter.bytes = litter.bytes.saturating_add(one.bytes);
    if litter.named.len() < NAMED_AT_MOST {
        litter.named.push(one);
    }
}

/// Names that Git gives to what it makes for a while. Source: object-file.c, tmp-objdir.c, pack-write.c, repack.c.
fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b"tmp_") || name.starts_with(b".tmp-") || name.starts_with(b"incoming-")
}

fn ends_in(name: &[u8], endings: &[&[u8]]) -> bool {
    endings.iter().any(|ending| name.ends_with(ending))
}

fn modified(about: &Metadata) -> Timestamp {
    Timestamp(about.mtime())
}

/// All files below a folder: their number, size and age.
fn records(folder: &Path, now: Timestamp) -> Result<Records, Closed> {
    let mut records = Records::default();
    let mut n_left = ENTRIES_AT_MOST;
    add_records(folder, now, 0, &mut n_left, &mut records)?;
    Ok(records)
}

fn add_records(
    folder: &Path,
    now: Timestamp,
    depth: usize,
    n_left: &mut u64,
    records: &mut Records,
) -> Result<(), Closed> {
    let path = || folder.to_string_lossy().into_owned();
    let names = list(folder).map_err(|cause| Closed::Folder { path: path(), cause: cause.to_string() })?;
    *n_left = n_left.checked_sub(names.len() as u64).ok_or_else(|| Closed::TooMany { path: path() })?;
    for name in names {
        let below = folder.join(name);
        // Links are not followed: they can lead out of the repository, or in a circle.
        match fs::symlink_metadata(&below) {
            Ok(about) if about.is_dir() && depth < DEPTH_AT_MOST => {
                add_records(&below, now, depth + 1, n_left, records)?;
            }
            Ok(about) if about.is_dir() => {
                return Err(Closed::Folder { path: path(), cause: "it is too deep".into() });
            }
            Ok(about) => {
                records.n_files += 1;
                records.bytes = records.bytes.saturating_add(about.len());
                records.n_old += u64::from(OLD_RESOLUTION <= now.since(modified(&about)));
            }
            Err(_) => {}
        }
    }
    Ok(())
}
