//! Which branches may go: landed by a proof that is strong enough, and in nobody's way of work.
//!
//! Every guard names its reason, and whatever could not be read is one: a failed read never is permission. Source of
//! the guards: five ways in which other tools lost work (a gone upstream read as merged, a local branch taken for
//! deletable, a fresh branch without commits read as merged, commits that were never pushed, a read that failed).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Branch, Known, Landed, Oid, Proof, RefName, Snapshot, Span, State, Timestamp,
    config::{Cleanup, Config, Patterns},
    snapshot::Head,
};

/// What becomes of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It may go.
    Goes(Going),
    /// It stays, for this reason.
    Stays(String),
}

/// A branch that may go, and what has to be true still when it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Going {
    /// Its full name.
    pub name: RefName,
    /// Where it is.
    pub oid: Oid,
    /// The ref that its work is in.
    pub base: RefName,
    /// Where that is.
    pub base_oid: Oid,
    /// Why nothing is lost.
    pub proof: Proof,
}

/// When refs were last made or moved, by their reflogs.
pub type Moved = BTreeMap<RefName, Known<Timestamp>>;

/// What is known besides the snapshot.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// When each branch was last made or moved.
    pub moved: Moved,
    /// Which branches have a pull or merge request.
    pub requests: Requests,
}

/// Which branches have a pull or merge request, as far as that is known here.
#[derive(Clone, Debug)]
pub struct Requests {
    /// Ids that a ref of the server's requests names (`refs/pull/7/head`), and the ref. Whether it is open is not known.
    pub heads: Known<BTreeMap<Oid, RefName>>,
    /// Short names of branches with an open request, as `cleanup.open_requests` has them; `None` = it names no file.
    pub named: Known<Option<BTreeSet<String>>>,
}

impl Default for Requests {
    fn default() -> Requests {
        Requests { heads: Known::Seen(BTreeMap::new()), named: Known::Seen(None) }
    }
}

impl Requests {
    /// What can't be told of requests here, as a sentence; `None` = all can.
    pub fn gap(&self) -> Option<&'static str> {
        let has_heads = self.heads.seen().is_none_or(|heads| !heads.is_empty());
        let has_names = !matches!(&self.named, Known::Seen(None));
        (!has_heads && !has_names).then_some(
            "whether a branch has an open pull request is not known here: no refs/pull/ or refs/merge-requests/ was \
             fetched, and `cleanup.open_requests` names no file",
        )
    }
}

/// Is it the head of a request, as servers name it, or a copy of one that was fetched elsewhere?
pub fn is_request_head(name: &RefName) -> bool {
    let text = name.text();
    let parts: Vec<&str> = text.split('/').collect();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts
        .windows(2)
        .any(|pair| ["pull", "pulls", "pr", "merge-requests", "mr"].contains(&pair[0]) && is_number(pair[1]))
        && !text.starts_with("refs/heads/")
        && parts.last().is_some_and(|last| *last == "head" || is_number(last))
}

/// How young a branch without a commit of its own counts as just made, whatever is configured.
///
/// Source: marcusquinn/aidevops#22606: a branch that was made a moment before looked merged, and went with its work.
const FRESH: Span = Span::days(1);

/// The fate of each local branch that has landed or looks like it, in order of their names.
///
/// Branches that are plainly open are left out.
pub fn fates(snapshot: &Snapshot, config: &Config, beside: &Beside, now: Timestamp) -> Vec<(RefName, Fate)> {
    let local = snapshot.branches.iter().filter(|branch| branch.name.starts_with("refs/heads/"));
    let looks_landed = |branch: &&Branch| {
        !branch.may_hold_work() || matches!(branch.state(), State::Unknown | State::Continued | State::Reverted)
    };
    let judge = |branch: &Branch| Judge { snapshot, config, beside, now, branch }.fate();
    local.filter(looks_landed).map(|branch| (branch.name.clone(), judge(branch))).collect()
}

/// One branch before its judge.
pub(super) struct Judge<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) config: &'a Config,
    pub(super) beside: &'a Beside,
    pub(super) now: Timestamp,
    pub(super) branch: &'a Branch,
}

impl Judge<'_> {
    fn fate(&self) -> Fate {
        match self.proven().and_then(|going| self.guards().map(|()| going)) {
            Ok(going) => Fate::Goes(going),
            Err(reason) => Fate::Stays(reason),
        }
    }

    fn rules(&self) -> &Cleanup {
        &self.config.cleanup
    }

    /// Errors: nothing proves well enough that its work is in the base.
    fn proven(&self) -> Result<Going, String> {
        let tip = self.branch.tip.seen().ok_or_else(|| reason(self.branch.tip.reason(), "it can't be read"))?;
        let base = self.branch.base.as_ref().ok_or("it has no base")?;
        let drift =
            self.branch.drift.seen().ok_or_else(|| reason(self.branch.drift.reason(), "its drift is not known"))?;
        let proof = match (&self.branch.landed, self.branch.state()) {
            _ if drift.merge_bases.is_empty() => return Err("it has no commit in common with its base".to_owned()),
            (Landed::Reverted(_), _) | (_, State::Reverted) => return Err("its base took it back".to_owned()),
            (Landed::Unknown(reason), _) if drift.ahead == 0 => {
                return Err(format!("whether its base took it back is not known: {reason}"));
            }
            _ if drift.ahead == 0 => Proof::Ancestor,
            (_, State::Continued) => return Err("it went on after it had landed".to_owned()),
            (Landed::Yes(proof), State::SquashMerged) => *proof,
            (Landed::Unknown(reason), _) => return Err(format!("whether it landed is not known: {reason}")),
            _ => return Err("nothing proves that its work is in the base".to_owned()),
        };
        if !self.rules().proof.admits(proof) {
            return Err("its proof is weaker than `cleanup.proof` asks for".to_owned());
        }
        if base.name == self.branch.name {
            return Err("it is its own base".to_owned());
        }
        let (name, base_name) = (self.branch.name.clone(), base.name.clone());
        Ok(Going { name, oid: tip.oid, base: base_name, base_oid: base.oid, proof })
    }

    /// Errors: why it must not be taken away, whatever is proven of it. That the last fetch is too old comes last.
    pub(super) fn guards(&self) -> Result<(), String> {
        self.is_no_line()?;
        self.is_not_in_use()?;
        self.is_no_base()?;
        self.is_not_protected()?;
        self.has_rested()?;
        self.has_no_request()?;
        self.is_as_fresh_as_a_fetch()
    }

    fn is_no_line(&self) -> Result<(), String> {
        let is_line = self.snapshot.lines.iter().any(|line| line.name == self.branch.name);
        if is_line { Err("it is a primary line".to_owned()) } else { Ok(()) }
    }

    /// No HEAD and no unfinished operation of any worktree is on it.
    fn is_not_in_use(&self) -> Result<(), String> {
        match &self.snapshot.head {
            Known::Unknown(reason) => return Err(format!("what HEAD is on is not known: {reason}")),
            Known::Seen(Head::Branch(name) | Head::Unborn(name)) if *name == self.branch.name => {
                return Err("HEAD is on it".to_owned());
            }
            Known::Seen(_) => {}
        }
        match &self.snapshot.checked_out {
            Known::Unknown(reason) => Err(format!("which branches worktrees hold is not known: {reason}")),
            Known::Seen(held) if held.contains(&self.branch.name) => Err("a worktree holds it".to_owned()),
            Known::Seen(_) => Ok(()),
        }
    }

    /// No branch is measured against it, follows it, or is declared to be based on it.
    fn is_no_base(&self) -> Result<(), String> {
        let name = &self.branch.name;
        let is_upstream = |branch: &Branch| {
            branch
                .upstream
                .as_ref()
                .is_some_and(|upstream| upstream.remote == "." && upstream.merge.as_bytes() == name.as_bytes())
        };
        let uses = |branch: &&Branch| {
            branch.name != *name && (branch.base.as_ref().is_some_and(|base| base.name == *name) || is_upstream(branch))
        };
        if let Some(other) = self.snapshot.branches.iter().find(uses) {
            return Err(format!("`{}` is based on it", other.name.text()));
        }
        let short = name.short();
        let is_declared = |base: &Option<String>| {
            base.as_ref().is_some_and(|base| base.as_bytes() == name.as_bytes() || base.as_bytes() == short.as_bytes())
        };
        let declared = self.config.relations.iter().any(|rule| is_declared(&rule.base));
        let named = self.config.bases.iter().any(|base| is_declared(&Some(base.clone())));
        if declared || named { Err("the configuration names it as a base".to_owned()) } else { Ok(()) }
    }

    fn is_not_protected(&self) -> Result<(), String> {
        if !self.branch.relation.expects_merge() {
            return Err(format!("its relation is `{}`", self.branch.relation.word()));
        }
        let keep = Patterns::new(self.rules().keep.iter().map(String::as_str));
        match keep {
            Ok(keep) if keep.matches(&self.branch.name) => Err("`cleanup.keep` names it".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("`cleanup.keep` can't be used: it {}", error.problem)),
        }
    }

    /// Neither a young commit, nor a young ref: one that was just made from its base looks landed, too.
    fn has_rested(&self) -> Result<(), String> {
        let is_bare = self.branch.drift.seen().is_some_and(|drift| drift.ahead == 0 && drift.on_base_line);
        let least = if is_bare { self.rules().rested.max(FRESH) } else { self.rules().rested };
        let idle = self.branch.idle_age(self.now).ok_or("its age is not known")?;
        if idle < least {
            return Err(format!("its last commit is {idle} old, and {least} is the least"));
        }
        match self.beside.moved.get(&self.branch.name) {
            Some(Known::Seen(at)) if self.now.since(*at) < least => {
                Err(format!("it was made or moved {} ago, and {least} is the least", self.now.since(*at)))
            }
            Some(Known::Seen(_)) => Ok(()),
            Some(Known::Unknown(reason)) => Err(format!("when it was made is not known: {reason}")),
            None => Err("when it was made is not known: it has no reflog".to_owned()),
        }
    }

    /// No server has a request for it, as far as is known here; what should be known and is not keeps it.
    fn has_no_request(&self) -> Result<(), String> {
        let requests = &self.beside.requests;
        let tip = self.branch.tip.seen().map(|tip| tip.oid);
        match &requests.heads {
            Known::Unknown(reason) => return Err(format!("which pull requests there are is not known: {reason}")),
            Known::Seen(heads) => {
                if let Some(head) = tip.and_then(|tip| heads.get(&tip)) {
                    return Err(format!(
                        "`{}` is at its tip, and whether that request is open is not known",
                        head.text()
                    ));
                }
            }
        }
        match &requests.named {
            Known::Unknown(reason) => Err(format!("which pull requests are open is not known: {reason}")),
            Known::Seen(Some(named)) if named.contains(&*self.branch.name.short().text()) => {
                Err("it has an open pull request (`cleanup.open_requests`)".to_owned())
            }
            Known::Seen(_) => Ok(()),
        }
    }

    /// Where a remote has a say, it was asked lately.
    fn is_as_fresh_as_a_fetch(&self) -> Result<(), String> {
        let is_remote = |name: &RefName| name.starts_with("refs/remotes/");
        let base = self.branch.base.as_ref();
        let follows = self.branch.upstream.as_ref().is_some_and(|upstream| upstream.remote != ".");
        let has_say = follows || base.is_some_and(|base| is_remote(&base.name));
        old_fetch(self.snapshot, self.config, self.now, has_say).map_or(Ok(()), Err)
    }
}

/// Why what was fetched is too old to judge by; `None` = it is not, or there is no remote.
///
/// Where there is a remote, any branch may have gone on there.
pub fn old_fetch(snapshot: &Snapshot, config: &Config, now: Timestamp, has_say: bool) -> Option<String> {
    let within = config.cleanup.fetched_within;
    let remotes = match &snapshot.facts.remotes {
        Known::Seen(remotes) => remotes,
        Known::Unknown(reason) => return Some(format!("when was fetched last is not known: {reason}")),
    };
    if remotes.all.is_empty() && !has_say {
        return None;
    }
    match &remotes.fetched_at {
        Known::Seen(Some(at)) if now.since(*at) <= within => None,
        Known::Seen(Some(at)) => Some(format!("the last fetch was {} ago, and {within} is the most", now.since(*at))),
        Known::Seen(None) => Some("nothing was ever fetched".to_owned()),
        Known::Unknown(reason) => Some(format!("when was fetched last is not known: {reason}")),
    }
}

fn reason(known: Option<&str>, otherwise: &str) -> String {
    known.unwrap_or(otherwise).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_requests_are_known_by_their_names_wherever_they_were_fetched_to() {
        let heads = [
            "refs/pull/7/head",
            "refs/merge-requests/12/head",
            "refs/remotes/origin/pr/7",
            "refs/remotes/origin/pull/7/head",
            "refs/prefetch/pull/7/head",
        ];
        for name in heads {
            assert!(is_request_head(&RefName::from(name)), "{name}");
        }
        for name in ["refs/pull/7/merge", "refs/heads/pull/7/head", "refs/remotes/origin/pull", "refs/remotes/o/pr/x/y"]
        {
            assert!(!is_request_head(&RefName::from(name)), "{name}");
        }
    }
}
