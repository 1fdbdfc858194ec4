//! Message and fields of an event, in the order of the call.

use std::error::Error;
use std::fmt::{self, Debug};

use log::kv::Value;
use obs_log::bridge::{FieldVisitor, Fields};
use tracing_core::Event;
use tracing_core::field::{Field, Visit};

use super::message::{is_message, with_message};

/// Message and fields of an event.
pub(super) struct EventLine<'a, 'e>(pub(super) &'a Event<'e>);

impl Fields for EventLine<'_, '_> {
    fn visit(&self, visitor: &mut FieldVisitor<'_>) {
        self.0.record(&mut Translator { visitor, had_message: false });
    }
}

impl obs_log::bridge::Event for EventLine<'_, '_> {
    fn message(&self, take: &mut dyn FnMut(fmt::Arguments<'_>)) {
        with_message(self.0, take);
    }

    fn place(&self) -> Option<&'static str> {
        Some(self.0.metadata().name())
    }
}

/// Visitor of `tracing` that passes an event on to that of the log.
struct Translator<'a, 'v> {
    visitor: &'a mut FieldVisitor<'v>,
    /// The first message is the line's own. A further one is a field like others.
    had_message: bool,
}

impl<'v> Translator<'_, 'v> {
    /// Shows the message, or adds a field by `add`. `Field::name` is `'static`, so the log knows the key by its address.
    #[inline]
    fn see(
        &mut self,
        field: &Field,
        message: fmt::Arguments<'_>,
        add: impl FnOnce(&mut FieldVisitor<'v>, &'static str),
    ) {
        if !self.had_message && is_message(field) {
            self.had_message = true;
            self.visitor.message(message);
        } else {
            add(self.visitor, field.name());
        }
    }
}

impl Visit for Translator<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.see(field, format_args!("{value}"), |line, key| line.value(key, value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.see(field, format_args!("{value}"), |line, key| line.signed(key, value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.see(field, format_args!("{value}"), |line, key| line.unsigned(key, value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.see(field, format_args!("{value}"), |line, key| line.value(key, Value::from(&value)));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.see(field, format_args!("{value}"), |line, key| line.value(key, Value::from(&value)));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.see(field, format_args!("{value}"), |line, key| line.boolean(key, value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.see(field, format_args!("{value}"), |line, key| line.text(key, value));
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        let value = Hex(value);
        self.see(field, format_args!("{value}"), |line, key| {
            line.value(key, Value::from_dyn_display(&value))
        });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.see(field, format_args!("{value}"), |line, key| line.error(key, value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.see(field, format_args!("{value:?}"), |line, key| {
            line.value(key, Value::from_dyn_debug(&value))
        });
    }
}

/// Bytes as hexadecimal digits, two for each.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // In pieces, because each write to a line has a cost of its own.
        let mut text = [0; 128];
        for piece in self.0.chunks(text.len() / 2) {
            for (pair, byte) in text.chunks_exact_mut(2).zip(piece) {
                pair[0] = DIGITS[usize::from(byte >> 4)];
                pair[1] = DIGITS[usize::from(byte & 15)];
            }
            f.write_str(str::from_utf8(&text[..2 * piece.len()]).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_length_are_pairs_of_digits() {
        for length in [0, 1, 63, 64, 65, 1000] {
            let bytes: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(Hex(&bytes).to_string(), expected);
        }
    }
}
