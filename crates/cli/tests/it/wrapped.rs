//! A command under `run` on a real terminal: it has the terminal as it would without us.

use std::{
    fs::File,
    io::{Read, Write},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus},
};

use alignwatch_model::run::Outcome;
use alignwatch_records::Spool;
use alignwatch_testkit::{Repo, sketch};
use rustix::{
    process::{Pid, Signal, kill_process},
    termios::{self, LocalModes, Termios},
};

use crate::terminal::terminal;

/// A command that has a terminal of its own, as a person's has.
struct Session {
    keyboard: File,
    /// The other end, which stays open when the command is gone.
    screen: OwnedFd,
    child: Child,
    seen: String,
}

impl Session {
    /// The script under us, or alone.
    fn begin(repo: &Repo, data: &Path, script: &str, is_wrapped: bool) -> Session {
        let (keyboard, screen) = terminal(97, 31);
        // It makes the terminal on its standard input the one that Ctrl-C comes from, and becomes the command.
        let mut command = Command::new("setsid");
        command.arg("--ctty").current_dir(repo.path()).env("ALIGNWATCH_DATA_DIR", data).env("TERM", "dumb");
        if is_wrapped {
            command.args([env!("CARGO_BIN_EXE_alignwatch"), "-q", "run", "--workflow", "typed", "--"]);
        }
        command.args(["sh", "-c", script]);
        let end = || screen.try_clone().unwrap();
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        Session { keyboard, screen, child, seen: String::new() }
    }

    /// Reads until this was seen.
    fn until(&mut self, text: &str) {
        let mut buffer = [0; 1_000];
        while !self.seen.contains(text) {
            let n = self.keyboard.read(&mut buffer).unwrap();
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn settings(&self) -> Termios {
        termios::tcgetattr(&self.screen).unwrap()
    }

    fn end(mut self) -> (ExitStatus, Termios) {
        (self.child.wait().unwrap(), self.settings())
    }
}

const CTRL_C: &str = "\u{3}";

fn world() -> (Repo, tempfile::TempDir) {
    (sketch("main: a b\n x: a c").worktree().draw(), tempfile::tempdir().unwrap())
}

#[test]
fn ctrl_c_reaches_the_command_once_each_time_it_is_typed() {
    let (repo, data) = world();
    let script = "n=0; trap 'n=$((n+1)); echo caught $n.' INT; trap 'exit $((40+n))' TERM; echo ready; \
                  while :; do sleep 0.01; done";
    let mut session = Session::begin(&repo, data.path(), script, true);
    session.until("ready");
    for n in 1..=5 {
        session.type_in(CTRL_C);
        session.until(&format!("caught {n}."));
    }
    kill_process(Pid::from_child(&session.child), Signal::TERM).unwrap();
    let (status, _) = session.end();
    assert_eq!(status.code(), Some(45), "each was heard once");
}

#[test]
fn a_command_that_ctrl_c_ends_ends_us_by_the_same_signal_and_is_recorded_as_aborted() {
    let (repo, data) = world();
    let mut session = Session::begin(&repo, data.path(), "echo ready; exec sleep 600", true);
    session.until("ready");
    session.type_in(CTRL_C);
    let (status, _) = session.end();
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
    let spooled = Spool::open(data.path()).runs().unwrap().next().unwrap().unwrap();
    let run = alignwatch_model::run::Run::of(spooled.events);
    assert_eq!(run.outcome(), Some(Outcome::Aborted));
}

#[test]
fn the_command_has_the_terminal_with_its_size_its_keys_and_its_settings() {
    let script = "test -t 0 && test -t 1 && test -t 2 && stty size && echo ready && read -r line && \
                  echo \"got $line\" && stty -echo -icanon && exit 9";
    let ended = |is_wrapped| {
        let (repo, data) = world();
        let mut session = Session::begin(&repo, data.path(), script, is_wrapped);
        session.until("31 97");
        session.until("ready");
        session.type_in("hello\n");
        session.until("got hello");
        let (status, settings) = session.end();
        (status.code(), settings)
    };
    let (alone, wrapped) = (ended(false), ended(true));
    assert_eq!((alone.0, wrapped.0), (Some(9), Some(9)));
    let told = |settings: &Termios| {
        (settings.input_modes, settings.output_modes, settings.control_modes, settings.local_modes)
    };
    assert_eq!(told(&wrapped.1), told(&alone.1), "what the command did to it stays, as it would without us");
    assert!(!wrapped.1.local_modes.contains(LocalModes::ECHO) && !wrapped.1.local_modes.contains(LocalModes::ICANON));
}

#[test]
fn a_terminal_that_the_command_left_alone_is_as_before() {
    let (repo, data) = world();
    let session = Session::begin(&repo, data.path(), "exit 3", true);
    let before = session.settings();
    let (status, after) = session.end();
    assert_eq!(status.code(), Some(3));
    assert_eq!(after.local_modes, before.local_modes);
}
