//! Where nothing can be written, what is there is read; and that it may pass is known.

#![expect(clippy::unwrap_used, reason = "a test may end at its first surprise")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, thread};

use alignwatch_model::{
    Timestamp,
    record::{Commit, Reading, Sweep, SweepOutcome},
};
use alignwatch_store::{open, open_to_read};
use nix::unistd::{Uid, setfsuid};

fn commit(at: i64) -> Commit {
    let outcome = SweepOutcome::Failed("why".into());
    let sweep = Sweep { repository: "r".into(), path: "/r".into(), at: Timestamp(at), seconds: 0.1, outcome };
    let reading =
        Reading { repository: "r".into(), metric: "m", labels: "{}".into(), at: Timestamp(at), value: at as f64 };
    Commit { sweeps: vec![sweep], readings: vec![reading], ..Commit::default() }
}

fn allow(folder: &Path, of_folder: u32, of_files: u32) {
    for entry in fs::read_dir(folder).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(of_files)).unwrap();
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(of_folder)).unwrap();
}

/// Does something as somebody who is not above rights: root reads and writes everything.
fn as_somebody<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    let here = || {
        if Uid::effective().is_root() {
            // Only for the files that this thread opens.
            setfsuid(Uid::from_raw(65_534));
        }
        act()
    };
    thread::scope(|scope| scope.spawn(here).join().unwrap())
}

#[test]
fn a_folder_that_cannot_be_written_is_read_until_it_can_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path()).unwrap().0;
    store.commit(&commit(1)).unwrap();
    drop(store);
    allow(folder.path(), 0o555, 0o444);
    as_somebody(|| {
        let error = open(folder.path()).unwrap_err();
        assert!(error.may_pass(), "{error}");
        let reader = open_to_read(folder.path()).unwrap();
        assert!(reader.is_frozen());
        assert_eq!(reader.repositories().unwrap().len(), 1);
        assert_eq!(reader.series(None, None).unwrap().len(), 1);
    });
    allow(folder.path(), 0o755, 0o644);
    let mut store = open(folder.path()).unwrap().0;
    store.commit(&commit(2)).unwrap();
    let reader = open_to_read(folder.path()).unwrap();
    assert!(!reader.is_frozen());
    assert_eq!(reader.repository("r").unwrap().unwrap().swept_at, Timestamp(2));
}

#[test]
fn a_log_that_cannot_be_looked_at_is_not_left_out_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path()).unwrap().0;
    store.commit(&commit(1)).unwrap();
    // As after a kill: what was committed lies in the log, and what belongs to it is gone.
    let copy = tempfile::tempdir().unwrap();
    for name in ["store.sqlite", "store.sqlite-wal"] {
        fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    allow(copy.path(), 0o555, 0o444);
    as_somebody(|| assert!(open_to_read(copy.path()).is_err()));
    allow(copy.path(), 0o755, 0o644);
}

#[test]
fn what_is_wrong_with_the_store_itself_does_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("store.sqlite"), vec![7; 20_000]).unwrap();
    assert!(!open(folder.path()).unwrap_err().may_pass());
    let other = tempfile::tempdir().unwrap();
    let _store = open(other.path()).unwrap();
    assert!(!open(other.path()).unwrap_err().may_pass());
}

/// A process that was killed may leave its lock to one that it was about to begin, for a moment.
#[test]
fn a_lock_whose_owner_is_dead_is_waited_for_and_one_that_is_held_is_not() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let path = folder.path().join("store.lock");
    // Processes have no such number: 4194304 is the most that there can be (proc(5), pid_max).
    fs::write(&path, "process 4194305\n").unwrap();
    let left = fs::File::open(&path).unwrap();
    left.lock().unwrap();
    let holder = thread::spawn(move || {
        thread::sleep(std::time::Duration::from_millis(300));
        drop(left);
    });
    let store = open(folder.path()).unwrap();
    holder.join().unwrap();
    let refused = open(folder.path()).err().unwrap().to_string();
    assert!(refused.ends_with(&format!("process {} does already", std::process::id())), "{refused}");
    drop(store);
}
