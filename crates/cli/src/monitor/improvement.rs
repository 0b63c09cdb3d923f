//! Three reads for tools that improve a workflow: how long it takes as a whole, what of it takes how long, what it uses.

use std::collections::BTreeMap;

use super::Monitor;
use crate::failure::Failure;
use alignwatch_model::{
    Known,
    run::{
        Document,
        times::{self, Durations, Overall},
    },
};

impl Monitor {
    /// How long alignment runs of this repository take as a whole. Errors: the records can't be read.
    pub fn overall_performance(&self) -> Result<Overall, Failure> {
        Ok(Overall::of(&self.recorded()?.iter().collect::<Vec<&Document>>()))
    }

    /// How long each part takes: workflows by name, and the stages that they reported as `workflow/stage`.
    ///
    /// Errors: the records can't be read.
    pub fn performance_by_component(&self) -> Result<BTreeMap<String, Durations>, Failure> {
        let runs = self.recorded()?;
        Ok(times::by_component(&runs.iter().collect::<Vec<&Document>>()))
    }

    /// How busy `cpu`, `memory` and `disk` are, in percent: averages over a moment, of the file system on which the
    /// repository is. What could not be felt is unknown, with the reason.
    pub fn resource_use(&self) -> BTreeMap<&'static str, Known<f64>> {
        self.felt()
    }
}
