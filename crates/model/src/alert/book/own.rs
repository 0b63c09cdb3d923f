//! What alignwatch says of itself: promises that it does not keep, silences that end soon, rules that match nothing.

use serde::{Deserialize, Serialize};

use super::{
    super::{Labels, mute::SilenceState, own::Broken},
    *,
};
use crate::{notice::Failure, words::count};

/// How long a channel may take nothing, while something waits for it, before that is a broken promise. Source: ours; a channel that was away for a restart has it.
const MESSAGE_LATE: Span = Span::minutes(15);

/// How long a refused alert is told of. Source: ours; several sweeps, each of which would be refused again.
const REFUSAL_TOLD_FOR: Span = Span::hours(1);

/// How long before its end a silence is told of. Source: ours; time enough to look and to make it longer.
const SOON: Span = Span::minutes(15);

/// How long a rule may match nothing. Source: ours; a week holds all that happens every week.
const IDLE_AFTER: Span = Span::days(7);

/// How much older the kept time of a match may be than the last one: it is not written at each look.
const MATCH_KEPT_EVERY: Span = Span::days(1);

/// When a rule last had something to look at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Matched {
    /// When it was first held against something.
    since: Timestamp,
    /// When there was last a number or check that it is about.
    matched_at: Option<Timestamp>,
}

impl Book {
    /// Takes in which promises of alignwatch itself are not kept, and looks for what else people should know of it.
    pub fn take_in_own(&mut self, policy: &Policy, broken: Vec<Broken>, now: Timestamp) {
        for rule in &policy.rules {
            let found = match rule.of {
                Of::OwnPromise => broken.iter().map(Found::broken).collect(),
                Of::SilenceEnds => self.silences_that_end_soon(now),
                Of::RuleIdle => self.idle_rules(policy, now),
                _ => continue,
            };
            let bad = found.into_iter().map(|found| found.instance(rule)).collect();
            let evaluated = Evaluated { bad, others: Others::WellBut(BTreeMap::new()), matched: true };
            self.apply(rule, "", evaluated, now);
        }
        if self.broken.as_ref() != Some(&broken) {
            (self.broken, self.version) = (Some(broken), self.version + 1);
        }
    }

    /// Promises about messages that are not kept.
    pub fn own_troubles(&self, policy: &Policy, now: Timestamp) -> Vec<Broken> {
        let messages = || self.outbox.values().filter(|row| !row.is_canary());
        let n_dead = messages().filter(|row| matches!(row.state, State::Dead(_))).count();
        let dead = (0 < n_dead).then(|| {
            let messages = count(n_dead, "message");
            Broken::new("deliver", format!("{messages} could not be delivered: `alignwatch alert dead`"))
        });
        let refused = self.refused.filter(|(_, last)| now.since(*last) < REFUSAL_TOLD_FOR);
        let full = refused.map(|(n, _)| {
            Broken::new("alerts", format!("alerts were refused {n} times: {ALERTS_AT_MOST} are known already"))
        });
        let clock = self.doubts.clock(now).map(|why| Broken::new("clock", why));
        let broken = [dead, full, clock].into_iter().flatten().chain(self.broken_canaries(policy));
        match self.doubts.network(now) {
            // One of all, and not each for itself.
            Some(why) => broken.filter(|one| one.channel.is_none()).chain([Broken::new("network", why)]).collect(),
            None => broken.chain(self.late_channels(now)).collect(),
        }
    }

    /// What of ourselves is in doubt, as it is told.
    pub fn doubts_told(&self) -> Here {
        let is_of = |alert: &Alert, promise: &str| {
            !alert.is_foreign() && alert.labels.get("promise").is_some_and(|one| one == promise)
        };
        let why = |promise: &str| {
            let told = self.alerts.values().find(|alert| alert.phase != Phase::Resolved && is_of(alert, promise));
            told.map(|alert| alert.summary.clone())
        };
        Here::of(why("network"), why("clock"))
    }

    /// Channels in which a message waits, and that took nothing for long.
    fn late_channels(&self, now: Timestamp) -> Vec<Broken> {
        let mut waiting: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for row in self.outbox.values().filter(|row| row.is_waiting() && !row.is_canary()) {
            let since = waiting.entry(&row.telling.channel).or_insert(row.decided_at);
            *since = row.decided_at.min(*since);
        }
        // What is told anew takes the place of what waits: since when it fails says more.
        let since = |channel: &str, decided_at| self.failing.get(channel).copied().unwrap_or(decided_at);
        let late =
            waiting.into_iter().filter(|(channel, decided_at)| MESSAGE_LATE < now.since(since(channel, *decided_at)));
        late.map(|(channel, _)| {
            let why = format!("nothing could be delivered to the channel {channel} for {MESSAGE_LATE}");
            Broken { channel: Some(channel.to_owned()), ..Broken::new("deliver-late", why) }
        })
        .collect()
    }

    /// Was it to be decided before so long what is told?
    pub fn is_decision_late(&self, by: Span, now: Timestamp) -> bool {
        self.settled_at <= now && self.decide_at.is_some_and(|at| by < now.since(at.max(self.settled_at)))
    }

    /// Takes in what became of a call to whoever watches over us; `is_well` = it said that all is well.
    pub fn called(&mut self, is_well: bool, failure: Option<&Failure>, now: Timestamp) {
        self.heartbeat.called(is_well, failure, now);
        if let Some(answered) = doubt::answered(failure) {
            self.doubts.called(Other::Heartbeat, answered, now);
        }
        self.touch(Row::Heartbeat);
    }

    /// Since when the rule with this name matches nothing; `None` = it does, or was not watched for long.
    pub fn matches_nothing_since(&self, rule: &str, now: Timestamp) -> Option<Timestamp> {
        let known = self.matched.get(rule)?;
        let since = known.matched_at.unwrap_or(known.since);
        (IDLE_AFTER.0 + MATCH_KEPT_EVERY.0 < now.since(since).0).then_some(since)
    }

    pub(super) fn note_match(&mut self, rule: &Rule, matched: bool, now: Timestamp) {
        if !rule.is_own {
            return;
        }
        let is_new = !self.matched.contains_key(&rule.name);
        let known = self.matched.entry(rule.name.clone()).or_insert(Matched { since: now, matched_at: None });
        let is_old = known.matched_at.is_none_or(|at| MATCH_KEPT_EVERY < now.since(at));
        if matched && is_old {
            known.matched_at = Some(now);
        }
        if is_new || matched && is_old {
            self.touch(Row::Rule(rule.name.clone()));
        }
    }

    /// Those under which something fires: everybody will be told at once when they end.
    fn silences_that_end_soon(&self, now: Timestamp) -> Vec<Found> {
        let is_soon = |silence: &&Silence| {
            let is_short = silence.ends_at.since(silence.starts_at).0 < 2 * SOON.0;
            silence.state(now) == SilenceState::Active && silence.ends_at.since(now) <= SOON && !is_short
        };
        let found = |silence: &Silence| {
            let n_held = self.firing().filter(|alert| silence.is_about(alert)).count();
            let (who, comment) = (&silence.created_by, &silence.comment);
            let text =
                format!("the silence of {who} ends at {}, and {} under it: {comment}", silence.ends_at, fire(n_held));
            (0 < n_held).then(|| Found::new("silence", &silence.id, text, "alignwatch alert silences"))
        };
        self.silences.values().filter(is_soon).filter_map(found).collect()
    }

    fn idle_rules(&self, policy: &Policy, now: Timestamp) -> Vec<Found> {
        let own = policy.rules.iter().filter(|rule| rule.is_own);
        let found = |rule: &Rule| {
            let since = self.matches_nothing_since(&rule.name, now)?;
            let text = format!("the rule {} has matched nothing since {since}: {}", rule.name, rule.looks_for());
            Some(Found::new("rule", &rule.name, text, "alignwatch rules list"))
        };
        own.filter_map(found).collect()
    }
}

fn fire(n: usize) -> String {
    if n == 1 { "one alert fires".to_owned() } else { format!("{n} alerts fire") }
}

/// Something that people should know of alignwatch itself.
struct Found {
    labels: Labels,
    text: String,
    command: &'static str,
}

impl Found {
    fn new(label: &str, value: &str, text: String, command: &'static str) -> Found {
        Found { labels: [(label.to_owned(), value.to_owned())].into(), text, command }
    }

    fn broken(broken: &Broken) -> Found {
        let mut found = Found::new("promise", broken.promise, broken.why.clone(), "alignwatch doctor");
        found.labels.extend(broken.channel.iter().map(|channel| ("channel".to_owned(), channel.clone())));
        found
    }

    fn instance(mut self, rule: &Rule) -> Instance {
        self.labels.insert("alertname".to_owned(), rule.name.clone());
        Instance {
            labels: self.labels,
            severity: rule.severity.unwrap_or(Severity::Error),
            value: None,
            summary: self.text,
            description: rule.why.clone(),
            commands: vec![self.command.to_owned()],
            runbook: String::new(),
        }
    }
}
