//! Measures how far branches and their base are apart.
//!
//! A branch is walked from its tip down to the history of the base. The commits
//! passed are what it is *ahead*; the commits of the base's history that it
//! meets there decide everything else, so branches that meet the same ones
//! share the answer.
//!
//! Let `j` be the last line commit that the met ones reach. All that landed up
//! to `j` is common. Beyond that, only commits off the line can be: they are
//! walked as well, down to what landed up to `j`. A met commit is a merge base
//! unless another met one reaches it: by an edge of that walk, or because it
//! landed up to `j` (then `j` has it, and some met commit reaches `j`).
//!
//! In a shallow repository a distance is given only where it is whole: see `cut`.

use std::rc::Rc;

use alignwatch_model::{Drift, Known, Timestamp};
use rustc_hash::FxHashMap;

use super::{
    Graph, Pos, Trunk,
    cut::{CUT_OFF, Cut},
    edges::NONE,
    missed::Missed,
};

/// Commits apart on each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// Commits the base lacks.
    pub ahead: u32,
    /// Commits the branch lacks.
    pub behind: u32,
}

/// The drift of each tip from the base that the trunk was made of, in the order of `tips`.
///
/// Unknown where the history of the tip or of the base reaches a commit that can't be read, or is cut off before it
/// tells. All positions must be of this graph.
pub fn measure(graph: &Graph, trunk: &Trunk, tips: &[Pos]) -> Vec<Known<Drift>> {
    if graph.remembers() {
        return measure_new(graph, trunk, tips);
    }
    let mut meter = Meter::new(graph, trunk, Some(trunk.missed(graph)));
    tips.iter().map(|&tip| meter.known(tip).map(|()| meter.drift(tip))).collect()
}

/// The same in a whole history, with what was measured before.
fn measure_new(graph: &Graph, trunk: &Trunk, tips: &[Pos]) -> Vec<Known<Drift>> {
    let mut measured = trunk.measured();
    // Of tips that were there once, nobody may ask again.
    if 2 * tips.len() < measured.len() {
        measured.clear();
    }
    let mut meter = None;
    let mut drift =
        |tip: Pos| meter.get_or_insert_with(|| Meter::new(graph, trunk, Some(trunk.missed(graph)))).drift(tip);
    tips.iter().map(|&tip| Known::Seen(measured.entry(tip).or_insert_with(|| drift(tip)).clone())).collect()
}

/// As [`measure`], with the two counts only: as `git for-each-ref` gives them in `%(ahead-behind)`.
pub fn ahead_behind(graph: &Graph, trunk: &Trunk, tips: &[Pos]) -> Vec<Known<Apart>> {
    let mut meter = Meter::new(graph, trunk, None);
    tips.iter().map(|&tip| meter.known(tip).map(|()| meter.apart(tip))).collect()
}

/// What is common to a base and all branches that meet its history at the same commits.
struct Common {
    n: u32,
    bases: Vec<Pos>,
    base_at: Option<Timestamp>,
    missing_since: Option<Timestamp>,
}

struct Meter<'a> {
    graph: &'a Graph,
    trunk: &'a Trunk,
    /// Dates, where they are asked for.
    missed: Option<&'a Missed>,
    marks: Marks,
    stack: Vec<u32>,
    /// Commits of the base's history at which the last walk ended, sorted.
    met: Vec<u32>,
    known: FxHashMap<Box<[u32]>, Rc<Common>>,
    /// In a shallow repository.
    cut: Option<Cut<'a>>,
}

/// Marks on commits that are all gone at once with each new kind of mark.
struct Marks {
    marks: Vec<u32>,
    last: u32,
}

impl<'a> Meter<'a> {
    fn new(graph: &'a Graph, trunk: &'a Trunk, missed: Option<&'a Missed>) -> Meter<'a> {
        let marks = Marks { marks: vec![0; graph.len()], last: 0 };
        let (stack, met, known) = (Vec::new(), Vec::new(), FxHashMap::default());
        Meter { graph, trunk, missed, marks, stack, met, known, cut: Cut::of(graph, trunk) }
    }

    /// Unknown when something is missing on either side.
    fn known(&mut self, tip: Pos) -> Known<()> {
        match self.graph.flaw(tip).or_else(|| self.graph.flaw(self.trunk.tip())) {
            Some(flaw) => Known::Unknown(flaw.to_owned()),
            None if self.is_cut(tip) => Known::Unknown(CUT_OFF.to_owned()),
            None => Known::Seen(()),
        }
    }

    /// Does the boundary of a shallow repository leave open how far the two are apart?
    fn is_cut(&mut self, tip: Pos) -> bool {
        let Some(mut cut) = self.cut.take() else { return false };
        self.walk(tip);
        let common = self.common();
        let is_whole = cut.is_whole(tip, &common.bases);
        self.cut = Some(cut);
        !is_whole
    }

    fn apart(&mut self, tip: Pos) -> Apart {
        let ahead = self.walk(tip);
        let n_common = match self.met_on_line() {
            Some(index) => self.trunk.counted(index),
            None => self.common().n,
        };
        Apart { ahead, behind: self.trunk.len() - n_common }
    }

    fn drift(&mut self, tip: Pos) -> Drift {
        let ahead = self.walk(tip);
        let common = match self.met_on_line() {
            Some(index) => Rc::new(self.common_line(index)),
            None => self.common(),
        };
        let mut merge_bases: Vec<_> = common.bases.iter().map(|&base| self.graph.oid(base)).collect();
        merge_bases.sort_unstable();
        Drift {
            ahead,
            behind: self.trunk.len() - common.n,
            merge_bases,
            on_base_line: self.trunk.is_on_line(tip),
            base_at: common.base_at,
            missing_since: common.missing_since,
        }
    }

    /// Counts the commits from `tip` down to the base's history, and notes where it meets that.
    fn walk(&mut self, tip: Pos) -> u32 {
        let (graph, trunk) = (self.graph, self.trunk);
        self.met.clear();
        let (mut ahead, mut at) = (0, tip.0);
        // Without merges there is one way down and nothing to mark.
        while trunk.intro_of(at) == NONE {
            match graph.edges.first_and_only(at) {
                (parent, true) => {
                    ahead += 1;
                    at = parent;
                    if parent == NONE {
                        return ahead;
                    }
                }
                _ => return ahead + self.walk_wide(at),
            }
        }
        self.met.push(at);
        ahead
    }

    fn walk_wide(&mut self, from: u32) -> u32 {
        let seen = self.marks.fresh();
        let mut ahead = 0;
        self.stack.push(from);
        while let Some(at) = self.stack.pop() {
            ahead += 1;
            for parent in self.graph.edges.of(at) {
                if self.marks.set(parent, seen) {
                    let list = if self.trunk.intro_of(parent) == NONE { &mut self.stack } else { &mut self.met };
                    list.push(parent);
                }
            }
        }
        self.met.sort_unstable();
        ahead
    }

    /// The line index of the only commit that was met, if it is on the line: by far the most frequent case.
    fn met_on_line(&self) -> Option<usize> {
        match self.met[..] {
            [met] if self.trunk.is_on_line(Pos(met)) => self.trunk.intro(Pos(met)),
            _ => None,
        }
    }

    fn common_line(&self, index: usize) -> Common {
        let base = self.trunk.line()[index];
        let since = self.missed.and_then(|missed| missed.since(self.graph, self.trunk, index + 1, &[], |_| false));
        Common {
            n: self.trunk.counted(index),
            bases: vec![base],
            base_at: Some(self.graph.date(base)),
            missing_since: since.map(Timestamp),
        }
    }

    fn common(&mut self) -> Rc<Common> {
        if let Some(common) = self.known.get(&self.met[..]) {
            return common.clone();
        }
        let common = Rc::new(self.work_out_common());
        self.known.insert(self.met.clone().into(), common.clone());
        common
    }

    fn work_out_common(&mut self) -> Common {
        let forked = self.met.iter().filter_map(|&met| self.trunk.fork(Pos(met))).max();
        let from = forked.map_or(0, |index| index + 1);
        let walked = self.walk_common(from);
        let bases = self.bases(forked, &walked);
        let is_walked = |at| walked.marks.contains(&self.marks.of(at));
        let since =
            self.missed.and_then(|missed| missed.since(self.graph, self.trunk, from, &walked.commits, is_walked));
        Common {
            n: forked.map_or(0, |index| self.trunk.counted(index)) + walked.commits.len() as u32,
            base_at: self.missed.and_then(|_| bases.iter().map(|&base| self.graph.date(base)).max()),
            missing_since: since.map(Timestamp),
            bases,
        }
    }

    /// Walks what the met commits reach among the commits that landed with line index `from` or later.
    fn walk_common(&mut self, from: usize) -> Walked {
        let (graph, trunk) = (self.graph, self.trunk);
        let (met, reached) = (self.marks.fresh(), self.marks.fresh());
        let is_later = |at: u32| from <= trunk.intro_of(at) as usize;
        let mut commits: Vec<u32> = self.met.iter().copied().filter(|&at| is_later(at)).collect();
        for &at in &commits {
            self.marks.set(at, met);
        }
        self.stack.extend(&commits);
        while let Some(at) = self.stack.pop() {
            for parent in graph.edges.of(at).filter(|&parent| is_later(parent)) {
                let before = self.marks.of(parent);
                self.marks.set(parent, reached);
                if before != met && before != reached {
                    commits.push(parent);
                    self.stack.push(parent);
                }
            }
        }
        commits.sort_unstable_by_key(|&at| trunk.intro_of(at));
        Walked { commits, marks: [met, reached] }
    }

    /// The met commits that no other met one reaches.
    fn bases(&self, forked: Option<usize>, walked: &Walked) -> Vec<Pos> {
        let [met, _] = walked.marks;
        let fork_point = forked.map(|index| self.trunk.line()[index]);
        let is_base = |at: Pos| {
            if Some(at) == fork_point {
                self.met.iter().all(|&other| other == at.0 || self.trunk.fork(Pos(other)) != forked)
            } else {
                self.marks.of(at.0) == met
            }
        };
        self.met.iter().map(|&at| Pos(at)).filter(|&at| is_base(at)).collect()
    }
}

/// Commits that base and branch have in common besides what landed up to their fork point.
struct Walked {
    /// Sorted by line index.
    commits: Vec<u32>,
    /// The marks they bear: met at the end of the branch and not reached otherwise; reached from another one.
    marks: [u32; 2],
}

impl Marks {
    /// A mark that no commit bears.
    fn fresh(&mut self) -> u32 {
        if self.last == u32::MAX {
            self.marks.fill(0);
            self.last = 0;
        }
        self.last += 1;
        self.last
    }

    #[inline]
    fn of(&self, at: u32) -> u32 {
        self.marks[at as usize]
    }

    /// Sets a mark; false when it was there.
    #[inline]
    fn set(&mut self, at: u32, mark: u32) -> bool {
        std::mem::replace(&mut self.marks[at as usize], mark) != mark
    }
}
