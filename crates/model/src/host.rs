//! What was felt of the machine: averages over a short span, never a single reading.

use serde_json::{Value, json};

use crate::{Evidence, Known};

/// Shortest span that gives a CPU figure.
///
/// Source: ours; fifteen of the kernel's clock ticks, so that the first and the last are a tenth of the answer.
pub const CPU_SPAN_AT_LEAST_SECONDS: f64 = 0.15;

/// CPU, memory, load and file systems of this machine, as far as they could be read.
///
/// Limits of the control group (container) count as the size of the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct HostSample {
    /// Readings behind the averages.
    pub n_samples: u32,
    /// Time between the first and the last reading.
    pub span_seconds: f64,
    /// Processors that may be used; a quota of one and a half is 1.5.
    pub n_cpus: Known<f64>,
    /// Busy share of these processors over the span, 0 to 100, without what alignwatch itself used.
    pub cpu_percent: Known<f64>,
    /// Memory that may be used and what is left of it.
    pub memory: Known<Memory>,
    /// Processes that run or wait, averaged by the kernel.
    pub load: Known<Load>,
    /// Files that this process may hold open.
    pub open_files: Known<OpenFiles>,
    /// The file systems that matter here, each once for each role.
    pub file_systems: Vec<FileSystem>,
}

/// Memory, averaged over the span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All that may be used: of the machine, or of its control group when that is less.
    pub total_bytes: u64,
    /// What can be had without swapping.
    pub available_bytes: u64,
}

/// Load averages of the whole machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Over one minute.
    pub one: f64,
    /// Over five minutes.
    pub five: f64,
    /// Over a quarter of an hour.
    pub fifteen: f64,
    /// Processors of the machine, whatever a control group grants.
    pub n_cpus: u32,
}

/// Open files of this process and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// Open now.
    pub n_open: u64,
    /// The soft limit.
    pub limit: u64,
}

/// A file system that matters here.
#[derive(Clone, Debug, PartialEq)]
pub struct FileSystem {
    /// What for: `repository` or `data`.
    pub role: &'static str,
    /// The path that was asked, as text.
    pub path: String,
    /// Its type, such as `ext4`, `overlay` or `nfs4`.
    pub kind: Known<String>,
    /// It lives on another machine, so that locks and processes there are not seen from here.
    pub is_network: Known<bool>,
    /// Space for ordinary users; total as `df` counts it: used and available.
    pub space: Known<Room>,
    /// Files that can be created; a total of 0 where the file system sets no number.
    pub inodes: Known<Room>,
}

/// Something that fills up: bytes, or inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All there is.
    pub total: u64,
    /// What is left for ordinary users.
    pub available: u64,
}

impl Room {
    /// Used share, 0 to 100.
    pub fn used_percent(&self) -> f64 {
        used_percent(self.total, self.available)
    }
}

impl Memory {
    /// Used share, 0 to 100.
    pub fn used_percent(&self) -> f64 {
        used_percent(self.total_bytes, self.available_bytes)
    }
}

impl Load {
    /// The five-minute average for each processor: above 1, work waits.
    pub fn five_per_cpu(&self) -> f64 {
        self.five / f64::from(self.n_cpus.max(1))
    }
}

impl HostSample {
    /// The sample as JSON facts, units in the names; what is unknown is `null`.
    pub fn facts(&self) -> Evidence {
        let memory = self.memory.seen();
        let load = self.load.seen();
        let files = self.open_files.seen();
        let facts = json!({
            "n_samples": self.n_samples,
            "span_seconds": rounded(self.span_seconds),
            "n_cpus": self.n_cpus.seen(),
            "cpu_percent": self.cpu_percent.seen().map(|&percent| rounded(percent)),
            "memory_percent": memory.map(|memory| rounded(memory.used_percent())),
            "memory_total_bytes": memory.map(|memory| memory.total_bytes),
            "memory_available_bytes": memory.map(|memory| memory.available_bytes),
            "load_1_min": load.map(|load| load.one),
            "load_5_min": load.map(|load| load.five),
            "load_15_min": load.map(|load| load.fifteen),
            "load_5_min_per_cpu": load.map(|load| rounded(load.five_per_cpu())),
            "open_files": files.map(|files| files.n_open),
            "open_files_limit": files.map(|files| files.limit),
            "file_systems": self.file_systems.iter().map(FileSystem::facts).collect::<Vec<_>>(),
        });
        match facts {
            Value::Object(facts) => facts,
            _ => Evidence::new(),
        }
    }
}

impl FileSystem {
    fn facts(&self) -> Value {
        let (space, inodes) = (self.space.seen(), self.inodes.seen());
        json!({
            "role": self.role,
            "path": self.path,
            "type": self.kind.seen(),
            "is_network": self.is_network.seen(),
            "space_percent": space.map(|space| rounded(space.used_percent())),
            "space_total_bytes": space.map(|space| space.total),
            "space_available_bytes": space.map(|space| space.available),
            "inodes_percent": inodes.map(|inodes| rounded(inodes.used_percent())),
            "inodes_total": inodes.map(|inodes| inodes.total),
            "inodes_available": inodes.map(|inodes| inodes.available),
        })
    }
}

fn used_percent(total: u64, available: u64) -> f64 {
    if total == 0 {
        return 0.0;
    }
    100.0 * total.saturating_sub(available) as f64 / total as f64
}

/// One digit behind the point: more would claim a precision that averages do not have.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_null_and_never_zero() {
        let unread = || "not read".to_owned();
        let sample = HostSample {
            n_samples: 0,
            span_seconds: 0.0,
            n_cpus: Known::Unknown(unread()),
            cpu_percent: Known::Unknown(unread()),
            memory: Known::Unknown(unread()),
            load: Known::Unknown(unread()),
            open_files: Known::Unknown(unread()),
            file_systems: Vec::new(),
        };
        let facts = sample.facts();
        for name in ["n_cpus", "cpu_percent", "memory_percent", "load_5_min", "open_files_limit"] {
            assert_eq!(facts[name], Value::Null, "{name}");
        }
    }

    #[test]
    fn used_shares_are_of_what_may_be_used() {
        assert_eq!(Room { total: 200, available: 50 }.used_percent(), 75.0);
        assert_eq!(Memory { total_bytes: 1000, available_bytes: 1000 }.used_percent(), 0.0);
        assert_eq!(Load { one: 0.0, five: 3.0, fifteen: 0.0, n_cpus: 2 }.five_per_cpu(), 1.5);
    }
}
