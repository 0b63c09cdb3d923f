//! Keeps issues of GitLab, by its REST API.

use alignwatch_model::{
    config::{SecretRef, channels::Gitlab},
    notice::{Delivered, Failure, Notice},
};
use serde_json::json;
use url::Url;

use crate::{
    Tell, Way,
    github::{LABEL, of_json},
    http::{self, Answer, Request},
    issue::{self, Issue, Limits, Tracker},
    limits, secret, secret_of,
};

const LIMITS: Limits = Limits { title: limits::GITLAB_TITLE, body: limits::GITLAB_BODY };

impl Tell for Gitlab {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        issue::tell(&At::of(self, way)?, LIMITS, notice)
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{}\n\n{}", issue::title(notice, LIMITS.title), issue::body(notice, LIMITS.body))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        std::iter::once(self.token.clone()).chain(self.url.as_deref().and_then(secret_of)).collect()
    }
}

/// The issues of one project.
struct At<'a> {
    issues: Url,
    token: String,
    label: &'a str,
    way: Way<'a>,
}

impl<'a> At<'a> {
    fn of(channel: &'a Gitlab, way: Way<'a>) -> Result<At<'a>, Failure> {
        let base = http::address(channel.url.as_deref().unwrap_or("https://gitlab.com"))?;
        // The path of a project is one part of the address, its `/` written as `%2F`.
        let issues = http::below(&base, &["api", "v4", "projects", &channel.project, "issues"])?;
        let label = channel.label.as_deref().unwrap_or(LABEL);
        Ok(At { issues, token: secret::read(&channel.token)?, label, way })
    }

    fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let request = request.with_secret("private-token", "", &self.token);
        http::deliver(&request, self.way)
    }

    fn of_issue(&self, issue: &Issue, below: &[&str]) -> Result<Url, Failure> {
        let number = issue.number.to_string();
        let parts: Vec<&str> = std::iter::once(number.as_str()).chain(below.iter().copied()).collect();
        http::below(&self.issues, &parts)
    }
}

impl Tracker for At<'_> {
    fn open_issues(&self) -> Result<Vec<Issue>, Failure> {
        let mut url = self.issues.clone();
        url.query_pairs_mut()
            .append_pair("state", "opened")
            .append_pair("labels", self.label)
            .append_pair("per_page", "100");
        let listed = self.ask(Request::plain("GET", url))?.json();
        Ok(listed
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|issue| of_json(issue, "iid", "description", "web_url"))
            .collect())
    }

    fn create(&self, title: &str, body: &str) -> Result<Option<String>, Failure> {
        let new = json!({ "title": title, "description": body, "labels": self.label });
        let answer = self.ask(Request::json("POST", self.issues.clone(), &new))?;
        Ok(answer.json()["web_url"].as_str().map(str::to_owned))
    }

    fn comment(&self, issue: &Issue, text: &str) -> Result<(), Failure> {
        self.ask(Request::json("POST", self.of_issue(issue, &["notes"])?, &json!({ "body": text }))).map(drop)
    }

    fn update(&self, issue: &Issue, title: &str, body: &str, is_over: bool) -> Result<(), Failure> {
        let mut change = json!({ "title": title, "description": body });
        if is_over {
            change["state_event"] = json!("close");
        }
        self.ask(Request::json("PUT", self.of_issue(issue, &[])?, &change)).map(drop)
    }
}
