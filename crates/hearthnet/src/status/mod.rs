//! The node's report of itself, `GET /status`, for callers on this machine.
//!
//! `docs/status.schema.json` describes the document. The command `hearthnet status` shows it.

mod disk;
mod document;
mod route;
mod sources;

pub(crate) use self::disk::{LogDisk, Space};
pub(crate) use self::route::routes;
pub(crate) use self::sources::Status;
