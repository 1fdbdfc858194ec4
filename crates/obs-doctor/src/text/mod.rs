//! Text for people: secrets hidden, terminal-unsafe characters escaped, paths in the form that a shell takes.

mod clean;
mod path;
mod redact;

pub(crate) use clean::clean;
pub use path::shell_path;
pub(crate) use path::tilde;
pub(crate) use redact::{HIDDEN, is_secret_name};
pub use redact::{Redactor, SecretKind, redact};
