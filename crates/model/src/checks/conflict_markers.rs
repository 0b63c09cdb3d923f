//! `conflict-markers`: merges that were committed with their conflicts still in the files.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Branch, Finding, Known, Look, Oid, RefName, Remedy, Severity, branch::MarkedPath, config::Patterns,
    quote::shell_word, snapshot::Line,
};

/// Files with whole conflict triples at the tips, by cause: the line they are inherited from, or the file itself.
///
/// A file with markers goes from branch to branch like any other, so one
/// unfinished merge shows up in hundreds of branches: it is told once, with the
/// number of its heirs. What a line holds is told for the line alone. Manuals
/// and test data about merging can be left out with `markers.exclude`.
pub(super) static CHECK: Check = Check {
    id: "conflict-markers",
    title: "Committed conflict markers",
    looks_at: "Files at the tips of all branches, each distinct file once: lines of <<<<<<<, ======= and >>>>>>> in this order",
    why: "The merge that left them was never finished: code does not run, one side's work may be lost, and each branch that takes the file in inherits it",
    severity: Severity::Error,
    family: Family::Branches,
    needs: &[Look::Markers],
    git_says: Some("git grep"),
    runbook: Runbook {
        look: "`git grep -nE '^(<<<<<<<|>>>>>>>)' <branch>` shows the lines",
        mend: "Resolve the file on the branch that first has it and commit; branches that took it over need the same. Where markers are meant to be, add the path to `markers.exclude`",
        sure: "The same `git grep` finds nothing",
        undo: Some("`git revert <commit>`"),
    },
    threshold: None,
    judge,
};

/// Files that get a finding of their own. Three causes are what a person takes up at once; the rest is one number.
const FILES_AT_MOST: usize = 3;

/// Branches that must share a file for it to be a cause of its own.
const BRANCHES_AT_LEAST: usize = 3;

/// A branch and its marked files that no line holds.
type Marked<'a> = (&'a Branch, Vec<&'a MarkedPath>);

fn judge(seen: &Seen<'_>) -> Outcome {
    let meant = match Patterns::new(seen.config.markers.exclude.iter().map(String::as_str)) {
        Ok(meant) => meant,
        Err(error) => return Outcome::unknown(format!("markers.exclude {}", error.problem)),
    };
    let held = held_by_lines(seen, &meant);
    let mut findings: Vec<_> = held.iter().map(|(line, files)| of_line(seen, line, files, &meant)).collect();
    let inherited: BTreeSet<Oid> = held.iter().flat_map(|(_, files)| files.iter().map(|file| file.blob)).collect();
    let own = |branch| {
        let mut files = files(branch, &meant);
        files.retain(|file| !inherited.contains(&file.blob));
        (!files.is_empty()).then_some((branch, files))
    };
    findings.extend(of_branches(seen, seen.branches().filter_map(own).collect()));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Outcome { findings, unknown: unread(seen, &meant), skipped: None }
}

/// The marked files of each line that has any.
fn held_by_lines<'a>(seen: &Seen<'a>, meant: &Patterns) -> Vec<(&'a Line, Vec<&'a MarkedPath>)> {
    let of_line = |line: &'a Line| {
        let files = files(seen.snapshot.branch(&line.name)?, meant);
        (!files.is_empty()).then_some((line, files))
    };
    seen.snapshot.lines.iter().filter_map(of_line).collect()
}

/// The marked files of a branch, without those in which markers are meant to be.
fn files<'a>(branch: &'a Branch, meant: &Patterns) -> Vec<&'a MarkedPath> {
    let marked = branch.markers.seen().into_iter().flatten();
    marked.filter(|file| !meant.matches_path(file.path.as_bytes())).collect()
}

fn unread(seen: &Seen<'_>, meant: &Patterns) -> Option<String> {
    let unread = seen.snapshot.unread_files.iter().filter(|file| !meant.matches_path(file.path.as_bytes()));
    let files = unjudged("file", unread.map(|file| generic(&file.reason)));
    let unscanned = unjudged("branch", seen.branches().filter_map(|branch| branch.markers.reason()));
    match (files, unscanned) {
        (Some(files), Some(branches)) => Some(format!("{files}; {branches}")),
        (one, other) => one.or(other),
    }
}

/// Many missing objects are one reason, not one each.
fn generic(reason: &str) -> &str {
    if reason.ends_with("is missing") { "its object is missing" } else { reason }
}

fn of_line(seen: &Seen<'_>, line: &Line, files: &[&MarkedPath], meant: &Patterns) -> Finding {
    let blobs: BTreeSet<Oid> = files.iter().map(|file| file.blob).collect();
    let is_heir = |branch: &&Branch| self::files(branch, meant).iter().any(|file| blobs.contains(&file.blob));
    let n_heirs = seen.branches().filter(is_heir).count();
    let first = telling(files);
    let summary = format!(
        "{} holds conflict markers in {}, such as {}:{}; {} {} of them",
        quoted(&line.name),
        count(files.len(), "file"),
        first.path,
        first.line,
        count(n_heirs, "branch"),
        agree(n_heirs, "holds one", "hold some"),
    );
    let severity = severity(files.iter().copied()).0;
    let finding = seen.finding(severity, &format!("line:{}", line.name.text()), line.name.short().text(), summary);
    finding
        .names("files", files.iter().map(|file| file.path.as_str()))
        .fact("n_heirs_branches", n_heirs)
        .fact("line", first.line)
        .fact("source", "git grep -n -e '^<<<<<<< ' <branch>")
        .so("Every branch that is aligned with this line takes the unfinished merge in.")
        .mend(remedy(first, &line.name))
}

fn of_branches(seen: &Seen<'_>, mut rest: Vec<Marked<'_>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    while findings.len() < FILES_AT_MOST {
        let Some(path) = widest(&rest) else { break };
        let (of_path, others) = rest.into_iter().partition(|(_, files)| files.iter().any(|file| file.path == path));
        findings.push(of_file(seen, path, of_path));
        rest = others;
    }
    if !rest.is_empty() {
        findings.push(others(seen, rest, findings.is_empty()));
    }
    findings
}

/// The path that is marked on most branches, if on enough; of several, the first by name.
fn widest<'a>(marked: &[Marked<'a>]) -> Option<&'a str> {
    let mut tally = HashMap::<&str, usize>::new();
    for file in marked.iter().flat_map(|(_, files)| files) {
        *tally.entry(&file.path).or_default() += 1;
    }
    let (path, n) = tally.into_iter().max_by_key(|&(path, n)| (n, Reverse(path)))?;
    (BRANCHES_AT_LEAST <= n).then_some(path)
}

fn of_file(seen: &Seen<'_>, path: &str, mut marked: Vec<Marked<'_>>) -> Finding {
    sort_oldest_first(&mut marked);
    let mut versions = BTreeMap::<Oid, (usize, &MarkedPath)>::new();
    for file in marked.iter().flat_map(|(_, files)| files).copied().filter(|file| file.path == path) {
        versions.entry(file.blob).or_insert((0, file)).0 += 1;
    }
    let (n_same, file) = versions.values().copied().max_by_key(|&(n, _)| n).expect("the path is marked somewhere");
    let summary = format!(
        "{} {} conflict markers in {path}: one file that they inherited ({} the very same)",
        count(marked.len(), "branch"),
        agree(marked.len(), "holds", "hold"),
        thousands(n_same),
    );
    let severity = severity(marked.iter().flat_map(|(_, files)| files).copied()).0;
    let finding = seen.finding(severity, path, path, summary).fact("path", path).fact("line", file.line);
    described(finding.fact("blob", file.blob.hex()).fact("n_versions", versions.len()), &marked)
        .mend(remedy(file, &marked[0].0.name))
}

fn others(seen: &Seen<'_>, mut marked: Vec<Marked<'_>>, is_all: bool) -> Finding {
    sort_oldest_first(&mut marked);
    let all: BTreeSet<&str> = marked.iter().flat_map(|(_, files)| files).map(|file| file.path.as_str()).collect();
    let first = telling(&marked[0].1);
    let summary = format!(
        "{} {} conflict markers in {}, such as {}:{} on {}",
        count(marked.len(), if is_all { "branch" } else { "other branch" }),
        agree(marked.len(), "holds", "hold"),
        count(all.len(), "file"),
        first.path,
        first.line,
        quoted(&marked[0].0.name),
    );
    let severity = severity(marked.iter().flat_map(|(_, files)| files).copied()).0;
    let finding = seen.finding(severity, "", count(marked.len(), "branch"), summary);
    described(finding, &marked).mend(remedy(first, &marked[0].0.name))
}

/// The branch where the markers rest longest is the likeliest place where they began.
fn sort_oldest_first(marked: &mut [Marked<'_>]) {
    let committed_at = |branch: &Branch| match &branch.tip {
        Known::Seen(tip) => tip.committed_at.0,
        Known::Unknown(_) => i64::MAX,
    };
    marked.sort_by_key(|(branch, _)| (committed_at(branch), &branch.name));
}

fn described(finding: Finding, marked: &[Marked<'_>]) -> Finding {
    let n_code = marked.iter().filter(|(_, files)| severity(files.iter().copied()).1).count();
    finding
        .branches(marked.iter().map(|(branch, _)| *branch))
        .fact("n_branches_with_marked_code", n_code)
        .fact("source", "git grep -n -e '^<<<<<<< ' <branch>")
        .so("What is in the file is not what either side wrote: aligning spreads it, and merges conflict with the markers themselves.")
}

/// How bad it is, and whether code is among the files.
fn severity<'a>(files: impl IntoIterator<Item = &'a MarkedPath>) -> (Severity, bool) {
    let has_code = files.into_iter().any(|file| !may_be_example(&file.path));
    (if has_code { Severity::Error } else { Severity::Warning }, has_code)
}

/// Texts and test data may show markers on purpose; anywhere else they are left over.
fn may_be_example(path: &str) -> bool {
    const TEXTS: [&str; 9] = [".md", ".mdx", ".rst", ".txt", ".adoc", ".html", ".po", ".patch", ".diff"];
    const FOLDERS: [&str; 9] =
        ["t", "test", "tests", "testdata", "fixtures", "examples", "doc", "docs", "Documentation"];
    let mut folders = path.split('/').rev().skip(1);
    TEXTS.iter().any(|ending| path.ends_with(ending)) || folders.any(|folder| FOLDERS.contains(&folder))
}

/// The file to show: code before text.
fn telling<'a>(files: &[&'a MarkedPath]) -> &'a MarkedPath {
    files.iter().copied().min_by_key(|file| may_be_example(&file.path)).expect("only marked branches are told")
}

fn remedy(file: &MarkedPath, branch: &RefName) -> Remedy {
    let path = shell_word(file.path.as_bytes());
    let text = "Finish the merge once, where it began: choose between the sides, commit, and let the fix flow to the others with \
                their next alignment. The first command names the commit that brought the markers in, the second shows them. \
                If they are meant to be there, list the file in markers.exclude.";
    Remedy::reversible(
        text,
        [
            format!("git log --all --reverse --format='%h %as %an: %s' --find-object={} -- {path}", file.blob),
            format!("git grep -n -E -e '^(<<<<<<<|=======|>>>>>>>)' {} -- {path}", shell_word(branch.as_bytes())),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{config::Config, snapshot::UnreadFile};

    fn marked(name: &str, files: &[(&str, u8)]) -> Branch {
        let mut branch = branch(name, 1, 1);
        let file = |&(path, blob): &(&str, u8)| MarkedPath { blob: oid(blob), path: path.into(), line: 7 };
        branch.markers = Known::Seen(files.iter().map(file).collect());
        branch
    }

    #[test]
    fn clean_branches_are_fine() {
        assert_eq!(judged(&CHECK, &snapshot([branch("refs/heads/x", 1, 1)])), Outcome::default());
    }

    #[test]
    fn one_inherited_file_is_one_finding_however_many_branches_hold_it() {
        let mut branches: Vec<_> =
            (0..20).map(|n| marked(&format!("refs/heads/b{n}"), &[("setup/launch.py", 1), ("x.md", 2)])).collect();
        branches.push(marked("refs/heads/c", &[("setup/launch.py", 3)]));
        branches.push(idle(marked("refs/heads/d", &[("docs/a.md", 4)]), 9));
        let outcome = judged(&CHECK, &snapshot(branches));
        assert_eq!(
            told(&outcome.findings),
            "[error] conflict-markers:setup/launch.py: 21 branches hold conflict markers in setup/launch.py: \
             one file that they inherited (20 the very same)\n\
             [warning] conflict-markers: 1 other branch holds conflict markers in 1 file, such as docs/a.md:7 on `d`"
        );
        assert_eq!(outcome.findings[0].evidence["blob"], oid(1).hex());
    }

    #[test]
    fn what_the_line_holds_is_told_for_the_line_alone() {
        let line = marked("refs/heads/main", &[("src/lib.rs", 1)]);
        let heir = marked("refs/heads/x", &[("src/lib.rs", 1)]);
        let own = marked("refs/heads/y", &[("src/lib.rs", 1), ("src/new.rs", 2)]);
        let outcome = judged(&CHECK, &snapshot([line, heir, own]));
        assert_eq!(
            told(&outcome.findings),
            "[error] conflict-markers:line:refs/heads/main: `main` holds conflict markers in 1 file, such as src/lib.rs:7; \
             2 branches hold some of them\n\
             [error] conflict-markers: 1 branch holds conflict markers in 1 file, such as src/new.rs:7 on `y`"
        );
    }

    #[test]
    fn files_that_are_about_merging_are_milder_and_can_be_left_out() {
        let snapshot = snapshot([marked("refs/heads/x", &[("docs/merge.md", 1), ("t/t1.sh", 2)])]);
        assert_eq!(only(judged(&CHECK, &snapshot)).severity, Severity::Warning);
        let mut config = Config::default();
        config.markers.exclude = vec!["docs/**".into(), "t/**".into()];
        assert_eq!(judged_with(&CHECK, &snapshot, &config), Outcome::default());
    }

    #[test]
    fn a_file_that_could_not_be_read_and_a_branch_that_was_not_scanned_are_unknown() {
        let mut unscanned = branch("refs/heads/x", 1, 1);
        unscanned.markers = Known::Unknown("not scanned".into());
        let mut snapshot = snapshot([unscanned]);
        let reason = format!("object {} is missing", oid(3));
        snapshot.unread_files = vec![UnreadFile { path: "f".into(), oid: oid(3), reason, n_branches: 15 }];
        assert_eq!(
            judged(&CHECK, &snapshot).unknown.unwrap(),
            "1 file could not be judged: its object is missing (1); 1 branch could not be judged: not scanned (1)"
        );
    }
}
