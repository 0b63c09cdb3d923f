//! The catalogue of checks, walked: each is `ok` in a repository that is well, speaks in one that is ill, and is not
//! `ok` where it can't read what it judges. Where git can tell the ill from the well one, too, it must.
//!
//! A check without a case fails the first test. `cargo nextest run -p alignwatch-git --test catalogue --no-capture
//! -E 'test(the_counts)'` prints how many there are of each kind.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod branches;
mod places;
mod storage;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{
    Known, Look, Snapshot, Status, Timestamp,
    checks::{self, Judged},
    config::Config,
    facts::{pool::Pool, tasks::Backups},
    look::Looked,
};

/// How one check is tried.
struct Case {
    check: &'static str,
    /// The settings by which all three are judged, such as a low threshold.
    config: &'static str,
    ill: Ill,
    /// A line for the shell that is silent in the well repository, and says something in the ill one; empty = none.
    git: &'static str,
    /// What the well one has besides, so that both are judged by the same settings.
    besides: &'static str,
    /// A script after which it can't be judged; empty = `nothing_seen.rs` in the model tries that for every check.
    unread: &'static str,
}

/// How the ill repository comes to be.
enum Ill {
    /// A script in the well one.
    Made(&'static str),
    /// What is seen is changed by hand: it is of the machine, of the journal, or of a git that is not here.
    Set(fn(&mut Snapshot)),
}

/// A case with a script.
const fn made(check: &'static str, script: &'static str, git: &'static str) -> Case {
    Case { check, config: "", ill: Ill::Made(script), git, besides: "", unread: "" }
}

/// A case with facts that are set by hand.
const fn set(check: &'static str, change: fn(&mut Snapshot)) -> Case {
    Case { check, config: "", ill: Ill::Set(change), git: "", besides: "", unread: "" }
}

impl Case {
    /// Judged by these settings.
    const fn by(self, config: &'static str) -> Case {
        Case { config, ..self }
    }

    /// The well one has this besides.
    const fn beside(self, besides: &'static str) -> Case {
        Case { besides, ..self }
    }

    /// After this script it can't be judged.
    const fn unread(self, unread: &'static str) -> Case {
        Case { unread, ..self }
    }
}

/// Two commits, all packed, with all that makes git fast; nothing to complain of.
const WELL: &str = "git init -q -b main\ncommit one f 1\ncommit two f 2\ngit repack -adq\ngit pack-refs --all\n\
    git commit-graph write --reachable --split --changed-paths --no-progress";

/// What scripts may use.
const WORDS: &str = "set -e\n\
    commit() { git checkout -q 2>/dev/null || true; mkdir -p \"$(dirname \"$2\")\"; printf '%s\\n' \"$3\" > \"$2\"; git add -f -- \"$2\"; git commit -q -m \"$1\"; }\n\
    at() { export GIT_AUTHOR_DATE=\"@$1 +0000\" GIT_COMMITTER_DATE=\"@$1 +0000\"; }\n\
    ago() { at $((now - $1)); }\n\
    loose() { o=$(git rev-parse \"$1\"); r=${o#??}; echo \".git/objects/${o%$r}/$r\"; }\n\
    pack() { ls .git/objects/pack/*.pack | head -n 1; }\n\
    ago 7200\n";

/// A branch whose tip is not there: nothing of it can be measured.
const LOST_TIP: &str =
    "git checkout -q -b lost; commit lost lost 1; p=$(loose HEAD); git checkout -q main; rm -f \"$p\"";

struct Room {
    _keep: tempfile::TempDir,
    home: PathBuf,
}

impl Room {
    fn well(besides: &str) -> Room {
        let keep = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(keep.path()).unwrap();
        fs::create_dir(home.join("repo")).unwrap();
        let room = Room { _keep: keep, home };
        room.make(WELL);
        room.make(besides);
        room
    }

    fn make(&self, script: &str) {
        let output = self.shell(&format!("{WORDS}{script}"));
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn shell(&self, script: &str) -> std::process::Output {
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(script).current_dir(self.home.join("repo")).env_clear();
        shell.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", &self.home).env("LC_ALL", "C");
        shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("now", now().0.to_string());
        for who in ["AUTHOR", "COMMITTER"] {
            shell.env(format!("GIT_{who}_NAME"), "ann").env(format!("GIT_{who}_EMAIL"), "ann@example.org");
        }
        shell.output().unwrap()
    }

    /// The repository; a script that needs a bare one makes it beside the first.
    fn repo(&self) -> PathBuf {
        let bare = self.home.join("bare");
        if bare.is_dir() { bare } else { self.home.join("repo") }
    }

    /// What git says there; a git that fails says that.
    fn git_says(&self, line: &str) -> String {
        let place = self.repo();
        let output = self.shell(&format!("cd '{}'\n{WORDS}set +e\n{line}", place.display()));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp(since.as_secs().try_into().unwrap())
}

fn config(case: &Case) -> Config {
    Config::from_yaml(case.config, "f").unwrap_or_else(|error| panic!("{}: {error:?}", case.check)).0
}

/// Errors: it can't be looked at, so that nothing of it is judged.
fn look(path: &Path, case: &Case, needs: &[Look]) -> Result<Snapshot, String> {
    let wanted = Wanted {
        base: None,
        looks: Look::with_required(needs.iter().copied().chain(Look::FOR_REMEDIES)),
        paths_patience: Duration::from_secs(60),
        stop: Stop::default(),
    };
    let mut snapshot =
        inspect(path, &config(case), now(), None, &wanted, &|_| {}).map_err(|error| error.to_string())?;
    // What others hand over: nothing is known to be wrong.
    [Look::Host, Look::Runs].into_iter().for_each(|look| snapshot.looks.note(look, Looked::Took(0.0)));
    snapshot.host = Known::Seen(places::quiet_machine());
    snapshot.facts.runs = Known::Seen(Vec::new());
    snapshot.facts.tasks = Known::Seen(Vec::new());
    snapshot.facts.backups = Known::Seen(Backups::default());
    snapshot.facts.pool = Known::Seen(Pool { n_asked: 1, ..Pool::default() });
    Ok(snapshot)
}

fn seen(path: &Path, case: &Case, needs: &[Look]) -> Snapshot {
    look(path, case, needs).unwrap_or_else(|error| panic!("{}: {error}", case.check))
}

fn judged(snapshot: &Snapshot, case: &Case) -> Judged {
    let only = |check: &checks::Check| if check.id == case.check { Ok(()) } else { Err("not meant".to_owned()) };
    let all = checks::judge(snapshot, &config(case), now(), only);
    all.into_iter().find(|one| one.check.id == case.check).unwrap()
}

fn cases() -> impl Iterator<Item = &'static Case> {
    [storage::CASES, branches::CASES, places::CASES].into_iter().flatten()
}

/// Tries every case of the list; tells of all that go wrong at once.
fn try_all(list: &[Case]) {
    let wrong: Vec<String> = list.iter().filter_map(|case| try_one(case).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn try_one(case: &Case) -> Result<(), String> {
    let told = |judged: &Judged| {
        let summaries: Vec<_> = judged.findings.iter().map(|finding| finding.summary.as_str()).collect();
        format!("{}: {} {:?} {}", case.check, judged.status, judged.reason, summaries.join("; "))
    };
    let check = checks::by_id(case.check).ok_or_else(|| format!("there is no check {}", case.check))?;
    let well = Room::well(case.besides);
    let before = judged(&seen(&well.repo(), case, check.needs), case);
    let is_quiet = before.status == Status::Ok || NOT_OK_WHEN_WELL.iter().any(|(id, _)| *id == case.check);
    if !is_quiet || !before.findings.is_empty() && !NOT_OK_WHEN_WELL.iter().any(|(id, _)| *id == case.check) {
        return Err(format!("the well one is not: {}", told(&before)));
    }
    let ill = Room::well(case.besides);
    let mut snapshot = match &case.ill {
        Ill::Made(script) => {
            ill.make(script);
            seen(&ill.repo(), case, check.needs)
        }
        Ill::Set(_) => seen(&ill.repo(), case, check.needs),
    };
    if let Ill::Set(change) = &case.ill {
        change(&mut snapshot);
    }
    let after = judged(&snapshot, case);
    if after.findings.is_empty() || after.findings.iter().any(|finding| finding.check != case.check) {
        return Err(format!("the ill one is not told of: {}", told(&after)));
    }
    if !case.git.is_empty() {
        let (quiet, said) = (well.git_says(case.git), ill.git_says(case.git));
        if !quiet.is_empty() || said.is_empty() {
            return Err(format!("{}: git says {quiet:?} of the well one and {said:?} of the ill one", case.check));
        }
    }
    if !case.unread.is_empty() {
        let blind = Room::well(case.besides);
        blind.make(case.unread);
        let Ok(snapshot) = look(&blind.repo(), case, check.needs) else { return Ok(()) };
        let judged = judged(&snapshot, case);
        if judged.status == Status::Ok || judged.reason.is_none() {
            return Err(format!("unread, and yet: {}", told(&judged)));
        }
    }
    Ok(())
}

/// Checks that say something of the well repository, too, and why.
const NOT_OK_WHEN_WELL: &[(&str, &str)] = &[
    ("growth", "it has nothing to compare with at the first look"),
    ("known-bad-git", "the git at hand is the one it is"),
    ("old-git", "the git at hand is the one it is"),
    ("file-system", "the folder for temporary files is where it is"),
    ("room-to-repack", "the disk is as full as it is"),
    ("safe-directory", "settings of whoever runs the tests"),
];

#[test]
fn what_is_stored_is_tried() {
    try_all(storage::CASES);
}

#[test]
fn branches_and_lines_are_tried() {
    try_all(branches::CASES);
}

#[test]
fn places_and_records_are_tried() {
    try_all(places::CASES);
}

#[test]
fn every_check_has_one_case_and_git_is_asked_wherever_it_can_say_the_same() {
    let mut n: BTreeMap<&str, usize> = BTreeMap::new();
    cases().for_each(|case| *n.entry(case.check).or_default() += 1);
    let twice: Vec<_> = n.iter().filter(|(_, n)| **n != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let all: BTreeSet<&str> = checks::ALL.iter().map(|check| check.id).collect();
    assert_eq!(n.into_keys().collect::<BTreeSet<_>>(), all);
    let asked: BTreeSet<&str> = cases().filter(|case| !case.git.is_empty()).map(|case| case.check).collect();
    let by_number: BTreeSet<&str> = COMPARED_ELSEWHERE.iter().map(|(id, _, _)| *id).collect();
    let says = checks::ALL.iter().filter(|check| check.git_says.is_some()).map(|check| check.id);
    let missing: Vec<_> = says.filter(|id| !asked.contains(id) && !by_number.contains(id)).collect();
    assert!(missing.is_empty(), "git says the same, and no test asks it: {missing:?}");
    assert_eq!(asked.intersection(&by_number).count(), 0, "one place for each comparison");
}

/// Checks whose comparison with git needs more than a line: the file below `crates` and the test that makes it.
const COMPARED_ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "repository-format",
        "git/tests/health_refs.rs",
        "an_extension_of_a_newer_git_is_named_with_the_version_and_an_unknown_one_does_not_open",
    ),
    ("object-pool", "git/tests/health_pool.rs", "a_shared_clone_tells_from_whom_it_borrows"),
    ("gc-blocked", "git/tests/health_speed.rs", "upkeep_that_git_refuses_is_told"),
    ("growth", "git/tests/health_storage.rs", "the_numbers_are_those_of_git"),
    ("ref-backend", "git/tests/health_speed.rs", "tables_of_refs_are_told_and_hide_no_count"),
    ("budget-soon-exceeded", "git/tests/past.rs", "each_week_is_as_git_counts_it_between_the_tips_of_that_time"),
    ("host-disk", "host/src/file_system.rs", "size_and_inodes_are_what_df_says"),
    ("host-inodes", "host/src/file_system.rs", "size_and_inodes_are_what_df_says"),
    ("room-to-repack", "git/tests/catalogue/main.rs", "free_room_is_what_df_says"),
    ("known-bad-git", "git/tests/catalogue/main.rs", "version_and_case_are_what_git_says"),
    ("old-git", "git/tests/catalogue/main.rs", "version_and_case_are_what_git_says"),
    ("file-system", "git/tests/catalogue/main.rs", "version_and_case_are_what_git_says"),
    ("safe-directory", "git/tests/catalogue/main.rs", "settings_of_the_operator_are_what_git_says"),
];

#[test]
fn free_room_is_what_df_says() {
    let case = &Case { check: "room-to-repack", ..set("", |_| {}) };
    let room = Room::well("");
    let site = look(&room.repo(), case, &[Look::Site]).unwrap().facts.site;
    let free = *site.seen().unwrap().free_bytes.seen().unwrap();
    let df: u64 = room.git_says("df --block-size=1 --output=avail . | tail -n 1").parse().unwrap();
    // Others write meanwhile.
    assert!(free.abs_diff(df) < 1 << 30, "{free} {df}");
}

#[test]
fn version_and_case_are_what_git_says() {
    let case = &Case { check: "old-git", ..set("", |_| {}) };
    let room = Room::well("");
    let snapshot = look(&room.repo(), case, &[Look::Site]).unwrap();
    let said = room.git_says("git version");
    assert_eq!(said.strip_prefix("git version ").unwrap(), snapshot.repository.git_version.seen().unwrap());
    let ignores = room.git_says("git config --type=bool core.ignoreCase") == "true";
    assert_eq!(snapshot.facts.site.seen().unwrap().ignores_case, Known::Seen(ignores));
}

/// Looks as whoever the environment of this process says; the test below starts it.
#[test]
fn tells_what_is_trusted() {
    let Some(place) = std::env::var_os("ALIGNWATCH_TEST_TRUST") else { return };
    let case = &Case { check: "safe-directory", ..set("", |_| {}) };
    let settings = look(&Path::new(&place).join("repo"), case, &[Look::Settings]).unwrap().facts.settings;
    let trusted = settings.seen().unwrap().safe_directories.seen().unwrap().join("\n");
    fs::write(Path::new(&place).join("said"), trusted).unwrap();
}

#[test]
fn settings_of_the_operator_are_what_git_says() {
    let room = Room::well("printf '[safe]\n\tdirectory = /a\n\tdirectory = /b c\n' > ../settings");
    let file = room.home.join("settings");
    let mut ours = Command::new(std::env::current_exe().unwrap());
    ours.args(["--exact", "tells_what_is_trusted"]).env("ALIGNWATCH_TEST_TRUST", &room.home);
    let output = ours.env("GIT_CONFIG_GLOBAL", &file).env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = room.git_says("GIT_CONFIG_GLOBAL=../settings git config --get-all safe.directory");
    assert_eq!(fs::read_to_string(room.home.join("said")).unwrap(), said);
}

#[test]
fn comparisons_that_are_named_are_there() {
    for (check, file, test) in COMPARED_ELSEWHERE {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(text.contains(&format!("fn {test}(")), "{check}: there is no test `{test}` in {file}");
    }
}

#[test]
fn the_counts() {
    let n = |keep: &dyn Fn(&&Case) -> bool| cases().filter(keep).count();
    println!("checks: {}", checks::ALL.len());
    println!("  that name a command of git (or of the system) which says the same: {}", {
        checks::ALL.iter().filter(|check| check.git_says.is_some()).count()
    });
    println!("  compared with it in a test: {}", n(&|case| !case.git.is_empty()) + COMPARED_ELSEWHERE.len());
    println!("  with a well repository: {}", n(&|_| true));
    println!("  with an ill one: {}", n(&|_| true));
    println!("    made with git and a shell: {}", n(&|case| matches!(case.ill, Ill::Made(_))));
    println!(
        "    by facts that are set by hand (machine, journal, other gits): {}",
        n(&|case| matches!(case.ill, Ill::Set(_)))
    );
    println!("  with one that can't be read, made with a shell: {}", n(&|case| !case.unread.is_empty()));
    println!(
        "    by a snapshot in which nothing could be read (crates/model/src/checks/nothing_seen.rs): {}",
        n(&|case| case.unread.is_empty())
    );
}
