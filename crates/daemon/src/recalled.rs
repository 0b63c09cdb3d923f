//! What the daemon knew when it ended: of repositories, alerts, reports, counters and error budgets.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use alignwatch_model::{
    Timestamp,
    alert::{Book, Labels, Policy, burn},
    record::{RECONSTRUCTED, Record},
    turn::State,
};
use alignwatch_store::{Mended, SeriesRow, Store, StoreError};

use crate::serve::now;

/// Opens the store to write. `None` where that can't be done now, and there is one: then it is looked and answered all
/// the same, and kept as soon as that can be done. What can't be read either is answered with the reason.
pub(crate) fn open_store(folder: &Path, say: &dyn Fn(&str)) -> Result<Option<Store>, StoreError> {
    match alignwatch_store::open(folder) {
        Ok((store, Mended::No)) => Ok(Some(store)),
        Ok((store, Mended::FromBackup { damage, moved_to, backup })) => {
            let (moved_to, backup) = (moved_to.display(), backup.display());
            say(&format!("the store was damaged ({damage}): it is now at {moved_to}, and {backup} took its place"));
            Ok(Some(store))
        }
        Err(error) if error.may_pass() && alignwatch_store::is_there(folder) => {
            say(&format!("{error}: nothing is kept until that is over; all the same, repositories are watched"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The repositories that were watched before, by their paths, with their ids. Where that can't be read now, `say` hears it, and
/// they are known again when they are seen.
pub(crate) fn known(folder: &Path, say: &dyn Fn(&str)) -> BTreeMap<String, String> {
    let rows = alignwatch_store::open_to_read(folder).and_then(|store| store.repositories());
    let mut rows = rows.unwrap_or_else(|error| {
        say(&format!(
            "cannot read which repositories were watched before: {error}: one that a pattern found and that is gone by now \
             is not told as gone until the next start"
        ));
        Vec::new()
    });
    // Of two that lay at one path one after the other, the one that was looked at last is meant.
    rows.sort_by_key(|row| row.swept_at);
    rows.into_iter().map(|row| (row.path, row.id)).collect()
}

/// What was known of alerts when the daemon ended; `None` = it can't be read now. Beginning without it would forget silences
/// and tell everything anew, so that nobody is told anything until then. Errors: it never can be read.
pub(crate) fn recalled(folder: &Path, policy: &Policy, say: &dyn Fn(&str)) -> Result<Option<Recalled>, StoreError> {
    if !alignwatch_store::is_there(folder) {
        return Ok(Some(Recalled { book: Book::new(policy, now()), records: Vec::new() }));
    }
    match read_book(folder, policy, say) {
        Err(error) if error.may_pass() => Ok(None),
        read => read.map(Some),
    }
}

/// What the daemon begins with.
pub(crate) struct Recalled {
    book: Book,
    records: Vec<Record>,
}

impl Recalled {
    /// Goes on with it.
    pub(crate) fn put_into(self, state: State, policy: Policy) -> State {
        state.with_alerts(self.book, policy).with_letters(&self.records).with_tallies(&self.records)
    }
}

fn read_book(folder: &Path, policy: &Policy, say: &dyn Fn(&str)) -> Result<Recalled, StoreError> {
    let store = alignwatch_store::open_to_read(folder)?;
    let records = store.open_records()?;
    let (mut book, bad) = Book::of_records(&records, policy, now());
    for record in bad {
        say(&format!("cannot read what was kept of {record}: it is left out"));
    }
    recall_budgets(&store, &mut book, policy)?;
    Ok(Recalled { book, records })
}

/// The last days of the numbers that promises are judged by.
fn recall_budgets(store: &Store, book: &mut Book, policy: &Policy) -> Result<(), StoreError> {
    let (to, mut recalled) = (now(), BTreeSet::new());
    let from = Timestamp(to.0 - burn::LONGEST.0 - burn::APART.0);
    for good in policy.goods().filter(|good| recalled.insert(good.to_string())) {
        for row in
            store.series(Some(good.metric()), None)?.into_iter().filter(|row| !row.labels.contains(RECONSTRUCTED))
        {
            let Some(labels) = labels_of(store, &row)?.filter(|labels| good.is_about(labels)) else { continue };
            let points = store.points(row.id, from, to, burn::APART.0)?;
            book.recall_budget(policy, good, labels, points.into_iter().map(|point| (point.at, point.last)));
        }
    }
    Ok(())
}

/// The labels of a series as alerts have them; `None` = its repository is gone.
fn labels_of(store: &Store, row: &SeriesRow) -> Result<Option<Labels>, StoreError> {
    let mut labels: Labels = serde_json::from_str(&row.labels).unwrap_or_default();
    if !row.repository.is_empty() {
        let Some(repository) = store.repository(&row.repository)? else { return Ok(None) };
        labels.insert("repository".to_owned(), repository.path);
    }
    Ok(Some(labels))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn what_was_watched_before_and_cannot_be_read_is_said_and_not_taken_for_nothing() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("store");
        std::fs::create_dir(&folder).unwrap();
        drop(alignwatch_store::open(&folder).unwrap());
        let said = RefCell::new(Vec::new());
        let say = |text: &str| said.borrow_mut().push(text.to_owned());
        assert!(known(&folder, &say).is_empty());
        assert!(said.borrow().is_empty(), "{said:?}");
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::write(path, "no database").unwrap();
            }
        }
        assert!(known(&folder, &say).is_empty());
        assert!(said.borrow()[0].contains("cannot read which repositories were watched before"), "{said:?}");
    }
}
