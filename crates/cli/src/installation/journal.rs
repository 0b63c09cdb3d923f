//! `journal`: can the journal of repairs be read, and was a repair ended half-way?

use alignwatch_model::{Remedy, Severity};

use super::{Around, Examination, Told};
use crate::{mending::journal, output::layout::count};

/// The journal of `doctor --fix`.
pub(super) static EXAMINATION: Examination =
    Examination { id: "journal", title: "Journal of repairs", why: "It holds all that takes a repair back", examine };

fn examine(around: &Around) -> Told {
    let Some(dir) = &around.data_dir else { return Told::well("none, since there is no data directory") };
    let said = match journal::read(dir) {
        Ok(said) => said,
        Err(error) => return Told::unknown(format!("cannot read the journal of repairs: {error}")),
    };
    let repairs = said.repairs();
    let mut told = Told::well(count(repairs.len(), "repair"));
    for repair in repairs.iter().filter(|repair| repair.state() == "interrupted") {
        let id = repair.begun.id;
        let summary = format!("repair {id} was ended half-way: {}", repair.begun.what);
        let remedy =
            Remedy::reversible("Take it back; it can be made again.", [format!("alignwatch doctor --undo {id}")]);
        told = told.but(EXAMINATION.finding(&id.to_string(), Severity::Warning, summary, remedy));
    }
    if said.n_unreadable > 0 {
        let summary = format!("{} of the journal of repairs cannot be read", count(said.n_unreadable, "line"));
        let remedy = Remedy::reversible(
            "Look at them; what they were about cannot be taken back.",
            [format!("grep -vn '^{{.*}}$' {}", crate::judging::path_word(&dir.join(journal::FILE_NAME)))],
        );
        told = told.but(EXAMINATION.finding("unreadable", Severity::Warning, summary, remedy));
    }
    told
}
