//! Writing an event of another crate as a record.

use std::fmt;

use log::kv::{self, Key, Value, VisitSource};

use super::values::RecordVisitor;
use crate::json::cache::Address;

/// Visitor that writes the parts of an event. It is a record of its site if the message comes first, and then the site's keys.
pub(crate) struct EventRecord<'a> {
    visitor: RecordVisitor<'a>,
    has_message: bool,
    /// Whether every part so far was written.
    is_whole: bool,
}

impl<'a> EventRecord<'a> {
    #[inline]
    pub(crate) fn new(visitor: RecordVisitor<'a>) -> EventRecord<'a> {
        EventRecord { visitor, has_message: false, is_whole: true }
    }

    /// Returns the number of bytes of the record, if all parts of the event are there.
    #[inline]
    pub(crate) fn end(self) -> Option<usize> {
        self.visitor.end().filter(|_| self.has_message && self.is_whole)
    }

    /// Writes the message, unless there was one.
    #[inline]
    pub(crate) fn message(&mut self, message: &fmt::Arguments<'_>) {
        if !self.has_message {
            self.has_message = true;
            self.is_whole &= self.visitor.message(message).is_ok();
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
        self.is_whole = self.is_whole && self.has_message && self.visitor.visit_pair(key, value).is_ok();
    }

    #[inline]
    fn write(
        &mut self,
        key: &'static str,
        value: impl FnOnce(&mut RecordVisitor<'a>) -> Result<(), kv::Error>,
    ) {
        // A part after one that was not written is not asked for, because the line is rendered anyway.
        self.is_whole = self.is_whole
            && self.has_message
            && self.visitor.key(Some(Address::of(key))).and_then(|()| value(&mut self.visitor)).is_ok();
    }
}
