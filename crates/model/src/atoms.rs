//! Text in its smallest pieces: words, names, paths and numbers, without what stands between them.
//!
//! What tells words of our own from foreign ones works on these.

/// The pieces of a text, in order.
///
/// A piece ends at a blank, a quote, a bracket or a sign of punctuation; `/`, `-`, `_`, `@` and a
/// period in the middle belong to it, so that a path, a name or a key of the configuration is one piece.
/// A time in RFC 3339 is one, too.
pub fn atoms(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(is_between);
        if rest.is_empty() {
            return None;
        }
        let end = match time(rest) {
            Some(time) => time.len(),
            None => rest.find(is_between).unwrap_or(rest.len()),
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece.trim_end_matches('.'))
    })
    .filter(|piece| !piece.is_empty())
}

/// Does this character stand between pieces?
fn is_between(char: char) -> bool {
    char.is_whitespace() || char.is_control() || "`\"',;:()[]{}<>|=!?*&$#^~\\…·–—→+%".contains(char)
}

/// The time in RFC 3339, UTC and whole seconds, at the beginning of the text.
fn time(text: &str) -> Option<&str> {
    const FORM: &[u8] = b"dddd-dd-ddTdd:dd:ddZ";
    let time = text.get(..FORM.len())?;
    let fits = |(byte, form): (u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == *form };
    time.bytes().zip(FORM).all(fits).then_some(time)
}

/// Is this piece a number that tells nothing of anybody: a count, a version, a length of time, a time?
pub fn is_number(piece: &str) -> bool {
    /// More digits are an account, a card or a token.
    const DIGITS_AT_MOST: usize = 9;
    /// Letters of a unit: `14d`, `3KiB`.
    const UNIT_AT_MOST: usize = 3;
    if time(piece).is_some_and(|time| time.len() == piece.len()) {
        return true;
    }
    let piece = piece.strip_prefix('-').unwrap_or(piece);
    let number = piece.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let n_digits = number.bytes().filter(u8::is_ascii_digit).count();
    (1..=DIGITS_AT_MOST).contains(&n_digits)
        && piece.len() - number.len() <= UNIT_AT_MOST
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_falls_into_words_names_and_numbers() {
        let told = |text: &'static str| atoms(text).collect::<Vec<_>>();
        assert_eq!(
            told("`origin/main` is 12 behind (limit: 10)."),
            ["origin/main", "is", "12", "behind", "limit", "10"]
        );
        assert_eq!(
            told("at 2026-11-28T09:00:00Z: password=hunter2"),
            ["at", "2026-11-28T09:00:00Z", "password", "hunter2"]
        );
        assert_eq!(told("core.hooksPath, a@b.org…"), ["core.hooksPath", "a@b.org"]);
        assert_eq!(told(" … \n"), [""; 0]);
    }

    #[test]
    fn counts_and_versions_are_numbers_and_tokens_are_not() {
        for number in ["12", "1.50", "2.47.3", "14d", "3KiB", "2026-11-28T09:00:00Z", "-5"] {
            assert!(is_number(number), "{number}");
        }
        for other in ["4111111111111111", "12/3", "5551234567", "1a2b3c", "", "d", "2026-11-28"] {
            assert!(!is_number(other), "{other}");
        }
    }
}
