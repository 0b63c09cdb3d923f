//! The parts of an inspection: what each costs, and which were taken.
//!
//! A check names the looks it needs; an inspection takes those that the wanted
//! checks need, the cheap ones first. A check whose look was not taken is
//! skipped, with the reason.

use std::collections::{BTreeMap, BTreeSet};

/// A part of an inspection.
///
/// To add one: a variant here, its cost, and the line in the inspection that takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Refs, HEAD, format and version: the part without which there is no inspection.
    Refs,
    /// Settings and hooks of the repository.
    Settings,
    /// Lock files and the processes at work, seen twice.
    Locks,
    /// Merges, rebases and the like that were begun and not ended.
    Unfinished,
    /// Worktrees and what they hold.
    Worktrees,
    /// The files below `objects/`, and reflogs and the like.
    Storage,
    /// What makes Git fast: the heads of its indexes, loose refs, settings of upkeep.
    Speed,
    /// The folder and the file system that it lies in.
    Site,
    /// The machine.
    Host,
    /// The alignment runs and maintenance tasks that are recorded.
    Runs,
    /// The commits: primary lines, and the drift of every branch.
    History,
    /// Proofs that the work of a branch is in its base.
    Landed,
    /// Predicted merges.
    Merges,
    /// The paths that each branch touches. No check needs it: the page of a branch tells by it which others touch the same.
    Touched,
    /// Conflict markers in the files at the tips.
    Markers,
    /// Paths at the tips that are the same on some file systems.
    Collisions,
    /// All objects that refs reach: how many, how large, how deep.
    Shape,
    /// Whether the files that hold packs are what they were when they were written.
    PackBytes,
    /// Whether everything that refs need is there, as `git fsck --connectivity-only` says.
    Connectivity,
    /// Whether every object is sound, as `git fsck --full` says.
    Objects,
    /// Changes in the worktrees that no commit holds.
    Changes,
    /// Whether the objects that reflogs lead to are there.
    Reflogs,
    /// Submodules, large files and repositories in the trees at the tips of the lines.
    Contents,
    /// The past year, week by week, as the commits tell it.
    Past,
    /// What the remotes answer.
    Remotes,
}

/// What a look costs, the cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Small files and stat calls: milliseconds.
    Cheap,
    /// Reads history or the files at the tips; remembered, so that it costs little the next time.
    Moderate,
    /// Reads all objects: from seconds to hours. Taken only when asked for.
    Expensive,
    /// Speaks to another machine. Taken only when asked for.
    Network,
}

/// Whether a look was taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Looked {
    /// It was, and took so many seconds.
    Took(f64),
    /// It was not, for this reason.
    Not(String),
}

/// Which looks an inspection took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looks(BTreeMap<Look, Looked>);

impl Look {
    /// All of them, in the order in which they are taken.
    pub const ALL: &[Look] = &[
        Look::Refs,
        Look::Settings,
        Look::Locks,
        Look::Unfinished,
        Look::Worktrees,
        Look::Storage,
        Look::Speed,
        Look::Site,
        Look::Host,
        Look::Runs,
        Look::History,
        Look::Landed,
        Look::Merges,
        Look::Touched,
        Look::Markers,
        Look::Collisions,
        Look::Reflogs,
        Look::Shape,
        Look::PackBytes,
        Look::Connectivity,
        Look::Objects,
        Look::Changes,
        Look::Contents,
        Look::Past,
        Look::Remotes,
    ];

    /// What remedies go by, besides what their check judges: remotes to fetch from, branches in use. All of them are cheap.
    pub const FOR_REMEDIES: [Look; 2] = [Look::Settings, Look::Worktrees];

    /// What it costs.
    pub fn cost(self) -> Cost {
        match self {
            Look::Refs | Look::Settings | Look::Locks | Look::Unfinished | Look::Worktrees => Cost::Cheap,
            Look::History | Look::Landed | Look::Merges | Look::Touched | Look::Markers | Look::Collisions => {
                Cost::Moderate
            }
            Look::Shape | Look::PackBytes | Look::Connectivity | Look::Objects => Cost::Expensive,
            Look::Storage | Look::Speed | Look::Site | Look::Host | Look::Runs => Cost::Cheap,
            Look::Changes | Look::Contents | Look::Reflogs | Look::Past => Cost::Moderate,
            Look::Remotes => Cost::Network,
        }
    }

    /// Its name in metrics: `history`, `pack_bytes`.
    pub fn word(self) -> String {
        let mut word = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !word.is_empty() {
                word.push('_');
            }
            word.extend(letter.to_lowercase());
        }
        word
    }

    /// The looks without which it says nothing.
    pub fn requires(self) -> &'static [Look] {
        match self {
            Look::Landed => &[Look::History],
            Look::Changes => &[Look::Worktrees],
            Look::Merges | Look::Touched | Look::Past => &[Look::History, Look::Landed],
            Look::Markers | Look::Collisions | Look::Contents => &[Look::History],
            Look::Shape => &[Look::Storage],
            _ => &[],
        }
    }

    /// These looks and all that they require.
    pub fn with_required(looks: impl IntoIterator<Item = Look>) -> BTreeSet<Look> {
        let mut all = BTreeSet::from([Look::Refs]);
        for look in looks {
            all.insert(look);
            all.extend(look.requires());
        }
        all
    }
}

impl Cost {
    /// Its name in documents.
    pub fn word(self) -> &'static str {
        match self {
            Cost::Cheap => "cheap",
            Cost::Moderate => "moderate",
            Cost::Expensive => "expensive",
            Cost::Network => "network",
        }
    }

    /// Why a check of this cost is not made unless asked for; `None` = it is always made.
    pub fn only_when_asked(self) -> Option<&'static str> {
        match self {
            Cost::Cheap | Cost::Moderate => None,
            Cost::Expensive => Some("it reads all objects; ask for it with --all or --only"),
            Cost::Network => Some("it speaks to the remotes; ask for it with --all or --only"),
        }
    }
}

impl Looks {
    /// All looks were taken.
    pub fn all_taken() -> Looks {
        Looks(Look::ALL.iter().map(|&look| (look, Looked::Took(0.0))).collect())
    }

    /// Notes what became of a look. One that is taken in parts takes the time of all, and is missing when one of them is.
    pub fn note(&mut self, look: Look, looked: Looked) {
        let looked = match (self.0.remove(&look), looked) {
            (Some(Looked::Took(before)), Looked::Took(now)) => Looked::Took(before + now),
            (Some(missing @ Looked::Not(_)), _) => missing,
            (_, looked) => looked,
        };
        self.0.insert(look, looked);
    }

    /// Why the look was not taken; `None` = it was.
    pub fn missing(&self, look: Look) -> Option<&str> {
        match self.0.get(&look) {
            Some(Looked::Took(_)) => None,
            Some(Looked::Not(reason)) => Some(reason),
            None => Some("it was not looked at"),
        }
    }

    /// How long the look took, in seconds; 0 for one that was not taken.
    pub fn seconds(&self, look: Look) -> f64 {
        match self.0.get(&look) {
            Some(Looked::Took(seconds)) => *seconds,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_look_requires_stands_before_it() {
        for (place, look) in Look::ALL.iter().enumerate() {
            assert!(look.requires().iter().all(|other| Look::ALL[..place].contains(other)), "{look:?}");
        }
    }

    #[test]
    fn a_look_brings_along_what_it_requires() {
        let looks = Look::with_required([Look::Merges]);
        assert_eq!(Vec::from_iter(looks), [Look::Refs, Look::History, Look::Landed, Look::Merges]);
    }

    #[test]
    fn a_look_that_nobody_noted_was_not_taken() {
        let mut looks = Looks::default();
        assert!(looks.missing(Look::Host).is_some());
        looks.note(Look::Host, Looked::Took(0.5));
        assert_eq!((looks.missing(Look::Host), looks.seconds(Look::Host)), (None, 0.5));
        looks.note(Look::Host, Looked::Took(0.25));
        assert_eq!(looks.seconds(Look::Host), 0.75);
        looks.note(Look::Host, Looked::Not("no time".into()));
        looks.note(Look::Host, Looked::Took(1.0));
        assert_eq!(looks.missing(Look::Host), Some("no time"));
    }
}
