//! Kills tasks at random moments: `kills ROUNDS TASK…`. After each kill the repository must be sound and whole, and at
//! the end a run must go through. The process that is killed is this program itself, started again.

#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use alignwatch_git::{run::Git, stop::Stop};
use alignwatch_model::{Known, Timestamp, config::Config, facts::runs::Runs, task::Came};
use alignwatch_tasks::{
    by_id,
    conduct::{self, Around, Done},
};
use alignwatch_testkit::{Shape, generate, git, git_output};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Timestamp(since as i64)
}

/// Runs a task once.
pub(crate) fn run(path: &Path, data_dir: &Path, task: &str) -> Option<Done> {
    let git = Git::find().ok()?;
    let around = Around {
        path,
        config: &Config::default(),
        data_dir,
        git: &git,
        now: &now,
        runs: &|_| -> Runs { Known::Seen(Vec::new()) },
        stop: &Stop::default(),
        tell: &|_| {},
    };
    conduct::run(by_id(task)?, &around, true).ok()
}

fn objects(path: &Path) -> BTreeSet<String> {
    let listed = git(path, ["rev-list", "--objects", "--no-object-names", "--all", "--reflog"]);
    listed.lines().map(str::to_owned).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, path, data_dir, task] = &arguments[..]
        && word == "run"
    {
        run(Path::new(path), Path::new(data_dir), task);
        return;
    }
    let n_rounds: u64 = arguments.get(1).and_then(|word| word.parse().ok()).unwrap_or(20);
    let start = |path: &Path, data_dir: &Path, task: &str| {
        let mut command = Command::new(&arguments[0]);
        command.arg("run").args([path.as_os_str(), data_dir.as_os_str()]).arg(task);
        command
    };
    let tasks: Vec<&str> = arguments.iter().skip(2).map(String::as_str).collect();
    let (n_killed, n_bad) = rounds(n_rounds, &tasks, 200, &start);
    println!("{n_killed} kills in the middle, {n_bad} bad repositories");
}

/// Kills each of these tasks so many times, in a repository with so many branches. `start` begins one as a process of its own.
///
/// Looks at a repository after a kill, until one finds it well.
const LOOKS: usize = 10;

/// Returns how many were killed in the middle, and how often something was wrong after a kill or with the run behind all.
pub(crate) fn rounds(
    n_rounds: u64,
    tasks: &[&str],
    n_branches: usize,
    start: &dyn Fn(&Path, &Path, &str) -> Command,
) -> (u64, u64) {
    let folder = std::env::temp_dir().join(format!("kills-{}", std::process::id()));
    let (repository, data_dir) = (folder.join("repo"), folder.join("data"));
    generate(&Shape::like_649().scaled_to(n_branches, 10 * n_branches), &repository);
    let before = objects(&repository);
    let (mut n_killed, mut n_bad) = (0, 0);
    for task in tasks {
        let began = SystemTime::now();
        run(&repository, &data_dir, task);
        let takes = began.elapsed().map_or(500, |took| took.as_millis() as u64).max(20);
        for round in 0..n_rounds {
            let mut command = start(&repository, &data_dir, task);
            let Ok(mut child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else { return (0, 1) };
            std::thread::sleep(Duration::from_millis(takes * (round * 7_919 % n_rounds) / n_rounds));
            n_killed += u64::from(matches!(child.try_wait(), Ok(None)));
            let _ = child.kill();
            let _ = child.wait();
            let is_sound = || git_output(&repository, ["fsck", "--full", "--no-dangling"]).status.success();
            let is_whole = || objects(&repository) == before;
            // Packs may vanish under whoever looks, as long as a git that outlived the kill is at work.
            let is_well = (0..LOOKS).any(|look| {
                std::thread::sleep(Duration::from_millis(if look == 0 { 0 } else { 500 }));
                is_sound() && is_whole()
            });
            if !is_well {
                n_bad += 1;
                println!("BAD: {task}, round {round}: sound {}, whole {}", is_sound(), is_whole());
            }
        }
        // A git that outlived the kill holds the lease for a moment.
        let healed = (0..200).find_map(|_| {
            std::thread::sleep(Duration::from_millis(50));
            run(&repository, &data_dir, task).filter(|done| done.report.result != Came::Skipped)
        });
        n_bad += u64::from(healed.as_ref().is_none_or(|done| done.report.result == Came::Failed));
        let told =
            healed.map_or("never".to_owned(), |done| format!("{}: {}", done.report.result.word(), done.report.because));
        println!("{task}: {n_rounds} rounds; the next run: {told}");
    }
    drop(std::fs::remove_dir_all(&folder));
    (n_killed, n_bad)
}
