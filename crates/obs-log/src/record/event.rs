//! Writing an event of another crate as a record.

use std::fmt;

use log::kv::{self, Key, Value, VisitSource};

use super::values::RecordVisitor;
use crate::json::cache::Address;

/// Visitor that writes the parts of an event. It is a record of its site if the message comes first, and then the site's keys.
pub(crate) struct EventRecord<'a> {
    visitor: RecordVisitor<'a>,
    has_message: bool,
}

impl<'a> EventRecord<'a> {
    #[inline]
    pub(crate) fn new(visitor: RecordVisitor<'a>) -> EventRecord<'a> {
        EventRecord { visitor, has_message: false }
    }

    /// Returns the number of bytes of the record, if all parts of the event are there.
    #[inline]
    pub(crate) fn end(self) -> Option<usize> {
        self.visitor.end().filter(|_| self.has_message)
    }

    /// Writes the message, unless there was one.
    #[inline]
    pub(crate) fn message(&mut self, message: &fmt::Arguments<'_>) {
        if !self.has_message {
            self.has_message = true;
            if self.visitor.message(message).is_err() {
                self.visitor.cut();
            }
        }
    }

    #[inline]
    pub(crate) fn text(&mut self, key: &'static str, value: &str) {
        self.write(key, |visitor| visitor.text(value));
    }

    #[inline]
    pub(crate) fn unsigned(&mut self, key: &'static str, value: u64) {
        self.write(key, |visitor| visitor.unsigned(value));
    }

    #[inline]
    pub(crate) fn signed(&mut self, key: &'static str, value: i64) {
        self.write(key, |visitor| visitor.signed(value));
    }

    #[inline]
    pub(crate) fn boolean(&mut self, key: &'static str, value: bool) {
        self.write(key, |visitor| visitor.boolean(value));
    }

    /// Writes a value of any kind.
    pub(crate) fn pair(&mut self, key: Key<'_>, value: Value<'_>) {
        self.part(|visitor| visitor.visit_pair(key, value));
    }

    #[inline]
    fn write(
        &mut self,
        key: &'static str,
        value: impl FnOnce(&mut RecordVisitor<'a>) -> Result<(), kv::Error>,
    ) {
        self.part(|visitor| visitor.key(Some(Address::of(key))).and_then(|()| value(visitor)));
    }

    /// Writes a part after the message, unless one was not written: the line is rendered then, and shown again for that.
    #[inline]
    fn part(&mut self, write: impl FnOnce(&mut RecordVisitor<'a>) -> Result<(), kv::Error>) {
        if !self.has_message || self.visitor.is_cut() || write(&mut self.visitor).is_err() {
            self.visitor.cut();
        }
    }
}
