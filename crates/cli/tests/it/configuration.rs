//! `alignwatch config` with the real binary: where the file is found, what is told, how it ends.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output},
};

use insta::assert_snapshot;
use serde_json::Value;

/// A home of its own, in which the binary is run.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Home {
        Home { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(&[], arguments)
    }

    fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.args(arguments).current_dir(self.path()).env_clear();
        let ended = command.env("HOME", self.path()).envs(variables.iter().copied()).output().unwrap();
        Ended::new(&ended, self.path())
    }
}

/// How it ended, with the home's path taken out of the texts.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn new(output: &Output, home: &Path) -> Ended {
        let home = home.to_str().unwrap();
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().replace(home, "HOME");
        Ended { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

#[test]
fn a_good_file_is_called_fine_with_the_number_of_its_keys() {
    let home = Home::new();
    home.write("a.yaml", "bases: [main]\nbudget:\n  age: 14d\n");
    let ended = home.run(&["config", "check", "a.yaml"]);
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, "fine: 2 keys set with `a.yaml`\n", ""));
    let ended = home.run_with(&[("ALIGNWATCH_BASES", "dev")], &["config", "check", "a.yaml", "--data-dir", "d"]);
    assert_eq!(ended.out, "fine: 3 keys set with `a.yaml`, 1 of them by the environment, 1 by flags\n");
    let ended = home.run(&["config", "check"]);
    assert_snapshot!(ended.out, @r"
    fine: 0 keys set, no configuration file
    looked for `HOME/.config/alignwatch/alignwatch.yaml`; --config names another
    ");
}

#[test]
fn mistakes_end_with_2_and_are_all_told() {
    let home = Home::new();
    home.write("a.yaml", "base: [main]\nbudget:\n  age: 2 weekz\n");
    let mut told = BTreeSet::new();
    for arguments in [
        &["config", "check", "a.yaml"][..],
        &["--config", "a.yaml", "config", "show"],
        &["--config", "a.yaml", "check"],
    ] {
        let ended = home.run(arguments);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{arguments:?}");
        told.insert(ended.err);
    }
    assert_eq!(told.len(), 1);
    assert_snapshot!(told.into_iter().collect::<String>(), @r"
    error: cannot use the configuration: 2 mistakes
    config error: a.yaml:1:1: there is no key `base` at the top level (did you mean `bases`?)
       |
     1 | base: [main]
       | ^^^^
    config error: a.yaml:3:8: budget.age: `2 weekz` is not a length of time (write it like `14d`)
       |
     3 |   age: 2 weekz
       |        ^^^^^^^
    hint: `alignwatch config explain budget.age` tells what may be written there
    ");
    let ended = home.run(&["config", "check", "--json", "a.yaml"]);
    let errors = &ended.json()["errors"];
    assert_eq!((ended.code, ended.json()["is_fine"].as_bool()), (2, Some(false)));
    assert_eq!(
        (&errors[1]["line"], &errors[1]["column"], &errors[1]["key"]),
        (&3.into(), &8.into(), &"budget.age".into())
    );
}

#[test]
fn a_hostile_file_cannot_act_on_the_terminal() {
    let home = Home::new();
    home.write("a.yaml", "\"\\e[2J\u{202e}\": 1\nbases: [\"\u{1b}[31m\"]\n# \u{9b}2J\n");
    let ended = home.run(&["config", "check", "a.yaml"]);
    assert_eq!(ended.code, 2);
    assert!(!ended.err.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{:?}", ended.err);
}

#[test]
fn the_file_is_named_or_stands_in_the_users_own_folder() {
    let home = Home::new();
    home.write(".config/alignwatch/alignwatch.yaml", "bases: [of-home]\n");
    home.write("xdg/alignwatch/alignwatch.yaml", "bases: [of-xdg]\n");
    home.write("variable.yaml", "bases: [of-variable]\n");
    home.write("flag.yaml", "bases: [of-flag]\n");
    let xdg = home.path().join("xdg");
    let xdg = ("XDG_CONFIG_HOME", xdg.to_str().unwrap());
    let base = |variables: &[(&str, &str)], arguments: &[&str]| {
        let arguments = [arguments, &["config", "show", "--json"]].concat();
        let ended = home.run_with(variables, &arguments);
        let document = ended.json();
        let bases = document["keys"].as_array().unwrap().iter().find(|key| key["key"] == "bases").unwrap();
        bases["value"][0].as_str().unwrap_or("none").to_owned()
    };
    assert_eq!(base(&[], &[]), "of-home");
    assert_eq!(base(&[("XDG_CONFIG_HOME", "relative")], &[]), "of-home");
    assert_eq!(base(&[xdg], &[]), "of-xdg");
    assert_eq!(base(&[xdg, ("ALIGNWATCH_CONFIG", "variable.yaml")], &[]), "of-variable");
    assert_eq!(base(&[xdg, ("ALIGNWATCH_CONFIG", "variable.yaml")], &["--config", "flag.yaml"]), "of-flag");
    assert_eq!(base(&[xdg, ("ALIGNWATCH_CONFIG", "")], &[]), "of-xdg");
    assert_eq!(base(&[], &["--config", "/dev/null"]), "none");
}

#[test]
fn a_file_inside_of_a_repository_is_not_read_by_itself() {
    let home = Home::new();
    home.write("repo/alignwatch.yaml", "nonsense: 1\n");
    home.write("repo/.git/alignwatch.yaml", "nonsense: 1\n");
    home.write("repo/.config/alignwatch/alignwatch.yaml", "nonsense: 1\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.args(["config", "check"]).current_dir(home.path().join("repo")).env_clear().env("HOME", home.path());
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn a_file_that_cannot_be_read_is_told_unless_nobody_asked_for_it() {
    let home = Home::new();
    let ended = home.run(&["--config", "missing.yaml", "config", "show"]);
    assert_eq!(ended.code, 2);
    assert_snapshot!(ended.err, @r"
    error: cannot read the configuration `missing.yaml`: No such file or directory (os error 2)
    hint: `alignwatch config init` writes a file to start from
    ");
    // A folder in the usual place is no missing file.
    fs::create_dir_all(home.path().join(".config/alignwatch/alignwatch.yaml")).unwrap();
    let ended = home.run(&["config", "show"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.starts_with("error: cannot read the configuration `HOME/.config/"), "{}", ended.err);
}

#[test]
fn what_is_shown_is_a_file_that_means_the_same() {
    let home = Home::new();
    home.write(
        "a.yaml",
        "bases: ['NO', main]\nrelations:\n- branches: ['*']\n  relation: curated\nthresholds: {stale: 7}\n",
    );
    let variables = [("ALIGNWATCH_INSPECT_JOBS", "3")];
    let shown = home.run_with(&variables, &["--config", "a.yaml", "config", "show"]);
    assert_eq!(shown.code, 0);
    assert!(shown.out.contains("bases: [\"NO\", main]                         # a.yaml:1\n"), "{}", shown.out);
    assert!(
        shown.out.contains("  jobs: 3                                   # $ALIGNWATCH_INSPECT_JOBS\n"),
        "{}",
        shown.out
    );
    home.write("b.yaml", &shown.out);
    let again = home.run(&["--config", "b.yaml", "config", "show"]);
    let without_origins = |text: &str| {
        text.lines().map(|line| line.split(" #").next().unwrap().trim_end().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(without_origins(&again.out)[1..], without_origins(&shown.out)[1..]);
}

#[test]
fn every_key_can_be_explained_with_its_value_now() {
    let home = Home::new();
    home.write("a.yaml", "budget:\n  age: 36h\n");
    let explained = home.run(&["--config", "a.yaml", "config", "explain", "budget.age"]);
    assert_snapshot!(explained.out, @r"
    budget.age: 1d 12h   (a.yaml:2)
    How long a branch may lack something that its base has.

      unit      a length of time
      range     1m to 3650d
      default   none (no limit)
      reason    a promise that nobody made cannot be broken. Two weeks are longer than a holiday and
                shorter than a release.
      example   age: 14d
      variable  ALIGNWATCH_BUDGET_AGE
    ");
    let listed = home.run(&["config", "explain", "--json"]).json();
    for key in listed["keys"].as_array().unwrap() {
        let path = key["key"].as_str().unwrap();
        let ended = home.run(&["config", "explain", path, "--json"]);
        assert_eq!((ended.code, &ended.json()["key"]), (0, &key["key"]), "{path}: {}", ended.err);
    }
    let asked = |key| home.run(&["config", "explain", key]).err;
    assert_snapshot!(asked("budgt.age"), @r"
    error: there is no key `budgt.age`
    hint: did you mean `budget.age`?
    ");
    assert_snapshot!(asked("exclude"), @r"
    error: several keys are called `exclude`
    hint: did you mean `markers.exclude` or `refs.exclude`?
    ");
    assert_eq!(home.run(&["config", "explain", "git_deadline"]).code, 0);
}

#[test]
fn a_starter_file_is_written_once_and_changes_nothing() {
    let home = Home::new();
    let ended = home.run(&["config", "init"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""));
    assert_snapshot!(ended.err, @r"
    wrote `alignwatch.yaml`: all keys with their defaults, as comments
    hint: use it with `alignwatch --config alignwatch.yaml check`, or move it to `HOME/.config/alignwatch/alignwatch.yaml`
    ");
    let written = fs::read_to_string(home.path().join("alignwatch.yaml")).unwrap();
    assert_eq!(home.run(&["config", "init", "--print"]).out, written);
    assert_eq!(home.run(&["config", "check", "alignwatch.yaml"]).out, "fine: 0 keys set with `alignwatch.yaml`\n");

    home.write("alignwatch.yaml", "bases: [mine]\n");
    let ended = home.run(&["config", "init"]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.starts_with("error: cannot write `alignwatch.yaml`: it is there already\n"), "{}", ended.err);
    assert_eq!(fs::read_to_string(home.path().join("alignwatch.yaml")).unwrap(), "bases: [mine]\n");
}

#[test]
fn a_link_is_not_followed_to_write_a_starter_file() {
    let home = Home::new();
    std::os::unix::fs::symlink(home.path().join("elsewhere"), home.path().join("alignwatch.yaml")).unwrap();
    assert_eq!(home.run(&["config", "init"]).code, 1);
    assert!(!home.path().join("elsewhere").exists());
}

#[test]
fn the_schema_that_is_printed_accepts_what_is_shown() {
    let home = Home::new();
    let schema = home.run(&["config", "schema"]);
    assert_eq!(schema.code, 0);
    let judge = jsonschema::validator_for(&schema.json()).unwrap();
    assert!(judge.is_valid(&serde_json::json!({ "bases": ["main"], "thresholds": { "stale": 7 } })));
    assert!(!judge.is_valid(&serde_json::json!({ "base": ["main"] })));
}

#[test]
fn the_configuration_is_read_before_anything_is_inspected() {
    let home = Home::new();
    home.write(".config/alignwatch/alignwatch.yaml", "nonsense: 1\n");
    for command in ["check", "branches"] {
        let ended = home.run(&[command]);
        assert_eq!(ended.code, 2, "{command}");
        assert!(ended.err.starts_with("error: cannot use the configuration: 1 mistake\n"), "{}", ended.err);
    }
}
