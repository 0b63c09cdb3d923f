//! Repositories that never existed: hundreds of branches in all states, hostile names, findings of all kinds.

use std::time::Duration;

use alignwatch::{
    failure::Failure,
    report::{BranchesReport, CheckReport, CheckResult, Checked, Judgement, Selection},
};
use alignwatch_model::{
    Branch, Drift, Evidence, Finding, HostSample, Known, Landed, Looks, Merge, Oid, Proof, RefName, Relation, Remedy,
    Severity, Snapshot, Span, Status, Threshold, Timestamp,
    branch::{BaseChoice, Conflict, Tip, Upstream},
    checks::{Check, Family, Outcome, Runbook, judge},
    config::Config,
    facts::Facts,
    relation::Budget,
    snapshot::{BrokenRef, CommitGraph, Head, Line, Repository},
};
use serde_json::json;

pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000);

/// Names that hurt somebody once, as Git would store them.
pub(crate) const HOSTILE: [&[u8]; 12] = [
    b"refs/heads/evil\xe2\x80\xaegnp.exe",
    b"refs/heads/\x1b[2J\x1b[31mred\x1b]0;title\x07",
    b"refs/heads/\xff\xfe-not-text",
    b"refs/heads/<svg/onload=alert(1)>",
    b"refs/heads/=cmd()|'/C calc'!A0",
    b"refs/heads/$(id)`id`;|&",
    b"refs/heads/--upload-pack=x",
    b"refs/heads/new\nline\ttab\r",
    b"refs/heads/csi\xc2\x9b31m",
    b"refs/heads/zero\xe2\x80\x8bwidth",
    b"refs/heads/@everyone/#1|pipe",
    "refs/heads/分支/ünïcode-grün".as_bytes(),
];

const HOSTILE_TEXT: &str = "subject \u{1b}[31m\u{202e} <b>&\n\"quoted\" @you #1 [x](y) ```";

pub(crate) fn oid(seed: u64) -> Oid {
    let mut bytes = [0_u8; 20];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(at as u32 * 3) >> 24) as u8;
    }
    Oid::from_bytes(&bytes).unwrap()
}

fn line(name: &str, because: &str, confidence: f64) -> Line {
    Line { name: name.into(), oid: oid(1), because: because.into(), confidence, behind_remote: None, n_commits: 3477 }
}

pub(crate) fn branch(name: impl AsRef<[u8]>, seed: u64) -> Branch {
    let random = |below: u64| (seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed << 7) >> 33) % below;
    let base = if random(3) == 0 { "refs/heads/scientific" } else { "refs/heads/main" };
    Branch {
        name: RefName::new(name),
        tip: Known::Seen(Tip {
            oid: oid(seed),
            tree: oid(seed + 1),
            committed_at: Timestamp(NOW.0 - (random(290) * 86_400 + 3_000) as i64),
            author: "A. N. Author <author@example.com>".into(),
            subject: "Make it work".into(),
        }),
        base: Some(BaseChoice { name: base.into(), oid: oid(1), confidence: 0.9, because: "the nearest line".into() }),
        relation: Relation::Track,
        rule: None,
        budget: Budget { behind: Some(100), age: Some(Span::days(30)) },
        drift: Known::Seen(Drift {
            ahead: 1 + random(50) as u32,
            behind: 1 + random(2000) as u32,
            merge_bases: vec![oid(2)],
            on_base_line: false,
            base_at: Some(Timestamp(NOW.0 - 200 * 86_400)),
            missing_since: Some(Timestamp(NOW.0 - 199 * 86_400)),
        }),
        landed: Landed::No,
        merge: Merge::clean(),
        causes: Vec::new(),
        touched: Known::Unknown("not looked at".into()),
        upstream: None,
        markers: Known::Seen(Vec::new()),
    }
}

fn conflicts(n: u64) -> Vec<Conflict> {
    let conflict = |at| Conflict { path: format!("src/module_{at}.py"), kinds: vec!["contents".into()] };
    (0..n).map(conflict).collect()
}

/// Shaped like a real repository with 600 branches: most conflict, some landed, few are well.
fn one_of_600(at: u64) -> Branch {
    let name = format!("refs/heads/agent/improve-module-{}-{}", at % 97, 15_936_782_000_000_000_u64 + at * 7_919);
    let mut branch = branch(name, at + 10);
    let drift = |branch: &mut Branch, change: fn(&mut Drift)| {
        if let Known::Seen(drift) = &mut branch.drift {
            change(drift);
        }
    };
    match at % 20 {
        0..=12 => branch.merge = Merge::conflict(Some(conflicts(1 + at % 40))),
        13 => branch.landed = Landed::Yes(Proof::SquashPatchId),
        14 => drift(&mut branch, |drift| drift.ahead = 0),
        15 => drift(&mut branch, |drift| (drift.behind, drift.missing_since) = (0, None)),
        16 => drift(&mut branch, |drift| (drift.ahead, drift.on_base_line) = (0, true)),
        17 => branch.merge = Merge::unknown("object 1f2e3d is missing (partial clone)"),
        _ => {}
    }
    branch
}

fn odd_ones() -> Vec<Branch> {
    let mut went_on = branch("refs/heads/landed-and-went-on", 9001);
    went_on.landed = Landed::Continued(Proof::PatchIds);
    let mut reverted = branch("refs/heads/taken-back", 9002);
    reverted.landed = Landed::Reverted(Proof::Ancestor);
    let mut foreign = branch("refs/heads/imported", 9003);
    foreign.drift = Known::Seen(Drift {
        ahead: 12,
        behind: 3477,
        merge_bases: Vec::new(),
        on_base_line: false,
        base_at: None,
        missing_since: Some(Timestamp(0)),
    });
    let mut unknown = branch("refs/heads/shallow-one", 9004);
    unknown.drift = Known::Unknown("history is cut off below it".into());
    let mut crossed = branch("refs/remotes/origin/crossed", 9005);
    if let Known::Seen(drift) = &mut crossed.drift {
        drift.merge_bases.push(oid(3));
    }
    crossed.upstream = Some(Upstream { remote: "origin".into(), merge: "refs/heads/crossed".into(), gone: true });
    let mut other = branch("refs/heads/scientific", 9006);
    other.relation = Relation::Curated;
    other.merge = Merge::conflict(None);
    vec![went_on, reverted, foreign, unknown, crossed, other]
}

fn hostile_ones() -> Vec<Branch> {
    let hostile = |(at, name): (usize, &&[u8])| {
        let mut branch = branch(name, 500 + at as u64);
        if let Known::Seen(tip) = &mut branch.tip {
            (tip.author, tip.subject) = (HOSTILE_TEXT.into(), HOSTILE_TEXT.into());
        }
        branch.merge =
            Merge::conflict(Some(vec![Conflict { path: HOSTILE_TEXT.into(), kinds: vec!["contents".into()] }]));
        branch
    };
    HOSTILE.iter().enumerate().map(hostile).collect()
}

pub(crate) fn snapshot(mut branches: Vec<Branch>) -> Snapshot {
    branches.sort_by(|a, b| a.name.cmp(&b.name));
    Snapshot {
        seen_at: NOW,
        repository: Repository {
            path: "/home/me/src/intelligence".into(),
            id: "5f2c9b1e".into(),
            git_dir: "/home/me/src/intelligence/.git".into(),
            object_format: "sha1".into(),
            ref_backend: "files".into(),
            is_bare: false,
            is_shallow: false,
            is_partial: true,
            has_grafts: false,
            n_replace_refs: 0,
            alternates: Vec::new(),
            git_version: Known::Seen("2.47.3".into()),
            git_bugs: Vec::new(),
        },
        head: Known::Seen(Head::Branch("refs/heads/main".into())),
        lines: vec![
            line("refs/heads/main", "origin's HEAD", 0.98),
            line("refs/heads/scientific", "half of all branches fork there", 0.72),
        ],
        missing_bases: Vec::new(),
        branches,
        broken_refs: vec![BrokenRef {
            name: "refs/heads/broken".into(),
            oid: None,
            reason: "it names no object id".into(),
        }],
        commit_graph: Known::Seen(CommitGraph::default()),
        locks: Known::Seen(Vec::new()),
        unfinished: Known::Seen(Vec::new()),
        hazards: Known::Seen(Vec::new()),
        checked_out: Known::Seen(Vec::new()),
        crossings: Vec::new(),
        unread_files: Vec::new(),
        facts: Facts::default(),
        looks: Looks::all_taken(),
        host: Known::Seen(host()),
    }
}

fn host() -> HostSample {
    let unread = || "not read".to_owned();
    HostSample {
        n_samples: 3,
        span_seconds: 0.21,
        n_cpus: Known::Seen(2.0),
        cpu_percent: Known::Seen(12.0),
        memory: Known::Unknown(unread()),
        load: Known::Unknown(unread()),
        open_files: Known::Unknown(unread()),
        file_systems: Vec::new(),
    }
}

/// 600 branches, a few odd ones, and the hostile ones.
pub(crate) fn large() -> Snapshot {
    let mut branches: Vec<_> = (0..600).map(one_of_600).collect();
    branches.extend(odd_ones());
    branches.extend(hostile_ones());
    snapshot(branches)
}

/// Only branches with hostile names.
pub(crate) fn hostile() -> Snapshot {
    let mut seen = snapshot(hostile_ones());
    seen.repository.path = format!("/tmp/{HOSTILE_TEXT}");
    seen.lines[0].because = HOSTILE_TEXT.into();
    seen
}

/// A dozen branches in good order.
pub(crate) fn healthy() -> Snapshot {
    let fresh = |at: u64| {
        let mut branch = branch(format!("refs/heads/topic-{at}"), at);
        branch.base.as_mut().unwrap().name = "refs/heads/main".into();
        if let Known::Seen(drift) = &mut branch.drift {
            (drift.behind, drift.missing_since) = (0, None);
        }
        branch
    };
    let mut seen = snapshot((0..12).map(fresh).collect());
    seen.broken_refs.clear();
    seen.lines.truncate(1);
    seen
}

fn nothing(_: &alignwatch_model::checks::Seen<'_>) -> Outcome {
    Outcome::default()
}

const fn rule(id: &'static str, title: &'static str) -> Check {
    Check {
        id,
        title,
        looks_at: "branches",
        why: "It stops alignment.",
        severity: Severity::Error,
        family: Family::Branches,
        needs: &[],
        git_says: None,
        runbook: Runbook { look: "Look.", mend: "Mend.", sure: "Look again.", undo: None },
        threshold: None,
        judge: nothing,
    }
}

pub(crate) static CONFLICTING: Check = rule("conflicting", "Branches that conflict with their base");
pub(crate) static MARKERS: Check = rule("conflict-markers", "Committed conflict markers");
pub(crate) static LANDED: Check = rule("landed", "Branches that landed and are still here");
pub(crate) static STALE_LOCK: Check = rule("stale-lock", "Locks that nobody holds");
pub(crate) static UNRELATED: Check = rule("unrelated", "Branches without a common commit");
pub(crate) static FAMILIES: Check = rule("retry-family", "Branches that are attempts at the same idea");
pub(crate) static MISSING: Check = rule("missing-objects", "Objects that are not there");
pub(crate) static GRAPH: Check = rule("commit-graph", "The commit-graph file");
pub(crate) static UNFINISHED: Check = rule("unfinished", "Operations that were begun and not ended");
pub(crate) static GONE: Check = rule("gone-upstream", "Upstreams that are gone");

fn evidence(value: serde_json::Value) -> Evidence {
    value.as_object().unwrap().clone()
}

fn finding(check: &'static Check, severity: Severity, summary: &str) -> Finding {
    Finding {
        check: check.id,
        key: check.id.into(),
        severity,
        subject: "branches".into(),
        summary: summary.into(),
        evidence: Evidence::new(),
        threshold: None,
        impact: "Whoever aligns these branches has to stop and resolve by hand.".into(),
        remedy: Remedy::default(),
        doc: format!("docs/OPERATING.md#{}", check.id),
    }
}

fn conflicting() -> Finding {
    let branches: Vec<_> = (0..10).map(|at| format!("refs/heads/agent/improve-module-{at}-15936782000{at}")).collect();
    Finding {
        evidence: evidence(json!({"base": "refs/heads/main", "branches": branches, "n_branches": 390, "hot_files": [
            {"path": "src/core/database.py", "n_branches": 212}, {"path": "README.md", "n_branches": 97}]})),
        threshold: Some(Threshold { value: 0.into(), source: "our own proposal".into() }),
        remedy: Remedy::reversible(
            "Align the branches in use first; the list is in the order of attention.",
            ["alignwatch branches --state conflicting".to_owned()],
        ),
        ..finding(&CONFLICTING, Severity::Error, "390 branches conflict with their base, 41 of them in use")
    }
}

fn landed() -> Finding {
    let delete = |at: u64| format!("git update-ref -d refs/heads/agent/improve-module-{at} {}", oid(at));
    Finding {
        evidence: evidence(json!({"branches": ["refs/heads/agent/a", "refs/heads/agent/b"], "n_branches": 60})),
        remedy: Remedy::reversible("Delete them; each command names the commit that was judged.", (0..10).map(delete)),
        ..finding(&LANDED, Severity::Info, "60 branches have landed and are still here")
    }
}

fn markers() -> Finding {
    Finding {
        evidence: evidence(json!({
            "path": "backend/node_engine/workflow_engine.py", "line": 212, "blob": oid(77),
            "branches": ["refs/heads/agent/a", "refs/heads/agent/b"], "n_branches": 262,
        })),
        remedy: Remedy::reversible(
            "Mend the file on the base; then align the branches.",
            ["git log -S'<<<<<<< ' --oneline -- backend/node_engine/workflow_engine.py".to_owned()],
        ),
        ..finding(
            &MARKERS,
            Severity::Critical,
            "conflict markers are committed in `backend/node_engine/workflow_engine.py` on 262 branches, from one commit",
        )
    }
}

fn lock(at: u64) -> Finding {
    Finding {
        key: format!("stale-lock:{at}"),
        evidence: evidence(json!({"path": format!("refs/heads/x{at}.lock"), "age_seconds": 86_400 * 3})),
        remedy: Remedy::irreversible("Remove it when nobody works here.", [format!("rm .git/refs/heads/x{at}.lock")]),
        ..finding(&STALE_LOCK, Severity::Warning, &format!("lock `refs/heads/x{at}.lock` is held by nobody for 3 d"))
    }
}

fn result(check: &'static Check, findings: Vec<Finding>) -> CheckResult {
    let status = findings.iter().map(|finding| finding.severity.into()).fold(Status::Ok, Status::worst);
    CheckResult { check, status, reason: None, findings, elapsed: Duration::from_micros(321) }
}

fn not_judged(check: &'static Check, status: Status, reason: &str) -> CheckResult {
    CheckResult { check, status, reason: Some(reason.into()), findings: Vec::new(), elapsed: Duration::ZERO }
}

fn all_kinds() -> Vec<CheckResult> {
    let one = |check, severity, summary| result(check, vec![finding(check, severity, summary)]);
    vec![
        result(&LANDED, vec![landed()]),
        result(&CONFLICTING, vec![conflicting()]),
        result(&MARKERS, vec![markers()]),
        result(&STALE_LOCK, (0..5).map(lock).collect()),
        one(&UNRELATED, Severity::Warning, "5 branches share no commit with any primary line"),
        one(&FAMILIES, Severity::Info, "233 branches are attempts at 69 ideas"),
        not_judged(&MISSING, Status::Unknown, "20 branches could not be judged: object 1f2e3d is missing (20)"),
        result(&GRAPH, Vec::new()),
        result(&UNFINISHED, Vec::new()),
        not_judged(&GONE, Status::Skipped, "there is no remote"),
    ]
}

fn hostile_findings() -> Vec<CheckResult> {
    let names: Vec<_> = HOSTILE.iter().map(|name| RefName::new(name).text().into_owned()).collect();
    let hostile = Finding {
        key: HOSTILE_TEXT.into(),
        subject: HOSTILE_TEXT.into(),
        evidence: evidence(json!({"branches": names, "path": HOSTILE_TEXT, "line": 3, HOSTILE_TEXT: HOSTILE_TEXT})),
        threshold: Some(Threshold { value: HOSTILE_TEXT.into(), source: HOSTILE_TEXT.into() }),
        impact: HOSTILE_TEXT.into(),
        remedy: Remedy::reversible(HOSTILE_TEXT, names.clone()),
        doc: HOSTILE_TEXT.into(),
        ..finding(&CONFLICTING, Severity::Error, HOSTILE_TEXT)
    };
    let crowd = (0..4).map(|_| hostile.clone()).collect();
    vec![
        result(&CONFLICTING, vec![hostile]),
        result(&MARKERS, crowd),
        not_judged(&MISSING, Status::Unknown, HOSTILE_TEXT),
        not_judged(&GONE, Status::Skipped, HOSTILE_TEXT),
    ]
}

fn checked(snapshot: Snapshot, checks: Vec<CheckResult>) -> Checked {
    Checked {
        path: snapshot.repository.path.clone(),
        path_word: String::new(),
        judgement: Ok(Judgement { snapshot, checks, weekly: Vec::new() }),
        elapsed: Duration::from_millis(412),
    }
}

fn report(repositories: Vec<Checked>) -> CheckReport {
    CheckReport { repositories, fail_on: Some(Severity::Error), limit: None }
}

/// A large repository with findings of all kinds.
pub(crate) fn ill() -> CheckReport {
    report(vec![checked(large(), all_kinds())])
}

/// A snapshot judged by the real checks with the default configuration.
pub(crate) fn judged(snapshot: Snapshot) -> CheckReport {
    let timed = |judged| CheckResult::timed(judged, Duration::from_micros(321));
    let checks = judge(&snapshot, &Config::default(), NOW, |_| Ok(())).into_iter().map(timed).collect();
    report(vec![checked(snapshot, checks)])
}

/// Nothing is wrong.
pub(crate) fn well() -> CheckReport {
    report(vec![checked(healthy(), vec![result(&GRAPH, Vec::new()), result(&CONFLICTING, Vec::new())])])
}

/// All text that can be foreign is hostile.
pub(crate) fn nasty() -> CheckReport {
    report(vec![checked(hostile(), hostile_findings()), unreadable()])
}

/// One well, one ill, one unreadable.
pub(crate) fn fleet() -> CheckReport {
    let mut fleet = well();
    fleet.repositories.extend(ill().repositories);
    fleet.repositories.push(unreadable());
    fleet
}

fn unreadable() -> Checked {
    Checked {
        path: format!("/srv/{HOSTILE_TEXT}"),
        path_word: "/srv/gone".into(),
        judgement: Err(Failure::could_not("cannot open `/srv/gone`: it is not a Git repository")),
        elapsed: Duration::from_millis(1),
    }
}

/// The branches of a snapshot.
pub(crate) fn branches(snapshot: Snapshot, selection: Selection) -> BranchesReport {
    BranchesReport { snapshot, elapsed: Duration::from_millis(412), selection }
}
