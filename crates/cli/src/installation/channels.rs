//! `channels`: can people be told? Are the secrets there that channels need?

use alignwatch_daemon::alerts;
use alignwatch_model::{
    Finding, Remedy, Severity,
    alert::outbox::{Outcome, Outgoing},
    config::{Channel, SecretRef},
};
use alignwatch_notify as notify;

use super::{
    Around, Examination, Told,
    secrets::{self, Needs},
};

/// The channels by which people are told.
pub(super) static EXAMINATION: Examination = Examination {
    id: "channels",
    title: "Channels",
    why: "A channel whose secret is away tells nobody, and that is found out when it matters",
    examine,
};

fn examine(around: &Around) -> Told {
    let channels = around.config.channels.all();
    if channels.is_empty() {
        return Told::well("none: nobody is told of anything".to_owned());
    }
    let names: Vec<String> =
        channels.iter().map(|channel| format!("{} ({})", channel.name(), channel.kind())).collect();
    let told = Told::well(names.join(", "));
    let findings = channels
        .iter()
        .flat_map(|channel| notify::secrets(channel).into_iter().filter_map(|secret| finding(channel, &secret)));
    let told = findings.fold(told, Told::but);
    let told = canaries(around).into_iter().fold(told, Told::but);
    undelivered(around).into_iter().fold(told, Told::but)
}

/// Messages that are looked through for the last one to each channel. Source: ours; a month of a busy channel.
const MESSAGES_LOOKED_AT: usize = 2_000;

/// Channels that did not take the last message which was brought to them, each by its name.
fn undelivered(around: &Around) -> Vec<Finding> {
    // What can't be read is told by `store`.
    let messages =
        around.data_dir.as_ref().and_then(|dir| alerts::messages(dir, MESSAGES_LOOKED_AT).ok()).unwrap_or_default();
    let channels = around.config.channels.all();
    let failed = channels.iter().filter_map(|channel| Some((channel.name(), last_failure(&messages, channel.name())?)));
    failed
        .map(|(name, failure)| {
            let summary =
                format!("the channel `{name}` did not take the last message that was brought to it: {failure}");
            let commands = vec![format!("alignwatch notify test {name}")];
            let remedy = Remedy::reversible("Mend what it says, then try the channel.", commands);
            EXAMINATION.finding(&format!("{name}:delivery"), Severity::Error, summary, remedy)
        })
        .collect()
}

/// Why the last attempt to bring something to this channel failed; `None` = it did not, or there was none.
fn last_failure(messages: &[Outgoing], channel: &str) -> Option<String> {
    let of_it = messages.iter().filter(|row| row.telling.channel == channel);
    let last = of_it.flat_map(|row| &row.attempts).max_by_key(|attempt| attempt.at)?;
    match &last.outcome {
        Outcome::Failed(failure) => Some(format!("{}, at {}", failure.detail, last.at)),
        Outcome::Delivered(_) => None,
    }
}

/// Scheduled tests that did not arrive.
fn canaries(around: &Around) -> Vec<Finding> {
    if around.config.canaries.is_empty() {
        return Vec::new();
    }
    // What can't be read is told by `store`.
    let known = around.data_dir.as_ref().and_then(|dir| alerts::alerting(dir, &around.config, around.now).ok());
    let planned = |name: &String| around.config.canaries.iter().any(|canary| canary.channels.contains(name));
    let failed = known.into_iter().flat_map(|alerting| alerting.book.canaries).filter(|(name, _)| planned(name));
    failed
        .filter_map(|(name, canary)| {
            let summary = format!("the scheduled test of the channel `{name}` did not arrive: {}", canary.failure?);
            let commands = vec![format!("alignwatch notify test {name}")];
            let remedy = Remedy::reversible("Mend what it says, then try the channel.", commands);
            Some(EXAMINATION.finding(&format!("{name}:canary"), Severity::Error, summary, remedy))
        })
        .collect()
}

fn finding(channel: &Channel, secret: &SecretRef) -> Option<Finding> {
    let name = channel.name();
    let mend = ("Put the secret there, then try the channel.", vec![format!("alignwatch notify test {name}")]);
    let needs = Needs { who: format!("the channel `{name}`"), cause: format!("{name}:{secret}"), mend };
    secrets::finding(&EXAMINATION, secret, needs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alignwatch_model::{
        Timestamp,
        alert::{announcement::of_window, outbox::Attempt},
        notice::{Delivered, Failure, FailureReason},
        task::report::Told as Words,
    };

    fn tried(channel: &str, at: i64, failure: Option<&str>) -> Outgoing {
        let words = Words { summary: "it closed".into(), details: Vec::new() };
        let mut row = of_window(&format!("{channel}-{at}"), channel, "night", &words, Timestamp(at));
        let failed = |detail: &str| Failure {
            reason: FailureReason::Connection,
            detail: detail.into(),
            is_permanent: false,
            retry_after: None,
        };
        let outcome =
            failure.map_or_else(|| Outcome::Delivered(Delivered::default()), |detail| Outcome::Failed(failed(detail)));
        row.attempts.push(Attempt { at: Timestamp(at), outcome });
        row
    }

    #[test]
    fn the_last_attempt_to_a_channel_says_whether_it_can_be_reached() {
        let rows = [
            tried("a", 10, Some("it answered 500")),
            tried("a", 20, None),
            tried("b", 10, None),
            tried("b", 30, Some("nobody listens")),
        ];
        assert_eq!(last_failure(&rows, "a"), None);
        assert_eq!(last_failure(&rows, "b").unwrap(), "nobody listens, at 1970-01-01T00:00:30Z");
        assert_eq!(last_failure(&rows, "c"), None, "nothing was ever brought to it");
    }
}
