//! Holds ten thousand rules against fifty thousand series, and says how long that takes; for `bench/`.
//!
//! One in a hundred series is bad. `cargo run --release -p alignwatch-model --example rules`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "for those who measure")]

use std::time::Instant;

use alignwatch_model::{
    Timestamp,
    alert::{Book, Policy, evaluate::Seen, rule::Rule},
    config::RuleEntry,
    metrics::{self, Breadth},
    record::Reading,
};

const RULES: usize = 10_000;
const SERIES: usize = 50_000;

fn main() {
    let names: Vec<&str> =
        metrics::ALL.iter().filter(|metric| metric.breadth == Breadth::Branch).map(|metric| metric.name).collect();
    let rule = |number: usize| {
        let (metric, branch) = (names[number % names.len()], number);
        let expr = format!("{metric}{{branch=\"b{branch}\"}} > 100");
        Rule::of_entry(&RuleEntry { name: format!("rule-{number}"), expr, ..RuleEntry::default() }).unwrap()
    };
    let reading = |number: usize| Reading {
        repository: "r".into(),
        metric: names[number % names.len()],
        labels: format!("{{\"branch\":\"b{}\"}}", number / names.len()),
        at: Timestamp(0),
        value: if number.is_multiple_of(100) { 1_000.0 } else { 1.0 },
    };
    let readings: Vec<Reading> = (0..SERIES).map(reading).collect();
    let mut policy = Policy::of_rule(rule(0));
    policy.rules = (0..RULES).map(rule).collect();
    let mut book = Book::new(&policy, Timestamp(0));
    for round in 1..=3 {
        let began = Instant::now();
        let now = Timestamp(round * 60);
        let seen = Seen { path: "/r", judged: Ok(&[]), readings: &readings, hosts: &[], objective: 0.95, now };
        book.take_in(&policy, &seen);
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{{\"rules\": {RULES}, \"series\": {SERIES}, \"firing\": {}, \"seconds\": {seconds}}}",
            book.firing().count()
        );
    }
}
