//! Process that the log lives in: its end, forks, signals and stderr.
//!
//! This room knows no other one. Functions that it calls at the end of the process are passed to it.

pub(crate) mod at_exit;
pub(crate) mod fork;
pub(crate) mod signal_mask;
pub(crate) mod signals;
pub(crate) mod stderr;
