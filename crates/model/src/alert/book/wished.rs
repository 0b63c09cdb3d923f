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
    /// Alerts of somebody else, such as a Prometheus.
    Post(Vec<Posted>),
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
        match wish {
            Wish::Silence { silence, instead_of } => self.silence(policy, silence, instead_of.as_deref(), now),
            Wish::Unsilence { id, who } => self.end_silence(&id, &who, now),
            Wish::Ack { alert, ack } => {
                if ack.who.trim().is_empty() {
                    return Err("who cares for it? Say a name".to_owned());
                }
                let who = ack.who.clone();
                self.set_ack(&alert, Some(ack), now).inspect(|()| self.note_of(&who, "acknowledged", &alert, now))
            }
            Wish::Unack { alert, who } => {
                let done = self.set_ack(&alert, None, now);
                done.inspect(|()| self.note_of(&who, "took back an acknowledgement", &alert, now))
            }
            Wish::Retry { key, who } => {
                let row = self.outbox.get_mut(&key).filter(|row| matches!(row.state, State::Dead(_)));
                row.ok_or_else(|| format!("there is no dead letter {key}"))?.revive(now);
                self.touch(Row::Outgoing(key.clone()));
                self.note(&who, "tries a dead letter again", &key, now);
                Ok(())
            }
            Wish::Post(posted) => posted.into_iter().try_for_each(|posted| self.post(posted, now)),
        }
        .inspect(|()| self.decide_soon(now))
    }

    fn silence(
        &mut self,
        policy: &Policy,
        silence: Silence,
        instead_of: Option<&str>,
        now: Timestamp,
    ) -> Result<(), String> {
        silence.check(policy.silence_at_most, now)?;
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
        self.silences.insert(id.clone(), Silence { updated_at: now, ..silence });
        self.touch(Row::Silence(id.clone()));
        self.note(&who, "silenced", &id, now);
        Ok(())
    }

    fn end_silence(&mut self, id: &str, who: &str, now: Timestamp) -> Result<(), String> {
        let silence = self.silences.get_mut(id).ok_or_else(|| format!("there is no silence {id}"))?;
        silence.ends_at = silence.ends_at.min(now);
        silence.starts_at = silence.starts_at.min(silence.ends_at);
        silence.updated_at = now;
        self.touch(Row::Silence(id.to_owned()));
        self.note(who, "ended a silence", id, now);
        Ok(())
    }

    fn set_ack(&mut self, alert: &str, ack: Option<Ack>, now: Timestamp) -> Result<(), String> {
        let found = self.alert(alert).filter(|alert| alert.is_firing()).map(|alert| alert.fingerprint.clone());
        let fingerprint =
            found.ok_or_else(|| format!("no alert {alert} fires: `alignwatch alert list` shows those that do"))?;
        if let Some(alert) = self.alerts.get_mut(&fingerprint) {
            alert.ack = ack.map(|ack| Ack { at: now, ..ack });
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
        let fingerprint = fingerprint(&labels);
        let text = |name: &str| posted.annotations.get(name).cloned().unwrap_or_default();
        let known = self.alerts.get(&fingerprint);
        if known.is_none() && ALERTS_AT_MOST <= self.alerts.len() {
            self.refuse(now);
            return Err(format!("{ALERTS_AT_MOST} alerts are known already"));
        }
        let mut alert = known.cloned().unwrap_or_else(|| {
            let instance = Instance {
                labels: labels.clone(),
                severity,
                value: None,
                summary: name.clone(),
                description: String::new(),
                commands: Vec::new(),
                runbook: String::new(),
            };
            pending(&foreign(name), "", &fingerprint, instance, now)
        });
        let summary = [text("summary"), text("description")].into_iter().find(|text| !text.is_empty());
        alert.summary = summary.unwrap_or_else(|| name.clone());
        (alert.description, alert.runbook) = (text("description"), text("runbook_url"));
        alert.ends_unless_posted_by = Some(ends_by);
        let is_over = ends_by <= now;
        let result = if is_over { Seen1::Good } else { Seen1::Bad(severity) };
        let moved = lifecycle::step(&mut alert, &result, Timing::default(), now);
        if let (Moved::Fired, Some(at)) = (moved, posted.starts_at) {
            alert.starts_at = Some(at.min(now));
        }
        if is_over && moved == Moved::Resolved {
            // Whoever sends it may say that it ended before we ever heard of it.
            alert.ends_at = Some(ends_by.max(alert.starts_at.unwrap_or(ends_by)));
        }
        if moved != Moved::Gone {
            self.put(alert);
        } else {
            self.remove(&fingerprint);
        }
        self.touch(Row::Alert(fingerprint));
        Ok(())
    }
}

/// Stands for a rule of somebody else.
fn foreign(name: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        of: Of::Unseen,
        timing: Timing::default(),
        severity: None,
        labels: Labels::new(),
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
