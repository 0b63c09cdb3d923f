//! The schema against an independent judge: editors must not call good what the parser refuses, nor the reverse.

use alignwatch_model::{
    checks,
    config::{Config, schema, starter_file},
};
use jsonschema::Validator;
use serde_json::Value;

fn judge() -> Validator {
    jsonschema::validator_for(&schema(checks::ALL)).expect("the schema is one")
}

/// The file as another reader of YAML sees it.
fn as_json(text: &str) -> Value {
    let options = serde_saphyr::options! { emit_comments: false };
    serde_saphyr::from_str_with_options(text, options).expect("the file is YAML")
}

fn parser_accepts(text: &str) -> bool {
    Config::from_yaml(text, "a.yaml").is_ok()
}

/// The starter file with all keys set.
fn starter_file_set() -> String {
    let is_words = |line: &&str| line.trim_start().starts_with("# ") || line.trim() == "#";
    starter_file().lines().filter(|line| !is_words(line)).map(|line| line.replacen('#', "", 1) + "\n").collect()
}

const GOOD: [&str; 12] = [
    "{}",
    "bases: [main, origin/develop, 'NO']",
    "bases: []",
    "budget: {age: 14d, behind: 0}",
    "budget: {age: 2 weeks 1 day 3 hours}\nrefs:\nrelations:\n",
    "budget: {age: 1h30m}",
    "inspect: {jobs: 256, output_limit: 4 GiB, git_deadline: 1h, merge_deadline: 59 seconds}",
    "relations: [{branches: [a], base: b, relation: mirror, budget: {behind: 3}}, {branches: ['**']}]",
    "thresholds: {far-behind: 1, stale: 3650}",
    "checks: {skip: [stale], only: [far-behind]}",
    "refs: {spaces: [heads, pulls, refs/agents/], exclude: ['*']}\nmarkers: {exclude: [a b/**], file_limit: 1KiB}",
    "data_dir: /var/lib/alignwatch",
];

/// What both refuse.
const BAD: [&str; 34] = [
    "[main]",
    "just words",
    "base: [main]",
    "budget: 14d",
    "budget: [14d]",
    "budget: {days: 3}",
    "budget: {age: 14}",
    "budget: {age: 2 weekz}",
    "budget: {age: 30m 2h}",
    "budget: {age: 1d 1d}",
    "budget: {age: ''}",
    "budget: {age: ~}",
    "budget: {behind: many}",
    "budget: {behind: '200'}",
    "budget: {behind: 2.5}",
    "budget: {behind: -1}",
    "budget: {behind: 1000001}",
    "inspect: {jobs: 0}",
    "inspect: {output_limit: 64 MB}",
    "inspect: {output_limit: 64}",
    "thresholds: {stale: 0}",
    "thresholds: {no-such-check: 1}",
    "thresholds: {conflicting: 1}",
    "checks: {skip: [stail]}",
    "checks: {only: stale}",
    "bases: main",
    "bases: [main, main]",
    "bases: ['']",
    "refs: {spaces: []}",
    "refs: {spaces: [tags]}",
    "refs: {spaces: [refs/agents]}",
    "relations: [{base: main}]",
    "relations: [{branches: [a], relation: trak}]",
    "data_dir: state",
];

/// What a schema of JSON cannot say: the range of a length, the syntax of patterns and names, values that depend on each other.
const ONLY_THE_PARSER_REFUSES: [&str; 7] = [
    "budget: {age: 30s}",
    "inspect: {output_limit: 8 GiB}",
    "bases: ['a b']",
    "refs: {exclude: ['[a']}",
    "relations: [{branches: [a]}, {branches: [a]}]",
    "relations: [{branches: [a], relation: forbidden, budget: {behind: 1}}]",
    "checks: {skip: [stale], only: [stale]}",
];

#[test]
fn the_schema_is_a_schema() {
    let schema = schema(checks::ALL);
    assert!(jsonschema::meta::is_valid(&schema));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn schema_and_parser_accept_the_starter_file_and_what_is_good() {
    let judge = judge();
    let starters = [starter_file(), starter_file_set()];
    for text in GOOD.into_iter().chain(starters.iter().map(String::as_str)) {
        assert!(parser_accepts(text), "{text}: {:#?}", Config::from_yaml(text, "a.yaml"));
        let errors: Vec<_> = judge.iter_errors(&as_json(text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
    }
}

#[test]
fn schema_and_parser_refuse_what_is_bad() {
    let judge = judge();
    for text in BAD {
        assert!(!parser_accepts(text), "the parser accepts {text}");
        assert!(!judge.is_valid(&as_json(text)), "the schema accepts {text}");
    }
}

#[test]
fn what_only_the_parser_can_know_it_refuses() {
    let judge = judge();
    for text in ONLY_THE_PARSER_REFUSES {
        assert!(!parser_accepts(text), "the parser accepts {text}");
        assert!(judge.is_valid(&as_json(text)), "the schema knows {text}: move it to the others");
    }
}

/// Every place in the schema where a value may stand says what it is.
#[test]
fn every_leaf_of_the_schema_has_its_documentation() {
    fn undocumented(schema: &Value, path: &str, found: &mut Vec<String>) {
        for (name, key) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            let text = key["description"].as_str().unwrap_or_default();
            let is_section = key["properties"].is_object();
            let labels = ["Unit: ", "Range: ", "Default: ", "Reason: ", "Example: "];
            let has_labels = labels.iter().all(|label| text.contains(&format!("\n{label}")));
            if text.is_empty() || !(is_section || has_labels) {
                found.push(path.clone());
            }
            undocumented(key, &path, found);
            undocumented(&key["items"], &format!("{path}[]"), found);
        }
    }
    let mut found = Vec::new();
    undocumented(&schema(checks::ALL), "", &mut found);
    assert_eq!(found, Vec::<String>::new());
}
