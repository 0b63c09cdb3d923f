//! What people and other programs want done about alerts.

use super::{
    super::{Ack, Labels, Silence, Timing, mute::SilenceState},
    *,
};

/// Silences that are not over, at most.
const SILENCES_AT_MOST: usize = 5_000;

/// What an alert of somebody else lasts unless it is posted again. Source: Alertmanager, `resolve_timeout`.
const POSTED_LASTS: Span = Span::minutes(5);

/// What somebody wants done about alerts.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// A silence, under an id that its maker chose.
    Silence {
        /// All of it.
        silence: Silence,
        /// The id of the one whose place it takes.
        instead_of: Option<String>,
    },
    /// End a silence.
    Unsilence {
        /// Its id.
        id: String,
        /// Who wants that.
        who: String,
    },
    /// Somebody cares for an alert.
    Ack {
        /// The id or fingerprint of the alert.
        alert: String,
        /// Who, and how long.
        ack: Ack,
    },
    /// Nobody cares for it any more.
    Unack {
        /// The id or fingerprint of the alert.
        alert: String,
        /// Who says so.
        who: String,
    },
    /// Try a dead letter again.
    Retry {
        /// The key of it.
        key: String,
        /// Who wants that.
        who: String,
    },
    /// Give a dead letter up.
    Drop {
        /// The key of it.
        key: String,
        /// Who wants that.
        who: String,
    },
    /// End an alert that nobody can see to be over.
    End {
        /// The id or fingerprint of the alert.
        alert: String,
        /// Who says so.
        who: String,
    },
    /// Alerts of somebody else, such as a Prometheus.
    Post(Vec<Posted>),
}

/// How it was before somebody wanted something.
#[derive(Clone, Debug)]
pub(super) enum Before {
    Silence(String, Option<Silence>),
    Ack(String, Option<Ack>),
}

/// An alert of somebody else.
#[derive(Clone, Debug, PartialEq)]
pub struct Posted {
    /// Its labels; `alertname` among them.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
    /// When it began.
    pub starts_at: Option<Timestamp>,
    /// When it ended or will be taken to have.
    pub ends_at: Option<Timestamp>,
    /// Where it comes from.
    pub generator: String,
}
impl Book {
    /// Does what somebody wants. Errors: why it can't be done, and what can.
    pub fn wish(&mut self, policy: &Policy, wish: Wish, now: Timestamp) -> Result<(), String> {
        let done = match wish {
            Wish::Silence { silence, instead_of } => self.silence(policy, silence, instead_of.as_deref(), now),
            Wish::Unsilence { id, who } => self.end_silence(&id, &who, now),
            Wish::Ack { ack, .. } if ack.who.trim().is_empty() => Err("who cares for it? Say a name".to_owned()),
            Wish::Ack { alert, ack } => {
                let who = ack.who.clone();
                self.set_ack(&alert, Some(ack), now).inspect(|()| self.note_of(&who, "acknowledged", &alert, now))
            }
            Wish::Unack { alert, who } => {
                let done = self.set_ack(&alert, None, now);
                done.inspect(|()| self.note_of(&who, "took back an acknowledgement", &alert, now))
            }
            Wish::Retry { key, who } => self.retry(&key, &who, now),
            Wish::Drop { key, who } => self.drop_dead(&key, &who, now),
            Wish::End { alert, who } => self.end_alert(&alert, &who, now),
            // One that is wrong keeps no other from being taken.
            Wish::Post(posted) => {
                let taken: Vec<_> = posted.into_iter().map(|posted| self.post(posted, now)).collect();
                taken.into_iter().collect()
            }
        };
        self.decide_soon(now);
        done
    }

    fn remember(&mut self, before: Before) {
        self.wished.push(before);
    }

    /// Takes back what was wanted and could not be kept: whoever wanted it hears that it is not so.
    pub(super) fn take_back(&mut self, wished: Vec<Before>) {
        for before in wished.into_iter().rev() {
            self.version += 1;
            match before {
                Before::Silence(id, Some(silence)) => drop(self.silences.insert(id, silence)),
                Before::Silence(id, None) => drop(self.silences.remove(&id)),
                Before::Ack(fingerprint, ack) => {
                    self.alerts.get_mut(&fingerprint).into_iter().for_each(|alert| alert.ack.clone_from(&ack));
                }
            }
        }
    }

    fn dead(&mut self, key: &str) -> Result<&mut Outgoing, String> {
        let row = self.outbox.get_mut(key).filter(|row| matches!(row.state, State::Dead(_)));
        row.ok_or_else(|| format!("there is no dead letter {key}: `alignwatch alert dead` lists them"))
    }

    /// Tries a dead letter again, as things stand now: of what is over meanwhile, it tells the end.
    fn retry(&mut self, key: &str, who: &str, now: Timestamp) -> Result<(), String> {
        let mut alerts = self.dead(key)?.telling.alerts.clone();
        for told in alerts.iter_mut().filter(|told| told.alert.is_firing()) {
            let known = self.alert(&told.alert.id).filter(|alert| alert.id == told.alert.id);
            if known.is_some_and(Alert::is_firing) {
                continue;
            }
            let ends_at = known.and_then(|alert| alert.ends_at).unwrap_or(now);
            (told.alert.phase, told.alert.ends_at) = (Phase::Resolved, Some(ends_at));
            (told.is_late, told.is_unheard) = (true, true);
        }
        let row = self.dead(key)?;
        row.telling.alerts = alerts;
        row.revive(now);
        self.touch(Row::Outgoing(key.to_owned()));
        self.note(who, "tries a dead letter again", key, now);
        Ok(())
    }

    fn drop_dead(&mut self, key: &str, who: &str, now: Timestamp) -> Result<(), String> {
        self.dead(key)?.state = State::Buried(format!("by {who}"));
        self.touch(Row::Outgoing(key.to_owned()));
        self.note(who, "gave up a dead letter", key, now);
        Ok(())
    }

    /// Ends an alert by hand, such as one of a repository that is watched no more. What is still bad fires again.
    fn end_alert(&mut self, alert: &str, who: &str, now: Timestamp) -> Result<(), String> {
        let fingerprint = self.firing_fingerprint(alert)?;
        self.note_of(who, "ended an alert by hand", alert, now);
        if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            (alert.phase, alert.ends_at, alert.ack, alert.in_doubt) = (Phase::Resolved, Some(now), None, None);
        }
        self.touch(Row::Alert(fingerprint));
        Ok(())
    }

    fn firing_fingerprint(&self, alert: &str) -> Result<String, String> {
        let found = self.alert(alert).filter(|alert| alert.is_firing()).map(|alert| alert.fingerprint.clone());
        found.ok_or_else(|| format!("no alert {alert} fires: `alignwatch alert list` shows those that do"))
    }

    fn silence(
        &mut self,
        policy: &Policy,
        silence: Silence,
        instead_of: Option<&str>,
        now: Timestamp,
    ) -> Result<(), String> {
        silence.check(policy.silence_at_most, now)?;
        let holds_some = || self.firing().any(|alert| silence.is_about(alert));
        if silence.ends_on_resolve && silence.starts_at <= now && !holds_some() {
            return Err("nothing that fires meets these conditions, so that it would end at once".to_owned());
        }
        match instead_of {
            Some(old) if old != silence.id => self.end_silence(old, &silence.created_by, now)?,
            Some(old) if !self.silences.contains_key(old) => return Err(format!("there is no silence {old}")),
            _ => {}
        }
        let n_live = self.silences.values().filter(|silence| silence.state(now) != SilenceState::Expired).count();
        if SILENCES_AT_MOST <= n_live {
            return Err(format!("there are {n_live} silences already: end some"));
        }
        let (id, who) = (silence.id.clone(), silence.created_by.clone());
        self.remember(Before::Silence(id.clone(), self.silences.get(&id).cloned()));
        self.silences.insert(id.clone(), Silence { updated_at: now, ..silence });
        self.touch(Row::Silence(id.clone()));
        self.note(&who, "silenced", &id, now);
        Ok(())
    }

    fn end_silence(&mut self, id: &str, who: &str, now: Timestamp) -> Result<(), String> {
        let before = self.silences.get(id).cloned().ok_or_else(|| format!("there is no silence {id}"))?;
        self.remember(Before::Silence(id.to_owned(), Some(before)));
        let Some(silence) = self.silences.get_mut(id) else { return Ok(()) };
        silence.ends_at = silence.ends_at.min(now);
        silence.starts_at = silence.starts_at.min(silence.ends_at);
        silence.updated_at = now;
        self.touch(Row::Silence(id.to_owned()));
        self.note(who, "ended a silence", id, now);
        Ok(())
    }

    fn set_ack(&mut self, alert: &str, ack: Option<Ack>, now: Timestamp) -> Result<(), String> {
        let fingerprint = self.firing_fingerprint(alert)?;
        if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            let before = std::mem::replace(&mut alert.ack, ack.map(|ack| Ack { at: now, ..ack }));
            self.remember(Before::Ack(fingerprint.clone(), before));
        }
        self.touch(Row::Alert(fingerprint));
        Ok(())
    }

    fn post(&mut self, posted: Posted, now: Timestamp) -> Result<(), String> {
        let Some(name) = posted.labels.get("alertname").filter(|name| !name.is_empty()) else {
            return Err("an alert needs the label `alertname`".to_owned());
        };
        let ends_by = posted.ends_at.unwrap_or(Timestamp(now.0 + POSTED_LASTS.0));
        let mut labels = posted.labels.clone();
        let severity = labels.remove("severity").map_or(Severity::Warning, |word| severity_of(&word));
        // Ours move from one severity to another; whoever posts has an alert for each.
        if self.alerts.get(&fingerprint(&labels)).is_some_and(|known| !known.is_foreign()) {
            return Err(format!("{name} with these labels is an alert of alignwatch itself: give it another name"));
        }
        let fingerprint = fingerprint(&posted.labels);
        match self.alerts.get(&fingerprint) {
            None if ALERTS_AT_MOST <= self.alerts.len() => {
                self.refuse(now);
                return Err(format!("{ALERTS_AT_MOST} alerts are known already"));
            }
            Some(_) => {}
            None => self.put(first_posted(name, labels, severity, &fingerprint, now)),
        }
        if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            let text = |name: &str| posted.annotations.get(name).cloned().unwrap_or_default();
            let summary = [text("summary"), text("description")].into_iter().find(|text| !text.is_empty());
            alert.summary = summary.unwrap_or_else(|| name.clone());
            (alert.description, alert.runbook) = (text("description"), text("runbook_url"));
            alert.annotations.clone_from(&posted.annotations);
            alert.ends_unless_posted_by = Some(ends_by);
        }
        let result = if ends_by <= now { Seen1::Good } else { Seen1::Bad(severity) };
        let moved = self.step(&fingerprint, &result, Timing::default(), now);
        if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            match (moved, posted.starts_at) {
                (Moved::Fired, Some(at)) => alert.starts_at = Some(at.min(now)),
                // Whoever sends it may say that it ended before we ever heard of it.
                (Moved::Resolved, _) => alert.ends_at = Some(ends_by.max(alert.starts_at.unwrap_or(ends_by))),
                _ => {}
            }
        }
        self.touch(Row::Alert(fingerprint));
        Ok(())
    }
}

/// An alert of somebody else that was not known.
fn first_posted(name: &str, labels: Labels, severity: Severity, fingerprint: &str, now: Timestamp) -> Alert {
    let instance = Instance {
        labels,
        severity,
        value: None,
        summary: String::new(),
        description: String::new(),
        commands: Vec::new(),
        runbook: String::new(),
    };
    Alert { ends_unless_posted_by: Some(now), ..pending(&foreign(name), "", fingerprint, instance, now) }
}

/// Stands for a rule of somebody else.
fn foreign(name: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        of: Of::Unseen,
        when: None,
        timing: Timing::default(),
        severity: None,
        labels: Labels::new(),
        annotations: Labels::new(),
        summary: None,
        runbook: None,
        why: String::new(),
        is_own: false,
    }
}

fn severity_of(word: &str) -> Severity {
    match word {
        "critical" | "page" | "fatal" | "emergency" => Severity::Critical,
        "error" | "major" | "high" => Severity::Error,
        "info" | "none" | "low" | "notice" => Severity::Info,
        _ => Severity::Warning,
    }
}
