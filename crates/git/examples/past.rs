//! `past REPOSITORY BASE`: the past year of all heads of a bare repository against `BASE` (a full name), and how long that took.
//!
//! For measuring. Prints a line a week: its end, commits of the base, branches that were open, and how many of them
//! were behind.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "it is a program")]

use std::{
    error::Error,
    fs,
    path::Path,
    time::{Instant, SystemTime},
};

use alignwatch_git::{
    graph::{Graph, GraphSources, Trunk},
    objects::Objects,
    past::{Branch, Line, past, week_ends},
};
use alignwatch_model::{Known, Oid, RefName, Timestamp};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (repository, base) = (args.next().ok_or("no repository")?, args.next().ok_or("no base")?);
    let packed = fs::read_to_string(Path::new(&repository).join("packed-refs"))?;
    let heads =
        packed.lines().filter_map(|line| line.split_once(' ')).filter(|(_, name)| name.starts_with("refs/heads/"));
    let heads: Vec<(RefName, Oid)> =
        heads.filter_map(|(oid, name)| Some((RefName::from(name), Oid::from_hex(oid.as_bytes()).ok()?))).collect();
    let tips: Vec<Oid> = heads.iter().map(|(_, oid)| *oid).collect();
    let sources = GraphSources::in_git_dir(Path::new(&repository), "sha1")?;
    let objects = Objects::open(&sources.object_dirs[0], "sha1")?;
    let (graph, _) = Graph::open(&sources, &objects, &tips);
    let base = heads.iter().find(|(name, _)| name.text() == base).ok_or("no such base")?;
    let trunk = Trunk::of(&graph, graph.find(&base.1).ok_or("no such commit")?);
    let others = heads.iter().filter(|(name, _)| *name != base.0);
    let branches: Vec<Branch<'_>> = others.map(|(name, oid)| Branch { name, tip: graph.find(oid), line: 0 }).collect();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let began = Instant::now();
    let past = past(&graph, &[Line { name: &base.0, trunk: &trunk }], &branches, week_ends(Timestamp(now as i64)));
    let took = began.elapsed();
    let Known::Seen(past) = past else { return Err("the past is not known".into()) };
    for (number, end) in past.ends.iter().enumerate() {
        let open = past.branches.iter().filter_map(|branch| branch.stood[number]);
        let (n_open, n_behind) = (open.clone().count(), open.filter(|stood| 0 < stood.behind).count());
        println!("{end} {:?} {n_open} {n_behind}", past.lines[0].n_commits[number]);
    }
    eprintln!("{} branches, {} commits: {took:?}", branches.len(), graph.len());
    Ok(())
}
