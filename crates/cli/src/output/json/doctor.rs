//! The documents of `doctor`: `alignwatch.doctor/1` and `alignwatch.repairs/1`.

use alignwatch_model::{Finding, Timestamp};
use serde::Serialize;

use super::{super::escape, RepositoryChecked, repository_checked};
use crate::{
    installation::Examined,
    mending::journal::{Said, Told},
    report::DoctorReport,
};

/// The document of `doctor`: `alignwatch.doctor/1`.
pub fn doctor(report: &DoctorReport) -> String {
    escape::json(&Document {
        schema: "alignwatch.doctor/1",
        seen_at: report.seen_at,
        version: env!("CARGO_PKG_VERSION"),
        installation: Installation {
            status: report.installation_status().word(),
            examinations: report.installation.iter().map(examination).collect(),
        },
        no_repository: report.no_repository.as_deref(),
        repositories: report.checked.repositories.iter().map(repository_checked).collect(),
    })
}

/// The document of `doctor --journal`: `alignwatch.repairs/1`.
pub fn journal(said: &Said) -> String {
    let repairs = said.repairs();
    escape::json(&Journal {
        schema: "alignwatch.repairs/1",
        n_unreadable: said.n_unreadable,
        repairs: repairs.iter().map(repair).collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    seen_at: Timestamp,
    version: &'static str,
    installation: Installation<'a>,
    no_repository: Option<&'a str>,
    repositories: Vec<RepositoryChecked<'a>>,
}

#[derive(Serialize)]
struct Installation<'a> {
    status: &'static str,
    examinations: Vec<Examination<'a>>,
}

#[derive(Serialize)]
struct Examination<'a> {
    id: &'a str,
    title: &'a str,
    status: &'static str,
    says: &'a str,
    reason: Option<&'a str>,
    findings: &'a [Finding],
}

#[derive(Serialize)]
struct Journal<'a> {
    schema: &'static str,
    n_unreadable: usize,
    repairs: Vec<Repair<'a>>,
}

#[derive(Serialize)]
struct Repair<'a> {
    id: u64,
    state: &'static str,
    begun_at: &'a str,
    what: &'a str,
    repository: Option<&'a str>,
    words: Option<&'a str>,
    undone_at: Option<&'a str>,
}

fn examination(examined: &Examined) -> Examination<'_> {
    Examination {
        id: examined.examination.id,
        title: examined.examination.title,
        status: examined.status().word(),
        says: &examined.told.says,
        reason: examined.told.unknown.as_deref(),
        findings: &examined.told.findings,
    }
}

fn repair<'a>(told: &Told<'a>) -> Repair<'a> {
    Repair {
        id: told.begun.id,
        state: told.state(),
        begun_at: &told.begun.at,
        what: &told.begun.what,
        repository: told.begun.repository.as_deref(),
        words: told.ended.and_then(|ended| ended.words.as_deref()),
        undone_at: told.undone.map(|undone| &*undone.at),
    }
}
