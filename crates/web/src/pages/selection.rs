//! Which branches are shown, and in which order: as the address of the page says it.
//!
//! Everything is in the address, so that a view can be sent to somebody. What an address says wrongly is told, and the
//! rest of it holds.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use alignwatch_model::{
    Span, Timestamp,
    branch::{DORMANT_AFTER, State},
    kept::KeptBranch,
};
use serde::Deserialize;

use super::{told, views::View};

/// Rows of a page. Source: ours; what is scrolled through before one filters.
pub(super) const ROWS: usize = 100;

/// What the address asks for, as it is written there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// Text in the name, the subject, the author, or a path in conflict.
    pub(super) q: String,
    pub(super) state: String,
    pub(super) owner: String,
    pub(super) family: String,
    pub(super) path: String,
    pub(super) age: String,
    pub(super) sort: String,
    pub(super) group: String,
    pub(super) page: String,
}

/// How long a branch rests: from what on, the word in addresses, and how it reads.
const AGES: [(i64, &str, &str); 5] = [
    (0, "week", "up to 7 days"),
    (7, "month", "7 to 30 days"),
    (30, "quarter", "30 to 90 days"),
    (90, "year", "90 days to a year"),
    (365, "older", "more than a year"),
];

/// Orders: the word in addresses, and how it reads.
pub(super) const SORTS: [(&str, &str); 8] = [
    ("attention", "needs attention"),
    ("name", "name"),
    ("behind", "behind"),
    ("ahead", "ahead"),
    ("conflicts", "conflicts"),
    ("idle", "last commit"),
    ("drifting", "drifting since"),
    ("owner", "author"),
];

/// Groups: the word in addresses, and how it reads.
pub(super) const GROUPS: [(&str, &str); 5] = [
    ("", "nothing"),
    ("state", "state"),
    ("family", "family of attempts"),
    ("owner", "author"),
    ("age", "last commit"),
];

/// The answer.
pub(super) struct Selection {
    /// Places of branches in [`View::branches`], in order: one page of them.
    pub(super) rows: Vec<Row>,
    pub(super) n_found: usize,
    /// From 1 on.
    pub(super) page: usize,
    pub(super) n_pages: usize,
    /// What the address says wrongly.
    pub(super) wrong: Vec<String>,
}

/// A row of the table.
pub(super) enum Row {
    /// The head of a group: what is common, and how many there are in all.
    Group { name: String, n: usize },
    /// A branch, by its place.
    Branch(usize),
}

impl Asked {
    /// The same question with one thing asked differently, and from the first page, as the end of an address.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let own = [
            ("q", &self.q),
            ("state", &self.state),
            ("owner", &self.owner),
            ("family", &self.family),
            ("path", &self.path),
            ("age", &self.age),
            ("sort", &self.sort),
            ("group", &self.group),
        ];
        let asked = own.iter().map(|(own, old)| (*own, if *own == name { value } else { old.as_str() }));
        let page = (name == "page").then_some(("page", value));
        let parts = asked.chain(page).filter(|(_, value)| !value.is_empty());
        let parts: Vec<String> = parts.map(|(name, value)| format!("{name}={}", told::encoded(value))).collect();
        format!("?{}", parts.join("&"))
    }

    /// The order and whether it is turned around.
    fn order(&self) -> (&str, bool) {
        match self.sort.strip_prefix('-') {
            Some(order) => (order, true),
            None => (if self.sort.is_empty() { "attention" } else { &self.sort }, false),
        }
    }

    /// Where the head of a column leads: to its order; and to the same turned around, when that is in force.
    pub(super) fn sorted_by(&self, column: &str) -> String {
        let (order, is_turned) = self.order();
        self.with("sort", &if order == column && !is_turned { format!("-{column}") } else { column.to_owned() })
    }

    /// How a column is sorted, for `aria-sort`; nothing when it is not.
    pub(super) fn direction(&self, column: &str) -> &'static str {
        // Numbers come the largest first, and names the first first.
        let is_falling_first = !matches!(column, "name" | "owner");
        match self.order() {
            (order, is_turned) if order == column => {
                if is_turned == is_falling_first {
                    "ascending"
                } else {
                    "descending"
                }
            }
            _ => "",
        }
    }

    pub(super) fn is_filtered(&self) -> bool {
        [&self.q, &self.state, &self.owner, &self.family, &self.path, &self.age].iter().any(|text| !text.is_empty())
    }

    /// What is wrong with it.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |name: &str, value: &str, mut known: Vec<&str>| {
            known.retain(|word| !word.is_empty());
            if !value.is_empty() && !known.contains(&value) {
                wrong.push(format!("there is no {name} `{value}`; there are: {}", known.join(", ")));
            }
        };
        must("state", &self.state, State::BY_CONCERN.map(State::word).to_vec());
        must("age", &self.age, AGES.iter().map(|(_, word, _)| *word).collect());
        must("order", self.order().0, SORTS.iter().map(|(word, _)| *word).collect());
        must("group", &self.group, GROUPS.iter().map(|(word, _)| *word).collect());
        wrong
    }
}

/// Ages for a choice: word and text.
pub(super) fn ages() -> impl Iterator<Item = (&'static str, &'static str)> {
    AGES.into_iter().map(|(_, word, text)| (word, text))
}

/// Answers the question.
pub(super) fn select(view: &View, asked: &Asked, now: Timestamp) -> Selection {
    let mut found = filtered(view, asked, now);
    sort(view, &mut found, asked, now);
    let groups = grouped(view, &mut found, &asked.group, now);
    let n_pages = found.len().div_ceil(ROWS).max(1);
    let page = asked.page.parse::<usize>().unwrap_or(1).clamp(1, n_pages);
    let mut rows = Vec::new();
    let mut last = None;
    for place in found.iter().skip((page - 1) * ROWS).take(ROWS) {
        if let Some(groups) = &groups {
            let name = group_of(view, *place, &asked.group, now);
            if last.as_ref() != Some(&name) {
                rows.push(Row::Group { name: name.to_string(), n: groups.get(&name).copied().unwrap_or(0) });
                last = Some(name);
            }
        }
        rows.push(Row::Branch(*place));
    }
    Selection { rows, n_found: found.len(), page, n_pages, wrong: asked.wrong() }
}

fn filtered(view: &View, asked: &Asked, now: Timestamp) -> Vec<usize> {
    let text = asked.q.trim().to_lowercase();
    let holds = |part: &str| part.to_lowercase().contains(&text);
    let state = State::BY_CONCERN.into_iter().find(|state| state.word() == asked.state);
    let age = AGES.iter().position(|(_, word, _)| *word == asked.age);
    let is_wanted = |place: &usize| {
        let branch = &view.branches[*place];
        let author = branch.author.as_deref().unwrap_or_default();
        let subject = branch.subject.as_deref().unwrap_or_default();
        state.is_none_or(|state| branch.state == state)
            && (asked.owner.is_empty() || told::person(author) == asked.owner)
            && (asked.family.is_empty() || view.families[*place].as_deref() == Some(asked.family.as_str()))
            && (asked.path.is_empty() || conflicts_at(branch, &asked.path))
            && age.is_none_or(|age| age_of(branch, now) == Some(age))
            && (text.is_empty() || holds(&branch.name) || holds(subject) || holds(author) || paths(branch).any(holds))
    };
    (0..view.branches.len()).filter(is_wanted).collect()
}

fn conflicts_at(branch: &KeptBranch, path: &str) -> bool {
    paths(branch).any(|other| other == path)
}

/// The paths at which it conflicts, as far as they are kept.
fn paths(branch: &KeptBranch) -> impl Iterator<Item = &str> {
    let conflicts = branch.conflicts.iter().filter(|_| branch.state == State::Conflicting).flatten();
    conflicts.map(|conflict| conflict.path.as_str())
}

impl Asked {
    /// The path of a branch that a row shows: the one that was asked for, else the first in conflict.
    pub(super) fn path_of<'a>(&self, branch: &'a KeptBranch) -> &'a str {
        let text = self.q.trim().to_lowercase();
        let is_asked = |path: &&str| *path == self.path || (!text.is_empty() && path.to_lowercase().contains(&text));
        paths(branch).find(is_asked).or_else(|| paths(branch).next()).unwrap_or_default()
    }
}

/// The place of its age in [`AGES`]; `None` = not known.
fn age_of(branch: &KeptBranch, now: Timestamp) -> Option<usize> {
    let days = branch.idle_age(now)?.whole_days().max(0);
    AGES.iter().rposition(|(from, ..)| *from <= days)
}

fn sort(view: &View, found: &mut [usize], asked: &Asked, now: Timestamp) {
    let branch = |place: &usize| &view.branches[*place];
    let (order, is_turned) = asked.order();
    match order {
        // The order by name is the one in which they are kept.
        "name" => {}
        "behind" => found.sort_by_key(|place| Reverse(branch(place).behind)),
        "ahead" => found.sort_by_key(|place| Reverse(branch(place).ahead)),
        "conflicts" => found.sort_by_key(|place| Reverse(n_conflicts(branch(place)))),
        "idle" => found.sort_by_key(|place| Reverse(branch(place).idle_age(now))),
        "drifting" => found.sort_by_key(|place| Reverse(branch(place).divergence_age(now))),
        "owner" => found.sort_by_cached_key(|place| {
            branch(place).author.as_deref().map(|author| told::person(author).to_lowercase())
        }),
        _ => found.sort_by_cached_key(|place| attention(branch(place), now)),
    }
    if is_turned {
        found.reverse();
    }
}

/// Lower comes first: the order of `alignwatch branches`.
fn attention(branch: &KeptBranch, now: Timestamp) -> (bool, bool, usize, Span) {
    let idle = branch.idle_age(now).unwrap_or_default();
    (branch.state.is_settled(), DORMANT_AFTER < idle, branch.state.concern(), idle)
}

/// Paths in conflict; a conflict whose paths are not known counts as more than none.
pub(super) fn n_conflicts(branch: &KeptBranch) -> Option<u32> {
    (branch.state == State::Conflicting).then(|| branch.n_conflicts.unwrap_or(1))
}

/// The name of a group; groups are in this order: by a number, then by name.
type Group = Arc<str>;

/// Brings the members of each group together, and counts them. `None` = there are no groups.
fn grouped(view: &View, found: &mut [usize], group: &str, now: Timestamp) -> Option<BTreeMap<Group, usize>> {
    if !GROUPS.iter().any(|(word, _)| *word == group && !word.is_empty()) {
        return None;
    }
    let mut counts = BTreeMap::<Group, usize>::new();
    for place in found.iter() {
        *counts.entry(group_of(view, *place, group, now)).or_default() += 1;
    }
    found.sort_by_cached_key(|place| {
        let name = group_of(view, *place, group, now);
        let branch = &view.branches[*place];
        let order = match group {
            "state" => branch.state.concern(),
            "age" => age_of(branch, now).unwrap_or(AGES.len()),
            // Those in none come last.
            "family" if view.families[*place].is_none() => usize::MAX,
            // The largest first.
            _ => usize::MAX - 1 - counts[&name],
        };
        (order, name)
    });
    Some(counts)
}

fn group_of(view: &View, place: usize, group: &str, now: Timestamp) -> Group {
    let branch = &view.branches[place];
    match group {
        "state" => told::state(branch.state).word.into(),
        "family" => view.families[place].clone().unwrap_or_else(|| "no family".into()),
        "owner" => branch.author.as_deref().map_or("unknown author", told::person).into(),
        _ => age_of(branch, now).map_or("not known", |age| AGES[age].2).into(),
    }
}
