//! `doctor bundle`: one archive for a support request, redacted where it is collected.
//!
//! Each collector stands alone: one that fails or panics is told in the manifest and ends no
//! other, and all of them work without a usable configuration, data directory or repository.
//! What they gather goes through the [`Redactor`] before it is text of the bundle. The finished
//! archive is read back and searched; one in which anything is found is not kept.
//!
//! To add something: its file, and one line in [`COLLECTORS`].

pub mod archive;
mod checks;
mod configuration;
mod installation;
mod known;
mod records;
pub mod redact;
pub mod secrets;
mod statistics;
mod storage;
mod versions;

use std::panic::{self, AssertUnwindSafe};

use alignwatch_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::redact::Redactor;
use crate::{installation::Around, report::DoctorReport};

pub(crate) use known::redactor;

/// What there is to collect from.
pub struct Material<'a> {
    /// The configuration and all around.
    pub around: &'a Around,
    /// What `doctor` says of the installation and the repositories.
    pub report: &'a DoctorReport,
}

/// Gathers one part of the bundle.
pub struct Collector {
    /// Its name, and that of its file.
    pub name: &'static str,
    /// What it holds, in plain words.
    pub holds: &'static str,
    /// Gathers; everything that is a text goes through the redactor.
    pub collect: fn(&Material<'_>, &Redactor) -> Result<Value, String>,
}

/// All collectors, the most important first: when the bundle gets too large, the last are left out.
pub static COLLECTORS: &[&Collector] = &[
    &versions::COLLECTOR,
    &installation::COLLECTOR,
    &configuration::COLLECTOR,
    &checks::COLLECTOR,
    &records::COLLECTOR,
    &storage::COLLECTOR,
    &statistics::COLLECTOR,
];

/// A file of the bundle.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name in the archive.
    pub name: String,
    /// What it holds, in plain words.
    pub holds: &'static str,
    /// Its text, redacted.
    pub text: String,
}

/// What is in the bundle, and what is not: its first file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// `alignwatch.bundle/1`.
    pub schema: String,
    /// When it was made.
    pub made_at: String,
    /// By which version.
    pub version: String,
    /// Are names of branches, paths, people and machines in it?
    pub names: bool,
    /// How often something was replaced, by what it was.
    pub replaced: std::collections::BTreeMap<String, usize>,
    /// Bytes of all files together that were allowed.
    pub size_limit_bytes: u64,
    /// What each collector did.
    pub collectors: Vec<Collected>,
}

/// What a collector did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Collected {
    /// The collector. Its file has the same name, and `.json` behind it.
    pub name: String,
    /// Size of its file; `null` when there is none.
    pub size_bytes: Option<u64>,
    /// Why there is no file.
    pub reason: Option<String>,
}

/// The manifest's name in the archive.
pub const MANIFEST: &str = "manifest.json";

/// Collects everything, redacted and within the limit.
pub fn collect(
    material: &Material<'_>,
    redactor: &Redactor,
    now: Timestamp,
    size_limit_bytes: u64,
) -> (Manifest, Vec<Part>) {
    let mut left = size_limit_bytes;
    let mut parts = Vec::new();
    let mut collected = Vec::new();
    for collector in COLLECTORS {
        let one = |size_bytes, reason| Collected { name: collector.name.to_owned(), size_bytes, reason };
        match gather(collector, material, redactor) {
            Err(reason) => collected.push(one(None, Some(redactor.text(&reason)))),
            Ok(text) if left < text.len() as u64 => {
                let reason = format!("left out: {} bytes are more than what is left of the limit", text.len());
                collected.push(one(None, Some(reason)));
            }
            Ok(text) => {
                left -= text.len() as u64;
                let name = format!("{}.json", collector.name);
                collected.push(one(Some(text.len() as u64), None));
                parts.push(Part { name, holds: collector.holds, text });
            }
        }
    }
    let manifest = Manifest {
        schema: "alignwatch.bundle/1".to_owned(),
        made_at: now.rfc3339(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        names: redactor.keeps_names(),
        replaced: redactor.n_replaced().into_iter().map(|(what, n)| (what.to_owned(), n)).collect(),
        size_limit_bytes,
        collectors: collected,
    };
    (manifest, parts)
}

/// A collector that fails or panics ends no other.
fn gather(collector: &Collector, material: &Material<'_>, redactor: &Redactor) -> Result<String, String> {
    let gathered = panic::catch_unwind(AssertUnwindSafe(|| (collector.collect)(material, redactor)));
    let value = gathered.unwrap_or_else(|_| Err("the collector has a bug and was ended".to_owned()))?;
    // The collector redacts; this is for the day when one forgets to.
    let value = redactor.value(&value);
    serde_json::to_string_pretty(&value).map(|text| text + "\n").map_err(|error| error.to_string())
}

/// Why a file of the bundle may not leave, each with the file; none = it may.
pub fn leaks(redactor: &Redactor, name: &str, text: &str) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return vec![format!("{name}: it cannot be read")];
    };
    let mut found = secrets_of(&value, redactor);
    found.sort();
    found.dedup();
    found.into_iter().map(|leak| format!("{name}: {leak}")).collect()
}

fn secrets_of(value: &Value, redactor: &Redactor) -> Vec<String> {
    match value {
        Value::String(text) => redact::leaks(redactor, text),
        Value::Array(items) => items.iter().flat_map(|item| secrets_of(item, redactor)).collect(),
        Value::Object(fields) => {
            let of_field = |(name, value): (&String, &Value)| {
                [redact::leaks(redactor, name), of_pair(name, value), secrets_of(value, redactor)].concat()
            };
            fields.iter().flat_map(of_field).collect()
        }
        Value::Number(number) => {
            redact::leaks(redactor, &number.to_string()).into_iter().filter(|leak| leak.contains("known")).collect()
        }
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

/// A field whose name says that its value is secret.
fn of_pair(name: &str, value: &Value) -> Vec<String> {
    let Some(text) = value.as_str() else { return Vec::new() };
    let pair = format!("{name} = {text}");
    let before = secrets::find(text).len() + secrets::find(name).len();
    if secrets::find(&pair).len() > before && !text.starts_with('[') && !redact::is_pseudonym(text) {
        return vec!["a value behind a telling name".to_owned()];
    }
    Vec::new()
}
