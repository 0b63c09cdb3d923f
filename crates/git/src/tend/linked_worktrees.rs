//! Mends the links of linked worktrees, by git.

use std::path::PathBuf;

use crate::run::GitAt;

/// Lets git write the links of these worktrees again. Errors: what git can't mend, as a sentence part.
///
/// Git looks at all worktrees of the repository meanwhile: the caller knows that none belongs to somebody else.
pub fn repair(git: &GitAt<'_>, paths: &[PathBuf]) -> Result<(), String> {
    if paths.is_empty() {
        return Ok(());
    }
    let call = git.command("worktree").option("repair");
    let call = paths.iter().fold(call, |call, path| call.path(path));
    call.run().map(drop).map_err(|error| error.to_string())
}
