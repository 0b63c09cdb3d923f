//! Where the live view reads: the daemon, or the store when none answers.

use std::path::PathBuf;

use alignwatch_daemon::board::{self, Board, BoardRepository, BoardTask, ROWS_AT_MOST, STATES_LISTED};
use alignwatch_model::{Timestamp, alert::Alert, config::Config, kept::KeptBranch, run::Document};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{asking::Daemon, failure::Failure};

/// Where it is read.
pub(crate) struct Source {
    pub(crate) config: Config,
    pub(crate) data_dir: Option<PathBuf>,
}

/// What was read, or why nothing could be; and from where.
pub(crate) struct Read {
    pub(crate) board: Result<Board, String>,
    pub(crate) from: String,
}

impl Source {
    /// Reads all of it. Never fails: what could not be read is said.
    pub(crate) fn read(&self, now: Timestamp) -> Read {
        let daemon = Daemon::of(&self.config);
        let asked = of_daemon(&daemon);
        let (Err(nobody), Some(data_dir)) = (&asked, &self.data_dir) else {
            return Read { board: asked.map_err(|failure| failure.told()), from: format!("from {}", daemon.address()) };
        };
        let board = board::board(data_dir, &self.config, now);
        let board = board.map_err(|reason| format!("{}; {reason}", nobody.told().lines().next().unwrap_or_default()));
        Read { board, from: "from the store: no daemon answers".to_owned() }
    }
}

fn of_daemon(daemon: &Daemon) -> Result<Board, Failure> {
    let mut board = Board::default();
    let rows = daemon.get("/api/v1/repositories")?;
    board.repositories = each(&rows["repositories"]).map(repository).collect();
    for one in board.worst() {
        for state in STATES_LISTED {
            let path = format!("/api/v1/repositories/{}/branches?state={}&limit={ROWS_AT_MOST}", one.id, state.word());
            let branches = daemon.get(&path)?;
            let branches = each(&branches["branches"]).filter_map(read::<KeptBranch>);
            board.branches.extend(branches.map(|branch| (one.path.clone(), branch)));
        }
    }
    let runs = daemon.get(&format!("/api/v1/runs?limit={ROWS_AT_MOST}"))?;
    board.runs = each(&runs["runs"]).filter_map(read::<Document>).collect();
    board.alerts = each(&daemon.get("/api/v1/alerts")?["alerts"]).filter_map(read::<Alert>).collect();
    board.tasks = each(&daemon.get("/api/v1/tasks")?["runs"]).map(task).collect();
    Ok(board)
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What can't be read is of a later version: the rest is shown.
fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn repository(row: &Value) -> BoardRepository {
    BoardRepository {
        id: text(&row["id"]),
        path: text(&row["path"]),
        status: text(&row["status"]),
        reason: row["reason"].as_str().map(str::to_owned),
        swept_at: row["swept_at"].as_str().and_then(Timestamp::parse),
        n_branches: None,
    }
}

fn task(row: &Value) -> BoardTask {
    BoardTask {
        id: row["id"].as_u64().unwrap_or_default(),
        at: row["at"].as_str().and_then(Timestamp::parse).unwrap_or_default(),
        task: text(&row["task"]),
        repository: text(&row["repository"]),
        result: text(&row["state"]),
        because: text(&row["report"]["because"]),
    }
}
