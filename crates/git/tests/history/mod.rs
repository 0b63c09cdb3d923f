//! Histories drawn at random, as real repositories, and what is true of them by definition.
//!
//! Every commit has a ref of its own, `refs/heads/<world>/<commit>`, and an empty tree.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses its part")]

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use alignwatch_git::{
    graph::{Apart, Coverage, Graph, GraphSources, Trunk, ahead_behind, measure},
    objects::Objects,
};
use alignwatch_model::{Drift, Known, Oid, Timestamp};

/// Small, fast and the same everywhere (splitmix64).
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    /// True in so many of 100 cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A history: parents have lower numbers than their children.
#[derive(Clone, Default)]
pub struct World {
    pub parents: Vec<Vec<usize>>,
    pub dates: Vec<i64>,
}

impl World {
    /// Lines, merges, criss-crosses, octopuses, orphans, and clocks that run backwards.
    pub fn random(chance: &mut Chance, n: usize) -> World {
        let mut world = World::default();
        let skewed = chance.percent(50);
        for at in 0..n {
            let n_parents = match chance.below(100) {
                0..6 => 0,
                6..60 => 1,
                60..93 => 2,
                _ => 3 + chance.below(3),
            };
            let mut parents: Vec<usize> = Vec::new();
            for _ in 0..n_parents.min(at) {
                let parent = if chance.percent(70) { at - 1 - chance.below(at.min(4)) } else { chance.below(at) };
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            let date = if skewed && chance.percent(30) { chance.below(n) } else { at };
            world.dates.push(1_300_000_000 + 100 * date as i64 + chance.below(100) as i64);
            world.parents.push(parents);
        }
        world
    }

    /// The same with clocks that go right.
    fn in_order(mut self) -> World {
        self.dates = (0..self.len()).map(|at| 1_300_000_000 + 100 * at as i64).collect();
        self
    }

    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// For each commit, all that it reaches, itself included.
    pub fn reach(&self) -> Vec<Vec<bool>> {
        let mut reach: Vec<Vec<bool>> = Vec::new();
        for (at, parents) in self.parents.iter().enumerate() {
            let mut mine = vec![false; self.len()];
            mine[at] = true;
            for &parent in parents {
                for (mine, theirs) in mine.iter_mut().zip(&reach[parent]) {
                    *mine |= theirs;
                }
            }
            reach.push(mine);
        }
        reach
    }

    /// The first `n` commits as a part of a fast-import stream. Marks count from `first_mark`.
    fn stream(&self, name: &str, n: usize, first_mark: usize) -> String {
        let mut stream = String::new();
        for (at, parents) in self.parents.iter().enumerate().take(n) {
            let message = format!("{name} {at}");
            let _ = writeln!(stream, "commit refs/heads/{name}/{at}\nmark :{}", first_mark + at);
            let _ = writeln!(stream, "committer A <a@example.org> {} +0000", self.dates[at]);
            let _ = writeln!(stream, "data {}\n{message}", message.len());
            for (nth, parent) in parents.iter().enumerate() {
                let _ = writeln!(stream, "{} :{}", if nth == 0 { "from" } else { "merge" }, first_mark + parent);
            }
            stream.push('\n');
        }
        stream
    }

    /// The drift of each commit from `base`, by definition.
    pub fn drifts(&self, oids: &[Oid], base: usize) -> Vec<Drift> {
        let (reach, all) = (self.reach(), 0..self.len());
        let line = self.line(base);
        let drift = |tip: usize| {
            let lacks: Vec<usize> = all.clone().filter(|&at| reach[base][at] && !reach[tip][at]).collect();
            let common: Vec<usize> = all.clone().filter(|&at| reach[base][at] && reach[tip][at]).collect();
            let is_best = |&&at: &&usize| common.iter().all(|&other| other == at || !reach[other][at]);
            let bases: Vec<usize> = common.iter().filter(is_best).copied().collect();
            let mut merge_bases: Vec<Oid> = bases.iter().map(|&at| oids[at]).collect();
            merge_bases.sort();
            Drift {
                ahead: all.clone().filter(|&at| reach[tip][at] && !reach[base][at]).count() as u32,
                behind: lacks.len() as u32,
                merge_bases,
                on_base_line: line.contains(&tip),
                base_at: bases.iter().map(|&at| Timestamp(self.dates[at])).max(),
                missing_since: lacks.iter().map(|&at| Timestamp(self.dates[at])).min(),
            }
        };
        all.clone().map(drift).collect()
    }

    /// First parents from `tip` on.
    pub fn line(&self, tip: usize) -> Vec<usize> {
        std::iter::successors(Some(tip), |&at| self.parents[at].first().copied()).collect()
    }
}

/// Many worlds in one repository, and the ids of their commits.
pub struct Worlds {
    pub repo: Repo,
    pub worlds: Vec<World>,
    pub oids: Vec<Vec<Oid>>,
}

impl Worlds {
    /// Draws worlds of up to `n_commits` each.
    pub fn random(seed: u64, n_worlds: usize, n_commits: usize) -> Worlds {
        Worlds::in_stages(Repo::new(), seed, n_worlds, n_commits, 1, |_, _| {})
    }

    /// The same, with clocks that go right.
    pub fn in_order(seed: u64, n_worlds: usize, n_commits: usize) -> Worlds {
        let worlds = Worlds::draw(seed, n_worlds, n_commits).into_iter().map(World::in_order);
        Worlds::of(Repo::new(), worlds.collect(), n_commits, 1, |_, _| {})
    }

    /// The same worlds, which come into being in `n_stages` steps; `after` is called after each.
    pub fn in_stages(
        repo: Repo,
        seed: u64,
        n_worlds: usize,
        n_commits: usize,
        n_stages: usize,
        after: impl FnMut(&Repo, usize),
    ) -> Worlds {
        Worlds::of(repo, Worlds::draw(seed, n_worlds, n_commits), n_commits, n_stages, after)
    }

    fn draw(seed: u64, n_worlds: usize, n_commits: usize) -> Vec<World> {
        let mut chance = Chance(seed);
        let draw = |_| {
            let n = n_commits / 2 + chance.below(n_commits / 2) + 1;
            World::random(&mut chance, n)
        };
        (0..n_worlds).map(draw).collect()
    }

    fn of(
        repo: Repo,
        worlds: Vec<World>,
        n_commits: usize,
        n_stages: usize,
        mut after: impl FnMut(&Repo, usize),
    ) -> Worlds {
        for stage in 1..=n_stages {
            let mut stream = String::new();
            for (nth, world) in worlds.iter().enumerate() {
                stream += &world.stream(&nth.to_string(), world.len() * stage / n_stages, 1 + nth * n_commits);
            }
            repo.import(&stream);
            after(&repo, stage);
        }
        let refs: BTreeMap<String, Oid> = repo.refs().into_iter().collect();
        let oids = |(nth, world): (usize, &World)| (0..world.len()).map(|at| refs[&name(nth, at)]).collect();
        let oids = worlds.iter().enumerate().map(oids).collect();
        Worlds { repo, worlds, oids }
    }

    /// Where the repository is, as text.
    pub fn dir(&self) -> String {
        self.repo.dir.to_string_lossy().into_owned()
    }

    /// Compares every pair of commits of the same world with the definition.
    pub fn compare(&self, graph: &Graph) {
        for (world, oids) in self.worlds.iter().zip(&self.oids) {
            for base in 0..world.len() {
                assert_eq!(measured(graph, oids, base), world.drifts(oids, base));
            }
        }
    }
}

impl Worlds {
    /// Compares every pair of commits of the same world with the counts of `for-each-ref`.
    pub fn compare_with_git(&self, graph: &Graph) {
        for (nth, world) in self.worlds.iter().enumerate() {
            let names: Vec<String> = (0..world.len()).map(|base| name(nth, base)).collect();
            let git = self.repo.ahead_behind(&format!("refs/heads/{nth}/"), &names);
            for base in 0..names.len() {
                for (drift, tip) in measured(graph, &self.oids[nth], base).iter().zip(&names) {
                    git.compare(tip, base, drift);
                }
            }
        }
    }
}

/// The ref of a commit in a world.
pub fn name(world: usize, commit: usize) -> String {
    format!("refs/heads/{world}/{commit}")
}

/// The drift of each commit from `base`, as measured.
pub fn measured(graph: &Graph, oids: &[Oid], base: usize) -> Vec<Drift> {
    let places: Vec<_> = oids.iter().map(|oid| graph.find(oid).unwrap()).collect();
    let trunk = Trunk::of(graph, places[base]);
    let drifts: Vec<Drift> =
        measure(graph, &trunk, &places).into_iter().map(|drift| drift.seen().unwrap().clone()).collect();
    for (apart, drift) in ahead_behind(graph, &trunk, &places).iter().zip(&drifts) {
        assert_eq!(*apart, Known::Seen(Apart { ahead: drift.ahead, behind: drift.behind }));
    }
    drifts
}

/// A bare repository in a temporary directory.
pub struct Repo {
    pub dir: PathBuf,
    _temp: Option<tempfile::TempDir>,
}

impl Repo {
    pub fn new() -> Repo {
        Repo::with_format("sha1")
    }

    pub fn with_format(object_format: &str) -> Repo {
        let temp = tempfile::tempdir().unwrap();
        let repo = Repo { dir: temp.path().join("repo.git"), _temp: Some(temp) };
        let format = format!("--object-format={object_format}");
        git_in(Path::new("/"), &["init", "-q", "--bare", &format, &repo.dir.to_string_lossy()], "");
        repo
    }

    /// One that is there already.
    pub fn at(dir: &Path) -> Repo {
        Repo { dir: dir.to_owned(), _temp: None }
    }

    pub fn git(&self, args: &[&str]) -> String {
        git_in(&self.dir, args, "")
    }

    pub fn git_with(&self, args: &[&str], input: &str) -> String {
        git_in(&self.dir, args, input)
    }

    pub fn import(&self, stream: &str) {
        // Objects of small histories stay single files, so that tests can take one away.
        let args = ["-c", "fastimport.unpackLimit=1000", "fast-import", "--quiet", "--force"];
        git_in(&self.dir, &args, stream);
    }

    /// All refs below `refs/heads`, in Git's order.
    pub fn refs(&self) -> Vec<(String, Oid)> {
        let text = self.git(&["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"]);
        let parse = |line: &str| {
            let (oid, name) = line.split_once(' ').unwrap();
            (name.to_owned(), Oid::from_hex(oid.as_bytes()).unwrap())
        };
        text.lines().map(parse).collect()
    }

    /// Commits that refs reach.
    pub fn n_commits(&self) -> usize {
        self.git(&["rev-list", "--count", "--all"]).trim().parse().unwrap()
    }

    pub fn sources(&self) -> GraphSources {
        let format = self.git(&["rev-parse", "--show-object-format"]);
        GraphSources::in_git_dir(&self.dir, format.trim()).unwrap()
    }

    pub fn objects(&self) -> Objects {
        let format = self.git(&["rev-parse", "--show-object-format"]);
        Objects::open(&self.dir.join("objects"), format.trim()).unwrap()
    }

    /// The graph of all refs.
    pub fn graph(&self) -> (Graph, Coverage) {
        self.graph_with(&self.sources())
    }

    pub fn graph_with(&self, sources: &GraphSources) -> (Graph, Coverage) {
        Graph::open(sources, &self.objects(), &self.tips())
    }

    pub fn graph_of(&self, tips: &[Oid]) -> (Graph, Coverage) {
        Graph::open(&self.sources(), &self.objects(), tips)
    }

    pub fn tips(&self) -> Vec<Oid> {
        self.refs().into_iter().map(|(_, oid)| oid).collect()
    }

    /// What Git counts for the refs below a prefix, against each of the bases.
    pub fn ahead_behind(&self, prefix: &str, bases: &[String]) -> Counts<'_> {
        // Git counts all pairs at once since 2.41.
        let version = self.git(&["--version"]);
        let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).unwrap();
        let all = (41 <= minor || !version.contains(" 2.")).then(|| self.all_ahead_behind(prefix, bases));
        Counts { repo: self, bases: bases.to_vec(), all, n_asked: Cell::new(0) }
    }

    fn all_ahead_behind(&self, prefix: &str, bases: &[String]) -> BTreeMap<String, Vec<(u32, u32)>> {
        let atoms: String = bases.iter().map(|base| format!(" %(ahead-behind:{base})")).collect();
        let text = self.git(&["for-each-ref", &format!("--format=%(refname){atoms}"), prefix]);
        let parse = |line: &str| {
            let mut words = line.split(' ');
            let name = words.next().unwrap().to_owned();
            let numbers: Vec<u32> = words.map(|word| word.parse().unwrap()).collect();
            (name, numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect())
        };
        text.lines().map(parse).collect()
    }

    /// `git merge-base --all`, sorted.
    pub fn merge_bases(&self, one: &str, two: &str) -> Vec<Oid> {
        let output = command(&self.dir, &["merge-base", "--all", one, two]).output().unwrap();
        assert!(output.status.code() == Some(0) || output.stdout.is_empty() && output.status.code() == Some(1));
        let mut bases: Vec<Oid> =
            output.stdout.split(|&byte| byte == b'\n').filter_map(|line| Oid::from_hex(line).ok()).collect();
        bases.sort();
        bases
    }

    /// The oldest committer date in `branch..base`.
    ///
    /// Where clocks ran backwards, Git's walk by date stops too early and lists commits that are in
    /// `branch`; only its walk by generations, with a commit-graph and in topological order, is exact.
    pub fn missing_since(&self, branch: &str, base: &str) -> Option<i64> {
        let dates = self.git(&["log", "--topo-order", "--format=%ct", &format!("{branch}..{base}")]);
        dates.lines().map(|date| date.parse().unwrap()).min()
    }
}

/// Ahead and behind of many pairs, by Git.
pub struct Counts<'a> {
    repo: &'a Repo,
    bases: Vec<String>,
    /// All of them, where this Git counts all at once.
    all: Option<BTreeMap<String, Vec<(u32, u32)>>>,
    n_asked: Cell<usize>,
}

/// Where each pair costs a process, one of so many is counted.
const SAMPLED: usize = 97;

impl Counts<'_> {
    /// Holds what was measured against what Git counts; an older Git counts one pair in [`SAMPLED`].
    pub fn compare(&self, tip: &str, base: usize, drift: &Drift) {
        let nth = self.n_asked.replace(self.n_asked.get() + 1);
        let git = match &self.all {
            Some(all) => all[tip][base],
            None if nth.is_multiple_of(SAMPLED) => self.count(tip, base),
            None => return,
        };
        assert_eq!((drift.ahead, drift.behind), git, "{tip} and {}", self.bases[base]);
    }

    /// By definition, from the ancestors of each: a walk between the two stops too early where clocks ran backwards.
    fn count(&self, tip: &str, base: usize) -> (u32, u32) {
        let [tip, base] = [tip, &self.bases[base]].map(|name| self.repo.git(&["rev-list", name]));
        let [tip, base] = [&tip, &base].map(|oids| oids.lines().collect::<BTreeSet<_>>());
        (tip.difference(&base).count() as u32, base.difference(&tip).count() as u32)
    }
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_NO_REPLACE_OBJECTS", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "A").env(format!("GIT_{who}_EMAIL"), "a@example.org");
        command.env(format!("GIT_{who}_DATE"), "1300000000 +0000");
    }
    command
}

/// Runs git and gives its output; panics unless it succeeds.
pub fn git_in(dir: &Path, args: &[&str], input: &str) -> String {
    let mut child = command(dir, args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run git: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
