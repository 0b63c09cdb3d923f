//! `branch-cleanup`: local branches whose work is in their base go into the archive.

use std::collections::BTreeSet;

use alignwatch_git::{
    tend::{self, RefUndo, Undo},
    worktrees::checked_out,
};
use alignwatch_model::{
    Known, Look, RefName,
    task::{
        Measure, Plan,
        cleanup::{Fate, Going, fates},
    },
    words,
};

use crate::task::{Draft, Guard, Seen, Task, Work};

/// Deletes landed branches, each at the id that was judged, with all that brings it back.
pub(super) static TASK: Task = Task {
    id: "branch-cleanup",
    title: "Take away branches whose work is in their base",
    why: "They look like open work and are measured again each time. Only reported, unless `cleanup.delete_in` names the repository; what is deleted stays under refs/archive/ and comes back with `task undo`.",
    guard: Guard::Changes,
    looks: &[Look::Locks, Look::Landed, Look::Worktrees, Look::Settings],
    usual: "1d",
    undo: "`alignwatch task undo ID`: refs, settings and reflogs are exactly as before",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

/// Branches that one run deletes. Source: ours; a plan that nobody can read is none.
const BRANCHES_AT_MOST: usize = 500;

/// Branches that stay although they look landed, which a plan tells the reasons of.
const REASONS_AT_MOST: usize = 100;

fn judged(seen: &Seen<'_>) -> Vec<(RefName, Fate)> {
    let names: Vec<&RefName> = seen.snapshot.branches.iter().map(|branch| &branch.name).collect();
    let moved = tend::moved_at(seen.opened, names.into_iter().filter(|name| name.starts_with("refs/heads/")));
    fates(seen.snapshot, seen.config, &moved, seen.now)
}

fn going(fates: &[(RefName, Fate)]) -> Vec<&Going> {
    let goes = fates.iter().filter_map(|(_, fate)| match fate {
        Fate::Goes(going) => Some(going),
        Fate::Stays(_) => None,
    });
    // A name that is no text could not be written down so that it comes back.
    goes.filter(|going| std::str::from_utf8(going.name.as_bytes()).is_ok()).take(BRANCHES_AT_MOST).collect()
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let n_local = seen.snapshot.branches.iter().filter(|branch| branch.name.starts_with("refs/heads/")).count();
    let n_going = going(&judged(seen)).len();
    vec![
        Measure::of("branches that may go", n_going as i64, "branches"),
        Measure::of("local branches", n_local as i64, "branches"),
    ]
}

fn plan(seen: &Seen<'_>, mut draft: Draft) -> Plan {
    if seen.snapshot.repository.ref_backend != "files" {
        return draft.refuse("refs are in tables here, whose reflogs could not be brought back exactly");
    }
    let fates = judged(seen);
    let going = going(&fates);
    for branch in &going {
        draft = draft.step(format!(
            "delete {} at {} ({} of {}), keep it under refs/archive/",
            branch.name.text(),
            &branch.oid.hex()[..12],
            spoken(branch.proof.word()),
            branch.base.text()
        ));
    }
    for (name, fate) in fates.iter().take(REASONS_AT_MOST) {
        if let Fate::Stays(reason) = fate {
            draft = draft.note(format!("{} stays: {reason}", name.text()));
        }
    }
    let told = words::count(going.len(), "branch");
    let draft = draft.costs(1 + going.len() as u64 / 50, going.len() as u64 * 4_096);
    if going.is_empty() {
        return draft.rest("no branch may go");
    }
    if !seen.config.cleanup.deletes_in(&seen.snapshot.repository.path) {
        return draft.refuse(format!("{told} could go, but `cleanup.delete_in` does not name this repository"));
    }
    draft.act(format!("{told} may go: the work is in the base"))
}

fn spoken(proof: &str) -> String {
    if proof == "ancestor" { "an ancestor".to_owned() } else { proof.replace('_', " ") }
}

/// Writes down ids, reflogs and settings of what is going to go.
fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let fates = judged(&work.seen);
    let going = going(&fates);
    let mut undo = Undo { quarantine: format!("quarantine/{}", work.id), ..Undo::default() };
    let common_dir = &work.git.opened().common_dir;
    let mut anchored = BTreeSet::new();
    for branch in &going {
        let name = branch.name.text().into_owned();
        let short = name.trim_start_matches("refs/").to_owned();
        undo.refs.push(RefUndo {
            name: format!("refs/archive/{}/{short}", work.id),
            before: None,
            after: Some(branch.oid.hex()),
        });
        // Commits that only its reflog knows would be without a name.
        for id in tend::only_in_reflog_of(work.git, &name).map_err(|error| error.to_string())? {
            if anchored.insert(id.clone()) {
                let name = format!("refs/archive/{}/reflogs/{id}", work.id);
                undo.refs.push(RefUndo { name, before: None, after: Some(id) });
            }
        }
        undo.copy(common_dir, &[format!("logs/{name}")])?;
        undo.refs.push(RefUndo { name, before: Some(branch.oid.hex()), after: None });
    }
    undo.copy(common_dir, &["config".to_owned()])?;
    Ok(undo)
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let fates = judged(&work.seen);
    let going = going(&fates);
    let common_dir = &work.git.opened().common_dir;
    // Seen a moment ago, and looked at again now: somebody may have checked one out.
    match checked_out(common_dir) {
        Known::Unknown(reason) => return Err(format!("nothing was deleted: {reason}")),
        Known::Seen(held) => {
            if let Some(branch) = going.iter().find(|branch| held.contains(&branch.name)) {
                return Err(format!("nothing was deleted: a worktree holds {} by now", branch.name.text()));
            }
        }
    }
    bases_rest(work, &going).map_err(|reason| format!("nothing was deleted: {reason}"))?;
    let commands = work.undo.transaction(false)?;
    let call = work.git.command("update-ref").option("--stdin").option("-z").input(commands);
    call.run().map_err(|error| format!("nothing was deleted, since something moved meanwhile: {error}"))?;
    // `verify` in the same transaction would say so at once, but writes a wrong line into the reflog of a HEAD that is
    // on the base (seen with git 2.47.3). A base that moved in this moment is noticed now, and all comes back.
    if let Err(reason) = bases_rest(work, &going) {
        let back = work.undo.take_back(work.git)?;
        return Err(format!("nothing was deleted: {reason}; {back}"));
    }
    for branch in &going {
        forget_settings(work, &branch.name)?;
    }
    work.undo.note_after(common_dir)
}

/// Errors: a base is not where it was when its branches were judged: then what was judged does not hold.
fn bases_rest(work: &Work<'_>, going: &[&Going]) -> Result<(), String> {
    let bases: BTreeSet<(&RefName, String)> =
        going.iter().map(|branch| (&branch.base, branch.base_oid.hex())).collect();
    for (base, id) in bases {
        let call = work
            .git
            .command("rev-parse")
            .option("--verify")
            .option("-q")
            .revision([base.as_bytes(), b"^{commit}"].concat());
        let now = call.run().map_err(|error| error.to_string())?.stdout;
        if now.trim_ascii_end() != id.as_bytes() {
            return Err(format!("{} moved meanwhile", base.text()));
        }
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
