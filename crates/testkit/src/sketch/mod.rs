//! Draws a repository from a few lines of text.
//!
//! The language is described at [`sketch`]. Three steps, a file each: `text`
//! reads the lines, `history` finds order, dates and trees, `draw` hands it to
//! `git fast-import`.

mod draw;
mod history;
mod text;

use std::fmt;

pub(crate) use draw::draw_more;
pub(crate) use history::History;

use crate::Repo;

/// Committer date of the first commit unless the sketch says otherwise: 2026-01-01 00:00:00 UTC.
pub const START: i64 = 1_767_225_600;

/// Seconds from one commit to the next, in the order in which they are drawn: one hour.
pub const STEP: i64 = 3_600;

/// Begins a repository from a sketch. [`Sketch::draw`] makes it.
///
/// The same sketch gives the same object ids, always and everywhere.
///
/// # Lines
///
/// One line a ref: its name, a colon, its commits from old to new. A line that
/// begins with a commit of another line forks there; one that begins with a new
/// commit begins a history of its own. The order of lines does not matter.
/// `HEAD` is on the branch of the first line.
///
/// ```
/// # use alignwatch_testkit::sketch;
/// let repo = sketch("
///     main:    a b c m<x d       # m is a merge of x into main
///     feature: b x
///     octo:    c o<x,y           # an octopus
///     other:   y                 # shares no history with the rest
///     old:     b                 # a branch without a commit of its own
///     -:       c lost            # a commit that no ref points to
/// ").draw();
/// assert_eq!(repo.git(["rev-list", "--count", "main"]), "6");
/// assert_eq!(repo.git(["rev-list", "--parents", "-1", "octo"]).split(' ').count(), 4);
/// ```
///
/// | line | is |
/// |---|---|
/// | `name: …` | the branch `refs/heads/name` |
/// | `remote origin/main: …` | `refs/remotes/origin/main` |
/// | `tag v1: c` | an annotated tag; `refs/tags/v1: c` is a plain one |
/// | `refs/any/thing: …` | that ref |
/// | `HEAD: c` | a detached HEAD |
/// | `HEAD -> feature` | HEAD on that branch, born or not |
/// | `remote origin/HEAD -> remote origin/main` | a symbolic ref |
/// | `-: …` | commits without a ref |
///
/// Names may hold any byte as `\xNN`. What git itself refuses can be made with
/// [`Repo::write_ref_by_hand`].
///
/// # Commits
///
/// A label, and behind it, without a space and in any order, what is special:
///
/// | write | for |
/// |---|---|
/// | `m<x,y` | more parents: the merge of `x` and `y` into the line |
/// | `x(f=hello)` | its changes, see below; `x()` changes nothing |
/// | `x'fix: words\|more'` | its message; `\|` breaks the line |
/// | `x~bob` | author and committer `bob <bob@example.org>` |
/// | `x@2026-03-04`, `x@2026-03-04T05:06:07Z`, `x@1772600767` | its dates |
/// | `x@+3d`, `x@-2h` | its dates, from [`START`] on (`s`, `m`, `h`, `d`, `w`) |
/// | `x@+3d/+1d` | committer date / author date |
///
/// Unless given, dates are [`STEP`] apart in the order of drawing (parents before
/// children, otherwise as written), the message is the label, the author is `ann`.
///
/// # Changes
///
/// A commit that says nothing adds a file named by its label (a merge adds
/// nothing), so that everything is told apart and merges cleanly.
///
/// | write | for |
/// |---|---|
/// | `f=one\|two` | the file `f` with two lines, ending in a line break |
/// | `f:=one` | the same without the final line break; `f=` is the empty file |
/// | `f=1..20` | a file with the lines `1` to `20` |
/// | `f[3]=text`, `f[+]=text` | its third line replaced; a line at the end |
/// | `-f` | `f`, or all that is in the directory `f`, deleted |
/// | `f=>d/g` | `f` renamed |
/// | `+x f`, `-x f` | made executable, and not |
/// | `f->target` | a symbolic link |
/// | `sub=@c1` | a submodule at the commit `c1c1c1…` |
/// | `f=0x00ff` | a binary file of two bytes |
///
/// Several are separated by commas. `\xNN`, `\n`, `\t`, `\s` (space), `\e` (escape)
/// and a backslash before any other character give that character.
///
/// ```
/// # use alignwatch_testkit::sketch;
/// let repo = sketch("
///     main:    a(f=1..20, doc/x=hi) b(f[2]=zwei)
///     feature: a x(f[19]=neunzehn, doc=>text, +x f)
/// ").draw();
/// assert_eq!(repo.git(["show", "feature:f"]).lines().nth(18), Some("neunzehn"));
/// assert_eq!(repo.git(["ls-tree", "-r", "--name-only", "feature"]), "f\ntext/x");
/// ```
///
/// A merge holds what both sides changed. Where they changed the same lines, its
/// changes must say what it holds: `m<x(f=resolved)`.
///
/// # Panics
///
/// [`Sketch::draw`] panics when the sketch cannot be drawn, and shows the place.
pub fn sketch(text: impl Into<String>) -> Sketch {
    Sketch { text: text.into(), ..Sketch::default() }
}

/// A repository to be drawn: the text, and what kind of repository it becomes.
///
/// Bare, sha1, files as ref backend, one loose file a ref, one pack, no commit-graph, unless told otherwise.
///
/// ```
/// # use alignwatch_testkit::{CommitGraph, sketch};
/// let repo = sketch("main: a b c").worktree().sha256().packed_refs().commit_graph(CommitGraph::Split).draw();
/// assert_eq!(repo.oid("a").hex().len(), 64);
/// assert_eq!(repo.git(["status", "--porcelain"]), "");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    text: String,
    has_worktree: bool,
    is_sha256: bool,
    is_reftable: bool,
    has_packed_refs: bool,
    has_loose_objects: bool,
    has_empty_commits: bool,
    commit_graph: CommitGraph,
    config: Vec<(String, String)>,
    origin: Origin,
}

/// Which commit-graph a drawn repository has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitGraph {
    /// No file.
    #[default]
    None,
    /// One file over all commits.
    Single,
    /// A chain of up to three layers over all commits.
    Split,
    /// One file over the older half of the commits.
    Stale,
}

/// Where the repository comes from: drawn in place, or cloned from what was drawn.
#[derive(Clone, Debug, Default)]
enum Origin {
    #[default]
    InPlace,
    Clone(String),
}

impl Sketch {
    /// With a working tree, checked out. Else the repository is bare.
    pub fn worktree(mut self) -> Sketch {
        self.has_worktree = true;
        self
    }

    /// With sha256 object ids.
    pub fn sha256(mut self) -> Sketch {
        self.is_sha256 = true;
        self
    }

    /// With reftable as ref backend. Needs git 2.45.
    pub fn reftable(mut self) -> Sketch {
        self.is_reftable = true;
        self
    }

    /// With all refs in `packed-refs` and none loose.
    pub fn packed_refs(mut self) -> Sketch {
        self.has_packed_refs = true;
        self
    }

    /// With all objects loose. Else all are in one pack.
    pub fn loose_objects(mut self) -> Sketch {
        self.has_loose_objects = true;
        self
    }

    /// Commits that say nothing change nothing: for long histories where only the shape counts.
    pub fn empty_commits(mut self) -> Sketch {
        self.has_empty_commits = true;
        self
    }

    /// With this commit-graph.
    pub fn commit_graph(mut self, graph: CommitGraph) -> Sketch {
        self.commit_graph = graph;
        self
    }

    /// With this setting in its `config`, from the beginning. May be used again for more.
    pub fn config(mut self, key: &str, value: &str) -> Sketch {
        self.config.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A shallow clone of what is drawn, with `depth` commits of every branch.
    ///
    /// What was drawn stays at [`Repo::origin`]. A bare clone has the branches as
    /// branches, one with a working tree has them as `refs/remotes/origin/…`.
    pub fn shallow(mut self, depth: u32) -> Sketch {
        self.origin = Origin::Clone(format!("--depth={depth}"));
        self
    }

    /// A partial clone of what is drawn, with `filter` such as `blob:none` or `tree:0`.
    ///
    /// What was drawn stays at [`Repo::origin`], so missing objects could be fetched from there.
    pub fn partial(mut self, filter: &str) -> Sketch {
        self.origin = Origin::Clone(format!("--filter={filter}"));
        self
    }

    /// Makes the repository, in a directory of its own that goes when the [`Repo`] goes.
    ///
    /// Panics when the sketch is wrong or git refuses it.
    pub fn draw(&self) -> Repo {
        let history = self.history().unwrap_or_else(|error| panic!("{error}"));
        draw::draw(self, history)
    }

    /// Is the text right? Says where it is not.
    pub fn check(&self) -> Result<(), SketchError> {
        self.history().map(drop)
    }

    fn history(&self) -> Result<History, SketchError> {
        let mut history = History::new(self.has_empty_commits);
        history.extend(&self.text)?;
        Ok(history)
    }
}

/// A sketch that cannot be drawn: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SketchError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong, as a sentence part.
    pub problem: String,
    source: String,
}

impl fmt::Display for SketchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cannot draw this sketch: {}:{}: {}", self.line, self.column, self.problem)?;
        writeln!(f, "    {}", self.source)?;
        write!(f, "    {}^", " ".repeat(self.column - 1))
    }
}

impl std::error::Error for SketchError {}

/// A place in the text of a sketch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    /// Counted from 0.
    line: usize,
    /// In characters, counted from 0.
    column: usize,
}

impl Place {
    fn error(self, text: &str, problem: impl Into<String>) -> SketchError {
        let source = text.lines().nth(self.line).unwrap_or_default().to_owned();
        SketchError { line: self.line + 1, column: self.column + 1, problem: problem.into(), source }
    }
}
