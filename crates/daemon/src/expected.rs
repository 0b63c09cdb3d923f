//! Since when each workflow is expected to run: a run that was due before anybody expected it is not missed.
//!
//! One file, written when the daemon starts and something is expected that was not before, or at other times.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use alignwatch_model::{Timestamp, config::Config};
use serde::{Deserialize, Serialize};

/// What is expected of one workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Expected {
    /// When it is due, as it is configured.
    due: String,
    /// Since when.
    since: Timestamp,
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("expected.json")
}

/// Errors: it can't be read now. One that is not there or broken is written anew: then all is expected from now on.
fn read(data_dir: &Path) -> io::Result<BTreeMap<String, Expected>> {
    match fs::read(file(data_dir)) {
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

/// Notes what is expected from now on, and keeps what was expected before.
pub(crate) fn note(data_dir: &Path, config: &Config, now: Timestamp) -> io::Result<()> {
    let before = read(data_dir)?;
    let expected = config.workflows.iter().filter_map(|rule| {
        let due = format!("{} {}", rule.due.as_ref()?, rule.zone.as_deref().unwrap_or("UTC"));
        let since = before.get(&rule.name).filter(|known| known.due == due).map_or(now, |known| known.since);
        Some((rule.name.clone(), Expected { due, since }))
    });
    let expected: BTreeMap<String, Expected> = expected.collect();
    if expected == before {
        return Ok(());
    }
    let part = file(data_dir).with_extension("part");
    let mut draft = File::create(&part)?;
    draft.write_all(&serde_json::to_vec_pretty(&expected).map_err(io::Error::other)?)?;
    draft.sync_all()?;
    fs::rename(&part, file(data_dir))
}

/// Since when each workflow is expected, by its name. None where no daemon ever ran.
pub(crate) fn since(data_dir: &Path) -> BTreeMap<String, Timestamp> {
    read(data_dir).unwrap_or_default().into_iter().map(|(name, expected)| (name, expected.since)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_is_expected_since_it_is_configured_and_anew_when_its_times_change() {
        let data = tempfile::tempdir().unwrap();
        let start = |yaml: &str, at: i64| {
            note(data.path(), &Config::from_yaml(yaml, "f").unwrap().0, Timestamp(at)).unwrap();
            since(data.path()).into_iter().map(|(name, at)| (name, at.0)).collect::<Vec<_>>()
        };
        let daily = "workflows: [{name: nightly, due: 1d}]";
        assert_eq!(start(daily, 100), [("nightly".to_owned(), 100)]);
        assert_eq!(start(daily, 200), [("nightly".to_owned(), 100)], "a restart changes nothing");
        assert_eq!(start("workflows: [{name: nightly, due: 6h}]", 300), [("nightly".to_owned(), 300)]);
        assert_eq!(start("workflows: [{name: other}]", 400), []);
        fs::write(file(data.path()), "{").unwrap();
        assert_eq!(start(daily, 500), [("nightly".to_owned(), 500)]);
        fs::remove_file(file(data.path())).unwrap();
        fs::create_dir(file(data.path())).unwrap();
        let config = Config::from_yaml(daily, "f").unwrap().0;
        assert!(note(data.path(), &config, Timestamp(600)).is_err(), "what can't be read now is not all new");
    }
}
