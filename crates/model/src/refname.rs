//! Full names of refs, which are bytes and not always text.

use std::{borrow::Cow, fmt};

use serde::{Serialize, Serializer};

/// The full name of a ref, such as `refs/heads/main`: bytes, as Git stores them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(Box<[u8]>);

/// The prefixes that people leave out when they speak of a ref.
const SPOKEN_WITHOUT: [&[u8]; 3] = [b"refs/heads/", b"refs/remotes/", b"refs/"];

impl RefName {
    /// A name from its bytes. It is not checked: a broken name is seen, too.
    pub fn new(bytes: impl AsRef<[u8]>) -> RefName {
        RefName(bytes.as_ref().into())
    }

    /// The bytes as Git stores them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as people say it: without `refs/heads/`, `refs/remotes/` or `refs/`.
    pub fn short(&self) -> RefName {
        let short = SPOKEN_WITHOUT.iter().find_map(|prefix| self.0.strip_prefix(*prefix));
        RefName::new(short.unwrap_or(&self.0))
    }

    /// The name as text: bytes that are not UTF-8 become `\xNN`.
    ///
    /// Control characters are left as they are: each sink escapes what can hurt there.
    pub fn text(&self) -> Cow<'_, str> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(escape_invalid(&self.0)),
        }
    }

    /// Does the name begin with these bytes?
    pub fn starts_with(&self, prefix: impl AsRef<[u8]>) -> bool {
        self.0.starts_with(prefix.as_ref())
    }

    /// For a remote-tracking ref: the remote and the branch there.
    pub fn remote_parts(&self) -> Option<(&[u8], &[u8])> {
        let rest = self.0.strip_prefix(b"refs/remotes/")?;
        let slash = rest.iter().position(|&byte| byte == b'/')?;
        Some((&rest[..slash], &rest[slash + 1..]))
    }
}

fn escape_invalid(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

impl From<&str> for RefName {
    fn from(name: &str) -> RefName {
        RefName::new(name)
    }
}

impl Serialize for RefName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_leave_out_the_usual_prefixes() {
        assert_eq!(RefName::from("refs/heads/a/b").short().text(), "a/b");
        assert_eq!(RefName::from("refs/remotes/origin/x").short().text(), "origin/x");
        assert_eq!(RefName::from("refs/pull/1/head").short().text(), "pull/1/head");
        assert_eq!(RefName::from("HEAD").short().text(), "HEAD");
    }

    #[test]
    fn bytes_that_are_not_text_stay_visible_and_whole() {
        let name = RefName::new(b"refs/heads/\xff\xfex");
        assert_eq!(name.text(), "refs/heads/\\xff\\xfex");
        assert_eq!(name.as_bytes(), b"refs/heads/\xff\xfex");
    }

    #[test]
    fn a_tracking_ref_names_its_remote_and_branch() {
        let name = RefName::from("refs/remotes/origin/feature/x");
        assert_eq!(name.remote_parts(), Some((&b"origin"[..], &b"feature/x"[..])));
        assert_eq!(RefName::from("refs/heads/x").remote_parts(), None);
    }
}
