//! What an address of a remote leads to: a machine, and a place on it.

/// A machine and a place on it, whatever protocol, user and port lead there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// In small letters; empty = this machine.
    pub host: String,
    /// Without a slash at its end and without `.git`. On another machine in small letters and without a slash at its
    /// beginning: forges take names in capitals for the same.
    pub path: String,
}

impl Address {
    /// As git takes it: `https://u@Host:8443/o/n.git`, `ssh://git@[::1]:22/o/n`, `git@host:o/n`, `/srv/git/n.git`,
    /// `file:///srv/git/n.git`.
    pub fn of(url: &str) -> Address {
        let (authority, path) = match url.split_once("://") {
            Some(("file", path)) => ("", path),
            Some((_, rest)) => rest.split_once('/').unwrap_or((rest, "")),
            None => of_scp(url).unwrap_or(("", url)),
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = match host.strip_prefix('[') {
            Some(bracketed) => bracketed.split(']').next(),
            None => host.split(':').next(),
        };
        let host = host.unwrap_or_default().to_ascii_lowercase();
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let path = match host.is_empty() {
            true => path.to_owned(),
            false => path.trim_start_matches('/').to_ascii_lowercase(),
        };
        Address { host, path }
    }
}

/// As scp writes it: the first colon ends the machine, unless a slash stands before it. Source: git-fetch(1), "Git URLs".
fn of_scp(url: &str) -> Option<(&str, &str)> {
    let end = url.rfind("]:").map(|at| at + 1).or_else(|| url.find(':'))?;
    let (host, path) = (&url[..end], &url[end + 1..]);
    (!host.contains('/')).then_some((host, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_an_address_are_one() {
        let known = Address::of("https://example.org/Team/Product.git");
        assert_eq!((known.host.as_str(), known.path.as_str()), ("example.org", "team/product"));
        let same = [
            "https://user:secret@example.org:8443/team/product",
            "git@example.org:team/product.git",
            "ssh://git@EXAMPLE.org:22/team/product.git/",
            "http://example.org/team/product/",
        ];
        for other in same {
            assert_eq!(Address::of(other), known, "{other}");
        }
        for other in
            ["https://example.com/team/product", "https://example.org/team/products", "product", "", "https://"]
        {
            assert_ne!(Address::of(other), known, "{other}");
        }
    }

    #[test]
    fn machines_are_named_and_paths_here_have_none() {
        for (url, host, path) in [
            ("ssh://git@[2001:DB8::1]:22/o/n.git", "2001:db8::1", "o/n"),
            ("git@[::1]:o/n", "::1", "o/n"),
            ("https://[::1]", "::1", ""),
            ("e.org:o/n", "e.org", "o/n"),
            ("/srv/A:b.git", "", "/srv/A:b"),
            ("./a:b", "", "./a:b"),
            ("file:///srv/a.git", "", "/srv/a"),
            ("", "", ""),
        ] {
            let found = Address::of(url);
            assert_eq!((found.host.as_str(), found.path.as_str()), (host, path), "{url}");
        }
    }
}
