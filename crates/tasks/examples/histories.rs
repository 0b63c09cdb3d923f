//! Draws many random histories and asks which branches the clean-up would take: `histories REPOSITORIES BRANCHES`.
//!
//! What became of each branch is known by construction (merged, squashed, rebased, partly landed, reverted, continued,
//! open, unrelated). Prints how many were judged, how many would go, and each that must not.

#![allow(clippy::print_stdout)] // it is what it is for

use std::time::Duration;

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{
    Known, Look, Span, Timestamp,
    config::{Cleanup, Config, ProofLevel},
    task::cleanup::{Beside, Fate, fates},
};
use alignwatch_testkit::{Fate as Truth, Shape, generate, git_output};

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let (n_repositories, n_branches) = (arguments.next().unwrap_or(10), arguments.next().unwrap_or(1_000));
    let cleanup = Cleanup { proof: ProofLevel::Patches, rested: Span(0), ..Cleanup::default() };
    let config = Config { cleanup, ..Config::default() };
    let (mut n_judged, mut n_going, mut n_wrong) = (0, 0, 0);
    for seed in 0..n_repositories {
        let folder = std::env::temp_dir().join(format!("histories-{}-{seed}", std::process::id()));
        let shape = Shape { seed: seed as u64, ..Shape::like_649().scaled_to(n_branches, 2 * n_branches) };
        let truth = generate(&shape, &folder);
        let at = Timestamp(shape.newest_at + 86_400);
        let wanted = Wanted {
            base: None,
            looks: Look::with_required([Look::Landed, Look::Worktrees, Look::Settings]),
            paths_patience: Duration::ZERO,
            stop: Stop::default(),
        };
        let Ok(snapshot) = inspect(&folder, &config, at, None, &wanted, &|_| {}) else { continue };
        let moved = snapshot.branches.iter().map(|branch| (branch.name.clone(), Known::Seen(Timestamp(0)))).collect();
        n_judged += snapshot.branches.len();
        for (name, fate) in fates(&snapshot, &config, &Beside { moved, ..Beside::default() }, at) {
            let Fate::Goes(going) = fate else { continue };
            n_going += 1;
            let short = name.text().trim_start_matches("refs/heads/").to_owned();
            let known = truth.branches.iter().find(|branch| branch.name == short).map(|branch| branch.fate);
            let landed = matches!(known, Some(Truth::Merged | Truth::Squashed | Truth::Rebased));
            let words = ["merge-base", "--is-ancestor", &going.oid.hex(), &going.base_oid.hex()];
            if !landed && !git_output(&folder, words).status.success() {
                n_wrong += 1;
                println!("WRONG: seed {seed}, {short}: {known:?} by {:?}", going.proof);
            }
        }
        drop(std::fs::remove_dir_all(&folder));
        println!("{n_judged} histories judged, {n_going} would go, {n_wrong} of them wrongly");
    }
}
