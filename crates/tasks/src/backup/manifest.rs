//! What a backup says of itself.

use alignwatch_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::BackupError;

/// Its document: `alignwatch.backup/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `alignwatch.backup/1`.
    pub schema: String,
    /// Its name, which is that of its folder.
    pub name: String,
    /// The backup that it adds to; `None` = it is whole by itself.
    pub needs: Option<String>,
    /// When it was made, in seconds since 1970.
    pub at_seconds: i64,
    /// When, in RFC 3339.
    pub at: String,
    /// The repository's path.
    pub repository: String,
    /// Its id.
    pub repository_id: String,
    /// `sha1` or `sha256`.
    pub object_format: String,
    /// How its refs were stored.
    pub ref_backend: String,
    /// It had no working tree.
    pub is_bare: bool,
    /// The git that made it.
    pub git_version: String,
    /// All refs.
    pub refs: Vec<Named>,
    /// Symbolic refs with what is written in them, HEAD among them unless it was detached; also those that name nothing.
    pub symbolic: Vec<Anchor>,
    /// The commit that HEAD was on, where it was detached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detached: Option<String>,
    /// What no ref names: HEADs of worktrees, older stashes, commits that only a reflog knows, what half-done merges and
    /// rebases need.
    pub anchors: Vec<Named>,
    /// Objects that refs and anchors reach, in this backup and those that it needs.
    pub n_objects: u64,
    /// SHA-256 of their sorted ids.
    pub objects_sha256: String,
    /// What it holds is encrypted; this file is not.
    #[serde(default)]
    pub is_encrypted: bool,
    /// What is beside the objects, as paths below `beside/`.
    pub beside: Vec<String>,
    /// What is in no backup of ours, as sentences.
    pub not_covered: Vec<String>,
}

/// A name and the id it stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Named {
    /// Full name. One that is no text is written as `hex:` and its bytes: no ref holds a `:`.
    pub name: String,
    /// The id.
    pub oid: String,
}

/// A symbolic ref.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Anchor {
    /// Its name.
    pub name: String,
    /// The name that it stands for.
    pub target: String,
}

/// A ref of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// It names an object.
    At(&'a Named),
    /// It names another ref.
    Symbolic(&'a Anchor),
}

/// The schema that is written and read.
pub(super) const SCHEMA: &str = "alignwatch.backup/1";

impl Manifest {
    /// Reads one. Errors: it is damaged, or of a later version.
    pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, BackupError> {
        let manifest: Manifest = serde_json::from_slice(bytes)
            .map_err(|error| BackupError::Not(format!("its manifest can't be understood: {error}")))?;
        if manifest.schema != SCHEMA {
            return Err(BackupError::Not(format!("its manifest is `{}`, and not `{SCHEMA}`", manifest.schema)));
        }
        Ok(manifest)
    }

    /// When it was made.
    pub fn made_at(&self) -> Timestamp {
        Timestamp(self.at_seconds)
    }

    /// The ref of this full name, or the branch of this short one.
    pub fn find(&self, name: &str) -> Option<Found<'_>> {
        let is_it = |other: &str| other == name || other.strip_prefix("refs/heads/") == Some(name);
        let tip = self.tips().find(|tip| is_it(&tip.name)).map(Found::At);
        tip.or_else(|| self.symbolic.iter().find(|one| one.name != "HEAD" && is_it(&one.name)).map(Found::Symbolic))
    }

    /// Refs and anchors.
    pub(super) fn tips(&self) -> impl Iterator<Item = &Named> {
        self.refs.iter().chain(&self.anchors)
    }
}

/// A name as text that gives back the same bytes.
pub(super) fn text_of(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if !text.starts_with("hex:") => text.to_owned(),
        _ => format!("hex:{}", name.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// The bytes of a name. Errors: it could do harm in a list of commands.
pub(super) fn bytes_of(name: &str) -> Result<Vec<u8>, BackupError> {
    let bytes = match name.strip_prefix("hex:") {
        None => Some(name.as_bytes().to_vec()),
        Some(hex) => hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>(),
    };
    let is_fine = |bytes: &Vec<u8>| bytes.starts_with(b"refs/") && !bytes.iter().any(|byte| *byte < 0x20);
    bytes.filter(is_fine).ok_or_else(|| BackupError::Not(format!("`{name}` is no name of a ref")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_bytes_comes_back_as_it_went() {
        for name in [&b"refs/heads/x"[..], b"refs/heads/\xff\xfe", "refs/heads/ä".as_bytes()] {
            assert_eq!(bytes_of(&text_of(name)).unwrap(), name);
        }
        for bad in ["HEAD", "refs/heads/x\ny", "hex:zz", "hex:0", "../x"] {
            assert!(bytes_of(bad).is_err(), "{bad}");
        }
    }
}
