//! From a path to what the checks say of the repository there: the one judge of all commands.

use std::{
    cell::RefCell,
    path::Path,
    time::{Duration, Instant},
};

use alignwatch_git::health::pool::Borrowing;
use alignwatch_model::{
    Cost, Look, Snapshot,
    checks::{self, Check as Rule},
    config::Config,
    metrics::{self, Measured, Tally},
    quote,
};

use crate::{
    commands::Global,
    inspecting::{self, Question},
    report::{CheckResult, Checked, Judgement},
};

/// Which checks are wanted, and how long they may take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked<'a> {
    /// Only these; stands in place of the configured lists.
    pub(crate) only: &'a [String],
    /// Not these; stands beside the configured lists.
    pub(crate) skip: &'a [String],
    /// Also checks that read all objects.
    pub(crate) expensive: bool,
    /// Also checks that ask the remotes.
    pub(crate) network: bool,
    /// Measure all branches against this ref.
    pub(crate) base: Option<&'a str>,
    /// How long the looks may take.
    pub(crate) budget: Option<Duration>,
    /// Does a person wait for the answer?
    pub(crate) is_awaited: bool,
    /// Who borrows objects from whom, among the repositories that are asked about together.
    pub(crate) borrowing: Option<&'a Borrowing>,
}

/// Inspects the repository at `path` and judges it.
pub(crate) fn check_one(global: &Global, config: &Config, asked: Asked<'_>, path: &Path) -> Checked {
    let started = Instant::now();
    let wanted = checks::ALL.iter().filter(|rule| asked.wants(rule, config).is_ok());
    let needed = wanted.flat_map(|rule| rule.needs.iter().copied());
    let looks = Look::with_required(needed.chain(Look::FOR_REMEDIES));
    let Asked { base, budget, is_awaited, .. } = asked;
    let question = Question { path, config, base, looks, budget, is_awaited, paths_within: None };
    let seen = inspecting::inspect(global, &question).map(|snapshot| beside_others(snapshot, asked.borrowing));
    let judgement = seen.map(|snapshot| judge(snapshot, config, asked));
    Checked {
        path: path.display().to_string(),
        path_word: if path == Path::new(".") { String::new() } else { path_word(path) },
        judgement,
        elapsed: started.elapsed(),
    }
}

/// Adds what the other repositories say about this one.
fn beside_others(mut snapshot: Snapshot, borrowing: Option<&Borrowing>) -> Snapshot {
    if let Some(borrowing) = borrowing {
        let objects_dir = Path::new(&snapshot.repository.git_dir).join("objects");
        snapshot.facts.pool = snapshot.facts.pool.map(|pool| borrowing.from(&objects_dir, pool));
    }
    snapshot
}

/// A path as one word of a shell.
pub(crate) fn path_word(path: &Path) -> String {
    quote::shell_word(path.as_os_str().as_encoded_bytes())
}

fn judge(snapshot: Snapshot, config: &Config, asked: Asked<'_>) -> Judgement {
    // The judge has no clock. It asks whether a check is wanted just before it runs it, and that is when we look.
    let starts = RefCell::new(Vec::new());
    let wanted = |rule: &Rule| {
        starts.borrow_mut().push(Instant::now());
        asked.wants(rule, config)
    };
    let judged = checks::judge(&snapshot, config, snapshot.seen_at, wanted);
    let mut starts = starts.into_inner();
    starts.push(Instant::now());
    let elapsed = starts.windows(2).map(|pair| pair[1] - pair[0]);
    let checks = judged.into_iter().zip(elapsed).map(|(judged, elapsed)| CheckResult::timed(judged, elapsed)).collect();
    let measured =
        Measured { snapshot: &snapshot, judged: &[], config, tally: &Tally::default(), now: snapshot.seen_at };
    let weekly = metrics::weekly(&measured);
    Judgement { weekly, snapshot, checks }
}

impl Asked<'_> {
    /// Is this check wanted? If not, why.
    fn wants(&self, rule: &Rule, config: &Config) -> Result<(), String> {
        if self.skip.iter().any(|id| id == rule.id) {
            return Err("left out by --skip".to_owned());
        }
        if !self.only.is_empty() && !self.only.iter().any(|id| id == rule.id) {
            return Err("left out by --only".to_owned());
        }
        if !self.only.is_empty() {
            return Ok(());
        }
        checks::is_made(rule, config, |cost| self.pays(cost))
    }

    fn pays(&self, cost: Cost) -> bool {
        match cost {
            Cost::Cheap | Cost::Moderate => true,
            Cost::Expensive => self.expensive,
            Cost::Network => self.network,
        }
    }
}
