//! Feels: CPU, memory, load and file systems of this machine.
//!
//! Numbers come from averages over the span between [`Sampler::start`] and
//! [`Sampler::finish`], never from a single reading, and nobody waits for them:
//! the sampler runs beside the work. What the work itself uses is taken out of
//! the CPU figure. Limits of the control group (container), versions 1 and 2,
//! count as the size of the machine.
//!
//! Everything is read from `/proc` and `/sys/fs/cgroup`; where they cannot be
//! read, on other systems for instance, the numbers are unknown. No process is
//! started and nothing is written.

mod cgroup;
mod file_system;
mod give_back;
mod limits;
mod power;
mod proc;
mod processes;

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use alignwatch_model::{
    HostSample, Known,
    host::{CPU_SPAN_AT_LEAST_SECONDS, Memory},
};

pub use file_system::file_system;
pub use give_back::give_back;
pub use limits::{Limits, limits};
pub use power::on_battery;
pub use processes::{is_alive_since, machine};

use cgroup::Cgroup;
use proc::{CpuTicks, Proc};

/// Time between two readings.
///
/// Source: ours; five clock ticks of the kernel, and less than a thousandth of a processor.
const PACE: Duration = Duration::from_millis(50);

/// Readings that are kept; the span goes on, so that a daemon's sampler stays small.
const READINGS_AT_MOST: usize = 10_000;

/// Takes readings on a thread of its own until it is asked for the averages.
#[derive(Debug)]
pub struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Reading>>,
    root: PathBuf,
}

/// One look at the machine.
#[derive(Clone, Debug)]
struct Reading {
    at: Instant,
    /// Of the machine, and of this process with the children it has waited for.
    ticks: Result<(CpuTicks, u64), String>,
    /// CPU time that the control group used, where it has a quota.
    group_usec: Option<u64>,
    memory: Result<Memory, String>,
}

/// The five-minute load for each processor of this machine, in percent.
pub fn load_percent() -> Known<u32> {
    let proc = Proc::below(Path::new("/"));
    Known::from_result(proc.load().map(|load| (load.five_per_cpu() * 100.0).clamp(0.0, 1e6) as u32))
}

impl Sampler {
    /// Starts to take readings of this machine.
    pub fn start() -> Sampler {
        Sampler::start_below(Path::new("/"))
    }

    /// The same with `/proc` and `/sys` below this folder.
    fn start_below(root: &Path) -> Sampler {
        let (stop, stopped) = mpsc::channel();
        let root = root.to_owned();
        let proc_root = root.clone();
        let thread = thread::spawn(move || take_readings(&proc_root, &stopped));
        Sampler { stop, thread, root }
    }

    /// Takes a last reading and gives the averages, with the file systems of these places: role and path.
    ///
    /// Does not wait. When too little time went by for a CPU figure, that one is
    /// unknown and says so.
    pub fn finish(self, places: &[(&'static str, &Path)]) -> HostSample {
        // The thread may have ended by a panic of its own: then there are no readings, and that is told.
        let _ = self.stop.send(());
        let readings = self.thread.join().unwrap_or_default();
        let proc = Proc::below(&self.root);
        let n_cpus = cpus_allowed(&proc, &self.root);
        HostSample {
            n_samples: readings.len() as u32,
            span_seconds: span(&readings),
            cpu_percent: Known::from_result(cpu_percent(&readings, n_cpus.seen().copied())),
            n_cpus,
            memory: Known::from_result(mean_memory(&readings)),
            load: Known::from_result(proc.load()),
            open_files: Known::from_result(proc.open_files()),
            file_systems: places.iter().map(|(role, path)| file_system(role, path)).collect(),
        }
    }
}

fn take_readings(root: &Path, stopped: &Receiver<()>) -> Vec<Reading> {
    let proc = Proc::below(root);
    let group = Cgroup::of_self(root);
    let mut readings = vec![read(&proc, &group)];
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PACE) {
        if readings.len() < READINGS_AT_MOST {
            readings.push(read(&proc, &group));
        }
    }
    readings.push(read(&proc, &group));
    readings
}

fn read(proc: &Proc, group: &Cgroup) -> Reading {
    Reading {
        at: Instant::now(),
        ticks: proc.cpu_ticks().and_then(|machine| Ok((machine, proc.own_ticks()?))),
        group_usec: group.quota_cpus().and_then(|_| group.cpu_usec()),
        memory: proc.memory().map(|memory| group.limit(memory)),
    }
}

fn span(readings: &[Reading]) -> f64 {
    match readings {
        [first, .., last] => last.at.duration_since(first.at).as_secs_f64(),
        _ => 0.0,
    }
}

/// Processors that this process may run on, or its control group's quota when that is less.
fn cpus_allowed(proc: &Proc, root: &Path) -> Known<f64> {
    let allowed = proc.cpus_allowed().map(|allowed| match Cgroup::of_self(root).quota_cpus() {
        Some(quota) => quota.min(f64::from(allowed)),
        None => f64::from(allowed),
    });
    Known::from_result(allowed)
}

/// Busy share of the machine, or of the control group's quota when that is more, without this process.
fn cpu_percent(readings: &[Reading], quota_cpus: Option<f64>) -> Result<f64, String> {
    let [first, .., last] = readings else { return Err("there was no second reading".into()) };
    let seconds = span(readings);
    if seconds < CPU_SPAN_AT_LEAST_SECONDS {
        return Err(format!("{:.0} ms is too short for an average", 1000.0 * seconds));
    }
    let (before, own_before) = first.ticks.clone()?;
    let (after, own_after) = last.ticks.clone()?;
    let own = own_after.saturating_sub(own_before);
    let machine = after.busy_share_since(&before, own).ok_or("the counters of the kernel did not move")?;
    let group = match (first.group_usec, last.group_usec, quota_cpus) {
        (Some(before), Some(after), Some(cpus)) => {
            let others = after.saturating_sub(before).saturating_sub(own * proc::TICK_USEC);
            others as f64 / (seconds * 1e6 * cpus)
        }
        _ => 0.0,
    };
    Ok((100.0 * machine.max(group)).clamp(0.0, 100.0))
}

fn mean_memory(readings: &[Reading]) -> Result<Memory, String> {
    let memories = readings.iter().map(|reading| reading.memory.clone()).collect::<Result<Vec<_>, _>>()?;
    let last = memories.last().ok_or("there was no reading")?;
    let available: u128 = memories.iter().map(|memory| u128::from(memory.available_bytes)).sum();
    Ok(Memory { available_bytes: (available / memories.len() as u128) as u64, ..*last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    pub(crate) fn root_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    fn reading(ms: u64, busy: u64, idle: u64, own: u64, group_usec: Option<u64>, available: u64) -> Reading {
        Reading {
            at: *START + Duration::from_millis(ms),
            ticks: Ok((CpuTicks { busy, idle }, own)),
            group_usec,
            memory: Ok(Memory { total_bytes: 1000, available_bytes: available }),
        }
    }

    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

    #[test]
    fn the_average_is_over_the_whole_span_and_leaves_out_this_process() {
        let readings = [
            reading(0, 100, 100, 10, None, 100),
            reading(200, 999, 999, 15, None, 400),
            reading(400, 160, 140, 30, None, 400),
        ];
        assert_eq!(cpu_percent(&readings, Some(2.0)), Ok(40.0), "60 busy of 100, 20 of them ours");
        assert_eq!(mean_memory(&readings), Ok(Memory { total_bytes: 1000, available_bytes: 300 }));
    }

    #[test]
    fn a_control_group_at_its_quota_is_busy_on_an_idle_machine() {
        let readings = [reading(0, 0, 0, 0, Some(0), 0), reading(1000, 10, 90, 0, Some(1_500_000), 0)];
        assert_eq!(cpu_percent(&readings, Some(1.5)), Ok(100.0));
    }

    #[test]
    fn too_short_a_span_gives_no_figure() {
        let short = [reading(0, 0, 0, 0, None, 0), reading(149, 10, 10, 0, None, 0)];
        assert_eq!(cpu_percent(&short, None), Err("149 ms is too short for an average".into()));
        let still = [reading(0, 5, 5, 0, None, 0), reading(500, 5, 5, 0, None, 0)];
        assert!(cpu_percent(&still, None).is_err(), "counters that stand still are no idle machine");
        assert!(cpu_percent(&short[..1], None).is_err());
    }

    #[test]
    fn a_machine_is_as_large_as_its_control_group_lets_it_be() {
        let root = root_with(&[
            ("proc/stat", "cpu  1 2 3 4\ncpu0 1 1 1 1\ncpu1 0 1 2 3\n"),
            ("proc/loadavg", "0.5 1.5 2.5 1/2 3\n"),
            ("proc/meminfo", "MemTotal: 8 kB\nMemAvailable: 6 kB\n"),
            ("proc/self/stat", "7 (a) S 1 7 7 0 -1 0 1 0 0 0 1 1 1 1 20"),
            ("proc/self/status", "Name:\ta\nCpus_allowed_list:\t0-1\n"),
            ("proc/self/limits", "Limit Soft Hard Units\nMax open files            1024  4096  files\n"),
            ("proc/self/fd/0", ""),
            ("proc/self/cgroup", "0::/box\n"),
            ("sys/fs/cgroup/box/cpu.max", "50000 100000\n"),
            ("sys/fs/cgroup/box/memory.max", "4096\n"),
            ("sys/fs/cgroup/box/memory.current", "1024\n"),
            ("sys/fs/cgroup/box/memory.stat", "inactive_file 0\n"),
        ]);
        let sample = Sampler::start_below(root.path()).finish(&[]);
        assert_eq!(sample.n_cpus, Known::Seen(0.5));
        assert_eq!(sample.memory, Known::Seen(Memory { total_bytes: 4096, available_bytes: 3072 }));
        assert_eq!(sample.load.seen().map(|load| (load.five, load.n_cpus)), Some((1.5, 2)));
        assert_eq!(sample.open_files.seen().map(|files| (files.n_open, files.limit)), Some((1, 1024)));
        assert!(2 <= sample.n_samples, "a single reading is no average");
    }

    #[test]
    fn without_proc_everything_is_unknown_and_nothing_is_zero() {
        let root = root_with(&[]);
        let sample = Sampler::start_below(root.path()).finish(&[]);
        assert!(sample.cpu_percent.reason().is_some() && sample.n_cpus.reason().is_some());
        assert!(sample.load.reason().unwrap().contains("loadavg"));
        assert!(sample.memory.reason().unwrap().contains("meminfo"));
        assert!(sample.open_files.reason().is_some());
    }

    #[test]
    fn this_machine_can_be_felt() {
        let folder = tempfile::tempdir().unwrap();
        let sampler = Sampler::start();
        thread::sleep(Duration::from_millis(220));
        let sample = sampler.finish(&[("repository", folder.path())]);
        assert!(sample.n_samples >= 3, "{sample:?}");
        if !Path::new("/proc/stat").exists() {
            return;
        }
        assert!(sample.cpu_percent.seen().is_some_and(|percent| (0.0..=100.0).contains(percent)), "{sample:?}");
        let memory = sample.memory.seen().unwrap();
        assert!(0 < memory.available_bytes && memory.available_bytes <= memory.total_bytes);
        assert!(sample.load.seen().unwrap().n_cpus >= 1);
        let files = sample.open_files.seen().unwrap();
        assert!(3 <= files.n_open && files.n_open <= files.limit);
        let space = sample.file_systems[0].space.seen().unwrap();
        assert!(0 < space.total && space.available <= space.total);
    }
}
