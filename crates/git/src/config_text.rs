//! Reads the text of one Git configuration file, as Git reads it.
//!
//! Only for what must be known before any git may be started on a repository: its
//! format, its extensions and whether it has a working tree. Git itself follows no
//! include for these either. Everything else is asked of git.
//!
//! Source of the grammar: git-config(1), "Syntax", and config.c of Git 2.47.

/// One setting of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// `section.key` or `section.name.key`; section and key in lower case.
    pub(crate) key: Vec<u8>,
    /// Its value; `None` for a key without `=`, which means true.
    pub(crate) value: Option<Vec<u8>>,
}

/// The line that is no configuration, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is not valid configuration")]
pub(crate) struct BadLine(pub(crate) usize);

/// All settings of a text, in its order.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<Pair>, BadLine> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = Reader { text, at: 0, line: 1 };
    let mut pairs = Vec::new();
    let mut section = Vec::new();
    while let Some(byte) = reader.next() {
        let line = reader.line;
        match byte {
            b'\n' => {}
            byte if is_space(byte) => {}
            b'#' | b';' => reader.skip_line(),
            b'[' => section = reader.section().ok_or(BadLine(line))?,
            byte if byte.is_ascii_alphabetic() => pairs.push(reader.pair(&section, byte).ok_or(BadLine(line))?),
            _ => return Err(BadLine(line)),
        }
    }
    Ok(pairs)
}

/// What a value means as a boolean; `None` when it is none.
pub(crate) fn boolean(value: Option<&[u8]>) -> Option<bool> {
    let Some(value) = value else { return Some(true) };
    match value.to_ascii_lowercase().as_slice() {
        b"true" | b"yes" | b"on" => Some(true),
        b"" | b"false" | b"no" | b"off" => Some(false),
        _ => number(value).map(|number| number != 0),
    }
}

/// What a value means as a number, with Git's suffixes `k`, `m` and `g`; `None` when it is none.
pub(crate) fn number(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?.trim_ascii_start();
    let (digits, unit) = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => (&text[..text.len() - 1], 1 << 10),
        b'm' => (&text[..text.len() - 1], 1 << 20),
        b'g' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    digits.parse::<i64>().ok()?.checked_mul(unit)
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Reader<'_> {
    /// The next byte; a line that ends in CR LF ends in LF.
    fn next(&mut self) -> Option<u8> {
        if self.text[self.at..].starts_with(b"\r\n") {
            self.at += 1;
        }
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|byte| byte != b'\n') {}
    }

    /// Behind `[`: the section, with its name behind a dot.
    fn section(&mut self) -> Option<Vec<u8>> {
        let mut section = Vec::new();
        loop {
            match self.next()? {
                b']' => return Some(section).filter(|section| !section.is_empty()),
                byte if is_space(byte) => return self.section_name(section, byte),
                byte if is_key(byte) || byte == b'.' => section.push(byte.to_ascii_lowercase()),
                _ => return None,
            }
        }
    }

    /// Behind `[section`: its quoted name and `]`.
    fn section_name(&mut self, mut section: Vec<u8>, mut byte: u8) -> Option<Vec<u8>> {
        while is_space(byte) {
            if byte == b'\n' {
                return None;
            }
            byte = self.next()?;
        }
        if byte != b'"' {
            return None;
        }
        section.push(b'.');
        loop {
            match self.next()? {
                b'\n' => return None,
                b'"' => break,
                b'\\' => section.push(self.next().filter(|&byte| byte != b'\n')?),
                byte => section.push(byte),
            }
        }
        (self.next()? == b']').then_some(section)
    }

    /// A key that begins with `first`, and its value.
    fn pair(&mut self, section: &[u8], first: u8) -> Option<Pair> {
        let dot: &[u8] = if section.is_empty() { b"" } else { b"." };
        let mut key = [section, dot, &[first.to_ascii_lowercase()]].concat();
        let mut byte = self.next_or_end();
        while is_key(byte) {
            key.push(byte.to_ascii_lowercase());
            byte = self.next_or_end();
        }
        while byte == b' ' || byte == b'\t' {
            byte = self.next_or_end();
        }
        match byte {
            b'\n' => Some(Pair { key, value: None }),
            b'=' => Some(Pair { key, value: Some(self.value()?) }),
            _ => None,
        }
    }

    fn value(&mut self) -> Option<Vec<u8>> {
        let (mut value, mut trimmed, mut is_quoted) = (Vec::new(), 0, false);
        loop {
            match self.next_or_end() {
                b'\n' if is_quoted => return None,
                b'\n' => break,
                byte if is_space(byte) && !is_quoted => {
                    // Space in the middle counts, at both ends it does not.
                    if !value.is_empty() {
                        value.push(byte);
                    }
                    continue;
                }
                b'#' | b';' if !is_quoted => {
                    self.skip_line();
                    break;
                }
                b'"' => is_quoted = !is_quoted,
                // A line that goes on adds nothing, but space before that counts.
                b'\\' => value.extend(self.escaped()?),
                byte => value.push(byte),
            }
            trimmed = value.len();
        }
        value.truncate(trimmed);
        Some(value)
    }

    /// Behind a backslash: the byte it stands for, or `None` inside for a line that goes on.
    fn escaped(&mut self) -> Option<Option<u8>> {
        match self.next_or_end() {
            b'\n' => Some(None),
            b't' => Some(Some(b'\t')),
            b'b' => Some(Some(8)),
            b'n' => Some(Some(b'\n')),
            byte @ (b'\\' | b'"') => Some(Some(byte)),
            _ => None,
        }
    }

    fn next_or_end(&mut self) -> u8 {
        self.next().unwrap_or(b'\n')
    }
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Space as Git's ctype table has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let line = |pair: Pair| match pair.value {
            Some(value) => format!("{}={}", pair.key.escape_ascii(), value.escape_ascii()),
            None => pair.key.escape_ascii().to_string(),
        };
        match parse(text.as_bytes()) {
            Ok(pairs) => pairs.into_iter().map(line).collect::<Vec<_>>().join("|"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_text_is_read_as_git_reads_it() {
        assert_eq!(shown("[Core]\n\tBare = true\n"), "core.bare=true");
        assert_eq!(shown("[core] bare"), "core.bare");
        assert_eq!(shown("[a \"B.c\\\"\\d\"]k=1"), "a.B.c\\\"d.k=1");
        assert_eq!(shown("[a.B]k=1"), "a.b.k=1");
        assert_eq!(shown("[a]k= x  y \t# no\n"), "a.k=x  y");
        assert_eq!(shown("[a]k=\" x \";no\r\nb=\r\n"), "a.k= x |a.b=");
        assert_eq!(shown("[a]k=1\\\n2\\t\\\\"), "a.k=12\\t\\\\");
        assert_eq!(shown("\u{feff}[a]\n# c\n; d\nk=1"), "a.k=1");
    }

    #[test]
    fn what_git_refuses_is_refused() {
        assert_eq!(shown("[a]\n\nk=\"open\n"), "line 3 is not valid configuration");
        assert_eq!(shown("[a\n"), "line 1 is not valid configuration");
        assert_eq!(shown("[a]k 1"), "line 1 is not valid configuration");
        assert_eq!(shown("[a]k=\\x"), "line 1 is not valid configuration");
        assert_eq!(shown("1"), "line 1 is not valid configuration");
    }

    #[test]
    fn booleans_and_numbers_are_gits() {
        let bool_of = |text: &str| boolean(Some(text.as_bytes()));
        assert_eq!(boolean(None), Some(true));
        assert_eq!([bool_of("YES"), bool_of(""), bool_of("0"), bool_of("2k")], [true, false, false, true].map(Some));
        assert_eq!(bool_of("maybe"), None);
        assert_eq!(number(b"1g"), Some(1 << 30));
        assert_eq!(number(b"9999999999g"), None);
    }

    /// What git reads from a file, as it lists it; `None` when it refuses the file.
    fn as_git_lists(file: &std::path::Path) -> Option<Vec<u8>> {
        let mut git = std::process::Command::new("git");
        let output = git.args(["config", "-z", "--list", "--file"]).arg(file).output().unwrap();
        output.status.success().then_some(output.stdout)
    }

    fn as_we_list(text: &[u8]) -> Option<Vec<u8>> {
        let line = |pair: Pair| match pair.value {
            Some(value) => [&pair.key[..], b"\n", &value, b"\0"].concat(),
            None => [&pair.key[..], b"\0"].concat(),
        };
        Some(parse(text).ok()?.into_iter().flat_map(line).collect())
    }

    /// Texts from pieces that matter to the grammar, most of them nearly right.
    fn generated(count: usize) -> Vec<Vec<u8>> {
        const PIECES: [&str; 44] = [
            "[a]",
            "[A.b]",
            "[a \"B c\"]",
            "[a \"x\\\"y\\\\z\"]",
            "[a",
            "[a \"b\"",
            "[a\"b\"]",
            "[a \t\"b\"]",
            "[]",
            "[a-1]",
            "\n",
            "\n",
            "\n",
            "\r\n",
            " ",
            "\t",
            "key",
            "Key-2",
            "k_y",
            "2k",
            "=",
            " = ",
            "=\t",
            "value",
            "v  w",
            "\"",
            "\"q  q\"",
            "\\n",
            "\\t",
            "\\\"",
            "\\\\",
            "\\\n",
            "\\x",
            "#",
            ";",
            "# c\n",
            "; c",
            "true",
            "\u{feff}",
            "\u{e9}",
            "k = v\n",
            "k\n",
            "\rk",
            "\r",
        ];
        let mut seed = 7_u64;
        let mut next = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let mut text = move || {
            let start = if next(8) == 0 { "" } else { "[s]\nk = " };
            let pieces = (0..1 + next(9)).map(|_| PIECES[next(PIECES.len())]).collect::<String>();
            format!("{start}{pieces}").into_bytes()
        };
        (0..count).map(|_| text()).collect()
    }

    #[test]
    fn made_up_texts_are_read_exactly_as_git_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        let mut n_read = 0;
        for text in generated(700) {
            std::fs::write(&file, &text).unwrap();
            // Until 2.44 git read all space in a value as spaces.
            let as_spaces =
                |list: Vec<u8>| list.into_iter().map(|byte| if is_space(byte) { b' ' } else { byte }).collect();
            let gits: Option<Vec<u8>> = as_git_lists(&file).map(as_spaces);
            n_read += usize::from(gits.is_some());
            assert_eq!(as_we_list(&text).map(as_spaces), gits, "{}", text.escape_ascii());
        }
        assert!(150 < n_read && n_read < 650, "{n_read}");
    }
}
