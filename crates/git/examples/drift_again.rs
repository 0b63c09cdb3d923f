//! `drift_again REPOSITORY BASE`: the drift of all branches again and again in one process, as the daemon does.
//!
//! For measuring: what a push to the base costs where the history stays in memory. `BASE` is a full ref name of a bare
//! repository with packed refs. Each line of standard input is a commit that the base has moved to. Prints for each the
//! seconds that took and how many branches were measured, after holding the answer against one that begins anew.

use std::{error::Error, fs, io, path::Path, time::Instant};

use alignwatch_git::{
    graph::{GraphSources, Pos, Recent, RecentContents, measure},
    objects::Objects,
};
use alignwatch_model::{Drift, Known, Oid};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (repository, base) = (args.next().ok_or("no repository")?, args.next().ok_or("no base")?);
    let repository = Path::new(&repository);
    let refs = fs::read_to_string(repository.join("packed-refs"))?;
    let refs = refs.lines().filter_map(|line| line.split_once(' ')).filter(|(_, name)| name.starts_with("refs/heads/"));
    let (tips, bases): (Vec<_>, Vec<_>) = refs.partition(|(_, name)| *name != base);
    let tips = tips.iter().map(|(oid, _)| Oid::from_hex(oid.as_bytes())).collect::<Result<Vec<Oid>, _>>()?;
    let first = bases.first().ok_or("no such base")?.0.to_owned();
    let recent = Recent::default();
    for line in std::iter::once(Ok(first)).chain(io::stdin().lines()) {
        let base = Oid::from_hex(line?.trim().as_bytes())?;
        let began = Instant::now();
        let found = drifts(repository, &tips, base, &recent)?;
        let seconds = began.elapsed().as_secs_f64();
        if found != drifts(repository, &tips, base, &Recent::default())? {
            return Err("it is not what is found anew".into());
        }
        writeln(seconds, found.len())?;
    }
    Ok(())
}

fn writeln(seconds: f64, n: usize) -> io::Result<()> {
    use io::Write;
    let mut answer = io::stdout().lock();
    writeln!(answer, "{seconds:.6} {n}")?;
    answer.flush()
}

fn drifts(repository: &Path, tips: &[Oid], base: Oid, recent: &Recent) -> Result<Vec<Known<Drift>>, Box<dyn Error>> {
    let sources = GraphSources::in_git_dir(repository, "sha1")?;
    let objects = Objects::open(&sources.object_dirs[0], "sha1")?;
    let all: Vec<Oid> = tips.iter().copied().chain([base]).collect();
    let (graph, coverage) = recent.open(&sources, &objects, &all);
    let mut places: Vec<Pos> = graph.find_all(&all).into_iter().flatten().collect();
    let trunk = graph.trunk(places.pop().ok_or("no commit")?);
    let found = measure(&graph, &trunk, &places);
    drop(trunk);
    recent.keep(sources, graph, coverage, RecentContents::default());
    Ok(found)
}
