//! How the repository and its machine are.

use alignwatch_git::health::pool::Borrowing;
use alignwatch_model::{Severity, Status, Timestamp};

use super::Monitor;
use crate::{
    judging::{self, Asked},
    output::json,
    report::{CheckReport, Checked},
    surroundings,
};

/// How a repository is, with all that was found: machine, repository and alignment in one.
#[derive(Debug)]
pub struct Health {
    /// When it was looked at.
    pub seen_at: Timestamp,
    /// What `check` has of it: one repository.
    pub report: CheckReport,
}

impl Health {
    /// The worst status of all checks; unknown where the repository could not be read.
    pub fn status(&self) -> Status {
        self.report.repositories.iter().map(Checked::status).fold(Status::Ok, Status::worst)
    }

    /// The document of `check --json`, `alignwatch.check/1`.
    pub fn json(&self) -> String {
        json::check(&self.report)
    }
}

impl Monitor {
    /// Looks at the repository and the machine once, as `check` does: resources, repository, runs and locks.
    ///
    /// It never fails: a repository that can't be read is unknown, and the report holds the reason.
    pub fn check_system_health(&self) -> Health {
        let seen_at = surroundings::now();
        let report = CheckReport { repositories: vec![self.looked_at()], fail_on: Some(Severity::Error), limit: None };
        Health { seen_at, report }
    }

    /// What the checks say of the repository now.
    pub(super) fn looked_at(&self) -> Checked {
        let borrowing = Borrowing::among(std::slice::from_ref(&self.project));
        let asked = Asked { borrowing: Some(&borrowing), ..Asked::default() };
        judging::check_one(&self.global, &self.config, asked, &self.project)
    }
}
