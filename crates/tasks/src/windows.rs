//! What is told of maintenance windows: which messages are due now, and what they are made from.
//!
//! Nothing is remembered here: each message has a key that says which opening of which window it is about, and whoever
//! sends it knows which keys were sent.

use alignwatch_model::{
    Span, Timestamp,
    config::Config,
    task::report::{self, Planned, Ran, Told},
    window::{Opening, Purpose, Window},
};

use crate::{
    conduct::Around,
    due,
    journal::{Said, Step},
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

/// What was done while a window was open, as the journal tells it.
pub fn told_after(message: &Message, said: &Said) -> Told {
    let last = Timestamp(message.opening.until.0.saturating_add(GRACE.0));
    let of_it = said.records.iter().filter(|record| {
        let at = Timestamp(record.at_seconds);
        record.step == Step::Ended
            && message.opening.from <= at
            && at < last
            && message.paths.contains(&record.repository)
    });
    let ran = of_it.filter_map(|record| {
        let (repository, task) = (record.repository.clone(), record.task.clone());
        Some(Ran { repository, task, report: record.report.clone()? })
    });
    report::after(&message.window, message.opening, &ran.collect::<Vec<_>>())
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

    const HOUR: i64 = 3_600;

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
