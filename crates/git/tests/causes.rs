//! What brought a conflict is what `git log` tells of its paths.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
    process::Stdio,
    time::Duration,
};

use alignwatch_git::{
    inspect::{Wanted, inspect},
    stop::Stop,
};
use alignwatch_model::{Branch, Known, Look, Snapshot, State, Timestamp, branch::Cause, config::Config};
use alignwatch_testkit::{Shape, generate, git, git_command};

#[test]
fn causes_of_conflicts_are_those_that_git_log_tells() {
    let temp = tempfile::tempdir().unwrap();
    let repository = temp.path().join("repository.git");
    generate(&Shape::like_649().scaled_to(60, 200), &repository);
    let memory = temp.path().join("data");
    for look_number in 0..2 {
        let snapshot = look(&repository, &memory);
        let conflicting: Vec<&Branch> =
            snapshot.branches.iter().filter(|branch| branch.state() == State::Conflicting).collect();
        let mut n_told = 0;
        for branch in &conflicting {
            let found: Vec<_> =
                branch.causes.iter().map(|cause| (cause.oid.hex(), cause.n_paths, cause.n_alone.unwrap())).collect();
            let named = |cause: &Cause| cause.paths.len() as u32 == cause.n_paths;
            assert!(branch.causes.iter().all(named), "each path that it changed is named");
            assert_eq!(found, by_git(&repository, branch), "look {look_number}, {}", branch.name);
            branch
                .causes
                .iter()
                .for_each(|cause| assert_eq!(paths_of(branch, cause), paths_by_git(&repository, branch, cause)));
            n_told += found.len();
        }
        assert!(conflicting.len() <= n_told && 10 < n_told, "{n_told} causes of {} branches", conflicting.len());
    }
}

/// The paths in conflict that a commit changed, as we tell them.
fn paths_of<'a>(branch: &'a Branch, cause: &Cause) -> Vec<&'a str> {
    let conflicts = branch.merge.conflicts.as_deref().unwrap();
    cause.paths.iter().map(|&place| conflicts[usize::from(place)].path.as_str()).collect()
}

/// The same as git tells what the commit changed.
fn paths_by_git<'a>(repository: &Path, branch: &'a Branch, cause: &Cause) -> Vec<&'a str> {
    let (parent, commit) = (format!("{}^1", cause.oid.hex()), cause.oid.hex());
    let named = ["-c", "core.quotePath=off", "diff", "--no-renames", "--name-only", &parent, &commit];
    let changed = git(repository, named);
    let changed: BTreeSet<&str> = changed.lines().collect();
    let paths = branch.merge.conflicts.iter().flatten().map(|conflict| conflict.path.as_str());
    paths.filter(|path| changed.contains(path)).collect()
}

/// The same by the paths that `git log` tells of each commit, ordered as ours.
fn by_git(repository: &Path, branch: &Branch) -> Vec<(String, u32, u32)> {
    let range = format!("{}..{}", branch.name, branch.base.as_ref().unwrap().name);
    let told = ["--first-parent", "--diff-merges=first-parent", "--no-renames", "--name-only", "--format=commit %H"];
    let log = git(repository, ["-c", "core.quotePath=off", "log"].into_iter().chain(told).chain([range.as_str()]));
    let mut commits: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in log.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("commit ") {
            Some(commit) => commits.push((commit, Vec::new())),
            None => commits.last_mut().unwrap().1.push(line),
        }
    }
    let conflicts = branch.merge.conflicts.iter().flatten();
    let mut counts: BTreeMap<usize, (u32, u32)> = BTreeMap::new();
    for conflict in conflicts {
        let touches = |at: &usize| commits[*at].1.contains(&conflict.path.as_str());
        let places: Vec<usize> = (0..commits.len()).filter(touches).collect();
        for &place in &places {
            let (n_paths, n_alone) = counts.entry(place).or_default();
            *n_paths += 1;
            *n_alone += u32::from(places.len() == 1);
        }
    }
    let mut found: Vec<_> = counts.into_iter().collect();
    found.sort_by_key(|&(place, (paths, alone))| (std::cmp::Reverse((alone, paths)), place));
    found.into_iter().take(5).map(|(place, (paths, alone))| (commits[place].0.to_owned(), paths, alone)).collect()
}

/// A commit that changes more paths than are remembered may have changed these, too.
#[test]
fn beside_a_commit_that_changed_everything_nobody_is_blamed_alone() {
    let temp = tempfile::tempdir().unwrap();
    git(temp.path(), ["init", "--quiet", "--bare", "--initial-branch=main", "r.git"]);
    let (repository, memory) = (temp.path().join("r.git"), temp.path().join("data"));
    commit(&repository, "main", None, &[("f".into(), "one")]);
    commit(&repository, "topic", Some("main"), &[("f".into(), "two")]);
    commit(&repository, "main", Some("main"), &[("f".into(), "three")]);
    let alone =
        || look(&repository, &memory).branches.iter().find_map(|branch| branch.causes.first().cloned()).unwrap();
    assert_eq!(alone().n_alone, Some(1));
    let many: Vec<(String, &str)> = (0..4_001).map(|number| (format!("many/{number}"), "x")).collect();
    commit(&repository, "main", Some("main"), &many);
    assert_eq!((alone().n_paths, alone().n_alone), (1, None));
}

#[test]
fn branches_overlap_where_git_diff_names_the_same_paths_since_they_parted() {
    let temp = tempfile::tempdir().unwrap();
    let repository = temp.path().join("repository.git");
    generate(&Shape::like_649().scaled_to(60, 200), &repository);
    let memory = temp.path().join("data");
    // The second look goes by what was remembered.
    for _ in 0..2 {
        let snapshot = look(&repository, &memory);
        let with_work = |branch: &&Branch| branch.has_own_commits() && !branch.has_landed();
        let one_base = |branch: &&Branch| branch.drift.seen().is_some_and(|drift| drift.merge_bases.len() == 1);
        let branches: Vec<&Branch> = snapshot.branches.iter().filter(with_work).filter(one_base).collect();
        let by_git: Vec<BTreeSet<String>> = branches.iter().map(|branch| touched_by_git(&repository, branch)).collect();
        let touched = |at: usize| branches[at].touched.seen().unwrap();
        let mut n_overlaps = 0;
        for one in 0..branches.len() {
            assert_eq!(touched(one).len(), by_git[one].len(), "{}", branches[one].name);
            for other in 0..one {
                let n = touched(one).iter().filter(|path| touched(other).contains(path)).count();
                assert_eq!(n, by_git[one].intersection(&by_git[other]).count());
                n_overlaps += usize::from(0 < n);
            }
        }
        assert!(20 < branches.len() && 20 < n_overlaps, "{n_overlaps} overlaps of {} branches", branches.len());
    }
}

fn touched_by_git(repository: &Path, branch: &Branch) -> BTreeSet<String> {
    let base = branch.drift.seen().unwrap().merge_bases[0].hex();
    let named = ["-c", "core.quotePath=off", "diff", "--no-renames", "--name-only", &base, &branch.name.text()];
    git(repository, named).lines().map(str::to_owned).collect()
}

#[test]
fn a_branch_that_touches_everything_or_nothing_says_so_and_is_not_compared() {
    let temp = tempfile::tempdir().unwrap();
    git(temp.path(), ["init", "--quiet", "--bare", "--initial-branch=main", "r.git"]);
    let (repository, memory) = (temp.path().join("r.git"), temp.path().join("data"));
    commit(&repository, "main", None, &[("f".into(), "one")]);
    commit(&repository, "fresh", Some("main"), &[("f".into(), "one")]);
    let many: Vec<(String, &str)> = (0..1_001).map(|number| (format!("many/{number}"), "x")).collect();
    commit(&repository, "wide", Some("main"), &many);
    let snapshot = look(&repository, &memory);
    let told = |name: &str| snapshot.branch(&format!("refs/heads/{name}").as_str().into()).unwrap().touched.clone();
    assert_eq!(told("fresh"), Known::Seen(Vec::new()), "a commit that changes nothing touches nothing");
    assert!(told("wide").reason().unwrap().contains("more than 1000 paths"), "{:?}", told("wide"));
    assert!(told("main").reason().unwrap().contains("in the base"), "{:?}", told("main"));
}

fn commit(repository: &Path, branch: &str, from: Option<&str>, files: &[(String, &str)]) {
    let from = from.map(|from| format!("from refs/heads/{from}^0\n")).unwrap_or_default();
    let head = format!("commit refs/heads/{branch}\ncommitter A <a@example.org> 1790000000 +0000\ndata 1\nx\n{from}");
    let file = |(path, text): &(String, &str)| format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len());
    let stream = head + &files.iter().map(file).collect::<String>() + "\n";
    let mut import =
        git_command(repository, ["fast-import", "--quiet", "--force"]).stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
}

fn look(repository: &Path, data_dir: &Path) -> Snapshot {
    let wanted = Wanted {
        base: Some("main".into()),
        looks: Look::with_required([Look::Merges, Look::Touched]),
        paths_patience: Duration::from_secs(300),
        stop: Stop::default(),
    };
    let (config, now) = (Config::default(), Timestamp(1_800_000_000));
    inspect(repository, &config, now, Some(data_dir), &wanted, &|_| {}).unwrap()
}
