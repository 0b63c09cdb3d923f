//! Tests of what each service is asked: the line, who we say we are, and that the body is the one of the preview.

use alignwatch_model::{
    Timestamp,
    config::{Channel, SecretRef, channels::*},
    notice::{Delivered, FailureReason, Notice},
};
use serde_json::{Value, json};

use crate::{
    DEADLINE, Way, attempt, group_hash, hash, preview, sample,
    sink::{Asked, Sink},
};

/// A server, and the secret that a channel reads.
struct World {
    sink: Sink,
    dir: tempfile::TempDir,
}

impl World {
    fn answering(bodies: &[&str]) -> World {
        let answers: Vec<String> = bodies.iter().map(|body| format!("HTTP/1.1 200 OK\r\n\r\n{body}")).collect();
        World { sink: Sink::answering(answers.iter().map(String::as_str)), dir: tempfile::tempdir().expect("a folder") }
    }

    fn secret(&self, text: &str) -> SecretRef {
        let path = self.dir.path().join(hash(text));
        std::fs::write(&path, text).expect("it is written");
        SecretRef::File(path.to_string_lossy().into_owned())
    }

    fn base(&self) -> Option<String> {
        Some(self.sink.url(""))
    }

    fn tell(&self, channel: &Channel, notice: &Notice) -> Delivered {
        attempt(channel, notice, Way::new(&self.sink.egress(), Timestamp(1_767_225_660), DEADLINE))
            .unwrap_or_else(|error| panic!("{}: {error}", channel.kind()))
    }
}

/// The body of a preview, whose first line may be the address.
fn drafted(channel: &Channel, notice: &Notice) -> Value {
    let text = preview(channel, notice);
    serde_json::from_str(&text[text.find(['{', '[']).expect("JSON")..]).expect("JSON")
}

#[test]
fn chats_get_what_the_preview_shows_at_their_address() {
    let notice = sample::notice();
    let world = World::answering(&[r#"{"id":"42","event_id":"$e","result":{"message_id":7}}"#; 9]);
    let hook = world.secret(&world.sink.url("/services/T0/B0/secret"));
    let token = || world.secret("t0ken");
    let name = || "x".to_owned();
    let channels: [(Channel, &str, Option<&str>); 9] = [
        (Channel::Slack(Slack { name: name(), url: hook.clone() }), "POST /services/T0/B0/secret", None),
        (Channel::Teams(Teams { name: name(), url: hook.clone() }), "POST /services/T0/B0/secret", None),
        (
            Channel::Discord(Discord { name: name(), url: hook.clone() }),
            "POST /services/T0/B0/secret?wait=true",
            Some("42"),
        ),
        (Channel::Mattermost(Mattermost { name: name(), url: hook.clone() }), "POST /services/T0/B0/secret", None),
        (Channel::Rocketchat(Rocketchat { name: name(), url: hook }), "POST /services/T0/B0/secret", None),
        (
            Channel::Telegram(Telegram { name: name(), token: token(), chat: "-100".into(), url: world.base() }),
            "POST /bott0ken/sendMessage",
            Some("7"),
        ),
        (
            Channel::Ntfy(Ntfy { name: name(), topic: "t".into(), token: Some(token()), url: world.base() }),
            "POST /",
            Some("42"),
        ),
        (
            Channel::Opsgenie(Opsgenie { name: name(), key: token(), url: world.base() }),
            "POST /v2/alerts",
            Some("c307d67c5b4353c1244b3aa6aaffdb62"),
        ),
        (
            Channel::Alertmanager(Alertmanager {
                name: name(),
                urls: vec![world.sink.url("/am")],
                ..Alertmanager::default()
            }),
            "POST /am/api/v2/alerts",
            None,
        ),
    ];
    for (channel, line, reference) in channels {
        let told = world.tell(&channel, &notice);
        let asked = world.sink.request();
        assert_eq!(asked.line, format!("{line} HTTP/1.1"), "{}", channel.kind());
        assert_eq!(told.reference.as_deref(), reference, "{}", channel.kind());
        assert_eq!(asked.header("content-type"), Some("application/json"));
        assert!(asked.header("user-agent").is_some_and(|agent| agent.starts_with("alignwatch/")));
        let mut draft = drafted(&channel, &notice);
        if channel.kind() == "alertmanager" {
            // The end that is to come follows from the time of the attempt.
            draft[0]["endsAt"] = asked.json()[0]["endsAt"].clone();
        }
        assert_eq!(asked.json(), draft, "{}", channel.kind());
        let who = asked.header("authorization");
        let expected = match channel.kind() {
            "ntfy" => Some("Bearer t0ken"),
            "opsgenie" => Some("GenieKey t0ken"),
            _ => None,
        };
        assert_eq!(who, expected, "{}", channel.kind());
    }
}

#[test]
fn a_room_of_matrix_hears_a_notice_once_however_often_it_is_sent() {
    let world = World::answering(&[r#"{"event_id":"$e"}"#; 2]);
    let channel = Channel::Matrix(Matrix {
        name: "x".into(),
        url: world.sink.url(""),
        token: world.secret("t0ken"),
        room: "!r/1:x.example".into(),
    });
    let lines = [(); 2].map(|()| {
        assert_eq!(world.tell(&channel, &sample::notice()).reference.as_deref(), Some("$e"));
        let asked = world.sink.request();
        assert_eq!(asked.header("authorization"), Some("Bearer t0ken"));
        asked.line
    });
    let transaction = hash("n-1");
    assert_eq!(
        lines[0],
        format!("PUT /_matrix/client/v3/rooms/!r%2F1:x.example/send/m.room.message/{transaction} HTTP/1.1")
    );
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn pages_of_people_on_call_are_opened_and_closed_under_one_name() {
    let world = World::answering(&["{}"; 4]);
    let pagerduty = Channel::Pagerduty(Pagerduty { name: "x".into(), key: world.secret("k3y"), url: world.base() });
    let names = [sample::notice(), sample::over()].map(|notice| {
        world.tell(&pagerduty, &notice);
        let asked = world.sink.request();
        assert_eq!((asked.line.as_str(), &asked.json()["routing_key"]), ("POST /v2/enqueue HTTP/1.1", &json!("k3y")));
        (asked.json()["event_action"].clone(), asked.json()["dedup_key"].clone())
    });
    let name = json!(group_hash(&sample::notice()));
    assert_eq!(names, [(json!("trigger"), name.clone()), (json!("resolve"), name)]);

    let base = Some(world.sink.url("/jsm/ops/integration"));
    let jira =
        Channel::JiraServiceManagement(JiraServiceManagement { name: "x".into(), key: world.secret("k3y"), url: base });
    let lines = [sample::notice(), sample::over()].map(|notice| {
        world.tell(&jira, &notice);
        world.sink.request().line
    });
    let alias = group_hash(&sample::notice());
    assert_eq!(
        lines,
        [
            "POST /jsm/ops/integration/v2/alerts HTTP/1.1".to_owned(),
            format!("POST /jsm/ops/integration/v2/alerts/{alias}/close?identifierType=alias HTTP/1.1"),
        ]
    );
}

/// What a forge was asked while a group fired, changed and was over; `open` = its list of open issues.
fn asked_of_a_forge(make: impl Fn(&World) -> Channel, open: impl Fn(&str) -> String) -> Vec<Asked> {
    let first = World::answering(&[
        "[]",
        r#"{"html_url":"https://forge.example/1","web_url":"https://forge.example/1"}"#,
        "{}",
    ]);
    let channel = make(&first);
    let told = first.tell(&channel, &sample::notice());
    assert_eq!(told.reference.as_deref(), Some("https://forge.example/1"), "{}", channel.kind());
    let mut asked: Vec<Asked> = [(); 2].map(|()| first.sink.request()).into();
    let created = asked[1].json();
    let body = created["body"].as_str().or(created["description"].as_str()).expect("a body").to_owned();

    let list = open(&body);
    let last = World::answering(&[&list, "[]", "{}", "{}"]);
    assert_eq!(last.tell(&make(&last), &sample::over()).answer, "closed the issue");
    asked.extend([(); 4].map(|()| last.sink.request()));
    asked
}

fn lines(asked: &[Asked]) -> Vec<&str> {
    asked.iter().map(|asked| asked.line.trim_end_matches(" HTTP/1.1")).collect()
}

#[test]
fn issues_of_github_are_opened_changed_and_closed() {
    let make = |world: &World| {
        Channel::Github(Github {
            name: "x".into(),
            repository: "o/r".into(),
            token: world.secret("t0ken"),
            url: world.base(),
            label: None,
        })
    };
    let asked = asked_of_a_forge(make, |body| {
        json!([{"number": 6, "body": null}, {"number": 7, "body": body, "html_url": "u"}]).to_string()
    });
    assert_eq!(
        lines(&asked),
        [
            "GET /repos/o/r/issues?state=open&labels=alignwatch&per_page=20&page=1",
            "POST /repos/o/r/issues",
            "GET /repos/o/r/issues?state=open&labels=alignwatch&per_page=20&page=1",
            "GET /repos/o/r/issues?state=open&labels=alignwatch&per_page=20&page=2",
            "POST /repos/o/r/issues/7/comments",
            "PATCH /repos/o/r/issues/7",
        ]
    );
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some("Bearer t0ken")));
    assert_eq!(asked[1].json()["labels"], json!(["alignwatch"]));
    assert_eq!((&asked[5].json()["state"], &asked[5].json()["state_reason"]), (&json!("closed"), &json!("completed")));
}

#[test]
fn issues_of_gitlab_are_opened_changed_and_closed() {
    let make = |world: &World| {
        Channel::Gitlab(Gitlab {
            name: "x".into(),
            project: "g/s/p".into(),
            token: world.secret("t0ken"),
            url: world.base(),
            label: Some("drift".into()),
        })
    };
    let asked = asked_of_a_forge(make, |body| json!([{"iid": 7, "description": body, "web_url": "u"}]).to_string());
    assert_eq!(
        lines(&asked),
        [
            "GET /api/v4/projects/g%2Fs%2Fp/issues?state=opened&labels=drift&per_page=20&page=1",
            "POST /api/v4/projects/g%2Fs%2Fp/issues",
            "GET /api/v4/projects/g%2Fs%2Fp/issues?state=opened&labels=drift&per_page=20&page=1",
            "GET /api/v4/projects/g%2Fs%2Fp/issues?state=opened&labels=drift&per_page=20&page=2",
            "POST /api/v4/projects/g%2Fs%2Fp/issues/7/notes",
            "PUT /api/v4/projects/g%2Fs%2Fp/issues/7",
        ]
    );
    assert!(asked.iter().all(|asked| asked.header("private-token") == Some("t0ken")));
    assert_eq!(asked[5].json()["state_event"], json!("close"));
}

#[test]
fn issues_of_gitea_are_found_among_all_pages() {
    let world =
        World::answering(&[r#"[{"number":1,"body":"another"}]"#, "[]", r#"{"html_url":"https://forge.example/1"}"#]);
    let channel = Channel::Gitea(Gitea {
        name: "x".into(),
        repository: "o/r".into(),
        token: world.secret("t0ken"),
        url: world.sink.url("/git"),
    });
    assert_eq!(world.tell(&channel, &sample::notice()).answer, "opened an issue");
    let asked = [(); 3].map(|()| world.sink.request());
    assert_eq!(
        lines(&asked),
        [
            "GET /git/api/v1/repos/o/r/issues?state=open&type=issues&limit=20&page=1",
            "GET /git/api/v1/repos/o/r/issues?state=open&type=issues&limit=20&page=2",
            "POST /git/api/v1/repos/o/r/issues",
        ]
    );
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some("token t0ken")));
}

#[test]
fn a_list_of_issues_that_could_not_be_read_is_not_an_empty_one() {
    let too_long = format!("[{{\"number\": 1, \"body\": \"{}\"}}]", "x".repeat(9 << 20));
    let html = "<!DOCTYPE html><title>Maintenance</title>";
    let full = r#"[{"number": 1, "body": "another"}]"#;
    let answers = [html.to_owned(), "{}".to_owned(), too_long, "[{\"number\": 1".to_owned(), full.to_owned()];
    for answer in answers {
        let answers: Vec<&str> = vec![&answer; 60];
        let world = World::answering(&answers);
        let forges = [
            Channel::Github(Github {
                repository: "o/r".into(),
                token: world.secret("t0ken"),
                url: world.base(),
                ..Github::default()
            }),
            Channel::Gitlab(Gitlab {
                project: "o/r".into(),
                token: world.secret("t0ken"),
                url: world.base(),
                ..Gitlab::default()
            }),
            Channel::Gitea(Gitea {
                repository: "o/r".into(),
                token: world.secret("t0ken"),
                url: world.sink.url(""),
                ..Gitea::default()
            }),
        ];
        // The full page is looked through to its bound, for which one forge is enough.
        let n_forges = if answer == full { 1 } else { 3 };
        for channel in &forges[..n_forges] {
            for notice in [sample::notice(), sample::over()].iter().take(n_forges) {
                let egress = world.sink.egress();
                let way = Way::new(&egress, Timestamp(0), DEADLINE);
                let failure = attempt(channel, notice, way).expect_err(channel.kind());
                assert_eq!(failure.reason, FailureReason::ServerError, "{}: {failure}", channel.kind());
                assert!(!failure.is_permanent);
            }
        }
        while let Some(asked) = world.sink.next() {
            assert!(asked.line.starts_with("GET "), "{}", asked.line);
        }
    }
}
