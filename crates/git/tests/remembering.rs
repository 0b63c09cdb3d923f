//! An inspection that remembers says what one that begins anew says, however the line moved meanwhile.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use alignwatch_git::{
    graph::Recent,
    inspect::{Progress, Wanted, inspect, inspect_again},
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
    let on_going = OnGoing::beside(&memory);
    look(&repository, Some(&memory));
    on_going.look(&repository);
    let (mut n_carried, mut n_asked) = (0, 0);
    for push in 0..PUSHES {
        move_line(&repository, push);
        let (remembering, n_predicted) = counted_look(&repository, Some(&memory));
        let (anew, n_all) = counted_look(&repository, None);
        assert_eq!(told(&remembering), told(&anew), "after push {push}");
        assert_eq!(told(&on_going.look(&repository)), told(&anew), "after push {push}, in a process that goes on");
        n_carried += n_all - n_predicted;
        n_asked += n_all;
    }
    assert!(n_asked / 4 < n_carried, "{n_carried} of {n_asked} were carried over");
}

/// The work is in proportion to what changed.
#[test]
fn after_a_push_only_the_branches_that_it_touched_are_predicted_anew() {
    let temp = tempfile::tempdir().unwrap();
    let (repository, memory) = (temp.path().join("repository.git"), temp.path().join("data"));
    generate(&Shape::like_649().scaled_to(60, 240), &repository);
    look(&repository, Some(&memory));
    // A file that the merge base does not have may be the new name of another one.
    let has = |tree: &str, path: &str| !git(&repository, ["ls-tree", tree, "--", path]).is_empty();
    let changed = |base: &str, tip: &str, path: &str| {
        !has(base, path) || git(&repository, ["diff", "--name-only", base, tip]).lines().any(|other| other == path)
    };
    let mut n_touched_in_all = 0;
    for push in [0, 12, 24] {
        // Each is an edit of one file.
        let before = git(&repository, ["rev-parse", "main"]);
        move_line(&repository, push);
        let edited = git(&repository, ["diff", "--name-only", before.trim(), "main"]);
        let (remembering, n_predicted) = counted_look(&repository, Some(&memory));
        let is_touched = |branch: &&alignwatch_model::Branch| {
            let (tip, bases) = (branch.tip.seen().unwrap().oid.hex(), &branch.drift.seen().unwrap().merge_bases);
            // What could not be told may be told now that objects came, and what several bases merge to is not known here.
            branch.merge.verdict == Verdict::Unknown
                || 1 < bases.len()
                || bases.iter().any(|base| changed(&base.hex(), &tip, edited.trim()))
        };
        let open = || remembering.branches.iter().filter(|branch| branch.has_diverged());
        let (n_touched, n_all) = (open().filter(is_touched).count(), open().count());
        assert!(n_predicted <= n_touched && 2 * n_touched < n_all, "{n_predicted} of {n_touched} of {n_all}");
        assert_eq!(told(&remembering), told(&look(&repository, None)));
        n_touched_in_all += n_touched;
    }
    assert!(0 < n_touched_in_all);
}

/// A base, what the branch does, what the line does before the first look and what it does after it.
///
/// Each is lines of `git fast-import`: `M path content`, `D path`, `R from to`.
const MOVES: [(&str, &[&str], &[&str], &[&str], &[&str]); 12] = [
    (
        "attributes of the line say how a file is merged",
        &["M a.txt one"],
        &["M a.txt two"],
        &["M a.txt three"],
        &["M .gitattributes a.txt merge=union"],
    ),
    (
        "attributes of a folder, too",
        &["M d/a.txt one", "M d/.gitattributes a.txt merge=union"],
        &["M d/a.txt two"],
        &["M d/a.txt three"],
        &["D d/.gitattributes"],
    ),
    ("a file comes where the branch has a folder", &["M a one"], &["M x/y new"], &["M b new"], &["M x new"]),
    ("a folder comes where the branch has a file", &["M a one"], &["M x new"], &["M b new"], &["M x/y/z new"]),
    (
        "a folder moves in which the branch has something new",
        &["M d/e/a one-two-three", "M d/b four-five-six"],
        &["M d/e/new new"],
        &["M b new"],
        &["R d z"],
    ),
    (
        "a folder that was gone comes back",
        &["M d/e/a one-two-three", "M d/b four-five-six"],
        &["M d/e/new new"],
        &["R d z"],
        &["M d/e/back back"],
    ),
    (
        "something comes into a folder that the branch moved",
        &["M d/e/a one-two-three", "M d/b four-five-six"],
        &["R d z"],
        &["M b new"],
        &["M d/e/new new"],
    ),
    (
        "a file comes that is like one which the line removed and the branch changed",
        &["M a one-two-three"],
        &["M a one-two-three-four"],
        &["D a"],
        &["M z one-two-three"],
    ),
    (
        "a file is overwritten whose name the branch's file had got on the line",
        &["M a one-two-three"],
        &["M a one-two-three-four"],
        &["R a z"],
        &["M z something-else-entirely"],
    ),
    (
        "a file comes back that had taken the new name for itself",
        &["M a one-two-three", "M d/b one-two-three", "M c unlike-the-others"],
        &["M a one-two-three-four"],
        &["D a", "D d/b", "M e/b one-two-three"],
        &["M d/b 0000000000000"],
    ),
    (
        "a file comes that shows where a folder went in which the branch has something new",
        &["M d/a one-two-three", "M b four-five-six"],
        &["M d/new new"],
        &["D d/a"],
        &["M z/a one-two-three"],
    ),
    ("paths of a conflict hold the id of the line", &["M a one"], &["M x/y new"], &["M x new"], &["M elsewhere new"]),
];

fn words(changes: &[String]) -> Vec<&str> {
    changes.iter().map(String::as_str).collect()
}

/// A file of a hundred lines, of which some are changed.
fn hundred(changed: &[usize], by: &str) -> String {
    let line =
        |n: usize| if changed.contains(&n) { format!("{by} {n}|") } else { format!("a line of text, number {n}|") };
    (0..100).map(line).collect::<String>().replace('|', "\n")
}

/// Git takes files for renamed also by a name that only one of them has, so that a file unlike all others matters.
#[test]
fn what_only_git_can_tell_is_not_carried_over() {
    let (near, far, far_too): (Vec<usize>, Vec<usize>, Vec<usize>) = ((5..15).collect(), vec![90], (60..75).collect());
    let (base, branch) = (hundred(&[], ""), hundred(&[10], "theirs"));
    let (conflicting, harmless) = (hundred(&near, "ours"), hundred(&far, "ours"));
    let other = |seed: usize| (0..100).map(|n| format!("{} of another file\n", n * 7 + seed)).collect::<String>();
    let file = |path: &str, content: &str| format!("M {path} {content}");
    let moves = [
        (
            vec![file("src/foo.c", &base)],
            vec!["D src/foo.c".to_owned(), file("lib/foo.c", &conflicting), file("other/bar.c", &harmless)],
            vec![file("test/foo.c", &other(1))],
        ),
        (
            vec![file("src/foo.c", &base), file("old/foo.c", &other(2))],
            vec![
                "D src/foo.c".to_owned(),
                "R old/foo.c moved/zzz.c".to_owned(),
                file("lib/foo.c", &hundred(&far_too, "ours")),
                file("other/bar.c", &hundred(&[10], "ours")),
            ],
            vec![file("moved/zzz.c", &other(2).replace("7 of another", "8 of another"))],
        ),
    ];
    for (number, (base, line, push)) in moves.iter().enumerate() {
        let (first, remembering, anew) =
            moved(&words(base), &[&file("src/foo.c", &branch)], &words(line), &words(push));
        assert_eq!(told(&remembering), told(&anew), "move {number}; at first it was {:?}", told(&first));
        assert_ne!(told(&first), told(&anew), "move {number}: carrying it over would show");
    }
}

/// A conflict that a part of the pair makes certain stays one; its paths are named anew.
#[test]
fn the_verdict_of_a_conflict_that_is_certain_is_carried_over_where_the_rest_is_only_gits_to_tell() {
    let (near, theirs) = (hundred(&[10], "ours"), hundred(&[10], "theirs"));
    let other = |seed: usize| (0..100).map(|n| format!("{} of another file\n", n * 7 + seed)).collect::<String>();
    let file = |path: &str, content: &str| format!("M {path} {content}");
    // Which of two files became of it, only Git tells.
    let unclear = |path: &str| {
        let halves = [hundred(&(0..40).collect::<Vec<_>>(), "x"), hundred(&(60..100).collect::<Vec<_>>(), "y")];
        vec![format!("D {path}"), file("one/of.two", &halves[0]), file("two/of.two", &halves[1])]
    };
    let base = vec![file("doubt.c", &hundred(&[], "")), file("both.c", &hundred(&[], "")), file("gone.c", &other(1))];
    let in_place = (vec![file("doubt.c", &theirs), file("both.c", &theirs)], vec![file("both.c", &near)]);
    let removed = (
        vec![file("doubt.c", &theirs), file("gone.c", &other(1).replace("7 of", "77 of"))],
        vec!["D gone.c".to_owned()],
    );
    let back = file("kept/gone-by-another-name.c", &other(1));
    for (what, (branch, line), push, is_carried) in [
        ("both changed a file", &in_place, file("new.c", &other(3)), true),
        ("one removed what the other changed", &removed, file("new.c", &other(3)), true),
        ("what was removed comes back elsewhere", &removed, back, false),
        ("both changed a file, and one like it comes", &in_place, file("new.c", &theirs), true),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let (repository, memory) = (temp.path().join("r.git"), temp.path().join("data"));
        git(temp.path(), ["init", "--quiet", "--bare", "--initial-branch=main", "r.git"]);
        commit(&repository, "main", None, &words(&base));
        commit(&repository, "topic", Some("main"), &words(branch));
        commit(&repository, "main", Some("main"), &words(&[unclear("doubt.c"), line.clone()].concat()));
        let first = look(&repository, Some(&memory));
        assert!(told(&first)["refs/heads/topic"].2.is_some(), "{what}: the paths are known at first");
        commit(&repository, "main", Some("main"), &words(&[push]));
        let (at_once, n_predicted) = look_within(&repository, Some(&memory), Duration::ZERO);
        assert_eq!(n_predicted == 0, is_carried, "{what}");
        let (anew, remembering) = (look(&repository, None), look(&repository, Some(&memory)));
        assert_eq!(told(&at_once)["refs/heads/topic"].1, told(&anew)["refs/heads/topic"].1, "{what}");
        assert_eq!(told(&remembering), told(&anew), "{what}");
    }
}

/// What only Git could tell is no longer asked of it after a push of something else.
#[test]
fn what_git_told_is_carried_over_unless_something_moves_that_may_have_had_a_part_in_it() {
    let other = |seed: usize| (0..100).map(|n| format!("{} of another file\n", n * 7 + seed)).collect::<String>();
    let file = |path: &str, content: &str| format!("M {path} {content}");
    let halves = [hundred(&(0..40).collect::<Vec<_>>(), "x"), hundred(&(60..100).collect::<Vec<_>>(), "y")];
    let base = [file("src/doubt.c", &hundred(&[], "")), file("old/moved.c", &other(1)), file("kept.c", &other(2))];
    let line = [
        "D src/doubt.c".to_owned(),
        file("one/of.two", &halves[0]),
        file("two/of.two", &halves[1]),
        "R old/moved.c new/moved.c".to_owned(),
    ];
    for (what, push, is_carried) in [
        ("a file unlike all others comes", file("new.c", &other(3)), true),
        ("a file is edited that nobody moved", file("kept.c", &other(4)), true),
        ("a file with the name of the removed one comes", file("far/doubt.c", &other(3)), false),
        ("a file like the removed one comes", file("three/of.two", &hundred(&[1], "z")), false),
        ("a file changes that was only moved", file("new/moved.c", &other(1).replace("7 of", "8 of")), false),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let (repository, memory) = (temp.path().join("r.git"), temp.path().join("data"));
        git(temp.path(), ["init", "--quiet", "--bare", "--initial-branch=main", "r.git"]);
        commit(&repository, "main", None, &words(&base));
        commit(&repository, "topic", Some("main"), &[&file("src/doubt.c", &hundred(&[50], "theirs"))]);
        commit(&repository, "main", Some("main"), &words(&line));
        look(&repository, Some(&memory));
        commit(&repository, "main", Some("main"), &[&push]);
        let (remembering, n_predicted) = counted_look(&repository, Some(&memory));
        assert_eq!(n_predicted == 0, is_carried, "{what}");
        assert_eq!(told(&remembering), told(&look(&repository, None)), "{what}");
    }
}

/// Git guesses where a file went by where its folder went, and stops where something is in the way there: what comes or
/// goes around a file decides, too.
#[test]
fn what_moves_around_the_files_that_matter_is_seen() {
    let other = |seed: usize| (0..100).map(|n| format!("{} of another file\n", n * 7 + seed)).collect::<String>();
    let file = |path: &str, content: &str| format!("M {path} {content}");
    let (plain, theirs) = (hundred(&[], ""), hundred(&[10], "theirs"));
    let near = hundred(&(5..20).collect::<Vec<_>>(), "ours");
    let guessed = [file("p/x", &plain), file("p/y", &other(1)), file("r/x", &other(2)), file("keep", &other(3))];
    let guess = vec![
        "D p/x".to_owned(),
        "R p/y e/y".to_owned(),
        "D r/x".to_owned(),
        file("e/x", &near),
        file("g/z", &hundred(&[90], "ours")),
    ];
    let folder = ["d/a", "d/b", "d/sub/c", "e/sub/new", "e/sub/other"];
    let folder: Vec<String> = (1..).zip(folder).map(|(seed, path)| file(path, &other(seed))).collect();
    let moved_folder = vec!["R d/a e/a".to_owned(), "R d/b e/b".to_owned(), "D d/sub/c".to_owned()];
    let two = vec![file("d/a", &other(1)), file("d/b", &other(2))];
    let one = |path: &str| vec![file(path, &plain), file("keep", &other(3))];
    let with = |more: &str, content: &str| [guess.clone(), vec![file(more, content)]].concat();
    let x = vec![file("p/x", &theirs)];
    for (what, base, branch, line, push) in [
        ("a folder comes back", guessed.to_vec(), x.clone(), guess.clone(), file("p/other", &other(9))),
        ("a folder goes", guessed.to_vec(), x.clone(), with("p/other", &other(9)), "D p/other".to_owned()),
        (
            "a folder where the file goes",
            two,
            vec![file("d/new", "new")],
            vec!["R d e".to_owned()],
            file("e/new/x", "y"),
        ),
        (
            "what nobody looked at is looked at",
            folder,
            vec![file("d/new2", "new2"), file("d/sub/new", "new")],
            moved_folder,
            file("e/sub/other", &other(9)),
        ),
        ("a file for a folder", one("p/x"), x, vec!["D p/x".to_owned()], file("p", &other(9))),
        (
            "a folder for a file",
            one("q/n"),
            vec![file("q/n", &theirs)],
            vec!["D q/n".to_owned()],
            file("q/n/x", &other(9)),
        ),
    ] {
        let (first, remembering, anew) = self::moved(&words(&base), &words(&branch), &words(&line), &[&push]);
        assert_eq!(told(&remembering), told(&anew), "{what}; at first it was {:?}", told(&first));
        assert_ne!(told(&first), told(&anew), "{what}: carrying it over would show");
    }
}

/// A file that conflicts does so whatever else both sides change.
#[test]
fn a_conflict_elsewhere_than_where_a_push_and_a_branch_meet_is_carried_over() {
    let (ours, theirs) = (hundred(&[10], "ours"), hundred(&[10], "theirs"));
    let file = |path: &str, content: &str| format!("M {path} {content}");
    let (plain, met) = (hundred(&[], ""), "0123456789".split("").collect::<Vec<_>>().join(" of another file\n"));
    let (met_by_branch, met_by_push) = (met.replace("1 of", "one of"), met.replace("8 of", "eight of"));
    let (base, push) = ([file("both.c", &plain), file("met.c", &met)], file("met.c", &met_by_push));
    for (what, line, branch, push, is_carried) in [
        ("another file", file("both.c", &ours), file("both.c", &theirs), push.clone(), true),
        ("this file", file("both.c", &ours), file("both.c", &theirs), file("both.c", &theirs), false),
        ("a removed file", "D both.c".to_owned(), file("both.c", &theirs), push.clone(), true),
        ("a removed file comes back", "D both.c".to_owned(), file("both.c", &theirs), file("both.c", &plain), false),
        ("a removed file moves", "D both.c".to_owned(), file("both.c", &theirs), file("moved.c", &plain), false),
        ("the branch removed it", file("both.c", &ours), "D both.c".to_owned(), push.clone(), true),
        ("as it was", file("both.c", &ours), "D both.c".to_owned(), file("both.c", &plain), false),
    ] {
        let temp = tempfile::tempdir().unwrap();
        let (repository, memory) = (temp.path().join("r.git"), temp.path().join("data"));
        git(temp.path(), ["init", "--quiet", "--bare", "--initial-branch=main", "r.git"]);
        commit(&repository, "main", None, &words(&base));
        commit(&repository, "topic", Some("main"), &[&branch, &file("met.c", &met_by_branch)]);
        commit(&repository, "main", Some("main"), &[&line]);
        look(&repository, Some(&memory));
        commit(&repository, "main", Some("main"), &[&push]);
        let (at_once, n_predicted) = look_within(&repository, Some(&memory), Duration::ZERO);
        assert_eq!(n_predicted == 0, is_carried, "{what}");
        let (anew, remembering) = (look(&repository, None), look(&repository, Some(&memory)));
        assert_eq!(told(&at_once)["refs/heads/topic"].1, told(&anew)["refs/heads/topic"].1, "{what}");
        assert_eq!(told(&remembering), told(&anew), "{what}");
    }
}

#[test]
fn moves_that_reach_beyond_the_paths_they_touch_carry_nothing_over() {
    for (what, base, branch, line, push) in MOVES {
        let (first, remembering, anew) = moved(base, branch, line, push);
        assert_eq!(told(&remembering), told(&anew), "{what}; at first it was {:?}", told(&first));
        assert_ne!(
            told(&first),
            told(&anew),
            "{what}: the push changes the answer, so that carrying it over would show"
        );
    }
}

/// The branch changes two files, adds one in a folder and moves the last line of another file. Each push takes something over;
/// with the last one, all of it stands in the line.
#[test]
fn what_a_branch_lacked_is_looked_for_again_until_nothing_of_it_is_left() {
    let temp = tempfile::tempdir().unwrap();
    let (repository, memory) = (temp.path().join("r.git"), temp.path().join("data"));
    git(temp.path(), ["init", "--quiet", "--bare", "--initial-branch=main", "r.git"]);
    let text = |changed: &[usize]| format!("M d/text {}", hundred(changed, "changed"));
    let (before, by_branch, by_line) = (text(&[]), text(&[90]), text(&[10, 90]));
    commit(&repository, "main", None, &["M a one", "M d/b one", &before]);
    commit(&repository, "topic", Some("main"), &["M a two", "M d/b two", "M e/new two", &by_branch]);
    let elsewhere = text(&[10]);
    let pushes: [(&[&str], bool); 7] = [
        (&["M other one", &elsewhere], false),
        (&["M a two"], false),
        (&["M e/new two"], false),
        (&["M a three"], false),
        (&["M a two", "M d/b two"], false),
        (&["M other two"], false),
        (&[&by_line], true),
    ];
    for (push, has_landed) in pushes {
        commit(&repository, "main", Some("main"), push);
        let (remembering, anew) = (look(&repository, Some(&memory)), look(&repository, None));
        assert_eq!(told(&remembering), told(&anew), "after {push:?}");
        let landed = remembering.branches.iter().any(|branch| matches!(branch.landed, Landed::Yes(_)));
        assert_eq!(landed, has_landed, "after {push:?}");
    }
}

/// What is seen before a push, and after it by one who remembers and by one who does not.
fn moved(base: &[&str], branch: &[&str], line: &[&str], push: &[&str]) -> (Snapshot, Snapshot, Snapshot) {
    let temp = tempfile::tempdir().unwrap();
    let (repository, memory) = (temp.path().join("r.git"), temp.path().join("data"));
    git(temp.path(), ["init", "--quiet", "--bare", "--initial-branch=main", "r.git"]);
    commit(&repository, "main", None, base);
    commit(&repository, "topic", Some("main"), branch);
    commit(&repository, "main", Some("main"), line);
    let first = look(&repository, Some(&memory));
    let on_going = OnGoing::beside(&memory);
    on_going.look(&repository);
    commit(&repository, "main", Some("main"), push);
    let anew = look(&repository, None);
    assert_eq!(told(&on_going.look(&repository)), told(&anew), "in a process that goes on");
    (first, look(&repository, Some(&memory)), anew)
}

/// A process that looks again and again, and has a memory of its own.
struct OnGoing {
    recent: Recent,
    memory: PathBuf,
}

impl OnGoing {
    fn beside(other: &Path) -> OnGoing {
        OnGoing { recent: Recent::of_at_least(1), memory: other.with_extension("again") }
    }

    fn look(&self, repository: &Path) -> Snapshot {
        let (config, now) = (Config::default(), Timestamp(1_800_000_000));
        let wanted = wanted(Duration::from_secs(300));
        inspect_again(repository, &config, now, Some(&self.memory), &wanted, &|_| {}, &self.recent).unwrap()
    }
}

/// Where both merge bases renamed a file, Git merges it by what the line's attributes say of its old name.
#[test]
fn what_merge_bases_merge_to_is_asked_again_when_the_attributes_of_a_name_change_that_neither_has() {
    let lines = |tenth: &str| (1..=20).map(|n| if n == 10 { format!("{tenth}\n") } else { format!("{n}\n") }).collect();
    let file = |path: &str, text: String| format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len());
    let union = || file("d/.gitattributes", "q.txt merge=union\n".into());
    let branch = |third: &str| format!("D e/p2.txt\n{}", file("e/p1.txt", lines(&format!("{third}\nBBB\nAAA"))));
    let commits = [
        ("fork", "", file("d/q.txt", lines("10")) + &file("d/keep", "k\n".into())),
        ("one", "from :1\n", format!("D d/q.txt\n{}", file("e/p1.txt", lines("AAA")))),
        ("other", "from :1\n", format!("D d/q.txt\n{}", file("e/p2.txt", lines("BBB")))),
        ("main", "from :2\nmerge :3\n", file("e/p1.txt", lines("BBB\nAAA")) + &union()),
        ("later", "from :4\n", file("d/.gitattributes", "q.txt merge=text\n".into())),
        ("topic", "from :3\nmerge :2\n", branch("CCC")),
        ("topic-later", "from :3\nmerge :2\n", branch("DDD")),
    ];
    let mut stream = String::new();
    for (number, (name, parents, changes)) in commits.iter().enumerate() {
        // The one is newer than the other, so that its lines come second.
        let (mark, at) = (number + 1, 1_700_000_000 + if number == 1 { 250 } else { 100 * number });
        write!(
            stream,
            "commit refs/heads/{name}\nmark :{mark}\ncommitter A <a@b> {at} +0000\ndata 1\nx\n{parents}{changes}"
        )
        .unwrap();
    }
    let temp = tempfile::tempdir().unwrap();
    let (repository, memory) = (temp.path().join("r.git"), temp.path().join("data"));
    git(temp.path(), ["init", "--quiet", "--bare", "--initial-branch=main", "r.git"]);
    import(&repository, &stream);
    let before = told(&look(&repository, Some(&memory)));
    for (branch, to) in [("main", "later"), ("topic", "topic-later")] {
        git(&repository, ["update-ref", &format!("refs/heads/{branch}"), &format!("refs/heads/{to}")]);
    }
    let (remembering, anew) = (told(&look(&repository, Some(&memory))), told(&look(&repository, None)));
    assert_eq!(remembering, anew);
    let verdict = |told: &Told| told["refs/heads/topic"].1;
    assert_eq!((verdict(&before), verdict(&anew)), (Verdict::Clean, Verdict::Conflict));
}

fn commit(repository: &Path, branch: &str, from: Option<&str>, changes: &[&str]) {
    let from = from.map(|from| format!("from refs/heads/{from}^0\n")).unwrap_or_default();
    let mut stream =
        format!("commit refs/heads/{branch}\ncommitter A <a@example.org> 1790000000 +0000\ndata 1\nx\n{from}");
    for change in changes {
        match change.split_once(' ').unwrap() {
            ("M", file) => {
                let (path, content) = file.split_once(' ').unwrap();
                writeln!(stream, "M 100644 inline {path}\ndata {}\n{content}\n", content.len() + 1).unwrap();
            }
            _ => writeln!(stream, "{change}").unwrap(),
        }
    }
    import(repository, &stream);
}

fn look(repository: &Path, data_dir: Option<&Path>) -> Snapshot {
    counted_look(repository, data_dir).0
}

/// Looks, and counts the merges that had to be predicted.
fn counted_look(repository: &Path, data_dir: Option<&Path>) -> (Snapshot, usize) {
    look_within(repository, data_dir, Duration::from_secs(300))
}

/// The same with so much time for paths of conflicts.
fn look_within(repository: &Path, data_dir: Option<&Path>, patience: Duration) -> (Snapshot, usize) {
    let heard = Mutex::new(("", 0));
    let listener = |progress: Progress| match (progress, &mut *heard.lock().unwrap()) {
        (Progress::Phase(phase), heard) => heard.0 = phase,
        (Progress::Step(_, total), ("predicting merges", most)) => *most = total.max(*most),
        _ => {}
    };
    let (config, now) = (Config::default(), Timestamp(1_800_000_000));
    let snapshot = inspect(repository, &config, now, data_dir, &wanted(patience), &listener).unwrap();
    let n_predicted = heard.lock().unwrap().1;
    (snapshot, n_predicted)
}

fn wanted(paths_patience: Duration) -> Wanted {
    let looks = Look::with_required([Look::Merges]);
    Wanted { base: Some("main".into()), looks, paths_patience, stop: Stop::default() }
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
    import(repository, &stream);
}

fn import(repository: &Path, stream: &str) {
    let mut command = git_command(repository, ["fast-import", "--quiet", "--force"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}
