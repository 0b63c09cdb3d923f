//! A started git: its pipes, its limits, its deadline, and its end.

use std::{
    io::{self, Read, Write},
    os::{fd::AsFd, unix::process::ExitStatusExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions},
};

use super::{GitError, Limits, Output, timings};
use crate::stop::Stop;

/// The size of a pipe on Linux: no read returns more.
pub(super) const READ_BYTES: usize = 64 << 10;

/// How long a git that was asked to end may take to remove its temporary files, before it is killed.
const GRACE: Duration = Duration::from_millis(200);

/// How often to look whether a silent git still lives. Only matters when a child of it holds the pipe open.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A started git and its three pipes. Dropped, it and its children are ended.
pub(super) struct Running {
    child: Child,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
    pub(super) said: Vec<u8>,
    pub(super) complained: Vec<u8>,
    pub(super) command: String,
    pub(super) limits: Limits,
    stop: Stop,
    status: Option<ExitStatus>,
    began: Instant,
    ended: Option<Instant>,
}

impl Running {
    pub(super) fn of(mut child: Child, command: &str, limits: Limits, stop: Stop) -> io::Result<Running> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (said, complained) = (Vec::new(), Vec::new());
        let command = command.to_owned();
        let running = Running {
            child,
            stdin,
            stdout,
            stderr,
            said,
            complained,
            command,
            limits,
            stop,
            status: None,
            began: Instant::now(),
            ended: None,
        };
        running.restrict();
        for pipe in [running.stdin.as_ref().map(AsFd::as_fd), running.stdout.as_ref().map(AsFd::as_fd)] {
            pipe.map_or(Ok(()), |pipe| rustix::io::ioctl_fionbio(pipe, true))?;
        }
        running.stderr.as_ref().map_or(Ok(()), |pipe| rustix::io::ioctl_fionbio(pipe, true))?;
        Ok(running)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sets limits and priority. A limit the system refuses is left out: the deadline still holds.
    fn restrict(&self) {
        let pid = self.pid();
        #[cfg(target_os = "linux")]
        for (resource, most) in [
            (Resource::Cpu, self.limits.cpu_seconds),
            (Resource::Fsize, self.limits.file_bytes),
            (Resource::Core, 0),
            // Git keeps to fewer packs when it may open fewer files.
            (Resource::Nofile, 1024),
        ] {
            let hard = rustix::process::getrlimit(resource).maximum;
            let most = Some(hard.map_or(most, |hard| hard.min(most)));
            let _ = rustix::process::prlimit(Some(pid), resource, Rlimit { current: most, maximum: most });
        }
        let ours = rustix::process::getpriority_process(None).unwrap_or(0);
        let _ = rustix::process::setpriority_process(Some(pid), ours.max(self.limits.niceness));
    }

    /// Sends `input`, hears all output, and waits for the end: its exit code.
    pub(super) fn hear_out(&mut self, mut input: &[u8], until: Instant) -> Result<i32, GitError> {
        while self.stdout.is_some() || self.stderr.is_some() {
            if input.is_empty() {
                self.stdin = None;
            }
            let sent = self.turn(input, until)?;
            input = &input[sent..];
            self.check_bound(self.said.len())?;
        }
        self.stdin = None;
        let status = self.await_end(until)?;
        status.code().ok_or_else(|| self.killed(status))
    }

    pub(super) fn output(&mut self, code: i32) -> Output {
        Output { stdout: std::mem::take(&mut self.said), stderr: std::mem::take(&mut self.complained), code }
    }

    /// Waits until something moves: sends from `input`, reads what is there. Returns how much of `input` is gone.
    pub(super) fn turn(&mut self, input: &[u8], until: Instant) -> Result<usize, GitError> {
        let now = Instant::now();
        self.may_go_on(until, now)?;
        let wait = LOOK_EVERY.min(until - now);
        let Ready { write, read, complain } =
            self.poll(!input.is_empty(), wait).map_err(|error| self.broken(error.into()))?;
        if !write && !read && !complain {
            self.look_for_orphaned_pipes();
            return Ok(0);
        }
        if read {
            self.read_output()?;
        }
        if complain {
            self.read_complaints()?;
        }
        if write { self.write(input) } else { Ok(0) }
    }

    /// Errors: it is too late, or somebody interrupted. Then it is ended, like all that is dropped.
    fn may_go_on(&self, until: Instant, now: Instant) -> Result<(), GitError> {
        if self.stop.is_interrupted() {
            return Err(GitError::Interrupted { command: self.command.clone() });
        }
        if until <= now {
            return Err(GitError::TimedOut { command: self.command.clone(), seconds: self.limits.time.as_secs() });
        }
        Ok(())
    }

    fn poll(&self, has_input: bool, wait: Duration) -> rustix::io::Result<Ready> {
        let wanted = [
            self.stdin.as_ref().filter(|_| has_input).map(|pipe| PollFd::new(pipe, PollFlags::OUT)),
            self.stdout.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)),
            self.stderr.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)),
        ];
        let is_there = [wanted[0].is_some(), wanted[1].is_some(), wanted[2].is_some()];
        let mut fds: Vec<PollFd<'_>> = wanted.into_iter().flatten().collect();
        let timeout = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        match poll(&mut fds, Some(&timeout)) {
            // A signal to us: nothing moved, and the deadline is looked at again.
            Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
            other => other?,
        };
        let mut moved = fds.iter().map(|fd| !fd.revents().is_empty());
        let mut next = |is_there: bool| is_there && moved.next().unwrap_or(false);
        Ok(Ready { write: next(is_there[0]), read: next(is_there[1]), complain: next(is_there[2]) })
    }

    fn write(&mut self, input: &[u8]) -> Result<usize, GitError> {
        let Some(pipe) = &mut self.stdin else { return Ok(0) };
        match pipe.write(input) {
            Ok(sent) => Ok(sent),
            Err(error) if is_later(&error) => Ok(0),
            // It does not want to hear more; its exit code says whether that is right.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.stdin = None;
                Ok(input.len())
            }
            Err(error) => Err(self.broken(error)),
        }
    }

    fn read_output(&mut self) -> Result<(), GitError> {
        let mut chunk = [0; READ_BYTES];
        let Some(pipe) = &mut self.stdout else { return Ok(()) };
        match pipe.read(&mut chunk) {
            Ok(0) => self.stdout = None,
            Ok(len) => self.said.extend_from_slice(&chunk[..len]),
            Err(error) if is_later(&error) => {}
            Err(error) => return Err(self.broken(error)),
        }
        Ok(())
    }

    fn read_complaints(&mut self) -> Result<(), GitError> {
        let mut chunk = [0; READ_BYTES];
        let Some(pipe) = &mut self.stderr else { return Ok(()) };
        match pipe.read(&mut chunk) {
            Ok(0) => self.stderr = None,
            Ok(len) => {
                let room = self.limits.stderr_bytes.saturating_sub(self.complained.len());
                self.complained.extend_from_slice(&chunk[..len.min(room)]);
            }
            Err(error) if is_later(&error) => {}
            Err(error) => return Err(self.broken(error)),
        }
        Ok(())
    }

    /// When git is gone and yet a pipe is open, some child of it holds it: what it said counts, the child does not.
    fn look_for_orphaned_pipes(&mut self) {
        if !self.has_exited() {
            return;
        }
        self.signal_group(Signal::KILL);
        // All that git said lies in the pipes already; a pipe holds no more than one read takes.
        let _ = self.read_output();
        let _ = self.read_complaints();
        (self.stdin, self.stdout, self.stderr) = (None, None, None);
    }

    /// Has git ended? It stays a zombie, so that its process group stays its own.
    fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.status.is_some()
            || !matches!(
                rustix::process::waitid(WaitId::Pid(self.pid()), options),
                Ok(None) | Err(rustix::io::Errno::INTR)
            )
    }

    /// Waits for its end, which is near: it closed its output.
    fn await_end(&mut self, until: Instant) -> Result<ExitStatus, GitError> {
        let mut pause = Duration::from_micros(20);
        while !self.has_exited() {
            self.may_go_on(until, Instant::now())?;
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        }
        self.reap().map_err(|error| self.broken(error))
    }

    /// Ends what is left of the group, then takes git's exit status.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        self.signal_group(Signal::KILL);
        let status = self.child.wait()?;
        (self.status, self.ended) = (Some(status), Some(Instant::now()));
        Ok(status)
    }

    /// Only called while git is not reaped, so the number of the group is still its own.
    fn signal_group(&self, signal: Signal) {
        if self.status.is_none() {
            let _ = rustix::process::kill_process_group(self.pid(), signal);
        }
    }

    pub(super) fn check_bound(&self, len: usize) -> Result<(), GitError> {
        if len <= self.limits.stdout_bytes {
            return Ok(());
        }
        Err(GitError::TooMuchOutput { command: self.command.clone(), bytes: self.limits.stdout_bytes })
    }

    pub(super) fn failed(&self, code: i32) -> GitError {
        GitError::Failed { command: self.command.clone(), code, message: first_line(&self.complained) }
    }

    fn killed(&self, status: ExitStatus) -> GitError {
        let signal = status.signal().unwrap_or_default();
        GitError::Killed { command: self.command.clone(), signal, message: first_line(&self.complained) }
    }

    fn broken(&self, error: io::Error) -> GitError {
        GitError::Pipe { command: self.command.clone(), cause: error.to_string() }
    }
}

impl Drop for Running {
    /// Asks the group to end, and makes it end when it does not; notes how long it lived.
    fn drop(&mut self) {
        let exit = timings::Exit::of(self.status);
        if exit == timings::Exit::Ended {
            self.end();
        }
        let lived = self.ended.unwrap_or_else(Instant::now).duration_since(self.began);
        timings::note(&self.command, exit, lived);
    }
}

impl Running {
    fn end(&mut self) {
        (self.stdin, self.stdout, self.stderr) = (None, None, None);
        self.signal_group(Signal::TERM);
        let until = Instant::now() + GRACE;
        while !self.has_exited() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.reap();
    }
}

/// Which pipes can be used now.
#[derive(Default)]
struct Ready {
    write: bool,
    read: bool,
    complain: bool,
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The first line of standard error, without git's `fatal: ` or `error: `; at most 300 characters.
fn first_line(complained: &[u8]) -> String {
    let text = String::from_utf8_lossy(complained);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line = ["fatal: ", "error: "].iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line);
    line.chars().take(300).collect()
}
