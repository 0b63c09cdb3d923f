//! Fills a store with a year of numbers of one repository, as if a daemon had watched it for so long.
//!
//! `past_year FOLDER REPOSITORY [SECONDS]`: a number of each series every so many seconds, 300 unless told; for `bench/pages` and
//! `bench/answers`.

#![expect(clippy::unwrap_used, reason = "for those who work here")]

use std::time::{SystemTime, UNIX_EPOCH};

use alignwatch_model::{
    Timestamp,
    config::Retention,
    record::{Commit, Reading},
};
use alignwatch_store::{Tended, open};

const FIVE_MINUTES: i64 = 300;
const DAY: i64 = 86_400;

/// The series that pages show: metric and labels.
const SERIES: [(&str, &str); 11] = [
    ("alignwatch_within_budget_ratio", "{}"),
    ("alignwatch_aligned_ratio", "{}"),
    ("alignwatch_aligned_objective_ratio", "{}"),
    ("alignwatch_open_branches", "{}"),
    ("alignwatch_branches", "{\"state\":\"conflicting\"}"),
    ("alignwatch_far_behind_branches", "{}"),
    ("alignwatch_time_to_align_seconds", "{\"percentile\":\"50\"}"),
    ("alignwatch_landings", "{\"line\":\"refs/heads/main\"}"),
    ("alignwatch_base_moves", "{\"line\":\"refs/heads/main\"}"),
    ("alignwatch_findings", "{\"severity\":\"error\"}"),
    ("alignwatch_findings", "{\"severity\":\"warning\"}"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (mut store, _) = open(std::path::Path::new(&arguments[1])).unwrap();
    let every: i64 = arguments.get(3).map_or(FIVE_MINUTES, |text| text.parse().unwrap());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    for day in (1..=365).rev() {
        let begin = now - day * DAY;
        let readings = (0..DAY / every).flat_map(|n| readings(&arguments[2], begin + n * every));
        store.commit(&Commit { readings: readings.collect(), ..Commit::default() }).unwrap();
        while matches!(store.tend(&Retention::default(), Timestamp(begin)).unwrap(), Tended::Some) {}
    }
}

/// Numbers that wander a little, as real ones do.
fn readings(repository: &str, at: i64) -> Vec<Reading> {
    let reading = |(n, (metric, labels)): (usize, &(&'static str, &str))| {
        let wave = ((at / 7_200 + n as i64 * 31) % 100) as f64;
        let value = if metric.ends_with("_ratio") { 0.5 + wave / 250.0 } else { 400.0 + wave };
        Reading { repository: repository.to_owned(), metric, labels: (*labels).to_owned(), at: Timestamp(at), value }
    };
    SERIES.iter().enumerate().map(reading).collect()
}
