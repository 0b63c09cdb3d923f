//! `room-to-repack`, `git-dir-access`, `clock`, `file-system`, `old-git`: the place that a repository lies in.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{Known, Look, Remedy, Severity, Span, Timestamp, facts::place::Site, quote::shell_word, words::bytes};

/// Less free space than a repack needs.
pub(super) static ROOM: Check = Check {
    id: "room-to-repack",
    title: "No room for a repack",
    looks_at: "Free space on the file system of the repository, against its largest pack",
    why: "A repack writes the new pack before it removes the old one: without room it fails half-way, and alignments with it",
    severity: Severity::Error,
    family: Family::Host,
    needs: &[Look::Site],
    git_says: Some("df -k <git directory>"),
    runbook: Runbook {
        look: "`df -h .` and `du -sh objects/pack` in the git directory",
        mend: "Free space: `du -xh --max-depth=2 / | sort -h | tail` shows where it went. Do not run `git gc` before there is room",
        sure: "`df -h .` shows more than twice the largest pack",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 2,
        range: (1, 100),
        unit: "times the largest pack",
        source: "ours; the new pack beside the old one, and as much again for everybody else",
    }),
    judge: room,
};

/// Files of others in the git directory, or files that anybody may change.
pub(super) static ACCESS: Check = Check {
    id: "git-dir-access",
    title: "Wrong owner or permissions in the git directory",
    looks_at: "Owner and mode of the git directory and what stands in it",
    why: "After one command with `sudo`, the next alignment cannot write; and where anybody may write, anybody can plant a hook",
    severity: Severity::Error,
    family: Family::Host,
    needs: &[Look::Site],
    git_says: Some("find <git directory> ! -user $(id -un)"),
    runbook: Runbook {
        look: "`find . ! -user $(id -un) | head` and `find . -perm -o+w ! -type l | head` in the git directory",
        mend: "Run `sudo chown -R <user> .` for files of others; `chmod -R o-w .` closes it to strangers. For a group that shares it: `git config core.sharedRepository group`",
        sure: "Both `find` commands print nothing",
        undo: Some("`sudo chown <owner> <file>` and `chmod o+w <file>` for the files that the finding names"),
    },
    threshold: None,
    judge: access,
};

/// A clock that cannot be right.
pub(super) static CLOCK: Check = Check {
    id: "clock",
    title: "The clock cannot be right",
    looks_at: "The time of this machine against the youngest file in the git directory",
    why: "Ages, deadlines and the verdict on locks rest on the clock; commits made now carry its date for ever",
    severity: Severity::Error,
    family: Family::Host,
    needs: &[Look::Site],
    git_says: None,
    runbook: Runbook {
        look: "`date -u`, and `timedatectl` for whether the clock is kept in step",
        mend: "Run `sudo timedatectl set-ntp true`; for a network file system, set the clock of its server, too",
        sure: "`date -u` shows the right time, and `touch x; stat x` the same one",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 10,
        range: (1, 1440),
        unit: "minutes",
        source: "ours; more than a network file system and its clients drift apart while somebody keeps their clocks",
    }),
    judge: clock,
};

/// File systems on which Git is less safe than people think.
pub(super) static FILE_SYSTEM: Check = Check {
    id: "file-system",
    title: "A file system with surprises",
    looks_at: "The type of the file system, and whether it takes `A` and `a` for the same name",
    why: "On a network, locks are weaker and processes of others are not seen; without case, one branch overwrites another",
    severity: Severity::Warning,
    family: Family::Host,
    needs: &[Look::Site],
    git_says: Some("git config core.ignoreCase"),
    runbook: Runbook {
        look: "`stat -f .` in the git directory shows the type; `git config core.ignoreCase` what Git found out about case",
        mend: "Keep the repository that is aligned in on a local disk, and share it by pushing. Where names ignore case, keep refs packed with `git pack-refs --all`, or use `--ref-format=reftable`",
        sure: "`alignwatch check --only file-system` is ok",
        undo: None,
    },
    threshold: None,
    judge: file_system,
};

/// A git that lacks what is used here.
pub(super) static OLD_GIT: Check = Check {
    id: "old-git",
    title: "An old git",
    looks_at: "The version of the git in PATH",
    why: "Before 2.41 git counts the drift of many branches one by one, which takes minutes where people use it by hand",
    severity: Severity::Warning,
    family: Family::Host,
    needs: &[Look::Refs],
    git_says: Some("git version"),
    runbook: Runbook {
        look: "`git version`, and `type -a git` for others that are installed",
        mend: "Install a newer one; put its folder first in PATH",
        sure: "`git version` prints 2.41 or newer",
        undo: Some("Put the folder of the old one first in PATH again"),
    },
    threshold: None,
    judge: old_git,
};

fn site<'a>(seen: &Seen<'a>) -> Result<&'a Site, Outcome> {
    match &seen.snapshot.facts.site {
        Known::Seen(site) => Ok(site),
        Known::Unknown(reason) => Err(Outcome::unknown(reason.clone())),
    }
}

fn room(seen: &Seen<'_>) -> Outcome {
    let (pack, free) = match site(seen).map(|site| (&site.largest_pack_bytes, &site.free_bytes)) {
        Ok((Known::Seen(pack), Known::Seen(free))) => (*pack, *free),
        Ok((Known::Unknown(reason), _) | (_, Known::Unknown(reason))) => return Outcome::unknown(reason.clone()),
        Err(outcome) => return outcome,
    };
    let (limit, threshold) = seen.threshold();
    if pack.saturating_mul(limit.unsigned_abs()) <= free {
        return Outcome::default();
    }
    let summary = format!("{} are free, less than {limit} times the largest pack ({})", bytes(free), bytes(pack));
    let place = shell_word(seen.snapshot.repository.git_dir.as_bytes());
    Outcome::found(vec![
        seen.finding(Severity::Error, "", "disk", summary)
            .fact("free_bytes", free)
            .fact("largest_pack_bytes", pack)
            .fact("source", "statvfs(2), and the files in objects/pack")
            .against(threshold)
            .so("A repack or a large fetch fails half-way, and fills what is left.")
            .mend(Remedy::reversible(
                "Free space before anything else; do not run git gc until then.",
                [format!("df -h {place}")],
            )),
    ])
}

fn access(seen: &Seen<'_>) -> Outcome {
    let site = match site(seen) {
        Ok(site) => site,
        Err(outcome) => return outcome,
    };
    let git_dir = &seen.snapshot.repository.git_dir;
    let mut findings = Vec::new();
    if let Known::Seen(open) = &site.open_to_all
        && let Some(first) = open.first()
    {
        let summary = format!(
            "Everybody on this machine may write to {} of the git directory, such as {first}",
            count(open.len(), "part")
        );
        let close = format!("chmod -R o-w {}", shell_word(git_dir.as_bytes()));
        findings.push(
            seen.finding(Severity::Error, "open", first.as_str(), summary)
                .names("paths", open.iter().cloned())
                .fact("source", "stat(2)")
                .so("Anybody can plant a hook or a setting that runs with your rights at the next alignment.")
                .mend(Remedy::reversible(
                    "Close it to strangers. Undo: chmod o+w for the paths that are named.",
                    [close],
                )),
        );
    }
    if let Known::Seen(foreign) = &site.foreign
        && let Some(first) = foreign.first().filter(|_| !site.is_shared)
    {
        let summary = format!(
            "{} of the git directory {} to another user than the directory, such as {first}",
            count(foreign.len(), "part"),
            agree(foreign.len(), "belongs", "belong")
        );
        findings.push(
            seen.finding(Severity::Warning, "owner", first.as_str(), summary)
                .names("paths", foreign.iter().cloned())
                .fact("source", "stat(2)")
                .so("A fetch, commit or repack fails as soon as it comes across them.")
                .mend(Remedy::irreversible(
                    "Give them to the owner of the directory, as root: chown -R <user>. Note the owners first, if they matter.",
                    [format!("ls -ld {}", shell_word(format!("{git_dir}/{first}").as_bytes()))],
                )),
        );
    }
    let reasons = [site.foreign.reason(), site.open_to_all.reason()];
    Outcome { findings, unknown: unjudged("part", reasons.into_iter().flatten()), skipped: None }
}

/// Before this, nobody ran a git that we know: 2020-01-01.
const SURELY_OVER: Timestamp = Timestamp(1_577_836_800);

fn clock(seen: &Seen<'_>) -> Outcome {
    let newest = match site(seen).map(|site| &site.newest_file_at) {
        Ok(Known::Seen(at)) => *at,
        Ok(Known::Unknown(reason)) => return Outcome::unknown(reason.clone()),
        Err(outcome) => return outcome,
    };
    let (limit, threshold) = seen.threshold();
    let ahead = newest.since(seen.snapshot.seen_at);
    let is_before_all = seen.snapshot.seen_at < SURELY_OVER;
    if ahead <= Span::minutes(limit) && !is_before_all {
        return Outcome::default();
    }
    let summary = match is_before_all {
        true => format!("The clock says {}, which is long over", seen.snapshot.seen_at.rfc3339()),
        false => format!("A file in the git directory is {ahead} in the future (limit {limit} min)"),
    };
    Outcome::found(vec![
        seen.finding(Severity::Error, "", "clock", summary)
            .fact("newest_file_at", newest.rfc3339())
            .fact("seen_at", seen.snapshot.seen_at.rfc3339())
            .fact("source", "stat(2) and the clock of this machine")
            .against(threshold)
            .so("Ages are wrong, so nothing here gets stale in time, and locks are judged wrongly.")
            .mend(Remedy::reversible(
                "Set the clock of this machine, or of the server of the file system.",
                ["date -u".to_owned()],
            )),
    ])
}

fn file_system(seen: &Seen<'_>) -> Outcome {
    let site = match site(seen) {
        Ok(site) => site,
        Err(outcome) => return outcome,
    };
    let git_dir = shell_word(seen.snapshot.repository.git_dir.as_bytes());
    let mut findings = Vec::new();
    if site.is_network == Known::Seen(true) {
        findings.push(
            seen.finding(Severity::Warning, "network", "file system", "The repository lies on a network file system")
                .fact("source", "statfs(2)")
                .so("Another machine may work here unseen, so locks cannot be judged; and reading is slow.")
                .mend(Remedy::reversible(
                    "Align in a clone on a local disk, and push.",
                    [format!("stat -f {git_dir}")],
                )),
        );
    }
    if let Known::Seen(ignores) = site.ignores_case
        && (ignores || site.says_ignores_case)
    {
        let summary = match (ignores, site.says_ignores_case) {
            (true, true) => "The file system takes `A` and `a` for the same name",
            (true, false) => {
                "The file system takes `A` and `a` for the same name, and `core.ignoreCase` does not say so"
            }
            _ => "`core.ignoreCase` is set, and the file system tells `A` from `a`",
        };
        let severity = if ignores == site.says_ignores_case { Severity::Info } else { Severity::Warning };
        findings.push(
            seen.finding(severity, "case", "file system", summary)
                .fact("core_ignore_case", site.says_ignores_case)
                .fact("source", "stat(2) of HEAD under another case")
                .so("Branches and files that differ only in case overwrite each other, or are taken for one.")
                .mend(Remedy::reversible(
                    "Let the setting say what the file system does. Undo: set it to the other value again.",
                    [format!("git config core.ignoreCase {ignores}")],
                )),
        );
    }
    let reasons = [site.is_network.reason(), site.ignores_case.reason()];
    Outcome { findings, unknown: unjudged("property", reasons.into_iter().flatten()), skipped: None }
}

fn old_git(seen: &Seen<'_>) -> Outcome {
    let text = match &seen.snapshot.repository.git_version {
        Known::Seen(text) => text,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else {
        return Outcome::unknown(format!("`{text}` is no version"));
    };
    if (2, 41) <= (major, minor) {
        return Outcome::default();
    }
    Outcome::found(vec![
        seen.finding(Severity::Warning, "", "git", format!("git {text} is older than 2.41"))
            .fact("version", text.as_str())
            .fact("source", "git version")
            .so("Scripts that count drift need minutes where a newer git takes a second. alignwatch counts by itself.")
            .mend(Remedy::reversible("Install a newer one.", ["git version".to_owned()])),
    ])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::Snapshot;

    fn with(change: impl FnOnce(&mut Site)) -> Snapshot {
        let mut site = Site {
            largest_pack_bytes: Known::Seen(1 << 30),
            free_bytes: Known::Seen(2 << 30),
            foreign: Known::Seen(Vec::new()),
            open_to_all: Known::Seen(Vec::new()),
            is_shared: false,
            newest_file_at: Known::Seen(days_ago(0)),
            is_network: Known::Seen(false),
            ignores_case: Known::Seen(false),
            says_ignores_case: false,
        };
        change(&mut site);
        let mut snapshot = snapshot([]);
        snapshot.facts.site = Known::Seen(site);
        snapshot
    }

    fn tell(check: &'static Check, change: impl FnOnce(&mut Site)) -> String {
        told(&judged(check, &with(change)).findings)
    }

    #[test]
    fn a_good_place_is_fine_and_an_unread_one_unknown() {
        let unread = with(|site| {
            let reason = || "permission denied".to_owned();
            (site.largest_pack_bytes, site.newest_file_at) = (Known::Unknown(reason()), Known::Unknown(reason()));
            (site.foreign, site.open_to_all) = (Known::Unknown(reason()), Known::Unknown(reason()));
            (site.is_network, site.ignores_case) = (Known::Unknown(reason()), Known::Unknown(reason()));
        });
        for check in [&ROOM, &ACCESS, &CLOCK, &FILE_SYSTEM] {
            assert_eq!(judged(check, &with(|_| {})), Outcome::default(), "{}", check.id);
            assert!(judged(check, &unread).unknown.is_some(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
    }

    #[test]
    fn room_is_measured_against_the_largest_pack() {
        assert_eq!(
            tell(&ROOM, |site| site.free_bytes = Known::Seen((2 << 30) - 1)),
            "[error] room-to-repack: 2.0 GiB are free, less than 2 times the largest pack (1.0 GiB)"
        );
    }

    #[test]
    fn strangers_and_foreign_owners_are_told() {
        assert_eq!(
            tell(&ACCESS, |site| site.open_to_all = Known::Seen(vec!["hooks".into()])),
            "[error] git-dir-access:open: Everybody on this machine may write to 1 part of the git directory, such as hooks"
        );
        let foreign = |site: &mut Site| site.foreign = Known::Seen(vec!["objects/17".into()]);
        assert_eq!(
            tell(&ACCESS, foreign),
            "[warning] git-dir-access:owner: 1 part of the git directory belongs to another user than the directory, such as objects/17"
        );
        let shared = |site: &mut Site| (site.foreign, site.is_shared) = (Known::Seen(vec!["objects/17".into()]), true);
        assert_eq!(tell(&ACCESS, shared), "");
    }

    #[test]
    fn a_file_from_the_future_makes_the_clock_wrong() {
        assert_eq!(
            tell(&CLOCK, |site| site.newest_file_at = Known::Seen(days_ago(-2))),
            "[error] clock: A file in the git directory is 2 d in the future (limit 10 min)"
        );
        let mut old = with(|_| {});
        old.seen_at = Timestamp(0);
        assert!(told(&judged(&CLOCK, &old).findings).contains("which is long over"));
    }

    #[test]
    fn surprises_of_the_file_system_are_told() {
        assert_eq!(
            tell(&FILE_SYSTEM, |site| site.is_network = Known::Seen(true)),
            "[warning] file-system:network: The repository lies on a network file system"
        );
        let case = |ignores, says| {
            tell(&FILE_SYSTEM, |site| (site.ignores_case, site.says_ignores_case) = (Known::Seen(ignores), says))
        };
        assert!(case(true, true).starts_with("[info] file-system:case"));
        assert!(case(true, false).starts_with("[warning]") && case(false, true).starts_with("[warning]"));
    }

    #[test]
    fn an_old_git_is_told_and_an_unknown_one_is_unknown() {
        let mut snapshot = snapshot([]);
        assert_eq!(judged(&OLD_GIT, &snapshot), Outcome::default());
        snapshot.repository.git_version = Known::Seen("2.39.5".into());
        assert_eq!(told(&judged(&OLD_GIT, &snapshot).findings), "[warning] old-git: git 2.39.5 is older than 2.41");
        for unknown in [Known::Seen("odd".into()), Known::Unknown("no git".into())] {
            snapshot.repository.git_version = unknown;
            assert!(judged(&OLD_GIT, &snapshot).unknown.is_some());
        }
    }
}
