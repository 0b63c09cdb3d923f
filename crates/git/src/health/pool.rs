//! Finds out who borrows objects from whom, among repositories that are looked at together.
//!
//! Only the borrower knows: its `objects/info/alternates` names the object folder
//! that it borrows from, which knows nothing of it.

use std::path::{Path, PathBuf};

use alignwatch_model::facts::Pool;

use crate::{
    config_text::boolean,
    repository::{OpenError, Opened, open},
};

/// Who borrows from which object folder.
#[derive(Clone, Debug, Default)]
pub struct Borrowing {
    /// Each repository that could be opened: its name, its objects, and the folders it borrows from.
    repositories: Vec<(String, PathBuf, Vec<PathBuf>)>,
}

impl Borrowing {
    /// Asks all of these, if there are several. One that cannot be opened says nothing here; its own inspection tells why.
    pub fn among(paths: &[PathBuf]) -> Borrowing {
        let ask = |path: &PathBuf| {
            let opened = open(path).ok()?;
            let lenders = opened.alternates.iter().map(|lender| canonical(&lender.path)).collect();
            Some((path.display().to_string(), canonical(&opened.objects_dir), lenders))
        };
        let several = if paths.len() < 2 { &[][..] } else { paths };
        Borrowing { repositories: several.iter().filter_map(ask).collect() }
    }

    /// What the others say about the repository with this folder of objects.
    pub fn from(&self, objects_dir: &Path, pool: Pool) -> Pool {
        let ours = canonical(objects_dir);
        let others = self.repositories.iter().filter(|(_, objects, _)| *objects != ours);
        let borrows = |lenders: &[PathBuf]| lenders.contains(&ours);
        Pool {
            n_asked: others.clone().count(),
            borrowers: others.filter(|(.., lenders)| borrows(lenders)).map(|(name, ..)| name.clone()).collect(),
            ..pool
        }
    }
}

/// Who borrows from this repository, among these and what lies in the folder that it lies in. Shape: paths, sorted.
///
/// Errors: one of them can't be looked at, so that it may borrow; as a sentence.
pub fn borrowers(opened: &Opened, named: &[PathBuf]) -> Result<Vec<String>, String> {
    let ours = canonical(&opened.objects_dir);
    let mut paths: Vec<PathBuf> = named.iter().cloned().chain(beside(opened)?).collect();
    paths.sort();
    paths.dedup();
    let mut found = Vec::new();
    for path in paths {
        match open(&path) {
            Ok(other) if canonical(&other.objects_dir) == ours => {}
            Ok(other) => {
                let borrows = other.alternates.iter().any(|lender| canonical(&lender.path) == ours);
                found.extend(borrows.then(|| path.display().to_string()));
            }
            Err(OpenError::NotARepository { .. }) => {}
            Err(error) => return Err(format!("whether `{}` borrows from it is not known: {error}", path.display())),
        }
    }
    Ok(found)
}

/// Folders beside it that may hold a repository which borrows: they have a list of lenders, or a link to a Git directory.
fn beside(opened: &Opened) -> Result<Vec<PathBuf>, String> {
    let place = opened.worktree.as_ref().unwrap_or(&opened.common_dir);
    let Some(folder) = place.parent() else { return Ok(Vec::new()) };
    let cannot = |error: std::io::Error| {
        format!("whether somebody in `{}` borrows from it is not known: {error}", folder.display())
    };
    let may_borrow = |path: &PathBuf| {
        let lists = ["objects/info/alternates", ".git/objects/info/alternates"];
        lists.iter().any(|list| path.join(list).exists()) || path.join(".git").is_file()
    };
    let entries = std::fs::read_dir(folder).map_err(cannot)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    Ok(paths.into_iter().filter(may_borrow).collect())
}

/// What the repository itself says.
pub fn pool(opened: &Opened) -> Pool {
    let is_set =
        |(name, value): &(String, String)| name == "preciousobjects" && boolean(Some(value.as_bytes())) == Some(true);
    Pool { is_precious: opened.extensions.iter().any(is_set), ..Pool::default() }
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
