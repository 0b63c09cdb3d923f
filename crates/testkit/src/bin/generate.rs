//! Makes a large repository of a known shape: `generate PRESET DIR [OPTIONS]`.
//!
//! Prints what is true of it by construction, as a table on standard output.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command of the workshop, not of the product")]

use std::{process::ExitCode, time::Instant};

use alignwatch_testkit::{Fate, Shape, Truth, generate};

const USAGE: &str = "\
usage: generate PRESET DIR [OPTIONS] > truth.tsv

Makes a bare repository in DIR, which must not exist or be empty.

presets:
  like-649       shaped like a public repository with 649 branches, real texts
  branches-10k   10,000 branches, empty trees
  branches-50k   50,000 branches, empty trees

options:
  --branches N   so many branches, everything else in proportion
  --commits N    so many commits of main, everything else in proportion
  --seed N       another history of the same shape
  --no-graph     without a commit-graph
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((shape, dir)) = read(&args) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let truth = generate(&shape, &dir);
    print!("{}", truth.table());
    eprintln!("{}", summary(&truth, began.elapsed().as_secs_f64()));
    ExitCode::SUCCESS
}

fn read(args: &[String]) -> Option<(Shape, String)> {
    let [preset, dir, options @ ..] = args else { return None };
    let mut shape = match preset.as_str() {
        "like-649" => Shape::like_649(),
        "branches-10k" => Shape::branches_10k(),
        "branches-50k" => Shape::branches_50k(),
        _ => return None,
    };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        if option == "--no-graph" {
            shape.has_commit_graph = false;
            continue;
        }
        let number = options.next()?.parse().ok()?;
        let (n_branches, n_commits) = (shape.n_branches, shape.n_main_commits);
        shape = match option.as_str() {
            "--branches" => shape.scaled_to(number, n_commits),
            "--commits" => shape.scaled_to(n_branches, number),
            "--seed" => Shape { seed: number as u64, ..shape },
            _ => return None,
        };
    }
    Some((shape, dir.clone()))
}

fn summary(truth: &Truth, seconds: f64) -> String {
    let fates = Fate::ALL.map(|fate| format!("{} {fate}", truth.count(fate))).join(", ");
    let conflicting = truth.branches.iter().filter(|branch| branch.conflicts == Some(true)).count();
    format!(
        "{} commits, {} lines, {} branches ({fates}; {conflicting} conflict) in {seconds:.1} s",
        truth.n_commits,
        truth.lines.len(),
        truth.branches.len(),
    )
}
