//! What a series did, in spans of any width.

use alignwatch_model::Timestamp;
use rusqlite::params;

use crate::{
    Point, Store, StoreError,
    chunk::{self, Summary},
    point::Spans,
    series,
};

impl Store {
    /// What a series did from `from` until before `to`, in spans of `step` seconds.
    ///
    /// Shape: in order of time, only spans in which something was measured. A chunk that lies within one span is
    /// not unpacked. What was rolled up counts where its own span begins: exact when `from` and `step` are
    /// multiples of that span (5 minutes, an hour, a day), and moved by less than one of them otherwise.
    pub fn points(&self, series: i64, from: Timestamp, to: Timestamp, step: i64) -> Result<Vec<Point>, StoreError> {
        let mut question = Question { from: from.0, to: to.0, spans: Spans::new(from.0, step) };
        let waiting = series::in_order(series::waiting(&self.connection, series)?);
        let mut chunks = self.connection.prepare_cached(&format!(
            "SELECT {}, level FROM chunk WHERE series = ?1 AND from_at < ?3 AND ?2 <= to_at ORDER BY from_at",
            chunk::SUMMARY
        ))?;
        let mut rows = chunks.query(params![series, from.0, to.0])?;
        while let Some(row) = rows.next()? {
            let summary = chunk::summary(row)?;
            if question.is_one_span(&summary) && waiting.first().is_none_or(|first| summary.to_at < first.at.0) {
                question.spans.add(summary.all);
                continue;
            }
            let columns = chunk::columns(&self.connection, summary.id)?;
            // What waits replaces what was measured at the same time.
            let is_replaced = |at: i64| waiting.binary_search_by_key(&at, |point| point.at.0).is_ok();
            match columns.numbers() {
                Some((times, values)) if waiting.is_empty() => question.add_numbers(times, values),
                _ if 0 == row.get::<_, i64>(9)? => {
                    question.add(columns.points().filter(|point| !is_replaced(point.at.0)));
                }
                _ => question.add(columns.points()),
            }
        }
        question.add(waiting.into_iter());
        Ok(question.spans.finish())
    }
}

/// What is asked, and the answer so far.
struct Question {
    from: i64,
    to: i64,
    spans: Spans,
}

impl Question {
    fn is_one_span(&self, chunk: &Summary) -> bool {
        let (first_at, last_at) = (chunk.all.at.0, chunk.to_at);
        self.from <= first_at && last_at < self.to && self.spans.begin(first_at) == self.spans.begin(last_at)
    }

    fn add(&mut self, points: impl Iterator<Item = Point>) {
        let (from, to) = (self.from, self.to);
        points.filter(|point| (from..to).contains(&point.at.0)).for_each(|point| self.spans.add(point));
    }

    fn add_numbers(&mut self, times: &[i64], values: &[f64]) {
        let numbers = std::iter::zip(times, values);
        self.add(numbers.map(|(at, value)| Point::number(*at, *value)));
    }
}
