//! Sends a notice as a mail: text and HTML, all mails of a group in one thread.
//!
//! The server's name is looked up by us, and the connection goes to the checked address; its certificate has
//! to be good for the name. Nothing is sent in the clear unless that is configured.
//!
//! Known gap: lettre reads a line of the server before it measures it, so that a server which sends one without end
//! as fast as it can takes memory until the attempt is over. It is a server that the configuration trusts with mail.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use alignwatch_model::{
    Timestamp,
    config::{
        SecretRef,
        channels::{Mail, MailTls},
    },
    escape,
    notice::{Delivered, Failure, FailureReason, Notice},
};
use lettre::{
    Address, Message,
    address::Envelope,
    message::{Mailbox, MultiPart, header},
    transport::smtp::{
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{Certificate, CertificateStore, SmtpConnection, TlsParameters},
        commands::{Data, Mail as MailFrom, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
        response::Response,
    },
};

use crate::{
    Tell, Way,
    failure::{broken, failed},
    hash,
    limits::{self, Limit, Unit},
    secret,
    text::{self, Markup, PLAIN},
    trust,
};

/// How long the server may be silent at once.
const SILENT_AT_MOST: Duration = Duration::from_secs(15);

/// How long it has to be silent before it is asked over a private line.
const SILENT_AT_LEAST: Duration = Duration::from_millis(1);

/// What is told of an answer, in characters.
const TOLD_AT_MOST: usize = 200;

/// Conversations that may go on behind our back, since their server drips. Source: ours.
const ABANDONED_AT_MOST: usize = 8;

/// A mail is long enough for a person; this is what bounds a hostile one.
const BODY: Limit = Limit { channel: "mail", of: "body", at_most: 200_000, unit: Unit::Bytes, source: "ours" };

/// HTML as mail programs show it. All foreign text goes through `xml`.
const HTML: Markup = Markup {
    text: escape::xml,
    bold: |text| format!("<b>{}</b>", escape::xml(text)),
    code: |text| format!("<code>{}</code>", escape::xml(text)),
    link: |url, words| format!("<a href=\"{}\">{}</a>", escape::xml(url), escape::xml(words)),
    line: "<br>\r\n",
    paragraph: "</p>\r\n<p>",
};

impl Tell for Mail {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        let message = message(self, notice, way.now)?;
        let login = self.password.as_ref().map(|password| secret::read(password, way)).transpose()?;
        let login = login.map(|password| login_of(self, password));
        let addresses = way.egress.addresses(&self.server, self.port(), way.left())?;
        let tls = if self.tls == MailTls::None { None } else { Some(tls(&self.server, &way.egress.certificates)?) };
        let talk = Talk { server: self.server.clone(), addresses, kind: self.tls, tls, login, hello: hello() };
        within(way.left(), format!("{}:{}", self.server, self.port()), move || talk.send(&message))
    }

    fn draft(&self, notice: &Notice) -> String {
        let head = format!(
            "From: {}\nTo: {}\nSubject: {}\n\n",
            self.from,
            self.to.join(", "),
            text::title(notice, limits::MAIL_SUBJECT)
        );
        head + &text::body(notice, &PLAIN, BODY, limits::MAIL_ALERTS.at_most)
    }

    fn secrets(&self) -> Vec<SecretRef> {
        self.password.iter().cloned().collect()
    }
}

fn login_of(mail: &Mail, password: String) -> Credentials {
    let address = mail.from.parse::<Mailbox>().map(|mailbox| mailbox.email.to_string());
    Credentials::new(mail.user.clone().or(address.ok()).unwrap_or_default(), password)
}

/// The mail. Errors: an address that a checked configuration can't have.
fn message(mail: &Mail, notice: &Notice, now: Timestamp) -> Result<Message, Failure> {
    let mailbox = |text: &str| {
        text.parse::<Mailbox>()
            .map_err(|error| broken(FailureReason::Configuration, format!("`{text}` is no mail address: {error}")))
    };
    let from = mailbox(&mail.from)?;
    let thread = format!("<{}.group@{}>", hash(&notice.group_key), from.email.domain());
    let own = format!("<{}.notice@{}>", hash(&notice.key), from.email.domain());
    let date = std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.0).unwrap_or_default());
    let mut builder = Message::builder()
        .from(from)
        .subject(text::title(notice, limits::MAIL_SUBJECT))
        .date(date)
        .message_id(Some(own))
        .in_reply_to(thread.clone())
        .references(thread)
        .header(AutoSubmitted);
    for to in &mail.to {
        builder = builder.to(mailbox(to)?);
    }
    let n = limits::MAIL_ALERTS.at_most;
    let plain = text::body(notice, &PLAIN, BODY, n).replace('\n', "\r\n");
    let html =
        format!("<!DOCTYPE html>\r\n<html><body><p>{}</p></body></html>\r\n", text::body(notice, &HTML, BODY, n));
    let both = MultiPart::alternative_plain_html(plain, html);
    builder
        .multipart(both)
        .map_err(|error| broken(FailureReason::Configuration, format!("the mail cannot be written: {error}")))
}

/// Says that no person wrote it, so that nobody's absence answers. Source: RFC 3834.
#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn tls(server: &str, certificates: &[String]) -> Result<TlsParameters, Failure> {
    // lettre takes the provider of the process.
    let _ = trust::provider();
    let mut builder = TlsParameters::builder(server.to_owned()).certificate_store(CertificateStore::None);
    for root in trust::roots(certificates)? {
        // An authority that cannot be parsed vouches for nobody.
        if let Ok(root) = Certificate::from_der(root.to_vec()) {
            builder = builder.add_root_certificate(root);
        }
    }
    builder.build().map_err(|error| failed(FailureReason::Tls, format!("no private line to {server}: {error}")))
}

/// The name by which we greet: this machine's, when it is one of the whole network.
fn hello() -> ClientId {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.contains('.') { ClientId::Domain(name) } else { ClientId::default() }
}

/// One conversation with a server.
struct Talk {
    server: String,
    addresses: Vec<SocketAddr>,
    kind: MailTls,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    hello: ClientId,
}

impl Talk {
    fn send(&self, message: &Message) -> Result<Delivered, Failure> {
        let mut connection = self.connected().map_err(|error| failure_of(&error, &self.server))?;
        let outcome = self.talk(&mut connection, message);
        match outcome {
            // It has the mail; how it says good-bye changes nothing.
            Ok(_) => drop(connection.quit()),
            Err(_) => connection.abort(),
        }
        outcome
    }

    fn talk(&self, connection: &mut SmtpConnection, message: &Message) -> Result<Delivered, Failure> {
        self.make_private(connection)?;
        self.log_in(connection)?;
        let text = message.formatted();
        let refused = self.announce(connection, message.envelope(), text.is_ascii())?;
        let go = connection.command(Data).map_err(|error| failure_of(&error, &self.server))?;
        self.demand(&go, 354)?;
        let answer = connection.message(&text).map_err(|error| failure_of(&error, &self.server))?;
        let said = text::cut(&escape::terminal(answer.first_line().unwrap_or_default()), TOLD_AT_MOST);
        let refused = if refused.is_empty() { String::new() } else { format!("; refused: {}", refused.join(", ")) };
        Ok(Delivered { answer: format!("{} {said}{refused}", answer.code()), reference: None })
    }

    /// Begins to speak TLS where that is configured. Afterwards nothing is there yet that the server may have said before.
    ///
    /// lettre keeps what it read already, so that somebody in between could put answers behind `220 go on` in the clear.
    fn make_private(&self, connection: &mut SmtpConnection) -> Result<(), Failure> {
        let (MailTls::Starttls, Some(tls)) = (self.kind, &self.tls) else { return Ok(()) };
        if !connection.can_starttls() {
            let detail = format!(
                "{} offers no private line (STARTTLS); write `tls: implicit`, or `tls: none` for one in the clear",
                self.server
            );
            return Err(broken(FailureReason::Tls, detail));
        }
        connection.starttls(tls, &self.hello).map_err(|error| failure_of(&error, &self.server))?;
        let wait = |patience| {
            let set =
                |error| failed(FailureReason::LocalError, format!("no time can be set for {}: {error}", self.server));
            move |connection: &mut SmtpConnection| connection.set_timeout(Some(patience)).map_err(set)
        };
        wait(SILENT_AT_LEAST)(connection)?;
        let heard = connection.read_response();
        wait(SILENT_AT_MOST)(connection)?;
        match heard {
            Err(error) if error.is_timeout() || was_silent(&error) => Ok(()),
            _ => Err(failed(
                FailureReason::Tls,
                format!("{} said more than it was asked, before the private line", self.server),
            )),
        }
    }

    fn log_in(&self, connection: &mut SmtpConnection) -> Result<(), Failure> {
        let Some(login) = &self.login else { return Ok(()) };
        let answer = connection.auth(DEFAULT_MECHANISMS, login).map_err(|error| {
            let failure = failure_of(&error, &self.server);
            // A server may repeat what it was sent, and that was the password.
            let code = error.status().map(u16::from);
            code.map_or(failure.clone(), |code| Failure {
                detail: format!("{} answered {code} to the login", self.server),
                ..failure
            })
        })?;
        self.demand(&answer, 235)
    }

    /// Says from whom and to whom. Gives the recipients that are refused; one at least is not.
    fn announce(
        &self,
        connection: &mut SmtpConnection,
        envelope: &Envelope,
        is_ascii: bool,
    ) -> Result<Vec<String>, Failure> {
        let failure = |error| failure_of(&error, &self.server);
        let parameters = self.parameters(connection, envelope, is_ascii)?;
        connection.command(MailFrom::new(envelope.from().cloned(), parameters)).map_err(failure)?;
        let mut refused = Vec::new();
        for to in envelope.to() {
            match connection.command(Rcpt::new(to.clone(), Vec::new())).map_err(failure) {
                Ok(_) => {}
                // Without an answer there is nobody to go on with.
                Err(why) if matches!(why.reason, FailureReason::TimedOut | FailureReason::Connection) => {
                    return Err(why);
                }
                Err(why) => refused.push((to, why)),
            }
        }
        if refused.len() == envelope.to().len() {
            // One that is refused for now may be taken later.
            let later = refused.iter().position(|(_, why)| !why.is_permanent).unwrap_or(0);
            let nobody = broken(FailureReason::Configuration, "it has no recipient");
            return Err(refused.into_iter().nth(later).map_or(nobody, |(_, why)| why));
        }
        Ok(refused.iter().map(|(to, why)| format!("{to} ({why})", why = why.detail)).collect())
    }

    /// What the server has to understand. Source: RFC 6531 and RFC 6152.
    fn parameters(
        &self,
        connection: &SmtpConnection,
        envelope: &Envelope,
        is_ascii: bool,
    ) -> Result<Vec<MailParameter>, Failure> {
        let mut parameters = Vec::new();
        let mut need = |extension, parameter, what: &str| match connection.server_info().supports_feature(extension) {
            true => {
                parameters.push(parameter);
                Ok(())
            }
            false => Err(broken(FailureReason::ClientError, format!("{} takes no {what}", self.server))),
        };
        let has_other_letters = |address: &Address| !AsRef::<str>::as_ref(address).is_ascii();
        if envelope.from().into_iter().chain(envelope.to()).any(has_other_letters) {
            need(Extension::SmtpUtfEight, MailParameter::SmtpUtfEight, "address with other letters than ASCII")?;
        }
        if !is_ascii {
            let body = MailParameter::Body(MailBodyParameter::EightBitMime);
            need(Extension::EightBitMime, body, "text with other letters than ASCII")?;
        }
        Ok(parameters)
    }

    /// Any other answer belongs to another question.
    fn demand(&self, answer: &Response, code: u16) -> Result<(), Failure> {
        if answer.has_code(code) {
            return Ok(());
        }
        let detail = format!("{} answered {} where SMTP wants {code}", self.server, answer.code());
        Err(failed(FailureReason::ServerError, detail))
    }

    fn connected(&self) -> Result<SmtpConnection, lettre::transport::smtp::Error> {
        let tls = self.tls.as_ref().filter(|_| self.kind == MailTls::Implicit);
        SmtpConnection::connect(&self.addresses[..], Some(SILENT_AT_MOST), &self.hello, tls, None)
    }
}

fn failure_of(error: &lettre::transport::smtp::Error, server: &str) -> Failure {
    let source = std::error::Error::source(error).map(ToString::to_string);
    let said = source.unwrap_or_else(|| error.to_string());
    let said = text::cut(&escape::terminal(&said), TOLD_AT_MOST);
    let code = error.status().map(u16::from);
    let detail = match code {
        Some(code) => format!("{server} answered {code}: {said}"),
        None => format!("no mail to {server}: {said}"),
    };
    let reason = match code {
        // Source: RFC 5321 4.2.3, RFC 4954 6, RFC 1870 6.
        Some(530 | 534 | 535 | 538) => FailureReason::AuthError,
        Some(552) => FailureReason::TooLarge,
        Some(421 | 450 | 451 | 452 | 454) => FailureReason::ServerError,
        Some(code) if code < 500 => FailureReason::ServerError,
        Some(_) => FailureReason::ClientError,
        None if error.is_timeout() || was_silent(error) => FailureReason::TimedOut,
        None if error.is_tls() || said.contains("certificate") => FailureReason::Tls,
        None if error.is_client() => FailureReason::ClientError,
        None => FailureReason::Connection,
    };
    Failure { reason, detail, is_permanent: crate::failure::is_permanent(reason), retry_after: None }
}

/// A socket that was silent for too long says that it would have to wait longer.
fn was_silent(error: &lettre::transport::smtp::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|source| source.kind() == std::io::ErrorKind::WouldBlock)
}

/// Conversations that were left behind and are not over, by their server.
static ABANDONED: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// Does something on a thread of its own and waits so long at most.
///
/// lettre bounds each silence and not the whole, so that a server that drips is left behind. Only so many may be.
fn within(
    patience: Duration,
    server: String,
    act: impl FnOnce() -> Result<Delivered, Failure> + Send + 'static,
) -> Result<Delivered, Failure> {
    if n_abandoned(&server, 0) >= ABANDONED_AT_MOST {
        return Err(failed(FailureReason::TimedOut, format!("{server} is not done with earlier mails yet")));
    }
    let (done, outcome) = mpsc::channel();
    // Whoever comes second to it, the one that waits or the one that talks, finds it set.
    let is_left = Arc::new(AtomicBool::new(false));
    let (mark, of) = (Arc::clone(&is_left), server.clone());
    let started = thread::Builder::new().name("send a mail".to_owned()).spawn(move || {
        let _ = done.send(act());
        if mark.swap(true, Ordering::SeqCst) {
            n_abandoned(&of, -1);
        }
    });
    if started.is_err() {
        return Err(failed(FailureReason::LocalError, "no thread could be started to send a mail"));
    }
    outcome.recv_timeout(patience).unwrap_or_else(|_| {
        n_abandoned(&server, 1);
        if is_left.swap(true, Ordering::SeqCst) {
            n_abandoned(&server, -1);
        }
        Err(failed(FailureReason::TimedOut, format!("{server} took too long to take the mail")))
    })
}

/// How many were left behind at this server, after so many more.
fn n_abandoned(server: &str, more: isize) -> usize {
    // What it counts is right even when somebody panicked beside it.
    let mut all = ABANDONED.lock().unwrap_or_else(PoisonError::into_inner);
    let n = all.get(server).copied().unwrap_or_default().saturating_add_signed(more);
    match n {
        0 => drop(all.remove(server)),
        n => drop(all.insert(server.to_owned(), n)),
    }
    n
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};

    use alignwatch_model::config::Channel;
    use insta::assert_snapshot;

    use super::*;
    use crate::{
        Egress, sample,
        sink::{Asked, Sink},
    };

    const NOW: Timestamp = Timestamp(1_767_225_660);

    fn channel(port: u16) -> Mail {
        Mail {
            name: "m".into(),
            server: "127.0.0.1".into(),
            port: Some(port.into()),
            tls: MailTls::None,
            from: "Watch <watch@example.org>".into(),
            to: vec!["team@example.org".into(), "boss@example.org".into()],
            ..Mail::default()
        }
    }

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
    fn a_mail_has_text_and_html_and_a_thread() {
        let message = message(&channel(25), &sample::notice(), NOW).expect("a mail");
        let text = String::from_utf8(message.formatted()).expect("text").replace("\r\n", "\n");
        let boundary =
            text.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a boundary").to_owned();
        assert_snapshot!(text.replace(&boundary, "BOUNDARY"), @r#"
        From: Watch <watch@example.org>
        Subject: [ERROR] feature/0 is 240 commits behind main (limit 200) (a.git)
        Date: Thu, 01 Jan 2026 00:01:00 +0000
        Message-ID: <51aeea8ffa05d2620d35c87463465885.notice@example.org>
        In-Reply-To: <c307d67c5b4353c1244b3aa6aaffdb62.group@example.org>
        References: <c307d67c5b4353c1244b3aa6aaffdb62.group@example.org>
        Auto-Submitted: auto-generated
        To: team@example.org, boss@example.org
        MIME-Version: 1.0
        Content-Type: multipart/alternative;
         boundary="BOUNDARY"

        --BOUNDARY
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        ERROR feature/0 is 240 commits behind main (limit 200)
        refs/heads/feature/0 in a.git
        since 2026-01-01 00:00 UTC, alert a0
        The longer it waits, the more will collide.
        Merge the base into it.
        git merge-base main feature/0
        what to do: https://docs.example.org/far-behind

        see all: https://watch.example.org/alerts
        --BOUNDARY
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        <!DOCTYPE html>
        <html><body><p><b>ERROR</b> feature/0 is 240 commits behind main (limit 200=
        )<br>
        <code>refs/heads/feature/0</code> in <code>a.git</code><br>
        since 2026-01-01 00:00 UTC, alert a0<br>
        The longer it waits, the more will collide.<br>
        Merge the base into it.<br>
        <code>git merge-base main feature/0</code><br>
        <a href=3D"https://docs.example.org/far-behind">what to do</a></p>
        <p><a href=3D"https://watch.example.org/alerts">see all</a></p></body></htm=
        l>

        --BOUNDARY--
        "#);
    }

    #[test]
    fn a_group_is_one_thread_and_each_notice_a_mail_of_its_own() {
        let header = |notice: &Notice, name: &str| {
            let text =
                String::from_utf8(message(&channel(25), notice, NOW).expect("a mail").formatted()).expect("text");
            text.lines().find(|line| line.starts_with(name)).expect(name).to_owned()
        };
        let (first, last) = (sample::notice(), sample::over());
        assert_eq!(header(&first, "References: "), header(&last, "References: "));
        assert_ne!(header(&first, "Message-ID: "), header(&last, "Message-ID: "));
    }

    #[test]
    fn a_mail_arrives_with_what_the_server_said() {
        let sink = server(usual);
        assert_eq!(told(&sink, &sample::notice()).expect("it is taken").answer, "250 2.0.0 queued as 4711");
        let told = String::from_utf8(sink.request().body).expect("text");
        for line in
            ["MAIL FROM:<watch@example.org>", "RCPT TO:<team@example.org>", "RCPT TO:<boss@example.org>", "QUIT"]
        {
            assert!(told.lines().any(|told| told == line), "{line}: {told}");
        }
    }

    #[test]
    fn no_foreign_text_adds_a_header_a_command_or_a_tag() {
        let plain = String::from_utf8(message(&channel(25), &sample::notice(), NOW).expect("a mail").formatted())
            .expect("text");
        let names = |text: &str| {
            let head = text.split("\r\n\r\n").next().unwrap_or_default().to_owned();
            let own = |line: &&str| !line.starts_with([' ', '\t']);
            head.split("\r\n")
                .filter(own)
                .map(|line| line.split(':').next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        for name in sample::NAUGHTY {
            let message = message(&channel(25), &sample::hostile(name), NOW).expect("a mail");
            let text = String::from_utf8(message.formatted()).expect("text");
            assert_eq!(names(&text), names(&plain), "{text}");
            assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])), "{text}");
            let html = text::body(&sample::hostile(name), &HTML, BODY, 9);
            assert_eq!(html.matches('<').count(), html.matches('>').count());
            assert!(
                !html.contains("<svg") && !html.contains("<script") && !html.contains("<a href=\"javascript"),
                "{html}"
            );
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
}
