//! Keys of a channel that sends mail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Channels;
use crate::config::{
    channels::channel,
    rules::Mistake,
    schema::{HostName, MailboxText, ReasonText, SecretText},
    secret::SecretRef,
};

channel! {
    /// A mail server that takes each notice as a mail.
    Mail like "Example: `team-mail`" requires ["server", "from", "to"] {
        /// The mail server.
        ///
        /// Unit: a host name or an address.
        /// Range: one host.
        /// Default: none.
        /// Reason: whose server takes your mail cannot be guessed.
        /// Example: `mail.example.org`
        #[schemars(with = "HostName")]
        pub server: String,
        /// The port of the mail server.
        ///
        /// Unit: a port.
        /// Range: 1 to 65535.
        /// Default: none (587, 465 with `tls: implicit`, 25 with `tls: none`).
        /// Reason: where servers listen for mail of programs: RFC 6409 and RFC 8314.
        /// Example: `2525`
        #[schemars(with = "u32", range(min = 1, max = 65535))]
        pub port: Option<u32>,
        /// How the connection is made private.
        ///
        /// Unit: one word.
        /// Range: starttls, implicit, none.
        /// Default: starttls.
        /// Reason: what most servers offer. A server that does not is an error: nothing is sent in the clear unless it is asked for.
        /// Example: `implicit`
        pub tls: MailTls,
        /// The user that logs in, when there is a password.
        ///
        /// Unit: a name.
        /// Range: up to 200 characters.
        /// Default: none (the address in `from`).
        /// Reason: most servers know people by their address.
        /// Example: `watch`
        #[schemars(with = "ReasonText")]
        pub user: Option<String>,
        /// The password with which to log in.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none (nobody logs in).
        /// Reason: a server of your own network often takes mail from its neighbours.
        /// Example: `file:/run/secrets/mail`
        #[schemars(with = "SecretText")]
        pub password: Option<SecretRef>,
        /// Who sends it.
        ///
        /// Unit: a mail address.
        /// Range: one address, with a name in front of it if you like.
        /// Default: none.
        /// Reason: servers take mail from addresses that they know.
        /// Example: `watch@example.org`
        #[schemars(with = "MailboxText")]
        pub from: String,
        /// Who gets it.
        ///
        /// Unit: mail addresses.
        /// Range: at least one.
        /// Default: [].
        /// Reason: who wants mail cannot be guessed.
        /// Example: `[team@example.org]`
        #[schemars(with = "Vec<MailboxText>", length(min = 1), extend("uniqueItems" = true))]
        pub to: Vec<String>,
    }
}

/// How a connection to a mail server is made private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// It begins in the clear and becomes private before anything is said.
    #[default]
    Starttls,
    /// It is private from the first byte.
    Implicit,
    /// It is not private.
    None,
}

impl Mail {
    /// The port of the server.
    pub fn port(&self) -> u16 {
        let usual = match self.tls {
            MailTls::Starttls => 587,
            MailTls::Implicit => 465,
            MailTls::None => 25,
        };
        self.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(usual)
    }
}

/// Passwords that would travel in the clear.
pub(super) fn mistakes(channels: &Channels) -> impl Iterator<Item = Mistake> + use<'_> {
    let clear = |mail: &Mail| mail.password.is_some() && mail.tls == MailTls::None;
    channels.mail.iter().enumerate().filter(move |(_, mail)| clear(mail)).map(|(index, _)| Mistake {
        path: format!("channels.mail[{index}].tls"),
        problem: "the password would travel in the clear".to_owned(),
        fix: "write `tls: starttls` or `tls: implicit`".to_owned(),
        also_at: Some(format!("channels.mail[{index}].password")),
    })
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_password_needs_a_private_line() {
        let text = |rest: &str| {
            format!(
                "channels: {{mail: [{{name: a, server: m.example, from: w@x.example, to: [t@x.example], {rest}}}]}}"
            )
        };
        let told =
            |rest: &str| Config::from_yaml(&text(rest), "f").map(drop).map_err(|errors| errors[0].problem.clone());
        assert_eq!(told("user: me, password: \"env:P\""), Ok(()));
        assert_eq!(
            told("user: me, password: \"env:P\", tls: none"),
            Err("the password would travel in the clear (line 1)".into())
        );
    }
}
