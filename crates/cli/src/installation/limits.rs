//! `limits`: open files, processes and memory that this process may use.

use alignwatch_model::{Finding, Known, Remedy, Severity, Threshold};

use super::{Around, Examination, Told, size, with};

/// Limits of this process and its control group.
pub(super) static EXAMINATION: Examination = Examination {
    id: "limits",
    title: "Limits",
    why: "A git that reaches a limit is killed or fails half-way, and what it was asked is unknown",
    examine,
};

/// Files that a repository with many packs keeps open. Source: ours; two for each of 250 packs, twice.
const OPEN_FILES_AT_LEAST: u64 = 1_000;

/// Processes and threads that one inspection may start beside those of the user. Source: ours.
const PROCESSES_AT_LEAST: u64 = 100;

/// Memory that the history of a large repository takes. Source: ours; measured on one of 180,000 commits, times two.
const MEMORY_AT_LEAST_BYTES: u64 = 256 << 20;

fn examine(_: &Around) -> Told {
    let limits = alignwatch_host::limits();
    let rows = [
        ("open files", "open-files", &limits.open_files, OPEN_FILES_AT_LEAST, Some("ulimit -n 4096")),
        ("processes", "processes", &limits.processes, PROCESSES_AT_LEAST, Some("ulimit -u 4096")),
        ("memory", "memory", &limits.memory_bytes, MEMORY_AT_LEAST_BYTES, None),
    ];
    let mut told = Told::default();
    let mut says = Vec::new();
    for (what, id, limit, at_least, raise) in rows {
        let in_words = |number| if id == "memory" { size(number) } else { number.to_string() };
        match limit {
            Known::Unknown(reason) => told.unknown = Some(format!("{what}: {reason}")),
            Known::Seen(None) => says.push(format!("{what} without limit")),
            Known::Seen(Some(limit)) => {
                says.push(format!("{} {what}", in_words(*limit)));
                if *limit < at_least {
                    told = told.but(low(what, id, *limit, at_least, in_words, raise));
                }
            }
        }
    }
    told.says = says.join(", ");
    told
}

fn low(
    what: &str,
    id: &str,
    limit: u64,
    at_least: u64,
    in_words: impl Fn(u64) -> String,
    raise: Option<&str>,
) -> Finding {
    let summary = format!("only {} of {what} may be used; {} are advised", in_words(limit), in_words(at_least));
    let remedy = match raise {
        Some(raise) => Remedy::reversible("Raise the limit for the shell or service that starts it.", [raise.into()]),
        None => Remedy::reversible("Raise the memory of the control group (container) that it runs in.", []),
    };
    let mut finding = EXAMINATION.finding(id, Severity::Warning, summary, remedy);
    finding.threshold = Some(Threshold { value: at_least.into(), source: "alignwatch".to_owned() });
    with(finding, "limit", limit)
}
