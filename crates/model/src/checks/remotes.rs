//! `fetch-age`, `remote-unreachable`, `remote-default-moved`: whether what is known of the remotes is still true.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{
    Finding, Known, Look, Remedy, Severity, Snapshot, Span,
    address::Address,
    alert::doubt::is_silence,
    facts::settings::{Answer, RemoteAnswer, Remotes},
    quote::shell_word,
};

/// How old the picture of the remotes is.
pub(super) static FETCH_AGE: Check = Check {
    id: "fetch-age",
    title: "Remotes not fetched for long",
    looks_at: "When `FETCH_HEAD` was written last, where there are remotes",
    why: "Drift is measured against what was fetched: an old picture makes branches look aligned that are not",
    severity: Severity::Warning,
    family: Family::Remotes,
    needs: &[Look::Settings],
    git_says: None,
    runbook: Runbook {
        look: "`ls -l FETCH_HEAD` in the git directory; `git fetch --dry-run` shows what is new",
        mend: "Run `git fetch --all`; `git maintenance start` does so every hour in the background (task prefetch)",
        sure: "`alignwatch check --only fetch-age` is ok",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 24,
        range: (1, 8760),
        unit: "hours",
        source: "ours; a working day, so that each morning's picture is fresh",
    }),
    judge: fetch_age,
};

/// Remotes that do not answer.
pub(super) static UNREACHABLE: Check = Check {
    id: "remote-unreachable",
    title: "Remotes that do not answer",
    looks_at: "The answer of each remote to `git ls-remote`, asked without anybody's keys, passwords or programs",
    why: "Without its remote nothing can be fetched, and no alignment reaches anybody",
    severity: Severity::Error,
    family: Family::Remotes,
    needs: &[Look::Settings, Look::Remotes],
    git_says: Some("git ls-remote --symref <remote> HEAD"),
    runbook: Runbook {
        look: "`GIT_TERMINAL_PROMPT=0 git ls-remote --symref <remote> HEAD` asks with your own keys and passwords",
        mend: "Correct the address with `git remote set-url <remote> <address>`, or sign in again, or wait until the server is back",
        sure: "`git ls-remote <remote> HEAD` prints an id",
        undo: Some("`git remote set-url <remote> <old address>`"),
    },
    threshold: None,
    judge: unreachable,
};

/// The default branch of a remote is not the one that is known here.
pub(super) static DEFAULT_MOVED: Check = Check {
    id: "remote-default-moved",
    title: "The default branch of a remote is another now",
    looks_at: "HEAD of each remote as it answers, and `refs/remotes/<remote>/HEAD` here",
    why: "Branches are measured against the old base as long as nobody tells this clone",
    severity: Severity::Error,
    family: Family::Remotes,
    needs: &[Look::Settings, Look::Remotes],
    git_says: Some("git ls-remote --symref <remote> HEAD"),
    runbook: Runbook {
        look: "`git ls-remote --symref <remote> HEAD` shows its default branch, `git symbolic-ref refs/remotes/<remote>/HEAD` the one known here",
        mend: "Run `git remote set-head <remote> --auto`, and check which bases are configured for alignwatch",
        sure: "`alignwatch check --only remote-default-moved` is ok",
        undo: Some("`git remote set-head <remote> <old branch>`"),
    },
    threshold: None,
    judge: default_moved,
};

fn remotes<'a>(seen: &Seen<'a>) -> Result<&'a Remotes, Outcome> {
    match &seen.snapshot.facts.remotes {
        Known::Seen(remotes) => Ok(remotes),
        Known::Unknown(reason) => Err(Outcome::unknown(reason.clone())),
    }
}

fn answers<'a>(seen: &Seen<'a>) -> Result<&'a [RemoteAnswer], Outcome> {
    match &seen.snapshot.facts.remote_answers {
        Known::Seen(answers) => Ok(answers),
        Known::Unknown(reason) => Err(Outcome::unknown(reason.clone())),
    }
}

fn fetch_age(seen: &Seen<'_>) -> Outcome {
    let remotes = match remotes(seen) {
        Ok(remotes) if remotes.all.is_empty() => return Outcome::default(),
        Ok(remotes) => remotes,
        Err(outcome) => return outcome,
    };
    let at = match &remotes.fetched_at {
        Known::Seen(Some(at)) => *at,
        Known::Seen(None) => return Outcome::unknown("there is no trace of a fetch since it was cloned"),
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let (limit, threshold) = seen.threshold();
    let age = seen.now.since(at);
    if age <= Span::hours(limit) {
        return Outcome::default();
    }
    let summary = format!("Nothing was fetched for {age} (limit {limit} h)");
    Outcome::found(vec![
        seen.finding(Severity::Warning, "", "remotes", summary)
            .fact("fetched_at", at.rfc3339())
            .fact("age_seconds", age.0)
            .names("remotes", remotes.all.iter().map(|one| one.name.as_str()))
            .fact("source", "FETCH_HEAD")
            .against(threshold)
            .so("What is said here of remote branches is as old as that.")
            .mend(Remedy::irreversible(
                "Fetch. It only adds what is new and moves tracking refs.",
                ["git fetch --all".to_owned()],
            )),
    ])
}

/// Which hosts were asked, each with whether it answered, whatever it said.
pub(super) fn hosts_asked(snapshot: &Snapshot) -> Vec<(String, bool)> {
    let (Known::Seen(remotes), Known::Seen(answers)) = (&snapshot.facts.remotes, &snapshot.facts.remote_answers) else {
        return Vec::new();
    };
    let asked = |one: &RemoteAnswer| {
        let answered = match one.answer.seen()? {
            Answer::Default(_) => true,
            Answer::Failed(reason) => !is_silence(reason),
        };
        Some((host_of(remotes, &one.name)?, answered))
    };
    answers.iter().filter_map(asked).collect()
}

/// The machine that this remote lies on; `None` = this one, or there is no such remote.
fn host_of(remotes: &Remotes, name: &str) -> Option<String> {
    let remote = remotes.all.iter().find(|remote| remote.name == name)?;
    Some(Address::of(&remote.fetch_url).host).filter(|host| !host.is_empty())
}

fn unreachable(seen: &Seen<'_>) -> Outcome {
    let answers = match answers(seen) {
        Ok(answers) => answers,
        Err(outcome) => return outcome,
    };
    let failed = answers.iter().filter_map(|one| match &one.answer {
        Known::Seen(Answer::Failed(reason)) => Some(silent(seen, &one.name, reason)),
        _ => None,
    });
    Outcome {
        findings: failed.collect(),
        unknown: unjudged("remote", answers.iter().filter_map(|one| one.answer.reason())),
        skipped: None,
    }
}

fn silent(seen: &Seen<'_>, name: &str, reason: &str) -> Finding {
    let summary = format!("The remote `{name}` does not answer: {reason}");
    let host = seen.snapshot.facts.remotes.seen().and_then(|remotes| host_of(remotes, name));
    let finding = seen.finding(Severity::Error, name, name, summary).fact("remote", name);
    // Where many repositories have one forge, it is the forge that does not answer.
    let finding = match host {
        Some(host) => finding.fact("host", host),
        None => finding,
    };
    finding
        .fact("reason", reason)
        .fact("source", "git ls-remote --symref <address> HEAD")
        .so("Nothing can be fetched from it, and no alignment can be pushed to it.")
        .mend(Remedy::reversible(
            "Ask it with your own keys and passwords. If that fails, too, correct the address or sign in again.",
            [format!("GIT_TERMINAL_PROMPT=0 git ls-remote --symref {} HEAD", shell_word(name.as_bytes()))],
        ))
}

fn default_moved(seen: &Seen<'_>) -> Outcome {
    let (remotes, answers) = match (remotes(seen), answers(seen)) {
        (Ok(remotes), Ok(answers)) => (remotes, answers),
        (Err(outcome), _) | (_, Err(outcome)) => return outcome,
    };
    let mut findings = Vec::new();
    let mut reasons = Vec::new();
    for one in answers {
        let known =
            remotes.all.iter().find(|remote| remote.name == one.name).and_then(|remote| remote.default.as_ref());
        match (&one.answer, known) {
            (Known::Seen(Answer::Default(Some(there))), Some(here)) => {
                findings.extend(is_other(there, here, &one.name).then(|| moved(seen, &one.name, there, here)));
            }
            (Known::Seen(Answer::Failed(reason)), _) | (Known::Unknown(reason), _) => reasons.push(reason.as_str()),
            // Nothing is known here that could be wrong.
            (Known::Seen(Answer::Default(_)), _) => {}
        }
    }
    Outcome { findings, unknown: unjudged("remote", reasons), skipped: None }
}

/// `refs/heads/x` there is `refs/remotes/<remote>/x` here.
fn is_other(there: &str, here: &str, remote: &str) -> bool {
    let branch = here.strip_prefix(&format!("refs/remotes/{remote}/"));
    there.strip_prefix("refs/heads/") != branch
}

fn moved(seen: &Seen<'_>, name: &str, there: &str, here: &str) -> Finding {
    let summary = format!("The default branch of `{name}` is `{there}` now, and here it is still `{here}`");
    let remote = shell_word(name.as_bytes());
    let old = shell_word(here.rsplit_once(&format!("{name}/")).map_or(here, |(_, branch)| branch).as_bytes());
    seen.finding(Severity::Error, name, name, summary)
        .fact("remote", name)
        .fact("there", there)
        .fact("here", here)
        .fact("source", "git ls-remote --symref <address> HEAD")
        .so("Branches are measured against the old base.")
        .mend(Remedy::reversible(
            format!("Take the new one over. Undo: git remote set-head {remote} {old}"),
            [format!("git remote set-head {remote} --auto")],
        ))
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, Timestamp, facts::settings::Remote};

    fn cloned(fetched_at: Known<Option<Timestamp>>, answer: Known<Answer>) -> Snapshot {
        let mut snapshot = snapshot([]);
        let url = || "https://e.org/x".to_owned();
        let default = Some("refs/remotes/origin/main".to_owned());
        let remote = Remote { name: "origin".into(), url: url(), fetch_url: url(), push_url: url(), default };
        snapshot.facts.remotes = Known::Seen(Remotes { all: vec![remote], fetched_at });
        snapshot.facts.remote_answers = Known::Seen(vec![RemoteAnswer { name: "origin".into(), answer }]);
        snapshot
    }

    fn answering(answer: Known<Answer>) -> Snapshot {
        cloned(Known::Seen(Some(NOW)), answer)
    }

    #[test]
    fn an_old_fetch_is_told_and_no_trace_of_one_is_unknown() {
        let at = |at| cloned(at, Known::Seen(Answer::Default(None)));
        assert_eq!(judged(&FETCH_AGE, &at(Known::Seen(Some(days_ago(1))))), Outcome::default());
        assert_eq!(
            told(&judged(&FETCH_AGE, &at(Known::Seen(Some(days_ago(3))))).findings),
            "[warning] fetch-age: Nothing was fetched for 3 d (limit 24 h)"
        );
        assert!(judged(&FETCH_AGE, &at(Known::Seen(None))).unknown.is_some());
        assert!(judged(&FETCH_AGE, &at(Known::Unknown("a folder".into()))).unknown.is_some());
        assert!(judged(&FETCH_AGE, &snapshot([])).unknown.is_some());
    }

    #[test]
    fn a_repository_without_remotes_is_never_too_old() {
        let mut alone = snapshot([]);
        alone.facts.remotes = Known::Seen(Remotes { all: Vec::new(), fetched_at: Known::Seen(None) });
        assert_eq!(judged(&FETCH_AGE, &alone), Outcome::default());
    }

    #[test]
    fn a_remote_answers_fails_or_cannot_be_asked() {
        let well = answering(Known::Seen(Answer::Default(Some("refs/heads/main".into()))));
        assert_eq!(judged(&UNREACHABLE, &well), Outcome::default());
        let ill = answering(Known::Seen(Answer::Failed("could not resolve host".into())));
        assert_eq!(
            told(&judged(&UNREACHABLE, &ill).findings),
            "[error] remote-unreachable:origin: The remote `origin` does not answer: could not resolve host"
        );
        let private = answering(Known::Unknown("it needs a password".into()));
        assert!(judged(&UNREACHABLE, &private).unknown.is_some());
        assert!(judged(&UNREACHABLE, &snapshot([])).unknown.is_some());
    }

    #[test]
    fn a_host_that_says_no_has_answered_and_one_that_was_not_asked_says_nothing() {
        let of = |answer| hosts_asked(&answering(answer));
        assert_eq!(of(Known::Seen(Answer::Default(None))), [("e.org".to_owned(), true)]);
        assert_eq!(of(Known::Seen(Answer::Failed("repository not found".into()))), [("e.org".to_owned(), true)]);
        assert_eq!(
            of(Known::Seen(Answer::Failed("Could not resolve host: e.org".into()))),
            [("e.org".to_owned(), false)]
        );
        assert_eq!(of(Known::Unknown("it needs a password".into())), []);
    }

    #[test]
    fn a_default_branch_that_moved_is_told_with_its_way_back() {
        let same = answering(Known::Seen(Answer::Default(Some("refs/heads/main".into()))));
        assert_eq!(judged(&DEFAULT_MOVED, &same), Outcome::default());
        let other = answering(Known::Seen(Answer::Default(Some("refs/heads/trunk".into()))));
        let finding = only(judged(&DEFAULT_MOVED, &other));
        assert_eq!(
            told([&finding]),
            "[error] remote-default-moved:origin: The default branch of `origin` is `refs/heads/trunk` now, and here it is still `refs/remotes/origin/main`"
        );
        assert!(finding.remedy.text.ends_with("Undo: git remote set-head origin main"), "{}", finding.remedy.text);
        assert!(judged(&DEFAULT_MOVED, &answering(Known::Unknown("ssh".into()))).unknown.is_some());
    }
}
