//! Which backups stay: some of the last days, weeks and months, and always the newest that was proven.
//!
//! Grandfather, father, son: of each of the last days one, of each of the last weeks one, of each of the last months
//! one; the newest of its span each. What a kept one needs stays as well. Source of the scheme and its numbers:
//! git-facts, 7/4/12; restic's `forget` counts in the same way, by spans that have a backup.

use std::collections::BTreeSet;

use crate::Timestamp;

/// A backup, as retention sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aged {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub at: Timestamp,
    /// The one that it needs; `None` = it is whole by itself.
    pub needs: Option<String>,
    /// It was restored and compared, and was what it should be.
    pub is_proven: bool,
}

/// How many spans have a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// Days.
    pub days: usize,
    /// Weeks.
    pub weeks: usize,
    /// Months.
    pub months: usize,
}

/// Names of those that may go, the oldest first.
///
/// Nothing goes that is newer than the newest proven one; where none is proven, nothing goes at all.
pub fn may_go(backups: &[Aged], spans: Spans) -> Vec<String> {
    let mut sorted: Vec<&Aged> = backups.iter().collect();
    sorted.sort_by_key(|backup| std::cmp::Reverse((backup.at, &backup.name)));
    let Some(proven) = sorted.iter().position(|backup| backup.is_proven) else { return Vec::new() };
    let mut kept: BTreeSet<&str> = sorted[..=proven].iter().map(|backup| backup.name.as_str()).collect();
    for (at_most, span) in [(spans.days, day as fn(Timestamp) -> i64), (spans.weeks, week), (spans.months, month)] {
        kept.extend(newest_of_each(&sorted, at_most, span));
    }
    keep_what_is_needed(backups, &mut kept);
    sorted.iter().rev().map(|backup| &backup.name).filter(|name| !kept.contains(name.as_str())).cloned().collect()
}

fn newest_of_each<'a>(sorted: &[&'a Aged], at_most: usize, span: fn(Timestamp) -> i64) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let first = sorted.iter().filter(|backup| seen.insert(span(backup.at)));
    first.take(at_most).map(|backup| backup.name.as_str()).collect()
}

fn keep_what_is_needed<'a>(backups: &'a [Aged], kept: &mut BTreeSet<&'a str>) {
    loop {
        let needed = backups.iter().filter(|backup| kept.contains(backup.name.as_str()));
        let needed: Vec<&str> = needed.filter_map(|backup| backup.needs.as_deref()).collect();
        let n_before = kept.len();
        kept.extend(needed);
        if kept.len() == n_before {
            return;
        }
    }
}

fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(86_400)
}

/// Weeks begin on Monday: 1970-01-01 was a Thursday.
fn week(at: Timestamp) -> i64 {
    (day(at) + 3).div_euclid(7)
}

fn month(at: Timestamp) -> i64 {
    let date = jiff::Timestamp::from_second(at.0).map(|time| time.to_zoned(jiff::tz::TimeZone::UTC).date());
    date.map_or_else(|_| day(at) / 30, |date| i64::from(date.year()) * 12 + i64::from(date.month()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPANS: Spans = Spans { days: 7, weeks: 4, months: 12 };

    fn backup(day: i64, needs: Option<i64>, is_proven: bool) -> Aged {
        let name = |day: i64| format!("{day:04}");
        Aged { name: name(day), at: Timestamp(day * 86_400), needs: needs.map(name), is_proven }
    }

    #[test]
    fn a_year_of_daily_backups_leaves_days_weeks_and_months() {
        let year: Vec<Aged> = (20_000..20_365).map(|day| backup(day, None, true)).collect();
        let n_kept = year.len() - may_go(&year, SPANS).len();
        assert!((19..=23).contains(&n_kept), "{n_kept}: 7 days, 3 or 4 more weeks, 11 more months");
        let again: Vec<Aged> = {
            let gone = may_go(&year, SPANS);
            year.into_iter().filter(|backup| !gone.contains(&backup.name)).collect()
        };
        assert!(may_go(&again, SPANS).is_empty(), "a second time nothing goes");
    }

    #[test]
    fn the_newest_proven_one_and_all_after_it_stay() {
        let mut backups: Vec<Aged> = (0..100).map(|day| backup(day, None, false)).collect();
        assert!(may_go(&backups, SPANS).is_empty(), "none is proven");
        backups[10].is_proven = true;
        assert!(may_go(&backups, SPANS).iter().all(|name| name.as_str() < "0010"));
    }

    #[test]
    fn what_a_kept_one_needs_stays() {
        let mut backups = vec![backup(0, None, false), backup(1, Some(0), false), backup(2, Some(1), false)];
        backups.extend((3..60).map(|day| backup(day, None, true)));
        let spans = Spans { days: 1, weeks: 1, months: 12 };
        let gone = may_go(&backups, spans);
        assert!(
            !gone.contains(&"0000".to_owned())
                || !backups.iter().any(|one| one.needs.is_some() && !gone.contains(&one.name))
        );
        for backup in backups.iter().filter(|backup| !gone.contains(&backup.name)) {
            assert!(backup.needs.as_ref().is_none_or(|needs| !gone.contains(needs)), "{backup:?}");
        }
    }
}
