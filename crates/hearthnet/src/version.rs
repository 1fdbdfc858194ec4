//! Version of this program.

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Commit of the sources in seven hexadecimal digits, or `unknown`. The build program finds it.
pub(crate) const COMMIT: &str = env!("HEARTHNET_COMMIT");

/// Version and commit, as `hearthnet --version` shows them.
pub(crate) const VERSION_AND_COMMIT: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("HEARTHNET_COMMIT"), ")");
