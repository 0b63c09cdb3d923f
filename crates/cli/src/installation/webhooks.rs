//! `webhooks`: can whoever tells of a push be known by its secret?

use alignwatch_model::{Finding, Remedy, Severity, config::WebhookEntry, quote::shell_word};
use alignwatch_notify::{self as notify, SecretState};

use super::{Around, Examination, Told};

/// Who may tell that something was pushed.
pub(super) static EXAMINATION: Examination = Examination {
    id: "webhooks",
    title: "Webhooks",
    why: "A webhook whose secret is away is answered with an error, and most forges then stop calling it",
    examine,
};

fn examine(around: &Around) -> Told {
    let webhooks = &around.config.webhooks;
    if webhooks.is_empty() {
        return Told::well("none: pushes are seen where refs move, and at the next look");
    }
    let names: Vec<&str> = webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
    webhooks.iter().filter_map(finding).fold(Told::well(names.join(", ")), Told::but)
}

fn finding(webhook: &WebhookEntry) -> Option<Finding> {
    let (name, secret) = (&webhook.name, &webhook.secret);
    let state = notify::secret_state(secret);
    let problem = state.problem()?;
    let summary = format!("the webhook `{name}` needs {secret}: {problem}");
    let (severity, remedy) = match (&state, secret) {
        (SecretState::OpenToOthers, alignwatch_model::config::SecretRef::File(path)) => {
            let command = format!("chmod o= {}", shell_word(path.as_bytes()));
            let text = "Let only the user read it that alignwatch runs as.";
            (Severity::Warning, Remedy::reversible(text, vec![command]))
        }
        _ => (Severity::Error, Remedy::reversible("Put the secret there that the forge has, too.", Vec::new())),
    };
    Some(EXAMINATION.finding(name, severity, summary, remedy))
}
