//! Guide for the authors of modules and programs.
//!
//! | task | where to start |
//! |---|---|
//! | write a line, an error, a repeated warning | [`lines`] |
//! | follow a request through tasks and threads | [`spans`] |
//! | count and measure | [`samples`] |
#![cfg_attr(feature = "http", doc = "| serve a router of one's own, call other servers | [`requests`] |")]
//! | use crates that speak `log`, `tracing` or `metrics` | [`third_parties`] |
//! | test what a module records | [`testing`](crate::testing) |
//! | set a node up | [`configure`](crate::configure), [`ObservabilityConfig`](crate::ObservabilityConfig) |
//! | check a machine, add a check | [`doctor`](crate::doctor) |
//! | keep names of peers from filling the labels | [`offer`](crate::offer()) |
//!
//! A module depends on this crate alone, and a node turns features on:
//!
//! | feature | for |
//! |---|---|
//! | `http` | the router, the request layer, the client layer, families of the tokio runtime |
//! | `reqwest` | the client's `send` for `reqwest` |
//! | `tracing` | events and spans of the `tracing` crate |
//! | `tracing-layer` | the same, as a layer of `tracing-subscriber` |
//! | `otlp` | export of traces to an OpenTelemetry collector |
//! | `tls` | `https` addresses in checks and for the collector |
//! | `compress` | compression of the log files of finished days |
//! | `history` | metrics by the minute and the last traces on disk, which outlive the process |
//! | `console` | the console in a browser, with `history` and `http` |

pub mod lines;
#[cfg(feature = "http")]
pub mod requests;
pub mod samples;
pub mod spans;
pub mod third_parties;
