//! What each local branch follows: `branch.<name>.remote` and `.merge`, seen through the remote's refspecs.

use std::collections::BTreeMap;

use alignwatch_model::RefName;

use super::Refs;
use crate::run::Entry;

/// What a local branch follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The remote's name or address; `.` for this repository.
    pub remote: Vec<u8>,
    /// The ref there.
    pub merge: RefName,
    /// The ref here that shows it; `None` when no refspec fetches it.
    pub tracking: Option<RefName>,
    /// The tracking ref does not exist (any more).
    pub is_gone: bool,
}

/// The upstream of every local branch that has one, from the repository's configuration.
///
/// A setting that counts is the last for `remote`, the first for `merge`, as in Git.
pub fn upstreams(refs: &Refs, entries: &[Entry]) -> BTreeMap<RefName, Upstream> {
    let settings = Settings::of(entries);
    let branches = refs.under(b"refs/heads/").filter_map(|branch| {
        let upstream = settings.upstream(branch.name.as_bytes().strip_prefix(b"refs/heads/")?, refs)?;
        Some((branch.name.clone(), upstream))
    });
    branches.collect()
}

/// The settings of branches and remotes, by name.
#[derive(Default)]
struct Settings<'a> {
    remote_of: BTreeMap<&'a [u8], &'a [u8]>,
    merge_of: BTreeMap<&'a [u8], &'a [u8]>,
    fetch_of: BTreeMap<&'a [u8], Vec<Refspec<'a>>>,
}

impl<'a> Settings<'a> {
    fn of(entries: &'a [Entry]) -> Settings<'a> {
        let mut settings = Settings::default();
        for entry in entries {
            let (Some((section, name, key)), Some(value)) = (split(&entry.key), &entry.value) else { continue };
            match (section, key) {
                (b"branch", b"remote") => drop(settings.remote_of.insert(name, value)),
                (b"branch", b"merge") => drop(settings.merge_of.entry(name).or_insert(value)),
                (b"remote", b"fetch") => settings.fetch_of.entry(name).or_default().extend(Refspec::parse(value)),
                _ => {}
            }
        }
        settings
    }

    fn upstream(&self, branch: &[u8], refs: &Refs) -> Option<Upstream> {
        let remote = *self.remote_of.get(branch)?;
        let merge = RefName::new(self.merge_of.get(branch)?);
        let tracking = if remote == b"." { Some(merge.clone()) } else { self.tracking(remote, merge.as_bytes()) };
        let is_gone = tracking.as_ref().is_some_and(|tracking| refs.get(tracking).is_none());
        Some(Upstream { remote: remote.to_vec(), merge, tracking, is_gone })
    }

    /// Where a ref of a remote is kept here: by the first refspec that takes it, unless a negative one refuses it.
    fn tracking(&self, remote: &[u8], name: &[u8]) -> Option<RefName> {
        let specs = self.fetch_of.get(remote)?;
        if specs.iter().any(|spec| spec.is_negative && spec.matches(name).is_some()) {
            return None;
        }
        specs.iter().filter(|spec| !spec.is_negative).find_map(|spec| spec.map(name))
    }
}

/// Section, name and key of `section.name.key`.
fn split(key: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let first = key.iter().position(|&byte| byte == b'.')?;
    let last = key.iter().rposition(|&byte| byte == b'.')?;
    Some((&key[..first], key.get(first + 1..last)?, &key[last + 1..]))
}

/// `[+]source:destination` or `^source`, with at most one `*` on each side.
struct Refspec<'a> {
    source: &'a [u8],
    destination: Option<&'a [u8]>,
    is_negative: bool,
}

impl<'a> Refspec<'a> {
    fn parse(text: &'a [u8]) -> Option<Refspec<'a>> {
        if let Some(source) = text.strip_prefix(b"^") {
            return Some(Refspec { source, destination: None, is_negative: true });
        }
        let text = text.strip_prefix(b"+").unwrap_or(text);
        let colon = text.iter().position(|&byte| byte == b':')?;
        let destination = Some(&text[colon + 1..]).filter(|destination| !destination.is_empty());
        Some(Refspec { source: &text[..colon], destination, is_negative: false })
    }

    /// What the `*` stands for in this name, when the source takes it; empty without a `*`.
    fn matches<'n>(&self, name: &'n [u8]) -> Option<&'n [u8]> {
        match self.source.iter().position(|&byte| byte == b'*') {
            None => (self.source == name).then_some(b""),
            Some(star) => {
                let (before, after) = (&self.source[..star], &self.source[star + 1..]);
                let middle = name.strip_prefix(before)?;
                middle.strip_suffix(after)
            }
        }
    }

    fn map(&self, name: &[u8]) -> Option<RefName> {
        let star = self.matches(name)?;
        let destination = self.destination?;
        match destination.iter().position(|&byte| byte == b'*') {
            None => Some(RefName::new(destination)),
            Some(at) => Some(RefName::new([&destination[..at], star, &destination[at + 1..]].concat())),
        }
    }
}
