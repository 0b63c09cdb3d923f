//! Below the findings: what could not be judged or was not looked at, what is well, and how long it took.

use std::{collections::BTreeMap, time::Duration};

use alignwatch_model::Status;

use super::INDENT;
use crate::{
    output::{
        escape,
        layout::{count, cut, list, pad, wrap},
        style::{Screen, Tone},
    },
    report::{CheckResult, Checked, Judgement},
};

/// Reasons why checks could not judge, before the rest is counted.
const UNKNOWN_AT_MOST: usize = 2;

/// The lines below the findings.
pub(super) fn footer(screen: &Screen, checked: &Checked, judgement: &Judgement) -> Vec<String> {
    let mut lines = unknown(screen, judgement);
    lines.extend(skipped(screen, judgement));
    let well = judgement.with_status(Status::Ok).count();
    let ok = format!("{} {} ok", screen.symbol(Status::Ok), count(well, "check"));
    let next = match screen.verbose {
        0 => format!(" {} more: alignwatch check -v", screen.dot()),
        _ => String::new(),
    };
    let line = format!("{ok} {} {}{next}", screen.dot(), seconds(checked.elapsed));
    lines.push(screen.paint(Tone::Faint, &cut(screen, &line, screen.width)));
    lines
}

/// Reasons why something is not known, each with the checks that it blinds.
pub(super) fn unknown(screen: &Screen, judgement: &Judgement) -> Vec<String> {
    let mut by_reason = Vec::<(&str, Vec<String>)>::new();
    for result in judgement.undecided() {
        let reason = result.reason.as_deref().unwrap_or("no reason given");
        match by_reason.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, ids)) => ids.push(result.check.id.to_owned()),
            None => by_reason.push((reason, vec![result.check.id.to_owned()])),
        }
    }
    let at_most = if screen.verbose > 0 || screen.rows.is_none() { by_reason.len() } else { UNKNOWN_AT_MOST };
    let mut lines: Vec<_> =
        by_reason.iter().take(at_most).flat_map(|(reason, ids)| unknown_for(screen, reason, ids)).collect();
    if let Some(n_left) = by_reason.len().checked_sub(at_most).filter(|&n_left| n_left > 0) {
        lines.push(format!("{}{} {}", " ".repeat(INDENT), screen.ellipsis(), count(n_left, "more reason")));
    }
    lines
}

fn unknown_for(screen: &Screen, reason: &str, ids: &[String]) -> Vec<String> {
    let ids = list(screen, ids, ids.len(), (screen.width - INDENT) / 2);
    marked(screen, Status::Unknown, &format!("{ids}: {}", escape::terminal(reason)))
}

/// Skipped checks by their reason; those that were left out by request are only counted.
fn skipped(screen: &Screen, judgement: &Judgement) -> Vec<String> {
    let mut by_reason = BTreeMap::<&str, Vec<&CheckResult>>::new();
    for result in judgement.with_status(Status::Skipped) {
        by_reason.entry(result.reason.as_deref().unwrap_or("no reason given")).or_default().push(result);
    }
    let is_short = screen.rows.is_some() && screen.verbose == 0;
    if is_short && by_reason.len() > 1 {
        let n_skipped = by_reason.values().map(Vec::len).sum();
        let ids: Vec<_> = by_reason.values().flatten().map(|result| result.check.id.to_owned()).collect();
        let told = format!("{}: ", count(n_skipped, "check"));
        let ids = list(screen, &ids, ids.len(), screen.width - INDENT - told.len());
        return marked(screen, Status::Skipped, &format!("{told}{ids}"));
    }
    let told = |(reason, results): (&str, Vec<&CheckResult>)| {
        let reason = escape::terminal(reason);
        if reason.starts_with("left out by") {
            return format!("{} {reason}", count(results.len(), "check"));
        }
        let ids: Vec<_> = results.iter().map(|result| result.check.id).collect();
        format!("{}: {reason}", ids.join(", "))
    };
    by_reason.into_iter().flat_map(|skipped| marked(screen, Status::Skipped, &told(skipped))).collect()
}

/// Text behind its status: one line on a screen, all of it in a pipe or with `-v`.
pub(super) fn marked(screen: &Screen, status: Status, text: &str) -> Vec<String> {
    let room = screen.width - INDENT;
    let is_short = screen.rows.is_some() && screen.verbose == 0;
    let lines = if is_short { vec![cut(screen, text, room)] } else { wrap(text, room) };
    let mark = pad(&format!("{} {}", screen.symbol(status), status.word()), INDENT);
    let lead = |at| if at == 0 { screen.paint(Tone::Status(status), &mark) } else { " ".repeat(INDENT) };
    lines.into_iter().enumerate().map(|(at, line)| format!("{}{line}", lead(at))).collect()
}

/// Time as people read it.
pub(super) fn seconds(elapsed: Duration) -> String {
    match elapsed.as_secs_f64() {
        small if small < 10.0 => format!("{small:.2} s"),
        large => format!("{large:.0} s"),
    }
}
