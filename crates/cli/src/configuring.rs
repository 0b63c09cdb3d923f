//! From the command line, the environment and a file to the configuration in force.
//!
//! Where the file is: `--config FILE`, else `$ALIGNWATCH_CONFIG`, else
//! `$XDG_CONFIG_HOME/alignwatch/alignwatch.yaml`, else `~/.config/alignwatch/alignwatch.yaml`.
//!
//! A file inside of a repository is never read unless it is named: whoever can
//! push to a repository or plant one could otherwise take branches out of sight,
//! raise thresholds, or choose where we write.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs::File as OpenFile,
    io::{self, Read},
    path::{Path, PathBuf},
};

use alignwatch_model::config::{self, Config, ConfigError, FILE_AT_MOST_BYTES, File, Flag, Loaded, Sources};

use crate::{commands::Global, failure::Failure, surroundings};

/// The name of a configuration file, wherever it stands.
pub(crate) const FILE_NAME: &str = "alignwatch.yaml";

/// The configuration in force and the file that it was read from.
pub(crate) struct Configured {
    /// The values with their origins.
    pub(crate) loaded: Loaded,
    /// The file, if one was read.
    pub(crate) file: Option<PathBuf>,
}

/// Why there is no configuration.
pub(crate) enum Unconfigured {
    /// The sources could not be read.
    Unread(Failure),
    /// They were read, and hold these mistakes.
    Mistaken(Vec<ConfigError>),
}

/// A file to read.
enum Wanted {
    /// Somebody named it, so that it must be there.
    Named(PathBuf),
    /// The usual place, where there may be none.
    Usual(PathBuf),
    /// There is no usual place: no home.
    Nowhere,
}

/// Reads the configuration and tells what is odd about it on standard error.
pub(crate) fn configure(global: &Global) -> Result<Config, Failure> {
    configure_with_origins(global).map(|loaded| loaded.config)
}

/// The same, with where each value comes from.
pub(crate) fn configure_with_origins(global: &Global) -> Result<Loaded, Failure> {
    let configured = look(global).map_err(Failure::from)?;
    if !global.quiet {
        configured.loaded.notes.iter().for_each(|note| surroundings::talk(&format!("note: {note}\n")));
    }
    Ok(configured.loaded)
}

/// Reads the configuration from the place that `global` and the environment say.
pub(crate) fn look(global: &Global) -> Result<Configured, Unconfigured> {
    look_at(global, wanted_file(global))
}

/// Reads the configuration with this file.
pub(crate) fn look_in(global: &Global, file: &Path) -> Result<Configured, Unconfigured> {
    look_at(global, Wanted::Named(file.to_owned()))
}

/// The configuration by flags and environment alone, for when its file cannot be used; `None` when these cannot either.
pub(crate) fn look_without_file(global: &Global) -> Option<Config> {
    look_at(global, Wanted::Nowhere).ok().map(|configured| configured.loaded.config)
}

/// The folder for what is remembered; `None` without a configured one and without a home.
pub(crate) fn data_dir(config: &Config) -> Option<PathBuf> {
    let configured = config.data_dir.as_ref().map(PathBuf::from);
    configured.or_else(|| Some(folder("XDG_STATE_HOME", ".local/state")?.join("alignwatch")))
}

/// The file that is read when none is named; `None` without a home.
pub(crate) fn usual_file() -> Option<PathBuf> {
    Some(folder("XDG_CONFIG_HOME", ".config")?.join("alignwatch").join(FILE_NAME))
}

fn look_at(global: &Global, wanted: Wanted) -> Result<Configured, Unconfigured> {
    let (path, bytes) = read(wanted)?.unzip();
    let environment = environment()?;
    let data_dir = data_dir_flag(global)?;
    let flags: Vec<Flag<'_>> =
        data_dir.iter().map(|value| Flag { name: "--data-dir", key: "data_dir", value }).collect();
    let name = path.as_deref().map(shown).unwrap_or_default();
    let file = bytes.as_deref().map(|bytes| File { name: &name, bytes });
    let sources = Sources { file, environment: Some(&environment), flags: &flags };
    let mut loaded = config::load(&sources).map_err(Unconfigured::Mistaken)?;
    let data_dir = self::data_dir(&loaded.config);
    loaded.config = alignwatch_daemon::calendars::with_outside(loaded.config, data_dir.as_deref(), surroundings::now());
    Ok(Configured { loaded, file: path })
}

fn wanted_file(global: &Global) -> Wanted {
    // Set to nothing is how people take a variable away.
    let variable = || env::var_os("ALIGNWATCH_CONFIG").filter(|value| !value.is_empty()).map(PathBuf::from);
    match global.config.clone().or_else(variable) {
        Some(path) => Wanted::Named(path),
        None => usual_file().map_or(Wanted::Nowhere, Wanted::Usual),
    }
}

fn read(wanted: Wanted) -> Result<Option<(PathBuf, Vec<u8>)>, Failure> {
    let (path, may_be_missing) = match wanted {
        Wanted::Named(path) => (path, false),
        Wanted::Usual(path) => (path, true),
        Wanted::Nowhere => return Ok(None),
    };
    match read_some(&path) {
        Ok(bytes) => Ok(Some((path, bytes))),
        Err(error) if may_be_missing && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let failure = Failure::usage(format!("cannot read the configuration `{}`: {error}", path.display()));
            Err(failure.hint("`alignwatch config init` writes a file to start from"))
        }
    }
}

/// The bytes of a file, at most one more than a configuration may have.
fn read_some(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    OpenFile::open(path)?.take(FILE_AT_MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Our variables. Errors: one of them is not text.
fn environment() -> Result<BTreeMap<String, String>, Failure> {
    let mut ours = BTreeMap::new();
    for (name, value) in env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("ALIGNWATCH_")) else { continue };
        let value = value.into_string().map_err(|_| not_text(&format!("the environment variable {name}")))?;
        ours.insert(name.to_owned(), value);
    }
    Ok(ours)
}

/// The value of `--data-dir`, from the root.
fn data_dir_flag(global: &Global) -> Result<Option<String>, Failure> {
    let Some(path) = &global.data_dir else { return Ok(None) };
    let whole = std::path::absolute(path)
        .map_err(|error| Failure::could_not(format!("cannot tell where `{}` is: {error}", path.display())))?;
    whole.into_os_string().into_string().map(Some).map_err(|_| not_text("--data-dir"))
}

fn not_text(what: &str) -> Failure {
    Failure::usage(format!("cannot use {what}: it is not UTF-8"))
}

/// A base folder of the XDG specification; a relative one counts as not set, as it says there.
fn folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    let set = env::var_os(variable).and_then(absolute);
    set.or_else(|| Some(env::var_os("HOME").and_then(absolute)?.join(below_home)))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

impl From<Failure> for Unconfigured {
    fn from(failure: Failure) -> Unconfigured {
        Unconfigured::Unread(failure)
    }
}

impl From<Unconfigured> for Failure {
    fn from(unconfigured: Unconfigured) -> Failure {
        match unconfigured {
            Unconfigured::Unread(failure) => failure,
            Unconfigured::Mistaken(mistakes) => told(&mistakes),
        }
    }
}

/// All mistakes in words, each with its line.
fn told(mistakes: &[ConfigError]) -> Failure {
    let count = crate::output::layout::count(mistakes.len(), "mistake");
    let mut message = format!("cannot use the configuration: {count}");
    for mistake in mistakes {
        message.push_str(&format!("\nconfig error: {mistake}"));
        if let Some(excerpt) = &mistake.excerpt {
            message.push_str(&format!("\n{excerpt}"));
        }
    }
    // Without brackets, so that it can be typed as it stands.
    let path_of = |mistake: &ConfigError| Some(config::catalogue().find(&mistake.key)?.path.replace("[]", ""));
    let key = mistakes.iter().find_map(path_of);
    let failure = Failure::usage(message);
    match key {
        Some(key) => failure.hint(format!("`alignwatch config explain {key}` tells what may be written there")),
        None => failure.hint("`alignwatch config explain` lists all keys"),
    }
}
