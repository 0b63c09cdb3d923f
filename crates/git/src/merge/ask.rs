//! Puts merges to `git merge-tree`, many in one process, under supervision.
//!
//! One pair that Git can't merge ends its process and would take all later
//! pairs with it. So the pair that was being answered is marked, and a new
//! process goes on behind it. A clean verdict and a conflict are read from the
//! record itself, never from the exit code.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::{Duration, Instant},
};

use alignwatch_model::{Merge, Oid, RefName, Verdict, branch::Conflict};

use super::{
    pair::Triple,
    quarantine::{Quarantine, file_name},
    text::TextMerge,
};
use crate::{
    objects::Mode,
    run::{Conversation, GitAt, GitError, Limits},
    tree_diff::Side,
};

/// The longest that one merge may take. Source: ten times the slowest of 1,500 merges in two public repositories.
const ONE_MERGE_AT_MOST: Duration = Duration::from_secs(60);

/// Git's words for "I don't know this option".
const UNKNOWN_OPTION: i32 = 129;

/// Settings that change how merges come out, at Git's defaults: the same verdict on every machine.
pub(crate) const PINNED: [(&str, &str); 8] = [
    ("merge.renames", "true"),
    ("merge.renameLimit", "7000"),
    ("merge.directoryRenames", "conflict"),
    ("merge.renormalize", "false"),
    ("merge.conflictStyle", "merge"),
    ("merge.default", "text"),
    ("diff.algorithm", "histogram"),
    ("core.autocrlf", "false"),
];

/// Puts pairs of (line, tip) to Git, until the time is over. `answered` gets the index of a pair and its answer;
/// a pair that Git can't merge is answered with Git's reason.
pub(super) fn pairs(
    git: &GitAt<'_>,
    pairs: &[(Oid, Oid)],
    until: Instant,
    answered: &mut dyn FnMut(usize, Result<Merge, GitError>),
) {
    let mut by_line: BTreeMap<Oid, Vec<usize>> = BTreeMap::new();
    for (number, (line, _)) in pairs.iter().enumerate() {
        by_line.entry(*line).or_default().push(number);
    }
    for (line, numbers) in by_line {
        let Ok(quarantine) = Quarantine::new(&line) else { return };
        let asked: Vec<(Oid, Oid)> = numbers.iter().map(|&number| pairs[number]).collect();
        ask_all(git, &quarantine, Some(line), &asked, until, &mut |at, record| {
            answered(numbers[at], record.map(Record::into_merge));
        });
    }
}

/// What Git's merge base has at each path where it finds a conflict between two commits: a version, or nothing.
///
/// `found` gets the index of a pair and what was found; a pair that Git does not answer is left out.
pub(super) fn merge_bases_of(
    git: &GitAt<'_>,
    quarantine: &Quarantine,
    attributes: Oid,
    pairs: &[(Oid, Oid)],
    until: Instant,
    found: &mut dyn FnMut(usize, BTreeMap<Vec<u8>, Side>),
) {
    ask_all(git, quarantine, Some(attributes), pairs, until, &mut |number, record| {
        let Ok(record) = record else { return };
        let mut bases = BTreeMap::new();
        for Staged { path, mode, oid, stage } in record.staged {
            let base = bases.entry(path).or_insert(None);
            if stage == 1 {
                *base = Some((mode, oid));
            }
        }
        found(number, bases);
    });
}

/// Lets Git merge files by content. Files that it does not answer are left out.
///
/// All of them are put into one merge of made-up trees. Errors: the folder for those can't be written.
pub(super) fn texts(git: &GitAt<'_>, triples: &[Triple], patience: Duration) -> io::Result<Vec<(Triple, TextMerge)>> {
    let Some(first) = triples.first() else { return Ok(Vec::new()) };
    let quarantine = Quarantine::new(&first.0)?;
    let tree = |side: fn(&Triple) -> Oid| quarantine.tree_of_files(triples.iter().map(side));
    let base = quarantine.commit(&tree(|triple| triple.0)?, &[])?;
    let ours = quarantine.commit(&tree(|triple| triple.1)?, &[base])?;
    let theirs = quarantine.commit(&tree(|triple| triple.2)?, &[base])?;
    let mut merged = None;
    ask_all(git, &quarantine, None, &[(ours, theirs)], Instant::now() + patience, &mut |_, record| {
        merged = record.ok().map(Record::into_merge);
    });
    let Some(Merge { verdict: Verdict::Clean | Verdict::Conflict, conflicts: Some(conflicts), .. }) = merged else {
        return Ok(Vec::new());
    };
    let conflicts: BTreeSet<String> = conflicts.into_iter().map(|conflict| conflict.path).collect();
    let verdict = |number| if conflicts.contains(&file_name(number)) { TextMerge::Conflict } else { TextMerge::Clean };
    Ok(triples.iter().enumerate().map(|(number, triple)| (*triple, verdict(number))).collect())
}

fn ask_all(
    git: &GitAt<'_>,
    quarantine: &Quarantine,
    attributes: Option<Oid>,
    pairs: &[(Oid, Oid)],
    until: Instant,
    answered: &mut dyn FnMut(usize, Result<Record, GitError>),
) {
    if !git.git().version().merge_tree_write() {
        return;
    }
    let mut next = 0;
    while next < pairs.len() && Instant::now() < until {
        let error = match begin(git, quarantine, attributes, &pairs[next..], until) {
            Ok(mut conversation) => loop {
                match record(&mut conversation) {
                    Ok(Some(record)) => {
                        answered(next, Ok(record));
                        next += 1;
                        // Each answer has a time of its own; all of them together have ours.
                        if until <= Instant::now() {
                            return;
                        }
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            },
            Err(error) => Some(error),
        };
        match error {
            Some(GitError::Failed { code: UNKNOWN_OPTION, .. }) => return,
            // Our own time is over, not Git's patience with this pair: it stays unanswered.
            Some(GitError::TimedOut { .. }) if until <= Instant::now() => return,
            Some(error) if next < pairs.len() => {
                answered(next, Err(error));
                next += 1;
            }
            _ => return,
        }
    }
}

fn begin(
    git: &GitAt<'_>,
    quarantine: &Quarantine,
    attributes: Option<Oid>,
    pairs: &[(Oid, Oid)],
    until: Instant,
) -> Result<Conversation, GitError> {
    let time = until.saturating_duration_since(Instant::now()).min(ONE_MERGE_AT_MOST);
    let limits = Limits { time, cpu_seconds: 3_600, ..Limits::default() };
    let call = git.command("merge-tree").option("--write-tree").option("-z").option("--stdin").option("--messages");
    let call = call.object_directory(quarantine.folder()).limits(limits);
    let call = PINNED.into_iter().fold(call, |call, (key, value)| call.pin(key, value));
    let call = if let Some(line) = attributes { call.attribute_source(line) } else { call };
    let mut conversation = call.converse()?;
    let lines: String = pairs.iter().map(|(line, tip)| format!("{line} {tip}\n")).collect();
    // Git may end at a pair before it has read them all: what it answered until then is read all the same.
    let _ = conversation.send(lines.as_bytes());
    conversation.close_input();
    Ok(conversation)
}

/// What a record says of a path: which version stands there, under which number.
///
/// Stage 1 is the merge base, 2 our side, 3 theirs.
struct Staged {
    path: Vec<u8>,
    mode: Mode,
    oid: Oid,
    stage: u8,
}

/// One answer of Git.
struct Record {
    is_clean: bool,
    staged: Vec<Staged>,
    messages: Vec<Message>,
}

impl Record {
    fn into_merge(self) -> Merge {
        if self.is_clean {
            return Merge::clean();
        }
        let paths = self.staged.into_iter().map(|staged| (staged.path, BTreeSet::new())).collect();
        Merge::conflict(Some(conflicts(paths, self.messages)))
    }
}

/// Reads one answer: verdict, tree, paths by stage, messages; `None` when there is no further one.
fn record(conversation: &mut Conversation) -> Result<Option<Record>, GitError> {
    let Some(status) = conversation.read_until(0)? else { return Ok(None) };
    let _tree = field(conversation)?;
    let mut lines = Vec::new();
    loop {
        let line = field(conversation)?;
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let messages = messages(conversation)?;
    let staged = lines.iter().filter_map(|line| staged(line)).collect();
    Ok(Some(Record { is_clean: status == b"1", staged, messages }))
}

/// Reads `<mode> <id> <stage>\t<path>`.
fn staged(line: &[u8]) -> Option<Staged> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    let mut words = std::str::from_utf8(&line[..tab]).ok()?.split(' ');
    let mode = Mode(u32::from_str_radix(words.next()?, 8).ok()?);
    let oid = Oid::from_hex(words.next()?.as_bytes()).ok()?;
    Some(Staged { path: line[tab + 1..].to_vec(), mode, oid, stage: words.next()?.parse().ok()? })
}

/// One message: the paths it is about, and its kind.
type Message = (Vec<Vec<u8>>, String);

fn messages(conversation: &mut Conversation) -> Result<Vec<Message>, GitError> {
    let mut messages = Vec::new();
    loop {
        let count = field(conversation)?;
        if count.is_empty() {
            return Ok(messages);
        }
        let count: usize = String::from_utf8_lossy(&count).parse().unwrap_or(0);
        let paths = (0..count).map(|_| field(conversation)).collect::<Result<Vec<_>, _>>()?;
        let kind = String::from_utf8_lossy(&field(conversation)?).into_owned();
        let _text = field(conversation)?;
        messages.push((paths, kind));
    }
}

fn field(conversation: &mut Conversation) -> Result<Vec<u8>, GitError> {
    conversation.read_until(0)?.ok_or(GitError::Ended { command: "merge-tree".into() })
}

/// The conflicting paths with the kinds that Git names for each.
fn conflicts(mut paths: BTreeMap<Vec<u8>, BTreeSet<String>>, messages: Vec<Message>) -> Vec<Conflict> {
    let has_stages = !paths.is_empty();
    for (about, kind) in messages {
        // `CONFLICT (contents)`; others, such as `Auto-merging`, are no conflicts.
        let Some(kind) = kind.strip_prefix("CONFLICT") else { continue };
        let kind = kind.trim_matches([' ', '(', ')']).to_owned();
        for path in about {
            match paths.get_mut(&path) {
                Some(kinds) => drop(kinds.insert(kind.clone())),
                // A merge can fail without a path that is left in several versions.
                None if !has_stages => drop(paths.insert(path, BTreeSet::from([kind.clone()]))),
                None => {}
            }
        }
    }
    let conflict = |(path, kinds): (Vec<u8>, BTreeSet<String>)| Conflict {
        path: RefName::new(path).text().into_owned(),
        kinds: kinds.into_iter().collect(),
    };
    let mut conflicts: Vec<Conflict> = paths.into_iter().map(conflict).collect();
    conflicts.sort();
    conflicts
}
