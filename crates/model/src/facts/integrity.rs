//! Whether objects and the files that hold them are whole.

use crate::Timestamp;

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
