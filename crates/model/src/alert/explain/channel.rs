//! Why a channel hears what it hears, or nothing.

use super::{Book, Link, Outgoing, Policy, chain, link, of_message, stop};
use crate::{
    Timestamp,
    alert::{Alert, route::Route},
    words,
};

/// Alerts of which it is told one by one. Source: ours; what fits on a screen.
const ALERTS_AT_MOST: usize = 20;

/// What leads to this channel, what keeps each alert that fires from it, and what became of its last message.
pub fn of_channel(book: &Book, policy: &Policy, channel: &str, past: &[Outgoing], now: Timestamp) -> Vec<Link> {
    let mut links: Vec<Link> = policy.routes.iter().flat_map(|route| ways(route, channel, now)).collect();
    if links.is_empty() {
        links.push(stop("route", format!("no route leads to {channel}: see `routes`, and `alerts.fallback`")));
    }
    if policy.fallback.as_deref() == Some(channel) {
        links.push(link("fallback", format!("{channel} hears what another channel cannot be told")));
    }
    links.extend(firing(book, policy, channel, past, now));
    let rows = past.iter().filter(|row| !book.outbox.contains_key(&row.key)).chain(book.outbox.values());
    let last = rows.filter(|row| row.telling.channel == channel).max_by_key(|row| row.decided_at);
    links.push(last.map_or_else(|| link("message", format!("nothing was ever told to {channel}")), of_message));
    links
}

fn ways(route: &Route, channel: &str, now: Timestamp) -> Vec<Link> {
    let matchers: Vec<String> = route.matchers.iter().map(ToString::to_string).collect();
    let which =
        if matchers.is_empty() { "all alerts".to_owned() } else { format!("alerts with {}", matchers.join(", ")) };
    let leads = |who: &crate::alert::route::Who| who.channels(now).contains(&channel);
    let first = route.channels.iter().any(leads).then(|| format!("first, of {which}"));
    let later = route.steps.iter().filter(|step| step.channels.iter().any(leads));
    let later = later.map(|step| format!("{} after the first, of {which}", step.after));
    let said = |when: String| link("route", format!("route {} tells {channel} {when}", route.name));
    first.into_iter().chain(later).map(said).collect()
}

/// For each alert that fires, what decides whether it is told here.
fn firing(book: &Book, policy: &Policy, channel: &str, past: &[Outgoing], now: Timestamp) -> Vec<Link> {
    let firing: Vec<&Alert> = book.firing().collect();
    if firing.is_empty() {
        let (n_rules, n_pending) = (policy.rules.len(), book.alerts().filter(|alert| alert.is_pending()).count());
        let pending = words::count(n_pending, "alert");
        let said =
            format!("nothing fires: {} are in force, and {pending} may fire soon", words::count(n_rules, "rule"));
        return vec![link("firing", said)];
    }
    let mut links = Vec::new();
    for alert in firing.iter().take(ALERTS_AT_MOST) {
        let chain = chain(book, policy, alert, past, now);
        let leads_here = chain.iter().any(|link| link.step == "route" && link.to.as_deref() == Some(channel));
        let about: Vec<Link> = chain.into_iter().filter(|link| link.is_about(channel)).collect();
        let why = match (leads_here, about.iter().find(|link| link.stops)) {
            (false, _) => "no route leads from it here".to_owned(),
            (true, Some(stop)) => stop.said.clone(),
            (true, None) => about.last().map(|link| link.said.clone()).unwrap_or_default(),
        };
        links.push(link("alert", format!("{} ({}): {why}", alert.id, alert.summary)));
    }
    if ALERTS_AT_MOST < firing.len() {
        links.push(link("alert", format!("and {} more that fire", firing.len() - ALERTS_AT_MOST)));
    }
    links
}
