//! Branches that landed in ways drawn at random, judged by us and by git itself.
//!
//! Git's answers: `git cherry` on the branch, `git cherry` on one commit with the branch's tree on
//! each merge base, and `git merge-tree --write-tree`. What we prove git must see as well; what git
//! sees and we do not must be one of the differences that are named here.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::fmt::Write as _;

use alignwatch_git::{
    graph::{Graph, GraphSources, Trunk, measure},
    landed::{Asked, Prover},
    memory::Memory,
    objects::Objects,
    stop::Stop,
};
use alignwatch_model::{Drift, Landed, Oid, Proof};
use alignwatch_testkit::{Repo, git_version, sketch};

const N_REPOS: u64 = 24;
const N_BRANCHES: usize = 8;

/// Small, fast and the same everywhere (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % n as u64) as usize
    }
    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A change as the sketch language writes it, and its way back. Each branch has a file of its own,
/// so that a change can be repeated anywhere on the line.
fn change(chance: &mut Chance, branch: usize, nth: usize) -> (String, String) {
    let line = 3 + 9 * nth;
    match chance.below(10) {
        0 => (format!("+x x{branch}_{nth}"), format!("-x x{branch}_{nth}")),
        1 => (format!("new{branch}_{nth}=some"), format!("-new{branch}_{nth}")),
        2 => (format!("b{branch}_{nth}=0x00{nth:02x}ff"), format!("b{branch}_{nth}=0x0001")),
        3 => (format!("x{branch}_{nth}=>moved/{branch}_{nth}"), format!("moved/{branch}_{nth}=>x{branch}_{nth}")),
        4 => (format!("f{branch}[{line}]=\\s{line}"), format!("f{branch}[{line}]={line}")),
        _ => (format!("f{branch}[{line}]=new{nth}"), format!("f{branch}[{line}]={line}")),
    }
}

fn root() -> String {
    let mut changes = Vec::new();
    for branch in 0..N_BRANCHES {
        changes.push(format!("f{branch}=1..60"));
        changes.extend((0..5).map(|nth| format!("x{branch}_{nth}=x{branch}{nth}, b{branch}_{nth}=0x0001")));
    }
    format!("root({})", changes.join(", "))
}

/// A history in which every branch has its own fate.
fn history(seed: u64) -> String {
    let mut chance = Chance(seed);
    let (mut main, mut branches) = (format!("main: {}", root()), String::new());
    let mut n = 0;
    let mut land = |main: &mut String, changes: &[&str]| {
        n += 1;
        let _ = write!(main, " m{n}@+9d({})", changes.join(", "));
    };
    for branch in 0..N_BRANCHES {
        let n_own = 1 + chance.below(4);
        let own: Vec<(String, String)> = (0..n_own).map(|nth| change(&mut chance, branch, nth)).collect();
        let _ = write!(branches, "\nb{branch}: root");
        for (nth, (forth, _)) in own.iter().enumerate() {
            let _ = write!(branches, " c{branch}_{nth}@+1d({forth})");
        }
        let forth: Vec<&str> = own.iter().map(|(forth, _)| forth.as_str()).collect();
        let back: Vec<&str> = own.iter().map(|(_, back)| back.as_str()).collect();
        let landed = match chance.below(5) {
            0 => 0,
            1 => chance.below(n_own + 1),
            _ => n_own,
        };
        if chance.percent(50) {
            land(&mut main, &[&format!("f{branch}[58]=other")]);
        }
        let is_squash = chance.percent(50);
        let pieces: Vec<&[&str]> = if is_squash { vec![&forth[..landed]] } else { forth[..landed].chunks(1).collect() };
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            land(&mut main, piece);
            if chance.percent(20) {
                land(&mut main, &[&format!("between{branch}=1")]);
            }
        }
        if landed > 0 && chance.percent(35) {
            land(&mut main, &back[..landed]);
            if chance.percent(40) {
                land(&mut main, &forth[..landed]);
            }
        }
        if chance.percent(60) {
            land(&mut main, &[&format!("f{branch}[3]=later"), &format!("f{branch}[12]=later")]);
        }
    }
    main + &branches
}

fn judge(repo: &Repo) -> Vec<Landed> {
    let objects = Objects::open(&repo.git_dir().join("objects"), "sha1").unwrap();
    let oid = |name: &str| Oid::from_hex(repo.git(["rev-parse", name]).as_bytes()).unwrap();
    let tips: Vec<Oid> =
        std::iter::once(oid("main")).chain((0..N_BRANCHES).map(|branch| oid(&format!("b{branch}")))).collect();
    let (graph, _) = Graph::open(&GraphSources::in_git_dir(&repo.git_dir(), "sha1").unwrap(), &objects, &tips);
    let places: Vec<_> = tips.iter().map(|tip| graph.find(tip).unwrap()).collect();
    let trunk = Trunk::of(&graph, places[0]);
    let drifts: Vec<Drift> =
        measure(&graph, &trunk, &places[1..]).into_iter().map(|drift| drift.seen().unwrap().clone()).collect();
    let asked: Vec<Asked<'_>> = places[1..].iter().zip(&drifts).map(|(&tip, drift)| Asked { tip, drift }).collect();
    let memory = Memory::none();
    let prover =
        Prover { graph: &graph, objects: &objects.opener(), memory: &memory, n_threads: 2, stop: &Stop::default() };
    prover.prove(&trunk, &asked, &|_, _| {})
}

/// What git sees.
#[derive(Debug)]
struct ByGit {
    all_picked: bool,
    is_squashed: bool,
    adds_nothing: bool,
}

fn by_git(repo: &Repo, branch: &str) -> ByGit {
    let cherry = repo.git(["cherry", "main", branch]);
    let squash = repo.git(["commit-tree", "-p", &repo.oid("root").hex(), "-m", "x", &format!("{branch}^{{tree}}")]);
    let merged = repo.git_output(["merge-tree", "--write-tree", "main", branch]);
    let tree = String::from_utf8_lossy(&merged.stdout).lines().next().unwrap_or_default().to_owned();
    ByGit {
        all_picked: !cherry.is_empty() && cherry.lines().all(|line| line.starts_with('-')),
        is_squashed: repo.git(["cherry", "main", &squash]).starts_with('-'),
        adds_nothing: merged.status.success() && tree == repo.git(["rev-parse", "main^{tree}"]),
    }
}

#[test]
fn what_is_proven_git_sees_as_well_and_the_other_way_round() {
    assert!(git_version() >= (2, 38));
    let mut n = std::collections::BTreeMap::<String, usize>::new();
    for seed in 0..N_REPOS {
        let text = history(seed);
        let repo = sketch(&text).draw();
        for (branch, landed) in judge(&repo).into_iter().enumerate() {
            let git = by_git(&repo, &format!("b{branch}"));
            let told = format!("seed {seed}, b{branch}: {landed:?}, {git:?}\n{text}");
            match landed {
                Landed::Yes(Proof::IdenticalTree | Proof::MergeNoOp) => assert!(git.adds_nothing, "{told}"),
                Landed::Yes(Proof::PatchIds) | Landed::Reverted(Proof::PatchIds) => assert!(git.all_picked, "{told}"),
                Landed::Yes(_) | Landed::Reverted(_) => assert!(git.is_squashed, "{told}"),
                // Git takes a change of whitespace for any other, and follows renames.
                Landed::No | Landed::Continued(_) => {
                    let has_space = text.lines().nth(1 + branch).unwrap().contains("=\\s");
                    let has_rename = text.lines().nth(1 + branch).unwrap().contains("=>");
                    assert!(has_space || !git.all_picked && !git.is_squashed, "{told}");
                    assert!(has_rename || !git.adds_nothing, "{told}");
                }
                Landed::Unknown(reason) => panic!("{reason}"),
            }
            *n.entry(format!("{landed:?}")).or_default() += 1;
        }
    }
    // A test in which nothing lands proves nothing.
    for wanted in ["Yes(IdenticalTree)", "Yes(MergeNoOp)", "Yes(PatchIds)", "Yes(SquashPatchId)", "No"] {
        assert!(n.contains_key(wanted), "{n:?}");
    }
    assert!(
        n.keys().any(|key| key.starts_with("Reverted")) && n.keys().any(|key| key.starts_with("Continued")),
        "{n:?}"
    );
}
