//! `drift REPOSITORY BASE PREFIX…`: what `git for-each-ref --format='%(refname) %(ahead-behind:BASE)' PREFIX…` prints.
//!
//! For measuring: a cold process on a bare repository, byte for byte what Git
//! prints. `BASE` is a full ref name. With `DRIFT_SIDE=DIR` a graph file of our
//! own is kept in that directory; with `DRIFT_TIMES=1` the time of each stage
//! goes to standard error.

#![expect(clippy::print_stderr, reason = "it is a program")]

use std::{
    error::Error,
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use alignwatch_git::{
    graph::{Graph, GraphSources, Pos, Trunk, ahead_behind},
    objects::Objects,
};
use alignwatch_model::{Known, Oid};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (repository, base) = (args.next().ok_or("no repository")?, args.next().ok_or("no base")?);
    let prefixes: Vec<String> = args.collect();
    let mut stages = Stages(Instant::now());
    let text = fs::read(Path::new(&repository).join("packed-refs"))?;
    let (base, refs) = parse(&text, &base, &prefixes);
    let tips: Vec<Oid> = refs.iter().map(|(_, oid)| *oid).collect();
    stages.end("refs");
    let mut sources = GraphSources::in_git_dir(Path::new(&repository), "sha1")?;
    sources.side_dir = std::env::var_os("DRIFT_SIDE").map(PathBuf::from);
    let objects = Objects::open(&sources.object_dirs[0], "sha1")?;
    let (graph, coverage) = Graph::open(&sources, &objects, &tips);
    stages.end("graph");
    let base = base.and_then(|base| graph.find(&base)).ok_or("no such base")?;
    let places = graph.find_all(&tips);
    stages.end("find");
    let trunk = Trunk::of(&graph, base);
    stages.end("trunk");
    let known: Vec<Pos> = places.iter().filter_map(|place| *place).collect();
    let mut aparts = ahead_behind(&graph, &trunk, &known).into_iter();
    stages.end("branches");
    let mut output = Vec::with_capacity(64 * refs.len());
    for ((name, _), place) in refs.iter().zip(&places) {
        output.extend_from_slice(name);
        match place.and_then(|_| aparts.next()) {
            Some(Known::Seen(apart)) => writeln!(output, " {} {}", apart.ahead, apart.behind)?,
            _ => writeln!(output, " ")?,
        }
    }
    std::io::stdout().write_all(&output)?;
    stages.end("output");
    if std::env::var_os("DRIFT_TIMES").is_some() {
        eprintln!("{coverage:?}");
    }
    Ok(())
}

/// Packed refs below one of the prefixes, and the id of the base.
fn parse<'a>(text: &'a [u8], base: &str, prefixes: &[String]) -> (Option<Oid>, Vec<(&'a [u8], Oid)>) {
    let mut base_oid = None;
    let mut refs = Vec::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', text) {
        let line = &text[start..end];
        start = end + 1;
        if line.len() <= 41 || line[40] != b' ' {
            continue;
        }
        let name = &line[41..];
        if name == base.as_bytes() {
            base_oid = Oid::from_hex(&line[..40]).ok();
        }
        if prefixes.iter().any(|prefix| name.starts_with(prefix.as_bytes())) {
            refs.extend(Oid::from_hex(&line[..40]).map(|oid| (name, oid)));
        }
    }
    (base_oid, refs)
}

struct Stages(Instant);

impl Stages {
    fn end(&mut self, stage: &str) {
        if std::env::var_os("DRIFT_TIMES").is_some() {
            eprintln!("{stage} {:?}", self.0.elapsed());
        }
        self.0 = Instant::now();
    }
}
