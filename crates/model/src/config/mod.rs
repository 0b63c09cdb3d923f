//! The configuration: typed, each key with its meaning, unit, range, default and reason.
//!
//! The doc comment of a field is the one place where its key is described. The
//! schema, the commented starter file, `config explain` and
//! docs/CONFIGURATION.md are made from it, and what it says about range and
//! default is held against the code by a test.
//!
//! No key runs a program. A value comes from the defaults, a file, the
//! environment or a flag, each stronger than the one before; [`Origins`] tells
//! which it was. Nothing here reads a file or the environment: both come in as values.

mod alerting;
mod amount;
mod backups;
mod catalogue;
pub mod channels;
mod cleanup;
mod compat;
mod decode;
mod effective;
mod egress;
mod error;
mod heartbeat;
mod layers;
mod nearest;
mod on_call;
mod pattern;
mod reports;
mod retention;
mod rules;
mod scalar;
mod schema;
mod secret;
mod starter;
mod tree;
mod upkeep;
mod windows;
mod workflows;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alerting::{Alerts, InhibitEntry, LabelEntry, RouteEntry, RuleEntry, StepEntry, Then};
pub(crate) use amount::optional_length;
pub use amount::{length_text, parse_length, parse_size, size_text};
pub use backups::Backups;
pub use catalogue::{Doc, Key, Shape, Word, catalogue};
pub use channels::{Channel, Channels};
pub use cleanup::{Cleanup, ProofLevel};
pub use effective::{effective_file, inline};
pub use egress::{Egress, Network};
pub use error::{ConfigError, Excerpt, Place};
pub use heartbeat::{CanaryEntry, Heartbeat, InWindows, WhenFailing};
pub use layers::{File, Flag, Loaded, Origin, Origins, Sources, load};
pub use nearest::{nearest_key, nearest_word};
pub use on_call::OnCall;
pub use pattern::{BadName, Patterns};
pub use reports::{ReportEntry, ReportPeriod};
pub use retention::Retention;
pub(crate) use schema::LengthText;
pub use schema::schema;
pub use secret::SecretRef;
pub use starter::starter_file;
pub use upkeep::{Maintenance, OnBattery, TaskMode, TaskRule};
pub use windows::{WindowKind, WindowRule};
pub use workflows::WorkflowRule;

use crate::{RefName, Relation, Span, relation::Budget};
use schema::{
    AddressText, CheckId, CheckThresholds, HostName, LineName, PathPatternText, PathText, PatternText, SizeText,
    SpaceText,
};

/// The largest file that is read as a configuration, in bytes.
///
/// Ours: a thousand rules with ten patterns each stay below half of it.
pub const FILE_AT_MOST_BYTES: u64 = 1 << 20;

/// The configuration in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which refs are branches.
    pub refs: Refs,
    /// The primary lines that other branches are measured against, by name, the most important first.
    ///
    /// Unit: names of branches, short (`main`, `origin/main`) or full.
    /// Range: any number of different names.
    /// Default: [].
    /// Reason: with none, they are found: the remote's HEAD, the usual names, and what most branches
    /// forked from. Name them where that finds the wrong ones.
    /// Example: `[main, develop]`
    #[schemars(with = "Vec<LineName>", extend("uniqueItems" = true))]
    pub bases: Vec<String>,
    /// The drift that a branch may have before it is a finding, where no relation says otherwise.
    pub budget: Budget,
    /// What groups of branches owe their base. The first rule that matches a branch decides.
    ///
    /// Unit: rules.
    /// Range: any number of rules; a pattern that an earlier rule takes whole is a mistake.
    /// Default: [].
    /// Reason: a branch without a rule tracks its nearest primary line. Lines that diverge on purpose
    /// need a rule, since calling their drift bad would be wrong.
    /// Example: `[{branches: ["release/*"], relation: backport}]`
    pub relations: Vec<RelationRule>,
    /// Numbers that checks compare with, by the id of the check.
    #[schemars(with = "CheckThresholds")]
    pub thresholds: BTreeMap<String, i64>,
    /// Which checks are made.
    pub checks: Checks,
    /// How a repository is read, and how much that may cost.
    pub inspect: Inspect,
    /// The search for committed conflict markers.
    pub markers: Markers,
    /// The daemon, `alignwatch serve`.
    pub serve: Serve,
    /// When maintenance may run, and when nothing may change.
    ///
    /// Unit: rules.
    /// Range: any number of rules.
    /// Default: [].
    /// Reason: without a freeze, alignment may always go on.
    /// Example: `[{name: release, kind: freeze, open: "2026-12-24T12:00:00Z/2027-01-02T06:00:00Z"}]`
    pub windows: Vec<WindowRule>,
    /// What is expected of alignment runs, by their workflow.
    ///
    /// Unit: rules.
    /// Range: any number of rules, one for each workflow.
    /// Default: [].
    /// Reason: without a rule, runs are recorded and compared with each other, and none can be missed.
    /// Example: `[{name: nightly, due: 1d}]`
    pub workflows: Vec<WorkflowRule>,
    /// Who is told, and where.
    pub channels: Channels,
    /// Which networks may be called when something is told.
    pub egress: Egress,
    /// How alerts are told, where no route says otherwise.
    pub alerts: Alerts,
    /// Reasons for alerts, besides the built-in ones.
    ///
    /// Unit: rules.
    /// Range: any number of rules with different names.
    /// Default: [].
    /// Reason: the built-in rules are meant to be useful unchanged.
    /// Example: `[{name: far, expr: "alignwatch_far_behind_branches > 20", for: 1h}]`
    pub rules: Vec<RuleEntry>,
    /// Who hears of which alerts. The first that matches counts.
    ///
    /// Unit: routes.
    /// Range: any number of routes.
    /// Default: [].
    /// Reason: with none, everything from a warning on goes to all channels.
    /// Example: `[{name: quiet, channels: []}]`
    pub routes: Vec<RouteEntry>,
    /// People who are told in turn. Routes name them as they name a channel.
    ///
    /// Unit: turns.
    /// Range: any number with different names.
    /// Default: [].
    /// Reason: who is on duty cannot be guessed.
    /// Example: `[{name: on-duty, channels: [deploy-bot], from: "2026-01-05T09:00"}]`
    pub on_call: Vec<OnCall>,
    /// Which alerts hide others, besides what follows from a repository that can't be seen.
    ///
    /// Unit: rules.
    /// Range: any number of rules.
    /// Default: [].
    /// Reason: what follows from what, where you are, cannot be guessed.
    /// Example: `[{source: ["alertname=\"host-unwell\""], target: ["alertname=\"run-failed\""]}]`
    pub inhibit: Vec<InhibitEntry>,
    /// Reports that are sent by themselves.
    ///
    /// Unit: reports.
    /// Range: any number of reports with different names.
    /// Default: [].
    /// Reason: who wants to read what, and when, cannot be guessed.
    /// Example: `[{name: weekly, due: "0 8 * * 1", channels: [deploy-bot]}]`
    pub reports: Vec<ReportEntry>,
    /// The dead man's switch: who notices outside when alignwatch itself fails.
    pub heartbeat: Heartbeat,
    /// Scheduled tests of channels. One that does not arrive is told through the others.
    ///
    /// Unit: rules.
    /// Range: any number of rules.
    /// Default: [].
    /// Reason: whose day a test disturbs is for you to say.
    /// Example: `[{channels: [deploy-bot], due: "0 9 * * 1"}]`
    pub canaries: Vec<CanaryEntry>,
    /// Upkeep that nobody has to ask for.
    pub maintenance: Maintenance,
    /// When single tasks run by themselves, and where.
    ///
    /// Unit: rules.
    /// Range: any number of rules; the first that is about a task and a repository decides.
    /// Default: [].
    /// Reason: each task knows how often it is worth asking; it acts only when its numbers say so.
    /// Example: `[{name: geometric-repack, due: "0 3 * * *"}]`
    pub tasks: Vec<TaskRule>,
    /// Backups of the repositories.
    pub backup: Backups,
    /// The clean-up of branches whose work is in their base.
    pub cleanup: Cleanup,
    /// How long the daemon remembers what, and how much room that may take.
    pub store: Retention,
    /// The folder where alignwatch remembers what it found out.
    ///
    /// Unit: a path from the root.
    /// Range: a folder that this user may write. It is made when it is missing.
    /// Default: none (`$XDG_STATE_HOME/alignwatch`, or `~/.local/state/alignwatch`).
    /// Reason: the place for what programs remember. It never lies in a repository, so that nothing is written there.
    /// Example: `/var/lib/alignwatch`
    #[schemars(with = "PathText")]
    pub data_dir: Option<String>,
}

/// Which refs are branches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Refs {
    /// Where branches are: local ones (`heads`), those of remotes (`remotes`), the heads of pull and
    /// merge requests (`pulls`), or all below a prefix of full names (`refs/agents/`).
    ///
    /// Unit: spaces of refs.
    /// Range: at least one of heads, remotes, pulls, or a prefix that begins with `refs/` and ends with `/`.
    /// Default: [heads, remotes].
    /// Reason: where people work. Requests are often kept for ever, so that they outnumber branches by far.
    /// Example: `[heads, refs/agents/]`
    #[schemars(with = "Vec<SpaceText>", length(min = 1), extend("uniqueItems" = true))]
    pub spaces: Vec<String>,
    /// Branches that are not looked at. They are not counted either.
    ///
    /// Unit: patterns of short or full names.
    /// Range: any number of different patterns; `*` stays inside one part of a name, `**` crosses parts.
    /// Default: [].
    /// Reason: all branches are subjects until somebody says otherwise.
    /// Example: `["backup/**", "tmp-*"]`
    #[schemars(with = "Vec<PatternText>", extend("uniqueItems" = true))]
    pub exclude: Vec<String>,
}

/// A relation for the branches that match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["branches"]))]
pub struct RelationRule {
    /// The branches that this rule is about.
    ///
    /// Unit: patterns of short or full names.
    /// Range: at least one; `*` stays inside one part of a name, `**` crosses parts.
    /// Default: [].
    /// Reason: a rule about nothing is a mistake, so that there is no default that works.
    /// Example: `["release/*"]`
    #[schemars(with = "Vec<PatternText>", length(min = 1), extend("uniqueItems" = true))]
    pub branches: Vec<String>,
    /// The line that they are measured against.
    ///
    /// Unit: the name of a branch, short or full.
    /// Range: one name.
    /// Default: none (the nearest primary line).
    /// Reason: where a branch forked from is seen in the history and seldom needs to be said.
    /// Example: `main`
    #[schemars(with = "LineName")]
    pub base: Option<String>,
    /// What they owe that line.
    ///
    /// Unit: one word.
    /// Range: track, stack, mirror, backport, curated, forbidden, ignored.
    /// Default: track.
    /// Reason: what nearly all branches do.
    /// Example: `track`
    pub relation: Relation,
    /// The drift that they may have, in place of the general budget.
    #[schemars(with = "Budget")]
    pub budget: Option<Budget>,
}

/// Which checks are made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checks {
    /// Checks that are left out. They are listed as skipped.
    ///
    /// Unit: ids of checks.
    /// Range: ids that `alignwatch check --list` shows.
    /// Default: [].
    /// Reason: what is not looked at cannot be known to be fine, so that leaving out is for people to decide.
    /// Example: `[stale]`
    #[schemars(with = "Vec<CheckId>", extend("uniqueItems" = true))]
    pub skip: Vec<String>,
    /// The only checks that are made.
    ///
    /// Unit: ids of checks.
    /// Range: ids that `alignwatch check --list` shows.
    /// Default: [].
    /// Reason: with none, all are made.
    /// Example: `[conflicting, far-behind]`
    #[schemars(with = "Vec<CheckId>", extend("uniqueItems" = true))]
    pub only: Vec<String>,
}

/// How a repository is read, and how much that may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Inspect {
    /// How many merges are predicted at the same time.
    ///
    /// Unit: threads.
    /// Range: 1 to 256.
    /// Default: none (as many as there are processors, at most 8).
    /// Reason: ours. Predicting merges is work for processors; eight leave room on a large machine that is shared.
    /// Example: `2`
    #[schemars(with = "u32", range(min = 1, max = 256))]
    pub jobs: Option<u32>,
    /// How long one git process may take before it is stopped. What it should have told is then unknown.
    ///
    /// Unit: a length of time.
    /// Range: 1s to 1h.
    /// Default: 30s.
    /// Reason: the time that the original requirement gives a git command.
    /// Example: `10m`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1s", "x-most" = "1h"))]
    pub git_deadline: Span,
    /// How long git may take over all merges that could not be predicted without it. Those that are
    /// left then have no verdict.
    ///
    /// Unit: a length of time.
    /// Range: 1s to 1d.
    /// Default: 5m.
    /// Reason: ours. All 649 merges of a real repository took git four minutes, one after the other.
    /// Example: `1h`
    #[serde(with = "amount::length")]
    #[schemars(with = "LengthText", extend("x-least" = "1s", "x-most" = "1d"))]
    pub merge_deadline: Span,
    /// How much one git process may write before it is stopped.
    ///
    /// Unit: a size.
    /// Range: 1 MiB to 4 GiB.
    /// Default: 256 MiB.
    /// Reason: ours. A list of a million refs has about 100 MiB.
    /// Example: `1 GiB`
    #[serde(with = "amount::size")]
    #[schemars(with = "SizeText", extend("x-least" = "1 MiB", "x-most" = "4 GiB"))]
    pub output_limit: u64,
}

/// The search for committed conflict markers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Markers {
    /// Files in which conflict markers are meant to be.
    ///
    /// Unit: patterns of paths in the repository.
    /// Range: any number of different patterns; `*` stays inside one folder, `**` crosses folders.
    /// Default: [].
    /// Reason: only a whole triple of markers counts, so that few files need this: manuals and test data about merging.
    /// Example: `["docs/merging/**"]`
    #[schemars(with = "Vec<PathPatternText>", extend("uniqueItems" = true))]
    pub exclude: Vec<String>,
    /// The largest file that is searched.
    ///
    /// Unit: a size.
    /// Range: 1 KiB to 512 MiB.
    /// Default: 4 MiB.
    /// Reason: ours. People resolve conflicts in files they can read; larger ones are generated or data.
    /// Example: `16 MiB`
    #[serde(with = "amount::size")]
    #[schemars(with = "SizeText", extend("x-least" = "1 KiB", "x-most" = "512 MiB"))]
    pub file_limit: u64,
}

/// The daemon, `alignwatch serve`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// The repositories that are watched, besides those that the command line names.
    ///
    /// Unit: paths from the root; `*` and `?` stand for parts of a name, `**` for folders in folders.
    /// Range: any number of different paths. What a pattern finds that is no repository is left out.
    /// Default: [].
    /// Reason: which repositories are yours cannot be guessed.
    /// Example: `[/srv/git/*.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
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

/// Tells branches from other refs, ready to be asked.
#[derive(Clone, Debug)]
pub struct RefFilter {
    spaces: Vec<String>,
    exclude: Patterns,
}

impl Config {
    /// The configuration that a file gives on top of the defaults, and where each value comes from.
    ///
    /// `file_name` is for messages. Errors: all mistakes, in the order of the file.
    pub fn from_yaml(text: &str, file_name: &str) -> Result<(Config, Origins), Vec<ConfigError>> {
        let file = File { name: file_name, bytes: text.as_bytes() };
        let loaded = load(&Sources { file: Some(file), ..Sources::default() })?;
        Ok((loaded.config, loaded.origins))
    }
}

impl Refs {
    /// Prefixes of full ref names outside of which no branch is: to read no more than that.
    pub fn prefixes(&self) -> Vec<&str> {
        self.spaces.iter().flat_map(|space| prefixes_of(space)).collect()
    }

    /// The rule that tells branches from other refs. Errors: a pattern that a checked configuration cannot have.
    pub fn filter(&self) -> Result<RefFilter, BadName> {
        let exclude = Patterns::new(self.exclude.iter().map(String::as_str))?;
        Ok(RefFilter { spaces: self.spaces.clone(), exclude })
    }
}

impl RefFilter {
    /// Is this ref a branch, as far as its name tells? A symbolic ref such as `origin/HEAD` is for its reader to leave out.
    pub fn is_branch(&self, name: &RefName) -> bool {
        self.spaces.iter().any(|space| holds(space, name)) && !self.exclude.matches(name)
    }
}

impl Checks {
    /// Is this check made? Errors: the reason why not, as a sentence part.
    pub fn wants(&self, id: &str) -> Result<(), String> {
        if self.skip.iter().any(|skipped| skipped == id) {
            return Err("left out by the configuration: checks.skip".to_owned());
        }
        if !self.only.is_empty() && !self.only.iter().any(|wanted| wanted == id) {
            return Err("left out by the configuration: checks.only".to_owned());
        }
        Ok(())
    }
}

impl Inspect {
    /// Threads to use where `n_processors` are there.
    pub fn jobs_of(&self, n_processors: usize) -> usize {
        /// See the reason of `inspect.jobs`.
        const JOBS_AT_MOST: usize = 8;
        self.jobs.map_or(n_processors.clamp(1, JOBS_AT_MOST), |jobs| jobs as usize)
    }
}

/// `refs/pull/` is of GitHub, Gitea and Forgejo, `refs/merge-requests/` of GitLab.
fn prefixes_of(space: &str) -> Vec<&str> {
    match space {
        "heads" => vec!["refs/heads/"],
        "remotes" => vec!["refs/remotes/"],
        "pulls" => vec!["refs/pull/", "refs/merge-requests/"],
        prefix => vec![prefix],
    }
}

fn holds(space: &str, name: &RefName) -> bool {
    // Beside the head of a request stands the merge that the host made of it, which is nobody's work.
    prefixes_of(space).iter().any(|prefix| name.starts_with(prefix))
        && (space != "pulls" || name.as_bytes().ends_with(b"/head"))
}

impl Default for Refs {
    fn default() -> Refs {
        Refs { spaces: vec!["heads".into(), "remotes".into()], exclude: Vec::new() }
    }
}

impl Default for Inspect {
    fn default() -> Inspect {
        Inspect { jobs: None, git_deadline: Span(30), merge_deadline: Span::minutes(5), output_limit: 256 << 20 }
    }
}

impl Default for Serve {
    fn default() -> Serve {
        Serve {
            repositories: Vec::new(),
            port: 8750,
            address: "127.0.0.1".to_owned(),
            front: Front::Nothing,
            names: Vec::new(),
            interval: Span::minutes(5),
            status_page: StatusPage::default(),
            branch_series: 0,
            aligned_objective: 95,
        }
    }
}

impl Default for Markers {
    fn default() -> Markers {
        Markers { exclude: Vec::new(), file_limit: 4 << 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_tell_branches_from_other_refs() {
        let spaces = ["heads", "pulls", "refs/agents/"].map(String::from).to_vec();
        let refs = Refs { spaces, exclude: vec!["tmp-*".into()] };
        let filter = refs.filter().expect("good patterns");
        let is_branch = |name| filter.is_branch(&RefName::from(name));
        for name in ["refs/heads/x", "refs/pull/7/head", "refs/merge-requests/7/head", "refs/agents/a/b"] {
            assert!(is_branch(name), "{name}");
        }
        for name in
            ["refs/remotes/o/x", "refs/pull/7/merge", "refs/tags/v1", "refs/heads/tmp-1", "refs/original/refs/heads/x"]
        {
            assert!(!is_branch(name), "{name}");
        }
        assert_eq!(refs.prefixes(), ["refs/heads/", "refs/pull/", "refs/merge-requests/", "refs/agents/"]);
    }

    #[test]
    fn jobs_follow_the_processors_within_reason() {
        let jobs = |jobs, n_processors| Inspect { jobs, ..Inspect::default() }.jobs_of(n_processors);
        assert_eq!([jobs(None, 0), jobs(None, 2), jobs(None, 64), jobs(Some(64), 2)], [1, 2, 8, 64]);
    }
}
