//! Which commits are gone, and whether they are there again in another form.

use std::collections::{BTreeMap, BTreeSet};

use alignwatch_model::Oid;

use super::Doubt;
use crate::{objects::Objects, run::GitAt, tree_diff};

/// Commits that one question looks at. Source: ours; a branch with more is no branch to rebase.
const COMMITS_AT_MOST: usize = 5_000;

pub(super) struct Commits<'a> {
    pub(super) git: &'a GitAt<'a>,
    pub(super) objects: &'a Objects,
}

/// A merge of two lines.
pub(super) struct Merge {
    pub(super) oid: Oid,
    pub(super) parents: [Oid; 2],
}

/// Old commits that are there again, and the new ones that they became.
#[derive(Default)]
pub(super) struct Matched {
    pub(super) old: BTreeSet<Oid>,
    pub(super) new: BTreeSet<Oid>,
}

impl Commits<'_> {
    /// Is `inner` reachable from `outer`?
    pub(super) fn contains(&self, outer: Oid, inner: Oid) -> Result<bool, Doubt> {
        let call = self.git.command("merge-base").option("--is-ancestor").revision(inner.hex()).revision(outer.hex());
        Ok(call.run_allowing(&[1])?.code == 0)
    }

    /// One best common ancestor; `None` when there is none.
    pub(super) fn merge_base(&self, one: Oid, other: Oid) -> Result<Option<Oid>, Doubt> {
        let output = self.git.command("merge-base").revision(one.hex()).revision(other.hex()).run_allowing(&[1])?;
        Ok(ids(&output.stdout).into_iter().next())
    }

    /// Commits reachable from these and not from those, the newest first.
    pub(super) fn list(&self, from: &[Oid], not: &[Oid], options: &[&'static str]) -> Result<Vec<Oid>, Doubt> {
        let call = self.git.command("rev-list").option("--topo-order");
        let call = call.option_with("--max-count=", COMMITS_AT_MOST.to_string());
        let call = options.iter().fold(call, |call, option| call.option(option));
        let call = from.iter().fold(call, |call, oid| call.revision(oid.hex()));
        let call = not.iter().fold(call, |call, oid| call.revision(format!("^{oid}")));
        Ok(ids(&call.run()?.stdout))
    }

    /// A ref from which this commit can be reached.
    pub(super) fn held_by(&self, oid: Oid) -> Result<Option<String>, Doubt> {
        let call = self.git.command("for-each-ref").option_with("--contains=", oid.hex()).option("--count=1");
        let output = call.option("--format=%(refname)").run()?;
        let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Some(name).filter(|name| !name.is_empty()))
    }

    /// Those of the commits that merge two lines, and those that merge more.
    pub(super) fn merges(&self, commits: &[Oid]) -> Result<(Vec<Merge>, Vec<Oid>), Doubt> {
        let (mut merges, mut of_many) = (Vec::new(), Vec::new());
        for oid in commits {
            match self.objects.commit(oid)?.parents[..] {
                [one, other] => merges.push(Merge { oid: *oid, parents: [one, other] }),
                [_, _, _, ..] => of_many.push(*oid),
                _ => {}
            }
        }
        Ok((merges, of_many))
    }

    /// Pairs old commits with new ones: the same patch, or the same author, time and subject.
    pub(super) fn matched(&self, old: &[Oid], new: &[Oid]) -> Result<Matched, Doubt> {
        let mut matched = Matched::default();
        if old.is_empty() || new.is_empty() {
            return Ok(matched);
        }
        let (old_ids, new_ids) = (self.patch_ids(old)?, self.patch_ids(new)?);
        let by_patch: BTreeMap<&Vec<u8>, Oid> = new_ids.iter().map(|(oid, id)| (id, *oid)).collect();
        let mut by_words: BTreeMap<Vec<u8>, Oid> = BTreeMap::new();
        for oid in new {
            by_words.insert(self.words(oid)?, *oid);
        }
        for oid in old {
            let twin = old_ids.get(oid).and_then(|id| by_patch.get(id)).copied();
            let twin = match twin {
                Some(twin) => Some(twin),
                None => by_words.get(&self.words(oid)?).copied(),
            };
            if let Some(twin) = twin {
                matched.old.insert(*oid);
                matched.new.insert(twin);
            } else if !old_ids.contains_key(oid) {
                // It changed nothing, so nothing of it can be lost.
                matched.old.insert(*oid);
            }
        }
        Ok(matched)
    }

    /// The patch ids that git gives; commits without a change and merges have none.
    fn patch_ids(&self, commits: &[Oid]) -> Result<BTreeMap<Oid, Vec<u8>>, Doubt> {
        let input: String = commits.iter().map(|oid| format!("{oid}\n")).collect();
        let call = self.git.command("diff-tree").option("--stdin").option("-p").option("--root").option("--no-renames");
        let patches = call.option("--no-ext-diff").option("--no-textconv").input(input.into_bytes()).run()?.stdout;
        let output = self.git.command("patch-id").option("--stable").input(patches).run()?;
        let line = |line: &[u8]| {
            let (id, oid) = line.split_at_checked(line.iter().position(|&byte| byte == b' ')?)?;
            Some((Oid::from_hex(oid.trim_ascii()).ok()?, id.to_vec()))
        };
        Ok(output.stdout.split(|&byte| byte == b'\n').filter_map(line).collect())
    }

    /// Author with time, and subject: what a rebase keeps.
    fn words(&self, oid: &Oid) -> Result<Vec<u8>, Doubt> {
        let output = self.git.command("cat-file").option("commit").revision(oid.hex()).run()?;
        let author = output.stdout.split(|&byte| byte == b'\n').find(|line| line.starts_with(b"author "));
        let subject = memchr::memmem::find(&output.stdout, b"\n\n").map(|at| &output.stdout[at + 2..]);
        let subject = subject.and_then(|text| text.split(|&byte| byte == b'\n').next());
        Ok([author.unwrap_or_default(), b"\n", subject.unwrap_or_default()].concat())
    }

    /// Paths that these commits changed, against their first parents.
    pub(super) fn touched(&self, commits: &[Oid]) -> Result<BTreeSet<Vec<u8>>, Doubt> {
        let mut paths = BTreeSet::new();
        for oid in commits {
            let commit = self.objects.commit(oid)?;
            if commit.parents.len() < 2 {
                let parent = commit.parents.first().map(|parent| self.objects.commit(parent)).transpose()?;
                tree_diff::changes(self.objects, parent.map(|one| one.tree), Some(commit.tree), &mut |path, _, _| {
                    paths.insert(path.to_vec());
                })?;
            }
        }
        Ok(paths)
    }

    /// Those of the commits whose paths lost something.
    pub(super) fn lost(&self, commits: &[Oid], lost_paths: &BTreeSet<Vec<u8>>) -> Result<Vec<Oid>, Doubt> {
        let mut lost = Vec::new();
        for oid in commits {
            if self.touched(&[*oid])?.iter().any(|path| lost_paths.contains(path)) {
                lost.push(*oid);
            }
        }
        Ok(lost)
    }
}

fn ids(list: &[u8]) -> Vec<Oid> {
    list.split(|&byte| byte == b'\n').filter_map(|line| Oid::from_hex(line.trim_ascii()).ok()).collect()
}
