//! Fetches a calendar from an address: the one thing here that is read and not told.
//!
//! It goes the way of all calls that leave this machine: no redirects, no private networks unless they are allowed, a bounded answer.
//! What is said of a failure never holds the address beyond its host, since mostly it is secret as a whole.

use alignwatch_model::{Timestamp, agenda, notice::Failure};

use crate::{
    DEADLINE, Egress, Way,
    http::{self, Request},
};

/// The text at an address. Errors: why it could not be read.
pub fn fetch(address: &str, egress: &Egress, now: Timestamp) -> Result<String, Failure> {
    let way = Way::new(egress, now, DEADLINE);
    let from = http::address(address, way)?.all_secret();
    let request = Request::plain("GET", from).with("accept", "text/calendar, text/plain;q=0.5");
    http::deliver(&request.answered_with(agenda::BYTES_AT_MOST as u64), way)?.whole()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Sink;

    #[test]
    fn the_text_is_what_the_other_side_says() {
        let sink = Sink::answering(["HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\nBEGIN:VCALENDAR"]);
        let text = fetch(&sink.url("/private/abcdefgh"), &sink.egress(), Timestamp(0)).expect("a calendar");
        assert_eq!(text, "BEGIN:VCALENDAR");
        assert_eq!(sink.request().line, "GET /private/abcdefgh HTTP/1.1");
    }

    #[test]
    fn no_secret_part_of_the_address_is_told() {
        let sink = Sink::answering(["HTTP/1.1 404 Not Found\r\n\r\nno /private/abcdefgh here"]);
        let failure = fetch(&sink.url("/private/abcdefgh"), &sink.egress(), Timestamp(0)).expect_err("not there");
        assert!(failure.detail.contains("404") && !failure.detail.contains("abcdefgh"), "{}", failure.detail);
    }

    #[test]
    fn what_is_too_long_or_lies_in_a_private_network_is_not_read() {
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(agenda::BYTES_AT_MOST + 1));
        let sink = Sink::answering([long.as_str()]);
        let failure = fetch(&sink.url("/a"), &sink.egress(), Timestamp(0)).expect_err("too long");
        assert!(failure.detail.contains("could not be read"), "{}", failure.detail);
        let none = Egress::of(&alignwatch_model::config::Egress::default());
        assert!(fetch("http://127.0.0.1:9/a", &none, Timestamp(0)).is_err());
    }
}
