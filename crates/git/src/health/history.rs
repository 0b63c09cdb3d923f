//! Sees whether lines were rewritten, and whether dates of commits can be right.
//!
//! A line was rewritten when it does not contain a tip that it had: at our own
//! last look, or by its reflog or that of its remote. All of this is answered by
//! the graph that was read anyway.

use std::path::Path;

use alignwatch_model::{
    Known, Oid, RefName, Span, Timestamp,
    facts::history::{Dates, Rewrite, Rewrites},
};

use crate::{
    files,
    graph::{Graph, Pos, Trunk},
    memory::{Memory, Shelf},
};

/// Bytes at the end of a reflog that are read: about 1500 entries.
const REFLOG_BYTES: u64 = 256 << 10;

/// Largest reflog of which the end is looked for.
const REFLOG_AT_MOST: u64 = 64 << 20;

/// How far in the future a date may be. Source: ours; clocks of people in all time zones differ by less.
const FUTURE_AT_MOST: Span = Span::days(1);

/// What rewrites are looked for with.
pub(crate) struct Past<'a> {
    pub(crate) common_dir: &'a Path,
    pub(crate) is_bare: bool,
    pub(crate) graph: &'a Graph,
    pub(crate) memory: &'a Memory,
    pub(crate) now: Timestamp,
    /// The tips of all branches.
    pub(crate) tips: &'a [Oid],
}

/// A line, its history, and its counterpart at a remote with the commit there.
pub(crate) struct LineOf<'a> {
    pub(crate) name: &'a RefName,
    pub(crate) trunk: &'a Trunk,
    pub(crate) counterpart: Option<(&'a RefName, Oid)>,
}

/// A tip that was left: when, for which one, and where that is known from.
struct Left {
    old: Oid,
    new: Option<Oid>,
    at: Timestamp,
    because: String,
    was_public: bool,
}

impl Past<'_> {
    /// The newest rewrite of each line; remembers the tips for the next look.
    pub(crate) fn rewrites(&self, lines: &[LineOf<'_>]) -> Known<Rewrites> {
        if self.graph.is_shallow() {
            return Known::Unknown("history is cut off, so it cannot be told whether a line was rewritten".into());
        }
        let mut shelf = self.memory.shelf("lines", "1");
        let mut rewrites = Rewrites { found: Vec::new(), unread: Vec::new() };
        for line in lines {
            match self.newest(line, &mut shelf) {
                Ok(left) => rewrites.found.extend(left.map(|left| self.rewrite(line.name, left))),
                Err(reason) => rewrites.unread.push((line.name.clone(), reason)),
            }
        }
        // A memory that can't be written costs the next comparison, nothing else.
        let _ = shelf.save();
        Known::Seen(rewrites)
    }

    fn newest(&self, line: &LineOf<'_>, shelf: &mut Shelf) -> Result<Option<Left>, String> {
        if let Some(reason) = self.graph.flaw(line.trunk.tip()) {
            return Err(reason.to_owned());
        }
        let remembered = self.remembered(line, shelf);
        let is_public = self.is_bare || line.name.remote_parts().is_some();
        let logged = self.logged(line.name, line.trunk, is_public)?;
        let at_remote = match line.counterpart.and_then(|(name, oid)| Some((name, self.graph.find(&oid)?))) {
            Some((name, at)) if self.has_reflog(name) => self.logged(name, &Trunk::of(self.graph, at), true)?,
            _ => None,
        };
        Ok([remembered, logged, at_remote].into_iter().flatten().max_by_key(|left| (left.was_public, left.at)))
    }

    /// By what we saw ourselves. A rewrite stays remembered; its age says when it is over.
    fn remembered(&self, line: &LineOf<'_>, shelf: &mut Shelf) -> Option<Left> {
        let tip = self.graph.oid(line.trunk.tip());
        let before = shelf.get(line.name.as_bytes()).and_then(Seen::decode);
        let mut seen = Seen { tip, left: before.as_ref().and_then(|before| before.left) };
        if let Some(before) = &before
            && !self.contains(line.trunk, &before.tip)
        {
            seen.left = Some((before.tip, self.now));
        }
        // What came back was no rewrite, or one that was undone.
        seen.left = seen.left.filter(|(old, _)| !self.contains(line.trunk, old));
        if before.as_ref() != Some(&seen) {
            shelf.put(line.name.as_bytes(), seen.encode());
        }
        let (old, at) = seen.left?;
        let because = "the tip that alignwatch saw before".to_owned();
        let was_public = self.is_bare || line.name.remote_parts().is_some();
        Some(Left { old, new: Some(tip), at, because, was_public })
    }

    fn contains(&self, trunk: &Trunk, oid: &Oid) -> bool {
        self.graph.find(oid).is_some_and(|at| trunk.contains(at))
    }

    fn has_reflog(&self, name: &RefName) -> bool {
        self.reflog(name).is_file()
    }

    fn reflog(&self, name: &RefName) -> std::path::PathBuf {
        use std::os::unix::ffi::OsStrExt;
        self.common_dir.join("logs").join(std::ffi::OsStr::from_bytes(name.as_bytes()))
    }

    /// By the reflog: the newest entry whose old id is no part of the line.
    fn logged(&self, name: &RefName, trunk: &Trunk, was_public: bool) -> Result<Option<Left>, String> {
        let path = self.reflog(name);
        let content =
            files::read(&path, REFLOG_AT_MOST).map_err(|error| format!("cannot read the reflog of {name}: {error}"))?;
        let Some(content) = content else { return Ok(None) };
        let end = &content[content.len().saturating_sub(REFLOG_BYTES as usize)..];
        let entries = end.split(|&byte| byte == b'\n').rev().filter_map(entry);
        let mut left = entries.filter(|(old, ..)| !self.contains(trunk, old));
        Ok(left.next().map(|(old, new, at)| Left {
            old,
            new: Some(new),
            at,
            because: format!("the reflog of {name}"),
            was_public,
        }))
    }

    fn rewrite(&self, line: &RefName, left: Left) -> Rewrite {
        Rewrite {
            line: line.clone(),
            n_branches: self.n_standing_on(&left.old),
            old: left.old,
            new: left.new,
            at: left.at,
            because: left.because,
            was_public: left.was_public,
        }
    }

    /// How many branches contain this commit.
    fn n_standing_on(&self, old: &Oid) -> usize {
        let Some(old) = self.graph.find(old) else { return 0 };
        // Parents have smaller numbers than their children, so one pass upwards finds all that contain it.
        let mut contains = std::collections::BTreeSet::from([old]);
        for at in self.graph.all().filter(|at| *at > old) {
            if self.graph.parents(at).any(|parent| contains.contains(&parent)) {
                contains.insert(at);
            }
        }
        self.tips.iter().filter(|tip| self.graph.find(tip).is_some_and(|at| contains.contains(&at))).count()
    }
}

/// Old id, new id and time of `<old> <new> <who> <seconds> <zone>TAB<words>`; `None` also for the birth of a ref.
fn entry(line: &[u8]) -> Option<(Oid, Oid, Timestamp)> {
    let head = line.split(|&byte| byte == b'\t').next()?;
    let mut words = head.split(|&byte| byte == b' ');
    let old = words.next().filter(|old| old.iter().any(|&digit| digit != b'0'))?;
    let new = Oid::from_hex(words.next()?).ok()?;
    let seconds = std::str::from_utf8(head.rsplit(|&byte| byte == b' ').nth(1)?).ok()?.parse().ok()?;
    Some((Oid::from_hex(old).ok()?, new, Timestamp(seconds)))
}

/// What is remembered of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    tip: Oid,
    left: Option<(Oid, Timestamp)>,
}

impl Seen {
    fn encode(&self) -> Vec<u8> {
        match &self.left {
            None => self.tip.hex().into_bytes(),
            Some((old, at)) => format!("{} {} {}", self.tip, old, at.0).into_bytes(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Seen> {
        let mut words = bytes.split(|&byte| byte == b' ');
        let tip = Oid::from_hex(words.next()?).ok()?;
        let left = match (words.next(), words.next()) {
            (Some(old), Some(at)) => {
                Some((Oid::from_hex(old).ok()?, Timestamp(std::str::from_utf8(at).ok()?.parse().ok()?)))
            }
            _ => None,
        };
        Some(Seen { tip, left })
    }
}

/// Dates of all commits in the graph, against their parents and the clock.
pub(crate) fn dates(graph: &Graph, now: Timestamp) -> Dates {
    let mut dates = Dates { n_commits: graph.len(), ..Dates::default() };
    for at in graph.all() {
        let date = graph.date(at);
        if FUTURE_AT_MOST < date.since(now) {
            dates.n_in_future += 1;
            if dates.latest.is_none_or(|(_, latest)| latest < date) {
                dates.latest = Some((graph.oid(at), date));
            }
        }
        let newest_parent: Option<Timestamp> = graph.parents(at).map(|parent: Pos| graph.date(parent)).max();
        if let Some(parent) = newest_parent.filter(|parent| date < *parent) {
            dates.n_before_parent += 1;
            let seconds = parent.since(date).0;
            if dates.furthest.is_none_or(|(_, furthest)| furthest < seconds) {
                dates.furthest = Some((graph.oid(at), seconds));
            }
        }
    }
    dates
}
