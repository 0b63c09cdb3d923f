//! What people, other programs and the machine do in tests of rules.

use serde::Deserialize;

use super::{Length, RunAct};
use crate::{
    Span, Timestamp,
    alert::{Ack, Labels, Matcher, Silence, Wish, book::Posted, world::World},
};

/// Something that is done.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Act {
    /// When.
    pub at: Option<Length>,
    /// Silence what these matchers match.
    pub silence: Vec<String>,
    /// For how long: a silence (none = 1h), an acknowledgement (none = until it is over).
    #[serde(rename = "for")]
    pub lasts: Option<Length>,
    /// The silence ends as soon as nothing that it matches fires.
    pub until_resolved: bool,
    /// End the silences with just these matchers.
    pub unsilence: Vec<String>,
    /// Acknowledge what this rule found.
    pub ack: Option<String>,
    /// The acknowledgement stays when it gets graver.
    pub sticky: bool,
    /// Take the acknowledgement of what this rule found back.
    pub unack: Option<String>,
    /// End by hand what this rule found.
    pub end: Option<String>,
    /// Alerts that others post, such as a Prometheus.
    pub post: Vec<Post>,
    /// The window that is open is longer by this, or ends now.
    pub window: Option<WindowAct>,
    /// This channel can't be reached from now on.
    pub down: Option<String>,
    /// This channel can be reached again.
    pub up: Option<String>,
    /// The daemon is killed and started again.
    pub restart: bool,
    /// Something is reported of an alignment run; the next look sees it.
    pub run: Option<RunAct>,
    /// The clock is set back by this. Times of the test go on as if it were not.
    pub clock_back: Option<Length>,
}

/// An alert that is posted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// Its labels; `alertname` among them.
    pub labels: Labels,
    /// Its annotations.
    #[serde(default)]
    pub annotations: Labels,
    /// How long it fires unless it is posted again; none = 5m. 0s: it is over.
    #[serde(default)]
    pub lasts: Option<Length>,
}

/// What is done to a window that is open.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowAct {
    /// Its name.
    pub name: String,
    /// So much longer; none = it ends now.
    #[serde(default)]
    pub extend: Option<Length>,
}

impl Act {
    pub(super) fn perform(&self, world: &mut World) -> Result<(), String> {
        if !self.silence.is_empty() {
            let matchers = self.silence.iter().map(|text| Matcher::parse(text)).collect::<Result<Vec<_>, _>>();
            let (now, lasts) = (world.now, self.lasts.map_or(Span::hours(1), |lasts| lasts.0));
            let silence = Silence {
                id: format!("silence-{}-{}", now.0, world.book.silences.len()),
                matchers: matchers.map_err(|bad| bad.0)?,
                starts_at: now,
                ends_at: Timestamp(now.0.saturating_add(lasts.0)),
                created_by: WHO.to_owned(),
                comment: "a test".to_owned(),
                updated_at: now,
                ends_on_resolve: self.until_resolved,
            };
            world.wish(Wish::Silence { silence, instead_of: None })?;
        }
        self.end_silences(world)?;
        for alert in firing_of(world, self.ack.as_deref())? {
            let until = self.lasts.map(|lasts| Timestamp(world.now.0.saturating_add(lasts.0.0)));
            let (at, is_sticky) = (world.now, self.sticky);
            let ack = Ack { who: WHO.to_owned(), note: String::new(), at, until, is_sticky };
            world.wish(Wish::Ack { alert, ack })?;
        }
        for alert in firing_of(world, self.unack.as_deref())? {
            world.wish(Wish::Unack { alert, who: WHO.to_owned() })?;
        }
        for alert in firing_of(world, self.end.as_deref())? {
            world.wish(Wish::End { alert, who: WHO.to_owned() })?;
        }
        if !self.post.is_empty() {
            let posted = self.post.iter().map(|post| post.posted(world.now)).collect();
            world.wish(Wish::Post(posted))?;
        }
        if let Some(act) = &self.window {
            world.change_window(&act.name, act.extend.map(|by| by.0), WHO)?;
        }
        world.down.extend(self.down.clone());
        if let Some(channel) = &self.up {
            world.down.remove(channel);
        }
        if self.restart {
            world.restart();
        }
        if let Some(by) = self.clock_back {
            world.set_clock_back(by.0);
        }
        Ok(())
    }

    fn end_silences(&self, world: &mut World) -> Result<(), String> {
        if self.unsilence.is_empty() {
            return Ok(());
        }
        let matchers = self.unsilence.iter().map(|text| Matcher::parse(text)).collect::<Result<Vec<_>, _>>();
        let matchers = matchers.map_err(|bad| bad.0)?;
        let is_meant = |silence: &&Silence| silence.matchers == matchers && world.now < silence.ends_at;
        let ids: Vec<String> =
            world.book.silences.values().filter(is_meant).map(|silence| silence.id.clone()).collect();
        if ids.is_empty() {
            return Err(format!("there is no silence on {} that could be ended", self.unsilence.join(", ")));
        }
        ids.into_iter().try_for_each(|id| world.wish(Wish::Unsilence { id, who: WHO.to_owned() }))
    }
}

/// Who does what is done in tests.
const WHO: &str = "the test";

/// The ids of what this rule found and fires; none of no rule. Errors: nothing of it fires.
fn firing_of(world: &World, rule: Option<&str>) -> Result<Vec<String>, String> {
    let Some(rule) = rule else { return Ok(Vec::new()) };
    let of_it = world.book.firing().filter(|alert| alert.rule == rule);
    let ids: Vec<String> = of_it.map(|alert| alert.id.clone()).collect();
    if ids.is_empty() { Err(format!("nothing of the rule `{rule}` fires then")) } else { Ok(ids) }
}

impl Post {
    fn posted(&self, now: Timestamp) -> Posted {
        let (labels, annotations) = (self.labels.clone(), self.annotations.clone());
        let ends_at = self.lasts.map(|lasts| Timestamp(now.0.saturating_add(lasts.0.0)));
        Posted { labels, annotations, starts_at: Some(now), ends_at, generator: String::new() }
    }
}
