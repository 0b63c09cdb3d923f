//! `disk`: room for the data directory and for temporary files.

use std::{env, path::Path};

use alignwatch_host::file_system;
use alignwatch_model::{Known, Remedy, Severity, Threshold, checks, host::FileSystem};

use super::{Around, Examination, Told, size, with};
use crate::judging::path_word;

/// The file systems that we write to. That of a repository is a check of the repository.
pub(super) static EXAMINATION: Examination = Examination {
    id: "disk",
    title: "Disk",
    why: "What cannot be written is not remembered, and a repair cannot be journaled",
    examine,
};

/// The check of repositories whose threshold holds here, too.
const CHECK: &str = "host-disk";

fn examine(around: &Around) -> Told {
    let temporary = env::temp_dir();
    let data = around.data_dir.as_deref().map(|dir| file_system("data directory", dir));
    let systems = data.into_iter().chain([file_system("temporary files", &temporary)]);
    let threshold = threshold(around);
    let mut told = Told::default();
    let mut says = Vec::new();
    for system in systems {
        match &system.space {
            Known::Unknown(reason) => told.unknown = Some(format!("{}: {reason}", system.role)),
            Known::Seen(room) => {
                let network = if system.is_network == Known::Seen(true) { " on a network file system" } else { "" };
                says.push(format!("{} free for {}{network}", size(room.available), system.role));
                if threshold.value.as_f64().is_some_and(|limit| limit < room.used_percent()) {
                    told = told.but(nearly_full(&system, room.used_percent(), room.available, &threshold));
                }
            }
        }
    }
    told.says = says.join(", ");
    told
}

fn nearly_full(
    system: &FileSystem,
    used_percent: f64,
    available: u64,
    threshold: &Threshold,
) -> alignwatch_model::Finding {
    let summary =
        format!("the file system of the {} is {used_percent:.0} % full: {} left", system.role, size(available));
    let df = format!("df -h {}", path_word(Path::new(&system.path)));
    let remedy = Remedy::reversible("Make room, or name another data directory.", [df]);
    let mut finding = EXAMINATION.finding(system.role, Severity::Error, summary, remedy);
    finding.threshold = Some(threshold.clone());
    with(with(finding, "available_bytes", available), "used_percent", used_percent.round())
}

fn threshold(around: &Around) -> Threshold {
    let spec = checks::by_id(CHECK).and_then(|check| check.threshold.as_ref());
    let (default, source) = spec.map_or((90, ""), |spec| (spec.default, spec.source));
    match around.config.thresholds.get(CHECK) {
        Some(&value) => Threshold { value: value.into(), source: format!("configured: thresholds.{CHECK}") },
        None => Threshold { value: default.into(), source: source.to_owned() },
    }
}
