//! Lengths of time on the command line: `500ms`, `2s`, `5m`.

use std::time::Duration;

use alignwatch_model::config::parse_length;

/// Reads a length of time that is not 0. Errors: a sentence that shows a good one.
pub(super) fn length(text: &str) -> Result<Duration, String> {
    let wrong = || "it is not a length of time; write it like `500ms`, `2s` or `5m`".to_owned();
    let length = match text.strip_suffix("ms") {
        Some(number) => number.trim_end().parse().ok().map(Duration::from_millis),
        None => parse_length(text).and_then(|span| u64::try_from(span.0).ok()).map(Duration::from_secs),
    };
    length.filter(|length| !length.is_zero()).ok_or_else(wrong)
}

/// The same, or `0`.
pub(super) fn length_or_none(text: &str) -> Result<Duration, String> {
    if ["0", "0s", "0ms"].contains(&text) { Ok(Duration::ZERO) } else { length(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_lengths_too_and_nothing_else_is() {
        assert_eq!(length("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(length("5m"), Ok(Duration::from_secs(300)));
        for wrong in ["0", "0ms", "-2s", "ms", "1.5ms", "soon"] {
            assert!(length(wrong).is_err(), "{wrong}");
        }
        assert_eq!(length_or_none("0"), Ok(Duration::ZERO));
    }
}
