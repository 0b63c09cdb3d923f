//! What a live view shows: the last of everything, read from the store. Whoever asks a daemon fills the same values.

use std::path::Path;

use alignwatch_model::{
    Timestamp, alert::Alert, branch::State, config::Config, kept::KeptBranch, record::GONE, run::Document,
};
use alignwatch_store::{Store, StoreError, WhichRuns};
use alignwatch_tasks::journal::Journal;

use crate::{alerts, runs::store};

/// Repositories whose branches are listed. Source: ours; more fit on no screen.
pub const REPOSITORIES_LISTED: usize = 8;

/// Branches of one state in one repository, runs, and runs of tasks, at most. Source: likewise.
pub const ROWS_AT_MOST: usize = 200;

/// The states whose branches somebody may have to look at, the most urgent first.
pub const STATES_LISTED: [State; 6] =
    [State::Conflicting, State::Reverted, State::Unrelated, State::Continued, State::Unknown, State::Diverged];

/// The last of everything.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// By path.
    pub repositories: Vec<BoardRepository>,
    /// Branches that somebody may have to look at, each with the path of its repository.
    pub branches: Vec<(String, KeptBranch)>,
    /// The newest runs first.
    pub runs: Vec<Document>,
    /// Alerts that fire, the gravest first.
    pub alerts: Vec<Alert>,
    /// The newest runs of tasks first.
    pub tasks: Vec<BoardTask>,
    /// What could not be read, in sentence parts.
    pub troubles: Vec<String>,
}

/// A repository.
#[derive(Clone, Debug, Default)]
pub struct BoardRepository {
    /// Its id.
    pub id: String,
    /// Its path.
    pub path: String,
    /// Its health.
    pub status: String,
    /// Why nothing could be seen.
    pub reason: Option<String>,
    /// When it was looked at last.
    pub swept_at: Option<Timestamp>,
    /// How many branches it has; `None` = not known.
    pub n_branches: Option<usize>,
}

/// A run of a task.
#[derive(Clone, Debug, Default)]
pub struct BoardTask {
    /// Its number.
    pub id: u64,
    /// The last that was heard of it.
    pub at: Timestamp,
    /// The task.
    pub task: String,
    /// Path of the repository.
    pub repository: String,
    /// `effect`, `noop`, `skipped`, `failed`; or that it goes on.
    pub result: String,
    /// Why.
    pub because: String,
}

/// The last of everything that the store in this data directory has. Errors: no daemon ever ran here, or it can't be read.
pub fn board(data_dir: &Path, config: &Config, now: Timestamp) -> Result<Board, String> {
    let store = store(data_dir)?.ok_or("no daemon ever ran here")?;
    let mut board = Board::default();
    read(&store, &mut board).map_err(|error| error.to_string())?;
    match alerts::alerting(data_dir, config, now) {
        Ok(alerting) => board.alerts = alerting.book.firing().cloned().collect(),
        Err(reason) => board.troubles.push(reason),
    }
    board.alerts.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.starts_at));
    match Journal::of(data_dir).read() {
        Ok(said) => {
            let told = |run: alignwatch_tasks::journal::Told<'_>| BoardTask {
                id: run.record.id,
                at: Timestamp(run.record.at_seconds),
                task: run.record.task.clone(),
                repository: run.record.repository.clone(),
                result: run.state().to_owned(),
                because: run.report.map(|report| report.because.clone()).unwrap_or_default(),
            };
            board.tasks = said.runs().into_iter().rev().take(ROWS_AT_MOST).map(told).collect();
        }
        Err(error) => board.troubles.push(error.to_string()),
    }
    Ok(board)
}

fn read(store: &Store, board: &mut Board) -> Result<(), StoreError> {
    for row in store.repositories()? {
        let document: serde_json::Value = match store.document(&row.id)? {
            Some(text) => serde_json::from_str(&text).unwrap_or_default(),
            None => serde_json::Value::Null,
        };
        let counts = document["by_state"].as_object();
        board.repositories.push(BoardRepository {
            n_branches: counts
                .map(|counts| counts.values().filter_map(serde_json::Value::as_u64).sum::<u64>() as usize),
            id: row.id,
            path: row.path,
            status: row.status,
            reason: row.reason,
            swept_at: Some(row.swept_at),
        });
    }
    for repository in board.worst() {
        for state in STATES_LISTED {
            let branches = store.branches(&repository.id, Some(state.word()), "", ROWS_AT_MOST)?;
            board.branches.extend(branches.into_iter().map(|branch| (repository.path.clone(), branch)));
        }
    }
    let runs = store.runs(WhichRuns::default(), ROWS_AT_MOST)?;
    board.runs = runs.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    Ok(())
}

impl Board {
    /// The repositories whose branches are listed: those that are worst off.
    pub fn worst(&self) -> Vec<BoardRepository> {
        const GRAVE: [&str; 7] = ["critical", GONE, "error", "unknown", "warning", "info", "ok"];
        let mut worst = self.repositories.clone();
        worst.sort_by_key(|one| GRAVE.iter().position(|word| *word == one.status).unwrap_or(GRAVE.len()));
        worst.truncate(REPOSITORIES_LISTED);
        worst
    }
}
