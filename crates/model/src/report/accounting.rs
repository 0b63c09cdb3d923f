//! What the numbers of a report rest on: what was seen, what was not, and what was left out on purpose.

use serde::Serialize;

use super::held::{Held, HeldRepository, Spans, Times, windows};
use crate::{Span, Timestamp, config::Config, window::Purpose, words::count};

/// Gaps that are named of each repository; the rest is counted.
const GAPS_NAMED: usize = 10;

/// What the numbers rest on. Times of several repositories are added up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accounting {
    /// The length of the period.
    pub period_seconds: i64,
    /// For so long something was known.
    pub seen_seconds: i64,
    /// For so long nobody looked, or nothing could be seen: neither good nor bad.
    pub unknown_seconds: i64,
    /// So much lies before the first look.
    pub not_watched_seconds: i64,
    /// So much was in maintenance windows: ratios leave it out.
    pub maintenance_seconds: i64,
    /// So much was in freezes.
    pub freeze_seconds: i64,
    /// What was seen of each repository.
    pub repositories: Vec<Seen>,
    /// How it was counted, in sentences.
    pub stated: Vec<String>,
}

/// What was seen of a repository.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// Its path.
    pub path: String,
    /// For so long something was known.
    pub seen_seconds: i64,
    /// For so long nothing was.
    pub unknown_seconds: i64,
    /// So much lies before the first look.
    pub not_watched_seconds: i64,
    /// The longest spans of which nothing is known, in order of time.
    pub gaps: Vec<Gap>,
    /// Spans that are not listed.
    pub n_more_gaps: usize,
    #[serde(skip)]
    maintenance_seconds: i64,
    #[serde(skip)]
    freeze_seconds: i64,
}

/// A span of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
}

/// How long a look counts: twice the interval, as in `readyz`; and no less than two steps of what the store keeps.
pub(super) fn hold(config: &Config, times: &Times) -> Span {
    Span(2 * config.serve.interval.0.max(times.step.0))
}

/// What the numbers rest on.
pub(super) fn accounting(held: &Held, config: &Config, times: &Times) -> Accounting {
    let repositories: Vec<Seen> = held.repositories.iter().map(|one| seen(one, config, times)).collect();
    let sum = |of: fn(&Seen) -> i64| repositories.iter().map(of).sum::<i64>();
    let mut accounting = Accounting {
        period_seconds: times.period.span().0,
        seen_seconds: sum(|seen| seen.seen_seconds),
        unknown_seconds: sum(|seen| seen.unknown_seconds),
        not_watched_seconds: sum(|seen| seen.not_watched_seconds),
        maintenance_seconds: sum(|seen| seen.maintenance_seconds),
        freeze_seconds: sum(|seen| seen.freeze_seconds),
        repositories,
        stated: Vec::new(),
    };
    accounting.stated = stated(&accounting, held, hold(config, times));
    accounting
}

fn seen(repository: &HeldRepository, config: &Config, times: &Times) -> Seen {
    let hold = hold(config, times);
    let covered = repository.sweeps.iter().map(|at| (*at, Timestamp(at.0.saturating_add(hold.0)).min(times.until)));
    let covered = Spans::of(covered.filter(|(at, _)| *at < times.until));
    let began = repository.first_seen_at.clamp(times.from, times.until);
    let mut gaps = covered.gaps(began, times.until);
    let unknown_seconds = gaps.iter().map(|(from, until)| until.since(*from).0).sum();
    gaps.sort_by_key(|(from, until)| std::cmp::Reverse(until.since(*from)));
    let n_more_gaps = gaps.len().saturating_sub(GAPS_NAMED);
    gaps.truncate(GAPS_NAMED);
    gaps.sort_unstable();
    let within = |purpose| {
        let spans = windows(config, &repository.path, purpose, times).0;
        Spans::of(spans.into_iter().map(|(from, until)| (from.max(times.from), until))).seconds()
    };
    Seen {
        path: repository.path.clone(),
        seen_seconds: times.until.since(began).0 - unknown_seconds,
        unknown_seconds,
        not_watched_seconds: began.since(times.from).0,
        gaps: gaps.into_iter().map(|(from, until)| Gap { from, until }).collect(),
        n_more_gaps,
        maintenance_seconds: within(Purpose::Maintenance),
        freeze_seconds: within(Purpose::Freeze),
    }
}

fn stated(accounting: &Accounting, held: &Held, hold: Span) -> Vec<String> {
    let n_gaps: usize = accounting.repositories.iter().map(|seen| seen.gaps.len() + seen.n_more_gaps).sum();
    let mut stated = vec![format!(
        "Something was known for {}; what a look saw counts until the next one, for at most {hold}.",
        Span(accounting.seen_seconds)
    )];
    if 0 < accounting.unknown_seconds {
        stated.push(format!(
            "Nothing is known of {} in {}: it counts neither as good nor as bad, and nothing is drawn across it.",
            Span(accounting.unknown_seconds),
            count(n_gaps, "gap")
        ));
    }
    if 0 < accounting.not_watched_seconds {
        let before = Span(accounting.not_watched_seconds);
        stated.push(format!("{before} lie before the first look; what is told of them was rebuilt from history."));
    }
    if 0 < accounting.maintenance_seconds {
        let open = Span(accounting.maintenance_seconds);
        stated.push(format!("{open} were in maintenance windows: means of ratios leave them out."));
    }
    if 0 < accounting.freeze_seconds {
        let frozen = Span(accounting.freeze_seconds);
        stated.push(format!("{frozen} were in freezes, in which nothing was to be aligned; they count as usual."));
    }
    if 1 < held.repositories.len() {
        stated.push("Times are those of all repositories, added up.".to_owned());
    }
    if let Some(reason) = held.tasks.reason() {
        stated.push(format!("What maintenance did is not known: {reason}."));
    }
    stated.extend(held.left_out.iter().map(|what| format!("Left out: {what}.")));
    stated
}
