//! What is said of a pair: from its draft and from how its texts merge, and in the words of a [`Merge`].

use alignwatch_model::{Merge, Verdict, branch::Conflict};
use rustc_hash::FxHashMap;

use super::{
    VERDICT_ONLY,
    carried::{Certain, RestsOn},
    pair::{BINARY, CONTENTS, Draft, Triple, conflict},
    text::TextMerge,
    texts::TextAnswer,
};
use crate::tree_diff::WalkError;

/// What is known of a pair so far.
pub(super) enum Answer {
    /// The verdict and all paths.
    Final(Merge),
    /// It conflicts; the paths are not all known.
    ConflictWithoutPaths(&'static str),
    /// Only Git can say, for this reason.
    Open(&'static str),
    /// Nobody can say as long as the objects are what they are, for this reason.
    Impossible(String),
}

impl Answer {
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Answer::Open(_))
    }

    pub(super) fn lacks_paths(&self) -> bool {
        matches!(self, Answer::ConflictWithoutPaths(_))
    }

    pub(super) fn is_verdict_only(&self) -> bool {
        matches!(self, Answer::ConflictWithoutPaths(VERDICT_ONLY))
    }

    pub(super) fn is_conflict(&self) -> bool {
        self.lacks_paths() || matches!(self, Answer::Final(merge) if merge.verdict == Verdict::Conflict)
    }

    pub(super) fn into_merge(self) -> Merge {
        match self {
            Answer::Final(merge) => merge,
            Answer::ConflictWithoutPaths(VERDICT_ONLY) => {
                Merge { reason: Some(VERDICT_ONLY.to_owned()), ..Merge::conflict(None) }
            }
            Answer::ConflictWithoutPaths(why) => {
                let reason = format!("the paths were not asked of Git in time: {why}");
                Merge { reason: Some(reason), ..Merge::conflict(None) }
            }
            Answer::Impossible(why) => Merge::unknown(why),
            Answer::Open(why) => Merge::unknown(format!("Git did not answer in time: {why}")),
        }
    }
}

/// What an answer rests on, of what the line did elsewhere. A text that conflicts where all three trees have it does so
/// whatever became of other files.
pub(super) fn rests_on(draft: &mut Draft, texts: &FxHashMap<Triple, TextAnswer>) -> RestsOn {
    let conflicts = |(_, triple): &(Vec<u8>, Triple)| {
        matches!(texts.get(triple), Some(Ok(TextMerge::Conflict | TextMerge::Binary)))
    };
    let in_place = draft.texts[..draft.n_in_place].iter().find(|text| conflicts(text));
    let in_place = in_place.map(|(path, _)| Certain::At(path.clone()));
    RestsOn { all: std::mem::take(&mut draft.followed), verdict: in_place.or_else(|| draft.certain.take()) }
}

pub(super) fn answer(draft: Result<Draft, WalkError>, texts: &FxHashMap<Triple, TextAnswer>) -> Answer {
    let draft = match draft {
        Ok(draft) => draft,
        Err(error @ WalkError::Stopped) => return Answer::Final(Merge::unknown(error.to_string())),
        Err(error) => return Answer::Impossible(error.to_string()),
    };
    let mut conflicts = draft.conflicts;
    let mut open = draft.ask_git;
    let mut unreadable = None;
    for (path, triple) in &draft.texts {
        match texts.get(triple) {
            Some(Ok(TextMerge::Clean)) => {}
            Some(Ok(TextMerge::Conflict)) => conflicts.push(conflict(path, CONTENTS)),
            Some(Ok(TextMerge::Binary)) => conflicts.push(conflict(path, BINARY)),
            Some(Ok(TextMerge::Doubtful)) | None => open = Some("a file can be compared in two ways"),
            Some(Err(error)) => unreadable = Some(error.to_string()),
        }
    }
    let is_conflict = draft.is_conflict || !conflicts.is_empty();
    let driver = draft.foreign_driver.map(|name| format!("the merge driver `{name}` decides a file, and is not run"));
    match (is_conflict, unreadable.or(driver), open) {
        (true, None, None) => Answer::Final(Merge::conflict(Some(sorted(conflicts)))),
        (true, None, Some(why)) => Answer::ConflictWithoutPaths(why),
        (true, Some(why), _) => Answer::Final(Merge { reason: Some(why), ..Merge::conflict(None) }),
        (false, Some(why), _) => Answer::Final(Merge::unknown(why)),
        (false, None, Some(why)) => Answer::Open(why),
        (false, None, None) => Answer::Final(Merge::clean()),
    }
}

fn sorted(mut conflicts: Vec<Conflict>) -> Vec<Conflict> {
    conflicts.sort();
    conflicts.dedup();
    conflicts
}
