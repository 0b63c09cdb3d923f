//! How much room there is where a repository lies.

use std::path::Path;

use alignwatch_model::Known;

/// Bytes that this user may still write on the file system of this folder.
pub fn free_bytes(folder: &Path) -> Known<u64> {
    let about = rustix::fs::statvfs(folder).map(|about| about.f_bavail.saturating_mul(about.f_frsize));
    Known::from_result(about.map_err(|error| format!("cannot ask for the room in `{}`: {error}", folder.display())))
}
