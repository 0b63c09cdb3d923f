//! A lease: one holder may align a branch, or all of a repository, until a time.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Who may align what, until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who, as they call themselves.
    pub holder: String,
    /// The branch, by its full name; `None` = all of the repository.
    pub branch: Option<String>,
    /// When it ends by itself, in seconds since 1970.
    #[serde(with = "seconds")]
    pub until: Timestamp,
    /// Its number: greater than that of any lease on this repository before.
    pub token: u64,
}

impl Lease {
    /// Would this one and that of another holder be about the same branch?
    pub fn is_in_the_way_of(&self, wish: &Lease) -> bool {
        let is_shared = self.branch.is_none() || wish.branch.is_none() || self.branch == wish.branch;
        is_shared && self.holder != wish.holder
    }
}

/// A time as a number, so that it comes back as it went.
mod seconds {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::Timestamp;

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp)
    }
}
