//! Keys of a channel that writes by a bot of Telegram.

use crate::config::{
    channels::channel,
    schema::{ReasonText, SecretText, UrlText},
    secret::SecretRef,
};

channel! {
    /// A chat of Telegram, by a bot.
    Telegram like "Example: `team-telegram`" requires ["token", "chat"] {
        /// The token of the bot, as BotFather gave it.
        ///
        /// Unit: where a secret is read.
        /// Range: `file:/path`, `env:NAME` or `command:/path argument`.
        /// Default: none.
        /// Reason: a bot's token is a secret.
        /// Example: `file:/run/secrets/telegram`
        #[schemars(with = "SecretText")]
        pub token: SecretRef,
        /// The chat in which it writes.
        ///
        /// Unit: a chat id, or `@` and the name of a channel.
        /// Range: up to 200 characters.
        /// Default: none.
        /// Reason: a bot can be in many chats.
        /// Example: `"-1001234567890"`
        #[schemars(with = "ReasonText")]
        pub chat: String,
        /// The address of the service.
        ///
        /// Unit: a web address, or where it is read.
        /// Range: `https://` or `http://` with a host, without a password.
        /// Default: none (`https://api.telegram.org`).
        /// Reason: where Telegram answers bots.
        /// Example: `https://telegram.example.org`
        #[schemars(with = "UrlText")]
        pub url: Option<String>,
    }
}
