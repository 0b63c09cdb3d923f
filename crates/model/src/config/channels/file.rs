//! Keys of a channel that appends to a file.

use crate::config::{channels::channel, schema::PathText};

channel! {
    /// A file to which each notice is appended as one line of JSON.
    File like "Example: `notices`" requires ["path"] {
        /// The file. It is made when it is missing; its folder must be there.
        ///
        /// Unit: a path from the root.
        /// Range: a file that this user may write.
        /// Default: none.
        /// Reason: where your logs are collected cannot be guessed.
        /// Example: `/var/log/alignwatch/notices.jsonl`
        #[schemars(with = "PathText")]
        pub path: String,
    }
}
