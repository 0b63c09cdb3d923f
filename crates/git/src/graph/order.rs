//! Puts commits in an order in which parents come before children.
//!
//! The order is what makes the rest of the graph code short and fast: whatever
//! follows from children or from parents is one pass over memory. It is proven,
//! not believed: levels from a file are only a hint, and [`renumber`] refuses an
//! order in which a parent does not come first.

use super::edges::{Edges, NONE};

/// Marks a commit whose parents are being looked at.
const OPEN: u32 = u32::MAX;

/// The place of each commit when sorted by level; `None` when there are levels that no history can have.
pub(super) fn by_level(levels: &[u32]) -> Option<Vec<u32>> {
    let mut next = vec![0u32; levels.len() + 2];
    for &level in levels {
        // A level counts the commits of a path, so it is never above the number of commits.
        *next.get_mut(level as usize + 1)? += 1;
    }
    let mut sum = 0;
    for place in &mut next {
        sum += *place;
        *place = sum;
    }
    let place = |&level: &u32| {
        let place = next[level as usize];
        next[level as usize] += 1;
        place
    };
    Some(levels.iter().map(place).collect())
}

/// The topological level of each commit: one more than its highest parent.
///
/// Commit `i` of `edges` has the number `base + i`; parents below `base` count as level 0.
/// On a circle, the edge that closes it is left out of account.
pub(super) fn levels(edges: &Edges, base: u32) -> Vec<u32> {
    let mut levels = vec![0u32; edges.len()];
    let mut path = Vec::new();
    for start in 0..edges.len() as u32 {
        path.push(start);
        while let Some(&at) = path.last() {
            let parents = edges.of(at).filter(|&parent| base <= parent).map(|parent| parent - base);
            match levels[at as usize] {
                0 => {
                    levels[at as usize] = OPEN;
                    path.extend(parents.filter(|&parent| levels[parent as usize] == 0));
                }
                OPEN => {
                    let done = parents.map(|parent| levels[parent as usize]).filter(|&level| level != OPEN);
                    levels[at as usize] = 1 + done.max().unwrap_or(0);
                    path.pop();
                }
                _ => drop(path.pop()),
            }
        }
    }
    levels
}

/// The same edges under new numbers; `None` unless every parent then comes before its child.
pub(super) fn renumber(edges: &Edges, place: &[u32]) -> Option<Edges> {
    let mut renumbered = Edges::default();
    renumbered.push_roots(edges.len());
    for (at, &to) in place.iter().enumerate() {
        let (one, is_only) = edges.first_and_only(at as u32);
        if is_only {
            let one = if one == NONE { NONE } else { place[one as usize] };
            if one != NONE && to <= one {
                return None;
            }
            renumbered.set_one(to as usize, one);
        } else {
            let parents = edges.of(at as u32).map(|parent| place[parent as usize]);
            if parents.clone().any(|parent| to <= parent) {
                return None;
            }
            renumbered.set(to as usize, parents);
        }
    }
    Some(renumbered)
}

/// For each place, who is there.
pub(super) fn invert(place: &[u32]) -> Vec<u32> {
    let mut at = vec![0; place.len()];
    for (who, &place) in place.iter().enumerate() {
        at[place as usize] = who as u32;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(parents: &[&[u32]]) -> Edges {
        let mut edges = Edges::default();
        parents.iter().for_each(|parents| edges.push(parents.iter().copied()));
        edges
    }

    #[test]
    fn a_level_is_one_more_than_the_highest_parent() {
        let edges = edges(&[&[1, 2], &[2], &[], &[0, 1, 2], &[]]);
        assert_eq!(levels(&edges, 0), [3, 2, 1, 4, 1]);
        let place = by_level(&levels(&edges, 0)).unwrap();
        let sorted = renumber(&edges, &place).unwrap();
        assert_eq!(invert(&place), [2, 4, 1, 0, 3]);
        assert_eq!(sorted.of(4).collect::<Vec<_>>(), [3, 2, 0]);
    }

    #[test]
    fn a_circle_has_no_order_and_does_not_hang() {
        let edges = edges(&[&[1], &[2], &[0], &[0]]);
        let place = by_level(&levels(&edges, 0)).unwrap();
        assert!(renumber(&edges, &place).is_none());
    }

    #[test]
    fn impossible_levels_are_refused() {
        assert!(by_level(&[1, 2, 3]).is_some());
        assert!(by_level(&[1, 2, 4]).is_none());
        assert!(by_level(&[u32::MAX]).is_none());
    }
}
