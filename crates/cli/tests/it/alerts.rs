//! Alerts of a real daemon, and a receiver that fails in every way: nothing that was decided is lost.
//!
//! `ALIGNWATCH_ALERT_KILLS` says how often the daemon is killed; a run of the tests does it a hundred times.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use alignwatch_testkit::sketch;
use serde_json::{Value, json};

use crate::daemon::{Daemon, post};

/// Kills in a run of the tests.
const KILLS: u64 = 100;

/// A receiver that fails as often as it is told to.
struct Sink {
    port: u16,
    heard: Arc<Mutex<Vec<Value>>>,
    /// Of a hundred messages, how many fail: half are answered with an error, half are cut off after they were read.
    fails: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Sink {
    fn new() -> Sink {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let sink = Sink {
            port: listener.local_addr().unwrap().port(),
            heard: Arc::default(),
            fails: Arc::default(),
            is_over: Arc::default(),
        };
        let (heard, fails, is_over) = (Arc::clone(&sink.heard), Arc::clone(&sink.fails), Arc::clone(&sink.is_over));
        thread::spawn(move || {
            let mut chance = 0x2545_f491_4f6c_dd1d_u64;
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                chance ^= chance << 13;
                chance ^= chance >> 7;
                chance ^= chance << 17;
                let fails = chance % 100 < fails.load(Ordering::Relaxed);
                answer(stream.unwrap(), fails, chance.is_multiple_of(2), &heard);
            }
        });
        sink
    }

    fn heard(&self) -> Vec<Value> {
        self.heard.lock().unwrap().clone()
    }

    /// What was last heard of each alert, by its fingerprint: does it fire?
    fn last(&self) -> BTreeMap<String, bool> {
        let heard = self.heard();
        let alerts = heard.iter().flat_map(|notice| notice["alerts"].as_array().unwrap().clone());
        alerts.map(|alert| (alert["fingerprint"].as_str().unwrap().to_owned(), alert["is_firing"] == true)).collect()
    }

    /// The numbers of the alerts of which it last heard that they fire. A message that tells so may also tell of earlier ends.
    fn firing(&self) -> BTreeSet<u64> {
        let mut firing = BTreeSet::new();
        for notice in self.heard() {
            let alerts = notice["alerts"].as_array().unwrap();
            let number_of = |alert: &Value| -> u64 { alert["labels"]["n"].as_str().unwrap().parse().unwrap() };
            firing.retain(|number| !alerts.iter().any(|alert| number_of(alert) == *number));
            firing.extend(alerts.iter().filter(|alert| alert["is_firing"] == true).map(number_of));
        }
        firing
    }

    /// A configuration that tells everything to it, at once.
    fn config(&self, folder: &Path) -> PathBuf {
        let text = format!(
            "channels:\n  webhook:\n    - {{name: team, url: \"http://127.0.0.1:{}/hook\"}}\negress: {{allow: [127.0.0.0/8]}}\n\
             alerts: {{settle: 0s, group_wait: 0s, group_interval: 0s, at_most_per_hour: 10000}}\n\
             routes:\n  - {{name: all, channels: [team], group_by: [alertname, n]}}\n",
            self.port
        );
        let path = folder.join("alignwatch.yaml");
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // The one that waits for a caller gets one.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn answer(mut stream: TcpStream, fails: bool, cuts_off: bool, heard: &Mutex<Vec<Value>>) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    let body = loop {
        let Ok(n @ 1..) = stream.read(&mut buffer) else { return };
        text.extend_from_slice(&buffer[..n]);
        let whole = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = whole.split_once("\r\n\r\n") else { continue };
        let length =
            head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
        if length.is_some_and(|length| length.trim().parse::<usize>().unwrap() <= body.len()) {
            break body.to_owned();
        }
    };
    match (fails, cuts_off) {
        (true, true) => {}
        (true, false) => drop(
            stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        ),
        (false, _) => {
            heard.lock().unwrap().push(serde_json::from_str(&body).unwrap());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    }
}

/// Alerts as a Prometheus sends them.
fn posted(daemon: &Daemon, name: &str, number: u64, is_over: bool) -> Option<u16> {
    let ends_at = if is_over { "2026-01-01T00:00:00Z" } else { "2099-01-01T00:00:00Z" };
    let alert = json!({"labels": {"alertname": name, "n": number.to_string()}, "endsAt": ends_at});
    post(daemon.port, "/api/v2/alerts", &json!([alert]))
}

fn silenced(daemon: &Daemon, name: &str) -> Option<u16> {
    let silence = json!({
        "matchers": [{"name": "alertname", "value": name, "isRegex": false}], "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z", "createdBy": "ada", "comment": "known",
    });
    post(daemon.port, "/api/v2/silences", &silence)
}

fn started(sink: &Sink, data: &Path, repo: &Path) -> Daemon {
    let daemon = Daemon::configured(&sink.config(data), data, &[repo]);
    daemon.until("an answer", |daemon| daemon.get("/healthz").is_some());
    daemon
}

/// Where an Alertmanager loses: (b) a restart with an active alert, (c) `kill -9` right after a silence.
#[test]
fn a_kill_forgets_neither_an_alert_nor_a_silence() {
    let (sink, repo, data) = (Sink::new(), sketch("main: a").draw(), tempfile::tempdir().unwrap());
    let daemon = started(&sink, data.path(), repo.path());
    assert_eq!(posted(&daemon, "Disk", 1, false), Some(200));
    let silence = json!({"silence": "a silence may last 30d"});
    assert_eq!(silenced(&daemon, "Disk"), Some(400), "{silence}: too long");
    let short = json!({
        "matchers": [{"name": "alertname", "value": "Net"}], "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": soon(), "createdBy": "ada", "comment": "known",
    });
    assert_eq!(post(daemon.port, "/api/v2/silences", &short), Some(200));
    daemon.kill();
    let daemon = started(&sink, data.path(), repo.path());
    let alerts = daemon.json("/api/v2/alerts");
    assert_eq!(alerts[0]["labels"]["alertname"], "Disk", "{alerts}");
    let silences = daemon.json("/api/v2/silences");
    assert_eq!((silences.as_array().unwrap().len(), &silences[0]["status"]["state"]), (1, &json!("active")));
}

/// An hour from now.
fn soon() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    alignwatch_model::Timestamp(now as i64 + 3600).rfc3339()
}

/// (d): the receiver is down for the whole life of an alert; it hears of it late, and once.
#[test]
fn a_receiver_that_was_down_hears_what_was() {
    let (sink, repo, data) = (Sink::new(), sketch("main: a").draw(), tempfile::tempdir().unwrap());
    sink.fails.store(100, Ordering::Relaxed);
    let daemon = started(&sink, data.path(), repo.path());
    assert_eq!(posted(&daemon, "Brief", 1, false), Some(200));
    daemon
        .until("an attempt", |daemon| daemon.json("/api/v1/messages")["messages"][0]["n_attempts"].as_u64() >= Some(1));
    assert_eq!(posted(&daemon, "Brief", 1, true), Some(200));
    thread::sleep(Duration::from_millis(600));
    sink.fails.store(0, Ordering::Relaxed);
    daemon.until("the end", |_| sink.last().values().any(|is_firing| !is_firing));
    let heard = sink.heard();
    let last = heard.last().unwrap();
    assert_eq!((&last["status"], &last["alerts"][0]["is_late"]), (&json!("resolved"), &json!(true)), "{last}");
    let explained = daemon.json(&format!("/api/v1/alerts/{}", last["alerts"][0]["fingerprint"].as_str().unwrap()));
    let steps: BTreeSet<_> =
        explained["chain"].as_array().unwrap().iter().map(|link| link["step"].as_str().unwrap().to_owned()).collect();
    assert!(steps.contains("delivered"), "{explained:#}");
}

/// The oracle: acknowledged ⊆ stored, decided ⊆ delivered, every firing that was heard has its end, duplicates ≤ kills.
#[test]
fn nothing_that_was_decided_is_lost_in_any_number_of_kills() {
    let kills = std::env::var("ALIGNWATCH_ALERT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let (sink, repo, data) = (Sink::new(), sketch("main: a").draw(), tempfile::tempdir().unwrap());
    sink.fails.store(30, Ordering::Relaxed);
    let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
    let mut die = move |sides: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % sides
    };
    // What was acknowledged last of each alert: does it fire?
    let mut acknowledged: BTreeMap<u64, bool> = BTreeMap::new();
    // What was sent and not acknowledged may or may not have been taken.
    let mut unsure: BTreeSet<u64> = BTreeSet::new();
    // Each message that was ever decided, by its key.
    let mut decided: BTreeSet<String> = BTreeSet::new();
    let messages = |daemon: &Daemon| daemon.json("/api/v1/messages?limit=500")["messages"].as_array().unwrap().clone();
    let keys_of = |messages: &[Value]| -> Vec<String> {
        messages.iter().map(|message| message["key"].as_str().unwrap().to_owned()).collect()
    };
    for _ in 0..kills {
        let daemon = started(&sink, data.path(), repo.path());
        decided.extend(keys_of(&messages(&daemon)));
        for _ in 0..1 + die(4) {
            let number = die(25);
            let is_over = acknowledged.get(&number) == Some(&true) && die(2) == 0;
            match posted(&daemon, "Any", number, is_over) {
                Some(200) => {
                    acknowledged.insert(number, !is_over);
                    unsure.remove(&number);
                }
                _ => drop(unsure.insert(number)),
            }
        }
        thread::sleep(Duration::from_micros(die(30_000)));
        daemon.kill();
    }
    sink.fails.store(0, Ordering::Relaxed);
    let daemon = started(&sink, data.path(), repo.path());
    let stored = daemon.json("/api/v2/alerts");
    let stored: BTreeSet<u64> = stored
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| alert["labels"]["n"].as_str().unwrap().parse().unwrap())
        .collect();
    let expected: BTreeSet<u64> =
        acknowledged.iter().filter(|(_, is_firing)| **is_firing).map(|(number, _)| *number).collect();
    let lost: Vec<_> = expected.difference(&stored).filter(|number| !unsure.contains(number)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    // All that is left is told, and then that it is over.
    let waiting =
        |daemon: &Daemon| messages(daemon).iter().filter(|message| message["state"]["state"] == "waiting").count();
    daemon.until("all firings", |daemon| waiting(daemon) == 0);
    let untold = || -> Vec<u64> {
        let told = sink.firing();
        expected.difference(&told).filter(|number| !unsure.contains(number)).copied().collect()
    };
    assert!(daemon.comes(|_| untold().is_empty()), "fires and was never told: {:?}", untold());
    (0..25).for_each(|number| assert_eq!(posted(&daemon, "Any", number, true), Some(200)));
    daemon.until("all ends", |daemon| waiting(daemon) == 0 && sink.last().values().all(|is_firing| !is_firing));
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    for notice in sink.heard() {
        *times.entry(notice["key"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let twice: u64 = times.values().map(|n| n - 1).sum();
    assert!(twice <= kills, "{twice} came twice in {kills} kills");
    assert!(20 < times.len(), "{} messages: too few to show anything", times.len());
    // What waited when there was more to tell of its group is told with that.
    let told_with: BTreeMap<String, String> = messages(&daemon)
        .iter()
        .filter(|message| message["state"]["state"] == "superseded")
        .map(|message| {
            (message["key"].as_str().unwrap().to_owned(), message["state"]["because"].as_str().unwrap().to_owned())
        })
        .collect();
    decided.extend(keys_of(&messages(&daemon)));
    let is_heard =
        |key: &String| std::iter::successors(Some(key), |key| told_with.get(*key)).any(|key| times.contains_key(key));
    let undelivered: Vec<_> = decided.iter().filter(|key| !is_heard(key)).collect();
    assert!(undelivered.is_empty(), "decided and never delivered: {undelivered:?} of {}", decided.len());
}

/// What a command says of a daemon's alerts; its exit code and both of its outputs together.
fn told(daemon: &Daemon, config: &Path, data: &Path, words: &[&str]) -> (i32, String) {
    let text = fs::read_to_string(config).unwrap();
    let own = data.join("command.yaml");
    fs::write(&own, format!("{text}serve: {{port: {}}}\n", daemon.port)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_alignwatch"))
        .arg("--config")
        .arg(&own)
        .arg("--data-dir")
        .arg(data)
        .args(words)
        .env("USER", "ada")
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn everything_about_an_alert_can_be_typed() {
    let (sink, repo, data) = (Sink::new(), sketch("main: a").draw(), tempfile::tempdir().unwrap());
    let config = sink.config(data.path());
    let daemon = started(&sink, data.path(), repo.path());
    let said = |words: &[&str]| told(&daemon, &config, data.path(), words);
    assert_eq!(said(&["alert", "list"]), (0, "nothing fires\n".to_owned()));
    assert_eq!(posted(&daemon, "Disk", 1, false), Some(200));
    daemon.until("the alert", |_| said(&["alert", "list"]).1.contains("Disk"));
    let id = daemon.json("/api/v1/alerts")["alerts"][0]["id"].as_str().unwrap().to_owned();

    let (code, preview) = said(&["alert", "silence", "alertname=Disk", "--comment", "known", "--dry-run"]);
    assert!(code == 0 && preview.starts_with("it holds 1 of 1 alerts that fire:\n  warning Disk\nit would end at "));
    assert!(preview.ends_with("; the longest is 30d (`alerts.silence_at_most`)\n"), "{preview}");
    assert_eq!(said(&["alert", "silences"]).1, "nothing is silenced\n");
    let (code, made) =
        said(&["alert", "silence", "alertname=Disk", "--comment", "known", "--for", "2h", "--until-resolved"]);
    assert!(code == 0 && made.starts_with("silenced until "), "{made}");
    assert!(said(&["alert", "list"]).1.contains("held: ada silenced it until"), "{}", said(&["alert", "list"]).1);
    let silence = made.split("unsilence ").nth(1).unwrap().split('`').next().unwrap();
    let (code, wrong) = said(&["alert", "unsilence", "zz"]);
    assert!(code == 2 && wrong.contains("no silence that holds or will hold begins with `zz`"), "{wrong}");
    assert_eq!(said(&["alert", "unsilence", &silence[..8]]).1, format!("the silence {silence} is over\n"));
    assert!(!said(&["alert", "list"]).1.contains("held"));

    let (code, wrong) = said(&["alert", "silence", "alertname=Other", "--comment", "x", "--until-resolved"]);
    assert!(code == 2 && wrong.contains("it would end at once"), "{wrong}");
    let (code, wrong) = said(&["alert", "silence", "alertname=~.+", "--comment", "x"]);
    assert!(code == 2 && wrong.contains("every alert meets these conditions") && wrong.contains("--all"), "{wrong}");
    let (code, preview) = said(&["alert", "silence", "alertname=~.+", "--comment", "x", "--all", "--dry-run"]);
    assert!(code == 0 && preview.contains("it holds 1 of 1"), "{preview}");

    let (code, acked) = said(&["alert", "ack", &id[..8], "--note", "mine", "--for", "1h", "--sticky"]);
    assert!(code == 0 && acked.starts_with("ada has it, until "), "{acked}");
    let (_, explained) = said(&["explain", &id]);
    for part in ["was posted", "route all leads to team", "ada has it, until", "delivered"] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
    assert_eq!(said(&["alert", "ack", &id[..8], "--undo"]).0, 0);

    // Why a channel was told, and why it was not.
    let key = sink.heard()[0]["key"].as_str().unwrap().to_owned();
    for (words, parts) in [
        (&["explain", &id, "--to", "team"][..], &["route all leads to team", "delivered"][..]),
        (&["explain", &id, "--to", "tema"], &["tema", "team"]),
        (&["explain", &id, "--at", "2020-01-01T00:00Z"], &["2020-01-01T00:00:00Z"]),
        (&["explain", "team"], &["team is a channel (webhook)", "route all", "alignwatch notify test team"]),
        (&["explain", "rule:conflict"], &["conflict: ", "alignwatch rules backtest conflict"]),
        (&["explain", &key], &["a message to team", "200", "Disk"]),
    ] {
        let explained = said(words).1;
        for part in parts {
            assert!(explained.contains(part), "{words:?}: {part}: {explained}");
        }
    }

    // What nobody can deliver is a dead letter, which can be tried again.
    assert_eq!(said(&["alert", "dead"]).1, "every message was delivered, or is still being tried\n");
    let (code, wrong) = said(&["alert", "retry", "no-such-key"]);
    assert!(code == 1 && wrong.contains("there is no message `no-such-key`"), "{wrong}");
    let (code, wrong) = said(&["alert", "ack", "ffffff"]);
    assert!(code == 2 && wrong.contains("no alert that fires begins with `ffffff`"), "{wrong}");
    drop(daemon.kill());
}

#[test]
fn nobody_at_home_is_told_with_what_to_type() {
    let (sink, data) = (Sink::new(), tempfile::tempdir().unwrap());
    let config = sink.config(data.path());
    let output = Command::new(env!("CARGO_BIN_EXE_alignwatch"))
        .args(["--config"])
        .arg(&config)
        .arg("--data-dir")
        .arg(data.path())
        .args(["alert", "list"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && told.contains("no daemon ever ran here"), "{told}");
    assert!(told.contains("hint: `alignwatch serve` starts it"), "{told}");
}

/// The example of docs/OPERATING.md, as a person would copy it; then with an expectation that does not hold.
#[test]
fn the_tests_of_rules_that_the_procedures_show_can_be_run() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATING.md")).unwrap();
    let section = text.split("### Testing rules").nth(1).unwrap();
    let example = section.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str| {
        let file = folder.path().join("rules-test.yaml");
        fs::write(&file, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_alignwatch"))
            .args(["--config", "/dev/null", "rules", "test"])
            .arg(&file)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code().unwrap(), told)
    };
    let (code, told) = run(example);
    assert!(code == 0 && told.starts_with("ok "), "{told}");
    let (code, told) = run(&example.replace("firing: [far]", "firing: [near]"));
    assert!(code == 1 && told.contains("WRONG") && told.contains("team was to hear firing: near"), "{told}");
}
