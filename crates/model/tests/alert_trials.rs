//! Days that went wrong once, told as `rules test` reads them: each file is one of them.

use std::{fs, path::Path};

use alignwatch_model::{alert::trial, config::Config};

#[test]
fn each_day_goes_as_it_is_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trials");
    let mut wrong = Vec::new();
    let mut n_tests = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let trials = trial::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        for (name, differs) in trials.run(&Config::default()).unwrap() {
            n_tests += 1;
            wrong.extend(differs.into_iter().map(|line| format!("{name}: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(10 <= n_tests, "{n_tests}");
}
