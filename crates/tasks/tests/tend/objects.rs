//! Tasks that touch objects and refs keep all of them, say what they did, and survive what goes wrong.

use std::fs;

use alignwatch_model::task::{Came, Decision};

use crate::world::World;

/// All that rewrite something.
const REWRITING: [&str; 4] = ["pack-refs", "loose-objects", "geometric-repack", "commit-graph"];

#[test]
fn each_task_has_its_effect_once_and_then_finds_nothing_to_do() {
    let world = World::messy();
    let before = world.objects();
    for task in ["pack-refs", "loose-objects"] {
        let (plan, hold) = world.plan(task);
        assert!(plan.acts() && hold.is_none(), "{task}: {plan:?} {hold:?}");
        let report = world.run(task);
        assert_eq!(report.result, Came::Effect, "{task}: {report:?}");
        assert_eq!(world.came(task), Came::Noop, "{task} a second time");
    }
    assert!(world.count("count") < 10, "only what nothing reaches is loose");
    assert_eq!(world.objects(), before);
    world.assert_sound();
    assert!(!world.quarantine().exists(), "the net is taken in");
}

#[test]
fn small_packs_become_one_with_an_index_over_all() {
    let world = World::messy();
    let before = world.objects();
    let report = world.run("geometric-repack");
    assert_eq!(report.result, Came::Effect, "{report:?}");
    assert_eq!(report.objects_kept, Some(before.len() as u64));
    assert!(world.count("packs") < 4 && world.repo.git_dir().join("objects/pack/multi-pack-index").exists());
    assert_eq!(world.objects(), before);
    world.assert_sound();
}

#[test]
fn a_run_that_changes_nothing_is_never_called_done() {
    let world = World::new();
    for task in REWRITING {
        let report = world.run(task);
        assert_ne!(report.result, Came::Effect, "{task}: {report:?}");
    }
    let history = world.journal();
    assert!(history.runs().iter().all(|run| run.state() == "noop"), "{history:?}");
}

#[test]
fn a_git_that_does_nothing_and_ends_well_has_no_effect() {
    let mut world = World::messy();
    let real = world.git.clone();
    world.with_fake_git("case \" $* \" in *' repack '*|*' pack-refs '*) exit 0;; esac\nexec \"$real\" \"$@\"");
    for task in ["pack-refs", "loose-objects"] {
        let report = world.run(task);
        assert_eq!(
            (report.result, report.because.as_str()),
            (Came::Noop, "it ran, and nothing is different"),
            "{task}"
        );
    }
    let in_a_row = |world: &World| {
        let said = world.journal();
        let last = said.last_of(&said.records[0].repository_id);
        last.into_iter().find(|run| run.task == "pack-refs").unwrap().n_without_effect
    };
    world.run("pack-refs");
    assert_eq!(in_a_row(&world), 2, "it acted twice, and nothing came of it");
    world.git = real;
    assert_eq!(world.came("pack-refs"), Came::Effect);
    assert_eq!(in_a_row(&world), 0);
}

#[test]
fn objects_that_a_git_loses_come_back_and_that_is_critical() {
    let mut world = World::messy();
    let before = world.objects();
    let pack = "\"$dir\"/objects/pack/pack-";
    world.with_fake_git(&format!(
        "case \" $* \" in *' repack '*)\n\
           for word in \"$@\"; do case $word in --git-dir=*) dir=${{word#--git-dir=}};; esac; done\n\
           \"$real\" \"$@\" || exit\n\
           rm -f {pack}*; exit 0;;\n\
         esac\nexec \"$real\" \"$@\""
    ));
    let report = world.run("loose-objects");
    assert!(report.result == Came::Failed && report.is_critical, "{report:?}");
    assert!(report.because.contains("came back"), "{report:?}");
    assert_eq!(world.objects(), before);
    world.assert_sound();
}

#[test]
fn refs_that_a_git_loses_are_told() {
    let mut world = World::messy();
    world.with_fake_git(
        "case \" $* \" in *' pack-refs '*)\n\
           for word in \"$@\"; do case $word in --git-dir=*) dir=${word#--git-dir=};; esac; done\n\
           rm -f \"$dir\"/refs/heads/topic \"$dir\"/packed-refs; exit 0;;\n\
         esac\nexec \"$real\" \"$@\"",
    );
    let report = world.run("pack-refs");
    assert!(report.is_critical && report.because.contains("gone"), "{report:?}");
}

#[test]
fn what_is_damaged_is_left_alone() {
    let world = World::messy();
    world.repo.write_ref_by_hand("refs/heads/broken", "nonsense\n");
    for task in ["pack-refs", "loose-objects", "geometric-repack"] {
        let (plan, _) = world.plan(task);
        assert!(matches!(plan.decision, Decision::Refuse(_)), "{task}: {plan:?}");
        assert_eq!(world.came(task), Came::Skipped);
    }
    fs::remove_file(world.repo.git_dir().join("refs/heads/broken")).unwrap();
    let blob = world.repo.git(["rev-parse", "HEAD:loose-7"]);
    fs::remove_file(world.repo.git_dir().join(format!("objects/{}/{}", &blob[..2], &blob[2..]))).unwrap();
    let n_loose = world.count("count");
    let report = world.run("loose-objects");
    assert!(report.result == Came::Skipped && report.because.contains("cannot count"), "{report:?}");
    assert_eq!(world.count("count"), n_loose);
}

#[test]
fn a_partial_clone_is_refused() {
    let repo = alignwatch_testkit::sketch("main: a b c").partial("blob:none").draw();
    let world = World::of(repo);
    assert!(matches!(world.plan("geometric-repack").0.decision, Decision::Refuse(_)));
}

/// All that take files with objects away.
const REMOVING: [&str; 3] = ["loose-objects", "geometric-repack", "full-repack"];

fn refused(world: &World, tasks: &[&str], why: &str) {
    for task in tasks {
        let (plan, _) = world.plan(task);
        assert!(matches!(&plan.decision, Decision::Refuse(reason) if reason.contains(why)), "{task}: {plan:?}");
        let forced = world.forced(task);
        assert!(forced.result == Came::Skipped && forced.is_refusal(), "{task}: {forced:?}");
    }
}

#[test]
fn where_objects_must_stay_no_task_takes_a_file_with_objects_away() {
    let world = World::messy();
    let files = || {
        let listed = world.repo.git(["count-objects", "-v"]);
        listed.lines().filter(|line| !line.starts_with("size")).collect::<Vec<_>>().join(" ")
    };
    let before = files();
    world.repo.git(["config", "core.repositoryFormatVersion", "1"]);
    world.repo.git(["config", "extensions.preciousObjects", "true"]);
    refused(&world, &REMOVING, "extensions.preciousObjects");
    world.repo.git(["config", "--unset", "extensions.preciousObjects"]);
    // A pack that came from a remote which keeps the rest.
    let promisor = world.repo.git_dir().join(format!("objects/pack/pack-{}.promisor", "0".repeat(40)));
    fs::write(&promisor, "").unwrap();
    refused(&world, &REMOVING, "partial clone");
    fs::remove_file(&promisor).unwrap();
    let shallow = world.repo.git_dir().join("shallow");
    fs::write(&shallow, format!("{}\n", world.oid_of("main~2"))).unwrap();
    refused(&world, &REMOVING, "shallow");
    fs::remove_file(&shallow).unwrap();
    let borrower = world.repo.path().with_file_name("borrower");
    let (from, to) = (world.repo.path().to_str().unwrap(), borrower.to_str().unwrap());
    alignwatch_testkit::git(world.repo.room(), ["clone", "-q", "--bare", "--shared", from, to]);
    refused(&world, &REMOVING, "borrows objects from it");
    refused(&world, &["archive-expiry"], "borrows objects from it");
    assert_eq!(files(), before);
    fs::remove_dir_all(&borrower).unwrap();
    assert_eq!(world.came("loose-objects"), Came::Effect);
}

#[test]
fn what_somebody_borrows_from_elsewhere_is_known_where_the_configuration_names_him() {
    let mut world = World::messy();
    let elsewhere = tempfile::tempdir().unwrap();
    let borrower = elsewhere.path().join("borrower");
    let (from, to) = (world.repo.path().to_str().unwrap(), borrower.to_str().unwrap());
    alignwatch_testkit::git(world.repo.room(), ["clone", "-q", "--shared", from, to]);
    assert!(world.plan("loose-objects").0.acts(), "nobody can know");
    let text = format!("maintenance: {{repositories: [{to}]}}\n");
    world.config = alignwatch_model::config::Config::from_yaml(&text, "f").unwrap().0;
    refused(&world, &REMOVING, "borrows objects from it");
}

#[test]
fn a_git_that_is_known_to_damage_something_is_refused_for_that_and_for_nothing_else() {
    for (version, refusing) in [
        ("2.34.8", &["loose-objects", "geometric-repack", "full-repack"][..]),
        ("2.36.2", &["loose-objects", "geometric-repack", "full-repack", "commit-graph", "commit-graph-rewrite"]),
        ("2.47.0", &["loose-objects", "geometric-repack", "full-repack", "multi-pack-index"]),
        ("2.51.0.windows.2", &["loose-objects", "geometric-repack", "full-repack"]),
        ("2.51.1", &[]),
        ("2.55.0", &[]),
    ] {
        let mut world = World::new();
        world.with_fake_git(&format!(
            "case \" $* \" in *' version '*) echo 'git version {version}'; exit;; esac\nexec \"$real\" \"$@\""
        ));
        refused(&world, refusing, "known to damage repositories");
        for task in ["loose-objects", "full-repack", "multi-pack-index", "commit-graph", "pack-refs", "backup"] {
            let decision = world.plan(task).0.decision;
            let is_refused = decision.because().contains("known to damage");
            assert_eq!(is_refused, refusing.contains(&task), "{version}, {task}: {decision:?}");
        }
    }
}

#[test]
fn a_git_that_is_killed_in_the_middle_leaves_nothing_that_holds_the_next_run() {
    for nth in [1, 3, 5] {
        let mut world = World::messy();
        let before = world.objects();
        let real = world.git.clone();
        world.with_fake_git(&format!(
            "case \" $* \" in *' repack '*|*' pack-refs '*)\n\
               for word in \"$@\"; do case $word in --git-dir=*) dir=${{word#--git-dir=}};; esac; done\n\
               touch \"$dir\"/packed-refs.lock \"$dir\"/objects/pack/tmp_pack_left\n\
               \"$real\" \"$@\" & child=$!; sleep 0.00{nth}; kill -9 $child; exit 137;;\n\
             esac\nexec \"$real\" \"$@\""
        ));
        for task in ["loose-objects", "pack-refs"] {
            let report = world.run(task);
            assert_eq!(report.result, Came::Failed, "{nth}: {report:?}");
        }
        assert_eq!(world.objects(), before, "kill {nth}");
        world.assert_sound();
        world.git = real;
        for task in ["loose-objects", "pack-refs"] {
            let again = world.run(task);
            assert!(matches!(again.result, Came::Effect | Came::Noop), "{task} after kill {nth}: {again:?}");
        }
        assert_eq!(world.objects(), before);
        world.assert_sound();
    }
}
