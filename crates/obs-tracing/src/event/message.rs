//! Message of an event.

use std::error::Error;
use std::fmt::{self, Debug};

use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Metadata};

use crate::places::Place;

/// Name of the field that holds the message.
const MESSAGE: &str = "message";

/// Calls `take` with the first value of the field `message`, or with a text in its place.
#[inline]
pub(super) fn with_message(event: &Event<'_>, take: impl FnOnce(fmt::Arguments<'_>)) {
    let mut finder = Finder { take: Some(take) };
    event.record(&mut finder);
    if let Some(take) = finder.take {
        take(format_args!("{}", name(event.metadata())));
    }
}

/// Whether a field is a message. The first one of an event is not one of its fields.
#[inline]
pub(super) fn is_message(field: &Field) -> bool {
    field.name() == MESSAGE
}

/// Returns the text of an event without a message: the name that its author gave it, that of the function for an event of
/// `#[instrument(err)]`, or `event` and the place in the source.
///
/// The macros of `tracing` make the name `event /home/me/project/src/bus.rs:12` where there is none. Folders before `src` tell
/// of the machine that built the program, and are left out.
fn name(metadata: &Metadata<'static>) -> impl fmt::Display {
    let name = metadata.name();
    let place = name
        .strip_prefix("event ")
        .filter(|place| metadata.file().is_some_and(|file| place.starts_with(file)));
    if let (Some(_), Some((span, outcome))) = (place, outcome(metadata)) {
        return Name { prefix: "", text: span, suffix: outcome };
    }
    let shown = place.map(|place| match place.rfind("/src/") {
        Some(at) => &place[at + 1..],
        None => place.rsplit('/').next().unwrap_or(place),
    });
    Name { prefix: if shown.is_some() { "event " } else { "" }, text: shown.unwrap_or(name), suffix: "" }
}

/// Returns the span of an event that `#[instrument]` makes, and what became of it. Such an event has one field and is in the
/// place of its span.
fn outcome(metadata: &Metadata<'static>) -> Option<(&'static str, &'static str)> {
    let mut fields = metadata.fields().iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return None };
    let outcome = match field.name() {
        "error" => " failed",
        "return" => " returned",
        _ => return None,
    };
    let span = Place::of(metadata.file(), metadata.line())?.span()?;
    Some((span, outcome))
}

struct Name {
    prefix: &'static str,
    text: &'static str,
    suffix: &'static str,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix)?;
        f.write_str(self.text)?;
        f.write_str(self.suffix)
    }
}

/// Visitor that passes the message on while `tracing` shows it, because it cannot be kept.
struct Finder<F> {
    /// `None` once there was a message.
    take: Option<F>,
}

impl<F: FnOnce(fmt::Arguments<'_>)> Finder<F> {
    #[inline]
    fn found(&mut self, field: &Field, message: fmt::Arguments<'_>) {
        if self.take.is_some()
            && is_message(field)
            && let Some(take) = self.take.take()
        {
            take(message);
        }
    }
}

impl<F: FnOnce(fmt::Arguments<'_>)> Visit for Finder<F> {
    #[inline]
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.found(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.found(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.found(field, format_args!("{value}"));
    }

    // Without these, a number is formatted by `record_debug` of the trait, which is slower than not looking at it.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.found(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.found(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.found(field, format_args!("{value}"));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.found(field, format_args!("{value}"));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.found(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.found(field, format_args!("{value}"));
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.found(field, format_args!("{}", super::fields::Hex(value)));
    }
}
