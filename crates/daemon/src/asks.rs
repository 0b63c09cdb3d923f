//! What pages and the API ask of the daemon, and how that is done.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc::SyncSender},
};

use alignwatch_model::{
    Timestamp,
    turn::{Event, Refusal},
};
use alignwatch_tasks::journal::{Journal, Told};
use alignwatch_web::{InboxFull, TaskAbout, TaskRun};

use crate::{
    named,
    reports::Reports,
    serve::now,
    verifier::{Verifier, beginnings, is_end},
    watching::Watching,
};

pub(crate) fn wishes(inbox: SyncSender<Event>) -> Box<alignwatch_web::Look> {
    let inbox = Mutex::new(inbox);
    Box::new(move |path| {
        let inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.try_send(Event::Asked(path.to_owned())).map_err(|_| InboxFull)
    })
}

pub(crate) fn meant(watching: Arc<Watching>) -> Box<alignwatch_web::Named> {
    Box::new(move |addresses| named::named(&watching.paths(), addresses))
}

pub(crate) fn about(task: &alignwatch_tasks::Task) -> TaskAbout {
    TaskAbout { id: task.id, title: task.title, why: task.why, undo: task.undo }
}

/// What is reported goes to the loop, after a look at the repositories of runs that begin; runs that ended are verified.
pub(crate) fn hand_over(reports: Arc<Reports>, verifier: Arc<Verifier>) -> Box<alignwatch_web::Report> {
    Box::new(move |events, tell| {
        let ended: Vec<_> = events.iter().filter(|event| is_end(event)).map(|event| event.run.clone()).collect();
        let (reports, then) = (Arc::clone(&reports), Arc::clone(&verifier));
        let tell = Box::new(move |kept: Result<(), Refusal>| {
            if kept.is_ok() {
                // Of what finds no room, somebody can ask by hand.
                ended.into_iter().for_each(|run| _ = then.ended(run));
            }
            tell(kept);
        });
        verifier.begin(beginnings(&events), move || reports.hand_over(events, tell));
    })
}

/// What maintenance did, as its journal tells it: the newest first.
pub(crate) fn tasks_of(data_dir: &Path) -> Box<alignwatch_web::Tasks> {
    let journal = Journal::of(data_dir);
    Box::new(move |at_most| {
        let said = journal.read().map_err(|error| error.to_string())?;
        let told = |run: Told<'_>| TaskRun {
            id: run.record.id,
            at: Timestamp(run.record.at_seconds),
            task: run.record.task.clone(),
            repository: run.record.repository.clone(),
            plan: run.plan.cloned(),
            report: run.report.cloned(),
            is_healed: run.is_healed,
            state: run.state(),
            can_be_undone: run.undo.is_some() && run.undone.is_none(),
        };
        Ok(said.runs().into_iter().rev().take(at_most).map(told).collect())
    })
}

/// What maintenance will do, by the configuration and the journal: no repository is opened.
pub(crate) fn ahead_of(data_dir: &Path) -> Box<alignwatch_web::Upcoming> {
    let journal = Journal::of(data_dir);
    Box::new(move |config, repositories, days| {
        let said = journal.read().map_err(|error| error.to_string())?;
        let one = |(path, id): &(String, String)| alignwatch_tasks::ahead::ahead(config, &said, path, id, now(), days);
        Ok(repositories.iter().map(one).collect())
    })
}

pub(crate) fn is_watched(watching: Arc<Watching>) -> Box<alignwatch_web::IsWatched> {
    Box::new(move |path| watching.holds(Path::new(path)))
}
