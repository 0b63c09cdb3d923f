//! `alignwatch alert`

use std::path::PathBuf;

use alignwatch_daemon::alerts;
use alignwatch_model::{
    Span, Timestamp,
    alert::{
        Alert as Known, Matcher, Phase, Silence,
        mute::SilenceState,
        outbox::{Outcome, Outgoing, State},
        unsent::Holding,
    },
    config::{Config, length_text, parse_length},
    turn::Alerting,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Global;
use crate::{
    Exit,
    asking::Daemon,
    configuring,
    failure::Failure,
    output::{Format, escape, human},
    surroundings,
};

/// See what fires, say that you care for it, or hold it back
///
/// Lists are read from the store, so that they work while the daemon is away. What changes something is done by the
/// daemon, and is on the disk when the command ends. `alignwatch explain ID` tells why somebody was told of an
/// alert, or was not.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch alert list
  alignwatch alert ack 3f2a9c --note 'rebasing it now'
  alignwatch alert silence repository=/srv/git/a.git --for 2h --comment 'moving it'
  alignwatch alert unsilence 8d1f…
  alignwatch alert dead                what could not be delivered")]
pub(crate) struct AlertArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What fires, the gravest first, and what holds it back
    List {
        /// Also what is pending, and what ended within a day
        #[arg(long)]
        all: bool,
    },
    /// Say that you care for an alert: nobody is told again until it is over
    Ack {
        /// Its id, or the first letters of it
        id: String,
        /// What others should know
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
        /// Only for so long, such as 2h
        #[arg(long = "for", value_name = "TIME", value_parser = length)]
        time: Option<Span>,
        /// Also when it gets graver
        #[arg(long)]
        sticky: bool,
        /// Take it back
        #[arg(long, conflicts_with_all = ["note", "time", "sticky"])]
        undo: bool,
        /// Who cares [default: this user]
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// End an alert that nobody can see to be over, such as one of a repository that is watched no more
    End {
        /// Its id, as `alert list` shows it
        id: String,
    },
    /// Hold back what matches, for a time
    Silence {
        /// Conditions on labels, such as alertname=conflict or severity!=critical; all must hold
        #[arg(required = true, value_name = "MATCHER", value_parser = matcher)]
        matchers: Vec<Matcher>,
        /// For how long, such as 2h
        #[arg(long = "for", value_name = "TIME", value_parser = length, default_value = "1h")]
        time: Span,
        /// Why
        #[arg(long, value_name = "TEXT")]
        comment: String,
        /// Who asks for it [default: this user]
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// End it as soon as nothing that it matches fires
        #[arg(long)]
        until_resolved: bool,
        /// Also where every alert meets these conditions, such as alertname=~".+"
        #[arg(long)]
        all: bool,
        /// Only show what it would hold
        #[arg(long)]
        dry_run: bool,
    },
    /// End a silence
    Unsilence {
        /// Its id, or the first letters of it
        id: String,
    },
    /// Silences that hold or will hold
    Silences,
    /// Messages that could not be delivered
    Dead,
    /// Try such a message again, as things stand now
    Retry {
        /// Its key
        key: String,
    },
    /// Give such a message up
    Drop {
        /// Its key
        key: String,
    },
}

fn length(text: &str) -> Result<Span, String> {
    parse_length(text).filter(|span| 0 < span.0).ok_or_else(|| "write it like 30m or 2h".to_owned())
}

fn matcher(text: &str) -> Result<Matcher, String> {
    Matcher::parse(text).map_err(|bad| bad.0)
}

/// Lists, or has it done.
pub(crate) fn run(global: &Global, asked: &AlertArgs) -> Result<Exit, Failure> {
    let form = global.form("alert", &[Format::Human, Format::Json])?;
    let config = configuring::configure(global)?;
    let asking = Asking { global, form, config: &config };
    let text = match &asked.what {
        What::List { all } => asking.list(*all)?,
        What::Silences => asking.silences()?,
        What::Dead => asking.dead()?,
        What::Ack { id, undo: true, .. } => asking.unack(id)?,
        What::Ack { id, note, time, sticky, by, .. } => asking.ack(id, note, *time, *sticky, by.as_deref())?,
        What::Silence { matchers, time, comment, by, until_resolved, all, dry_run } => {
            if !all && matchers.iter().all(Matcher::is_met_by_all) {
                return Err(Failure::usage(
                    "every alert meets these conditions, so that nobody would hear of anything",
                )
                .hint("write one that not all meet, or say `--all` if that is meant"));
            }
            let silence = asking.silence(matchers, *time, comment, by.as_deref(), *until_resolved);
            asking.have_silenced(&silence, *dry_run)?
        }
        What::Unsilence { id } => {
            let id = asking.silence_id(id)?;
            asking.daemon().delete(&format!("/api/v2/silence/{id}"))?;
            asking.done(&json!({"silence": id}), format!("the silence {id} is over\n"))
        }
        What::Retry { key } => {
            asking.daemon().post(&format!("/api/v1/messages/{key}/retry"), &Value::Null)?;
            asking.done(&json!({"message": key}), format!("{key} is tried again\n"))
        }
        What::Drop { key } => {
            asking.daemon().delete(&format!("/api/v1/messages/{key}"))?;
            asking.done(&json!({"message": key}), format!("{key} is given up\n"))
        }
        What::End { id } => {
            asking.daemon().post(&format!("/api/v1/alerts/{id}/end"), &Value::Null)?;
            asking.done(&json!({"alert": id}), format!("{id} is over; what is still bad fires again\n"))
        }
    };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

struct Asking<'a> {
    global: &'a Global,
    form: Format,
    config: &'a Config,
}

impl Asking<'_> {
    fn daemon(&self) -> Daemon {
        Daemon::of(self.config)
    }

    fn data_dir(&self) -> Result<PathBuf, Failure> {
        configuring::data_dir(self.config)
            .ok_or_else(|| Failure::could_not("cannot look for alerts: there is no data directory"))
    }

    fn alerting(&self) -> Result<Alerting, Failure> {
        alerts::alerting(&self.data_dir()?, self.config, surroundings::now()).map_err(|reason| {
            Failure::could_not(format!("cannot tell of alerts: {reason}")).hint("`alignwatch serve` starts it")
        })
    }

    fn list(&self, all: bool) -> Result<String, Failure> {
        let (alerting, now) = (self.alerting()?, surroundings::now());
        let mut alerts: Vec<&Known> = alerting.book.alerts().filter(|alert| all || alert.is_firing()).collect();
        alerts.sort_by_key(|alert| (alert.phase != Phase::Firing, std::cmp::Reverse(alert.severity), alert.starts_at));
        let holding = Holding::of(&alerting.book, &alerting.policy, now);
        let held = |alert: &Known| alert.is_firing().then(|| holding.back(alert)).flatten();
        if self.form == Format::Json {
            let shown: Vec<_> = alerts.iter().map(|alert| json!({"alert": alert, "held": held(alert)})).collect();
            return Ok(escape::json(&json!({"schema": "alignwatch.alerts/1", "alerts": shown})));
        }
        let screen = surroundings::screen(self.global);
        Ok(human::alerts(&screen, &alerts.iter().map(|alert| (*alert, held(alert))).collect::<Vec<_>>(), now))
    }

    fn silences(&self) -> Result<String, Failure> {
        let (alerting, now) = (self.alerting()?, surroundings::now());
        let live = alerting.book.silences.values().filter(|silence| silence.state(now) != SilenceState::Expired);
        let silences: Vec<&Silence> = live.collect();
        if self.form == Format::Json {
            return Ok(escape::json(&json!({"schema": "alignwatch.silences/1", "silences": silences})));
        }
        if silences.is_empty() {
            return Ok("nothing is silenced\n".to_owned());
        }
        Ok(silences.iter().map(|silence| silence_line(silence, &alerting)).collect())
    }

    fn dead(&self) -> Result<String, Failure> {
        let alerting = self.alerting()?;
        let is_dead = |row: &&Outgoing| matches!(row.state, State::Dead(_));
        let dead: Vec<&Outgoing> = alerting.book.outbox.values().filter(is_dead).collect();
        if self.form == Format::Json {
            return Ok(escape::json(&json!({"schema": "alignwatch.messages/1", "messages": dead})));
        }
        if dead.is_empty() {
            return Ok("every message was delivered, or is still being tried\n".to_owned());
        }
        Ok(dead.iter().map(|row| dead_line(row)).collect())
    }

    /// The alert whose id or fingerprint begins so. Errors: none or several do.
    fn found(&self, id: &str) -> Result<Known, Failure> {
        let alerting = self.alerting()?;
        let begins = |alert: &&Known| alert.id.starts_with(id) || alert.fingerprint.starts_with(id);
        let found: Vec<&Known> = alerting.book.firing().filter(begins).collect();
        match found[..] {
            [alert] => Ok(alert.clone()),
            [] => Err(Failure::usage(format!("no alert that fires begins with `{id}`"))
                .hint("`alignwatch alert list` shows them")),
            _ => {
                Err(Failure::usage(format!("{} alerts begin with `{id}`", found.len()))
                    .hint("write more letters of it"))
            }
        }
    }

    /// The id of the silence that begins so and is not over. Errors: none or several do.
    fn silence_id(&self, id: &str) -> Result<String, Failure> {
        let (alerting, now) = (self.alerting()?, surroundings::now());
        let live = alerting.book.silences.values().filter(|silence| silence.state(now) != SilenceState::Expired);
        let found: Vec<&Silence> = live.filter(|silence| silence.id.starts_with(id)).collect();
        match found[..] {
            [silence] => Ok(silence.id.clone()),
            [] => Err(Failure::usage(format!("no silence that holds or will hold begins with `{id}`"))
                .hint("`alignwatch alert silences` shows them")),
            _ => {
                Err(Failure::usage(format!("{} silences begin with `{id}`", found.len()))
                    .hint("write more letters of it"))
            }
        }
    }

    fn ack(&self, id: &str, note: &str, time: Option<Span>, sticky: bool, by: Option<&str>) -> Result<String, Failure> {
        let alert = self.found(id)?;
        let who = by.map_or_else(user, str::to_owned);
        let until = time.map(|time| Timestamp(surroundings::now().0 + time.0));
        let care = json!({"who": who, "note": note, "until": until, "is_sticky": sticky});
        self.daemon().post(&format!("/api/v1/alerts/{}/ack", alert.fingerprint), &care)?;
        let until = until.map_or_else(|| "it is over".to_owned(), |until| until.to_string());
        let summary = escape::terminal(&alert.summary).into_owned();
        Ok(self.done(
            &json!({"alert": alert.id}),
            format!("{} has it, until {until}: {summary}\n", escape::terminal(&who)),
        ))
    }

    fn unack(&self, id: &str) -> Result<String, Failure> {
        let alert = self.found(id)?;
        self.daemon().delete(&format!("/api/v1/alerts/{}/ack", alert.fingerprint))?;
        Ok(self.done(&json!({"alert": alert.id}), "nobody has it any more\n".to_owned()))
    }

    fn silence(
        &self,
        matchers: &[Matcher],
        time: Span,
        comment: &str,
        by: Option<&str>,
        ends_on_resolve: bool,
    ) -> Silence {
        let now = surroundings::now();
        Silence {
            id: String::new(),
            matchers: matchers.to_vec(),
            starts_at: now,
            ends_at: Timestamp(now.0 + time.0),
            created_by: by.map_or_else(user, str::to_owned),
            comment: comment.to_owned(),
            updated_at: now,
            ends_on_resolve,
        }
    }

    fn have_silenced(&self, silence: &Silence, dry_run: bool) -> Result<String, Failure> {
        let alerting = self.alerting()?;
        let held: Vec<&Known> = alerting.book.firing().filter(|alert| silence.is_about(alert)).collect();
        let n_firing = alerting.book.firing().count();
        let preview = preview(&held, n_firing);
        let longest = alerting.policy.silence_at_most;
        silence.check(longest, surroundings::now()).map_err(Failure::usage)?;
        if silence.ends_on_resolve && held.is_empty() {
            return Err(Failure::usage("nothing that fires meets these conditions, so that it would end at once")
                .hint("leave out --until-resolved, or look at `alignwatch alert list`"));
        }
        if dry_run {
            let text = format!(
                "{preview}it would end at {}; the longest is {} (`alerts.silence_at_most`)\n",
                silence.ends_at,
                length_text(longest)
            );
            let document = json!({"would_hold": held, "ends_at": silence.ends_at, "longest_seconds": longest.0});
            return Ok(self.done(&document, text));
        }
        let sent = json!({
            "matchers": silence.matchers, "startsAt": silence.starts_at, "endsAt": silence.ends_at,
            "createdBy": silence.created_by, "comment": silence.comment, "endsOnResolve": silence.ends_on_resolve,
        });
        let made = self.daemon().post("/api/v2/silences", &sent)?;
        let id = made["silenceID"].as_str().unwrap_or_default().to_owned();
        let text = format!("silenced until {}: `alignwatch alert unsilence {id}` ends it\n{preview}", silence.ends_at);
        Ok(self.done(&json!({"silence": id, "holds": held}), text))
    }

    fn done(&self, document: &Value, text: String) -> String {
        match self.form {
            Format::Json => {
                let mut document = document.clone();
                document["schema"] = "alignwatch.done/1".into();
                escape::json(&document)
            }
            _ => text,
        }
    }
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned())
}

/// What a silence holds now, with a word of care for none and for all.
fn preview(held: &[&Known], n_firing: usize) -> String {
    let lines: String =
        held.iter().map(|alert| format!("  {} {}\n", alert.severity, escape::terminal(&alert.summary))).collect();
    match (held.len(), n_firing) {
        (0, _) => "it holds nothing that fires now: is it written as you meant it?\n".to_owned(),
        (n, all) if n == all && 1 < n => format!("it holds ALL {n} alerts that fire:\n{lines}"),
        (n, all) => format!("it holds {n} of {all} alerts that fire:\n{lines}"),
    }
}

fn silence_line(silence: &Silence, alerting: &Alerting) -> String {
    let matchers: Vec<_> = silence.matchers.iter().map(ToString::to_string).collect();
    let n = alerting.book.firing().filter(|alert| silence.is_about(alert)).count();
    let until = format!(
        "{} until {}",
        if n == 0 { "holds nothing now,".to_owned() } else { format!("holds {n},") },
        silence.ends_at
    );
    let text = format!("{}: {} ({})", silence.created_by, silence.comment, matchers.join(", "));
    format!("{} {until}\n    {}\n", escape::terminal(&silence.id), escape::terminal(&text))
}

fn dead_line(row: &Outgoing) -> String {
    let State::Dead(why) = &row.state else { return String::new() };
    let last = row.attempts.last().map(|attempt| match &attempt.outcome {
        Outcome::Failed(failure) => failure.reason.word(),
        Outcome::Delivered(_) => "",
    });
    let subjects: Vec<_> = row.telling.alerts.iter().map(|told| told.alert.summary.as_str()).collect();
    format!(
        "{} to {}, decided {}, {} attempts: {} ({})\n    {}\n    do: alignwatch alert retry {}; or give it up: alignwatch alert drop {}\n",
        row.key,
        escape::terminal(&row.telling.channel),
        row.decided_at,
        row.n_attempts,
        escape::terminal(why),
        last.unwrap_or_default(),
        escape::terminal(&subjects.join("; ")),
        row.key,
        row.key
    )
}
