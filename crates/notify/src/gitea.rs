//! Keeps issues of Gitea or Forgejo, by their REST API.
//!
//! A label there has a number that would have to be found first, so that issues are found by their marks alone.

use alignwatch_model::{
    config::{SecretRef, channels::Gitea},
    notice::{Delivered, Failure, Notice},
};
use serde_json::json;

use crate::{
    Tell, Way,
    github::owner_and_name,
    http::{self, Address, Answer, Request},
    issue::{self, Issue, Limits, PAGE, Tracker},
    key_and_address, limits, secret,
};

const LIMITS: Limits = Limits { title: limits::GITEA_TITLE, body: limits::GITEA_BODY };

impl Tell for Gitea {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        issue::tell(&At::of(self, way)?, LIMITS, notice)
    }

    fn draft(&self, notice: &Notice) -> String {
        issue::draft(notice, LIMITS)
    }

    fn secrets(&self) -> Vec<SecretRef> {
        key_and_address(&self.token, Some(&self.url))
    }
}

/// The issues of one repository.
struct At<'a> {
    issues: Address,
    token: String,
    way: Way<'a>,
}

impl<'a> At<'a> {
    fn of(channel: &'a Gitea, way: Way<'a>) -> Result<At<'a>, Failure> {
        let (owner, name) = owner_and_name(&channel.repository)?;
        let issues = http::address(&channel.url, way)?.below(&["api", "v1", "repos", owner, name, "issues"])?;
        Ok(At { issues, token: secret::read(&channel.token, way)?, way })
    }

    fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let request = request.with_secret("authorization", "token ", &self.token);
        http::deliver(&request, self.way)
    }
}

impl Tracker for At<'_> {
    fn open_issues(&self) -> Result<Vec<Issue>, Failure> {
        issue::all_pages(["number", "body", "html_url"], |page| {
            let query = [("state", "open"), ("type", "issues"), ("limit", PAGE), ("page", page)];
            self.ask(Request::list(self.issues.with_query(query)))
        })
    }

    fn create(&self, title: &str, body: &str) -> Result<Option<String>, Failure> {
        let answer = self.ask(Request::json("POST", self.issues.clone(), &json!({ "title": title, "body": body })))?;
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
        }
        self.ask(Request::json("PATCH", self.issues.below(&[&issue.number.to_string()])?, &change)).map(drop)
    }
}
