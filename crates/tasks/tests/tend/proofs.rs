//! Small runs of what `examples/` does at length: random histories, rounds of deleting and taking back, kills.
//!
//! bench/README.md says how the long ones are run.

use std::{fs, path::Path, process::Command};

use alignwatch_model::task::Came;

use crate::{histories, kills, rounds, world::World};

#[test]
fn of_random_histories_no_branch_would_go_whose_work_is_not_in_its_base() {
    let judged = histories::run(2, 250, 7_000);
    assert_eq!(judged.n_wrong, 0, "{judged:?}");
    assert!(400 <= judged.n && 20 <= judged.n_going, "{judged:?}");
}

#[test]
fn in_rounds_of_deleting_and_taking_back_no_byte_changes() {
    assert_eq!(rounds::run(6), (6, 6));
}

/// What a child is to run, where this test started it: the repository, the data directory, the task.
const CHILD: &str = "ALIGNWATCH_TEST_KILLS";

#[test]
#[ignore = "the test below starts it as a process of its own, to kill it"]
fn runs_a_task_in_a_process_of_its_own() {
    let Ok(words) = std::env::var(CHILD) else { return };
    let words: Vec<&str> = words.split('\n').collect();
    drop(kills::run(Path::new(words[0]), Path::new(words[1]), words[2]));
}

#[test]
fn tasks_that_are_killed_at_any_moment_leave_the_repository_whole_and_the_next_run_goes_through() {
    let start = |path: &Path, data_dir: &Path, task: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "proofs::runs_a_task_in_a_process_of_its_own", "--ignored"]);
        command.env(CHILD, format!("{}\n{}\n{task}", path.display(), data_dir.display()));
        command
    };
    let tasks =
        ["loose-objects", "geometric-repack", "full-repack", "pack-refs", "commit-graph-rewrite", "multi-pack-index"];
    let (n_killed, n_bad) = kills::rounds(3, &tasks, 40, &start);
    assert_eq!(n_bad, 0);
    assert!(0 < n_killed, "none was killed in the middle");
}

/// Each that has git write, with the word of the git that does.
const WRITING: [(&str, &str); 7] = [
    ("loose-objects", "repack"),
    ("geometric-repack", "repack"),
    ("full-repack", "repack"),
    ("pack-refs", "pack-refs"),
    ("commit-graph", "commit-graph"),
    ("commit-graph-rewrite", "commit-graph"),
    ("multi-pack-index", "multi-pack-index"),
];

#[test]
fn a_git_that_is_killed_at_a_fixed_byte_of_what_it_writes_leaves_nothing_that_holds_the_next_run() {
    let mut n_killed = 0;
    let mut world = World::messy();
    let real = world.git.clone();
    let before = world.objects();
    let refs = world.repo.git(["for-each-ref"]);
    // The system kills whoever writes a file beyond so many blocks; git is told of no such thing, and has no way out.
    for n_blocks in [0, 1, 4, 16, 64] {
        for (task, word) in WRITING {
            world.with_fake_git(&format!(
                "case \" $* \" in *' {word} '*) sleep 0.05; ulimit -f {n_blocks};; esac\nexec \"$real\" \"$@\""
            ));
            let report = world.forced(task);
            n_killed += usize::from(report.result == Came::Failed);
            assert!(!report.is_critical, "{task} at {n_blocks}: {report:?}");
            assert_eq!(world.objects(), before, "{task} at {n_blocks}");
            assert_eq!(world.repo.git(["for-each-ref"]), refs, "{task} at {n_blocks}");
            world.assert_sound();
            world.git = real.clone();
            let again = world.forced(task);
            assert!(matches!(again.result, Came::Effect | Came::Noop), "{task} after {n_blocks}: {again:?}");
            assert_eq!(world.objects(), before, "{task} after {n_blocks}");
            // Something to write, for the next one.
            fs::write(world.repo.path().join("next"), format!("{n_blocks} {task}\n")).unwrap();
            drop(world.repo.git(["hash-object", "-w", "next"]));
        }
    }
    assert!(7 <= n_killed, "only {n_killed} were killed");
}
