//! Keeps issues of GitLab, by its REST API.

use alignwatch_model::{
    config::{SecretRef, channels::Gitlab},
    notice::{Delivered, Failure, Notice},
};
use serde_json::json;

use crate::{
    Tell, Way,
    github::LABEL,
    http::{self, Address, Answer, Request},
    issue::{self, Issue, Limits, PAGE, Tracker},
    key_and_address, limits, secret,
};

const LIMITS: Limits = Limits { title: limits::GITLAB_TITLE, body: limits::GITLAB_BODY };

impl Tell for Gitlab {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        issue::tell(&At::of(self, way)?, LIMITS, notice)
    }

    fn draft(&self, notice: &Notice) -> String {
        issue::draft(notice, LIMITS)
    }

    fn secrets(&self) -> Vec<SecretRef> {
        key_and_address(&self.token, self.url.as_deref())
    }
}

/// The issues of one project.
struct At<'a> {
    issues: Address,
    token: String,
    label: &'a str,
    way: Way<'a>,
}

impl<'a> At<'a> {
    fn of(channel: &'a Gitlab, way: Way<'a>) -> Result<At<'a>, Failure> {
        let base = http::address(channel.url.as_deref().unwrap_or("https://gitlab.com"), way)?;
        // The path of a project is one part of the address, its `/` written as `%2F`.
        let issues = base.below(&["api", "v4", "projects", &channel.project, "issues"])?;
        let label = channel.label.as_deref().unwrap_or(LABEL);
        Ok(At { issues, token: secret::read(&channel.token, way)?, label, way })
    }

    fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let request = request.with_secret("private-token", "", &self.token);
        http::deliver(&request, self.way)
    }
}

impl Tracker for At<'_> {
    fn open_issues(&self) -> Result<Vec<Issue>, Failure> {
        issue::all_pages(["iid", "description", "web_url"], |page| {
            let query = [("state", "opened"), ("labels", self.label), ("per_page", PAGE), ("page", page)];
            self.ask(Request::list(self.issues.with_query(query)))
        })
    }

    fn create(&self, title: &str, body: &str) -> Result<Option<String>, Failure> {
        let new = json!({ "title": title, "description": body, "labels": self.label });
        let answer = self.ask(Request::json("POST", self.issues.clone(), &new))?;
        Ok(answer.text(&answer.json()["web_url"], issue::URL_AT_MOST))
    }

    fn comment(&self, issue: &Issue, text: &str) -> Result<(), Failure> {
        self.ask(Request::json(
            "POST",
            self.issues.below(&[&issue.number.to_string(), "notes"])?,
            &json!({ "body": text }),
        ))
        .map(drop)
    }

    fn update(&self, issue: &Issue, title: &str, body: &str, is_over: bool) -> Result<(), Failure> {
        let mut change = json!({ "title": title, "description": body });
        if is_over {
            change["state_event"] = json!("close");
        }
        self.ask(Request::json("PUT", self.issues.below(&[&issue.number.to_string()])?, &change)).map(drop)
    }
}
