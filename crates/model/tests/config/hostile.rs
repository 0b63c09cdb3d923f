//! Files that were mutilated, made up, or made to hurt: never a panic, always a place.

use alignwatch_model::{
    config::{Config, ConfigError, File, Place, Sources, load, starter_file},
    quote::is_unsafe,
};
use proptest::{prelude::*, sample::select, strategy::ValueTree};

/// The starter file with all keys set: nearly every change to it matters.
fn set_file() -> String {
    let is_words = |line: &&str| line.trim_start().starts_with("# ") || line.trim() == "#";
    starter_file().lines().filter(|line| !is_words(line)).map(|line| line.replacen('#', "", 1) + "\n").collect()
}

/// One change of a file.
#[derive(Clone, Debug)]
enum Change {
    Remove { at: usize, n_chars: usize },
    Insert { at: usize, text: String },
    RepeatLine { line: usize },
    SwapLines { one: usize, other: usize },
    Indent { line: usize, n_spaces: usize },
}

fn change() -> impl Strategy<Value = Change> {
    let place = 0..2_000_usize;
    let line = 0..60_usize;
    prop_oneof![
        (place.clone(), 1..40_usize).prop_map(|(at, n_chars)| Change::Remove { at, n_chars }),
        (place, snippet()).prop_map(|(at, text)| Change::Insert { at, text }),
        line.clone().prop_map(|line| Change::RepeatLine { line }),
        (line.clone(), line.clone()).prop_map(|(one, other)| Change::SwapLines { one, other }),
        (line, 0..9_usize).prop_map(|(line, n_spaces)| Change::Indent { line, n_spaces }),
    ]
}

/// Pieces that mean something to YAML or to us, and some that mean nothing.
fn snippet() -> impl Strategy<Value = String> {
    let pieces = [
        ":",
        ": ",
        "-",
        "- ",
        "\n",
        "\t",
        "  ",
        "#",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&a ",
        "*a",
        "!x ",
        "!!str ",
        "|",
        ">",
        "\"",
        "'",
        "\\",
        "?",
        "? ",
        "%",
        "@",
        "`",
        "~",
        "null",
        "---\n",
        "...\n",
        "<<: ",
        "\u{feff}",
        "\u{202e}",
        "\u{1b}[2J",
        "\0",
        "\r\n",
        "\u{85}",
        "é",
        "分",
        "14d",
        "-1",
        "1e9",
        "0x10",
        "true",
        "NO",
        "refs",
        "budget:",
        "relations:",
        "**",
        "99999999999999999999",
        "branches: [a]",
    ];
    select(pieces.to_vec()).prop_map(str::to_owned)
}

fn apply(text: &str, change: &Change) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.lines().collect();
    match change {
        Change::Remove { at, n_chars } => {
            let at = at % (chars.len() + 1);
            chars[..at].iter().chain(chars[at..].iter().skip(*n_chars)).collect()
        }
        Change::Insert { at, text } => {
            let (before, after) = chars.split_at(at % (chars.len() + 1));
            before.iter().copied().chain(text.chars()).chain(after.iter().copied()).collect()
        }
        Change::RepeatLine { line } => {
            let Some(line) = lines.get(*line).copied() else { return text.to_owned() };
            lines.push(line);
            lines.join("\n")
        }
        Change::SwapLines { one, other } => {
            if *one < lines.len() && *other < lines.len() {
                lines.swap(*one, *other);
            }
            lines.join("\n")
        }
        Change::Indent { line, n_spaces } => {
            let lines = lines.iter().enumerate().map(|(at, content)| match at == *line {
                true => format!("{}{}", " ".repeat(*n_spaces), content.trim_start()),
                false => (*content).to_owned(),
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

/// All that is promised of errors.
fn check(text: &str, errors: &[ConfigError]) -> Result<(), TestCaseError> {
    prop_assert!(!errors.is_empty());
    prop_assert!(errors.is_sorted_by(|a, b| a.place <= b.place) || errors.len() > 100);
    let n_lines = text.lines().count() as u32 + 1;
    for error in errors {
        let Place::File { line, column, .. } = &error.place else { panic!("{error:?}") };
        let is_count_of_others = error.problem.ends_with("more mistakes");
        prop_assert!(is_count_of_others || (1..=n_lines).contains(line), "{:?} of {} lines", error, n_lines);
        prop_assert!(is_count_of_others || *column >= 1, "{:?}", error);
        let told = format!("{error}\n{}", error.excerpt.as_ref().map(ToString::to_string).unwrap_or_default());
        prop_assert!(!told.chars().any(|c| c != '\n' && is_unsafe(c)), "{:?}", told);
        prop_assert!(!error.problem.is_empty() && !error.fix.is_empty());
    }
    Ok(())
}

fn check_bytes(bytes: &[u8]) -> Result<(), TestCaseError> {
    match load(&Sources { file: Some(File { name: "a.yaml", bytes }), ..Sources::default() }) {
        Ok(_) => Ok(()),
        Err(errors) => check(&String::from_utf8_lossy(bytes), &errors),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_mutilated_starter_file_is_read_or_told_with_its_places(changes in proptest::collection::vec(change(), 1..6)) {
        let text = changes.iter().fold(set_file(), |text, change| apply(&text, change));
        check_bytes(text.as_bytes())?;
    }

    #[test]
    fn made_up_yaml_is_read_or_told_with_its_places(pieces in proptest::collection::vec(snippet(), 0..40)) {
        check_bytes(pieces.concat().as_bytes())?;
    }

    #[test]
    fn arbitrary_bytes_are_read_or_told_with_their_places(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_bytes(&bytes)?;
    }

    #[test]
    fn arbitrary_text_is_read_or_told_with_its_places(text in any::<String>()) {
        check_bytes(text.as_bytes())?;
    }
}

#[test]
fn most_mutilations_are_mistakes() {
    // Else the test above would show little.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let changes = proptest::collection::vec(change(), 1..6);
    let n_bad = (0..300).filter(|_| {
        let changes = changes.new_tree(&mut runner).expect("a value").current();
        let text = changes.iter().fold(set_file(), |text, change| apply(&text, change));
        Config::from_yaml(&text, "a.yaml").is_err()
    });
    let n_bad = n_bad.count();
    assert!(n_bad > 200, "{n_bad} of 300");
}

#[test]
fn a_country_stays_a_country() {
    let text = "bases: [NO, no, off, 1.0, 0755, 0x1F, 1e3, true, 'null', 2024-01-01]\n";
    let (config, _) = Config::from_yaml(text, "a.yaml").expect("branches may be called so");
    assert_eq!(config.bases, ["NO", "no", "off", "1.0", "0755", "0x1F", "1e3", "true", "null", "2024-01-01"]);
}

#[test]
fn large_files_of_every_shape_end_soon() {
    let n = 60_000;
    let shapes = [
        "[".repeat(n),
        "{a: ".repeat(n),
        "- ".repeat(n),
        "a: &a [".repeat(n / 8),
        "? ".repeat(n),
        format!("bases: [{}]", "x, ".repeat(n)),
        (0..n / 8).map(|at| format!("k{at}: 1\n")).collect(),
        format!("bases: [{}]", (0..n / 8).map(|at| format!("b{at}, ")).collect::<String>()),
        format!("bases: [\"{}\"]", "x".repeat(n)),
        format!("{}: 1", "x".repeat(n)),
        "\t".repeat(n),
        "'".repeat(n),
        "|\n".repeat(n),
        format!(
            "relations:\n{}",
            (0..1_000).map(|at| format!("  - branches: [b{at}, \"c{at}/*\"]\n")).collect::<String>()
        ),
    ];
    for shape in shapes {
        // Whatever is said of them: it is said, and nothing overflows or takes the square of the length.
        let _ = Config::from_yaml(&shape, "a.yaml");
    }
}
