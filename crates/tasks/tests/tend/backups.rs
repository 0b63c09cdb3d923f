//! Backups hold everything, prove themselves, and come back; damage of any kind is caught.

use std::{collections::BTreeSet, fs, path::Path};

use alignwatch_git::{repository, run::Git};
use alignwatch_model::Timestamp;
use alignwatch_tasks::backup::{self, Kind, Level, Manifest, Shelf};
use alignwatch_testkit::{git, git_output};

use crate::world::World;

struct Backed {
    world: World,
    shelf: Shelf,
}

impl Backed {
    fn new(world: World) -> Backed {
        let opened = repository::open(world.repo.path()).unwrap();
        let shelf = Shelf::of(&world.data.path().join("backups"), &opened);
        Backed { world, shelf }
    }

    fn create(&self, kind: Kind, at: i64) -> Manifest {
        let opened = repository::open(self.world.repo.path()).unwrap();
        let git = self.world.git.at(&opened).unwrap();
        backup::create(&git, &self.shelf, kind, Timestamp(at)).unwrap()
    }

    fn look(&self, name: &str, level: Level) -> (bool, String) {
        let look = backup::verify(&self.world.git, &self.shelf, name, level, Timestamp(9)).unwrap();
        (look.is_good, look.because)
    }

    fn good(&self, name: &str, level: Level) {
        let (is_good, because) = self.look(name, level);
        assert!(is_good, "{because}");
    }
}

fn refs(path: &Path) -> String {
    git(path, ["for-each-ref", "--format=%(objectname) %(refname) %(symref)", "--exclude=refs/backup"])
}

fn objects(path: &Path) -> BTreeSet<String> {
    let listed = git(path, ["rev-list", "--objects", "--no-object-names", "--all"]);
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn all_that_is_named_comes_back_and_what_only_reflogs_and_worktrees_know() {
    let backed = Backed::new(World::messy());
    let repo = &backed.world.repo;
    repo.git(["tag", "-m", "annotated", "v1"]);
    repo.git(["notes", "add", "-m", "a note"]);
    repo.git(["update-ref", "refs/hidden/keep", "topic"]);
    let lost = repo.git(["rev-parse", "HEAD@{2}", "stash@{1}"]);
    let linked = git(repo.room().join("linked"), ["rev-parse", "HEAD"]);
    let manifest = backed.create(Kind::Full, 1_000);
    backed.good(&manifest.name, Level::Quick);
    backed.good(&manifest.name, Level::Drill);
    let into = repo.room().join("restored");
    backup::restore_whole(&backed.world.git, &backed.shelf, &manifest.name, &into).unwrap();
    assert_eq!(refs(&into), refs(repo.path()));
    let there = objects(&into);
    for id in lost.lines().chain([linked.as_str()]) {
        assert!(there.contains(id), "{id} is not in the restored one");
    }
    assert_eq!(git(&into, ["stash", "list"]), repo.git(["stash", "list"]), "reflogs come along");
    assert_eq!(git(&into, ["symbolic-ref", "HEAD"]), repo.git(["symbolic-ref", "HEAD"]));
    git(&into, ["reset", "-q", "--hard"]);
    assert_eq!(git(&into, ["write-tree"]), repo.git(["rev-parse", "HEAD^{tree}"]));
    assert!(git_output(&into, ["fsck", "--full"]).status.success());
}

#[test]
fn additions_make_a_chain_that_also_tells_of_what_went_away() {
    let backed = Backed::new(World::messy());
    let repo = &backed.world.repo;
    let full = backed.create(Kind::Incremental, 1_000);
    assert_eq!(full.needs, None, "there was none to add to");
    repo.git(["commit", "-q", "--allow-empty", "-m", "later"]);
    repo.git(["branch", "-qD", "other"]);
    let added = backed.create(Kind::Incremental, 2_000);
    assert_eq!(added.needs.as_ref(), Some(&full.name));
    let nothing = backed.create(Kind::Incremental, 3_000);
    backed.good(&nothing.name, Level::Drill);
    let size = |name: &str| fs::metadata(backed.shelf.folder().join(name).join("objects.bundle")).unwrap().len();
    assert!(size(&added.name) < size(&full.name) / 4, "only what is new is in it");
    let into = repo.room().join("restored");
    backup::restore_whole(&backed.world.git, &backed.shelf, &nothing.name, &into).unwrap();
    assert_eq!(refs(&into), refs(repo.path()));
    // One ref of an older state, into the living repository.
    let opened = repository::open(repo.path()).unwrap();
    let at = backed.world.git.at(&opened).unwrap();
    repo.git(["reflog", "expire", "--expire=now", "--all"]);
    repo.git(["gc", "-q", "--prune=now"]);
    let id = backup::restore_ref(&at, &backed.shelf, &full.name, "other", None).unwrap();
    assert_eq!(repo.git(["rev-parse", "refs/heads/other"]), id.at);
    assert!(repo.git_output(["fsck", "--full"]).status.success());
    assert!(backup::restore_ref(&at, &backed.shelf, &full.name, "refs/heads/other", Some("main")).is_err());
}

/// Names in a folder, also hidden ones.
fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn one_branch_comes_back_into_the_repository_that_lost_it_and_into_a_new_place() {
    let backed = Backed::new(World::messy());
    let repo = &backed.world.repo;
    let id = repo.git(["rev-parse", "topic"]);
    let full = backed.create(Kind::Full, 1_000);
    repo.git(["worktree", "remove", "--force", repo.room().join("linked").to_str().unwrap()]);
    repo.git(["branch", "-qD", "topic"]);
    repo.git(["commit", "-q", "--allow-empty", "-m", "later"]);
    let added = backed.create(Kind::Incremental, 2_000);
    assert_eq!(added.needs.as_ref(), Some(&full.name));
    // In the newest it is no more, and that says so.
    let opened = repository::open(repo.path()).unwrap();
    let at = backed.world.git.at(&opened).unwrap();
    let gone = backup::restore_ref(&at, &backed.shelf, &added.name, "topic", None).unwrap_err();
    assert!(gone.to_string().contains("has no ref `topic`"), "{gone}");
    let others = refs(repo.path());
    let back = backup::restore_ref(&at, &backed.shelf, &full.name, "topic", None).unwrap();
    assert_eq!((back.name.as_str(), &back.at), ("refs/heads/topic", &id));
    assert_eq!(repo.git(["rev-parse", "refs/heads/topic"]), id);
    let again = backup::restore_ref(&at, &backed.shelf, &full.name, "topic", None).unwrap_err();
    assert!(again.to_string().contains("is there already"), "{again}");
    repo.git(["update-ref", "-d", "refs/heads/topic"]);
    assert_eq!(refs(repo.path()), others, "no other ref moved");
    // A branch that is in both, from a chain, alone.
    let into = repo.room().join("alone");
    let (_, git_dir) =
        backup::restore_alone(&backed.world.git, &backed.shelf, &added.name, "main", None, &into).unwrap();
    assert_eq!(git_dir, into.join(".git"));
    let main = repo.git(["rev-parse", "main"]);
    assert_eq!(git(&into, ["for-each-ref", "--format=%(objectname) %(refname)"]), format!("{main} refs/heads/main"));
    let of_main = repo.git(["rev-list", "--objects", "--no-object-names", "main"]);
    let there = git(&into, ["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
    let set = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    assert_eq!(set(&there), set(&of_main), "what it reaches, and nothing else");
    git(&into, ["reset", "-q", "--hard"]);
    assert_eq!(git(&into, ["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert!(git_output(&into, ["fsck", "--full", "--strict"]).status.success());
    let there = backup::restore_alone(&backed.world.git, &backed.shelf, &added.name, "main", None, &into).unwrap_err();
    assert!(there.to_string().contains("something is there"), "{there}");
}

#[test]
fn of_a_chain_with_a_missing_or_damaged_link_the_link_is_named_and_nothing_is_restored() {
    let backed = Backed::new(World::messy());
    let repo = &backed.world.repo;
    let mut links = vec![backed.create(Kind::Full, 1_000)];
    for nth in 2..4 {
        repo.git(["commit", "-q", "--allow-empty", "-m", "later"]);
        links.push(backed.create(Kind::Incremental, nth * 1_000));
    }
    let newest = links[2].name.clone();
    assert_eq!(links[2].needs.as_ref(), Some(&links[1].name));
    repo.git(["branch", "-qD", "other"]);
    let opened = repository::open(repo.path()).unwrap();
    let at = backed.world.git.at(&opened).unwrap();
    let before = (names(repo.room()), refs(repo.path()));
    let into = repo.room().join("restored");
    let refused = |what: &str, link: &str| {
        let whole = backup::restore_whole(&backed.world.git, &backed.shelf, &newest, &into).unwrap_err();
        let alone = backup::restore_alone(&backed.world.git, &backed.shelf, &newest, "main", None, &into).unwrap_err();
        let one = backup::restore_ref(&at, &backed.shelf, &newest, "other", None).unwrap_err();
        for error in [whole, alone, one] {
            assert!(error.to_string().contains(link), "{what} of {link}: {error}");
        }
        assert_eq!((names(repo.room()), refs(repo.path())), before, "{what} of {link}");
        let (is_good, because) = backed.look(&newest, Level::Quick);
        assert!(!is_good && (link == newest || because.contains(link)), "{what} of {link}: {because}");
    };
    for link in &links {
        let (folder, aside) = (backed.shelf.folder().join(&link.name), backed.shelf.folder().join("aside"));
        fs::rename(&folder, &aside).unwrap();
        refused("all", &link.name);
        fs::rename(&aside, &folder).unwrap();
        for file in ["objects.bundle", "manifest.json", "SHA256SUMS"] {
            let (path, whole) = (folder.join(file), fs::read(folder.join(file)).unwrap());
            fs::remove_file(&path).unwrap();
            refused(file, &link.name);
            fs::write(&path, &whole[..whole.len() - 1]).unwrap();
            refused(file, &link.name);
            fs::write(&path, &whole).unwrap();
        }
    }
    backed.good(&newest, Level::Drill);
    backup::restore_whole(&backed.world.git, &backed.shelf, &newest, &into).unwrap();
    assert!(git_output(&into, ["fsck", "--full", "--strict"]).status.success());
}

#[test]
fn symbolic_refs_come_back_as_such_also_those_that_name_nothing_and_a_detached_head() {
    let backed = Backed::new(World::messy());
    let repo = &backed.world.repo;
    repo.git(["update-ref", "refs/remotes/origin/main", "main"]);
    let symbolic = [
        ("refs/remotes/origin/HEAD", "refs/remotes/origin/main"),
        ("refs/remotes/away/HEAD", "refs/remotes/away/gone"),
        ("refs/heads/alias", "refs/heads/main"),
        ("refs/heads/row", "refs/heads/alias"),
    ];
    symbolic.iter().for_each(|(name, target)| drop(repo.git(["symbolic-ref", name, target])));
    let on_main = backed.create(Kind::Full, 1_000);
    repo.git(["checkout", "-q", "--detach", "main~1"]);
    let detached = backed.create(Kind::Full, 2_000);
    for manifest in [&on_main, &detached] {
        backed.good(&manifest.name, Level::Drill);
        let into = repo.room().join(&manifest.name);
        backup::restore_whole(&backed.world.git, &backed.shelf, &manifest.name, &into).unwrap();
        for (name, target) in symbolic {
            assert_eq!(git(&into, ["symbolic-ref", "--no-recurse", name]), target, "{}", manifest.name);
        }
        assert_eq!(refs(&into), refs(repo.path()));
    }
    let head = |manifest: &Manifest, words: &[&str]| git_output(repo.room().join(&manifest.name), words);
    assert!(head(&on_main, &["symbolic-ref", "-q", "HEAD"]).status.success());
    assert!(!head(&detached, &["symbolic-ref", "-q", "HEAD"]).status.success());
    assert_eq!(git(repo.room().join(&detached.name), ["rev-parse", "HEAD"]), repo.git(["rev-parse", "HEAD"]));
    // One that somebody deleted.
    repo.git(["symbolic-ref", "--delete", "refs/remotes/origin/HEAD"]);
    let opened = repository::open(repo.path()).unwrap();
    let at = backed.world.git.at(&opened).unwrap();
    let name = "refs/remotes/origin/HEAD";
    backup::restore_ref(&at, &backed.shelf, &on_main.name, name, None).unwrap();
    assert_eq!(repo.git(["symbolic-ref", name]), "refs/remotes/origin/main");
    assert!(
        backup::restore_ref(&at, &backed.shelf, &on_main.name, "refs/remotes/away/HEAD", None).is_err(),
        "is there"
    );
}

#[test]
fn what_only_a_half_done_merge_or_rebase_names_is_in_the_backup() {
    let backed = Backed::new(World::messy());
    let repo = &backed.world.repo;
    let tree = repo.git(["rev-parse", "HEAD^{tree}"]);
    let only = |message: &str| repo.git(["commit-tree", "-p", "HEAD", "-m", message, &tree]);
    let places = ["MERGE_HEAD", "ORIG_HEAD", "REBASE_HEAD", "rebase-merge/onto", "worktrees/linked/CHERRY_PICK_HEAD"];
    let mut ids = Vec::new();
    for place in places {
        let (id, path) = (only(place), repo.git_dir().join(place));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{id}\n")).unwrap();
        ids.push(id);
    }
    let set = |world: &World| {
        let opened = repository::open(world.repo.path()).unwrap();
        let set = alignwatch_git::tend::ObjectSet::read(&world.git.at(&opened).unwrap()).unwrap();
        set.ids().map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).collect::<BTreeSet<_>>()
    };
    // A merge that stopped also keeps a tree.
    fs::write(repo.path().join("merged"), "half\n").unwrap();
    repo.git(["add", "merged"]);
    let tree = repo.git(["write-tree"]);
    let blob = repo.git(["rev-parse", ":merged"]);
    repo.git(["rm", "-q", "--cached", "merged"]);
    fs::write(repo.git_dir().join("AUTO_MERGE"), format!("{tree}\n")).unwrap();
    let (guarded, reached) = (set(&backed.world), backed.world.objects());
    let expected: BTreeSet<String> = ids.iter().cloned().chain([tree.clone(), blob.clone()]).collect();
    assert_eq!(guarded.difference(&reached).cloned().collect::<BTreeSet<_>>(), expected);
    let manifest = backed.create(Kind::Full, 1_000);
    backed.good(&manifest.name, Level::Drill);
    let into = repo.room().join("restored");
    backup::restore_whole(&backed.world.git, &backed.shelf, &manifest.name, &into).unwrap();
    let there = objects(&into);
    ids.iter().zip(places).for_each(|(id, place)| assert!(there.contains(id), "{place}"));
    assert!(there.contains(&tree) && there.contains(&blob));
    // One that names what is gone blinds nobody.
    fs::write(repo.git_dir().join("ORIG_HEAD"), format!("{}\n", "12".repeat(20))).unwrap();
    assert!(ids.iter().filter(|id| *id != &ids[1]).all(|id| set(&backed.world).contains(id)));
}

#[test]
fn git_itself_reads_a_backup() {
    let backed = Backed::new(World::messy());
    let manifest = backed.create(Kind::Full, 1_000);
    let bundle = backed.shelf.folder().join(&manifest.name).join("objects.bundle");
    let to = backed.world.repo.room().join("clone");
    git(backed.world.repo.room(), ["clone", "-q", "--mirror", bundle.to_str().unwrap(), to.to_str().unwrap()]);
    let main = backed.world.repo.git(["rev-parse", "main"]);
    assert_eq!(git(&to, ["rev-parse", "refs/heads/main"]), main);
    let mut sums = std::process::Command::new("sha256sum");
    sums.args(["--quiet", "-c", "SHA256SUMS"]).current_dir(bundle.parent().unwrap());
    if let Ok(status) = sums.status() {
        assert!(status.success());
    }
}

#[test]
fn of_two_hundred_backups_damaged_in_as_many_places_all_are_caught() {
    let backed = Backed::new(World::new());
    for nth in 0..40 {
        fs::write(backed.world.repo.path().join(format!("f{nth}")), format!("{nth}").repeat(500)).unwrap();
    }
    backed.world.repo.git(["config", "user.name", "A"]);
    backed.world.repo.git(["config", "user.email", "a@example.org"]);
    backed.world.repo.git(["add", "."]);
    backed.world.repo.git(["commit", "-qm", "files"]);
    let manifest = backed.create(Kind::Full, 1_000);
    let folder = backed.shelf.folder().join(&manifest.name);
    let files = ["objects.bundle", "manifest.json", "SHA256SUMS", "beside/config", "objects.bundle"];
    let (mut n_caught, mut n_git_content) = (0, 0);
    let n_places = 200;
    for place in 0..n_places {
        let path = folder.join(files[place % files.len()]);
        let whole = fs::read(&path).unwrap();
        let at = whole.len() * place / n_places;
        let mut damaged = whole.clone();
        match place % 3 {
            0 => damaged[at] ^= 1 << (place % 8),
            1 => damaged.truncate(at),
            _ => drop(damaged.remove(at)),
        }
        fs::write(&path, &damaged).unwrap();
        let (is_good, _) = backed.look(&manifest.name, Level::Quick);
        n_caught += usize::from(!is_good);
        assert!(!is_good, "place {place}: byte {at} of {}", path.display());
        if path.ends_with("objects.bundle") {
            let told = backed.world.repo.git_output(["bundle", "verify", path.to_str().unwrap()]);
            n_git_content += usize::from(told.status.success());
        }
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(n_caught, n_places);
    assert!(40 < n_git_content, "`git bundle verify` was content with only {n_git_content} of 80 damaged bundles");
    println!("caught {n_caught} of {n_places}; `git bundle verify` was content with {n_git_content} of 80 bundles");
    backed.good(&manifest.name, Level::Drill);
}

#[test]
fn objects_that_were_never_written_are_missed_by_the_drill() {
    // The sums are made of what is wrong already: only a restore can tell.
    let mut backed = Backed::new(World::messy());
    let real: Git = backed.world.git.clone();
    backed.world.with_fake_git(
        "case \" $* \" in *' pack-objects '*) sed '$d' | \"$real\" \"$@\"; exit;; esac\nexec \"$real\" \"$@\"",
    );
    let manifest = backed.create(Kind::Full, 1_000);
    backed.world.git = real;
    let (is_good, because) = backed.look(&manifest.name, Level::Drill);
    assert!(!is_good, "{because}");
}

#[test]
fn refs_that_a_restore_does_not_bring_back_are_counted() {
    let mut backed = Backed::new(World::new());
    let manifest = backed.create(Kind::Full, 1_000);
    backed.good(&manifest.name, Level::Drill);
    assert_eq!(backed.shelf.glance().unwrap().n_other_refs, Some(0));
    backed.world.with_fake_git(
        "case \" $* \" in *' --stdin -z '*) tail -z -n +3 | \"$real\" \"$@\"; exit;; esac\nexec \"$real\" \"$@\"",
    );
    let (is_good, because) = backed.look(&manifest.name, Level::Drill);
    assert!(!is_good && because.ends_with("is another than in the manifest (1 ref)"), "{because}");
    let glance = backed.shelf.glance().unwrap();
    assert_eq!((glance.n_other_refs, glance.proven_at), (Some(1), None));
}

#[test]
fn nobody_else_may_look_and_half_a_backup_is_none() {
    use std::os::unix::fs::PermissionsExt;
    let mut backed = Backed::new(World::messy());
    let manifest = backed.create(Kind::Full, 1_000);
    let folder = backed.shelf.folder().join(&manifest.name);
    for path in
        [backed.shelf.folder().to_owned(), folder.clone(), folder.join("objects.bundle"), folder.join("manifest.json")]
    {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
    backed.world.with_fake_git("case \" $* \" in *' pack-objects '*) head -c 0; exit 1;; esac\nexec \"$real\" \"$@\"");
    let opened = repository::open(backed.world.repo.path()).unwrap();
    let at = backed.world.git.at(&opened).unwrap();
    assert!(backup::create(&at, &backed.shelf, Kind::Full, Timestamp(2_000)).is_err());
    assert_eq!(backed.shelf.list().unwrap().len(), 1);
}

#[test]
fn at_a_glance_it_is_known_how_many_there_are_and_when_one_was_proven() {
    use alignwatch_model::facts::tasks::Backups;
    let backed = Backed::new(World::new());
    assert_eq!(backed.shelf.glance().unwrap(), Backups::default());
    let first = backed.create(Kind::Full, 1_000);
    backed.good(&first.name, Level::Quick);
    let at = |seconds| Some(Timestamp(seconds));
    let one = Backups { n: 1, newest_at: at(1_000), summed_at: at(9), good_made_at: at(1_000), ..Backups::default() };
    assert_eq!(backed.shelf.glance().unwrap(), one, "a look at its sums proves nothing");
    backed.good(&first.name, Level::Drill);
    let second = backed.create(Kind::Full, 2_000);
    let two = Backups { n: 2, newest_at: at(2_000), proven_at: at(9), n_other_refs: Some(0), ..one };
    assert_eq!(backed.shelf.glance().unwrap(), two, "nobody looked at the second");
    backed.good(&second.name, Level::Quick);
    assert_eq!(backed.shelf.glance().unwrap().good_made_at, at(2_000));
    fs::write(backed.shelf.folder().join(&second.name).join("objects.bundle"), "damaged").unwrap();
    assert!(!backed.look(&second.name, Level::Quick).0);
    assert_eq!(backed.shelf.glance().unwrap(), Backups { is_bad: true, ..two });
    backed.shelf.remove(&first.name).unwrap();
    assert_eq!(backed.shelf.glance().unwrap().proven_at, None, "what was proven is gone");
}

#[test]
fn where_objects_are_missing_on_purpose_the_plan_refuses_and_nothing_fails_each_hour() {
    use alignwatch_model::task::{Came, Decision};
    let world = World::new();
    world.repo.git(["config", "core.repositoryformatversion", "1"]);
    world.repo.git(["config", "extensions.partialClone", "origin"]);
    let plan = world.plan("backup").0;
    assert!(matches!(&plan.decision, Decision::Refuse(why) if why.contains("partial clone")), "{plan:?}");
    assert_eq!(world.came("backup"), Came::Skipped);
}

#[test]
fn an_encrypted_backup_is_read_with_its_key_alone_and_comes_back_whole() {
    use alignwatch_model::config::Config;
    use alignwatch_tasks::backup::Keys;
    let world = World::messy();
    let key = age::x25519::Identity::generate();
    let identity = world.data.path().join("key");
    fs::write(&identity, format!("# a comment\n{}\n", age::secrecy::ExposeSecret::expose_secret(&key.to_string())))
        .unwrap();
    let text = format!("backup: {{recipients: [{}]}}\n", key.to_public());
    let keys = Keys::of(&Config::from_yaml(&text, "f").unwrap().0);
    let secret = "https://ann:pass-word@example.org/x.git";
    world.repo.git(["remote", "add", "origin", secret]);
    let hook = world.repo.git_dir().join("hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut backed = Backed::new(world);
    backed.shelf = backed.shelf.with_keys(keys.clone());
    let full = backed.create(Kind::Full, 1_000);
    backed.world.repo.git(["commit", "-q", "--allow-empty", "-m", "later"]);
    let later = backed.create(Kind::Incremental, 2_000);
    // Nothing of it lies open.
    let mut open = vec![backed.shelf.folder().to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = fs::read(&path).unwrap();
            let has = |word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
            assert!(!has(b"pass-word") && !has(b"PACK"), "{}", path.display());
        }
    }
    // The format is that of age itself, so that `age -d` reads it.
    let bundle = backed.shelf.folder().join(&full.name).join("objects.bundle.age");
    assert!(age::decrypt(&key, &fs::read(&bundle).unwrap()).unwrap().starts_with(b"# v2 git bundle"));
    let (is_good, words) = backed.look(&later.name, Level::Quick);
    assert!(is_good && words.contains("was not read"), "{words}");
    let drill =
        |backed: &Backed| backup::verify(&backed.world.git, &backed.shelf, &later.name, Level::Drill, Timestamp(9));
    assert!(drill(&backed).unwrap_err().to_string().contains("no key"), "that is no word about the backup");
    assert!(backed.shelf.list().unwrap().iter().all(|kept| kept.last.as_ref().is_none_or(|look| look.is_good)));
    backed.shelf = backed.shelf.with_keys(keys.or_identity(Some(&identity)));
    backed.good(&later.name, Level::Quick);
    backed.good(&later.name, Level::Drill);
    let into = backed.world.repo.room().join("restored");
    backup::restore_whole(&backed.world.git, &backed.shelf, &later.name, &into).unwrap();
    assert_eq!(refs(&into), refs(backed.world.repo.path()));
    assert_eq!(git(&into, ["config", "remote.origin.url"]), secret);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(into.join(".git/hooks/pre-commit")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o100, 0o100, "a hook can be run");
    assert!(!into.join(".git/objects.bundle").exists() && git_output(&into, ["fsck", "--full"]).status.success());
    // Another key opens nothing, and a byte that is another is found.
    let other = age::x25519::Identity::generate();
    fs::write(&identity, age::secrecy::ExposeSecret::expose_secret(&other.to_string())).unwrap();
    assert!(!backed.look(&later.name, Level::Quick).0);
    let mut bytes = fs::read(&bundle).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&bundle, bytes).unwrap();
    assert!(!backed.look(&full.name, Level::Quick).0);
}

#[test]
fn a_recipient_that_is_none_is_told_before_anything_is_written() {
    use alignwatch_model::{config::Config, task::Decision};
    let mut world = World::new();
    // The form is right, and the checksum is not.
    let text = "backup: {recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q]}\n";
    world.config = Config::from_yaml(text, "f").unwrap().0;
    let plan = world.plan("backup").0;
    assert!(matches!(&plan.decision, Decision::Refuse(why) if why.contains("no recipient of age")), "{plan:?}");
    world.config = Config::from_yaml("backup: {recipients: [ssh-ed25519 AAAA]}\n", "f").unwrap().0;
    assert!(matches!(world.plan("backup").0.decision, Decision::Refuse(_)));
}

#[test]
fn hooks_and_settings_come_back_and_what_no_backup_holds_is_said() {
    let backed = Backed::new(World::messy());
    let repo = &backed.world.repo;
    let said = |backed: &Backed, at| backed.create(Kind::Full, at).not_covered.join("\n");
    let before = said(&backed, 1_000);
    assert_eq!(before, "changes in working trees, and what is only in an index", "nothing else is there");
    // Pointers and a submodule that only the commit tells of, as in a mirror.
    fs::write(repo.path().join(".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n").unwrap();
    fs::write(repo.path().join(".gitmodules"), "[submodule \"x\"]\n\tpath = x\n\turl = ../x\n").unwrap();
    repo.git(["add", "."]);
    repo.git(["commit", "-qm", "large files and a submodule"]);
    let outside = repo.room().join("settings");
    fs::write(&outside, "[alias]\n\tx = log\n").unwrap();
    repo.git(["config", "include.path", outside.to_str().unwrap()]);
    repo.git(["config", "core.hooksPath", "/opt/hooks"]);
    repo.git(["config", "team.rule", "kept"]);
    let hook = repo.git_dir().join("hooks/pre-push");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\nexit 0\n").unwrap();
    std::os::unix::fs::symlink("/opt/elsewhere", repo.git_dir().join("hooks/pre-commit")).unwrap();
    let manifest = backed.create(Kind::Full, 2_000);
    let said = manifest.not_covered.join("\n");
    for told in [
        "files of Git LFS (`lfs/`): fetch them with `git lfs fetch --all`",
        "submodules (`modules/`): each is a repository of its own",
        "hooks in `/opt/hooks` (core.hooksPath): that folder is not part of the repository",
        "settings in files that `config` includes (include.path): only the lines that name them",
        "links, and files that are too large, beside the objects: hooks/pre-commit",
    ] {
        assert!(said.contains(told), "{told} is not said: {said}");
    }
    let into = backed.world.data.path().join("restored.git");
    backup::restore_whole(&backed.world.git, &backed.shelf, &manifest.name, &into).unwrap();
    let git_dir = git(&into, ["rev-parse", "--absolute-git-dir"]);
    assert_eq!(fs::read(Path::new(&git_dir).join("hooks/pre-push")).unwrap(), fs::read(&hook).unwrap());
    assert_eq!(git(&into, ["config", "team.rule"]), "kept");
}
