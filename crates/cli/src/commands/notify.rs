//! `alignwatch notify`

use std::{collections::BTreeMap, time::Instant};

use alignwatch_daemon::alerts;
use alignwatch_model::{
    Timestamp,
    alert::canary::Canary,
    config::{CanaryEntry, Channel, Config, OnCall},
    notice::{Delivered, Failure as NotDelivered, FailureReason, Notice, NoticeStatus},
};
use alignwatch_notify::{self as notify, Egress, SecretState};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Global;
use crate::{
    Exit, configuring,
    failure::Failure,
    output::{Format, escape},
    surroundings,
};

/// List the channels by which people are told, and try them
///
/// Channels are configured under `channels`; `alignwatch config explain channels` lists their kinds.
/// A test says that it is one. It is one attempt, and what came of it is told as the daemon would record it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch notify list                    channels, their secrets, and when a scheduled test last arrived
  alignwatch notify test team-slack         send a test, and say what the other side answered
  alignwatch notify test on-call --over     send its end: closes what the test opened
  alignwatch notify test team-mail --preview   show what would be sent, and send nothing
  alignwatch notify on-call                 who is on duty now, and who is next

Exit code 1 when the test did not arrive.")]
pub(crate) struct NotifyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the channels, whether their secrets can be read, and when a scheduled test last arrived
    List,
    /// Show who is on duty, until when, and who is next
    OnCall {
        /// Whose turns [default: all of `on_call`]
        name: Option<String>,
    },
    /// Send a test notice to a channel
    Test {
        /// The channel, by its name
        channel: String,
        /// Send the end of the test: closes the incident or issue that a test opened
        #[arg(long)]
        over: bool,
        /// Show what would be sent, and send nothing
        #[arg(long)]
        preview: bool,
    },
}

/// Lists or tries.
pub(crate) fn run(global: &Global, asked: &NotifyArgs) -> Result<Exit, Failure> {
    let form = global.form("notify", &[Format::Human, Format::Json])?;
    let config = configuring::configure(global)?;
    match &asked.what {
        What::List => list(&config, &Tests::of(&config), form),
        What::OnCall { name } => on_call(&config, name.as_deref(), form),
        What::Test { channel, over, preview } => {
            let channel = named(&config, channel)?;
            let notice = test_notice(&config, &channel, *over);
            if *preview { show(&channel, &notice, form) } else { test(&config, &channel, &notice, form) }
        }
    }
}

/// Who is on duty at one time.
struct OnDuty {
    name: String,
    channels: Vec<String>,
    /// When somebody else may be, and who.
    next: Option<(Timestamp, Vec<String>)>,
    /// Why the calendar does not count.
    doubt: Option<String>,
}

fn on_call(config: &Config, name: Option<&str>, form: Format) -> Result<Exit, Failure> {
    let now = surroundings::now();
    let meant = config.on_call.iter().filter(|turns| name.is_none_or(|name| turns.name == name));
    let on_duty = |turns: &OnCall| {
        let duty = turns.duty().ok()?;
        let owned = |at| duty.at(at).into_iter().map(str::to_owned).collect();
        Some(OnDuty {
            name: turns.name.clone(),
            channels: owned(now),
            next: duty.changes_after(now).map(|at| (at, owned(at))),
            doubt: duty.doubt().map(str::to_owned),
        })
    };
    let all: Vec<OnDuty> = meant.filter_map(on_duty).collect();
    if let (Some(name), true) = (name, all.is_empty()) {
        let known: Vec<&str> = config.on_call.iter().map(|turns| turns.name.as_str()).collect();
        let failure = Failure::usage(format!("there are no turns `{name}`"));
        return Err(match known.is_empty() {
            true => failure.hint("nobody takes turns; `alignwatch config explain on_call` tells how"),
            false => failure.hint(format!("there are {}", known.join(", "))),
        });
    }
    let text = match form {
        Format::Json => {
            let one = |duty: &OnDuty| {
                json!({"name": duty.name, "on_duty": duty.channels, "until": duty.next.as_ref().map(|(at, _)| at),
                       "next": duty.next.as_ref().map(|(_, who)| who), "unknown": duty.doubt})
            };
            let all: Vec<Value> = all.iter().map(one).collect();
            escape::json(&json!({"schema": "alignwatch.on-call/1", "on_call": all}))
        }
        _ if all.is_empty() => "nobody takes turns: `alignwatch config explain on_call` tells how\n".to_owned(),
        _ => all.iter().map(duty_line).collect(),
    };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn duty_line(duty: &OnDuty) -> String {
    let next = match &duty.next {
        Some((at, who)) if *who == duty.channels => format!(", at least until {at}"),
        Some((at, who)) => format!(" until {at}, then {}", who.join(", ")),
        None => ", as far as it is planned".to_owned(),
    };
    let doubt = match &duty.doubt {
        Some(why) => format!(" (the calendar does not count: {why})"),
        None => String::new(),
    };
    format!("{}\n", escape::terminal(&format!("{}: {}{next}{doubt}", duty.name, duty.channels.join(", "))))
}

/// The channel with this name.
pub(crate) fn named(config: &Config, name: &str) -> Result<Channel, Failure> {
    config.channels.named(name).ok_or_else(|| {
        let all: Vec<String> = config.channels.all().iter().map(|channel| channel.name().to_owned()).collect();
        let failure = Failure::usage(format!("there is no channel `{name}`"));
        match all.is_empty() {
            true => failure.hint("no channel is configured; `alignwatch config explain channels` tells how"),
            false => failure.hint(format!("the channels are {}", all.join(", "))),
        }
    })
}

fn test_notice(config: &Config, channel: &Channel, is_over: bool) -> Notice {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let status = if is_over { NoticeStatus::Resolved } else { NoticeStatus::Firing };
    let url = config.serve.names.first().map_or_else(String::new, |name| format!("https://{name}/"));
    notify::test_notice(channel.name(), status, &host, &url, surroundings::now())
}

fn show(channel: &Channel, notice: &Notice, form: Format) -> Result<Exit, Failure> {
    let draft = notify::preview(channel, notice);
    let answer = match form {
        Format::Json => escape::json(&json!({
            "schema": "alignwatch.notify-preview/1", "channel": channel.name(), "kind": channel.kind(), "text": draft,
        })),
        _ => draft.lines().map(|line| format!("{}\n", escape::terminal(line))).collect(),
    };
    surroundings::answer(answer.as_bytes())?;
    Ok(Exit::Fine)
}

fn test(config: &Config, channel: &Channel, notice: &Notice, form: Format) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let outcome = notify::deliver(channel, notice, &Egress::of(&config.egress), surroundings::now());
    let seconds = begun.elapsed().as_secs_f64();
    if form == Format::Json {
        surroundings::answer(escape::json(&as_json(channel, notice, &outcome, seconds)).as_bytes())?;
        return Ok(if outcome.is_ok() { Exit::Fine } else { Exit::CouldNot });
    }
    match outcome {
        Ok(delivered) => {
            surroundings::answer(told(channel, notice, &delivered, seconds).as_bytes())?;
            Ok(Exit::Fine)
        }
        Err(failure) => Err(not_told(channel, &failure)),
    }
}

/// What is said of a test that arrived.
fn told(channel: &Channel, notice: &Notice, delivered: &Delivered, seconds: f64) -> String {
    let mut text = format!(
        "told {} ({}) in {seconds:.1} s: {}\n",
        channel.name(),
        channel.kind(),
        escape::terminal(&delivered.answer)
    );
    if let Some(reference) = &delivered.reference {
        text.push_str(&format!("  there it is {}\n", escape::terminal(reference)));
    }
    if keeps_open(channel) && notice.status == NoticeStatus::Firing {
        text.push_str(&format!("  it stays open there until: alignwatch notify test {} --over\n", channel.name()));
    }
    text
}

/// Does the other side keep something open until it hears the end?
fn keeps_open(channel: &Channel) -> bool {
    matches!(
        channel,
        Channel::Pagerduty(_)
            | Channel::Opsgenie(_)
            | Channel::JiraServiceManagement(_)
            | Channel::Alertmanager(_)
            | Channel::Github(_)
            | Channel::Gitlab(_)
            | Channel::Gitea(_)
    )
}

/// What is said of a notice that did not arrive, with what to look at.
pub(crate) fn not_told(channel: &Channel, failure: &NotDelivered) -> Failure {
    let (name, kind) = (channel.name(), channel.kind());
    let told = Failure::could_not(format!("cannot tell `{name}` ({kind}): {}", failure.detail));
    let told = match what_to_look_at(failure.reason) {
        Some(hint) => told.hint(hint),
        None => told,
    };
    match failure.retry_after {
        Some(wait) => told.hint(format!("the other side asks to wait {wait}")),
        None => told,
    }
}

fn what_to_look_at(reason: FailureReason) -> Option<&'static str> {
    match reason {
        FailureReason::AuthError => Some(
            "is the secret the one of this channel, and still good? `alignwatch notify list` says where it is read",
        ),
        FailureReason::Gone => {
            Some("the other side took the address away: make a new one there, or take the channel out")
        }
        FailureReason::Redirected => Some("redirects are not followed: write the address to which it leads"),
        FailureReason::Tls => Some("an authority of your own is trusted by `egress: {certificates: [/path/to.pem]}`"),
        FailureReason::TimedOut | FailureReason::Connection => Some("does the way there lead through a firewall?"),
        FailureReason::UnknownHost => Some("is the name right, and can this machine look it up?"),
        _ => None,
    }
}

fn as_json(channel: &Channel, notice: &Notice, outcome: &Result<Delivered, NotDelivered>, seconds: f64) -> Value {
    json!({
        "schema": "alignwatch.notify-test/1",
        "channel": channel.name(),
        "kind": channel.kind(),
        "key": notice.key,
        "is_told": outcome.is_ok(),
        "elapsed_seconds": seconds,
        "answer": outcome.as_ref().ok().map(|delivered| &delivered.answer),
        "reference": outcome.as_ref().ok().and_then(|delivered| delivered.reference.as_ref()),
        "failure": outcome.as_ref().err().map(|failure| json!({
            "reason": failure.reason,
            "detail": failure.detail,
            "is_permanent": failure.is_permanent,
            "retry_after_seconds": failure.retry_after,
        })),
    })
}

/// What is known of scheduled tests.
struct Tests<'a> {
    entries: &'a [CanaryEntry],
    /// By channel; or why nothing is known.
    known: Result<BTreeMap<String, Canary>, String>,
    now: Timestamp,
}

impl Tests<'_> {
    fn of(config: &Config) -> Tests<'_> {
        let now = surroundings::now();
        let dir = configuring::data_dir(config).ok_or_else(|| "there is no data directory".to_owned());
        let known = dir.and_then(|dir| alerts::alerting(&dir, config, now));
        Tests { entries: &config.canaries, known: known.map(|alerting| alerting.book.canaries), now }
    }

    fn entry(&self, channel: &str) -> Option<&CanaryEntry> {
        self.entries.iter().find(|entry| entry.channels.iter().any(|name| name == channel))
    }

    fn of_channel(&self, channel: &str) -> Option<Canary> {
        self.known.as_ref().ok().map(|known| known.get(channel).cloned().unwrap_or_default())
    }

    /// When it is tested, and what came of it; nothing for one that is not.
    fn line(&self, channel: &str) -> Option<String> {
        let entry = self.entry(channel)?;
        let zone = entry.zone.as_ref().map(|zone| format!(" ({zone})")).unwrap_or_default();
        let said = match (&self.known, self.of_channel(channel).unwrap_or_default()) {
            (Err(reason), _) => format!("nothing is known of its tests: {reason}"),
            (_, Canary { failure: Some(why), arrived_at, .. }) => {
                format!("the last test did not arrive: {why}; {}", self.arrived(arrived_at))
            }
            (_, Canary { arrived_at, .. }) => self.arrived(arrived_at),
        };
        Some(format!("  tested {}{zone}: {}\n", escape::terminal(&entry.due), escape::terminal(&said)))
    }

    fn arrived(&self, at: Option<Timestamp>) -> String {
        match at {
            Some(at) => format!("the last success was at {}, {} ago", at.rfc3339(), self.now.since(at)),
            None => "no test has arrived yet".to_owned(),
        }
    }

    fn json(&self, channel: &str) -> Value {
        let Some(entry) = self.entry(channel) else { return Value::Null };
        let canary = self.of_channel(channel);
        json!({
            "due": entry.due,
            "zone": entry.zone,
            "is_known": canary.is_some(),
            "sent_at": canary.as_ref().and_then(|canary| canary.sent_at).map(|at| at.rfc3339()),
            "arrived_at": canary.as_ref().and_then(|canary| canary.arrived_at).map(|at| at.rfc3339()),
            "failure": canary.and_then(|canary| canary.failure),
        })
    }
}

fn list(config: &Config, tests: &Tests<'_>, form: Format) -> Result<Exit, Failure> {
    let channels = config.channels.all();
    let answer = match form {
        Format::Json => {
            let channels: Vec<Value> = channels.iter().map(|channel| channel_json(channel, tests)).collect();
            escape::json(&json!({ "schema": "alignwatch.channels/1", "channels": channels }))
        }
        _ if channels.is_empty() => {
            "no channel is configured; `alignwatch config explain channels` tells how\n".to_owned()
        }
        _ => channels.iter().map(|channel| channel_lines(channel, tests)).collect(),
    };
    surroundings::answer(answer.as_bytes())?;
    Ok(Exit::Fine)
}

fn channel_json(channel: &Channel, tests: &Tests<'_>) -> Value {
    let secrets = notify::secrets(channel).into_iter().map(|secret| {
        let state = notify::secret_state(&secret);
        json!({
            "place": secret.to_string(),
            "is_readable": !matches!(state, SecretState::Unreadable(_)),
            "problem": state.problem(),
        })
    });
    json!({
        "name": channel.name(),
        "kind": channel.kind(),
        "secrets": secrets.collect::<Vec<_>>(),
        "canary": tests.json(channel.name()),
    })
}

fn channel_lines(channel: &Channel, tests: &Tests<'_>) -> String {
    let mut lines = format!("{:<24} {}\n", channel.name(), channel.kind());
    for secret in notify::secrets(channel) {
        let state = notify::secret_state(&secret);
        let said = state.problem().unwrap_or("can be read");
        lines.push_str(&format!("  {}: {}\n", escape::terminal(&secret.to_string()), escape::terminal(said)));
    }
    lines.extend(tests.line(channel.name()));
    lines
}
