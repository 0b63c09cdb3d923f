//! Merges and rebases of the past, as the reflogs of branches tell them.
//!
//! A reflog keeps what was done in this clone, for ninety days unless it is told otherwise; what was done elsewhere is
//! not in it. Each entry that brought a branch closer to something else is one alignment.

use std::path::Path;

use alignwatch_model::{Oid, Timestamp};

use crate::{files, repository::Opened};

/// Bytes of one log that are read. Source: ours; fifty thousand entries.
const LOG_BYTES: u64 = 10 << 20;

/// One alignment of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastAlignment {
    /// The branch, by its full name.
    pub branch: String,
    /// Its tip before.
    pub before: Oid,
    /// Its tip after.
    pub after: Oid,
    /// When.
    pub at: Timestamp,
    /// `merge`, `rebase` or `pull`.
    pub what: &'static str,
    /// What the log says, as text.
    pub message: String,
}

/// All alignments that the logs of these branches tell of, by time. Full names; a log that is not there tells nothing.
///
/// Errors: the first log that can't be read, as a sentence.
pub fn past_alignments<'a>(
    opened: &Opened,
    branches: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<PastAlignment>, String> {
    let mut all = Vec::new();
    for branch in branches.into_iter().filter(|name| name.starts_with("refs/heads/")) {
        let path = opened.common_dir.join("logs").join(Path::new(branch));
        let content =
            files::read(&path, LOG_BYTES).map_err(|error| format!("cannot read the log of `{branch}`: {error}"))?;
        let lines = content.as_deref().unwrap_or_default().split(|&byte| byte == b'\n');
        all.extend(lines.filter_map(|line| entry(branch, line)));
    }
    all.sort_by(|a, b| (a.at, &a.branch).cmp(&(b.at, &b.branch)));
    Ok(all)
}

/// `old new Name <address> seconds zone<TAB>message`. Source: git-reflog(1), refs/files-backend.c.
fn entry(branch: &str, line: &[u8]) -> Option<PastAlignment> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    let (head, message) = (String::from_utf8_lossy(&line[..tab]), String::from_utf8_lossy(&line[tab + 1..]));
    let what = alignment(&message)?;
    let (ids, when) = head.rsplit_once("> ")?;
    let mut ids = ids.split(' ');
    let (before, after) = (Oid::from_hex(ids.next()?.as_bytes()).ok()?, Oid::from_hex(ids.next()?.as_bytes()).ok()?);
    let at = Timestamp(when.split(' ').next()?.parse().ok()?);
    let is_move = !before.is_null() && !after.is_null() && before != after;
    is_move.then(|| PastAlignment { branch: branch.to_owned(), before, after, at, what, message: message.into_owned() })
}

/// What brought the branch closer to something; `None` = nothing did.
fn alignment(message: &str) -> Option<&'static str> {
    let verb = message.split(':').next().unwrap_or_default();
    match verb.split(' ').next().unwrap_or_default() {
        "pull" => Some("pull"),
        "merge" => Some("merge"),
        "commit" if verb.contains("(merge)") => Some("merge"),
        // A rebase logs each step in HEAD's log, and its end in that of the branch.
        "rebase" if verb.contains("finish") => Some("rebase"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alignwatch_testkit::sketch;

    use super::*;
    use crate::repository::open;

    #[test]
    fn what_git_did_to_branches_is_told_by_their_logs() {
        let repo = sketch("main: a b\n topic: a x\n other: b y\n calm: a").worktree().draw();
        repo.git(["checkout", "-q", "topic"]);
        repo.git(["rebase", "-q", "main"]);
        repo.git(["commit", "-q", "--allow-empty", "-m", "merge: not one"]);
        repo.git(["checkout", "-q", "main"]);
        repo.git(["merge", "-q", "--no-edit", "other"]);
        repo.git(["merge", "-q", "--no-ff", "--no-edit", "topic"]);
        let names = ["refs/heads/main", "refs/heads/topic", "refs/heads/calm", "refs/heads/none"];
        let found = past_alignments(&open(repo.path()).unwrap(), names).unwrap();
        let mut told: Vec<_> = found.iter().map(|one| format!("{} {}", one.what, one.branch)).collect();
        told.sort();
        assert_eq!(told, ["merge refs/heads/main", "merge refs/heads/main", "rebase refs/heads/topic"]);
        let last = found.iter().rfind(|one| one.branch == "refs/heads/main").unwrap();
        assert_eq!(last.after.hex(), repo.git(["rev-parse", "main"]));
    }

    #[test]
    fn no_line_makes_it_panic_and_what_is_no_entry_is_none() {
        let zeros = "0".repeat(40);
        let ones = "1".repeat(40);
        for line in [
            "",
            "\t",
            "x\tmerge y: z",
            &format!("{zeros} {ones} a <b> 1 +0000\tmerge x: y"),
            &format!("{ones} {ones}\tpull: y"),
        ] {
            assert_eq!(entry("refs/heads/a", line.as_bytes()), None, "{line}");
        }
        assert_eq!(alignment("commit (amend): merge x"), None);
        assert_eq!(alignment("pull --rebase (finish): refs/heads/a onto 1"), Some("pull"));
    }
}
