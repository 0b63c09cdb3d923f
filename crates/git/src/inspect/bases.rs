//! Gives each branch its line, its relation and its drift.

use std::{collections::HashSet, sync::Arc};

use alignwatch_model::{
    Drift, Known, Oid, RefName, Relation,
    config::Patterns,
    lines::{Nearest, nearest},
    relation::Budget,
    snapshot::{BrokenRef, Head, Line, MissingBase},
};

use super::{InspectError, Inspection, full_names, no_drift, shown, watched::Watched};
use crate::{
    graph::{Graph, Pos, Trunk, ahead_behind, measure},
    lines::{self, FoundLine, Hidden, Tip},
    refs::Refs,
};

/// Names like an unknown one that are offered.
const ALIKE_AT_MOST: usize = 3;

/// The lines, and where each branch stands to them.
pub(super) struct Bases {
    /// Full names of what is measured against: for a local line that lags behind its remote, the remote's.
    pub(super) names: Vec<RefName>,
    /// Their histories.
    pub(super) trunks: Vec<Arc<Trunk>>,
    /// One for each watched branch, in order.
    pub(super) placed: Vec<Placed>,
    /// What the configuration names and cannot be measured against.
    pub(super) missing: Vec<MissingBase>,
    lines: Vec<Line>,
    /// Why it is not known which line comes first: the ref that would be it cannot be read.
    hidden: Option<String>,
}

/// One branch and its line.
#[derive(Clone)]
pub(super) struct Placed {
    /// The line, and how sure that is.
    pub(super) base: Option<Nearest>,
    /// The policy.
    pub(super) relation: Relation,
    /// The place of the rule that gives it.
    pub(super) rule: Option<usize>,
    /// The drift that is allowed.
    pub(super) budget: Budget,
    /// The drift from the line.
    pub(super) drift: Known<Drift>,
}

/// A line before its branches are placed.
struct Chosen {
    name: RefName,
    because: String,
    confidence: f64,
    trunk: Arc<Trunk>,
}

/// Finds the lines and places every branch.
///
/// Errors: a base that was asked for does not exist, or a pattern can't be read.
pub(super) fn find(
    look: &Inspection<'_>,
    refs: &Refs,
    graph: &Graph,
    watched: &Watched,
) -> Result<Bases, InspectError> {
    let mut missing = Vec::new();
    let (mut chosen, hidden) = choose(look, refs, graph, watched, &mut missing)?;
    let rules = Rules::of(look, refs, graph, &mut missing)?;
    let n_lines = chosen.len();
    chosen.extend(rules.further(graph, &chosen));
    let (names, trunks, placed, lines) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut bases = Bases { names, trunks, placed, missing, lines, hidden };
    for (number, line) in chosen.into_iter().enumerate() {
        let (name, trunk, shown) = at_remote(refs, graph, watched, line);
        bases.names.push(name);
        bases.trunks.push(trunk);
        bases.lines.extend((number < n_lines).then_some(shown));
    }
    let drifts = measure_all(graph, watched, &bases.trunks);
    bases.placed = (0..watched.branches.len())
        .map(|branch| place(look, watched, branch, &rules, &bases, &drifts, n_lines))
        .collect();
    Ok(bases)
}

impl Bases {
    /// Why a branch has nothing to be measured against, where there is no line.
    fn why_no_line(&self) -> String {
        if self.missing.is_empty() {
            "no line was found to measure against".to_owned()
        } else {
            "none of the bases that the configuration names can be used".to_owned()
        }
    }

    /// The lines as the snapshot shows them.
    pub(super) fn into_lines(self) -> Vec<Line> {
        self.lines
    }
}

/// The lines: asked for, configured, or found; with why those found may be the wrong ones. Errors: there is none of the
/// name that was asked for.
fn choose(
    look: &Inspection<'_>,
    refs: &Refs,
    graph: &Graph,
    watched: &Watched,
    missing: &mut Vec<MissingBase>,
) -> Result<(Vec<Chosen>, Option<String>), InspectError> {
    let chosen = |(name, at), because: &str| Chosen {
        name,
        because: because.to_owned(),
        confidence: 1.0,
        trunk: graph.trunk(at),
    };
    if let Some(base) = &look.wanted.base {
        let unresolved = |Unresolved { reason, alike }| InspectError::NoSuchBase {
            name: base.clone(),
            reason,
            path: shown(&look.opened.path),
            alike,
        };
        return Ok((vec![chosen(resolve(refs, graph, base).map_err(unresolved)?, "asked for")], None));
    }
    if look.config.bases.is_empty() {
        return Ok(found(refs, graph, watched));
    }
    let mut declared = Vec::new();
    for (number, base) in look.config.bases.iter().enumerate() {
        match resolve(refs, graph, base) {
            Ok(resolved) => declared.push(chosen(resolved, "configured")),
            Err(why) => missing.push(why.of(base, format!("bases[{number}]"))),
        }
    }
    Ok((declared, None))
}

fn found(refs: &Refs, graph: &Graph, watched: &Watched) -> (Vec<Chosen>, Option<String>) {
    let own_head = match refs.head.seen() {
        Some(Head::Branch(name)) => Some(name),
        _ => None,
    };
    let head_of =
        |name: &RefName| watched.remote_heads.iter().find(|(_, head)| *head == name).map(|(remote, _)| remote.clone());
    let counterparts: HashSet<&RefName> =
        watched.branches.iter().filter_map(|branch| branch.counterpart.as_ref()).collect();
    let mut tips = Vec::new();
    // A local branch speaks for its counterpart, too.
    for branch in watched.branches.iter().filter(|branch| !counterparts.contains(&branch.name)) {
        let Some(at) = graph.find(&branch.oid) else { continue };
        let is_head_of = head_of(&branch.name).or_else(|| head_of(branch.counterpart.as_ref()?));
        let is_own_head = own_head == Some(&branch.name);
        tips.push(Tip { name: branch.name.clone(), at, is_head_of, is_own_head });
    }
    let chosen = |line: FoundLine| Chosen {
        name: tips[line.tip].name.clone(),
        because: line.because,
        confidence: line.confidence,
        trunk: line.trunk,
    };
    let hidden = hidden_line(refs, graph, &tips, head_of);
    (lines::find(graph, &tips).into_iter().map(chosen).collect(), hidden)
}

/// Why another line than the first one was found: that one cannot be read. What is measured against another is no answer.
fn hidden_line(
    refs: &Refs,
    graph: &Graph,
    tips: &[Tip],
    head_of: impl Fn(&RefName) -> Option<String>,
) -> Option<String> {
    let is_own_head = |name: &RefName| refs.head.reason().is_some_and(|reason| reason.contains(&format!("`{name}`")));
    let is_branch =
        |name: &RefName| ["refs/heads/", "refs/remotes/"].iter().any(|space| name.text().starts_with(space));
    let broken: Vec<&BrokenRef> = refs.broken.iter().filter(|one| is_branch(&one.name)).collect();
    let hidden: Vec<Hidden<'_>> = broken
        .iter()
        .map(|one| Hidden { name: &one.name, is_head_of: head_of(&one.name), is_own_head: is_own_head(&one.name) })
        .collect();
    let first = broken[lines::hidden_first(graph, tips, &hidden)?];
    Some(format!("`{}`, which would be its base, cannot be read: {}", first.name.short(), first.reason))
}

/// Why there is no commit of the name that a person gave.
struct Unresolved {
    reason: String,
    alike: Vec<String>,
}

impl Unresolved {
    fn of(self, name: &str, key: String) -> MissingBase {
        MissingBase { name: name.to_owned(), key, reason: self.reason, alike: self.alike }
    }
}

/// A ref by a name that a person gave, with its commit. Errors: there is none, or its commit can't be read.
fn resolve(refs: &Refs, graph: &Graph, name: &str) -> Result<(RefName, Pos), Unresolved> {
    let broken = |full: &RefName| refs.broken.iter().find(|one| one.name == *full).map(|one| one.reason.clone());
    let mut reason = None;
    for full in full_names(name) {
        reason = reason.or_else(|| broken(&full));
        let Some(found) = refs.get(&full) else { continue };
        match position(graph, &found.peeled.unwrap_or(found.oid)) {
            Ok(at) => return Ok((found.symref.clone().unwrap_or(full), at)),
            Err(why) => reason = reason.or(Some(why)),
        }
    }
    if let Some(reason) = reason {
        return Err(Unresolved { reason, alike: Vec::new() });
    }
    let mut alike: Vec<String> =
        refs.all.iter().map(|one| one.name.short().text().into_owned()).filter(|other| is_alike(other, name)).collect();
    alike.truncate(ALIKE_AT_MOST);
    Err(Unresolved { reason: "there is no such branch".to_owned(), alike })
}

/// One letter is wrong, missing, too much, or two stand the wrong way round; in long names two.
fn is_slip(one: &str, other: &str) -> bool {
    let at_most = if one.chars().count() < 8 { 1 } else { 2 };
    one.len().abs_diff(other.len()) <= 2 * at_most && strsim::osa_distance(one, other) <= at_most
}

fn is_alike(other: &str, name: &str) -> bool {
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
    let (other, name) = (last(other), last(name));
    other.starts_with(&name) || name.starts_with(&other) || is_slip(&other, &name)
}

/// A local line that only lags behind its remote counterpart is measured there: what the team
/// aligns with is at the remote.
fn at_remote(refs: &Refs, graph: &Graph, watched: &Watched, line: Chosen) -> (RefName, Arc<Trunk>, Line) {
    let mut shown = Line {
        name: line.name.clone(),
        oid: graph.oid(line.trunk.tip()),
        because: line.because.clone(),
        confidence: line.confidence,
        behind_remote: None,
        n_commits: line.trunk.line().len() as u32,
    };
    let remote =
        watched.branches.iter().find(|branch| branch.name == line.name).and_then(|branch| branch.counterpart.clone());
    let at = remote.as_ref().and_then(|remote| graph.find(&refs.get(remote)?.oid));
    let (Some(remote), Some(at)) = (remote, at) else { return (line.name, line.trunk, shown) };
    let theirs = graph.trunk(at);
    let apart = ahead_behind(graph, &theirs, &[line.trunk.tip()]);
    let Some(Known::Seen(apart)) = apart.first() else { return (line.name, line.trunk, shown) };
    shown.behind_remote = (0 < apart.behind).then(|| (remote.clone(), apart.behind));
    if apart.ahead == 0 && 0 < apart.behind { (remote, theirs, shown) } else { (line.name, line.trunk, shown) }
}

/// The drift of every branch from every line: by line, then by branch.
fn measure_all(graph: &Graph, watched: &Watched, trunks: &[Arc<Trunk>]) -> Vec<Vec<Known<Drift>>> {
    let positions: Vec<Result<Pos, String>> =
        watched.branches.iter().map(|branch| position(graph, &branch.oid)).collect();
    let tips: Vec<Pos> = positions.iter().flatten().copied().collect();
    let with_unknown = |trunk: &Arc<Trunk>| {
        let mut measured = measure(graph, trunk, &tips).into_iter();
        let drift = |at: &Result<Pos, String>| match at {
            Ok(_) => measured.next().unwrap_or_else(|| Known::Unknown("it was not measured".into())),
            Err(reason) => Known::Unknown(reason.clone()),
        };
        positions.iter().map(drift).collect()
    };
    trunks.iter().map(with_unknown).collect()
}

fn position(graph: &Graph, oid: &Oid) -> Result<Pos, String> {
    let missing = || graph.missing(oid).map_or_else(|| format!("commit {oid} is not there"), str::to_owned);
    graph.find(oid).ok_or_else(missing)
}

fn place(
    look: &Inspection<'_>,
    watched: &Watched,
    branch: usize,
    rules: &Rules,
    bases: &Bases,
    drifts: &[Vec<Known<Drift>>],
    n_lines: usize,
) -> Placed {
    let seen = &watched.branches[branch];
    let rule = rules.of_branch(&seen.name);
    let mut placed = Placed {
        base: None,
        relation: rule.map_or(Relation::Track, |rule| rule.relation),
        rule: rule.map(|rule| rule.number),
        budget: rule.and_then(|rule| rule.budget).unwrap_or(look.config.budget),
        drift: Known::Unknown(bases.why_no_line()),
    };
    if let Some(missing) = rule.and_then(|rule| rule.missing.as_ref()) {
        placed.drift = Known::Unknown(missing.clone());
        return placed;
    }
    let own_line = bases.lines.iter().position(|line| line.name == seen.name);
    let declared =
        rule.and_then(|rule| rule.base.as_ref()).and_then(|base| bases.names.iter().position(|name| name == base));
    if let (Some(reason), None) = (&bases.hidden, declared) {
        placed.base = (0 < n_lines).then(|| Nearest { line: 0, confidence: 0.0, because: reason.clone() });
        placed.drift = Known::Unknown(reason.clone());
        return placed;
    }
    // The first line stands for itself; a further line is measured against the lines before it.
    if own_line == Some(0) && declared.is_none() {
        placed.base = Some(Nearest { line: 0, confidence: 1.0, because: "it is the first line".into() });
        let itself = bases.names[0] == seen.name;
        placed.drift = if itself { Known::Seen(no_drift(seen.oid)) } else { drifts[0][branch].clone() };
        return placed;
    }
    let eligible = own_line.unwrap_or(n_lines);
    placed.base = match declared {
        Some(line) => Some(Nearest { line, confidence: 1.0, because: "configured".into() }),
        None => nearest(&drifts[..eligible].iter().map(|of_line| of_line[branch].seen()).collect::<Vec<_>>()),
    };
    if placed.base.is_none() && n_lines == 0 {
        return placed;
    }
    // Related to no line: measured against the first, which says just that.
    let line = placed.base.as_ref().map_or(0, |base| base.line);
    if let Some(of_line) = drifts.get(line) {
        placed.drift = of_line[branch].clone();
        let because = if placed.drift.seen().is_some() { "it is related to no line" } else { "no distance is known" };
        placed.base.get_or_insert(Nearest { line, confidence: 0.0, because: because.into() });
    }
    placed
}

/// The configured relations, ready to be asked.
struct Rules {
    rules: Vec<Rule>,
}

struct Rule {
    /// Its place in the configuration.
    number: usize,
    branches: Patterns,
    base: Option<RefName>,
    base_at: Option<Pos>,
    /// Why its base cannot be used.
    missing: Option<String>,
    relation: Relation,
    budget: Option<Budget>,
}

impl Rules {
    /// Those that are about this repository. A base that cannot be used is added to `missing`.
    fn of(
        look: &Inspection<'_>,
        refs: &Refs,
        graph: &Graph,
        missing: &mut Vec<MissingBase>,
    ) -> Result<Rules, InspectError> {
        let mut rules = Vec::new();
        for (number, rule) in look.relations() {
            let branches = Patterns::new(rule.branches.iter().map(String::as_str))
                .map_err(|error| InspectError::Pattern(error.problem))?;
            let (relation, budget) = (rule.relation, rule.budget);
            let mut ready = Rule { number, branches, base: None, base_at: None, missing: None, relation, budget };
            match rule.base.as_ref().map(|base| (base, resolve(refs, graph, base))) {
                None => {}
                Some((_, Ok((name, at)))) => (ready.base, ready.base_at) = (Some(name), Some(at)),
                Some((base, Err(why))) => {
                    let base = why.of(base, format!("relations[{number}].base"));
                    ready.missing = Some(base.told());
                    missing.push(base);
                }
            }
            rules.push(ready);
        }
        Ok(Rules { rules })
    }

    fn of_branch(&self, name: &RefName) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.branches.matches(name))
    }

    /// Bases that rules name and that are no lines otherwise.
    fn further(&self, graph: &Graph, chosen: &[Chosen]) -> Vec<Chosen> {
        let mut further: Vec<Chosen> = Vec::new();
        for rule in &self.rules {
            let (Some(name), Some(at)) = (&rule.base, rule.base_at) else { continue };
            if !chosen.iter().chain(&further).any(|line| line.name == *name) {
                let because = "a relation names it".to_owned();
                further.push(Chosen { name: name.clone(), because, confidence: 1.0, trunk: graph.trunk(at) });
            }
        }
        further
    }
}
