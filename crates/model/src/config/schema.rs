//! The JSON Schema (2020-12) of the configuration, for editors and other tools.
//!
//! It comes from the types and their doc comments. What a plain type cannot say
//! is written beside it: `x-shape` names the kind of text, `x-least` and `x-most`
//! its range, `x-unit` what a number counts. The parser is driven by the same
//! schema, so that the two cannot part.

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value, json};

use super::{Config, amount};
use crate::checks::{Check, ThresholdSpec};

/// A JSON Schema without its frame.
type Object = Map<String, Value>;

/// The schema of a configuration file whose thresholds are those of `checks`.
pub fn schema(checks: &[&Check]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let root = settings.into_generator().into_root_schema_for::<Config>();
    let mut root = root.to_value();
    finish(&mut root, checks);
    allow_empty_sections(&mut root);
    if let Value::Object(root) = &mut root {
        root.insert("title".to_owned(), json!("The configuration of alignwatch"));
    }
    root
}

/// A section or list of sections whose lines are all commented out reads as `null`.
fn allow_empty_sections(key: &mut Value) {
    if key["type"] == "object" {
        if let Some(keys) = key["properties"].as_object_mut() {
            keys.values_mut().for_each(allow_empty_sections);
        }
        key["type"] = json!(["object", "null"]);
    } else if key["items"]["type"] == "object" {
        key["type"] = json!(["array", "null"]);
    }
}

/// Fills in what depends on the checks, and takes out what only Rust has a use for.
fn finish(value: &mut Value, checks: &[&Check]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| finish(item, checks)),
        Value::Object(object) => {
            object.values_mut().for_each(|part| finish(part, checks));
            // No default is no value; `null` would claim that `null` may be written.
            object.retain(|name, part| !(name == "default" && part.is_null()) && name != "format");
            match object.get("x-shape").and_then(Value::as_str) {
                Some("thresholds") => object.extend(of_thresholds(checks)),
                Some("check") => object.extend(of_check_id(checks)),
                _ => {}
            }
        }
        _ => {}
    }
}

fn of_thresholds(checks: &[&Check]) -> Object {
    let with_threshold = checks.iter().filter_map(|check| Some((check, check.threshold.as_ref()?)));
    let properties: Object =
        with_threshold.map(|(check, spec)| (check.id.to_owned(), of_threshold(check, spec))).collect();
    object(json!({ "type": "object", "properties": properties, "additionalProperties": false }))
}

fn of_threshold(check: &Check, spec: &ThresholdSpec) -> Value {
    let (least, most) = spec.range;
    let description = format!(
        "{}: {}.\n\nUnit: {}.\nRange: {least} to {most}.\nDefault: {}.\nReason: {}. Source: {}.\nExample: `{}`",
        check.title,
        plain(check.looks_at),
        spec.unit,
        spec.default,
        plain(check.why),
        plain(spec.source),
        spec.default,
    );
    json!({
        "description": description, "type": "integer", "minimum": least, "maximum": most,
        "default": spec.default, "x-unit": spec.unit,
    })
}

/// One line without a final period.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

fn of_check_id(checks: &[&Check]) -> Object {
    let ids: Vec<_> = checks.iter().map(|check| check.id).collect();
    // An empty list of values is no valid schema.
    if ids.is_empty() { Object::new() } else { object(json!({ "enum": ids })) }
}

fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

/// A number, whole or not, which may also be written as text: `0.85`.
pub(crate) struct NumberText;

impl JsonSchema for NumberText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NumberText".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"], "x-shape": "number" })
    }
}

/// A kind of text, for `#[schemars(with = …)]`.
macro_rules! text_shape {
    ($(#[$doc:meta])* $name:ident, $shape:literal $(, $key:literal: $value:expr)*) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "x-shape": $shape $(, $key: $value)* })
            }
        }
    };
}

text_shape!(
    /// A length of time: `14d`.
    LengthText, "length", "pattern": amount::LENGTH_PATTERN
);
text_shape!(
    /// A size: `64 MiB`.
    SizeText, "size", "pattern": amount::SIZE_PATTERN
);
text_shape!(
    /// A pattern of branch names: `feature/**`.
    PatternText, "pattern", "minLength": 1
);
text_shape!(
    /// A pattern of paths: `docs/**`.
    PathPatternText, "path-pattern", "minLength": 1
);
text_shape!(
    /// The name of a branch: `main`.
    LineName, "name", "minLength": 1
);
text_shape!(
    /// A space of refs: `heads`.
    SpaceText, "space", "pattern": "^(heads|remotes|pulls|refs/.*/)$"
);
text_shape!(
    /// A path from the root: `/var/lib/alignwatch`.
    PathText, "path", "pattern": "^(/|[A-Za-z]:)"
);
text_shape!(
    /// A file or an address: `/etc/alignwatch/duty.ics`, `https://calendar.example.org/duty.ics`.
    PlaceText, "place", "minLength": 2
);
text_shape!(
    /// The name of a workflow: `nightly`.
    WorkflowText, "workflow", "minLength": 1, "maxLength": 100
);
text_shape!(
    /// An interval or a cron pattern: `1d`, `30 3 * * 1-5`.
    CadenceText, "cadence", "minLength": 2
);
text_shape!(
    /// A cron pattern, a recurrence rule or two times: `0 1 * * *`, `FREQ=MONTHLY;BYDAY=1SU`, `calendar duty`, `2026-12-24T12:00:00Z/2027-01-02T06:00:00Z`.
    OpeningText, "opening", "minLength": 9
);
text_shape!(
    /// A date and a time of the day: `2026-01-05T09:00`.
    MomentText, "moment", "minLength": 10
);
text_shape!(
    /// An IP address: `127.0.0.1`.
    AddressText, "address", "minLength": 2
);
text_shape!(
    /// A host name: `watch.example.org`.
    HostName, "host", "minLength": 1
);
text_shape!(
    /// A sentence.
    ReasonText, "words", "minLength": 1, "maxLength": 200
);
text_shape!(
    /// A time zone: `Europe/Berlin`.
    ZoneText, "zone", "minLength": 1
);
text_shape!(
    /// The name of a channel: `team`.
    ChannelName, "channel", "pattern": "^[A-Za-z0-9._-]{1,60}$"
);
text_shape!(
    /// Where a secret is read: `file:/run/secrets/x`.
    SecretText, "secret", "pattern": "^(file:/|env:[A-Za-z_]|command:/)"
);
text_shape!(
    /// A web address, or where it is read: `https://watch.example.org/hook`.
    UrlText, "url", "pattern": "^(https?://|file:/|env:[A-Za-z_]|command:/)"
);
text_shape!(
    /// A mail address: `team@example.org`.
    MailboxText, "mailbox", "minLength": 3
);
text_shape!(
    /// A UUID: `8f4b2a6e-9a3c-4f5e-8d21-6b0c5d7e9f10`.
    UuidText, "uuid", "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
);
text_shape!(
    /// A network: `10.1.2.0/24`.
    NetworkText, "network", "minLength": 2
);
text_shape!(
    /// A metric and the numbers that are bad: `alignwatch_repo_refs > 10000`.
    ExpressionText, "expression", "minLength": 3, "maxLength": 1000
);
text_shape!(
    /// A condition on facts and labels, in CEL: `evidence.n_branches > 5`.
    ConditionText, "condition", "minLength": 3, "maxLength": 1000
);
text_shape!(
    /// A condition on a label: `severity="error"`.
    MatcherText, "matcher", "minLength": 2, "maxLength": 1000
);
text_shape!(
    /// The name of a label: `team`.
    LabelName, "label", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"
);
text_shape!(
    /// The id of a check: `far-behind`.
    CheckId, "check"
);

/// Numbers by the id of their check.
pub(crate) struct CheckThresholds;

impl JsonSchema for CheckThresholds {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CheckThresholds".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "x-shape": "thresholds" })
    }
}
