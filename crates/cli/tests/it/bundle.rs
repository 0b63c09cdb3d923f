//! `doctor bundle`: secrets planted wherever there is a place for one, and none of them in the archive.
//!
//! No secret here is one. Each is put together at run time, so that no scanner of sources takes it for real.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use alignwatch::bundle::{self, archive, redact::Redactor};
use alignwatch_testkit::{git, git_command};
use serde_json::{Value, json};

use crate::documents::assert_valid;

const MANIFEST: &str = include_str!("../../../../docs/schema/bundle-1.schema.json");

/// A secret that was made up.
struct Canary {
    text: String,
    /// The part that must be nowhere.
    needle: String,
    /// It can be told by its form, wherever it stands and whatever is known.
    has_form: bool,
}

/// So many characters that are different for each number.
fn random(seed: usize, n: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut state = seed as u64 * 7_919 + 12_345;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        LETTERS[(state >> 33) as usize % LETTERS.len()] as char
    };
    // Tokens hold digits; a run without one would be a word.
    format!(
        "{}7{}4",
        (0..n / 2 - 1).map(|_| next()).collect::<String>(),
        (0..n - n / 2 - 1).map(|_| next()).collect::<String>()
    )
}

fn canaries() -> Vec<Canary> {
    let with_form = [
        ("AKIA", 16),
        ("ASIA", 16),
        ("ghp_", 36),
        ("gho_", 36),
        ("ghs_", 36),
        ("ghr_", 36),
        ("ghu_", 36),
        ("github_pat_", 60),
        ("glpat-", 20),
        ("gldt-", 20),
        ("glrt-", 20),
        ("xoxb-", 40),
        ("xoxp-", 40),
        ("xoxs-", 40),
        ("xapp-", 40),
        ("sk_live_", 24),
        ("rk_live_", 24),
        ("whsec_", 32),
        ("sk-proj-", 40),
        ("AIza", 35),
        ("ya29.", 40),
        ("GOCSPX-", 28),
        ("npm_", 36),
        ("pypi-", 60),
        ("hf_", 34),
        ("dop_v1_", 64),
        ("SG.", 60),
        ("key-", 32),
        ("shpat_", 32),
        ("sq0atp-", 22),
        ("glsa_", 40),
        ("hvs.", 40),
        ("dckr_pat_", 27),
        ("tskey-auth-", 30),
        ("lin_api_", 40),
        ("figd_", 40),
        ("ATATT3", 60),
        ("NRAK-", 27),
        ("sntrys_", 60),
        ("AGE-SECRET-KEY-1", 50),
    ];
    let mut all: Vec<Canary> = with_form
        .iter()
        .enumerate()
        .map(|(at, (begins, n))| {
            let needle = random(at, *n);
            Canary { text: format!("{begins}{needle}"), needle, has_form: true }
        })
        .collect();
    let mut add = |make: fn(&str) -> String, has_form| {
        let needle = random(100 + all.len(), 14);
        all.push(Canary { text: make(&needle), needle, has_form });
    };
    add(|secret| format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ{secret}.{secret}"), true);
    add(|secret| format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}\n-----END OPENSSH PRIVATE KEY-----"), true);
    add(|secret| format!("-----BEGIN RSA PRIVATE KEY-----\n{secret}"), true);
    add(|secret| format!("https://somebody:{secret}@git.example.org/x.git"), true);
    add(|secret| format!("ssh://{secret}@git.example.org/x.git"), true);
    add(|secret| format!("Authorization: Bearer {secret}"), true);
    add(|secret| format!("Authorization: Basic {secret}="), true);
    add(|secret| format!("password={secret}"), true);
    add(|secret| format!("\"client_secret\": \"{secret}\""), true);
    add(|secret| format!("api_key: {secret}"), true);
    add(|secret| format!("machine example.org login me password {secret}"), true);
    add(|secret| format!("{secret}@example.org"), true);
    add(|secret| format!("https://hooks.slack.com/services/T00000000/B00000000/{secret}"), true);
    add(|secret| format!("https://discord.com/api/webhooks/1234567890/{secret}"), true);
    add(|secret| format!("AccountKey={secret}=="), true);
    // Nothing tells that these are secrets: what is no word of ours does not leave, whatever it is.
    add(|secret| format!("correct-{secret}-staple"), false);
    add(|secret| secret.to_lowercase(), false);
    add(|secret| format!("P@ss/{secret}!"), false);
    all.iter_mut().for_each(|canary| {
        if canary.text == canary.needle.to_lowercase() {
            canary.needle = canary.text.clone();
        }
    });
    all
}

/// A home, a repository and a data directory with a secret in every place that holds text.
struct Place {
    _keep: tempfile::TempDir,
    home: PathBuf,
    repo: PathBuf,
    canaries: Vec<Canary>,
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

impl Place {
    fn new() -> Place {
        let canaries = canaries();
        let keep = tempfile::tempdir().unwrap();
        let home = keep.path().canonicalize().unwrap().join(&canaries[2].text);
        let repo = home.join(&canaries[11].text).join(&canaries[56].text);
        fs::create_dir_all(&repo).unwrap();
        let place = Place { _keep: keep, home, repo, canaries };
        place.draw();
        place.plant();
        place
    }

    /// A commit and a branch for each: author, subject, path and content.
    fn draw(&self) {
        git(&self.repo, ["init", "-q", "-b", "main"]);
        let mut stream = String::from(
            "commit refs/heads/main\ncommitter A <a@x.org> 1790000000 +0000\ndata 4\nbase\nM 644 inline f\ndata 2\nx\n\n",
        );
        for (at, canary) in self.canaries.iter().enumerate() {
            let text = one_line(&canary.text);
            let name: String = text.chars().filter(|char| !"<>\"".contains(*char)).collect();
            let path = text.replace(['"', '\\'], "").replace("//", "/").replace(": ", "");
            let content = format!("<<<<<<< a\n{text}\n=======\nb\n>>>>>>> c\n");
            let _ = write!(
                stream,
                "commit refs/heads/b{at}\nauthor {name} <{name}> 1790000001 +0000\ncommitter {name} <m@x.org> 1790000001 +0000\n\
                 data {}\n{text}\nfrom refs/heads/main\nM 644 inline d/{}\ndata {}\n{content}\n",
                text.len(),
                path.trim_matches('/'),
                content.len(),
            );
        }
        let file = self.home.join("stream");
        fs::write(&file, stream).unwrap();
        let input = fs::File::open(&file).unwrap();
        let output = git_command(&self.repo, ["fast-import", "--quiet"]).stdin(input).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::remove_file(file).unwrap();
    }

    /// Settings, remotes, names of refs, hooks, locks, the data directory.
    fn plant(&self) {
        let git_dir = self.repo.join(".git");
        let tip = git(&self.repo, ["rev-parse", "b0"]);
        let mut config = fs::read_to_string(git_dir.join("config")).unwrap();
        let mut hook = String::from("#!/bin/sh\n");
        for (at, canary) in self.canaries.iter().enumerate() {
            let text = one_line(&canary.text).replace('\\', "").replace('"', "\\\"");
            let _ = write!(config, "[canary \"c{at}\"]\n\tvalue = \"{text}\"\n\tpassword = \"{text}\"\n");
            let _ = write!(config, "[remote \"r{at}\"]\n\turl = \"https://u{at}:{text}@h{at}.example.org/x\"\n");
            let _ = write!(
                config,
                "[http \"https://h{at}.example.org\"]\n\textraheader = \"Authorization: Basic {text}\"\n"
            );
            let _ = write!(config, "[alias]\n\ta{at} = \"!echo {text}\"\n");
            let _ = writeln!(hook, "echo '{text}'");
            // What no name of a ref can hold is planted elsewhere.
            if canary.text.contains([' ', '"', '\\', ':', '~', '^', '?', '*', '[', '\n']) {
                continue;
            }
            let name = canary.text.replace("//", "/");
            let file = git_dir.join("refs/heads").join(format!("x{at}")).join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, format!("{tip}\n")).unwrap();
            let mut lock = file.into_os_string();
            lock.push(".lock");
            fs::write(&lock, "").unwrap();
            let old = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
            fs::File::options().write(true).open(&lock).unwrap().set_modified(old).unwrap();
        }
        config.push_str("[core]\n\tsshCommand = ssh -i key\n");
        fs::write(git_dir.join("config"), config).unwrap();
        fs::create_dir_all(git_dir.join("hooks")).unwrap();
        fs::write(git_dir.join("hooks/pre-commit"), hook).unwrap();
        fs::set_permissions(git_dir.join("hooks/pre-commit"), fs::Permissions::from_mode(0o755)).unwrap();
        let data = self.data();
        fs::create_dir_all(&data).unwrap();
        for canary in self.canaries.iter().filter(|canary| !canary.text.contains(['/', '\n'])) {
            fs::write(data.join(&canary.text), &canary.text).unwrap();
        }
    }

    fn data(&self) -> PathBuf {
        self.home.join("data").join(&self.canaries[8].text)
    }

    /// Our own configuration, with a secret in every text it may hold.
    fn configure(&self, is_valid: bool) {
        let folder = self.home.join(".config/alignwatch");
        fs::create_dir_all(&folder).unwrap();
        let quoted = self.canaries.iter().map(|canary| serde_json::to_string(&one_line(&canary.text)).unwrap());
        let texts: Vec<String> = quoted.collect();
        let text = if is_valid {
            let excluded: Vec<_> =
                texts.iter().filter(|text| !text.contains(['\\', '!', '[', ' '])).map(String::as_str).collect();
            format!("markers:\n  exclude: [{}]\n", excluded.join(", "))
        } else {
            texts.iter().map(|text| format!("{text}: {text}\n")).collect::<String>() + "no_such_key: [\n"
        };
        fs::write(folder.join("alignwatch.yaml"), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
        command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.home).env("ALIGNWATCH_DATA_DIR", self.data()).current_dir(&self.home);
        command
            .env("USER", &self.canaries[20].text)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for (at, canary) in self.canaries.iter().enumerate() {
            command.env(format!("VARIABLE_{at}"), &canary.text).env(format!("MY_TOKEN_{at}"), &canary.text);
            command.env(format!("ALIGNWATCH_CANARY_{at}"), &canary.text);
        }
        command.output().unwrap()
    }

    /// Makes a bundle and gives all of its text.
    fn bundle(&self, arguments: &[&str]) -> String {
        let file = self.home.join("b.tar.gz");
        let _ = fs::remove_file(&file);
        let all =
            [&["doctor", "bundle", "-o", file.to_str().unwrap()], arguments, &[self.repo.to_str().unwrap()]].concat();
        let output = self.run(&all);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{told}");
        let verified =
            self.run(&["doctor", "bundle", "--verify-redaction", file.to_str().unwrap(), self.repo.to_str().unwrap()]);
        assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
        let files = archive::read(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        files.into_iter().map(|(name, text)| format!("{name}\n{text}\n")).collect::<String>() + &told
    }

    fn assert_none(&self, text: &str, counts: impl Fn(&Canary) -> bool) {
        let found: Vec<_> =
            self.canaries.iter().filter(|canary| counts(canary) && text.contains(&canary.needle)).collect();
        let lines = |needle: &str| text.lines().find(|line| line.contains(needle)).unwrap_or_default().to_owned();
        let told: Vec<_> = found.iter().map(|canary| format!("{} in {}", canary.text, lines(&canary.needle))).collect();
        assert!(told.is_empty(), "{} leaked: {told:#?}", told.len());
    }
}

#[test]
fn there_are_enough_canaries_and_all_differ() {
    let canaries = canaries();
    assert!(canaries.len() >= 55, "{}", canaries.len());
    for (at, canary) in canaries.iter().enumerate() {
        assert!(canaries[..at].iter().all(|other| !other.text.contains(&canary.needle)), "{}", canary.text);
    }
}

#[test]
fn no_planted_secret_and_no_name_is_in_the_bundle() {
    let place = Place::new();
    for is_valid in [true, false] {
        place.configure(is_valid);
        let text = place.bundle(&[]);
        place.assert_none(&text, |_| true);
        for name in ["refs/heads/b1", "example.org", "sshCommand = ssh", "/x1/"] {
            assert!(!text.contains(name), "{name}");
        }
        assert!(text.contains("conflict markers"), "the bundle says something: {text}");
    }
}

#[test]
fn addresses_keys_rotas_and_windows_of_the_configuration_stay_outside() {
    let place = Place::new();
    let needles: Vec<String> = (0..9).map(|nth| random(700 + nth, 16)).collect();
    let [ping, hook, file, who, folder, key, window, reason, branch] = &needles[..] else { panic!("nine of them") };
    let text = format!(
        "heartbeat: {{url: \"https://hc.example.org/{ping}\"}}\n\
         channels:\n  webhook:\n    - {{name: hook, url: \"https://hooks.example.org/{hook}\"}}\n  \
         file:\n    - {{name: log, path: /var/log/{file}}}\n\
         on_call:\n  - {{name: {who}, channels: [hook, log], from: \"2026-01-05T09:00\"}}\n\
         backup: {{folder: /srv/{folder}, identity: /etc/{key}}}\n\
         windows:\n  - {{name: {window}, open: \"0 1 * * *\", lasts: 1h, reason: {reason}}}\n\
         cleanup: {{keep: [\"{branch}/*\"]}}\n"
    );
    let folder = place.home.join(".config/alignwatch");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("alignwatch.yaml"), text).unwrap();
    let checked = place.run(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
    let text = place.bundle(&[]);
    let leaked: Vec<_> = needles.iter().filter(|needle| text.contains(needle.as_str())).collect();
    assert!(leaked.is_empty(), "{leaked:?}");
    assert!(text.contains("heartbeat"), "that there is one is told");
}

#[test]
fn with_names_secrets_go_all_the_same() {
    let place = Place::new();
    place.configure(true);
    let text = place.bundle(&["--names"]);
    place.assert_none(&text, |canary| canary.has_form);
    assert!(text.contains("b1"), "names stay");
}

#[test]
fn the_search_finds_every_canary_that_would_be_in_it() {
    for canary in canaries() {
        let documents =
            [json!({ "says": format!("before {} after", canary.text) }), json!([{ "key": canary.text.clone() }])];
        for document in documents {
            let found = |keeps_names| {
                bundle::leaks(&Redactor::new([1; 32], keeps_names, Vec::new(), Vec::new()), "x", &document.to_string())
            };
            assert!(!found(false).is_empty(), "{}", canary.text);
            assert!(!canary.has_form || !found(true).is_empty(), "{}", canary.text);
            let known = Redactor::new([1; 32], true, Vec::new(), vec![canary.needle.clone()]);
            assert!(!bundle::leaks(&known, "x", &document.to_string()).is_empty(), "{}", canary.text);
        }
    }
    let document = json!({ "password": "swordfish", "fine": "ok" }).to_string();
    assert!(!bundle::leaks(&Redactor::new([1; 32], true, Vec::new(), Vec::new()), "x", &document).is_empty());
    assert!(!bundle::leaks(&Redactor::new([1; 32], false, Vec::new(), Vec::new()), "x", "no document").is_empty());
}

fn plain(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alignwatch"));
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).current_dir(home).output().unwrap()
}

#[test]
fn a_bundle_that_would_leak_is_not_kept() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("b.tar.gz");
    let redactor = Redactor::new([1; 32], false, Vec::new(), Vec::new());
    let manifest = bundle::Manifest {
        schema: "alignwatch.bundle/1".into(),
        made_at: "2026-11-28T09:00:00Z".into(),
        version: "0.1.0".into(),
        names: false,
        replaced: Default::default(),
        size_limit_bytes: 1,
        collectors: Vec::new(),
    };
    let part =
        |text: &str| bundle::Part { name: "x.json".into(), holds: "", text: json!({ "says": text }).to_string() };
    let write = |text: &str| archive::write(&file, &manifest, &[part(text)], &redactor, alignwatch_model::Timestamp(0));
    let error = write("the Zaphod leak").unwrap_err().to_string();
    assert!(error.contains("x.json: a word that is none of ours") && !error.contains("Zaphod"), "{error}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    assert!(write("nothing").is_ok() && file.is_file());
    assert!(write("nothing").is_err(), "what is there is not overwritten");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn it_works_without_a_repository_and_with_everything_broken() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".local/state")).unwrap();
    fs::write(home.path().join(".local/state/alignwatch"), "a file").unwrap();
    fs::create_dir_all(home.path().join(".config/alignwatch")).unwrap();
    fs::write(home.path().join(".config/alignwatch/alignwatch.yaml"), "[broken").unwrap();
    fs::create_dir(home.path().join("empty")).unwrap();
    let output = plain(home.path(), &["doctor", "bundle", "--json", "-o", "b.tar.gz", "empty"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_valid(MANIFEST, &manifest);
    let failed = manifest["collectors"].as_array().unwrap().iter().filter(|one| one["reason"].is_string());
    let failed: Vec<_> = failed.map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(failed, ["repairs", "data-directory"], "{manifest:#}");
}

#[test]
fn a_dry_run_writes_nothing_and_the_limit_leaves_out_the_least_important() {
    let home = tempfile::tempdir().unwrap();
    let output = plain(home.path(), &["doctor", "bundle", "--dry-run"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("versions.json") && shown.contains("names are pseudonyms"), "{shown}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_bundle_of_somebody_else_is_no_bundle() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("b.tar.gz"), "not an archive").unwrap();
    let output = plain(home.path(), &["doctor", "bundle", "--verify-redaction", "b.tar.gz"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: cannot read `b.tar.gz`"), "{output:?}");
}
