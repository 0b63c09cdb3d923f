//! `branch-cleanup`: local branches whose work is in their base go into the archive.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use alignwatch_git::tend::Undo;
use alignwatch_model::{
    Look, RefName,
    task::{
        Measure, Plan,
        cleanup::{Fate, Going, fates, old_fetch},
    },
    words,
};

use crate::{
    archiving::{self, Leaving},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Deletes landed branches, each at the id that was judged, with all that brings it back.
pub(super) static TASK: Task = Task {
    id: "branch-cleanup",
    title: "Take away branches whose work is in their base",
    why: "They look like open work and are measured again each time. Only reported, unless `cleanup.delete_in` names the repository; what is deleted stays under refs/archive/ and comes back with `task undo`.",
    guard: Guard::Changes,
    uses: &[],
    looks: &[Look::Locks, Look::Landed, Look::Worktrees, Look::Settings],
    usual: "1d",
    opt_in: None,
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
    fates(seen.snapshot, seen.config, &archiving::beside(seen), seen.now)
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
    let beside = archiving::beside(seen);
    let fates = fates(seen.snapshot, seen.config, &beside, seen.now);
    let going = going(&fates);
    if let Some(gap) = beside.requests.gap() {
        draft = draft.note(gap);
    }
    for branch in &going {
        draft = draft.takes_away(branch.proof.word()).step(format!(
            "delete {} at {} ({} of {}), keep it under refs/archive/",
            branch.name.text(),
            &branch.oid.hex()[..12],
            spoken(branch.proof.word()),
            branch.base.text()
        ));
    }
    let staying: Vec<(&RefName, &String)> = fates.iter().filter_map(staying).collect();
    for (name, reason) in staying.iter().take(REASONS_AT_MOST) {
        draft = draft.note(format!("{} stays: {reason}", name.text()));
    }
    if let Some(n_more) = staying.len().checked_sub(REASONS_AT_MOST).filter(|n| 0 < *n) {
        draft = draft.note(format!("{n_more} more stay"));
    }
    let told = words::count(going.len(), "branch");
    let draft = draft.costs(1 + going.len() as u64 / 50, going.len() as u64 * 4_096);
    if going.is_empty() {
        // The last guard: all others were passed.
        let old_fetch = old_fetch(seen.snapshot, seen.config, seen.now, true);
        let waits = |(_, fate): &&(RefName, Fate)| matches!((fate, &old_fetch), (Fate::Stays(a), Some(b)) if a == b);
        return match (fates.iter().filter(waits).count(), &old_fetch) {
            (n, Some(reason)) if 0 < n => draft.refuse(format!("{}: {reason}", words::count(n, "branch"))),
            _ => draft.rest(why_none(&staying)),
        };
    }
    if !seen.config.cleanup.deletes_in(&seen.snapshot.repository.path) {
        return draft.refuse(format!("{told} could go, but `cleanup.delete_in` does not name this repository"));
    }
    draft.act(format!("{told} may go: the work is in the base"))
}

fn staying((name, fate): &(RefName, Fate)) -> Option<(&RefName, &String)> {
    match fate {
        Fate::Stays(reason) => Some((name, reason)),
        Fate::Goes(_) => None,
    }
}

/// Reasons that are told together; each branch's own stands in the notes.
const REASONS_TOLD: usize = 3;

/// The reasons that keep most of the branches.
fn why_none(staying: &[(&RefName, &String)]) -> String {
    let mut reasons = BTreeMap::<&str, usize>::new();
    for (_, reason) in staying {
        *reasons.entry(reason).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|&(reason, n)| (Reverse(n), reason));
    let told = reasons.iter().take(REASONS_TOLD).map(|(reason, n)| format!("{n}: {reason}"));
    match told.collect::<Vec<_>>().join("; ") {
        told if told.is_empty() => "no branch may go".to_owned(),
        told => format!("no branch may go: {told}"),
    }
}

fn spoken(proof: &str) -> String {
    if proof == "ancestor" { "an ancestor".to_owned() } else { proof.replace('_', " ") }
}

fn leaving<'a>(going: &[&'a Going]) -> Vec<Leaving<'a>> {
    going.iter().map(|branch| (&branch.name, branch.oid)).collect()
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let fates = judged(&work.seen);
    archiving::keep(work, &leaving(&going(&fates)))
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let fates = judged(&work.seen);
    let going = going(&fates);
    archiving::take_away(work, &leaving(&going), &|| bases_rest(work, &going))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_most_branches_is_told_first() {
        let name = RefName::from("refs/heads/x");
        let (rare, usual) = ("it is young".to_owned(), "it has no reflog".to_owned());
        let told = why_none(&[(&name, &rare), (&name, &usual), (&name, &usual)]);
        assert_eq!(told, "no branch may go: 2: it has no reflog; 1: it is young");
        assert_eq!(why_none(&[]), "no branch may go");
    }
}
