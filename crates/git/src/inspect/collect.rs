//! The facts beside the branches: what the collectors need, and what may be remembered of it.

use alignwatch_model::{
    Known,
    facts::{
        self, Shape, Storage,
        integrity::{ObjectCheck, PackBytes, RefFiles, Reflogs},
    },
    snapshot::Hazard,
};

use super::{Inspection, Progress};
use crate::{
    hazards::hazards,
    health::{
        self,
        fsck::{Depth, fsck},
        pack_bytes::pack_bytes,
        shape::shape,
    },
    refs::Refs,
    repository::{Opened, RefBackend},
};

impl Inspection<'_> {
    /// The shape of everything that refs reach.
    pub(super) fn shape(&self, refs: &Refs, storage: &Known<Storage>) -> Known<Shape> {
        if self.opened.is_shallow() {
            return Known::Unknown("history is cut off (a shallow clone), so its shape cannot be measured".into());
        }
        self.say("measuring all objects");
        let n_objects = storage.seen().and_then(n_objects).unwrap_or(0);
        shape(health::shape::Question {
            objects: &self.objects.opener().open(),
            roots: refs.all.iter().map(|one| one.oid).collect(),
            stop: &self.wanted.stop,
            memory: self.memory,
            stored: storage.seen().filter(|_| self.opened.alternates.is_empty()).and_then(stored),
            step: &|n| (self.listener)(Progress::Step(n, n_objects.max(n))),
        })
    }

    /// The files that hold refs, where they are files.
    pub(super) fn ref_files(&self, refs: &Refs) -> Known<RefFiles> {
        match self.opened.ref_backend {
            RefBackend::Files => Known::Seen(health::ref_files::ref_files(self.opened, refs, self.objects)),
            RefBackend::Reftable => Known::Unknown("refs are kept in a reftable".into()),
        }
    }

    /// The objects that reflogs lead to.
    pub(super) fn reflogs(&self) -> Known<Reflogs> {
        self.say("looking up what reflogs lead to");
        health::reflogs::reflogs(self.opened, self.objects, &self.wanted.stop)
    }

    /// The files of all packs, hashed.
    pub(super) fn pack_bytes(&self) -> Known<PackBytes> {
        self.say("checking the bytes of packs");
        let step = |done: usize, total: usize| (self.listener)(Progress::Step(done, total));
        pack_bytes(self.opened, self.memory, &self.wanted.stop, &step)
    }

    /// What Git says about objects.
    pub(super) fn fsck(&self, refs: &Refs, depth: Depth) -> Known<ObjectCheck> {
        let Some(git) = self.git else { return Known::Unknown("there is no git to check objects".into()) };
        self.say(depth.phase());
        fsck(health::fsck::Question {
            git,
            depth,
            now: self.now,
            memory: self.memory,
            stop: &self.wanted.stop,
            state: state(refs, self.opened),
            step: &|percent| (self.listener)(Progress::Step(percent, 100)),
        })
    }

    pub(super) fn settings(&self) -> Known<facts::settings::Settings> {
        match self.git {
            Some(git) => Known::Seen(health::settings::settings(self.opened, git.entries(), git.git())),
            None => no_git(),
        }
    }

    pub(super) fn remotes(&self, refs: &Refs) -> Known<facts::settings::Remotes> {
        match self.git {
            Some(git) => Known::Seen(health::settings::remotes(self.opened, git.entries(), refs)),
            None => no_git(),
        }
    }

    pub(super) fn remote_answers(&self) -> Known<Vec<facts::settings::RemoteAnswer>> {
        self.say("asking the remotes");
        match self.git {
            Some(git) => Known::Seen(health::remotes::ask(git.git(), git.entries(), &self.wanted.stop)),
            None => no_git(),
        }
    }

    pub(super) fn changes(
        &self,
        worktrees: &Known<Vec<facts::worktrees::Worktree>>,
    ) -> Known<Vec<facts::worktrees::Changes>> {
        let git = match self.git {
            Some(git) => git.git(),
            None => return no_git(),
        };
        self.say("looking for changes in worktrees");
        worktrees.clone().map(|worktrees| health::changes::changes(git, &worktrees, &self.wanted.stop))
    }

    pub(super) fn hazards(&self) -> Known<Vec<Hazard>> {
        match self.git {
            Some(git) => hazards(git.entries(), &self.opened.common_dir),
            None => Known::Unknown("there is no git to read the configuration".into()),
        }
    }
}

/// Objects that are stored, for progress: some of them in several places.
fn n_objects(storage: &Storage) -> Option<usize> {
    let packed: u64 = storage.packs.seen()?.iter().map(|pack| pack.n_objects).sum();
    usize::try_from(packed + storage.loose.seen()?.n).ok()
}

/// A text that changes whenever objects come or go: the packs, and number and size of the loose objects.
fn stored(storage: &Storage) -> Option<String> {
    let (packs, loose) = (storage.packs.seen()?, storage.loose.seen()?);
    let packs: Vec<String> = packs.iter().map(|pack| format!("{} {}", pack.name, pack.bytes)).collect();
    Some(format!("{} {} {}", loose.n, loose.disk_bytes, packs.join(" ")))
}

/// A text that changes whenever something does that Git reads to check objects. `None`: that cannot be known.
fn state(refs: &Refs, opened: &Opened) -> Option<String> {
    // What is borrowed changes elsewhere; what is broken is asked for again.
    if !refs.broken.is_empty() || !opened.alternates.is_empty() {
        return None;
    }
    let mut text = health::stored_state::fingerprint(opened)?;
    text.push_str(&format!("\n{:?}", refs.head));
    for one in &refs.all {
        text.push_str(&format!("\n{} {}", one.name, one.oid));
    }
    Some(text)
}

fn no_git<T>() -> Known<T> {
    Known::Unknown("there is no git to read the configuration".into())
}
