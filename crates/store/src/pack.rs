//! Points of a series as bytes, and back.
//!
//! Seven columns, each compressed by the `pco` library (it finds whole numbers, decimals and regular steps by itself)
//! with its length in front. A column that says nothing new is empty: counts that are all one, and least, most, sum,
//! first and last that are the same numbers. So a number as it was measured costs a time and a value, and no more.

use alignwatch_model::Timestamp;
use pco::{
    ChunkConfig,
    data_types::Number,
    standalone::{simple_compress, simple_decompress},
};

use crate::{Point, StoreError};

/// Effort of the compression, of 0 to 12. Source: measured; higher ones take twice the time for a hundredth of the size.
const EFFORT: usize = 8;

/// Columns of numbers: least, most, sum, first, last. The first is always there.
const N_COLUMNS: usize = 5;

/// Points as they come out of a chunk, column by column.
#[derive(Debug)]
pub(crate) struct Columns {
    times: Vec<i64>,
    /// Empty: all are one.
    counts: Vec<u32>,
    /// Empty ones are as the first.
    columns: [Vec<f64>; N_COLUMNS],
}

impl Columns {
    /// The points, in order of time as they were packed.
    pub(crate) fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let number = |column: usize, row: usize| self.columns[column].get(row).unwrap_or(&self.columns[0][row]);
        self.times.iter().enumerate().map(move |(row, at)| Point {
            at: Timestamp(*at),
            n: self.counts.get(row).map_or(1, |count| u64::from(*count)),
            least: self.columns[0][row],
            most: *number(1, row),
            sum: *number(2, row),
            first: *number(3, row),
            last: *number(4, row),
        })
    }

    /// Times and values, where every point is one number.
    pub(crate) fn numbers(&self) -> Option<(&[i64], &[f64])> {
        let is_plain = self.counts.is_empty() && self.columns[1..].iter().all(Vec::is_empty);
        is_plain.then_some((&*self.times, &*self.columns[0]))
    }
}

/// Makes bytes of points.
pub(crate) fn packed(points: &[Point]) -> Result<Vec<u8>, StoreError> {
    let times: Vec<i64> = points.iter().map(|point| point.at.0).collect();
    // A count beyond four thousand millions in one span can't be measured by anybody.
    let counts: Vec<u32> = points.iter().map(|point| u32::try_from(point.n).unwrap_or(u32::MAX)).collect();
    let least: Vec<f64> = points.iter().map(|point| point.least).collect();
    let mut bytes = Vec::new();
    push(&mut bytes, &times, false)?;
    push(&mut bytes, &counts, counts.iter().all(|count| *count == 1))?;
    push(&mut bytes, &least, false)?;
    let others: [fn(&Point) -> f64; N_COLUMNS - 1] =
        [|point| point.most, |point| point.sum, |point| point.first, |point| point.last];
    for other in others {
        let is_same = points.iter().all(|point| other(point).to_bits() == point.least.to_bits());
        let column: Vec<f64> = if is_same { Vec::new() } else { points.iter().map(other).collect() };
        push(&mut bytes, &column, is_same)?;
    }
    Ok(bytes)
}

/// Makes points of bytes. Errors: the bytes are none of ours.
pub(crate) fn unpacked(mut bytes: &[u8]) -> Result<Columns, StoreError> {
    let times: Vec<i64> = pull(&mut bytes)?;
    let counts: Vec<u32> = pull(&mut bytes)?;
    let mut columns: [Vec<f64>; N_COLUMNS] = Default::default();
    for column in &mut columns {
        *column = pull(&mut bytes)?;
    }
    let fits = |length: usize| length == times.len() || length == 0;
    let is_whole =
        columns[0].len() == times.len() && fits(counts.len()) && columns.iter().all(|column| fits(column.len()));
    if is_whole { Ok(Columns { times, counts, columns }) } else { Err(cut_short()) }
}

fn push<T: Number>(bytes: &mut Vec<u8>, column: &[T], is_left_out: bool) -> Result<(), StoreError> {
    let effort = ChunkConfig::default().with_compression_level(EFFORT);
    let packed = if is_left_out { Vec::new() } else { simple_compress(column, &effort).map_err(wrong)? };
    bytes.extend((packed.len() as u32).to_le_bytes());
    bytes.extend(packed);
    Ok(())
}

fn pull<T: Number>(bytes: &mut &[u8]) -> Result<Vec<T>, StoreError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut_short)?;
    let (column, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut_short)?;
    *bytes = rest;
    if column.is_empty() { Ok(Vec::new()) } else { simple_decompress(column).map_err(wrong) }
}

/// The numbers of a chunk as stores up to version 3 have them: the length of the times, the times, the values.
pub(crate) fn unpacked_of_version_3(packed: &[u8]) -> Result<Vec<(i64, f64)>, StoreError> {
    let (length, streams) = packed.split_first_chunk::<4>().ok_or_else(cut_short)?;
    let (times, values) = streams.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut_short)?;
    let times: Vec<i64> = simple_decompress(times).map_err(wrong)?;
    let values: Vec<f64> = simple_decompress(values).map_err(wrong)?;
    if times.len() == values.len() { Ok(times.into_iter().zip(values).collect()) } else { Err(cut_short()) }
}

fn cut_short() -> StoreError {
    StoreError::Numbers("a chunk is cut short".to_owned())
}

fn wrong(error: pco::errors::PcoError) -> StoreError {
    StoreError::Numbers(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point() -> impl Strategy<Value = Point> {
        let number = any::<f64>;
        let parts = (any::<i64>(), any::<u32>(), number(), number(), number(), number(), number());
        let whole = parts.prop_map(|(at, n, least, most, sum, first, last)| Point {
            at: Timestamp(at),
            n: n.into(),
            least,
            most,
            sum,
            first,
            last,
        });
        prop_oneof![whole, (any::<i64>(), number()).prop_map(|(at, value)| Point::number(at, value))]
    }

    fn bits(point: &Point) -> (i64, u64, [u64; 5]) {
        let numbers = [point.least, point.most, point.sum, point.first, point.last];
        (point.at.0, point.n, numbers.map(f64::to_bits))
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(points in proptest::collection::vec(point(), 1..200)) {
            let out = unpacked(&packed(&points).unwrap()).unwrap();
            let out: Vec<_> = out.points().map(|point| bits(&point)).collect();
            prop_assert_eq!(out, points.iter().map(bits).collect::<Vec<_>>());
        }

        #[test]
        fn mutilated_bytes_are_an_error_or_other_points_and_never_a_panic(
            at in 0usize..200,
            byte in any::<u8>(),
            length in 0usize..200,
        ) {
            let points: Vec<_> = (0..64).map(|n| Point::number(n * 60, n as f64 / 10.0)).collect();
            let mut bytes = packed(&points).unwrap();
            let end = bytes.len();
            bytes[at % end] = byte;
            bytes.truncate(length.min(end));
            if let Ok(columns) = unpacked(&bytes) {
                columns.points().for_each(drop);
            }
        }
    }

    #[test]
    fn what_was_measured_costs_a_time_and_a_value() {
        let numbers: Vec<_> =
            (0..1024).map(|n| Point::number(n * 60, f64::from((n * 7919 % 97) as u32) / 4.0)).collect();
        let columns = unpacked(&packed(&numbers).unwrap()).unwrap();
        assert_eq!(columns.numbers().unwrap().0.len(), 1024);
        assert!(packed(&numbers).unwrap().len() < 1024 * 2);
    }
}
