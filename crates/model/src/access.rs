//! Who may ask the daemon for what: tokens and their scopes.
//!
//! A token itself is shown once, when it is made, and kept nowhere: only its SHA-256 is. That is enough for a secret
//! of 256 random bits, which nobody finds by trying.

use serde::{Deserialize, Serialize};

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To read everything, and change nothing.
    Read,
    /// To report alignment runs, and read nothing: for jobs on other machines.
    Report,
    /// All of it, and to ask for looks.
    Operate,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Report, Scope::Operate];

    /// The word, as on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Report => "report",
            Scope::Operate => "operate",
        }
    }

    /// Is what needs `needed` allowed with this one?
    pub fn allows(self, needed: Scope) -> bool {
        self == needed || self == Scope::Operate
    }
}

/// A token, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptToken {
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// SHA-256 of the token, as 64 hexadecimal digits.
    pub sha256: String,
    /// When it was made, in seconds since 1970.
    pub made_at: i64,
}

/// All tokens, as they stand in their file below the data directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Each has another name.
    pub tokens: Vec<KeptToken>,
}

/// The file of the tokens, below the data directory.
pub const TOKENS_FILE: &str = "tokens.json";

impl Tokens {
    /// The token with this SHA-256; `None` = there is none.
    pub fn of(&self, sha256: &str) -> Option<&KeptToken> {
        self.tokens.iter().find(|token| token.sha256 == sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reporter_reads_nothing_and_a_reader_reports_nothing() {
        let allowed: Vec<_> = Scope::ALL.map(|has| Scope::ALL.map(|needed| has.allows(needed))).to_vec();
        assert_eq!(allowed, [[true, false, false], [false, true, false], [true, true, true]]);
    }
}
