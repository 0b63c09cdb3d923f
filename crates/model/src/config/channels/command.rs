//! Keys of a channel that starts a program.

use crate::Span;
use crate::config::{
    amount,
    channels::channel,
    schema::{LengthText, ReasonText},
};

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
