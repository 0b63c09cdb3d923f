//! Watches over the repository that is named, through the library: `cargo run --example monitor -- PATH`.

use std::{env, io::Write as _};

use alignwatch::{Monitor, failure::Failure, monitor::Status};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let told = |failure: Failure| failure.told();
    let monitor = Monitor::new(path, None).map_err(told)?;
    let health = monitor.check_system_health();
    let mut out = std::io::stdout().lock();
    writeln!(out, "health: {}", health.status().word())?;
    if health.status() != Status::Unknown {
        for number in monitor.collect_performance_metrics().map_err(told)?.numbers.iter().take(5) {
            writeln!(out, "{} = {}", number.metric, number.value)?;
        }
    }
    for (resource, percent) in monitor.resource_use() {
        writeln!(out, "{resource}: {percent:?} %")?;
    }
    Ok(())
}
