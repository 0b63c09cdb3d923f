//! Whether alignwatch itself does what it should. What these are read from is known to the daemon alone, so that they
//! stand on its metrics page only.

use super::{Breadth, Kind, Metric};

/// Bounds of times that a git takes, in seconds. Source: those that Prometheus' clients have for requests, up to our deadline.
pub const COMMANDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Promises of alignwatch itself.
pub(super) static BROKEN_PROMISES: Metric = Metric {
    name: "alignwatch_broken_promises",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Promises of alignwatch itself that it does not keep",
    formula: "count of what its audit finds: looks, judgements of expected runs, decisions, messages, scheduled tests of channels, the store and its backup, maintenance that did not happen in time; on the daemon's page only",
    why: "While alignwatch itself does not do what it should, silence means nothing",
    worry: "above 0 for five minutes (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// The dead man's switch.
pub(super) static HEARTBEAT: Metric = Metric {
    name: "alignwatch_heartbeat_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &[],
    help: "When the address outside last heard that all is well",
    formula: "Unix time of the last call of `heartbeat.url` that said so and was taken; no sample before the first; on the daemon's page only",
    why: "When it stands still, either alignwatch is not well or nobody outside hears that it is",
    worry: "older than three times `heartbeat.every` (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// Scheduled tests of channels.
pub(super) static CANARY: Metric = Metric {
    name: "alignwatch_canary_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["channel"],
    help: "When a scheduled test last arrived in the channel",
    formula: "Unix time of the last attempt that the channel took; no sample before the first; on the daemon's page only",
    why: "A channel that is silent for weeks may be broken for weeks",
    worry: "older than twice the interval of the canary (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// Metrics that are sent away.
pub(super) static OTLP_ARRIVED: Metric = Metric {
    name: "alignwatch_otlp_arrived_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &[],
    help: "When metrics that are sent to `otlp.endpoint` were last taken",
    formula: "Unix time of the last answer that took them; no sample before the first; on the daemon's page only",
    why: "A dashboard elsewhere that gets nothing new shows the last that it got",
    worry: "older than three times `otlp.every` (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// Attempts to send them.
pub(super) static OTLP_FAILED: Metric = Metric {
    name: "alignwatch_otlp_failed_exports_total",
    kind: Kind::Counter,
    unit: "",
    labels: &[],
    help: "Attempts to send metrics to `otlp.endpoint` that failed since the daemon began",
    formula: "each attempt counts, also of what arrives later; on the daemon's page only",
    why: "A receiver that is often away loses numbers in the end",
    worry: "an increase over an hour (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// What was given up.
pub(super) static OTLP_DROPPED: Metric = Metric {
    name: "alignwatch_otlp_dropped_exports_total",
    kind: Kind::Counter,
    unit: "",
    labels: &[],
    help: "Batches of metrics that were given up since the daemon began",
    formula: "what was refused for good, and what ten newer ones waited behind; on the daemon's page only",
    why: "What was given up is a hole in the series elsewhere; here it is kept",
    worry: "above 0 (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// Attempts to deliver.
pub(super) static ATTEMPTS: Metric = Metric {
    name: "alignwatch_delivery_attempts_total",
    kind: Kind::Counter,
    unit: "",
    labels: &["channel"],
    help: "Attempts to deliver a message to the channel since the daemon began",
    formula: "each attempt counts, of scheduled tests, too; on the daemon's page only",
    why: "With the failures it says how well a channel can be reached",
    worry: "",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// Attempts that failed.
pub(super) static FAILURES: Metric = Metric {
    name: "alignwatch_delivery_failures_total",
    kind: Kind::Counter,
    unit: "",
    labels: &["channel", "reason"],
    help: "Attempts to deliver a message to the channel that failed since the daemon began, by reason",
    formula: "each attempt counts, also of what arrives later; reasons as `alignwatch alert dead` names them; on the daemon's page only",
    why: "A channel that fails often tells late",
    worry: "an increase over an hour (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// Messages that arrived.
pub(super) static DELIVERED: Metric = Metric {
    name: "alignwatch_delivered_messages_total",
    kind: Kind::Counter,
    unit: "",
    labels: &["channel"],
    help: "Messages that the channel took since the daemon began",
    formula: "of scheduled tests, too; on the daemon's page only",
    why: "What divides alignwatch_delivery_wait_seconds_total",
    worry: "",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// How long messages took.
pub(super) static WAIT: Metric = Metric {
    name: "alignwatch_delivery_wait_seconds_total",
    kind: Kind::Counter,
    unit: "",
    labels: &["channel"],
    help: "Time from the decision to tell something until the channel took it, of all messages since the daemon began",
    formula: "sum of seconds between both; with rate() over alignwatch_delivered_messages_total the mean latency; on the daemon's page only",
    why: "What arrives late may as well not have been told",
    worry: "a mean above 15 minutes (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// Dead letters.
pub(super) static DEAD: Metric = Metric {
    name: "alignwatch_dead_messages",
    kind: Kind::Gauge,
    unit: "",
    labels: &["channel"],
    help: "Messages to the channel that could not be delivered and wait for a person",
    formula: "count of what `alignwatch alert dead` lists; on the daemon's page only",
    why: "Somebody was to be told, and was not",
    worry: "above 0 (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// What waits longest.
pub(super) static OLDEST: Metric = Metric {
    name: "alignwatch_oldest_undelivered_timestamp_seconds",
    kind: Kind::Gauge,
    unit: "seconds",
    labels: &["channel"],
    help: "When the oldest message was decided that the channel has not taken yet and that is still tried",
    formula: "Unix time of the decision; no sample while nothing waits; on the daemon's page only",
    why: "Says since when nobody hears by this channel",
    worry: "older than 15 minutes (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};

/// What git costs.
pub(super) static GIT_DURATION: Metric = Metric {
    name: "alignwatch_git_command_duration_seconds",
    kind: Kind::Histogram(COMMANDS),
    unit: "seconds",
    labels: &["command", "exit"],
    help: "How long each git lived that the daemon started, by how it ended",
    formula: "time from its start until it was reaped, by the monotonic clock, since the daemon began. exit: ok = 0, other = another code, \
              signal, ended = the daemon ended it (it took too long, said too much, or was not needed any more); on the daemon's page only",
    why: "A disk that gets slow shows here first; and what watching costs",
    worry: "more than 1 % of signal and ended (alignwatch)",
    breadth: Breadth::Machine,
    read: |_| Vec::new(),
    ..Metric::PLAIN
};
