//! Fields of a span.

use std::error::Error;
use std::fmt;

use obs_trace::Value;
use tracing_core::field::{Field, Visit};

use super::text;

/// Visitor that gives each field to a function, as a value of a trace.
pub(crate) struct Fields<F> {
    set: F,
}

impl<F: FnMut(&'static str, Value)> Fields<F> {
    pub(crate) fn new(set: F) -> Fields<F> {
        Fields { set }
    }

    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        (self.set)(key_of(field.name()), value.into());
    }
}

/// Returns the key that a field has in a trace.
///
/// The key `error` marks a span as failed, and the others are those of the line `done`. A field of a library that has one of
/// these names must not change their meaning. obs-log renames fields in the same way.
fn key_of(name: &'static str) -> &'static str {
    match name {
        "error" => "field_error",
        "capability" => "field_capability",
        "status" => "field_status",
        "ms" => "field_ms",
        "spans" => "field_spans",
        _ => name.strip_prefix("r#").unwrap_or(name),
    }
}

impl<F: FnMut(&'static str, Value)> Visit for Fields<F> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.set(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let value = text::of_error(value);
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = text::of_debug(value);
        self.set(field, value);
    }
}
