//! Finds conflict markers that were committed: each distinct file is looked at once.
//!
//! Branches share nearly all of their files, so trees and blobs are taken by id:
//! a tree that was seen is not walked again, a blob that was scanned is not read
//! again, in this run or a later one (see [`Shelf`]). A mark counts only as a
//! full triple of `<<<<<<<`, `=======` and `>>>>>>>` lines in this order, so
//! underlined headings and quoted mail are none.
//!
//! A file that cannot be read is told as unread, and nothing that rests on it is
//! remembered. Example conflicts in documents and tests look like real ones:
//! whether the base holds the same file is for the judgement to weigh.

mod forest;
mod remembered;
mod triple;

use alignwatch_model::{Known, Oid, branch::MarkedPath, snapshot::UnreadFile};
use rustc_hash::FxHashMap;

pub use self::triple::first_triple;
use self::{
    forest::{Forest, Look},
    remembered::{decode, encode, key},
};
use crate::{memory::Shelf, objects::Objects};

/// Counted up when [`first_triple`] changes, so that older answers are not believed.
const VERSION: u32 = 1;

/// Folders inside of each other that are followed. Source: Git's `core.maxTreeDepth`.
const DEPTH_AT_MOST: usize = 2048;

/// Marked or unread paths that are listed for one tip: more is a hostile tree or tells nothing new.
const PATHS_AT_MOST: usize = 10_000;

/// What was found in all tips.
#[derive(Debug, Default)]
pub struct Marks {
    roots: FxHashMap<Oid, Known<Vec<MarkedPath>>>,
    /// Files and folders that could not be looked at, by object, each with the number of tips it is in.
    pub unread: Vec<UnreadFile>,
    /// Files that were read in this run; the others were remembered.
    pub n_scanned: usize,
}

impl Marks {
    /// The marked files below this root tree, by path; unknown when the tree was not scanned.
    ///
    /// Files of [`Marks::unread`] are not among them.
    pub fn of(&self, root: &Oid) -> Known<Vec<MarkedPath>> {
        let not_scanned = || Known::Unknown("it was not looked for conflict markers".into());
        self.roots.get(root).cloned().unwrap_or_else(not_scanned)
    }
}

/// What the remembered answers depend on besides the ids, for [`Memory::shelf`](crate::memory::Memory::shelf).
pub fn written_by(file_limit_bytes: u64) -> String {
    format!("{VERSION}, files up to {file_limit_bytes} bytes")
}

/// Looks for committed conflict markers below these root trees, one for each tip.
///
/// Files beyond the limit are left out on purpose: people resolve conflicts in
/// files that they can read. The shelf must be opened for [`written_by`] the same limit.
///
/// Cost: the distinct trees of those tips that the shelf does not know, and the
/// distinct blobs in them that it does not know. Errors: none; what cannot be
/// read is unread, and a root that cannot be read is unknown.
pub fn scan(objects: &Objects, roots: &[Oid], file_limit_bytes: u64, shelf: &mut Shelf) -> Marks {
    let mut marks = Marks::default();
    let mut forest = Forest::default();
    for root in roots {
        match shelf.get(&key(b't', root)).and_then(decode) {
            Some(marked) => _ = marks.roots.insert(*root, Known::Seen(marked)),
            None => forest.plant(root),
        }
    }
    forest.walk(objects);
    marks.n_scanned = forest.look_into_blobs(&objects.opener(), file_limit_bytes, shelf);
    forest.trace_upwards();
    list_all(objects, &forest, roots, shelf, &mut marks);
    marks
}

/// Lists the notable files of every root, and remembers the roots that could be read in full.
fn list_all(objects: &Objects, forest: &Forest, roots: &[Oid], shelf: &mut Shelf, marks: &mut Marks) {
    let mut unread = FxHashMap::<Oid, UnreadFile>::default();
    let mut n_tips = FxHashMap::<Oid, u32>::default();
    for root in roots {
        *n_tips.entry(*root).or_default() += 1;
    }
    for (root, n_tips) in n_tips {
        let Some(&number) = forest.tree_numbers.get(&root) else { continue };
        let listed = match &forest.trees[number as usize].unread {
            Some(reason) => Err(reason.clone()),
            None => Ok(Listing::of(objects, forest, number)),
        };
        if let Ok(listing) = &listed {
            if listing.unread.is_empty() {
                shelf.put(&key(b't', &root), encode(&listing.marked));
            }
            for (oid, path, reason) in &listing.unread {
                let new = || UnreadFile { path: path.clone(), oid: *oid, reason: reason.clone(), n_branches: 0 };
                unread.entry(*oid).or_insert_with(new).n_branches += n_tips;
            }
        }
        marks.roots.insert(
            root,
            match listed {
                Ok(listing) => Known::Seen(listing.marked),
                Err(reason) => Known::Unknown(reason),
            },
        );
    }
    marks.unread = unread.into_values().collect();
    marks.unread.sort_by(|a, b| (b.n_branches, &a.path, a.oid).cmp(&(a.n_branches, &b.path, b.oid)));
}

/// The notable files of one root.
#[derive(Default)]
struct Listing {
    marked: Vec<MarkedPath>,
    unread: Vec<(Oid, String, String)>,
}

impl Listing {
    fn of(objects: &Objects, forest: &Forest, root: u32) -> Listing {
        let mut listing = Listing::default();
        let mut folders = vec![(root, Vec::new(), 0)];
        while let Some((number, path, depth)) = folders.pop() {
            let tree = &forest.trees[number as usize];
            if !tree.is_notable || PATHS_AT_MOST <= listing.marked.len() + listing.unread.len() {
                continue;
            }
            let too_deep = || format!("folders lie more than {DEPTH_AT_MOST} deep");
            let unread = tree.unread.clone().or_else(|| (DEPTH_AT_MOST < depth).then(too_deep));
            match (unread, objects.tree(&tree.oid)) {
                (Some(reason), _) => listing.unread.push((tree.oid, text(&path), reason)),
                (None, Err(error)) => listing.unread.push((tree.oid, text(&path), error.to_string())),
                (None, Ok(entries)) => {
                    for entry in entries.iter() {
                        let path = joined(&path, entry.name);
                        if entry.mode.is_tree() {
                            folders.push((forest.tree_numbers[&entry.oid], path, depth + 1));
                        } else if entry.mode.is_file() {
                            listing.add(&forest.blobs[forest.blob_numbers[&entry.oid] as usize], &path);
                        }
                    }
                }
            }
        }
        listing.marked.sort_by(|a, b| a.path.cmp(&b.path));
        listing
    }

    fn add(&mut self, (oid, look): &(Oid, Look), path: &[u8]) {
        match look {
            Look::NotYet | Look::Clean => {}
            Look::Marked(line) => self.marked.push(MarkedPath { blob: *oid, path: text(path), line: *line }),
            Look::Unread(reason) => self.unread.push((*oid, text(path), reason.clone())),
        }
    }
}

fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// A path as text: bytes that are not UTF-8 become `\xNN`.
fn text(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{remembered::decode_look, *};
    use crate::memory::Memory;
    use alignwatch_testkit::{Repo, git_output, sketch};

    const LIMIT: u64 = 1 << 20;

    const CONFLICT: &str = "<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> other\n";

    fn objects(repo: &Repo) -> Objects {
        let format = repo.git(["rev-parse", "--show-object-format"]);
        Objects::open(&repo.git_dir().join("objects"), &format).unwrap()
    }

    fn root(repo: &Repo, branch: &str) -> Oid {
        Oid::from_hex(repo.git(["rev-parse", &format!("{branch}^{{tree}}")]).as_bytes()).unwrap()
    }

    fn shelf() -> Shelf {
        Memory::none().shelf("markers", &written_by(LIMIT))
    }

    fn paths(marks: &Marks, root: &Oid) -> Vec<String> {
        let marked = marks.of(root);
        marked.seen().unwrap().iter().map(|file| format!("{}:{}", file.path, file.line)).collect()
    }

    #[test]
    fn a_whole_triple_in_order_is_a_conflict() {
        assert_eq!(first_triple(CONFLICT.as_bytes()), Some(1));
        assert_eq!(first_triple(format!("a\nb\n{CONFLICT}").as_bytes()), Some(3));
        assert_eq!(first_triple(CONFLICT.replace('\n', "\r\n").as_bytes()), Some(1), "Windows line ends");
        assert_eq!(first_triple(b"<<<<<<<\n=======\n>>>>>>>"), Some(1), "without labels");
        assert_eq!(first_triple(b"<<<<<<< a\n||||||| b\n=======\n>>>>>>> c\n"), Some(1), "with the base between");
        assert_eq!(first_triple(b"<<<<<<< a\n>>>>>>> b\n=======\n>>>>>>> c\n"), Some(1), "one inside of another");
        assert_eq!(first_triple(b"<<<<<<< a\n<<<<<<< b\n=======\n>>>>>>> c\n"), Some(2), "the last beginning counts");
    }

    #[test]
    fn parts_of_a_triple_and_what_only_looks_like_it_are_none() {
        let none = [
            "Heading\n=======\ntext\n",
            ">>>>>>> quoted seven times\n=======\n<<<<<<< x\n",
            "<<<<<<< HEAD\n>>>>>>> other\n",
            "<<<<<<< HEAD\n=======\n",
            " <<<<<<< HEAD\n =======\n >>>>>>> other\n",
            "<<<<<<<< HEAD\n========\n>>>>>>>> other\n",
            "<<<<<<<HEAD\n=======x\n>>>>>>>other\n",
            "Title\n=======\n<<<<<<< HEAD\nSub\n-------\n>>>>>>> other\n",
            "x <<<<<<< HEAD\n=======\n>>>>>>> other\n",
            "",
        ];
        for text in none {
            assert_eq!(first_triple(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn each_branch_has_its_marked_files_and_each_file_is_read_once() {
        let repo = sketch(
            "main: a(README=Title\\n=======, src/lib=fine) b
             x:    a c(src/deep/er/f=1|2|<<<<<<< HEAD|a|=======|b|>>>>>>> x, bin=0x003c3c3c)
             y:    c d(g=<<<<<<< HEAD|a|=======|b|>>>>>>> x)
             z:    a",
        )
        .draw();
        let roots = ["main", "x", "y", "z"].map(|branch| root(&repo, branch));
        let mut shelf = shelf();
        let marks = scan(&objects(&repo), &roots, LIMIT, &mut shelf);
        assert_eq!(paths(&marks, &roots[0]), [""; 0]);
        assert_eq!(paths(&marks, &roots[1]), ["src/deep/er/f:3"]);
        assert_eq!(paths(&marks, &roots[2]), ["g:1", "src/deep/er/f:3"]);
        assert_eq!(paths(&marks, &roots[3]), [""; 0]);
        assert_eq!(marks.unread, []);
        let blobs = repo.git(["rev-list", "--objects", "--all", "--filter=object:type=blob"]);
        assert!(marks.n_scanned <= blobs.lines().count());
        let again = scan(&objects(&repo), &roots, LIMIT, &mut shelf);
        assert_eq!(again.n_scanned, 0, "a second look remembers");
        assert!(roots.iter().all(|root| again.of(root) == marks.of(root)));
    }

    #[test]
    fn what_git_merges_with_a_conflict_is_found_where_git_says_so() {
        for style in ["merge", "diff3", "zdiff3"] {
            let repo = sketch(
                "main: a(f=1..9, dir/g=1..9, rst=Title|=======) b(f[5]=b, dir/g[1]=b)
                 x:    a c(f[5]=c, dir/g[1]=c, rst[1]=Other)",
            )
            .worktree()
            .config("merge.conflictStyle", style)
            .draw();
            assert!(!git_output(repo.path(), ["merge", "x"]).status.success(), "it conflicts");
            repo.git(["commit", "--quiet", "--no-verify", "--all", "-m", "marks and all"]);
            let tip = root(&repo, "main");
            let marks = scan(&objects(&repo), &[tip], LIMIT, &mut shelf());
            let empty = repo.git(["hash-object", "-t", "tree", "/dev/null"]);
            let checked = git_output(repo.path(), ["diff", "--check", &empty, "main"]);
            let said = String::from_utf8(checked.stdout).unwrap();
            let first_of = |path: &str| {
                let line =
                    said.lines().find(|line| line.starts_with(path) && line.contains("leftover conflict marker"));
                line.unwrap().split(':').take(2).collect::<Vec<_>>().join(":")
            };
            assert_eq!(paths(&marks, &tip), [first_of("dir/g"), first_of("f")], "{style}");
        }
    }

    #[test]
    fn a_missing_file_is_unread_and_nothing_that_rests_on_it_is_remembered() {
        let repo = sketch(
            "main: a(f=gone)
             x:    a c(g=<<<<<<< HEAD|a|=======|b|>>>>>>> x)",
        )
        .loose_objects()
        .draw();
        let (main, x) = (root(&repo, "main"), root(&repo, "x"));
        let blob = repo.git(["rev-parse", "main:f"]);
        repo.remove_object(&blob);
        let mut shelf = shelf();
        let marks = scan(&objects(&repo), &[main, x, x], LIMIT, &mut shelf);
        assert_eq!(paths(&marks, &x), ["g:1"], "the others are still seen");
        let [unread] = &marks.unread[..] else { panic!("{:?}", marks.unread) };
        assert_eq!((&*unread.path, unread.n_branches), ("f", 3));
        assert_eq!(unread.reason, format!("object {blob} is missing"));
        let again = scan(&objects(&repo), &[main], LIMIT, &mut shelf);
        assert_eq!(again.unread.len(), 1, "it is not taken for clean the second time");
    }

    #[test]
    fn a_file_beyond_the_limit_is_left_out_on_purpose() {
        let repo = sketch("main: a(f=<<<<<<< HEAD|a|=======|b|>>>>>>> x)").draw();
        let tip = root(&repo, "main");
        let n_bytes: u64 = repo.git(["cat-file", "-s", "main:f"]).parse().unwrap();
        let marked = |limit| paths(&scan(&objects(&repo), &[tip], limit, &mut shelf()), &tip);
        assert_eq!(marked(n_bytes), ["f:1"]);
        assert_eq!(marked(n_bytes - 1), [""; 0]);
    }

    #[test]
    fn a_missing_folder_is_unread_and_a_missing_root_is_unknown() {
        let repo = sketch("main: a(dir/f=1)\n x: a b").loose_objects().draw();
        let (main, x) = (root(&repo, "main"), root(&repo, "x"));
        let folder = repo.git(["rev-parse", "main:dir"]);
        repo.remove_object(&folder);
        repo.remove_object(&x.hex());
        let marks = scan(&objects(&repo), &[main, x], LIMIT, &mut shelf());
        assert_eq!(marks.unread[0].path, "dir");
        assert!(marks.of(&x).reason().unwrap().contains("is missing"));
    }

    #[test]
    fn sha256_and_names_that_are_not_text_work_too() {
        let repo = sketch("main: a(\\xff/f=<<<<<<< HEAD|a|=======|b|>>>>>>> x)").sha256().draw();
        let tip = root(&repo, "main");
        let mut shelf = shelf();
        for _ in 0..2 {
            let marks = scan(&objects(&repo), &[tip], LIMIT, &mut shelf);
            assert_eq!(paths(&marks, &tip), ["\\xff/f:1"]);
        }
    }

    #[test]
    fn a_damaged_memory_is_not_believed() {
        let marked = vec![MarkedPath { blob: Oid::from_bytes(&[7; 20]).unwrap(), path: "f".into(), line: 3 }];
        let value = encode(&marked);
        assert_eq!(decode(&value), Some(marked));
        for cut in 1..value.len() {
            assert_eq!(decode(&value[..cut]), None, "cut at {cut}");
        }
        assert_eq!(decode_look(b"abc"), Look::NotYet);
    }
}
