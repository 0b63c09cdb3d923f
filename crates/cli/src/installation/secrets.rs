//! Secrets that are needed and can't be read, or that others can read, too.

use alignwatch_model::{Finding, Remedy, Severity, config::SecretRef, quote::shell_word};
use alignwatch_notify::{self as notify, SecretState};

use super::Examination;

/// Who needs a secret.
pub(super) struct Needs<'a> {
    /// In words.
    pub who: String,
    /// What tells its finding from others of the same examination.
    pub cause: String,
    /// What to do where it can't be read, and what to type then.
    pub mend: (&'a str, Vec<String>),
}

/// What is wrong with this secret; `None` = it can be read, by nobody else.
pub(super) fn finding(of: &Examination, secret: &SecretRef, needs: Needs<'_>) -> Option<Finding> {
    let state = notify::secret_state(secret);
    let problem = state.problem()?;
    let summary = format!("{} needs {secret}: {problem}", needs.who);
    let (severity, (text, commands)) = match (&state, secret) {
        (SecretState::OpenToOthers, SecretRef::File(path)) => {
            let command = format!("chmod o= {}", shell_word(path.as_bytes()));
            (Severity::Warning, ("Let only the user read it that alignwatch runs as.", vec![command]))
        }
        _ => (Severity::Error, needs.mend),
    };
    Some(of.finding(&needs.cause, severity, summary, Remedy::reversible(text, commands)))
}
