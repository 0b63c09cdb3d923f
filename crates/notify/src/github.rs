//! Keeps issues of GitHub, by its REST API.

use alignwatch_model::{
    config::{SecretRef, channels::Github},
    notice::{Delivered, Failure, FailureReason, Notice},
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    Tell, Way,
    failure::broken,
    http::{self, Answer, Request},
    issue::{self, Issue, Limits, Tracker},
    limits, secret, secret_of,
};

const LIMITS: Limits = Limits { title: limits::GITHUB_TITLE, body: limits::GITHUB_BODY };

/// The label by which our issues are found.
pub(crate) const LABEL: &str = "alignwatch";

impl Tell for Github {
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

/// The issues of one repository.
struct At<'a> {
    issues: Url,
    token: String,
    label: &'a str,
    way: Way<'a>,
}

impl<'a> At<'a> {
    fn of(channel: &'a Github, way: Way<'a>) -> Result<At<'a>, Failure> {
        let base = http::address(channel.url.as_deref().unwrap_or("https://api.github.com"))?;
        let (owner, name) = owner_and_name(&channel.repository)?;
        let issues = http::below(&base, &["repos", owner, name, "issues"])?;
        let label = channel.label.as_deref().unwrap_or(LABEL);
        Ok(At { issues, token: secret::read(&channel.token)?, label, way })
    }

    fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let request = request
            .with_secret("authorization", "Bearer ", &self.token)
            .with("accept", "application/vnd.github+json")
            .with("x-github-api-version", "2022-11-28");
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
            .append_pair("state", "open")
            .append_pair("labels", self.label)
            .append_pair("per_page", "100");
        let listed = self.ask(Request::plain("GET", url))?.json();
        Ok(listed
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|issue| of_json(issue, "number", "body", "html_url"))
            .collect())
    }

    fn create(&self, title: &str, body: &str) -> Result<Option<String>, Failure> {
        let new = json!({ "title": title, "body": body, "labels": [self.label] });
        let answer = self.ask(Request::json("POST", self.issues.clone(), &new))?;
        Ok(answer.json()["html_url"].as_str().map(str::to_owned))
    }

    fn comment(&self, issue: &Issue, text: &str) -> Result<(), Failure> {
        self.ask(Request::json("POST", self.of_issue(issue, &["comments"])?, &json!({ "body": text }))).map(drop)
    }

    fn update(&self, issue: &Issue, title: &str, body: &str, is_over: bool) -> Result<(), Failure> {
        let mut change = json!({ "title": title, "body": body });
        if is_over {
            change["state"] = json!("closed");
            change["state_reason"] = json!("completed");
        }
        self.ask(Request::json("PATCH", self.of_issue(issue, &[])?, &change)).map(drop)
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

/// An issue from what an API says of it. `None` = it is none.
pub(crate) fn of_json(issue: &Value, number: &str, body: &str, url: &str) -> Option<Issue> {
    Some(Issue {
        number: issue[number].as_u64()?,
        body: issue[body].as_str().unwrap_or_default().to_owned(),
        url: issue[url].as_str().map(str::to_owned),
    })
}
