//! Opening, compared with what `git rev-parse` says of the same path.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod plain_git;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use alignwatch_git::repository::{OpenError, Opened, RefBackend, open, open_itself};
use plain_git::{attempt, can, commit, git, with_commit};

fn temp() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(folder.path()).unwrap();
    (folder, path)
}

/// Opens the path and compares every answer that `git rev-parse` gives, too.
fn as_git_opens(path: &Path) -> Opened {
    let opened = open(path).unwrap();
    let ask = |question: &str| git(path, &["rev-parse", "--path-format=absolute", question]);
    let real = |text: String| fs::canonicalize(text).unwrap();
    assert_eq!(opened.git_dir, real(ask("--absolute-git-dir")));
    assert_eq!(opened.common_dir, real(ask("--git-common-dir")));
    assert_eq!(opened.is_bare.to_string(), ask("--is-bare-repository"));
    assert_eq!(opened.is_shallow().to_string(), ask("--is-shallow-repository"));
    assert_eq!(opened.object_format, ask("--show-object-format"));
    assert_eq!(opened.objects_dir, real(git(path, &["rev-parse", "--path-format=absolute", "--git-path", "objects"])));
    if git(path, &["rev-parse", "--is-inside-work-tree"]) == "true" {
        assert_eq!(opened.worktree.clone(), Some(real(ask("--show-toplevel"))));
    }
    opened
}

#[test]
fn a_working_tree_is_found_from_any_folder_in_it() {
    let (_keep, root) = temp();
    with_commit(&root);
    fs::create_dir_all(root.join("a/b")).unwrap();
    let opened = as_git_opens(&root.join("a/b"));
    assert_eq!(opened.worktree, Some(root.clone()));
    assert_eq!(opened.ref_backend, RefBackend::Files);
    assert_eq!((opened.is_shallow(), opened.is_partial, opened.has_grafts), (false, false, false));
    assert!(opened.alternates.is_empty() && opened.links_outside.is_empty());
    assert_eq!(opened.id(), open(&root).unwrap().id());
    assert_eq!(opened.id().len(), 16);
}

#[test]
fn a_folder_in_another_repository_is_not_taken_for_that_one() {
    let (_room, room) = temp();
    git(&room, &["init", "-q", "outer"]);
    git(&room.join("outer"), &["init", "-q", "inner"]);
    git(&room, &["init", "-q", "--bare", "bare.git"]);
    let itself = |path: &str| open_itself(&room.join(path)).map(|opened| opened.git_dir);
    assert_eq!(itself("outer").unwrap(), room.join("outer/.git"));
    assert_eq!(itself("outer/.git").unwrap(), room.join("outer/.git"));
    assert_eq!(itself("bare.git").unwrap(), room.join("bare.git"));
    assert_eq!(itself("outer/inner").unwrap(), room.join("outer/inner/.git"));
    fs::remove_dir_all(room.join("outer/inner/.git")).unwrap();
    assert!(matches!(itself("outer/inner"), Err(OpenError::NotARepository { .. })), "its disk is not mounted");
    assert!(open(&room.join("outer/inner")).is_ok(), "there is one above it");
    assert!(matches!(itself("nothing"), Err(OpenError::NotARepository { .. })));
}

#[test]
fn a_path_inside_of_dot_git_is_its_repository() {
    let (_keep, root) = temp();
    with_commit(&root);
    for inside in [".git", ".git/refs/heads"] {
        let opened = as_git_opens(&root.join(inside));
        assert_eq!(opened.git_dir, root.join(".git"));
        assert_eq!(opened.worktree, Some(root.clone()));
    }
}

#[test]
fn a_bare_repository_has_no_working_tree() {
    let (_keep, root) = temp();
    git(&root, &["init", "-q", "--bare", "x.git"]);
    let opened = as_git_opens(&root.join("x.git"));
    assert_eq!((opened.is_bare, opened.worktree), (true, None));
    as_git_opens(&root.join("x.git/objects"));
}

#[test]
fn a_mirror_without_a_configuration_is_a_bare_repository() {
    let (_keep, root) = temp();
    git(&root, &["init", "-q", "--bare", "x"]);
    fs::remove_file(root.join("x/config")).unwrap();
    let opened = as_git_opens(&root.join("x"));
    assert!(opened.is_bare);
}

#[test]
fn settings_are_those_git_lists_whether_files_are_included_or_not() {
    let (_keep, root) = temp();
    with_commit(&root);
    git(&root, &["config", "extensions.worktreeConfig", "true"]);
    git(&root, &["config", "--worktree", "a.B c.d", "two\nlines"]);
    let mut text = fs::read_to_string(root.join(".git/config")).unwrap();
    text.push_str("[remote \"a=b.c\"]\n\turl = \"x # y\" ; z\n\tempty =\n\tyes\n[Core \"\"]\n\tX = \\\"q\\\"\n");
    fs::write(root.join(".git/config"), &text).unwrap();
    let runner = alignwatch_git::run::Git::find().unwrap();
    let listed = || {
        let opened = open(&root).unwrap();
        let at = runner.at(&opened).unwrap();
        let line = |entry: &alignwatch_git::run::Entry| {
            let value = entry.value.as_ref().map_or(vec![], |value| [b"\n", &value[..]].concat());
            [format!("{:?}\0", entry.scope).to_lowercase().as_bytes(), &entry.key, &value, b"\0"].concat()
        };
        String::from_utf8(at.entries().iter().flat_map(line).collect()).unwrap()
    };
    let by_git = || git(&root, &["config", "--list", "-z", "--show-scope"]);
    assert_eq!(listed(), by_git());
    fs::write(root.join(".git/more"), "[filter \"x\"]\n\tclean = y\n").unwrap();
    fs::write(root.join(".git/config"), text + "[include]\n\tpath = more\n").unwrap();
    assert_eq!(listed(), by_git());
    assert!(by_git().contains("filter.x.clean"));
}

#[test]
fn settings_without_a_format_version_do_not_count() {
    let (_keep, root) = temp();
    with_commit(&root);
    for config in ["[core]\nbare=true\n", "[extensions]\nobjectFormat=sha256\n", "[core]\nworktree=/\n"] {
        fs::write(root.join(".git/config"), config).unwrap();
        as_git_opens(&root);
    }
}

#[test]
fn a_linked_worktree_shares_its_repository() {
    let (_keep, root) = temp();
    with_commit(&root.join("main"));
    git(&root.join("main"), &["worktree", "add", "-q", "../linked"]);
    let opened = as_git_opens(&root.join("linked"));
    assert!(opened.is_linked());
    assert_eq!(opened.common_dir, root.join("main/.git"));
    assert_eq!(opened.id(), open(&root.join("main")).unwrap().id());
    let inside = as_git_opens(&root.join("main/.git/worktrees/linked"));
    assert_eq!(inside.worktree, Some(root.join("linked")));
}

#[test]
fn worktrees_may_each_say_what_they_are() {
    let (_keep, root) = temp();
    with_commit(&root.join("main"));
    let main = root.join("main");
    git(&main, &["config", "extensions.worktreeConfig", "true"]);
    git(&main, &["config", "--worktree", "core.bare", "true"]);
    let opened = open(&main).unwrap();
    assert_eq!(opened.is_bare.to_string(), git(&main, &["rev-parse", "--is-bare-repository"]));
    assert!(opened.is_bare);
}

#[test]
fn core_worktree_is_honoured_and_bare_beats_dot_git() {
    let (_keep, root) = temp();
    with_commit(&root.join("repo"));
    fs::create_dir(root.join("tree")).unwrap();
    git(&root.join("repo"), &["config", "core.worktree", "../../tree"]);
    let opened = open(&root.join("repo")).unwrap();
    assert_eq!(opened.worktree, Some(root.join("tree")));
    git(&root.join("repo"), &["config", "--unset", "core.worktree"]);
    git(&root.join("repo"), &["config", "core.bare", "true"]);
    assert_eq!(as_git_opens(&root.join("repo")).worktree, None);
}

#[test]
fn sha256_and_its_shallow_and_partial_kin_are_told_apart() {
    let (_keep, root) = temp();
    git(&root, &["init", "-q", "--object-format=sha256", "-b", "main", "big"]);
    commit(&root.join("big"), "one");
    commit(&root.join("big"), "two");
    assert_eq!(as_git_opens(&root.join("big")).object_format, "sha256");
    git(&root.join("big"), &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", root.join("big").display());
    git(&root, &["clone", "-q", "--depth=1", &url, "shallow"]);
    let shallow = as_git_opens(&root.join("shallow"));
    assert_eq!(shallow.shallow.len(), 1);
    assert_eq!(shallow.shallow[0].hex(), git(&root.join("shallow"), &["rev-parse", "HEAD"]));
    git(&root, &["clone", "-q", "--filter=blob:none", "--no-checkout", &url, "partial"]);
    assert!(as_git_opens(&root.join("partial")).is_partial);
}

#[test]
fn a_reftable_repository_is_recognised() {
    if !can(45, "reftable") {
        return;
    }
    let (_keep, root) = temp();
    git(&root, &["init", "-q", "--ref-format=reftable", "r"]);
    let opened = as_git_opens(&root.join("r"));
    assert_eq!(opened.ref_backend, RefBackend::Reftable);
    assert_eq!(git(&root.join("r"), &["rev-parse", "--show-ref-format"]), "reftable");
}

#[test]
fn a_new_repository_without_a_commit_opens() {
    let (_keep, root) = temp();
    git(&root, &["init", "-q", "-b", "main"]);
    as_git_opens(&root);
}

#[test]
fn a_submodule_is_a_repository_of_its_own() {
    let (_keep, root) = temp();
    with_commit(&root.join("inner"));
    with_commit(&root.join("outer"));
    let outer = root.join("outer");
    let url = format!("file://{}", root.join("inner").display());
    git(&outer, &["-c", "protocol.file.allow=always", "submodule", "add", "-q", &url, "sub"]);
    let opened = as_git_opens(&outer.join("sub"));
    assert_eq!(opened.git_dir, outer.join(".git/modules/sub"));
    assert_eq!(opened.worktree, Some(outer.join("sub")));
    let inside = as_git_opens(&outer.join(".git/modules/sub"));
    assert_eq!(inside.worktree, Some(outer.join("sub")));
}

#[test]
fn a_dot_git_file_may_lead_anywhere_and_must_lead_somewhere() {
    let (_keep, root) = temp();
    fs::create_dir(root.join("tree")).unwrap();
    git(&root.join("tree"), &["init", "-q", "--separate-git-dir", "../store"]);
    assert_eq!(as_git_opens(&root.join("tree")).git_dir, root.join("store"));
    assert_eq!(open(&root.join("tree/.git")).unwrap().git_dir, root.join("store"));
    for (content, reason) in
        [("gitdir: nowhere\n", "is not a repository"), ("x", "does not begin"), ("gitdir: ", "names no")]
    {
        fs::write(root.join("tree/.git"), content).unwrap();
        let error = open(&root.join("tree")).unwrap_err();
        assert!(matches!(error, OpenError::BadGitFile { .. }) && error.to_string().contains(reason), "{error}");
        assert!(!attempt(&root.join("tree"), &["rev-parse"]).status.success());
    }
}

#[test]
fn an_empty_dot_git_folder_does_not_hide_the_repository_above() {
    let (_keep, root) = temp();
    with_commit(&root);
    fs::create_dir_all(root.join("sub/.git")).unwrap();
    assert_eq!(as_git_opens(&root.join("sub")).git_dir, root.join(".git"));
}

#[test]
fn an_embedded_bare_repository_is_opened_only_by_its_own_path() {
    let (_keep, root) = temp();
    with_commit(&root);
    git(&root, &["init", "-q", "--bare", "trap.git"]);
    assert_eq!(open(&root.join("trap.git")).unwrap().git_dir, root.join("trap.git"));
    assert_eq!(open(&root.join("trap.git/refs")).unwrap().git_dir, root.join(".git"));
}

#[test]
fn what_is_borrowed_is_listed_through_all_levels_without_end() {
    let (_keep, root) = temp();
    for name in ["a", "b", "c"] {
        with_commit(&root.join(name));
    }
    let objects = |name: &str| root.join(name).join(".git/objects");
    let borrow = |name: &str, lines: String| fs::write(objects(name).join("info/alternates"), lines).unwrap();
    borrow("a", "# comment\n../../../b/.git/objects\n/nowhere/objects\n".into());
    borrow("b", format!("{}\n{}\n", objects("c").display(), objects("a").display()));
    let found: Vec<_> = open(&root.join("a")).unwrap().alternates.into_iter().map(|at| (at.path, at.exists)).collect();
    assert_eq!(found, [(objects("b"), true), (objects("c"), true), ("/nowhere/objects".into(), false)]);
    let listed = git(&root.join("a"), &["count-objects", "-v"]);
    let listed: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("alternate: ")).collect();
    assert_eq!(listed, [objects("b").to_str().unwrap(), objects("c").to_str().unwrap()]);
}

#[test]
fn links_are_followed_as_git_does_and_noted_when_they_lead_out() {
    let (_keep, root) = temp();
    with_commit(&root.join("real"));
    fs::create_dir(root.join("tree")).unwrap();
    symlink(root.join("real/.git"), root.join("tree/.git")).unwrap();
    let opened = as_git_opens(&root.join("tree"));
    assert_eq!(opened.links_outside, [(root.join("tree/.git"), root.join("real/.git"))]);
    symlink(root.join("real"), root.join("alias")).unwrap();
    assert_eq!(as_git_opens(&root.join("alias")).links_outside, []);
    fs::rename(root.join("real/.git/objects"), root.join("objects")).unwrap();
    symlink(root.join("objects"), root.join("real/.git/objects")).unwrap();
    let opened = open(&root.join("real")).unwrap();
    assert_eq!(opened.links_outside, [(root.join("real/.git/objects"), root.join("objects"))]);
}

#[test]
fn what_is_no_repository_is_said_to_be_none() {
    let (_keep, root) = temp();
    fs::write(root.join("file"), "x").unwrap();
    for path in [root.clone(), root.join("file"), root.join("missing")] {
        assert_eq!(open(&path).unwrap_err(), OpenError::NotARepository { path });
    }
}

#[test]
fn an_unknown_format_or_extension_is_named_and_git_refuses_it_too() {
    let (_keep, root) = temp();
    with_commit(&root);
    for (config, named) in [
        ("[core]\nrepositoryformatversion=2\n", "version is 2"),
        ("[core]\nrepositoryformatversion=1\n[extensions]\nfutureThing=1\n", "`futurething`"),
        ("[core]\nrepositoryformatversion=0\n[extensions]\nobjectFormat=sha256\n", "`objectformat`"),
        ("[core]\nrepositoryformatversion=1\n[extensions]\nobjectFormat=md5\n", "`objectformat=md5`"),
        ("[core]\nrepositoryformatversion=1\n[extensions]\nrefStorage=cloud\n", "`refstorage=cloud`"),
        ("[core\n", "line 1"),
    ] {
        fs::write(root.join(".git/config"), config).unwrap();
        let error = open(&root).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
        assert!(!attempt(&root, &["rev-parse", "HEAD"]).status.success(), "git accepts {config}");
    }
}

#[test]
fn extensions_that_do_not_matter_here_are_accepted() {
    let (_keep, root) = temp();
    with_commit(&root);
    for config in [
        "[core]\nrepositoryformatversion=0\n[extensions]\nfutureThing=1\nnoop=1\n",
        "[core]\nrepositoryformatversion=1\n[extensions]\nnoop=1\nnoop-v1=1\npreciousObjects=true\n",
        "[core]\nrepositoryformatversion=1\n[extensions]\npartialClone=origin\n",
    ] {
        fs::write(root.join(".git/config"), config).unwrap();
        let opened = as_git_opens(&root);
        assert_eq!(opened.is_partial, config.contains("partialClone"));
    }
    assert_eq!(open(&root).unwrap().extensions, [("partialclone".to_owned(), "origin".to_owned())]);
}

#[test]
fn grafts_are_seen_and_their_comments_are_not() {
    let (_keep, root) = temp();
    with_commit(&root);
    fs::write(root.join(".git/info/grafts"), "# none\n\n").unwrap();
    assert!(!open(&root).unwrap().has_grafts);
    let oid = git(&root, &["rev-parse", "HEAD"]);
    fs::write(root.join(".git/info/grafts"), format!("{oid}\n")).unwrap();
    assert!(open(&root).unwrap().has_grafts);
}

/// Opens what the environment names and says how it went; the tests below run it as another process.
#[test]
fn opens_what_the_environment_names() {
    let Some(path) = std::env::var_os("ALIGNWATCH_TEST_OPEN") else { return };
    let said = match open(Path::new(&path)) {
        Ok(_) => "opened".into(),
        Err(error) => format!("{error}; {}", error.hint().unwrap_or_default()),
    };
    fs::write(std::env::var_os("ALIGNWATCH_TEST_SAID").unwrap(), said).unwrap();
}

/// What we say and whether git opens it, with these user settings and this `SUDO_UID`.
fn opened_by_us_and_git(path: &Path, settings: &str, sudo: Option<&str>) -> (String, bool) {
    let folder = tempfile::tempdir().unwrap();
    let (config, said) = (folder.path().join("config"), folder.path().join("said"));
    fs::write(&config, settings).unwrap();
    let set = |command: &mut std::process::Command| {
        command.env("GIT_CONFIG_GLOBAL", &config).env_remove("SUDO_UID");
        command.envs(sudo.map(|uid| ("SUDO_UID", uid)));
    };
    let mut ours = std::process::Command::new(std::env::current_exe().unwrap());
    ours.args(["--exact", "opens_what_the_environment_names"]).env("ALIGNWATCH_TEST_OPEN", path);
    set(ours.env("ALIGNWATCH_TEST_SAID", &said).env("GIT_CONFIG_NOSYSTEM", "1"));
    assert!(ours.output().unwrap().status.success());
    let mut gits = plain_git::command(path);
    set(gits.args(["rev-parse", "--git-dir"]));
    (fs::read_to_string(said).unwrap(), gits.output().unwrap().status.success())
}

fn give_away(path: &Path) {
    std::os::unix::fs::lchown(path, Some(12_345), None).unwrap();
}

#[test]
fn a_repository_of_another_user_is_refused_until_the_operator_allows_it() {
    if !rustix::process::geteuid().is_root() {
        println!("not tried: only root can give files away");
        return;
    }
    let (_keep, root) = temp();
    let path = with_commit(&root.join("it's"));
    let allow = |value: &str| format!("[safe]\n\tdirectory = {value}\n");
    assert_eq!(opened_by_us_and_git(&path, "", None), ("opened".into(), true));
    for part in ["", ".git"] {
        give_away(&path.join(part));
        let (said, git_opens) = opened_by_us_and_git(&path, "", None);
        assert!(said.contains("it belongs to another user"), "{said}");
        assert!(said.ends_with(&format!("; git config --global --add safe.directory '{}/it'\\''s'", root.display())));
        assert!(!git_opens);
        std::os::unix::fs::lchown(path.join(part), Some(0), None).unwrap();
    }
    give_away(&path.join(".git"));
    let (exact, above) = (path.display().to_string(), format!("{}/*", root.display()));
    for (settings, opens) in [
        (allow(&exact), true),
        (allow("*"), true),
        (allow(&above), true),
        (allow(&format!("{exact}/*")), false),
        (allow("/somewhere/else"), false),
        (allow("*") + &allow(""), false),
    ] {
        let (said, git_opens) = opened_by_us_and_git(&path, &settings, None);
        assert_eq!(said == "opened", opens, "{settings}: {said}");
        // Git itself knows `path/*` since 2.46.
        let is_known = !settings.contains(&above) || 2046 <= plain_git::version();
        assert_eq!(git_opens, opens && is_known, "{settings}");
    }
    assert_eq!(opened_by_us_and_git(&path, "", Some("12345")), ("opened".into(), true));
    assert!(opened_by_us_and_git(&path, "", Some("54321")).0.contains("another user"));
}

#[test]
fn a_repository_cannot_allow_itself() {
    if !rustix::process::geteuid().is_root() {
        println!("not tried: only root can give files away");
        return;
    }
    let (_keep, root) = temp();
    let (trap, allowed) = (with_commit(&root.join("trap")), with_commit(&root.join("allowed")));
    git(&trap, &["config", "safe.directory", "*"]);
    git(&trap, &["config", "core.worktree", allowed.to_str().unwrap()]);
    give_away(&trap);
    give_away(&trap.join(".git"));
    let settings = format!("[safe]\n\tdirectory = {}\n", allowed.display());
    let (said, git_opens) = opened_by_us_and_git(&trap, &settings, None);
    assert!(said.contains("another user") && !git_opens, "{said}");
}

#[test]
fn a_git_file_of_another_user_is_refused_whatever_it_names() {
    if !rustix::process::geteuid().is_root() {
        println!("not tried: only root can give files away");
        return;
    }
    let (_keep, root) = temp();
    fs::create_dir(root.join("tree")).unwrap();
    git(&root.join("tree"), &["init", "-q", "--separate-git-dir", "../store"]);
    give_away(&root.join("tree/.git"));
    let (said, git_opens) = opened_by_us_and_git(&root.join("tree"), "", None);
    assert!(said.contains("tree/.git`: it belongs to another user") && !git_opens, "{said}");
}
