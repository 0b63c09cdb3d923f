//! What a person sees, at the widths that terminals have.

use alignwatch::{
    output::{human, markdown, style::Screen},
    report::{CheckReport, Selection, Sort},
};
use alignwatch_model::State;
use insta::assert_snapshot;

use crate::made_up;

const SMALL: Screen = Screen { width: 80, rows: Some(24), colour: false, unicode: true, verbose: 0 };
const LARGE: Screen = Screen { width: 120, rows: Some(40), ..SMALL };
const PIPE: Screen = Screen { width: 100, rows: None, ..SMALL };

fn all_reports() -> [CheckReport; 6] {
    let (large, hostile) = (made_up::judged(made_up::large()), made_up::judged(made_up::hostile()));
    [made_up::ill(), made_up::well(), made_up::nasty(), made_up::fleet(), large, hostile]
}

#[test]
fn a_large_ill_repository_fits_a_small_terminal() {
    let shown = human::check(&made_up::ill(), &SMALL);
    assert!(shown.lines().count() < 24, "{shown}");
    assert_snapshot!(shown);
}

#[test]
fn a_large_ill_repository_uses_a_large_terminal() {
    let shown = human::check(&made_up::ill(), &LARGE);
    assert!(shown.lines().count() < 40, "{shown}");
    assert_snapshot!(shown);
}

#[test]
fn commands_are_for_the_repository_and_the_way_there_is_told() {
    let mut report = made_up::ill();
    report.repositories[0].path_word = "'/srv/my repository'".into();
    let shown = human::check(&report, &SMALL);
    assert!(shown.contains("\n    first: cd '/srv/my repository'\n"), "{shown}");
    assert!(shown.lines().count() < 24, "{shown}");
}

#[test]
fn in_a_pipe_all_is_told() {
    assert_snapshot!(human::check(&made_up::ill(), &PIPE));
}

#[test]
fn verbose_tells_all_that_is_known() {
    assert_snapshot!(human::check(&made_up::ill(), &Screen { verbose: 1, ..SMALL }));
}

#[test]
fn a_healthy_repository_needs_few_lines() {
    assert_snapshot!(human::check(&made_up::well(), &SMALL));
}

#[test]
fn several_repositories_end_with_a_line_for_all() {
    assert_snapshot!(human::check(&made_up::fleet(), &SMALL));
}

#[test]
fn without_unicode_and_colour_all_is_still_said() {
    let ascii = human::check(&made_up::well(), &Screen { unicode: false, ..SMALL })
        + &human::branches(
            &made_up::branches(made_up::healthy(), Selection::default()),
            &Screen { unicode: false, ..SMALL },
        );
    assert!(ascii.is_ascii(), "{ascii}");
    assert_snapshot!(ascii);
}

#[test]
fn a_crowd_of_branches_begins_with_the_urgent_ones() {
    let report = made_up::branches(made_up::large(), Selection::default());
    let small = human::branches(&report, &SMALL);
    assert!(small.lines().count() < 24, "{small}");
    assert_snapshot!("branches_80", small);
    assert_snapshot!("branches_120", human::branches(&report, &LARGE));
}

#[test]
fn branches_can_be_chosen_and_sorted() {
    let selection =
        Selection { states: vec![State::Diverged, State::Unknown], path: None, sort: Sort::Behind, limit: Some(6) };
    assert_snapshot!(human::branches(&made_up::branches(made_up::large(), selection), &LARGE));
    let none = Selection { states: vec![State::Reverted], ..Selection::default() };
    assert_snapshot!("no_branches", human::branches(&made_up::branches(made_up::healthy(), none), &LARGE));
}

#[test]
fn branches_that_conflict_at_one_path_can_be_chosen() {
    let all = made_up::branches(made_up::large(), Selection::default());
    let conflicts = |branch: &alignwatch_model::Branch, path: &str| {
        branch.merge.conflicts.iter().flatten().any(|conflict| conflict.path == path)
    };
    let first = all.snapshot.branches.iter().flat_map(|branch| branch.merge.conflicts.iter().flatten()).next();
    let path = first.expect("one conflicts").path.clone();
    let (n_all, selected) = (all.selected().len(), all.selected());
    let expected = selected.iter().filter(|branch| conflicts(branch, &path));
    let expected: Vec<String> = expected.map(|branch| branch.name.to_string()).collect();
    let chosen = made_up::branches(made_up::large(), Selection { path: Some(path), ..Selection::default() });
    let chosen: Vec<String> = chosen.selected().iter().map(|branch| branch.name.to_string()).collect();
    assert_eq!(chosen, expected);
    assert!(!expected.is_empty() && expected.len() < n_all);
}

#[test]
fn in_a_pipe_no_name_is_cut_and_no_branch_left_out() {
    let shown = human::branches(&made_up::branches(made_up::large(), Selection::default()), &PIPE);
    for branch in alignwatch::report::all_branches(&made_up::large()) {
        let name = alignwatch::output::escape::terminal(&branch.name.short().text()).into_owned();
        assert!(shown.contains(&name), "{name}");
    }
}

#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    let report = made_up::branches(made_up::hostile(), Selection { limit: Some(0), ..Selection::default() });
    assert_snapshot!("hostile_branches", human::branches(&report, &LARGE));
    assert_snapshot!("hostile_check", human::check(&made_up::nasty(), &SMALL));
    assert_snapshot!("hostile_markdown", markdown::check(&made_up::nasty()));
    assert_snapshot!("hostile_markdown_branches", markdown::branches(&report));
}

#[test]
fn a_report_in_markdown() {
    assert_snapshot!(markdown::check(&made_up::ill()));
}

#[test]
fn nothing_runs_over_the_edge_of_a_terminal() {
    for report in &all_reports() {
        for screen in [SMALL, LARGE, Screen { width: 60, rows: Some(15), ..SMALL }] {
            for line in human::check(report, &screen).lines() {
                let width = alignwatch::output::layout::width(line);
                assert!(width <= screen.width, "{width} columns of {}: {line}", screen.width);
            }
        }
    }
    let report = made_up::branches(made_up::large(), Selection { limit: Some(0), ..Selection::default() });
    for screen in [SMALL, LARGE, Screen { width: 60, rows: Some(15), ..SMALL }] {
        for line in human::branches(&report, &screen).lines() {
            assert!(alignwatch::output::layout::width(line) <= screen.width, "{line}");
        }
    }
}

/// Only escape sequences for colour, only ours, and only when they are wanted.
#[test]
fn a_terminal_finds_nothing_to_obey_but_our_colours() {
    let selection = || Selection { limit: Some(0), ..Selection::default() };
    for screen in [SMALL, PIPE, Screen { colour: true, ..LARGE }, Screen { colour: true, verbose: 1, ..SMALL }] {
        let mut shown: Vec<_> = all_reports().iter().map(|report| human::check(report, &screen)).collect();
        shown.push(human::branches(&made_up::branches(made_up::hostile(), selection()), &screen));
        for text in shown {
            assert_eq!(text.contains('\u{1b}'), screen.colour);
            assert_harmless(&without_colours(&text));
        }
    }
}

pub(crate) fn without_colours(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        let sequence = &rest[at + 2..];
        let end = sequence.find('m').expect("a colour ends in m");
        assert!(sequence[..end].bytes().all(|byte| byte.is_ascii_digit() || byte == b';'), "{sequence:?}");
        rest = &sequence[end + 1..];
    }
    plain + rest
}

pub(crate) fn assert_harmless(text: &str) {
    let hurts = |char: &char| *char != '\n' && alignwatch::output::escape::is_unsafe(*char);
    assert_eq!(text.chars().find(hurts), None, "{text}");
}

#[test]
fn colours_take_no_room_and_change_no_word() {
    let plain = human::check(&made_up::ill(), &SMALL);
    let coloured = human::check(&made_up::ill(), &Screen { colour: true, ..SMALL });
    assert_eq!(without_colours(&coloured), plain);
}
