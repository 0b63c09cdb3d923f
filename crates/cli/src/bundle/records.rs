//! The journal of repairs: the newest lines.

use serde_json::{Value, json};

use super::{
    Collector, Material,
    redact::{Kind, Redactor},
};
use crate::mending::journal;

/// The newest repairs.
pub(super) static COLLECTOR: Collector = Collector { name: "repairs", holds: "the newest repairs of doctor", collect };

/// Repairs that are told. Older ones explain nothing.
const AT_MOST: usize = 200;

fn collect(material: &Material<'_>, redactor: &Redactor) -> Result<Value, String> {
    let Some(dir) = &material.around.data_dir else { return Ok(json!({ "repairs": [] })) };
    let said = journal::read(dir).map_err(|error| format!("cannot read the journal of repairs: {error}"))?;
    let repairs = said.repairs();
    let newest = repairs.iter().rev().take(AT_MOST).map(|told| {
        json!({
            "id": told.begun.id,
            "begun_at": redactor.text(&told.begun.at),
            "state": told.state(),
            "what": redactor.text(&told.begun.what),
            "repository": told.begun.repository.as_deref().map(|path| redactor.name(Kind::Repository, path)),
            "words": told.ended.and_then(|ended| ended.words.as_deref()).map(|words| redactor.text(words)),
        })
    });
    Ok(json!({ "n_unreadable": said.n_unreadable, "repairs": newest.collect::<Vec<_>>() }))
}
