//! Versions of everything that answers.

use alignwatch_model::Known;
use serde_json::{Value, json};

use super::{Collector, Material, redact::Redactor};

/// Versions.
pub(super) static COLLECTOR: Collector =
    Collector { name: "versions", holds: "versions of alignwatch, git and the system", collect };

fn collect(material: &Material<'_>, redactor: &Redactor) -> Result<Value, String> {
    let git = material.around.git.as_ref().map(|git| git.version().text.clone());
    let limits = alignwatch_host::limits();
    let limit = |limit: &Known<Option<u64>>| match limit {
        Known::Seen(limit) => json!(limit),
        Known::Unknown(reason) => json!({ "unknown": redactor.text(reason) }),
    };
    Ok(json!({
        "alignwatch": env!("CARGO_PKG_VERSION"),
        "system": std::env::consts::OS,
        "processor": std::env::consts::ARCH,
        "git": match git {
            Ok(version) => json!({ "version": redactor.text(&version) }),
            Err(error) => json!({ "unknown": redactor.text(&error.to_string()) }),
        },
        "limits": {
            "open_files": limit(&limits.open_files),
            "processes": limit(&limits.processes),
            "memory_bytes": limit(&limits.memory_bytes),
        },
    }))
}
