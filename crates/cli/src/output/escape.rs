//! Makes foreign text harmless, with one function for each sink.
//!
//! Those for text are of the model, which others use, too; JSON loses nothing: there, the same characters
//! are written as `\uNNNN`.

use std::io::{self, Write};

pub use alignwatch_model::escape::{
    is_unsafe, markdown, markdown_block, markdown_cell, markdown_code, sarif, terminal, xml,
};
use serde::Serialize;

/// A value as indented JSON with a newline at its end, in which even a terminal finds nothing to obey.
///
/// Panics when the value is none that JSON can hold (a map with keys that are no text): our own broken promise.
pub fn json(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let formatter = Harmless { pretty: serde_json::ser::PrettyFormatter::new() };
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    value.serialize(&mut serializer).expect("our documents have text as keys, and memory takes every byte");
    out.push(b'\n');
    String::from_utf8(out).expect("JSON is made of text")
}

/// Pretty JSON that writes unsafe characters as `\uNNNN`, which readers turn back into the same text.
struct Harmless {
    pretty: serde_json::ser::PrettyFormatter<'static>,
}

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_unsafe) {
            let (safe, hurting) = rest.split_at(at);
            let char = hurting.chars().next().expect("a character was found there");
            writer.write_all(safe.as_bytes())?;
            for unit in char.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &hurting[char.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.pretty.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Names that hurt somebody once.
    const NAUGHTY: [&str; 16] = [
        "evil\u{202e}gnp",
        "\x1b]0;title\x07\x1b[2J",
        "\u{9b}31m csi in one character",
        "line\nfeed\r\n\ttab",
        "zero\u{200b}width\u{feff}",
        "<svg/onload=alert(1)>",
        "\"><script>alert('x')</script>&amp;",
        "=cmd()|' /C calc'!A0",
        "[click](javascript:alert(1)) ![x](http://x)",
        "@everyone #1 www.example.com https://example.com",
        "```\n# heading\n---\n| a | b |",
        "` `` ``` ````",
        "$(id) `id` ; | & > <",
        "\\[\\u{202e}",
        "tag \u{e0041}\u{e0042} selector \u{fe0f}\u{e0100}",
        "]]> <![CDATA[ \u{ffff} \0 \x7f",
    ];

    fn every_sink(text: &str) -> [String; 7] {
        [
            terminal(text).into_owned(),
            markdown(text),
            markdown_code(text),
            markdown_cell(text),
            xml(text),
            sarif(text),
            json(&text).trim_end().to_owned(),
        ]
    }

    fn assert_harmless(text: &str) {
        for shown in every_sink(text) {
            assert!(!shown.chars().any(is_unsafe), "{text:?} became {shown:?}");
            assert!(shown.bytes().all(|byte| byte >= 0x20), "{text:?} became {shown:?}");
        }
        let block = markdown_block("sh", [text, text]);
        assert_eq!(block.matches('\n').count(), 3, "{block:?}");
        assert!(!block.chars().any(|char| char != '\n' && is_unsafe(char)), "{block:?}");
    }

    fn assert_json_loses_nothing(text: &str) {
        assert_eq!(serde_json::from_str::<String>(&json(&text)).unwrap(), text);
    }

    #[test]
    fn naughty_names_do_nothing_in_any_sink() {
        for text in NAUGHTY {
            assert_harmless(text);
            assert_json_loses_nothing(text);
        }
    }

    proptest! {
        #[test]
        fn no_text_at_all_does_anything_in_any_sink(text in any::<String>()) {
            assert_harmless(&text);
            assert_json_loses_nothing(&text);
        }

        #[test]
        fn text_full_of_unsafe_characters_does_nothing(
            text in proptest::collection::vec(prop_oneof![
                proptest::char::range('\0', '\u{ff}'),
                proptest::char::range('\u{2000}', '\u{2070}'),
                proptest::char::range('\u{fe00}', '\u{ffff}'),
                proptest::char::range('\u{e0000}', '\u{e0fff}'),
            ], 0..40)
        ) {
            let text: String = text.into_iter().collect();
            assert_harmless(&text);
            assert_json_loses_nothing(&text);
        }
    }
}
