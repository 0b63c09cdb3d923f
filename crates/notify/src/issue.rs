//! Keeps one issue for each group of alerts: opened, kept current, and closed when all is over.
//!
//! The issue is found by a mark in its text, which holds a hash of the group; so nothing is remembered here,
//! and an issue that a person edits or moves is still found while the mark is in it. A second mark holds the key
//! of the last notice: one that was told already is not told again. Between the comment and that mark an attempt
//! can break; then the comment stands there twice, which is better than not at all.

use alignwatch_model::{
    escape,
    notice::{Delivered, Failure, FailureReason, Notice, NoticeReason, NoticeStatus},
};
use serde_json::Value;

use crate::{
    failure::failed,
    group_hash, hash,
    http::Answer,
    limits::Limit,
    text::{self, Markup},
};

/// A place where issues are kept.
pub(crate) trait Tracker {
    /// The open issues that may be ours, with their texts.
    fn open_issues(&self) -> Result<Vec<Issue>, Failure>;

    /// Opens one. Gives its address.
    fn create(&self, title: &str, body: &str) -> Result<Option<String>, Failure>;

    /// Says something below it.
    fn comment(&self, issue: &Issue, text: &str) -> Result<(), Failure>;

    /// Writes it anew, and closes it when `is_over`.
    fn update(&self, issue: &Issue, title: &str, body: &str, is_over: bool) -> Result<(), Failure>;
}

/// An open issue.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub number: u64,
    pub body: String,
    pub url: Option<String>,
}

/// Issues on a page. Source: ours; so many of the longest fit into what is read of a list.
pub(crate) const PAGE: &str = "20";

/// Pages that are looked through. Source: ours; a thousand open issues.
const PAGES_AT_MOST: usize = 50;

/// The longest address of an issue that is kept, in characters. Source: ours.
pub(crate) const URL_AT_MOST: usize = 500;

/// The open issues of all pages; `names` are those of an issue's number, text and address.
///
/// Errors: a page that is no list, or more pages than are looked through. What can't be read is not "no issues": then
/// each attempt would open another one, and an end would close none.
pub(crate) fn all_pages(
    names: [&str; 3],
    page: impl Fn(&str) -> Result<Answer, Failure>,
) -> Result<Vec<Issue>, Failure> {
    let mut issues = Vec::new();
    for nth in 1..=PAGES_AT_MOST {
        let (n_listed, found) = listed(&page(&nth.to_string())?, names)?;
        if n_listed == 0 {
            return Ok(issues);
        }
        issues.extend(found);
    }
    let detail = format!("there are more than {PAGES_AT_MOST} pages of open issues, so that ours can't be found");
    Err(failed(FailureReason::ServerError, detail))
}

/// How many entries a page has, and those that are issues.
fn listed(answer: &Answer, [number, body, url]: [&str; 3]) -> Result<(usize, Vec<Issue>), Failure> {
    let listed = answer.listed()?;
    let issue = |issue: &Value| {
        Some(Issue {
            number: issue[number].as_u64()?,
            body: issue[body].as_str().unwrap_or_default().to_owned(),
            url: answer.text(&issue[url], URL_AT_MOST),
        })
    };
    Ok((listed.len(), listed.iter().filter_map(issue).collect()))
}

/// What would be written, as people can read it.
pub(crate) fn draft(notice: &Notice, limits: Limits) -> String {
    format!("{}\n\n{}", title(notice, limits.title), body(notice, limits.body))
}

/// Markdown as forges read it.
pub(crate) const MARKDOWN: Markup = Markup {
    text: escaped,
    bold: |text| format!("**{}**", escape::markdown(text)),
    code: escape::markdown_code,
    link: |url, words| format!("[{}]({url})", escape::markdown(words)),
    line: "  \n",
    paragraph: "\n\n",
};

/// A line of GitLab that begins with `/` is an order, such as `/close`. Source: docs.gitlab.com, quick actions.
fn escaped(text: &str) -> String {
    let text = escape::markdown(text);
    let n_before = text.len() - text.trim_start().len();
    let (space, rest) = text.split_at(n_before);
    if rest.starts_with('/') { format!("{space}\\{rest}") } else { text }
}

/// How much a place takes.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub title: Limit,
    pub body: Limit,
}

/// Opens, changes or closes the issue of the group.
pub(crate) fn tell(tracker: &impl Tracker, limits: Limits, notice: &Notice) -> Result<Delivered, Failure> {
    let said = |what: &str, url: Option<String>| Ok(Delivered { answer: what.to_owned(), reference: url });
    let is_over = notice.status == NoticeStatus::Resolved;
    let group = group_hash(notice);
    let ours = tracker.open_issues()?.into_iter().filter(|issue| marked(&issue.body, "group") == Some(&group));
    // Whoever can read our mark can copy it, but into a newer issue only.
    let found = ours.min_by_key(|issue| issue.number);
    let (title, body) = (title(notice, limits.title), body(notice, limits.body));
    match found {
        None if is_over => said("there is no open issue to close", None),
        None => said("opened an issue", tracker.create(&title, &body)?),
        Some(issue) if marked(&issue.body, "notice") == Some(&hash(&notice.key)) => {
            said("it was told already", issue.url)
        }
        Some(issue) => {
            if notice.reason != NoticeReason::Repeat {
                tracker.comment(&issue, &text::body(notice, &MARKDOWN, limits.body, 20))?;
            }
            tracker.update(&issue, &title, &body, is_over)?;
            said(if is_over { "closed the issue" } else { "changed the issue" }, issue.url)
        }
    }
}

/// A title is plain text, but forges look for mentions and numbers in it, too.
pub(crate) fn title(notice: &Notice, limit: Limit) -> String {
    text::title(notice, limit).replace('@', "\u{ff20}")
}

/// The text of the issue with both marks at its end, where no cut reaches them.
pub(crate) fn body(notice: &Notice, limit: Limit) -> String {
    let (group, key) = (group_hash(notice), hash(&notice.key));
    let marks = format!("\n\n<!-- alignwatch group {group} -->\n<!-- alignwatch notice {key} -->\n");
    let room = Limit { at_most: limit.at_most - limit.size_of(&marks), ..limit };
    text::body(notice, &MARKDOWN, room, 200) + &marks
}

/// What a mark of this kind says. The last one is ours: what stands before it may be foreign and say anything.
fn marked<'a>(body: &'a str, kind: &str) -> Option<&'a str> {
    let (_, rest) = body.rsplit_once(&format!("<!-- alignwatch {kind} "))?;
    rest.split_once(" -->").map(|(mark, _)| mark)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use insta::assert_snapshot;

    use super::*;
    use crate::{limits, sample};

    const LIMITS: Limits = Limits { title: limits::GITHUB_TITLE, body: limits::GITHUB_BODY };

    /// A place that remembers what was done there.
    #[derive(Default)]
    struct Wall {
        issues: RefCell<Vec<Issue>>,
        done: RefCell<Vec<String>>,
    }

    impl Tracker for Wall {
        fn open_issues(&self) -> Result<Vec<Issue>, Failure> {
            Ok(self.issues.borrow().clone())
        }

        fn create(&self, _: &str, body: &str) -> Result<Option<String>, Failure> {
            self.done.borrow_mut().push("create".into());
            self.issues.borrow_mut().push(Issue { number: 7, body: body.into(), url: None });
            Ok(None)
        }

        fn comment(&self, issue: &Issue, _: &str) -> Result<(), Failure> {
            self.done.borrow_mut().push(format!("comment {}", issue.number));
            Ok(())
        }

        fn update(&self, issue: &Issue, _: &str, body: &str, is_over: bool) -> Result<(), Failure> {
            self.done.borrow_mut().push(format!("update {} {is_over}", issue.number));
            self.issues.borrow_mut().iter_mut().for_each(|kept| kept.body = body.into());
            self.issues.borrow_mut().retain(|_| !is_over);
            Ok(())
        }
    }

    #[test]
    fn a_group_has_one_issue_from_its_first_alert_to_its_last() {
        let wall = Wall::default();
        let first = sample::notice();
        let repeat = Notice { key: "n-3".into(), reason: NoticeReason::Repeat, ..sample::notice() };
        let changed = Notice { key: "n-4".into(), ..sample::many(3) };
        for notice in [&first, &first, &repeat, &changed, &changed, &sample::over(), &sample::over()] {
            tell(&wall, LIMITS, notice).expect("it works");
        }
        assert_eq!(
            wall.done.into_inner(),
            ["create", "update 7 false", "comment 7", "update 7 false", "comment 7", "update 7 true"]
        );
    }

    #[test]
    fn an_issue_of_another_group_is_left_alone() {
        let wall = Wall::default();
        tell(&wall, LIMITS, &Notice { group_key: "other".into(), ..sample::notice() }).expect("it works");
        tell(&wall, LIMITS, &sample::over()).expect("it works");
        assert_eq!(wall.done.into_inner(), ["create"]);
    }

    #[test]
    fn an_issue_that_copies_our_mark_is_not_ours() {
        let wall = Wall::default();
        let copy = body(&sample::notice(), limits::GITHUB_BODY);
        let issue = |number| Issue { number, body: copy.clone(), url: None };
        *wall.issues.borrow_mut() = vec![issue(9), issue(7), issue(8)];
        tell(&wall, LIMITS, &sample::over()).expect("it works");
        assert_eq!(wall.done.into_inner(), ["comment 7", "update 7 true"]);
    }

    #[test]
    fn an_issue_is_markdown_with_two_marks() {
        assert_snapshot!(body(&sample::notice(), limits::GITHUB_BODY), @r"
        **ERROR** feature/0 is 240 commits behind main (limit 200\)  
        `refs/heads/feature/0` in `a.git`  
        since 2026\-01\-01 00\:00 UTC, alert a0  
        The longer it waits, the more will collide.  
        Merge the base into it.  
        `git merge-base main feature/0`  
        [what to do](https://docs.example.org/far-behind)

        [see all](https://watch.example.org/alerts)

        <!-- alignwatch group c307d67c5b4353c1244b3aa6aaffdb62 -->
        <!-- alignwatch notice 51aeea8ffa05d2620d35c87463465885 -->
        ");
    }

    #[test]
    fn foreign_text_cannot_forge_a_mark_or_mention_anybody() {
        let forged = body(&Notice { group_key: "other".into(), ..sample::notice() }, limits::GITHUB_BODY);
        for name in sample::NAUGHTY.into_iter().chain([forged.as_str()]) {
            let body = body(&sample::hostile(name), limits::GITHUB_BODY);
            assert!(body.lines().all(|line| !line.trim_start().starts_with('/')), "{body}");
            assert_eq!(marked(&body, "group"), Some(group_hash(&sample::notice()).as_str()), "{body}");
            assert!(!title(&sample::hostile(name), limits::GITHUB_TITLE).contains('@'));
        }
    }

    #[test]
    fn an_issue_is_no_longer_than_each_place_takes() {
        for limit in [limits::GITHUB_BODY, limits::GITLAB_BODY, limits::GITEA_BODY] {
            for notice in [sample::many(3_000), sample::hostile(&"*_".repeat(800_000))] {
                let body = body(&notice, limit);
                assert!(limit.size_of(&body) <= limit.at_most);
                assert!(body.ends_with(" -->\n"));
            }
        }
    }
}
