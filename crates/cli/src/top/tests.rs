//! Screens of the live view, as a terminal of eighty columns and twenty-four lines shows them.

use alignwatch_daemon::board::{Board, BoardRepository, BoardTask};
use alignwatch_model::{
    Timestamp,
    branch::State,
    kept::KeptBranch,
    run::{Document, Moment, Outcome, RunId},
};
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};

use super::{
    screen,
    view::{Asked, Tab, View},
};
use crate::output::style::Screen;

const NOW: Timestamp = Timestamp(1_768_176_000);

/// A name that would clear the screen, turn text around and ring, if it were obeyed.
const HOSTILE: &str = "refs/heads/\x1b[2J\x07\u{202e}evil\u{200b}-分支-👩\u{200d}💻";

fn branch(name: &str, state: State, behind: Option<u32>) -> KeptBranch {
    let text = serde_json::json!({
        "ref": name, "oid": null, "base": "refs/heads/main", "base_oid": null, "base_confidence": 1.0,
        "relation": "track", "budget": alignwatch_model::relation::Budget::default(), "state": state, "reason": null,
        "ahead": 2, "behind": behind, "n_merge_bases": 1, "verdict": "conflict", "merge_reason": null,
        "conflicts": [], "n_conflicts": 3, "merged_proof": null, "author": null, "subject": "fix the \u{1b}[31m login",
        "committed_at": NOW.0 - 86_400 * 9, "base_at": null, "missing_since": null,
    });
    serde_json::from_value(text).unwrap()
}

fn board() -> Board {
    let repository =
        BoardRepository { path: "/srv/git/product.git".into(), status: "error".into(), ..Default::default() };
    let mut run = alignwatch_model::run::Run::default().document().unwrap_or(Document {
        schema: String::new(),
        run: RunId::from_parts(1, [1; 10]),
        outcome: Some(Outcome::Conflict),
        began_at: Some(Moment((NOW.0 - 3_700) * 1_000)),
        ended_at: None,
        heard_at: None,
        started: None,
        finished: None,
        stages: Vec::new(),
        operations: Vec::new(),
        verification: None,
        n_events: 1,
    });
    run.schema = alignwatch_model::run::SCHEMA.into();
    Board {
        repositories: vec![repository],
        branches: vec![
            ("/srv/git/product.git".into(), branch("refs/heads/small", State::Diverged, Some(1))),
            ("/srv/git/product.git".into(), branch(HOSTILE, State::Conflicting, Some(41))),
            ("/srv/git/product.git".into(), branch("refs/heads/lost", State::Unknown, None)),
        ],
        runs: vec![run],
        alerts: Vec::new(),
        tasks: vec![BoardTask {
            id: 7,
            at: Timestamp(NOW.0 - 60),
            task: "pack-refs".into(),
            repository: "/srv/git/product.git".into(),
            result: "effect".into(),
            because: "loose refs 900 → 0".into(),
        }],
        troubles: Vec::new(),
    }
}

fn view() -> View {
    View { board: Some(board()), from: "from 127.0.0.1:8750".into(), read_at: Timestamp(NOW.0 - 2), ..View::default() }
}

fn look(colour: bool) -> Screen {
    Screen { width: 80, rows: Some(24), colour, unicode: true, verbose: 0 }
}

fn terminal(view: &View, size: (u16, u16), colour: bool) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| screen::draw(frame, view, &look(colour), NOW)).unwrap();
    terminal
}

/// What is to be read, line by line.
fn shown(view: &View, size: (u16, u16)) -> String {
    let terminal = terminal(view, size, false);
    let buffer = terminal.backend().buffer();
    let line = |y: u16| (0..size.0).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..size.1).map(line).collect::<Vec<_>>().join("\n")
}

fn press(view: &mut View, code: KeyCode) -> Asked {
    view.key(KeyEvent::new(code, KeyModifiers::NONE), 10, NOW)
}

#[test]
fn the_urgent_branches_come_first_and_names_of_others_are_text() {
    let text = shown(&view(), (80, 24));
    insta::assert_snapshot!("branches", text);
    assert!(!text.contains('\x1b') && !text.contains('\u{202e}') && !text.contains('\u{200b}'), "{text:?}");
}

#[test]
fn each_list_has_its_screen() {
    let mut view = view();
    for (key, name) in [('2', "runs"), ('3', "alerts"), ('4', "tasks"), ('?', "help")] {
        press(&mut view, KeyCode::Char(key));
        insta::assert_snapshot!(name, shown(&view, (80, 24)));
    }
}

#[test]
fn keys_move_filter_and_quit() {
    let mut view = view();
    assert_eq!(press(&mut view, KeyCode::Right), Asked::Nothing);
    assert_eq!(view.tab, Tab::Runs);
    press(&mut view, KeyCode::BackTab);
    press(&mut view, KeyCode::End);
    assert_eq!(view.chosen(3), 2);
    press(&mut view, KeyCode::Down);
    assert_eq!(view.chosen(3), 2, "there is nothing below the last");
    for key in [KeyCode::Char('/'), KeyCode::Char('q'), KeyCode::Backspace, KeyCode::Char('S'), KeyCode::Char('m')] {
        assert_eq!(press(&mut view, key), Asked::Nothing);
    }
    assert_eq!(view.rows(Tab::Branches, NOW).len(), 1);
    assert_eq!(view.chosen(1), 0, "what is chosen is always there");
    press(&mut view, KeyCode::Enter);
    assert_eq!(press(&mut view, KeyCode::Esc), Asked::Nothing, "first the filter goes");
    assert_eq!(press(&mut view, KeyCode::Esc), Asked::Quit);
    assert_eq!(press(&mut view, KeyCode::Char('r')), Asked::Refresh);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(view.key(interrupt, 10, NOW), Asked::Quit);
}

#[test]
fn without_colour_there_is_none_and_nothing_is_lost() {
    let coloured = |colour| {
        let terminal = terminal(&view(), (80, 24), colour);
        let cells = terminal.backend().buffer().content().to_vec();
        cells.iter().filter(|cell| cell.fg != ratatui::style::Color::Reset).count()
    };
    assert_eq!(coloured(false), 0);
    assert!(0 < coloured(true));
    assert!(shown(&view(), (80, 24)).contains("1 error"));
}

#[test]
fn any_size_and_nothing_at_all_can_be_drawn() {
    for size in [(1, 1), (40, 10), (41, 9), (60, 12), (80, 24), (300, 100)] {
        for view in [View::default(), view(), View { shows_help: true, ..view() }] {
            terminal(&view, size, true);
        }
    }
    let lost = View { trouble: Some("no daemon answers".into()), ..View::default() };
    assert!(shown(&lost, (80, 24)).contains("no daemon answers"));
}
