//! The dashboard, as the real binary serves it: text of others stays text, nothing runs inline, and what did not change
//! is not sent again. What needs a browser is in `browser.rs`.

use std::{
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use alignwatch_model::run::{Moment, RunId};
use alignwatch_testkit::{Repo, sketch};
use serde_json::{Value, json};

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

/// The id of the only repository that is watched.
fn id(daemon: &Daemon) -> String {
    daemon.json("/api/v1/repositories")["repositories"][0]["id"].as_str().unwrap().to_owned()
}

/// What a person reads on a page: its text without markup, in one line.
fn read(daemon: &Daemon, path: &str) -> String {
    let (status, page) = daemon.get(path).unwrap();
    assert_eq!(status, 200, "{path}: {page}");
    let main = page.split_once("<main").unwrap().1;
    let text = main.split('<').skip(1).map(|part| part.split_once('>').map_or("", |(_, text)| text));
    text.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// One branch conflicts with what `b` did to a line of `f`.
fn conflicting() -> Repo {
    sketch("main: a(f=1..9) b'the other line'(f[2]=x)\n one: a c(f[2]=y)").draw()
}

fn n_conflicting(daemon: &Daemon, id: &str) -> usize {
    let branches = daemon.json(&format!("/api/v1/repositories/{id}/branches?state=conflicting"));
    branches["branches"].as_array().unwrap().len()
}

#[test]
fn pages_show_the_number_that_was_measured_last_and_no_mean_of_several() {
    let (mut repo, data) = (conflicting(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let id = id(&daemon);
    // Within one second, what is measured again replaces what was there.
    std::thread::sleep(Duration::from_millis(1_100));
    repo.draw_more("two: a d(f[2]=z)");
    daemon.until("a second conflict", |daemon| n_conflicting(daemon, &id) == 2);
    let page = daemon.get("/").unwrap().1;
    let row = page.split("data-label=\"Conflicting\"").nth(1).unwrap();
    assert_eq!(row.split_once("</a>").unwrap().0.rsplit('>').next(), Some("2"), "{row}");
    let repository = read(&daemon, &format!("/repositories/{id}"));
    assert!(repository.contains("Conflicting 2 of 3 branches"), "{repository}");
}

#[test]
fn a_branch_names_the_commit_that_brought_each_conflict_and_the_branches_that_share_it() {
    let (mut repo, data) = (conflicting(), tempfile::tempdir().unwrap());
    repo.draw_more("two: a d(f[2]=z)\n clean: a e\n same: a g(f[9]=q)");
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let id = id(&daemon);
    daemon.until("conflicts", |daemon| n_conflicting(daemon, &id) == 2);
    let page = read(&daemon, &format!("/repositories/{id}/branch?name=refs/heads/one"));
    let by = repo.oid("b").short();
    assert!(page.contains(&format!("f contents {by} and 1 other")), "{page}");
    assert!(page.contains("Branches that touch the same paths two 1 path in common, in conflict at 1"), "{page}");
    assert!(page.contains("same 1 path in common"), "one that would merge cleanly touches it as well: {page}");
    let clean = read(&daemon, &format!("/repositories/{id}/branch?name=refs/heads/clean"));
    assert!(clean.contains("No other branch touches a path that this one does."), "{clean}");
}

/// Reports a run that took so many seconds and so much memory, and says its id.
fn report(daemon: &Daemon, ago_hours: u64, seconds: u64, verification: &Value) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let began = now - ago_hours * 3_600_000;
    let run = RunId::from_parts(began, [ago_hours as u8; 10]).to_string();
    let event = |id: &str, after: u64, kind: &str, data: Value| {
        let at = Moment((began + after * 1000) as i64).to_string();
        json!({"schema": "alignwatch.event/1", "id": id, "run": run, "at": at, "type": kind, "data": data})
    };
    let events = json!([
        event("a", 0, "started", json!({"workflow": "nightly", "repository_id": id(daemon), "repository": "/r"})),
        event("b", seconds, "stage", json!({"stage": "verify", "status": "finished", "verification": verification})),
        event(
            "c",
            seconds,
            "finished",
            json!({"outcome": "aligned", "exit_code": 0, "duration_seconds": seconds,
                "usage": {"user_cpu_seconds": 1.0, "system_cpu_seconds": 1.0, "peak_rss_bytes": seconds << 20},
                "output_tail": "\u{1b}[31mone\u{1b}[0m line"})
        ),
    ]);
    assert_eq!(daemon.report(&events), Some(202));
    run
}

#[test]
fn a_run_tells_what_it_lost_how_to_have_it_back_and_what_is_usual_for_its_workflow() {
    let (repo, data) = (conflicting(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    for ago in 2..8 {
        report(&daemon, ago, 20, &json!({"branches": []}));
    }
    let (before, after) = (repo.oid("c").hex(), repo.oid("b").hex());
    let loss = json!({"kind": "commits_lost", "severity": "critical", "summary": "1 commit is gone", "paths": ["f"],
        "n_paths": 1, "commits": [before]});
    let lost = json!({"branches": [{"branch": "refs/heads/one", "before": before, "after": after, "losses": [loss]}]});
    let run = report(&daemon, 1, 60, &lost);
    let page = read(&daemon, &format!("/runs/{run}"));
    for told in [
        "one : 1 commit is gone",
        &format!("git log --oneline {after}..{before}"),
        &format!("git diff {before} {after} -- f"),
        &format!("git branch rescue/one {before}"),
        &format!("git update-ref refs/heads/one {before} {after}"),
        "Time 60 s 20 s 3 times as much",
        "Processor time 2.0 s 2.0 s as usual",
        "Memory, at most 60.0 MiB 20.0 MiB 3 times as much",
        "The end of its output one line",
    ] {
        assert!(page.contains(told), "{told} is not told: {page}");
    }
    // What is to be typed does what it says.
    repo.git(["branch", "rescue/one", &before]);
    assert_eq!(repo.git(["log", "--oneline", "--format=%H", &format!("{after}..{before}")]), before);
}

#[test]
fn backups_stand_with_their_last_drill_where_maintenance_does() {
    let (repo, data) = (conflicting(), tempfile::tempdir().unwrap());
    let backup = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
        command.args(["--config", "/dev/null", "--data-dir"]).arg(data.path()).arg("backup").args(args);
        let output = command.current_dir(repo.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let sweep = format!("POST /api/v1/repositories/{}/sweep", id(&daemon));
    let told = |what: &str| {
        assert_eq!(daemon.ask(&sweep, "Host: localhost\r\n").unwrap().0, 202);
        daemon.until(what, |daemon| read(daemon, "/maintenance").contains(what));
    };
    told("no backup never 0 alignwatch backup create");
    backup(&["create"]);
    told("never restored never");
    told("1 alignwatch backup verify --drill");
    backup(&["verify", "--drill"]);
    told("restored and compared");
    assert!(!read(&daemon, "/maintenance").contains("alignwatch backup verify --drill"));
    // The page goes by what the last look saw: the repository itself may hang, or be gone.
    std::fs::rename(repo.path(), repo.path().with_extension("elsewhere")).unwrap();
    assert!(read(&daemon, "/maintenance").contains("restored and compared"));
}

#[test]
fn the_calendar_tells_when_each_task_is_due_in_which_window_and_what_is_in_its_way() {
    let (repo, data) = (conflicting(), tempfile::tempdir().unwrap());
    let config = data.path().join("alignwatch.yaml");
    // Hours from now on, so that no window is open while this runs.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 3_600;
    let (night, cut) = ((now + 6) % 24, (now + 7) % 24);
    let text = format!(
        "maintenance: {{repositories: [\"{}\"]}}\n\
         windows:\n- {{name: night, open: \"0 {night} * * *\", lasts: 2h}}\n\
         - {{name: cut, kind: freeze, open: \"0 {cut} * * *\", lasts: 30m}}\n\
         tasks:\n- {{name: pack-refs, due: \"10 {night} * * *\"}}\n- {{name: commit-graph, due: \"10 {cut} * * *\"}}\n\
         - {{name: full-repack, mode: off}}\n- {{name: gc-log, due: \"11 {night} * * *\", mode: report}}\n",
        repo.path().display()
    );
    std::fs::write(&config, text).unwrap();
    let daemon = Daemon::configured(&config, data.path(), &[repo.path()]);
    daemon.until_ready();
    let page = read(&daemon, "/maintenance");
    for told in [
        "`commit-graph` is due while a freeze is on: it waits until that is over",
        "the window `night` opens while the freeze `cut` is on",
        "are due at the same time: one waits for the other",
        "never a rule of `tasks` switches it off",
        &format!("gc-log 11 {night} * * *, plans only"),
    ] {
        assert!(page.contains(told), "{told} is not told: {page}");
    }
    let row = page.split(&format!("pack-refs 10 {night} * * * ")).nth(1).unwrap_or_else(|| panic!("no row: {page}"));
    assert!(row.split_once("Z night never").is_some_and(|(at, _)| at.ends_with(":00") && at.len() == 19), "{row}");
    let picture = daemon.get("/maintenance").unwrap().1;
    assert!(picture.contains("something is in the way: see below") && picture.contains("backup at 20"), "{picture}");
    let due = daemon.json("/api/v1/tasks/due");
    let tasks = due["repositories"][0]["tasks"].as_array().unwrap();
    let of = |name: &str| tasks.iter().find(|task| task["task"] == name).unwrap();
    assert_eq!(of("pack-refs")["next"]["window"], "night", "{due:#}");
    assert_eq!(of("full-repack")["reason"], "a rule of `tasks` switches it off", "{due:#}");
    assert!(due["repositories"][0]["conflicts"].as_array().unwrap().len() >= 3, "{due:#}");
}

#[test]
fn the_overview_tells_alerts_by_cause_and_messages_that_did_not_arrive() {
    let (repo, data) = (conflicting(), tempfile::tempdir().unwrap());
    let config = data.path().join("alignwatch.yaml");
    // Nobody listens at that port.
    let text =
        "channels:\n  webhook:\n  - {name: team, url: \"http://127.0.0.1:9/\"}\nalerts: {settle: 0s, group_wait: 0s}\n";
    std::fs::write(&config, text).unwrap();
    let daemon = Daemon::configured(&config, data.path(), &[repo.path()]);
    daemon.until_ready();
    let loss = json!({"kind": "commits_lost", "severity": "critical", "summary": "gone", "n_paths": 0});
    for (ago, branch) in [(1, "one"), (2, "main")] {
        let name = format!("refs/heads/{branch}");
        report(&daemon, ago, 1, &json!({"branches": [{"branch": name, "losses": [loss]}]}));
    }
    daemon.until("alerts", |daemon| read(daemon, "/").contains("work-lost"));
    daemon.until("a failure", |daemon| {
        let page = read(daemon, "/");
        page.contains("could not be delivered : whoever") || page.contains("tried again : whoever")
    });
}

/// Hides a repository, and brings it back.
#[test]
fn a_repository_of_which_nothing_is_seen_any_more_is_not_called_well() {
    let (repo, data) = (sketch("main: a b").draw(), tempfile::tempdir().unwrap());
    let room = tempfile::tempdir().unwrap();
    let place = room.path().join("r.git");
    let copied = Command::new("cp").arg("-r").args([repo.path(), Path::new(&place)]).status().unwrap();
    assert!(copied.success());
    let config = data.path().join("alignwatch.yaml");
    std::fs::write(&config, "serve: {interval: 10s}\n").unwrap();
    let daemon = Daemon::configured(&config, data.path(), &[&place]);
    daemon.until_ready();
    // A format that nobody knows: the repository is there, and nothing of it can be seen.
    let git_dir = [place.join(".git"), place.clone()].into_iter().find(|dir| dir.join("config").is_file()).unwrap();
    std::fs::write(git_dir.join("config"), "[core]\n\trepositoryformatversion = 99\n").unwrap();
    daemon.until("a look that sees nothing", |daemon| read(daemon, "/").contains("could not be seen"));
    let page = read(&daemon, "/");
    assert!(!page.contains("All is well"), "{page}");
    daemon.until("a word on how long", |daemon| read(daemon, "/").contains("nothing was seen of it for"));
}
