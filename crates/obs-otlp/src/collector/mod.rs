//! Requests to the collector and its replies.

mod json;
pub(crate) mod payload;
pub(crate) mod reply;
mod retry_after;
pub(crate) mod transport;
