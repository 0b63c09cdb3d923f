//! Chunks: the rows that hold the points of a series, a thousand in each, with a summary beside them.
//!
//! A series has chunks on several levels: as measured, and rolled up to spans of five minutes, an hour, a day. The last
//! chunk of a level is open as long as there is room in it: it is written anew with what comes. What was measured lies
//! on one level at a time.

use alignwatch_model::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use crate::{Point, StoreError, pack};

/// Points in a chunk. Source: measured; larger ones win less than a tenth of a byte a number.
pub(crate) const CHUNK: usize = 1024;

/// Seconds that a point stands for, by level: as measured, five minutes, an hour, a day.
pub(crate) const WIDTHS: [i64; 4] = [1, 300, 3600, 86_400];

/// The columns that [`summary`] reads, and the id.
pub(crate) const SUMMARY: &str = "from_at, to_at, n, least, most, sum, first, last, id";

/// What stands beside the points of a chunk.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// The row.
    pub(crate) id: i64,
    /// The last second that it says something about.
    pub(crate) to_at: i64,
    /// All of it as one point, at its begin.
    pub(crate) all: Point,
}

/// Adds points to a level of a series. They are in order of time, one for each time.
///
/// Where there is a point of the same time in the open chunk, `meet` makes one of the old and the new one.
pub(crate) fn append(
    transaction: &Transaction<'_>,
    series: i64,
    level: usize,
    new: Vec<Point>,
    meet: fn(&mut Point, &Point),
) -> Result<(), StoreError> {
    let mut open = open_chunk(transaction, series, level)?;
    let points = match &mut open {
        Some((_, before)) => merged(std::mem::take(before), new, meet),
        None => new,
    };
    for piece in points.chunks(CHUNK) {
        match open.take() {
            Some((id, _)) => rewrite(transaction, id, level, piece)?,
            None => insert(transaction, series, level, piece)?,
        }
    }
    Ok(())
}

/// The points of a chunk.
pub(crate) fn columns(transaction: &rusqlite::Connection, id: i64) -> Result<pack::Columns, StoreError> {
    let mut packed = transaction.prepare_cached("SELECT packed FROM chunk WHERE id = ?1")?;
    let bytes: Vec<u8> = packed.query_row([id], |row| row.get(0))?;
    pack::unpacked(&bytes)
}

/// Removes a chunk.
pub(crate) fn remove(transaction: &Transaction<'_>, id: i64) -> Result<(), StoreError> {
    transaction.prepare_cached("DELETE FROM chunk WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Reads the columns of [`SUMMARY`].
pub(crate) fn summary(row: &Row<'_>) -> rusqlite::Result<Summary> {
    let all = Point {
        at: Timestamp(row.get(0)?),
        n: row.get::<_, i64>(2)?.unsigned_abs(),
        least: row.get(3)?,
        most: row.get(4)?,
        sum: row.get(5)?,
        first: row.get(6)?,
        last: row.get(7)?,
    };
    Ok(Summary { id: row.get(8)?, to_at: row.get(1)?, all })
}

/// Writes a new chunk.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    series: i64,
    level: usize,
    points: &[Point],
) -> Result<(), StoreError> {
    let Some((all, to_at)) = summed(points, level) else { return Ok(()) };
    transaction
        .prepare_cached(
            "INSERT INTO chunk (series, level, n_points, from_at, to_at, n, least, most, sum, first, last, packed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            series,
            level as i64,
            points.len() as i64,
            all.at.0,
            to_at,
            all.n as i64,
            all.least,
            all.most,
            all.sum,
            all.first,
            all.last,
            pack::packed(points)?
        ])?;
    Ok(())
}

fn rewrite(transaction: &Transaction<'_>, id: i64, level: usize, points: &[Point]) -> Result<(), StoreError> {
    let Some((all, to_at)) = summed(points, level) else { return Ok(()) };
    transaction
        .prepare_cached(
            "UPDATE chunk SET n_points = ?2, from_at = ?3, to_at = ?4, n = ?5, least = ?6, most = ?7, sum = ?8,
                first = ?9, last = ?10, packed = ?11 WHERE id = ?1",
        )?
        .execute(params![
            id,
            points.len() as i64,
            all.at.0,
            to_at,
            all.n as i64,
            all.least,
            all.most,
            all.sum,
            all.first,
            all.last,
            pack::packed(points)?
        ])?;
    Ok(())
}

/// The latest chunk of a level, when there is room in it.
fn open_chunk(
    transaction: &Transaction<'_>,
    series: i64,
    level: usize,
) -> Result<Option<(i64, Vec<Point>)>, StoreError> {
    let latest: Option<(i64, i64)> = transaction
        .prepare_cached(
            "SELECT id, n_points FROM chunk WHERE series = ?1 AND level = ?2 ORDER BY from_at DESC LIMIT 1",
        )?
        .query_row(params![series, level as i64], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, _)) = latest.filter(|(_, n_points)| *n_points < CHUNK as i64) else { return Ok(None) };
    Ok(Some((id, columns(transaction, id)?.points().collect())))
}

/// Two runs of points in order of time as one.
fn merged(mut before: Vec<Point>, new: Vec<Point>, meet: fn(&mut Point, &Point)) -> Vec<Point> {
    let is_after = before.last().zip(new.first()).is_none_or(|(last, first)| last.at < first.at);
    before.extend(new);
    if is_after { before } else { in_order(before, meet) }
}

/// Points in order of time, one for each time. Of two of the same time, the one that stands later is new to `meet`.
pub(crate) fn in_order(mut points: Vec<Point>, meet: fn(&mut Point, &Point)) -> Vec<Point> {
    // The sort is stable.
    points.sort_by_key(|point| point.at);
    points.dedup_by(|later, earlier| {
        let is_same = later.at == earlier.at;
        if is_same {
            meet(earlier, later);
        }
        is_same
    });
    points
}

fn summed(points: &[Point], level: usize) -> Option<(Point, i64)> {
    let (first, others) = points.split_first()?;
    let mut all = *first;
    others.iter().for_each(|point| all.take_in(point));
    let last = others.last().unwrap_or(first);
    Some((all, last.at.0.saturating_add(WIDTHS[level] - 1)))
}
