//! The report as text for people and as JSON for scripts.

mod json;
mod style;
mod text;

pub use json::{JSON_SCHEMA, json};
pub use style::{ColorChoice, TextStyle};
pub use text::text;
