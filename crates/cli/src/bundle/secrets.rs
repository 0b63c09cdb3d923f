//! Finds what must never leave: tokens, keys, passwords, credentials in URLs, addresses of mail.
//!
//! By form alone: whatever it is in, and whoever made it. What has no form, such as
//! a plain password in an odd place, is for the other nets: known values and our own vocabulary.

use std::ops::Range;

/// Something that must not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where in the text.
    pub at: Range<usize>,
    /// What it looks like.
    pub kind: &'static str,
}

/// A token that can be told by how it begins.
struct Form {
    kind: &'static str,
    begins: &'static str,
    /// Characters behind the beginning, at least.
    at_least: usize,
}

const fn form(kind: &'static str, begins: &'static str, at_least: usize) -> Form {
    Form { kind, begins, at_least }
}

/// Beginnings of tokens. Source: the documents of each service; token formats of gitleaks' rules, in short.
const FORMS: &[Form] = &[
    form("AWS key id", "AKIA", 16),
    form("AWS key id", "ASIA", 16),
    form("AWS key id", "ABIA", 16),
    form("AWS key id", "ACCA", 16),
    form("GitHub token", "ghp_", 20),
    form("GitHub token", "gho_", 20),
    form("GitHub token", "ghu_", 20),
    form("GitHub token", "ghs_", 20),
    form("GitHub token", "ghr_", 20),
    form("GitHub token", "github_pat_", 20),
    form("GitLab token", "glpat-", 16),
    form("GitLab token", "gldt-", 16),
    form("GitLab token", "glrt-", 16),
    form("GitLab token", "glptt-", 16),
    form("GitLab token", "glcbt-", 16),
    form("GitLab token", "glsoat-", 16),
    form("Slack token", "xoxa-", 10),
    form("Slack token", "xoxb-", 10),
    form("Slack token", "xoxc-", 10),
    form("Slack token", "xoxe-", 10),
    form("Slack token", "xoxe.", 10),
    form("Slack token", "xoxp-", 10),
    form("Slack token", "xoxr-", 10),
    form("Slack token", "xoxs-", 10),
    form("Slack token", "xapp-", 10),
    form("Slack webhook", "hooks.slack.com/services/", 10),
    form("Discord webhook", "discord.com/api/webhooks/", 10),
    form("Teams webhook", "webhook.office.com/webhookb2/", 10),
    form("JSON Web Token", "eyJ", 16),
    form("Stripe key", "sk_live_", 10),
    form("Stripe key", "sk_test_", 10),
    form("Stripe key", "rk_live_", 10),
    form("Stripe key", "rk_test_", 10),
    form("webhook secret", "whsec_", 10),
    form("API key", "sk-", 20),
    form("Google key", "AIza", 30),
    form("Google token", "ya29.", 16),
    form("Google secret", "GOCSPX-", 16),
    form("npm token", "npm_", 20),
    form("PyPI token", "pypi-", 16),
    form("crates.io token", "cio", 30),
    form("RubyGems token", "rubygems_", 20),
    form("Hugging Face token", "hf_", 20),
    form("DigitalOcean token", "dop_v1_", 20),
    form("DigitalOcean token", "doo_v1_", 20),
    form("SendGrid key", "SG.", 20),
    form("Mailgun key", "key-", 30),
    form("Shopify token", "shpat_", 16),
    form("Shopify token", "shpss_", 16),
    form("Square token", "sq0atp-", 16),
    form("Square token", "sq0csp-", 16),
    form("Grafana token", "glsa_", 16),
    form("Grafana token", "glc_", 16),
    form("Vault token", "hvs.", 16),
    form("Vault token", "hvb.", 16),
    form("Docker token", "dckr_pat_", 16),
    form("Tailscale key", "tskey-", 10),
    form("Linear key", "lin_api_", 16),
    form("Figma token", "figd_", 16),
    form("Atlassian token", "ATATT3", 16),
    form("Databricks token", "dapi", 30),
    form("Doppler token", "dp.pt.", 16),
    form("New Relic key", "NRAK-", 16),
    form("Sentry token", "sntrys_", 16),
    form("age key", "AGE-SECRET-KEY-", 16),
    form("Azure SAS", "sig%3D", 16),
    form("Facebook token", "EAACEdEose0cBA", 1),
    form("Amazon MWS token", "amzn.mws.", 16),
];

/// Words that stand before a secret: `password = …`, `"api_key": "…"`, `login me password …`.
const LABELS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "credential",
    "credentials",
    "private_key",
    "privatekey",
    "access_key",
    "accesskey",
    "client_secret",
    "authorization",
    "bearer",
    "auth",
    "cookie",
    "session_id",
    "sessionid",
    "signature",
    "sig",
    "connectionstring",
    "accountkey",
    "pass",
];

/// What stands in the place of a secret.
pub const INSTEAD: &str = "[secret]";

/// All that is found, in order, without overlaps.
pub fn find(text: &str) -> Vec<Found> {
    let mut found: Vec<Found> =
        [keys(text), tokens(text), of_urls(text), labelled(text), addresses(text), dense(text)].concat();
    found.retain(|one| !text[one.at.clone()].contains(INSTEAD) && !one.at.is_empty());
    found.sort_by_key(|one| (one.at.start, std::cmp::Reverse(one.at.end)));
    let mut apart: Vec<Found> = Vec::new();
    for one in found {
        match apart.last_mut() {
            Some(last) if one.at.start < last.at.end => last.at.end = last.at.end.max(one.at.end),
            _ => apart.push(one),
        }
    }
    apart
}

/// The text with all of it replaced.
pub fn scrub(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    for found in find(text) {
        clean.push_str(&text[at..found.at.start]);
        clean.push_str(INSTEAD);
        at = found.at.end;
    }
    clean + &text[at..]
}

/// Private keys in PEM and the like: from the first line to the last, or to the end of the text.
fn keys(text: &str) -> Vec<Found> {
    let begins = text
        .match_indices("-----BEGIN ")
        .filter(|(at, _)| text[*at..].get(..80).unwrap_or(&text[*at..]).contains("KEY"));
    let found = begins.map(|(at, _)| {
        let end = text[at..].find("-----END ").map_or(text.len(), |end| {
            let from = at + end + "-----END ".len();
            text[from..].find("-----").map_or(text.len(), |close| from + close + 5)
        });
        Found { at: at..end, kind: "private key" }
    });
    found.collect()
}

fn tokens(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    for form in FORMS {
        for (at, _) in text.match_indices(form.begins) {
            // In the middle of a word it is a piece of something else.
            let is_inside = text[..at].chars().next_back().is_some_and(|before| before.is_ascii_alphanumeric());
            let behind = at + form.begins.len();
            let end = behind + text[behind..].find(|char: char| !is_of_token(char)).unwrap_or(text.len() - behind);
            let has_room = form.begins.starts_with(|char: char| char.is_ascii_lowercase()) && form.at_least >= 30;
            let has_digit = text[behind..end].bytes().any(|byte| byte.is_ascii_digit());
            if !is_inside && form.at_least <= end - behind && (!has_room || has_digit) {
                found.push(Found { at: at..end, kind: form.kind });
            }
        }
    }
    found
}

fn is_of_token(char: char) -> bool {
    char.is_ascii_alphanumeric() || "_-./+=~".contains(char)
}

/// `user:password@` of an URL, with what follows up to the host.
fn of_urls(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let from = at + 3;
        let authority = text[from..].find(|char: char| char.is_whitespace() || "/?#\"'`<>".contains(char));
        let authority = &text[from..from + authority.unwrap_or(text.len() - from)];
        if let Some(end) = authority.rfind('@') {
            found.push(Found { at: from..from + end, kind: "credentials of an URL" });
        }
        // A password may hold a slash that nobody quoted: what stands before an `@` is never part of a path we show.
        let whole = text[from..].find(char::is_whitespace).unwrap_or(text.len() - from);
        if let (Some(end), true) = (text[from..from + whole].rfind('@'), authority.contains(':')) {
            found.push(Found { at: from..from + end, kind: "credentials of an URL" });
        }
    }
    found
}

/// What stands behind a word such as `password`.
fn labelled(text: &str) -> Vec<Found> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for label in LABELS {
        for (at, _) in lower.match_indices(label) {
            let behind = at + label.len();
            let is_whole_word = !lower[behind..].starts_with(|char: char| char.is_ascii_alphabetic());
            if let Some(value) = value_behind(text, behind).filter(|_| is_whole_word) {
                found.push(Found { at: value, kind: "value behind a telling word" });
            }
        }
    }
    found
}

/// The value behind `= `, `: `, `": "`, or a scheme of `Authorization`; behind a mere blank when it looks like none of our words.
fn value_behind(text: &str, from: usize) -> Option<Range<usize>> {
    const BETWEEN_AT_MOST: usize = 8;
    let rest = &text[from..];
    let blanks = |char: char| char == ' ' || char == '\t' || char == '"' || char == '\'' || char == '`' || char == '\\';
    let sign = rest.find(|char: char| !blanks(char)).filter(|&at| at < BETWEEN_AT_MOST)?;
    let is_assigned = rest[sign..].starts_with(['=', ':']);
    let value = if is_assigned {
        sign + rest[sign..].find(|char: char| !blanks(char) && char != '=' && char != ':' && char != '>')?
    } else {
        sign
    };
    let mut start = from + value;
    for scheme in ["bearer ", "basic ", "token ", "digest ", "negotiate "] {
        if text[start..].get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme)) {
            start += scheme.len();
        }
    }
    let ends = |char: char| char.is_whitespace() || "\"'`,;)]}<>\\".contains(char);
    let end = start + text[start..].find(ends).unwrap_or(text.len() - start);
    let word = &text[start..end];
    let has_sign = word.bytes().any(|byte| !byte.is_ascii_lowercase() && byte != b'.');
    let is_secret = if is_assigned { word.len() >= 3 } else { word.len() >= 6 && has_sign && !rest[..sign].is_empty() };
    (is_secret && !word.starts_with('[')).then_some(start..end)
}

/// Addresses of mail.
fn addresses(text: &str) -> Vec<Found> {
    let is_local = |char: char| char.is_alphanumeric() || ".!#$%&*+/=?^_{|}~-".contains(char);
    let is_domain = |char: char| char.is_alphanumeric() || char == '.' || char == '-';
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        let start = text[..at]
            .rfind(|char: char| !is_local(char))
            .map_or(0, |before| before + text[before..].chars().next().map_or(1, char::len_utf8));
        let end = at + 1 + text[at + 1..].find(|char: char| !is_domain(char)).unwrap_or(text.len() - at - 1);
        let domain = text[at + 1..end].trim_end_matches(['.', '-']);
        let word = text[..at].rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let is_of_url = text[word..at].contains("://");
        let has_top = domain.rsplit_once('.').is_some_and(|(name, top)| !name.is_empty() && top.len() > 1);
        if start < at && has_top && !is_of_url {
            found.push(Found { at: start..at + 1 + domain.len(), kind: "address of mail" });
        }
    }
    found
}

/// Long runs of mixed letters and digits: no person writes them, and no path of ours holds them.
fn dense(text: &str) -> Vec<Found> {
    const AT_LEAST: usize = 24;
    const DIGITS_AT_LEAST: usize = 2;
    let is_of_run = |char: char| char.is_ascii_alphanumeric() || char == '+' || char == '=';
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(is_of_run).map(|start| at + start) {
        let end = start + text[start..].find(|char| !is_of_run(char)).unwrap_or(text.len() - start);
        let n = |is: fn(&u8) -> bool| text[start..end].bytes().filter(is).count();
        let (upper, lower, digits) = (n(u8::is_ascii_uppercase), n(u8::is_ascii_lowercase), n(u8::is_ascii_digit));
        if AT_LEAST <= end - start && upper > 1 && lower > 1 && DIGITS_AT_LEAST <= digits {
            found.push(Found { at: start..end, kind: "long random word" });
        }
        at = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_what_is_around_them_stays() {
        for (text, clean) in [
            ("fetch https://me:hunter2@example.org/x.git", "fetch https://[secret]@example.org/x.git"),
            ("password = hunter2; next", "password = [secret]; next"),
            ("{\"api_key\": \"abc123\"}", "{\"api_key\": \"[secret]\"}"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [secret]"),
            ("machine x login me password Tr0ub4dor", "machine x login me password [secret]"),
            ("by ann@example.org.", "by [secret]."),
            ("key AKIAIOSFODNN7EXAMPLE end", "key [secret] end"),
            ("a -----BEGIN RSA PRIVATE KEY-----\nxyz\n-----END RSA PRIVATE KEY----- b", "a [secret] b"),
        ] {
            assert_eq!(scrub(text), clean);
            assert_eq!(find(clean), [], "{clean}");
        }
    }

    #[test]
    fn what_our_own_messages_say_is_no_secret() {
        for text in [
            "262 branches hold conflict markers in setup/launch.py: one file that they inherited",
            "Git version with known bugs; a token of a person",
            "refs/remotes/origin/agent/improve-module-15936782000000",
            "git update-ref -d refs/heads/x 0123456789abcdef0123456789abcdef01234567",
            "locks and unfinished work: the password of nobody",
            "`core.sshCommand` runs a program; sk-learn and npm_x are names",
        ] {
            assert_eq!(scrub(text), text);
        }
    }
}
