//! The id of a patch: the same for the same change, wherever and whenever it was made.
//!
//! It is Git's own, that of `git patch-id --stable` and `git cherry`: paths,
//! modes, and hunks with three lines of context, without line numbers and
//! without whitespace; binary files by their blob ids; no renames.
//!
//! One thing is stricter than in Git. A change of nothing but whitespace is
//! nearly nothing once whitespace is removed, and even its own reversal looks
//! the same. So where a patch has a hunk like that, whitespace counts in all of it.
//!
//! Known gap: attributes (`-diff`, text conversions) are not looked at, as Git
//! does not look at those of the tree in a bare repository.

use alignwatch_model::Oid;
use imara_diff::{Algorithm, Diff, Hunk, Interner, NoSliderHeuristic, Token};
use serde::{Deserialize, Serialize};

use super::{Doubt, changes::Change, texts::Texts};
use crate::{merge::is_binary, objects::Mode, tree_diff::Side};

/// Unchanged lines around a change that belong to it.
///
/// Source: the default of `git diff`, which `git cherry` and `git patch-id` use as well.
const CONTEXT_LINES: u32 = 3;

/// The id of a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PatchId {
    /// As Git has it.
    pub(super) stable: Oid,
    /// With whitespace, where a hunk changes nothing else.
    pub(super) exact: Option<Oid>,
}

impl PatchId {
    /// The id of these changes, whose blobs are read from `texts`.
    pub(super) fn of(changes: &[Change], texts: &mut Texts<'_>) -> Result<PatchId, Doubt> {
        let kind = hash_kind(changes);
        let (mut stable, mut exact) = (Sum::new(kind), Sum::new(kind));
        let mut is_only_space = false;
        for change in changes {
            let mut file = FilePatch::default();
            file.write(change, texts)?;
            is_only_space |= file.is_only_space;
            stable.add(&file.stripped)?;
            exact.add(&file.full)?;
        }
        Ok(PatchId { stable: stable.oid(), exact: is_only_space.then(|| exact.oid()) })
    }
}

fn hash_kind(changes: &[Change]) -> gix_hash::Kind {
    let oid = changes.iter().flat_map(|change| [change.old, change.new]).flatten().next();
    match oid {
        Some((_, oid)) if oid.as_bytes().len() == 32 => gix_hash::Kind::Sha256,
        _ => gix_hash::Kind::Sha1,
    }
}

/// The sum of the hashes of all files, so that their order does not matter.
struct Sum {
    kind: gix_hash::Kind,
    bytes: Vec<u8>,
}

impl Sum {
    fn new(kind: gix_hash::Kind) -> Sum {
        Sum { kind, bytes: vec![0; kind.len_in_bytes()] }
    }

    fn add(&mut self, text: &[u8]) -> Result<(), Doubt> {
        let mut hasher = gix_hash::hasher(self.kind);
        hasher.update(text);
        let hash = hasher.try_finalize().map_err(|error| Doubt::Hash(error.to_string()))?;
        let mut carry = 0;
        for (sum, byte) in self.bytes.iter_mut().zip(hash.as_slice()) {
            carry += u16::from(*sum) + u16::from(*byte);
            *sum = carry as u8;
            carry >>= 8;
        }
        Ok(())
    }

    fn oid(&self) -> Oid {
        Oid::from_bytes(&self.bytes).expect("it is as long as its hash")
    }
}

/// The patch of one file as it is hashed.
#[derive(Default)]
struct FilePatch {
    stripped: Vec<u8>,
    full: Vec<u8>,
    is_only_space: bool,
}

impl FilePatch {
    fn write(&mut self, change: &Change, texts: &mut Texts<'_>) -> Result<(), Doubt> {
        self.header(change);
        let (old, new) = (texts.content(change.old)?, texts.content(change.new)?);
        if is_binary(&old) || is_binary(&new) {
            let null = "0".repeat(2 * hash_kind(std::slice::from_ref(change)).len_in_bytes());
            let hex = |side: Side| side.map_or_else(|| null.clone(), |(_, oid)| oid.hex());
            self.push(hex(change.old).as_bytes());
            self.push(hex(change.new).as_bytes());
            return Ok(());
        }
        self.names(change);
        self.hunks(&old, &new);
        Ok(())
    }

    fn header(&mut self, change: &Change) {
        self.push(b"diff--git");
        self.name(b"a/", &change.path);
        self.name(b"b/", &change.path);
        let digits = |mode: Mode| format!("{:06o}", mode.0);
        match (change.old, change.new) {
            (None, Some((mode, _))) => self.push(format!("newfilemode{}", digits(mode)).as_bytes()),
            (Some((mode, _)), None) => self.push(format!("deletedfilemode{}", digits(mode)).as_bytes()),
            (Some((old, _)), Some((new, _))) if old != new => {
                self.push(format!("oldmode{}newmode{}", digits(old), digits(new)).as_bytes());
            }
            _ => {}
        }
    }

    fn names(&mut self, change: &Change) {
        match change.old {
            Some(_) => self.name(b"---a/", &change.path),
            None => self.push(b"---/dev/null"),
        }
        match change.new {
            Some(_) => self.name(b"+++b/", &change.path),
            None => self.push(b"+++/dev/null"),
        }
    }

    fn hunks(&mut self, old: &[u8], new: &[u8]) {
        let mut interner: Interner<&[u8]> = Interner::new((old.len() + new.len()) / 40 + 16);
        let [before, after] = [old, new].map(|text| lines(text, &mut interner));
        let mut diff = Diff::default();
        // The algorithm that Git uses here, whatever `diff.algorithm` says.
        diff.compute_with(Algorithm::Myers, &before, &after, interner.num_tokens());
        diff.postprocess_with(&before, &after, NoSliderHeuristic);
        let mut written = 0;
        let mut last_end = None;
        for hunk in diff.hunks() {
            let start = hunk.before.start;
            if let Some(end) = last_end {
                // Changes share a hunk when nothing but their contexts lies between them.
                if 2 * CONTEXT_LINES < start - end {
                    self.context(&before, written..end + CONTEXT_LINES, &interner);
                    written = start - CONTEXT_LINES;
                }
            } else {
                written = start.saturating_sub(CONTEXT_LINES);
            }
            self.context(&before, written..start, &interner);
            self.hunk(&hunk, &before, &after, &interner);
            written = hunk.before.end;
            last_end = Some(written);
        }
        if let Some(end) = last_end {
            self.context(&before, end..(end + CONTEXT_LINES).min(before.len() as u32), &interner);
        }
    }

    fn context(&mut self, before: &[Token], range: std::ops::Range<u32>, interner: &Interner<&[u8]>) {
        for &token in &before[range.start as usize..range.end as usize] {
            self.line(b' ', interner[token]);
        }
    }

    fn hunk(&mut self, hunk: &Hunk, before: &[Token], after: &[Token], interner: &Interner<&[u8]>) {
        let removed = &before[hunk.before.start as usize..hunk.before.end as usize];
        let added = &after[hunk.after.start as usize..hunk.after.end as usize];
        let stripped = |tokens: &[Token]| -> Vec<u8> {
            tokens.iter().flat_map(|&token| interner[token].iter().copied()).filter(|&byte| !is_space(byte)).collect()
        };
        self.is_only_space |= stripped(removed) == stripped(added);
        removed.iter().for_each(|&token| self.line(b'-', interner[token]));
        added.iter().for_each(|&token| self.line(b'+', interner[token]));
    }

    fn line(&mut self, sign: u8, line: &[u8]) {
        self.full.push(sign);
        self.full.extend(line);
        if sign != b' ' {
            self.stripped.push(sign);
        }
        self.stripped.extend(line.iter().copied().filter(|&byte| !is_space(byte)));
    }

    /// A path; Git takes whitespace out of it as well.
    fn name(&mut self, prefix: &[u8], path: &[u8]) {
        self.push(prefix);
        self.full.extend(path);
        self.stripped.extend(path.iter().copied().filter(|&byte| !is_space(byte)));
    }

    fn push(&mut self, bytes: &[u8]) {
        self.full.extend(bytes);
        self.stripped.extend(bytes);
    }
}

fn lines<'a>(text: &'a [u8], interner: &mut Interner<&'a [u8]>) -> Vec<Token> {
    text.split_inclusive(|&byte| byte == b'\n').map(|line| interner.intern(line)).collect()
}

/// What Git takes for whitespace.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
