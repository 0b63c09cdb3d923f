//! Keys of a channel that starts a program.

use super::{Channels, Mistake};
use crate::{
    Span,
    config::{
        amount,
        channels::channel,
        schema::{LengthText, ReasonText},
        tree::for_message,
    },
};

/// Programs that are not named by their path, as a secret's program is.
pub(super) fn mistakes(channels: &Channels) -> impl Iterator<Item = Mistake> {
    let programs =
        channels.command.iter().enumerate().filter_map(|(index, channel)| Some((index, channel.run.first()?)));
    programs.filter(|(_, program)| !program.starts_with('/')).map(|(index, program)| Mistake {
        path: format!("channels.command[{index}].run[0]"),
        problem: format!("`{}` would be another program by another PATH", for_message(program)),
        fix: format!("write its path from the root, like `/usr/local/bin/{}`", for_message(program)),
        also_at: None,
    })
}

channel! {
    /// A program that gets each notice as JSON on its standard input. Exit code 0 means that it was told.
    Command like "Example: `pager-script`" requires ["run"] {
        /// The program by its path from the root, and its arguments. No shell reads them, and nothing of the
        /// notice is in them.
        ///
        /// Unit: words.
        /// Range: at least one, each up to 200 characters.
        /// Default: [].
        /// Reason: what you have to run cannot be guessed.
        /// Example: `[/usr/local/bin/page, --urgent]`
        #[schemars(with = "Vec<ReasonText>", length(min = 1))]
        pub run: Vec<String>,
        /// How long it may take before it is stopped.
        ///
        /// Unit: a length of time.
        /// Range: 1s to 5m.
        /// Default: none (30s).
        /// Reason: as long as any other channel may take.
        /// Example: `1m`
        #[serde(with = "amount::optional_length")]
        #[schemars(with = "LengthText", extend("x-least" = "1s", "x-most" = "5m"))]
        pub deadline: Option<Span>,
    }
}
