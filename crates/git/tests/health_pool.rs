//! Who borrows from whom: told by the borrowers, as `git clone --shared` wrote it down.

#![expect(clippy::unwrap_used, reason = "a failed step of a test ends it")]

use std::{fs, path::PathBuf, process::Command};

use alignwatch_git::{
    health::pool::{Borrowing, pool},
    repository::open,
};
use alignwatch_model::facts::Pool;
use alignwatch_testkit::{Repo, git, git_output, sketch};

fn known(repo: &Repo, others: &[PathBuf]) -> Pool {
    let opened = open(repo.path()).unwrap();
    Borrowing::among(others).from(&opened.objects_dir, pool(&opened))
}

#[test]
fn a_shared_clone_tells_from_whom_it_borrows() {
    let lender = sketch("main: a b").draw();
    let stranger = sketch("main: a").draw();
    let borrower = lender.room().join("borrower");
    git(lender.room(), ["clone", "-q", "--shared", lender.path().to_str().unwrap(), "borrower"]);
    let alternate = format!("alternate: {}", open(lender.path()).unwrap().objects_dir.display());
    assert!(git(&borrower, ["count-objects", "-v"]).contains(&alternate), "git says the same");
    let all = [lender.path().to_owned(), stranger.path().to_owned(), borrower.clone()];
    assert_eq!(known(&lender, &all).borrowers, [borrower.display().to_string()]);
    assert_eq!(known(&lender, &all).n_asked, 2);
    assert_eq!(known(&stranger, &all), Pool { n_asked: 2, ..Pool::default() });
    assert_eq!(known(&lender, &[lender.path().to_owned()]), Pool::default(), "alone it cannot know");
}

#[test]
fn the_remedy_makes_git_refuse_to_remove_objects() {
    let lender = sketch("main: a b").draw();
    let is_precious = || pool(&open(lender.path()).unwrap()).is_precious;
    assert!(!is_precious());
    for line in ["git config core.repositoryFormatVersion 1", "git config extensions.preciousObjects true"] {
        assert!(Command::new("bash").arg("-c").arg(line).current_dir(lender.path()).status().unwrap().success());
    }
    assert!(is_precious());
    assert!(!git_output(lender.path(), ["prune"]).status.success());
    git(lender.path(), ["config", "--unset", "extensions.preciousObjects"]);
    assert!(!is_precious());
}

#[test]
fn one_that_cannot_be_opened_and_a_circle_hide_nobody() {
    let lender = sketch("main: a b").draw();
    let other = sketch("main: a").draw();
    let objects = |repo: &Repo| open(repo.path()).unwrap().objects_dir;
    let borrow = |from: &Repo, to: &Repo| {
        fs::create_dir_all(objects(to).join("info")).unwrap();
        fs::write(objects(to).join("info/alternates"), objects(from).as_os_str().as_encoded_bytes()).unwrap();
    };
    borrow(&lender, &other);
    borrow(&other, &lender);
    let all = [PathBuf::from("/nowhere/at/all"), lender.path().to_owned(), other.path().to_owned()];
    assert_eq!(known(&lender, &all).borrowers, [other.path().display().to_string()]);
    assert_eq!(known(&other, &all).borrowers, [lender.path().display().to_string()]);
}
