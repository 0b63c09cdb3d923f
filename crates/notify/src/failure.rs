//! How an attempt failed, in few words; and what the status of an HTTP answer means.

use alignwatch_model::{
    Span,
    notice::{Failure, FailureReason},
};

/// Something that another attempt may mend.
pub(crate) fn failed(reason: FailureReason, detail: impl Into<String>) -> Failure {
    Failure { reason, detail: detail.into(), is_permanent: false, retry_after: None }
}

/// Something that stays until somebody changes it.
pub(crate) fn broken(reason: FailureReason, detail: impl Into<String>) -> Failure {
    Failure { is_permanent: true, ..failed(reason, detail) }
}

/// What the status of an answer means; `None` = it arrived.
///
/// Source: RFC 9110, section 15; Standard Webhooks for 410; `says` is the body, since some services say
/// that something is too long by a plain 400, and GitHub that it is asked too often by 403 (docs.github.com, rate
/// limits for the REST API).
pub(crate) fn by_status(status: u16, says: &str) -> Option<FailureReason> {
    let says = says.to_ascii_lowercase();
    let is_about_length = ["too long", "too large", "too big", "maximum length", "max length", "exceeds"];
    match status {
        200..=299 => None,
        300..=399 => Some(FailureReason::Redirected),
        403 if says.contains("rate limit") => Some(FailureReason::RateLimited),
        401 | 403 | 407 => Some(FailureReason::AuthError),
        408 => Some(FailureReason::TimedOut),
        410 => Some(FailureReason::Gone),
        413 => Some(FailureReason::TooLarge),
        425 | 429 => Some(FailureReason::RateLimited),
        400 | 422 if is_about_length.iter().any(|words| says.contains(words)) => Some(FailureReason::TooLarge),
        400..=499 => Some(FailureReason::ClientError),
        _ => Some(FailureReason::ServerError),
    }
}

/// Will another attempt do no better, as things are?
pub(crate) fn is_permanent(reason: FailureReason) -> bool {
    match reason {
        FailureReason::Configuration
        | FailureReason::Refused
        | FailureReason::AuthError
        | FailureReason::TooLarge
        | FailureReason::Gone
        | FailureReason::Redirected
        | FailureReason::ClientError => true,
        FailureReason::UnknownHost
        | FailureReason::Connection
        | FailureReason::Tls
        | FailureReason::TimedOut
        | FailureReason::RateLimited
        | FailureReason::ServerError
        | FailureReason::LocalError => false,
    }
}

/// The longest wait that another side may ask for. Source: ours; a day is the longest that attempts are apart.
const WAIT_AT_MOST: Span = Span::days(1);

/// `Retry-After`, as seconds or as a date; bounded. `None` = it is neither.
///
/// Source: RFC 9110, section 10.2.3.
pub(crate) fn retry_after(value: &str, now: alignwatch_model::Timestamp) -> Option<Span> {
    let value = value.trim();
    let seconds = match value.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && 0.0 <= seconds => seconds.ceil() as i64,
        Ok(_) => return None,
        Err(_) => {
            let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            at.as_second().saturating_sub(now.0).max(0)
        }
    };
    Some(Span(seconds.min(WAIT_AT_MOST.0)))
}

#[cfg(test)]
mod tests {
    use alignwatch_model::Timestamp;

    use super::*;

    #[test]
    fn a_status_means_one_reason() {
        let reason = |status| by_status(status, "").map(FailureReason::word);
        assert_eq!([200, 204, 299].map(reason), [None; 3]);
        let told = [301, 307, 400, 401, 403, 404, 408, 410, 413, 429, 500, 503, 99]
            .map(|status| reason(status).unwrap_or("none"));
        assert_eq!(
            told,
            [
                "redirected",
                "redirected",
                "client_error",
                "auth_error",
                "auth_error",
                "client_error",
                "timed_out",
                "gone",
                "too_large",
                "rate_limited",
                "server_error",
                "server_error",
                "server_error"
            ]
        );
        assert_eq!(by_status(400, "Bad Request: message is too long"), Some(FailureReason::TooLarge));
    }

    #[test]
    fn how_long_to_wait_is_read_in_all_its_forms_and_bounded() {
        // 2015-10-21 07:28:00 UTC, the example of RFC 9110, is two minutes away.
        let now = Timestamp(1_445_412_360);
        let wait = |text| retry_after(text, now).map(|span| span.0);
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("0.4"), Some(1));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(120));
        assert_eq!(wait("Wed, 21 Oct 2015 07:20:00 GMT"), Some(0));
        assert_eq!(wait("99999999999"), Some(86_400));
        assert_eq!(["", "soon", "-1", "NaN", "inf"].map(wait), [None; 5]);
    }
}
