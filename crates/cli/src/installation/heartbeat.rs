//! `heartbeat`: does somebody outside notice when alignwatch itself fails, and does alignwatch do all that it should?

use alignwatch_daemon::{alerts, health};
use alignwatch_model::{
    Finding, Known, Remedy, Severity, Span,
    alert::{Book, Phase},
    config::SecretRef,
};
use alignwatch_notify as notify;

use super::{Around, Examination, Told};

/// The dead man's switch, and the promises that it stands for.
pub(super) static EXAMINATION: Examination = Examination {
    id: "heartbeat",
    title: "Heartbeat",
    why: "When alignwatch itself is dead it can tell nobody; somebody outside has to notice",
    examine,
};

/// Intervals without a call that was heard. Source: what we advise to wait for outside.
const INTERVALS_AT_MOST: i64 = 3;

fn examine(around: &Around) -> Told {
    let Some(url) = &around.config.heartbeat.url else {
        return Told::well("none: nobody outside notices when alignwatch is dead");
    };
    let secret = SecretRef::parse(url).ok().and_then(|secret| unreadable(&secret));
    let told = match around.data_dir.as_ref().map(|dir| alerts::alerting(dir, &around.config, around.now)) {
        None => Told::well("there is no data directory, so that nothing is known of it"),
        Some(Err(reason)) => Told::well(reason),
        Some(Ok(alerting)) => kept(around, &alerting.book),
    };
    secret.into_iter().fold(told, Told::but)
}

fn unreadable(secret: &SecretRef) -> Option<Finding> {
    let problem = notify::secret_state(secret).problem().map(str::to_owned)?;
    let remedy =
        Remedy::reversible("Put the address there, so that only the user of alignwatch can read it.", Vec::new());
    let summary = format!("the heartbeat needs {secret}: {problem}");
    Some(EXAMINATION.finding("address", Severity::Error, summary, remedy))
}

fn kept(around: &Around, book: &Book) -> Told {
    let heard = match book.heartbeat.well_at {
        Some(at) => format!("that all is well was last heard outside {} ago", around.now.since(at)),
        None => "nobody outside has heard yet that all is well".to_owned(),
    };
    let told = Told::well(heard.clone());
    if let Some(failure) = &book.heartbeat.failure {
        let remedy = Remedy::reversible(
            "Is the address right, and may it be called? See `egress` for private networks.",
            Vec::new(),
        );
        let summary = format!("the heartbeat is not heard outside: {failure}");
        return told.but(EXAMINATION.finding("unheard", Severity::Error, summary, remedy));
    }
    match is_late(around, book) {
        true => told.but(late(book, heard)),
        false => told,
    }
}

/// Should it have been heard by now? One that is not at work is told by `daemon`.
fn is_late(around: &Around, book: &Book) -> bool {
    let dir = around.data_dir.as_ref();
    let Some(Known::Seen(Some(daemon))) = dir.map(|dir| health::daemon(dir)) else { return false };
    let active_at = book.heartbeat.well_at.max(Some(daemon.since)).unwrap_or(daemon.since);
    let limit = Span(around.config.heartbeat.every.0.saturating_mul(INTERVALS_AT_MOST));
    limit < around.now.since(active_at)
}

/// With the promises that are not kept, as far as they are alerts.
fn late(book: &Book, heard: String) -> Finding {
    let is_own =
        |alert: &&alignwatch_model::alert::Alert| alert.rule == "own-promise" && alert.phase != Phase::Resolved;
    let broken: Vec<&str> = book.alerts().filter(is_own).map(|alert| alert.summary.as_str()).collect();
    let why = if broken.is_empty() { String::new() } else { format!("; not kept: {}", broken.join("; ")) };
    let remedy = Remedy::reversible(
        "See to what is not kept; the next call says that all is well.",
        ["alignwatch alert list".to_owned()],
    );
    EXAMINATION.finding("late", Severity::Error, format!("{heard}{why}"), remedy)
}
