//! What the configuration changes in an inspection.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::time::Duration;

use alignwatch_git::{
    inspect::{InspectError, Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{Look, Relation, Snapshot, State, config::Config};
use alignwatch_testkit::{Repo, sketch};

const MARKED: &str = r"<<<<<<<\sours|x|=======|y|>>>>>>>\stheirs";

fn look(repo: &Repo, yaml: &str) -> Snapshot {
    let (config, _) = Config::from_yaml(yaml, "alignwatch.yaml").unwrap();
    let wanted = Wanted {
        base: None,
        looks: Look::with_required(Look::ALL.iter().copied()),
        paths_patience: Duration::from_secs(60),
        stop: Stop::default(),
    };
    inspect(repo.path(), &config, repo.newest_at(), None, &wanted, &|_| {}).unwrap()
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    snapshot.branches.iter().map(|branch| branch.name.text().into_owned()).collect()
}

fn marked(snapshot: &Snapshot, name: &str) -> Vec<String> {
    let branch = snapshot.branches.iter().find(|branch| branch.name.text() == name).unwrap();
    branch.markers.seen().unwrap().iter().map(|file| file.path.clone()).collect()
}

#[test]
fn only_the_spaces_that_are_named_hold_branches_and_patterns_take_some_out() {
    let repo = sketch(
        "main: a b
         tmp-1: a x
         remote origin/y: a y
         refs/pull/7/head: a p
         refs/pull/7/merge: b q<p
         refs/agents/z: a z",
    )
    .draw();
    assert_eq!(names(&look(&repo, "")), ["refs/heads/main", "refs/heads/tmp-1", "refs/remotes/origin/y"]);
    let some = "refs: {spaces: [heads, pulls, refs/agents/], exclude: [tmp-*]}";
    assert_eq!(names(&look(&repo, some)), ["refs/agents/z", "refs/heads/main", "refs/pull/7/head"]);
}

#[test]
fn markers_are_not_searched_where_they_are_meant_to_be() {
    let text = format!("main: a\n topic: a x(docs/merging/how={MARKED}, src/f={MARKED}|1)");
    let repo = sketch(text).draw();
    assert_eq!(marked(&look(&repo, ""), "refs/heads/topic"), ["docs/merging/how", "src/f"]);
    let some = "markers: {exclude: [\"docs/**\"]}";
    assert_eq!(marked(&look(&repo, some), "refs/heads/topic"), ["src/f"]);
    let all = "markers: {exclude: [\"**\"]}";
    assert_eq!(marked(&look(&repo, all), "refs/heads/topic"), Vec::<String>::new());
}

#[test]
fn rules_give_branches_their_base_relation_and_budget() {
    let repo = sketch(
        "main: a b c
         release/1: a r
         topic: r t",
    )
    .draw();
    let rules = "
budget: {behind: 9}
relations:
  - branches: [release/*]
    relation: curated
  - branches: [topic]
    base: release/1
    relation: stack
    budget: {age: 2h}
";
    let snapshot = look(&repo, rules);
    let branch = |name: &str| snapshot.branches.iter().find(|branch| branch.name.text() == name).unwrap();
    assert_eq!(branch("refs/heads/release/1").relation, Relation::Curated);
    let topic = branch("refs/heads/topic");
    assert_eq!(topic.relation, Relation::Stack);
    assert_eq!(topic.base.as_ref().unwrap().name.text(), "refs/heads/release/1");
    assert_eq!(topic.budget.age.map(|age| age.0), Some(7_200));
    assert_eq!(topic.budget.behind, None);
}

#[test]
fn a_configured_base_that_is_not_there_blinds_only_what_depends_on_it() {
    let repo = sketch(
        "master: a b c
         topic: a t
         stacked: t s",
    )
    .draw();
    let rules = "
bases: [nothere, master]
relations:
  - {branches: [stacked], base: topik}
  - {branches: [topic], base: elsewhere, repositories: [/elsewhere/**]}
";
    let snapshot = look(&repo, rules);
    let missing: Vec<String> = snapshot.missing_bases.iter().map(|base| base.told()).collect();
    assert_eq!(
        missing,
        [
            "the base `nothere`, which bases[0] names, cannot be used: there is no such branch",
            "the base `topik`, which relations[0].base names, cannot be used: there is no such branch",
        ]
    );
    assert_eq!(snapshot.missing_bases[1].alike, ["topic"]);
    let branch = |name: &str| snapshot.branches.iter().find(|branch| branch.name.text() == name).unwrap();
    let (topic, stacked) = (branch("refs/heads/topic"), branch("refs/heads/stacked"));
    let drift = topic.drift.seen().unwrap();
    let counted = repo.git(["rev-list", "--left-right", "--count", "topic...master"]);
    assert_eq!(format!("{}\t{}", drift.ahead, drift.behind), counted.trim());
    assert_eq!((topic.state(), stacked.state()), (State::Diverged, State::Unknown));
    assert_eq!((stacked.why_unknown(), &stacked.base), (Some(&*missing[1]), &None));
}

#[test]
fn without_any_base_that_is_there_nothing_is_measured_and_nothing_is_guessed() {
    let repo = sketch("main: a b c\n topic: a t\n other: t o").draw();
    let snapshot = look(&repo, "bases: [mian]\nrelations: [{branches: [other], base: topic}]");
    assert!(snapshot.lines.is_empty());
    let told = |branch: &alignwatch_model::Branch| (branch.name.text().into_owned(), branch.why_unknown().is_some());
    let unknown: Vec<(String, bool)> = snapshot.branches.iter().map(told).collect();
    let expected = [("refs/heads/main", true), ("refs/heads/other", false), ("refs/heads/topic", true)];
    assert_eq!(unknown, expected.map(|(name, is_unknown)| (name.to_owned(), is_unknown)));
}

#[test]
fn a_base_that_is_asked_for_and_not_there_is_an_error_that_names_what_is_alike() {
    let repo = sketch("main: a b\n topic: a t").draw();
    let wanted = Wanted {
        base: Some("mai".into()),
        looks: Look::with_required([Look::History]),
        paths_patience: Duration::ZERO,
        stop: Stop::default(),
    };
    let error = inspect(repo.path(), &Config::default(), repo.newest_at(), None, &wanted, &|_| {}).unwrap_err();
    let InspectError::NoSuchBase { alike, .. } = &error else { panic!("{error}") };
    assert_eq!(alike, &["main"]);
    assert!(error.to_string().starts_with("cannot measure against `mai`: there is no such branch in `"), "{error}");
}

#[test]
fn a_git_has_as_long_as_the_configuration_gives_it() {
    use std::os::unix::fs::PermissionsExt;

    use alignwatch_git::{
        repository::open,
        run::{Git, GitError, Limits},
    };

    let repo = sketch("main: a").draw();
    let file = repo.room().join("slow-git");
    let script = "#!/bin/sh\ncase \"$*\" in *version*) echo git version 2.47.0;; *slow*) sleep 600;; esac\n";
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let git = Git::at_program(&file).unwrap();
    let opened = open(repo.path()).unwrap();
    let limits = Limits { time: Duration::from_millis(300), ..Limits::default() };
    let error = git.at(&opened).unwrap().limited(limits).command("slow").run().unwrap_err();
    assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
}

#[test]
fn attributes_without_an_end_hang_nobody() {
    let repo = sketch("main: a b\n feature: a x").draw();
    let info = repo.git_dir().join("info");
    std::fs::create_dir_all(&info).unwrap();
    std::os::unix::fs::symlink("/dev/zero", info.join("attributes")).unwrap();
    let seen = look(&repo, "");
    let feature = seen.branch(&"refs/heads/feature".into()).unwrap();
    assert!(feature.drift.seen().is_some());
}
