//! Which git answers: its version, what that version can do, and what it is known to get wrong.
//!
//! Vendors append their own words to the number (`2.39.5 (Apple Git-154)`,
//! `2.47.1.windows.2`, `2.56.0.123.gabcdef`); only the first three numbers count.

use std::fmt;

use alignwatch_model::snapshot::{GitBug, GitPart};

/// The oldest git that can be hardened.
///
/// Source: `GIT_CONFIG_COUNT` came with 2.31 (its release notes). Older ones ignore it,
/// and with it every override that keeps a repository's programs from running.
pub const OLDEST: Version = Version::of(2, 31);

/// Three numbers of a version, and the text they came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitVersion {
    /// What counts in comparisons.
    pub number: Version,
    /// All that `git --version` said behind `git version `.
    pub text: String,
}

/// `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 2 in 2.47.3.
    pub major: u32,
    /// 47 in 2.47.3.
    pub minor: u32,
    /// 3 in 2.47.3.
    pub patch: u32,
}

impl Version {
    /// The first release of a series.
    pub const fn of(major: u32, minor: u32) -> Version {
        Version { major, minor, patch: 0 }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl GitVersion {
    /// Reads the answer of `git --version`; `None` where it is something else.
    pub fn parse(answer: &[u8]) -> Option<GitVersion> {
        let text = std::str::from_utf8(answer).ok()?.trim().strip_prefix("git version ")?;
        let mut numbers = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.split('.');
        let mut next = || numbers.next().and_then(|number| number.parse().ok());
        let (major, minor) = (next()?, next()?);
        // `2.47.GIT` and `2.47-rc1` have no third number.
        let number = Version { major, minor, patch: next().unwrap_or(0) };
        Some(GitVersion { number, text: text.chars().filter(|c| !c.is_control()).take(80).collect() })
    }

    /// `for-each-ref --format=%(ahead-behind:…)`. Source: release notes of 2.41.
    pub fn ahead_behind(&self) -> bool {
        self.is_at_least(2, 41)
    }

    /// `merge-tree --write-tree`. Source: release notes of 2.38.
    pub fn merge_tree_write(&self) -> bool {
        self.is_at_least(2, 38)
    }

    /// `merge-tree --write-tree --merge-base=` with commits. Source: release notes of 2.40.
    pub fn merge_tree_merge_base(&self) -> bool {
        self.is_at_least(2, 40)
    }

    /// `merge-tree --write-tree --merge-base=` with trees. Source: release notes of 2.45.
    pub fn merge_tree_of_trees(&self) -> bool {
        self.is_at_least(2, 45)
    }

    /// `GIT_ATTR_SOURCE`. Source: release notes of 2.41 for `--attr-source`, 2.43 for bare repositories;
    /// 2.39.5 was seen to ignore it.
    pub fn attribute_source(&self) -> bool {
        self.is_at_least(2, 43)
    }

    /// Repositories with `extensions.refStorage=reftable`. Source: release notes of 2.45.
    pub fn reftable(&self) -> bool {
        self.is_at_least(2, 45)
    }

    /// `refs verify`. Source: release notes of 2.47; it looks into refs from 2.48 on.
    pub fn refs_verify(&self) -> bool {
        self.is_at_least(2, 47)
    }

    /// `repack --cruft`. Source: release notes of 2.37.
    pub fn cruft_packs(&self) -> bool {
        self.is_at_least(2, 37)
    }

    /// `repack --geometric` together with `--write-midx`. Source: release notes of 2.32 and 2.34.
    pub fn geometric_repack(&self) -> bool {
        self.is_at_least(2, 34)
    }

    /// `multi-pack-index write --bitmap`. Source: release notes of 2.34.
    pub fn bitmaps_of_several_packs(&self) -> bool {
        self.is_at_least(2, 34)
    }

    /// `fetch --prefetch`. Source: git commit 2e03115d0c, in 2.32.
    pub fn prefetch(&self) -> bool {
        self.is_at_least(2, 32)
    }

    /// `worktree list -z`. Source: release notes of 2.36.
    pub fn worktrees_with_nul(&self) -> bool {
        self.is_at_least(2, 36)
    }

    /// `hook.<name>.command` in the configuration. Source: release notes of 2.54.
    pub fn hooks_in_config(&self) -> bool {
        self.is_at_least(2, 54)
    }

    /// Bugs of this version that touch our answers or the repository.
    pub fn known_bugs(&self) -> Vec<GitBug> {
        let has = |bug: &&Bug| bug.from <= self.number && self.number < bug.until;
        let told = |bug: &Bug| format!("git {}: {}", self.number, bug.sentence);
        BUGS.iter().filter(has).map(|bug| GitBug { touches: bug.touches, told: told(bug) }).collect()
    }

    fn is_at_least(&self, major: u32, minor: u32) -> bool {
        Version::of(major, minor) <= self.number
    }
}

/// A bug, and the versions that have it: `from` is the first, `until` the first without.
struct Bug {
    from: Version,
    until: Version,
    touches: GitPart,
    sentence: &'static str,
}

/// What is known to be wrong in released versions.
const BUGS: [Bug; 5] = [
    // Source: git commit ae68032a8d; in no release as of August 2026, so the end is a guess on the safe side.
    Bug {
        from: Version::of(2, 55),
        until: Version::of(2, 56),
        touches: GitPart::Answers,
        sentence: "`git merge-base` without --all may name a wrong base when commit dates are skewed; pass --all, or upgrade",
    },
    // Source: sourcegraph/sourcegraph-public-snapshot#37906.
    Bug {
        from: Version::of(2, 36),
        until: Version::of(2, 37),
        touches: GitPart::CommitGraph,
        sentence: "it writes commit-graphs with overflowing dates; upgrade and rewrite the commit-graph",
    },
    // Source: release notes of 2.37.1 and later: geometric repack together with pack.packSizeLimit.
    Bug {
        from: Version::of(2, 32),
        until: Version::of(2, 37),
        touches: GitPart::Objects,
        sentence: "a geometric repack with pack.packSizeLimit may lose objects; upgrade before repacking",
    },
    // Source: release notes of 2.47.1.
    Bug {
        from: Version::of(2, 47),
        until: Version { major: 2, minor: 47, patch: 1 },
        touches: GitPart::MultiPackIndex,
        sentence: "its multi-pack-index can be damaged by objects that are in several packs; upgrade",
    },
    // Source: release notes of 2.51.1: `repack --path-walk`.
    Bug {
        from: Version::of(2, 51),
        until: Version { major: 2, minor: 51, patch: 1 },
        touches: GitPart::Objects,
        sentence: "`git repack --path-walk` may lose objects; upgrade before repacking",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(answer: &str) -> String {
        GitVersion::parse(answer.as_bytes()).map_or("none".into(), |version| version.number.to_string())
    }

    #[test]
    fn vendors_words_do_not_hide_the_number() {
        assert_eq!(parsed("git version 2.39.5 (Apple Git-154)\n"), "2.39.5");
        assert_eq!(parsed("git version 2.47.1.windows.2"), "2.47.1");
        assert_eq!(parsed("git version 2.56.0.123.gabcdef1"), "2.56.0");
        assert_eq!(parsed("git version 2.45.0-rc1"), "2.45.0");
        assert_eq!(parsed("git version 2.47.GIT"), "2.47.0");
        assert_eq!(parsed("hub version 2.14"), "none");
        assert_eq!(parsed("git version x"), "none");
        assert_eq!(parsed("git version 99999999999.1"), "none");
    }

    #[test]
    fn a_version_knows_what_it_can_do_and_what_it_gets_wrong() {
        let old = GitVersion::parse(b"git version 2.39.5").unwrap();
        assert!(old.merge_tree_write() && !old.ahead_behind() && !old.reftable());
        assert!(old.known_bugs().is_empty());
        let touched = |text: &str| -> Vec<GitPart> {
            let version = GitVersion::parse(text.as_bytes()).unwrap();
            version.known_bugs().into_iter().map(|bug| bug.touches).collect()
        };
        assert_eq!(touched("git version 2.55.1"), [GitPart::Answers]);
        assert_eq!(touched("git version 2.36.1"), [GitPart::CommitGraph, GitPart::Objects]);
        assert_eq!(touched("git version 2.34.8"), [GitPart::Objects]);
        assert_eq!(touched("git version 2.47.0"), [GitPart::MultiPackIndex]);
        assert_eq!(touched("git version 2.51.0"), [GitPart::Objects]);
        assert_eq!(touched("git version 2.51.1"), [], "mended");
        let bad = GitVersion::parse(b"git version 2.55.1").unwrap();
        assert!(bad.known_bugs()[0].told.starts_with("git 2.55.1: `git merge-base` without --all"));
        assert!(GitVersion::parse(b"git version 2.47.3").unwrap().known_bugs().is_empty());
    }
}
