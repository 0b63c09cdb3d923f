//! `alignwatch backup`

use std::path::{Path, PathBuf};

use alignwatch_git::{repository, run::Git, tend};
use alignwatch_model::{Timestamp, config::Config, words};
use alignwatch_tasks::backup::{self, BackupError, Kept, Keys, Kind, Level, Shelf, Verification};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Global;
use crate::{
    Exit, configuring,
    failure::Failure,
    output::{Format, escape, layout::pad},
    surroundings,
};

/// Back repositories up, prove the backups, and restore from them
///
/// A backup holds all refs, HEADs of all worktrees, stashes and what only a reflog knows, as a bundle that
/// git reads without us; configuration, hooks and reflogs lie beside it. `verify` checks sums and reads each
/// object; with --drill it restores into a scratch place and compares refs and objects one by one. That
/// `git bundle verify` is content proves nothing: it does not read the objects.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch backup create                          what came since the newest one, or all
  alignwatch backup verify --drill                  restore the newest into a scratch place, and compare
  alignwatch backup list
  alignwatch backup restore --into ~/rescued        a whole repository
  alignwatch backup restore --ref refs/heads/topic  one ref that is gone here
  alignwatch backup restore --ref topic --into ~/x  one branch into a new repository

Exit code 1 when a backup is not what it should be.")]
pub(crate) struct Backup {
    #[command(subcommand)]
    what: What,
    /// The repository [default: the one here]
    #[arg(long, global = true, value_name = "PATH")]
    of: Option<PathBuf>,
    /// The folder with its backups, where the repository itself is gone
    #[arg(long, global = true, value_name = "FOLDER", conflicts_with = "of")]
    from: Option<PathBuf>,
    /// The key that reads encrypted backups [default: `backup.identity`]
    #[arg(long, global = true, value_name = "FILE")]
    identity: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make one
    Create {
        /// A whole one, also when one is there to add to
        #[arg(long)]
        full: bool,
    },
    /// Show what there is, and what was proven
    List,
    /// Prove it
    Verify {
        /// Its name, or `newest`, or `all`
        #[arg(default_value = NEWEST)]
        name: String,
        /// Restore it into a scratch place and compare
        #[arg(long)]
        drill: bool,
    },
    /// Restore it into a new place, or one ref of it into the repository or a new place
    Restore {
        /// Its name, or `newest`; with --ref: the newest that has it
        #[arg(default_value = NEWEST)]
        name: String,
        /// A new place for all of it, or for the one ref
        #[arg(long, value_name = "FOLDER", required_unless_present = "one")]
        into: Option<PathBuf>,
        /// One ref, by its full name, or a branch; without --into, one that is gone in the repository
        #[arg(long = "ref", value_name = "REF", id = "one")]
        one: Option<String>,
        /// The name that the ref gets
        #[arg(long = "as", value_name = "REF", requires = "one")]
        name_it: Option<String>,
    },
}

/// Stands for the newest backup.
const NEWEST: &str = "newest";

/// Stands for each.
const EACH: &str = "all";

/// Does it.
pub(crate) fn run(global: &Global, asked: &Backup) -> Result<Exit, Failure> {
    let form = global.form("backup", &[Format::Human, Format::Json])?;
    let config = configuring::configure(global)?;
    let here = asked.of.clone().unwrap_or_else(|| PathBuf::from("."));
    let shelf = match &asked.from {
        Some(folder) => Shelf::at(&std::path::absolute(folder).map_err(|error| Failure::caused_by(&error))?),
        None => Shelf::of(&root(&config)?, &opened(&here)?),
    };
    let shelf = shelf.with_keys(Keys::of(&config).or_identity(asked.identity.as_deref()));
    match &asked.what {
        What::Create { full } => create(form, &here, &shelf, *full),
        What::List => list(form, &shelf),
        What::Verify { name, drill } => verify(form, &shelf, name, *drill),
        What::Restore { name, into: Some(into), one: None, .. } => restore_whole(&shelf, name, into),
        What::Restore { name, into: Some(into), one: Some(one), name_it } => {
            restore_alone(&shelf, name, one, name_it.as_deref(), into)
        }
        What::Restore { name, into: None, one: Some(one), name_it } => {
            restore_ref(&here, &shelf, name, one, name_it.as_deref())
        }
        What::Restore { .. } => Err(Failure::usage("cannot restore: say where to (--into) or what (--ref)")),
    }
}

/// The folder with all shelves.
pub(crate) fn root(config: &Config) -> Result<PathBuf, Failure> {
    let data_dir = configuring::data_dir(config);
    alignwatch_tasks::backup::root(config, data_dir.as_deref()).ok_or_else(|| {
        Failure::could_not("cannot keep backups: there is no folder for them")
            .hint("name one: `backup.folder` in the configuration")
    })
}

fn opened(path: &Path) -> Result<repository::Opened, Failure> {
    repository::open(path).map_err(|error| {
        Failure::caused_by(&error).hint("where the repository is gone, --from FOLDER names the folder with its backups")
    })
}

fn git() -> Result<Git, Failure> {
    Git::find().map_err(|error| Failure::caused_by(&error))
}

fn told(error: BackupError) -> Failure {
    Failure::caused_by(&error)
}

fn create(form: Format, path: &Path, shelf: &Shelf, full: bool) -> Result<Exit, Failure> {
    let (opened, git) = (opened(path)?, git()?);
    // No task takes objects away meanwhile.
    let lease = tend::Lease::take(&opened.common_dir, "alignwatch backup");
    let _lease = lease.map_err(|error| Failure { exit: Exit::NotNow, ..Failure::caused_by(&error) })?;
    let at = git.at(&opened).map_err(|error| Failure::caused_by(&error))?;
    let kind = if full { Kind::Full } else { Kind::Incremental };
    let manifest = backup::create(&at, shelf, kind, surroundings::now()).map_err(told)?;
    let look = backup::verify(&git, shelf, &manifest.name, Level::Quick, surroundings::now()).map_err(told)?;
    let text = match form {
        Format::Json => escape::json(&json!({
            "schema": "alignwatch.backup_created/1", "folder": shelf.folder().join(&manifest.name), "name": manifest.name,
            "needs": manifest.needs, "n_refs": manifest.refs.len(), "n_anchors": manifest.anchors.len(),
            "n_objects": manifest.n_objects, "not_covered": manifest.not_covered, "verification": look_json(&look),
        })),
        _ => {
            let not: String = manifest.not_covered.iter().map(|what| format!("  not in it: {what}\n")).collect();
            format!(
                "{} in {}\n  {} and {} that no ref names, {}\n{}{}",
                manifest.name,
                shelf.folder().display(),
                words::count(manifest.refs.len(), "ref"),
                words::count(manifest.anchors.len(), "commit"),
                words::count(manifest.n_objects as usize, "object"),
                line_of(&look),
                not,
            )
        }
    };
    surroundings::answer(text.as_bytes())?;
    Ok(exit_of(&[look]))
}

fn list(form: Format, shelf: &Shelf) -> Result<Exit, Failure> {
    let kept = shelf.list().map_err(told)?;
    if form == Format::Json {
        let document = json!({
            "schema": "alignwatch.backups/1", "folder": shelf.folder(), "backups": kept.iter().map(kept_json).collect::<Vec<_>>(),
        });
        surroundings::answer(escape::json(&document).as_bytes())?;
        return Ok(Exit::Fine);
    }
    let mut text = format!("{}\n", shelf.folder().display());
    for kept in &kept {
        let state = match (&kept.manifest, &kept.proven, &kept.last) {
            (Err(error), ..) => format!("damaged: {error}"),
            (_, Some(drill), _) => format!("restored and compared {}", Timestamp(drill.at_seconds)),
            (_, _, Some(look)) if !look.is_good => format!("bad: {}", look.because),
            (_, _, Some(look)) => format!("read {}, never restored", Timestamp(look.at_seconds)),
            (_, _, None) => "never looked at".to_owned(),
        };
        let line = format!("  {}  {:>10}  {state}", pad(&kept.name, 28), words::bytes(kept.size_bytes));
        text.push_str(&format!("{}\n", escape::terminal(&line)));
    }
    if kept.is_empty() {
        text.push_str("  there is no backup yet: `alignwatch backup create` makes one\n");
    }
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn verify(form: Format, shelf: &Shelf, name: &str, drill: bool) -> Result<Exit, Failure> {
    let git = git()?;
    let level = if drill { Level::Drill } else { Level::Quick };
    let names = match name {
        EACH => shelf.list().map_err(told)?.into_iter().map(|kept| kept.name).collect(),
        name => vec![chosen(shelf, name)?],
    };
    let mut looks = Vec::new();
    for name in names {
        let look = backup::verify(&git, shelf, &name, level, surroundings::now()).map_err(told)?;
        if form == Format::Human {
            surroundings::answer(format!("{}\n{}", escape::terminal(&name), line_of(&look)).as_bytes())?;
        }
        looks.push(look);
    }
    if form == Format::Json {
        let looks: Vec<Value> = looks.iter().map(look_json).collect();
        let document = json!({ "schema": "alignwatch.backup_verification/1", "verifications": looks });
        surroundings::answer(escape::json(&document).as_bytes())?;
    }
    Ok(exit_of(&looks))
}

fn exit_of(looks: &[Verification]) -> Exit {
    if looks.iter().all(|look| look.is_good) { Exit::Fine } else { Exit::CouldNot }
}

fn line_of(look: &Verification) -> String {
    let word = if look.is_good { "good" } else { "BAD" };
    format!("  {word}: {} ({:.1} s)\n", escape::terminal(&look.because), look.took_seconds)
}

fn chosen(shelf: &Shelf, name: &str) -> Result<String, Failure> {
    if name != NEWEST {
        return Ok(name.to_owned());
    }
    let newest = shelf.list().map_err(told)?.pop();
    newest.map(|kept| kept.name).ok_or_else(|| {
        Failure::could_not(format!("there is no backup in `{}`", shelf.folder().display()))
            .hint("`alignwatch backup create` makes one")
    })
}

fn restore_whole(shelf: &Shelf, name: &str, into: &Path) -> Result<Exit, Failure> {
    let name = chosen(shelf, name)?;
    let into = std::path::absolute(into).map_err(|error| Failure::caused_by(&error))?;
    let git_dir = backup::restore_whole(&git()?, shelf, &name, &into).map_err(told)?;
    let files = files(&git_dir, &into);
    surroundings::answer(format!("{name} is restored into {}\n{files}", into.display()).as_bytes())?;
    Ok(Exit::Fine)
}

/// The backup of this name, or the newest that has the ref.
fn with_ref(shelf: &Shelf, name: &str, one: &str) -> Result<String, Failure> {
    if name != NEWEST {
        return Ok(name.to_owned());
    }
    let kept = shelf.list().map_err(told)?;
    let has = |kept: &&Kept| kept.manifest.as_ref().is_ok_and(|manifest| manifest.find(one).is_some());
    kept.iter().rfind(has).map(|kept| kept.name.clone()).ok_or_else(|| {
        Failure::could_not(format!("no backup in `{}` has a ref `{one}`", shelf.folder().display())).hint(LISTS)
    })
}

const LISTS: &str = "`alignwatch backup list` shows the backups; `manifest.json` in each lists its refs";

fn restore_alone(shelf: &Shelf, name: &str, from: &str, to: Option<&str>, into: &Path) -> Result<Exit, Failure> {
    let name = with_ref(shelf, name, from)?;
    let into = std::path::absolute(into).map_err(|error| Failure::caused_by(&error))?;
    let restored = backup::restore_alone(&git()?, shelf, &name, from, to, &into);
    let (restored, git_dir) = restored.map_err(|error| told(error).hint(LISTS))?;
    let what = format!("`{}` is at {} in {}, from {name}", restored.name, restored.at, into.display());
    surroundings::answer(format!("{}\n{}", escape::terminal(&what), files(&git_dir, &into)).as_bytes())?;
    Ok(Exit::Fine)
}

/// How the files of a restored repository are written, where it has a working tree.
fn files(git_dir: &Path, into: &Path) -> String {
    if git_dir == into || git_dir.parent() != Some(into) {
        return String::new();
    }
    let place = alignwatch_model::quote::shell_word(into.as_os_str().as_encoded_bytes());
    format!("its files: git -C {place} reset --hard\n")
}

fn restore_ref(path: &Path, shelf: &Shelf, name: &str, from: &str, to: Option<&str>) -> Result<Exit, Failure> {
    let name = with_ref(shelf, name, from)?;
    let (opened, git) = (opened(path)?, git()?);
    let lease = tend::Lease::take(&opened.common_dir, "alignwatch backup");
    let _lease = lease.map_err(|error| Failure { exit: Exit::NotNow, ..Failure::caused_by(&error) })?;
    let at = git.at(&opened).map_err(|error| Failure::caused_by(&error))?;
    let restored = backup::restore_ref(&at, shelf, &name, from, to).map_err(|error| {
        let hint = if matches!(error, BackupError::Taken(_)) { "--as REF gives it another name" } else { LISTS };
        told(error).hint(hint)
    })?;
    let what = format!("`{}` is there again, at {}, from {name}", restored.name, restored.at);
    surroundings::answer(format!("{}\n", escape::terminal(&what)).as_bytes())?;
    Ok(Exit::Fine)
}

fn kept_json(kept: &Kept) -> Value {
    let manifest = kept.manifest.as_ref().ok();
    json!({
        "name": kept.name, "at": manifest.map(|manifest| &manifest.at), "needs": manifest.and_then(|manifest| manifest.needs.as_ref()),
        "size_bytes": kept.size_bytes, "n_refs": manifest.map(|manifest| manifest.refs.len()),
        "n_objects": manifest.map(|manifest| manifest.n_objects), "damage": kept.manifest.as_ref().err().map(ToString::to_string),
        "last": kept.last.as_ref().map(look_json), "proven": kept.proven.as_ref().map(look_json),
    })
}

fn look_json(look: &Verification) -> Value {
    json!({
        "name": look.name, "at": Timestamp(look.at_seconds), "level": look.level, "is_good": look.is_good,
        "because": look.because, "took_seconds": look.took_seconds,
    })
}
