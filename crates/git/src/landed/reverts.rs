//! Which commits a message says to revert.

/// Digits of an abbreviated id that are believed: what Git itself abbreviates to at least.
const DIGITS_AT_LEAST: usize = 7;

/// Commits that one message may name; more is no revert but a list.
const NAMED_AT_MOST: usize = 100;

/// The ids, as lower-case digits and perhaps abbreviated, behind `This reverts commit`, as `git revert` writes it.
pub(super) fn named(message: &[u8]) -> Vec<String> {
    let words = b"This reverts commit ";
    let ids = memchr::memmem::find_iter(message, words).map(|at| {
        let digits = message[at + words.len()..].iter().take(64).take_while(|byte| byte.is_ascii_hexdigit());
        digits.map(|&byte| char::from(byte.to_ascii_lowercase())).collect::<String>()
    });
    ids.filter(|id| DIGITS_AT_LEAST <= id.len()).take(NAMED_AT_MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_and_abbreviated_ids_are_found_and_nothing_else() {
        let full = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(named(format!("Revert \"x\"\n\nThis reverts commit {full}.\n").as_bytes()), [full]);
        assert_eq!(named(b"Revert x\n\nThis reverts commit 0123ABC (x, 2026-01-02).\n"), ["0123abc"]);
        assert!(named(b"This reverts commit 0123.\nThis reverts the commit 0123456").is_empty());
    }
}
