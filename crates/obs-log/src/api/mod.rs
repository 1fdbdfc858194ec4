//! Public interface: set-up, loggers, macros, flush, numbers and the capture of tests.

pub(crate) mod configure;
pub(crate) mod exception;
pub(crate) mod flush;
pub(crate) mod limited;
pub(crate) mod logger;
mod macros;
mod rate_table;
pub(crate) mod secret;
pub(crate) mod stats;
pub(crate) mod testing;
