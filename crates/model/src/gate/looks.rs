//! What may stand in the way of an alignment, one function each.

use super::{Answer, Asked, Cause, Facts, OF_ROOM, Obstacle, Watched};
use crate::{
    Known, Relation, Severity, Span, Timestamp, branch::Verdict, checks, kept::KeptBranch, lease::Lease,
    quote::shell_word, snapshot::LockVerdict, window::Purpose,
};

/// What the daemon saw longer ago than so many of its intervals says nothing about now.
///
/// Source: ours; one interval may be under way, and one may have been late.
const INTERVALS: i64 = 3;

/// Tells what it finds, and what it cannot know.
type Look = fn(&mut Answer, &Asked<'_>, &Facts<'_>, Timestamp);

/// All of them.
pub(super) const ALL: [Look; 9] = [freezes, runs, leases, locks, unfinished, room, watched, forbidden, backups];

fn freezes(answer: &mut Answer, _: &Asked<'_>, facts: &Facts<'_>, now: Timestamp) {
    for rule in facts.config.windows.iter().filter(|rule| rule.is_about(&facts.snapshot.repository.path)) {
        let Some(window) = rule.window().ok().filter(|window| window.purpose == Purpose::Freeze) else { continue };
        if let Some(why) = window.doubt() {
            answer.doubt(format!("whether the freeze `{}` is on is not known: {why}", window.name));
        }
        let open = window.open_at(now);
        if let Some(opening) = open {
            let reason = if window.reason.is_empty() { String::new() } else { format!(" ({})", window.reason) };
            answer.stop(Cause::Freeze, format!("the freeze `{}` is on{reason}", window.name), Some(opening.until));
        }
    }
}

fn runs(answer: &mut Answer, asked: &Asked<'_>, facts: &Facts<'_>, now: Timestamp) {
    match &facts.snapshot.facts.runs {
        Known::Unknown(reason) => answer.doubt(format!("whether a run is under way is not known: {reason}")),
        Known::Seen(runs) => {
            for run in runs.iter().filter(|run| run.is_under_way() && Some(&run.run) != asked.run) {
                let text = format!("a run of `{}` is under way since {}", run.workflow, now.since(run.began_at));
                answer.stop(Cause::Run, text, None);
            }
        }
    }
}

fn leases(answer: &mut Answer, asked: &Asked<'_>, facts: &Facts<'_>, _: Timestamp) {
    match facts.leases {
        Known::Unknown(reason) => answer.doubt(format!("whether somebody has a lease is not known: {reason}")),
        Known::Seen(leases) => {
            let wish = Lease {
                holder: asked.holder.to_owned(),
                branch: asked.branch.map(str::to_owned),
                until: Timestamp(0),
                token: 0,
            };
            for lease in leases.iter().filter(|lease| lease.is_in_the_way_of(&wish)) {
                let of =
                    lease.branch.as_ref().map_or("the whole repository".to_owned(), |branch| format!("`{branch}`"));
                answer.stop(Cause::Lease, format!("{} has a lease on {of}", lease.holder), Some(lease.until));
            }
        }
    }
}

fn locks(answer: &mut Answer, _: &Asked<'_>, facts: &Facts<'_>, now: Timestamp) {
    match &facts.snapshot.locks {
        Known::Unknown(reason) => answer.doubt(format!("locks could not be looked for: {reason}")),
        Known::Seen(locks) => {
            for lock in locks {
                let age = now.since(lock.modified_at);
                match lock.verdict {
                    LockVerdict::Live => {
                        answer.stop(Cause::Lock, format!("{} is held: {}", lock.path, lock.because), None)
                    }
                    LockVerdict::Stale => {
                        answer.stop(Cause::Lock, format!("{} is there for {age} and nobody holds it", lock.path), None);
                    }
                    LockVerdict::Unknown => answer.doubt(format!("{} is there for {age}: {}", lock.path, lock.because)),
                }
            }
        }
    }
}

/// An operation on another branch is not in the way of this one; on an unnamed one it may be.
fn unfinished(answer: &mut Answer, asked: &Asked<'_>, facts: &Facts<'_>, _: Timestamp) {
    match &facts.snapshot.unfinished {
        Known::Unknown(reason) => answer.doubt(format!("half-done operations could not be looked for: {reason}")),
        Known::Seen(all) => {
            for operation in all {
                let other = |name: &crate::RefName| asked.branch.is_some_and(|branch| name.text() != branch);
                if operation.branch.as_ref().is_some_and(other) {
                    continue;
                }
                answer.stop(Cause::Unfinished, operation.told(), None);
            }
        }
    }
}

fn room(answer: &mut Answer, _: &Asked<'_>, facts: &Facts<'_>, now: Timestamp) {
    let wanted = |check: &checks::Check| if OF_ROOM.contains(&check.id) { Ok(()) } else { Err(String::new()) };
    for judged in checks::judge(facts.snapshot, facts.config, now, wanted) {
        let grave = judged.findings.iter().filter(|finding| Severity::Error <= finding.severity);
        grave.for_each(|finding| answer.stop(Cause::Disk, finding.summary.clone(), None));
    }
}

/// Where a backup is asked for, one that is not known of is none: who asked for that chose it.
fn backups(answer: &mut Answer, asked: &Asked<'_>, facts: &Facts<'_>, now: Timestamp) {
    let path = &facts.snapshot.repository.path;
    let demands = facts.config.gate.backups.iter();
    let demands = demands.filter(|demand| demand.is_about(path, asked.branch, workflow(asked, facts)));
    let Some(limit) = demands.map(|demand| demand.not_older_than).min() else { return };
    let backups = match &facts.snapshot.facts.backups {
        Known::Seen(backups) => backups,
        Known::Unknown(reason) => {
            return answer.stop(Cause::Backup, format!("whether there is a fresh backup is not known: {reason}"), None);
        }
    };
    let age = backups.good_made_at.map(|at| now.since(at));
    let path = shell_word(path.as_bytes());
    let (text, commands) = match age {
        Some(age) if age <= limit => return,
        // One that is young enough only has to be looked at.
        _ if !backups.is_bad && backups.newest_at.is_some_and(|at| now.since(at) <= limit) => (
            format!(
                "the newest backup was not looked at, and one that is good and not older than {limit} is asked for"
            ),
            vec![format!("alignwatch backup verify --of {path}")],
        ),
        Some(age) => (
            format!("the newest backup that was found good is {age} old, and {limit} is the limit"),
            vec![format!("alignwatch backup create --of {path}")],
        ),
        None => (
            format!("there is no backup that was found good, and one not older than {limit} is asked for"),
            vec![format!("alignwatch backup create --of {path}")],
        ),
    };
    answer.obstacles.push(Obstacle { cause: Cause::Backup, text, until: None, commands });
}

/// What the configuration forbids. What it is about is asked of what the daemon saw, and is a doubt where that is not known.
fn forbidden(answer: &mut Answer, asked: &Asked<'_>, facts: &Facts<'_>, now: Timestamp) {
    let path = &facts.snapshot.repository.path;
    let kept =
        facts.watched.seen().filter(|watched| is_fresh(watched, facts, now)).and_then(|seen| seen.branch.as_ref());
    let is_current = kept.is_some_and(|kept| facts.tip.seen() == kept.oid.map(|oid| oid.hex()).as_ref());
    let (base, verdict) =
        (kept.and_then(|kept| kept.base.as_deref()), kept.filter(|_| is_current).map(|kept| kept.verdict));
    for rule in facts.config.gate.forbid.iter().filter(|rule| rule.is_about(path, asked.branch, workflow(asked, facts)))
    {
        let because = rule.because.as_ref().map(|because| format!(": {because}")).unwrap_or_default();
        match (rule.is_about_base(base), rule.is_about_merge(verdict)) {
            (Some(false), _) | (_, Some(false)) => continue,
            (Some(true), Some(true)) => {}
            (None, _) => {
                answer.doubt(format!("whether `gate.forbid` is about it is not known, since its base is not{because}"));
                continue;
            }
            (_, None) => {
                answer
                    .doubt(format!("whether `gate.forbid` is about it is not known, since its merge is not{because}"));
                continue;
            }
        }
        let Some(name) = &rule.unless_open else {
            answer.stop(Cause::Forbidden, format!("`gate.forbid` forbids it{because}"), None);
            continue;
        };
        let mut here = facts.config.windows.iter().filter(|window| window.name == *name && window.is_about(path));
        let Some(window) = here.find_map(|window| window.window().ok()) else {
            let text =
                format!("`gate.forbid` allows it only in the window `{name}`, which is not one of this repository");
            answer.stop(Cause::Forbidden, text + &because, None);
            continue;
        };
        if window.open_at(now).is_some() {
            continue;
        }
        // Of one of which nothing is known it is not known that it is open either.
        if let Some(why) = window.doubt() {
            answer.doubt(format!("whether the window `{name}` is open is not known: {why}"));
        }
        let until = window.next_after(now).map(|opening| opening.from);
        let text = format!("`gate.forbid` allows it only in the window `{name}`{because}");
        answer.stop(Cause::Forbidden, text, until);
    }
}

/// Does what the daemon saw say something about now?
fn is_fresh(watched: &Watched, facts: &Facts<'_>, now: Timestamp) -> bool {
    now.since(watched.swept_at) <= Span(INTERVALS * facts.config.serve.interval.0)
}

/// The workflow that wants to align, as far as it is known.
fn workflow<'a>(asked: &Asked<'a>, facts: &Facts<'a>) -> Option<&'a str> {
    let runs = facts.snapshot.facts.runs.seen();
    let of_run = || runs?.iter().find(|run| Some(&run.run) == asked.run).map(|run| run.workflow.as_str());
    asked.workflow.or_else(of_run)
}

fn watched(answer: &mut Answer, asked: &Asked<'_>, facts: &Facts<'_>, now: Timestamp) {
    let watched = match facts.watched {
        Known::Seen(watched) => watched,
        Known::Unknown(reason) => return answer.doubt(format!("health and predicted merges are not known: {reason}")),
    };
    let age = now.since(watched.swept_at);
    if !is_fresh(watched, facts, now) {
        return answer.doubt(format!("health and predicted merges are from {age} ago, so they say nothing about now"));
    }
    for finding in &watched.critical {
        answer.stop(Cause::Health, finding.clone(), None);
    }
    let Some(name) = asked.branch else { return };
    match &watched.branch {
        None => answer.doubt(format!(
            "`{name}` was not there, or the configuration ignored it, when the repository was last looked at"
        )),
        Some(branch) => of_branch(answer, facts.tip, branch),
    }
}

fn of_branch(answer: &mut Answer, tip: &Known<String>, branch: &KeptBranch) {
    let base = branch.base.as_deref().unwrap_or("its base");
    if branch.relation == Relation::Forbidden {
        answer.stop(Cause::Forbidden, format!("`{}` must never be merged with `{base}`", branch.name), None);
    }
    let moved = tip.seen() != branch.oid.map(|oid| oid.hex()).as_ref();
    match branch.verdict {
        _ if moved => answer.doubt(format!("`{}` has moved since its merge was predicted", branch.name)),
        Verdict::Conflict => {
            let paths: Vec<_> = branch.conflicts.iter().flatten().take(3).map(|conflict| &*conflict.path).collect();
            let first = if paths.is_empty() { String::new() } else { format!(": {}", paths.join(", ")) };
            let n = branch.n_conflicts.map_or(String::new(), |n| format!(" in {n} paths"));
            answer.stop(Cause::Conflict, format!("`{}` conflicts with `{base}`{n}{first}", branch.name), None);
        }
        Verdict::Unknown if branch.behind != Some(0) && branch.ahead != Some(0) => {
            let reason = branch.merge_reason.as_deref().unwrap_or("it was not predicted");
            answer.doubt(format!("whether `{}` merges is not known: {reason}", branch.name));
        }
        Verdict::Unknown | Verdict::Clean => {}
    }
}
