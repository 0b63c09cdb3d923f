//! `again REPOSITORY DATA BASE`: looks at a repository again and again in one process, as the daemon does.
//!
//! For measuring: what a look costs when everything is remembered, without the start of a process around it. Looks
//! once; then for each line on standard input it looks again. Prints the seconds that took, how many branches it saw,
//! and a number that stands for what it found of them (what landed, what would merge), so that two ways to the same tips
//! can be held against each other. `DATA` is where facts are remembered, `BASE` a full ref name. Paths of conflicts are
//! not waited for. The seconds at which each part began go to standard error.

use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use alignwatch_git::{
    graph::Recent,
    inspect::{Progress, Wanted, inspect_again},
    stop::Stop,
};
use alignwatch_model::{Look, Snapshot, Timestamp, config::Config};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let repository = PathBuf::from(args.next().ok_or("no repository")?);
    let data = PathBuf::from(args.next().ok_or("no folder for what is remembered")?);
    let wanted = Wanted {
        base: Some(args.next().ok_or("no base")?),
        looks: Look::with_required([Look::Merges]),
        paths_patience: Duration::ZERO,
        stop: Stop::default(),
    };
    let recent = Recent::default();
    for line in std::iter::once(Ok(String::new())).chain(io::stdin().lines()) {
        line?;
        let began = Instant::now();
        let told = |step: Progress| {
            if let Progress::Phase(name) = step {
                let _ = writeln!(io::stderr(), "{:.4} {name}", began.elapsed().as_secs_f64());
            }
        };
        let seen = inspect_again(&repository, &Config::default(), Timestamp(0), Some(&data), &wanted, &told, &recent)?;
        writeln(began.elapsed(), &seen)?;
    }
    Ok(())
}

fn writeln(took: Duration, seen: &Snapshot) -> io::Result<()> {
    let found =
        seen.branches.iter().map(|branch| format!("{} {:?} {:?}", branch.name, branch.landed, branch.merge.verdict));
    let found = crc32fast::hash(found.collect::<Vec<_>>().join("\n").as_bytes());
    let mut answer = io::stdout().lock();
    writeln!(answer, "{} {} {found:08x}", took.as_secs_f64(), seen.branches.len())?;
    answer.flush()
}
