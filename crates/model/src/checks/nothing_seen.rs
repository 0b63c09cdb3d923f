//! The first law, held by every check: what could not be read is never `ok`.
//!
//! Each is judged over a repository of which nothing could be read. A new check that is `ok` there fails this test
//! without anybody having to think of it.

use super::{ALL, judge, sample::*};
use crate::{Known, Landed, Merge, Snapshot, Status, config::Config, facts::Facts};

/// Checks that are `ok` where nothing could be read, and why that is no lie.
///
/// The list of refs and the kind of repository are read before there is any snapshot: without them there is none.
const NEED_NO_READING: &[(&str, &str)] = &[
    ("missing-objects", "judges the list of refs that are broken; a tip that is damaged is told by what needs it"),
    ("shallow-or-partial", "judges the kind of repository"),
    ("bitmaps", "judges bare repositories only, and this one is not"),
    ("ref-backend", "judges the kind of repository"),
    ("base-behind-remote", "judges lines with a counterpart, and there is none"),
    ("forbidden-merged", "judges pairs that are declared forbidden, and there is none"),
    ("diverging-lines", "judges pairs of lines, and there is one line"),
    ("missing-base", "judges names in the configuration against the list of refs"),
    ("unsure-base", "judges how the base was chosen, which is known"),
    ("old-backups", "judges the names of branches first, and no name says that it is a copy"),
    ("retry-families", "judges the names of branches"),
    ("identical-tips", "compares branches with each other, and there is one"),
    ("upstream-gone", "judges the list of refs"),
    ("hostile-names", "judges the list of refs"),
];

/// A repository that could be opened, with one branch; all else could not be read.
fn blind() -> Snapshot {
    fn unread<T>() -> Known<T> {
        Known::Unknown("it could not be read".into())
    }
    let mut unseen = branch("refs/heads/x", 1, 1);
    unseen.tip = unread();
    unseen.drift = unread();
    unseen.landed = Landed::Unknown("it could not be read".into());
    unseen.merge = Merge::unknown("it could not be read");
    unseen.markers = unread();
    let mut blind = snapshot([unseen]);
    blind.repository.git_version = unread();
    blind.head = unread();
    blind.commit_graph = unread();
    blind.locks = unread();
    blind.unfinished = unread();
    blind.hazards = unread();
    blind.checked_out = unread();
    blind.host = unread();
    blind.facts = Facts::default();
    blind
}

#[test]
fn no_check_is_ok_where_nothing_could_be_read() {
    let judged = judge(&blind(), &Config::default(), NOW, |_| Ok(()));
    assert_eq!(judged.len(), ALL.len());
    let is_well = |status| matches!(status, Status::Ok);
    let well: Vec<&str> = judged.iter().filter(|one| is_well(one.status)).map(|one| one.check.id).collect();
    let explained: Vec<&str> = NEED_NO_READING.iter().map(|(id, _)| *id).collect();
    assert_eq!(well, explained);
}

#[test]
fn what_could_not_be_read_is_told_with_a_reason() {
    for one in judge(&blind(), &Config::default(), NOW, |_| Ok(())) {
        let is_unread = matches!(one.status, Status::Unknown | Status::Skipped);
        assert!(!is_unread || one.reason.is_some_and(|reason| !reason.is_empty()), "{}", one.check.id);
    }
}
