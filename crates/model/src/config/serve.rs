//! The part of the configuration that is about the daemon.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    amount,
    schema::{AddressText, HostName, LengthText, PathText},
};
use crate::Span;

/// The daemon, `alignwatch serve`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// The repositories that are watched, besides those that the command line names.
    ///
    /// Unit: paths from the root; `*` and `?` stand for parts of a name, `**` for folders in folders.
    /// Range: any number of different paths. What a pattern finds that is no repository is left out. Patterns are read again twice a
    /// minute; what they found is watched on when it is gone.
    /// Default: [].
    /// Reason: which repositories are yours cannot be guessed.
    /// Example: `[/srv/git/*.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
    /// Where repositories may be added from over the API (`POST /api/v1/repositories`), besides those that are named here.
    ///
    /// Unit: paths from the root; `*` and `?` stand for parts of a name, `**` for folders in folders.
    /// Range: any number of different paths.
    /// Default: [] (none can be added).
    /// Reason: the daemon reads in its own name what others may not read.
    /// Example: `[/srv/git/*.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub may_add: Vec<String>,
    /// The port on which pages are answered, on this machine only.
    ///
    /// Unit: a port.
    /// Range: 1 to 65535.
    /// Default: 8750.
    /// Reason: ours; no well-known service has it.
    /// Example: `9100`
    #[schemars(with = "u32", range(min = 1, max = 65535))]
    pub port: u32,
    /// The address on which pages are answered. On any but this machine's own, each request needs a token
    /// (`alignwatch token`), and a proxy that speaks TLS must stand in front of it (`front`).
    ///
    /// Unit: an IP address.
    /// Range: an address of this machine, or `0.0.0.0` or `::` for all of them.
    /// Default: 127.0.0.1.
    /// Reason: what is known of your branches is nobody else's business until you say so.
    /// Example: `::1`
    #[schemars(with = "AddressText")]
    pub address: String,
    /// What stands in front of it, when others than this machine can reach it.
    ///
    /// Unit: one word.
    /// Range: nothing, tls_proxy.
    /// Default: nothing.
    /// Reason: alignwatch can't see what stands in front of it, and would rather not begin than let tokens travel in the clear.
    /// Example: `tls_proxy`
    pub front: Front,
    /// Names by which others ask, besides this machine's own addresses.
    ///
    /// Unit: host names.
    /// Range: any number of different names.
    /// Default: [].
    /// Reason: a page of another site could otherwise reach it by a name of its own.
    /// Example: `[watch.example.org]`
    #[schemars(with = "Vec<HostName>", extend("uniqueItems" = true))]
    pub names: Vec<String>,
    /// Who sees the status page (`/status`) and badges (`/badge/…`), where others can reach the address. They tell names of
    /// repositories and how these are, and no path, branch or author.
    ///
    /// Unit: one word.
    /// Range: guarded, public.
    /// Default: guarded.
    /// Reason: that a repository is there is nobody's business until you say so.
    /// Example: `public`
    pub status_page: StatusPage,
    /// How often a repository is looked at when its refs rest.
    ///
    /// Unit: a length of time.
    /// Range: 10s to 7d.
    /// Default: 5m.
    /// Reason: moved refs are seen within seconds. This is for what is not: ages, locks, disks, files without a folder's time.
    /// Example: `15m`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "10s", "x-most" = "7d"))]
    pub interval: Span,
    /// How many repositories are looked at at the same time. Those that are slow have places beside these, so that the others go on.
    ///
    /// Unit: repositories.
    /// Range: 2 to 64.
    /// Default: 2.
    /// Reason: one that is slow must not hold up all others; each holds the history of its repository in memory meanwhile.
    /// Example: `8`
    #[schemars(with = "u32", range(min = 2, max = 64))]
    pub at_once: u32,
    /// How many branches of each repository have series of their own, the ones furthest behind first.
    ///
    /// Unit: branches.
    /// Range: 0 to 500.
    /// Default: 0.
    /// Reason: each makes six series; those of a few repositories are many for a metrics server.
    /// Example: `50`
    #[schemars(with = "u32", range(min = 0, max = 500))]
    pub branch_series: u32,
    /// The part of open branches that should be aligned: the promise that the error budget is counted from.
    ///
    /// Unit: percent.
    /// Range: 1 to 99.
    /// Default: 95.
    /// Reason: ours. One branch in twenty may be late; a promise of all leaves no room for a holiday.
    /// Example: `90`
    #[schemars(with = "u32", range(min = 1, max = 99))]
    pub aligned_objective: u32,
}

/// Who sees the status page and badges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusPage {
    /// Whoever has a token.
    #[default]
    Guarded,
    /// Everybody who can reach the address.
    Public,
}

/// What stands in front of the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Front {
    /// Nothing: who asks speaks to the daemon itself.
    #[default]
    Nothing,
    /// A proxy that speaks TLS, so that tokens do not travel in the clear.
    TlsProxy,
}

impl Default for Serve {
    fn default() -> Serve {
        Serve {
            repositories: Vec::new(),
            may_add: Vec::new(),
            port: 8750,
            address: "127.0.0.1".to_owned(),
            front: Front::Nothing,
            names: Vec::new(),
            interval: Span::minutes(5),
            status_page: StatusPage::default(),
            at_once: 2,
            branch_series: 0,
            aligned_objective: 95,
        }
    }
}
