//! The tables, as the steps that lead to them.

use rusqlite::{Connection, Transaction, params};

use crate::{StoreError, chunk, pack, series};

/// Each step is applied once, in one transaction, and never changed afterwards. The number of steps is the version.
/// With a new step, the version before it gets a filled store for the tests: see `examples/fill.rs`.
const STEPS: &[Step] = &[
    Step::Sql(
        "
    CREATE TABLE repository (
        id TEXT PRIMARY KEY,
        path TEXT NOT NULL,
        first_seen_at INTEGER NOT NULL,
        swept_at INTEGER NOT NULL,
        seconds REAL NOT NULL,
        status TEXT NOT NULL,
        -- Why the last sweep saw nothing; NULL when it did.
        reason TEXT,
        -- When a sweep last saw something, and the document it made of that.
        seen_at INTEGER,
        document TEXT
    ) STRICT;
    CREATE TABLE finding (
        repository TEXT NOT NULL REFERENCES repository,
        key TEXT NOT NULL,
        began_at INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        ended_at INTEGER,
        check_id TEXT NOT NULL,
        severity TEXT NOT NULL,
        summary TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (repository, key, began_at)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX finding_open ON finding (repository, key) WHERE ended_at IS NULL;
    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        repository TEXT NOT NULL,
        metric TEXT NOT NULL,
        labels TEXT NOT NULL,
        n_recent INTEGER NOT NULL,
        UNIQUE (repository, metric, labels)
    ) STRICT;
    CREATE TABLE recent (
        series INTEGER NOT NULL,
        at INTEGER NOT NULL,
        value REAL NOT NULL,
        PRIMARY KEY (series, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE chunk (
        id INTEGER PRIMARY KEY,
        series INTEGER NOT NULL,
        from_at INTEGER NOT NULL,
        to_at INTEGER NOT NULL,
        n INTEGER NOT NULL,
        least REAL NOT NULL,
        most REAL NOT NULL,
        sum REAL NOT NULL,
        first REAL NOT NULL,
        last REAL NOT NULL,
        packed BLOB NOT NULL
    ) STRICT;
    CREATE INDEX chunk_by_time ON chunk (series, from_at);
",
    ),
    Step::Sql(
        "
    -- What was reported of a run. Of its heartbeats only the last is kept.
    CREATE TABLE event (
        run TEXT NOT NULL,
        id TEXT NOT NULL,
        at INTEGER NOT NULL,
        is_heartbeat INTEGER NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (run, id)
    ) STRICT, WITHOUT ROWID;
    -- What the events of a run amount to: always made from them. Times are milliseconds.
    CREATE TABLE run (
        id TEXT PRIMARY KEY,
        workflow TEXT NOT NULL,
        repository TEXT NOT NULL,
        path TEXT NOT NULL,
        began_at INTEGER NOT NULL,
        heard_at INTEGER NOT NULL,
        outcome TEXT,
        document TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX run_by_repository ON run (repository, id);
    CREATE INDEX run_by_workflow ON run (workflow, id);
",
    ),
    Step::Sql(
        "
    -- The branches of a repository, as they were last seen. A row is only written when something of it moved.
    CREATE TABLE branch (
        repository TEXT NOT NULL REFERENCES repository,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (repository, name)
    ) STRICT, WITHOUT ROWID;
",
    ),
    Step::Code(levels_and_log),
    Step::Sql(
        "
    -- What is kept as a document. Open ones are what the daemon begins with.
    CREATE TABLE record (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        at INTEGER NOT NULL,
        is_open INTEGER NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (kind, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX record_by_time ON record (kind, at);
    CREATE INDEX record_over ON record (at) WHERE NOT is_open;
    CREATE INDEX record_open ON record (kind, key) WHERE is_open;
",
    ),
];

/// A way from one version to the next.
enum Step {
    Sql(&'static str),
    Code(fn(&Transaction<'_>) -> Result<(), StoreError>),
}

/// The version that this program writes.
pub(crate) const VERSION: i64 = STEPS.len() as i64;

/// How `PRAGMA auto_vacuum` calls a file whose free pages can be given back. Source: sqlite.org, pragma.html.
const INCREMENTAL: i64 = 2;

/// Brings an older file up to [`VERSION`], step by step. Errors: the file is newer than this program.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if VERSION < found {
        return Err(StoreError::Newer { found, known: VERSION });
    }
    for version in found..VERSION {
        let step = connection.transaction()?;
        apply(&step, version)?;
        step.commit()?;
    }
    let can_shrink: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if can_shrink != INCREMENTAL {
        // A file of version 3: writing it anew, once, lets it shrink from now on.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")?;
    }
    Ok(())
}

fn apply(step: &Transaction<'_>, version: i64) -> Result<(), StoreError> {
    match &STEPS[version as usize] {
        Step::Sql(statements) => step.execute_batch(statements)?,
        Step::Code(change) => change(step)?,
    }
    step.pragma_update(None, "user_version", version + 1)?;
    Ok(())
}

/// Version 4: chunks have levels, new numbers wait in a log, and what is old can be found by its age.
fn levels_and_log(step: &Transaction<'_>) -> Result<(), StoreError> {
    step.execute_batch(
        "CREATE TABLE log (
            -- In the order in which they came.
            id INTEGER PRIMARY KEY,
            repository TEXT NOT NULL,
            n INTEGER NOT NULL,
            packed BLOB NOT NULL
        ) STRICT;
        CREATE INDEX log_of_repository ON log (repository, n);
        CREATE INDEX run_heard ON run (heard_at);
        CREATE INDEX finding_ended ON finding (ended_at) WHERE ended_at IS NOT NULL;
        ALTER TABLE chunk RENAME TO chunk_1;
        DROP INDEX chunk_by_time;
        CREATE TABLE chunk (
            id INTEGER PRIMARY KEY,
            series INTEGER NOT NULL,
            level INTEGER NOT NULL,
            n_points INTEGER NOT NULL,
            from_at INTEGER NOT NULL,
            to_at INTEGER NOT NULL,
            n INTEGER NOT NULL,
            least REAL NOT NULL,
            most REAL NOT NULL,
            sum REAL NOT NULL,
            first REAL NOT NULL,
            last REAL NOT NULL,
            packed BLOB NOT NULL
        ) STRICT;
        CREATE INDEX chunk_by_time ON chunk (series, from_at);
        CREATE INDEX chunk_by_age ON chunk (level, to_at);",
    )?;
    pack_anew(step)?;
    let mut recent = step.prepare("SELECT series, at, value FROM recent ORDER BY series, at")?;
    let rows = recent.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    series::fold(step, rows.collect::<Result<_, _>>()?)?;
    drop(recent);
    step.execute_batch("DROP TABLE chunk_1; DROP TABLE recent; ALTER TABLE series DROP COLUMN n_recent;")?;
    Ok(())
}

fn pack_anew(step: &Transaction<'_>) -> Result<(), StoreError> {
    let mut rows = step.prepare("SELECT series, packed FROM chunk_1 ORDER BY id")?;
    let mut rows = rows.query(params![])?;
    while let Some(row) = rows.next()? {
        let numbers = pack::unpacked_of_version_3(&row.get::<_, Vec<u8>>(1)?)?;
        chunk::insert(step, row.get(0)?, 0, &series::in_order(numbers))?;
    }
    Ok(())
}
