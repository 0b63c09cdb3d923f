//! Lets Git check all objects, and keeps what it said.
//!
//! A git that was stopped, killed or gave up is unknown, never well. Only a clean answer is
//! remembered, by what is stored and what refs point to: a failed one is asked for again.
//! Settings of the repository that let Git pass over damage (`fsck.<message>`) are overridden; a list of
//! objects to pass over (`fsck.skipList`) cannot be, and then a clean answer is unknown.
//! Lazy fetching is off; Git itself leaves out what a shallow or partial clone lacks on purpose.

use std::time::Duration;

use alignwatch_model::{
    Known, Timestamp,
    facts::integrity::{LINES_AT_MOST, ObjectCheck},
};

use crate::{
    memory::Memory,
    run::{Call, GitAt, Limits, Output},
    stop::Stop,
};

/// Counted up when the question changes, so that older answers are not believed.
const VERSION: &str = "2";

/// How long one check may take. Source: ours; the kernel of Linux takes under one hour.
const AT_MOST: Duration = Duration::from_secs(12 * 3600);

/// Standard error that is kept: progress is a few hundred short texts, the rest is what is wrong.
const STDERR_AT_MOST_BYTES: usize = 4 << 20;

/// Why a clean answer is none.
const SKIPS: &str = "git found nothing wrong, but passed over the objects that `fsck.skipList` of the repository names";

/// How lines begin that say nothing is wrong: what Git is at, and remarks.
const NO_TROUBLE: &[&str] =
    &["Checking ", "Verifying ", "Loading ", "Sorting ", "Looking for ", "notice: ", "dangling "];

/// The setting that names a file of objects to pass over. Files of all its values are read: no override takes one back.
const SKIP_LIST: &[u8] = b"fsck.skiplist";

/// Messages that are warnings or remarks by default, as keys in lower case; all others are errors.
///
/// Source: fsck.h of Git's master, August 2026. A setting cannot say "remark": a warning is as loud, and as harmless.
const WARNINGS: &[&str] = &[
    "fsck.badfilemode",
    "fsck.badreftabletablename",
    "fsck.badtagname",
    "fsck.emptyname",
    "fsck.emptypackedrefsfile",
    "fsck.fullpathname",
    "fsck.gitattributessymlink",
    "fsck.gitignoresymlink",
    "fsck.gitmodulesparse",
    "fsck.hasdot",
    "fsck.hasdotdot",
    "fsck.hasdotgit",
    "fsck.largepathname",
    "fsck.mailmapsymlink",
    "fsck.missingtaggerentry",
    "fsck.nulincommit",
    "fsck.nullsha1",
    "fsck.refmissingnewline",
    "fsck.symlinkref",
    "fsck.symreftargetisnotaref",
    "fsck.trailingrefcontent",
    "fsck.zeropaddedfilemode",
];

/// The only message that is not told by default.
const NOT_TOLD: &str = "fsck.extraheaderentry";

/// Last words that say what is damaged: an object, or the multi-pack-index, at which Git gives up at once.
const TELLING: [&str; 3] = [" is corrupt", "multi-pack-index", "bad pack-int-id"];

/// How thorough it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Is everything there that refs need? Contents of files are not read.
    Connectivity,
    /// Is every object sound?
    Full,
}

/// What is to be checked.
pub struct Question<'a> {
    /// The git, for the repository.
    pub git: &'a GitAt<'a>,
    /// How thorough.
    pub depth: Depth,
    /// The time of the inspection.
    pub now: Timestamp,
    /// Where answers are remembered.
    pub memory: &'a Memory,
    /// When to give up.
    pub stop: &'a Stop,
    /// What changes whenever objects or refs do; `None` = it is not known, so nothing is remembered.
    pub state: Option<String>,
    /// Hears the percentage of the part that Git is at.
    pub step: &'a dyn Fn(usize),
}

impl Depth {
    /// What is going on, for those who wait.
    pub fn phase(self) -> &'static str {
        match self {
            Depth::Connectivity => "checking that nothing is missing",
            Depth::Full => "checking every object",
        }
    }

    /// How long a clean answer is believed: bytes can rot where nothing changes.
    ///
    /// Source: GitLab checks at most monthly; a day for connectivity is ours.
    fn believed_seconds(self) -> i64 {
        match self {
            Depth::Connectivity => 86_400,
            Depth::Full => 30 * 86_400,
        }
    }

    fn call<'a>(self, git: &'a GitAt<'a>) -> Call<'a> {
        let call = git.command("fsck").option("--no-dangling").option("--progress");
        let call = match self {
            Depth::Connectivity => call.option("--connectivity-only"),
            Depth::Full => call.option("--full"),
        };
        let silencing = git.entries().iter().filter_map(|entry| Some((&entry.key, usual(&entry.key)?)));
        silencing.fold(call, |call, (key, level)| call.pin_found("fsck.", key, level))
    }
}

/// How loud the message of this key is where no setting says otherwise; `None` = it is no key of a message.
fn usual(key: &[u8]) -> Option<&'static str> {
    let key = std::str::from_utf8(key).ok().filter(|key| key.starts_with("fsck."))?;
    match key {
        NOT_TOLD => Some("ignore"),
        _ if key.as_bytes() == SKIP_LIST => None,
        _ if WARNINGS.contains(&key) => Some("warn"),
        _ => Some("error"),
    }
}

/// Checks it, or remembers when it was well.
pub fn fsck(question: Question<'_>) -> Known<ObjectCheck> {
    let written_by = format!("{VERSION} git {}", question.git.git().version().text);
    let mut shelf = question.memory.shelf("fsck", &written_by);
    let key = question.state.as_ref().and_then(|state| fingerprint(question.depth, state));
    if let Some(key) = &key
        && let Some(checked_at) = shelf.get(key).and_then(|value| value.try_into().ok()).map(i64::from_le_bytes)
        && (0..question.depth.believed_seconds()).contains(&question.now.0.saturating_sub(checked_at))
    {
        return Known::Seen(ObjectCheck { checked_at: Timestamp(checked_at), ..ObjectCheck::default() });
    }
    let skips = question.git.entries().iter().any(|entry| entry.key == SKIP_LIST);
    let seen = match ask(&question) {
        Ok(seen) if skips && seen.code == 0 => return Known::Unknown(SKIPS.into()),
        Ok(seen) => seen,
        Err(reason) => return Known::Unknown(reason),
    };
    if let (0, Some(key)) = (seen.code, key) {
        shelf.put(&key, seen.checked_at.0.to_le_bytes().to_vec());
        // A memory that cannot be written costs a check, never an answer.
        let _ = shelf.save();
    }
    Known::Seen(seen)
}

fn fingerprint(depth: Depth, state: &str) -> Option<Vec<u8>> {
    let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    hasher.update(format!("{depth:?}\n{state}").as_bytes());
    hasher.try_finalize().ok().map(|id| id.as_slice().to_vec())
}

fn ask(question: &Question<'_>) -> Result<ObjectCheck, String> {
    let limits = Limits {
        time: question.stop.at_most(AT_MOST),
        cpu_seconds: AT_MOST.as_secs(),
        stderr_bytes: STDERR_AT_MOST_BYTES,
        niceness: 15,
        ..Limits::default()
    };
    let mut goes_on = |said: &[u8]| {
        percent(said).into_iter().for_each(question.step);
        !question.stop.is_due()
    };
    // The exit code is a set of eight bits: every value is an answer.
    let every_code = Vec::from_iter(1..=255);
    let output = question.depth.call(question.git).limits(limits).run_watched(&every_code, &mut goes_on);
    // A deadline that came out of the budget is the budget's.
    let stopped = || question.stop.reason().unwrap_or_else(|| "it was stopped".to_owned());
    match output {
        Err(_) | Ok(None) if question.stop.is_due() => Err(stopped()),
        Err(error) => Err(error.to_string()),
        Ok(None) => Err(stopped()),
        Ok(Some(output)) => read(&output, question.now),
    }
}

/// What it said. Errors: it gave up, with its last words.
fn read(output: &Output, now: Timestamp) -> Result<ObjectCheck, String> {
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut lines = Vec::new();
    for line in said.split('\n').chain(complained.split(['\n', '\r'])).map(str::trim_end) {
        // 128 is the bit of bitmaps and the code of a git that gave up, which it also does at a damaged object.
        let gave_up = line.starts_with("fatal: ") || line.starts_with("usage: ");
        if gave_up && !TELLING.iter().any(|words| line.contains(words)) {
            return Err(format!("git fsck gave up: {line}"));
        }
        if !line.is_empty() && !NO_TROUBLE.iter().any(|start| line.starts_with(start)) {
            lines.push(line.to_owned());
        }
    }
    let n_lines = lines.len();
    lines.truncate(LINES_AT_MOST);
    Ok(ObjectCheck { code: output.code, lines, n_lines, checked_at: now })
}

/// The last percentage in what it said: `Checking objects:  34% (17/50)`.
fn percent(said: &[u8]) -> Option<usize> {
    let tail = String::from_utf8_lossy(&said[said.len().saturating_sub(200)..]).into_owned();
    let before = &tail[..tail.rfind('%')?];
    before.rsplit(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok().filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(code: i32, stdout: &str, stderr: &str) -> Output {
        Output { stdout: stdout.into(), stderr: stderr.into(), code }
    }

    #[test]
    fn a_setting_of_a_message_becomes_what_it_is_without_one() {
        let usual = |key: &str| usual(key.as_bytes());
        assert_eq!(usual("fsck.missingemail"), Some("error"));
        assert_eq!(usual("fsck.zeropaddedfilemode"), Some("warn"));
        assert_eq!((usual("fsck.skiplist"), usual("fetch.fsck.missingemail")), (None, None));
        assert!(WARNINGS.is_sorted());
    }

    #[test]
    fn progress_is_told_from_what_is_wrong() {
        let stderr = "Checking objects:  50% (1/2)\rChecking objects: 100% (2/2), done.\nerror: 12: object corrupt\n";
        assert_eq!(percent(&stderr.as_bytes()[..30]), Some(50));
        let seen = read(&output(3, "missing blob 34\n", stderr), Timestamp(9)).unwrap();
        assert_eq!(seen.lines, ["missing blob 34", "error: 12: object corrupt"]);
        assert_eq!((seen.code, seen.n_lines), (3, 2));
    }

    #[test]
    fn a_git_that_gave_up_is_no_answer_though_its_code_is_a_bit() {
        assert!(read(&output(128, "", "fatal: index file corrupt\n"), Timestamp(9)).is_err());
        assert_eq!(read(&output(128, "", "error: bitmap\n"), Timestamp(9)).unwrap().code, 128);
    }
}
