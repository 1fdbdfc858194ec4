//! Families that the crate itself declares.

pub mod process;
#[cfg(feature = "tokio")]
pub mod runtime;
pub mod standard;
mod start_time;
