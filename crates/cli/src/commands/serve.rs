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
use crate::{Exit, configuring, failure::Failure, surroundings};

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
    let paths = repositories(&asked.path, &config)?;
    let port = asked.port.unwrap_or(u16::try_from(config.serve.port).unwrap_or(u16::MAX));
    let settings = Settings {
        paths,
        data_dir,
        listen: SocketAddr::from((address(&config)?, port)),
        names: config.serve.names.clone(),
        pace: Pace { interval: config.serve.interval, at_once: 1 },
        config,
        origins,
    };
    let say = |text: &str| {
        if !global.quiet {
            surroundings::talk(&format!("{text}\n"));
        }
    };
    serve(settings, surroundings::interruptions(), &say).map_err(|error| Failure::caused_by(&error))?;
    Ok(Exit::Fine)
}

fn address(config: &Config) -> Result<IpAddr, Failure> {
    let wrong = |error| Failure::usage(format!("cannot use `{}` of serve.address: {error}", config.serve.address));
    config.serve.address.parse().map_err(wrong)
}

/// The repositories to watch, each once. One that the command line names must be there; one that a pattern
/// finds may be anything.
fn repositories(named: &[PathBuf], config: &Config) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    for path in named {
        repository::open(path).map_err(|error| Failure::caused_by(&error))?;
        paths.push(std::path::absolute(path).unwrap_or_else(|_| path.clone()));
    }
    for pattern in &config.serve.repositories {
        let found = glob::glob(pattern)
            .map_err(|error| Failure::usage(format!("cannot use `{pattern}` of serve.repositories: {error}")))?;
        let found: Vec<PathBuf> = found.flatten().collect();
        let is_plain = !pattern.contains(['*', '?', '[']);
        match found.is_empty() && is_plain {
            // It may come back: it is watched, and unknown until then.
            true => paths.push(PathBuf::from(pattern)),
            false => paths.extend(found.into_iter().filter(|path| is_plain || is_repository(path))),
        }
    }
    paths.sort();
    paths.dedup();
    // With `may_add`, the first may be added over the API.
    if paths.is_empty() && config.serve.may_add.is_empty() {
        return Err(Failure::usage("there is nothing to watch")
            .hint("name repositories: alignwatch serve PATH…, or `serve.repositories` in the configuration"));
    }
    Ok(paths)
}

/// Does this folder itself hold a repository? One above it does not count.
fn is_repository(path: &Path) -> bool {
    (path.join(".git").exists() || path.join("HEAD").is_file()) && repository::open(path).is_ok()
}
