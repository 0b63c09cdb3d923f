//! The head of all pages about one repository: its name, its health, the ways to its other pages.

use askama::Template;

use super::{
    told::{self, Ago, Mark},
    views::View,
};

#[derive(Template)]
#[template(path = "repository-head.html")]
pub(super) struct Head {
    id: String,
    name: String,
    path: String,
    health: Mark,
    swept: Ago,
    took: String,
    /// Each line that branches are measured against, and why.
    lines: Vec<(String, String)>,
    n_branches: usize,
    tab: Tab,
}

/// A page about a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Summary,
    Branches,
}

impl Head {
    pub(super) fn of(view: &View, tab: Tab, now: alignwatch_model::Timestamp) -> Head {
        let row = &view.row;
        let lines = view.seen.iter().flat_map(|seen| &seen.lines);
        Head {
            id: row.id.clone(),
            name: told::called(&row.path).to_owned(),
            path: row.path.clone(),
            health: told::health(&row.status),
            swept: Ago::new(row.swept_at, now),
            took: told::seconds(row.seconds),
            lines: lines.map(|line| (told::short(&line.name).to_owned(), line.because.clone())).collect(),
            n_branches: view.branches.len(),
            tab,
        }
    }

    /// Each with its title and its address.
    fn tabs(&self) -> Vec<(Tab, String, String)> {
        let path = format!("/repositories/{}", told::encoded(&self.id));
        let n = alignwatch_model::words::thousands(self.n_branches);
        vec![
            (Tab::Summary, "Summary".to_owned(), path.clone()),
            (Tab::Branches, format!("Branches ({n})"), format!("{path}/branches")),
        ]
    }
}
