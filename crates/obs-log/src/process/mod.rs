//! Process that the log lives in: its exits, forks, signals and stderr.

pub(crate) mod at_exit;
pub(crate) mod signals;
pub(crate) mod size_limit;
pub(crate) mod stderr;
