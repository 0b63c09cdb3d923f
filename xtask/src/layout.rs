//! Holds the workspace to its own rules: what may depend on what, who may start processes,
//! print, or read a clock, and that documents name only what is there.
//!
//! The rules are stated in docs/ARCHITECTURE.md. Each is a pure function from the text of a
//! file to problems, so each has a test that shows it can fail; one test runs all
//! of them over the workspace. It is text that is looked at, not syntax: comments and
//! test modules at the end of a file are left out, and that is enough to keep honest
//! people honest.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A file of the workspace.
struct File {
    /// From the top of the workspace, with `/`.
    path: String,
    text: String,
}

/// A rule: what is wrong with a file, as sentences without its name.
type Rule = fn(&File) -> Vec<String>;

/// All rules that look at one file at a time. One line a rule.
const RULES: &[Rule] = &[
    crates_use_only_what_they_may,
    lints_are_those_of_the_workspace,
    only_git_starts_processes,
    only_cli_prints,
    the_model_only_thinks,
    names_say_what_a_file_is_for,
    no_path_of_a_machine,
    lock_files_name_crates_io_only,
];

/// Which of our crates each crate may use. Tests may use `testkit`, too.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("git", &["model"]),
    ("host", &["model"]),
    ("records", &["model"]),
    ("notify", &["model"]),
    ("store", &["model"]),
    ("tasks", &["model", "git", "records", "store"]),
    ("web", &["model", "store"]),
    ("daemon", &["model", "git", "host", "notify", "records", "store", "tasks", "web"]),
    ("cli", &["model", "git", "host", "notify", "records", "daemon", "tasks"]),
    ("testkit", &["model"]),
];

fn crates_use_only_what_they_may(file: &File) -> Vec<String> {
    let Some(name) = crate_of(file).filter(|_| file.path.ends_with("/Cargo.toml")) else { return Vec::new() };
    let Some((_, may)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return vec![format!("crate `{name}` is not in the list of arrows in xtask/src/layout.rs")];
    };
    let mut section = "";
    let mut problems = Vec::new();
    for line in file.text.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let Some(used) = line.strip_prefix("alignwatch-").and_then(|rest| rest.split(['.', ' ', '=']).next()) else {
            continue;
        };
        let is_for_tests = section.contains("dev-dependencies");
        if !may.contains(&used) && !(is_for_tests && (used == "testkit" || used == name)) {
            problems.push(format!("`{name}` must not use `{used}` ({section})"));
        }
    }
    problems
}

fn lints_are_those_of_the_workspace(file: &File) -> Vec<String> {
    let is_member = file.path.ends_with("/Cargo.toml");
    let has_lints = file.text.contains("[lints]\nworkspace = true");
    if is_member && !has_lints { vec!["lacks `[lints] workspace = true`".to_owned()] } else { Vec::new() }
}

fn only_git_starts_processes(file: &File) -> Vec<String> {
    match crate_of(file) {
        None | Some("git" | "testkit") => Vec::new(),
        // The one command that somebody asked to be run.
        Some("records") if file.path.ends_with("/wrap.rs") => Vec::new(),
        // The programs that the configuration names: a channel, and what tells a secret.
        Some("notify") if file.path.ends_with("/program.rs") => Vec::new(),
        // A test, as a file of its own.
        Some("notify") if file.path.ends_with("/peers.rs") => Vec::new(),
        Some(_) => {
            found(file, &["process::Command", "Command::new(", "unistd::fork", "unistd::exec"], "starts a process")
        }
    }
}

fn only_cli_prints(file: &File) -> Vec<String> {
    match crate_of(file) {
        None | Some("cli") => Vec::new(),
        Some("testkit") if file.path.contains("/src/bin/") => Vec::new(),
        Some(_) => {
            found(file, &["print!(", "println!(", "io::stdout", "io::stderr", "process::exit"], "prints or exits")
        }
    }
}

fn the_model_only_thinks(file: &File) -> Vec<String> {
    let doing = [
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "std::thread",
        "SystemTime",
        "Instant",
        "async fn",
        "std::path",
    ];
    match crate_of(file) {
        Some("model") => found(file, &doing, "does more than think"),
        _ => Vec::new(),
    }
}

fn names_say_what_a_file_is_for(file: &File) -> Vec<String> {
    let stem = file.path.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
    let says_nothing = ["utils", "util", "helpers", "helper", "common", "manager", "misc"].contains(&stem);
    if says_nothing { vec![format!("`{stem}` says nothing about what is in it")] } else { Vec::new() }
}

fn no_path_of_a_machine(file: &File) -> Vec<String> {
    let places = ["root", "work", "Users", "builds"].map(|name| format!("/{name}/"));
    let begins_there = |line: &str, place: &str| {
        line.match_indices(place)
            .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}*~".contains(c)))
    };
    let lines = file.text.lines().zip(1..);
    let hits = lines.filter(|(line, _)| places.iter().any(|place| begins_there(line, place)));
    hits.map(|(_, nth)| format!("line {nth}: a path of one machine")).collect()
}

fn lock_files_name_crates_io_only(file: &File) -> Vec<String> {
    if file.path.ends_with(".cargo/config.toml") && file.text.contains("[source") {
        return vec!["replaces a source of crates".to_owned()];
    }
    if !file.path.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let sources = file.text.lines().filter_map(|line| line.strip_prefix("source = "));
    let foreign = sources.filter(|source| *source != "\"registry+https://github.com/rust-lang/crates.io-index\"");
    foreign.map(|source| format!("names the source {source}")).collect()
}

/// The paths that a document names and that are not there.
fn missing_paths(file: &File, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let dir = file.path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let links = file.text.match_indices("](").filter_map(|(at, _)| file.text[at + 2..].split(')').next());
    let links = links.filter(|link| !link.contains("://") && !link.starts_with('#') && !link.starts_with("mailto:"));
    let linked = links.map(|link| joined(dir, link.split('#').next().unwrap_or_default()));
    let quoted = file.text.split('`').skip(1).step_by(2).filter(|word| is_path_of_ours(word));
    let quoted = quoted.map(|word| joined("", word));
    linked
        .chain(quoted)
        .filter(|path| !exists(path))
        .map(|path| format!("names `{path}`, which is not there"))
        .collect()
}

fn is_path_of_ours(word: &str) -> bool {
    let begins = ["crates/", "docs/", "xtask/", "bench/", ".ci/", "./"].iter().any(|begin| word.starts_with(begin));
    begins && !word.contains(|c: char| c.is_whitespace() || "<>*{}…$".contains(c))
}

/// A path below `dir`, without `.` and `..`.
fn joined(dir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The crate whose product code this is, or whose manifest; not tests, examples or benchmarks.
fn crate_of(file: &File) -> Option<&str> {
    let (name, rest) = file.path.strip_prefix("crates/")?.split_once('/')?;
    (rest == "Cargo.toml" || rest.starts_with("src/") && rest.ends_with(".rs")).then_some(name)
}

/// One problem for each line of product code that holds one of these words, or imports what does.
fn found(file: &File, words: &[&str], problem: &str) -> Vec<String> {
    let code = product_code(&file.text).map(|(nth, line)| (nth, line.to_owned()));
    let code = code.chain(imports(&file.text));
    let hits = code.filter_map(|(nth, line)| Some((nth, words.iter().find(|word| line.contains(**word))?)));
    let mut problems: Vec<String> = hits.map(|(nth, word)| format!("line {nth}: {problem}: `{word}`")).collect();
    problems.sort();
    problems.dedup();
    problems
}

/// What product code imports, each by its whole path, with the line where its `use` begins: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut imports = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (nth, line) in product_code(text) {
        let begin = line
            .trim_start()
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub(super) ")
            .trim_start_matches("pub ");
        if let (None, Some(rest)) = (&open, begin.strip_prefix("use ")) {
            open = Some((nth, rest.to_owned()));
        } else if let Some((_, tree)) = &mut open {
            tree.push_str(line.trim());
        }
        if let Some((nth, tree)) = open.take_if(|(_, tree)| tree.contains(';')) {
            let tree = tree.split(';').next().unwrap_or_default().to_owned();
            imports.extend(paths("", &tree).into_iter().map(|path| (nth, path)));
        }
    }
    imports
}

/// The paths of a tree of imports, each with this in front.
fn paths(before: &str, tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((name, rest)) = tree.split_once('{') else { return vec![format!("{before}{tree}")] };
    let before = format!("{before}{}", name.trim());
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let mut depth = 0;
    let parts = inner.split(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    parts.filter(|part| !part.trim().is_empty()).flat_map(|part| paths(&before, part)).collect()
}

/// The lines of a source file with their numbers: without comments, and without the tests at its end.
fn product_code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().zip(1..).take_while(|(line, _)| *line != "#[cfg(test)]");
    lines.map(|(line, nth)| (nth, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// All text files of the workspace.
fn files(root: &Path) -> Vec<File> {
    let mut waiting = vec![root.to_owned()];
    let mut files = Vec::new();
    while let Some(dir) = waiting.pop() {
        for path in entries(&dir).into_iter().filter(|path| belongs(path)) {
            if path.is_dir() {
                waiting.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root).expect("it lies below the root").to_string_lossy().into_owned();
                files.push(File { path, text });
            }
        }
    }
    files
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("cannot read {}: {error}", dir.display()));
    entries.map(|entry| entry.expect("an entry can be read").path()).collect()
}

/// Not what git or cargo made.
fn belongs(path: &Path) -> bool {
    !matches!(path.file_name().and_then(|name| name.to_str()), Some(".git" | "target") | None)
}

fn is_document(file: &File) -> bool {
    let in_place = !file.path.contains('/') || file.path.starts_with("docs/");
    in_place && file.path.ends_with(".md")
}

fn problems(root: &Path) -> Vec<String> {
    let files = files(root);
    let mut problems = Vec::new();
    for file in &files {
        let by_rules = RULES.iter().flat_map(|rule| rule(file));
        let paths = is_document(file).then(|| missing_paths(file, |path| root.join(path).exists()));
        problems.extend(by_rules.chain(paths.into_iter().flatten()).map(|problem| format!("{}: {problem}", file.path)));
    }
    problems.sort();
    problems
}

/// The file of what is remembered with each name, and the source files that use it.
fn shelves(files: &[File]) -> BTreeMap<String, BTreeSet<String>> {
    let mut shelves: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.starts_with("crates/git/src/")) {
        for (_, line) in product_code(&file.text) {
            let name = line.split_once(".shelf(\"").and_then(|(_, rest)| rest.split('"').next());
            name.map(|name| shelves.entry(name.to_owned()).or_default().insert(file.path.clone()));
        }
    }
    shelves
}

#[test]
fn each_file_of_what_is_remembered_holds_one_kind_of_facts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let shelves = shelves(&files(root));
    assert!(10 < shelves.len(), "{shelves:?}");
    let shared: Vec<_> = shelves.iter().filter(|(_, files)| 1 < files.len()).collect();
    assert!(shared.is_empty(), "used in two places, which overwrite each other: {shared:?}");
}

#[test]
fn the_workspace_keeps_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
    let problems = problems(root);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn an_arrow_against_the_direction_is_found() {
        let manifest = |section: &str, used: &str| {
            file("crates/git/Cargo.toml", &format!("[{section}]\nalignwatch-{used}.workspace = true\n"))
        };
        assert!(crates_use_only_what_they_may(&manifest("dependencies", "model")).is_empty());
        assert!(crates_use_only_what_they_may(&manifest("dev-dependencies", "testkit")).is_empty());
        assert_eq!(crates_use_only_what_they_may(&manifest("dependencies", "testkit")).len(), 1);
        assert_eq!(crates_use_only_what_they_may(&manifest("dependencies", "cli")).len(), 1);
        assert_eq!(crates_use_only_what_they_may(&file("crates/new/Cargo.toml", "")).len(), 1);
    }

    #[test]
    fn code_that_does_what_its_crate_must_not_do_is_found() {
        let starts = "use std::process::Command;\n";
        assert_eq!(only_git_starts_processes(&file("crates/host/src/lib.rs", starts)).len(), 1);
        let grouped = "use std::{\n    io,\n    process::{Child, Command},\n};\n\nlet child = Command::new(x);\n";
        assert_eq!(only_git_starts_processes(&file("crates/notify/src/lib.rs", grouped)).len(), 2);
        assert!(only_git_starts_processes(&file("crates/notify/src/program.rs", grouped)).is_empty());
        assert!(only_git_starts_processes(&file("crates/git/src/run.rs", starts)).is_empty());
        assert!(only_git_starts_processes(&file("crates/host/tests/it.rs", starts)).is_empty());
        assert_eq!(only_cli_prints(&file("crates/git/src/a.rs", "eprintln!(\"x\");")).len(), 1);
        assert!(only_cli_prints(&file("crates/git/src/a.rs", "// println!\n#[cfg(test)]\nprintln!();")).is_empty());
        assert_eq!(the_model_only_thinks(&file("crates/model/src/a.rs", "let now = SystemTime::now();")).len(), 1);
        let grouped =
            "pub(crate) use std::{collections::{BTreeMap, HashMap}, fmt, fs};\nuse std::{env, time::Duration};";
        assert_eq!(
            the_model_only_thinks(&file("crates/model/src/a.rs", grouped)),
            ["line 1: does more than think: `std::fs`", "line 2: does more than think: `std::env`"]
        );
        assert_eq!(names_say_what_a_file_is_for(&file("crates/git/src/utils.rs", "")).len(), 1);
        assert_eq!(lints_are_those_of_the_workspace(&file("crates/git/Cargo.toml", "[package]")).len(), 1);
    }

    #[test]
    fn traces_of_one_machine_are_found() {
        let own = format!("cd /{}/me", "root");
        assert_eq!(no_path_of_a_machine(&file("test", &own)).len(), 1);
        assert!(no_path_of_a_machine(&file("test", "see docs/work/notes and /home/me/src")).is_empty());
        let lock = |source: &str| file("Cargo.lock", &format!("source = \"registry+https://{source}\"\n"));
        assert!(lock_files_name_crates_io_only(&lock("github.com/rust-lang/crates.io-index")).is_empty());
        assert_eq!(lock_files_name_crates_io_only(&lock("mirror.example/index")).len(), 1);
    }

    #[test]
    fn a_document_that_names_what_is_not_there_is_found() {
        let text = "[a](GLOSSARY.md#b) [b](../README.md) [c](https://x.org) `crates/git/` `./gone` `docs/<name>.md`";
        let document = file("docs/A.md", text);
        let exists = |path: &str| ["docs/GLOSSARY.md", "README.md", "crates/git"].contains(&path);
        assert_eq!(missing_paths(&document, exists), ["names `gone`, which is not there"]);
    }
}
