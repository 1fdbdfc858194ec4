//! Tests of the public API: exports of each signal over sockets.

#[path = "../../../../tests/support/collector.rs"]
mod collector;
mod connections;
mod export;
mod replies;
