//! Reads the kernel's accounts in `/proc`. See proc(5).

use std::{
    fs,
    path::{Path, PathBuf},
};

use alignwatch_model::host::{Load, Memory, OpenFiles};

/// Microseconds of a tick in which the kernel counts CPU time for programs.
///
/// Source: `USER_HZ` is 100 on every architecture that matters, whatever the kernel's own clock.
pub(crate) const TICK_USEC: u64 = 10_000;

/// `/proc`, wherever it is mounted.
#[derive(Clone, Debug)]
pub(crate) struct Proc {
    folder: PathBuf,
}

/// CPU time of the whole machine since it started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuTicks {
    pub(crate) busy: u64,
    /// Idle, or waiting for a disk.
    pub(crate) idle: u64,
}

impl CpuTicks {
    /// Share of the time since `before` that was used, without `own` ticks; `None` when no time went by.
    pub(crate) fn busy_share_since(&self, before: &CpuTicks, own: u64) -> Option<f64> {
        let busy = self.busy.saturating_sub(before.busy);
        let total = busy + self.idle.saturating_sub(before.idle);
        (total > 0).then(|| busy.saturating_sub(own) as f64 / total as f64)
    }
}

impl Proc {
    pub(crate) fn below(root: &Path) -> Proc {
        Proc { folder: root.join("proc") }
    }

    fn text(&self, name: &str) -> Result<String, String> {
        let path = self.folder.join(name);
        fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    }

    pub(crate) fn cpu_ticks(&self) -> Result<CpuTicks, String> {
        parse_cpu_ticks(&self.text("stat")?).ok_or_else(|| "cannot understand /proc/stat".into())
    }

    /// Ticks of this process, all of its threads, and the children it has waited for.
    pub(crate) fn own_ticks(&self) -> Result<u64, String> {
        parse_own_ticks(&self.text("self/stat")?).ok_or_else(|| "cannot understand /proc/self/stat".into())
    }

    pub(crate) fn memory(&self) -> Result<Memory, String> {
        parse_memory(&self.text("meminfo")?).ok_or_else(|| "cannot understand /proc/meminfo".into())
    }

    pub(crate) fn load(&self) -> Result<Load, String> {
        let (averages, stat) = (self.text("loadavg")?, self.text("stat")?);
        parse_load(&averages, &stat).ok_or_else(|| "cannot understand /proc/loadavg".into())
    }

    /// Processors that this process may run on.
    pub(crate) fn cpus_allowed(&self) -> Result<u32, String> {
        let status = self.text("self/status")?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        list.and_then(count_list).ok_or_else(|| "no list of allowed processors in /proc/self/status".into())
    }

    pub(crate) fn open_files(&self) -> Result<OpenFiles, String> {
        let limits = self.text("self/limits")?;
        let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
        let limit = match soft {
            Some("unlimited") => u64::MAX,
            Some(number) => number.parse().map_err(|_| "cannot understand /proc/self/limits".to_owned())?,
            None => return Err("no limit of open files in /proc/self/limits".into()),
        };
        let folder = self.folder.join("self/fd");
        let open = fs::read_dir(&folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
        Ok(OpenFiles { n_open: open.count() as u64, limit })
    }
}

/// `cpu user nice system idle iowait irq softirq steal guest guest_nice`; the guests are part of user and nice.
fn parse_cpu_ticks(stat: &str) -> Option<CpuTicks> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = fields.split_whitespace().take(8).map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let at = |field: usize| ticks.get(field).copied().unwrap_or(0);
    // The first four fields are as old as the file.
    (ticks.len() >= 4).then(|| CpuTicks {
        busy: [0, 1, 2, 5, 6, 7].into_iter().map(at).fold(0, u64::saturating_add),
        idle: at(3).saturating_add(at(4)),
    })
}

/// Fields 14 to 17: utime, stime, cutime, cstime. The name in field 2 may hold spaces and brackets.
fn parse_own_ticks(stat: &str) -> Option<u64> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let ticks: Vec<u64> =
        after_name.split_whitespace().skip(11).take(4).map_while(|field| field.parse().ok()).collect();
    (ticks.len() == 4).then(|| ticks.iter().sum())
}

fn parse_memory(meminfo: &str) -> Option<Memory> {
    let kib = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    };
    let total_bytes = kib("MemTotal").filter(|&total| total > 0)?;
    Some(Memory { total_bytes, available_bytes: kib("MemAvailable")?.min(total_bytes) })
}

fn parse_load(averages: &str, stat: &str) -> Option<Load> {
    let mut averages =
        averages.split_whitespace().map(|field| field.parse().ok().filter(|load: &f64| load.is_finite()));
    let is_cpu =
        |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|sign: char| sign.is_ascii_digit()));
    let n_cpus = stat.lines().filter(is_cpu).count() as u32;
    let (one, five, fifteen) = (averages.next()??, averages.next()??, averages.next()??);
    (n_cpus > 0).then_some(Load { one, five, fifteen, n_cpus })
}

/// Members of a list such as `0-3,8`.
fn count_list(list: &str) -> Option<u32> {
    list.trim().split(',').try_fold(0u32, |sum, part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.parse().ok()?, to.parse().ok()?);
        sum.checked_add(to.checked_sub(from)?.checked_add(1)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  10 1 5 100 20 2 3 4 9 9\ncpu0 5 0 2 50 10 1 1 2 0 0\ncpu1 5 1 3 50 10 1 2 2 0 0\nintr 1\n";

    #[test]
    fn busy_is_all_but_idle_and_waiting_and_guests_count_once() {
        assert_eq!(parse_cpu_ticks(STAT), Some(CpuTicks { busy: 25, idle: 120 }));
        assert_eq!(parse_cpu_ticks("cpu  1 2 3 4\n"), Some(CpuTicks { busy: 6, idle: 4 }), "an old kernel");
        assert_eq!(parse_cpu_ticks("cpu  1 2\n"), None);
        assert_eq!(parse_cpu_ticks("cpu  a b c d\n"), None);
        assert_eq!(parse_cpu_ticks(""), None);
    }

    #[test]
    fn the_name_of_a_process_cannot_hide_its_ticks() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 11 12 13 14 20 0 1 0 5 6 7";
        assert_eq!(parse_own_ticks(stat), Some(50));
        assert_eq!(parse_own_ticks("7 (a) S 1 7"), None);
        assert_eq!(parse_own_ticks("no bracket"), None);
    }

    #[test]
    fn memory_is_what_can_be_had_without_swapping() {
        let meminfo = "MemTotal:        1000 kB\nMemFree:          10 kB\nMemAvailable:    400 kB\n";
        let memory = Memory { total_bytes: 1_024_000, available_bytes: 409_600 };
        assert_eq!(parse_memory(meminfo), Some(memory));
        assert_eq!(
            parse_memory("MemTotal: 1000 kB\n"),
            None,
            "an old kernel does not say; free memory is something else"
        );
        assert_eq!(parse_memory("MemTotal: 0 kB\nMemAvailable: 0 kB\n"), None);
    }

    #[test]
    fn load_is_of_the_whole_machine() {
        assert_eq!(
            parse_load("0.50 1.25 2.00 3/456 789\n", STAT),
            Some(Load { one: 0.5, five: 1.25, fifteen: 2.0, n_cpus: 2 })
        );
        assert_eq!(parse_load("nan 1 2", STAT), None);
        assert_eq!(parse_load("1 2 3", "cpu 1 2 3 4"), None);
    }

    #[test]
    fn lists_of_processors_are_counted() {
        assert_eq!(count_list("\t0-3,8\n"), Some(5));
        assert_eq!(count_list("7"), Some(1));
        for bad in ["", "3-1", "x", "0-4294967295", "1,,2"] {
            assert_eq!(count_list(bad), None, "{bad}");
        }
    }
}
