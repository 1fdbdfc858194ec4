//! Decision about who may use the console.
//!
//! [`Gate`] decides about a request. `host`, `site` and `owner` are its guards; `sessions`, `attempts` and `token` are its
//! memory.

mod attempts;
mod cookie;
mod gate;
mod host;
mod owner;
mod place;
mod sessions;
mod settings;
mod site;
mod token;

pub(crate) use gate::{Caller, Gate, Viewer};
pub use owner::{ConnectionUser, is_own_socket, socket_owner};
pub use settings::{Mode, Settings};
pub use token::Token;
