//! Runs one program that the configuration names: one that takes notices, or tells a secret.
//!
//! No shell reads its words. It gets its input on standard input and nothing of our environment but where
//! programs and a home are. It is bounded in time and in what is kept of its output, and whatever it started
//! in its process group ends with it.

use std::{
    env,
    io::{Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, WaitId, WaitIdOptions};

/// Variables of ours that it sees.
const SEEN: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "TZ", "XDG_RUNTIME_DIR"];

/// How often it is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long what it wrote is waited for when it is over: another process may hold the other end.
const LINGER: Duration = Duration::from_millis(500);

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
    let mut child = Command::new(program)
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
    feed(&mut child, input.to_vec());
    let output = kept(child.stdout.take(), output_at_most);
    let complaint = kept(child.stderr.take(), output_at_most);
    let status = waited_for(&mut child, patience);
    let status = status.map_err(|why| format!("`{program}` {why}"))?;
    Ok(Ended {
        code: status.code(),
        output: output.recv_timeout(LINGER).unwrap_or_default(),
        complaint: complaint.recv_timeout(LINGER).unwrap_or_default(),
    })
}

/// It may end without reading: then the rest of its input is nobody's loss.
fn feed(child: &mut Child, input: Vec<u8>) {
    if let Some(mut stdin) = child.stdin.take() {
        thread::spawn(move || stdin.write_all(&input));
    }
}

/// The begin of what is written there; the rest is read and dropped, so that the program can go on.
fn kept(source: Option<impl Read + Send + 'static>, at_most: usize) -> mpsc::Receiver<Vec<u8>> {
    let (done, all) = mpsc::channel();
    if let Some(mut source) = source {
        thread::spawn(move || {
            let mut begin = Vec::new();
            let _ = source.by_ref().take(at_most as u64).read_to_end(&mut begin);
            let _ = std::io::copy(&mut source, &mut std::io::sink());
            let _ = done.send(begin);
        });
    }
    all
}

/// Waits for its end, and ends what it left behind before its number can be another's.
fn waited_for(child: &mut Child, patience: Duration) -> Result<std::process::ExitStatus, String> {
    let until = Instant::now() + patience;
    let is_over = loop {
        match is_over(child) {
            Ok(false) if Instant::now() < until => thread::sleep(LOOK_EVERY),
            Ok(is_over) => break is_over,
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    };
    if let Some(group) = pid(child) {
        // Mostly there is nobody left.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let status = child.wait().map_err(|error| format!("cannot be waited for: {error}"))?;
    if is_over { Ok(status) } else { Err(format!("took longer than {} s and was stopped", patience.as_secs_f64())) }
}

/// Is it over? Its number stays its own until it is waited for.
fn is_over(child: &Child) -> Result<bool, rustix::io::Errno> {
    let Some(pid) = pid(child) else { return Ok(true) };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(rustix::process::waitid(WaitId::Pid(pid), options)?.is_some())
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
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

    #[test]
    fn a_program_that_takes_too_long_ends_with_all_that_it_started() {
        let told =
            run(&words("sleep 600 & sleep 600"), b"", &[], Duration::from_millis(50), 9).expect_err("it is stopped");
        assert!(told.ends_with("took longer than 0.05 s and was stopped"), "{told}");
    }

    #[test]
    fn a_program_that_does_not_read_or_is_not_there_is_no_trouble() {
        let much = vec![b'x'; 1 << 20];
        assert_eq!(run(&words("exit 0"), &much, &[], LONG, 9).expect("it runs").code, Some(0));
        let told = run(&["/no/such/program".to_owned()], b"", &[], LONG, 9).expect_err("it is not there");
        assert!(told.starts_with("`/no/such/program` cannot be started: "), "{told}");
    }
}
