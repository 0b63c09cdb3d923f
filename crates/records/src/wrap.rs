//! Runs a command as if we were not there, and measures it.
//!
//! The command stays in our process group and has our terminal, streams, folder and environment, so Ctrl-C,
//! Ctrl-Z, colours and prompts work as ever. Signals that are sent to us alone are handed on. One that comes from the
//! terminal reached the command already and is not said twice.
//!
//! Known gap: a signal that somebody sends to the whole group at once, without a terminal, reaches the command
//! twice.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    process::{Child, Command, ExitStatus},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use crate::tail::Tail;
use alignwatch_model::run::{Exit, Usage};
use nix::sys::resource::{UsageWho, getrusage};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2},
    low_level::pipe,
};

/// Signals that are handed on when they are sent to us.
const HANDED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Those that a terminal sends to the whole group.
const FROM_TERMINALS: [i32; 3] = [SIGHUP, SIGINT, SIGQUIT];

/// What became of the command.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended.
    pub exit: Exit,
    /// How long it took, by a clock that nobody sets.
    pub duration: Duration,
    /// What it and its children used.
    pub usage: Usage,
    /// The end of its output, where that was to be kept and went into a file.
    pub output_tail: Option<String>,
}

/// A command that is under way.
#[derive(Debug)]
pub struct Running {
    child: Child,
    began: Instant,
    ears: Vec<(i32, UnixStream)>,
    cpu_before: (f64, f64),
    tail: Option<Tail>,
}

/// Lets a write beyond a limit of the size of files fail, instead of ending us. The command does not inherit it.
///
/// To be called before anything is written. Where the system refuses, it is as it was.
pub fn survive_full_files() {
    let signal = Signal::XFSZ.as_raw();
    if ignored_signals() & (1 << (signal - 1)) == 0 {
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
}

/// Starts a command with these variables added; `keeps_output` says whether the end of its output is to be kept. Errors: the system's words, as a shell would say them.
pub fn start(command: &[OsString], variables: &[(&str, String)], keeps_output: bool) -> io::Result<Running> {
    let (program, arguments) = command.split_first().ok_or_else(|| io::Error::other("there is no command"))?;
    // Before the command is there, so that no signal finds us deaf; handlers are not inherited, what is ignored is.
    let ears = listen();
    let cpu_before = children_cpu();
    let tail = keeps_output.then(Tail::before);
    let began = Instant::now();
    let variables = variables.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
    let child = Command::new(program).args(arguments).envs(variables).spawn()?;
    Ok(Running { child, began, ears, cpu_before, tail })
}

impl Running {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end and hands signals on meanwhile.
    pub fn wait(mut self) -> Ended {
        let pid = Pid::from_child(&self.child);
        self.attend(pid);
        // It has ended and was not waited for yet: its numbers can still be read.
        let (read_bytes, written_bytes) = io_of(self.child.id());
        let duration = self.began.elapsed();
        let exit = self.child.wait().map_or_else(|error| Exit::NotStarted(error.to_string()), exit_of);
        let (user, system) = children_cpu();
        let peak = getrusage(UsageWho::RUSAGE_CHILDREN).ok().map(|usage| usage.max_rss());
        let usage = Usage {
            user_cpu_seconds: Some(user - self.cpu_before.0),
            system_cpu_seconds: Some(system - self.cpu_before.1),
            // The kernel counts in KiB.
            peak_rss_bytes: peak.and_then(|kib| u64::try_from(kib).ok()).map(|kib| kib << 10),
            read_bytes,
            written_bytes,
        };
        Ended { exit, duration, usage, output_tail: self.tail.and_then(|tail| tail.after()) }
    }

    /// Returns when the command has ended, or when that cannot be watched.
    fn attend(&mut self, pid: Pid) {
        let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else {
            // A kernel before 5.3: signals are not handed on then.
            let _ = rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            return;
        };
        loop {
            match heard(&process, &self.ears) {
                Ok(Heard::End) | Err(_) => return,
                Ok(Heard::Signals(signals)) => {
                    signals.into_iter().for_each(|at| hand_on(pid, self.ears[at].0, &mut self.ears[at].1));
                }
            }
        }
    }
}

enum Heard {
    End,
    /// The ears that heard something.
    Signals(Vec<usize>),
}

fn heard(process: &OwnedFd, ears: &[(i32, UnixStream)]) -> rustix::io::Result<Heard> {
    let mut watched = vec![PollFd::new(process, PollFlags::IN)];
    watched.extend(ears.iter().map(|(_, ear)| PollFd::from_borrowed_fd(ear.as_fd(), PollFlags::IN)));
    match poll(&mut watched, None) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(Heard::Signals(Vec::new())),
        Err(error) => return Err(error),
    }
    if !watched[0].revents().is_empty() {
        return Ok(Heard::End);
    }
    let heard = watched[1..].iter().enumerate().filter(|(_, ear)| !ear.revents().is_empty());
    Ok(Heard::Signals(heard.map(|(at, _)| at).collect()))
}

fn hand_on(pid: Pid, signal: i32, ear: &mut UnixStream) {
    // However often it came in the meantime, it is said once.
    let _ = ear.read(&mut [0; 64]);
    let came_from_terminal = FROM_TERMINALS.contains(&signal) && is_in_foreground();
    let known = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2];
    let signal = known.into_iter().find(|known| known.as_raw() == signal);
    if let Some(signal) = signal.filter(|_| !came_from_terminal) {
        // When it has just ended there is nobody left to tell.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Are we in the group that the terminal talks to?
fn is_in_foreground() -> bool {
    let Ok(terminal) = fs::File::open("/dev/tty") else { return false };
    rustix::termios::tcgetpgrp(&terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// An ear for each signal that we do not ignore: one that is ignored must stay so for the command, too.
fn listen() -> Vec<(i32, UnixStream)> {
    let ignored = ignored_signals();
    let wanted = HANDED_ON.into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
    let ear = |signal| {
        let (ear, mouth) = UnixStream::pair().ok()?;
        ear.set_nonblocking(true).ok()?;
        pipe::register(signal, mouth).ok()?;
        Some((signal, ear))
    };
    wanted.filter_map(ear).collect()
}

/// A bit for each signal that this process ignores, the first for signal 1. Source: proc(5), `SigIgn`.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Seconds outside of and in the kernel, of all children that were waited for.
fn children_cpu() -> (f64, f64) {
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    getrusage(UsageWho::RUSAGE_CHILDREN)
        .map_or((0.0, 0.0), |usage| (seconds(usage.user_time()), seconds(usage.system_time())))
}

/// Bytes read from and written to disks. Source: proc(5), `/proc/pid/io`, children included once they were waited for.
fn io_of(pid: u32) -> (Option<u64>, Option<u64>) {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    (field("read_bytes:"), field("write_bytes:"))
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::NotStarted("it neither exited nor was ended by a signal".to_owned()),
    }
}

/// Ends this process as the command ended: with its code, or by the same signal.
///
/// Returns the code to exit with, for when the signal did not end us: 128 and its number, as shells say it.
pub fn end_alike(exit: &Exit) -> i32 {
    match exit {
        Exit::Code(code) => *code,
        Exit::Signal(signal) => {
            // The command has left its core, if it wanted to; ours would say nothing.
            let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
            let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
            let _ = signal_hook::low_level::emulate_default_handler(*signal);
            128 + signal
        }
        Exit::NotStarted(_) => COMMAND_NOT_FOUND,
    }
}

/// What a shell says when a command is not there, and when it cannot be run. Source: POSIX, 2.8.2.
const COMMAND_NOT_FOUND: i32 = 127;

/// See [`COMMAND_NOT_FOUND`].
const COMMAND_NOT_EXECUTABLE: i32 = 126;

/// The code that a shell gives when a command cannot be started for this reason.
pub fn code_of_start(error: &io::Error) -> i32 {
    if error.kind() == io::ErrorKind::NotFound { COMMAND_NOT_FOUND } else { COMMAND_NOT_EXECUTABLE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(script: &str) -> Ended {
        let command = ["sh", "-c", script].map(OsString::from);
        start(&command, &[("GIVEN", "yes".to_owned())], false).unwrap().wait()
    }

    #[test]
    fn a_command_ends_as_it_would_without_us() {
        assert_eq!(ended("exit 0").exit, Exit::Code(0));
        assert_eq!(ended("exit 77").exit, Exit::Code(77));
        assert_eq!(ended("kill -TERM $$").exit, Exit::Signal(SIGTERM));
        assert_eq!(ended("test \"$GIVEN\" = yes").exit, Exit::Code(0));
    }

    #[test]
    fn what_cannot_start_is_told_as_a_shell_tells_it() {
        let code = |program: &str| code_of_start(&start(&[program.into()], &[], false).unwrap_err());
        assert_eq!(code("/nowhere/at/all"), 127);
        assert_eq!(code("/"), 126);
        assert!(start(&[], &[], false).is_err());
    }

    #[test]
    fn time_and_memory_are_measured() {
        let ended = ended("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
        assert!(ended.usage.user_cpu_seconds.unwrap() > 0.0);
        assert!(ended.usage.peak_rss_bytes.unwrap() > 100_000);
        assert!(ended.duration > Duration::ZERO);
    }
}
