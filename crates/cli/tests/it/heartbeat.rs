//! Who watches over alignwatch: the calls that somebody outside waits for, and scheduled tests of channels.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    process::Command,
    sync::mpsc,
    thread,
};

use alignwatch_testkit::sketch;
use serde_json::Value;

use crate::daemon::Daemon;

/// Somebody outside: the first line of each call that is made there.
fn outside() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, calls) = mpsc::channel();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            reader.read_line(&mut line).unwrap();
            let mut header = String::new();
            while reader.read_line(&mut header).is_ok_and(|n| 2 < n) {
                header.clear();
            }
            (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            let _ = heard.send(line.trim_end().to_owned());
        }
    });
    (port, calls)
}

fn alignwatch(config: &Path, data: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.arg("--config").arg(config).arg("--data-dir").arg(data).args(arguments).current_dir(data);
    let output = command.output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn somebody_outside_hears_that_all_is_well_and_each_channel_is_tested() {
    let (repo, data) = (sketch("main: a b").draw(), tempfile::tempdir().unwrap());
    let (port, calls) = outside();
    let config = data.path().join("a.yaml");
    let notices = data.path().join("notices.jsonl");
    let yaml = format!(
        "egress: {{allow: [127.0.0.1]}}\nalerts: {{settle: 0s}}\n\
         channels:\n  file: [{{name: log, path: {}}}]\n\
         heartbeat: {{url: \"http://127.0.0.1:{port}/beat\"}}\ncanaries:\n  - {{channels: [log], due: 1d}}\n",
        notices.display()
    );
    fs::write(&config, yaml).unwrap();
    assert!(alignwatch(&config, data.path(), &["notify", "list"]).contains("tested 1d: nothing is known of its tests"));

    let daemon = Daemon::configured(&config, data.path(), &[repo.path()]);
    assert_eq!(calls.recv_timeout(std::time::Duration::from_secs(60)).unwrap(), "GET /beat HTTP/1.1");
    daemon.until("the test of the channel", |_| fs::read_to_string(&notices).is_ok_and(|text| text.ends_with('\n')));
    let text = fs::read_to_string(&notices).unwrap();
    let notice: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&notice["reason"], &notice["status"]), (&"test".into(), &"resolved".into()));

    for metric in ["alignwatch_heartbeat_timestamp_seconds", "alignwatch_canary_timestamp_seconds{channel=\"log\"}"] {
        daemon.until(metric, |daemon| daemon.metric(metric).is_some_and(|at| 1.7e9 < at));
    }
    // Tests of channels are messages like others.
    for metric in
        ["alignwatch_delivery_attempts_total{channel=\"log\"}", "alignwatch_delivered_messages_total{channel=\"log\"}"]
    {
        daemon.until(metric, |daemon| daemon.metric(metric) == Some(1.0));
    }
    assert_eq!(daemon.metric("alignwatch_dead_messages{channel=\"log\"}"), Some(0.0));
    let status = || daemon.get("/status").unwrap().1;
    daemon.until("it on the status page", |_| status().contains("that all is well was last heard outside"));
    daemon.until("the audit", |daemon| daemon.json("/api/v1/promises")["broken"] == Value::Array(Vec::new()));
    let promises = daemon.json("/api/v1/promises");
    assert!(
        promises["heartbeat"]["well_at"].is_string() && promises["canaries"]["log"]["arrived_at"].is_string(),
        "{promises}"
    );
    // It is on the disk, too, for those who look without the daemon.
    daemon.until("its record", |_| {
        let listed = alignwatch(&config, data.path(), &["notify", "list"]);
        listed.contains("tested 1d: the last success was at 20")
    });
    let listed = alignwatch(&config, data.path(), &["notify", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed["channels"][0]["canary"]["due"], &listed["channels"][0]["canary"]["failure"]),
        (&"1d".into(), &Value::Null)
    );
    daemon.until("it in `doctor`", |_| {
        let told = alignwatch(&config, data.path(), &["doctor", "-v", &repo.path().to_string_lossy()]);
        told.contains("that all is well was last heard outside")
    });
}
