//! Decides what happens in a generated history, and when, before anything is written.
//!
//! `main` goes in steps: one commit, or a merge of short topics. What branches do hangs on
//! these steps, so that the whole history is told once, from old to new.

mod branches;

use super::{
    files::{FileId, N_BLOCKS},
    random::Random,
    shape::Shape,
    truth::Fate,
};

/// Everything that is going to happen.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) layout: Layout,
    /// The long-lived lines besides `main`.
    pub(super) lines: Vec<LinePlan>,
    /// All branches but twins.
    pub(super) branches: Vec<BranchPlan>,
    /// Names of twins and the branch whose tip they share.
    pub(super) twins: Vec<(String, usize)>,
}

/// One step of `main` and what branches do after it.
#[derive(Default)]
pub(super) struct Step {
    /// Topics that are merged, and the commits of each; none for a plain commit.
    pub(super) topics: Vec<usize>,
    pub(super) edits: Vec<Edit>,
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) acts: Vec<(Actor, Act)>,
}

/// A change that `main` makes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    Block(FileId, usize),
    Add(FileId),
    Rename(FileId),
    Delete(FileId),
    /// The file with conflict markers comes, or is cleaned.
    Marker {
        begins: bool,
    },
}

/// Who acts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Actor {
    Line(usize),
    Branch(usize),
}

/// What a branch or line does.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Begins at the tip of `main`, or of a line.
    Fork(Option<usize>),
    /// One commit with these deeds.
    Commit(Vec<Deed>),
    /// Takes `main` in.
    MergeBack,
    /// It and `main` take each other in.
    Cross,
    /// Comes to `main`, in the way of its fate.
    Land,
    /// `main` takes it back.
    Revert,
    /// `main` edits the same lines again.
    EditAgain,
}

/// One thing that a commit of a branch does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    /// A section that nobody else edits.
    Own(FileId, usize),
    /// A section that `main` edits, too; also the whole of a link, submodule or binary.
    Edit(FileId, usize),
    NewFile,
    Rename(FileId),
    Delete(FileId),
    ToDirectory(FileId),
    Executable(FileId),
    /// A file that `main` adds, too; the same, or another at the same path.
    AddToo {
        file: FileId,
        same: bool,
    },
    Marker,
}

/// A long-lived line.
pub(super) struct LinePlan {
    pub(super) name: &'static str,
}

/// A branch.
pub(super) struct BranchPlan {
    pub(super) name: String,
    pub(super) author: &'static str,
    /// The line it forks from; `None` is `main`.
    pub(super) line: Option<usize>,
    pub(super) fate: Fate,
    pub(super) is_criss_cross: bool,
    pub(super) family: Option<usize>,
    pub(super) features: Vec<&'static str>,
    /// The section that only it edits.
    pub(super) own: (FileId, usize),
}

/// Which files are of which kind. Texts come first.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Texts that `main` edits.
    pub(super) n_edited: usize,
    /// Those and texts that stay as they are.
    pub(super) n_lasting: usize,
    /// Those and texts that `main` renames or deletes some day.
    pub(super) n_texts: usize,
    pub(super) n_links: usize,
    pub(super) n_submodules: usize,
    pub(super) n_binaries: usize,
}

/// Ids of files that `main` adds later begin here.
pub(super) const LATE: FileId = 1 << 20;

/// Ids of files that branches add begin here.
pub(super) const NEW: FileId = 1 << 24;

/// The id of the file with conflict markers.
pub(super) const MARKED: FileId = LATE - 1;

/// Steps that must lie behind a fork before the branch can land in any way; in short histories an eighth.
const ROOM_TO_LAND: usize = 60;

impl Layout {
    fn new(n_texts: usize) -> Layout {
        let (n_edited, n_lasting) = (n_texts * 75 / 100, n_texts * 95 / 100);
        let few = |n: usize| n.min(n_texts);
        Layout { n_edited, n_lasting, n_texts, n_links: few(12), n_submodules: few(4), n_binaries: few(12) }
    }

    pub(super) fn first_link(&self) -> usize {
        self.n_texts
    }

    pub(super) fn first_submodule(&self) -> usize {
        self.first_link() + self.n_links
    }

    pub(super) fn first_binary(&self) -> usize {
        self.first_submodule() + self.n_submodules
    }

    pub(super) fn n_files(&self) -> usize {
        self.first_binary() + self.n_binaries
    }
}

impl Plan {
    pub(super) fn new(shape: &Shape) -> Plan {
        let mut planner = Planner::new(shape);
        planner.plan_markers();
        planner.plan_lines();
        planner.plan_branches();
        planner.plan
    }
}

struct Planner<'a> {
    shape: &'a Shape,
    random: Random,
    plan: Plan,
    /// Commits that `main` has after each step.
    reach: Vec<usize>,
    /// How many commits `main` will have for each that is planned: branches will bring the others.
    stretch: f64,
    /// The step that each line forks after.
    line_forks: Vec<usize>,
    n_own_sections: usize,
}

impl<'a> Planner<'a> {
    fn new(shape: &'a Shape) -> Planner<'a> {
        let layout = Layout::new(shape.n_files);
        let plan = Plan { steps: Vec::new(), layout, lines: Vec::new(), branches: Vec::new(), twins: Vec::new() };
        let (random, reach, line_forks) = (Random::new(shape.seed), Vec::new(), Vec::new());
        let mut planner = Planner { shape, random, plan, reach, stretch: 1.0, line_forks, n_own_sections: 0 };
        planner.plan_main();
        planner
    }

    /// The steps of `main`, until it has enough commits.
    fn plan_main(&mut self) {
        let mut n_commits = 0;
        let (mut n_late, mut n_moved) = (0, 0);
        let n_wanted = self.shape.n_main_commits - self.n_landing();
        while n_commits < n_wanted.max(2) {
            let topics = if n_commits == 0 { Vec::new() } else { self.topics() };
            let edits = if n_commits == 0 { Vec::new() } else { self.edits(&mut n_late, &mut n_moved) };
            n_commits += 1 + topics.iter().sum::<usize>();
            self.reach.push(n_commits);
            self.plan.steps.push(Step { topics, edits, ..Step::default() });
        }
        self.stretch = self.shape.n_main_commits as f64 / n_commits as f64;
        for at in 0..self.reach.len() {
            let behind = (n_commits - self.reach[at]) as f64 * self.stretch;
            self.plan.steps[at].at = self.date(behind);
        }
    }

    /// Commits that landing and crossing branches will bring to `main`, about: they are small.
    fn n_landing(&self) -> usize {
        let Shape { landed, own_commits, n_main_commits, .. } = self.shape;
        let n_own = own_commits.at(0.3);
        let shares = landed.by_fate().map(|(fate, share)| match fate {
            Fate::Merged => share * (n_own + 1.0),
            Fate::Rebased => share * n_own,
            Fate::Reverted => share * 2.0,
            _ => share,
        });
        let by_one = shares.iter().sum::<f64>() + self.shape.criss_cross_share * n_own;
        ((by_one * self.shape.n_branches as f64) as usize).min(n_main_commits / 2)
    }

    fn topics(&mut self) -> Vec<usize> {
        if !self.random.chance(self.shape.merge_share) {
            return Vec::new();
        }
        let n_topics = if self.random.chance(self.shape.octopus_share) { self.random.within(2, 3) } else { 1 };
        (0..n_topics).map(|_| 1 + self.random.skewed_below(5)).collect()
    }

    fn edits(&mut self, n_late: &mut usize, n_moved: &mut usize) -> Vec<Edit> {
        if self.shape.n_files == 0 {
            return Vec::new();
        }
        let n_edits = 1 + self.random.skewed_below(4);
        (0..n_edits).map(|_| self.edit(n_late, n_moved)).collect()
    }

    fn edit(&mut self, n_late: &mut usize, n_moved: &mut usize) -> Edit {
        let layout = self.plan.layout;
        let movable = layout.n_lasting + *n_moved;
        match self.random.below(1000) {
            0..15 => {
                *n_late += 1;
                Edit::Add(LATE + *n_late as FileId)
            }
            15..20 if movable < layout.n_texts => {
                *n_moved += 1;
                let file = movable as FileId;
                if self.random.chance(0.5) { Edit::Rename(file) } else { Edit::Delete(file) }
            }
            20..25 => Edit::Block((layout.first_link() + self.random.below(layout.n_links)) as FileId, 0),
            25..28 => Edit::Block((layout.first_submodule() + self.random.below(layout.n_submodules)) as FileId, 0),
            28..33 => Edit::Block((layout.first_binary() + self.random.below(layout.n_binaries)) as FileId, 0),
            _ => {
                let file = self.random.skewed_below(layout.n_edited) as FileId;
                Edit::Block(file, 2 * self.random.below(N_BLOCKS / 2))
            }
        }
    }

    /// The date of the commit that `main` is `behind` commits past.
    fn date(&self, behind: f64) -> i64 {
        let Shape { behind: ranks, age_days, span_days, .. } = self.shape;
        let oldest = ranks.at(1.0);
        let age = if behind <= oldest {
            age_days.at(ranks.rank(behind))
        } else {
            let beyond = (behind - oldest) / (self.shape.n_main_commits as f64 - oldest).max(1.0);
            age_days.at(1.0) + beyond * (span_days - age_days.at(1.0))
        };
        self.shape.newest_at - (age * 86_400.0) as i64
    }

    /// The step after which `main` gained `behind` commits.
    fn step_behind(&self, behind: usize) -> usize {
        let total = self.reach[self.reach.len() - 1];
        let planned = (behind as f64 / self.stretch) as usize;
        let step = self.reach.partition_point(|&reach| reach < total.saturating_sub(planned));
        step.min(self.last_step())
    }

    fn last_step(&self) -> usize {
        self.reach.len() - 1
    }

    fn act(&mut self, step: usize, actor: Actor, act: Act) {
        self.plan.steps[step].acts.push((actor, act));
    }

    /// The marked file comes before the oldest of the wanted share of forks, and is cleaned
    /// after the youngest: at the fork of the first line, or after the median fork.
    fn plan_markers(&mut self) {
        let share = self.shape.inherited_marker_share;
        if share == 0.0 || self.shape.n_files == 0 {
            return;
        }
        let until = match self.shape.lines.first() {
            Some(line) => line.behind as f64,
            None => self.shape.behind.at(0.5),
        };
        let from = self.shape.behind.at((self.shape.behind.rank(until) + share).min(0.99));
        let (begin, end) = (self.step_behind(from as usize), self.step_behind(until as usize));
        self.plan.steps[begin].edits.push(Edit::Marker { begins: true });
        let end = (end + 1).clamp(begin + 1, self.last_step());
        self.plan.steps[end].edits.push(Edit::Marker { begins: false });
    }

    fn plan_lines(&mut self) {
        for (nth, line) in self.shape.lines.iter().enumerate() {
            let fork = match line.parent {
                None => self.step_behind(line.behind),
                Some(parent) => self.step_of_line(parent, line.behind),
            };
            self.line_forks.push(fork);
            self.plan.lines.push(LinePlan { name: line.name });
            self.act(fork, Actor::Line(nth), Act::Fork(line.parent));
            for commit in 1..=line.ahead {
                let deed = self.line_deed();
                self.act(self.spread(fork, commit, line.ahead), Actor::Line(nth), Act::Commit(deed));
            }
        }
    }

    /// The step at which a line is `behind` commits from its end.
    fn step_of_line(&self, nth: usize, behind: usize) -> usize {
        let ahead = self.shape.lines[nth].ahead;
        self.spread(self.line_forks[nth], ahead.saturating_sub(behind), ahead)
    }

    /// The step of the `nth` of `of` acts that are spread over the time since a fork.
    fn spread(&self, fork: usize, nth: usize, of: usize) -> usize {
        fork + (self.last_step() - fork) * nth / (of + 1)
    }

    fn line_deed(&mut self) -> Vec<Deed> {
        match self.plan.layout.n_edited {
            0 => Vec::new(),
            n_edited => vec![Deed::Edit(self.random.skewed_below(n_edited) as FileId, 0)],
        }
    }
}

impl Edit {
    fn added(&self) -> Option<FileId> {
        match self {
            Edit::Add(file) => Some(*file),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{branches::family_sizes, *};

    #[test]
    fn families_hold_as_many_as_they_should() {
        let sizes = family_sizes(69, 233);
        assert_eq!((sizes.len(), sizes.iter().sum::<usize>(), sizes[0]), (69, 233, 15));
        assert!(sizes.iter().all(|&size| size >= 2));
        assert_eq!(family_sizes(0, 0), [0; 0]);
    }

    #[test]
    fn dates_rise_and_forks_lie_where_they_should() {
        let shape = Shape::like_649();
        let planner = Planner::new(&shape);
        let dates: Vec<i64> = planner.plan.steps.iter().map(|step| step.at).collect();
        assert!(dates.is_sorted());
        assert_eq!(shape.newest_at - dates[dates.len() - 1], (0.2 * 86_400.0) as i64);
        let fork = planner.step_behind(1_500);
        let age_days = (shape.newest_at - dates[fork]) / 86_400;
        assert!((189..=193).contains(&age_days), "{age_days}");
    }
}
