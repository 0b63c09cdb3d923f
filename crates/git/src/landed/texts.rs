//! Contents of files, within a budget for each branch.

use alignwatch_model::Oid;

use super::Doubt;
use crate::{objects::Objects, tree_diff::Side};

/// Contents that are read for the questions about one branch.
pub(super) struct Texts<'a> {
    objects: &'a Objects,
    bytes_left: u64,
}

impl<'a> Texts<'a> {
    /// Reads no more than `bytes_at_most` in total.
    pub(super) fn new(objects: &'a Objects, bytes_at_most: u64) -> Texts<'a> {
        Texts { objects, bytes_left: bytes_at_most }
    }

    /// What Git compares as the content: that of a file, the target of a link, the commit of a submodule.
    pub(super) fn content(&mut self, side: Side) -> Result<Vec<u8>, Doubt> {
        match side {
            None => Ok(Vec::new()),
            Some((mode, oid)) if mode.is_submodule() => Ok(format!("Subproject commit {oid}\n").into_bytes()),
            Some((_, oid)) => self.blob(&oid),
        }
    }

    pub(super) fn blob(&mut self, oid: &Oid) -> Result<Vec<u8>, Doubt> {
        let (_, size) = self.objects.kind_and_size(oid)?;
        self.bytes_left = self.bytes_left.checked_sub(size).ok_or(Doubt::TooMuchText)?;
        Ok(self.objects.blob(oid)?)
    }
}
