//! What users of the crate see, each test in a capture of its own.

mod exceptions;
mod fields;
mod rate_limit;
mod reentrancy;
