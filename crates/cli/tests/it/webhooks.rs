//! Webhooks: whoever knows the secret starts a look, and nobody else starts anything.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use alignwatch_testkit::{Repo, sketch};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::daemon::{Daemon, ask};

const SECRET: &str = "a secret of forty characters, or thereabouts";

struct World {
    repo: Repo,
    data: TempDir,
    daemon: Daemon,
}

impl World {
    fn new() -> World {
        let (repo, data) = (sketch("main: a b\n x: a c").draw(), tempfile::tempdir().unwrap());
        repo.git(["remote", "add", "origin", "git@forge.example.org:team/product.git"]);
        let secret = data.path().join("secret");
        fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let entry = |kind: &str, secret: &PathBuf| {
            format!("  - {{name: {kind}, kind: {kind}, secret: \"file:{}\"}}\n", secret.display())
        };
        let kinds: String =
            ["github", "gitlab", "gitea", "plain", "standard"].map(|kind| entry(kind, &secret)).concat();
        let gone =
            format!("  - {{name: gone, kind: github, secret: \"file:{}\"}}\n", data.path().join("none").display());
        let config = data.path().join("alignwatch.yaml");
        fs::write(&config, format!("webhooks:\n{kinds}{gone}")).unwrap();
        let daemon = Daemon::configured(&config, data.path(), &[repo.path()]);
        daemon.until_ready();
        World { repo, data, daemon }
    }

    fn post(&self, name: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        self.sent(name, headers, body).unwrap()
    }

    fn sent(&self, name: &str, headers: &[(&str, &str)], body: &str) -> Option<(u16, String)> {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = format!("Host: localhost\r\nContent-Length: {}\r\n{headers}", body.len());
        ask(self.daemon.port, &format!("POST /api/v1/webhooks/{name}"), &headers, body)
    }
}

/// HMAC-SHA256 by its definition, RFC 2104.
fn signature(key: &str, body: &str) -> String {
    let pad = |byte: u8| -> Vec<u8> {
        let mut block = key.as_bytes().to_vec();
        block.resize(64, 0);
        block.iter().map(|one| one ^ byte).collect()
    };
    let inner = Sha256::digest([pad(0x36), body.as_bytes().to_vec()].concat());
    let outer = Sha256::digest([pad(0x5c), inner.to_vec()].concat());
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

const PUSH: &str =
    r#"{"ref": "refs/heads/main", "repository": {"clone_url": "https://forge.example.org/team/product.git"}}"#;

#[test]
fn a_push_that_is_proven_starts_a_look_once_and_no_other_starts_anything() {
    let world = World::new();
    let swept_at = || world.daemon.json("/api/v1/repositories")["repositories"][0]["swept_at"].clone();
    let before = swept_at();
    // Times are whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let signed = format!("sha256={}", signature(SECRET, PUSH));
    let github =
        |signature: &str| world.post("github", &[("X-Hub-Signature-256", signature), ("X-GitHub-Event", "push")], PUSH);
    for wrong in ["", "sha256=00", &signature(SECRET, PUSH)[1..], &format!("sha256={}", signature("other", PUSH))] {
        let (status, told) = github(wrong);
        assert_eq!(status, 401, "{wrong}");
        assert!(!told.contains(SECRET), "{told}");
    }
    assert_eq!(world.post("github", &[], PUSH).0, 401);
    assert_eq!(swept_at(), before, "nothing was looked at");
    let (status, told) = github(&signed);
    assert_eq!((status, serde_json::from_str::<Value>(&told).unwrap()["repositories"].clone()), (202, 1.into()));
    world.daemon.until("a look", |_| swept_at() != before);
    let (status, told) = github(&signed);
    assert_eq!(
        (status, told.contains("\"is_known\":true")),
        (200, true),
        "what was recorded and sent again does nothing"
    );
    drop(world.data);
}

#[test]
fn each_forge_and_a_script_are_known_by_their_own_header() {
    let world = World::new();
    let bare = signature(SECRET, PUSH);
    assert_eq!(world.post("gitea", &[("X-Gitea-Signature", &bare)], PUSH).0, 202);
    assert_eq!(world.post("gitlab", &[("X-Gitlab-Token", SECRET)], PUSH).0, 202);
    assert_eq!(world.post("gitlab", &[("X-Gitlab-Token", "guess")], PUSH).0, 401);
    assert_eq!(world.post("gitlab", &[("X-Hub-Signature-256", &bare)], PUSH).0, 401);
    let bearer = format!("Bearer {SECRET}");
    let form = [("Authorization", &*bearer), ("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!("repository={}", world.repo.path().display());
    assert_eq!(world.post("plain", &form, &body).0, 202);
    assert_eq!(world.post("plain", &form, &body).0, 202, "a script means it each time");
    assert_eq!(world.post("plain", &form, "repository=/nowhere").0, 404);
    assert_eq!(world.post("plain", &form, "other=1").0, 422);
    assert_eq!(world.post("plain", &form[..1], "{").0, 400);
    assert_eq!(world.post("plain", &form[1..], &body).0, 401);
    assert_eq!(world.post("nobody", &form, &body).0, 404);
    let (status, told) = world.post("gone", &[("X-Hub-Signature-256", &bare)], PUSH);
    assert_eq!((status, told.contains("none")), (503, false), "where secrets are is nobody's business: {told}");
    let large = format!("{{\"x\": \"{}\"}}", "x".repeat(2 << 20));
    // The connection may be closed before all of it is sent.
    let refused = world.sent("github", &[("X-Hub-Signature-256", &bare)], &large);
    assert!(refused.as_ref().is_none_or(|(status, _)| *status == 413), "{refused:?}");
    let doctor = Command::new(env!("CARGO_BIN_EXE_alignwatch"))
        .args(["doctor", "--config"])
        .arg(world.data.path().join("alignwatch.yaml"))
        .stdin(Stdio::null())
        .current_dir(world.repo.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&doctor.stdout);
    assert!(told.contains("the webhook `gone` needs file:") && !told.contains(SECRET), "{told}");
}

#[test]
fn a_forge_is_told_of_no_error_by_what_means_nothing_here() {
    let world = World::new();
    let homepage = r#"{"repository": {"clone_url": "https://forge.example.org/evil/x.git",
        "homepage": "https://forge.example.org/team/product"}}"#;
    for body in [r#"{"zen": "Design for failure.", "organization": {"login": "team"}}"#, homepage] {
        let signed = format!("sha256={}", signature(SECRET, body));
        let (status, told) = world.post("github", &[("X-Hub-Signature-256", &signed)], body);
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((status, &told["repositories"]), (202, &0.into()), "{body}");
    }
}

#[test]
#[ignore = "needs standardwebhooks"]
fn what_the_library_of_standard_webhooks_signs_is_taken_and_what_is_old_is_not() {
    let world = World::new();
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    fs::write(world.data.path().join("secret"), key).unwrap();
    let sign = |ago: i64, body: &str| {
        let script = "import sys,datetime,standardwebhooks as s\n\
                      at=datetime.datetime.now(datetime.timezone.utc)-datetime.timedelta(seconds=int(sys.argv[2]))\n\
                      print(int(at.timestamp()), s.Webhook(sys.argv[1]).sign('msg_1', at, sys.argv[3]))";
        let output = Command::new("python3").args(["-c", script, key, &ago.to_string(), body]).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let (at, signature) =
            told.trim().split_once(' ').unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (at.to_owned(), signature.to_owned())
    };
    let send = |ago: i64, body: &str| {
        let (at, signature) = sign(ago, body);
        let headers = [("webhook-id", "msg_1"), ("webhook-timestamp", &*at), ("webhook-signature", &*signature)];
        world.post("standard", &headers, body).0
    };
    assert_eq!(send(0, PUSH), 202);
    assert_eq!(send(400, &PUSH.replace("main", "x")), 401, "recorded long ago");
}
