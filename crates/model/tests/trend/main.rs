//! Trends against what scipy, pymannkendall, pyhomogeneity, pandas and statsmodels say of the same series.
//!
//! `make_peers.py` made `peers.json`.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::collections::BTreeMap;

use alignwatch_model::{
    Known, Timestamp,
    trend::{Cycle, Series, monotone, season, shift, slope},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Peer {
    name: String,
    at: Vec<i64>,
    values: Vec<f64>,
    slope: Line,
    monotone: Monotone,
    shift: Shift,
    day_of_week: BTreeMap<usize, (f64, f64, usize)>,
    hour_of_week: BTreeMap<usize, (f64, f64, usize)>,
}

#[derive(Deserialize)]
struct Line {
    per_day: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Monotone {
    score: f64,
    tau: f64,
    z: f64,
    p: f64,
}

#[derive(Deserialize)]
struct Shift {
    statistic: f64,
    p: f64,
    at: Option<i64>,
}

impl Peer {
    fn series(&self) -> Series {
        Series::new(self.at.iter().map(|at| Timestamp(*at)).zip(self.values.iter().copied()))
    }
}

fn peers() -> Vec<Peer> {
    let peers: Vec<Peer> = serde_json::from_str(include_str!("peers.json")).unwrap();
    assert!(peers.len() >= 10);
    peers
}

fn same(name: &str, ours: f64, theirs: f64) {
    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{name}: {ours} and {theirs}");
}

fn seen<T>(known: Known<T>) -> T {
    match known {
        Known::Seen(value) => value,
        Known::Unknown(reason) => panic!("{reason}"),
    }
}

#[test]
fn slopes_and_their_intervals_are_those_of_scipy() {
    for peer in peers() {
        let ours = seen(slope(&peer.series()));
        same(&peer.name, ours.per_day, peer.slope.per_day);
        same(&peer.name, ours.low, peer.slope.low);
        same(&peer.name, ours.high, peer.slope.high);
    }
}

#[test]
fn trends_are_those_of_pymannkendall() {
    for peer in peers() {
        let ours = seen(monotone(&peer.series()));
        same(&peer.name, ours.score, peer.monotone.score);
        same(&peer.name, ours.tau, peer.monotone.tau);
        same(&peer.name, ours.z, peer.monotone.z);
        same(&peer.name, ours.p, peer.monotone.p);
    }
}

#[test]
fn changes_of_level_are_those_of_pyhomogeneity() {
    let mut n_shifts = 0;
    for peer in peers() {
        let Some(ours) = seen(shift(&peer.series())) else {
            assert!(peer.shift.p > 0.05, "{}", peer.name);
            continue;
        };
        n_shifts += 1;
        same(&peer.name, ours.statistic, peer.shift.statistic);
        same(&peer.name, ours.p, peer.shift.p);
        assert_eq!(Some(ours.at.0), peer.shift.at, "{}", peer.name);
    }
    assert!(n_shifts >= 5);
}

#[test]
fn what_is_usual_is_what_pandas_and_statsmodels_say() {
    for peer in peers().iter().filter(|peer| peer.at.last().unwrap() - peer.at[0] >= 14 * 86_400) {
        for (cycle, theirs) in [(Cycle::DayOfWeek, &peer.day_of_week), (Cycle::HourOfWeek, &peer.hour_of_week)] {
            let season = seen(season(&peer.series(), cycle));
            for at in peer.at.iter().map(|at| Timestamp(*at)) {
                let (ours, theirs) = (season.usual(at), theirs.get(&cycle.slot(at)));
                assert_eq!(ours.is_some(), theirs.is_some(), "{}", peer.name);
                if let (Some(ours), Some((middle, spread, n))) = (ours, theirs) {
                    same(&peer.name, ours.middle, *middle);
                    same(&peer.name, ours.spread, *spread);
                    assert_eq!(ours.n_points, *n);
                }
            }
        }
    }
}
