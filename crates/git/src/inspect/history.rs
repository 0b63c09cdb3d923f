//! All that follows from the commits: lines, branches and their drift, what landed, what would merge, what else the history tells.

use std::{path::Path, sync::Arc};

use alignwatch_model::{
    Branch, Known, Landed, Look, Merge, Oid, RefName, Relation,
    branch::{BaseChoice, Tip},
    config::Patterns,
    facts::{
        Collisions,
        contents::Contents,
        history::{Dates, DroppedSides, Rewrites},
        past::Past,
    },
    snapshot::{CommitGraph, Crossing, Line, MissingBase, UnreadFile},
};

use rustc_hash::FxHashMap;

use super::{
    InspectError, Inspection,
    bases::{self, Bases},
    full_names, not_looked,
    watched::Watched,
};
use crate::{
    crossings,
    graph::{Graph, GraphSources},
    health::{
        self,
        collisions::collisions,
        history::{self, LineOf},
    },
    markers,
    objects::ReadError,
    refs::Refs,
};

/// What follows from the commits.
pub(super) struct History {
    pub(super) lines: Vec<Line>,
    pub(super) missing_bases: Vec<MissingBase>,
    pub(super) branches: Vec<Branch>,
    pub(super) commit_graph: Known<CommitGraph>,
    pub(super) crossings: Vec<Crossing>,
    pub(super) unread_files: Vec<UnreadFile>,
    pub(super) collisions: Known<Collisions>,
    pub(super) rewrites: Known<Rewrites>,
    pub(super) dates: Known<Dates>,
    pub(super) dropped_sides: Known<DroppedSides>,
    pub(super) past: Known<Past>,
    pub(super) contents: Known<Vec<Contents>>,
}

impl History {
    pub(super) fn not_looked() -> History {
        History {
            lines: Vec::new(),
            missing_bases: Vec::new(),
            branches: Vec::new(),
            commit_graph: not_looked(),
            crossings: Vec::new(),
            unread_files: Vec::new(),
            collisions: not_looked(),
            rewrites: not_looked(),
            dates: not_looked(),
            dropped_sides: not_looked(),
            past: not_looked(),
            contents: not_looked(),
        }
    }
}

impl Inspection<'_> {
    /// All that follows from the commits: lines, branches, what landed, what would merge.
    pub(super) fn history(&self, refs: &Refs, watched: &Watched) -> Result<History, InspectError> {
        self.say("reading history");
        let mut sources = GraphSources::in_git_dir(&self.opened.common_dir, &self.opened.object_format)?;
        sources.side_dir = self.memory.folder().map(Path::to_owned);
        let tips = self.tips(refs, watched);
        let (graph, coverage) = self.recent.open(&sources, self.objects, &tips);
        self.say("measuring drift");
        let mut bases = bases::find(self, refs, &graph, watched)?;
        let mut branches = self.branches(&graph, watched, &bases);
        self.prove_and_predict(&graph, &bases, &mut branches);
        self.take(Look::Touched, || self.find_touched(&graph, &mut branches));
        let meant = Patterns::new(self.config.markers.exclude.iter().map(String::as_str))
            .map_err(|error| InspectError::Pattern(error.problem))?;
        let unread_files = self.take(Look::Markers, || self.mark(&mut branches, &meant)).unwrap_or_default();
        let collisions = self.look(Look::Collisions, || self.collisions(&branches));
        let crossings = crossings(&graph, &bases, &branches);
        let rewrites = self.rewrites(refs, &graph, watched, &bases);
        let past = self.look(Look::Past, || self.past(&graph, &bases, &branches));
        let contents = self.look(Look::Contents, || Known::Seen(self.contents(&graph, &bases)));
        let history = History {
            dropped_sides: self.dropped_sides(&graph, &bases),
            rewrites,
            past,
            dates: Known::Seen(health::history::dates(&graph, self.now)),
            contents,
            missing_bases: std::mem::take(&mut bases.missing),
            lines: bases.into_lines(),
            branches,
            commit_graph: Known::Seen(coverage.commit_graph.clone()),
            crossings,
            unread_files,
            collisions,
        };
        self.recent.keep(sources, graph, coverage, self.contents.clone());
        Ok(history)
    }

    /// Paths at the tips that are the same on some file systems.
    fn collisions(&self, branches: &[Branch]) -> Known<Collisions> {
        self.say("looking for paths that collide");
        let objects = self.objects.opener().open();
        let branches = || branches.iter().filter(|branch| !branch.is_ignored());
        let tips = branches().filter_map(|branch| Some((&branch.name, branch.tip.seen()?.tree)));
        let seen = collisions(&objects, &tips.collect::<Vec<_>>(), &self.wanted.stop, self.memory);
        let unread = branches().filter_map(|branch| Some((branch.tip.reason()?.to_owned(), 1)));
        seen.map(|mut seen| {
            seen.unread.extend(unread);
            seen
        })
    }

    /// All commits whose history is needed: branches, their counterparts, and what people named as a base.
    fn tips(&self, refs: &Refs, watched: &Watched) -> Vec<Oid> {
        let counterparts = watched.branches.iter().filter_map(|branch| branch.counterpart.as_ref());
        let named = self.wanted.base.iter().chain(&self.config.bases);
        let named = named.chain(self.relations().filter_map(|(_, rule)| rule.base.as_ref()));
        let named: Vec<RefName> = named.flat_map(|name| full_names(name)).collect();
        let others = counterparts.chain(&named).filter_map(|name| refs.get(name));
        let others = others.map(|one| one.peeled.unwrap_or(one.oid));
        watched.branches.iter().map(|branch| branch.oid).chain(others).collect()
    }

    /// Every branch with its base and its drift. Neither proofs nor predictions are there yet.
    fn branches(&self, graph: &Graph, watched: &Watched, bases: &Bases) -> Vec<Branch> {
        let mut branches = Vec::with_capacity(watched.branches.len());
        let known = self.contents.tips.take();
        for (number, seen) in watched.branches.iter().enumerate() {
            let placed = &bases.placed[number];
            let base = placed.base.as_ref().map(|base| BaseChoice {
                name: bases.names[base.line].clone(),
                oid: graph.oid(bases.trunks[base.line].tip()),
                confidence: base.confidence,
                because: base.because.clone(),
            });
            branches.push(Branch {
                name: seen.name.clone(),
                tip: self.tip(&seen.oid, &known),
                base,
                relation: placed.relation,
                rule: placed.rule,
                budget: placed.budget,
                drift: placed.drift.clone(),
                landed: Landed::Unknown("not looked at".into()),
                merge: Merge::unknown("not looked at"),
                causes: Vec::new(),
                touched: not_looked(),
                upstream: seen.upstream.clone(),
                markers: Known::Unknown("not looked at".into()),
            });
        }
        self.contents.tips.put(branches.iter().filter_map(|branch| branch.tip.seen()));
        branches
    }

    fn tip(&self, oid: &Oid, known: &FxHashMap<Oid, Tip>) -> Known<Tip> {
        // What is gone is not told of as if it were there.
        if let Some(tip) = known.get(oid).filter(|_| self.objects.has(oid)) {
            return Known::Seen(tip.clone());
        }
        let read = || -> Result<Tip, ReadError> {
            let (commit, about) = self.objects.commit_and_about(oid)?;
            Ok(Tip {
                oid: *oid,
                tree: commit.tree,
                committed_at: commit.committed_at,
                author: about.author,
                subject: about.subject,
            })
        };
        Known::from_result(read())
    }

    /// Whether the lines still contain the tips that they had.
    fn rewrites(&self, refs: &Refs, graph: &Graph, watched: &Watched, bases: &Bases) -> Known<Rewrites> {
        let tips: Vec<Oid> = watched.branches.iter().map(|branch| branch.oid).collect();
        let counterpart = |name: &RefName| {
            let branch = watched.branches.iter().find(|branch| branch.name == *name)?;
            let counterpart = branch.counterpart.as_ref()?;
            Some((counterpart, refs.get(counterpart)?.oid))
        };
        let lines = bases.names.iter().zip(&bases.trunks);
        let lines: Vec<LineOf<'_>> =
            lines.map(|(name, trunk)| LineOf { name, trunk, counterpart: counterpart(name) }).collect();
        let past = history::Past {
            common_dir: &self.opened.common_dir,
            is_bare: self.opened.is_bare,
            graph,
            memory: self.memory,
            now: self.now,
            tips: &tips,
        };
        past.rewrites(&lines)
    }

    /// Whether merges on the lines lost a side.
    fn dropped_sides(&self, graph: &Graph, bases: &Bases) -> Known<DroppedSides> {
        let lines: Vec<_> = bases.names.iter().zip(bases.trunks.iter().map(Arc::as_ref)).collect();
        health::dropped_sides::dropped_sides(graph, self.objects, self.memory, &lines, self.now, &self.wanted.stop)
    }

    fn contents(&self, graph: &Graph, bases: &Bases) -> Vec<Contents> {
        self.say("looking into the trees of the lines");
        let entries = self.git.map_or(self.opened.entries.as_slice(), |git| git.entries());
        let source = health::contents::Source { opened: self.opened, entries, objects: self.objects, git: self.git };
        let lines = bases.names.iter().zip(&bases.trunks);
        lines.map(|(name, trunk)| source.contents(name, &graph.oid(trunk.tip()))).collect()
    }

    /// Looks for committed conflict markers at the tips, except where they are meant to be.
    /// Returns what could not be looked at.
    fn mark(&self, branches: &mut [Branch], meant: &Patterns) -> Vec<UnreadFile> {
        self.say("looking for conflict markers");
        let limit = self.config.markers.file_limit;
        let mut shelf = self.memory.shelf("markers", &markers::written_by(limit));
        let watched = branches.iter_mut().filter(|branch| !branch.is_ignored());
        let mut branches: Vec<&mut Branch> = watched.collect();
        let roots: Vec<Oid> = branches.iter().filter_map(|branch| Some(branch.tip.seen()?.tree)).collect();
        let marks = markers::scan(self.objects, &roots, limit, &mut shelf);
        // A memory that can't be written costs time on the next run, nothing else.
        let _ = shelf.save();
        for branch in &mut branches {
            branch.markers = match &branch.tip {
                Known::Seen(tip) => marks.of(&tip.tree).map(|mut marked| {
                    marked.retain(|file| !meant.matches_path(file.path.as_bytes()));
                    marked
                }),
                Known::Unknown(reason) => Known::Unknown(reason.clone()),
            };
        }
        let is_wanted = |file: &UnreadFile| !meant.matches_path(file.path.as_bytes());
        marks.unread.into_iter().filter(is_wanted).collect()
    }
}

/// For each forbidden pair, whether its histories were ever merged.
fn crossings(graph: &Graph, bases: &Bases, branches: &[Branch]) -> Vec<Crossing> {
    let forbidden = branches.iter().enumerate().filter(|(_, branch)| branch.relation == Relation::Forbidden);
    let crossing = |(number, branch): (usize, &Branch)| {
        let base = branch.base.as_ref()?;
        let trunk = &bases.trunks[bases.placed[number].base.as_ref()?.line];
        let at = branch.tip.seen().and_then(|tip| graph.find(&tip.oid));
        let merges = match (at, &branch.drift) {
            (Some(at), Known::Seen(drift)) => crossings::crossing(graph, trunk, at, &drift.merge_bases),
            (_, drift) => Known::Unknown(drift.reason().unwrap_or("its tip can't be read").to_owned()),
        };
        Some(Crossing { branch: branch.name.clone(), base: base.name.clone(), merges })
    };
    forbidden.filter_map(crossing).collect()
}
