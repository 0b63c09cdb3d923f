//! Where the history of a repository is written down, besides its objects.
//!
//! Replace refs are not among it: alignment maths never honours them, as with
//! `GIT_NO_REPLACE_OBJECTS=1`; Git then uses its commit-graph in spite of them,
//! and so do we. Grafts and the shallow boundary do change history, and Git
//! ignores its commit-graph where one of them is there; so do we.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use alignwatch_model::Oid;
use rustc_hash::FxHashMap;

use crate::files::FileIdentity;

/// Where to look for commit-graphs, and what changes history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphSources {
    /// Directories with objects: the repository's own first, then those it borrows from.
    pub object_dirs: Vec<PathBuf>,
    /// `sha1` or `sha256`.
    pub object_format: String,
    /// Commits whose parents were cut off (the `shallow` file).
    pub shallow: Vec<Oid>,
    /// Commits with the parents that somebody gave them (the `info/grafts` file).
    pub grafts: Vec<(Oid, Vec<Oid>)>,
    /// The commit-graph files, as they were when this was made; `None` = there is none.
    pub graph_files: Vec<Option<FileIdentity>>,
    /// A directory of our own for this repository, where a graph may be kept. Nothing else is ever written.
    pub side_dir: Option<PathBuf>,
}

/// Why it can't be told where history is written down.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// A file is there and can't be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The list of borrowed object directories does not make sense.
    #[error("cannot follow the alternates of {path}: {cause}")]
    Alternates {
        /// The object directory that has the list.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The boundary of a shallow repository is no list of ids: then nobody knows what was cut.
    #[error("{path} is damaged: {cause}")]
    Shallow {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
}

impl GraphSources {
    /// The sources of the repository with this common git directory. There is no side directory yet.
    ///
    /// Errors: a file that is there and can't be read, since its content would change history.
    pub fn in_git_dir(common_dir: &Path, object_format: &str) -> Result<GraphSources, SourcesError> {
        let own = common_dir.join("objects");
        let borrowed = gix_odb::alternate::resolve(own.clone(), &std::path::absolute(".").unwrap_or_default())
            .map_err(|error| SourcesError::Alternates { path: own.clone(), cause: error.to_string() })?;
        let shallow_path = common_dir.join("shallow");
        let shallow = parse_shallow(&read(&shallow_path)?)
            .map_err(|cause| SourcesError::Shallow { path: shallow_path, cause })?;
        let object_dirs: Vec<PathBuf> = std::iter::once(own).chain(borrowed).collect();
        let graph_files = ["info/commit-graph", "info/commit-graphs/commit-graph-chain"];
        let graph_files = object_dirs.iter().flat_map(|dir| graph_files.map(|file| FileIdentity::of(&dir.join(file))));
        Ok(GraphSources {
            graph_files: graph_files.collect(),
            object_dirs,
            object_format: object_format.to_owned(),
            shallow,
            grafts: parse_grafts(&read(&common_dir.join("info/grafts"))?),
            side_dir: None,
        })
    }

    /// Why Git ignores its commit-graph here, if it does.
    pub fn graph_is_disabled(&self) -> Option<&'static str> {
        if !self.shallow.is_empty() {
            Some("the repository is shallow")
        } else if !self.grafts.is_empty() {
            Some("the repository has grafts")
        } else {
            None
        }
    }

    /// The parents that replace those in the commits. A shallow commit has none; it wins over a graft.
    pub(super) fn given_parents(&self) -> FxHashMap<Oid, Vec<Oid>> {
        // Of two grafts for one commit Git takes the first.
        let grafts = self.grafts.iter().rev().cloned();
        grafts.chain(self.shallow.iter().map(|oid| (*oid, Vec::new()))).collect()
    }

    pub(super) fn hash(&self) -> gix_hash::Kind {
        if self.object_format == "sha256" { gix_hash::Kind::Sha256 } else { gix_hash::Kind::Sha1 }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SourcesError> {
    match fs::read(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        read => read.map_err(|source| SourcesError::Read { path: path.to_owned(), source }),
    }
}

fn parse_shallow(text: &[u8]) -> Result<Vec<Oid>, String> {
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Oid::from_hex(line.trim_ascii_end()).map_err(|error| error.to_string())).collect()
}

/// Lines of a commit and its parents. Git says so and goes on where a line is none; so do we.
fn parse_grafts(text: &[u8]) -> Vec<(Oid, Vec<Oid>)> {
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    lines.filter(|line| !line.is_empty() && line[0] != b'#').filter_map(parse_graft).collect()
}

fn parse_graft(line: &[u8]) -> Option<(Oid, Vec<Oid>)> {
    let mut oids = line.split(|&byte| byte == b' ').map(Oid::from_hex);
    let commit = oids.next()?.ok()?;
    Some((commit, oids.collect::<Result<_, _>>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(digit: u8) -> Oid {
        Oid::from_hex(&[digit; 40]).unwrap()
    }

    #[test]
    fn a_graft_gives_parents_the_first_one_wins_and_shallow_wins_over_it() {
        let line = |digits: &[u8]| digits.iter().map(|&digit| oid(digit).hex()).collect::<Vec<_>>().join(" ");
        let text =
            format!("# by hand\n{}\n{}\nnonsense\n{} \n{}\n", line(b"123"), line(b"14"), line(b"5"), line(b"67"));
        let grafts = parse_grafts(text.as_bytes());
        let sources = GraphSources { grafts, shallow: vec![oid(b'6')], ..Default::default() };
        let given = sources.given_parents();
        assert_eq!(given[&oid(b'1')], [oid(b'2'), oid(b'3')]);
        assert_eq!(given[&oid(b'5')], []);
        assert_eq!(given[&oid(b'6')], []);
        assert_eq!(given.len(), 3);
    }

    #[test]
    fn a_shallow_file_that_is_no_list_of_ids_is_an_error() {
        assert!(parse_shallow(b"nonsense\n").is_err());
        assert_eq!(parse_shallow(format!("{}\n", oid(b'1')).as_bytes()), Ok(vec![oid(b'1')]));
    }
}
