//! Refs in reftables: git lists them.
//!
//! The format asks for nothing that needs an object to be read: one ref to a
//! missing object would end the whole list.
//!
//! Accepted gap: a symbolic ref to nowhere is passed over by git without a word, so it
//! is missing here, too.

use alignwatch_model::snapshot::{BrokenRef, Head};
use alignwatch_model::{Known, Oid, RefName};

use super::{Ref, Refs, RefsError, check_name};
use crate::run::{GitAt, GitError};

/// What git says of a ref that it passes over, and what that means. Source: ref-filter.c of Git.
const PASSED_OVER: [(&[u8], &str); 3] = [
    (b"warning: ignoring dangling symref ", "it names a ref that does not exist"),
    (b"warning: ignoring broken ref ", "git says it is broken"),
    (b"warning: ignoring ref with broken name ", "its name is not allowed"),
];

pub(super) fn read(git: &GitAt<'_>) -> Result<Refs, RefsError> {
    let list = git.command("for-each-ref").option("--format=%(refname) %(objectname) %(symref)").run()?;
    let mut refs = Refs { all: Vec::new(), broken: passed_over(&list.stderr), head: Known::Unknown(String::new()) };
    for line in list.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        take(&mut refs, line);
    }
    refs.all.sort_by(|a, b| a.name.cmp(&b.name));
    refs.broken.sort_by(|a, b| a.name.cmp(&b.name));
    refs.head = Known::from_result(head(git, &refs));
    Ok(refs)
}

fn take(refs: &mut Refs, line: &[u8]) {
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let name = RefName::new(words.next().unwrap_or_default());
    let oid = Oid::from_hex(words.next().unwrap_or_default());
    let symref = words.next().filter(|word| !word.is_empty()).map(RefName::new);
    match (oid, check_name(name.as_bytes())) {
        (Ok(oid), Ok(())) if !oid.is_null() => refs.all.push(Ref { name, oid, symref, peeled: None }),
        (Ok(_), Ok(())) => broken(refs, name, "it points to nothing (the id is all zeros)"),
        (Ok(_), Err(error)) => broken(refs, name, &error.to_string()),
        (Err(error), _) => broken(refs, name, &error.to_string()),
    }
}

fn broken(refs: &mut Refs, name: RefName, reason: &str) {
    refs.broken.push(BrokenRef { name, oid: None, reason: reason.to_owned() });
}

fn passed_over(stderr: &[u8]) -> Vec<BrokenRef> {
    let broken = |line: &[u8]| {
        let (name, reason) =
            PASSED_OVER.iter().find_map(|(words, means)| Some((line.strip_prefix(*words)?, *means)))?;
        Some(BrokenRef { name: RefName::new(name), oid: None, reason: reason.to_owned() })
    };
    stderr.split(|&byte| byte == b'\n').filter_map(broken).collect()
}

fn head(git: &GitAt<'_>, refs: &Refs) -> Result<Head, GitError> {
    let symbolic = git.command("symbolic-ref").option("-q").revision("HEAD").run_allowing(&[1])?;
    if symbolic.code == 0 {
        let name = RefName::new(symbolic.stdout.trim_ascii_end());
        return Ok(if refs.get(&name).is_some() { Head::Branch(name) } else { Head::Unborn(name) });
    }
    let detached = git.command("rev-parse").option("--verify").option("-q").option("HEAD").run()?;
    let not_said = || GitError::Ended { command: "rev-parse".into() };
    Oid::from_hex(detached.stdout.trim_ascii_end()).map(Head::Detached).map_err(|_| not_said())
}
