//! What programs say of us that nobody here wrote. `./test` installs them and runs these tests; elsewhere they are ignored.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use alignwatch_testkit::sketch;

use crate::daemon::{Daemon, free_port, get};

#[test]
#[ignore = "needs promtool"]
fn promtool_finds_nothing_wrong_with_the_metrics_page() {
    let (repo, data) = (sketch("main: a b c\n old: a x").draw(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    // A counter and a histogram are on it, too.
    let mut run = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    run.args(["run", "--workflow", "w", "--", "git", "update-ref", "refs/heads/new", "old"]);
    assert!(run.current_dir(repo.path()).env("ALIGNWATCH_DATA_DIR", data.path()).status().unwrap().success());
    daemon.until("the run", |daemon| daemon.metric("alignwatch_alignment_operations_total").is_some());
    assert!(daemon.metric("alignwatch_alignment_duration_observed_seconds_bucket").is_some());
    let page = data.path().join("page");
    fs::write(&page, daemon.get("/metrics").unwrap().1).unwrap();
    let output =
        Command::new("promtool").args(["check", "metrics"]).stdin(fs::File::open(&page).unwrap()).output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && told.is_empty(), "{told}");
}

#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib");
    let verify = |scope: &str, names: &[String]| {
        let units = names.iter().map(|name| folder.path().join(name));
        let mut command = Command::new("systemd-analyze");
        // What a unit of a user is looked up with.
        command.env("XDG_RUNTIME_DIR", folder.path()).args([scope, "verify", "--man=no"]).args(units);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let mut units = Vec::new();
    for entry in fs::read_dir(contrib).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "service" || end == "timer") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            // Where they expect the program, there may be none.
            let text = fs::read_to_string(&path).unwrap();
            let text = ["%h/.cargo/bin/alignwatch", "/usr/local/bin/alignwatch"]
                .iter()
                .fold(text, |text, place| text.replace(place, env!("CARGO_BIN_EXE_alignwatch")));
            fs::write(folder.path().join(&name), text).unwrap();
            units.push(name);
        }
    }
    let (of_system, of_user): (Vec<String>, Vec<String>) = units.into_iter().partition(|name| name.contains("system"));
    assert_eq!((of_system.len(), of_user.len()), (1, 3), "{of_system:?} {of_user:?}");
    assert_eq!(verify("--system", &of_system), (true, String::new()));
    assert_eq!(verify("--user", &of_user), (true, String::new()));
    // It would say so.
    let wrong = folder.path().join("wrong.service");
    fs::write(&wrong, "[Service]\nExecStart=/nonexistent\nMemoryMaxx=2G\n").unwrap();
    let (is_well, told) = verify("--user", &["wrong.service".to_owned()]);
    assert!(!is_well && told.contains("MemoryMaxx"), "{told}");
}

/// A program that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn prometheus(folder: &Path, target: u16) -> (Running, u16) {
    prometheus_with(folder, target, "")
}

/// The same with more in its configuration.
fn prometheus_with(folder: &Path, target: u16, more: &str) -> (Running, u16) {
    let port = free_port();
    let config = folder.join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nscrape_configs:\n  - job_name: alignwatch\n    static_configs: [{{targets: ['127.0.0.1:{target}']}}]\n{more}"
    );
    fs::write(&config, text).unwrap();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        // What it could not send while it read its configuration again, it sends soon.
        .arg("--rules.alert.resend-delay=1s")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (Running(child), port)
}

#[test]
#[ignore = "needs prometheus"]
fn a_real_prometheus_reads_what_git_would_say() {
    let (repo, data) = (sketch("main: a b c d\n old: a x\n new: c y").draw(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let (_prometheus, port) = prometheus(data.path(), daemon.port);
    let value = |query: &str| -> Option<f64> {
        let (status, body) = get(port, &format!("/api/v1/query?query={query}"))?;
        let answer: serde_json::Value = serde_json::from_str(&body).ok().filter(|_| status == 200)?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    };
    daemon.until("a scrape", |_| value("alignwatch_branches%7Bstate%3D%22diverged%22%7D") == Some(2.0));
    assert_eq!(value("up"), Some(1.0));
    assert_eq!(value("alignwatch_repo_refs"), Some(repo.git(["for-each-ref"]).lines().count() as f64));
}

#[test]
#[ignore = "needs prometheus"]
fn a_real_prometheus_sends_its_alerts_and_their_ends_here() {
    let (repo, data) = (sketch("main: a b\n old: a x").draw(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let rules = data.path().join("rules.yml");
    let with_limit = |limit: u32| {
        let rule = format!(
            "{{alert: ManyRefs, expr: alignwatch_repo_refs > {limit}, labels: {{severity: page}}, annotations: {{summary: many}}}}"
        );
        fs::write(&rules, format!("groups: [{{name: g, rules: [{rule}]}}]\n")).unwrap();
    };
    with_limit(0);
    let port = daemon.port;
    let more = format!(
        "rule_files: ['{}']\nalerting:\n  alertmanagers:\n  - static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n",
        rules.display()
    );
    let (prometheus, _) = prometheus_with(data.path(), port, &more);
    let alerts = |query: &str| -> Vec<serde_json::Value> {
        let body = daemon.get(&format!("/api/v2/alerts{query}")).map(|(_, body)| body).unwrap_or_default();
        serde_json::from_str(&body).unwrap_or_default()
    };
    let is_it = |alert: &serde_json::Value| alert["labels"]["alertname"] == "ManyRefs";
    daemon.until("its alert", |_| alerts("").iter().any(is_it));
    let all = alerts("");
    let alert = all.iter().find(|alert| is_it(alert)).unwrap();
    assert_eq!(alert["annotations"]["summary"], "many", "{alert}");
    assert_eq!(alert["labels"]["severity"], "critical", "what they call a page is critical here: {alert}");
    // The rule does not hold any more: it says so, and nothing fires here.
    with_limit(1_000_000);
    let is_told = Command::new("kill").args(["-HUP", &prometheus.0.id().to_string()]).status().unwrap().success();
    assert!(is_told);
    daemon.until("its end", |_| !alerts("?active=true").iter().any(is_it));
}

#[test]
#[ignore = "needs schemathesis"]
fn schemathesis_finds_no_answer_that_the_description_does_not_have() {
    let (repo, data) = (sketch("main: a b c\n old: a x").draw(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let url = format!("http://127.0.0.1:{}/openapi.json", daemon.port);
    let examples = std::env::var("ALIGNWATCH_EXAMPLES").unwrap_or_else(|_| "15".to_owned());
    let output = Command::new("schemathesis")
        .args(["run", &url, "--checks", "all", "--max-examples", &examples, "--no-color"])
        .current_dir(data.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{told}");
    daemon.until("an answer after all of it", |daemon| daemon.get("/healthz").is_some());
}

/// Runs `amtool` against a daemon; its exit code and what it said.
fn amtool(daemon: &Daemon, words: &[&str]) -> (bool, String) {
    let url = format!("--alertmanager.url=http://127.0.0.1:{}", daemon.port);
    let output = Command::new("amtool").arg(url).args(words).env("HOME", "/nonexistent").output().unwrap();
    let is_done = output.status.success();
    (is_done, String::from_utf8_lossy(if is_done { &output.stdout } else { &output.stderr }).into_owned())
}

#[test]
#[ignore = "needs amtool"]
fn amtool_works_as_it_does_with_an_alertmanager() {
    let (repo, data) = (sketch("main: a").draw(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    let done = |words: &[&str]| {
        let (is_done, told) = amtool(&daemon, words);
        assert!(is_done, "amtool {words:?}: {told}");
        told
    };
    done(&[
        "alert",
        "add",
        "Disk",
        "node=a",
        "severity=critical",
        "--annotation=summary=full",
        "--annotation=dashboard=https://g.example/1",
    ]);
    let shown = done(&["alert", "query", "-o", "extended", "node=a"]);
    assert!(shown.contains("dashboard=\"https://g.example/1\"") && shown.contains("summary=\"full\""), "{shown}");
    done(&["alert", "add", "Net", "node=b"]);
    let listed = done(&["alert", "query", "-o", "json"]);
    let alerts: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let names: Vec<_> = alerts.as_array().unwrap().iter().map(|alert| alert["labels"]["alertname"].clone()).collect();
    assert_eq!(names.len(), 2, "{listed}");
    assert!(done(&["alert", "query", "node=b"]).contains("Net"));
    assert!(!done(&["alert", "query", "node=b"]).contains("Disk"));
    let id = done(&["silence", "add", "alertname=Disk", "--author=ada", "--comment=known", "--duration=1h"]);
    assert!(done(&["silence", "query"]).contains(id.trim()));
    assert!(!done(&["alert", "query"]).contains("Disk"), "what is silenced is shown only when that is asked for");
    assert!(done(&["alert", "query", "--silenced"]).contains("Disk"));
    done(&["silence", "expire", id.trim()]);
    assert!(!done(&["silence", "query"]).contains(id.trim()));
    assert!(done(&["alert", "query"]).contains("Disk"));
    // An id that nobody has is refused and told.
    assert!(!amtool(&daemon, &["silence", "expire", "11111111-1111-4111-8111-111111111111"]).0);
    let (is_done, told) =
        amtool(&daemon, &["silence", "add", "alertname=Disk", "--author=ada", "--comment=known", "--duration=9000h"]);
    assert!(!is_done && told.contains("a silence may last 30d (`alerts.silence_at_most`)"), "{told}");
    done(&["config", "show"]);
}

#[test]
#[ignore = "needs promtool"]
fn promtool_accepts_the_rules_as_they_are_exported() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("a.yaml");
    let text = "rules:\n  - {name: far, expr: 'alignwatch_far_behind_branches > 20', for: 1h, keep_firing_for: 5m, labels: [{name: team, value: 'a \"b\"'}]}\n  \
                - {name: steep, expr: 'alignwatch_far_behind_branches > 20', clear: '15', labels: {team: a}, \
                   runbook: 'https://w.example/x', annotations: {dashboard: 'https://g.example/1'}}\n  \
                - {name: promise, expr: 'alignwatch_repo_packs > 50', objective: 99, burn_rates: [{short: 5m, long: 10m, factor: 20}]}\n  \
                - {name: part, expr: alignwatch_aligned_ratio, objective: 99.9}\n  \
                - {name: some, expr: 'finding{subject=\"main\"}'}\n";
    fs::write(&config, text).unwrap();
    let exported = Command::new(env!("CARGO_BIN_EXE_alignwatch"))
        .arg("--config")
        .arg(&config)
        .args(["rules", "export"])
        .output()
        .unwrap();
    let rules = folder.path().join("rules.yml");
    fs::write(&rules, &exported.stdout).unwrap();
    let output = Command::new("promtool").args(["check", "rules"]).arg(&rules).output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && told.contains("rules found"), "{told}");
    let n_found: usize = told.split("SUCCESS: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(10 < n_found, "{told}");
    // A second number does there what it does here.
    let tests = folder.path().join("test.yml");
    let fires = "exp_alerts: [{exp_labels: {severity: warning, team: a, repo: r}, exp_annotations: \
                 {summary: configured, runbook_url: 'https://w.example/x', dashboard: 'https://g.example/1'}}]";
    let at = |minute: u8, alerts: &str| format!("      - {{eval_time: {minute}m, alertname: steep, {alerts}}}\n");
    let promise = "      - {eval_time: 4m, alertname: promise, exp_alerts: []}\n      \
                   - {eval_time: 30m, alertname: promise, exp_alerts: [{exp_labels: {severity: warning, repo: r}, \
                   exp_annotations: {summary: configured}}]}\n";
    let packs = "      - {series: 'alignwatch_repo_packs{repo=\"r\"}', values: '9x9 60x30'}\n";
    let text = format!(
        "rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n      \
         - {{series: 'alignwatch_far_behind_branches{{repo=\"r\"}}', values: '18 25 18 10 18'}}\n{packs}    alert_rule_test:\n{promise}{}{}{}{}{}",
        at(0, "exp_alerts: []"),
        at(1, fires),
        at(2, fires),
        at(3, "exp_alerts: []"),
        at(4, "exp_alerts: []"),
    );
    fs::write(&tests, text).unwrap();
    let output = Command::new("promtool").args(["test", "rules"]).arg(&tests).output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{told}");
}

#[test]
#[ignore = "needs healthchecks-io"]
fn a_client_of_healthchecks_pings_us() {
    let (repo, data) = (sketch("main: a b").draw(), tempfile::tempdir().unwrap());
    let daemon = Daemon::watching(data.path(), &[repo.path()]);
    daemon.until_ready();
    assert_eq!(daemon.get("/ping/key/nightly?create=1").unwrap().0, 201);
    let script = format!(
        "from healthchecks_io import Client, CheckNotFoundError\n\
         client = Client(api_key='', ping_key='key', ping_url='http://127.0.0.1:{}/ping/')\n\
         print(client.start_ping(slug='nightly'), client.success_ping(slug='nightly', data='said'))\n\
         print(client.start_ping(slug='nightly'), client.exit_code_ping(3, slug='nightly'), client.fail_ping(slug='nightly'))\n\
         try: client.success_ping(slug='unheard')\n\
         except CheckNotFoundError: print('unknown')\n",
        daemon.port
    );
    let output = Command::new("python3").args(["-c", &script]).output().unwrap();
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(told, "(True, 'OK') (True, 'OK')\n(True, 'OK') (True, 'OK') (True, 'OK')\nunknown\n");
    assert_eq!(crate::ping::outcomes(&daemon, "nightly"), ["failed", "failed", "aligned", "aligned"]);
}

/// A receiver that OpenTelemetry's own Python library reads for; a line of JSON for each request.
const RECEIVER: &str = r#"
import http.server, json, sys
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from google.protobuf.json_format import MessageToDict
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        request = ExportMetricsServiceRequest.FromString(body)
        with open(sys.argv[2], "a") as log:
            log.write(json.dumps({"path": self.path, "type": self.headers["content-type"], "auth": self.headers["authorization"], "message": MessageToDict(request)}) + "\n")
        self.send_response(200); self.send_header("content-type", "application/x-protobuf"); self.end_headers()
        self.wfile.write(ExportMetricsServiceResponse().SerializeToString())
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
"#;

#[test]
#[ignore = "needs opentelemetry-proto"]
fn metrics_that_are_sent_are_what_opentelemetrys_own_library_reads() {
    let (repo, data) = (sketch("main: a b c d\n old: a x\n new: c y").draw(), tempfile::tempdir().unwrap());
    let port = free_port();
    let (script, log, key) = (data.path().join("receiver.py"), data.path().join("log"), data.path().join("key"));
    fs::write(&script, RECEIVER).unwrap();
    fs::write(&key, "Bearer t0ps3cr3tt0ken\n").unwrap();
    let config = data.path().join("alignwatch.yaml");
    let text = format!(
        "otlp: {{endpoint: \"http://127.0.0.1:{port}/v1/metrics\", every: 10s, headers: [{{header: authorization, value: \"file:{}\"}}]}}\negress: {{allow: [127.0.0.1]}}\nserve: {{branch_series: 10}}\n",
        key.display()
    );
    fs::write(&config, text).unwrap();
    let daemon = Daemon::configured(&config, data.path(), &[repo.path()]);
    daemon.until_ready();
    // Nobody listens yet: what waits arrives later, and the failure is a number of ours.
    daemon.until("a failure that is counted", |daemon| {
        daemon.metric("alignwatch_otlp_failed_exports_total").is_some_and(|n| 0.0 < n)
    });
    let receiver = Command::new("python3").arg(&script).arg(port.to_string()).arg(&log).spawn().unwrap();
    let _receiver = Running(receiver);
    daemon.until("a message", |_| fs::read_to_string(&log).is_ok_and(|text| text.contains('\n')));
    let text = fs::read_to_string(&log).unwrap();
    let told: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&told["path"], &told["type"]), (&"/v1/metrics".into(), &"application/x-protobuf".into()));
    assert_eq!(told["auth"], "Bearer t0ps3cr3tt0ken");
    let scope = &told["message"]["resourceMetrics"][0];
    let service = &scope["resource"]["attributes"][0];
    assert_eq!((&service["key"], &service["value"]["stringValue"]), (&"service.name".into(), &"alignwatch".into()));
    let metrics = scope["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let metric = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("{name}"));
    let value = |name: &str, label: &str| {
        let points = metric(name)["gauge"]["dataPoints"].as_array().unwrap();
        let of = |point: &&serde_json::Value| {
            let attributes = point["attributes"].as_array();
            label.is_empty() || attributes.into_iter().flatten().any(|pair| pair["value"]["stringValue"] == label)
        };
        points.iter().find(of).unwrap()["asDouble"].as_f64().unwrap()
    };
    assert_eq!(value("alignwatch_branches", "diverged"), 2.0);
    assert_eq!(value("vcs.ref.count", ""), repo.git(["for-each-ref"]).lines().count() as f64);
    let behind: f64 = repo.git(["rev-list", "--count", "old..main"]).trim().parse().unwrap();
    let points = metric("vcs.ref.revisions_delta")["gauge"]["dataPoints"].as_array().unwrap();
    let has = |point: &serde_json::Value, value: &str| point.to_string().contains(value);
    let of_old = points.iter().find(|point| has(point, "refs/heads/old") && has(point, "behind")).unwrap();
    assert_eq!(of_old["asDouble"].as_f64().unwrap(), behind);
    daemon.until("its arrival in our own numbers", |daemon| {
        daemon.metric("alignwatch_otlp_arrived_timestamp_seconds").is_some()
    });
}
