//! A daemon to talk to: the real binary, on a port of its own.

use std::{
    hash::{BuildHasher, RandomState},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// The longest that a test waits for a state. A busy machine takes seconds; a daemon that does nothing takes forever.
const WAIT: Duration = Duration::from_secs(60);

/// What it says on its standard error, in its data directory.
const SAID: &str = "said.log";

pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) port: u16,
    data_dir: PathBuf,
}

impl Daemon {
    pub(crate) fn watching(data_dir: &Path, paths: &[&Path]) -> Daemon {
        Daemon::with(data_dir, paths, &[])
    }

    /// With these environment variables.
    pub(crate) fn with(data_dir: &Path, paths: &[&Path], variables: &[(&str, &str)]) -> Daemon {
        Daemon::started_by(Command::new(env!("CARGO_BIN_EXE_alignwatch")), data_dir, paths, variables)
    }

    /// With this configuration file.
    pub(crate) fn configured(config: &Path, data_dir: &Path, paths: &[&Path]) -> Daemon {
        let program = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        Daemon::begun(program, config, data_dir, paths, &[])
    }

    /// A daemon that a shell becomes after these words.
    pub(crate) fn after(words: &str, data_dir: &Path, paths: &[&Path]) -> Daemon {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{words}; exec \"$0\" \"$@\"")]).arg(env!("CARGO_BIN_EXE_alignwatch"));
        Daemon::started_by(shell, data_dir, paths, &[])
    }

    fn started_by(command: Command, data_dir: &Path, paths: &[&Path], variables: &[(&str, &str)]) -> Daemon {
        Daemon::begun(command, Path::new("/dev/null"), data_dir, paths, variables)
    }

    fn begun(
        mut command: Command,
        config: &Path,
        data_dir: &Path,
        paths: &[&Path],
        variables: &[(&str, &str)],
    ) -> Daemon {
        let port = free_port();
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
        command.envs(variables.iter().copied());
        command.arg("--data-dir").arg(data_dir).arg("--config").arg(config);
        command.args(["serve", "--port", &port.to_string()]);
        let said = std::fs::File::create(data_dir.join(SAID)).map_or_else(|_| Stdio::null(), Stdio::from);
        let child = command.args(paths).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        Daemon { child, port, data_dir: data_dir.to_owned() }
    }

    /// Status and body of an answer; `None` while nobody listens.
    pub(crate) fn ask(&self, request: &str, headers: &str) -> Option<(u16, String)> {
        ask(self.port, request, headers, "")
    }

    /// Reports an event, or an array of them; `None` while nobody listens.
    pub(crate) fn report(&self, events: &Value) -> Option<u16> {
        report(self.port, events)
    }

    /// The first lines of an answer, in small letters but for the first.
    pub(crate) fn head(&self, request: &str, headers: &str) -> String {
        whole(self.port, request, headers, "").unwrap().split("\r\n\r\n").next().unwrap().replace("\r\n", "\n")
    }

    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        get(self.port, path)
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).unwrap().1).unwrap()
    }

    /// Waits until this holds.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Daemon) -> bool) {
        let said = || std::fs::read_to_string(self.data_dir.join(SAID)).unwrap_or_default();
        assert!(self.comes(holds), "{what} did not come; the daemon said: {}", said());
    }

    /// Waits until this holds; false = it does not within the time that a test waits.
    pub(crate) fn comes(&self, holds: impl Fn(&Daemon) -> bool) -> bool {
        let began = Instant::now();
        while !holds(self) {
            if WAIT <= began.elapsed() {
                return false;
            }
            thread::sleep(Duration::from_millis(50));
        }
        true
    }

    pub(crate) fn until_ready(&self) {
        self.until("readiness", |daemon| daemon.get("/readyz").is_some_and(|(status, _)| status == 200));
    }

    pub(crate) fn metric(&self, line: &str) -> Option<f64> {
        let page = self.get("/metrics")?.1;
        let found = page.lines().find(|other| other.starts_with(line))?;
        found.rsplit(' ').next()?.parse().ok()
    }

    /// Where it remembers.
    pub(crate) fn data(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn kill(mut self) -> PathBuf {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.data_dir.clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens at, and that no connection takes until somebody does: it is below those that the system gives
/// away (32768 and more on Linux).
pub(crate) fn free_port() -> u16 {
    let any = || RandomState::new().hash_one(0) % 20_000 + 12_000;
    let mut ports = std::iter::repeat_with(any).map(|port| port as u16);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// Status and body of an answer of whoever listens there; `None` while nobody does.
pub(crate) fn get(port: u16, path: &str) -> Option<(u16, String)> {
    ask(port, &format!("GET {path}"), "Host: localhost\r\n", "")
}

/// Reports an event, or an array of them, to whoever listens there.
pub(crate) fn report(port: u16, events: &Value) -> Option<u16> {
    post(port, "/api/v1/events", events)
}

/// Sends a document to whoever listens there; the status of the answer.
pub(crate) fn post(port: u16, path: &str, document: &Value) -> Option<u16> {
    let body = document.to_string();
    let headers = format!("Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    Some(ask(port, &format!("POST {path}"), &headers, &body)?.0)
}

/// Status and body of the answer to any request.
pub(crate) fn ask(port: u16, request: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    let answer = whole(port, request, headers, body)?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn whole(port: u16, request: &str, headers: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "{request} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
