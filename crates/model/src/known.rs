//! A value that was seen, or the reason why it could not be.

use serde::{Deserialize, Serialize};

/// Something we looked for: seen, or unknown with its reason.
///
/// The first law of alignwatch: what could not be read is `Unknown`, never
/// zero, never empty and never healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known<T> {
    /// It was read; this is what it said.
    Seen(T),
    /// It could not be read; the reason, as a sentence part.
    Unknown(String),
}

/// Nothing is known of what nobody looked at.
impl<T> Default for Known<T> {
    fn default() -> Known<T> {
        Known::Unknown("it was not looked at".to_owned())
    }
}

impl<T> Known<T> {
    /// The value, where it was seen.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Known::Seen(value) => Some(value),
            Known::Unknown(_) => None,
        }
    }

    /// The reason, where it was not.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Known::Seen(_) => None,
            Known::Unknown(reason) => Some(reason),
        }
    }

    /// Unknown, with the display of an error as its reason.
    pub fn from_result<E: std::fmt::Display>(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Known::Seen(value),
            Err(error) => Known::Unknown(error.to_string()),
        }
    }

    /// The same with another value inside.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Known::Seen(value) => Known::Seen(change(value)),
            Known::Unknown(reason) => Known::Unknown(reason),
        }
    }
}
