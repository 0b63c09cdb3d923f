//! Runs one program that the configuration names: one that takes notices, or tells a secret.
//!
//! No shell reads its words. It gets its input on standard input and nothing of our environment but where
//! programs and a home are. It is bounded in time and in what is kept of its output, and whatever it started
//! in its process group ends with it.

use std::{
    env,
    io::{self, ErrorKind, Read, Write},
    os::{fd::AsFd, unix::process::CommandExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// Variables of ours that it sees.
const SEEN: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "XDG_RUNTIME_DIR"];

/// How often it is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a pipe of Linux holds: one read takes all that lies in it.
const PIPE_BYTES: usize = 64 << 10;

/// A program that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The begin of what it wrote on standard output.
    pub output: Vec<u8>,
    /// The begin of what it wrote on standard error.
    pub complaint: Vec<u8>,
}

/// Runs a program to its end. Errors: it could not be started, or took too long, as a sentence part.
pub(crate) fn run(
    words: &[String],
    input: &[u8],
    variables: &[(&str, String)],
    patience: Duration,
    output_at_most: usize,
) -> Result<Ended, String> {
    let (program, arguments) = words.split_first().ok_or("it names no program")?;
    let seen = SEEN.into_iter().filter_map(|name| Some((name, env::var_os(name)?)));
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(seen)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let mut running = Running::of(child, input, output_at_most);
    let status = running.ended_within(patience).map_err(|why| format!("`{program}` {why}"))?;
    Ok(Ended {
        code: status.code(),
        output: std::mem::take(&mut running.output.begin),
        complaint: std::mem::take(&mut running.complaint.begin),
    })
}

/// A started program. Dropped, it and what it started in its group are ended.
struct Running<'a> {
    child: Child,
    stdin: Option<ChildStdin>,
    input: &'a [u8],
    output: Heard<ChildStdout>,
    complaint: Heard<ChildStderr>,
    status: Option<ExitStatus>,
}

impl<'a> Running<'a> {
    fn of(mut child: Child, input: &'a [u8], at_most: usize) -> Running<'a> {
        let stdin = child.stdin.take();
        let output = Heard { pipe: child.stdout.take(), begin: Vec::new(), at_most };
        let complaint = Heard { pipe: child.stderr.take(), begin: Vec::new(), at_most };
        Running { child, stdin, input, output, complaint, status: None }
    }

    /// Feeds it and hears it until it is over. Errors: why it was stopped, as a sentence part.
    fn ended_within(&mut self, patience: Duration) -> Result<ExitStatus, String> {
        let broken = |error: io::Error| format!("cannot be waited for: {error}");
        let until = Instant::now() + patience;
        self.let_no_pipe_block().map_err(broken)?;
        while !self.is_over().map_err(|error| broken(error.into()))? {
            if until <= Instant::now() {
                return Err(format!("took longer than {} s and was stopped", patience.as_secs_f64()));
            }
            let moved = [self.feed(), self.output.hear(), self.complaint.hear()];
            if !moved.contains(&true) {
                thread::sleep(LOOK_EVERY);
            }
        }
        // All that it wrote lies in the pipes, whoever else holds them open and may write for ever.
        self.output.hear();
        self.complaint.hear();
        self.end().map_err(broken)
    }

    fn let_no_pipe_block(&self) -> io::Result<()> {
        let pipes = [
            self.stdin.as_ref().map(AsFd::as_fd),
            self.output.pipe.as_ref().map(AsFd::as_fd),
            self.complaint.pipe.as_ref().map(AsFd::as_fd),
        ];
        pipes.into_iter().flatten().try_for_each(|pipe| Ok(rustix::io::ioctl_fionbio(pipe, true)?))
    }

    /// Has something gone? It may end or close its input without reading: then the rest is nobody's loss.
    fn feed(&mut self) -> bool {
        let Some(stdin) = &mut self.stdin else { return false };
        if self.input.is_empty() {
            self.stdin = None;
            return true;
        }
        match stdin.write(self.input) {
            Ok(sent) => self.input = &self.input[sent..],
            Err(error) if is_later(&error) => return false,
            Err(_) => self.stdin = None,
        }
        true
    }

    /// Is it over? Its number stays its own until it is waited for.
    fn is_over(&self) -> Result<bool, rustix::io::Errno> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match rustix::process::waitid(WaitId::Pid(Pid::from_child(&self.child)), options) {
            Err(rustix::io::Errno::INTR) => Ok(false),
            found => Ok(found?.is_some()),
        }
    }

    /// Ends what is left of its group, before the number can be another's.
    fn end(&mut self) -> io::Result<ExitStatus> {
        // Mostly there is nobody left.
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.status.is_none() {
            let _ = self.end();
        }
    }
}

/// The begin of what is written to a pipe; the rest is read and dropped, so that the program can go on.
struct Heard<R> {
    pipe: Option<R>,
    begin: Vec<u8>,
    at_most: usize,
}

impl<R: Read> Heard<R> {
    /// Takes what is there. Was there something, or its end?
    fn hear(&mut self) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        let mut chunk = [0; PIPE_BYTES];
        match pipe.read(&mut chunk) {
            Ok(0) => self.pipe = None,
            Ok(n_bytes) => {
                let room = self.at_most - self.begin.len();
                self.begin.extend_from_slice(&chunk[..n_bytes.min(room)]);
            }
            Err(error) if is_later(&error) => return false,
            Err(_) => self.pipe = None,
        }
        true
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_program_gets_its_input_and_its_output_is_kept_up_to_a_limit() {
        let ended = run(&words("cat; echo no >&2; exit 3"), b"0123456789", &[], LONG, 4).expect("it runs");
        assert_eq!((ended.code, ended.output, ended.complaint), (Some(3), b"0123".to_vec(), b"no\n".to_vec()));
    }

    #[test]
    fn a_program_sees_what_it_is_given_and_nothing_else_of_ours() {
        let ended = run(&words("echo \"$A-${CARGO_MANIFEST_DIR-none}\""), b"", &[("A", "x; y".into())], LONG, 99);
        assert_eq!(String::from_utf8(ended.expect("it runs").output).expect("text"), "x; y-none\n");
    }

    /// Is there a process of this number that is not over?
    fn is_alive(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        state.is_some_and(|state| !"ZX".contains(state))
    }

    #[test]
    fn a_program_that_takes_too_long_ends_with_all_that_it_started() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}.new; mv {0}.new {0}; sleep 600", path.display());
        let told = run(&words(&script), b"", &[], Duration::from_millis(1_500), 9).expect_err("it is stopped");
        assert!(told.ends_with("took longer than 1.5 s and was stopped"), "{told}");
        let pid = std::fs::read_to_string(path).expect("it was started");
        let until = Instant::now() + Duration::from_secs(30);
        while is_alive(pid.trim()) {
            assert!(Instant::now() < until, "{pid} lives");
            thread::sleep(LOOK_EVERY);
        }
    }

    #[test]
    fn what_a_program_said_is_kept_when_a_helper_holds_its_pipes() {
        // In a group of its own, so that it outlives the program, as a daemon does.
        let script = "setsid sleep 5 & echo \"pid $!\"; echo oh >&2; exit 3";
        let ended = run(&words(script), b"", &[], LONG, 99).expect("it runs");
        assert_eq!((ended.code, ended.complaint), (Some(3), b"oh\n".to_vec()));
        assert!(ended.output.starts_with(b"pid "), "{:?}", ended.output);
    }

    #[test]
    fn a_program_that_talks_before_it_listens_is_heard_and_fed() {
        let much = vec![b'x'; 1 << 20];
        let script = "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; wc -c";
        let ended = run(&words(script), &much, &[], LONG, 300_020).expect("it runs");
        assert_eq!(ended.output[300_000..].trim_ascii(), b"1048576");
        assert_eq!(ended.complaint.len(), 300_000);
    }

    #[test]
    fn a_program_that_does_not_read_or_is_not_there_is_no_trouble() {
        let much = vec![b'x'; 1 << 20];
        assert_eq!(run(&words("exit 0"), &much, &[], LONG, 9).expect("it runs").code, Some(0));
        let told = run(&["/no/such/program".to_owned()], b"", &[], LONG, 9).expect_err("it is not there");
        assert!(told.starts_with("`/no/such/program` cannot be started: "), "{told}");
    }
}
