//! What programs read: every document against its schema, over ill, healthy and hostile repositories.
//!
//! The published schemas let readers meet new fields. Here they are closed
//! before they are used, so that a field that no schema describes is a failure.

use alignwatch::{
    output::{json, junit, sarif},
    report::{CheckReport, Selection},
};
use alignwatch_model::{Severity, Snapshot, State, checks};
use serde_json::{Value, json};

use crate::{
    made_up::{self, HOSTILE},
    screens::assert_harmless,
};

pub(crate) const BRANCHES: &str = include_str!("../../../../docs/schema/branches-1.schema.json");
pub(crate) const CHECK: &str = include_str!("../../../../docs/schema/check-1.schema.json");
const CHECKS: &str = include_str!("../../../../docs/schema/checks-1.schema.json");
/// The schema of the OASIS standard, as published with its errata 01.
const SARIF: &str = include_str!("schema/sarif-2.1.0.json");

fn reports() -> Vec<CheckReport> {
    vec![
        made_up::ill(),
        made_up::well(),
        made_up::nasty(),
        made_up::fleet(),
        made_up::judged(made_up::large()),
        made_up::judged(made_up::hostile()),
    ]
}

fn branches(snapshot: Snapshot) -> Value {
    let text = json::branches(&made_up::branches(snapshot, Selection::default()));
    assert_harmless(&text);
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn assert_valid(schema: &str, document: &Value) {
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    if schema["$schema"].as_str().unwrap().contains("2020-12") {
        close(&mut schema);
    }
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).take(5).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), false.into());
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
fn branches_follow_their_schema() {
    for snapshot in [made_up::large(), made_up::hostile(), made_up::healthy()] {
        assert_valid(BRANCHES, &branches(snapshot));
    }
}

#[test]
fn checks_follow_their_schema() {
    for report in reports() {
        let text = json::check(&report);
        assert_harmless(&text);
        assert_valid(CHECK, &serde_json::from_str(&text).unwrap());
    }
    assert_valid(CHECKS, &serde_json::from_str(&json::check_list(checks::ALL)).unwrap());
}

/// So that a test against a schema could fail at all.
#[test]
fn the_schemas_refuse_what_they_should() {
    let refuses = |change: fn(&mut Value)| {
        let mut document = branches(made_up::healthy());
        change(&mut document);
        std::panic::catch_unwind(|| assert_valid(BRANCHES, &document)).is_err()
    };
    assert!(refuses(|document| document["branches"][0]["new"] = json!(1)));
    assert!(refuses(|document| document["branches"][0]["state"] = json!("fine")));
    assert!(refuses(|document| document["branches"][0]["ahead"] = json!(-1)));
    assert!(refuses(|document| document["branches"][0]["oid"] = json!("abc")));
    assert!(refuses(|document| drop(document["summary"].as_object_mut().unwrap().remove("total"))));
    assert!(!refuses(|_| ()));
}

fn with_ref<'a>(document: &'a Value, name: &str) -> &'a Value {
    let branches = document["branches"].as_array().unwrap();
    branches.iter().find(|branch| branch["ref"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn names_come_back_byte_for_byte() {
    let document = branches(made_up::hostile());
    for name in HOSTILE {
        let found = document["branches"].as_array().unwrap().iter().any(|branch| match branch.get("ref_hex") {
            Some(hex) => *hex == json!(name.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
            None => *branch["ref"].as_str().unwrap().as_bytes() == *name,
        });
        assert!(found, "{:?}", String::from_utf8_lossy(name));
    }
    assert!(with_ref(&document, "refs/heads/\\xff\\xfe-not-text").get("ref_hex").is_some());
    assert!(with_ref(&document, "refs/heads/分支/ünïcode-grün").get("ref_hex").is_none());
}

#[test]
fn what_is_not_known_is_null_and_never_0() {
    let document = branches(made_up::large());
    let broken = with_ref(&document, "refs/heads/broken");
    assert_eq!((&broken["state"], &broken["reason"]), (&json!("unknown"), &json!("it names no object id")));
    for field in ["oid", "ahead", "behind", "merge_bases", "idle_age_seconds", "within_budget", "base", "author"] {
        assert_eq!(broken[field], Value::Null, "{field}");
    }
    assert_eq!(broken["merge"]["conflict_paths"], Value::Null);
    let cut_off = with_ref(&document, "refs/heads/shallow-one");
    assert_eq!((&cut_off["ahead"], &cut_off["reason"]), (&Value::Null, &json!("history is cut off below it")));
    assert_ne!(cut_off["oid"], Value::Null);
    let conflicting = with_ref(&document, "refs/heads/scientific");
    assert_eq!(conflicting["merge"]["verdict"], "conflict");
    assert_eq!(conflicting["merge"]["conflict_paths"], Value::Null);
}

#[test]
fn the_summary_counts_all_branches_whatever_is_shown() {
    let selection = Selection { states: vec![State::Unknown], limit: Some(1), ..Selection::default() };
    let text = json::branches(&made_up::branches(made_up::large(), selection));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["branches"].as_array().unwrap().len(), 1);
    assert_eq!(document["summary"]["total"], 619);
    let by_state = document["summary"]["by_state"].as_object().unwrap();
    assert_eq!(by_state.len(), State::ALL.len());
    assert_eq!(by_state.values().map(|n| n.as_u64().unwrap()).sum::<u64>(), 619);
}

#[test]
fn a_repository_that_cannot_be_read_is_unknown_and_never_well() {
    let text = json::check(&made_up::fleet());
    let document: Value = serde_json::from_str(&text).unwrap();
    let statuses: Vec<_> = (0..3).map(|at| &document["repositories"][at]["status"]).collect();
    assert_eq!(statuses, ["ok", "critical", "unknown"]);
    assert_eq!(document["repositories"][2]["reason"], "cannot open `/srv/gone`: it is not a Git repository");
    assert_eq!(document["repositories"][2]["branches_summary"], Value::Null);
}

#[test]
fn sarif_follows_the_standard() {
    for report in reports() {
        let text = sarif::check(&report);
        assert_harmless(&text);
        assert_valid(SARIF, &serde_json::from_str(&text).unwrap());
    }
}

#[test]
fn sarif_has_a_stable_fingerprint_a_rule_and_a_place_for_each_result() {
    let document: Value = serde_json::from_str(&sarif::check(&made_up::ill())).unwrap();
    let run = &document["runs"][0];
    for result in run["results"].as_array().unwrap() {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(result["partialFingerprints"]["alignwatchKey/v1"].is_string());
    }
    let marker = run["results"].as_array().unwrap().iter().find(|result| result["ruleId"] == "conflict-markers");
    let place = &marker.unwrap()["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "backend/node_engine/workflow_engine.py");
    assert_eq!(place["region"]["startLine"], 212);
    let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
    assert_eq!(notes[0]["associatedRule"]["id"], "missing-objects");
}

#[test]
fn junit_is_xml_and_counts_what_it_holds() {
    for report in reports() {
        let text = junit::check(&report);
        assert_harmless(&text);
        let document = roxmltree::Document::parse(&text).unwrap();
        for suite in document.descendants().filter(|node| node.has_tag_name("testsuite")) {
            let count = |tag: &str| suite.descendants().filter(|node| node.has_tag_name(tag)).count();
            let told = |name: &str| suite.attribute(name).unwrap().parse::<usize>().unwrap();
            assert_eq!(told("tests"), count("testcase"));
            assert_eq!(told("failures"), count("failure"));
            assert_eq!(told("errors"), count("error"));
            assert_eq!(told("skipped"), count("skipped"));
        }
    }
}

#[test]
fn junit_fails_what_the_exit_code_fails_and_passes_nothing_unknown() {
    let mut report = made_up::ill();
    let outcome = |report: &CheckReport, check: &str| {
        let text = junit::check(report);
        let document = roxmltree::Document::parse(&text).unwrap();
        let mut cases = document.descendants().filter(|node| node.attribute("name") == Some(check));
        let inside = cases.next().unwrap().children().find(roxmltree::Node::is_element);
        inside.map(|node| format!("{} {}", node.tag_name().name(), node.attribute("message").unwrap_or_default()))
    };
    assert!(outcome(&report, "conflicting").unwrap().starts_with("failure 390 branches"));
    assert!(outcome(&report, "landed").unwrap().starts_with("system-out"));
    assert!(outcome(&report, "missing-objects").unwrap().starts_with("skipped unknown: 20 branches"));
    assert_eq!(outcome(&report, "gone-upstream").unwrap(), "skipped there is no remote");
    assert_eq!(outcome(&report, "commit-graph"), None);
    report.fail_on = Some(Severity::Critical);
    assert!(outcome(&report, "conflicting").unwrap().starts_with("system-out"));
}

#[test]
fn hostile_text_reaches_xml_as_text() {
    let text = junit::check(&made_up::judged(made_up::hostile()));
    assert!(roxmltree::Document::parse(&text).unwrap().descendants().all(|node| !node.has_tag_name("svg")));
    assert!(!text.contains("<svg"));
}
