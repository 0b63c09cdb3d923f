//! Reads the text of a sketch into lines of items. The language is described at [`super::sketch`].

use super::{Place, START, SketchError};

/// A line of the sketch.
#[derive(Debug)]
pub(super) enum Line {
    /// A ref, or no name at all, and its commits.
    Commits { target: Target, items: Vec<Item>, at: Place },
    /// A ref that points to a ref. Both are full names.
    Symbolic { from: Vec<u8>, to: Vec<u8> },
}

/// What a line names.
#[derive(Debug)]
pub(super) enum Target {
    /// `-`: nothing.
    Nothing,
    /// A ref by its full name, or `HEAD`.
    Ref(Vec<u8>),
    /// An annotated tag by its full ref name.
    Tag(Vec<u8>),
}

/// A commit as it stands in a line.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) label: String,
    pub(super) merged: Vec<String>,
    pub(super) committed_at: Option<i64>,
    pub(super) authored_at: Option<i64>,
    pub(super) author: Option<String>,
    pub(super) message: Option<Vec<u8>>,
    pub(super) changes: Option<Vec<Change>>,
    pub(super) at: Place,
}

/// One change of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Write { path: Vec<u8>, content: Vec<u8> },
    EditLine { path: Vec<u8>, line: usize, text: Vec<u8> },
    Append { path: Vec<u8>, text: Vec<u8> },
    Delete { path: Vec<u8> },
    Rename { from: Vec<u8>, to: Vec<u8> },
    SetExecutable { path: Vec<u8>, executable: bool },
    Link { path: Vec<u8>, target: Vec<u8> },
    Submodule { path: Vec<u8>, digits: String },
}

impl Item {
    /// Says more than a label, so it must be the place where the commit is drawn.
    pub(super) fn has_details(&self) -> bool {
        !self.merged.is_empty()
            || self.committed_at.is_some()
            || self.author.is_some()
            || self.message.is_some()
            || self.changes.is_some()
    }
}

/// Reads all lines.
pub(super) fn read(text: &str) -> Result<Vec<Line>, SketchError> {
    let mut lines = Vec::new();
    for (number, source) in text.lines().enumerate() {
        let mut reader = Reader { text, chars: source.chars().collect(), line: number, at: 0 };
        reader.skip_space();
        if !reader.is_done() {
            lines.push(reader.read_line()?);
        }
    }
    Ok(lines)
}

struct Reader<'a> {
    text: &'a str,
    chars: Vec<char>,
    line: usize,
    at: usize,
}

impl Reader<'_> {
    fn read_line(&mut self) -> Result<Line, SketchError> {
        let at = self.place();
        let Some(end) = self.find_separator() else {
            return Err(self.error("a line is `name: commits` or `ref -> ref`"));
        };
        let name: String = self.chars[self.at..end].iter().collect();
        let is_symbolic = self.chars[end] == '-';
        self.at = end + if is_symbolic { 2 } else { 1 };
        if is_symbolic {
            let to: String = self.rest_without_comment();
            return Ok(Line::Symbolic { from: self.ref_name(&name, at)?, to: self.ref_name(&to, at)? });
        }
        Ok(Line::Commits { target: self.target(&name, at)?, items: self.read_items()?, at })
    }

    /// The colon behind a name, or the arrow between two.
    fn find_separator(&self) -> Option<usize> {
        (self.at..self.chars.len())
            .find(|&at| self.chars[at] == ':' || self.chars[at] == '-' && self.chars.get(at + 1) == Some(&'>'))
    }

    fn rest_without_comment(&mut self) -> String {
        let rest: String = self.chars[self.at..].iter().collect();
        rest.split(" #").next().unwrap_or_default().to_owned()
    }

    fn target(&self, name: &str, at: Place) -> Result<Target, SketchError> {
        match name.trim() {
            "-" => Ok(Target::Nothing),
            name => match name.strip_prefix("tag ") {
                Some(tag) => Ok(Target::Tag(self.ref_name(&format!("refs/tags/{}", tag.trim()), at)?)),
                None => Ok(Target::Ref(self.ref_name(name, at)?)),
            },
        }
    }

    fn ref_name(&self, name: &str, at: Place) -> Result<Vec<u8>, SketchError> {
        let name = name.trim();
        if name.is_empty() {
            return Err(at.error(self.text, "a name is missing"));
        }
        let full = match name.strip_prefix("remote ") {
            Some(remote) => format!("refs/remotes/{}", remote.trim()),
            None if name == "HEAD" || name.starts_with("refs/") => name.to_owned(),
            None => format!("refs/heads/{name}"),
        };
        unescape(&full).map_err(|problem| at.error(self.text, problem))
    }

    fn read_items(&mut self) -> Result<Vec<Item>, SketchError> {
        let mut items = Vec::new();
        self.skip_space();
        while !self.is_done() {
            items.push(self.read_item()?);
            self.skip_space();
        }
        Ok(items)
    }

    fn read_item(&mut self) -> Result<Item, SketchError> {
        let at = self.place();
        let label = self.read_label()?;
        let mut item = Item {
            label,
            merged: Vec::new(),
            committed_at: None,
            authored_at: None,
            author: None,
            message: None,
            changes: None,
            at,
        };
        while let Some(mark) = self.peek().filter(|c| !c.is_whitespace()) {
            self.at += 1;
            match mark {
                '<' => item.merged = self.read_labels()?,
                '@' => (item.committed_at, item.authored_at) = self.read_dates()?,
                '~' => item.author = Some(self.read_label()?),
                '\'' => item.message = Some(self.read_message()?),
                '(' => item.changes = Some(self.read_changes()?),
                _ => {
                    self.at -= 1;
                    return Err(self.error(format!("`{mark}` has no meaning behind a commit")));
                }
            }
        }
        Ok(item)
    }

    fn read_labels(&mut self) -> Result<Vec<String>, SketchError> {
        let mut labels = vec![self.read_label()?];
        while self.peek() == Some(',') {
            self.at += 1;
            labels.push(self.read_label()?);
        }
        Ok(labels)
    }

    fn read_label(&mut self) -> Result<String, SketchError> {
        let label = self.take_while(|c| c.is_alphanumeric() || "_.-".contains(c));
        if label.is_empty() { Err(self.error("a label of letters and digits is missing")) } else { Ok(label) }
    }

    fn read_dates(&mut self) -> Result<(Option<i64>, Option<i64>), SketchError> {
        let committed_at = self.read_date()?;
        if self.peek() != Some('/') {
            return Ok((Some(committed_at), None));
        }
        self.at += 1;
        Ok((Some(committed_at), Some(self.read_date()?)))
    }

    fn read_date(&mut self) -> Result<i64, SketchError> {
        let at = self.place();
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || "+-:".contains(c));
        date(&word).ok_or_else(|| {
            let problem = format!("`{word}` is no date (write it like `2026-03-04`, `2026-03-04T05:06:07Z` or `+3d`)");
            at.error(self.text, problem)
        })
    }

    fn read_message(&mut self) -> Result<Vec<u8>, SketchError> {
        let begin = self.place();
        let raw = self.take_raw('\'', None).ok_or_else(|| begin.error(self.text, "this message has no end"))?;
        lines_of(&raw).map_err(|problem| begin.error(self.text, problem))
    }

    fn read_changes(&mut self) -> Result<Vec<Change>, SketchError> {
        let begin = self.place();
        let raw = self.take_raw(')', Some('(')).ok_or_else(|| begin.error(self.text, "this `(` has no `)`"))?;
        let parts = split_unescaped(&raw, ',').into_iter().map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| change(part).map_err(|problem| begin.error(self.text, problem))).collect()
    }

    /// All up to `close`, which is taken too. `open` nests; a backslash takes the next character along.
    fn take_raw(&mut self, close: char, open: Option<char>) -> Option<String> {
        let (mut raw, mut depth) = (String::new(), 0);
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '\\' => {
                    raw.push(c);
                    raw.extend(self.peek());
                    self.at += 1;
                    continue;
                }
                c if c == close && depth == 0 => return Some(raw),
                c if c == close => depth -= 1,
                c if Some(c) == open => depth += 1,
                _ => {}
            }
            raw.push(c);
        }
        None
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let begin = self.at;
        while self.peek().is_some_and(&belongs) {
            self.at += 1;
        }
        self.chars[begin..self.at].iter().collect()
    }

    fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
        if self.peek() == Some('#') {
            self.at = self.chars.len();
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn is_done(&self) -> bool {
        self.at >= self.chars.len()
    }

    fn place(&self) -> Place {
        Place { line: self.line, column: self.at }
    }

    fn error(&self, problem: impl Into<String>) -> SketchError {
        self.place().error(self.text, problem)
    }
}

fn change(part: &str) -> Result<Change, String> {
    if let Some(path) = part.strip_prefix("+x ") {
        return Ok(Change::SetExecutable { path: path_of(path)?, executable: true });
    }
    if let Some(path) = part.strip_prefix("-x ") {
        return Ok(Change::SetExecutable { path: path_of(path)?, executable: false });
    }
    if let Some(path) = part.strip_prefix('-') {
        return Ok(Change::Delete { path: path_of(path)? });
    }
    let (path, sign, value) = split_at_sign(part)
        .ok_or_else(|| format!("`{part}` is no change (write it like `f=text`, `-f`, `f=>g` or `f->target`)"))?;
    match sign {
        "=>" => Ok(Change::Rename { from: path_of(path)?, to: path_of(value)? }),
        "->" => Ok(Change::Link { path: path_of(path)?, target: unescape(value)? }),
        ":=" => Ok(Change::Write { path: path_of(path)?, content: without_last_break(lines_of(value)?) }),
        _ => written(path, value),
    }
}

/// The path, the sign that comes first in a change, and what is behind it.
fn split_at_sign(part: &str) -> Option<(&str, &'static str, &str)> {
    let found = ["=>", "->", ":=", "="].into_iter().filter_map(|sign| Some((part.find(sign)?, sign)));
    let (at, sign) = found.min_by_key(|(at, sign)| (*at, usize::MAX - sign.len()))?;
    Some((part[..at].trim(), sign, part[at + sign.len()..].trim()))
}

fn written(path: &str, value: &str) -> Result<Change, String> {
    if let Some(digits) = value.strip_prefix('@') {
        return submodule(path, digits);
    }
    if let Some((path, line)) = path.strip_suffix(']').and_then(|inside| inside.rsplit_once('[')) {
        return edited(path, line, value);
    }
    let content = match (value.strip_prefix("0x"), range(value)) {
        (Some(digits), _) => bytes_of_hex(digits)?,
        (_, Some((first, last))) => (first..=last).map(|n| format!("{n}\n")).collect::<String>().into_bytes(),
        _ if value.is_empty() => Vec::new(),
        _ => lines_of(value)?,
    };
    Ok(Change::Write { path: path_of(path)?, content })
}

fn submodule(path: &str, digits: &str) -> Result<Change, String> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(format!("`{digits}` are no hexadecimal digits of a submodule's commit"));
    }
    Ok(Change::Submodule { path: path_of(path)?, digits: digits.to_ascii_lowercase() })
}

fn edited(path: &str, line: &str, value: &str) -> Result<Change, String> {
    let (path, text) = (path_of(path)?, lines_of(value)?);
    match (line, line.parse()) {
        ("+", _) => Ok(Change::Append { path, text }),
        (_, Ok(line)) if line > 0 => Ok(Change::EditLine { path, line, text }),
        _ => Err(format!("`[{line}]` is no line (write it like `f[3]=text` or `f[+]=text`)")),
    }
}

fn range(value: &str) -> Option<(u32, u32)> {
    let (first, last) = value.split_once("..")?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn path_of(raw: &str) -> Result<Vec<u8>, String> {
    let path = unescape(raw.trim())?;
    let is_wrong = path.is_empty() || path.split(|&byte| byte == b'/').any(<[u8]>::is_empty);
    if is_wrong { Err(format!("`{raw}` is no path of a file")) } else { Ok(path) }
}

/// The text with `|` as line breaks and one at the end.
fn lines_of(raw: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    for line in split_unescaped(raw, '|') {
        bytes.extend(unescape(line)?);
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn without_last_break(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.pop();
    bytes
}

fn bytes_of_hex(digits: &str) -> Result<Vec<u8>, String> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2);
    pairs.map(byte).collect::<Option<_>>().ok_or_else(|| format!("`0x{digits}` are no whole bytes"))
}

/// Splits at `separator` outside of parentheses, but not where a backslash stands before it.
fn split_unescaped(raw: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut begin, mut depth, mut is_escaped) = (Vec::new(), 0, 0_usize, false);
    for (at, c) in raw.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if c == separator && (depth == 0 || separator == '|') => {
                parts.push(&raw[begin..at]);
                begin = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&raw[begin..]);
    parts
}

fn unescape(raw: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        match chars.next() {
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('s') => bytes.push(b' '),
            Some('e') => bytes.push(0x1b),
            Some('x') => bytes.push(hex_byte(&mut chars).ok_or("`\\x` needs two hexadecimal digits")?),
            Some(other) => bytes.extend(other.encode_utf8(&mut [0; 4]).bytes()),
            None => return Err("nothing stands behind the backslash".to_owned()),
        }
    }
    Ok(bytes)
}

fn hex_byte(chars: &mut std::str::Chars<'_>) -> Option<u8> {
    let (high, low) = (chars.next()?.to_digit(16)?, chars.next()?.to_digit(16)?);
    Some((high << 4 | low) as u8)
}

/// Seconds since 1970 of a date as a sketch writes it.
fn date(word: &str) -> Option<i64> {
    if word.starts_with('+') || word.starts_with('-') {
        return Some(START + offset(word)?);
    }
    if let Ok(seconds) = word.parse() {
        return Some(seconds);
    }
    let (day, time) = word.split_once('T').unwrap_or((word, "00:00:00Z"));
    let [year, month, day] = numbers(day, '-')?;
    let [hour, minute, second] = numbers(time.strip_suffix('Z')?, ':')?;
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
    is_date.then(|| days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn offset(word: &str) -> Option<i64> {
    let unit = match word.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    word[..word.len() - 1].parse::<i64>().ok()?.checked_mul(unit)
}

fn numbers(word: &str, separator: char) -> Option<[i64; 3]> {
    let numbers: Vec<i64> = word.split(separator).map(str::parse).collect::<Result<_, _>>().ok()?;
    numbers.try_into().ok()
}

/// Days from 1970-01-01 in the Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_the_calendar_has_them() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2026-01-01"), Some(START));
        assert_eq!(date("2024-02-29T23:59:59Z"), Some(1_709_251_199));
        assert_eq!(date("+3d"), Some(START + 259_200));
        assert_eq!(date("-2h"), Some(START - 7_200));
        assert_eq!(date("2026-13-01"), None);
        assert_eq!(date("tomorrow"), None);
    }

    #[test]
    fn each_kind_of_change_is_told_by_its_sign() {
        let path = || b"f".to_vec();
        assert_eq!(change("f=a|b"), Ok(Change::Write { path: path(), content: b"a\nb\n".to_vec() }));
        assert_eq!(change("f:=a"), Ok(Change::Write { path: path(), content: b"a".to_vec() }));
        assert_eq!(change("f=0x00ff"), Ok(Change::Write { path: path(), content: vec![0, 255] }));
        assert_eq!(change("f=a=>b"), Ok(Change::Write { path: path(), content: b"a=>b\n".to_vec() }));
        assert_eq!(change("f[2]=x"), Ok(Change::EditLine { path: path(), line: 2, text: b"x\n".to_vec() }));
        assert_eq!(change("f=>g"), Ok(Change::Rename { from: path(), to: b"g".to_vec() }));
        assert_eq!(change("f->../g"), Ok(Change::Link { path: path(), target: b"../g".to_vec() }));
        assert_eq!(change("f=@1a"), Ok(Change::Submodule { path: path(), digits: "1a".into() }));
        assert_eq!(change("-x f"), Ok(Change::SetExecutable { path: path(), executable: false }));
        assert!(change("f").is_err());
        assert!(change("f[0]=x").is_err());
    }

    #[test]
    fn commas_and_parentheses_can_stand_in_a_text() {
        assert_eq!(split_unescaped(r"f=a\,b,g=f(x, y)", ','), [r"f=a\,b", "g=f(x, y)"]);
        assert_eq!(unescape(r"a\,b\x41\e\\").unwrap(), b"a,bA\x1b\\");
    }
}
