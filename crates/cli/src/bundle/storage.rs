//! What the data directory holds: names and sizes, no contents.

use std::{fs, io, os::unix::fs::PermissionsExt, path::PathBuf};

use serde_json::{Value, json};

use super::{
    Collector, Material,
    redact::{Kind, Redactor},
};

/// Files of the data directory.
pub(super) static COLLECTOR: Collector =
    Collector { name: "data-directory", holds: "sizes of the files in the data directory", collect };

/// Files that are told.
const AT_MOST: usize = 2_000;

fn collect(material: &Material<'_>, redactor: &Redactor) -> Result<Value, String> {
    let Some(dir) = &material.around.data_dir else { return Err("there is no data directory".to_owned()) };
    let cannot = |error: io::Error| format!("cannot read the data directory: {error}");
    fs::read_dir(dir).map_err(cannot)?;
    let mode = fs::metadata(dir).map_err(cannot)?.permissions().mode() & 0o7777;
    let mut folders = vec![PathBuf::new()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(dir.join(&folder)) else {
            files.push(json!({ "folder": path(&folder, redactor), "unknown": "cannot be read" }));
            continue;
        };
        for entry in entries.flatten() {
            let below = folder.join(entry.file_name());
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(below),
                Ok(about) => files.push(json!({ "file": path(&below, redactor), "size_bytes": about.len() })),
                Err(_) => files.push(json!({ "file": path(&below, redactor), "unknown": "cannot be read" })),
            }
            if AT_MOST <= files.len() {
                return Ok(json!({ "mode": format!("{mode:04o}"), "files": files, "is_whole": false }));
            }
        }
    }
    Ok(json!({ "mode": format!("{mode:04o}"), "files": files, "is_whole": true }))
}

/// The parts of a path on their own: our own names tell something, the others are pseudonyms.
fn path(below: &std::path::Path, redactor: &Redactor) -> String {
    let parts = below.components().map(|part| part.as_os_str().to_string_lossy());
    let parts: Vec<_> = parts
        .map(|part| match redactor.text(&part) {
            text if text == part => text,
            _ => redactor.name(Kind::Path, &part),
        })
        .collect();
    parts.join(" / ")
}
