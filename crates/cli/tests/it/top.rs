//! The live view on a real terminal: it shows what is known, and gives the terminal back however it ends.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    path::Path,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use alignwatch_testkit::{Repo, sketch};
use rustix::{
    fs::{Mode, OFlags},
    pty::{self, OpenptFlags},
    termios::{self, Termios, Winsize},
};

use crate::daemon::Daemon;

/// The longest that a test waits for a screen.
const WAIT: Duration = Duration::from_secs(60);

/// What a terminal is told to show another screen, and the one before again (xterm, ctlseqs).
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

struct Live {
    child: Child,
    keys: File,
    /// Kept open, so that the terminal can be asked how it is set.
    terminal: OwnedFd,
    before: Termios,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Live {
    /// `port` is what the environment says; `None` = nothing does.
    fn new(data_dir: &Path, port: impl Into<Option<u16>>, variables: &[(&str, &str)]) -> Live {
        let ours = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        pty::grantpt(&ours).unwrap();
        pty::unlockpt(&ours).unwrap();
        let name = pty::ptsname(&ours, Vec::new()).unwrap();
        let theirs = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        termios::tcsetwinsize(&theirs, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let before = termios::tcgetattr(&theirs).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
        command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").envs(variables.iter().copied());
        command.envs(port.into().map(|port| ("ALIGNWATCH_SERVE_PORT", port.to_string())));
        command.args(["--config", "/dev/null", "--data-dir"]).arg(data_dir).arg("top");
        command.stdin(theirs.try_clone().unwrap()).stdout(theirs.try_clone().unwrap());
        let child = command.stderr(theirs.try_clone().unwrap()).spawn().unwrap();
        drop(command);
        let written: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (reader, kept) = (File::from(ours), Arc::clone(&written));
        let keys = reader.try_clone().unwrap();
        thread::spawn(move || read_on(reader, &kept));
        Live { child, keys, terminal: theirs, before, written }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    fn until(&self, what: &str) {
        let began = Instant::now();
        while !self.text().contains(what) {
            assert!(began.elapsed() < WAIT, "{what} did not come: {:?}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end; the terminal is as it was before.
    fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        self.until(LEAVE);
        let after = termios::tcgetattr(&self.terminal).unwrap();
        assert_eq!(format!("{after:?}"), format!("{:?}", self.before), "the terminal is set as it was");
        let text = self.text();
        let (_, last) = text.rsplit_once(ENTER).unwrap();
        assert!(
            last.contains(LEAVE) && last.contains("\x1b[?25h"),
            "the screen before and the cursor are back: {last:?}"
        );
        (status, text)
    }
}

fn read_on(mut terminal: File, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = terminal.read(&mut buffer) {
        kept.lock().unwrap().extend_from_slice(&buffer[..n]);
    }
}

fn repo() -> Repo {
    let repo = sketch("main: a b c d\n topic: a x\n new: c y").draw();
    // A name that would turn the text of the whole line around.
    repo.git(["branch", "evil\u{202e}name", "topic"]);
    repo
}

#[test]
fn it_shows_what_the_daemon_knows_and_quits_with_q() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let mut live = Live::new(data.path(), daemon.port, &[]);
    live.until("topic");
    live.until(&format!("127.0.0.1:{}", daemon.port));
    live.press("4");
    live.until("No task ran yet.");
    live.press("q");
    let (status, text) = live.ended();
    assert!(status.success());
    assert!(!text.contains('\u{202e}') && text.contains("\\u{202e}"), "{text:?}");
}

#[test]
fn the_daemon_is_found_by_the_data_directory_whatever_its_port_is() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let mut live = Live::new(data.path(), None, &[]);
    live.until(&format!("from 127.0.0.1:{}", daemon.port));
    live.press("q");
    assert!(live.ended().0.success());
}

#[test]
fn without_a_daemon_it_shows_what_was_kept_and_gives_the_terminal_back_on_any_end() {
    let (repo, data) = (repo(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let port = daemon.port;
    daemon.kill();
    for end in ["\x03", "-TERM", "-INT"] {
        let mut live = Live::new(data.path(), port, &[("NO_COLOR", "1")]);
        live.until("topic");
        // What is drawn over another screen comes in pieces.
        live.until("store:");
        match end.starts_with('-') {
            true => live.signal(end),
            false => live.press(end),
        }
        let (status, text) = live.ended();
        assert!(status.success(), "{end:?}");
        let colour = ["\x1b[31", "\x1b[33", "\x1b[35", "\x1b[36", "\x1b[38"];
        assert!(!colour.iter().any(|colour| text.contains(colour)), "{text:?}");
    }
}

#[test]
fn where_there_is_no_terminal_it_says_what_to_use_instead() {
    let output = Command::new(env!("CARGO_BIN_EXE_alignwatch")).arg("top").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(told.contains("this is no terminal") && told.contains("alignwatch branches"), "{told}");
}
