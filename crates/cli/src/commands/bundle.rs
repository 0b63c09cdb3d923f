//! `alignwatch doctor bundle`

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use alignwatch_model::Timestamp;
use clap::Args;

use super::{Global, doctor};
use crate::{
    Exit,
    bundle::{self, MANIFEST, Manifest, Material, Part, archive},
    failure::Failure,
    installation::Around,
    output::{
        Format, escape,
        layout::{pad, thousands},
    },
    surroundings,
};

/// Write one redacted file for a support request
///
/// Versions, the configuration in force, what doctor and the checks say, repairs, sizes in the
/// data directory, numbers of repositories and branches. Never file contents, messages or
/// settings of a repository.
///
/// Secrets, credentials in URLs and addresses of mail are taken out always. Names of branches,
/// paths, people and machines become pseudonyms that are the same in every bundle from here,
/// and so does every word that is none of ours, unless --names is given. The finished file is
/// read back and searched; when anything is found it is not kept. Nothing is sent anywhere.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch doctor bundle --dry-run           what would be in it
  alignwatch doctor bundle -o bundle.tar.gz    with the repository here
  alignwatch doctor bundle ~/src/a ~/src/b
  alignwatch doctor bundle --verify-redaction bundle.tar.gz")]
pub(crate) struct Bundle {
    /// Repositories [default: the one here, if there is one]
    path: Vec<PathBuf>,
    /// Write to this file, which must not be there [default: one named by the time, in `bundles` of the data directory]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep names of branches, paths, people and machines; secrets go all the same
    #[arg(long)]
    names: bool,
    /// Show what would be in it, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// At most so many MiB before they are packed
    #[arg(long, value_name = "MIB", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1024))]
    size_limit: u64,
    /// Search this bundle again for what must not leave, and write nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "names", "dry_run"])]
    verify_redaction: Option<PathBuf>,
}

/// Collects, shows, writes, and searches what was written.
pub(crate) fn run(global: &Global, asked: &Bundle) -> Result<Exit, Failure> {
    let form = global.form("doctor bundle", &[Format::Human, Format::Json])?;
    let around = Around::of(global);
    let report = doctor::report(global, &around, &asked.path, false, false);
    let paths: Vec<PathBuf> = report.checked.repositories.iter().map(|checked| PathBuf::from(&checked.path)).collect();
    let redactor = |keeps_names| bundle::redactor(&around, &report, &paths, keeps_names);
    if let Some(file) = &asked.verify_redaction {
        let keeps_names = archive::keeps_names(file).map_err(|error| Failure::caused_by(&error))?;
        return verify(file, &redactor(keeps_names));
    }
    let redactor = redactor(asked.names);
    let material = Material { around: &around, report: &report };
    let now = around.now;
    let (manifest, parts) = bundle::collect(&material, &redactor, now, asked.size_limit << 20);
    if asked.dry_run {
        return answer(&shown(form, &manifest, &parts));
    }
    let file = asked.output.clone().unwrap_or_else(|| usual_place(around.data_dir.as_deref()).join(usual_name(now)));
    if !global.quiet {
        surroundings::talk(&preview(&manifest, &parts));
    }
    let written = archive::write(&file, &manifest, &parts, &redactor, now);
    let size_bytes = written.map_err(|error| Failure::caused_by(&error).hint("there is no file"))?;
    let told = format!(
        "{} ({} bytes): searched, and nothing was found that must not leave\n",
        escape::terminal(&file.display().to_string()),
        thousands(size_bytes as usize)
    );
    answer(&if form == Format::Json { shown(form, &manifest, &parts) } else { told })
}

fn answer(text: &str) -> Result<Exit, Failure> {
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn verify(file: &Path, redactor: &bundle::redact::Redactor) -> Result<Exit, Failure> {
    let found = archive::verify(file, redactor).map_err(|error| Failure::caused_by(&error))?;
    if found.is_empty() {
        return answer("nothing was found that must not leave\n");
    }
    let lines: Vec<_> = found.iter().map(|leak| format!("{}\n", escape::terminal(leak))).collect();
    answer(&lines.concat())?;
    Ok(Exit::Findings)
}

/// Where a bundle goes that nobody gave a place: not here, which may be a worktree that is committed whole.
///
/// Where there is no usable data directory, the directory for temporary files; only its owner can read the bundle there, too.
fn usual_place(data_dir: Option<&Path>) -> PathBuf {
    let folder = data_dir.map(|dir| dir.join("bundles"));
    let made = folder.filter(|folder| DirBuilder::new().recursive(true).mode(0o700).create(folder).is_ok());
    made.unwrap_or_else(std::env::temp_dir)
}

fn usual_name(now: Timestamp) -> PathBuf {
    let time: String = now.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    PathBuf::from(format!("alignwatch-bundle-{time}.tar.gz"))
}

fn shown(form: Format, manifest: &Manifest, parts: &[Part]) -> String {
    if form == Format::Json { escape::json(manifest) } else { preview(manifest, parts) }
}

/// What goes in, what does not and why, and what was replaced.
fn preview(manifest: &Manifest, parts: &[Part]) -> String {
    let widest = parts.iter().map(|part| part.name.len()).max().unwrap_or(0).max(MANIFEST.len());
    let mut text = format!("{}  what is in it, and what is not\n", pad(MANIFEST, widest));
    for part in parts {
        text.push_str(&format!("{}  {} ({} bytes)\n", pad(&part.name, widest), part.holds, thousands(part.text.len())));
    }
    for one in manifest.collectors.iter().filter(|one| one.size_bytes.is_none()) {
        let reason = one.reason.as_deref().unwrap_or("no reason given");
        text.push_str(&format!("{}  not in it: {}\n", pad(&one.name, widest), escape::terminal(reason)));
    }
    let replaced: Vec<_> = manifest.replaced.iter().map(|(what, n)| format!("{n} × {what}")).collect();
    let names = if manifest.names { "names are kept" } else { "names are pseudonyms" };
    let replaced = if replaced.is_empty() { "nothing".to_owned() } else { replaced.join(", ") };
    text + &format!("{names}; replaced: {replaced}\n")
}
