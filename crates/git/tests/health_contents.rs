//! Submodules, large files and repositories in the trees of lines, changes in worktrees, and the answers of remotes:
//! well, ill, and not to be read.
//!
//! Where git answers the same, its answer is compared. The last tests are tripwires: remotes whose settings name programs.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{Known, Look, Snapshot, checks, config::Config, facts::settings::Answer};
use alignwatch_testkit::{Repo, git, sketch};

fn look(repo: &Repo, looks: &[Look]) -> Snapshot {
    let wanted = Wanted {
        base: None,
        looks: Look::with_required(looks.iter().copied()),
        paths_patience: Duration::from_secs(60),
        stop: Stop::default(),
    };
    inspect(repo.path(), &Config::default(), repo.newest_at(), None, &wanted, &|_| {}).unwrap()
}

fn told(snapshot: &Snapshot, repo: &Repo, id: &str) -> String {
    let all = checks::judge(snapshot, &Config::default(), repo.newest_at(), |_| Ok(()));
    let one = all.into_iter().find(|one| one.check.id == id).unwrap();
    let room = repo.room().canonicalize().unwrap().display().to_string();
    let findings = one.findings.iter().map(|finding| finding.summary.replace(&room, "")).collect::<Vec<_>>();
    format!(
        "{}: {}",
        one.status,
        if findings.is_empty() { one.reason.unwrap_or_default() } else { findings.join("; ") }
    )
}

fn contents(repo: &Repo, id: &str) -> String {
    told(&look(repo, &[Look::Contents, Look::Settings]), repo, id)
}

/// Commits this file in the working tree.
fn save(repo: &Repo, name: &str, content: impl AsRef<[u8]>) {
    let path = repo.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    repo.git(["add", "--force", name]);
    repo.git(["commit", "--quiet", "--message", name]);
}

/// A repository with one submodule, cloned by git.
fn with_submodule() -> Repo {
    let repo = sketch("main: a(f=1)").worktree().draw();
    let other = repo.room().join("other");
    fs::create_dir(&other).unwrap();
    git(&other, ["init", "--quiet", "--initial-branch=main"]);
    fs::write(other.join("g"), "1").unwrap();
    git(&other, ["add", "g"]);
    git(&other, ["commit", "--quiet", "--message", "one"]);
    let address = other.display().to_string();
    repo.git(["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &address, "lib/x"]);
    repo.git(["commit", "--quiet", "--message", "a submodule"]);
    repo
}

#[test]
fn submodules_fit_as_long_as_git_says_so() {
    let repo = with_submodule();
    assert_eq!(contents(&repo, "submodules"), "ok: ");
    assert!(repo.git(["submodule", "status"]).starts_with(' '));
    let other = git(repo.room().join("other"), ["commit-tree", "-m", "two", "HEAD^{tree}"]);
    repo.git(["update-index", "--cacheinfo", &format!("160000,{other},lib/x")]);
    repo.git(["commit", "--quiet", "--message", "not pushed"]);
    assert_eq!(
        contents(&repo, "submodules"),
        "warning: On `main` 1 submodule lacks the commit that the line names, such as lib/x"
    );
    assert!(repo.git(["submodule", "status"]).starts_with('+'), "git, too, sees another commit there");
    let clone = repo.git_dir().join("modules/lib/x/objects");
    fs::remove_dir_all(&clone).unwrap();
    fs::write(&clone, "in the way").unwrap();
    assert!(contents(&repo, "submodules").starts_with("unknown: 1 submodule could not be judged"));
}

#[test]
fn gitmodules_and_tree_must_name_the_same_submodules() {
    let repo = with_submodule();
    repo.git(["config", "submodule.lib/x.url", "https://elsewhere.example.org/x"]);
    assert!(contents(&repo, "submodules").contains("1 submodule has another address here, such as lib/x"));
    repo.git(["submodule", "--quiet", "sync"]);
    assert_eq!(contents(&repo, "submodules"), "ok: ", "the remedy mends it");
    save(
        &repo,
        ".gitmodules",
        "[submodule \"../../../evil\"]\n\tpath = lib/x\n\turl = x\n[submodule \"b\"]\n\tpath = b\n\turl = x\n",
    );
    let said = contents(&repo, "submodules");
    assert!(
        said.contains("is not named in .gitmodules") && said.contains("is named in .gitmodules and not there"),
        "{said}"
    );
    save(&repo, ".gitmodules", "[submodule \"x\n");
    assert!(
        contents(&repo, "submodules").starts_with("unknown: 1 submodule could not be judged: cannot read .gitmodules")
    );
}

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 5\n";

#[test]
fn large_files_are_here_when_their_objects_are() {
    let repo = sketch("main: a(f=1)").worktree().draw();
    save(&repo, "deep/er/a.bin", POINTER);
    assert_eq!(contents(&repo, "lfs-objects"), "ok: ", "no attribute says that this is a pointer");
    save(&repo, "deep/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    let said = contents(&repo, "lfs-objects");
    assert!(
        said.ends_with(": On `main` 1 of 1 large file is not here whole (5 bytes), such as deep/er/a.bin"),
        "{said}"
    );
    let object =
        repo.git_dir().join("lfs/objects/4d/7a/4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393");
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::write(&object, "12345").unwrap();
    assert!(!contents(&repo, "lfs-objects").contains("large file"));
    fs::write(&object, "123").unwrap();
    assert!(contents(&repo, "lfs-objects").contains("On `main` 1 of 1 large file"));
}

#[test]
fn files_that_should_be_outside_are_those_that_git_gives_the_filter() {
    let repo = sketch("main: a(f=1)").worktree().draw();
    save(&repo, ".gitattributes", "*.bin filter=lfs\nplain.bin !filter\n");
    save(&repo, "plain.bin", "1");
    let can_tell = (2, 43) <= alignwatch_testkit::git_version();
    assert!(contents(&repo, "lfs-objects").starts_with(if can_tell { "ok: " } else { "unknown: " }));
    save(&repo, "real.bin", "1");
    if can_tell {
        assert!(contents(&repo, "lfs-objects").ends_with("such as real.bin"), "{}", contents(&repo, "lfs-objects"));
    }
    assert!(repo.git(["check-attr", "filter", "real.bin"]).ends_with("filter: lfs"));
}

#[test]
fn a_tree_that_cannot_be_read_is_unknown() {
    let repo = sketch("main: a(d/f=1)").worktree().draw();
    repo.remove_object("main:d");
    for id in ["submodules", "lfs-objects", "embedded-bare"] {
        assert!(contents(&repo, id).starts_with("unknown: "), "{id}: {}", contents(&repo, id));
    }
}

#[test]
fn a_bare_repository_in_the_tree_is_found() {
    let repo = sketch("main: a(f=1)").worktree().draw();
    assert_eq!(contents(&repo, "embedded-bare"), "ok: ");
    for name in ["HEAD", "objects/keep", "refs/keep"] {
        let content = if name == "HEAD" { "ref: refs/heads/main\n" } else { "" };
        save(&repo, &format!("test/hidden/{name}"), content);
    }
    let is_repository = |folder: &Path| git(folder, ["rev-parse", "--is-bare-repository"]) == "true";
    assert!(is_repository(&repo.path().join("test/hidden")), "git takes it for one");
    assert!(
        contents(&repo, "embedded-bare").ends_with("1 folder in the tree is a bare repository, such as test/hidden")
    );
}

fn changes(repo: &Repo, id: &str) -> String {
    told(&look(repo, &[Look::Changes, Look::Landed]), repo, id)
}

#[test]
fn files_that_differ_only_in_the_ends_of_lines_are_noise() {
    let repo = sketch("main: a(f=1|2, g=1|2)").worktree().draw();
    assert_eq!(changes(&repo, "line-end-noise"), "ok: ");
    let text = fs::read_to_string(repo.path().join("f")).unwrap();
    fs::write(repo.path().join("f"), text.replace('\n', "\r\n")).unwrap();
    fs::write(repo.path().join("g"), "other\n").unwrap();
    assert_eq!(
        changes(&repo, "line-end-noise"),
        "warning: 1 file in /repo looks changed and is not, but for the ends of lines, such as f"
    );
    assert_eq!(repo.git(["diff", "--name-only"]), "f\ng");
    assert!(!repo.git(["diff", "--ignore-cr-at-eol"]).contains("a/f b/f"));
}

#[test]
fn changes_in_a_worktree_whose_branch_has_landed_are_found_without_a_lock() {
    let repo = sketch("main: a(f=1) m<x c\n x: a x1(g=1)\n y: a z(h=1)".replace("m<x", "m<x1")).worktree().draw();
    for name in ["x", "y"] {
        repo.git([
            "worktree",
            "add",
            "--quiet",
            &format!("{}/{name}", repo.room().canonicalize().unwrap().display()),
            name,
        ]);
        fs::write(repo.room().join(name).join("f"), "not committed").unwrap();
    }
    let before = fs::read(repo.git_dir().join("worktrees/x/index")).unwrap();
    assert_eq!(
        changes(&repo, "landed-worktree"),
        "warning: 1 file in /x is changed and not committed, and its branch `x` has landed"
    );
    assert_eq!(git(repo.room().join("x"), ["status", "--porcelain=v2", "--untracked-files=no"]).lines().count(), 1);
    assert_eq!(fs::read(repo.git_dir().join("worktrees/x/index")).unwrap().len(), before.len());
    fs::write(repo.git_dir().join("worktrees/x/index"), "garbage").unwrap();
    assert!(changes(&repo, "landed-worktree").starts_with("unknown: 1 worktree"));
}

#[test]
fn where_filters_would_run_changes_are_unknown() {
    let repo = sketch("main: a(f=1)").worktree().draw();
    save(&repo, ".gitattributes", "f filter=x\n");
    assert_eq!(changes(&repo, "line-end-noise"), "ok: ");
    fs::write(repo.path().join("f"), "2").unwrap();
    assert!(changes(&repo, "line-end-noise").contains("uses filters, which are not run here"));
}

fn answers(repo: &Repo) -> Vec<Known<Answer>> {
    let snapshot = look(repo, &[Look::Remotes, Look::Settings]);
    snapshot.facts.remote_answers.seen().unwrap().iter().map(|one| one.answer.clone()).collect()
}

#[test]
fn a_remote_answers_as_git_says_and_a_default_that_moved_is_told() {
    let repo = sketch("main: a\n remote origin/main: a\n remote origin/HEAD -> remote origin/main").draw();
    let there = sketch("trunk: a b").draw();
    let address = there.path().display().to_string();
    repo.git(["config", "remote.origin.url", &address]);
    assert_eq!(answers(&repo), [Known::Seen(Answer::Default(Some("refs/heads/trunk".into())))]);
    assert!(repo.git(["ls-remote", "--symref", "origin", "HEAD"]).starts_with("ref: refs/heads/trunk\tHEAD"));
    let snapshot = look(&repo, &[Look::Remotes, Look::Settings]);
    assert!(told(&snapshot, &repo, "remote-default-moved").starts_with("error: The default branch of `origin`"));
    assert_eq!(told(&snapshot, &repo, "remote-unreachable"), "ok: ");
}

#[test]
fn a_remote_that_is_not_there_fails_and_one_that_needs_a_person_is_unknown() {
    let repo = sketch("main: a").draw();
    repo.git(["config", "remote.origin.url", "/nowhere/at/all"]);
    let snapshot = look(&repo, &[Look::Remotes, Look::Settings]);
    let said = told(&snapshot, &repo, "remote-unreachable");
    assert!(said.starts_with("error: The remote `origin` does not answer: "), "{said}");
    assert!(told(&snapshot, &repo, "remote-default-moved").starts_with("unknown: "));
    repo.git(["config", "remote.origin.url", "git@example.org:x"]);
    assert!(told(&look(&repo, &[Look::Remotes, Look::Settings]), &repo, "remote-unreachable").starts_with("unknown: "));
}

/// A program that leaves a mark.
fn trap(room: &Path) -> String {
    let file = room.join("trap");
    fs::write(&file, format!("#!/bin/sh\ntouch '{}'\nexit 1\n", room.join("mark").display())).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file.display().to_string()
}

#[test]
fn no_program_of_the_repository_runs_when_its_remotes_are_asked() {
    let there = sketch("main: a").draw();
    let address = there.path().display().to_string();
    let cases: [&[(&str, &str)]; 9] = [
        &[("remote.o.url", "ADDRESS"), ("remote.o.uploadpack", "TRAP")],
        &[("remote.o.url", "ADDRESS"), ("remote.o.vcs", "TRAP")],
        &[("remote.o.url", "ext::TRAP")],
        &[("remote.o.url", "x:y"), ("url.ext::TRAP .insteadOf", "x:")],
        &[("remote.o.url", "ssh://127.0.0.1:1/x"), ("core.sshCommand", "TRAP")],
        &[("remote.o.url", "127.0.0.1:x"), ("core.sshCommand", "TRAP")],
        &[("remote.o.url", "git://127.0.0.1:1/x"), ("core.gitProxy", "TRAP")],
        &[("remote.o.url", "http://127.0.0.1:1/x"), ("credential.helper", "!TRAP"), ("core.askPass", "TRAP")],
        &[("remote.o.url", "--upload-pack=TRAP"), ("alias.ls-remote", "!TRAP")],
    ];
    for settings in cases {
        let repo = sketch("main: a").draw();
        let trap = trap(repo.room());
        for (key, value) in settings {
            let filled = |text: &str| text.replace("TRAP", &trap).replace("ADDRESS", &address);
            repo.git(["config", "--add", &filled(key), &filled(value)]);
        }
        let said = answers(&repo);
        assert!(!repo.room().join("mark").exists(), "{settings:?} ran; it said {said:?}");
        if settings[1..].iter().any(|(key, _)| *key == "remote.o.uploadpack" || *key == "core.sshCommand") {
            let _ = repo.git_output(["ls-remote", "o"]);
            assert!(repo.room().join("mark").exists(), "plain git falls into it: {settings:?}");
        }
    }
}

#[test]
fn no_program_of_the_repository_runs_when_changes_and_attributes_are_asked_for() {
    let repo = sketch("main: a(f=1)").worktree().draw();
    let trap = trap(repo.room());
    save(&repo, ".gitattributes", "*.bin filter=lfs\nf diff=x\n");
    save(&repo, "a.bin", "1");
    fs::write(repo.path().join("f"), "2").unwrap();
    for key in [
        "filter.lfs.clean",
        "filter.lfs.process",
        "core.fsmonitor",
        "diff.x.command",
        "diff.x.textconv",
        "diff.external",
    ] {
        repo.git(["config", key, &trap]);
    }
    fs::write(repo.path().join("a.bin"), "2").unwrap();
    let _ = look(&repo, &[Look::Changes, Look::Contents, Look::Settings]);
    assert!(!repo.room().join("mark").exists());
    let _ = repo.git_output(["status"]);
    assert!(repo.room().join("mark").exists(), "plain git falls into it");
}
