//! Requests to the collector and its answers.

pub(super) mod answer;
pub(super) mod json;
pub(super) mod payload;
pub(super) mod transport;
