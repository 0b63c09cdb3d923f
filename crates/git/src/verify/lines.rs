//! Compares texts by the lines that must still be there.

use std::collections::{HashMap, HashSet};

/// Lines of one side of a conflict that must all be gone before that counts as dropping the side.
///
/// Source: ours; a resolution that rewrites a few lines is a person's decision, a vanished block rarely is.
pub(super) const DROPPED_LINES_AT_LEAST: usize = 5;

/// What a text lacks of a merge.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lacks {
    /// Lines that one side added, that Git's own merge keeps, and that are nowhere now.
    pub(super) n_added: usize,
    /// Lines that one side removed, that Git's own merge removes, and that are back.
    pub(super) n_back: usize,
    /// Lines of a side of a conflict that vanished whole.
    pub(super) n_dropped: usize,
}

impl Lacks {
    /// Nothing is missing.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Lacks::default()
    }
}

/// A conflict as Git writes it down.
#[derive(Default)]
struct Hunk<'a> {
    ours: Vec<&'a [u8]>,
    base: Vec<&'a [u8]>,
    theirs: Vec<&'a [u8]>,
}

/// Compares `now` with `merged`, which may hold conflicts in diff3 style; `elsewhere` are lines of other new files.
pub(super) fn compare(base: &[u8], merged: &[u8], now: &[u8], elsewhere: &HashSet<Vec<u8>>) -> Lacks {
    let (clean, hunks) = parse(merged);
    let (before, there) = (counted(lines(base)), counted(lines(now)));
    let is_there = |line: &&[u8]| there.contains_key(*line) || elsewhere.contains(*line);
    let mut merged_lines: HashSet<&[u8]> = clean.iter().copied().collect();
    // A line that stands more than once must stand as often: what is lost may stand elsewhere, too.
    let n_of = |all: &HashMap<&[u8], usize>, line: &[u8]| all.get(line).copied().unwrap_or(0);
    let added = counted(clean.iter().copied()).into_iter().filter(|(line, n)| n_of(&before, line) < *n);
    let added = added.filter(|(line, _)| says_something(line) && !elsewhere.contains(*line));
    let n_added = added.map(|(line, n)| n.saturating_sub(n_of(&there, line).max(n_of(&before, line)))).sum();
    hunks.iter().for_each(|hunk| merged_lines.extend(hunk.ours.iter().chain(&hunk.theirs).chain(&hunk.base)));
    let back = |line: &&[u8]| says_something(line) && there.contains_key(*line) && !merged_lines.contains(*line);
    let n_back = before.keys().copied().filter(|line| back(line)).count();
    let dropped = |side: &[&[u8]], hunk: &Hunk<'_>| {
        let own: Vec<&[u8]> =
            side.iter().copied().filter(|line| !hunk.base.contains(line) && says_something(line)).collect();
        let n_gone = own.iter().filter(|line| !is_there(line)).count();
        // Nearly all of it: one line of a block that also stands elsewhere does not save the block.
        if DROPPED_LINES_AT_LEAST <= n_gone && own.len() * 4 <= n_gone * 5 { n_gone } else { 0 }
    };
    let n_dropped = hunks.iter().map(|hunk| dropped(&hunk.ours, hunk) + dropped(&hunk.theirs, hunk)).sum();
    Lacks { n_added, n_back, n_dropped }
}

/// How often each line stands there.
fn counted<'a>(lines: impl Iterator<Item = &'a [u8]>) -> HashMap<&'a [u8], usize> {
    let mut counts = HashMap::new();
    lines.for_each(|line| *counts.entry(line).or_default() += 1);
    counts
}

/// Lines without spaces around them.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii)
}

/// Braces and the like stand everywhere, and their absence says nothing.
fn says_something(line: &[u8]) -> bool {
    line.iter().filter(|byte| byte.is_ascii_alphanumeric() || **byte >= 0x80).count() >= 2
}

fn parse(merged: &[u8]) -> (Vec<&[u8]>, Vec<Hunk<'_>>) {
    let (mut clean, mut hunks) = (Vec::new(), Vec::new());
    let mut hunk: Option<(Hunk<'_>, u8)> = None;
    for line in merged.split(|&byte| byte == b'\n') {
        let marker = line.get(..7).filter(|start| start.iter().all(|byte| *byte == start[0])).map(|start| start[0]);
        match (hunk.as_mut(), marker) {
            (None, Some(b'<')) => hunk = Some((Hunk::default(), b'<')),
            (Some((_, part)), Some(sign @ (b'|' | b'='))) => *part = sign,
            (Some(_), Some(b'>')) => hunks.extend(hunk.take().map(|(hunk, _)| hunk)),
            (Some((hunk, b'<')), _) => hunk.ours.push(line.trim_ascii()),
            (Some((hunk, b'|')), _) => hunk.base.push(line.trim_ascii()),
            (Some((hunk, _)), _) => hunk.theirs.push(line.trim_ascii()),
            (None, _) => clean.push(line.trim_ascii()),
        }
    }
    (clean, hunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacks(base: &str, merged: &str, now: &str) -> (usize, usize, usize) {
        let lacks = compare(base.as_bytes(), merged.as_bytes(), now.as_bytes(), &HashSet::new());
        (lacks.n_added, lacks.n_back, lacks.n_dropped)
    }

    #[test]
    fn a_line_that_a_side_added_must_stay_and_one_it_removed_must_not_come_back() {
        assert_eq!(lacks("one\ntwo", "one\ntwo\nthree", "one\ntwo\nthree"), (0, 0, 0));
        assert_eq!(lacks("one\ntwo", "one\ntwo\nthree", "one\ntwo"), (1, 0, 0));
        assert_eq!(lacks("one\ntwo", "one", "one\ntwo"), (0, 1, 0));
        assert_eq!(lacks("one\ntwo", "one\n  two", "one\n\ttwo\nfour"), (0, 0, 0), "indented anew, and more");
        assert_eq!(lacks("", "}\n{", ""), (0, 0, 0), "braces say nothing");
        let (one, two) = ("if a\nreturn none", "if a\nreturn none\nif b\nreturn none");
        assert_eq!(lacks(one, two, "if a\nreturn none\nif b"), (1, 0, 0), "the same line stands elsewhere");
        assert_eq!(lacks(one, two, &format!("{two}\nreturn none")), (0, 0, 0));
    }

    #[test]
    fn in_a_conflict_only_a_vanished_block_is_a_loss() {
        let block: String = (0..6).map(|number| format!("test {number}\n")).collect();
        let merged = format!("head\n<<<<<<< a\n{block}||||||| b\nold\n=======\nnew line\n>>>>>>> c\ntail");
        assert_eq!(lacks("head\nold\ntail", &merged, "head\nnew line\ntail"), (0, 0, 6));
        let kept = format!("head\n{block}new words\ntail");
        assert_eq!(lacks("head\nold\ntail", &merged, &kept), (0, 0, 0), "a few lines written anew");
        assert_eq!(lacks("head\nold\ntail", &merged, &format!("{block}new line")), (0, 0, 0));
    }
}
