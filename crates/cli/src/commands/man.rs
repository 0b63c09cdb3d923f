//! `alignwatch man`

use std::{fs, path::PathBuf};

use clap::Args;
use clap_mangen::Man as Page;

use crate::{Exit, failure::Failure, surroundings};

/// Print the manual page, or write all manual pages into a directory
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch man | man -l -
  alignwatch man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Write all pages here, one for each command; the directory is made when it is not there
    dir: Option<PathBuf>,
}

/// Prints or writes.
pub(crate) fn run(asked: &Man) -> Result<Exit, Failure> {
    match &asked.dir {
        None => surroundings::answer(&main_page()?)?,
        Some(dir) => write_all(dir)?,
    }
    Ok(Exit::Fine)
}

fn main_page() -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let rendered = Page::new(crate::command()).render(&mut page);
    rendered.map_err(|error| Failure::could_not(format!("cannot write the manual page: {error}")))?;
    Ok(page)
}

fn write_all(dir: &PathBuf) -> Result<(), Failure> {
    let written = fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(crate::command(), dir));
    written.map_err(|error| Failure::could_not(format!("cannot write manual pages to `{}`: {error}", dir.display())))
}
