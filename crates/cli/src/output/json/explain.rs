//! The document of `explain`: `alignwatch.explain/1`.

use super::super::escape;
use crate::explaining::Explanation;

/// The document of `explain`.
pub fn explain(explanation: &Explanation) -> String {
    escape::json(explanation)
}
