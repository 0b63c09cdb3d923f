//! The conversation with a mail server.
//!
//! The server's name was looked up by us, and the connection goes to the checked address; its certificate has
//! to be good for the name. Nothing is sent in the clear unless that is configured, and nothing that was said in the clear
//! counts on a private line.
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
    config::channels::MailTls,
    escape,
    notice::{Delivered, Failure, FailureReason},
};
use lettre::{
    Address, Message,
    address::Envelope,
    transport::smtp::{
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{Certificate, CertificateStore, SmtpConnection, TlsParameters},
        commands::{Data, Mail as MailFrom, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
        response::Response,
    },
};

use crate::{
    failure::{broken, failed},
    text, trust,
};

/// How long the server may be silent at once.
const SILENT_AT_MOST: Duration = Duration::from_secs(15);

/// How long it has to be silent before it is asked over a private line.
const SILENT_AT_LEAST: Duration = Duration::from_millis(1);

/// What is told of an answer, in characters.
const TOLD_AT_MOST: usize = 200;

/// Conversations that may go on behind our back, since their server drips. Source: ours.
const ABANDONED_AT_MOST: usize = 8;

/// One conversation with a server.
pub(super) struct Talk {
    server: String,
    addresses: Vec<SocketAddr>,
    kind: MailTls,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    hello: ClientId,
}

impl Talk {
    pub(super) fn with(
        server: &str,
        addresses: Vec<SocketAddr>,
        kind: MailTls,
        login: Option<Credentials>,
        certificates: &[String],
    ) -> Result<Talk, Failure> {
        let tls = if kind == MailTls::None { None } else { Some(tls(server, certificates)?) };
        Ok(Talk { server: server.to_owned(), addresses, kind, tls, login, hello: hello() })
    }

    /// Sends a mail, and waits so long at most; `server` is its name and port.
    pub(super) fn within(self, patience: Duration, server: String, message: Message) -> Result<Delivered, Failure> {
        within(patience, server, move || self.send(&message))
    }

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
mod tests;
