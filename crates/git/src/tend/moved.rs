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

/// Commits that the reflog of this ref names and no ref reaches.
pub fn only_in_reflog_of(git: &GitAt<'_>, name: &str) -> Result<Vec<String>, GitError> {
    let path = git.opened().common_dir.join("logs").join(name);
    let Ok(text) = std::fs::read(&path) else { return Ok(Vec::new()) };
    let ids: BTreeSet<String> = text
        .split(|&byte| byte == b'\n')
        .flat_map(|line| line.split(|&byte| byte == b' ').take(2))
        .filter_map(|word| String::from_utf8(word.to_vec()).ok())
        .filter(|word| {
            word.len() >= 40
                && word.bytes().all(|byte| byte.is_ascii_hexdigit())
                && word.bytes().any(|byte| byte != b'0')
        })
        .collect();
    let there = super::commits_there(git, &ids)?;
    if there.is_empty() {
        return Ok(Vec::new());
    }
    let asked: String = there.iter().map(|id| format!("{id}\n")).chain(["--not\n--all\n".to_owned()]).collect();
    let beyond = git.command("rev-list").option("--stdin").input(asked.into_bytes()).run()?.stdout;
    let beyond: BTreeSet<String> = String::from_utf8_lossy(&beyond).lines().map(str::to_owned).collect();
    Ok(there.into_iter().filter(|id| beyond.contains(id)).collect())
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
