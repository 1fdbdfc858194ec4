//! The console of a HearthNet node: a JSON API and one page, served by the node itself.
//!
//! This crate knows no other crate of the workspace. A [`Source`] gives it what it shows; the facade has one for a running
//! node. [`router`] has the routes, [`Settings`] who may use them. The types of the API are in [`api`].

mod access;
pub mod api;
mod error;
mod refused;
mod server;
mod source;

pub use access::{ConnectionUser, Mode, Settings, Token, is_own_socket, socket_owner};
pub use error::{Error, ErrorKind};
pub use server::router;
pub use source::{Download, Failure, Source, Tail};
