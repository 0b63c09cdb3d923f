//! How much a repository stores, and as what: loose objects, packs, litter, records.
//!
//! The numbers are those of `git count-objects -v`, by its rules.

use crate::{Known, Span, Timestamp};

/// From this age on a loose object counts as old.
///
/// Source: Gitaly, `housekeeping`: objects that are loose for ten days will hardly be packed by themselves.
pub const OLD_LOOSE: Span = Span::days(10);

/// Up to this age, litter may belong to a git that is at work.
///
/// Source: ours; JGit once removed the young index of a pack that was being written.
pub const YOUNG_LITTER: Span = Span::hours(1);

/// From this age on a remembered resolution of a conflict is forgotten by Git.
///
/// Source: git-rerere(1), `gc.rerereResolved`.
pub const OLD_RESOLUTION: Span = Span::days(60);

/// What lies below `objects/`, and records beside it.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Objects that are one file each.
    pub loose: Known<Loose>,
    /// Packs, by name.
    pub packs: Known<Vec<Pack>>,
    /// Pack indexes that are there and cannot be used, with the reason.
    pub unusable_packs: Vec<(String, String)>,
    /// What Git calls garbage: files that it does not know or that lack their other half.
    pub garbage: Known<Litter>,
    /// Files and folders that a git made for a while and left.
    pub temporary: Known<Litter>,
    /// How much more there is than some time ago.
    pub growth: Known<Growth>,
    /// Remembered resolutions of conflicts (`rr-cache`).
    pub resolutions: Known<Records>,
    /// Reflogs (`logs/`).
    pub reflogs: Known<Records>,
}

/// Objects that are one file each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loose {
    /// How many.
    pub n: u64,
    /// The space that they take up on the disk, in bytes.
    pub disk_bytes: u64,
    /// Those that are [`OLD_LOOSE`] or older.
    pub n_old: u64,
    /// Those that are in a pack as well.
    pub n_in_packs: Known<u64>,
}

/// A pack with a sound index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// File name without its ending, as text.
    pub name: String,
    /// Size of pack and index in bytes.
    pub bytes: u64,
    /// Objects in it, by its index.
    pub n_objects: u64,
    /// When it was last written.
    pub modified_at: Timestamp,
    /// It has a `.keep`, so no repack touches it.
    pub keep: Option<Keep>,
    /// It holds unreachable objects (it has a `.mtimes`).
    pub is_cruft: bool,
    /// It came from a partial clone's remote.
    pub is_promisor: bool,
    /// It has a bitmap.
    pub has_bitmap: bool,
}

/// A `.keep` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Since when.
    pub modified_at: Timestamp,
    /// The beginning of what is written in it, as text.
    pub text: Known<String>,
}

/// Files and folders that nobody needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Litter {
    /// How many.
    pub n: u64,
    /// Their size in bytes; of a folder, its own.
    pub bytes: u64,
    /// The first of them, in the order of the search.
    pub named: Vec<Litterer>,
}

/// One piece of litter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Litterer {
    /// Path below `objects/`, as text.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last written; unknown for what cannot be looked at.
    pub modified_at: Known<Timestamp>,
    /// It was made for a while (`tmp_…`).
    pub is_temporary: bool,
    /// It is a folder.
    pub is_folder: bool,
}

/// Growth since an earlier look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Growth {
    /// There is nothing to compare with yet, for this reason.
    NotYet(String),
    /// Compared with what an earlier look remembered.
    Since {
        /// When that look was.
        at: Timestamp,
        /// Bytes below `objects/` then.
        bytes_then: u64,
        /// Bytes below `objects/` now.
        bytes_now: u64,
    },
}

/// Files that are kept to look something up later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Files.
    pub n_files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Files that are [`OLD_RESOLUTION`] or older.
    pub n_old: u64,
}

impl Pack {
    /// Does a repack leave it alone?
    pub fn is_kept(&self) -> bool {
        self.keep.is_some()
    }
}

impl Storage {
    /// Everything below `objects/` that was seen, in bytes; unknown when a part could not be.
    pub fn bytes(&self) -> Known<u64> {
        let parts = [
            self.loose.clone().map(|loose| loose.disk_bytes),
            self.packs.clone().map(|packs| packs.iter().map(|pack| pack.bytes).sum()),
            self.garbage.clone().map(|garbage| garbage.bytes),
        ];
        let mut sum = 0u64;
        for part in parts {
            match part {
                Known::Seen(bytes) => sum = sum.saturating_add(bytes),
                unknown => return unknown,
            }
        }
        Known::Seen(sum)
    }
}
