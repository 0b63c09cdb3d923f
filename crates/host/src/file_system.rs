//! The file system that a path lies on: its type, space and inodes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alignwatch_model::{
    Known,
    host::{FileSystem, Room},
};
use nix::sys::statvfs::{Statvfs, statvfs};

/// Types of file systems that live on another machine, or on the host of this virtual one.
const ELSEWHERE: [&str; 19] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "virtiofs",
    "vboxsf",
    "prl_fs",
    "ceph",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.rclone",
    "lustre",
    "gpfs",
    "afs",
    "ocfs2",
    "gfs2",
];

/// Looks at the file system of this path; of its nearest folder when it is not there yet.
///
/// `role` says what the path is for. Errors: what cannot be read is unknown.
pub fn file_system(role: &'static str, path: &Path) -> FileSystem {
    let place = nearest(path);
    let room = statvfs(&place).map_err(|error| format!("cannot ask for the file system: {error}"));
    let kind = kind_of(&place, Path::new("/proc/self/mountinfo"));
    FileSystem {
        role,
        path: path.display().to_string(),
        is_network: is_network(&kind),
        kind,
        space: Known::from_result(room.as_ref().map(space)),
        inodes: Known::from_result(room.as_ref().map(inodes)),
    }
}

/// The path itself if it is there, or the nearest folder above it that is.
fn nearest(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| above.canonicalize().ok());
    there.unwrap_or_else(|| path.to_owned())
}

/// As `df` counts: what is reserved for root is neither used nor available.
#[expect(clippy::useless_conversion, reason = "the numbers of statvfs have 32 bits on some systems")]
fn space(room: &Statvfs) -> Room {
    let unit = u64::from(room.fragment_size());
    let used = u64::from(room.blocks()).saturating_sub(room.blocks_free().into());
    let available = u64::from(room.blocks_available());
    Room { total: used.saturating_add(available).saturating_mul(unit), available: available.saturating_mul(unit) }
}

#[expect(clippy::useless_conversion, reason = "the numbers of statvfs have 32 bits on some systems")]
fn inodes(room: &Statvfs) -> Room {
    let used = u64::from(room.files()).saturating_sub(room.files_free().into());
    let available = u64::from(room.files_available());
    match room.files() {
        // Btrfs and the like make inodes as they go.
        0 => Room { total: 0, available: 0 },
        _ => Room { total: used.saturating_add(available), available },
    }
}

fn kind_of(place: &Path, mountinfo: &Path) -> Known<String> {
    let mounts = fs::read(mountinfo).map_err(|error| format!("cannot read {}: {error}", mountinfo.display()));
    let kind = mounts.and_then(|mounts| {
        kind_in(place, &String::from_utf8_lossy(&mounts)).ok_or_else(|| "no mount holds the path".to_owned())
    });
    Known::from_result(kind)
}

/// The type of the innermost mount above the path; of several at one place, the last hides the others.
fn kind_in(place: &Path, mountinfo: &str) -> Option<String> {
    let mount = |line: &str| {
        let (place_part, type_part) = line.split_once(" - ")?;
        let point = unescaped(place_part.split(' ').nth(4)?);
        Some((point, type_part.split(' ').next()?.to_owned()))
    };
    let above = mountinfo.lines().filter_map(mount).filter(|(point, _)| place.starts_with(point));
    above.max_by_key(|(point, _)| Path::new(point).components().count()).map(|(_, kind)| kind)
}

/// Mount points write space, tab, line break and backslash as three octal digits.
fn unescaped(point: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(point.to_owned(), |point, (escape, sign)| point.replace(escape, sign))
}

fn is_network(kind: &Known<String>) -> Known<bool> {
    match kind {
        Known::Unknown(reason) => Known::Unknown(reason.clone()),
        Known::Seen(kind) if ELSEWHERE.contains(&kind.as_str()) => Known::Seen(true),
        Known::Seen(kind) if kind.starts_with("fuse") => Known::Unknown(format!("{kind} may be anywhere")),
        Known::Seen(_) => Known::Seen(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:5 / /proc rw - proc proc rw
3 1 0:9 / /home rw shared:1 - nfs4 server:/home rw
4 3 8:2 / /home/me/my\\040repos rw - btrfs /dev/sdb rw
5 1 8:3 / /home/me/my\\040repos rw - xfs /dev/sdc rw
";

    #[test]
    fn the_innermost_mount_decides_and_the_last_hides_the_others() {
        let kind = |place: &str| kind_in(Path::new(place), MOUNTS).unwrap();
        assert_eq!(kind("/home/me"), "nfs4");
        assert_eq!(kind("/home/me/my repos/x"), "xfs");
        assert_eq!(kind("/homes"), "ext4", "a name that begins alike is another folder");
        assert_eq!(kind_in(Path::new("relative"), MOUNTS), None);
        assert_eq!(kind_in(Path::new("/x"), "garbage\n1 2 3\n - x\n"), None);
    }

    #[test]
    fn what_may_live_elsewhere_is_not_called_local() {
        let is = |kind: &str| is_network(&Known::Seen(kind.into()));
        assert_eq!(is("nfs4"), Known::Seen(true));
        assert_eq!(is("ext4"), Known::Seen(false));
        assert!(is("fuse.unheard-of").reason().is_some());
        assert!(is_network(&Known::Unknown("no /proc".into())).reason().is_some());
    }

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_file_system_of_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let (here, later) = (file_system("data", folder.path()), file_system("data", &folder.path().join("a/b")));
        assert_eq!(here.space.seen().map(|room| room.total), later.space.seen().map(|room| room.total));
        assert!(here.space.seen().is_some_and(|room| room.total > 0));
        assert_eq!(here.kind, later.kind);
    }

    #[test]
    fn size_and_inodes_are_what_df_says() {
        let folder = tempfile::tempdir().unwrap();
        let df = |column: &str| -> u64 {
            let mut df = std::process::Command::new("df");
            df.args(["--block-size=1", &format!("--output={column}")]).arg(folder.path()).env("LC_ALL", "C");
            let said = String::from_utf8(df.output().unwrap().stdout).unwrap();
            said.lines().nth(1).unwrap().trim().parse().unwrap()
        };
        let here = file_system("data", folder.path());
        let space = here.space.seen().unwrap();
        // Others write meanwhile; what is used and what is free together do not change.
        assert!(space.total.abs_diff(df("used") + df("avail")) < 1 << 20, "{space:?}");
        assert!(space.available.abs_diff(df("avail")) < 1 << 30, "{space:?}");
        assert_eq!(here.inodes.seen().unwrap().total, df("itotal"));
    }

    #[test]
    fn without_a_list_of_mounts_the_type_is_unknown() {
        assert!(kind_of(Path::new("/"), Path::new("/nonexistent/mountinfo")).reason().is_some());
    }
}
