//! What was found, as bytes for the shelf.

use alignwatch_model::{Oid, branch::MarkedPath};

use super::forest::Look;

pub(super) fn key(kind: u8, oid: &Oid) -> Vec<u8> {
    [&[kind], oid.as_bytes()].concat()
}

/// Lines count from 1, so 0 is free to say that there is none.
pub(super) fn encode_look(look: &Look) -> Option<Vec<u8>> {
    match look {
        Look::Clean => Some(0u32.to_le_bytes().to_vec()),
        Look::Marked(line) => Some(line.to_le_bytes().to_vec()),
        Look::NotYet | Look::Unread(_) => None,
    }
}

pub(super) fn decode_look(value: &[u8]) -> Look {
    match value.try_into().map(u32::from_le_bytes) {
        Ok(0) => Look::Clean,
        Ok(line) => Look::Marked(line),
        Err(_) => Look::NotYet,
    }
}

pub(super) fn encode(marked: &[MarkedPath]) -> Vec<u8> {
    let mut value = Vec::new();
    for MarkedPath { blob, path, line } in marked {
        value.push(blob.as_bytes().len() as u8);
        value.extend(blob.as_bytes());
        value.extend(line.to_le_bytes());
        value.extend((path.len() as u32).to_le_bytes());
        value.extend(path.as_bytes());
    }
    value
}

/// `None` when the bytes are not what [`encode`] writes: then the tree is walked again.
pub(super) fn decode(value: &[u8]) -> Option<Vec<MarkedPath>> {
    let mut marked = Vec::new();
    let mut rest = value;
    while let Some((&oid_len, after)) = rest.split_first() {
        let (oid, after) = after.split_at_checked(oid_len as usize)?;
        let (line, after) = after.split_first_chunk()?;
        let (path_len, after) = after.split_first_chunk()?;
        let (path, after) = after.split_at_checked(u32::from_le_bytes(*path_len) as usize)?;
        let path = String::from_utf8(path.to_vec()).ok()?;
        marked.push(MarkedPath { blob: Oid::from_bytes(oid).ok()?, path, line: u32::from_le_bytes(*line) });
        rest = after;
    }
    Some(marked)
}
