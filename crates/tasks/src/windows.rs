//! What is told of maintenance windows: which messages are due now, and what they are made from.
//!
//! Nothing is remembered here: each message has a key that says which opening of which window it is about, and whoever
//! sends it knows which keys were sent.

use std::{collections::BTreeSet, path::Path};

use alignwatch_git::repository;
use alignwatch_model::{
    Span, Timestamp,
    config::Config,
    task::report::{self, Planned, Ran, Told},
    window::{Opening, Purpose, Window},
};

use crate::{
    conduct::Around,
    due,
    journal::{Record, Said, Step},
};

/// How long before a window it is told what is planned. Source: ours; time to stop it.
const BEFORE: Span = Span::minutes(30);

/// How long after a window it is told what was done. Source: ours; later nobody waits for it.
const AFTER: Span = Span::hours(12);

/// How long after its end the last step may still be under way.
const GRACE: Span = Span::minutes(5);

/// A message that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same for the same opening of the same window, whoever asks and however often.
    pub key: String,
    /// The window's name.
    pub window: String,
    /// Its opening.
    pub opening: Opening,
    /// It is about what was done, not about what is planned.
    pub is_after: bool,
    /// The repositories that it is about.
    pub paths: Vec<String>,
}

/// Messages that are due now about these repositories.
pub fn messages(config: &Config, paths: &[String], now: Timestamp) -> Vec<Message> {
    let mut found = Vec::new();
    for rule in &config.windows {
        let Ok(window) = rule.window() else { continue };
        let paths: Vec<String> = paths.iter().filter(|path| rule.is_about(path)).cloned().collect();
        if window.purpose != Purpose::Maintenance || paths.is_empty() {
            continue;
        }
        let message = |opening: Opening, is_after: bool| Message {
            key: format!("maintenance-{}-{}-{}", word(is_after), window.name, opening.from.0),
            window: window.name.clone(),
            opening,
            is_after,
            paths: paths.clone(),
        };
        found.extend(closed(&window, now).map(|opening| message(opening, true)));
        found.extend(opens(&window, now).map(|opening| message(opening, false)));
    }
    found
}

fn word(is_after: bool) -> &'static str {
    if is_after { "after" } else { "before" }
}

/// The opening that came to its end last, if that is not long ago.
fn closed(window: &Window, now: Timestamp) -> Option<Opening> {
    let over = Timestamp(now.0.saturating_sub(GRACE.0));
    let openings = window.openings(Timestamp(over.0.saturating_sub(AFTER.0)), over);
    openings.into_iter().filter(|opening| opening.until <= over).max_by_key(|opening| opening.until)
}

/// The opening that comes soon.
fn opens(window: &Window, now: Timestamp) -> Option<Opening> {
    window.next_after(now).filter(|opening| now < opening.from && opening.from.since(now) <= BEFORE)
}

/// What was done while a window was open, as the journal tells it: whatever began in it, also what ended later or goes on.
pub fn told_after(message: &Message, said: &Said) -> Told {
    let ids: BTreeSet<String> =
        message.paths.iter().filter_map(|path| Some(repository::open(Path::new(path)).ok()?.id())).collect();
    // The same repository may be known by another path.
    let is_about = |record: &Record| message.paths.contains(&record.repository) || ids.contains(&record.repository_id);
    let of_it: Vec<_> = said.runs().into_iter().filter(|run| is_about(run.record)).collect();
    let begun_in = |at: i64| message.opening.holds(Timestamp(at));
    let (mut ran, mut going_on) = (Vec::new(), Vec::new());
    let is_late = |record: &&Record| message.opening.from <= Timestamp(record.at_seconds);
    let ended = said.records.iter().filter(is_late).filter(|record| record.step == Step::Ended);
    for record in ended.filter(|record| is_about(record)) {
        let Some(report) = record.report.clone() else { continue };
        let began = said.began(record.id).unwrap_or(record.at_seconds - report.took_seconds.max(0.0) as i64);
        if begun_in(began) {
            ran.push(Ran { repository: record.repository.clone(), task: record.task.clone(), report });
        }
    }
    for run in of_it.iter().filter(|run| run.report.is_none() && !run.is_healed && run.record.step == Step::Begun) {
        if begun_in(run.record.at_seconds) {
            let since = Timestamp(run.record.at_seconds);
            going_on.push(format!("{} {} has not ended since {since}", run.record.repository, run.record.task));
        }
    }
    report::after(&message.window, message.opening, &ran, &going_on)
}

/// What is planned in one repository for when the window opens.
pub fn planned(around: &Around<'_>, opening: Opening) -> Vec<Planned> {
    let repository = around.path.display().to_string();
    match due::planned(around, opening.from) {
        Ok(planned) => planned
            .into_iter()
            .map(|(task, plan)| Planned {
                repository: repository.clone(),
                task: task.id.to_owned(),
                plan: plan.map_err(|error| error.to_string()),
            })
            .collect(),
        Err(error) => vec![Planned { repository, task: "all".to_owned(), plan: Err(error.to_string()) }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alignwatch_model::task::{Came, Report};

    const HOUR: i64 = 3_600;

    #[test]
    fn what_began_in_a_window_is_told_also_when_it_ended_long_after_it_or_not_at_all() {
        let opening = Opening { from: Timestamp(HOUR), until: Timestamp(3 * HOUR) };
        let paths = vec!["/srv/a".to_owned()];
        let message = Message { key: "k".into(), window: "night".into(), opening, is_after: true, paths };
        let line = |id: u64, step, at: i64, took: f64| Record {
            id,
            at: Timestamp(at).rfc3339(),
            at_seconds: at,
            step,
            task: format!("task-{id}"),
            repository: "/srv/a".into(),
            repository_id: "a".into(),
            quarantine: None,
            plan: None,
            undo: None,
            report: (step == Step::Ended)
                .then(|| Report { took_seconds: took, ..Report::of_nothing(Came::Effect, "done") }),
        };
        let records = vec![
            line(1, Step::Ended, HOUR + 10, 30.0),
            line(2, Step::Begun, HOUR + 60, 0.0),
            line(2, Step::Ended, 5 * HOUR, 0.0),
            line(3, Step::Ended, 4 * HOUR, 7_200.0),
            line(4, Step::Ended, 4 * HOUR, 60.0),
            line(5, Step::Begun, 2 * HOUR, 0.0),
        ];
        let told = told_after(&message, &Said { records, n_unreadable: 0 });
        assert!(
            told.summary.contains("2 runs in 1 repository") && told.summary.ends_with("; 1 run not ended"),
            "{told:?}"
        );
        let tasks: Vec<&str> = told.details.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
        assert_eq!(tasks, ["task-5", "task-2", "task-3"], "{told:?}");
        assert!(told.details[0].ends_with("has not ended since 1970-01-01T02:00:00Z"), "{told:?}");
    }

    fn keys(at: i64) -> Vec<String> {
        let text = "windows:\n  - {name: night, open: \"0 1 * * *\", lasts: 2h}\n  \
                    - {name: cut, kind: freeze, open: \"0 1 * * *\", lasts: 2h}\n  \
                    - {name: other, open: \"0 1 * * *\", lasts: 2h, repositories: [/elsewhere]}\n";
        let config = Config::from_yaml(text, "f").unwrap().0;
        messages(&config, &["/srv/a".to_owned()], Timestamp(at)).into_iter().map(|message| message.key).collect()
    }

    #[test]
    fn it_is_told_half_an_hour_before_a_window_and_for_half_a_day_after_it_under_one_key() {
        assert_eq!(keys(29 * 60), Vec::<String>::new());
        assert_eq!(keys(31 * 60), ["maintenance-before-night-3600"]);
        assert_eq!(keys(2 * HOUR), Vec::<String>::new(), "it is open");
        assert_eq!(keys(3 * HOUR), Vec::<String>::new(), "a step may be under way");
        assert_eq!(keys(3 * HOUR + 300), ["maintenance-after-night-3600"]);
        assert_eq!(keys(14 * HOUR), ["maintenance-after-night-3600"]);
        assert_eq!(keys(16 * HOUR), Vec::<String>::new());
    }
}
