//! YAML as a tree in which every part knows its place.
//!
//! The text is hostile until it is read: nesting, the number of parts and what
//! aliases may unfold to are bounded. A mistake in the syntax ends the reading;
//! the top-level keys that were complete before it are still handed on, so that
//! one look finds the other mistakes, too. Duplicate keys stay in the tree.

use std::collections::HashMap;

use crate::quote::is_unsafe;
use serde_saphyr::granit_parser::{
    ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag, options,
};

/// How deep lists and keys may nest. A configuration needs five levels.
const DEPTH_AT_MOST: usize = 24;

/// How many parts a file may unfold to. A thousand rules with ten patterns each are 13,000.
const PARTS_AT_MOST: usize = 100_000;

/// Where a part stands in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Characters of its first line; at least 1.
    pub width: u32,
}

/// A mistake, before its file is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub at: At,
    /// The key it is about, as a path; empty when it is about the file.
    pub key: String,
    /// What is wrong, as a sentence part.
    pub problem: String,
    /// What to do, as a sentence part with a good value.
    pub fix: String,
}

/// A part of the file.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: At,
    pub content: Content,
}

/// What a part is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// No value, `~` or `null`.
    Nothing,
    /// One value.
    Scalar(Scalar),
    /// `[…]` or lines that begin with `-`.
    List(Vec<Node>),
    /// Keys with their values, in the order of the file.
    Section(Vec<(Node, Node)>),
    /// Something whose mistake is already told.
    Broken,
}

/// One value, before anybody knows what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    pub text: String,
    /// In quotes or a block, so that it is text whatever it looks like.
    pub is_quoted: bool,
}

/// Reads one document. `None` when it is empty or nothing of it is usable.
pub(super) fn read(text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut reader = Reader { problems, open: Vec::new(), root: None, anchors: HashMap::new(), n_parts: 0 };
    let limits = options! {
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: DEPTH_AT_MOST,
        block_nesting_limit: DEPTH_AT_MOST,
    };
    for event in Parser::new_from_str_with_options(text, limits) {
        let taken = match event {
            Ok((event, span)) => reader.take(event, span),
            Err(error) => Err(reader.syntax_problem(text, &error)),
        };
        if let Err(problem) = taken {
            reader.problems.push(problem);
            return reader.what_was_complete();
        }
    }
    reader.root
}

struct Reader<'a> {
    problems: &'a mut Vec<Problem>,
    open: Vec<Open>,
    root: Option<Node>,
    /// Finished parts with a name, and what they weigh.
    anchors: HashMap<usize, (Node, Weight)>,
    n_parts: usize,
}

/// A list or section that is not finished.
struct Open {
    at: At,
    anchor: usize,
    /// Between brackets.
    is_flow: bool,
    content: OpenContent,
}

enum OpenContent {
    List(Vec<Node>),
    Section { entries: Vec<(Node, Node)>, key: Option<Node> },
}

#[derive(Clone, Copy)]
struct Weight {
    n_parts: usize,
    depth: usize,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let at = place(&span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let content = match tag {
                    Some(tag) => self.refuse_tag(&tag, &span),
                    None => scalar(&text, style),
                };
                self.put(Node { at, content }, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                tag.map(|tag| self.refuse_tag(&tag, &span));
                self.begin(at, anchor, style, OpenContent::List(Vec::new()))
            }
            Event::MappingStart(style, anchor, tag) => {
                tag.map(|tag| self.refuse_tag(&tag, &span));
                self.begin(at, anchor, style, OpenContent::Section { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.unfold(anchor, at),
            Event::UnresolvedAlias(name) => {
                self.problems.push(star_problem(&name, at));
                self.put(Node { at, content: Content::Broken }, 0)
            }
            Event::DocumentStart(..) if self.root.is_some() => Err(Problem::of_the_file(
                at,
                "a second document begins here",
                "keep one document: take out the line `---`",
            )),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, at: At, anchor: usize, style: StructureStyle, content: OpenContent) -> Result<(), Problem> {
        if self.open.len() >= DEPTH_AT_MOST {
            return Err(too_deep(at));
        }
        self.open.push(Open { at: At { width: 1, ..at }, anchor, is_flow: style == StructureStyle::Flow, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(Open { at, anchor, content, .. }) = self.open.pop() else { return Ok(()) };
        let content = match content {
            OpenContent::List(nodes) => Content::List(nodes),
            OpenContent::Section { entries, .. } => Content::Section(entries),
        };
        self.put(Node { at, content }, anchor)
    }

    fn unfold(&mut self, anchor: usize, at: At) -> Result<(), Problem> {
        let Some((node, weight)) = self.anchors.get(&anchor) else {
            return Err(Problem::of_the_file(at, "an alias stands inside of what it names", "write the value out"));
        };
        if self.n_parts + weight.n_parts > PARTS_AT_MOST {
            return Err(too_many(at));
        }
        if self.open.len() + weight.depth > DEPTH_AT_MOST {
            return Err(too_deep(at));
        }
        self.n_parts += weight.n_parts;
        let node = Node { at, content: node.content.clone() };
        self.put(node, 0)
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.n_parts += 1;
        if self.n_parts > PARTS_AT_MOST {
            return Err(too_many(node.at));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), node.weight()));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(OpenContent::List(nodes)) => nodes.push(node),
            Some(OpenContent::Section { entries, key }) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
        Ok(())
    }

    fn refuse_tag(&mut self, tag: &Tag, span: &Span) -> Content {
        let shown = for_message(&tag.original());
        let at = match &span.tag_start {
            Some(start) => At { width: small(shown.chars().count()), ..place(&Span::empty(*start)) },
            None => place(span),
        };
        let problem = format!("`{shown}` is a YAML tag, which means nothing here");
        self.problems.push(Problem::of_the_file(at, problem, "put text that begins with `!` in quotes"));
        Content::Broken
    }

    /// What the YAML reader says, in words that name a way out.
    fn syntax_problem(&self, text: &str, error: &ScanError) -> Problem {
        let marker = error.marker();
        let at = At { line: small(marker.line().max(1)), column: small(marker.col() + 1), width: 1 };
        if let Some(tab) = tab_in_indentation(text, at.line) {
            return Problem::of_the_file(tab, "a tab stands in the indentation", "indent with spaces, two a level");
        }
        // In a bracket that was not closed, the next lines look wrong; the bracket is what is.
        let unclosed = self.open.last().filter(|open| open.is_flow && open.at.line < at.line);
        let (at, kind) = match unclosed.map(|open| (open.at, &open.content)) {
            Some((at, OpenContent::List(_))) => (at, &ErrorKind::UnexpectedEofFlowSequence),
            Some((at, OpenContent::Section { .. })) => (at, &ErrorKind::UnexpectedEofFlowMapping),
            None => (at, error.kind()),
        };
        let (problem, fix) = in_words(kind);
        Problem::of_the_file(at, problem, fix)
    }

    /// After a mistake in the syntax: the top-level keys that had ended before it.
    fn what_was_complete(self) -> Option<Node> {
        if self.root.is_some() {
            return self.root;
        }
        let outermost = self.open.into_iter().next()?;
        match outermost.content {
            OpenContent::Section { entries, .. } => Some(Node { at: outermost.at, content: Content::Section(entries) }),
            OpenContent::List(_) => None,
        }
    }
}

impl Node {
    fn weight(&self) -> Weight {
        let parts: Vec<&Node> = match &self.content {
            Content::List(nodes) => nodes.iter().collect(),
            Content::Section(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Content::Nothing | Content::Scalar(_) | Content::Broken => return Weight { n_parts: 1, depth: 0 },
        };
        let weights = parts.into_iter().map(Node::weight);
        weights.fold(Weight { n_parts: 1, depth: 1 }, |sum, part| Weight {
            n_parts: sum.n_parts + part.n_parts,
            depth: sum.depth.max(part.depth + 1),
        })
    }
}

impl Problem {
    pub(super) fn of_the_file(at: At, problem: impl Into<String>, fix: impl Into<String>) -> Problem {
        Problem { at, key: String::new(), problem: problem.into(), fix: fix.into() }
    }
}

/// A piece of the file for a message: short, on one line, without characters that act on a terminal.
pub(super) fn for_message(text: &str) -> String {
    /// Characters of a value that help to recognize it.
    const SHOWN_AT_MOST: usize = 60;
    let mut shown = String::new();
    for c in text.chars().take(SHOWN_AT_MOST) {
        if is_unsafe(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    if text.chars().nth(SHOWN_AT_MOST).is_some() {
        shown.push('…');
    }
    shown
}

/// What is told of a mistake, with pieces of the file within, as [`for_message`] makes a piece harmless. Its end is kept, where the way
/// out stands.
pub(super) fn for_sentence(text: &str) -> String {
    /// Characters at each end. Source: ours; longer than any sentence of ours without what was written in the file.
    const SHOWN_AT_EACH_END: usize = 250;
    let mut shown = String::new();
    let n = text.chars().count();
    for (at, c) in text.chars().enumerate() {
        let is_left_out = (SHOWN_AT_EACH_END..n.saturating_sub(SHOWN_AT_EACH_END)).contains(&at);
        match c {
            _ if is_left_out && at == SHOWN_AT_EACH_END => shown.push('…'),
            _ if is_left_out => {}
            c if is_unsafe(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

fn scalar(text: &str, style: ScalarStyle) -> Content {
    match style {
        ScalarStyle::Plain if matches!(text, "" | "~" | "null" | "Null" | "NULL") => Content::Nothing,
        _ => Content::Scalar(Scalar { text: text.to_owned(), is_quoted: style != ScalarStyle::Plain }),
    }
}

fn place(span: &Span) -> At {
    let (start, end) = (&span.start, &span.end);
    let is_on_one_line = start.line() == end.line();
    let width = if is_on_one_line { end.col().saturating_sub(start.col()) } else { 1 };
    At { line: small(start.line()), column: small(start.col() + 1), width: small(width.max(1)) }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn too_many(at: At) -> Problem {
    let problem = format!("the file unfolds to more than {PARTS_AT_MOST} parts");
    Problem::of_the_file(at, problem, "write it with fewer aliases (`*name`) and shorter lists")
}

fn too_deep(at: At) -> Problem {
    let problem = format!("lists and keys nest deeper than {DEPTH_AT_MOST} levels");
    Problem::of_the_file(at, problem, "no key needs more than five")
}

fn star_problem(name: &str, at: At) -> Problem {
    let shown = for_message(name);
    let problem = format!("`*{shown}` without quotes is a YAML alias, and nothing is named `&{shown}`");
    Problem::of_the_file(at, problem, format!("put a pattern that begins with `*` in quotes: `\"*{shown}\"`"))
}

/// The tab that the reader stumbled over, in the line it complains about or the one before.
fn tab_in_indentation(text: &str, line: u32) -> Option<At> {
    let first = line.saturating_sub(2) as usize;
    let near = text.lines().enumerate().skip(first).take(2);
    let tab_of = |(index, content): (usize, &str)| {
        let indentation = content.len() - content.trim_start_matches([' ', '\t']).len();
        let column = content[..indentation].find('\t')?;
        Some(At { line: small(index + 1), column: small(column + 1), width: 1 })
    };
    near.filter_map(tab_of).last()
}

fn in_words(kind: &ErrorKind) -> (String, &'static str) {
    let (problem, fix) = match kind {
        ErrorKind::UnclosedQuotedScalar => ("a quote is opened and not closed", "close it on the same line"),
        ErrorKind::UnclosedFlowCollection { open: '[' } | ErrorKind::UnexpectedEofFlowSequence => {
            ("`[` is opened and not closed", "close the list: `[main, develop]`")
        }
        ErrorKind::UnclosedFlowCollection { .. } | ErrorKind::UnexpectedEofFlowMapping => {
            ("`{` is opened and not closed", "close it: `{behind: 200}`")
        }
        ErrorKind::ExpectedFlowSequenceSeparator => {
            ("`,` or `]` is missing in a list", "write it like `[main, develop]`")
        }
        ErrorKind::ExpectedFlowMappingSeparator => ("`,` or `}` is missing", "write it like `{behind: 200, age: 14d}`"),
        ErrorKind::SimpleKeyExpected | ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidSimpleKey => (
            "a key with its `:` is expected here",
            "write it like `key: value`, or indent the line like its neighbours",
        ),
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            ("`:` does not fit here", "put a value that holds `: ` in quotes, and give a key its own line")
        }
        ErrorKind::InvalidIndentation | ErrorKind::InvalidFlowScalarIndent | ErrorKind::InvalidQuotedScalarIndent => {
            ("the indentation fits no line above", "indent keys of one level alike, with spaces")
        }
        ErrorKind::ExpectedBlockSequenceEntry => (
            "this line belongs to no item of the list above",
            "indent it like the first key of its item, or begin it with `- `",
        ),
        ErrorKind::MissingAnchorOrAliasName => {
            ("`*` or `&` without quotes begins a YAML alias", "put the value in quotes: `\"*\"`")
        }
        ErrorKind::BlockSequenceEntryNotAllowed => {
            ("`-` does not fit here", "give each item of a list its own line below the key")
        }
        ErrorKind::UnexpectedCharacter { character } => {
            let problem = format!("`{}` cannot begin a value", for_message(&character.to_string()));
            return (problem, "put the value in quotes");
        }
        ErrorKind::RecursionLimitExceeded => {
            return (too_deep(At::default()).problem, "no key needs more than five");
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar => {
            ("something follows a closing quote", "end the line there, or put all of it in quotes")
        }
        ErrorKind::UnknownQuotedScalarEscape => {
            ("`\\` with this letter means nothing in double quotes", "use single quotes, or write `\\\\`")
        }
        ErrorKind::BomInsideDocument => ("a byte-order mark stands inside of the file", "take it out"),
        other => return (format!("is not YAML: {other}"), "see https://yaml.org for the syntax"),
    };
    (problem.to_owned(), fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> (Option<Node>, Vec<Problem>) {
        let mut problems = Vec::new();
        let root = read(text, &mut problems);
        (root, problems)
    }

    #[test]
    fn each_part_knows_its_place() {
        let (root, problems) = read_all("a:\n  - x\n  - yö: 1\n");
        assert_eq!(problems, []);
        let Some(Node { content: Content::Section(entries), .. }) = root else { panic!("a section") };
        let Content::List(items) = &entries[0].1.content else { panic!("a list") };
        assert_eq!(items[0].at, At { line: 2, column: 5, width: 1 });
        let Content::Section(inner) = &items[1].content else { panic!("a section") };
        assert_eq!(inner[0].1.at, At { line: 3, column: 9, width: 1 });
    }

    #[test]
    fn nothing_is_an_empty_file_and_not_a_mistake() {
        for text in ["", "\n", "# only words\n", "---\n", "\u{feff}"] {
            let (root, problems) = read_all(text);
            assert_eq!(problems, [], "{text:?}");
            assert!(root.is_none_or(|root| matches!(root.content, Content::Nothing)), "{text:?}");
        }
    }

    #[test]
    fn an_alias_bomb_is_stopped_before_it_unfolds() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let uses = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
        }
        let (_, problems) = read_all(&bomb);
        assert!(problems[0].problem.contains("unfolds to more than 100000 parts"), "{problems:?}");
    }

    #[test]
    fn aliases_cannot_pile_up_depth() {
        let mut pile = String::from("a0: &a0 [[[[[x]]]]]\n");
        for level in 1..50 {
            pile.push_str(&format!("a{level}: &a{level} [[*a{}]]\n", level - 1));
        }
        let (_, problems) = read_all(&pile);
        assert!(problems[0].problem.contains("nest deeper than 24 levels"), "{problems:?}");
        let (_, problems) = read_all(&"[".repeat(10_000));
        assert!(problems[0].problem.contains("nest deeper than 24 levels"), "{problems:?}");
    }

    #[test]
    fn keys_before_a_mistake_are_kept() {
        let (root, problems) = read_all("a: 1\nb: 2\nc: [1, 2\nd: 3\n");
        assert_eq!(problems.len(), 1);
        let Some(Node { content: Content::Section(entries), .. }) = root else { panic!("a section") };
        assert_eq!(entries.len(), 2);
    }
}
