//! The part of the configuration that says who may tell the daemon that something was pushed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Config, any_names_path,
    rules::Mistake,
    schema::{ChannelName, PathText, SecretText},
    secret::SecretRef,
};

/// Somebody who posts to `/api/v1/webhooks/NAME` when something was pushed; the repository is looked at then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["name", "secret"]))]
pub struct WebhookEntry {
    /// The last part of the address to which it is posted.
    ///
    /// Unit: a name.
    /// Range: 1 to 60 letters, digits, `.`, `_` and `-`; no other has it.
    /// Default: none.
    /// Reason: each has a secret of its own, and is found by its name.
    /// Example: `team-forge`
    #[schemars(with = "ChannelName")]
    pub name: String,
    /// How the other side proves that it knows the secret.
    ///
    /// Unit: one word.
    /// Range: github, gitlab, gitea, standard, plain.
    /// Default: github.
    /// Reason: each forge has its own header; Forgejo does as Gitea.
    /// Example: `gitlab`
    pub kind: WebhookKind,
    /// What only the two sides know.
    ///
    /// Unit: where a secret is read.
    /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
    /// Default: none.
    /// Reason: without one, everybody who reaches the address could keep the machine at work.
    /// Example: `file:/run/secrets/forge`
    #[schemars(with = "SecretText")]
    pub secret: SecretRef,
    /// The repositories that it may name.
    ///
    /// Unit: paths from the root; `*` stands for a part of a name, `**` for folders in folders.
    /// Range: any number of different paths.
    /// Default: [] (all that are watched).
    /// Reason: being looked at does a repository no harm.
    /// Example: `[/srv/git/product.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
}

/// How the other side proves that it knows the secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookKind {
    /// HMAC-SHA256 of the body in `X-Hub-Signature-256`.
    #[default]
    Github,
    /// The secret itself in `X-Gitlab-Token`.
    Gitlab,
    /// HMAC-SHA256 of the body in `X-Gitea-Signature`, `X-Forgejo-Signature` or `X-Hub-Signature-256`.
    Gitea,
    /// Standard Webhooks: HMAC-SHA256 of id, time and body, no older than five minutes.
    Standard,
    /// For scripts: the secret itself as a bearer token, and `repository=PATH` or an address of it as the body.
    Plain,
}

impl WebhookEntry {
    /// May it name the repository at this path?
    pub fn is_about(&self, path: &str) -> bool {
        self.repositories.is_empty() || any_names_path(&self.repositories, path)
    }
}

/// Two with one name: only the first would ever be asked.
pub(super) fn mistakes(config: &Config) -> impl Iterator<Item = Mistake> + use<'_> {
    config.webhooks.iter().enumerate().filter_map(|(index, entry)| {
        let is_same = |other: &WebhookEntry| !entry.name.is_empty() && other.name == entry.name;
        let first = config.webhooks[..index].iter().position(is_same)?;
        Some(Mistake {
            path: format!("webhooks[{index}].name"),
            problem: format!("there is a webhook `{}` already", entry.name),
            fix: "give it another name".to_owned(),
            also_at: Some(format!("webhooks[{first}].name")),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{super::mistakes_told as told, *};

    #[test]
    fn a_name_stands_once_and_a_secret_never_in_the_file() {
        let one = "{name: a, kind: github, secret: \"file:/s\"}";
        assert!(told(&format!("webhooks: [{one}, {one}]")).contains("there is a webhook `a` already"));
        let text = told("webhooks: [{name: a, kind: gitlab, secret: hunter2}]");
        assert!(
            text.contains("would be a secret that stands in the configuration") && !text.contains("hunter2"),
            "{text}"
        );
        assert!(told("webhooks: [{name: a, kind: github}]").contains("secret"));
        let config = Config::from_yaml(&format!("webhooks: [{one}]"), "f").unwrap().0;
        assert!(config.webhooks[0].is_about("/anywhere"));
    }
}
