//! Spans: child spans of the current trace.
//!
//! A span is an [`Open`] in a slot of a table. Its ID is the number of the slot. obs-trace has a list of the spans that a
//! thread has entered, with their IDs as tags.

mod callsites;
mod fields;
mod free;
mod id;
mod open;
mod slot;
mod slots;
mod stats;
mod text;

use obs_trace::SpanMark;
use tracing_core::Metadata;
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::subscriber::Interest;

pub(crate) use self::fields::Fields;
pub(crate) use self::open::Open;
#[cfg(feature = "layer")]
pub(crate) use self::slots::MAX_OPEN;
#[cfg(feature = "layer")]
pub(crate) use self::stats::{EXCESS, OUTSIDE};
pub use self::stats::{Stats, stats};
use crate::{levels, roots};

/// Returns whether the bridge will observe a callsite of spans or events.
pub(crate) fn interest(metadata: &'static Metadata<'static>) -> Interest {
    let interest = levels::interest(metadata);
    if !metadata.is_span() {
        return interest;
    }
    if !interest.is_always() {
        callsites::ALLOWED.remove(metadata);
        return interest;
    }
    callsites::ALLOWED.insert(metadata);
    // Whether a trace is current is known only when the span begins.
    Interest::sometimes()
}

/// Returns whether the bridge observes a span or event that begins here.
#[inline]
pub(crate) fn is_enabled(metadata: &Metadata<'_>) -> bool {
    if !metadata.is_span() {
        return levels::enabled(metadata);
    }
    // The trace comes first, because without one the level need not be known.
    may_have_trace(metadata) && (callsites::ALLOWED.contains(metadata) || levels::enabled(metadata))
}

/// Returns whether a span of this callsite may have a trace where it begins.
fn may_have_trace(metadata: &Metadata<'_>) -> bool {
    obs_trace::has_current_trace()
        // A span with an explicit parent belongs to the trace of its parent.
        || !callsites::CONTEXTUAL.contains(metadata)
        || roots::contain(metadata.target())
}

/// Begins a span.
pub(crate) fn begin(attributes: &Attributes<'_>) -> Id {
    let child = |parent: &Id, name| slots::with(parent, |open| open.child(name));
    // Without closures, so that a span is written into its slot where it is made, and is not copied on the way.
    if let Some(place) = Open::place(attributes, child)
        && let Some(slot) = slots::reserve()
        && let Some(open) = Open::begin(place, attributes)
    {
        return slot.fill(open);
    }
    id::nothing()
}

/// Begins a span that is kept by a stack of the program, with the parent that `child` finds.
#[cfg(feature = "layer")]
pub(crate) fn begin_outside(
    attributes: &Attributes<'_>,
    child: impl FnOnce(&Id, &'static str) -> Option<obs_trace::SpanBuilder>,
) -> Option<Open> {
    Open::begin(Open::place(attributes, child)?, attributes)
}

/// Sets fields of a span.
pub(crate) fn record(span: &Id, values: &Record<'_>) {
    if slots::mark(span).is_some() {
        values.record(&mut Fields::new(|key, value| {
            slots::with(span, |open| open.set_field(key, value));
        }));
    }
}

/// Notes that a span follows from another one.
pub(crate) fn follow(span: &Id, followed: &Id) {
    if let Some(value) = slots::with(followed, Open::reference).flatten() {
        slots::with(span, |open| open.follow(value));
    }
}

/// Makes a span the enclosing one of this thread.
pub(crate) fn enter(span: &Id) {
    let Some(mark) = slots::mark(span).map(|mark| mark.tagged(span.into_u64())) else { return };
    if !mark.enter() {
        // The handle is cloned under the lock and dropped after it, because the end of a trace runs the logger.
        let trace = slots::with(span, |open| open.trace().cloned()).flatten();
        if let Some(trace) = trace {
            mark.enter_in(&trace);
        }
    }
}

/// Leaves a span on this thread.
pub(crate) fn exit(span: &Id) {
    // By the tag, because the slot may have been given to another span since.
    if !id::is_nothing(span)
        && !SpanMark::exit_tag(span.into_u64())
        && let Some(mark) = slots::mark(span)
    {
        mark.exit();
    }
}

/// Runs `f` in a span, or without it if the span has no trace.
pub(crate) fn within<R>(span: &Id, f: impl FnOnce() -> R) -> R {
    struct Left<'a>(&'a Id);
    impl Drop for Left<'_> {
        fn drop(&mut self) {
            exit(self.0);
        }
    }
    enter(span);
    let _left = Left(span);
    f()
}

/// Counts one more handle of a span.
pub(crate) fn clone(span: &Id) -> Id {
    slots::clone(span);
    span.clone()
}

/// Drops a handle of a span. Returns whether it was the last one, so that the span has ended.
pub(crate) fn close(span: &Id) -> bool {
    slots::close(span)
}

/// Returns the span that this thread has entered last.
pub(crate) fn current() -> Current {
    let mut metadata = None;
    let tag = SpanMark::last_tag(|tag| {
        metadata = slots::with(&Id::from_u64(tag), Open::metadata);
        metadata.is_some()
    });
    match (tag, metadata) {
        (Some(tag), Some(metadata)) => Current::new(Id::from_u64(tag), metadata),
        _ => Current::none(),
    }
}
