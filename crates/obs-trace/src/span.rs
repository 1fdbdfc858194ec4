//! Spans: what was done within a trace, and for how long (spec §5.1).

use crate::Value;
use crate::context::{self, Position};
use crate::slots::SpanIndex;
use crate::trace::{ERROR, Trace};
use crate::wrapped::Wrapped;

/// Prepares a span of the current trace, under the span that encloses the caller.
///
/// It begins with [`enter`](SpanBuilder::enter), [`run`](SpanBuilder::run), or the first poll of
/// what [`wrap`](SpanBuilder::wrap) gives. Without a current trace all of it does nothing, in about a
/// nanosecond. What varies goes into a field, not into the name.
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
    SpanBuilder { at: context::position(), name, fields: FieldList::default() }
}

/// Runs `f` in a span of the current trace; short for [`span`]`(name).run(f)`.
///
/// ```
/// let sum = obs_trace::in_span("add", || 1 + 1);
/// assert_eq!(sum, 2);
/// ```
#[inline]
pub fn in_span<R>(name: &'static str, f: impl FnOnce() -> R) -> R {
    span(name).run(f)
}

/// `future.in_span("name")`: short for [`span`]`("name").wrap(future)`.
///
/// ```
/// use obs_trace::InSpan;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let hits = async { 3 }.in_span("search").await;
/// assert_eq!(hits, 3);
/// # });
/// ```
pub trait InSpan: Future + Sized {
    /// Runs the future in a span of the trace that is current here.
    fn in_span(self, name: &'static str) -> Wrapped<Self> {
        span(name).wrap(self)
    }
}

impl<F: Future> InSpan for F {}

/// A span that has not begun; see [`span`].
///
/// ```
/// let builder: obs_trace::SpanBuilder = obs_trace::span("search").field("corpus", "docs");
/// builder.run(|| {});
/// ```
#[must_use = "a span begins with `enter`, `run` or `wrap`"]
pub struct SpanBuilder {
    at: Option<Position>,
    name: &'static str,
    fields: FieldList,
}

impl SpanBuilder {
    /// Adds a field. Under a key that is already there the last value counts.
    ///
    /// Text is cut at [`Config::max_field_bytes`](crate::Config::max_field_bytes).
    #[inline]
    pub fn field(mut self, key: &'static str, value: impl Into<Value>) -> SpanBuilder {
        self.fields.push((key, value.into()));
        self
    }

    /// Begins the span; it ends when the guard is dropped.
    ///
    /// The guard may be held across `.await`, sent to another thread, and dropped in any order. It
    /// does not make the span the parent of others, because branches of one task would then adopt
    /// each other's spans: nest with [`wrap`](SpanBuilder::wrap) and [`run`](SpanBuilder::run).
    #[inline]
    #[must_use = "the span ends when the guard is dropped"]
    pub fn enter(self) -> Span {
        Span { inner: self.at.map(|at| Inner::begin(at, self.name, self.fields)) }
    }

    /// Runs `f` in the span: spans that `f` begins are its children.
    pub fn run<R>(self, f: impl FnOnce() -> R) -> R {
        let span = self.enter();
        span.within(&mut None, f)
    }

    /// Gives a future that runs `future` in the span: from its first poll until it is ready or
    /// dropped. Spans that `future` begins are children of the span.
    ///
    /// Where no trace was current when the span was prepared, the one of the first poll counts.
    pub fn wrap<F: Future>(self, future: F) -> Wrapped<F> {
        Wrapped::new(self, future)
    }

    /// Begins the span of a future that is polled for the first time.
    pub(crate) fn enter_polled(mut self) -> Span {
        self.at = self.at.or_else(context::position);
        self.enter()
    }
}

/// The fields of a span that has not begun, the first two without an allocation.
#[derive(Debug, Default)]
struct FieldList {
    first: [Option<(&'static str, Value)>; 2],
    more: Vec<(&'static str, Value)>,
}

impl FieldList {
    #[inline]
    fn push(&mut self, field: (&'static str, Value)) {
        match self.first.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(field),
            None => self.more.push(field),
        }
    }
}

impl IntoIterator for FieldList {
    type Item = (&'static str, Value);
    type IntoIter = std::iter::Chain<
        std::iter::Flatten<std::array::IntoIter<Option<Self::Item>, 2>>,
        std::vec::IntoIter<Self::Item>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().flatten().chain(self.more)
    }
}

/// A span that has begun and ends when this is dropped; see [`SpanBuilder::enter`].
///
/// ```
/// fn is_send<T: Send>(_: T) {}
/// is_send(obs_trace::span("search").enter());
/// ```
#[must_use = "the span ends when the guard is dropped"]
pub struct Span {
    inner: Option<Inner>,
}

struct Inner {
    /// The trace, and as the parent of the span's children the span itself; if it was not kept,
    /// its own parent.
    at: Position,
    index: Option<SpanIndex>,
    began_unwinding: bool,
}

impl Inner {
    #[inline]
    fn begin(mut at: Position, name: &'static str, fields: FieldList) -> Inner {
        let index = at.trace.0.begin_span(name, at.parent);
        at.parent = index.or(at.parent);
        let inner = Inner { at, index, began_unwinding: std::thread::panicking() };
        for (key, value) in fields {
            inner.set_field(key, value);
        }
        inner
    }

    fn set_field(&self, key: &'static str, value: Value) {
        if let Some(index) = self.index {
            self.at.trace.0.set_field(index, key, value);
        }
    }

    #[inline]
    fn end(self) {
        if let Some(index) = self.index {
            if std::thread::panicking() && !self.began_unwinding {
                self.set_field(ERROR, "panic".into());
            }
            self.at.trace.0.close_span(index);
        }
        context::give_back(self.at.trace);
    }
}

impl Span {
    /// Sets a field of a span that has begun. Has no effect once its trace has ended.
    pub fn set_field(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(inner) = &self.inner {
            inner.set_field(key, value.into());
        }
    }

    /// Marks the span as failed: sets the field `error`. The trace may still end well.
    pub fn fail(&self, code: &str) {
        self.set_field(ERROR, code);
    }

    /// Whether the span is one of a trace, and kept.
    pub fn is_kept(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.index.is_some())
    }

    /// The trace that it is a span of.
    pub fn trace(&self) -> Option<&Trace> {
        self.inner.as_ref().map(|inner| &inner.at.trace)
    }

    /// Runs `f` inside the span.
    #[inline]
    pub(crate) fn within<R>(&self, moved: &mut Option<Box<context::Frame>>, f: impl FnOnce() -> R) -> R {
        match &self.inner {
            Some(inner) => context::within(&inner.at, moved, f),
            None => f(),
        }
    }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.end();
        }
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

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Span").field("trace", &self.trace()).finish_non_exhaustive()
    }
}
