//! Files of a node: creation, reading and writing.

pub(crate) mod community;
pub(crate) mod create_once;
pub(crate) mod event_log;
pub(crate) mod home;
pub(crate) mod keys;
mod publish;
pub(crate) mod run_marker;
