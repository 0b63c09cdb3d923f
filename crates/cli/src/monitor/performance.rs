//! What is measured: the metrics of a look, and how long runs took.

use std::collections::BTreeMap;

use alignwatch_model::{
    Known, Timestamp,
    checks::Judged,
    metrics::{self, Measured, Tally},
    run::{Document, times::Overall},
};
use serde::Serialize;

use super::Monitor;
use crate::{failure::Failure, report::Judgement};

/// What was measured at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Performance {
    /// When.
    pub seen_at: Timestamp,
    /// Numbers of the repository and the machine, in the order of docs/METRICS.md. What is not known is not there.
    pub numbers: Vec<Number>,
    /// How long alignment runs took.
    pub runs: Known<Overall>,
}

/// A number of a metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Number {
    /// Its name, as docs/METRICS.md explains it.
    pub metric: &'static str,
    /// Its unit; empty for plain numbers.
    pub unit: &'static str,
    /// Its labels.
    pub labels: BTreeMap<&'static str, String>,
    /// Its value; ratios are 0 to 1.
    pub value: f64,
}

impl Monitor {
    /// Measures all metrics that one look gives, and how long the recorded runs took.
    ///
    /// Errors: the repository can't be read.
    pub fn collect_performance_metrics(&self) -> Result<Performance, Failure> {
        let judgement = self.looked_at().judgement?;
        let runs = Known::from_result(self.recorded().map_err(|failure| failure.message));
        let runs = runs.map(|runs| Overall::of(&runs.iter().collect::<Vec<&Document>>()));
        Ok(Performance { seen_at: judgement.snapshot.seen_at, numbers: self.numbers(&judgement), runs })
    }

    fn numbers(&self, judgement: &Judgement) -> Vec<Number> {
        let judged: Vec<Judged> = judgement.checks.iter().map(judged).collect();
        let snapshot = &judgement.snapshot;
        let measured = Measured {
            snapshot,
            judged: &judged,
            config: &self.config,
            tally: &Tally::default(),
            now: snapshot.seen_at,
        };
        let of = |metric: &'static metrics::Metric| {
            (metric.read)(&measured).into_iter().map(move |sample| Number {
                metric: metric.name,
                unit: metric.unit,
                labels: metric.labels.iter().copied().zip(sample.labels).collect(),
                value: sample.value,
            })
        };
        metrics::ALL.iter().copied().flat_map(of).collect()
    }

    /// The runs that are recorded of this repository. Errors: they can't be read.
    pub(super) fn recorded(&self) -> Result<Vec<Document>, Failure> {
        let wrong = |reason: String| Failure::could_not(format!("cannot read the recorded runs: {reason}"));
        let data_dir = crate::configuring::data_dir(&self.config);
        let data_dir = data_dir.ok_or_else(|| wrong("there is no data directory".to_owned()))?;
        let opened = alignwatch_git::repository::open(&self.project).map_err(|error| Failure::caused_by(&error))?;
        alignwatch_daemon::runs::documents(&data_dir, &opened.id()).map_err(wrong)
    }

    /// How busy the machine is, in percent; a number that could not be felt is unknown.
    pub(super) fn felt(&self) -> BTreeMap<&'static str, Known<f64>> {
        let places = [("repository", self.project.as_path())];
        let sampler = alignwatch_host::Sampler::start();
        let host = sampler.finish(&places);
        let disk = |system: &alignwatch_model::host::FileSystem| system.space.clone().map(|space| space.used_percent());
        BTreeMap::from([
            ("cpu", host.cpu_percent.clone()),
            ("memory", host.memory.clone().map(|memory| memory.used_percent())),
            ("disk", host.file_systems.first().map_or(Known::Unknown("it was not looked at".to_owned()), disk)),
        ])
    }
}

fn judged(result: &crate::report::CheckResult) -> Judged {
    Judged {
        check: result.check,
        status: result.status,
        reason: result.reason.clone(),
        findings: result.findings.clone(),
    }
}
