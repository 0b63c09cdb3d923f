//! Tells which branches are attempts at the same idea, from their names, and which are the same commit.
//!
//! Tools that try again push a new branch with a fresh number behind the old
//! name. Numbers of tickets and requests look alike, so that only long numbers
//! behind several words count, and a name alone never proves anything: it is
//! told, not acted upon.

use std::collections::BTreeMap;

use crate::{Oid, RefName};

/// Shortest number that is taken for a fresh one. Source: ours; ticket and request numbers are shorter.
const DIGITS_AT_LEAST: usize = 6;

/// Shortest hexadecimal part with letters and digits in it that is taken for a fresh one.
const HEX_AT_LEAST: usize = 6;

/// From so many digits on, a number is surely not a ticket's.
const SURE_DIGITS_AT_LEAST: usize = 12;

/// Words before which a small number counts attempts.
const ATTEMPTS: [&str; 4] = ["attempt", "retry", "try", "take"];

/// Items that belong together, by the number they have in the list that was given.
pub type Group = Vec<usize>;

/// The branches that are attempts at the same idea, with the idea; most attempts first.
///
/// Branches of the same name at several places are one attempt.
pub fn families<'a>(names: impl IntoIterator<Item = &'a RefName>) -> Vec<(String, Group)> {
    let mut by_idea = BTreeMap::<String, BTreeMap<String, usize>>::new();
    for (number, name) in names.into_iter().enumerate() {
        if let Some(idea) = idea(name) {
            by_idea.entry(idea).or_default().entry(own_name(name)).or_insert(number);
        }
    }
    let groups = by_idea.into_iter().map(|(idea, attempts)| (idea, attempts.into_values().collect::<Group>()));
    let mut families: Vec<_> = groups.filter(|(_, attempts)| attempts.len() > 1).collect();
    families.sort_by(|(a, left), (b, right)| right.len().cmp(&left.len()).then_with(|| a.cmp(b)));
    families
}

/// The branches that point to the same commit, largest groups first.
///
/// Branches of the same name at several places count once.
pub fn identical<'a>(tips: impl IntoIterator<Item = (&'a RefName, Oid)>) -> Vec<Group> {
    let mut by_oid = BTreeMap::<Oid, BTreeMap<String, usize>>::new();
    for (number, (name, oid)) in tips.into_iter().enumerate() {
        by_oid.entry(oid).or_default().entry(own_name(name)).or_insert(number);
    }
    let groups = by_oid.into_values().map(|same| same.into_values().collect::<Group>());
    let mut identical: Vec<_> = groups.filter(|same| same.len() > 1).collect();
    identical.sort_by_key(|same| (std::cmp::Reverse(same.len()), same[0]));
    identical
}

/// What a branch is about, as words: its name without what only tells attempts apart.
///
/// `None` when too little is left to be an idea.
fn idea(name: &RefName) -> Option<String> {
    let name = own_name(name).to_lowercase();
    let mut words: Vec<&str> = name.split(['/', '-', '_', '.']).filter(|word| !word.is_empty()).collect();
    let mut is_sure = false;
    loop {
        match words[..] {
            [.., last] if is_fresh_number(last) => {
                is_sure |= SURE_DIGITS_AT_LEAST <= last.len();
                words.pop();
            }
            [.., word, last] if ATTEMPTS.contains(&word) && last.bytes().all(|byte| byte.is_ascii_digit()) => {
                words.truncate(words.len() - 2);
            }
            [.., word] if ATTEMPTS.contains(&word) => _ = words.pop(),
            _ => break,
        }
    }
    let least_words = if is_sure { 2 } else { 3 };
    (least_words <= words.len()).then(|| words.join("-"))
}

fn is_fresh_number(word: &str) -> bool {
    let n_digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    match n_digits == word.len() {
        true => DIGITS_AT_LEAST <= n_digits,
        false => is_hex && n_digits > 0 && HEX_AT_LEAST <= word.len(),
    }
}

/// The name that the branch has at its own place: without `refs/heads/` or the remote.
fn own_name(name: &RefName) -> String {
    match name.remote_parts() {
        Some((_, branch)) => String::from_utf8_lossy(branch).into_owned(),
        None => name.short().text().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(names: &[&str]) -> Vec<String> {
        let names: Vec<RefName> = names.iter().map(|name| format!("refs/heads/{name}").as_str().into()).collect();
        families(&names).into_iter().map(|(idea, attempts)| format!("{idea} {attempts:?}")).collect()
    }

    #[test]
    fn fresh_numbers_behind_the_same_words_are_attempts_at_one_idea() {
        let names = [
            "bolt-optimize-search-10639468176484359550",
            "bolt/optimize-search-12134869157175045309",
            "bolt/optimize_search-12134869157175045309-4946642088847545950",
            "bolt-optimize-search",
            "other-thing-at-all",
            "fix-login-page-attempt-2",
            "fix-login-page-retry",
            "agent/fix-the-leak-3f4a5b",
            "agent/fix-the-leak-0c9d8e",
        ];
        assert_eq!(
            told(&names),
            ["bolt-optimize-search [3, 0, 1, 2]", "agent-fix-the-leak [8, 7]", "fix-login-page [5, 6]"]
        );
    }

    #[test]
    fn tickets_requests_and_releases_are_no_attempts() {
        let names = [
            "PROJ-123456",
            "PROJ-123457",
            "pr-660",
            "pr-775",
            "patch-1",
            "patch-2",
            "release-1.2",
            "release-1.3",
            "bug-fix-123456",
            "bug-fix-123457",
            "1234567890123456",
            "2234567890123456",
            "deadbeef",
            "face",
        ];
        assert_eq!(told(&names), [""; 0]);
    }

    #[test]
    fn one_branch_at_several_remotes_is_one() {
        let names =
            ["refs/heads/a-b-c-1234567", "refs/remotes/origin/a-b-c-1234567", "refs/remotes/fork/a-b-c-7654321"];
        let names = names.map(RefName::from);
        assert_eq!(families(&names), [("a-b-c".to_owned(), vec![0, 2])]);
        let oid = Oid::from_bytes(&[7; 20]).unwrap();
        assert_eq!(identical(names.iter().map(|name| (name, oid))), [vec![0, 2]]);
        assert!(identical(names[..2].iter().map(|name| (name, oid))).is_empty());
    }
}
