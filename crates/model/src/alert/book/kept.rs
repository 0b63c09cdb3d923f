//! What is kept: which rows changed since the disk has them, and a book from what the disk has.

use serde::{Serialize, de::DeserializeOwned};

use super::{super::Labels, *};
use crate::record::RecordKind;

/// The key of what is known of the heartbeat.
const HEARTBEAT: &str = "heartbeat";

/// What stands in front of a channel in the key of what is known of its tests.
const CANARY: &str = "canary ";

impl Book {
    /// The book that these records are, as they were last kept. A record that can't be read is left out and named.
    pub fn of_records(records: &[Record], policy: &Policy, now: Timestamp) -> (Book, Vec<String>) {
        let mut book = Book::new(policy, now);
        let mut bad = Vec::new();
        for record in records {
            if let Err(reason) = book.recall(record) {
                bad.push(format!("{} {}: {reason}", record.kind.word(), record.key));
            }
        }
        let ahead = book.newest().since(now);
        if 0 < ahead.0 {
            book.doubts.set_back(ahead, now);
        }
        book.nothing_after(now);
        book.forget_rules(policy);
        book.end_what_no_rule_finds(policy, now);
        (book, bad)
    }

    /// The newest time that was kept of what was seen and told.
    fn newest(&self) -> Timestamp {
        let seen = self.alerts.values().map(|alert| alert.seen_at);
        let told = self.told.values().map(|told| told.at).chain(self.outbox.values().map(|row| row.decided_at));
        seen.chain(told).max().unwrap_or(Timestamp(i64::MIN))
    }

    pub(super) fn recall(&mut self, record: &Record) -> Result<(), String> {
        let Some(document) = &record.document else { return Ok(()) };
        match record.kind {
            RecordKind::Alert => {
                let alert: Alert = read(document)?;
                self.put(alert);
            }
            RecordKind::Silence => {
                let silence: Silence = read(document)?;
                self.silences.insert(silence.id.clone(), silence);
            }
            RecordKind::Told => {
                let (to, told): (To, Told) = read(document)?;
                self.lately.entry(to.channel.clone()).or_default().push_back(told.at);
                self.told.insert(to, told);
            }
            RecordKind::Outgoing => {
                let row: Outgoing = read(document)?;
                self.outbox.insert(row.key.clone(), row);
            }
            RecordKind::Rule => {
                self.matched.insert(record.key.clone(), read(document)?);
            }
            RecordKind::Promise if record.key == HEARTBEAT => self.heartbeat = read(document)?,
            RecordKind::Promise => {
                let channel = record.key.strip_prefix(CANARY).unwrap_or(&record.key);
                self.canaries.insert(channel.to_owned(), read(document)?);
            }
            RecordKind::Audit | RecordKind::Report | RecordKind::Tally => {}
        }
        Ok(())
    }

    fn forget_rules(&mut self, policy: &Policy) {
        let gone: Vec<_> = self.matched.keys().filter(|name| policy.rule(name).is_none()).cloned().collect();
        for name in gone {
            self.matched.remove(&name);
            self.touch(Row::Rule(name));
        }
    }

    /// What a rule or check found that is not in force any more is over.
    pub(super) fn end_what_no_rule_finds(&mut self, policy: &Policy, now: Timestamp) {
        let finds = |alert: &Alert| {
            let is_on = |check: &String| policy.checks_on.contains(check.as_str());
            let rule = policy.rule(&alert.rule).filter(|rule| rule.labels.iter().all(|own| has(&alert.labels, own)));
            rule.is_some() && alert.labels.get("check").is_none_or(is_on)
        };
        let is_orphan = |alert: &Alert| !finds(alert);
        self.end_own(is_orphan, "nothing looks for it any more", now);
    }

    /// What was found in a repository that is watched no longer is over.
    pub fn end_alerts_of(&mut self, repository: &str, now: Timestamp) {
        self.end_own(|alert| alert.repository == repository, "its repository is watched no longer", now);
    }

    /// Ends those of our own alerts, for this reason. What did not fire yet never was.
    fn end_own(&mut self, is_over: impl Fn(&Alert) -> bool, why: &str, now: Timestamp) {
        let is_over = |alert: &&Alert| alert.phase != Phase::Resolved && !alert.is_foreign() && is_over(alert);
        let over: Vec<_> = self.alerts.values().filter(is_over).map(|alert| alert.fingerprint.clone()).collect();
        for fingerprint in over {
            let Some(alert) = self.alerts.get_mut(&fingerprint) else { continue };
            if alert.phase == Phase::Pending {
                self.remove(&fingerprint);
                continue;
            }
            (alert.phase, alert.ends_at, alert.in_doubt) = (Phase::Resolved, Some(now), None);
            alert.summary.push_str(&format!(" ({why})"));
            self.touch(Row::Alert(fingerprint));
        }
    }

    /// What changed since it was last kept. It counts as being kept until [`Book::kept`] or [`Book::not_kept`].
    pub fn records(&mut self, now: Timestamp) -> Vec<Record> {
        self.being_kept = std::mem::take(&mut self.changed);
        self.being_kept_at = now;
        self.notes_being_kept = std::mem::take(&mut self.notes);
        self.wishes_being_kept = std::mem::take(&mut self.wished);
        let rows: Vec<_> = self.being_kept.iter().cloned().collect();
        let mut records: Vec<_> = rows.iter().flat_map(|row| self.record(row, now)).collect();
        records.extend(self.notes_being_kept.iter().cloned());
        records
    }

    /// Is there something to keep?
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty() || !self.notes.is_empty()
    }

    /// What was being kept is on the disk.
    pub fn kept(&mut self) {
        self.notes_being_kept.clear();
        self.wishes_being_kept.clear();
        for row in std::mem::take(&mut self.being_kept).difference(&self.changed) {
            match row {
                Row::Outgoing(key) if self.outbox.get(key).is_some_and(|row| !row.is_open()) => {
                    self.outbox.remove(key);
                }
                Row::Silence(id) if self.silences.get(id).is_some_and(|it| it.is_long_over(self.being_kept_at)) => {
                    self.silences.remove(id);
                }
                _ => {}
            }
        }
    }

    /// What was being kept is not on the disk.
    pub fn not_kept(&mut self) {
        let again = std::mem::take(&mut self.being_kept);
        self.changed.extend(again);
        let since = std::mem::take(&mut self.notes);
        self.notes = std::mem::take(&mut self.notes_being_kept);
        self.notes.extend(since);
        let wished = std::mem::take(&mut self.wishes_being_kept);
        self.take_back(wished);
    }

    pub(super) fn touch(&mut self, row: Row) {
        self.version += 1;
        self.changed.insert(row);
    }

    /// Was the decision to tell this kept? One that was tried was.
    pub(super) fn is_on_disk(&self, row: &Outgoing) -> bool {
        let key = Row::Outgoing(row.key.clone());
        0 < row.n_attempts || !(self.changed.contains(&key) || self.being_kept.contains(&key))
    }

    pub(super) fn record(&self, row: &Row, now: Timestamp) -> Vec<Record> {
        let record =
            |kind, key: &str, is_open, document| Record { kind, key: key.to_owned(), at: now, is_open, document };
        match row {
            Row::Alert(fingerprint) => match self.alerts.get(fingerprint) {
                Some(alert) => {
                    let live = record(RecordKind::Alert, fingerprint, true, text(alert));
                    // What is over is history, too, whatever comes after it.
                    let past = (alert.phase == Phase::Resolved)
                        .then(|| record(RecordKind::Alert, &alert.id, false, text(alert)));
                    [Some(live), past].into_iter().flatten().collect()
                }
                None => vec![record(RecordKind::Alert, fingerprint, false, None)],
            },
            Row::Silence(id) => match self.silences.get(id) {
                Some(silence) => vec![record(RecordKind::Silence, id, now < silence.ends_at, text(silence))],
                None => Vec::new(),
            },
            Row::Told(to) => {
                let key = format!("{} {}", to.channel, to.group_key);
                let document = self.told.get(to).and_then(|told| text(&(to, told)));
                vec![record(RecordKind::Told, &key, document.is_some(), document)]
            }
            Row::Rule(name) => {
                let document = self.matched.get(name).and_then(text);
                vec![record(RecordKind::Rule, name, document.is_some(), document)]
            }
            Row::Canary(channel) => {
                let document = self.canaries.get(channel).and_then(text);
                vec![record(RecordKind::Promise, &format!("{CANARY}{channel}"), true, document)]
            }
            Row::Heartbeat => vec![record(RecordKind::Promise, HEARTBEAT, true, text(&self.heartbeat))],
            Row::Outgoing(key) => match self.outbox.get(key) {
                Some(row) => vec![record(RecordKind::Outgoing, key, row.is_open(), text(row))],
                None => Vec::new(),
            },
        }
    }

    /// Who changed which window: a line of the audit log, the same however often it is written.
    pub fn note_window(&mut self, change: &crate::window::Change) {
        let at = change.at;
        let key = format!("window {} {} {}", change.window, change.planned.0, at.0);
        let of = change.words();
        let document =
            serde_json::json!({"at": at, "who": change.who, "what": "changed a window", "of": of}).to_string();
        self.notes.push(Record { kind: RecordKind::Audit, key, at, is_open: false, document: Some(document) });
        self.version += 1;
    }

    /// Something else decides what is told now.
    pub fn decide_again(&mut self, now: Timestamp) {
        self.decide_soon(now);
    }

    pub(super) fn note_of(&mut self, who: &str, what: &str, alert: &str, now: Timestamp) {
        let of = self.alert(alert).map_or_else(|| alert.to_owned(), |alert| format!("{}: {}", alert.id, alert.summary));
        self.note(who, what, &of, now);
    }

    /// Who did what: a line of the audit log.
    pub(super) fn note(&mut self, who: &str, what: &str, of: &str, now: Timestamp) {
        let key = self.fresh_id("audit", now);
        let document = serde_json::json!({"at": now, "who": who, "what": what, "of": of}).to_string();
        self.notes.push(Record { kind: RecordKind::Audit, key, at: now, is_open: false, document: Some(document) });
    }

    /// An id that no other has: of the time, of what it is for, and of how many were made.
    pub(super) fn fresh_id(&mut self, of: &str, now: Timestamp) -> String {
        loop {
            self.n_made += 1;
            let parts = [of.to_owned(), now.0.to_string(), self.began_at.0.to_string(), self.n_made.to_string()];
            let labels: Labels = parts.into_iter().enumerate().map(|(at, part)| (at.to_string(), part)).collect();
            // Those that are made later come later, also within a second.
            let id = format!("{:x}-{:04x}-{}", now.0, self.n_made, fingerprint(&labels));
            if !self.outbox.contains_key(&id) && !self.silences.contains_key(&id) {
                return id;
            }
        }
    }
}

fn has(labels: &Labels, (name, value): (&String, &String)) -> bool {
    labels.get(name) == Some(value)
}

fn text<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(value).ok()
}

fn read<T: DeserializeOwned>(document: &str) -> Result<T, String> {
    serde_json::from_str(document).map_err(|error| error.to_string())
}
