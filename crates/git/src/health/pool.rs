//! Finds out who borrows objects from whom, among repositories that are looked at together.
//!
//! Only the borrower knows: its `objects/info/alternates` names the object folder
//! that it borrows from, which knows nothing of it.

use std::path::{Path, PathBuf};

use alignwatch_model::facts::Pool;

use crate::{
    config_text::boolean,
    repository::{Opened, open},
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

/// Folders beside a repository that are asked whether they borrow from it. Source: ours; a folder of forks.
const NEIGHBOURS_AT_MOST: usize = 500;

/// Who borrows from this repository, among these and what lies in the folder that it lies in. Shape: paths, sorted.
pub fn borrowers(opened: &Opened, named: &[PathBuf]) -> Vec<String> {
    let place = opened.worktree.as_ref().unwrap_or(&opened.common_dir);
    let beside = place.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let beside = beside.map(|entry| entry.path()).filter(|path| path.is_dir()).take(NEIGHBOURS_AT_MOST);
    let mut paths: Vec<PathBuf> = named.iter().cloned().chain(beside).collect();
    paths.sort();
    paths.dedup();
    // This one is asked as well, and never borrows from itself; so there are several.
    paths.insert(0, opened.common_dir.clone());
    let mut found = Borrowing::among(&paths).from(&opened.objects_dir, Pool::default()).borrowers;
    found.sort();
    found
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
