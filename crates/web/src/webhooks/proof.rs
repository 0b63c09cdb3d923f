//! Does whoever posts know the secret? Each forge proves it in its own header, over the whole body.
//!
//! Strangers ask this as often as they like: a message costs one sum over its body, whatever its headers hold.

use std::iter;

use alignwatch_model::config::WebhookKind;
use axum::http::HeaderMap;
use base64::prelude::{BASE64_STANDARD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How old a message of Standard Webhooks may be, and how far ahead, in seconds. Source: its reference libraries.
const SKEW_SECONDS: i64 = 300;

/// Signatures of one message that are compared. Source: ours; one for each secret while secrets are replaced.
const SIGNATURES_AT_MOST: usize = 5;

/// Bytes of a signature as it is written: 32 bytes in Base64.
const WRITTEN_BYTES: usize = 44;

/// Does whoever sent this know the secret? Compared in a time that tells nothing about it.
pub(super) fn is_proven(kind: WebhookKind, secret: &str, headers: &HeaderMap, body: &[u8], now: i64) -> bool {
    let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = |names: &[&str]| {
        let signatures = names.iter().filter_map(|name| given(name));
        is_one(
            signatures.filter_map(|text| unhex(text.strip_prefix("sha256=").unwrap_or(text))),
            secret.as_bytes(),
            &[body],
        )
    };
    match kind {
        WebhookKind::Github => signed(&["x-hub-signature-256"]),
        WebhookKind::Gitea => signed(&["x-gitea-signature", "x-forgejo-signature", "x-hub-signature-256"]),
        WebhookKind::Gitlab => given("x-gitlab-token").is_some_and(|token| is_same(secret, token)),
        WebhookKind::Plain => {
            let bearer = given("authorization").and_then(|value| value.split_once(' '));
            bearer.is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && is_same(secret, token.trim()))
        }
        WebhookKind::Standard => is_standard(secret, given, body, now),
    }
}

/// Source: Standard Webhooks 1.0, "Verifying webhook authenticity": `id.timestamp.body`, several signatures side by side.
fn is_standard<'a>(secret: &str, given: impl Fn(&str) -> Option<&'a str>, body: &[u8], now: i64) -> bool {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret));
    let parts = (key, given("webhook-id"), given("webhook-timestamp"), given("webhook-signature"));
    let (Ok(key), Some(id), Some(at), Some(signatures)) = parts else { return false };
    let is_fresh = at.parse::<i64>().is_ok_and(|at| now.saturating_sub(at).saturating_abs() <= SKEW_SECONDS);
    let written =
        signatures.split(' ').filter_map(|one| one.strip_prefix("v1,")).filter(|one| one.len() == WRITTEN_BYTES);
    let signatures = written.filter_map(|one| BASE64_STANDARD.decode(one).ok()).take(SIGNATURES_AT_MOST);
    is_fresh && is_one(signatures, &key, &[id.as_bytes(), b".", at.as_bytes(), b".", body])
}

/// Is one of these the signature? However many there are, the body is read once.
fn is_one(mut signatures: impl Iterator<Item = Vec<u8>>, key: &[u8], parts: &[&[u8]]) -> bool {
    // HMAC takes a key of any length; one that did not would prove nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    parts.iter().for_each(|part| mac.update(part));
    signatures.any(|signature| mac.clone().verify_slice(&signature).is_ok())
}

/// The same text, by their sums: how long that takes says nothing about where they differ.
fn is_same(secret: &str, given: &str) -> bool {
    is_one(iter::once(sum(secret)), b"the same text", &[given.as_bytes()])
}

fn sum(text: &str) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(b"the same text").map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        },
    )
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = (digits.len() == 64 && text.is_ascii()).then(|| digits.chunks(2))?;
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    fn proven(kind: WebhookKind, secret: &str, headers: &[(&str, &str)], body: &str) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        is_proven(kind, secret, &headers, body.as_bytes(), 1_614_265_330)
    }

    /// The example of GitHub's documentation.
    #[test]
    fn the_signature_of_githubs_own_example_is_taken_and_no_other() {
        let (secret, body) = ("It's a Secret to Everybody", "Hello, World!");
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let github = |signature: &str| proven(WebhookKind::Github, secret, &[("x-hub-signature-256", signature)], body);
        assert!(github(good));
        for bad in ["", "sha256=", "sha256=00", &good.replace("757", "758"), &good[..good.len() - 1], "sha1=757107ea"] {
            assert!(!github(bad), "{bad}");
        }
        assert!(!proven(WebhookKind::Github, secret, &[], body));
        assert!(!proven(WebhookKind::Github, "another", &[("x-hub-signature-256", good)], body));
        assert!(proven(WebhookKind::Gitea, secret, &[("x-gitea-signature", &good["sha256=".len()..])], body));
        assert!(!proven(WebhookKind::Gitlab, secret, &[("x-hub-signature-256", good)], body));
    }

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn the_example_of_standard_webhooks_is_taken_while_it_is_fresh() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = r#"{"test": 2432232314}"#;
        let headers = |at: &'static str| {
            [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", at),
                ("webhook-signature", "v1,bad v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ]
        };
        assert!(proven(WebhookKind::Standard, secret, &headers("1614265330"), body));
        assert!(!proven(WebhookKind::Standard, secret, &headers("1614265331"), body), "the time is signed");
        let headers: HeaderMap = headers("1614265330")
            .iter()
            .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        assert!(!is_proven(WebhookKind::Standard, secret, &headers, body.as_bytes(), 1_614_265_330 + 301), "too old");
    }

    #[test]
    fn a_token_is_the_whole_secret_or_none() {
        let gitlab = |token: &str| proven(WebhookKind::Gitlab, "s3cret", &[("x-gitlab-token", token)], "{}");
        assert_eq!(["s3cret", "s3cre", "s3crets", "", "S3CRET"].map(gitlab), [true, false, false, false, false]);
        let plain = |value: &str| proven(WebhookKind::Plain, "s3cret", &[("authorization", value)], "");
        assert_eq!(["Bearer s3cret", "bearer s3cret", "s3cret", "Basic s3cret"].map(plain), [true, true, false, false]);
    }

    /// Signed by the example of the specification, with others in front.
    #[test]
    fn a_signature_is_found_among_those_of_five_secrets_and_no_further() {
        let (good, other) = ("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", format!("v1,{}=", "A".repeat(43)));
        let behind = |n_others: usize, noise: &str| {
            let signatures = format!("{noise}{}{good}", format!("{other} ").repeat(n_others));
            let headers = [
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", &*signatures),
            ];
            let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
            proven(WebhookKind::Standard, secret, &headers, r#"{"test": 2432232314}"#)
        };
        assert!(behind(4, "") && behind(4, &"v1,short v1a,other v2 ".repeat(100)));
        assert!(!behind(5, ""));
    }
}
