//! `channels`: can people be told? Are the secrets there that channels need?

use alignwatch_daemon::alerts;
use alignwatch_model::{
    Finding, Remedy, Severity,
    config::{Channel, SecretRef},
    quote::shell_word,
};
use alignwatch_notify::{self as notify, SecretState};

use super::{Around, Examination, Told};

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
    canaries(around).into_iter().fold(told, Told::but)
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
    let state = notify::secret_state(secret);
    let problem = state.problem()?;
    let (severity, text, commands) = match (&state, secret) {
        (SecretState::OpenToOthers, SecretRef::File(path)) => {
            let path = shell_word(path.as_bytes());
            (Severity::Warning, "Let only the user read it that alignwatch runs as.", vec![format!("chmod o= {path}")])
        }
        _ => (
            Severity::Error,
            "Put the secret there, then try the channel.",
            vec![format!("alignwatch notify test {name}")],
        ),
    };
    let summary = format!("the channel `{name}` needs {secret}: {problem}");
    Some(EXAMINATION.finding(&format!("{name}:{secret}"), severity, summary, Remedy::reversible(text, commands)))
}
