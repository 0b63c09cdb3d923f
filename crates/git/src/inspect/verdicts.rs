//! What becomes of each branch: has its work landed, and would it merge?

use std::time::Duration;

use alignwatch_model::{Branch, Known, Landed, Look, Merge, State};

use super::{
    Inspection, Progress,
    bases::Bases,
    carry::{Carried, carry},
};
use crate::{
    files,
    graph::Graph,
    landed::{Asked, Prover},
    merge::{Patience, Predictor, Question},
    objects::OpenObjects,
};

/// Is it a question whether it landed, and whether it merges?
fn is_asked(branch: &Branch) -> bool {
    branch.has_diverged() && !branch.is_ignored()
}

/// Bytes of `info/attributes`. Source: Git reads attributes files of up to 100 MB; honest ones have a few lines.
const ATTRIBUTES_AT_MOST: u64 = 16 << 20;

impl Inspection<'_> {
    pub(super) fn prove_and_predict(&self, graph: &Graph, bases: &Bases, branches: &mut [Branch]) {
        if !self.wanted.looks.contains(&Look::Landed) {
            return;
        }
        self.leave_out_ignored(branches);
        self.settle_by_ancestry(branches);
        let objects = self.objects.opener();
        let predictor = self.predictor(graph, &objects);
        self.carry_over(graph, bases, branches, &predictor);
        self.take(Look::Landed, || self.prove(graph, bases, branches));
        self.take(Look::Merges, || {
            self.predict(branches, &predictor);
            self.find_causes(graph, bases, branches);
        });
    }

    /// What the configuration ignores is neither proven nor predicted.
    fn leave_out_ignored(&self, branches: &mut [Branch]) {
        for branch in branches.iter_mut().filter(|branch| branch.is_ignored()) {
            let at = branch.declared_at().unwrap_or_default();
            let reason = format!("the configuration ignores the branch ({at})");
            (branch.landed, branch.merge) = (Landed::Unknown(reason.clone()), Merge::unknown(reason));
        }
    }

    /// What follows from the drift alone.
    fn settle_by_ancestry(&self, branches: &mut [Branch]) {
        for branch in branches.iter_mut().filter(|branch| !branch.is_ignored()) {
            let (landed, merge) = match branch.state() {
                State::Merged => (Landed::Yes(alignwatch_model::Proof::Ancestor), Merge::clean()),
                State::Behind | State::Aligned => (Landed::No, Merge::clean()),
                State::Unrelated => (Landed::No, Merge::unknown("the branch and its base have no common commit")),
                State::Unknown if branch.has_diverged() => continue,
                State::Unknown => {
                    let reason = branch.drift.reason().unwrap_or("its tip can't be read").to_owned();
                    (Landed::Unknown(reason.clone()), Merge::unknown(reason))
                }
                _ => continue,
            };
            (branch.landed, branch.merge) = (landed, merge);
        }
    }

    fn predictor<'a>(&'a self, graph: &'a Graph, objects: &'a OpenObjects) -> Predictor<'a> {
        Predictor {
            graph,
            objects,
            memory: self.memory,
            git: self.git,
            attributes: self.info_attributes(),
            drivers: self.drivers(),
            patience: Patience {
                verdicts: self
                    .wanted
                    .stop
                    .at_most(Duration::from_secs(self.config.inspect.merge_deadline.0.unsigned_abs())),
                paths: self.wanted.stop.at_most(self.wanted.paths_patience),
            },
            n_threads: self.n_threads(),
            files: self.contents.files.clone(),
            stop: &self.wanted.stop,
        }
    }

    /// Where a line moved since the last look, keeps the verdicts of branches that the move did not touch.
    fn carry_over(&self, graph: &Graph, bases: &Bases, branches: &[Branch], predictor: &Predictor<'_>) {
        let mut merges = predictor.remembered();
        for (line, trunk) in bases.trunks.iter().enumerate() {
            let is_of_line = |number: &usize| bases.placed[*number].base.as_ref().is_some_and(|base| base.line == line);
            let is_open = |number: &usize| is_asked(&branches[*number]);
            let numbers = (0..branches.len()).filter(is_of_line).filter(is_open);
            let carried = numbers.filter_map(|number| {
                Some(Carried { tip: branches[number].tip.seen()?.oid, drift: branches[number].drift.seen()? })
            });
            let carried: Vec<Carried<'_>> = carried.collect();
            let name = bases.names[line].as_bytes();
            carry(graph, trunk, name, self.objects, self.memory, &mut merges, &carried);
        }
        merges.save();
    }

    /// Looks for proofs that the work of diverged branches is in their base, and for reverts of what was merged, line by line.
    ///
    /// A local branch that is behind was perhaps merged without a merge commit; copies of others' are not asked for that.
    fn prove(&self, graph: &Graph, bases: &Bases, branches: &mut [Branch]) {
        self.say("looking for what has landed");
        let objects = self.objects.opener();
        let prover = Prover {
            graph,
            objects: &objects,
            memory: self.memory,
            n_threads: self.n_threads(),
            stop: &self.wanted.stop,
        };
        for (line, trunk) in bases.trunks.iter().enumerate() {
            let is_of_line = |number: &usize| bases.placed[*number].base.as_ref().is_some_and(|base| base.line == line);
            let may_have_landed = |number: &usize| {
                let branch = &branches[*number];
                match branch.state() {
                    _ if branch.is_ignored() => false,
                    State::Merged => true,
                    State::Behind => branch.name.starts_with("refs/heads/"),
                    _ => is_asked(branch),
                }
            };
            let ask = |number: usize| {
                let (tip, drift) = (branches[number].tip.seen()?, branches[number].drift.seen()?);
                Some((number, Asked { tip: graph.find(&tip.oid)?, drift }))
            };
            let numbers = (0..branches.len()).filter(is_of_line).filter(may_have_landed);
            let (numbers, asked): (Vec<usize>, Vec<Asked<'_>>) = numbers.filter_map(ask).unzip();
            let step = |done, total| (self.listener)(Progress::Step(done, total));
            let verdicts = prover.prove(trunk, &asked, &step);
            for (number, landed) in numbers.into_iter().zip(verdicts) {
                let is_behind = branches[number].state() == State::Behind;
                // Nobody knows whether it ever had something of its own.
                let landed = if is_behind && matches!(landed, Landed::Yes(_)) { Landed::No } else { landed };
                branches[number].landed = landed;
            }
        }
    }

    /// Predicts the merge of every branch that has not landed and is meant to be merged.
    fn predict(&self, branches: &mut [Branch], predictor: &Predictor<'_>) {
        self.say("predicting merges");
        let mut asked: Vec<usize> = Vec::new();
        let mut questions = Vec::new();
        for (number, branch) in branches.iter_mut().enumerate() {
            if !is_asked(branch) {
                continue;
            }
            if matches!(branch.landed, Landed::Yes(_) | Landed::Continued(_) | Landed::Reverted(_)) {
                branch.merge = Merge::unknown("not predicted: the work has landed");
                continue;
            }
            let (Some(base), Known::Seen(tip), Known::Seen(drift)) = (&branch.base, &branch.tip, &branch.drift) else {
                continue;
            };
            asked.push(number);
            questions.push(Question { line: base.oid, tip: tip.oid, merge_bases: drift.merge_bases.clone() });
        }
        let step = |done, total| (self.listener)(Progress::Step(done, total));
        let (answers, _effort) = predictor.predict(&questions, &step);
        for (number, merge) in asked.into_iter().zip(answers) {
            branches[number].merge = merge;
        }
    }

    /// `info/attributes`; a file that can't be read must not be taken for none.
    fn info_attributes(&self) -> Vec<u8> {
        match files::read(&self.opened.common_dir.join("info/attributes"), ATTRIBUTES_AT_MOST) {
            Ok(content) => content.unwrap_or_default(),
            Err(_) => b"* merge=unreadable".to_vec(),
        }
    }

    /// Names of the merge drivers that the repository configures.
    fn drivers(&self) -> Vec<Vec<u8>> {
        let name = |key: &[u8]| Some(key.strip_prefix(b"merge.")?.strip_suffix(b".driver")?.to_vec());
        self.git.map(|git| git.entries().iter().filter_map(|entry| name(&entry.key)).collect()).unwrap_or_default()
    }
}
