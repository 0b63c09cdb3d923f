//! Hazards in the settings of real repositories, as git reads them.

#![allow(clippy::unwrap_used)]

mod plain_git;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use alignwatch_git::repository::open;
use alignwatch_git::run::Git;
use alignwatch_git::settings::hazards;
use plain_git::{git, with_commit};

fn said(folder: &Path) -> Vec<String> {
    let opened = open(folder).unwrap();
    let runner = Git::find().unwrap();
    let found = hazards(&opened, runner.at(&opened).unwrap().entries()).unwrap();
    let line = |hazard: alignwatch_model::snapshot::Hazard| {
        format!("{} {:?} {}={}", hazard.scope, hazard.kind, hazard.key, hazard.value)
    };
    found.into_iter().map(line).collect()
}

#[test]
fn a_new_repository_has_no_hazards_in_spite_of_its_sample_hooks() {
    let folder = tempfile::tempdir().unwrap();
    with_commit(folder.path());
    assert_eq!(said(folder.path()), Vec::<String>::new());
}

#[test]
fn hazards_are_found_in_both_scopes_in_includes_and_in_hooks() {
    let folder = tempfile::tempdir().unwrap();
    let root = with_commit(folder.path());
    git(&root, &["config", "remote.up.mirror", "true"]);
    git(&root, &["config", "include.path", "more"]);
    fs::write(root.join(".git/more"), "[Core]\n\tPAGER = less\n[http]\n\textraHeader = X: y\n").unwrap();
    git(&root, &["config", "extensions.worktreeConfig", "true"]);
    git(&root, &["config", "--worktree", "gc.pruneExpire", "now"]);
    let hooks = root.join(".git/hooks");
    for (name, mode) in [("pre-commit", 0o755), ("post-merge", 0o644), ("no-event", 0o755)] {
        fs::write(hooks.join(name), "#!/bin/sh\n").unwrap();
        fs::set_permissions(hooks.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    symlink("/bin/true", hooks.join("pre-push")).unwrap();
    symlink("/nowhere", hooks.join("update")).unwrap();
    let pre_commit = fs::canonicalize(&hooks).unwrap().join("pre-commit");
    assert_eq!(
        said(&root),
        [
            "local MirrorPush remote.up.mirror=true".to_owned(),
            "local RunsProgram core.pager=less".to_owned(),
            "local Secret http.extraheader=(secret)".to_owned(),
            "worktree ShortUndo gc.pruneexpire=now".to_owned(),
            format!("hook RunsProgram hooks/pre-commit={}", pre_commit.display()),
            "hook RunsProgram hooks/pre-push=/bin/true".to_owned(),
        ]
    );
}
