//! The law: whatever happens to the monitor, a wrapped command runs and ends as it would without us.
//!
//! `ALIGNWATCH_LAW_RUNS` says how many commands are run; a run of the tests does two hundred.

use std::{path::Path, process::Command};

use alignwatch_testkit::sketch;

use crate::daemon::Daemon;

/// Commands in a run of the tests.
const RUNS: usize = 200;

/// What is wrong with the monitor while a command runs.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// The daemon was killed, and is not there.
    Killed,
    /// The daemon was stopped, and holds its files open for ever.
    Stopped,
    /// Nothing can be written: the disk is full.
    FullDisk,
    /// The daemon is killed while the command runs.
    KilledMeanwhile,
}

#[test]
fn no_wrapped_command_fails_or_is_changed_whatever_happens_to_the_monitor() {
    let runs = std::env::var("ALIGNWATCH_LAW_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(RUNS);
    let repo = sketch("main: a b\n x: a c").worktree().draw();
    let mut wrong = Vec::new();
    for trouble in [Trouble::Killed, Trouble::Stopped, Trouble::FullDisk, Trouble::KilledMeanwhile] {
        let data = tempfile::tempdir().unwrap();
        let mut daemon = Some(Daemon::watching(data.path(), &[repo.path()]));
        daemon.iter().for_each(Daemon::until_ready);
        match trouble {
            Trouble::Killed => drop(daemon.take()),
            Trouble::Stopped => signal(daemon.as_ref().unwrap(), "STOP"),
            Trouble::FullDisk | Trouble::KilledMeanwhile => {}
        }
        for number in 0..runs / 4 {
            if matches!(trouble, Trouble::KilledMeanwhile) && number % 10 == 5 {
                drop(daemon.replace(Daemon::watching(data.path(), &[repo.path()])));
            }
            let code = (number % 120) as i32;
            let ended = run(repo.path(), data.path(), trouble, code);
            if ended != (Some(code), "said\n".to_owned()) {
                wrong.push((trouble, code, ended));
            }
        }
        daemon.iter().for_each(|daemon| signal(daemon, "CONT"));
    }
    assert!(wrong.is_empty(), "{} of {runs} commands were touched: {wrong:?}", wrong.len());
}

fn signal(daemon: &Daemon, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(daemon.child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

/// A command under us: its code, and what it said.
fn run(repo: &Path, data: &Path, trouble: Trouble, code: i32) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_alignwatch");
    let limit = if matches!(trouble, Trouble::FullDisk) { "ulimit -f 0; " } else { "" };
    let script = format!("{limit}exec {program} -q run --workflow w -- sh -c 'echo said; exit {code}'");
    let mut command = Command::new("sh");
    command.env_remove("ALIGNWATCH_RUN").env("ALIGNWATCH_DATA_DIR", data).current_dir(repo).args(["-c", &script]);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}
