//! The dashboard, as the real binary serves it: text of others stays text, nothing runs inline, and what did not change
//! is not sent again. What needs a browser is in `browser.rs`.

use alignwatch_testkit::{Repo, sketch};

use crate::daemon::Daemon;

/// A branch name that wants to be markup.
const HOSTILE: &str = "<svg/onload=alert(1)>";

fn hostile() -> Repo {
    let repo = sketch("main: a b c d\n old: a x\n new: c y").draw();
    repo.git(["branch", HOSTILE, "old"]);
    let subject = "<script>alert(3)</script> {{7*7}} \u{202e}drawkcab";
    let mut commit = repo.git_command(["commit-tree", "old^{tree}", "-p", "old", "-m", subject]);
    commit.env("GIT_AUTHOR_NAME", "a\" onmouseover=alert(2) x=\"").env("GIT_AUTHOR_EMAIL", "b@example.org");
    let made = String::from_utf8(commit.output().unwrap().stdout).unwrap();
    repo.git(["update-ref", "refs/heads/'\"&#39;", made.trim()]);
    repo
}

/// All addresses of pages.
fn pages(id: &str) -> Vec<String> {
    let branch = "name=refs/heads/%3Csvg/onload%3Dalert(1)%3E";
    let of_repository = ["", "/branches", "/branches?group=state&q=%3Cscript%3E&state=%22%3E%3Cb%3E"];
    let mut pages: Vec<String> = of_repository.iter().map(|end| format!("/repositories/{id}{end}")).collect();
    pages.push(format!("/repositories/{id}/branch?{branch}"));
    pages.extend(
        [
            "/runs",
            "/runs/x",
            "/about/checks",
            "/about/metrics",
            "/about/configuration",
            "/status",
            "/maintenance",
            "/alerts",
            "/alerts/x",
            "/silences/new?matchers=%3Cscript%3E",
        ]
        .map(str::to_owned),
    );
    pages.extend(["/", "/no-such-page", "/repositories/%3Cb%3E"].map(str::to_owned));
    pages
}

#[test]
fn names_that_want_to_be_markup_are_text_on_every_page() {
    let (repo, data) = (hostile(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let id = daemon.json("/api/v1/repositories")["repositories"][0]["id"].as_str().unwrap().to_owned();
    let get = |path: &str| daemon.ask(&format!("GET {path}"), "Host: localhost\r\nAccept: text/html\r\n").unwrap().1;
    for path in pages(&id) {
        let page = get(&path);
        assert!(page.contains("<!doctype html>"), "{path} is no page: {page}");
        for markup in ["<svg/onload", "<script>", "a\" onmouseover", "\u{202e}", "\"><b>"] {
            assert!(!page.contains(markup), "{path} holds {markup}");
        }
        for inline in [" style=", "<style", " onclick=", "javascript:"] {
            assert!(!page.contains(inline), "{path} holds {inline}");
        }
    }
    let table = get(&format!("/repositories/{id}/branches"));
    assert!(table.contains("&#60;svg/onload=alert(1)&#62;"), "the name is shown");
    assert!(table.contains("\\u{202e}drawkcab"), "what turns text around is shown as what it is");
}

#[test]
fn a_badge_tells_one_fact_and_nothing_where_nothing_is_known() {
    let (repo, data) = (hostile(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let id = daemon.json("/api/v1/repositories")["repositories"][0]["id"].as_str().unwrap().to_owned();
    let title = |path: &str| {
        let (status, picture) = daemon.get(path).unwrap();
        assert_eq!(status, 200, "{path}");
        picture.split("<title>").nth(1).unwrap().split('<').next().unwrap().to_owned()
    };
    assert_eq!(title(&format!("/badge/{id}/branches.svg")), "branches: 5");
    assert_eq!(title(&format!("/badge/{id}/conflicting.svg")), "conflicting: 0");
    assert_eq!(title("/badge/nobody/health.svg"), "alignment: unknown");
    assert_eq!(daemon.get(&format!("/badge/{id}/mood.svg")).unwrap().0, 404);
}

#[test]
fn a_page_that_did_not_change_is_not_sent_again() {
    let (repo, data) = (hostile(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let head = |headers: &str| daemon.head("GET /assets/style.css", headers);
    let answer = head("Host: localhost\r\n");
    let tag = answer.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    assert!(answer.contains("content-security-policy: default-src 'none'"), "{answer}");
    let again = head(&format!("Host: localhost\r\nIf-None-Match: \"x\", {tag}\r\n"));
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    assert!(head("Host: localhost\r\nIf-None-Match: \"x\"\r\n").starts_with("HTTP/1.1 200"));
}
