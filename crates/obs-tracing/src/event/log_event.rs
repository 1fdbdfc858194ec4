//! Events that `tracing-log` makes of the records of the `log` crate.
//!
//! Their own target is `log`. That of the record is a field, and so are its file and line. The fields of the record are gone.

use std::fmt::Debug;

use obs_log::bridge::{FieldVisitor, Fields};
use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Metadata};

use super::echo::{self, Identity};
use super::message::{is_message, with_message};
use crate::levels::level_of;
use crate::places::Place;

/// Whether an event was made of a record.
#[inline]
pub(super) fn is_log_event(metadata: &Metadata<'_>) -> bool {
    // The name of the target is short, so that this is one comparison for other events.
    metadata.target() == "log" && metadata.name() == "log event"
}

/// Writes an event as a line under the target of its record, unless the record has a line already.
pub(super) fn observe(event: &Event<'_>) {
    let mut origin = Origin::default();
    event.record(&mut origin);
    let is_of_an_event = Place::of_address(origin.file, origin.line).is_some_and(Place::is_known);
    if is_of_an_event || echo::has_line(origin.identity()) {
        return;
    }
    with_target(event, |target| {
        with_message(event, |message| {
            obs_log::bridge::line_of(target, level_of(event.metadata()), message, &NoFields);
        });
    });
}

/// Where the record of an event came from.
#[derive(Debug, Default)]
struct Origin {
    /// Address of the message.
    message: usize,
    /// Address of the name of the file.
    file: Option<usize>,
    line: Option<u32>,
}

impl Origin {
    fn identity(&self) -> Identity {
        Identity::new(self.message, self.file, self.line)
    }
}

impl Visit for Origin {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if is_message(field) {
            self.message = (&raw const *value).addr();
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "log.file" {
            self.file = Some(value.as_ptr().addr());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            self.line = u32::try_from(value).ok();
        }
    }
}

fn with_target(event: &Event<'_>, take: impl FnOnce(&str)) {
    let mut finder = Target { take: Some(take) };
    event.record(&mut finder);
    if let Some(take) = finder.take {
        take(event.metadata().target());
    }
}

/// Visitor that passes the target on while `tracing` shows it.
struct Target<F> {
    take: Option<F>,
}

impl<F: FnOnce(&str)> Visit for Target<F> {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "log.target"
            && let Some(take) = self.take.take()
        {
            take(value);
        }
    }
}

struct NoFields;

impl Fields for NoFields {
    fn visit(&self, _: &mut FieldVisitor<'_>) {}
}
