//! The machine that aligns.

use super::{Breadth, Kind, Measured, Metric, Sample, known, seen};
use crate::{
    host::{FileSystem, HostSample, Room},
    trend::Limit,
};

/// Processors.
pub(super) static CPU_RATIO: Metric = Metric {
    name: "alignwatch_host_cpu_used_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &[],
    help: "Busy share of the processors that may be used",
    formula: "averaged over the inspection, never a single reading; of the control group where it has a limit",
    why: "Alignments slow down and run into their time limits",
    worry: "above 0.8 (the monitoring requirement that alignwatch grew from)",
    breadth: Breadth::Machine,
    read: |measured| known(host(measured).and_then(|host| Some(seen(&host.cpu_percent)? / 100.0))),
    ..Metric::PLAIN
};

/// Memory.
pub(super) static MEMORY_RATIO: Metric = Metric {
    name: "alignwatch_host_memory_used_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &[],
    help: "Memory that cannot be had without swapping, of all",
    formula: "1 - available / total, of the machine or of the control group, whichever is tighter",
    why: "Git is killed in the middle of a merge and leaves locks behind",
    worry: "above 0.85 (the monitoring requirement that alignwatch grew from)",
    breadth: Breadth::Machine,
    read: |measured| known(host(measured).and_then(|host| Some(seen(&host.memory)?.used_percent() / 100.0))),
    ..Metric::PLAIN
};

/// Load.
pub(super) static LOAD: Metric = Metric {
    name: "alignwatch_host_load_per_cpu",
    kind: Kind::Gauge,
    unit: "",
    labels: &[],
    help: "Five-minute load average for each processor",
    formula: "second figure of /proc/loadavg / number of processors",
    why: "Work waits",
    worry: "above 2 (alignwatch: as many again wait as run)",
    breadth: Breadth::Machine,
    read: |measured| known(host(measured).and_then(|host| Some(seen(&host.load)?.five_per_cpu()))),
    ..Metric::PLAIN
};

/// Space.
pub(super) static DISK_RATIO: Metric = Metric {
    name: "alignwatch_host_disk_used_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &["role"],
    help: "Used space of the file systems that hold the repository and our data",
    formula: "1 - available / total (statvfs), as df shows it to ordinary users",
    why: "A fetch or merge that runs out of space stops half-way",
    worry: "above 0.9 (the monitoring requirement that alignwatch grew from)",
    limit: Some(Limit::AtMost(0.9)),
    breadth: Breadth::Machine,
    read: |measured| rooms(measured, |system| seen(&system.space)),
    ..Metric::PLAIN
};

/// Inodes.
pub(super) static INODES_RATIO: Metric = Metric {
    name: "alignwatch_host_inodes_used_ratio",
    kind: Kind::Gauge,
    unit: "ratio",
    labels: &["role"],
    help: "Used inodes of the same file systems",
    formula: "1 - available / total (statvfs); no sample where the file system has no fixed number",
    why: "No file can be created though there is space",
    worry: "above 0.95 (alignwatch)",
    limit: Some(Limit::AtMost(0.9)),
    breadth: Breadth::Machine,
    read: |measured| rooms(measured, |system| seen(&system.inodes)),
    ..Metric::PLAIN
};

fn host<'a>(measured: &'a Measured<'_>) -> Option<&'a HostSample> {
    seen(&measured.snapshot.host)
}

fn rooms(measured: &Measured<'_>, room: impl Fn(&FileSystem) -> Option<&Room>) -> Vec<Sample> {
    let systems = host(measured).map_or(&[][..], |host| &host.file_systems);
    let sample = |system: &FileSystem| Some(Sample::of([system.role], room(system)?.used_percent() / 100.0));
    systems.iter().filter_map(sample).collect()
}
