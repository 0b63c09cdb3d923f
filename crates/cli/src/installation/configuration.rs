//! `configuration`: can it be used, where does it come from, and who may write it?

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use alignwatch_model::{Remedy, Severity};

use super::{Around, Examination, Told, shown, with};
use crate::{configuring, failure::Failure, judging::path_word, output::layout::count};

/// Is the configuration valid, and where is it from?
pub(super) static EXAMINATION: Examination = Examination {
    id: "configuration",
    title: "Configuration",
    why: "No command that needs the configuration works while it holds a mistake",
    examine,
};

fn examine(around: &Around) -> Told {
    let (loaded, file) = match &around.configured {
        Ok(configured) => configured,
        Err(failure) => return broken(failure),
    };
    let n_set = loaded.origins.set_keys().count();
    let mut told = Told::well(match (file, configuring::usual_file()) {
        (Some(file), _) => format!("valid, {} set, from {}", count(n_set, "key"), shown(file)),
        (None, Some(usual)) => format!("{} set; there is no file at {}", count(n_set, "key"), shown(&usual)),
        (None, None) => format!("{} set; there is no home to look for a file in", count(n_set, "key")),
    });
    for note in &loaded.notes {
        let remedy = Remedy::reversible("Correct the name or take it away.", ["alignwatch config explain".to_owned()]);
        told = told.but(EXAMINATION.finding(note, Severity::Warning, note.clone(), remedy));
    }
    match file.as_deref().and_then(open_to_others) {
        Some(finding) => told.but(finding),
        None => told,
    }
}

fn broken(failure: &Failure) -> Told {
    let remedy =
        Remedy::reversible(failure.hints.first().cloned().unwrap_or_default(), ["alignwatch config check".to_owned()]);
    let message = failure.message.lines().next().unwrap_or_default();
    let finding = EXAMINATION.finding("broken", Severity::Error, message, remedy);
    let lines: Vec<&str> = failure.message.lines().skip(1).collect();
    let finding = if lines.is_empty() { finding } else { with(finding, "mistakes", lines) };
    Told::well("cannot be used; what follows was looked at without it").but(finding)
}

/// Whoever can write it chooses where we write, and what we do not look at.
fn open_to_others(file: &Path) -> Option<alignwatch_model::Finding> {
    const WRITE_OF_OTHERS: u32 = 0o022;
    let mode = fs::metadata(file).ok()?.permissions().mode() & 0o7777;
    if mode & WRITE_OF_OTHERS == 0 {
        return None;
    }
    let remedy =
        Remedy::reversible("Take the right to write from others.", [format!("chmod go-w {}", path_word(file))]);
    let summary = format!("others can write the configuration `{}` (mode {mode:04o})", file.display());
    Some(with(EXAMINATION.finding("mode", Severity::Warning, summary, remedy), "mode", format!("{mode:04o}")))
}
