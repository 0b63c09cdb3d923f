//! Sends a notice as a mail: text and HTML, all mails of a group in one thread.
//!
//! How it is brought to the server is in [`talk`].

mod talk;

use std::time::Duration;

use alignwatch_model::{
    Timestamp,
    config::{SecretRef, channels::Mail},
    escape,
    notice::{Delivered, Failure, FailureReason, Notice},
};
use lettre::{
    Message,
    message::{Mailbox, MultiPart, header},
    transport::smtp::authentication::Credentials,
};

use self::talk::Talk;
use crate::{
    Tell, Way,
    failure::broken,
    hash,
    limits::{self, Limit, Unit},
    secret,
    text::{self, Markup, PLAIN},
};

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
        let talk = Talk::with(&self.server, addresses, self.tls, login, &way.egress.certificates)?;
        talk.within(way.left(), format!("{}:{}", self.server, self.port()), message)
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

#[cfg(test)]
mod tests {
    use alignwatch_model::config::channels::MailTls;
    use insta::assert_snapshot;

    use super::*;
    use crate::sample;

    const NOW: Timestamp = Timestamp(1_767_225_660);

    pub(super) fn channel(port: u16) -> Mail {
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
}
