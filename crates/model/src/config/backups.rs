//! The part of the configuration that says how repositories are backed up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    amount,
    schema::{LengthText, PathText, WorkflowText},
};
use crate::{Span, task::retention::Spans};

/// Backups of the repositories: where, how often, and how long they stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backups {
    /// The folder for backups. Each repository has a folder of its own in it.
    ///
    /// Unit: a path from the root.
    /// Range: a folder that this user may write. It is made when it is missing.
    /// Default: none (`backups` in the data directory).
    /// Reason: better on another disk than the repositories, which only you can know.
    /// Example: `/mnt/backup/git`
    #[schemars(with = "PathText")]
    pub folder: Option<String>,
    /// Who can read new backups: public keys of age. What a backup holds is encrypted for all of them.
    ///
    /// Unit: recipients of age, as `age-keygen` prints them.
    /// Range: any number of different ones; without any, nothing is encrypted.
    /// Default: [].
    /// Reason: a disk that is far away is read by others; on one of your own, encryption is one more key to lose.
    /// Example: `[age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]`
    #[schemars(with = "Vec<WorkflowText>", extend("uniqueItems" = true))]
    pub recipients: Vec<String>,
    /// The file with the key that reads encrypted backups, for the restore drill.
    ///
    /// Unit: a path from the root.
    /// Range: an identity file of age, without a passphrase.
    /// Default: none (then only the sums of encrypted backups are proven here, and they are restored with --identity).
    /// Reason: whoever has this file reads all backups; it need not lie where they are made.
    /// Example: `/etc/alignwatch/backup.key`
    #[schemars(with = "PathText")]
    pub identity: Option<String>,
    /// How old the newest backup gets before the next is due.
    ///
    /// Unit: a length of time.
    /// Range: 1h to 365d.
    /// Default: 1d.
    /// Reason: ours. A day of work is what people can do again.
    /// Example: `6h`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1h", "x-most" = "365d"))]
    pub every: Span,
    /// How old the newest whole backup gets before the next is whole again, and does not add to it.
    ///
    /// Unit: a length of time.
    /// Range: 1h to 365d.
    /// Default: 7d.
    /// Reason: ours. A restore needs every link of its chain, so that chains stay short.
    /// Example: `30d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1h", "x-most" = "365d"))]
    pub full_every: Span,
    /// How old the last restore drill gets before the next is due.
    ///
    /// Unit: a length of time.
    /// Range: 1h to 365d.
    /// Default: 7d.
    /// Reason: ours. A backup that was never restored is a hope.
    /// Example: `1d`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1h", "x-most" = "365d"))]
    pub drill_every: Span,
    /// Of how many days with a backup one stays.
    ///
    /// Unit: days.
    /// Range: 1 to 3650.
    /// Default: 7.
    /// Reason: grandfather, father, son: most losses are seen within a week.
    /// Example: `14`
    #[schemars(with = "u32", range(min = 1, max = 3650))]
    pub keep_days: u32,
    /// Of how many weeks with a backup one stays.
    ///
    /// Unit: weeks.
    /// Range: 0 to 520.
    /// Default: 4.
    /// Reason: grandfather, father, son.
    /// Example: `8`
    #[schemars(with = "u32", range(min = 0, max = 520))]
    pub keep_weeks: u32,
    /// Of how many months with a backup one stays.
    ///
    /// Unit: months.
    /// Range: 0 to 120.
    /// Default: 12.
    /// Reason: grandfather, father, son.
    /// Example: `24`
    #[schemars(with = "u32", range(min = 0, max = 120))]
    pub keep_months: u32,
}

impl Default for Backups {
    fn default() -> Backups {
        Backups {
            folder: None,
            recipients: Vec::new(),
            identity: None,
            every: Span::days(1),
            full_every: Span::days(7),
            drill_every: Span::days(7),
            keep_days: 7,
            keep_weeks: 4,
            keep_months: 12,
        }
    }
}

impl Backups {
    /// How many spans keep a backup.
    pub fn spans(&self) -> Spans {
        Spans { days: self.keep_days as usize, weeks: self.keep_weeks as usize, months: self.keep_months as usize }
    }
}
