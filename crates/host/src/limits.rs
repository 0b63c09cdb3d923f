//! What this process may use at most: open files, processes, memory. See getrlimit(2) and cgroups(7).

use std::{fs, path::Path};

use alignwatch_model::Known;

use crate::cgroup::Cgroup;

/// Limits of this process; the inner `None` = there is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files that may be open at once (`RLIMIT_NOFILE`, soft).
    pub open_files: Known<Option<u64>>,
    /// Processes and threads of this user (`RLIMIT_NPROC`, soft), or of the control group when that is less.
    pub processes: Known<Option<u64>>,
    /// Bytes of memory of the control group.
    pub memory_bytes: Known<Option<u64>>,
}

/// Reads the limits of this process.
pub fn limits() -> Limits {
    limits_below(Path::new("/"))
}

fn limits_below(root: &Path) -> Limits {
    let file = fs::read_to_string(root.join("proc/self/limits"));
    let text = file.map_err(|error| format!("cannot read /proc/self/limits: {error}"));
    let soft = |name: &str| match &text {
        Ok(text) => Known::from_result(soft_limit(text, name).ok_or(format!("/proc/self/limits does not tell {name}"))),
        Err(error) => Known::Unknown(error.clone()),
    };
    let group = Cgroup::of_self(root);
    let least = |own: Option<u64>| match (own, group.most_processes()) {
        (Some(own), Some(group)) => Some(own.min(group)),
        (own, group) => own.or(group),
    };
    let has_groups = fs::metadata(root.join("proc/self/cgroup"));
    Limits {
        open_files: soft("Max open files"),
        processes: soft("Max processes").map(least),
        memory_bytes: match has_groups {
            Ok(_) => Known::Seen(group.memory_bytes()),
            Err(error) => Known::Unknown(format!("cannot read /proc/self/cgroup: {error}")),
        },
    }
}

/// The soft limit of this name: `None` = the file does not tell, `Some(None)` = unlimited.
fn soft_limit(text: &str, name: &str) -> Option<Option<u64>> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    match rest.split_whitespace().next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::root_with;

    #[test]
    fn the_tighter_of_two_limits_counts() {
        let root = root_with(&[
            (
                "proc/self/limits",
                "Limit Soft Hard Units\nMax processes             500  900  processes\n\
                 Max open files            unlimited  unlimited  files\n",
            ),
            ("proc/self/cgroup", "0::/box\n"),
            ("sys/fs/cgroup/box/pids.max", "64\n"),
            ("sys/fs/cgroup/box/memory.max", "4096\n"),
        ]);
        let limits = limits_below(root.path());
        assert_eq!(limits.open_files, Known::Seen(None));
        assert_eq!(limits.processes, Known::Seen(Some(64)));
        assert_eq!(limits.memory_bytes, Known::Seen(Some(4096)));
    }

    #[test]
    fn what_cannot_be_read_is_unknown_and_not_unlimited() {
        let root = root_with(&[("proc/self/limits", "nothing of use\n")]);
        let limits = limits_below(root.path());
        assert!(limits.open_files.reason().unwrap().contains("Max open files"));
        assert!(limits.memory_bytes.reason().is_some());
        assert!(limits_below(&root.path().join("gone")).processes.reason().is_some());
    }
}
