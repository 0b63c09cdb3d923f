//! The file packed-refs: one line a ref, and below a tag the object it names.
//!
//! Git gives up on the whole file at the first bad line; here that line alone is broken.

use std::path::Path;

use alignwatch_model::snapshot::BrokenRef;
use alignwatch_model::{Oid, RefName};

use super::{Raw, RefsError, Target, check_name};
use crate::files;

/// Largest packed-refs that is read: some ten million refs.
const FILE_BYTES: u64 = 1 << 30;

/// Bad lines that are listed; a file with more is no packed-refs.
const BAD_LINES_AT_MOST: usize = 100;

/// What packed-refs holds: its refs, sorted by name, and the lines that are none.
#[derive(Default)]
pub(super) struct Packed {
    pub(super) refs: Vec<Raw>,
    pub(super) broken: Vec<BrokenRef>,
}

/// Reads the file; none means that no ref is packed.
pub(super) fn read(file: &Path, hex_len: usize) -> Result<Packed, RefsError> {
    let unreadable = |cause: std::io::Error| RefsError::Unreadable { path: file.into(), cause: cause.to_string() };
    let text = files::read(file, FILE_BYTES).map_err(unreadable)?;
    Ok(text.map(|text| parse(&text, hex_len)).unwrap_or_default())
}

fn parse(text: &[u8], hex_len: usize) -> Packed {
    // A line is at least this long, so no file can make us reserve more than its own size.
    let mut packed = Packed { refs: Vec::with_capacity(text.len() / (hex_len + 16)), broken: Vec::new() };
    let mut rest = text;
    let mut n_lines = 0;
    while !rest.is_empty() {
        n_lines += 1;
        let end = memchr::memchr(b'\n', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        rest = end.map_or(&b""[..], |end| &rest[end + 1..]);
        let reason = if end.is_none() { Some("its line has no end, so its name may be cut off") } else { None };
        packed.take(line, hex_len, n_lines, reason);
    }
    packed.sort();
    packed
}

impl Packed {
    fn take(&mut self, line: &[u8], hex_len: usize, number: usize, cut: Option<&str>) {
        if number == 1 && line.starts_with(b"#") {
            return;
        }
        if let Some(hex) = line.strip_prefix(b"^") {
            match (Oid::from_hex(hex), self.refs.last_mut()) {
                (Ok(oid), Some(tag)) if hex.len() == hex_len => return tag.peeled = Some(oid),
                _ => return self.bad_line(number),
            }
        }
        match (line.get(..hex_len).map(Oid::from_hex), line.get(hex_len), line.get(hex_len + 1..)) {
            (Some(Ok(oid)), Some(b' '), Some(name)) if !name.is_empty() => self.add(oid, name, cut),
            _ => self.bad_line(number),
        }
    }

    fn add(&mut self, oid: Oid, name: &[u8], cut: Option<&str>) {
        let target = match (cut, check_name(name)) {
            (Some(cut), _) => Err(cut.to_owned()),
            (None, Err(error)) => Err(error.to_string()),
            (None, Ok(())) if oid.is_null() => Err("it points to nothing (the id is all zeros)".into()),
            (None, Ok(())) => Ok(Target::Oid(oid)),
        };
        self.refs.push(Raw { name: RefName::new(name), target, peeled: None });
    }

    fn bad_line(&mut self, number: usize) {
        if self.broken.len() < BAD_LINES_AT_MOST {
            let name = RefName::new(format!("packed-refs:{number}"));
            self.broken.push(BrokenRef { name, oid: None, reason: "this line of packed-refs is no ref".into() });
        }
    }

    /// Git writes the file sorted, and long ago did not. Of two lines with one name the last counts.
    fn sort(&mut self) {
        if self.refs.is_sorted_by(|a, b| a.name < b.name) {
            return;
        }
        self.refs.reverse();
        self.refs.sort_by(|a, b| a.name.cmp(&b.name));
        self.refs.dedup_by(|a, b| a.name == b.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let packed = parse(text.as_bytes(), 4);
        let line = |raw: Raw| match raw.target {
            Ok(_) => format!("{} {}", raw.name, raw.peeled.is_some()),
            Err(reason) => format!("{} {reason}", raw.name),
        };
        let broken = packed.broken.into_iter().map(|broken| format!("{} {}", broken.name, broken.reason));
        packed.refs.into_iter().map(line).chain(broken).collect()
    }

    #[test]
    fn a_short_id_is_no_ref_whatever_the_length_that_is_asked_for() {
        assert_eq!(shown("abcd refs/heads/x\n"), ["packed-refs:1 this line of packed-refs is no ref"]);
    }
}
