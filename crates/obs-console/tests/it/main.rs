//! The console over real connections.

mod access;
mod api;
mod fake;
mod server;
mod tail;
