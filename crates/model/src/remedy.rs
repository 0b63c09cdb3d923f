//! What to do about a finding: words, commands to paste, and what those commands do.
//!
//! A command that only looks and one that changes something are told apart in
//! every form of output. Which is which is decided here, from a closed list of
//! commands that only look; in doubt a command changes something.

use serde::Serialize;

/// What to do about a finding.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Remedy {
    /// In words.
    pub text: String,
    /// Commands that can be pasted into a POSIX shell in the repository, in order.
    pub commands: Vec<String>,
    /// For each command, whether it only looks.
    pub only_looks: Vec<bool>,
    /// Can what the commands change be undone? `None` when they change nothing.
    pub reversible: Option<bool>,
}

impl Remedy {
    /// Words and commands; what these change, if anything, can be undone.
    pub fn reversible(text: impl Into<String>, commands: impl IntoIterator<Item = String>) -> Remedy {
        Remedy::new(text.into(), commands, true)
    }

    /// Words and commands; what these change, if anything, cannot be undone.
    pub fn irreversible(text: impl Into<String>, commands: impl IntoIterator<Item = String>) -> Remedy {
        Remedy::new(text.into(), commands, false)
    }

    fn new(text: String, commands: impl IntoIterator<Item = String>, can_be_undone: bool) -> Remedy {
        let commands: Vec<String> = commands.into_iter().collect();
        let only_looks: Vec<bool> = commands.iter().map(|command| only_looks(command)).collect();
        let reversible = only_looks.contains(&false).then_some(can_be_undone);
        Remedy { text, commands, only_looks, reversible }
    }
}

/// The command that merges a base into a branch; a bare repository needs a folder for that. `plain` is the branch without
/// `refs/heads/`, the others are words of a shell.
pub fn aligned_by_merge(plain: &str, branch: &str, base: &str, is_bare: bool) -> String {
    if !is_bare {
        return format!("git switch {branch} && git merge {base}");
    }
    let name = plain.rsplit('/').next().unwrap_or_default();
    let name: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    format!("git worktree add ../align-{name} {branch} && git -C ../align-{name} merge {base}")
}

/// Verbs of Git that change neither refs nor files nor settings.
const LOOKING_VERBS: [&str; 19] = [
    "--version",
    "cat-file",
    "cherry",
    "count-objects",
    "diff",
    "for-each-ref",
    "fsck",
    "grep",
    "log",
    "ls-files",
    "ls-remote",
    "ls-tree",
    "merge-base",
    "merge-tree",
    "range-diff",
    "rev-list",
    "show",
    "status",
    "version",
];

/// Verbs of Git that look when this follows.
const LOOKING_FORMS: [(&str, &[&str]); 7] = [
    ("branch", &["--all", "-vv"]),
    ("config", &["--get", "--get-all", "--list", "--show-origin", "--show-scope"]),
    ("reflog", &["show"]),
    ("remote", &["-v"]),
    ("replace", &["--list"]),
    ("stash", &["list"]),
    ("worktree", &["list"]),
];

/// Verbs of Git that look when they are told to change nothing.
const DRY_VERBS: [&str; 2] = ["prune", "worktree"];

/// Options that make a looking command write, or start a program.
const WRITING_OPTIONS: [&str; 5] = ["--lost-found", "--output", "--open-files-in-pager", "-O", "-o"];

/// Options with which `git branch` changes branches.
const CHANGING_BRANCHES: [&str; 11] =
    ["-d", "-D", "-m", "-M", "-c", "-C", "-f", "--delete", "--move", "--copy", "--force"];

/// Programs that only look.
const LOOKING_PROGRAMS: [&str; 13] =
    ["cut", "df", "du", "free", "grep", "head", "ls", "ps", "sort", "stat", "tail", "timedatectl", "wc"];

/// Does this command leave everything as it is? In doubt it does not.
pub fn only_looks(command: &str) -> bool {
    let plain = command.replace("\"$(git rev-parse --git-path ", "\"(git-path ");
    match without_quoted(&plain) {
        Some(bare) if !bare.contains(['&', ';', '<', '>', '$', '`']) => {
            bare.split('|').all(|part| part_only_looks(part.trim()))
        }
        _ => false,
    }
}

/// The command with a letter in place of each text between single quotes; `None` when a quote is not closed.
fn without_quoted(command: &str) -> Option<String> {
    let mut bare = String::new();
    let mut rest = command.chars();
    while let Some(char) = rest.next() {
        match char {
            '\'' => {
                rest.by_ref().find(|&char| char == '\'')?;
                bare.push('q');
            }
            '\\' => {
                rest.next()?;
                bare.push('q');
            }
            _ => bare.push(char),
        }
    }
    Some(bare)
}

fn part_only_looks(command: &str) -> bool {
    let mut words = command.split_ascii_whitespace().skip_while(|word| *word == "GIT_TERMINAL_PROMPT=0");
    let program = words.next();
    let words: Vec<&str> = words.collect();
    let writes = |word: &&str| WRITING_OPTIONS.contains(&word.split('=').next().unwrap_or_default());
    if words.iter().any(writes) {
        return false;
    }
    match (program, words.as_slice()) {
        (Some("alignwatch"), ["check" | "branches" | "explain", ..]) => true,
        (Some("alignwatch"), ["doctor", rest @ ..]) => !rest.iter().any(|word| ["--fix", "--undo"].contains(word)),
        (Some("alignwatch"), ["task", "plan" | "list" | "history" | "due", ..]) => true,
        (Some("alignwatch"), ["config", "check" | "show" | "schema" | "explain", ..]) => true,
        (Some("git"), ["-C", _, words @ ..] | words) => git_only_looks(words),
        (Some("date"), ["-u"]) | (Some("uniq"), ["-c"]) => true,
        (Some(program), _) => LOOKING_PROGRAMS.contains(&program),
        (None, _) => false,
    }
}

fn git_only_looks(words: &[&str]) -> bool {
    let [verb, rest @ ..] = words else { return false };
    let is_form = |(of, firsts): &(&str, &[&str])| of == verb && rest.first().is_some_and(|word| firsts.contains(word));
    let is_dry = DRY_VERBS.contains(verb) && rest.iter().any(|word| ["--dry-run", "-n"].contains(word));
    let changes_branches = *verb == "branch" && rest.iter().any(|word| CHANGING_BRANCHES.contains(word));
    LOOKING_VERBS.contains(verb) || is_dry || LOOKING_FORMS.iter().any(is_form) && !changes_branches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_repository_gets_a_folder_to_merge_in() {
        let aligned = |is_bare| aligned_by_merge("a/b c", "'a/b c'", "refs/heads/main", is_bare);
        assert_eq!(aligned(false), "git switch 'a/b c' && git merge refs/heads/main");
        assert_eq!(aligned(true), "git worktree add ../align-b-c 'a/b c' && git -C ../align-b-c merge refs/heads/main");
    }

    #[test]
    fn a_command_that_may_change_something_is_never_called_harmless() {
        for looks in [
            "git log -3 refs/heads/x",
            "git log -3 'refs/heads/a;b'",
            r"git log 'refs/heads/it'\''s'",
            "git -C ../w status",
            "git branch --all --contains HEAD",
            "git reflog show x",
            "git prune --dry-run --expire=2.weeks.ago",
            "alignwatch branches",
            "alignwatch doctor --journal",
            "alignwatch task plan pack-refs --explain",
            "git merge-base a b",
            "git grep -n -E -e '^(<<<<<<<|>>>>>>>)' x",
            "GIT_TERMINAL_PROMPT=0 git ls-remote --symref origin HEAD",
            "ls -lt \"$(git rev-parse --git-path objects/pack)\" | head",
            "ps -e | head",
        ] {
            assert!(only_looks(looks), "{looks}");
        }
        for changes in [
            "git update-ref -d refs/heads/x 1234",
            "git fetch --refetch",
            "git log x && git branch -D x",
            "git log $(git branch -D x)",
            "git log \"$(git rev-parse --git-path x; git branch -D x)\"",
            "git log > x",
            "git log --output=x",
            "git grep -O x",
            "git log 'x",
            r"git log \'; rm x \'",
            "git fsck --lost-found",
            "git branch --all -D x",
            "git prune",
            "git config --global x y",
            "ps | xargs kill",
            "sort -o x",
            "date -u -s now",
            "git reflog expire --all",
            "git config core.hooksPath x",
            "alignwatch doctor --fix",
            "alignwatch doctor --undo 3",
            "alignwatch task run pack-refs",
            "rm .git/index.lock",
            "git",
            "",
        ] {
            assert!(!only_looks(changes), "{changes}");
        }
    }

    #[test]
    fn what_changes_nothing_needs_no_undo() {
        let look = Remedy::reversible("See.", ["git log x".to_owned()]);
        assert_eq!((look.only_looks, look.reversible), (vec![true], None));
        assert_eq!(Remedy::irreversible("Ask.", []).reversible, None);
        let both = Remedy::irreversible("Drop.", ["git log x".to_owned(), "git prune".to_owned()]);
        assert_eq!((both.only_looks, both.reversible), (vec![true, false], Some(false)));
    }
}
