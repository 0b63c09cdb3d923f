//! Histories that are cut, bent or damaged: exact where that can be, unknown where not, and never a panic or a hang.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

mod history;

use std::{fs, path::PathBuf};

use alignwatch_git::graph::{Graph, Trunk, measure};
use alignwatch_model::{Known, Oid};
use history::{Chance, Repo, Worlds, git_in, name};

fn with_graph(n_commits: usize) -> (Worlds, PathBuf, Vec<u8>) {
    let write = |repo: &Repo, _: usize| drop(repo.git(&["commit-graph", "write", "--reachable"]));
    let worlds = Worlds::in_stages(Repo::new(), 21, 1, n_commits, 1, write);
    let file = worlds.repo.dir.join("objects/info/commit-graph");
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    (worlds, file, bytes)
}

/// Measures something with whatever the graph says.
fn use_all(graph: &Graph, oids: &[Oid]) {
    let places: Vec<_> = oids.iter().filter_map(|oid| graph.find(oid)).collect();
    for &base in places.iter().step_by(7) {
        measure(graph, &Trunk::of(graph, base), &places);
        graph.tree(base);
    }
}

#[test]
fn a_truncated_file_is_named_and_not_used() {
    let (worlds, file, bytes) = with_graph(60);
    let (sources, objects) = (worlds.repo.sources(), worlds.repo.objects());
    for len in (0..bytes.len()).filter(|len| *len < 120 || len % 41 == 0 || bytes.len() - 60 < *len) {
        fs::write(&file, &bytes[..len]).unwrap();
        let (graph, coverage) = Graph::open(&sources, &objects, &worlds.oids[0]);
        assert!(coverage.commit_graph.damage.is_some(), "{len} of {} bytes", bytes.len());
        assert_eq!((coverage.n_read as usize, graph.len()), (worlds.worlds[0].len(), worlds.worlds[0].len()));
    }
    worlds.compare(&worlds.repo.graph().0);
}

#[test]
fn no_single_wrong_byte_makes_it_panic_or_hang() {
    let (worlds, file, bytes) = with_graph(60);
    let (sources, objects) = (worlds.repo.sources(), worlds.repo.objects());
    for at in (0..bytes.len() - 20).filter(|at| at % 2 == 0 || *at < 100) {
        let mut wrong = bytes.clone();
        wrong[at] ^= [0xff, 0x01, 0x80, 0x70][at % 4];
        fs::write(&file, &wrong).unwrap();
        let (graph, _) = Graph::open(&sources, &objects, &worlds.oids[0]);
        use_all(&graph, &worlds.oids[0]);
    }
}

#[test]
fn no_random_damage_makes_it_panic_or_hang() {
    let (worlds, file, bytes) = with_graph(60);
    let (sources, objects, mut chance) = (worlds.repo.sources(), worlds.repo.objects(), Chance(22));
    for _ in 0..1500 {
        let mut wrong = bytes.clone();
        for _ in 0..1 + chance.below(30) {
            let at = chance.below(wrong.len());
            wrong[at] = if chance.percent(50) { chance.next() as u8 } else { 0 };
        }
        fs::write(&file, &wrong).unwrap();
        let (graph, _) = Graph::open(&sources, &objects, &worlds.oids[0]);
        use_all(&graph, &worlds.oids[0]);
    }
}

/// Where a chunk begins.
fn chunk(bytes: &[u8], id: &[u8; 4]) -> usize {
    let row = bytes[8..].chunks(12).find(|row| &row[..4] == id).unwrap();
    u64::from_be_bytes(row[4..12].try_into().unwrap()) as usize
}

#[test]
fn a_file_whose_parents_form_a_circle_is_damaged() {
    let (worlds, file, mut bytes) = with_graph(60);
    let rows = chunk(&bytes, b"CDAT");
    // Each commit gets the next one as its only parent.
    let n = worlds.worlds[0].len();
    for row in 0..n {
        let numbers = &mut bytes[rows + 36 * row + 20..][..8];
        numbers[..4].copy_from_slice(&(((row + 1) % n) as u32).to_be_bytes());
        numbers[4..].copy_from_slice(&0x7000_0000u32.to_be_bytes());
    }
    fs::write(&file, &bytes).unwrap();
    let (graph, coverage) = worlds.repo.graph();
    assert!(coverage.commit_graph.damage.unwrap().ends_with("its parents form a circle"));
    worlds.compare(&graph);
}

#[test]
fn merges_that_share_a_list_of_parents_are_damage() {
    let (worlds, file, mut bytes) = with_graph(60);
    let (rows, n) = (chunk(&bytes, b"CDAT"), worlds.worlds[0].len());
    for row in 0..n {
        bytes[rows + 36 * row + 20..][..8].copy_from_slice(&[0, 0, 0, 0, 0x80, 0, 0, 0]);
    }
    fs::write(&file, &bytes).unwrap();
    let (graph, coverage) = worlds.repo.graph();
    assert!(coverage.commit_graph.damage.is_some());
    worlds.compare(&graph);
}

#[test]
fn levels_that_lie_cost_time_and_not_the_truth() {
    let (worlds, file, mut bytes) = with_graph(60);
    let (rows, mut chance) = (chunk(&bytes, b"CDAT"), Chance(23));
    for levels in [0u32, 1, 0xffff_fffc] {
        for row in 0..worlds.worlds[0].len() {
            let level = if levels == 1 { (chance.below(40) as u32) << 2 } else { levels };
            bytes[rows + 36 * row + 28..][..4].copy_from_slice(&level.to_be_bytes());
        }
        fs::write(&file, &bytes).unwrap();
        let (graph, coverage) = worlds.repo.graph();
        assert_eq!((coverage.n_read, coverage.commit_graph.damage), (0, None));
        worlds.compare(&graph);
    }
}

#[test]
fn the_sound_part_of_a_damaged_chain_is_used() {
    let split = |repo: &Repo, _: usize| drop(repo.git(&["commit-graph", "write", "--reachable", "--split=no-merge"]));
    let worlds = Worlds::in_stages(Repo::new(), 24, 10, 24, 3, split);
    let dir = worlds.repo.dir.join("objects/info/commit-graphs");
    let list = fs::read_to_string(dir.join("commit-graph-chain")).unwrap();
    let layers: Vec<&str> = list.lines().collect();
    let expect = |n_layers: usize| {
        let (graph, coverage) = worlds.repo.graph();
        worlds.compare(&graph);
        assert_eq!(coverage.commit_graph.n_layers, n_layers);
        assert!(coverage.commit_graph.damage.is_some() && coverage.n_read > 0);
    };
    fs::rename(dir.join(format!("graph-{}.graph", layers[2])), dir.join("away")).unwrap();
    expect(2);
    fs::rename(dir.join("away"), dir.join(format!("graph-{}.graph", layers[2]))).unwrap();
    fs::write(dir.join("commit-graph-chain"), [layers[0], layers[2], layers[1]].join("\n")).unwrap();
    expect(1);
    fs::write(dir.join("commit-graph-chain"), [layers[1], layers[0]].join("\n")).unwrap();
    expect(0);
    fs::write(dir.join("commit-graph-chain"), "nonsense\n").unwrap();
    expect(0);
}

#[test]
fn branches_that_reach_a_missing_commit_are_unknown_and_no_others() {
    let worlds = Worlds::random(25, 1, 60);
    let (world, oids) = (&worlds.worlds[0], &worlds.oids[0]);
    let (reach, gone) = (world.reach(), world.len() / 2);
    let hex = oids[gone].hex();
    fs::remove_file(worlds.repo.dir.join("objects").join(&hex[..2]).join(&hex[2..])).unwrap();
    let (graph, coverage) = Graph::open(&worlds.repo.sources(), &worlds.repo.objects(), oids);
    assert!(graph.find(&oids[gone]).is_none() && graph.missing(&oids[gone]).unwrap().contains(&hex));
    assert_eq!(coverage.n_read as usize, world.len() - 1);
    for base in (0..world.len()).filter(|&base| base != gone) {
        let trunk = Trunk::of(&graph, graph.find(&oids[base]).unwrap());
        let expected = world.drifts(oids, base);
        for tip in (0..world.len()).filter(|&tip| tip != gone) {
            let drift = measure(&graph, &trunk, &[graph.find(&oids[tip]).unwrap()]).remove(0);
            if reach[base][gone] || reach[tip][gone] {
                assert!(drift.reason().unwrap().contains(&hex), "{drift:?}");
            } else {
                assert_eq!(drift.seen(), Some(&expected[tip]));
            }
        }
    }
}

#[test]
fn a_history_that_is_cut_is_not_kept_in_a_graph_of_our_own() {
    let worlds = Worlds::random(26, 1, 400);
    let (oids, side) = (&worlds.oids[0], tempfile::tempdir().unwrap());
    let hex = oids[worlds.worlds[0].len() / 2].hex();
    fs::remove_file(worlds.repo.dir.join("objects").join(&hex[..2]).join(&hex[2..])).unwrap();
    let mut sources = worlds.repo.sources();
    sources.side_dir = Some(side.path().to_owned());
    let flawed = |graph: &Graph| oids.iter().filter_map(|oid| graph.flaw(graph.find(oid)?)).count();
    let first = Graph::open(&sources, &worlds.repo.objects(), oids).0;
    let (second, coverage) = Graph::open(&sources, &worlds.repo.objects(), oids);
    assert_eq!(coverage.side, alignwatch_git::graph::Side::Used);
    assert!(flawed(&first) > 0 && flawed(&first) == flawed(&second));
}

#[test]
fn grafts_bend_history_and_switch_graph_files_off() {
    let write = |repo: &Repo, _: usize| drop(repo.git(&["commit-graph", "write", "--reachable"]));
    let mut worlds = Worlds::in_stages(Repo::new(), 27, 1, 60, 1, write);
    let (repo, n) = (Repo::at(&worlds.repo.dir), worlds.worlds[0].len());
    let mut grafts = String::from("# made by hand\n");
    for (at, parents) in [(n / 2, vec![1, 0]), (n - 3, vec![]), (n - 5, vec![n / 3])] {
        let oids = std::iter::once(at).chain(parents.iter().copied()).map(|at| worlds.oids[0][at].hex());
        grafts += &(oids.collect::<Vec<_>>().join(" ") + "\n");
        worlds.worlds[0].parents[at] = parents;
    }
    fs::create_dir_all(repo.dir.join("info")).unwrap();
    fs::write(repo.dir.join("info/grafts"), grafts).unwrap();
    let (graph, coverage) = repo.graph();
    worlds.compare(&graph);
    worlds.compare_with_git(&graph);
    assert_eq!(coverage.commit_graph.disabled.as_deref(), Some("the repository has grafts"));
    assert_eq!((coverage.n_read as usize, coverage.commit_graph.n_missing), (n, 0));
}

#[test]
fn grafts_in_a_circle_make_unknown_what_reaches_it() {
    let worlds = Worlds::random(28, 1, 30);
    let (oids, line) = (&worlds.oids[0], worlds.worlds[0].line(worlds.worlds[0].len() - 1));
    let (top, below) = (line[0], line[line.len() - 1]);
    fs::create_dir_all(worlds.repo.dir.join("info")).unwrap();
    fs::write(worlds.repo.dir.join("info/grafts"), format!("{} {}\n", oids[below], oids[top])).unwrap();
    let graph = Graph::open(&worlds.repo.sources(), &worlds.repo.objects(), oids).0;
    use_all(&graph, oids);
    assert_ne!(top, below);
    assert!(graph.flaw(graph.find(&oids[top]).unwrap()).unwrap().contains("circle"));
}

#[test]
fn replace_refs_are_not_honoured_and_leave_graph_files_on() {
    let write = |repo: &Repo, _: usize| drop(repo.git(&["commit-graph", "write", "--reachable"]));
    let worlds = Worlds::in_stages(Repo::new(), 29, 1, 60, 1, write);
    let line = worlds.worlds[0].line(worlds.worlds[0].len() - 1);
    let (tip, below) = (line[0], worlds.oids[0][line[line.len() / 2]]);
    assert_ne!(worlds.oids[0][tip], below);
    worlds.repo.git(&["update-ref", &format!("refs/replace/{below}"), &worlds.oids[0][0].hex()]);
    let (graph, coverage) = worlds.repo.graph();
    assert_eq!((coverage.n_read, &coverage.commit_graph.disabled), (0, &None));
    worlds.compare(&graph);
    worlds.compare_with_git(&graph);
    // Git uses its graph too, when told to ignore replacements: it does not miss a commit that only the graph knows.
    let hex = below.hex();
    fs::remove_file(worlds.repo.dir.join("objects").join(&hex[..2]).join(&hex[2..])).unwrap();
    worlds.repo.git(&["rev-list", "--count", &format!("{}..{}", name(0, 0), name(0, tip))]);
    assert_eq!(worlds.repo.graph_of(&[worlds.oids[0][tip]]).1.n_read, 0);
}

#[test]
fn in_a_shallow_repository_what_is_known_is_what_is_true_of_the_whole_one() {
    let (mut n_seen, mut n_misled) = (0, 0);
    for (seed, depth) in [(30, "1"), (31, "2"), (32, "2"), (33, "3"), (35, "3"), (36, "4"), (37, "5")] {
        let full = Worlds::in_order(seed, 1, 80);
        let temp = tempfile::tempdir().unwrap();
        let url = format!("file://{}", full.dir());
        let args = ["clone", "-q", "--mirror", "--no-single-branch", "--depth", depth, &url, "shallow.git"];
        let repo = clone_of_few(temp.path(), &full, &args);
        let (graph, coverage) = repo.graph();
        assert!(graph.is_shallow());
        assert_eq!(coverage.commit_graph.disabled.as_deref(), Some("the repository is shallow"));
        let kept: Vec<usize> = (0..full.worlds[0].len()).filter(is_kept).collect();
        let names: Vec<String> = kept.iter().map(|&at| name(0, at)).collect();
        for (&base, base_name) in kept.iter().zip(&names) {
            let truth = full.worlds[0].drifts(&full.oids[0], base);
            let trunk = Trunk::of(&graph, graph.find(&full.oids[0][base]).unwrap());
            let places: Vec<_> = kept.iter().map(|&at| graph.find(&full.oids[0][at]).unwrap()).collect();
            for (&tip, drift) in kept.iter().zip(measure(&graph, &trunk, &places)) {
                let range = format!("{}...{base_name}", name(0, tip));
                let counted = repo.git(&["rev-list", "--left-right", "--count", &range]);
                n_misled += usize::from(counted.trim() != format!("{}\t{}", truth[tip].ahead, truth[tip].behind));
                n_seen += usize::from(drift.seen().is_some());
                match drift {
                    Known::Seen(drift) => assert_eq!(drift, truth[tip]),
                    Known::Unknown(reason) => assert!(reason.contains("the history is cut off"), "{reason}"),
                }
            }
        }
    }
    assert!(n_seen > 50 && n_misled > 100, "{n_seen} {n_misled}");
}

#[test]
fn what_lies_above_the_boundary_is_counted_and_what_reaches_it_is_not() {
    let whole = Repo::new();
    let commit = |branch: &str, from: &str| {
        let at = 1_300_000_000 + whole.n_commits() as i64;
        let from = if from.is_empty() { String::new() } else { format!("from {from}\n") };
        whole.import(&format!("commit refs/heads/{branch}\ncommitter A <a@example.org> {at} +0000\ndata 0\n\n{from}"));
    };
    commit("main", "");
    for _ in 0..9 {
        commit("main", "refs/heads/main^0");
    }
    commit("late", "refs/heads/main~2");
    commit("early", "refs/heads/main~8");
    commit("site", "");
    let temp = tempfile::tempdir().unwrap();
    let url = format!("file://{}", whole.dir.display());
    git_in(temp.path(), &["clone", "-q", "--mirror", "--no-single-branch", "--depth", "5", &url, "s.git"], "");
    let shallow = Repo::at(&temp.path().join("s.git"));
    let (graph, _) = shallow.graph();
    let place = |name: &str| {
        let oid = shallow.git(&["rev-parse", name]);
        graph.find(&Oid::from_hex(oid.trim().as_bytes()).unwrap()).unwrap()
    };
    let trunk = Trunk::of(&graph, place("main"));
    let told = |name: &str| match measure(&graph, &trunk, &[place(name)]).remove(0) {
        Known::Seen(drift) => format!("{}\t{}", drift.ahead, drift.behind),
        Known::Unknown(reason) => reason,
    };
    let git = |name: &str| whole.git(&["rev-list", "--left-right", "--count", &format!("{name}...main")]);
    assert_eq!((told("main"), told("late")), ("0\t0".to_owned(), git("late").trim().to_owned()));
    // It may be related below the boundary, for all that can be seen here.
    assert!(told("early").contains("cut off") && told("site").contains("cut off"), "{}", told("early"));
    // Between two histories that are there as a whole, all is known.
    let trunk = Trunk::of(&graph, place("site"));
    assert_eq!(measure(&graph, &trunk, &[place("site")])[0].seen().map(|drift| drift.behind), Some(0));
}

/// Which refs a clone of few has.
fn is_kept(at: &usize) -> bool {
    at.is_multiple_of(9)
}

/// A clone of a repository that has lost all refs but a few.
fn clone_of_few(dir: &std::path::Path, full: &Worlds, args: &[&str]) -> Repo {
    let gone: String =
        (0..full.worlds[0].len()).filter(|at| !is_kept(at)).map(|at| format!("delete {}\n", name(0, at))).collect();
    full.repo.git_with(&["update-ref", "--stdin"], &gone);
    git_in(dir, args, "");
    Repo::at(&dir.join("shallow.git"))
}

#[test]
fn a_tip_that_is_no_commit_is_missing_with_the_reason() {
    let worlds = Worlds::random(34, 1, 10);
    let tree = worlds.repo.git(&["rev-parse", "refs/heads/0/0^{tree}"]);
    let tree = Oid::from_hex(tree.trim().as_bytes()).unwrap();
    let graph = worlds.repo.graph_of(&[tree, worlds.oids[0][0]]).0;
    assert!(graph.find(&tree).is_none() && graph.missing(&tree).unwrap().contains("not a commit"));
    assert!(graph.find(&worlds.oids[0][0]).is_some());
}

#[test]
fn a_long_line_does_not_overflow_the_stack() {
    let (repo, n) = (Repo::new(), 30_000);
    let commit = "commit refs/heads/main\ncommitter A <a@example.org> 1 +0000\ndata 0\n\n";
    repo.import(&commit.repeat(n));
    let small_stack = std::thread::Builder::new().stack_size(128 << 10);
    small_stack.spawn(move || assert_eq!(repo.graph().0.len(), n)).unwrap().join().unwrap();
}
