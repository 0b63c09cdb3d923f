//! Names of generated branches and their authors.

use super::random::Random;

const VERBS: [&str; 12] =
    ["add", "fix", "improve", "refactor", "remove", "rework", "speed-up", "split", "test", "tidy", "update", "port"];

const NOUNS: [&str; 20] = [
    "parser", "login", "search", "cache", "report", "layout", "export", "worker", "queue", "schema", "editor",
    "router", "client", "filter", "import", "plugin", "session", "storage", "theme", "upload",
];

/// Prefix of a family of branches, and who commits there.
const FAMILIES: [(&str, &str); 8] = [
    ("agent-one/", "agent-one-bot"),
    ("agent-one/", "agent-one-bot"),
    ("agent-one/", "agent-one-bot"),
    ("agent-two/", "agent-two-bot"),
    ("agent-three-", "agent-three-bot"),
    ("dependencies/", "update-bot"),
    ("feature/", "ann"),
    ("fix/", "bob"),
];

/// What a branch is called but for a number at its end, and its author. Another `nth` is another name.
pub(super) fn stem(nth: usize) -> (String, &'static str) {
    let (prefix, author) = FAMILIES[nth * 5 % FAMILIES.len()];
    let (verb, rest) = (VERBS[nth % VERBS.len()], nth / VERBS.len());
    let (first, rest) = (NOUNS[rest % NOUNS.len()], rest / NOUNS.len());
    let (second, rest) = (NOUNS[(rest + 7) % NOUNS.len()], rest / NOUNS.len());
    let again = if rest == 0 { String::new() } else { format!("-{}", rest + 1) };
    (format!("{prefix}{verb}-{first}-{second}{again}"), author)
}

/// A number of 19 digits, as agents put behind their branches.
pub(super) fn long_id(random: &mut Random) -> u64 {
    1_000_000_000_000_000_000 + random.next() % 8_000_000_000_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_stem_is_another_one() {
        let stems: HashSet<String> = (0..20_000).map(|nth| stem(nth).0).collect();
        assert_eq!(stems.len(), 20_000);
    }
}
