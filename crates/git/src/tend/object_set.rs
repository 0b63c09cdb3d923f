//! All objects that somebody can still reach, counted independently of what tasks write.
//!
//! Neither the commit-graph nor an index over several packs is read for it: a task that wrote one of them wrongly
//! must not be its own witness.

use std::{collections::BTreeSet, time::Duration};

use super::half_done_ids;
use crate::run::{Call, GitAt, GitError, Limits};

/// What one count may take. Source: ours; ten times the largest public repository on two cores.
const TIME_AT_MOST: Duration = Duration::from_secs(3_600);

/// Objects that are kept in memory. Source: ours; 2 GB of ids, fifty times a very large repository.
const OBJECTS_AT_MOST: usize = 100_000_000;

/// The ids of all objects that refs, reflogs, HEADs, indexes, stashes and half-done work of all worktrees reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectSet {
    /// Sorted, each once.
    ids: Vec<Id>,
    /// Bytes of an id that count.
    width: usize,
}

/// 20 or 32 bytes; shorter ones are filled with zeros.
type Id = [u8; 32];

/// Why the objects could not be counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Git could not walk all of it: something is missing or damaged.
    #[error("cannot count the objects that are in use: {0}")]
    Git(#[from] GitError),
    /// It said something else than ids.
    #[error("cannot count the objects that are in use: git named `{0}`, which is no id")]
    NoId(String),
    /// The state of half-done work can't be read.
    #[error("cannot count the objects that are in use: the state of a worktree can't be read: {0}")]
    State(String),
    /// There are too many.
    #[error("cannot count the objects that are in use: there are more than {OBJECTS_AT_MOST}")]
    TooMany,
}

impl ObjectSet {
    /// Counts them now. Errors: one that is reachable is missing or damaged, or Git is.
    ///
    /// What half-done work names ([`half_done_ids`]) counts as far as it is whole: an `ORIG_HEAD` of last year may well
    /// name what is gone.
    pub fn read(git: &GitAt<'_>) -> Result<ObjectSet, SetError> {
        let call = independent(git.command("rev-list"))
            .option("--objects")
            .option("--no-object-names")
            .option("--all")
            .option("--reflog")
            .option("--indexed-objects")
            // In a repository without any, git takes a list of nothing for wrong usage otherwise.
            .option("--stdin");
        let mut set = listed(git, call)?;
        set.join(half_done(git)?);
        Ok(set)
    }

    /// Takes in what another set has.
    fn join(&mut self, other: ObjectSet) {
        self.ids.extend(other.ids);
        self.ids.sort_unstable();
        self.ids.dedup();
    }

    /// Counts what these ids reach. Errors: one of it is missing or damaged, or Git is.
    pub fn of(git: &GitAt<'_>, tips: &BTreeSet<String>) -> Result<ObjectSet, SetError> {
        if tips.is_empty() {
            return Ok(ObjectSet { ids: Vec::new(), width: width_of(git) });
        }
        let input: String = tips.iter().map(|id| format!("{id}\n")).collect();
        let call = independent(git.command("rev-list")).option("--objects").option("--no-object-names");
        listed(git, call.option("--stdin").input(input.into_bytes()))
    }

    /// The ids, sorted, each as bytes.
    pub fn ids(&self) -> impl Iterator<Item = &[u8]> {
        self.ids.iter().map(|id| &id[..self.width])
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Objects of this set that the repository has no more, whatever is reachable now; at most 100 are named.
    ///
    /// Shape: full ids. A ref that somebody deleted meanwhile takes nothing away: its objects are still there.
    pub fn lost(&self, git: &GitAt<'_>) -> Result<Vec<String>, SetError> {
        const NAMED_AT_MOST: usize = 100;
        let mut input = String::with_capacity(self.ids.len() * (2 * self.width + 1));
        for id in self.ids() {
            id.iter().for_each(|byte| input.push_str(&format!("{byte:02x}")));
            input.push('\n');
        }
        let call = independent(git.command("cat-file")).option("--batch-check=%(objectname)").option("--buffer");
        let (mut lost, mut rest) = (Vec::new(), Vec::new());
        let mut hear = |piece: &[u8]| {
            rest.extend_from_slice(piece);
            let end = rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let missing = rest[..end].split(|&byte| byte == b'\n').filter_map(|line| line.strip_suffix(b" missing"));
            for line in missing {
                if lost.len() < NAMED_AT_MOST {
                    lost.push(String::from_utf8_lossy(line).into_owned());
                }
            }
            rest.drain(..end);
        };
        call.input(input.into_bytes()).limits(limits()).run_streamed(&mut hear)?;
        Ok(lost)
    }
}

/// Ids that only half-done work names, as far as all that they reach is there. Shape: full ids, sorted.
pub fn half_done_tips(git: &GitAt<'_>) -> Result<Vec<String>, SetError> {
    let (whole, set) = whole_half_done(git)?;
    let is_beyond = |id: &String| parsed(id.as_bytes()).is_some_and(|id| set.ids.binary_search(&id).is_ok());
    Ok(whole.into_iter().filter(is_beyond).collect())
}

/// What only files of half-done work reach.
fn half_done(git: &GitAt<'_>) -> Result<ObjectSet, SetError> {
    whole_half_done(git).map(|(_, set)| set)
}

/// Ids that half-done work names and that are whole, and what neither a ref nor a reflog reaches of that.
fn whole_half_done(git: &GitAt<'_>) -> Result<(Vec<String>, ObjectSet), SetError> {
    let ids = half_done_ids(git.opened()).map_err(|error| SetError::State(error.to_string()))?;
    let there = objects_there(git, &ids)?;
    let beyond = |ids: &[String]| {
        let input: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let call = independent(git.command("rev-list")).option("--objects").option("--no-object-names");
        // In this order, so that `--not` is about what stands behind it, whatever git reads first.
        let call = call.option("--stdin").option("--not").option("--all").option("--reflog");
        listed(git, call.input(input.into_bytes()))
    };
    if there.is_empty() {
        return Ok((there, ObjectSet::default()));
    }
    // Only damage says that something is not whole: a git that was stopped says nothing.
    let is_damage = |error: &SetError| matches!(error, SetError::Git(GitError::Failed { code: 128, .. }));
    match beyond(&there) {
        Ok(set) => return Ok((there, set)),
        Err(error) if !is_damage(&error) => return Err(error),
        Err(_) => {}
    }
    // One of them is not whole any more. It takes none of the others with it.
    let (mut whole, mut all) = (Vec::new(), ObjectSet::default());
    for id in there {
        match beyond(std::slice::from_ref(&id)) {
            Ok(set) => {
                all.join(set);
                whole.push(id);
            }
            Err(error) if !is_damage(&error) => return Err(error),
            Err(_) => {}
        }
    }
    Ok((whole, all))
}

/// Which of these are objects that are there, of any kind. Shape: sorted.
pub fn objects_there(git: &GitAt<'_>, ids: &BTreeSet<String>) -> Result<Vec<String>, GitError> {
    there(git, ids, |_| true)
}

/// Which of these are commits that are there. Shape: sorted.
pub fn commits_there(git: &GitAt<'_>, ids: &BTreeSet<String>) -> Result<Vec<String>, GitError> {
    there(git, ids, |kind| kind == "commit")
}

fn there(git: &GitAt<'_>, ids: &BTreeSet<String>, counts: fn(&str) -> bool) -> Result<Vec<String>, GitError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let input: String = ids.iter().map(|id| format!("{id}\n")).collect();
    let call = git.command("cat-file").option("--batch-check=%(objectname) %(objecttype)").option("--buffer");
    let told = call.input(input.into_bytes()).limits(limits()).run()?.stdout;
    let told = String::from_utf8_lossy(&told).into_owned();
    let pairs = told.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.filter(|(_, kind)| *kind != "missing" && counts(kind)).map(|(id, _)| id.to_owned()).collect())
}

fn listed(git: &GitAt<'_>, call: Call<'_>) -> Result<ObjectSet, SetError> {
    let mut lines = Lines::default();
    call.limits(limits()).run_streamed(&mut |piece| lines.hear(piece))?;
    lines.end(width_of(git))
}

fn width_of(git: &GitAt<'_>) -> usize {
    if git.opened().object_format == "sha256" { 32 } else { 20 }
}

fn limits() -> Limits {
    Limits { time: TIME_AT_MOST, cpu_seconds: TIME_AT_MOST.as_secs(), ..Limits::default() }
}

/// Without what tasks write, and without what stands for other objects.
fn independent(call: Call<'_>) -> Call<'_> {
    call.pin("core.commitGraph", "false").pin("core.multiPackIndex", "false").pin("pack.useBitmaps", "false")
}

/// Ids from lines that come in pieces.
#[derive(Default)]
struct Lines {
    ids: Vec<Id>,
    rest: Vec<u8>,
    odd: Option<SetError>,
}

impl Lines {
    fn hear(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
        let end = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        for line in whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match parsed(line) {
                _ if OBJECTS_AT_MOST <= self.ids.len() => self.odd = Some(SetError::TooMany),
                Some(id) => self.ids.push(id),
                None => self.odd = Some(SetError::NoId(String::from_utf8_lossy(line).chars().take(80).collect())),
            }
        }
    }

    fn end(mut self, width: usize) -> Result<ObjectSet, SetError> {
        self.hear(b"\n");
        if let Some(odd) = self.odd {
            return Err(odd);
        }
        self.ids.sort_unstable();
        self.ids.dedup();
        Ok(ObjectSet { ids: self.ids, width })
    }
}

fn parsed(hex: &[u8]) -> Option<Id> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if hex.len() != 40 && hex.len() != 64 {
        return None;
    }
    let mut id = [0; 32];
    for (at, pair) in hex.chunks(2).enumerate() {
        id[at] = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_pieces_that_end_anywhere() {
        let text = format!("{}\n{}\n{}\n", "ab".repeat(20), "01".repeat(20), "ab".repeat(20));
        for cut in 0..text.len() {
            let mut lines = Lines::default();
            lines.hear(&text.as_bytes()[..cut]);
            lines.hear(&text.as_bytes()[cut..]);
            let set = lines.end(20).unwrap();
            assert_eq!((set.len(), set.ids[0][0], set.ids[1][19], set.ids[1][20]), (2, 1, 0xab, 0), "{cut}");
        }
    }

    #[test]
    fn what_is_no_id_is_no_answer() {
        let mut lines = Lines::default();
        lines.hear(b"?abc\n");
        assert_eq!(lines.end(20), Err(SetError::NoId("?abc".to_owned())));
    }
}
