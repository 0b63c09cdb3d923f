//! `remote-head`: follows a remote whose default branch is another now.

use std::collections::BTreeMap;

use alignwatch_git::tend::{self, Undo};
use alignwatch_model::task::{Measure, Plan};

use crate::{
    remotes::{self, Known, LOOKS, Told},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Sets `refs/remotes/<name>/HEAD` to what the remote says.
pub(super) static TASK: Task = Task {
    id: "remote-head",
    title: "Follow remotes whose default branch is another now",
    why: "Primary lines are found by the remote's HEAD, and a clone keeps that of its first day. Only where there is one, and only to a branch that was fetched.",
    guard: Guard::Refs,
    uses: &[],
    looks: LOOKS,
    usual: "1d",
    opt_in: Some("what branches are measured against may be another afterwards"),
    undo: "`alignwatch task undo ID`: it names what it named before",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const WHAT: &str = "head";
const AGE: &str = "minutes since remotes were asked for their default branch";
const OTHERS: &str = "remotes whose default branch is another than here";

/// From so many minutes on. Source: ours; daily.
const OLD: i64 = 12 * 60;

/// Names of remotes, and the full name of the tracking ref that their HEAD is to name, of those that differ.
fn others(seen: &Seen<'_>, said: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let Ok(remotes) = remotes::named(seen) else { return BTreeMap::new() };
    let differs = |(name, wanted): &(&String, &String)| {
        let here = remotes.all.iter().find(|remote| remote.name == **name).and_then(|remote| remote.default.as_ref());
        here.is_some_and(|here| here != *wanted)
    };
    said.iter().filter(differs).map(|(name, wanted)| (name.clone(), wanted.clone())).collect()
}

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let known = Known::of(seen);
    let n = known.about(WHAT).map_or(0, |told| others(seen, &told.said).len());
    vec![remotes::minutes(seen, AGE, WHAT), Measure::of(OTHERS, n as i64, "remotes")]
}

fn plan(seen: &Seen<'_>, draft: Draft) -> Plan {
    if seen.snapshot.repository.ref_backend != "files" {
        return draft.refuse("refs are in tables here, where what a HEAD named could not be brought back exactly");
    }
    remotes::plan(seen, draft, AGE, OLD, "alignwatch: daily", "ask for the default branch, and follow,")
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let room = work.seen.data_dir.join("remotes");
    remotes::make(&room)?;
    let mut told = Told { at: work.seen.now.0, ..Told::default() };
    let mut n_asked = 0;
    for remote in tend::remotes(work.git) {
        work.may_go_on()?;
        let asked = remote.and_then(|remote| {
            let said = tend::default_of_remote(work.git, &remote, &room);
            said.map(|said| (remote.name.clone(), said)).map_err(|reason| (remote.name, reason))
        });
        match asked {
            Err((name, reason)) => told.failed.push(format!("`{name}`: {reason}")),
            Ok((name, said)) => {
                n_asked += 1;
                if let Some(branch) = said.as_deref().and_then(|said| said.strip_prefix("refs/heads/")) {
                    told.said.insert(name.clone(), format!("refs/remotes/{name}/{branch}"));
                }
            }
        }
    }
    if n_asked == 0 {
        return Err(format!("no remote could be used: {}", told.failed.join("; ")));
    }
    let others = others(&work.seen, &told.said);
    told.n_changed = others.len() as u64;
    Known::keep(&work.seen, WHAT, told)?;
    let mut undo = remotes::undo_of(work, Vec::new());
    let files: Vec<String> = others.keys().map(|name| format!("refs/remotes/{name}/HEAD")).collect();
    undo.copy(&work.git.opened().common_dir, &files)?;
    Ok(undo)
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    let mut told = Known::learnt(&work.seen, WHAT)?;
    for (name, wanted) in others(&work.seen, &told.said) {
        work.may_go_on()?;
        let there = work.git.command("rev-parse").option("--verify").option("-q").revision(&wanted);
        if there.run_allowing(&[1]).map_err(|error| error.to_string())?.code == 1 {
            told.failed.push(format!("`{name}`: `{wanted}` was not fetched yet"));
            continue;
        }
        let call = work.git.command("symbolic-ref").option("-m").option("alignwatch: remote-head");
        let call = call.revision(format!("refs/remotes/{name}/HEAD")).revision(&wanted);
        call.run().map_err(|error| error.to_string())?;
    }
    remotes::settle(&work.seen, &told)
}
