//! `host-cpu`, `host-memory`, `host-load`, `host-disk`, `host-inodes`: the machine that aligns.

use super::{Check, Family, Outcome, Runbook, Seen, ThresholdSpec, draft::*};
use crate::{
    Finding, HostSample, Known, Look, Remedy, Severity,
    host::{CPU_SPAN_AT_LEAST_SECONDS, FileSystem, Room},
    quote::shell_word,
};

/// Busy processors, averaged over the time of the inspection.
pub(super) static CPU: Check = Check {
    id: "host-cpu",
    title: "Processors busy",
    looks_at: "Busy share of the processors that may be used, averaged over several readings",
    why: "Alignments and their tests slow down and run into their time limits",
    severity: Severity::Warning,
    family: Family::Host,
    needs: &[Look::Host],
    git_says: None,
    runbook: Runbook {
        look: "`top -o %CPU`",
        mend: "Find out who works here; move alignments to another hour",
        sure: "`alignwatch check --only host-cpu` while nothing else runs",
        undo: None,
    },
    threshold: Some(percent(80, "the monitoring requirement that alignwatch grew from")),
    judge: cpu,
};

/// Memory in use, averaged over the time of the inspection.
pub(super) static MEMORY: Check = Check {
    id: "host-memory",
    title: "Memory nearly full",
    looks_at: "Memory that can be had without swapping, of the machine or its control group",
    why: "Git is killed in the middle of a repack or merge, and leaves locks and half-done work",
    severity: Severity::Error,
    family: Family::Host,
    needs: &[Look::Host],
    git_says: None,
    runbook: Runbook {
        look: "`free -h`, `ps --sort=-rss aux | head`",
        mend: "End what is not needed; give Git less: `git config pack.windowMemory 256m`",
        sure: "`free -h` shows more available",
        undo: Some("`git config --unset pack.windowMemory`"),
    },
    threshold: Some(percent(85, "the monitoring requirement that alignwatch grew from")),
    judge: memory,
};

/// Processes that wait for a processor or a disk.
pub(super) static LOAD: Check = Check {
    id: "host-load",
    title: "Load high",
    looks_at: "The five-minute load average for each processor, in percent",
    why: "Work waits: an alignment takes a multiple of its usual time",
    severity: Severity::Warning,
    family: Family::Host,
    needs: &[Look::Host],
    git_says: None,
    runbook: Runbook {
        look: "`uptime`, `vmstat 1 5` (column `b`: waiting for a disk)",
        mend: "Run fewer alignments at once, at another hour",
        sure: "`uptime` is below the threshold for each processor",
        undo: None,
    },
    threshold: Some(ThresholdSpec {
        default: 200,
        range: (10, 10_000),
        unit: "percent",
        source: "alignwatch: as many again wait as run",
    }),
    judge: load,
};

/// Space on the file systems of the repository and of the data directory.
pub(super) static DISK: Check = Check {
    id: "host-disk",
    title: "Disk nearly full",
    looks_at: "Space on the repository's own file system (statvfs), and on that of the data directory",
    why: "A fetch or merge that runs out of space stops half-way; a repack needs as much again as the packs",
    severity: Severity::Error,
    family: Family::Host,
    needs: &[Look::Host],
    git_says: Some("df"),
    runbook: Runbook {
        look: "`df -h <folder>`, `git count-objects -vH`",
        mend: "Make room outside of the repository first; then `git gc` in a quiet hour. A repack needs as much room as the packs",
        sure: "`df -h <folder>`",
        undo: None,
    },
    threshold: Some(percent(90, "the monitoring requirement that alignwatch grew from")),
    judge: disk,
};

/// Inodes on the same file systems.
pub(super) static INODES: Check = Check {
    id: "host-inodes",
    title: "Inodes nearly used up",
    looks_at: "Inodes on the repository's own file system, and on that of the data directory",
    why: "No file can be created though there is space: Git writes each new object as a file",
    severity: Severity::Error,
    family: Family::Host,
    needs: &[Look::Host],
    git_says: Some("df -i"),
    runbook: Runbook {
        look: "`df -i <folder>`, `git count-objects -v` (count)",
        mend: "Pack loose objects (`git repack -d -l`) and refs (`git pack-refs --all`)",
        sure: "`df -i <folder>`",
        undo: None,
    },
    threshold: Some(percent(95, "alignwatch: less than 5 % left")),
    judge: inodes,
};

/// From here on nothing works, so that it is an error: what is left is not enough for one large merge.
const AT_THE_END_PERCENT: f64 = 98.0;

const fn percent(default: i64, source: &'static str) -> ThresholdSpec {
    ThresholdSpec { default, range: (1, 100), unit: "percent", source }
}

fn cpu(seen: &Seen<'_>) -> Outcome {
    if let Known::Seen(sample) = &seen.snapshot.host
        && sample.span_seconds < CPU_SPAN_AT_LEAST_SECONDS
    {
        // The inspection was over too soon: waiting for a figure would make every quick look slow.
        let reason = sample.cpu_percent.reason().unwrap_or("too short a span").to_owned();
        return Outcome { skipped: Some(reason), ..Outcome::default() };
    }
    machine(
        seen,
        |sample| sample.cpu_percent.clone(),
        |used| {
            let summary = format!("Processors were {used:.0} % busy");
            let remedy = Remedy::reversible("Find out who works here; move alignments to another hour.", [top("cpu")]);
            seen.finding(Severity::Warning, "", "host", summary)
                .so("Alignments take longer and may be stopped by their time limits.")
                .mend(remedy)
        },
    )
}

fn memory(seen: &Seen<'_>) -> Outcome {
    let used = |sample: &HostSample| sample.memory.clone().map(|memory| memory.used_percent());
    machine(seen, used, |used| {
        let summary = format!("Memory was {used:.0} % full");
        let remedy =
            Remedy::reversible("Find out who holds it; give Git less: pack.windowMemory, pack.threads.", [top("mem")]);
        seen.finding(at_the_end(used), "", "host", summary)
            .so("A large merge or repack can be killed and leave a lock and half-done work.")
            .mend(remedy)
    })
}

fn load(seen: &Seen<'_>) -> Outcome {
    let per_cpu = |sample: &HostSample| sample.load.clone().map(|load| 100.0 * load.five_per_cpu());
    machine(seen, per_cpu, |percent| {
        let summary = format!("The load was {:.1} for each processor over five minutes", percent / 100.0);
        let remedy = Remedy::reversible("Find out who works here; move alignments to another hour.", [top("cpu")]);
        seen.finding(Severity::Warning, "", "host", summary).so("Alignments wait for processors or disks.").mend(remedy)
    })
}

fn top(by: &str) -> String {
    format!("ps -eo pid,user,pcpu,pmem,etime,comm --sort=-p{by} | head")
}

/// One number of the machine against the threshold.
fn machine(seen: &Seen<'_>, number: impl Fn(&HostSample) -> Known<f64>, told: impl Fn(f64) -> Finding) -> Outcome {
    let sample = match &seen.snapshot.host {
        Known::Seen(sample) => sample,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let (limit, threshold) = seen.threshold();
    match number(sample) {
        Known::Unknown(reason) => Outcome::unknown(reason),
        Known::Seen(value) if value <= limit as f64 => Outcome::default(),
        Known::Seen(value) => {
            let mut finding = told(value).against(threshold);
            finding.evidence.extend(sample.facts());
            finding.evidence.remove("file_systems");
            Outcome::found(vec![finding])
        }
    }
}

fn disk(seen: &Seen<'_>) -> Outcome {
    let space = |system: &FileSystem| system.space.clone();
    file_systems(seen, space, |system, room| {
        let summary = format!(
            "The file system of the {} is {:.0} % full: {} left",
            system.role,
            room.used_percent(),
            bytes(room.available),
        );
        let path = shell_word(system.path.as_bytes());
        seen.finding(at_the_end(room.used_percent()), system.role, system.path.as_str(), summary)
            .fact("available_bytes", room.available)
            .so("Fetches, merges and backups stop half-way when it is full.")
            .mend(Remedy::reversible(
                "Find out what grew. Never run git gc or repack to make room: they first need as much again.",
                [format!("df -h {path}"), format!("du -xhd2 {path} | sort -h | tail")],
            ))
    })
}

fn inodes(seen: &Seen<'_>) -> Outcome {
    let inodes = |system: &FileSystem| system.inodes.clone();
    file_systems(seen, inodes, |system, room| {
        let summary = format!(
            "{:.0} % of the inodes of the {}'s file system are used: {} left",
            room.used_percent(),
            system.role,
            thousands(room.available as usize),
        );
        let path = shell_word(system.path.as_bytes());
        seen.finding(at_the_end(room.used_percent()), system.role, system.path.as_str(), summary)
            .fact("available_inodes", room.available)
            .so("Git cannot write objects or refs though there is space.")
            .mend(Remedy::reversible(
                "Pack loose objects and refs: each is a file. What is packed can be read as before.",
                [
                    format!("df -i {path}"),
                    "git count-objects -v".to_owned(),
                    "git repack -d -l && git pack-refs --all".to_owned(),
                ],
            ))
    })
}

/// One number of each file system against the threshold; what a file system does not count is no problem.
fn file_systems(
    seen: &Seen<'_>,
    room: impl Fn(&FileSystem) -> Known<Room>,
    told: impl Fn(&FileSystem, Room) -> Finding,
) -> Outcome {
    let systems = match &seen.snapshot.host {
        Known::Seen(sample) if sample.file_systems.is_empty() => {
            return Outcome::unknown("no file system was looked at");
        }
        Known::Seen(sample) => &sample.file_systems,
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let (limit, threshold) = seen.threshold();
    let mut outcome = Outcome::default();
    for system in systems {
        match room(system) {
            Known::Unknown(reason) => outcome.unknown = Some(format!("{}: {reason}", system.path)),
            Known::Seen(room) if room.used_percent() <= limit as f64 => {}
            Known::Seen(room) => {
                let finding = told(system, room).against(threshold.clone());
                outcome.findings.push(
                    finding
                        .fact("path", system.path.as_str())
                        .fact("used_percent", room.used_percent().round())
                        .fact("file_system", system.kind.seen().map(String::as_str))
                        .fact("source", "statvfs(3)"),
                );
            }
        }
    }
    outcome
}

fn at_the_end(used_percent: f64) -> Severity {
    if AT_THE_END_PERCENT <= used_percent { Severity::Error } else { Severity::Warning }
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{
        Snapshot,
        host::{Load, Memory, OpenFiles},
    };

    fn sample() -> HostSample {
        HostSample {
            n_samples: 5,
            span_seconds: 0.3,
            n_cpus: Known::Seen(2.0),
            cpu_percent: Known::Seen(80.0),
            memory: Known::Seen(Memory { total_bytes: 100, available_bytes: 15 }),
            load: Known::Seen(Load { one: 9.0, five: 4.0, fifteen: 1.0, n_cpus: 2 }),
            open_files: Known::Seen(OpenFiles { n_open: 10, limit: 1024 }),
            file_systems: vec![FileSystem {
                role: "repository",
                path: "/repo".into(),
                kind: Known::Seen("ext4".into()),
                is_network: Known::Seen(false),
                space: Known::Seen(Room { total: 100, available: 10 }),
                inodes: Known::Seen(Room { total: 100, available: 5 }),
            }],
        }
    }

    fn with(change: impl FnOnce(&mut HostSample)) -> Snapshot {
        let mut sample = sample();
        change(&mut sample);
        let mut snapshot = snapshot([]);
        snapshot.host = Known::Seen(sample);
        snapshot
    }

    const ALL: [&Check; 5] = [&CPU, &MEMORY, &LOAD, &DISK, &INODES];

    #[test]
    fn a_machine_at_its_limits_is_fine() {
        for check in ALL {
            assert_eq!(judged(check, &with(|_| {})), Outcome::default(), "{}", check.id);
        }
    }

    #[test]
    fn past_its_limits_each_is_told() {
        let snapshot = with(|sample| {
            sample.cpu_percent = Known::Seen(81.0);
            sample.memory = Known::Seen(Memory { total_bytes: 100, available_bytes: 14 });
            sample.load = Known::Seen(Load { one: 0.0, five: 5.0, fifteen: 0.0, n_cpus: 2 });
            sample.file_systems[0].space = Known::Seen(Room { total: 1 << 30, available: 10 << 20 });
            sample.file_systems[0].inodes = Known::Seen(Room { total: 100, available: 4 });
        });
        let findings: Vec<_> = ALL.iter().map(|check| only(judged(check, &snapshot))).collect();
        assert_eq!(
            told(&findings),
            "[warning] host-cpu: Processors were 81 % busy\n\
             [warning] host-memory: Memory was 86 % full\n\
             [warning] host-load: The load was 2.5 for each processor over five minutes\n\
             [error] host-disk:repository: The file system of the repository is 99 % full: 10.0 MiB left\n\
             [warning] host-inodes:repository: 96 % of the inodes of the repository's file system are used: 4 left"
        );
        assert_eq!(findings[0].evidence["n_samples"], 5);
    }

    #[test]
    fn a_quick_look_skips_the_processors_and_says_so() {
        let quick = with(|sample| {
            sample.span_seconds = 0.02;
            sample.cpu_percent = Known::Unknown("20 ms is too short for an average".into());
        });
        assert_eq!(judged(&CPU, &quick).skipped.unwrap(), "20 ms is too short for an average");
    }

    #[test]
    fn what_could_not_be_felt_is_unknown() {
        let unread = with(|sample| {
            sample.cpu_percent = Known::Unknown("no /proc".into());
            sample.memory = Known::Unknown("/proc/meminfo: permission denied".into());
            sample.load = Known::Unknown("no /proc".into());
            sample.file_systems[0].space = Known::Unknown("no such file".into());
            sample.file_systems[0].inodes = Known::Unknown("not counted".into());
        });
        for check in ALL {
            assert!(judged(check, &unread).unknown.is_some(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
        let nowhere = with(|sample| sample.file_systems.clear());
        assert!(judged(&DISK, &nowhere).unknown.is_some());
    }
}
