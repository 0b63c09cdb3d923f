//! An inspection that remembers says what one that begins anew says, however the line moved meanwhile.

#![allow(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{collections::BTreeMap, fmt::Write as _, path::Path, time::Duration};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{Landed, Look, Snapshot, Timestamp, Verdict, branch::Conflict, config::Config};
use alignwatch_testkit::{Shape, generate, git, git_command};

/// Pushes to the line, each followed by a comparison.
const PUSHES: usize = 8;

#[test]
fn what_is_remembered_across_pushes_is_what_would_be_found_anew() {
    let temp = tempfile::tempdir().unwrap();
    let repository = temp.path().join("repository.git");
    generate(&Shape::like_649().scaled_to(40, 160), &repository);
    let memory = temp.path().join("data");
    look(&repository, Some(&memory));
    let mut n_carried = 0;
    for push in 0..PUSHES {
        move_line(&repository, push);
        let before = remembered_merges(&memory);
        let (remembering, anew) = (look(&repository, Some(&memory)), look(&repository, None));
        assert_eq!(told(&remembering), told(&anew), "after push {push}");
        n_carried += usize::from(before < remembered_merges(&memory));
    }
    assert!(PUSHES / 2 < n_carried);
}

fn look(repository: &Path, data_dir: Option<&Path>) -> Snapshot {
    let patience = Duration::from_secs(300);
    let wanted = Wanted {
        base: Some("main".into()),
        looks: Look::with_required([Look::Merges]),
        paths_patience: patience,
        stop: Stop::default(),
    };
    inspect(repository, &Config::default(), Timestamp(1_800_000_000), data_dir, &wanted, &|_| {}).unwrap()
}

fn remembered_merges(memory: &Path) -> u64 {
    let folders = std::fs::read_dir(memory.join("remembered")).unwrap();
    folders.map(|folder| folder.unwrap().path().join("merges").metadata().unwrap().len()).sum()
}

type Told = BTreeMap<String, (Landed, Verdict, Option<Vec<Conflict>>)>;

fn told(snapshot: &Snapshot) -> Told {
    let of = |branch: &alignwatch_model::Branch| {
        (branch.name.to_string(), (branch.landed.clone(), branch.merge.verdict, branch.merge.conflicts.clone()))
    };
    snapshot.branches.iter().map(of).collect()
}

/// Commits to the line what the number says: an edit, an addition, a removal, a rename, a revert.
fn move_line(repository: &Path, push: usize) {
    let files = git(repository, ["ls-tree", "-r", "--name-only", "main"]);
    let is_plain = |path: &&str| path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    let files: Vec<&str> = files.lines().filter(is_plain).collect();
    let at = |number: usize| files[(number * 7 + 3) % files.len()];
    let mut stream = String::new();
    for number in 0..1 + push % 3 {
        writeln!(
            stream,
            "commit refs/heads/main\ncommitter A <a@example.org> {} +0000\ndata 4\npush",
            1_790_000_000 + 10 * push + number
        )
        .unwrap();
        stream.push_str(if number == 0 { "from refs/heads/main^0\n" } else { "" });
        match (push + number) % 4 {
            0 => writeln!(stream, "M 100644 inline {}\ndata 11\nline {push:>6}", at(push + number)).unwrap(),
            1 => writeln!(stream, "M 100644 inline added/by-push-{push}-{number}\ndata 4\nnew\n").unwrap(),
            2 => writeln!(stream, "D {}", at(push + number)).unwrap(),
            _ => writeln!(stream, "R {} moved/file-{push}-{number}", at(push + number)).unwrap(),
        }
    }
    let mut command = git_command(repository, ["fast-import", "--quiet", "--force"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}
