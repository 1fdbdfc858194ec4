//! Tools for cases: nodes in folders of their own, an HTTP client, strict parsers, outside checkers.

pub(crate) mod bodies;
pub(crate) mod children;
pub(crate) mod exposition;
pub(crate) mod fake_llm;
#[path = "../../../support/free_port.rs"]
mod free_port;
pub(crate) mod home;
pub(crate) mod http;
mod lab;
pub(crate) mod log_line;
pub(crate) mod mixed;
pub(crate) mod node;
pub(crate) mod oracle;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod rotel;
pub(crate) mod strict_json;
pub(crate) mod wait;

pub(crate) use free_port::free_port;
pub(crate) use lab::Lab;
