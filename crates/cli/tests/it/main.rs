//! What people, programs and scanners see, over made-up repositories and over the real binary.

#![expect(clippy::unwrap_used, reason = "these are tests, also where they are not in a test function")]

mod alerts;
mod browser;
mod bundle;
mod command_line;
mod configuration;
mod daemon;
mod doctor;
mod documents;
mod explain;
mod floods;
mod full_disk;
mod gate;
mod heartbeat;
mod hooks;
mod hostile;
mod kills;
mod law;
mod library;
mod made_up;
mod notify;
mod pages;
mod peers;
mod ping;
mod real;
mod reports;
mod runs;
mod screens;
mod serve;
mod tasks;
mod terminal;
mod top;
mod watching;
mod webhooks;
mod windows;
mod wrapped;
