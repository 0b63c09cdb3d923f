//! `program`: which alignwatch this is.

use super::{Around, Examination, Told};

/// Version and platform of this program.
pub(super) static EXAMINATION: Examination = Examination {
    id: "program",
    title: "alignwatch",
    why: "A report without the version cannot be compared with another",
    examine,
};

fn examine(_: &Around) -> Told {
    Told::well(format!(
        "alignwatch {} on {} {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    ))
}
