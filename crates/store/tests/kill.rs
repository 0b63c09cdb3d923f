//! Killed at any instant, the store has all that was acknowledged, and is whole.
//!
//! This test starts itself as the writer, kills that with SIGKILL, and looks. `ALIGNWATCH_KILLS=1000` for more rounds.

#![expect(clippy::unwrap_used, reason = "a test may end at its first surprise")]

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use alignwatch_model::{
    Severity, Span, Status, Timestamp,
    config::Retention,
    record::{Commit, FindingRow, Reading, Sweep, SweepOutcome},
};
use alignwatch_store::open;

const NAME: &str = "what_was_acknowledged_survives_kill_9";
const FOLDER: &str = "ALIGNWATCH_TEST_WRITES_TO";
const ACKNOWLEDGED: &str = "acknowledged ";
const N_SERIES: usize = 3;

#[test]
fn what_was_acknowledged_survives_kill_9() {
    match env::var_os(FOLDER) {
        Some(folder) => write(Path::new(&folder)),
        None => kill_again_and_again(),
    }
}

fn kill_again_and_again() {
    let rounds = env::var("ALIGNWATCH_KILLS").map_or(100, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let (mut acknowledged, mut n_caught) = (0, 0);
    for round in 1..=rounds {
        let (mut child, mut said) = writer(folder.path());
        // A fifth is killed while it starts, the others in the middle of their work.
        if round % 5 == 0 {
            thread::sleep(Duration::from_micros(chance.below(60_000)));
        } else {
            acknowledged = heard(&mut said, 1 + chance.below(40)).unwrap_or(acknowledged);
            thread::sleep(Duration::from_micros(chance.below(4_000)));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = heard(&mut said, u64::MAX).unwrap_or(acknowledged);
        let stored = stored(folder.path());
        // One more may be on the disk, of which nobody could be told any more.
        assert!(
            (acknowledged..=acknowledged + 1).contains(&stored),
            "round {round}: {acknowledged} were acknowledged, and {stored} are there"
        );
        n_caught += usize::from(acknowledged < stored);
        acknowledged = stored;
    }
    let told = format!("{rounds} kills, {acknowledged} commits, {n_caught} kills before an acknowledgement");
    let mut person = io::stderr();
    writeln!(person, "{told}").unwrap();
    assert!(rounds <= acknowledged, "the writer was killed before it could do anything");
}

fn writer(folder: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture"]).env(FOLDER, folder);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    (child, said)
}

/// Reads until the writer acknowledged so many, or is gone; the last that it did.
fn heard(said: &mut BufReader<ChildStdout>, at_most: u64) -> Option<i64> {
    let mut last = None;
    let mut n = 0;
    let mut line = String::new();
    while n < at_most && 0 < said.read_line(&mut line).unwrap() {
        // The test's own frame says other things, and a line that was cut off is no acknowledgement.
        if let Some(number) = line.strip_suffix('\n').and_then(|line| line.split(ACKNOWLEDGED).nth(1)) {
            (last, n) = (Some(number.parse().unwrap()), n + 1);
        }
        line.clear();
    }
    last
}

/// How many commits are there, after all was held against each other.
fn stored(folder: &Path) -> i64 {
    let (store, mended) = open(folder).unwrap();
    assert_eq!(mended, alignwatch_store::Mended::No);
    assert_eq!(store.examine().unwrap(), None);
    let n = last(&store);
    let series = store.series(None, None).unwrap();
    for row in &series {
        let all = store.points(row.id, Timestamp(0), Timestamp(i64::MAX), i64::MAX).unwrap();
        let (count, sum) = (all.iter().map(|point| point.n as i64).sum(), all.iter().map(|point| point.sum).sum());
        assert_eq!((n, (n * (n + 1) / 2) as f64), (count, sum), "{row:?}");
    }
    let open = store.findings(None, false, 10).unwrap();
    assert_eq!(open.iter().map(|row| row.key.clone()).collect::<Vec<_>>(), key(n).into_iter().collect::<Vec<_>>());
    assert_eq!(series.len(), if n == 0 { 0 } else { N_SERIES });
    n
}

fn last(store: &alignwatch_store::Store) -> i64 {
    store.document("r").unwrap().map_or(0, |document| document.parse().unwrap())
}

/// The finding that a commit has.
fn key(n: i64) -> Option<String> {
    (n != 0).then(|| format!("k{}", n / 10))
}

/// The writer: goes on from where the last one was killed, and says each commit once it is kept.
fn write(folder: &Path) {
    let (mut store, _) = open(folder).unwrap();
    // Minutes of this test are years: all levels are used.
    let retention =
        Retention { raw: Span(2_000), by_five_minutes: Span(20_000), by_hour: Span(400_000), ..Retention::default() };
    let mut killer = io::stdout();
    for n in last(&store) + 1.. {
        store.commit(&commit(n)).unwrap();
        writeln!(killer, "{ACKNOWLEDGED}{n}").unwrap();
        killer.flush().unwrap();
        if n % 7 == 0 {
            store.tend(&retention, Timestamp(n)).unwrap();
        }
        if n % 100 == 0 {
            store.back_up(Timestamp(n)).unwrap();
        }
    }
}

fn commit(n: i64) -> Commit {
    let finding = FindingRow {
        key: key(n).unwrap(),
        check: "c",
        severity: Severity::Warning,
        summary: "s".into(),
        document: "{}".into(),
    };
    let outcome = SweepOutcome::Seen {
        status: Status::Warning,
        document: n.to_string(),
        findings: vec![finding],
        branches: Vec::new(),
        settled: vec!["c"],
    };
    let sweep = Sweep { repository: "r".into(), path: "/r".into(), at: Timestamp(n), seconds: 0.1, outcome };
    let reading = |series: usize| Reading {
        repository: "r".into(),
        metric: "m",
        labels: series.to_string(),
        at: Timestamp(n),
        value: n as f64,
    };
    Commit { sweeps: vec![sweep], readings: (0..N_SERIES).map(reading).collect(), ..Commit::default() }
}

/// Xorshift: the same times in each run, as far as the machine goes along.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
