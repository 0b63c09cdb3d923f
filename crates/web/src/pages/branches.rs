//! The branches of a repository as a table: filtered, sorted, grouped, a page at a time.

use std::sync::Arc;

use alignwatch_model::{branch::State as BranchState, kept::KeptBranch, words::thousands};
use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};

use super::{
    head::{Head, Tab},
    selection::{self, Asked, GROUPS, Row, SORTS, Selection, select},
    shell::{Failed, Section, Shell, made},
    told::{self, Ago, Mark},
    views::View,
};
use crate::Shared;

/// Characters of a path in a row.
const PATH_SHOWN: usize = 44;

/// Authors that are offered to choose from.
const OWNERS_AT_MOST: usize = 40;

/// Columns: the order that each stands for, its title, its class.
const COLUMNS: [(&str, &str, &str); 8] = [
    ("name", "Branch", ""),
    ("", "State", ""),
    ("behind", "Behind", "n"),
    ("ahead", "Ahead", "n"),
    ("conflicts", "Conflicts", ""),
    ("idle", "Last commit", ""),
    ("drifting", "Drifting since", ""),
    ("owner", "Author", ""),
];

#[derive(Template)]
#[template(path = "branches.html")]
struct BranchesPage {
    shell: Shell,
    head: Head,
    view: Arc<View>,
    asked: Asked,
    selection: Selection,
    owners: Vec<(String, usize)>,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    made(shared, headers, move |shared| {
        let view = shared.view(&id)?;
        let shell = Shell::new(shared, format!("Branches of {}", told::called(&view.row.path)), Section::None);
        let selection = select(&view, &asked, shell.now);
        let owners = owners(&view);
        let head = Head::of(&view, Tab::Branches, shell.now);
        Ok(BranchesPage { shell, head, view, asked, selection, owners })
    })
    .await
}

/// Authors with most branches first.
fn owners(view: &View) -> Vec<(String, usize)> {
    let mut counts = std::collections::HashMap::<&str, usize>::new();
    for author in view.branches.iter().filter_map(|branch| branch.author.as_deref()) {
        *counts.entry(told::person(author)).or_default() += 1;
    }
    let mut owners: Vec<_> = counts.into_iter().map(|(owner, n)| (owner.to_owned(), n)).collect();
    owners.sort_by(|(a, left), (b, right)| right.cmp(left).then_with(|| a.cmp(b)));
    owners.truncate(OWNERS_AT_MOST);
    owners
}

/// A branch as a row shows it.
pub(super) struct Shown<'a> {
    pub(super) branch: &'a KeptBranch,
    pub(super) name: &'a str,
    pub(super) base: &'a str,
    pub(super) path: String,
    pub(super) mark: Mark,
    pub(super) meaning: &'static str,
    pub(super) idle: Option<Ago>,
    pub(super) drifting: Option<Ago>,
    pub(super) author: &'a str,
    /// How many paths, one of them, and its end.
    pub(super) conflicts: Option<(String, &'a str, String)>,
    /// Why it could not be judged.
    pub(super) reason: &'a str,
}

impl<'a> Shown<'a> {
    fn behind(&self) -> String {
        told::number(self.branch.behind)
    }

    fn ahead(&self) -> String {
        told::number(self.branch.ahead)
    }

    pub(super) fn of(
        repository: &str,
        branch: &'a KeptBranch,
        asked: &Asked,
        now: alignwatch_model::Timestamp,
    ) -> Shown<'a> {
        let ago = |at: Option<i64>| at.map(|at| Ago::new(alignwatch_model::Timestamp(at), now));
        let first = asked.path_of(branch);
        let n = (branch.state == BranchState::Conflicting)
            .then(|| branch.n_conflicts.map_or_else(|| "?".to_owned(), |n| thousands(n as usize)));
        Shown {
            branch,
            name: told::short(&branch.name),
            base: branch.base.as_deref().map_or("", told::short),
            path: told::branch_path(repository, &branch.name),
            mark: told::state(branch.state),
            meaning: told::meaning(branch.state),
            idle: ago(branch.committed_at),
            drifting: ago(branch.missing_since.filter(|_| branch.behind != Some(0))),
            author: branch.author.as_deref().map_or("", told::person),
            conflicts: n.map(|n| (n, first, told::tail(first, PATH_SHOWN))),
            reason: branch.reason.as_deref().unwrap_or_default(),
        }
    }
}

impl BranchesPage {
    fn shown(&self, place: &usize) -> Shown<'_> {
        Shown::of(&self.view.row.id, &self.view.branches[*place], &self.asked, self.shell.now)
    }

    fn ages(&self) -> Vec<(&'static str, &'static str)> {
        selection::ages().collect()
    }

    fn page_path(&self, page: usize) -> String {
        self.asked.with("page", &page.to_string())
    }

    fn states(&self) -> Vec<(BranchState, usize)> {
        self.view.by_state()
    }

    fn range(&self) -> String {
        let n_before = (self.selection.page - 1) * selection::ROWS;
        let last = (n_before + selection::ROWS).min(self.selection.n_found);
        format!("{}–{} of {}", thousands(n_before + 1), thousands(last), thousands(self.selection.n_found))
    }
}
