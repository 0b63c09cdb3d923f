//! The map of branches: drift against age, size by own work, colour and shape by state.
//!
//! Both axes are logarithmic, so that the fresh and the lost fit on one picture. What stands apart is drawn singly and
//! the furthest are named; where branches lie close together, one mark stands for many and says how many.

use std::collections::BTreeMap;

use alignwatch_model::{Timestamp, branch::State, kept::KeptBranch, words::count};
use askama::Template;

use super::{
    chart::rounded,
    told::{self, Mark},
};

const SIZE: (f64, f64) = (760.0, 420.0);

/// Room around: left, top, right, below.
const MARGIN: (f64, f64, f64, f64) = (52.0, 16.0, 18.0, 36.0);

/// Fields of the grid within which branches of a state may be taken together.
const GRID: (f64, f64) = (64.0, 40.0);

/// Branches that are drawn singly. Source: ours; more are not told apart, and make the page slow.
const SINGLE_AT_MOST: usize = 400;

/// Where lines are drawn: commits behind, and days without a commit.
const BEHIND_TICKS: [u32; 15] =
    [0, 1, 3, 10, 30, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 100_000, 1_000_000];
const DAY_TICKS: [u32; 12] = [0, 1, 7, 30, 90, 180, 365, 730, 1_095, 1_825, 3_650, 7_300];

/// The side of the square around a branch within which others are neighbours.
const CROWD: f64 = 48.0;

/// So many in a square stand alone.
const LONELY: usize = 3;

/// Marks that a name may lie over.
const COVERED_AT_MOST: usize = 1;

/// Width of a letter, about: 11 px with fixed width.
const LETTER: f64 = 6.7;

/// Branches that are named.
const NAMED_AT_MOST: usize = 7;

/// The picture.
#[derive(Template)]
#[template(path = "map.svg")]
pub(super) struct Map {
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    rows: Vec<Tick>,
    columns: Vec<Tick>,
    spots: Vec<Spot>,
    names: Vec<Name>,
    /// Branches that have no place, since their drift or age is not known.
    pub(super) n_without_place: usize,
}

struct Tick {
    at: f64,
    text: String,
}

/// One branch, or several that lie close together.
struct Spot {
    x: f64,
    y: f64,
    size: f64,
    mark: Mark,
    told: String,
    /// Where it leads.
    path: String,
}

struct Name {
    x: f64,
    y: f64,
    /// Where it begins and how long it is, about.
    from: f64,
    width: f64,
    anchor: &'static str,
    text: String,
}

/// A branch with its place.
struct Placed<'a> {
    branch: &'a KeptBranch,
    x: f64,
    y: f64,
    /// How much it stands out, 0 to 3.
    weight: f64,
}

impl Map {
    pub(super) fn of(repository: &str, branches: &[KeptBranch], now: Timestamp) -> Map {
        let mut placed: Vec<Placed<'_>> = branches.iter().filter_map(|branch| place(branch, now)).collect();
        let n_without_place = branches.len() - placed.len();
        let days = Range::of(placed.iter().map(|one| one.x), 1.0);
        let behind = Range::of(placed.iter().map(|one| one.y), 1.0);
        let most_ahead = placed.iter().filter_map(|one| one.branch.ahead).max().unwrap_or(1).max(1);
        for one in &mut placed {
            let own = log(f64::from(one.branch.ahead.unwrap_or(0))) / log(f64::from(most_ahead));
            one.weight = days.part(one.x) + behind.part(one.y) + own;
        }
        let (left, top, right, bottom) = MARGIN;
        let (right, bottom) = (SIZE.0 - right, SIZE.1 - bottom);
        let x = |at: f64| rounded(left + days.part(at) * (right - left));
        let y = |at: f64| rounded(bottom - behind.part(at) * (bottom - top));
        placed.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let (singles, crowd) = placed.split_at(placed.len().min(SINGLE_AT_MOST));
        // What stands out lies on top.
        let mut spots = crowded(repository, crowd, (&days, &behind), (&x, &y));
        spots.extend(singles.iter().rev().map(|one| single(repository, one, (x(one.x), y(one.y)))));
        Map {
            width: SIZE.0,
            height: SIZE.1,
            left,
            right,
            top,
            bottom,
            rows: ticks(&BEHIND_TICKS, &behind, &y, |n| told::number(Some(n))),
            columns: ticks(&DAY_TICKS, &days, &x, age_text),
            spots,
            names: names(singles, &x, &y),
            n_without_place,
        }
    }
}

/// The part of an axis that is used.
struct Range {
    least: f64,
    most: f64,
}

impl Range {
    /// All values and a little room around them; no less than `width`.
    fn of(values: impl Iterator<Item = f64>, width: f64) -> Range {
        let (least, most) =
            values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        if most < least {
            return Range { least: 0.0, most: width };
        }
        let room = ((width - (most - least)) / 2.0).max((most - least) * 0.05);
        Range { least: (least - room).max(0.0), most: most + room }
    }

    /// Where a value lies, 0 to 1.
    fn part(&self, value: f64) -> f64 {
        (value - self.least) / (self.most - self.least)
    }
}

/// Logarithm with a place for zero.
fn log(n: f64) -> f64 {
    (1.0 + n.max(0.0)).log10()
}

fn place(branch: &KeptBranch, now: Timestamp) -> Option<Placed<'_>> {
    let days = branch.idle_age(now)?.0.max(0) as f64 / 86_400.0;
    // What has landed needs no place among what must be kept in line.
    let is_open = !matches!(branch.state, State::Merged | State::SquashMerged);
    is_open.then_some(())?;
    Some(Placed { branch, x: log(days), y: log(f64::from(branch.behind?)), weight: 0.0 })
}

fn single(repository: &str, one: &Placed<'_>, (x, y): (f64, f64)) -> Spot {
    let branch = one.branch;
    let mark = told::state(branch.state);
    let conflicts =
        branch.n_conflicts.filter(|n| 0 < *n).map(|n| format!(", {} in conflict", count(n as usize, "path")));
    let told = format!(
        "{}: {}, {} behind, {} ahead{}",
        told::short(&branch.name),
        mark.word,
        told::number(branch.behind),
        told::number(branch.ahead),
        conflicts.unwrap_or_default(),
    );
    let size = rounded(7.0 + 3.6 * log(f64::from(branch.ahead.unwrap_or(0))));
    Spot { x: x - size / 2.0, y: y - size / 2.0, size, mark, told, path: told::branch_path(repository, &branch.name) }
}

/// One spot for each state within a field of the grid.
fn crowded(
    repository: &str,
    crowd: &[Placed<'_>],
    (days, behind): (&Range, &Range),
    (x, y): (&impl Fn(f64) -> f64, &impl Fn(f64) -> f64),
) -> Vec<Spot> {
    let mut fields = BTreeMap::<(i64, i64, usize), Vec<&Placed<'_>>>::new();
    for one in crowd {
        let field = ((days.part(one.x) * GRID.0) as i64, (behind.part(one.y) * GRID.1) as i64);
        fields.entry((field.0, field.1, one.branch.state.concern())).or_default().push(one);
    }
    let spot = |members: Vec<&Placed<'_>>| {
        let n = members.len() as f64;
        let mean = |of: fn(&Placed<'_>) -> f64| members.iter().map(|one| of(one)).sum::<f64>() / n;
        let (state, place) = (members[0].branch.state, (x(mean(|one| one.x)), y(mean(|one| one.y))));
        if members.len() == 1 {
            return single(repository, members[0], place);
        }
        let mark = told::state(state);
        let size = rounded((7.0 + 5.0 * log(n)).min(22.0));
        let path = format!("/repositories/{}/branches?state={}", told::encoded(repository), state.word());
        let told = format!("{}, {}", count(members.len(), "branch"), mark.word);
        Spot { x: place.0 - size / 2.0, y: place.1 - size / 2.0, size, mark, told, path }
    };
    fields.into_values().map(spot).collect()
}

fn ticks(values: &[u32], range: &Range, place: &impl Fn(f64) -> f64, text: impl Fn(u32) -> String) -> Vec<Tick> {
    let all = values.iter().copied().map(|value| (value, log(f64::from(value))));
    let inside = all.filter(|(_, at)| range.least <= *at && *at <= range.most);
    inside.map(|(value, at)| Tick { at: place(at), text: text(value) }).collect()
}

fn age_text(days: u32) -> String {
    match days {
        0 => "today".to_owned(),
        365.. => count((days / 365) as usize, "year"),
        _ => count(days as usize, "day"),
    }
}

/// Names of what stands out, as far as they do not lie over each other: what has few others around it first, and of that
/// the furthest.
fn names(singles: &[Placed<'_>], x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) -> Vec<Name> {
    let field = |one: &Placed<'_>| ((x(one.x) / CROWD) as i64, (y(one.y) / CROWD) as i64);
    let mut n_around = BTreeMap::<(i64, i64), usize>::new();
    for one in singles {
        *n_around.entry(field(one)).or_default() += 1;
    }
    let mut candidates: Vec<&Placed<'_>> = singles.iter().filter(|one| !one.branch.state.is_settled()).collect();
    // They come by weight; those that stand alone go before.
    candidates.sort_by_key(|one| LONELY < n_around[&field(one)]);
    let places: Vec<(f64, f64)> = singles.iter().map(|one| (x(one.x), y(one.y))).collect();
    let mut names: Vec<Name> = Vec::new();
    for one in candidates {
        let (x, y) = (x(one.x), y(one.y));
        let text: String = told::short(&one.branch.name).chars().take(46).collect();
        let width = text.chars().count() as f64 * LETTER;
        // On the side where less lies below it.
        let sides = [("start", x + 12.0, x + 12.0), ("end", x - 12.0, x - 12.0 - width)];
        let names_here = sides.map(|(anchor, at, from)| {
            let name = Name { x: rounded(at), y: rounded(y + 3.5), from, width, anchor, text: text.clone() };
            (places.iter().filter(|place| name.covers(**place)).count(), name)
        });
        let is_inside = |name: &Name| MARGIN.0 < name.from && name.from + name.width < SIZE.0 - MARGIN.2;
        let free = names_here.into_iter().filter(|(n_covered, name)| *n_covered <= COVERED_AT_MOST && is_inside(name));
        let free = free.filter(|(_, name)| names.iter().all(|other| !other.meets(name)));
        names.extend(free.min_by_key(|(n_covered, _)| *n_covered).map(|(_, name)| name));
        if names.len() == NAMED_AT_MOST {
            break;
        }
    }
    names
}

impl Name {
    /// Would it lie over a mark at this place?
    fn covers(&self, (x, y): (f64, f64)) -> bool {
        self.from - 5.0 < x && x < self.from + self.width + 5.0 && (self.y - 3.5 - y).abs() < 9.0
    }

    /// Would they lie over each other?
    fn meets(&self, other: &Name) -> bool {
        let is_beside = self.from + self.width < other.from || other.from + other.width < self.from;
        (self.y - other.y).abs() < 15.0 && !is_beside
    }
}
