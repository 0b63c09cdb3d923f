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
mod calendars;
mod catalogue;
pub mod channels;
mod cleanup;
mod compat;
mod decode;
mod effective;
mod egress;
mod error;
mod gate;
mod heartbeat;
mod inspect;
mod layers;
mod nearest;
mod on_call;
mod otlp;
mod pattern;
mod prometheus;
mod refs;
mod reports;
mod retention;
mod rules;
mod scalar;
mod schema;
mod secret;
mod serve;
mod starter;
mod tree;
mod upkeep;
mod webhooks;
mod windows;
mod workflows;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alerting::{Alerts, BurnEntry, InhibitEntry, LabelEntry, RouteEntry, RuleEntry, StepEntry, Then};
pub(crate) use amount::optional_length;
pub use amount::{length_text, parse_length, parse_size, size_text};
pub use backups::Backups;
pub use calendars::{Agendas, CalendarEntry};
pub use catalogue::{Doc, Key, Shape, Word, catalogue};
pub use channels::{Channel, Channels};
pub use cleanup::{Cleanup, ProofLevel};
pub use effective::{effective_file, inline};
pub use egress::{Egress, Network};
pub use error::{ConfigError, Excerpt, Place};
pub use gate::{BackupDemand, Forbid, ForbiddenMerge, Gate};
pub use heartbeat::{CanaryEntry, Heartbeat, InWindows, WhenFailing};
pub use inspect::{Inspect, Markers};
pub use layers::{File, Flag, Loaded, Origin, Origins, Sources, load};
pub use nearest::{nearest_key, nearest_word};
pub use on_call::{OnCall, Person};
pub use otlp::{Otlp, OtlpHeader};
pub use pattern::{BadName, Patterns, any_names_path};
pub use refs::{RefFilter, Refs};
pub use reports::{ReportEntry, ReportPeriod};
pub use retention::Retention;
pub(crate) use schema::LengthText;
pub use schema::schema;
pub use secret::SecretRef;
pub use serve::{Front, Serve, StatusPage};
pub use starter::starter_file;
pub use upkeep::{Maintenance, OnBattery, TaskMode, TaskRule};
pub use webhooks::{WebhookEntry, WebhookKind};
pub use windows::{Outside, WindowKind, WindowRule};
pub use workflows::WorkflowRule;

use crate::{Relation, relation::Budget};
use schema::{CheckId, CheckThresholds, LineName, PathText, PatternText};

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
    /// Calendars that others keep: who is on duty, when nothing may change.
    ///
    /// Unit: calendars.
    /// Range: any number with different names.
    /// Default: [].
    /// Reason: where you keep yours cannot be guessed.
    /// Example: `[{name: duty, at: /etc/alignwatch/duty.ics}]`
    pub calendars: Vec<CalendarEntry>,
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
    /// What an alignment must have before it may start.
    pub gate: Gate,
    /// Who may tell the daemon that something was pushed.
    ///
    /// Unit: webhooks.
    /// Range: any number with different names.
    /// Default: [].
    /// Reason: nobody is let in whom you did not give a secret.
    /// Example: `[{name: team-forge, kind: github, secret: "file:/run/secrets/forge"}]`
    pub webhooks: Vec<WebhookEntry>,
    /// Where metrics are sent.
    pub otlp: Otlp,
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
    /// The repositories that the rule is about.
    ///
    /// Unit: paths from the root; `*` stands for a part of a name, `**` for folders in folders.
    /// Range: any number of different paths.
    /// Default: [] (all).
    /// Reason: where many repositories are watched, a line of one of them is none of the others'.
    /// Example: `[/srv/git/product.git]`
    #[schemars(with = "Vec<PathText>", extend("uniqueItems" = true))]
    pub repositories: Vec<String>,
}

impl RelationRule {
    /// Is it about the repository at this path?
    pub fn is_about(&self, path: &str) -> bool {
        self.repositories.is_empty() || any_names_path(&self.repositories, path)
    }

    /// Is it about all repositories that the other one is about, as far as the texts show?
    fn is_about_all_of(&self, other: &RelationRule) -> bool {
        let are_here = || other.repositories.iter().all(|path| self.repositories.contains(path));
        self.repositories.is_empty() || !other.repositories.is_empty() && are_here()
    }
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

/// All that is wrong with a text, for tests.
#[cfg(test)]
fn mistakes_told(text: &str) -> String {
    let errors = Config::from_yaml(text, "f").expect_err("mistakes");
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
