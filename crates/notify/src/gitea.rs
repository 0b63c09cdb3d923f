//! Keeps issues of Gitea or Forgejo, by their REST API.
//!
//! A label there has a number that would have to be found first, so that issues are found by their marks alone.

use alignwatch_model::{
    config::{SecretRef, channels::Gitea},
    notice::{Delivered, Failure, Notice},
};
use serde_json::json;
use url::Url;

use crate::{
    Tell, Way,
    github::{of_json, owner_and_name},
    http::{self, Answer, Request},
    issue::{self, Issue, Limits, Tracker},
    limits, secret, secret_of,
};

const LIMITS: Limits = Limits { title: limits::GITEA_TITLE, body: limits::GITEA_BODY };

/// Pages of 50 open issues that are looked through. Source: ours.
const PAGES_AT_MOST: usize = 20;

impl Tell for Gitea {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        issue::tell(&At::of(self, way)?, LIMITS, notice)
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{}\n\n{}", issue::title(notice, LIMITS.title), issue::body(notice, LIMITS.body))
    }

    fn secrets(&self) -> Vec<SecretRef> {
        std::iter::once(self.token.clone()).chain(secret_of(&self.url)).collect()
    }
}

/// The issues of one repository.
struct At<'a> {
    issues: Url,
    token: String,
    way: Way<'a>,
}

impl<'a> At<'a> {
    fn of(channel: &'a Gitea, way: Way<'a>) -> Result<At<'a>, Failure> {
        let (owner, name) = owner_and_name(&channel.repository)?;
        let issues = http::below(&http::address(&channel.url)?, &["api", "v1", "repos", owner, name, "issues"])?;
        Ok(At { issues, token: secret::read(&channel.token)?, way })
    }

    fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let request = request.with_secret("authorization", "token ", &self.token);
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
        let mut issues = Vec::new();
        for page in 1..=PAGES_AT_MOST {
            let mut url = self.issues.clone();
            let page = page.to_string();
            url.query_pairs_mut().extend_pairs([
                ("state", "open"),
                ("type", "issues"),
                ("limit", "50"),
                ("page", &page),
            ]);
            let listed = self.ask(Request::plain("GET", url))?.json();
            let listed = listed.as_array().cloned().unwrap_or_default();
            issues.extend(listed.iter().filter_map(|issue| of_json(issue, "number", "body", "html_url")));
            if listed.is_empty() {
                break;
            }
        }
        Ok(issues)
    }

    fn create(&self, title: &str, body: &str) -> Result<Option<String>, Failure> {
        let answer = self.ask(Request::json("POST", self.issues.clone(), &json!({ "title": title, "body": body })))?;
        Ok(answer.json()["html_url"].as_str().map(str::to_owned))
    }

    fn comment(&self, issue: &Issue, text: &str) -> Result<(), Failure> {
        self.ask(Request::json("POST", self.of_issue(issue, &["comments"])?, &json!({ "body": text }))).map(drop)
    }

    fn update(&self, issue: &Issue, title: &str, body: &str, is_over: bool) -> Result<(), Failure> {
        let mut change = json!({ "title": title, "body": body });
        if is_over {
            change["state"] = json!("closed");
        }
        self.ask(Request::json("PATCH", self.of_issue(issue, &[])?, &change)).map(drop)
    }
}
