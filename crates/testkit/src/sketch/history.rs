//! The history that a sketch describes: commits in order, with parents, dates and whole trees.
//!
//! It can grow: a second sketch may begin its lines at commits of the first.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    START, STEP, SketchError,
    text::{Change, Item, Line, Target, read},
};

/// All that was drawn so far.
#[derive(Debug)]
pub(crate) struct History {
    /// Parents always stand before their children.
    pub(super) commits: Vec<Commit>,
    /// Refs in the order of the text; a later line of the same name replaces an earlier one.
    pub(super) refs: Vec<Ref>,
    /// Refs that point to refs.
    pub(super) symbolic: Vec<(Vec<u8>, Vec<u8>)>,
    by_label: HashMap<String, usize>,
    has_empty_commits: bool,
}

/// A commit and all that git must be told about it.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) label: String,
    /// Indexes of commits.
    pub(super) parents: Vec<usize>,
    /// Seconds since 1970.
    pub(super) committed_at: i64,
    /// Seconds since 1970.
    pub(super) authored_at: i64,
    pub(super) author: String,
    pub(super) message: Vec<u8>,
    pub(super) tree: Tree,
}

/// A ref and the commit it points to.
#[derive(Debug)]
pub(super) struct Ref {
    pub(super) name: Vec<u8>,
    pub(super) is_annotated_tag: bool,
    pub(super) commit: usize,
}

/// Files by path.
pub(super) type Tree = BTreeMap<Vec<u8>, Entry>;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// Content, target of the link, or hexadecimal digits of a submodule's commit.
    pub(super) content: Arc<[u8]>,
}

/// Git's modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Executable,
    Link,
    Submodule,
}

impl History {
    pub(crate) fn new(has_empty_commits: bool) -> History {
        let (commits, refs, symbolic, by_label) = (Vec::new(), Vec::new(), Vec::new(), HashMap::new());
        History { commits, refs, symbolic, by_label, has_empty_commits }
    }

    /// Adds what a sketch draws. After an error the history is of no use any more.
    pub(crate) fn extend(&mut self, text: &str) -> Result<(), SketchError> {
        let lines = read(text)?;
        let drawn = self.drawn_at(text, &lines)?;
        for draft in in_order(text, &drawn)? {
            self.commit(text, draft)?;
        }
        lines.iter().try_for_each(|line| self.name(text, line))
    }

    /// Where the commit with this label stands among all.
    pub(crate) fn index(&self, label: &str) -> Option<usize> {
        self.by_label.get(label).copied()
    }

    /// The label of a commit by where it stands.
    pub(crate) fn label(&self, at: usize) -> Option<&str> {
        self.commits.get(at).map(|commit| commit.label.as_str())
    }

    /// Committer date of the newest commit, in seconds since 1970.
    pub(crate) fn newest_at(&self) -> i64 {
        self.commits.iter().map(|commit| commit.committed_at).max().unwrap_or(START)
    }

    /// The place where each new commit is drawn, in the order of the text.
    fn drawn_at<'a>(&self, text: &str, lines: &'a [Line]) -> Result<Drafts<'a>, SketchError> {
        let mut drafts = Drafts::default();
        for items in lines.iter().filter_map(Line::items) {
            for pair in items.windows(2) {
                self.draw_behind(text, &mut drafts, &pair[0], &pair[1])?;
            }
        }
        for first in lines.iter().filter_map(|line| line.items()?.first()) {
            self.draw_first(text, &mut drafts, first)?;
        }
        self.check_labels(text, &drafts)?;
        drafts.list.sort_by_key(|draft| (draft.item.at.line, draft.item.at.column));
        drafts.index();
        Ok(drafts)
    }

    fn draw_behind<'a>(
        &self,
        text: &str,
        drafts: &mut Drafts<'a>,
        parent: &'a Item,
        item: &'a Item,
    ) -> Result<(), SketchError> {
        if self.by_label.contains_key(&item.label) {
            return Err(item.at.error(text, format!("commit `{}` is there already", item.label)));
        }
        let Some(known) = drafts.get(&item.label) else {
            drafts.add(Draft { item, parent: Some(&parent.label) });
            return Ok(());
        };
        if known.parent == Some(parent.label.as_str()) && !item.has_details() {
            return Ok(());
        }
        let (label, line) = (&item.label, known.item.at.line + 1);
        Err(item.at.error(text, format!("commit `{label}` is drawn in line {line} already (a merge is written `m<x`)")))
    }

    fn draw_first<'a>(&self, text: &str, drafts: &mut Drafts<'a>, item: &'a Item) -> Result<(), SketchError> {
        let is_known = self.by_label.contains_key(&item.label) || drafts.get(&item.label).is_some();
        if !is_known {
            drafts.add(Draft { item, parent: None });
            return Ok(());
        }
        if item.has_details() {
            let problem = format!("what commit `{}` is like must stand where it is drawn", item.label);
            return Err(item.at.error(text, problem));
        }
        Ok(())
    }

    fn check_labels(&self, text: &str, drafts: &Drafts<'_>) -> Result<(), SketchError> {
        for draft in &drafts.list {
            let merged = draft.item.merged.iter();
            let mut unknown = merged.filter(|label| drafts.get(label).is_none() && self.index(label).is_none());
            if let Some(label) = unknown.next() {
                return Err(draft.item.at.error(text, format!("commit `{label}` is not drawn anywhere")));
            }
            if draft.parent.is_none() && !draft.item.merged.is_empty() {
                return Err(draft.item.at.error(text, "a merge needs a commit before it on its line"));
            }
        }
        Ok(())
    }

    fn commit(&mut self, text: &str, draft: &Draft<'_>) -> Result<(), SketchError> {
        let item = draft.item;
        let labels = draft.parents();
        let parents: Vec<usize> = labels.map(|label| self.by_label[label]).collect();
        let committed_at = item.committed_at.unwrap_or(START + STEP * self.commits.len() as i64);
        let commit = Commit {
            tree: self.tree(text, item, &parents)?,
            label: item.label.clone(),
            parents,
            committed_at,
            authored_at: item.authored_at.unwrap_or(committed_at),
            author: item.author.clone().unwrap_or_else(|| "ann".to_owned()),
            message: item.message.clone().unwrap_or_else(|| format!("{}\n", item.label).into_bytes()),
        };
        self.by_label.insert(item.label.clone(), self.commits.len());
        self.commits.push(commit);
        Ok(())
    }

    fn tree(&self, text: &str, item: &Item, parents: &[usize]) -> Result<Tree, SketchError> {
        let mut tree = parents.first().map(|&parent| self.commits[parent].tree.clone()).unwrap_or_default();
        let mut open = BTreeSet::new();
        for (nth, &other) in parents.iter().enumerate().skip(1) {
            self.merge(&mut tree, &parents[..nth], other, &mut open);
        }
        for change in item.changes.iter().flatten() {
            apply(&mut tree, change).map_err(|problem| item.at.error(text, problem))?;
            change.paths().into_iter().for_each(|path| {
                open.remove(path);
            });
        }
        if item.changes.is_none() && parents.len() < 2 && !self.has_empty_commits {
            let content = format!("{}\n", item.label).into_bytes();
            put(&mut tree, item.label.as_bytes(), Entry::file(content));
        }
        match open.first() {
            None => Ok(tree),
            Some(path) => {
                let (path, label) = (String::from_utf8_lossy(path), &item.label);
                let problem = format!("both sides changed `{path}`: say what the merge holds, `{label}<…({path}=…)`");
                Err(item.at.error(text, problem))
            }
        }
    }

    /// Merges `other` into `ours`; what both sides changed and does not fit goes to `open`.
    fn merge(&self, ours: &mut Tree, merged: &[usize], other: usize, open: &mut BTreeSet<Vec<u8>>) {
        let nothing = Tree::new();
        let bases = self.merge_bases(merged, other);
        let mut bases: Vec<&Tree> = bases.into_iter().map(|at| &self.commits[at].tree).collect();
        if bases.is_empty() {
            bases.push(&nothing);
        }
        let theirs = &self.commits[other].tree;
        let paths: BTreeSet<Vec<u8>> = ours.keys().chain(theirs.keys()).cloned().collect();
        for path in paths {
            let (our, their) = (ours.get(&path), theirs.get(&path));
            let at_bases: Vec<Option<&Entry>> = bases.iter().map(|tree| tree.get(&path)).collect();
            if our == their || at_bases.contains(&their) {
                continue;
            }
            let merged = if at_bases.contains(&our) {
                their.cloned()
            } else if let Some(merged) = merge_lines(&at_bases, our, their) {
                Some(merged)
            } else {
                open.insert(path.clone());
                continue;
            };
            match merged {
                Some(entry) => put(ours, &path, entry),
                None => drop(ours.remove(&path)),
            }
        }
    }

    /// All best common ancestors of `other` and any of `commits`.
    fn merge_bases(&self, commits: &[usize], other: usize) -> Vec<usize> {
        let (ours, theirs) = (self.ancestors(commits), self.ancestors(&[other]));
        let common: Vec<usize> = (0..self.commits.len()).filter(|&at| ours[at] && theirs[at]).collect();
        let mut is_below = vec![false; self.commits.len()];
        for &at in common.iter().rev() {
            // Parents stand before their children, so all children of `at` were here.
            for &parent in &self.commits[at].parents {
                is_below[parent] = true;
            }
        }
        common.into_iter().filter(|&at| !is_below[at]).collect()
    }

    fn ancestors(&self, of: &[usize]) -> Vec<bool> {
        let mut seen = vec![false; self.commits.len()];
        of.iter().for_each(|&at| seen[at] = true);
        for at in (0..self.commits.len()).rev().filter(|_| !of.is_empty()) {
            if seen[at] {
                self.commits[at].parents.iter().for_each(|&parent| seen[parent] = true);
            }
        }
        seen
    }

    /// Adds the ref or symbolic ref of a line.
    fn name(&mut self, text: &str, line: &Line) -> Result<(), SketchError> {
        let (target, items, at) = match line {
            Line::Symbolic { from, to } => {
                self.symbolic.push((from.clone(), to.clone()));
                return Ok(());
            }
            Line::Commits { target, items, at } => (target, items, at),
        };
        let Some(last) = items.last() else {
            return Err(at.error(text, "a line needs a commit"));
        };
        let (name, is_annotated_tag) = match target {
            Target::Nothing => return Ok(()),
            Target::Ref(name) => (name.clone(), false),
            Target::Tag(name) => (name.clone(), true),
        };
        self.refs.retain(|known| known.name != name);
        self.refs.push(Ref { name, is_annotated_tag, commit: self.by_label[&last.label] });
        Ok(())
    }
}

/// New commits and where they are drawn.
#[derive(Default)]
struct Drafts<'a> {
    list: Vec<Draft<'a>>,
    by_label: HashMap<&'a str, usize>,
}

/// A commit to be made.
struct Draft<'a> {
    item: &'a Item,
    parent: Option<&'a str>,
}

impl<'a> Drafts<'a> {
    fn get(&self, label: &str) -> Option<&Draft<'a>> {
        self.by_label.get(label).map(|&at| &self.list[at])
    }

    fn add(&mut self, draft: Draft<'a>) {
        self.by_label.insert(&draft.item.label, self.list.len());
        self.list.push(draft);
    }

    fn index(&mut self) {
        self.by_label = self.list.iter().enumerate().map(|(at, draft)| (draft.item.label.as_str(), at)).collect();
    }
}

impl<'a> Draft<'a> {
    fn parents(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.parent.into_iter().chain(self.item.merged.iter().map(String::as_str))
    }
}

/// Drafts with parents before children, otherwise as they stand in the text.
fn in_order<'d, 'a>(text: &str, drafts: &'d Drafts<'a>) -> Result<Vec<&'d Draft<'a>>, SketchError> {
    let mut ordered = Vec::new();
    let mut state = vec![Visit::New; drafts.list.len()];
    for start in 0..drafts.list.len() {
        let mut stack = vec![start];
        while let Some(&at) = stack.last() {
            let draft = &drafts.list[at];
            if state[at] == Visit::Done {
                stack.pop();
                continue;
            }
            state[at] = Visit::Begun;
            let indexes = draft.parents().filter_map(|label| drafts.by_label.get(label).copied());
            let waiting: Vec<usize> = indexes.filter(|&parent| state[parent] != Visit::Done).collect();
            if waiting.iter().any(|&parent| state[parent] == Visit::Begun) {
                let problem = format!("commit `{}` would be its own ancestor", draft.item.label);
                return Err(draft.item.at.error(text, problem));
            }
            if waiting.is_empty() {
                state[at] = Visit::Done;
                ordered.push(draft);
            }
            stack.extend(waiting.into_iter().rev());
        }
    }
    Ok(ordered)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Begun,
    Done,
}

/// Merges two versions of a file line by line, when neither gained or lost a line.
fn merge_lines(bases: &[Option<&Entry>], ours: Option<&Entry>, theirs: Option<&Entry>) -> Option<Entry> {
    let (&[Some(base)], Some(ours), Some(theirs)) = (bases, ours, theirs) else {
        return None;
    };
    let [base_lines, our_lines, their_lines] = [base, ours, theirs].map(Entry::lines);
    let is_same_shape = base_lines.len() == our_lines.len() && base_lines.len() == their_lines.len();
    if !is_same_shape || base.kind != ours.kind || base.kind != theirs.kind {
        return None;
    }
    let mut content = Vec::new();
    for ((base, our), their) in base_lines.iter().zip(our_lines).zip(their_lines) {
        match (our == *base, their == *base) {
            (_, true) => content.extend(our),
            (true, _) => content.extend(their),
            _ if our == their => content.extend(our),
            _ => return None,
        }
    }
    Some(Entry { kind: base.kind, content: content.into() })
}

fn apply(tree: &mut Tree, change: &Change) -> Result<(), String> {
    match change {
        Change::Write { path, content } => put(tree, path, Entry { kind: kind_at(tree, path), ..Entry::file(content) }),
        Change::Link { path, target } => put(tree, path, Entry { kind: Kind::Link, ..Entry::file(target) }),
        Change::Submodule { path, digits } => {
            put(tree, path, Entry { kind: Kind::Submodule, ..Entry::file(digits.as_bytes()) });
        }
        Change::EditLine { path, line, text } => edit_line(file_at(tree, path)?, *line, text)?,
        Change::Append { path, text } => {
            let entry = file_at(tree, path)?;
            entry.content = [&entry.content, text.as_slice()].concat().into();
        }
        Change::SetExecutable { path, executable } => {
            file_at(tree, path)?.kind = if *executable { Kind::Executable } else { Kind::File };
        }
        Change::Delete { path } => take(tree, path).map(drop)?,
        Change::Rename { from, to } => {
            for (rest, entry) in take(tree, from)? {
                put(tree, &[to.as_slice(), &rest].concat(), entry);
            }
        }
    }
    Ok(())
}

/// An executable file stays one when it is written again.
fn kind_at(tree: &Tree, path: &[u8]) -> Kind {
    tree.get(path).map(|entry| entry.kind).filter(|&kind| kind == Kind::Executable).unwrap_or(Kind::File)
}

fn file_at<'t>(tree: &'t mut Tree, path: &[u8]) -> Result<&'t mut Entry, String> {
    tree.get_mut(path).ok_or_else(|| missing(path))
}

fn missing(path: &[u8]) -> String {
    format!("there is no `{}` to be changed", String::from_utf8_lossy(path))
}

fn edit_line(entry: &mut Entry, line: usize, text: &[u8]) -> Result<(), String> {
    let mut lines = entry.lines();
    let n_lines = lines.len();
    let edited = lines.get_mut(line - 1).ok_or_else(|| format!("there is no line {line}, only {n_lines}"))?;
    *edited = text;
    entry.content = lines.concat().into();
    Ok(())
}

/// Removes a file, or a directory with all in it: the rest of each path, and what was there.
fn take(tree: &mut Tree, path: &[u8]) -> Result<Vec<(Vec<u8>, Entry)>, String> {
    let is_inside = |known: &[u8]| known == path || known.starts_with(path) && known[path.len()] == b'/';
    let paths: Vec<Vec<u8>> = tree.keys().filter(|known| is_inside(known)).cloned().collect();
    if paths.is_empty() {
        return Err(missing(path));
    }
    let taken = paths.into_iter().filter_map(|known| Some((known[path.len()..].to_vec(), tree.remove(&known)?)));
    Ok(taken.collect())
}

/// Puts an entry into the tree. Files that stand where a directory must be go, and the other way round.
fn put(tree: &mut Tree, path: &[u8], entry: Entry) {
    for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        tree.remove(&path[..at]);
    }
    let directory = [path, b"/"].concat();
    tree.retain(|known, _| !known.starts_with(&directory));
    tree.insert(path.to_vec(), entry);
}

impl Line {
    fn items(&self) -> Option<&[Item]> {
        match self {
            Line::Commits { items, .. } => Some(items),
            Line::Symbolic { .. } => None,
        }
    }
}

impl Change {
    fn paths(&self) -> Vec<&[u8]> {
        match self {
            Change::Write { path, .. }
            | Change::EditLine { path, .. }
            | Change::Append { path, .. }
            | Change::Delete { path }
            | Change::SetExecutable { path, .. }
            | Change::Link { path, .. }
            | Change::Submodule { path, .. } => vec![path],
            Change::Rename { from, to } => vec![from, to],
        }
    }
}

impl Entry {
    fn file(content: impl AsRef<[u8]>) -> Entry {
        Entry { kind: Kind::File, content: content.as_ref().into() }
    }

    /// With their line breaks.
    fn lines(&self) -> Vec<&[u8]> {
        self.content.split_inclusive(|&byte| byte == b'\n').collect()
    }
}

impl Kind {
    /// The mode as git writes it.
    pub(super) fn mode(self) -> &'static str {
        match self {
            Kind::File => "100644",
            Kind::Executable => "100755",
            Kind::Link => "120000",
            Kind::Submodule => "160000",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let error = History::new(false).extend(text).expect_err("the sketch is wrong");
        error.to_string()
    }

    #[test]
    fn an_error_shows_the_place_and_what_to_write() {
        let expected = "\
cannot draw this sketch: 2:14: commit `c` is drawn in line 1 already (a merge is written `m<x`)
    feature: a x c
                 ^";
        assert_eq!(problem("main: a b c\nfeature: a x c"), expected);
    }

    #[test]
    fn what_cannot_be_drawn_is_refused_with_its_reason() {
        assert!(problem("main: a m<q").contains("commit `q` is not drawn anywhere"));
        assert!(problem("main: m<x\nx: x").contains("needs a commit before it"));
        assert!(problem("main: a b<c\nx: b c").contains("its own ancestor"));
        assert!(problem("main: a b\nx: b(f=1) c").contains("must stand where it is drawn"));
        assert!(problem("main: a(-f)").contains("there is no `f`"));
        assert!(problem("main: a(f=1) b(f[2]=x)").contains("there is no line 2, only 1"));
        assert!(problem("main: a(f=1) b(f=2) m<x\nx: a x(f=3)").contains("both sides changed `f`"));
        assert!(problem("main: a b!").contains("`!` has no meaning"));
        assert!(problem("main: a@monday").contains("`monday` is no date"));
        assert!(problem("main: a'no end").contains("has no end"));
        assert!(problem("main").contains("a line is `name: commits`"));
        assert!(problem("main:").contains("a line needs a commit"));
    }

    #[test]
    fn a_merge_takes_each_change_from_the_side_that_made_it() {
        let mut history = History::new(false);
        history.extend("main: a(f=1..9, g=1) b(f[1]=x) m<y\n feature: a x(f[9]=y) y(-g)").unwrap();
        let tree = &history.commits.last().unwrap().tree;
        assert_eq!(tree.keys().map(Vec::as_slice).collect::<Vec<_>>(), [b"f"]);
        assert_eq!(&*tree[b"f".as_slice()].content, b"x\n2\n3\n4\n5\n6\n7\n8\ny\n");
    }
}
