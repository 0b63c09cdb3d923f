//! `alignwatch serve`

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use alignwatch_daemon::{Settings, serve};
use alignwatch_git::repository;
use alignwatch_model::{
    config::{Config, Loaded},
    turn::Pace,
};
use clap::Args;

use super::Global;
use crate::{Exit, configuring, failure::Failure, output::escape, surroundings};

/// Watch repositories all the time, and answer what is known of them
///
/// Looks at each repository again when its refs move, and otherwise every few minutes
/// (`serve.interval`). Keeps what it saw in the data directory: health, findings with their
/// times, numbers over time. Answers on this machine only, unless `serve.address` says otherwise:
/// / is the dashboard, /metrics for a Prometheus, /api/v1 for programs (/openapi.json describes
/// it), /healthz and /readyz for supervisors.
/// Ends with Ctrl-C or SIGTERM, and goes on from there when it is started again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch serve ~/src/*              watch these, until Ctrl-C
  alignwatch serve                      watch what `serve.repositories` names
  curl localhost:8750/metrics
  curl localhost:8750/api/v1/findings")]
pub(crate) struct Serve {
    /// Repositories, besides those of the configuration
    path: Vec<PathBuf>,
    /// Answer on this port [default: 8750]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
}

/// Watches until it is ended.
pub(crate) fn run(global: &Global, asked: &Serve) -> Result<Exit, Failure> {
    let Loaded { config, origins, .. } = configuring::configure_with_origins(global)?;
    let data_dir = configuring::data_dir(&config).ok_or_else(|| {
        Failure::could_not("cannot remember anything: there is no data directory").hint("name one: --data-dir DIR")
    })?;
    let say = |text: &str| {
        if !global.quiet {
            surroundings::talk(&format!("{text}\n"));
        }
    };
    let paths = repositories(&asked.path, &config, &say)?;
    let port = asked.port.unwrap_or(u16::try_from(config.serve.port).unwrap_or(u16::MAX));
    let settings = Settings {
        paths,
        data_dir,
        listen: SocketAddr::from((address(&config)?, port)),
        names: config.serve.names.clone(),
        pace: Pace { interval: config.serve.interval, at_once: config.serve.at_once as usize },
        config,
        origins,
    };
    serve(settings, surroundings::interruptions(), &say).map_err(|error| {
        let hints = error.hints("alignwatch serve").into_iter();
        hints.fold(Failure::caused_by(&error), |failure, hint| failure.hint(hint))
    })?;
    Ok(Exit::Fine)
}

fn address(config: &Config) -> Result<IpAddr, Failure> {
    let wrong = |error| Failure::usage(format!("cannot use `{}` of serve.address: {error}", config.serve.address));
    config.serve.address.parse().map_err(wrong)
}

/// The repositories that the command line names, each once. One that can't be opened now is watched all the same: at the
/// start of a machine its disk may not be there yet.
fn repositories(named: &[PathBuf], config: &Config, say: &dyn Fn(&str)) -> Result<Vec<PathBuf>, Failure> {
    let mut paths: Vec<PathBuf> = named.iter().map(|path| place(path, say)).collect();
    paths.sort();
    paths.dedup();
    for pattern in &config.serve.repositories {
        glob::Pattern::new(pattern)
            .map_err(|error| Failure::usage(format!("cannot use `{pattern}` of serve.repositories: {error}")))?;
    }
    // With `may_add`, the first may be added over the API.
    if paths.is_empty() && config.serve.repositories.is_empty() && config.serve.may_add.is_empty() {
        return Err(Failure::usage("there is nothing to watch")
            .hint("name repositories: alignwatch serve PATH…, or `serve.repositories` in the configuration"));
    }
    Ok(paths)
}

/// Where the repository that is meant lies: the path itself, or a folder above it.
fn place(path: &Path, say: &dyn Fn(&str)) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match repository::open(path) {
        Ok(opened) if repository::open_itself(path).is_err() => opened.worktree.unwrap_or(opened.git_dir),
        Ok(_) => absolute,
        Err(error) => {
            say(&format!(
                "{}: it is watched all the same, and known when it is there",
                escape::terminal(&error.to_string())
            ));
            if let Some(hint) = error.hint() {
                say(&format!("  {hint}"));
            }
            absolute
        }
    }
}
