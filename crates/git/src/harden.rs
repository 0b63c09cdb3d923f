//! What keeps a repository from running its own programs in the git we start.
//!
//! A repository is written by strangers: its configuration, hooks, attributes and
//! remotes can all name programs. This file is the list of what is switched off,
//! each row with its reason; `tests/tripwires.rs` proves every row against a hostile
//! repository, with a proof that the trap works when the row is missing.
//!
//! Values go in by `GIT_CONFIG_COUNT`, not by `-c`: with `-c` a name that holds `=`
//! (`filter.a=b.clean`) could not be overridden.
//!
//! Accepted gap: names of filters, drivers and hooks are read once, when a
//! repository is opened; whoever can rewrite its configuration between that and
//! our next git may add one. He must be able to write there as we read.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// One variable of the environment that every git gets, and why. Everything else but `PATH` is removed.
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: &'static str,
    /// What would happen without it.
    pub why: &'static str,
}

/// One setting that overrides the repository's, and why.
pub struct Override {
    /// Its key, as git writes it.
    pub key: &'static str,
    /// Its value.
    pub value: &'static str,
    /// What would happen without it.
    pub why: &'static str,
}

/// One key that names a program under a name the repository makes up: `section.<name>.key`.
pub struct Program {
    /// Its section, such as `filter`.
    pub section: &'static str,
    /// The key behind the name, such as `clean`.
    pub key: &'static str,
    /// The key that disarms it for that name, and its value.
    pub disarm: (&'static str, &'static str),
    /// When the program would run.
    pub why: &'static str,
}

const fn variable(name: &'static str, value: &'static str, why: &'static str) -> Variable {
    Variable { name, value, why }
}

const fn setting(key: &'static str, value: &'static str, why: &'static str) -> Override {
    Override { key, value, why }
}

const fn program(
    section: &'static str,
    key: &'static str,
    disarm: (&'static str, &'static str),
    why: &'static str,
) -> Program {
    Program { section, key, disarm, why }
}

/// The whole environment, besides `PATH`.
///
/// No variable `GIT_*` of ours reaches git otherwise: started from a hook, they would lead it into another repository.
pub const ENVIRONMENT: &[Variable] = &[
    variable("LC_ALL", "C", "messages are read by us and must not be translated"),
    // A folder below a device can never come to be; Git takes "not a directory" as "not there".
    variable("HOME", "/dev/null", "dot files of the user change answers"),
    variable("GIT_CONFIG_NOSYSTEM", "1", "system settings make answers differ between hosts"),
    variable("GIT_CONFIG_SYSTEM", "/dev/null", "the same, for gits that were built with another path"),
    variable("GIT_CONFIG_GLOBAL", "/dev/null", "user settings make answers differ between users"),
    variable("GIT_ATTR_NOSYSTEM", "1", "attributes of the system change merges and name filters"),
    variable("GIT_TERMINAL_PROMPT", "0", "a question for a password would hang us"),
    variable("GIT_ASKPASS", "/bin/false", "a program that asks for a password"),
    variable("SSH_ASKPASS", "/bin/false", "the same, through ssh"),
    variable("GIT_EDITOR", "/bin/false", "an editor would wait for a person"),
    variable("GIT_PAGER", "cat", "a pager named by the repository"),
    // Not core.gitProxy: of several values the first counts there, and ours comes last.
    variable("GIT_PROXY_COMMAND", "", "a program in place of the connection"),
    variable("GIT_OPTIONAL_LOCKS", "0", "reading must not take index.lock from a running alignment"),
    variable("GIT_NO_REPLACE_OBJECTS", "1", "distances are measured on the history that really is"),
    variable(
        "GIT_NO_LAZY_FETCH",
        "1",
        "reading a missing object would start a fetch, with programs the repository names",
    ),
    // Who ever lets a command reach a remote must give it `--upload-pack` or `--receive-pack`: of several settings of
    // `remote.<name>.uploadpack` the first counts, so none of ours can take the place of the repository's.
    variable("GIT_ALLOW_PROTOCOL", "", "nothing we ask needs a remote; each way to one can run a program"),
    variable("GIT_PROTOCOL_FROM_USER", "0", "the same, where a protocol is allowed to people only"),
];

/// Settings that every git gets, whatever the repository says.
pub const SETTINGS: &[Override] = &[
    setting("core.hooksPath", "/dev/null", "hooks of the repository run on writes, gc and checkouts"),
    setting("core.fsmonitor", "false", "a program that runs when the index is read, even in gc and fsck"),
    setting("core.alternateRefsCommand", "", "a program that runs when another repository is borrowed from"),
    setting("core.sshCommand", "false", "a program in place of ssh"),
    setting("core.askPass", "/bin/false", "a program that asks for a password"),
    setting("core.editor", "false", "a program in place of the editor"),
    setting("sequence.editor", "false", "a program in place of the rebase editor"),
    setting("core.pager", "cat", "a program in place of the pager"),
    setting("core.attributesFile", "/dev/null", "attributes from elsewhere name filters and merge drivers"),
    setting("core.symlinks", "false", "a link written by a checkout leads the next write elsewhere"),
    setting("credential.helper", "", "a program that is asked for passwords"),
    setting("credential.interactive", "false", "a question for a password would hang us"),
    // Not empty: that, too, would be started, and not "true", which would be an empty diff. `--no-ext-diff` comes first.
    setting("diff.external", "false", "a program in place of diff"),
    setting("interactive.diffFilter", "", "a program that reads diffs"),
    setting("gc.auto", "0", "no upkeep that nobody asked for"),
    setting("maintenance.auto", "false", "no upkeep that nobody asked for"),
    setting("gpg.program", "false", "a program that checks signatures"),
    setting("gpg.openpgp.program", "false", "a program that checks signatures"),
    setting("gpg.x509.program", "false", "a program that checks signatures"),
    setting("gpg.ssh.program", "false", "a program that checks signatures"),
    setting("gpg.ssh.defaultKeyCommand", "", "a program that names a key"),
    setting("log.showSignature", "false", "showing a commit would check its signature, by a program"),
    setting("merge.verifySignatures", "false", "merging would check a signature, by a program"),
    setting("protocol.allow", "never", "nothing we ask needs a remote"),
    setting("protocol.ext.allow", "never", "`ext::` runs any program"),
    setting("transfer.bundleURI", "false", "a fetch would first load files the other side names"),
    setting("fetch.bundleURI", "", "the same, named by the repository"),
    setting("transfer.fsckObjects", "true", "what arrives is checked before it is kept"),
    setting("submodule.recurse", "false", "submodules are other repositories, and as hostile"),
    setting("fetch.recurseSubmodules", "false", "the same, in a fetch"),
    setting("safe.bareRepository", "explicit", "a bare repository inside of a working tree is never meant"),
    setting("color.ui", "false", "answers are read by us"),
    setting("core.quotePath", "false", "answers are read by us, as bytes"),
];

/// Programs under names that a repository makes up. Each one found in its configuration is disarmed by that name.
pub const PROGRAMS: &[Program] = &[
    program("filter", "clean", ("clean", ""), "attributes name a filter; it runs on status and diff"),
    program("filter", "smudge", ("smudge", ""), "attributes name a filter; it runs on checkout"),
    program("filter", "process", ("process", ""), "attributes name a filter; it runs on status, diff and checkout"),
    program(
        "filter",
        "required",
        ("required", "false"),
        "a filter that is required and switched off would be an error",
    ),
    // Not empty: an empty driver "succeeds" and takes our side, so that a conflict would look clean.
    program("merge", "driver", ("driver", "false"), "attributes name a merge driver; it runs even in merge-tree"),
    program("diff", "command", ("command", "false"), "attributes name a diff driver; it runs in diff"),
    program("diff", "textconv", ("textconv", "false"), "attributes name a diff driver; it runs in diff and log"),
    program("hook", "command", ("enabled", "false"), "a hook of the configuration, which core.hooksPath does not stop"),
    program("hook", "event", ("enabled", "false"), "the same, where the command stands in another file"),
    program("remote", "vcs", ("vcs", ""), "a fetch runs `git-remote-<vcs>`"),
    program("credential", "helper", ("helper", ""), "a program that is asked for passwords, for one address"),
    program("trailer", "command", ("command", ""), "a program that makes trailers of a message"),
    program("trailer", "cmd", ("cmd", "true"), "a program that makes trailers of a message"),
    program("submodule", "update", ("update", "none"), "`!program` as the way to update a submodule"),
    program("tar", "command", ("command", "false"), "`git archive` runs it to pack"),
    program("mergetool", "cmd", ("cmd", "false"), "`git mergetool` runs it"),
    program("difftool", "cmd", ("cmd", "false"), "`git difftool` runs it"),
];

/// Settings that no override reaches, and the commands that are refused where the repository has them.
///
/// A key with many values collects them all; an empty one takes none of them back.
pub const REFUSED: &[(&str, &[&str], &str)] = &[(
    "gc.recentobjectshook",
    &["gc", "maintenance", "pack-objects", "prune", "repack"],
    "a program that runs in upkeep",
)];

/// The key for which this command is refused, if the repository has it.
pub fn refuses<'a>(command: &str, mut keys: impl Iterator<Item = &'a [u8]>) -> Option<&'static str> {
    let (key, _, _) = REFUSED.iter().find(|(_, commands, _)| commands.contains(&command))?;
    keys.any(|found| found.eq_ignore_ascii_case(key.as_bytes())).then_some(key)
}

/// Commands that show differences, which get [`NO_DIFF_PROGRAMS`] as options.
pub const SHOW_DIFFERENCES: [&str; 6] = ["diff", "diff-files", "diff-index", "diff-tree", "log", "show"];

/// Without these, a setting that is switched off would end the command: there is no value that means "none".
pub const NO_DIFF_PROGRAMS: [&str; 2] = ["--no-ext-diff", "--no-textconv"];

/// All events a hook can be for. Source: githooks(5) of Git's master, 2026-08-20.
///
/// A hook of the configuration (2.54 and later) may serve any of them under any
/// name; this stops them by event, [`PROGRAMS`] by name. Older gits ignore the key.
pub const HOOK_EVENTS: [&str; 28] = [
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "pre-receive",
    "update",
    "proc-receive",
    "post-receive",
    "post-update",
    "reference-transaction",
    "push-to-checkout",
    "pre-auto-gc",
    "post-rewrite",
    "sendemail-validate",
    "fsmonitor-watchman",
    "p4-changelist",
    "p4-prepare-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
    "post-index-change",
];

/// A setting as bytes: `section.name.key` and its value.
pub type Setting = (OsString, OsString);

/// The overrides that hold for every repository.
pub fn settings() -> impl Iterator<Item = Setting> {
    let plain = SETTINGS.iter().map(|row| (row.key.into(), row.value.into()));
    plain.chain(HOOK_EVENTS.iter().map(|event| (format!("hook.{event}.enabled").into(), "false".into())))
}

/// The overrides for programs named in this configuration; its keys are as `git config --list` prints them.
///
/// Shape: sorted by key, each once.
pub fn disarm<'a>(keys: impl Iterator<Item = &'a [u8]>) -> Vec<Setting> {
    let mut found: Vec<Setting> = keys.filter_map(disarm_one).collect();
    found.sort();
    found.dedup();
    found
}

/// The override for one key; `None` when it names no program.
fn disarm_one(key: &[u8]) -> Option<Setting> {
    let first = key.iter().position(|&byte| byte == b'.')?;
    let last = key.iter().rposition(|&byte| byte == b'.')?;
    let name = key.get(first + 1..last)?;
    let is_it = |row: &&Program| {
        row.section.as_bytes().eq_ignore_ascii_case(&key[..first])
            && row.key.as_bytes().eq_ignore_ascii_case(&key[last + 1..])
    };
    let (set, value) = PROGRAMS.iter().find(is_it)?.disarm;
    let disarmed = [&key[..first], b".", name, b".", set.as_bytes()].concat();
    Some((OsString::from_vec(disarmed), value.into()))
}

/// The empty tree of a hash function, which every git knows without having it: a source without attributes.
pub fn empty_tree(object_format: &str) -> &'static str {
    match object_format {
        "sha256" => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
        _ => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disarmed(keys: &[&str]) -> Vec<String> {
        let text = |(key, value): Setting| format!("{}={}", key.display(), value.display());
        disarm(keys.iter().map(|key| key.as_bytes())).into_iter().map(text).collect()
    }

    #[test]
    fn each_program_found_is_disarmed_once_by_its_name() {
        let found =
            disarmed(&["filter.a=b.c.clean", "filter.a=b.c.clean", "core.bare", "merge.renames", "hook.x.event"]);
        assert_eq!(found, ["filter.a=b.c.clean=", "hook.x.enabled=false"]);
    }

    #[test]
    fn every_row_says_why() {
        assert!(ENVIRONMENT.iter().all(|row| 10 < row.why.len()));
        assert!(SETTINGS.iter().all(|row| 10 < row.why.len() && row.key.contains('.')));
        assert!(PROGRAMS.iter().all(|row| 10 < row.why.len()));
    }
}
