//! The names and secrets of this machine and these repositories, so that they are found wherever they turn up.

use std::{
    env, fs,
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use alignwatch_git::{repository::open, run::Git};
use alignwatch_model::Snapshot;

use super::redact::{Kind, Redactor};
use crate::{installation::Around, report::DoctorReport};

/// The salt of pseudonyms, in the data directory: with it, two bundles can be compared. It never leaves.
const SALT_FILE: &str = "pseudonyms.salt";

/// Words in the name of a variable or setting that say that its value is secret.
const TELLING: &[&str] =
    &["pass", "secret", "token", "key", "credential", "auth", "pwd", "header", "cookie", "signature", "askpass"];

/// A redactor that knows what is around.
pub(crate) fn redactor(around: &Around, report: &DoctorReport, paths: &[PathBuf], keeps_names: bool) -> Redactor {
    let mut names = of_machine(around);
    let mut secrets = of_environment();
    for checked in &report.checked.repositories {
        names.push((checked.path.clone(), Kind::Repository));
        if let Ok(judgement) = &checked.judgement {
            names.extend(of_snapshot(&judgement.snapshot));
        }
    }
    for path in paths {
        let (more, values) = of_settings(path);
        names.extend(more);
        secrets.extend(values);
    }
    Redactor::new(salt(around.data_dir.as_deref()), keeps_names, names, secrets)
}

/// The salt that is remembered, or else a new one, which is remembered when it can be.
fn salt(data_dir: Option<&Path>) -> [u8; 32] {
    let file = data_dir.map(|dir| dir.join(SALT_FILE));
    let remembered = file.as_ref().and_then(|file| <[u8; 32]>::try_from(fs::read(file).ok()?).ok());
    remembered.unwrap_or_else(|| {
        let salt = random();
        if let Some(file) = file {
            // Without it the next bundle has other pseudonyms, nothing else.
            let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
            let _ = opened.and_then(|mut file| file.write_all(&salt));
        }
        salt
    })
}

fn random() -> [u8; 32] {
    let mut salt = [0; 32];
    let read = fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut salt));
    if read.is_err() {
        // Guessing this one takes knowing when and by which process it was made.
        let seed = format!("{:?} {}", std::time::SystemTime::now(), std::process::id());
        salt = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(seed)).into();
    }
    salt
}

/// Host, user, home and our own places.
fn of_machine(around: &Around) -> Vec<(String, Kind)> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    let variables = ["HOSTNAME", "HOST"].into_iter().filter_map(|name| env::var(name).ok());
    let mut names: Vec<(String, Kind)> = host.into_iter().chain(variables).map(|name| (name, Kind::Host)).collect();
    for name in ["USER", "LOGNAME", "USERNAME", "GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"] {
        names.extend(env::var(name).ok().map(|name| (name, Kind::Author)));
    }
    let config = around.configured.as_ref().ok().and_then(|(_, file)| file.clone());
    let places = [env::var_os("HOME").map(PathBuf::from), around.data_dir.clone(), config, env::current_dir().ok()];
    names.extend(places.into_iter().flatten().map(|place| (place.display().to_string(), Kind::Path)));
    names
}

/// Values of variables whose name says that they are secret.
fn of_environment() -> Vec<String> {
    let is_telling = |name: &str| TELLING.iter().any(|word| name.to_ascii_lowercase().contains(word));
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| is_telling(name) && !value.starts_with('/'))
        .map(|(_, value)| value)
        .collect()
}

fn of_snapshot(snapshot: &Snapshot) -> Vec<(String, Kind)> {
    let repository = &snapshot.repository;
    let mut names = vec![(repository.path.clone(), Kind::Repository), (repository.git_dir.clone(), Kind::Repository)];
    names.extend(repository.alternates.iter().map(|(path, _)| (path.clone(), Kind::Path)));
    for branch in &snapshot.branches {
        names.push((branch.name.text().into_owned(), Kind::Branch));
        names.push((branch.name.short().text().into_owned(), Kind::Branch));
        if let Some(tip) = branch.tip.seen() {
            names.push((tip.author.clone(), Kind::Author));
            names.push((tip.subject.clone(), Kind::Subject));
        }
    }
    names.extend(snapshot.broken_refs.iter().map(|broken| (broken.name.text().into_owned(), Kind::Branch)));
    names
}

/// Remotes and their hosts, and the values of telling settings.
fn of_settings(path: &Path) -> (Vec<(String, Kind)>, Vec<String>) {
    let (mut names, mut secrets) = (Vec::new(), Vec::new());
    let Ok(opened) = open(path) else { return (names, secrets) };
    let Ok(git) = Git::find() else { return (names, secrets) };
    let Ok(at) = git.at(&opened) else { return (names, secrets) };
    for entry in at.entries() {
        let key = String::from_utf8_lossy(&entry.key).into_owned();
        let value = String::from_utf8_lossy(entry.value.as_deref().unwrap_or_default()).into_owned();
        let setting = key.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        if TELLING.iter().any(|word| setting.contains(word)) {
            secrets.extend(value.split_whitespace().last().map(str::to_owned));
            secrets.push(value.clone());
        }
        if let Some((user, host)) = of_url(&value) {
            secrets.extend(user.split(':').map(str::to_owned).filter(|part| !part.is_empty()));
            names.push((host, Kind::Host));
        }
        if setting == "email" || setting == "name" {
            names.push((value, Kind::Author));
        }
    }
    (names, secrets)
}

/// What stands before the `@` of an URL, and the host.
fn of_url(value: &str) -> Option<(String, String)> {
    let (_, rest) = value.split_once("://")?;
    let (before, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    let host = host.split(['/', ':', '?', '#']).next().unwrap_or_default();
    Some((before.to_owned(), host.to_owned()))
}
