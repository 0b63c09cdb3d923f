//! Too much, too many, too slow: real sockets, and a daemon that goes on.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use alignwatch_testkit::sketch;

use crate::daemon::Daemon;

/// Requests that are answered at the same time, as in crates/web/src/guard.rs.
const REQUESTS_AT_ONCE: usize = 128;

/// Bytes of a body, as there.
const BODY_BYTES: usize = 1 << 20;

fn connect(daemon: &Daemon) -> TcpStream {
    TcpStream::connect(("127.0.0.1", daemon.port)).unwrap()
}

fn post(daemon: &Daemon, headers: &str) -> TcpStream {
    let mut stream = connect(daemon);
    let head =
        "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
    write!(stream, "{head}{headers}\r\n").unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let (mut answer, mut buffer) = (Vec::new(), [0; 4_096]);
    // Who is refused may be cut off while it still sends.
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8_lossy(&answer).to_lowercase()
}

#[test]
fn a_body_that_is_too_large_is_refused_whether_it_says_so_or_not() {
    let (repo, data) = (sketch("main: a").draw(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let told = answer(post(&daemon, &format!("Content-Length: {}\r\n", BODY_BYTES + 1)));
    assert!(told.starts_with("http/1.1 413") && told.contains("application/problem+json"), "{told}");
    assert!(told.contains("the body is larger than 1024 kib"), "{told}");
    let mut stream = post(&daemon, "Transfer-Encoding: chunked\r\n");
    let chunk = [format!("{:x}\r\n", 1 << 16).into_bytes(), vec![b' '; 1 << 16], b"\r\n".to_vec()].concat();
    // Twice the bound: it is refused before all was sent, or when it was.
    for _ in 0..(2 * BODY_BYTES) >> 16 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    let _ = stream.write_all(b"0\r\n\r\n");
    let told = answer(stream);
    assert!(told.is_empty() || told.starts_with("http/1.1 413"), "{told}");
    assert_eq!(daemon.get("/healthz").unwrap().0, 200);
}

#[test]
fn more_requests_than_there_is_room_for_are_told_when_to_come_again_and_later_ones_are_answered() {
    let (repo, data) = (sketch("main: a").draw(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    };
    let before = memory();
    // Each promises a whole body and sends nothing of it.
    let held: Vec<TcpStream> =
        (0..REQUESTS_AT_ONCE).map(|_| post(&daemon, &format!("Content-Length: {BODY_BYTES}\r\n"))).collect();
    daemon.until("that it is full", |daemon| daemon.get("/healthz").is_some_and(|(status, _)| status == 429));
    let told = daemon.head("GET /healthz", "Host: localhost\r\n").to_lowercase();
    assert!(told.starts_with("http/1.1 429") && told.contains("retry-after: 1"), "{told}");
    assert!(told.contains("application/problem+json"), "{told}");
    let grown = memory().saturating_sub(before);
    assert!(grown < REQUESTS_AT_ONCE * BODY_BYTES / 4, "bodies that were only promised took {grown} bytes");
    // What was promised and does not come is answered, too, and makes room.
    for stream in held {
        let told = answer(stream);
        assert!(told.starts_with("http/1.1 503") || told.starts_with("http/1.1 408"), "{told}");
    }
    assert_eq!(daemon.get("/healthz").unwrap().0, 200);
}
