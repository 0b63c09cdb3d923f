//! Tidies: `cargo xtask docs` writes the documents that are made from the code, `cargo xtask words` the words
//! that may leave in a support bundle.
//!
//! Tests of this crate fail when one of them is not what the code would write.

mod channels;
mod checks;
mod configuration;
mod dashboard;
#[cfg(test)]
mod layout;
mod metrics;
mod operating;
mod tasks;
mod words;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// A document that is made from the code.
struct Document {
    /// Where it lies, from the top of the workspace.
    path: &'static str,
    /// What it says.
    text: fn() -> String,
}

/// All of them. One line a document.
const DOCUMENTS: &[Document] = &[
    Document { path: "contrib/grafana/alignwatch.json", text: dashboard::document },
    Document { path: "docs/CHANNELS.md", text: channels::document },
    Document { path: "docs/CHECKS.md", text: checks::document },
    Document { path: "docs/CONFIGURATION.md", text: configuration::document },
    Document { path: "docs/METRICS.md", text: metrics::document },
    Document { path: "docs/OPERATING.md", text: operating::document },
    Document { path: "docs/TASKS.md", text: tasks::document },
    Document { path: "docs/schema/configuration.schema.json", text: configuration::schema },
    Document { path: "docs/alignwatch.yaml", text: alignwatch_model::config::starter_file },
];

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let ended = match asked.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["docs"] => write_documents(),
        ["words"] => words::gather(&whole_path("")).and_then(|text| fs::write(whole_path(words::PATH), text)),
        _ => Err(io::Error::other("usage: cargo xtask docs|words")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // When even standard error is gone, there is nobody left to tell.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_documents() -> io::Result<()> {
    for document in DOCUMENTS {
        let path = whole_path(document.path);
        let text = (document.text)();
        let is_current = fs::read_to_string(&path).is_ok_and(|there| there == text);
        if !is_current {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            fs::write(&path, text)?;
            writeln!(io::stdout(), "wrote {}", document.path)?;
        }
    }
    Ok(())
}

fn whole_path(path: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generated_document_is_current() {
        for document in DOCUMENTS {
            let there = fs::read_to_string(whole_path(document.path)).unwrap_or_default();
            assert!(there == (document.text)(), "{} is not current: run `cargo xtask docs`", document.path);
        }
    }
}
