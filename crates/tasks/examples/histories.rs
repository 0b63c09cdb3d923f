//! Draws many random histories and asks which branches the clean-up would take: `histories REPOSITORIES BRANCHES
//! [FIRST]`.
//!
//! What became of each branch is known by construction: merged, squashed, rebased, partly landed (the first commits were
//! picked), reverted, continued, open, unrelated; and of one in four, what came on top of that: it was forced to new work
//! at the same name, its upstream is gone, or it was made from the line just now. That is the naive oracle: whatever was
//! forced to new work is in no base, and what was made just now stays. Prints how many were judged, how many would go,
//! and each that must not.

#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::{collections::BTreeMap, io::Write, path::Path, process::Stdio, time::Duration};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{
    Known, Look, Span, Timestamp,
    config::{Cleanup, Config, ProofLevel},
    task::cleanup::{Beside, Fate, fates},
};
use alignwatch_testkit::{Fate as Truth, Shape, Truth as Drawn, generate, git, git_command, git_output};

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let (n_repositories, n_branches) = (arguments.next().unwrap_or(10), arguments.next().unwrap_or(1_000));
    run(n_repositories, n_branches, arguments.next().unwrap_or(0));
}

/// What came of some histories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Branches that were judged.
    pub(crate) n: usize,
    /// Those that would go.
    pub(crate) n_going: usize,
    /// Those of them that must not.
    pub(crate) n_wrong: usize,
}

/// Draws so many repositories with so many branches each, the first from this seed, and asks.
pub(crate) fn run(n_repositories: usize, n_branches: usize, first: usize) -> Judged {
    let cleanup = Cleanup { proof: ProofLevel::Patches, rested: Span(0), ..Cleanup::default() };
    let config = Config { cleanup, ..Config::default() };
    let Judged { n: mut n_judged, mut n_going, mut n_wrong } = Judged::default();
    let mut n_lives: BTreeMap<Life, usize> = BTreeMap::new();
    for seed in first..first + n_repositories {
        let folder = std::env::temp_dir().join(format!("histories-{}-{seed}", std::process::id()));
        let shape = Shape { seed: seed as u64, ..Shape::like_649().scaled_to(n_branches, 2 * n_branches) };
        let truth = generate(&shape, &folder);
        let at = Timestamp(shape.newest_at + 86_400);
        let lives = live_on(&folder, &truth, seed as u64);
        lives.values().for_each(|life| *n_lives.entry(*life).or_default() += 1);
        let wanted = Wanted {
            base: None,
            looks: Look::with_required([Look::Landed, Look::Worktrees, Look::Settings]),
            paths_patience: Duration::ZERO,
            stop: Stop::default(),
        };
        let Ok(snapshot) = inspect(&folder, &config, at, None, &wanted, &|_| {}) else { continue };
        let moved_at = |name: &str| if lives.get(name) == Some(&Life::Fresh) { at } else { Timestamp(0) };
        let moved = snapshot.branches.iter().map(|branch| {
            (branch.name.clone(), Known::Seen(moved_at(branch.name.text().trim_start_matches("refs/heads/"))))
        });
        let moved = moved.collect();
        n_judged += snapshot.branches.len();
        for (name, fate) in fates(&snapshot, &config, &Beside { moved, ..Beside::default() }, at) {
            let Fate::Goes(going) = fate else { continue };
            n_going += 1;
            let short = name.text().trim_start_matches("refs/heads/").to_owned();
            let known = truth.branches.iter().find(|branch| branch.name == short).map(|branch| branch.fate);
            let life = lives.get(&short);
            let landed = matches!(known, Some(Truth::Merged | Truth::Squashed | Truth::Rebased));
            if matches!(life, Some(Life::Forced | Life::Fresh)) {
                n_wrong += 1;
                println!("WRONG: seed {seed}, {short}: {known:?}, {life:?} by {:?}", going.proof);
                continue;
            }
            let words = ["merge-base", "--is-ancestor", &going.oid.hex(), &going.base_oid.hex()];
            // One whose commits change nothing, or nothing but what was picked, has no work that is not there: git says so.
            let picked = || git(&folder, ["cherry", &going.base_oid.hex(), &going.oid.hex()]);
            let is_whole = || {
                matches!(known, Some(Truth::Partly | Truth::Open))
                    && !picked().lines().any(|line| line.starts_with('+'))
            };
            if !landed && !git_output(&folder, words).status.success() && !is_whole() {
                n_wrong += 1;
                println!("WRONG: seed {seed}, {short}: {known:?} by {:?}", going.proof);
            }
        }
        drop(std::fs::remove_dir_all(&folder));
        println!("{n_judged} histories judged, {n_going} would go, {n_wrong} of them wrongly; {n_lives:?}");
    }
    Judged { n: n_judged, n_going, n_wrong }
}

/// What came on top of a branch's fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Life {
    /// It was forced to a commit with work that is nowhere else.
    Forced,
    /// Its upstream is gone.
    Gone,
    /// It was made from the line just now.
    Fresh,
}

/// Lets one branch in four live on, each in one of three ways.
fn live_on(folder: &Path, truth: &Drawn, seed: u64) -> BTreeMap<String, Life> {
    let mut lives = BTreeMap::new();
    let (mut stream, mut config) = (String::new(), String::from("\n"));
    let line = git(folder, ["rev-parse", "refs/heads/main"]);
    for (nth, branch) in truth.branches.iter().enumerate().filter(|(_, branch)| branch.name != "main") {
        let name = &branch.name;
        match (nth as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed) >> 7 & 15 {
            0 => {
                let text = format!("work of {name} that was forced here\n");
                let n = text.len();
                stream.push_str(&format!(
                    "commit refs/heads/{name}\ncommitter A <a@example.org> 1700000000 +0000\ndata 6\nforced\n\
                     from {line}\nM 100644 inline forced-{nth}\ndata {n}\n{text}\n"
                ));
                lives.insert(name.clone(), Life::Forced);
            }
            1 => {
                config.push_str(&format!("[branch \"{name}\"]\n\tremote = .\n\tmerge = refs/heads/gone/{nth}\n"));
                lives.insert(name.clone(), Life::Gone);
            }
            2 => {
                stream.push_str(&format!("reset refs/heads/fresh-{nth}\nfrom {line}\n\n"));
                lives.insert(format!("fresh-{nth}"), Life::Fresh);
            }
            _ => {}
        }
    }
    let mut import =
        git_command(folder, ["fast-import", "--quiet", "--force"]).stdin(Stdio::piped()).spawn().expect("git starts");
    import.stdin.take().expect("it listens").write_all(stream.as_bytes()).expect("it listens to the end");
    assert!(import.wait().expect("git ends").success(), "fast-import takes it");
    let dir = git(folder, ["rev-parse", "--absolute-git-dir"]);
    let file = Path::new(&dir).join("config");
    let text = std::fs::read_to_string(&file).expect("there is a configuration") + &config;
    std::fs::write(&file, text).expect("it can be written");
    lives
}
