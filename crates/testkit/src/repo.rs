//! A drawn repository: its place, its commits by label, and git's answers about it.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use alignwatch_model::{Oid, Timestamp};
use tempfile::TempDir;

use crate::{
    git::{git, git_command, git_output, os},
    sketch::{History, draw_more},
};

/// A repository of its own in a temporary directory, which goes when this goes.
#[derive(Debug)]
pub struct Repo {
    dir: TempDir,
    path: PathBuf,
    origin: Option<PathBuf>,
    history: History,
    oids: Vec<Oid>,
}

impl Repo {
    pub(crate) fn new(dir: TempDir, path: PathBuf, origin: Option<PathBuf>, history: History, oids: Vec<Oid>) -> Repo {
        Repo { dir, path, origin, history, oids }
    }

    /// What a person would name: the working tree, or the bare repository.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory with objects and refs.
    pub fn git_dir(&self) -> PathBuf {
        let below = self.path.join(".git");
        if below.is_dir() { below } else { self.path.clone() }
    }

    /// The temporary directory around it: room for linked worktrees, clones and the like.
    pub fn room(&self) -> &Path {
        self.dir.path()
    }

    /// The repository it was cloned from, if it is a clone.
    pub fn origin(&self) -> Option<&Path> {
        self.origin.as_deref()
    }

    /// The id of the commit with this label. Panics when there is none.
    pub fn oid(&self, label: &str) -> Oid {
        let at = self.history.index(label).unwrap_or_else(|| panic!("commit `{label}` is not drawn"));
        self.oids[at]
    }

    /// The ids of several commits, sorted: as git lists merge bases, say.
    pub fn oids<const N: usize>(&self, labels: [&str; N]) -> Vec<Oid> {
        let mut oids: Vec<Oid> = labels.iter().map(|label| self.oid(label)).collect();
        oids.sort();
        oids
    }

    /// The label of the commit with this id.
    pub fn label(&self, oid: &Oid) -> Option<&str> {
        let at = self.oids.iter().position(|known| known == oid)?;
        self.history.label(at)
    }

    /// Committer date of the newest commit. A good "now" for a test.
    pub fn newest_at(&self) -> Timestamp {
        Timestamp(self.history.newest_at())
    }

    /// Draws further commits and refs, and moves refs: lines may begin at commits that are there.
    ///
    /// ```
    /// # use alignwatch_testkit::sketch;
    /// let mut repo = sketch("main: a b").draw();
    /// repo.draw_more("main: b c\n feature: b x");
    /// assert_eq!(repo.git(["rev-list", "--count", "main...feature"]), "2");
    /// ```
    ///
    /// Panics as [`crate::Sketch::draw`] does.
    pub fn draw_more(&mut self, text: &str) {
        let drawn = draw_more(&self.path, &mut self.history, &self.oids, text);
        self.oids = drawn.unwrap_or_else(|error| panic!("{error}"));
    }

    /// What git answers here. Panics when it fails.
    pub fn git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        git(&self.path, args)
    }

    /// All that git gives back here, whether it fails or not.
    pub fn git_output<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        git_output(&self.path, args)
    }

    /// A git that is not started yet.
    pub fn git_command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        git_command(&self.path, args)
    }

    /// Writes a loose ref past git, with any name and any content: for what git refuses to make.
    pub fn write_ref_by_hand(&self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) {
        let path = self.git_dir().join(os(name.as_ref()));
        let parent = path.parent().expect("a ref has a directory");
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, content)).expect("a ref can be written");
    }

    /// Takes an object away, as a partial clone or a broken disk would. All others become loose.
    pub fn remove_object(&self, oid: &str) {
        let oid = self.git(["rev-parse", "--verify", oid]);
        self.unpack();
        let path = self.git_dir().join("objects").join(&oid[..2]).join(&oid[2..]);
        fs::remove_file(&path).unwrap_or_else(|error| panic!("cannot remove {}: {error}", path.display()));
    }

    fn unpack(&self) {
        let packs = self.git_dir().join("objects/pack");
        let entries = fs::read_dir(&packs).expect("the pack directory can be read");
        for path in entries.map(|entry| entry.expect("an entry can be read").path()) {
            if path.extension() == Some("pack".as_ref()) {
                let away = self.dir.path().join("unpacked.pack");
                fs::rename(&path, &away).expect("a pack can be moved");
                fs::remove_file(path.with_extension("idx")).expect("an index can be removed");
                let pack = fs::File::open(&away).expect("a pack can be opened");
                let status = self.git_command(["unpack-objects", "-q"]).stdin(pack).status();
                assert!(status.is_ok_and(|status| status.success()), "cannot unpack {}", away.display());
            }
        }
    }
}
