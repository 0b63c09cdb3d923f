//! The patch between two trees, and its text as git-patch-id(1) sees it.
//!
//! Two patches are the same when they change the same paths in the same way:
//! added and removed lines with three lines around them, white space and line
//! numbers left out. Binary files count by their content.

use alignwatch_model::Oid;
use imara_diff::{Algorithm, Diff, IndentHeuristic, IndentLevel, Interner, Token};

use super::keys::{Key, Sum};
use crate::{
    merge::is_binary,
    objects::{Objects, ReadError},
    tree_diff::{self, Side, WalkError},
};

/// Lines around a change that belong to the patch. Source: git-patch-id(1) reads diffs with three.
const CONTEXT_LINES: u32 = 3;

/// Width of a tab for the place of a change. Source: Git's indent heuristic.
const TAB_COLUMNS: u8 = 8;

/// What changed between two trees.
pub(super) struct Patch {
    /// Keys to look it up by.
    pub(super) key: Key,
    files: Vec<(Vec<u8>, Side, Side)>,
}

/// The patch between two trees. Errors: [`WalkError`].
pub(super) fn patch(objects: &Objects, before: Option<Oid>, after: Option<Oid>) -> Result<Patch, WalkError> {
    let mut sum = Sum::default();
    let mut files = Vec::new();
    tree_diff::changes(objects, before, after, &mut |path, old, new| {
        sum.add(path, old, new);
        files.push((path.to_vec(), old, new));
    })?;
    Ok(Patch { key: sum.key(), files })
}

impl Patch {
    /// Nothing changed.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Its text without white space and line numbers: equal texts are equal patches.
    pub(super) fn text(&self, objects: &Objects) -> Result<Vec<u8>, ReadError> {
        let mut text = Vec::new();
        for (path, old, new) in &self.files {
            text.extend_from_slice(path);
            let mode = |side: &Side| side.map_or(0, |(mode, _)| mode.0);
            text.extend_from_slice(format!("\0{:o} {:o}\n", mode(old), mode(new)).as_bytes());
            append_file(objects, *old, *new, &mut text)?;
        }
        Ok(text)
    }
}

fn append_file(objects: &Objects, old: Side, new: Side, text: &mut Vec<u8>) -> Result<(), ReadError> {
    let oids = [old, new].map(|side| side.map(|(_, oid)| oid));
    if oids[0] == oids[1] {
        return Ok(());
    }
    let is_submodule = [old, new].into_iter().flatten().any(|(mode, _)| mode.is_submodule());
    let content = |oid: Option<Oid>| oid.map_or(Ok(Vec::new()), |oid| objects.blob(&oid));
    if !is_submodule {
        let (before, after) = (content(oids[0])?, content(oids[1])?);
        if !is_binary(&before) && !is_binary(&after) {
            append_lines(&before, &after, text);
            return Ok(());
        }
    }
    oids.into_iter().flatten().for_each(|oid| text.extend_from_slice(oid.as_bytes()));
    Ok(())
}

fn append_lines(before: &[u8], after: &[u8], text: &mut Vec<u8>) {
    let mut interner = Interner::new((before.len() + after.len()) / 30 + 16);
    let [old, new] = [before, after].map(|content| -> Vec<Token> {
        content.split_inclusive(|&byte| byte == b'\n').map(|line| interner.intern(line)).collect()
    });
    let mut diff = Diff::default();
    diff.compute_with(Algorithm::Myers, &old, &new, interner.num_tokens());
    let level = |token: Token| IndentLevel::for_ascii_line(interner[token].iter().copied(), TAB_COLUMNS);
    diff.postprocess_with(&old, &new, IndentHeuristic::new(level));
    let mut line = |sign: u8, token: Token| {
        text.push(sign);
        text.extend(interner[token].iter().filter(|byte| !byte.is_ascii_whitespace()));
        text.push(b'\n');
    };
    let mut shown_until = 0;
    let hunks: Vec<_> = diff.hunks().collect();
    for (number, hunk) in hunks.iter().enumerate() {
        let start = hunk.before.start.saturating_sub(CONTEXT_LINES).max(shown_until);
        (start..hunk.before.start).for_each(|at| line(b' ', old[at as usize]));
        hunk.before.clone().for_each(|at| line(b'-', old[at as usize]));
        hunk.after.clone().for_each(|at| line(b'+', new[at as usize]));
        let next = hunks.get(number + 1).map_or(old.len() as u32, |next| next.before.start);
        shown_until = (hunk.before.end + CONTEXT_LINES).min(next);
        (hunk.before.end..shown_until).for_each(|at| line(b' ', old[at as usize]));
    }
}
