//! Calls whoever watches over us from outside: a dead man's switch.
//!
//! `GET ADDRESS` says that all is well; `POST ADDRESS/fail`, with the reasons as text, that it is not. Source: the ping
//! protocol of Healthchecks, which others took over. The address is secret as a whole: who knows it can say in our
//! place that all is well.

use alignwatch_model::{
    Timestamp,
    escape::terminal,
    notice::{Delivered, Failure},
};

use crate::{
    DEADLINE, Egress, Way,
    http::{self, Request},
    text,
};

/// What is told of reasons, in bytes. Source: Healthchecks keeps 100 kB, and 10 kB where nothing else is configured.
const TOLD_AT_MOST: usize = 8_000;

/// Makes one call: all is well, or it is not, for these reasons.
///
/// Errors: why it was not heard.
pub fn call(address: &str, reasons: &[String], egress: &Egress, now: Timestamp) -> Result<Delivered, Failure> {
    let way = Way::new(egress, now, DEADLINE);
    let to = http::address(address, way)?.all_secret();
    let request = match reasons {
        [] => Request::plain("GET", to),
        reasons => Request::text("POST", to.below(&["fail"])?, &told(reasons)),
    };
    Ok(http::deliver(&request, way)?.delivered(None))
}

/// A line each, as much as fits.
fn told(reasons: &[String]) -> String {
    let lines: Vec<String> = reasons.iter().map(|reason| terminal(reason).into_owned()).collect();
    text::cut(&lines.join("\n"), TOLD_AT_MOST / 4)
}

#[cfg(test)]
mod tests {
    use alignwatch_model::notice::FailureReason;

    use super::*;
    use crate::sink::Sink;

    const OK: &str = "HTTP/1.1 200 OK\r\n\r\nOK";

    #[test]
    fn all_is_well_is_a_plain_call_and_what_is_not_is_told_at_fail() {
        let sink = Sink::answering([OK, OK]);
        let url = sink.url("/8f4b2a6e-9a3c-4f5e-8d21-6b0c5d7e9f10?x=1");
        let reasons = ["the store is in trouble: disk full".to_owned(), "line\nfeed".to_owned()];
        for reasons in [&[][..], &reasons] {
            assert_eq!(call(&url, reasons, &sink.egress(), Timestamp(0)).expect("it is heard").answer, "200 OK");
        }
        let (well, failing) = (sink.request(), sink.request());
        assert_eq!(well.line, "GET /8f4b2a6e-9a3c-4f5e-8d21-6b0c5d7e9f10?x=1 HTTP/1.1");
        assert_eq!(failing.line, "POST /8f4b2a6e-9a3c-4f5e-8d21-6b0c5d7e9f10/fail?x=1 HTTP/1.1");
        assert_eq!(failing.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(String::from_utf8_lossy(&failing.body), "the store is in trouble: disk full\nline\\u{a}feed");
    }

    #[test]
    fn its_address_is_never_told() {
        let sink = Sink::answering(["HTTP/1.1 404 Not Found\r\n\r\nno check 8f4b2a6e-9a3c-4f5e-8d21-6b0c5d7e9f10"]);
        let url = sink.url("/8f4b2a6e-9a3c-4f5e-8d21-6b0c5d7e9f10");
        let failure = call(&url, &[], &sink.egress(), Timestamp(0)).expect_err("not found");
        assert_eq!(failure.reason, FailureReason::ClientError);
        assert!(!failure.detail.contains("8f4b2a6e"), "{failure}");
    }

    #[test]
    fn a_private_network_is_called_only_where_that_is_allowed() {
        let failure = call("http://127.0.0.1:1/x", &[], &Egress::default(), Timestamp(0)).expect_err("refused");
        assert_eq!(failure.reason, FailureReason::Refused);
    }
}
