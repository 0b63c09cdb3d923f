//! `webhooks`: can whoever tells of a push be known by its secret?

use alignwatch_model::{Finding, config::WebhookEntry};

use super::{
    Around, Examination, Told,
    secrets::{self, Needs},
};

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
    let name = &webhook.name;
    let mend = ("Put the secret there that the forge has, too.", Vec::new());
    let needs = Needs { who: format!("the webhook `{name}`"), cause: name.clone(), mend };
    secrets::finding(&EXAMINATION, &webhook.secret, needs)
}
