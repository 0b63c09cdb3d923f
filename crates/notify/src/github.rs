//! Keeps issues of GitHub, by its REST API.

use alignwatch_model::{
    config::{SecretRef, channels::Github},
    notice::{Delivered, Failure, FailureReason, Notice},
};
use serde_json::json;

use crate::{
    Tell, Way,
    failure::broken,
    http::{self, Address, Answer, Request},
    issue::{self, Issue, Limits, PAGE, Tracker},
    key_and_address, limits, secret,
};

const LIMITS: Limits = Limits { title: limits::GITHUB_TITLE, body: limits::GITHUB_BODY };

/// The label by which our issues are found.
pub(crate) const LABEL: &str = "alignwatch";

impl Tell for Github {
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

/// The issues of one repository.
struct At<'a> {
    issues: Address,
    token: String,
    label: &'a str,
    way: Way<'a>,
}

impl<'a> At<'a> {
    fn of(channel: &'a Github, way: Way<'a>) -> Result<At<'a>, Failure> {
        let base = http::address(channel.url.as_deref().unwrap_or("https://api.github.com"), way)?;
        let (owner, name) = owner_and_name(&channel.repository)?;
        let issues = base.below(&["repos", owner, name, "issues"])?;
        let label = channel.label.as_deref().unwrap_or(LABEL);
        Ok(At { issues, token: secret::read(&channel.token, way)?, label, way })
    }

    fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let request = request
            .with_secret("authorization", "Bearer ", &self.token)
            .with("accept", "application/vnd.github+json")
            .with("x-github-api-version", "2022-11-28");
        http::deliver(&request, self.way)
    }
}

impl Tracker for At<'_> {
    fn open_issues(&self) -> Result<Vec<Issue>, Failure> {
        issue::all_pages(["number", "body", "html_url"], |page| {
            let query = [("state", "open"), ("labels", self.label), ("per_page", PAGE), ("page", page)];
            self.ask(Request::list(self.issues.with_query(query)))
        })
    }

    fn create(&self, title: &str, body: &str) -> Result<Option<String>, Failure> {
        let new = json!({ "title": title, "body": body, "labels": [self.label] });
        let answer = self.ask(Request::json("POST", self.issues.clone(), &new))?;
        Ok(answer.text(&answer.json()["html_url"], issue::URL_AT_MOST))
    }

    fn comment(&self, issue: &Issue, text: &str) -> Result<(), Failure> {
        self.ask(Request::json(
            "POST",
            self.issues.below(&[&issue.number.to_string(), "comments"])?,
            &json!({ "body": text }),
        ))
        .map(drop)
    }

    fn update(&self, issue: &Issue, title: &str, body: &str, is_over: bool) -> Result<(), Failure> {
        let mut change = json!({ "title": title, "body": body });
        if is_over {
            change["state"] = json!("closed");
            change["state_reason"] = json!("completed");
        }
        self.ask(Request::json("PATCH", self.issues.below(&[&issue.number.to_string()])?, &change)).map(drop)
    }
}

/// `owner/name` in two.
pub(crate) fn owner_and_name(repository: &str) -> Result<(&str, &str), Failure> {
    let parts =
        repository.split_once('/').filter(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'));
    parts.ok_or_else(|| {
        broken(FailureReason::Configuration, format!("`{repository}` is no repository: write it like `owner/name`"))
    })
}
