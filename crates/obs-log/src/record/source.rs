//! Source of a line: a record of the `log` crate, or an event of another one.

use log::{Level, Record};

use super::identity::Identity;
use super::values::RecordVisitor;
use crate::config::redactor::Redactor;
use crate::json::Encoder;
use crate::json::cache::Address;
use crate::json::cache::names::NameSlot;
use crate::json::catch::caught;

/// Something to make a line of.
pub(crate) trait Source {
    fn level(&self) -> Level;

    /// Encodes the line. `None` if it is too long.
    fn encode<'e>(
        &self,
        encoder: &'e mut Encoder,
        name: NameSlot,
        nanos: i64,
        redact: &Redactor,
    ) -> Option<&'e [u8]>;

    /// Returns the identity of the place that the line comes from. `None` if the place has none.
    fn identity(&self, name: Address, routing: u64) -> Option<Identity>;

    /// Writes the values for the writer to render, and first the message if the lines of this place have messages of their own.
    /// Returns the end, or `None` if the line has to be rendered at once.
    fn write(&self, visitor: RecordVisitor<'_>, has_own_message: bool) -> Option<usize>;

    /// Calls `take` with the line as a record of the `log` crate.
    fn with_record(&self, take: &mut dyn FnMut(&Record<'_>));
}

impl Source for Record<'_> {
    #[inline]
    fn level(&self) -> Level {
        Record::level(self)
    }

    #[inline]
    fn encode<'e>(
        &self,
        encoder: &'e mut Encoder,
        name: NameSlot,
        nanos: i64,
        redact: &Redactor,
    ) -> Option<&'e [u8]> {
        encoder.encode_as(name, nanos, self, redact)
    }

    #[inline]
    fn identity(&self, name: Address, routing: u64) -> Option<Identity> {
        Identity::of(name, self, routing)
    }

    #[inline]
    fn write(&self, mut visitor: RecordVisitor<'_>, has_own_message: bool) -> Option<usize> {
        if has_own_message {
            visitor.message(self.args()).ok()?;
        }
        caught(|| self.key_values().visit(&mut visitor))?.ok()?;
        visitor.end()
    }

    #[inline]
    fn with_record(&self, take: &mut dyn FnMut(&Record<'_>)) {
        take(self);
    }
}
