//! Text for people: secrets hidden, unsafe characters escaped, paths as they are typed.

mod path;
mod redact;

pub(crate) use path::{shell, tilde};
pub(crate) use redact::{HIDDEN, clean, is_secret_name, redact};
