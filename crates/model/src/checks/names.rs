//! `hostile-names` and `ambiguous-names`: branch names that trick people, terminals, scripts or file systems.

use std::collections::BTreeMap;

use super::{Check, Family, Outcome, Runbook, Seen, draft::*, removal::undo_command};
use crate::{Branch, Known, Look, RefName, Remedy, Severity, quote::shell_word};

/// Names with invisible or control characters, leading dashes, and names that look like an id or HEAD, as one finding.
pub(super) static HOSTILE: Check = Check {
    id: "hostile-names",
    title: "Hostile branch names",
    looks_at: "Branch names: control, invisible and bidirectional characters, bytes that are no text, leading dashes, ids, HEAD",
    why: "Such a name can pose as an option, as another branch or as terminal output in every script that handles it",
    severity: Severity::Warning,
    family: Family::Refs,
    needs: &[Look::History],
    git_says: Some("git for-each-ref"),
    runbook: Runbook {
        look: "`git for-each-ref --format='%(refname)' | cat -v`",
        mend: "Rename it with full names and `--`: `git branch -m -- <old> <new>`, and refuse such names at the server",
        sure: "`alignwatch check --only hostile-names` is ok",
        undo: Some("`git branch -m -- <new> <old>`"),
    },
    threshold: None,
    judge: hostile,
};

/// Names that differ only in case, that a tag has too, or that look like tracking refs, as one finding.
pub(super) static AMBIGUOUS: Check = Check {
    id: "ambiguous-names",
    title: "Ambiguous branch names",
    looks_at: "Branch names that are equal but for case or that a tag has too, and local branches named like a remote's",
    why: "On macOS and Windows one overwrites the other, and a short name means another branch than was meant",
    severity: Severity::Warning,
    family: Family::Refs,
    needs: &[Look::History],
    git_says: Some("git for-each-ref"),
    runbook: Runbook {
        look: "`git for-each-ref --format='%(refname)'`; scripts must use full names (`refs/heads/x`)",
        mend: "Rename one of them: `git branch -m -- <old> <new>`",
        sure: "`alignwatch check --only ambiguous-names` is ok",
        undo: Some("`git branch -m -- <new> <old>`"),
    },
    threshold: None,
    judge: ambiguous,
};

fn hostile(seen: &Seen<'_>) -> Outcome {
    let bad: Vec<_> = seen.branches().filter_map(|branch| Some((branch, hostility(&branch.name)?))).collect();
    let Some((first, why)) = bad.first() else { return Outcome::default() };
    let summary = format!(
        "{} {} hostile, such as {}, which {why}",
        count(bad.len(), "branch name"),
        agree(bad.len(), "is", "are"),
        visible(&first.name)
    );
    let shown = bad.iter().map(|(branch, why)| format!("{}: {why}", visible(&branch.name)));
    Outcome::found(vec![
        seen.finding(Severity::Warning, "", visible(&first.name), summary)
            .names("names", shown)
            .fact("source", "git for-each-ref --format='%(refname)'")
            .so("A script that aligns branches by name can be made to do something else.")
            .mend(rename(first)),
    ])
}

/// What is wrong with the name, as a clause.
fn hostility(name: &RefName) -> Option<&'static str> {
    let short = match name.remote_parts() {
        Some((_, short)) => short,
        None => name.as_bytes().strip_prefix(b"refs/heads/").unwrap_or(name.as_bytes()),
    };
    let Ok(text) = std::str::from_utf8(short) else { return Some("is not text (UTF-8)") };
    if text.chars().any(char::is_control) {
        Some("holds control characters")
    } else if text.chars().any(is_unseen) {
        Some("holds invisible or direction-changing characters")
    } else if text.starts_with('-') {
        Some("looks like an option")
    } else if text == "HEAD" {
        Some("looks like HEAD")
    } else if matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Some("looks like an object id")
    } else {
        None
    }
}

/// Characters that are not seen, or that change the order in which others are seen.
fn is_unseen(sign: char) -> bool {
    matches!(sign, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The name with what cannot be seen spelled out.
fn visible(name: &RefName) -> String {
    let spelled = |sign: char| match sign.is_control() || is_unseen(sign) {
        true => sign.escape_unicode().to_string(),
        false => sign.to_string(),
    };
    format!("`{}`", name.short().text().chars().map(spelled).collect::<String>())
}

fn ambiguous(seen: &Seen<'_>) -> Outcome {
    let branches: Vec<_> = seen.branches().collect();
    let mut groups = equal_but_for_case(seen);
    groups.extend(named_like_a_remote(&branches));
    groups.extend(named_like_a_tag(seen, &branches));
    // Without the tags, a clash with one would be missed in silence.
    let unknown = seen.snapshot.facts.refs.reason().map(str::to_owned);
    let Some((first, why)) = groups.first() else { return Outcome { unknown, ..Outcome::default() } };
    let summary = format!(
        "{} {} ambiguous, such as {}, which {why}",
        count(groups.len(), "branch name"),
        agree(groups.len(), "is", "are"),
        visible(&first.name)
    );
    let shown = groups.iter().map(|(branch, why)| format!("{}: {why}", visible(&branch.name)));
    let finding = seen
        .finding(Severity::Warning, "", visible(&first.name), summary)
        .names("names", shown)
        .fact("source", "git for-each-ref --format='%(refname)'")
        .so("Aligning by a short name can take the wrong branch, and some file systems cannot hold both.")
        .mend(rename(first));
    Outcome { findings: vec![finding], unknown, skipped: None }
}

fn equal_but_for_case<'a>(seen: &Seen<'a>) -> Vec<(&'a Branch, String)> {
    let mut by_folded = BTreeMap::<String, Vec<&Branch>>::new();
    for branch in &seen.snapshot.branches {
        by_folded.entry(branch.name.text().to_lowercase()).or_default().push(branch);
    }
    let clashing = by_folded.into_values().filter(|group| group.len() > 1);
    clashing.map(|group| (group[1], format!("differs from {} only in case", visible(&group[0].name)))).collect()
}

fn named_like_a_remote<'a>(branches: &[&'a Branch]) -> Vec<(&'a Branch, String)> {
    let mut remotes: Vec<&[u8]> = branches.iter().filter_map(|branch| Some(branch.name.remote_parts()?.0)).collect();
    // A clone as a mirror has no tracking refs, and `origin/x` there came from a push that went wrong.
    remotes.push(b"origin");
    remotes.sort_unstable();
    remotes.dedup();
    let is_like = |branch: &Branch| {
        let short = branch.name.as_bytes().strip_prefix(b"refs/heads/")?;
        let slash = short.iter().position(|&byte| byte == b'/')?;
        remotes.binary_search(&&short[..slash]).is_ok().then(|| "looks like a tracking ref of a remote".to_owned())
    };
    branches.iter().filter_map(|branch| Some((*branch, is_like(branch)?))).collect()
}

/// Git takes the tag, and only warns.
fn named_like_a_tag<'a>(seen: &Seen<'a>, branches: &[&'a Branch]) -> Vec<(&'a Branch, String)> {
    let Known::Seen(refs) = &seen.snapshot.facts.refs else { return Vec::new() };
    let of_tag = |tag: &RefName| {
        let short = tag.as_bytes().strip_prefix(b"refs/tags/")?;
        let is_it = |branch: &&&Branch| branch.name.as_bytes().strip_prefix(b"refs/heads/") == Some(short);
        Some((*branches.iter().find(is_it)?, "is also the name of a tag".to_owned()))
    };
    refs.tags_named_like_branches.iter().filter_map(of_tag).collect()
}

fn rename(branch: &Branch) -> Remedy {
    let text = "Give the branch another name, in agreement with its author. The command gives the first a second name; \
                when all is well, delete the old one.";
    let Some(tip) = branch.tip.seen() else { return Remedy::reversible(text, []) };
    let plain: Vec<u8> = branch
        .name
        .short()
        .as_bytes()
        .iter()
        .map(|&byte| if byte.is_ascii_alphanumeric() || b"/._".contains(&byte) { byte } else { b'_' })
        .collect();
    let new = shell_word(&[b"refs/heads/renamed/".as_slice(), plain.as_slice()].concat());
    let undo = undo_command(branch).map(|undo| format!(" Undo a deletion: {undo}")).unwrap_or_default();
    Remedy::reversible(format!("{text}{undo}"), [format!("git update-ref {new} {} ''", tip.oid)])
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};

    fn named(bytes: &[u8]) -> Branch {
        let mut branch = branch("refs/heads/x", 1, 1);
        branch.name = RefName::new(bytes);
        branch
    }

    #[test]
    fn ordinary_names_are_neither() {
        let mut snapshot = snapshot([named(b"refs/heads/feature/\xc3\xa4-1"), named(b"refs/remotes/origin/x")]);
        assert_eq!(judged(&HOSTILE, &snapshot), Outcome::default());
        assert!(judged(&AMBIGUOUS, &snapshot).unknown.is_some(), "a tag of the same name could not be seen");
        snapshot.facts.refs = Known::Seen(Default::default());
        assert_eq!(judged(&AMBIGUOUS, &snapshot), Outcome::default());
    }

    #[test]
    fn each_kind_of_hostile_name_is_seen_and_shown_harmless() {
        let names: [&[u8]; 6] = [
            b"refs/heads/a\x1b[31m",
            "refs/heads/b\u{202e}gnp".as_bytes(),
            b"refs/heads/-delete",
            b"refs/heads/HEAD",
            b"refs/heads/0123456789abcdef0123456789abcdef01234567",
            b"refs/heads/\xff",
        ];
        let finding = only(judged(&HOSTILE, &snapshot(names.map(named))));
        assert_eq!(finding.evidence["n_names"], 6);
        let text = serde_json::to_string(&finding.evidence["names"]).unwrap();
        assert!(text.contains("u{1b}[31m") && text.contains("u{202e}gnp"), "{text}");
    }

    #[test]
    fn names_that_clash_are_found() {
        let snapshot = snapshot([named(b"refs/heads/Fix"), named(b"refs/heads/fix"), named(b"refs/heads/origin/y")]);
        let finding = only(judged(&AMBIGUOUS, &snapshot));
        assert_eq!(
            told([&finding]),
            "[warning] ambiguous-names: 2 branch names are ambiguous, such as `fix`, which differs from `Fix` only in case"
        );
        assert_eq!(finding.evidence["n_names"], 2);
    }

    #[test]
    fn a_tag_of_the_same_name_makes_a_branch_ambiguous() {
        let mut snapshot = snapshot([named(b"refs/heads/v1")]);
        let tags_named_like_branches = vec!["refs/tags/v1".into(), "refs/tags/main".into()];
        snapshot.facts.refs =
            Known::Seen(crate::facts::refs::RefFacts { tags_named_like_branches, ..Default::default() });
        assert_eq!(
            told(&judged(&AMBIGUOUS, &snapshot).findings),
            "[warning] ambiguous-names: 1 branch name is ambiguous, such as `v1`, which is also the name of a tag"
        );
    }
}
