//! Lines of another logging crate, such as `tracing`.
//!
//! The `log` macros keep the values of a line in a slice. Other crates show them to a visitor, one after the other, each for
//! the time of a call. [`Fields`] takes them in that form, so that nothing is copied.
//!
//! Unsafe code: `log` asks a visitor for values that live as long as their source. The visitors of this crate accept any
//! lifetime, which their type loses behind `dyn`.

#![allow(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::mem;

use log::kv::{self, Key, Source, Value, VisitSource};
use log::{Level, LevelFilter, Record};

use crate::api::exception::causes;
use crate::config::redactor::Redactor;
use crate::dispatch;
pub use crate::dispatch::echo::{EchoFilter, Entry, set_echo_filter};
use crate::json::Encoder;
use crate::json::cache::Address;
use crate::json::cache::names::NameSlot;
use crate::json::catch::caught;
use crate::json::event::{EventVisitor, ShowEvent};
use crate::record::event::EventRecord;
use crate::record::identity::Identity;
use crate::record::source;
use crate::record::values::RecordVisitor;

/// Fields of a line that are shown one after the other.
///
/// ```
/// use obs_log::bridge::{self, FieldVisitor, Fields};
///
/// struct Answer;
///
/// impl Fields for Answer {
///     fn visit(&self, visitor: &mut FieldVisitor<'_>) {
///         visitor.value("answer", 42.into());
///     }
/// }
///
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// bridge::line("deep.thought", log::Level::Info, format_args!("done"), &Answer);
/// # assert_eq!(capture.lines()[0]["answer"], 42);
/// ```
pub trait Fields {
    /// Shows each field to `visitor`. It may be called more than once for a line. A panic ends the fields and not the line.
    fn visit(&self, visitor: &mut FieldVisitor<'_>);
}

/// Message and fields of a line that are shown in one visit. See [`event`].
///
/// ```
/// use std::fmt;
///
/// use obs_log::bridge::{self, Event, FieldVisitor, Fields};
///
/// struct Answer;
///
/// impl Fields for Answer {
///     fn visit(&self, visitor: &mut FieldVisitor<'_>) {
///         visitor.message(format_args!("done"));
///         visitor.unsigned("answer", 42);
///     }
/// }
///
/// impl Event for Answer {
///     fn message(&self, take: &mut dyn FnMut(fmt::Arguments<'_>)) {
///         take(format_args!("done"));
///     }
/// }
///
/// # let capture = obs_log::Capture::new();
/// # let _scope = capture.enter();
/// bridge::event("deep.thought", log::Level::Info, &Answer);
/// # assert_eq!((capture.lines()[0]["msg"].as_str(), &capture.lines()[0]["answer"]), (Some("done"), &42.into()));
/// ```
pub trait Event: Fields {
    /// Calls `take` once with the message: the one that [`visit`](Fields::visit) shows, or a text for an event that shows none.
    fn message(&self, take: &mut dyn FnMut(fmt::Arguments<'_>));

    /// Returns a text that stands for the place that the event comes from, such as the name of a callsite of `tracing`.
    ///
    /// The events of a place should show their message first and then the same keys in the same order. They take half of the time
    /// then, because the thread of the log renders them.
    fn place(&self) -> Option<&'static str> {
        None
    }
}

/// Visitor of the fields of a line. See [`Fields`].
pub struct FieldVisitor<'a>(Target<'a>);

enum Target<'a> {
    /// Line that an event is written to at once.
    Line(EventVisitor<'a>),
    /// Record that an event is written to, for the writer to render.
    Record(EventRecord<'a>),
    /// Visitor of a record.
    Source {
        // `'static` stands for the lifetime that the visitor was asked for. It is not used as such.
        visitor: &'a mut (dyn VisitSource<'static> + 'a),
        result: Result<(), kv::Error>,
    },
}

impl fmt::Debug for FieldVisitor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldVisitor").finish_non_exhaustive()
    }
}

impl FieldVisitor<'_> {
    /// Shows the message of an [`Event`], once. It costs least before all fields.
    #[inline]
    pub fn message(&mut self, message: fmt::Arguments<'_>) {
        match &mut self.0 {
            Target::Line(line) => line.message(&message),
            Target::Record(record) => record.message(&message),
            // A record of the `log` crate has its message already.
            Target::Source { .. } => {}
        }
    }

    /// Adds a field. The value is written before this returns.
    #[inline]
    pub fn value(&mut self, key: &'static str, value: Value<'_>) {
        self.pair(Key::from_str_static(key), value);
    }

    /// Adds a field with a text. Takes less time than [`value`](FieldVisitor::value), as the next ones do.
    #[inline]
    pub fn text(&mut self, key: &'static str, value: &str) {
        match &mut self.0 {
            Target::Line(line) => line.text(key, value),
            Target::Record(record) => record.text(key, value),
            Target::Source { .. } => self.value(key, value.into()),
        }
    }

    /// Adds a field with an integer.
    #[inline]
    pub fn unsigned(&mut self, key: &'static str, value: u64) {
        match &mut self.0 {
            Target::Line(line) => line.unsigned(key, value),
            Target::Record(record) => record.unsigned(key, value),
            Target::Source { .. } => self.value(key, value.into()),
        }
    }

    /// Adds a field with an integer.
    #[inline]
    pub fn signed(&mut self, key: &'static str, value: i64) {
        match &mut self.0 {
            Target::Line(line) => line.signed(key, value),
            Target::Record(record) => record.signed(key, value),
            Target::Source { .. } => self.value(key, value.into()),
        }
    }

    /// Adds a field with a Boolean.
    #[inline]
    pub fn boolean(&mut self, key: &'static str, value: bool) {
        match &mut self.0 {
            Target::Line(line) => line.boolean(key, value),
            Target::Record(record) => record.boolean(key, value),
            Target::Source { .. } => self.value(key, value.into()),
        }
    }

    /// Adds a field with the message of an error. If the error has sources, their messages follow as a list, outermost first,
    /// in the field `causes` for the key `error`, and in `<key>_causes` for another key.
    pub fn error(&mut self, key: &'static str, error: &(dyn Error + 'static)) {
        self.value(key, Value::from_dyn_display(&error));
        let causes = causes(error.source());
        if causes.is_empty() {
            return;
        }
        match key {
            "error" => self.value("causes", Value::from_serde(&causes)),
            _ => self.pair(Key::from_str(&format!("{key}_causes")), Value::from_serde(&causes)),
        }
    }

    fn pair(&mut self, key: Key<'_>, value: Value<'_>) {
        match &mut self.0 {
            Target::Line(line) => line.pair(key, value),
            Target::Record(record) => record.pair(key, value),
            Target::Source { visitor, result } if result.is_ok() => {
                *result = shortened(*visitor).visit_pair(key, value);
            }
            Target::Source { .. } => {}
        }
    }
}

/// Returns the visitor for values of a shorter life.
#[inline]
fn shortened<'a, 'short>(
    visitor: &'a mut (dyn VisitSource<'static> + '_),
) -> &'a mut (dyn VisitSource<'short> + 'a) {
    // SAFETY: the record of a `Straight` never leaves this crate, whose visitors (the encoder's and the console's)
    // implement `VisitSource` for every lifetime, so none of them can keep a value. Lifetimes do not change a vtable.
    unsafe {
        mem::transmute::<&mut (dyn VisitSource<'static> + '_), &mut (dyn VisitSource<'short> + 'a)>(visitor)
    }
}

/// Source of a record's fields that shows values for the time of a call.
struct Straight<'a>(&'a dyn Fields);

impl Source for Straight<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        // SAFETY: as in `shortened`, which gives the visitor no value of this lifetime.
        let visitor =
            unsafe { mem::transmute::<&mut dyn VisitSource<'kvs>, &mut dyn VisitSource<'static>>(visitor) };
        let mut fields = FieldVisitor(Target::Source { visitor, result: Ok(()) });
        self.0.visit(&mut fields);
        match fields.0 {
            Target::Source { result, .. } => result,
            Target::Line(_) | Target::Record(_) => Ok(()),
        }
    }
}

/// Logs an event under a name that is known at compile time. Takes less time than [`line()`], because the event is visited once.
#[inline]
pub fn event(target: &'static str, level: Level, event: &dyn Event) {
    dispatch::send_event(target, &Shown { event, target, level });
}

/// Event as the source of a line.
struct Shown<'a> {
    event: &'a dyn Event,
    target: &'static str,
    level: Level,
}

impl source::Source for Shown<'_> {
    #[inline]
    fn level(&self) -> Level {
        self.level
    }

    #[inline]
    fn encode<'e>(
        &self,
        encoder: &'e mut Encoder,
        name: NameSlot,
        nanos: i64,
        redact: &Redactor,
    ) -> Option<&'e [u8]> {
        encoder.encode_event(name, nanos, self.level, self, redact)
    }

    #[inline]
    fn identity(&self, name: Address, routing: u64) -> Option<Identity> {
        Some(Identity::of_text(name, self.event.place()?, self.level, routing))
    }

    #[inline]
    fn write(&self, visitor: RecordVisitor<'_>, _: bool) -> Option<usize> {
        let mut fields = FieldVisitor(Target::Record(EventRecord::new(visitor)));
        caught(|| self.event.visit(&mut fields))?;
        match fields.0 {
            Target::Record(record) => record.end(),
            Target::Line(_) | Target::Source { .. } => None,
        }
    }

    fn with_record(&self, take: &mut dyn FnMut(&Record<'_>)) {
        self.event.message(&mut |message| {
            let fields = Straight(self.event);
            let mut record = Record::builder();
            record.target(self.target).level(self.level).key_values(&fields);
            take(&record.args(message).build());
        });
    }
}

impl ShowEvent for Shown<'_> {
    fn message(&self, take: &mut dyn FnMut(fmt::Arguments<'_>)) {
        self.event.message(take);
    }

    #[inline]
    fn show(&self, line: EventVisitor<'_>) {
        self.event.visit(&mut FieldVisitor(Target::Line(line)));
    }
}

/// Logs a line under a name that is known at compile time, as the `log` macros do with a [`Logger`](crate::Logger).
#[inline]
pub fn line(target: &'static str, level: Level, message: fmt::Arguments<'_>, fields: &dyn Fields) {
    let fields = Straight(fields);
    let mut record = Record::builder();
    record.target(target).level(level).key_values(&fields);
    dispatch::send_static(target, &record.args(message).build());
}

/// Logs a line under a name that is known at run time.
pub fn line_of(target: &str, level: Level, message: fmt::Arguments<'_>, fields: &dyn Fields) {
    let fields = Straight(fields);
    let mut record = Record::builder();
    record.target(target).level(level).key_values(&fields);
    dispatch::send(target, &record.args(message).build());
}

/// Whether a line of this thread would reach a capture or the day files.
#[must_use]
pub fn enabled(target: &str, level: Level) -> bool {
    dispatch::enabled(target, level)
}

/// Whether the levels in force let a line through, on any thread.
#[must_use]
pub fn allows(target: &str, level: Level) -> bool {
    dispatch::allows(target, level)
}

/// Whether this process has entered a [`Capture`](crate::Capture), which takes lines of every level.
#[must_use]
pub fn captures() -> bool {
    dispatch::capture::was_used()
}

/// Returns the most verbose level of any logger. `Off` before the first [`configure`](crate::configure).
#[must_use]
pub fn max_level() -> LevelFilter {
    dispatch::most_verbose()
}

/// Sets the function that is called after each change of what [`allows`], [`captures`] or [`max_level`] return. The first one
/// that is set stays.
///
/// The function runs on the thread that changed the levels. It must not change them.
pub fn on_change_of_levels(changed: fn()) {
    dispatch::on_change_of_levels(changed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text::line_buf::LineBuf;
    use crate::record::encode::{Found, RecordEncoder};
    use crate::record::render::Renderer;
    use crate::record::source::Source as _;

    /// Shows its message after this many fields.
    struct Routed(usize);

    impl Fields for Routed {
        fn visit(&self, visitor: &mut FieldVisitor<'_>) {
            let fields: [&dyn Fn(&mut FieldVisitor<'_>); 6] = [
                &|line| line.text("to", "7H4G\n"),
                &|line| line.unsigned("ms", 12_345),
                &|line| line.signed("delta", -3),
                &|line| line.boolean("ok", true),
                &|line| line.value("load", 0.5.into()),
                &|line| line.error("error", &fmt::Error),
            ];
            for (at, field) in fields.iter().enumerate() {
                if at == self.0 {
                    visitor.message(format_args!("routed {:?}", "it"));
                }
                field(visitor);
            }
        }
    }

    impl Event for Routed {
        fn message(&self, take: &mut dyn FnMut(fmt::Arguments<'_>)) {
            take(format_args!("routed {:?}", "it"));
        }

        fn place(&self) -> Option<&'static str> {
            Some("event src/bus.rs:7")
        }
    }

    #[test]
    fn an_event_becomes_the_line_that_its_caller_would_have_rendered() {
        let (mut encoder, redact) = (Encoder::default(), Redactor::default());
        let (mut records, mut renderer) = (RecordEncoder::default(), Renderer::default());
        // The message comes first, later, and not at all. The last ones have the site of the first, and are no records of it.
        for at in [0, 0, 3, 9] {
            let event = Shown { event: &Routed(at), target: "hearthnet::bus", level: Level::Info };
            let name = encoder.names.find_static(event.target);
            let identity = event.identity(Address::of(event.target), 1).unwrap();
            if let Found::Unknown = records.find(&identity) {
                event.with_record(&mut |record| records.learn(identity, &mut encoder, name, record, &redact));
            }
            let Found::Site(site) = records.find(&identity) else { panic!("it is learnt") };
            let is_record = records.encode(site, &mut encoder, &event, &redact);
            assert_eq!(is_record, at == 0);
            let mut line = LineBuf::default();
            if is_record {
                renderer.append(0, records.last().1, &mut line);
                assert_eq!(*line, *event.encode(&mut encoder, name, 0, &redact).unwrap());
            }
        }
    }
}
