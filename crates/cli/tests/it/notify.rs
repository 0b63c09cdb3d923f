//! Channels as a person tries them.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    thread::{self, JoinHandle},
};

use insta::assert_snapshot;
use serde_json::Value;
use tempfile::TempDir;

/// A configuration with these channels, and this machine allowed.
fn world(channels: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), format!("egress: {{allow: [127.0.0.1]}}\nchannels:\n{channels}")).unwrap();
    dir
}

fn alignwatch(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.arg("--config").arg(dir.join("a.yaml")).arg("--data-dir").arg(dir).args(arguments).current_dir(dir);
    command.output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// Answers one request so, and gives the body that it had.
fn sink(answer: &'static str) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.to_ascii_lowercase().strip_prefix("content-length: ") {
                Some(value) => length = value.trim().parse().unwrap(),
                None if line == "\r\n" => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        (&stream).write_all(answer.as_bytes()).unwrap();
        body
    });
    (port, asked)
}

#[test]
fn a_test_is_sent_and_says_that_it_is_one() {
    let (port, asked) = sink("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let dir = world(&format!("  webhook: [{{name: team, url: \"http://127.0.0.1:{port}/x\"}}]\n"));
    let (code, text) = said(&alignwatch(dir.path(), &["notify", "test", "team"]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("told team (webhook) in ") && text.ends_with(" s: 200 OK\n"), "{text}");
    let body: Value = serde_json::from_slice(&asked.join().unwrap()).unwrap();
    assert_eq!(
        (&body["reason"], &body["status"], &body["receiver"]),
        (&"test".into(), &"firing".into(), &"team".into())
    );
}

#[test]
fn a_proxy_of_the_environment_is_not_used() {
    let (port, asked) = sink("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let dir = world(&format!("  webhook: [{{name: team, url: \"http://127.0.0.1:{port}/x\"}}]\n"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.arg("--config").arg(dir.path().join("a.yaml")).arg("--data-dir").arg(dir.path());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"] {
        command.env(name, format!("http://{}", proxy.local_addr().unwrap()));
    }
    let (code, text) = said(&command.args(["notify", "test", "team"]).current_dir(dir.path()).output().unwrap());
    assert_eq!(code, Some(0), "{text}");
    asked.join().unwrap();
    assert!(proxy.accept().is_err(), "the proxy was called");
}

#[test]
fn why_a_test_did_not_arrive_is_told_with_what_to_look_at() {
    let (port, _asked) = sink("HTTP/1.1 403 Forbidden\r\ncontent-length: 13\r\n\r\ninvalid token");
    let dir = world(&format!("  webhook: [{{name: team, url: \"http://127.0.0.1:{port}/x\"}}]\n"));
    let (code, text) = said(&alignwatch(dir.path(), &["notify", "test", "team"]));
    assert_eq!(code, Some(1));
    assert_snapshot!(text, @r"
    error: cannot tell `team` (webhook): 127.0.0.1 answered 403 Forbidden: invalid token
    hint: is the secret the one of this channel, and still good? `alignwatch notify list` says where it is read
    ");
    let dir = world("  webhook: [{name: inner, url: \"http://10.0.0.1/x\"}]\n");
    let (code, text) = said(&alignwatch(dir.path(), &["notify", "test", "inner"]));
    assert_eq!(code, Some(1));
    assert_snapshot!(text, @r#"error: cannot tell `inner` (webhook): `10.0.0.1` is an address of a private network; to call it all the same, write `egress: {allow: ["10.0.0.1"]}`"#);
    let (code, text) = said(&alignwatch(dir.path(), &["notify", "test", "tema"]));
    assert_eq!(code, Some(2));
    assert_snapshot!(text, @r"
    error: there is no channel `tema`
    hint: the channels are inner
    ");
}

#[test]
fn a_preview_sends_nothing() {
    let dir =
        world("  file: [{name: log, path: /no/such/folder/notices}]\n  slack: [{name: team, url: \"env:NO_SUCH\"}]\n");
    let (code, text) = said(&alignwatch(dir.path(), &["notify", "test", "team", "--preview"]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\"plain_text\"") && text.contains("[TEST] [INFO] a test notice of alignwatch"), "{text}");
    assert_eq!(said(&alignwatch(dir.path(), &["notify", "test", "log", "--preview"])).0, Some(0));
}

#[test]
fn a_channel_that_is_a_file_gets_both_ends_of_a_test() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("notices.jsonl");
    fs::write(dir.path().join("a.yaml"), format!("channels: {{file: [{{name: log, path: {}}}]}}\n", log.display()))
        .unwrap();
    for arguments in [&["notify", "test", "log"][..], &["notify", "test", "log", "--over"]] {
        assert_eq!(said(&alignwatch(dir.path(), arguments)).0, Some(0));
    }
    let text = fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["status"], &lines[1]["status"]), (&"firing".into(), &"resolved".into()));
    assert_eq!(lines[0]["group_key"], lines[1]["group_key"]);
}

#[test]
fn channels_are_listed_with_their_secrets_and_doctor_finds_those_that_are_away() {
    let dir = world(
        "  slack: [{name: team, url: \"env:NO_SUCH\"}]\n  pagerduty: [{name: on-call, key: \"file:/no/such/file\"}]\n",
    );
    let (code, text) = said(&alignwatch(dir.path(), &["notify", "list"]));
    assert_eq!(code, Some(0));
    assert_snapshot!(text, @r"
    team                     slack
      env:NO_SUCH: there is no such variable
    on-call                  pagerduty
      file:/no/such/file: No such file or directory (os error 2)
    ");
    let (_, text) = said(&alignwatch(dir.path(), &["doctor", "--json"]));
    let document: Value = serde_json::from_str(&text).unwrap();
    let channels = document["installation"]["examinations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|part| part["id"] == "channels")
        .unwrap();
    let summaries: Vec<_> =
        channels["findings"].as_array().unwrap().iter().map(|finding| finding["summary"].as_str().unwrap()).collect();
    assert_eq!(
        summaries,
        [
            "the channel `team` needs env:NO_SUCH: there is no such variable",
            "the channel `on-call` needs file:/no/such/file: No such file or directory (os error 2)",
        ]
    );
}

#[test]
fn who_is_on_duty_is_told_with_who_is_next() {
    let dir = world("  command:\n    - {name: mia, run: [\"/bin/true\"]}\n    - {name: ben, run: [\"/bin/true\"]}\n");
    let path = dir.path().join("a.yaml");
    let turns = "on_call:\n  - {name: primary, channels: [mia, ben], from: 2026-01-05T09:00, turn_days: 36500}\n";
    // One turn that no test outlives.
    let turns = turns.replace("36500", "365");
    fs::write(&path, fs::read_to_string(&path).unwrap() + &turns).unwrap();
    let shown = alignwatch(dir.path(), &["notify", "on-call", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap_or_else(|_| panic!("{:?}", said(&shown)));
    let (now, next) = (&shown["on_call"][0]["on_duty"][0], &shown["on_call"][0]["next"][0]);
    assert_eq!(shown["schema"], "alignwatch.on-call/1");
    assert!(["mia", "ben"].iter().any(|name| now == name) && now != next, "{shown}");
    assert!(shown["on_call"][0]["until"].is_string() && shown["on_call"][0]["unknown"].is_null(), "{shown}");
    let (code, text) = said(&alignwatch(dir.path(), &["notify", "on-call", "primary"]));
    assert!(code == Some(0) && text.starts_with("primary: ") && text.contains(", then "), "{text}");
    let (code, text) = said(&alignwatch(dir.path(), &["notify", "on-call", "second"]));
    assert!(code == Some(2) && text.contains("there are primary"), "{text}");
}
