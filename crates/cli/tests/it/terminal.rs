//! A real terminal (a pseudo-terminal of the kernel) for the real binary.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Command, ExitStatus, Stdio},
};

use rustix::{
    fs::{Mode, OFlags},
    pty::{self, OpenptFlags},
    termios::{self, Winsize},
};

/// Runs the command on a terminal of this size; gives all that was written to it, as it was written.
pub(crate) fn in_terminal(command: &mut Command, columns: u16, rows: u16) -> (ExitStatus, Vec<u8>) {
    let (ours, theirs) = terminal(columns, rows);
    command.env("TERM", "xterm-256color").stdin(Stdio::null());
    let mut child = command.stdout(theirs.try_clone().unwrap()).stderr(theirs).spawn().unwrap();
    // The command holds the other end, too; while it does, the terminal never ends.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let written = read_to_hang_up(ours);
    (child.wait().unwrap(), written)
}

/// Runs the command on a terminal where somebody types each answer when its question ends, and gives what was seen.
pub(crate) fn in_conversation(command: &mut Command, question_ends: &str, answers: &[&str]) -> (ExitStatus, String) {
    let (mut ours, theirs) = terminal(200, 50);
    command.env("TERM", "dumb").stdin(theirs.try_clone().unwrap());
    let mut child = command.stdout(theirs.try_clone().unwrap()).stderr(theirs).spawn().unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (mut written, mut buffer, mut n_answered) = (String::new(), [0; 4096], 0);
    while let Ok(n @ 1..) = ours.read(&mut buffer) {
        written.push_str(&String::from_utf8_lossy(&buffer[..n]));
        while n_answered < written.matches(question_ends).count() {
            // A question more than there are answers gets the end of input.
            let answer = answers.get(n_answered).map_or("\u{4}".to_owned(), |answer| format!("{answer}\n"));
            ours.write_all(answer.as_bytes()).unwrap();
            n_answered += 1;
        }
    }
    (child.wait().unwrap(), written.replace("\r\n", "\n"))
}

/// Both ends of a new terminal.
pub(crate) fn terminal(columns: u16, rows: u16) -> (File, std::os::fd::OwnedFd) {
    let ours = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    pty::grantpt(&ours).unwrap();
    pty::unlockpt(&ours).unwrap();
    let name = pty::ptsname(&ours, Vec::new()).unwrap();
    let theirs = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    termios::tcsetwinsize(&theirs, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (File::from(ours), theirs)
}

/// Linux ends a terminal with EIO when its last user is gone.
fn read_to_hang_up(mut terminal: File) -> Vec<u8> {
    let (mut written, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n) = terminal.read(&mut buffer) {
        if n == 0 {
            break;
        }
        written.extend_from_slice(&buffer[..n]);
    }
    written
}

/// The text without our colours and without the carriage returns that the terminal adds.
pub(crate) fn seen(written: &[u8]) -> String {
    let text = String::from_utf8(written.to_vec()).unwrap().replace("\r\n", "\n");
    crate::screens::without_colours(&text)
}

#[test]
fn help_fits_its_terminal() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    let (status, written) = in_terminal(command.args(["branches", "--help"]), 60, 24);
    assert!(status.success());
    let help = seen(&written);
    let options = help.split("Examples:").next().unwrap();
    assert!(options.lines().all(|line| line.chars().count() <= 60), "{help}");
}

#[test]
fn a_terminal_gets_colours_unless_they_are_not_wanted() {
    let is_coloured = |arguments: &[&str], name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.args(arguments).env_remove("NO_COLOR").env(name, "1");
        in_terminal(&mut command, 80, 24).1.contains(&0x1b)
    };
    assert!(is_coloured(&["--help"], "X"));
    assert!(!is_coloured(&["--help"], "NO_COLOR"));
    assert!(!is_coloured(&["--help", "--color", "never"], "X"));
}
