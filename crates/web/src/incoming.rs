//! What others report, from the bytes of a request: our own events or CloudEvents 1.0, one or many.
//!
//! Everything is looked at here, at the edge: what comes through is well formed, and what does not is told with its
//! place. A batch is taken whole or not at all.

use alignwatch_model::run::{Outcome, RunEvent, event::SCHEMA};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::problem::Problem;

/// Events in one request at most. Source: ours; the size of a request ends a batch of larger events before.
pub(crate) const EVENTS_AT_MOST: usize = 1_000;

/// Characters of an id at most. Source: ours; a URL and a number.
const ID_AT_MOST: usize = 200;

/// An event, as the description of the API has it: what each kind must say. It may say more.
pub(crate) struct ReportedEvent;

impl PartialSchema for ReportedEvent {
    fn schema() -> RefOr<Schema> {
        let outcomes = Outcome::ALL.map(Outcome::word);
        let text = json!({"type": "string"});
        let kinds = [
            ("started", json!({"workflow": text})),
            ("stage", json!({"stage": text})),
            ("heartbeat", json!({})),
            ("operation", json!({"branch": text, "outcome": {"type": "string", "enum": outcomes}})),
            ("finished", json!({"outcome": {"type": "string", "enum": outcomes}})),
        ];
        let schema = json!({"oneOf": kinds.map(|(kind, says)| of_kind(kind, &says))});
        serde_json::from_value(schema).expect("it is a schema, as the test of the description shows")
    }
}

impl ToSchema for ReportedEvent {}

/// The schema of one kind of event; `says` = what its data must have.
fn of_kind(kind: &str, says: &Value) -> Value {
    let must: Vec<&String> = says.as_object().into_iter().flat_map(Map::keys).collect();
    let word = |word: &str| json!({"type": "string", "enum": [word]});
    json!({
        "type": "object",
        "required": ["schema", "id", "run", "at", "type", "data"],
        "properties": {
            "schema": word(SCHEMA),
            "id": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$", "description": "An event with an id that is known changes nothing."},
            "run": {"type": "string", "pattern": "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"},
            "at": {"type": "string", "format": "date-time"},
            "type": word(kind),
            "data": {"type": "object", "required": must, "properties": says},
            "attributes": {"type": "object"},
        },
    })
}

/// The events of a request. Errors: what is wrong, and with which event.
pub(crate) fn events(headers: &HeaderMap, body: &[u8]) -> Result<Vec<RunEvent>, Problem> {
    if let Some(events) = plain(headers, body) {
        return Ok(events);
    }
    let values = values(headers, body)?;
    if values.is_empty() || EVENTS_AT_MOST < values.len() {
        let detail = format!("{} events were sent: send 1 to {EVENTS_AT_MOST} at a time", values.len());
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let n = values.len();
    let told = |(index, value)| {
        event(value).map_err(|wrong| {
            let which = if n == 1 { "the event".to_owned() } else { format!("event {} of {n}", index + 1) };
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{which} can't be taken: {wrong}"))
        })
    };
    values.into_iter().enumerate().map(told).collect()
}

/// The same for what most send: our own events as JSON, with nothing wrong about them; `None` = it is something else.
fn plain(headers: &HeaderMap, body: &[u8]) -> Option<Vec<RunEvent>> {
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    if kind.is_some_and(|kind| kind != b"application/json") || headers.contains_key("ce-specversion") {
        return None;
    }
    let events = match body.trim_ascii_start().first()? {
        b'[' => serde_json::from_slice::<Vec<RunEvent>>(body).ok()?,
        _ => vec![serde_json::from_slice(body).ok()?],
    };
    let is_ours = |event: &RunEvent| !event.unknown.contains_key("specversion") && wrong(event).is_none();
    ((1..=EVENTS_AT_MOST).contains(&events.len()) && events.iter().all(is_ours)).then_some(events)
}

/// The JSON documents of a request.
fn values(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Value>, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let read = |bytes: &[u8]| {
        let wrong = |error| Problem::new(StatusCode::BAD_REQUEST, format!("the body is no JSON: {error}"));
        serde_json::from_slice::<Value>(bytes).map_err(wrong)
    };
    if headers.contains_key("ce-specversion") {
        return Ok(vec![binary(headers, read(body)?)]);
    }
    match kind.as_str() {
        "application/json" | "application/cloudevents+json" | "application/cloudevents-batch+json" => match read(body)?
        {
            Value::Array(values) => Ok(values),
            value => Ok(vec![value]),
        },
        "application/x-ndjson" | "application/jsonl" => {
            body.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).map(read).collect()
        }
        _ => {
            let detail = "send application/json, application/x-ndjson or application/cloudevents+json";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
        }
    }
}

/// A CloudEvent whose attributes are headers and whose data is the body.
fn binary(headers: &HeaderMap, data: Value) -> Value {
    let named = headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().strip_prefix("ce-")?.to_owned(), Value::from(value.to_str().ok()?)))
    });
    let mut event: Map<String, Value> = named.collect();
    event.insert("data".to_owned(), data);
    Value::Object(event)
}

/// One event. Errors: what is wrong, as a sentence part.
fn event(value: Value) -> Result<RunEvent, String> {
    let value = if value.get("specversion").is_some() { from_cloud_event(value)? } else { value };
    let event: RunEvent = serde_json::from_value(value).map_err(|error| error.to_string())?;
    wrong(&event).map_or(Ok(event), Err)
}

/// What is wrong with an event that could be read, as a sentence part.
fn wrong(event: &RunEvent) -> Option<String> {
    if event.schema != SCHEMA {
        return Some(format!("`schema` must be `{SCHEMA}`"));
    }
    let is_id = (1..=ID_AT_MOST).contains(&event.id.chars().count()) && !event.id.chars().any(char::is_control);
    (!is_id).then(|| format!("`id` must have 1 to {ID_AT_MOST} characters that can be seen"))
}

/// Our event from a CloudEvent: the last part of `type` says what happened, `subject` is the run, and source and id
/// together are what makes it harmless to hear it twice. Source: CloudEvents 1.0.2, section 3.1.
fn from_cloud_event(mut cloud: Value) -> Result<Value, String> {
    let text = |name: &str| cloud[name].as_str().map(str::to_owned).ok_or(format!("it has no `{name}`"));
    if text("specversion")? != "1.0" {
        return Err("`specversion` must be `1.0`".to_owned());
    }
    let (id, source, kind) = (text("id")?, text("source")?, text("type")?);
    let (subject, time) = (text("subject")?, text("time")?);
    let what = kind.rsplit('.').next().unwrap_or_default();
    let data = cloud["data"].take();
    let data = if data.is_null() { json!({}) } else { data };
    Ok(
        json!({"schema": SCHEMA, "id": format!("{source}#{id}"), "run": subject, "at": time, "type": what, "data": data}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "01ARZ3NDEKZZZZZZZZZZZZZZZZ";

    fn asked(headers: &[(&str, &str)], body: &str) -> Result<Vec<RunEvent>, Problem> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        events(&headers, body.as_bytes())
    }

    fn beat(id: &str) -> String {
        json!({"schema": SCHEMA, "id": id, "run": RUN, "at": "2026-01-01T00:00:00Z", "type": "heartbeat", "data": {}})
            .to_string()
    }

    fn cloud() -> Value {
        json!({"specversion": "1.0", "id": "7", "source": "/ci", "type": "org.example.run.started", "subject": RUN,
            "time": "2026-01-01T00:00:00Z", "data": {"workflow": "nightly"}})
    }

    #[test]
    fn one_many_and_lines_are_the_same_events() {
        let one = asked(&[], &beat("a")).unwrap();
        let many = asked(&[], &format!("[{},{}]", beat("a"), beat("b"))).unwrap();
        let lines =
            asked(&[("content-type", "application/x-ndjson")], &format!("{}\n\n{}\n", beat("a"), beat("b"))).unwrap();
        assert_eq!((one.len(), &many, &many[0]), (1, &lines, &one[0]));
    }

    #[test]
    fn a_cloud_event_is_understood_in_either_mode() {
        let structured = asked(&[("content-type", "application/cloudevents+json")], &cloud().to_string()).unwrap();
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "7"),
            ("ce-source", "/ci"),
            ("ce-type", "org.example.run.started"),
            ("ce-subject", RUN),
            ("ce-time", "2026-01-01T00:00:00Z"),
        ];
        let binary = asked(&headers, r#"{"workflow":"nightly"}"#).unwrap();
        assert_eq!(structured, binary);
        assert_eq!((structured[0].id.as_str(), structured[0].run.as_str()), ("/ci#7", RUN));
        let mut without = cloud();
        without.as_object_mut().unwrap().remove("subject");
        let problem = asked(&[], &without.to_string()).unwrap_err();
        assert!(format!("{problem:?}").contains("it has no `subject`"), "{problem:?}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_nothing_is_taken() {
        let wrong = |headers: &[(&str, &str)], body: &str| {
            let problem = asked(headers, body).unwrap_err();
            (problem.status().as_u16(), format!("{problem:?}"))
        };
        assert_eq!(wrong(&[], "{").0, 400);
        assert_eq!(wrong(&[("content-type", "text/plain")], "x").0, 415);
        assert_eq!(wrong(&[], "[]").0, 422);
        let batch = format!("[{},{}]", beat("a"), beat("b").replace(RUN, "../../x"));
        let (status, told) = wrong(&[], &batch);
        assert_eq!(status, 422);
        assert!(told.contains("event 2 of 2 can't be taken: `../../x` is no id of a run"), "{told}");
        assert!(wrong(&[], &beat("")).1.contains("`id` must have"));
        assert!(wrong(&[], &beat("a").replace(SCHEMA, "other/1")).1.contains("`schema` must be"));
        let flood = format!("[{}]", vec![beat("a"); EVENTS_AT_MOST + 1].join(","));
        assert_eq!(wrong(&[], &flood).0, 422);
    }
}
