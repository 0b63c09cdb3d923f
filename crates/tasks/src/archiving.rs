//! Takes local branches away so that each comes back exactly: its ref, its reflog, its settings.
//!
//! What each was stays under `refs/archive/<task>/`, with commits that only its reflog knew; reflogs and settings lie in
//! the quarantine. The caller says which branches, and what must hold still when they go.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::SystemTime,
};

use alignwatch_git::{
    refs::check_name,
    tend::{self, RefUndo, Undo},
    worktrees::checked_out,
};
use alignwatch_model::{
    Known, Oid, RefName, Span, Timestamp,
    task::cleanup::{Beside, Requests, is_request_head},
};

use crate::task::{Seen, Work};

/// A branch that goes, and where it is.
pub(crate) type Leaving<'a> = (&'a RefName, Oid);

/// What is known besides the snapshot.
pub(crate) fn beside(seen: &Seen<'_>) -> Beside {
    let names: Vec<&RefName> = seen.snapshot.branches.iter().map(|branch| &branch.name).collect();
    let moved = tend::moved_at(seen.opened, names.into_iter().filter(|name| name.starts_with("refs/heads/")));
    Beside { moved, requests: requests(seen) }
}

fn requests(seen: &Seen<'_>) -> Requests {
    let refs = alignwatch_git::refs::read_files(seen.opened).map_err(|error| error.to_string());
    let heads = refs.map(|refs| -> BTreeMap<Oid, RefName> {
        let heads = refs.all.iter().filter(|one| is_request_head(&one.name));
        heads.map(|one| (one.oid, one.name.clone())).collect()
    });
    Requests { heads: Known::from_result(heads), named: Known::from_result(named(seen)) }
}

/// What the file with open requests says. Errors: it can't be read, is too old, or is none that a job wrote to its end.
fn named(seen: &Seen<'_>) -> Result<Option<BTreeSet<String>>, String> {
    /// Bytes of the file. Source: ours; a hundred thousand names.
    const AT_MOST: u64 = 8 << 20;
    let Some(path) = &seen.config.cleanup.open_requests else { return Ok(None) };
    let cannot = |error: std::io::Error| format!("cannot read `{path}`: {error}");
    let about = fs::metadata(path).map_err(cannot)?;
    if !about.is_file() || AT_MOST < about.len() {
        return Err(format!("`{path}` is no file of at most {AT_MOST} bytes"));
    }
    let written = about.modified().map_err(cannot)?.duration_since(SystemTime::UNIX_EPOCH);
    let written = Timestamp(written.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)));
    let (age, most) = (seen.now.since(written), seen.config.cleanup.fetched_within);
    if most < age {
        return Err(format!("`{path}` was written {age} ago, and {most} is the most"));
    }
    if age < Span(-AHEAD_AT_MOST.0) {
        return Err(format!("`{path}` was written in the future: {written}"));
    }
    let text = fs::read_to_string(path).map_err(cannot)?;
    request_names(&text).map(Some).map_err(|reason| format!("`{path}` {reason}"))
}

/// How far ahead of the clock a file may be. Source: ours; another machine may have written it.
const AHEAD_AT_MOST: Span = Span::hours(1);

/// The names of branches, one a line. A line that begins with `#` is a remark.
///
/// Errors: it is empty, cut off, or holds what is no name: then a job failed while it wrote, and nothing is known.
fn request_names(text: &str) -> Result<BTreeSet<String>, String> {
    if text.trim().is_empty() {
        return Err(
            "is empty, as a job leaves it that failed; where no request is open, let it hold the line `# none`".into(),
        );
    }
    if !text.ends_with('\n') {
        return Err("is cut off: its last line has no end".into());
    }
    let lines =
        text.lines().map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let name = |line: &str| {
        let name = line.trim_start_matches("refs/heads/");
        let is_name = check_name(format!("refs/heads/{name}").as_bytes()).is_ok();
        if is_name { Ok(name.to_owned()) } else { Err(format!("holds a line that is no name of a branch: {line:?}")) }
    };
    lines.map(name).collect()
}

/// Writes down ids, reflogs and settings of what is going to go.
pub(crate) fn keep(work: &Work<'_>, leaving: &[Leaving<'_>]) -> Result<Undo, String> {
    let mut undo = Undo { quarantine: format!("quarantine/{}", work.id), ..Undo::default() };
    let common_dir = &work.git.opened().common_dir;
    let mut anchored = BTreeSet::new();
    for (name, oid) in leaving {
        let name = name.text().into_owned();
        let short = name.trim_start_matches("refs/").to_owned();
        undo.refs.push(RefUndo {
            name: format!("refs/archive/{}/{short}", work.id),
            before: None,
            after: Some(oid.hex()),
        });
        // Commits that only its reflog knows would be without a name.
        for id in tend::only_in_reflog_of(work.git, &name)? {
            if anchored.insert(id.clone()) {
                let name = format!("refs/archive/{}/reflogs/{id}", work.id);
                undo.refs.push(RefUndo { name, before: None, after: Some(id) });
            }
        }
        undo.copy(common_dir, &[format!("logs/{name}")])?;
        undo.refs.push(RefUndo { name, before: Some(oid.hex()), after: None });
    }
    undo.copy(common_dir, &["config".to_owned()])?;
    Ok(undo)
}

/// Takes them away, each at the id that was judged, when `holds` does not err before or after.
pub(crate) fn take_away(
    work: &Work<'_>,
    leaving: &[Leaving<'_>],
    holds: &dyn Fn() -> Result<(), String>,
) -> Result<(), String> {
    let common_dir = &work.git.opened().common_dir;
    // Seen a moment ago, and looked at again now: somebody may have checked one out.
    match checked_out(common_dir) {
        Known::Unknown(reason) => return Err(format!("nothing was deleted: {reason}")),
        Known::Seen(held) => {
            if let Some((name, _)) = leaving.iter().find(|(name, _)| held.contains(name)) {
                return Err(format!("nothing was deleted: a worktree holds {} by now", name.text()));
            }
        }
    }
    holds().map_err(|reason| format!("nothing was deleted: {reason}"))?;
    let commands = work.undo.transaction(false)?;
    let call = work.git.command("update-ref").option("--stdin").option("-z").input(commands);
    call.run().map_err(|error| format!("nothing was deleted, since something moved meanwhile: {error}"))?;
    // `verify` in the same transaction would say so at once, but writes a wrong line into the reflog of a HEAD that is
    // on the base (seen with git 2.47.3). A base that moved in this moment is noticed now, and all comes back.
    if let Err(reason) = holds() {
        let back = work.undo.take_back(work.git)?;
        let begin = if back.not.is_empty() { "nothing was deleted" } else { "not all came back" };
        return Err(format!("{begin}: {reason}; {}", back.told()));
    }
    for (name, _) in leaving {
        forget_settings(work, name)?;
    }
    Ok(())
}

/// Takes the section of the branch out of the settings, where there is one.
fn forget_settings(work: &Work<'_>, name: &RefName) -> Result<(), String> {
    let short = name.as_bytes().strip_prefix(b"refs/heads/").unwrap_or_default();
    let begin = [b"branch.", short, b"."].concat();
    // Its keys have no dot: `branch.a.b.merge` is of `a.b`, not of `a`.
    let is_of_it = |key: &[u8]| key.strip_prefix(begin.as_slice()).is_some_and(|rest| !rest.contains(&b'.'));
    if !work.git.entries().iter().any(|entry| is_of_it(&entry.key)) {
        return Ok(());
    }
    let call = work.git.command("config").option("--local").option("--remove-section");
    let section = [b"branch.", short].concat();
    // 128: the section is in a file that is included, which is somebody else's.
    call.revision(section).run_allowing(&[128]).map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_that_a_job_wrote_to_its_end_says_which_requests_are_open() {
        let names = |text: &str| request_names(text).map(|names| names.into_iter().collect::<Vec<_>>().join(" "));
        assert_eq!(names("a/b\nrefs/heads/c\r\n\n# end\n").unwrap(), "a/b c");
        assert_eq!(names("# none\n").unwrap(), "");
        for wrong in
            ["", "\n \n", "a\nb", "HTTP 401: Bad credentials (https://api.github.com)\n", "a..b\n", "{\"x\":1}\n"]
        {
            assert!(names(wrong).is_err(), "{wrong:?}");
        }
    }
}
