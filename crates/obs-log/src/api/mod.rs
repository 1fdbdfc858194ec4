//! Public interface of the crate: set-up, loggers, macros, flush and figures.

pub(crate) mod configure;
pub(crate) mod exception;
pub(crate) mod flush;
pub(crate) mod joined;
pub(crate) mod limited;
pub(crate) mod logger;
mod macros;
pub(crate) mod secret;
pub(crate) mod testing;
