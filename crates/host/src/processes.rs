//! Is a process of this machine still the one that somebody named?

use std::{fs, path::Path};

use alignwatch_model::Timestamp;

use crate::proc::TICK_USEC;

/// How far a begin that was reported may lie before that of its process by the kernel's clock.
///
/// Source: ours; the kernel counts from its start, and the wall clock may have been set since.
const SLACK_SECONDS: i64 = 5;

/// The name of this machine, as the system has it.
pub fn machine() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Is the process with this number one that was there at `at`, and not a later one that got the same number?
///
/// `None` = that can't be told here.
pub fn is_alive_since(pid: u32, at: Timestamp) -> Option<bool> {
    alive_below(Path::new("/proc"), pid, at)
}

fn alive_below(proc: &Path, pid: u32, at: Timestamp) -> Option<bool> {
    let machine = fs::read_to_string(proc.join("stat")).ok()?;
    let booted_at: i64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let stat = match fs::read_to_string(proc.join(pid.to_string()).join("stat")) {
        Ok(stat) => stat,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(false),
        Err(_) => return None,
    };
    let (state, began) = state_and_begin(&stat)?;
    let began_at = booted_at + i64::try_from(began / (1_000_000 / TICK_USEC)).ok()?;
    // One that ended and was not waited for does nothing any more.
    Some(state != 'Z' && began_at <= at.0 + SLACK_SECONDS)
}

/// Fields 3 and 22: its state, and its begin in ticks since the machine started. See proc(5).
fn state_and_begin(stat: &str) -> Option<(char, u64)> {
    let mut after_name = stat[stat.rfind(')')? + 1..].split_whitespace();
    Some((after_name.next()?.chars().next()?, after_name.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(since.as_secs() as i64)
    }

    #[test]
    fn this_process_is_alive_and_was_not_there_a_year_ago() {
        let pid = std::process::id();
        assert_eq!(is_alive_since(pid, now()), Some(true));
        assert_eq!(is_alive_since(pid, Timestamp(now().0 - 365 * 86_400)), Some(false));
    }

    #[test]
    fn what_is_gone_is_gone_and_what_cannot_be_read_is_unknown() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(alive_below(folder.path(), 7, now()), None, "there is no /proc");
        fs::write(folder.path().join("stat"), "btime 1000\n").unwrap();
        assert_eq!(alive_below(folder.path(), 7, Timestamp(2000)), Some(false));
        fs::create_dir(folder.path().join("7")).unwrap();
        let stat = |state| format!("7 (a) b) {state} 1 7 7 0 -1 4194560 1 0 0 0 11 12 13 14 20 0 1 0 50000 6 7");
        fs::write(folder.path().join("7/stat"), stat('S')).unwrap();
        // It began 500 seconds after the machine.
        assert_eq!(alive_below(folder.path(), 7, Timestamp(1600)), Some(true));
        assert_eq!(alive_below(folder.path(), 7, Timestamp(1400)), Some(false));
        fs::write(folder.path().join("7/stat"), stat('Z')).unwrap();
        assert_eq!(alive_below(folder.path(), 7, Timestamp(1600)), Some(false));
        fs::write(folder.path().join("7/stat"), "7 (a").unwrap();
        assert_eq!(alive_below(folder.path(), 7, Timestamp(1600)), None);
    }
}
