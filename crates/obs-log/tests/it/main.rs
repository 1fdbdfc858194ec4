//! Public interface of the crate. Each test has a capture of its own.

mod exceptions;
mod fields;
mod forms;
mod messages;
mod rate_limit;
mod reentrancy;
