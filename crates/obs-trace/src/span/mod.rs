//! Spans: what was done within a trace, and for how long (spec §5.1).

pub(crate) mod instrumented;

use crate::context::{self, Position};
use crate::record::slots::SpanIndex;
use crate::span::instrumented::Wrapped;
use crate::trace::{ERROR, Trace};
use crate::{Outgoing, Value};

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
    SpanBuilder { at: context::position(), name, fields: None }
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
    /// Boxed, so that a builder without fields is a few registers.
    fields: Option<Box<Fields>>,
}

/// The fields of a span that has not begun, the usual number of them in one piece.
#[derive(Debug, Default)]
struct Fields {
    first: [Option<Field>; 3],
    more: Vec<Field>,
}

type Field = (&'static str, Value);

impl Fields {
    fn push(&mut self, field: Field) {
        match self.first.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(field),
            None => self.more.push(field),
        }
    }
}

impl SpanBuilder {
    /// Adds a field. Under a key that is already there the last value counts.
    ///
    /// Text is cut at [`Config::max_field_bytes`](crate::Config::max_field_bytes).
    #[inline]
    pub fn field(mut self, key: &'static str, value: impl Into<Value>) -> SpanBuilder {
        self.fields.get_or_insert_default().push((key, value.into()));
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
        match self.at {
            Some(at) => Span { inner: Some(Inner::begin(at, self.name, self.fields)) },
            None => Span { inner: None },
        }
    }

    /// Runs `f` in the span: spans that `f` begins are its children.
    #[inline]
    pub fn run<R>(self, f: impl FnOnce() -> R) -> R {
        if self.at.is_none() { f() } else { self.run_traced(f) }
    }

    #[inline(never)]
    fn run_traced<R>(self, f: impl FnOnce() -> R) -> R {
        self.enter().within(&mut None, f)
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

/// Two words, so that beginning and ending a span passes it in registers.
struct Inner {
    trace: Trace,
    place: Place,
}

/// Where a span is in its trace, and whether it began while the thread was unwinding: a byte each.
#[derive(Clone, Copy)]
struct Place(u32);

impl Place {
    fn new(index: Option<SpanIndex>, outer: Option<SpanIndex>) -> Place {
        let unwinding = u8::from(std::thread::panicking());
        let bytes = [SpanIndex::to_byte(index), SpanIndex::to_byte(index.or(outer)), unwinding, 0];
        Place(u32::from_le_bytes(bytes))
    }

    /// `None` if the span was not kept.
    fn index(self) -> Option<SpanIndex> {
        SpanIndex::of_byte(self.0 as u8)
    }

    /// Of the span's children: the span itself or, if it was not kept, its own parent.
    fn parent(self) -> Option<SpanIndex> {
        SpanIndex::of_byte((self.0 >> 8) as u8)
    }

    fn began_unwinding(self) -> bool {
        self.0 >> 16 != 0
    }
}

impl Inner {
    #[inline(never)]
    fn begin(at: Position, name: &'static str, fields: Option<Box<Fields>>) -> Inner {
        let Position { trace, parent } = at;
        let index = trace.0.begin_span(name, parent);
        let inner = Inner { trace, place: Place::new(index, parent) };
        if let Some(fields) = fields {
            inner.set_fields(*fields);
        }
        inner
    }

    #[inline(never)]
    fn set_fields(&self, fields: Fields) {
        let Fields { first, more } = fields;
        first.into_iter().flatten().chain(more).for_each(|(key, value)| self.set_field(key, value));
    }

    fn set_field(&self, key: &'static str, value: Value) {
        if let Some(index) = self.place.index() {
            self.trace.0.set_field(index, key, value);
        }
    }

    #[inline(never)]
    fn end(self) {
        if let Some(index) = self.place.index() {
            if std::thread::panicking() && !self.place.began_unwinding() {
                self.set_field(ERROR, "panic".into());
            }
            self.trace.0.close_span(index);
        }
        context::give_back(self.trace);
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

    /// Returns what a call that is made on behalf of this span is to say, as
    /// [`outgoing`](crate::outgoing) does for the enclosing one; `None` if no trace was current.
    ///
    /// For a call whose answer outlasts the future that began it, such as a stream.
    ///
    /// ```
    /// let trace = obs_trace::new_trace("llm.chat");
    /// let span = trace.enter(|| obs_trace::span("backend").enter());
    /// let told = span.outgoing().unwrap();
    /// assert!(told.traceparent().starts_with(b"00-"));
    /// # drop(span);
    /// # trace.finish();
    /// ```
    pub fn outgoing(&self) -> Option<Outgoing> {
        let Inner { trace, place } = self.inner.as_ref()?;
        if let Some(index) = place.index() {
            trace.0.mark_client(index);
        }
        Some(Outgoing::of(trace.clone(), place.parent()))
    }

    /// Whether the span is one of a trace, and kept.
    pub fn is_kept(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.place.index().is_some())
    }

    /// The trace that it is a span of.
    pub fn trace(&self) -> Option<&Trace> {
        self.inner.as_ref().map(|inner| &inner.trace)
    }

    /// Runs `f` inside the span.
    #[inline]
    pub(crate) fn within<R>(&self, moved: &mut Option<Box<context::Frame>>, f: impl FnOnce() -> R) -> R {
        match &self.inner {
            Some(inner) => context::within(&inner.trace, inner.place.parent(), moved, f),
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
