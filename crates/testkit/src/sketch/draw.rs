//! Makes the repository: `git init`, one `git fast-import`, one `git update-ref`.

use std::{collections::BTreeSet, fs, path::Path};

use alignwatch_model::Oid;

use super::{
    CommitGraph, History, Origin, Sketch, SketchError,
    history::{Commit, Kind, Ref, Tree},
};
use crate::{
    Repo,
    git::{git, git_command, os, succeed},
};

/// The ref that commits are imported to. It is gone afterwards.
const SCRATCH: &str = "refs/testkit/drawn";

/// Layers of a split commit-graph.
const N_LAYERS: usize = 3;

/// Makes the repository that `sketch` describes.
pub(super) fn draw(sketch: &Sketch, history: History) -> Repo {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let origin = match &sketch.origin {
        Origin::InPlace => None,
        Origin::Clone(option) => Some((dir.path().join("origin.git"), option)),
    };
    let path = dir.path().join(if sketch.has_worktree { "repo" } else { "repo.git" });
    let drawn_in = origin.as_ref().map_or(&path, |(origin, _)| origin);
    let is_bare = origin.is_some() || !sketch.has_worktree;
    init(sketch, drawn_in, is_bare, &first_head(&history));
    let stream = Stream { history: &history, known: &[], n_digits: if sketch.is_sha256 { 64 } else { 40 } };
    let oids = import(drawn_in, &stream, sketch.has_loose_objects);
    point_refs(drawn_in, &history, &oids);
    if let Some((origin, option)) = &origin {
        clone(sketch, origin, &path, option);
    }
    finish(sketch, &path, &oids);
    Repo::new(dir, path, origin.map(|(path, _)| path), history, oids)
}

/// Draws further commits and refs into a repository. Returns their ids.
pub(crate) fn draw_more(
    repo: &Path,
    history: &mut History,
    known: &[Oid],
    text: &str,
) -> Result<Vec<Oid>, SketchError> {
    history.extend(text)?;
    let n_digits = if git(repo, ["rev-parse", "--show-object-format"]) == "sha256" { 64 } else { 40 };
    let mut oids = known.to_vec();
    oids.extend(import(repo, &Stream { history, known, n_digits }, false));
    point_refs(repo, history, &oids);
    Ok(oids)
}

/// The branch that HEAD is on from the beginning: the one of the first line, else `main`.
fn first_head(history: &History) -> String {
    let asked = history.symbolic.iter().find(|(from, _)| from == b"HEAD").map(|(_, to)| to.as_slice());
    let mut names = history.refs.iter().map(|known| known.name.as_slice());
    let first = asked.or_else(|| names.find(|name| name.starts_with(b"refs/heads/")));
    let short = first.and_then(|name| name.strip_prefix(b"refs/heads/")).unwrap_or(b"main");
    String::from_utf8_lossy(short).into_owned()
}

fn init(sketch: &Sketch, path: &Path, is_bare: bool, head: &str) {
    let mut args = vec!["init", "--quiet", "--template="];
    args.extend(is_bare.then_some("--bare"));
    args.extend(sketch.is_sha256.then_some("--object-format=sha256"));
    args.extend(sketch.is_reftable.then_some("--ref-format=reftable"));
    let branch = format!("--initial-branch={head}");
    args.push(&branch);
    let mut command = git_command(".", args);
    succeed(command.arg(path), &[]);
    sketch.config.iter().for_each(|(key, value)| drop(git(path, ["config", key, value])));
    if matches!(sketch.origin, Origin::Clone(_)) {
        git(path, ["config", "uploadpack.allowFilter", "true"]);
    }
}

/// Imports the commits that are not known yet and returns their ids.
fn import(repo: &Path, stream: &Stream<'_>, as_loose: bool) -> Vec<Oid> {
    if stream.known.len() == stream.history.commits.len() {
        return Vec::new();
    }
    let marks = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let unpack_limit = if as_loose { u32::MAX >> 1 } else { 1 };
    let mut command = git_command(repo, ["-c", &format!("fastimport.unpackLimit={unpack_limit}")]);
    command.args(["fast-import", "--quiet", "--date-format=raw"]);
    command.arg(format!("--export-marks={}", marks.path().display()));
    succeed(&mut command, &stream.bytes());
    let text = fs::read_to_string(marks.path()).expect("git fast-import has written its marks");
    in_order_of_marks(&text)
}

/// The ids in a file of lines like `:1 <id>`, which git does not sort.
fn in_order_of_marks(text: &str) -> Vec<Oid> {
    let mut marks: Vec<(usize, Oid)> = text.lines().map(|line| mark(line).expect("`:mark id`")).collect();
    marks.sort();
    marks.into_iter().map(|(_, oid)| oid).collect()
}

fn mark(line: &str) -> Option<(usize, Oid)> {
    let (mark, oid) = line.strip_prefix(':')?.split_once(' ')?;
    Some((mark.parse().ok()?, Oid::from_hex(oid.as_bytes()).ok()?))
}

/// The input of `git fast-import`.
struct Stream<'a> {
    history: &'a History,
    /// Ids of the commits that are in the repository already: the first ones of the history.
    known: &'a [Oid],
    /// Hexadecimal digits of an id.
    n_digits: usize,
}

impl Stream<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, commit) in self.history.commits.iter().enumerate().skip(self.known.len()) {
            self.commit(&mut out, at, commit);
        }
        out
    }

    fn commit(&self, out: &mut Vec<u8>, at: usize, commit: &Commit) {
        if commit.parents.is_empty() {
            out.extend(format!("reset {SCRATCH}\n\n").bytes());
        }
        out.extend(format!("commit {SCRATCH}\nmark :{}\n", at + 1).bytes());
        out.extend(signature("author", &commit.author, commit.authored_at).bytes());
        out.extend(signature("committer", &commit.author, commit.committed_at).bytes());
        data(out, &commit.message);
        for (nth, &parent) in commit.parents.iter().enumerate() {
            let word = if nth == 0 { "from" } else { "merge" };
            out.extend(format!("{word} {}\n", self.name(parent)).bytes());
        }
        let none = Tree::new();
        let before = commit.parents.first().map_or(&none, |&parent| &self.history.commits[parent].tree);
        self.differences(out, before, &commit.tree);
        out.push(b'\n');
    }

    fn name(&self, at: usize) -> String {
        self.known.get(at).map_or_else(|| format!(":{}", at + 1), Oid::hex)
    }

    /// Deletions first: a file may stand where a directory was.
    fn differences(&self, out: &mut Vec<u8>, before: &Tree, after: &Tree) {
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            out.extend([b"D ", quoted(path).as_bytes(), b"\n"].concat());
        }
        for (path, entry) in after.iter().filter(|(path, entry)| before.get(*path) != Some(entry)) {
            let (mode, path) = (entry.kind.mode(), quoted(path));
            if entry.kind == Kind::Submodule {
                out.extend(format!("M {mode} {} {path}\n", self.submodule(&entry.content)).bytes());
            } else {
                out.extend(format!("M {mode} inline {path}\n").bytes());
                data(out, &entry.content);
            }
        }
    }

    /// The digits, again and again, until they are an id.
    fn submodule(&self, digits: &[u8]) -> String {
        digits.iter().cycle().take(self.n_digits).map(|&digit| char::from(digit)).collect()
    }
}

fn signature(role: &str, name: &str, at: i64) -> String {
    format!("{role} {name} <{name}@example.org> {at} +0000\n")
}

fn data(out: &mut Vec<u8>, content: &[u8]) {
    out.extend(format!("data {}\n", content.len()).bytes());
    out.extend(content);
    out.push(b'\n');
}

/// A path as `git fast-import` reads every byte of it.
fn quoted(path: &[u8]) -> String {
    let escaped: String = path.iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("\"{escaped}\"")
}

/// Sets all refs of the history and removes the scratch ref.
fn point_refs(repo: &Path, history: &History, oids: &[Oid]) {
    let mut commands = Vec::new();
    for known in history.refs.iter().filter(|known| !known.is_annotated_tag && known.name != b"HEAD") {
        let oid = oids[known.commit].hex();
        commands.extend([b"update ", known.name.as_slice(), b"\0", oid.as_bytes(), b"\0\0"].concat());
    }
    if !oids.is_empty() {
        commands.extend([b"delete ", SCRATCH.as_bytes(), b"\0\0"].concat());
    }
    if !commands.is_empty() {
        let args = ["-c", "core.logAllRefUpdates=false", "update-ref", "-z", "--stdin"];
        succeed(&mut git_command(repo, args), &commands);
    }
    history.refs.iter().filter(|known| known.is_annotated_tag).for_each(|tag| annotate(repo, tag, oids));
    for (from, to) in &history.symbolic {
        git(repo, ["symbolic-ref".as_ref(), os(from), os(to)]);
    }
    if let Some(head) = history.refs.iter().find(|known| known.name == b"HEAD") {
        git(repo, ["update-ref", "--no-deref", "HEAD", &oids[head.commit].hex()]);
    }
}

fn annotate(repo: &Path, tag: &Ref, oids: &[Oid]) {
    let name = tag.name.strip_prefix(b"refs/tags/").unwrap_or(&tag.name);
    let oid = oids[tag.commit].hex();
    git(
        repo,
        ["tag", "--force", "--annotate", "--message=tag", "--"]
            .map(AsRef::as_ref)
            .into_iter()
            .chain([os(name), oid.as_ref()]),
    );
}

fn clone(sketch: &Sketch, origin: &Path, path: &Path, option: &str) {
    let mut args = vec!["clone", "--quiet", "--template=", "--no-single-branch", option];
    args.extend((!sketch.has_worktree).then_some("--bare"));
    args.extend(sketch.is_reftable.then_some("--ref-format=reftable"));
    let mut command = git_command(".", args);
    command.arg(format!("file://{}", origin.display())).arg(path);
    succeed(&mut command, &[]);
    sketch.config.iter().for_each(|(key, value)| drop(git(path, ["config", key, value])));
}

fn finish(sketch: &Sketch, path: &Path, oids: &[Oid]) {
    if sketch.has_packed_refs {
        git(path, ["pack-refs", "--all"]);
    }
    write_commit_graph(path, sketch.commit_graph, oids);
    let has_head = crate::git_output(path, ["rev-parse", "--quiet", "--verify", "HEAD"]).status.success();
    if sketch.has_worktree && matches!(sketch.origin, Origin::InPlace) && has_head {
        git(path, ["reset", "--quiet", "--hard"]);
    }
}

fn write_commit_graph(path: &Path, graph: CommitGraph, oids: &[Oid]) {
    let n_commits = oids.len();
    match graph {
        CommitGraph::None => {}
        CommitGraph::Single => cover(path, oids, None),
        CommitGraph::Stale => cover(path, &oids[..n_commits.div_ceil(2)], None),
        CommitGraph::Split => {
            let ends: BTreeSet<usize> = (1..=N_LAYERS).map(|nth| n_commits * nth / N_LAYERS).collect();
            ends.into_iter().filter(|&end| end > 0).for_each(|end| cover(path, &oids[..end], Some("--split=no-merge")));
        }
    }
}

/// Writes a commit-graph, or a layer of one, over these commits and their ancestors.
fn cover(path: &Path, oids: &[Oid], split: Option<&str>) {
    let input: String = oids.iter().map(|oid| format!("{oid}\n")).collect();
    let mut command = git_command(path, ["commit-graph", "write", "--no-progress", "--stdin-commits"]);
    command.args(split);
    succeed(&mut command, input.as_bytes());
}
