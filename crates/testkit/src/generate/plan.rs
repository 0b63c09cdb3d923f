//! Decides what happens in a generated history, and when, before anything is written.
//!
//! `main` goes in steps: one commit, or a merge of short topics. What branches do hangs on
//! these steps, so that the whole history is told once, from old to new.

use super::{
    files::{FileId, N_BLOCKS},
    names,
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

    fn plan_branches(&mut self) {
        let Shape { n_branches, n_twins, n_orphans, .. } = *self.shape;
        let n_regular = n_branches.saturating_sub(n_twins + n_orphans);
        let drafts = self.drafts(n_regular);
        for (rank, draft) in drafts.into_iter().enumerate() {
            self.plan_branch(rank, draft);
        }
        for nth in 0..n_orphans {
            self.plan_orphan(n_regular + nth);
        }
        for nth in 0..n_twins.min(n_regular) {
            let of = (nth * 7 + 3) % n_regular;
            self.plan.twins.push((format!("{}-copy-{nth}", self.plan.branches[of].name), of));
        }
    }

    /// All that is drawn by lot. Branches are sorted by fork, youngest first.
    fn drafts(&mut self, n: usize) -> Vec<Draft> {
        let shape = self.shape;
        let mut drafts: Vec<Draft> = (0..n).map(|_| Draft::default()).collect();
        self.name_all(&mut drafts);
        let room = ROOM_TO_LAND.min(self.last_step() / 8);
        let is_old = |rank: &usize| self.step_of_rank(*rank, n) + room < self.last_step();
        let mut old: Vec<usize> = (0..n).filter(is_old).collect();
        self.random.shuffle(&mut old);
        for (fate, share) in shape.landed.by_fate() {
            for rank in old.split_off(old.len().saturating_sub((share * n as f64).round() as usize)) {
                drafts[rank].fate = fate;
            }
        }
        let open: Vec<usize> = (0..n).filter(|&rank| matches!(drafts[rank].fate, Fate::Open)).collect();
        for (feature, share) in shape.features.by_name() {
            self.some_of(&open, share).into_iter().for_each(|rank| drafts[rank].features.push(feature));
        }
        self.some_of(&open, shape.merge_back_share).into_iter().for_each(|rank| drafts[rank].merges_back = true);
        self.some_of(&open, shape.criss_cross_share).into_iter().for_each(|rank| drafts[rank].crosses = true);
        self.size_all(&mut drafts);
        let conflicting = self.some_of(&open, shape.conflict_share);
        for (nth, &rank) in conflicting.iter().enumerate() {
            let share = (nth as f64 + 0.5) / conflicting.len() as f64;
            drafts[rank].n_conflicts = shape.conflict_files.at(share).round() as usize;
        }
        // Whatever comes to `main` must be free of markers.
        let kept: Vec<usize> = open.into_iter().filter(|&rank| !drafts[rank].crosses).collect();
        let share = (shape.own_marker_share * n as f64 / kept.len().max(1) as f64).min(1.0);
        self.some_of(&kept, share).into_iter().for_each(|rank| drafts[rank].has_marker = true);
        drafts
    }

    /// Gives each branch its number of own commits. What comes to `main` is small, as it is in life.
    fn size_all(&mut self, drafts: &mut [Draft]) {
        let n = drafts.len();
        let (mut small, mut large): (Vec<_>, Vec<_>) = drafts.iter_mut().partition(|draft| draft.comes_to_main());
        let mut ranks = self.random.order(n);
        let (mut low, high): (Vec<_>, Vec<_>) = ranks.drain(..).partition(|&rank| rank < n * 6 / 10);
        let rest = low.split_off(small.len().min(low.len()));
        let ranks = low.into_iter().chain(rest).chain(high);
        for (draft, rank) in small.iter_mut().chain(&mut large).zip(ranks) {
            let n_own = self.shape.own_commits.at((rank as f64 + 0.5) / n as f64).round();
            let least = if draft.merges_back || draft.crosses { 2 } else { 1 };
            draft.n_own = (n_own as usize).max(least);
        }
    }

    /// A share of these, by lot.
    fn some_of(&mut self, all: &[usize], share: f64) -> Vec<usize> {
        let mut all = all.to_vec();
        self.random.shuffle(&mut all);
        all.truncate((share * all.len() as f64).round() as usize);
        all
    }

    /// Gives names: members of a family are neighbours, so they fork at about the same time.
    fn name_all(&mut self, drafts: &mut [Draft]) {
        let Shape { n_families, n_in_families, long_id_share, .. } = *self.shape;
        let mut sizes = family_sizes(n_families, n_in_families);
        let n_singles = drafts.len().saturating_sub(sizes.iter().sum());
        sizes.extend(std::iter::repeat_n(1, n_singles));
        let mut groups: Vec<(usize, usize)> = sizes.into_iter().enumerate().collect();
        self.random.shuffle(&mut groups);
        let single_id_share = (long_id_share * drafts.len() as f64 - n_in_families as f64) / n_singles.max(1) as f64;
        let mut drafts = drafts.iter_mut();
        for (nth, (group, size)) in groups.into_iter().enumerate() {
            let (stem, author) = names::stem(nth);
            for draft in drafts.by_ref().take(size) {
                let has_id = size > 1 || self.random.chance(single_id_share);
                draft.name = if has_id { format!("{stem}-{}", names::long_id(&mut self.random)) } else { stem.clone() };
                draft.author = author;
                draft.family = (size > 1).then_some(group);
            }
        }
    }

    fn step_of_rank(&self, rank: usize, n: usize) -> usize {
        self.step_behind(self.shape.behind.at((rank as f64 + 0.5) / n as f64).round() as usize)
    }

    fn plan_branch(&mut self, rank: usize, draft: Draft) {
        let nth = self.plan.branches.len();
        let n_regular = self.shape.n_branches - self.shape.n_twins - self.shape.n_orphans;
        let mut fork = self.step_of_rank(rank, n_regular);
        let line = self.line_of(fork, &draft);
        if let Some(line) = line {
            fork = self.random.within(self.line_forks[line], self.last_step());
        }
        let own = self.own_section();
        let actor = Actor::Branch(nth);
        self.act(fork, actor, Act::Fork(line));
        let end = self.plan_commits(actor, fork, own, &draft);
        self.plan_fate(actor, end, own, draft.fate);
        let Draft { name, author, fate, family, features, crosses: is_criss_cross, .. } = draft;
        self.plan.branches.push(BranchPlan { name, author, line, fate, is_criss_cross, family, features, own });
    }

    /// Some of those that fork behind a line fork from it instead.
    fn line_of(&mut self, fork: usize, draft: &Draft) -> Option<usize> {
        let first = *self.line_forks.first()?;
        let may = fork <= first && !draft.comes_to_main();
        (may && self.random.chance(self.shape.from_line_share)).then(|| self.random.skewed_below(self.line_forks.len()))
    }

    /// A section that no other branch edits, as long as there are enough.
    fn own_section(&mut self) -> (FileId, usize) {
        let n_lasting = self.plan.layout.n_lasting.max(1);
        let nth = self.n_own_sections;
        self.n_own_sections += 1;
        ((nth % n_lasting) as FileId, 1 + 2 * (nth / n_lasting % (N_BLOCKS / 2)))
    }

    /// Plans the commits of a branch and what it takes in between. Returns the last step.
    fn plan_commits(&mut self, actor: Actor, fork: usize, own: (FileId, usize), draft: &Draft) -> usize {
        let mut deeds = self.deeds(fork, draft);
        let mut step = fork;
        let turns = self.turns(draft);
        for commit in 0..draft.n_own {
            if turns.iter().any(|(at, _)| *at == commit) {
                step = (step + 1 + self.random.skewed_below(100)).min(self.last_step());
            }
            for (_, act) in turns.iter().filter(|(at, _)| *at == commit) {
                self.act(step, actor, act.clone());
            }
            let n_now = if commit == 0 { deeds.len().div_ceil(2) } else { deeds.len().min(1) };
            let mut now = deeds.split_off(deeds.len() - n_now);
            if self.shape.n_files > 0 {
                now.push(if commit % 3 == 1 { Deed::NewFile } else { Deed::Own(own.0, own.1) });
            }
            if commit + 1 == draft.n_own {
                now.append(&mut deeds);
            }
            self.act(step, actor, Act::Commit(now));
        }
        step
    }

    /// Before which commit a branch takes `main` in.
    fn turns(&mut self, draft: &Draft) -> Vec<(usize, Act)> {
        let mut turns = Vec::new();
        if draft.merges_back {
            let n_times = self.random.within(1, 2);
            turns.extend((0..n_times).map(|_| (self.random.within(1, draft.n_own - 1), Act::MergeBack)));
        }
        if draft.crosses {
            turns.push((draft.n_own - 1, Act::Cross));
        }
        turns
    }

    fn deeds(&mut self, fork: usize, draft: &Draft) -> Vec<Deed> {
        if self.shape.n_files == 0 {
            return Vec::new();
        }
        let mut deeds: Vec<Deed> = self
            .edited_after(fork, draft.n_conflicts)
            .into_iter()
            .map(|(file, block)| Deed::Edit(file, block))
            .collect();
        if draft.has_marker {
            deeds.push(Deed::Marker);
        }
        for feature in &draft.features {
            let in_the_way = self.random.chance(0.5);
            deeds.extend(self.feature_deed(feature, fork, in_the_way));
        }
        deeds
    }

    /// Up to `n` texts that `main` edits after a step, with a section that it edits.
    fn edited_after(&mut self, step: usize, n: usize) -> Vec<(FileId, usize)> {
        let n_edited = self.plan.layout.n_edited as FileId;
        let mut found = std::collections::BTreeMap::new();
        for _ in 0..n * 20 {
            let later = step + 1 + self.random.below(self.last_step() - step);
            for edit in self.plan.steps.get(later).into_iter().flat_map(|step| &step.edits) {
                match edit {
                    Edit::Block(file, block) if *file < n_edited && found.len() < n => found.insert(*file, *block),
                    _ => None,
                };
            }
        }
        found.into_iter().collect()
    }

    fn feature_deed(&mut self, feature: &str, fork: usize, in_the_way: bool) -> Option<Deed> {
        let layout = self.plan.layout;
        let still = (layout.n_edited + self.random.below(layout.n_lasting - layout.n_edited)) as FileId;
        let edited = self.edited_after(fork, 1).first().map(|(file, _)| *file);
        let text = if in_the_way { edited.unwrap_or(still) } else { still };
        let mut one_of = |first: usize, n: usize| Deed::Edit((first + self.random.below(n)) as FileId, 0);
        match feature {
            "rename" => Some(Deed::Rename(edited.unwrap_or(still))),
            "delete" => Some(Deed::Delete(text)),
            "dir_file" => Some(Deed::ToDirectory(text)),
            "mode" => Some(Deed::Executable(still)),
            "symlink" => Some(one_of(layout.first_link(), layout.n_links)),
            "submodule" => Some(one_of(layout.first_submodule(), layout.n_submodules)),
            "binary" => Some(one_of(layout.first_binary(), layout.n_binaries)),
            _ => self.added_after(fork).map(|file| Deed::AddToo { file, same: !in_the_way }),
        }
    }

    /// A file that `main` adds after a step.
    fn added_after(&mut self, step: usize) -> Option<FileId> {
        let later = self.plan.steps[step + 1..].iter().flat_map(|step| &step.edits);
        let added: Vec<FileId> = later.filter_map(Edit::added).collect();
        (!added.is_empty()).then(|| added[self.random.below(added.len())])
    }

    fn plan_fate(&mut self, actor: Actor, end: usize, own: (FileId, usize), fate: Fate) {
        let land = self.soon_after(end);
        let after = self.soon_after(land);
        match fate {
            Fate::Open | Fate::Unrelated => return,
            _ => self.act(land, actor, Act::Land),
        }
        match fate {
            Fate::Reverted => self.act(after, actor, Act::Revert),
            Fate::Continued => {
                let deeds =
                    if self.shape.n_files > 0 { vec![Deed::NewFile, Deed::Own(own.0, own.1)] } else { Vec::new() };
                self.act(land, actor, Act::Commit(deeds));
            }
            Fate::Squashed | Fate::Rebased if self.random.chance(self.shape.landed.edited_again) => {
                self.act(after, actor, Act::EditAgain);
            }
            _ => {}
        }
    }

    /// One of the next steps, as long as there are any.
    fn soon_after(&mut self, step: usize) -> usize {
        let n_left = self.last_step() - step;
        (step + 1 + self.random.below(n_left.min(20))).min(self.last_step())
    }

    fn plan_orphan(&mut self, nth: usize) {
        let actor = Actor::Branch(self.plan.branches.len());
        let step = self.random.below(self.last_step());
        for _ in 0..self.random.within(1, 3) {
            let deeds = if self.shape.n_files > 0 { vec![Deed::NewFile] } else { Vec::new() };
            self.act(step, actor, Act::Commit(deeds));
        }
        self.plan.branches.push(BranchPlan {
            name: format!("import/{nth}"),
            author: "ann",
            line: None,
            fate: Fate::Unrelated,
            is_criss_cross: false,
            family: None,
            features: Vec::new(),
            own: (0, 1),
        });
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

/// What is drawn by lot for a branch.
struct Draft {
    name: String,
    author: &'static str,
    family: Option<usize>,
    n_own: usize,
    fate: Fate,
    features: Vec<&'static str>,
    merges_back: bool,
    crosses: bool,
    n_conflicts: usize,
    has_marker: bool,
}

impl Default for Draft {
    fn default() -> Draft {
        Draft {
            name: String::new(),
            author: "ann",
            family: None,
            n_own: 1,
            fate: Fate::Open,
            features: Vec::new(),
            merges_back: false,
            crosses: false,
            n_conflicts: 0,
            has_marker: false,
        }
    }
}

impl Draft {
    /// Some of its commits, or their changes, get into `main`.
    fn comes_to_main(&self) -> bool {
        self.crosses || self.fate != Fate::Open
    }
}

/// Sizes of families that hold `n` branches together: one large, some of middle size, most of two or three.
fn family_sizes(n_families: usize, n: usize) -> Vec<usize> {
    let mut sizes = vec![2; n_families];
    let mut rest = n.saturating_sub(2 * n_families);
    for (nth, size) in sizes.iter_mut().enumerate() {
        let more = (13 / (nth + 1)).max(1).min(rest);
        *size += more;
        rest -= more;
    }
    let n_others = n_families.saturating_sub(1).max(1);
    for nth in 0..if n_families == 0 { 0 } else { rest } {
        sizes[(1 + nth % n_others).min(n_families - 1)] += 1;
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

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
