//! Is the daemon alive, and is what it kept whole? Looks only; it need not run for that.

use std::path::Path;

use alignwatch_model::{Known, Timestamp};
use alignwatch_store::StoreError;
pub use alignwatch_store::Writer;

/// What the daemon kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What is wrong with the store; `None` = nothing.
    pub damage: Option<String>,
    /// Repositories that were looked at.
    pub n_repositories: usize,
    /// When one of them was looked at last.
    pub swept_at: Option<Timestamp>,
    /// When the store was copied last.
    pub backed_up_at: Option<Timestamp>,
}

/// The daemon at work with this data directory; `None` = there is none.
pub fn daemon(data_dir: &Path) -> Known<Option<Writer>> {
    Known::from_result(alignwatch_store::writer(&data_dir.join("store")))
}

/// What the daemon kept in this data directory; `None` = nothing was ever kept.
pub fn kept(data_dir: &Path, now: Timestamp) -> Known<Option<Kept>> {
    let folder = data_dir.join("store");
    match alignwatch_store::holds_one(&folder) {
        Ok(false) => Known::Seen(None),
        Ok(true) => match read(&folder, now) {
            Err(error) => damage_in(&error).map_or_else(
                || Known::Unknown(error.to_string()),
                |damage| {
                    Known::Seen(Some(Kept {
                        damage: Some(damage),
                        n_repositories: 0,
                        swept_at: None,
                        backed_up_at: None,
                    }))
                },
            ),
            Ok(kept) => Known::Seen(Some(kept)),
        },
        Err(error) => Known::Unknown(error.to_string()),
    }
}

fn read(folder: &Path, now: Timestamp) -> Result<Kept, StoreError> {
    let store = alignwatch_store::open_to_read(folder)?;
    let damage = store.examine()?;
    let repositories = store.repositories()?;
    Ok(Kept {
        damage,
        n_repositories: repositories.len(),
        swept_at: repositories.iter().map(|row| row.swept_at).max(),
        backed_up_at: store.newest_backup_at(now),
    })
}

/// What the error says of the file itself; `None` = nothing.
fn damage_in(error: &StoreError) -> Option<String> {
    error.is_damage().then(|| error.to_string())
}
