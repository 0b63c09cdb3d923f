//! Merges on the lines that kept one side whole, although the other had something that the result lacks.
//!
//! Git itself makes such a merge only when it is told to (`-s ours`, or a person who takes one side of everything), and
//! its message looks like any other. Seen by content alone: the tree of the merge is that of one parent, and of what
//! the other side changed since both parted, something stands nowhere in it. A merge never changes, so what was found of
//! it is remembered.

use std::collections::{BTreeSet, HashMap};

use alignwatch_model::{
    Known, RefName, Span, Timestamp,
    facts::history::{DroppedSide, DroppedSides},
};

use crate::{
    graph::{Graph, Pos, Trunk, measure},
    memory::{Memory, Shelf},
    objects::Objects,
    stop::Stop,
    tree_diff::{Side, WalkError, changes},
};

/// Merges that are looked at: those of the last year. Source: ours; older ones are missed by nobody any more.
const LOOK_BACK: Span = Span::days(365);

/// Commits of one line that are looked at, the newest. Source: ours; fifty a day for a year.
const COMMITS_AT_MOST: usize = 20_000;

/// Merges of one line that are looked into: each lays out a history of its own. Source: ours; a tenth of a second each at worst.
const LOOKED_INTO_AT_MOST: usize = 200;

/// Paths that are kept of one merge as examples.
const PATHS_AT_MOST: usize = 5;

/// Looks at the merges of these lines.
pub(crate) fn dropped_sides(
    graph: &Graph,
    objects: &Objects,
    memory: &Memory,
    lines: &[(&RefName, &Trunk)],
    now: Timestamp,
    stop: &Stop,
) -> Known<DroppedSides> {
    let mut seen = DroppedSides::default();
    let mut shelf = memory.shelf("dropped-sides", "1");
    for (name, trunk) in lines {
        for merge in merges(graph, trunk, now).take(LOOKED_INTO_AT_MOST) {
            if let Some(reason) = stop.reason() {
                return Known::Unknown(reason);
            }
            seen.n_merges += 1;
            match merge.remembered(graph, objects, &mut shelf) {
                Ok(None) => {}
                Ok(Some((n_paths, paths))) => {
                    let oid = graph.oid(merge.at);
                    let by = objects.about(&oid).map(|about| about.author).unwrap_or_default();
                    let (line, at) = ((*name).clone(), graph.date(merge.at));
                    let kept_line = merge.keeps_line;
                    seen.found.push(DroppedSide { line, oid, at, by, kept_line, n_paths, paths });
                }
                Err(reason) => seen.unread.push((graph.oid(merge.at), reason)),
            }
        }
    }
    // A memory that can't be written costs time on the next run, nothing else.
    let _ = shelf.save();
    seen.found.sort_by_key(|one| std::cmp::Reverse(one.at));
    Known::Seen(seen)
}

/// A merge whose tree is that of one of its parents.
struct Merge {
    at: Pos,
    /// The side that the tree is of, and the other.
    kept: Pos,
    other: Pos,
    /// The side of the line was kept.
    keeps_line: bool,
}

/// The merges of a line, the newest first, that kept one side whole and had a choice.
fn merges<'a>(graph: &'a Graph, trunk: &'a Trunk, now: Timestamp) -> impl Iterator<Item = Merge> + 'a {
    let newest_first = trunk.line().iter().enumerate().rev();
    let recent = newest_first.take_while(move |(_, at)| now.since(graph.date(**at)) <= LOOK_BACK);
    recent.take(COMMITS_AT_MOST).filter_map(move |(index, at)| merge(graph, trunk, index, *at))
}

fn merge(graph: &Graph, trunk: &Trunk, index: usize, at: Pos) -> Option<Merge> {
    let parents: Vec<Pos> = graph.parents(at).take(3).collect();
    let &[first, second] = &parents[..] else { return None };
    let (tree, of_first, of_second) = (graph.tree(at), graph.tree(first), graph.tree(second));
    if of_first == of_second || (tree != of_first && tree != of_second) {
        return None;
    }
    // What the side reaches of the line. When that is the line before the merge, the side had all of it: taking the
    // side whole is what any merge does then.
    if trunk.fork(second).is_some_and(|reached| index <= reached + 1) {
        return None;
    }
    let keeps_line = tree == of_first;
    let (kept, other) = if keeps_line { (first, second) } else { (second, first) };
    Some(Merge { at, kept, other, keeps_line })
}

/// How many paths were dropped, and some of them; `None` = none.
type Dropped = Option<(usize, Vec<String>)>;

impl Merge {
    /// As [`Merge::dropped`], from the shelf where it is known.
    fn remembered(&self, graph: &Graph, objects: &Objects, shelf: &mut Shelf) -> Result<Dropped, String> {
        let oid = graph.oid(self.at);
        if let Some(known) = shelf.get(oid.as_bytes()).and_then(|bytes| postcard::from_bytes(bytes).ok()) {
            return Ok(known);
        }
        let dropped = self.dropped(graph, objects)?;
        shelf.put(oid.as_bytes(), postcard::to_stdvec(&dropped).unwrap_or_default());
        Ok(dropped)
    }

    /// Paths that the other side changed and the result has in no way; `None` when there are none.
    ///
    /// Where both parted at several commits, a path counts that was changed since each of them. Errors: why it is not known
    /// where they parted, or what could not be read.
    fn dropped(&self, graph: &Graph, objects: &Objects) -> Result<Dropped, String> {
        let bases = match measure(graph, &Trunk::of(graph, self.kept), &[self.other]).pop() {
            Some(Known::Seen(drift)) => drift.merge_bases,
            Some(Known::Unknown(reason)) => return Err(reason),
            None => Vec::new(),
        };
        let mut lost: Option<BTreeSet<Vec<u8>>> = None;
        for base in bases.iter().filter_map(|base| graph.find(base)) {
            let since = self.dropped_since(graph, objects, base).map_err(|error| error.to_string())?;
            lost = Some(match lost {
                Some(lost) => lost.intersection(&since).cloned().collect(),
                None => since,
            });
        }
        let lost = lost.unwrap_or_default();
        let paths = lost.iter().take(PATHS_AT_MOST).map(|path| path.escape_ascii().to_string()).collect();
        Ok((!lost.is_empty()).then_some((lost.len(), paths)))
    }

    fn dropped_since(&self, graph: &Graph, objects: &Objects, base: Pos) -> Result<BTreeSet<Vec<u8>>, WalkError> {
        let base = Some(graph.tree(base));
        let mut of_kept: HashMap<Vec<u8>, Side> = HashMap::new();
        changes(objects, base, Some(graph.tree(self.kept)), &mut |path, _, after| {
            of_kept.insert(path.to_vec(), after);
        })?;
        let mut lost = BTreeSet::new();
        changes(objects, base, Some(graph.tree(self.other)), &mut |path, before, after| {
            if of_kept.get(path).copied().unwrap_or(before) != after {
                lost.insert(path.to_vec());
            }
        })?;
        Ok(lost)
    }
}
