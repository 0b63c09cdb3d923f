//! Foreign text in front of people: names inside of commands that they paste into a shell, and
//! characters that must not reach their terminal.

use crate::RefName;

/// A name as one word of a POSIX shell, whatever bytes it holds.
///
/// Plain names stay plain. Control characters and bytes that are not UTF-8 are
/// written as `$'\ooo'` (POSIX.1-2024), so that pasting a hostile name can do nothing.
pub fn shell_word(bytes: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+@%:,=^".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(is_plain) && bytes[0] != b'=' {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let is_harmless = |byte: &u8| (0x20..0x7f).contains(byte);
    if bytes.iter().all(is_harmless) {
        let text = String::from_utf8_lossy(bytes);
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = String::from("$'");
    for &byte in bytes {
        match byte {
            b'\'' | b'\\' => word.extend(['\\', byte as char]),
            0x20..0x7f => word.push(byte as char),
            _ => word.push_str(&format!("\\{byte:03o}")),
        }
    }
    word.push('\'');
    word
}

/// A ref as one word of a shell, by its full name, so that no tag or option can take its place.
pub fn shell_ref(name: &RefName) -> String {
    shell_word(name.as_bytes())
}

/// Would this character be obeyed, turn the text around, or hide?
///
/// Source: Unicode 16 `Bidi_Control` and `Default_Ignorable_Code_Point`, the
/// control characters, the separators that end a line, and the interlinear marks.
/// Ordinary combining marks stay: names in many languages need them.
pub fn is_unsafe(char: char) -> bool {
    matches!(char,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Each character of a text, and whether it must be made visible.
///
/// The sign that asks for the picture of a character stays where it stands behind one: most messages of agents begin so.
pub fn seen(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut is_behind_picture = false;
    text.chars().map(move |char| {
        let hides = is_unsafe(char) && !(char == AS_PICTURE && is_behind_picture);
        is_behind_picture = matches!(char, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}');
        (char, hides)
    })
}

/// Variation selector 16. Source: UTS 51, emoji presentation selector.
const AS_PICTURE: char = '\u{fe0f}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_plain() {
        assert_eq!(shell_word(b"refs/heads/feature/x-1.2"), "refs/heads/feature/x-1.2");
    }

    #[test]
    fn hostile_names_become_one_harmless_word() {
        assert_eq!(shell_word(b"a;rm -rf $HOME"), "'a;rm -rf $HOME'");
        assert_eq!(shell_word(b"it's"), r"'it'\''s'");
        assert_eq!(shell_word(b"\x1b[31m\nx'\\"), r"$'\033[31m\012x\'\\'");
        assert_eq!(shell_word(b"\xff"), r"$'\377'");
        assert_eq!(shell_word(b""), "''");
        assert_eq!(shell_word("\u{202e}".as_bytes()), r"$'\342\200\256'");
    }
}
