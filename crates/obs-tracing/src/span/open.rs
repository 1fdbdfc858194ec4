//! A span that is open.

use obs_trace::{ManualSpan, SpanBuilder, SpanMark, Trace, Value};
use tracing_core::Metadata;
use tracing_core::span::{Attributes, Id};

use super::callsites;
use super::fields::Fields;
use crate::roots;

/// A span that has begun and not ended. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Open {
    span: ManualSpan,
    metadata: &'static Metadata<'static>,
    /// Whether the span is a trace of its own.
    is_trace: bool,
}

/// Where a new span belongs.
pub(super) enum Place {
    Under(SpanBuilder),
    /// The span begins a trace of its own.
    Root,
}

impl Open {
    /// Finds the trace of a new span. `child` prepares a span under the one with an ID. `None` if the span has no trace.
    #[inline]
    pub(super) fn place(
        attributes: &Attributes<'_>,
        child: impl FnOnce(&Id, &'static str) -> Option<SpanBuilder>,
    ) -> Option<Place> {
        let metadata = attributes.metadata();
        let under = if attributes.is_contextual() {
            callsites::CONTEXTUAL.insert(metadata);
            Some(obs_trace::span(metadata.name()))
        } else {
            attributes.parent().and_then(|parent| child(parent, metadata.name()))
        };
        match under.filter(SpanBuilder::has_trace) {
            Some(builder) => Some(Place::Under(builder)),
            None if roots::contain(metadata.target()) => Some(Place::Root),
            None => None,
        }
    }

    /// Begins the span. `None` if its trace has ended, where the span is counted and not kept.
    // A span is passed by value, also to the functions that most spans do not need. So it stays in two registers until it is
    // written where it will be. Its copies through memory would cost as much as the rest of this function.
    #[inline]
    pub(super) fn begin(place: Place, attributes: &Attributes<'_>) -> Option<Open> {
        let metadata = attributes.metadata();
        let builder = match place {
            Place::Under(builder) => builder,
            Place::Root => return Some(Open::root(attributes)),
        };
        let span = builder.manual();
        let is_kept = span.is_kept();
        if !is_kept && span.trace().is_none_or(Trace::is_ended) {
            forget(span);
            return None;
        }
        let has_fields = is_kept && !attributes.values().is_empty();
        let span = if has_fields { with_fields(span, attributes) } else { span };
        Some(Open { span, metadata, is_trace: false })
    }

    #[cold]
    fn root(attributes: &Attributes<'_>) -> Open {
        let metadata = attributes.metadata();
        let span = ManualSpan::top(obs_trace::new_trace(metadata.name()));
        let open = Open { span, metadata, is_trace: true };
        attributes.record(&mut Fields::new(|key, value| open.set_field(key, value)));
        open
    }

    pub(super) fn metadata(&self) -> &'static Metadata<'static> {
        self.metadata
    }

    pub(crate) fn trace(&self) -> Option<&Trace> {
        self.span.trace()
    }

    pub(crate) fn mark(&self) -> Option<SpanMark> {
        self.span.mark()
    }

    pub(crate) fn child(&self, name: &'static str) -> SpanBuilder {
        self.span.child(name)
    }

    /// Returns whether nothing that happens to the span can be recorded any more.
    pub(super) fn is_over(&self) -> bool {
        self.trace().is_none_or(Trace::is_ended)
    }

    pub(crate) fn set_field(&self, key: &'static str, value: Value) {
        match self.trace() {
            Some(trace) if self.is_trace => {
                trace.set_root_field(key, || value.clone());
                trace.set_done_field(key, value);
            }
            _ => self.span.set_field(key, value),
        }
    }

    /// Returns the IDs by which another span refers to this one: that of the trace, and that of the span if it has one.
    pub(crate) fn reference(&self) -> Option<Value> {
        let trace = self.trace()?.id();
        Some(match self.span.span_id() {
            Some(span) => Value::display(format_args!("{trace}/{span}")),
            None => trace.into(),
        })
    }

    /// Notes the span that this one follows from.
    pub(crate) fn follow(&self, reference: Value) {
        self.set_field("follows_from", reference);
    }
}

/// Sets the fields that a span has from its beginning.
// Not inlined: see `Open::begin`.
#[inline(never)]
fn with_fields(span: ManualSpan, attributes: &Attributes<'_>) -> ManualSpan {
    attributes.record(&mut Fields::new(|key, value| span.set_field(key, value)));
    span
}

// Not inlined: see `Open::begin`.
#[cold]
#[inline(never)]
fn forget(span: ManualSpan) {
    drop(span);
}

impl Drop for Open {
    #[inline]
    fn drop(&mut self) {
        if self.is_trace {
            end(&self.span);
        }
    }
}

#[cold]
fn end(span: &ManualSpan) {
    let Some(trace) = span.trace() else { return };
    if std::thread::panicking() {
        trace.cancel()
    } else {
        trace.finish()
    };
}
