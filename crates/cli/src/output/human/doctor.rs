//! `doctor` for people: the installation, then each repository by what its checks are about.
//!
//! What is well is folded into a line; each problem stands with what to do. `-v` unfolds all.

use alignwatch_model::{Finding, Status, checks::Family};

use super::{INDENT, block, check, footer, remedy};
use crate::{
    installation::Examined,
    mending::journal::Said,
    output::{
        escape,
        layout::{count, cut, pad, wrap},
        style::{Screen, Tone},
        table::{self, Cell, Column, Gives},
    },
    report::{CheckResult, Checked, DoctorReport, Judgement},
};

/// Checks of one family that are shown before the rest is counted.
const CAUSES_AT_MOST: usize = 4;

/// The whole answer of `doctor`.
pub fn doctor(report: &DoctorReport, screen: &Screen) -> String {
    let mut sections = vec![installation(screen, report)];
    sections.extend(report.checked.repositories.iter().map(|checked| repository(screen, checked)));
    if let Some(reason) = &report.no_repository {
        sections.push(footer::marked(screen, Status::Skipped, reason));
    }
    let sections: Vec<_> = sections.iter().map(|lines| lines.join("\n")).collect();
    sections.join("\n\n") + "\n"
}

fn installation(screen: &Screen, report: &DoctorReport) -> Vec<String> {
    let examined = &report.installation;
    let status = report.installation_status();
    let mut lines = vec![check::title(screen, "installation", status, &tally(examined.iter().map(Examined::status)))];
    for one in examined {
        let is_well = one.status() == Status::Ok;
        if screen.verbose > 0 {
            let says = format!("{}: {}", one.examination.title, escape::terminal(&one.told.says));
            lines.extend(marked(screen, one.status(), &says));
        } else if let (Some(reason), false) = (&one.told.unknown, is_well) {
            lines.extend(marked(screen, Status::Unknown, &format!("{}: {reason}", one.examination.title)));
        }
        lines.extend(one.told.findings.iter().flat_map(|finding| of_installation(screen, finding)));
    }
    if screen.verbose == 0 {
        lines.extend(program(screen, examined));
    }
    lines
}

/// Version and git are what one asks for first, also when all is well.
fn program(screen: &Screen, examined: &[Examined]) -> Option<String> {
    let told = examined.iter().take(2).map(|one| escape::terminal(&one.told.says).into_owned());
    let line = cut(screen, &told.collect::<Vec<_>>().join(&format!(" {} ", screen.dot())), screen.width - INDENT);
    Some(format!("{}{}", " ".repeat(INDENT), screen.paint(Tone::Faint, &line)))
}

fn of_installation(screen: &Screen, finding: &Finding) -> Vec<String> {
    let mut lines = headline(screen, finding, "");
    let mistakes = finding.evidence.get("mistakes").and_then(serde_json::Value::as_array);
    let mistakes = mistakes.into_iter().flatten().filter_map(serde_json::Value::as_str);
    lines.extend(block::indented(mistakes.map(|line| escape::terminal(line).into_owned())));
    if screen.verbose > 0 {
        lines.extend(block::details(screen, finding));
    }
    if screen.verbose > 0 || finding.remedy.commands.is_empty() {
        lines.extend(block::words(screen, finding));
    }
    lines.extend(remedy::commands(screen, finding));
    lines
}

fn repository(screen: &Screen, checked: &Checked) -> Vec<String> {
    let judgement = match &checked.judgement {
        Ok(judgement) => judgement,
        Err(failure) => return check::could_not(screen, &checked.path, &failure.message),
    };
    let path = &judgement.snapshot.repository.path;
    let mut lines = vec![check::title(screen, path, judgement.status(), &check::by_severity(screen, judgement))];
    lines.extend(remedy::first(screen, checked));
    let mut well = Vec::new();
    for family in Family::ALL {
        let results: Vec<_> = judgement.checks.iter().filter(|result| result.check.family == family).collect();
        if results.is_empty() {
            continue;
        }
        let is_well = |result: &&CheckResult| matches!(result.status, Status::Ok | Status::Skipped);
        if results.iter().all(is_well) && screen.verbose == 0 {
            well.push(well_family(family, &results));
        } else {
            lines.extend(of_family(screen, family, &results));
        }
    }
    let well: Vec<_> = well.into_iter().flatten().collect();
    if !well.is_empty() {
        lines.extend(marked(screen, Status::Ok, &well.join(", ")));
    }
    lines.extend(not_judged(screen, judgement));
    lines
}

/// `integrity 3 of 4`, where the other was skipped; nothing where all were.
fn well_family(family: Family, results: &[&CheckResult]) -> Option<String> {
    let n_ok = results.iter().filter(|result| result.status == Status::Ok).count();
    match (n_ok, results.len()) {
        (0, _) => None,
        (n, all) if n == all => Some(format!("{family} {n}")),
        (n, all) => Some(format!("{family} {n} of {all}")),
    }
}

fn of_family(screen: &Screen, family: Family, results: &[&CheckResult]) -> Vec<String> {
    let tally = tally(results.iter().map(|result| result.status));
    let mut lines = vec![format!("{}{}", " ".repeat(INDENT), screen.paint(Tone::Faint, &format!("{family}: {tally}")))];
    let mut findings: Vec<&Finding> = results.iter().flat_map(|result| &result.findings).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let crowds: Vec<_> = findings.chunk_by(|a, b| a.check == b.check && a.severity == b.severity).collect();
    if screen.verbose > 0 {
        lines.extend(findings.iter().flat_map(|finding| of_repository(screen, finding)));
    } else {
        lines.extend(crowds.iter().take(CAUSES_AT_MOST).flat_map(|crowd| of_crowd(screen, crowd)));
        lines.extend(left_out(screen, crowds.get(CAUSES_AT_MOST..).unwrap_or_default()));
    }
    if screen.verbose > 0 {
        let well = results.iter().filter(|result| result.status == Status::Ok);
        lines.extend(well.flat_map(|result| marked(screen, Status::Ok, result.check.title)));
    }
    lines
}

/// Everything that is known of a finding.
fn of_repository(screen: &Screen, finding: &Finding) -> Vec<String> {
    let parts = [
        block::headline(screen, finding, ""),
        block::details(screen, finding),
        block::words(screen, finding),
        remedy::remedy(screen, finding),
    ];
    parts.concat()
}

/// The findings of one check and severity: the first speaks for all, since checks put the gravest first.
fn of_crowd(screen: &Screen, crowd: &[&Finding]) -> Vec<String> {
    let first = crowd[0];
    if crowd.len() > 1 {
        let more = format!(" (+ {} more)", crowd.len() - 1);
        let mut lines = headline(screen, first, &more);
        lines.push(remedy::see_all(screen, first.check));
        return lines;
    }
    let mut lines = headline(screen, first, "");
    if first.remedy.commands.is_empty() {
        lines.extend(block::words(screen, first));
    }
    // One line to type, also in a pipe: the whole list is one command away.
    let short = Screen { rows: Some(usize::MAX), ..*screen };
    lines.extend(remedy::remedy(&short, first));
    lines
}

fn left_out(screen: &Screen, crowds: &[&[&Finding]]) -> Option<String> {
    let n_left: usize = crowds.iter().map(|crowd| crowd.len()).sum();
    let ids: Vec<_> = crowds.iter().map(|crowd| crowd[0].check).collect();
    let more = format!("{} {n_left} more: alignwatch check --only {}", screen.ellipsis(), ids.join(","));
    (n_left > 0).then(|| format!("{}{}", " ".repeat(INDENT), screen.paint(Tone::Faint, &more)))
}

/// One line on a terminal, the whole sentence elsewhere.
fn headline(screen: &Screen, finding: &Finding, more: &str) -> Vec<String> {
    if screen.rows.is_some() && screen.verbose == 0 {
        return vec![block::brief(screen, finding, more)];
    }
    block::headline(screen, finding, more)
}

/// What could not be judged, each reason once; what was skipped is told in full with `-v` and counted without.
fn not_judged(screen: &Screen, judgement: &Judgement) -> Vec<String> {
    let mut lines = footer::unknown(screen, judgement);
    let skipped: Vec<_> = judgement.with_status(Status::Skipped).collect();
    if screen.verbose > 0 {
        for result in skipped {
            let reason = escape::terminal(result.reason.as_deref().unwrap_or("no reason given"));
            lines.extend(marked(screen, Status::Skipped, &format!("{}: {reason}", result.check.id)));
        }
    } else if !skipped.is_empty() {
        let told = format!("{} not looked at; -v tells why", count(skipped.len(), "check"));
        lines.extend(marked(screen, Status::Skipped, &told));
    }
    lines
}

/// `1 error, 2 warnings, 5 ok`.
fn tally(statuses: impl Iterator<Item = Status> + Clone) -> String {
    let worst_first =
        [Status::Critical, Status::Error, Status::Unknown, Status::Warning, Status::Info, Status::Ok, Status::Skipped];
    let told = worst_first.into_iter().filter_map(|status| {
        let n = statuses.clone().filter(|&other| other == status).count();
        let plural = matches!(status, Status::Error | Status::Warning) && n != 1;
        (n > 0).then(|| format!("{n} {}{}", status.word(), if plural { "s" } else { "" }))
    });
    told.collect::<Vec<_>>().join(", ")
}

fn marked(screen: &Screen, status: Status, text: &str) -> Vec<String> {
    let mark = pad(&format!("{} {}", screen.symbol(status), status.word()), INDENT);
    let lines = wrap(text, screen.width - INDENT);
    let lead = |at| if at == 0 { screen.paint(Tone::Status(status), &mark) } else { " ".repeat(INDENT) };
    lines.into_iter().enumerate().map(|(at, line)| format!("{}{line}", lead(at))).collect()
}

/// The journal of repairs, the newest first.
pub fn journal(said: &Said, screen: &Screen) -> String {
    let columns = [
        Column { title: "id", gives: Gives::Nothing, is_number: true },
        Column { title: "state", gives: Gives::Nothing, is_number: false },
        Column { title: "begun", gives: Gives::Nothing, is_number: false },
        Column { title: "what", gives: Gives::EndThenAll { at_least: 20, rank: 1 }, is_number: false },
        Column { title: "repository", gives: Gives::Middle { reads_well: 30, at_least: 12 }, is_number: false },
    ];
    let repairs = said.repairs();
    if repairs.is_empty() {
        return "no repair was made\n".to_owned();
    }
    let rows: Vec<_> = repairs
        .iter()
        .rev()
        .map(|told| {
            let text = |text: &str| Cell::plain(escape::terminal(text).into_owned());
            vec![
                Cell::toned(Tone::Command, told.begun.id.to_string()),
                Cell::plain(told.state()),
                text(&told.begun.at),
                text(&told.begun.what),
                text(told.begun.repository.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    table::lines(screen, &columns, &rows).join("\n") + "\nundo: alignwatch doctor --undo ID\n"
}
