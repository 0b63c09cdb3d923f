//! The shelf: the folder with all backups of one repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use alignwatch_git::repository::Opened;
use alignwatch_model::{Timestamp, facts::tasks::Backups, task::retention::Aged};
use serde::{Deserialize, Serialize};

use super::{BackupError, Keys, Level, Manifest, failed};

/// The file with what was proven.
const VERIFIED: &str = "verified.jsonl";

/// Bytes of a manifest. Source: ours; two million refs.
const MANIFEST_AT_MOST: u64 = 256 << 20;

/// The folder with all backups of one repository.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
    keys: Keys,
}

/// A backup that lies there.
#[derive(Debug)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// What it says of itself. Errors: it is damaged.
    pub manifest: Result<Manifest, BackupError>,
    /// Bytes of all its files.
    pub size_bytes: u64,
    /// The last look at it.
    pub last: Option<Verification>,
    /// The last drill that it came through.
    pub proven: Option<Verification>,
}

/// One look at a backup, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The backup.
    pub name: String,
    /// When, in seconds since 1970.
    pub at_seconds: i64,
    /// How closely.
    pub level: Level,
    /// It is what it should be.
    pub is_good: bool,
    /// In words.
    pub because: String,
    /// Refs that were others than in its manifest when it was restored; `None` = that was not compared.
    #[serde(default)]
    pub n_other_refs: Option<usize>,
    /// How long it took; of a drill that is what a restore takes.
    pub took_seconds: f64,
}

impl Shelf {
    /// The shelf of a repository below this folder. Nothing is made yet.
    pub fn of(root: &Path, opened: &Opened) -> Shelf {
        let path =
            if opened.is_bare { &opened.common_dir } else { opened.worktree.as_ref().unwrap_or(&opened.common_dir) };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(60).collect();
        Shelf { folder: root.join(format!("{plain}-{}", opened.id())), keys: Keys::default() }
    }

    /// The shelf in this folder, whatever became of its repository.
    pub fn at(folder: &Path) -> Shelf {
        Shelf { folder: folder.to_owned(), keys: Keys::default() }
    }

    /// The same, with what encrypts new backups and reads old ones.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Shelf {
        Shelf { keys, ..self }
    }

    /// What encrypts and reads.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a backup lies, or would.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes the folder, for nobody else to look into.
    pub(super) fn make(&self) -> Result<(), BackupError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(failed("make", &self.folder))
    }

    /// All backups, the oldest first. Drafts are none. Errors: the folder can't be read.
    pub fn list(&self) -> Result<Vec<Kept>, BackupError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read", &self.folder)(error)),
        };
        let looks = self.verifications()?;
        let mut kept = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("read", &self.folder))?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name().to_string_lossy().into_owned();
            if !is_folder || !is_name(&name) {
                continue;
            }
            let of_it = || looks.iter().filter(|look| look.name == name);
            let drill = |look: &&&Verification| look.level == Level::Drill && look.is_good;
            // What was found bad later is proven no more.
            let proven =
                of_it().rfind(|look| drill(&look)).filter(|_| of_it().next_back().is_some_and(|look| look.is_good));
            kept.push(Kept {
                manifest: self.manifest(&name),
                size_bytes: size_of(&entry.path()),
                last: of_it().next_back().cloned(),
                proven: proven.cloned(),
                name,
            });
        }
        kept.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(kept)
    }

    /// How many there are and what was proven of them, by names and notes alone: no backup is opened.
    ///
    /// Errors: the folder can't be read.
    pub fn glance(&self) -> Result<Backups, BackupError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Backups::default()),
            Err(error) => return Err(failed("read", &self.folder)(error)),
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            let entry = entry.map_err(failed("read", &self.folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_name(&name) && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                names.insert(name);
            }
        }
        let looks = self.verifications()?;
        let last: BTreeMap<&str, &Verification> =
            looks.iter().filter(|look| names.contains(&look.name)).map(|look| (look.name.as_str(), look)).collect();
        // What was found bad later is proven no more.
        let is_good = |look: &&Verification| last.get(look.name.as_str()).is_some_and(|last| last.is_good);
        let good = || looks.iter().filter(|look| look.is_good).filter(is_good);
        let latest =
            |looks: &mut dyn Iterator<Item = &Verification>| looks.map(|look| Timestamp(look.at_seconds)).max();
        let last_is_good = |name: &&String| last.get(name.as_str()).is_some_and(|look| look.is_good);
        let good_made_at = names.iter().rev().find(last_is_good).and_then(|name| made_at(name));
        let newest = names.last().and_then(|name| last.get(name.as_str()));
        Ok(Backups {
            n: names.len(),
            newest_at: names.last().and_then(|name| made_at(name)),
            proven_at: latest(&mut good().filter(|look| look.level == Level::Drill)),
            summed_at: latest(&mut good()),
            good_made_at,
            n_other_refs: looks
                .iter()
                .rev()
                .filter(|look| names.contains(&look.name))
                .find_map(|look| look.n_other_refs),
            is_bad: newest.is_some_and(|look| !look.is_good),
        })
    }

    /// What a backup says of itself.
    pub fn manifest(&self, name: &str) -> Result<Manifest, BackupError> {
        let path = self.place(name).join("manifest.json");
        let size = fs::metadata(&path).map_err(failed("read", &path))?.len();
        if MANIFEST_AT_MOST < size {
            return Err(BackupError::Not(format!("its manifest has {size} bytes")));
        }
        let manifest = Manifest::parse(&fs::read(&path).map_err(failed("read", &path))?)?;
        if manifest.name != name {
            return Err(BackupError::Not(format!("its manifest is that of `{}`", manifest.name)));
        }
        Ok(manifest)
    }

    /// A backup and those that it needs, the whole one first.
    pub fn chain(&self, name: &str) -> Result<Vec<Manifest>, BackupError> {
        /// Links of one chain. Source: ours; hourly ones for two months.
        const LINKS_AT_MOST: usize = 1_500;
        let mut chain = vec![self.manifest(name)?];
        while let Some(needs) = chain.last().and_then(|last| last.needs.clone()) {
            if LINKS_AT_MOST <= chain.len() || !is_name(&needs) {
                return Err(BackupError::Not(format!("`{name}` needs a chain that has no end")));
            }
            let next = self.manifest(&needs);
            chain.push(next.map_err(|error| BackupError::Not(format!("`{needs}`, which it needs: {error}")))?);
        }
        chain.reverse();
        Ok(chain)
    }

    /// Writes down a look.
    pub fn note(&self, look: &Verification) -> Result<(), BackupError> {
        let path = self.folder.join(VERIFIED);
        let mut line = serde_json::to_vec(look).map_err(|error| BackupError::Not(error.to_string()))?;
        line.push(b'\n');
        let written = (|| {
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
            file.write_all(&line)?;
            file.sync_all()
        })();
        written.map_err(failed("write", &path))
    }

    fn verifications(&self) -> Result<Vec<Verification>, BackupError> {
        let path = self.folder.join(VERIFIED);
        match fs::read(&path) {
            Ok(text) => {
                Ok(text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// How many looks were noted at backups that are not there any more.
    pub fn n_stray_notes(&self) -> Result<usize, BackupError> {
        Ok(self.verifications()?.iter().filter(|look| !self.place(&look.name).is_dir()).count())
    }

    /// Takes the notes about backups that are gone out. The others stay as they are.
    ///
    /// Accepted: a look that somebody notes in this very moment may be lost, and is made again by the next drill.
    pub fn forget_strays(&self) -> Result<(), BackupError> {
        let (path, draft) = (self.folder.join(VERIFIED), self.folder.join(".draft-verified"));
        let mut text = Vec::new();
        for look in self.verifications()?.iter().filter(|look| self.place(&look.name).is_dir()) {
            text.extend(serde_json::to_vec(look).map_err(|error| BackupError::Not(error.to_string()))?);
            text.push(b'\n');
        }
        let _ = fs::remove_file(&draft);
        let written = (|| {
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
            file.write_all(&text)?;
            file.sync_all()
        })();
        written.map_err(failed("write", &draft))?;
        fs::rename(&draft, &path).map_err(failed("write", &path))?;
        self.sync()
    }

    /// Takes a backup away. It goes by a rename first, so that half of one never looks like one.
    pub fn remove(&self, name: &str) -> Result<(), BackupError> {
        let (from, to) = (self.place(name), self.folder.join(format!(".gone-{name}")));
        fs::rename(&from, &to).map_err(failed("move", &from))?;
        self.sync()?;
        fs::remove_dir_all(&to).map_err(failed("remove", &to))
    }

    /// Has the folder written to the disk.
    pub(super) fn sync(&self) -> Result<(), BackupError> {
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed("write", &self.folder))
    }
}

impl Kept {
    /// As retention sees it. One that can't be read needs nothing and proves nothing.
    pub fn aged(&self) -> Aged {
        let manifest = self.manifest.as_ref().ok();
        Aged {
            name: self.name.clone(),
            at: manifest.map_or(Timestamp(i64::MAX), Manifest::made_at),
            needs: manifest.and_then(|manifest| manifest.needs.clone()),
            is_proven: self.proven.is_some() && manifest.is_some(),
        }
    }
}

/// `20261128T090000Z-full`: a name of ours, that leads nowhere else.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// When one of this name was made: `20261128T090000Z-full`.
fn made_at(name: &str) -> Option<Timestamp> {
    let digits: String = name.split('-').next()?.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| digits.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    Timestamp::parse(&text)
}

fn size_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let about = entry.metadata().ok()?;
        Some(if about.is_dir() { size_of(&entry.path()) } else { about.len() })
    });
    sizes.sum()
}
