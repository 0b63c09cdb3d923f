//! Whether objects and the files that hold them are whole.

use crate::{Known, Oid, RefName, Timestamp};

/// Lines of `git fsck` that are kept.
pub const LINES_AT_MOST: usize = 1000;

/// What one `git fsck` said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectCheck {
    /// Its exit code: a set of bits, 0 = all is well.
    pub code: i32,
    /// What it said is wrong, at most [`LINES_AT_MOST`] lines.
    pub lines: Vec<String>,
    /// How many lines it said.
    pub n_lines: usize,
    /// When it ran; before the inspection for an answer that was remembered.
    pub checked_at: Timestamp,
}

/// What the bytes of all packs said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackBytes {
    /// Packs whose files are what they were when they were written.
    pub n_sound: usize,
    /// How many of them were proven in this inspection and not before.
    pub n_read: usize,
    /// Files that are not, and what is wrong with each.
    pub damaged: Vec<(String, String)>,
    /// Files that could not be read, and why.
    pub unread: Vec<(String, String)>,
}

/// What is odd about the files of refs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RefFiles {
    /// Loose refs whose file holds neither an id nor the name of a ref.
    pub damaged: Vec<DamagedRef>,
    /// Symbolic refs that lead nowhere or through others.
    pub symrefs: Vec<OddSymref>,
    /// What is wrong in packed-refs, in the order of its lines.
    pub packed: Known<Vec<PackedFault>>,
    /// What is wrong with HEAD of this worktree.
    pub head: Option<HeadFault>,
}

/// A loose ref whose file is empty, cut off or garbage.
#[derive(Clone, Debug, PartialEq)]
pub struct DamagedRef {
    /// Full name.
    pub name: RefName,
    /// What is wrong, as a sentence part.
    pub reason: String,
    /// The id that the last entry of its log went to, and whether that object is there; `None` = there is no log.
    pub last_id: Known<Option<(Oid, bool)>>,
}

/// A symbolic ref that does not lead to a ref in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddSymref {
    /// Full name.
    pub name: RefName,
    /// What is written in it.
    pub target: RefName,
    /// What is odd, as a sentence part.
    pub reason: String,
    /// It leads to no ref that can be read; otherwise it leads through another.
    pub is_dangling: bool,
}

/// One fault of packed-refs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedFault {
    /// What is wrong.
    pub kind: PackedFaultKind,
    /// In which line, from 1 on.
    pub line: usize,
    /// The ref of that line, where it names one.
    pub name: Option<RefName>,
}

/// What can be wrong in packed-refs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackedFaultKind {
    /// The first line is a comment, and not the one that Git writes.
    Header,
    /// The line is not behind the one before, though the header promises an order.
    Unsorted,
    /// The line is neither a ref nor the object of a tag.
    NoEntry,
    /// The last line has no end.
    CutOff,
}

/// What is wrong with HEAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// It names a ref that is no branch.
    NoBranch(RefName),
    /// It names what is no ref or a broken one, as a sentence.
    Broken(String),
}

/// What reflogs lead to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reflogs {
    /// Entries that were looked at.
    pub n_entries: usize,
    /// Logs with entries to objects that are not there.
    pub gaps: Vec<ReflogGap>,
    /// Logs that were not read, and why.
    pub unread: Vec<(String, String)>,
}

/// A log with entries to objects that are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReflogGap {
    /// The ref; for a linked worktree, the path of the log below the git directory.
    pub name: RefName,
    /// How many entries.
    pub n_entries: usize,
    /// The last of the ids that are not there.
    pub example: Oid,
}
