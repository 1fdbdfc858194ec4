//! Spans that have not begun.

use super::guard::Span;
use super::prepared::Fields;
use crate::IntoValue;
use crate::context::{self, Position};

/// Prepares a span of the current trace, under the span that encloses the caller.
///
/// The span begins with [`enter`](SpanBuilder::enter), [`run`](SpanBuilder::run), or the first poll of the future that
/// [`wrap`](SpanBuilder::wrap) returns. Without a current trace nothing is recorded, which takes about a nanosecond. Put
/// values that vary into fields, not into the name.
///
/// ```
/// let record = obs_trace::new_trace("llm.chat");
/// record.enter(|| {
///     let span = obs_trace::span("forward").field("to", "7H4G-Y9KL").field("attempt", 2).enter();
///     drop(span);
/// });
/// let spans = record.finish().unwrap().spans();
/// assert_eq!(spans[0].field("attempt"), Some(&2.into()));
/// ```
#[inline]
pub fn span(name: &'static str) -> SpanBuilder {
    SpanBuilder { at: context::position(), name, fields: None }
}

/// Runs `f` in a span of the current trace. Short for [`span`]`(name).run(f)`.
///
/// ```
/// let sum = obs_trace::in_span("add", || 1 + 1);
/// assert_eq!(sum, 2);
/// ```
#[inline]
pub fn in_span<R>(name: &'static str, f: impl FnOnce() -> R) -> R {
    span(name).run(f)
}

/// A span that has not begun. See [`span`].
///
/// ```
/// let builder: obs_trace::SpanBuilder = obs_trace::span("search").field("corpus", "docs");
/// builder.run(|| {});
/// ```
#[must_use = "a span begins with `enter`, `run` or `wrap`"]
pub struct SpanBuilder {
    pub(super) at: Option<Position>,
    pub(super) name: &'static str,
    /// Boxed, so that a builder without fields fits into registers.
    pub(super) fields: Option<Box<Fields>>,
}

impl SpanBuilder {
    /// Adds a field. The last value under a key counts.
    ///
    /// Text is cut at [`Config::max_field_bytes`](crate::Config::max_field_bytes).
    #[inline]
    pub fn field<How>(mut self, key: &'static str, value: impl IntoValue<How>) -> SpanBuilder {
        self.fields.get_or_insert_default().push((key, value.into_value()));
        self
    }

    /// Begins the span. It ends when the guard is dropped.
    ///
    /// The guard may be held across `.await`, sent to another thread, and dropped in any order. It does not make the span
    /// the parent of others, unlike a guard of `tracing`: concurrent branches of one task would become parents of each other's
    /// spans, and a guard that another thread drops would leave this thread in its span. Nest with [`wrap`](SpanBuilder::wrap)
    /// and [`run`](SpanBuilder::run).
    ///
    /// ```
    /// let trace = obs_trace::new_trace("llm.chat");
    /// trace.enter(|| {
    ///     let _guard = obs_trace::span("measured").enter();
    ///     obs_trace::in_span("beside it", || obs_trace::in_span("inside of that", || {}));
    /// });
    /// let parents = trace.spans().iter().map(|span| span.parent()).collect::<Vec<_>>();
    /// assert_eq!(parents, [None, None, Some(1)]);
    /// ```
    #[inline]
    #[must_use = "the span ends when the guard is dropped"]
    pub fn enter(self) -> Span {
        Span::begin(self.at, self.name, self.fields)
    }

    /// Runs `f` in the span. Spans that `f` begins are its children.
    #[inline]
    pub fn run<R>(self, f: impl FnOnce() -> R) -> R {
        // The branch comes first, so that a call site without a trace runs `f` at once.
        if self.at.is_none() { f() } else { self.run_traced(f) }
    }

    // Not inlined, so that a call without a trace stays small.
    #[inline(never)]
    fn run_traced<R>(self, f: impl FnOnce() -> R) -> R {
        self.enter().within(&mut None, f)
    }

    /// Begins the span of a future that is polled for the first time.
    pub(crate) fn enter_polled(mut self) -> Span {
        self.at = self.at.or_else(context::position);
        self.enter()
    }
}

impl std::fmt::Debug for SpanBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpanBuilder")
            .field("name", &self.name)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}
