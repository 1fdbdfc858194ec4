//! Tests of the public API, one file for each subject.
#![allow(clippy::print_stdout, reason = "a test that skips an oracle says so")]

#[path = "../exposition/mod.rs"]
mod exposition;

mod declarations;
mod hostile;
mod lifetimes;
mod native;
mod oracles;
mod page;
mod peers;
mod process;
mod raise;
mod scopes;
mod snapshot;
