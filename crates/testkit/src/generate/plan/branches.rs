//! What each branch does: drawn by lot within the shape that was asked for.

use super::{
    super::{
        files::{FileId, N_BLOCKS},
        names,
        shape::Shape,
        truth::Fate,
    },
    *,
};

impl Planner<'_> {
    pub(super) fn plan_branches(&mut self) {
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
pub(super) fn family_sizes(n_families: usize, n: usize) -> Vec<usize> {
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
