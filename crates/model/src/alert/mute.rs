//! What holds back what would be told: silences, acknowledgements, windows, causes further up.
//!
//! Each says who or what it is and until when. It holds the telling only: judging, counting and the end go on.

use std::{collections::BTreeMap, iter};

use serde::{Deserialize, Serialize};

use super::{Alert, Matcher, Policy, matcher::all_match};
use crate::{Severity, Span, Timestamp};

/// How long what is over is remembered, so that coming and going is seen. Source: ours.
pub const OVER_KEPT: Span = Span::days(1);

/// Holds everything that matches, for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// What it holds: all of them must hold.
    pub matchers: Vec<Matcher>,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// It ends as soon as nothing that it matches fires any more.
    #[serde(default)]
    pub ends_on_resolve: bool,
}

/// Where a silence is in its life, by the names of Alertmanager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SilenceState {
    /// It begins later.
    Pending,
    /// It holds.
    Active,
    /// It is over.
    Expired,
}

impl Silence {
    /// Where it is in its life.
    pub fn state(&self, now: Timestamp) -> SilenceState {
        if self.ends_at <= now {
            SilenceState::Expired
        } else if now < self.starts_at {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }

    /// Is it over for so long that nobody asks about it any more?
    pub fn is_long_over(&self, now: Timestamp) -> bool {
        OVER_KEPT <= now.since(self.ends_at)
    }

    /// Would it hold this alert?
    pub fn is_about(&self, alert: &Alert) -> bool {
        all_match(&self.matchers, &alert.labels_now())
    }

    /// What is wrong with asking for it. Errors: in a sentence, with what to do.
    pub fn check(&self, longest: Span, now: Timestamp) -> Result<(), String> {
        let lasts = self.ends_at.since(self.starts_at);
        if self.matchers.is_empty() || self.matchers.iter().all(|matcher| matcher.matches(&BTreeMap::new())) {
            return Err(
                "a silence needs a matcher that not everything meets, such as repository=\"/srv/git/a.git\"".to_owned()
            );
        }
        let severities = Severity::ALL.map(Severity::word);
        let of_severity = self.matchers.iter().filter(|matcher| matcher.name == "severity");
        if let Some(problem) = of_severity.filter_map(|matcher| matcher.speaks_of_none(&severities)).next() {
            return Err(format!("it would hold nothing: {problem}"));
        }
        if lasts.0 <= 0 || self.ends_at <= now {
            return Err("a silence must end after it begins, and after now".to_owned());
        }
        if longest < lasts {
            let (longest, lasts) = (crate::config::length_text(longest), crate::config::length_text(lasts));
            return Err(format!("a silence may last {longest} (`alerts.silence_at_most`), and this one lasts {lasts}"));
        }
        if self.created_by.trim().is_empty() || self.comment.trim().is_empty() {
            return Err("a silence needs who asks for it and why".to_owned());
        }
        Ok(())
    }
}

/// Somebody cares for an alert: nobody is told again until that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// Who.
    pub who: String,
    /// What they say.
    pub note: String,
    /// When.
    pub at: Timestamp,
    /// Until when; `None` = until it is over.
    pub until: Option<Timestamp>,
    /// It stays when the alert gets graver.
    pub is_sticky: bool,
}

/// Why something is not told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mute {
    /// What holds it.
    pub by: By,
    /// In a sentence.
    pub text: String,
    /// Until when; `None` = until something else happens.
    pub until: Option<Timestamp>,
}

/// What holds an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum By {
    /// Another alert, which is its cause.
    Cause(String),
    /// A maintenance window.
    Window(String),
    /// A silence.
    Silence(String),
    /// An acknowledgement.
    Ack(String),
}

/// An alert that fires hides others, which follow from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Inhibit {
    /// What the cause meets.
    pub source: Vec<Matcher>,
    /// What is hidden.
    pub target: Vec<Matcher>,
    /// Labels in which both are the same.
    pub equal: Vec<String>,
    /// Only what alignwatch itself found is a cause, not what others posted.
    pub of_own: bool,
}

/// The values of the labels in which cause and consequence agree.
type Same = Vec<String>;

/// Alerts that fire and hide others, for one round of decisions.
#[derive(Debug, Default)]
pub struct Causes<'a> {
    /// For each rule of inhibition, the causes by what they share with those they hide.
    of_rules: Vec<BTreeMap<Same, &'a Alert>>,
}

impl<'a> Causes<'a> {
    /// Finds the causes among alerts that fire. `is_held` says of which nobody is told for another reason: of alerts that stand for
    /// each other, such a one hides none, or nobody would hear of any.
    pub fn among(
        firing: impl Iterator<Item = &'a Alert> + Clone,
        inhibit: &[Inhibit],
        is_held: impl Fn(&Alert) -> bool,
    ) -> Causes<'a> {
        let of_rule = |rule: &Inhibit| {
            let are_peers = rule.source == rule.target;
            let may_be = |alert: &&Alert| !(rule.of_own && alert.is_foreign() || are_peers && is_held(alert));
            let sources = firing.clone().filter(may_be).filter(|alert| all_match(&rule.source, &alert.labels_now()));
            let mut causes: BTreeMap<Same, &Alert> = BTreeMap::new();
            for alert in sources {
                // The first one is the cause, so that a later one does not take its place.
                let first = causes.entry(same(alert, &rule.equal)).or_insert(alert);
                if (alert.starts_at, &alert.fingerprint) < (first.starts_at, &first.fingerprint) {
                    *first = alert;
                }
            }
            causes
        };
        Causes { of_rules: inhibit.iter().map(of_rule).collect() }
    }

    fn of(&self, alert: &Alert, inhibit: &[Inhibit]) -> Option<&'a Alert> {
        let labels = alert.labels_now();
        let hits = inhibit.iter().zip(&self.of_rules).filter(|(rule, _)| all_match(&rule.target, &labels));
        let mut causes = hits.filter_map(|(rule, causes)| causes.get(&same(alert, &rule.equal)).copied());
        // Nothing hides itself.
        causes.find(|cause| cause.fingerprint != alert.fingerprint)
    }
}

fn same(alert: &Alert, equal: &[String]) -> Same {
    equal.iter().map(|name| alert.labels.get(name).cloned().unwrap_or_default()).collect()
}

/// Is it held whatever its causes are: by a window or a silence?
pub fn is_held(alert: &Alert, silences: &BTreeMap<String, Silence>, policy: &Policy, now: Timestamp) -> bool {
    by_window(alert, policy, now).is_some() || by_silence(alert, silences, now).is_some()
}

/// All that holds this alert back now: its cause first, then windows, silences and acknowledgements.
pub fn mutes<'a>(
    alert: &'a Alert,
    causes: &'a Causes<'_>,
    silences: &'a BTreeMap<String, Silence>,
    policy: &'a Policy,
    now: Timestamp,
) -> impl Iterator<Item = Mute> + 'a {
    let first = iter::once_with(move || by_cause(alert, causes, policy));
    let second = iter::once_with(move || by_window(alert, policy, now));
    let third = iter::once_with(move || by_silence(alert, silences, now));
    first.chain(second).chain(third).chain(iter::once_with(move || by_ack(alert, now))).flatten()
}

fn by_cause(alert: &Alert, causes: &Causes<'_>, policy: &Policy) -> Option<Mute> {
    let cause = causes.of(alert, &policy.inhibit)?;
    let text = format!("it follows from {}: {}", cause.rule, cause.summary);
    Some(Mute { by: By::Cause(cause.id.clone()), text, until: None })
}

fn by_window(alert: &Alert, policy: &Policy, now: Timestamp) -> Option<Mute> {
    let path = alert.labels.get("repository").map_or("", String::as_str);
    let (window, opening) = policy.open_window(path, now)?;
    let text = format!("the window {window} is open until {}", opening.until);
    Some(Mute { by: By::Window(window.to_owned()), text, until: Some(opening.until) })
}

fn by_silence(alert: &Alert, silences: &BTreeMap<String, Silence>, now: Timestamp) -> Option<Mute> {
    let active =
        silences.values().filter(|silence| silence.state(now) == SilenceState::Active && silence.is_about(alert));
    let silence = active.max_by_key(|silence| silence.ends_at)?;
    let text = format!("{} silenced it until {}: {}", silence.created_by, silence.ends_at, silence.comment);
    Some(Mute { by: By::Silence(silence.id.clone()), text, until: Some(silence.ends_at) })
}

fn by_ack(alert: &Alert, now: Timestamp) -> Option<Mute> {
    let ack = alert.ack.as_ref().filter(|ack| ack.until.is_none_or(|until| now < until))?;
    let until = ack.until.map_or_else(|| "until it is over".to_owned(), |until| format!("until {until}"));
    let note = if ack.note.is_empty() { String::new() } else { format!(": {}", ack.note) };
    Some(Mute { by: By::Ack(ack.who.clone()), text: format!("{} has it, {until}{note}", ack.who), until: ack.until })
}

/// Takes an acknowledgement away that does not cover what became of the alert.
pub fn outgrown(alert: &mut Alert, before: Severity) {
    if before < alert.severity && alert.ack.as_ref().is_some_and(|ack| !ack.is_sticky) {
        alert.ack = None;
    }
}
