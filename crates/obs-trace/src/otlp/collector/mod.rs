//! Requests to the collector and its replies.

mod json;
pub(super) mod payload;
pub(super) mod reply;
pub(super) mod transport;
