//! Numbers over time. The newest lie as rows; as soon as there are enough of a series, they become one chunk.
//!
//! A chunk is compressed (by the `pco` library, which finds whole numbers, decimals and regular steps by itself)
//! and has its count, least, most, sum, first and last beside it, so that most questions never unpack it.

use alignwatch_model::record::Reading;
use pco::{
    ChunkConfig,
    standalone::{simple_compress, simple_decompress},
};
use rusqlite::{Transaction, params};

use crate::StoreError;

/// Rows of a series that become a chunk. Source: measured; larger ones win less than a tenth of a byte a number.
pub(crate) const CHUNK: usize = 1024;

/// Effort of the compression, of 0 to 12. Source: measured; higher ones take twice the time for a hundredth of the size.
const EFFORT: usize = 8;

/// Adds readings, each to its series. A second reading of the same second replaces the first.
pub(crate) fn add(transaction: &Transaction<'_>, readings: &[Reading]) -> Result<(), StoreError> {
    let mut find = transaction.prepare_cached(
        "INSERT INTO series (repository, metric, labels, n_recent) VALUES (?1, ?2, ?3, 1)
         ON CONFLICT DO UPDATE SET n_recent = n_recent + 1 RETURNING id, n_recent",
    )?;
    let mut put =
        transaction.prepare_cached("INSERT OR REPLACE INTO recent (series, at, value) VALUES (?1, ?2, ?3)")?;
    for reading in readings.iter().filter(|reading| reading.value.is_finite()) {
        let (series, n_recent): (i64, i64) = find
            .query_row(params![reading.repository, reading.metric, reading.labels], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        put.execute(params![series, reading.at.0, reading.value])?;
        if CHUNK as i64 <= n_recent {
            pack(transaction, series)?;
        }
    }
    Ok(())
}

/// Makes one chunk of a series' rows.
fn pack(transaction: &Transaction<'_>, series: i64) -> Result<(), StoreError> {
    let mut rows = transaction.prepare_cached("SELECT at, value FROM recent WHERE series = ?1 ORDER BY at")?;
    let rows = rows.query_map([series], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(i64, f64)> = rows.collect::<Result<_, _>>()?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
    let values = || rows.iter().map(|(_, value)| *value);
    transaction
        .prepare_cached(
            "INSERT INTO chunk (series, from_at, to_at, n, least, most, sum, first, last, packed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            series,
            first.0,
            last.0,
            rows.len() as i64,
            values().fold(f64::INFINITY, f64::min),
            values().fold(f64::NEG_INFINITY, f64::max),
            values().sum::<f64>(),
            first.1,
            last.1,
            packed(&rows)?,
        ])?;
    transaction.prepare_cached("DELETE FROM recent WHERE series = ?1")?.execute([series])?;
    transaction.prepare_cached("UPDATE series SET n_recent = 0 WHERE id = ?1")?.execute([series])?;
    Ok(())
}

/// Times and values, one stream behind the other; the length of the first stands before it.
fn packed(rows: &[(i64, f64)]) -> Result<Vec<u8>, StoreError> {
    let (times, values): (Vec<i64>, Vec<f64>) = rows.iter().copied().unzip();
    let wrong = |error: pco::errors::PcoError| StoreError::Numbers(error.to_string());
    let effort = ChunkConfig::default().with_compression_level(EFFORT);
    let times = simple_compress(&times, &effort).map_err(wrong)?;
    let values = simple_compress(&values, &effort).map_err(wrong)?;
    Ok([&(times.len() as u32).to_le_bytes()[..], &times, &values].concat())
}

/// The rows of a chunk.
pub(crate) fn unpacked(packed: &[u8]) -> Result<Vec<(i64, f64)>, StoreError> {
    let cut = || StoreError::Numbers("a chunk is cut short".to_owned());
    let wrong = |error: pco::errors::PcoError| StoreError::Numbers(error.to_string());
    let (length, streams) = packed.split_first_chunk::<4>().ok_or_else(cut)?;
    let (times, values) = streams.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut)?;
    let times: Vec<i64> = simple_decompress(times).map_err(wrong)?;
    let values: Vec<f64> = simple_decompress(values).map_err(wrong)?;
    if times.len() != values.len() {
        return Err(cut());
    }
    Ok(times.into_iter().zip(values).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(rows in proptest::collection::vec((any::<i64>(), any::<f64>()), 1..300)) {
            let out = unpacked(&packed(&rows).unwrap()).unwrap();
            let bits = |rows: &[(i64, f64)]| rows.iter().map(|(at, value)| (*at, value.to_bits())).collect::<Vec<_>>();
            prop_assert_eq!(bits(&out), bits(&rows));
        }

        #[test]
        fn a_mutilated_chunk_is_an_error_or_other_numbers_and_never_a_panic(
            at in 0usize..200,
            byte in any::<u8>(),
            length in 0usize..200,
        ) {
            let rows: Vec<(i64, f64)> = (0..64).map(|n| (n * 60, n as f64 / 10.0)).collect();
            let mut bytes = packed(&rows).unwrap();
            let end = bytes.len();
            bytes[at % end] = byte;
            bytes.truncate(length.min(end));
            let _ = unpacked(&bytes);
        }
    }
}
