//! Conflict markers in a text.

use memchr::memmem;

/// Bytes at the start in which a NUL makes a file binary. Source: Git's `buffer_is_binary`.
const BINARY_WITHIN_BYTES: usize = 8000;

/// The line of the first marker, counted from 1, if a whole conflict is marked in this text.
///
/// A conflict is a line of seven `<`, later one of seven `=`, later one of seven
/// `>`, each followed by a space or the end of the line, as Git writes them; a
/// `|||||||` part may stand between. A new `<<<<<<<` begins anew.
pub fn first_triple(text: &[u8]) -> Option<u32> {
    let finder = memmem::Finder::new(b"<<<<<<<");
    let starts_line = |&at: &usize| at == 0 || text[at - 1] == b'\n';
    let first = finder.find_iter(text).find(starts_line)?;
    let (mut opened_at, mut is_split) = (None, false);
    let mut line_at = first;
    while line_at < text.len() {
        let end = memchr::memchr(b'\n', &text[line_at..]).map_or(text.len(), |length| line_at + length);
        match marker(&text[line_at..end]) {
            Some(b'<') => (opened_at, is_split) = (Some(line_at), false),
            Some(b'=') => is_split = true,
            Some(_) if is_split => {
                // Marks of several merges can lie inside of each other, so an end before the middle ends nothing.
                if let Some(at) = opened_at {
                    return Some(memchr::memchr_iter(b'\n', &text[..at]).count() as u32 + 1);
                }
            }
            _ => {}
        }
        line_at = end + 1;
    }
    None
}

/// The sign of which this line is a marker.
fn marker(line: &[u8]) -> Option<u8> {
    let sign = *line.first()?;
    let is_marker = b"<=>".contains(&sign)
        && line.len() >= 7
        && line[..7].iter().all(|&byte| byte == sign)
        && line.get(7).is_none_or(|byte| b" \r\t".contains(byte));
    is_marker.then_some(sign)
}

/// Would Git call it binary?
pub(super) fn is_binary(content: &[u8]) -> bool {
    memchr::memchr(0, &content[..content.len().min(BINARY_WITHIN_BYTES)]).is_some()
}
