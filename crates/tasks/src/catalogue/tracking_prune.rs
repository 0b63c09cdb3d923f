//! `tracking-prune`: tracking refs go whose branch is gone at the remote; their commits stay.

use std::collections::BTreeSet;

use alignwatch_git::{
    refs,
    tend::{self, Fetched, RefUndo, Remote, Undo, Way},
};
use alignwatch_model::{
    Known,
    task::{Measure, Plan},
};

use crate::{
    remotes::{self, LOOKS},
    task::{Draft, Guard, Seen, Task, Work},
};

/// Prunes tracking refs.
pub(super) static TASK: Task = Task {
    id: "tracking-prune",
    title: "Take tracking refs away whose branch is gone at the remote",
    why: "They look like open work and are measured again each time. The last tip that was known may be the only copy: it stays under refs/archive/.",
    guard: Guard::Changes,
    uses: &[],
    looks: LOOKS,
    usual: "1d",
    opt_in: Some("the last known tip of a branch that somebody deleted goes out of sight"),
    undo: "`alignwatch task undo ID`: the tracking refs are there again",
    measure,
    plan,
    prepare: Some(prepare),
    perform,
};

const WHAT: &str = "prune";
const AGE: &str = "minutes since tracking refs were last pruned";
const GONE: &str = "tracking refs that the last prune took away";
const TRACKING: &str = "tracking refs";

/// From so many minutes on. Source: ours; daily, and half of a day when somebody ran it by hand.
const OLD: i64 = 12 * 60;

/// So many tracking refs of one remote may go at once, whatever part they are. Source: ours.
const FEW: usize = 10;

fn measure(seen: &Seen<'_>) -> Vec<Measure> {
    let mut all = vec![remotes::minutes(seen, AGE, WHAT), remotes::changed(seen, GONE, WHAT)];
    // Tables are read by git alone, which is not asked for a number that nothing hangs on.
    if seen.snapshot.repository.ref_backend == "files" {
        let refs = refs::read_files(seen.opened).map(|refs| refs.under(b"refs/remotes/").count() as u64);
        all.push(Measure::known(TRACKING, Known::from_result(refs.map_err(|error| error.to_string())), "refs"));
    }
    all
}

fn plan(seen: &Seen<'_>, draft: Draft) -> Plan {
    let step = "archive and delete tracking refs of branches that are gone at";
    remotes::plan(seen, draft, AGE, OLD, "alignwatch: daily", step)
}

fn prepare(work: &Work<'_>) -> Result<Undo, String> {
    let mut changes = remotes::ask(work, WHAT, Way::Prune, &|remote, fetched| few_enough(work, remote, fetched))?;
    let named = named_by_others(work)?;
    changes.retain(|one| !named.contains(&one.name));
    let mut refs = Vec::new();
    let mut anchored = BTreeSet::new();
    for one in &changes {
        let name = format!("refs/archive/{}/{}", work.id, one.name.trim_start_matches("refs/"));
        refs.push(RefUndo { name, before: None, after: one.before.clone() });
        // Commits that only its reflog knows would be without a name.
        for id in tend::only_in_reflog_of(work.git, &one.name)? {
            if anchored.insert(id.clone()) {
                let name = format!("refs/archive/{}/reflogs/{id}", work.id);
                refs.push(RefUndo { name, before: None, after: Some(id) });
            }
        }
    }
    refs.extend(changes);
    Ok(remotes::undo_of(work, refs))
}

/// Refs that another ref is a name of: without them it would lead nowhere. `remote-head` mends that first.
fn named_by_others(work: &Work<'_>) -> Result<BTreeSet<String>, String> {
    let listed = work.git.command("for-each-ref").option("--format=%(symref)").run();
    let listed = listed.map_err(|error| error.to_string())?.stdout;
    let names = listed.split(|&byte| byte == b'\n').filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// Errors: so many are gone that something else is the matter: another address, a server that lost them.
fn few_enough(work: &Work<'_>, remote: &Remote, fetched: &Fetched) -> Result<(), String> {
    let gone = remotes::gone(fetched);
    let below = format!("refs/remotes/{}/", remote.name);
    let call = work.git.command("for-each-ref").option("--format=%(objectname)").revision(below);
    let listed = call.run().map_err(|error| error.to_string())?.stdout;
    let n_all = listed.iter().filter(|&&byte| byte == b'\n').count();
    if gone.len() <= FEW || gone.len() * 2 <= n_all {
        return Ok(());
    }
    Err(format!(
        "{} of {n_all} branches are gone at once, so that nothing is pruned: look at it with `git remote prune -n {}`",
        gone.len(),
        remote.name
    ))
}

fn perform(work: &Work<'_>) -> Result<(), String> {
    remotes::change(work, "alignwatch: tracking-prune")?;
    let told = remotes::Known::learnt(&work.seen, WHAT)?;
    remotes::settle(&work.seen, &told)
}
