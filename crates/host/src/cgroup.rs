//! Limits of the control group that this process is in, versions 1 and 2. See cgroups(7).
//!
//! A limit holds for everything below it, so each is looked for from the
//! group up to the root, and the tightest counts. Where no limit can be read,
//! there is none that we know of, and the machine's own numbers stand.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alignwatch_model::host::Memory;

/// The folders of this process's groups, innermost first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cgroup {
    v2: Vec<PathBuf>,
    v1_cpu: Vec<PathBuf>,
    v1_cpuacct: Vec<PathBuf>,
    v1_memory: Vec<PathBuf>,
    v1_pids: Vec<PathBuf>,
}

/// From here on a number of version 1 means that there is no limit.
const NO_LIMIT_BYTES: u64 = 1 << 60;

impl Cgroup {
    pub(crate) fn of_self(root: &Path) -> Cgroup {
        let mount = root.join("sys/fs/cgroup");
        let mut group = Cgroup::default();
        for line in fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default().lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
            if controllers.is_empty() {
                // A machine that still uses version 1 mounts version 2 beside it.
                let unified = mount.join("unified");
                group.v2 = folders(if unified.is_dir() { &unified } else { &mount }, path);
            }
            for controller in controllers.split(',') {
                let folders = || folders(&mount.join(controller), path);
                match controller {
                    "cpu" => group.v1_cpu = folders(),
                    "cpuacct" => group.v1_cpuacct = folders(),
                    "memory" => group.v1_memory = folders(),
                    "pids" => group.v1_pids = folders(),
                    _ => {}
                }
            }
        }
        group
    }

    /// Processors' worth of CPU time that may be used, where there is a quota.
    pub(crate) fn quota_cpus(&self) -> Option<f64> {
        let v2 = self.v2.iter().filter_map(|folder| quota_v2(&text(folder, "cpu.max")?));
        let v1 = self
            .v1_cpu
            .iter()
            .filter_map(|folder| quota(number(folder, "cpu.cfs_quota_us")?, number(folder, "cpu.cfs_period_us")?));
        v2.chain(v1).min_by(f64::total_cmp)
    }

    /// CPU time that the group has used, in microseconds.
    pub(crate) fn cpu_usec(&self) -> Option<u64> {
        let v2 = self.v2.first().and_then(|folder| field(&text(folder, "cpu.stat")?, "usage_usec"));
        v2.or_else(|| Some(number(self.v1_cpuacct.first()?, "cpuacct.usage")? / 1000))
    }

    /// Bytes of memory that the group may use, where there is a limit.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        let v2 = self.v2.iter().filter_map(|folder| number(folder, "memory.max"));
        let v1 = self.v1_memory.iter().filter_map(|folder| number(folder, "memory.limit_in_bytes"));
        v2.chain(v1).filter(|&limit| limit < NO_LIMIT_BYTES).min()
    }

    /// Processes and threads that the group may have, where there is a limit.
    pub(crate) fn most_processes(&self) -> Option<u64> {
        self.v2.iter().chain(&self.v1_pids).filter_map(|folder| number(folder, "pids.max")).min()
    }

    /// The machine's memory, cut down to what the group may use and has left.
    pub(crate) fn limit(&self, machine: Memory) -> Memory {
        let v2 = self.v2.iter().filter_map(|folder| {
            let used = number(folder, "memory.current")?;
            let idle = field(&text(folder, "memory.stat")?, "inactive_file").unwrap_or(0);
            Some((number(folder, "memory.max")?, used.saturating_sub(idle)))
        });
        let v1 = self.v1_memory.iter().filter_map(|folder| {
            let used = number(folder, "memory.usage_in_bytes")?;
            let idle = field(&text(folder, "memory.stat")?, "total_inactive_file").unwrap_or(0);
            Some((number(folder, "memory.limit_in_bytes")?, used.saturating_sub(idle)))
        });
        v2.chain(v1).filter(|&(limit, _)| limit > 0).fold(machine, |memory, (limit, used)| Memory {
            total_bytes: memory.total_bytes.min(limit),
            available_bytes: memory.available_bytes.min(limit.saturating_sub(used)),
        })
    }
}

/// The group's folder and all above it, up to the mount. A container may see only the mount.
fn folders(mount: &Path, path: &str) -> Vec<PathBuf> {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != "..");
    let mut folders = vec![mount.to_owned()];
    for part in parts {
        let below = folders[folders.len() - 1].join(part);
        folders.push(below);
    }
    folders.reverse();
    folders
}

fn text(folder: &Path, name: &str) -> Option<String> {
    fs::read_to_string(folder.join(name)).ok()
}

/// `None` also for `max` and for -1: no limit.
fn number(folder: &Path, name: &str) -> Option<u64> {
    text(folder, name)?.trim().parse().ok()
}

/// The number behind this name in a list of names and numbers.
fn field(list: &str, name: &str) -> Option<u64> {
    list.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// `max 100000` is no quota, `150000 100000` is one and a half processors.
fn quota_v2(max: &str) -> Option<f64> {
    let (most, period) = max.trim().split_once(' ')?;
    quota(most.parse().ok()?, period.parse().ok()?)
}

fn quota(most_usec: u64, period_usec: u64) -> Option<f64> {
    (most_usec > 0 && period_usec > 0).then(|| most_usec as f64 / period_usec as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::root_with;

    const MACHINE: Memory = Memory { total_bytes: 1000, available_bytes: 900 };

    #[test]
    fn the_tightest_limit_on_the_way_up_counts() {
        let root = root_with(&[
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/a/b/cpu.stat", "usage_usec 77\nuser_usec 1\n"),
            ("sys/fs/cgroup/a/memory.max", "500\n"),
            ("sys/fs/cgroup/a/memory.current", "300\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 100\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
        ]);
        let group = Cgroup::of_self(root.path());
        assert_eq!(group.quota_cpus(), Some(1.5));
        assert_eq!(group.cpu_usec(), Some(77));
        assert_eq!(group.limit(MACHINE), Memory { total_bytes: 500, available_bytes: 300 });
    }

    #[test]
    fn version_one_is_understood() {
        let root = root_with(&[
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/x\n0::/y\n"),
            ("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "50000\n"),
            ("sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/cpuacct/x/cpuacct.usage", "9000\n"),
            ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "400\n"),
            ("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "100\n"),
            ("sys/fs/cgroup/memory/x/memory.stat", "total_inactive_file 20\n"),
        ]);
        let group = Cgroup::of_self(root.path());
        assert_eq!((group.quota_cpus(), group.cpu_usec()), (Some(0.5), Some(9)));
        assert_eq!(group.limit(MACHINE), Memory { total_bytes: 400, available_bytes: 320 });
    }

    #[test]
    fn without_limits_the_machine_stands() {
        for files in [vec![], vec![("proc/self/cgroup", "0::/../../../etc\nbad line\n")]] {
            let group = Cgroup::of_self(root_with(&files).path());
            assert_eq!((group.quota_cpus(), group.cpu_usec()), (None, None));
            assert_eq!(group.limit(MACHINE), MACHINE);
        }
        assert_eq!(quota_v2("0 100000"), None);
        assert_eq!(quota_v2("-1 100000"), None);
    }
}
