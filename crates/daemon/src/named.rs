//! Which of the watched repositories an address means: by the addresses of its remotes, by its path, or by its id.

use std::path::PathBuf;

use alignwatch_git::repository;
use alignwatch_model::address::Address;

/// The watched repositories that one of these addresses means, as paths. One that can't be read now is not found.
pub(crate) fn named(paths: &[PathBuf], addresses: &[String]) -> Vec<String> {
    let wanted: Vec<Address> = addresses.iter().map(|address| Address::of(address)).collect();
    let is_meant = |path: &&PathBuf| {
        let text = path.to_string_lossy();
        if addresses.iter().any(|address| *address == text) {
            return true;
        }
        let Ok(opened) = repository::open(path) else { return false };
        let remotes = opened.remote_addresses();
        addresses.contains(&opened.id())
            || remotes.iter().map(|url| Address::of(url)).any(|there| !there.path.is_empty() && wanted.contains(&there))
    };
    paths.iter().filter(is_meant).map(|path| path.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use alignwatch_testkit::sketch;

    use super::*;

    #[test]
    fn a_repository_is_found_by_its_remotes_its_path_or_its_id_and_no_other() {
        let (one, other) = (sketch("main: a").draw(), sketch("main: a").draw());
        one.git(["remote", "add", "origin", "git@example.org:team/product.git"]);
        other.git(["remote", "add", "origin", "https://example.org/team/other.git"]);
        let paths = [one.path().to_owned(), other.path().to_owned(), PathBuf::from("/nowhere")];
        let found = |address: &str| named(&paths, &[address.to_owned()]);
        let first = vec![one.path().to_string_lossy().into_owned()];
        assert_eq!(found("https://example.org/team/product"), first);
        assert_eq!(found(one.path().to_str().unwrap()), first);
        assert_eq!(found(&repository::open(one.path()).unwrap().id()), first);
        assert_eq!(found("https://example.org/team/nothing"), Vec::<String>::new());
        assert_eq!(found("team/product"), Vec::<String>::new());
    }
}
