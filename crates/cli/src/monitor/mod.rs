//! The library: what the commands do, as calls, for programs that embed alignwatch.
//!
//! Six calls, and three reads for tools that improve a workflow. Each is a thin door to the function behind a command, so
//! that both say the same. None of them prints, ends the process or takes its signals. What could not be seen is
//! `unknown` in the answer, with the reason, and no error; an error says that a call could not be done at all.
//!
//! | call | command |
//! |---|---|
//! | [`Monitor::check_system_health`] | `check` |
//! | [`Monitor::collect_performance_metrics`] | the numbers of `/metrics`, and runs as in `report` |
//! | [`Monitor::schedule_maintenance_task`], [`Monitor::run_due_tasks`] | `tasks` in the configuration, `task run --due` |
//! | [`Monitor::send_alert`] | as `notify test` sends |
//! | [`Monitor::run_diagnostics`] | `doctor` |
//! | [`Monitor::generate_monitoring_report`] | `report --format json --compat monitoring-session` |
//!
//! ```no_run
//! use alignwatch::{Monitor, monitor::{Period, Severity, Status}};
//!
//! let mut monitor = Monitor::new("/srv/git/product.git", None)?;
//! let health = monitor.check_system_health();
//! if matches!(health.status(), Status::Error | Status::Critical | Status::Unknown) {
//!     monitor.send_alert("team-slack", Severity::Error, "product.git is not well")?;
//! }
//! let scheduled = monitor.schedule_maintenance_task("backup", "0 2 * * *")?;
//! println!("{}", scheduled.yaml());
//! println!("{}", monitor.generate_monitoring_report(Period::Week)?);
//! # Ok::<(), alignwatch::failure::Failure>(())
//! ```

mod alerting;
mod health;
mod improvement;
mod performance;
mod upkeep;

use std::path::{Path, PathBuf};

use alignwatch_model::{Timestamp, config::Config, report::Times};
use serde_json::Value;

pub use alignwatch_model::run::times::Overall;
pub use alignwatch_model::{Severity, Status, notice::Delivered, report::Period, run::times::Durations};
pub use alignwatch_tasks::due::Ended;
pub use health::Health;
pub use performance::{Number, Performance};
pub use upkeep::Scheduled;

use crate::{
    commands::{Colour, Global, doctor, report},
    configuring,
    failure::Failure,
    installation::Around,
    report::DoctorReport,
    surroundings,
};

/// Watches over one repository for a program.
///
/// It holds the configuration as it was when it was made; make another to read it again.
#[derive(Debug)]
pub struct Monitor {
    global: Global,
    project: PathBuf,
    config: Config,
}

impl Monitor {
    /// For the repository at `project`, with this configuration file; without one, with the file that the commands read.
    ///
    /// That there is a repository is not asked: a call says so where it matters. Errors: the configuration can't be used,
    /// with all mistakes and their lines; the working directory is gone.
    pub fn new(project: impl AsRef<Path>, config: Option<PathBuf>) -> Result<Monitor, Failure> {
        Monitor::configured(project.as_ref(), config, None)
    }

    /// The same, and what is remembered is in this folder, as with `--data-dir`. Errors: as of [`Monitor::new`].
    pub fn with_data_dir(self, data_dir: impl Into<PathBuf>) -> Result<Monitor, Failure> {
        Monitor::configured(&self.project, self.global.config, Some(data_dir.into()))
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Looks whether this installation and the repository are well, as `doctor` does.
    pub fn run_diagnostics(&self) -> DoctorReport {
        doctor::report(&self.global, &Around::of(&self.global), std::slice::from_ref(&self.project), false, false)
    }

    /// The report on the time up to now, in the five parts of a monitoring session; its schema is
    /// `docs/schema/monitoring-session.schema.json`. A number that is not known is `null`.
    ///
    /// Errors: nothing was ever recorded of this repository, or the records can't be read.
    pub fn generate_monitoring_report(&self, period: Period) -> Result<Value, Failure> {
        let now = surroundings::now();
        // What was seen within this second belongs to it.
        let times = Times::of(period, Timestamp(now.0 + 1), &self.config.store, now);
        let held = report::held(&self.config, std::slice::from_ref(&self.project), &times)?;
        Ok(report::session(&held, &self.config, &times))
    }

    fn configured(project: &Path, config: Option<PathBuf>, data_dir: Option<PathBuf>) -> Result<Monitor, Failure> {
        let global = Global {
            config,
            data_dir,
            format: None,
            json: false,
            color: Colour::Never,
            verbose: 0,
            quiet: true,
            is_embedded: true,
        };
        let config = configuring::configure(&global)?;
        let project = std::path::absolute(project)
            .map_err(|error| Failure::could_not(format!("cannot tell where `{}` is: {error}", project.display())))?;
        Ok(Monitor { global, project, config })
    }
}
