//! The stream into `git fast-import`, and the refs behind it.

use std::{
    fs,
    io::{BufWriter, Write as _},
    path::Path,
    process::{Child, ChildStdin, Stdio},
    rc::Rc,
};

use alignwatch_model::Oid;

use super::files::{File, FileId, Files, Kind, differences};
use crate::git::{git, git_command};

/// A commit in the stream, counted from 1.
pub(super) type Mark = u32;

/// Where a commit goes: the stream keeps the tree of each of its two tracks in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    Main,
    Side,
}

/// One commit to be written.
pub(super) struct Entry<'a> {
    pub(super) track: Track,
    pub(super) parents: &'a [Mark],
    /// The files of the first parent.
    pub(super) before: &'a Files,
    pub(super) after: &'a Files,
    /// Seconds since 1970.
    pub(super) at: i64,
    pub(super) author: &'a str,
    pub(super) message: &'a str,
}

/// An open import.
pub(super) struct Stream {
    child: Child,
    input: BufWriter<ChildStdin>,
    marks: tempfile::NamedTempFile,
    n_commits: Mark,
    content: Vec<u8>,
}

impl Stream {
    /// Makes an empty bare repository at `path`, with HEAD on `main`, and opens a stream into it.
    pub(super) fn open(path: &Path) -> Stream {
        let place = path.to_str().expect("the path of a generated repository is text");
        git(".", ["init", "--quiet", "--bare", "--template=", "--initial-branch=main", place]);
        let marks = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        let mut command = git_command(path, ["-c", "fastimport.unpackLimit=1", "fast-import", "--quiet"]);
        command.arg("--date-format=raw").arg(format!("--export-marks={}", marks.path().display()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("git can be started");
        let input = BufWriter::with_capacity(1 << 20, child.stdin.take().expect("standard input is a pipe"));
        Stream { child, input, marks, n_commits: 0, content: Vec::new() }
    }

    pub(super) fn n_commits(&self) -> u32 {
        self.n_commits
    }

    /// Writes a commit.
    pub(super) fn commit(&mut self, entry: &Entry<'_>) -> Mark {
        let name = if entry.track == Track::Main { "refs/generate/main" } else { "refs/generate/side" };
        self.n_commits += 1;
        let mark = self.n_commits;
        if entry.parents.is_empty() {
            self.write(format_args!("reset {name}\n\n"));
        }
        self.write(format_args!("commit {name}\nmark :{mark}\n"));
        let Entry { author, at, message, .. } = entry;
        self.write(format_args!("author {author} <{author}@example.org> {at} +0000\n"));
        self.write(format_args!("committer {author} <{author}@example.org> {at} +0000\n"));
        self.write(format_args!("data {}\n{message}\n", message.len()));
        for (nth, parent) in entry.parents.iter().enumerate() {
            self.write(format_args!("{} :{parent}\n", if nth == 0 { "from" } else { "merge" }));
        }
        self.differences(entry.before, entry.after);
        self.write(format_args!("\n"));
        mark
    }

    /// Ends the import; the id of each commit, in order of marks.
    pub(super) fn close(self) -> Vec<Oid> {
        let Stream { mut child, input, marks, .. } = self;
        input.into_inner().map(drop).expect("git fast-import reads its input");
        let status = child.wait().expect("git fast-import can be waited for");
        assert!(status.success(), "cannot import the generated history: {status}");
        let text = fs::read_to_string(marks.path()).expect("git fast-import has written its marks");
        let mut oids: Vec<(Mark, Oid)> = text.lines().map(|line| marked(line).expect("`:mark id`")).collect();
        oids.sort_unstable_by_key(|(mark, _)| *mark);
        oids.into_iter().map(|(_, oid)| oid).collect()
    }

    /// Deletions first: a path may be free only after them.
    fn differences(&mut self, before: &Files, after: &Files) {
        if Rc::ptr_eq(before, after) {
            return;
        }
        for (_, old, new) in differences(before, after) {
            if let Some(old) = old.filter(|old| new.is_none_or(|new| new.path != old.path)) {
                self.write(format_args!("D {}\n", old.path));
            }
        }
        for (id, _, new) in differences(before, after) {
            if let Some(new) = new {
                self.file(id, new);
            }
        }
    }

    fn file(&mut self, id: FileId, file: &File) {
        let mut content = std::mem::take(&mut self.content);
        content.clear();
        file.content(id, &mut content);
        if file.kind == Kind::Submodule {
            self.write(format_args!("M {} {} {}\n", file.mode(), String::from_utf8_lossy(&content), file.path));
        } else {
            self.write(format_args!("M {} inline {}\ndata {}\n", file.mode(), file.path, content.len()));
            self.input.write_all(&content).expect("git fast-import reads its input");
            self.write(format_args!("\n"));
        }
        self.content = content;
    }

    fn write(&mut self, line: std::fmt::Arguments<'_>) {
        self.input.write_fmt(line).expect("git fast-import reads its input");
    }
}

fn marked(line: &str) -> Option<(Mark, Oid)> {
    let (mark, oid) = line.strip_prefix(':')?.split_once(' ')?;
    Some((mark.parse().ok()?, Oid::from_hex(oid.as_bytes()).ok()?))
}

/// Writes all refs as `packed-refs`: one file instead of one a branch. Removes those of the import.
pub(super) fn write_refs(path: &Path, refs: &[(String, Oid)]) {
    let mut sorted: Vec<&(String, Oid)> = refs.iter().collect();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    let mut text = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    sorted.iter().for_each(|(name, oid)| text.extend([&oid.hex(), " ", name, "\n"]));
    let loose = path.join("refs/generate");
    fs::remove_dir_all(&loose).expect("the refs of the import are loose");
    fs::write(path.join("packed-refs"), text).expect("refs can be written");
}
