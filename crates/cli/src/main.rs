//! The binary `alignwatch`. All of it is in the library, where tests can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    alignwatch::run(std::env::args_os()).into()
}
