//! Which of the watched repositories an address means: by the addresses of its remotes, by its path, or by its id.

use std::path::PathBuf;

use alignwatch_git::repository;

/// The watched repositories that one of these addresses means, as paths. One that can't be read now is not found.
pub(crate) fn named(paths: &[PathBuf], addresses: &[String]) -> Vec<String> {
    let wanted: Vec<Site> = addresses.iter().filter_map(|address| Site::of(address)).collect();
    let is_meant = |path: &&PathBuf| {
        let text = path.to_string_lossy();
        if addresses.iter().any(|address| *address == text) {
            return true;
        }
        let Ok(opened) = repository::open(path) else { return false };
        let remotes = opened.remote_addresses();
        addresses.contains(&opened.id())
            || remotes.iter().filter_map(|url| Site::of(url)).any(|site| wanted.contains(&site))
    };
    paths.iter().filter(is_meant).map(|path| path.to_string_lossy().into_owned()).collect()
}

/// A host and what is there, whatever protocol and user lead to it.
#[derive(Debug, PartialEq, Eq)]
struct Site {
    host: String,
    path: String,
}

impl Site {
    /// `https://u@Host:8443/o/n.git`, `git@host:o/n`, `/srv/git/n.git`. Ports differ from protocol to protocol, and are
    /// left out. `None` = it names nothing.
    fn of(address: &str) -> Option<Site> {
        let (host, path) = match address.split_once("://") {
            Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
            None if address.starts_with('/') => ("", address),
            // As scp writes it: the first colon ends the host.
            None => address.split_once(':')?,
        };
        let host = host.rsplit('@').next().unwrap_or_default();
        let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let path = path.trim_matches('/');
        // Forges take names in capitals for the same.
        let path = path.strip_suffix(".git").unwrap_or(path).to_ascii_lowercase();
        (!path.is_empty()).then_some(Site { host, path })
    }
}

#[cfg(test)]
mod tests {
    use alignwatch_testkit::sketch;

    use super::*;

    #[test]
    fn all_forms_of_an_address_are_one_site() {
        let site = Site::of("https://example.org/Team/Product.git").unwrap();
        let same = [
            "https://user:secret@example.org:8443/team/product",
            "git@example.org:team/product.git",
            "ssh://git@EXAMPLE.org:22/team/product.git/",
            "http://example.org/team/product/",
        ];
        for other in same {
            assert_eq!(Site::of(other).as_ref(), Some(&site), "{other}");
        }
        for other in
            ["https://example.com/team/product", "https://example.org/team/products", "product", "", "https://"]
        {
            assert_ne!(Site::of(other).as_ref(), Some(&site), "{other}");
        }
    }

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
