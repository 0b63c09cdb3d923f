//! What reflogs tell of single refs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use alignwatch_model::{Known, RefName, Timestamp};

use crate::{
    files,
    repository::Opened,
    run::{GitAt, GitError},
};

/// Bytes at the end of a reflog in which its last line is looked for. A name and a message fit many times.
const TAIL: u64 = 16 << 10;

/// When each of these refs was made or moved the last time. One without a reflog is left out.
pub fn moved_at<'a>(opened: &Opened, names: impl Iterator<Item = &'a RefName>) -> BTreeMap<RefName, Known<Timestamp>> {
    let at = |name: &RefName| {
        let path = opened.common_dir.join("logs").join(Path::new(std::ffi::OsStr::from_bytes(name.as_bytes())));
        match last_line(&path) {
            Ok(line) => {
                let at = line.as_deref().and_then(entry_at);
                Some(at.map_or_else(|| Known::Unknown("its reflog has no last line".to_owned()), Known::Seen))
            }
            Err(error) if files::is_absent(&error) => None,
            Err(error) => Some(Known::Unknown(format!("its reflog can't be read: {error}"))),
        }
    };
    names.filter_map(|name| Some((name.clone(), at(name)?))).collect()
}

fn last_line(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok(tail.split(|&byte| byte == b'\n').rfind(|line| !line.is_empty()).map(<[u8]>::to_vec))
}

/// When an entry of a reflog was written: the seconds behind the address, `… A <a@b> 1700000000 +0100<TAB>message`.
pub fn entry_at(line: &[u8]) -> Option<Timestamp> {
    let head = line.split(|&byte| byte == b'\t').next()?;
    let end = head.iter().rposition(|&byte| byte == b'>')?;
    let rest = std::str::from_utf8(head.get(end + 1..)?).ok()?;
    rest.split_ascii_whitespace().next()?.parse().ok().map(Timestamp)
}

/// Bytes of a reflog that is read. Source: ours; a million entries.
const REFLOG_AT_MOST: u64 = 256 << 20;

/// Commits that the reflog of this ref names and no ref reaches. Where there is no reflog, it names none.
///
/// Errors: the reflog is there and can't be read, or Git can't tell; as a sentence part.
pub fn only_in_reflog_of(git: &GitAt<'_>, name: &str) -> Result<Vec<String>, String> {
    let path = git.opened().common_dir.join("logs").join(name);
    let text =
        files::read(&path, REFLOG_AT_MOST).map_err(|error| format!("cannot read the reflog of `{name}`: {error}"))?;
    let Some(text) = text else { return Ok(Vec::new()) };
    let told = |error: GitError| error.to_string();
    let named = super::commits_there(git, &text.split(|&byte| byte == b'\n').flat_map(ids_of).collect());
    let named = named.map_err(told)?;
    let beyond = lines(&beyond_refs(git, &named, &[]).map_err(told)?);
    Ok(named.into_iter().filter(|id| beyond.contains(id)).collect())
}

/// Commits that only entries of these reflogs know which are older than `before`, by their ends: all others are reached
/// from these. `logs` are paths below the Git directory; all entries of those that stay whole count as young.
///
/// Errors: a reflog can't be read, or Git can't tell; as a sentence part.
pub fn only_in_old_entries(
    git: &GitAt<'_>,
    logs: &[String],
    before: Timestamp,
    stays: impl Fn(&str) -> bool,
) -> Result<Vec<String>, String> {
    let (mut old, mut young) = (BTreeSet::new(), BTreeSet::new());
    for log in logs {
        let text = std::fs::read(git.opened().common_dir.join(log))
            .map_err(|error| format!("cannot read `{log}`: {error}"))?;
        for line in text.split(|&byte| byte == b'\n') {
            // An entry whose time can't be read goes for an old one.
            let is_old = !stays(log) && entry_at(line).is_none_or(|at| at < before);
            if is_old { &mut old } else { &mut young }.extend(ids_of(line));
        }
    }
    let there = |ids: &BTreeSet<String>| super::commits_there(git, ids).map_err(|error| error.to_string());
    let beyond = beyond_refs(git, &there(&old)?, &there(&young)?).map_err(|error| error.to_string())?;
    Ok(ends(&beyond))
}

/// The two ids of an entry, as far as they are ids of something.
fn ids_of(line: &[u8]) -> impl Iterator<Item = String> + '_ {
    let words = line.split(|&byte| byte == b' ').take(2).filter_map(|word| String::from_utf8(word.to_vec()).ok());
    words.filter(|word| {
        word.len() >= 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) && word.bytes().any(|byte| byte != b'0')
    })
}

/// What these commits reach and neither a ref nor `without` does, as `git rev-list --parents` lists it.
fn beyond_refs(git: &GitAt<'_>, ids: &[String], without: &[String]) -> Result<Vec<u8>, GitError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let input: String =
        ids.iter().map(|id| format!("{id}\n")).chain(without.iter().map(|id| format!("^{id}\n"))).collect();
    // In this order: git before 2.42 takes no options from its input, and `--not` is about what stands behind it.
    let call = git.command("rev-list").option("--parents").option("--stdin").option("--not").option("--all");
    Ok(call.input(input.into_bytes()).run()?.stdout)
}

/// The first id of each line.
fn lines(listed: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(listed);
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Of commits that are listed with their parents, those that are nobody's parent. Shape: sorted.
pub(super) fn ends(listed: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(listed);
    let parents: BTreeSet<&str> = text.lines().flat_map(|line| line.split(' ').skip(1)).collect();
    lines(listed).into_iter().filter(|id| !parents.contains(id.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_stands_behind_the_last_address() {
        let line = b"0 1 A > B <a@b> 1700000000 +0100\tmoved > on 5";
        assert_eq!(entry_at(line), Some(Timestamp(1_700_000_000)));
        assert_eq!(entry_at(b"nonsense"), None);
    }
}
