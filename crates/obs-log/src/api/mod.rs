//! Public interface: set-up, loggers, macros, flush, numbers and the capture of tests.

pub mod bridge;
pub(crate) mod configure;
pub(crate) mod error_field;
pub(crate) mod exception;
pub(crate) mod field;
pub(crate) mod flush;
pub(crate) mod limited;
pub(crate) mod logger;
mod macros;
pub(crate) mod probe;
pub(crate) mod secret;
pub(crate) mod stats;
pub(crate) mod testing;
