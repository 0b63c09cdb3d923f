//! What programs say of our messages that nobody here wrote. `./test` installs them and runs these tests;
//! elsewhere they are ignored.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use alignwatch_model::{
    Timestamp,
    config::{self, Channel, SecretRef, channels::*},
    notice::{Notice, NoticeStatus},
};
use serde_json::{Value, json};

use crate::{Egress, deliver, sample, sink::Sink};

const NOW: Timestamp = Timestamp(1_767_225_660);

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Python program that says a line when it listens, and then one line of JSON for each thing that it gets.
struct Python {
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    _running: Running,
}

impl Python {
    fn new(script: &str, arguments: &[&str]) -> Python {
        let mut child = Command::new("python3")
            .args(["-u", "-c", script])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut python = Python { lines, _running: Running(child) };
        assert_eq!(python.lines.next().expect("a line").expect("text"), "listening");
        python
    }

    fn says(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().expect("a line").expect("text")).expect("JSON")
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn secret(dir: &Path, name: &str, text: &str) -> SecretRef {
    fs::write(dir.join(name), text).expect("it is written");
    SecretRef::File(dir.join(name).to_string_lossy().into_owned())
}

const MAIL_SERVER: &str = r#"
import email, email.policy, json, ssl, sys, time
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        print(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "is_private": session.ssl is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "headers": [name for name, _ in mail.items()], "subject": mail["subject"], "thread": mail["references"],
            "defects": [str(part.defects) for part in mail.walk() if part.defects],
            "text": mail.get_body(("plain",)).get_content(), "html": mail.get_body(("html",)).get_content(),
        }))
        return "250 2.0.0 taken"
def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"watch", b"hunter2"), handled=False, auth_data=data)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
Controller(Handler(), hostname="127.0.0.1", port=int(sys.argv[1]), tls_context=context, require_starttls=True,
           auth_required=True, authenticator=authenticate, enable_SMTPUTF8=False).start()
print("listening")
time.sleep(600)
"#;

#[test]
#[ignore = "needs aiosmtpd"]
fn a_real_mail_server_takes_our_mail_over_a_private_line_and_after_a_login() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = certificate.self_signed(&key).expect("a certificate");
    fs::write(at("key.pem"), key.serialize_pem()).expect("it is written");
    fs::write(at("certificate.pem"), certificate.pem()).expect("it is written");
    let port = free_port();
    let mut server = Python::new(MAIL_SERVER, &[&port.to_string(), &at("certificate.pem"), &at("key.pem")]);
    let mail = |password: &str| {
        Channel::Mail(Mail {
            name: "m".into(),
            server: "localhost".into(),
            port: Some(port.into()),
            user: Some("watch".into()),
            password: Some(secret(dir.path(), "password", password)),
            from: "Watch <watch@example.org>".into(),
            to: vec!["team@example.org".into()],
            ..Mail::default()
        })
    };
    let egress = Egress::of(&config::Egress {
        allow: vec!["127.0.0.1".into(), "::1".into()],
        certificates: vec![at("certificate.pem")],
    });

    let refused = deliver(&mail("wrong"), &sample::notice(), &egress, NOW).expect_err("a wrong password");
    assert_eq!(refused.reason, alignwatch_model::notice::FailureReason::AuthError, "{refused}");
    assert!(!refused.detail.contains("wrong"), "{refused}");

    let mail = mail("hunter2");
    let answer = deliver(&mail, &sample::notice(), &egress, NOW).expect("it is taken").answer;
    assert_eq!(answer, "250 2.0.0 taken");
    let first = server.says();
    assert_eq!(
        (&first["from"], &first["to"], &first["is_private"], &first["user"]),
        (&json!("watch@example.org"), &json!(["team@example.org"]), &json!(true), &json!("watch"))
    );
    assert!(first["text"].as_str().is_some_and(|text| text.contains("git merge-base main feature/0")), "{first}");

    for name in sample::NAUGHTY {
        deliver(&mail, &sample::hostile(name), &egress, NOW).expect("it is taken");
        let told = server.says();
        assert_eq!(
            (&told["headers"], &told["to"], &told["thread"]),
            (&first["headers"], &first["to"], &first["thread"]),
            "{told}"
        );
        assert_eq!(told["defects"], json!([]), "{told}");
        let html = told["html"].as_str().expect("HTML");
        assert!(!html.contains("<svg") && !html.contains("<script"), "{html}");
    }
}

const WEBHOOK_SERVER: &str = r#"
import http.server, json, sys
from standardwebhooks import Webhook
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        told = {}
        for secret in sys.argv[2:]:
            try:
                # The time of the test is its own.
                webhook = Webhook(secret)
                webhook._Webhook__verify_timestamp = lambda header: __import__("datetime").datetime.fromtimestamp(float(header), __import__("datetime").timezone.utc)
                told[secret] = webhook.verify(body, dict(self.headers))["key"]
            except Exception as error:
                told[secret] = "no: " + str(error)
        self.send_response(204)
        self.end_headers()
        print(json.dumps(told))
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print("listening")
server.serve_forever()
"#;

#[test]
#[ignore = "needs standardwebhooks"]
fn the_reference_library_of_standard_webhooks_accepts_our_signatures() {
    let dir = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let secrets = [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    ];
    let mut server = Python::new(WEBHOOK_SERVER, &[&port.to_string(), secrets[0], secrets[1], secrets[2]]);
    let channel = Channel::Webhook(Webhook {
        name: "w".into(),
        url: format!("http://127.0.0.1:{port}/"),
        secret: vec![secret(dir.path(), "old", secrets[0]), secret(dir.path(), "new", secrets[1])],
        ..Webhook::default()
    });
    let egress = Egress::of(&config::Egress { allow: vec!["127.0.0.1".into()], ..config::Egress::default() });
    for notice in [sample::notice(), sample::hostile("ä\u{202e}\"\\")] {
        deliver(&channel, &notice, &egress, NOW).expect("it is taken");
        let told = server.says();
        assert_eq!((&told[secrets[0]], &told[secrets[1]]), (&json!("n-1"), &json!("n-1")), "{told}");
        assert!(told[secrets[2]].as_str().is_some_and(|told| told.starts_with("no: ")), "{told}");
    }
}

/// Alertmanager, which passes on what it gets to a sink of ours.
fn alertmanager(dir: &Path, sink: &Sink) -> (Running, u16) {
    let port = free_port();
    let text = format!(
        "route: {{receiver: team, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}\n\
         receivers: [{{name: team, webhook_configs: [{{url: '{}', send_resolved: true}}]}}]\n",
        sink.url("/")
    );
    fs::write(dir.join("am.yml"), text).expect("it is written");
    let program = on_path(&["alertmanager", "prometheus-alertmanager"]);
    // Where `./test` unpacked it, it reads its templates from below the folder that it starts in.
    let home = program.ancestors().nth(3).expect("it lies in usr/bin of something");
    let child = Command::new(&program)
        .arg(format!("--config.file={}", dir.join("am.yml").display()))
        .arg(format!("--storage.path={}", dir.join("am").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args(["--cluster.listen-address=", "--web.external-url=https://watch.example.org/alerts"])
        .arg("--web.route-prefix=/")
        .current_dir(home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut running = Running(child);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(running.0.try_wait().expect("it can be asked").is_none(), "alertmanager ended");
        thread::sleep(Duration::from_millis(50));
    }
    (running, port)
}

fn on_path(names: &[&str]) -> PathBuf {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").expect("a PATH")).collect();
    let places = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    places.into_iter().find(|place| place.is_file()).expect("it is on the PATH")
}

#[test]
#[ignore = "needs alertmanager"]
fn a_real_alertmanager_takes_our_alerts_and_posts_what_we_would_have_posted() {
    let dir = tempfile::tempdir().expect("a folder");
    let ok = "HTTP/1.1 200 OK\r\n\r\n";
    let passed_on = Sink::answering([ok; 4]);
    let (_running, port) = alertmanager(dir.path(), &passed_on);
    let egress = passed_on.egress();
    let channel = Channel::Alertmanager(Alertmanager {
        name: "am".into(),
        urls: vec![format!("http://127.0.0.1:{port}")],
        ..Alertmanager::default()
    });
    // Alertmanager takes ends that are to come for firing, and lets them be so.
    let now = Timestamp(
        i64::try_from(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs(),
        )
        .expect("it fits"),
    );
    let mut firing = sample::many(2);
    firing.n_left_out = 0;
    firing.alerts.iter_mut().for_each(|alert| alert.starts_at = Timestamp(now.0 - 600));
    let mut over = Notice { status: NoticeStatus::Resolved, ..firing.clone() };
    over.alerts.iter_mut().for_each(|alert| (alert.is_firing, alert.ends_at) = (false, Some(Timestamp(now.0 - 1))));

    for notice in [firing, over] {
        deliver(&channel, &notice, &egress, now).expect("it takes them");
        let theirs = passed_on.request().json();
        let ours = ours_of(&notice, &theirs, now);
        assert_eq!(without_order(ours), without_order(theirs));
    }
}

/// What our webhook posts for this notice, when the group is named as Alertmanager named it.
fn ours_of(notice: &Notice, theirs: &Value, now: Timestamp) -> Value {
    let mut notice = notice.clone();
    notice.receiver = "team".into();
    notice.group_key = theirs["groupKey"].as_str().expect("a key").to_owned();
    for alert in &mut notice.alerts {
        let same = |other: &&Value| other["labels"]["branch"] == alert.labels["branch"].as_str();
        let other = theirs["alerts"].as_array().into_iter().flatten().find(same).expect("the same alert");
        alert.fingerprint = other["fingerprint"].as_str().expect("a fingerprint").to_owned();
    }
    let sink = Sink::answering(["HTTP/1.1 200 OK\r\n\r\n"]);
    let channel =
        Channel::Webhook(Webhook { url: sink.url("/"), payload: Payload::Alertmanager, ..Webhook::default() });
    deliver(&channel, &notice, &sink.egress(), now).expect("it arrives");
    sink.request().json()
}

/// Alerts of a group have no order, and a time is the same with and without fractions of a second.
fn without_order(mut payload: Value) -> Value {
    for alert in payload["alerts"].as_array_mut().into_iter().flatten() {
        for name in ["startsAt", "endsAt"] {
            let time: jiff::Timestamp = alert[name].as_str().expect("a time").parse().expect("a time");
            alert[name] = json!(time.to_string());
        }
    }
    if let Some(alerts) = payload["alerts"].as_array_mut() {
        alerts.sort_by_key(|alert| alert["fingerprint"].as_str().map(str::to_owned));
    }
    payload
}
