//! The ladder of proofs: what is said of branches that came into their base by other ways than a merge.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::fs;

use alignwatch_git::{
    graph::{Graph, GraphSources, Trunk, measure},
    landed::{Asked, Prover},
    memory::Memory,
    objects::Objects,
    stop::Stop,
};
use alignwatch_model::{Drift, Landed, Oid, Proof};
use alignwatch_testkit::{Repo, sketch};

const IDENTICAL: Landed = Landed::Yes(Proof::IdenticalTree);
const NO_OP: Landed = Landed::Yes(Proof::MergeNoOp);
const PATCH_IDS: Landed = Landed::Yes(Proof::PatchIds);
const SQUASH: Landed = Landed::Yes(Proof::SquashPatchId);

fn tip(repo: &Repo, name: &str) -> Oid {
    Oid::from_hex(repo.git(["rev-parse", name]).as_bytes()).unwrap()
}

/// What is said of these branches against `main`; what was worked out is remembered in `memory`.
fn judge(repo: &Repo, names: &[&str], memory: &Memory) -> Vec<Landed> {
    let format = repo.git(["rev-parse", "--show-object-format"]);
    let objects = Objects::open(&repo.git_dir().join("objects"), &format).unwrap();
    let tips: Vec<Oid> = ["main"].iter().chain(names).map(|name| tip(repo, name)).collect();
    let sources = GraphSources::in_git_dir(&repo.git_dir(), &format).unwrap();
    let (graph, _) = Graph::open(&sources, &objects, &tips);
    let places: Vec<_> = tips.iter().map(|tip| graph.find(tip).unwrap()).collect();
    let trunk = Trunk::of(&graph, places[0]);
    let drifts: Vec<Drift> =
        measure(&graph, &trunk, &places[1..]).into_iter().map(|drift| drift.seen().unwrap().clone()).collect();
    let asked: Vec<Asked<'_>> = places[1..].iter().zip(&drifts).map(|(&tip, drift)| Asked { tip, drift }).collect();
    let prover = Prover { graph: &graph, objects: &objects.opener(), memory, n_threads: 2, stop: &Stop::default() };
    prover.prove(&trunk, &asked, &|_, _| {})
}

/// What is said of the branch `feature` of this sketch. With what is remembered, the answer is the same.
fn landed(text: &str) -> Landed {
    let (repo, folder) = (sketch(text).draw(), tempfile::tempdir().unwrap());
    let memory = Memory::in_folder(folder.path());
    let first = judge(&repo, &["feature"], &memory);
    fs::remove_file(folder.path().join("landed")).unwrap_or_default();
    assert_eq!(first, judge(&repo, &["feature"], &memory));
    assert_eq!(first, judge(&repo, &["feature"], &Memory::none()));
    first[0].clone()
}

#[test]
fn a_squash_merge_is_an_identical_tree_until_the_base_moves_on_there() {
    let branch = "feature: a x(f[2]=zwei) y(f[3]=drei, g=new)";
    assert_eq!(landed(&format!("main: a(f=1..20) b s(f[2]=zwei, f[3]=drei, g=new) c\n {branch}")), IDENTICAL);
    assert_eq!(landed(&format!("main: a(f=1..20) s(f[2]=zwei, f[3]=drei, g=new) c(f[19]=x)\n {branch}")), NO_OP);
    assert_eq!(landed(&format!("main: a(f=1..20) s(f[2]=zwei, f[3]=drei, g=new) c(f[2]=deux)\n {branch}")), SQUASH);
    assert_eq!(landed(&format!("main: a(f=1..20) s(f[2]=zwei, f[3]=drei) c(f[2]=deux)\n {branch}")), Landed::No);
}

#[test]
fn a_squash_onto_a_base_that_had_moved_on_is_found_by_its_text() {
    let text = "main: a(f=1..40) b(f[30]=x) s(f[2]=zwei, f[3]=drei, g=new) c(f[2]=deux)
                feature: a x(f[2]=zwei) y(f[3]=drei, g=new)";
    assert_eq!(landed(text), SQUASH);
}

#[test]
fn a_rebased_branch_is_found_by_its_patch_ids() {
    let text = "main: a(f=1..40) b(f[30]=x) p(f[2]=zwei) q(f[15]=new) c(f[2]=deux, f[15]=neuf)
                feature: a x(f[2]=zwei) y(f[15]=new)";
    assert_eq!(landed(text), PATCH_IDS);
}

#[test]
fn patches_that_landed_inside_another_merged_branch_count() {
    let text = "main: a(f=1..40) b(f[30]=x) m<q c(f[2]=deux, f[15]=neuf)
                other: a p(f[2]=zwei) q(f[15]=new)
                feature: a x(f[2]=zwei) y(f[15]=new)";
    assert_eq!(landed(text), PATCH_IDS);
}

#[test]
fn a_partly_picked_branch_has_not_landed() {
    let text = "main: a(f=1..40) b(f[30]=x) p(f[2]=zwei) c(f[2]=deux)
                feature: a x(f[2]=zwei) y(f[15]=new) z";
    assert_eq!(landed(text), Landed::No);
}

#[test]
fn a_branch_that_went_on_after_a_squash_or_a_rebase_is_continued() {
    let squashed = "main: a(f=1..40) b(f[30]=x) s@+9d(f[2]=zwei, f[15]=new) c(f[2]=deux)
                    feature: a x(f[2]=zwei) y(f[15]=new) z";
    assert_eq!(landed(squashed), Landed::Continued(Proof::SquashPatchId));
    let rebased = "main: a(f=1..40) b(f[30]=x) p@+9d(f[2]=zwei) q@+9d(f[15]=new) c(f[2]=deux)
                    feature: a x(f[2]=zwei) y(f[15]=new) z";
    assert_eq!(landed(rebased), Landed::Continued(Proof::PatchIds));
    let scattered = "main: a(f=1..40) b(f[30]=x) p@+9d(f[2]=zwei) d q@+9d(f[15]=new) c(f[2]=deux)
                    feature: a x(f[2]=zwei) y(f[15]=new) z";
    assert_eq!(landed(scattered), Landed::No);
    let request = "main: a(f=1..40) b(f[30]=x) s@+9d'Title\\s(#12)'(f[2]=zwei) c(f[2]=deux)
                    feature: a x(f[2]=zwei) y(f[15]=new) z";
    assert_eq!(landed(request), Landed::Continued(Proof::SquashPatchId));
    let taken_back = "main: a(f=1..40) b(f[30]=x) s@+9d(f[2]=zwei, f[15]=new) c(f[2]=2, f[15]=15)
                    feature: a x(f[2]=zwei) y(f[15]=new) z";
    assert_eq!(landed(taken_back), Landed::No);
}

#[test]
fn a_branch_that_begins_with_backports_is_not_continued() {
    let run = "main: a(f=1..40) b(f[30]=x) p@+1d(f[2]=zwei) q@+1d(f[15]=new) c@+1d(f[2]=deux)
               feature: a x@+2d(f[2]=zwei) y@+2d(f[15]=new) z@+2d";
    assert_eq!(landed(run), Landed::No);
    let request = "main: a(f=1..40) b(f[30]=x) s@+1d'Title\\s(#12)'(f[2]=zwei) c@+1d(f[2]=deux)
                   feature: a x@+2d(f[2]=zwei) y@+2d(f[15]=new) z@+2d";
    assert_eq!(landed(request), Landed::No);
}

#[test]
fn what_the_base_took_back_is_reverted_until_it_brings_it_again() {
    let branch = "feature: a x(f[2]=zwei) y(f[15]=new)";
    let squash = "a(f=1..40) b(f[30]=x) s(f[2]=zwei, f[15]=new)";
    let reverted = Landed::Reverted(Proof::SquashPatchId);
    assert_eq!(landed(&format!("main: {squash} r(f[2]=2, f[15]=15) c\n {branch}")), reverted);
    let again = format!("main: {squash} r(f[2]=2, f[15]=15) c t(f[2]=zwei, f[15]=new) d(f[2]=deux)\n {branch}");
    assert_eq!(landed(&again), SQUASH);
    let commits = "a(f=1..40) b(f[30]=x) p(f[2]=zwei) q(f[15]=new)";
    let reverted = Landed::Reverted(Proof::PatchIds);
    assert_eq!(landed(&format!("main: {commits} r(f[2]=2) c\n {branch}")), reverted);
    assert_eq!(landed(&format!("main: {commits} c(f[15]=15, f[2]=2)\n {branch}")), reverted);
}

#[test]
fn a_revert_that_only_says_so_is_believed() {
    let text = "main: a(f=1..40) b(f[30]=x) s(f[2]=zwei, f[15]=new)
                feature: a x(f[2]=zwei) y(f[15]=new)";
    let mut repo = sketch(text).draw();
    let said = repo.oid("s").hex();
    repo.draw_more(&format!("main: s r'Revert\\s\"s\"||This\\sreverts\\scommit\\s{said}.'(f[2]=2, f[15]=other) c"));
    let first = judge(&repo, &["feature"], &Memory::none());
    assert_eq!(first, [Landed::Reverted(Proof::SquashPatchId)]);
    let said = repo.oid("r").hex();
    repo.draw_more(&format!("main: c t'This\\sreverts\\scommit\\s{said}.'(f[2]=zwei\\s!)"));
    assert_eq!(judge(&repo, &["feature"], &Memory::none()), [SQUASH]);
}

#[test]
fn a_merge_that_the_base_took_back_is_reverted_until_it_brings_it_again() {
    let (kept, reverted) = (Landed::Yes(Proof::Ancestor), Landed::Reverted(Proof::Ancestor));
    let branch = "feature: a x(f[2]=zwei) y(f[15]=new)";
    let merge = "a(f=1..40) b(f[30]=x) m<y";
    assert_eq!(landed(&format!("main: {merge} c\n {branch}")), kept);
    assert_eq!(landed(&format!("main: {merge} c(f[2]=deux)\n {branch}")), kept, "edited since");
    assert_eq!(landed(&format!("main: {merge} r(f[2]=2, f[15]=15) c\n {branch}")), reverted);
    assert_eq!(landed(&format!("main: {merge} r(f[2]=2) c\n {branch}")), reverted, "one of its commits");
    let again = "r(f[2]=2, f[15]=15) c t(f[2]=zwei, f[15]=new) d(f[2]=deux)";
    assert_eq!(landed(&format!("main: {merge} {again}\n {branch}")), kept);
    // Merged without a merge commit: the commits are those of the line.
    assert_eq!(landed("main: a(f=1..40) x(f[2]=zwei) c\n feature: a x"), kept);
    assert_eq!(landed("main: a(f=1..40) x(f[2]=zwei) r(f[2]=2) c\n feature: a x"), reverted);
}

#[test]
fn a_revert_of_a_merge_that_only_says_so_is_believed() {
    let mut repo = sketch("main: a(f=1..40) b m<y\n feature: a x(f[2]=zwei) y(f[15]=new)").draw();
    let said = repo.oid("m").hex();
    repo.draw_more(&format!(
        "main: m r'Revert||This\\sreverts\\scommit\\s{said},\\sreversing.'(f[2]=2, f[15]=other) c"
    ));
    assert_eq!(judge(&repo, &["feature"], &Memory::none()), [Landed::Reverted(Proof::Ancestor)]);
    let said = repo.oid("r").hex();
    repo.draw_more(&format!("main: c t'This\\sreverts\\scommit\\s{said}.'(f[2]=zwei\\s!)"));
    assert_eq!(judge(&repo, &["feature"], &Memory::none()), [Landed::Yes(Proof::Ancestor)]);
}

#[test]
fn a_branch_that_takes_its_own_work_back_is_not_reverted_by_it() {
    let text = "main: a(f=1..40) b(f[30]=x) p(f[2]=zwei) q(f[2]=2) r(f[15]=new) c(f[15]=neuf)
                feature: a x(f[2]=zwei) y(f[2]=2) z(f[15]=new)";
    assert_eq!(landed(text), PATCH_IDS);
}

#[test]
fn a_branch_without_a_change_adds_nothing() {
    assert_eq!(landed("main: a(f=1..9) b\n feature: a x(f[2]=zwei) y(f[2]=2)"), NO_OP);
    assert_eq!(landed("main: a(f=1..9) b\n feature: a x()"), NO_OP);
}

#[test]
fn modes_binaries_links_and_submodules_count_as_content() {
    assert_eq!(landed("main: a(f=1) s(+x f) b(f=2)\n feature: a x(+x f)"), NO_OP);
    assert_eq!(landed("main: a(f=1) s(+x f) b(-x f)\n feature: a x(+x f)"), Landed::Reverted(Proof::PatchIds));
    assert_eq!(landed("main: a(f=0x0001) s(f=0x0002) b(f=0x0003)\n feature: a x(f=0x0002)"), PATCH_IDS);
    assert_eq!(landed("main: a(f=0x0001) s(f=0x0004) b(f=0x0003)\n feature: a x(f=0x0002)"), Landed::No);
    assert_eq!(landed("main: a s(sub=@c1) b(sub=@c2)\n feature: a x(sub=@c1)"), PATCH_IDS);
    assert_eq!(landed("main: a s(l->one) b(l->two)\n feature: a x(l->one)"), PATCH_IDS);
    assert_eq!(landed("main: a(f=1..9) s(f=>g) b(g[1]=x)\n feature: a x(f=>g)"), PATCH_IDS);
}

#[test]
fn whitespace_does_not_matter_unless_it_is_all_that_changed() {
    let spaced = "main: a(f=1..20) s(f[2]=new\\s\\sline) b(f[2]=other)\n feature: a x(f[2]=new\\sline)";
    assert_eq!(landed(spaced), PATCH_IDS);
    // `git cherry` takes these two for the same patch.
    let only = "main: a(f=1..20) s(f[2]=\\s\\s2) b(f[2]=other)\n feature: a x(f[2]=\\s\\s\\s\\s2)";
    assert_eq!(landed(only), Landed::No);
    let same = "main: a(f=1..20) s(f[2]=\\s\\s2) b(f[2]=other)\n feature: a x(f[2]=\\s\\s2)";
    assert_eq!(landed(same), PATCH_IDS);
}

#[test]
fn with_several_merge_bases_a_squash_must_not_hide_what_was_undone() {
    let crossed = |first: &str, later: &str, own: &str| {
        landed(&format!(
            "main: a(f=1..40) b({first}) m<y {later}
             feature: a y() n<b {own}"
        ))
    };
    let own = "x(f[37]=one) z(f[38]=two)";
    assert_eq!(crossed("g=new", "s(f[37]=one, f[38]=two)", own), IDENTICAL);
    assert_eq!(crossed("g=new", "p(f[37]=one) d q(f[38]=two) c(f[38]=later)", own), PATCH_IDS);
    assert_eq!(crossed("g=new", "s(f[37]=one, f[38]=two) c(f[38]=later)", own), SQUASH);
    // The branch also undid what main had added in `b`; the squash has only the rest.
    let undone = "x(f[37]=one) z(f[38]=two, -g)";
    assert_eq!(crossed("g=new", "s(f[37]=one, f[38]=two)", undone), Landed::No);
    assert_eq!(crossed("g=new", "s(f[37]=one, f[38]=two, -g) c(f[38]=later)", undone), SQUASH);
}

#[test]
fn a_missing_object_makes_unknown_only_what_needs_it() {
    let repo = sketch(
        "main: a(f=1..40) b(f[30]=x) s(f[2]=zwei, f[15]=new) c(f[2]=deux)
         feature: a x(f[2]=zwei) y(f[15]=new)
         other: a o",
    )
    .draw();
    repo.remove_object("feature:f");
    let judged = judge(&repo, &["feature", "other"], &Memory::none());
    assert!(matches!(&judged[0], Landed::Unknown(reason) if reason.contains("is missing")), "{judged:?}");
    assert_eq!(judged[1], Landed::No);
    let repo = sketch("main: a b(d/f=1) c(d/f=2)\n feature: a x").draw();
    repo.remove_object(&format!("{}:d", repo.oid("b")));
    let judged = judge(&repo, &["feature"], &Memory::none());
    assert!(matches!(&judged[0], Landed::Unknown(reason) if reason.contains("is missing")), "{judged:?}");
}

#[test]
fn what_is_remembered_grows_with_the_base() {
    let (mut repo, folder) =
        (sketch("main: a(f=1..40) b(f[30]=x)\n feature: a x(f[2]=zwei)").draw(), tempfile::tempdir().unwrap());
    let memory = Memory::in_folder(folder.path());
    assert_eq!(judge(&repo, &["feature"], &memory), [Landed::No]);
    repo.draw_more("main: b s(f[2]=zwei) c(f[2]=deux)");
    assert_eq!(judge(&repo, &["feature"], &memory), [PATCH_IDS]);
}

#[test]
fn a_sha256_repository_is_judged_alike() {
    let text = "main: a(f=1..40) b(f[30]=x) s(f[2]=zwei, f[3]=drei) c(f[2]=deux)
                feature: a x(f[2]=zwei) y(f[3]=drei)";
    assert_eq!(judge(&sketch(text).sha256().draw(), &["feature"], &Memory::none()), [SQUASH]);
}
