//! Bundles: some objects in one file, with the names of those they were asked for.
//!
//! The file is what `git bundle` writes and reads, so that it can be used without us. It is written here because
//! `git bundle create` names only what refs name: older stashes, HEADs of other worktrees and what only a
//! reflog knows would be left out of it.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::Path,
    time::Duration,
};

use crate::run::{GitAt, GitError, Limits};

/// What writing or reading the objects may take. Source: ours; ten times a repository of 10 GiB on a cold disk.
const TIME_AT_MOST: Duration = Duration::from_secs(4 * 3_600);

/// Bytes of the names in front of the objects. Source: ours; a million refs.
const HEADER_AT_MOST: u64 = 256 << 20;

/// What stands in front of the objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Ids and names that it was asked for.
    pub tips: Vec<(String, Vec<u8>)>,
    /// Ids of commits that whoever reads it must have.
    pub needs: Vec<String>,
    /// Where the objects begin.
    pub objects_at: u64,
}

/// Why a bundle can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Git could not do it.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The system refuses.
    #[error("cannot write or read a bundle: {0}")]
    Io(#[from] io::Error),
    /// It is no bundle, or a part of it is damaged.
    #[error("it is no bundle: {0}")]
    NoBundle(&'static str),
}

/// Writes a bundle of all that these tips reach and `without` does not.
///
/// `without` are commits; whoever reads the bundle must have them.
pub fn write(
    git: &GitAt<'_>,
    tips: &[(String, Vec<u8>)],
    without: &[String],
    to: &mut dyn Write,
) -> Result<(), BundleError> {
    let mut header = match git.opened().object_format.as_str() {
        "sha256" => b"# v3 git bundle\n@object-format=sha256\n".to_vec(),
        _ => b"# v2 git bundle\n".to_vec(),
    };
    without.iter().for_each(|id| header.extend(format!("-{id}\n").bytes()));
    for (id, name) in tips {
        header.extend(id.bytes());
        header.push(b' ');
        header.extend(name);
        header.push(b'\n');
    }
    header.push(b'\n');
    to.write_all(&header)?;
    let mut asked: String = tips.iter().map(|(id, _)| format!("{id}\n")).collect();
    asked.extend(without.iter().map(|id| format!("^{id}\n")));
    let call = git.command("pack-objects").option("--revs").option("--stdout").option("--delta-base-offset");
    let call = call.option("-q").pin("pack.useBitmaps", "false").input(asked.into_bytes()).limits(limits());
    let mut failed = None;
    call.run_streamed(&mut |piece| {
        if failed.is_none() {
            failed = to.write_all(piece).err();
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Reads what stands in front of the objects.
pub fn header(path: &Path) -> Result<Header, BundleError> {
    let mut file = BufReader::new(io::Read::take(File::open(path)?, HEADER_AT_MOST));
    let mut header = Header::default();
    let mut line = Vec::new();
    for nth in 0.. {
        line.clear();
        header.objects_at += file.read_until(b'\n', &mut line)? as u64;
        let Some(line) = line.strip_suffix(b"\n") else { return Err(BundleError::NoBundle("it ends in its names")) };
        match line {
            b"# v2 git bundle" | b"# v3 git bundle" if nth == 0 => {}
            _ if nth == 0 => return Err(BundleError::NoBundle("its first line is another")),
            b"" => return Ok(header),
            [b'@', ..] => {}
            [b'-', id @ ..] => header.needs.push(id_of(id)?),
            _ => {
                let at =
                    line.iter().position(|&byte| byte == b' ').ok_or(BundleError::NoBundle("a tip has no name"))?;
                header.tips.push((id_of(&line[..at])?, line[at + 1..].to_vec()));
            }
        }
    }
    Err(BundleError::NoBundle("it has no end"))
}

fn id_of(bytes: &[u8]) -> Result<String, BundleError> {
    // Behind the id of a needed commit other gits write its subject.
    let word = bytes.split(|&byte| byte == b' ').next().unwrap_or_default();
    let is_id = (word.len() == 40 || word.len() == 64) && word.iter().all(u8::is_ascii_hexdigit);
    let text = String::from_utf8(word.to_vec()).ok().filter(|_| is_id);
    text.ok_or(BundleError::NoBundle("an id is none"))
}

/// Puts the objects of a bundle into a repository, each looked into and summed up on the way.
///
/// What it needs must be there already. Refs stay as they are.
pub fn unpack(git: &GitAt<'_>, path: &Path) -> Result<(), BundleError> {
    let header = header(path)?;
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(header.objects_at))?;
    let call = git.command("index-pack").option("--stdin").option("--fix-thin").input_file(file);
    call.limits(limits()).run()?;
    Ok(())
}

fn limits() -> Limits {
    Limits {
        time: TIME_AT_MOST,
        cpu_seconds: TIME_AT_MOST.as_secs(),
        file_bytes: u64::MAX >> 1,
        niceness: 10,
        ..Limits::default()
    }
}
