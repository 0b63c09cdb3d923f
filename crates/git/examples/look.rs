//! dev
use alignwatch_git::inspect::{Progress, Wanted, inspect};
use alignwatch_model::{Timestamp, config::Config};
use std::{
    path::Path,
    time::{Duration, Instant},
};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let start = Instant::now();
    let wanted = Wanted {
        base: a.get(3).filter(|b| !b.is_empty()).cloned(),
        predicts: a.get(4).is_none(),
        for_checks: false,
        paths_patience: Duration::from_secs(std::env::var("PATHS").ok().and_then(|p| p.parse().ok()).unwrap_or(0)),
    };
    let data = (!a[2].is_empty()).then(|| Path::new(&a[2]));
    let s = inspect(Path::new(&a[1]), &Config::default(), Timestamp(1795000000), data, &wanted, &|p| {
        if let Progress::Phase(p) = p {
            eprintln!("{:?} {p}", start.elapsed())
        }
    });
    let s = match s {
        Ok(s) => s,
        Err(e) => {
            println!("{e}");
            return;
        }
    };
    eprintln!("{:?} done", start.elapsed());
    for l in &s.lines {
        eprintln!("line {} {} {:.2}", l.name, l.because, l.confidence);
    }
    let mut c = std::collections::BTreeMap::new();
    for b in &s.branches {
        *c.entry((b.base.as_ref().map(|b| b.name.to_string()), b.state())).or_insert(0) += 1;
    }
    for (k, n) in c {
        eprintln!("{k:?} {n}");
    }
    for b in &s.branches {
        println!(
            "{}\t{}\t{}\t{:?}\t{}\t{}",
            b.name,
            b.state().word(),
            b.merge.verdict.word(),
            b.drift.seen().map(|d| (d.ahead, d.behind)),
            b.merge.reason.as_deref().unwrap_or("-"),
            b.merge.conflicts.as_ref().map_or("?".into(), |c| c
                .iter()
                .map(|c| format!("{}={}", c.path, c.kinds.join("+")))
                .collect::<Vec<_>>()
                .join("\t"))
        );
    }
}
