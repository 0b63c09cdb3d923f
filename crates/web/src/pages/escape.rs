//! Foreign text in pages: text and nothing else, with all of it to be seen.
//!
//! Besides what HTML gives a meaning, characters that turn text around, hide, or end a line become visible, as
//! `\u{202e}`, so that no branch can look like another one.

use std::fmt::{self, Write};

use alignwatch_model::quote::seen;
use askama::filters::{Escaper, Html};

/// The escaper of all templates.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        if !seen(text).any(is_hidden) {
            return Html.write_escaped_str(dest, text);
        }
        for (char, hides) in seen(text) {
            match is_hidden((char, hides)) {
                true => write!(dest, "{}", char.escape_unicode())?,
                false => Html.write_escaped_char(&mut dest, char)?,
            }
        }
        Ok(())
    }
}

/// A line may end: that shows as a space, or as the end of a line of output.
fn is_hidden((char, hides): (char, bool)) -> bool {
    hides && char != '\n'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_what_hides_become_text() {
        let mut page = String::new();
        Visible.write_escaped_str(&mut page, "<svg/onload=alert(1)>&\"' a\u{202e}b\u{200b}c\x1b[31m\r\n").unwrap();
        assert_eq!(page, "&#60;svg/onload=alert(1)&#62;&#38;&#34;&#39; a\\u{202e}b\\u{200b}c\\u{1b}[31m\\u{d}\n");
    }
}
