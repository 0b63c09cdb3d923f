//! Hostile repositories: each row of the hardened set against a repository that would use its absence.
//!
//! A trap is a repository whose settings, hooks or attributes name a program that leaves
//! a mark. Each is proven live first: the same command with plain git must leave the
//! mark, or the trap proves nothing. Then each row that claims to stop it must do so
//! alone, in plain git; and at last the command runs through the runner, and there must
//! be no mark. A row of the table without a trap needs a reason here.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a failed step of a test ends it")]

mod plain_git;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use alignwatch_git::harden::{ENVIRONMENT, HOOK_EVENTS, PROGRAMS, REFUSED, SETTINGS, disarm};
use alignwatch_git::repository::{Opened, open};
use alignwatch_git::run::{Git, GitAt, GitError, Limits, Output};
use alignwatch_model::Oid;
use plain_git::{commit, git, version};

/// A repository to make hostile, and a program that leaves a mark when it runs.
struct World {
    _keep: tempfile::TempDir,
    root: PathBuf,
    repo: PathBuf,
}

impl World {
    /// Two commits that change `f.txt`, a side branch that changes it otherwise, and people who may commit.
    fn new() -> World {
        let keep = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(keep.path()).unwrap();
        let repo = root.join("repo");
        fs::create_dir(&repo).unwrap();
        git(&repo, &["init", "-q", "-b", "main"]);
        let world = World { _keep: keep, root, repo };
        world.write(".git/more", "[user]\n\tname = A\n\temail = a@example.org\n");
        world.set("include.path", "more");
        assert!(world.plain(&["fast-import", "--quiet"], HISTORY).status.success());
        git(&world.repo, &["reset", "-q", "--hard", "main"]);
        world.program(&world.root.join("trap"), "");
        world
    }

    fn set(&self, key: &str, value: &str) {
        git(&self.repo, &["config", "--add", key, value]);
    }

    fn write(&self, name: &str, content: &str) {
        let file = self.repo.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    fn save(&self, name: &str, content: &str) {
        self.write(name, content);
        git(&self.repo, &["add", name]);
        git(&self.repo, &["commit", "-q", "-m", name]);
    }

    /// Makes a program that leaves a mark with its name, and then does this.
    fn program(&self, file: &Path, then: &str) {
        let text = format!("#!/bin/sh\nbasename \"$0\" >> '{}'\n{then}\nexit 0\n", self.mark().display());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn trap(&self) -> String {
        self.root.join("trap").display().to_string()
    }

    fn mark(&self) -> PathBuf {
        self.root.join("mark")
    }

    /// The names of the programs that ran.
    fn ran(&self) -> BTreeSet<String> {
        let marks = fs::read_to_string(self.mark()).unwrap_or_default();
        marks.lines().map(str::to_owned).collect()
    }

    fn plain(&self, words: &[&str], input: &str) -> std::process::Output {
        self.plain_with(&[], words, input)
    }

    /// Plain git with these variables in addition.
    fn plain_with(&self, variables: &[(OsString, OsString)], words: &[&str], input: &str) -> std::process::Output {
        let mut command = plain_git::command(&self.repo);
        command
            .envs(variables.iter().cloned())
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn hardened(&self, words: &'static [&'static str], input: &str) -> Result<Output, GitError> {
        let runner = Git::find().unwrap();
        let opened = open(&self.repo).unwrap();
        hardened(&runner.at(&opened).unwrap(), words, input)
    }
}

/// Runs the words as one command, with the working tree in sight: the most that any command of ours may see.
fn hardened(at: &GitAt<'_>, words: &'static [&'static str], input: &str) -> Result<Output, GitError> {
    let limits = Limits { time: Duration::from_secs(20), ..Limits::default() };
    let call = at.command(words[0]).in_worktree().limits(limits).input(input.into());
    words[1..].iter().fold(call, |call, word| call.option(word)).run()
}

/// `main` and `side`, each with one commit of its own that changes the same line.
const HISTORY: &str = "commit refs/heads/main
committer A <a@example.org> 1 +0000
data 1
1
M 100644 inline f.txt
data 4
one
commit refs/heads/side
committer A <a@example.org> 2 +0000
data 1
3
from refs/heads/main
M 100644 inline f.txt
data 6
three
commit refs/heads/main
committer A <a@example.org> 3 +0000
data 1
2
M 100644 inline f.txt
data 4
two

";

/// A way to make git run a program, and the rows that keep it from doing so.
struct Trap {
    rows: &'static [&'static str],
    /// The first git 2.x whose plain form falls into it.
    since: u32,
    arm: fn(&World),
    command: &'static [&'static str],
    input: &'static str,
}

fn prove(trap: &Trap) {
    let armed = || {
        let world = World::new();
        (trap.arm)(&world);
        world
    };
    let plain = armed();
    let output = plain.plain(trap.command, trap.input);
    if 2000 + trap.since <= version() {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!plain.ran().is_empty(), "plain git does not fall into this trap, so it proves nothing: {said}");
    } else {
        println!("not proven live: plain git falls into this trap since 2.{}", trap.since);
    }
    for row in trap.rows {
        let world = armed();
        let output = world.plain_with(&alone(row, &world), trap.command, trap.input);
        assert_eq!(world.ran(), BTreeSet::new(), "{row} alone does not stop it: {output:?}");
    }
    let world = armed();
    let outcome = world.hardened(trap.command, trap.input);
    assert_eq!(world.ran(), BTreeSet::new(), "it ran, and said {outcome:?}");
}

/// The variables that make one row of the hardened set count in plain git.
fn alone(row: &str, world: &World) -> Vec<(OsString, OsString)> {
    if let Some(variable) = ENVIRONMENT.iter().find(|variable| variable.name == row) {
        return vec![(variable.name.into(), variable.value.into())];
    }
    let settings = match SETTINGS.iter().find(|setting| setting.key == row) {
        Some(setting) => vec![(setting.key.into(), setting.value.into())],
        None => {
            let (section, key) = row.split_once('.').unwrap();
            let listed = world.plain(&["config", "--list", "--name-only", "-z"], "").stdout;
            let of_row = |name: &&[u8]| name.starts_with(section.as_bytes()) && name.ends_with(key.as_bytes());
            disarm(listed.split(|&byte| byte == 0).filter(of_row))
        }
    };
    assert!(!settings.is_empty(), "there is no row {row}");
    let count = ("GIT_CONFIG_COUNT".into(), settings.len().to_string().into());
    let numbered = settings.into_iter().enumerate().flat_map(|(at, (key, value))| {
        [(format!("GIT_CONFIG_KEY_{at}").into(), key), (format!("GIT_CONFIG_VALUE_{at}").into(), value)]
    });
    numbered.chain([count]).collect()
}

macro_rules! tripwires {
    ($($name:ident { rows: $rows:expr, since: $since:expr, arm: $arm:expr, command: $command:expr, input: $input:expr })*) => {
        $(#[test]
        fn $name() {
            prove(&Trap { rows: &$rows, since: $since, arm: $arm, command: &$command, input: $input });
        })*

        /// All of them, for the tests that look at the whole.
        const TRAPS: &[Trap] = &[
            $(Trap { rows: &$rows, since: $since, arm: $arm, command: &$command, input: $input },)*
        ];
    };
}

/// What a password program is asked.
const WHO: &str = "protocol=https\nhost=example.org\n\n";

tripwires! {
    a_hook_in_the_repository {
        rows: ["core.hooksPath"], since: 28,
        arm: |world| world.program(&world.repo.join(".git/hooks/reference-transaction"), ""),
        command: ["update-ref", "refs/heads/new", "HEAD"], input: ""
    }
    a_hook_in_a_folder_named_by_the_configuration {
        rows: ["core.hooksPath"], since: 28,
        arm: |world| {
            world.program(&world.root.join("hooks/reference-transaction"), "");
            world.set("core.hooksPath", world.root.join("hooks").to_str().unwrap());
        },
        command: ["update-ref", "refs/heads/new", "HEAD"], input: ""
    }
    a_hook_in_the_configuration {
        rows: ["hook.command", "hook.event"], since: 54,
        arm: |world| {
            world.set("hook.my.trap.command", &world.trap());
            world.set("hook.my.trap.event", "reference-transaction");
        },
        command: ["update-ref", "refs/heads/new", "HEAD"], input: ""
    }
    a_hook_in_the_configuration_named_like_an_unknown_event {
        rows: ["hook.command", "hook.event"], since: 54,
        arm: |world| {
            world.set("hook.future-event.command", &world.trap());
            world.set("hook.future-event.event", "post-index-change");
        },
        command: ["read-tree", "HEAD"], input: ""
    }
    a_file_system_monitor {
        rows: ["core.fsmonitor"], since: 16,
        arm: |world| world.set("core.fsmonitor", &world.trap()),
        command: ["status"], input: ""
    }
    a_file_system_monitor_in_gc {
        rows: ["core.fsmonitor"], since: 16,
        arm: |world| world.set("core.fsmonitor", &world.trap()),
        command: ["gc", "-q"], input: ""
    }
    a_command_for_the_refs_of_alternates {
        rows: ["core.alternateRefsCommand"], since: 20,
        arm: |world| {
            git(&world.root, &["init", "-q", "--bare", "other"]);
            world.write(".git/objects/info/alternates", &format!("{}/other/objects\n", world.root.display()));
            world.set("core.alternateRefsCommand", &world.trap());
        },
        command: ["rev-list", "--alternate-refs", "--count"], input: ""
    }
    a_program_in_place_of_ssh {
        rows: ["core.sshCommand"], since: 10,
        arm: |world| world.set("core.sshCommand", &world.trap()),
        command: ["ls-remote", "ssh://127.0.0.1:1/x"], input: ""
    }
    a_proxy_for_the_git_protocol {
        rows: ["GIT_PROXY_COMMAND"], since: 0,
        arm: |world| world.set("core.gitProxy", &world.trap()),
        command: ["ls-remote", "git://127.0.0.1:1/x"], input: ""
    }
    a_program_that_asks_for_passwords {
        rows: ["core.askPass", "GIT_ASKPASS"], since: 0,
        arm: |world| world.set("core.askPass", &world.trap()),
        command: ["credential", "fill"], input: WHO
    }
    a_store_of_passwords {
        rows: ["credential.helper"], since: 0,
        arm: |world| world.set("credential.helper", &world.trap()),
        command: ["credential", "fill"], input: WHO
    }
    a_store_of_passwords_for_one_address {
        rows: ["credential.helper"], since: 0,
        arm: |world| world.set("credential.https://example.org.helper", &world.trap()),
        command: ["credential", "fill"], input: WHO
    }
    a_store_of_passwords_that_is_a_shell_line {
        rows: ["credential.helper"], since: 0,
        arm: |world| world.set("credential.https://example.org.helper", &format!("!{}", world.trap())),
        command: ["credential", "fill"], input: WHO
    }
    an_editor {
        rows: ["core.editor", "GIT_EDITOR"], since: 0,
        arm: |world| world.set("core.editor", &world.trap()),
        command: ["tag", "-a", "v1"], input: ""
    }
    an_editor_of_sequences {
        rows: ["sequence.editor"], since: 0,
        arm: |world| world.set("sequence.editor", &world.trap()),
        command: ["rebase", "-i", "HEAD~1"], input: ""
    }
    attributes_from_another_file {
        rows: ["core.attributesFile"], since: 0,
        arm: |world| {
            fs::write(world.root.join("attributes"), "* filter=x\n").unwrap();
            world.set("core.attributesFile", world.root.join("attributes").to_str().unwrap());
            world.set("filter.x.smudge", &world.trap());
        },
        command: ["cat-file", "--filters", "HEAD:f.txt"], input: ""
    }
    a_program_in_place_of_diff {
        rows: ["diff.external"], since: 0,
        arm: |world| world.set("diff.external", &world.trap()),
        command: ["diff", "HEAD~1", "HEAD"], input: ""
    }
    a_filter_of_interactive_diffs {
        rows: ["interactive.diffFilter", "color.ui"], since: 40,
        arm: |world| {
            world.set("interactive.diffFilter", &world.trap());
            world.set("color.ui", "always");
            world.write("f.txt", "changed\n");
        },
        command: ["add", "-p"], input: "q\n"
    }
    upkeep_when_asked_whether_it_is_needed {
        rows: ["gc.auto"], since: 0,
        arm: |world| {
            world.program(&world.repo.join(".git/hooks/pre-auto-gc"), "");
            world.set("gc.auto", "1");
            make_due(world);
        },
        command: ["gc", "--auto"], input: ""
    }
    upkeep_after_a_commit {
        rows: ["maintenance.auto", "gc.auto"], since: 30,
        arm: |world| {
            world.program(&world.repo.join(".git/hooks/pre-auto-gc"), "");
            world.set("gc.auto", "1");
            make_due(world);
        },
        command: ["commit", "-q", "--allow-empty", "-m", "x"], input: ""
    }
    a_program_that_names_recent_objects {
        rows: [], since: 42,
        arm: |world| {
            world.set("gc.recentObjectsHook", &world.trap());
            // Git asks only for objects that nothing names and that are old.
            let lost = String::from_utf8(world.plain(&["hash-object", "-w", "--stdin"], "lost").stdout).unwrap();
            let file = fs::File::open(world.repo.join(".git/objects").join(&lost[..2]).join(lost[2..].trim())).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
        },
        command: ["prune", "--expire=1.hour.ago"], input: ""
    }
    a_program_for_pgp_signatures {
        rows: ["gpg.program"], since: 0,
        arm: |world| {
            world.set("gpg.program", &world.trap());
            sign(world, "PGP SIGNATURE");
        },
        command: ["verify-commit", "signed"], input: ""
    }
    a_program_for_pgp_signatures_by_its_new_name {
        rows: ["gpg.openpgp.program"], since: 19,
        arm: |world| {
            world.set("gpg.openpgp.program", &world.trap());
            sign(world, "PGP SIGNATURE");
        },
        command: ["verify-commit", "signed"], input: ""
    }
    a_program_for_x509_signatures {
        rows: ["gpg.x509.program"], since: 19,
        arm: |world| {
            world.set("gpg.x509.program", &world.trap());
            sign(world, "SIGNED MESSAGE");
        },
        command: ["verify-commit", "signed"], input: ""
    }
    a_program_for_ssh_signatures {
        rows: ["gpg.ssh.program"], since: 34,
        arm: |world| {
            world.set("gpg.ssh.program", &world.trap());
            world.set("gpg.ssh.allowedSignersFile", "/dev/null");
            sign(world, "SSH SIGNATURE");
        },
        command: ["verify-commit", "signed"], input: ""
    }
    a_program_that_names_a_key {
        rows: ["gpg.ssh.defaultKeyCommand"], since: 34,
        arm: |world| {
            world.set("gpg.ssh.defaultKeyCommand", &world.trap());
            world.set("gpg.format", "ssh");
        },
        command: ["tag", "-s", "-m", "x", "v1"], input: ""
    }
    signatures_shown_by_log {
        rows: ["log.showSignature"], since: 10,
        arm: |world| {
            world.set("log.showSignature", "true");
            world.set("gpg.program", &world.trap());
            sign(world, "PGP SIGNATURE");
        },
        command: ["log", "-1", "signed"], input: ""
    }
    signatures_checked_by_merge {
        rows: ["merge.verifySignatures"], since: 21,
        arm: |world| {
            world.set("merge.verifySignatures", "true");
            world.set("gpg.program", &world.trap());
            sign(world, "PGP SIGNATURE");
        },
        command: ["merge", "signed"], input: ""
    }
    a_remote_that_is_a_command {
        rows: ["GIT_ALLOW_PROTOCOL", "protocol.ext.allow"], since: 12,
        arm: |world| {
            world.set("protocol.ext.allow", "always");
            world.set("remote.evil.url", &format!("ext::{}", world.trap()));
        },
        command: ["ls-remote", "evil"], input: ""
    }
    a_remote_that_is_a_command_as_all_are_allowed {
        rows: ["GIT_ALLOW_PROTOCOL", "protocol.allow"], since: 12,
        arm: |world| {
            world.set("protocol.allow", "always");
            world.set("remote.evil.url", &format!("ext::{}", world.trap()));
        },
        command: ["ls-remote", "evil"], input: ""
    }
    a_remote_that_is_a_command_for_people_only {
        rows: ["GIT_PROTOCOL_FROM_USER"], since: 12,
        arm: |world| {
            world.set("protocol.allow", "user");
            world.set("remote.evil.url", &format!("ext::{}", world.trap()));
        },
        command: ["ls-remote", "evil"], input: ""
    }
    an_address_that_is_rewritten_to_a_command {
        rows: ["protocol.ext.allow"], since: 12,
        arm: |world| {
            world.set("protocol.ext.allow", "always");
            world.set(&format!("url.ext::{} .insteadOf", world.trap()), "https:");
        },
        command: ["ls-remote", "https://example.org"], input: ""
    }
    a_missing_object_that_a_remote_has_promised {
        rows: ["GIT_NO_LAZY_FETCH", "GIT_ALLOW_PROTOCOL"], since: 18,
        arm: |world| {
            promise(world);
        },
        command: ["cat-file", "-p", "1111111111111111111111111111111111111111"], input: ""
    }
    a_missing_object_met_by_a_merge {
        rows: ["GIT_NO_LAZY_FETCH"], since: 38,
        arm: |world| {
            promise(world);
            let blob = git(&world.repo, &["rev-parse", "side:f.txt"]);
            fs::remove_file(world.repo.join(".git/objects").join(&blob[..2]).join(&blob[2..])).unwrap();
        },
        command: ["merge-tree", "--write-tree", "main", "side"], input: ""
    }
    a_program_at_the_other_end_of_a_fetch {
        rows: ["GIT_ALLOW_PROTOCOL"], since: 0,
        arm: |world| {
            world.set("remote.evil.url", "/dev/null/x");
            world.set("remote.evil.uploadpack", &world.trap());
        },
        command: ["ls-remote", "evil"], input: ""
    }
    a_program_at_the_other_end_of_a_push {
        rows: ["GIT_ALLOW_PROTOCOL"], since: 0,
        arm: |world| {
            world.set("remote.evil.url", world.repo.to_str().unwrap());
            world.set("remote.evil.receivepack", &world.trap());
        },
        command: ["push", "evil", "main:refs/heads/new"], input: ""
    }
    a_remote_of_another_kind {
        rows: ["remote.vcs"], since: 0,
        arm: |world| {
            world.set("protocol.ext.allow", "always");
            world.set("remote.evil.vcs", "ext");
            world.set("remote.evil.url", &world.trap());
        },
        command: ["ls-remote", "evil"], input: ""
    }
    a_filter_in_status {
        rows: ["filter.clean"], since: 0,
        arm: |world| {
            world.set("filter.x.clean", &world.trap());
            world.write(".gitattributes", "*.txt filter=x\n");
            world.write("f.txt", "2wo\n");
        },
        command: ["status"], input: ""
    }
    a_filter_whose_name_holds_an_equals_sign {
        rows: ["filter.clean"], since: 0,
        arm: |world| {
            world.set("filter.a=b.c.clean", &world.trap());
            world.write(".gitattributes", "*.txt filter=a=b.c\n");
            world.write("f.txt", "2wo\n");
        },
        command: ["status"], input: ""
    }
    a_filter_named_by_info_attributes {
        rows: ["filter.smudge"], since: 11,
        arm: |world| {
            world.set("filter.x.smudge", &world.trap());
            world.write(".git/info/attributes", "*.txt filter=x\n");
        },
        command: ["cat-file", "--filters", "HEAD:f.txt"], input: ""
    }
    a_filter_that_stays {
        rows: ["filter.process"], since: 11,
        arm: |world| {
            world.set("filter.x.process", &world.trap());
            world.set("filter.x.required", "true");
            world.write(".git/info/attributes", "*.txt filter=x\n");
        },
        command: ["cat-file", "--filters", "HEAD:f.txt"], input: ""
    }
    a_filter_in_an_included_file {
        rows: ["filter.clean"], since: 0,
        arm: |world| {
            fs::write(world.root.join("more"), format!("[filter \"x\"]\n\tclean = {}\n", world.trap())).unwrap();
            world.set("include.path", world.root.join("more").to_str().unwrap());
            world.write(".git/info/attributes", "*.txt filter=x\n");
            world.write("f.txt", "2wo\n");
        },
        command: ["diff"], input: ""
    }
    a_filter_in_the_settings_of_a_worktree {
        rows: ["filter.clean"], since: 20,
        arm: |world| {
            world.set("extensions.worktreeConfig", "true");
            git(&world.repo, &["config", "--worktree", "filter.x.clean", &world.trap()]);
            world.write(".git/info/attributes", "*.txt filter=x\n");
            world.write("f.txt", "2wo\n");
        },
        command: ["diff"], input: ""
    }
    a_merge_driver {
        rows: ["merge.driver"], since: 38,
        arm: |world| {
            world.set("merge.x.driver", &world.trap());
            world.write(".git/info/attributes", "*.txt merge=x\n");
        },
        command: ["merge-tree", "--write-tree", "main", "side"], input: ""
    }
    a_diff_driver {
        rows: ["diff.command"], since: 0,
        arm: |world| {
            world.set("diff.x.command", &world.trap());
            world.write(".git/info/attributes", "*.txt diff=x\n");
        },
        command: ["diff", "HEAD~1", "HEAD"], input: ""
    }
    a_text_conversion {
        rows: ["diff.textconv"], since: 0,
        arm: |world| {
            world.set("diff.x.textconv", &world.trap());
            world.write(".git/info/attributes", "*.txt diff=x\n");
        },
        command: ["log", "-p", "-1"], input: ""
    }
    a_program_for_trailers {
        rows: ["trailer.command"], since: 2,
        arm: |world| world.set("trailer.x.command", &world.trap()),
        command: ["interpret-trailers"], input: "subject\n\nbody\n"
    }
    a_program_for_trailers_by_its_new_name {
        rows: ["trailer.cmd"], since: 32,
        arm: |world| world.set("trailer.x.cmd", &world.trap()),
        command: ["interpret-trailers", "--trailer", "x=1"], input: "subject\n\nbody\n"
    }
    a_way_to_update_submodules {
        rows: ["submodule.update"], since: 0,
        arm: |world| {
            add_submodule(world);
            world.set("submodule.sub.update", &format!("!{}", world.trap()));
            // There is something to update only when the submodule is not where it should be.
            commit(&world.repo.join("sub"), "moved");
        },
        command: ["submodule", "update"], input: ""
    }
    a_fetch_that_goes_into_submodules {
        rows: ["submodule.recurse", "fetch.recurseSubmodules"], since: 14,
        arm: |world| {
            add_submodule(world);
            world.set("submodule.recurse", "true");
            world.set("fetch.recurseSubmodules", "true");
            world.set("remote.origin.url", world.repo.to_str().unwrap());
            git(&world.repo.join("sub"), &["config", "core.sshCommand", &world.trap()]);
            git(&world.repo.join("sub"), &["config", "remote.origin.url", "ssh://127.0.0.1:1/x"]);
        },
        command: ["fetch", "origin"], input: ""
    }
    a_packer_of_archives {
        rows: ["tar.command"], since: 7,
        arm: |world| world.set("tar.x.command", &world.trap()),
        command: ["archive", "--format=x", "HEAD"], input: ""
    }
    a_tool_for_differences {
        rows: ["difftool.cmd"], since: 0,
        arm: |world| world.set("difftool.x.cmd", &world.trap()),
        command: ["difftool", "-y", "--tool=x", "HEAD~1", "HEAD"], input: ""
    }
    a_tool_for_merges {
        rows: ["mergetool.cmd"], since: 0,
        arm: |world| {
            world.set("mergetool.x.cmd", &world.trap());
            assert!(!plain_git::attempt(&world.repo, &["merge", "side"]).status.success());
        },
        command: ["mergetool", "-y", "--tool=x"], input: ""
    }
}

/// Leaves so many loose objects that upkeep is due: git looks at one folder and guesses the rest.
fn make_due(world: &World) {
    for number in 0..2_000 {
        let content = format!("{number}\n");
        let oid = blob_id(&content);
        if oid.starts_with("17") {
            world.plain(&["hash-object", "-w", "--stdin"], &content);
        }
    }
    assert!(world.repo.join(".git/objects/17").exists());
    // In the background it would run when nobody looks.
    world.set("maintenance.autoDetach", "false");
    world.set("gc.autoDetach", "false");
}

/// The id of a blob, from git, for as many contents as asked in one go would be; sha1 is not ours to write here.
fn blob_id(content: &str) -> String {
    use gix_hash::hasher;
    let mut hasher = hasher(gix_hash::Kind::Sha1);
    hasher.update(format!("blob {}\0{content}", content.len()).as_bytes());
    hasher.try_finalize().unwrap().to_string()
}

/// The branch `signed`: HEAD with one commit that carries a signature of this kind.
fn sign(world: &World, kind: &str) {
    let tree = git(&world.repo, &["rev-parse", "HEAD^{tree}"]);
    let parent = git(&world.repo, &["rev-parse", "HEAD"]);
    let people = "author A <a@example.org> 1 +0000\ncommitter A <a@example.org> 1 +0000";
    let signature = format!("gpgsig -----BEGIN {kind}-----\n \n x\n -----END {kind}-----");
    let text = format!("tree {tree}\nparent {parent}\n{people}\n{signature}\n\nsigned\n");
    let output = world.plain(&["hash-object", "-w", "-t", "commit", "--stdin"], &text);
    let oid = String::from_utf8(output.stdout).unwrap();
    git(&world.repo, &["update-ref", "refs/heads/signed", oid.trim()]);
}

/// A remote that has promised whatever is missing, with a program at its end.
fn promise(world: &World) {
    world.set("core.repositoryFormatVersion", "1");
    world.set("extensions.partialClone", "evil");
    world.set("remote.evil.url", world.repo.to_str().unwrap());
    world.set("remote.evil.promisor", "true");
    world.set("remote.evil.uploadpack", &world.trap());
}

fn add_submodule(world: &World) {
    let inner = world.root.join("inner");
    plain_git::with_commit(&inner);
    let url = inner.to_str().unwrap();
    git(&world.repo, &["-c", "protocol.file.allow=always", "submodule", "-q", "add", url, "sub"]);
    git(&world.repo, &["commit", "-q", "-m", "sub"]);
}

/// Rows that name no program, or that plain git cannot be brought to use in a test; each with the reason.
const WITHOUT_A_TRAP: &[(&str, &str)] = &[
    ("LC_ALL", "a language, no program; error messages are compared elsewhere"),
    ("HOME", "the user's own settings; see `settings_of_the_user_and_the_environment_stay_outside`"),
    ("GIT_CONFIG_NOSYSTEM", "a test cannot write below /etc; GIT_CONFIG_SYSTEM is tried in its place"),
    ("GIT_CONFIG_SYSTEM", "see `settings_of_the_user_and_the_environment_stay_outside`"),
    ("GIT_CONFIG_GLOBAL", "see `settings_of_the_user_and_the_environment_stay_outside`"),
    ("GIT_ATTR_NOSYSTEM", "a test cannot write below /etc"),
    ("GIT_TERMINAL_PROMPT", "a question, no program; there is no terminal either"),
    ("SSH_ASKPASS", "see `settings_of_the_user_and_the_environment_stay_outside`"),
    ("GIT_PAGER", "git starts a pager only for a terminal, and gets a pipe from us"),
    ("core.pager", "git starts a pager only for a terminal, and gets a pipe from us"),
    ("GIT_OPTIONAL_LOCKS", "see `reading_takes_no_lock_and_writes_nothing`"),
    ("GIT_NO_REPLACE_OBJECTS", "see `history_is_the_one_that_really_is`"),
    ("core.symlinks", "see `a_checkout_writes_no_links`"),
    ("credential.interactive", "a question, no program; there is no terminal either"),
    ("transfer.bundleURI", "only a clone asks a server for bundles, and we clone nothing"),
    ("fetch.bundleURI", "see `no_bundle_is_loaded`"),
    ("transfer.fsckObjects", "a check that is switched on, not a program that is switched off"),
    ("safe.bareRepository", "only counts when git searches for a repository, and it is always told which one"),
    ("filter.required", "keeps a filter that is switched off from being an error; it names no program"),
    ("core.quotePath", "how names are written, no program"),
];

#[test]
fn every_row_of_the_hardened_set_has_a_trap_or_a_reason() {
    let programs = PROGRAMS.iter().map(|row| format!("{}.{}", row.section, row.key));
    let plain = ENVIRONMENT.iter().map(|row| row.name).chain(SETTINGS.iter().map(|row| row.key));
    let rows: BTreeSet<String> = programs.chain(plain.map(str::to_owned)).collect();
    let with_trap = TRAPS.iter().flat_map(|trap| trap.rows.iter().copied());
    let proven: BTreeSet<String> =
        with_trap.chain(WITHOUT_A_TRAP.iter().map(|(row, _)| *row)).map(str::to_owned).collect();
    let missing: Vec<_> = rows.difference(&proven).collect();
    assert!(missing.is_empty(), "rows without a trap: {missing:?}");
    let stale: Vec<_> = proven.difference(&rows).collect();
    assert!(stale.is_empty(), "traps for rows that are gone: {stale:?}");
}

/// Hooks that no command below can fire, each with the reason.
const HOOKS_NOT_FIRED: [(&str, &str); 7] = [
    ("proc-receive", "needs a push that asks for it by its own protocol"),
    ("sendemail-validate", "needs the mail part of git, which is a package of its own"),
    ("fsmonitor-watchman", "is a file for core.fsmonitor, which has a trap of its own"),
    ("p4-changelist", "needs Perforce"),
    ("p4-prepare-changelist", "needs Perforce"),
    ("p4-post-changelist", "needs Perforce"),
    ("p4-pre-submit", "needs Perforce"),
];

/// Commands that together fire all other hooks.
const HOOKED: [&[&str]; 9] = [
    &["commit", "-q", "--allow-empty", "-m", "x"],
    &["commit", "-q", "--amend", "--allow-empty", "-m", "y"],
    &["rebase", "-q", "--force-rebase", "HEAD~1"],
    &["merge", "-q", "--no-ff", "-m", "z", "-s", "ours", "side"],
    &["checkout", "-q", "-b", "another"],
    &["am", "-q"],
    &["push", "-q", ".", "main:refs/heads/copy"],
    &["push", "-q", ".", "HEAD~1:refs/heads/another", "--force"],
    &["gc", "-q", "--auto"],
];

#[test]
fn all_hooks_are_silent_that_plain_git_fires() {
    let patch = "From 1111111111111111111111111111111111111111 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\n\
        Date: Thu, 1 Jan 1970 00:00:01 +0000\nSubject: [PATCH] new\n\n---\n new.txt | 1 +\n 1 file changed, 1 insertion(+)\n\n\
        diff --git a/new.txt b/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+new\n-- \n2\n";
    let arm = || {
        let world = World::new();
        make_due(&world);
        world.set("receive.denyCurrentBranch", "updateInstead");
        for event in HOOK_EVENTS {
            world.program(&world.repo.join(".git/hooks").join(event), "");
        }
        world.set("gc.auto", "1");
        world
    };
    let world = arm();
    for words in HOOKED {
        world.plain(words, patch);
    }
    let not_fired: BTreeSet<String> = HOOKS_NOT_FIRED.iter().map(|(event, _)| (*event).to_owned()).collect();
    let all: BTreeSet<String> = HOOK_EVENTS.iter().map(|event| (*event).to_owned()).collect();
    let fired = world.ran();
    assert_eq!(all.difference(&fired).cloned().collect::<BTreeSet<_>>(), not_fired);
    let world = arm();
    for words in HOOKED {
        let _ = world.hardened(words, patch);
    }
    assert_eq!(world.ran(), BTreeSet::new());
}

/// What alignwatch itself asks of git, and may ever ask while it only looks.
const OURS: [&[&str]; 25] = [
    &["config", "--list", "-z", "--show-scope"],
    &["for-each-ref", "--format=%(refname) %(objectname) %(symref)"],
    &["for-each-ref", "--format=%(refname) %(authorname) %(subject) %(upstream:track)"],
    &["symbolic-ref", "-q", "HEAD"],
    &["rev-parse", "--verify", "-q", "HEAD"],
    &["rev-list", "--count", "main", "side"],
    &["rev-list", "--objects", "--all", "--missing=print"],
    &["merge-base", "--all", "main", "side"],
    &["cat-file", "--batch-check", "--batch-all-objects"],
    &["cat-file", "-p", "HEAD:f.txt"],
    &["ls-tree", "-r", "-z", "HEAD"],
    &["diff-tree", "-r", "-z", "HEAD~1", "HEAD"],
    &["diff", "HEAD~1", "HEAD"],
    &["log", "-1", "-p", "HEAD"],
    &["cherry", "main", "side"],
    &["status", "--porcelain=v2", "-z"],
    &["ls-files", "-s", "-z"],
    &["worktree", "list", "--porcelain"],
    &["count-objects", "-v"],
    &["fsck", "--connectivity-only", "--no-dangling"],
    &["fsck", "--no-dangling", "--progress", "--connectivity-only"],
    &["fsck", "--no-dangling", "--progress", "--full"],
    &["commit-graph", "verify"],
    &["commit-graph", "write", "--reachable", "--split", "--changed-paths", "--no-progress"],
    &["grep", "-c", "t", "HEAD"],
];

/// What tasks and repairs ask of git besides, in the repository itself, and what it reads from standard input.
const OURS_THAT_DO: [(&[&str], &str); 16] = [
    (&["check-attr", "filter", "f.txt"], ""),
    (&["patch-id", "--stable"], "diff --git a/f.txt b/f.txt\n--- a/f.txt\n+++ b/f.txt\n@@ -1 +1 @@\n-one\n+two\n"),
    (&["archive", "--format=tar", "HEAD"], ""),
    (&["pack-objects", "--all", "--stdout", "-q"], ""),
    (&["index-pack", "--stdin", "--strict"], "PACK"),
    (&["ls-remote", "."], ""),
    (&["fetch", "-q", ".", "main:refs/heads/fetched"], ""),
    (&["config", "user.name", "b"], ""),
    (&["update-ref", "--stdin"], "update refs/heads/new refs/heads/main\n"),
    (&["symbolic-ref", "refs/heads/alias", "refs/heads/main"], ""),
    (&["pack-refs", "--all"], ""),
    (&["reflog", "expire", "--all"], ""),
    (&["repack", "-d", "-l", "-q"], ""),
    (&["repack", "-a", "-d", "-l", "-q"], ""),
    (&["multi-pack-index", "write"], ""),
    (&["worktree", "repair"], ""),
];

/// What is started outside of every repository: no settings but those of whoever runs us can count.
const OUTSIDE: [&str; 2] = ["version", "init"];

/// The subcommands of git that the sources name, each with a file that does.
fn started() -> std::collections::BTreeMap<String, PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut open: Vec<PathBuf> = fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path().join("src")).collect();
    let mut found = std::collections::BTreeMap::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.starts_with(crates.join("testkit")) {
            let text = fs::read_to_string(&path).unwrap();
            for begin in [".command(\"", "outside(\"", "for_operator(\""] {
                let names = text.split(begin).skip(1).filter_map(|rest| rest.split_once('"'));
                found.extend(names.map(|(name, _)| (name.to_owned(), path.clone())));
            }
        }
    }
    found
}

#[test]
fn every_command_that_is_started_has_a_tripwire() {
    let started = started();
    assert!(25 < started.len(), "the sources were not understood: {started:?}");
    let tried = OURS.iter().copied().chain(OURS_THAT_DO.iter().map(|(words, _)| *words)).map(|words| words[0]);
    let tried: BTreeSet<&str> = tried.chain(OUTSIDE).chain(["merge-tree"]).collect();
    let missing: Vec<_> = started.iter().filter(|(name, _)| !tried.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "no tripwire tries {missing:?}");
    println!("{} subcommands of git are started, each is tried in a repository with every trap", started.len());
}

/// A repository with every trap that can be set in one.
fn every_trap() -> World {
    let world = World::new();
    for trap in TRAPS {
        // Those that need another state of the repository are tried on their own.
        if !trap.rows.iter().any(|row| ["mergetool.cmd", "submodule.update", "submodule.recurse"].contains(row))
            && trap.since <= 42
        {
            (trap.arm)(&world);
        }
    }
    // Missing promised objects end reading, as they should; here all that follows must be readable.
    git(&world.repo, &["hash-object", "-w", "f.txt"]);
    world.write("f.txt", "three\n");
    fs::write(world.repo.join(".gitattributes"), "*.txt filter=x merge=x diff=x\n").unwrap();
    world.plain(&["hash-object", "-w", "--no-filters", "--stdin"], "three\n");
    let _ = fs::remove_file(world.mark());
    world
}

#[test]
fn nothing_runs_in_a_repository_with_every_trap_while_we_tend_it() {
    let world = every_trap();
    let runner = Git::find().unwrap();
    // First some are refused, since no setting stops their program; then they must be harmless without that one.
    for is_refused in [true, false] {
        let opened = open(&world.repo).unwrap();
        let at = runner.at(&opened).unwrap();
        for (words, input) in OURS_THAT_DO {
            // Some may fail here: there is no pack in the input, no transport is allowed, no pack where repack is refused, no worktree.
            let may_fail = ["index-pack", "fetch", "ls-remote", "multi-pack-index", "worktree"].contains(&words[0]);
            match hardened(&at, words, input) {
                Err(GitError::Refused { .. }) if is_refused => {}
                outcome => assert!(outcome.is_ok() || may_fail, "{words:?}: {outcome:?}"),
            }
            assert_eq!(world.ran(), BTreeSet::new(), "{words:?}");
        }
        for (key, _, _) in REFUSED {
            world.plain(&["config", "--unset-all", key], "");
        }
        let _ = fs::remove_file(world.mark());
    }
}

#[test]
fn nothing_runs_in_a_repository_with_every_trap_while_we_look() {
    let world = every_trap();
    let runner = Git::find().unwrap();
    let opened = open(&world.repo).unwrap();
    let at = runner.at(&opened).unwrap();
    for words in OURS {
        let outcome = hardened(&at, words, "");
        assert!(outcome.is_ok(), "{words:?}: {outcome:?}");
        assert_eq!(world.ran(), BTreeSet::new(), "{words:?}");
    }
    predict(&at, &opened, &world);
    assert_eq!(world.ran(), BTreeSet::new());
}

/// A merge as it is predicted: with attributes of the repository, in quarantine.
fn predict(at: &GitAt<'_>, opened: &Opened, world: &World) {
    let objects = world.root.join("quarantine");
    fs::create_dir(&objects).unwrap();
    let main = git(&world.repo, &["-c", "core.fsmonitor=false", "rev-parse", "main"]);
    let source = Oid::from_hex(main.as_bytes()).unwrap();
    let call = at.command("merge-tree").option("--write-tree").option("--stdin").option("-z");
    let call = call.attribute_source(source).object_directory(&objects).input(b"main side\n".to_vec());
    let output = call.run().unwrap();
    assert!(output.stdout.starts_with(b"0\0"), "a conflict: {}", output.stdout.escape_ascii());
    assert!(opened.objects_dir.exists() && fs::read_dir(objects).unwrap().count() != 0, "the result is in quarantine");
}

#[test]
fn attributes_of_the_working_tree_do_not_count() {
    let world = World::new();
    world.write(".gitattributes", "*.txt filter=x\n");
    world.save(".gitattributes", "*.txt filter=x\n");
    let said = |output: Vec<u8>| String::from_utf8(output).unwrap().trim().to_owned();
    let plain = world.plain(&["check-attr", "filter", "f.txt"], "");
    assert_eq!(said(plain.stdout), "f.txt: filter: x");
    let outcome = world.hardened(&["check-attr", "filter", "f.txt"], "").unwrap();
    // Before 2.43 git knows no other source of attributes; there the filters are disarmed by their names alone.
    let expected = if 2043 <= version() { "unspecified" } else { "x" };
    assert_eq!(said(outcome.stdout), format!("f.txt: filter: {expected}"));
}

#[test]
fn commands_are_refused_whose_program_no_setting_can_stop() {
    for (key, commands, why) in REFUSED {
        let world = World::new();
        world.set(key, &world.trap());
        let runner = Git::find().unwrap();
        let opened = open(&world.repo).unwrap();
        let at = runner.at(&opened).unwrap();
        assert!(10 < why.len());
        for command in *commands {
            let outcome = at.command(command).run();
            assert!(matches!(outcome, Err(GitError::Refused { .. })), "{command}: {outcome:?}");
        }
        assert!(at.command("rev-parse").option("HEAD").run().is_ok());
    }
}

#[test]
fn a_disarmed_merge_driver_makes_a_conflict_and_never_a_clean_merge() {
    let world = World::new();
    world.set("merge.x.driver", "true");
    world.write(".git/info/attributes", "*.txt merge=x\n");
    assert!(world.plain(&["merge-tree", "--write-tree", "main", "side"], "").status.success());
    let outcome = world.hardened(&["merge-tree", "--write-tree", "main", "side"], "");
    assert!(matches!(outcome, Err(GitError::Failed { code: 1, .. })), "{outcome:?}");
}

#[test]
fn reading_takes_no_lock_and_writes_nothing() {
    let index_changes = |hardened: bool| {
        let world = World::new();
        let index = world.repo.join(".git/index");
        // The same content, written anew: git would note in the index that it looked.
        let old = fs::File::options().write(true).open(world.repo.join("f.txt")).unwrap();
        old.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000)).unwrap();
        let before = fs::read(&index).unwrap();
        if hardened {
            world.hardened(&["status"], "").unwrap();
        } else {
            world.plain(&["status"], "");
        }
        before != fs::read(&index).unwrap()
    };
    assert!(index_changes(false), "plain git does not write here, so this proves nothing");
    assert!(!index_changes(true));
}

#[test]
fn history_is_the_one_that_really_is() {
    let world = World::new();
    git(&world.repo, &["replace", "--graft", "HEAD"]);
    let count = |output: Vec<u8>| String::from_utf8(output).unwrap().trim().to_owned();
    assert_eq!(count(world.plain(&["rev-list", "--count", "HEAD"], "").stdout), "1");
    assert_eq!(count(world.hardened(&["rev-list", "--count", "HEAD"], "").unwrap().stdout), "2");
}

#[test]
fn a_checkout_writes_no_links() {
    let is_link = |hardened: bool| {
        let world = World::new();
        std::os::unix::fs::symlink("/etc", world.repo.join("link")).unwrap();
        git(&world.repo, &["add", "link"]);
        fs::remove_file(world.repo.join("link")).unwrap();
        if hardened {
            world.hardened(&["checkout-index", "-a", "-f"], "").unwrap();
        } else {
            world.plain(&["checkout-index", "-a", "-f"], "");
        }
        fs::symlink_metadata(world.repo.join("link")).unwrap().is_symlink()
    };
    assert!(is_link(false));
    assert!(!is_link(true));
}

#[test]
fn no_bundle_is_loaded() {
    let loads = |hardened: bool| {
        let world = World::new();
        let other = plain_git::with_commit(&world.root.join("other"));
        git(&other, &["bundle", "create", "-q", "../b.bundle", "main"]);
        world.set("fetch.bundleURI", world.root.join("b.bundle").to_str().unwrap());
        world.set("remote.origin.url", other.to_str().unwrap());
        if hardened {
            let _ = world.hardened(&["fetch", "-q", "origin"], "");
        } else {
            world.plain(&["fetch", "-q", "origin"], "");
        }
        !git(&world.repo, &["for-each-ref", "refs/bundles/"]).is_empty()
    };
    if plain_git::can(40, "fetch.bundleURI") {
        assert!(loads(false));
    }
    assert!(!loads(true));
}

/// Runs one command through the runner; the test below runs it as another process, with a hostile environment.
#[test]
fn looks_at_what_the_environment_names() {
    let Some(repo) = std::env::var_os("ALIGNWATCH_TEST_LOOK") else { return };
    let runner = Git::find().unwrap();
    let opened = open(Path::new(&repo)).unwrap();
    let at = runner.at(&opened).unwrap();
    for words in OURS {
        hardened(&at, words, "").unwrap();
    }
    let _ = hardened(&at, &["credential", "fill"], WHO);
    let _ = hardened(&at, &["tag", "-a", "v1"], "");
    let _ = hardened(&at, &["ls-remote", "ssh://127.0.0.1:1/x"], "");
}

#[test]
fn settings_of_the_user_and_the_environment_stay_outside() {
    let home = |world: &World| {
        fs::create_dir_all(world.root.join("home")).unwrap();
        let settings = format!("[core]\n\tfsmonitor = {}\n", world.trap());
        fs::write(world.root.join("home/.gitconfig"), settings).unwrap();
    };
    // A variable, its value (`{}` is the trap, `{home}` a folder with hostile settings), and what falls into it.
    type Hostile = (&'static [(&'static str, &'static str)], &'static [&'static str]);
    let hostile: [Hostile; 9] = [
        (&[("HOME", "{home}"), ("GIT_CONFIG_GLOBAL", "{home}/.gitconfig")], &["status"]),
        (&[("GIT_CONFIG_SYSTEM", "{home}/.gitconfig"), ("GIT_CONFIG_NOSYSTEM", "0")], &["status"]),
        (
            &[("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "core.fsmonitor"), ("GIT_CONFIG_VALUE_0", "{}")],
            &["status"],
        ),
        (&[("GIT_CONFIG_PARAMETERS", "'core.fsmonitor={}'")], &["status"]),
        (&[("GIT_EXTERNAL_DIFF", "{}")], &["diff", "HEAD~1", "HEAD"]),
        (&[("GIT_SSH_COMMAND", "{}")], &["ls-remote", "ssh://127.0.0.1:1/x"]),
        (&[("GIT_ASKPASS", "{}")], &["credential", "fill"]),
        (&[("SSH_ASKPASS", "{}")], &["credential", "fill"]),
        (&[("GIT_EDITOR", "{}")], &["tag", "-a", "v1"]),
    ];
    for (variables, command) in hostile {
        let world = World::new();
        home(&world);
        let folder = world.root.join("home").display().to_string();
        let value = |text: &str| text.replace("{home}", &folder).replace("{}", &world.trap());
        let variables: Vec<_> = variables.iter().map(|(name, text)| (*name, value(text))).collect();
        let mut ours = std::process::Command::new(std::env::current_exe().unwrap());
        ours.args(["--exact", "looks_at_what_the_environment_names"]).env("ALIGNWATCH_TEST_LOOK", &world.repo);
        let output = ours.envs(variables.iter().cloned()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(world.ran(), BTreeSet::new(), "{variables:?}");
        let mut plain = plain_git::command(&world.repo);
        plain.args(command).envs(variables.iter().cloned()).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = plain.stderr(Stdio::null()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(WHO.as_bytes());
        child.wait().unwrap();
        assert!(!world.ran().is_empty(), "plain git does not fall into {variables:?}, so it proves nothing");
    }
}
