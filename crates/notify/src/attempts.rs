//! Tests of what every channel over HTTP has in common, against a web server of our own.

use std::{
    io::{Read, Write},
    sync::Arc,
    thread,
    time::Duration,
};

use alignwatch_model::{
    Timestamp,
    config::{Channel, SecretRef, channels::*},
    notice::{Delivered, Failure, FailureReason, Notice},
};

use crate::{
    DEADLINE, Egress, Way, attempt, sample,
    sink::{self, Sink},
};

const NOW: Timestamp = Timestamp(1_767_225_660);

fn webhook(url: String) -> Channel {
    Channel::Webhook(Webhook { name: "w".into(), url, ..Webhook::default() })
}

fn told(channel: &Channel, sink: &Sink) -> Result<Delivered, Failure> {
    told_within(channel, &sink.egress(), DEADLINE)
}

fn told_within(channel: &Channel, egress: &Egress, patience: Duration) -> Result<Delivered, Failure> {
    attempt(channel, &sample::notice(), Way::new(egress, NOW, patience))
}

fn answered(answer: &str) -> Failure {
    let sink = Sink::answering([answer, answer]);
    told(&webhook(sink.url("/secret-path")), &sink).expect_err(answer)
}

#[test]
fn each_bad_answer_is_told_by_its_meaning() {
    let failure = answered("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\n\r\nslow down");
    assert_eq!(
        (failure.reason, failure.is_permanent, failure.retry_after.map(|span| span.0)),
        (FailureReason::RateLimited, false, Some(17))
    );
    assert_eq!(failure.detail, "127.0.0.1 answered 429 Too Many Requests: slow down");
    let failure = answered("HTTP/1.1 503 Service Unavailable\r\nRetry-After: Thu, 01 Jan 2026 00:02:00 GMT\r\n\r\n");
    assert_eq!((failure.reason, failure.retry_after.map(|span| span.0)), (FailureReason::ServerError, Some(60)));
    let failure = answered("HTTP/1.1 410 Gone\r\n\r\n");
    assert_eq!((failure.reason, failure.is_permanent), (FailureReason::Gone, true));
    for answer in [
        "HTTP/1.1 403 Forbidden\r\nRetry-After: 9\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\n\r\nAPI rate limit exceeded for user",
    ] {
        let failure = answered(answer);
        assert_eq!((failure.reason, failure.is_permanent), (FailureReason::RateLimited, false), "{answer}");
    }
    let failure = answered("HTTP/1.1 403 Forbidden\r\n\r\nforbidden");
    assert_eq!((failure.reason, failure.is_permanent), (FailureReason::AuthError, true));
    let failure = answered("HTTP/1.1 401 Unauthorized\r\n\r\n");
    assert_eq!((failure.reason, failure.is_permanent), (FailureReason::AuthError, true));
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Sink::answering(["HTTP/1.1 200 OK\r\n\r\n"]);
    let failure = answered(&format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {}\r\n\r\n", elsewhere.url("/")));
    assert_eq!((failure.reason, failure.is_permanent), (FailureReason::Redirected, true));
    assert_eq!(elsewhere.n_more(), 0);
}

#[test]
fn what_is_too_large_is_halved_and_tried_once_more() {
    let too_large = "HTTP/1.1 413 Content Too Large\r\n\r\n";
    let sink = Sink::answering([too_large, "HTTP/1.1 200 OK\r\n\r\n"]);
    let many = Notice { key: "k".into(), ..sample::many(8) };
    attempt(&webhook(sink.url("/")), &many, Way::new(&sink.egress(), NOW, DEADLINE)).expect("half is taken");
    let n_told = [sink.request(), sink.request()].map(|request| {
        let json = request.json();
        (
            json["alerts"].as_array().map(Vec::len),
            json["n_left_out"].as_u64(),
            request.header("webhook-id").map(str::to_owned),
        )
    });
    assert_eq!(n_told, [(Some(8), Some(5), Some("k".into())), (Some(4), Some(9), Some("k".into()))]);

    let sink = Sink::answering([too_large, too_large, too_large]);
    let failure =
        attempt(&webhook(sink.url("/")), &many, Way::new(&sink.egress(), NOW, DEADLINE)).expect_err("too large");
    assert_eq!((failure.reason, failure.is_permanent, sink.n_more()), (FailureReason::TooLarge, true, 2));
}

#[test]
fn a_server_that_says_nothing_or_drips_is_left_in_time() {
    let silent = Sink::serving(|listener, _| {
        let held = listener.accept();
        thread::sleep(Duration::from_secs(600));
        drop(held);
    });
    let dripping = Sink::serving(|listener, _| {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"x-drip: 1\r\n").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    for sink in [silent, dripping] {
        let failure =
            told_within(&webhook(sink.url("/")), &sink.egress(), Duration::from_millis(300)).expect_err("too long");
        assert_eq!((failure.reason, failure.is_permanent), (FailureReason::TimedOut, false), "{failure}");
    }
}

#[test]
fn a_broken_connection_or_answer_is_another_attempts_matter() {
    let closing = Sink::serving(|listener, _| drop(listener.accept()));
    let babbling = Sink::serving(|listener, _| {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let _ = sink::read(&mut stream);
        let _ = stream.write_all(b"220 mail.example.org ESMTP\r\n");
    });
    let endless = Sink::serving(|listener, _| {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let _ = sink::read(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    for sink in [closing, babbling, endless] {
        let failure = told(&webhook(sink.url("/")), &sink).expect_err("no answer");
        assert!(!failure.is_permanent && failure.reason == FailureReason::Connection, "{failure:?}");
    }
    let nobody = Sink::serving(|listener, _| drop(listener));
    thread::sleep(Duration::from_millis(50));
    assert_eq!(told(&webhook(nobody.url("/")), &nobody).expect_err("nobody").reason, FailureReason::Connection);
}

#[test]
fn an_answer_without_end_is_read_no_further_than_needed() {
    let sink = Sink::serving(|listener, _| {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let _ = sink::read(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    assert_eq!(told(&webhook(sink.url("/")), &sink).expect("its status is good").answer, "200 OK");
}

#[test]
fn no_address_of_this_machine_is_called_unless_it_is_allowed_however_it_is_written() {
    let sink = Sink::answering(["HTTP/1.1 200 OK\r\n\r\n"]);
    let port = sink.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "0.0.0.0",
        "0",
        "[::]",
        "１２７.0.0.1",
        "169.254.169.254",
    ] {
        let failure =
            told_within(&webhook(format!("http://{host}:{port}/")), &Egress::default(), DEADLINE).expect_err(host);
        assert!(matches!(failure.reason, FailureReason::Refused | FailureReason::UnknownHost), "{host}: {failure:?}");
    }
    assert_eq!(sink.n_more(), 0);
}

#[test]
fn no_secret_is_told_whatever_the_other_side_answers() {
    let dir = tempfile::tempdir().expect("a folder");
    let secret = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("it is written");
        SecretRef::File(path.to_string_lossy().into_owned())
    };
    let token = "s3cr3t-t0k3n-of-somebody";
    let refusing = echo("400 Bad Request", |request| {
        format!("{} {:?} {}", request.line, request.headers, String::from_utf8_lossy(&request.body))
    });
    for channel in with_secret(&refusing, token, &secret) {
        let failure = told(&channel, &refusing).expect_err(channel.kind());
        assert_eq!(failure.reason, FailureReason::ClientError, "{}: {failure}", channel.kind());
        assert!(!format!("{failure:?}").contains(token), "{}: {failure:?}", channel.kind());
        assert!(!crate::preview(&channel, &sample::notice()).contains(token));
    }
    // A service that takes it may say the secret where it names what it made.
    let taking = echo("200 OK", |request| {
        let said = format!("{} {:?}", request.line, request.headers);
        let named = ["id", "event_id", "html_url", "web_url"].map(|name| (name.to_owned(), said.clone().into()));
        match request.line.starts_with("GET ") {
            true => "[]".to_owned(),
            false => serde_json::Value::Object(named.into_iter().collect()).to_string(),
        }
    });
    for channel in with_secret(&taking, token, &secret) {
        let delivered = told(&channel, &taking).unwrap_or_else(|failure| panic!("{}: {failure}", channel.kind()));
        assert!(!format!("{delivered:?}").contains(token), "{}: {delivered:?}", channel.kind());
    }
}

/// Answers each request with what is made of it.
fn echo(status: &'static str, body: impl Fn(&sink::Asked) -> String + Send + 'static) -> Sink {
    Sink::serving(move |listener, _| {
        while let Ok((mut stream, _)) = listener.accept() {
            let Some(request) = sink::read(&mut stream) else { continue };
            let body = body(&request);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    })
}

/// One channel of each kind over HTTP, each with this token wherever it can stand.
fn with_secret(sink: &Sink, token: &str, secret: &impl Fn(&str, &str) -> SecretRef) -> Vec<Channel> {
    let url = secret("url", &sink.url(&format!("/hooks/{token}?key={token}&api-version=2026-01-01")));
    let base = Some(sink.url(""));
    let token_at = secret("token", token);
    let name = String::from("x");
    vec![
        Channel::Webhook(Webhook { name: name.clone(), url: url.to_string(), ..Webhook::default() }),
        Channel::Slack(Slack { name: name.clone(), url: url.clone() }),
        Channel::Teams(Teams { name: name.clone(), url: url.clone() }),
        Channel::Discord(Discord { name: name.clone(), url: url.clone() }),
        Channel::Mattermost(Mattermost { name: name.clone(), url: url.clone() }),
        Channel::Rocketchat(Rocketchat { name: name.clone(), url: url.clone() }),
        Channel::Telegram(Telegram {
            name: name.clone(),
            token: token_at.clone(),
            chat: "1".into(),
            url: base.clone(),
        }),
        Channel::Matrix(Matrix { name: name.clone(), url: sink.url(""), token: token_at.clone(), room: "!r:x".into() }),
        Channel::Ntfy(Ntfy { name: name.clone(), topic: "t".into(), token: Some(token_at.clone()), url: base.clone() }),
        Channel::Pagerduty(Pagerduty { name: name.clone(), key: token_at.clone(), url: base.clone() }),
        Channel::Opsgenie(Opsgenie { name: name.clone(), key: token_at.clone(), url: base.clone() }),
        Channel::JiraServiceManagement(JiraServiceManagement {
            name: name.clone(),
            key: token_at.clone(),
            url: base.clone(),
        }),
        Channel::Github(Github {
            name: name.clone(),
            repository: "o/r".into(),
            token: token_at.clone(),
            url: base.clone(),
            label: None,
        }),
        Channel::Gitlab(Gitlab {
            name: name.clone(),
            project: "o/r".into(),
            token: token_at.clone(),
            url: base,
            label: None,
        }),
        Channel::Alertmanager(Alertmanager {
            name: name.clone(),
            urls: vec![url.to_string()],
            ..Alertmanager::default()
        }),
        Channel::Gitea(Gitea { name, repository: "o/r".into(), token: token_at, url: sink.url("") }),
    ]
}

/// A server that speaks TLS with a certificate of our making.
fn with_certificate(certificate: rcgen::Certificate, key: &rcgen::KeyPair) -> Sink {
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(crate::trust::provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a pair");
    Sink::serving(move |listener, asked| {
        while let Ok((stream, _)) = listener.accept() {
            let connection = rustls::ServerConnection::new(Arc::new(config.clone())).expect("a connection");
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut begin = [0; 4];
            if stream.read_exact(&mut begin).is_ok() {
                let line = String::from_utf8_lossy(&begin).into_owned();
                let _ = asked.send(sink::Asked { line, headers: Vec::new(), body: Vec::new() });
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.conn.send_close_notify();
                let _ = stream.flush();
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
        }
    })
}

#[test]
fn only_a_certificate_that_is_good_for_the_host_is_spoken_to() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
    let dir = tempfile::tempdir().expect("a folder");
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let path = dir.path().join(name);
        std::fs::write(&path, certificate.pem()).expect("it is written");
        (path.to_string_lossy().into_owned(), Issuer::new(params, key))
    };
    let (trusted, issuer) = authority("trusted.pem");
    let (_, stranger) = authority("stranger.pem");
    let egress = || {
        Egress::of(&alignwatch_model::config::Egress {
            allow: vec!["127.0.0.0/8".into(), "::1".into()],
            certificates: vec![trusted.clone()],
        })
    };
    let params = |name: &str| CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let ask = |sink: &Sink| {
        let url = sink.url("/").replace("http://127.0.0.1", "https://localhost");
        told_within(&webhook(url), &egress(), DEADLINE)
    };
    let signed = |params: CertificateParams, issuer: &Issuer<'_, KeyPair>| {
        let key = KeyPair::generate().expect("a key");
        with_certificate(params.signed_by(&key, issuer).expect("a certificate"), &key)
    };

    let good = signed(params("localhost"), &issuer);
    assert_eq!(ask(&good).expect("a good certificate").answer, "200 OK");
    assert_eq!(good.request().line, "POST");

    let mut expired = params("localhost");
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let mut future = params("localhost");
    (future.not_before, future.not_after) = (date_time_ymd(2090, 1, 1), date_time_ymd(2091, 1, 1));
    let own = KeyPair::generate().expect("a key");
    let bad = [
        ("expired", signed(expired, &issuer)),
        ("not yet valid", signed(future, &issuer)),
        ("of another host", signed(params("other.example"), &issuer)),
        ("of a stranger", signed(params("localhost"), &stranger)),
        ("of its own", with_certificate(params("localhost").self_signed(&own).expect("a certificate"), &own)),
    ];
    for (what, sink) in bad {
        let failure = ask(&sink).expect_err(what);
        assert_eq!(failure.reason, FailureReason::Tls, "{what}: {failure}");
        assert_eq!(sink.n_more(), 0, "{what}");
    }
    let clear = Sink::answering(["HTTP/1.1 200 OK\r\n\r\n"]);
    ask(&clear).expect_err("no TLS at all");
    assert_eq!(clear.n_more(), 0);
}
