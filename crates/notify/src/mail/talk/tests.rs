//! Conversations with mail servers of our own, some of them bad.

use std::io::{BufRead, BufReader, Write};

use alignwatch_model::{
    Timestamp,
    config::{Channel, SecretRef, channels::Mail},
    notice::Notice,
};

use super::*;
use crate::{
    Egress, Tell, Way,
    mail::tests::channel,
    sample,
    sink::{Asked, Sink},
};

const NOW: Timestamp = Timestamp(1_767_225_660);

/// A mail server that answers each line by its first word, and hands on all that it was told.
fn server(answer: impl Fn(&str) -> &'static str + Send + 'static) -> Sink {
    Sink::serving(move |listener, asked| {
        while let Ok((stream, _)) = listener.accept() {
            let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
            let mut told = String::new();
            let mut is_data = false;
            let _ = (&stream).write_all(b"220 sink ESMTP\r\n");
            while let Some(Ok(line)) = lines.next() {
                told.push_str(&line);
                told.push('\n');
                is_data = is_data && line != ".";
                let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
                if !is_data {
                    let answer = answer(&word);
                    is_data = answer.starts_with("354");
                    let _ = (&stream).write_all(answer.as_bytes());
                }
            }
            let _ = asked.send(Asked { line: String::new(), headers: Vec::new(), body: told.into_bytes() });
        }
    })
}

fn usual(word: &str) -> &'static str {
    match word {
        "EHLO" => "250-sink\r\n250 8BITMIME\r\n",
        "DATA" => "354 go on\r\n",
        "QUIT" => "221 bye\r\n",
        "." => "250 2.0.0 queued as 4711\r\n",
        _ => "250 2.1.0 ok\r\n",
    }
}

fn told(sink: &Sink, notice: &Notice) -> Result<Delivered, Failure> {
    crate::deliver(&Channel::Mail(channel(sink.port())), notice, &sink.egress(), NOW)
}

#[test]
fn a_mail_arrives_with_what_the_server_said() {
    let sink = server(usual);
    assert_eq!(told(&sink, &sample::notice()).expect("it is taken").answer, "250 2.0.0 queued as 4711");
    let told = String::from_utf8(sink.request().body).expect("text");
    for line in ["MAIL FROM:<watch@example.org>", "RCPT TO:<team@example.org>", "RCPT TO:<boss@example.org>", "QUIT"] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
}

#[test]
fn what_the_server_refuses_is_told_by_its_code() {
    let refusing = |word: &'static str, answer: &'static str| {
        let sink = server(move |told| if told == word { answer } else { usual(told) });
        told(&sink, &sample::notice()).expect_err(answer)
    };
    let failure = refusing("RCPT", "550 5.1.1 no such user\r\n");
    assert_eq!((failure.reason, failure.is_permanent), (FailureReason::ClientError, true));
    assert!(failure.detail.starts_with("127.0.0.1 answered 550: "), "{failure}");
    let failure = refusing("MAIL", "451 4.7.1 greylisted, come again\r\n");
    assert_eq!((failure.reason, failure.is_permanent), (FailureReason::ServerError, false));
    assert_eq!(refusing(".", "552 5.3.4 too big\r\n").reason, FailureReason::TooLarge);
    assert_eq!(refusing("MAIL", "530 5.7.0 log in first\r\n").reason, FailureReason::AuthError);
    // Another code than the one that is due belongs to another question.
    let failure = refusing("DATA", "250 2.0.0 ok\r\n");
    assert_eq!(failure.detail, "127.0.0.1 answered 250 where SMTP wants 354");
}

#[test]
fn who_takes_the_mail_gets_it_though_another_one_is_refused() {
    let sink = Sink::serving(|listener, asked| {
        let Ok((stream, _)) = listener.accept() else { return };
        let mut told = String::new();
        let mut is_data = false;
        let _ = (&stream).write_all(b"220 sink ESMTP\r\n");
        for line in BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok) {
            told.push_str(&(line.clone() + "\n"));
            is_data = is_data && line != ".";
            let answer = match line.split([' ', ':']).next().unwrap_or_default() {
                _ if is_data => "",
                "RCPT" if line.contains("team@") => "550 5.1.1 no such user\r\n",
                word => usual(word),
            };
            is_data = is_data || answer.starts_with("354");
            let _ = (&stream).write_all(answer.as_bytes());
        }
        let _ = asked.send(Asked { line: String::new(), headers: Vec::new(), body: told.into_bytes() });
    });
    let answer = told(&sink, &sample::notice()).expect("one takes it").answer;
    assert!(
        answer.starts_with("250 2.0.0 queued as 4711; refused: team@example.org (127.0.0.1 answered 550"),
        "{answer}"
    );
    assert!(String::from_utf8_lossy(&sink.request().body).contains("Subject: "));
}

#[test]
fn what_a_server_says_to_a_login_is_not_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("password");
    std::fs::write(&path, "hunter2").expect("it is written");
    let login = |answer: &'static str| {
        let sink = server(move |word| match word {
            "EHLO" => "250-sink\r\n250 AUTH PLAIN\r\n",
            "AUTH" => answer,
            word => usual(word),
        });
        let password = Some(SecretRef::File(path.to_string_lossy().into_owned()));
        let mail = Mail { password, ..channel(sink.port()) };
        crate::deliver(&Channel::Mail(mail), &sample::notice(), &sink.egress(), NOW).expect_err(answer)
    };
    let failure = login("535 5.7.8 not AUTH PLAIN hunter2\r\n");
    assert_eq!(
        (failure.reason, failure.detail.as_str()),
        (FailureReason::AuthError, "127.0.0.1 answered 535 to the login")
    );
    assert_eq!(login("250 welcome\r\n").detail, "127.0.0.1 answered 250 where SMTP wants 235");
}

/// A server whose answer to STARTTLS has this behind it, still in the clear.
fn smuggling(behind: &'static str) -> (tempfile::TempDir, Sink, Egress) {
    let dir = tempfile::tempdir().expect("a folder");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = certificate.self_signed(&key).expect("a certificate");
    let path = dir.path().join("certificate.pem");
    std::fs::write(&path, certificate.pem()).expect("it is written");
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(trust::provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a pair");
    let sink = Sink::serving(move |listener, asked| {
        let Ok((stream, _)) = listener.accept() else { return };
        let mut clear = BufReader::new(stream.try_clone().expect("a socket"));
        let _ = (&stream).write_all(b"220 sink ESMTP\r\n");
        for answer in ["250-sink\r\n250 STARTTLS\r\n".to_owned(), format!("220 go on\r\n{behind}")] {
            let _ = clear.read_line(&mut String::new());
            let _ = (&stream).write_all(answer.as_bytes());
        }
        let connection = rustls::ServerConnection::new(Arc::new(config)).expect("a connection");
        let mut private = BufReader::new(rustls::StreamOwned::new(connection, stream));
        let (mut line, mut is_data, mut told) = (String::new(), false, Vec::new());
        while private.read_line(&mut line).is_ok_and(|n| 0 < n) {
            told.extend_from_slice(line.as_bytes());
            is_data = is_data && line != ".\r\n";
            let answer = if is_data { "" } else { usual(line.split([' ', ':', '\r']).next().unwrap_or_default()) };
            is_data = is_data || answer.starts_with("354");
            let _ = private.get_mut().write_all(answer.as_bytes());
            line.clear();
        }
        let _ = asked.send(Asked { line: String::new(), headers: Vec::new(), body: told });
    });
    let egress = Egress::of(&alignwatch_model::config::Egress {
        allow: vec!["127.0.0.1".into(), "::1".into()],
        certificates: vec![path.to_string_lossy().into_owned()],
    });
    (dir, sink, egress)
}

#[test]
fn nothing_that_was_said_in_the_clear_counts_on_a_private_line() {
    let attempt = |behind| {
        let (_dir, sink, egress) = smuggling(behind);
        let mail = Mail { server: "localhost".into(), tls: MailTls::Starttls, ..channel(sink.port()) };
        let outcome = crate::deliver(&Channel::Mail(mail), &sample::notice(), &egress, NOW);
        (outcome, String::from_utf8_lossy(&sink.request().body).into_owned())
    };
    let (outcome, told) = attempt("");
    assert_eq!(outcome.expect("nothing is smuggled").answer, "250 2.0.0 queued as 4711");
    assert!(told.contains("Subject: "), "{told}");

    let whole = "250 sink\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 queued\r\n";
    let (outcome, told) = attempt(whole);
    assert_eq!(outcome.expect_err("all is smuggled").reason, FailureReason::Tls);
    assert!(!told.contains("MAIL"), "{told}");

    let (outcome, told) = attempt("250 sink\r\n");
    outcome.expect_err("each answer is one too early");
    assert!(!told.contains("Subject: "), "{told}");
}

#[test]
fn nothing_is_said_in_the_clear_unless_that_is_configured() {
    let sink = server(usual);
    let mail = Mail { tls: MailTls::Starttls, ..channel(sink.port()) };
    let failure = crate::deliver(&Channel::Mail(mail), &sample::notice(), &sink.egress(), NOW).expect_err("no TLS");
    assert_eq!((failure.reason, failure.is_permanent), (FailureReason::Tls, true), "{failure}");
    assert!(!String::from_utf8_lossy(&sink.request().body).contains("MAIL FROM"));
}

#[test]
fn a_server_of_a_private_network_is_refused_unless_it_is_allowed() {
    let failure = crate::deliver(&Channel::Mail(channel(25)), &sample::notice(), &Egress::default(), NOW);
    assert_eq!(failure.expect_err("refused").reason, FailureReason::Refused);
}

#[test]
fn a_server_that_drips_is_left_in_time_and_only_so_many_are_left_behind() {
    let dripping = Sink::serving(|listener, _| {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || {
                while (&stream).write_all(b"2").is_ok() {
                    thread::sleep(Duration::from_millis(100));
                }
            });
        }
    });
    let egress = dripping.egress();
    let attempt = || {
        let way = Way::new(&egress, NOW, Duration::from_millis(50));
        channel(dripping.port()).tell(&sample::notice(), way).expect_err("too long").detail
    };
    let told: Vec<String> = (0..=ABANDONED_AT_MOST).map(|_| attempt()).collect();
    assert!(told[0].contains("took too long"), "{told:?}");
    assert!(told[ABANDONED_AT_MOST].contains("is not done with earlier mails"), "{told:?}");
}
