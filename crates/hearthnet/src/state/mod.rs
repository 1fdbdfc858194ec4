//! What a node keeps on disk.

pub(crate) mod community;
pub(crate) mod create_once;
pub(crate) mod event_log;
pub(crate) mod home;
mod keys;
mod publish;
